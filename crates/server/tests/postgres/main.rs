//! PostgreSQL's protocol over real sockets, against a node that answers by rote.

// Tests of sockets use sockets.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod fake;
mod wire;

use base::{Prng, SqlState};
use server::identity::ClusterKeys;
use server::inbox::Inbox;
use server::postgres::SqlServer;
use server::postgres::credentials::Credentials;
use server::transport::tls;
use sql::catalog::{Catalog, Role};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_postgres::{NoTls, SimpleQueryMessage};
use tokio_rustls::TlsAcceptor;
use wire::{Wire, field, framed, startup};

const PASSWORD: &str = "correct horse";

struct World {
    address: SocketAddr,
    seen: Arc<fake::Seen>,
    gate: watch::Sender<bool>,
    authority: ClusterKeys,
    runtime: tokio::runtime::Runtime,
}

fn world(password: bool, connections_max: usize) -> World {
    world_near(password, connections_max, None)
}

fn world_near(password: bool, connections_max: usize, near: Option<Handle>) -> World {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let inbox = Arc::new(Inbox::default());
    let credentials = Arc::new(Credentials::new());
    let scram = password.then(|| postgres_protocol::password::scram_sha_256(PASSWORD.as_bytes()));
    let mut catalog = Catalog::default();
    let role = Role { oid: 10, name: "florin".into(), superuser: true, login: true, create_database: true, create_role: true, scram };
    catalog.roles.insert("florin".into(), Arc::new(role));
    credentials.publish(Arc::new(catalog));
    let authority = ClusterKeys::make().expect("keys");
    let (chain, key) = authority.issue(base::NodeId(1), &[]).and_then(|keys| keys.parse()).expect("keys");
    let acceptor = TlsAcceptor::from(Arc::new(tls::for_clients(chain, key, tls::POSTGRESQL).expect("sound")));
    let gate = watch::Sender::new(false);
    let seen = fake::start(Arc::clone(&inbox));
    let server = SqlServer::new(inbox, credentials, Some(acceptor), Arc::default(), gate.subscribe(), connections_max).serve_on(near);
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("bound");
    runtime.spawn(Arc::new(server).listen(listener));
    World { address, seen, gate, authority, runtime }
}

/// As on a machine of few cores, where the node's own thread serves sockets.
#[test]
fn clients_are_served_on_another_runtime_once_they_are_authenticated() {
    let near = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let world = world_near(true, 10, Some(near.handle().clone()));
    let (done, ended) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || near.block_on(ended));
    world.runtime.block_on(async {
        let client = connect(config(&world).password(PASSWORD)).await.expect("the right password");
        assert_eq!(echo(&client, "select 1").await, "select 1");
        let row = client.query_one("select $1", &[&"parameter"]).await.expect("an answer");
        assert_eq!(row.get::<_, &str>(0), "parameter");
        drop(client);
        while world.seen.gone.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    });
    done.send(()).expect("the thread waits for it");
    thread.join().expect("no panic").expect("it was told");
}

fn config(world: &World) -> tokio_postgres::Config {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(world.address.port()).user("florin").dbname("bank");
    config
}

async fn connect(config: &tokio_postgres::Config) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn echo(client: &tokio_postgres::Client, sql: &str) -> String {
    let answer = client.simple_query(sql).await.expect("an answer");
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    row.expect("a row").to_owned()
}

#[test]
fn an_ordinary_client_speaks_both_protocols() {
    let world = world(false, 10);
    world.runtime.block_on(async {
        let client = connect(&config(&world)).await.expect("trusted on loopback");
        assert_eq!(echo(&client, "select 1").await, "select 1");
        let row = client.query_one("select $1", &[&"parameter"]).await.expect("an answer");
        assert_eq!(row.get::<_, &str>(0), "parameter");
        assert_eq!(*world.seen.opened.lock().expect("no panic"), [("florin".to_owned(), "bank".to_owned())]);
    });
}

#[test]
fn passwords_are_proved_and_wrong_ones_refused() {
    let world = world(true, 10);
    world.runtime.block_on(async {
        let client = connect(config(&world).password(PASSWORD)).await.expect("the right password");
        assert_eq!(echo(&client, "hello").await, "hello");
        for (user, password) in [("florin", "wrong"), ("nobody", PASSWORD)] {
            let error = connect(config(&world).user(user).password(password)).await.expect_err("refused");
            assert_eq!(error.code().map(|code| code.code()), Some(SqlState::INVALID_PASSWORD.as_str()), "{user}: {error}");
        }
    });
}

#[test]
fn a_client_may_encrypt_and_verify() {
    let world = world(true, 10);
    world.runtime.block_on(async {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(world.authority.ca_der().expect("sound")).expect("sound");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let settings = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("known");
        let connector = tokio_rustls::TlsConnector::from(Arc::new(settings.with_root_certificates(roots).with_no_client_auth()));
        for asked in [true, false] {
            let mut socket = tokio::net::TcpStream::connect(world.address).await.expect("it listens");
            if asked {
                socket.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.expect("open");
                assert_eq!(socket.read_u8().await.expect("an answer"), b'S');
            }
            let mut stream = connector.connect("localhost".try_into().expect("a name"), socket).await.expect("the authority is known");
            stream.write_all(&startup(3 << 16, &[("user", "florin")])).await.expect("open");
            let mut answer = [0; 9];
            stream.read_exact(&mut answer).await.expect("an answer");
            assert_eq!(answer, [b'R', 0, 0, 0, 23, 0, 0, 0, 10], "a SASL request inside TLS");
        }
    });
}

#[test]
fn bytes_smuggled_in_before_the_handshake_are_refused() {
    let world = world(false, 10);
    let mut wire = Wire::connect(world.address);
    let mut bytes = vec![0, 0, 0, 8, 4, 210, 22, 47];
    bytes.extend(startup(3 << 16, &[("user", "florin")]));
    wire.send(&bytes);
    assert_eq!(wire.refusal(), SqlState::PROTOCOL_VIOLATION.as_str());
}

#[test]
fn newer_protocol_versions_are_negotiated_down() {
    let world = world(false, 10);
    let mut wire = Wire::connect(world.address);
    wire.send(&startup((3 << 16) | 9999, &[("user", "florin"), ("_pq_.wish", "1")]));
    let messages = wire.until(b'Z');
    assert_eq!(messages[0], (b'v', b"\0\x03\0\x02\0\0\0\x01_pq_.wish\0".to_vec()));
    let key = messages.iter().find(|message| message.0 == b'K').expect("a key");
    assert_eq!(key.1.len(), 4 + 32, "protocol 3.2 has long keys");
    let mut old = Wire::connect(world.address);
    old.send(&startup(2 << 16, &[]));
    assert_eq!(old.refusal(), SqlState::FEATURE_NOT_SUPPORTED.as_str());
}

#[test]
fn gss_encryption_is_declined_and_the_client_goes_on() {
    let world = world(false, 10);
    let mut wire = Wire::connect(world.address);
    wire.send(&[0, 0, 0, 8, 4, 210, 22, 48]);
    let mut answer = [0];
    std::io::Read::read_exact(&mut wire.0, &mut answer).expect("an answer");
    assert_eq!(answer, *b"N");
    wire.send(&startup(3 << 16, &[("user", "florin")]));
    wire.until(b'Z');
}

#[test]
fn a_long_pipeline_is_answered_in_order() {
    let world = world(false, 10);
    let mut wire = Wire::open(world.address);
    let mut bytes = Vec::new();
    const COUNT: usize = 2000;
    for number in 0..COUNT {
        let value = format!("{number:08}");
        bytes.extend(framed(b'P', b"\0select $1\0\0\0"));
        bytes.extend(framed(b'B', &[&b"\0\0\0\0\0\x01\0\0\0\x08"[..], value.as_bytes(), b"\0\0"].concat()));
        bytes.extend(framed(b'E', b"\0\0\0\0\0"));
        bytes.extend(framed(b'S', b""));
    }
    wire.send(&bytes);
    for number in 0..COUNT {
        let (kinds, bodies): (Vec<u8>, Vec<Vec<u8>>) = wire.until(b'Z').into_iter().unzip();
        assert_eq!(kinds, b"12DCZ");
        assert!(bodies[2].ends_with(format!("{number:08}").as_bytes()));
    }
}

#[test]
fn a_running_statement_is_cancelled_with_the_right_key_only() {
    let world = world(false, 10);
    world.runtime.block_on(async {
        let mut wire = Wire::connect(world.address);
        wire.send(&startup(3 << 16, &[("user", "florin")]));
        let greeting = wire.until(b'Z');
        let key = greeting.into_iter().find(|message| message.0 == b'K').expect("a key").1;
        wire.send(&framed(b'Q', b"sleep\0"));
        let cancel = |key: &[u8]| {
            let mut request = Wire::connect(world.address);
            request.send(&[&[0, 0, 0, 16, 4, 210, 22, 46][..], key].concat());
            assert!(request.next().is_none(), "a cancel request is not answered");
        };
        let mut wrong = key.clone();
        wrong[7] ^= 1;
        cancel(&wrong);
        wire.send(&framed(b'Q', b"still here\0"));
        assert_eq!(wire.until(b'Z').len(), 4, "the wrong key cancelled nothing");
        cancel(&key);
        let messages = wire.until(b'Z');
        assert_eq!(field(&messages[0].1, b'C'), SqlState::QUERY_CANCELED.as_str());
    });
}

#[test]
fn copy_data_streams_in() {
    let world = world(false, 10);
    let mut wire = Wire::open(world.address);
    wire.send(&framed(b'Q', b"copy\0"));
    assert_eq!(wire.until(b'G').len(), 1);
    let chunk = framed(b'd', &[b'x'; 50_000]);
    (0..200).for_each(|_| wire.send(&chunk));
    wire.send(&framed(b'c', b""));
    let messages = wire.until(b'Z');
    assert_eq!(messages[0], (b'C', b"COPY 10000000\0".to_vec()));
}

#[test]
fn a_large_answer_arrives_whole_and_the_node_hears_what_was_taken() {
    let world = world(false, 10);
    let mut wire = Wire::open(world.address);
    wire.send(&framed(b'Q', b"rows 5000\0"));
    let messages = wire.until(b'Z');
    assert_eq!(messages.iter().filter(|message| message.0 == b'D').count(), 5000);
    while world.seen.drained.load(Ordering::SeqCst) < 5000 {
        std::thread::yield_now();
    }
}

#[test]
fn malformed_messages_end_the_connection_with_their_code() {
    let world = world(false, 10);
    let cases: [(&[u8], SqlState); 6] = [
        (b"\x01\0\0\0\x04", SqlState::PROTOCOL_VIOLATION),
        (b"Q\0\0\0\x02", SqlState::PROTOCOL_VIOLATION),
        (b"Q\x7f\xff\xff\xff", SqlState::PROGRAM_LIMIT_EXCEEDED),
        (b"Q\0\0\0\x06\xff\0", SqlState::CHARACTER_NOT_IN_REPERTOIRE),
        (b"B\0\0\0\x05\0", SqlState::PROTOCOL_VIOLATION),
        (b"F\0\0\0\x04", SqlState::FEATURE_NOT_SUPPORTED),
    ];
    for (bytes, state) in cases {
        let mut wire = Wire::open(world.address);
        wire.send(bytes);
        assert_eq!(wire.refusal(), state.as_str(), "{bytes:?}");
    }
    Wire::open(world.address);
}

#[test]
fn a_startup_without_a_user_is_refused() {
    let world = world(false, 10);
    let mut wire = Wire::connect(world.address);
    wire.send(&startup(3 << 16, &[]));
    assert_eq!(wire.refusal(), SqlState::INVALID_AUTHORIZATION.as_str());
}

#[test]
fn connections_beyond_the_limit_are_told_and_later_ones_served() {
    let world = world(false, 3);
    let mut kept: Vec<Wire> = (0..3).map(|_| Wire::open(world.address)).collect();
    for _ in 0..20 {
        let mut refused = Wire::connect(world.address);
        refused.send(&startup(3 << 16, &[("user", "florin")]));
        assert_eq!(refused.refusal(), SqlState::TOO_MANY_CONNECTIONS.as_str());
    }
    kept.pop().expect("three").send(&framed(b'X', b""));
    loop {
        let mut wire = Wire::connect(world.address);
        wire.send(&startup(3 << 16, &[("user", "florin")]));
        if wire.next().is_some_and(|message| message.0 == b'R') {
            break;
        }
    }
}

#[test]
fn a_flood_of_connections_harms_nobody() {
    let world = world(false, 50);
    let mut served = Wire::open(world.address);
    let flood: Vec<Wire> = (0..800).map(|_| Wire::connect(world.address)).collect();
    served.send(&framed(b'Q', b"still served\0"));
    assert_eq!(served.until(b'Z').len(), 4);
    drop(flood);
    // Refused for as long as the server has not noticed that the others are gone.
    let begun = std::time::Instant::now();
    let mut later = loop {
        let mut wire = Wire::connect(world.address);
        wire.send(&startup(3 << 16, &[("user", "florin")]));
        match std::iter::from_fn(|| wire.next()).find(|message| [b'Z', b'E'].contains(&message.0)) {
            Some((b'Z', _)) => break wire,
            refused => assert!(begun.elapsed().as_secs() < 10, "still refused: {refused:?}"),
        }
    };
    later.send(&framed(b'Q', b"later\0"));
    assert_eq!(later.until(b'Z').len(), 4);
}

#[test]
fn a_client_that_vanishes_is_noticed() {
    let world = world(false, 10);
    drop(Wire::open(world.address));
    while world.seen.gone.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
}

#[test]
fn what_was_asked_before_a_goodbye_is_still_answered() {
    let world = world(false, 10);
    let mut wire = Wire::open(world.address);
    wire.send(&[framed(b'Q', b"last words\0"), framed(b'X', b"")].concat());
    assert_eq!(wire.until(b'Z').len(), 4);
    assert!(wire.next().is_none());
}

#[test]
fn clients_of_a_cut_node_hear_nothing_until_it_is_healed() {
    let world = world(false, 10);
    let mut wire = Wire::open(world.address);
    world.gate.send_replace(true);
    wire.send(&framed(b'Q', b"hello?\0"));
    wire.0.set_read_timeout(Some(std::time::Duration::from_millis(50))).expect("a time");
    assert!(wire.next().is_none(), "no answer, and no end of the connection either");
    wire.0.set_read_timeout(Some(std::time::Duration::from_secs(10))).expect("a time");
    world.gate.send_replace(false);
    assert_eq!(wire.until(b'Z').len(), 4);
}

/// Sessions made of well-formed messages with bytes changed, cut short, repeated: the server refuses or answers, and goes on.
#[test]
fn mutated_sessions_neither_stop_nor_block_the_server() {
    let world = world(false, 100);
    let mut prng = Prng::new(20_261_122);
    let sound = [
        startup(3 << 16, &[("user", "florin"), ("database", "bank")]),
        framed(b'Q', b"select 1\0"),
        framed(b'P', b"s\0select $1\0\0\x01\0\0\0\x19"),
        framed(b'B', b"\0s\0\0\x01\0\x01\0\x01\0\0\0\x02ab\0\0"),
        framed(b'D', b"Ss\0"),
        framed(b'E', b"\0\0\0\0\0"),
        framed(b'S', b""),
        framed(b'd', b"1\t2\n"),
        framed(b'c', b""),
        framed(b'p', b"secret\0"),
    ]
    .concat();
    for _ in 0..1500 {
        let mut bytes = sound.clone();
        for _ in 0..=prng.below(8) {
            let at = prng.below(bytes.len() as u64) as usize;
            match prng.below(3) {
                0 => bytes[at] = prng.next_u64() as u8,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.extend_from_within(at..),
            }
        }
        let mut wire = Wire::connect(world.address);
        // The server may have closed the connection at an early byte.
        let _ = std::io::Write::write_all(&mut wire.0, &bytes);
    }
    let mut wire = loop {
        // The last of the broken connections may still count.
        let mut wire = Wire::connect(world.address);
        wire.send(&startup(3 << 16, &[("user", "florin")]));
        if wire.next().is_some_and(|message| message.0 == b'R') {
            break wire;
        }
    };
    wire.until(b'Z');
    wire.send(&framed(b'Q', b"sound\0"));
    assert_eq!(wire.until(b'Z').len(), 4);
}
