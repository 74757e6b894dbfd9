//! Sequences: numbers are drawn from their shard, a few ahead where a statement draws many.

use super::Run;
use crate::catalog::Sequence;
use crate::expr::{SequenceCall, SequenceFunction};
use crate::parse::names::{RelationName, relation_from_text};
use crate::session::Session;
use crate::session::txn::{Exec, unexpected};
use crate::value::Value;
use base::{Error, Result, SlotId, SqlState};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use storage::access::{Key, Request, Response, SEQUENCE_KEY_PREFIX};

/// Most numbers that a session draws ahead. What it does not use is lost when it ends, as with PostgreSQL's CACHE.
const DRAWN_AHEAD_MAX: u32 = 1_000;

/// What a session knows of a sequence.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drawn {
    /// The number it got last.
    pub last: Option<i64>,
    next: i64,
    left: u32,
    increment: i64,
    /// How many to draw the next time within this statement.
    count: u32,
    /// The statement that drew last.
    statement: u64,
}

pub fn state_key(oid: u32) -> Key {
    let mut key = SEQUENCE_KEY_PREFIX.to_vec();
    key.extend_from_slice(&oid.to_be_bytes());
    Bytes::from(key)
}

impl Session {
    pub(crate) async fn draw_all(&mut self, calls: &[SequenceCall], run: &mut Run) -> Exec<Vec<Value>> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        self.draw(calls, &(0..calls.len()).collect(), run).await
    }

    /// Results of the calls in `used`, NULL for the others.
    pub(crate) async fn draw(&mut self, calls: &[SequenceCall], used: &BTreeSet<usize>, run: &mut Run) -> Exec<Vec<Value>> {
        let mut values = vec![Value::Null; calls.len()];
        for at in used {
            let call = &calls[*at];
            values[*at] = Value::Int8(match call.function {
                SequenceFunction::NextVal => self.next_value(&call.name).await?,
                SequenceFunction::CurrVal => self.current_value(&call.name).await?,
                SequenceFunction::LastVal => {
                    let not_yet = || Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "lastval is not yet defined in this session");
                    self.last_sequence.and_then(|oid| self.drawn.get(&oid)?.last).ok_or_else(not_yet)?
                }
                SequenceFunction::SetVal => {
                    let arguments = call.arguments.iter().map(|a| a.eval(&(), &run.env())).collect::<Result<Vec<_>>>()?;
                    match (arguments.first().and_then(Value::as_i64), arguments.get(1).map_or(Some(true), Value::as_bool)) {
                        (Some(value), Some(called)) => self.set_value(&call.name, value, called).await?,
                        _ => continue,
                    }
                }
            });
        }
        Ok(values)
    }

    async fn named_sequence(&mut self, name: &[String]) -> Result<Arc<Sequence>> {
        let name = match name {
            [one] => relation_from_text(&crate::parse::names::quote(one))?,
            [.., schema, name] => RelationName { schema: Some(schema.clone()), name: name.clone() },
            [] => return Err(Error::internal("a sequence without a name")),
        };
        self.look_up(|catalog, path| catalog.sequence(&name, path)).await
    }

    fn check_may_draw(&mut self, function: &str) -> Result<()> {
        if self.txn().read_only {
            let message = format!("cannot execute {function}() in a read-only transaction");
            return Err(Error::new(SqlState::READ_ONLY_SQL_TRANSACTION, message));
        }
        Ok(())
    }

    async fn next_value(&mut self, name: &[String]) -> Exec<i64> {
        self.check_may_draw("nextval")?;
        let sequence = self.named_sequence(name).await?;
        let statement = self.statements_run;
        let drawn = self.drawn.entry(sequence.oid).or_default();
        if drawn.left == 0 {
            let again = drawn.statement == statement;
            let count = if again { (drawn.count * 2).clamp(1, DRAWN_AHEAD_MAX) } else { 1 };
            let (first, got) = self.take_numbers(&sequence, count).await?;
            let drawn = self.drawn.entry(sequence.oid).or_default();
            (drawn.next, drawn.left, drawn.count, drawn.statement) = (first, got, count, statement);
            drawn.increment = sequence.increment;
        }
        let drawn = self.drawn.entry(sequence.oid).or_default();
        let value = drawn.next;
        drawn.left -= 1;
        drawn.next = drawn.next.wrapping_add(drawn.increment);
        drawn.last = Some(value);
        self.last_sequence = Some(sequence.oid);
        Ok(value)
    }

    async fn take_numbers(&mut self, sequence: &Sequence, count: u32) -> Exec<(i64, u32)> {
        let Sequence { start, increment, min, max, cycle, .. } = *sequence;
        let request = Request::Sequence { key: state_key(sequence.oid), start, increment, min, max, cycle, count };
        let shard = self.backend.shard_of(SlotId(0));
        match self.backend.call(shard, request).await? {
            Response::Sequence { first, count } if count > 0 => Ok((first, count)),
            Response::Sequence { .. } => {
                let (word, bound) = if increment > 0 { ("maximum", max) } else { ("minimum", min) };
                let message = format!("nextval: reached {word} value of sequence \"{}\" ({bound})", sequence.name);
                Err(Error::new(SqlState::SEQUENCE_LIMIT_EXCEEDED, message).into())
            }
            other => Err(unexpected("a sequence", &other)),
        }
    }

    async fn current_value(&mut self, name: &[String]) -> Result<i64> {
        let sequence = self.named_sequence(name).await?;
        self.drawn.get(&sequence.oid).and_then(|drawn| drawn.last).ok_or_else(|| {
            let message = format!("currval of sequence \"{}\" is not yet defined in this session", sequence.name);
            Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        })
    }

    async fn set_value(&mut self, name: &[String], value: i64, called: bool) -> Exec<i64> {
        self.check_may_draw("setval")?;
        let sequence = self.named_sequence(name).await?;
        if !(sequence.min..=sequence.max).contains(&value) {
            let Sequence { name, min, max, .. } = &*sequence;
            let message = format!("setval: value {value} is out of bounds for sequence \"{name}\" ({min}..{max})");
            return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message).into());
        }
        self.set_sequence(sequence.oid, value, called).await?;
        if called {
            self.drawn.entry(sequence.oid).or_default().last = Some(value);
            self.last_sequence = Some(sequence.oid);
        }
        Ok(value)
    }

    pub(crate) async fn set_sequence(&mut self, oid: u32, value: i64, called: bool) -> Exec<()> {
        if let Some(drawn) = self.drawn.get_mut(&oid) {
            drawn.left = 0;
        }
        let shard = self.backend.shard_of(SlotId(0));
        match self.backend.call(shard, Request::SetSequence { key: state_key(oid), value, called }).await? {
            Response::Done => Ok(()),
            other => Err(unexpected("setting a sequence", &other)),
        }
    }
}
