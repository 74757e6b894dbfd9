//! Catalog tables whose content does not depend on what users made: types, access methods, collations, the one database.

use super::objects::{PG_CATALOG_OID, owner_oid};
use super::{Row, oid_value, text};
use crate::context::QueryContext;
use crate::types::oid;
use sql::types::{Category, Type};
use sql::value::Value;

/// PostgreSQL's code of UTF8.
const UTF8: i32 = 6;
const DATABASE_OID: u32 = 16_384 - 1;
const TABLESPACE_OID: u32 = 1663;
/// PostgreSQL's oids of the default B-tree operator classes.
const OPERATOR_CLASSES: &[(u32, &str, u32)] = &[
    (424, "bool_ops", oid::BOOL),
    (428, "bytea_ops", oid::BYTEA),
    (434, "float8_ops", oid::FLOAT8),
    (1970, "float4_ops", oid::FLOAT4),
    (1976, "int2_ops", oid::INT2),
    (1978, "int4_ops", oid::INT4),
    (1979, "int4_ops", oid::INT4),
    (3124, "int8_ops", oid::INT8),
    (3125, "numeric_ops", oid::NUMERIC),
    (1981, "oid_ops", oid::OID),
    (3126, "text_ops", oid::TEXT),
    (3122, "date_ops", oid::DATE),
    (3123, "interval_ops", oid::INTERVAL),
    (3127, "timestamptz_ops", oid::TIMESTAMPTZ),
    (3128, "timestamp_ops", oid::TIMESTAMP),
    (3129, "time_ops", oid::TIME),
    (2968, "uuid_ops", oid::UUID),
    (10_076, "bpchar_ops", oid::BPCHAR),
    (10_077, "jsonb_ops", oid::JSONB),
];

/// The default operator class of a type; `varchar` and the like have that of `text`.
pub fn operator_class(type_oid: u32) -> u32 {
    let type_oid = if matches!(type_oid, oid::VARCHAR | oid::NAME | oid::CHAR) { oid::TEXT } else { type_oid };
    OPERATOR_CLASSES.iter().find(|(_, _, known)| *known == type_oid).map_or(0, |(oid, _, _)| *oid)
}

pub fn pg_opclass(context: &QueryContext) -> Vec<Row> {
    let owner = owner_oid(context);
    let row = |(oid, name, ty): &(u32, &str, u32)| {
        vec![
            ("oid", oid_value(*oid)),
            ("opcmethod", oid_value(super::relations::BTREE_OID)),
            ("opcname", text(name)),
            ("opcnamespace", oid_value(PG_CATALOG_OID)),
            ("opcowner", oid_value(owner)),
            ("opcintype", oid_value(*ty)),
            ("opcdefault", Value::Bool(true)),
        ]
    };
    OPERATOR_CLASSES.iter().map(row).collect()
}

pub fn pg_database(context: &QueryContext) -> Vec<Row> {
    vec![vec![
        ("oid", oid_value(DATABASE_OID)),
        ("datname", text(&context.settings.database)),
        ("datdba", oid_value(owner_oid(context))),
        ("encoding", Value::Int4(UTF8)),
        ("datlocprovider", text("c")),
        ("datallowconn", Value::Bool(true)),
        ("datconnlimit", Value::Int4(-1)),
        ("dattablespace", oid_value(TABLESPACE_OID)),
        ("datcollate", text("C")),
        ("datctype", text("C")),
    ]]
}

pub fn pg_am(_: &QueryContext) -> Vec<Row> {
    let row = |oid: u32, name: &str, kind: &str| vec![("oid", oid_value(oid)), ("amname", text(name)), ("amtype", text(kind))];
    vec![row(super::relations::HEAP_OID, "heap", "t"), row(super::relations::BTREE_OID, "btree", "i")]
}

pub fn pg_collation(context: &QueryContext) -> Vec<Row> {
    let owner = owner_oid(context);
    let row = |oid: u32, name: &str, provider: &str, locale: Option<&str>| {
        let locale = locale.map_or(Value::Null, text);
        vec![
            ("oid", oid_value(oid)),
            ("collname", text(name)),
            ("collnamespace", oid_value(PG_CATALOG_OID)),
            ("collowner", oid_value(owner)),
            ("collprovider", text(provider)),
            ("collisdeterministic", Value::Bool(true)),
            ("collencoding", Value::Int4(-1)),
            ("collcollate", locale.clone()),
            ("collctype", locale),
        ]
    };
    vec![row(100, "default", "d", None), row(950, "C", "c", Some("C")), row(951, "POSIX", "c", Some("POSIX"))]
}

pub fn pg_tablespace(context: &QueryContext) -> Vec<Row> {
    let owner = owner_oid(context);
    let row = |oid: u32, name: &str| vec![("oid", oid_value(oid)), ("spcname", text(name)), ("spcowner", oid_value(owner))];
    vec![row(TABLESPACE_OID, "pg_default"), row(1664, "pg_global")]
}

pub fn pg_language(context: &QueryContext) -> Vec<Row> {
    let owner = owner_oid(context);
    let row = |oid: u32, name: &str| vec![("oid", oid_value(oid)), ("lanname", text(name)), ("lanowner", oid_value(owner))];
    vec![row(12, "internal"), row(13, "c"), row(14, "sql")]
}

pub fn pg_type(context: &QueryContext) -> Vec<Row> {
    let owner = owner_oid(context);
    let mut rows = Vec::new();
    for ty in Type::scalars() {
        rows.push(type_row(ty, owner));
        rows.extend(ty.array_of().map(|array| type_row(array, owner)));
    }
    for (oid, name, element) in [(oid::INT2_VECTOR, "int2vector", oid::INT2), (oid::OID_VECTOR, "oidvector", oid::OID)] {
        let mut row = named_type(oid, name, -1, "A", "b", owner);
        row.push(("typelem", oid_value(element)));
        rows.push(row);
    }
    rows.push(named_type(oid::PG_NODE_TREE, "pg_node_tree", -1, "Z", "b", owner));
    rows.push(named_type(oid::REGNAMESPACE, "regnamespace", 4, "N", "b", owner));
    rows.push(named_type(oid::REGROLE, "regrole", 4, "N", "b", owner));
    rows.push(named_type(oid::XID, "xid", 4, "U", "b", owner));
    rows
}

fn type_row(ty: Type, owner: u32) -> Row {
    let category = match ty.category() {
        Category::Boolean => "B",
        Category::Number => "N",
        Category::String => "S",
        Category::DateTime => "D",
        Category::Timespan => "T",
        Category::Array => "A",
        Category::User => "U",
        Category::Internal => "Z",
        Category::Pseudo => "P",
        Category::Unknown => "X",
    };
    let kind = if matches!(ty, Type::Void | Type::Record | Type::Unknown) { "p" } else { "b" };
    let mut row = named_type(ty.oid(), &ty.name(), ty.size(), category, kind, owner);
    row.extend([
        ("typispreferred", Value::Bool(ty.is_preferred())),
        ("typelem", oid_value(ty.element().map_or(0, Type::oid))),
        ("typarray", oid_value(ty.array_oid())),
        ("typcollation", oid_value(super::relations::collation(ty.oid()))),
    ]);
    if ty.is_array() {
        row.push(("typsubscript", oid_value(ARRAY_SUBSCRIPT_OID)));
    }
    row
}

/// `array_subscript_handler`, by which tools tell true arrays.
const ARRAY_SUBSCRIPT_OID: u32 = 6179;

fn named_type(oid: u32, name: &str, size: i16, category: &str, kind: &str, owner: u32) -> Row {
    vec![
        ("oid", oid_value(oid)),
        ("typname", text(name)),
        ("typnamespace", oid_value(PG_CATALOG_OID)),
        ("typowner", oid_value(owner)),
        ("typlen", Value::Int2(size)),
        ("typbyval", Value::Bool(matches!(size, 1 | 2 | 4 | 8))),
        ("typtype", text(kind)),
        ("typcategory", text(category)),
        ("typisdefined", Value::Bool(true)),
        ("typdelim", text(",")),
        ("typalign", text(if size == 8 { "d" } else { "i" })),
        ("typstorage", text(if size > 0 { "p" } else { "x" })),
        ("typtypmod", Value::Int4(-1)),
    ]
}

/// The settings that queries may ask for by name.
pub fn settings(context: &QueryContext) -> Vec<(&'static str, String)> {
    let fixed = [
        ("server_version", "15.0"),
        ("server_version_num", "150000"),
        ("server_encoding", "UTF8"),
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
        ("integer_datetimes", "on"),
        ("IntervalStyle", "postgres"),
        ("DateStyle", "ISO, MDY"),
        ("bytea_output", "hex"),
        ("lc_collate", "C"),
        ("lc_ctype", "C"),
        ("max_identifier_length", "63"),
        ("max_index_keys", "32"),
        ("block_size", "8192"),
        ("is_superuser", "on"),
    ];
    let mut settings: Vec<(&'static str, String)> = fixed.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    settings.push(("TimeZone", context.settings.time_zone.clone()));
    settings.push((
        "search_path",
        context.settings.search_path.iter().map(|schema| sql::functions::quote_identifier(schema)).collect::<Vec<_>>().join(", "),
    ));
    settings.push(("session_authorization", context.settings.user.clone()));
    settings
}

pub fn pg_settings(context: &QueryContext) -> Vec<Row> {
    let row = |(name, value): (&'static str, String)| {
        vec![
            ("name", text(name)),
            ("setting", text(&value)),
            ("context", text("internal")),
            ("vartype", text("string")),
            ("source", text("default")),
            ("boot_val", text(&value)),
            ("reset_val", text(&value)),
        ]
    };
    settings(context).into_iter().map(row).collect()
}
