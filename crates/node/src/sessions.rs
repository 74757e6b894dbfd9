//! The tasks of sessions: started with a client's first request, polled when woken, dropped when they end.

use crate::backend::{NodeBackend, no_catalog};
use crate::calls::Owner;
use crate::core::Core;
use crate::event::Effect;
use crate::limits::{OPEN_WAIT, SESSIONS_MAX};
use crate::session::{INTERNAL_SESSIONS, SessionState};
use crate::timers::Timer;
use base::{Error, SessionId, SqlState};
use sql::client::{ClientRequest, ClientResponse, Severity};
use sql::engine::EngineCommand;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use storage::access::Request;

pub(crate) type Task = Pin<Box<dyn Future<Output = ()>>>;
type Shared = Rc<RefCell<Core>>;

#[derive(Default)]
pub(crate) struct Tasks {
    tasks: BTreeMap<SessionId, Task>,
    /// To be closed once their answers are handed out.
    closing: Vec<SessionId>,
}

impl Tasks {
    pub fn spawn_internal(&mut self, core: &Shared, id: SessionId, task: impl FnOnce(NodeBackend) -> Task) {
        assert!(id.0 >= INTERNAL_SESSIONS, "clients' sessions come from clients");
        let opened = core.borrow().now.wall;
        let state = Rc::new(SessionState::new(id, String::new(), String::new(), String::new(), opened));
        core.borrow_mut().sessions.insert(id, Rc::clone(&state));
        let backend = NodeBackend { core: Rc::clone(core), state };
        self.tasks.insert(id, task(backend));
        core.borrow_mut().wake(id);
    }

    pub fn client(&mut self, core: &Shared, session: SessionId, requests: Vec<ClientRequest>) {
        let known = core.borrow().sessions.get(&session).cloned();
        let state = match known {
            Some(state) => state,
            None => match self.open(core, session, &requests) {
                Some(state) => state,
                None => return,
            },
        };
        let mut core = core.borrow_mut();
        if state.push_requests(requests) {
            core.effects.push(Effect::ReadClient { session, read: false });
        }
        core.wake(session);
    }

    fn open(&mut self, core: &Shared, session: SessionId, requests: &[ClientRequest]) -> Option<Rc<SessionState>> {
        let mut inner = core.borrow_mut();
        // Requests that were on their way when the session ended.
        let Some(ClientRequest::Open { user, database, parameters }) = requests.first() else { return None };
        let refusal = if session.0 >= INTERNAL_SESSIONS {
            Some(Error::new(SqlState::PROTOCOL_VIOLATION, "this session number is the node's own"))
        } else if inner.draining_since.is_some() {
            Some(Error::new(SqlState::CANNOT_CONNECT_NOW, "the node is shutting down").with_hint("Connect to another node."))
        } else if inner.client_sessions() >= SESSIONS_MAX {
            Some(Error::new(SqlState::TOO_MANY_CONNECTIONS, format!("a node serves at most {SESSIONS_MAX} connections")))
        } else {
            None
        };
        if let Some(error) = refusal {
            inner.effects.push(Effect::Client { session, responses: vec![ClientResponse::Error(Severity::Fatal, error)] });
            inner.effects.push(Effect::CloseClient { session });
            return None;
        }
        let application = parameters.iter().find(|(name, _)| name == "application_name").map(|(_, value)| value.clone());
        let opened = inner.now.wall;
        let state = Rc::new(SessionState::new(session, user.clone(), database.clone(), application.unwrap_or_default(), opened));
        inner.sessions.insert(session, Rc::clone(&state));
        let at = inner.now.mono.after(OPEN_WAIT);
        if inner.catalog.current.version.0 == 0 {
            inner.opening.push(session);
            inner.timers.set(at, Timer::Open { session });
        } else {
            drop(inner);
            self.start(core, &state);
        }
        Some(state)
    }

    fn start(&mut self, core: &Shared, state: &Rc<SessionState>) {
        let backend = NodeBackend { core: Rc::clone(core), state: Rc::clone(state) };
        self.tasks.insert(state.id, Box::pin(sql::session::run(Box::new(backend))));
        core.borrow_mut().wake(state.id);
    }

    /// Sessions that waited for the catalog start when it is there.
    pub fn open_waiting(&mut self, core: &Shared) {
        let waiting = {
            let mut inner = core.borrow_mut();
            if inner.opening.is_empty() || inner.catalog.current.version.0 == 0 {
                return;
            }
            std::mem::take(&mut inner.opening)
        };
        for session in waiting {
            let state = core.borrow().sessions.get(&session).cloned();
            if let Some(state) = state {
                self.start(core, &state);
            }
        }
    }

    pub fn poll(&mut self, core: &Shared, session: SessionId) {
        let state = core.borrow().sessions.get(&session).cloned();
        let Some(state) = state else { return };
        let Some(task) = self.tasks.get_mut(&session) else {
            if state.gone.get() || state.ending.get() {
                self.end(core, &state);
            }
            return;
        };
        let mut context = Context::from_waker(Waker::noop());
        let ended = task.as_mut().poll(&mut context).is_ready();
        // A client that is gone waits for nothing: what it had asked for was interrupted before this poll.
        if ended || state.gone.get() {
            self.end(core, &state);
        }
    }

    fn end(&mut self, core: &Shared, state: &Rc<SessionState>) {
        let task = self.tasks.remove(&state.id);
        drop(task);
        let mut core = core.borrow_mut();
        core.sessions.remove(&state.id);
        core.opening.retain(|s| *s != state.id);
        for (txn, shards) in state.take_txns() {
            core.running.remove(&txn);
            for shard in shards {
                core.start_call(shard, Request::Rollback { txn }, Owner::Background);
            }
        }
        let queries: Vec<_> = core.queries.iter().filter(|(_, s)| **s == state.id).map(|(&q, _)| q).collect();
        for query in queries {
            core.queries.remove(&query);
            core.effects.push(Effect::Engine(EngineCommand::Cancel { query }));
        }
        core.pump();
        if !state.gone.get() && !state.is_internal() {
            self.closing.push(state.id);
        }
    }

    /// After the answers: connections of sessions that ended.
    pub fn close(&mut self, effects: &mut Vec<Effect>) {
        effects.extend(self.closing.drain(..).map(|session| Effect::CloseClient { session }));
    }
}

impl Core {
    /// A session has waited too long for the catalog.
    pub fn refuse_opening(&mut self, session: SessionId) {
        if !self.opening.contains(&session) {
            return;
        }
        let Some(state) = self.sessions.get(&session).cloned() else { return };
        state.ending.set(true);
        state.push_response_to(&mut self.dirty, ClientResponse::Error(Severity::Fatal, no_catalog()));
        self.wake(session);
    }
}
