//! Binary forms of values: PostgreSQL's `send` and `recv` functions.

use super::{NO_MODIFIER, Settings, Type, cast, json, text};
use crate::value::{Interval, Numeric, Value};
use base::{Error, Result, SqlState};
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::Arc;

/// Sign words of a binary numeric.
const NUMERIC_POSITIVE: u16 = 0;
const NUMERIC_NEGATIVE: u16 = 0x4000;
/// Version byte before a jsonb's text.
const JSONB_VERSION: u8 = 1;

fn incorrect(ty: Type) -> Error {
    Error::new(SqlState::INVALID_BINARY_REPRESENTATION, format!("incorrect binary data format for type {ty}"))
}

fn fixed<const N: usize>(bytes: &[u8], ty: Type) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| incorrect(ty))
}

/// Reads a value from all of `bytes` and applies the type's modifier.
///
/// # Errors
/// `22P03` if they are no such value, `22021` for a string that is no UTF-8, `0A000` for what the type cannot hold.
pub fn parse(bytes: &[u8], ty: Type, modifier: i32, settings: &Settings) -> Result<Value> {
    let value = match ty {
        Type::Int4 => Value::Int4(i32::from_be_bytes(fixed(bytes, ty)?)),
        Type::Int8 => Value::Int8(i64::from_be_bytes(fixed(bytes, ty)?)),
        Type::Text | Type::VarChar | Type::BpChar | Type::Name | Type::Char | Type::Unknown => Value::Text(Arc::from(text::utf8(bytes)?)),
        Type::Int2 => Value::Int2(i16::from_be_bytes(fixed(bytes, ty)?)),
        Type::Bool => Value::Bool(fixed::<1>(bytes, ty)? != [0]),
        Type::Float4 => Value::Float4(f32::from_be_bytes(fixed(bytes, ty)?)),
        Type::Float8 => Value::Float8(f64::from_be_bytes(fixed(bytes, ty)?)),
        Type::Numeric => Value::Numeric(numeric(bytes)?),
        Type::Oid | Type::RegClass | Type::RegType | Type::RegProc => Value::Oid(u32::from_be_bytes(fixed(bytes, ty)?)),
        Type::Bytea => Value::Bytea(Bytes::copy_from_slice(bytes)),
        Type::Date => Value::Date(date(i32::from_be_bytes(fixed(bytes, ty)?))?),
        Type::Time => Value::Time(time(i64::from_be_bytes(fixed(bytes, ty)?))?),
        Type::Timestamp => Value::Timestamp(timestamp(i64::from_be_bytes(fixed(bytes, ty)?))?),
        Type::TimestampTz => Value::TimestampTz(timestamp(i64::from_be_bytes(fixed(bytes, ty)?))?),
        Type::Interval => Value::Interval(interval(bytes)?),
        Type::Uuid => Value::Uuid(u128::from_be_bytes(fixed(bytes, ty)?)),
        Type::Json => json::parse_json(text::utf8(bytes)?)?,
        Type::Jsonb => match bytes.split_first() {
            Some((&JSONB_VERSION, rest)) => json::parse_jsonb(text::utf8(rest)?)?,
            Some((version, _)) => return Err(Error::internal(format!("unsupported jsonb version number {version}"))),
            None => return Err(incorrect(ty)),
        },
        Type::Array(element) => array(bytes, ty, *element, settings)?,
        Type::Void | Type::Record => return Err(Error::unsupported(format!("binary input of type {ty}"))),
    };
    if modifier == NO_MODIFIER { Ok(value) } else { cast::constrain(value, ty, modifier, false) }
}

fn date(days: i32) -> Result<i32> {
    use super::calendar::{DATE_END, DATE_MIN, is_finite_date};
    let valid = !is_finite_date(days) || (DATE_MIN..DATE_END).contains(&days);
    if valid { Ok(days) } else { Err(super::datetime::out_of_range("date")) }
}

fn time(micros: i64) -> Result<i64> {
    let valid = (0..=super::calendar::DAY).contains(&micros);
    if valid { Ok(micros) } else { Err(super::datetime::out_of_range("time")) }
}

fn timestamp(micros: i64) -> Result<i64> {
    use super::calendar::{is_finite_timestamp, timestamp_in_range};
    let valid = !is_finite_timestamp(micros) || timestamp_in_range(micros);
    if valid { Ok(micros) } else { Err(super::datetime::out_of_range("timestamp")) }
}

fn interval(bytes: &[u8]) -> Result<Interval> {
    let bytes: [u8; 16] = fixed(bytes, Type::Interval)?;
    let (micros, rest) = bytes.split_at(8);
    let (days, months) = rest.split_at(4);
    Ok(Interval {
        micros: i64::from_be_bytes(fixed(micros, Type::Interval)?),
        days: i32::from_be_bytes(fixed(days, Type::Interval)?),
        months: i32::from_be_bytes(fixed(months, Type::Interval)?),
    })
}

/// Header of four 16-bit words (groups, weight of the first group, sign, digits behind the point), then groups of four digits.
fn numeric(bytes: &[u8]) -> Result<Numeric> {
    let wrong = || incorrect(Type::Numeric);
    let words: Vec<u16> = bytes.chunks(2).map(|pair| fixed(pair, Type::Numeric).map(u16::from_be_bytes)).collect::<Result<_>>()?;
    let [count, weight, sign, scale, groups @ ..] = words.as_slice() else {
        return Err(wrong());
    };
    if groups.len() != usize::from(*count) || groups.iter().any(|group| *group > 9_999) {
        return Err(wrong());
    }
    let weight = i32::from(*weight as i16);
    let negative = match *sign {
        NUMERIC_POSITIVE => false,
        NUMERIC_NEGATIVE => true,
        0xc000 | 0xd000 | 0xf000 => return Err(Error::unsupported("numeric NaN or infinity")),
        _ => return Err(wrong()),
    };
    // As a decimal text: exact, and it knows what does not fit.
    let mut digits = String::with_capacity(groups.len() * 4 + 8);
    digits.push_str(if negative { "-0" } else { "0" });
    groups.iter().for_each(|group| digits.push_str(&format!("{group:04}")));
    let exponent = (weight + 1 - groups.len() as i32) * 4;
    digits.push_str(&format!("e{exponent}"));
    digits.parse::<Numeric>()?.round(i32::from(*scale & 0x3fff))
}

fn array(bytes: &[u8], ty: Type, element: Type, settings: &Settings) -> Result<Value> {
    let mut rest = bytes;
    let mut word = || -> Result<i32> {
        let (head, tail) = rest.split_first_chunk::<4>().ok_or_else(|| incorrect(ty))?;
        rest = tail;
        Ok(i32::from_be_bytes(*head))
    };
    let (dimensions, _has_null, oid) = (word()?, word()?, word()? as u32);
    if oid != element.oid() {
        let message = format!("wrong element type: {oid} instead of {}", element.oid());
        return Err(Error::new(SqlState::DATATYPE_MISMATCH, message));
    }
    let count = match dimensions {
        0 => 0,
        1 => {
            let (count, lower) = (word()?, word()?);
            if lower != 1 && count > 0 {
                return Err(Error::unsupported("an array with explicit bounds"));
            }
            usize::try_from(count).map_err(|_| incorrect(ty))?
        }
        _ => return Err(Error::unsupported("an array of several dimensions")),
    };
    if count > rest.len() / 4 {
        return Err(incorrect(ty));
    }
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        let (head, tail) = rest.split_first_chunk::<4>().ok_or_else(|| incorrect(ty))?;
        let length = i32::from_be_bytes(*head);
        rest = tail;
        if length == -1 {
            elements.push(Value::Null);
            continue;
        }
        let length = usize::try_from(length).map_err(|_| incorrect(ty))?;
        let (item, tail) = rest.split_at_checked(length).ok_or_else(|| incorrect(ty))?;
        elements.push(parse(item, element, NO_MODIFIER, settings)?);
        rest = tail;
    }
    if rest.is_empty() { Ok(Value::Array(Arc::from(elements))) } else { Err(incorrect(ty)) }
}

/// Appends the binary form of a value that is not NULL.
pub fn write(value: &Value, ty: Type, out: &mut BytesMut) {
    match value {
        Value::Null => {}
        Value::Int4(value) => out.put_i32(*value),
        Value::Int8(value) => out.put_i64(*value),
        Value::Text(text) | Value::Json(text) => out.put_slice(text.as_bytes()),
        Value::Bool(value) => out.put_u8(u8::from(*value)),
        Value::Int2(value) => out.put_i16(*value),
        Value::Oid(value) => out.put_u32(*value),
        Value::Float4(value) => out.put_f32(*value),
        Value::Float8(value) => out.put_f64(*value),
        Value::Numeric(value) => write_numeric(*value, out),
        Value::Bytea(bytes) => out.put_slice(bytes),
        Value::Date(days) => out.put_i32(*days),
        Value::Time(micros) | Value::Timestamp(micros) | Value::TimestampTz(micros) => out.put_i64(*micros),
        Value::Interval(interval) => {
            out.put_i64(interval.micros);
            out.put_i32(interval.days);
            out.put_i32(interval.months);
        }
        Value::Uuid(value) => out.put_u128(*value),
        Value::Jsonb(text) => {
            out.put_u8(JSONB_VERSION);
            out.put_slice(text.as_bytes());
        }
        Value::Array(elements) => write_array(elements, ty.element().unwrap_or(Type::Text), out),
    }
}

fn write_numeric(value: Numeric, out: &mut BytesMut) {
    // 38 digits, at most three more before and behind them.
    let mut digits = [0u8; 48];
    let scale = usize::from(value.scale);
    let padding = (4 - scale % 4) % 4;
    let mut at = digits.len() - padding;
    let mut rest = value.digits.unsigned_abs();
    while rest > 0 {
        at -= 1;
        digits[at] = (rest % 10) as u8;
        rest /= 10;
    }
    let groups: [u16; 12] =
        std::array::from_fn(|index| digits[index * 4..index * 4 + 4].iter().fold(0, |sum, digit| sum * 10 + u16::from(*digit)));
    let first = groups.iter().position(|group| *group != 0).unwrap_or(groups.len());
    let last = groups.iter().rposition(|group| *group != 0).map_or(first, |last| last + 1);
    let before_point = groups.len() - (scale + padding) / 4;
    let weight = if first == last { 0 } else { before_point as i16 - first as i16 - 1 };
    out.put_u16((last - first) as u16);
    out.put_i16(weight);
    out.put_u16(if value.is_negative() { NUMERIC_NEGATIVE } else { NUMERIC_POSITIVE });
    out.put_u16(u16::from(value.scale));
    groups[first..last].iter().for_each(|group| out.put_u16(*group));
}

fn write_array(elements: &[Value], element: Type, out: &mut BytesMut) {
    out.put_i32(if elements.is_empty() { 0 } else { 1 });
    out.put_i32(i32::from(elements.iter().any(Value::is_null)));
    out.put_u32(element.oid());
    if elements.is_empty() {
        return;
    }
    out.put_i32(elements.len() as i32);
    out.put_i32(1);
    for value in elements {
        if value.is_null() {
            out.put_i32(-1);
            continue;
        }
        super::wire::with_length(out, |out| write(value, element, out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(value: &Value, ty: Type) -> Value {
        let mut out = BytesMut::new();
        write(value, ty, &mut out);
        parse(&out, ty, NO_MODIFIER, &Settings::default()).expect("was just written")
    }

    #[test]
    fn numerics_are_sent_in_groups_of_four_digits() {
        for (text, bytes) in [
            ("0", &[0u8, 0, 0, 0, 0, 0, 0, 0][..]),
            ("0.00", &[0, 0, 0, 0, 0, 0, 0, 2]),
            ("1", &[0, 1, 0, 0, 0, 0, 0, 0, 0, 1]),
            ("-12345.678", &[0, 3, 0, 1, 0x40, 0, 0, 3, 0, 1, 0x09, 0x29, 0x1a, 0x7c]),
            ("0.0001", &[0, 1, 0xff, 0xff, 0, 0, 0, 4, 0, 1]),
            ("10000", &[0, 1, 0, 1, 0, 0, 0, 0, 0, 1]),
        ] {
            let value: Numeric = text.parse().expect("a number");
            let mut out = BytesMut::new();
            write_numeric(value, &mut out);
            assert_eq!(&out[..], bytes, "{text}");
            assert_eq!(numeric(&out).expect("a numeric").to_string(), text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn numerics_survive_their_binary_form(digits in -(10i128.pow(38) - 1)..10i128.pow(38), cut in 0u32..38, scale in 0u8..=38) {
            let value = Numeric { digits: digits / 10i128.pow(cut), scale };
            let back = round_trip(&Value::Numeric(value), Type::Numeric);
            let Value::Numeric(back) = back else { panic!("a numeric") };
            prop_assert_eq!((back.digits, back.scale), (value.digits, value.scale));
        }

        #[test]
        fn numerics_survive_their_text_form(digits in -(10i128.pow(38) - 1)..10i128.pow(38), cut in 0u32..38, scale in 0u8..=38) {
            let value = Numeric { digits: digits / 10i128.pow(cut), scale };
            let back: Numeric = value.to_string().parse().expect("was just written");
            prop_assert_eq!((back.digits, back.scale), (value.digits, value.scale));
        }

        #[test]
        fn arrays_survive_their_binary_and_text_forms(items in prop::collection::vec(prop::option::of("[a,\"\\\\{} \u{e9}nul]{0,6}"), 0..5)) {
            let value = Value::Array(items.iter().map(|item| item.as_deref().map_or(Value::Null, Value::text)).collect());
            let ty = Type::Array(&Type::Text);
            prop_assert_eq!(round_trip(&value, ty), value.clone());
            let settings = Settings::default();
            let text = text::to_string(&value, ty, &settings);
            prop_assert_eq!(text::parse(&text, ty, NO_MODIFIER, &settings).expect("was just written"), value);
        }

        #[test]
        fn bad_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), index in 0usize..28) {
            let ty = Type::scalars().nth(index).expect("there are 28");
            let _ = parse(&bytes, ty, NO_MODIFIER, &Settings::default());
            if let Some(array) = ty.array_of() {
                let _ = parse(&bytes, array, NO_MODIFIER, &Settings::default());
            }
        }

        #[test]
        fn bad_texts_never_panic(text in "[0-9a-zA-Z:+./ {}\",\\\\-]{0,24}", index in 0usize..28) {
            let ty = Type::scalars().nth(index).expect("there are 28");
            let _ = text::parse(&text, ty, NO_MODIFIER, &Settings::default());
            if let Some(array) = ty.array_of() {
                let _ = text::parse(&text, array, NO_MODIFIER, &Settings::default());
            }
        }

        #[test]
        fn timestamps_survive_their_text_form(micros in super::super::calendar::TIMESTAMP_MIN..super::super::calendar::TIMESTAMP_END) {
            let settings = Settings { time_zone: super::super::zone::Zone::parse("America/New_York").expect("a zone"), ..Settings::default() };
            for (value, ty) in [(Value::Timestamp(micros), Type::Timestamp), (Value::TimestampTz(micros), Type::TimestampTz)] {
                let text = text::to_string(&value, ty, &settings);
                prop_assert_eq!(text::parse(&text, ty, NO_MODIFIER, &settings).expect(&text), value, "{}", text);
            }
        }

        #[test]
        fn floats_survive_their_text_form(value in any::<f64>(), narrow in any::<f32>()) {
            let settings = Settings::default();
            for (value, ty) in [(Value::Float8(value), Type::Float8), (Value::Float4(narrow), Type::Float4)] {
                let text = text::to_string(&value, ty, &settings);
                prop_assert_eq!(text::parse(&text, ty, NO_MODIFIER, &settings).expect(&text), value);
            }
        }

        #[test]
        fn intervals_survive_their_text_form(months in any::<i32>(), days in any::<i32>(), micros in -(1i64 << 60)..(1i64 << 60)) {
            let interval = Interval { months, days, micros };
            let mut out = BytesMut::new();
            super::super::interval::write(interval, &mut out);
            let text = std::str::from_utf8(&out).expect("ASCII");
            let back = super::super::interval::parse(text).expect(text);
            prop_assert_eq!((back.months, back.days, back.micros), (months, days, micros), "{}", text);
        }
    }
}
