//! The replicated state of a shard: what the log's entries, applied in order, make of it. The same on every replica.
//!
//! A leader applies entries when it proposes them and can take them back ([`State::undo_to`]) if it loses its place before they
//! are committed; other replicas apply committed entries only. Nothing here knows of locks, leases or requests.

use crate::allowance::Allowance;
use crate::below::Fetched;
use crate::cache::RowCache;
use crate::entry::{Change, LogEntry, Prepare, Resource};
use crate::evidence::{Captured, Content, Ledger};
use crate::outcomes::{Outcomes, Pinned, Settled};
use crate::staged::{self, Staged, Storages};
use crate::system;
use crate::table::{RowVersion, Table};
use crate::undecided::Undecided;
use base::{Error, NodeId, Result, SchemaVersion, StorageId, TxnId, Version};
use proof::Origin;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use storage::access::{EVIDENCE_KEY, LockMode, storage_of};
use storage::packed::Packed;
use storage::rows::RowStore;

/// A leader serves snapshots up to this far above the newest version in its log; beyond, it logs a bound first.
pub const BOUND: Duration = Duration::from_secs(2);

/// Versions being flushed, or waiting for it.
pub struct Frozen {
    pub table: Arc<Table>,
    /// Newest log entry in it.
    pub upto: u64,
    /// A job reads it: it cannot change any more.
    pub started: bool,
    /// What the bookkeeping will say once it is flushed.
    pub meta: Vec<u8>,
    pub newest: Version,
    /// The ledger's evidence up to there, once the flush has started.
    pub evidence: Option<Arc<Captured>>,
}

/// A committed large transaction whose rows still stand in `Packed` and `Staged`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    pub txn: TxnId,
    pub version: Version,
    pub index: u64,
    /// Nothing in its storages was written with its commit: that would have the same version, and would count.
    pub alone: bool,
    pub storages: Storages,
}

/// Locks that a planned change of leadership carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    pub index: u64,
    pub to: NodeId,
    pub locks: Vec<(TxnId, Resource, LockMode)>,
}

enum Undo {
    /// Rows that an entry wrote.
    Rows(Arc<Vec<Change>>),
    /// Rows that a decided transaction wrote.
    PreparedRows(Arc<Prepare>),
    Outcome(TxnId),
    Prepared(TxnId),
    Decided(Arc<Prepare>),
    Layered(TxnId, Staged),
    Part(TxnId, Option<Staged>),
    Schema(SchemaVersion),
    Assigned(Version),
    Dropped,
    Founded,
    Unpinned(TxnId, Pinned),
}

pub struct State {
    pub store: Arc<dyn RowStore>,
    /// False until the store may hold rows at all: saves looking into it.
    pub store_has_rows: bool,
    pub active: Table,
    pub frozen: Option<Frozen>,
    /// Flushed versions on their way into the cache.
    pub draining: Table,
    pub cache: RowCache,
    /// What a job has read for the request that is carried out now.
    pub fetched: Fetched,
    /// Grows whenever rows move between memory, layers and store: what was read of one of them before may lack them.
    pub layout: u64,
    pub staged: BTreeMap<TxnId, Staged>,
    pub layers: Vec<Layer>,
    /// Transactions whose staged rows are to be removed once an entry is committed.
    pub garbage: Vec<(TxnId, u64)>,
    /// Storage ids that were dropped, each by an entry, and whose rows may still be there.
    pub dropped: Vec<(StorageId, u64)>,
    pub applied: u64,
    pub outcomes: Outcomes,
    pub outcomes_max: usize,
    pub prepared: BTreeMap<TxnId, Arc<Prepare>>,
    /// Rows that an undecided transaction will write if it commits.
    pub prepared_keys: Undecided,
    /// Newest version of any entry, and newest that entries of its kind were given by a leader's clock.
    pub last_version: Version,
    last_assigned: Version,
    pub allowance: Allowance,
    pub schema: SchemaVersion,
    pub handover: Option<Handover>,
    pub horizon: Version,
    /// No version in the store is above this.
    pub flushed: Version,
    undo: VecDeque<(u64, Undo)>,
    /// Nothing up to here will be taken back.
    pub settled: u64,
    /// The part whose rows are written already, and what that made of its transaction's outlines.
    staged_ahead: Option<(TxnId, u32, Storages)>,
    /// Transactions decided since this was last taken: their waiting readers go on.
    pub decided: Vec<TxnId>,
    pub ledger: Ledger,
}

impl State {
    /// `outcomes_max`: settled transactions remembered of each kind.
    pub fn new(store: Arc<dyn RowStore>, cache_bytes_max: usize, outcomes_max: usize, origin: &Origin) -> State {
        State {
            store,
            store_has_rows: false,
            active: Table::default(),
            frozen: None,
            draining: Table::default(),
            cache: RowCache::new(cache_bytes_max),
            fetched: Fetched::default(),
            layout: 0,
            staged: BTreeMap::new(),
            layers: Vec::new(),
            garbage: Vec::new(),
            dropped: Vec::new(),
            applied: 0,
            outcomes: Outcomes::new(outcomes_max),
            outcomes_max,
            prepared: BTreeMap::new(),
            prepared_keys: Undecided::default(),
            last_version: Version::ZERO,
            last_assigned: Version::ZERO,
            allowance: Allowance::default(),
            schema: SchemaVersion(0),
            handover: None,
            horizon: Version::ZERO,
            flushed: Version::ZERO,
            undo: VecDeque::new(),
            settled: 0,
            staged_ahead: None,
            decided: Vec::new(),
            ledger: Ledger::new(origin.clone()),
        }
    }

    /// Newest version of any entry, and newest given by a leader's clock to an entry.
    pub fn versions(&self) -> (Version, Version) {
        (self.last_version, self.last_assigned)
    }

    pub fn set_versions(&mut self, last_version: Version, last_assigned: Version) {
        (self.last_version, self.last_assigned) = (last_version, last_assigned);
    }

    /// A prepared transaction that the bookkeeping remembers.
    pub fn restore_prepared(&mut self, prepare: Arc<Prepare>) {
        self.prepared_keys.insert(&prepare);
        self.prepared.insert(prepare.txn, prepare);
    }

    /// The store holds something else: nothing of what was read before counts.
    pub fn follow(&mut self, before: &State) {
        self.layout = before.layout + 1;
    }

    pub fn memory(&self) -> usize {
        self.active.bytes() + self.draining.bytes() + self.cache.bytes() + self.frozen.as_ref().map_or(0, |f| f.table.bytes())
    }

    /// An entry without meaning for the rows (a term's first, a membership change).
    pub fn skip(&mut self, index: u64) {
        assert!(index > self.applied, "entry {index} was applied before: {}", self.applied);
        self.applied = index;
    }

    /// # Errors
    /// If the store fails; the replica cannot go on then.
    pub fn apply(&mut self, index: u64, entry: LogEntry) -> Result<()> {
        assert_eq!(index, self.applied + 1, "entries are applied in order, each once");
        if let Some(version) = entry.version() {
            assert!(version > self.last_assigned, "versions grow in the log: {version} after {}", self.last_assigned);
            self.push_undo(index, Undo::Assigned(self.last_assigned));
            self.last_assigned = version;
            self.saw(index, version);
        }
        self.handover = None;
        match entry {
            LogEntry::Commit { txn, version, parts, changes } => {
                self.write_rows(index, version, &changes);
                let staged = self.layer(index, version, txn, parts, &changes);
                let changes = Arc::new(changes);
                self.ledger.note(index, version, Content::Changes(changes.clone()), staged);
                self.push_undo(index, Undo::Rows(changes));
                self.outcomes.local(txn, Settled { version: Some(version), index });
                self.push_undo(index, Undo::Outcome(txn));
            }
            LogEntry::Prepare(prepare) => self.prepare(index, Arc::from(prepare)),
            LogEntry::Decide { txn, version } => self.decide(index, txn, version)?,
            LogEntry::Refuse { txn } => {
                self.unstage(index, txn);
                self.outcomes.decided(txn, Settled { version: None, index });
                self.push_undo(index, Undo::Outcome(txn));
            }
            LogEntry::Stage { txn, part, changes } => self.stage(index, txn, part, &changes)?,
            LogEntry::Unstage { txn } => self.unstage(index, txn),
            LogEntry::Put { version, change } => {
                let changes = Arc::new(vec![change]);
                self.write_rows(index, version, &changes);
                self.push_undo(index, Undo::Rows(changes));
            }
            LogEntry::ClockBound { version } => self.allowance.raise(index, version),
            LogEntry::Settled { txns } => {
                for txn in txns {
                    if let Some(pinned) = self.outcomes.unpin(txn) {
                        self.push_undo(index, Undo::Unpinned(txn, pinned));
                    }
                }
            }
            LogEntry::Handover { to, locks } => self.handover = Some(Handover { index, to, locks }),
        }
        self.applied = index;
        Ok(())
    }

    fn saw(&mut self, index: u64, version: Version) {
        self.last_version = self.last_version.max(version);
        self.allowance.raise(index, version.plus(BOUND));
    }

    fn push_undo(&mut self, index: u64, undo: Undo) {
        self.undo.push_back((index, undo));
    }

    fn write_rows(&mut self, index: u64, version: Version, changes: &[Change]) {
        for change in changes {
            if storage_of(&change.key) == system::SYSTEM {
                self.write_system(index, change);
            }
            let row = RowVersion { version, index, row: change.row.clone() };
            if self.active.push(&change.key, row, self.horizon) {
                self.cache.remove(&change.key);
            }
        }
    }

    fn write_system(&mut self, index: u64, change: &Change) {
        if change.key == system::SCHEMA_KEY {
            self.push_undo(index, Undo::Schema(self.schema));
            self.schema = system::schema_of(change.row.as_ref());
        } else if change.key == EVIDENCE_KEY {
            if !self.ledger.is_kept() {
                self.ledger.found(index, self.last_version);
                self.push_undo(index, Undo::Founded);
            }
        } else if let Some(storage) = system::dropped_storage(&change.key)
            && change.row.is_some()
        {
            self.dropped.push((storage, index));
            self.push_undo(index, Undo::Dropped);
        }
    }

    fn prepare(&mut self, index: u64, prepare: Arc<Prepare>) {
        self.prepared_keys.insert(&prepare);
        self.push_undo(index, Undo::Prepared(prepare.txn));
        self.prepared.insert(prepare.txn, prepare);
    }

    fn forget_prepared(&mut self, txn: TxnId) -> Option<Arc<Prepare>> {
        let prepare = self.prepared.remove(&txn)?;
        self.prepared_keys.remove(&prepare);
        Some(prepare)
    }

    fn decide(&mut self, index: u64, txn: TxnId, version: Option<Version>) -> Result<()> {
        let settled = Settled { version, index };
        match self.prepared.get(&txn).filter(|_| version.is_some()) {
            Some(prepare) => self.outcomes.pin(txn, Pinned { settled, participants: prepare.participants.clone() }),
            None => self.outcomes.decided(txn, settled),
        }
        self.push_undo(index, Undo::Outcome(txn));
        if let Some(prepare) = self.forget_prepared(txn) {
            match version {
                Some(version) => {
                    assert!(version >= prepare.version, "a decision lies at or above each prepare");
                    self.saw(index, version);
                    self.write_rows(index, version, &prepare.changes);
                    let staged = self.layer(index, version, txn, prepare.parts, &prepare.changes);
                    self.ledger.note(index, version, Content::Prepared(prepare.clone()), staged);
                    self.push_undo(index, Undo::PreparedRows(prepare.clone()));
                }
                None => self.unstage(index, txn),
            }
            self.push_undo(index, Undo::Decided(prepare));
        }
        self.decided.push(txn);
        Ok(())
    }

    fn stage(&mut self, index: u64, txn: TxnId, part: u32, changes: &Packed) -> Result<()> {
        let before = self.staged.get(&txn).cloned();
        let mut staged = before.clone().unwrap_or_default();
        staged.parts = staged.parts.max(part + 1);
        match self.staged_ahead.take() {
            Some((ahead, number, storages)) if (ahead, number) == (txn, part) => staged.storages = storages,
            _ => staged.storages = self.write_staged(txn, changes)?,
        }
        self.push_undo(index, Undo::Part(txn, before));
        self.staged.insert(txn, staged);
        Ok(())
    }

    /// Writes a part's rows before its entry is proposed, so that a full disk refuses it in time.
    pub fn stage_ahead(&mut self, txn: TxnId, part: u32, changes: &Packed) -> Result<()> {
        let storages = self.write_staged(txn, changes)?;
        self.staged_ahead = Some((txn, part, storages));
        Ok(())
    }

    fn write_staged(&mut self, txn: TxnId, changes: &Packed) -> Result<Storages> {
        let mut storages = self.staged.get(&txn).map(|staged| staged.storages.clone()).unwrap_or_default();
        self.store.write_later(staged::lay_out(&mut storages, txn, changes))?;
        self.store_has_rows = true;
        Ok(storages)
    }

    fn unstage(&mut self, index: u64, txn: TxnId) {
        if let Some(staged) = self.staged.remove(&txn) {
            self.push_undo(index, Undo::Part(txn, Some(staged)));
            self.garbage.push((txn, index));
        }
    }

    /// Answers what was staged, if anything.
    fn layer(&mut self, index: u64, version: Version, txn: TxnId, parts: u32, changes: &[Change]) -> Option<(TxnId, Storages)> {
        let Some(staged) = self.staged.remove(&txn) else {
            assert_eq!(parts, 0, "the parts of {txn} were logged before its commit");
            return None;
        };
        let storages = staged.storages.clone();
        let alone = !changes.iter().any(|change| staged.storages.contains_key(&storage_of(&change.key)));
        self.layers.push(Layer { txn, version, index, alone, storages: staged.storages.clone() });
        self.layout += 1;
        // What it replaces may be in there.
        storages.keys().for_each(|storage| self.cache.forget(*storage));
        self.push_undo(index, Undo::Layered(txn, staged));
        Some((txn, storages))
    }

    /// Entries up to here are committed: they will not be taken back.
    pub fn settle(&mut self, committed: u64) {
        self.settled = self.settled.max(committed);
        while self.undo.front().is_some_and(|(index, _)| *index <= committed) {
            self.undo.pop_front();
        }
        self.allowance.settle(committed);
    }

    /// Takes back everything above this entry, newest first.
    pub fn undo_to(&mut self, committed: u64) {
        while let Some((index, _)) = self.undo.back()
            && *index > committed
        {
            let (index, undo) = self.undo.pop_back().expect("the newest was just seen");
            self.undo_one(index, undo);
        }
        self.ledger.undo_to(committed);
        self.allowance.undo_to(committed);
        if self.applied > committed {
            self.applied = committed;
            self.handover = None;
        }
    }

    fn undo_rows(&mut self, index: u64, changes: &[Change]) {
        for change in changes.iter().rev() {
            if self.active.undo(&change.key, index) {
                continue;
            }
            let frozen = self.frozen.as_mut().expect("what is not in the active table is in the frozen one");
            assert!(!frozen.started, "a flush holds only what is committed");
            let table = Arc::get_mut(&mut frozen.table).expect("no job has the table yet");
            assert!(table.undo(&change.key, index), "entry {index} wrote the row that is taken back");
        }
    }

    fn undo_one(&mut self, index: u64, undo: Undo) {
        match undo {
            Undo::Rows(changes) => self.undo_rows(index, &changes),
            Undo::PreparedRows(prepare) => self.undo_rows(index, &prepare.changes),
            Undo::Outcome(txn) => self.outcomes.undo(txn),
            Undo::Prepared(txn) => {
                self.forget_prepared(txn);
            }
            Undo::Decided(prepare) => {
                self.restore_prepared(prepare);
            }
            Undo::Layered(txn, staged) => {
                self.layers.retain(|layer| layer.txn != txn);
                self.layout += 1;
                staged.storages.keys().for_each(|storage| self.cache.forget(*storage));
                self.staged.insert(txn, staged);
            }
            Undo::Part(txn, before) => {
                self.garbage.retain(|(other, _)| *other != txn);
                match before {
                    Some(before) => self.staged.insert(txn, before),
                    None => self.staged.remove(&txn),
                };
            }
            Undo::Schema(before) => self.schema = before,
            Undo::Assigned(before) => self.last_assigned = before,
            Undo::Dropped => {
                self.dropped.pop();
            }
            Undo::Founded => self.ledger.unfound(),
            Undo::Unpinned(txn, pinned) => self.outcomes.pin_again(txn, pinned),
        }
    }

    /// Exclusive table locks of prepared transactions with staged rows: their rows are not known by key.
    pub fn prepared_storage(&self, storage: StorageId, snapshot: Version) -> Option<TxnId> {
        let staged = self.prepared.values().filter(|prepare| prepare.parts > 0 && prepare.version <= snapshot);
        staged.into_iter().find(|prepare| prepare.locks.contains(&(Resource::Table(storage), LockMode::Update))).map(|prepare| prepare.txn)
    }

    pub fn snapshot_too_old(&self, snapshot: Version) -> Option<Error> {
        (snapshot < self.horizon).then(|| {
            Error::new(base::SqlState::SNAPSHOT_TOO_OLD, "the snapshot is too old: its row versions may be gone")
                .with_retry(base::Retry::Transaction)
        })
    }
}
