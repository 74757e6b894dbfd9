//! Primary-key ranges found in a scan's filters, so that not the whole table is read. The filters still run on what comes back.

use crate::convert::ColumnReader;
use crate::error::external;
use crate::types::PgType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use sql::catalog::Table;
use sql::key;
use sql::types::Type;
use sql::value::Value;
use storage::access::KeyRange;

/// What of a table a scan has to read.
#[derive(Clone, Debug)]
pub enum Bounds {
    All,
    Range(KeyRange),
    Nothing,
}

/// A filter of the form `column op constant` on a column of the primary key.
#[derive(Clone, Debug)]
pub struct Bound {
    column: usize,
    op: Operator,
    value: ScalarValue,
}

/// What the filter says about one column of the primary key, if that is all it says.
pub fn bound(filter: &Expr, table: &Table) -> Option<Bound> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return None };
    let (column, op, value) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(value, _)) => (column, *op, value),
        (Expr::Literal(value, _), Expr::Column(column)) => (column, op.swap()?, value),
        _ => return None,
    };
    if !matches!(op, Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq) || value.is_null() {
        return None;
    }
    let index = table.columns.iter().position(|known| known.name == column.name && !known.dropped)?;
    let carrier = PgType::with_modifier(table.columns[index].type_oid, table.columns[index].type_modifier).arrow()?;
    // A float's -0 and NaN, and the blanks of char(n), have an order of their own in keys; leave them to the filter.
    let plain = !carrier.is_floating() && table.columns[index].type_oid != crate::types::oid::BPCHAR;
    (plain && table.primary_key.contains(&index) && carrier == value.data_type()).then(|| Bound { column: index, op, value: value.clone() })
}

/// The narrowest range that all filters together leave.
pub fn of_filters(filters: &[Expr], table: &Table) -> Result<Bounds> {
    let bounds: Vec<Bound> = filters.iter().filter_map(|filter| bound(filter, table)).collect();
    let mut prefix = key::start(table.storage);
    let mut narrowed = false;
    for column in &table.primary_key {
        let Some(ty) = Type::from_oid(table.columns[*column].type_oid) else { break };
        let on_column: Vec<&Bound> = bounds.iter().filter(|bound| bound.column == *column).collect();
        if let Some(equal) = on_column.iter().find(|bound| bound.op == Operator::Eq) {
            append(&mut prefix, equal, ty, table)?;
            narrowed = true;
            continue;
        }
        return last_column(prefix, &on_column, ty, table, narrowed);
    }
    Ok(if narrowed { Bounds::Range(key::prefix_range(&prefix)) } else { Bounds::All })
}

/// The first column without an equality may still have limits.
fn last_column(prefix: Vec<u8>, bounds: &[&Bound], ty: Type, table: &Table, narrowed: bool) -> Result<Bounds> {
    if bounds.is_empty() {
        return Ok(if narrowed { Bounds::Range(key::prefix_range(&prefix)) } else { Bounds::All });
    }
    let mut range = key::prefix_range(&prefix);
    for bound in bounds {
        let mut edge = prefix.clone();
        append(&mut edge, bound, ty, table)?;
        match bound.op {
            Operator::Gt => range.start = range.start.max(key::prefix_end(&edge)),
            Operator::GtEq => range.start = range.start.max(edge.into()),
            Operator::Lt => range.end = earlier(&range.end, edge.into()),
            _ => range.end = earlier(&range.end, key::prefix_end(&edge)),
        }
    }
    let empty = !range.end.is_empty() && range.start >= range.end;
    Ok(if empty { Bounds::Nothing } else { Bounds::Range(range) })
}

/// An empty end is the farthest.
fn earlier(a: &bytes::Bytes, b: bytes::Bytes) -> bytes::Bytes {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b,
        (_, true) => a.clone(),
        _ => b.min(a.clone()),
    }
}

fn append(key: &mut Vec<u8>, bound: &Bound, ty: Type, table: &Table) -> Result<()> {
    let column = &table.columns[bound.column];
    let array = bound.value.to_array()?;
    let value: Value = ColumnReader::new(array.as_ref(), PgType::with_modifier(column.type_oid, column.type_modifier)).value(0)?;
    key::encode(&value, ty, key).map_err(external)
}
