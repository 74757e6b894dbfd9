//! The connection to one peer: a bounded queue and the task that empties it.

use super::links::Links;
use super::{REMOVED, frame, prepare};
use crate::identity::node_name;
use crate::metrics::Metrics;
use base::NodeId;
use bytes::{Bytes, BytesMut};
use node::event::Peer;
use rustls::pki_types::ServerName;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Most frames, and bytes in them, that wait for one peer. Beyond either the oldest are dropped.
const QUEUE_FRAMES_MAX: usize = 16_384;
const QUEUE_BYTES_MAX: usize = 256 << 20;
/// Frames are joined up to about this many bytes for one write.
const WRITE_BYTES: usize = 256 << 10;
const CONNECT_MAX: Duration = Duration::from_secs(2);
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

pub struct PeerLink {
    node: NodeId,
    queue: Mutex<Queue>,
    changed: Notify,
}

struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    address: String,
    /// Counts changes of the address.
    address_changes: u64,
    closed: bool,
}

impl PeerLink {
    pub fn new(peer: &Peer) -> PeerLink {
        let queue = Queue { frames: VecDeque::new(), bytes: 0, address: peer.address.clone(), address_changes: 0, closed: false };
        PeerLink { node: peer.node, queue: Mutex::new(queue), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, frame: Bytes, metrics: &Metrics) {
        let mut queue = self.lock();
        while queue.frames.len() >= QUEUE_FRAMES_MAX || (queue.bytes + frame.len() > QUEUE_BYTES_MAX && !queue.frames.is_empty()) {
            queue.drop_oldest();
            metrics.peer_frames_lost.add(1);
        }
        let was_empty = queue.frames.is_empty();
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        drop(queue);
        if was_empty {
            self.changed.notify_one();
        }
    }

    pub fn set_address(&self, address: &str) {
        let mut queue = self.lock();
        if queue.address != address {
            address.clone_into(&mut queue.address);
            queue.address_changes += 1;
            drop(queue);
            self.changed.notify_one();
        }
    }

    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// What to connect to; `None` once the peer is no peer any more.
    fn address(&self) -> Option<(String, u64)> {
        let queue = self.lock();
        (!queue.closed).then(|| (queue.address.clone(), queue.address_changes))
    }

    /// Moves waiting frames to `out`, without those that an emulated cut swallows. False if the connection is to be given up.
    fn fill(&self, out: &mut BytesMut, address_changes: u64, links: &Links, metrics: &Metrics) -> bool {
        let mut queue = self.lock();
        if queue.closed || queue.address_changes != address_changes {
            return false;
        }
        let lost = !queue.frames.is_empty() && links.is_lost_to(self.node);
        while out.len() < WRITE_BYTES {
            let Some(frame) = queue.drop_oldest() else { break };
            if lost {
                metrics.peer_frames_lost.add(1);
            } else {
                metrics.peer_frames_out.add(1);
                metrics.peer_bytes_out.add(frame.len() as u64);
                frame::put(out, &frame);
            }
        }
        true
    }

    /// Frames that could not be sent are stale by the time the peer is back.
    fn forget(&self, metrics: &Metrics) {
        let mut queue = self.lock();
        metrics.peer_frames_lost.add(queue.frames.len() as u64);
        queue.frames.clear();
        queue.bytes = 0;
    }
}

impl Queue {
    fn drop_oldest(&mut self) -> Option<Bytes> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }
}

/// With what a peer is connected.
pub struct Connect {
    pub connector: TlsConnector,
    pub links: Arc<Links>,
    pub metrics: Arc<Metrics>,
    /// Told if the peer says that this node was removed from the cluster.
    pub expelled: Arc<watch::Sender<bool>>,
}

/// Keeps the peer connected until it is no peer any more.
pub async fn run(link: Arc<PeerLink>, with: Connect) {
    let Connect { connector, links, metrics, expelled } = with;
    let mut backoff = BACKOFF_MIN;
    let mut reported = false;
    while let Some((address, changes)) = link.address() {
        match tokio::time::timeout(CONNECT_MAX, connect(&connector, link.node, &address)).await {
            Ok(Ok(stream)) => {
                tracing::info!(peer = %link.node, %address, "connected");
                metrics.peer_connections.add(1);
                (backoff, reported) = (BACKOFF_MIN, false);
                match send(&link, stream, changes, &links, &metrics).await {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                        expelled.send_replace(true);
                        return;
                    }
                    Err(error) => tracing::info!(peer = %link.node, %error, "the connection broke"),
                }
            }
            failed => {
                if !reported {
                    let error = failed
                        .map_or_else(|_| "no answer in time".to_owned(), |result| result.err().map_or_else(String::new, |e| e.to_string()));
                    tracing::info!(peer = %link.node, %address, %error, "no connection; trying on");
                    reported = true;
                }
                link.forget(&metrics);
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
    }
}

async fn connect(connector: &TlsConnector, node: NodeId, address: &str) -> io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(address).await?;
    prepare(&socket);
    let name = ServerName::try_from(node_name(node)).map_err(io::Error::other)?;
    connector.connect(name, socket).await
}

/// Sends what comes until the connection breaks (an error) or is not wanted any more.
async fn send(link: &PeerLink, stream: TlsStream<TcpStream>, changes: u64, links: &Links, metrics: &Metrics) -> io::Result<()> {
    let (mut read, mut write) = tokio::io::split(stream);
    let mut out = BytesMut::new();
    let mut unexpected = [0; 64];
    loop {
        if !link.fill(&mut out, changes, links, metrics) {
            return write.shutdown().await;
        }
        let sending = async {
            if out.is_empty() {
                link.changed.notified().await;
                return Ok(());
            }
            write.write_all(&out).await?;
            write.flush().await
        };
        tokio::select! {
            biased;
            // A peer sends nothing on this connection: what comes is its end, or a refusal.
            result = read.read(&mut unexpected) => return Err(farewell(&unexpected[..result?])),
            result = sending => result?,
        }
        out.clear();
        if out.capacity() > 4 * WRITE_BYTES {
            out = BytesMut::new();
        }
    }
}

/// Why the peer ended the connection.
fn farewell(said: &[u8]) -> io::Error {
    if said == REMOVED {
        return io::Error::new(io::ErrorKind::PermissionDenied, "this node was removed from the cluster");
    }
    io::Error::new(io::ErrorKind::ConnectionReset, "closed by the peer")
}
