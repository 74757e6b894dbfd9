//! The stream of changes: whoever keeps its place hears of everything once, in order, over restarts too.

use super::client::Client;
use super::{ADA, BOB, CASH, id, pay};
use crate::node::{Node, Scratch, connect, runtime};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A consumer that keeps its place.
#[derive(Default)]
struct Follower {
    place: String,
    heard: Vec<Value>,
}

impl Follower {
    /// True if there was something.
    async fn go_on(&mut self, client: &mut Client, wait: u32) -> bool {
        let told = client.shown(&format!("/v1/ledger/changes?limit=7&wait={wait}&after={}", self.place)).await;
        let changes = told["changes"].as_array().expect("a list");
        self.heard.extend(changes.iter().cloned());
        self.place = told["next"].as_str().expect("a place").to_owned();
        !changes.is_empty()
    }

    fn places(&self) -> Vec<&str> {
        self.heard.iter().map(|change| change["place"].as_str().expect("a place")).collect()
    }

    fn transfers(&self) -> Vec<String> {
        self.heard.iter().map(|change| change["transfer"]["id"].as_str().expect("an id").to_owned()).collect()
    }
}

async fn write(mut client: Client, task: u32) {
    for number in 0..40 {
        let list = json!([pay(task * 1_000 + 2 * number, CASH, ADA, 1), pay(task * 1_000 + 2 * number + 1, CASH, BOB, 1)]);
        client.done("POST", "/v1/ledger/transfers", &list).await;
    }
}

/// Transactions that stay open: their transfers have old timestamps when they commit. Each on accounts of its own, so that it holds up nobody.
async fn write_slowly(node: &Node) {
    let sql = connect(node, None).await.expect("a session");
    for number in 0..10_u32 {
        let open = |account| format!("SELECT ledger.open_account('{{\"id\": \"{account}\", \"ledger\": 1, \"code\": 1}}')");
        let (debit, credit) = (id(800_000 + number), id(900_000 + number));
        sql.batch_execute(&format!("{}; {}", open(&debit), open(&credit))).await.expect("opened");
        let transfer = format!("BEGIN; SELECT ledger.transfer('{}', '{debit}', '{credit}', 5)", id(700_000 + number));
        sql.batch_execute(&transfer).await.expect("booked");
        tokio::time::sleep(Duration::from_millis(30)).await;
        sql.batch_execute("COMMIT").await.expect("committed");
    }
}

#[test]
fn each_transfer_is_heard_of_once_and_in_order() {
    let scratch = Scratch::new("http-changes");
    let (data, more) = (scratch.path("data"), ["--http", "127.0.0.1:0"]);
    let node = Node::start(&data, &more);
    let mut follower = Follower::default();
    runtime().block_on(async {
        let mut client = Client::of(&node);
        client.done("POST", "/v1/ledger/ledgers", &json!({ "id": 1, "name": "euro" })).await;
        let account = |account: &str| json!({ "id": account, "ledger": 1, "code": 1 });
        client.done("POST", "/v1/ledger/accounts", &json!([account(CASH), account(ADA), account(BOB)])).await;
        let writers: Vec<_> = (0..4).map(|task| tokio::spawn(write(Client::of(&node), task))).collect();
        let all = async {
            write_slowly(&node).await;
            for writer in writers {
                writer.await.expect("no panic");
            }
        };
        tokio::pin!(all);
        loop {
            tokio::select! {
                () = &mut all => break,
                _ = follower.go_on(&mut client, 0) => {}
            }
        }
    });
    node.kill();
    let node = Node::start(&data, &more);
    runtime().block_on(async {
        let mut client = Client::of(&node);
        while follower.go_on(&mut client, 0).await {}
        let (places, transfers) = (follower.places(), follower.transfers());
        assert!(places.is_sorted_by(|a, b| a < b));
        let times: Vec<&Value> = follower.heard.iter().map(|change| &change["timestamp"]).collect();
        assert!(!times.is_sorted_by(|a, b| a.as_str() < b.as_str()), "this test is about commits in another order than timestamps");
        let expected: BTreeSet<String> =
            (0..4).flat_map(|task| (0..80).map(move |number| id(task * 1_000 + number))).chain((700_000..700_010).map(id)).collect();
        assert_eq!((transfers.len(), transfers.into_iter().collect::<BTreeSet<_>>()), (330, expected));

        // What expires is an event of its own, and who waits hears of it when it happens.
        let mut held = pay(99_999, CASH, ADA, 5);
        (held["flags"], held["timeout"]) = (json!(["pending"]), json!(1));
        client.done("POST", "/v1/ledger/transfers", &held).await;
        let begun = Instant::now();
        follower.heard.clear();
        while follower.heard.len() < 2 {
            follower.go_on(&mut client, 20).await;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "it waited for the event and no longer");
        let told: Vec<&Value> = follower.heard.iter().map(|change| &change["event"]).collect();
        assert_eq!((told, follower.transfers()), (vec![&json!("booked"), &json!("expired")], vec![id(99_999), id(99_999)]));
        assert_eq!(follower.heard[1]["transfer"]["state"], "expired");
        assert!(!follower.go_on(&mut client, 0).await);
        for wrong in ["after=x", "limit=0", "wait=21", "wait=x"] {
            assert_eq!(client.get(&format!("/v1/ledger/changes?{wrong}")).await.problem().0, 400, "{wrong}");
        }
    });
}
