//! What a frozen table's rows become in the store.

use super::Batching;
use crate::evidence::Captured;
use crate::existing::Existing;
use crate::keys;
use crate::table::{Chain, Table};
use base::{Result, Version};
use bytes::Bytes;
use smallvec::SmallVec;
use storage::access::{WRITTEN_ONCE, storage_of};
use storage::rows::{Batch, Change, RowStore, Space};

/// A frozen table on its way to the store.
pub struct Flush<'a> {
    pub store: &'a dyn RowStore,
    pub table: &'a Table,
    pub horizon: Version,
    pub keep_deletions: bool,
}

impl Flush<'_> {
    /// In batches, each of which may be repeated.
    pub fn write(&self) -> Result<()> {
        let (mut out, mut existing) = (Batching::new(self.store), Existing::new(self.store));
        for (key, chain) in self.table.iter() {
            for (space, key, value) in self.row(&mut existing, key, chain)? {
                out.push(space, key, value);
            }
            out.write_if_full()?;
        }
        out.write()
    }

    /// All at once, the evidence and the bookkeeping too.
    pub fn ingest(&self, evidence: Option<&Captured>, last: Batch) -> Result<()> {
        let (mut rows, mut existing) = (self.table.iter(), Existing::new(self.store));
        let mut later = last.changes;
        later.extend(evidence.into_iter().flat_map(Captured::changes));
        let mut rest = None;
        self.store.ingest(&mut || {
            for (key, chain) in rows.by_ref() {
                let mut current = None;
                for change in self.row(&mut existing, key, chain)? {
                    match change.0 {
                        Space::Current => current = Some(change),
                        _ => later.push(change),
                    }
                }
                if current.is_some() {
                    return Ok(current);
                }
            }
            let rest = rest.get_or_insert_with(|| {
                let mut later = std::mem::take(&mut later);
                later.sort_by(|a, b| (a.0.number(), &a.1).cmp(&(b.0.number(), &b.1)));
                later.into_iter()
            });
            Ok(rest.next())
        })
    }

    /// What there is to write for a key. Belongs together.
    fn row(&self, existing: &mut Existing, key: &[u8], chain: &Chain) -> Result<SmallVec<[Change; 2]>> {
        let written_once = storage_of(key) == WRITTEN_ONCE && chain.len() == 1;
        let current = if written_once { None } else { existing.get(key)? };
        let mut out = SmallVec::new();
        let mut history = |version: Version, until: Version, row: Option<&[u8]>| {
            out.push((Space::History, keys::history_key(key, version), Some(keys::history_value(until, row))));
        };
        let current_version = current.as_deref().map(keys::current_version).transpose()?;
        let oldest = chain.first().expect("a chain has a version").version;
        if let (Some(value), Some(version)) = (&current, current_version)
            && version < oldest
            && oldest > self.horizon
        {
            history(version, oldest, Some(&value[8..]));
        }
        for pair in chain.windows(2) {
            let (version, until) = (&pair[0], pair[1].version);
            if until > self.horizon {
                history(version.version, until, version.row.as_deref());
            }
        }
        let newest = chain.last().expect("a chain has a version");
        if let Some(current) = current_version.filter(|current| *current > newest.version) {
            // A staged row that was committed later was moved earlier.
            history(newest.version, current, newest.row.as_deref());
            return Ok(out);
        }
        if newest.row.is_none() && (newest.version > self.horizon || self.keep_deletions) {
            history(newest.version, newest.version, None);
        }
        let value = newest.row.as_ref().map(|row| keys::current_value(newest.version, row));
        out.push((Space::Current, Bytes::copy_from_slice(key), value));
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{key, keys_of, store};
    use super::*;
    use crate::table::RowVersion;
    use base::Prng;
    use storage::access::RECORDED_STORAGES;

    /// New, changed, deleted and made again, some of it behind the horizon, over what an earlier flush left.
    fn changes_of(prng: &mut Prng, versions: std::ops::Range<u64>) -> Table {
        let mut table = Table::default();
        for version in versions {
            let storage = if prng.one_in(3) { RECORDED_STORAGES[0].0 } else { 9 };
            let row = (!prng.one_in(4)).then(|| Bytes::from(version.to_string()));
            let key = key(storage, prng.below(60) as u32);
            table.push(&key, RowVersion { version: Version(version), index: version, row }, Version::ZERO);
        }
        table
    }

    #[test]
    fn rows_in_files_of_their_own_are_those_of_batches() {
        let mut prng = Prng::new(8);
        for _ in 0..200 {
            let (batches, files) = (store(), store());
            let mut version = 1;
            for _ in 0..4 {
                let end = version + prng.between(1, 100);
                let mut table = changes_of(&mut prng, version..end);
                let entry = [WRITTEN_ONCE.0.to_be_bytes(), (version as u32).to_be_bytes()].concat();
                table.push(
                    &entry,
                    RowVersion { version: Version(end), index: end, row: Some(Bytes::from_static(b"entry")) },
                    Version::ZERO,
                );
                let (horizon, keep) = (Version(prng.below(end)), prng.one_in(2));
                // The second time is what follows a crash after the first.
                for _ in 0..prng.between(1, 2) {
                    let last = Batch { changes: vec![(Space::Meta, Bytes::from_static(b"state"), Some(Bytes::copy_from_slice(&entry)))] };
                    let flush = |store| Flush { store, table: &table, horizon, keep_deletions: keep };
                    flush(&*batches).write().unwrap();
                    batches.write(last.clone()).unwrap();
                    flush(&*files).ingest(None, last).unwrap();
                }
                version = end + 1;
            }
            for space in [Space::Current, Space::History, Space::Meta] {
                assert_eq!(keys_of(&*files, space), keys_of(&*batches, space));
            }
        }
    }
}
