//! The extended protocol: prepared statements and portals, in pipelines that end with Sync.

use super::Session;
use super::output::{RowFormat, check_formats};
use super::portal::{Portal, Progress, State, formatted};
use super::statement::ends_failure;
use super::txn::failed_transaction;
use crate::backend::CallError;
use crate::client::{ClientRequest, ClientResponse, Format, Target};
use crate::expr::Parameters;
use crate::parse::utility::Utility;
use crate::parse::{Statement, parse};
use crate::plan::cache::Cached;
use crate::plan::{Plan, Planned};
use crate::types::{Type, binary, text};
use crate::value::Value;
use base::{Error, Result, SqlState};
use bytes::Bytes;
use std::cell::RefCell;
use std::rc::Rc;

/// Most prepared statements and portals of one session, each.
pub const NAMED_MAX: usize = 10_000;

pub struct Prepared {
    pub text: String,
    pub types: Vec<Type>,
    /// `None`: an empty text.
    pub planned: RefCell<Option<Rc<Planned>>>,
}

impl Prepared {
    pub(crate) fn statement(&self) -> Result<(Statement, Vec<Type>)> {
        let statement = parse(&self.text)?.pop().ok_or_else(|| Error::internal("a prepared text lost its statement"))?;
        // PREPARE … AS keeps the text of the whole command.
        let statement = match statement {
            Statement::Utility(Utility::Prepare { statement, .. }) => *statement,
            Statement::Utility(Utility::Declare { statement, .. }) => *statement,
            other => other,
        };
        Ok((statement, self.types.clone()))
    }
}

impl Session {
    pub(crate) async fn extended(&mut self, request: ClientRequest) {
        let result = match request {
            ClientRequest::Parse { name, sql, parameter_types } => {
                // Boxed, as planning needs much room: see `start_plan`.
                Box::pin(self.parse_message(name, sql, &parameter_types)).await
            }
            ClientRequest::Bind { portal, statement, parameter_formats, parameters, result_formats } => {
                self.bind(portal, &statement, &parameter_formats, parameters, result_formats)
            }
            ClientRequest::Describe { target, name } => self.describe(target, &name),
            ClientRequest::Execute { portal, rows_max } => self.execute(&portal, rows_max).await,
            ClientRequest::Close { target, name } => {
                match target {
                    Target::Statement => drop(self.statements.remove(&name)),
                    Target::Portal => drop(self.drop_portal(&name)),
                }
                self.say(ClientResponse::CloseComplete);
                Ok(())
            }
            _ => Err(Error::new(SqlState::PROTOCOL_VIOLATION, "unexpected message")),
        };
        if let Err(error) = result {
            Box::pin(self.fail(error)).await;
            self.skipping = true;
        }
    }

    pub(crate) async fn sync(&mut self) {
        self.skipping = false;
        self.drop_portal("");
        if let Err(error) = self.end_implicit().await {
            Box::pin(self.fail(error)).await;
        }
        self.backend.arm(None);
        if self.txn.is_none() {
            self.release_snapshot();
        }
        self.ready();
    }

    async fn parse_message(&mut self, name: String, sql: String, oids: &[u32]) -> Result<()> {
        if !name.is_empty() && self.statements.contains_key(&name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(Error::new(SqlState::DUPLICATE_PREPARED_STATEMENT, message));
        }
        self.check_named(self.statements.len())?;
        let types = Parameters::new(oids)?.types().to_vec();
        let failed = self.txn.as_ref().is_some_and(|txn| txn.failed);
        let own_schema = self.txn.as_ref().is_some_and(|txn| txn.ddl.is_some());
        let key = cache_key(&sql, oids);
        let (schema, epoch) = (self.backend.catalog().version, self.settings.plan_epoch);
        let cached = if failed || own_schema { None } else { self.plans.get(&key, schema, epoch) };
        let planned = match cached {
            Some(Cached::Planned(planned)) => Some(planned),
            _ => self.plan_text(&sql, types.clone(), failed).await?,
        };
        if let Some(planned) = &planned
            && !own_schema
            && matches!(planned.plan, Plan::Select(_) | Plan::Insert(_) | Plan::Update(_) | Plan::Delete(_) | Plan::Engine(_))
        {
            self.plans.put(&key, Cached::Planned(planned.clone()));
        }
        self.statements.insert(name, Rc::new(Prepared { text: sql, types, planned: RefCell::new(planned) }));
        self.say(ClientResponse::ParseComplete);
        Ok(())
    }

    pub(crate) fn check_named(&self, count: usize) -> Result<()> {
        if count < NAMED_MAX {
            return Ok(());
        }
        let message = format!("a session can have {NAMED_MAX} prepared statements and as many portals");
        Err(Error::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message))
    }

    async fn plan_text(&mut self, sql: &str, types: Vec<Type>, failed: bool) -> Result<Option<Rc<Planned>>> {
        let mut statements = parse(sql)?;
        let Some(statement) = statements.pop() else { return Ok(None) };
        if !statements.is_empty() {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(Error::new(SqlState::SYNTAX_ERROR, message));
        }
        if failed && !matches!(&statement, Statement::Utility(utility) if ends_failure(utility)) {
            return Err(failed_transaction());
        }
        self.plan_typed(&statement, types).await.map(Some)
    }

    pub(crate) fn prepared(&self, name: &str) -> Result<Rc<Prepared>> {
        self.statements.get(name).cloned().ok_or_else(|| {
            let message = if name.is_empty() {
                "unnamed prepared statement does not exist".to_owned()
            } else {
                format!("prepared statement \"{name}\" does not exist")
            };
            Error::new(SqlState::INVALID_SQL_STATEMENT_NAME, message)
        })
    }

    fn bind(
        &mut self,
        name: String,
        statement: &str,
        formats: &[Format],
        values: Vec<Option<Bytes>>,
        result_formats: Vec<Format>,
    ) -> Result<()> {
        let prepared = self.prepared(statement)?;
        if !name.is_empty() && self.portals.contains_key(&name) {
            return Err(Error::new(SqlState::DUPLICATE_CURSOR, format!("cursor \"{name}\" already exists")));
        }
        self.check_named(self.portals.len())?;
        let planned = prepared.planned.borrow().clone();
        let planned = planned.unwrap_or_else(|| Rc::new(empty_plan()));
        if self.txn.as_ref().is_some_and(|txn| txn.failed) && !is_exempt(&planned.plan) && !is_empty(&planned.plan) {
            return Err(failed_transaction());
        }
        let parameters = self.bind_parameters(&planned.parameters, formats, values)?;
        if let Some(fields) = &planned.fields {
            check_formats(fields, &result_formats)?;
        }
        self.drop_portal(&name);
        let portal = Portal { prepared, planned, parameters, formats: result_formats, state: State::New, hold: false };
        self.portals.insert(name, portal);
        self.say(ClientResponse::BindComplete);
        Ok(())
    }

    fn bind_parameters(&mut self, types: &[Type], formats: &[Format], values: Vec<Option<Bytes>>) -> Result<Vec<Value>> {
        if values.len() != types.len() {
            let message = format!("bind message supplies {} parameters, but prepared statement requires {}", values.len(), types.len());
            return Err(Error::new(SqlState::PROTOCOL_VIOLATION, message));
        }
        if formats.len() > 1 && formats.len() != values.len() {
            let message = format!("bind message has {} parameter formats but {} parameters", formats.len(), values.len());
            return Err(Error::new(SqlState::PROTOCOL_VIOLATION, message));
        }
        let settings = self.statement_settings();
        let bound = values.into_iter().zip(types).enumerate().map(|(at, (value, ty))| {
            let Some(bytes) = value else { return Ok(Value::Null) };
            let format = match formats {
                [] => Format::Text,
                [all] => *all,
                each => each[at],
            };
            match format {
                Format::Text => text::parse(text::utf8(&bytes)?, *ty, -1, &settings),
                Format::Binary => binary::parse(&bytes, *ty, -1, &settings),
            }
        });
        bound.collect()
    }

    fn describe(&mut self, target: Target, name: &str) -> Result<()> {
        match target {
            Target::Statement => {
                let prepared = self.prepared(name)?;
                let planned = prepared.planned.borrow().clone();
                let (oids, fields) = match &planned {
                    Some(planned) => (planned.parameters.iter().map(|ty| ty.oid()).collect(), planned.fields.clone()),
                    None => (Vec::new(), None),
                };
                self.say(ClientResponse::ParameterDescription(oids));
                self.say(fields.map_or(ClientResponse::NoData, ClientResponse::RowDescription));
            }
            Target::Portal => {
                let portal = self.portals.get(name).ok_or_else(|| missing_portal(name))?;
                let answer = match &portal.planned.fields {
                    Some(fields) => ClientResponse::RowDescription(formatted(fields, &portal.formats)?),
                    None => ClientResponse::NoData,
                };
                self.say(answer);
            }
        }
        Ok(())
    }

    async fn execute(&mut self, name: &str, rows_max: u32) -> Result<()> {
        let mut portal = self.portals.remove(name).ok_or_else(|| missing_portal(name))?;
        self.backend.arm(self.settings.parsed().statement_timeout);
        let alone = self.txn.is_none() && self.sync_follows().await;
        let result = if alone { self.execute_alone(&mut portal, rows_max).await } else { self.turn(&mut portal, rows_max).await };
        let answer = match result {
            Ok(Progress::Complete(tag)) => ClientResponse::Complete(tag),
            Ok(Progress::Suspended) => ClientResponse::PortalSuspended,
            Ok(Progress::Empty) => ClientResponse::EmptyQuery,
            Err(error) => {
                if let State::Running(running) = &portal.state {
                    self.close_running(running);
                }
                return Err(error);
            }
        };
        // COMMIT and the like have ended the transaction that the portal was of, and itself with it.
        self.portals.insert(name.to_owned(), portal);
        self.say(answer);
        Ok(())
    }

    /// A statement that is a transaction of its own is committed before its completion is told, so that it can be run again.
    async fn execute_alone(&mut self, portal: &mut Portal, rows_max: u32) -> Result<Progress> {
        let mut attempt = 0;
        loop {
            let said = self.said();
            self.holding = true;
            self.attempt = attempt;
            let result = match self.turn(portal, rows_max).await {
                Ok(Progress::Suspended) => self.settle().await.map(|()| Progress::Suspended),
                Ok(progress) => self.end_implicit().await.map(|()| progress),
                Err(error) => Err(Box::pin(self.settled_error(error)).await),
            };
            self.holding = false;
            match result {
                Ok(progress) => return Ok(progress),
                Err(error) => {
                    if let State::Running(running) = &portal.state {
                        self.close_running(running);
                    }
                    if !Box::pin(self.may_run_again(&error, attempt, said)).await {
                        return Err(error);
                    }
                    portal.state = State::New;
                    attempt += 1;
                }
            }
        }
    }

    /// Runs a portal until it is finished or has sent `rows_max` rows.
    pub(crate) async fn turn(&mut self, portal: &mut Portal, rows_max: u32) -> Result<Progress> {
        if is_empty(&portal.planned.plan) {
            return Ok(Progress::Empty);
        }
        if matches!(portal.state, State::New) {
            let prepared = portal.prepared.clone();
            let mut again = || prepared.statement();
            let (planned, started) = self.start_replanning(portal.planned.clone(), &mut again, portal.parameters.clone()).await?;
            if !Rc::ptr_eq(&planned, &portal.planned) {
                *prepared.planned.borrow_mut() = Some(planned.clone());
                portal.planned = planned;
            }
            match started {
                Err(tag) => {
                    portal.state = State::Done;
                    return Ok(Progress::Complete(tag));
                }
                Ok(running) => portal.state = State::Running(running),
            }
        }
        let State::Running(running) = &mut portal.state else {
            let message = "portal has been run to its end";
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        };
        let fields = portal.planned.fields.as_deref().unwrap_or_default();
        let format = RowFormat::new(fields, &portal.formats)?;
        match self.send_rows(running, &format, u64::from(rows_max)).await {
            Ok(Some(tag)) => {
                portal.state = State::Done;
                Ok(Progress::Complete(tag))
            }
            Ok(None) => Ok(Progress::Suspended),
            Err(CallError::Error(error)) => Err(error),
            Err(CallError::StaleSchema(version)) => {
                self.backend.refresh_catalog(version).await?;
                Err(Error::new(SqlState::SERIALIZATION_FAILURE, "the schema changed while the statement ran"))
            }
        }
    }
}

fn cache_key(sql: &str, oids: &[u32]) -> String {
    let mut key = String::with_capacity(sql.len() + 2 + oids.len() * 6);
    key.push('\u{1}');
    key.push_str(sql);
    for oid in oids {
        key.push('\u{1}');
        key.push_str(&oid.to_string());
    }
    key
}

fn empty_plan() -> Planned {
    Planned { schema: base::SchemaVersion(0), epoch: 0, parameters: Vec::new(), fields: None, plan: Plan::Empty }
}

fn is_empty(plan: &Plan) -> bool {
    matches!(plan, Plan::Empty)
}

fn is_exempt(plan: &Plan) -> bool {
    matches!(plan, Plan::Utility(utility) if ends_failure(utility))
}

pub(crate) fn missing_portal(name: &str) -> Error {
    Error::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}
