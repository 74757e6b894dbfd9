//! The tree as its owner keeps it: the frontier, and the tiles that are not full yet.

use super::frontier::Frontier;
use super::tile::{TILE_HEIGHT, Tile, TileKey, edge_tiles};
use crate::error::{Error, Result};
use crate::hash::Hash;

/// A growing tree. In memory are one tile for each level, at most eight of at most 8 KiB, and the frontier.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MerkleLog {
    frontier: Frontier,
    /// The tile being filled of each level, from level 0 on. May be empty, never full.
    edge: Vec<Tile>,
}

impl MerkleLog {
    pub fn new() -> MerkleLog {
        MerkleLog::default()
    }

    /// Puts a log together from what was stored of it: the frontier and its [`edge_tiles`].
    ///
    /// # Errors
    /// `Corrupt` if a tile is missing, is shorter than the size says or does not lead to the frontier's peaks. Nodes that a tile has
    /// beyond the size are dropped: they were stored by a later flush.
    pub fn open(frontier: Frontier, mut tile: impl FnMut(TileKey) -> Option<Tile>) -> Result<MerkleLog> {
        let size = frontier.size();
        let mut log = MerkleLog { frontier, edge: Vec::new() };
        let mut peaks = Vec::new();
        for key in edge_tiles(size) {
            let width = key.width_at(size);
            let stored = tile(key).filter(|tile| tile.key == key && tile.hashes().len() >= width);
            let stored = stored.ok_or_else(|| Error::Corrupt(format!("tile {} of level {} lacks nodes", key.index, key.level)))?;
            let edge = log.edge_mut(key.level, size);
            stored.hashes()[..width].iter().for_each(|hash| edge.push(*hash));
            // Higher levels cover what is left of the lower ones.
            peaks.splice(0..0, edge.peaks());
        }
        if peaks != log.frontier.peaks() {
            return Err(Error::Corrupt(format!("the tiles of a tree of {size} leaves do not lead to its frontier")));
        }
        Ok(log)
    }

    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Appends a record's bytes and returns its index. Tiles that this fills are added to `full`, to be stored under their keys; they
    /// never change again.
    pub fn append(&mut self, record: &[u8], full: &mut Vec<Tile>) -> u64 {
        self.append_hash(Hash::of_leaf(record), full)
    }

    /// The same for a leaf whose hash is known: see [`Hash::of_leaf`].
    pub fn append_hash(&mut self, leaf: Hash, full: &mut Vec<Tile>) -> u64 {
        let index = self.frontier.size();
        let edge = &mut self.edge;
        self.frontier.append(leaf, |height, node| {
            if height % TILE_HEIGHT != 0 {
                return;
            }
            let level = height / TILE_HEIGHT;
            let place = usize::from(level);
            if edge.len() == place {
                edge.push(Tile::new(TileKey { level, index: 0 }));
            }
            edge[place].push(node);
            if edge[place].is_full() {
                let next = Tile::new(TileKey { level, index: edge[place].key.index + 1 });
                full.push(std::mem::replace(&mut edge[place], next));
            }
        });
        index
    }

    /// The tiles that are being filled and are not empty: what a flush stores besides the full ones, each over its earlier, shorter form.
    pub fn edge(&self) -> impl Iterator<Item = &Tile> {
        self.edge.iter().filter(|tile| !tile.hashes().is_empty())
    }

    fn edge_mut(&mut self, level: u8, size: u64) -> &mut Tile {
        while self.edge.len() <= usize::from(level) {
            let level = self.edge.len() as u8;
            self.edge.push(Tile::new(TileKey { level, index: size >> (level * TILE_HEIGHT) >> TILE_HEIGHT }));
        }
        &mut self.edge[usize::from(level)]
    }
}
