//! Who may ask: the roles of the database and their passwords, and nobody else.

use super::client::Client;
use super::{ADA, CASH, pay};
use crate::node::{Node, Scratch, connect, runtime};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// HTTP Basic for role and password that are in Base64 already.
fn basic(encoded: &str) -> Option<String> {
    Some(format!("Basic {encoded}"))
}

async fn encrypted(node: &Node, authority: &Path) -> Client {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(authority).expect("each node has it");
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.expect("well-formed")).expect("sound");
    }
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let mut config = builder.with_safe_default_protocol_versions().expect("sound").with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let address = node.http.expect("it was started with --http");
    let socket = TcpStream::connect(address).await.expect("it listens");
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let socket = TlsConnector::from(Arc::new(config)).connect(name, socket).await.expect("it is the cluster's");
    Client::over(address, Box::new(socket))
}

#[test]
fn with_passwords_nothing_is_answered_without_one() {
    let scratch = Scratch::new("http-secrets");
    let data = scratch.path("data");
    let node = Node::start(&data, &["--http", "127.0.0.1:0"]);
    node.run("CREATE ROLE teller LOGIN PASSWORD 'sesame'; CREATE ROLE clerk PASSWORD 'sesame'");
    runtime().block_on(async {
        let mut client = Client::of(&node);
        let told = client.get("/v1/ledger/accounts").await;
        assert!(told.problem() == (401, "http:unauthorized".into()) && told.head.contains("WWW-Authenticate: Basic"), "{}", told.head);
        // teller:wrong, florin: with nothing, nobody:sesame, clerk:sesame, who may not log in, and what is no Basic.
        for wrong in [
            "Basic dGVsbGVyOndyb25n",
            "Basic ZmxvcmluOg==",
            "Basic bm9ib2R5OnNlc2FtZQ==",
            "Basic Y2xlcms6c2VzYW1l",
            "Basic !",
            "Bearer x",
            "Basic",
        ] {
            client.authorization = Some(wrong.to_owned());
            for path in ["/v1/ledger/accounts", "/v1/openapi.json", "/v1/nothing"] {
                assert_eq!(client.get(path).await.status, 401, "{wrong} {path}");
            }
            assert_eq!(client.send("POST", "/v1/ledger/ledgers", &json!({ "id": 1, "name": "x" })).await.status, 401);
        }
        assert!(connect(&node, Some(("clerk", "sesame"))).await.is_err(), "neither over PostgreSQL's protocol");
        client.authorization = basic("dGVsbGVyOnNlc2FtZQ==");
        client.done("POST", "/v1/ledger/ledgers", &json!({ "id": 1, "name": "euro" })).await;
        client
            .done("POST", "/v1/ledger/accounts", &json!([{ "id": CASH, "ledger": 1, "code": 1 }, { "id": ADA, "ledger": 1, "code": 1 }]))
            .await;
        assert!(client.shown("/v1/openapi.json").await["paths"].is_object());

        let mut over_tls = encrypted(&node, &data.join("tls/ca.pem")).await;
        assert_eq!(over_tls.get("/v1/ledger/accounts").await.status, 401);
        let mut over_tls = encrypted(&node, &data.join("tls/ca.pem")).await;
        over_tls.authorization = basic("dGVsbGVyOnNlc2FtZQ==");
        over_tls.done("POST", "/v1/ledger/transfers", &pay(1, CASH, ADA, 5)).await;

        // A password that is changed closes the door also to a connection that is open.
        let mut open = Client::of(&node);
        open.authorization = basic("dGVsbGVyOnNlc2FtZQ==");
        assert_eq!(open.get("/v1/ledger/accounts").await.status, 200);
        let teller = connect(&node, Some(("teller", "sesame"))).await.expect("the same role and password");
        teller.batch_execute("ALTER ROLE teller PASSWORD 'other'").await.expect("one's own password");
        assert_eq!(open.get("/v1/ledger/accounts").await.status, 401);
        // teller:other
        open.authorization = basic("dGVsbGVyOm90aGVy");
        assert_eq!(open.shown(&format!("/v1/ledger/accounts/{ADA}")).await["posted"], "5");
    });
}
