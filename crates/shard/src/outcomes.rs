//! What became of recent transactions, so that a lost answer can be asked for again.
//!
//! Bounded: the oldest are forgotten first, and it is remembered how recent the forgotten ones were, so that "never heard of"
//! is never said of a transaction that may have been forgotten.

use crate::planted::{self, Bug};
use crate::wire::{Malformed, Read, Reader, Writer};
use base::{TxnId, Version};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use storage::access::Outcome;

/// Outcomes remembered of each of the two kinds: one-phase, and decided across shards.
pub const OUTCOMES_MAX: usize = 128 * 1024;

/// A settled outcome and the log entry that settled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// `None`: aborted.
    pub version: Option<Version>,
    pub index: u64,
}

impl Settled {
    pub fn outcome(&self) -> Outcome {
        self.version.map_or(Outcome::Aborted, Outcome::Committed)
    }
}

#[derive(Debug, Default)]
struct Ring {
    settled: FxHashMap<TxnId, Settled>,
    order: VecDeque<TxnId>,
    /// The largest start time among the forgotten.
    forgotten: u64,
}

impl Ring {
    fn insert(&mut self, txn: TxnId, settled: Settled) {
        if self.settled.insert(txn, settled).is_none() {
            self.order.push_back(txn);
        }
        while self.order.len() > OUTCOMES_MAX {
            let oldest = self.order.pop_front().expect("the queue is not empty");
            self.settled.remove(&oldest);
            self.forgotten = self.forgotten.max(oldest.started);
        }
    }

    fn remove(&mut self, txn: TxnId) {
        if self.settled.remove(&txn).is_some() {
            // Undone outcomes are among the newest.
            let at = self.order.iter().rposition(|other| *other == txn).expect("each settled transaction is in order");
            self.order.remove(at);
        }
    }

    fn write(&self, w: &mut Writer) {
        w.u64(self.forgotten);
        w.count(self.order.len());
        for txn in &self.order {
            let settled = self.settled[txn];
            w.txn(*txn);
            w.version(settled.version.unwrap_or(Version::ZERO));
            w.u64(settled.index);
        }
    }

    fn read(r: &mut Reader) -> Read<Ring> {
        let mut ring = Ring { forgotten: r.u64()?, ..Ring::default() };
        let count = r.count(40)?;
        if count > OUTCOMES_MAX {
            return Err(Malformed("more outcomes than are ever remembered"));
        }
        for _ in 0..count {
            let txn = r.txn()?;
            let version = Some(r.version()?).filter(|version| *version != Version::ZERO);
            ring.insert(txn, Settled { version, index: r.u64()? });
        }
        Ok(ring)
    }
}

#[derive(Debug, Default)]
pub struct Outcomes {
    local: Ring,
    decided: Ring,
}

impl Outcomes {
    pub fn get(&self, txn: TxnId) -> Option<Settled> {
        if planted::active(Bug::LoseOutcomes) || planted::active(Bug::DoubleApply) {
            return None;
        }
        self.local.settled.get(&txn).or_else(|| self.decided.settled.get(&txn)).copied()
    }

    /// True if the transaction may have had an outcome that was forgotten.
    pub fn may_be_forgotten(&self, txn: TxnId) -> bool {
        txn.started <= self.local.forgotten.max(self.decided.forgotten)
    }

    pub fn local(&mut self, txn: TxnId, settled: Settled) {
        self.local.insert(txn, settled);
    }

    pub fn decided(&mut self, txn: TxnId, settled: Settled) {
        self.decided.insert(txn, settled);
    }

    pub fn undo(&mut self, txn: TxnId) {
        self.local.remove(txn);
        self.decided.remove(txn);
    }

    pub fn len(&self) -> usize {
        self.local.order.len() + self.decided.order.len()
    }

    pub fn write(&self, w: &mut Writer) {
        self.local.write(w);
        self.decided.write(w);
    }

    pub fn read(r: &mut Reader) -> Read<Outcomes> {
        Ok(Outcomes { local: Ring::read(r)?, decided: Ring::read(r)? })
    }
}
