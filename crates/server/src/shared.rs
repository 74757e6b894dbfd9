//! What the parts of a process tell each other beside events.

use crate::postgres::credentials::Credentials;
use base::{NodeId, ShardId};
use node::event::Peer;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What other threads may know of the node.
pub struct Shared {
    pub credentials: Arc<Credentials>,
    /// All known members, as the node last told.
    pub members: Arc<Mutex<Vec<Peer>>>,
    /// Leader and term of each shard with a replica here, as far as known.
    pub leaders: Mutex<BTreeMap<ShardId, (Option<NodeId>, u64)>>,
    /// Added to the wall clock, in microseconds: a setting for tests.
    pub clock_offset: AtomicI64,
    pub stopped: watch::Sender<bool>,
}

impl Shared {
    pub fn new() -> Shared {
        Shared {
            credentials: Arc::new(Credentials::new()),
            members: Arc::default(),
            leaders: Mutex::default(),
            clock_offset: AtomicI64::new(0),
            stopped: watch::Sender::new(false),
        }
    }
}

impl Default for Shared {
    fn default() -> Shared {
        Shared::new()
    }
}
