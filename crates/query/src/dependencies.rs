//! Keeps the library from concluding too much of keys.
//!
//! A grouped or distinct result of a join counts there as determined by the key of one of the joined inputs, which it is not: the rows of a
//! key are as many as it has partners. Columns to sort by, columns to group by and whole joins were optimized away, and answers were wrong.
//! So, once the plan is made, nothing below a join says what determines it: tables do not tell of their keys any more, and a node above each
//! grouped input forgets what the library knows of it.

use crate::source::StoredTable;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef, FunctionalDependencies, Result};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::logical_plan::TableScanBuilder;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// Before the optimizer.
pub fn forget(plan: LogicalPlan) -> Result<LogicalPlan> {
    below(plan, false, false).map(|forgotten| forgotten.data)
}

/// As [`forget`], for behind the rules that turn subqueries into joins: what such a subquery groups stands below a join only then.
#[derive(Debug)]
pub struct ForgetKeys;

impl OptimizerRule for ForgetKeys {
    fn name(&self) -> &str {
        "forget_keys"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        below(plan, false, false)
    }
}

/// After it: what is run needs no such nodes.
pub fn remove(plan: LogicalPlan) -> Result<LogicalPlan> {
    let removed = plan.transform_up_with_subqueries(|node| match &node {
        LogicalPlan::Extension(extension) => match extension.node.as_any().downcast_ref::<Forget>() {
            Some(forget) => Ok(Transformed::yes(forget.input.clone())),
            None => Ok(Transformed::no(node)),
        },
        _ => Ok(Transformed::no(node)),
    });
    removed.map(|removed| removed.data)
}

/// `united`: an input of a union, whose schema the analyzer has made the union's.
fn below(plan: LogicalPlan, joined: bool, united: bool) -> Result<Transformed<LogicalPlan>> {
    let joins = match &plan {
        LogicalPlan::Join(_) => true,
        // A lateral one, which is not a join yet; or nothing is known of it already.
        LogicalPlan::Subquery(_) => false,
        LogicalPlan::Extension(extension) => joined && !extension.node.as_any().is::<Forget>(),
        _ => joined,
    };
    let unites = matches!(plan, LogicalPlan::Union(_));
    let plan = plan.map_subqueries(|subquery| below(subquery, false, false))?.data;
    let plan = plan.map_children(|child| below(child, joins, unites))?.data;
    let plan = match plan {
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source)?;
            match provider.downcast_ref::<StoredTable>() {
                Some(table) => {
                    let source = provider_as_source(Arc::new(table.without_key()));
                    let builder = TableScanBuilder::new(scan.table_name, source);
                    let builder = builder.with_projection(scan.projection).with_filters(scan.filters).with_fetch(scan.fetch);
                    LogicalPlan::TableScan(builder.build()?)
                }
                None => LogicalPlan::TableScan(scan),
            }
        }
        // What comes out of a union is determined by nothing.
        other if united || unites => other,
        other => other.recompute_schema()?,
    };
    let grouped = matches!(plan, LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) | LogicalPlan::Window(_));
    let plan = if joined && grouped { LogicalPlan::Extension(Extension { node: Arc::new(Forget::new(plan)?) }) } else { plan };
    Ok(Transformed::yes(plan))
}

/// The same rows, of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Forget {
    input: LogicalPlan,
    schema: DFSchemaRef,
}

impl Forget {
    fn new(input: LogicalPlan) -> Result<Forget> {
        let schema = DFSchema::clone(input.schema()).with_functional_dependencies(FunctionalDependencies::empty())?;
        Ok(Forget { input, schema: Arc::new(schema) })
    }
}

impl PartialOrd for Forget {
    fn partial_cmp(&self, other: &Forget) -> Option<Ordering> {
        self.input.partial_cmp(&other.input)
    }
}

impl UserDefinedLogicalNodeCore for Forget {
    fn name(&self) -> &str {
        "Forget"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        HashSet::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forget")
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Forget> {
        Forget::new(inputs.remove(0))
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }
}
