//! What exists: schemas, tables, columns, indexes, sequences, roles. Immutable; a change makes a new one.

pub mod lookup;
pub mod store;

use crate::value::Value;
use base::{SchemaVersion, StorageId};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub struct Catalog {
    pub version: SchemaVersion,
    pub schemas: BTreeMap<String, Schema>,
    /// By oid.
    pub tables: BTreeMap<u32, Arc<Table>>,
    pub sequences: BTreeMap<u32, Arc<Sequence>>,
    pub roles: BTreeMap<String, Arc<Role>>,
}

#[derive(Clone, Debug, Default)]
pub struct Schema {
    pub oid: u32,
    pub name: String,
    /// Tables, sequences and indexes share one name space: name to oid.
    pub relations: BTreeMap<String, u32>,
}

#[derive(Clone, Debug)]
pub struct Table {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub storage: StorageId,
    pub columns: Vec<Column>,
    /// Positions in `columns`. A table without one gets a hidden row id.
    pub primary_key: Vec<usize>,
    /// Positions in `columns` (a subset of the primary key) whose hash gives the row's slot. Empty: the whole table lives in one slot.
    pub shard_key: Vec<usize>,
    pub indexes: Vec<Index>,
    pub checks: Vec<Check>,
}

#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub type_oid: u32,
    pub type_modifier: i32,
    pub not_null: bool,
    /// SQL text.
    pub default: Option<String>,
    pub identity: Option<Identity>,
    /// Dropped columns keep their position in stored rows.
    pub dropped: bool,
    /// What rows stored before the column existed have in it.
    pub missing: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    Always,
    ByDefault,
}

#[derive(Clone, Debug)]
pub struct Index {
    pub oid: u32,
    pub name: String,
    pub storage: StorageId,
    pub columns: Vec<usize>,
    pub unique: bool,
    pub primary: bool,
}

#[derive(Clone, Debug)]
pub struct Check {
    pub name: String,
    /// SQL text.
    pub expression: String,
}

#[derive(Clone, Debug)]
pub struct Sequence {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub start: i64,
    pub increment: i64,
    pub min: i64,
    pub max: i64,
    pub cycle: bool,
    pub owned_by: Option<(u32, usize)>,
}

#[derive(Clone, Debug)]
pub struct Role {
    pub oid: u32,
    pub name: String,
    pub superuser: bool,
    pub login: bool,
    pub create_database: bool,
    pub create_role: bool,
    /// RFC 5803 form: `SCRAM-SHA-256$iterations:salt$stored:server`.
    pub scram: Option<String>,
}
