//! Views of the books: `ledger.balances`, also `FOR SYSTEM_TIME AS OF` a time, and `ledger.rollups`. A query that names one is rewritten before
//! the vectorised engine gets it.

use super::tables::SCHEMA;
use crate::parse::{names, parse_query};
use base::{Error, Result, SqlState};
use sqlparser::ast::{self, TableFactor, TableVersion, VisitMut, VisitorMut};
use std::ops::ControlFlow;

const BALANCES: &str = "SELECT id AS account, ledger, debits_pending, debits_posted, credits_pending, credits_posted, \
     credits_posted - debits_posted AS posted, credits_posted - debits_posted - debits_pending AS available FROM ledger.accounts";

/// `$as_of`: nanoseconds since 1970.
const BALANCES_AS_OF: &str = "SELECT a.id AS account, a.ledger, coalesce(e.debits_pending, 0) AS debits_pending, \
     coalesce(e.debits_posted, 0) AS debits_posted, coalesce(e.credits_pending, 0) AS credits_pending, \
     coalesce(e.credits_posted, 0) AS credits_posted, coalesce(e.credits_posted, 0) - coalesce(e.debits_posted, 0) AS posted, \
     coalesce(e.credits_posted, 0) - coalesce(e.debits_posted, 0) - coalesce(e.debits_pending, 0) AS available \
     FROM ledger.accounts a LEFT JOIN (SELECT account, \
     sum(CASE kind WHEN 'pending' THEN debit WHEN 'released' THEN -debit ELSE 0 END) AS debits_pending, \
     sum(CASE kind WHEN 'posted' THEN debit ELSE 0 END) AS debits_posted, \
     sum(CASE kind WHEN 'pending' THEN credit WHEN 'released' THEN -credit ELSE 0 END) AS credits_pending, \
     sum(CASE kind WHEN 'posted' THEN credit ELSE 0 END) AS credits_posted \
     FROM ledger.entries WHERE timestamp <= as_of GROUP BY account) e ON e.account = a.id WHERE a.timestamp <= as_of";

const ROLLUPS: &str = "WITH RECURSIVE tree AS (SELECT id AS account, id AS ancestor FROM ledger.accounts \
     UNION ALL SELECT t.account, a.parent FROM tree t JOIN ledger.accounts a ON a.id = t.ancestor WHERE a.parent IS NOT NULL) \
     SELECT t.ancestor AS account, count(*) AS accounts, sum(a.debits_pending) AS debits_pending, sum(a.debits_posted) AS debits_posted, \
     sum(a.credits_pending) AS credits_pending, sum(a.credits_posted) AS credits_posted, \
     sum(a.credits_posted) - sum(a.debits_posted) AS posted, sum(a.credits_posted) - sum(a.debits_posted) - sum(a.debits_pending) AS available \
     FROM tree t JOIN ledger.accounts a ON a.id = t.account GROUP BY t.ancestor";

/// The query with the ledger's views replaced by what they stand for; `None` if it names none.
///
/// # Errors
/// `0A000` for a time at which a table has no versions.
pub fn expand(query: &ast::Query) -> Result<Option<ast::Query>> {
    let mut expanded = query.clone();
    let mut views = Views { found: false };
    match VisitMut::visit(&mut expanded, &mut views) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(views.found.then_some(expanded)),
    }
}

struct Views {
    found: bool,
}

impl VisitorMut for Views {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        match view(factor) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(derived)) => {
                self.found = true;
                *factor = derived;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn view(factor: &TableFactor) -> Result<Option<TableFactor>> {
    let TableFactor::Table { name, alias, version, args: None, .. } = factor else { return Ok(None) };
    let Ok(relation) = names::relation(name) else { return Ok(None) };
    let known = relation.schema.as_deref() == Some(SCHEMA);
    let mut query = match (relation.name.as_str(), version) {
        ("balances", None) if known => parse_query(BALANCES)?,
        ("balances", Some(TableVersion::ForSystemTimeAsOf(at))) if known => as_of(at)?,
        ("rollups", None) if known => parse_query(ROLLUPS)?,
        (_, Some(_)) => {
            return Err(Error::unsupported("FOR SYSTEM_TIME AS OF of anything but ledger.balances")
                .with_hint("SET florin.read = 'follower' reads all tables as of a moment ago."));
        }
        _ => return Ok(None),
    };
    let alias = alias.clone().unwrap_or_else(|| ast::TableAlias {
        explicit: true,
        name: ast::Ident::new(relation.name.clone()),
        columns: Vec::new(),
        at: None,
    });
    // What a view reads is never a view.
    query.locks.clear();
    Ok(Some(TableFactor::Derived { lateral: false, subquery: query, alias: Some(alias), sample: None }))
}

/// The balances at a time, which any expression gives that can be cast to `timestamptz`.
fn as_of(at: &ast::Expr) -> Result<Box<ast::Query>> {
    let mut query = parse_query(BALANCES_AS_OF)?;
    let nanoseconds = crate::parse::parse_expression(&format!("(extract(epoch FROM ({at})::timestamptz) * 1000000000)::bigint"))?;
    let mut place = Place { nanoseconds };
    match VisitMut::visit(&mut *query, &mut place) {
        ControlFlow::Break(()) => Err(Error::new(SqlState::INTERNAL_ERROR, "a view of the ledger has no place for its time")),
        ControlFlow::Continue(()) => Ok(query),
    }
}

/// Puts the time where the text says `as_of`.
struct Place {
    nanoseconds: ast::Expr,
}

impl VisitorMut for Place {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
        if matches!(expr, ast::Expr::Identifier(ident) if ident.value == "as_of") {
            *expr = self.nanoseconds.clone();
        }
        ControlFlow::Continue(())
    }
}
