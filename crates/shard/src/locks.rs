//! Locks of open transactions on rows and tables: four modes, fair queues, upgrades, and the search for deadlocks.
//!
//! In memory of the leader only. A waiter is a request that was put aside; when it gets its lock its id is handed out by
//! [`Locks::take_granted`]. Nothing here knows of requests, time or the log.

use crate::entry::Resource;
use crate::planted::{self, Bug};
use base::{StorageId, TxnId};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, VecDeque};
use storage::access::{Key, LockMode};

pub type WaiterId = u64;

/// Requests that may wait for one row or table.
pub const QUEUE_MAX: usize = 4096;
/// Requests that may wait for locks in one shard.
pub const WAITERS_MAX: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holder {
    txn: TxnId,
    mode: LockMode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiter {
    id: WaiterId,
    txn: TxnId,
    mode: LockMode,
}

#[derive(Debug, Default)]
struct Lock {
    holders: SmallVec<[Holder; 1]>,
    queue: VecDeque<Waiter>,
}

impl Lock {
    fn held_by(&self, txn: TxnId) -> Option<LockMode> {
        self.holders.iter().find(|holder| holder.txn == txn).map(|holder| holder.mode)
    }

    fn compatible(&self, txn: TxnId, mode: LockMode) -> bool {
        planted::active(Bug::ForgetLock) || self.holders.iter().all(|holder| holder.txn == txn || !holder.mode.conflicts(mode))
    }

    fn hold(&mut self, txn: TxnId, mode: LockMode) -> bool {
        match self.holders.iter_mut().find(|holder| holder.txn == txn) {
            Some(holder) => {
                holder.mode = holder.mode.max(mode);
                false
            }
            None => {
                self.holders.push(Holder { txn, mode });
                true
            }
        }
    }
}

/// What can be locked, to look for it.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    Table(StorageId),
    Row(&'a [u8]),
}

impl<'a> From<&'a Resource> for Target<'a> {
    fn from(resource: &'a Resource) -> Target<'a> {
        match resource {
            Resource::Table(storage) => Target::Table(*storage),
            Resource::Row(key) => Target::Row(key),
        }
    }
}

/// Ends a transaction's hold of a lock. Answers what is locked if somebody waits for it; a lock that nobody has or waits for is gone.
fn give_up<K: Clone>(entry: Entry<'_, K, Lock>, txn: TxnId) -> Option<K> {
    let Entry::Occupied(mut entry) = entry else { return None };
    let lock = entry.get_mut();
    lock.holders.retain(|holder| holder.txn != txn);
    if !lock.queue.is_empty() {
        return Some(entry.key().clone());
    }
    if lock.holders.is_empty() {
        entry.remove();
    }
    None
}

#[derive(Debug, Default)]
pub struct Locks {
    rows: FxHashMap<Key, Lock>,
    tables: FxHashMap<StorageId, Lock>,
    owned: FxHashMap<TxnId, Vec<Resource>>,
    waiting: FxHashMap<WaiterId, (Resource, TxnId)>,
    waits_of: FxHashMap<TxnId, SmallVec<[WaiterId; 1]>>,
    granted: Vec<WaiterId>,
}

impl Locks {
    /// True if the transaction has locks here.
    pub fn knows(&self, txn: TxnId) -> bool {
        self.owned.contains_key(&txn)
    }

    fn find<'a>(&self, target: impl Into<Target<'a>>) -> Option<&Lock> {
        match target.into() {
            Target::Table(storage) => self.tables.get(&storage),
            Target::Row(key) => self.rows.get(key),
        }
    }

    fn find_mut(&mut self, resource: &Resource) -> Option<&mut Lock> {
        match resource {
            Resource::Table(storage) => self.tables.get_mut(storage),
            Resource::Row(key) => self.rows.get_mut(key),
        }
    }

    pub fn held<'a>(&self, txn: TxnId, target: impl Into<Target<'a>>) -> Option<LockMode> {
        self.find(target)?.held_by(txn)
    }

    /// Takes a lock if nobody must be waited for: neither a holder nor, unless this is an upgrade, anyone who came before.
    pub fn acquire(&mut self, txn: TxnId, resource: &Resource, mode: LockMode) -> bool {
        if let Some(lock) = self.find_mut(resource) {
            let held = lock.held_by(txn);
            if held.is_some_and(|held| held >= mode) {
                return true;
            }
            let overtakes = held.is_none() && lock.queue.iter().any(|w| w.txn != txn && w.mode.conflicts(mode));
            if overtakes || !lock.compatible(txn, mode) {
                return false;
            }
            if !lock.hold(txn, mode) {
                return true;
            }
        } else {
            let lock = Lock { holders: SmallVec::from_buf([Holder { txn, mode }]), queue: VecDeque::new() };
            match resource {
                Resource::Table(storage) => self.tables.insert(*storage, lock),
                Resource::Row(key) => self.rows.insert(key.clone(), lock),
            };
        }
        self.owned.entry(txn).or_default().push(resource.clone());
        true
    }

    /// True if another transaction holds a lock in conflict.
    pub fn conflicts<'a>(&self, txn: TxnId, target: impl Into<Target<'a>>, mode: LockMode) -> bool {
        self.find(target).is_some_and(|lock| !lock.compatible(txn, mode))
    }

    /// True if the transaction cannot wait because too many do.
    pub fn is_full(&self, resource: &Resource) -> bool {
        self.waiting.len() >= WAITERS_MAX || self.find(resource).is_some_and(|lock| lock.queue.len() >= QUEUE_MAX)
    }

    /// Waits after [`Locks::acquire`] refused. An upgrade goes before those who hold nothing.
    pub fn wait(&mut self, id: WaiterId, txn: TxnId, resource: &Resource, mode: LockMode) {
        let lock = self.find_mut(resource).expect("what is waited for is locked or waited for by others");
        let waiter = Waiter { id, txn, mode };
        if lock.held_by(txn).is_some() {
            let upgrades = lock.queue.iter().take_while(|w| lock.holders.iter().any(|h| h.txn == w.txn)).count();
            lock.queue.insert(upgrades, waiter);
        } else {
            lock.queue.push_back(waiter);
        }
        self.waits_of.entry(txn).or_default().push(id);
        self.waiting.insert(id, (resource.clone(), txn));
    }

    /// Ends a wait. Answers false if the waiter was not waiting.
    pub fn cancel(&mut self, id: WaiterId) -> bool {
        let Some((resource, _)) = self.forget_waiter(id) else { return false };
        let lock = self.find_mut(&resource).expect("a waiter's lock is there");
        lock.queue.retain(|waiter| waiter.id != id);
        self.promote(&resource);
        true
    }

    fn forget_waiter(&mut self, id: WaiterId) -> Option<(Resource, TxnId)> {
        let (resource, txn) = self.waiting.remove(&id)?;
        let waits = self.waits_of.get_mut(&txn).expect("each waiter is listed with its transaction");
        waits.retain(|other| *other != id);
        if waits.is_empty() {
            self.waits_of.remove(&txn);
        }
        Some((resource, txn))
    }

    pub fn waits_of(&self, txn: TxnId) -> Vec<WaiterId> {
        self.waits_of.get(&txn).map_or_else(Vec::new, |waits| waits.to_vec())
    }

    /// Gives up all locks of a transaction; those who waited for them may go on.
    pub fn release(&mut self, txn: TxnId) {
        for resource in self.owned.remove(&txn).unwrap_or_default() {
            let next = match resource {
                Resource::Row(key) => give_up(self.rows.entry(key), txn).map(Resource::Row),
                Resource::Table(storage) => give_up(self.tables.entry(storage), txn).map(Resource::Table),
            };
            if let Some(resource) = next {
                self.promote(&resource);
            }
        }
    }

    /// Grants what can be granted, in the queue's order, up to the first that must wait on.
    fn promote(&mut self, resource: &Resource) {
        while let Some(lock) = self.find_mut(resource) {
            let Some(front) = lock.queue.front().copied() else {
                if lock.holders.is_empty() {
                    match resource {
                        Resource::Table(storage) => self.tables.remove(storage),
                        Resource::Row(key) => self.rows.remove(key),
                    };
                }
                return;
            };
            if !lock.compatible(front.txn, front.mode) {
                return;
            }
            lock.queue.pop_front();
            if lock.hold(front.txn, front.mode) {
                self.owned.entry(front.txn).or_default().push(resource.clone());
            }
            self.forget_waiter(front.id);
            self.granted.push(front.id);
        }
    }

    /// Waiters that got their locks since this was last asked.
    pub fn take_granted(&mut self) -> Vec<WaiterId> {
        std::mem::take(&mut self.granted)
    }

    /// Transactions that a waiter cannot go on without.
    pub fn blockers(&self, id: WaiterId) -> Vec<TxnId> {
        let Some((resource, txn)) = self.waiting.get(&id) else { return Vec::new() };
        let lock = self.find(resource).expect("a waiter's lock is there");
        let at = lock.queue.iter().position(|waiter| waiter.id == id).expect("a waiter stands in its lock's queue");
        let mode = lock.queue[at].mode;
        let holders = lock.holders.iter().filter(|h| h.txn != *txn && h.mode.conflicts(mode)).map(|h| h.txn);
        let before = lock.queue.iter().take(at).filter(|w| w.txn != *txn && w.mode.conflicts(mode)).map(|w| w.txn);
        holders.chain(before).collect()
    }

    /// The transactions of a cycle of waits through this one, if there is one.
    pub fn deadlock(&self, txn: TxnId) -> Option<Vec<TxnId>> {
        let mut seen = BTreeSet::from([txn]);
        let mut path: Vec<(TxnId, Vec<TxnId>)> = vec![(txn, self.blockers_of(txn))];
        while let Some((_, next)) = path.last_mut() {
            match next.pop() {
                Some(blocker) if blocker == txn => return Some(path.iter().map(|(txn, _)| *txn).collect()),
                Some(blocker) if seen.insert(blocker) => path.push((blocker, self.blockers_of(blocker))),
                Some(_) => {}
                None => {
                    path.pop();
                }
            }
        }
        None
    }

    fn blockers_of(&self, txn: TxnId) -> Vec<TxnId> {
        let waits = self.waits_of.get(&txn).map_or(&[][..], |waits| waits);
        waits.iter().flat_map(|id| self.blockers(*id)).collect()
    }

    /// All locks of a transaction.
    pub fn locks_of(&self, txn: TxnId) -> Vec<(Resource, LockMode)> {
        let owned = self.owned.get(&txn).map_or(&[][..], |owned| owned);
        owned.iter().map(|resource| (resource.clone(), self.held(txn, resource).expect("what is owned is held"))).collect()
    }

    /// All transactions with locks, in order.
    pub fn transactions(&self) -> BTreeSet<TxnId> {
        self.owned.keys().copied().collect()
    }

    pub fn clear(&mut self) {
        *self = Locks::default();
    }

    pub fn len(&self) -> usize {
        self.rows.len() + self.tables.len()
    }

    #[cfg(test)]
    pub fn waiters(&self) -> usize {
        self.waiting.len()
    }

    /// Checks all locks: looks at everything.
    #[cfg(test)]
    pub fn assert_compatible(&self) {
        let rows = self.rows.iter().map(|(key, lock)| (format!("{key:?}"), lock));
        let tables = self.tables.iter().map(|(storage, lock)| (format!("{storage:?}"), lock));
        for (resource, lock) in rows.chain(tables) {
            for (i, a) in lock.holders.iter().enumerate() {
                for b in &lock.holders[i + 1..] {
                    assert!(!a.mode.conflicts(b.mode), "{resource} is held by {a:?} and {b:?}");
                }
            }
            assert!(!lock.holders.is_empty() || lock.queue.is_empty(), "somebody waits for {resource} that nobody holds");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{NodeId, Prng, StorageId};
    use storage::access::Key;

    fn txn(n: u64) -> TxnId {
        TxnId { started: n, node: NodeId(1), boot: 1, sequence: n }
    }

    fn row(n: u64) -> Resource {
        Resource::Row(Key::from(n.to_be_bytes().to_vec()))
    }

    #[test]
    fn waiters_are_served_in_the_order_in_which_they_came() {
        let mut locks = Locks::default();
        assert!(locks.acquire(txn(1), &row(1), LockMode::Update));
        for n in 2..=4 {
            assert!(!locks.acquire(txn(n), &row(1), LockMode::Update));
            locks.wait(n, txn(n), &row(1), LockMode::Update);
        }
        locks.release(txn(1));
        assert_eq!(locks.take_granted(), [2]);
        locks.release(txn(2));
        assert_eq!(locks.take_granted(), [3]);
        assert!(locks.cancel(4));
        locks.release(txn(3));
        assert_eq!((locks.take_granted().len(), locks.len()), (0, 0));
    }

    #[test]
    fn a_reader_does_not_overtake_a_waiting_writer() {
        let mut locks = Locks::default();
        assert!(locks.acquire(txn(1), &row(1), LockMode::Share));
        assert!(!locks.acquire(txn(2), &row(1), LockMode::Update));
        locks.wait(2, txn(2), &row(1), LockMode::Update);
        assert!(!locks.acquire(txn(3), &row(1), LockMode::Share));
        assert!(locks.acquire(txn(1), &row(1), LockMode::Share));
    }

    #[test]
    fn an_upgrade_waits_only_for_the_other_holders() {
        let mut locks = Locks::default();
        assert!(locks.acquire(txn(1), &row(1), LockMode::Share));
        assert!(locks.acquire(txn(2), &row(1), LockMode::Share));
        locks.wait(3, txn(3), &row(1), LockMode::Update);
        assert!(!locks.acquire(txn(1), &row(1), LockMode::Update));
        locks.wait(1, txn(1), &row(1), LockMode::Update);
        locks.release(txn(2));
        assert_eq!(locks.take_granted(), [1]);
        assert_eq!(locks.held(txn(1), &row(1)), Some(LockMode::Update));
    }

    #[test]
    fn two_upgrades_of_one_lock_are_a_deadlock() {
        let mut locks = Locks::default();
        let table = Resource::Table(StorageId(1));
        for n in [1, 2] {
            assert!(locks.acquire(txn(n), &table, LockMode::Share));
        }
        for n in [1, 2] {
            assert!(!locks.acquire(txn(n), &table, LockMode::Update));
            locks.wait(n, txn(n), &table, LockMode::Update);
        }
        let mut cycle = locks.deadlock(txn(2)).unwrap();
        cycle.sort();
        assert_eq!(cycle, [txn(1), txn(2)]);
    }

    #[test]
    fn random_use_keeps_holders_compatible_and_loses_no_waiter() {
        let mut prng = Prng::new(11);
        for _ in 0..50 {
            let mut locks = Locks::default();
            let mut next = 0;
            for _ in 0..400 {
                let (who, what) = (txn(prng.below(8)), row(prng.below(5)));
                let mode = *prng.pick(&[LockMode::KeyShare, LockMode::Share, LockMode::NoKeyUpdate, LockMode::Update]);
                match prng.below(4) {
                    0 => {
                        for id in locks.waits_of(who) {
                            assert!(locks.cancel(id));
                        }
                        locks.release(who);
                    }
                    _ if locks.waits_of(who).is_empty() && !locks.acquire(who, &what, mode) => {
                        next += 1;
                        locks.wait(next, who, &what, mode);
                        if locks.deadlock(who).is_some() {
                            assert!(locks.cancel(next));
                        }
                    }
                    _ => {}
                }
                locks.assert_compatible();
            }
            for n in 0..8 {
                for id in locks.waits_of(txn(n)) {
                    locks.cancel(id);
                }
                locks.release(txn(n));
            }
            assert_eq!((locks.len(), locks.waiters()), (0, 0));
        }
    }
}
