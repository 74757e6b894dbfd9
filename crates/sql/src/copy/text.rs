//! Text format: fields between delimiters, a backslash takes the special meaning from what follows or gives one to it.

use super::{Fields, Options};
use base::Result;
use bytes::{BufMut, Bytes, BytesMut};

/// Position of the newline that ends the first line. A backslash before a newline makes it data.
pub fn line_end(buffer: &[u8], searched: &mut usize) -> Option<usize> {
    let mut at = *searched;
    while at < buffer.len() {
        match buffer[at] {
            b'\n' => return Some(at),
            // The escaped byte may come with the next piece: look at the pair again then.
            b'\\' if at + 1 == buffer.len() => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    *searched = at;
    None
}

pub fn fields(line: &Bytes, options: &Options) -> Result<Fields> {
    let mut fields = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at <= line.len() {
        if at == line.len() || line[at] == options.delimiter {
            fields.push(field(line, start, at, options));
            start = at + 1;
            at += 1;
        } else if line[at] == b'\\' && at + 1 < line.len() {
            at += 2;
        } else {
            at += 1;
        }
    }
    Ok(fields)
}

fn field(line: &Bytes, start: usize, end: usize, options: &Options) -> Option<Bytes> {
    let raw = line.slice(start..end);
    if raw[..] == *options.null.as_bytes() {
        return None;
    }
    Some(if raw.contains(&b'\\') { unescaped(&raw) } else { raw })
}

fn unescaped(raw: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        if raw[at] != b'\\' || at + 1 == raw.len() {
            out.put_u8(raw[at]);
            at += 1;
            continue;
        }
        let (byte, used) = match raw[at + 1] {
            b'b' => (0x08, 2),
            b'f' => (0x0c, 2),
            b'n' => (b'\n', 2),
            b'r' => (b'\r', 2),
            b't' => (b'\t', 2),
            b'v' => (0x0b, 2),
            b'0'..=b'7' => number(&raw[at + 1..], 8, 3, 1),
            b'x' if raw.get(at + 2).is_some_and(u8::is_ascii_hexdigit) => number(&raw[at + 2..], 16, 2, 2),
            other => (other, 2),
        };
        out.put_u8(byte);
        at += used;
    }
    out.freeze()
}

/// Up to `most` digits; gives the byte and how much was used with the `before` characters that led to it.
fn number(digits: &[u8], radix: u32, most: usize, before: usize) -> (u8, usize) {
    let mut value = 0u32;
    let mut used = 0;
    while let Some(digit) = digits.get(used).filter(|_| used < most).and_then(|byte| char::from(*byte).to_digit(radix)) {
        value = value * radix + digit;
        used += 1;
    }
    // Three octal digits can name more than a byte holds; PostgreSQL keeps the low eight bits.
    ((value & 0xff) as u8, used + before)
}

pub fn put_row<'a>(fields: impl Iterator<Item = Option<&'a [u8]>>, options: &Options, out: &mut BytesMut) {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            out.put_u8(options.delimiter);
        }
        match field {
            None => out.put_slice(options.null.as_bytes()),
            Some(bytes) => put_escaped(bytes, options.delimiter, out),
        }
    }
    out.put_u8(b'\n');
}

fn put_escaped(bytes: &[u8], delimiter: u8, out: &mut BytesMut) {
    for byte in bytes {
        let letter = match byte {
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x0b => b'v',
            b'\\' => b'\\',
            byte if *byte == delimiter => *byte,
            byte => {
                out.put_u8(*byte);
                continue;
            }
        };
        out.put_u8(b'\\');
        out.put_u8(letter);
    }
}
