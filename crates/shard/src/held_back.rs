//! Requests that came while leadership settles: they are kept until this replica serves, or somebody else leads.
//!
//! A leader does not serve before the first entry of its term is committed and its lease is there, nor while it hands over. Either
//! ends by itself: it serves, or it loses its place, which consensus sees to within an election timeout. Who asks in between would
//! only be told to ask again, and guess when. So its request waits here instead, and is taken up or redirected by the event itself.

use crate::requests::Pending;
use crate::shard::Shard;
use base::TxnId;
use std::collections::VecDeque;
use storage::access::Refusal;

/// Requests that one shard keeps while leadership settles; more are refused as busy.
const HELD_BACK_MAX: usize = 16 * 1024;

#[derive(Default)]
pub(crate) struct HeldBack {
    queue: VecDeque<Pending>,
}

impl HeldBack {
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn take(&mut self) -> VecDeque<Pending> {
        std::mem::take(&mut self.queue)
    }

    /// Those in which this transaction would wait for locks.
    pub fn take_waits_of(&mut self, txn: TxnId) -> Vec<Pending> {
        let (taken, left): (Vec<_>, Vec<_>) = self.take().into_iter().partition(|pending| pending.would_wait(txn));
        self.queue = left.into();
        taken
    }
}

impl Shard {
    /// True if this replica will soon serve, or hear who does.
    fn settles(&self) -> bool {
        self.consensus.is_leader() && self.rows && self.consensus.members().votes(self.config.node)
    }

    pub(crate) fn hold_back(&mut self, pending: Pending) {
        if self.settles() && self.requests.held_back.len() < HELD_BACK_MAX {
            self.requests.held_back.queue.push_back(pending);
            return;
        }
        let refusal = match self.consensus.leader() {
            Some(leader) if leader == self.config.node => Refusal::Busy,
            leader => Refusal::NotLeader(leader),
        };
        self.refuse(pending.from, pending.id, refusal);
    }

    /// After each event: what was kept goes on, or elsewhere.
    pub(crate) fn release_held_back(&mut self) {
        if self.requests.held_back.len() == 0 {
            return;
        }
        if self.serves() {
            for pending in self.requests.held_back.take() {
                self.run(pending);
            }
        } else if !self.settles() {
            for pending in self.requests.held_back.take() {
                self.hold_back(pending);
            }
        }
    }
}
