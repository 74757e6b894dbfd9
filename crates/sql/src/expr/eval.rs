//! Evaluation of a bound expression for one row.

use super::{Columns, CompareOp, Env, Expr};
use crate::functions::{Context, Function};
use crate::types::Type;
use crate::value::Value;
use base::{Error, Result};
use std::cmp::Ordering;
use std::sync::Arc;

/// Calls with at most so many arguments keep them on the stack.
const ARGUMENTS_INLINE: usize = 3;

impl Expr {
    /// # Errors
    /// Whatever the expression's functions raise (`22012`, `22003`, …).
    pub fn eval<C: Columns + ?Sized>(&self, row: &C, env: &Env) -> Result<Value> {
        match self {
            Expr::Literal { value, .. } => Ok(value.clone()),
            Expr::Column { index, .. } => row.column(*index),
            Expr::Parameter { index, .. } => fetch(env.parameters, *index, "parameter"),
            Expr::Aggregate { index, .. } => fetch(env.aggregates, *index, "aggregate"),
            Expr::Sequence { index } => fetch(env.sequences, *index, "sequence"),
            Expr::And(parts) => eval_logic(parts, false, row, env),
            Expr::Or(parts) => eval_logic(parts, true, row, env),
            Expr::Not(expr) => Ok(truth(expr.eval(row, env)?.as_bool().map(|value| !value))),
            Expr::Compare { op, left, right, blanks_ignored } => {
                let left = left.eval(row, env)?;
                if left.is_null() {
                    return Ok(Value::Null);
                }
                let right = right.eval(row, env)?;
                Ok(truth((!right.is_null()).then(|| op.holds(order(&left, &right, *blanks_ignored)))))
            }
            Expr::Distinct { left, right, negated, blanks_ignored } => {
                let (left, right) = (left.eval(row, env)?, right.eval(row, env)?);
                Ok(Value::Bool(order(&left, &right, *blanks_ignored).is_ne() != *negated))
            }
            Expr::IsNull { expr, negated } => Ok(Value::Bool(expr.eval(row, env)?.is_null() != *negated)),
            Expr::IsBool { expr, value, negated } => Ok(Value::Bool((expr.eval(row, env)?.as_bool() == *value) != *negated)),
            Expr::InList { expr, list, negated, blanks_ignored } => {
                let value = expr.eval(row, env)?;
                eval_in(&value, list, *blanks_ignored, row, env).map(|found| truth(found.map(|found| found != *negated)))
            }
            Expr::AnyAll { op, left, array, all, blanks_ignored } => {
                let (left, array) = (left.eval(row, env)?, array.eval(row, env)?);
                Ok(any_all(*op, &left, &array, *all, *blanks_ignored))
            }
            Expr::Call { function, args, types, .. } => eval_call(function, args, types, row, env),
            Expr::Cast { expr, cast } => cast.run(expr.eval(row, env)?, env.settings),
            _ => self.eval_choice(row, env),
        }
    }

    /// A condition: unknown counts as false.
    pub fn holds<C: Columns + ?Sized>(&self, row: &C, env: &Env) -> Result<bool> {
        Ok(self.eval(row, env)?.as_bool() == Some(true))
    }

    /// A check constraint: unknown counts as true.
    pub fn does_not_fail<C: Columns + ?Sized>(&self, row: &C, env: &Env) -> Result<bool> {
        Ok(self.eval(row, env)?.as_bool() != Some(false))
    }

    fn eval_choice<C: Columns + ?Sized>(&self, row: &C, env: &Env) -> Result<Value> {
        match self {
            Expr::Case { whens, otherwise, .. } => {
                for (condition, result) in whens {
                    if condition.holds(row, env)? {
                        return result.eval(row, env);
                    }
                }
                otherwise.as_ref().map_or(Ok(Value::Null), |otherwise| otherwise.eval(row, env))
            }
            Expr::Coalesce { args, .. } => {
                for arg in args {
                    let value = arg.eval(row, env)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Value::Null)
            }
            Expr::NullIf { first, equal } => {
                if equal.holds(row, env)? {
                    Ok(Value::Null)
                } else {
                    first.eval(row, env)
                }
            }
            Expr::Extreme { args, greatest, ty } => eval_extreme(args, *greatest, *ty == Type::BpChar, row, env),
            Expr::Array { elements, .. } => {
                let values = elements.iter().map(|element| element.eval(row, env)).collect::<Result<Vec<_>>>()?;
                Ok(Value::Array(Arc::from(values)))
            }
            Expr::Subscript { array, index, .. } => {
                let (array, index) = (array.eval(row, env)?, index.eval(row, env)?);
                Ok(match (array, index.as_i64()) {
                    (Value::Array(elements), Some(index)) => {
                        let at = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
                        at.and_then(|at| elements.get(at)).cloned().unwrap_or(Value::Null)
                    }
                    _ => Value::Null,
                })
            }
            other => Err(Error::internal(format!("{other:?} was not evaluated"))),
        }
    }
}

fn fetch(values: &[Value], index: usize, what: &str) -> Result<Value> {
    values.get(index).cloned().ok_or_else(|| Error::internal(format!("no value for {what} {}", index + 1)))
}

pub(crate) fn truth(value: Option<bool>) -> Value {
    value.map_or(Value::Null, Value::Bool)
}

/// `decisive` ends the chain: false for AND, true for OR.
fn eval_logic<C: Columns + ?Sized>(parts: &[Expr], decisive: bool, row: &C, env: &Env) -> Result<Value> {
    let mut unknown = false;
    for part in parts {
        match part.eval(row, env)?.as_bool() {
            Some(value) if value == decisive => return Ok(Value::Bool(decisive)),
            Some(_) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown { Value::Null } else { Value::Bool(!decisive) })
}

/// With `blanks_ignored` both are `char(n)`.
pub(crate) fn order(left: &Value, right: &Value, blanks_ignored: bool) -> Ordering {
    match (left, right) {
        (Value::Text(a), Value::Text(b)) if blanks_ignored => a.trim_end_matches(' ').cmp(b.trim_end_matches(' ')),
        _ => left.compare(right),
    }
}

fn eval_in<C: Columns + ?Sized>(value: &Value, list: &[Expr], blanks_ignored: bool, row: &C, env: &Env) -> Result<Option<bool>> {
    if value.is_null() {
        return Ok(None);
    }
    let mut unknown = false;
    for item in list {
        let item = item.eval(row, env)?;
        if item.is_null() {
            unknown = true;
        } else if order(value, &item, blanks_ignored).is_eq() {
            return Ok(Some(true));
        }
    }
    Ok(if unknown { None } else { Some(false) })
}

fn any_all(op: CompareOp, left: &Value, array: &Value, all: bool, blanks_ignored: bool) -> Value {
    let Value::Array(elements) = array else {
        return Value::Null;
    };
    let mut unknown = false;
    for element in elements.iter() {
        if element.is_null() || left.is_null() {
            unknown = true;
        } else if op.holds(order(left, element, blanks_ignored)) != all {
            return Value::Bool(!all);
        }
    }
    if unknown { Value::Null } else { Value::Bool(all) }
}

fn eval_call<C: Columns + ?Sized>(function: &Function, args: &[Expr], types: &[Type], row: &C, env: &Env) -> Result<Value> {
    let context = Context { env, types };
    if args.len() > ARGUMENTS_INLINE {
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            let value = arg.eval(row, env)?;
            if function.strict && value.is_null() {
                return Ok(Value::Null);
            }
            values.push(value);
        }
        return (function.run)(&values, &context);
    }
    let mut values = [const { Value::Null }; ARGUMENTS_INLINE];
    for (slot, arg) in values.iter_mut().zip(args) {
        *slot = arg.eval(row, env)?;
        if function.strict && slot.is_null() {
            return Ok(Value::Null);
        }
    }
    (function.run)(&values[..args.len()], &context)
}

fn eval_extreme<C: Columns + ?Sized>(args: &[Expr], greatest: bool, blanks_ignored: bool, row: &C, env: &Env) -> Result<Value> {
    let mut best = Value::Null;
    for arg in args {
        let value = arg.eval(row, env)?;
        if value.is_null() {
            continue;
        }
        let order = order(&value, &best, blanks_ignored);
        if best.is_null() || (if greatest { order.is_gt() } else { order.is_lt() }) {
            best = value;
        }
    }
    Ok(best)
}
