//! Planning SELECT on one table, on none, or on several that are joined by look-up.

use super::access::{Access, choose};
use super::from::{From, FromTable, project};
use super::join::{self, Conditions, Join};
use super::order::{SortKey, bind_order, scan_order};
use super::table::TableInfo;
use super::{Planner, Planning, count_expression};
use crate::aggregate::AggregateCall;
use crate::client::Field;
use crate::expr::{BindError, Binder, Expr, Parameters, SequenceCall, fold_identifier};
use base::{Error, SqlState};
use sqlparser::ast;
use std::collections::BTreeSet;
use std::sync::Arc;
use storage::access::LockMode;

/// What to do about a row that another transaction has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLocked {
    Wait,
    NoWait,
    Skip,
}

pub struct SelectPlan {
    /// `None`: one row without columns, or a join.
    pub table: Option<Arc<TableInfo>>,
    pub join: Option<Join>,
    pub access: Access,
    pub filter: Option<Expr>,
    pub group: Option<Group>,
    /// Columns to answer, then hidden ones to sort by. Over the table's row; of a group, over its first row.
    pub output: Vec<Expr>,
    pub visible: usize,
    pub order: Vec<SortKey>,
    /// The access gives the order by itself; `true`: scanned in reverse.
    pub ordered: Option<bool>,
    pub distinct: bool,
    pub limit: Option<Expr>,
    pub offset: Option<Expr>,
    pub lock: Option<(LockMode, OnLocked)>,
    pub sequences: Vec<SequenceCall>,
    /// For the engine, if it turns out that too many rows would have to be kept.
    pub query: Arc<ast::Query>,
}

pub struct Group {
    pub keys: Vec<Expr>,
    pub aggregates: Vec<AggregateCall>,
    pub having: Option<Expr>,
}

impl SelectPlan {
    /// All rows must be seen before the first can be answered.
    pub fn collects(&self) -> bool {
        self.group.is_some() || self.distinct || (!self.order.is_empty() && self.ordered.is_none())
    }
}

/// A query in the only shape that has a native plan.
struct Shape<'a> {
    select: &'a ast::Select,
    order_by: &'a [ast::OrderByExpr],
    limit: Option<&'a ast::Expr>,
    offset: Option<&'a ast::Expr>,
}

fn shape(query: &ast::Query) -> Planning<Shape<'_>> {
    if query.with.is_some() {
        return Err(BindError::NeedsEngine("WITH"));
    }
    if query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some() || !query.pipe_operators.is_empty() {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "this form of query is not PostgreSQL's").into());
    }
    let select = match &*query.body {
        ast::SetExpr::Select(select) => select,
        ast::SetExpr::Query(_) => return Err(BindError::NeedsEngine("a nested query")),
        ast::SetExpr::SetOperation { .. } => return Err(BindError::NeedsEngine("a set operation")),
        ast::SetExpr::Values(_) => return Err(BindError::NeedsEngine("VALUES")),
        _ => return Err(BindError::NeedsEngine("this form of query")),
    };
    let order_by = match &query.order_by {
        None => &[][..],
        Some(ast::OrderBy { kind: ast::OrderByKind::Expressions(list), interpolate: None }) => list,
        Some(_) => return Err(Error::unsupported("ORDER BY ALL").into()),
    };
    let (mut limit, offset) = match &query.limit_clause {
        None => (None, None),
        Some(ast::LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
            (limit.as_ref(), offset.as_ref().map(|offset| &offset.value))
        }
        Some(_) => return Err(Error::new(SqlState::SYNTAX_ERROR, "LIMIT #,# syntax is not supported").into()),
    };
    if let Some(fetch) = &query.fetch {
        if fetch.with_ties || fetch.percent {
            return Err(Error::unsupported("FETCH with ties or percent").into());
        }
        limit = Some(fetch.quantity.as_ref().ok_or_else(|| Error::unsupported("FETCH without a count"))?);
    }
    check_select(select)?;
    Ok(Shape { select, order_by, limit, offset })
}

fn check_select(select: &ast::Select) -> Planning<()> {
    if !select.named_window.is_empty() || select.qualify.is_some() {
        return Err(BindError::NeedsEngine("a window"));
    }
    if select.into.is_some() {
        return Err(Error::unsupported("SELECT INTO").with_hint("Use CREATE TABLE AS.").into());
    }
    let foreign = select.top.is_some()
        || !select.lateral_views.is_empty()
        || select.prewhere.is_some()
        || !select.connect_by.is_empty()
        || !select.cluster_by.is_empty()
        || !select.distribute_by.is_empty()
        || !select.sort_by.is_empty()
        || select.exclude.is_some()
        || select.value_table_mode.is_some();
    if foreign {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "this form of SELECT is not PostgreSQL's").into());
    }
    Ok(())
}

impl Planner<'_> {
    pub fn select(&self, query: &ast::Query, locks: &[LockMode], parameters: &mut Parameters) -> Planning<(SelectPlan, Vec<Field>)> {
        let shape = shape(query)?;
        let from = self.from(&shape.select.from)?;
        if from.is_join() && !query.locks.is_empty() {
            return Err(BindError::NeedsEngine("locks of a join"));
        }
        let mut conditions = Conditions::bind(&from, parameters)?;
        let mut binder = Binder::new(&from.scope, parameters);
        let mut filter = match &shape.select.selection {
            Some(condition) => Some(binder.condition(condition, "WHERE")?),
            None => None,
        };
        let distinct = self.distinct(shape.select)?;
        let Answered { output, fields, visible, order, group } = answered(&shape, &from, distinct, &mut binder)?;
        let limit = shape.limit.filter(|e| !is_null_or_all(e)).map(|e| count_expression(&mut binder, e, "LIMIT")).transpose()?;
        let offset = shape.offset.map(|e| count_expression(&mut binder, e, "OFFSET")).transpose()?;
        let sequences = std::mem::take(&mut binder.sequences);
        if !sequences.is_empty() && (!from.tables.is_empty() || group.is_some()) {
            return Err(BindError::NeedsEngine("a sequence function over a table"));
        }
        let join = if from.is_join() {
            conditions.add(filter.take());
            Some(join::plan(&from, conditions, &used(&output, group.as_ref()))?)
        } else {
            None
        };
        let table = if from.is_join() { None } else { from.tables.first().map(|table| table.info.clone()) };
        let access = table.as_ref().map_or_else(Access::default, |info| choose(info, filter.as_ref()));
        let ordered = table.as_ref().filter(|_| group.is_none()).and_then(|info| {
            // Without a filter to choose by, an index may still give the order.
            scan_order(&order, &output, &access, info)
        });
        let lock = self.lock(query, locks, &table, group.is_some() || distinct)?;
        let plan = SelectPlan {
            table,
            join,
            access,
            filter,
            group,
            output,
            visible,
            order,
            ordered,
            distinct,
            limit,
            offset,
            lock,
            sequences,
            query: Arc::new(query.clone()),
        };
        if self.has_engine && plan.lock.is_none() && plan.collects() && plan.table.is_some() && !plan.access.is_short() {
            return Err(BindError::NeedsEngine("a large scan"));
        }
        Ok((plan, fields))
    }

    fn distinct(&self, select: &ast::Select) -> Planning<bool> {
        match &select.distinct {
            None | Some(ast::Distinct::All) => Ok(false),
            Some(ast::Distinct::Distinct) => Ok(true),
            Some(ast::Distinct::On(_)) => Err(BindError::NeedsEngine("DISTINCT ON")),
        }
    }

    fn lock(
        &self,
        query: &ast::Query,
        modes: &[LockMode],
        table: &Option<Arc<TableInfo>>,
        grouped: bool,
    ) -> Planning<Option<(LockMode, OnLocked)>> {
        let Some(clause) = query.locks.first() else { return Ok(None) };
        if query.locks.len() > 1 {
            return Err(Error::unsupported("more than one FOR clause").into());
        }
        if grouped {
            let message = "FOR UPDATE is not allowed with GROUP BY, DISTINCT or aggregate functions";
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).into());
        }
        if table.is_none() {
            return Ok(None);
        }
        let mode = modes.last().copied().unwrap_or(match clause.lock_type {
            ast::LockType::Share => LockMode::Share,
            ast::LockType::Update => LockMode::Update,
        });
        let wait = match clause.nonblock {
            None => OnLocked::Wait,
            Some(ast::NonBlock::Nowait) => OnLocked::NoWait,
            Some(ast::NonBlock::SkipLocked) => OnLocked::Skip,
        };
        Ok(Some((mode, wait)))
    }
}

/// What the answer is made of.
struct Answered {
    output: Vec<Expr>,
    fields: Vec<Field>,
    visible: usize,
    order: Vec<SortKey>,
    group: Option<Group>,
}

fn answered(shape: &Shape<'_>, from: &From<'_>, distinct: bool, binder: &mut Binder<'_>) -> Planning<Answered> {
    let group_by = group_by(shape.select)?;
    binder.aggregates = Some(Vec::new());
    let (mut output, mut fields) = (Vec::new(), Vec::new());
    for item in &shape.select.projection {
        project(item, &from.tables, binder, &mut output, &mut fields)?;
    }
    let visible = output.len();
    let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
    let order = bind_order(shape.order_by, &names, &mut output, binder, distinct)?;
    let having = match &shape.select.having {
        Some(condition) => Some(binder.condition(condition, "HAVING")?),
        None => None,
    };
    let aggregates = binder.aggregates.take().unwrap_or_default();
    let group = if group_by.is_empty() && aggregates.is_empty() && having.is_none() {
        None
    } else {
        let keys = group_keys(group_by, shape, &output, &names, binder)?;
        Some(Group { keys, aggregates, having })
    };
    if let Some(group) = &group {
        check_grouped(group, &output, from)?;
    }
    Ok(Answered { output, fields, visible, order, group })
}

fn is_null_or_all(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Value(value) if matches!(value.value, ast::Value::Null))
        || matches!(expr, ast::Expr::Identifier(ident) if ident.value.eq_ignore_ascii_case("all"))
}

fn group_by(select: &ast::Select) -> Planning<&[ast::Expr]> {
    match &select.group_by {
        ast::GroupByExpr::Expressions(list, modifiers) if modifiers.is_empty() => Ok(list),
        _ => Err(BindError::NeedsEngine("this form of GROUP BY")),
    }
}

fn group_keys(
    group_by: &[ast::Expr],
    shape: &Shape<'_>,
    output: &[Expr],
    names: &[String],
    binder: &mut Binder<'_>,
) -> Planning<Vec<Expr>> {
    let mut keys = Vec::with_capacity(group_by.len());
    for expr in group_by {
        if let ast::Expr::Value(value) = expr
            && let ast::Value::Number(text, _) = &value.value
        {
            let position = text.parse::<usize>().ok().filter(|p| (1..=shape.select.projection.len()).contains(p));
            let Some(position) = position else {
                let message = format!("GROUP BY position {text} is not in select list");
                return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).into());
            };
            keys.push(output[position - 1].clone());
            continue;
        }
        match (binder.output(expr), expr) {
            (Ok(bound), _) => keys.push(bound),
            // An alias of the output, where no column has that name.
            (Err(error), ast::Expr::Identifier(ident)) => match names.iter().position(|name| *name == fold_identifier(ident)) {
                Some(at) => keys.push(output[at].clone()),
                None => return Err(error),
            },
            (Err(error), _) => return Err(error),
        }
    }
    Ok(keys)
}

/// Columns that the answer is made of.
fn used(output: &[Expr], group: Option<&Group>) -> BTreeSet<usize> {
    let of_group = |group: &Group| {
        let of_calls = group.aggregates.iter().flat_map(|call| call.args.iter().chain(&call.filter));
        group.keys.iter().chain(&group.having).chain(of_calls).flat_map(Expr::columns).collect::<Vec<_>>()
    };
    output.iter().flat_map(Expr::columns).chain(group.map(of_group).unwrap_or_default()).collect()
}

/// Every column that is answered must be the same in a whole group.
fn check_grouped(group: &Group, output: &[Expr], from: &From<'_>) -> Planning<()> {
    let keys: Vec<String> = group.keys.iter().map(|key| format!("{key:?}")).collect();
    let key_columns: Vec<usize> =
        group.keys.iter().filter_map(|key| if let Expr::Column { index, .. } = key { Some(*index) } else { None }).collect();
    // Tables whose primary key is grouped by: it decides all other columns.
    let decided = |table: &&FromTable| {
        let primary = &table.info.table.primary_key;
        !primary.is_empty() && primary.iter().all(|column| key_columns.contains(&(table.first + column)))
    };
    let open: Vec<&FromTable> = from.tables.iter().filter(|table| !decided(table)).collect();
    for expr in output.iter().chain(&group.having) {
        check_grouped_expr(expr, &keys, &open)?;
    }
    Ok(())
}

fn check_grouped_expr(expr: &Expr, keys: &[String], open: &[&FromTable]) -> Planning<()> {
    if keys.contains(&format!("{expr:?}")) {
        return Ok(());
    }
    if let Expr::Column { index, .. } = expr
        && let Some(table) = open.iter().find(|table| table.columns().contains(index))
    {
        let message = format!(
            "column \"{}.{}\" must appear in the GROUP BY clause or be used in an aggregate function",
            table.name(),
            table.info.table.columns[*index - table.first].name
        );
        return Err(Error::new(SqlState::GROUPING_ERROR, message).into());
    }
    let mut result = Ok(());
    expr.children(&mut |child| {
        if result.is_ok() {
            result = check_grouped_expr(child, keys, open);
        }
    });
    result
}
