//! Planning SELECT on one table, or on none.

use super::access::{Access, choose};
use super::order::{SortKey, bind_order, scan_order};
use super::table::TableInfo;
use super::{Planner, Planning, count_expression, field};
use crate::aggregate::AggregateCall;
use crate::client::{Field, Format};
use crate::expr::{BindError, Binder, Expr, Parameters, Scope, SequenceCall, fold_identifier, output_name};
use crate::parse::names;
use base::{Error, SqlState};
use sqlparser::ast;
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
    /// `None`: one row without columns.
    pub table: Option<Arc<TableInfo>>,
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
        let (table, alias) = self.from(&shape.select.from)?;
        let scope = match &table {
            Some(info) => Scope::of_table(&info.table, alias.as_deref())?,
            None => Scope::empty(),
        };
        let mut binder = Binder::new(&scope, parameters);
        let filter = match &shape.select.selection {
            Some(condition) => Some(binder.condition(condition, "WHERE")?),
            None => None,
        };
        let distinct = self.distinct(shape.select)?;
        let group_by = group_by(shape.select)?;
        binder.aggregates = Some(Vec::new());
        let (mut output, mut fields) = (Vec::new(), Vec::new());
        for item in &shape.select.projection {
            project(item, table.as_deref(), alias.as_deref(), &mut binder, &mut output, &mut fields)?;
        }
        let visible = output.len();
        let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
        let order = bind_order(shape.order_by, &names, &mut output, &mut binder, distinct)?;
        let having = match &shape.select.having {
            Some(condition) => Some(binder.condition(condition, "HAVING")?),
            None => None,
        };
        let aggregates = binder.aggregates.take().unwrap_or_default();
        let group = if group_by.is_empty() && aggregates.is_empty() && having.is_none() {
            None
        } else {
            let keys = group_keys(group_by, &shape, &output, &names, &mut binder)?;
            Some(Group { keys, aggregates, having })
        };
        let limit = shape.limit.filter(|e| !is_null_or_all(e)).map(|e| count_expression(&mut binder, e, "LIMIT")).transpose()?;
        let offset = shape.offset.map(|e| count_expression(&mut binder, e, "OFFSET")).transpose()?;
        let sequences = std::mem::take(&mut binder.sequences);
        if !sequences.is_empty() && (table.is_some() || group.is_some()) {
            return Err(BindError::NeedsEngine("a sequence function over a table"));
        }
        if let (Some(group), Some(info)) = (&group, &table) {
            check_grouped(group, &output, info)?;
        }
        let access = table.as_ref().map_or_else(Access::default, |info| choose(info, filter.as_ref()));
        let ordered = table.as_ref().filter(|_| group.is_none()).and_then(|info| {
            // Without a filter to choose by, an index may still give the order.
            scan_order(&order, &output, &access, info)
        });
        let lock = self.lock(query, locks, &table, group.is_some() || distinct)?;
        let plan = SelectPlan {
            table,
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

    /// The one table of FROM, and its alias.
    fn from(&self, from: &[ast::TableWithJoins]) -> Planning<(Option<Arc<TableInfo>>, Option<String>)> {
        let [item] = from else {
            return if from.is_empty() { Ok((None, None)) } else { Err(BindError::NeedsEngine("several tables")) };
        };
        if !item.joins.is_empty() {
            return Err(BindError::NeedsEngine("a join"));
        }
        self.table_factor(&item.relation)
    }

    pub fn table_factor(&self, factor: &ast::TableFactor) -> Planning<(Option<Arc<TableInfo>>, Option<String>)> {
        let ast::TableFactor::Table { name, alias, args: None, version: None, with_ordinality: false, sample: None, .. } = factor else {
            return Err(BindError::NeedsEngine("this form of FROM"));
        };
        let alias_name = alias.as_ref().map(|alias| fold_identifier(&alias.name));
        if alias.as_ref().is_some_and(|alias| !alias.columns.is_empty()) {
            return Err(BindError::NeedsEngine("an alias with columns"));
        }
        let name = names::relation(name)?;
        match self.catalog.table(&name, self.search_path) {
            Ok(table) => Ok((Some(Arc::new(TableInfo::new(table)?)), alias_name)),
            // The engine knows system tables, and sequences as tables.
            Err(_) if self.has_engine => Err(BindError::NeedsEngine("a system table")),
            Err(error) => Err(error.into()),
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

/// Every column that is answered must be the same in a whole group.
fn check_grouped(group: &Group, output: &[Expr], info: &TableInfo) -> Planning<()> {
    let keys: Vec<String> = group.keys.iter().map(|key| format!("{key:?}")).collect();
    let key_columns: Vec<usize> =
        group.keys.iter().filter_map(|key| if let Expr::Column { index, .. } = key { Some(*index) } else { None }).collect();
    let primary = &info.table.primary_key;
    if !primary.is_empty() && primary.iter().all(|column| key_columns.contains(column)) {
        return Ok(());
    }
    for expr in output.iter().chain(&group.having) {
        check_grouped_expr(expr, &keys, info)?;
    }
    Ok(())
}

fn check_grouped_expr(expr: &Expr, keys: &[String], info: &TableInfo) -> Planning<()> {
    if keys.contains(&format!("{expr:?}")) {
        return Ok(());
    }
    if let Expr::Column { index, .. } = expr {
        let message = format!(
            "column \"{}.{}\" must appear in the GROUP BY clause or be used in an aggregate function",
            info.table.name, info.table.columns[*index].name
        );
        return Err(Error::new(SqlState::GROUPING_ERROR, message).into());
    }
    let mut result = Ok(());
    expr.children(&mut |child| {
        if result.is_ok() {
            result = check_grouped_expr(child, keys, info);
        }
    });
    result
}

/// One item of a select list or of RETURNING.
pub fn project(
    item: &ast::SelectItem,
    table: Option<&TableInfo>,
    alias: Option<&str>,
    binder: &mut Binder<'_>,
    output: &mut Vec<Expr>,
    fields: &mut Vec<Field>,
) -> Planning<()> {
    match item {
        ast::SelectItem::UnnamedExpr(expr) => one(expr, output_name(expr), table, binder, output, fields),
        ast::SelectItem::ExprWithAlias { expr, alias } => one(expr, fold_identifier(alias), table, binder, output, fields),
        ast::SelectItem::Wildcard(options) if is_plain(options) => all(table, output, fields),
        ast::SelectItem::QualifiedWildcard(ast::SelectItemQualifiedWildcardKind::ObjectName(name), options) if is_plain(options) => {
            let qualifier = names::relation(name)?;
            let known = table.is_some_and(|info| alias.unwrap_or(&info.table.name) == qualifier.name);
            if !known {
                let message = format!("missing FROM-clause entry for table \"{}\"", qualifier.name);
                return Err(Error::new(SqlState::UNDEFINED_TABLE, message).into());
            }
            all(table, output, fields)
        }
        other => Err(Error::unsupported(format!("the select item {other}")).into()),
    }
}

fn is_plain(options: &ast::WildcardAdditionalOptions) -> bool {
    options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_ilike.is_none()
        && options.opt_rename.is_none()
        && options.opt_replace.is_none()
}

fn one(
    expr: &ast::Expr,
    name: String,
    table: Option<&TableInfo>,
    binder: &mut Binder<'_>,
    output: &mut Vec<Expr>,
    fields: &mut Vec<Field>,
) -> Planning<()> {
    let bound = binder.output(expr)?;
    fields.push(match (&bound, table) {
        (Expr::Column { index, .. }, Some(info)) if *index < info.table.columns.len() => Field { name, ..column_field(info, *index) },
        _ => field(name, bound.ty(), bound.modifier()),
    });
    output.push(bound);
    Ok(())
}

fn all(table: Option<&TableInfo>, output: &mut Vec<Expr>, fields: &mut Vec<Field>) -> Planning<()> {
    let Some(info) = table else {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "SELECT * with no tables specified is not valid").into());
    };
    for index in info.table.live_columns() {
        let modifier = info.table.columns[index].type_modifier;
        output.push(Expr::Column { index, ty: info.types[index], modifier });
        fields.push(column_field(info, index));
    }
    Ok(())
}

pub fn column_field(info: &TableInfo, index: usize) -> Field {
    let column = &info.table.columns[index];
    Field {
        name: column.name.clone(),
        table_oid: info.table.oid,
        column: index as i16 + 1,
        type_oid: column.type_oid,
        type_size: info.types[index].size(),
        type_modifier: column.type_modifier,
        format: Format::Text,
    }
}
