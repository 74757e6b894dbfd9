//! Sessions, shards and cluster as one object that is stepped: `Node::step(now, event, &mut effects)`.
//!
//! The shell (`server`) and the simulator (`sim`) drive it alike. One thread owns a node. Sessions are tasks that are polled
//! when something they wait for has come; a request to a shard that is led here is a function call within the poll.

mod admin;
mod backend;
mod bookings;
mod calls;
mod catalog;
mod commits;
pub mod config;
mod core;
mod downgrade;
pub mod event;
mod expiry;
pub mod ledger_clock;
mod limits;
mod local;
mod log;
mod node;
mod peers;
mod placement;
mod replicas;
mod session;
mod sessions;
mod slot;
mod system;
mod timers;

pub use config::{NodeConfig, Start};
pub use event::{Effect, Event, Peer};
pub use node::Node;
