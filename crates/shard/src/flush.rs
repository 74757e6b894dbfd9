//! Moving row versions from memory to the store, and keeping the store tidy. All of it in jobs, one at a time.
//!
//! A flush: the active table is frozen, waits until all its entries are committed, and a job writes it. The newest version of each row goes to
//! `Current`, superseded ones to `History` while a snapshot may need them, the bookkeeping last; then everything is synced and the
//! log may be truncated. A crash in between leaves rows that are newer than the bookkeeping says; the log writes them again. A large table goes into files of its
//! own instead of through the store's journal and memory, all of it and the bookkeeping at once.

mod rows;

use self::rows::Flush;
use crate::event::{Job, JobDone, JobResult, ShardEffect};
use crate::keys;
use crate::memlog::Sendable;
use crate::meta::{self, Standing};
use crate::moving::move_layer;
use crate::read::bound_end;
use crate::shard::{Shard, disk_full, due};
use crate::state::Frozen;
use base::{Mono, Result, SqlState, StorageId, TxnId, Version};
use bytes::Bytes;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::time::Duration;
use storage::access::Refusal;
use storage::rows::{Batch, RowStore, Space};

/// So many times as much as is flushed at once may wait in memory while a flush is under way.
const ACTIVE_LAG_FACTOR: usize = 2;
/// The same while no flush can begin: then nothing else is on its way to the disk, and a load that is moved takes longer.
const ACTIVE_HELD_FACTOR: usize = 4;
/// Versions stay in memory at most this long before they are flushed.
const FLUSH_AGE: Duration = Duration::from_secs(60);
/// Bytes of one batch written to the store.
pub(crate) const BATCH_BYTES: usize = 1024 * 1024;
/// From this share of what is flushed for its size on, a table goes into files of its own. Smaller ones would make too many.
const INGESTED_SHARE: usize = 8;
/// Keys that one job of cleaning up looks at. No flush begins while it runs.
const CLEAN_KEYS_MAX: usize = 8 * 1024;
/// Flushed keys moved into the cache with each tick, at least.
const DRAIN_KEYS: usize = 1024;
/// Bytes of flushed rows that leave for each byte that came in: before they have left, no flush begins, and what comes in would grow without a bound.
const DRAIN_PACE: usize = 2;
/// Between two looks through the history for what no snapshot needs.
const COLLECT_EVERY: Duration = Duration::from_secs(10);
/// A layer is not moved sooner than this after it could be: rows that are loaded and then get a key, or are dropped, are never moved.
const LAYER_REST: Duration = Duration::from_secs(5);
/// With more layers than this the oldest one is moved at once.
const LAYERS_RESTING_MAX: usize = 4;
/// After the disk was full.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Entries after which a replica without rows notes where it stands.
const NOTE_ENTRIES: u64 = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Task {
    Flush { upto: u64, term: u64 },
    Move(TxnId),
    Unstage(TxnId),
    Drop(StorageId),
    Collect,
    Note { index: u64 },
}

pub(crate) struct Flushing {
    pub flushed_index: u64,
    since: Mono,
    running: Option<(u64, Task)>,
    pub next_job: u64,
    retry_at: Mono,
    /// Bytes of the active table at the last tick.
    active_seen: usize,
    /// The store's disk was full when it was last written to.
    pub starved: bool,
    /// Since when the oldest layer could be moved.
    movable: Option<(TxnId, Mono)>,
    collected: Mono,
    collect_from: Bytes,
    /// Where a removal of many rows goes on: from its start it would walk over the marks of all it has removed.
    removing: Option<(Task, Place)>,
}

impl Flushing {
    pub fn new(now: Mono, flushed_index: u64) -> Flushing {
        Flushing {
            flushed_index,
            since: now,
            running: None,
            next_job: 1,
            retry_at: Mono(0),
            active_seen: 0,
            starved: false,
            movable: None,
            collected: now,
            collect_from: Bytes::new(),
            removing: None,
        }
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }
}

/// A key of the store.
type Place = (Space, Bytes);

/// What a job of cleaning up found out: `None` if it came to its end, else where to go on.
type Cleaned = Option<Place>;

impl Shard {
    pub(crate) fn spawn(&mut self, name: &'static str, run: impl FnOnce() -> JobResult + Send + 'static) -> u64 {
        let id = self.next_job();
        self.effects.push(ShardEffect::Job(Job { id, name, urgent: false, run: Box::new(run) }));
        id
    }

    pub(crate) fn next_job(&mut self) -> u64 {
        let id = self.flushing.next_job;
        self.flushing.next_job += 1;
        id
    }

    fn start(&mut self, name: &'static str, task: Task, run: impl FnOnce() -> Result<Cleaned> + Send + 'static) {
        assert!(self.flushing.running.is_none(), "jobs on the rows run one at a time");
        let id = self.spawn(name, move || Ok(Box::new(run()?)));
        self.flushing.running = Some((id, task));
    }

    /// What nobody may need any more can go. A flush or a removal that runs goes by an earlier horizon, which is lower.
    pub(crate) fn raise_horizon(&mut self, horizon: Version) {
        self.state.horizon = self.state.horizon.max(horizon);
        self.state.store.give_up_history(self.state.horizon.0);
    }

    pub(crate) fn tick_flush(&mut self) {
        self.drain();
        if self.flushing.running.is_some() || self.now.mono < self.flushing.retry_at || self.filling() {
            return;
        }
        if !self.rows {
            self.note_standing();
            return;
        }
        if self.state.frozen.is_none() && self.flush_wanted() {
            self.freeze();
        }
        if self.state.frozen.is_some() {
            self.start_flush();
        } else if !self.state.store.is_unmerged() {
            self.tidy();
        }
    }

    fn flush_wanted(&self) -> bool {
        let behind = self.state.applied > self.flushing.flushed_index;
        let full = self.state.active.bytes() >= self.config.active_bytes_max || self.consensus.log().bytes() >= self.config.log_bytes_max;
        // Staged rows are moved over older versions only once those are in the store.
        let layered = self.state.layers.first().is_some_and(|layer| layer.index > self.flushing.flushed_index);
        let wanted = full || layered || self.newcomer() || due(self.now.mono, self.flushing.since, FLUSH_AGE);
        behind && self.state.draining.is_empty() && wanted
    }

    /// More is written than goes to the disk, whatever keeps the next flush from beginning: what is new must wait, or memory would grow without a bound. Nothing
    /// waits for space on a full disk.
    pub(crate) fn makes_wait(&self) -> Result<(), Refusal> {
        let factor = if self.state.frozen.is_some() { ACTIVE_LAG_FACTOR } else { ACTIVE_HELD_FACTOR };
        let lags = self.rows && self.state.active.bytes() >= factor * self.config.active_bytes_max;
        match lags {
            true if self.flushing.starved => Err(disk_full()),
            true => Err(Refusal::Busy),
            false => Ok(()),
        }
    }

    /// A member that the rows in the store do not know yet could not be given them.
    fn newcomer(&self) -> bool {
        let known = |sendable: &Sendable| sendable.members.all().is_superset(&self.consensus.members().all());
        self.serving && self.consensus.log().sendable.as_ref().is_some_and(|sendable| !known(sendable))
    }

    /// Flushes soon, whatever the size: for tests and orderly stops.
    pub fn flush_now(&mut self) {
        let behind = self.state.applied > self.flushing.flushed_index;
        if behind && self.rows && self.state.frozen.is_none() && self.state.draining.is_empty() {
            self.freeze();
        }
    }

    fn freeze(&mut self) {
        let newest = self.state.flushed.max(self.state.versions().0);
        let meta = meta::write_state(&self.state, newest);
        let table = Arc::new(std::mem::take(&mut self.state.active));
        self.state.frozen = Some(Frozen { table, upto: self.state.applied, started: false, meta, newest, evidence: None });
        self.flushing.since = self.now.mono;
    }

    /// Proposals were taken back: what was frozen among them is as new as what stayed.
    pub(crate) fn flushing_undone(&mut self) {
        let applied = self.state.applied;
        if self.state.frozen.as_ref().is_some_and(|frozen| frozen.upto > applied) {
            let newest = self.state.flushed.max(self.state.versions().0);
            let meta = meta::write_state(&self.state, newest);
            let frozen = self.state.frozen.as_mut().expect("it was just seen");
            assert!(!frozen.started, "a flush holds only what is committed");
            (frozen.upto, frozen.meta, frozen.newest) = (applied, meta, newest);
        }
    }

    fn start_flush(&mut self) {
        let settled = self.consensus.committed().min(self.consensus.persisted());
        let frozen = self.state.frozen.as_mut().expect("the caller saw it");
        let upto = frozen.upto;
        // Membership changes up to there must have been applied, too.
        if upto > settled || self.memberships.is_empty() || !self.consensus.is_applied(upto) {
            return;
        }
        let Some(term) = self.consensus.term_at(upto) else { return };
        let (at, _) = self.memberships.iter().enumerate().rfind(|(_, (index, _))| *index <= upto).expect("the flushed one is kept");
        self.memberships.drain(..at);
        let members = self.memberships[0].1.clone();
        if !frozen.started {
            // The ledger's evidence gets there soon.
            let Ok(evidence) = self.state.ledger.capture(upto) else { return };
            frozen.evidence = evidence;
        }
        frozen.started = true;
        self.state.flushed = self.state.flushed.max(frozen.newest);
        self.state.layout += 1;
        self.state.store_has_rows = true;
        let (table, store, horizon) = (frozen.table.clone(), self.state.store.clone(), self.state.horizon);
        let keep_deletions = !self.state.layers.is_empty();
        let standing = Standing { index: upto, term, rows: true, members };
        let evidence = frozen.evidence.clone();
        let last = standing.batch(&frozen.meta, evidence.as_deref());
        let large = table.bytes() >= self.config.active_bytes_max / INGESTED_SHARE || store.is_unmerged();
        self.start("flush", Task::Flush { upto, term }, move || {
            let rows = Flush { store: &*store, table: &table, horizon, keep_deletions };
            if large {
                rows.ingest(evidence.as_deref(), last)?;
            } else {
                rows.write()?;
                if let Some(evidence) = &evidence {
                    evidence.write(&*store)?;
                }
                store.write(last)?;
                store.sync()?;
            }
            Ok(None)
        });
    }

    pub(crate) fn job_done(&mut self, done: JobDone) {
        let Some(done) = self.fetch_job_done(done) else { return };
        let Some(done) = self.evidence_job_done(done) else { return };
        let Some(done) = self.proof_job_done(done) else { return };
        let Some(done) = self.tree_job_done(done) else { return };
        match self.flushing.running.take() {
            Some((id, task)) if id == done.id => match done.result {
                Ok(result) => {
                    self.flushing.starved = false;
                    let cleaned = *result.downcast::<Cleaned>().expect("the job was started with this result");
                    self.task_done(task, cleaned);
                }
                Err(e) if e.state() == SqlState::DISK_FULL => {
                    self.flushing.starved = true;
                    self.task_postponed(&task);
                }
                // Others have the rows: they come anew.
                Err(e) if e.state() == SqlState::DATA_CORRUPTED && self.consensus.members().all().len() > 1 => {
                    self.rows_unreadable(&e.to_string());
                    self.task_postponed(&task);
                }
                Err(e) => panic!("the row store failed: {e}"),
            },
            running => {
                self.flushing.running = running;
                self.transfer_job_done(done);
            }
        }
    }

    fn task_postponed(&mut self, task: &Task) {
        self.flushing.retry_at = self.now.mono.after(RETRY_AFTER);
        if let Task::Flush { .. } = task {
            // Written again from the start: each of its batches may be repeated. It stays frozen for good.
            assert!(self.state.frozen.is_some(), "the table stays until it is flushed");
        }
    }

    fn task_done(&mut self, task: Task, cleaned: Cleaned) {
        match task {
            Task::Flush { upto, term } => self.flushed(upto, term),
            Task::Move(txn) => {
                for layer in self.state.layers.extract_if(.., |layer| layer.txn == txn) {
                    // Rows read while they were moved may have been cached as they were before.
                    layer.storages.keys().for_each(|storage| self.state.cache.forget(*storage));
                }
                // Its commit was flushed.
                self.state.garbage.push((txn, 0));
                self.state.layout += 1;
            }
            Task::Unstage(txn) if cleaned.is_none() => self.state.garbage.retain(|(other, _)| *other != txn),
            Task::Drop(storage) if cleaned.is_none() => {
                self.state.dropped.retain(|(other, _)| *other != storage);
                self.state.cache.forget(storage);
            }
            Task::Unstage(_) | Task::Drop(_) => self.flushing.removing = cleaned.map(|place| (task, place)),
            Task::Collect => {
                self.flushing.collected = self.now.mono;
                self.flushing.collect_from = cleaned.map(|(_, key)| key).unwrap_or_default();
            }
            Task::Note { index } => {
                self.flushing.flushed_index = index;
                self.truncate_log(index);
            }
        }
    }

    fn flushed(&mut self, upto: u64, term: u64) {
        let frozen = self.state.frozen.take().expect("a flushed table was frozen");
        assert_eq!(frozen.upto, upto, "one flush at a time");
        self.state.layout += 1;
        self.state.draining = Arc::try_unwrap(frozen.table).expect("the job has ended and gave up the table");
        self.flushing.flushed_index = upto;
        let members = self.memberships[0].1.clone();
        self.consensus.log_mut().sendable = Some(Sendable { index: upto, term, members });
        self.truncate_log(upto);
    }

    /// The log before this entry is needed only by replicas that are behind.
    fn truncate_log(&mut self, index: u64) {
        let needless = if self.consensus.is_leader() { self.consensus.matched_by_active() } else { self.consensus.heard.needless };
        let keep = self.consensus.log().bytes() <= self.config.log_bytes_max / 2;
        let index = if keep || !self.rows { index.min(needless) } else { index };
        self.consensus.truncate(index);
    }

    /// Flushed rows go over to the cache, a few at a time, and faster than new ones come.
    fn drain(&mut self) {
        let active = self.state.active.bytes();
        let came = active.saturating_sub(std::mem::replace(&mut self.flushing.active_seen, active));
        let stay = self.state.draining.bytes().saturating_sub(came.saturating_mul(DRAIN_PACE));
        for keys in 0.. {
            if keys >= DRAIN_KEYS && self.state.draining.bytes() <= stay {
                return;
            }
            let Some((key, chain)) = self.state.draining.pop_first() else { return };
            // A cache that is nearly full is for rows that were asked for, or written again and again: most others never are.
            let wanted = chain.len() > 1 || self.state.cache.has_room();
            if !wanted || self.state.is_layered(&key) {
                continue;
            }
            let newer = self.state.active.get(&key).is_some() || self.state.frozen.as_ref().is_some_and(|f| f.table.get(&key).is_some());
            if newer {
                continue;
            }
            let newest = chain.last().expect("a chain has a version");
            if let Some(row) = &newest.row {
                self.state.cache.insert(&key, newest.version, row);
            }
        }
    }

    /// A replica without rows notes its membership, so that its log can be truncated.
    fn note_standing(&mut self) {
        let members = self.consensus.members().clone();
        let index = self.consensus.raft_applied();
        if !members.witnesses.contains(&self.config.node) || index < self.flushing.flushed_index + NOTE_ENTRIES {
            return;
        }
        let Some(term) = self.consensus.term_at(index) else { return };
        let standing = Standing { index, term, rows: false, members };
        let store = self.state.store.clone();
        self.start("note", Task::Note { index }, move || {
            store.write(standing.batch(&[], None))?;
            store.sync()?;
            Ok(None)
        });
    }

    fn tidy(&mut self) {
        let store = self.state.store.clone();
        let horizon = self.state.horizon;
        if let Some(mut layer) = self.state.layers.first().cloned()
            && layer.index <= self.flushing.flushed_index
            && self.state.draining.is_empty()
            && self.has_rested(layer.txn)
        {
            self.state.flushed = self.state.flushed.max(layer.version);
            let (txn, committed) = (layer.txn, self.consensus.committed());
            // Nobody will read what is in a storage that was given up.
            let given_up =
                |storage: &StorageId| self.state.dropped.iter().any(|(dropped, index)| dropped == storage && *index <= committed);
            layer.storages.retain(|storage, _| !given_up(storage));
            self.start("move staged rows", Task::Move(txn), move || {
                move_layer(&*store, &layer, horizon)?;
                store.sync()?;
                Ok(None)
            });
        } else if let Some(txn) = self.settled_garbage() {
            let from = self.goes_on(&Task::Unstage(txn));
            self.start("drop staged rows", Task::Unstage(txn), move || drop_staged(&*store, txn, from));
        } else if let Some(storage) = self.settled_drop() {
            let from = self.goes_on(&Task::Drop(storage));
            self.start("drop rows", Task::Drop(storage), move || drop_rows(&*store, storage, from));
        } else if due(self.now.mono, self.flushing.collected, COLLECT_EVERY) && self.state.layers.is_empty() {
            let from = self.flushing.collect_from.clone();
            self.start("collect history", Task::Collect, move || collect(&*store, &from, horizon));
        }
    }

    fn has_rested(&mut self, txn: TxnId) -> bool {
        let now = self.now.mono;
        let (_, since) = *self.flushing.movable.insert(self.flushing.movable.filter(|(of, _)| *of == txn).unwrap_or((txn, now)));
        self.state.layers.len() > LAYERS_RESTING_MAX || due(now, since, LAYER_REST)
    }

    /// A transaction whose staged rows are not needed, whatever becomes of proposals.
    fn settled_garbage(&self) -> Option<TxnId> {
        let committed = self.consensus.committed();
        self.state.garbage.iter().find(|(_, index)| *index <= committed).map(|(txn, _)| *txn)
    }

    /// A storage that was given up, whatever becomes of proposals, and whose rows are all in the store.
    fn settled_drop(&self) -> Option<StorageId> {
        let committed = self.consensus.committed();
        let (storage, index) = self.state.dropped.first().copied()?;
        (index <= committed && !self.in_memory(storage)).then_some(storage)
    }

    /// Where the last job of this removal stopped.
    fn goes_on(&mut self, task: &Task) -> Option<Place> {
        self.flushing.removing.take().filter(|(stopped, _)| stopped == task).map(|(_, place)| place)
    }

    /// Rows of this storage may still come to the store.
    fn in_memory(&self, storage: StorageId) -> bool {
        if self.state.layers.iter().any(|layer| layer.storages.contains_key(&storage)) {
            return true;
        }
        let start = storage.0.to_be_bytes();
        let end = keys::after_prefix(&start);
        self.state.active.range(Bound::Included(&start), bound_end(&end)).next().is_some()
    }
}

/// Changes on their way to the store, written whenever they are enough.
pub(crate) struct Batching<'a> {
    pub store: &'a dyn RowStore,
    batch: Batch,
    bytes: usize,
}

impl<'a> Batching<'a> {
    pub fn new(store: &'a dyn RowStore) -> Batching<'a> {
        Batching { store, batch: Batch::default(), bytes: 0 }
    }

    pub fn push(&mut self, space: Space, key: Bytes, value: Option<Bytes>) {
        self.bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
        self.batch.changes.push((space, key, value));
    }

    /// Between rows only: the changes of one row belong together.
    pub fn write_if_full(&mut self) -> Result<()> {
        if self.bytes >= BATCH_BYTES { self.write() } else { Ok(()) }
    }

    pub fn write(&mut self) -> Result<()> {
        self.bytes = 0;
        if self.batch.changes.is_empty() {
            return Ok(());
        }
        self.store.write(std::mem::take(&mut self.batch))
    }
}

/// Says of a key and value that they can go.
type Needless<'a> = dyn Fn(&[u8], &[u8]) -> Result<bool> + 'a;

/// Removes what the predicate says from a range, up to a number of keys; answers where to go on.
fn remove(store: &dyn RowStore, space: Space, start: &[u8], end: &[u8], needless: &Needless) -> Result<Cleaned> {
    let mut out = Batching::new(store);
    let (mut seen, mut next, mut failed) = (0, None, None);
    let mut doomed = Vec::new();
    store.scan(space, Bound::Included(start), bound_end(end), false, &mut |key, value| {
        if seen >= CLEAN_KEYS_MAX {
            next = Some((space, Bytes::copy_from_slice(key)));
            return ControlFlow::Break(());
        }
        seen += 1;
        match needless(key, value) {
            Ok(true) => doomed.push(Bytes::copy_from_slice(key)),
            Ok(false) => {}
            Err(e) => {
                failed = Some(e);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    if let Some(e) = failed {
        return Err(e);
    }
    for key in doomed {
        out.push(space, key, None);
        out.write_if_full()?;
    }
    out.write()?;
    Ok(next)
}

/// Removes what stands in some ranges, one after the other; `from`: where an earlier job stopped.
fn remove_ranges(store: &dyn RowStore, ranges: &[(Space, Vec<u8>, Vec<u8>)], from: Option<Place>) -> Result<Cleaned> {
    if from.is_none() {
        for (space, start, end) in ranges {
            store.discard(*space, start, end)?;
        }
    }
    let reached = |(space, key): &Place| ranges.iter().position(|(of, start, _)| of == space && key[..] >= start[..]);
    let first = from.as_ref().and_then(reached).unwrap_or(0);
    for (at, (space, start, end)) in ranges.iter().enumerate().skip(first) {
        let start = from.as_ref().filter(|_| at == first).map_or(&start[..], |(_, key)| &key[..]);
        let left = remove(store, *space, start, end, &|_, _| Ok(true))?;
        if left.is_some() {
            return Ok(left);
        }
    }
    Ok(None)
}

fn drop_staged(store: &dyn RowStore, txn: TxnId, from: Option<Place>) -> Result<Cleaned> {
    let start = keys::staged_prefix(txn);
    let end = keys::after_prefix(&start);
    remove_ranges(store, &[(Space::Packed, start.clone(), end.clone()), (Space::Staged, start, end)], from)
}

fn drop_rows(store: &dyn RowStore, storage: StorageId, from: Option<Place>) -> Result<Cleaned> {
    let start = storage.0.to_be_bytes();
    let end = keys::after_prefix(&start);
    let history = (Space::History, keys::history_bound(&start), keys::history_bound(&end));
    remove_ranges(store, &[(Space::Current, start.to_vec(), end), history], from)
}

/// Removes historic versions that no snapshot at or above the horizon sees.
fn collect(store: &dyn RowStore, from: &[u8], horizon: Version) -> Result<Cleaned> {
    remove(store, Space::History, from, &[], &|_, value| {
        let (until, _) = keys::read_history_value(value)?;
        Ok(until <= horizon)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::ShardId;
    use storage::rows::{MemoryRows, RowStores};

    pub(super) fn store() -> Arc<dyn RowStore> {
        MemoryRows::new().open(ShardId(1)).unwrap()
    }

    pub(super) fn key(storage: u32, row: u32) -> Bytes {
        Bytes::from([storage.to_be_bytes(), row.to_be_bytes()].concat())
    }

    fn write(store: &dyn RowStore, changes: Vec<(Space, Bytes, Option<Bytes>)>) {
        store.write(Batch { changes }).unwrap();
    }

    pub(super) fn keys_of(store: &dyn RowStore, space: Space) -> Vec<(Bytes, Bytes)> {
        let mut found = Vec::new();
        let mut take = |key: &[u8], value: &[u8]| {
            found.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
            ControlFlow::Continue(())
        };
        store.scan(space, Bound::Included(&[]), Bound::Unbounded, false, &mut take).unwrap();
        found
    }

    #[test]
    fn a_long_removal_goes_on_where_it_stopped() {
        let store = store();
        let rows = CLEAN_KEYS_MAX as u32 + 10;
        let current = (0..rows).map(|row| (Space::Current, key(7, row), Some(Bytes::from_static(b"12345678")))).collect();
        write(&*store, current);
        write(&*store, vec![(Space::Current, key(8, 0), Some(Bytes::from_static(b"12345678")))]);
        let history = keys::history_key(&key(7, 3), Version(5));
        write(&*store, vec![(Space::History, history, Some(keys::history_value(Version(6), None)))]);
        let stopped = drop_rows(&*store, StorageId(7), None).unwrap();
        assert_eq!(stopped, Some((Space::Current, key(7, CLEAN_KEYS_MAX as u32))));
        assert_eq!(drop_rows(&*store, StorageId(7), stopped).unwrap(), None);
        assert_eq!(keys_of(&*store, Space::Current).into_iter().map(|(key, _)| key).collect::<Vec<_>>(), [key(8, 0)]);
        assert!(keys_of(&*store, Space::History).is_empty());
    }
}
