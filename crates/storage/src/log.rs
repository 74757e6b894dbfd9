//! The node's log: one sequence of segments for all shards.
//!
//! A pure core. [`Log::append`] takes records, [`Log::next_write`] gives the bytes to write and where, the shell writes
//! them durably (one write at a time) and reports with [`Log::written`]. Records of all shards that wait share one write.

use base::{Result, ShardId};
use bytes::Bytes;

/// Position in the log: grows with every record; a record is durable once [`Log::durable`] has reached its position.
pub type Lsn = u64;

/// Writes start and end at multiples of this many bytes, as direct I/O demands.
pub const BLOCK_BYTES: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub index: u64,
    pub term: u64,
    /// The consensus library's entry type (normal, membership change), kept as it is.
    pub kind: u8,
    /// Membership changes carry a context beside their data.
    pub context: Bytes,
    pub data: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Consensus state that must survive: current term, vote (node id, 0: none), commit index.
    State { term: u64, vote: u64, commit: u64 },
    /// Replaces anything at and after the first index.
    Entries(Vec<Entry>),
    /// Everything up to this index is in the row store (or was replaced by a snapshot): older records of the shard are dead.
    Truncated { index: u64, term: u64 },
    /// The shard's replica was removed from this node: all its records are dead.
    Removed,
}

/// What recovery found for one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardLog {
    pub term: u64,
    pub vote: u64,
    pub commit: u64,
    pub truncated_index: u64,
    pub truncated_term: u64,
    /// Contiguous, first one right after `truncated_index`.
    pub entries: Vec<Entry>,
    /// True if this shard's records were damaged in the middle of the log: its replica must not vote, and is rebuilt from its peers.
    pub damaged: bool,
}

/// One durable write: `bytes.len()` and `offset` are multiples of [`BLOCK_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogWrite {
    pub sequence: u64,
    /// The segment file's number. A segment that does not exist yet is made `SEGMENT_BYTES` long first.
    pub segment: u64,
    pub offset: u64,
    pub bytes: Vec<u8>,
}

/// How recovery reads what is there. Blocking: used at start only.
pub trait LogFiles {
    /// Numbers of the segment files, in any order.
    fn segments(&self) -> Result<Vec<u64>>;
    /// The whole of one segment file.
    fn read(&self, segment: u64) -> Result<Vec<u8>>;
}

pub use core::ops::Range;

/// Names a shard's record for `Log::append`.
pub type ShardRecord = (ShardId, Record);
