//! What is known of a keyspace without asking the engine.
//!
//! The engine has a list of its files, behind a lock that all reads take, too. It holds that lock while it writes and syncs a changed list: on a busy disk for half
//! a second. Whoever must not wait that long asks here first whether that may be so just now.

use fjall::{AbstractTree, Keyspace};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// From so many files on that are not merged yet, the engine slows writes down, and from 30 on they wait, as its source says. Ingestions do not.
const WAIT_FILES: usize = 20;
/// The engine holds writes up at 4 memtables and at 20 runs.
const SEALED_MEMTABLES_MANY: usize = 2;
const FIRST_LEVEL_RUNS_MANY: usize = 12;

#[derive(Default)]
pub struct Known {
    /// Of this process's own calls: those that change the list of files now.
    changing: AtomicUsize,
    /// The engine writes a memtable out, or soon will.
    flushing: AtomicBool,
    sealed: AtomicUsize,
    runs: AtomicUsize,
    bytes: AtomicU64,
}

impl Known {
    /// Asks the engine: may wait. True if that should be asked again soon.
    pub fn look(&self, keyspace: &Keyspace, memtable_bytes: u64) -> bool {
        let (sealed, runs) = (keyspace.tree.sealed_memtable_count(), keyspace.tree.l0_run_count());
        let flushing = sealed > 0 || keyspace.tree.active_memtable().size() >= memtable_bytes;
        self.sealed.store(sealed, Ordering::Relaxed);
        self.runs.store(runs, Ordering::Relaxed);
        self.bytes.store(keyspace.disk_space(), Ordering::Relaxed);
        self.flushing.store(flushing, Ordering::Relaxed);
        flushing || runs >= FIRST_LEVEL_RUNS_MANY
    }

    /// While this lives, the list of files may change.
    pub fn change(&self) -> Changing<'_> {
        self.changing.fetch_add(1, Ordering::AcqRel);
        Changing(self)
    }

    pub fn is_changing(&self) -> bool {
        self.changing.load(Ordering::Acquire) > 0 || self.flushing.load(Ordering::Relaxed)
    }

    /// Writes may soon be held up.
    pub fn is_behind(&self) -> bool {
        self.sealed.load(Ordering::Relaxed) >= SEALED_MEMTABLES_MANY || self.runs.load(Ordering::Relaxed) >= FIRST_LEVEL_RUNS_MANY
    }

    pub fn is_unmerged(&self) -> bool {
        self.runs.load(Ordering::Relaxed) >= WAIT_FILES
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

pub struct Changing<'a>(&'a Known);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.changing.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use crate::rows::{Batch, FjallOptions, FjallRows, RowStores, Space};
    use base::ShardId;
    use bytes::Bytes;
    use std::time::{Duration, Instant};

    /// Files taken in and memtables written out, more than are left unmerged, and then the engine is at rest and is known to be.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the engine does not say when it is at rest")]
    fn it_is_known_when_the_engine_is_at_rest() {
        let directory = tempfile::tempdir().unwrap();
        let options = FjallOptions { memtable_bytes: 64 * 1024, ..FjallOptions::default() };
        let rows = FjallRows::open(directory.path(), options).unwrap();
        let store = rows.open(ShardId(0)).unwrap();
        let change = |n: u32| (Space::Current, Bytes::from(n.to_be_bytes().to_vec()), Some(Bytes::from(vec![7; 500])));
        for round in 0..40 {
            let mut keys = (0..400u32).map(|n| n * 40 + round);
            store.ingest(&mut || Ok(keys.next().map(change))).unwrap();
            store.write(Batch { changes: (0..400).map(|n| change(n * 40 + round)).collect() }).unwrap();
        }
        let begun = Instant::now();
        while store.may_wait(Space::Current) || store.is_unmerged() || rows.engine.database.active_compactions() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "it comes to rest");
            std::thread::yield_now();
        }
        assert_eq!(rows.engine.horizons.merging(), 0, "each merge ends");
        assert!(store.size() > 0);
        assert!(!store.is_behind());
    }
}
