//! Reading rows through the transaction: what is committed, with the transaction's own writes merged in.

use super::target::Target;
use super::{Run, Stored};
use crate::plan::table::{TableInfo, key_of};
use crate::session::Session;
use crate::session::buffer::Pending;
use crate::session::txn::Exec;
use base::{Error, ShardId, SqlState, Version};
use std::collections::{BTreeMap, VecDeque};
use storage::access::{Found, Key, KeyRange, KeyRead, LockMode, LockWait, SCAN_ROWS_MAX};

/// Keys read with one request.
pub const READ_KEYS_MAX: usize = 1_000;

/// Goes through ranges chunk by chunk.
pub struct Scanner {
    parts: VecDeque<(ShardId, KeyRange)>,
    reverse: bool,
}

impl Scanner {
    pub fn new(mut parts: Vec<(ShardId, KeyRange)>, reverse: bool) -> Scanner {
        if reverse {
            parts.reverse();
        }
        Scanner { parts: parts.into(), reverse }
    }
}

impl Session {
    /// Rows of keys in their order, locked if asked; `None` where there is none (or it is locked and to be skipped).
    pub(crate) async fn fetch(
        &mut self,
        keys: &[(ShardId, Key)],
        lock: Option<LockMode>,
        wait: LockWait,
        run: &mut Run,
    ) -> Exec<Vec<Option<Stored>>> {
        let mut rows: Vec<Option<Stored>> = vec![None; keys.len()];
        let mut asked: BTreeMap<ShardId, Vec<usize>> = BTreeMap::new();
        for (at, (shard, key)) in keys.iter().enumerate() {
            match self.txn().buffer.get(key) {
                Some(pending) => rows[at] = own(*shard, key, pending),
                None => asked.entry(*shard).or_default().push(at),
            }
        }
        for (shard, positions) in asked {
            for positions in positions.chunks(READ_KEYS_MAX) {
                let found = loop {
                    let reads = positions.iter().map(|at| KeyRead { key: keys[*at].1.clone(), lock }).collect();
                    match self.read(shard, reads, wait, &mut run.sight).await {
                        Ok((found, _)) => break found,
                        Err(error) => Box::pin(self.go_on(error)).await?,
                    }
                };
                for (at, found) in positions.iter().zip(found) {
                    rows[*at] = found.map(|Found { version, row }| Stored { shard, key: keys[*at].1.clone(), row, version });
                }
            }
        }
        Ok(rows)
    }

    /// The next rows of a scan, in order; `None` at its end. A chunk may be empty.
    pub(crate) async fn next_chunk(&mut self, scanner: &mut Scanner, rows_max: u32, run: &mut Run) -> Exec<Option<Vec<Stored>>> {
        let Some((shard, range)) = scanner.parts.pop_front() else { return Ok(None) };
        self.check_interrupt()?;
        let command = self.txn().buffer.command();
        let own = self.txn().staged.seen(shard, &range.start, command)?;
        let rows_max = rows_max.clamp(1, SCAN_ROWS_MAX);
        let (found, resume) = self.scan(shard, range.clone(), scanner.reverse, rows_max, own, &mut run.sight).await?;
        let seen = match &resume {
            None => range.clone(),
            Some(resume) if scanner.reverse => KeyRange { start: resume.clone(), end: range.end.clone() },
            Some(resume) => KeyRange { start: range.start.clone(), end: resume.clone() },
        };
        if let Some(resume) = resume {
            let rest =
                if scanner.reverse { KeyRange { start: range.start, end: resume } } else { KeyRange { start: resume, end: range.end } };
            scanner.parts.push_front((shard, rest));
        }
        Ok(Some(self.merge(shard, &seen, scanner.reverse, found)))
    }

    /// Own writes replace, add to and hide what was found.
    fn merge(&mut self, shard: ShardId, seen: &KeyRange, reverse: bool, found: Vec<(Key, Found)>) -> Vec<Stored> {
        let stored = |(key, Found { version, row }): (Key, Found)| Stored { shard, key, row, version };
        let buffer = &self.txn().buffer;
        if buffer.is_empty() {
            return found.into_iter().map(stored).collect();
        }
        let own_writes: Vec<(&Key, &Pending)> =
            if reverse { buffer.range(seen, shard).rev().collect() } else { buffer.range(seen, shard).collect() };
        if own_writes.is_empty() {
            return found.into_iter().map(stored).collect();
        }
        let mut merged = Vec::with_capacity(found.len() + own_writes.len());
        let mut own_writes = own_writes.into_iter().peekable();
        for row in found {
            while let Some((key, pending)) = own_writes.next_if(|(key, _)| if reverse { **key > row.0 } else { **key < row.0 }) {
                merged.extend(own(shard, key, pending));
            }
            match own_writes.next_if(|(key, _)| **key == row.0) {
                Some((key, pending)) => merged.extend(own(shard, key, pending)),
                None => merged.push(stored(row)),
            }
        }
        for (key, pending) in own_writes {
            merged.extend(own(shard, key, pending));
        }
        merged
    }

    /// Rows that index entries point to, in the entries' order; `None` where there is no entry or no row.
    pub(crate) async fn rows_of_entries(
        &mut self,
        info: &TableInfo,
        entries: &[Option<Stored>],
        run: &mut Run,
    ) -> Exec<Vec<Option<Stored>>> {
        let keys = entries.iter().flatten().map(|entry| Ok((entry.shard, key_of(info.table.storage, &entry.row)?)));
        let keys = keys.collect::<base::Result<Vec<_>>>()?;
        let mut rows = self.fetch(&keys, None, LockWait::Wait(None), run).await?.into_iter();
        Ok(entries.iter().map(|entry| entry.as_ref().and_then(|_| rows.next().flatten())).collect())
    }

    /// All rows of a target as they are at the statement's snapshot, chunk by chunk. See [`Rows`].
    pub(crate) fn rows(&self, target: Target, index: Option<usize>, reverse: bool) -> Rows {
        match target {
            Target::Keys(mut keys) => {
                if reverse {
                    keys.reverse();
                }
                Rows { keys: keys.into(), scanner: None, index }
            }
            Target::Ranges(ranges) => Rows { keys: VecDeque::new(), scanner: Some(Scanner::new(ranges, reverse)), index },
        }
    }

    pub(crate) async fn next_rows(&mut self, rows: &mut Rows, info: &TableInfo, rows_max: u32, run: &mut Run) -> Exec<Option<Vec<Stored>>> {
        let chunk = match &mut rows.scanner {
            Some(scanner) => Box::pin(self.next_chunk(scanner, rows_max, run)).await?,
            None if rows.keys.is_empty() => None,
            None => {
                let keys: Vec<_> = rows.keys.drain(..rows.keys.len().min(READ_KEYS_MAX)).collect();
                let found = self.fetch(&keys, None, LockWait::Wait(None), run).await?;
                Some(found.into_iter().flatten().collect())
            }
        };
        match (chunk, rows.index) {
            (Some(entries), Some(_)) => {
                let entries: Vec<_> = entries.into_iter().map(Some).collect();
                let rows = Box::pin(self.rows_of_entries(info, &entries, run)).await?;
                Ok(Some(rows.into_iter().flatten().collect()))
            }
            (chunk, _) => Ok(chunk),
        }
    }

    pub(crate) fn check_interrupt(&self) -> base::Result<()> {
        self.backend.interrupted().map_or(Ok(()), Err)
    }
}

/// A walk over the rows of a target.
pub struct Rows {
    keys: VecDeque<(ShardId, Key)>,
    scanner: Option<Scanner>,
    /// Entries of this index are followed to their rows.
    index: Option<usize>,
}

fn own(shard: ShardId, key: &Key, pending: &Pending) -> Option<Stored> {
    pending.row.as_ref().map(|row| Stored { shard, key: key.clone(), row: row.clone(), version: pending.base })
}

/// More rows than a statement may keep at once.
pub(crate) fn too_many_rows(bound: usize) -> Error {
    let message = format!("the statement needs more than {bound} rows at once");
    Error::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message)
}

/// For rows that no lock guards.
pub const ABSENT: Version = Version::ZERO;
