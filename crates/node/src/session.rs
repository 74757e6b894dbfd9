//! What the node keeps of one session beside its task: its requests, its answers, its interrupt, its locks.

use crate::limits::{REQUEST_BYTES_PAUSE, REQUESTS_PAUSE, RESPONSES_IN_FLIGHT};
use base::{Error, Mono, SessionId, ShardId, TxnId, Version, Wall};
use sql::client::{ClientRequest, ClientResponse, TxnStatus};
use sql::engine::{EngineEvent, QueryId};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// Sessions of the node itself: the catalog's loader, the bootstrap. Clients' ids are below.
pub(crate) const INTERNAL_SESSIONS: u64 = 1 << 63;

#[derive(Debug)]
pub(crate) struct SessionState {
    pub id: SessionId,
    pub user: String,
    pub database: String,
    pub application: String,
    pub opened: Wall,
    requests: RefCell<VecDeque<ClientRequest>>,
    request_bytes: Cell<usize>,
    paused: Cell<bool>,
    responses: RefCell<Vec<ClientResponse>>,
    in_flight: Cell<usize>,
    /// The client's connection is gone.
    pub gone: Cell<bool>,
    /// No further request is handed out: the node stops.
    pub ending: Cell<bool>,
    interrupt: RefCell<Option<Error>>,
    pub deadline: Cell<Option<Mono>>,
    /// A deadline timer is set, for the deadline or earlier.
    pub deadline_timer: Cell<bool>,
    pub deadline_timer_at: Cell<Mono>,
    /// In the queue of sessions to poll.
    pub queued: Cell<bool>,
    /// Work done in this poll.
    pub spent: Cell<u32>,
    /// In the list of sessions with answers to hand out.
    pub dirty: Cell<bool>,
    pub snapshot: Cell<Option<Version>>,
    pub status: Cell<TxnStatus>,
    /// Between a request and the `Ready` that ends its answer.
    pub busy: Cell<bool>,
    pub changed: Cell<Wall>,
    /// Transactions that may hold locks or staged parts, and where.
    txns: RefCell<Vec<(TxnId, Vec<ShardId>)>>,
    pub engine_events: RefCell<VecDeque<(QueryId, EngineEvent)>>,
}

impl SessionState {
    pub fn new(id: SessionId, user: String, database: String, application: String, opened: Wall) -> SessionState {
        SessionState {
            id,
            user,
            database,
            application,
            opened,
            requests: RefCell::default(),
            request_bytes: Cell::new(0),
            paused: Cell::new(false),
            responses: RefCell::default(),
            in_flight: Cell::new(0),
            gone: Cell::new(false),
            ending: Cell::new(false),
            interrupt: RefCell::new(None),
            deadline: Cell::new(None),
            deadline_timer: Cell::new(false),
            deadline_timer_at: Cell::new(Mono(0)),
            queued: Cell::new(false),
            spent: Cell::new(0),
            dirty: Cell::new(false),
            snapshot: Cell::new(None),
            status: Cell::new(TxnStatus::Idle),
            busy: Cell::new(false),
            changed: Cell::new(opened),
            txns: RefCell::default(),
            engine_events: RefCell::default(),
        }
    }

    pub fn is_internal(&self) -> bool {
        self.id.0 >= INTERNAL_SESSIONS
    }

    /// True if the client must be told to pause.
    pub fn push_requests(&self, requests: Vec<ClientRequest>) -> bool {
        let mut queue = self.requests.borrow_mut();
        for request in requests {
            self.request_bytes.set(self.request_bytes.get() + weight(&request));
            queue.push_back(request);
        }
        let full = queue.len() > REQUESTS_PAUSE || self.request_bytes.get() > REQUEST_BYTES_PAUSE;
        full && !self.paused.replace(full || self.paused.get())
    }

    /// The next request, and true if the client may be read from again.
    pub fn pop_request(&self) -> Option<(ClientRequest, bool)> {
        let mut queue = self.requests.borrow_mut();
        let request = queue.pop_front()?;
        self.request_bytes.set(self.request_bytes.get().saturating_sub(weight(&request)));
        let low = queue.len() <= REQUESTS_PAUSE / 2 && self.request_bytes.get() <= REQUEST_BYTES_PAUSE / 2;
        let resume = low && self.paused.get();
        if resume {
            self.paused.set(false);
        }
        Some((request, resume))
    }

    pub fn has_request(&self) -> bool {
        !self.requests.borrow().is_empty()
    }

    /// True if the session was not yet among those with answers to hand out.
    pub fn push_response(&self, response: ClientResponse) -> bool {
        if let ClientResponse::Ready(status) = response {
            self.status.set(status);
            self.busy.set(false);
        }
        self.responses.borrow_mut().push(response);
        !self.dirty.replace(true)
    }

    pub fn push_response_to(self: &Rc<SessionState>, dirty: &mut Vec<Rc<SessionState>>, response: ClientResponse) {
        if self.push_response(response) {
            dirty.push(Rc::clone(self));
        }
    }

    pub fn take_responses(&self) -> Vec<ClientResponse> {
        self.dirty.set(false);
        let responses = std::mem::take(&mut *self.responses.borrow_mut());
        self.in_flight.set(self.in_flight.get() + responses.len());
        responses
    }

    /// True if too much was under way before, so that the session may wait for this.
    pub fn client_took(&self, responses: usize) -> bool {
        let held = !self.is_drained();
        self.in_flight.set(self.in_flight.get().saturating_sub(responses));
        held
    }

    pub fn is_drained(&self) -> bool {
        self.gone.get() || self.in_flight.get() + self.responses.borrow().len() <= RESPONSES_IN_FLIGHT
    }

    /// The first interrupt stays.
    pub fn interrupt(&self, error: Error) {
        self.interrupt.borrow_mut().get_or_insert(error);
    }

    pub fn interrupted(&self) -> Option<Error> {
        self.interrupt.borrow().clone()
    }

    pub fn is_interrupted(&self) -> bool {
        self.interrupt.borrow().is_some()
    }

    pub fn clear_interrupt(&self) {
        if !self.gone.get() && !self.ending.get() {
            *self.interrupt.borrow_mut() = None;
        }
    }

    /// The transaction may hold something in that shard from now on.
    pub fn touches(&self, txn: TxnId, shard: ShardId) {
        let mut txns = self.txns.borrow_mut();
        match txns.iter_mut().find(|(t, _)| *t == txn) {
            Some((_, shards)) if shards.contains(&shard) => {}
            Some((_, shards)) => shards.push(shard),
            None => txns.push((txn, vec![shard])),
        }
    }

    /// The transaction is someone else's concern from now on: the commit's, or it is over.
    pub fn release(&self, txn: TxnId) {
        self.txns.borrow_mut().retain(|(t, _)| *t != txn);
    }

    pub fn take_txns(&self) -> Vec<(TxnId, Vec<ShardId>)> {
        std::mem::take(&mut *self.txns.borrow_mut())
    }

    /// Nothing of a client's is under way.
    pub fn is_idle(&self) -> bool {
        !self.busy.get() && self.status.get() == TxnStatus::Idle && !self.has_request()
    }
}

/// Bytes that a waiting request holds, roughly.
fn weight(request: &ClientRequest) -> usize {
    64 + match request {
        ClientRequest::Query { sql } | ClientRequest::Parse { sql, .. } => sql.len(),
        ClientRequest::Bind { parameters, .. } => parameters.iter().flatten().map(|p| p.len() + 32).sum(),
        ClientRequest::CopyData(data) => data.len(),
        ClientRequest::CopyFail(reason) => reason.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::SqlState;

    fn session() -> SessionState {
        SessionState::new(SessionId(1), "u".into(), "d".into(), String::new(), Wall(0))
    }

    #[test]
    fn a_client_that_floods_is_paused_once_and_resumed_once() {
        let session = session();
        let flood = |n| (0..n).map(|_| ClientRequest::Sync).collect::<Vec<_>>();
        assert!(session.push_requests(flood(REQUESTS_PAUSE + 1)));
        assert!(!session.push_requests(flood(1)));
        let resumed = std::iter::from_fn(|| session.pop_request()).filter(|(_, resume)| *resume).count();
        assert_eq!(resumed, 1);
    }

    #[test]
    fn the_first_interrupt_stays_until_the_next_statement() {
        let session = session();
        session.interrupt(Error::new(SqlState::QUERY_CANCELED, "first"));
        session.interrupt(Error::new(SqlState::QUERY_CANCELED, "second"));
        assert_eq!(session.interrupted().expect("set").message(), "first");
        session.clear_interrupt();
        assert!(!session.is_interrupted());
    }

    #[test]
    fn locks_are_remembered_until_released() {
        let session = session();
        let txn = TxnId::default();
        session.touches(txn, ShardId(1));
        session.touches(txn, ShardId(1));
        session.touches(txn, ShardId(2));
        assert_eq!(session.take_txns(), vec![(txn, vec![ShardId(1), ShardId(2)])]);
        assert!(session.take_txns().is_empty());
    }
}
