//! Rows of large transactions in the store, before their commit and until they are moved to `Current`.
//!
//! A run of rows whose keys lie above all that the transaction has staged in their storage is stored as one value, in `Packed`: its bytes are those of
//! the log. So runs never overlap. Every other row stands by itself in `Staged`, and is newer than what a run has of it. Which of
//! the two it is follows from the log alone, so it is the same on every replica.

use crate::keys;
use crate::read::bound_end;
use crate::wire::{Read, Reader, Writer};
use base::{Result, StorageId, TxnId};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use storage::access::{Key, Row, storage_of};
use storage::packed::{Packed, Run};
use storage::rows::{Batch, RowStore, Space};

/// Bytes of one packed run, about: what reading one of its rows costs.
const RUN_BYTES: usize = 32 * 1024;

/// What is known of a transaction's staged rows in one storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Nothing above it was staged.
    pub highest: Key,
    /// Some stand in `Packed`.
    pub packed: bool,
    /// Some stand in `Staged`.
    pub single: bool,
}

pub type Storages = BTreeMap<StorageId, Outline>;

/// Parts of a large transaction that is not committed yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    pub parts: u32,
    pub storages: Storages,
}

/// Decides where the rows of a part go, and notes it.
pub fn lay_out(storages: &mut Storages, txn: TxnId, changes: &Packed) -> Batch {
    let mut batch = Batch::default();
    for (first, last, run) in changes.runs(RUN_BYTES) {
        // What is kept must not keep the whole part in memory.
        let (storage, last) = (storage_of(&first), Key::copy_from_slice(&last));
        let new = || Outline { highest: Key::new(), packed: false, single: false };
        let outline = storages.entry(storage).or_insert_with(new);
        if first > outline.highest {
            outline.packed = true;
            batch.changes.push((Space::Packed, keys::staged_key(txn, &first), Some(run.0)));
        } else {
            outline.single = true;
            let rows = run.changes().expect("the part was checked when it was read");
            let put =
                |(key, row): (Key, Option<Row>)| (Space::Staged, keys::staged_key(txn, &key), Some(keys::staged_value(row.as_deref())));
            batch.changes.extend(rows.into_iter().map(put));
        }
        outline.highest = last.max(std::mem::take(&mut outline.highest));
    }
    batch
}

/// What a transaction has staged for a key; `None` if nothing, `Some(None)` if its deletion.
pub fn find(store: &dyn RowStore, txn: TxnId, storages: &Storages, key: &[u8]) -> Result<Option<Option<Row>>> {
    let Some(outline) = storages.get(&storage_of(key)).filter(|outline| key <= &outline.highest[..]) else { return Ok(None) };
    if outline.single
        && let Some(value) = store.get(Space::Staged, &keys::staged_key(txn, key))?
    {
        return Ok(Some(keys::read_staged_value(&value)?));
    }
    if !outline.packed {
        return Ok(None);
    }
    match run_at(store, txn, key)? {
        Some((_, run)) => run.find(key),
        None => Ok(None),
    }
}

/// The last run that starts at or before a key, with its own key in `Packed`.
fn run_at(store: &dyn RowStore, txn: TxnId, key: &[u8]) -> Result<Option<(Bytes, Run)>> {
    let (low, high) = (keys::staged_prefix(txn), keys::staged_key(txn, key));
    let mut found = None;
    store.scan(Space::Packed, Bound::Included(&low), Bound::Included(&high), true, &mut |key, value| {
        found = Some((Bytes::copy_from_slice(key), Run(Bytes::copy_from_slice(value))));
        ControlFlow::Break(())
    })?;
    Ok(found)
}

/// Visits the packed rows of a transaction in `start..end` (an empty end: all), in order of their keys or in reverse.
pub fn visit_packed(
    store: &dyn RowStore,
    txn: TxnId,
    (start, end): (&[u8], &[u8]),
    reverse: bool,
    visit: &mut dyn FnMut(Key, Option<Row>) -> ControlFlow<()>,
) -> Result<()> {
    // The run in which the range starts may begin before it.
    let low = run_at(store, txn, start)?.map_or_else(|| keys::staged_key(txn, start), |(key, _)| key);
    let high = high_of(txn, end);
    visit_entries(store, Space::Packed, (&low, &high), reverse, |_, value| {
        let mut rows = Run(Bytes::copy_from_slice(value)).changes()?;
        if reverse {
            rows.reverse();
        }
        let inside = |key: &Key| &key[..] >= start && (end.is_empty() || &key[..] < end);
        Ok(rows.into_iter().filter(|(key, _)| inside(key)).try_for_each(|(key, row)| visit(key, row)))
    })
}

/// Visits the rows of a transaction that stand by themselves, as [`visit_packed`] does.
pub fn visit_single(
    store: &dyn RowStore,
    txn: TxnId,
    (start, end): (&[u8], &[u8]),
    reverse: bool,
    visit: &mut dyn FnMut(Key, Option<Row>) -> ControlFlow<()>,
) -> Result<()> {
    let (low, high) = (keys::staged_key(txn, start), high_of(txn, end));
    visit_entries(store, Space::Staged, (&low, &high), reverse, |key, value| {
        Ok(visit(Key::copy_from_slice(&key[keys::STAGED_PREFIX_BYTES..]), keys::read_staged_value(value)?))
    })
}

/// Where the entries of a transaction end that are below a row's key; an empty one: where all of them end.
fn high_of(txn: TxnId, end: &[u8]) -> Vec<u8> {
    if end.is_empty() { keys::after_prefix(&keys::staged_prefix(txn)) } else { keys::staged_key(txn, end).to_vec() }
}

/// Scans a space; the first error of the visitor ends it.
fn visit_entries(
    store: &dyn RowStore,
    space: Space,
    (low, high): (&[u8], &[u8]),
    reverse: bool,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut failed = None;
    store.scan(space, Bound::Included(low), bound_end(high), reverse, &mut |key, value| {
        visit(key, value).unwrap_or_else(|error| {
            failed = Some(error);
            ControlFlow::Break(())
        })
    })?;
    failed.map_or(Ok(()), Err)
}

pub fn write_outlines(w: &mut Writer, storages: &Storages) {
    w.count(storages.len());
    for (storage, outline) in storages {
        w.u32(storage.0);
        w.bytes(&outline.highest);
        w.bool(outline.packed);
        w.bool(outline.single);
    }
}

pub fn read_outlines(r: &mut Reader) -> Read<Storages> {
    let mut storages = Storages::new();
    for _ in 0..r.count(10)? {
        let storage = StorageId(r.u32()?);
        storages.insert(storage, Outline { highest: r.bytes()?, packed: r.bool()?, single: r.bool()? });
    }
    Ok(storages)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use base::{NodeId, Prng, ShardId};
    use storage::packed::Packer;
    use storage::rows::{MemoryRows, RowStores};

    pub const TXN: TxnId = TxnId { started: 1, node: NodeId(1), boot: 1, sequence: 1 };

    pub fn key(storage: u32, row: u32) -> Bytes {
        Bytes::from([storage.to_be_bytes(), row.to_be_bytes()].concat())
    }

    /// Stages parts and gives what they come to.
    pub fn stage(store: &dyn RowStore, parts: &[Vec<(Bytes, Option<Bytes>)>]) -> (Storages, BTreeMap<Bytes, Option<Bytes>>) {
        let (mut storages, mut all) = (Storages::new(), BTreeMap::new());
        for part in parts {
            let mut packer = Packer::default();
            for (key, row) in part {
                packer.push(key, row.as_deref());
            }
            store.write(lay_out(&mut storages, TXN, &packer.finish())).unwrap();
            all.extend(part.iter().cloned());
        }
        (storages, all)
    }

    /// Parts of rows of two storages, at most `step` apart; every third one overlaps those before it.
    pub fn parts(prng: &mut Prng, row_bytes: usize) -> Vec<Vec<(Bytes, Option<Bytes>)>> {
        let mut parts = Vec::new();
        for number in 0..6u32 {
            let mut part = BTreeMap::new();
            let start = if number % 3 == 2 { 0 } else { number * 1_000 };
            for _ in 0..prng.below(60) + 1 {
                let row = (prng.below(8) > 0).then(|| Bytes::from(vec![number as u8; row_bytes]));
                part.insert(key(7 + prng.below(2) as u32, start + prng.below(900) as u32), row);
            }
            parts.push(part.into_iter().collect());
        }
        parts
    }

    #[test]
    fn what_was_staged_last_is_found_whatever_form_it_has() {
        for seed in 0..20 {
            let mut prng = Prng::new(seed);
            let store = MemoryRows::new().open(ShardId(1)).unwrap();
            let bytes = [10, 2_000][seed as usize % 2];
            let (storages, all) = stage(&*store, &parts(&mut prng, bytes));
            assert!(storages.values().any(|outline| outline.packed));
            for row in 0..5_100 {
                let key = key(7, row);
                assert_eq!(find(&*store, TXN, &storages, &key).unwrap(), all.get(&key).cloned(), "row {row} of seed {seed}");
            }
            for reverse in [false, true] {
                let (start, end) = (key(7, prng.below(3_000) as u32), key(8, prng.below(3_000) as u32));
                let mut seen = BTreeMap::new();
                let mut last: Option<Bytes> = None;
                let mut take = |key: Key, row: Option<Row>| {
                    assert!(last.as_ref().is_none_or(|last| (*last < key) != reverse), "in order");
                    last = Some(key.clone());
                    seen.insert(key, row);
                    ControlFlow::Continue(())
                };
                visit_packed(&*store, TXN, (&start, &end), reverse, &mut take).unwrap();
                visit_single(&*store, TXN, (&start, &end), false, &mut |key, row| {
                    seen.insert(key, row);
                    ControlFlow::Continue(())
                })
                .unwrap();
                let expected: BTreeMap<_, _> = all.range(start..end).map(|(key, row)| (key.clone(), row.clone())).collect();
                assert_eq!(seen, expected, "seed {seed}");
            }
        }
    }
}
