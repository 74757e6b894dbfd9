//! Functions and operators of json and jsonb.

use super::arithmetic::mismatch;
use super::kinds::*;
use super::strings::{integer, made, string};
use super::{Context, Function, function};
use crate::types::json::{key_order, kind, to_jsonb, write_string};
use crate::types::{Settings, Type, json_raw, text};
use crate::value::Value;
use base::{Error, Result, SqlState};
use serde_json::Value as Json;
use std::sync::Arc;

fn parsed(value: &Value) -> Result<Json> {
    let (Value::Json(text) | Value::Jsonb(text)) = value else {
        return Err(mismatch());
    };
    serde_json::from_str(text).map_err(|error| Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid JSON: {error}")))
}

/// A negative index counts from the end.
fn element(items: &[Json], index: i64) -> Option<&Json> {
    let at = if index >= 0 { usize::try_from(index).ok() } else { items.len().checked_sub(index.unsigned_abs() as usize) };
    at.and_then(|at| items.get(at))
}

fn step<'a>(json: &'a Json, key: &Value) -> Option<&'a Json> {
    match (json, key) {
        (Json::Object(pairs), Value::Text(key)) => pairs.get(&**key),
        (Json::Array(items), key) => element(items, key.as_i64()?),
        _ => None,
    }
}

/// A step of a path: a key, or an index in digits.
fn path_step<'a>(json: &'a Json, key: &Value) -> Option<&'a Json> {
    match (json, key) {
        (Json::Array(items), Value::Text(index)) => element(items, index.parse().ok()?),
        _ => step(json, key),
    }
}

fn as_text(part: &Json) -> Result<Value> {
    match part {
        Json::Null => Ok(Value::Null),
        Json::String(text) => made(text.as_str()),
        other => match to_jsonb(other)? {
            Value::Jsonb(text) => Ok(Value::Text(text)),
            _ => Err(mismatch()),
        },
    }
}

/// The part of a `json` text, as it was written.
fn raw_part<'a>(whole: &'a Value, keys: &[Value]) -> Option<Option<&'a str>> {
    let Value::Json(text) = whole else {
        return None;
    };
    Some(keys.iter().try_fold(&**text, |text, key| match key {
        Value::Text(key) => json_raw::step(text, key),
        key => json_raw::element(text, key.as_i64()?),
    }))
}

/// One step: a text is a key only, never an index.
fn raw_step<'a>(whole: &'a Value, key: &Value) -> Option<Option<&'a str>> {
    match (whole, key) {
        (Value::Json(text), Value::Text(key)) => Some(json_raw::member(text, key)),
        _ => raw_part(whole, std::slice::from_ref(key)),
    }
}

fn raw_json(part: Option<&str>) -> Result<Value> {
    Ok(part.map_or(Value::Null, |part| Value::Json(Arc::from(part))))
}

/// A string without its quotes and escapes; anything else as it was written.
fn raw_text(part: Option<&str>) -> Result<Value> {
    match part {
        None | Some("null") => Ok(Value::Null),
        Some(part) if part.starts_with('"') => {
            let text: String = serde_json::from_str(part).map_err(|_| mismatch())?;
            made(text)
        }
        Some(part) => made(part),
    }
}

fn get(args: &[Value], _: &Context) -> Result<Value> {
    if let Some(part) = raw_step(&args[0], &args[1]) {
        return raw_json(part);
    }
    let json = parsed(&args[0])?;
    step(&json, &args[1]).map_or(Ok(Value::Null), to_jsonb)
}

fn get_text(args: &[Value], _: &Context) -> Result<Value> {
    if let Some(part) = raw_step(&args[0], &args[1]) {
        return raw_text(part);
    }
    let json = parsed(&args[0])?;
    step(&json, &args[1]).map_or(Ok(Value::Null), as_text)
}

fn follow<'a>(json: &'a Json, path: &[Value]) -> Option<&'a Json> {
    path.iter().try_fold(json, path_step)
}

fn path_arg(args: &[Value], index: usize) -> Result<&[Value]> {
    match args.get(index) {
        Some(Value::Array(path)) => Ok(path),
        _ => Err(mismatch()),
    }
}

fn get_path(args: &[Value], _: &Context) -> Result<Value> {
    if let Some(part) = raw_part(&args[0], path_arg(args, 1)?) {
        return raw_json(part);
    }
    let json = parsed(&args[0])?;
    follow(&json, path_arg(args, 1)?).map_or(Ok(Value::Null), to_jsonb)
}

fn get_path_text(args: &[Value], _: &Context) -> Result<Value> {
    if let Some(part) = raw_part(&args[0], path_arg(args, 1)?) {
        return raw_text(part);
    }
    let json = parsed(&args[0])?;
    follow(&json, path_arg(args, 1)?).map_or(Ok(Value::Null), as_text)
}

fn equal(a: &Json, b: &Json) -> bool {
    match (to_jsonb(a), to_jsonb(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// PostgreSQL's containment: objects by their pairs, arrays as sets; an array contains a primitive at the top.
fn contains(whole: &Json, part: &Json, top: bool) -> bool {
    match (whole, part) {
        (Json::Object(whole), Json::Object(part)) => {
            part.iter().all(|(key, item)| whole.get(key).is_some_and(|other| contains(other, item, false)))
        }
        (Json::Array(whole), Json::Array(part)) => part.iter().all(|item| whole.iter().any(|other| contains(other, item, false))),
        (Json::Array(whole), part) if top && !part.is_object() => whole.iter().any(|other| equal(other, part)),
        _ => equal(whole, part),
    }
}

fn contains_left(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Bool(contains(&parsed(&args[0])?, &parsed(&args[1])?, true)))
}

fn contains_right(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Bool(contains(&parsed(&args[1])?, &parsed(&args[0])?, true)))
}

fn has_key(json: &Json, key: &str) -> bool {
    match json {
        Json::Object(pairs) => pairs.contains_key(key),
        Json::Array(items) => items.iter().any(|item| item.as_str() == Some(key)),
        Json::String(text) => text == key,
        _ => false,
    }
}

fn exists(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Bool(has_key(&parsed(&args[0])?, string(args, 1)?)))
}

fn exists_any(args: &[Value], _: &Context) -> Result<Value> {
    let json = parsed(&args[0])?;
    Ok(Value::Bool(path_arg(args, 1)?.iter().filter_map(Value::as_str).any(|key| has_key(&json, key))))
}

fn exists_all(args: &[Value], _: &Context) -> Result<Value> {
    let json = parsed(&args[0])?;
    Ok(Value::Bool(path_arg(args, 1)?.iter().filter_map(Value::as_str).all(|key| has_key(&json, key))))
}

fn merge(args: &[Value], _: &Context) -> Result<Value> {
    let list = |json: Json| if let Json::Array(items) = json { items } else { vec![json] };
    to_jsonb(&match (parsed(&args[0])?, parsed(&args[1])?) {
        (Json::Object(mut a), Json::Object(b)) => {
            a.extend(b);
            Json::Object(a)
        }
        (a, b) => {
            let mut items = list(a);
            items.extend(list(b));
            Json::Array(items)
        }
    })
}

fn wrong_kind(message: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn delete_key(args: &[Value], _: &Context) -> Result<Value> {
    let key = string(args, 1)?;
    to_jsonb(&match parsed(&args[0])? {
        Json::Object(mut pairs) => {
            pairs.shift_remove(key);
            Json::Object(pairs)
        }
        Json::Array(items) => Json::Array(items.into_iter().filter(|item| item.as_str() != Some(key)).collect()),
        _ => return Err(wrong_kind("cannot delete from scalar")),
    })
}

fn delete_index(args: &[Value], _: &Context) -> Result<Value> {
    let index = integer(args, 1)?;
    to_jsonb(&match parsed(&args[0])? {
        Json::Array(mut items) => {
            let at = if index >= 0 { Some(index as usize) } else { items.len().checked_sub(index.unsigned_abs() as usize) };
            if let Some(at) = at.filter(|at| *at < items.len()) {
                items.remove(at);
            }
            Json::Array(items)
        }
        Json::Object(_) => return Err(wrong_kind("cannot delete from object using integer index")),
        _ => return Err(wrong_kind("cannot delete from scalar")),
    })
}

fn delete_path(args: &[Value], _: &Context) -> Result<Value> {
    let mut json = parsed(&args[0])?;
    if !matches!(json, Json::Object(_) | Json::Array(_)) {
        return Err(wrong_kind("cannot delete path in scalar"));
    }
    if let [steps @ .., last] = path_arg(args, 1)?
        && let Some(holder) = follow_mut(&mut json, steps)
    {
        match (holder, last.as_str()) {
            (Json::Object(pairs), Some(key)) => {
                pairs.shift_remove(key);
            }
            (Json::Array(items), Some(index)) => {
                if let Some(at) = position(items.len(), index)
                    && at < items.len()
                {
                    items.remove(at);
                }
            }
            _ => {}
        }
    }
    to_jsonb(&json)
}

fn position(length: usize, index: &str) -> Option<usize> {
    let index: i64 = index.parse().ok()?;
    if index >= 0 { Some(index as usize) } else { length.checked_sub(index.unsigned_abs() as usize) }
}

fn follow_mut<'a>(json: &'a mut Json, path: &[Value]) -> Option<&'a mut Json> {
    path.iter().try_fold(json, |json, key| match json {
        Json::Object(pairs) => pairs.get_mut(key.as_str()?),
        Json::Array(items) => {
            let at = position(items.len(), key.as_str()?)?;
            items.get_mut(at)
        }
        _ => None,
    })
}

fn jsonb_set(args: &[Value], _: &Context) -> Result<Value> {
    let mut json = parsed(&args[0])?;
    let new = parsed(&args[2])?;
    let create = args.get(3).is_none_or(|create| create.as_bool() == Some(true));
    if !matches!(json, Json::Object(_) | Json::Array(_)) {
        return Err(wrong_kind("cannot set path in scalar"));
    }
    if let [steps @ .., last] = path_arg(args, 1)?
        && let Some(holder) = follow_mut(&mut json, steps)
    {
        let key = last.as_str().ok_or_else(mismatch)?;
        match holder {
            Json::Object(pairs) if create || pairs.contains_key(key) => {
                pairs.insert(key.to_owned(), new);
            }
            Json::Array(items) => {
                let invalid = || {
                    Error::new(
                        SqlState::INVALID_TEXT_REPRESENTATION,
                        format!("path element at position {} is not an integer: \"{key}\"", steps.len() + 1),
                    )
                };
                key.parse::<i64>().map_err(|_| invalid())?;
                match position(items.len(), key) {
                    Some(at) if at < items.len() => items[at] = new,
                    Some(_) if create => items.push(new),
                    None if create => items.insert(0, new),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    to_jsonb(&json)
}

fn type_of(args: &[Value], _: &Context) -> Result<Value> {
    made(kind(&parsed(&args[0])?))
}

fn array_length(args: &[Value], _: &Context) -> Result<Value> {
    match parsed(&args[0])? {
        Json::Array(items) => Ok(Value::Int4(items.len() as i32)),
        Json::Object(_) => Err(wrong_kind("cannot get array length of a non-array")),
        _ => Err(wrong_kind("cannot get array length of a scalar")),
    }
}

fn strip_nulls(json: Json) -> Json {
    match json {
        Json::Object(pairs) => {
            Json::Object(pairs.into_iter().filter(|(_, item)| !item.is_null()).map(|(key, item)| (key, strip_nulls(item))).collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(strip_nulls).collect()),
        other => other,
    }
}

fn jsonb_strip_nulls(args: &[Value], _: &Context) -> Result<Value> {
    to_jsonb(&strip_nulls(parsed(&args[0])?))
}

fn pretty(json: &Json, depth: usize, out: &mut String) -> Result<()> {
    let indent = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"    ".repeat(depth));
    };
    match json {
        Json::Array(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                indent(out, depth + 1);
                pretty(item, depth + 1, out)?;
            }
            indent(out, depth);
            out.push(']');
        }
        Json::Object(pairs) if !pairs.is_empty() => {
            out.push('{');
            let mut pairs: Vec<_> = pairs.iter().collect();
            pairs.sort_by(|(a, _), (b, _)| key_order(a, b));
            for (index, (key, item)) in pairs.into_iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                indent(out, depth + 1);
                write_string(key, out);
                out.push_str(": ");
                pretty(item, depth + 1, out)?;
            }
            indent(out, depth);
            out.push('}');
        }
        Json::Array(_) => out.push_str(&format!("[{}]", "\n".to_owned() + &"    ".repeat(depth))),
        Json::Object(_) => out.push_str(&format!("{{{}}}", "\n".to_owned() + &"    ".repeat(depth))),
        other => out.push_str(to_jsonb(other)?.as_str().unwrap_or_default()),
    }
    Ok(())
}

fn jsonb_pretty(args: &[Value], _: &Context) -> Result<Value> {
    let mut out = String::new();
    pretty(&parsed(&args[0])?, 0, &mut out)?;
    made(out)
}

/// Appends a SQL value as JSON.
pub(crate) fn write_value(value: &Value, ty: Type, settings: &Settings, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Json(text) | Value::Jsonb(text) => out.push_str(text),
        Value::Int2(_) | Value::Int4(_) | Value::Int8(_) | Value::Numeric(_) => out.push_str(&text::to_string(value, ty, settings)),
        Value::Float4(_) | Value::Float8(_) if value.as_f64().is_some_and(f64::is_finite) => {
            out.push_str(&text::to_string(value, ty, settings));
        }
        Value::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_value(element, ty.element().unwrap_or(Type::Text), settings, out);
            }
            out.push(']');
        }
        // ISO 8601's T between date and time.
        Value::Timestamp(_) | Value::TimestampTz(_) => {
            let mut shown = text::to_string(value, ty, settings).replacen(' ', "T", 1);
            if matches!(value, Value::TimestampTz(_)) && shown.len() > 3 && !shown.ends_with("BC") {
                let tail = &shown[shown.len() - 3..];
                if tail.starts_with(['+', '-']) {
                    shown.push_str(":00");
                }
            }
            write_string(&shown, out);
        }
        other => write_string(&text::to_string(other, ty, settings), out),
    }
}

fn to_json_text(args: &[Value], context: &Context) -> String {
    let mut out = String::new();
    write_value(&args[0], context.types[0], context.settings(), &mut out);
    out
}

fn to_json(args: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::Json(Arc::from(to_json_text(args, context))))
}

fn to_jsonb_value(args: &[Value], context: &Context) -> Result<Value> {
    crate::types::json::parse_jsonb(&to_json_text(args, context))
}

/// `{"key" : value, …}`, spaced as PostgreSQL spaces it.
fn object_text(args: &[Value], context: &Context, name: &str) -> Result<String> {
    if !args.len().is_multiple_of(2) {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "argument list must have even number of elements")
            .with_hint(format!("The arguments of {name}() must consist of alternating keys and values.")));
    }
    let mut out = String::from("{");
    for (index, pair) in args.chunks(2).enumerate() {
        if pair[0].is_null() {
            return Err(if name == "json_build_object" {
                Error::new(SqlState::INVALID_PARAMETER_VALUE, "null value not allowed for object key")
            } else {
                Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("argument {}: key must not be null", index * 2 + 1))
            });
        }
        out.push_str(if index > 0 { ", " } else { "" });
        write_string(&text::to_string(&pair[0], context.types[index * 2], context.settings()), &mut out);
        out.push_str(" : ");
        write_value(&pair[1], context.types[index * 2 + 1], context.settings(), &mut out);
    }
    out.push('}');
    Ok(out)
}

fn json_build_object(args: &[Value], context: &Context) -> Result<Value> {
    object_text(args, context, "json_build_object").map(|text| Value::Json(Arc::from(text)))
}

fn jsonb_build_object(args: &[Value], context: &Context) -> Result<Value> {
    crate::types::json::parse_jsonb(&object_text(args, context, "jsonb_build_object")?)
}

fn array_text(args: &[Value], context: &Context) -> String {
    let mut out = String::from("[");
    for (index, value) in args.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        write_value(value, context.types[index], context.settings(), &mut out);
    }
    out.push(']');
    out
}

fn json_build_array(args: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::Json(Arc::from(array_text(args, context))))
}

fn jsonb_build_array(args: &[Value], context: &Context) -> Result<Value> {
    crate::types::json::parse_jsonb(&array_text(args, context))
}

pub(super) static FUNCTIONS: [Function; 22] = [
    function("json_typeof", &[JSON], TEXT, type_of),
    function("jsonb_typeof", &[JSONB], TEXT, type_of),
    function("json_array_length", &[JSON], INT4, array_length),
    function("jsonb_array_length", &[JSONB], INT4, array_length),
    function("jsonb_strip_nulls", &[JSONB], JSONB, jsonb_strip_nulls),
    function("jsonb_pretty", &[JSONB], TEXT, jsonb_pretty),
    function("jsonb_set", &[JSONB, TEXTS, JSONB], JSONB, jsonb_set),
    function("jsonb_set", &[JSONB, TEXTS, JSONB, BOOL], JSONB, jsonb_set),
    function("to_json", &[ELEMENT], JSON, to_json).stable(),
    function("to_jsonb", &[ELEMENT], JSONB, to_jsonb_value).stable(),
    function("json_build_object", &[ANY], JSON, json_build_object).lenient().variadic().stable(),
    function("jsonb_build_object", &[ANY], JSONB, jsonb_build_object).lenient().variadic().stable(),
    function("json_build_object", &[], JSON, json_build_object),
    function("jsonb_build_object", &[], JSONB, jsonb_build_object),
    function("json_build_array", &[], JSON, json_build_array),
    function("jsonb_build_array", &[], JSONB, jsonb_build_array),
    function("json_build_array", &[ANY], JSON, json_build_array).lenient().variadic().stable(),
    function("jsonb_build_array", &[ANY], JSONB, jsonb_build_array).lenient().variadic().stable(),
    function("json_object_field_text", &[JSON, TEXT], TEXT, get_text),
    function("jsonb_object_field_text", &[JSONB, TEXT], TEXT, get_text),
    function("json_array_element", &[JSON, INT4], JSON, get),
    function("jsonb_array_element", &[JSONB, INT4], JSONB, get),
];

pub(super) static OPERATORS: [Function; 21] = [
    function("->", &[JSON, TEXT], JSON, get),
    function("->", &[JSON, INT4], JSON, get),
    function("->", &[JSONB, TEXT], JSONB, get),
    function("->", &[JSONB, INT4], JSONB, get),
    function("->>", &[JSON, TEXT], TEXT, get_text),
    function("->>", &[JSON, INT4], TEXT, get_text),
    function("->>", &[JSONB, TEXT], TEXT, get_text),
    function("->>", &[JSONB, INT4], TEXT, get_text),
    function("#>", &[JSON, TEXTS], JSON, get_path),
    function("#>", &[JSONB, TEXTS], JSONB, get_path),
    function("#>>", &[JSON, TEXTS], TEXT, get_path_text),
    function("#>>", &[JSONB, TEXTS], TEXT, get_path_text),
    function("@>", &[JSONB, JSONB], BOOL, contains_left),
    function("<@", &[JSONB, JSONB], BOOL, contains_right),
    function("?", &[JSONB, TEXT], BOOL, exists),
    function("?|", &[JSONB, TEXTS], BOOL, exists_any),
    function("?&", &[JSONB, TEXTS], BOOL, exists_all),
    function("||", &[JSONB, JSONB], JSONB, merge),
    function("-", &[JSONB, TEXT], JSONB, delete_key),
    function("-", &[JSONB, INT4], JSONB, delete_index),
    function("#-", &[JSONB, TEXTS], JSONB, delete_path),
];
