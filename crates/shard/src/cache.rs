//! Rows read from the store, kept in memory up to a bound in bytes.
//!
//! A key that has versions in memory is never in here, so nothing in here can be out of date.

use base::Version;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use storage::access::{Key, Row};

/// What a cached row costs beside its key and row, in bytes.
const ENTRY_OVERHEAD: usize = 128;

#[derive(Debug)]
struct Cached {
    version: Version,
    row: Row,
    used: bool,
}

#[derive(Debug)]
pub struct RowCache {
    rows: FxHashMap<Key, Cached>,
    /// For second-chance replacement.
    order: VecDeque<Key>,
    bytes: usize,
    bytes_max: usize,
}

impl RowCache {
    pub fn new(bytes_max: usize) -> RowCache {
        RowCache { rows: FxHashMap::default(), order: VecDeque::new(), bytes: 0, bytes_max }
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// True while far more can come in before anything must leave.
    pub fn has_room(&self) -> bool {
        self.bytes < self.bytes_max / 4 * 3
    }

    pub fn get(&mut self, key: &[u8]) -> Option<(Version, &Row)> {
        let cached = self.rows.get_mut(key)?;
        cached.used = true;
        Some((cached.version, &cached.row))
    }

    pub fn insert(&mut self, key: &[u8], version: Version, row: &[u8]) {
        let cost = ENTRY_OVERHEAD + key.len() + row.len();
        if cost > self.bytes_max / 16 || self.rows.contains_key(key) {
            return;
        }
        while self.bytes + cost > self.bytes_max {
            let Some(oldest) = self.order.pop_front() else { return };
            match self.rows.get_mut(&oldest) {
                Some(cached) if cached.used => {
                    cached.used = false;
                    self.order.push_back(oldest);
                }
                Some(_) => self.remove(&oldest),
                // It was removed before its turn.
                None => {}
            }
        }
        let key = Key::copy_from_slice(key);
        self.rows.insert(key.clone(), Cached { version, row: Row::copy_from_slice(row), used: false });
        self.order.push_back(key);
        self.bytes += cost;
        if self.order.len() > 2 * self.rows.len() + 64 {
            let rows = &self.rows;
            self.order.retain(|key| rows.contains_key(key));
        }
    }

    pub fn remove(&mut self, key: &[u8]) {
        if let Some(cached) = self.rows.remove(key) {
            self.bytes -= ENTRY_OVERHEAD + key.len() + cached.row.len();
        }
    }

    pub fn clear(&mut self) {
        *self = RowCache::new(self.bytes_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_stays_within_its_bytes_and_keeps_what_is_used() {
        let mut cache = RowCache::new(16 * 1024);
        cache.insert(b"hot", Version(1), b"row");
        for n in 0..10_000u32 {
            assert!(cache.get(b"hot").is_some());
            cache.insert(&n.to_be_bytes(), Version(1), b"row");
            assert!(cache.bytes() <= 16 * 1024);
        }
        cache.remove(b"hot");
        assert!(cache.get(b"hot").is_none());
    }
}
