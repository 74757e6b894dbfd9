//! What others may know about a replica: for the status, the simulator's checkers and the scrub.

use crate::evidence::EvidenceStatus;
use crate::members::MemberList;
use crate::shard::Shard;
use base::{NodeId, Result, SchemaVersion, ShardId, Version};
use bytes::Bytes;
use storage::access::{Found, KeyRange, SCAN_ROWS_MAX};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub shard: ShardId,
    pub leader: Option<NodeId>,
    pub serves: bool,
    pub rows: bool,
    pub term: u64,
    pub committed: u64,
    pub applied: u64,
    pub last_index: u64,
    pub flushed: u64,
    pub members: MemberList,
    pub schema: SchemaVersion,
    pub last_version: Version,
    pub locks: usize,
    pub waiting: usize,
    pub prepared: usize,
    pub memory_bytes: usize,
    pub log_bytes: usize,
    pub store_bytes: u64,
    pub dropped_messages: u64,
}

impl Shard {
    pub fn shard(&self) -> ShardId {
        self.config.shard
    }

    pub fn is_leader(&self) -> bool {
        self.consensus.is_leader()
    }

    pub fn leader(&self) -> Option<NodeId> {
        self.consensus.leader()
    }

    pub fn term(&self) -> u64 {
        self.consensus.term()
    }

    pub fn members(&self) -> MemberList {
        self.consensus.members().list()
    }

    pub fn schema(&self) -> SchemaVersion {
        self.state.schema
    }

    /// The newest version in the log as far as it is applied here.
    pub fn last_version(&self) -> Version {
        self.state.last_version
    }

    /// What the leader has acknowledged to hold, for placement: how far each member is behind, in entries.
    pub fn behind(&self, node: NodeId) -> Option<u64> {
        let (matched, active) = self.consensus.progress(node)?;
        active.then(|| self.consensus.last_index().saturating_sub(matched))
    }

    /// True if the transaction is committed and a participant may still have to be told.
    pub fn remembers_pinned(&self, txn: base::TxnId) -> bool {
        self.state.outcomes.pinned().contains_key(&txn)
    }

    pub fn status(&self) -> Status {
        Status {
            shard: self.config.shard,
            leader: self.consensus.leader(),
            serves: self.serves(),
            rows: self.rows,
            term: self.consensus.term(),
            committed: self.consensus.committed(),
            applied: self.state.applied,
            last_index: self.consensus.last_index(),
            flushed: self.flushing.flushed_index,
            members: self.members(),
            schema: self.state.schema,
            last_version: self.state.last_version,
            locks: self.locks.len(),
            waiting: self.requests.waiting() + self.requests.held_back.len(),
            prepared: self.state.prepared.len(),
            memory_bytes: self.state.memory(),
            log_bytes: self.consensus.log().bytes(),
            store_bytes: self.state.store.size(),
            dropped_messages: self.dropped_messages,
        }
    }

    /// Where the ledger's evidence stands; `None`: none is kept.
    pub fn evidence(&self) -> Option<EvidenceStatus> {
        self.state.ledger.status()
    }

    /// The checksum of all rows as of the newest version that is applied here. Equal on all replicas that have applied the same entries,
    /// whatever was flushed. Looks at everything at once: for checkers.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn state_hash(&mut self) -> Result<u64> {
        let mut hashing = self.start_hash();
        while !self.hash_rows(&mut hashing)? {}
        Ok(hashing.value())
    }

    /// The same in steps, so that others have their turn between them.
    pub fn start_hash(&self) -> Hashing {
        let range = KeyRange { start: Bytes::new(), end: Bytes::new() };
        Hashing { at: self.state.last_version, range, hash: Fnv::default() }
    }

    /// One step, of up to [`SCAN_ROWS_MAX`] rows. True once all rows are in.
    ///
    /// # Errors
    /// If the store cannot be read, or the versions hashed are kept no longer.
    pub fn hash_rows(&mut self, hashing: &mut Hashing) -> Result<bool> {
        let at = hashing.at;
        // What nothing has replaced is kept however old it is.
        if let Some(error) = self.state.snapshot_too_old(at).filter(|_| at < self.state.last_version) {
            return Err(error);
        }
        let scanned = self.state.scan_rows(&hashing.range, false, SCAN_ROWS_MAX, at, None, false)?;
        for (key, found) in &scanned.rows {
            hashing.hash.row(key, found);
        }
        match scanned.resume {
            Some(next) => hashing.range.start = next,
            None => return Ok(true),
        }
        Ok(false)
    }
}

/// A checksum of all rows under way.
#[derive(Debug)]
pub struct Hashing {
    at: Version,
    range: KeyRange,
    hash: Fnv,
}

impl Hashing {
    pub fn value(&self) -> u64 {
        self.hash.value()
    }
}

/// FNV-1a over length-prefixed strings.
#[derive(Debug)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    pub fn value(&self) -> u64 {
        self.0
    }

    pub fn row(&mut self, key: &[u8], found: &Found) {
        self.add(key);
        self.add(&found.version.0.to_le_bytes());
        self.add(&found.row);
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in (bytes.len() as u32).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
