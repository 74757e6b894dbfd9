//! A transaction's writes before its commit: merged into its own reads, undone to marks, staged when they grow large.

use base::{ShardId, Version};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use storage::access::{Key, KeyRange, Row, SYSTEM_STORAGE, Write};

/// What is written to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub shard: ShardId,
    /// `None`: deleted.
    pub row: Option<Row>,
    pub base: Version,
    /// The command that wrote it.
    command: u32,
    /// What earlier commands wrote to the key, if they did.
    earlier: Option<Box<Pending>>,
}

impl Pending {
    /// What commands before this one wrote; `None` if nothing.
    pub fn before(&self, command: u32) -> Option<&Pending> {
        if self.command < command { Some(self) } else { self.earlier.as_deref() }
    }
}

#[derive(Debug, Default)]
pub struct Buffer {
    writes: BTreeMap<Key, Pending>,
    /// Of keys that are not among `writes`, each there once: what nothing in the transaction looks at again.
    last: BTreeMap<ShardId, Vec<Write>>,
    /// What each change replaced, newest last.
    undo: Vec<(Key, Option<Pending>)>,
    bytes: usize,
    /// Changes are only remembered for undoing while something may undo them.
    keeps_undo: bool,
    /// Counts the statements: a scan sees what those before its own wrote.
    command: u32,
}

/// No key of the system's storage is as great.
const FIRST_TABLE_KEY: [u8; 4] = (SYSTEM_STORAGE.0 + 1).to_be_bytes();

/// A place in the history of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(usize);

fn size(key_bytes: usize, pending: &Pending) -> usize {
    key_bytes + pending.row.as_ref().map_or(0, |row| row.len()) + 32
}

impl Buffer {
    pub fn new(keeps_undo: bool) -> Buffer {
        Buffer { keeps_undo, ..Buffer::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.last.is_empty()
    }

    /// Of keys and rows, with some for each write.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn get(&self, key: &[u8]) -> Option<&Pending> {
        self.writes.get(key)
    }

    /// The first write of a key decides its base.
    pub fn put(&mut self, shard: ShardId, key: Key, row: Option<Row>, base: Version) {
        let mut pending = Pending { shard, row, base, command: self.command, earlier: None };
        self.bytes += size(key.len(), &pending);
        let (length, noted) = (key.len(), self.keeps_undo.then(|| key.clone()));
        let before = match self.writes.entry(key) {
            Entry::Vacant(place) => {
                place.insert(pending);
                None
            }
            Entry::Occupied(mut place) => {
                let before = place.get();
                pending.base = before.base;
                pending.earlier = match before.command == self.command {
                    true => before.earlier.clone(),
                    false => Some(Box::new(Pending { earlier: None, ..before.clone() })),
                };
                self.bytes -= size(length, before);
                Some(place.insert(pending))
            }
        };
        if let Some(key) = noted {
            self.undo.push((key, before));
        }
    }

    /// Puts writes of keys that each come once, of a transaction that wrote nothing before and is committed next.
    pub fn put_last(&mut self, writes: BTreeMap<ShardId, Vec<Write>>) {
        assert!(self.is_empty(), "nothing was written before");
        self.last = writes;
    }

    pub fn mark(&self) -> Mark {
        assert!(self.keeps_undo, "a mark needs the history of changes");
        Mark(self.undo.len())
    }

    /// From now on changes can be undone.
    pub fn keep_undo(&mut self) {
        self.keeps_undo = true;
    }

    pub fn undo_to(&mut self, mark: Mark) {
        while self.undo.len() > mark.0 {
            let (key, before) = self.undo.pop().expect("is longer than the mark");
            let now = match before {
                Some(before) => {
                    self.bytes += size(key.len(), &before);
                    self.writes.insert(key.clone(), before)
                }
                None => self.writes.remove(&key),
            };
            self.bytes -= now.map_or(0, |now| size(key.len(), &now));
        }
    }

    /// A new statement begins (or a part of one that must see what the parts before it wrote).
    pub fn next_command(&mut self) {
        self.command += 1;
    }

    pub fn command(&self) -> u32 {
        self.command
    }

    /// Own writes of one shard within a range, in key order, as they were when the running command began.
    pub fn range(&self, range: &KeyRange, shard: ShardId) -> impl DoubleEndedIterator<Item = (&Key, &Pending)> {
        let end = if range.end.is_empty() { Bound::Unbounded } else { Bound::Excluded(range.end.clone()) };
        let empty = !range.end.is_empty() && range.start >= range.end;
        let bounds = if empty {
            (Bound::Included(range.start.clone()), Bound::Excluded(range.start.clone()))
        } else {
            (Bound::Included(range.start.clone()), end)
        };
        // An empty range with equal included and excluded bounds is legal for a BTreeMap.
        let command = self.command;
        self.writes.range::<Key, _>(bounds).filter_map(move |(key, pending)| {
            let seen = pending.before(command)?;
            (seen.shard == shard).then_some((key, seen))
        })
    }

    /// Writes of tables by shard, in key order, to be staged. System rows stay: readers of the catalog look for them here.
    pub fn take_tables(&mut self) -> BTreeMap<ShardId, Vec<Write>> {
        let tables = self.writes.split_off(&FIRST_TABLE_KEY[..]);
        let mut by_shard: BTreeMap<ShardId, Vec<Write>> = BTreeMap::new();
        for (key, pending) in tables {
            by_shard.entry(pending.shard).or_default().push(Write { key, row: pending.row, base: pending.base });
        }
        self.undo.clear();
        self.bytes = self.writes.iter().map(|(key, pending)| size(key.len(), pending)).sum();
        by_shard
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Buffer { command: self.command, ..Buffer::new(self.keeps_undo) };
    }

    /// Takes all writes by shard, for the commit.
    pub fn take_by_shard(&mut self) -> BTreeMap<ShardId, Vec<Write>> {
        let mut by_shard = std::mem::take(&mut self.last);
        for (key, pending) in std::mem::take(&mut self.writes) {
            by_shard.entry(pending.shard).or_default().push(Write { key, row: pending.row, base: pending.base });
        }
        self.clear();
        by_shard
    }

    /// Tables and indexes that are written to.
    pub fn storages(&self) -> impl Iterator<Item = (ShardId, base::StorageId)> {
        self.writes
            .range::<[u8], _>((Bound::Included(&FIRST_TABLE_KEY[..]), Bound::Unbounded))
            .map(|(key, pending)| (pending.shard, storage::access::storage_of(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn put(buffer: &mut Buffer, key: &'static str, row: &'static str) {
        let row = (!row.is_empty()).then(|| Bytes::from_static(row.as_bytes()));
        buffer.put(ShardId(1), Bytes::from_static(key.as_bytes()), row, Version(7));
    }

    #[test]
    fn undoing_brings_back_rows_and_size() {
        let mut buffer = Buffer::new(true);
        put(&mut buffer, "a", "1");
        let (mark, bytes) = (buffer.mark(), buffer.bytes());
        put(&mut buffer, "a", "");
        put(&mut buffer, "b", "22");
        put(&mut buffer, "b", "333");
        buffer.undo_to(mark);
        assert_eq!((buffer.bytes(), buffer.get(b"b")), (bytes, None));
        assert_eq!(buffer.get(b"a").and_then(|p| p.row.as_deref()), Some(&b"1"[..]));
    }

    #[test]
    fn the_first_write_of_a_key_decides_its_base() {
        let mut buffer = Buffer::new(true);
        put(&mut buffer, "a", "1");
        buffer.put(ShardId(1), Bytes::from_static(b"a"), None, Version(9));
        assert_eq!(buffer.take_by_shard()[&ShardId(1)][0].base, Version(7));
    }

    #[test]
    fn a_scan_sees_what_commands_before_its_own_wrote() {
        let mut buffer = Buffer::new(true);
        let all = KeyRange { start: Bytes::new(), end: Bytes::new() };
        let rows = |buffer: &Buffer| -> Vec<_> {
            buffer.range(&all, ShardId(1)).map(|(key, pending)| (key.clone(), pending.row.clone())).collect()
        };
        put(&mut buffer, "a", "1");
        assert!(rows(&buffer).is_empty());
        buffer.next_command();
        put(&mut buffer, "a", "2");
        put(&mut buffer, "a", "3");
        put(&mut buffer, "b", "1");
        let first = (Bytes::from_static(b"a"), Some(Bytes::from_static(b"1")));
        assert_eq!(rows(&buffer), [first]);
        buffer.next_command();
        assert_eq!(rows(&buffer).len(), 2);
        assert_eq!(buffer.get(b"a").and_then(|p| p.row.as_deref()), Some(&b"3"[..]));
    }

    #[test]
    fn system_rows_are_not_staged() {
        let mut buffer = Buffer::new(true);
        put(&mut buffer, "\0\0\0\0catalog", "1");
        put(&mut buffer, "\0\0\0\x01row", "2");
        let staged = buffer.take_tables();
        assert_eq!(staged[&ShardId(1)].len(), 1);
        assert!(buffer.get(b"\0\0\0\0catalog").is_some());
        assert_eq!(buffer.storages().count(), 0);
    }

    #[test]
    fn ranges_show_one_shards_writes() {
        let mut buffer = Buffer::new(true);
        for key in ["a", "b", "c"] {
            put(&mut buffer, key, "1");
        }
        buffer.next_command();
        let range = KeyRange { start: Bytes::from_static(b"b"), end: Bytes::new() };
        assert_eq!(buffer.range(&range, ShardId(1)).count(), 2);
        assert_eq!(buffer.range(&range, ShardId(2)).count(), 0);
        let none = KeyRange { start: Bytes::from_static(b"c"), end: Bytes::from_static(b"a") };
        assert_eq!(buffer.range(&none, ShardId(1)).count(), 0);
    }
}
