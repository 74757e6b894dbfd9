//! What EXPLAIN says of native plans.

use super::access::Access;
use super::dml::Source;
use super::select::SelectPlan;
use super::table::TableInfo;
use super::{Plan, Planned};
use crate::exec::Run;
use crate::exec::target::Target;
use crate::session::Session;
use base::Result;
use std::collections::BTreeSet;

impl Session {
    pub(crate) fn explain_lines(&self, planned: &Planned, run: &Run) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        match &planned.plan {
            Plan::Engine(_) => lines.push("Vectorised engine".to_owned()),
            Plan::Ledger(_) => lines.push("Ledger Call".to_owned()),
            Plan::Admin(_) | Plan::Utility(_) | Plan::Definition(_) | Plan::Empty => lines.push("Utility statement".to_owned()),
            Plan::Select(plan) => self.explain_select(plan, run, &mut lines)?,
            Plan::Insert(plan) => {
                lines.push(format!("Native: Insert on {}", plan.table.table.name));
                lines.push(match &plan.source {
                    Source::Values { rows, .. } => format!("  Values: {} rows", rows.len()),
                    Source::Query { .. } => "  Rows: of a query".to_owned(),
                });
            }
            Plan::Update(plan) => {
                lines.push(format!("Native: Update on {}", plan.table.table.name));
                match plan.from {
                    None => self.explain_access(&plan.table, &plan.access, plan.filter.is_some(), run, &mut lines)?,
                    Some(_) => lines.push("  Rows: found by the vectorised engine".to_owned()),
                }
            }
            Plan::Delete(plan) => {
                lines.push(format!("Native: Delete on {}", plan.table.table.name));
                match plan.from {
                    None => self.explain_access(&plan.table, &plan.access, plan.filter.is_some(), run, &mut lines)?,
                    Some(_) => lines.push("  Rows: found by the vectorised engine".to_owned()),
                }
            }
        }
        Ok(lines)
    }

    fn explain_select(&self, plan: &SelectPlan, run: &Run, lines: &mut Vec<String>) -> Result<()> {
        match (&plan.table, &plan.join) {
            (Some(info), _) => {
                lines.push(format!("Native: Select on {}", info.table.name));
                self.explain_access(info, &plan.access, plan.filter.is_some(), run, lines)?;
            }
            (None, Some(join)) => {
                lines.push("Native: Join by look-up".to_owned());
                for (at, step) in join.steps.iter().enumerate() {
                    let kind = if step.left.is_some() { "Left join" } else { "Join" };
                    let how = if at == 0 { "From" } else { kind };
                    lines.push(format!("  {how} {}: {}", step.info.table.name, reached(&step.info, &step.access)));
                    if step.filter.is_some() {
                        lines.push("    Filter: yes".to_owned());
                    }
                }
            }
            (None, None) => {
                lines.push("Native: Result".to_owned());
                return Ok(());
            }
        }
        if plan.group.is_some() {
            lines.push("  Aggregate".to_owned());
        }
        if !plan.order.is_empty() {
            lines.push(if plan.ordered.is_some() { "  Order: of the key" } else { "  Order: sort" }.to_owned());
        }
        if let Some((mode, _)) = plan.lock {
            lines.push(format!("  Lock: {mode:?}"));
        }
        Ok(())
    }

    fn explain_access(&self, info: &TableInfo, access: &Access, filtered: bool, run: &Run, lines: &mut Vec<String>) -> Result<()> {
        lines.push(format!("  Access: {}", reached(info, access)));
        if filtered {
            lines.push("  Filter: yes".to_owned());
        }
        // Without values for its parameters it is not known yet.
        let known = run.parameters.len() >= run.parameter_types.len();
        if let (true, Ok(target)) = (known, self.resolve(info, access, &(), run)) {
            let shards: BTreeSet<u32> = match target {
                Target::Keys(keys) => keys.iter().map(|(shard, _)| shard.0).collect(),
                Target::Ranges(ranges) => ranges.iter().map(|(shard, _)| shard.0).collect(),
            };
            let shards: Vec<String> = shards.into_iter().map(|shard| format!("s{shard}")).collect();
            lines.push(format!("  Shard: {}", if shards.is_empty() { "none".to_owned() } else { shards.join(", ") }));
        }
        Ok(())
    }
}

fn reached(info: &TableInfo, access: &Access) -> String {
    let name = match access.index {
        Some(at) => info.table.indexes[at].name.as_str(),
        None => info.table.primary_index().map_or("row id", |index| index.name.as_str()),
    };
    let kind = match () {
        () if access.is_point() => "Point",
        () if access.is_full_scan() => "Full scan",
        () => "Range",
    };
    format!("{kind} by {name}")
}
