//! SQL sessions of the shell itself, with the rights of the superuser: admitting nodes, status.

use crate::inbox::{Inbox, Input};
use crate::postgres::{Outgoing, SqlServer};
use base::{Error, Result, SessionId, SqlState};
use bytes::{Buf, Bytes};
use node::event::Event;
use sql::client::{ClientRequest, ClientResponse};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The superuser and database made at bootstrap.
const USER: &str = "florin";
/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Values of one row, as text.
pub type Row = Vec<Option<String>>;

#[derive(Clone)]
pub struct Internal {
    pub server: Arc<SqlServer>,
}

/// Ends the session also when the caller gives up waiting.
struct Ending<'a> {
    inbox: &'a Inbox,
    session: SessionId,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.inbox.event(Event::ClientGone { session: self.session });
    }
}

impl Internal {
    /// Runs statements and answers all their rows.
    ///
    /// # Errors
    /// The statement's own, or `57P03` if there is no answer in time.
    pub async fn query(&self, sql: &str) -> Result<Vec<Row>> {
        let late = || Error::new(SqlState::CANNOT_CONNECT_NOW, "the cluster does not answer: it may have lost its majority");
        tokio::time::timeout(ANSWER_MAX, self.converse(sql)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn converse(&self, sql: &str) -> Result<Vec<Row>> {
        let inbox = &*self.server.inbox;
        let session = self.server.sessions.number();
        let (outbox, mut answers) = mpsc::unbounded_channel();
        inbox.push(Input::Connect { session, outbox });
        let _ending = Ending { inbox, session };
        let open = ClientRequest::Open { user: USER.to_owned(), database: USER.to_owned(), parameters: Vec::new() };
        inbox.event(Event::Client { session, requests: vec![open, ClientRequest::Query { sql: sql.to_owned() }] });
        let (mut rows, mut failure, mut ready) = (Vec::new(), None, 0);
        // One `ReadyForQuery` greets, one ends the answer.
        while ready < 2 {
            let Some(Outgoing::Responses(responses)) = answers.recv().await else {
                return Err(failure.unwrap_or_else(|| Error::new(SqlState::ADMIN_SHUTDOWN, "the node is stopping")));
            };
            inbox.event(Event::ClientDrained { session, responses: responses.len() });
            for response in responses {
                match response {
                    ClientResponse::Rows(bytes) => read_rows(bytes, &mut rows)?,
                    ClientResponse::Error(_, error) => failure = Some(error),
                    ClientResponse::Ready(_) => ready += 1,
                    _ => {}
                }
            }
        }
        failure.map_or(Ok(rows), Err)
    }
}

/// Reads `DataRow` messages as the session made them.
pub(crate) fn read_rows(mut bytes: Bytes, rows: &mut Vec<Row>) -> Result<()> {
    let broken = |_| Error::internal("the session sent a malformed row");
    while bytes.has_remaining() {
        bytes.try_get_u8().map_err(broken)?;
        bytes.try_get_u32().map_err(broken)?;
        let columns = bytes.try_get_u16().map_err(broken)?;
        let mut row = Row::new();
        for _ in 0..columns {
            let length = bytes.try_get_i32().map_err(broken)?;
            row.push(match usize::try_from(length) {
                Ok(length) if length <= bytes.len() => Some(String::from_utf8_lossy(&bytes.split_to(length)).into_owned()),
                Ok(_) => return Err(Error::internal("the session sent a malformed row")),
                Err(_) => None,
            });
        }
        rows.push(row);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_the_session_writes_them() {
        let bytes = Bytes::from_static(b"D\0\0\0\x10\0\x02\0\0\0\x02ab\xff\xff\xff\xffD\0\0\0\x06\0\0");
        let mut rows = Vec::new();
        read_rows(bytes, &mut rows).expect("well-formed");
        assert_eq!(rows, vec![vec![Some("ab".to_owned()), None], vec![]]);
    }
}
