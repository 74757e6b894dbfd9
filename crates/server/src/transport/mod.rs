//! Connections between nodes: one outgoing connection to each peer, frames in order while it lasts, loss allowed.
//!
//! Frames are dropped, oldest first, when a peer takes less than is sent, and when it cannot be reached: the node sends again what
//! still matters. Nothing here understands a frame.

pub mod frame;
pub mod join;
pub mod links;
pub mod tls;

mod incoming;
mod outgoing;

pub use incoming::{Admission, listen};

use crate::identity::{ClusterKeys, NodeKeys};
use crate::inbox::Inbox;
use crate::metrics::Metrics;
use base::{NodeId, Result};
use bytes::Bytes;
use links::Links;
use node::event::Peer;
use outgoing::PeerLink;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

/// A peer that acknowledges nothing for this long is taken for unreachable, and the connection is made anew.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(5);

/// What a node that was removed from the cluster is told when it connects.
const REMOVED: &[u8] = b"removed";

pub struct Transport {
    own: NodeId,
    runtime: Handle,
    connector: TlsConnector,
    peers: Mutex<FxHashMap<NodeId, Arc<PeerLink>>>,
    /// Shut out for good: their certificates are still valid, their membership is not.
    removed: Mutex<BTreeSet<NodeId>>,
    /// True once this node has learned that it is one of them.
    pub expelled: Arc<watch::Sender<bool>>,
    pub links: Arc<Links>,
    pub inbox: Arc<Inbox>,
    pub metrics: Arc<Metrics>,
}

impl Transport {
    /// # Errors
    /// If keys are damaged.
    pub fn new(
        runtime: Handle,
        cluster: &ClusterKeys,
        node: &NodeKeys,
        links: Arc<Links>,
        inbox: Arc<Inbox>,
        metrics: Arc<Metrics>,
    ) -> Result<Transport> {
        let connector = TlsConnector::from(Arc::new(tls::connector(cluster, node)?));
        Ok(Transport {
            own: node.node,
            runtime,
            connector,
            peers: Mutex::default(),
            removed: Mutex::default(),
            expelled: Arc::new(watch::Sender::new(false)),
            links,
            inbox,
            metrics,
        })
    }

    /// Connects to these peers from now on, and to no others.
    pub fn set_peers(&self, peers: &[Peer]) {
        self.links.set_peers(peers.iter().map(|peer| (peer.node, peer.locality.clone())));
        let mut known = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|node, link| {
            let kept = peers.iter().any(|peer| peer.node == *node);
            if !kept {
                link.close();
            }
            kept
        });
        for peer in peers.iter().filter(|peer| peer.node != self.own) {
            match known.get(&peer.node) {
                Some(link) => link.set_address(&peer.address),
                None => {
                    let link = Arc::new(PeerLink::new(peer));
                    known.insert(peer.node, Arc::clone(&link));
                    let connect = outgoing::Connect {
                        connector: self.connector.clone(),
                        links: Arc::clone(&self.links),
                        metrics: Arc::clone(&self.metrics),
                        expelled: Arc::clone(&self.expelled),
                    };
                    self.runtime.spawn(outgoing::run(link, connect));
                }
            }
        }
    }

    /// These were removed from the cluster: nothing is taken from them any more.
    pub fn set_removed(&self, nodes: Vec<NodeId>) {
        if nodes.contains(&self.own) {
            self.expelled.send_replace(true);
        }
        *self.removed.lock().unwrap_or_else(PoisonError::into_inner) = nodes.into_iter().collect();
    }

    fn is_removed(&self, node: NodeId) -> bool {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner).contains(&node)
    }

    /// Queues a frame. It is lost if the peer is unknown.
    pub fn send(&self, to: NodeId, frame: Bytes) {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        match peers.get(&to) {
            Some(link) => link.push(frame, &self.metrics),
            None => self.metrics.peer_frames_lost.add(1),
        }
    }
}

/// Settings of a socket between nodes. All of them only make things faster, so a failure is no reason to refuse.
fn prepare(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let options = socket2::SockRef::from(socket);
    let _ = options.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4));
    let _ = options.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
}

#[cfg(test)]
mod tests;
