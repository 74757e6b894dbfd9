//! `+ - * / %` on numbers, a column at a time: overflow and division by zero are errors, `numeric` is exact.

use crate::convert::{numeric_too_wide, rescale};
use crate::error::{external, raise};
use crate::types::{NUMERIC_PRECISION, PgType, QUOTIENT_SCALE, oid, result_field};
use base::{Error, SqlState};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, PrimitiveArray,
};
use datafusion::arrow::compute::{cast, kernels};
use datafusion::arrow::datatypes::*;
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// Fractional digits that a product keeps at most, if its factors have fewer.
const PRODUCT_SCALE_MAX: i8 = 18;

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Arithmetic {
    operation: Operation,
    signature: Signature,
}

impl Arithmetic {
    pub fn udf(operation: Operation) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(Arithmetic { operation, signature: Signature::any(2, Volatility::Immutable) }))
    }
}

/// The type that both sides are brought to: PostgreSQL's preferences among numbers.
pub fn common(left: PgType, right: PgType) -> PgType {
    let rank = |ty: PgType| match ty.oid {
        oid::INT2 => 0,
        oid::INT4 => 1,
        oid::INT8 => 2,
        oid::NUMERIC => 3,
        oid::FLOAT4 => 4,
        _ => 5,
    };
    // `real` with anything but itself is computed in double precision.
    match (left.oid == oid::FLOAT4, right.oid == oid::FLOAT4) {
        (true, true) => PgType::of(oid::FLOAT4),
        (true, false) | (false, true) => PgType::of(oid::FLOAT8),
        _ => PgType::of(if rank(left) >= rank(right) { left.oid } else { right.oid }),
    }
}

fn scale_of(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    }
}

impl Operation {
    fn symbol(self) -> &'static str {
        match self {
            Operation::Add => "+",
            Operation::Subtract => "-",
            Operation::Multiply => "*",
            Operation::Divide => "/",
            Operation::Modulo => "%",
        }
    }

    fn scale(self, left: i8, right: i8) -> i8 {
        let wider = left.max(right);
        match self {
            Operation::Add | Operation::Subtract | Operation::Modulo => wider,
            Operation::Multiply => (left + right).min(wider.max(PRODUCT_SCALE_MAX)),
            Operation::Divide => wider.max(QUOTIENT_SCALE),
        }
    }

    fn result(self, left: &DataType, right: &DataType) -> Result<(PgType, DataType)> {
        let ty = common(PgType::of_arrow(left), PgType::of_arrow(right));
        let carrier = match ty.oid {
            oid::NUMERIC => DataType::Decimal128(NUMERIC_PRECISION, self.scale(scale_of(left), scale_of(right))),
            _ => ty.arrow().ok_or_else(|| external(Error::internal("a number without a carrier")))?,
        };
        Ok((ty, carrier))
    }
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        self.operation.symbol()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(self.operation.result(&types[0], &types[1])?.1)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let (ty, carrier) = self.operation.result(args.arg_fields[0].data_type(), args.arg_fields[1].data_type())?;
        Ok(result_field(self.name(), ty, carrier))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let (left, right) = (args.args[0].to_array(rows)?, args.args[1].to_array(rows)?);
        let carrier = args.return_field.data_type();
        let result = match carrier {
            DataType::Decimal128(_, scale) => decimals(self.operation, &left, &right, *scale)?,
            _ => {
                let (left, right) = (cast(&left, carrier)?, cast(&right, carrier)?);
                match carrier {
                    DataType::Float32 => floats32(self.operation, left.as_primitive(), right.as_primitive())?,
                    DataType::Float64 => floats64(self.operation, left.as_primitive(), right.as_primitive())?,
                    _ => integers(self.operation, &left, &right, carrier)?,
                }
            }
        };
        if constant { Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)) } else { Ok(ColumnarValue::Array(result)) }
    }
}

fn out_of_range(data_type: &DataType) -> datafusion::common::DataFusionError {
    let name = match data_type {
        DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        _ => "value",
    };
    raise(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range"))
}

fn division_by_zero() -> datafusion::common::DataFusionError {
    raise(SqlState::DIVISION_BY_ZERO, "division by zero")
}

fn integers(operation: Operation, left: &ArrayRef, right: &ArrayRef, carrier: &DataType) -> Result<ArrayRef> {
    let result = match operation {
        Operation::Add => kernels::numeric::add(left, right),
        Operation::Subtract => kernels::numeric::sub(left, right),
        Operation::Multiply => kernels::numeric::mul(left, right),
        Operation::Divide => kernels::numeric::div(left, right),
        Operation::Modulo => return modulo(left, right, carrier),
    };
    result.map_err(|error| match error {
        ArrowError::DivideByZero => division_by_zero(),
        _ => out_of_range(carrier),
    })
}

/// The least number modulo -1 is 0, not an overflow.
fn modulo(left: &ArrayRef, right: &ArrayRef, carrier: &DataType) -> Result<ArrayRef> {
    macro_rules! each {
        ($array:ty, $number:ty) => {
            binary(
                left.as_primitive(),
                right.as_primitive(),
                |a: $number, b: $number| if b == 0 { Err(division_by_zero()) } else { Ok(a.wrapping_rem(b)) },
            )
            .map(|array: $array| Arc::new(array) as ArrayRef)
        };
    }
    match carrier {
        DataType::Int16 => each!(Int16Array, i16),
        DataType::Int32 => each!(Int32Array, i32),
        _ => each!(Int64Array, i64),
    }
}

/// Element by element, NULL where either side is.
fn binary<T: ArrowPrimitiveType>(
    left: &PrimitiveArray<T>,
    right: &PrimitiveArray<T>,
    compute: impl Fn(T::Native, T::Native) -> Result<T::Native>,
) -> Result<PrimitiveArray<T>> {
    let mut result = PrimitiveArray::<T>::builder(left.len());
    for row in 0..left.len() {
        if left.is_null(row) || right.is_null(row) {
            result.append_null();
        } else {
            result.append_value(compute(left.value(row), right.value(row))?);
        }
    }
    Ok(result.finish())
}

macro_rules! floats {
    ($name:ident, $array:ty, $number:ty) => {
        fn $name(operation: Operation, left: &$array, right: &$array) -> Result<ArrayRef> {
            let compute = |a: $number, b: $number| -> Result<$number> {
                if b == 0.0 && matches!(operation, Operation::Divide | Operation::Modulo) && !a.is_nan() {
                    return Err(division_by_zero());
                }
                let result = match operation {
                    Operation::Add => a + b,
                    Operation::Subtract => a - b,
                    Operation::Multiply => a * b,
                    Operation::Divide => a / b,
                    Operation::Modulo => a % b,
                };
                if result.is_infinite() && a.is_finite() && b.is_finite() {
                    return Err(raise(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"));
                }
                let vanished =
                    result == 0.0 && a != 0.0 && b.is_finite() && b != 0.0 && matches!(operation, Operation::Multiply | Operation::Divide);
                if vanished && a.is_finite() {
                    return Err(raise(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow"));
                }
                Ok(result)
            };
            Ok(Arc::new(binary(left, right, compute)?))
        }
    };
}

floats!(floats32, Float32Array, f32);
floats!(floats64, Float64Array, f64);

/// As decimal digits with their scale.
fn digits(array: &ArrayRef) -> Result<(Decimal128Array, i8)> {
    let data_type = match array.data_type() {
        DataType::Decimal128(_, scale) => DataType::Decimal128(NUMERIC_PRECISION, *scale),
        _ => DataType::Decimal128(NUMERIC_PRECISION, 0),
    };
    let scale = scale_of(&data_type);
    let array = cast(array, &data_type)?;
    Ok((array.as_primitive::<Decimal128Type>().clone(), scale))
}

fn decimals(operation: Operation, left: &ArrayRef, right: &ArrayRef, scale: i8) -> Result<ArrayRef> {
    let ((left, left_scale), (right, right_scale)) = (digits(left)?, digits(right)?);
    let compute = |a: i128, b: i128| {
        let result = match operation {
            Operation::Multiply => product(a, b, left_scale + right_scale - scale),
            Operation::Divide if b == 0 => return Err(division_by_zero()),
            Operation::Divide => quotient(a, b, i16::from(scale) + i16::from(right_scale) - i16::from(left_scale)),
            _ => same_scale(operation, a, b, [left_scale, right_scale, scale])?,
        };
        result.filter(|digits| digits.unsigned_abs() < 10u128.pow(u32::from(NUMERIC_PRECISION))).ok_or_else(|| numeric_too_wide(scale))
    };
    let result: Decimal128Array = binary(&left, &right, compute)?;
    Ok(Arc::new(result.with_data_type(DataType::Decimal128(NUMERIC_PRECISION, scale))))
}

/// Operations for which both sides first get the result's scale.
fn same_scale(operation: Operation, a: i128, b: i128, [left, right, scale]: [i8; 3]) -> Result<Option<i128>> {
    let (Some(a), Some(b)) = (rescale(a, i16::from(left), i16::from(scale)), rescale(b, i16::from(right), i16::from(scale))) else {
        return Ok(None);
    };
    Ok(match operation {
        Operation::Add => a.checked_add(b),
        Operation::Subtract => a.checked_sub(b),
        _ if b == 0 => return Err(division_by_zero()),
        _ => a.checked_rem(b),
    })
}

/// `a * b` without its last `surplus` digits, rounded half away from zero.
fn product(a: i128, b: i128, surplus: i8) -> Option<i128> {
    match a.checked_mul(b) {
        Some(product) => Some(crate::convert::round_digits(product, i16::from(surplus))),
        None => {
            let product = i256::from_i128(a).checked_mul(i256::from_i128(b))?;
            divide_rounded(product, power(u32::try_from(surplus).ok()?)?)
        }
    }
}

/// `a * 10^shift / b`, rounded half away from zero.
fn quotient(a: i128, b: i128, shift: i16) -> Option<i128> {
    let factor = power(u32::from(shift.unsigned_abs()))?;
    if shift >= 0 {
        divide_rounded(i256::from_i128(a).checked_mul(factor)?, i256::from_i128(b))
    } else {
        divide_rounded(i256::from_i128(a), i256::from_i128(b).checked_mul(factor)?)
    }
}

fn power(exponent: u32) -> Option<i256> {
    i256::from_i128(10).checked_pow(exponent)
}

fn divide_rounded(numerator: i256, denominator: i256) -> Option<i128> {
    let quotient = numerator.checked_div(denominator)?;
    let rest = numerator.checked_rem(denominator)?;
    let away = rest.wrapping_abs().checked_mul(i256::from_i128(2))? >= denominator.wrapping_abs();
    let step = if (numerator < i256::ZERO) == (denominator < i256::ZERO) { i256::ONE } else { i256::MINUS_ONE };
    (if away { quotient.checked_add(step)? } else { quotient }).to_i128()
}

/// The mean that `avg` gives: `sum / count` with `scale` digits behind the point.
pub fn mean(sum: i128, sum_scale: i8, count: i64, scale: i8) -> Option<i128> {
    quotient(sum, i128::from(count), i16::from(scale) - i16::from(sum_scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_round_half_away_from_zero() {
        assert_eq!(quotient(1, 3, 4), Some(3333));
        assert_eq!(quotient(2, 3, 4), Some(6667));
        assert_eq!(quotient(-2, 3, 4), Some(-6667));
        assert_eq!(quotient(25, 1, -1), Some(3));
        assert_eq!(quotient(-25, 1, -1), Some(-3));
    }

    #[test]
    fn products_too_wide_for_the_machine_are_still_exact() {
        let wide = 10i128.pow(20) + 7;
        assert_eq!(product(wide, wide, 20), Some((wide * (10i128.pow(20) / 10i128.pow(20))) + 7));
        assert_eq!(product(10i128.pow(30), 10i128.pow(30), 0), None);
    }
}
