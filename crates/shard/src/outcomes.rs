//! What became of recent transactions, so that a lost answer can be asked for again.
//!
//! Bounded: the oldest are forgotten first, and it is remembered how recent the forgotten ones were, so that "never heard of"
//! is never said of a transaction that may have been forgotten.
//!
//! A transaction that was committed over several shards is *pinned* until every participant is known to have logged that: none can be
//! left in doubt because another has forgotten.

use crate::planted::{self, Bug};
use crate::wire::{Malformed, Read, Reader, Writer};
use base::{ShardId, TxnId, Version};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};
use storage::access::Outcome;

/// Outcomes remembered of each of the two kinds: one-phase, and decided across shards.
pub const OUTCOMES_MAX: usize = 128 * 1024;
/// Transactions that are prepared or pinned in one shard; beyond, prepares are refused.
pub const UNSETTLED_MAX: usize = 128 * 1024;

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

/// A committed outcome that a participant may still ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    pub settled: Settled,
    pub participants: Vec<ShardId>,
}

#[derive(Debug)]
struct Ring {
    max: usize,
    settled: FxHashMap<TxnId, Settled>,
    order: VecDeque<TxnId>,
    /// The largest start time among the forgotten.
    forgotten: u64,
}

impl Ring {
    fn new(max: usize) -> Ring {
        Ring { max, settled: FxHashMap::default(), order: VecDeque::new(), forgotten: 0 }
    }

    fn insert(&mut self, txn: TxnId, settled: Settled) {
        if self.settled.insert(txn, settled).is_none() {
            self.order.push_back(txn);
        }
        while self.order.len() > self.max {
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

    fn read(r: &mut Reader, max: usize) -> Read<Ring> {
        let mut ring = Ring { forgotten: r.u64()?, ..Ring::new(max) };
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

#[derive(Debug)]
pub struct Outcomes {
    local: Ring,
    decided: Ring,
    pinned: BTreeMap<TxnId, Pinned>,
}

impl Outcomes {
    /// `max`: how many are remembered of each kind.
    pub fn new(max: usize) -> Outcomes {
        Outcomes { local: Ring::new(max), decided: Ring::new(max), pinned: BTreeMap::new() }
    }

    pub fn pinned(&self) -> &BTreeMap<TxnId, Pinned> {
        &self.pinned
    }

    pub fn pin(&mut self, txn: TxnId, pinned: Pinned) {
        self.pinned.insert(txn, pinned);
    }

    /// Nobody will ask for it as a participant any more. Answers what was pinned.
    pub fn unpin(&mut self, txn: TxnId) -> Option<Pinned> {
        let pinned = self.pinned.remove(&txn)?;
        self.decided.insert(txn, pinned.settled);
        Some(pinned)
    }

    /// Takes back `unpin`.
    pub fn pin_again(&mut self, txn: TxnId, pinned: Pinned) {
        self.decided.remove(txn);
        self.pinned.insert(txn, pinned);
    }

    pub fn get(&self, txn: TxnId) -> Option<Settled> {
        if planted::active(Bug::LoseOutcomes) || planted::active(Bug::DoubleApply) {
            return None;
        }
        let pinned = || self.pinned.get(&txn).map(|pinned| &pinned.settled);
        self.local.settled.get(&txn).or_else(|| self.decided.settled.get(&txn)).or_else(pinned).copied()
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
        self.pinned.remove(&txn);
    }

    pub fn len(&self) -> usize {
        self.local.order.len() + self.decided.order.len() + self.pinned.len()
    }

    pub fn write(&self, w: &mut Writer) {
        self.local.write(w);
        self.decided.write(w);
        w.count(self.pinned.len());
        for (txn, pinned) in &self.pinned {
            w.txn(*txn);
            w.version(pinned.settled.version.unwrap_or(Version::ZERO));
            w.u64(pinned.settled.index);
            w.count(pinned.participants.len());
            for shard in &pinned.participants {
                w.u32(shard.0);
            }
        }
    }

    pub fn read(r: &mut Reader, max: usize) -> Read<Outcomes> {
        let mut outcomes = Outcomes { local: Ring::read(r, max)?, decided: Ring::read(r, max)?, pinned: BTreeMap::new() };
        for _ in 0..r.count(44)? {
            let txn = r.txn()?;
            let version = Some(r.version()?).filter(|version| *version != Version::ZERO);
            let settled = Settled { version, index: r.u64()? };
            let participants = (0..r.count(4)?).map(|_| r.u32().map(ShardId)).collect::<Read<Vec<_>>>()?;
            outcomes.pinned.insert(txn, Pinned { settled, participants });
        }
        Ok(outcomes)
    }
}
