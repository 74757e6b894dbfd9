//! The system's own tables: `pg_catalog`, `information_schema`, and what a node says of itself in `florin`.
//!
//! They are computed from the catalog when they are read, or asked of the session where only the node knows. Names, order and
//! types of the columns are PostgreSQL 15's (columns.txt).

mod attributes;
pub mod definitions;
pub mod describe;
mod fixed;
pub mod functions;
mod information;
pub mod objects;
mod relations;
mod roles;

use crate::context::QueryContext;
use crate::types::oid;
use sql::value::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Some columns of a row, by name; the others are zero, false or empty, as [`Definition::missing`] says.
pub type Row = Vec<(&'static str, Value)>;

/// Where a system table's rows come from.
#[derive(Clone, Copy, Debug)]
pub enum Rows {
    /// Nothing of the kind exists in Florin.
    Empty,
    Computed(fn(&QueryContext) -> Vec<Row>),
    /// The session answers, by the table's full name, with all columns in order.
    Session,
}

/// One system table.
#[derive(Debug)]
pub struct Definition {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    /// Names and type oids.
    pub columns: Vec<(String, u32)>,
    pub rows: Rows,
}

impl Definition {
    /// As a scan names it: `pg_catalog` is left out.
    pub fn full_name(&self) -> String {
        if self.schema == "pg_catalog" { self.name.clone() } else { format!("{}.{}", self.schema, self.name) }
    }

    /// What a column holds that a row says nothing of.
    pub fn missing(&self, column: usize) -> Value {
        match self.columns[column].1 {
            oid::BOOL => Value::Bool(false),
            oid::INT2 => Value::Int2(0),
            oid::INT4 => Value::Int4(0),
            oid::INT8 => Value::Int8(0),
            oid::OID | oid::XID | oid::REGPROC | oid::REGTYPE => Value::Oid(0),
            oid::FLOAT4 => Value::Float4(0.0),
            oid::CHAR => text(""),
            _ => Value::Null,
        }
    }

    /// All columns of a computed row.
    pub fn complete(&self, row: &Row) -> Vec<Value> {
        let value = |(index, (name, _)): (usize, &(String, u32))| {
            row.iter().find(|(known, _)| known == name).map_or_else(|| self.missing(index), |(_, value)| value.clone())
        };
        self.columns.iter().enumerate().map(value).collect()
    }
}

type Definitions = BTreeMap<(String, String), Definition>;

static DEFINITIONS: OnceLock<Definitions> = OnceLock::new();

fn definitions() -> &'static Definitions {
    DEFINITIONS.get_or_init(definitions::read)
}

pub fn all() -> impl Iterator<Item = &'static Definition> {
    definitions().values()
}

pub fn find(schema: &str, name: &str) -> Option<&'static Definition> {
    definitions().get(&(schema.to_owned(), name.to_owned()))
}

/// True if the table is there but never has a row.
pub fn is_always_empty(schema: &str, name: &str) -> bool {
    find(schema, name).is_some_and(|definition| matches!(definition.rows, Rows::Empty))
}

pub fn text(text: impl AsRef<str>) -> Value {
    Value::Text(Arc::from(text.as_ref()))
}

pub fn oid_value(oid: u32) -> Value {
    Value::Oid(oid)
}

pub fn array(values: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(values.into_iter().collect())
}

pub fn yes_no(yes: bool) -> Value {
    text(if yes { "YES" } else { "NO" })
}
