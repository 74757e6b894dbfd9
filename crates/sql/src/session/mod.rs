//! One client's conversation: [`run`] takes its requests and answers them until it leaves.
//!
//! A session is a task of the node's thread. It keeps its transaction, settings, prepared statements and portals; rows, locks and the
//! engine are reached through [`Backend`]. It never blocks the thread, and holds nothing of a statement once that is answered.

pub mod buffer;
pub(crate) mod bulk;
pub mod copy;
pub mod cursor;
pub mod extended;
pub mod output;
pub mod portal;
pub mod retry;
pub mod settings;
pub mod simple;
pub mod staging;
pub mod statement;
pub mod txn;
pub mod utility;
pub mod wait;

use crate::backend::Backend;
use crate::catalog::Table;
use crate::client::{ClientRequest, ClientResponse, Severity};
use crate::engine::QueryId;
use crate::exec::sequence::Drawn;
use crate::parse::normalize::Normalizer;
use crate::plan::cache::PlanCache;
use base::{Error, Result, SchemaVersion, SqlState};
use extended::Prepared;
use output::Output;
use portal::Portal;
use settings::Settings;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use txn::Txn;

pub struct Session {
    pub(crate) backend: Rc<dyn Backend>,
    pub(crate) settings: Settings,
    pub(crate) user: Arc<str>,
    pub(crate) database: Arc<str>,
    pub(crate) txn: Option<Txn>,
    pub(crate) output: Output,
    flushes: u64,
    /// Answers are held back until the statement, a transaction of its own, is committed.
    holding: bool,
    /// How often the running statement was begun before, as it was a transaction of its own that met others.
    pub(crate) attempt: u32,
    plans: PlanCache,
    normalizer: Normalizer,
    statements: BTreeMap<String, Rc<Prepared>>,
    portals: BTreeMap<String, Portal>,
    /// The next request, taken early to see whether it is a Sync.
    peeked: Option<ClientRequest>,
    /// After an error in the extended protocol, until Sync.
    skipping: bool,
    holds_snapshot: bool,
    /// The schema that the running statement was planned with.
    pub(crate) statement_schema: Option<SchemaVersion>,
    /// The tables that the running statement reads or changes.
    pub(crate) pinned: Vec<Arc<Table>>,
    /// Counts statements, so that sequences know when to draw ahead.
    pub(crate) statements_run: u64,
    pub(crate) row_ids: u32,
    pub(crate) conflict_attempts: u32,
    pub(crate) drawn: BTreeMap<u32, Drawn>,
    pub(crate) last_sequence: Option<u32>,
    pub(crate) open_queries: BTreeSet<QueryId>,
}

/// Runs a session to its end.
pub async fn run(backend: Box<dyn Backend>) {
    let Some(ClientRequest::Open { user, database, parameters }) = backend.receive().await else { return };
    let mut session = Session::new(Rc::from(backend), &user, &database);
    if session.open(&parameters) {
        session.converse().await;
    }
    session.close();
}

impl Session {
    pub(crate) fn new(backend: Rc<dyn Backend>, user: &str, database: &str) -> Session {
        Session {
            backend,
            settings: Settings::new(user),
            user: user.into(),
            database: database.into(),
            txn: None,
            output: Output::default(),
            flushes: 0,
            holding: false,
            attempt: 0,
            plans: PlanCache::default(),
            normalizer: Normalizer::default(),
            statements: BTreeMap::new(),
            portals: BTreeMap::new(),
            peeked: None,
            skipping: false,
            holds_snapshot: false,
            statement_schema: None,
            pinned: Vec::new(),
            statements_run: 0,
            row_ids: 0,
            conflict_attempts: 0,
            drawn: BTreeMap::new(),
            last_sequence: None,
            open_queries: BTreeSet::new(),
        }
    }

    /// A setting of a session that the node runs by itself.
    ///
    /// # Panics
    /// If there is no such setting.
    pub(crate) fn set_for_itself(&mut self, name: &str, value: &str) {
        self.settings.set(name, Some(value)).expect("the node sets what exists");
    }

    /// The running statement is a transaction of its own, whose answer waits for the commit.
    pub(crate) fn is_alone(&self) -> bool {
        self.holding
    }

    fn open(&mut self, parameters: &[(String, String)]) -> bool {
        if let Err(error) = self.settings.start(parameters) {
            self.say(ClientResponse::Error(Severity::Fatal, error));
            self.flush();
            return false;
        }
        let told = self.settings.reported();
        self.tell_parameters(told);
        self.ready();
        true
    }

    async fn converse(&mut self) {
        while let Some(request) = self.next_request().await {
            if self.skipping && !matches!(request, ClientRequest::Sync) {
                continue;
            }
            match request {
                ClientRequest::Query { sql } => self.simple_query(&sql).await,
                ClientRequest::Sync => self.sync().await,
                ClientRequest::Flush => self.flush(),
                ClientRequest::Open { .. } => {
                    let error = Error::new(SqlState::PROTOCOL_VIOLATION, "the session is open already");
                    self.say(ClientResponse::Error(Severity::Fatal, error));
                    self.flush();
                    return;
                }
                // Left over from a COPY that failed: PostgreSQL drops them too.
                ClientRequest::CopyData(_) | ClientRequest::CopyDone | ClientRequest::CopyFail(_) => {}
                request => self.extended(request).await,
            }
        }
    }

    fn close(&mut self) {
        self.rollback_txn();
        self.portals.clear();
        for query in std::mem::take(&mut self.open_queries) {
            self.backend.engine(crate::engine::EngineCommand::Cancel { query });
        }
        self.backend.hold_snapshot(None);
        self.flush();
    }

    /// Tells the client of an error, and what becomes of its transaction.
    pub(crate) async fn fail(&mut self, error: Error) {
        let error = self.settled_error(error).await;
        match &mut self.txn {
            Some(txn) if txn.block == txn::Block::Explicit => txn.failed = true,
            _ => self.rollback_txn(),
        }
        self.say(ClientResponse::Error(Severity::Error, error));
    }

    /// The transaction, which the caller knows to be open.
    pub(crate) fn txn_ref(&self) -> &Txn {
        self.txn.as_ref().expect("a statement runs in a transaction")
    }

    pub(crate) fn check_superuser(&self, what: &str) -> Result<()> {
        let superuser = self.catalog().roles.get(&*self.user).is_some_and(|role| role.superuser);
        if superuser { Ok(()) } else { Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied to {what}"))) }
    }
}
