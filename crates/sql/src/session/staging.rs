//! Large transactions: what does not fit into one commit entry is logged ahead in parts, and only its outline is remembered.

use super::Session;
use super::txn::Exec;
use base::{Error, ShardId, SqlState, StorageId};
use std::collections::{BTreeMap, BTreeSet};
use storage::access::{Key, Write};

/// Most bytes of keys that are remembered of staged parts which do not follow each other in order.
const REMEMBERED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a transaction has staged.
#[derive(Debug, Default)]
pub struct Staged {
    parts: BTreeMap<ShardId, u32>,
    tables: BTreeMap<(StorageId, ShardId), Outline>,
}

/// The keys of one storage that were staged.
#[derive(Debug, Default)]
struct Outline {
    /// A key above it is new.
    highest: Option<Key>,
    /// All keys, as long as they fit; then only `highest` says something.
    keys: BTreeSet<Key>,
    key_bytes: usize,
}

/// Whether a key is among those staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StagedKey {
    No,
    Yes,
    /// Too much was staged to remember each key.
    Forgotten,
}

impl Staged {
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub fn parts(&self, shard: ShardId) -> u32 {
        self.parts.get(&shard).copied().unwrap_or(0)
    }

    pub fn parts_in_all(&self) -> u32 {
        self.parts.values().sum()
    }

    pub fn shards(&self) -> impl Iterator<Item = ShardId> {
        self.parts.keys().copied()
    }

    pub fn has(&self, storage: StorageId) -> bool {
        self.tables.keys().any(|(staged, _)| *staged == storage)
    }

    /// Whether a key from `start` on may be among those staged.
    pub fn reaches(&self, shard: ShardId, start: &Key) -> bool {
        let outline = self.tables.get(&(storage::access::storage_of(start), shard));
        outline.and_then(|outline| outline.highest.as_ref()).is_some_and(|highest| highest >= start)
    }

    pub fn key(&self, shard: ShardId, key: &Key) -> StagedKey {
        let Some(outline) = self.tables.get(&(storage::access::storage_of(key), shard)) else { return StagedKey::No };
        if outline.highest.as_ref().is_none_or(|highest| key > highest) {
            return StagedKey::No;
        }
        if outline.keys.contains(key) {
            StagedKey::Yes
        } else if outline.key_bytes > REMEMBERED_BYTES_MAX {
            StagedKey::Forgotten
        } else {
            StagedKey::No
        }
    }

    fn note(&mut self, shard: ShardId, key: &Key) {
        let outline = self.tables.entry((storage::access::storage_of(key), shard)).or_default();
        if outline.highest.as_ref().is_none_or(|highest| key > highest) {
            outline.highest = Some(key.clone());
        }
        if outline.key_bytes <= REMEMBERED_BYTES_MAX && outline.keys.insert(key.clone()) {
            outline.key_bytes += key.len() + 32;
            if outline.key_bytes > REMEMBERED_BYTES_MAX {
                outline.keys.clear();
            }
        }
    }
}

impl Session {
    /// Stages the buffered writes if they are many. Called between rows, when nothing may have to be undone but the whole transaction.
    pub(crate) async fn stage_if_large(&mut self) -> Exec<()> {
        let commit_bytes = self.backend.commit_bytes_max();
        if self.txn().buffer.bytes() < commit_bytes / 2 {
            return Ok(());
        }
        self.lock_for_staging().await?;
        let by_shard = self.txn().buffer.take_tables();
        for (shard, writes) in by_shard {
            for write in &writes {
                self.txn().staged.note(shard, &write.key);
            }
            for part in parts(writes, commit_bytes) {
                let number = self.txn().staged.parts(shard);
                self.txn().staged.parts.insert(shard, number + 1);
                self.stage_part(shard, number, part).await?;
            }
        }
        Ok(())
    }

    async fn lock_for_staging(&mut self) -> Exec<()> {
        let mut tables: BTreeMap<ShardId, BTreeSet<StorageId>> = BTreeMap::new();
        for (shard, storage) in self.txn().buffer.storages() {
            tables.entry(shard).or_default().insert(storage);
        }
        // Index entries live in storages of their own, and are guarded by their table's: both are locked.
        let all: BTreeSet<StorageId> = tables.values().flatten().copied().collect();
        let shards: Vec<ShardId> = self.backend.shards();
        let wait = self.lock_wait();
        self.lock_tables(&shards, all.into_iter().collect(), true, wait).await
    }

    /// # Errors
    /// `0A000`: what was staged cannot be read before the commit.
    pub(crate) fn refuse_staged(&mut self, storage: StorageId) -> base::Result<()> {
        if self.txn().staged.has(storage) {
            return Err(staged_read());
        }
        Ok(())
    }
}

pub(crate) fn staged_read() -> Error {
    Error::unsupported("reading a table in the transaction that wrote more rows into it than fit into memory")
        .with_hint("Commit first, then read.")
}

pub(crate) fn forgotten_key() -> Error {
    let message = format!("uniqueness of more than {REMEMBERED_BYTES_MAX} bytes of keys cannot be checked in one transaction");
    Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message).with_hint("Load the rows in the order of the key, or in several transactions.")
}

fn parts(writes: Vec<Write>, bytes_max: usize) -> Vec<Vec<Write>> {
    let mut parts: Vec<Vec<Write>> = Vec::new();
    let mut bytes = bytes_max;
    for write in writes {
        let size = write.key.len() + write.row.as_ref().map_or(0, |row| row.len()) + 32;
        if bytes + size > bytes_max {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        parts.last_mut().expect("was just made").push(write);
    }
    parts
}
