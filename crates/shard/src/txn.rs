//! Ends of transactions: commit in one phase, prepare and decide in two, outcome, rollback, staged parts.

use crate::entry::{Change, LogEntry, Prepare, Resource};
use crate::locks::Target;
use crate::outcomes::UNSETTLED_MAX;
use crate::planted::{self, Bug};
use crate::read::after;
use crate::requests::{Answer, locks_lost, locks_lost_error};
use crate::shard::Shard;
use base::{Error, NodeId, ShardId, SqlState, StorageId, TxnId, Version};
use bytes::Bytes;
use storage::access::{
    BASE_GUARDED, COMMIT_BYTES_MAX, Context, Isolation, KEY_BYTES_MAX, KeyRange, LockMode, Outcome, ROW_BYTES_MAX, ReadSet, Refusal,
    Response, Write, storage_of,
};
use storage::packed::{ChangeRef, Packed};

/// Fewer new rows are looked up one by one.
pub(crate) const SCANNED_RUN_MIN: usize = 32;

fn error(state: SqlState, message: &str) -> Refusal {
    Refusal::Error(Error::new(state, message))
}

fn serialization(message: &str) -> Refusal {
    error(SqlState::SERIALIZATION_FAILURE, message)
}

fn aborted() -> Refusal {
    serialization("could not serialize access: the transaction was aborted while its outcome was unknown")
}

fn check_sizes(writes: &[Write]) -> Result<(), Refusal> {
    check_change_sizes(writes.iter().map(|write| (&write.key[..], write.row.as_deref())))
}

fn check_change_sizes<'a>(changes: impl Iterator<Item = ChangeRef<'a>>) -> Result<(), Refusal> {
    let mut bytes = 0;
    for (key, row) in changes {
        let row = row.map_or(0, <[u8]>::len);
        if key.len() > KEY_BYTES_MAX || row > ROW_BYTES_MAX {
            return Err(error(SqlState::PROGRAM_LIMIT_EXCEEDED, "a key or row is too large"));
        }
        bytes += key.len() + row;
    }
    // One row may exceed the bound by itself.
    if bytes > COMMIT_BYTES_MAX + ROW_BYTES_MAX + KEY_BYTES_MAX {
        return Err(error(SqlState::PROGRAM_LIMIT_EXCEEDED, "the changes of one commit entry are too large"));
    }
    Ok(())
}

/// How many writes from the first on make new rows of one table, each after the one before it; at least one.
pub(crate) fn new_run(first: &Write, writes: &[Write]) -> usize {
    let goes_on = |pair: &[Write]| {
        let [before, next] = pair else { return false };
        next.base == Version::ZERO && storage_of(&next.key) == storage_of(&first.key) && before.key < next.key
    };
    if first.base == Version::ZERO { 1 + writes.windows(2).take_while(|pair| goes_on(pair)).count() } else { 1 }
}

fn changes(writes: &[Write]) -> Vec<Change> {
    writes.iter().map(Change::of).collect()
}

impl Shard {
    pub(crate) fn commit(&mut self, context: &Context, writes: &[Write], reads: &ReadSet, parts: u32) -> Answer {
        let txn = context.txn;
        if let Some(settled) = self.state.outcomes.get(txn) {
            let version = settled.version.ok_or_else(aborted)?;
            return Ok((Response::Committed { version }, settled.index));
        }
        if self.state.prepared.contains_key(&txn) {
            return Err(Refusal::Error(Error::internal("a prepared transaction is decided, not committed")));
        }
        self.check_seen(context.seen)?;
        if writes.is_empty() && parts == 0 {
            if !self.locks.knows(txn) {
                self.validate_without_locks(txn, writes, reads)?;
            }
            self.locks.release(txn);
            let (version, index) = self.admit(context.snapshot)?;
            let seen = context.seen.map_or(0, |seen| seen.index);
            return Ok((Response::Committed { version }, index.max(seen)));
        }
        self.validate(context, writes, reads, parts)?;
        let version = self.clock.tick(self.now.wall);
        let index = self.propose(LogEntry::Commit { txn, version, parts, changes: changes(writes) })?;
        self.locks.release(txn);
        Ok((Response::Committed { version }, index))
    }

    pub(crate) fn prepare(&mut self, context: &Context, writes: &[Write], reads: &ReadSet, parts: u32, participants: &[ShardId]) -> Answer {
        let txn = context.txn;
        if let Some(settled) = self.state.outcomes.get(txn) {
            let version = settled.version.ok_or_else(aborted)?;
            return Ok((Response::Prepared { version }, settled.index));
        }
        if self.state.prepared.len() + self.state.outcomes.pinned().len() >= UNSETTLED_MAX {
            let message = "too many transactions over several shards wait for another shard";
            return Err(error(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message));
        }
        if let Some(prepare) = self.state.prepared.get(&txn) {
            // Where its entry stands is not kept: everything logged so far is enough.
            return Ok((Response::Prepared { version: prepare.version }, self.consensus.last_index()));
        }
        self.check_seen(context.seen)?;
        self.validate(context, writes, reads, parts)?;
        // What something else guards, that guards until the decision.
        let mut last = None;
        for write in writes.iter().filter(|write| write.base != BASE_GUARDED) {
            let storage = storage_of(&write.key);
            let row = Resource::Row(write.key.clone());
            let table_held = last == Some(storage) || self.locks.acquire(txn, &Resource::Table(storage), LockMode::KeyShare);
            last = Some(storage);
            if !table_held || !self.locks.acquire(txn, &row, LockMode::NoKeyUpdate) {
                return Err(locks_lost());
            }
        }
        self.lock_again(txn, reads)?;
        let version = self.clock.tick(self.now.wall);
        let reads = match context.isolation {
            Isolation::Serializable => ReadSet { keys: reads.keys.clone(), ranges: reads.ranges.clone(), ..ReadSet::default() },
            _ => ReadSet::default(),
        };
        let prepare = Prepare {
            txn,
            version,
            parts,
            changes: changes(writes),
            participants: participants.to_vec(),
            reads,
            locks: self.locks.locks_of(txn),
        };
        let index = self.propose(LogEntry::Prepare(Box::new(prepare)))?;
        Ok((Response::Prepared { version }, index))
    }

    pub(crate) fn decide(&mut self, txn: TxnId, version: Option<Version>) -> Answer {
        if let Some(settled) = self.state.outcomes.get(txn) {
            if settled.version != version {
                return Err(Refusal::Error(Error::internal(format!(
                    "{txn} is decided as {:?} and cannot become {version:?}",
                    settled.version
                ))));
            }
            return Ok((Response::Done, settled.index));
        }
        let entry = match (self.state.prepared.get(&txn), version) {
            (Some(prepare), Some(version)) if version < prepare.version => {
                return Err(Refusal::Error(Error::internal("a decision lies below the version of a prepare")));
            }
            (Some(_), version) => LogEntry::Decide { txn, version },
            // Decided and forgotten long ago.
            (None, Some(_)) => return Ok((Response::Done, 0)),
            // Settled and forgotten, or too old to be prepared any more.
            (None, None) if self.is_over(txn) => return Ok((Response::Done, 0)),
            // It must not be prepared later, by a message that is still under way.
            (None, None) => LogEntry::Refuse { txn },
        };
        // Before the decision is applied: readers that wait for it go on then, with a snapshot that must show it.
        if let Some(version) = version {
            self.clock.observe(version);
        }
        let index = self.propose(entry)?;
        self.end(txn);
        Ok((Response::Done, index))
    }

    /// Lets go of everything that the transaction has in memory here.
    fn end(&mut self, txn: TxnId) {
        let over = Error::new(SqlState::QUERY_CANCELED, "the transaction has ended");
        self.fail_waits(txn, &over);
        self.locks.release(txn);
    }

    /// It is so old that its outcome may have been forgotten, and it has nothing here any more: whatever of it still arrives is refused.
    fn is_over(&self, txn: TxnId) -> bool {
        let active = self.locks.knows(txn) || self.state.staged.contains_key(&txn);
        !active && self.state.outcomes.may_be_forgotten(txn)
    }

    /// `recovery`: asked for a participant that has prepared the transaction and knows no decision. As long as there is one, a
    /// committed outcome is not forgotten: who has no trace of the transaction has not committed it, and never will.
    pub(crate) fn inquire(&mut self, txn: TxnId, refuse: bool, recovery: bool) -> Answer {
        if let Some(settled) = self.state.outcomes.get(txn) {
            return Ok((Response::Outcome(settled.outcome()), settled.index));
        }
        if let Some(prepare) = self.state.prepared.get(&txn) {
            return Ok((Response::Outcome(Outcome::Prepared(prepare.version)), self.consensus.last_index()));
        }
        if !refuse {
            let active = self.locks.knows(txn) || self.state.staged.contains_key(&txn);
            let outcome = if active { Outcome::Active } else { Outcome::Unknown };
            return Ok((Response::Outcome(outcome), 0));
        }
        if self.is_over(txn) {
            // What was forgotten may have been only by an entry that is not committed yet.
            let outcome = if recovery { Outcome::Aborted } else { Outcome::Unknown };
            return Ok((Response::Outcome(outcome), self.consensus.last_index()));
        }
        let index = self.propose(LogEntry::Refuse { txn })?;
        self.end(txn);
        Ok((Response::Outcome(Outcome::Aborted), index))
    }

    pub(crate) fn rollback(&mut self, txn: TxnId) -> Answer {
        if self.state.prepared.contains_key(&txn) {
            // Only its decision ends it.
            return Ok((Response::Done, 0));
        }
        self.end(txn);
        if self.state.staged.contains_key(&txn) {
            let index = self.propose(LogEntry::Unstage { txn })?;
            return Ok((Response::Done, index));
        }
        Ok((Response::Done, 0))
    }

    pub(crate) fn stage(&mut self, context: &Context, part: u32, changes: &Bytes) -> Answer {
        let txn = context.txn;
        let changes = Packed::read(changes.clone()).map_err(Refusal::Error)?;
        check_change_sizes(changes.iter())?;
        let mut storages: Vec<StorageId> = changes.iter().map(|(key, _)| storage_of(key)).collect();
        storages.dedup();
        if !storages.iter().all(|storage| self.locks.held(txn, &Resource::Table(*storage)) == Some(LockMode::Update)) {
            return Err(if context.holds_locks {
                locks_lost()
            } else {
                Refusal::Error(Error::internal("rows are staged only under the exclusive lock of their table"))
            });
        }
        let parts = self.state.staged.get(&txn).map_or(0, |staged| staged.parts);
        if part < parts {
            return Ok((Response::Done, self.consensus.last_index()));
        }
        if part > parts || self.state.store.is_behind() {
            // The thread must not wait for the store. Several are on their way at once; after a change of leader one may overtake another.
            return Err(Refusal::Busy);
        }
        self.state.stage_ahead(txn, part, &changes).map_err(Refusal::Error)?;
        let index = self.propose(LogEntry::Stage { txn, part, changes })?;
        Ok((Response::Done, index))
    }

    /// Everything that can forbid a transaction to commit here.
    fn validate(&mut self, context: &Context, writes: &[Write], reads: &ReadSet, parts: u32) -> Result<(), Refusal> {
        let txn = context.txn;
        if !writes.is_empty() {
            self.makes_wait()?;
        }
        check_sizes(writes)?;
        let known = self.locks.knows(txn);
        if !known && context.schema != self.state.schema {
            return Err(serialization("could not serialize access: the schema changed after the transaction's locks were lost"));
        }
        if self.state.staged.get(&txn).map_or(0, |staged| staged.parts) != parts {
            return Err(serialization("could not serialize access: staged parts of the transaction were lost"));
        }
        if planted::active(Bug::DoubleApply) {
            return Ok(());
        }
        if !known {
            self.validate_without_locks(txn, writes, reads)?;
        }
        let mut rest = writes;
        while let Some(first) = rest.first() {
            let (run, others) = rest.split_at(new_run(first, rest));
            let absent = run.len() >= SCANNED_RUN_MIN && self.is_empty_between(run)?;
            for write in run {
                self.validate_write(txn, write, absent)?;
            }
            rest = others;
        }
        self.validate_against_prepared(txn, writes)?;
        if context.isolation == Isolation::Serializable && !planted::active(Bug::SkipValidation) {
            self.validate_reads(context, reads)?;
        }
        Ok(())
    }

    /// The transaction's locks are gone with an earlier leader, or it had none here.
    fn validate_without_locks(&mut self, txn: TxnId, writes: &[Write], reads: &ReadSet) -> Result<(), Refusal> {
        if !writes.is_empty() && self.state.outcomes.may_be_forgotten(txn) {
            return Err(serialization("could not serialize access: the transaction is so old that it may have been committed before"));
        }
        if reads.locked_more {
            return Err(locks_lost());
        }
        for (key, version) in &reads.locked {
            let prepared = self.state.prepared_keys.get(key).is_some_and(|(other, _)| other != txn);
            let taken = self.locks.conflicts(txn, Target::Table(storage_of(key)), LockMode::KeyShare)
                || self.locks.conflicts(txn, Target::Row(key), LockMode::Share);
            let seen = self.state.newest(key).map_err(Refusal::Error)?;
            if prepared || taken || seen.base() != *version {
                return Err(serialization("could not serialize access: a row that was locked changed after its lock was lost"));
            }
        }
        Ok(())
    }

    /// A prepared transaction keeps what it had locked until its decision, also if an earlier leader took the locks with it.
    fn lock_again(&mut self, txn: TxnId, reads: &ReadSet) -> Result<(), Refusal> {
        for (key, _) in &reads.locked {
            let row = Resource::Row(key.clone());
            if self.locks.held(txn, &row).is_some() || self.locks.held(txn, &Resource::Table(storage_of(key))) == Some(LockMode::Update) {
                continue;
            }
            let table = Resource::Table(storage_of(key));
            if !self.locks.acquire(txn, &table, LockMode::KeyShare) || !self.locks.acquire(txn, &row, LockMode::Share) {
                return Err(locks_lost());
            }
        }
        Ok(())
    }

    /// No row lies between the first and the last of these writes, which ascend: what they make is new.
    fn is_empty_between(&mut self, run: &[Write]) -> Result<bool, Refusal> {
        let [first, .., last] = run else { return Ok(false) };
        let range = KeyRange { start: first.key.clone(), end: after(&last.key) };
        let scanned = self.state.scan_rows(&range, false, 1, Version::MAX, None, false).map_err(Refusal::Error)?;
        Ok(scanned.rows.is_empty() && scanned.resume.is_none())
    }

    /// `absent`: it is known that there is no such row.
    fn validate_write(&mut self, txn: TxnId, write: &Write, absent: bool) -> Result<(), Refusal> {
        if write.base == BASE_GUARDED {
            return Ok(());
        }
        let (table, row) = (Target::Table(storage_of(&write.key)), Target::Row(&write.key));
        let locked = self.locks.held(txn, row).is_some_and(|mode| mode >= LockMode::NoKeyUpdate)
            || self.locks.held(txn, table) == Some(LockMode::Update);
        if !locked && (self.locks.conflicts(txn, table, LockMode::KeyShare) || self.locks.conflicts(txn, row, LockMode::NoKeyUpdate)) {
            return Err(serialization("could not serialize access: another transaction took the row's lock"));
        }
        let base = match absent {
            true => Version::ZERO,
            false => self.state.newest(&write.key).map_err(Refusal::Error)?.base(),
        };
        if base == write.base || planted::active(Bug::ForgetLock) {
            return Ok(());
        }
        if locked {
            // The lock is one that a request took which was sent again: what the transaction goes by is an answer from an
            // earlier term, whose lock was lost.
            return Err(locks_lost());
        }
        Err(serialization("could not serialize access due to concurrent update"))
    }

    /// A gateway's earlier lives are over: what they left behind is rolled back, unless it is prepared.
    pub(crate) fn gateway_gone(&mut self, node: NodeId, before_boot: u32) {
        if !self.serving {
            return;
        }
        let gone = |txn: &TxnId| txn.node == node && txn.boot < before_boot;
        let mut over = self.locks.transactions();
        over.extend(self.state.staged.keys().copied());
        over.retain(|txn| gone(txn) && !self.state.prepared.contains_key(txn));
        if !over.is_empty() {
            self.remember_dropped(over.iter().copied());
        }
        for txn in over {
            // A gateway that was only cut off still waits: it hears what it would hear of its next request.
            self.fail_waits(txn, &locks_lost_error());
            self.end(txn);
            if self.state.staged.contains_key(&txn) && self.propose(LogEntry::Unstage { txn }).is_err() {
                // Told again with the gateway's next announcement; until then the parts only take space.
                continue;
            }
        }
    }
}
