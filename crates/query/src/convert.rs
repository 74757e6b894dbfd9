//! SQL values into Arrow arrays, and back.
//!
//! Dates and times count from 2000-01-01 in values and from 1970-01-01 in arrays; the infinities stay what they are.

use crate::error::raise;
use crate::types::{NUMERIC_PRECISION, NUMERIC_SCALE, PgType, QUOTIENT_SCALE, oid};
use base::SqlState;
use bytes::Bytes;
use datafusion::arrow::array::*;
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::*;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use sql::value::{Interval, Numeric, Value};
use std::sync::Arc;

/// Days and microseconds from 1970-01-01 to 2000-01-01.
pub const EPOCH_DAYS: i32 = 10_957;
pub const EPOCH_MICROS: i64 = 946_684_800_000_000;
const NANOS_PER_MICRO: i64 = 1000;

/// Collects the values of one column.
pub enum ColumnBuilder {
    Bool(BooleanBuilder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    Oid(UInt32Builder),
    Float4(Float32Builder),
    Float8(Float64Builder),
    Numeric(Decimal128Builder, i8),
    Text(StringBuilder),
    Bytea(BinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    TimestampTz(TimestampMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
    Uuid(FixedSizeBinaryBuilder),
    List { items: Box<ColumnBuilder>, field: FieldRef, offsets: Vec<i32>, valid: Vec<bool> },
}

impl ColumnBuilder {
    pub fn new(data_type: &DataType, capacity: usize) -> Result<ColumnBuilder> {
        Ok(match data_type {
            DataType::Boolean => ColumnBuilder::Bool(BooleanBuilder::with_capacity(capacity)),
            DataType::Int16 => ColumnBuilder::Int2(Int16Builder::with_capacity(capacity)),
            DataType::Int32 => ColumnBuilder::Int4(Int32Builder::with_capacity(capacity)),
            DataType::Int64 => ColumnBuilder::Int8(Int64Builder::with_capacity(capacity)),
            DataType::UInt32 => ColumnBuilder::Oid(UInt32Builder::with_capacity(capacity)),
            DataType::Float32 => ColumnBuilder::Float4(Float32Builder::with_capacity(capacity)),
            DataType::Float64 => ColumnBuilder::Float8(Float64Builder::with_capacity(capacity)),
            DataType::Decimal128(_, scale) => {
                ColumnBuilder::Numeric(Decimal128Builder::with_capacity(capacity).with_data_type(data_type.clone()), *scale)
            }
            DataType::Utf8 => ColumnBuilder::Text(StringBuilder::with_capacity(capacity, capacity * 16)),
            DataType::Binary => ColumnBuilder::Bytea(BinaryBuilder::with_capacity(capacity, capacity * 16)),
            DataType::Date32 => ColumnBuilder::Date(Date32Builder::with_capacity(capacity)),
            DataType::Time64(TimeUnit::Microsecond) => ColumnBuilder::Time(Time64MicrosecondBuilder::with_capacity(capacity)),
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                ColumnBuilder::Timestamp(TimestampMicrosecondBuilder::with_capacity(capacity))
            }
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
                ColumnBuilder::TimestampTz(TimestampMicrosecondBuilder::with_capacity(capacity).with_data_type(data_type.clone()))
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => ColumnBuilder::Interval(IntervalMonthDayNanoBuilder::with_capacity(capacity)),
            DataType::FixedSizeBinary(16) => ColumnBuilder::Uuid(FixedSizeBinaryBuilder::with_capacity(capacity, 16)),
            DataType::List(field) => ColumnBuilder::List {
                items: Box::new(ColumnBuilder::new(field.data_type(), capacity)?),
                field: field.clone(),
                offsets: vec![0],
                valid: Vec::with_capacity(capacity),
            },
            other => return Err(crate::error::unsupported(format!("a column of type {other}"))),
        })
    }

    pub fn push(&mut self, value: &Value) -> Result<()> {
        match (self, value) {
            (ColumnBuilder::List { items, offsets, valid, .. }, value) => return push_list(items, offsets, valid, value),
            (builder, Value::Null) => builder.push_null(),
            (ColumnBuilder::Bool(b), Value::Bool(v)) => b.append_value(*v),
            (ColumnBuilder::Int2(b), Value::Int2(v)) => b.append_value(*v),
            (ColumnBuilder::Int4(b), Value::Int2(v)) => b.append_value(i32::from(*v)),
            (ColumnBuilder::Int4(b), Value::Int4(v)) => b.append_value(*v),
            (ColumnBuilder::Int8(b), Value::Int2(v)) => b.append_value(i64::from(*v)),
            (ColumnBuilder::Int8(b), Value::Int4(v)) => b.append_value(i64::from(*v)),
            (ColumnBuilder::Int8(b), Value::Oid(v)) => b.append_value(i64::from(*v)),
            (ColumnBuilder::Int8(b), Value::Int8(v)) => b.append_value(*v),
            (ColumnBuilder::Oid(b), value) => b.append_value(oid_of(value)?),
            (ColumnBuilder::Float4(b), Value::Float4(v)) => b.append_value(*v),
            (ColumnBuilder::Float8(b), Value::Float4(v)) => b.append_value(f64::from(*v)),
            (ColumnBuilder::Float8(b), Value::Float8(v)) => b.append_value(*v),
            (ColumnBuilder::Numeric(b, scale), value) => b.append_value(decimal_of(value, *scale)?),
            (ColumnBuilder::Text(b), Value::Text(v) | Value::Json(v) | Value::Jsonb(v)) => b.append_value(v.as_ref()),
            (ColumnBuilder::Bytea(b), Value::Bytea(v)) => b.append_value(v.as_ref()),
            (ColumnBuilder::Date(b), Value::Date(v)) => b.append_value(date_to_arrow(*v)),
            (ColumnBuilder::Time(b), Value::Time(v)) => b.append_value(*v),
            (ColumnBuilder::Timestamp(b), Value::Timestamp(v)) | (ColumnBuilder::TimestampTz(b), Value::TimestampTz(v)) => {
                b.append_value(micros_to_arrow(*v)?)
            }
            (ColumnBuilder::Interval(b), Value::Interval(v)) => b.append_value(interval_to_arrow(*v)?),
            (ColumnBuilder::Uuid(b), Value::Uuid(v)) => b.append_value(v.to_be_bytes())?,
            (_, value) => return Err(external_mismatch(value)),
        }
        Ok(())
    }

    /// As [`ColumnBuilder::push`], but a computed number may have more digits behind the point than the column: they are rounded
    /// away as PostgreSQL rounds, half away from zero.
    pub fn push_rounded(&mut self, value: &Value) -> Result<()> {
        match (&mut *self, value) {
            (ColumnBuilder::Numeric(b, scale), Value::Numeric(numeric)) if i16::from(numeric.scale) > i16::from(*scale) => {
                b.append_value(round_digits(numeric.digits, i16::from(numeric.scale) - i16::from(*scale)));
                Ok(())
            }
            _ => self.push(value),
        }
    }

    pub fn push_null(&mut self) {
        match self {
            ColumnBuilder::Bool(b) => b.append_null(),
            ColumnBuilder::Int2(b) => b.append_null(),
            ColumnBuilder::Int4(b) => b.append_null(),
            ColumnBuilder::Int8(b) => b.append_null(),
            ColumnBuilder::Oid(b) => b.append_null(),
            ColumnBuilder::Float4(b) => b.append_null(),
            ColumnBuilder::Float8(b) => b.append_null(),
            ColumnBuilder::Numeric(b, _) => b.append_null(),
            ColumnBuilder::Text(b) => b.append_null(),
            ColumnBuilder::Bytea(b) => b.append_null(),
            ColumnBuilder::Date(b) => b.append_null(),
            ColumnBuilder::Time(b) => b.append_null(),
            ColumnBuilder::Timestamp(b) | ColumnBuilder::TimestampTz(b) => b.append_null(),
            ColumnBuilder::Interval(b) => b.append_null(),
            ColumnBuilder::Uuid(b) => b.append_null(),
            ColumnBuilder::List { offsets, valid, .. } => {
                offsets.push(*offsets.last().expect("offsets start with 0"));
                valid.push(false);
            }
        }
    }

    pub fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            ColumnBuilder::Bool(b) => Arc::new(b.finish()),
            ColumnBuilder::Int2(b) => Arc::new(b.finish()),
            ColumnBuilder::Int4(b) => Arc::new(b.finish()),
            ColumnBuilder::Int8(b) => Arc::new(b.finish()),
            ColumnBuilder::Oid(b) => Arc::new(b.finish()),
            ColumnBuilder::Float4(b) => Arc::new(b.finish()),
            ColumnBuilder::Float8(b) => Arc::new(b.finish()),
            ColumnBuilder::Numeric(b, _) => Arc::new(b.finish()),
            ColumnBuilder::Text(b) => Arc::new(b.finish()),
            ColumnBuilder::Bytea(b) => Arc::new(b.finish()),
            ColumnBuilder::Date(b) => Arc::new(b.finish()),
            ColumnBuilder::Time(b) => Arc::new(b.finish()),
            ColumnBuilder::Timestamp(b) | ColumnBuilder::TimestampTz(b) => Arc::new(b.finish()),
            ColumnBuilder::Interval(b) => Arc::new(b.finish()),
            ColumnBuilder::Uuid(b) => Arc::new(b.finish()),
            ColumnBuilder::List { items, field, offsets, valid } => {
                let offsets = OffsetBuffer::new(std::mem::replace(offsets, vec![0]).into());
                let nulls = NullBuffer::from(std::mem::take(valid));
                Arc::new(ListArray::try_new(field.clone(), offsets, items.finish()?, Some(nulls))?)
            }
        })
    }
}

fn push_list(items: &mut ColumnBuilder, offsets: &mut Vec<i32>, valid: &mut Vec<bool>, value: &Value) -> Result<()> {
    let end = *offsets.last().expect("offsets start with 0");
    let added = match value {
        Value::Null => 0,
        Value::Array(elements) => {
            for element in elements.iter() {
                items.push(element)?;
            }
            i32::try_from(elements.len()).map_err(|_| raise(SqlState::PROGRAM_LIMIT_EXCEEDED, "array is too large"))?
        }
        other => return Err(external_mismatch(other)),
    };
    valid.push(!matches!(value, Value::Null));
    offsets.push(end.checked_add(added).ok_or_else(|| raise(SqlState::PROGRAM_LIMIT_EXCEEDED, "arrays are too large"))?);
    Ok(())
}

fn external_mismatch(value: &Value) -> DataFusionError {
    raise(SqlState::DATA_CORRUPTED, format!("a stored value is not of its column's type: {value:?}"))
}

fn oid_of(value: &Value) -> Result<u32> {
    match value {
        Value::Oid(v) => Ok(*v),
        Value::Int4(v) => Ok(*v as u32),
        Value::Int8(v) => u32::try_from(*v).map_err(|_| raise(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "OID out of range")),
        other => Err(external_mismatch(other)),
    }
}

fn decimal_of(value: &Value, scale: i8) -> Result<i128> {
    match value {
        Value::Numeric(numeric) => {
            rescale(numeric.digits, i16::from(numeric.scale), i16::from(scale)).ok_or_else(|| numeric_too_wide(scale))
        }
        Value::Int2(v) => rescale(i128::from(*v), 0, i16::from(scale)).ok_or_else(|| numeric_too_wide(scale)),
        Value::Int4(v) => rescale(i128::from(*v), 0, i16::from(scale)).ok_or_else(|| numeric_too_wide(scale)),
        Value::Int8(v) => rescale(i128::from(*v), 0, i16::from(scale)).ok_or_else(|| numeric_too_wide(scale)),
        other => Err(external_mismatch(other)),
    }
}

pub fn numeric_too_wide(scale: i8) -> DataFusionError {
    let digits = NUMERIC_PRECISION as i8 - scale;
    raise(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("numeric field overflow: this query holds {digits} digits before and {scale} after the decimal point"),
    )
}

/// The same number with another scale; `None` if that needs more than 38 digits or loses one.
pub fn rescale(digits: i128, from: i16, to: i16) -> Option<i128> {
    let power = 10i128.checked_pow(u32::from(from.abs_diff(to)))?;
    let rescaled = if to >= from {
        digits.checked_mul(power)?
    } else if digits % power == 0 {
        digits / power
    } else {
        return None;
    };
    (rescaled.unsigned_abs() < 10u128.pow(u32::from(NUMERIC_PRECISION))).then_some(rescaled)
}

/// Without the last `count` digits, rounded half away from zero.
pub fn round_digits(digits: i128, count: i16) -> i128 {
    let Some(power) = u32::try_from(count).ok().and_then(|count| 10i128.checked_pow(count)) else { return 0 };
    let (quotient, rest) = (digits / power, digits % power);
    if rest.unsigned_abs() * 2 >= power.unsigned_abs() { quotient + digits.signum() } else { quotient }
}

pub fn date_to_arrow(days: i32) -> i32 {
    if days == i32::MAX || days == i32::MIN { days } else { days.saturating_add(EPOCH_DAYS) }
}

pub fn date_from_arrow(days: i32) -> i32 {
    if days == i32::MAX || days == i32::MIN { days } else { days.saturating_sub(EPOCH_DAYS) }
}

pub fn micros_to_arrow(micros: i64) -> Result<i64> {
    if micros == i64::MAX || micros == i64::MIN {
        return Ok(micros);
    }
    micros.checked_add(EPOCH_MICROS).ok_or_else(|| raise(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range"))
}

pub fn micros_from_arrow(micros: i64) -> i64 {
    if micros == i64::MAX || micros == i64::MIN { micros } else { micros.saturating_sub(EPOCH_MICROS) }
}

pub fn interval_to_arrow(interval: Interval) -> Result<IntervalMonthDayNano> {
    let nanos =
        interval.micros.checked_mul(NANOS_PER_MICRO).ok_or_else(|| raise(SqlState::INTERVAL_FIELD_OVERFLOW, "interval out of range"))?;
    Ok(IntervalMonthDayNano::new(interval.months, interval.days, nanos))
}

pub fn interval_from_arrow(interval: IntervalMonthDayNano) -> Interval {
    Interval { months: interval.months, days: interval.days, micros: interval.nanoseconds / NANOS_PER_MICRO }
}

/// Reads values of one PostgreSQL type out of an array.
pub struct ColumnReader<'a> {
    array: &'a dyn Array,
    ty: PgType,
}

impl<'a> ColumnReader<'a> {
    pub fn new(array: &'a dyn Array, ty: PgType) -> ColumnReader<'a> {
        ColumnReader { array, ty }
    }

    pub fn value(&self, row: usize) -> Result<Value> {
        if self.array.is_null(row) {
            return Ok(Value::Null);
        }
        read(self.array, row, self.ty)
    }
}

fn read(array: &dyn Array, row: usize, ty: PgType) -> Result<Value> {
    Ok(match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int8 => Value::Int2(i16::from(array.as_primitive::<Int8Type>().value(row))),
        DataType::Int16 => Value::Int2(array.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => Value::Int4(array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => Value::Int8(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt32 => Value::Oid(array.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => {
            let value = i64::try_from(array.as_primitive::<UInt64Type>().value(row));
            Value::Int8(value.map_err(|_| raise(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"))?)
        }
        DataType::Float32 => Value::Float4(array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => Value::Float8(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => Value::Numeric(numeric_from_arrow(array.as_primitive::<Decimal128Type>().value(row), *scale, ty)),
        DataType::Utf8 => text(array.as_string::<i32>().value(row), ty),
        DataType::LargeUtf8 => text(array.as_string::<i64>().value(row), ty),
        DataType::Utf8View => text(array.as_string_view().value(row), ty),
        DataType::Binary => Value::Bytea(Bytes::copy_from_slice(array.as_binary::<i32>().value(row))),
        DataType::LargeBinary => Value::Bytea(Bytes::copy_from_slice(array.as_binary::<i64>().value(row))),
        DataType::BinaryView => Value::Bytea(Bytes::copy_from_slice(array.as_binary_view().value(row))),
        DataType::FixedSizeBinary(16) => {
            let bytes: [u8; 16] = array.as_fixed_size_binary().value(row).try_into().expect("16 bytes by the type");
            Value::Uuid(u128::from_be_bytes(bytes))
        }
        DataType::Date32 => Value::Date(date_from_arrow(array.as_primitive::<Date32Type>().value(row))),
        DataType::Time64(TimeUnit::Microsecond) => Value::Time(array.as_primitive::<Time64MicrosecondType>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = micros_from_arrow(array.as_primitive::<TimestampMicrosecondType>().value(row));
            if zone.is_some() { Value::TimestampTz(micros) } else { Value::Timestamp(micros) }
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            Value::Interval(interval_from_arrow(array.as_primitive::<IntervalMonthDayNanoType>().value(row)))
        }
        DataType::List(_) => list(array.as_list::<i32>().value(row), ty)?,
        DataType::LargeList(_) => list(array.as_list::<i64>().value(row), ty)?,
        DataType::FixedSizeList(_, _) => list(array.as_fixed_size_list().value(row), ty)?,
        other => return Err(crate::error::unsupported(format!("a result of type {other}"))),
    })
}

fn text(text: &str, ty: PgType) -> Value {
    match ty.oid {
        oid::JSON => Value::Json(Arc::from(text)),
        oid::JSONB => Value::Jsonb(Arc::from(text)),
        _ => Value::Text(Arc::from(text)),
    }
}

fn list(items: ArrayRef, ty: PgType) -> Result<Value> {
    let element = ty.element().unwrap_or(PgType::of_arrow(items.data_type()));
    let reader = ColumnReader::new(items.as_ref(), element);
    let values: Result<Vec<Value>> = (0..items.len()).map(|row| reader.value(row)).collect();
    Ok(Value::Array(values?.into()))
}

/// Where the type has no scale of its own: zeros at the end that only the engine's scale added are dropped, and a quotient
/// gets the digits that PostgreSQL shows.
fn numeric_from_arrow(digits: i128, scale: i8, ty: PgType) -> Numeric {
    let plain = Numeric { digits, scale: u8::try_from(scale).unwrap_or(0) };
    match (ty.oid == oid::NUMERIC && ty.modifier < 0, scale) {
        (true, NUMERIC_SCALE) => without_zeros(plain),
        (true, QUOTIENT_SCALE) => shown_quotient(plain),
        _ => plain,
    }
}

fn without_zeros(mut numeric: Numeric) -> Numeric {
    while numeric.scale > 0 && numeric.digits % 10 == 0 {
        numeric.digits /= 10;
        numeric.scale -= 1;
    }
    numeric
}

/// At least 16 significant digits in groups of four, as numeric.c counts them.
fn shown_quotient(numeric: Numeric) -> Numeric {
    const SIGNIFICANT_MIN: i16 = 16;
    const GROUP: i16 = 4;
    let one = 10u128.pow(u32::from(numeric.scale));
    let whole = numeric.digits.unsigned_abs() / one;
    let exactly_one = numeric.digits.unsigned_abs() == one;
    let weight = if whole == 0 || exactly_one { -1 } else { whole.ilog10() as i16 / GROUP };
    let scale = if numeric.digits == 0 { SIGNIFICANT_MIN } else { (SIGNIFICANT_MIN - weight * GROUP).clamp(0, i16::from(numeric.scale)) };
    Numeric { digits: round_digits(numeric.digits, i16::from(numeric.scale) - scale), scale: scale as u8 }
}

/// One value as an array of one, as the planner wants its parameters and constants.
pub fn scalar(value: &Value, data_type: &DataType) -> Result<ScalarValue> {
    let mut builder = ColumnBuilder::new(data_type, 1)?;
    builder.push(value)?;
    ScalarValue::try_from_array(&builder.finish()?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_went_in() {
        let cases = [
            (oid::BOOL, Value::Bool(true)),
            (oid::INT2, Value::Int2(-7)),
            (oid::INT4, Value::Int4(i32::MIN)),
            (oid::INT8, Value::Int8(i64::MAX)),
            (oid::OID, Value::Oid(4_000_000_000)),
            (oid::FLOAT8, Value::Float8(0.1)),
            (oid::TEXT, Value::Text(Arc::from("päß"))),
            (oid::JSONB, Value::Jsonb(Arc::from("{}"))),
            (oid::BYTEA, Value::Bytea(Bytes::from_static(b"\0\x01"))),
            (oid::DATE, Value::Date(-1)),
            (oid::DATE, Value::Date(i32::MAX)),
            (oid::TIME, Value::Time(1)),
            (oid::TIMESTAMP, Value::Timestamp(0)),
            (oid::TIMESTAMPTZ, Value::TimestampTz(i64::MIN)),
            (oid::INTERVAL, Value::Interval(Interval { months: 1, days: -2, micros: 3 })),
            (oid::UUID, Value::Uuid(1 << 100)),
            (oid::INT4_ARRAY, Value::Array(Arc::from([Value::Int4(1), Value::Null]))),
            (oid::TEXT, Value::Null),
        ];
        for (oid, value) in cases {
            let ty = PgType::of(oid);
            let mut builder = ColumnBuilder::new(&ty.arrow().expect("a known type"), 1).expect("a builder");
            builder.push(&value).expect("fits");
            let array = builder.finish().expect("an array");
            assert_eq!(ColumnReader::new(array.as_ref(), ty).value(0).expect("readable"), value);
        }
    }

    #[test]
    fn numeric_is_never_rounded_on_the_way_in() {
        assert_eq!(rescale(15, 1, 3), Some(1500));
        assert_eq!(rescale(1500, 3, 1), Some(15));
        assert_eq!(rescale(151, 2, 1), None);
        assert_eq!(rescale(10i128.pow(37), 0, 2), None);
    }
}
