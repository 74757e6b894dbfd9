//! Which function a name means: our own first, then the native evaluator's, then the planner's library.

mod any;
mod arrays;
mod catalog;
mod simple;

pub use simple::typed;

use crate::cast::Cast;
use crate::context::QueryContext;
use crate::native::{Form, Native};
use crate::system;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::sql::sqlparser::ast;
use std::sync::Arc;

/// The functions of one query.
pub struct Functions {
    context: Arc<QueryContext>,
    state: Arc<SessionState>,
}

/// Functions of the planner's library that mean the same in PostgreSQL. All others of it stay hidden.
const LIBRARY: &[&str] = &[
    "coalesce",
    "nullif",
    "greatest",
    "least",
    "make_array",
    "array_to_string",
    "array_position",
    "array_length",
    "array_append",
    "array_prepend",
    "array_cat",
    "array_remove",
    "array_ndims",
    "cardinality",
    "string_to_array",
    "array_positions",
    "array_replace",
];
/// Aggregates of the planner's library that mean the same in PostgreSQL.
const LIBRARY_AGGREGATES: &[&str] = &[
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "bool_and",
    "bool_or",
    "bit_and",
    "bit_or",
    "bit_xor",
    "array_agg",
    "string_agg",
    "stddev",
    "stddev_samp",
    "stddev_pop",
    "var_samp",
    "var_pop",
    "corr",
    "covar_samp",
    "covar_pop",
    "regr_slope",
    "regr_intercept",
    "regr_count",
    "regr_r2",
    "regr_avgx",
    "regr_avgy",
    "regr_sxx",
    "regr_syy",
    "regr_sxy",
    "percentile_cont",
    "grouping",
    "first_value",
    "last_value",
    "nth_value",
];

impl Functions {
    pub fn new(context: Arc<QueryContext>, state: Arc<SessionState>) -> Functions {
        Functions { context, state }
    }

    pub fn scalar(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let native = |form| Some(Native::udf(name, form, self.context.clone()));
        match name {
            "florin_cast" => return Some(Cast::udf(self.context.clone())),
            "florin_in" => return Some(any::In::udf(self.context.clone())),
            "florin_subscript" => return Some(arrays::Subscript::udf()),
            "florin_array_or_empty" => return Some(arrays::ArrayOrEmpty::udf()),
            "florin_generate_series" => return Some(arrays::Series::udf()),
            "florin_negate" => return native(Form::Unary(ast::UnaryOperator::Minus)),
            "florin_bitnot" => return native(Form::Unary(ast::UnaryOperator::BitwiseNot)),
            _ => {}
        }
        // Our own forms carry what is not an argument behind a blank in their name.
        if let Some((form, detail)) = name.split_once(' ') {
            let escape = Some(detail.to_owned());
            return match form {
                "florin_any" | "florin_all" => native(Form::Quantified { op: operator(detail)?, all: form == "florin_all" }),
                "florin_map" => {
                    let (variable, expression) = detail.split_once(' ')?;
                    let form = Form::Over { variable: variable.to_owned(), expression: expression.to_owned() };
                    Some(arrays::Map::udf(Native::udf("map", form, self.context.clone())))
                }
                "florin_extract" => native(Form::Extract(detail.to_owned())),
                "florin_like" => native(Form::Like { insensitive: false, escape }),
                "florin_ilike" => native(Form::Like { insensitive: true, escape }),
                "florin_similar" => native(Form::Similar { escape }),
                _ => None,
            };
        }
        if let Some(function) = system::functions::find(name) {
            return Some(catalog::CatalogCall::udf(function, self.context.clone()));
        }
        if let Some(simple) = simple::find(name) {
            return Some(simple);
        }
        if sql::functions::is_known(name) {
            return native(Form::Call(name.to_owned()));
        }
        LIBRARY.contains(&name).then(|| self.state.scalar_functions().get(name).cloned()).flatten()
    }

    pub fn aggregate(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        let name = match name {
            "every" => "bool_and",
            "variance" => "var_samp",
            name => name,
        };
        if let Some(own) = crate::aggregates::find(name, &self.state) {
            return Some(own);
        }
        LIBRARY_AGGREGATES.contains(&name).then(|| self.state.aggregate_functions().get(name).cloned()).flatten()
    }
}

fn operator(symbol: &str) -> Option<ast::BinaryOperator> {
    let mut op = ast::BinaryOperator::PGCustomBinaryOperator(vec![symbol.to_owned()]);
    crate::rewrite::plain_operator(&mut op).ok()?;
    Some(op)
}
