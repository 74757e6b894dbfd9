//! Functions in `FROM`, and selects over system tables that never have a row.

use super::{Rewriter, call, null};
use crate::system;
use base::Error;
use datafusion::sql::sqlparser::ast::*;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use std::ops::ControlFlow;

/// A function in `FROM`, whatever shape the parser gave it.
struct TableFunction {
    name: String,
    args: Vec<Expr>,
    ordinality: bool,
    alias: Option<TableAlias>,
}

/// `FROM f(x) AS a` becomes `FROM (SELECT f(x) AS a) AS a`.
pub fn function_as_subquery(factor: &mut TableFactor) -> Result<(), Error> {
    let function = match factor {
        TableFactor::Table { name, args: Some(args), alias, with_ordinality, .. } => TableFunction {
            name: super::expressions::plain_name(&mut name.clone()),
            args: arguments(&args.args)?,
            ordinality: *with_ordinality,
            alias: alias.clone(),
        },
        TableFactor::Function { name, args, with_ordinality, alias, .. } => TableFunction {
            name: super::expressions::plain_name(&mut name.clone()),
            args: arguments(args)?,
            ordinality: *with_ordinality,
            alias: alias.clone(),
        },
        TableFactor::UNNEST { array_exprs, alias, with_ordinality, with_offset: false, .. } => {
            TableFunction { name: String::from("unnest"), args: array_exprs.clone(), ordinality: *with_ordinality, alias: alias.clone() }
        }
        _ => return Ok(()),
    };
    if function.name == "unnest" && function.args.len() != 1 {
        return Err(Error::unsupported("unnest of several arrays"));
    }
    *factor = function.into_subquery()?;
    Ok(())
}

fn arguments(args: &[FunctionArg]) -> Result<Vec<Expr>, Error> {
    let argument = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr.clone()),
        _ => Err(Error::unsupported("named arguments")),
    };
    args.iter().map(argument).collect()
}

impl TableFunction {
    fn into_subquery(self) -> Result<TableFactor, Error> {
        let first = self.alias.as_ref().and_then(|alias| alias.columns.first()).map(|column| column.name.clone());
        let name = first
            .or_else(|| self.alias.as_ref().map(|alias| alias.name.clone()))
            .unwrap_or_else(|| Ident::with_quote('"', self.name.clone()));
        let lateral = self.args.iter().any(names_a_column);
        let mut query = template("SELECT 1 AS v")?;
        set_item(&mut query, 0, call(&self.name, self.args), name.clone());
        if self.ordinality {
            let mut outer = template("SELECT v, pg_catalog.row_number() OVER () AS ordinality FROM (SELECT 1) AS rows")?;
            set_item(&mut outer, 0, Expr::Identifier(name.clone()), name);
            replace_source(&mut outer, query);
            query = outer;
        }
        let alias = self.alias.unwrap_or_else(|| TableAlias {
            explicit: true,
            name: Ident::with_quote('"', self.name),
            columns: Vec::new(),
            at: None,
        });
        Ok(TableFactor::Derived { lateral, subquery: Box::new(query), alias: Some(alias), sample: None })
    }
}

fn template(sql: &str) -> Result<Query, Error> {
    let parsed = Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).and_then(|mut parser| parser.parse_query());
    parsed.map(|query| *query).map_err(|error| Error::internal(error.to_string()))
}

fn set_item(query: &mut Query, index: usize, expr: Expr, alias: Ident) {
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection[index] = SelectItem::ExprWithAlias { expr, alias };
    }
}

fn replace_source(query: &mut Query, source: Query) {
    if let SetExpr::Select(select) = query.body.as_mut()
        && let Some(TableWithJoins { relation: TableFactor::Derived { subquery, .. }, .. }) = select.from.first_mut()
    {
        **subquery = source;
    }
}

fn names_a_column(expr: &Expr) -> bool {
    let found = visit_expressions(expr, |part| {
        if matches!(part, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found.is_break()
}

/// Aggregates give a row even over none.
const AGGREGATES: &[&str] = &[
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "string_agg",
    "array_agg",
    "bool_and",
    "bool_or",
    "every",
    "json_agg",
    "jsonb_agg",
    "json_object_agg",
    "jsonb_object_agg",
];

impl Rewriter<'_> {
    /// A select that joins a system table without rows has none itself; its subqueries need not be planned, which is as well: some of
    /// psql's are correlated in ways that the planner cannot follow.
    pub(super) fn prune_empty(&self, select: &mut Select) {
        if !select.from.iter().any(is_empty) {
            return;
        }
        let items = select.projection.iter_mut().filter_map(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
            _ => None,
        });
        let mut aggregates = false;
        for expr in items {
            drop_subqueries(expr);
            aggregates |= has_aggregate(expr);
        }
        if !aggregates {
            select.selection = Some(Expr::Value(Value::Boolean(false).with_empty_span()));
        }
    }
}

fn is_empty(from: &TableWithJoins) -> bool {
    let inner = |join: &Join| matches!(join.join_operator, JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_));
    let keeps_left = |join: &Join| inner(join) || matches!(join.join_operator, JoinOperator::Left(_) | JoinOperator::LeftOuter(_));
    (is_empty_table(&from.relation) && from.joins.iter().all(keeps_left))
        || from.joins.iter().any(|join| inner(join) && is_empty_table(&join.relation)) && from.joins.iter().all(keeps_left)
}

fn is_empty_table(factor: &TableFactor) -> bool {
    let TableFactor::Table { name, args: None, .. } = factor else { return false };
    let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident().map(|ident| ident.value.to_lowercase())).collect();
    match parts.as_slice() {
        [table] => system::is_always_empty("pg_catalog", table),
        [schema, table] => system::is_always_empty(schema, table),
        _ => false,
    }
}

/// NULL as an array, for functions that want one.
fn null_texts() -> Expr {
    let texts = DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(DataType::Text), None));
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(null()), data_type: texts, array: false, format: None }
}

fn drop_subqueries(expr: &mut Expr) {
    let _never_breaks: ControlFlow<()> = visit_expressions_mut(expr, |part| {
        let is_array = |function: &Function| matches!(function.args, FunctionArguments::Subquery(_));
        match part {
            Expr::Subquery(_) => *part = null(),
            Expr::Function(function) if is_array(function) => *part = null_texts(),
            _ => {}
        }
        ControlFlow::Continue(())
    });
}

pub fn has_aggregate(expr: &Expr) -> bool {
    let found = visit_expressions(expr, |part| match part {
        Expr::Function(function) => {
            let name =
                function.name.0.last().and_then(ObjectNamePart::as_ident).map(|ident| ident.value.to_lowercase()).unwrap_or_default();
            if function.over.is_none() && AGGREGATES.contains(&name.as_str()) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}
