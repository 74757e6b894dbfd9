//! Up to which version snapshots may have been served: the next leader's clock starts above it.
//!
//! Entries raise it as they are proposed. A snapshot that only an uncommitted entry allows waits for that entry, or a leader whose
//! clock is behind could still write below what was served.

use base::Version;
use std::collections::VecDeque;

#[derive(Clone, Debug, Default)]
pub struct Allowance {
    committed: Version,
    /// What entries that are not known to be committed raised it to: index and version, both growing.
    raised: VecDeque<(u64, Version)>,
}

impl Allowance {
    /// Of a state in which everything is committed.
    pub fn new(version: Version) -> Allowance {
        Allowance { committed: version, raised: VecDeque::new() }
    }

    /// With all that is logged.
    pub fn newest(&self) -> Version {
        self.raised.back().map_or(self.committed, |(_, version)| *version)
    }

    pub fn raise(&mut self, index: u64, version: Version) {
        if version > self.newest() {
            self.raised.push_back((index, version));
        }
    }

    /// The entry that must be committed before this snapshot may be told: 0 if none; `None` if nothing logged allows it.
    pub fn index_of(&self, snapshot: Version) -> Option<u64> {
        if snapshot <= self.committed {
            return Some(0);
        }
        let first = self.raised.partition_point(|(_, version)| *version < snapshot);
        self.raised.get(first).map(|(index, _)| *index)
    }

    pub fn settle(&mut self, committed: u64) {
        while let Some((index, version)) = self.raised.front().copied()
            && index <= committed
        {
            self.committed = version;
            self.raised.pop_front();
        }
    }

    /// Entries above this one were taken back.
    pub fn undo_to(&mut self, committed: u64) {
        while self.raised.back().is_some_and(|(index, _)| *index > committed) {
            self.raised.pop_back();
        }
    }
}
