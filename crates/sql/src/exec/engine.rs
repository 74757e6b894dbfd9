//! Queries of the vectorised engine: the session reads for it, at the statement's snapshot, with the transaction's own writes merged in.

use super::fetch::Scanner;
use super::insert::{Changed, INSERT_ROWS_MAX};
use super::source::Source;
use super::{Run, Stored};
use crate::client::Field;
use crate::engine::{CHUNK_ROWS, EngineCommand, EngineEvent, Explain, QueryId, QueryJob, QuerySettings, ScanId};
use crate::key::storage_range;
use crate::plan::dml::{DeletePlan, InsertPlan, UpdatePlan, check_width};
use crate::plan::table::{TableInfo, key_of};
use crate::session::Session;
use crate::session::txn::Exec;
use crate::types::Type;
use crate::value::Value;
use base::{Error, Result, SqlState};
use sqlparser::ast;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use storage::access::{Isolation, LockMode};

/// How often UPDATE … FROM starts again because a row that it found was changed meanwhile.
const RESTARTS_MAX: u32 = 20;

/// A query under way in the engine. Cancelled when it is dropped unfinished: see [`Session::close_source`].
pub struct EngineRows {
    pub id: QueryId,
    scans: BTreeMap<ScanId, Scanner>,
    catalog: Arc<crate::catalog::Catalog>,
    /// The engine waits for `More`.
    owed: bool,
    pub done: bool,
    pub explain: Option<String>,
}

impl Session {
    fn query_job(&mut self, query: Arc<ast::Query>, run: &Run, types: Vec<u32>, explain: Option<Explain>) -> QueryJob {
        QueryJob {
            id: self.backend.new_query(),
            query,
            parameters: run.parameters.clone(),
            parameter_types: types,
            catalog: self.catalog(),
            settings: QuerySettings {
                user: self.user.to_string(),
                database: self.database.to_string(),
                search_path: self.settings.parsed().search_path.to_vec(),
                time_zone: self.settings.parsed().zone.name().to_owned(),
                transaction_start: run.settings.transaction_start,
                statement_start: run.settings.statement_start,
                backend_pid: run.settings.backend_pid,
            },
            explain,
        }
    }

    /// Fields, and the types of all parameters.
    pub(crate) async fn describe_by_engine(&mut self, query: Arc<ast::Query>, told: &[Type], run: &Run) -> Result<(Vec<Field>, Vec<Type>)> {
        let types = told.iter().map(|ty| if *ty == Type::Unknown { 0 } else { ty.oid() }).collect();
        let job = self.query_job(query, run, types, None);
        let id = job.id;
        self.backend.engine(EngineCommand::Describe(job));
        match self.backend.engine_event(id).await {
            EngineEvent::Described { fields, parameter_types } => {
                let ty = |(at, oid): (usize, &u32)| match (Type::from_oid(*oid), told.get(at)) {
                    (_, Some(told)) if *told != Type::Unknown => *told,
                    (Some(Type::Unknown) | None, _) => Type::Text,
                    (Some(found), _) => found,
                };
                Ok((fields, parameter_types.iter().enumerate().map(ty).collect()))
            }
            EngineEvent::Failed(error) => Err(error),
            _ => Err(Error::internal("the engine described nothing")),
        }
    }

    pub(crate) async fn start_engine(&mut self, query: Arc<ast::Query>, run: &mut Run) -> Exec<Source> {
        Ok(Source::Engine(self.start_query(query, None, run).await?))
    }

    pub(crate) async fn start_query(&mut self, query: Arc<ast::Query>, explain: Option<Explain>, run: &mut Run) -> Exec<EngineRows> {
        if !self.backend.has_engine() {
            return Err(Error::unsupported("a query of this form on this node").into());
        }
        if self.catalog().has_sharded_tables() {
            self.fix_snapshot(&mut run.sight).await?;
        }
        let types = run.parameter_types.iter().map(|ty| ty.oid()).collect();
        let job = self.query_job(query, run, types, explain);
        let (id, catalog) = (job.id, job.catalog.clone());
        self.backend.engine(EngineCommand::Run(job));
        self.open_queries.insert(id);
        Ok(EngineRows { id, scans: BTreeMap::new(), catalog, owed: false, done: false, explain: None })
    }

    /// The next rows; `None` at the end. On an error the query is over.
    pub(crate) async fn next_engine_rows(&mut self, rows: &mut EngineRows, run: &mut Run) -> Exec<Option<Vec<Vec<Value>>>> {
        if rows.done {
            return Ok(None);
        }
        match self.engine_step(rows, run).await {
            Ok(answer) => {
                if answer.is_none() {
                    rows.done = true;
                    self.open_queries.remove(&rows.id);
                }
                Ok(answer)
            }
            Err(error) => {
                rows.done = true;
                self.cancel_query(rows.id);
                Err(error)
            }
        }
    }

    pub(crate) fn cancel_query(&mut self, id: QueryId) {
        if self.open_queries.remove(&id) {
            self.backend.engine(EngineCommand::Cancel { query: id });
        }
    }

    async fn engine_step(&mut self, rows: &mut EngineRows, run: &mut Run) -> Exec<Option<Vec<Vec<Value>>>> {
        if std::mem::take(&mut rows.owed) {
            self.backend.engine(EngineCommand::More { query: rows.id });
        }
        loop {
            self.check_interrupt()?;
            match self.backend.engine_event(rows.id).await {
                EngineEvent::Described { .. } => {}
                EngineEvent::Scan { scan, table_oid, range } => self.serve_scan(rows, scan, table_oid, range, run).await?,
                EngineEvent::SystemScan { scan, name } => {
                    let missing = || Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"));
                    let values = self.backend.system_table(name.clone()).await.ok_or_else(missing)?;
                    self.check_interrupt()?;
                    self.backend.engine(EngineCommand::SystemRows { query: rows.id, scan, rows: values });
                }
                EngineEvent::Rows(chunk) => {
                    rows.owed = true;
                    return Ok(Some(chunk));
                }
                EngineEvent::Done { explain } => {
                    rows.explain = explain;
                    return Ok(None);
                }
                EngineEvent::Failed(error) => return Err(error.into()),
            }
        }
    }

    async fn serve_scan(
        &mut self,
        rows: &mut EngineRows,
        scan: ScanId,
        table_oid: u32,
        range: Option<storage::access::KeyRange>,
        run: &mut Run,
    ) -> Exec<()> {
        let table = rows.catalog.tables.get(&table_oid).ok_or_else(|| Error::internal("the engine scans an unknown table"))?;
        if !self.pinned.iter().any(|pinned| pinned.oid == table_oid) {
            self.pinned.push(table.clone());
        }
        if let std::collections::btree_map::Entry::Vacant(vacant) = rows.scans.entry(scan) {
            let shards = if table.shard_key.is_empty() { vec![self.backend.shard_of(base::SlotId(0))] } else { self.backend.shards() };
            let range = range.unwrap_or_else(|| storage_range(table.storage));
            vacant.insert(Scanner::new(shards.into_iter().map(|shard| (shard, range.clone())).collect(), false));
        }
        let scanner = rows.scans.get_mut(&scan).expect("was just made");
        let chunk = self.next_chunk(scanner, CHUNK_ROWS as u32, run).await?;
        let last = chunk.is_none();
        let stored = chunk.unwrap_or_default().into_iter().map(|stored| stored.row).collect();
        self.backend.engine(EngineCommand::Rows { query: rows.id, scan, rows: stored, last });
        Ok(())
    }

    /// Rows of any query, native or the engine's, for statements that consume them.
    async fn next_of_query(&mut self, rows: &mut EngineRows, run: &mut Run) -> Exec<Option<Vec<Vec<Value>>>> {
        self.next_engine_rows(rows, run).await
    }

    /// INSERT … SELECT.
    pub(crate) async fn insert_query(
        &mut self,
        plan: &InsertPlan,
        query: &Arc<ast::Query>,
        (columns, named): (&[usize], bool),
        changed: &mut Changed,
        run: &mut Run,
    ) -> Exec<()> {
        let statement =
            crate::parse::Statement::Sql { statement: Box::new(ast::Statement::Query(Box::new((**query).clone()))), locks: Vec::new() };
        let types: Vec<Type> = run.parameter_types.clone();
        let planned = self.plan_typed(&statement, types).await?;
        let fields = planned.fields.clone().unwrap_or_default();
        check_width(fields.len(), columns.len(), named)?;
        let columns = &columns[..fields.len()];
        let assign = assignments(&plan.table, &fields, columns)?;
        let mut source = self.start_query_of(&planned, run).await?;
        let mut written = BTreeSet::new();
        while let Some(chunk) = self.next_answer(&mut source, &planned, run, INSERT_ROWS_MAX).await? {
            for rows in chunk.chunks(INSERT_ROWS_MAX) {
                let mut batch = Vec::with_capacity(rows.len());
                for row in rows {
                    let mut values = Vec::with_capacity(plan.defaults.len());
                    for (at, default) in plan.defaults.iter().enumerate() {
                        values.push(match columns.iter().position(|c| *c == at) {
                            Some(given) => assign[given].eval(row, &run.env())?,
                            None => self.default_value(default.as_ref(), run).await?,
                        });
                    }
                    batch.push(values);
                }
                self.insert_rows(plan, batch, &mut written, changed, run).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn update_from(
        &mut self,
        plan: &UpdatePlan,
        query: &Arc<ast::Query>,
        changed: &mut Changed,
        run: &mut Run,
    ) -> Exec<()> {
        let info = plan.table.clone();
        let mode = if plan.changes_key { LockMode::Update } else { LockMode::NoKeyUpdate };
        for (stored, row) in self.joined_victims(&info, query, mode, run).await? {
            let old = info.layout.decode(&stored.row)?;
            let mut values = old.clone();
            for assignment in &plan.assignments {
                let Expr::Column { index, .. } = assignment.value else { unreachable!("values come from the query's columns") };
                values[assignment.column] = coerce(&row.values[index], row.types[index], &info, assignment.column, run)?;
            }
            self.write_update(&info, &stored, &old, &values, run).await?;
            changed.rows += 1;
            self.return_row(&plan.returning, &values, changed, run)?;
        }
        Ok(())
    }

    pub(crate) async fn delete_from(
        &mut self,
        plan: &DeletePlan,
        query: &Arc<ast::Query>,
        changed: &mut Changed,
        run: &mut Run,
    ) -> Exec<()> {
        let info = plan.table.clone();
        for (stored, _) in self.joined_victims(&info, query, LockMode::Update, run).await? {
            let old = info.layout.decode(&stored.row)?;
            self.write_delete(&info, &stored, &old, run).await?;
            changed.rows += 1;
            self.return_row(&plan.returning, &old, changed, run)?;
        }
        Ok(())
    }

    /// Rows that a query found by their primary key, locked; each once. If one was changed since the query's snapshot, the query is run
    /// again at a newer one: it cannot be judged without its partners.
    async fn joined_victims(
        &mut self,
        info: &TableInfo,
        query: &Arc<ast::Query>,
        mode: LockMode,
        run: &mut Run,
    ) -> Exec<Vec<(Stored, Joined)>> {
        for _ in 0..RESTARTS_MAX {
            let (found, fields) = self.joined_rows(info, query, run).await?;
            let keys: Vec<_> = found.iter().map(|(key, _)| key.clone()).collect();
            let wait = self.lock_wait();
            let locked = self.fetch(&keys, Some(mode), wait, run).await?;
            let snapshot = if self.txn().isolation == Isolation::ReadCommitted { run.sight.snapshot } else { None };
            let stale = locked.iter().any(|row| match (row, snapshot) {
                (None, _) => true,
                (Some(stored), Some(snapshot)) => stored.version > snapshot && self.txn_ref().buffer.get(&stored.key).is_none(),
                _ => false,
            });
            if !stale {
                let types: Arc<[Type]> = fields.iter().map(|f| Type::from_oid(f.type_oid).unwrap_or(Type::Text)).collect();
                let pairs = locked.into_iter().zip(found);
                return Ok(pairs.filter_map(|(stored, (_, values))| Some((stored?, Joined { values, types: types.clone() }))).collect());
            }
            run.sight.snapshot = None;
        }
        Err(Error::new(SqlState::SERIALIZATION_FAILURE, "could not update because rows kept changing").into())
    }

    #[allow(clippy::type_complexity)]
    async fn joined_rows(
        &mut self,
        info: &TableInfo,
        query: &Arc<ast::Query>,
        run: &mut Run,
    ) -> Exec<(Vec<((base::ShardId, storage::access::Key), Vec<Value>)>, Vec<Field>)> {
        let told: Vec<Type> = run.parameter_types.clone();
        let (fields, _) = self.describe_by_engine(query.clone(), &told, run).await?;
        let mut rows = self.start_query(query.clone(), None, run).await?;
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        while let Some(chunk) = self.next_of_query(&mut rows, run).await? {
            for row in chunk {
                let mut values = vec![Value::Null; info.types.len()];
                let mut suffix = Vec::new();
                for (at, column) in info.table.primary_key.iter().enumerate() {
                    crate::key::encode(&row[at], info.types[*column], &mut suffix)?;
                    values[*column] = row[at].clone();
                }
                let key = key_of(info.table.storage, &suffix)?;
                if seen.insert(key.clone()) {
                    found.push(((self.shard_of_row(info, &values)?, key), row));
                    super::source::check_kept(found.len())?;
                }
            }
        }
        Ok((found, fields))
    }
}

use crate::expr::{Binder, Expr, Parameters, Scope};

/// The engine's row for one row to change.
struct Joined {
    values: Vec<Value>,
    types: Arc<[Type]>,
}

/// Expressions that turn a query's columns into values of the table's columns.
fn assignments(info: &TableInfo, fields: &[Field], columns: &[usize]) -> Result<Vec<Expr>> {
    let (scope, mut parameters) = (Scope::empty(), Parameters::default());
    let mut binder = Binder::new(&scope, &mut parameters);
    let pairs = fields.iter().zip(columns).enumerate();
    pairs
        .map(|(at, (field, column))| {
            let ty = Type::from_oid(field.type_oid).unwrap_or(Type::Text);
            let given = Expr::Column { index: at, ty, modifier: field.type_modifier };
            let definition = &info.table.columns[*column];
            binder.assign(given, &definition.name, info.types[*column], definition.type_modifier).map_err(Error::from)
        })
        .collect()
}

fn coerce(value: &Value, ty: Type, info: &TableInfo, column: usize, run: &Run) -> Result<Value> {
    let (scope, mut parameters) = (Scope::empty(), Parameters::default());
    let mut binder = Binder::new(&scope, &mut parameters);
    let definition = &info.table.columns[column];
    let given = Expr::Column { index: 0, ty, modifier: -1 };
    let bound = binder.assign(given, &definition.name, info.types[column], definition.type_modifier).map_err(Error::from)?;
    bound.eval(&vec![value.clone()], &run.env())
}
