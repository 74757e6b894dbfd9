//! A node that answers by rote, so that the protocol is tested without a database behind it.

use base::{Error, SessionId, SqlState};
use bytes::{BufMut, Bytes, BytesMut};
use node::event::Event;
use server::inbox::{Inbox, Input};
use server::postgres::{Outbox, Outgoing};
use sql::client::{ClientRequest, ClientResponse, Field, Format, Severity, TxnStatus};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[derive(Default)]
pub struct Seen {
    pub gone: AtomicUsize,
    pub drained: AtomicUsize,
    pub opened: Mutex<Vec<(String, String)>>,
}

#[derive(Default)]
struct Session {
    outbox: Option<Outbox>,
    parameter: Bytes,
    copied: usize,
}

/// Answers until the inbox is closed by the end of the test.
pub fn start(inbox: Arc<Inbox>) -> Arc<Seen> {
    let seen = Arc::new(Seen::default());
    let told = Arc::clone(&seen);
    std::thread::spawn(move || {
        let mut sessions: BTreeMap<SessionId, Session> = BTreeMap::new();
        let mut batch = Vec::new();
        // Ends when the test has dropped everything else that holds the inbox.
        while Arc::strong_count(&inbox) > 1 {
            inbox.take(Instant::now() + Duration::from_millis(50), &mut batch);
            for input in batch.drain(..) {
                match input {
                    Input::Connect { session, outbox } => sessions.entry(session).or_default().outbox = Some(outbox),
                    Input::Event(Event::Client { session, requests }) => {
                        if let Some(state) = sessions.get_mut(&session) {
                            let responses = requests.into_iter().flat_map(|request| state.answer(request, &told)).collect();
                            state.send(responses);
                        }
                    }
                    Input::Event(Event::Cancel { session }) => {
                        let error = Error::new(SqlState::QUERY_CANCELED, "canceling statement due to user request");
                        let responses = vec![ClientResponse::Error(Severity::Error, error), ClientResponse::Ready(TxnStatus::Idle)];
                        sessions.get(&session).expect("only known sessions are cancelled").send(responses);
                    }
                    Input::Event(Event::ClientGone { session }) => {
                        sessions.remove(&session);
                        told.gone.fetch_add(1, Ordering::SeqCst);
                    }
                    Input::Event(Event::ClientDrained { responses, .. }) => {
                        told.drained.fetch_add(responses, Ordering::SeqCst);
                    }
                    Input::Event(_) => {}
                }
            }
        }
    });
    seen
}

impl Session {
    fn send(&self, responses: Vec<ClientResponse>) {
        if let Some(outbox) = &self.outbox {
            // The client may be gone.
            let _ = outbox.send(Outgoing::Responses(responses));
        }
    }

    fn answer(&mut self, request: ClientRequest, seen: &Seen) -> Vec<ClientResponse> {
        let ready = ClientResponse::Ready(TxnStatus::Idle);
        match request {
            ClientRequest::Open { user, database, .. } => {
                seen.opened.lock().expect("no panic").push((user, database));
                let parameter = |name: &str, value: &str| ClientResponse::Parameter { name: name.into(), value: value.into() };
                vec![parameter("server_version", "15.0"), parameter("client_encoding", "UTF8"), ready]
            }
            ClientRequest::Query { sql } if sql == "sleep" => vec![],
            ClientRequest::Query { sql } if sql == "copy" => vec![ClientResponse::CopyIn { binary: false, columns: 1 }],
            ClientRequest::Query { sql } if sql.starts_with("rows ") => {
                let count: usize = sql[5..].parse().expect("a number");
                let chunk = row(&[b'x'; 1000]);
                let mut answers = vec![ClientResponse::RowDescription(fields())];
                answers.extend((0..count).map(|_| ClientResponse::Rows(chunk.clone())));
                answers.extend([ClientResponse::Complete(format!("SELECT {count}")), ready]);
                answers
            }
            ClientRequest::Query { sql } => {
                vec![
                    ClientResponse::RowDescription(fields()),
                    ClientResponse::Rows(row(sql.as_bytes())),
                    ClientResponse::Complete("SELECT 1".into()),
                    ready,
                ]
            }
            ClientRequest::Parse { .. } => vec![ClientResponse::ParseComplete],
            ClientRequest::Bind { parameters, .. } => {
                self.parameter = parameters.into_iter().flatten().next().unwrap_or_default();
                vec![ClientResponse::BindComplete]
            }
            ClientRequest::Describe { .. } => {
                vec![ClientResponse::ParameterDescription(vec![25]), ClientResponse::RowDescription(fields())]
            }
            ClientRequest::Execute { .. } => {
                vec![ClientResponse::Rows(row(&self.parameter)), ClientResponse::Complete("SELECT 1".into())]
            }
            ClientRequest::Close { .. } => vec![ClientResponse::CloseComplete],
            ClientRequest::Flush => vec![],
            ClientRequest::Sync => vec![ready],
            ClientRequest::CopyData(data) => {
                self.copied += data.len();
                vec![]
            }
            ClientRequest::CopyDone => vec![ClientResponse::Complete(format!("COPY {}", self.copied)), ready],
            ClientRequest::CopyFail(reason) => {
                let error = Error::new(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {reason}"));
                vec![ClientResponse::Error(Severity::Error, error), ready]
            }
        }
    }
}

fn fields() -> Vec<Field> {
    vec![Field { name: "text".into(), table_oid: 0, column: 0, type_oid: 25, type_size: -1, type_modifier: -1, format: Format::Text }]
}

fn row(value: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(b'D');
    out.put_u32(10 + value.len() as u32);
    out.put_u16(1);
    out.put_u32(value.len() as u32);
    out.put_slice(value);
    out.freeze()
}
