//! Talk between nodes: frames in and out, heartbeats, the registry's gossip, deadlock probes.

use crate::core::Core;
use crate::event::{Effect, Peer};
use crate::limits::{FRAME_BYTES, HORIZON_INTERVAL, RETENTION, STRAY_REPLICA};
use crate::local::LOCAL;
use base::{Error, NodeId, SqlState, TxnId, Version};
use cluster::deadlock::{Action, Probe, WaitNotice};
use cluster::membership::{Change, HEARTBEAT};
use cluster::message::{Frame, LedShard, Malformed, Message, NodeStatus, Verdict};
use cluster::registry::{NodeState, Registry};
use shard::event::ShardEvent;
use storage::access::{Request, Response};

impl Core {
    pub fn frame(&mut self, from: NodeId, bytes: &[u8]) {
        let frame = match Frame::decode(bytes) {
            Ok(frame) => frame,
            Err(Malformed) => {
                self.malformed_frames += 1;
                return;
            }
        };
        let removed = self.registry.nodes.get(&from).is_some_and(|n| n.state == NodeState::Removed);
        if from == self.config.node || (removed && !self.is_member(from)) {
            return;
        }
        match self.links.entry(from).or_default().judge(self.config.boot, &frame) {
            Verdict::Drop => return,
            Verdict::Accept | Verdict::AcceptNewBoot => {}
        }
        for message in frame.messages {
            self.message(from, message);
        }
    }

    fn message(&mut self, from: NodeId, message: Message) {
        match message {
            Message::Consensus { shard, message } => self.step_shard(shard, ShardEvent::Message { from, message }),
            Message::Request { shard, id, request } => self.remote_request(from, shard, id, request),
            Message::Response { shard: _, id, response } => self.answered(from, id, response),
            Message::Status(status) => self.status(from, *status),
            Message::Registry(registry) => self.install_registry(*registry),
            Message::CreateReplica { shard, term: _ } => {
                if let Err(error) = self.create_replica(shard) {
                    self.fault(error);
                }
            }
            Message::DropReplica { shard, term } => {
                let stale = self.replicas.get(&shard).is_some_and(|r| r.term <= term && r.leader != Some(self.config.node));
                if stale {
                    self.work.push_back(crate::core::Work::RemoveReplica(shard));
                }
            }
            Message::WaitNotice(notice) => self.wait_notice(notice),
            Message::Probe(probe) => self.probe(&probe),
            Message::Victim { txn } => self.victim(txn),
        }
    }

    fn status(&mut self, from: NodeId, status: NodeStatus) {
        for led in &status.led {
            if self.routing.observe(led.shard, led.term, Some(from)) {
                self.reroute(led.shard);
            }
        }
        self.clock.observe(status.clock);
        self.want_catalog(status.schema);
        if status.registry < self.registry.version {
            self.out.push(from, Message::Registry(Box::new(self.registry.clone())));
        }
        let mut changes = Vec::new();
        self.members.heard(self.now.mono, from, status, &mut changes);
        self.membership_changes(changes);
    }

    fn membership_changes(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Alive(node) => self.info(format!("node {} is heard", node.0)),
                Change::Dead { node, boot } => {
                    self.routing.lost(node);
                    self.gateway_gone(node, boot.saturating_add(1));
                    self.info(format!("node {} is silent", node.0));
                }
                Change::Restarted { node, boot } => self.gateway_gone(node, boot),
            }
        }
    }

    fn gateway_gone(&mut self, node: NodeId, before_boot: u32) {
        let shards: Vec<_> = self.replicas.keys().copied().collect();
        for shard in shards {
            self.step_shard(shard, ShardEvent::GatewayGone { node, before_boot });
        }
    }

    /// Heartbeats, and what comes of their absence.
    pub fn peer_round(&mut self) {
        let now = self.now.mono;
        if now < self.rounds.heartbeat {
            return;
        }
        self.rounds.heartbeat = now.after(HEARTBEAT);
        let mut changes = Vec::new();
        self.members.silence(now, &mut changes);
        self.membership_changes(changes);
        self.resend();
        self.commit_round();
        self.send_status();
    }

    pub fn send_status(&mut self) {
        let peers: Vec<NodeId> = self.peers().iter().map(|p| p.node).collect();
        if peers.is_empty() {
            return;
        }
        let status = NodeStatus {
            boot: self.config.boot,
            clock: self.clock.read(self.now.wall),
            oldest_snapshot: self.own_oldest_snapshot(),
            registry: self.registry.version,
            schema: self.catalog.current.version,
            led: self.led().into_iter().map(|(shard, term)| LedShard { shard, term }).collect(),
            held: self.replicas.keys().copied().collect(),
            sessions: self.client_sessions() as u32,
            draining: self.draining_since.is_some(),
            disk_full: self.disk_full,
            sent: self.now.mono,
            echo: None,
        };
        for to in peers {
            let echo = self.members.echo_for(self.now.mono, to);
            self.out.push(to, Message::Status(Box::new(NodeStatus { echo, ..status.clone() })));
        }
    }

    pub fn send_frames(&mut self) {
        let Core { out, links, config, effects, .. } = self;
        for (to, messages) in out.take() {
            let link = links.entry(to).or_default();
            let mut rest = messages;
            while !rest.is_empty() {
                let mut bytes = 0;
                let end = rest.iter().position(|m| {
                    bytes += weight(m);
                    bytes > FRAME_BYTES
                });
                let later = rest.split_off(end.map_or(rest.len(), |e| e + 1));
                effects.push(Effect::Send { to, frame: link.frame(config.boot, rest).encode() });
                rest = later;
            }
        }
    }

    /// It has a say in a shard of which this node has a replica.
    fn is_member(&self, node: NodeId) -> bool {
        self.replicas.values().any(|r| {
            let members = r.shard.members();
            members.changing || [&members.voters, &members.witnesses, &members.learners].iter().any(|m| m.contains(&node))
        })
    }

    /// Tells the shell if it is news.
    pub fn tell_peers(&mut self) {
        let peers = self.peers();
        if self.told_peers.as_ref() != Some(&peers) {
            self.told_peers = Some(peers.clone());
            self.effects.push(Effect::Peers(peers));
        }
        let gone = |n: &&cluster::NodeRecord| n.state == NodeState::Removed && !self.is_member(n.node);
        let removed: Vec<NodeId> = self.registry.nodes.values().filter(gone).map(|n| n.node).collect();
        if self.told_removed != removed {
            self.told_removed.clone_from(&removed);
            self.effects.push(Effect::Removed(removed));
        }
        self.tell_own_address();
    }

    /// The others connect to the address in the registry: with another one this node can speak and not hear.
    fn tell_own_address(&mut self) {
        let Some(record) = self.registry.nodes.get(&self.config.node) else { return };
        if self.told_own_address || record.address == self.config.address || self.registry.members().count() == 1 {
            return;
        }
        self.told_own_address = true;
        let message = format!("the other nodes know this node at {}, but it is told that it is at {}", record.address, self.config.address);
        let error = Error::new(SqlState::INVALID_PARAMETER_VALUE, message).with_hint(
            "They cannot reach it. Start it with --listen or --advertise as at first, or let a new node take its place: florin node replace.",
        );
        self.fault(error);
    }

    /// All others, as far as known: from the registry, before that from how the node was started. A removed node is one of them
    /// until its votes are not needed any more.
    pub fn peers(&self) -> Vec<Peer> {
        let here = |n: NodeId| n == self.config.node;
        let others = self.registry.nodes.values().filter(|n| !here(n.node) && (n.state != NodeState::Removed || self.is_member(n.node)));
        let known: Vec<Peer> = others
            .map(|n| Peer { node: n.node, address: n.address.clone(), sql_address: n.sql_address.clone(), locality: n.locality.clone() })
            .collect();
        match &self.config.start {
            crate::config::Start::Join { peers } if known.is_empty() => {
                peers.iter().filter(|p| p.node != self.config.node).cloned().collect()
            }
            _ => known,
        }
    }

    /// A newer registry than the one at hand is kept and told to the shell.
    pub fn install_registry(&mut self, registry: Registry) {
        if registry.version <= self.registry.version {
            return;
        }
        // Whoever learns of its cluster for the first time must find it again, whatever happens next.
        let first = self.registry.version == 0;
        if first && let Err(error) = self.local.set_registry(&registry) {
            self.fault(error);
        }
        self.routing.set_shards(registry.shards);
        let before = std::mem::replace(&mut self.registry, registry);
        if !first {
            self.save_registry();
        }
        self.tell_downgrade(before.downgraded.as_ref());
        self.tell_peers();
        // Before anything that follows from it: who is handed a leadership must know why, or would hand it back.
        for peer in self.peers() {
            self.out.push(peer.node, Message::Registry(Box::new(self.registry.clone())));
        }
        self.rounds.placement = self.now.mono;
    }

    fn save_registry(&mut self) {
        if let Some(job) = self.local.save_registry(&self.registry) {
            self.effects.push(Effect::Job { shard: LOCAL, job });
        }
    }

    pub fn registry_saved(&mut self, error: Option<Error>) {
        let again = self.local.saved();
        if let Some(error) = error {
            self.fault(error);
        }
        if again {
            self.save_registry();
        }
    }

    pub fn wait_notice(&mut self, notice: WaitNotice) {
        if notice.waiter.node != self.config.node || !self.waiting_calls(notice.waiter).iter().any(|(_, s)| *s == notice.shard) {
            return;
        }
        let mut actions = Vec::new();
        self.waits.notice(notice, &mut actions);
        self.chase(actions);
    }

    fn probe(&mut self, probe: &Probe) {
        if probe.holder.node != self.config.node {
            return;
        }
        self.roll_back_forgotten(probe);
        let mut actions = Vec::new();
        self.waits.probe(probe, &mut actions);
        self.chase(actions);
    }

    fn chase(&mut self, mut actions: Vec<Action>) {
        let here = self.config.node;
        while let Some(action) = actions.pop() {
            match action {
                Action::Probe { to, probe } if to == here => {
                    self.roll_back_forgotten(&probe);
                    self.waits.probe(&probe, &mut actions);
                }
                Action::Probe { to, probe } => self.out.push(to, Message::Probe(probe)),
                Action::Victim { to, txn } if to == here => self.victim(txn),
                Action::Victim { to, txn } => self.out.push(to, Message::Victim { txn }),
            }
        }
    }

    /// A holder that no session of this gateway runs any more left its locks behind: they are given up.
    fn roll_back_forgotten(&mut self, probe: &Probe) {
        let txn = probe.holder;
        let runs = txn.boot == self.config.boot && (self.running.contains(&txn) || self.is_committing(txn));
        if !runs {
            self.tell(probe.shard, Request::Rollback { txn });
        }
    }

    fn victim(&mut self, txn: TxnId) {
        for (id, _) in self.waiting_calls(txn) {
            let error = Error::new(SqlState::DEADLOCK_DETECTED, "deadlock detected").with_detail(format!(
                "transaction {txn} waited in a circle of transactions over several shards, and is the youngest of them"
            ));
            self.interrupt_call(id, error);
        }
    }

    fn own_oldest_snapshot(&self) -> Option<Version> {
        self.sessions.values().filter_map(|s| s.snapshot.get()).min()
    }

    /// How far old versions may be given up.
    pub fn horizon_round(&mut self) {
        let now = self.now.mono;
        if now < self.rounds.horizon {
            return;
        }
        self.rounds.horizon = now.after(HORIZON_INTERVAL);
        self.waits.forget_probes();
        let retention = Version::from_millis(self.now.wall.0 / 1000).minus(RETENTION);
        let held = [self.own_oldest_snapshot(), self.members.oldest_snapshot(now)].into_iter().flatten().min();
        let horizon = held.map_or(retention, |h| h.min(retention));
        let shards: Vec<_> = self.replicas.keys().copied().collect();
        for shard in shards {
            self.step_shard(shard, ShardEvent::Horizon(horizon));
        }
        self.announce_gone();
        self.drop_strays();
    }

    /// Leaders change, and a new one does not know which gateways are gone.
    fn announce_gone(&mut self) {
        let mut gone = vec![(self.config.node, self.config.boot)];
        for record in self.registry.nodes.values().filter(|n| n.node != self.config.node) {
            let node = record.node;
            if record.state == NodeState::Removed {
                gone.push((node, u32::MAX));
            } else if let Some(peer) = self.members.peer(node) {
                let dead = !self.members.is_alive(self.now.mono, node);
                gone.push((node, peer.status.boot.saturating_add(u32::from(dead))));
            }
        }
        for (shard, _) in self.led() {
            for &(node, before_boot) in &gone {
                self.step_shard(shard, ShardEvent::GatewayGone { node, before_boot });
            }
        }
    }

    /// Replicas on nodes that are no members: their nodes did not hear of their removal.
    fn drop_strays(&mut self) {
        for (shard, term) in self.led() {
            let Some(replica) = self.replicas.get(&shard) else { continue };
            let members = replica.shard.members();
            if members.changing {
                continue;
            }
            let belongs = |n: NodeId| members.voters.contains(&n) || members.witnesses.contains(&n) || members.learners.contains(&n);
            let strays: Vec<NodeId> = self
                .registry
                .nodes
                .keys()
                .copied()
                .filter(|&n| !belongs(n) && self.members.alive_for(self.now.mono, n) >= STRAY_REPLICA)
                .filter(|&n| self.members.peer(n).is_some_and(|p| p.status.held.contains(&shard)))
                .collect();
            for node in strays {
                self.out.push(node, Message::DropReplica { shard, term });
            }
        }
    }
}

/// Bytes of a message in a frame, roughly.
fn weight(message: &Message) -> usize {
    match message {
        Message::Consensus { message, .. } => message.len() + 16,
        Message::Response { response: Response::Scanned { rows, .. }, .. } => {
            64 + rows.iter().map(|(k, f)| k.len() + f.row.len() + 16).sum::<usize>()
        }
        Message::Response { response: Response::Rows { rows, .. }, .. } => {
            64 + rows.iter().flatten().map(|f| f.row.len() + 16).sum::<usize>()
        }
        Message::Request { request: Request::Stage { changes, .. }, .. } => 128 + changes.len(),
        Message::Request { request: Request::Commit { writes, .. } | Request::Prepare { writes, .. }, .. } => {
            128 + writes.iter().map(|w| w.key.len() + w.row.as_ref().map_or(0, |r| r.len()) + 16).sum::<usize>()
        }
        _ => 128,
    }
}
