//! Old versions that nobody needs are left out when the engine merges files: they need not be looked for, and nothing need be written to remove them.

use super::Space;
use base::ShardId;
use fjall::compaction::filter::{CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Up to which version each shard's history may be given up.
#[derive(Default)]
pub struct Horizons {
    of_shard: Mutex<BTreeMap<ShardId, Arc<AtomicU64>>>,
    merging: Arc<AtomicUsize>,
}

impl Horizons {
    pub fn of(&self, shard: ShardId) -> Arc<AtomicU64> {
        self.of_shard.lock().expect("no code panics while it holds this lock").entry(shard).or_default().clone()
    }

    pub fn filters_of(&self, shard: ShardId) -> Arc<dyn Factory> {
        Arc::new(Filters { horizon: self.of(shard), merging: self.merging.clone() })
    }

    /// Merges that read and write rows just now: they do not change the engine's list of files yet.
    pub fn merging(&self) -> usize {
        self.merging.load(Ordering::Acquire)
    }
}

struct Filters {
    horizon: Arc<AtomicU64>,
    merging: Arc<AtomicUsize>,
}

impl Factory for Filters {
    fn name(&self) -> &str {
        "history"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        self.merging.fetch_add(1, Ordering::AcqRel);
        Box::new(Filter { horizon: self.horizon.load(Ordering::Relaxed), merging: self.merging.clone() })
    }
}

/// Lives from the start of a merge until all its rows are written.
struct Filter {
    horizon: u64,
    merging: Arc<AtomicUsize>,
}

impl Drop for Filter {
    fn drop(&mut self) {
        self.merging.fetch_sub(1, Ordering::AcqRel);
    }
}

impl CompactionFilter for Filter {
    fn filter_item(&mut self, item: ItemAccessor<'_>, _: &Context) -> CompactionFilterResult {
        if item.key().first().copied() != Some(Space::History.number() as u8) {
            return Ok(Verdict::Keep);
        }
        let value = item.value()?;
        let needless = value.first_chunk().is_some_and(|until| u64::from_be_bytes(*until) <= self.horizon);
        // A version is written once, or again with the same content: what is below in the tree can go as well.
        Ok(if needless { Verdict::Destroy } else { Verdict::Keep })
    }
}
