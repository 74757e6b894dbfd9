//! Moving the staged rows of a committed large transaction to `Current`. Part of a job.
//!
//! Many rows are added in files of their own, at the price of one writing. Where something stands already, its older versions go to `History`.

use crate::flush::{BATCH_BYTES, Batching};
use crate::keys;
use crate::read::bound_end;
use crate::staged::{Outline, visit_packed, visit_single};
use crate::state::Layer;
use base::{Result, StorageId, TxnId, Version};
use bytes::Bytes;
use smallvec::SmallVec;
use std::collections::{BTreeMap, VecDeque};
use std::ops::{Bound, ControlFlow};
use storage::access::{Key, Row};
use storage::rows::{Change, RowStore, Space};

/// Older versions that wait in memory for the end of an ingestion: they come behind its rows.
const LATER_BYTES_MAX: usize = 16 * 1024 * 1024;

type Changes = SmallVec<[Change; 2]>;

/// Staged rows of a committed transaction become the current ones.
pub fn move_layer(store: &dyn RowStore, layer: &Layer, horizon: Version) -> Result<()> {
    for (storage, outline) in &layer.storages {
        let mut rows = StagedRows::new(store, layer.txn, *storage, outline);
        let Some(first) = rows.peek()? else { continue };
        if !outline.single && is_untouched(store, &first, &outline.highest)? {
            add(store, layer.version, &mut rows)?;
        } else {
            write_over(store, layer, rows, horizon, LATER_BYTES_MAX)?;
        }
    }
    Ok(())
}

/// A storage's staged rows in the order of their keys, read in batches.
pub(crate) struct StagedRows<'a> {
    store: &'a dyn RowStore,
    txn: TxnId,
    outline: &'a Outline,
    /// Where the next batch starts; `None`: nothing is left.
    from: Option<Bytes>,
    end: Vec<u8>,
    batch: VecDeque<(Key, Option<Row>)>,
}

impl<'a> StagedRows<'a> {
    pub fn new(store: &'a dyn RowStore, txn: TxnId, storage: StorageId, outline: &'a Outline) -> StagedRows<'a> {
        let start = storage.0.to_be_bytes();
        // What lies above was never committed.
        let end = following(&outline.highest).to_vec();
        StagedRows { store, txn, outline, from: Some(Bytes::copy_from_slice(&start)), end, batch: VecDeque::new() }
    }

    /// Nothing is left but what was read ahead.
    fn is_at_end(&self) -> bool {
        self.from.is_none()
    }

    fn peek(&mut self) -> Result<Option<Key>> {
        self.fill()?;
        Ok(self.batch.front().map(|(key, _)| key.clone()))
    }

    pub fn next(&mut self) -> Result<Option<(Key, Option<Row>)>> {
        self.fill()?;
        Ok(self.batch.pop_front())
    }

    /// All that was read ahead.
    fn next_batch(&mut self) -> Result<Vec<(Key, Option<Row>)>> {
        self.fill()?;
        Ok(self.batch.drain(..).collect())
    }

    fn fill(&mut self) -> Result<()> {
        while self.batch.is_empty()
            && let Some(from) = self.from.take()
        {
            let (mut rows, packed_to) = taken(|take| visit_packed(self.store, self.txn, (&from, &self.end), false, take))?;
            let mut upto = packed_to;
            if self.outline.single {
                let end = upto.as_ref().map_or_else(|| self.end.clone(), |upto| following(upto).to_vec());
                let (mut single, single_to) = taken(|take| visit_single(self.store, self.txn, (&from, &end), false, take))?;
                if let Some(bound) = single_to {
                    rows.retain(|(key, _)| *key <= bound);
                    upto = Some(bound);
                }
                // They are newer: of a key's rows the first one stays.
                single.append(&mut rows);
                rows = single;
                rows.sort_by(|a, b| a.0.cmp(&b.0));
                rows.dedup_by(|later, kept| later.0 == kept.0);
            }
            self.from = upto.map(|upto| following(&upto));
            self.batch = rows.into();
        }
        Ok(())
    }
}

/// Rows visited, and the key with which they were enough (`None`: there are no more).
type Taken = (Vec<(Key, Option<Row>)>, Option<Key>);

fn taken(visit: impl FnOnce(&mut dyn FnMut(Key, Option<Row>) -> ControlFlow<()>) -> Result<()>) -> Result<Taken> {
    let (mut rows, mut bytes, mut upto) = (Vec::new(), 0, None);
    visit(&mut |key, row| {
        bytes += key.len() + row.as_ref().map_or(0, Row::len);
        let full = bytes >= BATCH_BYTES;
        upto = full.then(|| key.clone());
        rows.push((key, row));
        if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok((rows, upto))
}

/// Neither a row nor an older version stands between these keys.
fn is_untouched(store: &dyn RowStore, first: &[u8], last: &[u8]) -> Result<bool> {
    let mut untouched = true;
    let mut found = |_: &[u8], _: &[u8]| {
        untouched = false;
        ControlFlow::Break(())
    };
    store.scan(Space::Current, Bound::Included(first), Bound::Included(last), false, &mut found)?;
    let (from, to) = (keys::history_prefix(first), keys::after_prefix(&keys::history_prefix(last)));
    store.scan(Space::History, Bound::Included(&from), bound_end(&to), false, &mut found)?;
    Ok(untouched)
}

/// Deletions of what is not there are left out.
fn add(store: &dyn RowStore, version: Version, rows: &mut StagedRows) -> Result<()> {
    store.ingest(&mut || {
        while let Some((key, row)) = rows.next()? {
            if let Some(row) = row {
                return Ok(Some((Space::Current, key, Some(keys::current_value(version, &row)))));
            }
        }
        Ok(None)
    })
}

/// Ingestions, each of which may be repeated; a few rows as an ordinary batch.
fn write_over(store: &dyn RowStore, layer: &Layer, rows: StagedRows, horizon: Version, later_bytes_max: usize) -> Result<()> {
    let mut moved = Moved { layer, horizon, rows, batch: Vec::new().into_iter(), standing: Standing::new(store) };
    if moved.take_batch()? && moved.rows.is_at_end() {
        let mut out = Batching::new(store);
        while let Some(changes) = moved.next()? {
            changes.into_iter().for_each(|(space, key, value)| out.push(space, key, value));
        }
        return out.write();
    }
    while moved.has_more()? {
        let (mut later, mut later_bytes) = (Vec::new(), 0);
        let mut rest = None;
        store.ingest(&mut || {
            while rest.is_none()
                && later_bytes < later_bytes_max
                && let Some(changes) = moved.next()?
            {
                let mut current = None;
                for change in changes {
                    match change.0 {
                        Space::Current => current = Some(change),
                        _ => {
                            later_bytes += change.1.len() + change.2.as_ref().map_or(0, Bytes::len);
                            later.push(change);
                        }
                    }
                }
                if current.is_some() {
                    return Ok(current);
                }
            }
            let rest = rest.get_or_insert_with(|| {
                let mut later = std::mem::take(&mut later);
                later.sort_by(|a, b| a.1.cmp(&b.1));
                later.into_iter()
            });
            Ok(rest.next())
        })?;
    }
    Ok(())
}

/// What staged rows become, one after the other.
struct Moved<'a> {
    layer: &'a Layer,
    horizon: Version,
    rows: StagedRows<'a>,
    batch: std::vec::IntoIter<(Key, Option<Row>)>,
    standing: Standing<'a>,
}

impl Moved<'_> {
    fn has_more(&mut self) -> Result<bool> {
        Ok(self.batch.len() > 0 || self.take_batch()?)
    }

    fn take_batch(&mut self) -> Result<bool> {
        let batch = self.rows.next_batch()?;
        self.standing.look(&batch)?;
        self.batch = batch.into_iter();
        Ok(self.batch.len() > 0)
    }

    fn next(&mut self) -> Result<Option<Changes>> {
        if !self.has_more()? {
            return Ok(None);
        }
        let (key, row) = self.batch.next().expect("it was just seen");
        self.row(key, row).map(Some)
    }

    /// What there is to write for a row. Belongs together.
    fn row(&mut self, key: Key, row: Option<Row>) -> Result<Changes> {
        let version = self.layer.version;
        let current = self.standing.current(&key)?;
        let current_version = current.as_deref().map(keys::current_version).transpose()?;
        let newer = match current_version {
            Some(current) => Some(current).filter(|current| *current >= version),
            // A later deletion may have been flushed before.
            None => self.standing.newest_in_history(&key)?.filter(|deleted| *deleted >= version),
        };
        let mut out = Changes::new();
        if newer == Some(version) {
            // The transaction wrote it again after it was staged, with its commit.
            return Ok(out);
        }
        let mut history = |of: Version, until: Version, row: Option<&[u8]>| {
            out.push((Space::History, keys::history_key(&key, of), Some(keys::history_value(until, row))));
        };
        if let Some(until) = newer {
            history(version, until, row.as_deref());
            return Ok(out);
        }
        if let (Some(value), Some(before)) = (&current, current_version)
            && before < version
            && version > self.horizon
        {
            history(before, version, Some(&value[8..]));
        }
        if row.is_none() {
            history(version, version, None);
        }
        out.push((Space::Current, key, row.map(|row| keys::current_value(version, &row))));
        Ok(out)
    }
}

/// What stands in the store for the rows of a batch, found with few looks where there is little. Keys come in ascending order.
struct Standing<'a> {
    store: &'a dyn RowStore,
    /// `None`: too much to look at; each row is looked up.
    current: Option<BTreeMap<Bytes, Bytes>>,
    history: Next,
}

/// What was found last in the history: the first of its keys that is not below the one that was asked for, and that key's newest version.
enum Next {
    Unknown,
    Key(Key, Version),
    None,
}

impl<'a> Standing<'a> {
    fn new(store: &'a dyn RowStore) -> Standing<'a> {
        Standing { store, current: None, history: Next::Unknown }
    }

    fn look(&mut self, rows: &[(Key, Option<Row>)]) -> Result<()> {
        let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else { return Ok(()) };
        let mut current = BTreeMap::new();
        let most = rows.len().saturating_mul(2).max(64);
        self.store.scan(Space::Current, Bound::Included(first), Bound::Included(last), false, &mut |key, value| {
            current.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
            if current.len() > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        self.current = (current.len() <= most).then_some(current);
        Ok(())
    }

    fn current(&self, key: &Bytes) -> Result<Option<Bytes>> {
        match &self.current {
            Some(current) => Ok(current.get(key).cloned()),
            None => self.store.get(Space::Current, key),
        }
    }

    fn newest_in_history(&mut self, key: &Key) -> Result<Option<Version>> {
        let known = match &self.history {
            Next::Unknown => false,
            Next::Key(next, _) => next >= key,
            Next::None => true,
        };
        if !known {
            self.history = self.look_into_history(key)?;
        }
        match &self.history {
            Next::Key(next, version) if next == key => Ok(Some(*version)),
            _ => Ok(None),
        }
    }

    fn look_into_history(&self, key: &Key) -> Result<Next> {
        let from = keys::history_prefix(key);
        let mut next = Ok(Next::None);
        self.store.scan(Space::History, Bound::Included(&from), Bound::Unbounded, false, &mut |key, _| {
            next = keys::read_history_key(key).map(|(key, version)| Next::Key(key, version));
            ControlFlow::Break(())
        })?;
        Ok(next?)
    }
}

/// The first key above this one.
fn following(key: &[u8]) -> Bytes {
    let mut next = key.to_vec();
    next.push(0);
    Bytes::from(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::staged::Storages;
    use crate::staged::tests::{TXN, key, parts, stage};
    use base::{Prng, ShardId};
    use std::sync::Arc;
    use storage::rows::{Batch, MemoryRows, RowStores};

    fn store() -> Arc<dyn RowStore> {
        MemoryRows::new().open(ShardId(1)).unwrap()
    }

    fn rows_of(store: &dyn RowStore, space: Space) -> BTreeMap<Bytes, Bytes> {
        let mut found = BTreeMap::new();
        let mut take = |key: &[u8], value: &[u8]| {
            found.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
            ControlFlow::Continue(())
        };
        store.scan(space, Bound::Included(&[]), Bound::Unbounded, false, &mut take).unwrap();
        found
    }

    fn layer(storages: Storages) -> Layer {
        Layer { txn: TXN, version: Version(50), index: 9, alone: true, storages }
    }

    #[test]
    fn staged_rows_become_current_whatever_form_they_had_and_whatever_stood_there() {
        for seed in 0..40 {
            let mut prng = Prng::new(seed);
            let store = store();
            let staged = parts(&mut prng, [10, 60_000][seed as usize % 2]);
            let staged = if seed % 4 < 2 { &staged[..2] } else { &staged[..] };
            let (storages, all) = stage(&*store, staged);
            let mut expected: BTreeMap<Bytes, Bytes> = BTreeMap::new();
            if seed % 3 > 0 {
                // Of a transaction before it, of one behind it, and of nobody who matters.
                let stood = [(all.keys().next().unwrap().clone(), 3), (all.keys().last().unwrap().clone(), 60), (key(7, 50_000), 3)];
                expected.extend(stood.map(|(key, version)| (key, keys::current_value(Version(version), b"stood"))));
                let changes = expected.iter().map(|(key, value)| (Space::Current, key.clone(), Some(value.clone()))).collect();
                store.write(Batch { changes }).unwrap();
            }
            for (key, row) in &all {
                let newer = expected.get(key).is_some_and(|value| keys::current_version(value).unwrap() > Version(50));
                match row {
                    _ if newer => {}
                    Some(row) => drop(expected.insert(key.clone(), keys::current_value(Version(50), row))),
                    None => drop(expected.remove(key)),
                }
            }
            // A crash in between has it done again.
            for _ in 0..2 {
                move_layer(&*store, &layer(storages.clone()), Version::ZERO).unwrap();
                assert_eq!(rows_of(&*store, Space::Current), expected, "seed {seed}");
            }
        }
    }

    #[test]
    fn what_was_replaced_stays_in_the_history() {
        let store = store();
        let (replaced, deleted) = (key(7, 1), key(7, 2));
        let stood = |key: &Bytes| (Space::Current, key.clone(), Some(keys::current_value(Version(3), b"old")));
        store.write(Batch { changes: vec![stood(&replaced), stood(&deleted)] }).unwrap();
        let (storages, _) = stage(&*store, &[vec![(replaced.clone(), Some(Bytes::from_static(b"new"))), (deleted.clone(), None)]]);
        move_layer(&*store, &layer(storages), Version::ZERO).unwrap();
        let history = rows_of(&*store, Space::History);
        assert_eq!(history[&keys::history_key(&replaced, Version(3))], keys::history_value(Version(50), Some(b"old")));
        assert_eq!(history[&keys::history_key(&deleted, Version(3))], keys::history_value(Version(50), Some(b"old")));
        assert_eq!(history[&keys::history_key(&deleted, Version(50))], keys::history_value(Version(50), None));
    }

    #[test]
    fn rows_are_moved_over_whatever_stands_there() {
        for seed in 0..30 {
            let (mut prng, store, count) = (Prng::new(seed), store(), 4000);
            let horizon = Version([0, 55][seed as usize % 2]);
            let (mut current, mut history, mut staged) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
            let history_of = |key: &Bytes, version, until, row: Option<&[u8]>| {
                (keys::history_key(key, Version(version)), keys::history_value(Version(until), row))
            };
            for number in 0..count {
                let key = key(7, number);
                let stands = if prng.below(3) == 0 { prng.between(1, 100) } else { 0 };
                let deleted = if stands == 0 && prng.below(5) == 0 { prng.between(1, 100) } else { 0 };
                if stands > 0 {
                    current.insert(key.clone(), keys::current_value(Version(stands), b"stood"));
                }
                if deleted > 0 {
                    history.extend([history_of(&key, deleted, deleted, None), history_of(&key, deleted / 2, deleted, Some(b"gone"))]);
                }
                if prng.below(10) > 0 {
                    let row = (prng.below(4) > 0).then(|| Bytes::from(vec![b'r'; prng.between(1, 2000) as usize]));
                    staged.push((key, row, stands.max(deleted), stands > 0));
                }
            }
            let all = |space: Space, rows: &BTreeMap<Bytes, Bytes>| -> Vec<Change> {
                rows.iter().map(|(key, value)| (space, key.clone(), Some(value.clone()))).collect()
            };
            let changes = [all(Space::Current, &current), all(Space::History, &history)].concat();
            store.write(Batch { changes }).unwrap();
            let rows: Vec<_> = staged.iter().map(|(key, row, ..)| (key.clone(), row.clone())).collect();
            let (storages, _) = stage(&*store, &[rows]);
            for (key, row, newest, stood) in staged {
                match newest {
                    50 => continue,
                    51.. => history.extend([history_of(&key, 50, newest, row.as_deref())]),
                    _ => {
                        if stood && horizon < Version(50) {
                            history.extend([history_of(&key, newest, 50, Some(b"stood"))]);
                        }
                        match row {
                            Some(row) => drop(current.insert(key, keys::current_value(Version(50), &row))),
                            None => {
                                history.extend([history_of(&key, 50, 50, None)]);
                                current.remove(&key);
                            }
                        }
                    }
                }
            }
            // A crash in between has it done again.
            for _ in 0..2 {
                let layer = layer(storages.clone());
                let (storage, outline) = layer.storages.iter().next().unwrap();
                let rows = StagedRows::new(&*store, TXN, *storage, outline);
                write_over(&*store, &layer, rows, horizon, 10_000).unwrap();
                assert_eq!(rows_of(&*store, Space::Current), current, "seed {seed}");
                assert_eq!(rows_of(&*store, Space::History), history, "seed {seed}");
            }
        }
    }
}
