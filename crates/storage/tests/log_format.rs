//! The log's format: a fixture of each version is read as it was meant, and the newest is written byte for byte.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "fixtures are files")]

#[path = "support/files.rs"]
mod files;

use base::ShardId;
use bytes::Bytes;
use files::{Files, SEGMENT_BYTES};
use std::collections::BTreeMap;
use storage::log::{Entry, Log, LogOptions, Record, Recovered, ShardLog};

fn fixture(name: &str) -> String {
    format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn entry(index: u64, term: u64, length: usize) -> Entry {
    let context = if index.is_multiple_of(2) { Bytes::from_static(b"context") } else { Bytes::new() };
    let data: Vec<u8> = (0..length).map(|at| (at as u64 * index) as u8).collect();
    Entry { index, term, kind: (index % 3) as u8, context, data: Bytes::from(data) }
}

/// Each group is one write (or several, where it does not fit).
fn groups() -> Vec<Vec<(ShardId, Record)>> {
    let (one, two, three) = (ShardId(1), ShardId(2), ShardId(3));
    vec![
        vec![(one, Record::State { term: 1, vote: 2, commit: 0 }), (one, Record::Entries(vec![entry(1, 1, 10), entry(2, 1, 0)]))],
        vec![(two, Record::Truncated { index: 41, term: 3 }), (three, Record::State { term: 9, vote: 9, commit: 9 })],
        vec![(one, Record::Entries(vec![entry(2, 2, 7), entry(3, 2, 9000), entry(4, 2, 1)]))],
        vec![(two, Record::Entries(vec![entry(42, 3, 20_000)])), (three, Record::Removed)],
        vec![(one, Record::State { term: 2, vote: 0, commit: 2 }), (one, Record::Truncated { index: 1, term: 1 })],
    ]
}

fn expected() -> BTreeMap<ShardId, ShardLog> {
    let one = ShardLog {
        term: 2,
        commit: 2,
        truncated_index: 1,
        truncated_term: 1,
        entries: vec![entry(2, 2, 7), entry(3, 2, 9000), entry(4, 2, 1)],
        ..ShardLog::default()
    };
    let two = ShardLog { truncated_index: 41, truncated_term: 3, entries: vec![entry(42, 3, 20_000)], ..ShardLog::default() };
    BTreeMap::from([(ShardId(1), one), (ShardId(2), two)])
}

/// The segments one after the other.
fn written_now() -> Vec<u8> {
    let mut files = Files::default();
    let options = LogOptions { segment_bytes: SEGMENT_BYTES, ..LogOptions::default() };
    let (mut log, _) = Log::open_with(&files, options).unwrap();
    for group in groups() {
        for (shard, record) in group {
            log.append(shard, record);
        }
        while let Some(write) = log.next_write() {
            files.take(&write);
            log.written(write.sequence);
        }
    }
    files.0.into_values().flatten().collect()
}

#[test]
fn version_1_is_read_as_it_was_meant() {
    let bytes = std::fs::read(fixture("log-version-1.segments")).unwrap();
    let files = Files::cut(&bytes);
    let options = LogOptions { segment_bytes: SEGMENT_BYTES, ..LogOptions::default() };
    let (log, recovered) = Log::open_with(&files, options).unwrap();
    assert!(recovered == Recovered { shards: expected(), ..Recovered::default() });
    assert_eq!(log.pending_bytes(), 0);
}

#[test]
fn version_1_is_written_byte_for_byte() {
    assert!(written_now() == std::fs::read(fixture("log-version-1.segments")).unwrap(), "the format has changed without a new version");
}

#[test]
#[ignore = "writes the fixture anew: only together with a new version"]
fn write_the_fixture() {
    std::fs::write(fixture("log-version-1.segments"), written_now()).unwrap();
}
