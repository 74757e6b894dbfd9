//! UPDATE: rows are found, locked in their newest state, judged again and changed.

use super::fetch::READ_KEYS_MAX;
use super::insert::Changed;
use super::target::Target;
use super::{Run, Stored};
use crate::expr::Expr;
use crate::plan::access::Access;
use crate::plan::dml::UpdatePlan;
use crate::plan::table::TableInfo;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::value::Value;
use base::ShardId;
use storage::access::{Key, LockMode, SCAN_ROWS_MAX};

impl Session {
    pub(crate) async fn run_update(&mut self, plan: &UpdatePlan, run: &mut Run) -> Exec<Changed> {
        let mut changed = Changed::default();
        if let Some(query) = &plan.from {
            self.update_from(plan, query, &mut changed, run).await?;
            return Ok(changed);
        }
        let mode = if plan.changes_key { LockMode::Update } else { LockMode::NoKeyUpdate };
        // A row that moves could be met again.
        let moves = plan.moves || plan.assignments.iter().any(|a| plan.access.columns(&plan.table).contains(&a.column));
        let mut walk = self.victims(&plan.table, &plan.access, plan.filter.as_ref(), moves, run).await?;
        while let Some(rows) = self.next_victims(&mut walk, &plan.table, plan.filter.as_ref(), mode, run).await? {
            for (stored, old) in rows {
                self.update_row(plan, stored, old, &mut changed, run).await?;
            }
            self.stage_if_large().await?;
        }
        Ok(changed)
    }

    async fn update_row(&mut self, plan: &UpdatePlan, stored: Stored, old: Vec<Value>, changed: &mut Changed, run: &mut Run) -> Exec<()> {
        let numbers = self.draw_all(&plan.sequences, run).await?;
        let mut values = old.clone();
        for assignment in &plan.assignments {
            values[assignment.column] = assignment.value.eval(&old, &run.env_with(&numbers))?;
        }
        self.write_update(&plan.table, &stored, &old, &values, run).await?;
        changed.rows += 1;
        self.return_row(&plan.returning, &values, changed, run)
    }

    /// Starts the search for the rows to change. With `all_first` every key is found before the first row is changed.
    pub(crate) async fn victims(
        &mut self,
        info: &TableInfo,
        access: &Access,
        filter: Option<&Expr>,
        all_first: bool,
        run: &mut Run,
    ) -> Exec<Victims> {
        let target = self.resolve(info, access, &(), run)?;
        if let (Target::Keys(keys), None) = (&target, access.index) {
            return Ok(Victims::Keys(keys.clone()));
        }
        if info.is_sharded() {
            self.fix_snapshot(&mut run.sight).await?;
        }
        let mut rows = self.rows(target, access.index, false);
        if !all_first {
            return Ok(Victims::Walk(Box::new(rows)));
        }
        let mut keys = Vec::new();
        while let Some(chunk) = self.next_rows(&mut rows, info, SCAN_ROWS_MAX, run).await? {
            keys.extend(self.matching_keys(info, filter, chunk, run)?);
            super::source::check_kept(keys.len())?;
        }
        Ok(Victims::Keys(keys))
    }

    fn matching_keys(&self, info: &TableInfo, filter: Option<&Expr>, rows: Vec<Stored>, run: &Run) -> base::Result<Vec<(ShardId, Key)>> {
        let mut keys = Vec::with_capacity(rows.len());
        for stored in rows {
            let matches = match filter {
                Some(filter) => filter.holds(&info.layout.reader(&stored.row)?, &run.env())?,
                None => true,
            };
            if matches {
                keys.push((stored.shard, stored.key));
            }
        }
        Ok(keys)
    }

    /// The next rows, locked, in their newest state, which the filter accepts. `None`: no more.
    pub(crate) async fn next_victims(
        &mut self,
        walk: &mut Victims,
        info: &TableInfo,
        filter: Option<&Expr>,
        mode: LockMode,
        run: &mut Run,
    ) -> Exec<Option<Vec<(Stored, Vec<Value>)>>> {
        let keys = match walk {
            Victims::Keys(keys) if keys.is_empty() => return Ok(None),
            Victims::Keys(keys) => {
                let rest = keys.split_off(keys.len().min(READ_KEYS_MAX));
                std::mem::replace(keys, rest)
            }
            Victims::Walk(rows) => match self.next_rows(rows, info, READ_KEYS_MAX as u32, run).await? {
                None => return Ok(None),
                Some(chunk) => self.matching_keys(info, filter, chunk, run)?,
            },
        };
        let wait = self.lock_wait();
        let locked = self.fetch(&keys, Some(mode), wait, run).await?;
        let mut victims = Vec::with_capacity(locked.len());
        for stored in locked.into_iter().flatten() {
            // READ COMMITTED: another transaction may have changed the row since it was found.
            let values = info.layout.decode(&stored.row)?;
            if filter.map_or(Ok(true), |filter| filter.holds(&values, &run.env()))? {
                victims.push((stored, values));
            }
        }
        Ok(Some(victims))
    }
}

/// The rows that a statement will change.
pub enum Victims {
    Keys(Vec<(ShardId, Key)>),
    Walk(Box<super::fetch::Rows>),
}
