//! A thin reader over the library's parser, which speaks our errors.

use crate::parse::names::{RelationName, fold, relation};
use crate::parse::{Statement, is_word, near, syntax_error};
use base::Result;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};
use storage::access::LockMode;

pub(super) struct Reader<'p, 'd, 's> {
    pub(super) parser: &'p mut Parser<'d>,
    pub(super) locks: &'s [(usize, LockMode)],
    pub(super) sql: &'s str,
}

impl Reader<'_, '_, '_> {
    pub(super) fn next(&mut self) -> TokenWithSpan {
        self.parser.next_token()
    }

    pub(super) fn peek(&self, word: &str) -> bool {
        is_word(self.parser.peek_token_ref(), word)
    }

    pub(super) fn accept(&mut self, word: &str) -> bool {
        let found = self.peek(word);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn accept_token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    pub(super) fn wrong<T>(&self) -> Result<T> {
        Err(near(self.sql, self.parser.peek_token_ref()))
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<()> {
        if self.accept(word) { Ok(()) } else { self.wrong() }
    }

    pub(super) fn expect_token(&mut self, token: &Token) -> Result<()> {
        if self.accept_token(token) { Ok(()) } else { self.wrong() }
    }

    pub(super) fn at_end(&self) -> bool {
        matches!(self.parser.peek_token_ref().token, Token::SemiColon | Token::EOF)
    }

    pub(super) fn skip_statement(&mut self) {
        while !self.at_end() {
            self.next();
        }
    }

    pub(super) fn in_our_errors<T>(&self, result: std::result::Result<T, ParserError>) -> Result<T> {
        result.map_err(|error| syntax_error(self.sql, &error))
    }

    pub(super) fn name(&mut self) -> Result<String> {
        if !matches!(self.parser.peek_token_ref().token, Token::Word(_)) {
            return self.wrong();
        }
        let ident = self.parser.parse_identifier();
        Ok(fold(&self.in_our_errors(ident)?))
    }

    pub(super) fn name_or_all(&mut self) -> Result<Option<String>> {
        if self.accept("ALL") { Ok(None) } else { self.name().map(Some) }
    }

    pub(super) fn relation(&mut self) -> Result<RelationName> {
        let name = self.parser.parse_object_name(false);
        relation(&self.in_our_errors(name)?)
    }

    pub(super) fn names_in_parentheses(&mut self) -> Result<Vec<String>> {
        self.expect_token(&Token::LParen)?;
        let mut names = vec![self.name()?];
        while self.accept_token(&Token::Comma) {
            names.push(self.name()?);
        }
        self.expect_token(&Token::RParen)?;
        Ok(names)
    }

    pub(super) fn text(&mut self) -> Result<String> {
        match self.parser.peek_token().token {
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => {
                self.next();
                Ok(text)
            }
            Token::DollarQuotedString(text) => {
                self.next();
                Ok(text.value)
            }
            _ => self.wrong(),
        }
    }

    pub(super) fn integer(&mut self) -> Result<i64> {
        let negative = self.accept_token(&Token::Minus);
        if !negative {
            self.accept_token(&Token::Plus);
        }
        let Token::Number(digits, _) = self.parser.peek_token().token else { return self.wrong() };
        let text = if negative { format!("-{digits}") } else { digits };
        let Ok(number) = text.parse() else { return self.wrong() };
        self.next();
        Ok(number)
    }

    pub(super) fn switch(&mut self) -> Result<bool> {
        if self.accept("TRUE") || self.accept("ON") {
            return Ok(true);
        }
        if self.accept("FALSE") || self.accept("OFF") {
            return Ok(false);
        }
        match self.parser.peek_token().token {
            Token::Number(..) => Ok(self.integer()? != 0),
            Token::SingleQuotedString(_) => Ok(!matches!(self.text()?.as_str(), "false" | "off" | "0")),
            _ => Ok(true),
        }
    }

    pub(super) fn if_exists(&mut self) -> Result<bool> {
        if !self.accept("IF") {
            return Ok(false);
        }
        self.expect("EXISTS")?;
        Ok(true)
    }

    pub(super) fn statement(&mut self) -> Result<Statement> {
        crate::parse::one(self.parser, self.locks, self.sql)
    }
}
