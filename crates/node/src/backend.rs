//! What a session sees of its node. Each method borrows the node for as long as it takes and no longer; futures only look into slots.

use crate::core::Core;
use crate::event::Effect;
use crate::limits::WORK_PER_POLL;
use crate::session::SessionState;
use crate::slot::Slot;
use crate::timers::Timer;
use base::{Error, Now, Result, SchemaVersion, SessionId, ShardId, SlotId, SqlState, TxnId, Version};
use ledger::{Outcome, Transfer};
use sql::backend::{Backend, CallError, CommitPart, Pending};
use sql::catalog::Catalog;
use sql::client::{ClientRequest, ClientResponse};
use sql::engine::{EngineCommand, EngineEvent, QueryId};
use sql::value::Value;
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use storage::access::{Context, Request, Response};

pub(crate) struct NodeBackend {
    pub core: Rc<RefCell<Core>>,
    pub state: Rc<SessionState>,
}

impl NodeBackend {
    /// Lets the others have their turn if this session has done enough in this poll.
    async fn pay(&self, cost: u32) {
        let spent = self.state.spent.get().saturating_add(cost);
        self.state.spent.set(spent);
        if spent <= WORK_PER_POLL {
            return;
        }
        let mut yielded = false;
        poll_fn(|_| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            self.core.borrow_mut().yield_session(self.state.id);
            Poll::Pending
        })
        .await;
    }

    /// Starts a call; the answer is there at once if the shard is led here and does not wait.
    fn start(&self, shard: ShardId, request: Request) -> Started {
        let mut core = self.core.borrow_mut();
        let started = core.session_call(self.state.id, shard, request);
        core.pump();
        match started {
            Ok(answer) => Started::Answered(answer),
            Err(slot) => match self.state.interrupted() {
                Some(error) => {
                    core.interrupt_calls(self.state.id, &error);
                    Started::Waiting(slot)
                }
                None => Started::Waiting(slot),
            },
        }
    }
}

/// Bytes of COPY data that count as one piece of work.
const COPY_BYTES: usize = 8 * 1024;
/// Bytes of staged rows that count as one piece of work.
const STAGED_BYTES: usize = 256 * 1024;
/// Rows of a scan that count as one piece of work.
const SCAN_ROWS: u32 = 512;

/// How much work a request makes here, roughly: so that a session that is always answered at once leaves others their turn.
fn cost(request: &Request) -> u32 {
    match request {
        Request::Scan { rows_max, .. } => 1 + rows_max / SCAN_ROWS,
        Request::Read { reads, .. } => 1 + reads.len() as u32 / 64,
        Request::Stage { changes, .. } => 1 + (changes.len() / STAGED_BYTES) as u32,
        _ => 1,
    }
}

enum Started {
    Answered(Result<Response, CallError>),
    Waiting(Slot<Result<Response, CallError>>),
}

impl Started {
    async fn finish(self) -> Result<Response, CallError> {
        match self {
            Started::Answered(answer) => answer,
            Started::Waiting(slot) => slot.wait().await,
        }
    }
}

impl Backend for NodeBackend {
    fn now(&self) -> Now {
        self.core.borrow().now
    }

    fn random(&self) -> u64 {
        self.core.borrow_mut().prng.next_u64()
    }

    fn session(&self) -> SessionId {
        self.state.id
    }

    fn ledger_time(&self, floor: u64, count: u32) -> u64 {
        let core = &mut *self.core.borrow_mut();
        core.ledger_clock.take(core.now.wall.0 * 1_000, floor, count)
    }

    fn book(&self, transfer: Transfer) -> Pending<'_, Result<Option<Outcome>>> {
        Box::pin(self.book_with_others(transfer))
    }

    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.core.borrow().catalog.current)
    }

    fn refresh_catalog(&self, at_least: SchemaVersion) -> Pending<'_, Result<Arc<Catalog>>> {
        Box::pin(async move {
            let known = self.catalog().version;
            let newest = if known >= at_least { self.newest_schema(known).await? } else { at_least };
            self.catalog_at_least(newest).await
        })
    }

    fn receive(&self) -> Pending<'_, Option<ClientRequest>> {
        Box::pin(async move {
            let request = poll_fn(|_| {
                if self.state.ending.get() || self.state.gone.get() {
                    return Poll::Ready(None);
                }
                let Some((request, resume)) = self.state.pop_request() else { return Poll::Pending };
                let mut core = self.core.borrow_mut();
                if !self.state.busy.replace(true) {
                    self.state.changed.set(core.now.wall);
                }
                if resume {
                    core.effects.push(Effect::ReadClient { session: self.state.id, read: true });
                }
                Poll::Ready(Some(request))
            })
            .await;
            if let Some(ClientRequest::CopyData(data)) = &request {
                self.pay(1 + (data.len() / COPY_BYTES) as u32).await;
            }
            request
        })
    }

    fn has_request(&self) -> bool {
        self.state.has_request()
    }

    fn send(&self, response: ClientResponse) {
        if self.state.push_response(response) {
            self.core.borrow_mut().dirty.push(Rc::clone(&self.state));
        }
    }

    fn drained(&self) -> Pending<'_, ()> {
        Box::pin(async move {
            poll_fn(|_| if self.state.is_drained() { Poll::Ready(()) } else { Poll::Pending }).await;
        })
    }

    fn interrupted(&self) -> Option<Error> {
        self.state.interrupted()
    }

    fn arm(&self, deadline: Option<Duration>) {
        self.state.clear_interrupt();
        let Some(duration) = deadline else {
            self.state.deadline.set(None);
            return;
        };
        let mut core = self.core.borrow_mut();
        let at = core.now.mono.after(duration);
        self.state.deadline.set(Some(at));
        // A timer that is set for an earlier deadline sets itself anew, so that most statements set none.
        let earlier = self.state.deadline_timer.get() && self.state.deadline_timer_at.get() <= at;
        if !earlier {
            self.state.deadline_timer.set(true);
            self.state.deadline_timer_at.set(at);
            core.timers.set(at, Timer::Deadline { session: self.state.id });
        }
    }

    fn breathe(&self) -> Pending<'_, ()> {
        Box::pin(self.pay(WORK_PER_POLL + 1))
    }

    fn sleep(&self, duration: Duration) -> Pending<'_, ()> {
        Box::pin(async move {
            let slot = Slot::new();
            {
                let mut core = self.core.borrow_mut();
                let at = core.now.mono.after(duration);
                core.timers.set(at, Timer::Sleep { session: self.state.id, slot: slot.clone() });
            }
            poll_fn(|_| match slot.take() {
                None if !self.state.is_interrupted() => Poll::Pending,
                _ => Poll::Ready(()),
            })
            .await;
        })
    }

    fn serves_others(&self) -> bool {
        let sessions = &self.core.borrow().sessions;
        sessions.values().any(|other| other.id != self.state.id && !other.is_internal() && !other.is_idle())
    }

    fn commit_bytes_max(&self) -> usize {
        self.core.borrow().config.sizes.commit_bytes_max
    }

    fn shard_of(&self, slot: SlotId) -> ShardId {
        self.core.borrow().routing.shard_of(slot)
    }

    fn shards(&self) -> Vec<ShardId> {
        self.core.borrow().routing.shards()
    }

    fn new_txn(&self) -> TxnId {
        let mut core = self.core.borrow_mut();
        core.next_txn += 1;
        TxnId { started: core.now.wall.0 / 1000, node: core.config.node, boot: core.config.boot, sequence: core.next_txn }
    }

    fn snapshot(&self) -> Pending<'_, Result<Version>> {
        Box::pin(async move {
            let clocks = self.shards().into_iter().map(|shard| (shard, Request::Clock)).collect();
            let mut newest = Version::ZERO;
            for answer in self.call_all(clocks).await {
                match answer {
                    Ok(Response::Clock { version }) => newest = newest.max(version),
                    Ok(other) => return Err(Error::internal(format!("a shard told its clock as {other:?}"))),
                    Err(CallError::Error(error)) => return Err(error),
                    Err(CallError::StaleSchema(_)) => return Err(Error::internal("a clock has no schema")),
                }
            }
            self.core.borrow_mut().clock.observe(newest);
            Ok(newest)
        })
    }

    fn hold_snapshot(&self, snapshot: Option<Version>) {
        self.state.snapshot.set(snapshot);
    }

    fn call(&self, shard: ShardId, request: Request) -> Pending<'_, Result<Response, CallError>> {
        Box::pin(async move {
            self.pay(cost(&request)).await;
            self.start(shard, request).finish().await
        })
    }

    fn call_all(&self, requests: Vec<(ShardId, Request)>) -> Pending<'_, Vec<Result<Response, CallError>>> {
        Box::pin(async move {
            let started: Vec<Started> = requests.into_iter().map(|(shard, request)| self.start(shard, request)).collect();
            let mut answers = Vec::with_capacity(started.len());
            for call in started {
                answers.push(call.finish().await);
            }
            answers
        })
    }

    fn commit(&self, context: Context, parts: Vec<CommitPart>) -> Pending<'_, Result<Version, CallError>> {
        Box::pin(async move {
            if parts.is_empty() {
                return Err(CallError::Error(Error::internal("a commit without a part")));
            }
            let slot = self.core.borrow_mut().begin_commit(self.state.id, &context, parts);
            slot.wait().await
        })
    }

    fn rollback(&self, txn: TxnId, shards: Vec<ShardId>) {
        self.state.release(txn);
        let mut core = self.core.borrow_mut();
        core.running.remove(&txn);
        for shard in shards {
            core.start_call(shard, Request::Rollback { txn }, crate::calls::Owner::Background);
        }
        core.pump();
    }

    fn has_engine(&self) -> bool {
        self.core.borrow().engine
    }

    fn new_query(&self) -> QueryId {
        let mut core = self.core.borrow_mut();
        core.next_query += 1;
        let query = QueryId(core.next_query);
        core.queries.insert(query, self.state.id);
        query
    }

    fn engine(&self, command: EngineCommand) {
        let mut core = self.core.borrow_mut();
        if let EngineCommand::Cancel { query } = &command {
            core.queries.remove(query);
            self.state.engine_events.borrow_mut().retain(|(q, _)| q != query);
        }
        core.effects.push(Effect::Engine(command));
    }

    fn engine_event(&self, query: QueryId) -> Pending<'_, EngineEvent> {
        Box::pin(async move {
            poll_fn(|_| {
                let mut events = self.state.engine_events.borrow_mut();
                if let Some(at) = events.iter().position(|(q, _)| *q == query) {
                    let (_, event) = events.remove(at).expect("the position was just found");
                    return Poll::Ready(event);
                }
                match self.state.interrupted() {
                    Some(error) => Poll::Ready(EngineEvent::Failed(error)),
                    None => Poll::Pending,
                }
            })
            .await
        })
    }

    fn system_table(&self, name: String) -> Pending<'_, Option<Vec<Vec<Value>>>> {
        Box::pin(async move {
            if name != sql::system::REPLICAS.name {
                return self.core.borrow_mut().system_table(&name);
            }
            let mut rows = Vec::new();
            let shards = self.core.borrow().replica_shards();
            for shard in shards {
                let Some((mut row, mut hashing)) = self.core.borrow().replica_row(shard) else { continue };
                while !self.core.borrow_mut().hash_replica(shard, &mut row, &mut hashing) {
                    if self.state.interrupted().is_some() {
                        break;
                    }
                    self.pay(WORK_PER_POLL).await;
                }
                rows.push(row);
            }
            Some(rows)
        })
    }

    fn admin(&self, command: String, arguments: Vec<Value>) -> Pending<'_, Result<Value>> {
        Box::pin(async move { crate::admin::run(self, &command, &arguments).await })
    }
}

/// What a session without a catalog is told.
pub(crate) fn no_catalog() -> Error {
    Error::new(SqlState::CANNOT_CONNECT_NOW, "the cluster cannot be reached from this node at the moment")
        .with_hint("A majority of the voters of shard 0 must be up; see florin.nodes on another node.")
}
