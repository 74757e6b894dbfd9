//! Segments of a log in memory, as a disk would have them.
//! Shared by the storage crate's tests and the fuzz target.

use base::Result;
use std::collections::BTreeMap;
use storage::log::{BLOCK_BYTES, LogFiles, LogWrite};

pub const SALT: u64 = 0x5a17;
pub const SEGMENT_BYTES: usize = 4 * BLOCK_BYTES;

#[derive(Default)]
pub struct Files(pub BTreeMap<u64, Vec<u8>>);

impl Files {
    /// Segments that lie one after the other in these bytes.
    pub fn cut(bytes: &[u8]) -> Files {
        Files((0..).zip(bytes.chunks(SEGMENT_BYTES).map(<[u8]>::to_vec)).collect())
    }

    pub fn take(&mut self, write: &LogWrite) {
        let segment = self.0.entry(write.segment).or_default();
        segment.resize(segment.len().max(SEGMENT_BYTES), 0);
        segment[write.offset as usize..][..write.bytes.len()].copy_from_slice(&write.bytes);
    }
}

impl LogFiles for Files {
    fn segments(&self) -> Result<Vec<u64>> {
        Ok(self.0.keys().copied().collect())
    }

    fn read(&self, segment: u64) -> Result<Vec<u8>> {
        Ok(self.0[&segment].clone())
    }

    fn salt(&self) -> u64 {
        SALT
    }
}
