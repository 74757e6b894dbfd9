//! SQL values in memory: their equality, order and hash, which are PostgreSQL's.
//!
//! A value does not know its exact type: `text`, `varchar`, `char(n)` and `name` are all `Text`. Where it matters
//! (`char(n)` compares without trailing blanks) the expression knows the type and says so.

use crate::types::json;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use crate::types::numeric::Numeric;

/// One value. Date and time types are PostgreSQL's: microseconds or days from 2000-01-01; the smallest and the largest number are
/// minus infinity and infinity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Value {
    Null,
    Bool(bool),
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Float4(f32),
    Float8(f64),
    Numeric(Numeric),
    /// Of all string types. `char(n)` is kept with its blanks.
    Text(Arc<str>),
    Bytea(Bytes),
    Date(i32),
    Time(i64),
    Timestamp(i64),
    TimestampTz(i64),
    Interval(Interval),
    Uuid(u128),
    Json(Arc<str>),
    /// Canonical text: keys sorted by length then bytes, duplicates removed, as PostgreSQL prints jsonb.
    Jsonb(Arc<str>),
    /// One-dimensional; elements share a type. Only what the catalog and `= ANY($1)` need.
    Array(Arc<[Value]>),
    /// Of `oid` and the `reg…` types.
    Oid(u32),
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

impl Value {
    pub fn text(text: &str) -> Value {
        Value::Text(Arc::from(text))
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// `None` for anything but a boolean: three-valued logic's unknown.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Json(text) | Value::Jsonb(text) => Some(text),
            _ => None,
        }
    }

    /// Of any integer type.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int2(value) => Some(i64::from(*value)),
            Value::Int4(value) => Some(i64::from(*value)),
            Value::Int8(value) => Some(*value),
            Value::Oid(value) => Some(i64::from(*value)),
            _ => None,
        }
    }

    /// Of either floating type.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Float4(value) => Some(f64::from(*value)),
            Value::Float8(value) => Some(*value),
            _ => None,
        }
    }

    /// A total order: within a type PostgreSQL's, NULL last and equal to itself (as `ORDER BY` and `GROUP BY` have it). Integers
    /// of different widths compare by value, and so do the floating types; other pairs of types by the order of the types.
    pub fn compare(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Int4(a), Value::Int4(b)) => a.cmp(b),
            (Value::Int8(a), Value::Int8(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Value::Null, Value::Null) => Ordering::Equal,
            (Value::Null, _) => Ordering::Greater,
            (_, Value::Null) => Ordering::Less,
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Numeric(a), Value::Numeric(b)) => a.cmp(b),
            (Value::Bytea(a), Value::Bytea(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::Time(a), Value::Time(b))
            | (Value::Timestamp(a), Value::Timestamp(b))
            | (Value::TimestampTz(a), Value::TimestampTz(b)) => a.cmp(b),
            (Value::Interval(a), Value::Interval(b)) => a.cmp(b),
            (Value::Uuid(a), Value::Uuid(b)) => a.cmp(b),
            (Value::Json(a), Value::Json(b)) => a.cmp(b),
            (Value::Jsonb(a), Value::Jsonb(b)) => json::compare(a, b),
            (Value::Array(a), Value::Array(b)) => compare_arrays(a, b),
            _ => self.compare_mixed(other),
        }
    }

    fn compare_mixed(&self, other: &Value) -> Ordering {
        if let (Some(a), Some(b)) = (self.as_i64(), other.as_i64()) {
            return a.cmp(&b);
        }
        if let (Some(a), Some(b)) = (self.as_f64(), other.as_f64()) {
            return compare_floats(a, b);
        }
        self.rank().cmp(&other.rank())
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Bool(_) => 0,
            Value::Int2(_) | Value::Int4(_) | Value::Int8(_) | Value::Oid(_) => 1,
            Value::Float4(_) | Value::Float8(_) => 2,
            Value::Numeric(_) => 3,
            Value::Text(_) => 4,
            Value::Bytea(_) => 5,
            Value::Date(_) => 6,
            Value::Time(_) => 7,
            Value::Timestamp(_) => 8,
            Value::TimestampTz(_) => 9,
            Value::Interval(_) => 10,
            Value::Uuid(_) => 11,
            Value::Json(_) => 12,
            Value::Jsonb(_) => 13,
            Value::Array(_) => 14,
            Value::Null => 15,
        }
    }
}

/// PostgreSQL's: NaN is equal to itself and above everything, the two zeros are equal.
pub fn compare_floats(a: f64, b: f64) -> Ordering {
    match a.partial_cmp(&b) {
        Some(order) => order,
        None => a.is_nan().cmp(&b.is_nan()),
    }
}

fn compare_arrays(a: &[Value], b: &[Value]) -> Ordering {
    a.iter().zip(b).map(|(x, y)| x.compare(y)).find(|order| order.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.compare(other).is_eq()
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Value) -> Ordering {
        self.compare(other)
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Value::Null => {}
            Value::Bool(value) => value.hash(state),
            Value::Int2(_) | Value::Int4(_) | Value::Int8(_) | Value::Oid(_) => self.as_i64().hash(state),
            Value::Float4(_) | Value::Float8(_) => canonical_bits(self.as_f64().unwrap_or_default()).hash(state),
            Value::Numeric(value) => value.hash(state),
            Value::Text(text) | Value::Json(text) => text.hash(state),
            Value::Jsonb(text) => json::hash(text, state),
            Value::Bytea(bytes) => bytes.hash(state),
            Value::Date(days) => days.hash(state),
            Value::Time(micros) | Value::Timestamp(micros) | Value::TimestampTz(micros) => micros.hash(state),
            Value::Interval(interval) => interval.hash(state),
            Value::Uuid(value) => value.hash(state),
            Value::Array(elements) => elements.hash(state),
        }
    }
}

/// One bit pattern for the two zeros and one for all NaNs.
pub fn canonical_bits(value: f64) -> u64 {
    match value {
        value if value.is_nan() => f64::NAN.to_bits() & !(1 << 63),
        0.0 => 0,
        value => value.to_bits(),
    }
}

impl Interval {
    /// The length by which intervals compare: a month is 30 days, a day 24 hours.
    pub fn span(self) -> i128 {
        let days = i128::from(self.months) * 30 + i128::from(self.days);
        days * 86_400_000_000 + i128::from(self.micros)
    }
}

impl PartialEq for Interval {
    fn eq(&self, other: &Interval) -> bool {
        self.span() == other.span()
    }
}

impl Eq for Interval {}

impl PartialOrd for Interval {
    fn partial_cmp(&self, other: &Interval) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Interval {
    fn cmp(&self, other: &Interval) -> Ordering {
        self.span().cmp(&other.span())
    }
}

impl Hash for Interval {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.span().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_sorts_last_and_equals_itself() {
        assert!(Value::Null.compare(&Value::Int4(i32::MAX)).is_gt());
        assert_eq!(Value::Null, Value::Null);
    }

    #[test]
    fn numbers_compare_by_value_across_widths() {
        assert_eq!(Value::Int2(7), Value::Int8(7));
        assert!(Value::Int4(-1) < Value::Int8(0));
        assert_eq!(Value::Float8(-0.0), Value::Float8(0.0));
        assert!(Value::Float8(f64::NAN) > Value::Float8(f64::INFINITY));
        assert_eq!(Value::Float4(f32::NAN), Value::Float8(f64::NAN));
    }

    #[test]
    fn a_month_is_as_long_as_thirty_days() {
        let month = Interval { months: 1, days: 0, micros: 0 };
        assert_eq!(month, Interval { months: 0, days: 30, micros: 0 });
        assert!(month > Interval { months: 0, days: 29, micros: 86_399_999_999 });
    }

    #[test]
    fn arrays_compare_element_by_element_then_by_length() {
        let array = |items: &[i32]| Value::Array(items.iter().map(|i| Value::Int4(*i)).collect());
        assert!(array(&[1, 2]) < array(&[1, 3]));
        assert!(array(&[1, 2]) < array(&[1, 2, 0]));
    }
}
