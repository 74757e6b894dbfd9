//! Measures the log's pure core without a disk: processor time a record, from append to recovery.
//!
//! `cargo run --release -p storage --example log_core_bench -- [records]`.
#![allow(clippy::disallowed_methods, reason = "a program of its own: it reads the clock")]

use base::{Result, ShardId};
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;
use storage::log::{Entry, Log, LogFiles, LogWrite, Record, SEGMENT_BYTES};

const ENTRY_BYTES: usize = 250;
const ENTRIES_PER_WRITE: u64 = 32;
const TRUNCATE_EVERY: u64 = 100_000;

#[derive(Default)]
struct Files(RefCell<BTreeMap<u64, Vec<u8>>>);

impl LogFiles for Files {
    fn segments(&self) -> Result<Vec<u64>> {
        Ok(self.0.borrow().keys().copied().collect())
    }
    fn read(&self, segment: u64) -> Result<Vec<u8>> {
        Ok(self.0.borrow()[&segment].clone())
    }
}

fn write(files: &Files, write: &LogWrite) {
    let mut segments = files.0.borrow_mut();
    let segment = segments.entry(write.segment).or_insert_with(|| vec![0; SEGMENT_BYTES]);
    segment[write.offset as usize..][..write.bytes.len()].copy_from_slice(&write.bytes);
}

fn main() -> Result<()> {
    let records: u64 = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().expect("a number"));
    let files = Files::default();
    let (mut log, _) = Log::open(&files)?;
    let data = Bytes::from(vec![7; ENTRY_BYTES]);
    let started = Instant::now();
    for index in 1..=records {
        let entry = Entry { index, term: 1, kind: 0, context: Bytes::new(), data: data.clone() };
        log.append(ShardId(1), Record::Entries(vec![entry]));
        if index % TRUNCATE_EVERY == 0 {
            log.append(ShardId(1), Record::Truncated { index: index - TRUNCATE_EVERY / 2, term: 1 });
        }
        if index % ENTRIES_PER_WRITE == 0 {
            let next = log.next_write().expect("there is something to write");
            write(&files, &next);
            log.written(next.sequence);
        }
    }
    let elapsed = started.elapsed();
    let (segments, live) = log.usage();
    println!(
        "{records} entries of {ENTRY_BYTES} bytes, {ENTRIES_PER_WRITE} a write: {:.3} µs each",
        elapsed.as_secs_f64() * 1e6 / records as f64
    );
    println!("{segments} segments in use with {} KiB alive, {} files", live >> 10, files.0.borrow().len());
    let started = Instant::now();
    let (_, recovered) = Log::open(&files)?;
    println!("recovered {} entries in {:?}", recovered.shards[&ShardId(1)].entries.len(), started.elapsed());
    Ok(())
}
