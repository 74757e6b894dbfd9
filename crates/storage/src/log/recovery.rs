//! Reads the log at start: which writes count, what the shards' state is, what was cut, what is damaged.
//!
//! The newest intact write says from which write on the log is needed. Everything in between must be there: a write is only
//! made when all earlier ones are durable, so a missing one was acknowledged and is damage, not a torn tail. Segments are
//! read one at a time, twice: once to find the writes, once to take in their records.

use super::format::{Item, RECORD_HEADER_BYTES, RecordHeader, decode_record, decode_record_header};
use super::live::{Consensus, Home, Live, Segment, ShardLive, Truncation};
use super::scan::{Found, Scanned, scan};
use super::{Damage, Entry, LogFiles, Recovered};
use base::{Result, ShardId};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that the log needs to go on.
pub struct Restored {
    pub live: Live,
    pub recovered: Recovered,
    /// Sequence of the newest write, 0 if there is none, and where it ends in the newest segment.
    pub last: u64,
    pub end: u64,
    pub needed_from: u64,
    /// Files that hold nothing needed, with their lengths, in the order in which to use them.
    pub unused: Vec<(u64, u64)>,
    pub file_max: Option<u64>,
    /// Damage to be noted in the log: the shards that have no note yet, then the writes.
    pub damaged_shards: Vec<ShardId>,
    pub damaged_writes: Vec<(u64, u64)>,
}

pub fn restore(files: &dyn LogFiles) -> Result<Restored> {
    let salt = files.salt();
    let mut numbers = files.segments()?;
    numbers.sort_unstable();
    let mut scans = Vec::with_capacity(numbers.len());
    for &number in &numbers {
        scans.push(scan(number, &files.read(number)?, salt)?);
    }
    let chain = Chain::choose(&scans);
    let mut reader = Reader::new(chain.needed_from);
    let mut live = Live::default();
    for part in &chain.parts {
        live.segments.push(Segment::new(part.file, part.epoch, part.bytes));
        let segment = files.read(part.file)?;
        for found in &part.writes {
            reader.write(found, found.payload(&segment));
        }
    }
    reader.end(chain.last);
    Ok(finish(reader, chain, live, &scans))
}

/// The writes that count, by segment.
struct Chain {
    parts: Vec<Part>,
    needed_from: u64,
    last: u64,
    end: u64,
    torn: bool,
}

struct Part {
    file: u64,
    epoch: u64,
    bytes: u64,
    writes: Vec<Found>,
}

impl Chain {
    fn choose(scans: &[Scanned]) -> Chain {
        let all = || scans.iter().flat_map(|scanned| &scanned.writes);
        let intact_max = all().filter(|found| found.intact).map(|found| found.header.sequence).max().unwrap_or(0);
        let begun_max = all().map(|found| found.header.sequence).max().unwrap_or(0);
        // A write that was begun proves that all before it were finished.
        let last = intact_max.max(begun_max.saturating_sub(1));
        let torn = begun_max > last;
        let best = best_of_each(scans);
        let newest = best.range(..=last).next_back();
        let needed_from = newest.or(best.last_key_value()).map_or(1, |(_, (found, _))| found.header.needed_from);
        let mut parts: Vec<Part> = Vec::new();
        for (_, (found, scanned)) in best.range(needed_from.min(last)..=last) {
            let epoch = found.header.epoch;
            match parts.last_mut() {
                Some(part) if part.file == scanned.file => part.writes.push(**found),
                // Segments follow each other; what breaks their order counts as missing.
                Some(part) if part.epoch >= epoch => {}
                _ => parts.push(Part { file: scanned.file, epoch, bytes: scanned.bytes, writes: vec![**found] }),
            }
        }
        let end = parts.last().and_then(|part| part.writes.last()).map_or(0, |found| found.end() as u64);
        Chain { parts, needed_from, last, end, torn }
    }
}

/// A write that was cut may lie beside the one that took its number later: the intact one counts, else the one that has successors.
fn best_of_each(scans: &[Scanned]) -> BTreeMap<u64, (&Found, &Scanned)> {
    let mut best: BTreeMap<u64, (&Found, &Scanned)> = BTreeMap::new();
    let merit = |found: &Found, scanned: &Scanned| (found.intact, scanned.writes.last().map(|last| last.header.sequence));
    for scanned in scans {
        for found in &scanned.writes {
            let place = best.entry(found.header.sequence).or_insert((found, scanned));
            if merit(found, scanned) > merit(place.0, place.1) {
                *place = (found, scanned);
            }
        }
    }
    best
}

/// A shard's state as it grows.
#[derive(Default)]
struct Growing {
    consensus: Option<(Consensus, Home)>,
    truncation: Option<(Truncation, Home)>,
    damaged: Option<Home>,
    entries: BTreeMap<u64, (Entry, Home)>,
}

/// The start of a record whose end is in a later write.
struct Begun {
    bytes: Vec<u8>,
    home: Home,
}

struct Reader {
    shards: BTreeMap<ShardId, Growing>,
    /// The write in which a shard was removed last.
    removed: BTreeMap<ShardId, u64>,
    expected: u64,
    begun: Option<Begun>,
    damage: Vec<Damage>,
    noted: Vec<(u64, u64)>,
}

impl Reader {
    fn new(expected: u64) -> Reader {
        Reader { shards: BTreeMap::new(), removed: BTreeMap::new(), expected, begun: None, damage: Vec::new(), noted: Vec::new() }
    }

    fn write(&mut self, found: &Found, payload: &[u8]) {
        let header = &found.header;
        if header.sequence > self.expected {
            self.damage.push(Damage { first: self.expected, last: header.sequence - 1, shard: None });
            self.begun = None;
        }
        self.expected = header.sequence + 1;
        let (carried, mut fresh) = payload.split_at(header.carried_bytes as usize);
        // Without a carried part the record begun before was cut at a recovery: it was never acknowledged.
        if let Some(mut begun) = self.begun.take().filter(|_| !carried.is_empty()) {
            begun.bytes.extend_from_slice(carried);
            let home = begun.home;
            match self.record(&begun.bytes, header.sequence, home) {
                Step::Incomplete if fresh.is_empty() => self.begun = Some(begun),
                Step::Taken(used) if used == begun.bytes.len() => {}
                _ => self.damaged(header.sequence, None),
            }
        }
        while !fresh.is_empty() {
            match self.record(fresh, header.sequence, header.epoch) {
                Step::Taken(used) => fresh = &fresh[used..],
                Step::Incomplete => {
                    self.begun = Some(Begun { bytes: fresh.to_vec(), home: header.epoch });
                    return;
                }
                Step::Unreadable => {
                    self.damaged(header.sequence, None);
                    return;
                }
            }
        }
    }

    /// After the newest write that can be read.
    fn end(&mut self, last: u64) {
        if self.expected <= last {
            self.damage.push(Damage { first: self.expected, last, shard: None });
            self.begun = None;
        }
    }

    fn damaged(&mut self, sequence: u64, shard: Option<ShardId>) {
        self.damage.push(Damage { first: sequence, last: sequence, shard });
    }

    /// Takes in the record at the start of `bytes`.
    fn record(&mut self, bytes: &[u8], sequence: u64, home: Home) -> Step {
        let Some(header_bytes) = bytes.first_chunk::<RECORD_HEADER_BYTES>() else { return Step::Incomplete };
        let Some(header) = decode_record_header(header_bytes) else { return Step::Unreadable };
        let RecordHeader { shard, body_bytes, .. } = header;
        let end = RECORD_HEADER_BYTES + body_bytes;
        let Some(body) = bytes.get(RECORD_HEADER_BYTES..end) else { return Step::Incomplete };
        match decode_record(&header, body) {
            Some(item) => self.item(shard, item, sequence, home),
            None => self.damaged(sequence, Some(shard)),
        }
        Step::Taken(end)
    }

    fn item(&mut self, shard: ShardId, item: Item, sequence: u64, home: Home) {
        if let Item::Noted { first, last } = item {
            self.noted.push((first, last));
            return;
        }
        if item == Item::Removed {
            self.shards.remove(&shard);
            self.removed.insert(shard, sequence);
            return;
        }
        self.shards.entry(shard).or_default().item(item, home);
    }
}

enum Step {
    Taken(usize),
    /// The rest is in the next write.
    Incomplete,
    Unreadable,
}

impl Growing {
    fn item(&mut self, item: Item, home: Home) {
        let truncated = self.truncation.map_or(0, |(truncation, _)| truncation.index);
        match item {
            Item::State { term, vote, commit } => self.consensus = Some((Consensus { term, vote, commit }, home)),
            Item::Truncated { index, term } if index >= truncated => {
                self.truncation = Some((Truncation { index, term }, home));
                self.entries = self.entries.split_off(&(index + 1));
            }
            Item::Restarted { index, term } if index >= truncated => {
                self.truncation = Some((Truncation { index, term }, home));
                self.entries.clear();
            }
            Item::Entry(entry) if entry.index > truncated => {
                if self.entries.last_key_value().is_some_and(|(&last, _)| last >= entry.index) {
                    self.entries.split_off(&entry.index);
                }
                self.entries.insert(entry.index, (entry, home));
            }
            Item::Moved(entry) if entry.index > truncated => {
                self.entries.insert(entry.index, (entry, home));
            }
            Item::Damaged => self.damaged = Some(home),
            Item::Truncated { .. } | Item::Restarted { .. } | Item::Entry(_) | Item::Moved(_) => {}
            Item::Removed | Item::Noted { .. } => unreachable!("the reader takes these itself"),
        }
    }

    /// The state, and whether all entries connect.
    fn finish(self) -> (ShardLive, bool) {
        let mut live = ShardLive { consensus: self.consensus, truncation: self.truncation, damaged: self.damaged, ..ShardLive::default() };
        let first = live.truncated_index() + 1;
        let count = self.entries.len();
        let connected = (first..).zip(self.entries).take_while(|(expected, (index, _))| expected == index);
        live.entries.extend(connected.map(|(_, (_, entry))| entry));
        let whole = live.entries.len() == count;
        (live, whole)
    }
}

fn finish(reader: Reader, chain: Chain, mut live: Live, scans: &[Scanned]) -> Restored {
    let Reader { shards, removed, begun, mut damage, noted, .. } = reader;
    let is_noted = |damage: &Damage| noted.iter().any(|&(first, last)| first <= damage.first && damage.last <= last);
    let after_removal = |shard: &ShardId, damage: &Damage| removed.get(shard).is_some_and(|&at| at > damage.last);
    let mut damaged: BTreeSet<ShardId> = BTreeSet::new();
    for damage in damage.iter().filter(|damage| !is_noted(damage)) {
        let concerned: Vec<ShardId> = damage.shard.map_or_else(|| shards.keys().copied().collect(), |shard| vec![shard]);
        damaged.extend(concerned.into_iter().filter(|shard| !after_removal(shard, damage)));
    }
    let damaged_writes = damage.iter().filter(|damage| !is_noted(damage)).map(|damage| (damage.first, damage.last)).collect();
    let damaged_unknown = damage.iter().any(|damage| damage.shard.is_none());
    let mut recovered = Recovered { torn_tail: chain.torn || begun.is_some(), damaged_unknown, ..Recovered::default() };
    let mut damaged_shards = Vec::new();
    let mut finished: BTreeMap<ShardId, (ShardLive, bool)> = shards.into_iter().map(|(shard, it)| (shard, it.finish())).collect();
    for &shard in &damaged {
        finished.entry(shard).or_insert_with(|| (ShardLive::default(), true));
    }
    for (shard, (state, whole)) in finished {
        let found_now = damaged.contains(&shard) || (!whole && state.damaged.is_none());
        if !whole && !damaged.contains(&shard) && state.damaged.is_none() {
            damage.push(Damage { first: chain.needed_from, last: chain.last, shard: Some(shard) });
        }
        if found_now && state.damaged.is_none() {
            damaged_shards.push(shard);
        }
        recovered.shards.insert(shard, state.to_log(found_now || state.damaged.is_some()));
        live.insert(shard, state);
    }
    recovered.damage = damage;
    Restored {
        live,
        recovered,
        last: chain.last,
        end: chain.end,
        needed_from: chain.needed_from,
        unused: unused(&chain, scans),
        file_max: scans.iter().map(|scanned| scanned.file).max(),
        damaged_shards,
        damaged_writes,
    }
}

/// A file with the start of a cut write comes first, so that the write that takes its number also takes its place.
fn unused(chain: &Chain, scans: &[Scanned]) -> Vec<(u64, u64)> {
    let used = |scanned: &&Scanned| !chain.parts.iter().any(|part| part.file == scanned.file);
    let cut = |scanned: &Scanned| scanned.writes.first().is_some_and(|found| found.header.sequence == chain.last + 1);
    let mut unused: Vec<&Scanned> = scans.iter().filter(used).collect();
    unused.sort_by_key(|scanned| (!cut(scanned), scanned.file));
    unused.into_iter().map(|scanned| (scanned.file, scanned.bytes)).collect()
}
