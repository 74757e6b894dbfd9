//! What an auditor runs: proofs against roots, with nothing else at hand.

use crate::error::{Error, Result};
use crate::hash::Hash;

/// No path of a tree of 64-bit size is longer: one element a level, and one more for consistency.
pub const PATH_LEN_MAX: usize = 64 + 1;

fn wrong(detail: &str) -> Error {
    Error::Disproved(detail.to_owned())
}

/// Checks that `leaf` (see [`Hash::of_leaf`]) is number `index`, from 0, of the `size` leaves under `root` (RFC 9162, section 2.1.3.2).
///
/// # Errors
/// `Disproved` with what does not fit.
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash], root: Hash) -> Result<()> {
    if index >= size {
        return Err(Error::Disproved(format!("there is no leaf {index} in a tree of {size}")));
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in path {
        if last == 0 {
            return Err(wrong("the path is too long for the size of the tree"));
        }
        if node & 1 == 1 || node == last {
            hash = Hash::of_node(sibling, &hash);
            skip_lone_levels(&mut node, &mut last);
        } else {
            hash = Hash::of_node(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(wrong("the path is too short for the size of the tree"));
    }
    if hash != root {
        return Err(wrong("record and path do not lead to the root of the checkpoint"));
    }
    Ok(())
}

/// Where the node is the last of its level and has no sibling, it is its own parent.
fn skip_lone_levels(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        *node >>= 1;
        *last >>= 1;
    }
}

/// Checks that the tree of `older` leaves with `older_root` is the beginning of the tree of `newer` leaves with `newer_root` (RFC 9162,
/// section 2.1.4.2). For two trees of one size, and for an empty older one, which that section leaves out, the path is empty.
///
/// # Errors
/// `Disproved` with what does not fit.
pub fn verify_consistency(older: u64, older_root: Hash, newer: u64, newer_root: Hash, path: &[Hash]) -> Result<()> {
    if older > newer {
        return Err(Error::Disproved(format!("a tree of {older} leaves is not older than one of {newer}")));
    }
    if older == 0 && older_root != Hash::EMPTY_ROOT || newer == 0 && newer_root != Hash::EMPTY_ROOT {
        return Err(wrong("the root of an empty tree is not that of an empty tree"));
    }
    if older == newer && older_root != newer_root {
        return Err(wrong("two trees of one size have different roots"));
    }
    if older == 0 || older == newer {
        return if path.is_empty() { Ok(()) } else { Err(wrong("the path is too long for the sizes of the trees")) };
    }
    let (mut node, mut last) = (older - 1, newer - 1);
    let shift = node.trailing_ones();
    node >>= shift;
    last >>= shift;
    // An older tree that is a complete subtree is not in the path: its root is known.
    let (start, rest) = if older.is_power_of_two() { (Some(&older_root), path) } else { (path.first(), path.get(1..).unwrap_or(&[])) };
    let start = *start.ok_or_else(|| wrong("the path is too short for the sizes of the trees"))?;
    let (mut older_hash, mut newer_hash) = (start, start);
    for sibling in rest {
        if last == 0 {
            return Err(wrong("the path is too long for the sizes of the trees"));
        }
        if node & 1 == 1 || node == last {
            older_hash = Hash::of_node(sibling, &older_hash);
            newer_hash = Hash::of_node(sibling, &newer_hash);
            skip_lone_levels(&mut node, &mut last);
        } else {
            newer_hash = Hash::of_node(&newer_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(wrong("the path is too short for the sizes of the trees"));
    }
    if older_hash != older_root {
        return Err(wrong("the path does not lead to the older root: what was recorded has been changed"));
    }
    if newer_hash != newer_root {
        return Err(wrong("the path does not lead to the newer root"));
    }
    Ok(())
}
