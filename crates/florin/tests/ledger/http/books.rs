//! What the API does when all is well, and when the ledger's rules refuse.

use super::{ADA, BOB, CASH, id, pay, with_books};
use serde_json::{Value, json};

const TRANSFERS: &str = "/v1/ledger/transfers";
const ACCOUNTS: &str = "/v1/ledger/accounts";

#[test]
fn money_is_moved_and_a_retry_hears_the_same() {
    with_books("http-moved", |mut client| async move {
        let first = client.done("POST", TRANSFERS, &pay(1, CASH, ADA, 1_000)).await;
        assert_eq!((&first["id"], &first["booked"]), (&json!(id(1)), &json!(true)));
        assert_eq!(client.done("POST", TRANSFERS, &pay(1, CASH, ADA, 1_000)).await, first);
        assert_eq!(
            client.send("POST", TRANSFERS, &pay(1, CASH, ADA, 1_001)).await.problem(),
            (409, "ledger:exists_with_other_amount".into())
        );

        assert_eq!(client.send("POST", TRANSFERS, &pay(2, ADA, BOB, 1_001)).await.problem(), (422, "ledger:exceeds_credits".into()));
        client.done("POST", TRANSFERS, &pay(3, CASH, ADA, 500)).await;
        let late = client.send("POST", TRANSFERS, &pay(2, ADA, BOB, 1_001)).await;
        assert_eq!(late.problem(), (409, "ledger:id_already_failed".into()), "what its sender has given up is never booked");

        let account = client.shown(&format!("{ACCOUNTS}/{ADA}")).await;
        assert_eq!((&account["posted"], &account["metadata"]["owner"]), (&json!("1500"), &json!("Ada")));
        assert_eq!(account["flags"], json!(["debits_within_credits", "history"]));
        let bob = client.shown(&format!("{ACCOUNTS}/{}", BOB.replace('-', ""))).await;
        assert_eq!((&bob["id"], &bob["user_data_64"]), (&json!(BOB), &json!("18446744073709551615")));
        assert_eq!(client.shown(&format!("{TRANSFERS}/{}", id(1))).await["timestamp"], first["timestamp"]);
        assert_eq!(client.get(&format!("{TRANSFERS}/{}", id(2))).await.problem().0, 404);
        assert_eq!(client.get(&format!("{ACCOUNTS}/{}", id(2))).await.problem().0, 404);
        let again = client.done("POST", ACCOUNTS, &json!({ "id": CASH, "ledger": 1, "code": 10 })).await;
        assert_eq!(again["timestamp"], client.shown(&format!("{ACCOUNTS}/{CASH}")).await["timestamp"]);
        assert_eq!(client.shown("/v1/ledger/audit").await, json!({ "sound": true, "findings": [] }));
    });
}

#[test]
fn a_list_has_an_outcome_for_each_and_a_chain_stands_or_falls() {
    with_books("http-list", |mut client| async move {
        let linked = |mut transfer: Value| {
            transfer["flags"] = json!(["linked"]);
            transfer
        };
        let list = json!([
            pay(1, CASH, ADA, 100),
            linked(pay(2, CASH, BOB, 5)),
            linked(pay(3, BOB, ADA, 5)),
            pay(4, ADA, CASH, 1),
            linked(pay(5, CASH, BOB, 7)),
            pay(6, ADA, BOB, 1_000),
            pay(7, CASH, CASH, 1),
        ]);
        let told = client.done("POST", TRANSFERS, &list).await;
        let of = |told: &Value, member: &str| {
            told["outcomes"].as_array().expect("a list").iter().map(|one| one[member].clone()).collect::<Value>()
        };
        assert_eq!(of(&told, "name"), json!(["ok", "ok", "ok", "ok", "linked_event_failed", "exceeds_credits", "accounts_must_differ"]));
        let again = client.done("POST", TRANSFERS, &list).await;
        assert_eq!(
            of(&again, "name"),
            json!(["exists", "exists", "exists", "exists", "linked_event_failed", "id_already_failed", "accounts_must_differ"])
        );
        assert_eq!((of(&again, "booked"), of(&again, "timestamp")), (of(&told, "booked"), of(&told, "timestamp")));
        let mut other = list.clone();
        other[2]["amount"] = json!("6");
        assert_eq!(client.done("POST", TRANSFERS, &other).await["outcomes"][2]["name"], "linked_event_failed");
        let open_chain = json!([linked(pay(8, CASH, ADA, 1))]);
        assert_eq!(client.done("POST", TRANSFERS, &open_chain).await["outcomes"][0]["name"], "linked_chain_open");
        assert_eq!(client.done("POST", TRANSFERS, &json!([])).await, json!({ "outcomes": [] }));

        let accounts = json!([
            { "id": id(1), "ledger": 1, "code": 1, "flags": ["linked"] }, { "id": id(2), "ledger": 1, "code": 1 },
            { "id": id(3), "ledger": 9, "code": 1 },
        ]);
        let told = client.done("POST", ACCOUNTS, &accounts).await;
        assert_eq!(of(&told, "name"), json!(["ok", "ok", "ledger_not_found"]));
        let again = client.done("POST", ACCOUNTS, &accounts).await;
        assert_eq!(of(&again, "name"), json!(["exists", "exists", "ledger_not_found"]));
        assert_eq!(of(&told, "timestamp"), of(&again, "timestamp"));
        assert_eq!(client.shown("/v1/ledger/audit").await["sound"], true);
    });
}

#[test]
fn all_that_can_be_said_of_a_transfer_is_shown_and_can_be_said_again() {
    with_books("http-said", |mut client| async move {
        let posting = json!({
            "id": id(1), "code": 7, "effective": "2026-11-20T10:00:00.123456789Z", "value_date": "2026-11-21",
            "debits": [{ "account": CASH, "amount": "30" }],
            "credits": [{ "account": ADA, "amount": "10" }, { "account": BOB, "amount": "20" }],
            "user_data_128": id(99), "user_data_64": "5", "user_data_32": 4_294_967_295_u32, "metadata": { "rate": 1.50 },
        });
        client.done("POST", TRANSFERS, &posting).await;
        let mut shown = client.shown(&format!("{TRANSFERS}/{}", id(1))).await;
        for (name, value) in posting.as_object().expect("an object") {
            assert_eq!(&shown[name], value, "{name}");
        }
        assert_eq!((&shown["amount"], &shown["ledger"]), (&json!("30"), &json!(1)));
        shown.as_object_mut().expect("an object").remove("timestamp");
        client.done("POST", TRANSFERS, &shown).await;

        let mut held = pay(2, BOB, CASH, 8);
        held["flags"] = json!(["pending"]);
        held["timeout"] = json!(3_600);
        client.done("POST", TRANSFERS, &held).await;
        let pending = client.shown(&format!("{TRANSFERS}/{}", id(2))).await;
        assert_eq!((&pending["state"], pending["expires"].is_string()), (&json!("pending"), true));
        client.done("POST", TRANSFERS, &json!({ "id": id(3), "refers_to": id(2), "flags": ["post"], "amount": "all" })).await;
        client.done("POST", TRANSFERS, &json!({ "id": id(4), "refers_to": id(1), "flags": ["reverse"], "amount": "all" })).await;
        let found = client.done("POST", "/v1/ledger/transfers/lookup", &json!({ "ids": [id(2), id(9), id(1), id(2)] })).await;
        assert_eq!((&found["transfers"][0]["state"], &found["transfers"][1]["reversed"]), (&json!("posted"), &json!("30")));
        assert_eq!(found["missing"], json!([id(9)]));
        let found = client.done("POST", "/v1/ledger/accounts/lookup", &json!({ "ids": [id(9), BOB] })).await;
        assert_eq!((&found["accounts"][0]["id"], &found["missing"]), (&json!(BOB), &json!([id(9)])));

        let closed = client.done("POST", "/v1/ledger/ledgers/1/close", &json!({ "through": "2026-11-20T23:59:59.999999Z" })).await;
        assert_eq!(closed["closed_through"], "2026-11-20T23:59:59.999999000Z");
        let mut back = pay(5, CASH, ADA, 1);
        back["effective"] = json!("2026-11-20T00:00:00Z");
        assert_eq!(client.send("POST", TRANSFERS, &back).await.problem(), (422, "ledger:period_closed".into()));
        assert_eq!(client.shown("/v1/ledger/ledgers").await["ledgers"], json!([closed]));
        assert_eq!(client.shown("/v1/ledger/ledgers/1").await, closed);
        assert_eq!(client.get("/v1/ledger/ledgers/2").await.problem().0, 404);
        let other = json!({ "id": 1, "name": "euro", "currency": "USD", "scale": 2 });
        assert_eq!(client.send("POST", "/v1/ledger/ledgers", &other).await.problem(), (409, "sqlstate:42710".into()));
    });
}

/// All items of all pages.
async fn all(client: &mut super::Client, path: &str, name: &str) -> Vec<Value> {
    let (mut items, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.shown(&format!("{path}{after}")).await;
        items.extend(page[name].as_array().expect("a list").iter().cloned());
        let Some(next) = page["next"].as_str() else { return items };
        after = format!("&after={next}");
        assert!(items.len() < 10_000, "pages without end");
    }
}

#[test]
fn pages_have_everything_once_and_in_order() {
    with_books("http-pages", |mut client| async move {
        let mut list: Vec<Value> = (0..50).map(|number| pay(number, CASH, if number % 2 == 0 { ADA } else { BOB }, 1)).collect();
        list[10]["code"] = json!(9);
        list[11]["user_data_64"] = json!("77");
        let legs: Vec<Value> = (0..7).map(|_| json!({ "account": ADA, "amount": 1 })).collect();
        list.push(json!({ "id": id(50), "debits": [{ "account": CASH, "amount": 7 }], "credits": legs }));
        client.done("POST", TRANSFERS, &json!(list)).await;
        for order in ["newest_first", "oldest_first"] {
            let ordered = |items: &[Value]| {
                let times: Vec<&str> = items.iter().map(|item| item["timestamp"].as_str().expect("a time")).collect();
                if order == "newest_first" { times.is_sorted_by(|a, b| a >= b) } else { times.is_sorted() }
            };
            let entries = all(&mut client, &format!("{ACCOUNTS}/{ADA}/entries?order={order}&limit=3"), "entries").await;
            assert!(entries.len() == 32 && ordered(&entries), "{order}");
            assert_eq!(
                entries
                    .iter()
                    .map(|entry| (entry["timestamp"].to_string(), entry["number"].to_string()))
                    .collect::<std::collections::BTreeSet<_>>()
                    .len(),
                32
            );
            let transfers = all(&mut client, &format!("{TRANSFERS}?order={order}&limit=7"), "transfers").await;
            assert!(transfers.len() == 51 && ordered(&transfers), "{order}");
            let of_ada = all(&mut client, &format!("{TRANSFERS}?account={ADA}&order={order}&limit=2"), "transfers").await;
            assert!(of_ada.len() == 26 && ordered(&of_ada), "{order}: {}", of_ada.len());
            let of_ada = all(&mut client, &format!("{TRANSFERS}?account={ADA}&code=9&order={order}&limit=2"), "transfers").await;
            assert_eq!(of_ada.iter().map(|transfer| &transfer["id"]).collect::<Vec<_>>(), [&json!(id(10))]);
        }
        let found = all(&mut client, &format!("{TRANSFERS}?user_data_64=77&ledger=1&code=1"), "transfers").await;
        assert_eq!(found[0]["id"], id(11));
        let at = client.shown(&format!("{TRANSFERS}/{}", id(20))).await["timestamp"].as_str().expect("a time").to_owned();
        assert_eq!(all(&mut client, &format!("{TRANSFERS}?from={at}&limit=9"), "transfers").await.len(), 31);
        assert_eq!(all(&mut client, &format!("{TRANSFERS}?before={at}&limit=9"), "transfers").await.len(), 20);

        assert_eq!(client.shown(&format!("{ACCOUNTS}/{ADA}/balance")).await["posted"], "32");
        for account in [ADA, BOB] {
            let then = client.shown(&format!("{ACCOUNTS}/{account}/balance?as_of={at}")).await;
            assert_eq!(then["posted"], if account == ADA { "11" } else { "10" }, "with and without history");
        }
        assert_eq!(client.get(&format!("{ACCOUNTS}/{ADA}/balance?as_of=2020-01-01T00:00:00Z")).await.problem().0, 404);
        let posted = |items: &[Value]| items.iter().map(|item| item["posted"].as_str().expect("text").to_owned()).collect::<Vec<_>>();
        assert_eq!(posted(&all(&mut client, "/v1/ledger/balances?limit=2", "balances").await), ["-57", "32", "25"]);
        let then = all(&mut client, &format!("/v1/ledger/balances?ledger=1&limit=2&as_of={at}"), "balances").await;
        assert_eq!(posted(&then), ["-21", "11", "10"]);
        assert_eq!(all(&mut client, &format!("{ACCOUNTS}?limit=1"), "accounts").await.len(), 3);
        assert_eq!(all(&mut client, &format!("{ACCOUNTS}?limit=1&code=20&user_data_64=18446744073709551615"), "accounts").await.len(), 1);
        assert_eq!(client.get(&format!("{ACCOUNTS}/{}/entries", id(0))).await.problem().0, 404);
        assert_eq!(client.shown(&format!("{ACCOUNTS}/{ADA}/entries?before=1970-01-01T00:00:00Z")).await, json!({ "entries": [] }));
    });
}
