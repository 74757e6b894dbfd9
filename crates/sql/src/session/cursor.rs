//! DECLARE, FETCH, MOVE and CLOSE: portals with a name, read forwards.

use super::Session;
use super::extended::Prepared;
use super::portal::{Portal, Running, State, Tag};
use super::statement::{Started, as_query};
use super::txn::{Block, Exec};
use crate::client::Field;
use crate::exec::source::Source;
use crate::parse::Statement;
use crate::parse::utility::Fetch;
use base::{Error, Result, SqlState};
use std::cell::RefCell;
use std::rc::Rc;

impl Session {
    fn missing_cursor(name: &str) -> Error {
        Error::new(SqlState::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
    }

    pub(crate) fn cursor_fields(&self, name: &str) -> Result<Option<Vec<Field>>> {
        let portal = self.portals.get(name).ok_or_else(|| Self::missing_cursor(name))?;
        Ok(portal.planned.fields.clone())
    }

    pub(crate) async fn declare(&mut self, name: &str, hold: bool, statement: &Statement) -> Exec<()> {
        if !hold && self.txn().block == Block::Implicit {
            let message = "DECLARE CURSOR can only be used in transaction blocks";
            return Err(Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message).into());
        }
        if self.portals.contains_key(name) {
            return Err(Error::new(SqlState::DUPLICATE_CURSOR, format!("cursor \"{name}\" already exists")).into());
        }
        self.check_named(self.portals.len())?;
        if as_query(statement).is_none() {
            return Err(Error::new(SqlState::SYNTAX_ERROR, "a cursor needs a query").into());
        }
        let planned = self.plan_typed(statement, Vec::new()).await?;
        let mut run = self.new_run(Vec::new(), Vec::new());
        let source = Box::pin(self.start_query_of(&planned, &mut run)).await?;
        let mut running = Running::new(planned.clone(), run, source, Tag::Count("SELECT"));
        if hold {
            // It outlives the transaction: its rows are kept.
            let rows = self.all_rows(&mut running, u64::MAX).await?;
            running.source = Source::of(rows);
            running.ended = false;
        }
        let prepared = Rc::new(Prepared { text: String::new(), types: Vec::new(), planned: RefCell::new(Some(planned.clone())) });
        let state = State::Running(Box::new(running));
        let portal = Portal { prepared, planned, parameters: Vec::new(), formats: Vec::new(), state, hold };
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }

    pub(crate) async fn fetch_cursor(&mut self, name: &str, fetch: Fetch, skip: bool) -> Exec<Started> {
        let mut portal = self.portals.remove(name).ok_or_else(|| Self::missing_cursor(name))?;
        let wanted = match fetch {
            Fetch::Forward(count) => count,
            Fetch::All => u64::MAX,
            Fetch::Unsupported(what) => return Err(Error::unsupported(what).into()),
        };
        let State::Running(running) = &mut portal.state else {
            return Err(Self::missing_cursor(name).into());
        };
        let rows = match self.all_rows(running, wanted).await {
            Ok(rows) => rows,
            Err(error) => {
                self.close_running(running);
                return Err(error);
            }
        };
        self.portals.insert(name.to_owned(), portal);
        if skip {
            return Ok(Started::Done(format!("MOVE {}", rows.len())));
        }
        let tag = Tag::Fixed(format!("FETCH {}", rows.len()));
        Ok(Started::Rows(Source::of(rows), tag))
    }

    pub(crate) fn close_cursor(&mut self, name: Option<&str>) -> Result<()> {
        match name {
            Some(name) if self.drop_portal(name) => Ok(()),
            Some(name) => Err(Self::missing_cursor(name)),
            None => {
                for name in self.portals.keys().cloned().collect::<Vec<_>>() {
                    self.drop_portal(&name);
                }
                Ok(())
            }
        }
    }
}
