//! Filling a new index, and rewriting a table whose rows change their key or form. The table is locked, so its rows stand still.

use crate::catalog::Table;
use crate::exec::Run;
use crate::exec::fetch::{READ_KEYS_MAX, Scanner};
use crate::exec::write::{encode, entries, is_unique, unique_violation};
use crate::key::storage_range;
use crate::plan::table::{TableInfo, suffix_of};
use crate::session::Session;
use crate::session::txn::Exec;
use crate::value::Value;
use base::{Error, Result, ShardId, StorageId, Version};
use bytes::{BufMut, BytesMut};
use std::collections::BTreeSet;
use std::sync::Arc;
use storage::access::{BASE_GUARDED, Key, KeyRead, LockWait, Row, SCAN_ROWS_MAX};

/// How the values of a row change; none if only its key does.
pub(super) type Change<'a> = Option<&'a dyn Fn(Vec<Value>, &Run) -> Result<Vec<Value>>>;

/// A row or an entry on its way into a storage that this transaction made.
struct New {
    shard: ShardId,
    /// Of an entry: its index.
    index: Option<usize>,
    key: Key,
    row: Row,
    unique: bool,
    /// Which row of the chunk it belongs to.
    at: usize,
}

impl Session {
    /// Adds an entry for each row. `at`: the index's position.
    pub(super) async fn build_index(&mut self, table: &Arc<Table>, at: usize, run: &mut Run) -> Exec<()> {
        let info = TableInfo::new(table.clone()).map_err(Error::from)?;
        let index = &table.indexes[at];
        let mut scanner = self.whole_table(table, table.storage);
        while let Some(chunk) = self.next_chunk(&mut scanner, SCAN_ROWS_MAX, run).await? {
            let (mut rows, mut news) = (Vec::with_capacity(chunk.len()), Vec::with_capacity(chunk.len()));
            for stored in chunk {
                let values = info.layout.decode(&stored.row)?;
                let suffix = suffix_of(&stored.key);
                let key = info.entry_key(index, &values, &suffix)?;
                let unique = is_unique(index, &values);
                news.push(New { shard: stored.shard, index: Some(at), key, row: suffix, unique, at: rows.len() });
                rows.push(values);
            }
            self.put_all(&info, news, &rows, run).await?;
            self.stage_if_large().await?;
        }
        Ok(())
    }

    /// Sees everything that was written so far, also by this statement.
    fn whole_table(&mut self, table: &Table, storage: StorageId) -> Scanner {
        self.txn().buffer.next_command();
        let range = storage_range(storage);
        Scanner::new(self.shards_of_table(table).into_iter().map(|shard| (shard, range.clone())).collect(), false)
    }

    /// # Errors
    /// `23505` if a key that must not be there twice is.
    async fn put_all(&mut self, info: &TableInfo, news: Vec<New>, rows: &[Vec<Value>], run: &mut Run) -> Exec<()> {
        let staged = self.staged_among(&news, run).await?;
        for new in news {
            let pending = || self.txn_ref().buffer.get(&new.key).is_some_and(|pending| pending.row.is_some());
            if new.unique && (pending() || staged.contains(&new.key)) {
                return Err(duplicates(unique_violation(info, new.index, &rows[new.at], run)).into());
            }
            let base = if new.unique { Version::ZERO } else { BASE_GUARDED };
            self.txn().buffer.put(new.shard, new.key, Some(new.row), base);
        }
        Ok(())
    }

    /// Those that this transaction has staged before.
    async fn staged_among(&mut self, news: &[New], run: &mut Run) -> Exec<BTreeSet<Key>> {
        let staged = &self.txn_ref().staged;
        let doubtful: Vec<(ShardId, Key)> =
            news.iter().filter(|new| new.unique && staged.may_have(new.shard, &new.key)).map(|new| (new.shard, new.key.clone())).collect();
        let mut found = BTreeSet::new();
        for chunk in doubtful.chunk_by(|a, b| a.0 == b.0).flat_map(|of_shard| of_shard.chunks(READ_KEYS_MAX)) {
            let reads = chunk.iter().map(|(_, key)| KeyRead { key: key.clone(), lock: None }).collect();
            let (rows, _) = self.read(chunk[0].0, reads, LockWait::Wait(None), &mut run.sight).await?;
            found.extend(chunk.iter().zip(rows).filter_map(|((_, key), row)| row.map(|_| key.clone())));
        }
        Ok(found)
    }

    /// Writes all rows of `old` anew as rows of `new`, which has storages of its own.
    pub(super) async fn rewrite_table(&mut self, old: &Arc<Table>, new: &Arc<Table>, change: Change<'_>, run: &mut Run) -> Exec<()> {
        let (from, to) = (TableInfo::new(old.clone()).map_err(Error::from)?, TableInfo::new(new.clone()).map_err(Error::from)?);
        let mut scanner = self.whole_table(old, old.storage);
        while let Some(chunk) = self.next_chunk(&mut scanner, SCAN_ROWS_MAX, run).await? {
            let (mut rows, mut news) = (Vec::with_capacity(chunk.len()), Vec::with_capacity(chunk.len()));
            // The keys of a chunk share one allocation: they are given up together.
            let mut keys = BytesMut::with_capacity(chunk.len() * 16);
            for stored in chunk {
                let reader = from.layout.reader(&stored.row)?;
                let (mut values, whole) = (from.layout.decode(&stored.row)?, reader.is_whole());
                if let Some(change) = change {
                    values = change(values, run)?;
                }
                self.check_row(&to, &values, run)?;
                keys.put_u32(new.storage.0);
                if new.primary_key.is_empty() {
                    keys.put_slice(&stored.key[4..]);
                } else {
                    keys.put_slice(&to.suffix(&values)?);
                }
                crate::key::check_length(&keys)?;
                let key = keys.split().freeze();
                let shard = self.shard_of_row(&to, &values)?;
                let suffix = suffix_of(&key);
                let row = if change.is_none() && whole { stored.row } else { encode(&to, &values)? };
                news.push(New { shard, index: None, key, row, unique: true, at: rows.len() });
                for entry in entries(&to, &values, &suffix)? {
                    let index = Some(entry.index);
                    news.push(New { shard, index, key: entry.key, row: suffix.clone(), unique: entry.unique, at: rows.len() });
                }
                rows.push(values);
            }
            self.put_all(&to, news, &rows, run).await?;
            self.stage_if_large().await?;
        }
        Ok(())
    }

    /// Looks at each row of a locked table.
    pub(super) async fn check_rows(&mut self, table: &Arc<Table>, check: &dyn Fn(&[Value], &Run) -> Result<()>, run: &mut Run) -> Exec<()> {
        let info = TableInfo::new(table.clone()).map_err(Error::from)?;
        let mut scanner = self.whole_table(table, table.storage);
        while let Some(chunk) = self.next_chunk(&mut scanner, SCAN_ROWS_MAX, run).await? {
            for stored in chunk {
                check(&info.layout.decode(&stored.row)?, run)?;
            }
        }
        Ok(())
    }
}

/// As PostgreSQL words it when rows that are there already collide.
fn duplicates(error: Error) -> Error {
    let name = error.constraint().unwrap_or_default().to_owned();
    let detail = error.detail().unwrap_or_default().replace(" already exists.", " is duplicated.");
    Error::new(error.state(), format!("could not create unique index \"{name}\""))
        .with_detail(detail)
        .with_table(error.schema().unwrap_or_default(), error.table().unwrap_or_default())
        .with_constraint(name)
}
