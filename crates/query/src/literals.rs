//! Constants of comparisons, made comparable before the library simplifies.
//!
//! The library judges comparisons of one column by whether their constants look the same: `k = 3 AND k <> 3` became `k = 3` if one of the two
//! constants had a mark of its type and the other had none. So constants are computed first, and those of comparisons lose their marks, which
//! nothing needs there: both sides have been brought to one type.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use std::sync::Arc;

#[derive(Debug)]
pub struct PlainConstants;

impl OptimizerRule for PlainConstants {
    fn name(&self) -> &str {
        "plain_constants"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        // Filters come into scans only later.
        let schema = if plan.inputs().is_empty() { DFSchema::empty() } else { merge_schema(&plan.inputs()) };
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(schema))
            .with_config_options(config.options())
            .with_query_execution_start_time(config.query_execution_start_time())
            .build();
        let simplifier = ExprSimplifier::new(context);
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            if matches!(expr, Expr::GroupingSet(_)) {
                return Ok(Transformed::no(expr));
            }
            let name = names.save(&expr);
            Ok(plain(expr, &simplifier)?.update_data(|expr| name.restore(expr)))
        })
    }
}

fn plain(expr: Expr, simplifier: &ExprSimplifier) -> Result<Transformed<Expr>> {
    expr.transform_up(|expr| {
        if !computes(&expr) {
            return unmarked(expr);
        }
        let computed = simplifier.simplify(expr)?;
        // A list of IN became comparisons.
        Ok(Transformed::yes(computed.transform_up(unmarked)?.data))
    })
}

/// Of constants alone; or a list of IN, which must not change its form later.
fn computes(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => call.func.name() == "florin_in" || call.args.iter().all(is_literal),
        Expr::Cast(cast) => is_literal(&cast.expr),
        Expr::Negative(inner) => is_literal(inner),
        Expr::BinaryExpr(binary) => is_literal(&binary.left) && is_literal(&binary.right),
        _ => false,
    }
}

fn is_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(..))
}

fn unmarked(expr: Expr) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if op.supports_propagation() && (is_marked(&left) || is_marked(&right)) => {
            Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(Box::new(without_mark(*left)), op, Box::new(without_mark(*right)))))
        }
        Expr::InList(InList { expr, list, negated }) if list.iter().any(is_marked) => {
            Transformed::yes(Expr::InList(InList::new(expr, list.into_iter().map(without_mark).collect(), negated)))
        }
        other => Transformed::no(other),
    })
}

fn is_marked(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(_, Some(_)))
}

fn without_mark(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(value, _) => Expr::Literal(value, None),
        other => other,
    }
}
