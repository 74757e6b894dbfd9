//! What happens to a shard and what it wants done.

use base::{NodeId, RequestId, SchemaVersion, ShardId, TxnId, Version};
use bytes::Bytes;
use std::any::Any;
use std::collections::BTreeSet;
use storage::access::{Request, Response};
use storage::log::Record;

/// A message of the consensus library in our own encoding (never the library's protobuf): see `codec`.
pub type ConsensusMessage = Bytes;

pub enum ShardEvent {
    /// Every `TICK` at least, never two for one interval.
    Tick,
    Message {
        from: NodeId,
        message: ConsensusMessage,
    },
    Request {
        from: NodeId,
        id: RequestId,
        request: Request,
    },
    /// All records handed out in `ShardEffect::Append` up to this ticket are durable.
    Appended {
        ticket: u64,
    },
    /// Whether the log could not be written when that was last tried, because the disk is full.
    DiskFull {
        full: bool,
    },
    /// A job ended.
    Job(JobDone),
    /// Versions below this are needed by no snapshot of any node.
    Horizon(Version),
    /// A gateway died or forgot its sessions: its unprepared transactions are rolled back. `boot`: all boots before this one.
    GatewayGone {
        node: NodeId,
        before_boot: u32,
    },
    /// The node's wish as to who should lead (see `cluster::placement`).
    Control(Control),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Larger is preferred: affects who campaigns first.
    Priority(i64),
    /// Hand leadership over, with the open transactions' locks, failing no request.
    Transfer {
        to: NodeId,
    },
    /// Leader only: change the membership to this (joint consensus; one change at a time, repeat until done).
    Membership {
        voters: Vec<NodeId>,
        witnesses: Vec<NodeId>,
        learners: Vec<NodeId>,
    },
    /// Expected round trip to the farthest voter, which scales election timeouts, and which members are near.
    RoundTrips {
        farthest_micros: u64,
        near: BTreeSet<NodeId>,
    },
    Campaign,
}

pub enum ShardEffect {
    Send {
        to: NodeId,
        message: ConsensusMessage,
    },
    /// Make durable, in order, then tell `Appended { ticket }`.
    Append {
        ticket: u64,
        records: Vec<Record>,
    },
    Reply {
        to: NodeId,
        id: RequestId,
        response: Response,
    },
    /// Run elsewhere, then tell `ShardEvent::Job`.
    Job(Job),
    /// The node's catalog may be behind.
    Schema(SchemaVersion),
    /// This replica's view of the leader changed.
    Leader {
        leader: Option<NodeId>,
        term: u64,
    },
    /// A transaction has waited for a lock for long: part of cross-shard deadlock detection (see `cluster::deadlock`).
    Waiting {
        waiter: TxnId,
        holders: Vec<TxnId>,
    },
    /// A prepared transaction has waited for its decision for long: ask the participants (see `cluster::commit`).
    Undecided {
        txn: TxnId,
        participants: Vec<ShardId>,
    },
    /// Something that an operator should know, found by the scrub.
    Finding(String),
    /// This replica was removed from the shard.
    Removed,
}

/// Work that takes long: flush, checkpoint, snapshot, scrub. Touches only what it was given. Runs on a worker of the shell.
pub struct Job {
    pub id: u64,
    pub name: &'static str,
    /// A client waits for it.
    pub urgent: bool,
    pub run: Box<dyn FnOnce() -> JobResult + Send>,
}

pub type JobResult = base::Result<Box<dyn Any + Send>>;

pub struct JobDone {
    pub id: u64,
    pub result: JobResult,
}
