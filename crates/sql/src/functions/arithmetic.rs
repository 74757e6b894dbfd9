//! Arithmetic operators of the number types. Nothing wraps: `22003` says what overflowed, `22012` that a divisor was zero.

use super::kinds::*;
use super::{Context, Function, function};
use crate::value::Value;
use base::{Error, Result, SqlState};

pub(crate) fn out_of_range(what: &str) -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{what} out of range"))
}

pub(crate) fn division_by_zero() -> Error {
    Error::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

/// A function got values of other types than it was found for: a fault of the binder.
pub(crate) fn mismatch() -> Error {
    Error::internal("a function was called with values of other types than its own")
}

macro_rules! integer_operator {
    ($name:ident, $method:ident) => {
        /// The wider of the two types.
        fn $name(args: &[Value], _: &Context) -> Result<Value> {
            match args {
                [Value::Int4(a), Value::Int4(b)] => a.$method(*b).map(Value::Int4).ok_or_else(|| out_of_range("integer")),
                [Value::Int2(a), Value::Int2(b)] => a.$method(*b).map(Value::Int2).ok_or_else(|| out_of_range("smallint")),
                [Value::Int8(_), other] | [other, Value::Int8(_)] if other.as_i64().is_some() => {
                    let (a, b) = args[0].as_i64().zip(args[1].as_i64()).ok_or_else(mismatch)?;
                    a.$method(b).map(Value::Int8).ok_or_else(|| out_of_range("bigint"))
                }
                [Value::Int2(a), Value::Int4(b)] => i32::from(*a).$method(*b).map(Value::Int4).ok_or_else(|| out_of_range("integer")),
                [Value::Int4(a), Value::Int2(b)] => a.$method(i32::from(*b)).map(Value::Int4).ok_or_else(|| out_of_range("integer")),
                _ => Err(mismatch()),
            }
        }
    };
}

integer_operator!(add_integers, checked_add);
integer_operator!(sub_integers, checked_sub);
integer_operator!(mul_integers, checked_mul);
integer_operator!(div_nonzero, checked_div);

fn div_integers(args: &[Value], context: &Context) -> Result<Value> {
    if args[1].as_i64() == Some(0) { Err(division_by_zero()) } else { div_nonzero(args, context) }
}

/// The sign is the dividend's. The least number modulo -1 is 0, not an overflow.
pub(super) fn rem_integers(args: &[Value], _: &Context) -> Result<Value> {
    let (a, b) = args[0].as_i64().zip(args[1].as_i64()).ok_or_else(mismatch)?;
    if b == 0 {
        return Err(division_by_zero());
    }
    let rest = a.wrapping_rem(b);
    Ok(match (&args[0], &args[1]) {
        (Value::Int8(_), _) | (_, Value::Int8(_)) => Value::Int8(rest),
        (Value::Int2(_), Value::Int2(_)) => Value::Int2(rest as i16),
        _ => Value::Int4(rest as i32),
    })
}

fn numerics(args: &[Value]) -> Result<(&crate::value::Numeric, &crate::value::Numeric)> {
    match args {
        [Value::Numeric(a), Value::Numeric(b)] => Ok((a, b)),
        _ => Err(mismatch()),
    }
}

fn add_numerics(args: &[Value], _: &Context) -> Result<Value> {
    numerics(args).and_then(|(a, b)| a.add(*b)).map(Value::Numeric)
}

fn sub_numerics(args: &[Value], _: &Context) -> Result<Value> {
    numerics(args).and_then(|(a, b)| a.sub(*b)).map(Value::Numeric)
}

fn mul_numerics(args: &[Value], _: &Context) -> Result<Value> {
    numerics(args).and_then(|(a, b)| a.mul(*b)).map(Value::Numeric)
}

fn div_numerics(args: &[Value], _: &Context) -> Result<Value> {
    numerics(args).and_then(|(a, b)| a.div(*b)).map(Value::Numeric)
}

pub(super) fn rem_numerics(args: &[Value], _: &Context) -> Result<Value> {
    numerics(args).and_then(|(a, b)| a.rem(*b)).map(Value::Numeric)
}

/// A finite result of finite operands stays one: anything else is an overflow. A result of zero from others is an underflow.
pub(crate) fn checked_float(result: f64, operands_infinite: bool) -> Result<f64> {
    if result.is_infinite() && !operands_infinite {
        return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"));
    }
    Ok(result)
}

pub(crate) fn underflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

fn floats(args: &[Value], operation: fn(f64, f64) -> f64, narrow: fn(f32, f32) -> f32) -> Result<(f64, bool)> {
    if let [Value::Float4(a), Value::Float4(b)] = args {
        return Ok((f64::from(narrow(*a, *b)), a.is_infinite() || b.is_infinite()));
    }
    let (a, b) = args[0].as_f64().zip(args[1].as_f64()).ok_or_else(mismatch)?;
    Ok((operation(a, b), a.is_infinite() || b.is_infinite()))
}

fn float_value(args: &[Value], result: f64) -> Value {
    match args {
        [Value::Float4(_), Value::Float4(_)] => Value::Float4(result as f32),
        _ => Value::Float8(result),
    }
}

fn add_floats(args: &[Value], _: &Context) -> Result<Value> {
    let (result, infinite) = floats(args, |a, b| a + b, |a, b| a + b)?;
    checked_float(result, infinite).map(|result| float_value(args, result))
}

fn sub_floats(args: &[Value], _: &Context) -> Result<Value> {
    let (result, infinite) = floats(args, |a, b| a - b, |a, b| a - b)?;
    checked_float(result, infinite).map(|result| float_value(args, result))
}

fn mul_floats(args: &[Value], _: &Context) -> Result<Value> {
    let (result, infinite) = floats(args, |a, b| a * b, |a, b| a * b)?;
    let result = checked_float(result, infinite)?;
    if result == 0.0 && args.iter().all(|arg| arg.as_f64() != Some(0.0)) {
        return Err(underflow());
    }
    Ok(float_value(args, result))
}

fn div_floats(args: &[Value], _: &Context) -> Result<Value> {
    let (a, b) = args[0].as_f64().zip(args[1].as_f64()).ok_or_else(mismatch)?;
    if b == 0.0 && !a.is_nan() {
        return Err(division_by_zero());
    }
    let (result, _) = floats(args, |a, b| a / b, |a, b| a / b)?;
    let result = checked_float(result, a.is_infinite())?;
    if result == 0.0 && a != 0.0 && !b.is_infinite() {
        return Err(underflow());
    }
    Ok(float_value(args, result))
}

fn negate(args: &[Value], _: &Context) -> Result<Value> {
    Ok(match &args[0] {
        Value::Int2(a) => Value::Int2(a.checked_neg().ok_or_else(|| out_of_range("smallint"))?),
        Value::Int4(a) => Value::Int4(a.checked_neg().ok_or_else(|| out_of_range("integer"))?),
        Value::Int8(a) => Value::Int8(a.checked_neg().ok_or_else(|| out_of_range("bigint"))?),
        Value::Float4(a) => Value::Float4(-a),
        Value::Float8(a) => Value::Float8(-a),
        Value::Numeric(a) => Value::Numeric(a.checked_neg()),
        _ => return Err(mismatch()),
    })
}

fn same(args: &[Value], _: &Context) -> Result<Value> {
    Ok(args[0].clone())
}

/// `&`, `|`, `#` on integers of one type.
fn bitwise(args: &[Value], operation: fn(i64, i64) -> i64) -> Result<Value> {
    Ok(match args {
        [Value::Int2(a), Value::Int2(b)] => Value::Int2(operation(i64::from(*a), i64::from(*b)) as i16),
        [Value::Int4(a), Value::Int4(b)] => Value::Int4(operation(i64::from(*a), i64::from(*b)) as i32),
        [Value::Int8(a), Value::Int8(b)] => Value::Int8(operation(*a, *b)),
        _ => return Err(mismatch()),
    })
}

fn bit_and(args: &[Value], _: &Context) -> Result<Value> {
    bitwise(args, |a, b| a & b)
}

fn bit_or(args: &[Value], _: &Context) -> Result<Value> {
    bitwise(args, |a, b| a | b)
}

fn bit_xor(args: &[Value], _: &Context) -> Result<Value> {
    bitwise(args, |a, b| a ^ b)
}

fn bit_not(args: &[Value], _: &Context) -> Result<Value> {
    Ok(match &args[0] {
        Value::Int2(a) => Value::Int2(!a),
        Value::Int4(a) => Value::Int4(!a),
        Value::Int8(a) => Value::Int8(!a),
        _ => return Err(mismatch()),
    })
}

/// The distance counts modulo the width, as the machine does it.
fn shift_left(args: &[Value], _: &Context) -> Result<Value> {
    Ok(match args {
        [Value::Int2(a), Value::Int4(by)] => Value::Int2(((i32::from(*a)).wrapping_shl(*by as u32)) as i16),
        [Value::Int4(a), Value::Int4(by)] => Value::Int4(a.wrapping_shl(*by as u32)),
        [Value::Int8(a), Value::Int4(by)] => Value::Int8(a.wrapping_shl(*by as u32)),
        _ => return Err(mismatch()),
    })
}

fn shift_right(args: &[Value], _: &Context) -> Result<Value> {
    Ok(match args {
        [Value::Int2(a), Value::Int4(by)] => Value::Int2(((i32::from(*a)).wrapping_shr(*by as u32)) as i16),
        [Value::Int4(a), Value::Int4(by)] => Value::Int4(a.wrapping_shr(*by as u32)),
        [Value::Int8(a), Value::Int4(by)] => Value::Int8(a.wrapping_shr(*by as u32)),
        _ => return Err(mismatch()),
    })
}

macro_rules! binary {
    ($symbol:literal, $integers:ident, $numerics:ident) => {
        [
            function($symbol, &[INT4, INT4], INT4, $integers),
            function($symbol, &[INT8, INT8], INT8, $integers),
            function($symbol, &[INT2, INT2], INT2, $integers),
            function($symbol, &[INT4, INT8], INT8, $integers),
            function($symbol, &[INT8, INT4], INT8, $integers),
            function($symbol, &[INT2, INT4], INT4, $integers),
            function($symbol, &[INT4, INT2], INT4, $integers),
            function($symbol, &[INT2, INT8], INT8, $integers),
            function($symbol, &[INT8, INT2], INT8, $integers),
            function($symbol, &[NUMERIC, NUMERIC], NUMERIC, $numerics),
        ]
    };
}

macro_rules! floating {
    ($symbol:literal, $floats:ident) => {
        [
            function($symbol, &[FLOAT8, FLOAT8], FLOAT8, $floats),
            function($symbol, &[FLOAT4, FLOAT4], FLOAT4, $floats),
            function($symbol, &[FLOAT4, FLOAT8], FLOAT8, $floats),
            function($symbol, &[FLOAT8, FLOAT4], FLOAT8, $floats),
        ]
    };
}

macro_rules! each_integer {
    ($symbol:literal, $run:ident) => {
        [
            function($symbol, &[INT4, INT4], INT4, $run),
            function($symbol, &[INT8, INT8], INT8, $run),
            function($symbol, &[INT2, INT2], INT2, $run),
        ]
    };
}

macro_rules! shift {
    ($symbol:literal, $run:ident) => {
        [
            function($symbol, &[INT4, INT4], INT4, $run),
            function($symbol, &[INT8, INT4], INT8, $run),
            function($symbol, &[INT2, INT4], INT2, $run),
        ]
    };
}

macro_rules! prefix {
    ($symbol:literal, $run:ident) => {
        [
            function($symbol, &[INT4], INT4, $run),
            function($symbol, &[INT8], INT8, $run),
            function($symbol, &[INT2], INT2, $run),
            function($symbol, &[NUMERIC], NUMERIC, $run),
            function($symbol, &[FLOAT8], FLOAT8, $run),
            function($symbol, &[FLOAT4], FLOAT4, $run),
        ]
    };
}

pub(super) static ADD: [Function; 10] = binary!("+", add_integers, add_numerics);
pub(super) static SUB: [Function; 10] = binary!("-", sub_integers, sub_numerics);
pub(super) static MUL: [Function; 10] = binary!("*", mul_integers, mul_numerics);
pub(super) static DIV: [Function; 10] = binary!("/", div_integers, div_numerics);
pub(super) static REM: [Function; 4] = [
    function("%", &[INT4, INT4], INT4, rem_integers),
    function("%", &[INT8, INT8], INT8, rem_integers),
    function("%", &[INT2, INT2], INT2, rem_integers),
    function("%", &[NUMERIC, NUMERIC], NUMERIC, rem_numerics),
];
pub(super) static ADD_FLOAT: [Function; 4] = floating!("+", add_floats);
pub(super) static SUB_FLOAT: [Function; 4] = floating!("-", sub_floats);
pub(super) static MUL_FLOAT: [Function; 4] = floating!("*", mul_floats);
pub(super) static DIV_FLOAT: [Function; 4] = floating!("/", div_floats);
pub(super) static NEGATE: [Function; 6] = prefix!("-", negate);
pub(super) static PLUS: [Function; 6] = prefix!("+", same);
pub(super) static AND: [Function; 3] = each_integer!("&", bit_and);
pub(super) static OR: [Function; 3] = each_integer!("|", bit_or);
pub(super) static XOR: [Function; 3] = each_integer!("#", bit_xor);
pub(super) static LEFT: [Function; 3] = shift!("<<", shift_left);
pub(super) static RIGHT: [Function; 3] = shift!(">>", shift_right);
pub(super) static NOT: [Function; 3] =
    [function("~", &[INT4], INT4, bit_not), function("~", &[INT8], INT8, bit_not), function("~", &[INT2], INT2, bit_not)];
