//! PostgreSQL's protocol: listens, admits, and moves messages between clients and the node's sessions.
//!
//! Nothing here understands SQL; what a statement means is the session's affair, inside the node.

pub mod connection;
pub mod credentials;
pub mod decode;
pub mod encode;
pub mod pending;
pub mod startup;
pub mod stream;

use crate::inbox::{Inbox, Input};
use crate::metrics::Metrics;
use base::{Error, Result, SessionId, SqlState};
use bytes::{Bytes, BytesMut};
use credentials::Credentials;
use node::event::Event;
use rustc_hash::FxHashMap;
use sql::client::ClientResponse;
use startup::Outcome;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

/// From the connection to the end of authentication.
const STARTUP_MAX: Duration = Duration::from_secs(20);
/// Connections beyond the limit that are still heard, so that they can be told why they are refused.
const UNADMITTED_MAX: usize = 512;
/// How long a refused client may take to read why.
const REFUSAL_MAX: Duration = Duration::from_secs(2);
/// Pause after a failed `accept`, which mostly means that file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// A client that does not answer for this long after its connection went silent is gone.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Answers of the node on their way to one connection. Bounded by the node, which waits for `ClientDrained`.
pub enum Outgoing {
    Responses(Vec<ClientResponse>),
    /// Whether the client may be read from: not while too much of it waits in its session.
    Read(bool),
    Close,
}

pub type Outbox = mpsc::UnboundedSender<Outgoing>;

pub struct SqlServer {
    pub inbox: Arc<Inbox>,
    pub credentials: Arc<Credentials>,
    pub tls: Option<TlsAcceptor>,
    pub metrics: Arc<Metrics>,
    /// True while link emulation cuts this node off from its clients: nothing is read, written or closed.
    pub gate: watch::Receiver<bool>,
    pub connections_max: usize,
    pub sessions: Sessions,
    /// Where clients are served after their startup, if not where they were accepted.
    near: Option<Handle>,
    open: AtomicUsize,
    admitted: AtomicUsize,
}

/// Numbers sessions and knows the keys with which they can be cancelled.
#[derive(Default)]
pub struct Sessions {
    last: AtomicU64,
    keys: Mutex<FxHashMap<i32, (SessionId, Vec<u8>)>>,
}

impl Sessions {
    pub fn number(&self) -> SessionId {
        SessionId(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, FxHashMap<i32, (SessionId, Vec<u8>)>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session that this key may cancel.
    fn cancellable(&self, process: i32, secret: &[u8]) -> Option<SessionId> {
        let keys = self.lock();
        let (session, key) = keys.get(&process)?;
        // All bytes are compared, so that the time taken tells nothing about where they differ.
        let same = key.len() == secret.len() && key.iter().zip(secret).fold(0, |all, (a, b)| all | (a ^ b)) == 0;
        same.then_some(*session)
    }
}

/// Counts a connection for as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(counter: &'a AtomicUsize) -> Counted<'a> {
        counter.fetch_add(1, Ordering::AcqRel);
        Counted(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A client's place among those that the node serves, given back when it is dropped.
pub struct Place(Arc<SqlServer>);

impl Place {
    /// # Errors
    /// `53300` if there are too many clients already.
    pub fn take(server: &Arc<SqlServer>) -> Result<Place> {
        server.admit()?;
        server.admitted.fetch_add(1, Ordering::AcqRel);
        Ok(Place(Arc::clone(server)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.admitted.fetch_sub(1, Ordering::AcqRel);
    }
}

impl SqlServer {
    pub fn new(
        inbox: Arc<Inbox>,
        credentials: Arc<Credentials>,
        tls: Option<TlsAcceptor>,
        metrics: Arc<Metrics>,
        gate: watch::Receiver<bool>,
        connections_max: usize,
    ) -> SqlServer {
        let sessions = Sessions::default();
        SqlServer {
            inbox,
            credentials,
            tls,
            metrics,
            gate,
            connections_max,
            sessions,
            near: None,
            open: AtomicUsize::new(0),
            admitted: AtomicUsize::new(0),
        }
    }

    /// Clients without encryption are served there once they are authenticated. What costs processor time (handshakes, passwords, encryption)
    /// stays where they were accepted.
    #[must_use]
    pub fn serve_on(mut self, near: Option<Handle>) -> SqlServer {
        self.near = near;
        self
    }

    /// # Errors
    /// `53300` if there are too many clients already.
    pub fn admit(&self) -> Result<()> {
        if self.admitted.load(Ordering::Acquire) >= self.connections_max {
            self.metrics.sql_refused.add(1);
            return Err(Error::new(SqlState::TOO_MANY_CONNECTIONS, "sorry, too many clients already")
                .with_hint("close connections, use a pool, or start the node with a larger --connections-max"));
        }
        Ok(())
    }

    pub fn connections(&self) -> usize {
        self.admitted.load(Ordering::Relaxed)
    }

    /// Accepts clients until the runtime ends.
    pub async fn listen(self: Arc<SqlServer>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((socket, from)) => {
                    let server = Arc::clone(&self);
                    tokio::spawn(async move { server.connection(socket, from).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "a client's connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn connection(self: Arc<SqlServer>, socket: TcpStream, from: SocketAddr) {
        let _open = Counted::new(&self.open);
        self.metrics.sql_connections.add(1);
        let mut gate = self.gate.clone();
        if gate.wait_for(|silent| !silent).await.is_err() {
            return;
        }
        prepare(&socket);
        if self.open.load(Ordering::Acquire) > self.connections_max + UNADMITTED_MAX {
            self.metrics.sql_refused.add(1);
            let error = Error::new(SqlState::TOO_MANY_CONNECTIONS, "sorry, far too many clients already");
            return refuse(stream::Stream::Plain(socket), &error).await;
        }
        let outcome = tokio::time::timeout(STARTUP_MAX, startup::begin(&self, socket, from)).await;
        match outcome {
            Ok(Outcome::Client(client)) => self.session(client).await,
            Ok(Outcome::Cancel { process, secret }) => self.cancel(process, &secret).await,
            Ok(Outcome::Refused(stream, error)) => {
                tracing::debug!(%from, %error, "a client was refused");
                refuse(stream, &error).await;
            }
            Ok(Outcome::Gone) => {}
            Err(_) => tracing::debug!(%from, "a client did not finish its startup in time"),
        }
    }

    async fn session(self: &Arc<SqlServer>, client: startup::Client) {
        // Asked again, because many may have been authenticated at once.
        let admitted = Counted::new(&self.admitted);
        if self.admitted.load(Ordering::Acquire) > self.connections_max {
            drop(admitted);
            if let Err(error) = self.admit() {
                return refuse(client.stream, &error).await;
            }
            return;
        }
        let session = self.sessions.number();
        let process = session.0 as i32;
        let secret = credentials::random::<32>()[..if client.minor >= 2 { 32 } else { 4 }].to_vec();
        let mut greeting = BytesMut::new();
        encode::authentication_ok(&mut greeting);
        encode::backend_key(&mut greeting, process, &secret);
        self.sessions.lock().insert(process, (session, secret));
        let (outbox, answers) = mpsc::unbounded_channel();
        self.inbox.push(Input::Connect { session, outbox });
        match &self.near {
            Some(near) => self.serve_near(near, session, client, answers, greeting).await,
            None => connection::serve(self, session, client, answers, greeting).await,
        }
        self.sessions.lock().remove(&process);
    }

    async fn serve_near(
        self: &Arc<SqlServer>,
        near: &Handle,
        session: SessionId,
        client: startup::Client,
        answers: mpsc::UnboundedReceiver<Outgoing>,
        greeting: BytesMut,
    ) {
        let startup::Client { stream, user, database, parameters, minor, buffer } = client;
        let again = move |stream| startup::Client { stream, user, database, parameters, minor, buffer };
        let socket = match stream {
            stream::Stream::Plain(socket) => socket.into_std(),
            encrypted => return connection::serve(self, session, again(encrypted), answers, greeting).await,
        };
        let server = Arc::clone(self);
        let served = near.spawn(async move {
            // The socket belongs to the other thread's runtime from here on.
            match socket.and_then(TcpStream::from_std) {
                Ok(socket) => connection::serve(&server, session, again(stream::Stream::Plain(socket)), answers, greeting).await,
                Err(error) => {
                    tracing::warn!(%error, "a client's socket cannot be served");
                    server.inbox.event(Event::ClientGone { session });
                }
            }
        });
        // An error says that the node's thread has ended.
        let _ = served.await;
    }

    async fn cancel(&self, process: i32, secret: &Bytes) {
        if let Some(session) = self.sessions.cancellable(process, secret) {
            self.inbox.push_when_room([Input::Event(Event::Cancel { session })]).await;
        }
    }
}

fn prepare(socket: &TcpStream) {
    // Both only make things faster or find dead clients earlier: a failure is no reason to refuse.
    let _ = socket.set_nodelay(true);
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4);
    let _ = socket2::SockRef::from(socket).set_tcp_keepalive(&keepalive);
}

/// Tells a client why it is not served. It is read from until it closes, so that the error is not lost to a reset.
async fn refuse(mut stream: stream::Stream, error: &Error) {
    let farewell = async {
        stream.write_all(&encode::fatal(error)).await?;
        stream.shutdown().await?;
        let mut sink = [0; 1024];
        while stream.read(&mut sink).await? > 0 {}
        std::io::Result::Ok(())
    };
    // The client may be gone already.
    let _ = tokio::time::timeout(REFUSAL_MAX, farewell).await;
}
