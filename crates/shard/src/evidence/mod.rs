//! The ledger's evidence: a Merkle tree and a hash chain over all rows of the ledger that the shard's log committed, in the log's order. The same on every
//! replica.
//!
//! Applying an entry only notes its batch, which costs nothing to speak of: the rows are there in memory anyway. Once it is committed, a job hashes it,
//! outside of the shard's thread. A flush waits until everything up to its entry is recorded, and stores tiles and links before the bookkeeping, which
//! holds the state: so a restart goes on with the log from where the tree stands, and replicas that are filled get the tree with the rows.
//!
//! What the tree says is never taken back: nothing gets in before it is committed. In memory are the tiles and links since the last flush.

mod batch;
mod compare;
mod links;
mod proofs;

pub use batch::{Batch, Content};
pub use compare::EvidenceStatus;
pub(crate) use compare::Told;
pub(crate) use proofs::Proofs;

use crate::flush::Batching;
use crate::planted::{self, Bug};
use crate::shard::Shard;
use crate::staged::Storages;
use base::{Error, Result, SqlState, TxnId, Version};
use bytes::{BufMut, Bytes};
use links::Link;
use proof::merkle::{Tile, TileKey};
use proof::{EvidenceLog, Hash, Origin};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use storage::access::EVIDENCE_KEY;
use storage::rows::{Change, RowStore, Space};

/// Batches that one job records.
const BATCHES_MAX: usize = 4096;
/// Batches whose chain is remembered, to compare it with that of other replicas.
const RECENT_MAX: usize = 4096;
const TILE_PREFIX: u8 = b't';

/// Key of a tile in `Evidence`: `t`, its level (1 byte), its index (8, big-endian).
fn tile_key(key: TileKey) -> Bytes {
    let mut bytes = Vec::with_capacity(10);
    bytes.put_u8(TILE_PREFIX);
    bytes.put_u8(key.level);
    bytes.put_u64(key.index);
    Bytes::from(bytes)
}

fn stored_tile(store: &dyn RowStore, key: TileKey) -> Result<Option<Tile>> {
    let value = store.get(Space::Evidence, &tile_key(key))?;
    Ok(value.map(|value| Tile::decode(key, &value)).transpose()?)
}

/// What was recorded but is not in the store, or not for sure.
#[derive(Clone, Default)]
struct Unstored {
    tiles: BTreeMap<TileKey, Arc<Tile>>,
    /// As the jobs gave them.
    links: Vec<Arc<Vec<Link>>>,
}

/// The evidence up to an entry.
#[derive(Clone)]
struct Recorded {
    log: EvidenceLog,
    /// Newest version of all batches.
    stamp: Version,
    /// Rows up to this version may have been committed before there was evidence. Zero if there always was.
    since: Version,
}

struct Keeping {
    recorded: Recorded,
    /// Up to and with this entry everything is recorded, as of the last job.
    index: u64,
    unstored: Unstored,
    /// Entry and chain of the newest batches, oldest first; the first one is where the evidence was read from the store.
    recent: VecDeque<(u64, Hash)>,
    job: Option<u64>,
}

/// What a flush stores.
pub struct Captured {
    unstored: Unstored,
    edge: Vec<Tile>,
    state: Bytes,
}

/// The shard's evidence and what is on its way into it.
pub struct Ledger {
    origin: Origin,
    /// `None`: this shard keeps none (yet), being older than evidence is.
    keeping: Option<Keeping>,
    /// Batches that are not recorded, in the order of the log.
    queue: VecDeque<Arc<Batch>>,
}

/// What a job recorded.
struct Done {
    recorded: Recorded,
    index: u64,
    batches: usize,
    tiles: Vec<Tile>,
    links: Vec<Link>,
    chains: Vec<(u64, Hash)>,
}

impl Ledger {
    /// Without evidence, until it is founded or read.
    pub fn new(origin: Origin) -> Ledger {
        Ledger { origin, keeping: None, queue: VecDeque::new() }
    }

    /// An empty tree from this entry on. `since`: newest version that was given before.
    pub fn found(&mut self, index: u64, since: Version) {
        assert!(self.keeping.is_none(), "a shard's evidence starts once");
        let recorded = Recorded { log: EvidenceLog::new(self.origin.clone()), stamp: Version::ZERO, since };
        self.keep(recorded, index);
    }

    /// Its founding is taken back.
    pub fn unfound(&mut self) {
        self.keeping = None;
        self.queue.clear();
    }

    pub fn is_kept(&self) -> bool {
        self.keeping.is_some()
    }

    fn keep(&mut self, recorded: Recorded, index: u64) {
        let recent = VecDeque::from([(index, recorded.log.chain())]);
        self.keeping = Some(Keeping { recorded, index, unstored: Unstored::default(), recent, job: None });
    }

    /// Reads what [`Captured::state`] said when the entry was flushed.
    ///
    /// # Errors
    /// `XX001` if state and tiles do not fit together.
    pub fn restore(&mut self, index: u64, state: &[u8], store: &dyn RowStore) -> Result<()> {
        let damaged = || Error::new(SqlState::DATA_CORRUPTED, "the state of the ledger's evidence is damaged");
        let version = |bytes: &[u8; 8]| Version(u64::from_be_bytes(*bytes));
        let (stamp, state) = state.split_first_chunk::<8>().ok_or_else(damaged)?;
        let (since, state) = state.split_first_chunk::<8>().ok_or_else(damaged)?;
        let mut tiles = BTreeMap::new();
        for key in EvidenceLog::tiles_needed(state)? {
            tiles.extend(stored_tile(store, key)?.map(|tile| (key, tile)));
        }
        let log = EvidenceLog::decode(self.origin.clone(), state, |key| tiles.remove(&key))?;
        self.keep(Recorded { log, stamp: version(stamp), since: version(since) }, index);
        Ok(())
    }

    /// A transaction takes effect with this entry. It is recorded once the entry is committed.
    pub fn note(&mut self, index: u64, version: Version, content: Content, staged: Option<(TxnId, Storages)>) {
        if self.keeping.is_some()
            && let Some(batch) = Batch::new(index, version, content, staged)
        {
            assert!(self.queue.back().is_none_or(|last| last.index < index), "an entry is noted once, in the log's order");
            self.queue.push_back(Arc::new(batch));
        }
    }

    /// Entries above this one are taken back.
    pub fn undo_to(&mut self, committed: u64) {
        while self.queue.back().is_some_and(|batch| batch.index > committed) {
            self.queue.pop_back();
        }
    }

    /// Everything up to and with this entry is recorded, and nothing of a later one.
    fn stands_at(&self, upto: u64) -> bool {
        let Some(keeping) = &self.keeping else { return true };
        assert!(keeping.recent.back().is_none_or(|(index, _)| *index <= upto), "recording stops at an entry that is to be flushed");
        keeping.job.is_none() && self.queue.front().is_none_or(|batch| batch.index > upto)
    }

    /// Nothing waits to be recorded.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// What is stored with the rows up to this entry; `None` if no evidence is kept. `Err`: not everything up to there is recorded yet.
    pub fn capture(&mut self, upto: u64) -> Result<Option<Arc<Captured>>, NotYet> {
        if self.keeping.as_ref().and_then(|keeping| keeping.recent.front()).is_some_and(|(founded, _)| *founded > upto) {
            return Ok(None);
        }
        if !self.stands_at(upto) {
            return Err(NotYet);
        }
        let Some(keeping) = &mut self.keeping else { return Ok(None) };
        let Recorded { log, stamp, since } = &keeping.recorded;
        let mut state = [stamp.0.to_be_bytes(), since.0.to_be_bytes()].concat();
        state.extend(log.encode());
        let edge = log.log().edge().cloned().collect();
        Ok(Some(Arc::new(Captured { unstored: std::mem::take(&mut keeping.unstored), edge, state: Bytes::from(state) })))
    }
}

/// See [`Ledger::capture`].
#[derive(Debug)]
pub struct NotYet;

impl Captured {
    /// For the bookkeeping: newest version recorded and newest version that may not be (8 bytes each, big-endian), then the state of tree and chain.
    pub fn state(&self) -> &Bytes {
        &self.state
    }

    /// Tiles and links to write. May be written again.
    pub fn changes(&self) -> impl Iterator<Item = Change> + '_ {
        let complete = self.unstored.tiles.values().map(|tile| &**tile).filter(|tile| self.edge.iter().all(|edge| edge.key != tile.key));
        let tiles = complete.chain(&self.edge);
        let tiles = tiles.map(|tile| (Space::Evidence, tile_key(tile.key), Some(Bytes::from(tile.encode()))));
        let all: Vec<Link> = self.unstored.links.iter().flat_map(|links| links.iter().copied()).collect();
        let block = |block: &[Link]| (Space::Evidence, links::key(block[0].stamp, block[0].first), Some(links::encode(block)));
        let links: Vec<Change> = all.chunks(links::BLOCK_LINKS).map(block).collect();
        tiles.chain(links)
    }

    /// # Errors
    /// If the store cannot be written.
    pub fn write(&self, store: &dyn RowStore) -> Result<()> {
        let mut out = Batching::new(store);
        for (space, key, value) in self.changes() {
            out.push(space, key, value);
            out.write_if_full()?;
        }
        out.write()
    }
}

/// Appends batches to the tree. Runs in a job.
fn record(recorded: Recorded, batches: &[Arc<Batch>], store: &dyn RowStore) -> Result<Done> {
    let last = batches.last().map_or(0, |batch| batch.index);
    let mut done = Done { recorded, index: last, batches: batches.len(), tiles: Vec::new(), links: Vec::new(), chains: Vec::new() };
    let mut failed = None;
    for batch in batches {
        let Done { recorded: Recorded { log, stamp, .. }, tiles, links, .. } = &mut done;
        *stamp = (*stamp).max(batch.version);
        batch.leaves(store, &mut |leaves| match log.append_leaves(leaves, stamp.millis() * 1_000_000, tiles) {
            Ok(None) => {}
            Ok(Some(link)) => {
                let (first, count) = (link.first_index, leaves.len() as u32);
                links.push(Link { stamp: *stamp, version: batch.version, first, count, root: link.root });
            }
            Err(error) => failed = Some(error),
        })?;
        done.chains.push((batch.index, done.recorded.log.chain()));
    }
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(done),
    }
}

impl Shard {
    /// Hands what is committed and not recorded to a job, one at a time.
    pub(crate) fn tick_evidence(&mut self) {
        self.start_evidence();
        if !self.rows {
            return;
        }
        // Of a flush that is not under way yet the tree must not get past the end.
        let frozen = self.state.frozen.as_ref().filter(|frozen| !frozen.started);
        let limit = frozen.map_or(u64::MAX, |frozen| frozen.upto).min(self.state.settled);
        let ledger = &self.state.ledger;
        let Some(keeping) = ledger.keeping.as_ref().filter(|keeping| keeping.job.is_none()) else { return };
        let batches: Vec<Arc<Batch>> = ledger.queue.iter().take(BATCHES_MAX).take_while(|batch| batch.index <= limit).cloned().collect();
        if batches.is_empty() {
            return;
        }
        let (recorded, store) = (keeping.recorded.clone(), self.state.store.clone());
        let forgets = planted::active(Bug::ForgetRecord) && !self.consensus.is_leader();
        let id = self.spawn("record the ledger", move || {
            let kept = if forgets { &batches[..batches.len() - 1] } else { &batches[..] };
            let mut done = record(recorded, kept, &*store)?;
            (done.index, done.batches) = (batches.last().map_or(0, |batch| batch.index), batches.len());
            Ok(Box::new(done))
        });
        self.state.ledger.keeping.as_mut().expect("it was just seen").job = Some(id);
    }

    /// True if the job was one of these.
    pub(crate) fn evidence_job_done(&mut self, done: crate::event::JobDone) -> Option<crate::event::JobDone> {
        let ledger = &mut self.state.ledger;
        let Some(keeping) = ledger.keeping.as_mut().filter(|keeping| keeping.job == Some(done.id)) else { return Some(done) };
        keeping.job = None;
        match done.result {
            Ok(result) => {
                let done = *result.downcast::<Done>().expect("the job was started with this result");
                keeping.recorded = done.recorded;
                keeping.index = done.index;
                keeping.unstored.tiles.extend(done.tiles.into_iter().map(|tile| (tile.key, Arc::new(tile))));
                if !done.links.is_empty() {
                    keeping.unstored.links.push(Arc::new(done.links));
                }
                keeping.recent.extend(done.chains);
                let surplus = keeping.recent.len().saturating_sub(RECENT_MAX);
                keeping.recent.drain(..surplus);
                ledger.queue.drain(..done.batches);
                self.resume_proofs();
            }
            Err(error) if error.state() == SqlState::DATA_CORRUPTED => self.rows_unreadable(&error.to_string()),
            // Tried again with the next tick: the batches are still there.
            Err(_) => {}
        }
        None
    }

    /// A program that keeps no evidence may have got past the entry from which on it is kept: then this replica needs the others' rows.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) fn check_evidence(&mut self) -> Result<()> {
        let founded = |shard: &Shard| Ok::<_, Error>(shard.state.store.get(Space::Current, EVIDENCE_KEY)?.is_some());
        if self.rows && !self.state.ledger.is_kept() && founded(self)? {
            self.rows_unreadable("a program that keeps no evidence of the ledger has written them");
        }
        Ok(())
    }

    /// A shard that was founded before there was evidence starts it with an entry of its log, so that all replicas start at the same place.
    fn start_evidence(&mut self) {
        if !self.serves() || self.handing.is_some() || self.state.ledger.is_kept() || self.disk_full {
            return;
        }
        let key = Bytes::from_static(EVIDENCE_KEY);
        if self.state.prepared_keys.get(&key).is_some() {
            return;
        }
        let version = self.clock.tick(self.now.wall);
        let change = crate::entry::Change { key, row: Some(Bytes::new()) };
        // Refused: tried again with the next tick.
        if self.propose(crate::entry::LogEntry::Put { version, change }).is_ok() {
            let text = "this shard is older than the ledger's evidence: what it committed so far is not in its tree, which starts now";
            self.effects.push(crate::event::ShardEffect::Finding(format!("shard {}: {text}", self.config.shard.0)));
        }
    }
}
