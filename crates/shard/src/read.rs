//! Reading one row or a range as of a snapshot, through all layers that may hold its versions.
//!
//! Newest first: active table, frozen table, tables on their way into the cache, staged layers of committed large transactions,
//! `Current` (through the cache), `History`. Rows of undecided transactions are reported to the caller.

use crate::below::{self, Below, Chunk, Fetched, Item, Stored, Taking};
use crate::keys;
use crate::staged;
use crate::state::{Layer, State};
use crate::table::{Table, visible};
use base::{Result, TxnId, Version};
use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow};
use storage::access::{Found, Key, KeyRange, Row, SCAN_BYTES_MAX, SCAN_ROWS_MAX, storage_of};
use storage::rows::Space;

/// Keys that one scan looks at before it answers with what it has.
const SCAN_KEYS_MAX: usize = 16 * 1024;
/// Keys taken from each layer at a time.
const CHUNK_KEYS_MAX: usize = 512;
/// The same of a scan that a job reads for: each of its parts costs a way there and back.
pub const FETCHED_KEYS_MAX: usize = 4096;
/// Among the versions of a row: what the reading transaction itself has staged, newer than all.
pub const OWN: Version = Version::MAX;

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
        let fetched = self.fetched.row(key, snapshot, self.last_version);
        let (layered, newest) = match &fetched {
            Some(fetched) => fetched.layered.clone(),
            None if self.layers.is_empty() => (Seen::default(), false),
            None => self.below().layered(key, snapshot, memory.as_ref().map_or(Version::ZERO, |seen| seen.version))?,
        };
        let seen = match memory {
            Some(seen) => seen,
            None if newest => {
                self.cache_layered(key, &layered, snapshot);
                Seen::default()
            }
            None if self.store_has_rows => match fetched {
                Some(fetched) => self.take_in(key, fetched.stored, snapshot),
                None => {
                    // What was flushed may be newer than a layer that is not moved yet, also a deletion.
                    let stored = self.below().stored(key, snapshot, layered.version > Version::ZERO)?;
                    if stored.current.is_some() && !self.is_layered(key) && self.cache.has_room() {
                        self.read_ahead(key)?;
                    }
                    self.take_in(key, stored, snapshot)
                }
            },
            None => Seen::default(),
        };
        Ok(if layered.version > seen.version { layered } else { seen })
    }

    /// What a transaction has staged for a key; `None` if nothing.
    pub fn get_staged(&self, txn: TxnId, key: &[u8]) -> Result<Option<Seen>> {
        let found = match self.fetched.own(txn, key) {
            Some(found) => found,
            None => match self.staged.get(&txn) {
                Some(staged) => staged::find(&*self.store, txn, &staged.storages, key)?,
                None => None,
            },
        };
        Ok(found.map(|row| Seen { version: Version::ZERO, index: 0, row }))
    }

    /// Whether [`State::get`] would have to look below what is in memory.
    pub fn looks_below(&self, key: &[u8], snapshot: Version) -> bool {
        if !self.store_has_rows {
            return false;
        }
        let found = self.tables().find_map(|table| table.get(key).and_then(|chain| visible(chain, snapshot)));
        let storage = storage_of(key);
        let may_have = |layer: &Layer| layer.version <= snapshot && layer.storages.contains_key(&storage);
        match found {
            Some(found) => self.layers.iter().any(|layer| layer.version > found.version && may_have(layer)),
            None => self.cache.peek(key).is_none_or(|version| version > snapshot),
        }
    }

    /// The store may make this thread wait for a disk.
    pub fn may_wait_below(&self, own: bool) -> bool {
        let waits = |space| self.store.may_wait(space);
        self.store_has_rows && (waits(Space::Current) || ((own || !self.layers.is_empty()) && waits(Space::Packed)))
    }

    pub fn below(&self) -> Below<'_> {
        Below { store: &*self.store, flushed: self.flushed, layers: &self.layers }
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        [Some(&self.active), self.frozen.as_ref().map(|frozen| &*frozen.table), Some(&self.draining)].into_iter().flatten()
    }

    fn get_from_memory(&self, key: &[u8], snapshot: Version) -> Option<Seen> {
        let found = self.tables().find_map(|table| table.get(key).and_then(|chain| visible(chain, snapshot)))?;
        Some(Seen { version: found.version, index: found.index, row: found.row.clone() })
    }

    /// A row of a layer is cached if it is known to be the newest of all, for good.
    fn cache_layered(&mut self, key: &[u8], layered: &Seen, snapshot: Version) {
        let newest = self.layers.iter().all(|layer| layer.version <= snapshot) && !self.in_memory(key);
        if let Some(row) = layered.row.as_ref().filter(|_| newest && layered.index <= self.settled) {
            self.cache.insert(key, layered.version, row);
        }
    }

    /// `deletions`: also the newest row's deletion is wanted.
    /// What the store has of a row goes into the cache, unless a layer may have a newer one.
    fn take_in(&mut self, key: &[u8], stored: Stored, snapshot: Version) -> Seen {
        let Some((version, row)) = stored.current else { return stored.past };
        if !self.is_layered(key) && !self.in_memory(key) {
            self.cache.insert(key, version, &row);
        }
        if version <= snapshot { Seen { version, index: 0, row: Some(row) } } else { stored.past }
    }

    /// Puts the rows after this one into the cache, as far as its table goes.
    fn read_ahead(&mut self, key: &[u8]) -> Result<()> {
        let store = self.store.clone();
        below::ahead(&*store, key, |next, version, row| {
            if !self.in_memory(next) {
                self.cache.insert(next, version, row);
            }
        })
    }

    /// What a job has read is at hand until [`State::forget_fetched`]. Nothing may have moved since it was asked for.
    pub fn take_fetched(&mut self, fetched: Fetched) {
        for (key, version, row) in &fetched.ahead {
            if !self.in_memory(key) && !self.is_layered(key) {
                self.cache.insert(key, *version, row);
            }
        }
        self.fetched = fetched;
    }

    pub fn forget_fetched(&mut self) {
        self.fetched = Fetched::default();
    }

    /// A layer may have a row of this key.
    pub fn is_layered(&self, key: &[u8]) -> bool {
        !self.layers.is_empty() && {
            let storage = storage_of(key);
            self.layers.iter().any(|layer| layer.storages.contains_key(&storage))
        }
    }

    fn in_memory(&self, key: &[u8]) -> bool {
        self.tables().any(|table| table.get(key).is_some())
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
    pub fn scan(&mut self, range: &KeyRange, reverse: bool, rows_max: u32, snapshot: Version, own: Option<TxnId>) -> Result<Scanned> {
        self.scan_rows(range, reverse, rows_max, snapshot, own, true)
    }

    /// Without `stop`, undecided rows are taken as if they were aborted.
    pub fn scan_rows(
        &mut self,
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
        // Beyond what a job has read, another one reads.
        let mut fetched = self.fetched.take_part(range, reverse, snapshot, self.last_version);
        let all_here = fetched.is_none();
        loop {
            if !end.is_empty() && start >= end {
                return Ok(scanned);
            }
            let limit = if all_here { chunk_keys(rows_max - scanned.rows.len(), CHUNK_KEYS_MAX) } else { FETCHED_KEYS_MAX };
            let (items, bound) = self.chunk(&start, &end, reverse, limit, snapshot, own, fetched.take())?;
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
            if !all_here || keys_seen >= SCAN_KEYS_MAX || scanned.rows.len() >= rows_max || bytes >= SCAN_BYTES_MAX {
                scanned.resume = Some(next);
                return Ok(scanned);
            }
            if reverse { end = next } else { start = next }
        }
    }

    /// The visible version of each key of the first part of a range, deletions included, and how far that part goes.
    #[expect(clippy::too_many_arguments, reason = "a part of a scan and all that it depends on")]
    fn chunk(
        &self,
        start: &Key,
        end: &Key,
        reverse: bool,
        limit: usize,
        snapshot: Version,
        own: Option<TxnId>,
        fetched: Option<Vec<Chunk>>,
    ) -> Result<(Vec<Item>, Option<Key>)> {
        let mut chunks = Vec::with_capacity(4);
        chunks.push(chunk_of_table(&self.active, start, end, reverse, limit, snapshot));
        if let Some(frozen) = &self.frozen {
            chunks.push(chunk_of_table(&frozen.table, start, end, reverse, limit, snapshot));
        }
        match fetched {
            Some(fetched) => chunks.extend(fetched),
            None if self.store_has_rows => {
                let own = own.and_then(|txn| self.staged.get_key_value(&txn)).map(|(txn, staged)| (*txn, &staged.storages));
                self.below().chunks((start, end), reverse, limit, snapshot, own, &mut chunks)?;
            }
            None => {}
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

/// How many keys to take from each layer for so many rows.
pub fn chunk_keys(rows: usize, max: usize) -> usize {
    (rows + 1).clamp(16, max)
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
