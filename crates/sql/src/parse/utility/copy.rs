//! `COPY` and its options, as they are written now and as they were before PostgreSQL 9.0.

use super::Utility;
use super::reader::Reader;
use crate::copy::{CopyFormat, Options};
use crate::parse::Statement;
use crate::parse::names::RelationName;
use base::{Error, Result, SqlState};
use sqlparser::tokenizer::Token;

#[derive(Clone, Debug)]
pub struct Copy {
    pub source: CopySource,
    /// From the client into the table.
    pub from: bool,
    pub options: CopyOptions,
}

#[derive(Clone, Debug)]
pub enum CopySource {
    Table { name: RelationName, columns: Option<Vec<String>> },
    Query(Box<Statement>),
}

/// What was asked for, with the columns still by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOptions {
    /// Without what concerns single columns.
    pub form: Options,
    /// `None`: none; empty: all.
    pub force_quote: Option<Vec<String>>,
    pub force_not_null: Vec<String>,
    pub force_null: Vec<String>,
}

impl Reader<'_, '_, '_> {
    pub(super) fn copy(&mut self) -> Result<Utility> {
        self.next();
        let source = if self.accept_token(&Token::LParen) {
            let statement = self.statement()?;
            self.expect_token(&Token::RParen)?;
            CopySource::Query(Box::new(statement))
        } else {
            let name = self.relation()?;
            let columns = if self.parser.peek_token_ref().token == Token::LParen { Some(self.names_in_parentheses()?) } else { None };
            CopySource::Table { name, columns }
        };
        let from = self.accept("FROM");
        if !from {
            self.expect("TO")?;
        }
        if from && matches!(source, CopySource::Query(_)) {
            return self.wrong();
        }
        if !(self.accept("STDIN") || self.accept("STDOUT")) {
            return Err(Error::unsupported("COPY with a file or program of the server")
                .with_hint("Use COPY FROM STDIN or TO STDOUT; psql's \\copy does so with a file of the client."));
        }
        let options = self.copy_options()?;
        if from && self.accept("WHERE") {
            return Err(Error::unsupported("COPY FROM … WHERE"));
        }
        Ok(Utility::Copy(Box::new(Copy { source, from, options })))
    }

    fn copy_options(&mut self) -> Result<CopyOptions> {
        let mut raw = RawCopyOptions::default();
        self.accept("WITH");
        if self.accept_token(&Token::LParen) {
            loop {
                self.copy_option(&mut raw)?;
                if !self.accept_token(&Token::Comma) {
                    break;
                }
            }
            self.expect_token(&Token::RParen)?;
        } else {
            while !self.at_end() && !self.peek("WHERE") {
                self.copy_option_of_old(&mut raw)?;
            }
        }
        raw.finish()
    }

    fn copy_option(&mut self, raw: &mut RawCopyOptions) -> Result<()> {
        let name = self.name()?;
        match name.as_str() {
            "format" => {
                let format = if let Token::SingleQuotedString(_) = self.parser.peek_token().token { self.text()? } else { self.name()? };
                raw.format = Some(match format.as_str() {
                    "text" => CopyFormat::Text,
                    "csv" => CopyFormat::Csv,
                    "binary" => CopyFormat::Binary,
                    other => {
                        let message = format!("COPY format \"{other}\" not recognized");
                        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
                    }
                });
            }
            "freeze" => drop(self.switch()?),
            "header" if self.accept("MATCH") => return Err(Error::unsupported("COPY with HEADER MATCH")),
            "header" => raw.header = self.switch()?,
            "delimiter" => raw.delimiter = Some(self.text()?),
            "null" => raw.null = Some(self.text()?),
            "quote" => raw.quote = Some(self.text()?),
            "escape" => raw.escape = Some(self.text()?),
            "encoding" => raw.encoding(&self.text()?)?,
            "force_quote" if self.accept_token(&Token::Mul) => raw.force_quote = Some(Vec::new()),
            "force_quote" => raw.force_quote = Some(self.names_in_parentheses()?),
            "force_not_null" => raw.force_not_null = self.names_in_parentheses()?,
            "force_null" => raw.force_null = self.names_in_parentheses()?,
            other => return Err(Error::new(SqlState::SYNTAX_ERROR, format!("option \"{other}\" not recognized"))),
        }
        Ok(())
    }

    /// The syntax of PostgreSQL before 9.0, which `pg_dump` and many scripts still write.
    fn copy_option_of_old(&mut self, raw: &mut RawCopyOptions) -> Result<()> {
        if self.accept("BINARY") {
            raw.format = Some(CopyFormat::Binary);
        } else if self.accept("CSV") {
            raw.format = Some(CopyFormat::Csv);
        } else if self.accept("HEADER") {
            raw.header = true;
        } else if self.accept("FREEZE") {
        } else if self.accept("FORCE") {
            if self.accept("QUOTE") {
                raw.force_quote = Some(if self.accept_token(&Token::Mul) { Vec::new() } else { vec![self.name()?] });
            } else {
                self.expect("NOT")?;
                self.expect("NULL")?;
                raw.force_not_null.push(self.name()?);
            }
        } else {
            let name = self.name()?;
            self.accept("AS");
            match name.as_str() {
                "delimiter" | "delimiters" => raw.delimiter = Some(self.text()?),
                "null" => raw.null = Some(self.text()?),
                "quote" => raw.quote = Some(self.text()?),
                "escape" => raw.escape = Some(self.text()?),
                "encoding" => raw.encoding(&self.text()?)?,
                _ => return self.wrong(),
            }
        }
        Ok(())
    }
}

/// Options as written; [`RawCopyOptions::finish`] fills in the defaults of the format.
#[derive(Default)]
struct RawCopyOptions {
    format: Option<CopyFormat>,
    delimiter: Option<String>,
    null: Option<String>,
    header: bool,
    quote: Option<String>,
    escape: Option<String>,
    force_quote: Option<Vec<String>>,
    force_not_null: Vec<String>,
    force_null: Vec<String>,
}

impl RawCopyOptions {
    fn encoding(&mut self, name: &str) -> Result<()> {
        match name.to_ascii_lowercase().as_str() {
            "utf8" | "utf-8" | "unicode" => Ok(()),
            _ => Err(Error::unsupported(format!("COPY with encoding {name}"))),
        }
    }

    fn finish(self) -> Result<CopyOptions> {
        let invalid = |message: &str| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
        let byte = |name: &str, value: Option<String>, default: u8| match value.as_deref().map(str::as_bytes) {
            None => Ok(default),
            Some([byte]) => Ok(*byte),
            Some(_) => Err(invalid(&format!("COPY {name} must be a single one-byte character"))),
        };
        let format = self.format.unwrap_or(CopyFormat::Text);
        let csv = format == CopyFormat::Csv;
        let csv_only = self.quote.is_some() || self.escape.is_some() || self.force_quote.is_some();
        if !csv && (csv_only || !self.force_not_null.is_empty() || !self.force_null.is_empty()) {
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, "COPY QUOTE, ESCAPE and FORCE options are available only in CSV mode"));
        }
        if format == CopyFormat::Binary && (self.delimiter.is_some() || self.null.is_some() || self.header) {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "cannot specify DELIMITER, NULL or HEADER in BINARY mode"));
        }
        let delimiter = byte("delimiter", self.delimiter, if csv { b',' } else { b'\t' })?;
        if matches!(delimiter, b'\n' | b'\r')
            || (!csv && (delimiter.is_ascii_lowercase() || delimiter.is_ascii_digit() || delimiter == b'\\'))
        {
            return Err(invalid(&format!("COPY delimiter cannot be \"{}\"", char::from(delimiter))));
        }
        let quote = byte("quote", self.quote, b'"')?;
        if csv && delimiter == quote {
            return Err(invalid("COPY delimiter and quote must be different"));
        }
        let mut form = Options { delimiter, header: self.header, quote, ..Options::new(format) };
        form.escape = byte("escape", self.escape, quote)?;
        form.null = self.null.unwrap_or(form.null);
        Ok(CopyOptions { form, force_quote: self.force_quote, force_not_null: self.force_not_null, force_null: self.force_null })
    }
}
