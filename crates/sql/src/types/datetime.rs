//! Dates, times and timestamps: text forms (ISO), casts between them, rounding to a precision.

use super::calendar::{self, *};
use super::datetime_parse::{self, Moment};
use super::settings::timestamp_of;
use super::zone::Zone;
use super::{Settings, Type};
use crate::value::{Interval, Value};
use base::{Error, Result, SqlState};
use bytes::{BufMut, BytesMut};

pub(crate) fn out_of_range(what: &str) -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range"))
}

fn out_of_range_text(what: &str, text: &str) -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range: \"{text}\""))
}

/// # Errors
/// `22007` or `22008`.
pub fn parse_date(text: &str, settings: &Settings) -> Result<i32> {
    let days = match datetime_parse::read(text, Type::Date, settings)? {
        Moment::Infinity => return Ok(DATE_INFINITY),
        Moment::NegativeInfinity => return Ok(DATE_NEGATIVE_INFINITY),
        Moment::Instant(micros) => split(local_of(micros, settings)).0,
        Moment::Local { days, .. } => days,
    };
    let days = i32::try_from(days).ok().filter(|days| (DATE_MIN..DATE_END).contains(days));
    days.ok_or_else(|| out_of_range_text("date", text))
}

/// # Errors
/// `22007` or `22008`.
pub fn parse_time(text: &str, settings: &Settings) -> Result<i64> {
    datetime_parse::read_time(text, settings)
}

/// A zone in the text is read and not looked at, as PostgreSQL does.
///
/// # Errors
/// `22007` or `22008`.
pub fn parse_timestamp(text: &str, settings: &Settings) -> Result<i64> {
    let micros = match datetime_parse::read(text, Type::Timestamp, settings)? {
        Moment::Infinity => return Ok(INFINITY),
        Moment::NegativeInfinity => return Ok(NEGATIVE_INFINITY),
        Moment::Instant(micros) => Some(local_of(micros, settings)),
        Moment::Local { days, micros, .. } => days.checked_mul(DAY).and_then(|midnight| midnight.checked_add(micros)),
    };
    micros.filter(|micros| timestamp_in_range(*micros)).ok_or_else(|| out_of_range_text("timestamp", text))
}

/// # Errors
/// `22007` or `22008`.
pub fn parse_timestamptz(text: &str, settings: &Settings) -> Result<i64> {
    let micros = match datetime_parse::read(text, Type::TimestampTz, settings)? {
        Moment::Infinity => return Ok(INFINITY),
        Moment::NegativeInfinity => return Ok(NEGATIVE_INFINITY),
        Moment::Instant(micros) => Some(micros),
        Moment::Local { days, micros, zone } => {
            let local = days.checked_mul(DAY).and_then(|midnight| midnight.checked_add(micros));
            local.and_then(|local| local.checked_sub(i64::from(zone.offset(local, settings)) * SECOND))
        }
    };
    micros.filter(|micros| timestamp_in_range(*micros)).ok_or_else(|| out_of_range_text("timestamp", text))
}

/// The local time of a `timestamptz`.
pub fn local_of(micros: i64, settings: &Settings) -> i64 {
    to_local(micros, &settings.time_zone)
}

pub(crate) fn to_local(micros: i64, zone: &Zone) -> i64 {
    if !is_finite_timestamp(micros) {
        return micros;
    }
    micros.saturating_add(i64::from(zone.offset_at(micros)) * SECOND)
}

/// The `timestamptz` of a local time.
pub(crate) fn from_local(micros: i64, zone: &Zone) -> Result<i64> {
    if !is_finite_timestamp(micros) {
        return Ok(micros);
    }
    let instant = micros.saturating_sub(i64::from(zone.offset_of_local(micros)) * SECOND);
    if timestamp_in_range(instant) { Ok(instant) } else { Err(out_of_range("timestamp")) }
}

pub(crate) fn date_to_timestamp(days: i32) -> Result<i64> {
    match days {
        DATE_INFINITY => Ok(INFINITY),
        DATE_NEGATIVE_INFINITY => Ok(NEGATIVE_INFINITY),
        days => i64::from(days)
            .checked_mul(DAY)
            .filter(|micros| timestamp_in_range(*micros))
            .ok_or_else(|| Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp")),
    }
}

pub(crate) fn timestamp_to_date(micros: i64) -> i32 {
    match micros {
        INFINITY => DATE_INFINITY,
        NEGATIVE_INFINITY => DATE_NEGATIVE_INFINITY,
        micros => split(micros).0 as i32,
    }
}

/// Casts within the date and time types.
pub fn cast(value: &Value, to: Type, settings: &Settings) -> Result<Value> {
    Ok(match (value, to) {
        (Value::Date(days), Type::Timestamp) => Value::Timestamp(date_to_timestamp(*days)?),
        (Value::Date(days), Type::TimestampTz) => Value::TimestampTz(from_local(date_to_timestamp(*days)?, &settings.time_zone)?),
        (Value::Timestamp(micros), Type::TimestampTz) => Value::TimestampTz(from_local(*micros, &settings.time_zone)?),
        (Value::TimestampTz(micros), Type::Timestamp) => Value::Timestamp(local_of(*micros, settings)),
        (Value::Timestamp(micros), Type::Date) => Value::Date(timestamp_to_date(*micros)),
        (Value::TimestampTz(micros), Type::Date) => Value::Date(timestamp_to_date(local_of(*micros, settings))),
        (Value::Timestamp(micros), Type::Time) => time_of(*micros),
        (Value::TimestampTz(micros), Type::Time) => time_of(local_of(*micros, settings)),
        (Value::Time(micros), Type::Interval) => Value::Interval(Interval { months: 0, days: 0, micros: *micros }),
        (Value::Interval(interval), Type::Time) => Value::Time(interval.micros.rem_euclid(DAY)),
        _ => return Err(Error::internal(format!("no cast of such a value to {to}"))),
    })
}

fn time_of(micros: i64) -> Value {
    if is_finite_timestamp(micros) { Value::Time(split(micros).1) } else { Value::Null }
}

/// Rounds to `modifier` digits of a second.
pub fn constrain(value: Value, modifier: i32) -> Value {
    let digits = modifier & 0xffff;
    if !(0..6).contains(&digits) {
        return value;
    }
    let unit = 10i64.pow(6 - digits as u32);
    let rounded = |micros: i64| {
        let half = if micros >= 0 { unit / 2 } else { -(unit / 2) };
        micros.checked_add(half).map_or(micros, |sum| sum / unit * unit)
    };
    match value {
        Value::Time(micros) => Value::Time(rounded(micros)),
        Value::Timestamp(micros) if is_finite_timestamp(micros) => Value::Timestamp(rounded(micros)),
        Value::TimestampTz(micros) if is_finite_timestamp(micros) => Value::TimestampTz(rounded(micros)),
        Value::Interval(interval) => Value::Interval(Interval { micros: rounded(interval.micros), ..interval }),
        other => other,
    }
}

/// The statement's `now()`.
pub(crate) fn now(settings: &Settings) -> i64 {
    timestamp_of(settings.transaction_start)
}

fn put_digits(value: i64, width: usize, out: &mut BytesMut) {
    let mut buffer = [b'0'; 20];
    let mut at = buffer.len();
    let mut rest = value;
    while rest > 0 {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.put_slice(&buffer[at.min(buffer.len() - width)..]);
}

/// Appends year, month and day; the answer is true if ` BC` must follow at the end.
fn put_date(days: i64, out: &mut BytesMut) -> bool {
    let (year, month, day) = calendar::civil_of(days);
    let before_christ = year <= 0;
    put_digits(if before_christ { 1 - year } else { year }, 4, out);
    out.put_u8(b'-');
    put_digits(month, 2, out);
    out.put_u8(b'-');
    put_digits(day, 2, out);
    before_christ
}

/// `.ffffff` without zeros at the end; nothing for a whole second.
pub(crate) fn put_fraction(micros: i64, out: &mut BytesMut) {
    if micros == 0 {
        return;
    }
    let (mut fraction, mut width) = (micros, 6);
    while fraction % 10 == 0 {
        (fraction, width) = (fraction / 10, width - 1);
    }
    out.put_u8(b'.');
    put_digits(fraction, width, out);
}

pub(crate) fn put_clock(micros: i64, out: &mut BytesMut) {
    put_digits(micros / HOUR, 2, out);
    out.put_u8(b':');
    put_digits(micros / MINUTE % 60, 2, out);
    out.put_u8(b':');
    put_digits(micros / SECOND % 60, 2, out);
    put_fraction(micros % SECOND, out);
}

pub(crate) fn put_offset(seconds: i32, out: &mut BytesMut) {
    let magnitude = i64::from(seconds.abs());
    out.put_u8(if seconds < 0 { b'-' } else { b'+' });
    put_digits(magnitude / 3600, 2, out);
    let (minutes, seconds) = (magnitude / 60 % 60, magnitude % 60);
    if minutes != 0 || seconds != 0 {
        out.put_u8(b':');
        put_digits(minutes, 2, out);
    }
    if seconds != 0 {
        out.put_u8(b':');
        put_digits(seconds, 2, out);
    }
}

/// Appends a date.
pub fn write_date(days: i32, out: &mut BytesMut) {
    match days {
        DATE_INFINITY => out.put_slice(b"infinity"),
        DATE_NEGATIVE_INFINITY => out.put_slice(b"-infinity"),
        days => {
            if put_date(i64::from(days), out) {
                out.put_slice(b" BC");
            }
        }
    }
}

/// Appends a time of day.
pub fn write_time(micros: i64, out: &mut BytesMut) {
    put_clock(micros, out);
}

/// Appends a timestamp: as it is, or as the zone's clocks show it, with their offset.
pub fn write_timestamp(micros: i64, zone: Option<&Zone>, out: &mut BytesMut) {
    match micros {
        INFINITY => return out.put_slice(b"infinity"),
        NEGATIVE_INFINITY => return out.put_slice(b"-infinity"),
        _ => {}
    }
    let offset = zone.map(|zone| zone.offset_at(micros));
    let local = micros.saturating_add(i64::from(offset.unwrap_or(0)) * SECOND);
    let (days, clock) = split(local);
    let before_christ = put_date(days, out);
    out.put_u8(b' ');
    put_clock(clock, out);
    if let Some(offset) = offset {
        put_offset(offset, out);
    }
    if before_christ {
        out.put_slice(b" BC");
    }
}
