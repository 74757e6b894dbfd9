//! `information_schema`: the same facts as the SQL standard names them.

use super::objects::{owner_oid, role_name, schema_oid};
use super::{Row, describe, text, yes_no};
use crate::context::QueryContext;
use crate::types::{PgType, oid};
use sql::catalog::{Column, Identity, Table};
use sql::types::{NumericModifier, Type};
use sql::value::Value;

fn catalog(context: &QueryContext) -> Value {
    text(&context.settings.database)
}

fn owner(context: &QueryContext) -> String {
    role_name(context, owner_oid(context)).unwrap_or_default()
}

pub fn catalog_name(context: &QueryContext) -> Vec<Row> {
    vec![vec![("catalog_name", catalog(context))]]
}

pub fn enabled_roles(context: &QueryContext) -> Vec<Row> {
    vec![vec![("role_name", text(&context.settings.user))]]
}

pub fn schemata(context: &QueryContext) -> Vec<Row> {
    let owner = owner(context);
    let mut names: Vec<&str> = vec!["pg_catalog", "information_schema"];
    names.extend(context.catalog.schemas.keys().map(String::as_str).filter(|name| !crate::names::is_system_schema(name)));
    names
        .into_iter()
        .map(|name| vec![("catalog_name", catalog(context)), ("schema_name", text(name)), ("schema_owner", text(&owner))])
        .collect()
}

pub fn tables(context: &QueryContext) -> Vec<Row> {
    let row = |schema: &str, name: &str, kind: &str, insertable: bool| {
        vec![
            ("table_catalog", catalog(context)),
            ("table_schema", text(schema)),
            ("table_name", text(name)),
            ("table_type", text(kind)),
            ("is_insertable_into", yes_no(insertable)),
            ("is_typed", yes_no(false)),
        ]
    };
    let stored = context.catalog.tables.values().map(|table| row(&table.schema, &table.name, "BASE TABLE", true));
    let own = super::all().map(|definition| {
        row(&definition.schema, &definition.name, if definition.schema == "pg_catalog" { "BASE TABLE" } else { "VIEW" }, false)
    });
    stored.chain(own).collect()
}

pub fn columns(context: &QueryContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in context.catalog.tables.values() {
        for (position, column) in table.columns.iter().enumerate().filter(|(_, column)| !column.dropped) {
            rows.push(column_row(context, table, position, column));
        }
    }
    for definition in super::all() {
        for (position, (name, ty)) in definition.columns.iter().enumerate() {
            let mut row = vec![
                ("table_catalog", catalog(context)),
                ("table_schema", text(&definition.schema)),
                ("table_name", text(&definition.name)),
                ("column_name", text(name)),
                ("is_nullable", yes_no(true)),
                ("is_updatable", yes_no(false)),
            ];
            row.extend(type_columns(context, position, PgType::of(*ty)));
            rows.push(row);
        }
    }
    rows
}

fn column_row(context: &QueryContext, table: &Table, position: usize, column: &Column) -> Row {
    let default = column.default.as_ref().filter(|_| column.identity.is_none());
    let mut row = vec![
        ("table_catalog", catalog(context)),
        ("table_schema", text(&table.schema)),
        ("table_name", text(&table.name)),
        ("column_name", text(&column.name)),
        ("column_default", default.map_or(Value::Null, text)),
        ("is_nullable", yes_no(!column.not_null)),
        ("is_identity", yes_no(column.identity.is_some())),
        (
            "identity_generation",
            column.identity.map_or(Value::Null, |identity| text(if identity == Identity::Always { "ALWAYS" } else { "BY DEFAULT" })),
        ),
        ("is_updatable", yes_no(true)),
    ];
    row.extend(type_columns(context, position, PgType::with_modifier(column.type_oid, column.type_modifier)));
    row
}

fn type_columns(context: &QueryContext, position: usize, ty: PgType) -> Row {
    let known = Type::from_oid(ty.oid);
    let data_type = match known {
        Some(known) if known.is_array() => String::from("ARRAY"),
        Some(known) => known.to_string(),
        None => String::from("USER-DEFINED"),
    };
    let internal = known.map_or_else(|| String::from("unknown"), Type::name);
    let mut row = vec![
        ("ordinal_position", Value::Int4(i32::try_from(position + 1).unwrap_or(0))),
        ("data_type", text(data_type)),
        ("udt_catalog", catalog(context)),
        ("udt_schema", text("pg_catalog")),
        ("udt_name", text(internal)),
        ("dtd_identifier", text((position + 1).to_string())),
        ("is_self_referencing", yes_no(false)),
        ("is_generated", text("NEVER")),
        ("identity_cycle", yes_no(false)),
        ("character_maximum_length", Value::Null),
        ("character_octet_length", Value::Null),
        ("numeric_precision", Value::Null),
        ("numeric_precision_radix", Value::Null),
        ("numeric_scale", Value::Null),
        ("datetime_precision", Value::Null),
        ("interval_precision", Value::Null),
        ("maximum_cardinality", Value::Null),
    ];
    // A later entry of the same name does not count, so the known ones replace their NULLs.
    for (name, value) in measures(ty) {
        row.retain(|(known, _)| *known != name);
        row.push((name, value));
    }
    if !row.iter().any(|(name, _)| *name == "is_identity") {
        row.push(("is_identity", yes_no(false)));
    }
    row
}

/// Lengths and precisions.
fn measures(ty: PgType) -> Row {
    const BYTES_PER_CHARACTER: i32 = 4;
    const OCTETS_MAX: i32 = 1 << 30;
    let number = |precision: i32, radix: i32, scale: Option<i32>| {
        let mut row = vec![("numeric_precision", Value::Int4(precision)), ("numeric_precision_radix", Value::Int4(radix))];
        row.extend(scale.map(|scale| ("numeric_scale", Value::Int4(scale))));
        row
    };
    match ty.oid {
        oid::INT2 => number(16, 2, Some(0)),
        oid::INT4 => number(32, 2, Some(0)),
        oid::INT8 => number(64, 2, Some(0)),
        oid::FLOAT4 => number(24, 2, None),
        oid::FLOAT8 => number(53, 2, None),
        oid::NUMERIC => match NumericModifier::decode(ty.modifier) {
            Some(modifier) => number(i32::from(modifier.precision), 10, Some(i32::from(modifier.scale))),
            None => vec![("numeric_precision_radix", Value::Int4(10))],
        },
        oid::VARCHAR | oid::BPCHAR if ty.modifier >= 4 => {
            let length = ty.modifier - 4;
            vec![
                ("character_maximum_length", Value::Int4(length)),
                ("character_octet_length", Value::Int4(length.saturating_mul(BYTES_PER_CHARACTER))),
            ]
        }
        oid::TEXT | oid::VARCHAR => vec![("character_octet_length", Value::Int4(OCTETS_MAX))],
        oid::DATE => vec![("datetime_precision", Value::Int4(0))],
        oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::INTERVAL => {
            vec![("datetime_precision", Value::Int4(if ty.modifier >= 0 { ty.modifier } else { 6 }))]
        }
        _ => Vec::new(),
    }
}

pub fn sequences(context: &QueryContext) -> Vec<Row> {
    let sequences = context.catalog.sequences.values().map(|sequence| {
        vec![
            ("sequence_catalog", catalog(context)),
            ("sequence_schema", text(&sequence.schema)),
            ("sequence_name", text(&sequence.name)),
            ("data_type", text("bigint")),
            ("numeric_precision", Value::Int4(64)),
            ("numeric_precision_radix", Value::Int4(2)),
            ("numeric_scale", Value::Int4(0)),
            ("start_value", text(sequence.start.to_string())),
            ("minimum_value", text(sequence.min.to_string())),
            ("maximum_value", text(sequence.max.to_string())),
            ("increment", text(sequence.increment.to_string())),
            ("cycle_option", yes_no(sequence.cycle)),
        ]
    });
    sequences.collect()
}

/// Name and kind of a table's constraints, `NOT NULL`s apart.
fn constraints(table: &Table) -> Vec<(&str, &'static str, &[usize])> {
    let mut found: Vec<(&str, &'static str, &[usize])> = Vec::new();
    for (index, _) in describe::index_constraints(table) {
        found.push((&index.name, if index.primary { "PRIMARY KEY" } else { "UNIQUE" }, &index.columns));
    }
    found.extend(table.checks.iter().map(|check| (check.name.as_str(), "CHECK", &[] as &[usize])));
    found
}

fn constraint_columns(context: &QueryContext, table: &Table, name: &str) -> Row {
    vec![("constraint_catalog", catalog(context)), ("constraint_schema", text(&table.schema)), ("constraint_name", text(name))]
}

fn table_columns(context: &QueryContext, table: &Table) -> Row {
    vec![("table_catalog", catalog(context)), ("table_schema", text(&table.schema)), ("table_name", text(&table.name))]
}

pub fn table_constraints(context: &QueryContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in context.catalog.tables.values() {
        for (name, kind, _) in constraints(table) {
            let mut row = constraint_columns(context, table, name);
            row.extend(table_columns(context, table));
            row.extend([
                ("constraint_type", text(kind)),
                ("is_deferrable", yes_no(false)),
                ("initially_deferred", yes_no(false)),
                ("enforced", yes_no(true)),
            ]);
            if kind == "UNIQUE" {
                row.push(("nulls_distinct", yes_no(true)));
            }
            rows.push(row);
        }
    }
    rows
}

pub fn key_column_usage(context: &QueryContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in context.catalog.tables.values() {
        for (name, _, columns) in constraints(table) {
            for (position, column) in columns.iter().enumerate() {
                let mut row = constraint_columns(context, table, name);
                row.extend(table_columns(context, table));
                row.push(("column_name", text(&table.columns[*column].name)));
                row.push(("ordinal_position", Value::Int4(i32::try_from(position + 1).unwrap_or(0))));
                row.push(("position_in_unique_constraint", Value::Null));
                rows.push(row);
            }
        }
    }
    rows
}

pub fn constraint_column_usage(context: &QueryContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in context.catalog.tables.values() {
        for (name, _, columns) in constraints(table) {
            for column in columns {
                let mut row = table_columns(context, table);
                row.push(("column_name", text(&table.columns[*column].name)));
                row.extend(constraint_columns(context, table, name));
                rows.push(row);
            }
        }
    }
    rows
}

/// With PostgreSQL's `NOT NULL` checks, which have no name of their own.
pub fn check_constraints(context: &QueryContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in context.catalog.tables.values() {
        for check in &table.checks {
            let mut row = constraint_columns(context, table, &check.name);
            row.push(("check_clause", text(format!("({})", check.expression))));
            rows.push(row);
        }
        let schema = schema_oid(context, &table.schema).unwrap_or(0);
        for (position, column) in table.columns.iter().enumerate().filter(|(_, column)| column.not_null && !column.dropped) {
            let mut row = constraint_columns(context, table, &format!("{schema}_{}_{}_not_null", table.oid, position + 1));
            row.push(("check_clause", text(format!("{} IS NOT NULL", column.name))));
            rows.push(row);
        }
    }
    rows
}

/// Everything belongs to the superuser, and there are no grants.
pub fn table_privileges(context: &QueryContext) -> Vec<Row> {
    let owner = owner(context);
    let mut rows = Vec::new();
    for table in context.catalog.tables.values() {
        for privilege in ["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"] {
            let mut row = table_columns(context, table);
            row.extend([
                ("grantor", text(&owner)),
                ("grantee", text(&owner)),
                ("privilege_type", text(privilege)),
                ("is_grantable", yes_no(true)),
                ("with_hierarchy", yes_no(privilege == "SELECT")),
            ]);
            rows.push(row);
        }
    }
    rows
}
