//! The log opens whatever its files hold, goes on, and finds its own state again.

use crate::seeds;
use base::ShardId;
use bytes::Bytes;
use files::{Files, SALT, SEGMENT_BYTES};
use storage::log::{Entry, Log, LogOptions, Record};

#[path = "../../storage/tests/support/files.rs"]
mod files;
#[path = "../../storage/tests/support/seal.rs"]
mod seal;

pub fn recover(input: &[u8]) {
    let Some((first, segments)) = input.split_first() else { return };
    let mut files = Files::cut(segments);
    if first % 4 != 0 {
        files.0.values_mut().for_each(|segment| seal::seal(segment, SALT));
    }
    let options = LogOptions { segment_bytes: SEGMENT_BYTES, ..LogOptions::default() };
    let Ok((mut log, recovered)) = Log::open_with(&files, options) else { return };
    for found in recovered.shards.values() {
        assert!(found.entries.iter().zip(found.truncated_index + 1..).all(|(entry, index)| entry.index == index));
    }
    let fresh = ShardId(77);
    log.append(fresh, Record::Removed);
    let entry = Entry { index: 1, term: 1, kind: 0, context: Bytes::new(), data: Bytes::from_static(b"goes on") };
    log.append(fresh, Record::Entries(vec![entry.clone()]));
    while let Some(write) = log.next_write() {
        files.take(&write);
        log.written(write.sequence);
    }
    let (_, again) = Log::open_with(&files, options).expect("what this version wrote it can read");
    assert_eq!(again.shards[&fresh].entries, [entry]);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let fixture = seeds::file("crates/storage/testdata/log-version-1.segments");
    [0, 1].map(|first| [&[first][..], &fixture].concat()).to_vec()
}
