//! LIKE, SIMILAR TO and regular expressions.
//!
//! Regular expressions run on the `regex` crate: no backreferences and no lookaround, which are refused, but linear time.

use super::arithmetic::mismatch;
use super::kinds::*;
use super::strings::{made, string};
use super::{Context, Function, function};
use crate::value::Value;
use base::{Error, Result, SqlState};
use regex::{Regex, RegexBuilder};
use std::cell::RefCell;
use std::sync::Arc;

/// Most bytes of a compiled regular expression.
const COMPILED_BYTES_MAX: usize = 1024 * 1024;
/// Compiled expressions kept by each thread: a scan uses the same one for each row.
const CACHED_MAX: usize = 16;

/// Matches `pattern` (with `%`, `_` and `\`) to all of `text`, going back only to the last `%`.
pub(crate) fn like(text: &[u8], pattern: &[u8]) -> Result<bool> {
    let (mut t, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some(b'%') => {
                p += 1;
                retry = Some((t, p));
                continue;
            }
            Some(b'_') => (t < text.len()).then(|| (character_bytes(text[t]), 1)),
            Some(b'\\') if t == text.len() => None,
            Some(b'\\') => match pattern.get(p + 1) {
                Some(literal) => (text.get(t) == Some(literal)).then_some((1, 2)),
                None => return Err(Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "LIKE pattern must not end with escape character")),
            },
            Some(literal) => (text.get(t) == Some(literal)).then_some((1, 1)),
            None if t == text.len() => return Ok(true),
            None => None,
        };
        match (step, retry) {
            (Some((in_text, in_pattern)), _) => (t, p) = (t + in_text, p + in_pattern),
            // The last % takes one character more.
            (None, Some((from, after))) if from < text.len() => {
                let from = from + character_bytes(text[from]);
                retry = Some((from, after));
                (t, p) = (from, after);
            }
            (None, _) => return Ok(false),
        }
    }
}

/// Bytes of the character of UTF-8 that starts with this one.
fn character_bytes(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
        _ => 1,
    }
}

fn matches_like(args: &[Value], negated: bool) -> Result<Value> {
    let found = match args {
        [Value::Bytea(bytes), Value::Bytea(pattern)] => like_bytes(bytes, pattern)?,
        _ => like(string(args, 0)?.as_bytes(), string(args, 1)?.as_bytes())?,
    };
    Ok(Value::Bool(found != negated))
}

/// Each byte is a character.
fn like_bytes(bytes: &[u8], pattern: &[u8]) -> Result<bool> {
    let widen = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    like(widen(bytes).as_bytes(), widen(pattern).as_bytes())
}

fn is_like(args: &[Value], _: &Context) -> Result<Value> {
    matches_like(args, false)
}

fn is_not_like(args: &[Value], _: &Context) -> Result<Value> {
    matches_like(args, true)
}

fn matches_ilike(args: &[Value], negated: bool) -> Result<Value> {
    let (text, pattern) = (string(args, 0)?.to_lowercase(), string(args, 1)?.to_lowercase());
    Ok(Value::Bool(like(text.as_bytes(), pattern.as_bytes())? != negated))
}

fn is_ilike(args: &[Value], _: &Context) -> Result<Value> {
    matches_ilike(args, false)
}

fn is_not_ilike(args: &[Value], _: &Context) -> Result<Value> {
    matches_ilike(args, true)
}

/// Rewrites a pattern with another escape character to one with the backslash.
fn like_escape(args: &[Value], _: &Context) -> Result<Value> {
    let (pattern, escape) = (string(args, 0)?, string(args, 1)?);
    let mut chars = escape.chars();
    let escape = chars.next();
    if chars.next().is_some() {
        return Err(Error::new(SqlState(*b"22019"), "invalid escape string").with_hint("Escape string must be empty or one character."));
    }
    let mut out = String::with_capacity(pattern.len() + 4);
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        if Some(c) == escape {
            let Some(literal) = rest.next() else {
                return Err(Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "LIKE pattern must not end with escape character"));
            };
            out.push('\\');
            out.push(literal);
        } else {
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
    }
    made(out)
}

/// A SIMILAR TO pattern as a regular expression.
fn similar_to_escape(args: &[Value], _: &Context) -> Result<Value> {
    let pattern = string(args, 0)?;
    let escape = if args.len() > 1 { string(args, 1)?.chars().next() } else { Some('\\') };
    let mut out = String::from("^(?:");
    let mut chars = pattern.chars();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            let Some(literal) = chars.next() else {
                return Err(Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "LIKE pattern must not end with escape character"));
            };
            out.push_str(&regex::escape(&literal.to_string()));
            continue;
        }
        match c {
            '%' if !in_class => out.push_str(".*"),
            '_' if !in_class => out.push('.'),
            '(' if !in_class => out.push_str("(?:"),
            '.' | '^' | '$' | '\\' if !in_class => {
                out.push('\\');
                out.push(c);
            }
            '\\' => out.push_str("\\\\"),
            c => {
                in_class = match c {
                    '[' => true,
                    ']' => false,
                    _ => in_class,
                };
                out.push(c);
            }
        }
    }
    out.push_str(")$");
    made(out)
}

thread_local! {
    static COMPILED: RefCell<Vec<(String, bool, Regex)>> = const { RefCell::new(Vec::new()) };
}

/// `.` matches a line's end, and `^` and `$` only the text's ends, as in PostgreSQL's default mode.
fn compile(pattern: &str, ignore_case: bool) -> Result<Regex> {
    let cached = COMPILED.with_borrow(|cache| {
        cache.iter().find(|(text, ignore, _)| text == pattern && *ignore == ignore_case).map(|(_, _, regex)| regex.clone())
    });
    if let Some(regex) = cached {
        return Ok(regex);
    }
    // Options at the pattern's start.
    let (stripped, ignore) = match pattern.strip_prefix("(?i)") {
        Some(rest) => (rest, true),
        None => (pattern, ignore_case),
    };
    let built = RegexBuilder::new(stripped).case_insensitive(ignore).dot_matches_new_line(true).size_limit(COMPILED_BYTES_MAX).build();
    let regex = built.map_err(|error| {
        let text = error.to_string();
        let cause = cause_of(text.lines().last().unwrap_or("").trim_start_matches("error: "));
        Error::new(SqlState::INVALID_REGULAR_EXPRESSION, format!("invalid regular expression: {cause}"))
    })?;
    COMPILED.with_borrow_mut(|cache| {
        if cache.len() >= CACHED_MAX {
            cache.remove(0);
        }
        cache.push((pattern.to_owned(), ignore_case, regex.clone()));
    });
    Ok(regex)
}

/// The library's word for what is wrong, in PostgreSQL's where it has one.
fn cause_of(error: &str) -> &str {
    match error {
        "unclosed group" | "unopened group" => "parentheses () not balanced",
        "unclosed character class" => "brackets [] not balanced",
        "unclosed counted repetition" => "braces {} not balanced",
        "repetition operator missing expression" => "quantifier operand invalid",
        "invalid character class range, the start must be <= the end" => "invalid character range",
        "invalid repetition count range, the start must be <= the end" => "invalid repetition count(s)",
        "repetition quantifier expects a valid decimal" => "invalid repetition count(s)",
        "unrecognized escape sequence" => "invalid escape \\ sequence",
        "incomplete escape sequence, reached end of pattern prematurely" => "invalid escape \\ sequence",
        other => other,
    }
}

fn matches_regex(args: &[Value], ignore_case: bool, negated: bool) -> Result<Value> {
    let regex = compile(string(args, 1)?, ignore_case)?;
    Ok(Value::Bool(regex.is_match(string(args, 0)?) != negated))
}

fn regex_match(args: &[Value], _: &Context) -> Result<Value> {
    matches_regex(args, false, false)
}

fn regex_not_match(args: &[Value], _: &Context) -> Result<Value> {
    matches_regex(args, false, true)
}

fn regex_imatch(args: &[Value], _: &Context) -> Result<Value> {
    matches_regex(args, true, false)
}

fn regex_not_imatch(args: &[Value], _: &Context) -> Result<Value> {
    matches_regex(args, true, true)
}

struct Flags {
    ignore_case: bool,
    global: bool,
}

fn flags(args: &[Value], index: usize) -> Result<Flags> {
    let mut flags = Flags { ignore_case: false, global: false };
    if args.len() <= index {
        return Ok(flags);
    }
    for c in string(args, index)?.chars() {
        match c {
            'i' => flags.ignore_case = true,
            'g' => flags.global = true,
            'c' => flags.ignore_case = false,
            's' => {}
            other => {
                let message = format!("invalid regular expression option: \"{other}\"");
                return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
            }
        }
    }
    Ok(flags)
}

/// The replacement's `\1` and `\&` in the library's form.
fn replacement(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek().copied()) {
            ('\\', Some('&')) => {
                out.push_str("${0}");
                chars.next();
            }
            ('\\', Some(digit @ '1'..='9')) => {
                out.push_str(&format!("${{{digit}}}"));
                chars.next();
            }
            ('\\', Some('\\')) => {
                out.push('\\');
                chars.next();
            }
            ('$', _) => out.push_str("$$"),
            _ => out.push(c),
        }
    }
    out
}

fn regexp_replace(args: &[Value], _: &Context) -> Result<Value> {
    let flags = flags(args, 3)?;
    let regex = compile(string(args, 1)?, flags.ignore_case)?;
    let replacement = replacement(string(args, 2)?);
    let text = string(args, 0)?;
    let result = if flags.global { regex.replace_all(text, replacement) } else { regex.replace(text, replacement) };
    made(result.into_owned())
}

/// The groups of the first match, or all of it if there are none.
fn regexp_match(args: &[Value], _: &Context) -> Result<Value> {
    let flags = flags(args, 2)?;
    let regex = compile(string(args, 1)?, flags.ignore_case)?;
    let Some(found) = regex.captures(string(args, 0)?) else {
        return Ok(Value::Null);
    };
    let group = |group: Option<regex::Match>| group.map_or(Value::Null, |group| Value::text(group.as_str()));
    let groups: Vec<Value> = if found.len() == 1 { vec![group(found.get(0))] } else { found.iter().skip(1).map(group).collect() };
    Ok(Value::Array(Arc::from(groups)))
}

/// The first group of the first match, or all of it.
fn substring_regex(args: &[Value], _: &Context) -> Result<Value> {
    let regex = compile(string(args, 1)?, false)?;
    let found =
        regex.captures(string(args, 0)?).and_then(|found| found.get(if found.len() > 1 { 1 } else { 0 }).map(|m| m.as_str().to_owned()));
    found.map_or(Ok(Value::Null), made)
}

fn regexp_count(args: &[Value], _: &Context) -> Result<Value> {
    let regex = compile(string(args, 1)?, false)?;
    i32::try_from(regex.find_iter(string(args, 0)?).count()).map(Value::Int4).map_err(|_| mismatch())
}

fn regexp_split(args: &[Value], _: &Context) -> Result<Value> {
    let regex = compile(string(args, 1)?, false)?;
    Ok(Value::Array(regex.split(string(args, 0)?).map(Value::text).collect()))
}

pub(super) static FUNCTIONS: [Function; 12] = [
    function("like_escape", &[TEXT, TEXT], TEXT, like_escape),
    function("similar_to_escape", &[TEXT], TEXT, similar_to_escape),
    function("similar_to_escape", &[TEXT, TEXT], TEXT, similar_to_escape),
    function("regexp_replace", &[TEXT, TEXT, TEXT], TEXT, regexp_replace),
    function("regexp_replace", &[TEXT, TEXT, TEXT, TEXT], TEXT, regexp_replace),
    function("regexp_match", &[TEXT, TEXT], TEXTS, regexp_match),
    function("regexp_match", &[TEXT, TEXT, TEXT], TEXTS, regexp_match),
    function("regexp_count", &[TEXT, TEXT], INT4, regexp_count),
    function("regexp_split_to_array", &[TEXT, TEXT], TEXTS, regexp_split),
    function("substring", &[TEXT, TEXT], TEXT, substring_regex),
    function("like", &[TEXT, TEXT], BOOL, is_like),
    function("notlike", &[TEXT, TEXT], BOOL, is_not_like),
];

pub(super) static OPERATORS: [Function; 10] = [
    function("~~", &[TEXT, TEXT], BOOL, is_like),
    function("!~~", &[TEXT, TEXT], BOOL, is_not_like),
    function("~~", &[BYTEA, BYTEA], BOOL, is_like),
    function("!~~", &[BYTEA, BYTEA], BOOL, is_not_like),
    function("~~*", &[TEXT, TEXT], BOOL, is_ilike),
    function("!~~*", &[TEXT, TEXT], BOOL, is_not_ilike),
    function("~", &[TEXT, TEXT], BOOL, regex_match),
    function("!~", &[TEXT, TEXT], BOOL, regex_not_match),
    function("~*", &[TEXT, TEXT], BOOL, regex_imatch),
    function("!~*", &[TEXT, TEXT], BOOL, regex_not_imatch),
];
