//! Statements that the parser library does not know as PostgreSQL has them: COPY, SET, transactions, cursors, roles, …

use super::names::{RelationName, fold, relation};
use super::{Statement, is_word, near, syntax_error};
use base::{Error, Result, SqlState};
use sqlparser::ast;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use storage::access::{Isolation, LockMode};

#[derive(Clone, Debug)]
pub enum Utility {
    Begin(Modes),
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    /// `None`: to its default.
    Set {
        local: bool,
        name: String,
        value: Option<String>,
    },
    SetTransaction {
        session: bool,
        modes: Modes,
    },
    /// `None`: all.
    Reset(Option<String>),
    Show(String),
    Discard(Discard),
    Prepare {
        name: String,
        types: Vec<ast::DataType>,
        statement: Box<Statement>,
    },
    Execute {
        name: String,
        arguments: Vec<ast::Expr>,
    },
    /// `None`: all.
    Deallocate(Option<String>),
    Declare {
        name: String,
        hold: bool,
        scroll: bool,
        statement: Box<Statement>,
    },
    Fetch {
        name: String,
        fetch: Fetch,
        skip: bool,
    },
    /// `None`: all.
    CloseCursor(Option<String>),
    Copy(Box<Copy>),
    Explain {
        analyze: bool,
        statement: Box<Statement>,
    },
    Vacuum {
        analyze: bool,
    },
    Analyze,
    Checkpoint,
    Lock {
        tables: Vec<RelationName>,
        exclusive: bool,
        nowait: bool,
    },
    Comment,
    CreateRole {
        name: String,
        options: Vec<RoleOption>,
    },
    AlterRole {
        name: String,
        options: Vec<RoleOption>,
    },
    RenameRole {
        name: String,
        to: String,
    },
    DropRole {
        names: Vec<String>,
        if_exists: bool,
    },
    CreateSequence {
        name: RelationName,
        if_not_exists: bool,
        options: Vec<SequenceOption>,
    },
    AlterSequence {
        name: RelationName,
        if_exists: bool,
        options: Vec<SequenceOption>,
    },
    RenameSequence {
        name: RelationName,
        if_exists: bool,
        to: String,
    },
    AlterIndexRename {
        name: RelationName,
        if_exists: bool,
        to: String,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    pub isolation: Option<Isolation>,
    pub read_only: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    All,
    Plans,
    Sequences,
    Temporary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    Forward(u64),
    All,
    Unsupported(&'static str),
}

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyFormat {
    Text,
    Csv,
    Binary,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOptions {
    pub format: CopyFormat,
    pub delimiter: u8,
    pub null: String,
    pub header: bool,
    pub quote: u8,
    pub escape: u8,
    /// `None`: none; empty: all.
    pub force_quote: Option<Vec<String>>,
    pub force_not_null: Vec<String>,
    pub force_null: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleOption {
    Superuser(bool),
    Login(bool),
    CreateDatabase(bool),
    CreateRole(bool),
    /// `None`: no password.
    Password(Option<String>),
    /// Taken, without effect.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SequenceOption {
    Type(String),
    Increment(i64),
    /// `None`: NO MINVALUE.
    Min(Option<i64>),
    Max(Option<i64>),
    Start(i64),
    Restart(Option<i64>),
    Cache,
    Cycle(bool),
    /// `None`: OWNED BY NONE.
    OwnedBy(Option<(RelationName, String)>),
}

/// A thin reader over the library's parser, which speaks our errors.
struct Reader<'p, 's> {
    parser: &'p mut Parser<'static>,
    locks: &'s [(usize, LockMode)],
    sql: &'s str,
}

/// `None`: the library should parse it; the parser stands where it stood.
pub(super) fn parse(parser: &mut Parser<'static>, locks: &[(usize, LockMode)], sql: &str) -> Result<Option<Utility>> {
    let [first, second, third] = parser.peek_tokens_with_location();
    let second_is = |words: &[&str]| words.iter().any(|word| is_word(&second, word));
    let Token::Word(word) = &first.token else { return Ok(None) };
    let word = word.value.to_ascii_uppercase();
    let mut r = Reader { parser, locks, sql };
    Ok(Some(match word.as_str() {
        "BEGIN" | "START" => r.begin()?,
        "COMMIT" | "END" => r.commit()?,
        "ROLLBACK" | "ABORT" => r.rollback()?,
        "SAVEPOINT" => {
            r.next();
            Utility::Savepoint(r.name()?)
        }
        "RELEASE" => {
            r.next();
            r.accept("SAVEPOINT");
            Utility::Release(r.name()?)
        }
        "SET" => r.set()?,
        "RESET" => {
            r.next();
            let name = r.setting_name()?;
            Utility::Reset((name != "all").then_some(name))
        }
        "SHOW" => {
            r.next();
            Utility::Show(r.setting_name()?)
        }
        "DISCARD" => r.discard()?,
        "PREPARE" => r.prepare()?,
        "EXECUTE" => r.execute()?,
        "DEALLOCATE" => {
            r.next();
            r.accept("PREPARE");
            Utility::Deallocate(r.name_or_all()?)
        }
        "DECLARE" => r.declare()?,
        "FETCH" | "MOVE" => r.fetch(word == "MOVE")?,
        "CLOSE" => {
            r.next();
            Utility::CloseCursor(r.name_or_all()?)
        }
        "COPY" => r.copy()?,
        "EXPLAIN" => r.explain()?,
        "VACUUM" => r.vacuum()?,
        "ANALYZE" | "ANALYSE" => {
            r.skip_statement();
            Utility::Analyze
        }
        "CHECKPOINT" => {
            r.next();
            Utility::Checkpoint
        }
        "LOCK" => r.lock()?,
        "COMMENT" => {
            r.skip_statement();
            Utility::Comment
        }
        "CREATE" if second_is(&["ROLE", "USER", "GROUP"]) => r.create_role()?,
        "ALTER" if second_is(&["ROLE", "USER", "GROUP"]) => r.alter_role()?,
        "DROP" if second_is(&["ROLE", "USER", "GROUP"]) => r.drop_role()?,
        "CREATE" if second_is(&["SEQUENCE"]) || (second_is(&["TEMP", "TEMPORARY", "UNLOGGED"]) && is_word(&third, "SEQUENCE")) => {
            r.create_sequence()?
        }
        "ALTER" if second_is(&["SEQUENCE"]) => r.alter_sequence()?,
        "ALTER" if second_is(&["INDEX"]) => r.alter_index()?,
        "CREATE" | "ALTER" | "DROP" if second_is(&["DATABASE"]) => return Err(Error::unsupported(format!("{word} DATABASE"))),
        "LISTEN" | "NOTIFY" | "UNLISTEN" | "CLUSTER" | "REINDEX" | "SECURITY" | "REASSIGN" | "IMPORT" | "LOAD" | "DO" | "MERGE"
        | "CALL" => {
            return Err(Error::unsupported(word));
        }
        _ => return Ok(None),
    }))
}

impl Reader<'_, '_> {
    fn next(&mut self) -> TokenWithSpan {
        self.parser.next_token()
    }

    fn peek(&self, word: &str) -> bool {
        is_word(self.parser.peek_token_ref(), word)
    }

    fn accept(&mut self, word: &str) -> bool {
        let found = self.peek(word);
        if found {
            self.next();
        }
        found
    }

    fn accept_token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    fn wrong<T>(&self) -> Result<T> {
        Err(near(self.sql, self.parser.peek_token_ref()))
    }

    fn expect(&mut self, word: &str) -> Result<()> {
        if self.accept(word) { Ok(()) } else { self.wrong() }
    }

    fn expect_token(&mut self, token: &Token) -> Result<()> {
        if self.accept_token(token) { Ok(()) } else { self.wrong() }
    }

    fn at_end(&self) -> bool {
        matches!(self.parser.peek_token_ref().token, Token::SemiColon | Token::EOF)
    }

    fn skip_statement(&mut self) {
        while !self.at_end() {
            self.next();
        }
    }

    fn library<T>(&self, result: std::result::Result<T, sqlparser::parser::ParserError>) -> Result<T> {
        result.map_err(|error| syntax_error(self.sql, &error))
    }

    fn name(&mut self) -> Result<String> {
        if !matches!(self.parser.peek_token_ref().token, Token::Word(_)) {
            return self.wrong();
        }
        let ident = self.parser.parse_identifier();
        Ok(fold(&self.library(ident)?))
    }

    fn name_or_all(&mut self) -> Result<Option<String>> {
        if self.accept("ALL") { Ok(None) } else { self.name().map(Some) }
    }

    fn relation(&mut self) -> Result<RelationName> {
        let name = self.parser.parse_object_name(false);
        relation(&self.library(name)?)
    }

    fn names_in_parentheses(&mut self) -> Result<Vec<String>> {
        self.expect_token(&Token::LParen)?;
        let mut names = vec![self.name()?];
        while self.accept_token(&Token::Comma) {
            names.push(self.name()?);
        }
        self.expect_token(&Token::RParen)?;
        Ok(names)
    }

    fn text(&mut self) -> Result<String> {
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

    fn integer(&mut self) -> Result<i64> {
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

    fn statement(&mut self) -> Result<Statement> {
        super::one(self.parser, self.locks, self.sql)
    }

    fn begin(&mut self) -> Result<Utility> {
        if is_word(&self.next(), "START") {
            self.expect("TRANSACTION")?;
        } else if !self.accept("TRANSACTION") {
            self.accept("WORK");
        }
        Ok(Utility::Begin(self.modes()?))
    }

    fn modes(&mut self) -> Result<Modes> {
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

    fn commit(&mut self) -> Result<Utility> {
        self.next();
        if self.peek("PREPARED") {
            return Err(Error::unsupported("COMMIT PREPARED"));
        }
        Ok(Utility::Commit { chain: self.chain()? })
    }

    fn rollback(&mut self) -> Result<Utility> {
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

    /// A setting's name, folded, with PostgreSQL's spellings in several words.
    fn setting_name(&mut self) -> Result<String> {
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

    fn set(&mut self) -> Result<Utility> {
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

    fn discard(&mut self) -> Result<Utility> {
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

    fn prepare(&mut self) -> Result<Utility> {
        self.next();
        if self.peek("TRANSACTION") {
            return Err(Error::unsupported("PREPARE TRANSACTION"));
        }
        let name = self.name()?;
        let mut types = Vec::new();
        if self.accept_token(&Token::LParen) {
            loop {
                let data_type = self.parser.parse_data_type();
                types.push(self.library(data_type)?);
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

    fn execute(&mut self) -> Result<Utility> {
        self.next();
        let name = self.name()?;
        let mut arguments = Vec::new();
        if self.accept_token(&Token::LParen) && !self.accept_token(&Token::RParen) {
            loop {
                let argument = self.parser.parse_expr();
                arguments.push(self.library(argument)?);
                if !self.accept_token(&Token::Comma) {
                    break;
                }
            }
            self.expect_token(&Token::RParen)?;
        }
        Ok(Utility::Execute { name, arguments })
    }

    fn declare(&mut self) -> Result<Utility> {
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

    fn fetch(&mut self, skip: bool) -> Result<Utility> {
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

    fn copy(&mut self) -> Result<Utility> {
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

    fn switch(&mut self) -> Result<bool> {
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

    fn explain(&mut self) -> Result<Utility> {
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

    fn vacuum(&mut self) -> Result<Utility> {
        let mut analyze = false;
        while !self.at_end() {
            analyze |= self.peek("ANALYZE");
            self.next();
        }
        Ok(Utility::Vacuum { analyze })
    }

    fn lock(&mut self) -> Result<Utility> {
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

    fn create_role(&mut self) -> Result<Utility> {
        self.next();
        let user = is_word(&self.next(), "USER");
        let name = self.name()?;
        let mut options = vec![RoleOption::Login(user)];
        options.extend(self.role_options()?);
        Ok(Utility::CreateRole { name, options })
    }

    fn role_options(&mut self) -> Result<Vec<RoleOption>> {
        self.accept("WITH");
        let mut options = Vec::new();
        while !self.at_end() {
            let option = self.name()?;
            options.push(match option.as_str() {
                "superuser" => RoleOption::Superuser(true),
                "nosuperuser" => RoleOption::Superuser(false),
                "login" => RoleOption::Login(true),
                "nologin" => RoleOption::Login(false),
                "createdb" => RoleOption::CreateDatabase(true),
                "nocreatedb" => RoleOption::CreateDatabase(false),
                "createrole" => RoleOption::CreateRole(true),
                "nocreaterole" => RoleOption::CreateRole(false),
                "encrypted" => continue,
                "password" if self.accept("NULL") => RoleOption::Password(None),
                "password" => RoleOption::Password(Some(self.text()?)),
                "inherit" | "noinherit" | "replication" | "noreplication" | "bypassrls" | "nobypassrls" => RoleOption::Other,
                "connection" => {
                    self.expect("LIMIT")?;
                    if self.integer()? != -1 {
                        return Err(Error::unsupported("CONNECTION LIMIT"));
                    }
                    RoleOption::Other
                }
                "valid" => return Err(Error::unsupported("VALID UNTIL")),
                "in" | "role" | "admin" | "user" => return Err(Error::unsupported("membership in roles")),
                other => {
                    return Err(Error::new(SqlState::SYNTAX_ERROR, format!("unrecognized role option \"{other}\"")));
                }
            });
        }
        Ok(options)
    }

    fn alter_role(&mut self) -> Result<Utility> {
        self.next();
        self.next();
        let name = self.name()?;
        if self.accept("RENAME") {
            self.expect("TO")?;
            return Ok(Utility::RenameRole { name, to: self.name()? });
        }
        if self.peek("SET") || self.peek("RESET") || self.peek("IN") {
            return Err(Error::unsupported("ALTER ROLE … SET"));
        }
        Ok(Utility::AlterRole { name, options: self.role_options()? })
    }

    fn drop_role(&mut self) -> Result<Utility> {
        self.next();
        self.next();
        let if_exists = self.if_exists()?;
        let mut names = vec![self.name()?];
        while self.accept_token(&Token::Comma) {
            names.push(self.name()?);
        }
        Ok(Utility::DropRole { names, if_exists })
    }

    fn if_exists(&mut self) -> Result<bool> {
        if !self.accept("IF") {
            return Ok(false);
        }
        self.expect("EXISTS")?;
        Ok(true)
    }

    fn create_sequence(&mut self) -> Result<Utility> {
        self.next();
        if self.peek("TEMP") || self.peek("TEMPORARY") {
            return Err(Error::unsupported("a temporary sequence"));
        }
        self.accept("UNLOGGED");
        self.expect("SEQUENCE")?;
        let if_not_exists = self.accept("IF");
        if if_not_exists {
            self.expect("NOT")?;
            self.expect("EXISTS")?;
        }
        let name = self.relation()?;
        Ok(Utility::CreateSequence { name, if_not_exists, options: self.sequence_options()? })
    }

    fn alter_sequence(&mut self) -> Result<Utility> {
        self.next();
        self.next();
        let if_exists = self.if_exists()?;
        let name = self.relation()?;
        if self.accept("RENAME") {
            self.expect("TO")?;
            return Ok(Utility::RenameSequence { name, if_exists, to: self.name()? });
        }
        Ok(Utility::AlterSequence { name, if_exists, options: self.sequence_options()? })
    }

    fn alter_index(&mut self) -> Result<Utility> {
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

    pub(super) fn sequence_options(&mut self) -> Result<Vec<SequenceOption>> {
        let mut options = Vec::new();
        while !self.at_end() {
            options.push(if self.accept("AS") {
                SequenceOption::Type(self.name()?)
            } else if self.accept("INCREMENT") {
                self.accept("BY");
                SequenceOption::Increment(self.integer()?)
            } else if self.accept("MINVALUE") {
                SequenceOption::Min(Some(self.integer()?))
            } else if self.accept("MAXVALUE") {
                SequenceOption::Max(Some(self.integer()?))
            } else if self.accept("NO") {
                match self.name()?.as_str() {
                    "minvalue" => SequenceOption::Min(None),
                    "maxvalue" => SequenceOption::Max(None),
                    "cycle" => SequenceOption::Cycle(false),
                    _ => return self.wrong(),
                }
            } else if self.accept("START") {
                self.accept("WITH");
                SequenceOption::Start(self.integer()?)
            } else if self.accept("RESTART") {
                self.accept("WITH");
                let value = if self.at_end() { None } else { Some(self.integer()?) };
                SequenceOption::Restart(value)
            } else if self.accept("CACHE") {
                self.integer()?;
                SequenceOption::Cache
            } else if self.accept("CYCLE") {
                SequenceOption::Cycle(true)
            } else if self.accept("OWNED") {
                self.expect("BY")?;
                SequenceOption::OwnedBy(self.owner_column()?)
            } else {
                return self.wrong();
            });
        }
        Ok(options)
    }

    fn owner_column(&mut self) -> Result<Option<(RelationName, String)>> {
        if self.accept("NONE") {
            return Ok(None);
        }
        let name = self.parser.parse_object_name(false);
        let mut parts = super::names::parts(&self.library(name)?)?;
        let (Some(column), Some(name)) = (parts.pop(), parts.pop()) else { return self.wrong() };
        Ok(Some((RelationName { schema: parts.pop(), name }, column)))
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
        Ok(CopyOptions {
            format,
            delimiter,
            null: self.null.unwrap_or_else(|| if csv { String::new() } else { "\\N".to_owned() }),
            header: self.header,
            quote,
            escape: byte("escape", self.escape, quote)?,
            force_quote: self.force_quote,
            force_not_null: self.force_not_null,
            force_null: self.force_null,
        })
    }
}
