//! Frames from other nodes, and what shards say inside them.

use bytes::{Bytes, BytesMut};
use cluster::message::{Echo, LedShard, NodeStatus};
use cluster::{Frame, Message};
use server::transport::frame;

pub fn frames(input: &[u8]) {
    let mut buffer = BytesMut::from(input);
    while let Ok(Some(taken)) = frame::take(&mut buffer, frame::FRAME_BYTES_MAX) {
        decode(&taken);
    }
    decode(input);
    shard::read_foreign(&Bytes::copy_from_slice(input));
}

fn decode(bytes: &[u8]) {
    if let Ok(frame) = Frame::decode(bytes) {
        assert!(Frame::decode(&frame.encode()).is_ok(), "what is written can be read");
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let status = NodeStatus {
        boot: 3,
        clock: base::Version(77),
        oldest_snapshot: Some(base::Version(7)),
        registry: 1,
        schema: base::SchemaVersion(4),
        led: vec![LedShard { shard: base::ShardId(1), term: 5 }],
        held: vec![base::ShardId(0), base::ShardId(1)],
        sessions: 9,
        draining: false,
        disk_full: true,
        sent: base::Mono(1_000_000),
        echo: Some(Echo { sent: base::Mono(5), held_micros: 6 }),
    };
    let messages = vec![Message::Status(Box::new(status)), Message::CreateReplica { shard: base::ShardId(1), term: 2 }];
    let frame = Frame { boot: 3, to_boot: 0, sequence: 12, messages };
    let encoded = frame.encode().to_vec();
    let mut framed = BytesMut::new();
    frame::put(&mut framed, &encoded);
    let mut seeds = vec![encoded, framed.to_vec()];
    seeds.extend(shard::foreign_samples().into_iter().map(|sample| sample.to_vec()));
    seeds
}
