//! What happens to a node and what it wants done.

use base::{Error, NodeId, SessionId, ShardId};
use bytes::Bytes;
use shard::event::{Job, JobDone};
use sql::client::{ClientRequest, ClientResponse};
use sql::engine::{EngineCommand, EngineEvent, QueryId};
use storage::log::LogWrite;

/// Between two ticks that the shell gives, in microseconds, while anything waits for them.
pub const TICK_MICROS: u64 = 10_000;
/// The same while nothing does: within one of consensus' intervals.
pub const QUIET_TICK_MICROS: u64 = 20_000;
const _: () = assert!(QUIET_TICK_MICROS <= shard::TICK_MICROS);

pub enum Event {
    Tick,
    /// A frame from a peer whose identity the transport has verified. Malformed frames are counted and dropped.
    Peer {
        from: NodeId,
        frame: Bytes,
    },
    /// The outstanding log write ended.
    LogWritten {
        sequence: u64,
        result: Result<(), DiskError>,
    },
    JobDone {
        shard: ShardId,
        done: JobDone,
    },
    /// What one client sent, in order (all that was in the socket).
    Client {
        session: SessionId,
        requests: Vec<ClientRequest>,
    },
    /// The connection is gone: the session ends, its transaction is rolled back.
    ClientGone {
        session: SessionId,
    },
    /// The client's socket took this many responses that were sent before.
    ClientDrained {
        session: SessionId,
        responses: usize,
    },
    /// Another connection asks to cancel what this session runs. The shell has checked the secret key.
    Cancel {
        session: SessionId,
    },
    Engine {
        query: QueryId,
        event: EngineEvent,
    },
    /// Stop serving: drain leaders away, refuse new sessions, answer `Effect::Stopped` when done.
    Drain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskError {
    /// Nothing was written; the same write may be tried again later.
    Full,
}

pub enum Effect {
    /// Messages to one peer, joined into one frame. Delivery is not certain, order is kept while a connection lasts.
    Send {
        to: NodeId,
        frame: Bytes,
    },
    /// At most one at a time. A failed write other than `Full` ends the process: a failed fsync is never retried.
    WriteLog(LogWrite),
    Job {
        shard: ShardId,
        job: Job,
    },
    Client {
        session: SessionId,
        responses: Vec<ClientResponse>,
    },
    /// `read: false`: stop reading from this client until `read: true`, its requests come faster than they are worked off.
    ReadClient {
        session: SessionId,
        read: bool,
    },
    /// Only after a fatal error: close when all responses are sent.
    CloseClient {
        session: SessionId,
    },
    Engine(EngineCommand),
    /// Peers and where to reach them; sent whenever it changes. The shell connects to these.
    Peers(Vec<Peer>),
    /// Nodes that were removed from the cluster and have no say in it any more; sent whenever it changes. The shell refuses them; if
    /// this node is one of them it stops.
    Removed(Vec<NodeId>),
    /// Something an operator should see in the process's log.
    Report(Report),
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub node: NodeId,
    pub address: String,
    pub sql_address: String,
    pub locality: base::Locality,
}

#[derive(Clone, Debug)]
pub enum Report {
    Leader { shard: ShardId, leader: Option<NodeId>, term: u64 },
    Fault(Error),
    Info(String),
}
