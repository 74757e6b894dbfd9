//! The log as it runs: what waits, what is being written, where the next write goes.

use super::format::{self, HEADER_BYTES, Header};
use super::live::{Home, Live, Part, Segment};
use super::recovery::{Restored, restore};
use super::{BLOCK_BYTES, Entry, LogFiles, LogWrite, Lsn, PENDING_BYTES_MAX, Record, Recovered, SEGMENT_BYTES, WRITE_BYTES_MAX};
use base::{Result, ShardId};
use bytes::Bytes;
use std::collections::VecDeque;

/// Segments in use below which nothing is moved out of an old one.
const MOVE_SEGMENTS_MIN: u64 = 4;
/// Most bytes moved out of an old segment with one write.
const MOVE_BYTES_MAX: usize = 256 * 1024;
/// Segments kept for recycling; further ones are given up to be deleted.
const SPARE_SEGMENTS_MAX: usize = 4;
/// Smallest segment that makes sense: a few writes of one block.
const SEGMENT_BYTES_MIN: usize = 4 * BLOCK_BYTES;

#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// Length of new segment files, a multiple of [`BLOCK_BYTES`].
    pub segment_bytes: usize,
    /// See [`Log::is_full`].
    pub pending_bytes_max: usize,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions { segment_bytes: SEGMENT_BYTES, pending_bytes_max: PENDING_BYTES_MAX }
    }
}

/// See the module `log`.
#[derive(Debug)]
pub struct Log {
    options: LogOptions,
    salt: u64,
    /// The durable state, as of the newest finished write.
    live: Live,
    /// Records not known to be durable, in order.
    waiting: VecDeque<Waiting>,
    /// Bytes of the first record that is not wholly in a write yet which are in one already.
    begun_bytes: usize,
    /// Room for a header, then encoded records; those before `unwritten` are in a write already.
    buffer: Vec<u8>,
    unwritten: usize,
    /// Records to be moved out of the oldest segment.
    moves: VecDeque<(ShardId, Part)>,
    in_flight: Option<InFlight>,
    /// Of the newest write made.
    sequence: u64,
    /// Where the newest write ends in the newest segment.
    end: u64,
    appended: Lsn,
    durable: Lsn,
    spare: VecDeque<u64>,
    surplus: Vec<u64>,
    next_file: u64,
}

#[derive(Debug)]
struct Waiting {
    /// The position that is durable with this record; `None` for records of the log's own.
    lsn: Option<Lsn>,
    shard: ShardId,
    what: What,
    bytes: usize,
    /// Known once the record's start is in a write.
    home: Option<Home>,
}

#[derive(Debug)]
enum What {
    Record(Record),
    Entry(Entry),
    Moved { index: u64 },
    Damaged,
    Noted { first: u64, last: u64 },
}

#[derive(Debug)]
struct InFlight {
    write: LogWrite,
    needed_from: u64,
    /// Records that are durable once the write is.
    records: usize,
    /// The write failed and must be made again.
    again: bool,
}

impl Log {
    /// Reads the log and makes it ready to go on. Damage that was found is noted in the log with the first write.
    ///
    /// # Errors
    /// Those of `files`; `0A000` if a newer version wrote the log.
    pub fn open(files: &dyn LogFiles) -> Result<(Log, Recovered)> {
        Log::open_with(files, LogOptions::default())
    }

    /// As [`Log::open`].
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_with(files: &dyn LogFiles, options: LogOptions) -> Result<(Log, Recovered)> {
        assert!(options.segment_bytes.is_multiple_of(BLOCK_BYTES) && options.segment_bytes >= SEGMENT_BYTES_MIN);
        let restored = restore(files)?;
        let mut log = Log {
            options,
            salt: files.salt(),
            live: restored.live,
            waiting: VecDeque::new(),
            begun_bytes: 0,
            buffer: vec![0; HEADER_BYTES],
            unwritten: HEADER_BYTES,
            moves: VecDeque::new(),
            in_flight: None,
            sequence: restored.last,
            end: restored.end,
            appended: 0,
            durable: 0,
            spare: VecDeque::new(),
            surplus: Vec::new(),
            next_file: restored.file_max.map_or(0, |number| number + 1),
        };
        for &(file, bytes) in &restored.unused {
            log.give_up(file, bytes);
        }
        log.retire(restored.needed_from);
        log.note_damage(&restored.damaged_shards, &restored.damaged_writes);
        let Restored { recovered, .. } = restored;
        Ok((log, recovered))
    }

    /// Queues a record. It is durable once [`Log::durable`] has reached the answer.
    pub fn append(&mut self, shard: ShardId, record: Record) -> Lsn {
        let Record::Entries(entries) = record else {
            self.appended += 1;
            self.wait(Some(self.appended), shard, What::Record(record));
            return self.appended;
        };
        let before = self.appended;
        if !entries.is_empty() {
            self.appended += 1;
        }
        let count = entries.len();
        for (number, entry) in entries.into_iter().enumerate() {
            let lsn = if number + 1 == count { self.appended } else { before };
            self.wait(Some(lsn), shard, What::Entry(entry));
        }
        self.appended
    }

    fn wait(&mut self, lsn: Option<Lsn>, shard: ShardId, what: What) {
        let start = self.buffer.len();
        match &what {
            What::Record(Record::State { term, vote, commit }) => format::encode_state(&mut self.buffer, shard, *term, *vote, *commit),
            What::Record(Record::Truncated { index, term }) => format::encode_truncated(&mut self.buffer, shard, *index, *term),
            What::Record(Record::Restarted { index, term }) => format::encode_restarted(&mut self.buffer, shard, *index, *term),
            What::Record(Record::Removed) => format::encode_removed(&mut self.buffer, shard),
            What::Record(Record::Entries(_)) | What::Moved { .. } => unreachable!("entries wait one by one, copies are put in front"),
            What::Entry(entry) => format::encode_entry(&mut self.buffer, shard, entry, false),
            What::Damaged => format::encode_damaged(&mut self.buffer, shard),
            What::Noted { first, last } => format::encode_noted(&mut self.buffer, *first, *last),
        }
        let bytes = self.buffer.len() - start;
        self.waiting.push_back(Waiting { lsn, shard, what, bytes, home: None });
    }

    /// The next write, if there is something to write and no write is under way: everything that waits, up to [`WRITE_BYTES_MAX`].
    /// After [`Log::write_failed_full`] it is the same write again.
    pub fn next_write(&mut self) -> Option<LogWrite> {
        if let Some(in_flight) = &mut self.in_flight {
            return std::mem::take(&mut in_flight.again).then(|| in_flight.write.clone());
        }
        if self.buffer.len() == self.unwritten {
            return None;
        }
        self.move_out();
        self.sequence += 1;
        self.choose_place();
        let room = self.current().bytes - self.end;
        let payload_max = room.min(WRITE_BYTES_MAX as u64) as usize - HEADER_BYTES;
        let needed_from = self.needed_from();
        let in_flight = self.build(payload_max, needed_from);
        self.end += in_flight.write.bytes.len() as u64;
        let write = in_flight.write.clone();
        self.in_flight = Some(in_flight);
        Some(write)
    }

    /// The write is durable.
    pub fn written(&mut self, sequence: u64) {
        let in_flight = self.in_flight.take().expect("a write that was handed out is reported");
        assert_eq!(in_flight.write.sequence, sequence, "writes are made one at a time");
        for waiting in self.waiting.drain(..in_flight.records) {
            let home = waiting.home.expect("the record is in a write");
            self.durable = self.durable.max(waiting.lsn.unwrap_or(0));
            match waiting.what {
                What::Record(record) => self.live.apply(waiting.shard, record, home),
                What::Entry(entry) => self.live.add_entry(waiting.shard, entry, home),
                What::Moved { index } => self.live.move_entry(waiting.shard, index, home),
                What::Damaged => self.live.mark_damaged(waiting.shard, home),
                What::Noted { .. } => {}
            }
        }
        self.retire(in_flight.needed_from);
    }

    /// The disk was full and the write is not durable. [`Log::next_write`] gives it again.
    pub fn write_failed_full(&mut self, sequence: u64) {
        let in_flight = self.in_flight.as_mut().expect("a write that was handed out is reported");
        assert_eq!(in_flight.write.sequence, sequence, "writes are made one at a time");
        in_flight.again = true;
    }

    /// All records up to this position are durable.
    pub fn durable(&self) -> Lsn {
        self.durable
    }

    /// The newest position handed out.
    pub fn appended(&self) -> Lsn {
        self.appended
    }

    /// Bytes that wait, without those of the write under way.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len() - self.unwritten
    }

    /// True if the callers should not append until something was written. Appending still works, so that what is already under way can end.
    pub fn is_full(&self) -> bool {
        self.pending_bytes() >= self.options.pending_bytes_max
    }

    /// Segments that hold something needed, and the bytes of what is alive in them.
    pub fn usage(&self) -> (usize, u64) {
        (self.live.segments.len(), self.live.segments.live_bytes())
    }

    fn current(&self) -> &Segment {
        self.live.segments.current().expect("a place was chosen")
    }

    /// Goes on to a new segment if the current one has no room for a block.
    fn choose_place(&mut self) {
        let has_room = self.live.segments.current().is_some_and(|current| current.bytes >= self.end + BLOCK_BYTES as u64);
        if has_room {
            return;
        }
        let file = self.spare.pop_front().unwrap_or_else(|| {
            self.next_file += 1;
            self.next_file - 1
        });
        self.live.segments.push(Segment::new(file, self.sequence, self.options.segment_bytes as u64));
        self.end = 0;
    }

    /// The oldest segment's epoch that recovery needs, should this write be the last.
    fn needed_from(&self) -> u64 {
        let live = self.live.segments.needed_from().expect("a place was chosen");
        // The start of a record that is not finished counts for nothing in `live` yet.
        let begun = self.waiting.front().and_then(|waiting| waiting.home);
        begun.map_or(live, |home| home.min(live))
    }

    fn build(&mut self, payload_max: usize, needed_from: u64) -> InFlight {
        let payload_bytes = self.pending_bytes().min(payload_max);
        let current = *self.current();
        let (records, carried_bytes) = self.place_records(payload_bytes, current.epoch);
        let mut bytes = self.take_payload(payload_bytes);
        let header = Header {
            payload_crc: crc32c::crc32c(&bytes[HEADER_BYTES..]),
            payload_bytes: payload_bytes as u32,
            carried_bytes: carried_bytes as u32,
            sequence: self.sequence,
            epoch: current.epoch,
            needed_from,
            segment: current.file,
            position: (self.end / BLOCK_BYTES as u64) as u32,
        };
        bytes[..HEADER_BYTES].copy_from_slice(&header.encode(self.salt));
        bytes.resize(header.padded_bytes(), 0);
        let surplus = std::mem::take(&mut self.surplus);
        let write = LogWrite { sequence: self.sequence, segment: current.file, offset: self.end, bytes: Bytes::from(bytes), surplus };
        InFlight { write, needed_from, records, again: false }
    }

    /// Gives the records that begin in this write their home. Answers how many end in it, and how many bytes at its start belong to
    /// a record begun earlier.
    fn place_records(&mut self, payload_bytes: usize, home: Home) -> (usize, usize) {
        let mut left = payload_bytes;
        let (mut ended, mut carried) = (0, 0);
        for waiting in &mut self.waiting {
            if left == 0 {
                break;
            }
            let rest = waiting.bytes - self.begun_bytes;
            let here = rest.min(left);
            match waiting.home {
                None => waiting.home = Some(home),
                Some(_) => carried = here,
            }
            left -= here;
            if here < rest {
                self.begun_bytes += here;
                break;
            }
            self.begun_bytes = 0;
            ended += 1;
        }
        assert_eq!(left, 0, "what waits adds up to what is buffered");
        (ended, carried)
    }

    /// The next bytes with room for a header before them.
    fn take_payload(&mut self, payload_bytes: usize) -> Vec<u8> {
        if self.unwritten == HEADER_BYTES && payload_bytes == self.pending_bytes() {
            let mut next = Vec::with_capacity(self.buffer.len());
            next.resize(HEADER_BYTES, 0);
            return std::mem::replace(&mut self.buffer, next);
        }
        let end = self.unwritten + payload_bytes;
        let mut taken = Vec::with_capacity((HEADER_BYTES + payload_bytes).next_multiple_of(BLOCK_BYTES));
        taken.resize(HEADER_BYTES, 0);
        taken.extend_from_slice(&self.buffer[self.unwritten..end]);
        self.unwritten = end;
        // Moving the rest costs no more than what was written since it was last moved.
        if self.buffer.len() - end <= end - HEADER_BYTES {
            self.buffer.drain(HEADER_BYTES..end);
            self.unwritten = HEADER_BYTES;
        }
        taken
    }

    fn retire(&mut self, needed_from: u64) {
        while let Some(segment) = self.live.segments.retire(needed_from) {
            self.give_up(segment.file, segment.bytes);
        }
    }

    fn give_up(&mut self, file: u64, bytes: u64) {
        if bytes == self.options.segment_bytes as u64 && self.spare.len() < SPARE_SEGMENTS_MAX {
            self.spare.push_back(file);
        } else {
            self.surplus.push(file);
        }
    }

    /// Copies what is alive in the oldest segment to the front of what waits, when the log takes much more room than what is alive in it:
    /// a shard that is idle must not hold a segment, and with it all later ones, for ever. Between the durable state, from which
    /// the copies are made, and the copies there is no other record, so a copy is never out of date.
    fn move_out(&mut self) {
        // Copies made earlier (they have no position) must be written before more are made.
        if self.begun_bytes > 0 || self.waiting.front().is_some_and(|waiting| waiting.lsn.is_none()) {
            return;
        }
        let segments = &self.live.segments;
        let Some(oldest) = segments.oldest() else { return };
        if self.moves.is_empty() {
            let floor = MOVE_SEGMENTS_MIN * self.options.segment_bytes as u64;
            let wasteful = segments.bytes() > floor + 2 * segments.live_bytes();
            if !wasteful || segments.needed_from() != Some(oldest.epoch) {
                return;
            }
            self.moves = self.live.parts_in(oldest.epoch);
        }
        let oldest = oldest.epoch;
        let mut front = vec![0; HEADER_BYTES];
        let mut moved = Vec::new();
        while front.len() < MOVE_BYTES_MAX
            && let Some((shard, part)) = self.moves.pop_front()
        {
            let start = front.len();
            if let Some(what) = self.encode_move(&mut front, shard, part, oldest) {
                moved.push(Waiting { lsn: None, shard, what, bytes: front.len() - start, home: None });
            }
        }
        front.extend_from_slice(&self.buffer[self.unwritten..]);
        self.buffer = front;
        self.unwritten = HEADER_BYTES;
        moved.into_iter().rev().for_each(|waiting| self.waiting.push_front(waiting));
    }

    /// `None` if the record has died or was moved since it was listed.
    fn encode_move(&self, into: &mut Vec<u8>, shard: ShardId, part: Part, oldest: Home) -> Option<What> {
        let live = self.live.shards.get(&shard)?;
        match part {
            Part::Consensus => {
                let (consensus, _) = live.consensus.filter(|&(_, home)| home == oldest)?;
                let (term, vote, commit) = (consensus.term, consensus.vote, consensus.commit);
                format::encode_state(into, shard, term, vote, commit);
                Some(What::Record(Record::State { term, vote, commit }))
            }
            Part::Truncation => {
                let (truncation, _) = live.truncation.filter(|&(_, home)| home == oldest)?;
                format::encode_truncated(into, shard, truncation.index, truncation.term);
                Some(What::Record(Record::Truncated { index: truncation.index, term: truncation.term }))
            }
            Part::Damaged => {
                live.damaged.filter(|&home| home == oldest)?;
                format::encode_damaged(into, shard);
                Some(What::Damaged)
            }
            Part::Entry(index) => {
                let at = index.checked_sub(live.truncated_index() + 1)?;
                let (entry, _) = live.entries.get(at as usize).filter(|(_, home)| *home == oldest)?;
                format::encode_entry(into, shard, entry, true);
                Some(What::Moved { index })
            }
        }
    }

    /// Damage outlives the segment that shows it: the shards concerned are marked by records, and the writes as noted, so that
    /// shards made later are not held for damaged.
    fn note_damage(&mut self, shards: &[ShardId], writes: &[(u64, u64)]) {
        shards.iter().for_each(|&shard| self.wait(None, shard, What::Damaged));
        writes.iter().for_each(|&(first, last)| self.wait(None, ShardId(0), What::Noted { first, last }));
    }
}
