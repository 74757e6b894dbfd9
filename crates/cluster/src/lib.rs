//! Membership, locality, placement, slot map, routing, cross-shard commit, deadlock probes, failover policy.
//!
//! Pure decisions and the messages between nodes: `node` carries them out. Nothing here sends, waits, stores or reads a clock.

pub mod commit;
pub mod deadlock;
pub mod membership;
pub mod message;
pub mod placement;
pub mod registry;
pub mod routing;

pub use message::{Frame, Message};
pub use registry::{NodeRecord, NodeState, Registry};
