//! Row versions in memory, ordered by key: what the log changed since the last flush.
//!
//! A leader puts versions here when it proposes them; the log index that each carries tells whether it is settled, and lets it be
//! taken back. Within a key versions only grow.

use base::Version;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use storage::access::Row;

/// Versions of one key beyond which those that no snapshot needs are dropped.
const CHAIN_LONG: usize = 16;
/// What a version costs beside its key and row, in bytes.
const VERSION_OVERHEAD: usize = size_of::<RowVersion>();
/// What a key costs beside its own length, in bytes: its place in a node of the tree with that of its chain. Nodes that are filled in ascending order
/// are half full.
const KEY_OVERHEAD: usize = 2 * (size_of::<TableKey>() + size_of::<Chain>()) - VERSION_OVERHEAD - KEY_INLINE;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowVersion {
    pub version: Version,
    /// Index of the log entry that made it.
    pub index: u64,
    /// `None`: deleted.
    pub row: Option<Row>,
}

/// As keys stand in the tree: a search compares them where they are, without following a pointer to each.
pub type TableKey = SmallVec<[u8; KEY_INLINE]>;

/// Keys of tables with one or two columns fit. With its length a [`TableKey`] has 48 bytes.
const KEY_INLINE: usize = 39;

/// Oldest first.
pub type Chain = SmallVec<[RowVersion; 1]>;

#[derive(Debug, Default)]
pub struct Table {
    rows: BTreeMap<TableKey, Chain>,
    bytes: usize,
}

fn cost(row: &Option<Row>) -> usize {
    VERSION_OVERHEAD + row.as_ref().map_or(0, Row::len)
}

impl Table {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Memory held, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn get(&self, key: &[u8]) -> Option<&Chain> {
        self.rows.get(key)
    }

    /// Adds the newest version of a key; true if the key was not here. Versions that no snapshot at or above `horizon` needs may be dropped.
    pub fn push(&mut self, key: &[u8], version: RowVersion, horizon: Version) -> bool {
        self.bytes += cost(&version.row);
        match self.rows.entry(TableKey::from_slice(key)) {
            Entry::Occupied(mut chain) => {
                let chain = chain.get_mut();
                let newest = chain.last().expect("a chain has a version").version;
                assert!(newest < version.version, "versions of a key grow: {newest} then {}", version.version);
                chain.push(version);
                if chain.len() > CHAIN_LONG && chain.len().is_power_of_two() {
                    self.bytes -= prune(chain, horizon);
                }
                false
            }
            Entry::Vacant(place) => {
                place.insert(SmallVec::from_buf([version]));
                self.bytes += KEY_OVERHEAD + key.len();
                true
            }
        }
    }

    /// Takes back the newest version of a key if the entry at `index` made it.
    pub fn undo(&mut self, key: &[u8], index: u64) -> bool {
        let Some(chain) = self.rows.get_mut(key) else { return false };
        if chain.last().is_none_or(|newest| newest.index != index) {
            return false;
        }
        let dropped = chain.pop().expect("the newest version was just seen");
        self.bytes -= cost(&dropped.row);
        if chain.is_empty() {
            self.rows.remove(key);
            self.bytes -= KEY_OVERHEAD + key.len();
        }
        true
    }

    pub fn range(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> impl DoubleEndedIterator<Item = (&[u8], &Chain)> {
        self.rows.range::<[u8], _>((start, end)).map(|(key, chain)| (&key[..], chain))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Chain)> {
        self.rows.iter().map(|(key, chain)| (&key[..], chain))
    }

    pub fn pop_first(&mut self) -> Option<(TableKey, Chain)> {
        let (key, chain) = self.rows.pop_first()?;
        self.bytes -= KEY_OVERHEAD + key.len() + chain.iter().map(|version| cost(&version.row)).sum::<usize>();
        Some((key, chain))
    }
}

/// The newest version at or below a snapshot.
pub fn visible(chain: &Chain, snapshot: Version) -> Option<&RowVersion> {
    match chain.last() {
        Some(newest) if newest.version <= snapshot => Some(newest),
        _ => {
            let at = chain.partition_point(|version| version.version <= snapshot);
            at.checked_sub(1).map(|at| &chain[at])
        }
    }
}

/// Drops versions below the newest one at or below the horizon. Answers the bytes freed.
fn prune(chain: &mut Chain, horizon: Version) -> usize {
    let needed = chain.partition_point(|version| version.version <= horizon).saturating_sub(1);
    chain.drain(..needed).map(|version| cost(&version.row)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(n: u64) -> RowVersion {
        RowVersion { version: Version(n), index: n, row: Some(Row::from(vec![n as u8])) }
    }

    #[test]
    fn a_snapshot_sees_the_newest_version_not_above_it() {
        let key = b"k";
        let mut table = Table::default();
        for n in [10, 20, 30] {
            table.push(key, version(n), Version::ZERO);
        }
        let chain = table.get(b"k").unwrap();
        let seen = |n| visible(chain, Version(n)).map(|version| version.version.0);
        assert_eq!([seen(9), seen(10), seen(29), seen(30), seen(99)], [None, Some(10), Some(20), Some(30), Some(30)]);
    }

    #[test]
    fn undo_takes_back_only_what_its_entry_made() {
        let key = b"k";
        let mut table = Table::default();
        table.push(key, version(1), Version::ZERO);
        table.push(key, version(2), Version::ZERO);
        assert!(!table.undo(key, 1));
        assert!(table.undo(key, 2));
        assert!(table.undo(key, 1));
        assert!(table.is_empty());
        assert_eq!(table.bytes(), 0);
    }

    #[test]
    fn a_long_chain_keeps_what_the_horizon_needs() {
        let key = b"k";
        let mut table = Table::default();
        for n in 1..=1000 {
            table.push(key, version(n), Version(n.saturating_sub(5)));
        }
        let chain = table.get(b"k").unwrap();
        assert!(chain.len() < 1000);
        assert!(visible(chain, Version(995)).is_some());
    }
}
