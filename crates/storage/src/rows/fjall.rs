//! The row store on disk, on fjall (a log-structured merge tree).
//!
//! One database for the node, one keyspace for each shard; the space is the first byte of the key. A single keyspace makes a batch over
//! several spaces one unit of fjall's memtable: what a crash leaves is always a prefix of the batches. Writes are not synced; [`RowStore::sync`] syncs the
//! engine's journal. Clearing makes a new keyspace (`shard.generation`) and gives the old one up, which costs the same for any size.
//!
//! fjall stops for good at the first failed write, so a write is refused while the disk is nearly full, before the engine sees it. Any other
//! failure to write sets [`FjallRows::failed`]: the process must then stop, and recovers at its next start. Damage found while reading (`XX001`) does not:
//! the shard gives its rows up, and clearing makes a new keyspace without reading the old one.

mod history;
mod known;
mod late;

use self::history::Horizons;
use self::known::Known;
use self::late::{LateWrites, Watched};
use super::{Batch, KeyBound, RowSnapshot, RowStore, RowStores, Source, Space, Visit, is_empty_range};
use base::{Error, Result, ShardId, SqlState};
use bytes::Bytes;
use fjall::compaction::Leveled;
use fjall::config::PartitioningPolicy;
use fjall::{AbstractTree, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable, Snapshot};
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

/// Space that is left free for the engine's own work (flushes and merges of what was accepted).
const RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// Below this much free space nothing is written at all, not even removals or what is buffered.
const LEAST_BYTES: u64 = 1024 * 1024;
/// Block cache unless said otherwise.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// Size at which a shard's memtable is written out.
const MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;
/// Files that are not merged yet, before all of them are at once with the first level, which is rewritten for it: each flush makes one or two. A read looks
/// into the filter of each.
const UNMERGED_FILES: u8 = 8;
/// With so many that are not merged yet, ingestions wait too: all that looks for a row looks into each.
const UNMERGED_FILES_MAX: usize = 80;
/// A merge takes seconds; an engine that has failed ends none.
const MERGE_POLLS_MAX: usize = 3_000;
const MERGE_POLL: Duration = Duration::from_millis(10);
/// Of a merged file. The first level has [`UNMERGED_FILES`] of them.
const FILE_BYTES: u64 = 32 * 1024 * 1024;
/// Bounds what a start has to replay.
const JOURNAL_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// One: of two, fjall keeps the first free for flushes, and it spins on the queue for as long as the other merges.
const WORKER_THREADS: usize = 1;
/// Spaces in which rows may be that are written later.
const WRITTEN_LATER: [Space; 2] = [Space::Staged, Space::Packed];
/// While many rows are added at once, free space is looked at this often.
const ROOM_EVERY_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Clone, Copy, Debug)]
pub struct FjallOptions {
    pub cache_bytes: u64,
    pub memtable_bytes: u64,
    /// Writes are refused with `53100` while less than this is free.
    pub reserve_bytes: u64,
}

impl Default for FjallOptions {
    fn default() -> FjallOptions {
        FjallOptions { cache_bytes: CACHE_BYTES, memtable_bytes: MEMTABLE_BYTES, reserve_bytes: RESERVE_BYTES }
    }
}

/// All stores of a node, below one directory.
pub struct FjallRows {
    engine: Arc<Engine>,
    stores: Mutex<BTreeMap<ShardId, Arc<FjallStore>>>,
}

struct Engine {
    database: Database,
    directory: PathBuf,
    options: FjallOptions,
    failed: AtomicBool,
    /// Something was refused for want of space.
    met_full_disk: AtomicBool,
    late: LateWrites,
    horizons: Arc<Horizons>,
}

struct FjallStore {
    engine: Arc<Engine>,
    shard: ShardId,
    horizon: Arc<AtomicU64>,
    /// `None` once the store was destroyed.
    place: RwLock<Option<Place>>,
}

struct Place {
    now: Watched,
    generation: u64,
}

impl FjallRows {
    /// Opens or makes the database. What an interrupted clearing left is removed.
    ///
    /// # Errors
    /// `58030` if the files cannot be read, `55006` if another process has the database open.
    pub fn open(directory: &Path, options: FjallOptions) -> Result<FjallRows> {
        let horizons = Arc::new(Horizons::default());
        let of_keyspace = {
            let horizons = horizons.clone();
            move |name: &str| parse_name(name).map(|(shard, _)| horizons.filters_of(shard))
        };
        let database = Database::builder(directory)
            .with_compaction_filter_factories(Arc::new(of_keyspace))
            .cache_size(options.cache_bytes)
            .worker_threads(WORKER_THREADS)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .manual_journal_persist(true)
            .open()
            .map_err(|error| describe(&error, directory))?;
        let late = LateWrites::start(database.clone(), options.memtable_bytes)?;
        let engine = Arc::new(Engine {
            database,
            directory: directory.to_path_buf(),
            options,
            failed: AtomicBool::new(false),
            met_full_disk: AtomicBool::new(false),
            late,
            horizons,
        });
        let rows = FjallRows { engine, stores: Mutex::new(BTreeMap::new()) };
        for (shard, generation) in rows.newest_generations()? {
            let store = FjallStore::open(&rows.engine, shard, generation)?;
            rows.lock().insert(shard, Arc::new(store));
        }
        Ok(rows)
    }

    /// True once the engine failed: nothing is written any more, and the process should stop.
    pub fn failed(&self) -> bool {
        self.engine.failed.load(Ordering::Acquire)
    }

    /// True once there was too little space. The engine's own threads may have met that too; it says so only when it is next used, when
    /// there may be space again.
    pub fn met_full_disk(&self) -> bool {
        self.engine.met_full_disk.load(Ordering::Acquire)
    }

    /// The newest keyspace of each shard; older ones, left by a crash in a clearing, are removed.
    fn newest_generations(&self) -> Result<BTreeMap<ShardId, u64>> {
        let mut newest: BTreeMap<ShardId, u64> = BTreeMap::new();
        let mut names: Vec<(ShardId, u64)> = Vec::new();
        for name in self.engine.database.list_keyspace_names() {
            let (shard, generation) = parse_name(&name)
                .ok_or_else(|| Error::new(SqlState::DATA_CORRUPTED, format!("the row store has an unknown keyspace \"{name}\"")))?;
            names.push((shard, generation));
            let place = newest.entry(shard).or_insert(generation);
            *place = generation.max(*place);
        }
        for (shard, generation) in names {
            if newest[&shard] != generation {
                let keyspace = self.engine.keyspace(shard, generation)?;
                self.engine.check(self.engine.database.delete_keyspace(keyspace))?;
            }
        }
        Ok(newest)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ShardId, Arc<FjallStore>>> {
        self.stores.lock().expect("no code panics while it holds this lock")
    }
}

impl RowStores for FjallRows {
    fn open(&self, shard: ShardId) -> Result<Arc<dyn RowStore>> {
        let mut stores = self.lock();
        if let Some(store) = stores.get(&shard) {
            return Ok(store.clone());
        }
        self.engine.check_room(0)?;
        let store = Arc::new(FjallStore::open(&self.engine, shard, 0)?);
        stores.insert(shard, store.clone());
        Ok(store)
    }

    fn destroy(&self, shard: ShardId) -> Result<()> {
        let Some(store) = self.lock().remove(&shard) else { return Ok(()) };
        self.engine.finish_late()?;
        let place = store.place_mut().take();
        match place {
            Some(place) => self.engine.check(self.engine.database.delete_keyspace(place.now.keyspace)),
            None => Ok(()),
        }
    }
}

impl Engine {
    fn keyspace(&self, shard: ShardId, generation: u64) -> Result<Keyspace> {
        // A filter or an index of a whole table is larger than what the cache keeps as one piece: it would be read and checked anew for each row.
        let options = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(self.options.memtable_bytes)
                .compaction_strategy(Arc::new(Leveled::default().with_l0_threshold(UNMERGED_FILES).with_table_target_size(FILE_BYTES)))
                .manual_journal_persist(true)
                .filter_block_partitioning_policy(PartitioningPolicy::all(true))
                .index_block_partitioning_policy(PartitioningPolicy::new([false, true]))
        };
        self.check(self.database.keyspace(&name_of(shard, generation), options))
    }

    fn check<T>(&self, result: fjall::Result<T>) -> Result<T> {
        result.map_err(|error| {
            // Damaged rows are this shard's concern: another replica has them.
            if !is_damage(&error) {
                self.failed.store(true, Ordering::Release);
            }
            describe(&error, &self.directory)
        })
    }

    /// The engine cuts its journal off only where it writes a memtable out by itself, which does not happen if ingestions always do it first.
    fn bound_journal(&self, keyspace: &Keyspace) -> Result<bool> {
        let long = self.check(self.database.journal_disk_space())? > JOURNAL_BYTES_MAX;
        if long {
            self.check(keyspace.rotate_memtable())?;
        }
        Ok(long)
    }

    fn watched(&self, keyspace: Keyspace) -> Watched {
        let watched = Watched { keyspace, known: Arc::default() };
        self.late.watch(&watched);
        watched
    }

    /// True while the engine merges and is not busy with rows: it chooses what to merge, or changes its list of files.
    fn changes_files(&self) -> bool {
        self.database.active_compactions() > self.horizons.merging()
    }

    /// Waits for what was to be written later.
    fn finish_late(&self) -> Result<()> {
        self.check_late(self.late.finish())
    }

    fn check_late(&self, result: Result<()>) -> Result<()> {
        // The engine is of no use after a failed write, whoever hears of it first.
        result.inspect_err(|_| self.failed.store(true, Ordering::Release))
    }

    /// Whether a write of this size may go to the engine.
    fn check_room(&self, bytes: u64) -> Result<()> {
        // Journal, memtable's file, and a merge of it.
        self.check_free(self.options.reserve_bytes.saturating_add(bytes.saturating_mul(3)))
    }

    /// Whether the engine may write at all: it stops for good after a write for which there was no space.
    fn check_free(&self, wanted: u64) -> Result<()> {
        let status = rustix::fs::statvfs(&self.directory).map_err(|error| {
            Error::new(SqlState::IO_ERROR, format!("cannot tell the free space of {}: {error}", self.directory.display()))
        })?;
        let free = status.f_bavail.saturating_mul(status.f_frsize);
        if free >= wanted {
            return Ok(());
        }
        self.met_full_disk.store(true, Ordering::Release);
        let message = format!("the disk of {} is full: {free} bytes are free, {wanted} are wanted", self.directory.display());
        Err(Error::new(SqlState::DISK_FULL, message).with_hint("Free some space; nothing else needs to be done."))
    }
}

impl FjallStore {
    fn open(engine: &Arc<Engine>, shard: ShardId, generation: u64) -> Result<FjallStore> {
        let keyspace = engine.keyspace(shard, generation)?;
        let horizon = engine.horizons.of(shard);
        // What an earlier replica gave up says nothing of this one's.
        horizon.store(0, Ordering::Relaxed);
        let place = Place { now: engine.watched(keyspace), generation };
        Ok(FjallStore { engine: engine.clone(), shard, horizon, place: RwLock::new(Some(place)) })
    }

    fn place_mut(&self) -> std::sync::RwLockWriteGuard<'_, Option<Place>> {
        self.place.write().expect("no code panics while it holds this lock")
    }

    fn keyspace(&self) -> Result<Keyspace> {
        self.watched().map(|watched| watched.keyspace)
    }

    fn watched(&self) -> Result<Watched> {
        let place = self.place.read().expect("no code panics while it holds this lock");
        place.as_ref().map(|place| place.now.clone()).ok_or_else(|| self.destroyed())
    }

    fn known(&self) -> Option<Arc<Known>> {
        let place = self.place.read().expect("no code panics while it holds this lock");
        place.as_ref().map(|place| place.now.known.clone())
    }

    fn destroyed(&self) -> Error {
        Error::internal(format!("the row store of {} was destroyed", self.shard))
    }

    /// Returns how many bytes it holds.
    fn check_room_for(&self, batch: &Batch) -> Result<usize> {
        let bytes: usize = batch.changes.iter().map(|(_, key, value)| key.len() + value.as_ref().map_or(0, Bytes::len)).sum();
        if batch.changes.iter().any(|(_, _, value)| value.is_some()) {
            self.engine.check_room(bytes as u64)?;
        } else {
            // Removals may use the reserve: they are what makes room.
            self.engine.check_free(LEAST_BYTES.saturating_add(bytes as u64))?;
        }
        Ok(bytes)
    }

    /// What the space holds in the range is complete afterwards.
    fn catch_up(&self, space: Space, range: (KeyBound, KeyBound)) -> Result<()> {
        if WRITTEN_LATER.contains(&space) { self.engine.check_late(self.engine.late.finish_in(range)) } else { Ok(()) }
    }

    fn snapshot_now(&self) -> Result<FjallSnapshot> {
        let keyspace = self.keyspace()?;
        Ok(FjallSnapshot { engine: self.engine.clone(), keyspace, snapshot: self.engine.database.snapshot() })
    }
}

impl RowStore for FjallStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        self.catch_up(space, (Bound::Included(key), Bound::Included(key)))?;
        let keyspace = self.keyspace()?;
        let found = with_prefix(space, key, |key| keyspace.get(key));
        Ok(self.engine.check(found)?.map(Bytes::from))
    }

    fn scan(&self, space: Space, start: KeyBound, end: KeyBound, reverse: bool, visit: &mut Visit) -> Result<()> {
        self.catch_up(space, (start, end))?;
        self.snapshot_now()?.scan(space, start, end, reverse, visit)
    }

    fn write(&self, batch: Batch) -> Result<()> {
        self.check_room_for(&batch)?;
        let watched = self.watched()?;
        self.engine.finish_late()?;
        self.engine.check(engine_batch(&self.engine.database, &watched.keyspace, batch).commit())?;
        self.engine.late.watch(&watched);
        Ok(())
    }

    fn write_later(&self, batch: Batch) -> Result<()> {
        let bytes = self.check_room_for(&batch)?;
        let pushed = self.engine.late.push(self.watched()?, batch, bytes);
        self.engine.check_late(pushed)
    }

    fn sync(&self) -> Result<()> {
        // What was written may still have to reach the journal's file.
        self.engine.check_free(LEAST_BYTES)?;
        self.engine.finish_late()?;
        self.engine.check(self.engine.database.persist(PersistMode::SyncAll))
    }

    /// Written into files of their own, past the journal and the memtable. The engine writes its memtable out first, so that what a crash leaves is still
    /// a prefix of what was written.
    fn ingest(&self, source: &mut Source) -> Result<()> {
        self.engine.finish_late()?;
        let watched = self.watched()?;
        if self.engine.bound_journal(&watched.keyspace)? {
            self.engine.late.watch(&watched);
        }
        wait_for_merges(&watched.keyspace);
        let mut ingestion = self.engine.check(watched.keyspace.start_ingestion())?;
        let mut unchecked = ROOM_EVERY_BYTES;
        while let Some((space, key, value)) = source()? {
            unchecked += (key.len() + value.as_ref().map_or(0, Bytes::len)) as u64;
            if unchecked >= ROOM_EVERY_BYTES {
                self.engine.check_room(ROOM_EVERY_BYTES)?;
                unchecked = 0;
            }
            let key = prefixed(space, &key);
            self.engine.check(match value {
                Some(value) => ingestion.write(key, value),
                None => ingestion.write_tombstone(key),
            })?;
        }
        let changing = watched.known.change();
        self.engine.check(ingestion.finish())?;
        drop(changing);
        self.engine.late.watch(&watched);
        Ok(())
    }

    fn give_up_history(&self, upto: u64) {
        self.horizon.fetch_max(upto, Ordering::Relaxed);
    }

    fn discard(&self, space: Space, start: &[u8], end: &[u8]) -> Result<()> {
        self.engine.finish_late()?;
        let end = if end.is_empty() { Bound::Unbounded } else { Bound::Excluded(end) };
        let range = (start_bound(space, Bound::Included(start)), end_bound(space, end));
        let watched = self.watched()?;
        let changing = watched.known.change();
        let dropped = watched.keyspace.tree.drop_range::<Vec<u8>, _>(range).map_err(fjall::Error::from);
        self.engine.check(dropped)?;
        drop(changing);
        self.engine.late.watch(&watched);
        Ok(())
    }

    fn is_behind(&self) -> bool {
        self.engine.late.is_behind()
    }

    fn is_unmerged(&self) -> bool {
        self.known().is_some_and(|known| known.is_unmerged())
    }

    fn may_wait(&self, space: Space) -> bool {
        let late = WRITTEN_LATER.contains(&space) && !self.engine.late.is_idle();
        late || self.engine.changes_files() || self.known().is_some_and(|known| known.is_changing())
    }

    fn clear(&self) -> Result<()> {
        self.engine.finish_late()?;
        let mut place = self.place_mut();
        let old = place.take().ok_or_else(|| self.destroyed())?;
        let generation = old.generation + 1;
        let keyspace = match self.engine.keyspace(self.shard, generation) {
            Ok(keyspace) => keyspace,
            Err(error) => {
                *place = Some(old);
                return Err(error);
            }
        };
        *place = Some(Place { now: self.engine.watched(keyspace), generation });
        self.engine.check(self.engine.database.delete_keyspace(old.now.keyspace))
    }

    fn snapshot(&self) -> Result<Box<dyn RowSnapshot>> {
        self.engine.finish_late()?;
        Ok(Box::new(self.snapshot_now()?))
    }

    fn size(&self) -> u64 {
        self.known().map_or(0, |known| known.bytes())
    }
}

/// As the engine does in its own writes.
#[expect(clippy::disallowed_methods, reason = "the engine does not say when it has merged; only jobs and its own threads come here")]
fn wait_for_merges(keyspace: &Keyspace) {
    for _ in 0..MERGE_POLLS_MAX {
        if keyspace.tree.l0_run_count() < UNMERGED_FILES_MAX {
            return;
        }
        std::thread::sleep(MERGE_POLL);
    }
}

fn engine_batch(database: &Database, keyspace: &Keyspace, batch: Batch) -> OwnedWriteBatch {
    let mut into = OwnedWriteBatch::with_capacity(database.clone(), batch.changes.len());
    for (space, key, value) in batch.changes {
        let key = prefixed(space, &key);
        match value {
            Some(value) => into.insert(keyspace, key, value),
            None => into.remove(keyspace, key),
        }
    }
    into
}

struct FjallSnapshot {
    engine: Arc<Engine>,
    keyspace: Keyspace,
    snapshot: Snapshot,
}

impl RowSnapshot for FjallSnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>> {
        let found = with_prefix(space, key, |key| self.snapshot.get(&self.keyspace, key));
        Ok(self.engine.check(found)?.map(Bytes::from))
    }

    fn scan(&self, space: Space, start: KeyBound, end: KeyBound, reverse: bool, visit: &mut Visit) -> Result<()> {
        if is_empty_range((start, end)) {
            return Ok(());
        }
        let range = (start_bound(space, start), end_bound(space, end));
        let rows = self.snapshot.range(&self.keyspace, range);
        let mut step = |guard: fjall::Guard| -> Result<ControlFlow<()>> {
            let (key, value) = self.engine.check(guard.into_inner())?;
            Ok(visit(&key[1..], &value))
        };
        if reverse { each(rows.rev(), &mut step) } else { each(rows, &mut step) }
    }
}

fn each<T>(rows: impl Iterator<Item = T>, step: &mut impl FnMut(T) -> Result<ControlFlow<()>>) -> Result<()> {
    for row in rows {
        if step(row)? == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

/// Longest key that is prefixed without an allocation.
const STACK_KEY_BYTES: usize = 256;

fn with_prefix<T>(space: Space, key: &[u8], then: impl FnOnce(&[u8]) -> T) -> T {
    if key.len() >= STACK_KEY_BYTES {
        return then(&prefixed(space, key));
    }
    let mut buffer = [0; STACK_KEY_BYTES];
    buffer[0] = space.number() as u8;
    buffer[1..=key.len()].copy_from_slice(key);
    then(&buffer[..=key.len()])
}

fn prefixed(space: Space, key: &[u8]) -> Vec<u8> {
    let mut prefixed = Vec::with_capacity(1 + key.len());
    prefixed.push(space.number() as u8);
    prefixed.extend_from_slice(key);
    prefixed
}

fn start_bound(space: Space, bound: KeyBound) -> Bound<Vec<u8>> {
    match bound {
        Bound::Unbounded => Bound::Included(vec![space.number() as u8]),
        bound => bound.map(|key| prefixed(space, key)),
    }
}

fn end_bound(space: Space, bound: KeyBound) -> Bound<Vec<u8>> {
    match bound {
        Bound::Unbounded => Bound::Excluded(vec![space.number() as u8 + 1]),
        bound => bound.map(|key| prefixed(space, key)),
    }
}

fn name_of(shard: ShardId, generation: u64) -> String {
    format!("{}.{generation}", shard.0)
}

fn parse_name(name: &str) -> Option<(ShardId, u64)> {
    let (shard, generation) = name.split_once('.')?;
    Some((ShardId(shard.parse().ok()?), generation.parse().ok()?))
}

/// What was read is not what was written.
fn is_damage(error: &fjall::Error) -> bool {
    use fjall::LsmError;
    let fjall::Error::Storage(error) = error else { return matches!(error, fjall::Error::Decompress(_)) };
    matches!(
        error,
        LsmError::ChecksumMismatch { .. }
            | LsmError::Decompress(_)
            | LsmError::InvalidTag(_)
            | LsmError::InvalidTrailer
            | LsmError::InvalidHeader(_)
            | LsmError::Utf8(_)
    )
}

fn describe(error: &fjall::Error, directory: &Path) -> Error {
    let place = directory.display();
    match error {
        fjall::Error::Locked => Error::new(SqlState::OBJECT_IN_USE, format!("another process has the row store at {place} open")),
        fjall::Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            Error::new(SqlState::DISK_FULL, format!("the disk of the row store at {place} is full"))
                .with_hint("Free some space and start again.")
        }
        fjall::Error::Poisoned => Error::new(SqlState::IO_ERROR, format!("the row store at {place} stopped after an earlier failure"))
            .with_hint("The process must be started again; the log has what the row store misses."),
        error if is_damage(error) => {
            Error::new(SqlState::DATA_CORRUPTED, format!("a file of the row store at {place} is damaged: {error}"))
                .with_hint("If there are other replicas, this one drops its rows and fetches theirs; see florin.scrub.")
        }
        error => Error::new(SqlState::IO_ERROR, format!("the row store at {place} failed: {error}")),
    }
}
