//! `BEGIN`, `COMMIT`, `ROLLBACK` and their modes.

use super::Utility;
use super::reader::Reader;
use crate::parse::is_word;
use base::{Error, Result};
use sqlparser::tokenizer::Token;
use storage::access::Isolation;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    pub isolation: Option<Isolation>,
    pub read_only: Option<bool>,
}

impl Reader<'_, '_, '_> {
    pub(super) fn begin(&mut self) -> Result<Utility> {
        if is_word(&self.next(), "START") {
            self.expect("TRANSACTION")?;
        } else if !self.accept("TRANSACTION") {
            self.accept("WORK");
        }
        Ok(Utility::Begin(self.modes()?))
    }

    pub(super) fn modes(&mut self) -> Result<Modes> {
        let mut modes = Modes::default();
        while !self.at_end() {
            if self.accept("ISOLATION") {
                self.expect("LEVEL")?;
                modes.isolation = Some(self.isolation()?);
            } else if self.accept("READ") {
                let only = self.accept("ONLY");
                if !only {
                    self.expect("WRITE")?;
                }
                modes.read_only = Some(only);
            } else if self.accept("NOT") {
                self.expect("DEFERRABLE")?;
            } else if !self.accept("DEFERRABLE") {
                return self.wrong();
            }
            self.accept_token(&Token::Comma);
        }
        Ok(modes)
    }

    fn isolation(&mut self) -> Result<Isolation> {
        if self.accept("SERIALIZABLE") {
            return Ok(Isolation::Serializable);
        }
        if self.accept("REPEATABLE") {
            self.expect("READ")?;
            return Ok(Isolation::RepeatableRead);
        }
        self.expect("READ")?;
        if !self.accept("UNCOMMITTED") {
            self.expect("COMMITTED")?;
        }
        Ok(Isolation::ReadCommitted)
    }

    fn chain(&mut self) -> Result<bool> {
        if !self.accept("TRANSACTION") {
            self.accept("WORK");
        }
        if !self.accept("AND") {
            return Ok(false);
        }
        let no = self.accept("NO");
        self.expect("CHAIN")?;
        Ok(!no)
    }

    pub(super) fn commit(&mut self) -> Result<Utility> {
        self.next();
        if self.peek("PREPARED") {
            return Err(Error::unsupported("COMMIT PREPARED"));
        }
        Ok(Utility::Commit { chain: self.chain()? })
    }

    pub(super) fn rollback(&mut self) -> Result<Utility> {
        self.next();
        if self.peek("PREPARED") {
            return Err(Error::unsupported("ROLLBACK PREPARED"));
        }
        let chain = self.chain()?;
        if self.accept("TO") {
            self.accept("SAVEPOINT");
            return Ok(Utility::RollbackTo(self.name()?));
        }
        Ok(Utility::Rollback { chain })
    }
}
