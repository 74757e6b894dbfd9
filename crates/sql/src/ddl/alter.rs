//! ALTER TABLE.

use super::constraint::{self, Constraint};
use super::table::{Draft, check_expressions, check_shard_key};
use crate::catalog::Table;
use crate::client::Severity;
use crate::exec::Run;
use crate::expr::{Binder, Env, Expr, NoAmbient, Parameters, Scope};
use crate::parse::names::{self, fold};
use crate::plan::table::TableInfo;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::types::Type;
use crate::value::Value;
use base::{Error, Result, SqlState};
use sqlparser::ast;
use std::sync::Arc;

impl Session {
    pub(crate) async fn alter_table(&mut self, alter: &ast::AlterTable, run: &mut Run) -> Exec<()> {
        let mut name = names::relation(&alter.name)?;
        self.begin_change().await?;
        let path = self.settings.parsed().search_path.clone();
        if alter.if_exists && self.catalog().relation(&name, &path)?.is_none() {
            self.skip_notice(&name);
            return Ok(());
        }
        for operation in &alter.operations {
            let table = self.table_to_change(&name).await?;
            match operation {
                ast::AlterTableOperation::RenameTable { table_name } => {
                    let (ast::RenameTableNameKind::As(to) | ast::RenameTableNameKind::To(to)) = table_name;
                    let to = names::relation(to)?.name;
                    self.rename_relation(&name, false, &to).await?;
                    name.name = to;
                }
                operation => self.alter_one(table, operation, run).await?,
            }
        }
        Ok(())
    }

    async fn alter_one(&mut self, table: Arc<Table>, operation: &ast::AlterTableOperation, run: &mut Run) -> Exec<()> {
        use ast::AlterTableOperation as Op;
        match operation {
            Op::AddColumn { column_def, if_not_exists, .. } => self.add_table_column(table, column_def, *if_not_exists, run).await,
            Op::DropColumn { column_names, if_exists, .. } => {
                for column in column_names {
                    let table = self.catalog().tables.get(&table.oid).cloned().ok_or_else(|| Error::internal("the table vanished"))?;
                    self.drop_column(&table, &fold(column), *if_exists)?;
                }
                Ok(())
            }
            Op::RenameColumn { old_column_name, new_column_name } => {
                Ok(self.rename_column(&table, &fold(old_column_name), &fold(new_column_name))?)
            }
            Op::RenameConstraint { old_name, new_name } => Ok(self.rename_constraint(&table, &fold(old_name), &fold(new_name))?),
            Op::AlterColumn { column_name, op } => self.alter_column(table, &fold(column_name), op, run).await,
            Op::AddConstraint { constraint, not_valid: false } => {
                let constraint = constraint::of_table(constraint)?;
                self.add_constraint(table, constraint, run).await
            }
            Op::DropConstraint { name, if_exists, .. } => self.drop_constraint(&table, &fold(name), *if_exists),
            Op::OwnerTo { .. } => Ok(()),
            Op::SetOptionsParens { .. } | Op::ReplicaIdentity { .. } => Ok(()),
            other => Err(Error::unsupported(format!("ALTER TABLE {other}")).into()),
        }
    }

    async fn add_table_column(&mut self, table: Arc<Table>, definition: &ast::ColumnDef, if_not_exists: bool, run: &mut Run) -> Exec<()> {
        let name = fold(&definition.name);
        if table.column(&name).is_some() {
            let message = format!("column \"{name}\" of relation \"{}\" already exists", table.name);
            if !if_not_exists {
                return Err(Error::new(SqlState::DUPLICATE_COLUMN, message).into());
            }
            self.notice(Severity::Notice, Error::new(SqlState::DUPLICATE_COLUMN, format!("{message}, skipping")));
            return Ok(());
        }
        let mut draft = Draft { table: (*table).clone(), sequences: Vec::new(), constraints: Vec::new() };
        self.add_column(definition, &mut draft)?;
        if !draft.sequences.is_empty() {
            return self.add_numbered_column(table, draft, run).await;
        }
        let at = draft.table.columns.len() - 1;
        check_expressions(&draft.table)?;
        let missing = constant_default(&draft.table, at, run)?;
        match missing {
            Some(value) => draft.table.columns[at].missing = value,
            None => return Err(Error::unsupported("ADD COLUMN with a default that differs from row to row").into()),
        }
        let must_be_empty = draft.table.columns[at].not_null && draft.table.columns[at].missing.is_null();
        if must_be_empty {
            let message = format!("column \"{name}\" of relation \"{}\" contains null values", table.name);
            let failed = move |_: &[Value], _: &Run| Err(Error::new(SqlState::NOT_NULL_VIOLATION, message.clone()));
            self.check_rows(&table, &failed, run).await?;
        }
        let constraints = std::mem::take(&mut draft.constraints);
        let mut table = self.put_table(draft.table)?;
        for constraint in constraints {
            self.add_constraint(table.clone(), constraint, run).await?;
            table = self.catalog().tables.get(&table.oid).cloned().ok_or_else(|| Error::internal("the table vanished"))?;
        }
        Ok(())
    }

    /// A serial or identity column: every row gets its number.
    async fn add_numbered_column(&mut self, old: Arc<Table>, mut draft: Draft, run: &mut Run) -> Exec<()> {
        for (column, options, ty) in std::mem::take(&mut draft.sequences) {
            self.add_owned_sequence(&mut draft.table, column, &options, ty)?;
        }
        let at = draft.table.columns.len() - 1;
        let ty = Type::from_oid(draft.table.columns[at].type_oid).ok_or_else(|| Error::internal("a column of no type"))?;
        let sequence = self.catalog().owned_sequence(old.oid, at).cloned().ok_or_else(|| Error::internal("a sequence vanished"))?;
        self.renew_storages(&mut draft.table);
        let constraints = std::mem::take(&mut draft.constraints);
        let new = self.put_table(draft.table)?;
        let next = std::cell::Cell::new(sequence.start);
        let change = |mut values: Vec<Value>, _: &Run| {
            let number = next.get();
            next.set(number + sequence.increment);
            values.push(
                crate::types::cast::exactly(&Value::Int8(number), ty)
                    .ok_or_else(|| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{ty} out of range")))?,
            );
            Ok(values)
        };
        self.rewrite_table(&old, &new, Some(&change), run).await?;
        self.set_sequence(sequence.oid, next.get(), false).await?;
        let mut table = new;
        for constraint in constraints {
            self.add_constraint(table.clone(), constraint, run).await?;
            table = self.catalog().tables.get(&table.oid).cloned().ok_or_else(|| Error::internal("the table vanished"))?;
        }
        Ok(())
    }

    fn drop_column(&mut self, table: &Table, name: &str, if_exists: bool) -> Result<()> {
        let at = match table.column_of(name) {
            Err(error) if if_exists => {
                self.notice(Severity::Notice, Error::new(SqlState::SUCCESSFUL, format!("{}, skipping", error.message())));
                return Ok(());
            }
            found => found?,
        };
        if table.primary_key.contains(&at) || table.shard_key.contains(&at) {
            return Err(Error::unsupported("dropping a column of the primary key"));
        }
        let mut new = table.clone();
        new.columns[at].dropped = true;
        new.columns[at].not_null = false;
        new.columns[at].default = None;
        new.columns[at].identity = None;
        new.columns[at].name = format!("........dropped.{}........", at + 1);
        for index in table.indexes.iter().filter(|index| index.columns.contains(&at)) {
            self.drop_storage(index.storage);
        }
        new.indexes.retain(|index| !index.columns.contains(&at));
        // A check that names the column goes with it.
        let scope = Scope::of_table(&new, None)?;
        new.checks.retain(|check| {
            crate::parse::parse_expression(&check.expression)
                .is_ok_and(|parsed| Binder::new(&scope, &mut Parameters::default()).condition(&parsed, "CHECK").is_ok())
        });
        if let Some(sequence) = self.catalog().owned_sequence(table.oid, at).cloned() {
            self.forget_sequence(&sequence);
        }
        self.put_table(new)?;
        Ok(())
    }

    fn rename_column(&mut self, table: &Table, from: &str, to: &str) -> Result<()> {
        let at = table.column(from).ok_or_else(|| Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{from}\" does not exist")))?;
        if table.column(to).is_some() {
            let message = format!("column \"{to}\" of relation \"{}\" already exists", table.name);
            return Err(Error::new(SqlState::DUPLICATE_COLUMN, message));
        }
        let mut new = table.clone();
        to.clone_into(&mut new.columns[at].name);
        for check in &mut new.checks {
            let mut expression = crate::parse::parse_expression(&check.expression)?;
            rename_in(&mut expression, from, to);
            check.expression = crate::parse::kept_text(&expression)?;
        }
        check_expressions(&new)?;
        self.put_table(new)?;
        Ok(())
    }

    fn rename_constraint(&mut self, table: &Table, from: &str, to: &str) -> Result<()> {
        let mut new = table.clone();
        if let Some(index) = new.indexes.iter_mut().find(|index| index.name == from) {
            self.check_free(&table.schema, to, false)?;
            to.clone_into(&mut index.name);
        } else if let Some(check) = new.checks.iter_mut().find(|check| check.name == from) {
            to.clone_into(&mut check.name);
        } else {
            return Err(missing_constraint(table, from));
        }
        self.put_table(new)?;
        Ok(())
    }

    async fn alter_column(&mut self, table: Arc<Table>, name: &str, op: &ast::AlterColumnOperation, run: &mut Run) -> Exec<()> {
        let at = table.column_of(name)?;
        let mut new = (*table).clone();
        match op {
            ast::AlterColumnOperation::SetNotNull => {
                let message = format!("column \"{name}\" of relation \"{}\" contains null values", table.name);
                let check = move |values: &[Value], _: &Run| {
                    if values[at].is_null() { Err(Error::new(SqlState::NOT_NULL_VIOLATION, message.clone())) } else { Ok(()) }
                };
                self.check_rows(&table, &check, run).await?;
                new.columns[at].not_null = true;
            }
            ast::AlterColumnOperation::DropNotNull => {
                if table.primary_key.contains(&at) {
                    let message = format!("column \"{name}\" is in a primary key");
                    return Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message).into());
                }
                new.columns[at].not_null = false;
            }
            ast::AlterColumnOperation::SetDefault { value } => {
                new.columns[at].default = Some(crate::parse::kept_text(value)?);
                check_expressions(&new)?;
            }
            ast::AlterColumnOperation::DropDefault => new.columns[at].default = None,
            ast::AlterColumnOperation::SetDataType { data_type, using, .. } => {
                return self.alter_type(table, at, data_type, using.as_ref(), run).await;
            }
            ast::AlterColumnOperation::AddGenerated { .. } => return Err(Error::unsupported("ALTER COLUMN ADD GENERATED").into()),
        }
        self.put_table(new)?;
        Ok(())
    }

    /// Rewrites the table with the column's values cast.
    async fn alter_type(
        &mut self,
        old: Arc<Table>,
        at: usize,
        data_type: &ast::DataType,
        using: Option<&ast::Expr>,
        run: &mut Run,
    ) -> Exec<()> {
        let (ty, modifier) = crate::types::ast::resolve(data_type)?;
        let name = old.columns[at].name.clone();
        let scope = Scope::of_table(&old, None)?;
        let mut parameters = Parameters::default();
        let mut binder = Binder::new(&scope, &mut parameters);
        let source = using.cloned().unwrap_or_else(|| ast::Expr::Identifier(ast::Ident::with_quote('"', &name)));
        let bound = binder.assignment(&source, &name, ty, modifier).map_err(Error::from).map_err(|error| {
            if using.is_none() && error.state() == SqlState::DATATYPE_MISMATCH {
                Error::new(SqlState::DATATYPE_MISMATCH, format!("column \"{name}\" cannot be cast automatically to type {ty}"))
                    .with_hint(format!("You might need to specify \"USING {name}::{ty}\"."))
            } else {
                error
            }
        })?;
        let mut new = (*old).clone();
        (new.columns[at].type_oid, new.columns[at].type_modifier, new.columns[at].missing) = (ty.oid(), modifier, Value::Null);
        check_expressions(&new)?;
        self.renew_storages(&mut new);
        let new = self.put_table(new)?;
        let change = |mut values: Vec<Value>, run: &Run| {
            values[at] = bound.eval(&values, &run.env())?;
            Ok(values)
        };
        self.rewrite_table(&old, &new, Some(&change), run).await
    }

    async fn add_constraint(&mut self, old: Arc<Table>, constraint: Constraint, run: &mut Run) -> Exec<()> {
        let mut new = (*old).clone();
        let primary = matches!(constraint, Constraint::PrimaryKey { .. });
        let index = self.add_constraint_to(&mut new, constraint)?;
        check_shard_key(&new)?;
        if primary {
            // Rows get a new key: they are written anew.
            self.renew_storages(&mut new);
            let new = self.put_table(new)?;
            return self.rekey_table(&old, &new, run).await;
        }
        check_expressions(&new)?;
        let new = self.put_table(new)?;
        match index {
            Some(at) => self.build_index(&new, at, run).await,
            None => {
                let info = TableInfo::new(new.clone()).map_err(Error::from)?;
                let (name, expression) = info.checks.last().cloned().ok_or_else(|| Error::internal("a check vanished"))?;
                let table = new.name.clone();
                let check = move |values: &[Value], run: &Run| {
                    if expression.does_not_fail(values, &run.env())? {
                        return Ok(());
                    }
                    let message = format!("check constraint \"{name}\" of relation \"{table}\" is violated by some row");
                    Err(Error::new(SqlState::CHECK_VIOLATION, message).with_constraint(&name))
                };
                self.check_rows(&new, &check, run).await
            }
        }
    }

    fn drop_constraint(&mut self, table: &Table, name: &str, if_exists: bool) -> Exec<()> {
        let mut new = table.clone();
        if let Some(at) = new.checks.iter().position(|check| check.name == name) {
            new.checks.remove(at);
            self.put_table(new)?;
            return Ok(());
        }
        let Some(at) = new.indexes.iter().position(|index| index.unique && index.name == name) else {
            if if_exists {
                let error = missing_constraint(table, name);
                self.notice(Severity::Notice, Error::new(SqlState::SUCCESSFUL, format!("{}, skipping", error.message())));
                return Ok(());
            }
            return Err(missing_constraint(table, name).into());
        };
        let index = new.indexes.remove(at);
        if !index.primary {
            self.drop_storage(index.storage);
            self.put_table(new)?;
            return Ok(());
        }
        if !new.shard_key.is_empty() {
            return Err(Error::unsupported("dropping the primary key of a table with a shard key").into());
        }
        // Rows keep their keys, which no row that comes later can get: those start with a time, these with a value's mark.
        new.primary_key.clear();
        self.put_table(new)?;
        Ok(())
    }
}

fn missing_constraint(table: &Table, name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("constraint \"{name}\" of relation \"{}\" does not exist", table.name))
}

/// The one value that a new column has in old rows; `None` if its default differs from row to row.
fn constant_default(table: &Table, at: usize, run: &Run) -> Result<Option<Value>> {
    let column = &table.columns[at];
    let Some(text) = &column.default else { return Ok(Some(Value::Null)) };
    let parsed = crate::parse::parse_expression(text)?;
    let (scope, mut parameters) = (Scope::empty(), Parameters::default());
    let mut binder = Binder::new(&scope, &mut parameters);
    let ty = Type::from_oid(column.type_oid).ok_or_else(|| Error::internal("a column of no type"))?;
    let bound: Expr = binder.assignment(&parsed, &column.name, ty, column.type_modifier)?;
    if !binder.sequences.is_empty() || bound.is_volatile() {
        return Ok(None);
    }
    bound.eval(&(), &Env::new(&run.settings, &NoAmbient, &[])).map(Some)
}

fn rename_in(expression: &mut ast::Expr, from: &str, to: &str) {
    let _ = ast::visit_expressions_mut(expression, |expr: &mut ast::Expr| {
        match expr {
            ast::Expr::Identifier(ident) if fold(ident) == from => *ident = ast::Ident::with_quote('"', to),
            ast::Expr::CompoundIdentifier(path) => {
                if let Some(last) = path.last_mut()
                    && fold(last) == from
                {
                    *last = ast::Ident::with_quote('"', to);
                }
            }
            _ => {}
        }
        std::ops::ControlFlow::<()>::Continue(())
    });
}
