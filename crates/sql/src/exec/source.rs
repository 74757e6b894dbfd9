//! Where the rows of an answer come from, chunk by chunk, so that a large answer is never held whole.

use super::Run;
use super::engine::EngineRows;
use super::fetch::Rows;
use crate::plan::{Plan, Planned};
use crate::session::Session;
use crate::session::txn::Exec;
use crate::value::Value;
use base::Result;
use storage::access::SCAN_ROWS_MAX;

/// Most rows that one statement keeps in memory in the native executor: results to sort or group, keys to change, RETURNING.
pub const KEPT_ROWS_MAX: usize = 1_000_000;
/// Rows of the first chunk of a scan with a limit are as many as may be needed, but at least these.
const FIRST_ROWS_MIN: u64 = 8;

pub enum Source {
    /// Made already.
    Rows(std::vec::IntoIter<Vec<Value>>),
    /// A scan whose order is that of the answer.
    Walk(Box<Walk>),
    Engine(EngineRows),
}

pub struct Walk {
    pub rows: Rows,
    pub skip: u64,
    /// `None`: all.
    pub left: Option<u64>,
    pub filtered: bool,
}

impl Source {
    pub fn of(rows: Vec<Vec<Value>>) -> Source {
        Source::Rows(rows.into_iter())
    }
}

/// # Errors
/// `53400` above [`KEPT_ROWS_MAX`].
pub fn check_kept(count: usize) -> Result<()> {
    if count > KEPT_ROWS_MAX { Err(super::fetch::too_many_rows(KEPT_ROWS_MAX)) } else { Ok(()) }
}

impl Session {
    /// The next rows of an answer; `None` at its end. A chunk may be empty.
    pub(crate) async fn next_answer(
        &mut self,
        source: &mut Source,
        planned: &Planned,
        run: &mut Run,
        wanted: usize,
    ) -> Exec<Option<Vec<Vec<Value>>>> {
        match source {
            Source::Rows(rows) => {
                let chunk: Vec<_> = rows.by_ref().take(wanted).collect();
                Ok((!chunk.is_empty()).then_some(chunk))
            }
            Source::Walk(walk) => self.walk(walk, planned, run).await,
            Source::Engine(rows) => Box::pin(self.next_engine_rows(rows, run)).await,
        }
    }

    async fn walk(&mut self, walk: &mut Walk, planned: &Planned, run: &mut Run) -> Exec<Option<Vec<Vec<Value>>>> {
        let Plan::Select(plan) = &planned.plan else { unreachable!("only a SELECT walks") };
        let Some(info) = &plan.table else { unreachable!("only a table is walked") };
        if walk.left == Some(0) {
            return Ok(None);
        }
        let wanted = match walk.left {
            Some(left) if !walk.filtered => left.saturating_add(walk.skip).max(FIRST_ROWS_MIN).min(u64::from(SCAN_ROWS_MAX)) as u32,
            _ => SCAN_ROWS_MAX,
        };
        let Some(chunk) = self.next_rows(&mut walk.rows, info, wanted, run).await? else { return Ok(None) };
        let mut rows = Vec::with_capacity(chunk.len());
        let env = run.env();
        for stored in chunk {
            let reader = info.layout.reader(&stored.row)?;
            if let Some(filter) = &plan.filter
                && !filter.holds(&reader, &env)?
            {
                continue;
            }
            if walk.skip > 0 {
                walk.skip -= 1;
                continue;
            }
            match &mut walk.left {
                Some(0) => break,
                Some(left) => *left -= 1,
                None => {}
            }
            rows.push(plan.output.iter().take(plan.visible).map(|expr| expr.eval(&reader, &env)).collect::<Result<_>>()?);
        }
        Ok(Some(rows))
    }
}
