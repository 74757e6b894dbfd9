//! The node's HTTP port: `/health`, `/metrics` and `/status` for probes and scrapers, and the ledger as HTTP and JSON under `/v1`.
//!
//! On the machine itself it is spoken plain or over TLS, from elsewhere over TLS only. Everything under `/v1` needs the credentials of a role, as the
//! PostgreSQL port does, and runs as that role through an ordinary SQL session. The pages need them only from other machines; `/health` never.

mod connection;
mod credentials;
pub mod ledger;
pub mod pages;
mod problem;
mod routes;
mod time;
mod wire;

use crate::postgres::stream::Stream;
use base::{Error, Result, SqlState};
use credentials::Gate;
pub use pages::Pages;
use problem::Problem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use wire::Wire;

/// Connections at once; who comes beyond is told 503.
const CONNECTIONS_MAX: usize = 512;
/// Connections beyond that which are still told.
const REFUSALS_MAX: usize = 32;
/// Requests under `/v1` that are worked on at once.
const REQUESTS_MAX: usize = 64;
/// Requests for changes at once: they may wait, and leave the others' places free.
const FOLLOWERS_MAX: usize = 32;
/// Kibibytes of bodies that are held at once.
const BODIES_KIB_MAX: usize = 32 << 10;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// From the connection to the end of its TLS handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// First byte of a TLS record that begins a handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// What all connections share.
pub struct Service {
    pages: Pages,
    tls: TlsAcceptor,
    gate: Gate,
    connections: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    requests: Semaphore,
    followers: Semaphore,
    bodies_kib: Semaphore,
}

/// # Errors
/// If it is no address, or cannot be listened on.
pub async fn bind(address: &str) -> Result<TcpListener> {
    let parsed: SocketAddr = address.parse().map_err(|_| {
        Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("{address:?} is no address for HTTP: write an IP address and a port"))
    })?;
    TcpListener::bind(parsed).await.map_err(|error| crate::listening::failed(address, &error))
}

impl Service {
    pub fn new(pages: Pages, tls: TlsAcceptor) -> Service {
        let gate = Gate::new(Arc::clone(&pages.shared.credentials));
        Service {
            pages,
            tls,
            gate,
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
            requests: Semaphore::new(REQUESTS_MAX),
            followers: Semaphore::new(FOLLOWERS_MAX),
            bodies_kib: Semaphore::new(BODIES_KIB_MAX),
        }
    }

    /// Serves until the runtime ends.
    pub async fn listen(self: Arc<Service>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((socket, from)) => Arc::clone(&self).accept(socket, from),
                Err(error) => {
                    tracing::warn!(%error, "an HTTP connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn accept(self: Arc<Service>, socket: TcpStream, from: SocketAddr) {
        // It only makes answers faster.
        let _ = socket.set_nodelay(true);
        if let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned() {
            tokio::spawn(async move {
                if let Some((stream, encrypted)) = self.begin(socket).await {
                    connection::serve(&self, Wire::new(stream), from, encrypted).await;
                }
                drop(permit);
            });
        } else if let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
            tokio::spawn(async move {
                if let Some((stream, _)) = self.begin(socket).await {
                    let mut wire = Wire::new(stream);
                    let problem = Problem::new(503, "too_many_connections", "sorry, too many connections already");
                    // The client may be gone already.
                    let _ = wire.answer(problem.response(), false).await;
                    wire.close().await;
                }
                drop(permit);
            });
        }
    }

    /// The connection, and whether it is encrypted; `None` if the client went away or never began.
    async fn begin(&self, socket: TcpStream) -> Option<(Stream, bool)> {
        let begun = async {
            let mut first_byte = [0];
            if socket.peek(&mut first_byte).await.ok()? == 0 {
                return None;
            }
            if first_byte[0] != TLS_HANDSHAKE {
                return Some((Stream::Plain(socket), false));
            }
            let stream = self.tls.accept(socket).await.ok()?;
            Some((Stream::Tls(Box::new(stream)), true))
        };
        tokio::time::timeout(HANDSHAKE_MAX, begun).await.ok()?
    }
}
