//! Requests at the leader: reading, locking, and putting aside what must wait.
//!
//! A request that waits (for a lock, for a decision, for a schema) is kept whole with how far it got, and taken up again when
//! what it waits for has happened. Each wait has an end.

use crate::entry::{LogEntry, Resource};
use crate::event::ShardEffect;
use crate::fetch::{Fetching, set_snapshot};
use crate::held_back::HeldBack;
use crate::locks::WaiterId;
use crate::planted::{self, Bug};
use crate::read::Seen;
use crate::settling::Settling;
use crate::shard::{Shard, due};
use crate::state::BOUND;
use base::{Error, Mono, NodeId, RequestId, SqlState, StorageId, TxnId, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use storage::access::{
    Context, Found, Isolation, Key, KeyRead, LockMode, LockWait, LogPosition, Refusal, Request, Response, Snapshot, lost_with_leader,
    storage_of,
};

/// Requests that may wait for a decision or a schema in one shard.
const DELAYED_MAX: usize = 16 * 1024;
/// How long a request waits for the decision on a row before its sender is asked to try again.
const DECISION_WAIT: Duration = Duration::from_secs(5);
/// How long a request waits for the schema that it was planned with.
const SCHEMA_WAIT: Duration = Duration::from_millis(500);
/// After what time a wait for a lock is reported, and reported again.
const REPORT_AFTER: Duration = Duration::from_millis(200);
const REPORT_AGAIN: Duration = Duration::from_secs(1);
/// After what time a prepared transaction without a decision is reported, and reported again.
const UNDECIDED_AFTER: Duration = Duration::from_secs(1);
/// How long a transaction is remembered whose locks were given up: longer than its requests are on their way.
const DROPPED_KEPT: Duration = Duration::from_secs(120);
/// So many are remembered at most; then the oldest are forgotten.
const DROPPED_MAX: usize = 64 * 1024;
/// A snapshot further ahead of this node's clock than this is a fault of another clock, and refused.
const CLOCK_AHEAD_MAX: Duration = Duration::from_secs(3600);

pub(crate) type Answer = Result<(Response, u64), Refusal>;

/// A request and how far it got.
pub(crate) struct Pending {
    pub from: NodeId,
    pub id: RequestId,
    pub request: Request,
    pub next: usize,
    rows: Vec<Option<Found>>,
    skipped: Vec<u32>,
    /// The log entry that the answer must wait for.
    index: u64,
    /// When it first had to wait.
    since: Option<Mono>,
    /// How often rows were read for it.
    pub fetches: u32,
}

impl Pending {
    /// This transaction waits in it for locks that it does not get.
    pub fn would_wait(&self, txn: TxnId) -> bool {
        match &self.request {
            Request::Read { context, wait: LockWait::Wait(_), .. } | Request::LockTables { context, wait: LockWait::Wait(_), .. } => {
                context.txn == txn
            }
            _ => false,
        }
    }

    /// It may take locks for this transaction.
    pub fn locks_for(&self, txn: TxnId) -> bool {
        matches!(&self.request, Request::Read { context, reads, .. } if context.txn == txn && reads.iter().any(|read| read.lock.is_some()))
    }
}

/// What a request that cannot be answered yet waits for.
enum Wait {
    Lock { txn: TxnId, resource: Resource, mode: LockMode, limit: Option<Duration> },
    Decision(TxnId),
    Schema,
}

enum Turn {
    Answer(Answer),
    Wait(Wait),
}

enum Locking {
    Granted,
    Skipped,
    Refused(Error),
    Blocked(Resource, LockMode, Option<Duration>),
}

struct Parked {
    pending: Pending,
    deadline: Option<Mono>,
    report_at: Mono,
    txn: TxnId,
}

struct Delayed {
    pending: Pending,
    deadline: Mono,
    /// `None`: waits for a schema.
    txn: Option<TxnId>,
}

#[derive(Default)]
pub(crate) struct Requests {
    parked: BTreeMap<WaiterId, Parked>,
    deadlines: BTreeSet<(Mono, WaiterId)>,
    reports: BTreeSet<(Mono, WaiterId)>,
    delayed: Vec<Delayed>,
    next_waiter: WaiterId,
    /// When each prepared transaction is next reported as undecided.
    undecided: BTreeMap<TxnId, Mono>,
    pub settling: Settling,
    pub schema_changed: bool,
    /// Transactions whose locks were given up because their gateway was silent, with when that was. What they still ask for may
    /// have been answered before; it must not lock anew what others have changed since.
    dropped: BTreeMap<TxnId, Mono>,
    pub held_back: HeldBack,
    pub fetching: Fetching,
}

impl Requests {
    pub fn waiting(&self) -> usize {
        self.parked.len() + self.delayed.len() + self.fetching.len()
    }

    fn take_parked(&mut self, waiter: WaiterId) -> Option<Parked> {
        let parked = self.parked.remove(&waiter)?;
        if let Some(deadline) = parked.deadline {
            self.deadlines.remove(&(deadline, waiter));
        }
        self.reports.remove(&(parked.report_at, waiter));
        Some(parked)
    }
}

pub(crate) fn lock_timeout() -> Error {
    Error::new(SqlState::LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout")
}

pub(crate) fn locks_lost() -> Refusal {
    Refusal::Error(locks_lost_error())
}

pub(crate) fn locks_lost_error() -> Error {
    lost_with_leader("the transaction's locks were")
}

fn seen_lost() -> Refusal {
    Refusal::Error(lost_with_leader("what the transaction read was"))
}

fn deadlock_error(cycle: &[TxnId]) -> Error {
    let names: Vec<String> = cycle.iter().map(TxnId::to_string).collect();
    Error::new(SqlState::DEADLOCK_DETECTED, "deadlock detected")
        .with_detail(format!("These transactions wait for each other: {}.", names.join(", ")))
}

impl Shard {
    pub(crate) fn request(&mut self, from: NodeId, id: RequestId, request: Request) {
        if let Request::CancelWait { txn } = request {
            let canceled = Error::new(SqlState::QUERY_CANCELED, "canceling statement due to user request");
            self.fail_waits(txn, &canceled);
            for pending in self.requests.held_back.take_waits_of(txn) {
                self.refuse(pending.from, pending.id, Refusal::Error(canceled.clone()));
            }
            return;
        }
        if let Request::Settled { txn } = request {
            self.settled_everywhere(txn);
            return;
        }
        self.take_up(Pending { from, id, request, next: 0, rows: Vec::new(), skipped: Vec::new(), index: 0, since: None, fetches: 0 });
    }

    pub(crate) fn take_up(&mut self, mut pending: Pending) {
        if self.serves() {
            self.run(pending);
            return;
        }
        if let Some(snapshot) = self.follower_snapshot(&pending.request) {
            set_snapshot(&mut pending.request, snapshot);
            match self.fetch_first(pending) {
                Some(ready) => pending = ready,
                None => return,
            }
        }
        self.go_on(pending);
    }

    /// What it needs of the store was read, or can be.
    pub(crate) fn go_on(&mut self, pending: Pending) {
        if self.serves() {
            self.carry_out(pending);
        } else if let Some(response) = self.follower_read(&pending.request) {
            self.effects.push(ShardEffect::Reply { to: pending.from, id: pending.id, response });
        } else {
            self.hold_back(pending);
        }
    }

    /// At a leader.
    pub(crate) fn run(&mut self, pending: Pending) {
        if let Some(pending) = self.fetch_first(pending) {
            self.carry_out(pending);
        }
    }

    fn carry_out(&mut self, mut pending: Pending) {
        if let Request::Evidence(wanted) = pending.request {
            self.prove(pending.from, pending.id, wanted);
            return;
        }
        match self.turn(&mut pending) {
            Turn::Answer(Ok((response, index))) => self.reply(pending.from, pending.id, response, index),
            Turn::Answer(Err(refusal)) => self.refuse(pending.from, pending.id, refusal),
            Turn::Wait(wait) => self.put_aside(pending, wait),
        }
    }

    /// Goes on with a request as far as it gets.
    fn turn(&mut self, pending: &mut Pending) -> Turn {
        let request = std::mem::replace(&mut pending.request, Request::Clock);
        let turn = self.turn_of(pending, &request);
        pending.request = request;
        turn
    }

    fn turn_of(&mut self, pending: &mut Pending, request: &Request) -> Turn {
        let answer = match request {
            Request::Read { context, reads, wait } => return self.read(pending, context, reads, *wait),
            Request::Scan { context, range, reverse, rows_max } => {
                return self.scan(context, range, *reverse, *rows_max);
            }
            Request::LockTables { context, tables, exclusive, wait } => {
                return self.lock_tables(pending, context, tables, *exclusive, *wait);
            }
            Request::Stage { context, part, changes } => self.stage(context, *part, changes),
            Request::Commit { context, writes, reads, parts } => self.commit(context, writes, reads, *parts),
            Request::Prepare { context, writes, reads, parts, participants } => self.prepare(context, writes, reads, *parts, participants),
            Request::Decide { txn, version } => self.decide(*txn, *version),
            Request::Inquire { txn, refuse, recovery } => self.inquire(*txn, *refuse, *recovery),
            Request::Rollback { txn } => self.rollback(*txn),
            Request::CancelWait { .. } | Request::Settled { .. } | Request::Evidence(_) => {
                unreachable!("it is answered elsewhere and never put aside")
            }
            Request::Sequence { key, start, increment, min, max, cycle, count } => {
                self.sequence(key, *start, *increment, *min, *max, *cycle, *count)
            }
            Request::SetSequence { key, value, called } => self.set_sequence(key, *value, *called),
            Request::Settle { seen } => self.settle_seen(*seen),
            Request::Clock => self.take_snapshot().map(|(version, index)| (Response::Clock { version }, index)),
        };
        Turn::Answer(answer)
    }

    // Snapshots.

    /// A snapshot of everything so far, and the entry that an answer with it must wait for.
    pub(crate) fn take_snapshot(&mut self) -> Result<(Version, u64), Refusal> {
        let snapshot = self.clock.read(self.now.wall);
        Ok((snapshot, self.allow(snapshot)?))
    }

    /// Makes sure that the next leader's clock will start above this snapshot; answers the entry that must be committed for that.
    fn allow(&mut self, snapshot: Version) -> Result<u64, Refusal> {
        if let Some(index) = self.state.allowance.index_of(snapshot) {
            return Ok(index);
        }
        self.propose(LogEntry::ClockBound { version: snapshot.plus(BOUND) })
    }

    pub(crate) fn admit(&mut self, snapshot: Snapshot) -> Result<(Version, u64), Refusal> {
        let Snapshot::At(version) = snapshot else { return self.take_snapshot() };
        if let Some(error) = self.state.snapshot_too_old(version) {
            return Err(Refusal::Error(error));
        }
        let latest = Version::from_millis(self.now.wall.0 / 1000).max(self.clock.last()).plus(CLOCK_AHEAD_MAX);
        if version > latest {
            return Err(Refusal::Error(Error::internal("a snapshot lies further in the future than clocks may differ")));
        }
        self.clock.observe(version);
        Ok((version, self.allow(version)?))
    }

    /// A request planned with another schema is refused, or waits until the shard has caught up.
    fn fence(&self, context: &Context) -> Option<Turn> {
        if context.schema < self.state.schema {
            return Some(Turn::Answer(Err(Refusal::StaleSchema(self.state.schema))));
        }
        (context.schema > self.state.schema).then_some(Turn::Wait(Wait::Schema))
    }

    // Reads.

    fn read(&mut self, pending: &mut Pending, context: &Context, reads: &[KeyRead], wait: LockWait) -> Turn {
        if let Some(turn) = self.fence(context) {
            return turn;
        }
        if let Err(refusal) = self.check_held(context) {
            return Turn::Answer(Err(refusal));
        }
        let (snapshot, index) = match self.admit(context.snapshot) {
            Ok(admitted) => admitted,
            Err(refusal) => return Turn::Answer(Err(refusal)),
        };
        pending.index = pending.index.max(index);
        while let Some(read) = reads.get(pending.next) {
            let seen = match self.read_one(pending, context, read, wait, snapshot) {
                Ok(seen) => seen,
                Err(turn) => return turn,
            };
            pending.index = pending.index.max(seen.index);
            pending.rows.push(seen.found());
            pending.next += 1;
        }
        let rows = std::mem::take(&mut pending.rows);
        let skipped = std::mem::take(&mut pending.skipped);
        let seen = self.seen_early(reads, pending.index);
        let index = if seen.is_some() { 0 } else { pending.index };
        Turn::Answer(Ok((Response::Rows { rows, skipped, snapshot, seen }, index)))
    }

    /// Rows under locks are answered at once. The transaction's own commit comes later in this log, so it is lost with what it
    /// saw; until then its session tells nobody.
    fn seen_early(&self, reads: &[KeyRead], index: u64) -> Option<LogPosition> {
        let locked = !reads.is_empty() && reads.iter().all(|read| read.lock.is_some());
        (locked && index > self.consensus.committed()).then(|| LogPosition { term: self.consensus.term(), index })
    }

    fn settle_seen(&self, seen: LogPosition) -> Answer {
        self.check_seen(Some(seen))?;
        let index = if planted::active(Bug::TellEarly) { 0 } else { seen.index };
        Ok((Response::Done, index))
    }

    /// What the transaction holds and saw here must still be so.
    fn check_held(&self, context: &Context) -> Result<(), Refusal> {
        let lost = context.holds_locks && !self.locks.knows(context.txn);
        if lost || self.requests.dropped.contains_key(&context.txn) {
            return Err(locks_lost());
        }
        self.check_seen(context.seen)
    }

    /// The locks of these were given up while their gateway may still go on.
    pub(crate) fn remember_dropped(&mut self, txns: impl Iterator<Item = TxnId>) {
        let now = self.now.mono;
        self.requests.dropped.retain(|_, since| now.since(*since) < DROPPED_KEPT);
        self.requests.dropped.extend(txns.map(|txn| (txn, now)));
        while self.requests.dropped.len() > DROPPED_MAX {
            // Ids grow with time.
            self.requests.dropped.pop_first();
        }
    }

    /// # Errors
    /// If the log does not hold the entry, or does not reach back far enough to tell.
    pub(crate) fn check_seen(&self, seen: Option<LogPosition>) -> Result<(), Refusal> {
        let Some(LogPosition { term, index }) = seen else { return Ok(()) };
        // A leader never gives up an entry of its own term.
        let held = term == self.consensus.term() || self.consensus.log().term_at(index) == Some(term);
        if held || planted::active(Bug::ForgetSeen) { Ok(()) } else { Err(seen_lost()) }
    }

    fn read_one(
        &mut self,
        pending: &mut Pending,
        context: &Context,
        read: &KeyRead,
        wait: LockWait,
        snapshot: Version,
    ) -> Result<Seen, Turn> {
        let failed = |error| Turn::Answer(Err(Refusal::Error(error)));
        let Some(mode) = read.lock else {
            if let Some(txn) = self.state.undecided(&read.key, snapshot) {
                return Err(Turn::Wait(Wait::Decision(txn)));
            }
            let own = self.own_staged(context, &read.key).map_err(failed)?;
            return own.map_or_else(|| self.state.get(&read.key, snapshot), Ok).map_err(failed);
        };
        match self.lock_row(context.txn, &read.key, mode, wait) {
            Locking::Granted => {}
            Locking::Skipped => {
                pending.skipped.push(pending.next as u32);
                return Ok(Seen::default());
            }
            Locking::Refused(error) => return Err(failed(error)),
            Locking::Blocked(resource, mode, limit) => {
                return Err(Turn::Wait(Wait::Lock { txn: context.txn, resource, mode, limit }));
            }
        }
        if let Some(own) = self.own_staged(context, &read.key).map_err(failed)? {
            return Ok(own);
        }
        let seen = self.state.newest(&read.key).map_err(failed)?;
        if context.isolation != Isolation::ReadCommitted && matches!(context.snapshot, Snapshot::At(at) if seen.version > at) {
            return Err(failed(Error::new(SqlState::SERIALIZATION_FAILURE, "could not serialize access due to concurrent update")));
        }
        Ok(seen)
    }

    fn own_staged(&self, context: &Context, key: &Key) -> base::Result<Option<Seen>> {
        if context.sees_staged { self.state.get_staged(context.txn, key) } else { Ok(None) }
    }

    fn scan(&mut self, context: &Context, range: &storage::access::KeyRange, reverse: bool, rows_max: u32) -> Turn {
        if let Some(turn) = self.fence(context) {
            return turn;
        }
        if let Err(refusal) = self.check_held(context) {
            return Turn::Answer(Err(refusal));
        }
        let (snapshot, index) = match self.admit(context.snapshot) {
            Ok(admitted) => admitted,
            Err(refusal) => return Turn::Answer(Err(refusal)),
        };
        match self.state.scan(range, reverse, rows_max, snapshot, context.sees_staged.then_some(context.txn)) {
            Err(error) => Turn::Answer(Err(Refusal::Error(error))),
            Ok(scanned) => match scanned.blocked {
                Some(txn) => Turn::Wait(Wait::Decision(txn)),
                None => {
                    Turn::Answer(Ok((Response::Scanned { rows: scanned.rows, resume: scanned.resume, snapshot }, index.max(scanned.index))))
                }
            },
        }
    }

    /// What a replica that does not lead may answer: reads at or below the version that the leader closed.
    fn follower_snapshot(&self, request: &Request) -> Option<Version> {
        let (Request::Read { context, .. } | Request::Scan { context, .. }) = request else { return None };
        let heard = self.consensus.heard;
        if !context.follower || context.sees_staged || !self.rows || self.state.applied < heard.index || context.schema != self.state.schema
        {
            return None;
        }
        let snapshot = match context.snapshot {
            Snapshot::Latest => heard.closed,
            Snapshot::At(version) => version,
        };
        (snapshot <= heard.closed && snapshot >= self.state.horizon).then_some(snapshot)
    }

    fn follower_read(&mut self, request: &Request) -> Option<Response> {
        let snapshot = self.follower_snapshot(request)?;
        match request {
            Request::Read { reads, .. } => {
                let mut rows = Vec::with_capacity(reads.len());
                for read in reads {
                    if read.lock.is_some() || self.state.undecided(&read.key, snapshot).is_some() {
                        return None;
                    }
                    rows.push(self.state.get(&read.key, snapshot).ok()?.found());
                }
                Some(Response::Rows { rows, skipped: Vec::new(), snapshot, seen: None })
            }
            Request::Scan { range, reverse, rows_max, .. } => {
                let scanned = self.state.scan(range, *reverse, *rows_max, snapshot, None).ok()?;
                let (rows, resume) = (scanned.rows, scanned.resume);
                scanned.blocked.is_none().then_some(Response::Scanned { rows, resume, snapshot })
            }
            _ => None,
        }
    }

    // Locks.

    fn lock_row(&mut self, txn: TxnId, key: &Key, mode: LockMode, wait: LockWait) -> Locking {
        let table = Resource::Table(storage_of(key));
        match self.lock(txn, table, LockMode::KeyShare, wait) {
            Locking::Granted => self.lock(txn, Resource::Row(key.clone()), mode, wait),
            other => other,
        }
    }

    fn lock(&mut self, txn: TxnId, resource: Resource, mode: LockMode, wait: LockWait) -> Locking {
        if self.locks.acquire(txn, &resource, mode) {
            return Locking::Granted;
        }
        match wait {
            LockWait::SkipLocked => Locking::Skipped,
            LockWait::NoWait => Locking::Refused(Error::new(SqlState::LOCK_NOT_AVAILABLE, "could not obtain lock on row")),
            LockWait::Wait(_) if self.locks.is_full(&resource) => Locking::Refused(
                Error::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, "too many requests wait for locks").with_retry(base::Retry::Request),
            ),
            LockWait::Wait(limit) => Locking::Blocked(resource, mode, limit),
        }
    }

    fn lock_tables(&mut self, pending: &mut Pending, context: &Context, tables: &[StorageId], exclusive: bool, wait: LockWait) -> Turn {
        if let Some(turn) = self.fence(context) {
            return turn;
        }
        if let Err(refusal) = self.check_held(context) {
            return Turn::Answer(Err(refusal));
        }
        let mode = if exclusive { LockMode::Update } else { LockMode::KeyShare };
        while let Some(table) = tables.get(pending.next) {
            match self.lock(context.txn, Resource::Table(*table), mode, wait) {
                Locking::Granted => pending.next += 1,
                Locking::Skipped => return Turn::Answer(Err(Refusal::Error(lock_timeout()))),
                Locking::Refused(error) => return Turn::Answer(Err(Refusal::Error(error))),
                Locking::Blocked(resource, mode, limit) => {
                    return Turn::Wait(Wait::Lock { txn: context.txn, resource, mode, limit });
                }
            }
        }
        Turn::Answer(Ok((Response::Done, 0)))
    }

    // Waiting.

    fn put_aside(&mut self, mut pending: Pending, wait: Wait) {
        let since = *pending.since.get_or_insert(self.now.mono);
        pending.fetches = 0;
        match wait {
            Wait::Lock { txn, resource, mode, limit } => {
                self.requests.next_waiter += 1;
                let waiter = self.requests.next_waiter;
                self.locks.wait(waiter, txn, &resource, mode);
                let deadline = limit.map(|limit| since.after(limit));
                let report_at = self.now.mono.after(REPORT_AFTER);
                if let Some(deadline) = deadline {
                    self.requests.deadlines.insert((deadline, waiter));
                }
                self.requests.reports.insert((report_at, waiter));
                self.requests.parked.insert(waiter, Parked { pending, deadline, report_at, txn });
                self.break_deadlocks(txn);
            }
            Wait::Decision(txn) => self.delay(pending, since.after(DECISION_WAIT), Some(txn)),
            Wait::Schema => self.delay(pending, since.after(SCHEMA_WAIT), None),
        }
    }

    fn delay(&mut self, pending: Pending, deadline: Mono, txn: Option<TxnId>) {
        if self.requests.delayed.len() >= DELAYED_MAX || self.now.mono >= deadline {
            self.refuse(pending.from, pending.id, Refusal::Busy);
        } else {
            self.requests.delayed.push(Delayed { pending, deadline, txn });
        }
    }

    /// Each cycle of waits that a new waiter closed costs the youngest transaction in it its wait.
    fn break_deadlocks(&mut self, txn: TxnId) {
        while let Some(cycle) = self.locks.deadlock(txn) {
            let victim = *cycle.iter().max().expect("a cycle has members");
            self.fail_waits(victim, &deadlock_error(&cycle));
            assert!(self.locks.waits_of(victim).is_empty(), "a victim waits no more");
        }
    }

    pub(crate) fn fail_waits(&mut self, txn: TxnId, error: &Error) {
        for waiter in self.locks.waits_of(txn) {
            assert!(self.locks.cancel(waiter), "a listed waiter waits");
            self.answer_parked(waiter, error.clone());
        }
        for pending in self.requests.fetching.take_locking(txn) {
            self.refuse(pending.from, pending.id, Refusal::Error(error.clone()));
        }
    }

    fn answer_parked(&mut self, waiter: WaiterId, error: Error) {
        let parked = self.requests.take_parked(waiter).expect("who waits for a lock was put aside");
        self.refuse(parked.pending.from, parked.pending.id, Refusal::Error(error));
    }

    /// Takes up the requests whose locks were granted, until no more are.
    pub(crate) fn resume_granted(&mut self) {
        loop {
            let granted = self.locks.take_granted();
            if granted.is_empty() {
                break;
            }
            for waiter in granted {
                if let Some(parked) = self.requests.take_parked(waiter) {
                    if self.serves() { self.run(parked.pending) } else { self.hold_back(parked.pending) }
                }
            }
        }
        if std::mem::take(&mut self.requests.schema_changed) {
            self.resume_delayed(|delayed| delayed.txn.is_none());
        }
    }

    /// After entries were applied: readers that waited for their decision go on.
    pub(crate) fn decided(&mut self) {
        if self.state.decided.is_empty() {
            return;
        }
        let decided = std::mem::take(&mut self.state.decided);
        for txn in &decided {
            self.requests.undecided.remove(txn);
        }
        if !self.requests.delayed.is_empty() {
            self.resume_delayed(|delayed| delayed.txn.is_some_and(|txn| decided.contains(&txn)));
        }
    }

    fn resume_delayed(&mut self, which: impl Fn(&Delayed) -> bool) {
        let delayed = std::mem::take(&mut self.requests.delayed);
        let (go_on, stay): (Vec<_>, Vec<_>) = delayed.into_iter().partition(which);
        self.requests.delayed = stay;
        for delayed in go_on {
            if self.serves() { self.run(delayed.pending) } else { self.hold_back(delayed.pending) }
        }
    }

    /// What waits for locks, decisions or schemas waits for the end of a handover instead, in its order.
    pub(crate) fn hold_all_back(&mut self) {
        for pending in self.take_waiting() {
            self.hold_back(pending);
        }
    }

    pub(crate) fn refuse_all_waiting(&mut self, refusal: &Refusal) {
        let mut waiting = self.take_waiting();
        waiting.extend(self.requests.held_back.take());
        for pending in waiting {
            self.refuse(pending.from, pending.id, refusal.clone());
        }
    }

    fn take_waiting(&mut self) -> Vec<Pending> {
        let mut waiting = Vec::new();
        for waiter in self.requests.parked.keys().copied().collect::<Vec<_>>() {
            self.locks.cancel(waiter);
            waiting.push(self.requests.take_parked(waiter).expect("the waiter was just listed").pending);
        }
        waiting.extend(self.requests.fetching.take());
        waiting.extend(std::mem::take(&mut self.requests.delayed).into_iter().map(|delayed| delayed.pending));
        self.locks.take_granted();
        waiting
    }

    pub(crate) fn tick_requests(&mut self) {
        let now = self.now.mono;
        while let Some((deadline, waiter)) = self.requests.deadlines.first().copied() {
            if deadline > now {
                break;
            }
            self.locks.cancel(waiter);
            self.answer_parked(waiter, lock_timeout());
        }
        if self.requests.delayed.iter().any(|delayed| delayed.deadline <= now) {
            let delayed = std::mem::take(&mut self.requests.delayed);
            let (late, stay): (Vec<_>, Vec<_>) = delayed.into_iter().partition(|delayed| delayed.deadline <= now);
            self.requests.delayed = stay;
            for delayed in late {
                self.refuse(delayed.pending.from, delayed.pending.id, Refusal::Busy);
            }
        }
        self.report_waits(now);
        self.report_undecided(now);
        self.tick_settling();
    }

    fn report_waits(&mut self, now: Mono) {
        while let Some((at, waiter)) = self.requests.reports.first().copied() {
            if at > now {
                break;
            }
            self.requests.reports.remove(&(at, waiter));
            let again = now.after(REPORT_AGAIN);
            let parked = self.requests.parked.get_mut(&waiter).expect("who is reported was put aside");
            parked.report_at = again;
            let txn = parked.txn;
            self.requests.reports.insert((again, waiter));
            let holders = self.locks.blockers(waiter);
            self.effects.push(ShardEffect::Waiting { waiter: txn, holders });
        }
    }

    fn report_undecided(&mut self, now: Mono) {
        if !self.serving {
            self.requests.undecided.clear();
            return;
        }
        for (txn, prepare) in &self.state.prepared {
            let since = *self.requests.undecided.entry(*txn).or_insert(now);
            if due(now, since, UNDECIDED_AFTER) {
                self.requests.undecided.insert(*txn, now);
                let participants = prepare.participants.clone();
                self.effects.push(ShardEffect::Undecided { txn: *txn, participants });
            }
        }
    }
}
