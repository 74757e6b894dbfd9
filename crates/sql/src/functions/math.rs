//! Mathematical functions.

use super::arithmetic::{checked_float, mismatch, out_of_range, rem_integers, rem_numerics, underflow};
use super::kinds::*;
use super::{Context, Function, function};
use crate::value::{Numeric, Value};
use base::{Error, Result, SqlState};

fn argument(message: &str, state: &[u8; 5]) -> Error {
    Error::new(SqlState(*state), message)
}

fn abs(args: &[Value], _: &Context) -> Result<Value> {
    Ok(match &args[0] {
        Value::Int2(a) => Value::Int2(a.checked_abs().ok_or_else(|| out_of_range("smallint"))?),
        Value::Int4(a) => Value::Int4(a.checked_abs().ok_or_else(|| out_of_range("integer"))?),
        Value::Int8(a) => Value::Int8(a.checked_abs().ok_or_else(|| out_of_range("bigint"))?),
        Value::Float4(a) => Value::Float4(a.abs()),
        Value::Float8(a) => Value::Float8(a.abs()),
        Value::Numeric(a) => Value::Numeric(a.abs()),
        _ => return Err(mismatch()),
    })
}

fn sign(args: &[Value], _: &Context) -> Result<Value> {
    Ok(match &args[0] {
        Value::Numeric(a) => Value::Numeric(Numeric::from_i64(a.digits.signum() as i64)),
        Value::Float8(a) if *a == 0.0 || a.is_nan() => Value::Float8(if a.is_nan() { *a } else { 0.0 }),
        Value::Float8(a) => Value::Float8(a.signum()),
        _ => return Err(mismatch()),
    })
}

fn rounded(args: &[Value], numeric: fn(Numeric) -> Result<Numeric>, float: fn(f64) -> f64) -> Result<Value> {
    match &args[0] {
        Value::Numeric(a) => numeric(*a).map(Value::Numeric),
        Value::Float8(a) => Ok(Value::Float8(float(*a))),
        _ => Err(mismatch()),
    }
}

fn ceil(args: &[Value], _: &Context) -> Result<Value> {
    rounded(args, Numeric::ceil, f64::ceil)
}

fn floor(args: &[Value], _: &Context) -> Result<Value> {
    rounded(args, Numeric::floor, f64::floor)
}

fn round(args: &[Value], _: &Context) -> Result<Value> {
    rounded(args, |a| a.round(0), f64::round_ties_even)
}

fn trunc(args: &[Value], _: &Context) -> Result<Value> {
    rounded(args, |a| a.trunc(0), f64::trunc)
}

fn round_to(args: &[Value], _: &Context) -> Result<Value> {
    match args {
        [Value::Numeric(a), Value::Int4(scale)] => a.round(*scale).map(Value::Numeric),
        _ => Err(mismatch()),
    }
}

fn trunc_to(args: &[Value], _: &Context) -> Result<Value> {
    match args {
        [Value::Numeric(a), Value::Int4(scale)] => a.trunc(*scale).map(Value::Numeric),
        _ => Err(mismatch()),
    }
}

fn numeric(args: &[Value], operation: fn(Numeric) -> Result<Numeric>) -> Result<Value> {
    match args {
        [Value::Numeric(a)] => operation(*a).map(Value::Numeric),
        _ => Err(mismatch()),
    }
}

fn sqrt_numeric(args: &[Value], _: &Context) -> Result<Value> {
    numeric(args, Numeric::sqrt)
}

fn exp_numeric(args: &[Value], _: &Context) -> Result<Value> {
    numeric(args, Numeric::exp)
}

fn ln_numeric(args: &[Value], _: &Context) -> Result<Value> {
    numeric(args, Numeric::ln)
}

fn log10_numeric(args: &[Value], _: &Context) -> Result<Value> {
    numeric(args, |a| a.log(Numeric::from_i64(10)))
}

fn log_numeric(args: &[Value], _: &Context) -> Result<Value> {
    match args {
        [Value::Numeric(base), Value::Numeric(a)] => a.log(*base).map(Value::Numeric),
        _ => Err(mismatch()),
    }
}

fn power_numeric(args: &[Value], _: &Context) -> Result<Value> {
    match args {
        [Value::Numeric(a), Value::Numeric(b)] => a.power(*b).map(Value::Numeric),
        _ => Err(mismatch()),
    }
}

fn div_trunc(args: &[Value], _: &Context) -> Result<Value> {
    match args {
        [Value::Numeric(a), Value::Numeric(b)] => {
            let rest = a.rem(*b)?;
            a.sub(rest)?.div(*b)?.round(0).map(Value::Numeric)
        }
        _ => Err(mismatch()),
    }
}

fn scale(args: &[Value], _: &Context) -> Result<Value> {
    match args {
        [Value::Numeric(a)] => Ok(Value::Int4(i32::from(a.scale))),
        _ => Err(mismatch()),
    }
}

fn trim_scale(args: &[Value], _: &Context) -> Result<Value> {
    numeric(args, |a| Ok(a.normalized()))
}

fn float(args: &[Value], operation: fn(f64) -> f64) -> Result<f64> {
    args[0].as_f64().map(operation).ok_or_else(mismatch)
}

fn sqrt_float(args: &[Value], _: &Context) -> Result<Value> {
    if float(args, |a| a)? < 0.0 {
        return Err(argument("cannot take square root of a negative number", b"2201F"));
    }
    float(args, f64::sqrt).map(Value::Float8)
}

fn cbrt(args: &[Value], _: &Context) -> Result<Value> {
    float(args, f64::cbrt).map(Value::Float8)
}

fn exp_float(args: &[Value], _: &Context) -> Result<Value> {
    let a = float(args, |a| a)?;
    let result = checked_float(a.exp(), a.is_infinite())?;
    if result == 0.0 && a.is_finite() { Err(underflow()) } else { Ok(Value::Float8(result)) }
}

fn logarithm(args: &[Value], operation: fn(f64) -> f64) -> Result<Value> {
    let a = float(args, |a| a)?;
    if a == 0.0 {
        return Err(argument("cannot take logarithm of zero", b"2201E"));
    }
    if a < 0.0 {
        return Err(argument("cannot take logarithm of a negative number", b"2201E"));
    }
    Ok(Value::Float8(operation(a)))
}

fn ln_float(args: &[Value], _: &Context) -> Result<Value> {
    logarithm(args, f64::ln)
}

fn log10_float(args: &[Value], _: &Context) -> Result<Value> {
    logarithm(args, f64::log10)
}

fn power_float(args: &[Value], _: &Context) -> Result<Value> {
    let (a, b) = args[0].as_f64().zip(args[1].as_f64()).ok_or_else(mismatch)?;
    if a == 0.0 && b < 0.0 {
        return Err(argument("zero raised to a negative power is undefined", b"2201F"));
    }
    if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 {
        return Err(argument("a negative number raised to a non-integer power yields a complex result", b"2201F"));
    }
    let result = checked_float(a.powf(b), a.is_infinite() || b.is_infinite())?;
    if result == 0.0 && a != 0.0 && a.is_finite() && b.is_finite() { Err(underflow()) } else { Ok(Value::Float8(result)) }
}

macro_rules! plain_float {
    ($($name:ident = $operation:expr;)+) => {
        $(fn $name(args: &[Value], _: &Context) -> Result<Value> {
            float(args, $operation).map(Value::Float8)
        })+
    };
}

plain_float! {
    sin = f64::sin;
    cos = f64::cos;
    tan = f64::tan;
    atan = f64::atan;
    degrees = f64::to_degrees;
    radians = f64::to_radians;
}

fn atan2(args: &[Value], _: &Context) -> Result<Value> {
    let (a, b) = args[0].as_f64().zip(args[1].as_f64()).ok_or_else(mismatch)?;
    Ok(Value::Float8(a.atan2(b)))
}

fn inverse(args: &[Value], operation: fn(f64) -> f64) -> Result<Value> {
    let a = float(args, |a| a)?;
    if a.abs() > 1.0 { Err(argument("input is out of range", b"22003")) } else { Ok(Value::Float8(operation(a))) }
}

fn asin(args: &[Value], _: &Context) -> Result<Value> {
    inverse(args, f64::asin)
}

fn acos(args: &[Value], _: &Context) -> Result<Value> {
    inverse(args, f64::acos)
}

fn pi(_: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Float8(std::f64::consts::PI))
}

/// 53 random bits: uniform in [0, 1).
fn random(_: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::Float8((context.env.ambient.random() >> 11) as f64 / (1u64 << 53) as f64))
}

fn common_divisor(args: &[Value]) -> Result<(u64, u64, u64)> {
    let (a, b) = args[0].as_i64().zip(args[1].as_i64()).ok_or_else(mismatch)?;
    let (mut x, mut y) = (a.unsigned_abs(), b.unsigned_abs());
    while y != 0 {
        (x, y) = (y, x % y);
    }
    Ok((a.unsigned_abs(), b.unsigned_abs(), x))
}

fn sized(args: &[Value], value: u64) -> Result<Value> {
    match &args[0] {
        Value::Int4(_) => i32::try_from(value).map(Value::Int4).map_err(|_| out_of_range("integer")),
        _ => i64::try_from(value).map(Value::Int8).map_err(|_| out_of_range("bigint")),
    }
}

fn gcd(args: &[Value], _: &Context) -> Result<Value> {
    common_divisor(args).and_then(|(_, _, divisor)| sized(args, divisor))
}

fn lcm(args: &[Value], _: &Context) -> Result<Value> {
    let (a, b, divisor) = common_divisor(args)?;
    if divisor == 0 {
        return sized(args, 0);
    }
    sized(args, (a / divisor).checked_mul(b).ok_or_else(|| out_of_range("bigint"))?)
}

macro_rules! float_functions {
    ($($name:literal = $run:ident),+ $(,)?) => {
        [$(function($name, &[FLOAT8], FLOAT8, $run)),+]
    };
}

pub(super) static FLOATS: [Function; 17] = float_functions![
    "sin" = sin,
    "cos" = cos,
    "tan" = tan,
    "asin" = asin,
    "acos" = acos,
    "atan" = atan,
    "degrees" = degrees,
    "radians" = radians,
    "cbrt" = cbrt,
    "sqrt" = sqrt_float,
    "exp" = exp_float,
    "ln" = ln_float,
    "log" = log10_float,
    "log10" = log10_float,
    "sign" = sign,
    "ceil" = ceil,
    "ceiling" = ceil,
];

pub(super) static FUNCTIONS: [Function; 48] = [
    function("abs", &[INT4], INT4, abs),
    function("abs", &[INT8], INT8, abs),
    function("abs", &[INT2], INT2, abs),
    function("abs", &[NUMERIC], NUMERIC, abs),
    function("abs", &[FLOAT8], FLOAT8, abs),
    function("abs", &[FLOAT4], FLOAT4, abs),
    function("sign", &[NUMERIC], NUMERIC, sign),
    function("ceil", &[NUMERIC], NUMERIC, ceil),
    function("ceiling", &[NUMERIC], NUMERIC, ceil),
    function("floor", &[NUMERIC], NUMERIC, floor),
    function("floor", &[FLOAT8], FLOAT8, floor),
    function("round", &[NUMERIC], NUMERIC, round),
    function("round", &[FLOAT8], FLOAT8, round),
    function("round", &[NUMERIC, INT4], NUMERIC, round_to),
    function("trunc", &[NUMERIC], NUMERIC, trunc),
    function("trunc", &[FLOAT8], FLOAT8, trunc),
    function("trunc", &[NUMERIC, INT4], NUMERIC, trunc_to),
    function("mod", &[INT4, INT4], INT4, rem_integers),
    function("mod", &[INT8, INT8], INT8, rem_integers),
    function("mod", &[INT2, INT2], INT2, rem_integers),
    function("mod", &[NUMERIC, NUMERIC], NUMERIC, rem_numerics),
    function("div", &[NUMERIC, NUMERIC], NUMERIC, div_trunc),
    function("sqrt", &[NUMERIC], NUMERIC, sqrt_numeric),
    function("exp", &[NUMERIC], NUMERIC, exp_numeric),
    function("ln", &[NUMERIC], NUMERIC, ln_numeric),
    function("log", &[NUMERIC], NUMERIC, log10_numeric),
    function("log10", &[NUMERIC], NUMERIC, log10_numeric),
    function("log", &[NUMERIC, NUMERIC], NUMERIC, log_numeric),
    function("power", &[NUMERIC, NUMERIC], NUMERIC, power_numeric),
    function("pow", &[NUMERIC, NUMERIC], NUMERIC, power_numeric),
    function("power", &[FLOAT8, FLOAT8], FLOAT8, power_float),
    function("pow", &[FLOAT8, FLOAT8], FLOAT8, power_float),
    function("scale", &[NUMERIC], INT4, scale),
    function("trim_scale", &[NUMERIC], NUMERIC, trim_scale),
    function("atan2", &[FLOAT8, FLOAT8], FLOAT8, atan2),
    function("pi", &[], FLOAT8, pi),
    function("random", &[], FLOAT8, random).volatile(),
    function("gcd", &[INT4, INT4], INT4, gcd),
    function("gcd", &[INT8, INT8], INT8, gcd),
    function("lcm", &[INT4, INT4], INT4, lcm),
    function("lcm", &[INT8, INT8], INT8, lcm),
    function("bool", &[INT4], BOOL, to_bool),
    function("int4", &[BOOL], INT4, to_int),
    function("float8", &[NUMERIC], FLOAT8, to_float),
    function("float8", &[INT8], FLOAT8, to_float),
    function("numeric", &[INT8], NUMERIC, to_numeric),
    function("int8", &[INT4], INT8, to_bigint),
    function("int4", &[INT8], INT4, to_int),
];

fn to_bool(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Bool(args[0].as_i64() != Some(0)))
}

fn to_int(args: &[Value], _: &Context) -> Result<Value> {
    match &args[0] {
        Value::Bool(value) => Ok(Value::Int4(i32::from(*value))),
        other => {
            let value = other.as_i64().ok_or_else(mismatch)?;
            i32::try_from(value).map(Value::Int4).map_err(|_| out_of_range("integer"))
        }
    }
}

fn to_bigint(args: &[Value], _: &Context) -> Result<Value> {
    args[0].as_i64().map(Value::Int8).ok_or_else(mismatch)
}

fn to_float(args: &[Value], _: &Context) -> Result<Value> {
    match &args[0] {
        Value::Numeric(value) => Ok(Value::Float8(value.to_f64())),
        other => other.as_i64().map(|value| Value::Float8(value as f64)).ok_or_else(mismatch),
    }
}

fn to_numeric(args: &[Value], _: &Context) -> Result<Value> {
    args[0].as_i64().map(|value| Value::Numeric(Numeric::from_i64(value))).ok_or_else(mismatch)
}

pub(super) static OPERATORS: [Function; 10] = [
    function("^", &[FLOAT8, FLOAT8], FLOAT8, power_float),
    function("^", &[NUMERIC, NUMERIC], NUMERIC, power_numeric),
    function("|/", &[FLOAT8], FLOAT8, sqrt_float),
    function("||/", &[FLOAT8], FLOAT8, cbrt),
    function("@", &[INT4], INT4, abs),
    function("@", &[INT8], INT8, abs),
    function("@", &[INT2], INT2, abs),
    function("@", &[NUMERIC], NUMERIC, abs),
    function("@", &[FLOAT8], FLOAT8, abs),
    function("@", &[FLOAT4], FLOAT4, abs),
];
