//! Values of all types: from clients' texts and bytes, and from what is stored.

use bytes::{Bytes, BytesMut};
use sql::catalog::store;
use sql::client::Format;
use sql::key;
use sql::row::{RowLayout, StoredColumn};
use sql::types::settings::Settings;
use sql::types::{Type, stored, wire};
use sql::value::Value;

fn types() -> Vec<Type> {
    Type::scalars().flat_map(|ty| [Some(ty), ty.array_of()]).flatten().collect()
}

/// The first byte chooses the type, the second the format; the rest are one or two values, parted by a zero byte.
pub fn values(input: &[u8]) {
    let [ty, format, rest @ ..] = input else { return };
    let types = types();
    let ty = types[usize::from(*ty) % types.len()];
    let format = if format % 2 == 0 { Format::Text } else { Format::Binary };
    let settings = Settings::default();
    let read = |bytes: &[u8]| wire::parse(Some(bytes), ty, format, &settings).ok();
    if format == Format::Binary {
        check(read(rest).as_ref(), ty, &settings);
        return;
    }
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let (one, two) = (parts.next().and_then(read), parts.next().and_then(read));
    check(one.as_ref(), ty, &settings);
    if let (Some(one), Some(two)) = (&one, &two) {
        check_order(one, two, ty);
    }
}

/// Types of which each value is asserted to come back as it was; values of the others are only read and written.
const EXACT: [Type; 8] = [Type::Bool, Type::Int2, Type::Int4, Type::Int8, Type::Text, Type::VarChar, Type::Bytea, Type::Uuid];

/// A value that was taken is written so that it reads back the same, in each format, in a row and in a key.
fn check(value: Option<&Value>, ty: Type, settings: &Settings) {
    let Some(value) = value else { return };
    let exact = EXACT.contains(&ty);
    for format in [Format::Text, Format::Binary] {
        let mut out = BytesMut::new();
        wire::put_value(value, ty, format, settings, &mut out);
        let again = wire::parse(out.get(4..), ty, format, settings);
        assert!(!exact || again.as_ref().ok() == Some(value), "{ty:?} as {format:?}: {out:?} reads as {again:?}");
    }
    let layout = RowLayout::new(vec![StoredColumn { ty, dropped: false, missing: Value::Null }]);
    let mut bytes = Vec::new();
    if layout.encode(std::slice::from_ref(value), &mut bytes).is_ok() {
        let again = layout.decode(&bytes).ok();
        assert!(!exact || again.as_deref() == Some(std::slice::from_ref(value)), "{ty:?} as it is stored reads as {again:?}");
    }
    let mut bytes = Vec::new();
    if key::encode(value, ty, &mut bytes).is_ok() {
        let mut rest = &bytes[..];
        let again = key::decode(&mut rest, ty).ok();
        assert!(!exact || (again.as_ref() == Some(value) && rest.is_empty()), "{ty:?} in a key reads as {again:?}");
        let mut rest = &bytes[..];
        let skipped = key::skip(&mut rest, ty).is_ok();
        assert!(!exact || (skipped && rest.is_empty()), "{ty:?}: skipping reads as far as decoding");
    }
}

/// Keys sort as their values do.
fn check_order(one: &Value, two: &Value, ty: Type) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    if EXACT.contains(&ty) && key::encode(one, ty, &mut a).is_ok() && key::encode(two, ty, &mut b).is_ok() {
        assert_eq!(a.cmp(&b), one.cmp(two), "{ty:?}: {one:?} and {two:?} in keys");
    }
}

pub fn value_seeds() -> Vec<Vec<u8>> {
    const TEXTS: &[&str] = &[
        "t\x00f",
        "-32768\x0032767",
        "12345678901234567890.12345\x00-0.000",
        "1e5\x00NaN",
        "Infinity\x00-Infinity",
        "1.7976931348623157e308\x005e-324",
        "text with 'quotes'\x00\u{e4}\u{1f600}",
        "\\xdeadbeef\x00\\x",
        "\\x0000abc\\\\",
        "2026-11-22\x000044-03-15 BC",
        "infinity\x00epoch",
        "23:59:59.999999\x0024:00:00",
        "2026-11-22 12:34:56.789+02\x002026-11-22T12:34:56Z",
        "Nov 22 2026 1:02 PM Europe/Berlin\x00294276-12-31 23:59:59",
        "1 year 2 mons -3 days 04:05:06.7\x00P1Y2M3DT4H5M6S",
        "@ 1 day ago\x00-178000000 years",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8\x00{6BA7B8109DAD11D180B400C04FD430C8}",
        "{\"a\": [1, 2.50, null, true, \"\\u00e4\\n\"]}\x00[1e400]",
        "{1,2,NULL}\x00{{1,2},{3,4}}",
        "{\"a b\",\"c\\\"d\"}\x00[2:3]={5,6}",
        "{2026-11-22,infinity}\x00{}",
    ];
    const BINARIES: &[&[u8]] = &[
        b"\x01",
        b"\0\0\0\x07",
        b"\0\0\0\0\0\0\0\x07",
        b"\x40\x09\x21\xfb\x54\x44\x2d\x18",
        b"\0\x02\0\0\0\0\0\x02\0\x01\x13\x88",
        b"\x01{\"a\":1}",
        b"0123456789abcdef",
        b"\0\0\0\x01\0\0\0\0\0\0\0\x17\0\0\0\x02\0\0\0\x01\0\0\0\x04\0\0\0\x01\xff\xff\xff\xff",
    ];
    let count = types().len() as u8;
    let mut seeds = Vec::new();
    for ty in 0..count {
        seeds.extend(TEXTS.iter().map(|text| [&[ty, 0][..], text.as_bytes()].concat()));
        seeds.extend(BINARIES.iter().map(|bytes| [&[ty, 1][..], bytes].concat()));
    }
    seeds
}

/// What a damaged disk may hold: rows, keys, the catalog. The first byte chooses the type.
pub fn stored(input: &[u8]) {
    let Some((&ty, bytes)) = input.split_first() else { return };
    let types = types();
    let ty = types[usize::from(ty) % types.len()];
    // Damage is refused; a value that is only wrong cannot be noticed here. Neither may panic.
    if let Ok(value) = stored::decode(bytes, ty) {
        let mut out = BytesMut::new();
        wire::put_value(&value, ty, Format::Text, &Settings::default(), &mut out);
    }
    let _ = key::decode(&mut &bytes[..], ty);
    let _ = key::skip(&mut &bytes[..], ty);
    let column = |ty| StoredColumn { ty, dropped: false, missing: Value::Null };
    let layout = RowLayout::new([Type::Int4, Type::Text, ty, Type::Numeric, Type::Int8].map(column).to_vec());
    let _ = layout.decode(bytes);
    let _ = store::read_counters(bytes);
    if bytes.len() > 10 {
        let (key, row) = bytes.split_at(10);
        let _ = store::decode([(key, row)]);
    }
}

pub fn stored_seeds() -> Vec<Vec<u8>> {
    let settings = Settings::default();
    let mut seeds = Vec::new();
    for seed in value_seeds() {
        let ty = types()[usize::from(seed[0])];
        let text = seed[2..].split(|byte| *byte == 0).next().unwrap_or_default();
        let Ok(value) = wire::parse(Some(text), ty, Format::Text, &settings) else { continue };
        let (mut bytes, mut in_key) = (vec![seed[0]], vec![seed[0]]);
        if stored::encode(&value, ty, &mut bytes).is_ok() {
            seeds.push(bytes);
        }
        if key::encode(&value, ty, &mut in_key).is_ok() {
            seeds.push(in_key);
        }
        let column = |ty| StoredColumn { ty, dropped: false, missing: Value::Null };
        let layout = RowLayout::new([Type::Int4, Type::Text, ty, Type::Numeric, Type::Int8].map(column).to_vec());
        let mut row = vec![seed[0]];
        if layout.encode(&[Value::Int4(7), Value::text("seven"), value, Value::Null, Value::Int8(-7)], &mut row).is_ok() {
            seeds.push(row);
        }
    }
    for write in store::bootstrap(true) {
        seeds.push([&[0][..], &write.key, &write.row.unwrap_or_else(Bytes::new)].concat());
    }
    seeds
}
