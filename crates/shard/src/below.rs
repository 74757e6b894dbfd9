//! Reads of what is below a shard's memory: its layers and its store. By the shard itself, or by a job where the store may make its readers wait.

use crate::keys;
use crate::read::{OWN, Seen, bound_end};
use crate::staged::{self, Outline, Storages, visit_packed, visit_single};
use crate::state::Layer;
use base::{Result, StorageId, TxnId, Version};
use rustc_hash::FxHashMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use storage::access::{Key, KeyRange, Row, SCAN_BYTES_MAX, storage_of};
use storage::rows::{RowStore, Space};

/// Rows of the store that are put into the cache with one that was wanted, while there is room: a scan costs as much as a few reads.
const READ_AHEAD_ROWS: usize = 32;
/// So many bytes are enough, however few rows.
const READ_AHEAD_BYTES: usize = 16 * 1024;
/// Of a request for more rows than this, none is read ahead.
const READ_AHEAD_KEYS_MAX: usize = 4;
/// Bytes taken from each layer of the store at a time.
const CHUNK_BYTES_MAX: usize = SCAN_BYTES_MAX;

pub struct Item {
    pub key: Key,
    pub version: Version,
    pub index: u64,
    pub row: Option<Row>,
}

/// What one layer has of a range, complete up to `bound` in the direction of the scan (`None`: to its end).
#[derive(Default)]
pub struct Chunk {
    pub items: Vec<Item>,
    pub bound: Option<Key>,
}

/// What the store itself has of a row.
#[derive(Clone, Default)]
pub struct Stored {
    pub current: Option<(Version, Row)>,
    /// As the snapshot sees it, if `current` is not that.
    pub past: Seen,
}

#[derive(Clone, Copy)]
pub struct Below<'a> {
    pub store: &'a dyn RowStore,
    /// No version in the store is above this.
    pub flushed: Version,
    pub layers: &'a [Layer],
}

impl Below<'_> {
    /// What the layers newer than `above` have of a row; also whether the store can have nothing that is newer.
    pub fn layered(&self, key: &[u8], snapshot: Version, above: Version) -> Result<(Seen, bool)> {
        let (mut seen, mut newest) = (Seen::default(), false);
        for layer in self.layers {
            if layer.version > snapshot || layer.version <= seen.version.max(above) {
                continue;
            }
            if let Some(row) = staged::find(self.store, layer.txn, &layer.storages, key)? {
                seen = Seen { version: layer.version, index: layer.index, row };
                newest = self.stands_above_store(layer);
            }
        }
        Ok((seen, newest))
    }

    fn stands_above_store(&self, layer: &Layer) -> bool {
        layer.alone && layer.version >= self.flushed
    }

    /// `deletions`: also the newest row's deletion is wanted.
    pub fn stored(&self, key: &[u8], snapshot: Version, deletions: bool) -> Result<Stored> {
        let mut stored = Stored::default();
        if let Some(value) = self.store.get(Space::Current, key)? {
            let version = keys::current_version(&value)?;
            stored.current = Some((version, value.slice(8..)));
            if version <= snapshot {
                return Ok(stored);
            }
        }
        if snapshot < self.flushed || deletions {
            stored.past = self.past(key, snapshot)?;
        }
        Ok(stored)
    }

    fn past(&self, key: &[u8], snapshot: Version) -> Result<Seen> {
        let mut seen = Seen::default();
        let prefix = keys::history_prefix(key);
        let end = keys::after_prefix(&prefix);
        let start = keys::history_key(key, snapshot);
        let mut malformed = None;
        self.store.scan(Space::History, Bound::Included(&start), bound_end(&end), false, &mut |found, value| {
            let read = keys::read_history_key(found).and_then(|(_, version)| Ok((version, keys::read_history_value(value)?.1)));
            match read {
                Ok((version, row)) => seen = Seen { version, index: 0, row },
                Err(e) => malformed = Some(e),
            }
            ControlFlow::Break(())
        })?;
        malformed.map_or(Ok(seen), |e| Err(e.into()))
    }

    /// Of each layer and of the store, the visible versions of the first part of a range. `own`: what the reader has staged.
    pub fn chunks(
        &self,
        (start, end): (&Key, &Key),
        reverse: bool,
        limit: usize,
        snapshot: Version,
        own: Option<(TxnId, &Storages)>,
        chunks: &mut Vec<Chunk>,
    ) -> Result<()> {
        let storages = storage_of(start)..=if end.is_empty() { StorageId(u32::MAX) } else { storage_of(end) };
        let concerns = |of: &Storages| of.range(storages.clone()).next().is_some();
        if let Some((txn, storages)) = own.filter(|(_, storages)| concerns(storages)) {
            let rows = StagedRows { txn, version: OWN, index: 0, storages };
            self.chunks_of_staged(&rows, (start, end), reverse, limit, chunks)?;
        }
        let layers = self.layers.iter().filter(|layer| layer.version <= snapshot && concerns(&layer.storages));
        let layers: Vec<&Layer> = layers.collect();
        chunks.push(self.chunk_of_current(start, end, reverse, limit, snapshot)?);
        if snapshot < self.flushed || layers.iter().any(|layer| !self.stands_above_store(layer)) {
            // Also for deletions of what still stands in a layer. After `Current`: a flush moves rows from there to here.
            chunks.push(self.chunk_of_history(start, end, reverse, limit, snapshot)?);
        }
        for layer in layers {
            let rows = StagedRows { txn: layer.txn, version: layer.version, index: layer.index, storages: &layer.storages };
            self.chunks_of_staged(&rows, (start, end), reverse, limit, chunks)?;
        }
        Ok(())
    }

    fn chunk_of_current(&self, start: &Key, end: &Key, reverse: bool, limit: usize, snapshot: Version) -> Result<Chunk> {
        let mut taking = Taking::new(limit);
        let mut malformed = None;
        self.store.scan(Space::Current, Bound::Included(start), bound_end(end), reverse, &mut |key, value| match keys::current_version(
            value,
        ) {
            Ok(version) => {
                let item = (version <= snapshot).then(|| (version, 0, Some(Row::copy_from_slice(&value[8..]))));
                taking.take(Key::copy_from_slice(key), item, value.len())
            }
            Err(e) => {
                malformed = Some(e);
                ControlFlow::Break(())
            }
        })?;
        malformed.map_or(Ok(taking.chunk), |e| Err(e.into()))
    }

    /// Rows by themselves come before packed ones: of one version they are the newer ones, and the sort keeps their order.
    fn chunks_of_staged(
        &self,
        rows: &StagedRows,
        (start, end): (&Key, &Key),
        reverse: bool,
        limit: usize,
        chunks: &mut Vec<Chunk>,
    ) -> Result<()> {
        let has = |form: fn(&Outline) -> bool| rows.storages.values().any(form);
        if has(|outline| outline.single) {
            let mut taking = Taking::new(limit);
            visit_single(self.store, rows.txn, (start, end), reverse, &mut |key, row| taking.take_staged(rows, key, row))?;
            chunks.push(taking.chunk);
        }
        if has(|outline| outline.packed) {
            let mut taking = Taking::new(limit);
            visit_packed(self.store, rows.txn, (start, end), reverse, &mut |key, row| taking.take_staged(rows, key, row))?;
            chunks.push(taking.chunk);
        }
        Ok(())
    }

    /// The newest historic version of each key at or below the snapshot.
    fn chunk_of_history(&self, start: &Key, end: &Key, reverse: bool, limit: usize, snapshot: Version) -> Result<Chunk> {
        let low = keys::history_bound(start);
        let high = if end.is_empty() { Vec::new() } else { keys::history_bound(end) };
        let mut taking = Taking::new(limit);
        let mut last: Option<Item> = None;
        let mut malformed = None;
        let take = |taking: &mut Taking, item: Item| {
            let size = item.row.as_ref().map_or(0, Row::len);
            taking.take(item.key, Some((item.version, item.index, item.row)), size)
        };
        self.store.scan(Space::History, Bound::Included(&low), bound_end(&high), reverse, &mut |key, value| {
            let read = keys::read_history_key(key).and_then(|(key, version)| {
                let row = keys::read_history_value(value)?.1;
                Ok(Item { key, version, index: 0, row })
            });
            let item = match read {
                Ok(item) if item.version <= snapshot => item,
                Ok(_) => return ControlFlow::Continue(()),
                Err(e) => {
                    malformed = Some(e);
                    return ControlFlow::Break(());
                }
            };
            match &mut last {
                // Newest first when going forward: the first of a key is the one; oldest first in reverse: the last is.
                Some(kept) if kept.key == item.key => {
                    if reverse {
                        *kept = item;
                    }
                    ControlFlow::Continue(())
                }
                _ => match last.replace(item) {
                    Some(complete) => take(&mut taking, complete),
                    None => ControlFlow::Continue(()),
                },
            }
        })?;
        if let Some(complete) = last
            && taking.chunk.bound.is_none()
        {
            // The scan came to its end.
            taking.chunk.items.push(complete);
        }
        malformed.map_or(Ok(taking.chunk), |e| Err(e.into()))
    }
}

/// Visits the rows after one, as far as its table goes and as many as are worth it.
pub fn ahead(store: &dyn RowStore, key: &[u8], mut visit: impl FnMut(&[u8], Version, &[u8])) -> Result<()> {
    let (mut rows, mut bytes, mut malformed) = (0, 0, None);
    store.scan(Space::Current, Bound::Excluded(key), Bound::Unbounded, false, &mut |next, value| {
        if storage_of(next) != storage_of(key) {
            return ControlFlow::Break(());
        }
        match keys::current_version(value) {
            Ok(version) => visit(next, version, &value[8..]),
            Err(e) => malformed = Some(e),
        }
        (rows, bytes) = (rows + 1, bytes + value.len());
        let enough = rows >= READ_AHEAD_ROWS || bytes >= READ_AHEAD_BYTES || malformed.is_some();
        if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    malformed.map_or(Ok(()), |e| Err(e.into()))
}

/// What a request needs of what is below.
#[derive(Default)]
pub struct Wanted {
    /// Each as of a snapshot.
    pub keys: Vec<(Key, Version)>,
    /// Ranges in which nothing is expected, and the keys to read if there is something.
    pub runs: Vec<(KeyRange, Vec<Key>)>,
    pub scan: Option<Part>,
}

/// The first part of a range.
#[derive(Clone)]
pub struct Part {
    pub range: KeyRange,
    pub reverse: bool,
    /// Keys of each layer.
    pub limit: usize,
    pub snapshot: Version,
}

impl Wanted {
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.runs.is_empty() && self.scan.is_none()
    }
}

/// What a job needs to read for a request; nothing in it changes meanwhile but the store.
pub struct Fetch {
    pub store: Arc<dyn RowStore>,
    pub flushed: Version,
    pub layers: Vec<Layer>,
    pub own: Option<(TxnId, Storages)>,
    /// The cache has room for more than is wanted.
    pub room: bool,
    pub wanted: Wanted,
}

/// What a job has read.
#[derive(Default)]
pub struct Fetched {
    rows: FxHashMap<Key, FetchedRow>,
    parts: Vec<(Part, Vec<Chunk>)>,
    own: Option<TxnId>,
    pub ahead: Vec<(Key, Version, Row)>,
}

#[derive(Clone)]
pub struct FetchedRow {
    snapshot: Version,
    own: Option<Option<Row>>,
    /// As [`Below::layered`] gives it.
    pub layered: (Seen, bool),
    pub stored: Stored,
}

impl Fetch {
    /// # Errors
    /// If the store cannot be read.
    pub fn carry_out(&self) -> Result<Fetched> {
        let mut fetched = Fetched { own: self.own.as_ref().map(|(txn, _)| *txn), ..Fetched::default() };
        for (key, snapshot) in &self.wanted.keys {
            self.fetch_row(key, *snapshot, &mut fetched)?;
        }
        for (range, keys) in &self.wanted.runs {
            let part = Part { range: range.clone(), reverse: false, limit: 1, snapshot: Version::MAX };
            let chunks = self.part(&part)?;
            if chunks.iter().any(|chunk| !chunk.items.is_empty() || chunk.bound.is_some()) {
                for key in keys {
                    self.fetch_row(key, Version::MAX, &mut fetched)?;
                }
            }
            fetched.parts.push((part, chunks));
        }
        if let Some(part) = &self.wanted.scan {
            fetched.parts.push((part.clone(), self.part(part)?));
        }
        Ok(fetched)
    }

    fn below(&self) -> Below<'_> {
        Below { store: &*self.store, flushed: self.flushed, layers: &self.layers }
    }

    fn fetch_row(&self, key: &Key, snapshot: Version, fetched: &mut Fetched) -> Result<()> {
        let own = match &self.own {
            Some((txn, storages)) => staged::find(&*self.store, *txn, storages, key)?,
            None => None,
        };
        let layered = self.below().layered(key, snapshot, Version::ZERO)?;
        let stored = self.below().stored(key, snapshot, layered.0.version > Version::ZERO)?;
        if self.room && stored.current.is_some() && self.wanted.keys.len() <= READ_AHEAD_KEYS_MAX {
            ahead(&*self.store, key, |next, version, row| {
                fetched.ahead.push((Key::copy_from_slice(next), version, Row::copy_from_slice(row)));
            })?;
        }
        fetched.rows.insert(key.clone(), FetchedRow { snapshot, own, layered, stored });
        Ok(())
    }

    fn part(&self, part: &Part) -> Result<Vec<Chunk>> {
        let own = self.own.as_ref().map(|(txn, storages)| (*txn, storages));
        let mut chunks = Vec::new();
        let (start, end) = (&part.range.start, &part.range.end);
        self.below().chunks((start, end), part.reverse, part.limit, part.snapshot, own, &mut chunks)?;
        Ok(chunks)
    }
}

/// What was read as of the newest version of all is what any snapshot from `newest` on sees.
fn serves(read: Version, snapshot: Version, newest: Version) -> bool {
    read == snapshot || (read == Version::MAX && snapshot >= newest)
}

impl Fetched {
    pub fn row(&self, key: &[u8], snapshot: Version, newest: Version) -> Option<FetchedRow> {
        if self.rows.is_empty() {
            return None;
        }
        self.rows.get(key).filter(|row| serves(row.snapshot, snapshot, newest)).cloned()
    }

    /// What the transaction has staged for the key, if that was looked for.
    pub fn own(&self, txn: TxnId, key: &[u8]) -> Option<Option<Option<Row>>> {
        if self.own != Some(txn) {
            return None;
        }
        self.rows.get(key).map(|row| row.own.clone())
    }

    pub fn take_part(&mut self, range: &KeyRange, reverse: bool, snapshot: Version, newest: Version) -> Option<Vec<Chunk>> {
        let same = |(part, _): &(Part, _)| part.range == *range && part.reverse == reverse && serves(part.snapshot, snapshot, newest);
        let at = self.parts.iter().position(same)?;
        Some(self.parts.swap_remove(at).1)
    }
}

/// The staged rows of a transaction, and what version they have.
struct StagedRows<'a> {
    txn: TxnId,
    version: Version,
    index: u64,
    storages: &'a Storages,
}

/// Collects one layer's items until it has enough.
pub struct Taking {
    pub chunk: Chunk,
    keys: usize,
    bytes: usize,
    limit: usize,
}

impl Taking {
    pub fn new(limit: usize) -> Taking {
        Taking { chunk: Chunk::default(), keys: 0, bytes: 0, limit }
    }

    fn take_staged(&mut self, rows: &StagedRows, key: Key, row: Option<Row>) -> ControlFlow<()> {
        let size = row.as_ref().map_or(0, Row::len);
        self.take(key, Some((rows.version, rows.index, row)), size)
    }

    pub fn take(&mut self, key: Key, item: Option<(Version, u64, Option<Row>)>, size: usize) -> ControlFlow<()> {
        self.keys += 1;
        self.bytes += size;
        let full = self.keys >= self.limit || self.bytes >= CHUNK_BYTES_MAX;
        if full {
            self.chunk.bound = Some(key.clone());
        }
        if let Some((version, index, row)) = item {
            self.chunk.items.push(Item { key, version, index, row });
        }
        if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
