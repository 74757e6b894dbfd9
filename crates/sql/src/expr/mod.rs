//! Bound expressions: what a SQL expression means once its names and types are known, and its evaluation.
//!
//! [`Binder`] turns the parser's tree into an [`Expr`] by PostgreSQL's rules of type resolution; [`Expr::eval`] computes its value for one
//! row. Subqueries, window functions and the like have no native form: the binder answers [`BindError::NeedsEngine`] and the
//! planner hands the statement to the vectorised engine. Nothing here reads a clock: [`Env`] brings what is needed.

mod bind;
mod bind_call;
mod bind_operator;
mod bind_special;
mod coerce;
mod constant;
mod env;
mod error;
mod eval;
mod names;
mod parameters;
mod scope;

pub use bind::{Binder, SequenceCall, SequenceFunction, bind};
pub use coerce::common_type;
pub use env::{Ambient, Columns, Env, NoAmbient};
pub use error::BindError;
pub(crate) use eval::order;
pub use names::{fold_identifier, output_name};
pub use parameters::Parameters;
pub use scope::{Relation, Scope, ScopeColumn};

use crate::functions::Function;
use crate::types::Type;
use crate::types::cast::Cast;
use crate::value::Value;

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
}

/// A bound expression. Every node knows its type; values of its children have exactly the types they say.
#[derive(Clone, Debug)]
pub enum Expr {
    Literal {
        value: Value,
        ty: Type,
    },
    /// A column of the scope's relations, by its position in all of them together.
    Column {
        index: usize,
        ty: Type,
        modifier: i32,
    },
    /// `$index + 1`.
    Parameter {
        index: usize,
        ty: Type,
    },
    /// The result of an aggregate of this group: position in [`Binder::aggregates`].
    Aggregate {
        index: usize,
        ty: Type,
    },
    /// The number that the executor drew for this call: position in [`Binder::sequences`].
    Sequence {
        index: usize,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    /// Both sides compare as they are: same type, or integers of different widths, or `real` with `double precision`.
    /// With `blanks_ignored` both are `char(n)`.
    Compare {
        op: CompareOp,
        left: Box<Expr>,
        right: Box<Expr>,
        blanks_ignored: bool,
    },
    /// `IS [NOT] DISTINCT FROM`.
    Distinct {
        left: Box<Expr>,
        right: Box<Expr>,
        negated: bool,
        blanks_ignored: bool,
    },
    IsNull {
        expr: Box<Expr>,
        negated: bool,
    },
    /// `IS [NOT] TRUE | FALSE | UNKNOWN`; `value: None` is unknown.
    IsBool {
        expr: Box<Expr>,
        value: Option<bool>,
        negated: bool,
    },
    InList {
        expr: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
        blanks_ignored: bool,
    },
    /// `left op ANY (array)` or `ALL`.
    AnyAll {
        op: CompareOp,
        left: Box<Expr>,
        array: Box<Expr>,
        all: bool,
        blanks_ignored: bool,
    },
    Call {
        function: &'static Function,
        args: Vec<Expr>,
        types: Box<[Type]>,
        ty: Type,
    },
    Cast {
        expr: Box<Expr>,
        cast: Cast,
    },
    Case {
        whens: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
        ty: Type,
    },
    Coalesce {
        args: Vec<Expr>,
        ty: Type,
    },
    /// `NULLIF(first, second)`; the comparison is of the two as `compared` says, the result is the first.
    NullIf {
        first: Box<Expr>,
        equal: Box<Expr>,
    },
    /// `GREATEST` or `LEAST`.
    Extreme {
        args: Vec<Expr>,
        ty: Type,
        greatest: bool,
    },
    Array {
        elements: Vec<Expr>,
        ty: Type,
    },
    /// One-based, NULL outside.
    Subscript {
        array: Box<Expr>,
        index: Box<Expr>,
        ty: Type,
    },
}

impl Expr {
    pub fn literal(value: Value, ty: Type) -> Expr {
        Expr::Literal { value, ty }
    }

    pub fn null(ty: Type) -> Expr {
        Expr::Literal { value: Value::Null, ty }
    }

    /// The type of its values.
    pub fn ty(&self) -> Type {
        match self {
            Expr::Literal { ty, .. }
            | Expr::Column { ty, .. }
            | Expr::Parameter { ty, .. }
            | Expr::Aggregate { ty, .. }
            | Expr::Call { ty, .. }
            | Expr::Case { ty, .. }
            | Expr::Coalesce { ty, .. }
            | Expr::Extreme { ty, .. }
            | Expr::Array { ty, .. }
            | Expr::Subscript { ty, .. } => *ty,
            Expr::Cast { cast, .. } => cast.to,
            Expr::NullIf { first, .. } => first.ty(),
            Expr::Sequence { .. } => Type::Int8,
            Expr::And(_)
            | Expr::Or(_)
            | Expr::Not(_)
            | Expr::Compare { .. }
            | Expr::Distinct { .. }
            | Expr::IsNull { .. }
            | Expr::IsBool { .. }
            | Expr::InList { .. }
            | Expr::AnyAll { .. } => Type::Bool,
        }
    }

    /// The type modifier of its values, -1 where there is none.
    pub fn modifier(&self) -> i32 {
        match self {
            Expr::Column { modifier, .. } => *modifier,
            Expr::Cast { cast, .. } => cast.modifier,
            Expr::NullIf { first, .. } => first.modifier(),
            Expr::Coalesce { args, .. } | Expr::Extreme { args, .. } => common_modifier(args.iter()),
            Expr::Case { whens, otherwise: Some(otherwise), .. } => {
                common_modifier(whens.iter().map(|(_, result)| result).chain([&**otherwise]))
            }
            _ => crate::types::NO_MODIFIER,
        }
    }

    /// Calls `visit` with each direct child.
    pub fn children<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match self {
            Expr::Literal { .. } | Expr::Column { .. } | Expr::Parameter { .. } | Expr::Aggregate { .. } | Expr::Sequence { .. } => {}
            Expr::And(args) | Expr::Or(args) => args.iter().for_each(visit),
            Expr::Coalesce { args, .. } | Expr::Extreme { args, .. } | Expr::Call { args, .. } => args.iter().for_each(visit),
            Expr::Array { elements, .. } => elements.iter().for_each(visit),
            Expr::Not(expr) | Expr::IsNull { expr, .. } | Expr::IsBool { expr, .. } | Expr::Cast { expr, .. } => visit(expr),
            Expr::Compare { left, right, .. } | Expr::Distinct { left, right, .. } => [left, right].into_iter().for_each(|e| visit(e)),
            Expr::AnyAll { left, array, .. } => [left, array].into_iter().for_each(|e| visit(e)),
            Expr::NullIf { first, equal } => [first, equal].into_iter().for_each(|e| visit(e)),
            Expr::Subscript { array, index, .. } => [array, index].into_iter().for_each(|e| visit(e)),
            Expr::InList { expr, list, .. } => {
                visit(expr);
                list.iter().for_each(visit);
            }
            Expr::Case { whens, otherwise, .. } => {
                for (condition, result) in whens {
                    visit(condition);
                    visit(result);
                }
                if let Some(otherwise) = otherwise {
                    visit(otherwise);
                }
            }
        }
    }

    /// The same for changing them.
    pub fn children_mut(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        match self {
            Expr::Literal { .. } | Expr::Column { .. } | Expr::Parameter { .. } | Expr::Aggregate { .. } | Expr::Sequence { .. } => {}
            Expr::And(args) | Expr::Or(args) => args.iter_mut().for_each(visit),
            Expr::Coalesce { args, .. } | Expr::Extreme { args, .. } | Expr::Call { args, .. } => args.iter_mut().for_each(visit),
            Expr::Array { elements, .. } => elements.iter_mut().for_each(visit),
            Expr::Not(expr) | Expr::IsNull { expr, .. } | Expr::IsBool { expr, .. } | Expr::Cast { expr, .. } => visit(expr),
            Expr::Compare { left, right, .. } | Expr::Distinct { left, right, .. } => [left, right].into_iter().for_each(|e| visit(e)),
            Expr::AnyAll { left, array, .. } => [left, array].into_iter().for_each(|e| visit(e)),
            Expr::NullIf { first, equal } => [first, equal].into_iter().for_each(|e| visit(e)),
            Expr::Subscript { array, index, .. } => [array, index].into_iter().for_each(|e| visit(e)),
            Expr::InList { expr, list, .. } => {
                visit(expr);
                list.iter_mut().for_each(visit);
            }
            Expr::Case { whens, otherwise, .. } => {
                for (condition, result) in whens {
                    visit(condition);
                    visit(result);
                }
                if let Some(otherwise) = otherwise {
                    visit(otherwise);
                }
            }
        }
    }

    /// True if `test` holds for this node or one below it.
    pub fn any(&self, test: &dyn Fn(&Expr) -> bool) -> bool {
        if test(self) {
            return true;
        }
        let mut found = false;
        self.children(&mut |child| found = found || child.any(test));
        found
    }

    /// True if its value does not depend on a row, a group or a sequence: it may be computed once for a statement, unless it
    /// [`Expr::is_volatile`].
    pub fn is_constant(&self) -> bool {
        !self.any(&|expr| matches!(expr, Expr::Column { .. } | Expr::Aggregate { .. } | Expr::Sequence { .. }))
    }

    /// True if two evaluations in one statement may differ (`random()`, `clock_timestamp()`, sequences).
    pub fn is_volatile(&self) -> bool {
        self.any(&|expr| match expr {
            Expr::Call { function, .. } => function.volatility == crate::functions::Volatility::Volatile,
            Expr::Sequence { .. } => true,
            _ => false,
        })
    }

    /// The parts of a condition that must all hold.
    pub fn conjuncts(&self) -> &[Expr] {
        match self {
            Expr::And(parts) => parts,
            other => std::slice::from_ref(other),
        }
    }

    /// Positions of the columns it reads, in ascending order.
    pub fn columns(&self) -> Vec<usize> {
        fn collect(expr: &Expr, found: &mut std::collections::BTreeSet<usize>) {
            if let Expr::Column { index, .. } = expr {
                found.insert(*index);
            }
            expr.children(&mut |child| collect(child, found));
        }
        let mut found = std::collections::BTreeSet::new();
        collect(self, &mut found);
        found.into_iter().collect()
    }
}

fn common_modifier<'a>(mut exprs: impl Iterator<Item = &'a Expr>) -> i32 {
    let first = exprs.next().map_or(crate::types::NO_MODIFIER, Expr::modifier);
    if exprs.all(|expr| expr.modifier() == first) { first } else { crate::types::NO_MODIFIER }
}

impl CompareOp {
    pub fn symbol(self) -> &'static str {
        match self {
            CompareOp::Eq => "=",
            CompareOp::NotEq => "<>",
            CompareOp::Lt => "<",
            CompareOp::LtEq => "<=",
            CompareOp::Gt => ">",
            CompareOp::GtEq => ">=",
        }
    }

    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            CompareOp::Eq => order.is_eq(),
            CompareOp::NotEq => order.is_ne(),
            CompareOp::Lt => order.is_lt(),
            CompareOp::LtEq => order.is_le(),
            CompareOp::Gt => order.is_gt(),
            CompareOp::GtEq => order.is_ge(),
        }
    }

    /// The operator with its sides changed.
    pub fn flipped(self) -> CompareOp {
        match self {
            CompareOp::Lt => CompareOp::Gt,
            CompareOp::LtEq => CompareOp::GtEq,
            CompareOp::Gt => CompareOp::Lt,
            CompareOp::GtEq => CompareOp::LtEq,
            same => same,
        }
    }
}
