//! One connection: requests one after the other, each answered by a page or by an operation of the API.

use super::credentials::Proved;
use super::ledger::{self, Context};
use super::problem::Problem;
use super::routes::{self, Found, Operation};
use super::wire::{BODY_BYTES_MAX, BodyLength, Failure, Head, Response, Wire};
use super::{BODIES_KIB_MAX, Service};
use crate::role_session::RoleSession;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long a request waits for its turn before it is told 429.
const TURN_MAX: Duration = Duration::from_secs(2);

const _: () = assert!(BODY_BYTES_MAX >> 10 <= BODIES_KIB_MAX, "the largest body has its turn");

struct Connection<'a> {
    service: &'a Service,
    wire: Wire,
    from: SocketAddr,
    encrypted: bool,
    proved: Option<Proved>,
    /// Of the role that asked last.
    session: Option<(String, RoleSession)>,
}

/// Answers until the client leaves, or says what cannot be understood.
pub async fn serve(service: &Service, wire: Wire, from: SocketAddr, encrypted: bool) {
    let mut connection = Connection { service, wire, from, encrypted, proved: None, session: None };
    loop {
        let (outcome, head_keeps) = match connection.wire.head().await {
            Ok(head) => {
                service.pages.metrics.http_requests.add(1);
                (connection.respond(&head).await, head.keeps_alive)
            }
            Err(failure) => (Err(failure), false),
        };
        let (response, keeps_alive) = match outcome {
            Ok(response) => (response, head_keeps),
            Err(Failure::Problem(problem)) => (problem.response(), false),
            Err(Failure::Gone) => return,
        };
        if response.status >= 400 {
            service.pages.metrics.http_refused.add(1);
        }
        if connection.wire.answer(response, keeps_alive).await.is_err() {
            return;
        }
        if !keeps_alive {
            return connection.wire.close().await;
        }
    }
}

impl Connection<'_> {
    /// An answer after which the connection can be used further.
    ///
    /// # Errors
    /// If it cannot, because the body was not read or not understood, or if the client is gone.
    async fn respond(&mut self, head: &Head) -> Result<Response, Failure> {
        let answer = if head.path.starts_with("/v1/") { self.operation(head).await } else { self.page(head).await };
        match answer {
            // The body was not read: what follows would be taken for the next request.
            Err(Failure::Problem(problem)) if head.body == BodyLength::Bytes(0) => Ok(problem.response()),
            other => other,
        }
    }

    async fn page(&mut self, head: &Head) -> Result<Response, Failure> {
        if head.path != "/health" && !self.from.ip().to_canonical().is_loopback() {
            self.service.gate.role(head, self.from, self.encrypted, &mut self.proved).await?;
        }
        let page = self.service.pages.page(&head.path);
        let Some(page) = page else { return Err(Problem::not_found("there are /health, /metrics, /status and /v1/openapi.json").into()) };
        if head.method != "GET" {
            return Err(Problem::method_not_allowed("GET").into());
        }
        if head.body != BodyLength::Bytes(0) {
            return Err(Problem::bad_request("a page takes no body").into());
        }
        Ok(page)
    }

    async fn operation(&mut self, head: &Head) -> Result<Response, Failure> {
        let role = self.service.gate.role(head, self.from, self.encrypted, &mut self.proved).await?;
        let found = routes::find(&head.method, &head.path)?;
        check_body(head)?;
        let places = if found.operation == Operation::ListChanges { &self.service.followers } else { &self.service.requests };
        let _turn = turn(places, 1).await?;
        let _room = turn(&self.service.bodies_kib, room_kib(head.body)).await?;
        let body = self.wire.body(head).await?;
        if found.operation == Operation::Document {
            return Ok(Response::ok("application/json", ledger::openapi().to_owned()));
        }
        self.run(role, found, &head.query, body).await
    }

    /// Gives the work up if the client goes away: nobody would hear of it.
    async fn run(&mut self, role: String, found: Found, query: &str, body: Vec<u8>) -> Result<Response, Failure> {
        let Connection { service, wire, session, .. } = self;
        let work = async {
            if session.as_ref().is_none_or(|(known, session)| *known != role || !session.is_usable()) {
                // The old one ends first: its place may be needed.
                *session = None;
                let opened = RoleSession::open(&service.pages.server, &role).await?;
                *session = Some((role, opened));
            }
            let Some((_, session)) = session else { return Err(Problem::new(500, "internal", "a session was opened and is not there")) };
            let mut context = Context::new(session, found.operation, found.id, query, body)?;
            ledger::run(found.operation, &mut context).await
        };
        tokio::select! {
            biased;
            outcome = work => Ok(match outcome {
                Ok(json) => Response::ok("application/json", format!("{json}\n")),
                Err(problem) => problem.response(),
            }),
            () = wire.gone() => Err(Failure::Gone),
        }
    }
}

/// # Errors
/// 400 and 415 for a body that is not JSON, or is not wanted.
fn check_body(head: &Head) -> Result<(), Problem> {
    let is_empty = head.body == BodyLength::Bytes(0);
    match head.method.as_str() {
        "POST" if is_empty => Err(Problem::bad_request("this needs a body of JSON")),
        "POST" => {
            let kind = head.content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
            if kind.eq_ignore_ascii_case("application/json") {
                return Ok(());
            }
            Err(Problem::new(415, "unsupported_media_type", "the body must be JSON").with_hint("Send Content-Type: application/json."))
        }
        _ if !is_empty => Err(Problem::bad_request("this takes no body")),
        _ => Ok(()),
    }
}

fn room_kib(body: BodyLength) -> usize {
    match body {
        BodyLength::Bytes(length) => length.min(BODY_BYTES_MAX).div_ceil(1 << 10),
        BodyLength::Chunked => BODY_BYTES_MAX >> 10,
    }
}

/// # Errors
/// 429 if too many others are worked on.
async fn turn(of: &Semaphore, count: usize) -> Result<SemaphorePermit<'_>, Problem> {
    let busy = || Problem::new(429, "too_many_requests", "too many requests are worked on already");
    let count = u32::try_from(count).map_err(|_| busy())?;
    match tokio::time::timeout(TURN_MAX, of.acquire_many(count)).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(busy()),
    }
}
