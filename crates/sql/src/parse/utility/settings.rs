//! `SET`, `RESET`, `SHOW` and `DISCARD`.

use super::Utility;
use super::reader::Reader;
use base::{Error, Result};
use sqlparser::tokenizer::Token;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    All,
    Plans,
    Sequences,
    Temporary,
}

impl Reader<'_, '_, '_> {
    /// A setting's name, folded, with PostgreSQL's spellings in several words.
    pub(super) fn setting_name(&mut self) -> Result<String> {
        if self.peek("TIME") {
            self.next();
            self.expect("ZONE")?;
            return Ok("timezone".into());
        }
        if self.peek("TRANSACTION") {
            self.next();
            self.expect("ISOLATION")?;
            self.expect("LEVEL")?;
            return Ok("transaction_isolation".into());
        }
        if self.peek("SESSION") {
            self.next();
            self.expect("AUTHORIZATION")?;
            return Ok("session_authorization".into());
        }
        let mut name = self.name()?;
        while self.accept_token(&Token::Period) {
            name.push('.');
            name.push_str(&self.name()?);
        }
        Ok(name.to_lowercase())
    }

    pub(super) fn set(&mut self) -> Result<Utility> {
        self.next();
        if self.peek("CONSTRAINTS") {
            self.skip_statement();
            return Err(Error::unsupported("SET CONSTRAINTS"));
        }
        let local = self.accept("LOCAL");
        let session = !local && self.accept("SESSION");
        if session && self.accept("CHARACTERISTICS") {
            self.expect("AS")?;
            self.expect("TRANSACTION")?;
            return Ok(Utility::SetTransaction { session: true, modes: self.modes()? });
        }
        if session && self.accept("AUTHORIZATION") {
            let value = self.setting_value()?;
            return Ok(Utility::Set { local, name: "session_authorization".into(), value });
        }
        if !session && self.accept("TRANSACTION") {
            if self.peek("SNAPSHOT") {
                return Err(Error::unsupported("SET TRANSACTION SNAPSHOT"));
            }
            return Ok(Utility::SetTransaction { session: false, modes: self.modes()? });
        }
        let (name, spelled) = if self.accept("TIME") {
            self.expect("ZONE")?;
            ("timezone".to_owned(), true)
        } else if self.accept("NAMES") {
            ("client_encoding".to_owned(), true)
        } else if self.accept("ROLE") {
            ("role".to_owned(), !self.peek("TO"))
        } else if self.accept("SCHEMA") {
            ("search_path".to_owned(), true)
        } else {
            (self.setting_name()?, false)
        };
        if !spelled && !self.accept_token(&Token::Eq) {
            self.expect("TO")?;
        }
        let value = self.setting_value()?;
        Ok(Utility::Set { local, name, value })
    }

    /// A list is joined by `, `; `None` is DEFAULT.
    fn setting_value(&mut self) -> Result<Option<String>> {
        if self.accept("DEFAULT") {
            return Ok(None);
        }
        let mut values = Vec::new();
        loop {
            if self.accept("LOCAL") {
                return Ok(None);
            }
            let negative = self.accept_token(&Token::Minus);
            let token = self.parser.peek_token();
            let value = match token.token {
                Token::Word(word) if word.quote_style.is_some() => word.value,
                Token::Word(word) => word.value.to_lowercase(),
                Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => text,
                Token::Number(number, _) => number,
                _ => return self.wrong(),
            };
            self.next();
            if value == "interval" {
                // SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE
                let offset = self.text()?;
                self.skip_statement();
                return Ok(Some(offset));
            }
            values.push(if negative { format!("-{value}") } else { value });
            if !self.accept_token(&Token::Comma) {
                return Ok(Some(values.join(", ")));
            }
        }
    }

    pub(super) fn discard(&mut self) -> Result<Utility> {
        self.next();
        let what = if self.accept("ALL") {
            Discard::All
        } else if self.accept("PLANS") {
            Discard::Plans
        } else if self.accept("SEQUENCES") {
            Discard::Sequences
        } else if self.accept("TEMP") || self.accept("TEMPORARY") {
            Discard::Temporary
        } else {
            return self.wrong();
        };
        Ok(Utility::Discard(what))
    }
}
