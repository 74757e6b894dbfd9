//! ORDER BY: which output column to sort by, and whether the rows already come in that order.

use super::Planning;
use super::access::Access;
use super::table::TableInfo;
use crate::expr::{Binder, Expr, fold_identifier};
use base::{Error, SqlState};
use sqlparser::ast;

/// One sort key: a position in the output row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    pub column: usize,
    pub descending: bool,
    pub nulls_first: bool,
}

/// Binds ORDER BY; expressions that are no output column are appended to `output` as hidden ones. `names` are the visible columns'.
pub fn bind_order(
    order_by: &[ast::OrderByExpr],
    names: &[String],
    output: &mut Vec<Expr>,
    binder: &mut Binder<'_>,
    distinct: bool,
) -> Planning<Vec<SortKey>> {
    let mut keys = Vec::with_capacity(order_by.len());
    for item in order_by {
        let column = match by_position_or_name(&item.expr, names)? {
            Some(column) => column,
            None => {
                let bound = binder.output(&item.expr)?;
                find_or_add(bound, output, names.len(), distinct)?
            }
        };
        let ty = output[column].ty();
        if !ty.is_orderable() {
            let message = format!("could not identify an ordering operator for type {ty}");
            return Err(Error::new(SqlState::UNDEFINED_FUNCTION, message).into());
        }
        let descending = item.options.asc == Some(false);
        keys.push(SortKey { column, descending, nulls_first: item.options.nulls_first.unwrap_or(descending) });
    }
    Ok(keys)
}

fn by_position_or_name(expr: &ast::Expr, names: &[String]) -> Planning<Option<usize>> {
    match expr {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::Number(text, _) => match text.parse::<usize>() {
                Ok(position) if (1..=names.len()).contains(&position) => Ok(Some(position - 1)),
                _ => {
                    let message = format!("ORDER BY position {text} is not in select list");
                    Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).into())
                }
            },
            _ => Ok(None),
        },
        ast::Expr::Identifier(ident) => {
            let name = fold_identifier(ident);
            let mut found = names.iter().enumerate().filter(|(_, n)| **n == name).map(|(at, _)| at);
            let first = found.next();
            match (first, found.next()) {
                (Some(_), Some(_)) => Ok(None),
                (first, _) => Ok(first),
            }
        }
        _ => Ok(None),
    }
}

fn find_or_add(bound: Expr, output: &mut Vec<Expr>, visible: usize, distinct: bool) -> Planning<usize> {
    let shown = format!("{bound:?}");
    if let Some(at) = output.iter().position(|expr| format!("{expr:?}") == shown) {
        return Ok(at);
    }
    if distinct {
        let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
        return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).into());
    }
    output.push(bound);
    debug_assert!(output.len() > visible);
    Ok(output.len() - 1)
}

/// `Some(reverse)` if scanning the access forwards (or in reverse) gives this order by itself.
pub fn scan_order(keys: &[SortKey], output: &[Expr], access: &Access, info: &TableInfo) -> Option<bool> {
    if access.any.is_some() || keys.is_empty() || (access.index.is_none() && info.table.primary_key.is_empty()) {
        return None;
    }
    let columns = access.columns(info);
    // Several shards each have an order of their own.
    if !info.table.shard_key.iter().all(|column| columns[..access.equal.len()].contains(column)) {
        return None;
    }
    let descending = keys[0].descending;
    let mut at = access.equal.len();
    for key in keys {
        let Expr::Column { index, .. } = output.get(key.column)? else { return None };
        if columns[..access.equal.len()].contains(index) {
            continue;
        }
        // NULLs sort last in keys.
        if columns.get(at) != Some(index) || key.descending != descending || key.nulls_first != descending {
            return None;
        }
        at += 1;
    }
    Some(descending)
}
