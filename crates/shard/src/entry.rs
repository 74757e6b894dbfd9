//! What stands in the log: the changes of a shard's state, in the order in which every replica makes them.
//!
//! Byte format (integers little-endian, strings with a `u32` length, `u32::MAX` for an absent row):
//! `kind u8` and then, by kind:
//! - 1 Commit: txn (u64 started, u32 node, u32 boot, u64 sequence), version u64, parts u32, changes
//! - 2 Prepare: txn, version, parts, changes, participants (u32 count, u32 each), reads (keys: count and strings; ranges: count
//!   and start, end), locks (as in Handover, without the transaction)
//! - 3 Decide: txn, version (0: abort)
//! - 4 Refuse: txn
//! - 5 Stage: txn, part u32, changes
//! - 6 Unstage: txn
//! - 7 Put: version, key, row
//! - 8 ClockBound: version
//! - 10 Settled: u32 count, then each txn
//! - 9 Handover: to u32, count, then each: txn, resource, mode u8. A resource is u8 0 and a storage id u32, or u8 1 and a key.
//!
//! Changes: u32 count, then each key and optional row (of a Stage in the order of their keys: `storage::packed`). An empty entry is the consensus library's own (a term's first).

use crate::wire::{Malformed, Read, Reader, Writer};
use base::{NodeId, ShardId, StorageId, TxnId, Version};
use bytes::Bytes;
use storage::access::{Key, KeyRange, LockMode, ReadSet, Row, Write};
use storage::packed::Packed;

/// What can be locked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    Table(StorageId),
    Row(Key),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: Key,
    pub row: Option<Row>,
}

impl Change {
    pub fn of(write: &Write) -> Change {
        Change { key: write.key.clone(), row: write.row.clone() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepare {
    pub txn: TxnId,
    pub version: Version,
    pub parts: u32,
    pub changes: Vec<Change>,
    pub participants: Vec<ShardId>,
    /// What nobody else may write until the decision (serializable transactions only).
    pub reads: ReadSet,
    /// All locks held, so that every replica can restore them.
    pub locks: Vec<(Resource, LockMode)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEntry {
    Commit {
        txn: TxnId,
        version: Version,
        parts: u32,
        changes: Vec<Change>,
    },
    Prepare(Box<Prepare>),
    Decide {
        txn: TxnId,
        version: Option<Version>,
    },
    /// The transaction will never be prepared or committed here.
    Refuse {
        txn: TxnId,
    },
    Stage {
        txn: TxnId,
        part: u32,
        changes: Packed,
    },
    /// Staged parts of a transaction that was rolled back are dropped.
    Unstage {
        txn: TxnId,
    },
    /// One row outside of any transaction: sequences.
    Put {
        version: Version,
        change: Change,
    },
    /// Snapshots up to this version may have been served.
    ClockBound {
        version: Version,
    },
    /// Leadership goes to a node that takes over these locks, if nothing follows in the log before it leads.
    Handover {
        to: NodeId,
        locks: Vec<(TxnId, Resource, LockMode)>,
    },
    /// All participants of these transactions have logged that they are committed: none will ask any more.
    Settled {
        txns: Vec<TxnId>,
    },
}

const COMMIT: u8 = 1;
const PREPARE: u8 = 2;
const DECIDE: u8 = 3;
const REFUSE: u8 = 4;
const STAGE: u8 = 5;
const UNSTAGE: u8 = 6;
const PUT: u8 = 7;
const CLOCK_BOUND: u8 = 8;
const HANDOVER: u8 = 9;
const SETTLED: u8 = 10;

impl LogEntry {
    /// The version that the entry gives to its rows, if it does.
    pub fn version(&self) -> Option<Version> {
        match self {
            LogEntry::Commit { version, .. } | LogEntry::Put { version, .. } => Some(*version),
            LogEntry::Prepare(prepare) => Some(prepare.version),
            _ => None,
        }
    }

    pub fn encode(&self) -> Bytes {
        let mut w = Writer::with_capacity(self.size_max());
        match self {
            LogEntry::Commit { txn, version, parts, changes } => {
                w.u8(COMMIT);
                w.txn(*txn);
                w.version(*version);
                w.u32(*parts);
                write_changes(&mut w, changes);
            }
            LogEntry::Prepare(prepare) => {
                w.u8(PREPARE);
                write_prepare(&mut w, prepare);
            }
            LogEntry::Decide { txn, version } => {
                w.u8(DECIDE);
                w.txn(*txn);
                w.version(version.unwrap_or(Version::ZERO));
            }
            LogEntry::Refuse { txn } => {
                w.u8(REFUSE);
                w.txn(*txn);
            }
            LogEntry::Stage { txn, part, changes } => {
                w.u8(STAGE);
                w.txn(*txn);
                w.u32(*part);
                w.bytes.extend_from_slice(changes.bytes());
            }
            LogEntry::Unstage { txn } => {
                w.u8(UNSTAGE);
                w.txn(*txn);
            }
            LogEntry::Put { version, change } => {
                w.u8(PUT);
                w.version(*version);
                w.bytes(&change.key);
                w.optional_bytes(change.row.as_deref());
            }
            LogEntry::ClockBound { version } => {
                w.u8(CLOCK_BOUND);
                w.version(*version);
            }
            LogEntry::Handover { to, locks } => {
                w.u8(HANDOVER);
                w.u32(to.0);
                w.count(locks.len());
                for (txn, resource, mode) in locks {
                    w.txn(*txn);
                    write_lock(&mut w, resource, *mode);
                }
            }
            LogEntry::Settled { txns } => {
                w.u8(SETTLED);
                w.count(txns.len());
                txns.iter().for_each(|txn| w.txn(*txn));
            }
        }
        w.finish()
    }

    /// # Errors
    /// If the bytes are not exactly one entry.
    pub fn decode(bytes: Bytes) -> Read<LogEntry> {
        let mut r = Reader::new(bytes);
        let entry = match r.u8()? {
            COMMIT => LogEntry::Commit { txn: r.txn()?, version: r.version()?, parts: r.u32()?, changes: read_changes(&mut r)? },
            PREPARE => LogEntry::Prepare(Box::new(read_prepare(&mut r)?)),
            DECIDE => LogEntry::Decide { txn: r.txn()?, version: Some(r.version()?).filter(|version| *version != Version::ZERO) },
            REFUSE => LogEntry::Refuse { txn: r.txn()? },
            STAGE => LogEntry::Stage { txn: r.txn()?, part: r.u32()?, changes: read_packed(&mut r)? },
            UNSTAGE => LogEntry::Unstage { txn: r.txn()? },
            PUT => LogEntry::Put { version: r.version()?, change: Change { key: r.bytes()?, row: r.optional_bytes()? } },
            CLOCK_BOUND => LogEntry::ClockBound { version: r.version()? },
            HANDOVER => {
                let to = NodeId(r.u32()?);
                let count = r.count(30)?;
                let mut locks = Vec::with_capacity(count);
                for _ in 0..count {
                    let txn = r.txn()?;
                    let (resource, mode) = read_lock(&mut r)?;
                    locks.push((txn, resource, mode));
                }
                LogEntry::Handover { to, locks }
            }
            SETTLED => {
                let count = r.count(24)?;
                LogEntry::Settled { txns: (0..count).map(|_| r.txn()).collect::<Read<Vec<_>>>()? }
            }
            _ => return Err(Malformed("unknown kind of log entry")),
        };
        r.end()?;
        Ok(entry)
    }

    /// No entry is longer than this, and none much shorter: a log holds many, and a buffer that had to grow keeps up to as much again.
    fn size_max(&self) -> usize {
        let content = match self {
            LogEntry::Stage { changes, .. } => changes.bytes().len(),
            LogEntry::Commit { changes, .. } => changes_size(changes),
            LogEntry::Prepare(prepare) => prepare_size(prepare),
            LogEntry::Put { change, .. } => changes_size(std::slice::from_ref(change)),
            LogEntry::Handover { locks, .. } => locks.iter().map(|(_, resource, _)| TXN_SIZE + lock_size(resource)).sum(),
            LogEntry::Settled { txns } => txns.len() * TXN_SIZE,
            _ => 0,
        };
        FIXED_SIZE + content
    }
}

/// At most, of what every entry has, counts included.
const FIXED_SIZE: usize = 96;
const LENGTH_SIZE: usize = size_of::<u32>();
const TXN_SIZE: usize = 24;

fn changes_size(changes: &[Change]) -> usize {
    changes.iter().map(|change| 2 * LENGTH_SIZE + change.key.len() + change.row.as_ref().map_or(0, Bytes::len)).sum()
}

fn prepare_size(prepare: &Prepare) -> usize {
    let keys: usize = prepare.reads.keys.iter().map(|key| LENGTH_SIZE + key.len()).sum();
    let ranges: usize = prepare.reads.ranges.iter().map(|range| 2 * LENGTH_SIZE + range.start.len() + range.end.len()).sum();
    let locks: usize = prepare.locks.iter().map(|(resource, _)| lock_size(resource)).sum();
    changes_size(&prepare.changes) + prepare.participants.len() * size_of::<u32>() + keys + ranges + locks
}

fn lock_size(resource: &Resource) -> usize {
    let kinds = 2;
    kinds
        + match resource {
            Resource::Table(_) => size_of::<u32>(),
            Resource::Row(key) => LENGTH_SIZE + key.len(),
        }
}

pub fn write_changes(w: &mut Writer, changes: &[Change]) {
    w.count(changes.len());
    for change in changes {
        w.bytes(&change.key);
        w.optional_bytes(change.row.as_deref());
    }
}

pub fn read_changes(r: &mut Reader) -> Read<Vec<Change>> {
    let count = r.count(8)?;
    let mut changes = Vec::with_capacity(count);
    for _ in 0..count {
        changes.push(Change { key: r.bytes()?, row: r.optional_bytes()? });
    }
    Ok(changes)
}

fn read_packed(r: &mut Reader) -> Read<Packed> {
    Packed::read(r.rest()).map_err(|_| Malformed("changes that are not packed as they should be"))
}

pub fn write_prepare(w: &mut Writer, prepare: &Prepare) {
    w.txn(prepare.txn);
    w.version(prepare.version);
    w.u32(prepare.parts);
    write_changes(w, &prepare.changes);
    w.count(prepare.participants.len());
    for shard in &prepare.participants {
        w.u32(shard.0);
    }
    w.count(prepare.reads.keys.len());
    for key in &prepare.reads.keys {
        w.bytes(key);
    }
    w.count(prepare.reads.ranges.len());
    for range in &prepare.reads.ranges {
        w.bytes(&range.start);
        w.bytes(&range.end);
    }
    w.count(prepare.locks.len());
    for (resource, mode) in &prepare.locks {
        write_lock(w, resource, *mode);
    }
}

pub fn read_prepare(r: &mut Reader) -> Read<Prepare> {
    let (txn, version, parts, changes) = (r.txn()?, r.version()?, r.u32()?, read_changes(r)?);
    let participants = (0..r.count(4)?).map(|_| r.u32().map(ShardId)).collect::<Read<Vec<_>>>()?;
    let keys = (0..r.count(4)?).map(|_| r.bytes()).collect::<Read<Vec<_>>>()?;
    let ranges = (0..r.count(8)?).map(|_| Ok(KeyRange { start: r.bytes()?, end: r.bytes()? })).collect::<Read<Vec<_>>>()?;
    let locks = (0..r.count(6)?).map(|_| read_lock(r)).collect::<Read<Vec<_>>>()?;
    Ok(Prepare { txn, version, parts, changes, participants, reads: ReadSet { keys, ranges, ..ReadSet::default() }, locks })
}

fn write_lock(w: &mut Writer, resource: &Resource, mode: LockMode) {
    match resource {
        Resource::Table(table) => {
            w.u8(0);
            w.u32(table.0);
        }
        Resource::Row(key) => {
            w.u8(1);
            w.bytes(key);
        }
    }
    w.u8(match mode {
        LockMode::KeyShare => 0,
        LockMode::Share => 1,
        LockMode::NoKeyUpdate => 2,
        LockMode::Update => 3,
    });
}

fn read_lock(r: &mut Reader) -> Read<(Resource, LockMode)> {
    let resource = match r.u8()? {
        0 => Resource::Table(StorageId(r.u32()?)),
        1 => Resource::Row(r.bytes()?),
        _ => return Err(Malformed("unknown kind of lock")),
    };
    let mode = match r.u8()? {
        0 => LockMode::KeyShare,
        1 => LockMode::Share,
        2 => LockMode::NoKeyUpdate,
        3 => LockMode::Update,
        _ => return Err(Malformed("unknown mode of lock")),
    };
    Ok((resource, mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Prng;

    fn examples() -> Vec<LogEntry> {
        let txn = TxnId { started: 5, node: NodeId(1), boot: 2, sequence: 9 };
        let change = |key: &'static str, row: Option<&'static str>| Change {
            key: Bytes::from_static(key.as_bytes()),
            row: row.map(|row| Bytes::from_static(row.as_bytes())),
        };
        let version = Version(77);
        let mut packer = storage::packed::Packer::default();
        packer.push(b"a", None);
        packer.push(b"b", Some(b"2"));
        let packed = packer.finish();
        let locks = vec![(Resource::Table(StorageId(4)), LockMode::KeyShare), (Resource::Row("k".into()), LockMode::Update)];
        vec![
            LogEntry::Commit { txn, version, parts: 2, changes: vec![change("a", Some("1")), change("b", None)] },
            LogEntry::Prepare(Box::new(Prepare {
                txn,
                version,
                parts: 0,
                changes: vec![change("a", Some(""))],
                participants: vec![ShardId(1), ShardId(2)],
                reads: ReadSet {
                    keys: vec!["x".into()],
                    ranges: vec![KeyRange { start: "a".into(), end: "".into() }],
                    ..ReadSet::default()
                },
                locks: locks.clone(),
            })),
            LogEntry::Decide { txn, version: Some(version) },
            LogEntry::Decide { txn, version: None },
            LogEntry::Refuse { txn },
            LogEntry::Stage { txn, part: 3, changes: packed },
            LogEntry::Unstage { txn },
            LogEntry::Put { version, change: change("s", Some("v")) },
            LogEntry::ClockBound { version },
            LogEntry::Handover { to: NodeId(3), locks: locks.into_iter().map(|(r, m)| (txn, r, m)).collect() },
            LogEntry::Settled { txns: vec![txn; 9] },
        ]
    }

    #[test]
    fn every_entry_comes_back_as_it_was() {
        for entry in examples() {
            assert_eq!(LogEntry::decode(entry.encode()), Ok(entry));
        }
    }

    #[test]
    fn no_buffer_has_to_grow() {
        for entry in examples() {
            let size = entry.encode().len();
            assert!((size..=size + FIXED_SIZE).contains(&entry.size_max()), "{entry:?}: {size} of {}", entry.size_max());
        }
        let many = |n: usize| -> Vec<Bytes> { (0..n).map(|n| Bytes::from(vec![b'k'; n % 50])).collect() };
        let prepare = LogEntry::Prepare(Box::new(Prepare {
            txn: TxnId { started: 5, node: NodeId(1), boot: 2, sequence: 9 },
            version: Version(1),
            parts: 0,
            changes: many(1000).into_iter().map(|key| Change { row: (key.len() % 2 == 0).then(|| key.clone()), key }).collect(),
            participants: (0..100).map(ShardId).collect(),
            reads: ReadSet {
                keys: many(1000),
                ranges: many(100).into_iter().map(|key| KeyRange { start: key.clone(), end: key }).collect(),
                ..ReadSet::default()
            },
            locks: many(1000).into_iter().map(|key| (Resource::Row(key), LockMode::Update)).collect(),
        }));
        let size = prepare.encode().len();
        assert!((size..=size + FIXED_SIZE).contains(&prepare.size_max()), "{size} of {}", prepare.size_max());
    }

    #[test]
    fn damaged_bytes_are_refused_without_a_panic() {
        let mut prng = Prng::new(3);
        for entry in examples() {
            let bytes = entry.encode().to_vec();
            for cut in 0..bytes.len() {
                assert!(LogEntry::decode(Bytes::copy_from_slice(&bytes[..cut])).is_err());
            }
            for _ in 0..200 {
                let mut damaged = bytes.clone();
                let at = prng.below(damaged.len() as u64) as usize;
                damaged[at] = prng.next_u64() as u8;
                let _ = LogEntry::decode(Bytes::from(damaged));
            }
        }
    }
}
