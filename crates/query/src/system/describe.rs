//! Definitions of indexes and constraints as SQL text.

use sql::catalog::{Index, Table};
use sql::functions::quote_identifier;

/// Added to an index's oid for the constraint that it keeps; objects of users stay far below.
const CONSTRAINT_OIDS: u32 = 0x8000_0000;
const CHECK_OIDS: u32 = 0xC000_0000;
/// More checks than a table has columns make no sense.
const CHECKS_PER_TABLE: u32 = 256;

/// The indexes that stand for a primary key or a unique constraint, with the constraints' oids. A unique index made by itself
/// is none; by its name it is one if it ends as constraints' names do.
pub fn index_constraints(table: &Table) -> impl Iterator<Item = (&Index, u32)> {
    let is_constraint = |index: &&Index| index.primary || (index.unique && index.name.ends_with("_key"));
    table.indexes.iter().filter(is_constraint).map(|index| (index, CONSTRAINT_OIDS | index.oid))
}

pub fn check_oid(table: &Table, position: usize) -> u32 {
    CHECK_OIDS | (table.oid.wrapping_mul(CHECKS_PER_TABLE).wrapping_add(position as u32) & !CHECK_OIDS)
}

fn columns(table: &Table, positions: &[usize]) -> String {
    positions.iter().map(|column| quote_identifier(&table.columns[*column].name)).collect::<Vec<_>>().join(", ")
}

/// `CREATE [UNIQUE] INDEX …`; with the schema unless it is to be short.
pub fn index_definition(table: &Table, index: &Index, qualified: bool) -> String {
    let unique = if index.unique { "UNIQUE " } else { "" };
    let schema = if qualified { format!("{}.", quote_identifier(&table.schema)) } else { String::new() };
    format!(
        "CREATE {unique}INDEX {} ON {schema}{} USING btree ({})",
        quote_identifier(&index.name),
        quote_identifier(&table.name),
        columns(table, &index.columns)
    )
}

/// One column of an index, counted from 1.
pub fn index_column(table: &Table, index: &Index, number: i32) -> Option<String> {
    let position = usize::try_from(number).ok()?.checked_sub(1)?;
    index.columns.get(position).map(|column| quote_identifier(&table.columns[*column].name))
}

/// `PRIMARY KEY (…)`, `UNIQUE (…)` or `CHECK (…)`.
pub fn constraint_definition<'a>(tables: impl IntoIterator<Item = &'a Table>, oid: u32) -> Option<String> {
    for table in tables {
        if let Some((index, _)) = index_constraints(table).find(|(_, constraint)| *constraint == oid) {
            let kind = if index.primary { "PRIMARY KEY" } else { "UNIQUE" };
            return Some(format!("{kind} ({})", columns(table, &index.columns)));
        }
        if let Some(check) =
            table.checks.iter().enumerate().find(|(position, _)| check_oid(table, *position) == oid).map(|(_, check)| check)
        {
            return Some(format!("CHECK ({})", parenthesized(&check.expression)));
        }
    }
    None
}

/// PostgreSQL prints an operator within its own parentheses.
fn parenthesized(expression: &str) -> String {
    let text = expression.trim();
    if text.starts_with('(') && text.ends_with(')') { text.to_owned() } else { format!("({text})") }
}
