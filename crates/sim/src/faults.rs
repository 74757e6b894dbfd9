//! Faults as they strike: what a planned fault does to the world, and what ends it.

use crate::machine::Birth;
use crate::network::{Area, CutId, End};
use crate::plan::{FaultKind, Planned, Target};
use crate::process::Life;
use crate::queue::{Micros, SECOND};
use crate::world::{Happening, Payload, World};
use base::{NodeId, Prng};
use node::event::Event;
use std::collections::VecDeque;

/// After a replica's data was destroyed, no other is until this time has passed: a majority must be left to rebuild it from.
const DESTRUCTION_PAUSE: Micros = 45 * SECOND;
/// A node that does not stop in an orderly way is stopped after this time.
const DRAIN_PATIENCE: Micros = 8 * SECOND;
/// Between two nodes of a rolling restart.
const ROLL_PAUSE: Micros = 3 * SECOND;

pub struct Fault {
    pub planned: Planned,
    /// Left out of this run (see the minimiser).
    pub skipped: bool,
    cuts: Vec<CutId>,
    nodes: Vec<NodeId>,
    active: bool,
}

impl Fault {
    pub fn new(planned: Planned, skipped: bool) -> Fault {
        Fault { planned, skipped, cuts: Vec::new(), nodes: Vec::new(), active: false }
    }
}

/// Nodes that are still to be restarted, one after the other.
pub struct Rolling {
    left: VecDeque<NodeId>,
    /// Draining, in this life.
    current: Option<(NodeId, u32)>,
    down: Micros,
}

impl World {
    pub fn plan_faults(&mut self, faults: Vec<Fault>, start: Micros) {
        for (number, fault) in faults.iter().enumerate().filter(|(_, fault)| !fault.skipped) {
            self.queue.push(start + fault.planned.start, Happening::FaultStarts(number));
            self.queue.push(start + fault.planned.end, Happening::FaultEnds(number));
        }
        self.faults = faults;
    }

    fn choose(&self, target: Target, prng: &mut Prng) -> Option<NodeId> {
        let up: Vec<NodeId> = self.processes.values().filter(|p| p.is_up()).map(|p| p.id).collect();
        let leaders: Vec<NodeId> = self.leaders.values().map(|(leader, _)| *leader).filter(|leader| up.contains(leader)).collect();
        match target {
            Target::Leader if !leaders.is_empty() => Some(*prng.pick(&leaders)),
            _ if up.is_empty() => None,
            _ => Some(*prng.pick(&up)),
        }
    }

    pub fn fault_starts(&mut self, number: usize) {
        let planned = self.faults[number].planned.clone();
        let mut prng = Prng::new(planned.seed);
        let Some(node) = self.choose(planned.target, &mut prng) else { return };
        let now = self.now();
        self.trace.note(now, || {
            format!("fault {number} {:?} at {node} until {}", planned.fault, crate::check::seconds(now + planned.end - planned.start))
        });
        self.faults[number].active = true;
        self.faults[number].nodes = vec![node];
        self.faults_active += 1;
        match planned.fault {
            FaultKind::Crash => self.kill(node, prng.one_in(2)),
            FaultKind::CrashAll => self.crash_all(number, &mut prng),
            FaultKind::RollingRestart => self.roll(planned.end - planned.start),
            FaultKind::Pause => self.pause(node),
            FaultKind::CutZone | FaultKind::CutCity | FaultKind::CutNode | FaultKind::MuteNode | FaultKind::DeafNode => {
                self.cut(number, node);
            }
            FaultKind::Loss => self.network.degrade(planned.amount as u32, 1),
            FaultKind::Slow => self.network.degrade(0, planned.amount as u32),
            FaultKind::Reset => self.reset(node),
            FaultKind::DiskStall => self.stall(node, now + (planned.end - planned.start)),
            FaultKind::DiskFull => self.fill(node, true),
            FaultKind::StoreFull => self.fill(node, false),
            FaultKind::BitFlip => self.flip(node, &mut prng),
            FaultKind::LoseData => self.lose(node),
            FaultKind::RotRow => self.rot(&mut prng),
            FaultKind::ClockJump => self.jump(node, planned.amount, &mut prng),
        }
    }

    pub fn fault_ends(&mut self, number: usize) {
        if !std::mem::take(&mut self.faults[number].active) {
            return;
        }
        self.faults_active -= 1;
        let (fault, nodes) = (self.faults[number].planned.fault, self.faults[number].nodes.clone());
        let now = self.now();
        self.trace.note(now, || format!("fault {number} {fault:?} ends"));
        match fault {
            FaultKind::Crash | FaultKind::CrashAll | FaultKind::BitFlip => {
                nodes.into_iter().for_each(|node| self.boot(node, Birth::Restart));
            }
            FaultKind::Pause => nodes.into_iter().for_each(|node| self.resume(node)),
            FaultKind::Loss | FaultKind::Slow => self.network.degrade(0, 1),
            FaultKind::DiskFull => nodes.into_iter().for_each(|node| self.make_room(node, true)),
            FaultKind::StoreFull => nodes.into_iter().for_each(|node| self.make_room(node, false)),
            _ => {}
        }
        let mut deliveries = Vec::new();
        for cut in std::mem::take(&mut self.faults[number].cuts) {
            self.network.heal(cut, now, &mut deliveries);
        }
        self.plan_deliveries(&mut deliveries);
    }

    fn crash_all(&mut self, number: usize, prng: &mut Prng) {
        let up: Vec<NodeId> = self.processes.values().filter(|p| p.is_up()).map(|p| p.id).collect();
        let power_lost = prng.one_in(2);
        up.iter().for_each(|node| self.kill(*node, power_lost));
        self.faults[number].nodes = up;
    }

    /// A client's connection breaks for both ends: it is a stream, of which no piece in the middle gets lost.
    fn reset(&mut self, node: NodeId) {
        let now = self.now();
        self.network.reset_all(End::Node(node), now);
        let Some(process) = self.processes.get_mut(&node) else { return };
        for (session, client) in std::mem::take(&mut process.sessions) {
            self.post(node, Event::ClientGone { session });
            self.send(now, End::Node(node), End::Client(client), Payload::HangUp(session));
        }
    }

    fn pause(&mut self, node: NodeId) {
        if let Some(process) = self.processes.get_mut(&node) {
            process.paused += 1;
        }
    }

    fn resume(&mut self, node: NodeId) {
        let now = self.now();
        let Some(process) = self.processes.get_mut(&node) else { return };
        process.paused -= 1;
        if process.is_up() && process.paused == 0 && !process.inbox.is_empty() && !process.step_planned {
            process.step_planned = true;
            let boot = process.boot;
            self.queue.push(now, Happening::Step { node, boot });
        }
    }

    fn cut(&mut self, number: usize, node: NodeId) {
        let place = self.processes[&node].place.clone();
        let area = match self.faults[number].planned.fault {
            FaultKind::CutZone => Area::Zone(place),
            FaultKind::CutCity => Area::City(place.city),
            _ => Area::Node(node),
        };
        let others = Area::Not(Box::new(area.clone()));
        let fault = self.faults[number].planned.fault;
        let mut cuts = Vec::new();
        if fault != FaultKind::DeafNode {
            cuts.push(self.network.cut(area.clone(), others.clone()));
        }
        if fault != FaultKind::MuteNode {
            cuts.push(self.network.cut(others, area));
        }
        self.faults[number].cuts = cuts;
    }

    fn stall(&mut self, node: NodeId, until: Micros) {
        if let Some(process) = self.processes.get_mut(&node) {
            process.disk.stall(until);
        }
    }

    fn fill(&mut self, node: NodeId, log: bool) {
        if let Some(process) = self.processes.get_mut(&node) {
            process.full += u32::from(log);
            process.stores_full += 1;
            process.stores.set_full(true);
        }
    }

    fn make_room(&mut self, node: NodeId, log: bool) {
        if let Some(process) = self.processes.get_mut(&node) {
            process.full -= u32::from(log);
            process.stores_full -= 1;
            process.stores.set_full(process.stores_full > 0);
        }
    }

    /// Whether a replica's data may be destroyed now: all others are up, and none was destroyed lately.
    fn may_destroy(&self, now: Micros) -> bool {
        let all_up = self.processes.values().filter(|p| p.life != Life::Gone).all(|p| p.is_up() && p.paused == 0 && p.stores_full == 0);
        let long_ago = self.last_destroyed.is_none_or(|at| now > at + DESTRUCTION_PAUSE);
        all_up && long_ago && self.lost.is_empty()
    }

    fn flip(&mut self, node: NodeId, prng: &mut Prng) {
        let now = self.now();
        if !self.may_destroy(now) {
            return;
        }
        self.kill(node, false);
        let process = self.processes.get_mut(&node).expect("it was chosen among the known");
        if process.disk.flip_bit(prng) {
            self.last_destroyed = Some(now);
            process.damaged_at = Some(now);
        }
    }

    /// Not at a leader, which would at once tell its clients what was never written.
    fn rot(&mut self, prng: &mut Prng) {
        let now = self.now();
        if !self.may_destroy(now) {
            return;
        }
        let leads = |node: NodeId, shard| self.leaders.get(&shard).is_none_or(|(leader, _)| *leader == node);
        let mut replicas = Vec::new();
        for process in self.processes.values() {
            let shards = process.stores.shards().into_iter().filter(|shard| !leads(process.id, *shard));
            replicas.extend(shards.map(|shard| (process.id, shard)));
        }
        if replicas.is_empty() {
            return;
        }
        let (node, shard) = *prng.pick(&replicas);
        let store = self.processes[&node].stores.get(shard).expect("its shards were listed just now");
        if store.rot(prng) {
            self.last_destroyed = Some(now);
            self.trace.note(now, || format!("a row of {shard} rots at {node}"));
        }
    }

    fn lose(&mut self, node: NodeId) {
        let now = self.now();
        if !self.may_destroy(now) {
            return;
        }
        self.kill(node, true);
        let process = self.processes.get_mut(&node).expect("it was chosen among the known");
        process.life = Life::Gone;
        process.disk.lose_everything();
        process.stores.lose_everything();
        self.last_destroyed = Some(now);
        self.lost.push(node);
        self.hub.borrow_mut().gateways.retain(|gateway| *gateway != node);
    }

    fn jump(&mut self, node: NodeId, millis: u64, prng: &mut Prng) {
        let now = self.now();
        let Some(process) = self.processes.get_mut(&node) else { return };
        match prng.below(3) {
            0 => process.clock.jump(millis as i64 * 1000),
            1 => process.clock.jump(millis as i64 * -1000),
            _ => process.clock.correct(now),
        }
    }

    fn roll(&mut self, down: Micros) {
        if self.rolling.is_none() {
            let left = self.processes.values().filter(|p| p.is_up()).map(|p| p.id).collect();
            self.rolling = Some(Rolling { left, current: None, down });
            self.roll_next();
        }
    }

    pub fn roll_next(&mut self) {
        let now = self.now();
        while let Some(node) = self.rolling.as_mut().and_then(|rolling| rolling.left.pop_front()) {
            let Some(boot) = self.processes.get(&node).filter(|p| p.is_up()).map(|p| p.boot) else { continue };
            self.trace.note(now, || format!("{node} drains"));
            if let Some(rolling) = &mut self.rolling {
                rolling.current = Some((node, boot));
            }
            self.post(node, Event::Drain);
            self.queue.push(now + DRAIN_PATIENCE, Happening::RollTimeout { node, boot });
            return;
        }
        self.rolling = None;
    }

    /// The node has drained, or took too long, or died meanwhile.
    pub fn roll_stop(&mut self, node: NodeId, boot: u32) {
        let now = self.now();
        let Some(rolling) = self.rolling.as_mut().filter(|rolling| rolling.current == Some((node, boot))) else { return };
        rolling.current = None;
        let down = rolling.down;
        if self.processes.get(&node).is_some_and(|p| p.runs(boot)) {
            self.kill(node, false);
            self.queue.push(now + down, Happening::Boot(node));
        }
        self.queue.push(now + down + ROLL_PAUSE, Happening::RollNext);
    }

    /// Faults are over: everything that can run runs.
    pub fn calm(&mut self) {
        let now = self.now();
        self.trace.note(now, || "calm".to_string());
        self.hub.borrow_mut().calm = true;
        if let Some(rolling) = &mut self.rolling {
            rolling.left.clear();
        }
        for number in 0..self.faults.len() {
            self.fault_ends(number);
        }
        let down: Vec<NodeId> = self.processes.values().filter(|p| matches!(p.life, Life::Down { .. })).map(|p| p.id).collect();
        down.into_iter().for_each(|node| self.boot(node, Birth::Restart));
    }
}
