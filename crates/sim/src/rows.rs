//! A node's row stores in memory, with what a crash does to batches that were not synced.

use base::{Error, Prng, Result, ShardId, SqlState};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use storage::rows::{Batch, KeyBound, RowSnapshot, RowStore, RowStores, Source, Space, Visit};

type Map = BTreeMap<Bytes, Bytes>;
type Undo = Vec<(Space, Bytes, Option<Bytes>)>;

const SPACES: usize = 6;
/// Of so many stretches of asking, in one the store says that reads may wait.
const WAITS_EVERY: u64 = 3;
const WAITS_STRETCH: u64 = 64;

fn position(space: Space) -> usize {
    match space {
        Space::Current => 0,
        Space::History => 1,
        Space::Staged => 2,
        Space::Meta => 3,
        Space::Packed => 4,
        Space::Evidence => 5,
    }
}

/// What all stores of a disk share.
#[derive(Debug)]
struct Condition {
    full: AtomicBool,
    /// Writes that still have an effect; negative: all of them. Lets a job be interrupted in its middle.
    fuse: AtomicI64,
}

#[derive(Debug, Default)]
struct State {
    /// Shared with snapshots; copied when it is changed while one is alive.
    spaces: [Arc<Map>; SPACES],
    /// How to take back each batch since the last sync, oldest first.
    unsynced: Vec<Undo>,
    /// Rough.
    bytes: u64,
}

pub struct SimStore {
    state: Mutex<State>,
    /// How often it was asked whether reads may wait.
    asked: AtomicU64,
    condition: Arc<Condition>,
}

impl SimStore {
    fn new(condition: Arc<Condition>) -> SimStore {
        SimStore { state: Mutex::default(), asked: AtomicU64::new(0), condition }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("one thread uses the store, and a panic ends the run")
    }

    /// Whether a write has an effect (see `Condition::fuse`).
    fn burns(&self) -> bool {
        let fuse = &self.condition.fuse;
        match fuse.load(Ordering::Relaxed) {
            0 => false,
            n if n < 0 => true,
            n => {
                fuse.store(n - 1, Ordering::Relaxed);
                true
            }
        }
    }

    fn crash(&self, prng: &mut Prng) {
        let mut state = self.lock();
        let kept = prng.below(state.unsynced.len() as u64 + 1) as usize;
        let undone = state.unsynced.split_off(kept);
        for batch in undone.into_iter().rev() {
            for (space, key, old) in batch.into_iter().rev() {
                change(&mut state, space, key, old);
            }
        }
        state.unsynced.clear();
    }

    /// Flips one bit of a row behind the replica's back; false if there is none.
    pub fn rot(&self, prng: &mut Prng) -> bool {
        let mut state = self.lock();
        let rows = &state.spaces[position(Space::Current)];
        let chosen = prng.below((rows.len() as u64).max(1)) as usize;
        let Some((key, value)) = rows.iter().nth(chosen).filter(|(_, value)| !value.is_empty()) else { return false };
        let (key, mut value) = (key.clone(), value.to_vec());
        *value.last_mut().expect("it is not empty") ^= 1 << prng.below(8);
        change(&mut state, Space::Current, key, Some(value.into()));
        true
    }

    /// Everything stored in one space, in order.
    pub fn dump(&self, space: Space) -> Vec<(Bytes, Bytes)> {
        self.lock().spaces[position(space)].iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }
}

fn change(state: &mut State, space: Space, key: Bytes, value: Option<Bytes>) -> Option<Bytes> {
    let map = Arc::make_mut(&mut state.spaces[position(space)]);
    let added = value.as_ref().map_or(0, |v| key.len() + v.len()) as u64;
    let key_bytes = key.len();
    let old = match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
    let removed = old.as_ref().map_or(0, |v| key_bytes + v.len()) as u64;
    state.bytes = (state.bytes + added).saturating_sub(removed);
    old
}

fn scan(map: &Map, start: KeyBound, end: KeyBound, reverse: bool, visit: &mut Visit) {
    if is_empty_range(start, end) {
        return;
    }
    let range = map.range::<[u8], _>((start, end));
    let mut each = |(key, value): (&Bytes, &Bytes)| visit(key, value);
    let _ = if reverse { range.rev().try_for_each(&mut each) } else { { range }.try_for_each(&mut each) };
}

/// `BTreeMap::range` panics on a range that ends before it starts; a store answers nothing.
fn is_empty_range(start: KeyBound, end: KeyBound) -> bool {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    match (start, end) {
        (Unbounded, _) | (_, Unbounded) => false,
        (Included(a), Included(b)) => a > b,
        (Included(a) | Excluded(a), Excluded(b)) | (Excluded(a), Included(b)) => a >= b,
    }
}

struct SimSnapshot([Arc<Map>; SPACES]);

impl RowSnapshot for SimSnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.0[position(space)].get(key).cloned())
    }

    fn scan(&self, space: Space, start: KeyBound, end: KeyBound, reverse: bool, visit: &mut Visit) -> Result<()> {
        scan(&self.0[position(space)], start, end, reverse, visit);
        Ok(())
    }
}

impl RowStore for SimStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.lock().spaces[position(space)].get(key).cloned())
    }

    fn scan(&self, space: Space, start: KeyBound, end: KeyBound, reverse: bool, visit: &mut Visit) -> Result<()> {
        let map = self.lock().spaces[position(space)].clone();
        scan(&map, start, end, reverse, visit);
        Ok(())
    }

    fn write(&self, batch: Batch) -> Result<()> {
        if self.condition.full.load(Ordering::Relaxed) {
            return Err(Error::new(SqlState::DISK_FULL, "no space left on device"));
        }
        if !self.burns() {
            return Ok(());
        }
        let mut state = self.lock();
        let mut undo = Vec::with_capacity(batch.changes.len());
        for (space, key, value) in batch.changes {
            let old = change(&mut state, space, key.clone(), value);
            undo.push((space, key, old));
        }
        state.unsynced.push(undo);
        Ok(())
    }

    fn write_later(&self, batch: Batch) -> Result<()> {
        self.write(batch)
    }

    fn sync(&self) -> Result<()> {
        if self.burns() {
            self.lock().unsynced.clear();
        }
        Ok(())
    }

    fn ingest(&self, source: &mut Source) -> Result<()> {
        let mut changes = Vec::new();
        while let Some(change) = source()? {
            changes.push(change);
        }
        self.write(Batch { changes })?;
        self.sync()
    }

    /// All that can be given up goes at once, durably: nobody may miss it.
    fn give_up_history(&self, upto: u64) {
        if self.condition.fuse.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut state = self.lock();
        let history = &state.spaces[position(Space::History)];
        let needless = |value: &Bytes| value.first_chunk().is_some_and(|until| u64::from_be_bytes(*until) <= upto);
        let doomed: Vec<Bytes> = history.iter().filter(|(_, value)| needless(value)).map(|(key, _)| key.clone()).collect();
        for key in doomed {
            change(&mut state, Space::History, key, None);
        }
    }

    /// Nothing can be removed at once here: all is left to the caller.
    fn discard(&self, _space: Space, _start: &[u8], _end: &[u8]) -> Result<()> {
        Ok(())
    }

    fn is_behind(&self) -> bool {
        false
    }

    fn is_unmerged(&self) -> bool {
        false
    }

    /// Now and then, for a stretch of asking.
    fn may_wait(&self, _space: Space) -> bool {
        (self.asked.fetch_add(1, Ordering::Relaxed) / WAITS_STRETCH).is_multiple_of(WAITS_EVERY)
    }

    fn clear(&self) -> Result<()> {
        if self.burns() {
            *self.lock() = State::default();
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Box<dyn RowSnapshot>> {
        Ok(Box::new(SimSnapshot(self.lock().spaces.clone())))
    }

    fn size(&self) -> u64 {
        self.lock().bytes
    }
}

pub struct SimStores {
    shards: Mutex<BTreeMap<ShardId, Arc<SimStore>>>,
    condition: Arc<Condition>,
}

impl Default for SimStores {
    fn default() -> Self {
        let condition = Arc::new(Condition { full: AtomicBool::new(false), fuse: AtomicI64::new(-1) });
        SimStores { shards: Mutex::default(), condition }
    }
}

impl SimStores {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ShardId, Arc<SimStore>>> {
        self.shards.lock().expect("one thread uses the stores, and a panic ends the run")
    }

    pub fn set_full(&self, full: bool) {
        self.condition.full.store(full, Ordering::Relaxed);
    }

    /// From now on only so many writes have an effect, as if the process died in between; `None`: all again.
    pub fn set_fuse(&self, writes: Option<u32>) {
        self.condition.fuse.store(writes.map_or(-1, i64::from), Ordering::Relaxed);
    }

    /// Batches since the last sync are lost, but for some of the first ones.
    pub fn crash(&self, prng: &mut Prng) {
        for store in self.lock().values() {
            store.crash(prng);
        }
    }

    pub fn lose_everything(&self) {
        self.lock().clear();
    }

    pub fn get(&self, shard: ShardId) -> Option<Arc<SimStore>> {
        self.lock().get(&shard).cloned()
    }

    pub fn shards(&self) -> Vec<ShardId> {
        self.lock().keys().copied().collect()
    }

    /// Bytes in all stores, roughly.
    pub fn bytes(&self) -> u64 {
        self.lock().values().map(|store| store.size()).sum()
    }
}

impl RowStores for SimStores {
    fn open(&self, shard: ShardId) -> Result<Arc<dyn RowStore>> {
        Ok(self.lock().entry(shard).or_insert_with(|| Arc::new(SimStore::new(self.condition.clone()))).clone())
    }

    fn destroy(&self, shard: ShardId) -> Result<()> {
        self.lock().remove(&shard);
        Ok(())
    }
}

/// The keys from `start` on, for tests and checkers.
pub fn keys(store: &dyn RowStore, space: Space) -> Result<Vec<Bytes>> {
    let mut keys = Vec::new();
    store.scan(space, KeyBound::Unbounded, KeyBound::Unbounded, false, &mut |key, _| {
        keys.push(Bytes::copy_from_slice(key));
        ControlFlow::Continue(())
    })?;
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(key: &'static str, value: Option<&'static str>) -> Batch {
        Batch { changes: vec![(Space::Current, Bytes::from_static(key.as_bytes()), value.map(|v| Bytes::from_static(v.as_bytes())))] }
    }

    fn shown(store: &dyn RowStore) -> String {
        keys(store, Space::Current).expect("memory").iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    }

    #[test]
    fn a_crash_loses_a_suffix_of_what_was_not_synced() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let stores = SimStores::default();
            let store = stores.open(ShardId(0)).expect("memory");
            store.write(batch("a", Some("1"))).expect("room");
            store.sync().expect("room");
            store.write(batch("b", Some("1"))).expect("room");
            store.write(batch("a", None)).expect("room");
            stores.crash(&mut Prng::new(seed));
            seen.insert(shown(&*store));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["a", "ab", "b"]);
    }

    #[test]
    fn a_snapshot_stays_as_it_was() {
        let stores = SimStores::default();
        let store = stores.open(ShardId(0)).expect("memory");
        store.write(batch("a", Some("1"))).expect("room");
        let snapshot = store.snapshot().expect("memory");
        store.write(batch("a", Some("2"))).expect("room");
        assert_eq!(snapshot.get(Space::Current, b"a").expect("memory"), Some(Bytes::from_static(b"1")));
        assert_eq!(store.get(Space::Current, b"a").expect("memory"), Some(Bytes::from_static(b"2")));
    }

    #[test]
    fn a_full_disk_refuses_with_its_code_and_changes_nothing() {
        let stores = SimStores::default();
        let store = stores.open(ShardId(0)).expect("memory");
        stores.set_full(true);
        assert_eq!(store.write(batch("a", Some("1"))).map_err(|e| e.state()), Err(SqlState::DISK_FULL));
        assert_eq!(shown(&*store), "");
    }

    #[test]
    fn a_burnt_fuse_swallows_writes() {
        let stores = SimStores::default();
        let store = stores.open(ShardId(0)).expect("memory");
        stores.set_fuse(Some(1));
        store.write(batch("a", Some("1"))).expect("room");
        store.write(batch("b", Some("1"))).expect("room");
        stores.set_fuse(None);
        assert_eq!(shown(&*store), "a");
    }
}
