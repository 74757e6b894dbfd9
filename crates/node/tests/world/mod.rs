//! A few nodes in one thread: frames are passed at once, log writes and jobs end at once, time moves in ticks.

use base::locality::LocalityMode;
use base::{Error, Locality, Mono, NodeId, Now, SessionId, ShardId, Wall};
use node::config::{EvidenceIdentity, NodeConfig};
use node::event::{DiskError, Effect, Event, Report, TICK_MICROS};
use node::{Node, Peer, Start};
use proof::SigningSeed;
use sql::client::{ClientRequest, ClientResponse};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use storage::log::{LogFiles, LogWrite, SEGMENT_BYTES};
use storage::rows::memory::MemoryRows;

pub type Rows = Vec<Vec<Option<String>>>;
/// What gives a node its events.
pub type Step = Box<dyn FnMut(&mut Node, Now, Event, &mut Vec<Effect>)>;

#[derive(Clone, Default)]
pub struct Disk {
    segments: Rc<RefCell<BTreeMap<u64, Vec<u8>>>>,
}

impl Disk {
    fn write(&self, write: &LogWrite) {
        let mut segments = self.segments.borrow_mut();
        let segment = segments.entry(write.segment).or_insert_with(|| vec![0; SEGMENT_BYTES]);
        let at = write.offset as usize;
        segment[at..at + write.bytes.len()].copy_from_slice(&write.bytes);
    }
}

impl LogFiles for Disk {
    fn segments(&self) -> base::Result<Vec<u64>> {
        Ok(self.segments.borrow().keys().copied().collect())
    }

    fn read(&self, segment: u64) -> base::Result<Vec<u8>> {
        Ok(self.segments.borrow()[&segment].clone())
    }
}

struct Machine {
    node: Option<Node>,
    disk: Disk,
    rows: Arc<MemoryRows>,
    boot: u32,
    locality: Locality,
    stopped: bool,
}

/// What a client has heard since it last asked.
#[derive(Default, Debug)]
pub struct Answer {
    pub rows: Rows,
    pub tags: Vec<String>,
    pub errors: Vec<Error>,
    pub ready: bool,
    pub closed: bool,
}

impl Answer {
    pub fn ok(self) -> Rows {
        assert!(self.errors.is_empty(), "{:?}", self.errors);
        self.rows
    }

    pub fn state(&self) -> String {
        self.errors.first().map(|e| e.state().as_str().to_owned()).unwrap_or_default()
    }
}

pub struct World {
    machines: BTreeMap<NodeId, Machine>,
    pub now: Now,
    queue: VecDeque<(NodeId, Event)>,
    answers: BTreeMap<(NodeId, SessionId), Answer>,
    next_session: u64,
    /// Nodes that hear and say nothing.
    pub cut: BTreeSet<NodeId>,
    /// Nodes whose log cannot be written for want of space.
    pub full: BTreeSet<NodeId>,
    /// What each node's shell was told to refuse.
    pub removed: BTreeMap<NodeId, Vec<NodeId>>,
    pub faults: Vec<Error>,
    /// `Node::step`; who measures puts something around it.
    pub step: Step,
}

fn address(node: NodeId) -> String {
    format!("node{}:1", node.0)
}

impl World {
    /// A new cluster of one node.
    pub fn new(mode: LocalityMode) -> World {
        let now = Now { mono: Mono(1_000_000), wall: Wall(1_700_000_000_000_000) };
        let mut world = World {
            machines: BTreeMap::new(),
            now,
            queue: VecDeque::new(),
            answers: BTreeMap::new(),
            next_session: 0,
            cut: BTreeSet::new(),
            full: BTreeSet::new(),
            removed: BTreeMap::new(),
            faults: Vec::new(),
            step: Box::new(Node::step),
        };
        world.start(NodeId(1), place(1), Start::New { mode });
        world
    }

    /// A cluster of several nodes, each shard with all the voters of the mode.
    pub fn grown(mode: LocalityMode, nodes: u32) -> World {
        let mut world = World::new(mode);
        for n in 2..=nodes {
            let place = place(n);
            let sql = format!("SELECT florin.add_node('{}', 'sql{n}:1', '{}', '{}')", address(NodeId(n)), place.city, place.zone);
            let rows = world.query(NodeId(1), &sql).ok();
            assert_eq!(rows, vec![vec![Some(n.to_string())]]);
            let peers = vec![Peer { node: NodeId(1), address: address(NodeId(1)), sql_address: "sql1:1".into(), locality: self::place(1) }];
            world.start(NodeId(n), place, Start::Join { peers });
        }
        // One of dual-active's votes without data.
        let data = if mode == LocalityMode::DualActive { 2 } else { mode.voters() };
        let voters = data.min(nodes as usize);
        world.until("all voters are there", |w| {
            let whole = |s| w.node(NodeId(1)).with_shard(ShardId(s), |s| s.members().voters.len()) == Some(voters);
            whole(0) && whole(1)
        });
        world
    }

    pub fn start(&mut self, id: NodeId, locality: Locality, start: Start) {
        let machine = self.machines.entry(id).or_insert_with(|| Machine {
            node: None,
            disk: Disk::default(),
            rows: Arc::new(MemoryRows::new()),
            boot: 0,
            locality: locality.clone(),
            stopped: false,
        });
        machine.boot += 1;
        machine.stopped = false;
        let config = NodeConfig {
            node: id,
            boot: machine.boot,
            locality,
            address: address(id),
            sql_address: format!("sql{}:1", id.0),
            seed: 7,
            shards: 2,
            start,
            memory_bytes: 64 << 20,
            sizes: node::config::Sizes::default(),
            evidence: EvidenceIdentity { cluster: "world".to_owned(), seed: SigningSeed([7; 32]) },
        };
        let node = Node::open(config, self.now, &machine.disk, machine.rows.clone()).expect("the node opens");
        machine.node = Some(node);
        self.settle();
    }

    /// The process dies; what was not synced is lost.
    pub fn kill(&mut self, id: NodeId) {
        let machine = self.machines.get_mut(&id).expect("it exists");
        machine.node = None;
        machine.rows = Arc::new(machine.rows.crash(|_, _| 0));
        self.queue.retain(|(to, _)| *to != id);
    }

    pub fn restart(&mut self, id: NodeId) {
        let locality = self.machines[&id].locality.clone();
        self.start(id, locality, Start::Restart);
    }

    pub fn node(&self, id: NodeId) -> &Node {
        self.machines[&id].node.as_ref().expect("it runs")
    }

    pub fn is_stopped(&self, id: NodeId) -> bool {
        self.machines[&id].stopped
    }

    pub fn nodes(&self) -> Vec<NodeId> {
        self.machines.iter().filter(|(_, m)| m.node.is_some()).map(|(&n, _)| n).collect()
    }

    pub fn leader(&self, shard: u32) -> Option<NodeId> {
        let leads = |n: &NodeId| self.node(*n).led().iter().any(|(s, _)| s.0 == shard);
        self.nodes().into_iter().filter(|n| !self.cut.contains(n)).find(leads)
    }

    pub fn event(&mut self, node: NodeId, event: Event) {
        self.queue.push_back((node, event));
        self.settle();
    }

    /// One tick for everyone, and all that comes of it.
    pub fn tick(&mut self) {
        self.now.mono.0 += TICK_MICROS;
        self.now.wall.0 += TICK_MICROS;
        for node in self.nodes() {
            self.queue.push_back((node, Event::Tick));
        }
        self.settle();
    }

    pub fn ticks(&mut self, count: u32) {
        for _ in 0..count {
            self.tick();
        }
    }

    pub fn until(&mut self, fact: &str, mut holds: impl FnMut(&World) -> bool) {
        for _ in 0..6_000 {
            if holds(self) {
                return;
            }
            self.tick();
        }
        panic!("after a minute it is still not so that {fact}; faults: {:?}", self.faults);
    }

    fn settle(&mut self) {
        let mut steps = 0;
        while let Some((to, event)) = self.queue.pop_front() {
            steps += 1;
            assert!(steps < 1_000_000, "the nodes never come to rest");
            let mut effects = Vec::new();
            match self.machines.get_mut(&to).and_then(|m| m.node.as_mut()) {
                Some(node) => (self.step)(node, self.now, event, &mut effects),
                None => continue,
            }
            for effect in effects {
                self.effect(to, effect);
            }
        }
    }

    fn effect(&mut self, from: NodeId, effect: Effect) {
        match effect {
            Effect::Send { to, frame } => {
                if !self.cut.contains(&from) && !self.cut.contains(&to) {
                    self.queue.push_back((to, Event::Peer { from, frame }));
                }
            }
            Effect::WriteLog(write) => {
                let result = if self.full.contains(&from) { Err(DiskError::Full) } else { Ok(()) };
                if result.is_ok() {
                    self.machines[&from].disk.write(&write);
                }
                self.queue.push_back((from, Event::LogWritten { sequence: write.sequence, result }));
            }
            Effect::Job { shard, job } => {
                let result = (job.run)();
                self.queue.push_back((from, Event::JobDone { shard, done: shard::event::JobDone { id: job.id, result } }));
            }
            Effect::Client { session, responses } => {
                let count = responses.len();
                let answer = self.answers.entry((from, session)).or_default();
                responses.into_iter().for_each(|r| hear(answer, r));
                self.queue.push_back((from, Event::ClientDrained { session, responses: count }));
            }
            Effect::CloseClient { session } => self.answers.entry((from, session)).or_default().closed = true,
            Effect::Report(Report::Fault(error)) => self.faults.push(error),
            Effect::Stopped => self.machines.get_mut(&from).expect("it runs").stopped = true,
            Effect::Engine(_) => panic!("there is no engine here"),
            Effect::Removed(nodes) => drop(self.removed.insert(from, nodes)),
            Effect::Peers(_) | Effect::Report(_) | Effect::ReadClient { .. } => {}
        }
    }

    pub fn connect(&mut self, node: NodeId) -> Client {
        self.next_session += 1;
        let client = Client { node, session: SessionId(self.next_session) };
        let open = ClientRequest::Open { user: "florin".into(), database: "florin".into(), parameters: Vec::new() };
        self.event(node, Event::Client { session: client.session, requests: vec![open] });
        self.wait(client);
        client
    }

    pub fn send(&mut self, client: Client, sql: &str) {
        let requests = vec![ClientRequest::Query { sql: sql.into() }];
        self.event(client.node, Event::Client { session: client.session, requests });
    }

    /// What was heard so far, if it is complete.
    pub fn heard(&mut self, client: Client) -> Option<Answer> {
        let key = (client.node, client.session);
        self.answers.get(&key).filter(|a| a.ready || a.closed)?;
        self.answers.remove(&key)
    }

    pub fn wait(&mut self, client: Client) -> Answer {
        for _ in 0..4_000 {
            if let Some(answer) = self.heard(client) {
                return answer;
            }
            self.tick();
        }
        panic!("no answer; faults: {:?}", self.faults);
    }

    pub fn ask(&mut self, client: Client, sql: &str) -> Answer {
        self.send(client, sql);
        self.wait(client)
    }

    /// One statement in a session of its own.
    pub fn query(&mut self, node: NodeId, sql: &str) -> Answer {
        let client = self.connect(node);
        let answer = self.ask(client, sql);
        self.event(node, Event::ClientGone { session: client.session });
        self.answers.remove(&(node, client.session));
        answer
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Client {
    pub node: NodeId,
    pub session: SessionId,
}

/// Five zones in three cities.
pub fn place(n: u32) -> Locality {
    let (city, zone) = [("sh", "a"), ("sh", "b"), ("hz", "c"), ("hz", "d"), ("sz", "e")][(n as usize - 1) % 5];
    Locality { city: city.into(), zone: zone.into() }
}

fn hear(answer: &mut Answer, response: ClientResponse) {
    match response {
        ClientResponse::Rows(bytes) => answer.rows.extend(data_rows(&bytes)),
        ClientResponse::Complete(tag) => answer.tags.push(tag),
        ClientResponse::Error(_, error) => answer.errors.push(error),
        ClientResponse::Ready(_) => answer.ready = true,
        _ => {}
    }
}

/// `DataRow` messages: type byte, length, number of columns, then each length and bytes.
fn data_rows(mut bytes: &[u8]) -> Rows {
    let mut rows = Vec::new();
    while !bytes.is_empty() {
        assert_eq!(bytes[0], b'D');
        let length = i32::from_be_bytes(bytes[1..5].try_into().expect("four bytes")) as usize;
        let (mut row, rest) = (&bytes[7..=length], &bytes[length + 1..]);
        let count = i16::from_be_bytes(bytes[5..7].try_into().expect("two bytes"));
        let mut columns = Vec::new();
        for _ in 0..count {
            let size = i32::from_be_bytes(row[..4].try_into().expect("four bytes"));
            row = &row[4..];
            if size < 0 {
                columns.push(None);
                continue;
            }
            columns.push(Some(String::from_utf8_lossy(&row[..size as usize]).into_owned()));
            row = &row[size as usize..];
        }
        rows.push(columns);
        bytes = rest;
    }
    rows
}
