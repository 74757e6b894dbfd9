//! SQL types: their names, oids, sizes and modifiers, and (in the modules) their text and binary forms, casts and arithmetic.
//!
//! Oids and names are PostgreSQL's `pg_type`. Nothing here reads a clock or a locale: what depends on the session comes in
//! [`Settings`].

pub mod array;
pub mod ast;
pub mod binary;
pub mod calendar;
pub mod cast;
pub mod datetime;
mod datetime_parse;
pub mod float;
pub mod interval;
pub mod json;
pub mod json_raw;
pub mod numeric;
mod numeric_math;
pub mod settings;
pub mod stored;
pub mod text;
pub mod wide;
pub mod wire;
pub mod zone;

pub use settings::Settings;

use serde::{Deserialize, Serialize};
use std::fmt;

/// A type that values and columns can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    VarChar,
    /// `character(n)`, blank-padded.
    BpChar,
    /// One byte: the `"char"` of the system catalogs.
    Char,
    Name,
    Oid,
    RegClass,
    RegType,
    RegProc,
    Bytea,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Interval,
    Uuid,
    Json,
    Jsonb,
    /// A string literal or NULL whose type is not decided yet.
    Unknown,
    Void,
    Record,
    /// One-dimensional; the element is never itself an array.
    Array(&'static Type),
}

/// PostgreSQL's `typcategory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    Boolean,
    Number,
    String,
    DateTime,
    Timespan,
    Array,
    User,
    Internal,
    Pseudo,
    Unknown,
}

struct Entry {
    ty: Type,
    oid: u32,
    array_oid: u32,
    /// `typname`.
    name: &'static str,
    /// What `format_type` says.
    sql_name: &'static str,
    /// Bytes, -1 for variable length.
    size: i16,
}

const fn entry(ty: Type, oid: u32, array_oid: u32, size: i16, name: &'static str, sql_name: &'static str) -> Entry {
    Entry { ty, oid, array_oid, name, sql_name, size }
}

static ENTRIES: [Entry; 28] = [
    entry(Type::Bool, 16, 1000, 1, "bool", "boolean"),
    entry(Type::Int2, 21, 1005, 2, "int2", "smallint"),
    entry(Type::Int4, 23, 1007, 4, "int4", "integer"),
    entry(Type::Int8, 20, 1016, 8, "int8", "bigint"),
    entry(Type::Float4, 700, 1021, 4, "float4", "real"),
    entry(Type::Float8, 701, 1022, 8, "float8", "double precision"),
    entry(Type::Numeric, 1700, 1231, -1, "numeric", "numeric"),
    entry(Type::Text, 25, 1009, -1, "text", "text"),
    entry(Type::VarChar, 1043, 1015, -1, "varchar", "character varying"),
    entry(Type::BpChar, 1042, 1014, -1, "bpchar", "character"),
    entry(Type::Char, 18, 1002, 1, "char", "\"char\""),
    entry(Type::Name, 19, 1003, 64, "name", "name"),
    entry(Type::Oid, 26, 1028, 4, "oid", "oid"),
    entry(Type::RegClass, 2205, 2210, 4, "regclass", "regclass"),
    entry(Type::RegType, 2206, 2211, 4, "regtype", "regtype"),
    entry(Type::RegProc, 24, 1008, 4, "regproc", "regproc"),
    entry(Type::Bytea, 17, 1001, -1, "bytea", "bytea"),
    entry(Type::Date, 1082, 1182, 4, "date", "date"),
    entry(Type::Time, 1083, 1183, 8, "time", "time without time zone"),
    entry(Type::Timestamp, 1114, 1115, 8, "timestamp", "timestamp without time zone"),
    entry(Type::TimestampTz, 1184, 1185, 8, "timestamptz", "timestamp with time zone"),
    entry(Type::Interval, 1186, 1187, 16, "interval", "interval"),
    entry(Type::Uuid, 2950, 2951, 16, "uuid", "uuid"),
    entry(Type::Json, 114, 199, -1, "json", "json"),
    entry(Type::Jsonb, 3802, 3807, -1, "jsonb", "jsonb"),
    entry(Type::Unknown, 705, 0, -2, "unknown", "unknown"),
    entry(Type::Void, 2278, 0, 4, "void", "void"),
    entry(Type::Record, 2249, 2287, -1, "record", "record"),
];

/// The modifier of a type without one.
pub const NO_MODIFIER: i32 = -1;
/// PostgreSQL adds it to lengths, for the header that its values carry.
const MODIFIER_OFFSET: i32 = 4;
/// Most characters of `varchar(n)` and `char(n)`.
pub const LENGTH_MAX: i32 = 10_485_760;

impl Type {
    /// All that are not arrays.
    pub fn scalars() -> impl Iterator<Item = Type> {
        ENTRIES.iter().map(|entry| entry.ty)
    }

    fn entry(self) -> &'static Entry {
        let scalar = if let Type::Array(element) = self { *element } else { self };
        ENTRIES.iter().find(|entry| entry.ty == scalar).expect("every scalar type has its entry")
    }

    pub fn oid(self) -> u32 {
        match self {
            Type::Array(_) => self.entry().array_oid,
            // The types of the payment path first.
            Type::Int4 => 23,
            Type::Int8 => 20,
            Type::Text => 25,
            _ => self.entry().oid,
        }
    }

    pub fn from_oid(oid: u32) -> Option<Type> {
        ENTRIES.iter().find_map(|entry| match oid {
            0 => None,
            _ if entry.oid == oid => Some(entry.ty),
            _ if entry.array_oid == oid => Some(Type::Array(&entry.ty)),
            _ => None,
        })
    }

    /// 0 where there is none.
    pub fn array_oid(self) -> u32 {
        if self.is_array() { 0 } else { self.entry().array_oid }
    }

    pub fn array_of(self) -> Option<Type> {
        let entry = self.entry();
        (!self.is_array() && entry.array_oid != 0).then_some(Type::Array(&entry.ty))
    }

    pub fn element(self) -> Option<Type> {
        match self {
            Type::Array(element) => Some(*element),
            _ => None,
        }
    }

    pub fn is_array(self) -> bool {
        matches!(self, Type::Array(_))
    }

    /// `typname`: the internal name, `_int4` for an array.
    pub fn name(self) -> String {
        let name = self.entry().name;
        if self.is_array() { format!("_{name}") } else { name.to_owned() }
    }

    /// The type of a name as SQL texts use it (`int`, `integer`, `int4`, `timestamptz`, …), without modifier.
    pub fn from_name(name: &str) -> Option<Type> {
        let lower = name.trim().to_ascii_lowercase();
        if let Some(element) = lower.strip_suffix("[]") {
            return Type::from_name(element)?.array_of();
        }
        if let Some(found) = ENTRIES.iter().find(|entry| entry.name == lower || entry.sql_name == lower) {
            return Some(found.ty);
        }
        Some(match lower.as_str() {
            "int" => Type::Int4,
            "decimal" | "dec" => Type::Numeric,
            "float" => Type::Float8,
            "char" => Type::BpChar,
            "timestamp" => Type::Timestamp,
            "time" => Type::Time,
            name => return ENTRIES.iter().find(|e| name.strip_prefix('_') == Some(e.name)).and_then(|e| e.ty.array_of()),
        })
    }

    /// `typlen`.
    pub fn size(self) -> i16 {
        if self.is_array() { -1 } else { self.entry().size }
    }

    pub fn category(self) -> Category {
        match self {
            Type::Bool => Category::Boolean,
            Type::Int2 | Type::Int4 | Type::Int8 | Type::Float4 | Type::Float8 | Type::Numeric => Category::Number,
            Type::Oid | Type::RegClass | Type::RegType | Type::RegProc => Category::Number,
            Type::Text | Type::VarChar | Type::BpChar | Type::Name => Category::String,
            Type::Date | Type::Time | Type::Timestamp | Type::TimestampTz => Category::DateTime,
            Type::Interval => Category::Timespan,
            Type::Bytea | Type::Uuid | Type::Json | Type::Jsonb => Category::User,
            Type::Char => Category::Internal,
            Type::Array(_) => Category::Array,
            Type::Void | Type::Record => Category::Pseudo,
            Type::Unknown => Category::Unknown,
        }
    }

    /// `typispreferred`: wins among the types of its category.
    pub fn is_preferred(self) -> bool {
        matches!(self, Type::Bool | Type::Float8 | Type::Oid | Type::Text | Type::TimestampTz | Type::Interval)
    }

    pub fn is_string(self) -> bool {
        self.category() == Category::String
    }

    pub fn is_integer(self) -> bool {
        matches!(self, Type::Int2 | Type::Int4 | Type::Int8)
    }

    /// Has an order, so that it can be compared, sorted by and be part of a key. `json` has none.
    pub fn is_orderable(self) -> bool {
        match self {
            Type::Json | Type::Unknown | Type::Void | Type::Record => false,
            Type::Array(element) => element.is_orderable(),
            _ => true,
        }
    }

    /// The type with its modifier as `format_type` and error messages show it.
    pub fn display(self, modifier: i32) -> impl fmt::Display {
        Displayed(self, modifier)
    }
}

/// `format_type` without a modifier.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry().sql_name)?;
        if self.is_array() { f.write_str("[]") } else { Ok(()) }
    }
}

struct Displayed(Type, i32);

impl fmt::Display for Displayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scalar = self.0.element().unwrap_or(self.0);
        let brackets = if self.0.is_array() { "[]" } else { "" };
        if self.1 < 0 {
            let name = if scalar == Type::BpChar { "bpchar" } else { scalar.entry().sql_name };
            return write!(f, "{name}{brackets}");
        }
        match scalar {
            Type::VarChar | Type::BpChar => write!(f, "{scalar}({}){brackets}", self.1 - MODIFIER_OFFSET),
            Type::Numeric => match NumericModifier::decode(self.1) {
                Some(modifier) => write!(f, "numeric({},{}){brackets}", modifier.precision, modifier.scale),
                None => write!(f, "numeric{brackets}"),
            },
            Type::Time => write!(f, "time({}) without time zone{brackets}", self.1),
            Type::Timestamp => write!(f, "timestamp({}) without time zone{brackets}", self.1),
            Type::TimestampTz => write!(f, "timestamp({}) with time zone{brackets}", self.1),
            Type::Interval if self.1 & 0xffff != 0xffff => write!(f, "interval({}){brackets}", self.1 & 0xffff),
            _ => write!(f, "{}", self.0),
        }
    }
}

/// Precision and scale of `numeric(p,s)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumericModifier {
    pub precision: u16,
    pub scale: i16,
}

impl NumericModifier {
    pub fn encode(self) -> i32 {
        ((i32::from(self.precision) << 16) | (i32::from(self.scale) & 0x7ff)) + MODIFIER_OFFSET
    }

    pub fn decode(modifier: i32) -> Option<NumericModifier> {
        let bits = modifier.checked_sub(MODIFIER_OFFSET).filter(|bits| *bits >= 0)?;
        // The scale is a signed number of eleven bits.
        let scale = ((bits & 0x7ff) ^ 1024) - 1024;
        Some(NumericModifier { precision: (bits >> 16) as u16, scale: scale as i16 })
    }
}

/// The modifier of `varchar(n)` or `char(n)`.
pub fn length_modifier(characters: i32) -> i32 {
    characters + MODIFIER_OFFSET
}

/// Characters of `varchar(n)` or `char(n)`; `None` without a limit.
pub fn length_of_modifier(modifier: i32) -> Option<usize> {
    modifier.checked_sub(MODIFIER_OFFSET).and_then(|length| usize::try_from(length).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oids_lead_back_to_their_types() {
        for ty in Type::scalars() {
            assert_eq!(Type::from_oid(ty.oid()), Some(ty));
            if let Some(array) = ty.array_of() {
                assert_eq!(Type::from_oid(array.oid()), Some(array));
                assert_eq!(array.element(), Some(ty));
                assert_eq!(array.oid(), ty.array_oid());
            }
        }
        assert_eq!(Type::from_oid(0), None);
    }

    #[test]
    fn types_are_shown_as_format_type_does() {
        assert_eq!(Type::VarChar.display(14).to_string(), "character varying(10)");
        assert_eq!(Type::BpChar.display(-1).to_string(), "bpchar");
        let modifier = NumericModifier { precision: 12, scale: 2 }.encode();
        assert_eq!(Type::Numeric.display(modifier).to_string(), "numeric(12,2)");
        assert_eq!(Type::Timestamp.display(3).to_string(), "timestamp(3) without time zone");
        assert_eq!(Type::Array(&Type::Int4).to_string(), "integer[]");
        assert_eq!(Type::Array(&Type::Int4).name(), "_int4");
    }

    #[test]
    fn names_are_found_as_sql_texts_use_them() {
        for (name, ty) in
            [("int", Type::Int4), ("BIGINT", Type::Int8), ("_text", Type::Array(&Type::Text)), ("timestamptz", Type::TimestampTz)]
        {
            assert_eq!(Type::from_name(name), Some(ty));
        }
        assert_eq!(Type::from_name("int4[]"), Some(Type::Array(&Type::Int4)));
        assert_eq!(Type::from_name("nothing"), None);
    }

    #[test]
    fn negative_scales_survive_their_modifier() {
        let modifier = NumericModifier { precision: 5, scale: -2 };
        assert_eq!(NumericModifier::decode(modifier.encode()), Some(modifier));
        assert_eq!(NumericModifier::decode(-1), None);
    }
}
