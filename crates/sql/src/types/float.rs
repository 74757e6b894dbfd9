//! Text forms of the floating types: the shortest that reads back the same (`extra_float_digits` 1).

use super::Type;
use super::text::{invalid, is_space};
use base::{Error, Result, SqlState};
use bytes::{BufMut, BytesMut};

/// # Errors
/// `22P02` if it is no number, `22003` if it is too large or too small.
pub fn parse_f64(text: &str) -> Result<f64> {
    let trimmed = text.trim_matches(is_space);
    if let Some(special) = special(trimmed) {
        return Ok(special);
    }
    let value: f64 = if is_decimal(trimmed) {
        trimmed.parse().map_err(|_| invalid(Type::Float8, text))?
    } else {
        return Err(invalid(Type::Float8, text));
    };
    if value.is_infinite() || value == 0.0 && has_digit_above_zero(trimmed) {
        return Err(out_of_range(trimmed, Type::Float8));
    }
    Ok(value)
}

/// As [`parse_f64`].
pub fn parse_f32(text: &str) -> Result<f32> {
    let trimmed = text.trim_matches(is_space);
    if let Some(special) = special(trimmed) {
        return Ok(special as f32);
    }
    let value: f32 = if is_decimal(trimmed) {
        trimmed.parse().map_err(|_| invalid(Type::Float4, text))?
    } else {
        return Err(invalid(Type::Float4, text));
    };
    if value.is_infinite() || value == 0.0 && has_digit_above_zero(trimmed) {
        return Err(out_of_range(trimmed, Type::Float4));
    }
    Ok(value)
}

fn out_of_range(text: &str, ty: Type) -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("\"{text}\" is out of range for type {ty}"))
}

fn special(text: &str) -> Option<f64> {
    Some(match text.to_ascii_lowercase().as_str() {
        "nan" => f64::NAN,
        "inf" | "+inf" | "infinity" | "+infinity" => f64::INFINITY,
        "-inf" | "-infinity" => f64::NEG_INFINITY,
        _ => return None,
    })
}

/// Rust reads words and other forms that are no decimals.
fn is_decimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'))
        && text.bytes().any(|b| b.is_ascii_digit())
}

fn has_digit_above_zero(text: &str) -> bool {
    text.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).any(|byte| matches!(byte, b'1'..=b'9'))
}

pub fn write_f64(value: f64, out: &mut BytesMut) {
    if !write_special(value, out) {
        // Exponents from -4 to 14 are written out: PostgreSQL's double_to_shortest_decimal.
        write_shortest(&format!("{value:e}"), 15, out);
    }
}

pub fn write_f32(value: f32, out: &mut BytesMut) {
    if !write_special(f64::from(value), out) {
        write_shortest(&format!("{value:e}"), 6, out);
    }
}

fn write_special(value: f64, out: &mut BytesMut) -> bool {
    let text: &[u8] = match value {
        value if value.is_nan() => b"NaN",
        f64::INFINITY => b"Infinity",
        f64::NEG_INFINITY => b"-Infinity",
        _ => return false,
    };
    out.put_slice(text);
    true
}

/// From the shortest scientific form: written out if the exponent is at least -4 and below `digits`.
fn write_shortest(scientific: &str, digits: i32, out: &mut BytesMut) {
    let (mantissa, exponent) = scientific.split_once('e').expect("the format has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a small number");
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let figures: String = mantissa.chars().filter(|c| *c != '.').collect();
    out.put_slice(sign.as_bytes());
    if exponent < -4 || exponent >= digits {
        let sign = if exponent < 0 { '-' } else { '+' };
        out.put_slice(format!("{mantissa}e{sign}{:02}", exponent.abs()).as_bytes());
    } else if exponent < 0 {
        out.put_slice(b"0.");
        out.put_bytes(b'0', (-exponent - 1) as usize);
        out.put_slice(figures.as_bytes());
    } else {
        let whole = exponent as usize + 1;
        if figures.len() <= whole {
            out.put_slice(figures.as_bytes());
            out.put_bytes(b'0', whole - figures.len());
        } else {
            out.put_slice(&figures.as_bytes()[..whole]);
            out.put_u8(b'.');
            out.put_slice(&figures.as_bytes()[whole..]);
        }
    }
}
