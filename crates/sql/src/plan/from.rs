//! The tables of FROM, and the columns that a select list makes of them.

use super::table::TableInfo;
use super::{Planner, Planning, field};
use crate::client::{Field, Format};
use crate::expr::{BindError, Binder, Expr, Scope, fold_identifier, output_name};
use crate::parse::names;
use base::{Error, SqlState};
use sqlparser::ast;
use std::ops::Range;
use std::sync::Arc;

/// Tables joined natively; the engine orders longer lists better.
const TABLES_MAX: usize = 8;

pub struct FromTable {
    pub info: Arc<TableInfo>,
    pub alias: Option<String>,
    /// Position of its first column in the joined row.
    pub first: usize,
}

impl FromTable {
    pub fn new(info: Arc<TableInfo>, alias: Option<String>) -> FromTable {
        FromTable { info, alias, first: 0 }
    }

    /// The name that its columns are qualified with.
    pub fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.info.table.name)
    }

    pub fn columns(&self) -> Range<usize> {
        self.first..self.first + self.info.types.len()
    }
}

/// How a table is joined to those before it.
pub struct Joined<'a> {
    /// LEFT JOIN: rows before it that have no match stay.
    pub left: bool,
    pub on: Option<&'a ast::Expr>,
    /// Relations that ON can name.
    pub visible: Range<usize>,
}

/// FROM, its columns one table after the other.
#[derive(Default)]
pub struct From<'a> {
    pub tables: Vec<FromTable>,
    /// One for each table.
    pub joined: Vec<Joined<'a>>,
    pub scope: Scope,
}

impl<'a> From<'a> {
    fn add(&mut self, info: Arc<TableInfo>, alias: Option<String>, joined: Joined<'a>) -> Planning<()> {
        if self.tables.len() == TABLES_MAX {
            return Err(BindError::NeedsEngine("many tables"));
        }
        let first = self.scope.add_table(&info.table, alias.as_deref())?;
        let table = FromTable { info, alias, first };
        let same = |other: &FromTable| {
            let named = table.alias.is_some() || other.alias.is_some();
            other.name() == table.name() && (named || other.info.table.schema == table.info.table.schema)
        };
        if self.tables.iter().any(same) {
            let message = format!("table name \"{}\" specified more than once", table.name());
            return Err(Error::new(SqlState::DUPLICATE_ALIAS, message).into());
        }
        self.tables.push(table);
        self.joined.push(joined);
        Ok(())
    }

    pub fn is_join(&self) -> bool {
        self.tables.len() > 1
    }
}

impl Planner<'_> {
    pub(super) fn from<'a>(&self, items: &'a [ast::TableWithJoins]) -> Planning<From<'a>> {
        let mut from = From::default();
        for item in items {
            let start = from.tables.len();
            let (info, alias) = self.table_factor(&item.relation)?;
            from.add(info, alias, Joined { left: false, on: None, visible: start..start + 1 })?;
            for join in &item.joins {
                let (left, on) = join_kind(join)?;
                let (info, alias) = self.table_factor(&join.relation)?;
                let visible = start..from.tables.len() + 1;
                from.add(info, alias, Joined { left, on, visible })?;
            }
        }
        Ok(from)
    }

    pub fn table_factor(&self, factor: &ast::TableFactor) -> Planning<(Arc<TableInfo>, Option<String>)> {
        let ast::TableFactor::Table { name, alias, args: None, version: None, with_ordinality: false, sample: None, .. } = factor else {
            return Err(BindError::NeedsEngine("this form of FROM"));
        };
        let alias_name = alias.as_ref().map(|alias| fold_identifier(&alias.name));
        if alias.as_ref().is_some_and(|alias| !alias.columns.is_empty()) {
            return Err(BindError::NeedsEngine("an alias with columns"));
        }
        let name = names::relation(name)?;
        match self.catalog.table(&name, self.search_path) {
            Ok(table) => Ok((Arc::new(TableInfo::new(table)?), alias_name)),
            // The engine knows system tables, and sequences as tables.
            Err(_) if self.has_engine => Err(BindError::NeedsEngine("a system table")),
            Err(error) => Err(error.into()),
        }
    }
}

fn join_kind(join: &ast::Join) -> Planning<(bool, Option<&ast::Expr>)> {
    use ast::JoinOperator as Kind;
    let (left, constraint) = match &join.join_operator {
        Kind::Join(constraint) | Kind::Inner(constraint) => (false, constraint),
        Kind::Left(constraint) | Kind::LeftOuter(constraint) => (true, constraint),
        Kind::CrossJoin(ast::JoinConstraint::None) => return Ok((false, None)),
        _ => return Err(BindError::NeedsEngine("this form of join")),
    };
    match constraint {
        ast::JoinConstraint::On(on) if !join.global => Ok((left, Some(on))),
        _ => Err(BindError::NeedsEngine("this form of join")),
    }
}

/// One item of a select list or of RETURNING.
pub fn project(
    item: &ast::SelectItem,
    tables: &[FromTable],
    binder: &mut Binder<'_>,
    output: &mut Vec<Expr>,
    fields: &mut Vec<Field>,
) -> Planning<()> {
    match item {
        ast::SelectItem::UnnamedExpr(expr) => one(expr, output_name(expr), tables, binder, output, fields),
        ast::SelectItem::ExprWithAlias { expr, alias } => one(expr, fold_identifier(alias), tables, binder, output, fields),
        ast::SelectItem::Wildcard(options) if is_plain(options) => {
            if tables.is_empty() {
                return Err(Error::new(SqlState::SYNTAX_ERROR, "SELECT * with no tables specified is not valid").into());
            }
            tables.iter().for_each(|table| all(table, output, fields));
            Ok(())
        }
        ast::SelectItem::QualifiedWildcard(ast::SelectItemQualifiedWildcardKind::ObjectName(name), options) if is_plain(options) => {
            let qualifier = names::relation(name)?;
            match tables.iter().find(|table| table.name() == qualifier.name) {
                Some(table) => {
                    all(table, output, fields);
                    Ok(())
                }
                None => {
                    let message = format!("missing FROM-clause entry for table \"{}\"", qualifier.name);
                    Err(Error::new(SqlState::UNDEFINED_TABLE, message).into())
                }
            }
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
    tables: &[FromTable],
    binder: &mut Binder<'_>,
    output: &mut Vec<Expr>,
    fields: &mut Vec<Field>,
) -> Planning<()> {
    let bound = binder.output(expr)?;
    let column = |index: usize| tables.iter().find(|table| table.columns().contains(&index)).map(|table| (table, index - table.first));
    let found = if let Expr::Column { index, .. } = &bound { column(*index) } else { None };
    fields.push(match found {
        Some((table, at)) => Field { name, ..column_field(&table.info, at) },
        None => field(name, bound.ty(), bound.modifier()),
    });
    output.push(bound);
    Ok(())
}

fn all(table: &FromTable, output: &mut Vec<Expr>, fields: &mut Vec<Field>) {
    for at in table.info.table.live_columns() {
        let modifier = table.info.table.columns[at].type_modifier;
        output.push(Expr::Column { index: table.first + at, ty: table.info.types[at], modifier });
        fields.push(column_field(&table.info, at));
    }
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
