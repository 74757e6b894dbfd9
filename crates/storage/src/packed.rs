//! Changes of many rows in one string of bytes, in the order of their keys: so rows in bulk travel, are logged and are stored, without an
//! allocation for each.
//!
//! Format (docs/formats.md, "A shard's log entries"): a count (4 bytes, little-endian), then each key and optional row behind its
//! length (4, little-endian; `ff ff ff ff` for an absent row). A [`Run`] is a stretch of it without the count.

use base::{Error, Result, SqlState};
use bytes::{BufMut, Bytes};

/// Length that stands for an absent row.
const ABSENT: u32 = u32::MAX;
const COUNT_BYTES: usize = 4;
/// Bytes that a change takes beside its key and row.
pub const CHANGE_OVERHEAD: usize = 8;

/// A key and its row; `None` deletes.
pub type ChangeRef<'a> = (&'a [u8], Option<&'a [u8]>);

/// Where a key and its row lie in the bytes.
type Place = (std::ops::Range<usize>, Option<std::ops::Range<usize>>);

/// Puts changes together.
#[derive(Debug)]
pub struct Packer {
    bytes: Vec<u8>,
    count: u32,
    /// Where the last key lies.
    last: std::ops::Range<usize>,
}

impl Default for Packer {
    fn default() -> Packer {
        Packer::with_capacity(0)
    }
}

impl Packer {
    pub fn with_capacity(bytes: usize) -> Packer {
        let mut packed = Vec::with_capacity(COUNT_BYTES + bytes);
        packed.put_u32_le(0);
        Packer { bytes: packed, count: 0, last: 0..0 }
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Of everything so far.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub fn last_key(&self) -> Option<&[u8]> {
        (self.count > 0).then(|| &self.bytes[self.last.clone()])
    }

    /// Adds the change of a key that is greater than all before it.
    pub fn push(&mut self, key: &[u8], row: Option<&[u8]>) {
        assert!(self.last_key().is_none_or(|last| last < key), "changes are packed in the order of their keys");
        self.push_key(key);
        match row {
            Some(row) => {
                self.bytes.put_u32_le(length(row.len()));
                self.bytes.extend_from_slice(row);
            }
            None => self.bytes.put_u32_le(ABSENT),
        }
    }

    /// The same with a row that is written in its place.
    ///
    /// # Errors
    /// Whatever writing the row gives; then nothing was added.
    pub fn push_with<E>(
        &mut self,
        key: &[u8],
        write: impl FnOnce(&mut Vec<u8>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        assert!(self.last_key().is_none_or(|last| last < key), "changes are packed in the order of their keys");
        let (before, last) = (self.bytes.len(), self.last.clone());
        self.push_key(key);
        self.bytes.put_u32_le(0);
        let start = self.bytes.len();
        if let Err(error) = write(&mut self.bytes) {
            self.bytes.truncate(before);
            self.last = last;
            self.count -= 1;
            return Err(error);
        }
        let length = length(self.bytes.len() - start);
        self.bytes[start - COUNT_BYTES..start].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    fn push_key(&mut self, key: &[u8]) {
        self.count += 1;
        self.bytes.put_u32_le(length(key.len()));
        self.last = self.bytes.len()..self.bytes.len() + key.len();
        self.bytes.extend_from_slice(key);
    }

    pub fn finish(mut self) -> Packed {
        self.bytes[..COUNT_BYTES].copy_from_slice(&self.count.to_le_bytes());
        Packed { bytes: Bytes::from(self.bytes) }
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).ok().filter(|length| *length != ABSENT).expect("keys and rows are bounded far below 4 GiB")
}

/// Changes that were found to be well-formed and in the order of their keys, each key once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    bytes: Bytes,
}

impl Packed {
    /// # Errors
    /// `XX001` if the bytes are not exactly what a [`Packer`] makes.
    pub fn read(bytes: Bytes) -> Result<Packed> {
        let count = bytes.first_chunk::<COUNT_BYTES>().map(|count| u32::from_le_bytes(*count)).ok_or_else(|| malformed("no count"))?;
        let packed = Packed { bytes };
        let (mut seen, mut last): (u32, Option<&[u8]>) = (0, None);
        for change in Changes::of(&packed.bytes[COUNT_BYTES..]) {
            let (key, _) = change?;
            if last.is_some_and(|last| last >= key) {
                return Err(malformed("a key out of order"));
            }
            last = Some(key);
            seen = seen.saturating_add(1);
        }
        if seen == count { Ok(packed) } else { Err(malformed("another count")) }
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub fn len(&self) -> usize {
        self.bytes.first_chunk::<COUNT_BYTES>().map_or(0, |count| u32::from_le_bytes(*count) as usize)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = ChangeRef<'_>> {
        Changes::of(&self.bytes[COUNT_BYTES..]).map(|change| change.expect("the bytes were checked when they were read, or made by us"))
    }

    /// Stretches of about `bytes` bytes whose keys start with the same four bytes, sharing the memory: the first key, the last key and the stretch.
    pub fn runs(&self, bytes: usize) -> impl Iterator<Item = (Bytes, Bytes, Run)> {
        let mut at = COUNT_BYTES;
        std::iter::from_fn(move || {
            let (start, mut first, mut last): (_, Option<std::ops::Range<usize>>, _) = (at, None, 0..0);
            while at < self.bytes.len() {
                let (key, row) = place(&self.bytes, at).expect("the bytes were checked when they were read, or made by us");
                let prefix = |key: &std::ops::Range<usize>| &self.bytes[key.start..key.end.min(key.start + 4)];
                if first.as_ref().is_some_and(|first| at - start >= bytes || prefix(first) != prefix(&key)) {
                    break;
                }
                at = row.map_or(key.end + 4, |row| row.end);
                first.get_or_insert_with(|| key.clone());
                last = key;
            }
            first.map(|first| (self.bytes.slice(first), self.bytes.slice(last), Run(self.bytes.slice(start..at))))
        })
    }
}

/// A stretch of packed changes, as it is stored. It may be damaged, so reading it can fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run(pub Bytes);

impl Run {
    /// # Errors
    /// `XX001` if the bytes are damaged.
    pub fn find(&self, key: &[u8]) -> Result<Option<Option<Bytes>>> {
        let mut at = 0;
        while at < self.0.len() {
            let (found, row) = place(&self.0, at)?;
            match self.0[found.clone()].cmp(key) {
                std::cmp::Ordering::Less => at = row.map_or(found.end + 4, |row| row.end),
                std::cmp::Ordering::Equal => return Ok(Some(row.map(|row| self.0.slice(row)))),
                std::cmp::Ordering::Greater => return Ok(None),
            }
        }
        Ok(None)
    }

    /// All changes, sharing the memory of the run.
    ///
    /// # Errors
    /// `XX001` if the bytes are damaged.
    pub fn changes(&self) -> Result<Vec<(Bytes, Option<Bytes>)>> {
        let (mut at, mut changes) = (0, Vec::new());
        while at < self.0.len() {
            let (key, row) = place(&self.0, at)?;
            at = row.as_ref().map_or(key.end + 4, |row| row.end);
            changes.push((self.0.slice(key), row.map(|row| self.0.slice(row))));
        }
        Ok(changes)
    }
}

struct Changes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Changes<'a> {
    fn of(bytes: &'a [u8]) -> Changes<'a> {
        Changes { bytes, at: 0 }
    }
}

impl<'a> Iterator for Changes<'a> {
    type Item = Result<ChangeRef<'a>>;

    fn next(&mut self) -> Option<Result<ChangeRef<'a>>> {
        if self.at >= self.bytes.len() {
            return None;
        }
        match place(self.bytes, self.at) {
            Ok((key, row)) => {
                self.at = row.as_ref().map_or(key.end + 4, |row| row.end);
                Some(Ok((&self.bytes[key], row.map(|row| &self.bytes[row]))))
            }
            Err(error) => {
                self.at = self.bytes.len();
                Some(Err(error))
            }
        }
    }
}

/// Where the change that starts at `at` has its key and row.
fn place(bytes: &[u8], at: usize) -> Result<Place> {
    let length_at = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).map(|length| u32::from_le_bytes(*length));
    let end_of = |start: usize, length: u32| start.checked_add(length as usize).filter(|end| *end <= bytes.len());
    let key = length_at(at).filter(|length| *length != ABSENT).and_then(|length| Some(at + 4..end_of(at + 4, length)?));
    let key = key.ok_or_else(|| malformed("a key that is cut off"))?;
    let row = match length_at(key.end).ok_or_else(|| malformed("a row that is cut off"))? {
        ABSENT => None,
        length => Some(key.end + 4..end_of(key.end + 4, length).ok_or_else(|| malformed("a row that is cut off"))?),
    };
    Ok((key, row))
}

fn malformed(what: &str) -> Error {
    Error::new(SqlState::DATA_CORRUPTED, format!("malformed bytes: packed changes with {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Prng;

    fn packed(changes: &[(&str, Option<&str>)]) -> Packed {
        let mut packer = Packer::default();
        for (key, row) in changes {
            packer.push(key.as_bytes(), row.map(str::as_bytes));
        }
        packer.finish()
    }

    const CHANGES: [(&str, Option<&str>); 5] = [
        ("\0\0\0\x01a", Some("1")),
        ("\0\0\0\x01b", None),
        ("\0\0\0\x01c", Some("")),
        ("\0\0\0\x02a", Some("4")),
        ("\0\0\0\x02b", Some("5")),
    ];

    #[test]
    fn the_bytes_of_packed_changes_stay_what_they_are() {
        let bytes = packed(&[("k", Some("ab")), ("l", None)]).bytes().clone();
        assert_eq!(bytes[..], *b"\x02\0\0\0\x01\0\0\0k\x02\0\0\0ab\x01\0\0\0l\xff\xff\xff\xff");
    }

    #[test]
    fn changes_come_back_as_they_were() {
        let whole = Packed::read(packed(&CHANGES).bytes().clone()).unwrap();
        let back: Vec<_> = whole.iter().collect();
        assert_eq!(back, CHANGES.map(|(key, row)| (key.as_bytes(), row.map(str::as_bytes))));
        assert_eq!(whole.len(), 5);
        let mut packer = Packer::default();
        for (key, row) in CHANGES {
            let failed: std::result::Result<(), u8> = packer.push_with(key.as_bytes(), |out| {
                out.push(9);
                Err(7)
            });
            assert_eq!(failed, Err(7));
            match row {
                Some(row) => packer
                    .push_with(key.as_bytes(), |out| {
                        out.extend_from_slice(row.as_bytes());
                        Ok::<(), u8>(())
                    })
                    .unwrap(),
                None => packer.push(key.as_bytes(), None),
            }
        }
        assert_eq!(packer.finish(), whole);
    }

    #[test]
    fn runs_end_with_their_storage_and_hold_everything() {
        for bytes in [1, 20, 1_000] {
            let whole = packed(&CHANGES);
            let mut back = Vec::new();
            for (first, last, run) in whole.runs(bytes) {
                let changes = run.changes().unwrap();
                assert_eq!((&first, &last), (&changes[0].0, &changes[changes.len() - 1].0));
                assert_eq!(first[..4], last[..4]);
                back.extend(changes);
            }
            assert_eq!(back, CHANGES.map(|(key, row)| (Bytes::from(key), row.map(Bytes::from))));
        }
        let (_, _, run) = packed(&CHANGES).runs(1_000).next().unwrap();
        assert_eq!(run.find(b"\0\0\0\x01b").unwrap(), Some(None));
        assert_eq!(run.find(b"\0\0\0\x01c").unwrap(), Some(Some(Bytes::new())));
        assert_eq!(run.find(b"\0\0\0\x01bb").unwrap(), None);
    }

    #[test]
    fn damaged_bytes_are_refused_without_a_panic() {
        let bytes = packed(&CHANGES).bytes().to_vec();
        for cut in 0..bytes.len() {
            assert!(Packed::read(Bytes::copy_from_slice(&bytes[..cut])).is_err());
        }
        let mut prng = Prng::new(5);
        for _ in 0..2_000 {
            let mut damaged = bytes.clone();
            let at = prng.below(damaged.len() as u64) as usize;
            damaged[at] = prng.next_u64() as u8;
            let _ = Packed::read(Bytes::from(damaged.clone()));
            let _ = Run(Bytes::from(damaged)).changes();
        }
        let mut twice = Packer::default();
        twice.push(b"b", None);
        let mut bytes = twice.finish().bytes().to_vec();
        bytes.extend_from_within(COUNT_BYTES..);
        bytes[0] = 2;
        assert!(Packed::read(Bytes::from(bytes)).is_err());
    }
}
