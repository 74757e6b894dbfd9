//! Rows read from the store, kept in memory up to a bound in bytes.
//!
//! A key that has versions in memory is never in here, so nothing in here can be out of date.

use base::{StorageId, Version};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use storage::access::{Key, Row, storage_of};

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
    /// How many rows there are of each storage.
    storages: FxHashMap<StorageId, usize>,
    bytes: usize,
    bytes_max: usize,
}

impl RowCache {
    pub fn new(bytes_max: usize) -> RowCache {
        RowCache { rows: FxHashMap::default(), order: VecDeque::new(), storages: FxHashMap::default(), bytes: 0, bytes_max }
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

    /// The version of a row, which does not count as a use of it.
    pub fn peek(&self, key: &[u8]) -> Option<Version> {
        self.rows.get(key).map(|cached| cached.version)
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
        *self.storages.entry(storage_of(&key)).or_default() += 1;
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
            let storage = storage_of(key);
            let rows = self.storages.get_mut(&storage).expect("each row was counted");
            *rows -= 1;
            if *rows == 0 {
                self.storages.remove(&storage);
            }
        }
    }

    /// Removes all rows of a storage.
    pub fn forget(&mut self, storage: StorageId) {
        if self.storages.remove(&storage).is_none() {
            return;
        }
        let bytes = &mut self.bytes;
        self.rows.retain(|key, cached| {
            let stays = storage_of(key) != storage;
            if !stays {
                *bytes -= ENTRY_OVERHEAD + key.len() + cached.row.len();
            }
            stays
        });
    }

    #[cfg(test)]
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

    #[test]
    fn the_rows_of_a_storage_go_and_others_stay() {
        let mut cache = RowCache::new(64 * 1024);
        let key = |storage: u32, n: u32| [storage.to_be_bytes(), n.to_be_bytes()].concat();
        for n in 0..100 {
            cache.insert(&key(n % 2, n), Version(1), b"row");
        }
        cache.remove(&key(1, 1));
        cache.forget(StorageId(1));
        assert!((0..100).all(|n| cache.get(&key(n % 2, n)).is_some() == (n % 2 == 0)));
        for n in 0..100 {
            cache.insert(&key(1, n), Version(2), b"new");
        }
        assert_eq!(cache.get(&key(1, 1)).map(|(version, _)| version), Some(Version(2)));
        cache.forget(StorageId(0));
        cache.forget(StorageId(1));
        assert_eq!(cache.bytes(), 0);
    }
}
