//! Large transactions: what does not fit into one commit entry is logged ahead in parts, and only its outline is remembered.
//!
//! Several parts are on their way at once, so that the session makes the next one while the shard's majority writes the last ones.

use super::Session;
use super::txn::{Exec, Sight, unexpected};
use crate::backend::CallError;
use base::{Error, ShardId, StorageId};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use storage::access::{Key, Request, Response, Write};
use storage::packed::{CHANGE_OVERHEAD, Packed, Packer};

/// Parts of one transaction that are on their way; a further one waits for the first of them.
const PARTS_IN_FLIGHT_MAX: usize = 4;
/// The same while others are served: their commits wait in the log behind all parts that came before them.
const PARTS_BESIDE_OTHERS_MAX: usize = 1;

/// What a transaction has staged.
#[derive(Default)]
pub struct Staged {
    parts: BTreeMap<ShardId, u32>,
    tables: BTreeMap<(StorageId, ShardId), Outline>,
    /// Not acknowledged yet, in the order in which they were sent.
    sent: VecDeque<Sent>,
}

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staged").field("parts", &self.parts).field("tables", &self.tables).field("sent", &self.sent.len()).finish()
    }
}

struct Sent {
    shard: ShardId,
    part: u32,
    changes: Bytes,
    answer: Answer,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response, CallError>>>>;

enum Answer {
    Waiting(Answering),
    Here(Result<Response, CallError>),
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
    pub fn may_have(&self, shard: ShardId, key: &[u8]) -> bool {
        self.tables.get(&(storage::access::storage_of(key), shard)).is_some_and(|outline| outline.highest[..] >= *key)
    }

    /// Parts were sent that are not acknowledged yet.
    pub fn is_on_its_way(&self) -> bool {
        !self.sent.is_empty()
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

    fn note(&mut self, shard: ShardId, highest: &[u8], command: u32) {
        let of = (storage::access::storage_of(highest), shard);
        // What is kept must not keep the whole part in memory.
        let key = Key::copy_from_slice(highest);
        let new = || Outline { highest: key.clone(), commands: (command, command), highest_of_last: key.clone() };
        let outline = self.tables.entry(of).or_insert_with(new);
        if outline.highest < key {
            outline.highest = key.clone();
        }
        if outline.commands.1 != command || outline.highest_of_last < key {
            outline.highest_of_last = key;
        }
        outline.commands.1 = command;
    }
}

impl Session {
    /// Stages the buffered writes if they are many. Called between rows, when nothing may have to be undone but the whole transaction.
    pub(crate) async fn stage_if_large(&mut self) -> Exec<()> {
        let bytes_max = self.backend.commit_bytes_max() / 2;
        self.stage_above(bytes_max).await
    }

    /// Stages the buffered writes if they are more than this.
    pub(crate) async fn stage_above(&mut self, bytes_max: usize) -> Exec<()> {
        if self.txn().buffer.bytes() < bytes_max {
            return Ok(());
        }
        let commit_bytes = self.backend.commit_bytes_max();
        // Index entries live in storages of their own, and are guarded by their table's: both are locked.
        let storages: BTreeSet<StorageId> = self.txn().buffer.storages().map(|(_, storage)| storage).collect();
        self.lock_for_staging(storages).await?;
        let by_shard = self.txn().buffer.take_tables();
        for (shard, writes) in by_shard {
            for part in parts(writes, commit_bytes) {
                self.stage(shard, part).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn lock_for_staging(&mut self, storages: BTreeSet<StorageId>) -> Exec<()> {
        let shards: Vec<ShardId> = self.backend.shards();
        let wait = self.lock_wait();
        self.lock_tables(&shards, storages.into_iter().collect(), true, wait).await
    }

    /// Sends a part of the transaction on its way. Its tables are locked.
    pub(crate) async fn stage(&mut self, shard: ShardId, changes: Packed) -> Exec<()> {
        let command = self.txn().buffer.command();
        for (_, highest, _) in changes.runs(usize::MAX) {
            self.txn().staged.note(shard, &highest, command);
        }
        let part = self.txn().staged.parts(shard);
        self.txn().staged.parts.insert(shard, part + 1);
        let changes = changes.bytes().clone();
        let answer = Answer::Waiting(self.send_part(shard, part, changes.clone()));
        self.txn().staged.sent.push_back(Sent { shard, part, changes, answer });
        self.drive_parts().await;
        let most = if self.backend.serves_others() { PARTS_BESIDE_OTHERS_MAX } else { PARTS_IN_FLIGHT_MAX };
        while self.txn().staged.sent.len() > most {
            self.first_part_staged().await?;
        }
        Ok(())
    }

    fn send_part(&mut self, shard: ShardId, part: u32, changes: Bytes) -> Answering {
        let context = self.context(shard, &Sight::default());
        let backend = Rc::clone(&self.backend);
        Box::pin(async move { backend.call(shard, Request::Stage { context, part, changes }).await })
    }

    /// Lets the parts on their way go on, in their order, without waiting for any.
    async fn drive_parts(&mut self) {
        let sent = &mut self.txn().staged.sent;
        poll_fn(|context| {
            for sent in sent.iter_mut() {
                if let Answer::Waiting(answering) = &mut sent.answer
                    && let Poll::Ready(answer) = answering.as_mut().poll(context)
                {
                    sent.answer = Answer::Here(answer);
                }
            }
            Poll::Ready(())
        })
        .await;
    }

    async fn first_part_staged(&mut self) -> Exec<()> {
        let Some(mut sent) = self.txn().staged.sent.pop_front() else { return Ok(()) };
        loop {
            let answer = match sent.answer {
                Answer::Waiting(answering) => answering.await,
                Answer::Here(answer) => answer,
            };
            match answer {
                Ok(Response::Done) => return Ok(()),
                Ok(other) => return Err(unexpected("staging", &other)),
                Err(error) => self.go_on(error).await?,
            }
            sent.answer = Answer::Waiting(self.send_part(sent.shard, sent.part, sent.changes.clone()));
        }
    }

    /// Waits until all parts are logged.
    pub(crate) async fn all_parts_staged(&mut self) -> Exec<()> {
        while !self.txn().staged.sent.is_empty() {
            self.first_part_staged().await?;
        }
        Ok(())
    }
}

fn parts(writes: Vec<Write>, bytes_max: usize) -> Vec<Packed> {
    let mut parts = Vec::new();
    let mut packer = Packer::default();
    for write in writes {
        let size = write.key.len() + write.row.as_ref().map_or(0, |row| row.len()) + CHANGE_OVERHEAD;
        if !packer.is_empty() && packer.bytes() + size > bytes_max {
            parts.push(std::mem::take(&mut packer).finish());
        }
        packer.push(&write.key, write.row.as_deref());
    }
    if !packer.is_empty() {
        parts.push(packer.finish());
    }
    parts
}
