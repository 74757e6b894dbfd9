//! Subqueries in shapes that the planner can decorrelate: a scalar one becomes an aggregate, `EXISTS` and `IN` among the results
//! become counts, a lateral one without a table dissolves.

use super::{call, null, string, take};
use base::Error;
use datafusion::sql::sqlparser::ast::*;
use std::ops::ControlFlow;

/// Aggregate that gives the only row's value and refuses a second row.
pub const SINGLE: &str = "florin_single";

/// Function that gives its argument, knowing nothing of it but its carrier.
pub const PLAIN: &str = "florin_plain";

/// `(SELECT x FROM …)`: `x` of the one row. With `LIMIT 1` it is the first row's. The answer, if there is one, stands for the whole.
pub fn single_row(query: &mut Query) -> Option<Expr> {
    let (select, order_by, limited) = plain_select(query)?;
    let (item, name) = match select.projection.as_mut_slice() {
        [SelectItem::UnnamedExpr(item)] => {
            let name = super::columns::name_of(item);
            (item, Ident::with_quote('"', name))
        }
        [SelectItem::ExprWithAlias { expr, alias }] => (expr, alias.clone()),
        _ => return None,
    };
    let mut aggregate = call(if limited { "first_value" } else { SINGLE }, vec![take(item)]);
    if let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = &mut aggregate
        && limited
        && !order_by.is_empty()
    {
        list.clauses.push(FunctionArgumentClause::OrderBy(order_by));
    }
    select.projection = vec![SelectItem::ExprWithAlias { expr: aggregate, alias: name }];
    let guards = if limited { Vec::new() } else { outer_conditions(select) };
    query.order_by = None;
    query.limit_clause = None;
    if guards.is_empty() { None } else { Some(guarded(query, guards)) }
}

/// A condition of a correlated subquery that is not an equality, taken out of it.
enum Guard {
    /// On the outer query's columns alone.
    Outer(Box<Expr>),
    /// Outer side, operator, inner side.
    Compared(Box<Expr>, BinaryOperator, Box<Expr>),
}

/// Takes the conditions out that the planner cannot decorrelate.
fn outer_conditions(select: &mut Select) -> Vec<Guard> {
    let Some(selection) = select.selection.take() else { return Vec::new() };
    let inner: Vec<String> = select
        .from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)))
        .filter_map(relation_name)
        .collect();
    let mut guards = Vec::new();
    let mut kept: Option<Expr> = None;
    for condition in conjuncts(selection) {
        match guard(&condition, &inner) {
            Some(guard) => guards.push(guard),
            None => {
                kept = Some(match kept {
                    None => condition,
                    Some(before) => binary(before, BinaryOperator::And, condition),
                });
            }
        }
    }
    select.selection = kept;
    guards
}

fn relation_name(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.value.to_lowercase())
        }
        TableFactor::Table { name, .. } => name.0.last().and_then(ObjectNamePart::as_ident).map(|ident| ident.value.to_lowercase()),
        _ => None,
    }
}

fn conjuncts(expr: Expr) -> Vec<Expr> {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut parts = conjuncts(*left);
            parts.extend(conjuncts(*right));
            parts
        }
        Expr::Nested(inner) if matches!(inner.as_ref(), Expr::BinaryOp { op: BinaryOperator::And, .. }) => conjuncts(*inner),
        other => vec![other],
    }
}

/// Whether columns of the subquery's own tables, and of others, occur. A bare name counts as its own.
fn sides(expr: &Expr, inner: &[String]) -> (bool, bool) {
    let (mut own, mut outer) = (false, false);
    let _never_breaks: ControlFlow<()> = visit_expressions(expr, |part| {
        match part {
            Expr::CompoundIdentifier(path) if path.len() >= 2 && !inner.contains(&path[path.len() - 2].value.to_lowercase()) => {
                outer = true
            }
            Expr::CompoundIdentifier(_) | Expr::Identifier(_) | Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
                own = true
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    (own, outer)
}

fn guard(condition: &Expr, inner: &[String]) -> Option<Guard> {
    match sides(condition, inner) {
        (false, true) => return Some(Guard::Outer(Box::new(condition.clone()))),
        (true, true) => {}
        _ => return None,
    }
    let Expr::BinaryOp { left, op, right } = condition else { return None };
    let flipped = match op {
        BinaryOperator::NotEq => BinaryOperator::NotEq,
        BinaryOperator::Lt => BinaryOperator::Gt,
        BinaryOperator::LtEq => BinaryOperator::GtEq,
        BinaryOperator::Gt => BinaryOperator::Lt,
        BinaryOperator::GtEq => BinaryOperator::LtEq,
        _ => return None,
    };
    match (sides(left, inner), sides(right, inner)) {
        ((false, true), (true, false)) => Some(Guard::Compared(left.clone(), op.clone(), right.clone())),
        ((true, false), (false, true)) => Some(Guard::Compared(right.clone(), flipped, left.clone())),
        _ => None,
    }
}

/// `CASE WHEN outer-op-(SELECT inner …) THEN (SELECT x …) END`: with the other conditions alone the subquery still has at most one row,
/// or is refused.
fn guarded(query: &Query, guards: Vec<Guard>) -> Expr {
    let conditions = guards.into_iter().map(|guard| match guard {
        Guard::Outer(condition) => *condition,
        Guard::Compared(outer, op, inner) => Expr::Nested(Box::new(binary(*outer, op, aggregated(query, call(SINGLE, vec![*inner]))))),
    });
    let condition = conditions.reduce(|a, b| binary(a, BinaryOperator::And, b)).unwrap_or_else(null);
    Expr::Case {
        case_token: helpers::attached_token::AttachedToken::empty(),
        end_token: helpers::attached_token::AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result: Expr::Subquery(Box::new(query.clone())) }],
        else_result: None,
    }
}

/// A select over tables that neither groups nor combines; its order; whether only its first row counts.
fn plain_select(query: &mut Query) -> Option<(&mut Select, Vec<OrderByExpr>, bool)> {
    let limited = match &query.limit_clause {
        None => false,
        Some(LimitClause::LimitOffset {
            limit: Some(Expr::Value(ValueWithSpan { value: Value::Number(count, _), .. })),
            offset: None,
            ..
        }) if count == "1" => true,
        Some(_) => return None,
    };
    let order_by = match &query.order_by {
        None => Vec::new(),
        Some(OrderBy { kind: OrderByKind::Expressions(expressions), .. }) => expressions.clone(),
        Some(_) => return None,
    };
    // A position or an output name cannot move into the aggregate.
    if limited && order_by.iter().any(|order| matches!(order.expr, Expr::Value(_))) {
        return None;
    }
    if query.with.is_some() || query.fetch.is_some() {
        return None;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    is_plain(select).then_some((select, order_by, limited))
}

fn is_plain(select: &Select) -> bool {
    let ungrouped =
        matches!(&select.group_by, GroupByExpr::Expressions(expressions, modifiers) if expressions.is_empty() && modifiers.is_empty());
    let items = select.projection.iter().all(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => !super::tables::has_aggregate(expr) && !has_window(expr),
        _ => true,
    });
    ungrouped && items && select.having.is_none() && select.distinct.is_none() && !select.from.is_empty()
}

fn has_window(expr: &Expr) -> bool {
    let special = |function: &Function| {
        function.over.is_some()
            || matches!(
                function.name.to_string().to_lowercase().rsplit('.').next(),
                Some("unnest" | "generate_series" | "generate_subscripts")
            )
    };
    visit_expressions(expr, |part| {
        if matches!(part, Expr::Function(function) if special(function)) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .is_break()
}

/// `EXISTS` and `IN (SELECT …)` among a select's results; in conditions the planner has its own ways.
pub fn in_results(expr: &mut Expr) -> Result<(), Error> {
    struct Results {
        depth: usize,
    }
    impl VisitorMut for Results {
        type Break = Error;

        fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
            self.depth += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
            if self.depth == 0 {
                match expr {
                    Expr::Exists { subquery, negated } if is_countable(subquery) => *expr = exists_as_count(subquery, *negated),
                    Expr::InSubquery { expr: left, subquery, negated } if is_countable(subquery) => {
                        *expr = in_as_aggregate(left, subquery, *negated)
                    }
                    _ => {}
                }
            }
            ControlFlow::Continue(())
        }
    }
    match VisitMut::visit(expr, &mut Results { depth: 0 }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

fn is_countable(query: &Query) -> bool {
    let unlimited = query.limit_clause.is_none() && query.fetch.is_none() && query.with.is_none();
    unlimited
        && matches!(query.body.as_ref(), SetExpr::Select(select) if is_plain(select) || (select.from.is_empty() && select.having.is_none()))
}

fn aggregated(query: &Query, aggregate: Expr) -> Expr {
    let mut query = query.clone();
    query.order_by = None;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = vec![SelectItem::ExprWithAlias { expr: aggregate, alias: Ident::with_quote('"', "found") }];
    }
    Expr::Subquery(Box::new(query))
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

fn exists_as_count(query: &Query, negated: bool) -> Expr {
    let count = call("count", vec![string("")]);
    let found = Expr::Nested(Box::new(binary(aggregated(query, count), BinaryOperator::Gt, super::number("0"))));
    if negated { not(found) } else { found }
}

/// True if one is equal, else unknown if one comparison is, else false: 1, NULL or 0 in a maximum.
fn in_as_aggregate(left: &Expr, query: &Query, negated: bool) -> Expr {
    let SetExpr::Select(select) = query.body.as_ref() else { return null() };
    let Some(SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }) = select.projection.first() else {
        return null();
    };
    let equal = || Expr::Nested(Box::new(binary(left.clone(), BinaryOperator::Eq, item.clone())));
    let any_equal = aggregated(query, call("bool_or", vec![equal()]));
    let any_unknown = aggregated(query, call("bool_or", vec![Expr::IsNull(Box::new(equal()))]));
    let boolean = |value: bool| Expr::Value(Value::Boolean(value).with_empty_span());
    let case = Expr::Case {
        case_token: helpers::attached_token::AttachedToken::empty(),
        end_token: helpers::attached_token::AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition: any_equal, result: boolean(true) }, CaseWhen { condition: any_unknown, result: null() }],
        else_result: Some(Box::new(boolean(false))),
    };
    if negated { not(case) } else { case }
}

/// `CROSS JOIN LATERAL (SELECT e) AS o(n)`: `o.n` is `e`.
pub fn dissolve_laterals(select: &mut Select) {
    let mut replacements: Vec<(String, String, Expr)> = Vec::new();
    for from in &mut select.from {
        from.joins.retain(|join| match tableless(join) {
            Some(found) => {
                replacements.extend(found);
                false
            }
            None => true,
        });
    }
    if replacements.is_empty() {
        return;
    }
    let _never_breaks: ControlFlow<()> = visit_expressions_mut(select, |part| {
        if let Expr::CompoundIdentifier(path) = part
            && let [relation, column] = path.as_slice()
            && let Some((_, _, expr)) =
                replacements.iter().find(|(alias, name, _)| *alias == relation.value.to_lowercase() && *name == column.value.to_lowercase())
        {
            *part = Expr::Nested(Box::new(expr.clone()));
        }
        ControlFlow::Continue(())
    });
}

fn tableless(join: &Join) -> Option<Vec<(String, String, Expr)>> {
    let TableFactor::Derived { lateral: true, subquery, alias: Some(alias), .. } = &join.relation else { return None };
    if !matches!(join.join_operator, JoinOperator::CrossJoin(_)) || subquery.limit_clause.is_some() || subquery.with.is_some() {
        return None;
    }
    let SetExpr::Select(select) = subquery.body.as_ref() else { return None };
    if !select.from.is_empty() || select.selection.is_some() || select.having.is_some() || select.distinct.is_some() {
        return None;
    }
    let item = |(index, item): (usize, &SelectItem)| {
        let (expr, name) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, super::columns::name_of(expr)),
            SelectItem::ExprWithAlias { expr, alias } => (expr, alias.value.clone()),
            _ => return None,
        };
        if super::tables::has_aggregate(expr) || has_window(expr) {
            return None;
        }
        let name = alias.columns.get(index).map_or(name, |column| column.name.value.clone());
        Some((alias.name.value.to_lowercase(), name.to_lowercase(), expr.clone()))
    };
    select.projection.iter().enumerate().map(item).collect()
}

/// `ARRAY(SELECT e FROM unnest(a) x)` computes `e` for each element; `None` if the subquery is another.
pub fn mapped_array(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let plain = select.selection.is_none()
        && select.distinct.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.with.is_none();
    let ([SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }], [from]) =
        (select.projection.as_slice(), select.from.as_slice())
    else {
        return None;
    };
    let (name, args, alias) = match &from.relation {
        TableFactor::Table { name, args: Some(args), alias: Some(alias), .. } => (name.clone(), args.args.clone(), alias),
        TableFactor::Function { name, args, alias: Some(alias), .. } => (name.clone(), args.clone(), alias),
        TableFactor::UNNEST { array_exprs, alias: Some(alias), .. } => {
            let args = array_exprs.iter().map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr.clone()))).collect();
            (ObjectName::from(vec![Ident::new("unnest")]), args, alias)
        }
        _ => return None,
    };
    let is_unnest = name.0.last().and_then(ObjectNamePart::as_ident).is_some_and(|ident| ident.value.eq_ignore_ascii_case("unnest"));
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(array))] = args.as_slice() else { return None };
    let variable = alias.columns.first().map_or(&alias.name, |column| &column.name).value.clone();
    let only_variable = visit_expressions(item, |part| match part {
        Expr::Identifier(ident) if ident.value == variable => ControlFlow::Continue(()),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Subquery(_) | Expr::Exists { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    if !plain || !is_unnest || !from.joins.is_empty() || only_variable.is_break() {
        return None;
    }
    Some(call(&format!("florin_map {variable} {item}"), vec![array.clone()]))
}
