//! Operators on strings.

use super::arithmetic::mismatch;
use super::kinds::*;
use super::strings::cast_to_text;
use super::{Context, Function, function};
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

/// One side is not a string: it is cast to one.
fn concat_any(args: &[Value], context: &Context) -> Result<Value> {
    let texts = args.iter().zip(context.types).map(|(value, ty)| cast_to_text(value.clone(), *ty, context));
    concat_texts(&texts.collect::<Result<Vec<_>>>()?, context)
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
    function("||", &[TEXT, NON_ARRAY], TEXT, concat_any).stable(),
    function("||", &[NON_ARRAY, TEXT], TEXT, concat_any).stable(),
    function("||", &[BYTEA, BYTEA], BYTEA, concat_bytes),
];
