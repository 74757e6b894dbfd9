//! Proofs for those who ask the leader: a checkpoint is signed at once, paths are built from tiles in a job.

use super::links::{self, Link};
use super::{Recorded, stored_tile};
use crate::event::{JobDone, ShardEffect};
use crate::shard::Shard;
use crate::state::State;
use base::{Error, NodeId, RequestId, Result, SqlState, Version};
use bytes::Bytes;
use proof::merkle::{Plan, Tile, TileKey, TileSet, verify_inclusion};
use proof::{Hash, SigningKey, record};
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use storage::access::{Evidence, EvidenceRequest, Refusal, Response};
use storage::rows::{RowStore, Space};

/// Proofs that wait or are built at a time; more are refused as busy.
const PROOFS_MAX: usize = 256;
/// So many batches with newer versions may come before one that several shards decided on. Further on it is not looked for.
const LATE_BATCHES_MAX: usize = 256 * 1024;

/// Who waits for what.
struct Waiting {
    from: NodeId,
    id: RequestId,
    wanted: EvidenceRequest,
    /// Everything up to this entry must be recorded first.
    index: u64,
}

/// The leader's work on proofs.
pub(crate) struct Proofs {
    key: Option<SigningKey>,
    waiting: Vec<Waiting>,
    /// By the job that builds it.
    building: BTreeMap<u64, (NodeId, RequestId)>,
}

/// Tree and links as of one moment, for a job to read.
pub(crate) struct View {
    store: Arc<dyn RowStore>,
    recorded: Recorded,
    tiles: BTreeMap<TileKey, Arc<Tile>>,
    links: Vec<Arc<Vec<Link>>>,
}

impl Proofs {
    pub fn new(key: Option<SigningKey>) -> Proofs {
        Proofs { key, waiting: Vec::new(), building: BTreeMap::new() }
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl State {
    /// `None` if no evidence is kept.
    pub(crate) fn evidence_view(&self) -> Option<View> {
        let keeping = self.ledger.keeping.as_ref()?;
        let captured = self.frozen.as_ref().and_then(|frozen| frozen.evidence.as_ref()).map(|captured| &captured.unstored);
        let (mut tiles, mut links) = (BTreeMap::new(), Vec::new());
        for unstored in captured.into_iter().chain([&keeping.unstored]) {
            tiles.extend(unstored.tiles.iter().map(|(key, tile)| (*key, tile.clone())));
            links.extend(unstored.links.iter().cloned());
        }
        tiles.extend(keeping.recorded.log.log().edge().map(|tile| (tile.key, Arc::new(tile.clone()))));
        Some(View { store: self.store.clone(), recorded: keeping.recorded.clone(), tiles, links })
    }
}

impl Shard {
    pub(crate) fn prove(&mut self, from: NodeId, id: RequestId, wanted: EvidenceRequest) {
        let refusal = if self.proofs.key.is_none() || !self.state.ledger.is_kept() {
            let text = "this shard keeps no evidence of the ledger";
            Refusal::Error(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, text))
        } else if self.proofs.waiting.len() + self.proofs.building.len() >= PROOFS_MAX {
            Refusal::Busy
        } else {
            self.proofs.waiting.push(Waiting { from, id, wanted, index: self.state.applied });
            self.tick_evidence();
            self.resume_proofs();
            return;
        };
        self.refuse(from, id, refusal);
    }

    /// Those go on that all is recorded for.
    pub(crate) fn resume_proofs(&mut self) {
        let (settled, ledger) = (self.state.settled, &self.state.ledger);
        let ready = |waiting: &Waiting| waiting.index <= settled && ledger.is_past(waiting.index);
        let (ready, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.proofs.waiting).into_iter().partition(ready);
        self.proofs.waiting = left;
        for waiting in ready {
            let (from, id) = (waiting.from, waiting.id);
            match self.start_proof(waiting) {
                Ok(None) => {}
                Ok(Some(response)) => self.effects.push(ShardEffect::Reply { to: from, id, response }),
                Err(error) => self.refuse(from, id, Refusal::Error(error)),
            }
        }
    }

    pub(crate) fn refuse_proofs(&mut self) {
        let refusal = Refusal::NotLeader(self.consensus.leader());
        for waiting in std::mem::take(&mut self.proofs.waiting) {
            self.refuse(waiting.from, waiting.id, refusal.clone());
        }
    }

    /// `None`: a job answers.
    fn start_proof(&mut self, waiting: Waiting) -> Result<Option<Response>> {
        let Waiting { from, id, wanted, index } = waiting;
        let gone = || Error::internal("the shard's evidence is gone");
        let row = match &wanted {
            EvidenceRequest::Inclusion { key, .. } => {
                let seen = self.state.newest(key)?;
                let row = seen.row.filter(|_| seen.index <= index);
                Some((seen.version, row.ok_or_else(|| Error::new(SqlState::UNDEFINED_OBJECT, "there is no such record of the ledger"))?))
            }
            _ => None,
        };
        let view = self.state.evidence_view().ok_or_else(gone)?;
        let key = self.proofs.key.as_ref().ok_or_else(gone)?;
        let evidence = Evidence { key: key.verifier().to_string(), ..Evidence::default() };
        let sign = || Ok::<_, Error>(view.recorded.log.checkpoint().sign(key)?.to_string());
        let newest = view.recorded.log.log().size();
        let (name, run): (_, Box<dyn FnOnce() -> Result<Evidence> + Send>) = match wanted {
            EvidenceRequest::Checkpoint => return Ok(Some(Response::Evidence(Evidence { checkpoint: Some(sign()?), ..evidence }))),
            EvidenceRequest::Inclusion { key, size } => {
                let checkpoint = if size.is_none() { Some(sign()?) } else { None };
                let size = known(size, newest)?;
                let (version, row) = row.ok_or_else(gone)?;
                let run = move || Ok(Evidence { checkpoint, ..include(view, &key, version, &row, size, evidence)? });
                ("prove a record", Box::new(run))
            }
            EvidenceRequest::Consistency { older, newer } => {
                let checkpoint = if newer.is_none() { Some(sign()?) } else { None };
                let newer = known(newer, newest)?;
                let run = move || {
                    let path = view.path(&Plan::consistency(older, newer)?)?;
                    Ok(Evidence { checkpoint, path: path.into_iter().map(|hash| hash.0).collect(), ..evidence })
                };
                ("prove that a tree continues another", Box::new(run))
            }
        };
        let job = self.spawn(name, move || Ok(Box::new(run()?)));
        self.proofs.building.insert(job, (from, id));
        Ok(None)
    }

    pub(crate) fn proof_job_done(&mut self, done: JobDone) -> Option<JobDone> {
        let Some((from, id)) = self.proofs.building.remove(&done.id) else { return Some(done) };
        match done.result {
            Ok(result) => {
                let evidence = *result.downcast::<Evidence>().expect("the job was started with this result");
                self.effects.push(ShardEffect::Reply { to: from, id, response: Response::Evidence(evidence) });
            }
            Err(error) => self.refuse(from, id, Refusal::Error(error)),
        }
        None
    }
}

/// A size that the tree has reached.
fn known(size: Option<u64>, newest: u64) -> Result<u64> {
    match size {
        Some(size) if size > newest => {
            let text = format!(
                "the checkpoint is of {size} records, this shard has {newest}: it is not of this log, or the log has lost what it signed"
            );
            Err(Error::new(SqlState::DATA_CORRUPTED, text))
        }
        size => Ok(size.unwrap_or(newest)),
    }
}

fn include(mut view: View, key: &Bytes, version: Version, row: &[u8], size: u64, evidence: Evidence) -> Result<Evidence> {
    let record = record::of_row(key, row);
    let leaf = Hash::of_leaf(&record);
    let Some(index) = view.find(version, leaf)? else {
        return Err(if version <= view.since() {
            let text = "the record was committed before this shard kept evidence";
            Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, text)
        } else {
            Error::new(SqlState::DATA_CORRUPTED, "the record is not what was committed: its tree does not have it")
                .with_hint("The row was changed behind the ledger's back. Compare with a proof or a backup of before.")
        });
    };
    if index >= size {
        let text = format!("the record is number {index}, behind the {size} records of the checkpoint");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, text).with_hint("Take a newer checkpoint."));
    }
    let path = view.path(&Plan::inclusion(index, size)?)?;
    if size == view.recorded.log.log().size() {
        // What leaves the house holds.
        verify_inclusion(leaf, index, size, &path, view.recorded.log.log().root())?;
    }
    Ok(Evidence { record: Some((Bytes::from(record), index)), path: path.into_iter().map(|hash| hash.0).collect(), ..evidence })
}

impl View {
    fn tile(&self, key: TileKey) -> Result<Arc<Tile>> {
        match self.tiles.get(&key) {
            Some(tile) => Ok(tile.clone()),
            None => {
                let missing = || Error::new(SqlState::DATA_CORRUPTED, format!("tile {} of level {} is missing", key.index, key.level));
                Ok(Arc::new(stored_tile(&*self.store, key)?.ok_or_else(missing)?))
            }
        }
    }

    fn path(&self, plan: &Plan) -> Result<Vec<Hash>> {
        let tiles = plan.tiles().into_iter().map(|key| self.tile(key).map(|tile| (*tile).clone()));
        Ok(plan.build(&tiles.collect::<Result<TileSet>>()?)?)
    }

    /// Rows up to this version may have been committed before there was evidence.
    pub fn since(&self) -> Version {
        self.recorded.since
    }

    /// The index of a leaf that a transaction with this version added.
    pub fn find(&mut self, version: Version, leaf: Hash) -> Result<Option<u64>> {
        let size = self.recorded.log.log().size();
        let (mut candidates, mut later) = (Vec::new(), 0);
        self.each_link(version, &mut |link| {
            if link.version == version && link.first + u64::from(link.count) <= size && !candidates.contains(link) {
                candidates.push(*link);
            }
            later += usize::from(link.stamp > version);
            if later > LATE_BATCHES_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        for link in candidates {
            if let Some(index) = self.search(&link, leaf)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// A batch's leaves stand in the order of their hashes.
    fn search(&mut self, link: &Link, leaf: Hash) -> Result<Option<u64>> {
        let (mut low, mut high) = (link.first, link.first + u64::from(link.count));
        while low < high {
            let middle = low + (high - low) / 2;
            let (key, place) = (TileKey { level: 0, index: middle / 256 }, (middle % 256) as usize);
            let tile = self.tile(key)?;
            let short = || Error::new(SqlState::DATA_CORRUPTED, format!("tile {} lacks leaf {middle}", key.index));
            let there = *tile.hashes().get(place).ok_or_else(short)?;
            // It is wanted again for the next step, and by others of its batch.
            self.tiles.entry(key).or_insert(tile);
            match there.cmp(&leaf) {
                std::cmp::Ordering::Equal => return Ok(Some(middle)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// Visits the links from the first one that may have this version on, in their order. Those of a flush that was cut short may come twice.
    fn each_link(&self, version: Version, visit: &mut dyn FnMut(&Link) -> ControlFlow<()>) -> Result<()> {
        let (start, end) = ([links::PREFIX], [links::PREFIX + 1]);
        let below = links::key(version, 0);
        let mut from = Bytes::copy_from_slice(&start);
        self.store.scan(Space::Evidence, Bound::Included(&start), Bound::Excluded(&below), true, &mut |key, _| {
            from = Bytes::copy_from_slice(key);
            ControlFlow::Break(())
        })?;
        let (mut failed, mut ended) = (None, false);
        self.store.scan(Space::Evidence, Bound::Included(&from), Bound::Excluded(&end), false, &mut |key, value| match links::decode(
            key, value,
        ) {
            Ok(block) => {
                let flow = block.iter().filter(|link| link.stamp >= version).try_for_each(&mut *visit);
                ended = flow.is_break();
                flow
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if !ended {
            let _ = self.links.iter().flat_map(|links| links.iter()).filter(|link| link.stamp >= version).try_for_each(visit);
        }
        Ok(())
    }
}
