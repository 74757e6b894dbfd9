//! Sequences and their options.

use super::Utility;
use super::reader::Reader;
use crate::parse::names::{RelationName, parts};
use base::{Error, Result};

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

impl Reader<'_, '_, '_> {
    pub(super) fn create_sequence(&mut self) -> Result<Utility> {
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

    pub(super) fn alter_sequence(&mut self) -> Result<Utility> {
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

    fn sequence_options(&mut self) -> Result<Vec<SequenceOption>> {
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
        let mut path = parts(&self.in_our_errors(name)?)?;
        let (Some(column), Some(name)) = (path.pop(), path.pop()) else { return self.wrong() };
        Ok(Some((RelationName { schema: path.pop(), name }, column)))
    }
}
