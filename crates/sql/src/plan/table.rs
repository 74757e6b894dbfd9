//! A table as plans need it: its descriptor with everything compiled that each row needs.

use super::Planning;
use crate::catalog::{Catalog, Identity, Index, Table};
use crate::expr::{Binder, Expr, Parameters, Scope, SequenceCall};
use crate::parse::parse_expression;
use crate::row::RowLayout;
use crate::types::Type;
use crate::value::Value;
use base::{Error, Result, StorageId};
use bytes::Bytes;
use std::sync::Arc;
use storage::access::Key;

pub struct TableInfo {
    pub table: Arc<Table>,
    pub layout: RowLayout,
    /// One for each column, dropped ones included.
    pub types: Vec<Type>,
    pub checks: Vec<(String, Expr)>,
    /// Columns of the primary key or of a unique index: changing them takes the stronger lock.
    pub key_columns: Vec<bool>,
}

/// Where a column's value comes from when none is given.
#[derive(Clone, Debug)]
pub struct Default {
    pub expr: Expr,
    /// Calls within it, numbered from 0.
    pub sequences: Vec<SequenceCall>,
}

impl TableInfo {
    pub fn new(table: Arc<Table>) -> Planning<TableInfo> {
        let layout = RowLayout::of_table(&table)?;
        let types: Vec<Type> = layout.columns().iter().map(|column| column.ty).collect();
        let scope = Scope::of_table(&table, None)?;
        let mut checks = Vec::with_capacity(table.checks.len());
        for check in &table.checks {
            let parsed = parse_expression(&check.expression)?;
            let mut parameters = Parameters::default();
            checks.push((check.name.clone(), Binder::new(&scope, &mut parameters).condition(&parsed, "CHECK")?));
        }
        let mut key_columns = vec![false; table.columns.len()];
        for column in table.indexes.iter().filter(|index| index.unique).flat_map(|index| &index.columns) {
            key_columns[*column] = true;
        }
        for column in &table.primary_key {
            key_columns[*column] = true;
        }
        Ok(TableInfo { table, layout, types, checks, key_columns })
    }

    /// The default of a column as an expression of no row, assigned to its type. `None`: NULL.
    pub fn default(&self, catalog: &Catalog, column: usize) -> Planning<Option<Default>> {
        let definition = &self.table.columns[column];
        if let Some(identity) = definition.identity {
            let sequence = catalog
                .owned_sequence(self.table.oid, column)
                .ok_or_else(|| Error::internal(format!("the {identity:?} identity column \"{}\" has no sequence", definition.name)))?;
            return self.parsed_default(
                &format!(
                    "nextval('{}.{}')",
                    crate::parse::names::quote(&sequence.schema).replace('\'', "''"),
                    crate::parse::names::quote(&sequence.name).replace('\'', "''")
                ),
                column,
            );
        }
        match &definition.default {
            Some(text) => self.parsed_default(text, column),
            None => Ok(None),
        }
    }

    fn parsed_default(&self, text: &str, column: usize) -> Planning<Option<Default>> {
        let definition = &self.table.columns[column];
        let parsed = parse_expression(text)?;
        let (scope, mut parameters) = (Scope::empty(), Parameters::default());
        let mut binder = Binder::new(&scope, &mut parameters);
        let expr = binder.assignment(&parsed, &definition.name, self.types[column], definition.type_modifier)?;
        Ok(Some(Default { expr, sequences: binder.sequences }))
    }

    pub fn is_sharded(&self) -> bool {
        !self.table.shard_key.is_empty()
    }

    /// The primary key's part of a row's key.
    pub fn suffix(&self, values: &[Value]) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(24);
        for column in &self.table.primary_key {
            crate::key::encode(&values[*column], self.types[*column], &mut out)?;
        }
        Ok(out)
    }

    pub fn key_of_suffix(&self, suffix: &[u8]) -> Result<Key> {
        key_of(self.table.storage, suffix)
    }

    /// The key of a row's entry in an index. A unique entry without NULLs is found by its columns alone; else the row's own key makes
    /// it distinct.
    pub fn entry_key(&self, index: &Index, values: &[Value], suffix: &[u8]) -> Result<Key> {
        let mut out = Vec::with_capacity(32 + suffix.len());
        out.extend_from_slice(&index.storage.0.to_be_bytes());
        let mut nulls = false;
        for column in &index.columns {
            nulls |= values[*column].is_null();
            crate::key::encode(&values[*column], self.types[*column], &mut out)?;
        }
        if !index.unique || nulls {
            out.extend_from_slice(suffix);
        }
        crate::key::check_length(&out)?;
        Ok(Bytes::from(out))
    }

    /// Indexes with storages of their own: the primary key has the table's.
    pub fn secondary(&self) -> impl Iterator<Item = &Index> {
        self.table.indexes.iter().filter(|index| !index.primary)
    }

    pub fn has_checks_of_row(&self) -> bool {
        !self.checks.is_empty() || self.table.columns.iter().any(|column| column.not_null && !column.dropped)
    }

    pub fn is_always_generated(&self, column: usize) -> bool {
        self.table.columns[column].identity == Some(Identity::Always)
    }
}

pub fn key_of(storage: StorageId, suffix: &[u8]) -> Result<Key> {
    let mut out = Vec::with_capacity(4 + suffix.len());
    out.extend_from_slice(&storage.0.to_be_bytes());
    out.extend_from_slice(suffix);
    crate::key::check_length(&out)?;
    Ok(Bytes::from(out))
}

/// The part of a row's key behind its storage id.
pub fn suffix_of(key: &Key) -> Bytes {
    key.slice(4..)
}
