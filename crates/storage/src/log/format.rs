//! The bytes of a write and of the records in it, version 1. docs/formats.md is the reference; a change here changes the version.
//!
//! A write is a header of [`HEADER_BYTES`] and a payload. The payloads of consecutive writes form one stream of records,
//! so a record may begin in one write and end in a later one, also in another segment.

use super::{BLOCK_BYTES, Entry, RECORD_BYTES_MAX};
use base::ShardId;
use bytes::Bytes;

pub const VERSION: u16 = 1;
const MAGIC: [u8; 4] = *b"FLog";
pub const HEADER_BYTES: usize = 64;
pub const RECORD_HEADER_BYTES: usize = 20;
/// Index, term, length of the context, kind, and three bytes of zero.
const ENTRY_FIXED_BYTES: usize = 24;

/// What precedes the payload of each write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub payload_crc: u32,
    /// Bytes of the payload, without padding.
    pub payload_bytes: u32,
    /// Bytes at the payload's start that belong to a record begun in an earlier write.
    pub carried_bytes: u32,
    /// Grows by one with each write over the life of the log; starts at 1.
    pub sequence: u64,
    /// The sequence of the first write of this life of the segment.
    pub epoch: u64,
    /// Writes with a smaller sequence are not needed any more.
    pub needed_from: u64,
    /// Where the write belongs: a misdirected one is not taken for good.
    pub segment: u64,
    /// In blocks.
    pub position: u32,
}

impl Header {
    /// The checksum covers the salt, so a header made without knowing it is not valid.
    pub fn encode(&self, salt: u64) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[4..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.carried_bytes.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.needed_from.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.segment.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.position.to_le_bytes());
        let crc = header_crc(&bytes, salt);
        bytes[0..4].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Length of the whole write on disk.
    pub fn padded_bytes(&self) -> usize {
        (HEADER_BYTES + self.payload_bytes as usize).next_multiple_of(BLOCK_BYTES)
    }
}

/// What the start of a block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    Valid(Header),
    /// Made by a program that is newer than this one.
    NewerVersion(u16),
    /// No header, or a damaged one.
    None,
}

pub fn decode_header(block: &[u8], salt: u64) -> Decoded {
    let Some(bytes) = block.first_chunk::<HEADER_BYTES>() else { return Decoded::None };
    if bytes[4..8] != MAGIC || u32_at(bytes, 0) != header_crc(bytes, salt) {
        return Decoded::None;
    }
    let version = u16::from_le_bytes([bytes[8], bytes[9]]);
    if version > VERSION {
        return Decoded::NewerVersion(version);
    }
    let header = Header {
        payload_crc: u32_at(bytes, 12),
        payload_bytes: u32_at(bytes, 16),
        carried_bytes: u32_at(bytes, 20),
        sequence: u64_at(bytes, 24),
        epoch: u64_at(bytes, 32),
        needed_from: u64_at(bytes, 40),
        segment: u64_at(bytes, 48),
        position: u32_at(bytes, 56),
    };
    let sound = header.carried_bytes <= header.payload_bytes
        && header.epoch >= 1
        && header.epoch <= header.sequence
        && header.needed_from <= header.sequence;
    if version == VERSION && sound { Decoded::Valid(header) } else { Decoded::None }
}

fn header_crc(bytes: &[u8; HEADER_BYTES], salt: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), &bytes[4..])
}

/// A record as it is on disk. An [`super::Record::Entries`] is one `Entry` for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    State {
        term: u64,
        vote: u64,
        commit: u64,
    },
    /// Replaces anything at and after its index.
    Entry(Entry),
    Truncated {
        index: u64,
        term: u64,
    },
    /// As truncated, and later entries are dead too.
    Restarted {
        index: u64,
        term: u64,
    },
    Removed,
    /// An entry that is moved out of an old segment: replaces nothing but itself.
    Moved(Entry),
    /// The shard is damaged until `Removed`.
    Damaged,
    /// The damage of these writes has been noted in records before this one.
    Noted {
        first: u64,
        last: u64,
    },
}

const KIND_STATE: u8 = 1;
const KIND_ENTRY: u8 = 2;
const KIND_TRUNCATED: u8 = 3;
const KIND_REMOVED: u8 = 4;
const KIND_MOVED: u8 = 5;
const KIND_DAMAGED: u8 = 6;
const KIND_NOTED: u8 = 7;
const KIND_RESTARTED: u8 = 8;

pub fn encode_state(into: &mut Vec<u8>, shard: ShardId, term: u64, vote: u64, commit: u64) {
    encode_record(into, shard, KIND_STATE, &[&term.to_le_bytes(), &vote.to_le_bytes(), &commit.to_le_bytes()]);
}

pub fn encode_truncated(into: &mut Vec<u8>, shard: ShardId, index: u64, term: u64) {
    encode_record(into, shard, KIND_TRUNCATED, &[&index.to_le_bytes(), &term.to_le_bytes()]);
}

pub fn encode_restarted(into: &mut Vec<u8>, shard: ShardId, index: u64, term: u64) {
    encode_record(into, shard, KIND_RESTARTED, &[&index.to_le_bytes(), &term.to_le_bytes()]);
}

pub fn encode_removed(into: &mut Vec<u8>, shard: ShardId) {
    encode_record(into, shard, KIND_REMOVED, &[]);
}

pub fn encode_damaged(into: &mut Vec<u8>, shard: ShardId) {
    encode_record(into, shard, KIND_DAMAGED, &[]);
}

pub fn encode_noted(into: &mut Vec<u8>, first: u64, last: u64) {
    encode_record(into, ShardId(0), KIND_NOTED, &[&first.to_le_bytes(), &last.to_le_bytes()]);
}

pub fn encode_entry(into: &mut Vec<u8>, shard: ShardId, entry: &Entry, moved: bool) {
    let mut fixed = [0; ENTRY_FIXED_BYTES];
    let context_bytes = u32::try_from(entry.context.len()).expect("records are smaller than RECORD_BYTES_MAX");
    fixed[0..8].copy_from_slice(&entry.index.to_le_bytes());
    fixed[8..16].copy_from_slice(&entry.term.to_le_bytes());
    fixed[16..20].copy_from_slice(&context_bytes.to_le_bytes());
    fixed[20] = entry.kind;
    encode_record(into, shard, if moved { KIND_MOVED } else { KIND_ENTRY }, &[&fixed, &entry.context, &entry.data]);
}

/// Bytes that an entry takes in the log.
pub fn entry_bytes(entry: &Entry) -> usize {
    RECORD_HEADER_BYTES + ENTRY_FIXED_BYTES + entry.context.len() + entry.data.len()
}

fn encode_record(into: &mut Vec<u8>, shard: ShardId, kind: u8, body: &[&[u8]]) {
    let body_bytes: usize = body.iter().map(|part| part.len()).sum();
    assert!(body_bytes <= RECORD_BYTES_MAX, "a record of the log has {body_bytes} bytes");
    let mut header = [0; RECORD_HEADER_BYTES];
    let body_crc = body.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part));
    header[4..8].copy_from_slice(&body_crc.to_le_bytes());
    header[8..12].copy_from_slice(&(body_bytes as u32).to_le_bytes());
    header[12..16].copy_from_slice(&shard.0.to_le_bytes());
    header[16] = kind;
    let header_crc = crc32c::crc32c(&header[4..]);
    header[0..4].copy_from_slice(&header_crc.to_le_bytes());
    into.reserve(RECORD_HEADER_BYTES + body_bytes);
    into.extend_from_slice(&header);
    body.iter().for_each(|part| into.extend_from_slice(part));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    body_crc: u32,
    pub body_bytes: usize,
    pub shard: ShardId,
    kind: u8,
}

/// `None`: damaged, so neither the length nor the shard can be relied on.
pub fn decode_record_header(bytes: &[u8; RECORD_HEADER_BYTES]) -> Option<RecordHeader> {
    let header = RecordHeader {
        body_crc: u32_at(bytes, 4),
        body_bytes: u32_at(bytes, 8) as usize,
        shard: ShardId(u32_at(bytes, 12)),
        kind: bytes[16],
    };
    let sound = u32_at(bytes, 0) == crc32c::crc32c(&bytes[4..]) && header.body_bytes <= RECORD_BYTES_MAX;
    sound.then_some(header)
}

/// `None`: the body is damaged, or of a kind that this version does not know.
pub fn decode_record(header: &RecordHeader, body: &[u8]) -> Option<Item> {
    if body.len() != header.body_bytes || crc32c::crc32c(body) != header.body_crc {
        return None;
    }
    match (header.kind, body.len()) {
        (KIND_STATE, 24) => Some(Item::State { term: u64_at(body, 0), vote: u64_at(body, 8), commit: u64_at(body, 16) }),
        (KIND_ENTRY, _) => decode_entry(body).map(Item::Entry),
        (KIND_TRUNCATED, 16) => Some(Item::Truncated { index: u64_at(body, 0), term: u64_at(body, 8) }),
        (KIND_RESTARTED, 16) => Some(Item::Restarted { index: u64_at(body, 0), term: u64_at(body, 8) }),
        (KIND_REMOVED, 0) => Some(Item::Removed),
        (KIND_MOVED, _) => decode_entry(body).map(Item::Moved),
        (KIND_DAMAGED, 0) => Some(Item::Damaged),
        (KIND_NOTED, 16) => Some(Item::Noted { first: u64_at(body, 0), last: u64_at(body, 8) }),
        _ => None,
    }
}

fn decode_entry(body: &[u8]) -> Option<Entry> {
    let (fixed, rest) = body.split_at_checked(ENTRY_FIXED_BYTES)?;
    let (context, data) = rest.split_at_checked(u32_at(fixed, 16) as usize)?;
    Some(Entry {
        index: u64_at(fixed, 0),
        term: u64_at(fixed, 8),
        kind: fixed[20],
        context: Bytes::copy_from_slice(context),
        data: Bytes::copy_from_slice(data),
    })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("the slice has four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("the slice has eight bytes"))
}
