//! Filling a new index, and rewriting a table whose rows change their key or form. The table is locked, so its rows stand still.

use crate::catalog::Table;
use crate::exec::Run;
use crate::exec::fetch::Scanner;
use crate::exec::write::{encode, entries, is_unique, unique_violation};
use crate::key::storage_range;
use crate::plan::table::{TableInfo, suffix_of};
use crate::session::Session;
use crate::session::staging::{StagedKey, forgotten_key};
use crate::session::txn::Exec;
use crate::value::Value;
use base::{Error, Result, ShardId, StorageId, Version};
use std::sync::Arc;
use storage::access::{BASE_GUARDED, Key, Row, SCAN_ROWS_MAX};

/// Makes a row's new values of its old ones.
pub(super) type RowChange<'a> = dyn Fn(Vec<Value>, &Run) -> Result<Vec<Value>> + 'a;

impl Session {
    /// Adds an entry for each row. `at`: the index's position.
    pub(super) async fn build_index(&mut self, table: &Arc<Table>, at: usize, run: &mut Run) -> Exec<()> {
        let info = TableInfo::new(table.clone()).map_err(Error::from)?;
        let index = &table.indexes[at];
        let mut scanner = self.whole_table(table, table.storage);
        while let Some(chunk) = self.next_chunk(&mut scanner, SCAN_ROWS_MAX, run).await? {
            for stored in chunk {
                let values = info.layout.decode(&stored.row)?;
                let suffix = suffix_of(&stored.key);
                let key = info.entry_key(index, &values, &suffix)?;
                self.put_new(&info, Some(at), stored.shard, key, suffix, &values, is_unique(index, &values), run)?;
            }
            self.stage_if_large().await?;
        }
        Ok(())
    }

    fn whole_table(&self, table: &Table, storage: StorageId) -> Scanner {
        let range = storage_range(storage);
        Scanner::new(self.shards_of_table(table).into_iter().map(|shard| (shard, range.clone())).collect(), false)
    }

    /// Puts what must not be there twice into a storage that this transaction made.
    #[allow(clippy::too_many_arguments)]
    fn put_new(
        &mut self,
        info: &TableInfo,
        index: Option<usize>,
        shard: ShardId,
        key: Key,
        row: Row,
        values: &[Value],
        unique: bool,
        run: &Run,
    ) -> Result<()> {
        if unique {
            let taken = self.txn().buffer.get(&key).is_some_and(|pending| pending.row.is_some())
                || match self.txn().staged.key(shard, &key) {
                    StagedKey::No => false,
                    StagedKey::Yes => true,
                    StagedKey::Forgotten => return Err(forgotten_key()),
                };
            if taken {
                return Err(duplicates(unique_violation(info, index, values, run)));
            }
        }
        self.txn().buffer.put(shard, key, Some(row), if unique { Version::ZERO } else { BASE_GUARDED });
        Ok(())
    }

    /// Writes all rows of `old` anew as rows of `new`, which has storages of its own. `change` makes a row's new values.
    pub(super) async fn rewrite_table(&mut self, old: &Arc<Table>, new: &Arc<Table>, change: &RowChange<'_>, run: &mut Run) -> Exec<()> {
        let (from, to) = (TableInfo::new(old.clone()).map_err(Error::from)?, TableInfo::new(new.clone()).map_err(Error::from)?);
        let mut scanner = self.whole_table(old, old.storage);
        while let Some(chunk) = self.next_chunk(&mut scanner, SCAN_ROWS_MAX, run).await? {
            for stored in chunk {
                let values = change(from.layout.decode(&stored.row)?, run)?;
                self.check_row(&to, &values, run)?;
                let key = if new.primary_key.is_empty() {
                    crate::plan::table::key_of(new.storage, &stored.key[4..])?
                } else {
                    to.key_of_suffix(&to.suffix(&values)?)?
                };
                let shard = self.shard_of_row(&to, &values)?;
                let suffix = suffix_of(&key);
                self.put_new(&to, None, shard, key, encode(&to, &values)?, &values, true, run)?;
                for entry in entries(&to, &values, &suffix)? {
                    self.put_new(&to, Some(entry.index), shard, entry.key, suffix.clone(), &values, entry.unique, run)?;
                }
            }
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
