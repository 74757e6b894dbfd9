//! What a statement may do wrong: nest without end, break off in the middle, leave a transaction behind.

use crate::node::{Node, Scratch};
use crate::wire::{Wire, field, framed};

const DEEP: usize = 10_000;

#[test]
fn sql_nested_ten_thousand_deep_is_refused_or_answered() {
    let scratch = Scratch::new("nesting");
    let mut node = Node::start(&scratch.path("data"), &[]);
    node.run("CREATE TABLE t (id int PRIMARY KEY, j jsonb)");
    let nested = |open: &str, inner: &str, close: &str| format!("{}{inner}{}", open.repeat(DEEP), close.repeat(DEEP));
    let chain = |first: &str, more: &str| format!("{first}{}", more.repeat(DEEP));
    let cases = [
        format!("SELECT {}", nested("(", "1", ")")),
        format!("SELECT {}", nested("(SELECT ", "1", ")")),
        format!("SELECT * FROM {}", nested("(SELECT * FROM ", "t", ") AS x")),
        format!("SELECT {}", nested("NOT ", "true", "")),
        format!("SELECT {}", nested("- ", "1", "")),
        format!("SELECT {}", nested("CASE WHEN true THEN ", "1", " END")),
        format!("SELECT {}", nested("abs(", "1", ")")),
        format!("SELECT {}", nested("ARRAY[", "1", "]")),
        format!("SELECT {}", nested("CAST(", "1", " AS int)")),
        format!("SELECT '{}'::jsonb", nested("[", "1", "]")),
        format!("SELECT '{}'::int[]", nested("{", "1", "}")),
        chain("SELECT 1", " + 1"),
        chain("SELECT true", " AND true"),
        chain("SELECT 1", "::int"),
        chain("SELECT 1", " UNION ALL SELECT 1"),
        chain("SELECT 1 WHERE 1 IN (1", ", 1") + ")",
        chain("SELECT * FROM t WHERE id = 1", " OR id = 1"),
        chain("SELECT 1", ", 1"),
        chain("INSERT INTO t VALUES (1)", ", (1)"),
        chain("SELECT 1", "; SELECT 1"),
        format!("EXPLAIN {}", nested("(", "SELECT 1", ")")),
        format!("WITH {} SELECT 1", (0..2_000).map(|n| format!("w{n} AS (SELECT 1)")).collect::<Vec<_>>().join(", ")),
        nested("BEGIN; SAVEPOINT a; ", "SELECT 1", ""),
        format!("/*{}", nested("/*", "", "*/")),
    ];
    for sql in &cases {
        let start = &sql[..sql.len().min(40)];
        if let Err((state, message)) = node.ask(sql) {
            let clear = ["54001", "54000", "54011", "42601", "0A000", "23505", "53400", "22P02", "54023"];
            assert!(clear.contains(&state.as_str()), "{start}: {state} {message}");
        }
        node.check();
    }
}

#[test]
fn a_copy_that_breaks_off_leaves_nothing_behind() {
    let scratch = Scratch::new("copy");
    let node = Node::start(&scratch.path("data"), &[]);
    node.run("CREATE TABLE loaded (id int PRIMARY KEY, v text)");
    let lines: String = (0..2_000).map(|id| format!("{id}\tvalue {id}\n")).collect();
    let begin = || {
        let mut wire = Wire::open(node.sql);
        wire.send(&framed(b'Q', b"COPY loaded FROM STDIN\0"));
        wire.until(b'G');
        wire.send(&framed(b'd', lines.as_bytes()));
        wire
    };
    let mut gives_up = begin();
    gives_up.send(&framed(b'f', b"the source is broken\0"));
    let error = gives_up.until(b'Z').into_iter().find(|message| message.0 == b'E').expect("an error");
    assert_eq!(field(&error.1, b'C'), "57014");
    assert!(field(&error.1, b'M').contains("the source is broken"));
    // In the middle of a line, and without a word.
    let mut vanishes = begin();
    vanishes.send(&framed(b'd', b"5000\thalf a li"));
    drop(vanishes);
    let mut wrong = begin();
    wrong.send(&[framed(b'd', b"no number\tx\n"), framed(b'c', b"")].concat());
    let error = wrong.until(b'Z').into_iter().find(|message| message.0 == b'E').expect("an error");
    assert_eq!(field(&error.1, b'C'), "22P02");
    assert!(field(&error.1, b'D').contains("line 2001"), "the place is told: {}", field(&error.1, b'D'));
    wrong.send(&framed(b'Q', b"SELECT 1\0"));
    wrong.until(b'Z');
    let mut other_message = begin();
    other_message.send(&framed(b'Q', b"SELECT 1\0"));
    let error = other_message.until(b'Z').into_iter().find(|message| message.0 == b'E').expect("an error");
    assert_eq!(field(&error.1, b'C'), "08P01");
    assert_eq!(node.one("SELECT count(*) FROM loaded"), "0");
    // The keys are free: the same rows can be loaded.
    let mut whole = begin();
    whole.send(&framed(b'c', b""));
    assert!(whole.until(b'Z').iter().any(|message| message == &(b'C', b"COPY 2000\0".to_vec())));
    assert_eq!(node.one("SELECT count(*) FROM loaded"), "2000");
}

#[test]
fn a_client_that_vanishes_in_a_transaction_leaves_no_row_and_no_lock() {
    let scratch = Scratch::new("vanish");
    let data = scratch.path("data");
    let node = Node::start(&data, &[]);
    node.run("CREATE TABLE accounts (id int PRIMARY KEY, balance int); INSERT INTO accounts VALUES (1, 100), (2, 100)");
    let mut wire = Wire::open(node.sql);
    wire.send(&framed(b'Q', b"BEGIN; UPDATE accounts SET balance = balance - 50 WHERE id = 1; INSERT INTO accounts VALUES (3, 50)\0"));
    wire.until(b'Z');
    drop(wire);
    node.run("SET lock_timeout = '10s'; UPDATE accounts SET balance = balance + 1 WHERE id IN (1, 2)");
    node.run("INSERT INTO accounts VALUES (3, 0)");
    assert_eq!(node.one("SELECT string_agg(balance::text, ',' ORDER BY id) FROM accounts"), "101,101,0");
    // Also not after the process died with an open transaction.
    let mut wire = Wire::open(node.sql);
    wire.send(&framed(b'Q', b"BEGIN; UPDATE accounts SET balance = 0\0"));
    wire.until(b'Z');
    node.kill();
    let mut node = Node::start(&data, &[]);
    assert_eq!(node.one("SELECT string_agg(balance::text, ',' ORDER BY id) FROM accounts"), "101,101,0");
    node.run("UPDATE accounts SET balance = 1");
    node.check();
}
