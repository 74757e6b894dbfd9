//! Forgetting what was committed over several shards: only once every participant is known to have logged it.
//!
//! Whoever took the decision round says so when all have acknowledged; the leader logs that for many transactions at once. If nobody says so (the gateway
//! died, the message was lost), the leader has the participants asked, as it does for a transaction without a decision.

use crate::entry::LogEntry;
use crate::event::ShardEffect;
use crate::shard::{Shard, due};
use base::{Mono, TxnId};
use std::collections::BTreeSet;
use std::time::Duration;

/// Between two entries that say what is settled.
const LOG_EVERY: Duration = Duration::from_millis(500);
/// Most transactions of one such entry; as many wait for it, the rest is asked for later.
const LOG_TXNS_MAX: usize = 4096;
/// After what time the participants of a committed transaction are asked, and asked again.
const ASK_AFTER: Duration = Duration::from_secs(10);
/// Most transactions that are asked for in one round.
const ASK_TXNS_MAX: usize = 64;

#[derive(Default)]
pub(crate) struct Settling {
    /// Acknowledged by all, to be logged.
    settled: BTreeSet<TxnId>,
    logged_at: Mono,
    asked_at: Mono,
    /// Pinned at the last round: what still is at the next has waited for long.
    seen: BTreeSet<TxnId>,
}

impl Shard {
    pub(crate) fn settled_everywhere(&mut self, txn: TxnId) {
        let known = self.serves() && self.state.outcomes.pinned().contains_key(&txn);
        let settled = &mut self.requests.settling.settled;
        if known && settled.len() < LOG_TXNS_MAX {
            settled.insert(txn);
        }
    }

    pub(crate) fn tick_settling(&mut self) {
        if !self.serves() {
            if !self.serving {
                self.requests.settling = Settling { asked_at: self.now.mono, ..Settling::default() };
            }
            return;
        }
        let now = self.now.mono;
        if due(now, self.requests.settling.logged_at, LOG_EVERY) {
            self.requests.settling.logged_at = now;
            self.log_settled();
        }
        if due(now, self.requests.settling.asked_at, ASK_AFTER) {
            self.requests.settling.asked_at = now;
            self.ask_participants();
        }
    }

    fn log_settled(&mut self) {
        let settled = std::mem::take(&mut self.requests.settling.settled);
        let txns: Vec<TxnId> = settled.iter().copied().filter(|txn| self.state.outcomes.pinned().contains_key(txn)).collect();
        if !txns.is_empty() && self.propose(LogEntry::Settled { txns }).is_err() {
            self.requests.settling.settled = settled;
        }
    }

    fn ask_participants(&mut self) {
        let pinned = self.state.outcomes.pinned();
        let old = pinned.iter().filter(|(txn, _)| self.requests.settling.seen.contains(txn));
        let asked: Vec<_> = old.take(ASK_TXNS_MAX).map(|(txn, pinned)| (*txn, pinned.participants.clone())).collect();
        self.requests.settling.seen = pinned.keys().copied().collect();
        for (txn, participants) in asked {
            self.effects.push(ShardEffect::Undecided { txn, participants });
        }
    }
}
