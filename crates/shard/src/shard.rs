//! One replica of a shard: it is stepped with events and answers with effects.
//!
//! [`Shard::step`] is [`Shard::handle`] followed by [`Shard::settle`]; a node with many events at hand may handle them all and
//! settle once, so that they share one round of consensus and one write of the log.

use crate::codec::{self, Wire};
use crate::consensus::{self, Consensus, Part, Start};
use crate::entry::LogEntry;
use crate::event::{Control, ShardEffect, ShardEvent};
use crate::evidence::{Proofs, Told};
use crate::flush::Flushing;
use crate::handover::Handing;
use crate::locks::Locks;
use crate::members::Members;
use crate::memlog::{Base, MemLog, Sendable};
use crate::meta::{self, Standing};
use crate::outcomes::OUTCOMES_MAX;
use crate::planted::{self, Bug};
use crate::requests::Requests;
use crate::scrub::Scrubbing;
use crate::snapshot::Transfers;
use crate::state::State;
use base::{Error, HybridClock, Mono, NodeId, Now, RequestId, Result, ShardId, Version};
use bytes::Bytes;
use proof::{Hash, Origin, SigningSeed};
use raft::eraftpb::{Entry, HardState, Message, MessageType};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use storage::access::{KeyRange, Refusal, Response};
use storage::log::{Record, ShardLog};
use storage::rows::RowStore;

/// The index that a new shard's state counts as: a replica that joins later has none, and asks for the rows.
const FIRST_INDEX: u64 = 1;
const FIRST_TERM: u64 = 1;
/// Proposals that may wait for their majority; beyond, writes are refused as busy.
pub const UNCOMMITTED_ENTRIES_MAX: u64 = 64 * 1024;

/// Bytes of log entries kept in memory, unless said otherwise.
pub const LOG_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Of an entry whose rows are kept in memory as parts of it, instead of beside it. Reading a smaller one again costs more than it saves.
const SHARED_BYTES_MIN: usize = 4096;

/// Members of a new shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bootstrap {
    pub voters: Vec<NodeId>,
    pub witnesses: Vec<NodeId>,
    pub learners: Vec<NodeId>,
}

#[derive(Clone, Debug)]
pub struct ShardConfig {
    pub shard: ShardId,
    pub node: NodeId,
    /// Grows with each start of the node.
    pub boot: u32,
    pub seed: u64,
    /// Who makes up a new shard; `None` for a replica that joins one, or that was here before.
    pub bootstrap: Option<Bootstrap>,
    /// Bytes of row versions in memory at which they are flushed.
    pub active_bytes_max: usize,
    /// Bytes of the cache of rows read from the store.
    pub cache_bytes_max: usize,
    /// Bytes of log entries in memory at which a flush starts, whatever the rows weigh. Half as many are kept for replicas that
    /// are behind, beyond what the store has.
    pub log_bytes_max: usize,
    /// Settled transactions whose outcome is remembered, of each kind. The same on all replicas.
    pub outcomes_max: usize,
    /// Names the log of the ledger's evidence.
    pub origin: Origin,
    /// What this node signs the evidence with; `None`: it cannot.
    pub signing: Option<SigningSeed>,
}

impl ShardConfig {
    pub fn new(shard: ShardId, node: NodeId, boot: u32, seed: u64) -> ShardConfig {
        ShardConfig {
            shard,
            node,
            boot,
            seed,
            bootstrap: None,
            active_bytes_max: 32 * 1024 * 1024,
            cache_bytes_max: 64 * 1024 * 1024,
            log_bytes_max: LOG_BYTES_MAX,
            outcomes_max: OUTCOMES_MAX,
            origin: Origin::new("unnamed", shard).expect("a plain name"),
            signing: None,
        }
    }
}

/// An answer that waits until what it saw is committed.
pub(crate) struct Held {
    pub to: NodeId,
    pub id: RequestId,
    pub response: Response,
}

pub struct Shard {
    pub(crate) config: ShardConfig,
    pub(crate) now: Now,
    pub(crate) consensus: Consensus,
    pub(crate) state: State,
    pub(crate) clock: HybridClock,
    pub(crate) locks: Locks,
    pub(crate) requests: Requests,
    pub(crate) held: BTreeMap<u64, Vec<Held>>,
    pub(crate) effects: Vec<ShardEffect>,
    pub(crate) flushing: Flushing,
    pub(crate) transfers: Transfers,
    pub(crate) handing: Option<Handing>,
    pub(crate) scrubbing: Scrubbing,
    pub(crate) proofs: Proofs,
    /// Membership as of each entry that changed it, from the flushed one on.
    pub(crate) memberships: Vec<(u64, Members)>,
    /// The rows are all there (a witness and a replica being filled have none).
    pub(crate) rows: bool,
    /// It may lack what it acknowledged once.
    pub(crate) lost: bool,
    /// Leads, has applied the first entry of its term, and may serve while its lease holds.
    pub(crate) serving: bool,
    pub(crate) disk_full: bool,
    /// The term this replica leads in, and the index of that term's first entry.
    leading: Option<(u64, u64)>,
    /// Committed entries that are not applied yet.
    unapplied: VecDeque<Entry>,
    told_leader: Option<(Option<NodeId>, u64)>,
    pub(crate) target: Option<crate::membership::Target>,
    removed: bool,
    /// Messages and proposals that were dropped as unusable, for the status.
    pub(crate) dropped_messages: u64,
}

struct Recovered {
    log: MemLog,
    hard: HardState,
    records: Vec<Record>,
}

/// What a write gets for which there is no space.
pub(crate) fn disk_full() -> Refusal {
    let full = Error::new(base::SqlState::DISK_FULL, "the disk of the shard's leader is full");
    Refusal::Error(full.with_hint("Writes are taken again when space returns."))
}

/// Joins what the log and what the store remember.
fn join(recovered: Option<ShardLog>, standing: &Standing) -> Result<Recovered> {
    let shard_log = recovered.unwrap_or_default();
    let mut records = Vec::new();
    let mut base = Base { index: shard_log.truncated_index, term: shard_log.truncated_term };
    let mut entries = shard_log.entries.iter().map(MemLog::from_record).collect::<Result<Vec<_>>>()?;
    if standing.index > base.index {
        let at = (standing.index - base.index) as usize - 1;
        let same = entries.get(at).is_some_and(|entry| entry.term == standing.term);
        if !same {
            // The rows are newer than the log, or replaced what it held.
            entries.clear();
            base = Base { index: standing.index, term: standing.term };
            records.push(Record::Truncated { index: base.index, term: base.term });
        }
    }
    let last = base.index + entries.len() as u64;
    let mut hard = HardState::default();
    hard.term = shard_log.term.max(base.term).max(entries.last().map_or(0, |entry| entry.term));
    hard.vote = if hard.term == shard_log.term { shard_log.vote } else { 0 };
    hard.commit = shard_log.commit.max(base.index).max(standing.index).min(last);
    let log = MemLog::new(base, entries, hard.clone(), standing.members.state.clone());
    Ok(Recovered { log, hard, records })
}

fn part_of(silent: bool, standing: &Standing) -> Part {
    match (silent, standing.rows) {
        (true, _) => Part::Silent,
        (false, true) => Part::Full,
        (false, false) if standing.is_known() => Part::Rowless,
        // New here, or all that it had promised to keep is gone: it must not help to elect anyone.
        (false, false) => Part::Silent,
    }
}

impl Shard {
    /// # Errors
    /// If the store cannot be read, or holds what this program does not understand.
    pub fn open(config: ShardConfig, now: Now, recovered: Option<ShardLog>, store: Arc<dyn RowStore>) -> Result<Shard> {
        let key = config.signing.as_ref().map(|seed| seed.key(&config.origin)).transpose()?;
        let lived = recovered.as_ref().is_some_and(|log| *log != ShardLog::default());
        let damaged = recovered.as_ref().is_some_and(|log| log.damaged);
        let truncated = recovered.as_ref().map_or(0, |log| log.truncated_index);
        let (mut standing, state) = Shard::load(&config, lived, truncated, &store)?;
        // A transfer of rows was cut off: nothing tells who the members are before the log's first entry. The rows bring what is missing.
        let useless = damaged || (lived && !standing.is_known());
        let mut recovered = if useless { join(None, &standing)? } else { join(recovered, &standing)? };
        if useless {
            standing.rows = false;
            recovered.records.insert(0, Record::Removed);
        }
        if damaged {
            // Before the log that was damaged is given up. Of who has no rows it is known anyway, until they come and bring it with them.
            meta::set_silent(&*store, true)?;
        }
        let silent = useless || meta::is_silent(&*store)?;
        let part = part_of(silent, &standing);
        if standing.rows {
            let members = standing.members.clone();
            recovered.log.sendable = Some(Sendable { index: standing.index, term: standing.term, members });
        }
        let applied = if standing.is_known() { standing.index } else { recovered.log.base().index };
        let consensus = Consensus::new(Start {
            node: config.node,
            seed: config.seed,
            now: now.mono,
            log: recovered.log,
            hard: recovered.hard,
            members: standing.members.clone(),
            applied,
            part,
            restarted: lived,
            records: recovered.records,
        })?;
        let mut clock = HybridClock::default();
        clock.observe(state.allowance.newest());
        let mut shard = Shard {
            now,
            consensus,
            clock,
            locks: Locks::default(),
            requests: Requests::default(),
            held: BTreeMap::new(),
            effects: Vec::new(),
            flushing: Flushing::new(now.mono, standing.index),
            transfers: Transfers::new(config.boot),
            handing: None,
            scrubbing: Scrubbing::default(),
            proofs: Proofs::new(key),
            memberships: vec![(standing.index, standing.members.clone())],
            rows: standing.rows,
            lost: silent,
            serving: false,
            disk_full: false,
            leading: None,
            unapplied: VecDeque::new(),
            told_leader: None,
            target: None,
            removed: false,
            dropped_messages: 0,
            state,
            config,
        };
        shard.check_evidence()?;
        Ok(shard)
    }

    /// What the store has; of a new shard what it begins with.
    fn load(config: &ShardConfig, lived: bool, truncated: u64, store: &Arc<dyn RowStore>) -> Result<(Standing, State)> {
        let empty = || State::new(store.clone(), config.cache_bytes_max, config.outcomes_max, &config.origin);
        let mut state = empty();
        let standing = match meta::load(&**store, &mut state)? {
            Some(standing) => standing,
            None if !lived && config.bootstrap.is_some() => Shard::bootstrap(config, &mut state, &**store)?,
            None => Standing::default(),
        };
        // The log was truncated up to rows that are not there (any more).
        Ok(if standing.index < truncated { (Standing::default(), empty()) } else { (standing, state) })
    }

    fn bootstrap(config: &ShardConfig, state: &mut State, store: &dyn RowStore) -> Result<Standing> {
        let bootstrap = config.bootstrap.clone().unwrap_or_default();
        let members = Members::new(&bootstrap.voters, &bootstrap.witnesses, &bootstrap.learners);
        let rows = !members.witnesses.contains(&config.node);
        let standing = Standing { index: FIRST_INDEX, term: FIRST_TERM, rows, members };
        let (mut state_bytes, mut evidence) = (Vec::new(), None);
        if rows {
            state.ledger.found(FIRST_INDEX, Version::ZERO);
            state_bytes = meta::write_state(state, Version::ZERO);
            evidence = state.ledger.capture(FIRST_INDEX).expect("nothing is in it yet");
        }
        store.write(standing.batch(&state_bytes, evidence.as_deref()))?;
        store.sync()?;
        state.applied = FIRST_INDEX;
        Ok(standing)
    }

    pub fn step(&mut self, now: Now, event: ShardEvent, effects: &mut Vec<ShardEffect>) {
        self.handle(now, event);
        self.settle(effects);
    }

    /// Takes an event in. What follows from it comes out of the next [`Shard::settle`].
    pub fn handle(&mut self, now: Now, event: ShardEvent) {
        self.now = Now { mono: self.now.mono.max(now.mono), wall: now.wall };
        let committed = self.consensus.committed();
        match event {
            ShardEvent::Tick => self.tick(),
            ShardEvent::Message { from, message } => self.message(from, message),
            ShardEvent::Request { from, id, request } => self.request(from, id, request),
            ShardEvent::Appended { ticket } => {
                for message in self.consensus.appended(ticket) {
                    self.send(&message);
                }
            }
            ShardEvent::DiskFull { full } => self.disk_full = full,
            ShardEvent::Job(done) => self.job_done(done),
            ShardEvent::Horizon(horizon) => self.raise_horizon(horizon),
            ShardEvent::GatewayGone { node, before_boot } => self.gateway_gone(node, before_boot),
            ShardEvent::Control(control) => self.control(control),
        }
        self.observe_role(committed);
    }

    /// Gives out all effects of what was handled.
    pub fn settle(&mut self, effects: &mut Vec<ShardEffect>) {
        self.resume_granted();
        self.release_held_back();
        loop {
            while self.consensus.has_output() {
                let output = self.consensus.output();
                for message in &output.messages {
                    self.send(message);
                }
                if let Some((ticket, records)) = output.append {
                    self.effects.push(ShardEffect::Append { ticket, records });
                }
                self.unapplied.extend(output.committed);
                let committed = self.consensus.committed();
                self.apply_committed();
                self.observe_role(committed);
            }
            self.resume_granted();
            self.advance_handover();
            self.release_held_back();
            if !self.consensus.has_output() {
                break;
            }
        }
        self.release_held();
        self.dispatch_fetches();
        self.tell_leader();
        self.assert_invariants();
        effects.append(&mut self.effects);
    }

    fn tick(&mut self) {
        self.update_beat();
        self.consensus.tick(self.now.mono);
        self.retry_apply();
        self.tick_requests();
        self.tick_fetching();
        self.pass_on_if_unfit();
        self.tick_membership();
        self.tick_transfers();
        self.speak_again();
        self.tick_evidence();
        self.resume_proofs();
        self.tick_flush();
        self.tick_scrub();
        self.tell_removed();
    }

    /// Nothing is under way that the next tick would bring forward.
    pub fn is_quiet(&self) -> bool {
        self.state.draining.is_empty()
            && self.unapplied.is_empty()
            && self.requests.waiting() == 0
            && self.state.ledger.is_idle()
            && self.proofs.is_idle()
    }

    /// A leader that was removed hands leadership on first.
    fn tell_removed(&mut self) {
        let members = self.consensus.members();
        let removed = !members.is_empty() && !members.contains(self.config.node) && !self.consensus.is_leader();
        if removed && !self.removed {
            self.effects.push(ShardEffect::Removed);
        }
        self.removed = removed;
    }

    fn message(&mut self, from: NodeId, message: Bytes) {
        match Wire::decode(message) {
            Ok(Wire::Raft(message)) => self.consensus_message(from, message),
            Ok(Wire::RowsWanted { transfer, number, lost, at_least }) => self.rows_wanted(from, transfer, number, lost, at_least),
            Ok(Wire::Rows { transfer, number, items, end }) => self.rows_arrived(from, transfer, number, items, end),
            Ok(Wire::RowsRefused { transfer }) => self.rows_refused(from, transfer),
            Ok(Wire::ScrubAsk { number, start, end, version, index }) => {
                self.scrub_asked(from, number, KeyRange { start, end }, version, index);
            }
            Ok(Wire::ScrubAnswer { number, hash }) => self.scrub_answered(from, number, hash),
            Ok(Wire::ScrubDrop { term }) => self.scrub_drop(from, term),
            Ok(Wire::EvidenceTold { index, chain }) => self.evidence_told(from, Told { index, chain: Hash(chain) }),
            Ok(Wire::VouchAsked { nonce }) => self.vouch_asked(from, nonce),
            Ok(Wire::Vouched { nonce, term, votes }) => self.vouched(nonce, term, votes),
            Err(_) => self.dropped_messages += 1,
        }
    }

    fn consensus_message(&mut self, from: NodeId, message: Message) {
        if !self.consensus.listens_in(message.term) {
            self.ask_to_vouch(from, &message);
            return;
        }
        // The library's snapshot says only that this replica is too far behind: rows are fetched first.
        if message.msg_type == MessageType::MsgSnapshot {
            if message.term < self.consensus.term() {
                return;
            }
            if !self.is_witness_in(&message) {
                self.fetch_rows(from, message);
                return;
            }
            if !self.note_jump(&message) {
                return;
            }
        }
        if !self.consensus.step(self.now.mono, from, message) {
            self.dropped_messages += 1;
        }
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Priority(priority) => self.consensus.set_priority(priority),
            Control::RoundTrips { farthest_micros, near } => {
                self.consensus.set_round_trip(farthest_micros);
                self.consensus.set_near(near);
            }
            Control::Campaign => self.consensus.campaign_if_leaderless(self.now.mono),
            Control::Transfer { to } => self.hand_over(to),
            Control::Membership { voters, witnesses, learners } => self.change_members(voters, witnesses, learners),
        }
    }

    pub(crate) fn send(&mut self, message: &Message) {
        let to = crate::members::node_of(message.to);
        let context = self.consensus.context(self.now.mono, message);
        let message = match &context {
            Some(context) => codec::encode_raft(message, context),
            None => codec::encode_raft(message, &message.context),
        };
        self.effects.push(ShardEffect::Send { to, message });
    }

    pub(crate) fn send_wire(&mut self, to: NodeId, message: &Wire) {
        self.effects.push(ShardEffect::Send { to, message: message.encode() });
    }

    // Leadership.

    /// After each event: `committed` is what was committed before it, while this replica may still have led.
    fn observe_role(&mut self, committed: u64) {
        let leads = self.consensus.is_leader().then(|| self.consensus.term());
        if let Some((term, _)) = self.leading
            && leads != Some(term)
        {
            self.lose_leadership(committed);
        }
        if let Some(term) = leads
            && self.leading.is_none()
        {
            self.leading = Some((term, self.consensus.last_index()));
        }
        if !self.serving
            && let Some((_, first)) = self.leading
            && self.rows
            && self.state.applied >= first
        {
            self.start_serving(first);
        }
    }

    fn lose_leadership(&mut self, committed: u64) {
        self.leading = None;
        self.serving = false;
        self.handing = None;
        self.target = None;
        self.state.undo_to(committed);
        self.flushing_undone();
        self.locks.clear();
        let refusal = Refusal::NotLeader(self.consensus.leader());
        let mut lost = self.held.split_off(&(committed + 1));
        for held in lost.values_mut().flat_map(std::mem::take) {
            self.refuse(held.to, held.id, Refusal::Lost(self.consensus.leader()));
        }
        self.refuse_all_waiting(&refusal);
        self.refuse_proofs();
    }

    fn start_serving(&mut self, first: u64) {
        self.serving = true;
        // No snapshot that an earlier leader served lies above its allowance.
        self.clock.observe(self.state.allowance.newest());
        self.clock.observe(self.state.last_version);
        self.restore_locks(first);
        self.effects.push(ShardEffect::Schema(self.state.schema));
    }

    fn tell_leader(&mut self) {
        let told = (self.consensus.leader(), self.consensus.term());
        if self.told_leader != Some(told) {
            self.told_leader = Some(told);
            self.effects.push(ShardEffect::Leader { leader: told.0, term: told.1 });
        }
    }

    /// What it has applied does not go into its store, because the disk is full. It tries again by itself.
    pub fn is_starved(&self) -> bool {
        self.flushing.starved
    }

    /// True while this replica may answer requests.
    pub fn serves(&self) -> bool {
        let lease = self.consensus.lease_holds(self.now.mono) || planted::active(Bug::ServeWithoutLease);
        self.serving
            && lease
            && self.consensus.members().votes(self.config.node)
            && self.handing.as_ref().is_none_or(|handing| !handing.stopped())
    }

    fn update_beat(&mut self) {
        if self.serving {
            // Everything later gets a version above the clock's last, and a later leader's above the allowance.
            self.consensus.beat.closed = self.clock.last().min(self.state.allowance.newest());
            self.consensus.beat.index = self.state.applied;
            self.consensus.beat.needless = self.consensus.matched_by_active().min(self.flushing.flushed_index);
        }
    }

    // The log.

    /// Logs an entry and applies it at once. The answer must wait for the index.
    pub(crate) fn propose(&mut self, entry: LogEntry) -> Result<u64, Refusal> {
        assert!(self.serving, "only a leader that serves proposes");
        if self.disk_full {
            return Err(disk_full());
        }
        self.propose_also_when_full(entry)
    }

    /// As `propose`, also while this replica's own disk is full: for handing leadership to one that has space. The others can commit
    /// the entry without this one.
    pub(crate) fn propose_also_when_full(&mut self, entry: LogEntry) -> Result<u64, Refusal> {
        assert!(self.serving, "only a leader that serves proposes");
        if self.consensus.last_index() - self.consensus.committed() > UNCOMMITTED_ENTRIES_MAX {
            return Err(Refusal::Busy);
        }
        self.skip_own_entries();
        let bytes = entry.encode();
        let entry =
            if bytes.len() >= SHARED_BYTES_MIN { LogEntry::decode(bytes.clone()).expect("what is written can be read") } else { entry };
        let index = self.consensus.propose(bytes).ok_or(Refusal::Busy)?;
        let schema = self.state.schema;
        self.state.apply(index, entry).expect("the store took what the log's entry needs before it was proposed");
        self.after_apply(schema);
        Ok(index)
    }

    /// The library itself logs the end of a joint membership: nothing to apply.
    fn skip_own_entries(&mut self) {
        while self.state.applied < self.consensus.last_index() {
            let index = self.state.applied + 1;
            let entry = self.consensus.entry(index).expect("what is not applied is still in the log");
            assert!(consensus::is_change(entry) || entry.data.is_empty(), "entry {index} was logged but not applied");
            self.state.skip(index);
        }
    }

    fn apply_committed(&mut self) {
        while let Some(entry) = self.unapplied.front() {
            let index = entry.index;
            if !self.rows {
                let entry = self.unapplied.pop_front().expect("the front was just seen");
                self.apply_change(&entry);
                self.consensus.applied(index);
                continue;
            }
            if index > self.state.applied && !consensus::is_change(entry) && !entry.data.is_empty() {
                let decoded = LogEntry::decode(entry.data.clone()).expect("a committed entry is one that a leader encoded");
                let schema = self.state.schema;
                match self.state.apply(index, decoded) {
                    Ok(()) => self.after_apply(schema),
                    // Tried again with the next tick: nothing of the entry was done.
                    Err(e) if e.state() == base::SqlState::DISK_FULL => return,
                    Err(e) => panic!("the row store failed: {e}"),
                }
            } else if index > self.state.applied {
                self.state.skip(index);
            }
            let entry = self.unapplied.pop_front().expect("the front was just seen");
            self.apply_change(&entry);
            self.consensus.applied(index);
        }
        self.state.settle(self.consensus.committed());
    }

    fn retry_apply(&mut self) {
        if !self.unapplied.is_empty() {
            self.apply_committed();
        }
    }

    /// After rows arrived: entries that the log has beyond them.
    pub(crate) fn apply_from_log(&mut self) {
        let upto = self.consensus.log().last().min(self.consensus.committed());
        let delivered = self.unapplied.front().map_or(upto, |entry| entry.index - 1);
        while self.state.applied < delivered {
            let index = self.state.applied + 1;
            let Some(entry) = self.consensus.entry(index).cloned() else { break };
            if consensus::is_change(&entry) || entry.data.is_empty() {
                self.state.skip(index);
                continue;
            }
            let decoded = LogEntry::decode(entry.data).expect("a committed entry is one that a leader encoded");
            self.state.apply(index, decoded).expect("the row store takes what the log says");
        }
        self.state.settle(self.consensus.committed());
    }

    fn apply_change(&mut self, entry: &Entry) {
        if !consensus::is_change(entry) || self.consensus.members().is_empty() {
            return;
        }
        self.consensus.apply_change(&entry.context).expect("a committed membership change is one that a leader checked");
        // Unless the rows that arrived meanwhile have told of it.
        if self.memberships.last().is_none_or(|(newest, _)| *newest < entry.index) {
            let members = self.consensus.members().clone();
            self.memberships.push((entry.index, members));
        }
    }

    fn after_apply(&mut self, schema: base::SchemaVersion) {
        if self.state.schema != schema {
            self.effects.push(ShardEffect::Schema(self.state.schema));
            self.requests.schema_changed = true;
        }
        self.decided();
    }

    // Answers.

    /// Answers once the log is committed up to `index`.
    pub(crate) fn reply(&mut self, to: NodeId, id: RequestId, response: Response, index: u64) {
        if index <= self.consensus.committed() || planted::active(Bug::AnswerEarly) {
            self.effects.push(ShardEffect::Reply { to, id, response });
        } else {
            self.held.entry(index).or_default().push(Held { to, id, response });
        }
    }

    pub(crate) fn refuse(&mut self, to: NodeId, id: RequestId, refusal: Refusal) {
        self.effects.push(ShardEffect::Reply { to, id, response: Response::Refused(refusal) });
    }

    fn release_held(&mut self) {
        let committed = self.consensus.committed();
        while let Some(first) = self.held.first_entry() {
            if *first.key() > committed {
                break;
            }
            for Held { to, id, response } in first.remove() {
                self.effects.push(ShardEffect::Reply { to, id, response });
            }
        }
        if self.leading.is_some() {
            self.state.settle(committed);
        }
    }

    fn assert_invariants(&self) {
        self.consensus.assert_invariants();
        assert!(
            self.held.first_key_value().is_none_or(|(index, _)| *index > self.consensus.committed()),
            "an answer is held although what it saw is committed"
        );
        if self.leading.is_none() && self.rows {
            let (applied, committed) = (self.state.applied, self.consensus.committed());
            assert!(applied <= committed, "a follower applied {applied}, committed is {committed}");
        }
        assert!(!self.serving || self.leading.is_some(), "only a leader serves");
        // Rows that arrived may be ahead of what the library has handed out of the log.
        let ahead = |index| !self.consensus.is_applied(index);
        let newest = self.memberships.last();
        let known = newest.is_none_or(|(index, newest)| newest == self.consensus.members() || ahead(*index));
        assert!(
            known || !self.rows,
            "the next flush would write down members of old: {:?}, now {:?}",
            self.memberships,
            self.consensus.members()
        );
    }
}

/// Time that passed, for waits.
pub(crate) fn due(now: Mono, since: Mono, wait: std::time::Duration) -> bool {
    now.since(since) >= wait
}
