//! Carries out `cluster::placement` for the shards that are led here, and tells each replica its priority and distance.

use crate::core::Core;
use crate::event::Effect;
use crate::limits::{DRAIN_PATIENCE, PLACEMENT_INTERVAL, TRANSFER_PAUSE};
use base::{Error, NodeId, ShardId, SqlState};
use cluster::Message;
use cluster::placement::{self, Candidate, Replicas};
use shard::event::{Control, ShardEvent};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A replica this close behind, in log entries, could lead or vote without a pause.
const CAUGHT_UP_ENTRIES: u64 = 1_000;
/// A member whose answer takes no longer than this is near: within a city, also while the nodes are busy.
const NEAR_MICROS: u64 = 4_000;

const _: () = assert!(placement::PRIORITY_BEST == shard::PRIORITY_TOP, "the best placed replica campaigns first");

impl Core {
    pub fn placement_round(&mut self) {
        let now = self.now.mono;
        if now < self.rounds.placement {
            return;
        }
        self.rounds.placement = now.after(PLACEMENT_INTERVAL);
        self.tell_peers();
        if self.registry.version == 0 {
            return;
        }
        let shards: Vec<ShardId> = self.replicas.keys().copied().collect();
        for &shard in &shards {
            self.wishes(shard);
        }
        for (shard, term) in self.led() {
            self.place(shard, term);
        }
    }

    /// Who should campaign first, and how long elections must wait.
    fn wishes(&mut self, shard: ShardId) {
        let leaves = self.draining_since.is_some() || self.disk_full;
        let leader = self.routing.leader(shard);
        let priority = if leaves { 0 } else { placement::priority(&self.registry, self.config.node, leader) };
        let Some(replica) = self.replicas.get_mut(&shard) else { return };
        let members = replica.shard.members();
        let voters = members.voters.iter().chain(&members.witnesses);
        let distances = voters.filter_map(|&n| Some((n, self.members.round_trip_micros(n)?)));
        let distances: Vec<(NodeId, u64)> = distances.collect();
        let farthest = distances.iter().map(|(_, micros)| *micros).max().unwrap_or(0);
        let near: BTreeSet<NodeId> = distances.into_iter().filter(|(_, micros)| *micros <= NEAR_MICROS).map(|(node, _)| node).collect();
        let (old_priority, old_trip) = (replica.priority, replica.round_trip);
        // Small changes of the measured distance are noise.
        let moved = farthest.abs_diff(old_trip) > old_trip / 4 || near != replica.near;
        replica.priority = priority;
        if moved {
            (replica.round_trip, replica.near) = (farthest, near.clone());
        }
        if priority != old_priority {
            self.step_shard(shard, ShardEvent::Control(Control::Priority(priority)));
        }
        if moved {
            self.step_shard(shard, ShardEvent::Control(Control::RoundTrips { farthest_micros: farthest, near }));
        }
    }

    fn place(&mut self, shard: ShardId, term: u64) {
        let Some(replica) = self.replicas.get(&shard) else { return };
        let members = replica.shard.members();
        let current = Replicas { voters: members.voters.clone(), witnesses: members.witnesses.clone(), learners: members.learners.clone() };
        for node in current.all() {
            let lacks = |n| self.members.peer(n).is_some_and(|p| !p.status.held.contains(&shard));
            if node != self.config.node && self.members.is_alive(self.now.mono, node) && lacks(node) {
                self.out.push(node, Message::CreateReplica { shard, term });
            }
        }
        if members.changing {
            return;
        }
        let candidates = self.candidates(shard);
        if self.transfer(shard, &candidates, &current) {
            return;
        }
        let desired = placement::desired(&self.registry, &candidates, &current);
        // A leader that is to lose its vote first hands over, which `transfer` does once the others can.
        if !desired.voters.contains(&self.config.node)
            && current.voters.len() > 1
            && desired.voters.iter().any(|n| current.voters.contains(n))
        {
            self.hand_over(shard, &candidates, &current);
            return;
        }
        let next = placement::next_change(&current, &desired, |n| candidates.get(&n).is_some_and(|c| c.caught_up));
        if let Some(Replicas { voters, witnesses, learners }) = next {
            self.step_shard(shard, ShardEvent::Control(Control::Membership { voters, witnesses, learners }));
        }
    }

    pub fn candidates(&self, shard: ShardId) -> BTreeMap<NodeId, Candidate> {
        let now = self.now.mono;
        let here = self.config.node;
        let candidate = |record: &cluster::NodeRecord| {
            let node = record.node;
            let alive = node == here || self.members.is_alive(now, node);
            let silent = self.members.silent_for(now, node).unwrap_or(Duration::from_micros(now.0));
            Candidate {
                record: record.clone(),
                alive_for: if node == here { Duration::from_micros(now.0) } else { self.members.alive_for(now, node) },
                silent_for: (!alive).then_some(silent),
                caught_up: node == here
                    || self.replicas.get(&shard).is_some_and(|r| r.shard.behind(node).is_some_and(|b| b <= CAUGHT_UP_ENTRIES)),
            }
        };
        self.registry.nodes.values().map(|r| (r.node, candidate(r))).collect()
    }

    /// True if leadership is on its way elsewhere.
    fn transfer(&mut self, shard: ShardId, candidates: &BTreeMap<NodeId, Candidate>, current: &Replicas) -> bool {
        let here = self.config.node;
        let told = |n: NodeId| match n == here {
            true => self.draining_since.is_some() || self.disk_full,
            false => self.members.peer(n).is_some_and(|p| p.status.draining || p.status.disk_full),
        };
        match placement::transfer(&self.registry, candidates, current, here, shard.0, &told) {
            Some(to) => self.ask_transfer(shard, to),
            None => false,
        }
    }

    fn hand_over(&mut self, shard: ShardId, candidates: &BTreeMap<NodeId, Candidate>, current: &Replicas) {
        let here = self.config.node;
        let leaves = |n: NodeId| n == here;
        if let Some(to) = placement::transfer(&self.registry, candidates, current, here, shard.0, &leaves) {
            self.ask_transfer(shard, to);
        }
    }

    pub fn ask_transfer(&mut self, shard: ShardId, to: NodeId) -> bool {
        let now = self.now.mono;
        let Some(replica) = self.replicas.get_mut(&shard) else { return false };
        if replica.transferred.0 != 0 && now.since(replica.transferred) < TRANSFER_PAUSE {
            return true;
        }
        replica.transferred = now;
        self.step_shard(shard, ShardEvent::Control(Control::Transfer { to }));
        true
    }

    /// Stop serving: leaders go elsewhere, sessions end when they are idle.
    pub fn drain(&mut self) {
        if self.draining_since.is_none() {
            self.draining_since = Some(self.now.mono);
            self.rounds.placement = self.now.mono;
            self.rounds.heartbeat = self.now.mono;
            self.info("draining: leaders go elsewhere, sessions end when they are idle");
        }
    }

    pub fn drain_round(&mut self) {
        let Some(since) = self.draining_since else { return };
        if self.stopped {
            return;
        }
        let waited = self.now.mono.since(since);
        self.end_sessions(waited >= DRAIN_PATIENCE);
        let leads = self.led().into_iter().any(|(shard, _)| self.can_hand_over(shard));
        let busy = self.client_sessions() > 0 || !self.commits.is_empty() || leads;
        if !busy || waited >= DRAIN_PATIENCE * 2 {
            self.stopped = true;
            self.effects.push(Effect::Stopped);
        }
    }

    /// Someone else could lead the shard: a node that is alone has no one to wait for.
    fn can_hand_over(&self, shard: ShardId) -> bool {
        let Some(replica) = self.replicas.get(&shard) else { return false };
        replica.shard.members().voters.iter().any(|&n| n != self.config.node && self.members.is_alive(self.now.mono, n))
    }

    fn end_sessions(&mut self, all: bool) {
        let clients: Vec<_> = self.sessions.values().filter(|s| !s.is_internal() && !s.ending.get()).cloned().collect();
        for state in clients {
            if !all && !state.is_idle() {
                continue;
            }
            let error = Error::new(SqlState::ADMIN_SHUTDOWN, "the node is shutting down").with_hint("Connect again, to another node.");
            state.ending.set(true);
            if state.is_idle() {
                state.push_response_to(&mut self.dirty, sql::client::ClientResponse::Error(sql::client::Severity::Fatal, error));
                self.wake(state.id);
            } else {
                self.interrupt(state.id, error);
            }
        }
    }
}
