//! JSON: validation, the canonical form of `jsonb`, and its order.

use super::cast::Cast;
use super::numeric::Numeric;
use super::{Settings, Type};
use crate::value::Value;
use base::{Error, Result, SqlState};
use serde_json::Value as Json;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// PostgreSQL's order of jsonb: Object > Array > Boolean > Number > String > Null; more elements or pairs are more.
pub fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    match (serde_json::from_str::<Json>(a), serde_json::from_str::<Json>(b)) {
        (Ok(a), Ok(b)) => compare_json(&a, &b),
        _ => a.cmp(b),
    }
}

fn compare_json(a: &Json, b: &Json) -> Ordering {
    match (a, b) {
        (Json::String(a), Json::String(b)) => a.cmp(b),
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        (Json::Number(a), Json::Number(b)) => compare_numbers(a, b),
        (Json::Array(a), Json::Array(b)) => a
            .len()
            .cmp(&b.len())
            .then_with(|| a.iter().zip(b).map(|(x, y)| compare_json(x, y)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)),
        (Json::Object(a), Json::Object(b)) => a.len().cmp(&b.len()).then_with(|| {
            let pairs = a.iter().zip(b).map(|((k, x), (l, y))| key_order(k, l).then_with(|| compare_json(x, y)));
            pairs.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        }),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// Shorter keys first, then by bytes: how jsonb stores them.
pub(crate) fn key_order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn rank(value: &Json) -> u8 {
    match value {
        Json::Null => 0,
        Json::String(_) => 1,
        Json::Number(_) => 2,
        Json::Bool(_) => 3,
        Json::Array(_) => 4,
        Json::Object(_) => 5,
    }
}

fn compare_numbers(a: &serde_json::Number, b: &serde_json::Number) -> Ordering {
    match (a.to_string().parse::<Numeric>(), b.to_string().parse::<Numeric>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.to_string().cmp(&b.to_string()),
    }
}

/// Equal values give equal hashes: numbers are hashed without their scale.
pub fn hash<H: Hasher>(text: &str, state: &mut H) {
    match serde_json::from_str::<Json>(text) {
        Ok(value) => hash_json(&value, state),
        Err(_) => text.hash(state),
    }
}

fn hash_json<H: Hasher>(value: &Json, state: &mut H) {
    rank(value).hash(state);
    match value {
        Json::Null => {}
        Json::Bool(value) => value.hash(state),
        Json::String(text) => text.hash(state),
        Json::Number(number) => match number.to_string().parse::<Numeric>() {
            Ok(number) => number.hash(state),
            Err(_) => number.to_string().hash(state),
        },
        Json::Array(items) => items.iter().for_each(|item| hash_json(item, state)),
        Json::Object(pairs) => pairs.iter().for_each(|(key, item)| {
            key.hash(state);
            hash_json(item, state);
        }),
    }
}

/// Deepest nesting of a JSON value.
const DEPTH_MAX: usize = 128;

fn invalid(error: &serde_json::Error) -> Error {
    if error.to_string().starts_with("recursion limit") {
        return Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
            .with_hint(format!("JSON can be nested {DEPTH_MAX} deep."));
    }
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json").with_detail(error.to_string())
}

/// Checks a text and keeps it as it is.
///
/// # Errors
/// `22P02` if it is no JSON.
pub fn parse_json(text: &str) -> Result<Value> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(Value::Json(Arc::from(text))),
        Err(error) => Err(invalid(&error)),
    }
}

/// Reads a text into jsonb's canonical form.
///
/// # Errors
/// `22P02` if it is no JSON, `22P05` if a string has a zero character, `22003` if a number has more than 38 digits.
pub fn parse_jsonb(text: &str) -> Result<Value> {
    let json: Json = serde_json::from_str(text).map_err(|error| invalid(&error))?;
    to_jsonb(&json)
}

/// The canonical form of a JSON value.
pub fn to_jsonb(json: &Json) -> Result<Value> {
    let mut out = String::new();
    write_jsonb(json, &mut out)?;
    Ok(Value::Jsonb(Arc::from(out)))
}

fn write_jsonb(json: &Json, out: &mut String) -> Result<()> {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => out.push_str(&number.to_string().parse::<Numeric>()?.to_string()),
        Json::String(text) => write_string_checked(text, out)?,
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_jsonb(item, out)?;
            }
            out.push(']');
        }
        Json::Object(pairs) => {
            let mut pairs: Vec<_> = pairs.iter().collect();
            pairs.sort_by(|(a, _), (b, _)| key_order(a, b));
            out.push('{');
            for (index, (key, item)) in pairs.into_iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_string_checked(key, out)?;
                out.push_str(": ");
                write_jsonb(item, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_string_checked(text: &str, out: &mut String) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::new(SqlState::UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence")
            .with_detail("\\u0000 cannot be converted to text."));
    }
    write_string(text, out);
    Ok(())
}

/// Appends a JSON string with PostgreSQL's escapes.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A jsonb number or boolean as a SQL value.
///
/// # Errors
/// `22023` if it is something else.
pub fn to_scalar(text: &str, to: Type, settings: &Settings) -> Result<Value> {
    let json: Json = serde_json::from_str(text).map_err(|error| invalid(&error))?;
    match (&json, to) {
        (Json::Bool(value), Type::Bool) => Ok(Value::Bool(*value)),
        (Json::Number(number), to) if to != Type::Bool => {
            let value = Value::Numeric(number.to_string().parse()?);
            Cast { from: Type::Numeric, to, modifier: super::NO_MODIFIER, explicit: true }.run(value, settings)
        }
        (other, to) => {
            let message = format!("cannot cast jsonb {} to type {to}", kind(other));
            Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}

/// What `json_typeof` says.
pub fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}
