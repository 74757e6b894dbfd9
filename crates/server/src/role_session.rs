//! SQL sessions of the shell on behalf of a role: what comes over HTTP runs as the statements of any client do.

use crate::inbox::Input;
use crate::internal::{Row, read_rows};
use crate::postgres::{Outgoing, Place, SqlServer};
use base::{Error, Result, SessionId, SqlState};
use node::event::Event;
use sql::client::{ClientRequest, ClientResponse};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

const DATABASE: &str = "florin";
/// How long a statement may run.
const STATEMENT_MAX: Duration = Duration::from_secs(30);
/// How long an answer is waited for: a commit is not cut short by the statement's time.
const ANSWER_MAX: Duration = Duration::from_secs(65);
const OPEN_MAX: Duration = Duration::from_secs(15);
/// Bytes of rows that are kept of one answer.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A value of a statement in PostgreSQL's text form.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub type_oid: u32,
    pub text: String,
}

pub struct Answer {
    pub rows: Vec<Row>,
    /// There were more rows than [`ANSWER_BYTES_MAX`] bytes hold; those that are here are the first ones.
    pub cut: bool,
}

pub struct RoleSession {
    server: Arc<SqlServer>,
    session: SessionId,
    answers: mpsc::UnboundedReceiver<Outgoing>,
    /// Between a question and the end of its answer. A question that was given up, or whose session ended, leaves it so.
    asking: bool,
    _place: Place,
}

impl Drop for RoleSession {
    fn drop(&mut self) {
        self.server.inbox.event(Event::ClientGone { session: self.session });
    }
}

impl RoleSession {
    /// # Errors
    /// `53300` if there are too many clients, `57P03` if the node does not serve.
    pub async fn open(server: &Arc<SqlServer>, user: &str) -> Result<RoleSession> {
        let place = Place::take(server)?;
        let session = server.sessions.number();
        let (outbox, answers) = mpsc::unbounded_channel();
        server.inbox.push(Input::Connect { session, outbox });
        let mut opened = RoleSession { server: Arc::clone(server), session, answers, asking: true, _place: place };
        let setting = |name: &str, value: String| (name.to_owned(), value);
        let parameters =
            vec![setting("application_name", "http".to_owned()), setting("statement_timeout", STATEMENT_MAX.as_millis().to_string())];
        opened.send(vec![ClientRequest::Open { user: user.to_owned(), database: DATABASE.to_owned(), parameters }]).await;
        let late = |_| Error::new(SqlState::CANNOT_CONNECT_NOW, "the node does not open a session in time");
        tokio::time::timeout(OPEN_MAX, opened.answer()).await.map_err(late)??;
        Ok(opened)
    }

    /// False once a question was given up: its answer would be taken for the next one's. False too when the session has ended.
    pub fn is_usable(&self) -> bool {
        !self.asking
    }

    /// Runs one statement as a transaction of its own.
    ///
    /// # Errors
    /// The statement's own; `08007` if there is no answer in time.
    pub async fn ask(&mut self, sql: &str, parameters: Vec<Parameter>) -> Result<Answer> {
        let types = parameters.iter().map(|parameter| parameter.type_oid).collect();
        let values = parameters.into_iter().map(|parameter| Some(parameter.text.into_bytes().into())).collect();
        let requests = vec![
            ClientRequest::Parse { name: String::new(), sql: sql.to_owned(), parameter_types: types },
            ClientRequest::Bind {
                portal: String::new(),
                statement: String::new(),
                parameter_formats: Vec::new(),
                parameters: values,
                result_formats: Vec::new(),
            },
            ClientRequest::Execute { portal: String::new(), rows_max: 0 },
            ClientRequest::Sync,
        ];
        self.asking = true;
        self.send(requests).await;
        let late = |_| Error::new(SqlState::TRANSACTION_RESOLUTION_UNKNOWN, "the cluster does not answer: it may have lost its majority");
        tokio::time::timeout(ANSWER_MAX, self.answer()).await.map_err(late)?
    }

    async fn send(&self, requests: Vec<ClientRequest>) {
        self.server.inbox.push_when_room([Input::Event(Event::Client { session: self.session, requests })]).await;
    }

    /// All up to the next `ReadyForQuery`.
    async fn answer(&mut self) -> Result<Answer> {
        let mut answer = Answer { rows: Vec::new(), cut: false };
        let (mut failure, mut bytes_kept) = (None, 0);
        loop {
            let Some(Outgoing::Responses(responses)) = self.next().await else {
                return Err(failure.unwrap_or_else(|| Error::new(SqlState::ADMIN_SHUTDOWN, "the node is stopping")));
            };
            self.server.inbox.event(Event::ClientDrained { session: self.session, responses: responses.len() });
            let mut ready = false;
            for response in responses {
                match response {
                    ClientResponse::Rows(bytes) if !answer.cut => {
                        bytes_kept += bytes.len();
                        answer.cut = bytes_kept > ANSWER_BYTES_MAX && !answer.rows.is_empty();
                        if !answer.cut {
                            read_rows(bytes, &mut answer.rows)?;
                        }
                    }
                    ClientResponse::Error(_, error) => failure = Some(error),
                    ClientResponse::Ready(_) => ready = true,
                    _ => {}
                }
            }
            if ready {
                self.asking = false;
                return failure.map_or(Ok(answer), Err);
            }
        }
    }

    /// Whether it may read from its client is nothing to a session that asks one question at a time.
    async fn next(&mut self) -> Option<Outgoing> {
        loop {
            match self.answers.recv().await? {
                Outgoing::Read(_) => {}
                outgoing => return Some(outgoing),
            }
        }
    }
}
