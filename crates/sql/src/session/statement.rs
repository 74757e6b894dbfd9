//! Planning and starting one statement.

use super::Session;
use super::portal::Tag;
use super::txn::{Block, Exec, Sight, failed_transaction};
use crate::backend::CallError;
use crate::catalog::Catalog;
use crate::exec::source::Source;
use crate::exec::{Clock, Run};
use crate::expr::Parameters;
use crate::parse::Statement;
use crate::parse::utility::Utility;
use crate::plan::{Answer, Plan, Planned, Planner};
use crate::types::{Settings, Type};
use crate::value::Value;
use base::{Error, Prng, Result, SchemaVersion, SqlState};
use sqlparser::ast;
use std::cell::RefCell;
use std::rc::Rc;

/// How often a statement is planned again because the schema changed under it.
pub(crate) const REPLANS_MAX: u32 = 20;

/// What a statement came to.
pub enum Started {
    /// A command tag.
    Done(String),
    Rows(Source, Tag),
}

impl Session {
    pub(crate) fn new_run(&mut self, parameters: Vec<Value>, parameter_types: Vec<Type>) -> Run {
        let settings = self.statement_settings();
        let ambient = Clock { wall: settings.statement_start, prng: RefCell::new(Prng::new(self.backend.random())) };
        let follower = self.settings.parsed().follower.is_some();
        Run { settings, parameters, parameter_types, ambient, sight: Sight { snapshot: None, follower } }
    }

    /// What texts and functions depend on, as of now.
    pub(crate) fn statement_settings(&self) -> Settings {
        let now = self.backend.now();
        let parsed = self.settings.parsed();
        Settings {
            user: self.user.clone(),
            session_user: self.user.clone(),
            database: self.database.clone(),
            search_path: parsed.search_path.clone(),
            time_zone: parsed.zone.clone(),
            transaction_start: self.txn.as_ref().map_or(now.wall, |txn| txn.start),
            statement_start: now.wall,
            backend_pid: self.backend.session().0 as i32,
        }
    }

    pub(crate) async fn plan(&mut self, statement: &Statement, told: Parameters) -> Result<Planned> {
        let known = self.backend.catalog().version;
        match self.plan_once(statement, told.clone()).await {
            Err(error) if is_undefined(&error) && self.has_newer_catalog(known).await? => self.plan_once(statement, told).await,
            planned => planned,
        }
    }

    /// Looks a name up that a plan does not hold.
    pub(crate) async fn look_up<T>(&mut self, look: impl Fn(&Catalog, &[String]) -> Result<T>) -> Result<T> {
        let known = self.backend.catalog().version;
        match look(&self.catalog(), &self.settings.parsed().search_path) {
            Err(error) if is_undefined(&error) && self.has_newer_catalog(known).await? => {
                look(&self.catalog(), &self.settings.parsed().search_path)
            }
            found => found,
        }
    }

    /// A name that is not known may have been made through another node a moment ago: the newest catalog decides.
    async fn has_newer_catalog(&mut self, known: SchemaVersion) -> Result<bool> {
        let own_change = self.txn.as_ref().is_some_and(|txn| txn.ddl.is_some());
        Ok(!own_change && self.backend.refresh_catalog(known).await?.version > known)
    }

    async fn plan_once(&mut self, statement: &Statement, told: Parameters) -> Result<Planned> {
        let catalog = self.catalog();
        let search_path = self.settings.parsed().search_path.clone();
        let planner = Planner { catalog: &catalog, search_path: &search_path, has_engine: self.backend.has_engine() };
        let mut parameters = told.clone();
        let (schema, epoch) = (catalog.version, self.settings.plan_epoch);
        let (plan, mut fields, parameters) = match planner.plan(statement, &mut parameters)? {
            Answer::Planned { plan, fields } => (plan, fields, parameters.finish()?.to_vec()),
            Answer::Engine(query) => {
                let run = self.new_run(Vec::new(), Vec::new());
                let (fields, types) = self.describe_by_engine(query.clone(), told.types(), &run).await?;
                (Plan::Engine(query), Some(fields), types)
            }
        };
        if let Plan::Utility(utility) = &plan
            && let Some(found) = self.utility_fields(utility)?
        {
            fields = Some(found);
        }
        Ok(Planned { schema, epoch, parameters, fields, plan })
    }

    pub(crate) async fn plan_typed(&mut self, statement: &Statement, types: Vec<Type>) -> Result<Rc<Planned>> {
        Ok(Rc::new(self.plan(statement, Parameters::of(types)).await?))
    }

    /// True if a plan made earlier may still be run.
    pub(crate) fn is_current(&self, planned: &Planned) -> bool {
        let own_change = self.txn.as_ref().is_some_and(|txn| txn.ddl.is_some());
        let independent = matches!(planned.plan, Plan::Utility(_));
        (!own_change && planned.schema == self.backend.catalog().version && planned.epoch == self.settings.plan_epoch) || independent
    }

    /// Starts a statement in the current transaction, which is made if there is none. On an error the caller ends the transaction.
    pub(crate) async fn start(&mut self, planned: &Planned, run: &mut Run) -> Exec<Started> {
        if let Some(txn) = &self.txn
            && txn.failed
            && !matches!(&planned.plan, Plan::Utility(utility) if ends_failure(utility))
        {
            return Err(failed_transaction().into());
        }
        if let Plan::Utility(utility) = &planned.plan
            && let Some(started) = Box::pin(self.transaction_control(utility)).await?
        {
            return Ok(started);
        }
        self.ensure_txn(Block::Implicit);
        if planned.writes() && self.txn().read_only {
            return Err(read_only(planned).into());
        }
        self.txn().used = true;
        self.txn().buffer.next_command();
        self.statements_run += 1;
        self.statement_schema = Some(planned.schema);
        self.conflict_attempts = 0;
        self.pinned.clear();
        self.pinned.extend(planned.tables().cloned());
        if planned.writes() {
            run.sight.follower = false;
        } else if run.sight.follower {
            Box::pin(self.follow(run)).await?;
        }
        let started = self.start_plan(planned, run).await?;
        if self.txn.as_ref().is_some_and(|txn| txn.staged.is_on_its_way()) {
            // A cancel that comes when nothing runs must not meet any.
            Box::pin(self.all_parts_staged()).await?;
        }
        Ok(started)
    }

    /// What [`Session::start`] does, for statements that the node runs without a text.
    pub(crate) fn begin_own_statement(&mut self) {
        self.txn().used = true;
        self.txn().buffer.next_command();
        self.statements_run += 1;
        self.statement_schema = None;
        self.pinned.clear();
    }

    /// A follower serves a snapshot that is a little old.
    async fn follow(&mut self, run: &mut Run) -> Exec<()> {
        let staleness = self.settings.parsed().follower.unwrap_or_default();
        if !self.txn().buffer.is_empty() || self.txn().isolation != storage::access::Isolation::ReadCommitted {
            run.sight.follower = false;
            return Ok(());
        }
        let snapshot = self.backend.snapshot().await?.minus(staleness);
        run.sight.snapshot = Some(snapshot);
        self.backend.hold_snapshot(Some(snapshot));
        self.holds_snapshot = true;
        Ok(())
    }

    /// A statement within a statement (EXECUTE, EXPLAIN ANALYZE).
    pub(crate) async fn start_inner(&mut self, planned: &Planned, run: &mut Run) -> Exec<Started> {
        self.start_plan(planned, run).await
    }

    /// A future is as large as its largest branch, and is moved whenever it is made: everything but the shortest way is boxed.
    async fn start_plan(&mut self, planned: &Planned, run: &mut Run) -> Exec<Started> {
        match &planned.plan {
            Plan::Select(plan) => Ok(Started::Rows(self.start_select(plan, run).await?, Tag::Count("SELECT"))),
            Plan::Engine(query) => Ok(Started::Rows(Box::pin(self.start_engine(query.clone(), run)).await?, Tag::Count("SELECT"))),
            Plan::Insert(plan) => {
                let changed = Box::pin(self.run_insert(plan, run)).await?;
                Ok(changes("INSERT 0", changed, planned))
            }
            Plan::Update(plan) => {
                let changed = Box::pin(self.run_update(plan, run)).await?;
                Ok(changes("UPDATE", changed, planned))
            }
            Plan::Delete(plan) => {
                let changed = Box::pin(self.run_delete(plan, run)).await?;
                Ok(changes("DELETE", changed, planned))
            }
            Plan::Admin(plan) => Ok(Started::Rows(Box::pin(self.run_admin(plan, run)).await?, Tag::Count("SELECT"))),
            Plan::Ledger(plan) => Ok(Started::Rows(Box::pin(self.run_ledger_call(plan, run)).await?, Tag::Count("SELECT"))),
            Plan::Empty => Ok(Started::Done(String::new())),
            Plan::Utility(utility) => Box::pin(self.run_utility(utility, run)).await,
            Plan::Definition(statement) => {
                let tag = Box::pin(self.run_definition(statement, run)).await?;
                Ok(Started::Done(tag))
            }
        }
    }

    /// The rows of a query that was planned, for a statement that consumes them.
    pub(crate) async fn start_query_of(&mut self, planned: &Planned, run: &mut Run) -> Exec<Source> {
        match &planned.plan {
            Plan::Select(plan) => self.start_select(plan, run).await,
            Plan::Engine(query) => self.start_engine(query.clone(), run).await,
            _ => Err(Error::new(SqlState::SYNTAX_ERROR, "a query is needed here").into()),
        }
    }

    /// Runs `start` again with a new plan as long as the schema changes under it. `replan` makes the plan.
    pub(crate) async fn start_replanning(
        &mut self,
        mut planned: Rc<Planned>,
        statement: &mut dyn FnMut() -> Result<(Statement, Vec<Type>)>,
        parameters: Vec<Value>,
    ) -> Result<(Rc<Planned>, Result<Box<super::portal::Running>, String>)> {
        for _ in 0..REPLANS_MAX {
            if !self.is_current(&planned) {
                planned = Box::pin(self.replan(&planned, statement)).await?;
            }
            let run = self.new_run(parameters.clone(), planned.parameters.clone());
            let mark = self.txn.as_ref().map(|txn| txn.buffer.mark());
            match self.start_planned(planned.clone(), run).await {
                Ok(started) => return Ok((planned, started)),
                Err(CallError::Error(error)) => return Err(error),
                Err(CallError::StaleSchema(version)) => {
                    if let Some(txn) = &mut self.txn {
                        match mark {
                            Some(mark) => txn.buffer.undo_to(mark),
                            None => txn.buffer.clear(),
                        }
                    }
                    if self.txn.as_ref().is_some_and(|txn| txn.ddl.is_some()) {
                        return Err(schema_lock_lost());
                    }
                    self.backend.refresh_catalog(version).await?;
                }
            }
        }
        Err(Error::new(SqlState::SERIALIZATION_FAILURE, "the schema changed too often while the statement ran"))
    }

    async fn replan(&mut self, old: &Planned, statement: &mut dyn FnMut() -> Result<(Statement, Vec<Type>)>) -> Result<Rc<Planned>> {
        let (statement, types) = statement()?;
        let planned = self.plan_typed(&statement, types).await?;
        if planned.parameters != old.parameters {
            return Err(Error::unsupported("the change of a prepared statement's parameter types"));
        }
        let types = |planned: &Planned| planned.fields.as_ref().map(|f| f.iter().map(|f| f.type_oid).collect::<Vec<_>>());
        if types(&planned) != types(old) {
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "cached plan must not change result type"));
        }
        Ok(planned)
    }
}

/// Another change came first: the lock on the catalog was lost with its leader, as no change can come while it is held.
pub(crate) fn schema_lock_lost() -> Error {
    storage::access::lost_with_leader("the lock on the schema was")
}

fn is_undefined(error: &Error) -> bool {
    let states = [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN, SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_OBJECT];
    states.contains(&error.state())
}

fn changes(tag: &str, changed: crate::exec::insert::Changed, planned: &Planned) -> Started {
    let tag = format!("{tag} {}", changed.rows);
    if planned.fields.is_some() { Started::Rows(Source::of(changed.returned), Tag::Fixed(tag)) } else { Started::Done(tag) }
}

pub(crate) fn ends_failure(utility: &Utility) -> bool {
    matches!(utility, Utility::Commit { .. } | Utility::Rollback { .. } | Utility::RollbackTo(_))
}

fn read_only(planned: &Planned) -> Error {
    let what = match &planned.plan {
        Plan::Insert(_) => "INSERT",
        Plan::Update(_) => "UPDATE",
        Plan::Delete(_) => "DELETE",
        Plan::Select(_) => "SELECT FOR UPDATE",
        Plan::Ledger(_) => "a function of the ledger that writes",
        Plan::Utility(_) => "COPY FROM or a change of the schema",
        _ => "a change of the schema",
    };
    Error::new(SqlState::READ_ONLY_SQL_TRANSACTION, format!("cannot execute {what} in a read-only transaction"))
}

/// The query inside a statement, if it is one.
pub(crate) fn as_query(statement: &Statement) -> Option<&ast::Query> {
    match statement {
        Statement::Sql { statement, .. } => match &**statement {
            ast::Statement::Query(query) => Some(query),
            _ => None,
        },
        Statement::Utility(_) => None,
    }
}
