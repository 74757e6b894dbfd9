//! INSERT, and the rows of COPY FROM.

use super::fetch::READ_KEYS_MAX;
use super::write::{Entry, entries, unique_violation};
use super::{Run, Stored};
use crate::expr::Expr;
use crate::plan::dml::{Cell, Conflict, ConflictTarget, ConflictUpdate, InsertPlan, Source};
use crate::plan::table::{Default, suffix_of};
use crate::session::Session;
use crate::session::txn::Exec;
use crate::value::Value;
use base::{Error, ShardId, SqlState, Version};
use std::collections::{BTreeMap, BTreeSet};
use storage::access::{BASE_GUARDED, Found, Key, KeyRead, LockMode, storage_of};

/// Rows that are checked and locked with one request.
pub const INSERT_ROWS_MAX: usize = 500;
/// How often a conflicting row may vanish while we wait for it.
const CONFLICT_ATTEMPTS_MAX: u32 = 100;

/// What a change answers.
#[derive(Default)]
pub struct Changed {
    pub rows: u64,
    /// Of RETURNING.
    pub returned: Vec<Vec<Value>>,
}

/// A row on its way in.
struct New {
    /// Its key is a number that no other row ever had.
    numbered: bool,
    values: Vec<Value>,
    shard: ShardId,
    key: Key,
    entries: Vec<Entry>,
}

/// What is already there, of the keys that new rows want.
type Taken = BTreeMap<Key, Found>;

impl Session {
    pub(crate) async fn run_insert(&mut self, plan: &InsertPlan, run: &mut Run) -> Exec<Changed> {
        let mut changed = Changed::default();
        let mut written = BTreeSet::new();
        match &plan.source {
            Source::Values { rows, sequences } => {
                for cells in rows.chunks(INSERT_ROWS_MAX) {
                    let mut batch = Vec::with_capacity(cells.len());
                    for cells in cells {
                        let numbers = self.draw(sequences, &used_sequences(cells, sequences.len()), run).await?;
                        batch.push(self.new_values(plan, cells, &numbers, run).await?);
                    }
                    self.insert_rows(plan, batch, &mut written, &mut changed, run).await?;
                }
            }
            Source::Query { query, columns, named } => self.insert_query(plan, query, (columns, *named), &mut changed, run).await?,
        }
        Ok(changed)
    }

    async fn new_values(&mut self, plan: &InsertPlan, cells: &[Cell], numbers: &[Value], run: &mut Run) -> Exec<Vec<Value>> {
        let mut values = Vec::with_capacity(cells.len());
        for (at, cell) in cells.iter().enumerate() {
            values.push(match cell {
                Cell::Expr(expr) => expr.eval(&(), &run.env_with(numbers))?,
                Cell::Default => self.default_value(plan.defaults[at].as_ref(), run).await?,
            });
        }
        Ok(values)
    }

    pub(crate) async fn default_value(&mut self, default: Option<&Default>, run: &mut Run) -> Exec<Value> {
        let Some(default) = default else { return Ok(Value::Null) };
        if default.sequences.is_empty() {
            return Ok(default.expr.eval(&(), &run.env())?);
        }
        let numbers = self.draw_all(&default.sequences, run).await?;
        Ok(default.expr.eval(&(), &run.env_with(&numbers))?)
    }

    /// Adds rows whose values are complete.
    pub(crate) async fn insert_rows(
        &mut self,
        plan: &InsertPlan,
        rows: Vec<Vec<Value>>,
        written: &mut BTreeSet<Key>,
        changed: &mut Changed,
        run: &mut Run,
    ) -> Exec<()> {
        let info = &*plan.table;
        if info.table.schema == crate::ledger::SCHEMA {
            for recorded in Box::pin(self.insert_into_ledger(plan, rows, run)).await? {
                changed.rows += 1;
                self.return_row(&plan.returning, &recorded, changed, run)?;
            }
            return Ok(());
        }
        let mut batch = Vec::with_capacity(rows.len());
        for values in rows {
            self.check_row(info, &values, run)?;
            let key = self.new_key(info, &values)?;
            let entries = entries(info, &values, &key[4..])?;
            let numbered = info.table.primary_key.is_empty();
            batch.push(New { numbered, shard: self.shard_of_row(info, &values)?, key, values, entries });
        }
        let taken = self.lock_new_keys(&batch, run).await?;
        for new in batch {
            self.insert_one(plan, new, &taken, written, changed, run).await?;
        }
        self.stage_if_large().await
    }

    /// Locks all keys that must be free, with as few requests as possible; answers those that are not.
    async fn lock_new_keys(&mut self, batch: &[New], run: &mut Run) -> Exec<Taken> {
        let mut wanted: BTreeMap<ShardId, Vec<KeyRead>> = BTreeMap::new();
        let txn = self.txn();
        for new in batch {
            let unique = new.entries.iter().filter(|entry| entry.unique).map(|entry| &entry.key);
            // A number of our own is free. One lock in each shard is enough to keep schema changes out.
            let own = (!new.numbered || !wanted.contains_key(&new.shard)).then_some(&new.key);
            for key in own.into_iter().chain(unique) {
                let storage = storage_of(key);
                let fresh = txn.ddl.as_ref().is_some_and(|ddl| ddl.created.contains(&storage)) && !txn.staged.may_have(new.shard, key);
                if !fresh && txn.buffer.get(key).is_none() {
                    let lock = (!txn.exclusive.contains(&storage)).then_some(LockMode::Update);
                    wanted.entry(new.shard).or_default().push(KeyRead { key: key.clone(), lock });
                }
            }
        }
        let mut taken = Taken::new();
        for (shard, reads) in wanted {
            for reads in reads.chunks(READ_KEYS_MAX) {
                let wait = self.lock_wait();
                let found = loop {
                    match self.read(shard, reads.to_vec(), wait, &mut run.sight).await {
                        Ok((found, _)) => break found,
                        Err(error) => self.go_on(error).await?,
                    }
                };
                taken.extend(reads.iter().zip(found).filter_map(|(read, found)| Some((read.key.clone(), found?))));
            }
        }
        Ok(taken)
    }

    /// The row that a key leads to now; `None`: it is free.
    fn holder(&mut self, shard: ShardId, key: &Key, taken: &Taken) -> Option<Stored> {
        let txn = self.txn();
        if let Some(pending) = txn.buffer.get(key) {
            let stored = |row: &storage::access::Row| Stored { shard, key: key.clone(), row: row.clone(), version: pending.base };
            return pending.row.as_ref().map(stored);
        }
        taken.get(key).map(|found| Stored { shard, key: key.clone(), row: found.row.clone(), version: found.version })
    }

    async fn insert_one(
        &mut self,
        plan: &InsertPlan,
        new: New,
        taken: &Taken,
        written: &mut BTreeSet<Key>,
        changed: &mut Changed,
        run: &mut Run,
    ) -> Exec<()> {
        let info = &*plan.table;
        let conflict = match self.holder(new.shard, &new.key, taken) {
            Some(stored) => Some((None, stored)),
            None => self.taken_entry(&new, taken),
        };
        if let Some((index, holder)) = conflict {
            let target = index.map_or(ConflictTarget::Primary, ConflictTarget::Index);
            return match &plan.conflict {
                Some(conflict) if conflict.targets.is_empty() || conflict.targets.contains(&target) => {
                    self.resolve_conflict(plan, conflict, new, index, holder, written, changed, run).await
                }
                _ => Err(unique_violation(info, index, &new.values, run).into()),
            };
        }
        let suffix = suffix_of(&new.key);
        if plan.conflict.is_some() {
            written.insert(new.key.clone());
        }
        let base = if new.numbered { BASE_GUARDED } else { Version::ZERO };
        self.put_row(info, new.shard, new.key, &new.values, base)?;
        self.put_entries(new.shard, new.entries.into_iter().map(|entry| (entry, Version::ZERO)).collect(), &suffix);
        changed.rows += 1;
        self.return_row(&plan.returning, &new.values, changed, run)
    }

    fn taken_entry(&mut self, new: &New, taken: &Taken) -> Option<(Option<usize>, Stored)> {
        for entry in new.entries.iter().filter(|entry| entry.unique) {
            if let Some(holder) = self.holder(new.shard, &entry.key, taken) {
                return Some((Some(entry.index), holder));
            }
        }
        None
    }

    pub(crate) fn return_row(&mut self, returning: &[Expr], values: &[Value], changed: &mut Changed, run: &Run) -> Exec<()> {
        if !returning.is_empty() {
            let env = run.env();
            changed.returned.push(returning.iter().map(|expr| expr.eval(values, &env)).collect::<base::Result<_>>()?);
            super::source::check_kept(changed.returned.len())?;
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    async fn resolve_conflict(
        &mut self,
        plan: &InsertPlan,
        conflict: &Conflict,
        new: New,
        index: Option<usize>,
        holder: Stored,
        written: &mut BTreeSet<Key>,
        changed: &mut Changed,
        run: &mut Run,
    ) -> Exec<()> {
        let Some(update) = &conflict.update else { return Ok(()) };
        let stored = match index {
            None => Some(holder),
            Some(_) => {
                let key = plan.table.key_of_suffix(&holder.row)?;
                let wait = self.lock_wait();
                self.fetch(&[(holder.shard, key)], Some(LockMode::Update), wait, run).await?.into_iter().next().flatten()
            }
        };
        match stored {
            Some(stored) => self.update_conflicting(plan, update, new.values, stored, written, changed, run).await,
            None => self.insert_after_conflict(plan, new, written, changed, run).await,
        }
    }

    /// The row that was in the way was deleted while we waited for it: looks anew.
    async fn insert_after_conflict(
        &mut self,
        plan: &InsertPlan,
        new: New,
        written: &mut BTreeSet<Key>,
        changed: &mut Changed,
        run: &mut Run,
    ) -> Exec<()> {
        self.conflict_attempts += 1;
        if self.conflict_attempts > CONFLICT_ATTEMPTS_MAX {
            let message = "could not insert because the row in conflict kept changing";
            return Err(Error::new(SqlState::SERIALIZATION_FAILURE, message).into());
        }
        let batch = [new];
        let taken = self.lock_new_keys(&batch, run).await?;
        let [new] = batch;
        Box::pin(self.insert_one(plan, new, &taken, written, changed, run)).await
    }

    #[allow(clippy::too_many_arguments)]
    async fn update_conflicting(
        &mut self,
        plan: &InsertPlan,
        update: &ConflictUpdate,
        excluded: Vec<Value>,
        stored: Stored,
        written: &mut BTreeSet<Key>,
        changed: &mut Changed,
        run: &mut Run,
    ) -> Exec<()> {
        let info = &*plan.table;
        if written.contains(&stored.key) {
            let message = "ON CONFLICT DO UPDATE command cannot affect row a second time";
            return Err(Error::new(SqlState::CARDINALITY_VIOLATION, message)
                .with_hint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
                .into());
        }
        let old = info.layout.decode(&stored.row)?;
        let mut both = old.clone();
        both.extend(excluded);
        if let Some(filter) = &update.filter
            && !filter.holds(&both, &run.env())?
        {
            return Ok(());
        }
        let mut values = old.clone();
        for assignment in &update.assignments {
            values[assignment.column] = assignment.value.eval(&both, &run.env())?;
        }
        self.write_update(info, &stored, &old, &values, run).await?;
        written.insert(stored.key);
        changed.rows += 1;
        self.return_row(&plan.returning, &values, changed, run)
    }
}

/// Sequence calls of VALUES are numbered over all rows: a row draws those it uses.
fn used_sequences(cells: &[Cell], count: usize) -> BTreeSet<usize> {
    fn collect(expr: &Expr, used: &mut BTreeSet<usize>) {
        if let Expr::Sequence { index } = expr {
            used.insert(*index);
        }
        expr.children(&mut |child| collect(child, used));
    }
    let mut used = BTreeSet::new();
    for cell in cells.iter().filter(|_| count > 0) {
        if let Cell::Expr(expr) = cell {
            collect(expr, &mut used);
        }
    }
    used
}
