//! The harness: replicas that exchange their effects, a clock that the test moves, and clients that ask and remember the answers.

use crate::codec::Wire;
use crate::event::{Control, Job, JobDone, ShardEffect, ShardEvent};
use crate::{Bootstrap, Shard, ShardConfig};
use base::{Mono, NodeId, Now, Prng, RequestId, SchemaVersion, ShardId, StorageId, TxnId, Version, Wall};
use bytes::Bytes;
use raft::eraftpb::MessageType;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use storage::access::*;
use storage::log::{Record, ShardLog};
use storage::rows::RowStores;
use storage::rows::memory::MemoryRows;

pub const SHARD: ShardId = ShardId(0);
/// The nodes' wall clocks start here.
const EPOCH_MICROS: u64 = 1_700_000_000_000_000;
const STEP_MICROS: u64 = 5_000;

/// What a disk has of one replica's log.
#[derive(Default)]
struct Disk {
    log: ShardLog,
    waiting: VecDeque<(u64, u64, Vec<Record>)>,
}

fn fold(log: &mut ShardLog, record: Record) {
    match record {
        Record::State { term, vote, commit } => (log.term, log.vote, log.commit) = (term, vote, commit),
        Record::Entries(entries) => {
            let first = entries[0].index;
            log.entries.retain(|entry| entry.index < first);
            log.entries.extend(entries);
        }
        Record::Truncated { index, term } => {
            log.entries.retain(|entry| entry.index > index);
            (log.truncated_index, log.truncated_term) = (index, term);
            if log.entries.first().is_some_and(|entry| entry.index != index + 1) {
                log.entries.clear();
            }
        }
        Record::Restarted { index, term } => {
            log.entries.clear();
            (log.truncated_index, log.truncated_term) = (index, term);
        }
        Record::Removed => *log = ShardLog::default(),
    }
}

pub struct Member {
    pub shard: Option<Shard>,
    disk: Disk,
    pub rows: MemoryRows,
    boot: u32,
    bootstrap: Option<Bootstrap>,
}

pub struct Cluster {
    pub now: u64,
    pub members: BTreeMap<NodeId, Member>,
    messages: VecDeque<(u64, NodeId, NodeId, Bytes)>,
    jobs: VecDeque<(NodeId, Job)>,
    /// Each with when it is heard of.
    heard_at: Vec<(u64, NodeId, Job)>,
    /// Whether the stores say that reads may wait: with what probability, of 16.
    pub waits: u64,
    pub urgent_held: bool,
    /// Also other jobs are heard of later than they end.
    pub jobs_late: bool,
    waits_prng: Prng,
    pub jobs_held: bool,
    pub cut: BTreeSet<(NodeId, NodeId)>,
    /// Hears heartbeats, but gets no entries.
    pub starved: Option<NodeId>,
    pub answers: BTreeMap<RequestId, Response>,
    pub reports: Vec<String>,
    pub delay: u64,
    pub disk_delay: u64,
    /// Messages lost, and as many doubled or late.
    pub loss_ppm: u32,
    pub active_bytes_max: usize,
    pub cache_bytes_max: usize,
    pub outcomes_max: usize,
    prng: Prng,
    next_request: u64,
    next_txn: u64,
}

pub fn n(id: u32) -> NodeId {
    NodeId(id)
}

pub fn key(name: &str) -> Key {
    let mut key = TABLE.0.to_be_bytes().to_vec();
    key.extend_from_slice(name.as_bytes());
    Key::from(key)
}

/// Its rows are recorded as the ledger's are, so that every test here is one of the evidence, too.
pub const TABLE: StorageId = RECORDED_STORAGES[0];

pub fn put(name: &str, row: &str, base: Version) -> Write {
    Write { key: key(name), row: Some(Row::copy_from_slice(row.as_bytes())), base }
}

impl Cluster {
    pub fn new(nodes: u32) -> Cluster {
        let voters: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
        Cluster::with(Bootstrap { voters, ..Bootstrap::default() })
    }

    pub fn with(bootstrap: Bootstrap) -> Cluster {
        let mut cluster = Cluster {
            now: 1_000_000,
            members: BTreeMap::new(),
            messages: VecDeque::new(),
            jobs: VecDeque::new(),
            heard_at: Vec::new(),
            waits: 4,
            urgent_held: false,
            jobs_late: false,
            waits_prng: Prng::new(7),
            jobs_held: false,
            cut: BTreeSet::new(),
            starved: None,
            answers: BTreeMap::new(),
            reports: Vec::new(),
            delay: 1_000,
            disk_delay: 0,
            loss_ppm: 0,
            active_bytes_max: 1 << 30,
            cache_bytes_max: 64 << 20,
            outcomes_max: 1 << 17,
            prng: Prng::new(42),
            next_request: 1,
            next_txn: 1,
        };
        for node in bootstrap.voters.iter().chain(&bootstrap.witnesses).chain(&bootstrap.learners) {
            cluster.add(*node, Some(bootstrap.clone()));
        }
        cluster
    }

    pub fn add(&mut self, node: NodeId, bootstrap: Option<Bootstrap>) {
        let member = Member { shard: None, disk: Disk::default(), rows: MemoryRows::new(), boot: 0, bootstrap };
        self.members.insert(node, member);
        self.start(node);
    }

    fn post(&mut self, at: u64, from: NodeId, to: NodeId, message: Bytes) {
        let place = self.messages.partition_point(|(other, _, _, _)| *other <= at);
        self.messages.insert(place, (at, from, to, message));
    }

    pub fn seed(&mut self, seed: u64) {
        self.prng = Prng::new(seed);
    }

    pub fn clock(&self) -> Now {
        Now { mono: Mono(self.now), wall: Wall(EPOCH_MICROS + self.now) }
    }

    pub fn start(&mut self, node: NodeId) {
        let now = self.clock();
        let (seed, active) = (self.prng.next_u64(), self.active_bytes_max);
        let (cache, outcomes_max) = (self.cache_bytes_max, self.outcomes_max);
        let member = self.members.get_mut(&node).unwrap();
        member.boot += 1;
        let mut config = ShardConfig::new(SHARD, node, member.boot, seed);
        config.bootstrap = member.bootstrap.clone();
        config.active_bytes_max = active;
        config.cache_bytes_max = cache;
        config.outcomes_max = outcomes_max;
        config.signing = Some(proof::SigningSeed([node.0 as u8; 32]));
        let log = (member.boot > 1).then(|| member.disk.log.clone());
        let store = member.rows.open(SHARD).unwrap();
        member.shard = Some(Shard::open(config, now, log, store).unwrap());
    }

    /// The process dies: what was not durable is gone.
    pub fn crash(&mut self, node: NodeId) {
        let member = self.members.get_mut(&node).unwrap();
        member.shard = None;
        member.disk.waiting.clear();
        member.rows = member.rows.crash(|_, _| 0);
        self.jobs.retain(|(other, _)| *other != node);
        self.heard_at.retain(|(_, other, _)| *other != node);
        self.messages.retain(|(_, _, to, _)| *to != node);
    }

    /// The process dies, and all it had on its disks is gone.
    pub fn destroy(&mut self, node: NodeId) {
        self.crash(node);
        let member = self.members.get_mut(&node).unwrap();
        (member.disk, member.rows, member.bootstrap, member.boot) = (Disk::default(), MemoryRows::new(), None, 0);
    }

    /// The process dies in the middle of a transfer: what rows there were is given up, what comes instead is not whole, and the log is there.
    pub fn lose_rows(&mut self, node: NodeId) {
        self.crash(node);
        self.members.get_mut(&node).unwrap().rows = MemoryRows::new();
    }

    /// What recovery says of a log that is damaged in its middle.
    pub fn damage_log(&mut self, node: NodeId) {
        let log = &mut self.members.get_mut(&node).unwrap().disk.log;
        *log = ShardLog { damaged: true, ..ShardLog::default() };
    }

    /// The log has files that were made ahead.
    pub fn fill_stores(&mut self, node: NodeId, full: bool) {
        self.members[&node].rows.set_full(full);
    }

    pub fn fill_disk(&mut self, node: NodeId, full: bool) {
        self.members[&node].rows.set_full(full);
        self.event(node, ShardEvent::DiskFull { full });
    }

    /// Nothing gets in or out any more.
    pub fn isolate(&mut self, node: NodeId) {
        let others: Vec<NodeId> = self.members.keys().copied().filter(|other| *other != node).collect();
        for other in others {
            self.cut.insert((node, other));
            self.cut.insert((other, node));
        }
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    pub fn shard(&mut self, node: NodeId) -> &mut Shard {
        self.members.get_mut(&node).unwrap().shard.as_mut().unwrap()
    }

    pub fn event(&mut self, node: NodeId, event: ShardEvent) {
        let now = self.clock();
        let Some(member) = self.members.get_mut(&node) else { return };
        member.rows.set_waits(self.waits_prng.below(16) < self.waits);
        let Some(shard) = member.shard.as_mut() else { return };
        let mut effects = Vec::new();
        shard.step(now, event, &mut effects);
        for effect in effects {
            self.effect(node, effect);
        }
    }

    fn effect(&mut self, node: NodeId, effect: ShardEffect) {
        match effect {
            ShardEffect::Send { to, message } => {
                assert_ne!(to, node, "nobody sends to itself");
                if self.prng.chance_ppm(self.loss_ppm) {
                    return;
                }
                if self.prng.chance_ppm(self.loss_ppm) {
                    self.post(self.now + self.delay + self.prng.clone().below(50_000), node, to, message.clone());
                }
                let late = if self.prng.chance_ppm(self.loss_ppm) { self.prng.below(50_000) } else { 0 };
                self.post(self.now + self.delay + late, node, to, message);
            }
            ShardEffect::Append { ticket, records } => {
                let at = self.now + self.disk_delay;
                self.members.get_mut(&node).unwrap().disk.waiting.push_back((at, ticket, records));
            }
            ShardEffect::Reply { id, response, .. } => {
                assert!(self.answers.insert(id, response).is_none(), "one answer for each request");
            }
            ShardEffect::Job(mut job) if job.urgent => {
                if self.waits_prng.one_in(2) {
                    let result = (job.run)();
                    job.run = Box::new(move || result);
                }
                self.heard_at.push((self.now + self.waits_prng.below(10) * STEP_MICROS, node, job));
            }
            ShardEffect::Job(job) => self.jobs.push_back((node, job)),
            ShardEffect::Schema(version) => self.reports.push(format!("{node} {version}")),
            ShardEffect::Leader { .. } => {}
            ShardEffect::Waiting { waiter, holders } => self.reports.push(format!("{waiter} waits for {holders:?}")),
            ShardEffect::Undecided { txn, .. } => self.reports.push(format!("{txn} undecided")),
            ShardEffect::Finding(text) => self.reports.push(format!("{node} found: {text}")),
            ShardEffect::Removed => self.reports.push(format!("{node} removed")),
        }
    }

    /// Delivers everything that is due, until nothing is.
    pub fn pump(&mut self) {
        loop {
            let mut progress = false;
            for node in self.members.keys().copied().collect::<Vec<_>>() {
                let now = self.now;
                while let Some(member) = self.members.get_mut(&node)
                    && member.disk.waiting.front().is_some_and(|(at, _, _)| *at <= now)
                {
                    let (_, ticket, records) = member.disk.waiting.pop_front().unwrap();
                    for record in records {
                        fold(&mut member.disk.log, record);
                    }
                    progress = true;
                    self.event(node, ShardEvent::Appended { ticket });
                }
            }
            while self.messages.front().is_some_and(|(at, _, _, _)| *at <= self.now) {
                let (_, from, to, message) = self.messages.pop_front().unwrap();
                progress = true;
                let entries = || matches!(Wire::decode(message.clone()), Ok(Wire::Raft(m)) if m.msg_type == MessageType::MsgAppend);
                let starved = self.starved == Some(to) && entries();
                if !self.cut.contains(&(from, to)) && !starved {
                    self.event(to, ShardEvent::Message { from, message });
                }
            }
            while !self.urgent_held
                && let Some(at) = self.heard_at.iter().position(|(due, ..)| *due <= self.now)
            {
                let (_, node, job) = self.heard_at.remove(at);
                progress = true;
                let result = (job.run)();
                self.event(node, ShardEvent::Job(JobDone { id: job.id, result }));
            }
            while !self.jobs_held
                && let Some((node, mut job)) = self.jobs.pop_front()
            {
                progress = true;
                let result = (job.run)();
                if self.jobs_late {
                    job.run = Box::new(move || result);
                    self.heard_at.push((self.now + self.waits_prng.below(10) * STEP_MICROS, node, job));
                    continue;
                }
                self.event(node, ShardEvent::Job(JobDone { id: job.id, result }));
            }
            if !progress {
                return;
            }
        }
    }

    /// Lets one job of those held run.
    pub fn run_one_job(&mut self) {
        if let Some((node, job)) = self.jobs.pop_front() {
            let result = (job.run)();
            self.event(node, ShardEvent::Job(JobDone { id: job.id, result }));
            self.pump();
        }
    }

    pub fn run(&mut self, millis: u64) {
        let end = self.now + millis * 1000;
        while self.now < end {
            self.step();
        }
    }

    pub fn step(&mut self) {
        self.now += STEP_MICROS;
        self.pump();
        if self.now.is_multiple_of(2 * STEP_MICROS) {
            for node in self.members.keys().copied().collect::<Vec<_>>() {
                self.event(node, ShardEvent::Tick);
            }
            self.pump();
        }
    }

    /// Messages and disks move on in small steps, and nobody hears a tick.
    pub fn run_without_ticks(&mut self, millis: u64, mut reached: impl FnMut(&mut Cluster) -> bool) {
        let start = self.now;
        while !reached(self) {
            assert!(self.now < start + millis * 1000, "it did not happen within {millis} ms");
            self.now += 500;
            self.pump();
        }
    }

    pub fn run_until(&mut self, millis: u64, mut reached: impl FnMut(&mut Cluster) -> bool) -> u64 {
        let start = self.now;
        while !reached(self) {
            assert!(self.now < start + millis * 1000, "it did not happen within {millis} ms");
            self.step();
        }
        (self.now - start) / 1000
    }

    pub fn leaders(&self) -> Vec<NodeId> {
        let serves = |member: &Member| member.shard.as_ref().is_some_and(|shard| shard.serves());
        self.members.iter().filter(|(_, member)| serves(member)).map(|(node, _)| *node).collect()
    }

    pub fn leader(&mut self) -> NodeId {
        self.run_until(5_000, |cluster| !cluster.leaders().is_empty());
        let leaders = self.leaders();
        assert_eq!(leaders.len(), 1, "one leader serves");
        leaders[0]
    }

    pub fn txn(&mut self) -> Context {
        self.next_txn += 1;
        Context {
            txn: TxnId { started: self.next_txn, node: NodeId(9), boot: 1, sequence: self.next_txn },
            isolation: Isolation::ReadCommitted,
            snapshot: Snapshot::Latest,
            schema: SchemaVersion(0),
            holds_locks: false,
            seen: None,
            follower: false,
            sees_staged: false,
        }
    }

    pub fn ask(&mut self, node: NodeId, request: Request) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.event(node, ShardEvent::Request { from: node, id, request });
        id
    }

    pub fn answer(&mut self, id: RequestId) -> Response {
        self.run_until(5_000, |cluster| cluster.answers.contains_key(&id));
        self.answers[&id].clone()
    }

    /// Asks a node and waits for its answer.
    pub fn call(&mut self, node: NodeId, request: Request) -> Response {
        let id = self.ask(node, request);
        self.answer(id)
    }

    pub fn commit(&mut self, node: NodeId, writes: Vec<Write>) -> Response {
        let context = self.txn();
        self.call(node, commit_request(&context, writes))
    }

    pub fn put(&mut self, node: NodeId, name: &str, row: &str) -> Version {
        let base = self.get(node, name).map_or(Version::ZERO, |found| found.version);
        match self.commit(node, vec![put(name, row, base)]) {
            Response::Committed { version } => version,
            other => panic!("{other:?}"),
        }
    }

    pub fn get(&mut self, node: NodeId, name: &str) -> Option<Found> {
        let context = self.txn();
        match self.call(node, read_request(&context, name, None)) {
            Response::Rows { mut rows, .. } => rows.remove(0),
            other => panic!("{other:?}"),
        }
    }

    pub fn row(&mut self, node: NodeId, name: &str) -> Option<String> {
        self.get(node, name).map(|found| String::from_utf8(found.row.to_vec()).unwrap())
    }

    pub fn scan(&mut self, node: NodeId, snapshot: Snapshot, reverse: bool, page: u32) -> Vec<(String, String)> {
        let mut context = self.txn();
        context.snapshot = snapshot;
        let mut range = KeyRange { start: key(""), end: Key::from((TABLE.0 + 1).to_be_bytes().to_vec()) };
        let mut all = Vec::new();
        loop {
            let request = Request::Scan { context: context.clone(), range: range.clone(), reverse, rows_max: page };
            let Response::Scanned { rows, resume, .. } = self.call(node, request) else { panic!("no rows") };
            assert!(rows.len() <= page as usize);
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            all.extend(rows.into_iter().map(|(key, found)| (text(&key[4..]), text(&found.row))));
            match resume {
                Some(next) if reverse => range.end = next,
                Some(next) => range.start = next,
                None => return all,
            }
        }
    }

    /// All replicas with rows show the same.
    pub fn assert_equal(&mut self) {
        let members = self.leaders().first().map(|leader| self.shard(*leader).members());
        let (mut hashes, mut evidence) = (BTreeMap::new(), Vec::new());
        for (node, member) in &mut self.members {
            if let Some(shard) = &mut member.shard
                && shard.status().rows
                && members.as_ref().is_none_or(|members| members.voters.contains(node))
            {
                hashes.insert(*node, shard.state_hash().unwrap());
                evidence.extend(
                    shard.evidence().filter(|evidence| evidence.idle).map(|evidence| (evidence.size, evidence.root, evidence.chain)),
                );
            }
        }
        let distinct: BTreeSet<u64> = hashes.values().copied().collect();
        if distinct.len() > 1 {
            for node in hashes.keys().copied().collect::<Vec<_>>() {
                let status = self.shard(node).status();
                eprintln!("{node}: {status:?}");
            }
        }
        assert_eq!(distinct.len(), 1, "replicas differ: {hashes:?}");
        assert!(evidence.windows(2).all(|pair| pair[0] == pair[1]), "replicas recorded different things: {evidence:?}");
    }

    pub fn control(&mut self, node: NodeId, control: Control) {
        self.event(node, ShardEvent::Control(control));
    }
}

pub fn commit_request(context: &Context, writes: Vec<Write>) -> Request {
    Request::Commit { context: context.clone(), writes: writes.into(), reads: ReadSet::default(), parts: 0 }
}

pub fn read_request(context: &Context, name: &str, lock: Option<LockMode>) -> Request {
    let reads = vec![KeyRead { key: key(name), lock }];
    Request::Read { context: context.clone(), reads, wait: LockWait::Wait(None) }
}

pub fn refused_with(response: &Response) -> String {
    match response {
        Response::Refused(Refusal::Error(error)) => error.state().to_string(),
        other => format!("{other:?}"),
    }
}
