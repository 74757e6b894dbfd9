//! The types that SQL texts name.

use crate::types::{PgType, oid};
use base::{Error, SqlState};
use datafusion::sql::sqlparser::ast::*;

/// Added to lengths and to numeric modifiers.
const MODIFIER_OFFSET: i32 = 4;

/// The type of a cast or a typed literal.
pub fn resolve(data_type: &DataType) -> Result<PgType, Error> {
    let plain = |oid| Ok(PgType::of(oid));
    match data_type {
        DataType::Bool | DataType::Boolean => plain(oid::BOOL),
        DataType::SmallInt(None) | DataType::Int2(None) => plain(oid::INT2),
        DataType::Int(None) | DataType::Integer(None) | DataType::Int4(None) => plain(oid::INT4),
        DataType::BigInt(None) | DataType::Int8(None) => plain(oid::INT8),
        DataType::Real | DataType::Float4 => plain(oid::FLOAT4),
        DataType::DoublePrecision | DataType::Double(_) | DataType::Float8 | DataType::Float64 => plain(oid::FLOAT8),
        DataType::Float(ExactNumberInfo::Precision(bits)) if *bits <= 24 => plain(oid::FLOAT4),
        DataType::Float(_) => plain(oid::FLOAT8),
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => numeric(info),
        DataType::Text | DataType::String(None) => plain(oid::TEXT),
        DataType::Varchar(length) | DataType::CharacterVarying(length) | DataType::CharVarying(length) => {
            sized(oid::VARCHAR, length.as_ref())
        }
        DataType::Char(None) | DataType::Character(None) => Ok(PgType::with_modifier(oid::BPCHAR, 1 + MODIFIER_OFFSET)),
        DataType::Char(length) | DataType::Character(length) => sized(oid::BPCHAR, length.as_ref()),
        DataType::Bytea => plain(oid::BYTEA),
        DataType::Date => plain(oid::DATE),
        DataType::Time(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => precise(oid::TIME, *precision),
        DataType::Timestamp(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => precise(oid::TIMESTAMP, *precision),
        DataType::Timestamp(precision, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => precise(oid::TIMESTAMPTZ, *precision),
        DataType::Interval { fields: None, precision: None } => plain(oid::INTERVAL),
        DataType::Uuid => plain(oid::UUID),
        DataType::JSON => plain(oid::JSON),
        DataType::JSONB => plain(oid::JSONB),
        DataType::Regclass => plain(oid::REGCLASS),
        DataType::Array(
            ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::AngleBracket(element) | ArrayElemTypeDef::Parenthesis(element),
        ) => {
            let element = resolve(element)?;
            element.array().ok_or_else(|| Error::unsupported(format!("the type {data_type}")))
        }
        DataType::Custom(name, modifiers) => custom(name, modifiers),
        other => Err(Error::unsupported(format!("the type {other}"))),
    }
}

fn custom(name: &ObjectName, modifiers: &[String]) -> Result<PgType, Error> {
    let last = name.0.last().and_then(ObjectNamePart::as_ident).map(|ident| ident.value.clone()).unwrap_or_default();
    let quoted = name.0.last().and_then(ObjectNamePart::as_ident).is_some_and(|ident| ident.quote_style.is_some());
    let lower = if quoted { last } else { last.to_lowercase() };
    let in_catalog = name.0.len() > 1;
    let found = by_name(&lower, quoted || in_catalog).ok_or_else(|| undefined(&name.to_string()))?;
    match (found.oid, modifiers) {
        (_, []) => Ok(found),
        (oid::VARCHAR | oid::BPCHAR, [length]) => {
            let length: i32 = length.parse().map_err(|_| invalid_modifier())?;
            Ok(PgType::with_modifier(found.oid, length + MODIFIER_OFFSET))
        }
        (oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::TIME, [precision]) => {
            Ok(PgType::with_modifier(found.oid, precision.parse().map_err(|_| invalid_modifier())?))
        }
        (oid::NUMERIC, [precision, rest @ ..]) => {
            let precision: i32 = precision.parse().map_err(|_| invalid_modifier())?;
            let scale: i32 = rest.first().map_or(Ok(0), |scale| scale.parse()).map_err(|_| invalid_modifier())?;
            Ok(numeric_of(precision, scale))
        }
        _ => Err(invalid_modifier()),
    }
}

fn undefined(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))
}

fn invalid_modifier() -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, "invalid type modifier")
}

/// `internal`: quoted, or in `pg_catalog`, where `char` is the one-byte type.
pub fn by_name(name: &str, internal: bool) -> Option<PgType> {
    if let Some(element) = name.strip_suffix("[]").or_else(|| name.strip_prefix('_')) {
        return by_name(element, internal)?.array();
    }
    Some(PgType::of(match name {
        "bool" | "boolean" => oid::BOOL,
        "int2" | "smallint" => oid::INT2,
        "int4" | "int" | "integer" => oid::INT4,
        "int8" | "bigint" => oid::INT8,
        "float4" | "real" => oid::FLOAT4,
        "float8" | "double precision" => oid::FLOAT8,
        "numeric" | "decimal" => oid::NUMERIC,
        "text" => oid::TEXT,
        "varchar" | "character varying" => oid::VARCHAR,
        "bpchar" | "character" => oid::BPCHAR,
        "char" => return Some(if internal { PgType::of(oid::CHAR) } else { PgType::with_modifier(oid::BPCHAR, 1 + MODIFIER_OFFSET) }),
        "name" => oid::NAME,
        "bytea" => oid::BYTEA,
        "date" => oid::DATE,
        "time" | "time without time zone" => oid::TIME,
        "timestamp" | "timestamp without time zone" => oid::TIMESTAMP,
        "timestamptz" | "timestamp with time zone" => oid::TIMESTAMPTZ,
        "interval" => oid::INTERVAL,
        "uuid" => oid::UUID,
        "json" => oid::JSON,
        "jsonb" => oid::JSONB,
        "oid" => oid::OID,
        "xid" => oid::XID,
        "regclass" => oid::REGCLASS,
        "regtype" => oid::REGTYPE,
        "regproc" => oid::REGPROC,
        "regnamespace" => oid::REGNAMESPACE,
        "regrole" => oid::REGROLE,
        "int2vector" => oid::INT2_VECTOR,
        "oidvector" => oid::OID_VECTOR,
        "pg_node_tree" => oid::PG_NODE_TREE,
        "void" => oid::VOID,
        "unknown" => oid::UNKNOWN,
        // Domains of information_schema.
        "sql_identifier" => oid::NAME,
        "cardinal_number" => oid::INT4,
        "character_data" | "yes_or_no" => oid::VARCHAR,
        _ => return None,
    }))
}

fn sized(oid: u32, length: Option<&CharacterLength>) -> Result<PgType, Error> {
    match length {
        None | Some(CharacterLength::Max) => Ok(PgType::of(oid)),
        Some(CharacterLength::IntegerLength { length, .. }) => {
            let length = i32::try_from(*length).ok().filter(|length| (1..=10_485_760).contains(length)).ok_or_else(invalid_modifier)?;
            Ok(PgType::with_modifier(oid, length + MODIFIER_OFFSET))
        }
    }
}

fn precise(oid: u32, precision: Option<u64>) -> Result<PgType, Error> {
    // PostgreSQL cuts larger precisions to 6 with a warning.
    Ok(PgType::with_modifier(oid, precision.map_or(-1, |precision| precision.min(6) as i32)))
}

fn numeric(info: &ExactNumberInfo) -> Result<PgType, Error> {
    let part = |number: i64, range: std::ops::RangeInclusive<i64>| i32::try_from(number).ok().filter(|_| range.contains(&number));
    match info {
        ExactNumberInfo::None => Ok(PgType::of(oid::NUMERIC)),
        ExactNumberInfo::Precision(precision) => {
            let precision = i64::try_from(*precision).ok().and_then(|precision| part(precision, 1..=1000)).ok_or_else(invalid_precision)?;
            Ok(numeric_of(precision, 0))
        }
        ExactNumberInfo::PrecisionAndScale(precision, scale) => {
            let precision = i64::try_from(*precision).ok().and_then(|precision| part(precision, 1..=1000)).ok_or_else(invalid_precision)?;
            let scale = part(*scale, -1000..=1000).ok_or_else(invalid_precision)?;
            Ok(numeric_of(precision, scale))
        }
    }
}

fn invalid_precision() -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, "NUMERIC precision must be between 1 and 1000")
}

/// `numeric(precision, scale)`.
pub fn numeric_of(precision: i32, scale: i32) -> PgType {
    PgType::with_modifier(oid::NUMERIC, ((precision << 16) | (scale & 0x7ff)) + MODIFIER_OFFSET)
}

/// The name of a type, for a tree that the native binder reads. Lengths and precisions come as PostgreSQL writes them.
pub fn to_ast(ty: PgType) -> DataType {
    let name = match ty.oid {
        oid::CHAR => String::from("\"char\""),
        _ => sql::types::Type::from_oid(ty.oid).map_or_else(|| String::from("text"), |known| known.display(ty.modifier).to_string()),
    };
    datafusion::sql::sqlparser::parser::Parser::new(&datafusion::sql::sqlparser::dialect::PostgreSqlDialect {})
        .try_with_sql(&name)
        .and_then(|mut parser| parser.parse_data_type())
        .unwrap_or(DataType::Text)
}
