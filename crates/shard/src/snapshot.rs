//! Rows for replicas that are too far behind for the log, or that are new or damaged.
//!
//! The replica in need asks a leader for its store chunk by chunk, so it sets the pace and neither side holds more than a chunk in
//! memory. Its own store is cleared first and gets its bookkeeping last: after a crash in the middle it knows that it has no
//! rows, and asks again from the start. Only when all rows are there does the consensus library learn of the jump.

use crate::codec::{Item, RowsEnd, Wire};
use crate::consensus::Part;
use crate::event::JobDone;
use crate::members::Members;
use crate::memlog::Sendable;
use crate::meta::{self, STATE_KEY, Standing};
use crate::read::bound_end;
use crate::shard::{Shard, due};
use crate::state::State;
use crate::wire::{Reader, Writer};
use base::{Error, Mono, NodeId, Result};
use bytes::Bytes;
use raft::eraftpb::{Message, MessageType};
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::time::Duration;
use storage::rows::{Batch, RowSnapshot, Space};

/// Bytes of rows in one chunk.
const CHUNK_BYTES: usize = 256 * 1024;
/// Transfers that one leader serves at a time.
const OUTGOING_MAX: usize = 2;
/// A sender forgets a transfer that nobody has gone on with for this long.
const FORGET_AFTER: Duration = Duration::from_secs(10);
/// A receiver asks again when no chunk has come for this long, and starts anew after several times.
const ASK_AGAIN: Duration = Duration::from_secs(1);
const ASK_TIMES: u32 = 5;
/// How long a replica without rows waits before it asks a leader by itself.
const ASK_FIRST: Duration = Duration::from_millis(500);

/// Between two times that a leader tells a replica that it must fetch rows.
const TELL_AGAIN: Duration = Duration::from_millis(500);

const SPACES: [Space; 5] = [Space::Current, Space::History, Space::Staged, Space::Packed, Space::Evidence];

/// How far a sender has read.
#[derive(Clone, Debug, Default)]
struct Cursor {
    space: usize,
    from: Bytes,
}

struct Outgoing {
    transfer: u64,
    /// With the job while it reads.
    reading: Option<(Box<dyn RowSnapshot>, Cursor)>,
    job: Option<u64>,
    number: u64,
    /// The last chunk, in case it was lost.
    sent: Option<Bytes>,
    used: Mono,
}

struct Read {
    snapshot: Box<dyn RowSnapshot>,
    cursor: Cursor,
    items: Vec<Item>,
    end: Option<RowsEnd>,
}

struct Incoming {
    transfer: u64,
    from: NodeId,
    /// The next chunk.
    number: u64,
    job: Option<u64>,
    /// Set when the last chunk is being written.
    end: Option<RowsEnd>,
    asked: Mono,
    times: u32,
}

pub(crate) struct Transfers {
    outgoing: BTreeMap<NodeId, Outgoing>,
    incoming: Option<Incoming>,
    next: u64,
    rowless_since: Option<Mono>,
    told: Mono,
}

impl Transfers {
    pub fn new(boot: u32) -> Transfers {
        Transfers { outgoing: BTreeMap::new(), incoming: None, next: u64::from(boot) << 32, rowless_since: None, told: Mono(0) }
    }

    /// Rows are on their way, either way.
    pub fn is_busy(&self) -> bool {
        self.incoming.is_some() || self.outgoing.values().any(|outgoing| outgoing.job.is_some())
    }
}

fn read_chunk(snapshot: Box<dyn RowSnapshot>, mut cursor: Cursor) -> Result<Read> {
    let (mut items, mut bytes) = (Vec::new(), 0);
    while cursor.space < SPACES.len() && bytes < CHUNK_BYTES {
        let space = SPACES[cursor.space];
        let mut next = None;
        snapshot.scan(space, Bound::Included(&cursor.from), bound_end(&[]), false, &mut |key, value| {
            if bytes >= CHUNK_BYTES {
                next = Some(Bytes::copy_from_slice(key));
                return ControlFlow::Break(());
            }
            bytes += key.len() + value.len();
            items.push((space, Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
            ControlFlow::Continue(())
        })?;
        cursor = match next {
            Some(from) => Cursor { space: cursor.space, from },
            None => Cursor { space: cursor.space + 1, from: Bytes::new() },
        };
    }
    let mut end = None;
    if cursor.space == SPACES.len() {
        let value = snapshot.get(Space::Meta, STATE_KEY)?.ok_or_else(|| Error::internal("the bookkeeping is gone"))?;
        let mut r = Reader::new(value.slice(2..));
        let (index, term, _) = (r.u64()?, r.u64()?, r.bool()?);
        end = Some(RowsEnd { index, term, members: Members::read(&mut r)? });
        items.push((Space::Meta, Bytes::from_static(STATE_KEY), value));
    }
    Ok(Read { snapshot, cursor, items, end })
}

impl Shard {
    // The sender.

    pub(crate) fn rows_wanted(&mut self, from: NodeId, transfer: u64, number: u64, lost: bool, at_least: u64) {
        // A newcomer waits for the flush that follows its joining.
        let known = self.consensus.log().sendable.as_ref().is_some_and(|sendable| sendable.members.contains(from));
        if !self.rows || !self.consensus.is_leader() || !known {
            self.send_wire(from, &Wire::RowsRefused { transfer });
            return;
        }
        if number == 0 && self.flushing.flushed_index < at_least {
            // It had flushed more than this leader before it lost its rows: it asks again.
            self.flush_now();
            self.send_wire(from, &Wire::RowsRefused { transfer });
            return;
        }
        if number == 0 {
            if lost {
                self.consensus.forget_progress(from);
            }
            self.start_sending(from, transfer);
        }
        let now = self.now.mono;
        let Some(outgoing) = self.transfers.outgoing.get_mut(&from).filter(|outgoing| outgoing.transfer == transfer) else {
            self.send_wire(from, &Wire::RowsRefused { transfer });
            return;
        };
        outgoing.used = now;
        if outgoing.job.is_some() {
            return;
        }
        if number + 1 == outgoing.number
            && let Some(message) = outgoing.sent.clone()
        {
            self.effects.push(crate::event::ShardEffect::Send { to: from, message });
            return;
        }
        if number != outgoing.number {
            return;
        }
        if let Some((snapshot, cursor)) = outgoing.reading.take() {
            let job = self.spawn("read rows for a replica", move || Ok(Box::new(read_chunk(snapshot, cursor)?)));
            let outgoing = self.transfers.outgoing.get_mut(&from).expect("it was just seen");
            outgoing.job = Some(job);
        }
    }

    fn start_sending(&mut self, to: NodeId, transfer: u64) {
        let now = self.now.mono;
        if self.transfers.outgoing.get(&to).is_some_and(|outgoing| outgoing.transfer == transfer) {
            return;
        }
        self.transfers.outgoing.remove(&to);
        if self.transfers.outgoing.len() >= OUTGOING_MAX {
            return;
        }
        // A store that cannot give a snapshot now is asked again by the receiver.
        if let Ok(snapshot) = self.state.store.snapshot() {
            let reading = Some((snapshot, Cursor::default()));
            let outgoing = Outgoing { transfer, reading, job: None, number: 0, sent: None, used: now };
            self.transfers.outgoing.insert(to, outgoing);
        }
    }

    fn chunk_read(&mut self, to: NodeId, done: JobDone) {
        let result = done
            .result
            .and_then(|result| result.downcast::<Read>().map_err(|_| Error::internal("a job answered with something else than rows")));
        let outgoing = self.transfers.outgoing.get_mut(&to).expect("the caller saw it");
        outgoing.job = None;
        let transfer = outgoing.transfer;
        let Ok(read) = result else {
            self.transfers.outgoing.remove(&to);
            self.send_wire(to, &Wire::RowsRefused { transfer });
            return;
        };
        let read = *read;
        outgoing.reading = Some((read.snapshot, read.cursor));
        let message = Wire::Rows { transfer, number: outgoing.number, items: read.items, end: read.end }.encode();
        outgoing.number += 1;
        outgoing.sent = Some(message.clone());
        self.effects.push(crate::event::ShardEffect::Send { to, message });
    }

    // The receiver.

    pub(crate) fn is_witness_in(&self, message: &Message) -> bool {
        let members = Members::read(&mut Reader::new(message.get_snapshot().data.clone()));
        members.is_ok_and(|members| members.witnesses.contains(&self.config.node))
    }

    /// A witness jumps at once, but must know the membership of then when it starts again.
    /// Answers false if there is no room for the note: the leader tells it again.
    pub(crate) fn note_jump(&mut self, message: &Message) -> bool {
        let metadata = message.get_snapshot().get_metadata();
        if metadata.index <= self.consensus.committed() {
            return true;
        }
        if self.rows {
            // It held rows before it became a witness: the log goes on without them. A flush under way ends first.
            if self.flushing.is_running() {
                return false;
            }
            self.drop_rows_held();
        }
        let members = Members::read(&mut Reader::new(message.get_snapshot().data.clone())).expect("the codec has read it");
        let standing = Standing { index: metadata.index, term: metadata.term, rows: false, members };
        let store = &self.state.store;
        let mut batch = standing.batch(&[], None);
        batch.changes.push(meta::silence(self.lost));
        match store.write(batch).and_then(|()| store.sync()) {
            Ok(()) => self.flushing.flushed_index = standing.index,
            Err(e) if e.state() == base::SqlState::DISK_FULL => return false,
            Err(e) => panic!("the row store failed: {e}"),
        }
        true
    }

    /// The leader says that this replica is too far behind for the log.
    pub(crate) fn fetch_rows(&mut self, from: NodeId, message: Message) {
        let index = message.get_snapshot().get_metadata().index;
        if self.rows && index <= self.consensus.committed() {
            // The leader has not heard that it is there already: the library tells it.
            self.consensus.step(self.now.mono, from, message);
            return;
        }
        if self.transfers.incoming.as_ref().is_none_or(|incoming| incoming.from != from && incoming.job.is_none()) {
            self.ask_for_rows(from);
        }
    }

    fn ask_for_rows(&mut self, from: NodeId) {
        self.transfers.next += 1;
        let transfer = self.transfers.next;
        let now = self.now.mono;
        self.transfers.incoming = Some(Incoming { transfer, from, number: 0, job: None, end: None, asked: now, times: 0 });
        self.ask_chunk();
    }

    fn ask_chunk(&mut self) {
        let now = self.now.mono;
        let incoming = self.transfers.incoming.as_mut().expect("the caller has one");
        incoming.asked = now;
        let (to, transfer, number) = (incoming.from, incoming.transfer, incoming.number);
        let lost = self.consensus.part == Part::Silent;
        let at_least = self.consensus.log().base().index;
        self.send_wire(to, &Wire::RowsWanted { transfer, number, lost, at_least });
    }

    pub(crate) fn filling(&self) -> bool {
        self.transfers.incoming.as_ref().is_some_and(|incoming| incoming.number > 0 || incoming.job.is_some())
    }

    pub(crate) fn rows_arrived(&mut self, from: NodeId, transfer: u64, number: u64, items: Vec<Item>, end: Option<RowsEnd>) {
        let busy = self.flushing.is_running();
        let Some(incoming) = self.transfers.incoming.as_mut() else { return };
        let expected = incoming.transfer == transfer && incoming.from == from && incoming.number == number;
        if !expected || incoming.job.is_some() || busy || self.consensus.is_leader() {
            return;
        }
        if end.as_ref().is_some_and(|end| end.index < self.consensus.committed() && self.rows) {
            self.transfers.incoming = None;
            return;
        }
        if end.as_ref().is_some_and(|end| end.index < self.consensus.log().base().index) {
            // The log goes on behind them, with a gap.
            self.transfers.incoming = None;
            self.transfers.rowless_since = Some(self.now.mono);
            return;
        }
        let first = number == 0;
        incoming.end = end;
        incoming.times = 0;
        if first {
            self.drop_rows_held();
        }
        let store = self.state.store.clone();
        let silent = self.lost;
        let job = self.spawn("fill with rows", move || {
            if first {
                store.clear()?;
            }
            let last = items.last().is_some_and(|(space, _, _)| *space == Space::Meta);
            let mut changes: Vec<_> = items.into_iter().map(|(space, key, value)| (space, key, Some(value))).collect();
            if last {
                changes.push(meta::silence(silent));
            }
            store.write(Batch { changes })?;
            if last {
                store.sync()?;
            }
            Ok(Box::new(()))
        });
        self.transfers.incoming.as_mut().expect("it was just seen").job = Some(job);
    }

    /// What this replica had is given up: it takes part as one without rows until the new ones are complete.
    pub(crate) fn drop_rows_held(&mut self) {
        self.rows = false;
        if self.consensus.part == Part::Full {
            self.consensus.part = Part::Rowless;
        }
        self.consensus.log_mut().sendable = None;
        let mut state = State::new(self.state.store.clone(), self.config.cache_bytes_max, self.config.outcomes_max, &self.config.origin);
        state.follow(&self.state);
        self.state = state;
    }

    pub(crate) fn transfer_job_done(&mut self, done: JobDone) {
        let sender = self.transfers.outgoing.iter().find(|(_, outgoing)| outgoing.job == Some(done.id)).map(|(to, _)| *to);
        if let Some(to) = sender {
            self.chunk_read(to, done);
        } else if self.transfers.incoming.as_ref().is_some_and(|incoming| incoming.job == Some(done.id)) {
            self.chunk_written(done);
        }
    }

    fn chunk_written(&mut self, done: JobDone) {
        let incoming = self.transfers.incoming.as_mut().expect("the caller saw it");
        incoming.job = None;
        match done.result {
            Ok(_) if incoming.end.is_some() => {
                let incoming = self.transfers.incoming.take().expect("it was just seen");
                self.install(incoming.from, incoming.end.expect("it was just seen"));
            }
            Ok(_) => {
                incoming.number += 1;
                self.ask_chunk();
            }
            // Begun anew after a while.
            Err(e) if e.state() == base::SqlState::DISK_FULL => self.transfers.incoming = None,
            Err(e) => panic!("the row store failed: {e}"),
        }
    }

    /// All rows are there: the state is read from them, and the log goes on behind them.
    fn install(&mut self, from: NodeId, end: RowsEnd) {
        let store = self.state.store.clone();
        let mut state = State::new(store.clone(), self.config.cache_bytes_max, self.config.outcomes_max, &self.config.origin);
        let loaded = meta::load(&*store, &mut state).expect("what was just written is read back");
        let standing = loaded.expect("the last chunk held the bookkeeping");
        assert_eq!((standing.index, standing.term), (end.index, end.term), "the rows stand where their sender said");
        state.follow(&self.state);
        self.state = state;
        self.rows = true;
        self.transfers.rowless_since = None;
        if self.consensus.part == Part::Rowless {
            self.consensus.part = Part::Full;
        }
        self.speak_again();
        // The log may have brought changes of members that came after those rows: the next flush must write them down.
        self.memberships.retain(|(index, _)| *index > standing.index);
        self.memberships.insert(0, (standing.index, standing.members.clone()));
        self.flushing.flushed_index = standing.index;
        self.clock.observe(self.state.allowance.newest());
        self.jump(from, &standing);
        let Standing { index, term, members, .. } = standing;
        self.consensus.log_mut().sendable = Some(Sendable { index, term, members });
        self.apply_from_log();
    }

    /// The consensus library learns that everything up to there is committed, and restarts its log if it did not have it.
    fn jump(&mut self, from: NodeId, standing: &Standing) {
        let known = standing.index <= self.consensus.committed();
        if known && !self.consensus.members().is_empty() {
            return;
        }
        let mut message = Message::default();
        message.set_msg_type(MessageType::MsgSnapshot);
        message.term = self.consensus.term();
        let from = self.consensus.leader().unwrap_or(from);
        let snapshot = message.mut_snapshot();
        let mut members = Writer::default();
        standing.members.write(&mut members);
        snapshot.data = members.finish();
        let metadata = snapshot.mut_metadata();
        (metadata.index, metadata.term) = (standing.index, standing.term);
        metadata.set_conf_state(standing.members.state.clone());
        self.consensus.step(self.now.mono, from, message);
    }

    pub(crate) fn rows_refused(&mut self, from: NodeId, transfer: u64) {
        let refused = |incoming: &Incoming| incoming.transfer == transfer && incoming.from == from && incoming.job.is_none();
        if self.transfers.incoming.as_ref().is_some_and(refused) {
            self.transfers.incoming = None;
            self.transfers.rowless_since = Some(self.now.mono);
        }
    }

    pub(crate) fn tick_transfers(&mut self) {
        let now = self.now.mono;
        self.transfers.outgoing.retain(|_, outgoing| outgoing.job.is_some() || !due(now, outgoing.used, FORGET_AFTER));
        self.tell_again(now);
        match &mut self.transfers.incoming {
            Some(incoming) if incoming.job.is_none() && due(now, incoming.asked, ASK_AGAIN) => {
                incoming.times += 1;
                if incoming.times > ASK_TIMES {
                    self.transfers.incoming = None;
                } else {
                    self.ask_chunk();
                }
            }
            Some(_) => {}
            None => self.ask_if_rowless(now),
        }
    }

    /// Who was told that it is too far behind, but does not fetch, may not have heard.
    fn tell_again(&mut self, now: Mono) {
        if !self.consensus.is_leader() || !due(now, self.transfers.told, TELL_AGAIN) {
            return;
        }
        self.transfers.told = now;
        for node in self.consensus.told_to_fetch() {
            let fetches = self.transfers.outgoing.get(&node).is_some_and(|outgoing| !due(now, outgoing.used, 2 * ASK_AGAIN));
            if !fetches {
                self.consensus.tell_again(node);
            }
        }
    }

    /// A replica that has no rows, and that the leader does not know to be without, asks by itself.
    fn ask_if_rowless(&mut self, now: Mono) {
        if self.rows || self.consensus.members().witnesses.contains(&self.config.node) {
            return;
        }
        let since = *self.transfers.rowless_since.get_or_insert(now);
        if let Some(leader) = self.consensus.leader()
            && leader != self.config.node
            && due(now, since, ASK_FIRST)
        {
            self.ask_for_rows(leader);
        }
    }
}
