//! Finds the writes in a segment file, whatever state it is in.
//!
//! A recycled segment still holds writes of its earlier lives behind the newest one; they have a smaller epoch. Blocks are searched
//! one by one only where no write is found; the inside of a write is never searched.

use super::BLOCK_BYTES;
use super::format::{Decoded, HEADER_BYTES, Header, decode_header};
use base::{Error, Result, SqlState};

/// One write of the newest life of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub header: Header,
    pub offset: usize,
    pub intact: bool,
}

impl Found {
    pub fn payload<'a>(&self, segment: &'a [u8]) -> &'a [u8] {
        let start = self.offset + HEADER_BYTES;
        &segment[start..start + self.header.payload_bytes as usize]
    }

    pub fn end(&self) -> usize {
        self.offset + self.header.padded_bytes()
    }
}

#[derive(Debug)]
pub struct Scanned {
    pub file: u64,
    /// Length of the file in whole blocks, in bytes.
    pub bytes: u64,
    /// All of one epoch, in the order of their sequences.
    pub writes: Vec<Found>,
}

/// # Errors
/// `0A000` if the segment was written by a newer version.
pub fn scan(file: u64, segment: &[u8], salt: u64) -> Result<Scanned> {
    let length = segment.len() / BLOCK_BYTES * BLOCK_BYTES;
    let mut writes: Vec<Found> = Vec::new();
    let mut offset = 0;
    while offset < length {
        match find(file, &segment[..length], offset, salt)? {
            Some(found) if follows(&writes, &found) => {
                if writes.last().is_some_and(|last| last.header.epoch < found.header.epoch) {
                    writes.clear();
                }
                writes.push(found);
                offset = found.end();
            }
            _ => offset += BLOCK_BYTES,
        }
    }
    Ok(Scanned { file, bytes: length as u64, writes })
}

fn follows(writes: &[Found], found: &Found) -> bool {
    writes.last().is_none_or(|last| {
        let (last, next) = (&last.header, &found.header);
        next.epoch > last.epoch || (next.epoch == last.epoch && next.sequence > last.sequence)
    })
}

fn find(file: u64, segment: &[u8], offset: usize, salt: u64) -> Result<Option<Found>> {
    let header = match decode_header(&segment[offset..], salt) {
        Decoded::Valid(header) => header,
        Decoded::None => return Ok(None),
        Decoded::NewerVersion(version) => return Err(newer_version(file, version)),
    };
    let placed = header.segment == file && header.position as usize == offset / BLOCK_BYTES;
    if !placed || segment.len() - offset < header.padded_bytes() {
        return Ok(None);
    }
    let mut found = Found { header, offset, intact: false };
    found.intact = crc32c::crc32c(found.payload(segment)) == header.payload_crc;
    Ok(Some(found))
}

fn newer_version(file: u64, version: u16) -> Error {
    Error::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        format!("log segment {file} has format version {version}, which this program does not know"),
    )
    .with_hint("Start the newer program that wrote this data directory.")
}
