//! Members, strangers and cut links over real sockets.

use super::*;
use crate::inbox::Input;
use base::Locality;
use node::event::Event;
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

struct Nobody;

impl Admission for Nobody {
    fn admit(&self, request: Bytes) -> Pin<Box<dyn Future<Output = Bytes> + Send + '_>> {
        Box::pin(async move { request })
    }
}

struct Member {
    transport: Arc<Transport>,
    peer: Peer,
}

async fn member(cluster: &ClusterKeys, number: u32, zone: &str) -> Member {
    let node = NodeId(number);
    let keys = cluster.issue(node, &[]).expect("keys");
    let locality = Locality { city: "amber".into(), zone: zone.into() };
    let links = Arc::new(Links::new(locality.clone()));
    let transport = Transport::new(Handle::current(), cluster, &keys, links, Arc::default(), Arc::default()).expect("keys are sound");
    let transport = Arc::new(transport);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let acceptor = TlsAcceptor::from(Arc::new(tls::acceptor(cluster, &keys).expect("keys are sound")));
    tokio::spawn(listen(Arc::clone(&transport), listener, acceptor, Arc::new(Nobody)));
    Member { transport, peer: Peer { node, address, sql_address: String::new(), locality } }
}

/// The next frame that reaches a node, as its thread would see it.
async fn next_frame(member: &Member) -> (NodeId, Bytes) {
    let inbox = Arc::clone(&member.transport.inbox);
    let taken = tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        inbox.take(Instant::now() + Duration::from_secs(10), &mut out);
        out
    });
    match taken.await.expect("no panic").into_iter().next() {
        Some(Input::Event(Event::Peer { from, frame })) => (from, frame),
        _ => panic!("no frame arrived"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_reach_a_peer_that_knows_who_sent_them() {
    let cluster = ClusterKeys::make().expect("keys");
    let (one, two) = (member(&cluster, 1, "a1").await, member(&cluster, 2, "a2").await);
    one.transport.set_peers(&[one.peer.clone(), two.peer.clone()]);
    one.transport.send(NodeId(2), Bytes::from_static(b"hello"));
    assert_eq!(next_frame(&two).await, (NodeId(1), Bytes::from_static(b"hello")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_loses_frames_and_keeps_the_connection() {
    let cluster = ClusterKeys::make().expect("keys");
    let (one, two) = (member(&cluster, 1, "a1").await, member(&cluster, 2, "a2").await);
    one.transport.set_peers(std::slice::from_ref(&two.peer));
    one.transport.send(NodeId(2), Bytes::from_static(b"before"));
    assert_eq!(next_frame(&two).await.1, Bytes::from_static(b"before"));
    let cut = |zones: &str| serde_json::from_str(&format!("{{\"cut_zones\": {zones}}}")).expect("settings");
    one.transport.links.set(cut("[\"a2\"]")).expect("settings");
    one.transport.send(NodeId(2), Bytes::from_static(b"lost"));
    while one.transport.metrics.peer_frames_lost.get() == 0 {
        tokio::task::yield_now().await;
    }
    one.transport.links.set(cut("[]")).expect("settings");
    one.transport.send(NodeId(2), Bytes::from_static(b"after"));
    assert_eq!(next_frame(&two).await.1, Bytes::from_static(b"after"));
    assert_eq!(one.transport.metrics.peer_connections.get(), 1, "the same connection all the time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_other_clusters_are_refused() {
    let (cluster, stranger) = (ClusterKeys::make().expect("keys"), ClusterKeys::make().expect("keys"));
    let (one, two) = (member(&stranger, 1, "a1").await, member(&cluster, 2, "a2").await);
    one.transport.set_peers(std::slice::from_ref(&two.peer));
    one.transport.send(NodeId(2), Bytes::from_static(b"hello"));
    while two.transport.metrics.peer_refused.get() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(two.transport.metrics.peer_frames_in.get(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_removed_is_refused_and_told() {
    let cluster = ClusterKeys::make().expect("keys");
    let (one, two) = (member(&cluster, 1, "a1").await, member(&cluster, 2, "a2").await);
    one.transport.set_peers(std::slice::from_ref(&two.peer));
    one.transport.send(NodeId(2), Bytes::from_static(b"while it was a member"));
    next_frame(&two).await;
    two.transport.set_removed(vec![NodeId(1)]);
    one.transport.send(NodeId(2), Bytes::from_static(b"afterwards"));
    let mut expelled = one.transport.expelled.subscribe();
    expelled.wait_for(|expelled| *expelled).await.expect("its sender lives");
    assert!(two.transport.inbox.waiting() == 0, "nothing more was taken from it");
    // A new connection is refused as well.
    let again = member(&cluster, 1, "a1").await;
    again.transport.set_peers(std::slice::from_ref(&two.peer));
    again.transport.expelled.subscribe().wait_for(|expelled| *expelled).await.expect("its sender lives");
    assert!(!*two.transport.expelled.borrow());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_for_another_number_is_refused() {
    let cluster = ClusterKeys::make().expect("keys");
    let (one, two) = (member(&cluster, 1, "a1").await, member(&cluster, 2, "a2").await);
    let wrong = Peer { node: NodeId(3), ..two.peer.clone() };
    one.transport.set_peers(&[wrong]);
    while two.transport.metrics.peer_refused.get() == 0 {
        one.transport.send(NodeId(3), Bytes::from_static(b"hello"));
        tokio::task::yield_now().await;
    }
    assert_eq!(two.transport.metrics.peer_frames_in.get(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_certificate_can_only_ask_to_join() {
    let cluster = ClusterKeys::make().expect("keys");
    let two = member(&cluster, 2, "a2").await;
    let fingerprint = crate::identity::sha256(&cluster.ca_der().expect("sound"));
    let connect = async |fingerprint| {
        let connector = TlsConnector::from(Arc::new(tls::joiner(fingerprint).expect("settings")));
        let socket = TcpStream::connect(&two.peer.address).await.expect("it listens");
        connector.connect(crate::identity::ANY_NODE.try_into().expect("a name"), socket).await
    };
    let mut stream = connect(fingerprint).await.expect("the pinned authority");
    frame::write(&mut stream, b"let me in").await.expect("open");
    assert_eq!(frame::read(&mut stream, 100).await.expect("an answer"), Bytes::from_static(b"let me in"));
    assert!(connect([7; 32]).await.is_err(), "another authority than the token's");
}
