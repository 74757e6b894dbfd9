//! A node made of maps: two shards, sessions as tasks of one thread, no failures. For tests of the SQL layer alone.
#![allow(dead_code)]

pub mod client;
pub mod shard;

use base::{Error, Mono, NodeId, Now, Result, SchemaVersion, SessionId, ShardId, SlotId, SqlState, TxnId, Version, Wall};
use shard::{Answer, Shard};
use sql::backend::{Backend, CallError, CommitPart, Pending};
use sql::catalog::{Catalog, store};
use sql::client::{ClientRequest, ClientResponse};
use sql::engine::{EngineCommand, EngineEvent, QueryId};
use sql::value::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;
use storage::access::{Context, Request, Response, Snapshot};

pub const SHARDS: u32 = 2;

#[derive(Default)]
pub struct Link {
    pub requests: VecDeque<ClientRequest>,
    pub responses: Vec<ClientResponse>,
    pub gone: bool,
    pub interrupt: Option<Error>,
    pub deadline: Option<u64>,
}

pub struct Inner {
    pub shards: Vec<Shard>,
    pub version: u64,
    pub micros: u64,
    pub catalog: Arc<Catalog>,
    pub links: BTreeMap<u64, Link>,
    txns: u64,
    random: u64,
    ledger_time: u64,
    /// Requests that shards answered, for tests of how many a statement takes.
    pub calls: Vec<&'static str>,
    /// The next requests of this kind fail as if their leader were lost.
    pub lose: Vec<&'static str>,
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

pub struct World {
    pub inner: Rc<RefCell<Inner>>,
    tasks: RefCell<BTreeMap<u64, Task>>,
}

impl World {
    pub fn new() -> World {
        let mut shards: Vec<Shard> = (0..SHARDS).map(|_| Shard::default()).collect();
        for (at, shard) in shards.iter_mut().enumerate() {
            for write in store::bootstrap(at == 0) {
                shard.put(write.key, write.row, Version(1));
            }
        }
        let inner = Inner {
            catalog: Arc::new(read_catalog(&shards[0])),
            shards,
            version: 1,
            micros: 1_700_000_000_000_000,
            links: BTreeMap::new(),
            txns: 0,
            random: 7,
            ledger_time: 0,
            calls: Vec::new(),
            lose: Vec::new(),
        };
        World { inner: Rc::new(RefCell::new(inner)), tasks: RefCell::new(BTreeMap::new()) }
    }

    pub fn open(&self, user: &str) -> client::Client<'_> {
        let session = self.inner.borrow().links.len() as u64 + 1;
        self.inner.borrow_mut().links.insert(session, Link::default());
        let node = MapNode { inner: self.inner.clone(), session };
        self.tasks.borrow_mut().insert(session, Box::pin(sql::session::run(Box::new(node))));
        let client = client::Client { world: self, session };
        let open = ClientRequest::Open { user: user.to_owned(), database: "florin".to_owned(), parameters: Vec::new() };
        client.ask(vec![open]);
        client
    }

    /// False once the session has ended.
    pub fn is_open(&self, client: &client::Client<'_>) -> bool {
        self.tasks.borrow().contains_key(&client.session)
    }

    /// Polls all sessions until none of them can go on.
    pub fn settle(&self) {
        let mut context = TaskContext::from_waker(Waker::noop());
        // A session that moved may let another one go on: a round without any change ends it.
        for _ in 0..10_000 {
            let before = self.state();
            let mut tasks = self.tasks.borrow_mut();
            tasks.retain(|_, task| task.as_mut().poll(&mut context).is_pending());
            drop(tasks);
            if self.state() == before {
                return;
            }
        }
        panic!("the sessions never come to rest");
    }

    fn state(&self) -> (u64, usize, usize, usize, usize) {
        let inner = self.inner.borrow();
        let waiting = inner.links.values().map(|link| link.requests.len()).sum();
        let said = inner.links.values().map(|link| link.responses.len()).sum();
        let locks = inner.shards.iter().map(Shard::locks_held).sum();
        (inner.version, waiting, said, locks, inner.calls.len())
    }

    pub fn pass(&self, duration: Duration) {
        self.inner.borrow_mut().micros += duration.as_micros() as u64;
        self.settle();
    }
}

fn read_catalog(shard: &Shard) -> Catalog {
    let rows = shard.range(&store::range(), Version::MAX);
    store::decode(rows.iter().map(|(key, found)| (&key[..], &found.row[..]))).expect("the catalog can be read")
}

#[derive(Clone)]
pub struct MapNode {
    inner: Rc<RefCell<Inner>>,
    session: u64,
}

fn kind(request: &Request) -> &'static str {
    match request {
        Request::Read { .. } => "read",
        Request::Scan { .. } => "scan",
        Request::LockTables { .. } => "lock tables",
        Request::Stage { .. } => "stage",
        Request::Sequence { .. } => "sequence",
        _ => "other",
    }
}

impl Inner {
    fn interrupted(&self, session: u64) -> Option<Error> {
        let link = &self.links[&session];
        if let Some(deadline) = link.deadline
            && self.micros >= deadline
        {
            return Some(Error::new(SqlState::QUERY_CANCELED, "canceling statement due to statement timeout"));
        }
        link.interrupt.clone()
    }

    fn lost(&mut self, kind: &'static str) -> bool {
        match self.lose.iter().position(|lost| *lost == kind) {
            Some(at) => {
                self.lose.remove(at);
                true
            }
            None => false,
        }
    }
}

impl Backend for MapNode {
    fn now(&self) -> Now {
        let micros = self.inner.borrow().micros;
        Now { mono: Mono(micros), wall: Wall(micros) }
    }

    fn random(&self) -> u64 {
        let mut inner = self.inner.borrow_mut();
        inner.random = inner.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        inner.random
    }

    fn ledger_time(&self, floor: u64, count: u32) -> u64 {
        let mut inner = self.inner.borrow_mut();
        let first = (inner.micros * 1_000).max(floor + 1).max(inner.ledger_time);
        inner.ledger_time = first + u64::from(count) * ledger::TIMESTAMP_STRIDE;
        first
    }

    fn book(&self, _: ledger::Transfer) -> Pending<'_, Result<Option<ledger::Outcome>>> {
        Box::pin(async { Ok(None) })
    }

    fn breathe(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }

    fn session(&self) -> SessionId {
        SessionId(self.session)
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.inner.borrow().catalog.clone()
    }

    fn refresh_catalog(&self, _at_least: SchemaVersion) -> Pending<'_, Result<Arc<Catalog>>> {
        Box::pin(async move {
            let mut inner = self.inner.borrow_mut();
            inner.catalog = Arc::new(read_catalog(&inner.shards[0]));
            Ok(inner.catalog.clone())
        })
    }

    fn receive(&self) -> Pending<'_, Option<ClientRequest>> {
        Box::pin(async move {
            poll_fn(|_| {
                let mut inner = self.inner.borrow_mut();
                let link = inner.links.get_mut(&self.session).expect("was opened");
                match link.requests.pop_front() {
                    Some(request) => Poll::Ready(Some(request)),
                    None if link.gone => Poll::Ready(None),
                    None => Poll::Pending,
                }
            })
            .await
        })
    }

    fn has_request(&self) -> bool {
        !self.inner.borrow().links[&self.session].requests.is_empty()
    }

    fn send(&self, response: ClientResponse) {
        self.inner.borrow_mut().links.get_mut(&self.session).expect("was opened").responses.push(response);
    }

    fn drained(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }

    fn interrupted(&self) -> Option<Error> {
        self.inner.borrow().interrupted(self.session)
    }

    fn arm(&self, deadline: Option<Duration>) {
        let mut inner = self.inner.borrow_mut();
        let micros = inner.micros;
        let link = inner.links.get_mut(&self.session).expect("was opened");
        link.interrupt = None;
        link.deadline = deadline.map(|deadline| micros + deadline.as_micros() as u64);
    }

    fn sleep(&self, duration: Duration) -> Pending<'_, ()> {
        Box::pin(async move {
            let until = self.inner.borrow().micros + duration.as_micros() as u64;
            // Short pauses pass by themselves; timeouts wait for the test to let time pass.
            if duration <= Duration::from_millis(200) {
                self.inner.borrow_mut().micros = until;
                return;
            }
            poll_fn(|_| if self.inner.borrow().micros >= until { Poll::Ready(()) } else { Poll::Pending }).await;
        })
    }

    fn shard_of(&self, slot: SlotId) -> ShardId {
        ShardId(u32::from(slot.0) % SHARDS)
    }

    fn shards(&self) -> Vec<ShardId> {
        (0..SHARDS).map(ShardId).collect()
    }

    fn new_txn(&self) -> TxnId {
        let mut inner = self.inner.borrow_mut();
        inner.txns += 1;
        TxnId { started: inner.micros / 1000, node: NodeId(1), boot: 1, sequence: inner.txns }
    }

    fn snapshot(&self) -> Pending<'_, Result<Version>> {
        Box::pin(async move { Ok(Version(self.inner.borrow().version)) })
    }

    fn hold_snapshot(&self, _snapshot: Option<Version>) {}

    fn call(&self, shard: ShardId, request: Request) -> Pending<'_, Result<Response, CallError>> {
        Box::pin(async move {
            let started = self.inner.borrow().micros;
            let kind = kind(&request);
            self.inner.borrow_mut().calls.push(kind);
            poll_fn(|_| {
                let mut inner = self.inner.borrow_mut();
                if inner.lost(kind) {
                    let error = Error::new(SqlState::CANNOT_CONNECT_NOW, "the leader is lost");
                    return Poll::Ready(Err(CallError::Error(error)));
                }
                let (version, waited) = (Version(inner.version), Duration::from_micros(inner.micros - started));
                let answer = inner.shards[shard.0 as usize].ask(&request, version, waited);
                match answer {
                    Answer::Now(Response::Refused(storage::access::Refusal::StaleSchema(version))) => {
                        Poll::Ready(Err(CallError::StaleSchema(version)))
                    }
                    Answer::Now(Response::Refused(storage::access::Refusal::Error(error))) => Poll::Ready(Err(CallError::Error(error))),
                    Answer::Now(response) => Poll::Ready(Ok(response)),
                    Answer::Wait => match inner.interrupted(self.session) {
                        Some(error) => Poll::Ready(Err(CallError::Error(error))),
                        None => Poll::Pending,
                    },
                }
            })
            .await
        })
    }

    fn call_all(&self, requests: Vec<(ShardId, Request)>) -> Pending<'_, Vec<Result<Response, CallError>>> {
        Box::pin(async move {
            let mut answers = Vec::new();
            for (shard, request) in requests {
                answers.push(self.call(shard, request).await);
            }
            answers
        })
    }

    fn commit(&self, context: Context, parts: Vec<CommitPart>) -> Pending<'_, Result<Version, CallError>> {
        Box::pin(async move {
            let mut inner = self.inner.borrow_mut();
            inner.calls.push("commit");
            if inner.lost("commit") {
                return Err(Error::new(SqlState::SERIALIZATION_FAILURE, "the locks were lost").into());
            }
            let version = Version(inner.version + 1);
            let snapshot = match context.snapshot {
                Snapshot::At(snapshot) => snapshot,
                Snapshot::Latest => Version::MAX,
            };
            for part in &parts {
                inner.shards[part.shard.0 as usize].check_commit(&context, part, snapshot)?;
            }
            for part in parts {
                inner.shards[part.shard.0 as usize].commit(context.txn, part, version);
            }
            inner.version += 1;
            Ok(version)
        })
    }

    fn rollback(&self, txn: TxnId, shards: Vec<ShardId>) {
        for shard in shards {
            self.inner.borrow_mut().shards[shard.0 as usize].forget(txn);
        }
    }

    fn has_engine(&self) -> bool {
        false
    }

    fn new_query(&self) -> QueryId {
        QueryId(0)
    }

    fn engine(&self, _command: EngineCommand) {}

    fn engine_event(&self, _query: QueryId) -> Pending<'_, EngineEvent> {
        Box::pin(async move { EngineEvent::Failed(Error::unsupported("the engine")) })
    }

    fn system_table(&self, _name: String) -> Pending<'_, Option<Vec<Vec<Value>>>> {
        Box::pin(async move { None })
    }

    fn admin(&self, command: String, _arguments: Vec<Value>) -> Pending<'_, Result<Value>> {
        Box::pin(async move { Err(Error::unsupported(command)) })
    }
}
