//! Coercions: how an expression gets the type that its place demands. PostgreSQL's documentation, chapter 10 "Type Conversion".

use super::bind::{Binder, Bound};
use super::{BindError, Expr};
use crate::types::cast::{self, Cast, Coercion};
use crate::types::{NO_MODIFIER, Settings, Type, text};
use crate::value::Value;
use base::{Error, SqlState};
use std::sync::LazyLock;

/// Settings for what depends on none.
pub(super) static NEUTRAL: LazyLock<Settings> = LazyLock::new(Settings::default);

fn cannot_cast(from: Type, to: Type) -> BindError {
    Error::new(SqlState::CANNOT_COERCE, format!("cannot cast type {from} to {to}")).into()
}

impl Binder<'_> {
    /// # Errors
    /// `42846` if there is no such cast in this context; for a literal, whatever is wrong with its text.
    pub(super) fn coerce(&mut self, expr: Expr, to: Type, modifier: i32, context: Coercion) -> Bound {
        let from = expr.ty();
        if from == to && (modifier == NO_MODIFIER || modifier == expr.modifier()) {
            return Ok(expr);
        }
        match expr {
            Expr::Literal { value: Value::Null, .. } if from == Type::Unknown => Ok(Expr::null(to)),
            Expr::Literal { value: Value::Text(ref literal), .. } if from == Type::Unknown => {
                if matches!(to, Type::RegClass | Type::RegProc) && literal.parse::<u32>().is_err() {
                    return Err(BindError::NeedsEngine("a name's oid"));
                }
                coerce_literal(literal, to, modifier, context)
            }
            Expr::Parameter { index, .. } if from == Type::Unknown => {
                let decided = self.parameters.decide(index, to);
                self.coerce(Expr::Parameter { index, ty: decided }, to, modifier, context)
            }
            _ => {
                if from != to && cast::context(from, to).is_none_or(|needed| needed > context) {
                    return Err(cannot_cast(from, to));
                }
                if matches!(to, Type::RegClass | Type::RegProc) && !from.is_integer() && from != Type::Oid
                    || matches!(from, Type::RegClass | Type::RegProc) && to.is_string()
                {
                    return Err(BindError::NeedsEngine("an oid's name"));
                }
                let cast = Cast { from, to, modifier, explicit: context == Coercion::Explicit };
                Ok(super::constant::fold(Expr::Cast { expr: Box::new(expr), cast }))
            }
        }
    }

    /// `what` stands in the message: `WHERE`, `AND`, ….
    pub(super) fn boolean(&mut self, expr: Expr, what: &str) -> Bound {
        let ty = expr.ty();
        if matches!(ty, Type::Bool | Type::Unknown) {
            return self.coerce(expr, Type::Bool, NO_MODIFIER, Coercion::Implicit);
        }
        let message = format!("argument of {what} must be type boolean, not type {ty}");
        Err(Error::new(SqlState::DATATYPE_MISMATCH, message).into())
    }

    /// Makes a bound expression fit a column.
    ///
    /// # Errors
    /// `42804` naming the column.
    pub fn assign(&mut self, expr: Expr, column: &str, ty: Type, modifier: i32) -> Bound {
        let from = expr.ty();
        let fits = from == ty || from == Type::Unknown || cast::context(from, ty).is_some_and(|needed| needed <= Coercion::Assignment);
        if !fits {
            let message = format!("column \"{column}\" is of type {ty} but expression is of type {from}");
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message)
                .with_hint("You will need to rewrite or cast the expression.")
                .into());
        }
        self.coerce(expr, ty, modifier, Coercion::Assignment)
    }

    /// Brings expressions to one type, for CASE, COALESCE, IN, arrays and `VALUES`. `what` stands in the message.
    ///
    /// # Errors
    /// `42804` if there is none.
    pub fn common(&mut self, exprs: Vec<Expr>, what: &str) -> Bound<(Vec<Expr>, Type)> {
        let types: Vec<Type> = exprs.iter().map(Expr::ty).collect();
        let ty = common_type(&types, what)?;
        let exprs = exprs.into_iter().map(|expr| self.bring_to_common(expr, ty, what)).collect::<Bound<Vec<_>>>()?;
        Ok((exprs, ty))
    }

    /// One of those that are brought to a common type.
    ///
    /// # Errors
    /// `42846` if it cannot be.
    pub(super) fn bring_to_common(&mut self, expr: Expr, ty: Type, what: &str) -> Bound {
        let from = expr.ty();
        if from != ty && cast::context(from, ty) != Some(Coercion::Implicit) {
            let message = format!("{what} could not convert type {from} to {ty}");
            return Err(Error::new(SqlState::CANNOT_COERCE, message).into());
        }
        self.coerce(expr, ty, NO_MODIFIER, Coercion::Implicit)
    }
}

/// The type to which all can be brought: PostgreSQL's `select_common_type`. All undecided: `text`.
///
/// # Errors
/// `42804` if their categories differ.
pub fn common_type(types: &[Type], what: &str) -> base::Result<Type> {
    let mut known = types.iter().copied().filter(|ty| *ty != Type::Unknown);
    let Some(mut chosen) = known.next() else {
        return Ok(Type::Text);
    };
    for ty in known {
        if ty == chosen {
            continue;
        }
        if ty.category() != chosen.category() {
            let message = format!("{what} types {chosen} and {ty} cannot be matched");
            return Err(Error::new(SqlState::DATATYPE_MISMATCH, message));
        }
        let implicit = |from, to| cast::context(from, to) == Some(Coercion::Implicit);
        if !chosen.is_preferred() && implicit(chosen, ty) && !implicit(ty, chosen) {
            chosen = ty;
        }
    }
    Ok(chosen)
}

/// Reads a literal's text now, unless the outcome depends on the session: then when it is evaluated.
fn coerce_literal(literal: &str, to: Type, modifier: i32, context: Coercion) -> Bound {
    if to == Type::Unknown {
        return Ok(Expr::literal(Value::text(literal), to));
    }
    let explicit = context == Coercion::Explicit;
    let cast = Cast { from: Type::Unknown, to, modifier, explicit };
    if text::depends_on_session(literal, to) {
        let expr = Box::new(Expr::literal(Value::text(literal), Type::Unknown));
        return Ok(Expr::Cast { expr, cast });
    }
    let value = cast.run(Value::text(literal), &NEUTRAL)?;
    let literal = Expr::literal(value, to);
    if modifier == NO_MODIFIER {
        return Ok(literal);
    }
    // The modifier must stay visible: it is the result column's.
    let keep = Cast { from: to, to, modifier, explicit };
    Ok(Expr::Cast { expr: Box::new(literal), cast: keep })
}
