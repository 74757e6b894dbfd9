//! CREATE and DROP SCHEMA.

use crate::catalog::{Schema, store};
use crate::client::Severity;
use crate::parse::names;
use crate::session::Session;
use crate::session::txn::Exec;
use base::{Error, SqlState};
use sqlparser::ast;

impl Session {
    pub(crate) async fn create_schema(&mut self, name: &ast::SchemaName, if_not_exists: bool) -> Exec<()> {
        let name = match name {
            ast::SchemaName::Simple(name) | ast::SchemaName::NamedAuthorization(name, _) => names::relation(name)?.name,
            ast::SchemaName::UnnamedAuthorization(role) => names::fold(role),
        };
        self.begin_change().await?;
        if self.catalog().schemas.contains_key(&name) {
            let message = format!("schema \"{name}\" already exists");
            if !if_not_exists {
                return Err(Error::new(SqlState::DUPLICATE_SCHEMA, message).into());
            }
            self.notice(Severity::Notice, Error::new(SqlState::DUPLICATE_SCHEMA, format!("{message}, skipping")));
            return Ok(());
        }
        if name.starts_with("pg_") {
            let message = format!("unacceptable schema name \"{name}\"");
            return Err(Error::new(SqlState(*b"42939"), message).with_detail("The prefix \"pg_\" is reserved for system schemas.").into());
        }
        let schema = Schema { oid: self.new_oid(), name: name.clone(), ..Schema::default() };
        self.put_descriptor(store::schema_key(schema.oid), Some(store::schema_row(&schema)?));
        self.edit_catalog(|catalog| drop(catalog.schemas.insert(name, schema)));
        Ok(())
    }

    pub(super) async fn drop_schema(&mut self, name: &str, if_exists: bool, cascade: bool) -> Exec<()> {
        let catalog = self.catalog();
        let Some(schema) = catalog.schemas.get(name) else {
            let error = crate::catalog::lookup::undefined_schema(name);
            if !if_exists {
                return Err(error.into());
            }
            self.notice(Severity::Notice, Error::new(SqlState::SUCCESSFUL, format!("{}, skipping", error.message())));
            return Ok(());
        };
        super::check_not_system(name)?;
        if !schema.relations.is_empty() && !cascade {
            let message = format!("cannot drop schema {name} because other objects depend on it");
            return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_hint("Use DROP ... CASCADE to drop the dependent objects too.")
                .into());
        }
        for table in catalog.tables.values().filter(|table| table.schema == name) {
            self.lock_whole_table(table).await?;
            self.forget_table(table);
        }
        let left = self.catalog();
        for sequence in left.sequences.values().filter(|sequence| sequence.schema == name) {
            self.forget_sequence(sequence);
        }
        self.put_descriptor(store::schema_key(schema.oid), None);
        self.edit_catalog(|catalog| drop(catalog.schemas.remove(name)));
        Ok(())
    }
}
