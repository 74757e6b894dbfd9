//! New rows on their way into one storage in the order of their keys, packed as they come: what COPY, a new key and a new index load.
//!
//! They pass by the write buffer, so nothing of them is undone but with the whole transaction; few of them go into the buffer after all.

use super::Session;
use super::txn::Exec;
use base::{Result, ShardId, StorageId};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use storage::access::{BASE_GUARDED, Key};
use storage::packed::Packer;

/// Rows of one storage that are not staged yet.
pub(crate) struct Bulk {
    storage: StorageId,
    packers: BTreeMap<ShardId, Packer>,
    bytes_max: usize,
    staged: bool,
}

impl Bulk {
    /// The key lies above all that is in here; if it does, it can be added.
    pub fn is_next(&self, shard: ShardId, key: &[u8]) -> bool {
        self.packers.get(&shard).and_then(Packer::last_key).is_none_or(|last| last < key)
    }

    pub fn push(&mut self, shard: ShardId, key: &[u8], row: &[u8]) {
        self.packer(shard).push(key, Some(row));
    }

    /// A row that is written in its place.
    ///
    /// # Errors
    /// What writing it gives; then it was not added.
    pub fn push_with(&mut self, shard: ShardId, key: &[u8], write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        self.packer(shard).push_with(key, write)
    }

    fn packer(&mut self, shard: ShardId) -> &mut Packer {
        self.packers.entry(shard).or_insert_with(|| Packer::with_capacity(self.bytes_max + self.bytes_max / 8))
    }

    pub fn is_full(&self) -> bool {
        self.packers.values().any(|packer| packer.bytes() >= self.bytes_max)
    }
}

impl Session {
    pub(crate) fn bulk(&self, storage: StorageId) -> Bulk {
        Bulk { storage, packers: BTreeMap::new(), bytes_max: self.backend.commit_bytes_max() / 2, staged: false }
    }

    /// Stages what was packed.
    pub(crate) async fn stage_bulk(&mut self, bulk: &mut Bulk) -> Exec<()> {
        self.lock_for_staging(BTreeSet::from([bulk.storage])).await?;
        for (shard, packer) in std::mem::take(&mut bulk.packers) {
            bulk.staged = true;
            self.stage(shard, packer.finish()).await?;
        }
        Ok(())
    }

    /// Everything was added.
    pub(crate) async fn finish_bulk(&mut self, mut bulk: Bulk) -> Exec<()> {
        if bulk.staged {
            return self.stage_bulk(&mut bulk).await;
        }
        for (shard, packer) in bulk.packers {
            for (_, _, run) in packer.finish().runs(usize::MAX) {
                for (key, row) in run.changes()? {
                    // Each with memory of its own: rows of the buffer are given up one by one.
                    let (key, row) = (Key::copy_from_slice(&key), row.map(|row| Bytes::copy_from_slice(&row)));
                    self.txn().buffer.put(shard, key, row, BASE_GUARDED);
                }
            }
        }
        self.stage_if_large().await
    }
}
