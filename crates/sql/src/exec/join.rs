//! Joins by look-up: rows of the first table, then for each batch of them the rows of the next.

use super::select::Collected;
use super::source::{Source, check_kept};
use super::target::Target;
use super::{Run, Stored};
use crate::plan::join::{Join, Step};
use crate::plan::select::SelectPlan;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::value::Value;
use base::{Result, ShardId};
use std::collections::BTreeMap;
use storage::access::{Key, LockWait, SCAN_ROWS_MAX};

/// Rows of the first table that are joined at a time.
const BATCH_ROWS: u32 = 256;
/// Rows that a join may find before it is left to the engine, where there is one: it would read the tables once.
const LOOKED_UP_ROWS_MAX: usize = 20_000;

impl Session {
    pub(crate) async fn select_joined(
        &mut self,
        plan: &SelectPlan,
        join: &Join,
        skip: u64,
        left: Option<u64>,
        run: &mut Run,
    ) -> Exec<Source> {
        if join.steps.iter().any(|step| step.info.is_sharded()) {
            self.fix_snapshot(&mut run.sight).await?;
        }
        let Some((first, rest)) = join.steps.split_first() else { unreachable!("a join is of tables") };
        let target = self.resolve(&first.info, &first.access, &(), run)?;
        let mut rows = self.rows(target, first.access.index, false);
        let mut collected = Collected::new(plan)?;
        let wanted = left.map_or(u64::MAX, |left| left.saturating_add(skip));
        let mut read = 0;
        while let Some(chunk) = self.next_rows(&mut rows, &first.info, BATCH_ROWS, run).await? {
            self.check_interrupt()?;
            read += chunk.len();
            let mut joined = Vec::with_capacity(chunk.len());
            for stored in chunk {
                let mut row = vec![Value::Null; join.width];
                first.read(&stored, &mut row)?;
                if first.filter.as_ref().map_or(Ok(true), |filter| filter.holds(&row, &run.env()))? {
                    joined.push(row);
                }
            }
            for step in rest {
                joined = self.join_step(step, joined, run).await?;
                read += joined.len();
                if self.backend.has_engine() && read > LOOKED_UP_ROWS_MAX {
                    return self.start_engine(plan.query.clone(), run).await;
                }
            }
            for row in &joined {
                collected.add(row, || Ok(row.clone()), &run.env())?;
            }
            check_kept(collected.len())?;
            if !plan.collects() && collected.len() as u64 >= wanted {
                break;
            }
        }
        Ok(Source::of(super::select::window(collected.finish(join.width, &run.env())?, skip, left)))
    }

    /// The rows before a step, each with every match in the step's table.
    async fn join_step(&mut self, step: &Step, before: Vec<Vec<Value>>, run: &mut Run) -> Exec<Vec<Vec<Value>>> {
        let (places, found) = self.matches_of(step, &before, run).await?;
        let mut joined = Vec::with_capacity(before.len());
        let env = run.env();
        let keep = |row: &Vec<Value>| step.filter.as_ref().map_or(Ok(true), |filter| filter.holds(row, &env));
        for (row, place) in before.into_iter().zip(places) {
            let mut alone = step.left.is_some();
            for stored in &found[place] {
                let mut row = row.clone();
                step.read(stored, &mut row)?;
                if let Some(Some(on)) = &step.left
                    && !on.holds(&row, &env)?
                {
                    continue;
                }
                alone = false;
                if keep(&row)? {
                    joined.push(row);
                }
            }
            if alone && keep(&row)? {
                joined.push(row);
            }
            check_kept(joined.len())?;
        }
        Ok(joined)
    }

    /// What a step's table has for each row: a place in the list behind. Rows that ask for the same share it.
    async fn matches_of(&mut self, step: &Step, before: &[Vec<Value>], run: &mut Run) -> Exec<(Vec<usize>, Vec<Vec<Stored>>)> {
        let mut places = Vec::with_capacity(before.len());
        let mut asked: BTreeMap<Vec<(ShardId, Key, Key)>, usize> = BTreeMap::new();
        let mut targets = Vec::new();
        for row in before {
            let target = self.resolve(&step.info, &step.access, row, run)?;
            let place = *asked.entry(identity(&target)).or_insert(targets.len());
            if place == targets.len() {
                targets.push(target);
            }
            places.push(place);
        }
        let keys: Vec<(ShardId, Key)> = targets.iter().filter_map(keys_of).flatten().cloned().collect();
        let mut rows = self.fetch(&keys, None, LockWait::Wait(None), run).await?;
        if step.access.index.is_some() {
            rows = self.rows_of_entries(&step.info, &rows, run).await?;
        }
        let mut rows = rows.into_iter();
        let mut found = Vec::with_capacity(targets.len());
        for target in targets {
            match target {
                Target::Keys(keys) => found.push(rows.by_ref().take(keys.len()).flatten().collect()),
                Target::Ranges(_) => {
                    let mut rows = self.rows(target, step.access.index, false);
                    let mut all = Vec::new();
                    while let Some(chunk) = Box::pin(self.next_rows(&mut rows, &step.info, SCAN_ROWS_MAX, run)).await? {
                        all.extend(chunk);
                        check_kept(all.len())?;
                    }
                    found.push(all);
                }
            }
        }
        Ok((places, found))
    }
}

fn keys_of(target: &Target) -> Option<&Vec<(ShardId, Key)>> {
    match target {
        Target::Keys(keys) => Some(keys),
        Target::Ranges(_) => None,
    }
}

fn identity(target: &Target) -> Vec<(ShardId, Key, Key)> {
    match target {
        Target::Keys(keys) => keys.iter().map(|(shard, key)| (*shard, key.clone(), Key::new())).collect(),
        Target::Ranges(ranges) => ranges.iter().map(|(shard, range)| (*shard, range.start.clone(), range.end.clone())).collect(),
    }
}

impl Step {
    /// Puts a row's columns where they belong in the joined row.
    fn read(&self, stored: &Stored, row: &mut [Value]) -> Result<()> {
        let reader = self.info.layout.reader(&stored.row)?;
        for column in &self.needed {
            row[self.first + column] = reader.value(*column)?;
        }
        Ok(())
    }
}
