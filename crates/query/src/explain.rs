//! Plans as text, in the shape of PostgreSQL's `EXPLAIN`: what runs, from the outermost step inwards.

use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::streaming::StreamingTableExec;
use datafusion::physical_plan::{ExecutionPlan, displayable};

/// Steps that only move rows along.
const SILENT: &[&str] =
    &["ProjectionExec", "CoalesceBatchesExec", "CoalescePartitionsExec", "RepartitionExec", "CooperativeExec", crate::outer::STEP];
const NANOS_PER_MILLI: f64 = 1_000_000.0;

/// `analyzed`: it has run, so its figures are shown.
pub fn text(plan: &dyn ExecutionPlan, analyzed: bool) -> String {
    let mut lines = Vec::new();
    write(plan, 0, analyzed, &mut lines);
    lines.join("\n")
}

fn write(plan: &dyn ExecutionPlan, depth: usize, analyzed: bool, lines: &mut Vec<String>) {
    if SILENT.contains(&plan.name()) {
        for child in plan.children() {
            write(child.as_ref(), depth, analyzed, lines);
        }
        return;
    }
    let indent = if depth == 0 { String::new() } else { format!("{}->  ", " ".repeat(depth * 6 - 4)) };
    let figures = if analyzed { figures(plan) } else { String::new() };
    lines.push(format!("{indent}{}{figures}", title(plan)));
    for detail in details(plan) {
        lines.push(format!("{}{detail}", " ".repeat(depth * 6 + 2)));
    }
    for child in plan.children() {
        write(child.as_ref(), depth + 1, analyzed, lines);
    }
}

fn title(plan: &dyn ExecutionPlan) -> String {
    if let Some(scan) = plan.downcast_ref::<StreamingTableExec>() {
        return scan.partitions().first().map_or_else(|| String::from("Result"), |partition| format!("{partition:?}"));
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        return format!("Hash {} Join", join.join_type());
    }
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        return format!("Nested Loop {} Join", join.join_type());
    }
    if let Some(join) = plan.downcast_ref::<SortMergeJoinExec>() {
        return format!("Merge {} Join", join.join_type());
    }
    if plan.downcast_ref::<CrossJoinExec>().is_some() {
        return String::from("Nested Loop");
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        return String::from(if aggregate.group_expr().is_empty() { "Aggregate" } else { "HashAggregate" });
    }
    let name = plan.name().trim_end_matches("Exec");
    String::from(match name {
        "Sort" | "SortPreservingMerge" => "Sort",
        "Filter" => "Filter",
        "GlobalLimit" | "LocalLimit" => "Limit",
        "Union" | "Interleave" => "Append",
        "WindowAgg" | "BoundedWindowAgg" => "WindowAgg",
        "PlaceholderRow" | "Empty" => "Result",
        "DataSource" => "Values Scan",
        "RecursiveQuery" => "Recursive Union",
        "WorkTable" => "WorkTable Scan",
        "Unnest" => "ProjectSet",
        other => other,
    })
}

fn details(plan: &dyn ExecutionPlan) -> Vec<String> {
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        return vec![format!("Filter: {}", filter.predicate())];
    }
    if let Some(sort) = plan.downcast_ref::<SortExec>() {
        let keys: Vec<String> = sort.expr().iter().map(|key| key.to_string()).collect();
        return vec![format!("Sort Key: {}", keys.join(", "))];
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        let on: Vec<String> = join.on().iter().map(|(left, right)| format!("({left} = {right})")).collect();
        return vec![format!("Hash Cond: {}", on.join(" AND "))];
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let keys: Vec<String> = aggregate.group_expr().expr().iter().map(|(_, name)| name.clone()).collect();
        return if keys.is_empty() { Vec::new() } else { vec![format!("Group Key: {}", keys.join(", "))] };
    }
    if plan.name() == "GlobalLimitExec" {
        return vec![displayable(plan).one_line().to_string().trim().to_owned()];
    }
    Vec::new()
}

/// Rows and the time within the step.
fn figures(plan: &dyn ExecutionPlan) -> String {
    let Some(metrics) = plan.metrics() else { return String::new() };
    let rows = metrics.output_rows().map_or_else(|| String::from("?"), |rows| rows.to_string());
    match metrics.elapsed_compute() {
        Some(nanos) => format!(" (actual time={:.3} rows={rows})", nanos as f64 / NANOS_PER_MILLI),
        None => format!(" (actual rows={rows})"),
    }
}
