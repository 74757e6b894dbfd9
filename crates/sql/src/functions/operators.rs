//! Operators on strings.

use super::arithmetic::mismatch;
use super::kinds::*;
use super::{Context, Function, function};
use crate::types::text;
use crate::value::Value;
use base::Result;
use bytes::{BufMut, BytesMut};
use std::sync::Arc;

fn concat_texts(args: &[Value], _: &Context) -> Result<Value> {
    match args {
        [Value::Text(a), Value::Text(b)] => Ok(Value::Text(Arc::from([&**a, &**b].concat()))),
        _ => Err(mismatch()),
    }
}

/// One side is not a string: its text form is taken.
fn concat_any(args: &[Value], context: &Context) -> Result<Value> {
    let mut out = String::new();
    for (value, ty) in args.iter().zip(context.types) {
        out.push_str(&text::to_string(value, *ty, context.settings()));
    }
    Ok(Value::Text(Arc::from(out)))
}

fn concat_bytes(args: &[Value], _: &Context) -> Result<Value> {
    let [Value::Bytea(a), Value::Bytea(b)] = args else {
        return Err(mismatch());
    };
    let mut out = BytesMut::with_capacity(a.len() + b.len());
    out.put_slice(a);
    out.put_slice(b);
    Ok(Value::Bytea(out.freeze()))
}

pub(super) static OPERATORS: [Function; 4] = [
    function("||", &[TEXT, TEXT], TEXT, concat_texts),
    function("||", &[TEXT, ANY], TEXT, concat_any).stable(),
    function("||", &[ANY, TEXT], TEXT, concat_any).stable(),
    function("||", &[BYTEA, BYTEA], BYTEA, concat_bytes),
];
