//! `/health`, `/metrics` and `/status` over HTTP/1.1, on a loopback address only: there is no authentication.
//!
//! One request a connection, read no further than its first line; for probes and scrapers, not for browsers' load.

use crate::metrics::Metrics;
use crate::postgres::SqlServer;
use crate::shared::Shared;
use crate::transport::join::PeerRecord;
use base::{Error, Result, SqlState};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

const CONNECTIONS_MAX: usize = 64;
/// From the connection to the end of the answer.
const REQUEST_MAX: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 8 << 10;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub struct Pages {
    pub own: PeerRecord,
    pub server: Arc<SqlServer>,
    pub shared: Arc<Shared>,
    pub metrics: Arc<Metrics>,
}

/// # Errors
/// If the address is no loopback address, or cannot be listened on.
pub async fn bind(address: &str) -> Result<TcpListener> {
    let parsed: SocketAddr = address.parse().map_err(|_| {
        Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("{address:?} is no address for HTTP: write an IP address and a port"))
    })?;
    if !parsed.ip().is_loopback() {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("HTTP has no authentication and cannot listen on {address}"))
            .with_hint("use a loopback address, such as 127.0.0.1:8080"));
    }
    TcpListener::bind(parsed).await.map_err(|error| crate::listening::failed(address, &error))
}

/// Serves until the runtime ends.
pub async fn listen(pages: Arc<Pages>, listener: TcpListener) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else { continue };
                let pages = Arc::clone(&pages);
                tokio::spawn(async move {
                    // Who asks and goes away has no need of an answer.
                    let _ = tokio::time::timeout(REQUEST_MAX, converse(&pages, socket)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "an HTTP connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers one request and closes: what asks here asks a few times a minute.
async fn converse(pages: &Pages, mut socket: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD_BYTES_MAX || socket.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let (status, kind, body) = answer(pages, &String::from_utf8_lossy(line));
    let length = body.len();
    let response = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    socket.write_all(response.as_bytes()).await?;
    socket.shutdown().await
}

/// Status line's end, content type and body for a request line.
fn answer(pages: &Pages, request: &str) -> (&'static str, &'static str, String) {
    let mut words = request.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return ("400 Bad Request", "text/plain", "this is no HTTP request\n".to_owned());
    };
    if method != "GET" {
        return ("405 Method Not Allowed", "text/plain", "only GET is answered here\n".to_owned());
    }
    match target {
        "/health" => pages.health(),
        "/metrics" => ("200 OK", "text/plain; version=0.0.4", pages.metrics()),
        "/status" => ("200 OK", "application/json", pages.status()),
        _ => ("404 Not Found", "text/plain", "there are /health, /metrics and /status\n".to_owned()),
    }
}

impl Pages {
    fn health(&self) -> (&'static str, &'static str, String) {
        if self.shared.credentials.is_known() {
            ("200 OK", "text/plain", "ok\n".to_owned())
        } else {
            ("503 Service Unavailable", "text/plain", "the node has not reached a majority of its cluster yet\n".to_owned())
        }
    }

    fn metrics(&self) -> String {
        let leaders = self.shared.leaders.lock().unwrap_or_else(PoisonError::into_inner);
        let leads = leaders.values().filter(|(leader, _)| *leader == Some(self.own.node)).count();
        let gauges = [
            ("sql_sessions", "Open sessions of PostgreSQL clients", self.server.connections() as u64),
            ("inbox_waiting", "Inputs that wait for the node's thread", self.server.inbox.waiting() as u64),
            ("shards_led", "Shards that this node leads", leads as u64),
            ("resident_bytes", "Memory of the process that is resident", resident_bytes()),
        ];
        self.metrics.text(&gauges)
    }

    fn status(&self) -> String {
        let members = self.shared.members.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let leaders = self.shared.leaders.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "node": self.own.node.0,
            "city": self.own.locality.city,
            "zone": self.own.locality.zone,
            "address": self.own.address,
            "sql_address": self.own.sql_address,
            "sessions": self.server.connections(),
            "members": members.iter().map(|peer| json!({
                "node": peer.node.0, "city": peer.locality.city, "zone": peer.locality.zone,
                "address": peer.address, "sql_address": peer.sql_address,
            })).collect::<Vec<_>>(),
            "shards": leaders.iter().map(|(shard, (leader, term))| json!({
                "shard": shard.0, "leader": leader.map(|leader| leader.0), "term": term,
            })).collect::<Vec<_>>(),
        });
        format!("{status}\n")
    }
}

/// 0 where the system does not tell.
fn resident_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).map_or(0, |pages| pages * PAGE_BYTES)
}
