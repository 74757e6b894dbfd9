//! CREATE TABLE, DROP and TRUNCATE.

use super::constraint::{self, Constraint};
use crate::catalog::{Check, Column, Identity, Index, Sequence, Table, store};
use crate::exec::Run;
use crate::exec::insert::{Changed, INSERT_ROWS_MAX};
use crate::expr::{Binder, Parameters, Scope};
use crate::parse::names::{self, RelationName, fold};
use crate::parse::utility::SequenceOption;
use crate::plan::dml::{InsertPlan, Source};
use crate::plan::table::TableInfo;
use crate::row::COLUMNS_MAX;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::types::Type;
use crate::value::Value;
use base::{Error, Result, SqlState, StorageId};
use sqlparser::ast;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A table being put together.
pub(super) struct Draft {
    pub table: Table,
    /// Sequences to make for columns.
    pub sequences: Vec<(usize, Vec<SequenceOption>, Type)>,
    pub constraints: Vec<Constraint>,
}

impl Session {
    pub(crate) async fn create_table(&mut self, create: &ast::CreateTable, run: &mut Run) -> Exec<String> {
        refuse_forms(create)?;
        self.begin_change().await?;
        let name = names::relation(&create.name)?;
        let path = self.settings.parsed().search_path.clone();
        let schema = self.catalog().schema_for_creation(&name, &path)?;
        if !self.check_free(&schema, &name.name, create.if_not_exists)? {
            return Ok("CREATE TABLE".into());
        }
        let oid = self.new_oid();
        let table = Table {
            oid,
            schema,
            name: name.name,
            storage: self.new_storage(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            shard_key: Vec::new(),
            indexes: Vec::new(),
            checks: Vec::new(),
        };
        let mut draft = Draft { table, sequences: Vec::new(), constraints: Vec::new() };
        let source = match &create.query {
            Some(query) => Some(self.columns_of_query(query, create, &mut draft, run).await?),
            None => {
                for column in &create.columns {
                    self.add_column(column, &mut draft)?;
                }
                None
            }
        };
        for constraint in &create.constraints {
            draft.constraints.push(constraint::of_table(constraint)?);
        }
        let shard_key = table_options(&create.table_options)?;
        let table = self.finish_table(draft, shard_key)?;
        match source {
            None => Ok("CREATE TABLE".into()),
            Some(planned) => Ok(format!("SELECT {}", self.fill_table(table, &planned, run).await?)),
        }
    }

    async fn columns_of_query(
        &mut self,
        query: &ast::Query,
        create: &ast::CreateTable,
        draft: &mut Draft,
        run: &Run,
    ) -> Result<std::rc::Rc<crate::plan::Planned>> {
        let statement =
            crate::parse::Statement::Sql { statement: Box::new(ast::Statement::Query(Box::new(query.clone()))), locks: Vec::new() };
        let planned = self.plan_typed(&statement, run.parameter_types.clone()).await?;
        for (at, field) in planned.fields.iter().flatten().enumerate() {
            let name = create.columns.get(at).map_or_else(|| field.name.clone(), |column| fold(&column.name));
            check_new_column(&draft.table, &name)?;
            draft.table.columns.push(plain_column(name, field.type_oid, field.type_modifier));
        }
        Ok(planned)
    }

    async fn fill_table(&mut self, table: Arc<Table>, planned: &crate::plan::Planned, run: &mut Run) -> Exec<u64> {
        let info = Arc::new(TableInfo::new(table).map_err(Error::from)?);
        let source = Source::Values { rows: Vec::new(), sequences: Vec::new() };
        let plan = InsertPlan { table: info, source, defaults: Vec::new(), conflict: None, returning: Vec::new() };
        let mut changed = Changed::default();
        let mut rows = Box::pin(self.start_query_of(planned, run)).await?;
        while let Some(chunk) = self.next_answer(&mut rows, planned, run, INSERT_ROWS_MAX).await? {
            for batch in chunk.chunks(INSERT_ROWS_MAX) {
                self.insert_rows(&plan, batch.to_vec(), &mut BTreeSet::new(), &mut changed, run).await?;
            }
        }
        Ok(changed.rows)
    }

    /// Adds a column with all that is written behind it.
    pub(super) fn add_column(&mut self, definition: &ast::ColumnDef, draft: &mut Draft) -> Result<()> {
        let name = fold(&definition.name);
        check_new_column(&draft.table, &name)?;
        if draft.table.columns.len() >= COLUMNS_MAX {
            return Err(Error::new(SqlState::TOO_MANY_COLUMNS, format!("tables can have at most {COLUMNS_MAX} columns")));
        }
        let at = draft.table.columns.len();
        let serial = serial_type(&definition.data_type);
        let (ty, modifier) = match serial {
            Some(ty) => (ty, -1),
            None => crate::types::ast::resolve(&definition.data_type)?,
        };
        let mut column = Column { not_null: serial.is_some(), ..plain_column(name.clone(), ty.oid(), modifier) };
        if serial.is_some() {
            draft.sequences.push((at, Vec::new(), ty));
        }
        for option in &definition.options {
            column_option(option, &name, at, ty, &mut column, draft)?;
        }
        draft.table.columns.push(column);
        Ok(())
    }

    /// Constraints and sequences of a new table; then its descriptor.
    fn finish_table(&mut self, mut draft: Draft, shard_key: Option<Vec<String>>) -> Result<Arc<Table>> {
        for constraint in std::mem::take(&mut draft.constraints) {
            self.add_constraint_to(&mut draft.table, constraint)?;
        }
        if let Some(names) = shard_key {
            draft.table.shard_key = names.iter().map(|name| draft.table.column_of(name)).collect::<Result<_>>()?;
        }
        check_shard_key(&draft.table)?;
        for (column, options, ty) in std::mem::take(&mut draft.sequences) {
            self.add_owned_sequence(&mut draft.table, column, &options, ty)?;
        }
        check_expressions(&draft.table)?;
        self.put_table(draft.table)
    }

    /// The sequence of a serial or identity column.
    pub(super) fn add_owned_sequence(&mut self, table: &mut Table, column: usize, options: &[SequenceOption], ty: Type) -> Result<()> {
        let name = self.free_name(&table.schema, &format!("{}_{}_seq", table.name, table.columns[column].name));
        let oid = self.new_oid();
        let mut sequence = super::sequence::new_sequence(oid, &table.schema, &name, ty);
        super::sequence::apply(&mut sequence, options)?;
        sequence.owned_by = Some((table.oid, column));
        let sequence = self.put_sequence(sequence)?;
        if table.columns[column].identity.is_none() {
            let path = format!("{}.{}", names::quote(&sequence.schema), names::quote(&sequence.name)).replace('\'', "''");
            table.columns[column].default = Some(format!("nextval('{path}'::regclass)"));
        }
        Ok(())
    }

    /// Adds a constraint to a descriptor, without looking at rows. Answers the position of a new index.
    pub(super) fn add_constraint_to(&mut self, table: &mut Table, constraint: Constraint) -> Result<Option<usize>> {
        match constraint {
            Constraint::PrimaryKey { name, columns } => {
                if table.indexes.iter().any(|index| index.primary) {
                    let message = format!("multiple primary keys for table \"{}\" are not allowed", table.name);
                    return Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, message));
                }
                let positions = self.key_columns(table, &columns)?;
                for column in &positions {
                    table.columns[*column].not_null = true;
                }
                let name = self.constraint_name(table, name, &format!("{}_pkey", table.name))?;
                let (oid, storage) = (self.new_oid(), table.storage);
                table.primary_key.clone_from(&positions);
                table.indexes.insert(0, Index { oid, name, storage, columns: positions, unique: true, primary: true });
                Ok(Some(0))
            }
            Constraint::Unique { name, columns } => {
                let positions = self.key_columns(table, &columns)?;
                let name = self.constraint_name(table, name, &format!("{}_{}_key", table.name, columns.join("_")))?;
                let (oid, storage) = (self.new_oid(), self.new_storage());
                table.indexes.push(Index { oid, name, storage, columns: positions, unique: true, primary: false });
                Ok(Some(table.indexes.len() - 1))
            }
            Constraint::Check { name, expression, column } => {
                let base = match column {
                    Some(column) => format!("{}_{column}_check", table.name),
                    None => format!("{}_check", table.name),
                };
                let taken = |name: &str| table.checks.iter().any(|check| check.name == name);
                let name = match name {
                    Some(name) if taken(&name) => {
                        let message = format!("constraint \"{name}\" for relation \"{}\" already exists", table.name);
                        return Err(Error::new(SqlState::DUPLICATE_OBJECT, message));
                    }
                    Some(name) => name,
                    None if !taken(&base) => base,
                    None => (1..).map(|n| format!("{base}{n}")).find(|name| !taken(name)).expect("there are more numbers than names"),
                };
                table.checks.push(Check { name, expression });
                Ok(None)
            }
        }
    }

    fn constraint_name(&mut self, table: &Table, given: Option<String>, base: &str) -> Result<String> {
        let taken = |name: &str| name == table.name || table.indexes.iter().any(|index| index.name == name);
        match given {
            Some(name) => {
                if taken(&name) {
                    return Err(Error::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists")));
                }
                self.check_free(&table.schema, &name, false)?;
                Ok(name)
            }
            None => {
                let mut name = self.free_name(&table.schema, base);
                let mut n = 1;
                while taken(&name) {
                    name = self.free_name(&table.schema, &format!("{base}{n}"));
                    n += 1;
                }
                Ok(name)
            }
        }
    }

    pub(super) fn key_columns(&self, table: &Table, columns: &[String]) -> Result<Vec<usize>> {
        columns
            .iter()
            .map(|name| {
                let missing = || Error::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" named in key does not exist"));
                let at = table.column(name).ok_or_else(missing)?;
                let ty = Type::from_oid(table.columns[at].type_oid).ok_or_else(|| Error::internal("a column of no type"))?;
                if !ty.is_orderable() || ty == Type::Jsonb {
                    return Err(Error::unsupported(format!("a key or index on type {ty}")));
                }
                Ok(at)
            })
            .collect()
    }

    pub(crate) async fn drop_objects(
        &mut self,
        kind: ast::ObjectType,
        if_exists: bool,
        objects: &[ast::ObjectName],
        cascade: bool,
    ) -> Exec<String> {
        self.begin_change().await?;
        for name in objects {
            let name = names::relation(name)?;
            match kind {
                ast::ObjectType::Table => self.drop_table(&name, if_exists).await?,
                ast::ObjectType::Index => self.drop_index(&name, if_exists).await?,
                ast::ObjectType::Sequence => self.drop_sequence(&name, if_exists, cascade).await?,
                ast::ObjectType::Schema => self.drop_schema(&name.name, if_exists, cascade).await?,
                ast::ObjectType::View | ast::ObjectType::MaterializedView | ast::ObjectType::Type if if_exists => self.skip_notice(&name),
                other => return Err(Error::unsupported(format!("DROP {other}")).into()),
            }
        }
        Ok(format!("DROP {kind}"))
    }

    async fn drop_table(&mut self, name: &RelationName, if_exists: bool) -> Exec<()> {
        let path = self.settings.parsed().search_path.clone();
        match self.catalog().table(name, &path) {
            Ok(_) => {}
            Err(error) if if_exists && error.state() == SqlState::UNDEFINED_TABLE => {
                let message = format!("table \"{}\" does not exist, skipping", name.name);
                self.notice(crate::client::Severity::Notice, Error::new(SqlState::SUCCESSFUL, message));
                return Ok(());
            }
            Err(error) if error.state() == SqlState::UNDEFINED_TABLE => {
                return Err(Error::new(SqlState::UNDEFINED_TABLE, format!("table \"{}\" does not exist", name.name)).into());
            }
            Err(error) => return Err(error.into()),
        }
        let table = self.table_to_change(name).await?;
        self.forget_table(&table);
        Ok(())
    }

    pub(super) fn forget_table(&mut self, table: &Table) {
        let owned: Vec<Arc<Sequence>> =
            self.catalog().sequences.values().filter(|s| s.owned_by.is_some_and(|(oid, _)| oid == table.oid)).cloned().collect();
        for sequence in owned {
            self.forget_sequence(&sequence);
        }
        self.drop_storage(table.storage);
        for index in table.indexes.iter().filter(|index| !index.primary) {
            self.drop_storage(index.storage);
        }
        self.put_descriptor(store::table_key(table.oid), None);
        self.edit_catalog(|catalog| drop(catalog.remove_table(table.oid)));
    }

    pub(crate) async fn truncate(&mut self, truncate: &ast::Truncate) -> Exec<()> {
        for target in &truncate.table_names {
            let name = names::relation(&target.name)?;
            let table = self.table_to_change(&name).await?;
            let mut new = (*table).clone();
            self.renew_storages(&mut new);
            self.put_table(new)?;
            if matches!(truncate.identity, Some(ast::TruncateIdentityOption::Restart)) {
                let owned: Vec<Arc<Sequence>> =
                    self.catalog().sequences.values().filter(|s| s.owned_by.is_some_and(|(oid, _)| oid == table.oid)).cloned().collect();
                for sequence in owned {
                    self.set_sequence(sequence.oid, sequence.start, false).await?;
                }
            }
        }
        Ok(())
    }

    /// Gives a table new, empty storages; the old ones are given up.
    pub(super) fn renew_storages(&mut self, table: &mut Table) -> Vec<StorageId> {
        let mut old = vec![table.storage];
        self.drop_storage(table.storage);
        table.storage = self.new_storage();
        for at in 0..table.indexes.len() {
            if table.indexes[at].primary {
                table.indexes[at].storage = table.storage;
            } else {
                old.push(table.indexes[at].storage);
                self.drop_storage(table.indexes[at].storage);
                table.indexes[at].storage = self.new_storage();
            }
        }
        old
    }
}

pub(super) fn plain_column(name: String, type_oid: u32, type_modifier: i32) -> Column {
    Column { name, type_oid, type_modifier, not_null: false, default: None, identity: None, dropped: false, missing: Value::Null }
}

fn check_new_column(table: &Table, name: &str) -> Result<()> {
    if table.column(name).is_some() {
        return Err(Error::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once")));
    }
    Ok(())
}

fn serial_type(data_type: &ast::DataType) -> Option<Type> {
    let ast::DataType::Custom(name, modifiers) = data_type else { return None };
    if !modifiers.is_empty() {
        return None;
    }
    match names::relation(name).ok()?.name.as_str() {
        "serial" | "serial4" => Some(Type::Int4),
        "bigserial" | "serial8" => Some(Type::Int8),
        "smallserial" | "serial2" => Some(Type::Int2),
        _ => None,
    }
}

fn column_option(option: &ast::ColumnOptionDef, name: &str, at: usize, ty: Type, column: &mut Column, draft: &mut Draft) -> Result<()> {
    let constraint_name = option.name.as_ref().map(fold);
    match &option.option {
        ast::ColumnOption::Null => {}
        ast::ColumnOption::NotNull => column.not_null = true,
        ast::ColumnOption::Default(expr) => column.default = Some(crate::parse::kept_text(expr)?),
        ast::ColumnOption::PrimaryKey(_) => {
            draft.constraints.push(Constraint::PrimaryKey { name: constraint_name, columns: vec![name.to_owned()] });
        }
        ast::ColumnOption::Unique(_) => {
            draft.constraints.push(Constraint::Unique { name: constraint_name, columns: vec![name.to_owned()] });
        }
        ast::ColumnOption::Check(check) => {
            let expression = crate::parse::kept_text(&check.expr)?;
            draft.constraints.push(Constraint::Check { name: constraint_name, expression, column: Some(name.to_owned()) });
        }
        ast::ColumnOption::ForeignKey(_) => return Err(constraint::foreign_key()),
        ast::ColumnOption::Collation(collation) => match collation.to_string().trim_matches('"') {
            "C" | "POSIX" | "default" | "ucs_basic" => {}
            other => return Err(Error::unsupported(format!("collation {other}"))),
        },
        ast::ColumnOption::Generated { generated_as, sequence_options, generation_expr: None, .. } => {
            if !ty.is_integer() {
                let message = "identity column type must be smallint, integer, or bigint";
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
            }
            column.not_null = true;
            column.identity = Some(if matches!(generated_as, ast::GeneratedAs::Always) { Identity::Always } else { Identity::ByDefault });
            let options = super::sequence::options_of(sequence_options.as_deref().unwrap_or_default())?;
            draft.sequences.push((at, options, ty));
        }
        ast::ColumnOption::Generated { .. } => return Err(Error::unsupported("a generated column")),
        other => return Err(Error::unsupported(format!("the column option {other}"))),
    }
    Ok(())
}

fn refuse_forms(create: &ast::CreateTable) -> Result<()> {
    let refused = [
        (create.temporary, "a temporary table"),
        (create.like.is_some(), "CREATE TABLE … LIKE"),
        (create.inherits.is_some(), "INHERITS"),
        (create.partition_by.is_some() || create.partition_of.is_some(), "a partitioned table"),
        (create.or_replace || create.external || create.clone.is_some() || create.location.is_some(), "this form of CREATE TABLE"),
    ];
    match refused.iter().find(|(found, _)| *found) {
        Some((_, what)) => Err(Error::unsupported(what)),
        None => Ok(()),
    }
}

/// The columns of `shard_key`, if it is given. Storage parameters of PostgreSQL's heap are taken and mean nothing here.
fn table_options(options: &ast::CreateTableOptions) -> Result<Option<Vec<String>>> {
    let list = match options {
        ast::CreateTableOptions::None => return Ok(None),
        ast::CreateTableOptions::With(list) => list,
        other => return Err(Error::unsupported(format!("the table options {other}"))),
    };
    let mut shard_key = None;
    for option in list {
        let ast::SqlOption::KeyValue { key, value } = option else { continue };
        let name = fold(key);
        if name == "shard_key" {
            let ast::Expr::Value(value) = value else { return Err(bad_shard_key()) };
            let ast::Value::SingleQuotedString(text) = &value.value else { return Err(bad_shard_key()) };
            shard_key = Some(text.split(',').map(|part| part.trim().to_lowercase()).collect());
        } else if !name.starts_with("autovacuum_") && !matches!(name.as_str(), "fillfactor" | "parallel_workers" | "oids") {
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("unrecognized parameter \"{name}\"")));
        }
    }
    Ok(shard_key)
}

fn bad_shard_key() -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, "shard_key takes a list of columns in quotes, such as 'a, b'")
}

/// A row's slot must be known from its primary key, and from each unique index's entry, so that uniqueness is kept in one shard.
pub(super) fn check_shard_key(table: &Table) -> Result<()> {
    let within = |columns: &[usize]| table.shard_key.iter().all(|column| columns.contains(column));
    if table.shard_key.is_empty() {
        return Ok(());
    }
    if !within(&table.primary_key) {
        return Err(Error::new(SqlState::INVALID_TABLE_DEFINITION, "shard_key must be part of the primary key"));
    }
    match table.indexes.iter().find(|index| index.unique && !within(&index.columns)) {
        Some(index) => {
            let message = format!("unique constraint \"{}\" must include all columns of shard_key", index.name);
            Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message))
        }
        None => Ok(()),
    }
}

/// Defaults and checks are bound once now, so that what is wrong with them is told here.
pub(super) fn check_expressions(table: &Table) -> Result<()> {
    let scope = Scope::of_table(table, None)?;
    for check in &table.checks {
        let parsed = crate::parse::parse_expression(&check.expression)?;
        Binder::new(&scope, &mut Parameters::default()).condition(&parsed, "CHECK")?;
    }
    let nothing = Scope::empty();
    for column in table.columns.iter().filter(|column| !column.dropped) {
        let Some(default) = &column.default else { continue };
        let parsed = crate::parse::parse_expression(default)?;
        let ty = Type::from_oid(column.type_oid).ok_or_else(|| Error::internal("a column of no type"))?;
        Binder::new(&nothing, &mut Parameters::default()).assignment(&parsed, &column.name, ty, column.type_modifier)?;
    }
    Ok(())
}
