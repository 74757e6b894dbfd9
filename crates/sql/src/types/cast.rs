//! Casts: which exist, where they happen by themselves, and what they do. PostgreSQL's `pg_cast`, plus its casts through the text form.

use super::numeric::Numeric;
use super::{NO_MODIFIER, NumericModifier, Settings, Type, length_of_modifier, text};
use crate::value::Value;
use base::{Error, Result, SqlState};
use std::sync::Arc;

/// Where a cast may happen; a later context includes the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coercion {
    /// By itself, anywhere in an expression.
    Implicit,
    /// By itself when a value is stored in a column.
    Assignment,
    /// Where it is written: `CAST` or `::`.
    Explicit,
}

/// One cast, of one type to another or of a type to itself with a modifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    pub from: Type,
    pub to: Type,
    pub modifier: i32,
    pub explicit: bool,
}

/// The weakest context in which the cast happens; `None` if there is no such cast.
pub fn context(from: Type, to: Type) -> Option<Coercion> {
    use Coercion::{Assignment, Explicit, Implicit};
    if from == to || from == Type::Unknown {
        return Some(Implicit);
    }
    if let (Type::Array(a), Type::Array(b)) = (from, to) {
        return context(*a, *b);
    }
    if let Some(known) = between_numbers(from, to).or_else(|| between_times(from, to)) {
        return Some(known);
    }
    match (from, to) {
        (Type::VarChar | Type::BpChar | Type::Name, Type::Text) => Some(Implicit),
        (Type::Text | Type::BpChar, Type::VarChar) => Some(Implicit),
        (Type::Text | Type::VarChar, Type::BpChar | Type::Name) => Some(Implicit),
        (Type::BpChar, Type::Name) => Some(Implicit),
        (Type::Name, Type::VarChar | Type::BpChar) | (Type::Text, Type::Char) => Some(Assignment),
        (Type::Char, Type::Text) => Some(Implicit),
        (Type::Text | Type::VarChar, Type::RegClass) => Some(Implicit),
        (Type::Bool, Type::Int4) | (Type::Int4, Type::Bool) => Some(Explicit),
        (Type::Json, Type::Jsonb) | (Type::Jsonb, Type::Json) => Some(Assignment),
        (Type::Jsonb, Type::Bool) => Some(Explicit),
        (Type::Jsonb, to) if to.category() == super::Category::Number && !is_reg(to) && to != Type::Oid => Some(Explicit),
        (Type::Void | Type::Record, _) | (_, Type::Void | Type::Record | Type::Unknown) => None,
        // Through the text form.
        (_, to) if to.is_string() => Some(Assignment),
        (from, _) if from.is_string() => Some(Explicit),
        _ => None,
    }
}

fn is_reg(ty: Type) -> bool {
    matches!(ty, Type::RegClass | Type::RegType | Type::RegProc)
}

fn between_numbers(from: Type, to: Type) -> Option<Coercion> {
    use Coercion::{Assignment, Implicit};
    let rank = |ty| match ty {
        Type::Int2 => Some(0),
        Type::Int4 => Some(1),
        Type::Int8 => Some(2),
        Type::Numeric => Some(3),
        Type::Float4 => Some(4),
        Type::Float8 => Some(5),
        _ => None,
    };
    let oid_like = |ty| ty == Type::Oid || is_reg(ty);
    match (rank(from), rank(to)) {
        (Some(a), Some(b)) => Some(if a < b { Implicit } else { Assignment }),
        (Some(0..=2), None) if oid_like(to) => Some(Implicit),
        (None, Some(1 | 2)) if oid_like(from) => Some(Assignment),
        (None, None) if oid_like(from) && oid_like(to) => Some(Implicit),
        _ => None,
    }
}

fn between_times(from: Type, to: Type) -> Option<Coercion> {
    use Coercion::{Assignment, Implicit};
    Some(match (from, to) {
        (Type::Date, Type::Timestamp | Type::TimestampTz) | (Type::Timestamp, Type::TimestampTz) | (Type::Time, Type::Interval) => Implicit,
        (Type::Timestamp | Type::TimestampTz, Type::Date | Type::Time) => Assignment,
        (Type::TimestampTz, Type::Timestamp) | (Type::Interval, Type::Time) => Assignment,
        _ => return None,
    })
}

impl Cast {
    /// True if the result depends on the time zone or the time: such a cast is not computed before the statement runs.
    pub fn depends_on_session(&self) -> bool {
        let zoned = |ty: Type| ty.element().unwrap_or(ty) == Type::TimestampTz;
        let timed = |ty: Type| matches!(ty.element().unwrap_or(ty), Type::Date | Type::Time | Type::Timestamp);
        zoned(self.from) != zoned(self.to) || (self.from.is_string() || self.from == Type::Unknown) && timed(self.to)
    }

    /// # Errors
    /// Whatever is wrong with the value: `22P02`, `22003`, `22001`, ….
    pub fn run(&self, value: Value, settings: &Settings) -> Result<Value> {
        if value.is_null() {
            return Ok(value);
        }
        let value = if self.from == self.to { value } else { self.convert(value, settings)? };
        if self.modifier == NO_MODIFIER { Ok(value) } else { constrain(value, self.to, self.modifier, self.explicit) }
    }

    fn convert(&self, value: Value, settings: &Settings) -> Result<Value> {
        match (self.from, self.to) {
            (Type::Array(from), Type::Array(to)) => self.convert_elements(value, *from, *to, settings),
            (Type::Text | Type::VarChar | Type::Unknown, Type::Text | Type::VarChar | Type::BpChar | Type::Unknown) => Ok(value),
            (Type::Name | Type::Char, Type::Text | Type::VarChar | Type::BpChar) => Ok(value),
            (Type::BpChar, Type::Text | Type::VarChar) => Ok(match &value {
                Value::Text(text) if text.ends_with(' ') => Value::text(text.trim_end_matches(' ')),
                _ => value,
            }),
            (from, Type::Name) if from.is_string() || from == Type::Unknown => Ok(truncate_bytes(value, NAME_BYTES_MAX)),
            (from, Type::Char) if from.is_string() || from == Type::Unknown => Ok(truncate_bytes(value, 1)),
            (from, to) if from.is_string() || from == Type::Unknown => {
                let text = value.as_str().ok_or_else(|| self.mismatch())?;
                text::parse(text.trim_end_matches(if from == Type::BpChar { ' ' } else { '\0' }), to, NO_MODIFIER, settings)
            }
            (Type::Bool, to) if to.is_string() => Ok(Value::text(if value.as_bool() == Some(true) { "true" } else { "false" })),
            (Type::Jsonb, Type::Json) => Ok(Value::Json(self.text_of(&value)?)),
            (Type::Json, Type::Jsonb) => super::json::parse_jsonb(&self.text_of(&value)?),
            (Type::Jsonb, to) if to == Type::Bool || to.category() == super::Category::Number => {
                super::json::to_scalar(&self.text_of(&value)?, to, settings)
            }
            (from, to) if to.is_string() => Ok(Value::Text(Arc::from(text::to_string(&value, from, settings)))),
            (from, to) if between_times(from, to).is_some() => super::datetime::cast(&value, to, settings),
            _ => self.convert_number(&value),
        }
    }

    fn text_of(&self, value: &Value) -> Result<Arc<str>> {
        match value {
            Value::Text(text) | Value::Json(text) | Value::Jsonb(text) => Ok(text.clone()),
            _ => Err(self.mismatch()),
        }
    }

    fn mismatch(&self) -> Error {
        Error::internal(format!("a value of another type in a cast from {} to {}", self.from, self.to))
    }

    fn convert_elements(&self, value: Value, from: Type, to: Type, settings: &Settings) -> Result<Value> {
        let Value::Array(elements) = value else {
            return Err(self.mismatch());
        };
        let cast = Cast { from, to, modifier: NO_MODIFIER, explicit: self.explicit };
        let elements = elements.iter().map(|element| cast.run(element.clone(), settings)).collect::<Result<Vec<_>>>()?;
        Ok(Value::Array(Arc::from(elements)))
    }

    fn convert_number(&self, value: &Value) -> Result<Value> {
        match (value, self.to) {
            (Value::Bool(value), Type::Int4) => Ok(Value::Int4(i32::from(*value))),
            (Value::Int4(value), Type::Bool) => Ok(Value::Bool(*value != 0)),
            (Value::Int2(_) | Value::Int4(_) | Value::Int8(_) | Value::Oid(_), to) => {
                integer_to(value.as_i64().ok_or_else(|| self.mismatch())?, to).ok_or_else(|| self.mismatch())?
            }
            (Value::Numeric(value), to) => numeric_to(*value, to).ok_or_else(|| self.mismatch())?,
            (Value::Float4(value), Type::Numeric) => Numeric::from_f64(f64::from(*value), 6).map(Value::Numeric),
            (Value::Float4(value), to) => float_to(f64::from(*value), to).ok_or_else(|| self.mismatch())?,
            (Value::Float8(value), to) => float_to(*value, to).ok_or_else(|| self.mismatch())?,
            _ => Err(self.mismatch()),
        }
    }
}

/// Bytes of an identifier, PostgreSQL's `NAMEDATALEN - 1`.
pub const NAME_BYTES_MAX: usize = 63;

fn truncate_bytes(value: Value, bytes: usize) -> Value {
    match &value {
        Value::Text(text) if text.len() > bytes => {
            let mut end = bytes;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            Value::text(&text[..end])
        }
        _ => value,
    }
}

pub(crate) fn out_of_range(ty: Type) -> Error {
    let name = if ty == Type::Oid { "OID".to_owned() } else { ty.to_string() };
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range"))
}

/// `None`: there is no such cast.
fn integer_to(value: i64, to: Type) -> Option<Result<Value>> {
    Some(match to {
        Type::Int2 => i16::try_from(value).map(Value::Int2).map_err(|_| out_of_range(to)),
        Type::Int4 => i32::try_from(value).map(Value::Int4).map_err(|_| out_of_range(to)),
        Type::Int8 => Ok(Value::Int8(value)),
        Type::Numeric => Ok(Value::Numeric(Numeric::from_i64(value))),
        Type::Float4 => Ok(Value::Float4(value as f32)),
        Type::Float8 => Ok(Value::Float8(value as f64)),
        Type::Oid | Type::RegClass | Type::RegType | Type::RegProc => {
            // A negative integer wraps, as PostgreSQL's does.
            let wrapped = i32::try_from(value).map(|value| value as u32);
            wrapped.or_else(|_| u32::try_from(value)).map(Value::Oid).map_err(|_| out_of_range(Type::Oid))
        }
        _ => return None,
    })
}

fn numeric_to(value: Numeric, to: Type) -> Option<Result<Value>> {
    let integer = |to: Type| {
        let rounded = i64::try_from(value.to_i128()).map_err(|_| out_of_range(to))?;
        integer_to(rounded, to).ok_or_else(|| out_of_range(to))?
    };
    Some(match to {
        Type::Int2 | Type::Int4 | Type::Int8 => integer(to),
        Type::Float8 => Ok(Value::Float8(value.to_f64())),
        Type::Float4 => Ok(Value::Float4(value.to_string().parse().unwrap_or(f32::NAN))),
        _ => return None,
    })
}

/// Rounds half to even, as the machine does.
fn float_to(value: f64, to: Type) -> Option<Result<Value>> {
    let rounded = value.round_ties_even();
    let integer = |low: f64, high: f64| if rounded >= low && rounded < high { Ok(rounded as i64) } else { Err(out_of_range(to)) };
    Some(match to {
        Type::Int2 => integer(-32_768.0, 32_768.0).map(|value| Value::Int2(value as i16)),
        Type::Int4 => integer(-2_147_483_648.0, 2_147_483_648.0).map(|value| Value::Int4(value as i32)),
        Type::Int8 => integer(-9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0).map(Value::Int8),
        Type::Numeric => Numeric::from_f64(value, 15).map(Value::Numeric),
        Type::Float8 => Ok(Value::Float8(value)),
        Type::Float4 => {
            let narrow = value as f32;
            if narrow.is_infinite() && value.is_finite() {
                Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"))
            } else if narrow == 0.0 && value != 0.0 {
                Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow"))
            } else {
                Ok(Value::Float4(narrow))
            }
        }
        _ => return None,
    })
}

/// Applies a type's modifier. What is too long is refused, but cut where the cast is explicit or only blanks are lost.
///
/// # Errors
/// `22001` or `22003`.
pub fn constrain(value: Value, ty: Type, modifier: i32, explicit: bool) -> Result<Value> {
    if modifier == NO_MODIFIER {
        return Ok(value);
    }
    match (value, ty) {
        (Value::Text(text), Type::VarChar | Type::BpChar) => constrain_text(text, ty, modifier, explicit),
        (Value::Numeric(number), Type::Numeric) => match NumericModifier::decode(modifier) {
            Some(modifier) => number.constrain(modifier).map(Value::Numeric),
            None => Ok(Value::Numeric(number)),
        },
        (Value::Array(elements), Type::Array(element)) => {
            let elements =
                elements.iter().map(|value| constrain(value.clone(), *element, modifier, explicit)).collect::<Result<Vec<_>>>()?;
            Ok(Value::Array(Arc::from(elements)))
        }
        (value, Type::Time | Type::Timestamp | Type::TimestampTz | Type::Interval) => Ok(super::datetime::constrain(value, modifier)),
        (value, _) => Ok(value),
    }
}

fn constrain_text(text: Arc<str>, ty: Type, modifier: i32, explicit: bool) -> Result<Value> {
    let Some(limit) = length_of_modifier(modifier) else {
        return Ok(Value::Text(text));
    };
    // Bytes are never fewer than characters.
    let length = if text.len() <= limit && ty == Type::VarChar { text.len() } else { text.chars().count() };
    if length > limit {
        let cut = text.char_indices().nth(limit).map_or(text.len(), |(at, _)| at);
        if !explicit && text[cut..].bytes().any(|byte| byte != b' ') {
            let message = format!("value too long for type {}", ty.display(modifier));
            return Err(Error::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message));
        }
        return Ok(Value::text(&text[..cut]));
    }
    if ty == Type::BpChar && length < limit {
        let mut padded = String::with_capacity(text.len() + limit - length);
        padded.push_str(&text);
        push_blanks(&mut padded, limit - length);
        return Ok(Value::Text(Arc::from(padded)));
    }
    Ok(Value::Text(text))
}

fn push_blanks(text: &mut String, mut count: usize) {
    const BLANKS: &str = "                                                                ";
    while count > 0 {
        let some = count.min(BLANKS.len());
        text.push_str(&BLANKS[..some]);
        count -= some;
    }
}

/// The same value in another type, where it has an exact equal there: for a key lookup with a value of another width. `None`: no
/// value of that type is equal to it.
pub fn exactly(value: &Value, to: Type) -> Option<Value> {
    if value.is_null() {
        return Some(Value::Null);
    }
    match (value, to) {
        (Value::Int2(_) | Value::Int4(_) | Value::Int8(_), Type::Int2 | Type::Int4 | Type::Int8 | Type::Numeric) => {
            integer_to(value.as_i64()?, to)?.ok()
        }
        (Value::Numeric(number), Type::Int2 | Type::Int4 | Type::Int8) => {
            let exact = number.normalized();
            (exact.scale == 0).then(|| i64::try_from(exact.digits).ok()).flatten().and_then(|value| integer_to(value, to))?.ok()
        }
        (Value::Int2(_), Type::Float4 | Type::Float8) | (Value::Int4(_), Type::Float8) => integer_to(value.as_i64()?, to)?.ok(),
        (Value::Float4(value), Type::Float8) => Some(Value::Float8(f64::from(*value))),
        (Value::Float8(value), Type::Float4) => {
            let narrow = *value as f32;
            (f64::from(narrow) == *value || value.is_nan()).then_some(Value::Float4(narrow))
        }
        (Value::Int2(_), Type::Oid) | (Value::Int4(_), Type::Oid) | (Value::Int8(_), Type::Oid) => {
            u32::try_from(value.as_i64()?).ok().map(Value::Oid)
        }
        _ => fits(value, to).then(|| value.clone()),
    }
}

/// True if a value is one of this type's.
pub fn fits(value: &Value, ty: Type) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) => ty == Type::Bool,
        Value::Int2(_) => ty == Type::Int2,
        Value::Int4(_) => ty == Type::Int4,
        Value::Int8(_) => ty == Type::Int8,
        Value::Float4(_) => ty == Type::Float4,
        Value::Float8(_) => ty == Type::Float8,
        Value::Numeric(_) => ty == Type::Numeric,
        Value::Text(_) => ty.is_string() || matches!(ty, Type::Char | Type::Unknown),
        Value::Bytea(_) => ty == Type::Bytea,
        Value::Date(_) => ty == Type::Date,
        Value::Time(_) => ty == Type::Time,
        Value::Timestamp(_) => ty == Type::Timestamp,
        Value::TimestampTz(_) => ty == Type::TimestampTz,
        Value::Interval(_) => ty == Type::Interval,
        Value::Uuid(_) => ty == Type::Uuid,
        Value::Json(_) => ty == Type::Json,
        Value::Jsonb(_) => ty == Type::Jsonb,
        Value::Oid(_) => ty == Type::Oid || is_reg(ty),
        Value::Array(elements) => ty.element().is_some_and(|element| elements.iter().all(|value| fits(value, element))),
    }
}
