//! Finding things in the catalog by name, with the errors that clients see, and changing a copy of it.

use super::{Catalog, Role, Schema, Sequence, Table};
use crate::parse::names::RelationName;
use base::{Error, Result, SqlState};
use std::sync::Arc;

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum Relation {
    Table(Arc<Table>),
    Sequence(Arc<Sequence>),
    /// The table and the index's place in it.
    Index(Arc<Table>, usize),
}

/// Schemas that only Florin writes to.
pub const SYSTEM_SCHEMAS: [&str; 4] = ["pg_catalog", "information_schema", "florin", crate::ledger::SCHEMA];

pub fn undefined_table(name: &RelationName) -> Error {
    Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
}

impl Catalog {
    pub fn relation(&self, name: &RelationName, search_path: &[String]) -> Result<Option<Relation>> {
        if let Some(schema) = &name.schema {
            let found = self.schemas.get(schema).ok_or_else(|| undefined_schema(schema))?;
            return Ok(found.relations.get(&name.name).and_then(|oid| self.by_oid(*oid)));
        }
        let found = search_path.iter().filter_map(|schema| self.schemas.get(schema)?.relations.get(&name.name)).next();
        Ok(found.and_then(|oid| self.by_oid(*oid)))
    }

    fn by_oid(&self, oid: u32) -> Option<Relation> {
        if let Some(table) = self.tables.get(&oid) {
            return Some(Relation::Table(table.clone()));
        }
        if let Some(sequence) = self.sequences.get(&oid) {
            return Some(Relation::Sequence(sequence.clone()));
        }
        // Indexes are few and looked up by name only in schema changes.
        self.tables.values().find_map(|table| {
            let at = table.indexes.iter().position(|index| index.oid == oid)?;
            Some(Relation::Index(table.clone(), at))
        })
    }

    /// # Errors
    /// `42P01` if there is none, `42809` if the name is something else's.
    pub fn table(&self, name: &RelationName, search_path: &[String]) -> Result<Arc<Table>> {
        match self.relation(name, search_path)? {
            Some(Relation::Table(table)) => Ok(table),
            Some(_) => Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a table", name.name))),
            None => Err(undefined_table(name)),
        }
    }

    pub fn sequence(&self, name: &RelationName, search_path: &[String]) -> Result<Arc<Sequence>> {
        match self.relation(name, search_path)? {
            Some(Relation::Sequence(sequence)) => Ok(sequence),
            Some(_) => Err(Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a sequence", name.name))),
            None => Err(undefined_table(name)),
        }
    }

    /// Where an object of this name is made.
    ///
    /// # Errors
    /// `3F000` if the schema does not exist, `42501` if it is Florin's own.
    pub fn schema_for_creation(&self, name: &RelationName, search_path: &[String]) -> Result<String> {
        let schema = match &name.schema {
            Some(schema) => schema,
            None => search_path
                .iter()
                .find(|s| self.schemas.contains_key(*s))
                .ok_or_else(|| Error::new(SqlState::INVALID_SCHEMA_NAME, "no schema has been selected to create in"))?,
        };
        if !self.schemas.contains_key(schema) {
            return Err(undefined_schema(schema));
        }
        if SYSTEM_SCHEMAS.contains(&schema.as_str()) {
            return Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied to create in schema \"{schema}\"")));
        }
        Ok(schema.clone())
    }

    /// True if any table's rows are spread over slots, so that a query may need a snapshot of several shards.
    pub fn has_sharded_tables(&self) -> bool {
        self.tables.values().any(|table| !table.shard_key.is_empty())
    }

    pub fn put_table(&mut self, table: Arc<Table>) {
        self.remove_names(table.oid, &table.schema);
        if let Some(old) = self.tables.get(&table.oid).cloned() {
            for index in &old.indexes {
                self.remove_names(index.oid, &old.schema);
            }
        }
        let relations = &mut self.schemas.entry(table.schema.clone()).or_default().relations;
        relations.insert(table.name.clone(), table.oid);
        for index in &table.indexes {
            relations.insert(index.name.clone(), index.oid);
        }
        self.tables.insert(table.oid, table);
    }

    pub fn remove_table(&mut self, oid: u32) -> Option<Arc<Table>> {
        let table = self.tables.remove(&oid)?;
        self.remove_names(oid, &table.schema);
        for index in &table.indexes {
            self.remove_names(index.oid, &table.schema);
        }
        Some(table)
    }

    pub fn put_sequence(&mut self, sequence: Arc<Sequence>) {
        self.remove_names(sequence.oid, &sequence.schema);
        self.schemas.entry(sequence.schema.clone()).or_default().relations.insert(sequence.name.clone(), sequence.oid);
        self.sequences.insert(sequence.oid, sequence);
    }

    pub fn remove_sequence(&mut self, oid: u32) -> Option<Arc<Sequence>> {
        let sequence = self.sequences.remove(&oid)?;
        self.remove_names(oid, &sequence.schema);
        Some(sequence)
    }

    fn remove_names(&mut self, oid: u32, schema: &str) {
        if let Some(schema) = self.schemas.get_mut(schema) {
            schema.relations.retain(|_, named| *named != oid);
        }
    }

    pub fn role(&self, name: &str) -> Result<Arc<Role>> {
        let missing = || Error::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"));
        self.roles.get(name).cloned().ok_or_else(missing)
    }

    pub fn schema(&self, name: &str) -> Result<&Schema> {
        self.schemas.get(name).ok_or_else(|| undefined_schema(name))
    }

    /// The sequence that feeds a column made as serial or identity.
    pub fn owned_sequence(&self, table: u32, column: usize) -> Option<&Arc<Sequence>> {
        self.sequences.values().find(|sequence| sequence.owned_by == Some((table, column)))
    }
}

pub fn undefined_schema(name: &str) -> Error {
    Error::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
}

impl Table {
    /// Position of a column that was not dropped.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| !column.dropped && column.name == name)
    }

    /// # Errors
    /// `42703`, worded as for INSERT and ALTER.
    pub fn column_of(&self, name: &str) -> Result<usize> {
        self.column(name).ok_or_else(|| {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist", self.name);
            Error::new(SqlState::UNDEFINED_COLUMN, message)
        })
    }

    pub fn live_columns(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().enumerate().filter(|(_, column)| !column.dropped).map(|(at, _)| at)
    }

    /// The primary key's descriptor, which has the table's own storage.
    pub fn primary_index(&self) -> Option<&super::Index> {
        self.indexes.iter().find(|index| index.primary)
    }
}
