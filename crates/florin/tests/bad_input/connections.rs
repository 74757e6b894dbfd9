//! What a connection may do wrong: bytes that are no messages, too many connections, wrong passwords, strangers on the port for nodes.

use crate::node::{Node, Scratch, code, connect, florin, refused, refused_start, runtime};
use crate::wire::{Wire, framed, startup};
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn malformed_truncated_and_oversized_messages_end_only_their_own_connection() {
    let scratch = Scratch::new("messages");
    let mut node = Node::start(&scratch.path("data"), &[]);
    node.run("CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (1)");
    let cases: &[(&[u8], &str)] = &[
        (b"\x01\0\0\0\x04", "08P01"),
        (b"Q\0\0\0\x02", "08P01"),
        (b"Q\x7f\xff\xff\xff", "54000"),
        (b"P\xff\xff\xff\xff", "54000"),
        (b"Q\0\0\0\x0fSELECT '\xff'\0", "22021"),
        (b"Q\0\0\0\x0cSELECT 1", "08P01"),
        (b"B\0\0\0\x05\0", "08P01"),
        (b"B\0\0\0\x0e\0\0\0\0\x7f\xff\0\0\0\0", "08P01"),
        (b"F\0\0\0\x08\0\0\0\x01", "0A000"),
        (b"p\0\0\0\x05\0", "08P01"),
    ];
    for (bytes, state) in cases {
        let mut wire = Wire::open(node.sql);
        wire.send(bytes);
        assert_eq!(wire.refusal(), *state, "{bytes:?}");
    }
    // Half a message, and no more.
    let mut wire = Wire::open(node.sql);
    wire.send(&framed(b'Q', b"INSERT INTO kept VALUES (2)\0")[..20]);
    drop(wire);
    for first in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"\0\0\0\0", b"\xff\xff\xff\xff\xff\xff\xff\xff", b"\0\0\0\x08\0\x02\0\0"] {
        let mut stranger = TcpStream::connect(node.sql).expect("it listens");
        stranger.write_all(first).expect("it reads");
        let mut said = Vec::new();
        stranger.read_to_end(&mut said).expect("it answers and closes");
        assert!(said.starts_with(b"E"), "{first:?} is answered by {said:?}");
    }
    assert_eq!(node.one("SELECT count(*) FROM kept"), "1");
    node.check();
}

#[test]
fn what_is_no_http_is_told_so_and_the_node_goes_on() {
    let scratch = Scratch::new("http");
    let mut node = Node::start(&scratch.path("data"), &["--http", "127.0.0.1:0"]);
    let address = node.http.expect("it was started with --http");
    for bytes in [
        &b"\0\0\0\x08\x04\xd2\x16\x2f\r\n\r\n"[..],
        b"\xff\xff\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stranger = TcpStream::connect(address).expect("it listens");
        stranger.write_all(bytes).expect("it reads");
        let mut said = Vec::new();
        stranger.read_to_end(&mut said).expect("it answers and closes");
        assert!(said.starts_with(b"HTTP/1.1 400 Bad Request\r\n"), "{bytes:?} is answered by {said:?}");
    }
    // What begins as TLS does, and is none.
    let mut stranger = TcpStream::connect(address).expect("it listens");
    stranger.write_all(b"\x16\x03\x01\0\x05hello").expect("it reads");
    let mut said = Vec::new();
    // It may be closed with what it sent unread.
    drop(stranger.read_to_end(&mut said));
    assert!(!said.starts_with(b"HTTP"));
    node.check();
}

#[test]
fn values_that_are_not_utf8_are_refused_and_the_session_goes_on() {
    let scratch = Scratch::new("utf8");
    let node = Node::start(&scratch.path("data"), &[]);
    node.run("CREATE TABLE words (word text)");
    let mut wire = Wire::open(node.sql);
    let parse = framed(b'P', b"\0INSERT INTO words VALUES ($1)\0\0\0");
    let bind = framed(b'B', b"\0\0\0\0\0\x01\0\0\0\x02\xc3\x28\0\0");
    wire.send(&[parse, bind, framed(b'E', b"\0\0\0\0\0"), framed(b'S', b"")].concat());
    let error = wire.until(b'Z').into_iter().find(|message| message.0 == b'E').expect("an error");
    assert_eq!(crate::wire::field(&error.1, b'C'), "22021");
    wire.send(&framed(b'Q', b"COPY words FROM STDIN\0"));
    wire.until(b'G');
    wire.send(&[framed(b'd', b"sound\nbr\xffken\n"), framed(b'c', b"")].concat());
    let error = wire.until(b'Z').into_iter().find(|message| message.0 == b'E').expect("an error");
    assert_eq!(crate::wire::field(&error.1, b'C'), "22021");
    wire.send(&framed(b'Q', b"INSERT INTO words VALUES ('goes on')\0"));
    assert!(wire.until(b'Z').iter().all(|message| message.0 != b'E'));
    assert_eq!(node.one("SELECT string_agg(word, ',') FROM words"), "goes on");
}

/// As many as an operator's mistake opens at once. Each is a real connection that stays open until all are there.
#[test]
fn ten_thousand_connections_against_a_limit_are_told_and_harm_nobody() {
    const COUNT: usize = 10_000;
    const LIMIT: usize = 100;
    if !raise_file_limit(COUNT as u64 + 500) {
        println!("skipped: this process may not open {COUNT} files (ulimit -Hn)");
        return;
    }
    let scratch = Scratch::new("connections");
    let mut node = Node::start(&scratch.path("data"), &["--connections-max", &LIMIT.to_string()]);
    node.run("CREATE TABLE kept (id int PRIMARY KEY)");
    let mut served = Wire::open(node.sql);
    let greeting = startup(3 << 16, &[("user", "florin")]);
    let mut wires = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let mut wire = Wire::connect(node.sql);
        // One that was refused at once may be closed already.
        drop(wire.0.write_all(&greeting));
        wires.push(wire);
    }
    served.send(&framed(b'Q', b"INSERT INTO kept VALUES (1)\0"));
    assert!(served.until(b'Z').iter().all(|message| message.0 != b'E'), "who is connected is served");
    let (mut admitted, mut told) = (0, 0);
    for wire in &mut wires {
        match wire.next() {
            Some((b'R', _)) => admitted += 1,
            Some((b'E', body)) => {
                assert_eq!(crate::wire::field(&body, b'C'), "53300");
                told += 1;
            }
            other => panic!("a connection heard {other:?}"),
        }
    }
    assert_eq!(admitted, LIMIT - 1, "one was there before");
    assert_eq!(told, COUNT - admitted);
    drop(wires);
    drop(served);
    let begun = std::time::Instant::now();
    while node.ask("SELECT 1").is_err() {
        assert!(begun.elapsed() < crate::node::ANSWER_MAX, "connections that ended still count");
    }
    assert_eq!(node.one("SELECT count(*) FROM kept"), "1");
    node.check();
}

#[allow(unsafe_code, reason = "resource limits have no safe interface in the standard library")]
fn raise_file_limit(wanted: u64) -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read or write the structure they are given, which lives across them.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) != 0 || limit.rlim_max < wanted {
            return false;
        }
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0
    }
}

#[test]
fn wrong_passwords_and_unknown_roles_are_refused_alike() {
    let scratch = Scratch::new("passwords");
    let node = Node::start(&scratch.path("data"), &[]);
    node.run("ALTER ROLE florin PASSWORD 'right'");
    // The node's connections hear of the new password at the latest with its next turn.
    let begun = std::time::Instant::now();
    while runtime().block_on(connect(&node, None)).is_ok() {
        assert!(begun.elapsed() < crate::node::ANSWER_MAX, "the password is never asked for");
    }
    runtime().block_on(async {
        for (user, password) in [("florin", "wrong"), ("florin", ""), ("nobody", "right"), ("florin", "x".repeat(4000).as_str())] {
            let error = connect(&node, Some((user, password))).await.expect_err("refused");
            assert!(["28P01", ""].contains(&code(&error).as_str()), "{user}: {error}");
        }
        let without = connect(&node, None).await.expect_err("a password is wanted");
        // The driver's own word: it was asked for one and has none.
        let why = std::error::Error::source(&without).map(ToString::to_string).unwrap_or_default();
        assert!(why.contains("password"), "{without}: {why}");
        connect(&node, Some(("florin", "right"))).await.expect("the right password");
    });
    let file = scratch.path("password");
    std::fs::write(&file, "wrong\n").expect("writable");
    let address = node.sql.to_string();
    let said = refused(florin(&["status", "--sql", &address, "--password-file"]).arg(&file));
    assert!(said.contains("password authentication failed"), "{said}");
    let said = refused(&mut florin(&["status", "--sql", &address]));
    assert!(said.contains("--password-file"), "{said}");
    std::fs::write(&file, "right\n").expect("writable");
    let status = florin(&["status", "--sql", &address, "--password-file"]).arg(&file).output().expect("the program was built");
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
}

#[test]
fn strangers_on_the_port_for_nodes_are_refused_and_told() {
    let scratch = Scratch::new("strangers");
    let mut node = Node::start(&scratch.path("data"), &[]);
    let mut other = Node::start(&scratch.path("other"), &[]);
    let token = |data: &str| {
        let text = std::fs::read_to_string(scratch.path(data).join("tls/cluster.json")).expect("made at the first start");
        let keys: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        keys["join_secret"].as_str().expect("a secret").to_owned()
    };
    // No TLS at all.
    for bytes in [&b"GET / HTTP/1.0\r\n\r\n"[..], &[0xff; 300]] {
        let mut stranger = TcpStream::connect(node.nodes).expect("it listens");
        stranger.write_all(bytes).expect("it reads");
        let mut said = Vec::new();
        // It may be closed with a reset.
        drop(stranger.read_to_end(&mut said));
        assert!(!said.starts_with(b"HTTP"));
    }
    let join = node.nodes.to_string();
    let new = scratch.path("new");
    let said = refused_start(&new, &["--join", &join, "--token", "nonsense"]);
    assert!(said.contains("no join token") && said.contains("hint"), "{said}");
    let fingerprint = "00".repeat(32);
    let stranger = format!("florin1-{}-{fingerprint}", token("data"));
    let said = refused_start(&new, &["--join", &join, "--token", &stranger]);
    assert!(said.contains("belongs to another cluster"), "{said}");
    let said = refused_start(&new, &["--join", &other.sql.to_string(), "--token", &stranger]);
    assert!(said.contains("could not be reached") || said.contains("hint"), "{said}");
    let said = refused_start(&new, &["--join", "127.0.0.1:1", "--token", &stranger]);
    assert!(said.contains("could not be reached") && said.contains("--join-retry"), "{said}");
    let said = refused_start(&new, &["--join", &join]);
    assert!(said.contains("--token"), "{said}");
    node.check();
    other.check();
}
