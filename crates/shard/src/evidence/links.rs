//! Which leaves each batch added: what leads from a row's version to its leaf.
//!
//! In the store a block of links is one value of `Evidence`. Key: `l`, the stamp of its first link (8 bytes, big-endian), the index of its first leaf (8). Value: a
//! format byte 1, then for each link its version (8), the number of its leaves (4) and the tree's root after it (32), big-endian. The *stamp* of a link is the newest version of all
//! links up to it: a transaction over several shards is decided after others with newer versions were committed.

use base::{Error, Result, SqlState, Version};
use bytes::{BufMut, Bytes};
use proof::Hash;

pub const PREFIX: u8 = b'l';
const FORMAT: u8 = 1;
const LINK_BYTES: usize = 8 + 4 + 32;
/// Links of one block.
pub const BLOCK_LINKS: usize = 256;

/// One batch in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub stamp: Version,
    pub version: Version,
    /// Its first leaf, and how many it has.
    pub first: u64,
    pub count: u32,
    /// Of the whole tree after it.
    pub root: Hash,
}

pub fn key(stamp: Version, first: u64) -> Bytes {
    let mut key = Vec::with_capacity(17);
    key.put_u8(PREFIX);
    key.put_u64(stamp.0);
    key.put_u64(first);
    Bytes::from(key)
}

pub fn encode(links: &[Link]) -> Bytes {
    let mut bytes = Vec::with_capacity(1 + links.len() * LINK_BYTES);
    bytes.put_u8(FORMAT);
    for link in links {
        bytes.put_u64(link.version.0);
        bytes.put_u32(link.count);
        bytes.put_slice(&link.root.0);
    }
    Bytes::from(bytes)
}

/// # Errors
/// `XX001` if it is no block.
pub fn decode(key: &[u8], value: &[u8]) -> Result<Vec<Link>> {
    let damaged = || Error::new(SqlState::DATA_CORRUPTED, "a block of the ledger's evidence is damaged");
    let (&PREFIX, key) = key.split_first().ok_or_else(damaged)? else { return Err(damaged()) };
    let (stamp, first) = key.split_first_chunk::<8>().ok_or_else(damaged)?;
    let first: &[u8; 8] = first.try_into().map_err(|_| damaged())?;
    let (mut stamp, mut first) = (Version(u64::from_be_bytes(*stamp)), u64::from_be_bytes(*first));
    let (&FORMAT, value) = value.split_first().ok_or_else(damaged)? else { return Err(damaged()) };
    let (links, rest) = value.as_chunks::<LINK_BYTES>();
    if links.is_empty() || !rest.is_empty() {
        return Err(damaged());
    }
    let mut read = Vec::with_capacity(links.len());
    for bytes in links {
        let (version, rest) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
        let (count, root) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (version, count) = (Version(u64::from_be_bytes(*version)), u32::from_be_bytes(*count));
        stamp = stamp.max(version);
        read.push(Link { stamp, version, first, count, root: Hash::from_slice(root).ok_or_else(damaged)? });
        first = first.checked_add(u64::from(count)).ok_or_else(damaged)?;
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back_as_they_were_and_damaged_ones_are_refused() {
        let link = |version, stamp, first, count| Link {
            version: Version(version),
            stamp: Version(stamp),
            first,
            count,
            root: Hash::of_leaf(&[first as u8]),
        };
        let links = [link(7, 9, 100, 3), link(9, 9, 103, 1), link(12, 12, 104, 70_000)];
        let (key, value) = (key(links[0].stamp, links[0].first), encode(&links));
        assert_eq!(value.len(), 1 + 3 * 44);
        assert_eq!(decode(&key, &value).unwrap(), links);
        for cut in 0..value.len() {
            assert!(decode(&key, &value[..cut]).is_err() || cut == 45 || cut == 89, "{cut}");
        }
        assert!(decode(&key[..16], &value).is_err() && decode(b"", &value).is_err());
    }
}
