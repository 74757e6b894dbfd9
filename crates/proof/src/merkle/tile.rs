//! Where nodes are kept: 256 of one level in a tile, every eighth level only (C2SP tlog-tiles).
//!
//! A tile at level `l`, index `n`, holds the nodes of height `8 l` from index `256 n` on, so a leaf costs `32 × 256 / 255` bytes and a
//! tree of `s` leaves `s / 255` rows. The seven levels between are computed when a proof asks for them.

use super::frontier::fold_right;
use crate::error::{Error, Result};
use crate::hash::Hash;
use std::collections::BTreeMap;

/// Nodes of a full tile.
pub const TILE_WIDTH: usize = 1 << TILE_HEIGHT;
/// Levels of the tree that a tile spans.
pub(super) const TILE_HEIGHT: u8 = 8;

/// A complete subtree: it covers the leaves from `index << height` up to, not including, `(index + 1) << height`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    pub height: u8,
    pub index: u64,
}

/// Names a tile for good: what is in it only ever grows to the right, up to [`TILE_WIDTH`] nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileKey {
    pub level: u8,
    pub index: u64,
}

impl TileKey {
    /// The tile from which a node is read or computed.
    pub fn of(node: NodeId) -> TileKey {
        let level = node.height / TILE_HEIGHT;
        TileKey { level, index: node.index >> (TILE_HEIGHT - node.height % TILE_HEIGHT) }
    }

    /// How many nodes the tile holds when the tree has `size` leaves: 0 to [`TILE_WIDTH`].
    pub fn width_at(self, size: u64) -> usize {
        let nodes = size.checked_shr(u32::from(self.level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
        nodes.saturating_sub(self.index.saturating_mul(TILE_WIDTH as u64)).min(TILE_WIDTH as u64) as usize
    }
}

/// Consecutive nodes of one height, from the left end of the tile on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    pub key: TileKey,
    hashes: Vec<Hash>,
}

impl Tile {
    pub(super) fn new(key: TileKey) -> Tile {
        Tile { key, hashes: Vec::with_capacity(TILE_WIDTH) }
    }

    pub(super) fn push(&mut self, hash: Hash) {
        assert!(self.hashes.len() < TILE_WIDTH, "a full tile takes no more nodes");
        self.hashes.push(hash);
    }

    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    pub fn is_full(&self) -> bool {
        self.hashes.len() == TILE_WIDTH
    }

    /// The tile as it is stored and served: its hashes in a row, 32 to 8,192 bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(|hash| hash.0).collect()
    }

    /// # Errors
    /// `Corrupt` unless there are 1 to 256 whole hashes.
    pub fn decode(key: TileKey, bytes: &[u8]) -> Result<Tile> {
        let (hashes, rest) = bytes.as_chunks::<{ Hash::LEN }>();
        if hashes.is_empty() || hashes.len() > TILE_WIDTH || !rest.is_empty() {
            return Err(Error::Corrupt(format!("tile {} of level {} has {} bytes", key.index, key.level, bytes.len())));
        }
        Ok(Tile { key, hashes: hashes.iter().copied().map(Hash).collect() })
    }

    /// A node inside the tile, if all that it covers is there.
    fn node(&self, id: NodeId) -> Option<Hash> {
        let height = id.height % TILE_HEIGHT;
        let first = ((id.index << height) % TILE_WIDTH as u64) as usize;
        let mut row = self.hashes.get(first..first + (1 << height))?.to_vec();
        while row.len() > 1 {
            row = row.chunks_exact(2).map(|pair| Hash::of_node(&pair[0], &pair[1])).collect();
        }
        row.first().copied()
    }

    /// The complete subtrees at the tile's end, the largest first, as a tree has them whose size ends in this tile.
    pub(super) fn peaks(&self) -> Vec<Hash> {
        let width = self.hashes.len();
        let heights = (0..TILE_HEIGHT).rev().filter(|height| width >> height & 1 == 1);
        let mut start = 0;
        let mut peaks = Vec::new();
        for height in heights {
            let id = NodeId { height, index: (start >> height) as u64 };
            peaks.extend(self.node(id));
            start += 1 << height;
        }
        peaks
    }
}

/// The tiles that are neither full nor empty in a tree of this size: at most one for each level.
pub fn edge_tiles(size: u64) -> Vec<TileKey> {
    let levels = 0..(u64::BITS as u8 / TILE_HEIGHT);
    let keys = levels.map(|level| TileKey { level, index: size >> (level * TILE_HEIGHT) >> TILE_HEIGHT });
    keys.filter(|key| key.width_at(size) > 0).collect()
}

/// Whatever can tell the nodes of complete subtrees.
pub trait Nodes {
    /// None if it does not have the node.
    fn node(&self, id: NodeId) -> Option<Hash>;
}

/// Tiles that were read for a proof.
#[derive(Clone, Debug, Default)]
pub struct TileSet(BTreeMap<TileKey, Tile>);

impl TileSet {
    /// Of two with one key the wider one stays.
    pub fn insert(&mut self, tile: Tile) {
        let known = self.0.get(&tile.key).map_or(0, |known| known.hashes.len());
        if known < tile.hashes.len() {
            self.0.insert(tile.key, tile);
        }
    }

    pub fn get(&self, key: TileKey) -> Option<&Tile> {
        self.0.get(&key)
    }
}

impl FromIterator<Tile> for TileSet {
    fn from_iter<I: IntoIterator<Item = Tile>>(tiles: I) -> TileSet {
        let mut set = TileSet::default();
        tiles.into_iter().for_each(|tile| set.insert(tile));
        set
    }
}

impl Nodes for TileSet {
    fn node(&self, id: NodeId) -> Option<Hash> {
        self.0.get(&TileKey::of(id))?.node(id)
    }
}

/// The root over complete subtrees side by side; None if one is missing.
pub(super) fn root_of(nodes: &impl Nodes, ids: &[NodeId]) -> Result<Hash> {
    let missing = |id: &NodeId| Error::NodeMissing { height: id.height, index: id.index };
    let hashes = ids.iter().map(|id| nodes.node(*id).ok_or_else(|| missing(id))).collect::<Result<Vec<Hash>>>()?;
    fold_right(&hashes).ok_or_else(|| Error::Range("a subtree without leaves has no root".to_owned()))
}
