//! What the world needs of a node: to be born from what its disk has, and to be stepped.

use base::locality::LocalityMode;
use base::{Locality, NodeId, Now, Result, ShardId};
use node::event::{Effect, Event, Peer};
use std::sync::Arc;
use storage::log::LogFiles;
use storage::rows::RowStores;

/// How a process comes to life.
#[derive(Clone, Debug)]
pub enum Birth {
    New(LocalityMode),
    Join(Vec<Peer>),
    Restart,
}

#[derive(Clone, Debug)]
pub struct Start {
    pub node: NodeId,
    /// Grows with each life.
    pub boot: u32,
    pub place: Locality,
    pub seed: u64,
    pub shards: u32,
    pub birth: Birth,
}

/// A replica's content: equal hashes at equal versions mean equal content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pub shard: ShardId,
    pub applied: u64,
    pub hash: u64,
}

/// What a node holds: when nobody asks for anything, next to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    pub sessions: usize,
    /// Requests to shards that are not answered.
    pub calls: usize,
    /// Commits under way.
    pub commits: usize,
    pub timers: usize,
    pub log_segments: usize,
}

pub trait Machine {
    fn step(&mut self, now: Now, event: Event, effects: &mut Vec<Effect>);
    /// When the next tick should come.
    fn tick_micros(&self) -> u64;
    fn holdings(&self) -> Holdings;
    /// How many replicas vote, witnesses included, in each shard that this node leads.
    fn voters(&self) -> Vec<(ShardId, usize)>;
    fn fingerprints(&mut self) -> Vec<Fingerprint>;
}

pub trait Factory {
    /// # Errors
    /// What the node says when it cannot start on what it found.
    fn open(&self, start: Start, now: Now, files: &dyn LogFiles, stores: Arc<dyn RowStores>) -> Result<Box<dyn Machine>>;
}

/// Where a simulated node would be reached.
pub fn address(node: NodeId) -> String {
    format!("node{}.sim:7000", node.0)
}

pub fn sql_address(node: NodeId) -> String {
    format!("node{}.sim:5433", node.0)
}
