//! Many clients at once, and clients that go away: each amount moves once.

use super::client::Client;
use super::{ADA, BOB, CASH, id, pay, with_books};
use crate::cable::Cable;
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[test]
fn each_amount_moves_once_although_connections_are_cut() {
    with_books("http-cut", |mut client| async move {
        let cable = Cable::to(client.address()).await;
        let mut tasks = Vec::new();
        for task in 0..8_u32 {
            let mut client = Client::at(cable.address);
            tasks.push(tokio::spawn(async move {
                let mut tries = 0;
                for number in 0..30 {
                    let (debit, credit) = if number % 3 == 0 { (CASH, BOB) } else { (CASH, ADA) };
                    let one = pay(task * 1_000 + number, debit, credit, 1);
                    let body = if number % 2 == 0 { one } else { json!([one]) };
                    // As a client should: the same id until there is an answer.
                    loop {
                        tries += 1;
                        match client.try_send("POST", "/v1/ledger/transfers", Some(&body)).await {
                            Some(answer) if answer.status == 200 => break,
                            Some(answer) => assert!([429, 503].contains(&answer.status), "{}", answer.text),
                            None => {}
                        }
                    }
                }
                tries
            }));
        }
        let cutter = async {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(15)).await;
                cable.cut();
            }
        };
        let (all, ()) = tokio::join!(futures_of(tasks), cutter);
        assert!(all > 240, "a connection was cut in the middle");
        let posted = |value: serde_json::Value| value["posted"].as_str().expect("text").to_owned();
        assert_eq!(posted(client.shown(&format!("/v1/ledger/accounts/{ADA}/balance")).await), "160");
        assert_eq!(posted(client.shown(&format!("/v1/ledger/accounts/{BOB}/balance")).await), "80");
        assert_eq!(client.shown("/v1/ledger/audit").await["sound"], true);
    });
}

async fn futures_of(tasks: Vec<tokio::task::JoinHandle<u32>>) -> u32 {
    let mut sum = 0;
    for task in tasks {
        sum += task.await.expect("no panic");
    }
    sum
}

#[test]
fn a_client_that_goes_away_leaves_no_session_behind() {
    with_books("http-gone", |mut client| async move {
        let address = client.address();
        let body = pay(1, CASH, ADA, 5).to_string();
        for number in 0..20 {
            let mut socket = TcpStream::connect(address).await.expect("it listens");
            let head = format!(
                "POST /v1/ledger/transfers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let sent = format!("{head}{}", &body[..if number % 2 == 0 { body.len() } else { 20 }]);
            socket.write_all(sent.as_bytes()).await.expect("it reads");
        }
        let mut sessions = String::new();
        for _ in 0..500 {
            let page = client.raw(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("an answer").text;
            sessions = page.lines().find(|line| line.starts_with("florin_sql_sessions ")).expect("a gauge").to_owned();
            if sessions == "florin_sql_sessions 1" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(sessions, "florin_sql_sessions 1", "only this client's own");
        let first = client.done("POST", "/v1/ledger/transfers", &pay(1, CASH, ADA, 5)).await;
        assert_eq!(client.shown(&format!("/v1/ledger/transfers/{}", id(1))).await["timestamp"], first["timestamp"]);
        assert_eq!(client.shown(&format!("/v1/ledger/accounts/{ADA}")).await["posted"], "5");
    });
}

#[test]
fn pages_for_probes_are_answered_on_one_connection() {
    with_books("http-pages-of-node", |mut client| async move {
        for (path, expected) in [("/health", "ok\n"), ("/metrics", "florin_http_requests_total"), ("/status", "\"shards\"")] {
            let answer = client.raw(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.expect("an answer");
            assert!(answer.status == 200 && answer.text.contains(expected), "{path}: {}", answer.text);
        }
        let old = client.raw(b"GET /health HTTP/1.0\r\n\r\n").await.expect("an answer");
        assert!(old.status == 200 && old.head.contains("Connection: close"), "{}", old.head);
    });
}

#[test]
fn who_is_one_too_many_is_told_when_to_come_again() {
    with_books("http-many", |mut client| async move {
        // Those who wait for changes have their own places, all taken now.
        let waiting: Vec<_> = (0..32)
            .map(|_| {
                let mut follower = Client::at(client.address());
                tokio::spawn(async move { follower.shown("/v1/ledger/changes?wait=20").await })
            })
            .collect();
        let mut late = Client::at(client.address());
        let told = loop {
            let answer = late.get("/v1/ledger/changes").await;
            if answer.status != 200 {
                break answer;
            }
        };
        assert_eq!(told.problem(), (429, "http:too_many_requests".into()));
        client.done("POST", "/v1/ledger/transfers", &pay(1, CASH, ADA, 5)).await;
        for follower in waiting {
            assert_eq!(follower.await.expect("no panic")["changes"][0]["transfer"]["id"], id(1), "each hears of it");
        }

        let (mut sockets, mut clients) = (Vec::new(), Vec::new());
        let refused = loop {
            assert!(clients.len() < 100, "connections have a bound");
            let mut socket = TcpStream::connect(client.address()).await.expect("it listens");
            // The bound is reached: what comes then is answered before it asked for anything.
            if sockets.len() > 500 {
                socket.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it reads");
                let mut last = Client::over(client.address(), Box::new(socket));
                let answer = last.raw(b"").await.expect("an answer");
                if answer.status != 200 {
                    break answer;
                }
                clients.push(last);
            } else {
                sockets.push(socket);
            }
        };
        assert_eq!(refused.problem(), (503, "http:too_many_connections".into()));
        drop((sockets, clients));
        assert_eq!(client.shown(&format!("/v1/ledger/accounts/{ADA}")).await["posted"], "5");
    });
}
