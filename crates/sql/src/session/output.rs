//! Answers on their way to the client: rows as wire messages, held back a little so that a statement can still be run again unseen.

use super::Session;
use crate::client::{ClientResponse, Field, Format, Severity, TxnStatus};
use crate::types::{Settings, Type, binary, text};
use crate::value::Value;
use base::{Error, Result, SqlState};
use bytes::{BufMut, BytesMut};

/// Bytes of rows that are held back before they are sent.
const HELD_BYTES_MAX: usize = 32 * 1024;
/// Answers that are held back before they are sent.
const HELD_ANSWERS_MAX: usize = 1_000;

/// What is held back.
#[derive(Default)]
pub struct Output {
    answers: Vec<ClientResponse>,
    rows: BytesMut,
    rows_bytes: usize,
}

/// How much had been said at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    answers: usize,
    flushes: u64,
}

/// Types and formats of a row's columns.
pub struct RowFormat {
    columns: Vec<(Type, Format)>,
}

impl RowFormat {
    /// # Errors
    /// `08P01` if the client gave another number of formats.
    pub fn new(fields: &[Field], formats: &[Format]) -> Result<RowFormat> {
        check_formats(fields, formats)?;
        let column = |(at, field): (usize, &Field)| (Type::from_oid(field.type_oid).unwrap_or(Type::Text), format_of(formats, at));
        Ok(RowFormat { columns: fields.iter().enumerate().map(column).collect() })
    }
}

/// # Errors
/// `08P01` if the client gave another number of formats than none, one for all, or one for each column.
pub fn check_formats(fields: &[Field], formats: &[Format]) -> Result<()> {
    if formats.len() <= 1 || formats.len() >= fields.len() {
        return Ok(());
    }
    let message = format!("bind message has {} result formats but query has {} columns", formats.len(), fields.len());
    Err(Error::new(SqlState::PROTOCOL_VIOLATION, message))
}

/// The format of a column, of formats that were checked.
pub fn format_of(formats: &[Format], column: usize) -> Format {
    match formats {
        [] => Format::Text,
        [all] => *all,
        each => each[column],
    }
}

/// Appends one `DataRow` message.
pub fn write_row(row: &[Value], format: &RowFormat, settings: &Settings, out: &mut BytesMut) -> Result<()> {
    out.put_u8(b'D');
    let start = out.len();
    out.put_u32(0);
    out.put_u16(row.len() as u16);
    for (value, (ty, format)) in row.iter().zip(&format.columns) {
        if value.is_null() {
            out.put_i32(-1);
            continue;
        }
        let at = out.len();
        out.put_u32(0);
        match format {
            Format::Text => text::write(value, *ty, settings, out),
            Format::Binary => binary::write(value, *ty, out),
        }
        let length = (out.len() - at - 4) as u32;
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

impl Session {
    pub(crate) fn say(&mut self, response: ClientResponse) {
        self.flush_rows();
        self.output.answers.push(response);
        if self.output.answers.len() >= HELD_ANSWERS_MAX && !self.holding {
            self.flush();
        }
    }

    fn flush_rows(&mut self) {
        if !self.output.rows.is_empty() {
            let rows = self.output.rows.split().freeze();
            self.output.rows_bytes += rows.len();
            self.output.answers.push(ClientResponse::Rows(rows));
        }
    }

    /// Rows of an answer. Waits if the client is slow.
    pub(crate) async fn say_rows(&mut self, rows: &[Vec<Value>], format: &RowFormat, settings: &Settings) -> Result<()> {
        if !self.holding {
            self.settle().await?;
        }
        for row in rows {
            write_row(row, format, settings, &mut self.output.rows)?;
            if self.output.rows.len() >= HELD_BYTES_MAX {
                self.settle().await?;
                self.flush();
                self.backend.drained().await;
                self.check_interrupt()?;
            }
        }
        Ok(())
    }

    /// Sends all that was held back.
    pub(crate) fn flush(&mut self) {
        self.flush_rows();
        if self.output.answers.is_empty() {
            return;
        }
        self.flushes += 1;
        self.output.rows_bytes = 0;
        for response in self.output.answers.drain(..) {
            self.backend.send(response);
        }
    }

    pub(crate) fn said(&self) -> Said {
        Said { answers: self.output.answers.len(), flushes: self.flushes }
    }

    /// Takes back what was said since; false if it has been sent already.
    pub(crate) fn unsay(&mut self, said: Said) -> bool {
        if said.flushes != self.flushes {
            return false;
        }
        self.output.rows.clear();
        self.output.answers.truncate(said.answers);
        true
    }

    pub(crate) fn notice(&mut self, severity: Severity, error: Error) {
        let level = if severity == Severity::Warning { 1 } else { 2 };
        if self.settings.parsed().messages >= level {
            self.say(ClientResponse::Notice(severity, error));
        }
    }

    pub(crate) fn tell_parameters(&mut self, told: Vec<(String, String)>) {
        for (name, value) in told {
            self.say(ClientResponse::Parameter { name, value });
        }
    }

    pub(crate) fn ready(&mut self) {
        let status = match &self.txn {
            Some(txn) if txn.failed => TxnStatus::Failed,
            Some(_) => TxnStatus::InTransaction,
            None => TxnStatus::Idle,
        };
        self.say(ClientResponse::Ready(status));
        self.flush();
    }
}
