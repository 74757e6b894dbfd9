//! Text form of one-dimensional arrays: `{1,2,NULL,"a b"}`.

use super::{NO_MODIFIER, Settings, Type, text};
use crate::value::Value;
use base::{Error, Result, SqlState};
use bytes::{BufMut, BytesMut};
use std::sync::Arc;

fn malformed(text: &str, detail: &str) -> Error {
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("malformed array literal: \"{text}\"")).with_detail(detail.to_owned())
}

/// # Errors
/// `22P02` if it is malformed or an element is; `0A000` for more than one dimension.
pub fn parse(text: &str, element: Type, settings: &Settings) -> Result<Value> {
    let trimmed = text.trim_matches(text::is_space);
    if trimmed.starts_with('[') {
        return Err(Error::unsupported("an array with explicit bounds"));
    }
    let Some(inner) = trimmed.strip_prefix('{') else {
        return Err(malformed(text, "Array value must start with \"{\" or dimension information."));
    };
    let mut reader = Reader { rest: inner, whole: text };
    let mut elements = Vec::new();
    reader.skip_space();
    if let Some(after) = reader.rest.strip_prefix('}') {
        reader.rest = after;
        return reader.finish(elements);
    }
    loop {
        let item = reader.element()?;
        elements.push(match item {
            None => Value::Null,
            Some(item) => text::parse(&item, element, NO_MODIFIER, settings)?,
        });
        reader.skip_space();
        match reader.next() {
            Some(',') => {}
            Some('}') => return reader.finish(elements),
            _ => return Err(malformed(text, "Unexpected end of input.")),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    whole: &'a str,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches(text::is_space);
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn finish(&self, elements: Vec<Value>) -> Result<Value> {
        if self.rest.trim_matches(text::is_space).is_empty() {
            return Ok(Value::Array(Arc::from(elements)));
        }
        Err(malformed(self.whole, "Junk after closing right brace."))
    }

    /// `None` for an unquoted NULL.
    fn element(&mut self) -> Result<Option<String>> {
        self.skip_space();
        match self.rest.chars().next() {
            Some('"') => {
                self.next();
                self.quoted().map(Some)
            }
            Some('{') => Err(Error::unsupported("an array of several dimensions")),
            Some(',' | '}') => Err(malformed(self.whole, "Unexpected \",\" or \"}\" character.")),
            _ => self.plain(),
        }
    }

    fn quoted(&mut self) -> Result<String> {
        let mut item = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(item),
                Some('\\') => item.push(self.next().ok_or_else(|| malformed(self.whole, "Unexpected end of input."))?),
                Some(c) => item.push(c),
                None => return Err(malformed(self.whole, "Unexpected end of input.")),
            }
        }
    }

    fn plain(&mut self) -> Result<Option<String>> {
        let (mut item, mut escaped) = (String::new(), false);
        // Blanks at the end do not count, unless they are escaped.
        let mut kept = 0;
        loop {
            match self.rest.chars().next() {
                Some(',' | '}') => break,
                None => return Err(malformed(self.whole, "Unexpected end of input.")),
                Some('"' | '{') => return Err(malformed(self.whole, "Unexpected array element.")),
                Some(c) => {
                    self.next();
                    let c = if c == '\\' {
                        escaped = true;
                        let c = self.next().ok_or_else(|| malformed(self.whole, "Unexpected end of input."))?;
                        item.push(c);
                        kept = item.len();
                        continue;
                    } else {
                        c
                    };
                    item.push(c);
                    if !text::is_space(c) {
                        kept = item.len();
                    }
                }
            }
        }
        item.truncate(kept);
        Ok(if !escaped && item.eq_ignore_ascii_case("null") { None } else { Some(item) })
    }
}

/// Appends the text form of an array.
pub fn write(elements: &[Value], element: Type, settings: &Settings, out: &mut BytesMut) {
    out.put_u8(b'{');
    let mut buffer = BytesMut::new();
    for (index, value) in elements.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        if value.is_null() {
            out.put_slice(b"NULL");
            continue;
        }
        buffer.clear();
        text::write(value, element, settings, &mut buffer);
        write_element(&buffer, out);
    }
    out.put_u8(b'}');
}

fn write_element(item: &[u8], out: &mut BytesMut) {
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | b'{' | b'}' | b',' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    let quoted = item.is_empty() || item.eq_ignore_ascii_case(b"null") || item.iter().any(special);
    if !quoted {
        out.put_slice(item);
        return;
    }
    out.put_u8(b'"');
    for byte in item {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}
