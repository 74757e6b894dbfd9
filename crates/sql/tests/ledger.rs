//! The ledger where transactions meet: the same id twice at once, and in one large statement.

mod support;

use support::World;
use support::client::{Client, show};

/// Rows of one INSERT; more than are booked at a time.
const ROWS: u128 = 600;

fn uuid(id: u128) -> String {
    format!("00000000-0000-0000-0000-{id:012x}")
}

fn books(world: &World) -> Client<'_> {
    let client = world.open("florin");
    client.run("SELECT ledger.define('{\"id\": 1, \"name\": \"one\"}')");
    for account in [1, 2] {
        client.run(&format!("SELECT ledger.open_account('{{\"id\": \"{}\", \"ledger\": 1, \"code\": 1}}')", uuid(account)));
    }
    client
}

fn transfer(id: u128) -> String {
    format!("SELECT ledger.transfer('{}', '{}', '{}', 5)", uuid(id), uuid(1), uuid(2))
}

#[test]
fn an_id_that_comes_twice_in_one_statement_is_booked_once() {
    let world = World::new();
    let client = books(&world);
    let row = |id: u128| format!("('{}', 1, 1, '{}', '{}', 5)", uuid(id), uuid(1), uuid(2));
    let insert = |ids: &mut dyn Iterator<Item = u128>| {
        let rows: Vec<String> = ids.map(row).collect();
        format!("INSERT INTO ledger.transfers (id, ledger, code, debit_account, credit_account, amount) VALUES {}", rows.join(", "))
    };
    let twice = client.run(&insert(&mut (1000..1000 + ROWS).chain([1000])));
    assert_eq!(twice, "ERROR L0003: the ledger refused: exists\n");
    assert_eq!(client.run(&insert(&mut (1000..1000 + ROWS))), format!("INSERT 0 {ROWS}\n"));
    assert_eq!(client.run("SELECT ledger.audit()"), "finding | account | detail\nSELECT 0\n");
    assert_eq!(client.run("SELECT sum(debit) FROM ledger.entries"), format!("sum\n{}\nSELECT 1\n", ROWS * 5));
}

#[test]
fn who_asks_for_an_id_that_a_transaction_is_booking_waits_and_hears_the_same() {
    let world = World::new();
    let (first, second) = (books(&world), world.open("florin"));
    first.run("BEGIN");
    let told = first.run(&transfer(7));
    assert_eq!(second.run(&transfer(7)), "", "it waits");
    assert_eq!(first.run("COMMIT"), "COMMIT\n");
    assert_eq!(show(&second.heard()), told);
    assert_eq!(first.run("SELECT count(*) FROM ledger.transfers"), "count\n1\nSELECT 1\n");
}

fn document(id: u128, rest: &str) -> String {
    format!("{{\"id\": \"{}\", \"debit_account\": \"{}\", \"credit_account\": \"{}\", \"amount\": 5{rest}}}", uuid(id), uuid(1), uuid(2))
}

#[test]
fn a_list_of_documents_has_an_outcome_for_each_and_is_booked_once() {
    let world = World::new();
    let client = books(&world);
    let linked = ", \"flags\": [\"linked\"]";
    let list = [document(1, ""), document(2, linked), document(3, ", \"metadata\": {\"a\": 1}"), document(4, ", \"credit_account\": null")];
    let call = format!("SELECT * FROM ledger.post_all('[{}]')", list.join(", "));
    let codes = |text: &str| text.lines().filter_map(|line| Some(line.split(" | ").nth(2)?.to_owned())).collect::<Vec<_>>();
    let first = client.run(&call);
    assert_eq!(codes(&first), ["name", "ok", "ok", "ok", "account_must_not_be_zero"], "{first}");
    let again = client.run(&call);
    assert_eq!(codes(&again), ["name", "exists", "exists", "exists", "account_must_not_be_zero"], "a chain exists as a whole: {again}");
    client.run("BEGIN");
    let in_block = format!("SELECT * FROM ledger.post_all('[{}, {}]')", document(1, ""), document(9, ""));
    assert_eq!(codes(&client.run(&in_block)), ["name", "exists", "ok"]);
    client.run("ROLLBACK");
    assert_eq!(client.run("SELECT count(*) FROM ledger.transfers"), "count\n3\nSELECT 1\n");
    let refused = client.run("SELECT * FROM ledger.post_all('[{\"id\": 7}]')");
    assert!(refused.starts_with("ERROR 22023"), "{refused}");
    assert_eq!(client.run("SELECT * FROM ledger.open_accounts('[]')"), "id | code | name | timestamp\nSELECT 0\n");
    assert_eq!(client.run("SELECT ledger.audit()"), "finding | account | detail\nSELECT 0\n");
}

/// Places and transfers of all changes behind a place.
fn changes(client: &Client, after: &str, count: u32) -> Vec<(String, String)> {
    let said = client.run(&format!("SELECT * FROM ledger.changes('{after}', {count})"));
    let cells = |line: &str| {
        let cells: Vec<&str> = line.split(" | ").collect();
        (cells.len() == 4).then(|| (cells[0].to_owned(), format!("{} {}", cells[1], cells[3])))
    };
    assert!(said.starts_with("place | event | timestamp | transfer\n"), "{said}");
    said.lines().skip(1).filter_map(cells).collect()
}

#[test]
fn changes_come_in_the_order_of_their_commits_although_timestamps_do_not() {
    let world = World::new();
    let (early, late) = (books(&world), world.open("florin"));
    for account in [3, 4] {
        late.run(&format!("SELECT ledger.open_account('{{\"id\": \"{}\", \"ledger\": 1, \"code\": 1}}')", uuid(account)));
    }
    early.run(&transfer(1));
    let first = changes(&early, "", 10);
    assert_eq!(first.iter().map(|(_, what)| what.as_str()).collect::<Vec<_>>(), [format!("booked {}", uuid(1))]);
    early.run("BEGIN");
    early.run(&transfer(2));
    late.run(&format!("SELECT ledger.transfer('{}', '{}', '{}', 5)", uuid(3), uuid(3), uuid(4)));
    let second = changes(&late, &first[0].0, 10);
    assert_eq!(second[0].1, format!("booked {}", uuid(3)));
    assert_eq!(early.run("COMMIT"), "COMMIT\n");
    let third = changes(&late, &second[0].0, 10);
    assert_eq!(
        third.iter().map(|(_, what)| what.as_str()).collect::<Vec<_>>(),
        [format!("booked {}", uuid(2))],
        "it has the older timestamp"
    );
    assert_eq!(changes(&late, &third[0].0, 10), []);
    assert_eq!(changes(&late, "", 2), [first.clone(), second.clone()].concat());
    assert_eq!(changes(&late, &second[0].0, 1), third);
    for wrong in ["'x', 5", "'', 0", "'', 10001"] {
        assert!(late.run(&format!("SELECT * FROM ledger.changes({wrong})")).starts_with("ERROR 22023"), "{wrong}");
    }
    late.run("BEGIN");
    late.run(&transfer(9));
    assert!(late.run("SELECT * FROM ledger.changes('', 5)").starts_with("ERROR 25001"));
}
