//! Statements about the session and its transaction.

use super::Session;
use super::extended::Prepared;
use super::portal::Tag;
use super::settings::{isolation, isolation_name};
use super::statement::{Started, as_query};
use super::txn::{Block, Exec};
use crate::client::{Field, Severity};
use crate::engine::Explain;
use crate::exec::Run;
use crate::exec::source::Source;
use crate::expr::{Binder, Parameters, Scope};
use crate::parse::Statement;
use crate::parse::utility::{Discard, Modes, Utility};
use crate::plan::Plan;
use crate::types::Type;
use crate::value::Value;
use base::{Error, Result, SqlState};
use sqlparser::ast;
use std::cell::RefCell;
use std::rc::Rc;

impl Session {
    /// BEGIN, COMMIT and the like: they run also where other statements do not.
    pub(crate) async fn transaction_control(&mut self, utility: &Utility) -> Exec<Option<Started>> {
        let tag = match utility {
            Utility::Begin(modes) => {
                match &mut self.txn {
                    Some(txn) if txn.block == Block::Explicit => {
                        let message = "there is already a transaction in progress";
                        self.notice(Severity::Warning, Error::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
                    }
                    Some(txn) => txn.block = Block::Explicit,
                    None => drop(self.ensure_txn(Block::Explicit)),
                }
                self.set_modes(*modes)?;
                "BEGIN"
            }
            Utility::Commit { chain } => {
                let committed = self.commit_or_rollback().await?;
                self.chain(*chain, committed.1);
                committed.0
            }
            Utility::Rollback { chain } => {
                let modes = self.current_modes();
                self.warn_without_block("ROLLBACK");
                self.rollback_txn();
                self.chain(*chain, modes);
                "ROLLBACK"
            }
            Utility::Savepoint(name) => {
                self.check_block("SAVEPOINT")?;
                self.savepoint(name.clone())?;
                "SAVEPOINT"
            }
            Utility::Release(name) => {
                self.check_block("RELEASE SAVEPOINT")?;
                self.release_savepoint(name)?;
                "RELEASE"
            }
            Utility::RollbackTo(name) => {
                self.check_block("ROLLBACK TO SAVEPOINT")?;
                self.rollback_to(name)?;
                "ROLLBACK"
            }
            _ => return Ok(None),
        };
        Ok(Some(Started::Done(tag.to_owned())))
    }

    fn current_modes(&self) -> Modes {
        self.txn.as_ref().map_or(Modes::default(), |txn| Modes { isolation: Some(txn.isolation), read_only: Some(txn.read_only) })
    }

    fn chain(&mut self, chain: bool, modes: Modes) {
        if chain {
            let txn = self.ensure_txn(Block::Explicit);
            txn.isolation = modes.isolation.unwrap_or(txn.isolation);
            txn.read_only = modes.read_only.unwrap_or(txn.read_only);
        }
    }

    fn warn_without_block(&mut self, _command: &str) {
        if self.txn.as_ref().is_none_or(|txn| txn.block == Block::Implicit) {
            let message = "there is no transaction in progress";
            self.notice(Severity::Warning, Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
        }
    }

    async fn commit_or_rollback(&mut self) -> Result<(&'static str, Modes)> {
        self.warn_without_block("COMMIT");
        let modes = self.current_modes();
        if self.txn.as_ref().is_some_and(|txn| txn.failed) {
            self.rollback_txn();
            return Ok(("ROLLBACK", modes));
        }
        self.commit_txn().await?;
        Ok(("COMMIT", modes))
    }

    fn check_block(&self, command: &str) -> Result<()> {
        match &self.txn {
            Some(txn) if txn.block == Block::Explicit => Ok(()),
            _ => {
                let message = format!("{command} can only be used in transaction blocks");
                Err(Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message))
            }
        }
    }

    fn set_modes(&mut self, modes: Modes) -> Result<()> {
        let txn = self.txn();
        if let Some(isolation) = modes.isolation
            && isolation != txn.isolation
        {
            if txn.used {
                let message = "SET TRANSACTION ISOLATION LEVEL must be called before any query";
                return Err(Error::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
            }
            txn.isolation = isolation;
        }
        if let Some(read_only) = modes.read_only {
            if !read_only && txn.read_only && txn.used {
                let message = "transaction read-write mode must be set before any query";
                return Err(Error::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
            }
            txn.read_only = read_only;
        }
        Ok(())
    }

    /// Fields that depend on what the session has: prepared statements and cursors.
    pub(crate) fn utility_fields(&self, utility: &Utility) -> Result<Option<Vec<Field>>> {
        match utility {
            Utility::Execute { name, .. } => {
                let prepared = self.prepared(name)?;
                let planned = prepared.planned.borrow();
                Ok(planned.as_ref().and_then(|planned| planned.fields.clone()))
            }
            Utility::Fetch { name, skip: false, .. } => Ok(self.cursor_fields(name)?),
            _ => Ok(None),
        }
    }

    pub(crate) async fn run_utility(&mut self, utility: &Utility, run: &mut Run) -> Exec<Started> {
        let done = |tag: &str| Ok(Started::Done(tag.to_owned()));
        match utility {
            Utility::Set { local, name, value } => {
                self.set_setting(name, value.as_deref(), *local)?;
                done("SET")
            }
            Utility::SetTransaction { session, modes } => {
                self.set_transaction(*session, *modes)?;
                done("SET")
            }
            Utility::Reset(name) => {
                self.reset(name.as_deref())?;
                done("RESET")
            }
            Utility::Show(name) => Ok(Started::Rows(Source::of(self.show(name)?), Tag::Fixed("SHOW".into()))),
            Utility::Discard(what) => {
                self.discard(*what)?;
                done(if *what == Discard::All { "DISCARD ALL" } else { "DISCARD" })
            }
            Utility::Prepare { name, types, statement } => {
                self.prepare(name, types, statement).await?;
                done("PREPARE")
            }
            Utility::Execute { name, arguments } => self.execute_prepared(name, arguments, run).await,
            Utility::Deallocate(name) => {
                self.deallocate(name.as_deref())?;
                done(if name.is_none() { "DEALLOCATE ALL" } else { "DEALLOCATE" })
            }
            Utility::Declare { name, hold, statement, .. } => {
                self.declare(name, *hold, statement).await?;
                done("DECLARE CURSOR")
            }
            Utility::Fetch { name, fetch, skip } => self.fetch_cursor(name, *fetch, *skip).await,
            Utility::CloseCursor(name) => {
                self.close_cursor(name.as_deref())?;
                done(if name.is_none() { "CLOSE CURSOR ALL" } else { "CLOSE CURSOR" })
            }
            Utility::Copy(copy) => self.copy(copy, run).await,
            Utility::Explain { analyze, statement } => self.explain(*analyze, statement, run).await,
            Utility::Vacuum { .. } => {
                self.refuse_in_block("VACUUM")?;
                done("VACUUM")
            }
            Utility::Analyze => done("ANALYZE"),
            Utility::Checkpoint => done("CHECKPOINT"),
            Utility::Comment => {
                let message = "comments are not kept";
                self.notice(Severity::Notice, Error::new(SqlState::SUCCESSFUL, message));
                done("COMMENT")
            }
            Utility::Lock { tables, exclusive, nowait } => {
                self.check_block("LOCK TABLE")?;
                self.lock_named(tables, *exclusive, *nowait).await?;
                done("LOCK TABLE")
            }
            definition => Ok(Started::Done(self.run_definition_utility(definition).await?)),
        }
    }

    fn refuse_in_block(&self, command: &str) -> Result<()> {
        match &self.txn {
            Some(txn) if txn.block == Block::Explicit => {
                let message = format!("{command} cannot run inside a transaction block");
                Err(Error::new(SqlState::ACTIVE_SQL_TRANSACTION, message))
            }
            _ => Ok(()),
        }
    }

    async fn lock_named(&mut self, tables: &[crate::parse::names::RelationName], exclusive: bool, nowait: bool) -> Exec<()> {
        let path = self.settings.parsed().search_path.clone();
        let catalog = self.catalog();
        for name in tables {
            let table = catalog.table(name, &path)?;
            let shards = if table.shard_key.is_empty() { vec![self.backend.shard_of(base::SlotId(0))] } else { self.backend.shards() };
            let wait = if nowait { storage::access::LockWait::NoWait } else { self.lock_wait() };
            self.lock_tables(&shards, vec![table.storage], exclusive, wait).await?;
        }
        Ok(())
    }

    fn set_setting(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<()> {
        match name {
            "transaction_isolation" => {
                let modes = Modes { isolation: value.map(isolation), read_only: None };
                return self.set_modes(modes);
            }
            "transaction_read_only" => {
                let modes = Modes { isolation: None, read_only: value.map(|v| matches!(v, "on" | "true" | "1")) };
                return self.set_modes(modes);
            }
            "role" | "session_authorization" if value.is_some_and(|v| v != "none" && v != &*self.user) => {
                return Err(Error::unsupported(format!("SET {name} to another role")));
            }
            _ => {}
        }
        if local && self.txn_ref().block == Block::Implicit {
            let message = "SET LOCAL can only be used in transaction blocks";
            self.notice(Severity::Warning, Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
            return Ok(());
        }
        self.note_setting(name, local);
        let told = self.settings.set(name, value)?;
        self.tell_parameters(told.into_iter().collect());
        Ok(())
    }

    fn set_transaction(&mut self, session: bool, modes: Modes) -> Result<()> {
        if !session {
            return self.set_modes(modes);
        }
        if let Some(isolation) = modes.isolation {
            self.set_setting("default_transaction_isolation", Some(isolation_name(isolation)), false)?;
        }
        if let Some(read_only) = modes.read_only {
            self.set_setting("default_transaction_read_only", Some(if read_only { "on" } else { "off" }), false)?;
        }
        Ok(())
    }

    fn reset(&mut self, name: Option<&str>) -> Result<()> {
        match name {
            Some(name) => self.set_setting(name, None, false),
            None => {
                self.note_setting("all", false);
                let told = self.settings.reset_all();
                self.tell_parameters(told);
                Ok(())
            }
        }
    }

    fn show(&self, name: &str) -> Result<Vec<Vec<Value>>> {
        let value = match name {
            "all" => {
                let row = |(name, value): (String, String)| vec![Value::text(&name), Value::text(&value), Value::text("")];
                return Ok(self.settings.all().into_iter().map(row).collect());
            }
            "transaction_isolation" => isolation_name(self.txn_ref().isolation).to_owned(),
            "transaction_read_only" => if self.txn_ref().read_only { "on" } else { "off" }.to_owned(),
            name => self.settings.get(name)?,
        };
        Ok(vec![vec![Value::text(&value)]])
    }

    fn discard(&mut self, what: Discard) -> Result<()> {
        match what {
            Discard::Plans => self.plans.clear(),
            Discard::Sequences => {
                self.drawn.clear();
                self.last_sequence = None;
            }
            Discard::Temporary => {}
            Discard::All => {
                self.refuse_in_block("DISCARD ALL")?;
                self.statements.clear();
                self.close_cursor(None)?;
                self.plans.clear();
                self.drawn.clear();
                self.last_sequence = None;
                self.reset(None)?;
            }
        }
        Ok(())
    }

    async fn prepare(&mut self, name: &str, types: &[ast::DataType], statement: &Statement) -> Result<()> {
        if self.statements.contains_key(name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(Error::new(SqlState::DUPLICATE_PREPARED_STATEMENT, message));
        }
        self.check_named(self.statements.len())?;
        let Statement::Sql { statement: inner, .. } = statement else {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "this statement cannot be prepared"));
        };
        let types = types.iter().map(|ty| Ok(crate::types::ast::resolve(ty)?.0)).collect::<Result<Vec<Type>>>()?;
        let planned = self.plan_typed(statement, types.clone()).await?;
        let prepared = Prepared { text: inner.to_string(), types, planned: RefCell::new(Some(planned)) };
        self.statements.insert(name.to_owned(), Rc::new(prepared));
        Ok(())
    }

    async fn execute_prepared(&mut self, name: &str, arguments: &[ast::Expr], run: &mut Run) -> Exec<Started> {
        let prepared = self.prepared(name)?;
        let planned = prepared.planned.borrow().clone();
        let Some(mut planned) = planned else { return Ok(Started::Done(String::new())) };
        if !self.is_current(&planned) {
            let (statement, types) = prepared.statement()?;
            planned = self.plan_typed(&statement, types).await?;
            *prepared.planned.borrow_mut() = Some(planned.clone());
        }
        if arguments.len() != planned.parameters.len() {
            let message = format!("wrong number of parameters for prepared statement \"{name}\"");
            let detail = format!("Expected {} parameters but got {}.", planned.parameters.len(), arguments.len());
            return Err(Error::new(SqlState::SYNTAX_ERROR, message).with_detail(detail).into());
        }
        let mut values = Vec::with_capacity(arguments.len());
        let (scope, mut parameters) = (Scope::empty(), Parameters::of(run.parameter_types.clone()));
        for (at, (argument, ty)) in arguments.iter().zip(&planned.parameters).enumerate() {
            let mut binder = Binder::new(&scope, &mut parameters);
            let bound = binder.assignment(argument, &format!("${}", at + 1), *ty, -1).map_err(Error::from)?;
            values.push(bound.eval(&(), &run.env())?);
        }
        (run.parameters, run.parameter_types) = (values, planned.parameters.clone());
        if planned.writes() && self.txn().read_only {
            return Err(Error::new(SqlState::READ_ONLY_SQL_TRANSACTION, "cannot execute it in a read-only transaction").into());
        }
        if planned.writes() {
            run.sight.follower = false;
        }
        match Box::pin(self.start_inner(&planned, run)).await? {
            // Rows are made under the plan of EXECUTE: a walk would look for its own.
            Started::Rows(source, tag) => {
                let mut running = super::portal::Running::new(planned, self.new_run(Vec::new(), Vec::new()), source, tag);
                std::mem::swap(&mut running.run, run);
                let rows = self.all_rows(&mut running, u64::MAX).await;
                self.close_running(&running);
                let rows = rows?;
                let tag = running.tag.text(rows.len() as u64);
                Ok(Started::Rows(Source::of(rows), Tag::Fixed(tag)))
            }
            done => Ok(done),
        }
    }

    fn deallocate(&mut self, name: Option<&str>) -> Result<()> {
        match name {
            None => self.statements.clear(),
            Some(name) => {
                self.prepared(name)?;
                self.statements.remove(name);
            }
        }
        Ok(())
    }

    async fn explain(&mut self, analyze: bool, statement: &Statement, run: &mut Run) -> Exec<Started> {
        let planned = Rc::new(self.plan(statement, Parameters::of(run.parameter_types.clone())).await?);
        let start = self.backend.now().mono;
        let mut lines = self.explain_lines(&planned, run)?;
        if let Plan::Engine(query) = &planned.plan {
            let mut rows = self.start_query(query.clone(), Some(Explain { analyze }), run).await?;
            while self.next_engine_rows(&mut rows, run).await?.is_some() {}
            lines.extend(rows.explain.unwrap_or_default().lines().map(|line| format!("  {line}")));
        } else if analyze {
            if as_query(statement).is_none() && self.txn().read_only {
                return Err(failed_read_only().into());
            }
            let count = self.run_for_count(&planned, run).await?;
            lines.push(format!("Rows: {count}"));
        }
        if analyze {
            let spent = self.backend.now().mono.since(start);
            // The node's time moves with its events: a statement that waited for none took less than can be told.
            if !spent.is_zero() {
                lines.push(format!("Execution Time: {:.3} ms", spent.as_secs_f64() * 1000.0));
            }
        }
        let rows = lines.iter().map(|line| vec![Value::text(line)]).collect();
        Ok(Started::Rows(Source::of(rows), Tag::Fixed("EXPLAIN".into())))
    }

    async fn run_for_count(&mut self, planned: &Rc<crate::plan::Planned>, run: &mut Run) -> Exec<u64> {
        match Box::pin(self.start_inner(planned, run)).await? {
            Started::Done(tag) => Ok(tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)),
            Started::Rows(source, tag) => {
                let mut running = super::portal::Running::new(planned.clone(), self.new_run(Vec::new(), Vec::new()), source, tag);
                std::mem::swap(&mut running.run, run);
                Ok(self.all_rows(&mut running, u64::MAX).await?.len() as u64)
            }
        }
    }
}

fn failed_read_only() -> Error {
    Error::new(SqlState::READ_ONLY_SQL_TRANSACTION, "cannot execute EXPLAIN ANALYZE of a change in a read-only transaction")
}
