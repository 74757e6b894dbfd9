//! The bytes of one value in a stored row: docs/formats.md, "Values".
//!
//! Fixed-width types are stored as they are, little-endian; others with their length before them (LEB128).

use super::Type;
use crate::row::corrupted;
use crate::value::{Interval, Numeric, Value};
use base::{Error, Result};
use bytes::Bytes;
use std::sync::Arc;

/// Bytes of a type of fixed width.
pub fn width(ty: Type) -> Option<usize> {
    Some(match ty {
        Type::Bool => 1,
        Type::Int2 => 2,
        Type::Int4 | Type::Float4 | Type::Date | Type::Oid | Type::RegClass | Type::RegType | Type::RegProc => 4,
        Type::Int8 | Type::Float8 | Type::Time | Type::Timestamp | Type::TimestampTz => 8,
        Type::Interval | Type::Uuid => 16,
        _ => return None,
    })
}

/// Appends a value that is not NULL.
///
/// # Errors
/// `XX000` if the value has another type.
pub fn encode(value: &Value, ty: Type, out: &mut Vec<u8>) -> Result<()> {
    match (value, ty) {
        (Value::Int4(v), Type::Int4) => out.extend_from_slice(&v.to_le_bytes()),
        (Value::Int8(v), Type::Int8) => out.extend_from_slice(&v.to_le_bytes()),
        (Value::Text(v), Type::Text | Type::VarChar | Type::BpChar | Type::Name | Type::Char | Type::Unknown) => {
            put_bytes(v.as_bytes(), out)
        }
        (Value::Bool(v), Type::Bool) => out.push(u8::from(*v)),
        (Value::Int2(v), Type::Int2) => out.extend_from_slice(&v.to_le_bytes()),
        (Value::Float4(v), Type::Float4) => out.extend_from_slice(&v.to_le_bytes()),
        (Value::Float8(v), Type::Float8) => out.extend_from_slice(&v.to_le_bytes()),
        (Value::Numeric(v), Type::Numeric) => put_numeric(*v, out),
        (Value::Oid(v), Type::Oid | Type::RegClass | Type::RegType | Type::RegProc) => out.extend_from_slice(&v.to_le_bytes()),
        (Value::Bytea(v), Type::Bytea) => put_bytes(v, out),
        (Value::Date(v), Type::Date) => out.extend_from_slice(&v.to_le_bytes()),
        (Value::Time(v), Type::Time) | (Value::Timestamp(v), Type::Timestamp) | (Value::TimestampTz(v), Type::TimestampTz) => {
            out.extend_from_slice(&v.to_le_bytes());
        }
        (Value::Interval(v), Type::Interval) => {
            out.extend_from_slice(&v.micros.to_le_bytes());
            out.extend_from_slice(&v.days.to_le_bytes());
            out.extend_from_slice(&v.months.to_le_bytes());
        }
        (Value::Uuid(v), Type::Uuid) => out.extend_from_slice(&v.to_be_bytes()),
        (Value::Json(v), Type::Json) | (Value::Jsonb(v), Type::Jsonb) => put_bytes(v.as_bytes(), out),
        (Value::Array(elements), Type::Array(element)) => put_array(elements, *element, out)?,
        _ => return Err(Error::internal(format!("a value of another type in a column of type {ty}"))),
    }
    Ok(())
}

fn put_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// The scale, then the digits as the shortest big-endian two's complement.
fn put_numeric(value: Numeric, out: &mut Vec<u8>) {
    let bytes = value.digits.to_be_bytes();
    let spare = if value.digits < 0 { value.digits.leading_ones() } else { value.digits.leading_zeros() };
    // One sign bit must stay.
    let start = ((spare - 1) / 8) as usize;
    put_length(1 + bytes.len() - start, out);
    out.push(value.scale);
    out.extend_from_slice(&bytes[start..]);
}

/// The number of elements, then each: a byte that is 0 for NULL and 1 for a value, and the value.
fn put_array(elements: &[Value], element: Type, out: &mut Vec<u8>) -> Result<()> {
    let mut body = Vec::new();
    put_length(elements.len(), &mut body);
    for value in elements {
        body.push(u8::from(!value.is_null()));
        if !value.is_null() {
            encode(value, element, &mut body)?;
        }
    }
    put_bytes(&body, out);
    Ok(())
}

/// Bytes of the length itself, and the length. `None` if it is cut off or absurd.
pub fn read_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0usize;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((index + 1, length));
        }
    }
    None
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| corrupted("value"))
}

fn text(bytes: &[u8]) -> Result<Arc<str>> {
    std::str::from_utf8(bytes).map(Arc::from).map_err(|_| corrupted("text"))
}

/// Reads a value from exactly its bytes, the length not among them.
///
/// # Errors
/// `XX001` if they are no such value.
pub fn decode(bytes: &[u8], ty: Type) -> Result<Value> {
    Ok(match ty {
        Type::Int4 => Value::Int4(i32::from_le_bytes(fixed(bytes)?)),
        Type::Int8 => Value::Int8(i64::from_le_bytes(fixed(bytes)?)),
        Type::Text | Type::VarChar | Type::BpChar | Type::Name | Type::Char | Type::Unknown => Value::Text(text(bytes)?),
        Type::Bool => Value::Bool(fixed::<1>(bytes)? != [0]),
        Type::Int2 => Value::Int2(i16::from_le_bytes(fixed(bytes)?)),
        Type::Float4 => Value::Float4(f32::from_le_bytes(fixed(bytes)?)),
        Type::Float8 => Value::Float8(f64::from_le_bytes(fixed(bytes)?)),
        Type::Numeric => Value::Numeric(numeric(bytes)?),
        Type::Oid | Type::RegClass | Type::RegType | Type::RegProc => Value::Oid(u32::from_le_bytes(fixed(bytes)?)),
        Type::Bytea => Value::Bytea(Bytes::copy_from_slice(bytes)),
        Type::Date => Value::Date(i32::from_le_bytes(fixed(bytes)?)),
        Type::Time => Value::Time(i64::from_le_bytes(fixed(bytes)?)),
        Type::Timestamp => Value::Timestamp(i64::from_le_bytes(fixed(bytes)?)),
        Type::TimestampTz => Value::TimestampTz(i64::from_le_bytes(fixed(bytes)?)),
        Type::Interval => {
            let bytes: [u8; 16] = fixed(bytes)?;
            let (micros, rest) = bytes.split_at(8);
            let (days, months) = rest.split_at(4);
            Value::Interval(Interval {
                micros: i64::from_le_bytes(fixed(micros)?),
                days: i32::from_le_bytes(fixed(days)?),
                months: i32::from_le_bytes(fixed(months)?),
            })
        }
        Type::Uuid => Value::Uuid(u128::from_be_bytes(fixed(bytes)?)),
        Type::Json => Value::Json(text(bytes)?),
        Type::Jsonb => Value::Jsonb(text(bytes)?),
        Type::Array(element) => array(bytes, *element)?,
        Type::Void | Type::Record => return Err(corrupted("value")),
    })
}

/// Reads the bytes of a stored numeric.
pub fn numeric(bytes: &[u8]) -> Result<Numeric> {
    let [scale, digits @ ..] = bytes else {
        return Err(corrupted("numeric"));
    };
    if digits.is_empty() || digits.len() > 16 {
        return Err(corrupted("numeric"));
    }
    let mut wide = if digits[0] & 0x80 == 0 { [0; 16] } else { [0xff; 16] };
    wide[16 - digits.len()..].copy_from_slice(digits);
    Numeric::new(i128::from_be_bytes(wide), *scale).map_err(|_| corrupted("numeric"))
}

fn array(bytes: &[u8], element: Type) -> Result<Value> {
    let damaged = || corrupted("array");
    let (skip, count) = read_length(bytes).ok_or_else(damaged)?;
    let mut rest = &bytes[skip..];
    // Each element takes a byte at least, so a damaged count cannot ask for much memory.
    if count > rest.len() {
        return Err(damaged());
    }
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        let (present, after) = rest.split_first().ok_or_else(damaged)?;
        rest = after;
        if *present == 0 {
            elements.push(Value::Null);
            continue;
        }
        let (skip, length) = match width(element) {
            Some(width) => (0, width),
            None => read_length(rest).ok_or_else(damaged)?,
        };
        elements.push(decode(rest.get(skip..skip + length).ok_or_else(damaged)?, element)?);
        rest = &rest[skip + length..];
    }
    if rest.is_empty() { Ok(Value::Array(Arc::from(elements))) } else { Err(damaged()) }
}
