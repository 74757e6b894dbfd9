//! A statement being answered: from its plan and parameters to rows and a command tag, perhaps in several turns.

use super::Session;
use super::extended::Prepared;
use super::output::{RowFormat, check_formats, format_of};
use super::statement::Started;
use super::txn::Exec;
use crate::client::{Field, Format};
use crate::exec::Run;
use crate::exec::source::Source;
use crate::plan::Planned;
use crate::value::Value;
use base::Result;
use std::collections::VecDeque;
use std::rc::Rc;
use storage::access::SCAN_ROWS_MAX;

pub struct Portal {
    pub prepared: Rc<Prepared>,
    pub planned: Rc<Planned>,
    pub parameters: Vec<Value>,
    pub formats: Vec<Format>,
    pub state: State,
    /// Outlives its transaction.
    pub hold: bool,
}

pub enum State {
    New,
    Running(Box<Running>),
    Done,
}

/// Rows on their way.
pub struct Running {
    pub planned: Rc<Planned>,
    pub run: Run,
    pub source: Source,
    pub tag: Tag,
    /// Rows read but not yet asked for.
    pub waiting: VecDeque<Vec<Value>>,
    pub sent: u64,
    pub ended: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tag {
    Fixed(String),
    /// A word and the number of rows sent.
    Count(&'static str),
}

impl Tag {
    pub fn text(&self, sent: u64) -> String {
        match self {
            Tag::Fixed(text) => text.clone(),
            Tag::Count(word) => format!("{word} {sent}"),
        }
    }
}

/// How far a portal came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    Complete(String),
    Suspended,
    /// There was no statement.
    Empty,
}

impl Running {
    pub fn new(planned: Rc<Planned>, run: Run, source: Source, tag: Tag) -> Running {
        Running { planned, run, source, tag, waiting: VecDeque::new(), sent: 0, ended: false }
    }
}

impl Session {
    /// Starts a statement and, if it has rows, gives what is needed to get them.
    pub(crate) async fn start_planned(&mut self, planned: Rc<Planned>, mut run: Run) -> Exec<Result<Box<Running>, String>> {
        Ok(match self.start(&planned, &mut run).await? {
            Started::Done(tag) => Err(tag),
            Started::Rows(source, tag) => Ok(Box::new(Running::new(planned, run, source, tag))),
        })
    }

    /// Sends up to `rows_max` rows (0: all); `None`: more are there.
    pub(crate) async fn send_rows(&mut self, running: &mut Running, format: &RowFormat, rows_max: u64) -> Exec<Option<String>> {
        let mut left = if rows_max == 0 { u64::MAX } else { rows_max };
        // The tag counts the rows of this turn.
        running.sent = 0;
        loop {
            if running.waiting.is_empty() && !running.ended {
                let wanted = left.min(u64::from(SCAN_ROWS_MAX)) as usize;
                match self.next_answer(&mut running.source, &running.planned, &mut running.run, wanted).await? {
                    None => running.ended = true,
                    Some(chunk) => running.waiting.extend(chunk),
                }
                if running.waiting.is_empty() && !running.ended {
                    continue;
                }
            }
            if running.waiting.is_empty() {
                // That there are no more rows tells something too. What a change tells is how much of its own it did.
                if !self.holding && matches!(running.tag, Tag::Count(_)) {
                    self.settle().await?;
                }
                return Ok(Some(running.tag.text(running.sent)));
            }
            if left == 0 {
                return Ok(None);
            }
            let count = (running.waiting.len() as u64).min(left) as usize;
            let rows: Vec<_> = running.waiting.drain(..count).collect();
            self.say_rows(&rows, format, &running.run.settings).await?;
            running.sent += count as u64;
            left -= count as u64;
        }
    }

    /// All rows, in memory.
    pub(crate) async fn all_rows(&mut self, running: &mut Running, rows_max: u64) -> Exec<Vec<Vec<Value>>> {
        let mut rows: Vec<Vec<Value>> = Vec::new();
        while (rows.len() as u64) < rows_max {
            if let Some(row) = running.waiting.pop_front() {
                rows.push(row);
                crate::exec::source::check_kept(rows.len())?;
                continue;
            }
            if running.ended {
                break;
            }
            match self.next_answer(&mut running.source, &running.planned, &mut running.run, SCAN_ROWS_MAX as usize).await? {
                None => running.ended = true,
                Some(chunk) => running.waiting.extend(chunk),
            }
        }
        running.sent += rows.len() as u64;
        Ok(rows)
    }

    pub(crate) fn close_running(&mut self, running: &Running) {
        if let Source::Engine(rows) = &running.source
            && !rows.done
        {
            self.cancel_query(rows.id);
        }
    }

    pub(crate) fn drop_portal(&mut self, name: &str) -> bool {
        let Some(portal) = self.portals.remove(name) else { return false };
        if let State::Running(running) = &portal.state {
            self.close_running(running);
        }
        true
    }

    /// Portals end with their transaction.
    pub(crate) fn close_transaction_portals(&mut self, committed: bool) {
        if self.portals.is_empty() {
            return;
        }
        let ended: Vec<String> =
            self.portals.iter().filter(|(_, portal)| !(portal.hold && committed)).map(|(name, _)| name.clone()).collect();
        for name in ended {
            // A portal that is only bound may be executed in the next transaction of the pipeline.
            if !matches!(self.portals[&name].state, State::New) {
                self.drop_portal(&name);
            }
        }
    }

    /// A portal reads on at its own snapshot.
    pub(crate) fn has_open_readers(&self) -> bool {
        self.portals.values().any(|portal| matches!(portal.state, State::Running(_)))
    }
}

/// Fields in the formats that the client asked for.
pub fn formatted(fields: &[Field], formats: &[Format]) -> Result<Vec<Field>> {
    check_formats(fields, formats)?;
    Ok(fields.iter().enumerate().map(|(at, field)| Field { format: format_of(formats, at), ..field.clone() }).collect())
}
