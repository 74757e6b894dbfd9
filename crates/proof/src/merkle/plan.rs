//! Which nodes a proof consists of: known from the sizes alone, before anything is read.

use super::frontier::SIZE_MAX;
use super::tile::{NodeId, Nodes, TileKey, root_of};
use crate::error::{Error, Result};
use crate::hash::Hash;
use std::collections::BTreeSet;

/// A proof that can be built once its nodes are at hand. Each element of the path is the root over one or more complete subtrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    elements: Vec<Vec<NodeId>>,
}

impl Plan {
    /// The proof that the leaf `index` is in the tree of `size` leaves (RFC 9162, section 2.1.3.1, `PATH`). The tree may have grown since.
    ///
    /// # Errors
    /// `Range` if the tree has no such leaf.
    pub fn inclusion(index: u64, size: u64) -> Result<Plan> {
        check_size(size)?;
        if index >= size {
            return Err(Error::Range(format!("there is no leaf {index} in a tree of {size}: leaves count from 0")));
        }
        let (mut start, mut end) = (0, size);
        let mut elements = Vec::new();
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                elements.push(subtrees(middle, end));
                end = middle;
            } else {
                elements.push(subtrees(start, middle));
                start = middle;
            }
        }
        elements.reverse();
        Ok(Plan { elements })
    }

    /// The proof that the tree of `older` leaves is the beginning of the one of `newer` (RFC 9162, section 2.1.4.1, `PROOF`). It is empty
    /// if the two are equal or the older one has no leaves.
    ///
    /// # Errors
    /// `Range` if the older tree is the larger.
    pub fn consistency(older: u64, newer: u64) -> Result<Plan> {
        check_size(newer)?;
        if older > newer {
            return Err(Error::Range(format!("a tree of {older} leaves is not older than one of {newer}")));
        }
        let (mut start, mut end) = (0, newer);
        let mut elements = Vec::new();
        if older == 0 {
            return Ok(Plan { elements });
        }
        while older < end {
            let middle = start + split(end - start);
            if older <= middle {
                elements.push(subtrees(middle, end));
                end = middle;
            } else {
                elements.push(subtrees(start, middle));
                start = middle;
            }
        }
        // A subtree that begins the tree is the older tree itself, whose root the verifier has.
        if start > 0 {
            elements.push(subtrees(start, end));
        }
        elements.reverse();
        Ok(Plan { elements })
    }

    /// The nodes that [`Plan::build`] will ask for.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.elements.iter().flatten().copied()
    }

    /// The tiles that hold these nodes, each once: at most 64, about two for each eight levels of the tree.
    pub fn tiles(&self) -> BTreeSet<TileKey> {
        self.nodes().map(TileKey::of).collect()
    }

    /// The path, as the verifiers take it.
    ///
    /// # Errors
    /// `NodeMissing` if a node is not there.
    pub fn build(&self, nodes: &impl Nodes) -> Result<Vec<Hash>> {
        self.elements.iter().map(|ids| root_of(nodes, ids)).collect()
    }
}

fn check_size(size: u64) -> Result<()> {
    if size > SIZE_MAX {
        return Err(Error::Range(format!("a tree of {size} leaves is larger than the largest, {SIZE_MAX}")));
    }
    Ok(())
}

/// The largest power of two below `leaves`, which are two at least: where RFC 9162 splits a tree.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The complete subtrees that cover the leaves from `start` to `end`, the largest first. `start` is a multiple of each of their sizes.
fn subtrees(mut start: u64, end: u64) -> Vec<NodeId> {
    let mut ids = Vec::new();
    while start < end {
        let height = (end - start).ilog2() as u8;
        ids.push(NodeId { height, index: start >> height });
        start += 1 << height;
    }
    ids
}
