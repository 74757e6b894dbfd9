//! Moving the staged rows of a committed large transaction to `Current`. Part of a job.
//!
//! Where nothing stands yet the rows are added in files of their own, at the price of one writing; elsewhere row by row, older
//! versions going to `History`.

use crate::flush::{BATCH_BYTES, Batching};
use crate::keys;
use crate::read::bound_end;
use crate::staged::{Outline, visit_packed, visit_single};
use crate::state::Layer;
use base::{Result, StorageId, TxnId, Version};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::ops::{Bound, ControlFlow};
use storage::access::{Key, Row};
use storage::rows::{RowStore, Space};

/// Staged rows of a committed transaction become the current ones.
pub fn move_layer(store: &dyn RowStore, layer: &Layer, horizon: Version) -> Result<()> {
    for (storage, outline) in &layer.storages {
        let mut rows = StagedRows::new(store, layer.txn, *storage, outline);
        let Some(first) = rows.peek()? else { continue };
        if !outline.single && is_untouched(store, &first, &outline.highest)? {
            add(store, layer.version, &mut rows)?;
        } else {
            write_over(store, layer, &mut rows, horizon)?;
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

fn write_over(store: &dyn RowStore, layer: &Layer, rows: &mut StagedRows, horizon: Version) -> Result<()> {
    loop {
        let batch = rows.next_batch()?;
        if batch.is_empty() {
            return Ok(());
        }
        let standing = Standings::of(store, &batch)?;
        let mut out = Batching::new(store);
        for (key, row) in batch {
            move_row(&mut out, layer, &key, row, &standing, horizon)?;
        }
        out.write()?;
    }
}

/// What stands in the store for the rows of one batch, found with one look where that shows that there is little.
struct Standings {
    /// `None`: too much to look at; each row is looked up.
    current: Option<BTreeMap<Bytes, Bytes>>,
    has_history: bool,
}

impl Standings {
    fn of(store: &dyn RowStore, rows: &[(Key, Option<Row>)]) -> Result<Standings> {
        let ((first, _), (last, _)) = (rows.first().expect("a batch has rows"), rows.last().expect("a batch has rows"));
        let mut current = BTreeMap::new();
        let most = rows.len().saturating_mul(2).max(64);
        store.scan(Space::Current, Bound::Included(first), Bound::Included(last), false, &mut |key, value| {
            current.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
            if current.len() > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let mut has_history = false;
        let (from, to) = (keys::history_prefix(first), keys::after_prefix(&keys::history_prefix(last)));
        store.scan(Space::History, Bound::Included(&from), bound_end(&to), false, &mut |_, _| {
            has_history = true;
            ControlFlow::Break(())
        })?;
        Ok(Standings { current: (current.len() <= most).then_some(current), has_history })
    }

    fn current(&self, store: &dyn RowStore, key: &Bytes) -> Result<Option<Bytes>> {
        match &self.current {
            Some(current) => Ok(current.get(key).cloned()),
            None => store.get(Space::Current, key),
        }
    }

    fn newest_deleted(&self, store: &dyn RowStore, key: &Bytes) -> Result<Option<Version>> {
        if self.has_history { newest_in_history(store, key) } else { Ok(None) }
    }
}

fn move_row(out: &mut Batching, layer: &Layer, key: &Bytes, row: Option<Bytes>, standing: &Standings, horizon: Version) -> Result<()> {
    let version = layer.version;
    let current = standing.current(out.store, key)?;
    let current_version = current.as_deref().map(keys::current_version).transpose()?;
    let newer = match current_version {
        Some(current) => Some(current).filter(|current| *current >= version),
        // A later deletion may have been flushed before.
        None => standing.newest_deleted(out.store, key)?.filter(|deleted| *deleted >= version),
    };
    if newer == Some(version) {
        // The transaction wrote it again after it was staged, with its commit.
        return Ok(());
    }
    if let Some(until) = newer {
        out.push(Space::History, keys::history_key(key, version), Some(keys::history_value(until, row.as_deref())));
        return Ok(());
    }
    if let (Some(value), Some(before)) = (&current, current_version)
        && before < version
        && version > horizon
    {
        out.push(Space::History, keys::history_key(key, before), Some(keys::history_value(version, Some(&value[8..]))));
    }
    match row {
        Some(row) => out.push(Space::Current, key.clone(), Some(keys::current_value(version, &row))),
        None => {
            out.push(Space::History, keys::history_key(key, version), Some(keys::history_value(version, None)));
            out.push(Space::Current, key.clone(), None);
        }
    }
    Ok(())
}

fn newest_in_history(store: &dyn RowStore, key: &[u8]) -> Result<Option<Version>> {
    let prefix = keys::history_prefix(key);
    let mut newest = Ok(None);
    store.scan(Space::History, Bound::Included(&prefix), bound_end(&keys::after_prefix(&prefix)), false, &mut |key, _| {
        newest = keys::read_history_key(key).map(|(_, version)| Some(version));
        ControlFlow::Break(())
    })?;
    Ok(newest?)
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
}
