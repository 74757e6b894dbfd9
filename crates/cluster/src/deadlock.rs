//! Deadlocks over several shards, found by chasing edges between gateways.
//!
//! A shard breaks cycles within itself. When a transaction has waited long, its shard tells the gateway that runs it
//! ([`WaitNotice`]); the gateway remembers for whom it waits and sends a [`Probe`] along each edge to the gateway of the holder, which sends it
//! on along the holder's own edges. A probe that comes back to a transaction on its path has found a cycle; its youngest
//! member is the victim. Each new edge starts probes, so the last edge of a cycle finds it.
//!
//! Source: Chandy, Misra and Haas, "Distributed Deadlock Detection" (1983).

use base::{NodeId, ShardId, TxnId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Longest path that a probe follows, in transactions. Longer cycles end by `lock_timeout`.
pub const PATH_MAX: usize = 32;
/// Most holders of one wait that are followed.
pub const HOLDERS_MAX: usize = 64;
/// Most probes that are remembered; more are dropped, and the next notice starts new ones.
pub const SEEN_MAX: usize = 100_000;

/// A shard's leader to the waiter's gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitNotice {
    pub shard: ShardId,
    pub waiter: TxnId,
    pub holders: Vec<TxnId>,
}

/// Gateway to gateway: the last transaction of the path waits for `holder` in `shard`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub shard: ShardId,
    /// Of the gateway that started it, so that no edge is followed twice.
    pub round: u64,
    pub path: Vec<TxnId>,
    pub holder: TxnId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Probe { to: NodeId, probe: Probe },
    Victim { to: NodeId, txn: TxnId },
}

/// For whom the transactions of this gateway wait.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    round: u64,
    /// Probes that were sent on already, by the transaction they started from, its round and the holder.
    seen: BTreeSet<(TxnId, u64, TxnId)>,
    edges: BTreeMap<TxnId, BTreeMap<ShardId, Vec<TxnId>>>,
}

impl Waits {
    /// Only for transactions of this gateway that do wait in that shard.
    pub fn notice(&mut self, mut notice: WaitNotice, actions: &mut Vec<Action>) {
        notice.holders.truncate(HOLDERS_MAX);
        notice.holders.retain(|&h| h != notice.waiter);
        let (shard, waiter) = (notice.shard, notice.waiter);
        self.round += 1;
        for &holder in &notice.holders {
            let probe = Probe { shard, round: self.round, path: vec![waiter], holder };
            actions.push(Action::Probe { to: holder.node, probe });
        }
        self.edges.entry(waiter).or_default().insert(shard, notice.holders);
    }

    /// The holder runs at this gateway.
    pub fn probe(&mut self, probe: &Probe, actions: &mut Vec<Action>) {
        if let Some(start) = probe.path.iter().position(|&t| t == probe.holder) {
            let victim = probe.path[start..].iter().max().copied().expect("the cycle has the holder at least");
            actions.push(Action::Victim { to: victim.node, txn: victim });
            return;
        }
        let Some(&first) = probe.path.first() else { return };
        if probe.path.len() >= PATH_MAX || self.seen.len() >= SEEN_MAX || !self.seen.insert((first, probe.round, probe.holder)) {
            return;
        }
        let Some(edges) = self.edges.get(&probe.holder) else { return };
        for (&shard, holders) in edges {
            for &next in holders {
                let mut path = probe.path.clone();
                path.push(probe.holder);
                actions.push(Action::Probe { to: next.node, probe: Probe { shard, round: probe.round, path, holder: next } });
            }
        }
    }

    /// To be called every second or so: probes older than that have ended.
    pub fn forget_probes(&mut self) {
        self.seen.clear();
    }

    /// The wait ended, whichever way.
    pub fn ended(&mut self, waiter: TxnId, shard: ShardId) {
        if let Some(edges) = self.edges.get_mut(&waiter) {
            edges.remove(&shard);
            if edges.is_empty() {
                self.edges.remove(&waiter);
            }
        }
    }

    pub fn is_waiting(&self, txn: TxnId) -> bool {
        self.edges.contains_key(&txn)
    }

    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn txn(started: u64, node: u32) -> TxnId {
        TxnId { started, node: NodeId(node), boot: 1, sequence: started }
    }

    /// Delivers all actions among the gateways until none is left; returns the victims.
    fn settle(gateways: &mut BTreeMap<NodeId, Waits>, mut actions: Vec<Action>) -> Vec<TxnId> {
        let mut victims = Vec::new();
        while let Some(action) = actions.pop() {
            match action {
                Action::Probe { to, probe } => gateways.get_mut(&to).expect("a gateway").probe(&probe, &mut actions),
                Action::Victim { txn, .. } => victims.push(txn),
            }
        }
        victims.sort();
        victims.dedup();
        victims
    }

    fn world() -> BTreeMap<NodeId, Waits> {
        (1..=3).map(|n| (NodeId(n), Waits::default())).collect()
    }

    fn wait(world: &mut BTreeMap<NodeId, Waits>, shard: u32, waiter: TxnId, holder: TxnId) -> Vec<TxnId> {
        let mut actions = Vec::new();
        let notice = WaitNotice { shard: ShardId(shard), waiter, holders: vec![holder] };
        world.get_mut(&waiter.node).expect("a gateway").notice(notice, &mut actions);
        settle(world, actions)
    }

    #[test]
    fn a_chain_without_a_cycle_has_no_victim() {
        let mut world = world();
        let (a, b, c) = (txn(1, 1), txn(2, 2), txn(3, 3));
        assert!(wait(&mut world, 0, a, b).is_empty());
        assert!(wait(&mut world, 1, b, c).is_empty());
    }

    #[test]
    fn the_last_edge_of_a_cycle_finds_it_and_the_youngest_is_the_victim() {
        let mut world = world();
        let (a, b, c) = (txn(1, 1), txn(9, 2), txn(3, 3));
        assert!(wait(&mut world, 0, a, b).is_empty());
        assert!(wait(&mut world, 1, b, c).is_empty());
        assert_eq!(wait(&mut world, 0, c, a), vec![b]);
    }

    #[test]
    fn one_who_waits_for_a_cycle_is_no_member_of_it() {
        let mut world = world();
        let (a, b, outside) = (txn(1, 1), txn(2, 2), txn(99, 3));
        wait(&mut world, 0, a, b);
        assert_eq!(wait(&mut world, 1, b, a), vec![b]);
        assert_eq!(wait(&mut world, 1, outside, a), vec![b]);
    }

    #[test]
    fn a_wait_that_ended_is_no_edge() {
        let mut world = world();
        let (a, b) = (txn(1, 1), txn(2, 2));
        wait(&mut world, 0, a, b);
        world.get_mut(&a.node).expect("a gateway").ended(a, ShardId(0));
        assert!(wait(&mut world, 1, b, a).is_empty());
    }
}
