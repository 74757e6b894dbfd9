//! Planned transfer of leadership that fails no request: the locks of open transactions travel in the log.
//!
//! First the target must be nearly caught up, while requests are served as always. Then nothing more is admitted (requests are held
//! back), the locks are logged, and as soon as the target has everything and all answers are out, it is told to take over. What was held back
//! is sent on to it. Each step follows from the event that makes it possible; time only ends what does not come about.

use crate::consensus::CAUGHT_UP_ENTRIES;
use crate::entry::{LogEntry, Resource};
use crate::shard::{Shard, due};
use base::{Mono, NodeId, TxnId};
use std::time::Duration;
use storage::access::LockMode;

/// How long a target may take to catch up while requests are served.
const APPROACH: Duration = Duration::from_secs(2);
/// How long requests are turned away before the attempt is given up.
const STOP: Duration = Duration::from_millis(250);
/// Locks that one handover carries; with more open, leadership stays.
const LOCKS_MAX: usize = 256 * 1024;

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Approaching,
    Stopped,
    Sent,
}

pub(crate) struct Handing {
    to: NodeId,
    since: Mono,
    phase: Phase,
}

impl Handing {
    pub fn stopped(&self) -> bool {
        self.phase != Phase::Approaching
    }
}

impl Shard {
    pub(crate) fn hand_over(&mut self, to: NodeId) {
        let members = self.consensus.members();
        let able = members.is_voter(to) && !members.witnesses.contains(&to) && to != self.config.node;
        if self.serving && able && self.handing.is_none() && !self.heals(to) {
            self.handing = Some(Handing { to, since: self.now.mono, phase: Phase::Approaching });
        }
    }

    /// After each event.
    pub(crate) fn advance_handover(&mut self) {
        let Some(handing) = &self.handing else { return };
        if !self.serving || self.consensus.transferring() {
            return;
        }
        let (to, since) = (handing.to, handing.since);
        let last = self.consensus.last_index();
        let (matched, active) = self.consensus.progress(to).unwrap_or_default();
        match handing.phase {
            Phase::Approaching if active && matched + CAUGHT_UP_ENTRIES >= last => self.stop_and_log(to),
            Phase::Approaching if due(self.now.mono, since, APPROACH) => self.handing = None,
            Phase::Stopped if matched == last && self.consensus.committed() == last => {
                self.handing = Some(Handing { to, since, phase: Phase::Sent });
                self.consensus.transfer(self.now.mono, to);
            }
            Phase::Stopped if due(self.now.mono, since, STOP) => self.go_on_leading(),
            _ => {}
        }
    }

    fn stop_and_log(&mut self, to: NodeId) {
        let mut locks: Vec<(TxnId, Resource, LockMode)> = Vec::new();
        for txn in self.locks.transactions() {
            if !self.state.prepared.contains_key(&txn) {
                locks.extend(self.locks.locks_of(txn).into_iter().map(|(resource, mode)| (txn, resource, mode)));
            }
        }
        if locks.len() > LOCKS_MAX {
            self.handing = None;
            return;
        }
        self.hold_all_back();
        match self.propose_also_when_full(LogEntry::Handover { to, locks }) {
            Ok(_) => self.handing = Some(Handing { to, since: self.now.mono, phase: Phase::Stopped }),
            Err(_) => self.handing = None,
        }
    }

    /// The target did not catch up. The logged locks must not be taken over later, when they will have changed.
    fn go_on_leading(&mut self) {
        if self.propose_also_when_full(LogEntry::ClockBound { version: self.state.allowance.newest() }).is_ok() {
            self.handing = None;
        }
    }

    /// After this replica became leader with the entry at `first`: locks of prepared transactions, and those handed over just before.
    pub(crate) fn restore_locks(&mut self, first: u64) {
        for prepare in self.state.prepared.values() {
            for (resource, mode) in &prepare.locks {
                assert!(self.locks.acquire(prepare.txn, resource, *mode), "locks of prepared transactions are compatible");
            }
        }
        let Some(handover) = self.state.handover.take() else { return };
        // In any later term the locks may have been released, which leaves no trace in the log.
        if handover.to != self.config.node || handover.index + 1 != first {
            return;
        }
        for (txn, resource, mode) in &handover.locks {
            assert!(self.locks.acquire(*txn, resource, *mode), "locks that were held together are compatible");
        }
    }

    /// A leader without rows, or that was removed, serves nobody: it hands the log on to a replica that can, and then leadership.
    pub(crate) fn pass_on_if_unfit(&mut self) {
        let fit = self.rows && self.consensus.members().votes(self.config.node);
        if fit || !self.consensus.is_leader() || self.consensus.transferring() {
            return;
        }
        let last = self.consensus.last_index();
        let members = self.consensus.members().list();
        let caught_up = |node: &NodeId| self.consensus.progress(*node).is_some_and(|(matched, active)| active && matched == last);
        let to = members.voters.into_iter().find(|node| *node != self.config.node && caught_up(node));
        if let Some(to) = to
            && self.consensus.committed() == last
        {
            self.consensus.transfer(self.now.mono, to);
        }
    }
}
