//! Outer joins, whose rows without a match have NULL where the library believes a constant.
//!
//! A filter `b = 5` below the side of an outer join that may be missing makes `b` a constant for the library above the join as well: it leaves
//! `b` out of orders and groups that the NULLs need. So that side forgets its constants: a step above it hands rows on and says
//! nothing of them.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use std::fmt;
use std::sync::Arc;

/// The step's name, which EXPLAIN leaves out.
pub const STEP: &str = "ForgetConstantsExec";

#[derive(Debug)]
pub struct ForgetConstants;

impl PhysicalOptimizerRule for ForgetConstants {
    fn name(&self) -> &str {
        "forget_constants"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let Some(join_type) = join_type(plan.as_ref()) else { return Ok(Transformed::no(plan)) };
            let may_be_missing = match join_type {
                JoinType::Left => [false, true],
                JoinType::Right => [true, false],
                JoinType::Full => [true, true],
                _ => [false, false],
            };
            let forgetful = |(child, missing): (&Arc<dyn ExecutionPlan>, bool)| {
                let constants = !child.properties().eq_properties.constants().is_empty();
                if missing && constants { Arc::new(Step::new(child.clone())) } else { child.clone() }
            };
            let children = plan.children().into_iter().zip(may_be_missing).map(forgetful).collect();
            replace_children_if_necessary(plan, children).map(Transformed::yes)
        })
        .data()
    }
}

fn join_type(plan: &dyn ExecutionPlan) -> Option<JoinType> {
    let hash = plan.downcast_ref::<HashJoinExec>().map(|join| *join.join_type());
    let loops = || plan.downcast_ref::<NestedLoopJoinExec>().map(|join| *join.join_type());
    let merge = || plan.downcast_ref::<SortMergeJoinExec>().map(|join| join.join_type());
    hash.or_else(loops).or_else(merge)
}

#[derive(Debug)]
struct Step {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl Step {
    fn new(input: Arc<dyn ExecutionPlan>) -> Step {
        let known = input.properties();
        let nothing = EquivalenceProperties::new(input.schema());
        let properties = PlanProperties::new(nothing, known.partitioning.clone(), known.emission_type, known.boundedness);
        Step { properties: Arc::new(properties.with_scheduling_type(known.scheduling_type)), input }
    }
}

impl DisplayAs for Step {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STEP)
    }
}

impl ExecutionPlan for Step {
    fn name(&self) -> &str {
        STEP
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(&self, _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Step::new(children.remove(0))))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
