//! The Merkle tree of RFC 9162 (and RFC 6962), section 2.1, over SHA-256.
//!
//! [`Frontier`] is what an append needs: the roots of the complete subtrees, at most 62 hashes. [`MerkleLog`] adds the tiles that are
//! being filled and hands out full ones to be stored. [`Plan`] tells which tiles a proof needs, so that the caller can read them as it
//! likes, and builds the proof from them. [`verify_inclusion`] and [`verify_consistency`] are what an auditor runs; they need nothing but
//! the proof.

mod frontier;
mod log;
mod plan;
mod tile;
mod verify;

pub use frontier::{Frontier, SIZE_MAX};
pub use log::MerkleLog;
pub use plan::Plan;
pub use tile::{NodeId, Nodes, TILE_WIDTH, Tile, TileKey, TileSet, edge_tiles};
pub use verify::{PATH_LEN_MAX, verify_consistency, verify_inclusion};
