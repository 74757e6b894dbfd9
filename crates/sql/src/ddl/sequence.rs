//! Sequences: CREATE, ALTER, DROP.

use crate::catalog::{Sequence, store};
use crate::client::Severity;
use crate::exec::sequence::state_key;
use crate::parse::names::RelationName;
use crate::parse::utility::SequenceOption;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::types::Type;
use base::{Error, Result, SqlState};
use sqlparser::ast;
use std::sync::Arc;

pub fn new_sequence(oid: u32, schema: &str, name: &str, ty: Type) -> Sequence {
    let max = match ty {
        Type::Int2 => i64::from(i16::MAX),
        Type::Int4 => i64::from(i32::MAX),
        _ => i64::MAX,
    };
    Sequence { oid, schema: schema.to_owned(), name: name.to_owned(), start: 1, increment: 1, min: 1, max, cycle: false, owned_by: None }
}

fn invalid(message: String) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// Applies options but for RESTART and OWNED BY, which are not part of the descriptor alone.
pub fn apply(sequence: &mut Sequence, options: &[SequenceOption]) -> Result<()> {
    let (mut min, mut max, mut start, mut ty_max) = (None, None, None, None);
    for option in options {
        match option {
            SequenceOption::Type(name) => {
                let ty = Type::from_name(name).filter(|ty| ty.is_integer());
                let ty = ty.ok_or_else(|| invalid("sequence type must be smallint, integer, or bigint".into()))?;
                ty_max = Some(new_sequence(0, "", "", ty).max);
            }
            SequenceOption::Increment(0) => return Err(invalid("INCREMENT must not be zero".into())),
            SequenceOption::Increment(by) => sequence.increment = *by,
            SequenceOption::Min(value) => min = Some(*value),
            SequenceOption::Max(value) => max = Some(*value),
            SequenceOption::Start(value) => start = Some(*value),
            SequenceOption::Cycle(cycle) => sequence.cycle = *cycle,
            SequenceOption::Cache | SequenceOption::Restart(_) | SequenceOption::OwnedBy(_) => {}
        }
    }
    let ascends = sequence.increment > 0;
    let widest = ty_max.unwrap_or(i64::MAX);
    if let Some(ty_max) = ty_max {
        sequence.max = if ascends { ty_max } else { -1 };
    }
    if !ascends && min.is_none() && sequence.min == 1 {
        (sequence.min, sequence.max) = (-widest - 1, -1);
        sequence.start = -1;
    }
    if let Some(min) = min {
        sequence.min = min.unwrap_or(if ascends { 1 } else { -widest - 1 });
        if start.is_none() && ascends {
            sequence.start = sequence.start.max(sequence.min);
        }
    }
    if let Some(max) = max {
        sequence.max = max.unwrap_or(if ascends { widest } else { -1 });
        if start.is_none() && !ascends {
            sequence.start = sequence.start.min(sequence.max);
        }
    }
    if let Some(start) = start {
        sequence.start = start;
    }
    check(sequence)
}

fn check(sequence: &Sequence) -> Result<()> {
    let Sequence { min, max, start, .. } = *sequence;
    if min >= max {
        return Err(invalid(format!("MINVALUE ({min}) must be less than MAXVALUE ({max})")));
    }
    if start < min {
        return Err(invalid(format!("START value ({start}) cannot be less than MINVALUE ({min})")));
    }
    if start > max {
        return Err(invalid(format!("START value ({start}) cannot be greater than MAXVALUE ({max})")));
    }
    Ok(())
}

/// Options of an identity column, as the library parses them.
pub fn options_of(options: &[ast::SequenceOptions]) -> Result<Vec<SequenceOption>> {
    let number = |expr: &ast::Expr| -> Result<i64> {
        expr.to_string().replace(' ', "").parse().map_err(|_| invalid(format!("{expr} is no number for a sequence")))
    };
    options
        .iter()
        .map(|option| {
            Ok(match option {
                ast::SequenceOptions::IncrementBy(by, _) => SequenceOption::Increment(number(by)?),
                ast::SequenceOptions::MinValue(value) => SequenceOption::Min(value.as_ref().map(number).transpose()?),
                ast::SequenceOptions::MaxValue(value) => SequenceOption::Max(value.as_ref().map(number).transpose()?),
                ast::SequenceOptions::StartWith(value, _) => SequenceOption::Start(number(value)?),
                ast::SequenceOptions::Cache(_) => SequenceOption::Cache,
                // The library says whether NO stood before CYCLE.
                ast::SequenceOptions::Cycle(no) => SequenceOption::Cycle(!no),
            })
        })
        .collect()
}

impl Session {
    pub(crate) async fn create_sequence(&mut self, name: &RelationName, if_not_exists: bool, options: &[SequenceOption]) -> Exec<()> {
        self.begin_change().await?;
        let path = self.settings.parsed().search_path.clone();
        let schema = self.catalog().schema_for_creation(name, &path)?;
        if !self.check_free(&schema, &name.name, if_not_exists)? {
            return Ok(());
        }
        let oid = self.new_oid();
        let mut sequence = new_sequence(oid, &schema, &name.name, Type::Int8);
        apply(&mut sequence, options)?;
        self.apply_owner(&mut sequence, options)?;
        self.put_sequence(sequence)?;
        Ok(())
    }

    fn apply_owner(&mut self, sequence: &mut Sequence, options: &[SequenceOption]) -> Result<()> {
        let path = self.settings.parsed().search_path.clone();
        for option in options {
            match option {
                SequenceOption::OwnedBy(None) => sequence.owned_by = None,
                SequenceOption::OwnedBy(Some((name, column))) => {
                    let table = self.catalog().table(name, &path)?;
                    sequence.owned_by = Some((table.oid, table.column_of(column)?));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(crate) async fn alter_sequence(&mut self, name: &RelationName, if_exists: bool, options: &[SequenceOption]) -> Exec<()> {
        self.begin_change().await?;
        let path = self.settings.parsed().search_path.clone();
        let found = match self.catalog().sequence(name, &path) {
            Err(error) if if_exists && error.state() == SqlState::UNDEFINED_TABLE => {
                self.skip_notice(name);
                return Ok(());
            }
            found => found?,
        };
        let mut sequence = (*found).clone();
        apply(&mut sequence, options)?;
        self.apply_owner(&mut sequence, options)?;
        let sequence = self.put_sequence(sequence)?;
        for option in options {
            if let SequenceOption::Restart(value) = option {
                self.set_sequence(sequence.oid, value.unwrap_or(sequence.start), false).await?;
            }
        }
        self.drawn.remove(&sequence.oid);
        Ok(())
    }

    pub(super) async fn drop_sequence(&mut self, name: &RelationName, if_exists: bool, cascade: bool) -> Exec<()> {
        let path = self.settings.parsed().search_path.clone();
        let sequence = match self.catalog().sequence(name, &path) {
            Err(error) if if_exists && error.state() == SqlState::UNDEFINED_TABLE => {
                let message = format!("sequence \"{}\" does not exist, skipping", name.name);
                self.notice(Severity::Notice, Error::new(SqlState::SUCCESSFUL, message));
                return Ok(());
            }
            found => found?,
        };
        super::check_not_system(&sequence.schema)?;
        if let Some((oid, column)) = sequence.owned_by
            && let Some(table) = self.catalog().tables.get(&oid).cloned()
        {
            if !cascade || table.columns[column].identity.is_some() {
                let message = format!("cannot drop sequence {} because other objects depend on it", sequence.name);
                let detail = format!("default value for column {} of table {} depends on it", table.columns[column].name, table.name);
                return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message).with_detail(detail).into());
            }
            let mut table = (*table).clone();
            table.columns[column].default = None;
            self.put_table(table)?;
        }
        self.forget_sequence(&sequence);
        Ok(())
    }

    pub(super) fn forget_sequence(&mut self, sequence: &Arc<Sequence>) {
        self.put_descriptor(store::sequence_key(sequence.oid), None);
        self.put_descriptor(state_key(sequence.oid), None);
        self.drawn.remove(&sequence.oid);
        let oid = sequence.oid;
        self.edit_catalog(|catalog| drop(catalog.remove_sequence(oid)));
    }
}
