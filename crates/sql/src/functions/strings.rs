//! String functions. Positions and lengths count characters.

use super::arithmetic::mismatch;
use super::kinds::*;
use super::{Context, Function, function};
use crate::types::cast::Cast;
use crate::types::{NO_MODIFIER, Type, text};
use crate::value::Value;
use base::{Error, Result, SqlState};
use std::sync::Arc;

/// Largest string that a function makes, PostgreSQL's limit of a value.
const STRING_BYTES_MAX: usize = 1024 * 1024 * 1024 - 1;

fn too_long() -> Error {
    Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large")
}

pub(super) fn string(args: &[Value], index: usize) -> Result<&str> {
    args.get(index).and_then(Value::as_str).ok_or_else(mismatch)
}

pub(super) fn integer(args: &[Value], index: usize) -> Result<i64> {
    args.get(index).and_then(Value::as_i64).ok_or_else(mismatch)
}

pub(super) fn made(text: impl Into<Arc<str>>) -> Result<Value> {
    Ok(Value::Text(text.into()))
}

fn length(args: &[Value], context: &Context) -> Result<Value> {
    let text = string(args, 0)?;
    let text = if context.types[0] == Type::BpChar { text.trim_end_matches(' ') } else { text };
    Ok(Value::Int4(text.chars().count() as i32))
}

fn octet_length(args: &[Value], _: &Context) -> Result<Value> {
    match &args[0] {
        Value::Bytea(bytes) => Ok(Value::Int4(bytes.len() as i32)),
        _ => Ok(Value::Int4(string(args, 0)?.len() as i32)),
    }
}

fn bit_length(args: &[Value], context: &Context) -> Result<Value> {
    Ok(Value::Int4(octet_length(args, context)?.as_i64().unwrap_or(0) as i32 * 8))
}

/// One character for one, as the C library maps them in the locale C.UTF-8: ß has no capital.
fn lower_char(c: char) -> char {
    let mut mapped = c.to_lowercase();
    mapped.next().filter(|_| mapped.next().is_none()).unwrap_or(c)
}

fn upper_char(c: char) -> char {
    let mut mapped = c.to_uppercase();
    mapped.next().filter(|_| mapped.next().is_none()).unwrap_or(c)
}

fn lower(args: &[Value], _: &Context) -> Result<Value> {
    made(string(args, 0)?.chars().map(lower_char).collect::<String>())
}

fn upper(args: &[Value], _: &Context) -> Result<Value> {
    made(string(args, 0)?.chars().map(upper_char).collect::<String>())
}

fn initcap(args: &[Value], _: &Context) -> Result<Value> {
    let mut within_word = false;
    let result: String = string(args, 0)?
        .chars()
        .map(|c| {
            let changed = if within_word { lower_char(c) } else { upper_char(c) };
            within_word = c.is_alphanumeric();
            changed
        })
        .collect();
    made(result)
}

/// What to trim; blanks if it is not said.
fn trim_set(args: &[Value]) -> Result<Vec<char>> {
    if args.len() > 1 { Ok(string(args, 1)?.chars().collect()) } else { Ok(vec![' ']) }
}

fn btrim(args: &[Value], _: &Context) -> Result<Value> {
    let set = trim_set(args)?;
    made(string(args, 0)?.trim_matches(|c| set.contains(&c)))
}

fn ltrim(args: &[Value], _: &Context) -> Result<Value> {
    let set = trim_set(args)?;
    made(string(args, 0)?.trim_start_matches(|c| set.contains(&c)))
}

fn rtrim(args: &[Value], _: &Context) -> Result<Value> {
    let set = trim_set(args)?;
    made(string(args, 0)?.trim_end_matches(|c| set.contains(&c)))
}

fn padding(args: &[Value]) -> Result<(Vec<char>, Vec<char>, usize)> {
    let text: Vec<char> = string(args, 0)?.chars().collect();
    let fill: Vec<char> = if args.len() > 2 { string(args, 2)?.chars().collect() } else { vec![' '] };
    let length = usize::try_from(integer(args, 1)?).unwrap_or(0);
    if length > STRING_BYTES_MAX / 4 {
        return Err(too_long());
    }
    // Nothing to fill with: the text stays as long as it is.
    let length = if fill.is_empty() { length.min(text.len()) } else { length };
    Ok((text, fill, length))
}

fn lpad(args: &[Value], _: &Context) -> Result<Value> {
    let (text, fill, length) = padding(args)?;
    let missing = length.saturating_sub(text.len());
    made(fill.iter().cycle().take(missing).chain(text.iter().take(length)).collect::<String>())
}

fn rpad(args: &[Value], _: &Context) -> Result<Value> {
    let (text, fill, length) = padding(args)?;
    let missing = length.saturating_sub(text.len());
    made(text.iter().take(length).chain(fill.iter().cycle().take(missing)).collect::<String>())
}

/// A negative count counts from the other end.
fn kept(args: &[Value]) -> Result<(&str, usize, usize)> {
    let text = string(args, 0)?;
    let total = text.chars().count();
    let count = integer(args, 1)?;
    let kept = if count >= 0 { total.min(count as usize) } else { total.saturating_sub(count.unsigned_abs() as usize) };
    Ok((text, total, kept))
}

fn left(args: &[Value], _: &Context) -> Result<Value> {
    let (text, _, kept) = kept(args)?;
    made(text.chars().take(kept).collect::<String>())
}

fn right(args: &[Value], _: &Context) -> Result<Value> {
    let (text, total, kept) = kept(args)?;
    made(text.chars().skip(total - kept).collect::<String>())
}

fn repeat(args: &[Value], _: &Context) -> Result<Value> {
    let text = string(args, 0)?;
    let times = usize::try_from(integer(args, 1)?).unwrap_or(0);
    if text.len().checked_mul(times).is_none_or(|bytes| bytes > STRING_BYTES_MAX) {
        return Err(too_long());
    }
    made(text.repeat(times))
}

fn replace(args: &[Value], _: &Context) -> Result<Value> {
    let (text, from, to) = (string(args, 0)?, string(args, 1)?, string(args, 2)?);
    if from.is_empty() { made(text) } else { made(text.replace(from, to)) }
}

fn translate(args: &[Value], _: &Context) -> Result<Value> {
    let from: Vec<char> = string(args, 1)?.chars().collect();
    let to: Vec<char> = string(args, 2)?.chars().collect();
    let mapped = string(args, 0)?.chars().filter_map(|c| match from.iter().position(|f| *f == c) {
        None => Some(c),
        Some(at) => to.get(at).copied(),
    });
    made(mapped.collect::<String>())
}

fn reverse(args: &[Value], _: &Context) -> Result<Value> {
    made(string(args, 0)?.chars().rev().collect::<String>())
}

fn split_part(args: &[Value], _: &Context) -> Result<Value> {
    let (text, separator, wanted) = (string(args, 0)?, string(args, 1)?, integer(args, 2)?);
    if wanted == 0 {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "field position must not be zero"));
    }
    let parts: Vec<&str> = if separator.is_empty() { vec![text] } else { text.split(separator).collect() };
    let at = if wanted > 0 { wanted as usize - 1 } else { parts.len().wrapping_sub(wanted.unsigned_abs() as usize) };
    made(parts.get(at).copied().unwrap_or(""))
}

fn strpos(args: &[Value], _: &Context) -> Result<Value> {
    let (text, part) = (string(args, 0)?, string(args, 1)?);
    let at = text.find(part).map_or(0, |at| text[..at].chars().count() + 1);
    Ok(Value::Int4(at as i32))
}

fn starts_with(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Bool(string(args, 0)?.starts_with(string(args, 1)?)))
}

/// From and to (exclusive), zero-based, of a one-based start that may lie before the text and a count.
fn substring_bounds(start: i64, count: Option<i64>) -> Result<(usize, usize)> {
    let end = match count {
        Some(count) if count < 0 => return Err(Error::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed")),
        Some(count) => start.saturating_add(count).max(1),
        None => i64::MAX,
    };
    let start = start.max(1);
    Ok(((start - 1) as usize, (end.max(start) - 1) as usize))
}

fn substring(args: &[Value], _: &Context) -> Result<Value> {
    let count = if args.len() > 2 { Some(integer(args, 2)?) } else { None };
    let (from, to) = substring_bounds(integer(args, 1)?, count)?;
    if let Value::Bytea(bytes) = &args[0] {
        return Ok(Value::Bytea(bytes.slice(from.min(bytes.len())..to.min(bytes.len()))));
    }
    made(string(args, 0)?.chars().skip(from).take(to - from).collect::<String>())
}

fn overlay(args: &[Value], _: &Context) -> Result<Value> {
    let (text, new, start) = (string(args, 0)?, string(args, 1)?, integer(args, 2)?);
    let count = if args.len() > 3 { integer(args, 3)? } else { new.chars().count() as i64 };
    if start <= 0 {
        return Err(Error::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let before = text.chars().take(start as usize - 1);
    let after = text.chars().skip((start - 1 + count).max(0) as usize);
    made(before.chain(new.chars()).chain(after).collect::<String>())
}

/// NULLs are left out.
fn concat(args: &[Value], context: &Context) -> Result<Value> {
    let mut out = String::new();
    for (value, ty) in args.iter().zip(context.types) {
        out.push_str(&text::to_string(value, *ty, context.settings()));
    }
    made(out)
}

fn concat_ws(args: &[Value], context: &Context) -> Result<Value> {
    let Some(separator) = args[0].as_str() else {
        return Ok(Value::Null);
    };
    let present = args.iter().zip(context.types).skip(1).filter(|(value, _)| !value.is_null());
    let parts: Vec<String> = present.map(|(value, ty)| text::to_string(value, *ty, context.settings())).collect();
    made(parts.join(separator))
}

fn ascii(args: &[Value], _: &Context) -> Result<Value> {
    Ok(Value::Int4(string(args, 0)?.chars().next().map_or(0, |c| c as i32)))
}

fn chr(args: &[Value], _: &Context) -> Result<Value> {
    let code = integer(args, 0)?;
    let invalid = |message: &str| Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message);
    match code {
        0 => Err(invalid("null character not permitted")),
        code if code < 0 => Err(invalid("character number must be positive")),
        code => {
            let c = u32::try_from(code).ok().and_then(char::from_u32);
            let c = c.ok_or_else(|| invalid("requested character not valid for encoding"))?;
            made(c.to_string())
        }
    }
}

fn to_hex(args: &[Value], _: &Context) -> Result<Value> {
    match &args[0] {
        Value::Int4(value) => made(format!("{value:x}")),
        other => made(format!("{:x}", other.as_i64().ok_or_else(mismatch)?)),
    }
}

/// Quotes where SQL needs it: anything but small letters, digits and underscores, and key words.
pub fn quote_identifier(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain && !RESERVED.contains(&name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Key words that are not free as names (PostgreSQL's appendix C: reserved, and those of types and functions).
const RESERVED: [&str; 124] = [
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "then",
    "time",
    "to",
    "union",
    "user",
];

fn quote_ident(args: &[Value], _: &Context) -> Result<Value> {
    made(quote_identifier(string(args, 0)?))
}

/// As `CAST(value AS text)`, which is not always what is shown: `true`, not `t`.
pub(super) fn cast_to_text(value: Value, from: Type, context: &Context) -> Result<Value> {
    Cast { from, to: Type::Text, modifier: NO_MODIFIER, explicit: true }.run(value, context.settings())
}

/// With `E` before it if it has a backslash.
pub(crate) fn quoted_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

fn quote_literal(args: &[Value], context: &Context) -> Result<Value> {
    let text = cast_to_text(args[0].clone(), context.types[0], context)?;
    made(quoted_literal(text.as_str().unwrap_or_default()))
}

fn quote_nullable(args: &[Value], context: &Context) -> Result<Value> {
    if args[0].is_null() { made("NULL") } else { quote_literal(args, context) }
}

/// `%s`, `%I`, `%L`, `%%`, with `%n$` for an argument's position.
fn format(args: &[Value], context: &Context) -> Result<Value> {
    let Some(pattern) = args[0].as_str() else {
        return Ok(Value::Null);
    };
    let invalid = |message: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let mut out = String::new();
    let mut rest = pattern;
    let mut next = 1;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if rest.as_bytes().get(digits) == Some(&b'$') && digits > 0 {
            next = rest[..digits].parse().map_err(|_| invalid("number is out of range".into()))?;
            rest = &rest[digits + 1..];
        }
        let kind = rest.chars().next().ok_or_else(|| invalid("unterminated format() type specifier".into()))?;
        rest = &rest[kind.len_utf8()..];
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value = args.get(next).ok_or_else(|| invalid("too few arguments for format()".into()))?;
        let shown = text::to_string(value, context.types[next], context.settings());
        next += 1;
        match kind {
            's' => out.push_str(&shown),
            'I' if value.is_null() => {
                return Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "null values cannot be formatted as an SQL identifier"));
            }
            'I' => out.push_str(&quote_identifier(&shown)),
            'L' if value.is_null() => out.push_str("NULL"),
            'L' => out.push_str(&quoted_literal(&shown)),
            '-' | '0'..='9' | '*' => return Err(Error::unsupported("a width in format()")),
            other => return Err(invalid(format!("unrecognized format() type specifier \"{other}\""))),
        }
    }
    out.push_str(rest);
    made(out)
}

pub(super) static FUNCTIONS: [Function; 54] = [
    function("length", &[TEXT], INT4, length),
    function("length", &[BPCHAR], INT4, length),
    function("length", &[BYTEA], INT4, octet_length),
    function("char_length", &[TEXT], INT4, length),
    function("char_length", &[BPCHAR], INT4, length),
    function("character_length", &[TEXT], INT4, length),
    function("octet_length", &[TEXT], INT4, octet_length),
    function("octet_length", &[BPCHAR], INT4, octet_length),
    function("octet_length", &[BYTEA], INT4, octet_length),
    function("bit_length", &[TEXT], INT4, bit_length),
    function("lower", &[TEXT], TEXT, lower),
    function("upper", &[TEXT], TEXT, upper),
    function("initcap", &[TEXT], TEXT, initcap),
    function("btrim", &[TEXT], TEXT, btrim),
    function("btrim", &[TEXT, TEXT], TEXT, btrim),
    function("ltrim", &[TEXT], TEXT, ltrim),
    function("ltrim", &[TEXT, TEXT], TEXT, ltrim),
    function("rtrim", &[TEXT], TEXT, rtrim),
    function("rtrim", &[TEXT, TEXT], TEXT, rtrim),
    function("lpad", &[TEXT, INT4], TEXT, lpad),
    function("lpad", &[TEXT, INT4, TEXT], TEXT, lpad),
    function("rpad", &[TEXT, INT4], TEXT, rpad),
    function("rpad", &[TEXT, INT4, TEXT], TEXT, rpad),
    function("left", &[TEXT, INT4], TEXT, left),
    function("right", &[TEXT, INT4], TEXT, right),
    function("repeat", &[TEXT, INT4], TEXT, repeat),
    function("replace", &[TEXT, TEXT, TEXT], TEXT, replace),
    function("translate", &[TEXT, TEXT, TEXT], TEXT, translate),
    function("reverse", &[TEXT], TEXT, reverse),
    function("split_part", &[TEXT, TEXT, INT4], TEXT, split_part),
    function("strpos", &[TEXT, TEXT], INT4, strpos),
    function("position", &[TEXT, TEXT], INT4, strpos),
    function("starts_with", &[TEXT, TEXT], BOOL, starts_with),
    function("substring", &[TEXT, INT4], TEXT, substring),
    function("substring", &[TEXT, INT4, INT4], TEXT, substring),
    function("substring", &[BYTEA, INT4], BYTEA, substring),
    function("substring", &[BYTEA, INT4, INT4], BYTEA, substring),
    function("substr", &[TEXT, INT4], TEXT, substring),
    function("substr", &[TEXT, INT4, INT4], TEXT, substring),
    function("overlay", &[TEXT, TEXT, INT4], TEXT, overlay),
    function("overlay", &[TEXT, TEXT, INT4, INT4], TEXT, overlay),
    function("concat", &[ANY], TEXT, concat).lenient().variadic().stable(),
    function("concat_ws", &[TEXT, ANY], TEXT, concat_ws).lenient().variadic().stable(),
    function("ascii", &[TEXT], INT4, ascii),
    function("chr", &[INT4], TEXT, chr),
    function("to_hex", &[INT4], TEXT, to_hex),
    function("to_hex", &[INT8], TEXT, to_hex),
    function("quote_ident", &[TEXT], TEXT, quote_ident),
    function("quote_literal", &[TEXT], TEXT, quote_literal),
    function("quote_literal", &[ELEMENT], TEXT, quote_literal).stable(),
    function("quote_nullable", &[TEXT], TEXT, quote_nullable).lenient(),
    function("quote_nullable", &[ELEMENT], TEXT, quote_nullable).lenient().stable(),
    function("format", &[TEXT], TEXT, format),
    function("format", &[TEXT, ANY], TEXT, format).lenient().variadic().stable(),
];

pub(super) static OPERATORS: [Function; 1] = [function("^@", &[TEXT, TEXT], BOOL, starts_with)];
