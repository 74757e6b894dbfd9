//! From the parser's tree to a bound expression: names, literals, parameters and logic. Operators, calls and special forms are in
//! the neighbouring modules.

use super::constant::fold;
use super::{BindError, Expr, Parameters, Scope, fold_identifier};
use crate::aggregate::AggregateCall;
use crate::types::cast::Coercion;
use crate::types::{NO_MODIFIER, Type};
use crate::value::{Numeric, Value};
use base::{Error, SqlState};
use sqlparser::ast::{self, BinaryOperator, Ident, UnaryOperator, ValueWithSpan};

pub(super) type Bound<T = Expr> = Result<T, BindError>;

/// Deepest nesting of an expression: bounds the stack that binding, folding and evaluating take.
pub const DEPTH_MAX: usize = 300;

/// What a call of a sequence function asks of the executor, which supplies the number through [`super::Env::sequences`].
#[derive(Clone, Debug)]
pub struct SequenceCall {
    pub function: SequenceFunction,
    /// The sequence's name, perhaps with its schema; empty for `lastval()`.
    pub name: Vec<String>,
    /// Of `setval`: the value (`bigint`) and, if given, whether it counts as used (`boolean`).
    pub arguments: Vec<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceFunction {
    NextVal,
    CurrVal,
    LastVal,
    SetVal,
}

/// Binds the expressions of one statement against one scope.
pub struct Binder<'a> {
    pub scope: &'a Scope,
    pub parameters: &'a mut Parameters,
    /// The aggregates found so far; `None` where none may stand.
    pub aggregates: Option<Vec<AggregateCall>>,
    /// The sequence calls found so far.
    pub sequences: Vec<SequenceCall>,
    /// The clause being bound, for messages such as "aggregate functions are not allowed in WHERE".
    pub clause: &'static str,
    pub(super) depth: usize,
}

/// Binds one expression where neither aggregates nor sequences may stand.
pub fn bind(expr: &ast::Expr, scope: &Scope, parameters: &mut Parameters) -> Bound {
    let mut binder = Binder::new(scope, parameters);
    let bound = binder.expression(expr)?;
    if binder.sequences.is_empty() { Ok(bound) } else { Err(Error::unsupported("a sequence function here").into()) }
}

impl<'a> Binder<'a> {
    pub fn new(scope: &'a Scope, parameters: &'a mut Parameters) -> Binder<'a> {
        Binder { scope, parameters, aggregates: None, sequences: Vec::new(), clause: "this clause", depth: 0 }
    }

    /// An expression of any type, `unknown` for an undecided literal or parameter.
    pub fn expression(&mut self, expr: &ast::Expr) -> Bound {
        if self.depth >= DEPTH_MAX {
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
                .with_hint(format!("Expressions can be nested {DEPTH_MAX} deep."))
                .into());
        }
        self.depth += 1;
        let bound = self.dispatch(expr);
        self.depth -= 1;
        bound.map(fold)
    }

    /// An output column: an undecided literal or parameter becomes `text`.
    pub fn output(&mut self, expr: &ast::Expr) -> Bound {
        let bound = self.expression(expr)?;
        self.decided(bound)
    }

    /// A condition. `clause` stands in messages: `WHERE`, `CHECK`, `HAVING`, ….
    pub fn condition(&mut self, expr: &ast::Expr, clause: &'static str) -> Bound {
        let before = std::mem::replace(&mut self.clause, clause);
        let bound = self.expression(expr).and_then(|bound| self.boolean(bound, clause));
        self.clause = before;
        bound.map(fold)
    }

    /// What is stored in a column (INSERT, UPDATE, DEFAULT): an assignment cast, the modifier applied.
    ///
    /// # Errors
    /// `42804` naming the column if the types do not fit.
    pub fn assignment(&mut self, expr: &ast::Expr, column: &str, ty: Type, modifier: i32) -> Bound {
        let bound = self.expression(expr)?;
        self.assign(bound, column, ty, modifier)
    }

    fn dispatch(&mut self, expr: &ast::Expr) -> Bound {
        use ast::Expr as Ast;
        match expr {
            Ast::Value(value) => self.value(value),
            Ast::Identifier(ident) => self.identifier(ident),
            Ast::CompoundIdentifier(path) => self.column(path),
            Ast::Nested(inner) => self.expression(inner),
            Ast::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } => self.logic(left, op, right),
            Ast::BinaryOp { left, op, right } => self.binary(left, op, right),
            Ast::UnaryOp { op: UnaryOperator::Not, expr } => {
                let inner = self.expression(expr)?;
                Ok(Expr::Not(Box::new(self.boolean(inner, "NOT")?)))
            }
            Ast::UnaryOp { op, expr } => self.unary(op, expr),
            Ast::IsNull(expr) => self.is_null(expr, false),
            Ast::IsNotNull(expr) => self.is_null(expr, true),
            Ast::IsTrue(expr) => self.is_bool(expr, Some(true), false, "IS TRUE"),
            Ast::IsNotTrue(expr) => self.is_bool(expr, Some(true), true, "IS NOT TRUE"),
            Ast::IsFalse(expr) => self.is_bool(expr, Some(false), false, "IS FALSE"),
            Ast::IsNotFalse(expr) => self.is_bool(expr, Some(false), true, "IS NOT FALSE"),
            Ast::IsUnknown(expr) => self.is_bool(expr, None, false, "IS UNKNOWN"),
            Ast::IsNotUnknown(expr) => self.is_bool(expr, None, true, "IS NOT UNKNOWN"),
            Ast::IsDistinctFrom(left, right) => self.distinct(left, right, false),
            Ast::IsNotDistinctFrom(left, right) => self.distinct(left, right, true),
            Ast::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Ast::Between { expr, negated, low, high } => self.between(expr, *negated, low, high),
            Ast::AnyOp { left, compare_op, right, .. } => self.any_all(left, compare_op, right, false),
            Ast::AllOp { left, compare_op, right } => self.any_all(left, compare_op, right, true),
            Ast::Collate { expr, collation } => self.collate(expr, collation),
            Ast::Function(function) => self.function(function),
            Ast::InSubquery { .. } | Ast::Exists { .. } | Ast::Subquery(_) => Err(BindError::NeedsEngine("a subquery")),
            Ast::GroupingSets(_) | Ast::Cube(_) | Ast::Rollup(_) => Err(BindError::NeedsEngine("a grouping set")),
            other => self.special(other),
        }
    }

    fn value(&mut self, value: &ValueWithSpan) -> Bound {
        use ast::Value as Literal;
        match &value.value {
            Literal::Number(text, false) => number(text),
            Literal::SingleQuotedString(text) | Literal::EscapedStringLiteral(text) | Literal::UnicodeStringLiteral(text) => unknown(text),
            Literal::NationalStringLiteral(text) => unknown(text),
            Literal::DollarQuotedString(text) => unknown(&text.value),
            Literal::Boolean(value) => Ok(Expr::literal(Value::Bool(*value), Type::Bool)),
            Literal::Null => Ok(Expr::null(Type::Unknown)),
            Literal::Placeholder(text) => self.parameter(text),
            other => Err(Error::unsupported(format!("the literal {other}")).into()),
        }
    }

    fn parameter(&mut self, text: &str) -> Bound {
        let missing = || Error::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter {text}"));
        let number: usize = text.strip_prefix('$').and_then(|digits| digits.parse().ok()).ok_or_else(missing)?;
        let index = number.checked_sub(1).ok_or_else(missing)?;
        let ty = self.parameters.touch(index)?;
        Ok(Expr::Parameter { index, ty })
    }

    fn identifier(&mut self, ident: &Ident) -> Bound {
        let name = fold_identifier(ident);
        match self.scope.resolve(std::slice::from_ref(&name)) {
            Ok((index, column)) => Ok(Expr::Column { index, ty: column.ty, modifier: column.modifier }),
            Err(error) => match self.bare_function(ident, &name) {
                Some(call) => call,
                None => Err(error.into()),
            },
        }
    }

    fn column(&mut self, path: &[Ident]) -> Bound {
        let path: Vec<String> = path.iter().map(fold_identifier).collect();
        let (index, column) = self.scope.resolve(&path)?;
        Ok(Expr::Column { index, ty: column.ty, modifier: column.modifier })
    }

    /// A chain of the same operator becomes one node: it may be thousands long.
    fn logic(&mut self, left: &ast::Expr, op: &BinaryOperator, right: &ast::Expr) -> Bound {
        let mut operands = vec![right];
        let mut rest = left;
        loop {
            match rest {
                ast::Expr::BinaryOp { left, op: inner, right } if inner == op => {
                    operands.push(right);
                    rest = left;
                }
                ast::Expr::Nested(inner) => rest = inner,
                other => {
                    operands.push(other);
                    break;
                }
            }
        }
        let is_and = *op == BinaryOperator::And;
        let mut parts = Vec::with_capacity(operands.len());
        for operand in operands.into_iter().rev() {
            let bound = self.expression(operand)?;
            match (self.boolean(bound, if is_and { "AND" } else { "OR" })?, is_and) {
                (Expr::And(inner), true) | (Expr::Or(inner), false) => parts.extend(inner),
                (other, _) => parts.push(other),
            }
        }
        Ok(if is_and { Expr::And(parts) } else { Expr::Or(parts) })
    }

    fn is_null(&mut self, expr: &ast::Expr, negated: bool) -> Bound {
        if let Some(items) = super::bind_operator::row_items(expr) {
            // A row is null if all its fields are, and not null if none is.
            let parts = items.into_iter().map(|item| self.is_null(item, negated)).collect::<Bound<Vec<_>>>()?;
            return Ok(Expr::And(parts));
        }
        let inner = self.output(expr)?;
        Ok(Expr::IsNull { expr: Box::new(inner), negated })
    }

    fn is_bool(&mut self, expr: &ast::Expr, value: Option<bool>, negated: bool, what: &'static str) -> Bound {
        let inner = self.expression(expr)?;
        Ok(Expr::IsBool { expr: Box::new(self.boolean(inner, what)?), value, negated })
    }

    fn collate(&mut self, expr: &ast::Expr, collation: &ast::ObjectName) -> Bound {
        let inner = self.output(expr)?;
        let name = collation.0.last().and_then(|part| part.as_ident()).map(fold_identifier).unwrap_or_default();
        if !inner.ty().is_string() {
            let message = format!("collations are not supported by type {}", inner.ty());
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message).into());
        }
        match name.as_str() {
            "C" | "POSIX" | "default" | "ucs_basic" => Ok(inner),
            _ => Err(Error::unsupported(format!("collation \"{name}\"")).into()),
        }
    }

    /// Gives an undecided literal or parameter the type `text`.
    pub(super) fn decided(&mut self, expr: Expr) -> Bound {
        if expr.ty() == Type::Unknown { self.coerce(expr, Type::Text, NO_MODIFIER, Coercion::Implicit) } else { Ok(expr) }
    }
}

/// A string literal or NULL takes its type from where it stands.
pub(super) fn unknown(text: &str) -> Bound {
    if text.contains('\0') {
        return Err(Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": 0x00").into());
    }
    Ok(Expr::literal(Value::text(text), Type::Unknown))
}

/// The smallest of integer, bigint and numeric that holds it.
pub(super) fn number(text: &str) -> Bound {
    if let Ok(value) = text.parse::<i32>() {
        return Ok(Expr::literal(Value::Int4(value), Type::Int4));
    }
    if let Ok(value) = text.parse::<i64>() {
        return Ok(Expr::literal(Value::Int8(value), Type::Int8));
    }
    let value: Numeric = text.parse()?;
    Ok(Expr::literal(Value::Numeric(value), Type::Numeric))
}
