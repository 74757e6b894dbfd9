//! Bad input: each is told, and nothing is done.

use super::client::Client;
use super::{ADA, CASH, id, pay, with_books};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const TRANSFERS: &str = "/v1/ledger/transfers";

fn post(path: &str, kind: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn documents_and_queries_that_are_wrong_are_refused() {
    with_books("http-wrong", |mut client| async move {
        let json = "application/json";
        for body in ["{", "7", "\"x\"", "null", "{}}", "{}, {}", "[{}", "\u{0}", "{\"id\": 7}", "{\"amounts\": 1}", "[[]]", "[7]"] {
            let answer = client.raw(&post(TRANSFERS, json, body)).await.expect("an answer");
            assert!(answer.status == 400 || answer.status == 422, "{body}: {}", answer.text);
        }
        let deep = "[".repeat(100_000);
        assert_eq!(client.raw(&post(TRANSFERS, json, &deep)).await.expect("an answer").status, 400);
        let mut bytes = post(TRANSFERS, json, "{\"id\": \"xx\"}");
        let end = bytes.len() - 4;
        bytes[end] = 0xff;
        assert_eq!(client.raw(&bytes).await.expect("an answer").status, 400, "not UTF-8");
        assert_eq!(
            client.raw(&post(TRANSFERS, "text/plain", "{}")).await.expect("an answer").problem(),
            (415, "http:unsupported_media_type".into())
        );
        assert_eq!(client.raw(&post(TRANSFERS, json, "")).await.expect("an answer").status, 400);

        let wrong = |name: &str, value: Value| {
            let mut transfer = pay(1, CASH, ADA, 5);
            transfer[name] = value;
            transfer
        };
        for transfer in [
            wrong("amount", json!("1.5")),
            wrong("amount", json!("-1")),
            wrong("amount", json!("9".repeat(60))),
            wrong("amount", json!([])),
            wrong("id", json!("ada")),
            wrong("code", json!(65_536)),
            wrong("flags", json!(["fast"])),
            wrong("flags", json!("pending")),
            wrong("effective", json!("yesterday")),
            wrong("timeout", json!(-1)),
            wrong("debits", json!([{ "account": CASH }, 7])),
            wrong("surprise", json!(1)),
        ] {
            let list = json!([pay(2, CASH, ADA, 1), transfer]);
            let answer = client.send("POST", TRANSFERS, &list).await;
            assert_eq!(answer.problem(), (400, "sqlstate:22023".into()), "{list}: {}", answer.text);
        }
        assert_eq!(client.get(&format!("{TRANSFERS}/{}", id(2))).await.status, 404, "nothing of a list is done");
        let long: Vec<Value> = (0..8_191).map(|number| pay(number, CASH, ADA, 1)).collect();
        assert_eq!(client.send("POST", TRANSFERS, &json!(long)).await.problem(), (413, "sqlstate:54000".into()));

        for path in [
            "/v1/ledger/accounts?limit=0",
            "/v1/ledger/accounts?limit=1001",
            "/v1/ledger/accounts?color=red",
            "/v1/ledger/accounts?code=1&code=2",
            "/v1/ledger/accounts?parent=ada",
            "/v1/ledger/accounts?after=%zz",
            "/v1/ledger/accounts/ada",
            "/v1/ledger/transfers/1'--",
            "/v1/ledger/ledgers/x",
            "/v1/ledger/ledgers/4294967296",
            "/v1/ledger/transfers?from=today",
            "/v1/ledger/transfers?order=up",
            "/v1/ledger/transfers?after=7",
            "/v1/ledger/transfers?after=7.x",
            &format!("/v1/ledger/accounts/{ADA}/entries?after=-1.0"),
            &format!("/v1/ledger/accounts/{ADA}/entries?after=1.99999999999"),
            &format!("/v1/ledger/accounts/{ADA}/balance?as_of=1"),
        ] {
            assert_eq!(client.get(path).await.problem(), (400, "http:bad_request".into()), "{path}");
        }
        for path in ["/v1", "/v1/", "/v2/ledger", "/v1/ledger/transfers/", "/nothing"] {
            assert_eq!(client.get(path).await.problem().0, 404, "{path}");
        }
        let answer = client.try_send("DELETE", "/v1/ledger/accounts", None).await.expect("an answer");
        assert!(answer.status == 405 && answer.head.contains("Allow: GET, POST"), "{}", answer.head);
        for body in [json!({}), json!({ "ids": [] }), json!({ "ids": ["x"] }), json!({ "ids": vec![ADA; 257] }), json!([ADA])] {
            assert_eq!(client.send("POST", "/v1/ledger/accounts/lookup", &body).await.status, 400, "{body}");
        }
        for body in [
            json!({}),
            json!({ "through": "2026-01-01" }),
            json!({ "through": "2026-01-01T00:00:00.0000001Z" }),
            json!({ "through": "2200-01-01T00:00:00Z" }),
        ] {
            assert_eq!(client.send("POST", "/v1/ledger/ledgers/1/close", &body).await.status, 400, "{body}");
        }
        assert_eq!(client.send("POST", "/v1/ledger/ledgers/7/close", &json!({ "through": "2026-01-01T00:00:00Z" })).await.status, 404);
        assert_eq!(client.shown(TRANSFERS).await, json!({ "transfers": [] }));
    });
}

#[test]
fn what_is_no_request_is_told_and_what_is_too_large_is_not_read() {
    with_books("http-large", |mut client| async move {
        let address = client.address();
        for (bytes, status) in [
            ("\r\n\r\n\u{1}\r\n\r\n".to_owned(), 400),
            ("GET\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(), 400),
            (format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(20_000)), 431),
            (
                format!(
                    "POST {TRANSFERS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n\r\n"
                ),
                413,
            ),
            (
                format!(
                    "POST {TRANSFERS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                ),
                400,
            ),
            (
                format!(
                    "POST {TRANSFERS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
                ),
                400,
            ),
            (
                format!(
                    "POST {TRANSFERS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n500000\r\n"
                ),
                413,
            ),
        ] {
            let answer = Client::at(address).raw(bytes.as_bytes()).await.expect("an answer");
            assert_eq!(answer.status, status, "{bytes:.80}: {}", answer.text);
            assert!(answer.head.contains("Connection: close"), "nothing that follows could be understood");
        }
        let evil = "GET /v1/ledger/accounts HTTP/1.1\r\nHost: evil.example\r\n\r\n";
        assert_eq!(Client::at(address).raw(evil.as_bytes()).await.expect("an answer").problem(), (403, "http:foreign_host".into()));
        // A whole body that is 4 MiB of nothing is read, and is no JSON.
        let spaces = " ".repeat(4 << 20);
        assert_eq!(client.raw(&post(TRANSFERS, "application/json", &spaces)).await.expect("an answer").status, 400);
        let body = pay(1, CASH, ADA, 5).to_string();
        let (first, rest) = body.split_at(10);
        let head = format!("POST {TRANSFERS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json; charset=utf-8\r\n");
        let chunked =
            format!("{head}Transfer-Encoding: chunked\r\n\r\na;x=y\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\nTrailer: x\r\n\r\n", rest.len());
        assert_eq!(client.raw(chunked.as_bytes()).await.expect("an answer").status, 200);
        assert_eq!(
            client.raw(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.expect("an answer").status,
            200
        );

        // A hundred clients that say nothing, or half of something, hold up nobody.
        let mut silent = Vec::new();
        for number in 0..100 {
            let mut socket = TcpStream::connect(address).await.expect("it listens");
            if number % 2 == 0 {
                socket.write_all(b"GET /v1/led").await.expect("it reads");
            }
            silent.push(socket);
        }
        assert_eq!(client.shown(&format!("/v1/ledger/accounts/{ADA}")).await["posted"], "5");
    });
}
