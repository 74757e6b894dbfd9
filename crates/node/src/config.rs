//! What a node is told when it is opened.

use crate::event::Peer;
use base::locality::LocalityMode;
use base::{Locality, NodeId};
use proof::SigningSeed;
use storage::access::COMMIT_BYTES_MAX;
use storage::log::LogOptions;

#[derive(Clone, Debug)]
pub struct NodeConfig {
    pub node: NodeId,
    /// Grows with each start of this node.
    pub boot: u32,
    pub locality: Locality,
    pub address: String,
    pub sql_address: String,
    pub seed: u64,
    /// Of a new cluster.
    pub shards: u32,
    pub start: Start,
    pub memory_bytes: u64,
    pub sizes: Sizes,
    pub evidence: EvidenceIdentity,
}

/// Under which name and with what secret a cluster signs the ledger's evidence: the same on all its nodes.
#[derive(Clone, Debug)]
pub struct EvidenceIdentity {
    /// Letters, digits, `.`, `-` and `_`.
    pub cluster: String,
    pub seed: SigningSeed,
}

/// Sizes that tests make small, so that what is rare in use happens often there. All nodes of a cluster have the same.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Bytes of a transaction's writes that are logged in one entry; above it they are logged ahead in parts.
    pub commit_bytes_max: usize,
    pub log: LogOptions,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes { commit_bytes_max: COMMIT_BYTES_MAX, log: LogOptions::default() }
    }
}

/// Shards of a new cluster, if nothing else is asked for.
pub const SHARDS_DEFAULT: u32 = 2;

#[derive(Clone, Debug)]
pub enum Start {
    /// A new cluster of one node.
    New { mode: LocalityMode },
    /// An added node: it knows its id and some peers; its replicas come by placement.
    Join { peers: Vec<Peer> },
    /// The data directory has it.
    Restart,
}
