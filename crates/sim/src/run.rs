//! One run: form a cluster, load it while faults strike, let it heal, look at everything, judge.

use crate::check::seconds;
use crate::client::{Client, Failure, Task};
use crate::disk::DiskConfig;
use crate::faults::Fault;
use crate::machine::{Birth, Factory, Fingerprint, address, sql_address};
use crate::plan::Plan;
use crate::queue::{MILLI, Micros, SECOND};
use crate::verdict::{Outcome, Verdict};
use crate::work::{Findings, Pace, Workload, make};
use crate::world::{Broken, World};
use base::{Locality, NodeId, Prng, SqlState};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// The cluster must have formed, with its tables, within this time.
const FORM_TIME_MAX: Micros = 90 * SECOND;
/// After the last fault every client of these workloads must have committed something within this time.
pub const HEAL_TIME_MAX: Micros = 15 * SECOND;
/// Clients end their last transaction, and the last reads are made, within this time.
const FINISH_TIME_MAX: Micros = 90 * SECOND;
/// Replicas apply what is left within this time.
const QUIET_TIME_MAX: Micros = 20 * SECOND;
/// Segments of the log that a node needs, whatever happened.
const LOG_SEGMENTS_MAX: usize = 24;
/// Errors that a client must be ready for; any other is a fault.
const ALLOWED_ERRORS: [&str; 13] =
    ["40001", "40P01", "57P01", "57P03", "55P03", "53100", "53200", "53300", "08006", "08007", "72000", "25P02", "53000"];
/// How much longer than planned clients pause: the seed chooses. Under little load other things happen than under much.
const PAUSE_FACTORS: [u64; 4] = [1, 2, 4, 8];
const PACE_SEED: u64 = 0x7ace;
const DIRECTOR: u32 = 0;
const OPERATOR: u32 = 1;
const FIRST_CLIENT: u32 = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub seed: u64,
    /// How long the load with its faults lasts, in simulated seconds.
    pub load_seconds: u64,
    /// Faults left out, by their number in the schedule.
    pub skip: BTreeSet<usize>,
    /// Keep every line of the trace.
    pub trace: bool,
    /// A planted fault of the disks: writes are reported before they are durable.
    pub lying_disks: bool,
}

impl Options {
    pub fn new(seed: u64, load_seconds: u64) -> Options {
        Options { seed, load_seconds, skip: BTreeSet::new(), trace: false, lying_disks: false }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Form,
    /// All nodes are added; their replicas are on their way.
    Place,
    Tables,
    Load,
    Finish,
    Over,
}

/// What the world and the two administrators tell each other.
#[derive(Default)]
struct Desk {
    phase: Phase,
    /// Nodes that were added and are to be started.
    births: Vec<(NodeId, Locality)>,
    /// Nodes that are to be replaced.
    lost: VecDeque<(NodeId, Locality)>,
}

struct Run {
    world: World,
    desk: Rc<RefCell<Desk>>,
    workloads: Vec<(Rc<dyn Workload>, u32)>,
    options: Options,
}

/// Runs one seed of a plan.
pub fn run(plan: &Plan, options: &Options, factory: Rc<dyn Factory>) -> Verdict {
    let disk = DiskConfig { lies_micros: if options.lying_disks { 300 * MILLI } else { 0 }, ..DiskConfig::default() };
    let world = World::new(plan.clone(), factory, options.seed, disk, options.trace);
    // Who measures pauses between commits needs the load as planned.
    let calmer = if plan.pause_ms_max.is_some() { 1 } else { *Prng::new(options.seed ^ PACE_SEED).pick(&PAUSE_FACTORS) };
    let workloads = plan.workloads.iter().map(|w| (make(w.kind, Pace::from_millis(w.pause_ms).times(calmer)), w.clients)).collect();
    let mut run = Run { world, desk: Rc::default(), workloads, options: options.clone() };
    let mut findings = Findings::default();
    let stalled = run.play(&mut findings);
    run.conclude(stalled, findings)
}

impl Run {
    /// All phases; says what did not come to its end in time.
    fn play(&mut self, findings: &mut Findings) -> Option<String> {
        if let Some(stalled) = self.form() {
            return Some(stalled);
        }
        if let Some(stalled) = self.load() {
            return Some(stalled);
        }
        if let Some(stalled) = self.finish() {
            return Some(stalled);
        }
        let differ = self.compare_replicas();
        for (workload, _) in &self.workloads {
            workload.check(findings);
        }
        self.check_errors(findings);
        self.check_pause(findings);
        self.check_holdings(findings);
        if let Some(text) = differ {
            findings.accuse("replicas", text);
        }
        None
    }

    fn form(&mut self) -> Option<String> {
        let mode = self.world.plan.locality_mode().expect("checked when the plan was parsed");
        let place = self.world.plan.place(0);
        self.world.add_node(NodeId(1), place.clone(), Birth::New(mode));
        let director = Rc::new(self.world.client(DIRECTOR, Some(NodeId(1))));
        let places: Vec<Locality> = (1..self.world.plan.nodes.len()).map(|n| self.world.plan.place(n)).collect();
        let workloads: Vec<Rc<dyn Workload>> = self.workloads.iter().map(|(w, _)| w.clone()).collect();
        let task = direct(director, self.desk.clone(), places, workloads);
        self.world.spawn(DIRECTOR, place, task);
        let until = self.world.now() + FORM_TIME_MAX;
        if !self.advance(until, |desk| desk.phase == Phase::Place) {
            return Some("the nodes could not be added".to_string());
        }
        while !self.is_placed(mode.voters()) {
            if self.world.now() >= until || self.world.broken.is_some() {
                return Some(format!("the shards did not get their {} voters", mode.voters()));
            }
            let step = self.world.now() + SECOND / 10;
            self.advance(step, |_| false);
        }
        self.desk.borrow_mut().phase = Phase::Tables;
        let formed = self.advance(until, |desk| desk.phase == Phase::Load);
        (!formed).then(|| "the tables could not be made".to_string())
    }

    /// Every shard has as many voters as the mode asks for.
    fn is_placed(&self, voters: usize) -> bool {
        let machines = self.world.processes.values().filter_map(|process| process.machine.as_ref());
        let led: BTreeMap<base::ShardId, usize> = machines.flat_map(|machine| machine.voters()).collect();
        led.len() == self.world.plan.shards as usize && led.values().all(|count| *count == voters)
    }

    /// Runs on until the desk says so; starts nodes that were added meanwhile.
    fn advance(&mut self, until: Micros, mut done: impl FnMut(&Desk) -> bool) -> bool {
        loop {
            let desk = self.desk.clone();
            let reached = self.world.run_until(until, |_| {
                let desk = desk.borrow();
                !desk.births.is_empty() || done(&desk)
            });
            if !reached {
                return false;
            }
            let births = std::mem::take(&mut self.desk.borrow_mut().births);
            for (id, place) in births {
                let peers = self.world.peers();
                self.world.add_node(id, place, Birth::Join(peers));
            }
            if done(&self.desk.borrow()) {
                return true;
            }
        }
    }

    fn load(&mut self) -> Option<String> {
        let start = self.world.now();
        let length = self.options.load_seconds * SECOND;
        self.world.trace.note(start, || "load begins".to_string());
        self.spawn_clients();
        let planned = self.world.plan.schedule(&mut Prng::new(self.options.seed ^ 0x5eed), length);
        let faults = planned.into_iter().enumerate().map(|(n, p)| Fault::new(p, self.options.skip.contains(&n))).collect();
        self.world.plan_faults(faults, start);
        self.world.hub.borrow_mut().last_commit = Some(start);
        self.pass(start + length);
        self.end_of_pauses();
        self.world.calm();
        let healed = self.world.now();
        // Rebuilding a destroyed replica takes the time it takes; clients must not notice.
        self.pass(healed + HEAL_TIME_MAX);
        self.idle_clients(healed)
    }

    fn end_of_pauses(&mut self) {
        let now = self.world.now();
        let mut hub = self.world.hub.borrow_mut();
        hub.now = now;
        hub.end_pause();
        hub.last_commit = None;
    }

    /// Lets time go by, and hands nodes that lost their data to the operator.
    fn pass(&mut self, until: Micros) {
        while self.world.now() < until && self.world.broken.is_none() {
            let step = (self.world.now() + SECOND / 2).min(until);
            self.advance(step, |_| false);
            for lost in std::mem::take(&mut self.world.lost) {
                let place = self.world.processes[&lost].place.clone();
                self.desk.borrow_mut().lost.push_back((lost, place));
            }
        }
    }

    fn spawn_clients(&mut self) {
        let nodes: Vec<NodeId> = self.world.processes.keys().copied().collect();
        let mut id = FIRST_CLIENT;
        for (workload, clients) in self.workloads.clone() {
            for _ in 0..clients {
                let near = nodes[id as usize % nodes.len()];
                let place = self.world.processes[&near].place.clone();
                let client = self.world.client(id, Some(near));
                self.world.spawn(id, place, workload.clone().load(client));
                id += 1;
            }
        }
        let operator = self.world.client(OPERATOR, None);
        let place = self.world.plan.place(0);
        let task = operate(Rc::new(operator), self.desk.clone());
        self.world.spawn(OPERATOR, place, task);
    }

    /// Clients that committed nothing since everything was healed.
    fn idle_clients(&self, healed: Micros) -> Option<String> {
        if self.world.broken.is_some() {
            return None;
        }
        let hub = self.world.hub.borrow();
        let mut id = FIRST_CLIENT;
        let mut idle = Vec::new();
        for (workload, clients) in &self.workloads {
            for _ in 0..*clients {
                let last = hub.progress.get(&id).copied().unwrap_or(0);
                if last <= healed && workload.name() != "large" {
                    idle.push(format!("client {id} ({}, last at {})", workload.name(), seconds(last)));
                }
                id += 1;
            }
        }
        (!idle.is_empty()).then(|| {
            format!("no commit within {} after the last fault at {}: {}", seconds(HEAL_TIME_MAX), seconds(healed), idle.join(", "))
        })
    }

    fn finish(&mut self) -> Option<String> {
        self.world.hub.borrow_mut().stopping = true;
        let until = self.world.now() + FINISH_TIME_MAX;
        while self.world.running().iter().any(|client| *client >= FIRST_CLIENT) {
            if !self.world.run_until(until, |world| !world.running().iter().any(|client| *client >= FIRST_CLIENT)) {
                let running = self.world.running();
                return Some(format!("clients {running:?} did not come to an end"));
            }
        }
        self.desk.borrow_mut().phase = Phase::Finish;
        let until = self.world.now() + FINISH_TIME_MAX;
        let read = self.advance(until, |desk| desk.phase == Phase::Over);
        (!read).then(|| "the tables could not be read at the end".to_string())
    }

    fn fingerprints(&mut self) -> BTreeMap<(base::ShardId, u64), Vec<(NodeId, u64)>> {
        let mut by_version: BTreeMap<_, Vec<(NodeId, u64)>> = BTreeMap::new();
        for process in self.world.processes.values_mut() {
            let Some(machine) = &mut process.machine else { continue };
            for Fingerprint { shard, applied, hash } in machine.fingerprints() {
                by_version.entry((shard, applied)).or_default().push((process.id, hash));
            }
        }
        by_version
    }

    /// Waits until all replicas of each shard are at one version, and compares them.
    fn compare_replicas(&mut self) -> Option<String> {
        let until = self.world.now() + QUIET_TIME_MAX;
        while self.world.broken.is_none() {
            let prints = self.fingerprints();
            let shards: BTreeSet<_> = prints.keys().map(|(shard, _)| *shard).collect();
            if prints.len() == shards.len() {
                let different = prints.iter().find(|(_, prints)| prints.iter().any(|(_, hash)| *hash != prints[0].1));
                return different.map(|((shard, applied), prints)| format!("replicas of {shard} differ at {applied}: {prints:x?}"));
            }
            if self.world.now() >= until {
                return Some(format!(
                    "replicas are not at one version after {}: {:?}",
                    seconds(QUIET_TIME_MAX),
                    prints.keys().collect::<Vec<_>>()
                ));
            }
            let step = self.world.now() + SECOND / 10;
            self.world.run_until(step, |_| false);
        }
        None
    }

    /// When all is quiet, nothing is left over from what was asked.
    fn check_holdings(&self, findings: &mut Findings) {
        for process in self.world.processes.values() {
            let Some(machine) = &process.machine else { continue };
            let held = machine.holdings();
            let expected = process.sessions.len();
            if held.calls > 0 || held.commits > 0 || held.sessions > expected || held.log_segments > LOG_SEGMENTS_MAX {
                findings.accuse("leak", format!("{} with {expected} connections holds {held:?} when all is quiet", process.id));
            }
        }
    }

    fn check_errors(&self, findings: &mut Findings) {
        for (state, (count, example)) in &self.world.hub.borrow().errors {
            let allowed = match &self.world.plan.errors {
                Some(errors) => errors.contains(state),
                None => ALLOWED_ERRORS.contains(&state.as_str()),
            };
            if !allowed {
                findings.accuse("errors", format!("{count} × {state}, such as {example:.300}"));
            }
        }
        let (count, example) = &self.world.hub.borrow().lost_with_leader;
        if *count > 0 && self.world.faults.is_empty() {
            findings.accuse(
                "errors",
                format!("{count} transactions lost something with a leader although none was lost, such as [{example:.300}]"),
            );
        }
    }

    fn check_pause(&self, findings: &mut Findings) {
        let pause = self.world.hub.borrow().longest_pause;
        findings.counts.push(("longest pause between commits, ms", pause.length / MILLI));
        let Some(bound) = self.world.plan.pause_ms_max else { return };
        if pause.length > bound * MILLI {
            findings.accuse("pause", format!("no commit for {} after {}", seconds(pause.length), seconds(pause.from)));
        }
    }

    fn conclude(self, stalled: Option<String>, findings: Findings) -> Verdict {
        let world = &self.world;
        let outcome = match (&world.broken, stalled) {
            (Some(Broken::Panic(text)), _) => Outcome::Crash(text.clone()),
            (Some(Broken::Open(text)), _) => Outcome::Crash(format!("could not start: {text}")),
            (None, Some(text)) => Outcome::Stall(text),
            (None, None) if !findings.violations.is_empty() => Outcome::Wrong(findings.violations.clone()),
            (None, None) => Outcome::Pass,
        };
        let hub = world.hub.borrow();
        let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
        findings.counts.iter().for_each(|(name, count)| *counts.entry(name).or_default() += count);
        Verdict {
            seed: self.options.seed,
            plan: world.plan.name.clone(),
            load_seconds: self.options.load_seconds,
            skip: self.options.skip.clone(),
            outcome,
            undecided: findings.undecided,
            counts: counts.into_iter().collect(),
            errors: hub.errors.iter().map(|(state, (count, text))| (state.clone(), *count, text.clone())).collect(),
            reports: world.reports.clone().into_iter().collect(),
            statements: hub.statements,
            committed: hub.committed,
            events: world.events,
            simulated: world.now(),
            faults: world.faults.iter().filter(|fault| !fault.skipped).count() as u64,
            hash: world.trace.hash(),
            trace: world.trace.tail(if self.options.trace { usize::MAX } else { 60 }),
        }
    }
}

/// The director: adds nodes, makes tables, and reads them at the end.
fn direct(client: Rc<Client>, desk: Rc<RefCell<Desk>>, places: Vec<Locality>, workloads: Vec<Rc<dyn Workload>>) -> Task {
    Box::pin(async move {
        for (number, place) in places.iter().enumerate() {
            let expected = NodeId(number as u32 + 2);
            add(&client, &desk, expected, place).await;
        }
        desk.borrow_mut().phase = Phase::Place;
        while desk.borrow().phase != Phase::Tables {
            client.sleep(SECOND / 10).await;
        }
        for workload in &workloads {
            workload.clone().setup(client.clone()).await;
        }
        client.close();
        desk.borrow_mut().phase = Phase::Load;
        while desk.borrow().phase != Phase::Finish {
            client.sleep(SECOND / 10).await;
        }
        for workload in &workloads {
            workload.clone().finish(client.clone()).await;
        }
        client.close();
        desk.borrow_mut().phase = Phase::Over;
        // The task stays: its client must not look as if it had ended early.
        std::future::pending::<()>().await;
    })
}

async fn add(client: &Client, desk: &Rc<RefCell<Desk>>, guess: NodeId, place: &Locality) -> NodeId {
    let Locality { city, zone } = place;
    let sql = format!("SELECT florin.add_node('{}', '{}', '{city}', '{zone}')", address(guess), sql_address(guess));
    let reply = client.insist(&sql).await;
    let id = NodeId(reply.number(0, 0).map_or(guess.0, |id| id as u32));
    desk.borrow_mut().births.push((id, place.clone()));
    id
}

/// The operator: replaces nodes that lost their data.
fn operate(client: Rc<Client>, desk: Rc<RefCell<Desk>>) -> Task {
    Box::pin(async move {
        // The answer that a node is removed may be lost; it is not removed twice.
        client.expected.set(Some(SqlState::UNDEFINED_OBJECT));
        loop {
            client.sleep(SECOND / 2).await;
            let lost = desk.borrow_mut().lost.pop_front();
            let Some((node, place)) = lost else { continue };
            loop {
                if client.connect().await {
                    match client.run(&format!("SELECT florin.remove_node({})", node.0)).await {
                        Ok(_) | Err(Failure::Refused(SqlState::UNDEFINED_OBJECT, _)) => break,
                        Err(Failure::Refused(..)) => {}
                        Err(_) => client.close(),
                    }
                }
                client.sleep(SECOND).await;
            }
            add(&client, &desk, NodeId(node.0 + 100), &place).await;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Holdings, Machine, Start};
    use base::Now;
    use bytes::Bytes;
    use node::event::{Effect, Event, TICK_MICROS};
    use sql::client::{ClientRequest, ClientResponse, TxnStatus};
    use std::sync::Arc;
    use storage::log::{LogFiles, LogWrite};
    use storage::rows::RowStores;

    /// Answers every statement with nothing, writes a block a tick, and gossips.
    struct Toy {
        start: Start,
        sequence: u64,
        writing: bool,
    }

    fn answer(sql: &str) -> Vec<ClientResponse> {
        let tag = if sql == "COMMIT" { "COMMIT" } else { "SELECT 1" };
        vec![ClientResponse::Complete(tag.into()), ClientResponse::Ready(TxnStatus::Idle)]
    }

    impl Machine for Toy {
        fn tick_micros(&self) -> u64 {
            TICK_MICROS
        }

        fn step(&mut self, now: Now, event: Event, effects: &mut Vec<Effect>) {
            match event {
                Event::Tick => {
                    let frame = Bytes::copy_from_slice(&now.mono.0.to_le_bytes());
                    let others = (1..=3).filter(|node| *node != self.start.node.0);
                    effects.extend(others.map(|node| Effect::Send { to: NodeId(node), frame: frame.clone() }));
                    if !std::mem::replace(&mut self.writing, true) {
                        self.sequence += 1;
                        effects.push(Effect::WriteLog(LogWrite {
                            sequence: self.sequence,
                            segment: 1,
                            offset: 0,
                            bytes: Bytes::from(vec![1; 4096]),
                            ..LogWrite::default()
                        }));
                    }
                }
                Event::LogWritten { .. } => self.writing = false,
                Event::Client { session, requests } => {
                    for request in requests {
                        let responses = match request {
                            ClientRequest::Open { .. } => vec![ClientResponse::Ready(TxnStatus::Idle)],
                            ClientRequest::Query { sql } | ClientRequest::Parse { sql, .. } => answer(&sql),
                            _ => continue,
                        };
                        effects.push(Effect::Client { session, responses });
                    }
                }
                Event::Drain => effects.push(Effect::Stopped),
                _ => {}
            }
        }

        fn voters(&self) -> Vec<(base::ShardId, usize)> {
            let leads = self.start.node == NodeId(1);
            if leads { (0..2).map(|shard| (base::ShardId(shard), 3)).collect() } else { Vec::new() }
        }

        fn holdings(&self) -> Holdings {
            Holdings::default()
        }

        fn fingerprints(&mut self) -> Vec<Fingerprint> {
            vec![Fingerprint { shard: base::ShardId(0), applied: 1, hash: 7 }]
        }
    }

    struct Toys;

    impl Factory for Toys {
        fn open(&self, start: Start, _: Now, _: &dyn LogFiles, _: Arc<dyn RowStores>) -> base::Result<Box<dyn Machine>> {
            Ok(Box::new(Toy { start, sequence: 0, writing: false }))
        }
    }

    fn played(plan: &str, seed: u64, skip: &[usize]) -> Verdict {
        let plan = Plan { workloads: Vec::new(), ..Plan::built_in(plan).expect("it comes with the program") };
        let options = Options { skip: skip.iter().copied().collect(), ..Options::new(seed, 120) };
        run(&plan, &options, Rc::new(Toys))
    }

    #[test]
    fn one_seed_plays_one_run() {
        for plan in ["crashes", "partitions", "disks", "clocks", "mixed"] {
            let (first, again) = (played(plan, 3, &[]), played(plan, 3, &[]));
            assert!(first.passed(), "{first}");
            assert!(first.faults > 8);
            assert_eq!(first, again, "{plan}");
            assert_ne!(first.hash, played(plan, 4, &[]).hash, "{plan}");
        }
    }

    #[test]
    fn a_fault_can_be_left_out() {
        let (all, fewer) = (played("mixed", 3, &[]), played("mixed", 3, &[0, 1]));
        assert_eq!(fewer.faults, all.faults - 2);
        assert!(fewer.replay().ends_with("--skip 0,1"));
    }
}
