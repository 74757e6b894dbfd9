//! The log against a model, with a disk that tears writes, fills up and flips bits.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/seal.rs"]
mod seal;

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
        Record::Restarted { index, term } => {
            (log.truncated_index, log.truncated_term) = (*index, *term);
            log.entries.clear();
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
    /// As `durable`, before the newest write, and the steps that became durable with it.
    previous: Shards,
    newest_steps: Vec<(ShardId, Record)>,
    /// No bit was flipped.
    unharmed: bool,
}

fn options() -> LogOptions {
    LogOptions { segment_bytes: SEGMENT_BYTES, pending_bytes_max: 1 << 20 }
}

impl World {
    fn new(seed: u64) -> World {
        let disk = Disk { salt: seed, ..Disk::default() };
        let (log, recovered) = Log::open_with(&disk, options()).unwrap();
        assert_eq!(recovered, Recovered::default());
        World {
            prng: Prng::new(seed),
            disk,
            log,
            durable: Shards::new(),
            after: Vec::new(),
            newest: Shards::new(),
            previous: Shards::new(),
            newest_steps: Vec::new(),
            unharmed: true,
        }
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
            30 => Record::Truncated { index: last + self.prng.below(5), term: 3 },
            31..33 => Record::Restarted { index: self.prng.between(log.truncated_index, last + 5), term: 4 },
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
        self.log.written(write.sequence);
        for file in &write.surplus {
            self.disk.segments.remove(file);
        }
        let durable = self.log.durable();
        self.previous = self.durable.clone();
        self.newest_steps.clear();
        let count = self.after.iter().take_while(|(lsn, ..)| *lsn <= durable).count();
        for (_, shard, step) in self.after.drain(..count) {
            apply(&mut self.durable, shard, &step);
            self.newest_steps.push((shard, step));
        }
    }

    /// True if it is the state from before the newest write, or after some of its records: several entries that were appended
    /// at once may have begun in an earlier write.
    fn is_without_newest_write(&self, found: &Shards) -> bool {
        let mut state = self.previous.clone();
        let mut steps = self.newest_steps.iter();
        while state != *found {
            let Some((shard, step)) = steps.next() else { return false };
            apply(&mut state, *shard, step);
        }
        true
    }

    fn crash(&mut self) {
        let write = self.log.next_write();
        if let Some(write) = &write {
            let World { disk, prng, .. } = self;
            disk.tear(write, prng);
        }
        self.reopen();
    }

    /// Opens the log again and checks it against the model. The answer says what recovery found.
    fn reopen(&mut self) -> Recovered {
        let (log, recovered) = Log::open_with(&self.disk, options()).unwrap();
        assert!(recovered.damage.is_empty() || !self.unharmed, "damage is found where there is none");
        let found = comparable(&recovered.shards);
        let mut state = self.durable.clone();
        let mut after = self.after.drain(..);
        while comparable(&state) != found {
            let (_, shard, step) = after.next().expect("what was recovered is what was durable and perhaps more");
            apply(&mut state, shard, &step);
        }
        drop(after);
        self.log = log;
        self.newest = recovered.shards.clone();
        self.durable = recovered.shards.clone();
        recovered
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            if self.prng.below(100) < 70 {
                self.append_something();
            } else {
                self.write();
            }
        }
    }
}

/// Of a damaged shard only that it is so can be relied on.
fn comparable(shards: &Shards) -> Shards {
    let plain = |log: &ShardLog| if log.damaged { ShardLog { damaged: true, ..ShardLog::default() } } else { log.clone() };
    shards.iter().map(|(shard, log)| (*shard, plain(log))).collect()
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

/// Flips a bit of the log and says what the next start makes of it.
fn flip(world: &mut World) -> (Log, Recovered) {
    let files: Vec<u64> = world.disk.segments.keys().copied().collect();
    let segment = world.disk.segments.get_mut(world.prng.pick(&files)).unwrap();
    let blocks: Vec<usize> =
        (0..segment.len() / BLOCK_BYTES).filter(|at| segment[at * BLOCK_BYTES..][..BLOCK_BYTES].iter().any(|byte| *byte != 0)).collect();
    if !blocks.is_empty() {
        // Often in the header of a write.
        let within = if world.prng.one_in(3) { 64 } else { BLOCK_BYTES as u64 };
        let at = *world.prng.pick(&blocks) * BLOCK_BYTES + world.prng.below(within) as usize;
        segment[at] ^= 1 << world.prng.below(8);
    }
    Log::open_with(&world.disk, options()).unwrap()
}

/// Runs of the test below: at least so many, and on until each case came up often enough.
const FLIP_SEEDS: std::ops::Range<u64> = 600..3_000;

/// What a flip does depends on where it falls, so how often each case comes up shifts with every change of the log's layout. The seeds are tried in
/// order until all cases are covered; that the rarest takes more than all of them would mean that it hardly exists any more.
#[test]
fn a_flipped_bit_is_damage_or_a_torn_tail_or_changes_nothing() {
    let (mut marked, mut torn, mut precise) = (0, 0, 0);
    let covered = |marked, torn, precise| marked > 100 && torn > 20 && precise > 30;
    for seed in 0..FLIP_SEEDS.end {
        if seed >= FLIP_SEEDS.start && covered(marked, torn, precise) {
            break;
        }
        let mut world = World::new(seed);
        world.steps(200);
        while world.write() {}
        let (log, recovered) = flip(&mut world);
        if recovered.damage.is_empty() && recovered.shards != world.durable {
            assert!(world.is_without_newest_write(&recovered.shards), "seed {seed}: the newest write alone is cut");
            torn += 1;
            continue;
        }
        for (shard, found) in &recovered.shards {
            assert!(found.damaged || world.durable.get(shard) == Some(found), "seed {seed}: {shard} is changed and not marked");
        }
        let lost = world.durable.keys().any(|shard| !recovered.shards.contains_key(shard));
        assert!(!lost || recovered.damaged_unknown, "seed {seed}: a shard is lost and nothing says so");
        let damaged = recovered.shards.values().filter(|found| found.damaged).count();
        assert!(damaged == 0 || !recovered.damage.is_empty());
        marked += usize::from(damaged > 0);
        precise += usize::from(damaged > 0 && damaged < recovered.shards.len() && !recovered.damaged_unknown);
        drop(log);
    }
    println!("{marked} marked, {precise} of them precisely, {torn} torn");
    assert!(covered(marked, torn, precise), "{marked} marked, {precise} of them precisely, {torn} torn");
}

#[test]
fn damage_is_remembered_until_the_shard_starts_anew() {
    let mut seen = 0;
    for seed in 0..150 {
        let mut world = World::new(seed);
        world.steps(200);
        while world.write() {}
        let (log, recovered) = flip(&mut world);
        if recovered.damage.is_empty() {
            continue;
        }
        seen += 1;
        world.unharmed = false;
        (world.log, world.newest, world.durable) = (log, recovered.shards.clone(), recovered.shards);
        // A shard that is new has nothing to do with the damage.
        world.append(ShardId(50), Record::State { term: 1, vote: 1, commit: 0 });
        while world.write() {}
        world.reopen();
        assert!(!world.durable[&ShardId(50)].damaged);
        // Long after the damaged segment was recycled a shard is still marked, unless it was removed.
        let damaged: Vec<ShardId> = world.durable.iter().filter(|(_, log)| log.damaged).map(|(shard, _)| *shard).collect();
        for index in 1..400 {
            let entry = world.entry(index);
            world.append(ShardId(50), Record::Entries(vec![entry]));
            world.append(ShardId(50), Record::Truncated { index, term: 1 });
            world.write();
        }
        while world.write() {}
        let (_, recovered) = Log::open_with(&world.disk, options()).unwrap();
        assert_eq!(recovered.damage, [], "its segment is gone");
        assert!(damaged.iter().all(|shard| recovered.shards[shard].damaged));
        world.unharmed = true;
        for shard in damaged {
            world.append(shard, Record::Removed);
            world.append(shard, Record::State { term: 7, vote: 0, commit: 0 });
        }
        while world.write() {}
        world.reopen();
        assert!(world.durable.values().all(|log| !log.damaged));
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn an_idle_shard_does_not_hold_old_segments() {
    let mut world = World::new(1);
    let idle = ShardId(9);
    world.append(idle, Record::State { term: 3, vote: 2, commit: 4 });
    world.append(idle, Record::Truncated { index: 10, term: 2 });
    for index in 11..40 {
        let entry = world.entry(index);
        world.append(idle, Record::Entries(vec![entry]));
    }
    while world.write() {}
    for index in 1..2000 {
        let entry = Entry { index, term: 1, kind: 0, context: Bytes::new(), data: Bytes::from(vec![7; 3000]) };
        world.append(ShardId(1), Record::Entries(vec![entry]));
        if index % 5 == 0 {
            world.append(ShardId(1), Record::Truncated { index: index - 2, term: 1 });
        }
        world.write();
        let (segments, live_bytes) = world.log.usage();
        assert!(segments <= 8 + 3 * live_bytes as usize / SEGMENT_BYTES, "{segments} segments for {live_bytes} bytes");
    }
    while world.write() {}
    world.reopen();
    assert_eq!(world.durable[&idle].entries.len(), 29);
}

#[test]
fn entries_larger_than_a_segment_are_kept() {
    let mut disk = Disk::default();
    let large = LogOptions { segment_bytes: 1024 * BLOCK_BYTES, ..LogOptions::default() };
    let (mut log, _) = Log::open_with(&disk, large).unwrap();
    let entries: Vec<Entry> = [5, 17]
        .iter()
        .zip(1..)
        .map(|(mib, index)| Entry { index, term: 1, kind: 0, context: Bytes::new(), data: Bytes::from(vec![index as u8; mib << 20]) })
        .collect();
    let lsn = log.append(ShardId(1), Record::Entries(entries.clone()));
    assert_eq!(log.pending_bytes(), (22 << 20) + 2 * 44);
    assert!(!log.is_full());
    while let Some(write) = log.next_write() {
        assert!(log.durable() < lsn);
        let segment = disk.segments.entry(write.segment).or_insert_with(|| vec![0; large.segment_bytes]);
        segment[write.offset as usize..][..write.bytes.len()].copy_from_slice(&write.bytes);
        log.written(write.sequence);
    }
    assert_eq!(log.durable(), lsn);
    let (_, recovered) = Log::open_with(&disk, large).unwrap();
    assert_eq!(recovered.shards[&ShardId(1)].entries, entries);
}

#[test]
fn a_log_of_a_newer_version_is_refused() {
    let mut world = World::new(1);
    world.append_something();
    assert!(world.write());
    // A header of version 2, which is sound otherwise.
    let block = world.disk.segments.get_mut(&0).unwrap();
    block[8] = 2;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&1u64.to_le_bytes()), &block[4..64]);
    block[0..4].copy_from_slice(&crc.to_le_bytes());
    let refused = Log::open_with(&world.disk, options()).unwrap_err();
    assert_eq!(refused.state(), base::SqlState::FEATURE_NOT_SUPPORTED);
}

#[test]
fn content_that_looks_like_a_write_of_another_log_is_not_taken() {
    let mut world = World::new(1);
    world.append_something();
    while world.write() {}
    world.disk.salt = 2;
    let (_, recovered) = Log::open_with(&world.disk, options()).unwrap();
    assert_eq!(recovered.shards, Shards::new());
}

/// One of the ways in which files are changed by faults, programs and people.
fn mutate(disk: &mut Disk, prng: &mut Prng) {
    let files: Vec<u64> = disk.segments.keys().copied().collect();
    let (file, other) = (*prng.pick(&files), *prng.pick(&files));
    let donor = disk.segments[&other].clone();
    let segment = disk.segments.get_mut(&file).unwrap();
    let blocks = (segment.len() / BLOCK_BYTES) as u64;
    let at = prng.below(blocks.max(1)) as usize * BLOCK_BYTES;
    match prng.below(8) {
        0 => segment.truncate(prng.below(segment.len() as u64 + 1) as usize),
        1 => drop(disk.segments.remove(&file).filter(|_| files.len() > 1).or(Some(donor)).map(|kept| disk.segments.insert(file, kept))),
        2 => *segment = donor,
        3 => segment.iter_mut().skip(at).take(BLOCK_BYTES).for_each(|byte| *byte = 0),
        4 => segment.iter_mut().skip(at).take(64).for_each(|byte| *byte = prng.next_u64() as u8),
        5 => {
            let from = prng.below((donor.len() / BLOCK_BYTES).max(1) as u64) as usize * BLOCK_BYTES;
            segment.iter_mut().skip(at).zip(donor.iter().skip(from).take(BLOCK_BYTES)).for_each(|(byte, new)| *byte = *new);
        }
        _ => segment.iter_mut().skip(at + prng.below(4096) as usize).take(1).for_each(|byte| *byte ^= 1 << prng.below(8)),
    }
}

#[test]
fn a_log_of_any_content_opens_and_goes_on() {
    for seed in 0..400 {
        let mut world = World::new(seed);
        world.steps(250);
        while world.write() {}
        for _ in 0..world.prng.between(1, 5) {
            let World { disk, prng, .. } = &mut world;
            mutate(disk, prng);
        }
        let (log, recovered) = Log::open_with(&world.disk, options()).unwrap();
        for log in recovered.shards.values() {
            assert!(log.entries.iter().zip(log.truncated_index + 1..).all(|(entry, index)| entry.index == index));
        }
        world.disk.segments.values_mut().for_each(|segment| segment.resize(SEGMENT_BYTES, 0));
        (world.log, world.newest, world.durable) = (log, recovered.shards.clone(), recovered.shards);
        world.steps(150);
        while world.write() {}
        let (_, again) = Log::open_with(&world.disk, options()).unwrap();
        assert!(comparable(&again.shards) == comparable(&world.durable), "seed {seed}");
    }
}

/// Changes a field of a write's or a record's header.
fn mutate_field(disk: &mut Disk, prng: &mut Prng) {
    let files: Vec<u64> = disk.segments.keys().copied().collect();
    let segment = disk.segments.get_mut(prng.pick(&files)).unwrap();
    let headers: Vec<usize> = (0..segment.len()).step_by(BLOCK_BYTES).filter(|at| &segment[at + 4..at + 8] == b"FLog").collect();
    if headers.is_empty() {
        return;
    }
    let at = *prng.pick(&headers) + *prng.pick(&[16, 20, 24, 32, 40, 48, 56, 64 + 8, 64 + 12, 64 + 16, 64 + 20, 64 + 28]);
    match prng.below(3) {
        0 => segment[at] ^= 1 << prng.below(8),
        1 => segment[at] = segment[at].wrapping_add(prng.between(0, 2) as u8).wrapping_sub(1),
        _ => segment[at..at + 4].fill_with(|| prng.next_u64() as u8),
    }
}

#[test]
fn a_log_with_any_sealed_content_opens_and_goes_on() {
    for seed in 0..1500 {
        let mut world = World::new(seed);
        world.steps(120);
        while world.write() {}
        let World { disk, prng, .. } = &mut world;
        for _ in 0..prng.between(1, 6) {
            if prng.one_in(3) { mutate(disk, prng) } else { mutate_field(disk, prng) }
        }
        disk.segments.values_mut().for_each(|segment| {
            segment.resize(SEGMENT_BYTES, 0);
            seal::seal(segment, seed);
        });
        let Ok((log, recovered)) = Log::open_with(&world.disk, options()) else { continue };
        for log in recovered.shards.values() {
            assert!(log.entries.iter().zip(log.truncated_index + 1..).all(|(entry, index)| entry.index == index));
        }
        (world.log, world.newest, world.durable) = (log, recovered.shards.clone(), recovered.shards);
        let fresh = ShardId(77);
        world.append(fresh, Record::Removed);
        world.append(fresh, Record::State { term: 5, vote: 6, commit: 7 });
        while world.write() {}
        let (_, again) = Log::open_with(&world.disk, options()).unwrap();
        assert!(again.shards[&fresh].term == 5, "seed {seed}");
    }
}
