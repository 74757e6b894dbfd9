//! Identifiers. Each is its own type, so that one cannot be passed for another.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id!(
    /// One `florin` process of a cluster. Never reused, also not after the node was removed. Never 0.
    NodeId(u32), "n"
);
id!(
    /// One replicated log and the key slots it owns.
    ShardId(u32), "s"
);
id!(
    /// The smallest part of the key space that moves between shards: `0..SLOT_COUNT`.
    SlotId(u16), "slot"
);
id!(
    /// One client connection of one node, unique for the life of the process.
    SessionId(u64), "session"
);
id!(
    /// One request of one node to a shard, unique for the life of the process.
    RequestId(u64), "r"
);
id!(
    /// The prefix of all row keys of one table or index. A truncated table gets a new one.
    StorageId(u32), "t"
);
id!(
    /// Counts schema changes. A statement carries the one it was planned with.
    SchemaVersion(u64), "schema"
);

/// Slots of a cluster, fixed for its life: 4,096 allow a cell to be 0.025 % of the users.
pub const SLOT_COUNT: u16 = 4096;

/// One transaction, unique for the life of the cluster.
///
/// `started` (milliseconds of the gateway's clock) orders transactions by age for the choice of a deadlock's victim;
/// `node` is the gateway that runs the session; `boot` tells its lives apart; `sequence` counts within one life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct TxnId {
    pub started: u64,
    pub node: NodeId,
    pub boot: u32,
    pub sequence: u64,
}

impl fmt::Debug for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "txn-{:x}-{}-{:x}-{:x}", self.started, self.node.0, self.boot, self.sequence)
    }
}

impl fmt::Display for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
