//! A cable to a node that can be cut: all connections through it end at once, and new ones work.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

pub struct Cable {
    pub address: SocketAddr,
    cut: Arc<Notify>,
    connections: Arc<AtomicUsize>,
}

impl Cable {
    pub async fn to(node: SocketAddr) -> Cable {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (cut, connections) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(accept(listener, node, Arc::clone(&cut), Arc::clone(&connections)));
        Cable { address, cut, connections }
    }

    pub fn cut(&self) {
        self.cut.notify_waiters();
    }

    /// How many were ever made.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, node: SocketAddr, cut: Arc<Notify>, connections: Arc<AtomicUsize>) {
    while let Ok((mut client, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::Relaxed);
        let cut = Arc::clone(&cut);
        tokio::spawn(async move {
            let Ok(mut server) = TcpStream::connect(node).await else { return };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                () = cut.notified() => {}
            }
        });
    }
}
