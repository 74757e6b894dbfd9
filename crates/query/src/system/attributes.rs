//! Columns and their defaults as `pg_catalog` shows them.

use super::{Row, oid_value, relations, text};
use crate::context::QueryContext;
use crate::types::{PgType, oid};
use sql::catalog::{Column, Identity, Table};
use sql::value::Value;

pub fn pg_attribute(context: &QueryContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in context.catalog.tables.values() {
        for (position, column) in table.columns.iter().enumerate() {
            rows.push(column_row(table.oid, position, column));
        }
        for index in &table.indexes {
            for (position, column) in index.columns.iter().enumerate() {
                let column = &table.columns[*column];
                rows.push(attribute(index.oid, position, &column.name, PgType::with_modifier(column.type_oid, column.type_modifier)));
            }
        }
    }
    for sequence in context.catalog.sequences.values() {
        for (position, (name, ty)) in [("last_value", oid::INT8), ("log_cnt", oid::INT8), ("is_called", oid::BOOL)].into_iter().enumerate()
        {
            rows.push(attribute(sequence.oid, position, name, PgType::of(ty)));
        }
    }
    for definition in super::all() {
        for (position, (name, ty)) in definition.columns.iter().enumerate() {
            rows.push(attribute(definition.oid, position, name, PgType::of(*ty)));
        }
    }
    rows
}

fn column_row(table_oid: u32, position: usize, column: &Column) -> Row {
    if column.dropped {
        let name = format!("........pg.dropped.{}........", position + 1);
        let mut row = attribute(table_oid, position, &name, PgType::of(0));
        row.push(("attisdropped", Value::Bool(true)));
        return row;
    }
    let mut row = attribute(table_oid, position, &column.name, PgType::with_modifier(column.type_oid, column.type_modifier));
    let identity = match column.identity {
        Some(Identity::Always) => "a",
        Some(Identity::ByDefault) => "d",
        None => "",
    };
    row.extend([
        ("attnotnull", Value::Bool(column.not_null)),
        ("atthasdef", Value::Bool(column.default.is_some() && column.identity.is_none())),
        ("attidentity", text(identity)),
    ]);
    row
}

fn attribute(relation: u32, position: usize, name: &str, ty: PgType) -> Row {
    let by_value = matches!(ty.size(), 1 | 2 | 4 | 8);
    vec![
        ("attrelid", oid_value(relation)),
        ("attname", text(name)),
        ("atttypid", oid_value(ty.oid)),
        ("attstattarget", Value::Int4(-1)),
        ("attlen", Value::Int2(ty.size())),
        ("attnum", Value::Int2(i16::try_from(position + 1).unwrap_or(0))),
        ("attndims", Value::Int4(i32::from(ty.element().is_some()))),
        ("attcacheoff", Value::Int4(-1)),
        ("atttypmod", Value::Int4(ty.modifier)),
        ("attbyval", Value::Bool(by_value)),
        ("attalign", text(if ty.size() == 8 { "d" } else { "i" })),
        (
            "attstorage",
            text(if ty.size() > 0 {
                "p"
            } else if ty.oid == oid::NUMERIC {
                "m"
            } else {
                "x"
            }),
        ),
        ("attislocal", Value::Bool(true)),
        ("attcollation", oid_value(relations::collation(ty.oid))),
    ]
}

pub fn pg_attrdef(context: &QueryContext) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in context.catalog.tables.values() {
        let with_default = table.columns.iter().enumerate().filter(|(_, column)| !column.dropped && column.identity.is_none());
        for (position, column) in with_default {
            if let Some(default) = &column.default {
                rows.push(vec![
                    ("oid", oid_value(default_oid(table, position))),
                    ("adrelid", oid_value(table.oid)),
                    ("adnum", Value::Int2(i16::try_from(position + 1).unwrap_or(0))),
                    ("adbin", text(default)),
                ]);
            }
        }
    }
    rows
}

/// Defaults have no oid of their own; this one is unique among them.
fn default_oid(table: &Table, position: usize) -> u32 {
    table.oid.wrapping_mul(2048).wrapping_add(position as u32 + 1)
}
