//! Prepared statements and cursors.

use super::Utility;
use super::reader::Reader;
use base::{Error, Result};
use sqlparser::tokenizer::Token;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    Forward(u64),
    All,
    Unsupported(&'static str),
}

impl Reader<'_, '_, '_> {
    pub(super) fn prepare(&mut self) -> Result<Utility> {
        self.next();
        if self.peek("TRANSACTION") {
            return Err(Error::unsupported("PREPARE TRANSACTION"));
        }
        let name = self.name()?;
        let mut types = Vec::new();
        if self.accept_token(&Token::LParen) {
            loop {
                let data_type = self.parser.parse_data_type();
                types.push(self.in_our_errors(data_type)?);
                if !self.accept_token(&Token::Comma) {
                    break;
                }
            }
            self.expect_token(&Token::RParen)?;
        }
        self.expect("AS")?;
        let statement = Box::new(self.statement()?);
        Ok(Utility::Prepare { name, types, statement })
    }

    pub(super) fn execute(&mut self) -> Result<Utility> {
        self.next();
        let name = self.name()?;
        let mut arguments = Vec::new();
        if self.accept_token(&Token::LParen) && !self.accept_token(&Token::RParen) {
            loop {
                let argument = self.parser.parse_expr();
                arguments.push(self.in_our_errors(argument)?);
                if !self.accept_token(&Token::Comma) {
                    break;
                }
            }
            self.expect_token(&Token::RParen)?;
        }
        Ok(Utility::Execute { name, arguments })
    }

    pub(super) fn declare(&mut self) -> Result<Utility> {
        self.next();
        let name = self.name()?;
        let (mut scroll, mut hold) = (false, false);
        loop {
            if self.accept("NO") {
                self.expect("SCROLL")?;
            } else if self.accept("SCROLL") {
                scroll = true;
            } else if self.accept("BINARY") {
                return Err(Error::unsupported("a BINARY cursor"));
            } else if !(self.accept("INSENSITIVE") || self.accept("ASENSITIVE")) {
                break;
            }
        }
        self.expect("CURSOR")?;
        if self.accept("WITH") {
            self.expect("HOLD")?;
            hold = true;
        } else if self.accept("WITHOUT") {
            self.expect("HOLD")?;
        }
        self.expect("FOR")?;
        let statement = Box::new(self.statement()?);
        Ok(Utility::Declare { name, hold, scroll, statement })
    }

    pub(super) fn fetch(&mut self, skip: bool) -> Result<Utility> {
        self.next();
        let fetch = if self.accept("NEXT") {
            Fetch::Forward(1)
        } else if self.accept("ALL") {
            Fetch::All
        } else if self.accept("FORWARD") {
            match self.parser.peek_token().token {
                Token::Number(..) => Fetch::Forward(self.integer()? as u64),
                _ if self.accept("ALL") => Fetch::All,
                _ => Fetch::Forward(1),
            }
        } else if matches!(self.parser.peek_token().token, Token::Number(..)) {
            Fetch::Forward(self.integer()? as u64)
        } else if ["PRIOR", "FIRST", "LAST", "ABSOLUTE", "RELATIVE", "BACKWARD"].iter().any(|w| self.peek(w)) {
            Fetch::Unsupported("moving a cursor other than forward")
        } else {
            Fetch::Forward(1)
        };
        if let Fetch::Unsupported(what) = fetch {
            return Err(Error::unsupported(what));
        }
        if !self.accept("FROM") {
            self.accept("IN");
        }
        Ok(Utility::Fetch { name: self.name()?, fetch, skip })
    }
}
