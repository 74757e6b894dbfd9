//! Where replicas stand and who leads: from the mode, the nodes and what there is, the next single step.
//!
//! Each shard's leader asks this for its own shard, so no other agreement is needed: what it changes, its log decides.

use crate::registry::{NodeRecord, NodeState, Registry};
use base::locality::LocalityMode;
use base::{Locality, NodeId};
use std::collections::BTreeMap;
use std::time::Duration;

/// A voter that was silent for this long is replaced, if a node without a replica is alive.
pub const REPLACE_AFTER: Duration = Duration::from_secs(600);
/// A better-placed node gets leadership back only after it has been alive for this long without a pause.
pub const SETTLE: Duration = Duration::from_secs(3);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replicas {
    pub voters: Vec<NodeId>,
    pub witnesses: Vec<NodeId>,
    pub learners: Vec<NodeId>,
}

impl Replicas {
    pub fn all(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.voters.iter().chain(&self.witnesses).chain(&self.learners).copied()
    }

    fn votes(&self, node: NodeId) -> bool {
        self.voters.contains(&node) || self.witnesses.contains(&node)
    }

    fn sorted(mut self) -> Replicas {
        self.voters.sort();
        self.witnesses.sort();
        self.learners.sort();
        self
    }
}

/// A node as the shard's leader sees it.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub record: NodeRecord,
    pub alive_for: Duration,
    /// `None` while it is alive.
    pub silent_for: Option<Duration>,
    /// Its replica has nearly all of the log: it could vote or lead without a pause.
    pub caught_up: bool,
}

impl Candidate {
    fn alive(&self) -> bool {
        self.silent_for.is_none()
    }

    fn usable(&self) -> bool {
        self.record.state != NodeState::Removed
    }
}

/// Zones in order of preference: listed ones, then others of listed cities, then the rest by their oldest node.
fn zone_order(registry: &Registry) -> Vec<Locality> {
    let mut zones = registry.zones.clone();
    let first_city = zones.first().map(|z| z.city.clone());
    let mut rest: Vec<&Locality> = registry.members().map(|n| &n.locality).collect();
    rest.sort_by_key(|l| Some(&l.city) != first_city.as_ref());
    for zone in rest {
        if !zones.contains(zone) {
            zones.push(zone.clone());
        }
    }
    zones
}

/// How well placed a node is to lead; less is better. Primary zone, then its city, then the rest.
pub fn rank(registry: &Registry, locality: &Locality) -> usize {
    let zones = zone_order(registry);
    let city = zones.first().map(|z| z.city.clone());
    match zones.iter().position(|z| z == locality) {
        Some(at) if at == 0 || city.as_ref() == Some(&locality.city) => at,
        Some(at) => at + zones.len(),
        None => 2 * zones.len(),
    }
}

/// What the best placed replica has; shards tell no more than this many steps apart.
pub const PRIORITY_BEST: i64 = 4;

/// Larger campaigns first: the best placed zone has `PRIORITY_BEST`, each further one less; 0 only if no other can. The shard's leader is
/// left out: there is an election only when it is gone, and then nobody should wait for it.
pub fn priority(registry: &Registry, node: NodeId, leader: Option<NodeId>) -> i64 {
    let active = |n: &&NodeRecord| n.state == NodeState::Active;
    let Some(record) = registry.nodes.get(&node).filter(active) else { return 0 };
    let others = registry.members().filter(active).filter(|n| n.node == node || Some(n.node) != leader);
    let mut ranks: Vec<usize> = others.map(|n| rank(registry, &n.locality)).collect();
    ranks.sort_unstable();
    ranks.dedup();
    let own = rank(registry, &record.locality);
    let better = ranks.iter().filter(|r| **r < own).count() as i64;
    (PRIORITY_BEST - better).max(0)
}

/// Voters wanted in all and per city at most, for the first pass of the choice.
fn quotas(mode: LocalityMode) -> (usize, usize) {
    match mode {
        LocalityMode::Single => (1, 1),
        LocalityMode::ThreeZones | LocalityMode::DualActive => (3, 3),
        LocalityMode::TwoCities => (3, 2),
        LocalityMode::ThreeCities => (5, 2),
    }
}

/// Where the voters should stand, given the nodes that can take part.
pub fn desired(registry: &Registry, candidates: &BTreeMap<NodeId, Candidate>, current: &Replicas) -> Replicas {
    if let Some(alone) = downgraded(registry, candidates, current) {
        return alone;
    }
    let (wanted, per_city) = quotas(registry.mode);
    let spare = candidates.values().any(|c| c.usable() && c.alive() && !current.votes(c.record.node));
    let lost = |c: &Candidate| spare && c.silent_for.is_some_and(|s| s >= REPLACE_AFTER);
    let mut nodes: Vec<&Candidate> =
        candidates.values().filter(|c| c.usable() && !lost(c) && (c.alive() || current.votes(c.record.node))).collect();
    let zones = zone_order(registry);
    let zone_at = |c: &Candidate| zones.iter().position(|z| *z == c.record.locality).unwrap_or(zones.len());
    nodes.sort_by_key(|c| (!current.votes(c.record.node), zone_at(c), c.record.node));
    let mut chosen: Vec<&Candidate> = Vec::new();
    for pass in 0..3 {
        for candidate in &nodes {
            let taken = |other: &&&Candidate| other.record.node == candidate.record.node;
            let zone_taken = chosen.iter().any(|c| c.record.locality == candidate.record.locality);
            let in_city = chosen.iter().filter(|c| c.record.locality.city == candidate.record.locality.city).count();
            let fits = match pass {
                0 => !zone_taken && in_city < per_city,
                1 => !zone_taken,
                _ => true,
            };
            if chosen.len() < wanted && fits && !chosen.iter().any(|c| taken(&c)) {
                chosen.push(candidate);
            }
        }
    }
    // An even number of voters survives no more than one less, and stops sooner. A removed voter is still given up.
    let odd = if chosen.len().is_multiple_of(2) { chosen.len().saturating_sub(1) } else { chosen.len() };
    let removing = current.voters.iter().chain(&current.witnesses).any(|n| !candidates.get(n).is_some_and(|c| c.usable()));
    let keep = if removing { chosen.len() } else { odd.max(current.voters.len().min(chosen.len())) };
    let rest: Vec<NodeId> = chosen.split_off(keep.min(chosen.len())).iter().map(|c| c.record.node).collect();
    let mut replicas = Replicas { learners: rest, ..Replicas::default() };
    let witness = match registry.mode {
        LocalityMode::DualActive if chosen.len() == 3 => Some(witness_of(&chosen, current)),
        _ => None,
    };
    for candidate in chosen {
        let node = candidate.record.node;
        if Some(node) == witness { replicas.witnesses.push(node) } else { replicas.voters.push(node) }
    }
    replicas.sorted()
}

/// A downgrade: the surviving zone's replica is the only voter, the other zone's follows without a vote. The witness has nothing to decide: it leaves, and comes
/// back with the other zone's vote.
fn downgraded(registry: &Registry, candidates: &BTreeMap<NodeId, Candidate>, current: &Replicas) -> Option<Replicas> {
    let zone = registry.downgraded.as_ref().filter(|_| registry.mode == LocalityMode::DualActive)?;
    let survives = |c: &&Candidate| {
        let node = c.record.node;
        c.usable() && c.record.locality == *zone && (c.alive() || current.voters.contains(&node)) && !current.witnesses.contains(&node)
    };
    let voter = candidates.values().filter(survives).min_by_key(|c| (!current.voters.contains(&c.record.node), c.record.node))?;
    let follows = |n: &NodeId| *n != voter.record.node && candidates.get(n).is_some_and(Candidate::usable);
    let learners = current.voters.iter().chain(&current.learners).copied().filter(follows).collect();
    Some(Replicas { voters: vec![voter.record.node], witnesses: Vec::new(), learners }.sorted())
}

/// True if the zone that was left out of a downgrade can take its part again: one of its replicas has caught up, and a node for the witness is there.
pub fn is_downgrade_over(registry: &Registry, candidates: &BTreeMap<NodeId, Candidate>, current: &Replicas) -> bool {
    let Some(zone) = registry.downgraded.as_ref() else { return false };
    let back = |c: &&Candidate| c.usable() && c.record.locality != *zone && c.alive() && c.alive_for >= SETTLE;
    let outside: Vec<&Candidate> = candidates.values().filter(back).collect();
    outside.len() >= 2 && outside.iter().any(|c| current.learners.contains(&c.record.node) && c.caught_up)
}

/// The one that is a witness already, else the least preferred.
fn witness_of(chosen: &[&Candidate], current: &Replicas) -> NodeId {
    let standing = chosen.iter().find(|c| current.witnesses.contains(&c.record.node));
    standing.or(chosen.last()).expect("three were chosen").record.node
}

/// The next membership on the way from `current` to `desired`: learners first, one at a time; they vote when they have caught up.
/// `None` when nothing is to be done, or when a learner is still catching up.
pub fn next_change(current: &Replicas, desired: &Replicas, caught_up: impl Fn(NodeId) -> bool) -> Option<Replicas> {
    let current = current.clone().sorted();
    if current == *desired {
        return None;
    }
    let here: Vec<NodeId> = current.all().collect();
    if let Some(new) = desired.all().find(|n| !here.contains(n)) {
        let mut next = current.clone();
        next.learners.push(new);
        return Some(next.sorted());
    }
    let voting = |r: &Replicas| r.voters.iter().chain(&r.witnesses).copied().collect::<Vec<_>>();
    let waiting = voting(desired).into_iter().any(|n| !current.votes(n) && !caught_up(n));
    if waiting {
        return None;
    }
    Some(desired.clone())
}

/// To whom leadership of a shard should go. `None`: it stays.
///
/// `shard`: spreads the shards over equally well placed nodes. `unfit`: nodes that said themselves that they should not lead.
pub fn transfer(
    registry: &Registry,
    candidates: &BTreeMap<NodeId, Candidate>,
    current: &Replicas,
    leader: NodeId,
    shard: u32,
    unfit: &dyn Fn(NodeId) -> bool,
) -> Option<NodeId> {
    let leaves = |n: NodeId| unfit(n) || candidates.get(&n).is_none_or(|c| c.record.state != NodeState::Active);
    let rank_of = |c: &Candidate| rank(registry, &c.record.locality);
    let must_go = leaves(leader) || !current.voters.contains(&leader);
    let mut able: Vec<&Candidate> = candidates
        .values()
        .filter(|c| {
            let node = c.record.node;
            current.voters.contains(&node) && node != leader && !leaves(node) && c.alive() && c.caught_up
        })
        .collect();
    let best = able.iter().map(|c| rank_of(c)).min()?;
    // Who is best placed will soon have settled: leadership moves once, not by way of the second best.
    able.retain(|c| must_go || c.alive_for >= SETTLE);
    if !must_go && candidates.get(&leader).is_some_and(|c| rank_of(c) <= best) {
        return None;
    }
    able.retain(|c| rank_of(c) == best);
    able.get(shard as usize % able.len().max(1)).map(|c| c.record.node)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(mode: LocalityMode, places: &[(&str, &str)]) -> (Registry, BTreeMap<NodeId, Candidate>) {
        let record = |i: usize| NodeRecord {
            node: NodeId(i as u32 + 1),
            address: format!("h{i}:1"),
            sql_address: format!("h{i}:2"),
            locality: Locality { city: places[i].0.into(), zone: places[i].1.into() },
            state: NodeState::Active,
        };
        let mut registry = Registry::new(mode, 2, record(0));
        for i in 1..places.len() {
            registry.add(&format!("h{i}:1"), &format!("h{i}:2"), record(i).locality).expect("room");
        }
        let candidates = registry
            .nodes
            .values()
            .map(|r| (r.node, Candidate { record: r.clone(), alive_for: Duration::from_secs(60), silent_for: None, caught_up: true }))
            .collect();
        (registry, candidates)
    }

    fn voters(ids: &[u32]) -> Replicas {
        Replicas { voters: ids.iter().map(|&n| NodeId(n)).collect(), ..Replicas::default() }
    }

    const FIVE: [(&str, &str); 5] = [("sh", "a"), ("sh", "b"), ("hz", "c"), ("hz", "d"), ("sz", "e")];

    #[test]
    fn each_mode_gets_its_voters() {
        for (mode, wanted) in [
            (LocalityMode::Single, voters(&[1])),
            (LocalityMode::TwoCities, voters(&[1, 2, 3])),
            (LocalityMode::ThreeCities, voters(&[1, 2, 3, 4, 5])),
        ] {
            let (registry, candidates) = world(mode, &FIVE);
            assert_eq!(desired(&registry, &candidates, &voters(&[1])), wanted, "{mode}");
        }
    }

    #[test]
    fn two_nodes_keep_one_voter() {
        let (registry, candidates) = world(LocalityMode::ThreeZones, &FIVE[..2]);
        let wanted = desired(&registry, &candidates, &voters(&[1]));
        assert_eq!(wanted.voters, vec![NodeId(1)]);
        assert_eq!(wanted.learners, vec![NodeId(2)]);
    }

    #[test]
    fn nodes_of_one_zone_are_better_than_none() {
        let (registry, candidates) = world(LocalityMode::ThreeZones, &[("x", "y"); 3]);
        assert_eq!(desired(&registry, &candidates, &voters(&[1])).voters.len(), 3);
    }

    #[test]
    fn dual_active_has_a_witness() {
        let (registry, candidates) = world(LocalityMode::DualActive, &[("x", "a"), ("x", "b"), ("x", "w")]);
        let wanted = desired(&registry, &candidates, &voters(&[1]));
        assert_eq!((wanted.voters.len(), wanted.witnesses), (2, vec![NodeId(3)]));
    }

    #[test]
    fn growth_goes_by_learners_and_ends() {
        let (registry, candidates) = world(LocalityMode::ThreeCities, &FIVE);
        let mut current = voters(&[1]);
        let mut steps = 0;
        while let Some(next) = next_change(&current, &desired(&registry, &candidates, &current), |_| true) {
            current = next;
            steps += 1;
            assert!(steps < 20, "never ends: {current:?}");
        }
        assert_eq!(current, voters(&[1, 2, 3, 4, 5]));
    }

    #[test]
    fn a_learner_that_lags_does_not_vote() {
        let current = Replicas { voters: vec![NodeId(1)], learners: vec![NodeId(2), NodeId(3)], ..Replicas::default() };
        assert_eq!(next_change(&current, &voters(&[1, 2, 3]), |n| n != NodeId(3)), None);
    }

    #[test]
    fn a_short_silence_changes_nothing_and_a_long_one_replaces() {
        let (registry, mut candidates) = world(LocalityMode::ThreeZones, &[("x", "a"), ("x", "b"), ("x", "c"), ("x", "d")]);
        let current = voters(&[1, 2, 3]);
        candidates.get_mut(&NodeId(3)).expect("there").silent_for = Some(Duration::from_secs(30));
        assert_eq!(desired(&registry, &candidates, &current), current);
        candidates.get_mut(&NodeId(3)).expect("there").silent_for = Some(REPLACE_AFTER);
        assert_eq!(desired(&registry, &candidates, &current), voters(&[1, 2, 4]));
    }

    #[test]
    fn a_removed_node_is_replaced_at_once() {
        let (mut registry, mut candidates) = world(LocalityMode::ThreeZones, &[("x", "a"), ("x", "b"), ("x", "c"), ("x", "d")]);
        registry.member_mut(NodeId(2)).expect("there").state = NodeState::Removed;
        candidates.get_mut(&NodeId(2)).expect("there").record.state = NodeState::Removed;
        assert_eq!(desired(&registry, &candidates, &voters(&[1, 2, 3])), voters(&[1, 3, 4]));
    }

    #[test]
    fn a_downgrade_leaves_one_voter_until_the_other_zone_has_caught_up() {
        let (mut registry, mut candidates) = world(LocalityMode::DualActive, &[("x", "a"), ("x", "b"), ("x", "c")]);
        let whole = Replicas { voters: vec![NodeId(1), NodeId(2)], witnesses: vec![NodeId(3)], learners: Vec::new() };
        assert_eq!(desired(&registry, &candidates, &voters(&[1])), whole);
        registry.downgraded = Some(registry.nodes[&NodeId(1)].locality.clone());
        candidates.get_mut(&NodeId(2)).expect("there").silent_for = Some(Duration::from_secs(9));
        let alone = Replicas { voters: vec![NodeId(1)], witnesses: Vec::new(), learners: vec![NodeId(2)] };
        assert_eq!(desired(&registry, &candidates, &whole), alone);
        assert_eq!(desired(&registry, &candidates, &alone), alone);
        assert!(!is_downgrade_over(&registry, &candidates, &alone));
        let peer = candidates.get_mut(&NodeId(2)).expect("there");
        (peer.silent_for, peer.caught_up) = (None, false);
        assert!(!is_downgrade_over(&registry, &candidates, &alone));
        candidates.get_mut(&NodeId(2)).expect("there").caught_up = true;
        assert!(is_downgrade_over(&registry, &candidates, &alone));
        registry.downgraded = None;
        assert_eq!(desired(&registry, &candidates, &alone), whole);
    }

    #[test]
    fn the_primary_zone_gets_leadership_back_only_when_settled_and_caught_up() {
        let (registry, mut candidates) = world(LocalityMode::ThreeCities, &FIVE);
        let current = voters(&[1, 2, 3, 4, 5]);
        let none = |_: NodeId| false;
        assert_eq!(transfer(&registry, &candidates, &current, NodeId(2), 0, &none), Some(NodeId(1)));
        assert_eq!(transfer(&registry, &candidates, &current, NodeId(1), 0, &none), None);
        candidates.get_mut(&NodeId(1)).expect("there").caught_up = false;
        assert_eq!(transfer(&registry, &candidates, &current, NodeId(2), 0, &none), None);
        candidates.get_mut(&NodeId(1)).expect("there").caught_up = true;
        candidates.get_mut(&NodeId(1)).expect("there").alive_for = Duration::from_secs(1);
        assert_eq!(transfer(&registry, &candidates, &current, NodeId(2), 0, &none), None);
    }

    #[test]
    fn priorities_follow_the_zones() {
        let (mut registry, _) = world(LocalityMode::ThreeCities, &FIVE);
        let priorities = |r: &Registry, leader| (1..=5).map(|n| priority(r, NodeId(n), leader)).collect::<Vec<_>>();
        assert_eq!(priorities(&registry, None), [4, 3, 2, 1, 0]);
        assert_eq!(priorities(&registry, Some(NodeId(1)))[1..], [4, 3, 2, 1], "nobody waits for the leader that is gone");
        assert_eq!(priorities(&registry, Some(NodeId(2)))[2..], [3, 2, 1]);
        registry.member_mut(NodeId(1)).expect("there").state = NodeState::Draining;
        assert_eq!(priorities(&registry, None), [0, 4, 3, 2, 1]);
    }

    #[test]
    fn leadership_comes_back_in_one_move() {
        let (registry, mut candidates) = world(LocalityMode::ThreeCities, &FIVE);
        let current = voters(&[1, 2, 3, 4, 5]);
        candidates.get_mut(&NodeId(1)).expect("there").alive_for = SETTLE - Duration::from_millis(100);
        assert_eq!(transfer(&registry, &candidates, &current, NodeId(3), 0, &|_| false), None, "the best will have settled soon");
        candidates.get_mut(&NodeId(1)).expect("there").alive_for = SETTLE;
        assert_eq!(transfer(&registry, &candidates, &current, NodeId(3), 0, &|_| false), Some(NodeId(1)));
    }

    #[test]
    fn a_draining_leader_hands_over_to_its_city_first() {
        let (registry, candidates) = world(LocalityMode::ThreeCities, &FIVE);
        let current = voters(&[1, 2, 3, 4, 5]);
        let draining = |n: NodeId| n == NodeId(1);
        assert_eq!(transfer(&registry, &candidates, &current, NodeId(1), 0, &draining), Some(NodeId(2)));
    }
}
