//! Which rows prepared transactions will write if they commit.
//!
//! Looked at by every read while any transaction is prepared. The keys of a small one stand in a tree with those of all other small ones; those of a
//! large one are kept in order by themselves, because putting thousands into the tree and taking them out again costs more than searching
//! each of the few large ones.

use crate::entry::{Change, Prepare};
use base::{TxnId, Version};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use storage::access::Key;

/// Changes of a transaction whose keys are kept by themselves.
const LARGE_CHANGES: usize = 256;

#[derive(Default)]
pub struct Undecided {
    small: BTreeMap<Key, (TxnId, Version)>,
    large: Vec<Large>,
}

struct Large {
    prepare: Arc<Prepare>,
    /// Places of the changes in the order of their keys.
    order: Vec<u32>,
}

impl Large {
    fn new(prepare: Arc<Prepare>) -> Large {
        let mut order: Vec<u32> = (0..).take(prepare.changes.len()).collect();
        // Most are in order already, which the sort finds out with one look at each.
        order.sort_by(|a, b| change(&prepare, *a).key.cmp(&change(&prepare, *b).key));
        Large { prepare, order }
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.order.iter().map(|at| &change(&self.prepare, *at).key)
    }

    fn holds(&self, key: &[u8]) -> bool {
        self.order.binary_search_by(|at| change(&self.prepare, *at).key.as_ref().cmp(key)).is_ok()
    }

    fn holds_any(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> bool {
        let first = self.order.partition_point(|at| !is_behind(start, &change(&self.prepare, *at).key));
        self.order.get(first).is_some_and(|at| match end {
            Bound::Included(end) => change(&self.prepare, *at).key.as_ref() <= end,
            Bound::Excluded(end) => change(&self.prepare, *at).key.as_ref() < end,
            Bound::Unbounded => true,
        })
    }

    /// Walks through the keys of both, which are in order.
    fn shares_one(&self, other: &Large) -> bool {
        let (mut ours, mut theirs) = (self.keys().peekable(), other.keys().peekable());
        while let (Some(our), Some(their)) = (ours.peek(), theirs.peek()) {
            match our.cmp(their) {
                std::cmp::Ordering::Less => drop(ours.next()),
                std::cmp::Ordering::Greater => drop(theirs.next()),
                std::cmp::Ordering::Equal => return true,
            }
        }
        false
    }
}

fn change(prepare: &Prepare, at: u32) -> &Change {
    &prepare.changes[at as usize]
}

/// The key lies in a range that begins so, as far as the beginning tells.
fn is_behind(start: Bound<&[u8]>, key: &[u8]) -> bool {
    match start {
        Bound::Included(start) => start <= key,
        Bound::Excluded(start) => start < key,
        Bound::Unbounded => true,
    }
}

impl Undecided {
    /// The transaction's changes are undecided from now on.
    ///
    /// # Panics
    /// If another one's undecided changes have one of its keys: they would have to be locked by both.
    pub fn insert(&mut self, prepare: &Arc<Prepare>) {
        let txn = prepare.txn;
        if prepare.changes.len() < LARGE_CHANGES {
            for Change { key, .. } in &prepare.changes {
                let before = self.small.insert(key.clone(), (txn, prepare.version));
                assert!(before.is_none(), "two prepared transactions write one row: {before:?} and {txn}");
                assert!(self.large.iter().all(|large| !large.holds(key)), "two prepared transactions write one row: {txn} is one");
            }
            return;
        }
        let new = Large::new(Arc::clone(prepare));
        assert!(new.keys().zip(new.keys().skip(1)).all(|(key, next)| key < next), "{txn} writes a row twice");
        assert!(self.large.iter().all(|large| !large.shares_one(&new)), "two prepared transactions write one row: {txn} is one");
        assert!(self.small.keys().all(|key| !new.holds(key)), "two prepared transactions write one row: {txn} is one");
        self.large.push(new);
    }

    pub fn remove(&mut self, prepare: &Prepare) {
        if prepare.changes.len() < LARGE_CHANGES {
            for change in &prepare.changes {
                self.small.remove(&change.key);
            }
        } else {
            self.large.retain(|large| large.prepare.txn != prepare.txn);
        }
    }

    /// Who will write this row, and at or above which version.
    pub fn get(&self, key: &[u8]) -> Option<(TxnId, Version)> {
        let large = || self.large.iter().find(|large| large.holds(key)).map(|large| (large.prepare.txn, large.prepare.version));
        self.small.get(key).copied().or_else(large)
    }

    /// One that will write in this range and is among those that are meant.
    pub fn find(&self, start: Bound<&[u8]>, end: Bound<&[u8]>, meant: impl Fn(TxnId, Version) -> bool) -> Option<TxnId> {
        let mut small = self.small.range::<[u8], _>((start, end)).map(|(_, writer)| *writer);
        let large = || {
            let meant = self.large.iter().filter(|large| meant(large.prepare.txn, large.prepare.version));
            meant.into_iter().find(|large| large.holds_any(start, end)).map(|large| large.prepare.txn)
        };
        small.find(|(txn, version)| meant(*txn, *version)).map(|(txn, _)| txn).or_else(large)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{NodeId, Prng};
    use storage::access::ReadSet;

    fn prepare(sequence: u64, keys: impl IntoIterator<Item = u32>) -> Arc<Prepare> {
        let change = |key: u32| Change { key: Key::copy_from_slice(&key.to_be_bytes()), row: None };
        Arc::new(Prepare {
            txn: TxnId { started: 1, node: NodeId(1), boot: 1, sequence },
            version: Version(sequence),
            parts: 0,
            changes: keys.into_iter().map(change).collect(),
            participants: Vec::new(),
            reads: ReadSet::default(),
            locks: Vec::new(),
        })
    }

    /// Against a map of all keys, with transactions around the size from which on they are large, and keys in any order.
    #[test]
    fn it_says_what_a_map_of_all_keys_would() {
        let mut prng = Prng::new(5);
        let (mut undecided, mut model) = (Undecided::default(), BTreeMap::new());
        let mut prepared: Vec<Arc<Prepare>> = Vec::new();
        for sequence in 1..400 {
            if prng.one_in(2) && !prepared.is_empty() {
                let over = prepared.swap_remove(prng.below(prepared.len() as u64) as usize);
                undecided.remove(&over);
                model.retain(|_, writer| *writer != over.txn);
            } else {
                let size = [1, 3, LARGE_CHANGES - 1, LARGE_CHANGES, 700][prng.below(5) as usize];
                let mut keys: Vec<u32> = Vec::new();
                while keys.len() < size {
                    let key = prng.below(20_000) as u32;
                    model.entry(key).or_insert_with(|| {
                        keys.push(key);
                        prepare(sequence, []).txn
                    });
                }
                if prng.one_in(2) {
                    keys.sort_unstable();
                }
                prepared.push(prepare(sequence, keys));
                undecided.insert(&prepared[prepared.len() - 1]);
            }
            for _ in 0..50 {
                let (key, width) = (prng.below(20_000) as u32, prng.below(30) as u32);
                let told = undecided.get(&key.to_be_bytes());
                assert_eq!(told.map(|(txn, _)| txn), model.get(&key).copied());
                assert!(told.is_none_or(|(txn, version)| txn.sequence == version.0));
                let (start, end) = (key.to_be_bytes(), (key + width).to_be_bytes());
                for (first, last, range) in [
                    (Bound::Included(&start[..]), Bound::Excluded(&end[..]), key..key + width),
                    (Bound::Excluded(&start[..]), Bound::Included(&end[..]), key + 1..key + width + 1),
                    (Bound::Included(&start[..]), Bound::Unbounded, key..20_000),
                ] {
                    if width == 0 && matches!(first, Bound::Excluded(_)) {
                        continue;
                    }
                    let odd = |txn: TxnId| txn.sequence % 2 == 1;
                    let wanted = model.range(range).any(|(_, txn)| odd(*txn));
                    let found = undecided.find(first, last, |txn, _| odd(txn));
                    assert_eq!(found.is_some(), wanted, "{first:?} {last:?}");
                    assert!(found.is_none_or(odd));
                }
            }
        }
    }

    #[test]
    fn one_row_is_written_by_one_prepared_transaction() {
        let many = LARGE_CHANGES as u32;
        for (first, second) in [(0..1, 0..1), (0..many, 5..6), (5..6, 0..many), (0..many, many - 1..2 * many)] {
            let both = std::panic::catch_unwind(|| {
                let mut undecided = Undecided::default();
                undecided.insert(&prepare(1, first.clone()));
                undecided.insert(&prepare(2, second.clone()));
            });
            assert!(both.is_err(), "{first:?} {second:?}");
        }
        assert!(std::panic::catch_unwind(|| Undecided::default().insert(&prepare(1, (0..many).chain([7])))).is_err());
    }
}
