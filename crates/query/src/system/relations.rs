//! Relations, indexes, constraints and sequences as `pg_catalog` shows them.

use super::objects::{FLORIN_SCHEMA_OID, INFORMATION_SCHEMA_OID, PG_CATALOG_OID, owner_oid, schema_oid};
use super::{Row, array, describe, oid_value, text};
use crate::context::QueryContext;
use crate::types::{PgType, oid};
use sql::catalog::{Index, Sequence, Table};
use sql::value::Value;

/// `pg_class` has its own oid in `pg_depend`.
const CLASS_OID: u32 = 1259;
/// The access methods' oids.
pub const HEAP_OID: u32 = 2;
pub const BTREE_OID: u32 = 403;

pub fn pg_class(context: &QueryContext) -> Vec<Row> {
    let owner = owner_oid(context);
    let mut rows = Vec::new();
    for table in context.catalog.tables.values() {
        rows.push(table_row(context, table, owner));
        rows.extend(table.indexes.iter().map(|index| index_row(context, table, index, owner)));
    }
    for sequence in context.catalog.sequences.values() {
        let namespace = schema_oid(context, &sequence.schema).unwrap_or(0);
        let mut row = class_row(sequence.oid, &sequence.name, namespace, "S", owner);
        row.push(("relnatts", Value::Int2(3)));
        rows.push(row);
    }
    for definition in super::all() {
        let namespace = schema_oid(context, &definition.schema).unwrap_or(PG_CATALOG_OID);
        let kind =
            if definition.schema == "pg_catalog" && definition.columns.first().is_some_and(|(name, _)| name == "oid") { "r" } else { "v" };
        let mut row = class_row(definition.oid, &definition.name, namespace, kind, owner);
        row.push(("relnatts", Value::Int2(i16::try_from(definition.columns.len()).unwrap_or(i16::MAX))));
        rows.push(row);
    }
    rows
}

fn class_row(oid: u32, name: &str, namespace: u32, kind: &str, owner: u32) -> Row {
    vec![
        ("oid", oid_value(oid)),
        ("relname", text(name)),
        ("relnamespace", oid_value(namespace)),
        ("relowner", oid_value(owner)),
        ("relkind", text(kind)),
        ("relpersistence", text("p")),
        ("relreplident", text(if kind == "r" { "d" } else { "n" })),
        ("relispopulated", Value::Bool(true)),
        ("reltuples", Value::Float4(-1.0)),
    ]
}

fn table_row(context: &QueryContext, table: &Table, owner: u32) -> Row {
    let namespace = schema_oid(context, &table.schema).unwrap_or(0);
    let mut row = class_row(table.oid, &table.name, namespace, "r", owner);
    row.extend([
        ("relam", oid_value(HEAP_OID)),
        ("relfilenode", oid_value(table.storage.0)),
        ("relhasindex", Value::Bool(!table.indexes.is_empty())),
        ("relnatts", Value::Int2(i16::try_from(table.columns.len()).unwrap_or(i16::MAX))),
        ("relchecks", Value::Int2(i16::try_from(table.checks.len()).unwrap_or(i16::MAX))),
        ("reloptions", options(table)),
    ]);
    row
}

fn options(table: &Table) -> Value {
    if table.shard_key.is_empty() {
        return Value::Null;
    }
    let names: Vec<&str> = table.shard_key.iter().map(|column| table.columns[*column].name.as_str()).collect();
    array([text(format!("shard_key={}", names.join(",")))])
}

fn index_row(context: &QueryContext, table: &Table, index: &Index, owner: u32) -> Row {
    let namespace = schema_oid(context, &table.schema).unwrap_or(0);
    let mut row = class_row(index.oid, &index.name, namespace, "i", owner);
    row.extend([
        ("relam", oid_value(BTREE_OID)),
        ("relfilenode", oid_value(index.storage.0)),
        ("relnatts", Value::Int2(i16::try_from(index.columns.len()).unwrap_or(i16::MAX))),
    ]);
    row
}

pub fn pg_namespace(context: &QueryContext) -> Vec<Row> {
    let owner = owner_oid(context);
    let row = |oid: u32, name: &str| vec![("oid", oid_value(oid)), ("nspname", text(name)), ("nspowner", oid_value(owner))];
    let mut rows = vec![row(PG_CATALOG_OID, "pg_catalog"), row(INFORMATION_SCHEMA_OID, "information_schema")];
    if !context.catalog.schemas.contains_key("florin") {
        rows.push(row(FLORIN_SCHEMA_OID, "florin"));
    }
    let own = context.catalog.schemas.values().filter(|schema| !matches!(schema.name.as_str(), "pg_catalog" | "information_schema"));
    rows.extend(own.map(|schema| row(schema.oid, &schema.name)));
    rows
}

fn number(position: usize) -> Value {
    Value::Int2(i16::try_from(position + 1).unwrap_or(0))
}

pub fn pg_index(context: &QueryContext) -> Vec<Row> {
    let indexes = context.catalog.tables.values().flat_map(|table| table.indexes.iter().map(move |index| (table, index)));
    indexes
        .map(|(table, index)| {
            let count = Value::Int2(i16::try_from(index.columns.len()).unwrap_or(i16::MAX));
            let classes = index.columns.iter().map(|column| oid_value(super::fixed::operator_class(table.columns[*column].type_oid)));
            let collations = index.columns.iter().map(|column| oid_value(collation(table.columns[*column].type_oid)));
            vec![
                ("indexrelid", oid_value(index.oid)),
                ("indrelid", oid_value(table.oid)),
                ("indnatts", count.clone()),
                ("indnkeyatts", count),
                ("indisunique", Value::Bool(index.unique)),
                ("indisprimary", Value::Bool(index.primary)),
                ("indimmediate", Value::Bool(true)),
                ("indisvalid", Value::Bool(true)),
                ("indisready", Value::Bool(true)),
                ("indislive", Value::Bool(true)),
                ("indkey", array(index.columns.iter().map(|column| number(*column)))),
                ("indcollation", array(collations)),
                ("indclass", array(classes)),
                ("indoption", array(index.columns.iter().map(|_| Value::Int2(0)))),
            ]
        })
        .collect()
}

/// All strings have the default collation, other types none.
pub fn collation(type_oid: u32) -> u32 {
    match type_oid {
        oid::NAME => 950,
        _ if PgType::of(type_oid).is_string() && type_oid != oid::CHAR => 100,
        _ => 0,
    }
}

pub fn pg_constraint(context: &QueryContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in context.catalog.tables.values() {
        for (index, oid) in describe::index_constraints(table) {
            let mut row = constraint_row(context, table, oid, &index.name, if index.primary { "p" } else { "u" });
            row.push(("conindid", oid_value(index.oid)));
            row.push(("conkey", array(index.columns.iter().map(|column| number(*column)))));
            rows.push(row);
        }
        for (position, check) in table.checks.iter().enumerate() {
            let mut row = constraint_row(context, table, describe::check_oid(table, position), &check.name, "c");
            row.push(("conbin", text(&check.expression)));
            rows.push(row);
        }
    }
    rows
}

fn constraint_row(context: &QueryContext, table: &Table, oid: u32, name: &str, kind: &str) -> Row {
    vec![
        ("oid", oid_value(oid)),
        ("conname", text(name)),
        ("connamespace", oid_value(schema_oid(context, &table.schema).unwrap_or(0))),
        ("contype", text(kind)),
        ("convalidated", Value::Bool(true)),
        ("conrelid", oid_value(table.oid)),
        ("conislocal", Value::Bool(true)),
        ("connoinherit", Value::Bool(kind != "c")),
        ("confupdtype", text(" ")),
        ("confdeltype", text(" ")),
        ("confmatchtype", text(" ")),
    ]
}

pub fn pg_sequence(context: &QueryContext) -> Vec<Row> {
    let row = |sequence: &Sequence| {
        vec![
            ("seqrelid", oid_value(sequence.oid)),
            ("seqtypid", oid_value(oid::INT8)),
            ("seqstart", Value::Int8(sequence.start)),
            ("seqincrement", Value::Int8(sequence.increment)),
            ("seqmax", Value::Int8(sequence.max)),
            ("seqmin", Value::Int8(sequence.min)),
            ("seqcache", Value::Int8(1)),
            ("seqcycle", Value::Bool(sequence.cycle)),
        ]
    };
    context.catalog.sequences.values().map(|sequence| row(sequence)).collect()
}

/// Only which column owns which sequence: that is what tools look for.
pub fn pg_depend(context: &QueryContext) -> Vec<Row> {
    let owned = context.catalog.sequences.values().filter_map(|sequence| sequence.owned_by.map(|owner| (sequence, owner)));
    owned
        .map(|(sequence, (table, column))| {
            let identity = context
                .catalog
                .tables
                .get(&table)
                .and_then(|table| table.columns.get(column))
                .is_some_and(|column| column.identity.is_some());
            vec![
                ("classid", oid_value(CLASS_OID)),
                ("objid", oid_value(sequence.oid)),
                ("refclassid", oid_value(CLASS_OID)),
                ("refobjid", oid_value(table)),
                ("refobjsubid", Value::Int4(i32::try_from(column + 1).unwrap_or(0))),
                ("deptype", text(if identity { "i" } else { "a" })),
            ]
        })
        .collect()
}

pub fn pg_tables(context: &QueryContext) -> Vec<Row> {
    let owner = super::objects::role_name(context, owner_oid(context)).unwrap_or_default();
    let row = |schema: &str, name: &str, indexed: bool| {
        vec![("schemaname", text(schema)), ("tablename", text(name)), ("tableowner", text(&owner)), ("hasindexes", Value::Bool(indexed))]
    };
    let stored = context.catalog.tables.values().map(|table| row(&table.schema, &table.name, !table.indexes.is_empty()));
    let own = super::all()
        .filter(|definition| definition.schema == "pg_catalog")
        .map(|definition| row(&definition.schema, &definition.name, false));
    stored.chain(own).collect()
}

pub fn pg_indexes(context: &QueryContext) -> Vec<Row> {
    let indexes = context.catalog.tables.values().flat_map(|table| table.indexes.iter().map(move |index| (table, index)));
    indexes
        .map(|(table, index)| {
            vec![
                ("schemaname", text(&table.schema)),
                ("tablename", text(&table.name)),
                ("indexname", text(&index.name)),
                ("indexdef", text(describe::index_definition(table, index, true))),
            ]
        })
        .collect()
}

pub fn pg_sequences(context: &QueryContext) -> Vec<Row> {
    let owner = super::objects::role_name(context, owner_oid(context)).unwrap_or_default();
    let row = |sequence: &Sequence| {
        vec![
            ("schemaname", text(&sequence.schema)),
            ("sequencename", text(&sequence.name)),
            ("sequenceowner", text(&owner)),
            ("data_type", oid_value(oid::INT8)),
            ("start_value", Value::Int8(sequence.start)),
            ("min_value", Value::Int8(sequence.min)),
            ("max_value", Value::Int8(sequence.max)),
            ("increment_by", Value::Int8(sequence.increment)),
            ("cycle", Value::Bool(sequence.cycle)),
            ("cache_size", Value::Int8(1)),
            // Where it stands only its shard knows.
            ("last_value", Value::Null),
        ]
    };
    context.catalog.sequences.values().map(|sequence| row(sequence)).collect()
}
