//! Changing who belongs to the shard, step by step until the wish is met.
//!
//! New members join as learners, get the rows, and become voters together in one joint change, in which others leave. A
//! leader that is to leave hands leadership over first.

use crate::consensus::CAUGHT_UP_ENTRIES;
use crate::members::{Change, MEMBERS_MAX};
use crate::shard::Shard;
use base::NodeId;
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    voters: BTreeSet<NodeId>,
    witnesses: BTreeSet<NodeId>,
    learners: BTreeSet<NodeId>,
}

impl Target {
    fn voting(&self) -> BTreeSet<NodeId> {
        self.voters.union(&self.witnesses).copied().collect()
    }
}

impl Shard {
    pub(crate) fn change_members(&mut self, voters: Vec<NodeId>, witnesses: Vec<NodeId>, learners: Vec<NodeId>) {
        let target = Target {
            voters: voters.into_iter().collect(),
            witnesses: witnesses.into_iter().collect(),
            learners: learners.into_iter().collect(),
        };
        let voting = target.voting();
        let count = voting.len() + target.learners.len();
        if self.serving && !target.voters.is_empty() && count <= MEMBERS_MAX && voting.is_disjoint(&target.learners) {
            self.target = Some(target);
            self.tick_membership();
        }
    }

    pub(crate) fn tick_membership(&mut self) {
        let Some(target) = self.target.clone() else { return };
        if !self.serving || self.handing.is_some() {
            return;
        }
        let members = self.consensus.members().clone();
        if !members.state.voters_outgoing.is_empty() {
            return;
        }
        let (now, voting) = (members.all(), target.voting());
        let wanted: BTreeSet<NodeId> = voting.union(&target.learners).copied().collect();
        let missing: Vec<NodeId> = wanted.difference(&now).copied().collect();
        if !missing.is_empty() {
            let witnesses = members.witnesses.union(&target.witnesses).copied().collect();
            let change = Change { add_voters: Vec::new(), add_learners: missing, remove: Vec::new(), witnesses };
            self.consensus.propose_change(&change);
            return;
        }
        let promoted: Vec<NodeId> = voting.iter().copied().filter(|node| !members.is_voter(*node)).collect();
        let last = self.consensus.last_index();
        let caught_up = |node: &NodeId| {
            self.consensus.progress(*node).is_some_and(|(matched, active)| active && matched > 0 && matched + CAUGHT_UP_ENTRIES >= last)
        };
        if !promoted.iter().all(caught_up) {
            return;
        }
        let change = Change {
            add_learners: target.learners.iter().copied().filter(|node| members.is_voter(*node)).collect(),
            remove: now.difference(&wanted).copied().collect(),
            add_voters: promoted,
            witnesses: target.witnesses.clone(),
        };
        if change.is_empty() {
            self.target = None;
            return;
        }
        if !target.voters.contains(&self.config.node) {
            let stays = |node: &&NodeId| members.is_voter(**node) && caught_up(node);
            match target.voters.iter().find(stays).copied() {
                Some(to) => self.hand_over(to),
                None => self.promote_first(&change),
            }
            return;
        }
        self.consensus.propose_change(&change);
    }

    /// Nobody who stays is a voter yet: the new ones become voters before this leader leaves.
    fn promote_first(&mut self, change: &Change) {
        let witnesses = self.consensus.members().witnesses.union(&change.witnesses).copied().collect();
        let change = Change { add_voters: change.add_voters.clone(), add_learners: Vec::new(), remove: Vec::new(), witnesses };
        if !change.is_empty() {
            self.consensus.propose_change(&change);
        }
    }
}
