//! The ordered store below a shard: what it must do, whoever does it.

pub mod fjall;
pub mod memory;

pub use self::fjall::{FjallOptions, FjallRows};
pub use memory::MemoryRows;

use base::{Result, ShardId};
use bytes::Bytes;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

/// Key spaces of one shard's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// The newest flushed version of each row.
    Current,
    /// Older versions that a snapshot may still need.
    History,
    /// Parts of large transactions that are not committed, or not yet moved to `Current`.
    Staged,
    /// The shard's own bookkeeping: applied index, membership, outcomes.
    Meta,
    /// Of the parts of large transactions: runs of rows in the order of their keys, many in one value.
    Packed,
    /// The ledger's evidence: tiles of the Merkle tree and the chain's batches.
    Evidence,
}

impl Space {
    pub const ALL: [Space; 6] = [Space::Current, Space::History, Space::Staged, Space::Meta, Space::Packed, Space::Evidence];

    /// Stable: part of the on-disk format.
    pub fn number(self) -> usize {
        match self {
            Space::Current => 0,
            Space::History => 1,
            Space::Staged => 2,
            Space::Meta => 3,
            Space::Packed => 4,
            Space::Evidence => 5,
        }
    }
}

/// Changes that take effect together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub changes: Vec<Change>,
}

pub type KeyBound<'a> = Bound<&'a [u8]>;

/// True if no key can lie between the bounds. The ordered maps of the standard library panic at such ranges.
fn is_empty_range(range: (KeyBound, KeyBound)) -> bool {
    match range {
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => start >= end,
        _ => false,
    }
}

/// `None` for the value removes the key.
pub type Change = (Space, Bytes, Option<Bytes>);

/// Gives the next change, or `None` at the end.
pub type Source<'a> = dyn FnMut() -> Result<Option<Change>> + 'a;

/// Called with each key and value in order; `Break` ends the scan.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Reads of one point in time.
pub trait RowSnapshot: Send {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>>;
    fn scan(&self, space: Space, start: KeyBound, end: KeyBound, reverse: bool, visit: &mut Visit) -> Result<()>;
}

/// One shard's store. Called from the shard and, for jobs, from the shell's worker threads.
pub trait RowStore: Send + Sync {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>>;
    fn scan(&self, space: Space, start: KeyBound, end: KeyBound, reverse: bool, visit: &mut Visit) -> Result<()>;
    /// Atomic; batches become durable in the order written, at the latest with the next `sync`.
    ///
    /// # Errors
    /// `53100` when the disk is full: nothing was written.
    fn write(&self, batch: Batch) -> Result<()>;
    /// As `write`, for batches in `Staged` and `Packed` only, but returns before it is done. Whatever is asked of the store later sees it.
    ///
    /// # Errors
    /// `53100` when the disk is full: nothing will be written. `58030` if an earlier batch could not be written.
    fn write_later(&self, batch: Batch) -> Result<()>;
    /// When it returns, all earlier batches survive a crash.
    fn sync(&self) -> Result<()>;
    /// Many changes at once, in ascending order of the spaces' numbers and of their keys, which nobody else writes meanwhile. Atomic, and durable when it
    /// returns, with all earlier batches and those that came while it ran. Each call makes files of its own.
    ///
    /// # Errors
    /// `53100` when the disk is full: nothing was written.
    fn ingest(&self, source: &mut Source) -> Result<()>;
    /// What stands in `History` begins with the version (8 bytes, big-endian) up to which somebody may need it. From now on the store may drop by itself what is
    /// not above this one; until it does, reads see it. Forgotten at the next start.
    fn give_up_history(&self, upto: u64);
    /// Removes, durably or not, what can be removed at once from a range that nobody reads any more. What is left is for the caller to remove.
    fn discard(&self, space: Space, start: &[u8], end: &[u8]) -> Result<()>;
    /// A write, now or later, may have to wait until earlier ones are put in order: what can come later should.
    fn is_behind(&self) -> bool;
    /// A write, but no ingestion, may have to wait for seconds until files are merged: what is not urgent should be left for later.
    fn is_unmerged(&self) -> bool;
    /// A read of this space may have to wait until the disk has synced something: who must not wait lets somebody else read.
    fn may_wait(&self, space: Space) -> bool;
    /// Removes everything, durably.
    fn clear(&self) -> Result<()>;
    fn snapshot(&self) -> Result<Box<dyn RowSnapshot>>;
    /// Bytes on disk, roughly, as of a while ago.
    fn size(&self) -> u64;
}

/// The stores of a node, one for each shard.
pub trait RowStores: Send + Sync {
    fn open(&self, shard: ShardId) -> Result<Arc<dyn RowStore>>;
    /// Removes a shard's store, durably.
    fn destroy(&self, shard: ShardId) -> Result<()>;
}
