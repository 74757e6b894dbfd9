//! GROUP BY and aggregates over rows in memory.

use crate::aggregate::Accumulator;
use crate::expr::{Columns, Env};
use crate::plan::select::{Group, SelectPlan};
use crate::value::Value;
use base::Result;
use std::collections::BTreeMap;

/// The groups met so far.
pub struct Groups<'a> {
    group: &'a Group,
    groups: BTreeMap<Vec<Value>, State>,
}

struct State {
    /// The first row of the group: what is grouped by is the same in all.
    first: Vec<Value>,
    accumulators: Vec<Accumulator>,
}

impl<'a> Groups<'a> {
    pub fn new(group: &'a Group) -> Result<Groups<'a>> {
        Ok(Groups { group, groups: BTreeMap::new() })
    }

    pub fn len(&self) -> usize {
        self.groups.len()
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// `whole` decodes all of the row, which is kept of the first of a group.
    pub fn add<C: Columns>(&mut self, row: &C, whole: impl FnOnce() -> Result<Vec<Value>>, env: &Env<'_>) -> Result<()> {
        let key = self.group.keys.iter().map(|key| key.eval(row, env)).collect::<Result<Vec<_>>>()?;
        let state = match self.groups.entry(key) {
            std::collections::btree_map::Entry::Occupied(found) => found.into_mut(),
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(State { first: whole()?, accumulators: self.group.aggregates.iter().map(Accumulator::new).collect() })
            }
        };
        for (accumulator, call) in state.accumulators.iter_mut().zip(&self.group.aggregates) {
            accumulator.add_row(call, row, env)?;
        }
        Ok(())
    }

    /// Output rows, hidden sort columns included. Without GROUP BY there is one group even of no rows; `width` columns of it are NULL.
    pub fn finish(mut self, plan: &SelectPlan, width: usize, env: &Env<'_>) -> Result<Vec<Vec<Value>>> {
        if self.groups.is_empty() && self.group.keys.is_empty() {
            let accumulators = self.group.aggregates.iter().map(Accumulator::new).collect();
            self.groups.insert(Vec::new(), State { first: vec![Value::Null; width], accumulators });
        }
        let mut rows = Vec::with_capacity(self.groups.len());
        for state in self.groups.into_values() {
            let results = state.accumulators.into_iter().map(Accumulator::finish).collect::<Result<Vec<_>>>()?;
            let env = Env { aggregates: &results, ..*env };
            if let Some(having) = &self.group.having
                && !having.holds(&state.first, &env)?
            {
                continue;
            }
            rows.push(plan.output.iter().map(|expr| expr.eval(&state.first, &env)).collect::<Result<_>>()?);
        }
        Ok(rows)
    }
}
