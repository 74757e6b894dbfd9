//! What every layer shares: identifiers, time, locality, money, randomness from a seed, bounds and errors.
//!
//! Nothing here does input or output, reads a clock or draws ambient randomness. Every other crate may
//! depend on this one; it depends on no other crate of the workspace.

pub mod bounded;
pub mod error;
pub mod ids;
pub mod locality;
pub mod money;
pub mod prng;
pub mod time;

pub use bounded::BoundedQueue;
pub use error::{Error, Result, Retry, SqlState};
pub use ids::{NodeId, RequestId, SchemaVersion, SessionId, ShardId, SlotId, StorageId, TxnId};
pub use locality::Locality;
pub use money::Money;
pub use prng::Prng;
pub use time::{HybridClock, Mono, Now, Version, Wall};
