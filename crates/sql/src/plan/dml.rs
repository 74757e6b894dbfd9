//! Planning INSERT, UPDATE and DELETE.

use super::access::{Access, choose};
use super::from::{FromTable, project};
use super::table::{Default, TableInfo};
use super::{Planner, Planning};
use crate::client::Field;
use crate::expr::{BindError, Binder, Expr, Parameters, Scope, SequenceCall, fold_identifier};
use crate::parse::names;
use base::{Error, Result, SqlState};
use sqlparser::ast;
use std::sync::Arc;

pub struct InsertPlan {
    pub table: Arc<TableInfo>,
    pub source: Source,
    /// Of columns that the source does not give; by column.
    pub defaults: Vec<Option<Default>>,
    pub conflict: Option<Conflict>,
    pub returning: Vec<Expr>,
}

pub enum Source {
    /// For each row, for each column of the table: a value of its type, or the default.
    Values { rows: Vec<Vec<Cell>>, sequences: Vec<SequenceCall> },
    /// A query whose columns are assigned to these columns of the table, which the statement named or not.
    Query { query: Arc<ast::Query>, columns: Vec<usize>, named: bool },
}

pub enum Cell {
    Default,
    Expr(Expr),
}

pub struct Conflict {
    /// Position among the indexes that are checked (`None`: the primary key, if `primary`); empty: any.
    pub targets: Vec<ConflictTarget>,
    /// `None`: DO NOTHING.
    pub update: Option<ConflictUpdate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictTarget {
    Primary,
    Index(usize),
}

/// Over the table's row followed by `excluded`.
pub struct ConflictUpdate {
    pub assignments: Vec<Assignment>,
    pub filter: Option<Expr>,
}

#[derive(Clone)]
pub struct Assignment {
    pub column: usize,
    pub value: Expr,
}

pub struct UpdatePlan {
    pub table: Arc<TableInfo>,
    pub access: Access,
    pub filter: Option<Expr>,
    pub assignments: Vec<Assignment>,
    pub returning: Vec<Expr>,
    /// Changes columns of a primary key or unique index.
    pub changes_key: bool,
    /// Changes a column of the primary key: the row moves.
    pub moves: bool,
    /// Rows and values come from a query: its first columns are the primary key, then one for each assignment.
    pub from: Option<Arc<ast::Query>>,
    pub sequences: Vec<SequenceCall>,
}

pub struct DeletePlan {
    pub table: Arc<TableInfo>,
    pub access: Access,
    pub filter: Option<Expr>,
    pub returning: Vec<Expr>,
    /// As in [`UpdatePlan`]: its columns are the primary key.
    pub from: Option<Arc<ast::Query>>,
}

impl Planner<'_> {
    fn target(&self, name: &ast::ObjectName) -> Planning<Arc<TableInfo>> {
        let name = names::relation(name)?;
        let table = self.catalog.table(&name, self.search_path)?;
        Ok(Arc::new(TableInfo::new(table)?))
    }

    pub fn insert(&self, insert: &ast::Insert, parameters: &mut Parameters) -> Result<(InsertPlan, Option<Vec<Field>>)> {
        self.plan_insert(insert, parameters).map_err(Error::from)
    }

    fn plan_insert(&self, insert: &ast::Insert, parameters: &mut Parameters) -> Planning<(InsertPlan, Option<Vec<Field>>)> {
        let ast::TableObject::TableName(name) = &insert.table else {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "INSERT needs a table").into());
        };
        let foreign = insert.or.is_some()
            || insert.ignore
            || insert.overwrite
            || insert.replace_into
            || insert.partitioned.is_some()
            || !insert.assignments.is_empty()
            || insert.output.is_some()
            || insert.priority.is_some();
        if foreign {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "this form of INSERT is not PostgreSQL's").into());
        }
        let table = self.target(name)?;
        let alias = insert.table_alias.as_ref().map(|alias| fold_identifier(&alias.alias));
        let columns = insert_columns(&table, &insert.columns)?;
        let source = self.insert_source(&table, &columns, insert.source.as_deref(), !insert.columns.is_empty(), parameters)?;
        let defaults = self.defaults(&table)?;
        let conflict = match &insert.on {
            None => None,
            Some(_) if table.table.schema == crate::ledger::SCHEMA => {
                return Err(Error::unsupported("ON CONFLICT on a table of the ledger")
                    .with_hint("A transfer that exists with the same contents is no conflict: send it with ledger.transfer or ledger.create_transfers.")
                    .into());
            }
            Some(ast::OnInsert::OnConflict(clause)) => Some(self.conflict(&table, alias.as_deref(), clause, parameters)?),
            Some(_) => return Err(Error::new(SqlState::SYNTAX_ERROR, "ON DUPLICATE KEY UPDATE is not PostgreSQL's").into()),
        };
        let (returning, fields) = self.returning(&table, alias.as_deref(), insert.returning.as_deref(), parameters)?;
        Ok((InsertPlan { table, source, defaults, conflict, returning }, fields))
    }

    pub fn defaults(&self, table: &TableInfo) -> Planning<Vec<Option<Default>>> {
        let default = |column: usize| {
            if table.table.columns[column].dropped { Ok(None) } else { table.default(self.catalog, column) }
        };
        (0..table.table.columns.len()).map(default).collect()
    }

    fn insert_source(
        &self,
        table: &TableInfo,
        columns: &[usize],
        source: Option<&ast::Query>,
        named: bool,
        parameters: &mut Parameters,
    ) -> Planning<Source> {
        let width = table.table.columns.len();
        let Some(query) = source else {
            // DEFAULT VALUES
            let row = (0..width).map(|_| Cell::Default).collect();
            return Ok(Source::Values { rows: vec![row], sequences: Vec::new() });
        };
        let plain = query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
        let (ast::SetExpr::Values(values), true) = (&*query.body, plain) else {
            return Ok(Source::Query { query: Arc::new(query.clone()), columns: columns.to_vec(), named });
        };
        let scope = Scope::empty();
        let mut binder = Binder::new(&scope, parameters);
        let mut rows = Vec::with_capacity(values.rows.len());
        for row in &values.rows {
            let row: &[ast::Expr] = row;
            if row.len() != values.rows[0].len() {
                return Err(Error::new(SqlState::SYNTAX_ERROR, "VALUES lists must all be the same length").into());
            }
            check_width(row.len(), columns.len(), named)?;
            let mut cells: Vec<Cell> = (0..width).map(|_| Cell::Default).collect();
            for (expr, column) in row.iter().zip(columns) {
                if !is_default(expr) {
                    cells[*column] = Cell::Expr(self.assigned(&mut binder, table, *column, expr)?);
                }
            }
            rows.push(cells);
        }
        Ok(Source::Values { rows, sequences: binder.sequences })
    }

    fn assigned(&self, binder: &mut Binder<'_>, table: &TableInfo, column: usize, expr: &ast::Expr) -> Planning<Expr> {
        let definition = &table.table.columns[column];
        if table.is_always_generated(column) {
            return Err(always_generated(&definition.name).into());
        }
        binder.assignment(expr, &definition.name, table.types[column], definition.type_modifier)
    }

    fn conflict(
        &self,
        table: &TableInfo,
        alias: Option<&str>,
        clause: &ast::OnConflict,
        parameters: &mut Parameters,
    ) -> Planning<Conflict> {
        let targets = match &clause.conflict_target {
            None => Vec::new(),
            Some(ast::ConflictTarget::Columns(columns)) => vec![target_of_columns(table, columns)?],
            Some(ast::ConflictTarget::OnConstraint(name)) => vec![target_of_constraint(table, &names::relation(name)?.name)?],
        };
        let ast::OnConflictAction::DoUpdate(update) = &clause.action else {
            return Ok(Conflict { targets, update: None });
        };
        if targets.is_empty() {
            let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
            return Err(Error::new(SqlState::SYNTAX_ERROR, message).into());
        }
        let mut scope = Scope::of_table(&table.table, alias)?;
        let excluded = scope.relations()[0].columns.clone();
        scope.add(None, "excluded", excluded, true);
        let assignments = self.assignments(table, &scope, &update.assignments, parameters)?.0;
        let filter = match &update.selection {
            Some(condition) => Some(Binder::new(&scope, parameters).condition(condition, "WHERE")?),
            None => None,
        };
        Ok(Conflict { targets, update: Some(ConflictUpdate { assignments, filter }) })
    }

    fn assignments(
        &self,
        table: &TableInfo,
        scope: &Scope,
        list: &[ast::Assignment],
        parameters: &mut Parameters,
    ) -> Planning<(Vec<Assignment>, Vec<SequenceCall>)> {
        let mut assignments: Vec<Assignment> = Vec::with_capacity(list.len());
        let mut binder = Binder::new(scope, parameters);
        for (column, expr) in assigned_columns(table, list)? {
            if assignments.iter().any(|a| a.column == column) {
                let name = &table.table.columns[column].name;
                return Err(Error::new(SqlState::SYNTAX_ERROR, format!("multiple assignments to same column \"{name}\"")).into());
            }
            let value = if is_default(expr) {
                match table.default(self.catalog, column)? {
                    None => Expr::null(table.types[column]),
                    Some(default) if default.sequences.is_empty() => default.expr,
                    Some(_) => return Err(Error::unsupported("SET … = DEFAULT of a column fed by a sequence").into()),
                }
            } else {
                self.assigned(&mut binder, table, column, expr)?
            };
            assignments.push(Assignment { column, value });
        }
        Ok((assignments, binder.sequences))
    }

    fn returning(
        &self,
        table: &Arc<TableInfo>,
        alias: Option<&str>,
        items: Option<&[ast::SelectItem]>,
        parameters: &mut Parameters,
    ) -> Planning<(Vec<Expr>, Option<Vec<Field>>)> {
        let Some(items) = items else { return Ok((Vec::new(), None)) };
        let scope = Scope::of_table(&table.table, alias)?;
        let tables = [FromTable::new(table.clone(), alias.map(str::to_owned))];
        let mut binder = Binder::new(&scope, parameters);
        let (mut output, mut fields) = (Vec::new(), Vec::new());
        for item in items {
            project(item, &tables, &mut binder, &mut output, &mut fields)?;
        }
        if !binder.sequences.is_empty() {
            return Err(Error::unsupported("a sequence function in RETURNING").into());
        }
        Ok((output, Some(fields)))
    }

    pub fn update(&self, update: &ast::Update, parameters: &mut Parameters) -> Result<(UpdatePlan, Option<Vec<Field>>)> {
        self.plan_update(update, parameters).map_err(Error::from)
    }

    fn plan_update(&self, update: &ast::Update, parameters: &mut Parameters) -> Planning<(UpdatePlan, Option<Vec<Field>>)> {
        if update.or.is_some() || !update.order_by.is_empty() || update.limit.is_some() || update.output.is_some() {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "this form of UPDATE is not PostgreSQL's").into());
        }
        let (table, alias) = self.target_factor(&update.table)?;
        let told = parameters.clone();
        let native = if update.from.is_some() { None } else { self.native_update(update, &table, alias.as_deref(), parameters)? };
        let mut plan = match native {
            Some(plan) => plan,
            None => {
                *parameters = told;
                self.update_through_engine(update, table, alias.as_deref())?
            }
        };
        let (returning, fields) = self.returning(&plan.table, alias.as_deref(), update.returning.as_deref(), parameters)?;
        plan.returning = returning;
        Ok((plan, fields))
    }

    /// `None`: the engine must find the rows.
    fn native_update(
        &self,
        update: &ast::Update,
        table: &Arc<TableInfo>,
        alias: Option<&str>,
        parameters: &mut Parameters,
    ) -> Planning<Option<UpdatePlan>> {
        let scope = Scope::of_table(&table.table, alias)?;
        let bound = self.assignments(table, &scope, &update.assignments, parameters).and_then(|(assignments, sequences)| {
            let filter = update.selection.as_ref().map(|c| Binder::new(&scope, parameters).condition(c, "WHERE")).transpose()?;
            Ok((assignments, sequences, filter))
        });
        let (assignments, sequences, filter) = match bound {
            Ok(bound) => bound,
            Err(BindError::NeedsEngine(_)) if self.has_engine => return Ok(None),
            Err(error) => return Err(error),
        };
        let access = choose(table, filter.as_ref());
        Ok(Some(UpdatePlan { from: None, sequences, ..new_update(table.clone(), access, filter, assignments) }))
    }

    /// The engine answers the primary key and the new values of each row.
    fn update_through_engine(&self, update: &ast::Update, table: Arc<TableInfo>, alias: Option<&str>) -> Planning<UpdatePlan> {
        let from = match &update.from {
            None => Vec::new(),
            Some(ast::UpdateTableFromKind::AfterSet(from)) => from.clone(),
            Some(ast::UpdateTableFromKind::BeforeSet(_)) => return Err(Error::new(SqlState::SYNTAX_ERROR, "FROM stands behind SET").into()),
        };
        let mut items = self.key_items(&table, alias)?;
        let mut assignments = Vec::new();
        for (column, expr) in assigned_columns(&table, &update.assignments)? {
            if is_default(expr) {
                return Err(Error::unsupported("SET … = DEFAULT together with FROM or a subquery").into());
            }
            let (ty, modifier) = (table.types[column], table.table.columns[column].type_modifier);
            let at = items.len();
            items.push(ast::SelectItem::UnnamedExpr(expr.clone()));
            assignments.push(Assignment { column, value: Expr::Column { index: at, ty, modifier } });
        }
        let query = engine_query(items, update.table.clone(), from, update.selection.clone());
        Ok(UpdatePlan { from: Some(Arc::new(query)), ..new_update(table, Access::default(), None, assignments) })
    }

    fn key_items(&self, table: &TableInfo, alias: Option<&str>) -> Planning<Vec<ast::SelectItem>> {
        if !self.has_engine {
            return Err(Error::unsupported("a subquery or a join").into());
        }
        if table.table.primary_key.is_empty() {
            return Err(Error::unsupported("UPDATE or DELETE by a join or subquery of a table without a primary key").into());
        }
        let qualifier = alias.unwrap_or(&table.table.name);
        let quoted = |name: &str| ast::Ident::with_quote('"', name);
        let item = |column: &usize| {
            let path = vec![quoted(qualifier), quoted(&table.table.columns[*column].name)];
            ast::SelectItem::UnnamedExpr(ast::Expr::CompoundIdentifier(path))
        };
        Ok(table.table.primary_key.iter().map(item).collect())
    }

    fn target_factor(&self, table: &ast::TableWithJoins) -> Planning<(Arc<TableInfo>, Option<String>)> {
        if !table.joins.is_empty() {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "the target of a change is one table").into());
        }
        let ast::TableFactor::Table { name, alias, .. } = &table.relation else {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "the target of a change is a table").into());
        };
        let target = self.target(name)?;
        if target.table.schema == crate::ledger::SCHEMA {
            return Err(crate::ledger::only_by_functions(&target.table.name).into());
        }
        Ok((target, alias.as_ref().map(|alias| fold_identifier(&alias.name))))
    }

    pub fn delete(&self, delete: &ast::Delete, parameters: &mut Parameters) -> Result<(DeletePlan, Option<Vec<Field>>)> {
        self.plan_delete(delete, parameters).map_err(Error::from)
    }

    fn plan_delete(&self, delete: &ast::Delete, parameters: &mut Parameters) -> Planning<(DeletePlan, Option<Vec<Field>>)> {
        let (ast::FromTable::WithFromKeyword(from) | ast::FromTable::WithoutKeyword(from)) = &delete.from;
        let [target] = from.as_slice() else {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "DELETE takes one table").into());
        };
        if !delete.tables.is_empty() || !delete.order_by.is_empty() || delete.limit.is_some() || delete.output.is_some() {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "this form of DELETE is not PostgreSQL's").into());
        }
        let (table, alias) = self.target_factor(target)?;
        let scope = Scope::of_table(&table.table, alias.as_deref())?;
        let told = parameters.clone();
        let filter = match &delete.selection {
            _ if delete.using.is_some() => Err(BindError::NeedsEngine("USING")),
            None => Ok(None),
            Some(condition) => Binder::new(&scope, parameters).condition(condition, "WHERE").map(Some),
        };
        let (access, filter, from) = match filter {
            Ok(filter) => (choose(&table, filter.as_ref()), filter, None),
            Err(BindError::NeedsEngine(_)) if self.has_engine => {
                *parameters = told;
                let items = self.key_items(&table, alias.as_deref())?;
                let using = delete.using.clone().unwrap_or_default();
                let query = engine_query(items, target.clone(), using, delete.selection.clone());
                (Access::default(), None, Some(Arc::new(query)))
            }
            Err(error) => return Err(error),
        };
        let (returning, fields) = self.returning(&table, alias.as_deref(), delete.returning.as_deref(), parameters)?;
        Ok((DeletePlan { table, access, filter, returning, from }, fields))
    }
}

fn new_update(table: Arc<TableInfo>, access: Access, filter: Option<Expr>, assignments: Vec<Assignment>) -> UpdatePlan {
    let changes_key = assignments.iter().any(|a| table.key_columns[a.column]);
    let moves = assignments.iter().any(|a| table.table.primary_key.contains(&a.column));
    UpdatePlan { table, access, filter, assignments, returning: Vec::new(), changes_key, moves, from: None, sequences: Vec::new() }
}

fn engine_query(
    projection: Vec<ast::SelectItem>,
    target: ast::TableWithJoins,
    mut from: Vec<ast::TableWithJoins>,
    selection: Option<ast::Expr>,
) -> ast::Query {
    from.insert(0, target);
    let mut query = crate::parse::parse_query("SELECT 1").expect("is valid SQL");
    if let ast::SetExpr::Select(select) = &mut *query.body {
        select.projection = projection;
        select.from = from;
        select.selection = selection;
    }
    *query
}

fn always_generated(name: &str) -> Error {
    Error::new(SqlState(*b"428C9"), format!("cannot insert a non-DEFAULT value into column \"{name}\""))
        .with_detail(format!("Column \"{name}\" is an identity column defined as GENERATED ALWAYS."))
        .with_hint("Use OVERRIDING SYSTEM VALUE to override.")
}

fn is_default(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Identifier(ident) if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

/// Without a list of columns the last ones may be left out.
///
/// # Errors
/// `42601`.
pub(crate) fn check_width(given: usize, columns: usize, named: bool) -> base::Result<()> {
    if given > columns {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "INSERT has more expressions than target columns"));
    }
    if given < columns && named {
        return Err(Error::new(SqlState::SYNTAX_ERROR, "INSERT has more target columns than expressions"));
    }
    Ok(())
}

fn insert_columns(table: &TableInfo, names: &[ast::ObjectName]) -> Planning<Vec<usize>> {
    if names.is_empty() {
        return Ok(table.table.live_columns().collect());
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let column = table.table.column_of(&names::relation(name)?.name)?;
        if columns.contains(&column) {
            let message = format!("column \"{}\" specified more than once", table.table.columns[column].name);
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, message).into());
        }
        columns.push(column);
    }
    Ok(columns)
}

/// `SET a = x, (b, c) = (y, z)` as pairs.
fn assigned_columns<'a>(table: &TableInfo, list: &'a [ast::Assignment]) -> Planning<Vec<(usize, &'a ast::Expr)>> {
    let column = |name: &ast::ObjectName| -> Planning<usize> { Ok(table.table.column_of(&names::relation(name)?.name)?) };
    let mut pairs = Vec::with_capacity(list.len());
    for assignment in list {
        match &assignment.target {
            ast::AssignmentTarget::ColumnName(name) => pairs.push((column(name)?, &assignment.value)),
            ast::AssignmentTarget::Tuple(targets) => {
                let ast::Expr::Tuple(values) = &assignment.value else {
                    return Err(Error::unsupported("assigning a subquery to several columns").into());
                };
                if values.len() != targets.len() {
                    return Err(Error::new(SqlState::SYNTAX_ERROR, "number of columns does not match number of values").into());
                }
                for (target, value) in targets.iter().zip(values) {
                    pairs.push((column(target)?, value));
                }
            }
        }
    }
    Ok(pairs)
}

fn target_of_columns(table: &TableInfo, columns: &[ast::Ident]) -> Planning<ConflictTarget> {
    let mut wanted = columns.iter().map(|c| table.table.column_of(&fold_identifier(c))).collect::<Result<Vec<_>>>()?;
    wanted.sort_unstable();
    let same = |columns: &[usize]| {
        let mut sorted = columns.to_vec();
        sorted.sort_unstable();
        sorted == wanted
    };
    if same(&table.table.primary_key) {
        return Ok(ConflictTarget::Primary);
    }
    let index = table.table.indexes.iter().position(|index| index.unique && !index.primary && same(&index.columns));
    index.map(ConflictTarget::Index).ok_or_else(|| {
        let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
        Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).into()
    })
}

fn target_of_constraint(table: &TableInfo, name: &str) -> Planning<ConflictTarget> {
    match table.table.indexes.iter().position(|index| index.unique && index.name == name) {
        Some(at) if table.table.indexes[at].primary => Ok(ConflictTarget::Primary),
        Some(at) => Ok(ConflictTarget::Index(at)),
        None => {
            let message = format!("constraint \"{name}\" for table \"{}\" does not exist", table.table.name);
            Err(Error::new(SqlState::UNDEFINED_OBJECT, message).into())
        }
    }
}
