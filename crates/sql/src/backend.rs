//! What a session needs of the node below it. `node` implements it; tests of this crate do so on a map.

use crate::catalog::Catalog;
use crate::client::{ClientRequest, ClientResponse};
use crate::engine::{EngineCommand, EngineEvent, QueryId};
use base::{Error, Now, Result, SchemaVersion, SessionId, ShardId, SlotId, TxnId, Version};
use ledger::{Outcome, Transfer};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use storage::access::{COMMIT_BYTES_MAX, Context, LogPosition, ReadSet, Request, Response, Write};

/// A transaction's changes in one shard, ready to commit.
#[derive(Clone, Debug)]
pub struct CommitPart {
    pub shard: ShardId,
    pub writes: Arc<Vec<Write>>,
    pub reads: ReadSet,
    /// Parts staged before (see `Request::Stage`).
    pub parts: u32,
    /// The transaction holds locks in this shard.
    pub holds_locks: bool,
    /// What was seen there before it was committed (see `Context::seen`).
    pub seen: Option<LogPosition>,
}

/// An answer to wait for.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// All futures are polled by one thread and need not be `Send`. Dropping one gives up waiting, never what was asked.
///
/// An object, not a type parameter: the executor is compiled once, here, and a change below does not compile it again.
pub trait Backend: 'static {
    fn now(&self) -> Now;
    /// From the node's generator: the simulator's seed decides.
    fn random(&self) -> u64;
    fn session(&self) -> SessionId;
    /// The first of `count` timestamps of the ledger, `ledger::TIMESTAMP_STRIDE` nanoseconds apart: above `floor`, above all that this node gave before,
    /// and given by no other node.
    fn ledger_time(&self, floor: u64, count: u32) -> u64;

    /// The catalog as this node knows it; may be behind.
    /// Books a transfer together with those of other sessions, in a transaction that is committed when the outcome is told. `None`: the session
    /// must book it itself.
    fn book(&self, transfer: Transfer) -> Pending<'_, Result<Option<Outcome>>>;

    fn catalog(&self) -> Arc<Catalog>;
    /// Reads the catalog anew from its shard until it is at least this version. If it is that already, asks the shard whether there
    /// is a newer one.
    fn refresh_catalog(&self, at_least: SchemaVersion) -> Pending<'_, Result<Arc<Catalog>>>;

    /// The next request of the client; `None` when it is gone. COPY reads its data here too.
    fn receive(&self) -> Pending<'_, Option<ClientRequest>>;
    /// True if a request is waiting, so that answers need not be flushed yet.
    fn has_request(&self) -> bool;
    /// Queues an answer.
    fn send(&self, response: ClientResponse);
    /// Waits until the client has taken enough of what was sent that more may follow.
    fn drained(&self) -> Pending<'_, ()>;
    /// Set by a cancel request, a statement timeout or shutdown; executors look at it between chunks. While a `call` waits
    /// it ends with the error by itself.
    fn interrupted(&self) -> Option<Error>;
    /// Clears an interrupt that came for an earlier statement, and sets the statement's deadline (`None`: no timeout).
    fn arm(&self, deadline: Option<Duration>);
    fn sleep(&self, duration: Duration) -> Pending<'_, ()>;
    /// Lets the others have their turn. For work that asks nothing of a shard, as requests do that by themselves.
    fn breathe(&self) -> Pending<'_, ()>;

    /// Another session is in a transaction, or waits for an answer.
    fn serves_others(&self) -> bool {
        false
    }

    /// Bytes of writes that one commit carries; above it they are staged.
    fn commit_bytes_max(&self) -> usize {
        COMMIT_BYTES_MAX
    }

    fn shard_of(&self, slot: SlotId) -> ShardId;
    fn shards(&self) -> Vec<ShardId>;
    fn new_txn(&self) -> TxnId;
    /// A snapshot that misses no acknowledged commit of any shard: the freshness round, where more than one node leads.
    fn snapshot(&self) -> Pending<'_, Result<Version>>;
    /// The oldest snapshot this session still reads at, so that its versions are kept. `None`: no open snapshot.
    fn hold_snapshot(&self, snapshot: Option<Version>);

    /// Sends a request to a shard's leader, wherever it is, again where that is safe (`NotLeader`, `Busy`), until it is answered or
    /// the statement is interrupted. Refusals that the session must handle come as [`CallError::StaleSchema`], else as errors.
    fn call(&self, shard: ShardId, request: Request) -> Pending<'_, Result<Response, CallError>>;
    /// The same for several at once; answers in the order asked.
    fn call_all(&self, requests: Vec<(ShardId, Request)>) -> Pending<'_, Vec<Result<Response, CallError>>>;
    /// Commits in one phase (one part) or two (several). Answers only when the outcome is certain; asks for it after a failover.
    fn commit(&self, context: Context, parts: Vec<CommitPart>) -> Pending<'_, Result<Version, CallError>>;
    /// Tells the shards to forget the transaction. Does not wait.
    fn rollback(&self, txn: TxnId, shards: Vec<ShardId>);

    /// True if this node has a vectorised engine (the simulator has none: such statements are refused with `0A000`).
    fn has_engine(&self) -> bool;
    fn new_query(&self) -> QueryId;
    fn engine(&self, command: EngineCommand);
    /// The engine's next word on this query.
    fn engine_event(&self, query: QueryId) -> Pending<'_, EngineEvent>;

    /// Rows of a table that the node itself knows, by name: `florin.nodes`, `florin.shards`, `pg_stat_activity`, … as the engine and the
    /// native executor read them. `None`: no such table.
    fn system_table(&self, name: String) -> Pending<'_, Option<Vec<Vec<crate::value::Value>>>>;
    /// An administrative command of the cluster layer (`drain`, `remove node`, …), reached through SQL functions `florin.*`.
    fn admin(&self, command: String, arguments: Vec<crate::value::Value>) -> Pending<'_, Result<crate::value::Value>>;
}

#[derive(Clone, Debug)]
pub enum CallError {
    /// Refresh the catalog to this version, plan again, run again: nothing was done.
    StaleSchema(SchemaVersion),
    Error(Error),
}

impl From<Error> for CallError {
    fn from(error: Error) -> CallError {
        CallError::Error(error)
    }
}
