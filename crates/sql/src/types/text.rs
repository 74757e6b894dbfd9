//! Text forms of values: what clients send and see, exactly as PostgreSQL writes them with `DateStyle` ISO, `IntervalStyle` postgres,
//! `bytea_output` hex and the shortest floats that read back the same.

use super::numeric::NumericBuffer;
use super::{NO_MODIFIER, Settings, Type, array, cast, datetime, float, interval, json};
use crate::value::Value;
use base::{Error, Result, SqlState};
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::Arc;

pub(crate) fn invalid(ty: Type, text: &str) -> Error {
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type {ty}: \"{text}\""))
}

/// Bytes of a client as text.
///
/// # Errors
/// `22021` if they are no UTF-8 or have a zero byte.
pub fn utf8(bytes: &[u8]) -> Result<&str> {
    let wrong = |bytes: &[u8]| {
        let shown = bytes.iter().take(4).map(|byte| format!("0x{byte:02x}")).collect::<Vec<_>>().join(" ");
        Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, format!("invalid byte sequence for encoding \"UTF8\": {shown}"))
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let start = error.valid_up_to();
        let length = error.error_len().unwrap_or(bytes.len() - start);
        wrong(&bytes[start..start + length])
    })?;
    if text.as_bytes().contains(&0) { Err(wrong(&[0])) } else { Ok(text) }
}

/// True if what the text means depends on the session's time zone or the time.
pub fn depends_on_session(text: &str, ty: Type) -> bool {
    match ty.element().unwrap_or(ty) {
        Type::TimestampTz => true,
        Type::Date | Type::Timestamp | Type::Time => {
            let lower = text.to_ascii_lowercase();
            ["now", "today", "tomorrow", "yesterday"].iter().any(|word| lower.contains(word))
        }
        _ => false,
    }
}

/// Reads a value from its text form and applies the type's modifier as an explicit cast does not (what is too long is refused).
///
/// # Errors
/// `22P02`, `22003`, `22007`, `22008`, `22001`, as the type has it.
pub fn parse(text: &str, ty: Type, modifier: i32, settings: &Settings) -> Result<Value> {
    let value = match ty {
        Type::Text | Type::VarChar | Type::BpChar | Type::Unknown => Value::text(text),
        Type::Name | Type::Char => {
            let cast = cast::Cast { from: Type::Text, to: ty, modifier: NO_MODIFIER, explicit: true };
            cast.run(Value::text(text), settings)?
        }
        Type::Int4 => Value::Int4(integer(text, ty)? as i32),
        Type::Int8 => Value::Int8(integer(text, ty)?),
        Type::Int2 => Value::Int2(integer(text, ty)? as i16),
        Type::Bool => Value::Bool(boolean(text)?),
        Type::Numeric => Value::Numeric(text.parse()?),
        Type::Float4 => Value::Float4(float::parse_f32(text)?),
        Type::Float8 => Value::Float8(float::parse_f64(text)?),
        Type::RegType if !text.starts_with(|c: char| c.is_ascii_digit()) => match Type::from_name(text) {
            Some(named) => Value::Oid(named.oid()),
            None => return Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{text}\" does not exist"))),
        },
        Type::Oid | Type::RegClass | Type::RegType | Type::RegProc => Value::Oid(oid(text, ty)?),
        Type::Bytea => Value::Bytea(bytea(text)?),
        Type::Date => Value::Date(datetime::parse_date(text, settings)?),
        Type::Time => Value::Time(datetime::parse_time(text, settings)?),
        Type::Timestamp => Value::Timestamp(datetime::parse_timestamp(text, settings)?),
        Type::TimestampTz => Value::TimestampTz(datetime::parse_timestamptz(text, settings)?),
        Type::Interval => Value::Interval(interval::parse(text)?),
        Type::Uuid => Value::Uuid(uuid(text)?),
        Type::Json => json::parse_json(text)?,
        Type::Jsonb => json::parse_jsonb(text)?,
        Type::Array(element) => array::parse(text, *element, settings)?,
        Type::Void => Value::text(""),
        Type::Record => return Err(Error::unsupported("input of a composite type")),
    };
    cast::constrain(value, ty, modifier, false)
}

/// Appends the text form of a value that is not NULL.
pub fn write(value: &Value, ty: Type, settings: &Settings, out: &mut BytesMut) {
    match value {
        Value::Int4(value) => write_i64(i64::from(*value), out),
        Value::Int8(value) => write_i64(*value, out),
        Value::Text(text) | Value::Json(text) | Value::Jsonb(text) => out.put_slice(text.as_bytes()),
        Value::Null => {}
        Value::Bool(value) => out.put_u8(if *value { b't' } else { b'f' }),
        Value::Int2(value) => write_i64(i64::from(*value), out),
        Value::Oid(oid) => match Type::from_oid(*oid).filter(|_| ty == Type::RegType) {
            Some(named) => out.put_slice(named.to_string().as_bytes()),
            None => write_i64(i64::from(*oid), out),
        },
        Value::Float4(value) => float::write_f32(*value, out),
        Value::Float8(value) => float::write_f64(*value, out),
        Value::Numeric(value) => out.put_slice(value.write(&mut NumericBuffer::default()).as_bytes()),
        Value::Bytea(bytes) => write_hex(bytes, out),
        Value::Date(days) => datetime::write_date(*days, out),
        Value::Time(micros) => datetime::write_time(*micros, out),
        Value::Timestamp(micros) => datetime::write_timestamp(*micros, None, out),
        Value::TimestampTz(micros) => datetime::write_timestamp(*micros, Some(&settings.time_zone), out),
        Value::Interval(value) => interval::write(*value, out),
        Value::Uuid(value) => write_uuid(*value, out),
        Value::Array(elements) => array::write(elements, ty.element().unwrap_or(Type::Text), settings, out),
    }
}

/// The text form of a value; empty for NULL.
pub fn to_string(value: &Value, ty: Type, settings: &Settings) -> String {
    let mut out = BytesMut::new();
    write(value, ty, settings, &mut out);
    String::from_utf8(out.into()).expect("text forms are made of texts and ASCII")
}

/// Digits of -2^63 and a sign.
const INTEGER_BYTES_MAX: usize = 20;

pub(crate) fn write_i64(value: i64, out: &mut BytesMut) {
    let mut buffer = [0u8; INTEGER_BYTES_MAX];
    let mut at = buffer.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    out.put_slice(&buffer[at..]);
}

fn write_hex(bytes: &[u8], out: &mut BytesMut) {
    out.reserve(2 + bytes.len() * 2);
    out.put_slice(b"\\x");
    for byte in bytes {
        out.put_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

pub(crate) const HEX: &[u8; 16] = b"0123456789abcdef";

fn write_uuid(value: u128, out: &mut BytesMut) {
    for (index, byte) in value.to_be_bytes().iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.put_u8(b'-');
        }
        out.put_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

fn integer(text: &str, ty: Type) -> Result<i64> {
    let digits = text.trim_matches(is_space);
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid(ty, text));
    }
    let bits = i32::from(ty.size()) * 8;
    let limit = 1i128 << (bits - 1);
    match digits.parse::<i128>() {
        Ok(value) if (-limit..limit).contains(&value) => Ok(value as i64),
        _ => {
            let message = format!("value \"{text}\" is out of range for type {ty}");
            Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message))
        }
    }
}

fn oid(text: &str, ty: Type) -> Result<u32> {
    let digits = text.trim_matches(is_space);
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid(ty, text));
    }
    let out_of_range = || {
        let message = format!("value \"{text}\" is out of range for type oid");
        Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
    };
    let value: i64 = digits.parse().map_err(|_| out_of_range())?;
    u32::try_from(value).or_else(|_| i32::try_from(value).map(|value| value as u32)).map_err(|_| out_of_range())
}

/// Any unambiguous prefix of the words, in any case.
fn boolean(text: &str) -> Result<bool> {
    let word = text.trim_matches(is_space).to_ascii_lowercase();
    let is_prefix = |full: &str, shortest: usize| word.len() >= shortest && full.starts_with(&word);
    if is_prefix("true", 1) || is_prefix("yes", 1) || word == "on" || word == "1" {
        Ok(true)
    } else if is_prefix("false", 1) || is_prefix("no", 1) || is_prefix("off", 2) || word == "0" {
        Ok(false)
    } else {
        Err(invalid(Type::Bool, text))
    }
}

/// The hex form and the escape form.
fn bytea(text: &str) -> Result<Bytes> {
    if let Some(hex) = text.strip_prefix("\\x") {
        return decode_hex(hex).map(Bytes::from);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'\\', b'\\', ..] => {
                out.push(b'\\');
                at += 2;
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                out.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                at += 4;
            }
            [b'\\', ..] => return Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea")),
            [byte, ..] => {
                out.push(*byte);
                at += 1;
            }
            [] => break,
        }
    }
    Ok(Bytes::from(out))
}

/// Pairs of hexadecimal digits, blanks between pairs allowed.
pub(crate) fn decode_hex(hex: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(hex.len() / 2);
    let mut chars = hex.chars().peekable();
    let invalid = |message: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let digit = |c: char| c.to_digit(16).ok_or_else(|| invalid(format!("invalid hexadecimal digit: \"{c}\"")));
    while let Some(c) = chars.next() {
        if is_space(c) {
            continue;
        }
        let high = digit(c)?;
        let Some(low) = chars.next() else {
            return Err(invalid("invalid hexadecimal data: odd number of digits".to_owned()));
        };
        out.push((high * 16 + digit(low)?) as u8);
    }
    Ok(out)
}

/// 32 hexadecimal digits; a hyphen may follow every fourth; braces may stand around all.
fn uuid(text: &str) -> Result<u128> {
    let wrong = || invalid(Type::Uuid, text);
    let inner = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}').ok_or_else(wrong)?,
        None => text,
    };
    let (mut value, mut digits, mut hyphen) = (0u128, 0, false);
    for c in inner.chars() {
        match c.to_digit(16) {
            Some(digit) if digits < 32 => {
                value = (value << 4) | u128::from(digit);
                digits += 1;
                hyphen = false;
            }
            None if c == '-' && digits % 4 == 0 && digits > 0 && digits < 32 && !hyphen => hyphen = true,
            _ => return Err(wrong()),
        }
    }
    if digits == 32 { Ok(value) } else { Err(wrong()) }
}

/// As [`parse`], from a client's bytes.
pub fn parse_bytes(bytes: &[u8], ty: Type, modifier: i32, settings: &Settings) -> Result<Value> {
    let text = utf8(bytes)?;
    if ty == Type::Text && modifier == NO_MODIFIER {
        return Ok(Value::Text(Arc::from(text)));
    }
    parse(text, ty, modifier, settings)
}
