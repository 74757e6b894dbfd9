//! Messages between the replicas of a shard, in our own encoding.
//!
//! The consensus library's messages are written field by field: its protobuf decoder never sees bytes of the network.
//! Sender and receiver are the transport's affair and are not encoded. Decoding is bounded by the message's length.

use crate::members::Members;
use crate::wire::{Malformed, Read, Reader, Writer};
use base::Version;
use bytes::Bytes;
use raft::eraftpb::{Entry, EntryType, Message, MessageType, Snapshot};
use storage::access::Key;
use storage::rows::Space;

/// One row of a store on its way to a replica that fell behind.
pub type Item = (Space, Key, Bytes);

/// The state that a transfer of rows ends with.
#[derive(Clone, Debug, PartialEq)]
pub struct RowsEnd {
    pub index: u64,
    pub term: u64,
    pub members: Members,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Wire {
    Raft(Message),
    /// Asks for chunk `number` of a transfer; 0 starts it. `lost`: the replica has lost its log too.
    RowsWanted {
        transfer: u64,
        number: u64,
        lost: bool,
        /// Rows older than this entry would leave a gap before the receiver's log.
        at_least: u64,
    },
    Rows {
        transfer: u64,
        number: u64,
        items: Vec<Item>,
        end: Option<RowsEnd>,
    },
    /// The sender cannot go on with the transfer: start again.
    RowsRefused {
        transfer: u64,
    },
    /// Asks for the checksum of the rows in `start..end` (an empty end: to the end) as of `version`, once `index` is applied.
    ScrubAsk {
        number: u64,
        start: Bytes,
        end: Bytes,
        version: Version,
        index: u64,
    },
    /// No checksum: the replica cannot read its rows.
    ScrubAnswer {
        number: u64,
        hash: Option<u64>,
    },
    /// The receiver's rows are damaged: it drops them and fetches the leader's.
    ScrubDrop {
        term: u64,
    },
    /// The leader's chain of the ledger's evidence after an entry: what the next checksum is to be judged with.
    EvidenceTold {
        index: u64,
        chain: [u8; 32],
    },
    /// The sender may have forgotten what it promised. It asks whom it takes for its leader whether that one leads without those promises.
    VouchAsked {
        /// Drawn at the sender's start: what its earlier lives asked is not answered to this one.
        nonce: u64,
    },
    /// The sender's lease in this term held when it was asked.
    Vouched {
        nonce: u64,
        term: u64,
        /// The receiver has a vote: it is not new, and had promised.
        votes: bool,
    },
}

const RAFT: u8 = 1;
const ROWS_WANTED: u8 = 2;
const ROWS: u8 = 3;
const ROWS_REFUSED: u8 = 4;
const SCRUB_ASK: u8 = 5;
const SCRUB_ANSWER: u8 = 6;
const SCRUB_DROP: u8 = 7;
const VOUCH_ASKED: u8 = 8;
const VOUCHED: u8 = 9;
const EVIDENCE_TOLD: u8 = 10;

impl Wire {
    pub fn encode(&self) -> Bytes {
        match self {
            Wire::Raft(message) => encode_raft(message, &message.context),
            Wire::RowsWanted { transfer, number, lost, at_least } => {
                let mut w = Writer::with_capacity(28);
                w.u8(ROWS_WANTED);
                w.u64(*transfer);
                w.u64(*number);
                w.bool(*lost);
                w.u64(*at_least);
                w.finish()
            }
            Wire::Rows { transfer, number, items, end } => {
                let size = items.iter().map(|(_, key, value)| 9 + key.len() + value.len()).sum::<usize>();
                let mut w = Writer::with_capacity(64 + size);
                w.u8(ROWS);
                w.u64(*transfer);
                w.u64(*number);
                w.count(items.len());
                for (space, key, value) in items {
                    w.u8(space_code(*space));
                    w.bytes(key);
                    w.bytes(value);
                }
                w.bool(end.is_some());
                if let Some(end) = end {
                    w.u64(end.index);
                    w.u64(end.term);
                    end.members.write(&mut w);
                }
                w.finish()
            }
            Wire::RowsRefused { transfer } => one_number(ROWS_REFUSED, *transfer),
            Wire::ScrubAsk { number, start, end, version, index } => {
                let mut w = Writer::with_capacity(40 + start.len() + end.len());
                w.u8(SCRUB_ASK);
                w.u64(*number);
                w.bytes(start);
                w.bytes(end);
                w.version(*version);
                w.u64(*index);
                w.finish()
            }
            Wire::ScrubAnswer { number, hash } => {
                let mut w = Writer::with_capacity(18);
                w.u8(SCRUB_ANSWER);
                w.u64(*number);
                w.bool(hash.is_some());
                w.u64(hash.unwrap_or_default());
                w.finish()
            }
            Wire::ScrubDrop { term } => one_number(SCRUB_DROP, *term),
            Wire::EvidenceTold { index, chain } => {
                let mut w = Writer::with_capacity(41);
                w.u8(EVIDENCE_TOLD);
                w.u64(*index);
                w.bytes.extend_from_slice(chain);
                w.finish()
            }
            Wire::VouchAsked { nonce } => one_number(VOUCH_ASKED, *nonce),
            Wire::Vouched { nonce, term, votes } => {
                let mut w = Writer::with_capacity(18);
                w.u8(VOUCHED);
                w.u64(*nonce);
                w.u64(*term);
                w.bool(*votes);
                w.finish()
            }
        }
    }

    /// # Errors
    /// If the bytes are not exactly one message.
    pub fn decode(bytes: Bytes) -> Read<Wire> {
        let mut r = Reader::new(bytes);
        let message = match r.u8()? {
            RAFT => Wire::Raft(read_raft(&mut r)?),
            ROWS_WANTED => Wire::RowsWanted { transfer: r.u64()?, number: r.u64()?, lost: r.bool()?, at_least: r.u64()? },
            ROWS => {
                let (transfer, number) = (r.u64()?, r.u64()?);
                let count = r.count(9)?;
                let mut items = Vec::with_capacity(count);
                for _ in 0..count {
                    items.push((read_space(&mut r)?, r.bytes()?, r.bytes()?));
                }
                let end = match r.bool()? {
                    true => Some(RowsEnd { index: r.u64()?, term: r.u64()?, members: Members::read(&mut r)? }),
                    false => None,
                };
                Wire::Rows { transfer, number, items, end }
            }
            ROWS_REFUSED => Wire::RowsRefused { transfer: r.u64()? },
            SCRUB_ASK => Wire::ScrubAsk { number: r.u64()?, start: r.bytes()?, end: r.bytes()?, version: r.version()?, index: r.u64()? },
            SCRUB_ANSWER => {
                let (number, known, hash) = (r.u64()?, r.bool()?, r.u64()?);
                if !known && hash != 0 {
                    return Err(Malformed("a checksum that is not there"));
                }
                Wire::ScrubAnswer { number, hash: known.then_some(hash) }
            }
            SCRUB_DROP => Wire::ScrubDrop { term: r.u64()? },
            EVIDENCE_TOLD => {
                let index = r.u64()?;
                let chain = r.rest()[..].try_into().map_err(|_| Malformed("a chain has 32 bytes"))?;
                Wire::EvidenceTold { index, chain }
            }
            VOUCH_ASKED => Wire::VouchAsked { nonce: r.u64()? },
            VOUCHED => Wire::Vouched { nonce: r.u64()?, term: r.u64()?, votes: r.bool()? },
            _ => return Err(Malformed("unknown kind of message")),
        };
        r.end()?;
        Ok(message)
    }
}

fn one_number(kind: u8, number: u64) -> Bytes {
    let mut w = Writer::with_capacity(9);
    w.u8(kind);
    w.u64(number);
    w.finish()
}

fn space_code(space: Space) -> u8 {
    match space {
        Space::Current => 0,
        Space::History => 1,
        Space::Staged => 2,
        Space::Meta => 3,
        Space::Packed => 4,
        Space::Evidence => 5,
    }
}

fn read_space(r: &mut Reader) -> Read<Space> {
    match r.u8()? {
        0 => Ok(Space::Current),
        1 => Ok(Space::History),
        2 => Ok(Space::Staged),
        3 => Ok(Space::Meta),
        4 => Ok(Space::Packed),
        5 => Ok(Space::Evidence),
        _ => Err(Malformed("unknown key space")),
    }
}

/// Kinds of the library's messages that travel between nodes; the others are local to it.
const KINDS: [(u8, MessageType); 11] = [
    (1, MessageType::MsgAppend),
    (2, MessageType::MsgAppendResponse),
    (3, MessageType::MsgRequestVote),
    (4, MessageType::MsgRequestVoteResponse),
    (5, MessageType::MsgSnapshot),
    (6, MessageType::MsgHeartbeat),
    (7, MessageType::MsgHeartbeatResponse),
    (8, MessageType::MsgTimeoutNow),
    (9, MessageType::MsgRequestPreVote),
    (10, MessageType::MsgRequestPreVoteResponse),
    (11, MessageType::MsgUnreachable),
];

/// The message with another context than its own, which saves a copy of it.
pub fn encode_raft(message: &Message, context: &[u8]) -> Bytes {
    let size = message.entries.iter().map(|entry| 32 + entry.data.len() + entry.context.len()).sum::<usize>();
    let mut w = Writer::with_capacity(96 + context.len() + size);
    w.u8(RAFT);
    let kind = KINDS.iter().find(|(_, kind)| *kind == message.msg_type).expect("local messages are never sent").0;
    w.u8(kind);
    for field in [message.term, message.log_term, message.index, message.commit, message.commit_term] {
        w.u64(field);
    }
    w.bool(message.reject);
    w.u64(message.reject_hint);
    w.u64(message.request_snapshot);
    w.bytes(context);
    w.count(message.entries.len());
    for entry in message.entries.iter() {
        w.u8(kind_code(entry.entry_type));
        w.u64(entry.term);
        w.bytes(&entry.context);
        w.bytes(&entry.data);
    }
    if message.msg_type == MessageType::MsgSnapshot {
        let metadata = message.get_snapshot().get_metadata();
        w.u64(metadata.index);
        w.u64(metadata.term);
        w.bytes(&message.get_snapshot().data);
    }
    w.finish()
}

fn read_raft(r: &mut Reader) -> Read<Message> {
    let mut message = Message::default();
    let code = r.u8()?;
    let kind = KINDS.iter().find(|(known, _)| *known == code).ok_or(Malformed("unknown consensus message"))?.1;
    message.set_msg_type(kind);
    message.term = r.u64()?;
    message.log_term = r.u64()?;
    message.index = r.u64()?;
    message.commit = r.u64()?;
    message.commit_term = r.u64()?;
    message.reject = r.bool()?;
    message.reject_hint = r.u64()?;
    message.request_snapshot = r.u64()?;
    message.context = r.bytes()?;
    let count = r.count(17)?;
    let mut entries = Vec::with_capacity(count);
    for i in 0..count as u64 {
        let mut entry = Entry::default();
        entry.set_entry_type(entry_type(r.u8()?)?);
        entry.term = r.u64()?;
        entry.context = r.bytes()?;
        entry.data = r.bytes()?;
        // Entries follow the message's index without a gap: sending their indexes would only allow to lie about them.
        entry.index = message.index.checked_add(i + 1).ok_or(Malformed("index out of range"))?;
        if entry.term == 0 || entry.term > message.term {
            return Err(Malformed("an entry's term is not below its sender's"));
        }
        entries.push(entry);
    }
    message.set_entries(entries.into());
    if kind == MessageType::MsgSnapshot {
        let mut snapshot = Snapshot::default();
        let metadata = snapshot.mut_metadata();
        metadata.index = r.u64()?;
        metadata.term = r.u64()?;
        let data = r.bytes()?;
        let mut members = Reader::new(data.clone());
        metadata.set_conf_state(Members::read(&mut members)?.state);
        members.end()?;
        snapshot.data = data;
        message.set_snapshot(snapshot);
    }
    Ok(message)
}

pub fn kind_code(kind: EntryType) -> u8 {
    match kind {
        EntryType::EntryNormal => 0,
        EntryType::EntryConfChange => 1,
        EntryType::EntryConfChangeV2 => 2,
    }
}

/// Single membership changes of the library's first version are never made, so they are not accepted either.
pub fn entry_type(code: u8) -> Read<EntryType> {
    match code {
        0 => Ok(EntryType::EntryNormal),
        2 => Ok(EntryType::EntryConfChangeV2),
        _ => Err(Malformed("unknown kind of entry")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{NodeId, Prng};

    fn examples() -> Vec<Wire> {
        let mut append = Message::default();
        append.set_msg_type(MessageType::MsgAppend);
        append.term = 7;
        append.index = 41;
        append.log_term = 6;
        append.commit = 40;
        let mut entry = Entry::default();
        (entry.index, entry.term, entry.data) = (42, 7, Bytes::from_static(b"data"));
        append.set_entries(vec![entry].into());
        let mut snapshot = Message::default();
        snapshot.set_msg_type(MessageType::MsgSnapshot);
        snapshot.term = 7;
        let members = Members::new(&[NodeId(1), NodeId(2)], &[], &[NodeId(3)]);
        snapshot.mut_snapshot().mut_metadata().index = 9;
        snapshot.mut_snapshot().mut_metadata().set_conf_state(members.state.clone());
        let mut w = Writer::default();
        members.write(&mut w);
        snapshot.mut_snapshot().data = w.finish();
        vec![
            Wire::Raft(append),
            Wire::Raft(snapshot),
            Wire::RowsWanted { transfer: 1, number: 2, lost: true, at_least: 7 },
            Wire::Rows {
                transfer: 1,
                number: 3,
                items: vec![(Space::Current, "k".into(), "v".into()), (Space::Meta, "m".into(), "".into())],
                end: Some(RowsEnd { index: 5, term: 2, members }),
            },
            Wire::RowsRefused { transfer: 4 },
            Wire::ScrubAsk { number: 1, start: "a".into(), end: "".into(), version: Version(7), index: 9 },
            Wire::ScrubAnswer { number: 1, hash: Some(8) },
            Wire::ScrubAnswer { number: 1, hash: None },
            Wire::ScrubDrop { term: 3 },
        ]
    }

    #[test]
    fn every_message_comes_back_as_it_was() {
        for message in examples() {
            assert_eq!(Wire::decode(message.encode()), Ok(message));
        }
    }

    #[test]
    fn damaged_bytes_are_refused_without_a_panic() {
        let mut prng = Prng::new(5);
        for message in examples() {
            let bytes = message.encode().to_vec();
            for cut in 0..bytes.len() {
                assert!(Wire::decode(Bytes::copy_from_slice(&bytes[..cut])).is_err());
            }
            for _ in 0..500 {
                let mut damaged = bytes.clone();
                let at = prng.below(damaged.len() as u64) as usize;
                damaged[at] = prng.next_u64() as u8;
                let _ = Wire::decode(Bytes::from(damaged));
            }
        }
    }
}
