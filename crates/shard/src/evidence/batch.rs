//! What one committed transaction adds to the evidence: its rows of the ledger, as leaves.

use crate::entry::{Change, Prepare};
use crate::moving::StagedRows;
use crate::staged::Storages;
use base::{Result, TxnId, Version};
use proof::Hash;
use proof::record::Hasher;
use std::collections::BTreeSet;
use std::sync::Arc;
use storage::access::{Key, RECORDED_STORAGES, storage_of};
use storage::rows::RowStore;

/// Leaves of one batch at most: a larger transaction is several batches that follow each other.
const LEAVES_MAX: usize = 64 * 1024;

/// Where the rows stand that were in the entry itself.
pub enum Content {
    Changes(Arc<Vec<Change>>),
    Prepared(Arc<Prepare>),
}

/// A transaction that wrote rows of the ledger, as it stands in the log. Rows are looked at when it is recorded, which is elsewhere.
pub struct Batch {
    pub index: u64,
    pub version: Version,
    content: Content,
    /// Rows that were staged before.
    staged: Option<(TxnId, Storages)>,
}

pub fn is_recorded(key: &[u8]) -> bool {
    RECORDED_STORAGES.contains(&storage_of(key))
}

impl Content {
    fn changes(&self) -> &[Change] {
        match self {
            Content::Changes(changes) => changes,
            Content::Prepared(prepare) => &prepare.changes,
        }
    }
}

impl Batch {
    /// `None` if it wrote nothing that is recorded.
    pub fn new(index: u64, version: Version, content: Content, staged: Option<(TxnId, Storages)>) -> Option<Batch> {
        let staged = staged.map(|(txn, mut storages)| {
            storages.retain(|storage, _| RECORDED_STORAGES.contains(storage));
            (txn, storages)
        });
        let staged = staged.filter(|(_, storages)| !storages.is_empty());
        let records = staged.is_some() || content.changes().iter().any(|change| is_recorded(&change.key));
        records.then_some(Batch { index, version, content, staged })
    }

    /// Gives the hashes of its leaves in parts of up to [`LEAVES_MAX`], each in the order of the hashes: so a leaf is found with a search, and the
    /// order of the rows in the log tells nothing that their keys do not.
    ///
    /// # Errors
    /// If staged rows cannot be read.
    pub fn leaves(&self, store: &dyn RowStore, take: &mut dyn FnMut(&[Hash])) -> Result<()> {
        let mut hasher = Hasher::default();
        let mut part = Vec::new();
        let mut add = |key: &Key, row: &[u8]| {
            part.push(hasher.leaf(key, row));
            if part.len() == LEAVES_MAX {
                part.sort_unstable();
                take(&part);
                part.clear();
            }
        };
        if let Some((txn, storages)) = &self.staged {
            // What stands in the entry was written later.
            let later: BTreeSet<&Key> = self.content.changes().iter().map(|change| &change.key).collect();
            for (storage, outline) in storages {
                let mut rows = StagedRows::new(store, *txn, *storage, outline);
                while let Some((key, row)) = rows.next()? {
                    if let Some(row) = row.filter(|_| !later.contains(&key)) {
                        add(&key, &row);
                    }
                }
            }
        }
        for change in self.content.changes() {
            if let Some(row) = change.row.as_ref().filter(|_| is_recorded(&change.key)) {
                add(&change.key, row);
            }
        }
        if !part.is_empty() {
            part.sort_unstable();
            take(&part);
        }
        Ok(())
    }
}
