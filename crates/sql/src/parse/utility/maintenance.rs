//! `EXPLAIN`, `VACUUM`, `LOCK` and `ALTER INDEX`.

use super::Utility;
use super::reader::Reader;
use crate::parse::is_word;
use base::{Error, Result, SqlState};
use sqlparser::tokenizer::Token;

impl Reader<'_, '_, '_> {
    pub(super) fn explain(&mut self) -> Result<Utility> {
        self.next();
        let mut analyze = false;
        if self.parser.peek_token_ref().token == Token::LParen && !self.parenthesis_opens_query() {
            self.next();
            loop {
                let option = self.name()?;
                match option.as_str() {
                    "analyze" => analyze = self.switch()?,
                    "format" if !self.accept("TEXT") => return Err(Error::unsupported("EXPLAIN in a format other than text")),
                    "format" => {}
                    "verbose" | "costs" | "buffers" | "timing" | "summary" | "settings" | "wal" => drop(self.switch()?),
                    other => {
                        let message = format!("unrecognized EXPLAIN option \"{other}\"");
                        return Err(Error::new(SqlState::SYNTAX_ERROR, message));
                    }
                }
                if !self.accept_token(&Token::Comma) {
                    break;
                }
            }
            self.expect_token(&Token::RParen)?;
        } else {
            analyze = self.accept("ANALYZE") || self.accept("ANALYSE");
            self.accept("VERBOSE");
        }
        Ok(Utility::Explain { analyze, statement: Box::new(self.statement()?) })
    }

    fn parenthesis_opens_query(&self) -> bool {
        let [_, next] = self.parser.peek_tokens_with_location();
        ["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|word| is_word(&next, word))
    }

    pub(super) fn vacuum(&mut self) -> Result<Utility> {
        let mut analyze = false;
        while !self.at_end() {
            analyze |= self.peek("ANALYZE");
            self.next();
        }
        Ok(Utility::Vacuum { analyze })
    }

    pub(super) fn lock(&mut self) -> Result<Utility> {
        self.next();
        self.accept("TABLE");
        let mut tables = Vec::new();
        loop {
            self.accept("ONLY");
            tables.push(self.relation()?);
            if !self.accept_token(&Token::Comma) {
                break;
            }
        }
        let mut mode = vec!["ACCESS".to_owned(), "EXCLUSIVE".to_owned()];
        if self.accept("IN") {
            mode.clear();
            while !self.peek("MODE") {
                mode.push(self.name()?.to_uppercase());
            }
            self.expect("MODE")?;
        }
        let nowait = self.accept("NOWAIT");
        let exclusive = match mode.join(" ").as_str() {
            "ACCESS SHARE" | "ROW SHARE" | "ROW EXCLUSIVE" => false,
            "SHARE UPDATE EXCLUSIVE" | "SHARE" | "SHARE ROW EXCLUSIVE" | "EXCLUSIVE" | "ACCESS EXCLUSIVE" => true,
            _ => return self.wrong(),
        };
        Ok(Utility::Lock { tables, exclusive, nowait })
    }

    pub(super) fn alter_index(&mut self) -> Result<Utility> {
        self.next();
        self.next();
        let if_exists = self.if_exists()?;
        let name = self.relation()?;
        if !self.accept("RENAME") {
            return Err(Error::unsupported("ALTER INDEX other than RENAME TO"));
        }
        self.expect("TO")?;
        Ok(Utility::AlterIndexRename { name, if_exists, to: self.name()? })
    }
}
