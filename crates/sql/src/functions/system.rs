//! What a session says about itself and about types.

use super::arithmetic::mismatch;
use super::kinds::*;
use super::strings::{integer, made};
use super::{Context, Function, function};
use crate::types::{NO_MODIFIER, Type};
use crate::value::Value;
use base::Result;
use std::sync::Arc;

/// The version of PostgreSQL whose behaviour Florin has, first, since clients read it.
pub const VERSION: &str = concat!("PostgreSQL 15.0 (Florin ", env!("CARGO_PKG_VERSION"), ")");

fn version(_: &[Value], _: &Context) -> Result<Value> {
    made(VERSION)
}

fn current_user(_: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::Text(context.settings().user.clone()))
}

fn session_user(_: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::Text(context.settings().session_user.clone()))
}

fn current_database(_: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::Text(context.settings().database.clone()))
}

fn current_schema(_: &[Value], context: &Context) -> Result<Value> {
    Ok(context.settings().search_path.iter().find(|name| *name != "$user").map_or(Value::Null, |name| Value::text(name)))
}

fn current_schemas(args: &[Value], context: &Context) -> Result<Value> {
    let implicit = (args[0].as_bool() == Some(true)).then_some("pg_catalog");
    let path = context.settings().search_path.iter().map(String::as_str).filter(|name| *name != "$user");
    Ok(Value::Array(implicit.into_iter().chain(path).map(Value::text).collect::<Vec<_>>().into()))
}

fn backend_pid(_: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::Int4(context.settings().backend_pid))
}

fn type_of(_: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::Oid(context.types[0].oid()))
}

fn format_type(args: &[Value], _: &Context) -> Result<Value> {
    let Some(oid) = args[0].as_i64() else {
        return Ok(Value::Null);
    };
    let modifier = args[1].as_i64();
    let ty = u32::try_from(oid).ok().and_then(Type::from_oid);
    match (ty, modifier) {
        (None, _) => made(if oid == 0 { "-" } else { "???" }),
        // Without a modifier asked for, char(n)'s name is as SQL has it.
        (Some(ty), None) => made(ty.to_string()),
        (Some(ty), Some(modifier)) => made(ty.display(i32::try_from(modifier).unwrap_or(NO_MODIFIER)).to_string()),
    }
}

/// Version 4, from the node's generator.
fn gen_random_uuid(_: &[Value], context: &Context) -> Result<Value> {
    let ambient = context.env.ambient;
    let random = (u128::from(ambient.random()) << 64) | u128::from(ambient.random());
    let versioned = (random & !(0xf << 76)) | (4 << 76);
    Ok(Value::Uuid((versioned & !(0b11 << 62)) | (0b10 << 62)))
}

fn num_nulls(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Int4(args.iter().filter(|arg| arg.is_null()).count() as i32))
}

fn num_nonnulls(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Int4(args.iter().filter(|arg| !arg.is_null()).count() as i32))
}

fn elements(args: &[Value], index: usize) -> Result<&[Value]> {
    match args.get(index) {
        Some(Value::Array(elements)) => Ok(elements),
        _ => Err(mismatch()),
    }
}

fn cardinality(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Int4(elements(args, 0)?.len() as i32))
}

/// NULL for an empty array and for any dimension but the first.
fn array_length(args: &[Value], _: &Context) -> Result<Value> {
    let length = elements(args, 0)?.len();
    Ok(if length == 0 || integer(args, 1)? != 1 { Value::Null } else { Value::Int4(length as i32) })
}

fn array_lower(args: &[Value], _: &Context) -> Result<Value> {
    let empty = elements(args, 0)?.is_empty() || integer(args, 1)? != 1;
    Ok(if empty { Value::Null } else { Value::Int4(1) })
}

fn array_append(args: &[Value], _: &Context) -> Result<Value> {
    let mut all = if args[0].is_null() { Vec::new() } else { elements(args, 0)?.to_vec() };
    all.push(args[1].clone());
    Ok(Value::Array(Arc::from(all)))
}

fn array_prepend(args: &[Value], _: &Context) -> Result<Value> {
    let mut all = vec![args[0].clone()];
    if !args[1].is_null() {
        all.extend_from_slice(elements(args, 1)?);
    }
    Ok(Value::Array(Arc::from(all)))
}

fn array_cat(args: &[Value], _: &Context) -> Result<Value> {
    match (&args[0], &args[1]) {
        (Value::Null, other) | (other, Value::Null) => Ok(other.clone()),
        _ => Ok(Value::Array(Arc::from([elements(args, 0)?, elements(args, 1)?].concat()))),
    }
}

fn array_position(args: &[Value], _: &Context) -> Result<Value> {
    if args[0].is_null() {
        return Ok(Value::Null);
    }
    let at = elements(args, 0)?.iter().position(|element| *element == args[1]);
    Ok(at.map_or(Value::Null, |at| Value::Int4(at as i32 + 1)))
}

fn array_to_string(args: &[Value], context: &Context) -> Result<Value> {
    let Some(separator) = args[1].as_str() else { return Ok(Value::Null) };
    if args[0].is_null() {
        return Ok(Value::Null);
    }
    let ty = context.types[0].element().unwrap_or(Type::Text);
    let null = args.get(2).and_then(Value::as_str);
    let shown = elements(args, 0)?.iter().filter_map(|element| match element {
        Value::Null => null.map(str::to_owned),
        element => Some(crate::types::text::to_string(element, ty, context.settings())),
    });
    made(shown.collect::<Vec<_>>().join(separator))
}

fn string_to_array(args: &[Value], _: &Context) -> Result<Value> {
    let Some(text) = args[0].as_str() else { return Ok(Value::Null) };
    let null = args.get(2).and_then(Value::as_str);
    let value = |part: &str| if Some(part) == null { Value::Null } else { Value::text(part) };
    let parts: Vec<Value> = match args[1].as_str() {
        _ if text.is_empty() => Vec::new(),
        None => text.chars().map(|c| value(c.encode_utf8(&mut [0; 4]))).collect(),
        Some("") => vec![value(text)],
        Some(separator) => text.split(separator).map(value).collect(),
    };
    Ok(Value::Array(Arc::from(parts)))
}

/// NULLs are equal to nothing.
fn holds(whole: &[Value], item: &Value) -> bool {
    !item.is_null() && whole.contains(item)
}

fn array_contains(args: &[Value], _: &Context) -> Result<Value> {
    let (whole, part) = (elements(args, 0)?, elements(args, 1)?);
    Ok(Value::Bool(part.iter().all(|item| holds(whole, item))))
}

fn array_contained(args: &[Value], _: &Context) -> Result<Value> {
    let (part, whole) = (elements(args, 0)?, elements(args, 1)?);
    Ok(Value::Bool(part.iter().all(|item| holds(whole, item))))
}

fn array_overlap(args: &[Value], _: &Context) -> Result<Value> {
    let (a, b) = (elements(args, 0)?, elements(args, 1)?);
    Ok(Value::Bool(b.iter().any(|item| holds(a, item))))
}

pub(super) static FUNCTIONS: [Function; 30] = [
    function("version", &[], TEXT, version).stable(),
    function("current_user", &[], NAME, current_user).stable(),
    function("current_role", &[], NAME, current_user).stable(),
    function("session_user", &[], NAME, session_user).stable(),
    function("current_catalog", &[], NAME, current_database).stable(),
    function("current_database", &[], NAME, current_database).stable(),
    function("current_schema", &[], NAME, current_schema).stable(),
    function("current_schemas", &[BOOL], Param::Of(Type::Array(&Type::Name)), current_schemas).stable(),
    function("pg_backend_pid", &[], INT4, backend_pid).stable(),
    function("pg_typeof", &[ANY], Param::Of(Type::RegType), type_of).lenient(),
    function("format_type", &[OID, INT4], TEXT, format_type).lenient(),
    function("gen_random_uuid", &[], UUID, gen_random_uuid).volatile(),
    function("num_nulls", &[ANY], INT4, num_nulls).lenient().variadic(),
    function("num_nonnulls", &[ANY], INT4, num_nonnulls).lenient().variadic(),
    function("cardinality", &[ARRAY], INT4, cardinality),
    function("array_length", &[ARRAY, INT4], INT4, array_length),
    function("array_upper", &[ARRAY, INT4], INT4, array_length),
    function("array_lower", &[ARRAY, INT4], INT4, array_lower),
    function("array_append", &[COMPATIBLE_ARRAY, COMPATIBLE], COMPATIBLE_ARRAY, array_append).lenient(),
    function("array_prepend", &[COMPATIBLE, COMPATIBLE_ARRAY], COMPATIBLE_ARRAY, array_prepend).lenient(),
    function("array_cat", &[COMPATIBLE_ARRAY, COMPATIBLE_ARRAY], COMPATIBLE_ARRAY, array_cat).lenient(),
    function("array_position", &[COMPATIBLE_ARRAY, COMPATIBLE], INT4, array_position).lenient(),
    function("array_to_string", &[ARRAY, TEXT], TEXT, array_to_string).lenient().stable(),
    function("array_to_string", &[ARRAY, TEXT, TEXT], TEXT, array_to_string).lenient().stable(),
    function("string_to_array", &[TEXT, TEXT], TEXTS, string_to_array).lenient(),
    function("string_to_array", &[TEXT, TEXT, TEXT], TEXTS, string_to_array).lenient(),
    function("pg_is_in_recovery", &[], BOOL, |_, _| Ok(Value::Bool(false))).stable(),
    function("pg_client_encoding", &[], NAME, |_, _| made("UTF8")).stable(),
    function("timeofday", &[], TEXT, timeofday).volatile(),
    function("pg_column_size", &[ANY], INT4, column_size),
];

/// As it would be stored in a row.
fn column_size(args: &[Value], context: &Context) -> Result<Value> {
    let mut stored = Vec::new();
    crate::types::stored::encode(&args[0], context.types[0], &mut stored)?;
    Ok(Value::Int4(stored.len() as i32))
}

fn timeofday(_: &[Value], context: &Context) -> Result<Value> {
    let now = crate::types::settings::timestamp_of(context.env.ambient.wall());
    made(crate::types::text::to_string(&Value::TimestampTz(now), Type::TimestampTz, context.settings()))
}

use super::Param;

pub(super) static OPERATORS: [Function; 6] = [
    function("||", &[COMPATIBLE_ARRAY, COMPATIBLE_ARRAY], COMPATIBLE_ARRAY, array_cat).lenient(),
    function("||", &[COMPATIBLE_ARRAY, COMPATIBLE], COMPATIBLE_ARRAY, array_append).lenient(),
    function("||", &[COMPATIBLE, COMPATIBLE_ARRAY], COMPATIBLE_ARRAY, array_prepend).lenient(),
    function("@>", &[ARRAY, ARRAY], BOOL, array_contains),
    function("<@", &[ARRAY, ARRAY], BOOL, array_contained),
    function("&&", &[ARRAY, ARRAY], BOOL, array_overlap),
];
