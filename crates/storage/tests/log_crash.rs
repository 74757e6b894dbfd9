//! The log against a model, with a disk that tears writes, fills up and flips bits.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use base::{Prng, Result, ShardId};
use bytes::Bytes;
use std::collections::BTreeMap;
use storage::log::{BLOCK_BYTES, Entry, Log, LogFiles, LogOptions, LogWrite, Lsn, Record, Recovered, ShardLog};

const SEGMENT_BYTES: usize = 16 * BLOCK_BYTES;

#[derive(Clone, Default)]
struct Disk {
    segments: BTreeMap<u64, Vec<u8>>,
    salt: u64,
}

impl LogFiles for Disk {
    fn segments(&self) -> Result<Vec<u64>> {
        Ok(self.segments.keys().copied().collect())
    }
    fn read(&self, segment: u64) -> Result<Vec<u8>> {
        Ok(self.segments[&segment].clone())
    }
    fn salt(&self) -> u64 {
        self.salt
    }
}

impl Disk {
    fn write(&mut self, write: &LogWrite) {
        self.write_blocks(write, |_| true);
    }

    fn write_blocks(&mut self, write: &LogWrite, mut survives: impl FnMut(usize) -> bool) {
        assert!(write.offset.is_multiple_of(BLOCK_BYTES as u64) && write.bytes.len().is_multiple_of(BLOCK_BYTES));
        let segment = self.segments.entry(write.segment).or_insert_with(|| vec![0; SEGMENT_BYTES]);
        for (number, block) in write.bytes.chunks(BLOCK_BYTES).enumerate() {
            if survives(number) {
                let start = write.offset as usize + number * BLOCK_BYTES;
                segment[start..start + BLOCK_BYTES].copy_from_slice(block);
            }
        }
    }

    /// Any prefix of the blocks, or any of them.
    fn tear(&mut self, write: &LogWrite, prng: &mut Prng) {
        let blocks = write.bytes.len() / BLOCK_BYTES;
        if prng.one_in(2) {
            let prefix = prng.below(blocks as u64 + 1) as usize;
            self.write_blocks(write, |number| number < prefix);
        } else {
            self.write_blocks(write, |_| prng.one_in(2));
        }
    }
}

type Shards = BTreeMap<ShardId, ShardLog>;

/// What the log promises, in the plainest form.
fn apply(shards: &mut Shards, shard: ShardId, record: &Record) {
    if *record == Record::Removed {
        shards.remove(&shard);
        return;
    }
    let log = shards.entry(shard).or_default();
    match record {
        Record::State { term, vote, commit } => (log.term, log.vote, log.commit) = (*term, *vote, *commit),
        Record::Entries(entries) => {
            for entry in entries {
                log.entries.retain(|old| old.index < entry.index);
                log.entries.push(entry.clone());
            }
        }
        Record::Truncated { index, term } => {
            (log.truncated_index, log.truncated_term) = (*index, *term);
            log.entries.retain(|entry| entry.index > *index);
        }
        Record::Removed => unreachable!(),
    }
}

/// The appended records as single steps, so that a cut in the middle of several entries is a state too.
fn steps(record: Record) -> Vec<Record> {
    match record {
        Record::Entries(entries) => entries.into_iter().map(|entry| Record::Entries(vec![entry])).collect(),
        other => vec![other],
    }
}

struct World {
    prng: Prng,
    disk: Disk,
    log: Log,
    /// State with everything known to be durable, and the steps after it.
    durable: Shards,
    after: Vec<(Lsn, ShardId, Record)>,
    newest: Shards,
    writes: u64,
}

fn options() -> LogOptions {
    LogOptions { segment_bytes: SEGMENT_BYTES, pending_bytes_max: 1 << 20 }
}

impl World {
    fn new(seed: u64) -> World {
        let disk = Disk { salt: seed, ..Disk::default() };
        let (log, recovered) = Log::open_with(&disk, options()).unwrap();
        assert_eq!(recovered, Recovered::default());
        World { prng: Prng::new(seed), disk, log, durable: Shards::new(), after: Vec::new(), newest: Shards::new(), writes: 0 }
    }

    fn append(&mut self, shard: ShardId, record: Record) {
        apply(&mut self.newest, shard, &record);
        let lsn = self.log.append(shard, record.clone());
        self.after.extend(steps(record).into_iter().map(|step| (lsn, shard, step)));
    }

    fn append_something(&mut self) {
        // The higher shards are idle most of the time.
        let shard = ShardId(self.prng.pick(&[1, 1, 1, 1, 1, 1, 2, 2, 2, 3]).to_owned());
        let shard = if self.prng.one_in(150) { ShardId(4) } else { shard };
        let log = self.newest.get(&shard).cloned().unwrap_or_default();
        let last = log.entries.last().map_or(log.truncated_index, |entry| entry.index);
        let record = match self.prng.below(100) {
            0 if self.prng.one_in(4) => Record::Removed,
            0..12 => Record::State { term: self.prng.below(9), vote: self.prng.below(4), commit: last },
            12..30 if last > log.truncated_index => {
                Record::Truncated { index: self.prng.between(log.truncated_index + 1, last), term: self.prng.below(9) }
            }
            30..32 => Record::Truncated { index: last + self.prng.below(5), term: 3 },
            _ => {
                let back = if self.prng.one_in(8) { self.prng.below(last - log.truncated_index + 1) } else { 0 };
                let first = last + 1 - back;
                let count = self.prng.between(1, 4);
                Record::Entries((first..first + count).map(|index| self.entry(index)).collect())
            }
        };
        self.append(shard, record);
    }

    fn entry(&mut self, index: u64) -> Entry {
        let length = match self.prng.below(60) {
            0 => self.prng.below(4 * SEGMENT_BYTES as u64),
            1..8 => self.prng.below(3 * BLOCK_BYTES as u64),
            _ => self.prng.below(200),
        };
        let fill = self.prng.next_u64() as u8;
        let context = if self.prng.one_in(5) { Bytes::from_static(b"context") } else { Bytes::new() };
        Entry { index, term: self.prng.below(9), kind: self.prng.below(3) as u8, context, data: Bytes::from(vec![fill; length as usize]) }
    }

    /// Writes once, unless the disk is found full.
    fn write(&mut self) -> bool {
        let Some(mut write) = self.log.next_write() else { return false };
        while self.prng.one_in(20) {
            self.log.write_failed_full(write.sequence);
            let again = self.log.next_write().unwrap();
            assert_eq!(again, write);
            write = again;
        }
        assert_eq!(self.log.next_write(), None, "one write at a time");
        self.disk.write(&write);
        self.finish(&write);
        true
    }

    fn finish(&mut self, write: &LogWrite) {
        self.writes += 1;
        self.log.written(write.sequence);
        for file in &write.surplus {
            self.disk.segments.remove(file);
        }
        let durable = self.log.durable();
        let count = self.after.iter().take_while(|(lsn, ..)| *lsn <= durable).count();
        for (_, shard, step) in self.after.drain(..count) {
            apply(&mut self.durable, shard, &step);
        }
    }

    fn crash(&mut self) {
        let write = self.log.next_write();
        if let Some(write) = &write {
            let World { disk, prng, .. } = self;
            disk.tear(write, prng);
        }
        self.reopen();
    }

    fn reopen(&mut self) {
        let (log, recovered) = Log::open_with(&self.disk, options()).unwrap();
        assert_eq!(recovered.damage, []);
        assert!(!recovered.damaged_unknown);
        let mut state = self.durable.clone();
        let mut after = self.after.drain(..);
        while state != recovered.shards {
            let (_, shard, step) = after.next().expect("what was recovered is what was durable and perhaps more");
            apply(&mut state, shard, &step);
        }
        drop(after);
        self.log = log;
        self.newest = state.clone();
        self.durable = state;
    }
}

#[test]
fn everything_acknowledged_survives_crashes_with_torn_writes() {
    for seed in 0..60 {
        let mut world = World::new(seed);
        for _ in 0..2500 {
            match world.prng.below(100) {
                0..70 => world.append_something(),
                70..98 => {
                    world.write();
                }
                _ => world.crash(),
            }
        }
        while world.write() {}
        world.reopen();
        assert!(world.after.is_empty());
        assert!(world.disk.segments.len() < 60, "seed {seed}: {} segments, {:?} in use", world.disk.segments.len(), world.log.usage());
    }
}
