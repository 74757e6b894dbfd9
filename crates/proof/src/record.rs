//! What a leaf is made of: a row of the ledger as it was committed.
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | kind and version: 1, a row |
//! | 2 | length of the key, big-endian |
//! | … | the row's key, which starts with the number of its table's storage (4 bytes, big-endian) |
//! | … | the row |
//!
//! So a leaf says by itself what it is: no row of one table can pass for one of another.

use crate::error::{Error, Result};
use crate::hash::Hash;

const ROW: u8 = 1;
const WHAT: &str = "a record";

fn header(key: &[u8]) -> [u8; 3] {
    let [high, low] = u16::try_from(key.len()).expect("keys are shorter than 64 KiB").to_be_bytes();
    [ROW, high, low]
}

/// The record of a row.
pub fn of_row(key: &[u8], row: &[u8]) -> Vec<u8> {
    [&header(key), key, row].concat()
}

/// Key and row of a record.
///
/// # Errors
/// `Version` for a kind that this build does not know, `Malformed` if there is no room for the key.
pub fn read_row(record: &[u8]) -> Result<(&[u8], &[u8])> {
    let [kind, high, low, rest @ ..] = record else { return Err(Error::malformed(WHAT, "it has fewer than three bytes")) };
    if *kind != ROW {
        return Err(Error::Version { what: WHAT, version: u64::from(*kind) });
    }
    rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))
        .ok_or_else(|| Error::malformed(WHAT, "its key is longer than itself"))
}

/// Hashes of the leaves of many rows, with one buffer for all.
#[derive(Default)]
pub struct Hasher {
    bytes: Vec<u8>,
}

impl Hasher {
    /// The hash of the leaf that a row's record is: `SHA-256(00 || record)`.
    pub fn leaf(&mut self, key: &[u8], row: &[u8]) -> Hash {
        // The buffer starts with the leaf's mark: a hasher that is fed in pieces costs more.
        self.bytes.clear();
        self.bytes.push(0x00);
        self.bytes.extend_from_slice(&header(key));
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(row);
        Hash::of(&[&self.bytes])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_record_stay_what_they_are() {
        let record = of_row(b"\0\0\0\x03id", b"row");
        assert_eq!(record, b"\x01\0\x06\0\0\0\x03idrow");
        assert_eq!(read_row(&record), Ok((&b"\0\0\0\x03id"[..], &b"row"[..])));
        assert_eq!(Hasher::default().leaf(b"\0\0\0\x03id", b"row"), Hash::of_leaf(&record));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for wrong in [&b""[..], b"\x01\0", b"\x01\0\x04abc", b"\x02\0\0", b"\x00\0\0"] {
            assert!(read_row(wrong).is_err(), "{wrong:?}");
        }
    }
}
