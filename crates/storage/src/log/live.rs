//! What of the log is still needed: the durable state of each shard and the segment that each part of it lies in.
//!
//! A segment is needed while a record in it is alive. Segments are given up from the oldest on only, so that what remains is
//! always an unbroken end of the log: a record that killed another is never lost before its victim.

use super::format::entry_bytes;
use super::{Entry, Record, ShardLog};
use base::ShardId;
use std::collections::{BTreeMap, VecDeque};

/// The epoch of the segment that a record begins in.
pub type Home = u64;

/// Bytes that the fixed-size records count for.
const SMALL_RECORD_BYTES: u64 = 48;

/// One segment file in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub file: u64,
    pub epoch: u64,
    /// Length of the file, a multiple of the block.
    pub bytes: u64,
    live_records: u64,
    live_bytes: u64,
}

impl Segment {
    pub fn new(file: u64, epoch: u64, bytes: u64) -> Segment {
        Segment { file, epoch, bytes, live_records: 0, live_bytes: 0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consensus {
    pub term: u64,
    pub vote: u64,
    pub commit: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncation {
    pub index: u64,
    pub term: u64,
}

/// One shard's durable state.
#[derive(Debug, Default)]
pub struct ShardLive {
    pub consensus: Option<(Consensus, Home)>,
    pub truncation: Option<(Truncation, Home)>,
    pub damaged: Option<Home>,
    /// Contiguous, right after the truncation.
    pub entries: VecDeque<(Entry, Home)>,
}

impl ShardLive {
    pub fn truncated_index(&self) -> u64 {
        self.truncation.map_or(0, |(truncation, _)| truncation.index)
    }

    pub fn to_log(&self, damaged: bool) -> ShardLog {
        let consensus = self.consensus.map_or(Consensus { term: 0, vote: 0, commit: 0 }, |(consensus, _)| consensus);
        ShardLog {
            term: consensus.term,
            vote: consensus.vote,
            commit: consensus.commit,
            truncated_index: self.truncated_index(),
            truncated_term: self.truncation.map_or(0, |(truncation, _)| truncation.term),
            entries: self.entries.iter().map(|(entry, _)| entry.clone()).collect(),
            damaged,
        }
    }
}

/// A record that lies in a segment to be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Consensus,
    Truncation,
    Damaged,
    Entry(u64),
}

/// Counts what is alive in each segment.
#[derive(Debug, Default)]
pub struct Segments {
    /// Oldest first; the last one is being written.
    in_use: VecDeque<Segment>,
    live_bytes: u64,
}

impl Segments {
    pub fn push(&mut self, segment: Segment) {
        assert!(self.in_use.back().is_none_or(|last| last.epoch < segment.epoch), "segments follow each other");
        self.in_use.push_back(segment);
    }

    pub fn current(&self) -> Option<&Segment> {
        self.in_use.back()
    }

    pub fn oldest(&self) -> Option<&Segment> {
        self.in_use.front()
    }

    pub fn len(&self) -> usize {
        self.in_use.len()
    }

    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    pub fn bytes(&self) -> u64 {
        self.in_use.iter().map(|segment| segment.bytes).sum()
    }

    /// Epoch of the oldest segment that holds something alive.
    pub fn needed_from(&self) -> Option<u64> {
        let needed = self.in_use.iter().find(|segment| segment.live_records > 0).or(self.in_use.back());
        needed.map(|segment| segment.epoch)
    }

    /// Takes out one segment all of whose writes are older than `needed_from`.
    pub fn retire(&mut self, needed_from: u64) -> Option<Segment> {
        let next = self.in_use.get(1)?;
        if next.epoch > needed_from {
            return None;
        }
        let retired = self.in_use.pop_front().expect("there are two");
        assert_eq!(retired.live_records, 0, "a segment with something alive is not given up");
        Some(retired)
    }

    fn add(&mut self, home: Home, bytes: u64) {
        let segment = self.find(home);
        segment.live_records += 1;
        segment.live_bytes += bytes;
        self.live_bytes += bytes;
    }

    fn remove(&mut self, home: Home, bytes: u64) {
        let segment = self.find(home);
        segment.live_records -= 1;
        segment.live_bytes -= bytes;
        self.live_bytes -= bytes;
    }

    fn find(&mut self, home: Home) -> &mut Segment {
        let at = match self.in_use.back() {
            Some(last) if last.epoch == home => self.in_use.len() - 1,
            _ => self.in_use.partition_point(|segment| segment.epoch < home),
        };
        let segment = self.in_use.get_mut(at).filter(|segment| segment.epoch == home);
        segment.expect("the home of something alive is in use")
    }
}

/// The durable state of all shards.
#[derive(Debug, Default)]
pub struct Live {
    pub shards: BTreeMap<ShardId, ShardLive>,
    pub segments: Segments,
}

impl Live {
    /// Takes over what recovery found, once `segments` is filled.
    pub fn insert(&mut self, shard: ShardId, live: ShardLive) {
        let small = [live.consensus.map(|it| it.1), live.truncation.map(|it| it.1), live.damaged];
        small.into_iter().flatten().for_each(|home| self.segments.add(home, SMALL_RECORD_BYTES));
        live.entries.iter().for_each(|(entry, home)| self.segments.add(*home, entry_bytes(entry) as u64));
        self.shards.insert(shard, live);
    }

    pub fn apply(&mut self, shard: ShardId, record: Record, home: Home) {
        match record {
            Record::State { term, vote, commit } => {
                let live = self.shards.entry(shard).or_default();
                let old = live.consensus.replace((Consensus { term, vote, commit }, home));
                self.replace_small(old.map(|it| it.1), home);
            }
            Record::Entries(entries) => entries.into_iter().for_each(|entry| self.add_entry(shard, entry, home)),
            Record::Truncated { index, term } => self.truncate(shard, index, term, home),
            Record::Restarted { index, term } => {
                self.drop_entries(shard);
                self.truncate(shard, index, term, home);
            }
            Record::Removed => self.remove(shard),
        }
    }

    pub fn mark_damaged(&mut self, shard: ShardId, home: Home) {
        let old = self.shards.entry(shard).or_default().damaged.replace(home);
        self.replace_small(old, home);
    }

    /// An entry now also lies in a newer segment.
    pub fn move_entry(&mut self, shard: ShardId, index: u64, to: Home) {
        let Live { shards, segments } = self;
        let live = shards.get_mut(&shard).expect("only what is alive is moved");
        let first = live.truncated_index() + 1;
        let (entry, home) = live.entries.get_mut((index - first) as usize).expect("only what is alive is moved");
        let bytes = entry_bytes(entry) as u64;
        segments.remove(*home, bytes);
        segments.add(to, bytes);
        *home = to;
    }

    /// Everything alive in one segment.
    pub fn parts_in(&self, home: Home) -> VecDeque<(ShardId, Part)> {
        let mut parts = VecDeque::new();
        for (&shard, live) in &self.shards {
            let mut add = |at: Option<Home>, part| {
                if at == Some(home) {
                    parts.push_back((shard, part));
                }
            };
            add(live.consensus.map(|it| it.1), Part::Consensus);
            add(live.truncation.map(|it| it.1), Part::Truncation);
            add(live.damaged, Part::Damaged);
            live.entries.iter().for_each(|(entry, at)| add(Some(*at), Part::Entry(entry.index)));
        }
        parts
    }

    /// Replaces what is there at and after the entry's index.
    pub fn add_entry(&mut self, shard: ShardId, entry: Entry, home: Home) {
        let Live { shards, segments } = self;
        let live = shards.entry(shard).or_default();
        let truncated = live.truncated_index();
        if entry.index <= truncated {
            return;
        }
        while let Some((old, at)) = live.entries.pop_back_if(|(last, _)| last.index >= entry.index) {
            segments.remove(at, entry_bytes(&old) as u64);
        }
        let next = live.entries.back().map_or(truncated, |(last, _)| last.index) + 1;
        assert_eq!(entry.index, next, "the entries of {shard} connect to what is there");
        segments.add(home, entry_bytes(&entry) as u64);
        live.entries.push_back((entry, home));
    }

    fn truncate(&mut self, shard: ShardId, index: u64, term: u64, home: Home) {
        let Live { shards, segments } = self;
        let live = shards.entry(shard).or_default();
        assert!(index >= live.truncated_index(), "the log of {shard} is truncated at {index}, behind its start");
        while let Some((entry, at)) = live.entries.pop_front_if(|(first, _)| first.index <= index) {
            segments.remove(at, entry_bytes(&entry) as u64);
        }
        let old = live.truncation.replace((Truncation { index, term }, home));
        self.replace_small(old.map(|it| it.1), home);
    }

    fn drop_entries(&mut self, shard: ShardId) {
        let Live { shards, segments } = self;
        let entries = shards.entry(shard).or_default().entries.drain(..);
        entries.for_each(|(entry, home)| segments.remove(home, entry_bytes(&entry) as u64));
    }

    fn remove(&mut self, shard: ShardId) {
        let Some(live) = self.shards.remove(&shard) else { return };
        let small = [live.consensus.map(|it| it.1), live.truncation.map(|it| it.1), live.damaged];
        small.into_iter().flatten().for_each(|home| self.segments.remove(home, SMALL_RECORD_BYTES));
        live.entries.iter().for_each(|(entry, home)| self.segments.remove(*home, entry_bytes(entry) as u64));
    }

    fn replace_small(&mut self, old: Option<Home>, new: Home) {
        self.segments.add(new, SMALL_RECORD_BYTES);
        if let Some(old) = old {
            self.segments.remove(old, SMALL_RECORD_BYTES);
        }
    }
}
