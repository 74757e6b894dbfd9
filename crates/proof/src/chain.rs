//! One hash over all batches of a shard: what the tree does not say, namely where each batch began and ended and when.
//!
//! The hash after a batch covers the one before it, so that a single one, in a signed checkpoint, fixes all batches with their order and
//! times.

use crate::checkpoint::{Checkpoint, Origin};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::merkle::{Frontier, MerkleLog, SIZE_MAX, Tile, TileKey};
use base::ShardId;

const START_TAG: &[u8] = b"florin-ledger-chain/1\n";
const BATCH_TAG: &[u8] = b"florin-ledger-batch/1\n";

/// What the chain says of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLink {
    pub shard: ShardId,
    /// The index of the batch's first leaf.
    pub first_index: u64,
    /// How many leaves; never 0.
    pub count: u64,
    /// The root of the whole tree after the batch.
    pub root: Hash,
    /// Nanoseconds since 1970-01-01 00:00 UTC, as the ledger gave it to the batch. Never smaller than that of the batch before.
    pub timestamp: u64,
}

/// The chain of a shard before its first batch: `SHA-256("florin-ledger-chain/1\n" || origin)`. The origin keeps chains of different
/// shards apart.
pub fn chain_start(origin: &Origin) -> Hash {
    Hash::of(&[START_TAG, origin.to_string().as_bytes()])
}

impl BatchLink {
    /// The chain after this batch: SHA-256 over, in a row and with integers big-endian,
    ///
    /// | bytes | what |
    /// | --- | --- |
    /// | 22 | `florin-ledger-batch/1` and a newline |
    /// | 32 | the chain before |
    /// | 4 | shard |
    /// | 8 | first index |
    /// | 8 | count |
    /// | 32 | root of the tree after the batch |
    /// | 8 | timestamp |
    ///
    /// Neither a leaf (`00`) nor a node (`01`) of the tree starts with the letter `f`, so no hash of one kind can pass for another.
    pub fn chain_after(&self, previous: Hash) -> Hash {
        Hash::of(&[
            BATCH_TAG,
            &previous.0,
            &self.shard.0.to_be_bytes(),
            &self.first_index.to_be_bytes(),
            &self.count.to_be_bytes(),
            &self.root.0,
            &self.timestamp.to_be_bytes(),
        ])
    }
}

/// Checks that the links, from the first batch on, follow one another and lead to the checkpoint's chain.
///
/// # Errors
/// `Disproved` with the number of the first batch that does not fit.
pub fn verify_chain(links: impl IntoIterator<Item = BatchLink>, checkpoint: &Checkpoint) -> Result<()> {
    let mut chain = chain_start(&checkpoint.origin);
    let (mut size, mut timestamp, mut root) = (0u64, 0, Hash::EMPTY_ROOT);
    for (number, link) in links.into_iter().enumerate() {
        let end = size.checked_add(link.count).filter(|end| *end <= SIZE_MAX);
        let follows = link.shard == checkpoint.origin.shard() && link.first_index == size && link.timestamp >= timestamp;
        let (Some(end), true) = (end, follows && link.count > 0) else {
            return Err(Error::Disproved(format!("batch {number} does not follow the one before it")));
        };
        chain = link.chain_after(chain);
        (size, timestamp, root) = (end, link.timestamp, link.root);
    }
    if (size, root, chain, timestamp) != (checkpoint.size, checkpoint.root, checkpoint.chain, checkpoint.timestamp) {
        return Err(Error::Disproved("the batches do not lead to the checkpoint".to_owned()));
    }
    Ok(())
}

/// What a shard keeps: its tree and its chain. The same on every replica after the same batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceLog {
    origin: Origin,
    log: MerkleLog,
    chain: Hash,
    timestamp: u64,
}

const STATE_VERSION: u8 = 1;
const STATE_FIXED_BYTES: usize = 1 + 4 + 8 + 8 + Hash::LEN;

impl EvidenceLog {
    /// The evidence of a shard without records.
    pub fn new(origin: Origin) -> EvidenceLog {
        EvidenceLog { chain: chain_start(&origin), origin, log: MerkleLog::new(), timestamp: 0 }
    }

    /// Appends a batch's records in their order. Tiles that this fills are added to `full`, to be stored with the batch's effects. None,
    /// and nothing done, for a batch without records.
    ///
    /// # Errors
    /// `Range`, with nothing done, if the timestamp is before that of the last batch.
    pub fn append_batch<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a [u8]>,
        timestamp: u64,
        full: &mut Vec<Tile>,
    ) -> Result<Option<BatchLink>> {
        let hashes: Vec<Hash> = records.into_iter().map(Hash::of_leaf).collect();
        self.append_leaves(&hashes, timestamp, full)
    }

    /// The same for leaves whose hashes are known: see [`Hash::of_leaf`].
    ///
    /// # Errors
    /// As [`EvidenceLog::append_batch`].
    pub fn append_leaves(&mut self, leaves: &[Hash], timestamp: u64, full: &mut Vec<Tile>) -> Result<Option<BatchLink>> {
        if timestamp < self.timestamp {
            return Err(Error::Range(format!("a batch of {timestamp} cannot follow one of {}: time goes on", self.timestamp)));
        }
        if leaves.is_empty() {
            return Ok(None);
        }
        let (first_index, count) = (self.log.size(), leaves.len() as u64);
        leaves.iter().for_each(|leaf| {
            self.log.append_hash(*leaf, full);
        });
        let link = BatchLink { shard: self.origin.shard(), first_index, count, root: self.log.root(), timestamp };
        self.chain = link.chain_after(self.chain);
        self.timestamp = timestamp;
        Ok(Some(link))
    }

    /// The hash over all batches so far.
    pub fn chain(&self) -> Hash {
        self.chain
    }

    pub fn log(&self) -> &MerkleLog {
        &self.log
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What may be signed now.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            origin: self.origin.clone(),
            size: self.log.size(),
            root: self.log.root(),
            timestamp: self.timestamp,
            chain: self.chain,
            extensions: Vec::new(),
        }
    }

    /// The state as one row, 53 bytes and 32 for each peak; integers big-endian: version 1 (1 byte), shard (4), size (8), timestamp (8),
    /// chain (32), the peaks from the largest subtree to the smallest (32 each, as many as the size has bits set). The tiles of
    /// [`MerkleLog::edge`] are stored beside it.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(STATE_FIXED_BYTES + self.log.frontier().peaks().len() * Hash::LEN);
        bytes.push(STATE_VERSION);
        bytes.extend(self.origin.shard().0.to_be_bytes());
        bytes.extend(self.log.size().to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.chain.0);
        self.log.frontier().peaks().iter().for_each(|peak| bytes.extend(peak.0));
        bytes
    }

    /// Reads what [`EvidenceLog::encode`] wrote; `tile` reads a stored tile.
    ///
    /// # Errors
    /// `Version` for that of a later build, `Corrupt` if the bytes, the origin and the tiles do not fit together.
    pub fn decode(origin: Origin, bytes: &[u8], tile: impl FnMut(TileKey) -> Option<Tile>) -> Result<EvidenceLog> {
        let state = State::read(bytes)?;
        if state.shard != origin.shard() {
            return Err(Error::Corrupt(format!("the evidence of {} was stored with {}", state.shard, origin.shard())));
        }
        let log = MerkleLog::open(state.frontier, tile)?;
        if log.size() == 0 && state.chain != chain_start(&origin) {
            return Err(Error::Corrupt("an empty log's chain is not that of its origin".to_owned()));
        }
        Ok(EvidenceLog { origin, log, chain: state.chain, timestamp: state.timestamp })
    }

    /// The keys of the tiles that [`EvidenceLog::decode`] will ask for, so that they can be read beforehand.
    ///
    /// # Errors
    /// As for [`EvidenceLog::decode`].
    pub fn tiles_needed(bytes: &[u8]) -> Result<Vec<TileKey>> {
        Ok(crate::merkle::edge_tiles(State::read(bytes)?.frontier.size()))
    }
}

struct State {
    shard: ShardId,
    frontier: Frontier,
    timestamp: u64,
    chain: Hash,
}

impl State {
    fn read(bytes: &[u8]) -> Result<State> {
        let corrupt = || Error::Corrupt(format!("the state of a log has {} bytes", bytes.len()));
        let (version, rest) = bytes.split_first().ok_or_else(corrupt)?;
        if *version != STATE_VERSION {
            return Err(Error::Version { what: "the state of a log", version: u64::from(*version) });
        }
        let (shard, rest) = rest.split_first_chunk().ok_or_else(corrupt)?;
        let (size, rest) = rest.split_first_chunk().ok_or_else(corrupt)?;
        let (timestamp, rest) = rest.split_first_chunk().ok_or_else(corrupt)?;
        let (chain, rest) = rest.split_first_chunk().ok_or_else(corrupt)?;
        let (peaks, rest) = rest.as_chunks();
        if !rest.is_empty() {
            return Err(corrupt());
        }
        Ok(State {
            shard: ShardId(u32::from_be_bytes(*shard)),
            frontier: Frontier::new(u64::from_be_bytes(*size), peaks.iter().copied().map(Hash).collect())?,
            timestamp: u64::from_be_bytes(*timestamp),
            chain: Hash(*chain),
        })
    }
}
