//! CSV format: fields between delimiters, quotes around what would be misread.

use super::{Fields, Options};
use base::Result;
use bytes::{BufMut, Bytes, BytesMut};

/// How far the end of a line was searched for, so that a long quoted field is looked at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Search {
    pub position: usize,
    pub in_quotes: bool,
}

impl Search {
    /// Position of the newline that ends the first line: one outside quotes.
    pub fn line_end(&mut self, buffer: &[u8], quote: u8, escape: u8) -> Option<usize> {
        while self.position < buffer.len() {
            let byte = buffer[self.position];
            if self.in_quotes && byte == escape && escape != quote {
                // What is escaped may come with the next piece: look at the pair again then.
                if self.position + 1 == buffer.len() {
                    return None;
                }
                self.position += 2;
                continue;
            }
            match byte {
                // A doubled quote inside quotes leaves and enters again, which comes to the same.
                _ if byte == quote => self.in_quotes = !self.in_quotes,
                b'\n' if !self.in_quotes => return Some(self.position),
                _ => (),
            }
            self.position += 1;
        }
        None
    }
}

pub fn fields(line: &Bytes, options: &Options) -> Result<Fields> {
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let (field, quoted, end) = field(line, at, options);
        let index = fields.len();
        let never_null = options.force_not_null.get(index).copied().unwrap_or(false);
        let null = !quoted && !never_null && field[..] == *options.null.as_bytes();
        fields.push((!null).then_some(field));
        if end >= line.len() {
            return Ok(fields);
        }
        at = end + 1;
    }
}

/// The field that starts at `start`, whether any of it was quoted, and where its delimiter stands.
fn field(line: &Bytes, start: usize, options: &Options) -> (Bytes, bool, usize) {
    let mut out = BytesMut::new();
    let (mut at, mut in_quotes, mut quoted) = (start, false, false);
    while at < line.len() {
        let byte = line[at];
        let next = line.get(at + 1).copied();
        if in_quotes && byte == options.escape && next.is_some_and(|next| next == options.quote || next == options.escape) {
            out.put_u8(line[at + 1]);
            at += 2;
            continue;
        }
        match byte {
            _ if byte == options.quote => {
                in_quotes = !in_quotes;
                quoted = true;
            }
            _ if byte == options.delimiter && !in_quotes => break,
            _ => out.put_u8(byte),
        }
        at += 1;
    }
    (if quoted { out.freeze() } else { line.slice(start..at) }, quoted, at)
}

pub fn put_row<'a>(fields: impl Iterator<Item = Option<&'a [u8]>>, options: &Options, out: &mut BytesMut) {
    let fields: Vec<Option<&[u8]>> = fields.collect();
    let alone = fields.len() == 1;
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            out.put_u8(options.delimiter);
        }
        let force = options.force_quote.get(index).copied().unwrap_or(false);
        match field {
            None => out.put_slice(options.null.as_bytes()),
            Some(bytes) if force || needs_quotes(bytes, options, alone) => put_quoted(bytes, options, out),
            Some(bytes) => out.put_slice(bytes),
        }
    }
    out.put_u8(b'\n');
}

fn needs_quotes(bytes: &[u8], options: &Options, alone: bool) -> bool {
    let special = |byte: &u8| *byte == options.delimiter || *byte == options.quote || matches!(byte, b'\n' | b'\r');
    // A lone `\.` would end the stream.
    bytes == options.null.as_bytes() || bytes.iter().any(special) || (alone && bytes == b"\\.")
}

fn put_quoted(bytes: &[u8], options: &Options, out: &mut BytesMut) {
    out.put_u8(options.quote);
    for byte in bytes {
        if *byte == options.quote || *byte == options.escape {
            out.put_u8(options.escape);
        }
        out.put_u8(*byte);
    }
    out.put_u8(options.quote);
}
