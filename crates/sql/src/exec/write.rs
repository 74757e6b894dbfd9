//! Writing one row: constraints, its key, its index entries.

use super::{Run, Stored};
use crate::catalog::Index;
use crate::plan::table::{TableInfo, suffix_of};
use crate::session::Session;
use crate::session::txn::Exec;
use crate::types::text;
use crate::value::Value;
use base::{Error, Result, ShardId, SqlState, Version};
use bytes::Bytes;
use std::cell::RefCell;
use storage::access::{BASE_GUARDED, Key, LockMode, LockWait, ROW_BYTES_MAX, Row};

thread_local! {
    /// Where rows are encoded before they get an allocation of their own size.
    static ENCODED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Bytes that are kept for the next row.
const ENCODED_BYTES_KEPT: usize = 64 * 1024;

/// Longest text of a row in an error's detail, in characters.
const SHOWN_CHARACTERS_MAX: usize = 64;

/// An entry of a secondary index.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Position among the table's indexes.
    pub index: usize,
    pub key: Key,
    /// Its key may be there once only.
    pub unique: bool,
}

impl Session {
    /// # Errors
    /// `23502` or `23514`.
    pub(crate) fn check_row(&self, info: &TableInfo, values: &[Value], run: &Run) -> Result<()> {
        for (at, column) in info.table.columns.iter().enumerate() {
            if column.not_null && !column.dropped && values[at].is_null() {
                return Err(not_null_violation(info, &column.name, values, run));
            }
        }
        for (name, check) in &info.checks {
            if !check.does_not_fail(values, &run.env())? {
                let table = &info.table.name;
                let message = format!("new row for relation \"{table}\" violates check constraint \"{name}\"");
                return Err(Error::new(SqlState::CHECK_VIOLATION, message)
                    .with_detail(failing_row(info, values, run))
                    .with_table(&info.table.schema, table)
                    .with_constraint(name));
            }
        }
        Ok(())
    }

    /// The key of a new row: its primary key, or a number that no other row ever had.
    pub(crate) fn new_key(&mut self, info: &TableInfo, values: &[Value]) -> Result<Key> {
        if !info.table.primary_key.is_empty() {
            return info.key_of_suffix(&info.suffix(values)?);
        }
        let mut key = Vec::with_capacity(34);
        self.number_row(info, &mut key);
        Ok(Bytes::from(key))
    }

    /// Writes the key of a row that has a number for its key.
    pub(crate) fn number_row(&mut self, info: &TableInfo, key: &mut Vec<u8>) {
        let txn = self.txn().id;
        self.row_ids += 1;
        key.clear();
        key.extend_from_slice(&info.table.storage.0.to_be_bytes());
        // Rows come out about in the order in which they were put in.
        key.extend_from_slice(&txn.started.to_be_bytes());
        key.extend_from_slice(&txn.node.0.to_be_bytes());
        key.extend_from_slice(&txn.boot.to_be_bytes());
        key.extend_from_slice(&txn.sequence.to_be_bytes());
        key.extend_from_slice(&self.row_ids.to_be_bytes());
    }

    pub(crate) fn put_row(&mut self, info: &TableInfo, shard: ShardId, key: Key, values: &[Value], base: Version) -> Result<()> {
        let row = encode(info, values)?;
        self.txn().buffer.put(shard, key, Some(row), base);
        Ok(())
    }

    /// Adds the entries of a new row. Unique ones were found absent under a lock (`base`: what was seen of each, in order).
    pub(crate) fn put_entries(&mut self, shard: ShardId, entries: Vec<(Entry, Version)>, suffix: &Bytes) {
        for (entry, base) in entries {
            let base = if entry.unique { base } else { BASE_GUARDED };
            self.txn().buffer.put(shard, entry.key, Some(suffix.clone()), base);
        }
    }

    /// Changes a row that is locked. `old`: its values.
    pub(crate) async fn write_update(
        &mut self,
        info: &TableInfo,
        stored: &Stored,
        old: &[Value],
        new: &[Value],
        run: &mut Run,
    ) -> Exec<()> {
        self.check_row(info, new, run)?;
        let old_suffix = suffix_of(&stored.key);
        let new_key = if info.table.primary_key.is_empty() { stored.key.clone() } else { info.key_of_suffix(&info.suffix(new)?)? };
        let shard = self.shard_of_row(info, new)?;
        if new_key != stored.key || shard != stored.shard {
            let base = self.claim(info, None, shard, &new_key, new, run).await?;
            self.txn().buffer.put(stored.shard, stored.key.clone(), None, stored.version);
            self.put_row(info, shard, new_key.clone(), new, base)?;
        } else {
            self.put_row(info, shard, new_key.clone(), new, stored.version)?;
        }
        let new_suffix = suffix_of(&new_key);
        for (at, index) in info.table.indexes.iter().enumerate().filter(|(_, index)| !index.primary) {
            let before = info.entry_key(index, old, &old_suffix)?;
            let after = info.entry_key(index, new, &new_suffix)?;
            if before == after && old_suffix == new_suffix && shard == stored.shard {
                continue;
            }
            if before != after || shard != stored.shard {
                self.remove_entry(index, old, stored.shard, before, run).await?;
                let unique = is_unique(index, new);
                let base = if unique { self.claim(info, Some(at), shard, &after, new, run).await? } else { BASE_GUARDED };
                self.txn().buffer.put(shard, after, Some(new_suffix.clone()), base);
            } else {
                // The entry stays and points to the moved row.
                let base = self.lock_entry(shard, &after, run).await?;
                self.txn().buffer.put(shard, after, Some(new_suffix.clone()), base);
            }
        }
        Ok(())
    }

    /// Removes a row that is locked.
    pub(crate) async fn write_delete(&mut self, info: &TableInfo, stored: &Stored, old: &[Value], run: &mut Run) -> Exec<()> {
        self.txn().buffer.put(stored.shard, stored.key.clone(), None, stored.version);
        let suffix = suffix_of(&stored.key);
        for index in info.secondary() {
            let key = info.entry_key(index, old, &suffix)?;
            self.remove_entry(index, old, stored.shard, key, run).await?;
        }
        Ok(())
    }

    async fn remove_entry(&mut self, index: &Index, old: &[Value], shard: ShardId, key: Key, run: &mut Run) -> Exec<()> {
        let base = if is_unique(index, old) { self.lock_entry(shard, &key, run).await? } else { BASE_GUARDED };
        self.txn().buffer.put(shard, key, None, base);
        Ok(())
    }

    /// Locks an entry of a unique index, so that whoever wants its key waits for what becomes of us.
    async fn lock_entry(&mut self, shard: ShardId, key: &Key, run: &mut Run) -> Exec<Version> {
        let wait = self.lock_wait();
        let found = self.fetch(&[(shard, key.clone())], Some(LockMode::Update), wait, run).await?;
        Ok(found.into_iter().flatten().next().map_or(Version::ZERO, |stored| stored.version))
    }

    /// Locks a key that must not be there yet. `index`: position of the unique index, `None` for the primary key.
    async fn claim(
        &mut self,
        info: &TableInfo,
        index: Option<usize>,
        shard: ShardId,
        key: &Key,
        values: &[Value],
        run: &mut Run,
    ) -> Exec<Version> {
        let wait: LockWait = self.lock_wait();
        let found = self.fetch(&[(shard, key.clone())], Some(LockMode::Update), wait, run).await?;
        if found.into_iter().flatten().next().is_some() {
            return Err(unique_violation(info, index, values, run).into());
        }
        Ok(Version::ZERO)
    }
}

pub fn is_unique(index: &Index, values: &[Value]) -> bool {
    index.unique && !index.columns.iter().any(|column| values[*column].is_null())
}

pub fn encode(info: &TableInfo, values: &[Value]) -> Result<Row> {
    ENCODED.with_borrow_mut(|out| {
        out.clear();
        out.shrink_to(ENCODED_BYTES_KEPT);
        encode_into(info, values, out)?;
        Ok(Bytes::copy_from_slice(out))
    })
}

/// Appends a row.
pub fn encode_into(info: &TableInfo, values: &[Value], out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    info.layout.encode(values, out)?;
    let size = out.len() - start;
    if size > ROW_BYTES_MAX {
        let message = format!("row is too big: size {size}, maximum size {ROW_BYTES_MAX}");
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    Ok(())
}

/// The entries of all secondary indexes for a row.
pub fn entries(info: &TableInfo, values: &[Value], suffix: &[u8]) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (at, index) in info.table.indexes.iter().enumerate() {
        if !index.primary {
            entries.push(Entry { index: at, key: info.entry_key(index, values, suffix)?, unique: is_unique(index, values) });
        }
    }
    Ok(entries)
}

fn not_null_violation(info: &TableInfo, column: &str, values: &[Value], run: &Run) -> Error {
    let table = &info.table.name;
    let message = format!("null value in column \"{column}\" of relation \"{table}\" violates not-null constraint");
    Error::new(SqlState::NOT_NULL_VIOLATION, message)
        .with_detail(failing_row(info, values, run))
        .with_table(&info.table.schema, table)
        .with_column(column)
}

fn shown(value: &Value, ty: crate::types::Type, run: &Run) -> String {
    let mut text = if value.is_null() { "null".to_owned() } else { text::to_string(value, ty, &run.settings) };
    if let Some((end, _)) = text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

fn failing_row(info: &TableInfo, values: &[Value], run: &Run) -> String {
    let shown: Vec<String> = info.table.live_columns().map(|at| shown(&values[at], info.types[at], run)).collect();
    format!("Failing row contains ({}).", shown.join(", "))
}

/// `index`: position among the table's indexes; `None`: the primary key.
pub fn unique_violation(info: &TableInfo, index: Option<usize>, values: &[Value], run: &Run) -> Error {
    let index = match index {
        Some(at) => Some(&info.table.indexes[at]),
        None => info.table.primary_index(),
    };
    let columns = index.map_or(&info.table.primary_key, |index| &index.columns);
    let name = index.map_or_else(|| format!("{}_pkey", info.table.name), |index| index.name.clone());
    let names: Vec<&str> = columns.iter().map(|at| info.table.columns[*at].name.as_str()).collect();
    let shown: Vec<String> = columns.iter().map(|at| shown(&values[*at], info.types[*at], run)).collect();
    Error::new(SqlState::UNIQUE_VIOLATION, format!("duplicate key value violates unique constraint \"{name}\""))
        .with_detail(format!("Key ({})=({}) already exists.", names.join(", "), shown.join(", ")))
        .with_table(&info.table.schema, &info.table.name)
        .with_constraint(name)
}
