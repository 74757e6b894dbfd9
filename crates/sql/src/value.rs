//! SQL values in memory.

use bytes::Bytes;
use std::sync::Arc;

/// One value. Date and time types are PostgreSQL's: microseconds or days from 2000-01-01.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Float4(f32),
    Float8(f64),
    Numeric(Numeric),
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
}

/// `digits` × 10^-`scale`; at most 38 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Numeric {
    pub digits: i128,
    pub scale: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}
