//! The simple protocol: one text with any number of statements.

use super::Session;
use super::output::RowFormat;
use super::portal::formatted;
use super::statement::ends_failure;
use super::txn::{Block, failed_transaction};
use crate::client::ClientResponse;
use crate::expr::Parameters;
use crate::parse::normalize::{LiteralKind, Normalizer};
use crate::parse::utility::Utility;
use crate::parse::{Statement, parse};
use crate::plan::cache::Cached;
use crate::plan::{Plan, Planned};
use crate::types::{Type, text};
use crate::value::Value;
use base::{Error, Result};
use std::rc::Rc;

/// One statement ready to run, and how to plan it again.
struct Ready<'a> {
    planned: Rc<Planned>,
    parameters: Vec<Value>,
    source: Again<'a>,
}

enum Again<'a> {
    Text(&'a str, Vec<Type>),
    Statement(&'a Statement),
}

impl Again<'_> {
    fn statement(&self) -> Result<(Statement, Vec<Type>)> {
        match self {
            Again::Text(text, types) => {
                let statement = parse(text)?.pop().ok_or_else(|| Error::internal("a text that was a statement is none"))?;
                Ok((statement, types.clone()))
            }
            Again::Statement(statement) => Ok(((*statement).clone(), Vec::new())),
        }
    }
}

impl Session {
    pub(crate) async fn simple_query(&mut self, sql: &str) {
        self.drop_portal("");
        self.backend.arm(self.settings.parsed().statement_timeout);
        let mut normalizer = std::mem::take(&mut self.normalizer);
        let first = if self.sees_own_schema() { None } else { normalizer.normalize(sql, 0) };
        let done = match first {
            Some(next) if next == sql.len() => self.run_normalized(sql, &normalizer).await,
            Some(_) => Box::pin(self.run_pieces(sql, &mut normalizer)).await,
            None => false,
        };
        if !done {
            Box::pin(self.run_text(sql)).await;
        }
        self.normalizer = normalizer;
        self.backend.arm(None);
        if self.txn.is_none() {
            self.release_snapshot();
        }
        self.ready();
    }

    fn sees_own_schema(&self) -> bool {
        self.txn.as_ref().is_some_and(|txn| txn.ddl.is_some())
    }

    /// False: the text must be parsed as it stands.
    async fn run_normalized(&mut self, sql: &str, normalizer: &Normalizer) -> bool {
        match self.ready_normalized(sql, normalizer).await {
            Some(ready) => self.run_alone(ready).await,
            None => return false,
        }
        true
    }

    /// The statement that was normalised, with its plan and its literals as parameters. `None`: its text must be parsed as it stands.
    async fn ready_normalized<'a>(&mut self, sql: &str, normalizer: &'a Normalizer) -> Option<Ready<'a>> {
        let types: Vec<Type> = normalizer.literals.iter().map(|literal| literal_type(literal.kind)).collect();
        let (schema, epoch) = (self.backend.catalog().version, self.settings.plan_epoch);
        let planned = match self.plans.get(&normalizer.key, schema, epoch) {
            Some(Cached::Planned(planned)) => planned,
            Some(Cached::Verbatim) => return None,
            None => Box::pin(self.plan_normalized(normalizer, &types)).await?,
        };
        let mut parameters = Vec::with_capacity(types.len());
        for (literal, ty) in normalizer.literals.iter().zip(&planned.parameters) {
            match text::parse(&literal.text(sql), *ty, -1, &crate::types::Settings::default()) {
                // Depends on the session, or is wrong: the ordinary way knows what to say.
                Ok(_) if literal.kind_is_string() && text::depends_on_session(&literal.text(sql), *ty) => return None,
                Ok(value) => parameters.push(value),
                Err(_) => return None,
            }
        }
        Some(Ready { planned, parameters, source: Again::Text(normalizer.text(), types) })
    }

    /// Several statements of one message, each by its plan from the cache. False: nothing was run, the text must be parsed as it stands.
    async fn run_pieces(&mut self, sql: &str, normalizer: &mut Normalizer) -> bool {
        // Nothing runs before all of it was read: a mistake in the last statement keeps the first one from running.
        if !self.are_statements(sql, normalizer) {
            return false;
        }
        let mut from = 0;
        while from < sql.len() {
            let next = normalizer.normalize(sql, from).expect("it could be a moment ago");
            let failed = self.txn.as_ref().is_some_and(|txn| txn.failed);
            let ready = if failed { None } else { self.ready_normalized(sql, &*normalizer).await };
            let result = match ready {
                Some(ready) => self.run_among(ready).await,
                // Without its neighbours, which may have made it what it is.
                None => self.run_piece_as_it_stands(sql, from, next).await,
            };
            match result {
                Ok(tag) => self.say(ClientResponse::Complete(tag)),
                Err(error) => {
                    Box::pin(self.fail(error)).await;
                    return true;
                }
            }
            from = next;
        }
        if let Err(error) = self.end_implicit().await {
            Box::pin(self.fail(error)).await;
        }
        true
    }

    /// True if each statement of the text can be normalised and was planned before or can be parsed.
    fn are_statements(&mut self, sql: &str, normalizer: &mut Normalizer) -> bool {
        let (schema, epoch) = (self.backend.catalog().version, self.settings.plan_epoch);
        let mut from = 0;
        while from < sql.len() {
            let Some(next) = normalizer.normalize(sql, from) else { return false };
            let known = match self.plans.get(&normalizer.key, schema, epoch) {
                Some(Cached::Planned(_)) => true,
                Some(Cached::Verbatim) => false,
                None => parse(normalizer.text()).is_ok_and(|statements| statements.len() == 1),
            };
            if !known {
                return false;
            }
            from = next;
        }
        true
    }

    async fn run_piece_as_it_stands(&mut self, sql: &str, from: usize, next: usize) -> Result<String> {
        // Blanks for what stands before it, so that errors point to where it stands in the message.
        let before: String = sql[..from].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
        let statement = parse(&(before + &sql[from..next]))?.pop().ok_or_else(|| Error::internal("a statement was lost"))?;
        let ready = self.prepare_ready(&statement).await?;
        self.run_among(ready).await
    }

    /// One of several statements of a message: they are one transaction, unless they say otherwise.
    async fn run_among(&mut self, ready: Ready<'_>) -> Result<String> {
        let controls = matches!(ready.planned.plan, Plan::Utility(Utility::Begin(_) | Utility::Commit { .. } | Utility::Rollback { .. }));
        if !controls {
            self.ensure_txn(Block::Implicit);
        }
        self.run_ready(&ready).await
    }

    async fn plan_normalized(&mut self, normalizer: &Normalizer, types: &[Type]) -> Option<Rc<Planned>> {
        let statement = parse(normalizer.text()).ok()?.pop()?;
        let planned = self.plan(&statement, Parameters::of(types.to_vec())).await;
        match planned {
            Ok(planned) if !matches!(planned.plan, Plan::Engine(_)) && planned.parameters.len() == types.len() => {
                let planned = Rc::new(planned);
                self.plans.put(&normalizer.key, Cached::Planned(planned.clone()));
                Some(planned)
            }
            Ok(_) => {
                self.plans.put(&normalizer.key, Cached::Verbatim);
                None
            }
            Err(_) => None,
        }
    }

    async fn run_text(&mut self, sql: &str) {
        let statements = match parse(sql) {
            Ok(statements) => statements,
            Err(error) => return self.fail(error).await,
        };
        match statements.as_slice() {
            [] => self.say(ClientResponse::EmptyQuery),
            [statement] => self.run_one(statement).await,
            several => self.run_several(several).await,
        }
    }

    async fn run_one(&mut self, statement: &Statement) {
        match self.prepare_ready(statement).await {
            Ok(ready) => self.run_alone(ready).await,
            Err(error) => self.fail(error).await,
        }
    }

    async fn prepare_ready<'a>(&mut self, statement: &'a Statement) -> Result<Ready<'a>> {
        let exempt = matches!(statement, Statement::Utility(utility) if ends_failure(utility));
        if self.txn.as_ref().is_some_and(|txn| txn.failed) && !exempt {
            return Err(failed_transaction());
        }
        let planned = self.plan_typed(statement, Vec::new()).await?;
        Ok(Ready { planned, parameters: Vec::new(), source: Again::Statement(statement) })
    }

    async fn run_several(&mut self, statements: &[Statement]) {
        for statement in statements {
            let result = match self.prepare_ready(statement).await {
                Ok(ready) => self.run_among(ready).await,
                Err(error) => Err(error),
            };
            match result {
                Ok(tag) => self.say(ClientResponse::Complete(tag)),
                Err(error) => return self.fail(error).await,
            }
        }
        if let Err(error) = self.end_implicit().await {
            self.fail(error).await;
        }
    }

    /// Commits what no BEGIN opened.
    pub(crate) async fn end_implicit(&mut self) -> Result<()> {
        if self.txn.as_ref().is_some_and(|txn| txn.block == Block::Implicit) { self.commit_txn().await } else { Ok(()) }
    }

    /// A statement that is the whole message; outside of a transaction block it is one of its own.
    async fn run_alone(&mut self, ready: Ready<'_>) {
        let own = self.txn.is_none();
        let mut attempt = 0;
        loop {
            let said = self.said();
            self.holding = own;
            self.attempt = attempt;
            let result = match self.run_ready(&ready).await {
                Ok(tag) => self.end_implicit().await.map(|()| tag),
                Err(error) => Err(Box::pin(self.settled_error(error)).await),
            };
            self.holding = false;
            match result {
                Ok(tag) => return self.say(ClientResponse::Complete(tag)),
                Err(error) => {
                    if own && Box::pin(self.may_run_again(&error, attempt, said)).await {
                        attempt += 1;
                        continue;
                    }
                    return self.fail(error).await;
                }
            }
        }
    }

    async fn run_ready(&mut self, ready: &Ready<'_>) -> Result<String> {
        let mut again = || ready.source.statement();
        let (planned, started) = self.start_replanning(ready.planned.clone(), &mut again, ready.parameters.clone()).await?;
        let mut running = match started {
            Ok(running) => running,
            Err(tag) => return Ok(tag),
        };
        let fields = planned.fields.as_deref().unwrap_or_default();
        let format = RowFormat::new(fields, &[])?;
        self.say(ClientResponse::RowDescription(formatted(fields, &[])?));
        let sent = self.send_rows(&mut running, &format, 0).await;
        self.close_running(&running);
        match sent {
            Ok(tag) => Ok(tag.expect("all rows were asked for")),
            Err(crate::backend::CallError::Error(error)) => Err(error),
            // The schema changed in the middle of a scan.
            Err(crate::backend::CallError::StaleSchema(version)) => {
                self.backend.refresh_catalog(version).await?;
                Err(Error::new(base::SqlState::SERIALIZATION_FAILURE, "the schema changed while the statement ran"))
            }
        }
    }
}

fn literal_type(kind: LiteralKind) -> Type {
    match kind {
        LiteralKind::Int4 => Type::Int4,
        LiteralKind::Int8 => Type::Int8,
        LiteralKind::Numeric => Type::Numeric,
        LiteralKind::String | LiteralKind::StringEscaped => Type::Unknown,
    }
}
