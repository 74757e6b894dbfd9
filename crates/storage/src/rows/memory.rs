//! The row store in memory: the twin of the one on disk, for simulators and tests.
//!
//! Deterministic: the same calls give the same answers. Each key keeps the versions that a snapshot, or a crash, may still
//! need, so a snapshot costs nothing and [`MemoryRows::crash`] can forget a suffix of the batches that were not synced.
//! Never here: files, threads of its own, randomness.

use super::{Batch, Change, KeyBound, RowSnapshot, RowStore, RowStores, Source, Space, Visit, is_empty_range};
use base::{Error, Result, ShardId, SqlState};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Rows taken under the lock at once by a scan, at first and at most. The visitor runs without the lock.
const SCAN_CHUNK_FIRST: usize = 16;
const SCAN_CHUNK_MAX: usize = 1024;

/// The stores of one simulated node.
#[derive(Default)]
pub struct MemoryRows {
    node: Mutex<Node>,
}

#[derive(Default)]
struct Node {
    stores: BTreeMap<ShardId, Arc<MemoryStore>>,
    full: bool,
    crashed: bool,
    waits: Arc<AtomicBool>,
}

struct MemoryStore {
    state: Arc<Mutex<State>>,
    waits: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    spaces: [BTreeMap<Bytes, Vec<Version>>; Space::ALL.len()],
    /// Number of the newest batch; 0: none.
    newest: u64,
    /// All batches up to this one survive a crash.
    synced: u64,
    /// Open snapshots: the batch that each one ends with, and how many there are.
    snapshots: BTreeMap<u64, usize>,
    /// Keys that have something to forget once the batch is synced and no snapshot is older.
    superseded: VecDeque<(u64, Space, Bytes)>,
    bytes: u64,
    full: bool,
    crashed: bool,
}

/// Versions of a key are in the order of their batches.
struct Version {
    batch: u64,
    value: Option<Bytes>,
}

impl MemoryRows {
    pub fn new() -> MemoryRows {
        MemoryRows::default()
    }

    /// Ends this node's life and returns what its next life finds. `keep` is asked for each shard, in order, how many of its
    /// unsynced batches (given as a count) survive; they are the oldest ones. Every use of the old stores is refused from now on.
    pub fn crash(&self, mut keep: impl FnMut(ShardId, u64) -> u64) -> MemoryRows {
        let mut node = lock(&self.node);
        node.crashed = true;
        let mut next = Node { full: node.full, waits: node.waits.clone(), ..Node::default() };
        for (shard, store) in std::mem::take(&mut node.stores) {
            let mut state = lock(&store.state);
            let unsynced = state.newest - state.synced;
            let last = state.synced + keep(shard, unsynced).min(unsynced);
            let survived = state.cut_after(last);
            *state = State { crashed: true, ..State::default() };
            next.stores.insert(shard, Arc::new(MemoryStore { state: Arc::new(Mutex::new(survived)), waits: node.waits.clone() }));
        }
        MemoryRows { node: Mutex::new(next) }
    }

    /// While full, every write that adds something is refused with `53100`.
    pub fn set_full(&self, full: bool) {
        let mut node = lock(&self.node);
        node.full = full;
        for store in node.stores.values() {
            lock(&store.state).full = full;
        }
    }

    /// What the stores say of whether reads may wait. None ever does.
    pub fn set_waits(&self, waits: bool) {
        lock(&self.node).waits.store(waits, Ordering::Relaxed);
    }

    /// Batches of a shard that a crash could lose.
    pub fn unsynced(&self, shard: ShardId) -> u64 {
        let node = lock(&self.node);
        node.stores.get(&shard).map_or(0, |store| {
            let state = lock(&store.state);
            state.newest - state.synced
        })
    }

    /// The shards that have a store, in order.
    pub fn shards(&self) -> Vec<ShardId> {
        lock(&self.node).stores.keys().copied().collect()
    }
}

impl RowStores for MemoryRows {
    fn open(&self, shard: ShardId) -> Result<Arc<dyn RowStore>> {
        let mut node = lock(&self.node);
        if node.crashed {
            return Err(crashed());
        }
        let (full, waits) = (node.full, node.waits.clone());
        let store = node.stores.entry(shard).or_insert_with(|| {
            let state = State { full, ..State::default() };
            Arc::new(MemoryStore { state: Arc::new(Mutex::new(state)), waits })
        });
        Ok(store.clone())
    }

    fn destroy(&self, shard: ShardId) -> Result<()> {
        let mut node = lock(&self.node);
        if node.crashed {
            return Err(crashed());
        }
        match node.stores.remove(&shard) {
            Some(store) => lock(&store.state).clear(),
            None => Ok(()),
        }
    }
}

impl RowStore for MemoryStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        let state = lock(&self.state);
        state.check()?;
        Ok(state.get(space, key, state.newest))
    }

    fn scan(&self, space: Space, start: KeyBound, end: KeyBound, reverse: bool, visit: &mut Visit) -> Result<()> {
        MemorySnapshot::new(&self.state)?.scan(space, start, end, reverse, visit)
    }

    fn write(&self, batch: Batch) -> Result<()> {
        lock(&self.state).write(batch)
    }

    fn write_later(&self, batch: Batch) -> Result<()> {
        self.write(batch)
    }

    fn sync(&self) -> Result<()> {
        let mut state = lock(&self.state);
        state.check()?;
        state.synced = state.newest;
        state.prune();
        Ok(())
    }

    fn ingest(&self, source: &mut Source) -> Result<()> {
        let mut changes: Vec<Change> = Vec::new();
        while let Some(change) = source()? {
            let follows = |last: &Change| (last.0.number(), &last.1) < (change.0.number(), &change.1);
            assert!(changes.last().is_none_or(follows), "changes come in the order of their keys");
            changes.push(change);
        }
        self.write(Batch { changes })?;
        self.sync()
    }

    /// Nothing is dropped here: all is left to the caller.
    fn give_up_history(&self, _upto: u64) {}

    fn discard(&self, _space: Space, _start: &[u8], _end: &[u8]) -> Result<()> {
        lock(&self.state).check()
    }

    fn is_behind(&self) -> bool {
        false
    }

    fn is_unmerged(&self) -> bool {
        false
    }

    fn may_wait(&self, _space: Space) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    fn clear(&self) -> Result<()> {
        lock(&self.state).clear()
    }

    fn snapshot(&self) -> Result<Box<dyn RowSnapshot>> {
        Ok(Box::new(MemorySnapshot::new(&self.state)?))
    }

    fn size(&self) -> u64 {
        lock(&self.state).bytes
    }
}

impl State {
    fn check(&self) -> Result<()> {
        if self.crashed { Err(crashed()) } else { Ok(()) }
    }

    fn get(&self, space: Space, key: &[u8], batch: u64) -> Option<Bytes> {
        let versions = self.spaces[space.number()].get(key)?;
        seen(versions, batch).cloned()
    }

    fn write(&mut self, batch: Batch) -> Result<()> {
        self.check()?;
        if self.full && batch.changes.iter().any(|(_, _, value)| value.is_some()) {
            return Err(Error::new(SqlState::DISK_FULL, "the row store's disk is full"));
        }
        self.newest += 1;
        for (space, key, value) in batch.changes {
            self.change(space, key, value);
        }
        self.prune();
        Ok(())
    }

    fn change(&mut self, space: Space, key: Bytes, value: Option<Bytes>) {
        let batch = self.newest;
        let map = &mut self.spaces[space.number()];
        let Some(versions) = map.get_mut(&key) else {
            let Some(value) = value else { return };
            self.bytes += (key.len() + value.len()) as u64;
            map.insert(key, vec![Version { batch, value: Some(value) }]);
            return;
        };
        let length = |value: &Option<Bytes>| value.as_ref().map_or(0, |value| (key.len() + value.len()) as u64);
        let last = versions.last_mut().expect("a key without versions is removed");
        self.bytes = self.bytes - length(&last.value) + length(&value);
        if last.batch == batch {
            last.value = value;
        } else {
            versions.push(Version { batch, value });
        }
        self.superseded.push_back((batch, space, key));
    }

    /// Forgets what neither a snapshot nor a crash can ask for any more.
    fn prune(&mut self) {
        let oldest_snapshot = self.snapshots.keys().next().copied().unwrap_or(u64::MAX);
        let floor = self.synced.min(oldest_snapshot);
        while let Some((_, space, key)) = self.superseded.pop_front_if(|(batch, ..)| *batch <= floor) {
            let map = &mut self.spaces[space.number()];
            let Some(versions) = map.get_mut(&key) else { continue };
            let first = versions.iter().rposition(|version| version.batch <= floor).unwrap_or(0);
            versions.drain(..first);
            if let [Version { batch, value: None }] = versions[..]
                && batch <= floor
            {
                map.remove(&key);
            }
        }
    }

    fn clear(&mut self) -> Result<()> {
        self.check()?;
        if self.snapshots.is_empty() {
            let (newest, full) = (self.newest + 1, self.full);
            *self = State { newest, synced: newest, full, ..State::default() };
            return Ok(());
        }
        self.newest += 1;
        for space in Space::ALL {
            let keys: Vec<Bytes> = self.spaces[space.number()].keys().cloned().collect();
            for key in keys {
                self.change(space, key, None);
            }
        }
        self.synced = self.newest;
        self.prune();
        Ok(())
    }

    /// The state as it was after batch `last`, all of it durable.
    fn cut_after(&mut self, last: u64) -> State {
        let mut cut = State { newest: last, synced: last, full: self.full, ..State::default() };
        for space in Space::ALL {
            let map = &mut cut.spaces[space.number()];
            for (key, versions) in std::mem::take(&mut self.spaces[space.number()]) {
                let Some(value) = seen(&versions, last).cloned() else { continue };
                cut.bytes += (key.len() + value.len()) as u64;
                map.insert(key, vec![Version { batch: last, value: Some(value) }]);
            }
        }
        cut
    }

    /// The next rows of a range as of `batch`, at most `limit`, and whether the range goes on.
    fn chunk(&self, space: Space, range: (KeyBound, KeyBound), reverse: bool, batch: u64, limit: usize) -> (Vec<(Bytes, Bytes)>, bool) {
        let rows = self.spaces[space.number()]
            .range::<[u8], _>(range)
            .filter_map(|(key, versions)| seen(versions, batch).map(|value| (key.clone(), value.clone())));
        let mut chunk = Vec::with_capacity(limit.min(SCAN_CHUNK_FIRST));
        take(&mut chunk, rows, reverse, limit);
        let more = chunk.len() == limit;
        (chunk, more)
    }
}

fn take<T>(into: &mut Vec<T>, rows: impl DoubleEndedIterator<Item = T>, reverse: bool, limit: usize) {
    if reverse { into.extend(rows.rev().take(limit)) } else { into.extend(rows.take(limit)) }
}

/// The value that a reader of everything up to `batch` sees.
fn seen(versions: &[Version], batch: u64) -> Option<&Bytes> {
    let version = versions.iter().rev().find(|version| version.batch <= batch)?;
    version.value.as_ref()
}

struct MemorySnapshot {
    state: Arc<Mutex<State>>,
    batch: u64,
}

impl MemorySnapshot {
    fn new(state: &Arc<Mutex<State>>) -> Result<MemorySnapshot> {
        let mut guard = lock(state);
        guard.check()?;
        let batch = guard.newest;
        *guard.snapshots.entry(batch).or_insert(0) += 1;
        Ok(MemorySnapshot { state: state.clone(), batch })
    }
}

impl Drop for MemorySnapshot {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        // Absent if the node crashed meanwhile.
        if let Some(count) = state.snapshots.get_mut(&self.batch) {
            *count -= 1;
            if *count == 0 {
                state.snapshots.remove(&self.batch);
                state.prune();
            }
        }
    }
}

impl RowSnapshot for MemorySnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        let state = lock(&self.state);
        state.check()?;
        Ok(state.get(space, key, self.batch))
    }

    fn scan(&self, space: Space, start: KeyBound, end: KeyBound, reverse: bool, visit: &mut Visit) -> Result<()> {
        let mut resume: Option<Bytes> = None;
        let mut limit = SCAN_CHUNK_FIRST;
        loop {
            let range = match (&resume, reverse) {
                (None, _) => (start, end),
                (Some(key), false) => (Bound::Excluded(&key[..]), end),
                (Some(key), true) => (start, Bound::Excluded(&key[..])),
            };
            if is_empty_range(range) {
                return Ok(());
            }
            let (rows, more) = {
                let state = lock(&self.state);
                state.check()?;
                state.chunk(space, range, reverse, self.batch, limit)
            };
            for (key, value) in &rows {
                if visit(key, value) == ControlFlow::Break(()) {
                    return Ok(());
                }
            }
            if !more {
                return Ok(());
            }
            resume = rows.last().map(|(key, _)| key.clone());
            limit = (limit * 2).min(SCAN_CHUNK_MAX);
        }
    }
}

fn crashed() -> Error {
    Error::internal("this store belongs to an earlier life of its node")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no code panics while it holds this lock")
}
