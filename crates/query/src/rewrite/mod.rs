//! Brings a statement's syntax tree from PostgreSQL's dialect into the planner's, before anything is resolved.
//!
//! What the planner's own grammar has no words for becomes a call of one of our functions, whose names start with
//! [`PREFIX`]: casts (which follow PostgreSQL's rules, not Arrow's), `IN` lists, extraction of date fields, and so on.

pub mod columns;
mod expressions;
mod queries;
mod shape;
pub mod subqueries;
mod tables;
pub mod typenames;

pub use expressions::plain_operator;

use base::{Error, SqlState};
use datafusion::sql::sqlparser::ast::*;
use std::ops::ControlFlow;

/// Names of functions that no user can mean.
pub const PREFIX: &str = "florin_";
/// Between a column's name and a number that makes it unique; cut off again before a client sees it.
pub const UNIQUE_MARK: char = '\u{1}';

/// Rewrites a whole query. `parameters`: type oids, 0 where unknown; those that a cast tells are filled in.
pub fn rewrite(query: &Query, parameters: &mut Vec<u32>) -> Result<Query, Error> {
    let mut query = query.clone();
    shape::prepare(&mut query)?;
    let mut rewriter = Rewriter { parameters };
    match VisitMut::visit(&mut query, &mut rewriter) {
        ControlFlow::Continue(()) => Ok(query),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter<'a> {
    parameters: &'a mut Vec<u32>,
}

impl VisitorMut for Rewriter<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        flow(self.enter_query(query))
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        flow(self.leave_query(query))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        flow(self.enter_select(select))
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        flow(self.leave_select(select))
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        flow(self.enter_table(factor))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        flow(self.enter_expr(expr))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        flow(self.leave_expr(expr))
    }
}

fn flow(result: Result<(), Error>) -> ControlFlow<Error> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

impl Rewriter<'_> {
    /// A parameter's type becomes known, unless it was.
    fn infer(&mut self, placeholder: &str, oid: u32) -> Result<(), Error> {
        let number = placeholder.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
        let index = number.filter(|number| (1..=PARAMETERS_MAX).contains(number)).ok_or_else(|| no_parameter(placeholder))? - 1;
        if self.parameters.len() <= index {
            self.parameters.resize(index + 1, 0);
        }
        if self.parameters[index] == 0 {
            self.parameters[index] = oid;
        }
        Ok(())
    }
}

/// The protocol counts parameters with 16 bits.
const PARAMETERS_MAX: usize = 65_535;

fn no_parameter(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter {name}"))
}

/// `name(arguments)`.
pub fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::with_quote('"', name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

pub fn string(text: impl Into<String>) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.into()).with_empty_span())
}

/// `EXTRACT(field FROM source)`.
pub fn extract(field: &str, source: Expr) -> Expr {
    Expr::Extract { field: DateTimeField::Custom(Ident::new(field)), syntax: ExtractSyntax::From, expr: Box::new(source) }
}

fn number(text: impl Into<String>) -> Expr {
    Expr::Value(Value::Number(text.into(), false).with_empty_span())
}

fn null() -> Expr {
    Expr::Value(Value::Null.with_empty_span())
}

/// Takes an expression out of its box, leaving a NULL behind.
fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, null())
}
