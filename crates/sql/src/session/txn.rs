//! One transaction of a session: its locks, snapshot, writes and savepoints, and how it ends.

use super::Session;
use super::buffer::{Buffer, Mark};
use super::settings::Saved;
use super::staging::Staged;
use crate::backend::{CallError, CommitPart};
use crate::catalog::Catalog;
use crate::catalog::store::{self, Counters};
use base::{Error, Result, ShardId, SqlState, StorageId, TxnId, Version, Wall};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use storage::access::{
    BASE_GUARDED, Context, Found, Isolation, Key, KeyRange, KeyRead, LockWait, LogPosition, ReadSet, Request, Response, Snapshot, Write,
    storage_of,
};

/// What functions that reach into shards answer: a stale plan is not an error of the client's.
pub type Exec<T> = Result<T, CallError>;

/// How often a commit is sent again because another one changed the schema of other tables meanwhile.
const COMMIT_ATTEMPTS_MAX: u32 = 100;
/// Most savepoints of one transaction.
pub const SAVEPOINTS_MAX: usize = 10_000;
/// Most keys and ranges that a serializable transaction may read; above it is told to be smaller.
const READ_SET_MAX: usize = 100_000;

/// Most locked rows whose versions a transaction keeps; with more, it is lost if its locks are.
const LOCKED_ROWS_MAX: usize = 100_000;

/// Why the transaction exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// One statement, or several of one message.
    Implicit,
    /// BEGIN was said.
    Explicit,
}

pub struct Savepoint {
    name: String,
    mark: Mark,
    /// Parts staged when it was set: staged writes cannot be undone.
    staged_parts: u32,
    settings: Saved,
    ddl: Option<Ddl>,
}

/// A schema change under way.
#[derive(Clone)]
pub struct Ddl {
    /// As this transaction sees it.
    pub catalog: Arc<Catalog>,
    pub counters: Counters,
    /// Given up at commit.
    pub dropped: Vec<StorageId>,
    /// Made by this transaction: nobody else knows them, nothing was in them.
    pub created: BTreeSet<StorageId>,
}

pub struct Txn {
    pub id: TxnId,
    pub isolation: Isolation,
    pub read_only: bool,
    pub block: Block,
    pub failed: bool,
    pub start: Wall,
    /// Of REPEATABLE READ and SERIALIZABLE, from the first read on.
    pub snapshot: Option<Version>,
    pub buffer: Buffer,
    /// Shards that may hold locks of ours: to be told when it ends.
    pub locked: BTreeSet<ShardId>,
    /// Shards that said that they hold some: their leader must still know.
    pub held: BTreeSet<ShardId>,
    /// What was read under locks before it was committed: nobody may hear of it yet.
    pub seen: BTreeMap<ShardId, LogPosition>,
    /// Tables that nobody else may write until we end.
    pub exclusive: BTreeSet<StorageId>,
    pub staged: Staged,
    pub ddl: Option<Ddl>,
    reads: BTreeMap<ShardId, ReadSet>,
    reads_count: usize,
    /// Rows locked in each shard, with the versions seen: what of them is not written must be as it was if the locks are lost.
    locked_rows: BTreeMap<ShardId, Vec<(Key, Version)>>,
    locked_count: usize,
    savepoints: Vec<Savepoint>,
    /// Settings before the first change: a rollback brings them back.
    settings: Option<Saved>,
    /// Names changed by SET LOCAL, with what they go back to at the end.
    local: Vec<(String, Option<String>)>,
    /// A statement was run: the isolation cannot be changed any more.
    pub used: bool,
}

/// What one statement carries from request to request.
#[derive(Debug, Default)]
pub struct Sight {
    /// READ COMMITTED: what this statement reads at, once it is known.
    pub snapshot: Option<Version>,
    /// May be answered by a follower.
    pub follower: bool,
}

impl Session {
    /// Starts a transaction if there is none.
    pub(crate) fn ensure_txn(&mut self, block: Block) -> &mut Txn {
        if self.txn.is_none() {
            let parsed = self.settings.parsed();
            self.txn = Some(Txn {
                id: self.backend.new_txn(),
                isolation: parsed.isolation,
                read_only: parsed.read_only,
                block,
                failed: false,
                start: self.backend.now().wall,
                snapshot: None,
                buffer: Buffer::new(true),
                locked: BTreeSet::new(),
                held: BTreeSet::new(),
                seen: BTreeMap::new(),
                exclusive: BTreeSet::new(),
                staged: Staged::default(),
                ddl: None,
                reads: BTreeMap::new(),
                reads_count: 0,
                locked_rows: BTreeMap::new(),
                locked_count: 0,
                savepoints: Vec::new(),
                settings: None,
                local: Vec::new(),
                used: false,
            });
        }
        self.txn.as_mut().expect("was just made")
    }

    /// # Panics
    /// Only called while a statement runs, which always has a transaction.
    pub(crate) fn txn(&mut self) -> &mut Txn {
        self.txn.as_mut().expect("a statement runs in a transaction")
    }

    /// The catalog as this transaction sees it.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        match self.txn.as_ref().and_then(|txn| txn.ddl.as_ref()) {
            Some(ddl) => ddl.catalog.clone(),
            None => self.backend.catalog(),
        }
    }

    pub(super) fn context(&mut self, shard: ShardId, sight: &Sight) -> Context {
        let schema = self.planned_schema();
        let txn = self.txn();
        let snapshot = match txn.isolation {
            Isolation::ReadCommitted => sight.snapshot,
            _ => txn.snapshot,
        };
        Context {
            txn: txn.id,
            isolation: txn.isolation,
            snapshot: snapshot.map_or(Snapshot::Latest, Snapshot::At),
            schema,
            holds_locks: txn.held.contains(&shard),
            seen: txn.seen.get(&shard).copied(),
            follower: sight.follower && txn.staged.is_empty(),
            sees_staged: !txn.staged.is_empty(),
        }
    }

    /// The committed schema that the running statement was planned with: a schema change of our own is not committed yet.
    fn planned_schema(&self) -> base::SchemaVersion {
        match self.txn.as_ref().and_then(|txn| txn.ddl.as_ref()) {
            Some(ddl) => ddl.counters.version,
            None => self.statement_schema.unwrap_or_else(|| self.backend.catalog().version),
        }
    }

    /// Takes the snapshot of a statement (or transaction) that will look at several shards.
    pub(crate) async fn fix_snapshot(&mut self, sight: &mut Sight) -> Result<()> {
        let fixed = self.txn().isolation != Isolation::ReadCommitted;
        let known = if fixed { self.txn().snapshot } else { sight.snapshot };
        if known.is_none() {
            let snapshot = self.backend.snapshot().await?;
            self.saw_snapshot(snapshot, sight);
        }
        Ok(())
    }

    fn saw_snapshot(&mut self, snapshot: Version, sight: &mut Sight) {
        if self.txn().isolation == Isolation::ReadCommitted {
            if sight.snapshot.is_none() {
                sight.snapshot = Some(snapshot);
                self.backend.hold_snapshot(Some(snapshot));
                self.holds_snapshot = true;
            }
        } else if self.txn().snapshot.is_none() {
            self.txn().snapshot = Some(snapshot);
            self.backend.hold_snapshot(Some(snapshot));
            self.holds_snapshot = true;
        }
    }

    /// In REPEATABLE READ and above the first request of a transaction takes the snapshot; where rows are spread over shards it must be
    /// taken ahead, so that it misses nothing that another shard has acknowledged.
    async fn before_read(&mut self, sight: &mut Sight) -> Result<()> {
        let txn = self.txn();
        if txn.isolation != Isolation::ReadCommitted && txn.snapshot.is_none() && self.catalog().has_sharded_tables() {
            Box::pin(self.fix_snapshot(sight)).await?;
        }
        Ok(())
    }

    /// Rows of keys, in the order asked; locked where asked. Of the transaction's own writes it shows those that are staged.
    pub(crate) async fn read(
        &mut self,
        shard: ShardId,
        reads: Vec<KeyRead>,
        wait: LockWait,
        sight: &mut Sight,
    ) -> Exec<(Vec<Option<Found>>, Vec<u32>)> {
        self.before_read(sight).await?;
        if self.txn_ref().staged.is_on_its_way() && reads.iter().any(|read| self.txn_ref().staged.may_have(shard, &read.key)) {
            Box::pin(self.all_parts_staged()).await?;
        }
        let locks = reads.iter().any(|read| read.lock.is_some());
        if self.txn().isolation == Isolation::Serializable {
            self.remember_keys(shard, reads.iter().map(|read| read.key.clone()))?;
        }
        let count = reads.len();
        let context = self.context(shard, sight);
        let locked = reads.iter().enumerate().filter(|(_, read)| read.lock.is_some()).map(|(at, read)| (at, read.key.clone())).collect();
        if locks {
            // Even a refused or interrupted request may have taken some.
            self.txn().locked.insert(shard);
        }
        match self.backend.call(shard, Request::Read { context, reads, wait }).await? {
            Response::Rows { rows, skipped, snapshot, seen } if rows.len() == count => {
                if locks {
                    self.txn().held.insert(shard);
                }
                if let Some(seen) = seen {
                    let newest = self.txn().seen.entry(shard).or_insert(seen);
                    *newest = seen.max(*newest);
                }
                if !locks || self.txn().isolation != Isolation::ReadCommitted {
                    self.saw_snapshot(snapshot, sight);
                }
                self.remember_locked(shard, locked, &rows, &skipped);
                Ok((rows, skipped))
            }
            other => Err(unexpected("a read", &other)),
        }
    }

    /// Waits until all that the transaction saw early is committed. Before anything that may tell of it is told.
    ///
    /// # Errors
    /// `40001` if it was lost with a leader.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        loop {
            let Some((&shard, &seen)) = self.txn.as_ref().and_then(|txn| txn.seen.first_key_value()) else { return Ok(()) };
            match self.backend.call(shard, Request::Settle { seen }).await {
                Ok(Response::Done) => drop(self.txn().seen.remove(&shard)),
                Ok(other) => return Err(plain(unexpected("settling", &other))),
                Err(error) => return Err(plain(error)),
            }
        }
    }

    /// An error that follows from what was seen must not be told if that never became true.
    pub(crate) async fn settled_error(&mut self, error: Error) -> Error {
        if self.txn.as_ref().is_some_and(|txn| txn.failed) {
            return error;
        }
        self.settle().await.err().unwrap_or(error)
    }

    /// One chunk of a range. Of the transaction's own writes it shows those that are staged, if `own` says so.
    #[allow(clippy::too_many_arguments)]
    pub(crate) async fn scan(
        &mut self,
        shard: ShardId,
        range: KeyRange,
        reverse: bool,
        rows_max: u32,
        own: bool,
        sight: &mut Sight,
    ) -> Exec<(Vec<(Key, Found)>, Option<Key>)> {
        self.before_read(sight).await?;
        if own && self.txn().staged.is_on_its_way() && self.txn().staged.has(storage_of(&range.start)) {
            Box::pin(self.all_parts_staged()).await?;
        }
        if self.txn().isolation == Isolation::Serializable {
            self.remember_range(shard, range.clone())?;
        }
        loop {
            let mut context = self.context(shard, sight);
            context.sees_staged &= own;
            match self.backend.call(shard, Request::Scan { context, range: range.clone(), reverse, rows_max }).await {
                Ok(Response::Scanned { rows, resume, snapshot }) => {
                    self.saw_snapshot(snapshot, sight);
                    return Ok((rows, resume));
                }
                Ok(other) => return Err(unexpected("a scan", &other)),
                Err(error) => Box::pin(self.go_on(error)).await?,
            }
        }
    }

    /// A schema change that left the running statement's tables as they were does not disturb it: the statement goes on with the new
    /// version. Every other error is handed back.
    pub(crate) async fn go_on(&mut self, error: CallError) -> Exec<()> {
        let CallError::StaleSchema(version) = error else { return Err(error) };
        if self.pinned.is_empty() || self.txn().ddl.is_some() {
            return Err(error);
        }
        let catalog = self.backend.refresh_catalog(version).await?;
        for pinned in &self.pinned {
            match catalog.tables.get(&pinned.oid) {
                Some(now) if store::table_row(now)? == store::table_row(pinned)? => {}
                _ => return Err(error),
            }
        }
        if self.statement_schema.is_some_and(|old| old >= version) {
            return Err(error);
        }
        self.statement_schema = Some(version);
        Ok(())
    }

    fn remember_keys(&mut self, shard: ShardId, keys: impl Iterator<Item = Key>) -> Result<()> {
        let txn = self.txn();
        let set = &mut txn.reads.entry(shard).or_default().keys;
        let before = set.len();
        set.extend(keys);
        txn.reads_count += set.len() - before;
        self.check_read_set()
    }

    /// `keys`: those that were locked, with their places in the answer.
    fn remember_locked(&mut self, shard: ShardId, mut keys: Vec<(usize, Key)>, rows: &[Option<Found>], skipped: &[u32]) {
        let txn = self.txn();
        keys.retain(|(at, _)| !skipped.contains(&(*at as u32)));
        if keys.is_empty() || txn.locked_count > LOCKED_ROWS_MAX {
            return;
        }
        txn.locked_count += keys.len();
        if txn.locked_count > LOCKED_ROWS_MAX {
            txn.locked_rows.clear();
            return;
        }
        let seen = |at: usize| rows[at].as_ref().map_or(Version::ZERO, |found| found.version);
        txn.locked_rows.entry(shard).or_default().extend(keys.into_iter().map(|(at, key)| (key, seen(at))));
    }

    fn remember_range(&mut self, shard: ShardId, range: KeyRange) -> Result<()> {
        let txn = self.txn();
        let ranges = &mut txn.reads.entry(shard).or_default().ranges;
        // A further chunk of a range that is remembered already.
        if !ranges.iter().rev().take(16).any(|r| r.start <= range.start && r.end == range.end) {
            ranges.push(range);
            txn.reads_count += 1;
        }
        self.check_read_set()
    }

    fn check_read_set(&mut self) -> Result<()> {
        if self.txn().reads_count <= READ_SET_MAX {
            return Ok(());
        }
        let message = format!("a serializable transaction can read {READ_SET_MAX} keys and ranges");
        Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message))
    }

    pub(crate) fn lock_wait(&self) -> LockWait {
        LockWait::Wait(self.settings.parsed().lock_timeout)
    }

    /// Locks whole tables in the shards given.
    pub(crate) async fn lock_tables(&mut self, shards: &[ShardId], tables: Vec<StorageId>, exclusive: bool, wait: LockWait) -> Exec<()> {
        let tables: Vec<_> = tables.into_iter().filter(|table| !self.txn().exclusive.contains(table)).collect();
        if tables.is_empty() {
            return Ok(());
        }
        // One shard after the other, in order, so that two schema changes cannot wait for each other.
        for shard in shards {
            loop {
                let context = self.context(*shard, &Sight::default());
                self.txn().locked.insert(*shard);
                let request = Request::LockTables { context, tables: tables.clone(), exclusive, wait };
                match self.backend.call(*shard, request).await {
                    Ok(Response::Done) => {
                        self.txn().held.insert(*shard);
                        break;
                    }
                    Ok(other) => return Err(unexpected("a table lock", &other)),
                    Err(error) => Box::pin(self.go_on(error)).await?,
                }
            }
        }
        if exclusive {
            self.txn().exclusive.extend(tables);
        }
        Ok(())
    }

    /// Makes the transaction durable; it is over whatever comes of it.
    ///
    /// # Errors
    /// Nothing of it was done, unless the error says that it is not known (`08007`).
    pub(crate) async fn commit_txn(&mut self) -> Result<()> {
        let Some(txn) = self.txn.as_ref() else { return Ok(()) };
        assert!(!txn.failed, "a failed transaction is rolled back");
        let changes = !txn.buffer.is_empty() || !txn.staged.is_empty() || txn.ddl.is_some() || txn.locked_count > 0;
        let result = if changes { Box::pin(self.commit_writes()).await } else { self.settle().await.map(|()| None) };
        match result {
            Ok(refresh) => {
                self.end_txn(true);
                if let Some(version) = refresh {
                    // The change is durable: a node that cannot read it now will when it is told to by a shard.
                    drop(self.backend.refresh_catalog(version).await);
                }
                Ok(())
            }
            Err(error) => {
                self.end_txn(false);
                Err(error)
            }
        }
    }

    async fn commit_writes(&mut self) -> Result<Option<base::SchemaVersion>> {
        Box::pin(self.all_parts_staged()).await.map_err(plain)?;
        let (schema_change, marks) = match self.finish_ddl()? {
            Some((version, marks)) => (Some(version), marks),
            None => (None, Vec::new()),
        };
        let parts = self.commit_parts(marks);
        // Where the transaction commits it is lost with what it saw there; elsewhere that must be certain first.
        self.txn().seen.retain(|shard, _| !parts.iter().any(|part| part.shard == *shard));
        self.settle().await?;
        let mut context = self.context(ShardId(0), &Sight::default());
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            match self.backend.commit(context.clone(), parts.clone()).await {
                Ok(_) => {
                    self.txn().locked.retain(|shard| !parts.iter().any(|part| part.shard == *shard));
                    return Ok(schema_change);
                }
                // Some other table changed: ours cannot have, we hold locks in it.
                Err(CallError::StaleSchema(version)) => {
                    self.backend.refresh_catalog(version).await?;
                    context.schema = version;
                }
                Err(CallError::Error(error)) => return Err(error),
            }
        }
        Err(Error::new(SqlState::SERIALIZATION_FAILURE, "could not commit because of many schema changes"))
    }

    fn commit_parts(&mut self, marks: Vec<(ShardId, Write)>) -> Vec<CommitPart> {
        let txn = self.txn();
        let mut writes = txn.buffer.take_by_shard();
        if !txn.staged.is_empty() {
            // What the exclusive lock of their table guards needs no version, and what stands on a staged row has none.
            for write in writes.values_mut().flatten().filter(|write| txn.staged.has(storage_of(&write.key))) {
                write.base = BASE_GUARDED;
            }
        }
        for (shard, mark) in marks {
            writes.entry(shard).or_default().push(mark);
        }
        let mut reads = std::mem::take(&mut txn.reads);
        let many = txn.locked_count > LOCKED_ROWS_MAX;
        for (shard, locked) in std::mem::take(&mut txn.locked_rows) {
            let locked = not_written(locked, writes.get(&shard));
            if !locked.is_empty() {
                reads.entry(shard).or_default().locked = locked;
            }
        }
        for shard in txn.locked.iter().filter(|_| many) {
            reads.entry(*shard).or_default().locked_more = true;
        }
        let mut shards: BTreeSet<ShardId> = writes.keys().copied().collect();
        shards.extend(txn.staged.shards());
        shards.extend(reads.keys());
        let part = |shard: ShardId| CommitPart {
            shard,
            writes: Arc::new(writes.remove(&shard).unwrap_or_default()),
            reads: reads.remove(&shard).unwrap_or_default(),
            parts: txn.staged.parts(shard),
            holds_locks: txn.held.contains(&shard),
            seen: txn.seen.get(&shard).copied(),
        };
        shards.into_iter().map(part).collect()
    }

    pub(crate) fn rollback_txn(&mut self) {
        self.end_txn(false);
    }

    fn end_txn(&mut self, committed: bool) {
        let Some(txn) = self.txn.take() else { return };
        let mut shards = txn.locked;
        if !committed {
            shards.extend(txn.staged.shards());
        }
        if !shards.is_empty() {
            self.backend.rollback(txn.id, shards.into_iter().collect());
        }
        self.release_snapshot();
        self.close_transaction_portals(committed);
        let told = match (committed, txn.settings) {
            (false, Some(saved)) => self.settings.restore(saved),
            _ => {
                let mut told = Vec::new();
                for (name, value) in txn.local.into_iter().rev() {
                    told.extend(self.settings.set(&name, value.as_deref()).unwrap_or_default());
                }
                told
            }
        };
        self.tell_parameters(told);
    }

    pub(crate) fn release_snapshot(&mut self) {
        let kept = self.txn.as_ref().is_some_and(|txn| txn.snapshot.is_some());
        if self.holds_snapshot && !kept && !self.has_open_readers() {
            self.backend.hold_snapshot(None);
            self.holds_snapshot = false;
        }
    }

    /// Before a setting is changed, so that a rollback can undo it.
    pub(crate) fn note_setting(&mut self, name: &str, local: bool) {
        let Some(txn) = &mut self.txn else { return };
        if txn.settings.is_none() {
            txn.settings = Some(self.settings.save());
        }
        if local {
            txn.local.push((name.to_owned(), self.settings.get(name).ok()));
        } else {
            txn.local.retain(|(changed, _)| changed != name);
        }
    }

    pub(crate) fn savepoint(&mut self, name: String) -> Result<()> {
        let settings = self.settings.save();
        let txn = self.txn();
        if txn.savepoints.len() >= SAVEPOINTS_MAX {
            let message = format!("a transaction can have {SAVEPOINTS_MAX} savepoints");
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        let savepoint =
            Savepoint { name, mark: txn.buffer.mark(), staged_parts: txn.staged.parts_in_all(), settings, ddl: txn.ddl.clone() };
        txn.savepoints.push(savepoint);
        Ok(())
    }

    fn find_savepoint(&mut self, name: &str) -> Result<usize> {
        let found = self.txn().savepoints.iter().rposition(|savepoint| savepoint.name == name);
        found.ok_or_else(|| Error::new(SqlState::INVALID_SAVEPOINT, format!("savepoint \"{name}\" does not exist")))
    }

    pub(crate) fn release_savepoint(&mut self, name: &str) -> Result<()> {
        let at = self.find_savepoint(name)?;
        self.txn().savepoints.truncate(at);
        Ok(())
    }

    /// Locks taken since are kept until the end: they are only ever too many.
    pub(crate) fn rollback_to(&mut self, name: &str) -> Result<()> {
        let at = self.find_savepoint(name)?;
        let committed = self.backend.catalog();
        let txn = self.txn();
        if txn.staged.parts_in_all() != txn.savepoints[at].staged_parts {
            return Err(Error::unsupported("ROLLBACK TO SAVEPOINT over more writes than fit into memory"));
        }
        txn.savepoints.truncate(at + 1);
        let savepoint = &txn.savepoints[at];
        let (mark, saved, ddl) = (savepoint.mark, savepoint.settings.clone(), savepoint.ddl.clone());
        txn.buffer.undo_to(mark);
        // The lock on the catalog is kept, so its counters go on.
        txn.ddl = match (ddl, txn.ddl.take()) {
            (Some(old), Some(now)) => Some(Ddl { counters: now.counters, ..old }),
            (None, Some(now)) => Some(Ddl { catalog: committed, dropped: Vec::new(), created: BTreeSet::new(), ..now }),
            (_, None) => None,
        };
        txn.failed = false;
        let told = self.settings.restore(saved);
        self.tell_parameters(told);
        Ok(())
    }
}

/// Where no plan can be stale.
fn plain(error: CallError) -> Error {
    match error {
        CallError::Error(error) => error,
        CallError::StaleSchema(_) => Error::internal("a shard refuses the schema of a request that has none"),
    }
}

pub(crate) fn unexpected(what: &str, response: &Response) -> CallError {
    let kind = match response {
        Response::Refused(storage::access::Refusal::Error(error)) => return CallError::Error(error.clone()),
        Response::Refused(storage::access::Refusal::StaleSchema(version)) => return CallError::StaleSchema(*version),
        Response::Refused(refusal) => format!("{refusal:?}"),
        Response::Rows { rows, .. } => format!("{} rows", rows.len()),
        _ => "another kind of answer".to_owned(),
    };
    CallError::Error(Error::internal(format!("a shard answered {what} with {kind}")))
}

pub(crate) fn failed_transaction() -> Error {
    Error::new(SqlState::IN_FAILED_SQL_TRANSACTION, "current transaction is aborted, commands ignored until end of transaction block")
}

/// What was only locked. The versions under the first lock count: nobody else could change the row since.
fn not_written(mut locked: Vec<(Key, Version)>, writes: Option<&Vec<Write>>) -> Vec<(Key, Version)> {
    locked.sort();
    locked.dedup_by(|later, kept| later.0 == kept.0);
    let mut written: Vec<&Key> = writes.into_iter().flatten().map(|write| &write.key).collect();
    written.sort();
    let mut written = written.into_iter().peekable();
    locked.retain(|(key, _)| {
        while written.next_if(|other| *other < key).is_some() {}
        written.peek() != Some(&key)
    });
    locked
}
