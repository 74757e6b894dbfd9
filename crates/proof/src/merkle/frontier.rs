//! The right edge of the tree: all that appending needs to know of what was appended before.

use crate::error::{Error, Result};
use crate::hash::Hash;

/// A tree has at most this many leaves. It is out of reach (at a million a second, 146,000 years), so that no sum of indexes overflows.
pub const SIZE_MAX: u64 = 1 << 62;

/// The number of leaves and the roots of the complete subtrees that they form, the largest first: one for each bit of the size.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// # Errors
    /// `Corrupt` if the number of peaks does not fit the size.
    pub fn new(size: u64, peaks: Vec<Hash>) -> Result<Frontier> {
        if size > SIZE_MAX {
            return Err(Error::Corrupt(format!("a tree of {size} leaves is larger than the largest, {SIZE_MAX}")));
        }
        if peaks.len() != size.count_ones() as usize {
            return Err(Error::Corrupt(format!(
                "a tree of {size} leaves has {} complete subtrees, not {}",
                size.count_ones(),
                peaks.len()
            )));
        }
        Ok(Frontier { size, peaks })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, the largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends the hash of a leaf. `completed` is told each node that this completes, as height and hash, the leaf itself (height 0) first.
    pub fn append(&mut self, leaf: Hash, mut completed: impl FnMut(u8, Hash)) {
        assert_eq!(self.peaks.len(), self.size.count_ones() as usize, "one peak for each bit of the size");
        let mut node = leaf;
        completed(0, node);
        // Each one at the end of the size in binary is a subtree that this leaf completes to one of twice its size.
        for height in 1..=self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak for each bit of the size");
            node = Hash::of_node(&left, &node);
            completed(height as u8, node);
        }
        self.peaks.push(node);
        self.size = self.size.checked_add(1).expect("a frontier starts at or below SIZE_MAX, and nobody appends as many again");
    }

    /// The root of the tree (RFC 9162, section 2.1.1, `MTH`).
    pub fn root(&self) -> Hash {
        fold_right(&self.peaks).unwrap_or(Hash::EMPTY_ROOT)
    }
}

/// The root over complete subtrees that stand side by side, the largest first. None if there are none.
pub(super) fn fold_right(subtrees: &[Hash]) -> Option<Hash> {
    let (last, before) = subtrees.split_last()?;
    Some(before.iter().rev().fold(*last, |right, left| Hash::of_node(left, &right)))
}
