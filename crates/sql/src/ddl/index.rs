//! CREATE and DROP INDEX.

use super::constraint;
use crate::catalog::Index;
use crate::client::Severity;
use crate::exec::Run;
use crate::parse::names::{self, RelationName};
use crate::session::Session;
use crate::session::txn::Exec;
use base::{Error, SqlState};
use sqlparser::ast;

/// PostgreSQL's limit.
const INDEX_COLUMNS_MAX: usize = 32;

impl Session {
    pub(crate) async fn create_index(&mut self, create: &ast::CreateIndex, run: &mut Run) -> Exec<()> {
        let refused = [
            (create.predicate.is_some(), "a partial index"),
            (!create.include.is_empty(), "INCLUDE"),
            (create.nulls_distinct == Some(false), "NULLS NOT DISTINCT"),
            (create.using.as_ref().is_some_and(|kind| !kind.to_string().eq_ignore_ascii_case("btree")), "an index that is no btree"),
        ];
        if let Some((_, what)) = refused.iter().find(|(found, _)| *found) {
            return Err(Error::unsupported(what).into());
        }
        let table = self.table_to_change(&names::relation(&create.table_name)?).await?;
        let columns = constraint::columns(&create.columns)?;
        if columns.len() > INDEX_COLUMNS_MAX {
            return Err(
                Error::new(SqlState::TOO_MANY_COLUMNS, format!("cannot use more than {INDEX_COLUMNS_MAX} columns in an index")).into()
            );
        }
        let name = match &create.name {
            Some(name) => names::relation(name)?.name,
            None => self.free_name(&table.schema, &format!("{}_{}_idx", table.name, columns.join("_"))),
        };
        if !self.check_free(&table.schema, &name, create.if_not_exists)? {
            return Ok(());
        }
        let mut new = (*table).clone();
        let positions = self.key_columns(&new, &columns)?;
        let (oid, storage) = (self.new_oid(), self.new_storage());
        new.indexes.push(Index { oid, name, storage, columns: positions, unique: create.unique, primary: false });
        super::table::check_shard_key(&new)?;
        let at = new.indexes.len() - 1;
        let new = self.put_table(new)?;
        self.build_index(&new, at, run).await
    }

    pub(super) async fn drop_index(&mut self, name: &RelationName, if_exists: bool) -> Exec<()> {
        let path = self.settings.parsed().search_path.clone();
        let found = self.catalog().relation(name, &path)?;
        let (table, at) = match found {
            Some(crate::catalog::lookup::Relation::Index(table, at)) => (table, at),
            Some(_) => return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not an index", name.name)).into()),
            None if if_exists => {
                let message = format!("index \"{}\" does not exist, skipping", name.name);
                self.notice(Severity::Notice, Error::new(SqlState::SUCCESSFUL, message));
                return Ok(());
            }
            None => return Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("index \"{}\" does not exist", name.name)).into()),
        };
        if table.indexes[at].primary {
            let message = format!("cannot drop index {} because the primary key of table {} requires it", name.name, table.name);
            return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message).into());
        }
        super::check_not_system(&table.schema)?;
        self.lock_whole_table(&table).await?;
        let mut new = (*table).clone();
        let index = new.indexes.remove(at);
        self.drop_storage(index.storage);
        self.put_table(new)?;
        Ok(())
    }
}
