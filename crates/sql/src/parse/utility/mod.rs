//! Statements that the parser library does not know as PostgreSQL has them: COPY, SET, transactions, cursors, roles, …

mod copy;
mod maintenance;
mod prepared;
mod reader;
mod roles;
mod sequences;
mod settings;
mod transactions;

pub use copy::{Copy, CopyOptions, CopySource};
pub use prepared::Fetch;
pub use roles::RoleOption;
pub use sequences::SequenceOption;
pub use settings::Discard;
pub use transactions::Modes;

use super::names::RelationName;
use super::{Statement, is_word};
use base::{Error, Result};
use reader::Reader;
use sqlparser::ast;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use storage::access::LockMode;

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

/// `None`: the library should parse it; the parser stands where it stood.
pub(super) fn parse(parser: &mut Parser<'_>, locks: &[(usize, LockMode)], sql: &str) -> Result<Option<Utility>> {
    let [first, second, third] = parser.peek_tokens_with_location();
    let Token::Word(word) = &first.token else { return Ok(None) };
    let word = word.value.to_ascii_uppercase();
    let mut reader = Reader { parser, locks, sql };
    match word.as_str() {
        "CREATE" | "ALTER" | "DROP" => reader.definition(&word, &second, &third),
        "LISTEN" | "NOTIFY" | "UNLISTEN" | "CLUSTER" | "REINDEX" | "SECURITY" | "REASSIGN" | "IMPORT" | "LOAD" | "DO" | "MERGE"
        | "CALL" => Err(Error::unsupported(word)),
        _ => match reader.of_session(&word)? {
            Some(utility) => Ok(Some(utility)),
            None => reader.maintenance(&word),
        },
    }
}

impl Reader<'_, '_, '_> {
    /// Transactions, settings, prepared statements and cursors.
    fn of_session(&mut self, word: &str) -> Result<Option<Utility>> {
        Ok(Some(match word {
            "BEGIN" | "START" => self.begin()?,
            "COMMIT" | "END" => self.commit()?,
            "ROLLBACK" | "ABORT" => self.rollback()?,
            "SAVEPOINT" => {
                self.next();
                Utility::Savepoint(self.name()?)
            }
            "RELEASE" => {
                self.next();
                self.accept("SAVEPOINT");
                Utility::Release(self.name()?)
            }
            "SET" => self.set()?,
            "RESET" => {
                self.next();
                let name = self.setting_name()?;
                Utility::Reset((name != "all").then_some(name))
            }
            "SHOW" => {
                self.next();
                Utility::Show(self.setting_name()?)
            }
            "DISCARD" => self.discard()?,
            "PREPARE" => self.prepare()?,
            "EXECUTE" => self.execute()?,
            "DEALLOCATE" => {
                self.next();
                self.accept("PREPARE");
                Utility::Deallocate(self.name_or_all()?)
            }
            "DECLARE" => self.declare()?,
            "FETCH" | "MOVE" => self.fetch(word == "MOVE")?,
            "CLOSE" => {
                self.next();
                Utility::CloseCursor(self.name_or_all()?)
            }
            _ => return Ok(None),
        }))
    }

    fn maintenance(&mut self, word: &str) -> Result<Option<Utility>> {
        Ok(Some(match word {
            "COPY" => self.copy()?,
            "EXPLAIN" => self.explain()?,
            "VACUUM" => self.vacuum()?,
            "ANALYZE" | "ANALYSE" => {
                self.skip_statement();
                Utility::Analyze
            }
            "CHECKPOINT" => {
                self.next();
                Utility::Checkpoint
            }
            "LOCK" => self.lock()?,
            "COMMENT" => {
                self.skip_statement();
                Utility::Comment
            }
            _ => return Ok(None),
        }))
    }

    /// Of roles, sequences and indexes; tables are the library's.
    fn definition(&mut self, word: &str, second: &TokenWithSpan, third: &TokenWithSpan) -> Result<Option<Utility>> {
        let second_is = |words: &[&str]| words.iter().any(|word| is_word(second, word));
        let role = second_is(&["ROLE", "USER", "GROUP"]);
        let sequence = second_is(&["SEQUENCE"]);
        let unusual_sequence = second_is(&["TEMP", "TEMPORARY", "UNLOGGED"]) && is_word(third, "SEQUENCE");
        Ok(Some(match word {
            "CREATE" if role => self.create_role()?,
            "ALTER" if role => self.alter_role()?,
            "DROP" if role => self.drop_role()?,
            "CREATE" if sequence || unusual_sequence => self.create_sequence()?,
            "ALTER" if sequence => self.alter_sequence()?,
            "ALTER" if second_is(&["INDEX"]) => self.alter_index()?,
            _ if second_is(&["DATABASE"]) => return Err(Error::unsupported(format!("{word} DATABASE"))),
            _ => return Ok(None),
        }))
    }
}
