//! SELECT: on one table or none here, on several in `join.rs`.

use super::fetch::{READ_KEYS_MAX, Rows};
use super::group::Groups;
use super::sort::{distinct, sort};
use super::source::{KEPT_ROWS_MAX, Source, Walk, check_kept};
use super::{Run, Stored};
use crate::expr::{Columns, Env, Expr};
use crate::plan::select::{OnLocked, SelectPlan};
use crate::plan::table::TableInfo;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::value::Value;
use base::{Error, Result, SqlState};
use storage::access::{LockMode, LockWait, SCAN_ROWS_MAX};

/// Rows that the native executor keeps before it leaves a query to the engine, where there is one.
const NATIVE_ROWS_MAX: usize = 50_000;

impl Session {
    pub(crate) async fn start_select(&mut self, plan: &SelectPlan, run: &mut Run) -> Exec<Source> {
        let left = self.count(plan.limit.as_ref(), SqlState::INVALID_ROW_COUNT_IN_LIMIT, "LIMIT", run)?;
        let skip = self.count(plan.offset.as_ref(), SqlState::INVALID_ROW_COUNT_IN_OFFSET, "OFFSET", run)?.unwrap_or(0);
        if let Some(join) = &plan.join {
            return Box::pin(self.select_joined(plan, join, skip, left, run)).await;
        }
        let Some(info) = plan.table.clone() else {
            let rows = Box::pin(self.select_nothing(plan, run)).await?;
            return Ok(Source::of(window(rows, skip, left)));
        };
        let target = self.resolve(&info, &plan.access, &(), run)?;
        if info.is_sharded() && !matches!(&target, super::target::Target::Keys(keys) if keys.len() <= 1) {
            Box::pin(self.fix_snapshot(&mut run.sight)).await?;
        }
        let mut rows = self.rows(target, plan.access.index, plan.ordered == Some(true));
        if let Some((mode, on_locked)) = plan.lock {
            let found = Box::pin(self.collect_stored(plan, &info, &mut rows, run)).await?;
            return Ok(Source::of(Box::pin(self.lock_selected(plan, &info, found, mode, on_locked, skip, left, run)).await?));
        }
        if !plan.collects() {
            return Ok(Source::Walk(Box::new(Walk { rows, skip, left, filtered: plan.filter.is_some() })));
        }
        match Box::pin(self.collect(plan, &info, &mut rows, run)).await? {
            Some(collected) => Ok(Source::of(window(collected, skip, left))),
            None => Box::pin(self.start_engine(plan.query.clone(), run)).await,
        }
    }

    fn count(&self, expr: Option<&Expr>, state: SqlState, clause: &str, run: &Run) -> Result<Option<u64>> {
        let Some(expr) = expr else { return Ok(None) };
        match expr.eval(&(), &run.env())?.as_i64() {
            None => Ok(None),
            Some(count) => u64::try_from(count).map(Some).map_err(|_| Error::new(state, format!("{clause} must not be negative"))),
        }
    }

    async fn select_nothing(&mut self, plan: &SelectPlan, run: &mut Run) -> Exec<Vec<Vec<Value>>> {
        let numbers = self.draw_all(&plan.sequences, run).await?;
        let env = run.env_with(&numbers);
        let holds = plan.filter.as_ref().map_or(Ok(true), |filter| filter.holds(&(), &env))?;
        if let Some(group) = &plan.group {
            let mut groups = Groups::new(group)?;
            if holds {
                groups.add(&(), || Ok(Vec::new()), &env)?;
            }
            return Ok(groups.finish(plan, 0, &env)?);
        }
        if !holds {
            return Ok(Vec::new());
        }
        Ok(vec![plan.output.iter().map(|expr| expr.eval(&(), &env)).collect::<Result<_>>()?])
    }

    /// All rows of the answer, sorted; `None` if they are too many and the engine should answer instead.
    async fn collect(&mut self, plan: &SelectPlan, info: &TableInfo, rows: &mut Rows, run: &mut Run) -> Exec<Option<Vec<Vec<Value>>>> {
        let bound = if self.backend.has_engine() { NATIVE_ROWS_MAX } else { KEPT_ROWS_MAX };
        let mut collected = Collected::new(plan)?;
        let mut seen = 0usize;
        while let Some(chunk) = self.next_rows(rows, info, SCAN_ROWS_MAX, run).await? {
            seen += chunk.len();
            if self.backend.has_engine() && seen > bound {
                return Ok(None);
            }
            let env = run.env();
            for stored in chunk {
                let reader = info.layout.reader(&stored.row)?;
                if !plan.filter.as_ref().map_or(Ok(true), |filter| filter.holds(&reader, &env))? {
                    continue;
                }
                collected.add(&reader, || (0..info.types.len()).map(|at| reader.value(at)).collect(), &env)?;
            }
            check_kept(collected.len())?;
        }
        Ok(Some(collected.finish(info.types.len(), &run.env())?))
    }

    /// Rows that the filter accepts, in the answer's order: they are locked in it.
    async fn collect_stored(&mut self, plan: &SelectPlan, info: &TableInfo, rows: &mut Rows, run: &mut Run) -> Exec<Vec<Stored>> {
        let mut found: Vec<(Vec<Value>, Stored)> = Vec::new();
        let sorts = plan.ordered.is_none() && !plan.order.is_empty();
        while let Some(chunk) = self.next_rows(rows, info, SCAN_ROWS_MAX, run).await? {
            let env = run.env();
            for stored in chunk {
                let reader = info.layout.reader(&stored.row)?;
                if plan.filter.as_ref().map_or(Ok(true), |filter| filter.holds(&reader, &env))? {
                    let keys = if sorts { plan.output.iter().map(|e| e.eval(&reader, &env)).collect::<Result<_>>()? } else { Vec::new() };
                    found.push((keys, stored));
                }
            }
            check_kept(found.len())?;
        }
        if sorts {
            found.sort_by(|a, b| super::sort::compare(&a.0, &b.0, &plan.order));
        }
        Ok(found.into_iter().map(|(_, stored)| stored).collect())
    }

    #[allow(clippy::too_many_arguments)]
    async fn lock_selected(
        &mut self,
        plan: &SelectPlan,
        info: &TableInfo,
        found: Vec<Stored>,
        mode: LockMode,
        on_locked: OnLocked,
        mut skip: u64,
        mut left: Option<u64>,
        run: &mut Run,
    ) -> Exec<Vec<Vec<Value>>> {
        let wait = match on_locked {
            OnLocked::Wait => self.lock_wait(),
            OnLocked::NoWait => LockWait::NoWait,
            OnLocked::Skip => LockWait::SkipLocked,
        };
        let mut rows = Vec::new();
        let mut found = found.into_iter();
        while left != Some(0) {
            // With a limit no row more than needed is locked.
            let wanted = left.map_or(READ_KEYS_MAX as u64, |left| left.saturating_add(skip).min(READ_KEYS_MAX as u64)) as usize;
            let keys: Vec<_> = found.by_ref().take(wanted).map(|stored| (stored.shard, stored.key)).collect();
            if keys.is_empty() {
                break;
            }
            let locked = self.fetch(&keys, Some(mode), wait, run).await?;
            let env = run.env();
            for stored in locked.into_iter().flatten() {
                let reader = info.layout.reader(&stored.row)?;
                if !plan.filter.as_ref().map_or(Ok(true), |filter| filter.holds(&reader, &env))? {
                    continue;
                }
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                left = left.map(|left| left - 1);
                rows.push(plan.output.iter().take(plan.visible).map(|e| e.eval(&reader, &env)).collect::<Result<_>>()?);
                if left == Some(0) {
                    break;
                }
            }
        }
        Ok(rows)
    }
}

/// The rows of an answer that must all be seen before the first can be given.
pub(super) struct Collected<'a> {
    plan: &'a SelectPlan,
    groups: Option<Groups<'a>>,
    rows: Vec<Vec<Value>>,
}

impl<'a> Collected<'a> {
    pub fn new(plan: &'a SelectPlan) -> Result<Collected<'a>> {
        Ok(Collected { plan, groups: plan.group.as_ref().map(Groups::new).transpose()?, rows: Vec::new() })
    }

    /// Rows or groups held.
    pub fn len(&self) -> usize {
        self.groups.as_ref().map_or(self.rows.len(), Groups::len)
    }

    /// A row that the filter accepted. `whole` decodes all of it, which the first of a group needs.
    pub fn add<C: Columns>(&mut self, row: &C, whole: impl FnOnce() -> Result<Vec<Value>>, env: &Env<'_>) -> Result<()> {
        match &mut self.groups {
            Some(groups) => groups.add(row, whole, env),
            None => {
                self.rows.push(self.plan.output.iter().map(|expr| expr.eval(row, env)).collect::<Result<_>>()?);
                Ok(())
            }
        }
    }

    /// All rows, sorted. `width`: columns of the rows that were added.
    pub fn finish(self, width: usize, env: &Env<'_>) -> Result<Vec<Vec<Value>>> {
        let mut rows = match self.groups {
            Some(groups) => groups.finish(self.plan, width, env)?,
            None => self.rows,
        };
        if self.plan.distinct {
            distinct(&mut rows, self.plan.visible);
        }
        sort(&mut rows, &self.plan.order);
        for row in &mut rows {
            row.truncate(self.plan.visible);
        }
        Ok(rows)
    }
}

pub(super) fn window(rows: Vec<Vec<Value>>, skip: u64, left: Option<u64>) -> Vec<Vec<Value>> {
    if skip == 0 && left.is_none() {
        return rows;
    }
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let left = left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
    rows.into_iter().skip(skip).take(left).collect()
}
