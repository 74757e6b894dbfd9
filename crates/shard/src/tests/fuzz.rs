//! Bytes from the network never panic a shard, whatever its role.

use super::cluster::*;
use crate::event::ShardEvent;
use base::Prng;
use bytes::Bytes;

#[test]
fn random_messages_are_dropped() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let mut prng = Prng::new(9);
    for _ in 0..20_000 {
        let length = prng.below(160) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| if prng.one_in(3) { 0 } else { prng.next_u64() as u8 }).collect();
        if let [kind, message, ..] = &mut bytes[..] {
            (*kind, *message) = (1 + (prng.below(4) as u8), 1 + (prng.below(11) as u8));
        }
        let to = n(1 + prng.below(3) as u32);
        let from = n(1 + prng.below(4) as u32);
        if to != from {
            cluster.event(to, ShardEvent::Message { from, message: Bytes::from(bytes) });
        }
    }
    assert!(cluster.shard(leader).status().dropped_messages > 0);
}
