//! The scrub's part in the evidence: replicas compare their chains, and rows are compared with the tree.

use super::proofs::View;
use super::{Ledger, batch};
use crate::codec::Wire;
use crate::shard::Shard;
use base::{NodeId, Result, Version};
use bytes::Bytes;
use proof::Hash;
use proof::record::Hasher;
use storage::access::{Found, Key};

/// Rows of one job: each reads a few tiles, in a batch that no other row of the chunk may be from. A job that took longer would keep its thread from flushes, and
/// the tiles that it has read in memory.
const COMPARED_ROWS: usize = 64;

/// What a leader says of its chain after an entry, before it asks for a checksum of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub index: u64,
    pub chain: Hash,
}

/// Where a replica's evidence stands, for the status and the simulator's checkers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceStatus {
    /// Everything up to this entry is recorded, as of the last batch.
    pub index: u64,
    /// Leaves, the tree's root and the chain.
    pub size: u64,
    pub root: Hash,
    pub chain: Hash,
    /// Nothing that was applied waits to be recorded.
    pub idle: bool,
}

impl Ledger {
    /// `None`: no evidence is kept.
    pub fn status(&self) -> Option<EvidenceStatus> {
        let keeping = self.keeping.as_ref()?;
        let log = &keeping.recorded.log;
        let (size, root) = (log.log().size(), log.log().root());
        Some(EvidenceStatus { index: keeping.index, size, root, chain: log.chain(), idle: self.is_idle() })
    }

    /// Where the evidence stands, if it is kept.
    pub(crate) fn told(&self) -> Option<Told> {
        let keeping = self.keeping.as_ref()?;
        let (index, chain) = *keeping.recent.back()?;
        Some(Told { index, chain })
    }

    /// Everything up to the entry is recorded.
    pub(super) fn is_past(&self, index: u64) -> bool {
        self.keeping.is_none() || self.queue.front().is_none_or(|batch| batch.index > index)
    }

    /// The chain after an entry, if it is remembered.
    fn chain_at(&self, index: u64) -> Option<Hash> {
        let recent = &self.keeping.as_ref()?.recent;
        let after = recent.partition_point(|(other, _)| *other <= index);
        recent.get(after.checked_sub(1)?).map(|(_, chain)| *chain)
    }
}

impl Shard {
    pub(crate) fn evidence_told(&mut self, from: NodeId, told: Told) {
        if self.consensus.leader() == Some(from) {
            self.scrubbing.told_chain = Some(told);
        }
    }

    /// Tells a replica what the chain should be, with the checksum that is asked for next.
    pub(crate) fn tell_chain(&mut self, to: &[NodeId]) {
        let Some(Told { index, chain }) = self.state.ledger.told() else { return };
        for node in to {
            self.send_wire(*node, &Wire::EvidenceTold { index, chain: chain.0 });
        }
    }

    /// The leader's statement can be judged now.
    pub(crate) fn can_judge_chain(&self) -> bool {
        self.scrubbing.told_chain.is_none_or(|told| self.state.applied >= told.index && self.state.ledger.is_past(told.index))
    }

    /// What makes this replica's checksum another one if its chain is not the leader's: the same for all that have the same chain.
    pub(crate) fn chain_difference(&mut self) -> u64 {
        let Some(told) = self.scrubbing.told_chain.take() else { return 0 };
        match self.state.ledger.chain_at(told.index) {
            Some(chain) if chain != told.chain => {
                let Hash([a, b, c, d, e, f, g, h, ..]) = chain;
                u64::from_be_bytes([a, b, c, d, e, f, g, h]) | 1
            }
            _ => 0,
        }
    }

    /// Looks for the leaves of a chunk's rows in the tree, in jobs, if those of an earlier chunk were all looked for.
    pub(crate) fn compare_with_tree(&mut self, rows: &[(Key, Found)]) {
        if !self.state.ledger.is_kept() || self.scrubbing.tree_job.is_some() {
            return;
        }
        let mut hasher = Hasher::default();
        let recorded = |(key, _): &&(Key, Found)| batch::is_recorded(key);
        self.scrubbing.tree_wanted =
            rows.iter().filter(recorded).map(|(key, found)| (key.clone(), found.version, hasher.leaf(key, &found.row))).collect();
        self.compare_some();
    }

    /// The next job.
    fn compare_some(&mut self) {
        let wanted = &mut self.scrubbing.tree_wanted;
        let wanted = wanted.split_off(wanted.len().saturating_sub(COMPARED_ROWS));
        let Some(view) = self.state.evidence_view().filter(|_| !wanted.is_empty()) else { return };
        // What is not recorded yet is not in the chunk: it is read at a closed version, and looked for only up to what the tree has.
        let queued = self.state.ledger.queue.iter().map(|batch| batch.version).min().unwrap_or(Version::MAX);
        let id = self.spawn("compare rows with the ledger's evidence", move || Ok(Box::new(missing(view, wanted, queued)?)));
        self.scrubbing.tree_job = Some(id);
    }

    pub(crate) fn tree_job_done(&mut self, done: crate::event::JobDone) -> Option<crate::event::JobDone> {
        if self.scrubbing.tree_job != Some(done.id) {
            return Some(done);
        }
        self.scrubbing.tree_job = None;
        match done.result {
            Ok(result) => {
                let (missing, checked) = *result.downcast::<(Vec<Key>, u64)>().expect("the job was started with this result");
                self.scrubbing.status.recorded += checked;
                if let Some(key) = missing.first() {
                    self.scrubbing.status.unrecorded += missing.len() as u64;
                    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
                    let count = missing.len();
                    self.found(format!("{count} rows of the ledger are not what was committed, the first one with the key {key}"));
                }
            }
            Err(error) if error.state() == base::SqlState::DATA_CORRUPTED => self.rows_unreadable(&error.to_string()),
            Err(error) => self.found(format!("rows could not be compared with the ledger's evidence: {error}")),
        }
        self.compare_some();
        None
    }
}

/// Keys of rows that are not in the tree though it has their versions, and how many were looked for.
fn missing(mut view: View, wanted: Vec<(Key, Version, Hash)>, below: Version) -> Result<(Vec<Bytes>, u64)> {
    let (mut missing, mut checked) = (Vec::new(), 0);
    let since = view.since();
    for (key, version, leaf) in wanted {
        // Not recorded yet.
        if version >= below {
            continue;
        }
        let found = view.find(version, leaf)?.is_some();
        // What is older may have been committed before there was evidence.
        checked += u64::from(found || version > since);
        if !found && version > since {
            missing.push(key);
        }
    }
    Ok((missing, checked))
}
