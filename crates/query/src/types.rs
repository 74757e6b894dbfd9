//! PostgreSQL's types as Arrow's, and back: which Arrow type carries a type, and how a field remembers which one it was.
//!
//! Several PostgreSQL types share an Arrow type (`text`, `name` and `json` are all UTF-8), so a field's metadata keeps the
//! oid and the modifier. Where metadata is lost (the result of `CASE`, say), the Arrow type's usual PostgreSQL type stands.
//!
//! `numeric` is `Decimal128(38, s)`: exact, with the scale of the type. A `numeric` column without a scale keeps
//! [`NUMERIC_SCALE`] fractional digits here; a stored value that needs more is refused with `22003`, never rounded.

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use std::collections::HashMap;
use std::sync::Arc;

/// Fractional digits of a `numeric` whose type does not say how many.
pub const NUMERIC_SCALE: i8 = 16;
/// Fractional digits of quotients and means. PostgreSQL shows at least 16 significant digits of them; how many are behind the point
/// depends on the value (`select_div_scale` in src/backend/utils/adt/numeric.c), so these are cut when they are shown.
pub const QUOTIENT_SCALE: i8 = 20;
/// All digits of a `numeric`.
pub const NUMERIC_PRECISION: u8 = 38;

const OID_KEY: &str = "florin.type";
const MODIFIER_KEY: &str = "florin.modifier";
const TABLE_KEY: &str = "florin.table";
const COLUMN_KEY: &str = "florin.column";

/// Oids of `pg_type` that the engine knows by name.
pub mod oid {
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const CHAR: u32 = 18;
    pub const NAME: u32 = 19;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT2_VECTOR: u32 = 22;
    pub const INT4: u32 = 23;
    pub const REGPROC: u32 = 24;
    pub const TEXT: u32 = 25;
    pub const OID: u32 = 26;
    pub const XID: u32 = 28;
    pub const OID_VECTOR: u32 = 30;
    pub const JSON: u32 = 114;
    pub const PG_NODE_TREE: u32 = 194;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const UNKNOWN: u32 = 705;
    pub const BOOL_ARRAY: u32 = 1000;
    pub const BYTEA_ARRAY: u32 = 1001;
    pub const CHAR_ARRAY: u32 = 1002;
    pub const NAME_ARRAY: u32 = 1003;
    pub const INT2_ARRAY: u32 = 1005;
    pub const INT4_ARRAY: u32 = 1007;
    pub const TEXT_ARRAY: u32 = 1009;
    pub const BPCHAR_ARRAY: u32 = 1014;
    pub const VARCHAR_ARRAY: u32 = 1015;
    pub const INT8_ARRAY: u32 = 1016;
    pub const FLOAT4_ARRAY: u32 = 1021;
    pub const FLOAT8_ARRAY: u32 = 1022;
    pub const OID_ARRAY: u32 = 1028;
    pub const ACLITEM_ARRAY: u32 = 1034;
    pub const BPCHAR: u32 = 1042;
    pub const VARCHAR: u32 = 1043;
    pub const DATE: u32 = 1082;
    pub const TIME: u32 = 1083;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMP_ARRAY: u32 = 1115;
    pub const DATE_ARRAY: u32 = 1182;
    pub const TIME_ARRAY: u32 = 1183;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const TIMESTAMPTZ_ARRAY: u32 = 1185;
    pub const INTERVAL: u32 = 1186;
    pub const INTERVAL_ARRAY: u32 = 1187;
    pub const NUMERIC_ARRAY: u32 = 1231;
    pub const NUMERIC: u32 = 1700;
    pub const REGCLASS: u32 = 2205;
    pub const REGTYPE: u32 = 2206;
    pub const RECORD: u32 = 2249;
    pub const VOID: u32 = 2278;
    pub const UUID: u32 = 2950;
    pub const UUID_ARRAY: u32 = 2951;
    pub const JSONB: u32 = 3802;
    pub const JSONB_ARRAY: u32 = 3807;
    pub const REGNAMESPACE: u32 = 4089;
    pub const REGROLE: u32 = 4096;
}

/// A type with its modifier (`-1`: none).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PgType {
    pub oid: u32,
    pub modifier: i32,
}

/// Array types and their elements.
const ARRAYS: &[(u32, u32)] = &[
    (oid::BOOL_ARRAY, oid::BOOL),
    (oid::BYTEA_ARRAY, oid::BYTEA),
    (oid::CHAR_ARRAY, oid::CHAR),
    (oid::NAME_ARRAY, oid::NAME),
    (oid::INT2_ARRAY, oid::INT2),
    (oid::INT2_VECTOR, oid::INT2),
    (oid::INT4_ARRAY, oid::INT4),
    (oid::TEXT_ARRAY, oid::TEXT),
    (oid::BPCHAR_ARRAY, oid::BPCHAR),
    (oid::VARCHAR_ARRAY, oid::VARCHAR),
    (oid::INT8_ARRAY, oid::INT8),
    (oid::FLOAT4_ARRAY, oid::FLOAT4),
    (oid::FLOAT8_ARRAY, oid::FLOAT8),
    (oid::OID_ARRAY, oid::OID),
    (oid::OID_VECTOR, oid::OID),
    (oid::ACLITEM_ARRAY, oid::TEXT),
    (oid::TIMESTAMP_ARRAY, oid::TIMESTAMP),
    (oid::DATE_ARRAY, oid::DATE),
    (oid::TIME_ARRAY, oid::TIME),
    (oid::TIMESTAMPTZ_ARRAY, oid::TIMESTAMPTZ),
    (oid::INTERVAL_ARRAY, oid::INTERVAL),
    (oid::NUMERIC_ARRAY, oid::NUMERIC),
    (oid::UUID_ARRAY, oid::UUID),
    (oid::JSONB_ARRAY, oid::JSONB),
];

impl PgType {
    pub const fn of(oid: u32) -> PgType {
        PgType { oid, modifier: -1 }
    }

    pub const fn with_modifier(oid: u32, modifier: i32) -> PgType {
        PgType { oid, modifier }
    }

    pub fn element(self) -> Option<PgType> {
        ARRAYS.iter().find(|(array, _)| *array == self.oid).map(|(_, element)| PgType { oid: *element, modifier: self.modifier })
    }

    /// The array type with this element type.
    pub fn array(self) -> Option<PgType> {
        let found = |(array, element): &&(u32, u32)| {
            *element == self.oid && !matches!(*array, oid::INT2_VECTOR | oid::OID_VECTOR | oid::ACLITEM_ARRAY)
        };
        ARRAYS.iter().find(found).map(|(array, _)| PgType { oid: *array, modifier: self.modifier })
    }

    /// Fractional digits of a `numeric`.
    pub fn scale(self) -> i8 {
        match self.modifier.checked_sub(4) {
            Some(bits) if bits >= 0 => i8::try_from(((bits & 0x7ff) ^ 1024) - 1024).unwrap_or(NUMERIC_SCALE).max(0),
            _ => NUMERIC_SCALE,
        }
    }

    /// Bytes of a value, -1 where it varies: what a row description says.
    pub fn size(self) -> i16 {
        match self.oid {
            oid::BOOL | oid::CHAR => 1,
            oid::INT2 => 2,
            oid::INT4 | oid::OID | oid::FLOAT4 | oid::DATE | oid::XID | oid::VOID => 4,
            oid::REGCLASS | oid::REGTYPE | oid::REGPROC | oid::REGNAMESPACE | oid::REGROLE => 4,
            oid::INT8 | oid::FLOAT8 | oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ => 8,
            oid::INTERVAL | oid::UUID => 16,
            oid::NAME => 64,
            oid::UNKNOWN => -2,
            _ => -1,
        }
    }

    pub fn is_string(self) -> bool {
        matches!(self.oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR | oid::UNKNOWN)
    }

    pub fn is_integer(self) -> bool {
        matches!(self.oid, oid::INT2 | oid::INT4 | oid::INT8)
    }

    pub fn is_number(self) -> bool {
        self.is_integer() || matches!(self.oid, oid::NUMERIC | oid::FLOAT4 | oid::FLOAT8)
    }

    /// An oid, or one of its aliases that print as a name.
    pub fn is_oid(self) -> bool {
        matches!(self.oid, oid::OID | oid::REGCLASS | oid::REGTYPE | oid::REGPROC | oid::REGNAMESPACE | oid::REGROLE | oid::XID)
    }

    /// The Arrow type that carries it; `None`: the engine does not know the type.
    pub fn arrow(self) -> Option<DataType> {
        Some(match self.oid {
            oid::BOOL => DataType::Boolean,
            oid::INT2 => DataType::Int16,
            oid::INT4 => DataType::Int32,
            oid::INT8 => DataType::Int64,
            oid::FLOAT4 => DataType::Float32,
            oid::FLOAT8 => DataType::Float64,
            oid::NUMERIC => DataType::Decimal128(NUMERIC_PRECISION, self.scale()),
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::CHAR | oid::NAME | oid::UNKNOWN | oid::PG_NODE_TREE => DataType::Utf8,
            oid::JSON | oid::JSONB | oid::VOID | oid::RECORD => DataType::Utf8,
            oid::BYTEA => DataType::Binary,
            oid::DATE => DataType::Date32,
            oid::TIME => DataType::Time64(TimeUnit::Microsecond),
            oid::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
            oid::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            oid::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
            oid::UUID => DataType::FixedSizeBinary(16),
            _ if self.is_oid() => DataType::UInt32,
            _ => DataType::List(Arc::new(Field::new_list_field(self.element()?.arrow()?, true))),
        })
    }

    /// A field of this type; `None` as for [`PgType::arrow`].
    pub fn field(self, name: &str) -> Option<Field> {
        Some(self.mark(Field::new(name, self.arrow()?, true)))
    }

    /// Writes the type into the field's metadata.
    pub fn mark(self, field: Field) -> Field {
        let mut metadata = field.metadata().clone();
        metadata.insert(OID_KEY.to_owned(), self.oid.to_string());
        metadata.insert(MODIFIER_KEY.to_owned(), self.modifier.to_string());
        field.with_metadata(metadata)
    }

    /// The type of a field: from its metadata if that fits its Arrow type, else the Arrow type's usual one.
    pub fn of_field(field: &Field) -> PgType {
        let usual = PgType::of_arrow(field.data_type());
        let Some(marked) = PgType::marked(field.metadata()) else { return usual };
        let fits = match (marked.arrow(), field.data_type()) {
            (Some(DataType::Decimal128(_, _)), DataType::Decimal128(_, _)) => true,
            (Some(DataType::List(_)), DataType::List(_)) => PgType::same_carrier(marked, usual),
            (Some(carrier), actual) => carrier == *actual,
            (None, _) => false,
        };
        if fits { marked } else { usual }
    }

    fn same_carrier(a: PgType, b: PgType) -> bool {
        let element = |ty: PgType| ty.element().and_then(PgType::arrow);
        matches!((element(a), element(b)), (Some(x), Some(y)) if std::mem::discriminant(&x) == std::mem::discriminant(&y))
    }

    pub fn marked(metadata: &HashMap<String, String>) -> Option<PgType> {
        let oid = metadata.get(OID_KEY)?.parse().ok()?;
        let modifier = metadata.get(MODIFIER_KEY).and_then(|text| text.parse().ok()).unwrap_or(-1);
        Some(PgType { oid, modifier })
    }

    /// The PostgreSQL type that an Arrow type usually carries.
    pub fn of_arrow(data_type: &DataType) -> PgType {
        PgType::of(match data_type {
            DataType::Null => oid::TEXT,
            DataType::Boolean => oid::BOOL,
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => oid::INT2,
            DataType::Int32 | DataType::UInt16 => oid::INT4,
            DataType::UInt32 => oid::OID,
            DataType::Int64 | DataType::UInt64 => oid::INT8,
            DataType::Float16 | DataType::Float32 => oid::FLOAT4,
            DataType::Float64 => oid::FLOAT8,
            DataType::Decimal32(_, _) | DataType::Decimal64(_, _) | DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => oid::NUMERIC,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => oid::BYTEA,
            DataType::FixedSizeBinary(16) => oid::UUID,
            DataType::FixedSizeBinary(_) => oid::BYTEA,
            DataType::Date32 | DataType::Date64 => oid::DATE,
            DataType::Time32(_) | DataType::Time64(_) => oid::TIME,
            DataType::Timestamp(_, None) => oid::TIMESTAMP,
            DataType::Timestamp(_, Some(_)) => oid::TIMESTAMPTZ,
            DataType::Interval(_) | DataType::Duration(_) => oid::INTERVAL,
            DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
                return PgType::of_field(element).array().unwrap_or(PgType::of(oid::TEXT_ARRAY));
            }
            DataType::Dictionary(_, values) => return PgType::of_arrow(values),
            _ => oid::TEXT,
        })
    }
}

/// Marks a field as the table's column, for the row description.
pub fn mark_origin(field: Field, table_oid: u32, column: i16) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(TABLE_KEY.to_owned(), table_oid.to_string());
    metadata.insert(COLUMN_KEY.to_owned(), column.to_string());
    field.with_metadata(metadata)
}

/// The table and the column that a field came from, zeros where it is computed.
pub fn origin(field: &Field) -> (u32, i16) {
    let number = |key: &str| field.metadata().get(key).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    (u32::try_from(number(TABLE_KEY)).unwrap_or(0), i16::try_from(number(COLUMN_KEY)).unwrap_or(0))
}

/// A field for a function's result.
pub fn result_field(name: &str, ty: PgType, data_type: DataType) -> FieldRef {
    Arc::new(ty.mark(Field::new(name, data_type, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_survive_the_way_through_a_field() {
        for ty in
            [oid::BOOL, oid::INT2, oid::NAME, oid::JSONB, oid::REGCLASS, oid::UUID, oid::INT2_VECTOR, oid::TEXT_ARRAY, oid::TIMESTAMPTZ]
        {
            let field = PgType::of(ty).field("f").expect("a known type");
            assert_eq!(PgType::of_field(&field).oid, ty);
        }
    }

    #[test]
    fn a_mark_that_does_not_fit_the_data_is_ignored() {
        let field = PgType::of(oid::REGCLASS).mark(Field::new("f", DataType::Int64, true));
        assert_eq!(PgType::of_field(&field).oid, oid::INT8);
    }

    #[test]
    fn numeric_keeps_the_scale_of_its_type() {
        let modifier = ((18 << 16) | 2) + 4;
        assert_eq!(PgType::with_modifier(oid::NUMERIC, modifier).arrow(), Some(DataType::Decimal128(38, 2)));
        assert_eq!(PgType::of(oid::NUMERIC).arrow(), Some(DataType::Decimal128(38, NUMERIC_SCALE)));
    }
}
