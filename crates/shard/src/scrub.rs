//! The scrub: replicas compare their rows, chunk by chunk, and one whose rows are damaged gives them up and gets them anew.
//!
//! The leader reads a chunk of rows as of a closed version, which also has the store verify its checksums, and asks every replica with rows for its
//! checksum of the same range at the same version. A chunk that differs twice is judged: the majority of those that could read it is right. The wrong ones are told to drop
//! their rows, once the leader has flushed everything, so that what it sends meets their logs. A wrong leader hands leadership on and tells the next one, which
//! keeps it until the rows have come.
//!
//! Bounded work: one chunk at a time, pauses between chunks and between passes, on the shard's thread, because only there are all layers of a row together.

use crate::beat::Beat;
use crate::below::{Fetched, Part};
use crate::codec::Wire;
use crate::event::ShardEffect;
use crate::evidence::Told;
use crate::inspect::Fnv;
use crate::shard::{Shard, due};
use base::{Mono, NodeId, Result, SqlState, Version, Wall};
use bytes::Bytes;
use proof::Hash;
use std::collections::BTreeMap;
use std::time::Duration;
use storage::access::{Key, KeyRange};

/// Rows of one chunk.
const CHUNK_ROWS: u32 = 512;
/// A replica stops counting a chunk here: it has more rows than any leader's chunk.
const CHUNK_ROWS_MAX: usize = 4 * CHUNK_ROWS as usize;
/// Between two chunks.
const CHUNK_PAUSE: Duration = Duration::from_millis(200);
/// Between two passes.
const PASS_PAUSE: Duration = Duration::from_secs(300);
/// After a new leader serves, before its first pass.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// How long answers are waited for.
const ANSWER_WAIT: Duration = Duration::from_secs(3);
/// After so many readings by jobs in vain the thread reads a chunk by itself.
const READINGS_MAX: u32 = 3;
/// How long a damaged replica may take to be told, flush included.
const HEAL_WAIT: Duration = Duration::from_secs(60);

/// What the scrub of one replica has come to, for the system's tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubStatus {
    /// As leader: whole passes, chunks and rows compared.
    pub passes: u64,
    pub chunks: u64,
    pub rows: u64,
    pub pass_ended: Option<Wall>,
    /// As leader: chunks in which replicas differed.
    pub differences: u64,
    /// As leader: rows of the ledger that were looked for in its evidence, and those that were not there.
    pub recorded: u64,
    pub unrecorded: u64,
    /// This replica's rows were found damaged and dropped.
    pub dropped: u64,
    pub finding: Option<String>,
}

/// A chunk that others are asked for.
struct Asked {
    number: u64,
    end: Bytes,
    hash: Option<u64>,
    rows: u64,
    answers: BTreeMap<NodeId, Option<Option<u64>>>,
    since: Mono,
}

/// A chunk that the leader wants compared.
struct Wanted {
    from: NodeId,
    number: u64,
    range: KeyRange,
    version: Version,
    index: u64,
}

#[derive(Default)]
pub(crate) struct Scrubbing {
    pub status: ScrubStatus,
    next_at: Option<Mono>,
    cursor: Bytes,
    number: u64,
    asked: Option<Asked>,
    /// The chunk at the cursor differed once.
    again: bool,
    /// A job reads a chunk as of there.
    reading: Option<Beat>,
    readings: u32,
    wanted: Option<Wanted>,
    /// Members to be told to drop their rows once everything up to the entry is flushed.
    heal: Option<(Vec<NodeId>, u64, Mono)>,
    /// This replica's own rows cannot be read, or are not those of the others.
    unfit: bool,
    /// When the leader was told so, and in which term.
    told: (Mono, u64),
    /// The leader wants this replica's rows dropped.
    drop: Option<(NodeId, u64)>,
    /// What the leader said of its chain, until the checksum asked for with it is answered.
    pub told_chain: Option<Told>,
    pub tree_job: Option<u64>,
    /// Rows of the chunk that are still to be compared with the tree: key, version and leaf.
    pub tree_wanted: Vec<(Key, Version, Hash)>,
}

impl Shard {
    pub fn scrub_status(&self) -> ScrubStatus {
        self.scrubbing.status.clone()
    }

    /// The next pass begins with the next tick: for tests and drills.
    pub fn scrub_now(&mut self) {
        self.scrubbing.next_at = Some(self.now.mono);
    }

    pub(crate) fn tick_scrub(&mut self) {
        if self.scrubbing.unfit {
            self.give_up_unfit();
        }
        if self.serves() {
            self.lead_scrub();
        } else if !self.consensus.is_leader() {
            let scrubbing = &mut self.scrubbing;
            (scrubbing.next_at, scrubbing.asked, scrubbing.heal, scrubbing.again) = (None, None, None, false);
            scrubbing.cursor = Bytes::new();
            self.answer_scrub();
            self.drop_when_idle();
        }
    }

    // The leader.

    fn lead_scrub(&mut self) {
        let now = self.now.mono;
        self.heal_when_flushed();
        if let Some(asked) = &self.scrubbing.asked {
            if asked.answers.values().all(Option::is_some) || due(now, asked.since, ANSWER_WAIT) {
                self.judge_chunk();
            }
            return;
        }
        let at = *self.scrubbing.next_at.get_or_insert(now.after(FIRST_PAUSE));
        if now >= at && self.scrubbing.heal.is_none() && self.handing.is_none() {
            self.ask_chunk_hashes();
        }
    }

    fn ask_chunk_hashes(&mut self) {
        let beat = self.consensus.beat;
        if self.is_readable_at(beat.closed) && !self.a_job_reads(&self.chunk_at_cursor(), beat) {
            self.ask_chunk_hashes_as_of(beat);
        }
    }

    fn chunk_at_cursor(&self) -> KeyRange {
        KeyRange { start: self.scrubbing.cursor.clone(), end: Bytes::new() }
    }

    fn ask_chunk_hashes_as_of(&mut self, beat: Beat) {
        let range = self.chunk_at_cursor();
        let (hash, rows, end) = match self.state.scan_rows(&range, false, CHUNK_ROWS, beat.closed, None, true) {
            // An undecided transaction is in the way: later.
            Ok(scanned) if scanned.blocked.is_some() => {
                self.scrubbing.next_at = Some(self.now.mono.after(CHUNK_PAUSE));
                return;
            }
            Ok(scanned) => {
                let mut hash = Fnv::default();
                scanned.rows.iter().for_each(|(key, found)| hash.row(key, found));
                self.compare_with_tree(&scanned.rows);
                (hash.value(), scanned.rows.len() as u64, scanned.resume.unwrap_or_default())
            }
            Err(error) => {
                self.rows_unreadable(&error.to_string());
                return;
            }
        };
        self.scrubbing.number += 1;
        let number = self.scrubbing.number;
        let ask = Wire::ScrubAsk { number, start: range.start, end: end.clone(), version: beat.closed, index: beat.index };
        let members = self.consensus.members().clone();
        let with_rows = |node: &NodeId| *node != self.config.node && !members.witnesses.contains(node);
        // Also one that is silent just now: the library forgets who was active with each election timeout.
        let known = |node: &NodeId| self.consensus.progress(*node).is_some_and(|(matched, _)| matched > 0);
        let asked: Vec<NodeId> = members.all().into_iter().filter(with_rows).filter(known).collect();
        self.tell_chain(&asked);
        for node in &asked {
            self.send_wire(*node, &ask);
        }
        let answers = asked.into_iter().map(|node| (node, None)).collect();
        self.scrubbing.asked = Some(Asked { number, end, hash: Some(hash), rows, answers, since: self.now.mono });
    }

    /// `hash`: `None` if the replica cannot read its rows.
    pub(crate) fn scrub_answered(&mut self, from: NodeId, number: u64, hash: Option<u64>) {
        if let Some(asked) = self.scrubbing.asked.as_mut().filter(|asked| asked.number == number)
            && let Some(answer) = asked.answers.get_mut(&from)
        {
            *answer = Some(hash);
        } else if hash.is_none() && self.consensus.is_leader() && self.scrubbing.heal.is_none() && self.consensus.members().contains(from) {
            self.found(format!("node {} asks for its rows anew: those it has are damaged", from.0));
            self.heal(vec![from]);
        }
    }

    fn judge_chunk(&mut self) {
        let asked = self.scrubbing.asked.take().expect("the caller saw it");
        let mut groups: BTreeMap<Option<u64>, Vec<NodeId>> = BTreeMap::from([(asked.hash, vec![self.config.node])]);
        for (node, answer) in &asked.answers {
            if let Some(hash) = answer {
                groups.entry(*hash).or_default().push(*node);
            }
        }
        if groups.len() == 1 {
            self.chunk_agrees(asked);
        } else if !std::mem::replace(&mut self.scrubbing.again, true) {
            // Once more, at another version.
            self.scrubbing.next_at = Some(self.now.mono.after(CHUNK_PAUSE));
        } else {
            self.scrubbing.status.differences += 1;
            self.judge_difference(groups);
            if self.handing.is_some() {
                // If it comes to nothing, the same chunk is judged again.
                self.scrubbing.next_at = Some(self.now.mono.after(ANSWER_WAIT));
            } else {
                self.chunk_agrees(asked);
            }
        }
    }

    fn chunk_agrees(&mut self, asked: Asked) {
        let now = self.now;
        let scrubbing = &mut self.scrubbing;
        scrubbing.again = false;
        scrubbing.status.chunks += 1;
        scrubbing.status.rows += asked.rows;
        let pause = if asked.end.is_empty() { PASS_PAUSE } else { CHUNK_PAUSE };
        if asked.end.is_empty() {
            scrubbing.status.passes += 1;
            scrubbing.status.pass_ended = Some(now.wall);
        }
        scrubbing.cursor = asked.end;
        scrubbing.next_at = Some(now.mono.after(pause));
    }

    fn judge_difference(&mut self, mut groups: BTreeMap<Option<u64>, Vec<NodeId>>) {
        let unreadable = groups.remove(&None).unwrap_or_default();
        let readers: usize = groups.values().map(Vec::len).sum();
        let right = groups.iter().find(|(_, nodes)| 2 * nodes.len() > readers).map(|(hash, _)| *hash);
        let Some(right) = right else {
            self.found(format!("replicas differ and no majority tells who is right: {groups:?}"));
            return;
        };
        let keepers = groups.remove(&right).unwrap_or_default();
        let mut damaged: Vec<NodeId> = groups.into_values().flatten().collect();
        damaged.extend(unreadable);
        let names: Vec<String> = damaged.iter().map(|node| node.0.to_string()).collect();
        self.found(format!("damaged rows on node {}", names.join(", ")));
        if keepers.contains(&self.config.node) {
            self.heal(damaged);
        } else if let Some(to) = keepers.first() {
            // Whoever leads next would not look before its first pass, and might hand leadership back.
            self.scrubbing.unfit = true;
            self.hand_over(*to);
        }
    }

    /// True if this leader is about to have the node's rows replaced: it must not lead with those it has.
    pub(crate) fn heals(&self, node: NodeId) -> bool {
        self.scrubbing.heal.as_ref().is_some_and(|(damaged, ..)| damaged.contains(&node))
    }

    pub(crate) fn found(&mut self, text: String) {
        let finding = format!("scrub of shard {}: {text}", self.config.shard.0);
        self.scrubbing.status.finding = Some(finding.clone());
        self.effects.push(ShardEffect::Finding(finding));
    }

    fn heal(&mut self, damaged: Vec<NodeId>) {
        self.scrubbing.heal = Some((damaged, self.state.applied, self.now.mono));
        self.flush_now();
    }

    /// Only rows that are as new as anything in the damaged replicas' logs can be put under them.
    fn heal_when_flushed(&mut self) {
        let Some((damaged, upto, since)) = &self.scrubbing.heal else { return };
        let (upto, since) = (*upto, *since);
        if due(self.now.mono, since, HEAL_WAIT) {
            self.scrubbing.heal = None;
        } else if self.flushing.flushed_index < upto {
            self.flush_now();
        } else {
            let damaged = damaged.clone();
            self.scrubbing.heal = None;
            for node in damaged {
                self.send_wire(node, &Wire::ScrubDrop { term: self.consensus.term() });
            }
        }
    }

    // The others.

    pub(crate) fn scrub_asked(&mut self, from: NodeId, number: u64, range: KeyRange, version: Version, index: u64) {
        if self.rows && self.consensus.leader() == Some(from) {
            self.scrubbing.wanted = Some(Wanted { from, number, range, version, index });
            self.answer_scrub();
        }
    }

    fn answer_scrub(&mut self) {
        if !self.rows || self.scrubbing.wanted.as_ref().is_none_or(|wanted| self.state.applied < wanted.index) || !self.can_judge_chain() {
            return;
        }
        let wanted = self.scrubbing.wanted.as_ref().expect("it was just seen");
        let (range, beat) = (wanted.range.clone(), Beat { closed: wanted.version, ..Beat::default() });
        if !self.a_job_reads(&range, beat) {
            self.answer_scrub_now();
        }
    }

    fn answer_scrub_now(&mut self) {
        let Some(Wanted { from, number, range, version, .. }) = self.scrubbing.wanted.take() else { return };
        if !self.is_readable_at(version) {
            return;
        }
        let hash = match self.hash_range(range, version) {
            Ok(hash) => Some(hash ^ self.chain_difference()),
            Err(error) => {
                self.rows_unreadable(&error.to_string());
                None
            }
        };
        self.send_wire(from, &Wire::ScrubAnswer { number, hash });
    }

    /// Where the store may make its readers wait, a job reads the chunk first.
    fn a_job_reads(&mut self, range: &KeyRange, at: Beat) -> bool {
        if self.scrubbing.reading.is_some() {
            return true;
        }
        let reads = self.scrubbing.readings < READINGS_MAX && self.state.may_wait_below(false);
        self.scrubbing.readings = if reads { self.scrubbing.readings + 1 } else { 0 };
        if reads {
            self.scrubbing.reading = Some(at);
            self.fetch_chunk(Part { range: range.clone(), reverse: false, limit: CHUNK_ROWS_MAX, snapshot: at.closed });
        }
        reads
    }

    /// `None`: in vain; the next tick tries again.
    pub(crate) fn chunk_fetched(&mut self, fetched: Option<Fetched>) {
        let (Some(at), Some(fetched)) = (self.scrubbing.reading.take(), fetched) else { return };
        self.scrubbing.readings = 0;
        self.state.take_fetched(fetched);
        if !self.serves() {
            self.answer_scrub_now();
        } else if self.scrubbing.asked.is_none() && self.is_readable_at(at.closed) {
            self.ask_chunk_hashes_as_of(at);
        }
        self.state.forget_fetched();
    }

    /// No version that is visible there was collected: it is recent, or nothing has changed since.
    fn is_readable_at(&self, version: Version) -> bool {
        self.state.snapshot_too_old(version).is_none() || version >= self.state.last_version
    }

    fn hash_range(&mut self, mut range: KeyRange, version: Version) -> Result<u64> {
        let (mut hash, mut rows) = (Fnv::default(), 0);
        loop {
            let scanned = self.state.scan_rows(&range, false, CHUNK_ROWS, version, None, true)?;
            scanned.rows.iter().for_each(|(key, found)| hash.row(key, found));
            rows += scanned.rows.len();
            match scanned.resume {
                Some(next) if rows < CHUNK_ROWS_MAX => range.start = next,
                _ => return Ok(hash.value()),
            }
        }
    }

    /// The store says that what it holds is not what was written.
    pub(crate) fn rows_unreadable(&mut self, error: &str) {
        if !std::mem::replace(&mut self.scrubbing.unfit, true) {
            self.found(format!("this node cannot read its rows: {error}"));
        }
    }

    /// Tells the leader, or stops being it.
    fn give_up_unfit(&mut self) {
        if !self.rows {
            self.scrubbing.unfit = false;
            return;
        }
        let (now, term) = (self.now.mono, self.consensus.term());
        let (told_at, told_term) = self.scrubbing.told;
        if self.consensus.is_leader() {
            let members = self.consensus.members().list();
            let known = |node: &NodeId| self.consensus.progress(*node).is_some_and(|(matched, _)| matched > 0);
            let other = members.voters.into_iter().find(|node| *node != self.config.node && known(node));
            if let Some(to) = other {
                self.hand_over(to);
            }
        } else if let Some(leader) = self.consensus.leader()
            && (term != told_term || due(now, told_at, ANSWER_WAIT))
        {
            self.scrubbing.told = (now, term);
            self.send_wire(leader, &Wire::ScrubAnswer { number: 0, hash: None });
        }
    }

    /// The leader says that this replica's rows are damaged.
    pub(crate) fn scrub_drop(&mut self, from: NodeId, term: u64) {
        self.scrubbing.drop = Some((from, term));
        self.drop_when_idle();
    }

    fn drop_when_idle(&mut self) {
        let Some((from, term)) = self.scrubbing.drop else { return };
        let told = self.consensus.leader() == Some(from) && self.consensus.term() == term && !self.consensus.is_leader();
        if !told || !self.rows {
            self.scrubbing.drop = None;
            return;
        }
        // A flush under way ends first.
        if self.flushing.is_running() || self.transfers.is_busy() {
            return;
        }
        match self.state.store.clear() {
            Ok(()) => {}
            Err(error) if error.state() == SqlState::DISK_FULL => return,
            Err(error) => panic!("the row store failed: {error}"),
        }
        self.scrubbing.drop = None;
        self.drop_rows_held();
        self.scrubbing.unfit = false;
        self.scrubbing.status.dropped += 1;
        self.found(format!("this node's rows are damaged; they come anew from node {}", from.0));
    }
}
