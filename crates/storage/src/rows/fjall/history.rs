//! Old versions that nobody needs are left out when the engine merges files: they need not be looked for, and nothing need be written to remove them.

use super::Space;
use base::ShardId;
use fjall::compaction::filter::{CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Up to which version each shard's history may be given up.
#[derive(Default)]
pub struct Horizons(Mutex<BTreeMap<ShardId, Arc<AtomicU64>>>);

impl Horizons {
    pub fn of(&self, shard: ShardId) -> Arc<AtomicU64> {
        self.0.lock().expect("no code panics while it holds this lock").entry(shard).or_default().clone()
    }

    pub fn filters_of(&self, shard: ShardId) -> Arc<dyn Factory> {
        Arc::new(Filters(self.of(shard)))
    }
}

struct Filters(Arc<AtomicU64>);

impl Factory for Filters {
    fn name(&self) -> &str {
        "history"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(Filter(self.0.load(Ordering::Relaxed)))
    }
}

struct Filter(u64);

impl CompactionFilter for Filter {
    fn filter_item(&mut self, item: ItemAccessor<'_>, _: &Context) -> CompactionFilterResult {
        if item.key().first().copied() != Some(Space::History.number() as u8) {
            return Ok(Verdict::Keep);
        }
        let value = item.value()?;
        let needless = value.first_chunk().is_some_and(|until| u64::from_be_bytes(*until) <= self.0);
        // A version is written once, or again with the same content: what is below in the tree can go as well.
        Ok(if needless { Verdict::Destroy } else { Verdict::Keep })
    }
}
