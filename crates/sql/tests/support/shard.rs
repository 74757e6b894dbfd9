//! One shard on a map: versions, locks, staged parts, sequences. Nothing is ever collected.

use base::{Error, SchemaVersion, SqlState, StorageId, TxnId, Version};
use bytes::Bytes;
use sql::backend::{CallError, CommitPart};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use storage::access::*;

type Versions = Vec<(Version, Option<Row>)>;

#[derive(Default)]
pub struct Shard {
    rows: BTreeMap<Key, Versions>,
    locks: BTreeMap<Key, Vec<(TxnId, LockMode)>>,
    /// Tables that a transaction uses: whether exclusively.
    tables: BTreeMap<StorageId, BTreeMap<TxnId, bool>>,
    staged: BTreeMap<TxnId, Vec<Write>>,
    waits: BTreeMap<TxnId, BTreeSet<TxnId>>,
}

pub enum Answer {
    Now(Response),
    Wait,
}

fn refused(error: Error) -> Answer {
    Answer::Now(Response::Refused(Refusal::Error(error)))
}

impl Shard {
    pub fn locks_held(&self) -> usize {
        self.locks.values().map(Vec::len).sum()
    }

    pub fn put(&mut self, key: Key, row: Option<Row>, version: Version) {
        self.rows.entry(key).or_default().push((version, row));
    }

    fn newest(&self, key: &[u8]) -> Option<&(Version, Option<Row>)> {
        self.rows.get(key)?.last()
    }

    fn at(versions: &Versions, snapshot: Version) -> Option<Found> {
        let (version, row) = versions.iter().rev().find(|(version, _)| *version <= snapshot)?;
        row.clone().map(|row| Found { version: *version, row })
    }

    pub fn range(&self, range: &KeyRange, snapshot: Version) -> Vec<(Key, Found)> {
        let found = self.rows.range(range.start.clone()..).take_while(|(key, _)| range.end.is_empty() || **key < range.end);
        found.filter_map(|(key, versions)| Some((key.clone(), Self::at(versions, snapshot)?))).collect()
    }

    fn schema(&self) -> SchemaVersion {
        let row = self.newest(SCHEMA_KEY).and_then(|(_, row)| row.as_ref()).expect("is bootstrapped");
        SchemaVersion(u64::from_be_bytes(row[..].try_into().expect("eight bytes")))
    }

    pub fn ask(&mut self, request: &Request, now: Version, waited: Duration) -> Answer {
        let context = match request {
            Request::Read { context, .. } | Request::Scan { context, .. } | Request::LockTables { context, .. } => Some(context),
            Request::Stage { context, .. } => Some(context),
            _ => None,
        };
        if let Some(context) = context
            && context.schema < self.schema()
        {
            return Answer::Now(Response::Refused(Refusal::StaleSchema(self.schema())));
        }
        match request {
            Request::Read { context, reads, wait } => self.read(context, reads, *wait, now, waited),
            Request::Scan { context, range, reverse, rows_max } => {
                let snapshot = snapshot(context, now);
                let mut rows = self.range(range, snapshot);
                let own: BTreeMap<Key, Option<Bytes>> = self.staged_by(context).filter(|(key, _)| in_range(key, range)).collect();
                rows.retain(|(key, _)| !own.contains_key(key));
                rows.extend(own.into_iter().filter_map(|(key, row)| Some((key, Found { version: Version::ZERO, row: row? }))));
                rows.sort_by(|(a, _), (b, _)| a.cmp(b));
                if *reverse {
                    rows.reverse();
                }
                let resume = (rows.len() > *rows_max as usize)
                    .then(|| if *reverse { rows[*rows_max as usize - 1].0.clone() } else { rows[*rows_max as usize].0.clone() });
                rows.truncate(*rows_max as usize);
                Answer::Now(Response::Scanned { rows, resume, snapshot })
            }
            Request::LockTables { context, tables, exclusive, wait } => self.lock_tables(context.txn, tables, *exclusive, *wait, waited),
            Request::Stage { context, part: _, changes } => {
                let changes = storage::packed::Packed::read(changes.clone()).expect("sessions pack well");
                for (key, row) in changes.iter() {
                    assert!(
                        self.tables.get(&storage_of(key)).is_some_and(|t| t.get(&context.txn) == Some(&true)),
                        "staged without the lock"
                    );
                    let (key, row) = (Key::copy_from_slice(key), row.map(Bytes::copy_from_slice));
                    self.staged.entry(context.txn).or_default().push(Write { key, row, base: BASE_GUARDED });
                }
                Answer::Now(Response::Done)
            }
            Request::Sequence { key, start, increment, min, max, cycle, count } => {
                let last = self.newest(key).and_then(|(_, row)| row.clone()).map(|row| i64::from_be_bytes(row[..].try_into().expect("8")));
                let next = last.map_or(Some(*start), |last| last.checked_add(*increment)).filter(|next| (*min..=*max).contains(next));
                let Some(first) = next.or(cycle.then_some(if *increment > 0 { *min } else { *max })) else {
                    return Answer::Now(Response::Sequence { first: 0, count: 0 });
                };
                let bound = if *increment > 0 { (max - first) / increment } else { (min - first) / increment };
                let count = (*count).min(u32::try_from(bound + 1).unwrap_or(u32::MAX));
                let last = first + increment * i64::from(count - 1);
                self.put(key.clone(), Some(Bytes::copy_from_slice(&last.to_be_bytes())), now);
                Answer::Now(Response::Sequence { first, count })
            }
            Request::SetSequence { key, value, called } => {
                let last = if *called { *value } else { value - 1 };
                self.put(key.clone(), Some(Bytes::copy_from_slice(&last.to_be_bytes())), now);
                Answer::Now(Response::Done)
            }
            _ => refused(Error::unsupported("this request")),
        }
    }

    fn read(&mut self, context: &Context, reads: &[KeyRead], wait: LockWait, now: Version, waited: Duration) -> Answer {
        let (mut rows, mut skipped) = (Vec::new(), Vec::new());
        let snapshot = snapshot(context, now);
        let own: BTreeMap<Key, Option<Bytes>> = self.staged_by(context).collect();
        for (at, read) in reads.iter().enumerate() {
            if let Some(row) = own.get(&read.key) {
                rows.push(row.clone().map(|row| Found { version: Version::ZERO, row }));
                continue;
            }
            let Some(mode) = read.lock else {
                rows.push(self.rows.get(&read.key).and_then(|versions| Self::at(versions, snapshot)));
                continue;
            };
            let holders = self.conflicts(context.txn, &read.key, mode);
            if !holders.is_empty() {
                match wait {
                    LockWait::SkipLocked => {
                        skipped.push(at as u32);
                        rows.push(None);
                        continue;
                    }
                    wait => return self.wait(context.txn, holders, wait, waited),
                }
            }
            let newest = self.newest(&read.key);
            if context.isolation != Isolation::ReadCommitted && newest.is_some_and(|(version, _)| *version > snapshot) {
                return refused(Error::new(SqlState::SERIALIZATION_FAILURE, "could not serialize access due to concurrent update"));
            }
            rows.push(newest.and_then(|(version, row)| Some(Found { version: *version, row: row.clone()? })));
            self.locks.entry(read.key.clone()).or_default().push((context.txn, mode));
            self.tables.entry(storage_of(&read.key)).or_default().entry(context.txn).or_insert(false);
        }
        self.waits.remove(&context.txn);
        Answer::Now(Response::Rows { rows, skipped, snapshot, seen: None })
    }

    fn staged_by(&self, context: &Context) -> impl Iterator<Item = (Key, Option<Bytes>)> {
        let staged = self.staged.get(&context.txn).filter(|_| context.sees_staged);
        staged.into_iter().flatten().map(|write| (write.key.clone(), write.row.clone()))
    }

    fn conflicts(&self, txn: TxnId, key: &Key, mode: LockMode) -> BTreeSet<TxnId> {
        let table = self.tables.get(&storage_of(key)).into_iter().flatten();
        let table = table.filter(|(holder, exclusive)| **holder != txn && **exclusive).map(|(holder, _)| *holder);
        let rows = self.locks.get(key).into_iter().flatten();
        table.chain(rows.filter(|(holder, held)| *holder != txn && held.conflicts(mode)).map(|(holder, _)| *holder)).collect()
    }

    fn wait(&mut self, txn: TxnId, holders: BTreeSet<TxnId>, wait: LockWait, waited: Duration) -> Answer {
        match wait {
            LockWait::NoWait => return refused(Error::new(SqlState::LOCK_NOT_AVAILABLE, "could not obtain lock on row")),
            LockWait::Wait(Some(limit)) if waited >= limit => {
                return refused(Error::new(SqlState::LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout"));
            }
            _ => {}
        }
        self.waits.insert(txn, holders.clone());
        let (mut seen, mut ahead): (BTreeSet<TxnId>, Vec<TxnId>) = (BTreeSet::new(), holders.into_iter().collect());
        while let Some(next) = ahead.pop() {
            if next == txn {
                self.waits.remove(&txn);
                return refused(Error::new(SqlState::DEADLOCK_DETECTED, "deadlock detected"));
            }
            if seen.insert(next) {
                ahead.extend(self.waits.get(&next).into_iter().flatten());
            }
        }
        Answer::Wait
    }

    fn lock_tables(&mut self, txn: TxnId, tables: &[StorageId], exclusive: bool, wait: LockWait, waited: Duration) -> Answer {
        let users = tables.iter().filter_map(|table| self.tables.get(table)).flatten();
        let holders: BTreeSet<TxnId> = users.filter(|(user, held)| **user != txn && (exclusive || **held)).map(|(user, _)| *user).collect();
        if !holders.is_empty() {
            return self.wait(txn, holders, wait, waited);
        }
        for table in tables {
            let held = self.tables.entry(*table).or_default().entry(txn).or_default();
            *held |= exclusive;
        }
        self.waits.remove(&txn);
        Answer::Now(Response::Done)
    }

    pub fn check_commit(&self, context: &Context, part: &CommitPart, snapshot: Version) -> Result<(), CallError> {
        for write in part.writes.iter().filter(|write| write.base != BASE_GUARDED) {
            let base = match self.newest(&write.key) {
                Some((version, Some(_))) => *version,
                _ => Version::ZERO,
            };
            assert_eq!(base, write.base, "a write of {:?} is based on another version", write.key);
        }
        if context.isolation != Isolation::Serializable {
            return Ok(());
        }
        let newer = |versions: &Versions| versions.last().is_some_and(|(version, _)| *version > snapshot);
        let keys = part.reads.keys.iter().filter_map(|key| self.rows.get(key)).any(newer);
        let ranges = part.reads.ranges.iter().any(|range| {
            let rows = self.rows.range(range.start.clone()..).take_while(|(key, _)| range.end.is_empty() || **key < range.end);
            rows.map(|(_, versions)| versions).any(newer)
        });
        if keys || ranges {
            let message = "could not serialize access due to read/write dependencies among transactions";
            return Err(Error::new(SqlState::SERIALIZATION_FAILURE, message).into());
        }
        Ok(())
    }

    pub fn commit(&mut self, txn: TxnId, part: CommitPart, version: Version) {
        for write in self.staged.remove(&txn).unwrap_or_default().into_iter().chain(part.writes.iter().cloned()) {
            self.put(write.key, write.row, version);
        }
        self.forget(txn);
    }

    pub fn forget(&mut self, txn: TxnId) {
        self.staged.remove(&txn);
        self.waits.remove(&txn);
        self.locks.values_mut().for_each(|held| held.retain(|(holder, _)| *holder != txn));
        self.locks.retain(|_, held| !held.is_empty());
        for users in self.tables.values_mut() {
            users.remove(&txn);
        }
    }
}

fn in_range(key: &Key, range: &KeyRange) -> bool {
    *key >= range.start && (range.end.is_empty() || *key < range.end)
}

fn snapshot(context: &Context, now: Version) -> Version {
    match context.snapshot {
        Snapshot::Latest => now,
        Snapshot::At(version) => version,
    }
}
