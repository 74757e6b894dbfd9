//! How rows are reached: what a transaction asks of a shard's leader, and what it answers.
//!
//! The SQL layer fills these in, the cluster layer routes them, the shard answers them. Keys and rows are opaque
//! bytes here but for one rule: a key starts with the four bytes (big-endian) of its [`StorageId`].

use base::{Error, SchemaVersion, ShardId, SlotId, SqlState, StorageId, TxnId, Version};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

pub type Key = Bytes;
pub type Row = Bytes;

/// Longest key in bytes. Longer index entries are refused with `54000`.
pub const KEY_BYTES_MAX: usize = 8 * 1024;
/// Largest encoded row in bytes. Larger rows are refused with `54000`.
pub const ROW_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most rows that one scan request returns.
pub const SCAN_ROWS_MAX: u32 = 4096;
/// Most bytes of keys and rows that one scan request returns (it may go over by one row).
pub const SCAN_BYTES_MAX: usize = 1024 * 1024;
/// Most bytes of changes that one commit entry carries; a larger transaction stages its rows in parts of this size.
pub const COMMIT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The storage of Florin's own rows (catalog, sequences, marks for the shard); always in slot 0 except where said otherwise.
pub const SYSTEM_STORAGE: StorageId = StorageId(0);
/// In every shard: the schema version (8 bytes, big-endian) that a request must not be older than. Written by each schema change.
pub const SCHEMA_KEY: &[u8] = b"\0\0\0\0schema";
/// In every shard: this prefix and a storage id (4 bytes, big-endian). A committed write of such a key (any row) says that no
/// descriptor names that storage any more: the shard removes its rows later and needs to keep nothing of the mark itself.
pub const DROP_KEY_PREFIX: &[u8] = b"\0\0\0\0drop";
/// In slot 0: this prefix, a kind (1 byte) and an oid (4 bytes, big-endian): the rows of the catalog.
pub const CATALOG_KEY_PREFIX: &[u8] = b"\0\0\0\0catalog";
/// In slot 0: this prefix and the oid of a sequence (4 bytes, big-endian): its state, kept by [`Request::Sequence`].
pub const SEQUENCE_KEY_PREFIX: &[u8] = b"\0\0\0\0sequence";
/// Written once, by the leader of a shard that was founded before there was evidence: its replicas keep evidence from this entry on.
pub const EVIDENCE_KEY: &[u8] = b"\0\0\0\0evidence";
/// Storages whose rows, once committed, never change and are recorded as the ledger's evidence: those of `ledger.transfers` and `ledger.entries`.
pub const RECORDED_STORAGES: [StorageId; 2] = [StorageId(3), StorageId(4)];
/// Of these, the entries: each key is written by one commit, so that nobody has to look for what was there before.
pub const WRITTEN_ONCE: StorageId = RECORDED_STORAGES[1];
/// [`Write::base`] of a key that needs no lock of its own because another locked key guards it (an index entry is guarded by
/// its row): not checked.
pub const BASE_GUARDED: Version = Version::MAX;

/// How the refusal of a transaction ends that was lost because something of it was.
pub const LOST_WITH_LEADER: &str = "lost with an earlier leader";

/// `40001` for a transaction: what it held or saw went with its leader.
pub fn lost_with_leader(what: &str) -> Error {
    Error::new(SqlState::SERIALIZATION_FAILURE, format!("could not serialize access: {what} {LOST_WITH_LEADER}"))
}

/// The storage id that a key starts with.
pub fn storage_of(key: &[u8]) -> StorageId {
    match key.first_chunk::<4>() {
        Some(prefix) => StorageId(u32::from_be_bytes(*prefix)),
        None => StorageId(0),
    }
}

/// PostgreSQL's four row locks, from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LockMode {
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
}

impl LockMode {
    /// The table of PostgreSQL's documentation, 13.3.2 "Row-Level Locks".
    pub fn conflicts(self, other: LockMode) -> bool {
        use LockMode::{KeyShare, NoKeyUpdate, Share, Update};
        match (self, other) {
            (Update, _) | (_, Update) => true,
            (NoKeyUpdate, KeyShare) | (KeyShare, NoKeyUpdate) => false,
            (NoKeyUpdate, _) | (_, NoKeyUpdate) => true,
            (Share | KeyShare, Share | KeyShare) => false,
        }
    }
}

/// What to do when a lock is held by another transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LockWait {
    /// Wait in the queue, at most this long (`lock_timeout`; the statement's own timeout comes from the session).
    Wait(Option<Duration>),
    /// Refuse with `55P03`.
    NoWait,
    /// Answer as if the row were not there.
    SkipLocked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Isolation {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// What a read sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Snapshot {
    /// Everything committed when the leader executes; the answer says which version that was.
    Latest,
    /// All versions up to and including this one.
    At(Version),
}

/// An entry of a shard's log. A log that holds it holds everything that its proposer had applied before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogPosition {
    pub term: u64,
    pub index: u64,
}

/// What every request of a transaction carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    pub txn: TxnId,
    pub isolation: Isolation,
    pub snapshot: Snapshot,
    /// The schema that the statement was planned with. A shard that has a newer one answers [`Refusal::StaleSchema`];
    /// one that has an older one waits until it has caught up.
    pub schema: SchemaVersion,
    /// True if the transaction already holds locks in this shard. A leader that does not know them (it is new) answers
    /// `40001`: the locks were lost.
    pub holds_locks: bool,
    /// The newest entry that the transaction saw in this shard before it was committed ([`Response::Rows`]). A leader whose log
    /// does not hold it answers `40001`: what the transaction read never became true.
    pub seen: Option<LogPosition>,
    /// May be answered by any replica that has closed the snapshot's version, not only by the leader.
    pub follower: bool,
    /// Shows the rows that the transaction has staged, with the version [`Version::ZERO`].
    pub sees_staged: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRead {
    pub key: Key,
    /// With a lock the answer is the newest committed row, not the snapshot's, as PostgreSQL does; in REPEATABLE READ and
    /// SERIALIZABLE a row newer than the snapshot is refused with `40001`. An absent key can be locked too.
    pub lock: Option<LockMode>,
}

/// Half-open range of keys `[start, end)`; an empty `end` means no upper end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyRange {
    pub start: Key,
    pub end: Key,
}

/// One change of a transaction. `row: None` deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    pub key: Key,
    pub row: Option<Row>,
    /// The version that the transaction saw under its lock (`Version::ZERO`: absent). Asserted by the leader when the lock is
    /// held; if the locks were lost with an earlier leader, the commit goes through only if all bases still hold.
    /// [`BASE_GUARDED`]: not checked.
    pub base: Version,
}

/// What a transaction relies on beside what it writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSet {
    /// What a serializable transaction read, validated at commit: nothing in it may be newer than the snapshot.
    pub keys: Vec<Key>,
    pub ranges: Vec<KeyRange>,
    /// Rows that were locked and not written, at any isolation level, with the version seen under the lock
    /// (`Version::ZERO`: absent). Validated only if the locks were lost with an earlier leader: all must be as they were.
    pub locked: Vec<(Key, Version)>,
    /// More was locked than the list holds: if the locks were lost, the transaction is.
    pub locked_more: bool,
}

impl ReadSet {
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.ranges.is_empty() && self.locked.is_empty() && !self.locked_more
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Reads, and locks where asked, all keys in order. Answer: [`Response::Rows`], one per key.
    Read { context: Context, reads: Vec<KeyRead>, wait: LockWait },
    /// Rows of a range in key order (`reverse`: from its end). Answer: [`Response::Scanned`].
    Scan { context: Context, range: KeyRange, reverse: bool, rows_max: u32 },
    /// Locks whole tables against every other transaction's writes (`exclusive`), as schema changes do.
    /// Row locks already imply the shared table lock. Answer: [`Response::Done`].
    LockTables { context: Context, tables: Vec<StorageId>, exclusive: bool, wait: LockWait },
    /// Logs a part of a large transaction; invisible to others until its commit. A later part replaces rows of earlier ones. Parts are numbered from 0;
    /// one that arrives before its predecessor is refused as busy. Answer: [`Response::Done`].
    /// The transaction must hold the exclusive lock of each table concerned. `changes`: bytes of a [`crate::packed::Packed`].
    Stage { context: Context, part: u32, changes: Bytes },
    /// One-phase commit: the transaction wrote in this shard only. `parts`: how many were staged. Answer: [`Response::Committed`].
    /// Sent again after a lost answer it gives the same outcome.
    Commit { context: Context, writes: Arc<Vec<Write>>, reads: ReadSet, parts: u32 },
    /// First phase of a commit over several shards. Answer: [`Response::Prepared`].
    Prepare { context: Context, writes: Arc<Vec<Write>>, reads: ReadSet, parts: u32, participants: Vec<ShardId> },
    /// Second phase: `Some(version)` commits at it, `None` aborts. Repeatable. Answer: [`Response::Done`].
    Decide { txn: TxnId, version: Option<Version> },
    /// What became of a transaction; with `refuse` a participant that has not prepared it logs that it never will.
    /// `recovery`: a participant that has prepared it and knows no decision asks. Answer: [`Response::Outcome`].
    Inquire { txn: TxnId, refuse: bool, recovery: bool },
    /// Forgets locks, waits and staged parts of a transaction. Repeatable. Answer: [`Response::Done`].
    Rollback { txn: TxnId },
    /// Stops waiting for a lock: the waiting request is answered with `57014`. No answer of its own.
    CancelWait { txn: TxnId },
    /// Takes `count` numbers of a sequence whose row is `key`. Answer: [`Response::Sequence`].
    /// `increment` and bounds come from the catalog; the state row is made on first use with `start`.
    Sequence { key: Key, start: i64, increment: i64, min: i64, max: i64, cycle: bool, count: u32 },
    /// Sets a sequence: the next number is `value`, or the one after it if `called`. Answer: [`Response::Done`].
    SetSequence { key: Key, value: i64, called: bool },
    /// Waits until an entry that the transaction saw is committed. Answer: [`Response::Done`], or `40001` if it was lost.
    Settle { seen: LogPosition },
    /// The leader's clock, not behind any version it has acknowledged. Answer: [`Response::Clock`].
    Clock,
    /// Every participant has logged the decision of this transaction: none will ask for it again. No answer.
    Settled { txn: TxnId },
    /// Asks for evidence of what the shard committed. Answer: [`Response::Evidence`].
    Evidence(EvidenceRequest),
}

/// What evidence is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EvidenceRequest {
    /// A signed statement of all that was committed so far.
    Checkpoint,
    /// That a row is as it was committed, in the tree of this size (`None`: of a checkpoint signed now). Refused with `XX001` if it is not.
    Inclusion { key: Key, size: Option<u64> },
    /// That the newer tree (`None`: of a checkpoint signed now) continues the older one.
    Consistency { older: u64, newer: Option<u64> },
}

/// The parts of a proof; the crate `proof` tells what they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The record and its place, if one was asked for.
    pub record: Option<(Bytes, u64)>,
    pub path: Vec<[u8; 32]>,
    /// A signed note, unless the caller named a size and so has one.
    pub checkpoint: Option<String>,
    /// The key, as text, with which this leader signs.
    pub key: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub version: Version,
    pub row: Row,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Never heard of, or forgotten because it is older than the memory of outcomes.
    Unknown,
    /// Running: holds locks or staged parts here, nothing decided.
    Active,
    Prepared(Version),
    Committed(Version),
    Aborted,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// One for each key asked: the row, or `None` if there is none. `skipped` lists positions left out by SKIP LOCKED.
    /// `seen`: rows read under locks are answered before the entry that wrote them is committed, so that a chain of transactions
    /// on one row does not wait for the majority at each link. Nobody outside may hear of them before a commit here or
    /// [`Request::Settle`] says that they are.
    Rows {
        rows: Vec<Option<Found>>,
        skipped: Vec<u32>,
        snapshot: Version,
        seen: Option<LogPosition>,
    },
    /// `resume`: where the next request starts (its `start`, or its `end` if reverse); `None` when the range is finished.
    Scanned {
        rows: Vec<(Key, Found)>,
        resume: Option<Key>,
        snapshot: Version,
    },
    Committed {
        version: Version,
    },
    Prepared {
        version: Version,
    },
    Outcome(Outcome),
    Sequence {
        first: i64,
        count: u32,
    },
    Clock {
        version: Version,
    },
    Evidence(Evidence),
    Done,
    Refused(Refusal),
}

/// Why a shard did not do what it was asked. Nothing was changed, unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// Ask this node instead; `None` when no leader is known at the moment: wait and ask again. Nothing was done.
    NotLeader(Option<base::NodeId>),
    /// Leadership is being handed over, or the leader's lease ran out: wait and ask again. Nothing was done.
    Busy,
    /// The slot is not here (any more).
    WrongShard(SlotId),
    /// Refresh the catalog to this version or newer and plan again.
    StaleSchema(SchemaVersion),
    /// What the client is told.
    Error(Error),
    /// As `NotLeader`, but the leadership was lost after the request was logged: it may still take effect.
    Lost(Option<base::NodeId>),
}
