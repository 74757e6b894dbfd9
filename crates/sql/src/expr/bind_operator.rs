//! Operators: which one is meant, and the comparisons, which are nodes of their own.

use super::bind::{Binder, Bound};
use super::{BindError, CompareOp, Expr};
use crate::functions;
use crate::functions::no_operator;
use crate::types::cast::{self, Coercion};
use crate::types::{Category, NO_MODIFIER, Type};
use base::{Error, SqlState};
use sqlparser::ast::{self, BinaryOperator, UnaryOperator};

pub(super) fn compare_op(op: &BinaryOperator) -> Option<CompareOp> {
    Some(match op {
        BinaryOperator::Eq => CompareOp::Eq,
        BinaryOperator::NotEq => CompareOp::NotEq,
        BinaryOperator::Lt => CompareOp::Lt,
        BinaryOperator::LtEq => CompareOp::LtEq,
        BinaryOperator::Gt => CompareOp::Gt,
        BinaryOperator::GtEq => CompareOp::GtEq,
        _ => return None,
    })
}

/// PostgreSQL's symbol where the parser's differs or has a dialect's meaning.
fn symbol(op: &BinaryOperator) -> Bound<String> {
    Ok(match op {
        BinaryOperator::PGCustomBinaryOperator(path) => match path.last() {
            Some(last) => last.clone(),
            None => return Err(BindError::NeedsEngine("an operator")),
        },
        BinaryOperator::PGExp | BinaryOperator::BitwiseXor => "^".to_owned(),
        BinaryOperator::PGBitwiseXor => "#".to_owned(),
        BinaryOperator::PGStartsWith => "^@".to_owned(),
        BinaryOperator::Xor | BinaryOperator::Spaceship => return Err(Error::unsupported(format!("operator {op}")).into()),
        other => other.to_string(),
    })
}

impl Binder<'_> {
    pub(super) fn binary(&mut self, left: &ast::Expr, op: &BinaryOperator, right: &ast::Expr) -> Bound {
        if let Some(compare) = compare_op(op) {
            return self.comparison(left, compare, right);
        }
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        self.operator(&symbol(op)?, vec![left, right])
    }

    /// A call of the operator with this symbol.
    pub(super) fn operator(&mut self, symbol: &str, args: Vec<Expr>) -> Bound {
        let types: Vec<Type> = args.iter().map(Expr::ty).collect();
        let found = functions::find_operator(symbol, &types)?;
        self.call(found, args)
    }

    pub(super) fn call(&mut self, found: functions::Found, args: Vec<Expr>) -> Bound {
        let args = args.into_iter().zip(&found.arguments);
        let args = args.map(|(arg, ty)| self.coerce(arg, *ty, NO_MODIFIER, Coercion::Implicit)).collect::<Bound<Vec<_>>>()?;
        Ok(super::constant::fold(Expr::Call { function: found.function, args, types: found.arguments.into(), ty: found.result }))
    }

    pub(super) fn unary(&mut self, op: &UnaryOperator, expr: &ast::Expr) -> Bound {
        // The sign belongs to the literal: -9223372036854775808 is a bigint.
        if let (UnaryOperator::Minus, ast::Expr::Value(value)) = (op, expr)
            && let ast::Value::Number(digits, false) = &value.value
        {
            return super::bind::number(&format!("-{digits}"));
        }
        // The sign binds closer than the power, which the parser does not know: -2 ^ 2 is 4.
        if let (
            UnaryOperator::Minus,
            ast::Expr::BinaryOp { left, op: power @ (BinaryOperator::PGExp | BinaryOperator::BitwiseXor), right },
        ) = (op, expr)
        {
            let (base, exponent) = (self.unary(op, left)?, self.expression(right)?);
            return self.operator(&symbol(power)?, vec![base, exponent]);
        }
        let inner = self.expression(expr)?;
        let symbol = match op {
            UnaryOperator::PGSquareRoot => "|/".to_owned(),
            UnaryOperator::PGCubeRoot => "||/".to_owned(),
            UnaryOperator::PGAbs => "@".to_owned(),
            UnaryOperator::BitwiseNot => "~".to_owned(),
            other => other.to_string(),
        };
        self.operator(&symbol, vec![inner])
    }

    pub(super) fn comparison(&mut self, left: &ast::Expr, op: CompareOp, right: &ast::Expr) -> Bound {
        if let (Some(lefts), Some(rights)) = (row_items(left), row_items(right)) {
            return self.compare_rows(&lefts, op, &rights);
        }
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        self.compare(left, op, right)
    }

    pub(super) fn compare(&mut self, left: Expr, op: CompareOp, right: Expr) -> Bound {
        let (left, right, blanks_ignored) = self.comparable(left, op.symbol(), right)?;
        Ok(super::constant::fold(Expr::Compare { op, left: Box::new(left), right: Box::new(right), blanks_ignored }))
    }

    pub(super) fn distinct(&mut self, left: &ast::Expr, right: &ast::Expr, negated: bool) -> Bound {
        if let (Some(lefts), Some(rights)) = (row_items(left), row_items(right)) {
            same_length(&lefts, &rights)?;
            let parts = lefts.into_iter().zip(rights).map(|(left, right)| self.distinct(left, right, negated));
            let parts = parts.collect::<Bound<Vec<_>>>()?;
            return Ok(if negated { Expr::And(parts) } else { Expr::Or(parts) });
        }
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        let (left, right, blanks_ignored) = self.comparable(left, "=", right)?;
        Ok(Expr::Distinct { left: Box::new(left), right: Box::new(right), negated, blanks_ignored })
    }

    /// Brings two sides to types that compare as they are. Integers of different widths stay so: a cast would hide an indexed column.
    pub(super) fn comparable(&mut self, left: Expr, symbol: &str, right: Expr) -> Bound<(Expr, Expr, bool)> {
        let (a, b) = (left.ty(), right.ty());
        let Some(common) = comparison_type(a, b) else {
            return Err(no_operator(symbol, &[a, b], false).into());
        };
        if !common.is_orderable() {
            return Err(no_operator(symbol, &[a, b], false).into());
        }
        let keep = |ty: Type| ty == common || (ty.is_integer() && common.is_integer()) || (is_float(ty) && is_float(common));
        let left = if keep(a) { left } else { self.coerce(left, common, NO_MODIFIER, Coercion::Implicit)? };
        let right = if keep(b) { right } else { self.coerce(right, common, NO_MODIFIER, Coercion::Implicit)? };
        Ok((left, right, common == Type::BpChar))
    }

    fn compare_rows(&mut self, left: &[&ast::Expr], op: CompareOp, right: &[&ast::Expr]) -> Bound {
        same_length(left, right)?;
        if left.is_empty() {
            return Err(Error::unsupported("comparing rows of no columns").into());
        }
        let pairs = left.iter().zip(right).map(|(l, r)| Ok((self.expression(l)?, self.expression(r)?)));
        let pairs = pairs.collect::<Bound<Vec<_>>>()?;
        match op {
            CompareOp::Eq | CompareOp::NotEq => {
                let parts = pairs.into_iter().map(|(l, r)| self.compare(l, op, r)).collect::<Bound<Vec<_>>>()?;
                Ok(if op == CompareOp::Eq { Expr::And(parts) } else { Expr::Or(parts) })
            }
            _ => self.order_rows(pairs, op),
        }
    }

    /// `(a, b) < (c, d)` is `a < c OR (a = c AND b < d)`, from the last column to the first; only the last pair may be equal.
    fn order_rows(&mut self, mut pairs: Vec<(Expr, Expr)>, op: CompareOp) -> Bound {
        let strict = match op {
            CompareOp::LtEq => CompareOp::Lt,
            CompareOp::GtEq => CompareOp::Gt,
            other => other,
        };
        let (left, right) = pairs.pop().ok_or_else(|| Error::internal("a row of no columns"))?;
        let mut result = self.compare(left, op, right)?;
        while let Some((left, right)) = pairs.pop() {
            let less = self.compare(left.clone(), strict, right.clone())?;
            let equal = self.compare(left, CompareOp::Eq, right)?;
            result = Expr::Or(vec![less, Expr::And(vec![equal, result])]);
        }
        Ok(result)
    }

    pub(super) fn between(&mut self, expr: &ast::Expr, negated: bool, low: &ast::Expr, high: &ast::Expr) -> Bound {
        let above = self.comparison(expr, CompareOp::GtEq, low)?;
        let below = self.comparison(expr, CompareOp::LtEq, high)?;
        if above.any(&Expr::is_volatile) {
            return Err(BindError::NeedsEngine("BETWEEN of a volatile function"));
        }
        let both = Expr::And(vec![above, below]);
        Ok(if negated { Expr::Not(Box::new(both)) } else { both })
    }

    pub(super) fn in_list(&mut self, expr: &ast::Expr, list: &[ast::Expr], negated: bool) -> Bound {
        if row_items(expr).is_some() {
            let parts = list.iter().map(|item| self.comparison(expr, CompareOp::Eq, item)).collect::<Bound<Vec<_>>>()?;
            let found = Expr::Or(parts);
            return Ok(if negated { Expr::Not(Box::new(found)) } else { found });
        }
        let left = self.expression(expr)?;
        let items = list.iter().map(|item| self.expression(item)).collect::<Bound<Vec<_>>>()?;
        let uniform = items.iter().all(|item| {
            let common = comparison_type(left.ty(), item.ty());
            common.is_some_and(|common| common == left.ty() || common.is_integer() && left.ty().is_integer())
        });
        if left.ty() == Type::Unknown || !uniform {
            // Different types: compare each on its own.
            let parts = items.into_iter().map(|item| self.compare(left.clone(), CompareOp::Eq, item)).collect::<Bound<Vec<_>>>()?;
            let found = Expr::Or(parts);
            return Ok(if negated { Expr::Not(Box::new(found)) } else { found });
        }
        let mut blanks_ignored = false;
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            let (_, item, blanks) = self.comparable(left.clone(), "=", item)?;
            blanks_ignored = blanks;
            list.push(item);
        }
        Ok(Expr::InList { expr: Box::new(left), list, negated, blanks_ignored })
    }

    pub(super) fn any_all(&mut self, left: &ast::Expr, op: &BinaryOperator, right: &ast::Expr, all: bool) -> Bound {
        let Some(op) = compare_op(op) else {
            return Err(BindError::NeedsEngine("ANY or ALL of an operator that is no comparison"));
        };
        if matches!(right, ast::Expr::Subquery(_)) {
            return Err(BindError::NeedsEngine("a subquery"));
        }
        let (mut left, mut array) = (self.expression(left)?, self.expression(right)?);
        if left.ty() == Type::Unknown && array.ty().element().is_none() {
            left = self.decided(left)?;
        }
        if array.ty() == Type::Unknown {
            let Some(ty) = left.ty().array_of() else {
                return Err(Error::unsupported(format!("an array of {}", left.ty())).into());
            };
            array = self.coerce(array, ty, NO_MODIFIER, Coercion::Implicit)?;
        }
        let Some(element) = array.ty().element() else {
            return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, "op ANY/ALL (array) requires array on right side").into());
        };
        let common = comparison_type(left.ty(), element).filter(|ty| ty.is_orderable());
        let Some(common) = common else {
            return Err(no_operator(op.symbol(), &[left.ty(), element], false).into());
        };
        let both_integers = left.ty().is_integer() && element.is_integer();
        if !both_integers {
            left = self.coerce(left, common, NO_MODIFIER, Coercion::Implicit)?;
            let ty = common.array_of().ok_or_else(|| Error::unsupported(format!("an array of {common}")))?;
            array = self.coerce(array, ty, NO_MODIFIER, Coercion::Implicit)?;
        }
        Ok(Expr::AnyAll { op, left: Box::new(left), array: Box::new(array), all, blanks_ignored: common == Type::BpChar })
    }
}

pub(super) fn is_float(ty: Type) -> bool {
    matches!(ty, Type::Float4 | Type::Float8)
}

/// The fields of `(a, b)` or `ROW(a, b)`.
pub(super) fn row_items(expr: &ast::Expr) -> Option<Vec<&ast::Expr>> {
    match expr {
        ast::Expr::Tuple(items) => Some(items.iter().collect()),
        ast::Expr::Nested(inner) => row_items(inner),
        ast::Expr::Function(function) => super::bind_call::row_constructor(function),
        _ => None,
    }
}

fn same_length(left: &[&ast::Expr], right: &[&ast::Expr]) -> Bound<()> {
    if left.len() == right.len() {
        return Ok(());
    }
    Err(Error::new(SqlState::SYNTAX_ERROR, "unequal number of entries in row expressions").into())
}

/// The type in which two types compare; `None` if they do not.
pub(super) fn comparison_type(a: Type, b: Type) -> Option<Type> {
    let implicit = |from, to| cast::context(from, to) == Some(Coercion::Implicit);
    match (a, b) {
        (Type::Unknown, Type::Unknown) => Some(Type::Text),
        // varchar has no comparison of its own.
        (Type::VarChar, Type::VarChar | Type::Unknown) | (Type::Unknown, Type::VarChar) => Some(Type::Text),
        (Type::Unknown, known) | (known, Type::Unknown) => Some(known),
        (a, b) if a == b => Some(a),
        (a, b) if a.is_string() && b.is_string() => Some(Type::Text),
        (Type::Float4, Type::Numeric) | (Type::Numeric, Type::Float4) => Some(Type::Float8),
        (a, b) if a.category() == Category::Number && b == Type::Float4 && a.is_integer() => Some(Type::Float8),
        (a, b) if b.category() == Category::Number && a == Type::Float4 && b.is_integer() => Some(Type::Float8),
        (a, b) if implicit(a, b) => Some(b),
        (a, b) if implicit(b, a) => Some(a),
        _ => None,
    }
}
