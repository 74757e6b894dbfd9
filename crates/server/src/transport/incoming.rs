//! Connections from other nodes: who it is, then its frames; or a stranger who asks to join.

use super::frame::{self, FRAME_BYTES_MAX, JOIN_BYTES_MAX};
use super::links::Passage;
use super::{REMOVED, Transport, prepare, tls};
use crate::identity::node_of;
use crate::inbox::Input;
use base::NodeId;
use bytes::{Bytes, BytesMut};
use node::event::Event;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// A join writes to the cluster, which may be busy with a failure.
const JOIN_MAX: Duration = Duration::from_secs(30);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Most handshakes and joins at once.
const STRANGERS_MAX: usize = 64;
const READ_BYTES: usize = 64 << 10;

/// Answers a stranger's request to join.
pub trait Admission: Send + Sync {
    fn admit(&self, request: Bytes) -> Pin<Box<dyn Future<Output = Bytes> + Send + '_>>;
}

/// Accepts other nodes until the runtime ends.
pub async fn listen(transport: Arc<Transport>, listener: TcpListener, acceptor: TlsAcceptor, admission: Arc<dyn Admission>) {
    let strangers = Arc::new(Semaphore::new(STRANGERS_MAX));
    loop {
        match listener.accept().await {
            Ok((socket, from)) => {
                let Ok(permit) = Arc::clone(&strangers).try_acquire_owned() else {
                    transport.metrics.peer_refused.add(1);
                    continue;
                };
                let (transport, acceptor, admission) = (Arc::clone(&transport), acceptor.clone(), Arc::clone(&admission));
                tokio::spawn(async move {
                    if let Some((node, stream)) = greet(&transport, &acceptor, &*admission, socket, from).await {
                        drop(permit);
                        receive(&transport, node, stream).await;
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a node's connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The member on the other side; `None` if it was none, and has been dealt with.
async fn greet(
    transport: &Transport,
    acceptor: &TlsAcceptor,
    admission: &dyn Admission,
    socket: TcpStream,
    from: SocketAddr,
) -> Option<(NodeId, TlsStream<TcpStream>)> {
    prepare(&socket);
    let refused = |why: &str| {
        transport.metrics.peer_refused.add(1);
        tracing::warn!(%from, why, "a connection on the port for nodes was refused");
    };
    let mut stream = match tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            refused(&error.to_string());
            return None;
        }
        Err(_) => {
            refused("no TLS handshake in time");
            return None;
        }
    };
    let (_, session) = stream.get_ref();
    if session.alpn_protocol() == Some(tls::JOIN) {
        if let Err(error) = tokio::time::timeout(JOIN_MAX, join(&mut stream, admission)).await.unwrap_or_else(|late| Err(late.into())) {
            refused(&error.to_string());
        }
        return None;
    }
    let node = session.peer_certificates().and_then(|chain| chain.first()).and_then(node_of);
    match node {
        Some(node) if transport.is_removed(node) => {
            refused(&format!("node {} was removed from the cluster", node.0));
            // It may be gone already; if not it learns why.
            let _ = tokio::time::timeout(HANDSHAKE_MAX, tell_removed(&mut stream)).await;
            None
        }
        Some(node) => {
            transport.metrics.peer_connections.add(1);
            Some((node, stream))
        }
        None => {
            refused("no certificate of this cluster: join it with `florin start --join ADDRESS --token TOKEN`");
            None
        }
    }
}

async fn join(stream: &mut TlsStream<TcpStream>, admission: &dyn Admission) -> std::io::Result<()> {
    let request = frame::read(stream, JOIN_BYTES_MAX).await?;
    let answer = admission.admit(request).await;
    frame::write(stream, &answer).await?;
    stream.shutdown().await
}

async fn tell_removed(stream: &mut TlsStream<TcpStream>) -> std::io::Result<()> {
    stream.write_all(REMOVED).await?;
    stream.shutdown().await?;
    // Read until it closes, so that the word is not lost to a reset.
    let mut sink = [0; 1024];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}

/// Hands a member's frames to the node until the connection ends.
async fn receive(transport: &Transport, from: NodeId, mut stream: TlsStream<TcpStream>) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(READ_BYTES);
        match stream.read_buf(&mut buffer).await {
            Ok(bytes) if bytes > 0 => {}
            _ => return,
        }
        if transport.is_removed(from) {
            // What it says does not count, also while it is told why.
            let _ = tokio::time::timeout(HANDSHAKE_MAX, tell_removed(&mut stream)).await;
            return;
        }
        let mut inputs = Vec::new();
        loop {
            match frame::take(&mut buffer, FRAME_BYTES_MAX) {
                Ok(Some(frame)) => inputs.extend(pass(transport, from, frame)),
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(peer = %from, %error, "the peer sends what is no frame");
                    return;
                }
            }
        }
        if !inputs.is_empty() {
            transport.inbox.push_when_room(inputs).await;
        }
    }
}

/// The frame, if it arrives at once; emulated links lose or delay it.
fn pass(transport: &Transport, from: NodeId, frame: Bytes) -> Option<Input> {
    transport.metrics.peer_frames_in.add(1);
    transport.metrics.peer_bytes_in.add(frame.len() as u64);
    let input = Input::Event(Event::Peer { from, frame });
    let kept = match transport.links.arrival(from) {
        Passage::After(Duration::ZERO) => return Some(input),
        Passage::After(delay) => transport.inbox.push_at(Instant::now() + delay, input),
        Passage::Lost => false,
    };
    if !kept {
        transport.metrics.peer_frames_lost.add(1);
    }
    None
}
