//! Keys whose bytes sort as their values do, and the slot that a row belongs to.
//!
//! The format is documented to the byte in docs/formats.md, "Keys". NULLs sort last. Strings sort by their bytes (collation
//! "C"). Values that are equal have equal keys, so a key does not keep what equality ignores: the scale of a numeric, the blanks at the
//! end of `char(n)`, the sign of a floating zero, how an interval is split into months and days.

use crate::types::Type;
use crate::value::{Numeric, Value, canonical_bits};
use base::ids::SLOT_COUNT;
use base::{Error, Result, SlotId, SqlState, StorageId};
use bytes::Bytes;
use std::sync::Arc;
use storage::access::{KEY_BYTES_MAX, KeyRange};

/// Marks of a value and of NULL. A mark is never 0xff, so appending 0xff to a prefix goes past all keys that start with it.
const VALUE: u8 = 0x10;
const NULL: u8 = 0xf0;
/// A zero byte within a string or bytea is followed by `ESCAPE`; the end is a zero byte followed by `END`, which is less.
const ESCAPE: u8 = 0xff;
const END: u8 = 0x01;
/// First byte of a numeric: sign class.
const NEGATIVE: u8 = 0x20;
const ZERO: u8 = 0x80;
const POSITIVE: u8 = 0xe0;
/// Added to the power of ten of a numeric's first digit, so that it is positive: it lies between -38 and 37.
const EXPONENT_OFFSET: i32 = 0x40;

/// The start of all keys of a table or index.
pub fn start(storage: StorageId) -> Vec<u8> {
    storage.0.to_be_bytes().to_vec()
}

/// A whole key: the storage id, then the values.
///
/// # Errors
/// `54000` if it is longer than `KEY_BYTES_MAX`; `0A000` for a type that cannot be in a key.
pub fn key<'a>(storage: StorageId, columns: impl IntoIterator<Item = (&'a Value, Type)>) -> Result<Bytes> {
    let mut out = Vec::with_capacity(32);
    out.extend_from_slice(&storage.0.to_be_bytes());
    for (value, ty) in columns {
        encode(value, ty, &mut out)?;
    }
    check_length(&out)?;
    Ok(Bytes::from(out))
}

/// # Errors
/// `54000` if a key is too long to be stored.
pub fn check_length(key: &[u8]) -> Result<()> {
    if key.len() <= KEY_BYTES_MAX {
        return Ok(());
    }
    let message = format!("index row size {} exceeds the maximum {KEY_BYTES_MAX}", key.len());
    Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message).with_hint("Values so long cannot be indexed."))
}

/// Appends one column's value.
///
/// # Errors
/// `0A000` for a type that cannot be in a key, `XX000` if the value has another type.
pub fn encode(value: &Value, ty: Type, out: &mut Vec<u8>) -> Result<()> {
    if value.is_null() {
        out.push(NULL);
        return Ok(());
    }
    out.push(VALUE);
    encode_value(value, ty, out)
}

fn encode_value(value: &Value, ty: Type, out: &mut Vec<u8>) -> Result<()> {
    match (value, ty) {
        (Value::Int4(v), Type::Int4) | (Value::Date(v), Type::Date) => out.extend_from_slice(&flip32(*v).to_be_bytes()),
        (Value::Int8(v), Type::Int8)
        | (Value::Time(v), Type::Time)
        | (Value::Timestamp(v), Type::Timestamp)
        | (Value::TimestampTz(v), Type::TimestampTz) => out.extend_from_slice(&flip64(*v).to_be_bytes()),
        (Value::Text(v), Type::Text | Type::VarChar | Type::Name | Type::Char) => put_bytes(v.as_bytes(), out),
        (Value::Text(v), Type::BpChar) => put_bytes(v.trim_end_matches(' ').as_bytes(), out),
        (Value::Bool(v), Type::Bool) => out.push(u8::from(*v)),
        (Value::Int2(v), Type::Int2) => out.extend_from_slice(&((*v as u16) ^ 0x8000).to_be_bytes()),
        (Value::Oid(v), Type::Oid | Type::RegClass | Type::RegType | Type::RegProc) => out.extend_from_slice(&v.to_be_bytes()),
        (Value::Float4(v), Type::Float4) => out.extend_from_slice(&ordered_bits(f64::from(*v)).to_be_bytes()),
        (Value::Float8(v), Type::Float8) => out.extend_from_slice(&ordered_bits(*v).to_be_bytes()),
        (Value::Numeric(v), Type::Numeric) => put_numeric(*v, out),
        (Value::Bytea(v), Type::Bytea) => put_bytes(v, out),
        (Value::Interval(v), Type::Interval) => out.extend_from_slice(&((v.span() as u128) ^ (1 << 127)).to_be_bytes()),
        (Value::Uuid(v), Type::Uuid) => out.extend_from_slice(&v.to_be_bytes()),
        (Value::Array(elements), Type::Array(element)) => {
            for value in elements.iter() {
                encode(value, *element, out)?;
            }
            // Below both marks: the shorter array is less.
            out.push(END);
        }
        (_, Type::Json | Type::Jsonb | Type::Unknown | Type::Void | Type::Record) => {
            return Err(Error::unsupported(format!("a key of type {ty}")));
        }
        _ => return Err(Error::internal(format!("a value of another type in a key of type {ty}"))),
    }
    Ok(())
}

fn flip32(value: i32) -> u32 {
    value as u32 ^ (1 << 31)
}

fn flip64(value: i64) -> u64 {
    value as u64 ^ (1 << 63)
}

fn ordered_bits(value: f64) -> u64 {
    let bits = canonical_bits(value);
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

fn from_ordered_bits(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    for part in bytes.split_inclusive(|byte| *byte == 0) {
        out.extend_from_slice(part);
        if part.last() == Some(&0) {
            out.push(ESCAPE);
        }
    }
    out.extend_from_slice(&[0, END]);
}

/// Sign class, power of ten of the first digit, then the digits in pairs without zeros at the end, then 0. Each pair is 1 + its number,
/// so that the end is below it. All after the class is inverted for negative numbers.
fn put_numeric(value: Numeric, out: &mut Vec<u8>) {
    if value.is_zero() {
        out.push(ZERO);
        return;
    }
    let mut buffer = [0u8; 40];
    let mut count = 0;
    let mut rest = value.digits.unsigned_abs();
    while rest > 0 {
        buffer[count] = (rest % 10) as u8;
        rest /= 10;
        count += 1;
    }
    let digits = &mut buffer[..count];
    digits.reverse();
    let kept = digits.iter().rposition(|digit| *digit != 0).map_or(0, |last| last + 1);
    let exponent = count as i32 - 1 - i32::from(value.scale);
    out.push(if value.is_negative() { NEGATIVE } else { POSITIVE });
    let start = out.len();
    out.push((exponent + EXPONENT_OFFSET) as u8);
    for pair in digits[..kept].chunks(2) {
        out.push(1 + pair[0] * 10 + pair.get(1).copied().unwrap_or(0));
    }
    out.push(0);
    if value.is_negative() {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

fn damaged() -> Error {
    crate::row::corrupted("key")
}

fn take<'a>(key: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (taken, rest) = key.split_at_checked(count).ok_or_else(damaged)?;
    *key = rest;
    Ok(taken)
}

fn take_fixed<const N: usize>(key: &mut &[u8]) -> Result<[u8; N]> {
    take(key, N)?.try_into().map_err(|_| damaged())
}

/// Reads one column's value and moves behind it. See the module's comment for what a key does not keep.
///
/// # Errors
/// `XX001` if the key is damaged.
pub fn decode(key: &mut &[u8], ty: Type) -> Result<Value> {
    match take_fixed::<1>(key)? {
        [NULL] => Ok(Value::Null),
        [VALUE] => decode_value(key, ty),
        _ => Err(damaged()),
    }
}

fn decode_value(key: &mut &[u8], ty: Type) -> Result<Value> {
    Ok(match ty {
        Type::Bool => Value::Bool(take_fixed::<1>(key)? != [0]),
        Type::Int2 => Value::Int2((u16::from_be_bytes(take_fixed(key)?) ^ 0x8000) as i16),
        Type::Int4 => Value::Int4(flip32(i32::from_be_bytes(take_fixed(key)?)) as i32),
        Type::Date => Value::Date(flip32(i32::from_be_bytes(take_fixed(key)?)) as i32),
        Type::Int8 => Value::Int8(flip64(i64::from_be_bytes(take_fixed(key)?)) as i64),
        Type::Time => Value::Time(flip64(i64::from_be_bytes(take_fixed(key)?)) as i64),
        Type::Timestamp => Value::Timestamp(flip64(i64::from_be_bytes(take_fixed(key)?)) as i64),
        Type::TimestampTz => Value::TimestampTz(flip64(i64::from_be_bytes(take_fixed(key)?)) as i64),
        Type::Oid | Type::RegClass | Type::RegType | Type::RegProc => Value::Oid(u32::from_be_bytes(take_fixed(key)?)),
        Type::Float4 => Value::Float4(from_ordered_bits(u64::from_be_bytes(take_fixed(key)?)) as f32),
        Type::Float8 => Value::Float8(from_ordered_bits(u64::from_be_bytes(take_fixed(key)?))),
        Type::Numeric => Value::Numeric(take_numeric(key)?),
        Type::Text | Type::VarChar | Type::BpChar | Type::Name | Type::Char => {
            let text = String::from_utf8(take_bytes(key)?).map_err(|_| damaged())?;
            Value::Text(Arc::from(text))
        }
        Type::Bytea => Value::Bytea(Bytes::from(take_bytes(key)?)),
        Type::Interval => Value::Interval(take_interval(key)?),
        Type::Uuid => Value::Uuid(u128::from_be_bytes(take_fixed(key)?)),
        Type::Array(element) => {
            let mut elements = Vec::new();
            while *key.first().ok_or_else(damaged)? != END {
                elements.push(decode(key, *element)?);
            }
            take(key, 1)?;
            Value::Array(Arc::from(elements))
        }
        Type::Json | Type::Jsonb | Type::Unknown | Type::Void | Type::Record => return Err(damaged()),
    })
}

fn take_bytes(key: &mut &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let zero = key.iter().position(|byte| *byte == 0).ok_or_else(damaged)?;
        bytes.extend_from_slice(take(key, zero)?);
        match take_fixed::<2>(key)? {
            [0, ESCAPE] => bytes.push(0),
            [0, END] => return Ok(bytes),
            _ => return Err(damaged()),
        }
    }
}

fn take_numeric(key: &mut &[u8]) -> Result<Numeric> {
    let invert = match take_fixed::<1>(key)? {
        [ZERO] => return Ok(Numeric::ZERO),
        [NEGATIVE] => 0xff,
        [POSITIVE] => 0,
        _ => return Err(damaged()),
    };
    let exponent = i32::from(take_fixed::<1>(key)?[0] ^ invert) - EXPONENT_OFFSET;
    let (mut digits, mut count) = (0i128, 0);
    loop {
        match take_fixed::<1>(key)?[0] ^ invert {
            0 => break,
            pair @ 1..=100 => {
                digits = digits.checked_mul(100).ok_or_else(damaged)? + i128::from(pair - 1);
                count += 2;
            }
            _ => return Err(damaged()),
        }
    }
    // A pair may have brought one zero too many.
    if count > 0 && digits % 10 == 0 {
        (digits, count) = (digits / 10, count - 1);
    }
    let scale = count - 1 - exponent;
    let negative = invert != 0;
    let digits = if negative { -digits } else { digits };
    if scale >= 0 {
        return Numeric::new(digits, u8::try_from(scale).map_err(|_| damaged())?).map_err(|_| damaged());
    }
    let unit = 10i128.checked_pow(scale.unsigned_abs()).ok_or_else(damaged)?;
    Numeric::new(digits.checked_mul(unit).ok_or_else(damaged)?, 0).map_err(|_| damaged())
}

/// As days and the rest of a day: how the interval was split is not kept.
fn take_interval(key: &mut &[u8]) -> Result<crate::value::Interval> {
    const DAY: i128 = 86_400_000_000;
    let span = (u128::from_be_bytes(take_fixed(key)?) ^ (1 << 127)) as i128;
    let (mut days, mut months) = (span / DAY, 0);
    if i32::try_from(days).is_err() {
        (months, days) = (days / 30, days % 30);
    }
    Ok(crate::value::Interval {
        months: i32::try_from(months).map_err(|_| damaged())?,
        days: i32::try_from(days).map_err(|_| damaged())?,
        micros: (span % DAY) as i64,
    })
}

/// Moves behind one column's value without making it.
pub fn skip(key: &mut &[u8], ty: Type) -> Result<()> {
    match take_fixed::<1>(key)? {
        [NULL] => return Ok(()),
        [VALUE] => {}
        _ => return Err(damaged()),
    }
    let width = match ty {
        Type::Float4 => 8,
        ty => match crate::types::stored::width(ty) {
            Some(width) => width,
            None => return decode_value(key, ty).map(|_| ()),
        },
    };
    take(key, width).map(|_| ())
}

/// The keys that start with `prefix`.
pub fn prefix_range(prefix: &[u8]) -> KeyRange {
    KeyRange { start: Bytes::copy_from_slice(prefix), end: prefix_end(prefix) }
}

/// The least key above all that start with `prefix`; empty (no end) if there is none.
pub fn prefix_end(prefix: &[u8]) -> Bytes {
    let Some(last) = prefix.iter().rposition(|byte| *byte != 0xff) else {
        return Bytes::new();
    };
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Bytes::from(end)
}

/// The least key above this one.
pub fn successor(key: &[u8]) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    Bytes::from(next)
}

/// All keys of a table or index.
pub fn storage_range(storage: StorageId) -> KeyRange {
    prefix_range(&storage.0.to_be_bytes())
}

/// Where the NULLs of the column behind `prefix` start: the end of a range that has only a lower bound, since NULL is above nothing.
pub fn before_nulls(prefix: &[u8]) -> Bytes {
    let mut end = prefix.to_vec();
    end.push(NULL);
    Bytes::from(end)
}

/// The slot of a row, from its shard key: CRC-32C (RFC 3720) of the encoded values, modulo the number of slots. Never changes:
/// rows are where it once put them.
///
/// # Errors
/// As [`encode`].
pub fn slot_of<'a>(columns: impl IntoIterator<Item = (&'a Value, Type)>) -> Result<SlotId> {
    let mut bytes = Vec::with_capacity(32);
    for (value, ty) in columns {
        encode(value, ty, &mut bytes)?;
    }
    Ok(slot_of_bytes(&bytes))
}

/// The same from the encoded values: the key's bytes behind its storage id, if the shard key is the start of the primary key.
pub fn slot_of_bytes(bytes: &[u8]) -> SlotId {
    SlotId((crc32c::crc32c(bytes) % u32::from(SLOT_COUNT)) as u16)
}

#[cfg(test)]
mod tests;
