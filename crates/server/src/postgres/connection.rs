//! An authenticated client's connection: its requests go to the node, the node's answers to its socket.
//!
//! All requests that are in the socket become one event. Nothing is read while the node says that too much waits, and the node is
//! told what the socket has taken, so that it does not produce more than the client reads.

use super::decode::{self, Message};
use super::pending::Pending;
use super::startup::Client;
use super::stream::Stream;
use super::{Outgoing, SqlServer, encode};
use crate::inbox::Input;
use base::{Error, SessionId, SqlState};
use bytes::BytesMut;
use node::event::Event;
use sql::client::{ClientRequest, ClientResponse, Severity};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

/// Answers beyond this many bytes wait in the session's queue until the socket took some.
const OUT_BYTES_MAX: usize = 256 << 10;
/// What the socket took is told to the node at once from here on; less is told with the client's next request.
const DRAINED_BYTES: usize = 16 << 10;
const DRAINED_RESPONSES: usize = 8;
/// Buffers that grew beyond this are given back when they are empty.
const BUFFER_KEPT_BYTES: usize = 64 << 10;
const READ_BYTES: usize = 16 << 10;
/// A read is given at least so much room.
const READ_BYTES_MIN: usize = 2 << 10;
/// Room for a client that sends faster than it is read.
const READ_BYTES_MAX: usize = 64 << 10;
/// How long what a client sent before its goodbye may still take.
const GOODBYE_MAX: Duration = Duration::from_secs(10);
/// How long a last error may take to reach a client that does not read.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

struct Connection<'a> {
    server: &'a SqlServer,
    session: SessionId,
    outbox: UnboundedReceiver<Outgoing>,
    pending: Pending,
    /// The node takes more requests.
    may_read: bool,
    input: BytesMut,
    output: BytesMut,
    /// In `output`, or written and not told to the node yet.
    responses: usize,
    written_responses: usize,
    written_bytes: usize,
    /// Requests before this moment are still answered, then the session ends.
    goodbye: Option<Instant>,
    closing: bool,
}

/// Serves the client until it leaves or the node sends it away.
pub async fn serve(server: &SqlServer, session: SessionId, mut client: Client, outbox: UnboundedReceiver<Outgoing>, greeting: BytesMut) {
    let buffer = std::mem::take(&mut client.buffer);
    let mut connection = Connection {
        server,
        session,
        outbox,
        pending: Pending::default(),
        may_read: true,
        input: buffer,
        output: greeting,
        responses: 0,
        written_responses: 0,
        written_bytes: 0,
        goodbye: None,
        closing: false,
    };
    let Client { stream, user, database, parameters, .. } = client;
    let open = ClientRequest::Open { user, database, parameters };
    connection.pending.sent(&open);
    server.inbox.push_when_room([Input::Event(Event::Client { session, requests: vec![open] })]).await;
    let (mut read, mut write) = tokio::io::split(stream);
    // A socket's error says that the client is gone, and nothing else can be done about it.
    let _ = connection.run(&mut read, &mut write).await;
    server.inbox.push_when_room([Input::Event(Event::ClientGone { session })]).await;
    if !connection.output.is_empty() && connection.closing {
        let _ = tokio::time::timeout(FAREWELL_MAX, write.write_all(&connection.output)).await;
    }
    let _ = tokio::time::timeout(FAREWELL_MAX, write.shutdown()).await;
}

enum Step {
    Read(io::Result<usize>),
    Written(io::Result<usize>),
    Answers(usize),
    GateMoved,
    GoodbyeOver,
}

impl Connection<'_> {
    async fn run(&mut self, read: &mut ReadHalf<Stream>, write: &mut WriteHalf<Stream>) -> io::Result<()> {
        let mut incoming: Vec<Outgoing> = Vec::new();
        let mut gate = self.server.gate.clone();
        self.requests().await;
        loop {
            if self.closing && self.output.is_empty() {
                write.flush().await?;
                return Ok(());
            }
            let silent = *gate.borrow_and_update();
            let may_read = !silent && !self.closing && self.goodbye.is_none() && self.may_read;
            let may_write = !silent && !self.output.is_empty();
            let may_take = !self.closing && self.output.len() < OUT_BYTES_MAX;
            if may_read {
                self.make_room();
            }
            let goodbye = self.goodbye;
            let step = tokio::select! {
                biased;
                count = self.outbox.recv_many(&mut incoming, 64), if may_take => Step::Answers(count),
                result = write.write_buf(&mut self.output), if may_write => Step::Written(result),
                result = read.read_buf(&mut self.input), if may_read => Step::Read(result),
                moved = gate.changed() => { moved.map_err(io::Error::other)?; Step::GateMoved }
                () = tokio::time::sleep_until(goodbye.unwrap_or_else(Instant::now)), if goodbye.is_some() => Step::GoodbyeOver,
            };
            match step {
                Step::Answers(0) | Step::Read(Ok(0)) | Step::GoodbyeOver => return Ok(()),
                Step::Answers(_) => self.answers(&mut incoming),
                Step::Written(result) => {
                    self.written(result?);
                    if self.output.is_empty() {
                        write.flush().await?;
                        if let Some(event) = self.take_drained(false) {
                            self.server.inbox.event(event);
                        }
                    }
                }
                Step::Read(result) => {
                    let bytes = result?;
                    self.server.metrics.sql_bytes_in.add(bytes as u64);
                    self.requests().await;
                }
                Step::GateMoved => {}
            }
            if self.goodbye.is_some() && self.output.is_empty() && self.pending.is_idle() {
                return Ok(());
            }
        }
    }

    /// Requests that the node still holds keep the old buffer, so more room mostly means another allocation: not for each request.
    fn make_room(&mut self) {
        let room = self.input.capacity() - self.input.len();
        if room == 0 {
            // The last read filled it: much is coming.
            self.input.reserve(READ_BYTES_MAX);
        } else if room < READ_BYTES_MIN {
            self.input.reserve(READ_BYTES);
        }
    }

    /// Hands all whole messages of the buffer to the node.
    async fn requests(&mut self) {
        let mut requests = Vec::new();
        let mut refusal = None;
        while self.goodbye.is_none() {
            match decode::message(&mut self.input, decode::MESSAGE_BYTES_MAX) {
                Ok(Some(Message::Request(request))) => {
                    self.pending.sent(&request);
                    requests.push(request);
                }
                Ok(Some(Message::Terminate)) => self.goodbye = Some(Instant::now() + GOODBYE_MAX),
                Ok(Some(Message::Password(_))) => {
                    refusal = Some(Error::new(SqlState::PROTOCOL_VIOLATION, "unexpected password message"));
                }
                Ok(None) => break,
                Err(error) => refusal = Some(error),
            }
            if refusal.is_some() {
                break;
            }
        }
        if self.input.is_empty() && self.input.capacity() > BUFFER_KEPT_BYTES {
            self.input = BytesMut::new();
        }
        if !requests.is_empty() {
            self.server.metrics.sql_requests.add(requests.len() as u64);
            // Both at once: the node is woken once.
            let drained = self.take_drained(true);
            let asked = Event::Client { session: self.session, requests };
            self.server.inbox.push_when_room(drained.into_iter().chain([asked]).map(Input::Event)).await;
        }
        if let Some(error) = refusal {
            self.server.metrics.sql_malformed.add(1);
            encode::response(&mut self.output, &ClientResponse::Error(Severity::Fatal, error));
            self.closing = true;
        }
    }

    fn answers(&mut self, incoming: &mut Vec<Outgoing>) {
        for outgoing in incoming.drain(..) {
            match outgoing {
                Outgoing::Responses(responses) => {
                    self.responses += responses.len();
                    for response in &responses {
                        self.pending.answered(response);
                        encode::response(&mut self.output, response);
                        self.closing |= matches!(response, ClientResponse::Error(Severity::Fatal, _));
                    }
                }
                Outgoing::Read(may) => self.may_read = may,
                Outgoing::Close => self.closing = true,
            }
        }
    }

    fn written(&mut self, bytes: usize) {
        self.server.metrics.sql_bytes_out.add(bytes as u64);
        self.written_bytes += bytes;
        if self.output.is_empty() {
            self.written_responses += std::mem::take(&mut self.responses);
            if self.output.capacity() > BUFFER_KEPT_BYTES {
                self.output = BytesMut::new();
            }
        }
    }

    /// What the node is to hear of what the socket took; of little only with the next request, which saves waking it.
    fn take_drained(&mut self, even_little: bool) -> Option<Event> {
        let much = self.written_bytes >= DRAINED_BYTES || self.written_responses >= DRAINED_RESPONSES;
        if self.written_responses == 0 || !(much || even_little) {
            return None;
        }
        let responses = std::mem::take(&mut self.written_responses);
        self.written_bytes = 0;
        Some(Event::ClientDrained { session: self.session, responses })
    }
}
