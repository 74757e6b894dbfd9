//! What stored rows promise: their bytes, any order of access, younger and dropped columns, damage.

use super::*;
use crate::value::{Interval, Numeric};
use std::sync::Arc;

fn layout(types: &[Type]) -> RowLayout {
    RowLayout::new(types.iter().map(|ty| StoredColumn { ty: *ty, dropped: false, missing: Value::Null }).collect())
}

#[test]
fn the_bytes_of_a_row_stay_what_they_are() {
    let layout = layout(&[Type::Int4, Type::Text, Type::Int8, Type::Numeric, Type::Bool]);
    let values = [Value::Int4(7), Value::text("ab"), Value::Null, Value::Numeric(Numeric { digits: -12_345, scale: 2 }), Value::Bool(true)];
    let mut bytes = Vec::new();
    layout.encode(&values, &mut bytes).expect("types fit");
    assert_eq!(bytes, [1, 5, 0, 0b100, 7, 0, 0, 0, 2, b'a', b'b', 3, 2, 0xcf, 0xc7, 1]);
    assert_eq!(layout.decode(&bytes).expect("was just encoded"), values);
}

#[test]
fn columns_are_found_in_any_order() {
    let layout = layout(&[Type::Text, Type::Int2, Type::Interval, Type::Uuid, Type::Array(&Type::Text), Type::Float8]);
    let values = vec![
        Value::text(&"x".repeat(300)),
        Value::Int2(-2),
        Value::Interval(Interval { months: 1, days: -2, micros: 3 }),
        Value::Uuid(42),
        Value::Array(Arc::from([Value::text("a"), Value::Null, Value::text("")])),
        Value::Float8(-1.5),
    ];
    let mut bytes = Vec::new();
    layout.encode(&values, &mut bytes).expect("types fit");
    let reader = layout.reader(&bytes).expect("a row");
    for index in [5, 0, 3, 4, 1, 2, 5] {
        assert_eq!(reader.value(index).expect("whole"), values[index]);
    }
}

#[test]
fn younger_columns_take_their_missing_value_and_dropped_ones_are_null() {
    let old = layout(&[Type::Int4, Type::Text]);
    let mut bytes = Vec::new();
    old.encode(&[Value::Int4(1), Value::text("gone")], &mut bytes).expect("types fit");
    let column = |ty, dropped, missing| StoredColumn { ty, dropped, missing };
    let new = RowLayout::new(vec![
        column(Type::Int4, false, Value::Null),
        column(Type::Text, true, Value::Null),
        column(Type::Int8, false, Value::Int8(9)),
    ]);
    assert_eq!(new.decode(&bytes).expect("whole"), [Value::Int4(1), Value::Null, Value::Int8(9)]);
}

#[test]
fn damaged_rows_are_refused_and_never_panic() {
    let layout = layout(&[Type::Text, Type::Numeric, Type::Array(&Type::Int4), Type::Bool]);
    let values = [
        Value::text("abc"),
        Value::Numeric(Numeric { digits: 5, scale: 1 }),
        Value::Array(Arc::from([Value::Int4(1)])),
        Value::Bool(false),
    ];
    let mut bytes = Vec::new();
    layout.encode(&values, &mut bytes).expect("types fit");
    for length in 0..bytes.len() {
        assert!(layout.decode(&bytes[..length]).is_err());
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let _ = layout.decode(&damaged);
        }
    }
}

#[test]
fn a_value_of_another_type_is_not_stored() {
    let error = layout(&[Type::Int4]).encode(&[Value::Int8(1)], &mut Vec::new()).expect_err("types differ");
    assert_eq!(error.state(), SqlState::INTERNAL_ERROR);
}
