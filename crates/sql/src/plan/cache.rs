//! Plans by their statement's text, most recently used first.

use super::Planned;
use base::SchemaVersion;
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// Most plans that one session keeps.
pub const PLANS_MAX: usize = 200;
/// Longer texts are not kept.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;

#[derive(Clone)]
pub enum Cached {
    Planned(Rc<Planned>),
    /// Its literals must stay where they are: the text is parsed as it stands.
    Verbatim,
}

#[derive(Default)]
pub struct PlanCache {
    plans: FxHashMap<String, (u64, Cached)>,
    clock: u64,
}

impl PlanCache {
    /// `None` if there is none, or it was made for another schema or other settings.
    pub fn get(&mut self, text: &str, schema: SchemaVersion, epoch: u64) -> Option<Cached> {
        self.clock += 1;
        let (used, cached) = self.plans.get_mut(text)?;
        if let Cached::Planned(planned) = cached
            && (planned.schema != schema || planned.epoch != epoch)
        {
            self.plans.remove(text);
            return None;
        }
        *used = self.clock;
        Some(cached.clone())
    }

    pub fn put(&mut self, text: &str, cached: Cached) {
        if text.len() > TEXT_BYTES_MAX {
            return;
        }
        if self.plans.len() >= PLANS_MAX && !self.plans.contains_key(text) {
            self.evict();
        }
        self.clock += 1;
        self.plans.insert(text.to_owned(), (self.clock, cached));
    }

    /// Half of them, so that the search for the oldest is seldom.
    fn evict(&mut self) {
        let mut uses: Vec<u64> = self.plans.values().map(|(used, _)| *used).collect();
        uses.sort_unstable();
        let middle = uses[uses.len() / 2];
        self.plans.retain(|_, (used, _)| *used >= middle);
    }

    pub fn clear(&mut self) {
        self.plans.clear();
    }
}
