//! The world: nodes, clients, network, disks and clocks, one event after the other.
//!
//! Never decides what is right or wrong: it lets things happen and notes what ended it early.

use crate::client::{Action, Client, Hub, Task, poll};
use crate::clock::ClockConfig;
use crate::disk::DiskConfig;
use crate::faults::{Fault, Rolling};
use crate::machine::{Birth, Factory, Start, address, sql_address};
use crate::network::{Delivery, End, Network};
use crate::plan::Plan;
use crate::process::{INBOX_EVENTS_MAX, Life, Process};
use crate::queue::{MILLI, Micros, Queue};
use crate::trace::Trace;
use base::{Locality, NodeId, Prng, SessionId, ShardId};
use bytes::Bytes;
use node::event::{DiskError, Effect, Event, Peer, Report, TICK_MICROS};
use shard::event::JobDone;
use sql::client::{ClientRequest, ClientResponse};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// Ends of connections carry these.
#[derive(Clone)]
pub enum Payload {
    Frame(Bytes),
    Requests(SessionId, Vec<ClientRequest>),
    Closed(SessionId),
    Responses(SessionId, Vec<ClientResponse>),
    HangUp(SessionId),
}

pub enum Happening {
    Tick { node: NodeId, boot: u32 },
    Step { node: NodeId, boot: u32 },
    Deliver(Delivery<Payload>),
    Written { node: NodeId, boot: u32, sequence: u64, full: bool },
    JobDone { node: NodeId, boot: u32, job: u64 },
    Wake(u32),
    FaultStarts(usize),
    FaultEnds(usize),
    Boot(NodeId),
    RollNext,
    RollTimeout { node: NodeId, boot: u32 },
}

/// What ended a run before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A node panicked.
    Panic(String),
    /// A node could not start on what its disk had.
    Open(String),
}

pub struct World {
    pub plan: Plan,
    pub factory: Rc<dyn Factory>,
    pub queue: Queue<Happening>,
    pub network: Network<Payload>,
    pub processes: BTreeMap<NodeId, Process>,
    pub hub: Rc<RefCell<Hub>>,
    tasks: BTreeMap<u32, Task>,
    pub prng: Prng,
    pub trace: Trace,
    pub faults: Vec<Fault>,
    pub faults_active: u32,
    pub rolling: Option<Rolling>,
    /// The leader of each shard as last reported, with its term.
    pub leaders: BTreeMap<ShardId, (NodeId, u64)>,
    pub broken: Option<Broken>,
    /// Faults that nodes reported, by message.
    pub reports: BTreeMap<String, u64>,
    /// Nodes whose data was destroyed and that wait for replacement.
    pub lost: Vec<NodeId>,
    pub last_destroyed: Option<Micros>,
    pub events: u64,
    pub disk: DiskConfig,
    deliveries: Vec<Delivery<Payload>>,
    effects: Vec<Effect>,
}

impl World {
    pub fn new(plan: Plan, factory: Rc<dyn Factory>, seed: u64, disk: DiskConfig, verbose: bool) -> World {
        let mut prng = Prng::new(seed);
        let network = Network::new(plan.network(), prng.fork());
        World {
            plan,
            factory,
            queue: Queue::default(),
            network,
            processes: BTreeMap::new(),
            hub: Rc::default(),
            tasks: BTreeMap::new(),
            prng,
            trace: Trace::new(verbose),
            faults: Vec::new(),
            faults_active: 0,
            rolling: None,
            leaders: BTreeMap::new(),
            broken: None,
            reports: BTreeMap::new(),
            lost: Vec::new(),
            last_destroyed: None,
            events: 0,
            disk,
            deliveries: Vec::new(),
            effects: Vec::new(),
        }
    }

    pub fn now(&self) -> Micros {
        self.queue.now()
    }

    fn clocks(&self) -> ClockConfig {
        ClockConfig { drift_ppm_max: self.plan.drift_ppm, skew_micros_max: self.plan.skew_ms * MILLI }
    }

    /// Adds a machine and starts its process.
    pub fn add_node(&mut self, id: NodeId, place: Locality, birth: Birth) {
        self.network.place(End::Node(id), place.clone());
        let (clocks, now) = (self.clocks(), self.now());
        let process = Process::new(id, place, clocks, self.disk, &mut self.prng, now);
        self.processes.insert(id, process);
        self.hub.borrow_mut().gateways.push(id);
        self.boot(id, birth);
    }

    pub fn peers(&self) -> Vec<Peer> {
        let up = self.processes.values().filter(|p| p.life != Life::Gone);
        up.map(|p| Peer { node: p.id, address: address(p.id), sql_address: sql_address(p.id), locality: p.place.clone() }).collect()
    }

    pub fn boot(&mut self, id: NodeId, birth: Birth) {
        let (now, seed, shards) = (self.now(), self.prng.next_u64(), self.plan.shards);
        let process = self.processes.get_mut(&id).expect("only known nodes are started");
        if process.life == Life::Running || process.life == Life::Gone {
            return;
        }
        process.boot += 1;
        process.clock.restart(&mut self.prng, now);
        let start = Start { node: id, boot: process.boot, place: process.place.clone(), seed, shards, birth };
        let (reading, stores) = (process.clock.read(now), process.stores.clone());
        let opened = catch_unwind(AssertUnwindSafe(|| self.factory.open(start, reading, &process.disk, stores)));
        match opened {
            Ok(Ok(machine)) => {
                process.machine = Some(machine);
                process.life = Life::Running;
                process.busy_until = now;
                let boot = process.boot;
                self.queue.push(now + self.prng.below(TICK_MICROS), Happening::Tick { node: id, boot });
                self.trace.note(now, || format!("{id} starts, life {boot}"));
            }
            Ok(Err(error)) => self.broken = Some(Broken::Open(format!("{id}: {error:?}"))),
            Err(panic) => self.broken = Some(Broken::Panic(format!("{id} while it opened: {}", panic_text(&*panic)))),
        }
    }

    /// Ends a process, with or without the machine's power.
    pub fn kill(&mut self, id: NodeId, power_lost: bool) {
        let now = self.now();
        let silent = power_lost && self.prng.one_in(2);
        let process = self.processes.get_mut(&id).expect("only known nodes are killed");
        if !process.is_up() {
            return;
        }
        self.trace.note(now, || format!("{id} dies{}", if power_lost { ", power lost" } else { "" }));
        let sessions = process.end(now, power_lost, silent, &mut self.prng);
        self.network.reset_all(End::Node(id), now);
        if !silent {
            for (session, client) in sessions {
                self.send(now, End::Node(id), End::Client(client), Payload::HangUp(session));
            }
        }
    }

    pub fn spawn(&mut self, client: u32, place: Locality, task: Task) {
        self.network.place(End::Client(client), place);
        self.tasks.insert(client, task);
        self.queue.push(self.now(), Happening::Wake(client));
    }

    pub fn client(&mut self, id: u32, near: Option<NodeId>) -> Client {
        let prng = self.prng.fork();
        Client::new(id, self.hub.clone(), prng, near)
    }

    pub fn is_running(&self, client: u32) -> bool {
        self.tasks.contains_key(&client)
    }

    pub fn running(&self) -> Vec<u32> {
        self.tasks.keys().copied().collect()
    }

    /// Lets things happen until `until`, or until `done` says so; false if time ran out or something broke.
    pub fn run_until(&mut self, until: Micros, mut done: impl FnMut(&World) -> bool) -> bool {
        while self.broken.is_none() {
            if done(self) {
                return true;
            }
            if self.now() >= until {
                return false;
            }
            let Some(happening) = self.queue.pop() else { return false };
            self.events += 1;
            self.hub.borrow_mut().now = self.now();
            self.happen(happening);
        }
        false
    }

    fn happen(&mut self, happening: Happening) {
        self.trace.mix(self.queue.now());
        match happening {
            Happening::Tick { node, boot } => self.tick(node, boot),
            Happening::Step { node, boot } => self.step(node, boot),
            Happening::Deliver(delivery) => self.deliver(delivery),
            Happening::Written { node, boot, sequence, full } => self.written(node, boot, sequence, full),
            Happening::JobDone { node, boot, job } => self.job_done(node, boot, job),
            Happening::Wake(client) => self.poll_client(client),
            Happening::FaultStarts(fault) => self.fault_starts(fault),
            Happening::FaultEnds(fault) => self.fault_ends(fault),
            Happening::Boot(node) => self.boot(node, Birth::Restart),
            Happening::RollNext => self.roll_next(),
            Happening::RollTimeout { node, boot } => self.roll_stop(node, boot),
        }
    }

    fn tick(&mut self, node: NodeId, boot: u32) {
        let now = self.now();
        let Some(process) = self.processes.get_mut(&node).filter(|p| p.runs(boot)) else { return };
        let until_next = process.machine.as_ref().map_or(TICK_MICROS, |machine| machine.tick_micros());
        self.queue.push(now + until_next, Happening::Tick { node, boot });
        if !process.tick_waits {
            process.tick_waits = true;
            self.post(node, Event::Tick);
        }
    }

    /// Gives a running process something to do.
    pub fn post(&mut self, node: NodeId, event: Event) {
        let now = self.now();
        let Some(process) = self.processes.get_mut(&node).filter(|p| p.is_up()) else { return };
        if process.inbox.len() >= INBOX_EVENTS_MAX && matches!(event, Event::Peer { .. }) {
            return;
        }
        process.inbox.push_back(event);
        if !process.step_planned && process.paused == 0 {
            process.step_planned = true;
            let boot = process.boot;
            self.queue.push(now.max(process.busy_until), Happening::Step { node, boot });
        }
    }

    fn step(&mut self, node: NodeId, boot: u32) {
        let now = self.now();
        let Some(process) = self.processes.get_mut(&node).filter(|p| p.runs(boot)) else { return };
        process.step_planned = false;
        if process.paused > 0 {
            return;
        }
        let mut machine = process.machine.take().expect("a running process has its machine");
        let reading = process.clock.read(now);
        let inbox = std::mem::take(&mut process.inbox);
        process.tick_waits = false;
        self.trace.mix(u64::from(node.0) << 32 | inbox.len() as u64);
        let mut effects = std::mem::take(&mut self.effects);
        let mut busy = 0;
        for event in inbox {
            busy += self.prng.between(3, 25);
            let stepped = catch_unwind(AssertUnwindSafe(|| machine.step(reading, event, &mut effects)));
            if let Err(panic) = stepped {
                self.broken = Some(Broken::Panic(format!("{node}: {}", panic_text(&*panic))));
                // Its state is anything now.
                std::mem::forget(machine);
                return;
            }
        }
        process.busy_until = now + busy;
        process.machine = Some(machine);
        for effect in effects.drain(..) {
            self.effect(now + busy, node, boot, effect);
        }
        self.effects = effects;
    }

    fn effect(&mut self, at: Micros, node: NodeId, boot: u32, effect: Effect) {
        let process = self.processes.get_mut(&node).expect("it was stepped just now");
        match effect {
            Effect::Send { to, frame } => {
                if self.processes.contains_key(&to) {
                    self.trace.mix(frame.len() as u64);
                    self.send(at, End::Node(node), End::Node(to), Payload::Frame(frame));
                }
            }
            Effect::WriteLog(write) => {
                let sequence = write.sequence;
                self.trace.mix(write.bytes.len() as u64);
                let full = process.full > 0;
                let done = if full { at + 100 } else { process.disk.begin(at, write, &mut self.prng) };
                self.queue.push(done, Happening::Written { node, boot, sequence, full });
            }
            Effect::Job { shard, mut job } => {
                process.jobs_begun += 1;
                let number = process.jobs_begun;
                self.trace.detail(at, || format!("{node} job {} of {shard}", job.name));
                if job.urgent && self.prng.one_in(2) {
                    // It is done at once, and heard of later, when other jobs may have ended.
                    let result = (job.run)();
                    job.run = Box::new(move || result);
                }
                // Reads are short, but for those that wait for the disk.
                let lasts = if job.urgent && !self.prng.one_in(8) { (20, MILLI) } else { (MILLI / 2, 30 * MILLI) };
                let lasts = self.prng.between(lasts.0, lasts.1);
                process.jobs.insert(number, (shard, job));
                self.queue.push(at + lasts, Happening::JobDone { node, boot, job: number });
            }
            Effect::Client { session, responses } => {
                let Some(client) = process.sessions.get(&session).copied() else { return };
                let count = responses.len();
                self.send(at, End::Node(node), End::Client(client), Payload::Responses(session, responses));
                self.post(node, Event::ClientDrained { session, responses: count });
            }
            Effect::CloseClient { session } => {
                if let Some(client) = process.sessions.remove(&session) {
                    self.send(at, End::Node(node), End::Client(client), Payload::HangUp(session));
                    self.post(node, Event::ClientGone { session });
                }
            }
            Effect::Engine(command) => {
                self.broken = Some(Broken::Panic(format!("{node} asks for an engine that the simulator has not: {command:?}")));
            }
            // Clients here never send more than a node takes.
            Effect::Peers(_) | Effect::Removed(_) | Effect::ReadClient { .. } => {}
            Effect::Report(report) => self.report(at, node, report),
            Effect::Stopped => self.roll_stop(node, boot),
        }
    }

    fn report(&mut self, at: Micros, node: NodeId, report: Report) {
        match report {
            Report::Leader { shard, leader, term } => {
                self.trace.note(at, || format!("{node} sees {leader:?} lead {shard} in term {term}"));
                if let Some(leader) = leader
                    && self.leaders.get(&shard).is_none_or(|(_, known)| term >= *known)
                {
                    self.leaders.insert(shard, (leader, term));
                }
            }
            Report::Fault(error) => {
                self.trace.detail(at, || format!("{node} reports a fault: {error:?}"));
                *self.reports.entry(error.to_string()).or_default() += 1;
            }
            Report::Info(text) => self.trace.note(at, || format!("{node}: {text}")),
        }
    }

    pub fn send(&mut self, at: Micros, from: End, to: End, payload: Payload) {
        let mut deliveries = std::mem::take(&mut self.deliveries);
        self.network.send(at, from, to, payload, &mut deliveries);
        self.plan_deliveries(&mut deliveries);
        self.deliveries = deliveries;
    }

    pub fn plan_deliveries(&mut self, deliveries: &mut Vec<Delivery<Payload>>) {
        for delivery in deliveries.drain(..) {
            self.queue.push(delivery.at, Happening::Deliver(delivery));
        }
    }

    fn deliver(&mut self, delivery: Delivery<Payload>) {
        let times = self.network.arrives(self.now(), &delivery);
        for _ in 1..times {
            self.hand_over(delivery.from, delivery.to, delivery.payload.clone());
        }
        if times > 0 {
            self.hand_over(delivery.from, delivery.to, delivery.payload);
        }
    }

    fn hand_over(&mut self, from: End, to: End, payload: Payload) {
        match (from, to) {
            (End::Node(from), End::Node(to)) => {
                if let Payload::Frame(frame) = payload {
                    self.post(to, Event::Peer { from, frame });
                }
            }
            (End::Client(client), End::Node(node)) => self.hear_client(node, client, payload),
            (_, End::Client(client)) => self.tell_client(client, payload),
        }
    }

    fn hear_client(&mut self, node: NodeId, client: u32, payload: Payload) {
        let now = self.now();
        let Some(process) = self.processes.get_mut(&node) else { return };
        match payload {
            Payload::Requests(session, requests) => {
                let opens = matches!(requests.first(), Some(ClientRequest::Open { .. }));
                let refused = match process.life {
                    Life::Running => !opens && !process.sessions.contains_key(&session),
                    Life::Down { silent } => {
                        if silent {
                            return;
                        }
                        true
                    }
                    Life::Gone => return,
                };
                if refused {
                    self.send(now, End::Node(node), End::Client(client), Payload::HangUp(session));
                    return;
                }
                process.sessions.insert(session, client);
                self.post(node, Event::Client { session, requests });
            }
            Payload::Closed(session) => {
                if process.sessions.remove(&session).is_some() {
                    self.post(node, Event::ClientGone { session });
                }
            }
            Payload::Frame(_) | Payload::Responses(..) | Payload::HangUp(_) => {}
        }
    }

    fn tell_client(&mut self, client: u32, payload: Payload) {
        if self.trace.is_verbose()
            && let Payload::Responses(_, responses) = &payload
        {
            let now = self.now();
            self.trace.detail(now, || format!("to client {client}: {responses:.300?}"));
        }
        match payload {
            Payload::Responses(session, responses) => self.hub.borrow_mut().receive(client, session, responses),
            Payload::HangUp(session) => self.hub.borrow_mut().hang_up(client, session),
            Payload::Frame(_) | Payload::Requests(..) | Payload::Closed(_) => {}
        }
        self.poll_client(client);
    }

    fn poll_client(&mut self, client: u32) {
        let Some(mut task) = self.tasks.remove(&client) else { return };
        let ended = poll(&mut task);
        if !ended {
            self.tasks.insert(client, task);
        }
        let actions = std::mem::take(&mut self.hub.borrow_mut().actions);
        for action in actions {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        let now = self.now();
        match action {
            Action::Connect { client, session, node, requests } | Action::Send { client, session, node, requests } => {
                if self.trace.is_verbose() {
                    self.trace.detail(now, || format!("client {client} to {node}: {requests:.200?}"));
                }
                self.send(now, End::Client(client), End::Node(node), Payload::Requests(session, requests));
            }
            Action::Close { client, session, node } => self.send(now, End::Client(client), End::Node(node), Payload::Closed(session)),
            Action::Wake { client, at } => self.queue.push(at, Happening::Wake(client)),
        }
    }

    fn written(&mut self, node: NodeId, boot: u32, sequence: u64, full: bool) {
        let now = self.now();
        let Some(process) = self.processes.get_mut(&node).filter(|p| p.runs(boot)) else { return };
        process.disk.settle(now);
        let result = if full { Err(DiskError::Full) } else { Ok(()) };
        self.post(node, Event::LogWritten { sequence, result });
    }

    fn job_done(&mut self, node: NodeId, boot: u32, number: u64) {
        let now = self.now();
        let Some(process) = self.processes.get_mut(&node).filter(|p| p.runs(boot)) else { return };
        if process.paused > 0 || process.disk.is_stalled(now) {
            self.queue.push(now + 10 * MILLI, Happening::JobDone { node, boot, job: number });
            return;
        }
        let Some((shard, job)) = process.jobs.remove(&number) else { return };
        let id = job.id;
        let name = job.name;
        match catch_unwind(AssertUnwindSafe(job.run)) {
            Ok(result) => self.post(node, Event::JobDone { shard, done: JobDone { id, result } }),
            Err(panic) => self.broken = Some(Broken::Panic(format!("{node}, job {name} of {shard}: {}", panic_text(&*panic)))),
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_string()
}
