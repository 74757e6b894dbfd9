//! Sessions, shards and cluster as one object that is stepped: `Node::step(now, event, &mut effects)`.
//!
//! The shell (`server`) and the simulator (`sim`) drive it alike. One thread owns a node. Sessions are tasks that are polled
//! when something they wait for has come; a request to a shard that is led here is a function call within the poll.

pub mod config;
pub mod event;

pub use config::{NodeConfig, Start};
pub use event::{Effect, Event, Peer};
