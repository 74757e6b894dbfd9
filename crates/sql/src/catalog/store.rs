//! The catalog as rows: one for each schema, table, sequence and role, and one with the counters.
//!
//! A row is a version byte and a postcard record. Readers take the whole of [`range`] at one snapshot and give it to [`decode`].

use super::{Catalog, Check, Column, Identity, Index, Role, Schema, Sequence, Table};
use crate::key::prefix_range;
use crate::ledger::tables::{self, Ledger};
use crate::types::{Type, stored};
use crate::value::Value;
use base::{Error, Result, SchemaVersion, SqlState, StorageId, Version};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use storage::access::{CATALOG_KEY_PREFIX, Key, KeyRange, Row, SCHEMA_KEY, Write};

const ROW_VERSION: u8 = 1;
/// Oids below belong to what is built in, as in PostgreSQL.
pub const FIRST_OID: u32 = 16_384;
/// Storage ids below are Florin's own.
pub const FIRST_STORAGE: u32 = 16;
/// The superuser that every cluster starts with.
pub const FIRST_ROLE: &str = "florin";

const COUNTERS: u8 = b'0';
const SCHEMA: u8 = b'n';
const TABLE: u8 = b't';
const SEQUENCE: u8 = b's';
const ROLE: u8 = b'r';

/// What a schema change takes its numbers from. Locked by it first, so that there is one schema change at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub version: SchemaVersion,
    pub next_oid: u32,
    pub next_storage: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredTable {
    schema: String,
    name: String,
    storage: u32,
    columns: Vec<StoredColumn>,
    primary_key: Vec<u16>,
    shard_key: Vec<u16>,
    indexes: Vec<StoredIndex>,
    checks: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct StoredColumn {
    name: String,
    type_oid: u32,
    type_modifier: i32,
    not_null: bool,
    default: Option<String>,
    /// 0: none, 1: always, 2: by default.
    identity: u8,
    dropped: bool,
    /// As in rows; `None` is NULL.
    missing: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct StoredIndex {
    oid: u32,
    name: String,
    storage: u32,
    columns: Vec<u16>,
    unique: bool,
    primary: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredSequence {
    schema: String,
    name: String,
    start: i64,
    increment: i64,
    min: i64,
    max: i64,
    cycle: bool,
    owned_by: Option<(u32, u16)>,
}

#[derive(Serialize, Deserialize)]
struct StoredRole {
    name: String,
    superuser: bool,
    login: bool,
    create_database: bool,
    create_role: bool,
    scram: Option<String>,
}

fn key(kind: u8, oid: u32) -> Key {
    let mut key = Vec::with_capacity(CATALOG_KEY_PREFIX.len() + 5);
    key.extend_from_slice(CATALOG_KEY_PREFIX);
    key.push(kind);
    key.extend_from_slice(&oid.to_be_bytes());
    Bytes::from(key)
}

pub fn counters_key() -> Key {
    key(COUNTERS, 0)
}

pub fn schema_key(oid: u32) -> Key {
    key(SCHEMA, oid)
}

pub fn table_key(oid: u32) -> Key {
    key(TABLE, oid)
}

pub fn sequence_key(oid: u32) -> Key {
    key(SEQUENCE, oid)
}

pub fn role_key(oid: u32) -> Key {
    key(ROLE, oid)
}

/// All rows of the catalog; they are in slot 0.
pub fn range() -> KeyRange {
    prefix_range(CATALOG_KEY_PREFIX)
}

fn row<T: Serialize>(value: &T) -> Result<Row> {
    let mut bytes = vec![ROW_VERSION];
    bytes = postcard::to_extend(value, bytes).map_err(|error| Error::internal(format!("a descriptor cannot be encoded: {error}")))?;
    Ok(Bytes::from(bytes))
}

fn read<'a, T: Deserialize<'a>>(row: &'a [u8]) -> Result<T> {
    match row.split_first() {
        Some((&ROW_VERSION, bytes)) => postcard::from_bytes(bytes).map_err(|_| damaged()),
        Some((version, _)) => {
            let message = format!("a descriptor has format {version}, but this program knows formats up to {ROW_VERSION}");
            Err(Error::new(SqlState::DATA_CORRUPTED, message).with_hint("Run a newer version of florin."))
        }
        None => Err(damaged()),
    }
}

fn damaged() -> Error {
    Error::new(SqlState::DATA_CORRUPTED, "a descriptor of the catalog is damaged")
}

pub fn counters_row(counters: &Counters) -> Result<Row> {
    row(counters)
}

pub fn read_counters(bytes: &[u8]) -> Result<Counters> {
    read(bytes)
}

pub fn schema_row(schema: &Schema) -> Result<Row> {
    row(&schema.name)
}

pub fn table_row(table: &Table) -> Result<Row> {
    let narrow = |positions: &[usize]| positions.iter().map(|p| *p as u16).collect();
    let columns = table.columns.iter().map(stored_column).collect::<Result<_>>()?;
    let index = |index: &Index| StoredIndex {
        oid: index.oid,
        name: index.name.clone(),
        storage: index.storage.0,
        columns: narrow(&index.columns),
        unique: index.unique,
        primary: index.primary,
    };
    row(&StoredTable {
        schema: table.schema.clone(),
        name: table.name.clone(),
        storage: table.storage.0,
        columns,
        primary_key: narrow(&table.primary_key),
        shard_key: narrow(&table.shard_key),
        indexes: table.indexes.iter().map(index).collect(),
        checks: table.checks.iter().map(|check| (check.name.clone(), check.expression.clone())).collect(),
    })
}

fn stored_column(column: &Column) -> Result<StoredColumn> {
    let missing = match &column.missing {
        Value::Null => None,
        value => {
            let mut bytes = Vec::new();
            stored::encode(value, Type::from_oid(column.type_oid).ok_or_else(damaged)?, &mut bytes)?;
            Some(bytes)
        }
    };
    Ok(StoredColumn {
        name: column.name.clone(),
        type_oid: column.type_oid,
        type_modifier: column.type_modifier,
        not_null: column.not_null,
        default: column.default.clone(),
        identity: match column.identity {
            None => 0,
            Some(Identity::Always) => 1,
            Some(Identity::ByDefault) => 2,
        },
        dropped: column.dropped,
        missing,
    })
}

pub fn sequence_row(sequence: &Sequence) -> Result<Row> {
    row(&StoredSequence {
        schema: sequence.schema.clone(),
        name: sequence.name.clone(),
        start: sequence.start,
        increment: sequence.increment,
        min: sequence.min,
        max: sequence.max,
        cycle: sequence.cycle,
        owned_by: sequence.owned_by.map(|(table, column)| (table, column as u16)),
    })
}

pub fn role_row(role: &Role) -> Result<Row> {
    row(&StoredRole {
        name: role.name.clone(),
        superuser: role.superuser,
        login: role.login,
        create_database: role.create_database,
        create_role: role.create_role,
        scram: role.scram.clone(),
    })
}

/// The catalog from all rows of [`range`].
///
/// # Errors
/// `XX001` if a row is damaged or of a format newer than this program's.
pub fn decode<'a>(rows: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Result<Catalog> {
    let mut catalog = Catalog::default();
    for (key, row) in rows {
        let rest = key.strip_prefix(CATALOG_KEY_PREFIX).ok_or_else(damaged)?;
        let [kind, a, b, c, d] = rest else { return Err(damaged()) };
        let oid = u32::from_be_bytes([*a, *b, *c, *d]);
        match *kind {
            COUNTERS => catalog.version = read::<Counters>(row)?.version,
            SCHEMA => {
                let name: String = read(row)?;
                let schema = catalog.schemas.entry(name.clone()).or_default();
                (schema.oid, schema.name) = (oid, name);
            }
            TABLE => catalog.put_table(Arc::new(read_table(oid, row)?)),
            SEQUENCE => catalog.put_sequence(Arc::new(read_sequence(oid, row)?)),
            ROLE => {
                let role = read_role(oid, row)?;
                catalog.roles.insert(role.name.clone(), Arc::new(role));
            }
            _ => return Err(damaged()),
        }
    }
    Ok(catalog)
}

fn read_table(oid: u32, row: &[u8]) -> Result<Table> {
    let stored: StoredTable = read(row)?;
    let count = stored.columns.len();
    let widen = |positions: Vec<u16>| -> Result<Vec<usize>> {
        positions.into_iter().map(|p| Some(usize::from(p)).filter(|p| *p < count).ok_or_else(damaged)).collect()
    };
    let mut indexes = Vec::with_capacity(stored.indexes.len());
    for index in stored.indexes {
        let (storage, columns) = (StorageId(index.storage), widen(index.columns)?);
        indexes.push(Index { oid: index.oid, name: index.name, storage, columns, unique: index.unique, primary: index.primary });
    }
    Ok(Table {
        oid,
        schema: stored.schema,
        name: stored.name,
        storage: StorageId(stored.storage),
        primary_key: widen(stored.primary_key)?,
        shard_key: widen(stored.shard_key)?,
        columns: stored.columns.into_iter().map(read_column).collect::<Result<_>>()?,
        indexes,
        checks: stored.checks.into_iter().map(|(name, expression)| Check { name, expression }).collect(),
    })
}

fn read_column(stored: StoredColumn) -> Result<Column> {
    let missing = match stored.missing {
        None => Value::Null,
        Some(bytes) => read_missing(&bytes, Type::from_oid(stored.type_oid).ok_or_else(damaged)?)?,
    };
    Ok(Column {
        name: stored.name,
        type_oid: stored.type_oid,
        type_modifier: stored.type_modifier,
        not_null: stored.not_null,
        default: stored.default,
        identity: match stored.identity {
            0 => None,
            1 => Some(Identity::Always),
            2 => Some(Identity::ByDefault),
            _ => return Err(damaged()),
        },
        dropped: stored.dropped,
        missing,
    })
}

/// A value as rows hold it: of variable width with its length before it.
fn read_missing(bytes: &[u8], ty: Type) -> Result<Value> {
    let value = match stored::width(ty) {
        Some(_) => Some(bytes),
        None => stored::read_length(bytes).and_then(|(skip, length)| bytes.get(skip..skip + length)),
    };
    stored::decode(value.ok_or_else(damaged)?, ty)
}

fn read_sequence(oid: u32, row: &[u8]) -> Result<Sequence> {
    let stored: StoredSequence = read(row)?;
    Ok(Sequence {
        oid,
        schema: stored.schema,
        name: stored.name,
        start: stored.start,
        increment: stored.increment,
        min: stored.min,
        max: stored.max,
        cycle: stored.cycle,
        owned_by: stored.owned_by.map(|(table, column)| (table, usize::from(column))),
    })
}

fn read_role(oid: u32, row: &[u8]) -> Result<Role> {
    let stored: StoredRole = read(row)?;
    Ok(Role {
        oid,
        name: stored.name,
        superuser: stored.superuser,
        login: stored.login,
        create_database: stored.create_database,
        create_role: stored.create_role,
        scram: stored.scram,
    })
}

/// The row of [`SCHEMA_KEY`].
pub fn version_row(version: SchemaVersion) -> Row {
    Bytes::copy_from_slice(&version.0.to_be_bytes())
}

/// What a new cluster's shard starts with. `system`: the shard that has slot 0.
pub fn bootstrap(system: bool) -> Vec<Write> {
    let version = SchemaVersion(1);
    let write = |key: Key, row: Row| Write { key, row: Some(row), base: Version::ZERO };
    let mut writes = vec![write(Bytes::from_static(SCHEMA_KEY), version_row(version))];
    if !system {
        return writes;
    }
    const HOLDS: &str = "built-in descriptors can be encoded";
    let counters = Counters { version, next_oid: FIRST_OID, next_storage: FIRST_STORAGE };
    writes.push(write(counters_key(), counters_row(&counters).expect(HOLDS)));
    writes.push(write(schema_key(tables::schema().oid), schema_row(&tables::schema()).expect(HOLDS)));
    for table in Ledger::ALL.into_iter().map(Ledger::table) {
        writes.push(write(table_key(table.oid), table_row(&table).expect(HOLDS)));
    }
    for (oid, name) in [(11, "pg_catalog"), (2200, "public"), (13_000, "information_schema"), (13_001, "florin")] {
        let schema = Schema { oid, name: name.to_owned(), ..Schema::default() };
        writes.push(write(schema_key(oid), schema_row(&schema).expect(HOLDS)));
    }
    let role =
        Role { oid: 10, name: FIRST_ROLE.to_owned(), superuser: true, login: true, create_database: true, create_role: true, scram: None };
    writes.push(write(role_key(role.oid), role_row(&role).expect(HOLDS)));
    writes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_cluster_has_its_schemas_and_superuser() {
        let writes = bootstrap(true);
        let rows = writes.iter().filter(|w| w.key != SCHEMA_KEY).map(|w| (&w.key[..], &w.row.as_ref().expect("all are written")[..]));
        let catalog = decode(rows).expect("reads what it wrote");
        assert_eq!(catalog.version, SchemaVersion(1));
        assert_eq!(catalog.schemas.keys().collect::<Vec<_>>(), ["florin", "information_schema", "ledger", "pg_catalog", "public"]);
        assert!(catalog.roles[FIRST_ROLE].superuser);
        assert_eq!(bootstrap(false).len(), 1);
    }

    #[test]
    fn descriptors_survive_their_rows() {
        let column = Column {
            name: "a".into(),
            type_oid: Type::Int4.oid(),
            type_modifier: -1,
            not_null: true,
            default: Some("1 + 1".into()),
            identity: Some(Identity::Always),
            dropped: false,
            missing: Value::Int4(7),
        };
        let text = Column { name: "b".into(), type_oid: Type::Text.oid(), missing: Value::text("none"), ..column.clone() };
        let index = Index { oid: 6, name: "t_pkey".into(), storage: StorageId(9), columns: vec![0], unique: true, primary: true };
        let table = Table {
            oid: 5,
            schema: "public".into(),
            name: "t".into(),
            storage: StorageId(9),
            columns: vec![column, text],
            primary_key: vec![0],
            shard_key: vec![0],
            indexes: vec![index],
            checks: vec![Check { name: "c".into(), expression: "a > 0".into() }],
        };
        let row = table_row(&table).expect("can be encoded");
        let read = read_table(5, &row).expect("reads what it wrote");
        assert_eq!(format!("{read:?}"), format!("{table:?}"));
        assert!(read_table(5, &row[..row.len() - 1]).is_err());
    }
}
