//! The ledger over HTTP and JSON. Every answer that a test sees is held against the API's description.

mod books;
mod client;
mod described;
mod follow;
mod secrets;
mod traffic;
mod wrong;

use crate::node::{Node, Scratch, runtime};
use client::Client;
use serde_json::{Value, json};
use std::future::Future;

const CASH: &str = "00000000-0000-0000-0000-0000000000a1";
const ADA: &str = "00000000-0000-0000-0000-0000000000b2";
const BOB: &str = "00000000-0000-0000-0000-0000000000c3";

fn id(number: u32) -> String {
    format!("10000000-0000-0000-0000-{number:012}")
}

fn pay(number: u32, debit: &str, credit: &str, amount: u64) -> Value {
    json!({ "id": id(number), "debit_account": debit, "credit_account": credit, "amount": amount.to_string() })
}

/// A node with a ledger, and three accounts in it.
fn with_books<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Client) -> F) {
    let scratch = Scratch::new(name);
    let node = Node::start(&scratch.path("data"), &["--http", "127.0.0.1:0"]);
    runtime().block_on(async {
        let mut client = Client::of(&node);
        client.done("POST", "/v1/ledger/ledgers", &json!({ "id": 1, "name": "euro", "currency": "EUR", "scale": 2 })).await;
        let open = json!([
            { "id": CASH, "ledger": 1, "code": 10 },
            { "id": ADA, "ledger": 1, "code": 20, "flags": ["debits_within_credits", "history"], "metadata": { "owner": "Ada" } },
            { "id": BOB, "ledger": 1, "code": 20, "user_data_64": "18446744073709551615" },
        ]);
        client.done("POST", "/v1/ledger/accounts", &open).await;
        test(client).await;
    });
}
