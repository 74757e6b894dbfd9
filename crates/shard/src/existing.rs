//! Reads of many keys in ascending order, for a flush: where rows are new, one look finds out that a whole stretch of keys is missing.

use base::Result;
use bytes::Bytes;
use std::ops::{Bound, ControlFlow};
use storage::rows::{RowStore, Space};

/// After so many keys in a row that are not there, the next that is there is looked for: it costs as much as several reads.
const MISSED_MIN: u32 = 4;

pub(crate) struct Existing<'a> {
    store: &'a dyn RowStore,
    missed: u32,
    gap: Option<Gap>,
}

/// No key that is asked for and smaller than this is there.
enum Gap {
    Before(Bytes),
    ToTheEnd,
}

impl<'a> Existing<'a> {
    /// As long as it is used, what it was not asked for yet does not change.
    pub fn new(store: &'a dyn RowStore) -> Existing<'a> {
        Existing { store, missed: 0, gap: None }
    }

    /// The value of a key in `Current`. No key may be smaller than an earlier one.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>> {
        match &self.gap {
            Some(Gap::ToTheEnd) => return Ok(None),
            Some(Gap::Before(next)) if key < &next[..] => return Ok(None),
            _ => self.gap = None,
        }
        let value = self.store.get(Space::Current, key)?;
        self.missed = if value.is_some() { 0 } else { self.missed + 1 };
        if self.missed >= MISSED_MIN {
            self.missed = 0;
            self.gap = Some(self.gap_after(key)?);
        }
        Ok(value)
    }

    fn gap_after(&self, key: &[u8]) -> Result<Gap> {
        let mut gap = Gap::ToTheEnd;
        self.store.scan(Space::Current, Bound::Excluded(key), Bound::Unbounded, false, &mut |next, _| {
            gap = Gap::Before(Bytes::copy_from_slice(next));
            ControlFlow::Break(())
        })?;
        Ok(gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Prng, ShardId};
    use storage::rows::{Batch, MemoryRows, RowStores};

    #[test]
    fn it_answers_as_the_store_does() {
        let mut prng = Prng::new(1);
        for seed in 0..300 {
            let store = MemoryRows::default().open(ShardId(0)).expect("memory");
            let mut batch = Batch::default();
            let (there, asked) = (prng.between(1, 200), prng.between(1, 200));
            let key = |prng: &mut Prng, dense: bool| Bytes::copy_from_slice(&prng.between(0, if dense { 50 } else { 1000 }).to_be_bytes());
            for _ in 0..there {
                let key = key(&mut prng, seed % 2 == 0);
                batch.changes.push((Space::Current, key.clone(), Some(key)));
                batch.changes.push((Space::History, Bytes::from_static(b"h"), Some(Bytes::new())));
            }
            store.write(batch).expect("there is space");
            let mut keys: Vec<Bytes> = (0..asked).map(|_| key(&mut prng, seed % 3 == 0)).collect();
            keys.sort();
            let mut existing = Existing::new(&*store);
            for key in keys {
                assert_eq!(existing.get(&key).expect("memory"), store.get(Space::Current, &key).expect("memory"));
            }
        }
    }
}
