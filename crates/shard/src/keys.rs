//! Keys and values inside the row store.
//!
//! - `Current`: row key → version (8 bytes, big-endian) and row.
//! - `History`: row key with each 00 written as 00 FF, then 00 00, then the complement of the version (8 bytes, big-endian) →
//!   the version that replaced it (8 bytes, big-endian; a deletion has its own version here), 1 and the row, or 0 for a deletion. So the keys of
//!   one row stand together, newest first, in the order of the row keys.
//! - `Staged`: transaction (24 bytes, big-endian) and row key → 1 and the row, or 0 for a deletion.
//! - `Packed`: transaction (as above) and the row key of the first of some rows of one storage → those rows (`storage::packed::Run`). No two
//!   runs of a transaction overlap; what `Staged` has of a row is newer than what a run has.

use crate::wire::{Malformed, Read};
use base::{TxnId, Version};
use bytes::{BufMut, Bytes};
use storage::access::{Key, Row};

pub fn current_value(version: Version, row: &[u8]) -> Bytes {
    let mut value = Vec::with_capacity(8 + row.len());
    value.put_u64(version.0);
    value.extend_from_slice(row);
    Bytes::from(value)
}

pub fn current_version(value: &[u8]) -> Read<Version> {
    let version = value.first_chunk::<8>().ok_or(Malformed("a stored row has no version"))?;
    Ok(Version(u64::from_be_bytes(*version)))
}

/// Start of all history of a row key. Order-preserving: ranges of row keys become ranges of these.
pub fn history_prefix(key: &[u8]) -> Vec<u8> {
    let mut into = history_bound(key);
    into.extend_from_slice(&[0, 0]);
    into
}

/// Where the history of keys at or above this one starts.
pub fn history_bound(key: &[u8]) -> Vec<u8> {
    let mut into = Vec::with_capacity(key.len() + 16);
    for byte in key {
        into.push(*byte);
        if *byte == 0 {
            into.push(0xff);
        }
    }
    into
}

pub fn history_key(key: &[u8], version: Version) -> Bytes {
    let mut into = history_prefix(key);
    into.put_u64(!version.0);
    Bytes::from(into)
}

/// The row key and version of a history key.
pub fn read_history_key(bytes: &[u8]) -> Read<(Key, Version)> {
    const BAD: Malformed = Malformed("not a key of the history");
    let (escaped, version) = bytes.split_last_chunk::<8>().ok_or(BAD)?;
    let escaped = escaped.strip_suffix(&[0, 0]).ok_or(BAD)?;
    let mut key = Vec::with_capacity(escaped.len());
    let mut at = 0;
    while at < escaped.len() {
        key.push(escaped[at]);
        if escaped[at] == 0 {
            if escaped.get(at + 1) != Some(&0xff) {
                return Err(BAD);
            }
            at += 1;
        }
        at += 1;
    }
    Ok((Key::from(key), Version(!u64::from_be_bytes(*version))))
}

pub fn history_value(until: Version, row: Option<&[u8]>) -> Bytes {
    let mut value = Vec::with_capacity(9 + row.map_or(0, <[u8]>::len));
    value.put_u64(until.0);
    value.extend_from_slice(&staged_value(row));
    Bytes::from(value)
}

/// The version that replaced it, and the row.
pub fn read_history_value(value: &[u8]) -> Read<(Version, Option<Row>)> {
    let (until, row) = value.split_first_chunk::<8>().ok_or(Malformed("a historic row has no version"))?;
    Ok((Version(u64::from_be_bytes(*until)), read_staged_value(row)?))
}

pub const STAGED_PREFIX_BYTES: usize = 24;

pub fn staged_prefix(txn: TxnId) -> Vec<u8> {
    let mut into = Vec::with_capacity(STAGED_PREFIX_BYTES);
    put_staged_prefix(txn, &mut into);
    into
}

fn put_staged_prefix(txn: TxnId, into: &mut Vec<u8>) {
    into.put_u64(txn.started);
    into.put_u32(txn.node.0);
    into.put_u32(txn.boot);
    into.put_u64(txn.sequence);
}

pub fn staged_key(txn: TxnId, key: &[u8]) -> Bytes {
    let mut into = Vec::with_capacity(STAGED_PREFIX_BYTES + key.len());
    put_staged_prefix(txn, &mut into);
    into.extend_from_slice(key);
    Bytes::from(into)
}

pub fn staged_value(row: Option<&[u8]>) -> Bytes {
    match row {
        Some(row) => {
            let mut value = Vec::with_capacity(1 + row.len());
            value.push(1);
            value.extend_from_slice(row);
            Bytes::from(value)
        }
        None => Bytes::from_static(&[0]),
    }
}

pub fn read_staged_value(value: &[u8]) -> Read<Option<Row>> {
    match value.split_first() {
        Some((1, row)) => Ok(Some(Row::copy_from_slice(row))),
        Some((0, [])) => Ok(None),
        _ => Err(Malformed("a staged row is neither present nor deleted")),
    }
}

/// The first key above all keys with this prefix; empty if there is none.
pub fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.last_mut() {
        if *last < 0xff {
            *last += 1;
            return end;
        }
        end.pop();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Prng;

    #[test]
    fn history_keys_keep_the_order_of_rows_and_put_new_versions_first() {
        let mut prng = Prng::new(1);
        let mut keys: Vec<(Vec<u8>, u64)> = (0..500)
            .map(|_| {
                let key = (0..prng.below(4)).map(|_| [0, 1, 0xfe, 0xff][prng.below(4) as usize]).collect();
                (key, prng.below(3))
            })
            .collect();
        keys.sort_by(|a, b| (&a.0, !a.1).cmp(&(&b.0, !b.1)));
        let encoded: Vec<Bytes> = keys.iter().map(|(key, version)| history_key(key, Version(*version))).collect();
        assert!(encoded.is_sorted());
        for ((key, version), bytes) in keys.iter().zip(&encoded) {
            assert_eq!(read_history_key(bytes), Ok((Key::copy_from_slice(key), Version(*version))));
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_above_all_its_keys() {
        assert_eq!(after_prefix(b"a\xff"), b"b");
        assert_eq!(after_prefix(b"\xff\xff"), b"");
    }
}
