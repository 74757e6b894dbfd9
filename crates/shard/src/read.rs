//! Reading one row or a range as of a snapshot, through all layers that may hold its versions.
//!
//! Newest first: active table, frozen table, tables on their way into the cache, staged layers of committed large transactions,
//! `Current` (through the cache), `History`. Nothing here waits; rows of undecided transactions are reported to the caller.

use crate::keys;
use crate::staged::{self, Outline, Storages, visit_packed, visit_single};
use crate::state::{Layer, State};
use crate::table::{Table, visible};
use base::{Result, StorageId, TxnId, Version};
use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow};
use storage::access::{Found, Key, KeyRange, Row, SCAN_BYTES_MAX, SCAN_ROWS_MAX, storage_of};
use storage::rows::Space;

/// Keys that one scan looks at before it answers with what it has.
const SCAN_KEYS_MAX: usize = 16 * 1024;
/// Keys taken from each layer at a time.
const CHUNK_KEYS_MAX: usize = 512;
/// Among the versions of a row: what the reading transaction itself has staged, newer than all.
const OWN: Version = Version::MAX;
/// Rows of the store that are put into the cache with one that was wanted, while there is room: a scan costs as much as a few reads.
const READ_AHEAD_ROWS: usize = 32;
/// So many bytes are enough, however few rows.
const READ_AHEAD_BYTES: usize = 16 * 1024;
/// Bytes taken from each layer of the store at a time.
const CHUNK_BYTES_MAX: usize = SCAN_BYTES_MAX;

/// A row as a snapshot sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// `Version::ZERO` if the row was never there.
    pub version: Version,
    /// The log entry that an answer with this row must wait for; 0 if it is settled.
    pub index: u64,
    pub row: Option<Row>,
}

impl Seen {
    /// What a write that is based on it says.
    pub fn base(&self) -> Version {
        if self.row.is_some() { self.version } else { Version::ZERO }
    }

    pub fn found(self) -> Option<Found> {
        self.row.map(|row| Found { version: self.version, row })
    }
}

/// A part of a range.
#[derive(Debug, Default)]
pub struct Scanned {
    pub rows: Vec<(Key, Found)>,
    pub resume: Option<Key>,
    pub index: u64,
    /// An undecided transaction may write here.
    pub blocked: Option<TxnId>,
}

struct Item {
    key: Key,
    version: Version,
    index: u64,
    row: Option<Row>,
}

/// What one layer has of a range, complete up to `bound` in the direction of the scan (`None`: to its end).
#[derive(Default)]
struct Chunk {
    items: Vec<Item>,
    bound: Option<Key>,
}

impl State {
    /// The newest version of a row, committed or proposed.
    pub fn newest(&mut self, key: &[u8]) -> Result<Seen> {
        self.get(key, Version::MAX)
    }

    pub fn get(&mut self, key: &[u8], snapshot: Version) -> Result<Seen> {
        let memory = self.get_from_memory(key, snapshot);
        if memory.is_none()
            && let Some((version, row)) = self.cache.get(key)
            && version <= snapshot
        {
            return Ok(Seen { version, index: 0, row: Some(row.clone()) });
        }
        let (layered, newest) = if self.layers.is_empty() { (Seen::default(), false) } else { self.get_from_layers(key, snapshot)? };
        let seen = match memory {
            Some(seen) => seen,
            None if newest => {
                self.cache_layered(key, &layered, snapshot);
                Seen::default()
            }
            // What was flushed may be newer than a layer that is not moved yet, also a deletion.
            None if self.store_has_rows => self.get_from_store(key, snapshot, layered.version > Version::ZERO)?,
            None => Seen::default(),
        };
        Ok(if layered.version > seen.version { layered } else { seen })
    }

    /// What a transaction has staged for a key; `None` if nothing.
    pub fn get_staged(&self, txn: TxnId, key: &[u8]) -> Result<Option<Seen>> {
        let Some(staged) = self.staged.get(&txn) else { return Ok(None) };
        let found = staged::find(&*self.store, txn, &staged.storages, key)?;
        Ok(found.map(|row| Seen { version: Version::ZERO, index: 0, row }))
    }

    fn get_from_memory(&self, key: &[u8], snapshot: Version) -> Option<Seen> {
        let frozen = self.frozen.as_ref().map(|frozen| &*frozen.table);
        let tables = [Some(&self.active), frozen, Some(&self.draining)];
        for table in tables.into_iter().flatten() {
            if let Some(found) = table.get(key).and_then(|chain| visible(chain, snapshot)) {
                return Some(Seen { version: found.version, index: found.index, row: found.row.clone() });
            }
        }
        None
    }

    /// Also whether the store can have nothing that is newer.
    fn get_from_layers(&self, key: &[u8], snapshot: Version) -> Result<(Seen, bool)> {
        let (mut seen, mut newest) = (Seen::default(), false);
        for layer in &self.layers {
            if layer.version > snapshot || layer.version <= seen.version {
                continue;
            }
            if let Some(row) = staged::find(&*self.store, layer.txn, &layer.storages, key)? {
                seen = Seen { version: layer.version, index: layer.index, row };
                newest = self.stands_above_store(layer);
            }
        }
        Ok((seen, newest))
    }

    fn stands_above_store(&self, layer: &Layer) -> bool {
        layer.alone && layer.version >= self.flushed
    }

    /// A row of a layer is cached if it is known to be the newest of all, for good.
    fn cache_layered(&mut self, key: &[u8], layered: &Seen, snapshot: Version) {
        let newest = self.layers.iter().all(|layer| layer.version <= snapshot) && !self.in_memory(key);
        if let Some(row) = layered.row.as_ref().filter(|_| newest && layered.index <= self.settled) {
            self.cache.insert(key, layered.version, row);
        }
    }

    /// `deletions`: also the newest row's deletion is wanted.
    fn get_from_store(&mut self, key: &[u8], snapshot: Version, deletions: bool) -> Result<Seen> {
        let settled = |version, row| Seen { version, index: 0, row: Some(row) };
        if let Some(value) = self.store.get(Space::Current, key)? {
            let version = keys::current_version(&value)?;
            // A layer may have a newer one.
            if self.layers.is_empty() {
                if !self.in_memory(key) {
                    self.cache.insert(key, version, &value[8..]);
                }
                if self.cache.has_room() {
                    self.read_ahead(key)?;
                }
            }
            if version <= snapshot {
                return Ok(settled(version, value.slice(8..)));
            }
        }
        if snapshot >= self.flushed && !deletions {
            return Ok(Seen::default());
        }
        self.get_from_history(key, snapshot)
    }

    /// Puts the rows after this one into the cache, as far as its table goes.
    fn read_ahead(&mut self, key: &[u8]) -> Result<()> {
        let store = self.store.clone();
        let (mut rows, mut bytes, mut malformed) = (0, 0, None);
        store.scan(Space::Current, Bound::Excluded(key), Bound::Unbounded, false, &mut |next, value| {
            if storage_of(next) != storage_of(key) {
                return ControlFlow::Break(());
            }
            match keys::current_version(value) {
                Ok(version) if !self.in_memory(next) => self.cache.insert(next, version, &value[8..]),
                Ok(_) => {}
                Err(e) => malformed = Some(e),
            }
            (rows, bytes) = (rows + 1, bytes + value.len());
            let enough = rows >= READ_AHEAD_ROWS || bytes >= READ_AHEAD_BYTES || malformed.is_some();
            if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        malformed.map_or(Ok(()), |e| Err(e.into()))
    }

    fn get_from_history(&self, key: &[u8], snapshot: Version) -> Result<Seen> {
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

    fn in_memory(&self, key: &[u8]) -> bool {
        self.active.get(key).is_some()
            || self.frozen.as_ref().is_some_and(|frozen| frozen.table.get(key).is_some())
            || self.draining.get(key).is_some()
    }

    /// An undecided transaction that may write this row at or below the snapshot.
    pub fn undecided(&self, key: &[u8], snapshot: Version) -> Option<TxnId> {
        if self.prepared.is_empty() {
            return None;
        }
        match self.prepared_keys.get(key) {
            Some((txn, version)) if version <= snapshot => Some(txn),
            _ => self.prepared_storage(storage_of(key), snapshot),
        }
    }

    fn undecided_in(&self, start: &[u8], end: &[u8], end_included: bool, snapshot: Version) -> Option<TxnId> {
        if self.prepared.is_empty() {
            return None;
        }
        let upper = if end_included { Bound::Included(end) } else { bound_end(end) };
        self.prepared_keys
            .find(Bound::Included(start), upper, |_, version| version <= snapshot)
            .or_else(|| self.prepared_storage(storage_of(start), snapshot))
    }

    /// Rows of a range in order of their keys, as far as the limits allow. Stops at what is undecided.
    /// With the rows that the transaction `own` has staged.
    pub fn scan(&self, range: &KeyRange, reverse: bool, rows_max: u32, snapshot: Version, own: Option<TxnId>) -> Result<Scanned> {
        self.scan_rows(range, reverse, rows_max, snapshot, own, true)
    }

    /// Without `stop`, undecided rows are taken as if they were aborted.
    pub fn scan_rows(
        &self,
        range: &KeyRange,
        reverse: bool,
        rows_max: u32,
        snapshot: Version,
        own: Option<TxnId>,
        stop: bool,
    ) -> Result<Scanned> {
        let own = own.filter(|txn| self.staged.contains_key(txn));
        let rows_max = rows_max.clamp(1, SCAN_ROWS_MAX) as usize;
        let mut scanned = Scanned::default();
        let (mut start, mut end) = (range.start.clone(), range.end.clone());
        let (mut bytes, mut keys_seen) = (0, 0);
        loop {
            if !end.is_empty() && start >= end {
                return Ok(scanned);
            }
            let limit = (rows_max - scanned.rows.len() + 1).clamp(16, CHUNK_KEYS_MAX);
            let (items, bound) = self.chunk(&start, &end, reverse, limit, snapshot, own)?;
            let (low, high) = match (&bound, reverse) {
                (Some(bound), false) => (&start, bound),
                (Some(bound), true) => (bound, &end),
                (None, _) => (&start, &end),
            };
            scanned.blocked = if stop { self.undecided_in(low, high, bound.is_some() && !reverse, snapshot) } else { None };
            if scanned.blocked.is_some() {
                return Ok(scanned);
            }
            keys_seen += items.len();
            for item in items {
                if scanned.rows.len() >= rows_max || bytes >= SCAN_BYTES_MAX {
                    scanned.resume = scanned.rows.last().map(|(key, _)| resume_after(key, reverse));
                    return Ok(scanned);
                }
                scanned.index = scanned.index.max(item.index);
                if let Some(row) = item.row {
                    bytes += item.key.len() + row.len();
                    let version = if item.version == OWN { Version::ZERO } else { item.version };
                    scanned.rows.push((item.key, Found { version, row }));
                }
            }
            let Some(bound) = bound else { return Ok(scanned) };
            let next = resume_after(&bound, reverse);
            if keys_seen >= SCAN_KEYS_MAX || scanned.rows.len() >= rows_max || bytes >= SCAN_BYTES_MAX {
                scanned.resume = Some(next);
                return Ok(scanned);
            }
            if reverse { end = next } else { start = next }
        }
    }

    /// The visible version of each key of the first part of a range, deletions included, and how far that part goes.
    fn chunk(
        &self,
        start: &Key,
        end: &Key,
        reverse: bool,
        limit: usize,
        snapshot: Version,
        own: Option<TxnId>,
    ) -> Result<(Vec<Item>, Option<Key>)> {
        let mut chunks = Vec::with_capacity(4);
        chunks.push(chunk_of_table(&self.active, start, end, reverse, limit, snapshot));
        if let Some(frozen) = &self.frozen {
            chunks.push(chunk_of_table(&frozen.table, start, end, reverse, limit, snapshot));
        }
        if self.store_has_rows {
            let storages = storage_of(start)..=if end.is_empty() { StorageId(u32::MAX) } else { storage_of(end) };
            let concerns = |of: &Storages| of.range(storages.clone()).next().is_some();
            if let Some((txn, staged)) =
                own.and_then(|txn| self.staged.get_key_value(&txn)).filter(|(_, staged)| concerns(&staged.storages))
            {
                let rows = StagedRows { txn: *txn, version: OWN, index: 0, storages: &staged.storages };
                self.chunks_of_staged(&rows, (start, end), reverse, limit, &mut chunks)?;
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
                self.chunks_of_staged(&rows, (start, end), reverse, limit, &mut chunks)?;
            }
        }
        let in_order = |a: &Key, b: &Key| if reverse { b.cmp(a) } else { a.cmp(b) };
        let bound = chunks.iter().filter_map(|chunk| chunk.bound.clone()).min_by(|a, b| in_order(a, b));
        let mut sources = chunks.into_iter().filter(|chunk| !chunk.items.is_empty());
        let mut items = sources.next().map_or_else(Vec::new, |chunk| chunk.items);
        let mut merged = false;
        for chunk in sources {
            items.extend(chunk.items);
            merged = true;
        }
        if let Some(bound) = &bound {
            items.retain(|item| in_order(&item.key, bound) != Ordering::Greater);
        }
        if merged {
            // Of one version, a layer's rows are older than what its transaction wrote last: the sort keeps them behind.
            items.sort_by(|a, b| in_order(&a.key, &b.key).then(b.version.cmp(&a.version)));
            items.dedup_by(|later, kept| later.key == kept.key);
        }
        Ok((items, bound))
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
            visit_single(&*self.store, rows.txn, (start, end), reverse, &mut |key, row| taking.take_staged(rows, key, row))?;
            chunks.push(taking.chunk);
        }
        if has(|outline| outline.packed) {
            let mut taking = Taking::new(limit);
            visit_packed(&*self.store, rows.txn, (start, end), reverse, &mut |key, row| taking.take_staged(rows, key, row))?;
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

    /// True if anything in the range is newer than the snapshot.
    pub fn changed_since(&self, range: &KeyRange, snapshot: Version) -> Result<bool> {
        let (start, end) = (Bound::Included(range.start.as_ref()), bound_end(&range.end));
        if !range.end.is_empty() && range.start >= range.end {
            return Ok(false);
        }
        let newer = |table: &Table| table.range(start, end).any(|(_, chain)| chain.last().is_some_and(|newest| newest.version > snapshot));
        let frozen = self.frozen.as_ref().is_some_and(|frozen| newer(&frozen.table));
        let storage = storage_of(&range.start);
        let layered = self.layers.iter().any(|layer| layer.version > snapshot && layer.storages.contains_key(&storage));
        if newer(&self.active) || frozen || layered {
            return Ok(true);
        }
        if snapshot >= self.flushed || !self.store_has_rows {
            return Ok(false);
        }
        let mut changed = Ok(false);
        self.store.scan(Space::Current, start, end, false, &mut |_, value| {
            changed = keys::current_version(value).map(|version| version > snapshot);
            if matches!(changed, Ok(false)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        if !changed? {
            let low = keys::history_bound(&range.start);
            let high = if range.end.is_empty() { Vec::new() } else { keys::history_bound(&range.end) };
            let mut found = Ok(false);
            self.store.scan(Space::History, Bound::Included(&low), bound_end(&high), false, &mut |key, _| {
                found = keys::read_history_key(key).map(|(_, version)| version > snapshot);
                if matches!(found, Ok(false)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            return Ok(found?);
        }
        Ok(true)
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
struct Taking {
    chunk: Chunk,
    keys: usize,
    bytes: usize,
    limit: usize,
}

impl Taking {
    fn new(limit: usize) -> Taking {
        Taking { chunk: Chunk::default(), keys: 0, bytes: 0, limit }
    }

    fn take_staged(&mut self, rows: &StagedRows, key: Key, row: Option<Row>) -> ControlFlow<()> {
        let size = row.as_ref().map_or(0, Row::len);
        self.take(key, Some((rows.version, rows.index, row)), size)
    }

    fn take(&mut self, key: Key, item: Option<(Version, u64, Option<Row>)>, size: usize) -> ControlFlow<()> {
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

fn chunk_of_table(table: &Table, start: &Key, end: &Key, reverse: bool, limit: usize, snapshot: Version) -> Chunk {
    let mut range = table.range(Bound::Included(start), bound_end(end));
    let mut taking = Taking::new(limit);
    loop {
        let next = if reverse { range.next_back() } else { range.next() };
        let Some((key, chain)) = next else { return taking.chunk };
        let seen = visible(chain, snapshot);
        let size = seen.and_then(|seen| seen.row.as_ref()).map_or(0, Row::len);
        let item = seen.map(|seen| (seen.version, seen.index, seen.row.clone()));
        if taking.take(Key::copy_from_slice(key), item, size).is_break() {
            return taking.chunk;
        }
    }
}

/// An empty end means no upper end.
pub fn bound_end(end: &[u8]) -> Bound<&[u8]> {
    if end.is_empty() { Bound::Unbounded } else { Bound::Excluded(end) }
}

/// Where a scan goes on after this key: the next `start`, or the next `end` in reverse.
fn resume_after(key: &Key, reverse: bool) -> Key {
    if reverse { key.clone() } else { after(key) }
}

/// The least key above this one.
pub fn after(key: &[u8]) -> Key {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    Key::from(next)
}
