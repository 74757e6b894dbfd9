//! Filling a new index, and rewriting a table whose rows change their key or form. The table is locked, so its rows stand still.

use crate::catalog::Table;
use crate::exec::Run;
use crate::exec::fetch::{READ_KEYS_MAX, Scanner};
use crate::exec::write::{encode, entries, is_unique, unique_violation};
use crate::key::storage_range;
use crate::plan::table::{TableInfo, suffix_of};
use crate::session::Session;
use crate::session::bulk::Bulk;
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
        let mut loading = Loading::Ordered(self.bulk(index.storage));
        while let Some(chunk) = self.next_chunk(&mut scanner, SCAN_ROWS_MAX, run).await? {
            let mut news = Vec::with_capacity(chunk.len());
            for (at_row, stored) in chunk.iter().enumerate() {
                let values = values_of(&info, &stored.row, &index.columns)?;
                let suffix = suffix_of(&stored.key);
                let key = info.entry_key(index, &values, &suffix)?;
                let unique = is_unique(index, &values);
                news.push(New { shard: stored.shard, index: Some(at), key, row: suffix, unique, at: at_row });
            }
            let values = |at: usize| info.layout.decode(&chunk[at].row);
            self.load(&info, &mut loading, news, &values, run).await?;
        }
        self.finish_loading(loading).await
    }

    /// Adds what a chunk of rows became.
    async fn load(
        &mut self,
        info: &TableInfo,
        loading: &mut Loading,
        mut news: Vec<New>,
        values: &ValuesOf<'_>,
        run: &mut Run,
    ) -> Exec<()> {
        if let Loading::Ordered(bulk) = loading {
            // Stable, so that of two equal keys the later row is told.
            news.sort_by(|a, b| (a.shard, &a.key).cmp(&(b.shard, &b.key)));
            if let Some(pair) = news.windows(2).find(|pair| (pair[0].shard, &pair[0].key) == (pair[1].shard, &pair[1].key)) {
                return Err(duplicates(unique_violation(info, pair[1].index, &values(pair[1].at)?, run)).into());
            }
            let staged = &self.txn_ref().staged;
            let is_next = |new: &New| bulk.is_next(new.shard, &new.key) && !staged.may_have(new.shard, &new.key);
            if news.chunk_by(|a, b| a.shard == b.shard).all(|of_shard| is_next(&of_shard[0])) {
                for new in &news {
                    bulk.push(new.shard, &new.key, &new.row);
                }
                return if bulk.is_full() { self.stage_bulk(bulk).await } else { Ok(()) };
            }
            // The keys go up and down from here on.
            let Loading::Ordered(bulk) = std::mem::replace(loading, Loading::Unordered) else { return Ok(()) };
            self.finish_bulk(bulk).await?;
        }
        self.put_all(info, news, values, run).await?;
        self.stage_if_large().await
    }

    async fn finish_loading(&mut self, loading: Loading) -> Exec<()> {
        match loading {
            Loading::Ordered(bulk) => self.finish_bulk(bulk).await,
            Loading::Unordered => Ok(()),
        }
    }

    /// Sees everything that was written so far, also by this statement.
    fn whole_table(&mut self, table: &Table, storage: StorageId) -> Scanner {
        self.txn().buffer.next_command();
        let range = storage_range(storage);
        Scanner::new(self.shards_of_table(table).into_iter().map(|shard| (shard, range.clone())).collect(), false)
    }

    /// # Errors
    /// `23505` if a key that must not be there twice is.
    async fn put_all(&mut self, info: &TableInfo, news: Vec<New>, values: &ValuesOf<'_>, run: &mut Run) -> Exec<()> {
        let staged = self.staged_among(&news, run).await?;
        for new in news {
            let pending = || self.txn_ref().buffer.get(&new.key).is_some_and(|pending| pending.row.is_some());
            if new.unique && (pending() || staged.contains(&new.key)) {
                return Err(duplicates(unique_violation(info, new.index, &values(new.at)?, run)).into());
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

    /// Gives all rows of `old` the key that they have in `new`, which has a storage of its own; else they stay as they are.
    pub(super) async fn rekey_table(&mut self, old: &Arc<Table>, new: &Arc<Table>, run: &mut Run) -> Exec<()> {
        let (from, to) = (TableInfo::new(old.clone()).map_err(Error::from)?, TableInfo::new(new.clone()).map_err(Error::from)?);
        if to.secondary().next().is_some() {
            return self.rewrite_table(old, new, None, run).await;
        }
        let mut scanner = self.whole_table(old, old.storage);
        let mut loading = Loading::Ordered(self.bulk(new.storage));
        while let Some(chunk) = self.next_chunk(&mut scanner, SCAN_ROWS_MAX, run).await? {
            let mut news = Vec::with_capacity(chunk.len());
            // The keys of a chunk share one allocation: they are given up together.
            let mut keys = BytesMut::with_capacity(chunk.len() * 16);
            for (at, stored) in chunk.iter().enumerate() {
                let values = values_of(&from, &stored.row, &new.primary_key)?;
                if new.primary_key.iter().any(|column| values[*column].is_null()) {
                    self.check_row(&to, &from.layout.decode(&stored.row)?, run)?;
                }
                keys.put_u32(new.storage.0);
                keys.put_slice(&to.suffix(&values)?);
                crate::key::check_length(&keys)?;
                let shard = self.shard_of_row(&to, &values)?;
                news.push(New { shard, index: None, key: keys.split().freeze(), row: stored.row.clone(), unique: true, at });
            }
            let values = |at: usize| from.layout.decode(&chunk[at].row);
            self.load(&to, &mut loading, news, &values, run).await?;
        }
        self.finish_loading(loading).await
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
            self.put_all(&to, news, &|at: usize| Ok(rows[at].clone()), run).await?;
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

/// Gives the values of a chunk's row by its place: for an error.
type ValuesOf<'a> = dyn Fn(usize) -> Result<Vec<Value>> + 'a;

/// How rows or entries get into a new storage.
enum Loading {
    /// So far their keys only grew.
    Ordered(Bulk),
    Unordered,
}

/// Some columns of a row; the others are NULL.
fn values_of(info: &TableInfo, row: &Row, columns: &[usize]) -> Result<Vec<Value>> {
    let reader = info.layout.reader(row)?;
    let mut values = vec![Value::Null; info.types.len()];
    for column in columns {
        values[*column] = reader.value(*column)?;
    }
    Ok(values)
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
