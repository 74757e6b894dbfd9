//! What keys promise: their order, their bytes, the way back, and slots that never move.

use super::*;
use crate::value::Interval;
use proptest::prelude::*;

fn encoded(value: &Value, ty: Type) -> Vec<u8> {
    let mut out = Vec::new();
    encode(value, ty, &mut out).expect("the type has keys");
    out
}

fn numeric() -> impl Strategy<Value = Value> {
    let digits = prop_oneof![any::<i64>().prop_map(i128::from), -1000i128..1000, -(10i128.pow(38) - 1)..10i128.pow(38)];
    (digits, 0u8..=38).prop_map(|(digits, scale)| Value::Numeric(Numeric { digits, scale }))
}

fn value_of(ty: Type) -> BoxedStrategy<Value> {
    let text = || "[a\u{0}b\u{ff}é]{0,4}";
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Int2 => any::<i16>().prop_map(Value::Int2).boxed(),
        Type::Int4 => prop_oneof![any::<i32>(), -3i32..3].prop_map(Value::Int4).boxed(),
        Type::Int8 => prop_oneof![any::<i64>(), -3i64..3].prop_map(Value::Int8).boxed(),
        Type::Float4 => any::<f32>().prop_map(Value::Float4).boxed(),
        Type::Float8 => prop_oneof![any::<f64>(), Just(-0.0), Just(0.0), Just(f64::NAN)].prop_map(Value::Float8).boxed(),
        Type::Numeric => numeric().boxed(),
        Type::Text => text().prop_map(|text| Value::text(&text)).boxed(),
        Type::Bytea => prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..5)
            .prop_map(|bytes| Value::Bytea(Bytes::from(bytes)))
            .boxed(),
        Type::Timestamp => any::<i64>().prop_map(Value::Timestamp).boxed(),
        Type::Interval => (-5i32..5, -70i32..70, any::<i32>())
            .prop_map(|(months, days, micros)| Value::Interval(Interval { months, days, micros: i64::from(micros) * 100_000 }))
            .boxed(),
        Type::Uuid => any::<u128>().prop_map(Value::Uuid).boxed(),
        Type::Array(element) => prop::collection::vec(prop_oneof![3 => value_of(*element), 1 => Just(Value::Null)], 0..4)
            .prop_map(|v| Value::Array(v.into()))
            .boxed(),
        other => panic!("no strategy for {other}"),
    }
}

const TYPES: [Type; 14] = [
    Type::Bool,
    Type::Int2,
    Type::Int4,
    Type::Int8,
    Type::Float4,
    Type::Float8,
    Type::Numeric,
    Type::Text,
    Type::Bytea,
    Type::Timestamp,
    Type::Interval,
    Type::Uuid,
    Type::Array(&Type::Int4),
    Type::Array(&Type::Text),
];

fn typed_pair() -> impl Strategy<Value = (Type, Value, Value)> {
    prop::sample::select(TYPES.to_vec()).prop_flat_map(|ty| {
        let item = || prop_oneof![9 => value_of(ty), 1 => Just(Value::Null)];
        (Just(ty), item(), item())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn keys_sort_as_their_values_do((ty, a, b) in typed_pair()) {
        prop_assert_eq!(encoded(&a, ty).cmp(&encoded(&b, ty)), a.compare(&b));
    }

    #[test]
    fn keys_lead_back_to_equal_values((ty, a, b) in typed_pair()) {
        let mut key = encoded(&a, ty);
        let first = key.len();
        key.extend(encoded(&b, ty));
        let mut rest = key.as_slice();
        prop_assert_eq!(decode(&mut rest, ty).expect("whole"), a);
        prop_assert_eq!(rest.len(), key.len() - first);
        skip(&mut rest, ty).expect("whole");
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn a_prefix_holds_exactly_the_keys_that_start_with_it((ty, a, b) in typed_pair(), next in any::<i32>()) {
        let range = prefix_range(&encoded(&a, ty));
        let mut key = encoded(&b, ty);
        encode(&Value::Int4(next), Type::Int4, &mut key).expect("an integer");
        let inside = key.as_slice() >= &*range.start && (range.end.is_empty() || key.as_slice() < &*range.end);
        prop_assert_eq!(inside, a == b);
    }

    #[test]
    fn damaged_keys_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), ty in prop::sample::select(TYPES.to_vec())) {
        let _ = decode(&mut bytes.as_slice(), ty);
        let _ = skip(&mut bytes.as_slice(), ty);
    }
}

#[test]
fn the_bytes_of_keys_stay_what_they_are() {
    let numeric = |text: &str| Value::Numeric(text.parse().expect("a number"));
    for (value, ty, bytes) in [
        (Value::Null, Type::Int4, &[0xf0][..]),
        (Value::Int4(-2), Type::Int4, &[0x10, 0x7f, 0xff, 0xff, 0xfe]),
        (Value::Int8(7), Type::Int8, &[0x10, 0x80, 0, 0, 0, 0, 0, 0, 7]),
        (Value::text("a\0"), Type::Text, &[0x10, b'a', 0, 0xff, 0, 1]),
        (Value::text("a  "), Type::BpChar, &[0x10, b'a', 0, 1]),
        (numeric("12.50"), Type::Numeric, &[0x10, 0xe0, 0x41, 13, 51, 0]),
        (numeric("-0.5"), Type::Numeric, &[0x10, 0x20, !0x3f, !51, 0xff]),
        (numeric("0.00"), Type::Numeric, &[0x10, 0x80]),
        (Value::Float8(-1.0), Type::Float8, &[0x10, 0x40, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ] {
        assert_eq!(encoded(&value, ty), bytes, "{value:?}");
    }
}

/// The vectors of docs/formats.md.
#[test]
fn slots_stay_where_they_are() {
    let slot = |value: Value, ty: Type| slot_of([(&value, ty)]).expect("the type has keys").0;
    assert_eq!(slot_of_bytes(b"123456789").0, (0xe306_9283u32 % 4096) as u16);
    assert_eq!(slot(Value::Int4(1), Type::Int4), 3546);
    assert_eq!(slot(Value::Int8(42), Type::Int8), 3070);
    assert_eq!(slot(Value::text("a"), Type::Text), 74);
    assert_eq!(slot(Value::Numeric("1.0".parse().expect("a number")), Type::Numeric), slot(Value::Numeric(Numeric::ONE), Type::Numeric));
}

#[test]
fn prefixes_of_ones_have_no_end() {
    assert_eq!(&prefix_end(&[1, 0xff])[..], &[2]);
    assert!(prefix_end(&[0xff, 0xff]).is_empty());
}
