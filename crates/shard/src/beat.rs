//! What heartbeats carry beside the library's own, and their answers bring back.

use base::{Mono, Version};
use bytes::{Buf, BufMut};

/// What a leader tells with each heartbeat, and what a follower knows from the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Nothing will be committed at or below this version after `index`.
    pub closed: Version,
    pub index: u64,
    /// Entries up to this index are needed by nobody.
    pub needless: u64,
}

pub const BEAT_BYTES: usize = 32;

pub fn write_beat(now: Mono, beat: &Beat) -> [u8; BEAT_BYTES] {
    let mut bytes = [0; BEAT_BYTES];
    let mut into = &mut bytes[..];
    into.put_u64_le(now.0);
    into.put_u64_le(beat.closed.0);
    into.put_u64_le(beat.index);
    into.put_u64_le(beat.needless);
    bytes
}

pub fn read_beat(mut bytes: &[u8]) -> (Mono, Beat) {
    assert_eq!(bytes.len(), BEAT_BYTES, "the length was checked on receipt");
    let now = Mono(bytes.get_u64_le());
    (now, Beat { closed: Version(bytes.get_u64_le()), index: bytes.get_u64_le(), needless: bytes.get_u64_le() })
}
