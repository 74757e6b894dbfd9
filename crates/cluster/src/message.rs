//! What nodes say to each other: a frame is all messages of one step to one peer, encoded with postcard.
//!
//! Frames are numbered: a receiver drops what it has seen, what is older than what it has seen, and what was meant for an
//! earlier life of its own, so that no message is ever acted on twice, whatever the transport does.

use crate::deadlock::{Probe, WaitNotice};
use crate::registry::Registry;
use base::{Mono, NodeId, RequestId, SchemaVersion, ShardId, TxnId, Version};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage::access::{Request, Response};

/// Largest frame that is accepted, in bytes. A row of the largest size and a snapshot's part fit in.
pub const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;
/// First byte of each frame: the format of the rest.
pub const FRAME_FORMAT: u8 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    Consensus {
        shard: ShardId,
        message: Bytes,
    },
    Request {
        shard: ShardId,
        id: RequestId,
        request: Request,
    },
    Response {
        shard: ShardId,
        id: RequestId,
        response: Response,
    },
    Status(Box<NodeStatus>),
    /// Sent to a node whose status shows an older one.
    Registry(Box<Registry>),
    /// The leader of the shard wants a replica here; repeated until it takes part.
    CreateReplica {
        shard: ShardId,
        term: u64,
    },
    /// The receiver's replica is no longer a member.
    DropReplica {
        shard: ShardId,
        term: u64,
    },
    WaitNotice(WaitNotice),
    Probe(Probe),
    /// The receiver is the gateway of this transaction, which was chosen to break a deadlock.
    Victim {
        txn: TxnId,
    },
}

/// What a node tells of itself to every other, every `membership::HEARTBEAT`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    pub boot: u32,
    pub clock: Version,
    /// The oldest snapshot that a session of this node reads at.
    pub oldest_snapshot: Option<Version>,
    pub registry: u64,
    /// The newest schema that it has seen.
    pub schema: SchemaVersion,
    pub led: Vec<LedShard>,
    /// Shards that it has a replica of.
    pub held: Vec<ShardId>,
    pub sessions: u32,
    pub draining: bool,
    /// Its log cannot be written: it must not lead.
    pub disk_full: bool,
    /// The sender's clock when it sent this, and what it last heard from the receiver with how long ago: gives the round trip.
    pub sent: Mono,
    pub echo: Option<Echo>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedShard {
    pub shard: ShardId,
    pub term: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    pub sent: Mono,
    pub held_micros: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Frame {
    pub boot: u32,
    /// The receiver's boot as the sender knows it; 0 if it does not.
    pub to_boot: u32,
    pub sequence: u64,
    pub messages: Vec<Message>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Frame {
    pub fn encode(&self) -> Bytes {
        let start = Vec::with_capacity(256);
        let mut bytes = start;
        bytes.push(FRAME_FORMAT);
        Bytes::from(postcard::to_extend(self, bytes).expect("messages are plain data, which always encodes"))
    }

    /// # Errors
    /// If the frame is too large, of another format, cut short or has bytes left over.
    pub fn decode(frame: &[u8]) -> Result<Frame, Malformed> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(Malformed);
        }
        let Some((&FRAME_FORMAT, rest)) = frame.split_first() else {
            return Err(Malformed);
        };
        match postcard::take_from_bytes::<Frame>(rest) {
            Ok((frame, [])) => Ok(frame),
            _ => Err(Malformed),
        }
    }
}

/// Numbers frames to one peer and judges frames from it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    sent: u64,
    peer_boot: u32,
    received: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    /// The first frame of a later life of the peer.
    AcceptNewBoot,
    Drop,
}

impl Link {
    pub fn frame(&mut self, boot: u32, messages: Vec<Message>) -> Frame {
        self.sent += 1;
        Frame { boot, to_boot: self.peer_boot, sequence: self.sent, messages }
    }

    /// `boot`: the receiver's own.
    pub fn judge(&mut self, boot: u32, frame: &Frame) -> Verdict {
        let stale = frame.boot < self.peer_boot || (frame.boot == self.peer_boot && frame.sequence <= self.received);
        if stale || (frame.to_boot != 0 && frame.to_boot != boot) {
            return Verdict::Drop;
        }
        self.received = frame.sequence;
        if frame.boot == self.peer_boot {
            return Verdict::Accept;
        }
        self.peer_boot = frame.boot;
        Verdict::AcceptNewBoot
    }

    pub fn peer_boot(&self) -> u32 {
        self.peer_boot
    }
}

/// Messages to each peer of one step.
#[derive(Debug, Default)]
pub struct Outgoing {
    by_peer: std::collections::BTreeMap<NodeId, Vec<Message>>,
}

impl Outgoing {
    pub fn push(&mut self, to: NodeId, message: Message) {
        self.by_peer.entry(to).or_default().push(message);
    }

    /// Peers with their messages, in order of their ids; nothing is left.
    pub fn take(&mut self) -> impl Iterator<Item = (NodeId, Vec<Message>)> + '_ {
        self.by_peer.iter_mut().filter(|(_, m)| !m.is_empty()).map(|(&n, m)| (n, std::mem::take(m)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(link: &mut Link, boot: u32) -> Frame {
        link.frame(boot, vec![Message::Request { shard: ShardId(1), id: RequestId(7), request: Request::Clock }])
    }

    #[test]
    fn a_frame_survives_its_encoding() {
        let sent = frame(&mut Link::default(), 3);
        let got = Frame::decode(&sent.encode()).expect("well formed");
        assert_eq!(format!("{sent:?}"), format!("{got:?}"));
    }

    #[test]
    fn no_cut_or_changed_frame_panics() {
        let bytes = frame(&mut Link::default(), 3).encode();
        for end in 0..bytes.len() {
            assert!(Frame::decode(&bytes[..end]).is_err());
        }
        for at in 0..bytes.len() {
            for flip in 0..8 {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= 1 << flip;
                let _ = Frame::decode(&damaged);
            }
        }
    }

    #[test]
    fn a_frame_is_acted_on_once_and_never_after_a_later_one() {
        let (mut from, mut to) = (Link::default(), Link::default());
        let (first, second) = (frame(&mut from, 1), frame(&mut from, 1));
        assert_eq!(to.judge(9, &second), Verdict::AcceptNewBoot);
        assert_eq!(to.judge(9, &second), Verdict::Drop);
        assert_eq!(to.judge(9, &first), Verdict::Drop);
    }

    #[test]
    fn a_frame_for_an_earlier_life_is_dropped() {
        let (mut from, mut to) = (Link::default(), Link::default());
        let reply = frame(&mut to, 9);
        from.judge(1, &reply);
        let meant_for_nine = frame(&mut from, 1);
        assert_eq!(Link::default().judge(10, &meant_for_nine), Verdict::Drop);
        assert_eq!(to.judge(9, &meant_for_nine), Verdict::AcceptNewBoot);
    }
}
