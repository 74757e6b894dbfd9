//! The replicas of this node: stepping them and carrying out what they want.

use crate::core::{Core, Work};
use crate::event::{Effect, Report};
use base::{Error, Mono, NodeId, Result, ShardId, SqlState};
use cluster::Message;
use cluster::deadlock::WaitNotice;
use shard::Shard;
use shard::event::{ShardEffect, ShardEvent};
use std::collections::BTreeSet;
use storage::access::{Refusal, Response};
use storage::log::Record;

pub struct Replica {
    pub(crate) shard: Shard,
    /// As this replica sees it.
    pub(crate) leader: Option<NodeId>,
    pub(crate) term: u64,
    pub(crate) transferred: Mono,
    pub(crate) priority: i64,
    pub(crate) round_trip: u64,
    pub(crate) near: BTreeSet<NodeId>,
}

impl Replica {
    pub(crate) fn new(shard: Shard) -> Replica {
        Replica { shard, leader: None, term: 0, transferred: Mono(0), priority: i64::MIN, round_trip: 0, near: BTreeSet::new() }
    }
}

impl Core {
    pub fn step_shard(&mut self, shard: ShardId, event: ShardEvent) {
        let Some(replica) = self.replicas.get_mut(&shard) else { return };
        let mut effects = std::mem::take(&mut self.shard_effects);
        replica.shard.step(self.now, event, &mut effects);
        for effect in effects.drain(..) {
            self.shard_effect(shard, effect);
        }
        self.shard_effects = effects;
    }

    fn shard_effect(&mut self, shard: ShardId, effect: ShardEffect) {
        match effect {
            ShardEffect::Send { to, message } => self.out.push(to, Message::Consensus { shard, message }),
            ShardEffect::Append { ticket, records } => self.log.append(shard, ticket, records),
            ShardEffect::Reply { to, id, response } if to == self.config.node => self.answered(to, id, response),
            ShardEffect::Reply { to, id, response } => {
                if let Some(active) = self.remote.get_mut(&shard) {
                    active.remove(&(to, id));
                }
                self.out.push(to, Message::Response { shard, id, response });
            }
            ShardEffect::Job(job) => self.effects.push(Effect::Job { shard, job }),
            ShardEffect::Schema(version) => self.want_catalog(version),
            ShardEffect::Leader { leader, term } => self.leader_changed(shard, leader, term),
            ShardEffect::Waiting { waiter, holders } => {
                let notice = WaitNotice { shard, waiter, holders };
                if waiter.node == self.config.node {
                    self.wait_notice(notice)
                } else {
                    self.out.push(waiter.node, Message::WaitNotice(notice))
                }
            }
            ShardEffect::Undecided { txn, participants } => self.begin_recovery(txn, &participants),
            ShardEffect::Finding(text) => self.fault(Error::new(SqlState::DATA_CORRUPTED, text)),
            ShardEffect::Removed => self.work.push_back(Work::RemoveReplica(shard)),
        }
    }

    fn leader_changed(&mut self, shard: ShardId, leader: Option<NodeId>, term: u64) {
        if let Some(replica) = self.replicas.get_mut(&shard) {
            (replica.leader, replica.term) = (leader, term);
        }
        // A leader that lost its place answers nothing more for what it worked on: a repeated request is a new one.
        if leader != Some(self.config.node) {
            self.remote.remove(&shard);
        }
        self.effects.push(Effect::Report(Report::Leader { shard, leader, term }));
        self.routing.observe(shard, term, leader);
        if leader.is_some() {
            self.reroute(shard);
        }
        if leader == Some(self.config.node) {
            self.rounds.heartbeat = self.now.mono; // The others hear it with the next tick.
        }
    }

    /// A request of another node to a shard that it believes is led here.
    pub fn remote_request(&mut self, from: NodeId, shard: ShardId, id: base::RequestId, request: storage::access::Request) {
        if !self.replicas.contains_key(&shard) {
            let instead = self.routing.leader(shard).filter(|&n| n != self.config.node);
            let response = Response::Refused(Refusal::NotLeader(instead));
            self.out.push(from, Message::Response { shard, id, response });
            return;
        }
        let silent = matches!(request, storage::access::Request::CancelWait { .. } | storage::access::Request::Settled { .. });
        if !silent {
            let active = self.remote.entry(shard).or_default();
            if active.contains(&(from, id)) {
                return;
            }
            if active.len() >= crate::limits::REMOTE_REQUESTS_MAX {
                self.out.push(from, Message::Response { shard, id, response: Response::Refused(Refusal::Busy) });
                return;
            }
            active.insert((from, id));
        }
        self.step_shard(shard, ShardEvent::Request { from, id, request });
    }

    /// The shard's leader wants a replica here.
    pub fn create_replica(&mut self, shard: ShardId) -> Result<()> {
        if self.replicas.contains_key(&shard) {
            return Ok(());
        }
        let replica = self.open_replica(shard, None)?;
        self.replicas.insert(shard, replica);
        self.save_replicas()?;
        self.routing.set_shards(self.registry.shards);
        self.info(format!("holds a replica of shard {} from now on", shard.0));
        Ok(())
    }

    pub fn remove_replica(&mut self, shard: ShardId) {
        if self.replicas.remove(&shard).is_none() {
            return;
        }
        self.remote.remove(&shard);
        self.log.append_unwatched(shard, Record::Removed);
        let result = self.save_replicas().and_then(|()| self.stores.destroy(shard));
        if let Err(error) = result {
            self.fault(error);
        }
        self.routing.lost_if(shard, self.config.node);
        self.info(format!("no longer holds a replica of shard {}", shard.0));
    }

    fn save_replicas(&self) -> Result<()> {
        let shards: Vec<ShardId> = self.replicas.keys().copied().collect();
        let registry = (self.registry.version > 0).then_some(&self.registry);
        self.local.set_replicas(&shards, registry)
    }

    /// The shards that this node leads, with their terms.
    pub fn led(&self) -> Vec<(ShardId, u64)> {
        let led = self.replicas.iter().filter(|(_, r)| r.leader == Some(self.config.node));
        led.map(|(&shard, r)| (shard, r.term)).collect()
    }
}
