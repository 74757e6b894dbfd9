//! Type names of SQL texts.

use super::{LENGTH_MAX, NO_MODIFIER, NumericModifier, Type, length_modifier};
use base::{Error, Result, SqlState};
use sqlparser::ast::{ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, ObjectName, TimezoneInfo};

/// Most digits of a fractional second.
const PRECISION_MAX: u64 = 6;
/// Modifier bits of an interval with all its fields.
const INTERVAL_FULL_RANGE: i32 = 0x7fff << 16;

/// The type and its modifier.
///
/// # Errors
/// `42704` for a type that does not exist, `0A000` for one of PostgreSQL's that is not there yet, `22023` for a bad modifier.
pub fn resolve(data_type: &DataType) -> Result<(Type, i32)> {
    let plain = |ty| Ok((ty, NO_MODIFIER));
    match data_type {
        DataType::Bool | DataType::Boolean => plain(Type::Bool),
        DataType::SmallInt(None) | DataType::Int2(None) => plain(Type::Int2),
        DataType::Int(None) | DataType::Int4(None) | DataType::Integer(None) => plain(Type::Int4),
        DataType::BigInt(None) | DataType::Int8(None) => plain(Type::Int8),
        DataType::Real | DataType::Float4 => plain(Type::Float4),
        DataType::Float8 | DataType::DoublePrecision | DataType::Double(ExactNumberInfo::None) => plain(Type::Float8),
        DataType::Float(info) => float(info),
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => numeric(info),
        DataType::Text => plain(Type::Text),
        DataType::Varchar(length) | DataType::CharacterVarying(length) | DataType::CharVarying(length) => {
            characters(Type::VarChar, length, None)
        }
        DataType::Char(length) | DataType::Character(length) => characters(Type::BpChar, length, Some(1)),
        DataType::Bytea => plain(Type::Bytea),
        DataType::Date => plain(Type::Date),
        DataType::Time(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => Err(Error::unsupported("type time with time zone")),
        DataType::Time(precision, _) => timed(Type::Time, *precision),
        DataType::Timestamp(precision, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => timed(Type::TimestampTz, *precision),
        DataType::Timestamp(precision, _) => timed(Type::Timestamp, *precision),
        DataType::Interval { fields: None, precision } => match timed(Type::Interval, *precision)? {
            (ty, NO_MODIFIER) => Ok((ty, NO_MODIFIER)),
            (ty, precision) => Ok((ty, INTERVAL_FULL_RANGE | precision)),
        },
        DataType::Interval { .. } => Err(Error::unsupported("an interval type with fields")),
        DataType::Uuid => plain(Type::Uuid),
        DataType::JSON => plain(Type::Json),
        DataType::JSONB => plain(Type::Jsonb),
        DataType::Regclass => plain(Type::RegClass),
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::AngleBracket(element)) => array(element),
        DataType::Custom(name, modifiers) => custom(name, modifiers),
        other => named(&other.to_string().to_ascii_lowercase()),
    }
}

fn undefined(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))
}

fn invalid(message: String) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn named(name: &str) -> Result<(Type, i32)> {
    const KNOWN: [&str; 19] = [
        "timetz",
        "money",
        "bit",
        "varbit",
        "xml",
        "inet",
        "cidr",
        "macaddr",
        "point",
        "line",
        "box",
        "path",
        "polygon",
        "circle",
        "tsvector",
        "tsquery",
        "int4range",
        "int8range",
        "numrange",
    ];
    let bare = name.split('(').next().unwrap_or(name).trim();
    match Type::from_name(name) {
        Some(ty) => Ok((ty, NO_MODIFIER)),
        None if KNOWN.contains(&bare) => Err(Error::unsupported(format!("type {bare}"))),
        None => Err(undefined(name)),
    }
}

fn custom(name: &ObjectName, modifiers: &[String]) -> Result<(Type, i32)> {
    let parts: Vec<_> = name.0.iter().filter_map(|part| part.as_ident()).collect();
    let last = parts.last().ok_or_else(|| undefined(&name.to_string()))?;
    let folded = crate::expr::fold_identifier(last);
    if let [schema, _] = parts.as_slice()
        && crate::expr::fold_identifier(schema) != "pg_catalog"
    {
        return Err(undefined(&name.to_string()));
    }
    // Quoted it is the one-byte type, else the blank-padded one.
    if folded == "char" && last.quote_style.is_some() {
        return Ok((Type::Char, NO_MODIFIER));
    }
    match named(&folded)? {
        (ty, NO_MODIFIER) if modifiers.is_empty() => Ok((ty, NO_MODIFIER)),
        (ty, _) => with_modifiers(ty, modifiers),
    }
}

fn with_modifiers(ty: Type, modifiers: &[String]) -> Result<(Type, i32)> {
    let numbers: Option<Vec<i64>> = modifiers.iter().map(|text| text.trim().parse().ok()).collect();
    match (ty, numbers.as_deref()) {
        (Type::VarChar | Type::BpChar, Some([length])) => {
            let length = u64::try_from(*length).unwrap_or(0);
            characters(ty, &Some(CharacterLength::IntegerLength { length, unit: None }), None)
        }
        (Type::Numeric, Some([precision])) => numeric_of(*precision, 0),
        (Type::Numeric, Some([precision, scale])) => numeric_of(*precision, *scale),
        (Type::Time | Type::Timestamp | Type::TimestampTz, Some([precision])) => timed(ty, u64::try_from(*precision).ok()),
        _ => Err(Error::new(SqlState::SYNTAX_ERROR, format!("type modifier is not allowed for type \"{}\"", ty.name()))),
    }
}

fn array(element: &DataType) -> Result<(Type, i32)> {
    let (element, modifier) = resolve(element)?;
    if element.is_array() {
        return Err(Error::unsupported("an array of several dimensions"));
    }
    element.array_of().map(|ty| (ty, modifier)).ok_or_else(|| Error::unsupported(format!("an array of {element}")))
}

fn float(info: &ExactNumberInfo) -> Result<(Type, i32)> {
    match info {
        ExactNumberInfo::None | ExactNumberInfo::Precision(25..=53) => Ok((Type::Float8, NO_MODIFIER)),
        ExactNumberInfo::Precision(1..=24) => Ok((Type::Float4, NO_MODIFIER)),
        ExactNumberInfo::Precision(0) => Err(invalid("precision for type float must be at least 1 bit".into())),
        _ => Err(invalid("precision for type float must be less than 54 bits".into())),
    }
}

fn numeric(info: &ExactNumberInfo) -> Result<(Type, i32)> {
    match info {
        ExactNumberInfo::None => Ok((Type::Numeric, NO_MODIFIER)),
        ExactNumberInfo::Precision(precision) => numeric_of(i64::try_from(*precision).unwrap_or(i64::MAX), 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => numeric_of(i64::try_from(*precision).unwrap_or(i64::MAX), *scale),
    }
}

fn numeric_of(precision: i64, scale: i64) -> Result<(Type, i32)> {
    const OURS: i64 = super::numeric::DIGITS_MAX as i64;
    if !(1..=1000).contains(&precision) {
        return Err(invalid(format!("NUMERIC precision {precision} must be between 1 and 1000")));
    }
    if !(-1000..=1000).contains(&scale) {
        return Err(invalid(format!("NUMERIC scale {scale} must be between -1000 and 1000")));
    }
    if precision > OURS || scale.abs() > OURS {
        return Err(Error::unsupported(format!("numeric({precision},{scale}), with more than {OURS} digits,")));
    }
    Ok((Type::Numeric, NumericModifier { precision: precision as u16, scale: scale as i16 }.encode()))
}

fn characters(ty: Type, length: &Option<CharacterLength>, default: Option<i32>) -> Result<(Type, i32)> {
    let name = if ty == Type::VarChar { "varchar" } else { "char" };
    match length {
        None => Ok((ty, default.map_or(NO_MODIFIER, length_modifier))),
        Some(CharacterLength::IntegerLength { length: 0, .. }) => Err(invalid(format!("length for type {name} must be at least 1"))),
        Some(CharacterLength::IntegerLength { length, .. }) if *length <= LENGTH_MAX as u64 => Ok((ty, length_modifier(*length as i32))),
        Some(CharacterLength::IntegerLength { .. }) => Err(invalid(format!("length for type {name} cannot exceed {LENGTH_MAX}"))),
        Some(CharacterLength::Max) => Err(Error::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"max\"")),
    }
}

fn timed(ty: Type, precision: Option<u64>) -> Result<(Type, i32)> {
    // PostgreSQL warns and takes 6 for more.
    Ok((ty, precision.map_or(NO_MODIFIER, |precision| precision.min(PRECISION_MAX) as i32)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::parser::Parser;

    fn parse(text: &str) -> Result<String> {
        let dialect = PostgreSqlDialect {};
        let data_type = Parser::new(&dialect).try_with_sql(text).and_then(|mut p| p.parse_data_type()).expect("a type name");
        resolve(&data_type).map(|(ty, modifier)| ty.display(modifier).to_string())
    }

    #[test]
    fn type_names_of_sql_texts_are_understood() {
        for (text, shown) in [
            ("int", "integer"),
            ("INT8", "bigint"),
            ("double precision", "double precision"),
            ("float(24)", "real"),
            ("numeric(12, 2)", "numeric(12,2)"),
            ("varchar(10)", "character varying(10)"),
            ("char", "character(1)"),
            ("character varying", "character varying"),
            ("timestamp(3) with time zone", "timestamp(3) with time zone"),
            ("timestamptz", "timestamp with time zone"),
            ("time", "time without time zone"),
            ("text[]", "text[]"),
            ("pg_catalog.int4", "integer"),
            ("bpchar", "bpchar"),
            ("\"char\"", "\"char\""),
            ("name", "name"),
            ("oid", "oid"),
            ("uuid", "uuid"),
            ("jsonb", "jsonb"),
            ("interval", "interval"),
        ] {
            assert_eq!(parse(text).expect(text), shown, "{text}");
        }
    }

    #[test]
    fn unknown_and_impossible_types_are_refused() {
        for (text, state) in [
            ("nothing", SqlState::UNDEFINED_OBJECT),
            ("numeric(0)", SqlState::INVALID_PARAMETER_VALUE),
            ("numeric(39)", SqlState::FEATURE_NOT_SUPPORTED),
            ("varchar(0)", SqlState::INVALID_PARAMETER_VALUE),
            ("timetz", SqlState::FEATURE_NOT_SUPPORTED),
            ("money", SqlState::FEATURE_NOT_SUPPORTED),
        ] {
            assert_eq!(parse(text).expect_err(text).state(), state, "{text}");
        }
    }
}
