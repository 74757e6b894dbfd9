//! Large transactions: what does not fit into one commit entry is logged ahead in parts, and only its outline is remembered.

use super::Session;
use super::txn::Exec;
use base::{Error, ShardId, StorageId};
use std::collections::{BTreeMap, BTreeSet};
use storage::access::{Key, Write};

/// What a transaction has staged.
#[derive(Debug, Default)]
pub struct Staged {
    parts: BTreeMap<ShardId, u32>,
    tables: BTreeMap<(StorageId, ShardId), Outline>,
}

/// What is known of the keys of one storage that were staged.
#[derive(Debug)]
struct Outline {
    /// A key above it was not staged.
    highest: Key,
    /// The first and the last command that staged some.
    commands: (u32, u32),
    /// A key above it was not staged by the last command.
    highest_of_last: Key,
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

    /// Rows of this storage were staged, in whatever shard.
    pub fn has(&self, storage: StorageId) -> bool {
        self.tables.keys().any(|(staged, _)| *staged == storage)
    }

    /// The key may be among those staged.
    pub fn may_have(&self, shard: ShardId, key: &Key) -> bool {
        self.tables.get(&(storage::access::storage_of(key), shard)).is_some_and(|outline| outline.highest >= *key)
    }

    /// Whether a scan by this command of what lies from `start` on sees staged rows: those of the commands before it.
    ///
    /// # Errors
    /// `0A000` if rows that it must see and rows that it must not see were staged.
    pub fn seen(&self, shard: ShardId, start: &Key, command: u32) -> base::Result<bool> {
        let Some(outline) = self.tables.get(&(storage::access::storage_of(start), shard)) else { return Ok(true) };
        match outline.commands {
            (_, last) if last < command || outline.highest_of_last < *start => Ok(true),
            (first, _) if first >= command => Ok(false),
            _ => {
                Err(Error::unsupported("a statement over a table of which it and a statement before it changed more than fits into memory")
                    .with_hint("Commit in between."))
            }
        }
    }

    fn note(&mut self, shard: ShardId, key: &Key, command: u32) {
        let of = (storage::access::storage_of(key), shard);
        let new = || Outline { highest: key.clone(), commands: (command, command), highest_of_last: key.clone() };
        let outline = self.tables.entry(of).or_insert_with(new);
        if outline.highest < *key {
            outline.highest = key.clone();
        }
        if outline.commands.1 != command || outline.highest_of_last < *key {
            outline.highest_of_last = key.clone();
        }
        outline.commands.1 = command;
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
            let command = self.txn().buffer.command();
            // They are in order: the last of each storage is its highest.
            let storage = |write: &Write| storage::access::storage_of(&write.key);
            let last = |(at, write): &(usize, &Write)| writes.get(at + 1).is_none_or(|next| storage(next) != storage(write));
            for (_, write) in writes.iter().enumerate().filter(last) {
                self.txn().staged.note(shard, &write.key, command);
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
