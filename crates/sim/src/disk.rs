//! One node's disk for the log: writes take time, and what a crash leaves of an unfinished one is anybody's guess.

use crate::queue::{MILLI, Micros};
use base::{Error, Prng, Result, SqlState};
use bytes::Bytes;
use std::collections::BTreeMap;
use storage::log::{BLOCK_BYTES, LogFiles, LogWrite};

#[derive(Clone, Copy, Debug)]
pub struct DiskConfig {
    pub write_micros_min: Micros,
    pub write_micros_max: Micros,
    /// One write in so many takes up to fifty times as long.
    pub slow_one_in: u64,
    /// A planted fault: a write is reported before it is durable, and becomes so only this much later.
    pub lies_micros: Micros,
}

impl Default for DiskConfig {
    fn default() -> Self {
        DiskConfig { write_micros_min: 60, write_micros_max: 200, slow_one_in: 500, lies_micros: 0 }
    }
}

/// Blocks of a segment that were written, by their number; the rest reads as zeros.
type Blocks = BTreeMap<usize, Bytes>;

/// Bytes as the platters have them.
#[derive(Clone, Debug, Default)]
pub struct LogDisk {
    segments: BTreeMap<u64, Blocks>,
    /// Handed over, not yet known to be durable.
    pending: Vec<(Micros, LogWrite)>,
    pub full: bool,
    /// No write ends before this.
    stalled_until: Micros,
    config: DiskConfig,
    /// Every segment file has this length, whatever was written to it.
    segment_bytes: usize,
    /// See `LogFiles::salt`.
    salt: u64,
}

impl LogDisk {
    pub fn new(config: DiskConfig, segment_bytes: usize, salt: u64) -> LogDisk {
        LogDisk { config, segment_bytes, salt, ..LogDisk::default() }
    }

    pub fn stall(&mut self, until: Micros) {
        self.stalled_until = self.stalled_until.max(until);
    }

    /// Takes a write; the answer is when it will be reported as done.
    pub fn begin(&mut self, now: Micros, write: LogWrite, prng: &mut Prng) -> Micros {
        assert!(
            write.bytes.len().is_multiple_of(BLOCK_BYTES) && write.offset.is_multiple_of(BLOCK_BYTES as u64),
            "direct writes are aligned"
        );
        assert!(write.offset as usize + write.bytes.len() <= self.segment_bytes, "a write lies within its segment");
        let mut duration = prng.between(self.config.write_micros_min, self.config.write_micros_max);
        if prng.one_in(self.config.slow_one_in) {
            duration *= prng.between(2, 50);
        }
        let done = (now + duration).max(self.stalled_until);
        self.pending.push((done + self.config.lies_micros, write));
        done
    }

    /// Makes durable what is due. To be called before a report is given and before a crash.
    pub fn settle(&mut self, now: Micros) {
        let mut left = Vec::new();
        for (due, write) in std::mem::take(&mut self.pending) {
            if due <= now {
                self.apply(&write);
                write.surplus.iter().for_each(|segment| drop(self.segments.remove(segment)));
            } else {
                left.push((due, write));
            }
        }
        self.pending = left;
    }

    /// Power is gone: of each unfinished write any blocks may be there, or none.
    pub fn crash(&mut self, now: Micros, prng: &mut Prng) {
        self.settle(now);
        let pending = std::mem::take(&mut self.pending);
        if self.config.lies_micros > 0 {
            // A cache that is written back in order: what is missing leaves no gap by which the log would know.
            let kept = prng.below(pending.len() as u64 + 1) as usize;
            pending.iter().take(kept).for_each(|(_, write)| self.apply(write));
            return;
        }
        for (_, write) in pending {
            match prng.below(4) {
                0 => {}
                1 => self.apply(&write),
                2 => self.tear(&write, prng, |_, prng| prng.one_in(2)),
                _ => {
                    let blocks = (write.bytes.len() / BLOCK_BYTES) as u64;
                    let kept = prng.below(blocks + 1);
                    self.tear(&write, prng, |block, _| block < kept);
                }
            }
        }
    }

    fn tear(&mut self, write: &LogWrite, prng: &mut Prng, keeps: impl Fn(u64, &mut Prng) -> bool) {
        let blocks = self.segments.entry(write.segment).or_default();
        let first = write.offset as usize / BLOCK_BYTES;
        for block in 0..write.bytes.len() / BLOCK_BYTES {
            if keeps(block as u64, prng) {
                blocks.insert(first + block, write.bytes.slice(block * BLOCK_BYTES..(block + 1) * BLOCK_BYTES));
            }
        }
    }

    fn apply(&mut self, write: &LogWrite) {
        let blocks = self.segments.entry(write.segment).or_default();
        let first = write.offset as usize / BLOCK_BYTES;
        for block in 0..write.bytes.len() / BLOCK_BYTES {
            blocks.insert(first + block, write.bytes.slice(block * BLOCK_BYTES..(block + 1) * BLOCK_BYTES));
        }
    }

    /// Flips one bit of what is stored; false if there is nothing to damage.
    pub fn flip_bit(&mut self, prng: &mut Prng) -> bool {
        let filled: Vec<u64> = self.segments.iter().filter(|(_, blocks)| !blocks.is_empty()).map(|(number, _)| *number).collect();
        if filled.is_empty() {
            return false;
        }
        let blocks = self.segments.get_mut(prng.pick(&filled)).expect("it was listed just now");
        let chosen = prng.below(blocks.len() as u64) as usize;
        let block = blocks.values_mut().nth(chosen).expect("chosen below their number");
        let mut bytes = block.to_vec();
        bytes[prng.below(BLOCK_BYTES as u64) as usize] ^= 1 << prng.below(8);
        *block = bytes.into();
        true
    }

    pub fn lose_everything(&mut self) {
        self.segments.clear();
        self.pending.clear();
    }

    /// How long a durable write waits for a stall to end.
    pub fn is_stalled(&self, now: Micros) -> bool {
        self.stalled_until > now + MILLI
    }
}

impl LogFiles for LogDisk {
    fn segments(&self) -> Result<Vec<u64>> {
        Ok(self.segments.keys().copied().collect())
    }

    fn salt(&self) -> u64 {
        self.salt
    }

    fn read(&self, segment: u64) -> Result<Vec<u8>> {
        let Some(blocks) = self.segments.get(&segment) else {
            return Err(Error::new(SqlState::IO_ERROR, format!("log segment {segment} does not exist")));
        };
        let mut bytes = vec![0; self.segment_bytes];
        for (block, content) in blocks {
            bytes[block * BLOCK_BYTES..(block + 1) * BLOCK_BYTES].copy_from_slice(content);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: usize = 16 * BLOCK_BYTES;

    fn write(sequence: u64, block: usize, blocks: usize, fill: u8) -> LogWrite {
        LogWrite {
            sequence,
            segment: 1,
            offset: (block * BLOCK_BYTES) as u64,
            bytes: vec![fill; blocks * BLOCK_BYTES].into(),
            surplus: Vec::new(),
        }
    }

    fn block_fills(disk: &LogDisk) -> Vec<u8> {
        disk.read(1).map(|bytes| bytes.chunks(BLOCK_BYTES).map(|block| block[0]).collect()).unwrap_or_default()
    }

    #[test]
    fn what_was_reported_survives_every_crash() {
        for seed in 0..50 {
            let mut prng = Prng::new(seed);
            let mut disk = LogDisk::new(DiskConfig::default(), SEGMENT, 1);
            let done = disk.begin(0, write(1, 0, 2, 7), &mut prng);
            disk.settle(done);
            disk.begin(done, write(2, 2, 3, 8), &mut prng);
            disk.crash(done + 1, &mut prng);
            assert_eq!(&block_fills(&disk)[..2], &[7, 7]);
        }
    }

    #[test]
    fn an_unfinished_write_is_lost_kept_or_torn() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut prng = Prng::new(seed);
            let mut disk = LogDisk::new(DiskConfig::default(), SEGMENT, 1);
            disk.begin(0, write(1, 0, 3, 9), &mut prng);
            disk.crash(1, &mut prng);
            seen.insert(block_fills(&disk).into_iter().take(3).collect::<Vec<_>>());
        }
        assert!(seen.contains(&vec![9, 9, 9]) && seen.contains(&vec![0, 9, 0]), "{seen:?}");
        assert!(seen.contains(&Vec::new()) || seen.contains(&vec![0, 0, 0]));
    }

    #[test]
    fn a_lying_disk_loses_what_it_reported() {
        let lost = (0..50).any(|seed| {
            let mut prng = Prng::new(seed);
            let mut disk = LogDisk::new(DiskConfig { lies_micros: 50_000, ..DiskConfig::default() }, SEGMENT, 1);
            let done = disk.begin(0, write(1, 0, 1, 5), &mut prng);
            disk.crash(done + 1, &mut prng);
            block_fills(&disk).first() != Some(&5)
        });
        assert!(lost);
    }

    #[test]
    fn a_stalled_disk_reports_nothing_before_it_goes_on() {
        let mut disk = LogDisk::new(DiskConfig::default(), SEGMENT, 1);
        disk.stall(900_000);
        assert_eq!(disk.begin(0, write(1, 0, 1, 5), &mut Prng::new(1)), 900_000);
    }
}
