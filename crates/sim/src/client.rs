//! Clients of the simulated cluster: each is one task that talks SQL over one connection at a time.
//!
//! A task is plain `async` code; the world polls it when something happened to its client. What a client knows is only what
//! a real one would: answers, a broken connection, or silence until its patience ends.

use crate::check::Fate;
use crate::queue::{Micros, SECOND};
use base::{NodeId, Prng, Retry, SessionId, SqlState};
use bytes::{Buf, Bytes};
use sql::client::{ClientRequest, ClientResponse, Format, Severity, TxnStatus};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use storage::access::LOST_WITH_LEADER;

/// How long a client waits for an answer before it hangs up.
pub const PATIENCE: Micros = 8 * SECOND;

pub type Task = Pin<Box<dyn Future<Output = ()>>>;

/// What a client asks the world to do.
pub enum Action {
    Connect { client: u32, session: SessionId, node: NodeId, requests: Vec<ClientRequest> },
    Send { client: u32, session: SessionId, node: NodeId, requests: Vec<ClientRequest> },
    Close { client: u32, session: SessionId, node: NodeId },
    Wake { client: u32, at: Micros },
}

#[derive(Default)]
struct Mailbox {
    session: Option<SessionId>,
    responses: VecDeque<ClientResponse>,
    /// The connection of `session` broke.
    broken: bool,
}

/// What all clients and the world share.
#[derive(Default)]
pub struct Hub {
    pub now: Micros,
    pub actions: Vec<Action>,
    mailboxes: BTreeMap<u32, Mailbox>,
    sessions: u64,
    /// Nodes that a client may try, in order of their ids.
    pub gateways: Vec<NodeId>,
    /// Clients end their loops.
    pub stopping: bool,
    /// Faults are over.
    pub calm: bool,
    /// Refusals by code, with one message each.
    pub errors: BTreeMap<String, (u64, String)>,
    /// Transactions refused because something of theirs was lost with a leader: how many, and one of them.
    pub lost_with_leader: (u64, String),
    pub statements: u64,
    pub committed: u64,
    /// When a transaction last committed, for each client.
    pub progress: BTreeMap<u32, Micros>,
    /// When any last committed; `None` while pauses are not measured.
    pub last_commit: Option<Micros>,
    pub longest_pause: Pause,
}

/// A time without commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    pub length: Micros,
    pub from: Micros,
}

impl Hub {
    /// A commit, or the end of the time in which pauses are measured.
    pub fn end_pause(&mut self) {
        let Some(from) = self.last_commit.replace(self.now) else { return };
        if self.now - from > self.longest_pause.length {
            self.longest_pause = Pause { length: self.now - from, from };
        }
    }

    /// Hands over what arrived for a client; answers of an earlier connection are gone with it.
    pub fn receive(&mut self, client: u32, session: SessionId, responses: Vec<ClientResponse>) {
        let mailbox = self.mailboxes.entry(client).or_default();
        if mailbox.session == Some(session) {
            mailbox.responses.extend(responses);
        }
    }

    pub fn hang_up(&mut self, client: u32, session: SessionId) {
        let mailbox = self.mailboxes.entry(client).or_default();
        if mailbox.session == Some(session) {
            mailbox.broken = true;
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The node answered with an error.
    Refused(SqlState, String),
    /// No answer: the connection broke or the client lost its patience.
    Lost,
    /// An answer that says it does not know.
    Unknown(SqlState, String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    pub rows: Vec<Vec<Option<String>>>,
    /// The last command tag.
    pub tag: String,
}

impl Reply {
    /// The count at the end of the tag: rows changed.
    pub fn changed(&self) -> u64 {
        self.tag.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    pub fn number(&self, row: usize, column: usize) -> Option<i64> {
        self.rows.get(row)?.get(column)?.as_deref()?.parse().ok()
    }
}

pub struct Client {
    pub id: u32,
    hub: Rc<RefCell<Hub>>,
    prng: RefCell<Prng>,
    connection: Cell<Option<(SessionId, NodeId)>>,
    /// The node of its own zone, tried more often.
    near: Option<NodeId>,
    /// That node and no other, while the cluster has it.
    stays_near: Cell<bool>,
    /// An error that this client may be told at any time.
    pub expected: Cell<Option<SqlState>>,
    extended: bool,
}

impl Client {
    pub fn new(id: u32, hub: Rc<RefCell<Hub>>, mut prng: Prng, near: Option<NodeId>) -> Client {
        let extended = prng.one_in(2);
        Client {
            id,
            hub,
            prng: RefCell::new(prng),
            connection: Cell::new(None),
            near,
            stays_near: Cell::new(false),
            expected: Cell::new(None),
            extended,
        }
    }

    pub fn now(&self) -> Micros {
        self.hub.borrow().now
    }

    pub fn is_calm(&self) -> bool {
        self.hub.borrow().calm
    }

    pub fn stopping(&self) -> bool {
        self.hub.borrow().stopping
    }

    pub fn below(&self, bound: u64) -> u64 {
        self.prng.borrow_mut().below(bound)
    }

    pub fn between(&self, low: u64, high: u64) -> u64 {
        self.prng.borrow_mut().between(low, high)
    }

    pub fn one_in(&self, n: u64) -> bool {
        self.prng.borrow_mut().one_in(n)
    }

    pub fn near(&self) -> Option<NodeId> {
        self.near
    }

    /// From now on it connects to the node of its own zone only, and shares its fate when the zone is cut off.
    pub fn stay_near(&self) {
        self.stays_near.set(true);
    }

    pub fn is_connected(&self) -> bool {
        self.connection.get().is_some()
    }

    pub async fn sleep(&self, micros: Micros) {
        let until = self.now() + micros;
        self.hub.borrow_mut().actions.push(Action::Wake { client: self.id, at: until });
        std::future::poll_fn(|_| if self.now() >= until { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Connects to some node if there is no connection; false if that failed, after a short wait.
    pub async fn connect(&self) -> bool {
        if self.is_connected() {
            return true;
        }
        let node = self.choose();
        self.connect_to(node).await
    }

    fn choose(&self) -> NodeId {
        let hub = self.hub.borrow();
        let mut prng = self.prng.borrow_mut();
        match self.near {
            Some(near) if hub.gateways.contains(&near) && (self.stays_near.get() || prng.one_in(2)) => near,
            _ => *prng.pick(&hub.gateways),
        }
    }

    pub async fn connect_to(&self, node: NodeId) -> bool {
        self.close();
        let open = ClientRequest::Open { user: "florin".into(), database: "florin".into(), parameters: Vec::new() };
        let session = {
            let mut hub = self.hub.borrow_mut();
            hub.sessions += 1;
            let session = SessionId(hub.sessions);
            hub.mailboxes.insert(self.id, Mailbox { session: Some(session), ..Mailbox::default() });
            hub.actions.push(Action::Connect { client: self.id, session, node, requests: vec![open] });
            session
        };
        self.connection.set(Some((session, node)));
        let connected = self.answer(PATIENCE / 2).await.is_ok();
        if !connected {
            self.close();
            let pause = self.between(20_000, 200_000);
            self.sleep(pause).await;
        }
        connected
    }

    pub fn close(&self) {
        if let Some((session, node)) = self.connection.take() {
            let mut hub = self.hub.borrow_mut();
            hub.mailboxes.remove(&self.id);
            hub.actions.push(Action::Close { client: self.id, session, node });
        }
    }

    /// Runs one statement (or several, with the simple protocol).
    ///
    /// # Errors
    /// What the node said, or that it said nothing; then the connection is closed.
    pub async fn run(&self, sql: &str) -> Result<Reply, Failure> {
        self.run_for(sql, PATIENCE).await
    }

    /// # Errors
    /// As `run`.
    pub async fn run_for(&self, sql: &str, patience: Micros) -> Result<Reply, Failure> {
        let requests = if self.extended && !sql.contains(';') { extended(sql) } else { vec![ClientRequest::Query { sql: sql.into() }] };
        let Some((session, node)) = self.connection.get() else { return Err(Failure::Lost) };
        {
            let mut hub = self.hub.borrow_mut();
            hub.statements += 1;
            hub.actions.push(Action::Send { client: self.id, session, node, requests });
        }
        let result = self.answer(patience).await;
        match &result {
            Err(Failure::Lost) => self.close(),
            Err(Failure::Refused(state, message) | Failure::Unknown(state, message)) => {
                let mut hub = self.hub.borrow_mut();
                if message.ends_with(LOST_WITH_LEADER) {
                    hub.lost_with_leader.0 += 1;
                    hub.lost_with_leader.1 = sql.to_owned();
                }
                // What the rules of the ledger refuse is for its workload to judge.
                if self.expected.get() != Some(*state) && state.0[0] != b'L' {
                    hub.errors.entry(state.to_string()).or_insert_with(|| (0, format!("{message} [{sql}]"))).0 += 1;
                }
            }
            Ok(_) => {}
        }
        result
    }

    /// Collects answers up to `Ready`.
    async fn answer(&self, patience: Micros) -> Result<Reply, Failure> {
        let until = self.now() + patience;
        self.hub.borrow_mut().actions.push(Action::Wake { client: self.id, at: until });
        let mut gathered = Gathered::default();
        std::future::poll_fn(move |_| {
            let mut hub = self.hub.borrow_mut();
            let now = hub.now;
            let Some(mailbox) = hub.mailboxes.get_mut(&self.id) else { return Poll::Ready(Err(Failure::Lost)) };
            while let Some(response) = mailbox.responses.pop_front() {
                if gathered.take(response) {
                    return Poll::Ready(std::mem::take(&mut gathered).result());
                }
            }
            if mailbox.broken || now >= until { Poll::Ready(Err(Failure::Lost)) } else { Poll::Pending }
        })
        .await
    }

    /// Runs `body` between `begin` and COMMIT, and says what became of it.
    pub async fn transaction<T>(&self, begin: &str, body: impl AsyncFnOnce(&Client) -> Result<T, Failure>) -> (Fate, Option<T>) {
        if self.run(begin).await.is_err() {
            self.recover().await;
            return (Fate::Refused, None);
        }
        match body(self).await {
            Ok(value) => {
                let fate = self.commit_fate(self.run("COMMIT").await);
                if fate != Fate::Done {
                    self.recover().await;
                }
                (fate, Some(value))
            }
            Err(_) => {
                self.recover().await;
                (Fate::Refused, None)
            }
        }
    }

    /// Leaves a failed transaction; after a failure of that, the connection.
    pub async fn recover(&self) {
        if self.is_connected() && self.run("ROLLBACK").await.is_err() {
            self.close();
        }
    }

    fn commit_fate(&self, result: Result<Reply, Failure>) -> Fate {
        match result {
            Ok(reply) if reply.tag == "COMMIT" => {
                self.progressed();
                Fate::Done
            }
            Ok(_) | Err(Failure::Refused(..)) => Fate::Refused,
            Err(Failure::Lost | Failure::Unknown(..)) => Fate::Unknown,
        }
    }

    /// The fate of a statement that is a transaction of its own.
    pub fn fate<'r>(&self, result: &'r Result<Reply, Failure>) -> (Fate, Option<&'r Reply>) {
        match result {
            Ok(reply) => {
                self.progressed();
                (Fate::Done, Some(reply))
            }
            Err(Failure::Refused(..)) => (Fate::Refused, None),
            Err(Failure::Lost | Failure::Unknown(..)) => (Fate::Unknown, None),
        }
    }

    fn progressed(&self) {
        let mut hub = self.hub.borrow_mut();
        let now = hub.now;
        hub.committed += 1;
        hub.progress.insert(self.id, now);
        if hub.last_commit.is_some() {
            hub.end_pause();
        }
    }

    /// Tries until it succeeds: for what must be done before and after the load.
    pub async fn insist(&self, sql: &str) -> Reply {
        loop {
            if self.connect().await {
                match self.run(sql).await {
                    Ok(reply) => return reply,
                    Err(Failure::Refused(SqlState::DUPLICATE_TABLE | SqlState::DUPLICATE_OBJECT, _)) => return Reply::default(),
                    Err(_) => self.close(),
                }
            }
            self.sleep(100_000).await;
        }
    }
}

fn extended(sql: &str) -> Vec<ClientRequest> {
    vec![
        ClientRequest::Parse { name: String::new(), sql: sql.into(), parameter_types: Vec::new() },
        ClientRequest::Bind {
            portal: String::new(),
            statement: String::new(),
            parameter_formats: Vec::new(),
            parameters: Vec::new(),
            result_formats: vec![Format::Text],
        },
        ClientRequest::Execute { portal: String::new(), rows_max: 0 },
        ClientRequest::Sync,
    ]
}

#[derive(Default)]
struct Gathered {
    reply: Reply,
    failure: Option<Failure>,
}

impl Gathered {
    /// True when the answer is complete.
    fn take(&mut self, response: ClientResponse) -> bool {
        match response {
            ClientResponse::Rows(bytes) => read_rows(bytes, &mut self.reply.rows),
            ClientResponse::Complete(tag) => self.reply.tag = tag,
            ClientResponse::Error(severity, error) => {
                let text = error.message().to_string();
                let failure = match error.retry() {
                    Retry::Unknown => Failure::Unknown(error.state(), text),
                    _ => Failure::Refused(error.state(), text),
                };
                self.failure.get_or_insert(failure);
                return severity == Severity::Fatal;
            }
            ClientResponse::Ready(TxnStatus::Idle | TxnStatus::InTransaction | TxnStatus::Failed) => return true,
            _ => {}
        }
        false
    }

    fn result(self) -> Result<Reply, Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.reply),
        }
    }
}

/// `DataRow` messages back to back: a type byte, a length, a count of columns, and each column's length and text.
fn read_rows(mut bytes: Bytes, rows: &mut Vec<Vec<Option<String>>>) {
    while bytes.has_remaining() {
        assert_eq!(bytes.get_u8(), b'D', "only data rows are sent as rows");
        let _length = bytes.get_u32();
        let columns = bytes.get_u16();
        let row = (0..columns)
            .map(|_| {
                let length = bytes.get_i32();
                (length >= 0).then(|| String::from_utf8_lossy(&bytes.split_to(length as usize)).into_owned())
            })
            .collect();
        rows.push(row);
    }
}

/// Polls a task once; true when it has ended.
pub fn poll(task: &mut Task) -> bool {
    let mut context = Context::from_waker(std::task::Waker::noop());
    task.as_mut().poll(&mut context).is_ready()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut;

    fn data_row(columns: &[Option<&str>]) -> Bytes {
        let mut body = Vec::new();
        body.put_u16(columns.len() as u16);
        for column in columns {
            match column {
                Some(text) => {
                    body.put_i32(text.len() as i32);
                    body.put_slice(text.as_bytes());
                }
                None => body.put_i32(-1),
            }
        }
        let mut row = vec![b'D'];
        row.put_u32(body.len() as u32 + 4);
        row.extend(body);
        row.into()
    }

    #[test]
    fn a_client_reads_rows_up_to_ready() {
        let hub = Rc::new(RefCell::new(Hub { gateways: vec![NodeId(1)], ..Hub::default() }));
        let seen = Rc::new(RefCell::new(None));
        let (result, shared) = (seen.clone(), hub.clone());
        let mut task: Task = Box::pin(async move {
            let client = Client::new(1, shared, Prng::new(1), None);
            assert!(client.connect().await);
            *result.borrow_mut() = Some(client.run("SELECT 1; SELECT 2").await);
        });
        assert!(!poll(&mut task));
        hub.borrow_mut().receive(1, SessionId(1), vec![ClientResponse::Ready(TxnStatus::Idle)]);
        assert!(!poll(&mut task));
        let rows = ClientResponse::Rows([data_row(&[Some("7"), None]), data_row(&[Some(""), Some("x")])].concat().into());
        let answers = vec![rows, ClientResponse::Complete("SELECT 2".into()), ClientResponse::Ready(TxnStatus::Idle)];
        hub.borrow_mut().receive(1, SessionId(1), answers);
        assert!(poll(&mut task));
        let reply = seen.take().expect("the task has ended").expect("no error");
        assert_eq!(reply.rows, [[Some("7".to_string()), None], [Some(String::new()), Some("x".to_string())]]);
        assert_eq!((reply.changed(), reply.number(0, 0)), (2, Some(7)));
    }

    #[test]
    fn a_client_that_hears_nothing_loses_its_patience() {
        let hub = Rc::new(RefCell::new(Hub { gateways: vec![NodeId(1)], ..Hub::default() }));
        let shared = hub.clone();
        let mut task: Task = Box::pin(async move {
            let client = Client::new(1, shared, Prng::new(1), None);
            assert!(!client.connect_to(NodeId(1)).await);
        });
        assert!(!poll(&mut task));
        hub.borrow_mut().now = PATIENCE;
        assert!(!poll(&mut task), "it waits a moment before it tries again");
        hub.borrow_mut().now = 2 * PATIENCE;
        assert!(poll(&mut task));
    }
}
