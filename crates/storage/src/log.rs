//! The node's log: one sequence of segments for all shards.
//!
//! A pure core. [`Log::append`] takes records, [`Log::next_write`] gives the bytes to write and where, the shell writes
//! them durably (one write at a time) and reports with [`Log::written`]. Records of all shards that wait share one write.
//!
//! A write never touches a block that holds a durable record: each one starts at a fresh block and is padded to the block's
//! end. A partially filled block is therefore never written again, which a torn write could turn into the loss of what was
//! acknowledged long before. It costs half a block of padding a write.
//!
//! The format is in docs/formats.md to the byte. Never here: a file, a clock, a decision about consensus.

mod core;
mod format;
mod live;
mod recovery;
mod scan;

pub use self::core::{Log, LogOptions};

use base::{Result, ShardId};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Position in the log: grows with every record; a record is durable once [`Log::durable`] has reached its position.
/// Counts from 1 in each life of the process.
pub type Lsn = u64;

/// Writes start and end at multiples of this many bytes, as direct I/O demands.
pub const BLOCK_BYTES: usize = 4096;
/// Length of a segment file unless said otherwise.
pub const SEGMENT_BYTES: usize = 16 * 1024 * 1024;
/// Most bytes of one write: bounds how long a small record waits behind a large one.
pub const WRITE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that may wait to be written before [`Log::is_full`] asks the callers to hold back.
pub const PENDING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Largest encoded record (one entry with its data and context).
pub const RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;

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
    /// Consecutive entries. Replaces anything at and after the first index; must connect to what is there.
    Entries(Vec<Entry>),
    /// Everything up to this index is in the row store (or was replaced by a snapshot): older records of the shard are dead.
    Truncated { index: u64, term: u64 },
    /// The log starts anew behind this index, from a snapshot: all entries are dead, also later ones, which may be of another history.
    Restarted { index: u64, term: u64 },
    /// The shard's replica was removed from this node, or starts again from nothing: all its records are dead, and it is
    /// no longer damaged.
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
    /// Stays so, over restarts too, until the shard appends [`Record::Removed`]. What is in the other fields is what could be read.
    pub damaged: bool,
}

/// What recovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    pub shards: BTreeMap<ShardId, ShardLog>,
    /// The log ended in a write or a record that was seen to be unfinished: nothing of it was acknowledged. A write whose first block
    /// is not there leaves no trace.
    pub torn_tail: bool,
    /// Places where acknowledged records cannot be read, found now or earlier and not yet recycled.
    pub damage: Vec<Damage>,
    /// It cannot be told to whom some damaged records belonged. Every shard in `shards` is marked then; a replica that this node
    /// should have, but that is missing there, must be held for damaged too.
    pub damaged_unknown: bool,
}

/// Acknowledged records that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// First and last write (sequence numbers) concerned.
    pub first: u64,
    pub last: u64,
    /// The shard concerned, if that can be told.
    pub shard: Option<ShardId>,
}

/// One durable write: `bytes.len()` and `offset` are multiples of [`BLOCK_BYTES`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogWrite {
    pub sequence: u64,
    /// The segment file's number. A segment that does not exist yet is made `SEGMENT_BYTES` long first.
    pub segment: u64,
    pub offset: u64,
    pub bytes: Bytes,
    /// Segment files that are not needed any more, nor kept for recycling: to be deleted. Whether and when is no matter of safety.
    pub surplus: Vec<u64>,
}

/// How recovery reads what is there. Blocking: used at start only.
pub trait LogFiles {
    /// Numbers of the segment files, in any order.
    fn segments(&self) -> Result<Vec<u64>>;
    /// The whole of one segment file. What it returns must be durable: recovery acts on it.
    fn read(&self, segment: u64) -> Result<Vec<u8>>;
    /// A number drawn when the log was first made and never shown outside the node, so that no row's content can pass for
    /// a write of the log when the tail is searched after a crash.
    fn salt(&self) -> u64 {
        0
    }
}

/// Names a shard's record for `Log::append`.
pub type ShardRecord = (ShardId, Record);
