//! The consensus library behind our clock, our randomness, our wire codec and the node's log.
//!
//! Persistence is asynchronous: records go out with a ticket; messages that promise durability wait until the ticket comes back.
//! Elections are timed here and not by the library, whose timeouts are drawn from ambient randomness: its counters are driven by
//! hand. Fields of messages that would make the library panic are checked before it sees them.

use crate::beat::{BEAT_BYTES, Beat, read_beat, write_beat};
use crate::lease::Lease;
use crate::members::{Change, Members, node_of};
use crate::memlog::{Base, MemLog};
use crate::wire::Reader;
use base::{Error, Mono, NodeId, Prng, Result};
use bytes::Bytes;
use raft::eraftpb::{Entry, EntryType, HardState, Message, MessageType, Snapshot};
use raft::prelude::ConfChangeV2;
use raft::{Config, ProgressState, RawNode, SnapshotStatus, StateRole};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use storage::log::Record;

/// Length of one tick of consensus in microseconds, before scaling.
pub const TICK_MICROS: u64 = 25_000;
/// Ticks between heartbeats: 50 ms.
pub const HEARTBEAT_TICKS: usize = 2;
/// Ticks of the shortest election timeout: 400 ms.
pub const ELECTION_TICKS: usize = 16;
/// Most further ticks drawn at random: up to 600 ms.
const JITTER_TICKS: u64 = 8;
/// Ticks by which a campaign comes after the shortest timeout, at which others may still be bound to the leader: theirs are counted
/// from a little later, and a vote asked for too soon is not answered.
const MARGIN_TICKS: u64 = 1;
/// Ticks after which a replica that was not encouraged to campaign asks again: others' timeouts may have run out since.
const ASK_AGAIN_TICKS: u64 = 4;
/// Jitter among replicas whose priority is known.
const PRIORITY_JITTER_TICKS: u64 = 3;
/// Ticks between two levels of priority.
const PRIORITY_STEP_TICKS: u64 = 2;
/// The priority that campaigns first; larger ones count as this.
pub const PRIORITY_TOP: i64 = 4;
/// What a replica without rows waits more, so that one with rows leads if it can.
const ROWLESS_TICKS: u64 = 8;
/// Ticks after which nobody counts a vote any more that this replica gave before it started: a candidate asks anew after fewer, and a
/// leader's lease is shorter.
const FORGOTTEN_TICKS: u64 =
    ELECTION_TICKS as u64 + MARGIN_TICKS + PRIORITY_TOP as u64 * PRIORITY_STEP_TICKS + JITTER_TICKS + PRIORITY_JITTER_TICKS + ROWLESS_TICKS;
/// Most bytes of entries in one message.
const MESSAGE_BYTES_MAX: u64 = 1024 * 1024;
/// Most messages with entries under way to one follower.
const INFLIGHT_MAX: usize = 256;
/// The same to one that is near: what comes meanwhile goes together in the next message, and both sides have fewer of them to handle.
const INFLIGHT_NEAR_MAX: usize = 1;
/// Most bytes of committed entries applied between two looks at anything else.
const COMMITTED_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Entries that a learner may be behind when it becomes a voter, and a target when it takes over.
pub const CAUGHT_UP_ENTRIES: u64 = 1024;
/// A leader that gave up its lease for a transfer steps down if nobody has taken over by then.
const TRANSFER_TIMEOUT: Duration = Duration::from_millis(300);
/// What candidates of a planned transfer put into their vote requests (the library's constant).
const TRANSFER_CONTEXT: &[u8] = b"CampaignTransfer";

/// What came out of one turn of consensus.
#[derive(Default)]
pub struct Output {
    pub messages: Vec<Message>,
    pub append: Option<(u64, Vec<Record>)>,
    pub committed: Vec<Entry>,
}

struct Unpersisted {
    ticket: u64,
    ready: u64,
    messages: Vec<Message>,
}

/// How this replica takes part in elections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Has its rows.
    Full,
    /// A witness, or a voter whose rows are on their way: votes, leads only to hand on.
    Rowless,
    /// Lost what it had promised to keep: neither votes nor campaigns.
    Silent,
}

pub struct Consensus {
    raw: RawNode<MemLog>,
    id: u64,
    prng: Prng,
    members: Members,
    pub part: Part,
    pub beat: Beat,
    pub heard: Beat,
    lease: Lease,
    priority: i64,
    near: BTreeSet<NodeId>,
    tick_micros: u64,
    last_tick: u64,
    timeout_ticks: u64,
    elapsed: u64,
    /// No votes before this: a restarted replica may have promised one to a leader.
    quiet_until: Mono,
    /// Leaders of terms before this are not listened to; none: nobody is, for this replica may have forgotten what it promised.
    listens_from: Option<u64>,
    ticks: u64,
    next_ticket: u64,
    unpersisted: VecDeque<Unpersisted>,
    /// Records to go before the next ones.
    records: Vec<Record>,
    saved: HardState,
    seen: (u64, StateRole, u64),
    transfer_sent: Option<Mono>,
    /// The log was restarted at this entry, and the record of it is on its way to the disk.
    restored: Option<u64>,
}

pub struct Start {
    pub node: NodeId,
    pub seed: u64,
    pub now: Mono,
    pub log: MemLog,
    pub hard: HardState,
    pub members: Members,
    pub applied: u64,
    pub part: Part,
    /// This replica lived before.
    pub restarted: bool,
    pub records: Vec<Record>,
}

impl Consensus {
    pub fn new(start: Start) -> Result<Consensus> {
        let id = u64::from(start.node.0);
        let config = Config {
            id,
            election_tick: ELECTION_TICKS,
            heartbeat_tick: HEARTBEAT_TICKS,
            // Two bounds one apart leave the library nothing to draw.
            min_election_tick: ELECTION_TICKS,
            max_election_tick: ELECTION_TICKS + 1,
            applied: start.applied,
            max_size_per_msg: MESSAGE_BYTES_MAX,
            max_inflight_msgs: INFLIGHT_MAX,
            check_quorum: true,
            pre_vote: true,
            batch_append: true,
            // Followers learn with the next entries, or with the next heartbeat, what is committed: a message for each commit was half of all.
            skip_bcast_commit: true,
            max_committed_size_per_ready: COMMITTED_BYTES_MAX,
            ..Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raw = RawNode::new(&config, start.log, &logger).map_err(|e| Error::internal(format!("consensus does not start: {e}")))?;
        let election = Duration::from_micros(ELECTION_TICKS as u64 * TICK_MICROS);
        let mut consensus = Consensus {
            raw,
            id,
            prng: Prng::new(start.seed),
            members: start.members,
            part: start.part,
            beat: Beat::default(),
            heard: Beat::default(),
            lease: Lease::default(),
            priority: i64::MAX,
            near: BTreeSet::new(),
            tick_micros: TICK_MICROS,
            last_tick: start.now.0 / TICK_MICROS,
            timeout_ticks: 0,
            elapsed: 0,
            quiet_until: if start.restarted { start.now.after(election) } else { Mono(0) },
            listens_from: (start.part != Part::Silent).then_some(0),
            ticks: 0,
            next_ticket: 1,
            unpersisted: VecDeque::new(),
            records: start.records,
            saved: start.hard,
            seen: (0, StateRole::Follower, 0),
            transfer_sent: None,
            restored: None,
        };
        consensus.draw_timeout();
        Ok(consensus)
    }

    // What is known.

    pub fn term(&self) -> u64 {
        self.raw.raft.term
    }

    pub fn is_leader(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    pub fn leader(&self) -> Option<NodeId> {
        let leader = self.raw.raft.leader_id;
        if leader == 0 { None } else { Some(node_of(leader)) }
    }

    pub fn committed(&self) -> u64 {
        self.raw.raft.raft_log.committed
    }

    pub fn persisted(&self) -> u64 {
        self.raw.raft.raft_log.persisted
    }

    pub fn last_index(&self) -> u64 {
        self.raw.raft.raft_log.last_index()
    }

    pub fn log(&self) -> &MemLog {
        self.raw.store()
    }

    pub fn log_mut(&mut self) -> &mut MemLog {
        self.raw.mut_store()
    }

    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Entries that stand in the library's memory but not yet in our log.
    pub fn entry(&self, index: u64) -> Option<&Entry> {
        let unstable = &self.raw.raft.raft_log.unstable;
        match index.checked_sub(unstable.offset) {
            Some(offset) => unstable.entries.get(offset as usize),
            None => self.raw.store().get(index),
        }
    }

    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index < self.log().base().index || index > self.last_index() {
            return None;
        }
        self.raw.raft.raft_log.term(index).ok()
    }

    /// How far the library's own application (of membership changes) has come.
    pub fn raft_applied(&self) -> u64 {
        self.raw.raft.raft_log.applied
    }

    pub fn is_applied(&self, index: u64) -> bool {
        self.raft_applied() >= index
    }

    /// Everything that the leader had proposed when its last heartbeat left is durable here, the first entry of its term among it.
    pub fn has_caught_up_with_leader(&self) -> bool {
        let persisted = self.persisted();
        self.raw.raft.leader_id != 0
            && self.restored.is_none()
            && self.heard.index > 0
            && persisted >= self.heard.index
            && self.term_at(persisted) == Some(self.term())
    }

    /// Messages of this term may be taken. See `vouch.rs`.
    pub fn listens_in(&self, term: u64) -> bool {
        self.listens_from.is_some_and(|from| term >= from || self.term() >= from)
    }

    pub fn may_be_vouched_to(&self) -> bool {
        self.listens_from.is_none() && self.ticks > FORGOTTEN_TICKS
    }

    /// A leader has vouched for itself in this term. Answers false if nothing hung on that.
    pub fn listen_from(&mut self, term: u64) -> bool {
        let first = self.may_be_vouched_to();
        if first {
            self.listens_from = Some(term);
        }
        first
    }

    pub fn lease_holds(&self, now: Mono) -> bool {
        self.is_leader() && self.lease.holds(now)
    }

    /// What a member has acknowledged, and whether it answered lately.
    pub fn progress(&self, node: NodeId) -> Option<(u64, bool)> {
        self.raw.raft.prs().get(u64::from(node.0)).map(|progress| (progress.matched, progress.recent_active))
    }

    /// The lowest index that every member in normal replication has.
    pub fn matched_by_active(&self) -> u64 {
        let active = self.raw.raft.prs().iter().filter(|(_, p)| p.recent_active && p.state == ProgressState::Replicate);
        active.map(|(_, progress)| progress.matched).min().unwrap_or(0)
    }

    // What happens.

    /// At most one tick of consensus for each interval of time, however late it comes.
    pub fn tick(&mut self, now: Mono) {
        let interval = now.0 / self.tick_micros;
        if interval <= self.last_tick {
            return;
        }
        self.last_tick = interval;
        self.ticks += 1;
        if let Some(sent) = self.transfer_sent
            && self.is_leader()
            && now.since(sent) > TRANSFER_TIMEOUT
        {
            // The target may still campaign by force at any time, so this term's lease cannot be trusted again.
            let term = self.term();
            self.raw.raft.become_follower(term, 0);
            self.observe_role();
            return;
        }
        if self.is_leader() {
            self.pace();
            self.raw.tick();
        } else {
            self.tick_election(now);
        }
        self.observe_role();
    }

    fn pace(&mut self) {
        for (&id, progress) in self.raw.raft.mut_prs().iter_mut() {
            let near = self.near.contains(&node_of(id));
            progress.ins.set_cap(if near { INFLIGHT_NEAR_MAX } else { INFLIGHT_MAX });
        }
    }

    fn tick_election(&mut self, now: Mono) {
        // The library's counter says how long ago the leader was heard; it is what refuses votes during the lease.
        let elapsed = self.raw.raft.election_elapsed;
        self.elapsed = if elapsed == 0 { 1 } else { self.elapsed + 1 };
        self.raw.raft.election_elapsed = (elapsed + 1).min(ELECTION_TICKS);
        let alone = self.members.state.voters == [self.id] && self.members.state.voters_outgoing.is_empty();
        if (self.elapsed >= self.timeout_ticks || alone) && self.may_campaign(now) {
            self.elapsed = 0;
            self.draw_timeout();
            self.campaign();
        }
    }

    fn may_campaign(&self, now: Mono) -> bool {
        let alone = self.members.state.voters == [self.id];
        self.part != Part::Silent
            && self.raw.raft.promotable()
            && self.restored.is_none()
            && (now >= self.quiet_until || alone)
            // The library asserts that a new leader's log is durable.
            && self.persisted() == self.last_index()
            && self.unpersisted.is_empty()
    }

    fn campaign(&mut self) {
        if let Err(e) = self.raw.campaign() {
            unreachable!("a campaign is a local step that cannot fail: {e}");
        }
    }

    /// Campaigns now, unless a leader may hold its lease through this replica's promise.
    pub fn campaign_if_leaderless(&mut self, now: Mono) {
        let promised = self.raw.raft.leader_id != 0 && self.raw.raft.election_elapsed < ELECTION_TICKS;
        if !promised && !self.is_leader() && self.may_campaign(now) {
            self.campaign();
            self.observe_role();
        }
    }

    /// A message whose sender the transport has verified. Answers false if it was dropped.
    pub fn step(&mut self, now: Mono, from: NodeId, mut message: Message) -> bool {
        message.from = u64::from(from.0);
        message.to = self.id;
        if !self.acceptable(now, &mut message) {
            return false;
        }
        if message.msg_type == MessageType::MsgHeartbeatResponse && message.term == self.term() && self.is_leader() {
            self.heartbeat_answered(&message);
        }
        if message.msg_type == MessageType::MsgHeartbeat && message.term >= self.term() {
            self.heard = read_beat(&message.context).1;
        }
        let known = self.raw.step(message).is_ok();
        self.observe_role();
        known
    }

    fn acceptable(&self, now: Mono, message: &mut Message) -> bool {
        let last = self.last_index();
        match message.msg_type {
            MessageType::MsgRequestVote | MessageType::MsgRequestPreVote => {
                let planned = message.context == TRANSFER_CONTEXT;
                self.part != Part::Silent && (planned || now >= self.quiet_until)
            }
            MessageType::MsgHeartbeat => {
                message.commit = message.commit.min(last);
                message.context.len() == BEAT_BYTES
            }
            MessageType::MsgAppend => {
                let conflicts = message.entries.iter().any(|entry| {
                    entry.index <= self.committed()
                        && entry.index > self.log().base().index
                        && self.log().term_at(entry.index).is_some_and(|term| term != entry.term)
                });
                !conflicts
            }
            MessageType::MsgAppendResponse => {
                message.request_snapshot == 0 && (message.reject || message.index <= last) && message.reject_hint <= last
            }
            MessageType::MsgTimeoutNow => self.part != Part::Silent && self.raw.raft.promotable() && self.restored.is_none(),
            MessageType::MsgSnapshot => {
                let metadata = message.get_snapshot().get_metadata();
                metadata.index > 0 && !metadata.get_conf_state().voters.is_empty()
            }
            MessageType::MsgRequestVoteResponse | MessageType::MsgRequestPreVoteResponse | MessageType::MsgHeartbeatResponse => true,
            _ => false,
        }
    }

    fn heartbeat_answered(&mut self, message: &Message) {
        if message.context.len() == BEAT_BYTES {
            let (sent, _) = read_beat(&message.context);
            self.lease.answered(message.from, sent, self.id, &self.members.state);
        }
    }

    /// Records up to the ticket are durable.
    pub fn appended(&mut self, ticket: u64) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut last_ready = None;
        while let Some(front) = self.unpersisted.front() {
            if front.ticket > ticket {
                break;
            }
            let done = self.unpersisted.pop_front().expect("the front was just seen");
            last_ready = Some(done.ready);
            messages.extend(done.messages);
        }
        if let Some(ready) = last_ready {
            self.persisted_ready(ready);
        }
        messages
    }

    /// # Errors
    /// `None` if the library does not take it now; nothing was logged then.
    pub fn propose(&mut self, data: Bytes) -> Option<u64> {
        let mut message = Message::default();
        message.set_msg_type(MessageType::MsgPropose);
        message.from = self.id;
        let mut entry = Entry::default();
        entry.data = data;
        message.set_entries(vec![entry].into());
        let index = self.last_index() + 1;
        self.raw.raft.step(message).ok()?;
        assert_eq!(self.last_index(), index, "a proposal takes exactly one place in the log");
        Some(index)
    }

    pub fn propose_change(&mut self, change: &Change) -> bool {
        let idle = self.members.state.voters_outgoing.is_empty() && !self.raw.raft.has_pending_conf();
        idle && self.raw.propose_conf_change(change.encode().to_vec(), change.to_library()).is_ok()
    }

    /// A membership entry is applied: an empty context leaves a joint membership.
    pub fn apply_change(&mut self, context: &Bytes) -> Result<()> {
        let (library, witnesses) = if context.is_empty() {
            (ConfChangeV2::default(), None)
        } else {
            let change = Change::decode(context.clone())?;
            (change.to_library(), Some(change.witnesses))
        };
        let state = self
            .raw
            .apply_conf_change(&library)
            .map_err(|e| Error::internal(format!("a membership change in the log cannot be made: {e}")))?;
        self.members.state = state;
        if let Some(witnesses) = witnesses {
            self.members.witnesses = witnesses;
        }
        if self.is_leader() {
            self.lease.recompute(self.id, &self.members.state);
        }
        Ok(())
    }

    pub fn applied(&mut self, index: u64) {
        if index > self.raw.raft.raft_log.applied {
            self.raw.advance_apply_to(index);
        }
    }

    /// Leadership is given up: no lease from here on in this term.
    pub fn transfer(&mut self, now: Mono, to: NodeId) {
        assert!(self.is_leader(), "only a leader hands over");
        self.lease.give_up();
        self.transfer_sent = Some(now);
        self.raw.transfer_leader(u64::from(to.0));
    }

    pub fn transferring(&self) -> bool {
        self.transfer_sent.is_some()
    }

    /// Members that were told to fetch rows, and of whom nothing is known since.
    pub fn told_to_fetch(&self) -> Vec<NodeId> {
        let told = self.raw.raft.prs().iter().filter(|(_, progress)| progress.state == ProgressState::Snapshot);
        let mut told: Vec<NodeId> = told.map(|(id, _)| node_of(*id)).collect();
        told.sort_unstable();
        told
    }

    /// The message may have been lost: it is sent again.
    pub fn tell_again(&mut self, node: NodeId) {
        self.raw.report_snapshot(u64::from(node.0), SnapshotStatus::Failure);
    }

    /// A replica lost its log: what it once acknowledged no longer counts.
    pub fn forget_progress(&mut self, node: NodeId) {
        if self.is_leader()
            && let Some(progress) = self.raw.raft.mut_prs().get_mut(u64::from(node.0))
        {
            progress.matched = 0;
            progress.next_idx = 1;
            progress.become_probe();
        }
    }

    pub fn set_priority(&mut self, priority: i64) {
        self.priority = priority;
        self.draw_timeout();
    }

    /// Ticks grow with the round trip beyond what the shortest timeout allows for; they never shrink, which the lease relies on.
    pub fn set_round_trip(&mut self, micros: u64) {
        let tick_micros = TICK_MICROS.max(micros.min(2_000_000) / 2);
        if tick_micros != self.tick_micros {
            self.tick_micros = tick_micros;
            self.last_tick = 0;
        }
    }

    /// Members whose answers come at once: they get one message with entries at a time.
    pub fn set_near(&mut self, near: BTreeSet<NodeId>) {
        self.near = near;
    }

    fn draw_timeout(&mut self) {
        if self.raw.raft.state == StateRole::PreCandidate {
            self.timeout_ticks = ASK_AGAIN_TICKS + self.prng.between(0, PRIORITY_JITTER_TICKS);
            return;
        }
        let mut ticks = ELECTION_TICKS as u64 + MARGIN_TICKS;
        if self.priority == i64::MAX {
            ticks += self.prng.between(0, JITTER_TICKS);
        } else {
            let behind = (PRIORITY_TOP - self.priority.clamp(0, PRIORITY_TOP)) as u64;
            ticks += behind * PRIORITY_STEP_TICKS + self.prng.between(0, PRIORITY_JITTER_TICKS);
        }
        if self.part != Part::Full {
            ticks += ROWLESS_TICKS;
        }
        self.timeout_ticks = ticks;
    }

    /// After anything that may have changed the role: a new timeout is drawn, a new leader says so at once.
    fn observe_role(&mut self) {
        let raft = &self.raw.raft;
        let seen = (raft.term, raft.state, raft.leader_id);
        if seen == self.seen {
            return;
        }
        let led = self.seen.1 == StateRole::Leader && self.seen.0 == seen.0;
        self.seen = seen;
        self.draw_timeout();
        if seen.1 != StateRole::Leader {
            self.transfer_sent = None;
        } else if !led {
            self.lease.reset();
            self.lease.recompute(self.id, &self.members.state);
            self.transfer_sent = None;
            self.raw.ping();
        }
    }

    // What goes out.

    pub fn has_output(&self) -> bool {
        !self.records.is_empty() || self.raw.has_ready()
    }

    pub fn output(&mut self) -> Output {
        let mut output = Output::default();
        if !self.raw.has_ready() {
            let records = std::mem::take(&mut self.records);
            output.append = Some((self.take_ticket(), records));
            return output;
        }
        let mut ready = self.raw.ready();
        let number = ready.number();
        output.messages = ready.take_messages();
        let mut records = std::mem::take(&mut self.records);
        if !ready.snapshot().is_empty() {
            self.restart_log(ready.snapshot().clone(), &mut records);
        }
        let entries = ready.take_entries();
        // A commit index alone is not worth a write of its own. But it must be durable with any later entry (the library tells it
        // only once): who holds the entry that ends a change of members must know after a restart that the change was begun, or
        // the members of old could elect a second leader.
        let hard = self.raw.raft.hard_state();
        let vital = hard.term != self.saved.term || hard.vote != self.saved.vote;
        let writes = !entries.is_empty() || !records.is_empty();
        if vital || (writes && hard.commit != self.saved.commit) {
            records.push(Record::State { term: hard.term, vote: hard.vote, commit: hard.commit });
            self.saved = hard;
        }
        if !entries.is_empty() {
            self.raw.mut_store().append(&entries);
            records.push(Record::Entries(entries.iter().map(MemLog::to_record).collect()));
        }
        output.committed = ready.take_committed_entries();
        let mut waiting = Vec::new();
        for message in ready.take_persisted_messages() {
            if promises_nothing(&message) { output.messages.push(message) } else { waiting.push(message) }
        }
        self.raw.advance_append_async(ready);
        if records.is_empty() && self.unpersisted.is_empty() {
            self.persisted_ready(number);
            output.messages.extend(waiting);
        } else {
            let ticket = if records.is_empty() { self.next_ticket - 1 } else { self.take_ticket() };
            if !records.is_empty() {
                output.append = Some((ticket, records));
            }
            self.unpersisted.push_back(Unpersisted { ticket, ready: number, messages: waiting });
        }
        output
    }

    fn persisted_ready(&mut self, number: u64) {
        self.raw.on_persist_ready(number);
        // A state that was jumped to counts as applied: its rows were there before the jump.
        if let Some(index) = self.restored
            && self.persisted() >= index
        {
            self.restored = None;
            self.applied(index);
        }
    }

    fn take_ticket(&mut self) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        ticket
    }

    fn restart_log(&mut self, snapshot: Snapshot, records: &mut Vec<Record>) {
        let metadata = snapshot.get_metadata();
        let base = Base { index: metadata.index, term: metadata.term };
        // Entries behind the snapshot's index are of another history, or will be sent again.
        records.push(Record::Restarted { index: base.index, term: base.term });
        self.members = Members::read(&mut Reader::new(snapshot.data.clone())).expect("the codec has decoded these bytes before");
        self.restored = Some(base.index);
        self.raw.mut_store().restart(base, metadata.get_conf_state().clone());
    }

    /// Entries up to this index are in the row store.
    pub fn truncate(&mut self, index: u64) {
        let index = index.min(self.persisted()).min(self.raw.raft.raft_log.applied);
        if index <= self.log().base().index {
            return;
        }
        self.raw.mut_store().truncate(index);
        let base = self.raw.store().base();
        self.records.push(Record::Truncated { index: base.index, term: base.term });
    }

    /// What a message carries beside the library's own: heartbeats tell their time.
    pub fn context(&self, now: Mono, message: &Message) -> Option<[u8; BEAT_BYTES]> {
        (message.msg_type == MessageType::MsgHeartbeat).then(|| write_beat(now, &self.beat))
    }

    pub fn assert_invariants(&self) {
        let log = &self.raw.raft.raft_log;
        assert!(log.applied <= log.committed, "applied {} is above committed {}", log.applied, log.committed);
        assert!(log.committed <= self.last_index(), "committed {} is above the last index {}", log.committed, self.last_index());
    }
}

/// Messages of a follower that need not wait for its disk: a crash takes nothing back that they say.
fn promises_nothing(message: &Message) -> bool {
    matches!(message.msg_type, MessageType::MsgHeartbeatResponse | MessageType::MsgRequestPreVote | MessageType::MsgRequestPreVoteResponse)
}

/// True for entries that change the membership.
pub fn is_change(entry: &Entry) -> bool {
    entry.entry_type == EntryType::EntryConfChangeV2
}
