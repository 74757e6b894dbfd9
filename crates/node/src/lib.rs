//! Sessions, shards and cluster as one object that is stepped: `Node::step(now, event, &mut effects)`.
//!
//! The shell (`server`) and the simulator (`sim`) drive it alike. One thread owns a node.

pub mod config;
pub mod event;

pub use config::{NodeConfig, Start};
pub use event::{Effect, Event, Peer};
