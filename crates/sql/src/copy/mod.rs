//! COPY's three formats: rows of fields in, bytes out, and back. Pure; knows nothing of types.
//!
//! Source: PostgreSQL documentation, SQL command COPY, "File Formats". A field is `None` for NULL, else the bytes of its text form (text,
//! csv) or binary form (binary). Input comes in pieces of any size; a row is given out as soon as it is whole.

mod binary;
mod csv;
mod text;

use base::{Error, Result, SqlState};
use bytes::{Buf, Bytes, BytesMut};
use storage::access::ROW_BYTES_MAX;

/// Most bytes of one row as it is written in a COPY stream.
pub const COPY_ROW_BYTES_MAX: usize = 2 * ROW_BYTES_MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyFormat {
    Text,
    Csv,
    Binary,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub format: CopyFormat,
    pub delimiter: u8,
    /// How NULL is written, unquoted.
    pub null: String,
    /// The first line names the columns: written, or skipped when read.
    pub header: bool,
    pub quote: u8,
    pub escape: u8,
    /// csv, out: positions of columns that are always quoted.
    pub force_quote: Vec<bool>,
    /// csv, in: positions of columns in which an unquoted null string is an empty string.
    pub force_not_null: Vec<bool>,
}

impl Options {
    /// PostgreSQL's defaults of a format.
    pub fn new(format: CopyFormat) -> Options {
        let (delimiter, null) = if format == CopyFormat::Csv { (b',', "") } else { (b'\t', "\\N") };
        Options {
            format,
            delimiter,
            null: null.to_owned(),
            header: false,
            quote: b'"',
            escape: b'"',
            force_quote: Vec::new(),
            force_not_null: Vec::new(),
        }
    }
}

/// A row's fields.
pub type Fields = Vec<Option<Bytes>>;

/// Reads rows from pieces of a stream.
#[derive(Debug)]
pub struct Decoder {
    options: Options,
    columns: usize,
    buffer: BytesMut,
    /// Bytes of `buffer` that were looked at without finding the end of the row.
    searched: csv::Search,
    /// Line (text, csv) or row (binary) of the next row, from 1.
    line: u64,
    started: bool,
    /// The end marker was read: what follows is ignored.
    ended: bool,
}

impl Decoder {
    pub fn new(options: &Options, columns: usize) -> Decoder {
        Decoder {
            options: options.clone(),
            columns,
            buffer: BytesMut::new(),
            searched: csv::Search::default(),
            line: 1,
            started: false,
            ended: false,
        }
    }

    pub fn push(&mut self, data: &[u8]) {
        if !self.ended {
            self.buffer.extend_from_slice(data);
        }
    }

    /// Where the next row starts, for an error's context: `COPY t, line 7`.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next whole row, or `None` until more is pushed.
    ///
    /// # Errors
    /// `22P04` if the stream is not in the format, `54000` if a row is too long.
    pub fn next_row(&mut self) -> Result<Option<Fields>> {
        if self.options.format == CopyFormat::Binary {
            return self.next_binary();
        }
        while let Some(line) = self.next_line()? {
            if let Some(fields) = self.fields_of(&line)? {
                return Ok(Some(fields));
            }
        }
        Ok(None)
    }

    /// After the last piece: a last row without its line end.
    ///
    /// # Errors
    /// As `next_row`; also if the stream ends inside a row.
    pub fn finish(&mut self) -> Result<Option<Fields>> {
        if let Some(fields) = self.next_row()? {
            return Ok(Some(fields));
        }
        if self.ended || (self.buffer.is_empty() && self.options.format != CopyFormat::Binary) {
            return Ok(None);
        }
        match self.options.format {
            CopyFormat::Binary => Err(bad("unexpected end of binary COPY data: the file trailer is missing")),
            CopyFormat::Csv if self.searched.in_quotes => Err(bad("unterminated CSV quoted field")),
            CopyFormat::Csv | CopyFormat::Text => {
                let line = self.buffer.split().freeze();
                self.fields_of(&line)
            }
        }
    }

    fn next_line(&mut self) -> Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        let end = match self.options.format {
            CopyFormat::Csv => self.searched.line_end(&self.buffer, self.options.quote, self.options.escape),
            _ => text::line_end(&self.buffer, &mut self.searched.position),
        };
        let Some(end) = end else {
            if self.buffer.len() > COPY_ROW_BYTES_MAX {
                return Err(Error::new(
                    SqlState::PROGRAM_LIMIT_EXCEEDED,
                    format!("COPY line {} is longer than {COPY_ROW_BYTES_MAX} bytes", self.line),
                ));
            }
            return Ok(None);
        };
        self.searched = csv::Search::default();
        let mut line = self.buffer.split_to(end).freeze();
        self.buffer.advance(1);
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        Ok(Some(line))
    }

    /// `None` for a line that is no row: the header, the end marker.
    fn fields_of(&mut self, line: &Bytes) -> Result<Option<Fields>> {
        let first = !std::mem::replace(&mut self.started, true);
        self.line += 1;
        if line[..] == *b"\\." {
            self.ended = true;
            self.buffer.clear();
            return Ok(None);
        }
        if first && self.options.header {
            return Ok(None);
        }
        let fields = match self.options.format {
            CopyFormat::Csv => csv::fields(line, &self.options)?,
            _ => text::fields(line, &self.options)?,
        };
        self.check_count(fields).map(Some)
    }

    fn check_count(&self, fields: Fields) -> Result<Fields> {
        match fields.len() {
            found if found > self.columns => Err(bad("extra data after last expected column")),
            found if found < self.columns => Err(bad(format!("missing data: the row has {found} of {} columns", self.columns))),
            _ => Ok(fields),
        }
    }

    fn next_binary(&mut self) -> Result<Option<Fields>> {
        if self.ended {
            return Ok(None);
        }
        if !self.started {
            if !binary::take_header(&mut self.buffer)? {
                return Ok(None);
            }
            self.started = true;
        }
        match binary::take_row(&mut self.buffer, self.columns)? {
            binary::Taken::NotYet => Ok(None),
            binary::Taken::Trailer => {
                self.ended = true;
                Ok(None)
            }
            binary::Taken::Row(fields) => {
                self.line += 1;
                Ok(Some(fields))
            }
        }
    }
}

/// Writes rows.
#[derive(Debug)]
pub struct Encoder {
    options: Options,
}

impl Encoder {
    pub fn new(options: &Options) -> Encoder {
        Encoder { options: options.clone() }
    }

    /// What comes before the rows: the header line, or the binary signature.
    pub fn start<'a>(&self, names: impl Iterator<Item = &'a str>, out: &mut BytesMut) {
        match self.options.format {
            CopyFormat::Binary => binary::put_header(out),
            _ if self.options.header => self.row(names.map(|name| Some(name.as_bytes())), out),
            _ => (),
        }
    }

    pub fn row<'a>(&self, fields: impl Iterator<Item = Option<&'a [u8]>>, out: &mut BytesMut) {
        match self.options.format {
            CopyFormat::Text => text::put_row(fields, &self.options, out),
            CopyFormat::Csv => csv::put_row(fields, &self.options, out),
            CopyFormat::Binary => binary::put_row(fields, out),
        }
    }

    /// What comes after the rows.
    pub fn end(&self, out: &mut BytesMut) {
        if self.options.format == CopyFormat::Binary {
            binary::put_trailer(out);
        }
    }
}

fn bad(what: impl Into<String>) -> Error {
    Error::new(SqlState::BAD_COPY_FILE_FORMAT, what)
}

#[cfg(test)]
mod tests;
