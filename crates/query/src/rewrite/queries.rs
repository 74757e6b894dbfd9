//! Queries, selects and what stands in `FROM`.

use super::{Rewriter, call, columns, number, string, subqueries, take};
use crate::types::oid;
use base::Error;
use datafusion::sql::sqlparser::ast::*;

impl Rewriter<'_> {
    pub(super) fn enter_query(&mut self, query: &mut Query) -> Result<(), Error> {
        if !query.locks.is_empty() {
            return Err(Error::unsupported("FOR UPDATE or FOR SHARE in a query over joins, groups or many tables"));
        }
        if query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some() || !query.pipe_operators.is_empty() {
            return Err(Error::unsupported("a clause of this query"));
        }
        refuse_counted_sets(&query.body)?;
        if let Some(With { recursive: true, cte_tables, .. }) = &mut query.with {
            cte_tables.iter_mut().for_each(|cte| plain_terms(&mut cte.query.body));
        }
        if let Some(fetch) = query.fetch.take() {
            fetch_as_limit(query, fetch)?;
        }
        if let Some(LimitClause::LimitOffset { limit, offset, limit_by }) = &mut query.limit_clause {
            if !limit_by.is_empty() {
                return Err(Error::unsupported("LIMIT BY"));
            }
            if limit.as_ref().is_some_and(|limit| matches!(limit, Expr::Value(ValueWithSpan { value: Value::Null, .. }))) {
                *limit = None;
            }
            for expr in limit.iter().chain(offset.as_ref().map(|offset| &offset.value)) {
                self.infer_count(expr)?;
            }
        }
        Ok(())
    }

    fn infer_count(&mut self, expr: &Expr) -> Result<(), Error> {
        match expr {
            Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) => self.infer(name, oid::INT8),
            _ => Ok(()),
        }
    }

    /// Positions and limits are plain numbers to the planner, not typed ones.
    pub(super) fn leave_query(&mut self, query: &mut Query) -> Result<(), Error> {
        if let Some(OrderBy { kind: OrderByKind::Expressions(expressions), .. }) = &mut query.order_by {
            for order in expressions {
                unwrap_number(&mut order.expr);
            }
        }
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
            if let Some(limit) = limit {
                unwrap_number(limit);
            }
            if let Some(offset) = offset {
                unwrap_number(&mut offset.value);
            }
        }
        if let SetExpr::Values(values) = query.body.as_mut() {
            same_length(values)?;
        }
        Ok(())
    }

    pub(super) fn enter_select(&mut self, select: &mut Select) -> Result<(), Error> {
        if select.into.is_some() {
            return Err(Error::unsupported("SELECT INTO"));
        }
        if select.top.is_some()
            || !select.lateral_views.is_empty()
            || select.qualify.is_some()
            || !select.connect_by.is_empty()
            || !select.sort_by.is_empty()
        {
            return Err(Error::unsupported("a clause of this query"));
        }
        self.prune_empty(select);
        subqueries::dissolve_laterals(select);
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                subqueries::in_results(expr)?;
            }
        }
        Ok(())
    }

    pub(super) fn leave_select(&mut self, select: &mut Select) -> Result<(), Error> {
        if let GroupByExpr::Expressions(expressions, _) = &mut select.group_by {
            expressions.iter_mut().for_each(unwrap_number);
        }
        for NamedWindowDefinition(_, window) in &mut select.named_window {
            if let NamedWindowExpr::WindowSpec(spec) = window {
                unwrap_frame(spec);
            }
        }
        if let Some(Distinct::On(expressions)) = &mut select.distinct {
            expressions.iter_mut().for_each(unwrap_number);
        }
        Ok(())
    }

    pub(super) fn enter_table(&mut self, factor: &mut TableFactor) -> Result<(), Error> {
        match factor {
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                Err(Error::unsupported("TABLESAMPLE"))
            }
            TableFactor::Table { version: Some(_), .. } => Err(Error::unsupported("a version of a table")),
            TableFactor::Table { .. } | TableFactor::UNNEST { .. } | TableFactor::Function { .. } => {
                super::tables::function_as_subquery(factor)
            }
            TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => Ok(()),
            TableFactor::TableFunction { .. } => Err(Error::unsupported("TABLE(...)")),
            _ => Err(Error::unsupported("this kind of table expression")),
        }
    }
}

fn fetch_as_limit(query: &mut Query, fetch: Fetch) -> Result<(), Error> {
    if fetch.with_ties || fetch.percent {
        return Err(Error::unsupported("FETCH WITH TIES"));
    }
    let count = fetch.quantity.unwrap_or_else(|| number("1"));
    match &mut query.limit_clause {
        None => query.limit_clause = Some(LimitClause::LimitOffset { limit: Some(count), offset: None, limit_by: Vec::new() }),
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = Some(count),
        Some(_) => return Err(Error::new(base::SqlState::SYNTAX_ERROR, "multiple LIMIT clauses not allowed")),
    }
    Ok(())
}

/// `EXCEPT ALL` and `INTERSECT ALL` count rows; the engine's do not.
fn refuse_counted_sets(body: &SetExpr) -> Result<(), Error> {
    let SetExpr::SetOperation { left, right, op, set_quantifier } = body else { return Ok(()) };
    if *op != SetOperator::Union && matches!(set_quantifier, SetQuantifier::All | SetQuantifier::AllByName) {
        return Err(Error::unsupported(format!("{op} ALL")));
    }
    refuse_counted_sets(left)?;
    refuse_counted_sets(right)
}

/// Both terms of a recursive query must agree in everything that is known of their columns, so that is made as little as can be.
fn plain_terms(body: &mut SetExpr) {
    let SetExpr::SetOperation { left, right, .. } = body else { return };
    for term in [left, right] {
        if let SetExpr::Select(select) = term.as_mut() {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                    let name = Ident::with_quote('"', columns::name_of(expr));
                    let plain = call(subqueries::PLAIN, vec![take(expr)]);
                    *item = match item {
                        SelectItem::ExprWithAlias { alias, .. } => SelectItem::ExprWithAlias { expr: plain, alias: alias.clone() },
                        _ => SelectItem::ExprWithAlias { expr: plain, alias: name },
                    };
                }
            }
        }
    }
}

fn same_length(values: &Values) -> Result<(), Error> {
    let first = values.rows.first().map_or(0, |row| row.content.len());
    if values.rows.iter().any(|row| row.content.len() != first) {
        return Err(Error::new(base::SqlState::SYNTAX_ERROR, "VALUES lists must all be the same length"));
    }
    Ok(())
}

/// The offsets of a window's frame are plain numbers too.
pub(super) fn unwrap_frame(spec: &mut WindowSpec) {
    let Some(frame) = &mut spec.window_frame else { return };
    for bound in [Some(&mut frame.start_bound), frame.end_bound.as_mut()].into_iter().flatten() {
        if let WindowFrameBound::Preceding(Some(offset)) | WindowFrameBound::Following(Some(offset)) = bound {
            unwrap_number(offset);
        }
    }
}

/// Undoes [`typed_number`] where the planner reads the number itself.
pub(super) fn unwrap_number(expr: &mut Expr) {
    if let Expr::Cast { expr: inner, kind: CastKind::Cast, data_type: DataType::Int(None), .. } = expr
        && matches!(inner.as_ref(), Expr::Value(ValueWithSpan { value: Value::Number(..), .. }))
    {
        *expr = take(inner);
    }
}

/// A number of the text as PostgreSQL types it: `int4`, else `int8`, else `numeric`.
pub(super) fn typed_number(text: &str) -> Expr {
    if text.parse::<i32>().is_ok() {
        return Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(number(text)),
            data_type: DataType::Int(None),
            array: false,
            format: None,
        };
    }
    if text.parse::<i64>().is_ok() {
        return number(text);
    }
    let (digits, scale) = plain_decimal(text);
    let ty = super::typenames::numeric_of(38, scale);
    call("florin_cast", vec![string(digits), string(format!("{}:{}", ty.oid, ty.modifier))])
}

/// Without an exponent, and how many digits are behind the point.
fn plain_decimal(text: &str) -> (String, i32) {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or(i32::MAX)),
        None => (text, 0),
    };
    let behind = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let behind = i32::try_from(behind).unwrap_or(i32::MAX);
    (text.to_owned(), behind.saturating_sub(exponent).clamp(0, 37))
}
