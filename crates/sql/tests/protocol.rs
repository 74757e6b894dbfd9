//! The protocol's turns: prepared statements, portals, pipelines, COPY, and what a client must not notice.

mod support;

use base::SqlState;
use bytes::Bytes;
use sql::client::{ClientRequest, ClientResponse, Format, Severity, Target};
use support::World;
use support::client::{Client, show};

fn parse(name: &str, sql: &str) -> ClientRequest {
    ClientRequest::Parse { name: name.into(), sql: sql.into(), parameter_types: Vec::new() }
}

fn bind(portal: &str, statement: &str, values: &[&str]) -> ClientRequest {
    ClientRequest::Bind {
        portal: portal.into(),
        statement: statement.into(),
        parameter_formats: Vec::new(),
        parameters: values.iter().map(|value| Some(Bytes::copy_from_slice(value.as_bytes()))).collect(),
        result_formats: Vec::new(),
    }
}

fn execute(portal: &str, rows_max: u32) -> ClientRequest {
    ClientRequest::Execute { portal: portal.into(), rows_max }
}

fn table(world: &World) -> Client<'_> {
    let client = world.open("florin");
    client.run("CREATE TABLE t (id int PRIMARY KEY, v text)");
    client.run("INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')");
    client
}

#[test]
fn parameter_types_are_found_and_described() {
    let world = World::new();
    let client = table(&world);
    let describe = ClientRequest::Describe { target: Target::Statement, name: "s".into() };
    let heard = client.ask(vec![parse("s", "SELECT v FROM t WHERE id = $1 AND v <> $2"), describe, ClientRequest::Sync]);
    assert!(matches!(&heard[1], ClientResponse::ParameterDescription(types) if *types == [23, 25]), "{heard:?}");
    assert!(matches!(&heard[2], ClientResponse::RowDescription(fields) if fields[0].name == "v" && fields[0].type_oid == 25));
    let heard = client.ask(vec![bind("", "s", &["2", "x"]), execute("", 0), ClientRequest::Sync]);
    assert_eq!(show(&heard), "BindComplete\ntwo\nSELECT 1\n");
}

#[test]
fn a_portal_goes_on_where_it_stopped() {
    let world = World::new();
    let client = table(&world);
    let heard = client.ask(vec![
        ClientRequest::Query { sql: "BEGIN".into() },
        parse("", "SELECT id FROM t ORDER BY id"),
        bind("p", "", &[]),
        execute("p", 2),
        execute("p", 2),
        ClientRequest::Sync,
    ]);
    assert_eq!(show(&heard), "BEGIN\nParseComplete\nBindComplete\n1\n2\nPortalSuspended\n3\nSELECT 1\n");
}

#[test]
fn after_an_error_all_is_skipped_until_sync_and_the_pipeline_is_undone() {
    let world = World::new();
    let client = table(&world);
    let heard = client.ask(vec![
        parse("", "INSERT INTO t VALUES ($1, 'new')"),
        bind("", "", &["10"]),
        execute("", 0),
        bind("", "", &["1"]),
        execute("", 0),
        parse("", "SELECT 1"),
        bind("", "", &[]),
        execute("", 0),
        ClientRequest::Sync,
    ]);
    let text = show(&heard);
    assert!(text.starts_with("ParseComplete\nBindComplete\nINSERT 0 1\nBindComplete\nERROR 23505"), "{text}");
    assert!(matches!(heard.last(), Some(ClientResponse::Ready(_))));
    assert_eq!(client.run("SELECT count(*) FROM t WHERE id = 10"), "count\n0\nSELECT 1\n");
}

#[test]
fn binary_parameters_and_results_are_spoken() {
    let world = World::new();
    let client = table(&world);
    let bind = ClientRequest::Bind {
        portal: String::new(),
        statement: String::new(),
        parameter_formats: vec![Format::Binary],
        parameters: vec![Some(Bytes::from_static(&[0, 0, 0, 3]))],
        result_formats: vec![Format::Binary],
    };
    let heard = client.ask(vec![parse("", "SELECT id FROM t WHERE id = $1"), bind, execute("", 0), ClientRequest::Sync]);
    let rows = heard.iter().find_map(|r| if let ClientResponse::Rows(bytes) = r { Some(bytes.clone()) } else { None });
    assert_eq!(&rows.expect("there is a row")[..], b"D\0\0\0\x0e\0\x01\0\0\0\x04\0\0\0\x03");
}

#[test]
fn copy_takes_rows_in_pieces_and_is_undone_when_it_fails() {
    let world = World::new();
    let client = table(&world);
    let heard = client.ask(vec![
        ClientRequest::Query { sql: "COPY t FROM STDIN".into() },
        ClientRequest::CopyData(Bytes::from_static(b"10\tte")),
        ClientRequest::CopyData(Bytes::from_static(b"n\n11\t\\N\n")),
        ClientRequest::CopyDone,
    ]);
    assert_eq!(show(&heard), "CopyIn { binary: false, columns: 2 }\nCOPY 2\n");
    assert_eq!(client.run("SELECT * FROM t WHERE id > 9"), "id | v\n10 | ten\n11 | NULL\nSELECT 2\n");
    let heard = client.ask(vec![
        ClientRequest::Query { sql: "COPY t (v, id) FROM STDIN (FORMAT csv, HEADER)".into() },
        ClientRequest::CopyData(Bytes::from_static(b"v,id\n\"a,b\",20\nbad,number\n")),
        ClientRequest::CopyDone,
    ]);
    assert!(show(&heard).contains("ERROR 22P02"), "{}", show(&heard));
    let heard = client.ask(vec![
        ClientRequest::Query { sql: "COPY t FROM STDIN".into() },
        ClientRequest::CopyData(Bytes::from_static(b"21\tx\n")),
        ClientRequest::CopyFail("enough".into()),
    ]);
    assert!(show(&heard).contains("ERROR 57014: COPY from stdin failed: enough"), "{}", show(&heard));
    assert_eq!(client.run("SELECT count(*) FROM t WHERE id > 11"), "count\n0\nSELECT 1\n");
}

fn load(client: &Client<'_>, rows: impl Iterator<Item = u32>) -> String {
    client.ask(vec![ClientRequest::Query { sql: "COPY big FROM STDIN".into() }]);
    let mut piece = String::new();
    let mut requests = Vec::new();
    for row in rows {
        piece.push_str(&format!("{row}\t{}\n", "x".repeat(80)));
        if piece.len() > 60_000 {
            requests.push(ClientRequest::CopyData(Bytes::from(std::mem::take(&mut piece))));
        }
    }
    requests.push(ClientRequest::CopyData(Bytes::from(piece)));
    requests.push(ClientRequest::CopyDone);
    show(&client.ask(requests))
}

#[test]
fn large_copies_are_staged_and_keep_keys_unique() {
    let world = World::new();
    let client = world.open("florin");
    client.run("CREATE TABLE big (id int PRIMARY KEY, filler text)");
    assert_eq!(load(&client, 0..60_000), "COPY 60000\n");
    assert!(world.inner.borrow().calls.contains(&"stage"));
    assert_eq!(client.run("SELECT count(*), min(id), max(id) FROM big"), "count | min | max\n60000 | 0 | 59999\nSELECT 1\n");
    // A row twice, parts apart; and a row that was there before.
    let twice = load(&client, (100_000..160_000).chain([100_001]));
    assert!(twice.contains("ERROR 23505") && twice.contains("(id)=(100001)"), "{twice}");
    assert!(load(&client, (200_000..260_000).chain([5])).contains("(id)=(5)"));
    assert_eq!(client.run("SELECT count(*) FROM big"), "count\n60000\nSELECT 1\n");
    assert_eq!(client.run("ALTER TABLE big DROP COLUMN filler; CREATE INDEX ON big (id)"), "ALTER TABLE\nCREATE INDEX\n");
}

#[test]
fn updates_of_many_rows_are_staged() {
    let world = World::new();
    let client = world.open("florin");
    client.run("CREATE TABLE big (id int PRIMARY KEY, filler text)");
    load(&client, 0..40_000);
    assert_eq!(client.run("UPDATE big SET filler = filler || 'y'"), "UPDATE 40000\n");
    assert_eq!(client.run("SELECT count(*) FROM big WHERE filler LIKE '%y'"), "count\n40000\nSELECT 1\n");
    assert_eq!(client.run("DELETE FROM big"), "DELETE 40000\n");
    assert_eq!(client.run("SELECT count(*) FROM big"), "count\n0\nSELECT 1\n");
}

#[test]
fn a_lost_leader_is_not_noticed_by_a_statement_of_its_own() {
    let world = World::new();
    let client = table(&world);
    world.inner.borrow_mut().lose = vec!["read", "commit", "read"];
    assert_eq!(client.run("UPDATE t SET v = 'x' WHERE id = 1"), "UPDATE 1\n");
    world.inner.borrow_mut().lose = vec!["commit"];
    let heard = client.ask(vec![
        parse("", "UPDATE t SET v = 'y' WHERE id = 1 RETURNING v"),
        bind("", "", &[]),
        execute("", 0),
        ClientRequest::Sync,
    ]);
    assert_eq!(show(&heard), "ParseComplete\nBindComplete\ny\nUPDATE 1\n");
    client.run("BEGIN");
    world.inner.borrow_mut().lose = vec!["read"];
    assert!(client.run("UPDATE t SET v = 'z' WHERE id = 1").starts_with("ERROR 57P03"));
}

#[test]
fn a_statement_by_key_is_one_request_and_a_commit() {
    let world = World::new();
    let client = table(&world);
    for sql in ["UPDATE t SET v = 'x' WHERE id = 1", "UPDATE t SET v = 'y' WHERE id = 2;"] {
        world.inner.borrow_mut().calls.clear();
        client.run(sql);
        assert_eq!(world.inner.borrow().calls, ["read", "commit"]);
    }
    world.inner.borrow_mut().calls.clear();
    client.run("SELECT v FROM t WHERE id = 1");
    assert_eq!(world.inner.borrow().calls, ["read"]);
    world.inner.borrow_mut().calls.clear();
    client.run("INSERT INTO t VALUES (50, 'z')");
    assert_eq!(world.inner.borrow().calls, ["read", "commit"]);
}

#[test]
fn plans_follow_the_schema_that_another_session_changed() {
    let world = World::new();
    let client = table(&world);
    let other = world.open("florin");
    client.ask(vec![parse("s", "SELECT v FROM t WHERE id = $1"), ClientRequest::Sync]);
    assert_eq!(
        other.run("ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t ADD COLUMN v text DEFAULT 'new'"),
        "ALTER TABLE\nALTER TABLE\n"
    );
    let heard = client.ask(vec![bind("", "s", &["1"]), execute("", 0), ClientRequest::Sync]);
    assert_eq!(show(&heard), "BindComplete\nnew\nSELECT 1\n");
}

#[test]
fn a_client_that_vanishes_leaves_no_locks() {
    let world = World::new();
    let client = table(&world);
    let other = world.open("florin");
    other.run("BEGIN");
    other.run("UPDATE t SET v = 'locked' WHERE id = 1");
    assert_eq!(client.run("UPDATE t SET v = 'mine' WHERE id = 1"), "");
    world.inner.borrow_mut().links.get_mut(&other.session).expect("is open").gone = true;
    world.settle();
    assert_eq!(show(&client.heard()), "UPDATE 1\n");
}

#[test]
fn what_is_nested_within_the_limit_is_parsed_in_no_time() {
    for depth in [10, 20, 40, 80, 190] {
        for sql in [
            format!("SELECT {}1{}", "f(a, g(b), ".repeat(depth), ")".repeat(depth)),
            format!("SELECT * FROM {}t{}", "((SELECT * FROM ".repeat(depth / 2), ") x CROSS JOIN t)".repeat(depth / 2)),
            format!("SELECT {}1{}", "position(".repeat(depth), ", 1)".repeat(depth)),
            format!("SELECT {}1", "CAST(CASE ".repeat(depth / 2)),
            format!("SELECT {}1{}", "(".repeat(depth), ")".repeat(depth)),
            format!("SELECT * FROM {}t{}", "(".repeat(depth), ")".repeat(depth)),
            format!("SELECT * FROM {}SELECT 1{}", "(".repeat(depth), ")".repeat(depth)),
            format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(depth), " END".repeat(depth)),
            format!("SELECT {}1{}", "CASE ".repeat(depth), " WHEN 1 THEN 1 END".repeat(depth)),
            format!("SELECT {}1{}", "abs(".repeat(depth), ")".repeat(depth)),
            format!("SELECT {}1", "NOT ".repeat(depth)),
            format!("SELECT {}1", "CASE WHEN true THEN ".repeat(depth)),
            format!("SELECT {}", "(".repeat(depth)),
            format!("SELECT * FROM {}", "(".repeat(depth)),
            format!("SELECT {}1", "CAST(".repeat(depth)),
            format!("SELECT {}1", "NOT (".repeat(depth)),
            format!("SELECT {}1", "(SELECT ".repeat(depth)),
            format!("SELECT * FROM {}1", "(SELECT * FROM ".repeat(depth)),
            format!("SELECT * FROM {}1 wrong wrong{}", "(SELECT * FROM ".repeat(depth), ")".repeat(depth)),
            format!("SELECT {}1 wrong wrong{}", "abs(".repeat(depth), ")".repeat(depth)),
            format!("SELECT {}1 wrong wrong{}", "(".repeat(depth), ")".repeat(depth)),
        ] {
            drop(sql::parse::parse(&sql));
        }
    }
}

/// So many numbers, in statements of a thousand.
fn numbers(client: &Client<'_>, table: &str, count: usize) {
    for from in (0..count).step_by(1_000) {
        let rows: Vec<String> = (from..count.min(from + 1_000)).map(|i| format!("({i})")).collect();
        client.run(&format!("INSERT INTO {table} VALUES {}", rows.join(",")));
    }
}

#[test]
fn a_statement_does_not_see_its_own_rows() {
    let world = World::new();
    let client = world.open("florin");
    client.run("CREATE TABLE n (a int)");
    numbers(&client, "n", 5_000);
    client.run("BEGIN");
    assert_eq!(client.run("INSERT INTO n SELECT a FROM n"), "INSERT 0 5000\n");
    assert_eq!(client.run("INSERT INTO n SELECT a + 1 FROM n"), "INSERT 0 10000\n");
    assert_eq!(client.run("SELECT count(*) FROM n"), "count\n20000\nSELECT 1\n");
    client.run("COMMIT");
    assert_eq!(client.run("SELECT count(*) FROM n"), "count\n20000\nSELECT 1\n");
}

#[test]
fn a_transaction_reads_and_changes_what_it_has_staged() {
    let world = World::new();
    let client = world.open("florin");
    client.run("CREATE TABLE s (a int PRIMARY KEY, t text)");
    let filler = "x".repeat(60_000);
    client.run("BEGIN");
    for a in 0..60 {
        client.run(&format!("INSERT INTO s VALUES ({a}, '{filler}')"));
    }
    assert_eq!(client.run("SELECT count(*), sum(a) FROM s"), "count | sum\n60 | 1770\nSELECT 1\n");
    assert!(client.run("INSERT INTO s VALUES (7, '')").contains("23505"));
    client.run("ROLLBACK");
    client.run("BEGIN");
    for a in 0..60 {
        client.run(&format!("INSERT INTO s VALUES ({a}, '{filler}')"));
    }
    assert_eq!(client.run("UPDATE s SET t = 'short' WHERE a < 10"), "UPDATE 10\n");
    assert_eq!(client.run("DELETE FROM s WHERE a >= 50"), "DELETE 10\n");
    assert_eq!(client.run("INSERT INTO s VALUES (55, 'again')"), "INSERT 0 1\n");
    assert_eq!(client.run("INSERT INTO s VALUES (3, 'no') ON CONFLICT (a) DO UPDATE SET t = 'conflict'"), "INSERT 0 1\n");
    client.run("COMMIT");
    assert_eq!(client.run("SELECT count(*), min(t), max(a) FROM s"), "count | min | max\n51 | again | 55\nSELECT 1\n");
    assert_eq!(client.run("SELECT t FROM s WHERE a = 3"), "t\nconflict\nSELECT 1\n");
}

#[test]
fn calls_nest_as_deep_as_parentheses() {
    let world = World::new();
    let client = world.open("florin");
    let sql = format!("SELECT {}NULL{} AS x", "coalesce(nullif(trim(".repeat(60), "), 'a'), 'b')".repeat(60));
    assert_eq!(client.run(&sql), "x\nb\nSELECT 1\n");
}

#[test]
fn deep_and_long_statements_are_refused_without_harm() {
    let world = World::new();
    let client = world.open("florin");
    let state = |sql: String| match client.ask(vec![ClientRequest::Query { sql }]).first() {
        Some(ClientResponse::Error(Severity::Error, error)) => Some(error.state()),
        _ => None,
    };
    let nested = format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(state(nested), Some(SqlState::STATEMENT_TOO_COMPLEX));
    assert_eq!(state(format!("SELECT {}1", "NOT ".repeat(10_000))), Some(SqlState::STATEMENT_TOO_COMPLEX));
    assert_eq!(state(format!("SELECT {}1", "- ".repeat(10_000))), Some(SqlState::STATEMENT_TOO_COMPLEX));
    assert_eq!(state(format!("SELECT 1{}", "+1".repeat(10_000))), Some(SqlState::STATEMENT_TOO_COMPLEX));
    assert_eq!(state(format!("SELECT {}", "CASE WHEN true THEN ".repeat(10_000))), Some(SqlState::STATEMENT_TOO_COMPLEX));
    assert_eq!(state(format!("SELECT 1{}", "::int".repeat(10_000))), Some(SqlState::STATEMENT_TOO_COMPLEX));
    let many = format!("SELECT 1 WHERE 1 IN (0{})", ",1".repeat(5_000));
    assert_eq!(state(many), None);
    assert_eq!(client.run("SELECT 1"), "?column?\n1\nSELECT 1\n");
}

#[test]
fn idle_transactions_end_when_their_time_is_up() {
    let world = World::new();
    let client = table(&world);
    client.run("SET idle_in_transaction_session_timeout = '10s'");
    client.run("BEGIN");
    world.pass(std::time::Duration::from_secs(11));
    assert_eq!(show(&client.heard()), "FATAL 25P03: terminating connection due to idle-in-transaction timeout\n");
}

#[test]
fn several_statements_of_a_message_do_the_same_when_their_plans_are_known() {
    let world = World::new();
    let client = table(&world);
    for id in 10..13 {
        let sql = format!("INSERT INTO t VALUES ({id}, 'a;{id}'); SELECT v FROM t WHERE id = {id} ; ;");
        assert_eq!(client.run(&sql), format!("INSERT 0 1\nv\na;{id}\nSELECT 1\n"));
        let sql = format!("BEGIN; UPDATE t SET v = 'b' WHERE id = {id}; ROLLBACK; SELECT v FROM t WHERE id = {id}");
        assert_eq!(client.run(&sql), format!("BEGIN\nUPDATE 1\nROLLBACK\nv\na;{id}\nSELECT 1\n"));
    }
}

#[test]
fn nothing_of_a_message_runs_if_a_statement_of_it_cannot_be_read() {
    let world = World::new();
    let client = table(&world);
    for id in 10..13 {
        let heard = client.run(&format!("INSERT INTO t VALUES ({id}, 'x'); SELECT FROM WHERE 1"));
        assert!(heard.starts_with("ERROR 42601"), "{heard}");
        let heard = client.run(&format!("INSERT INTO t VALUES ({id}, 'x'); SELECT v FROM t WHERE id = 1; SELEC 1"));
        assert!(heard.starts_with("ERROR 42601"), "{heard}");
    }
    assert_eq!(client.run("SELECT count(*) FROM t"), "count\n3\nSELECT 1\n");
}

#[test]
fn a_statement_that_fails_undoes_those_before_it_in_its_message_whether_or_not_their_plans_are_known() {
    let world = World::new();
    let client = table(&world);
    for id in 10..13 {
        let heard = client.run(&format!("INSERT INTO t VALUES ({id}, 'x'); INSERT INTO t VALUES (1, 'y'); INSERT INTO t VALUES (99, 'z')"));
        assert!(heard.starts_with("INSERT 0 1\nERROR 23505"), "{heard}");
        assert!(!heard.contains("99") && heard.matches('\n').count() == 2, "{heard}");
    }
    assert_eq!(client.run("SELECT count(*) FROM t"), "count\n3\nSELECT 1\n");
    for _ in 0..2 {
        let heard = client.run("BEGIN; INSERT INTO t VALUES (1, 'y'); COMMIT");
        assert!(heard.starts_with("BEGIN\nERROR 23505"), "{heard}");
        let heard = client.run("SELECT 1; SELECT 2");
        assert!(heard.starts_with("ERROR 25P02"), "{heard}");
        assert_eq!(client.run("ROLLBACK; SELECT 7 AS seven"), "ROLLBACK\nseven\n7\nSELECT 1\n");
    }
}

#[test]
fn an_error_in_a_later_statement_is_told_alike_whether_or_not_plans_are_known() {
    let world = World::new();
    let client = table(&world);
    for sql in ["SELECT v FROM t WHERE id = 1;\n SELECT wrong FROM t", "SELECT v FROM t WHERE id = 1;\n SELECT id FROM t WHERE id = 'x'"] {
        let first = client.run(sql);
        assert!(first.starts_with("v\none\nSELECT 1\nERROR"), "{first}");
        assert_eq!(client.run(sql), first);
        if let Some((_, position)) = first.split_once("POSITION: ") {
            assert!(position.trim().parse::<usize>().is_ok_and(|position| position > "SELECT v FROM t WHERE id = 1;".len()), "{first}");
        }
    }
}

#[test]
fn plans_of_a_message_follow_a_change_of_the_schema() {
    let world = World::new();
    let (client, other) = (table(&world), world.open("florin"));
    let sql = "SELECT v FROM t WHERE id = 1; SELECT * FROM t WHERE id = 2";
    assert_eq!(client.run(sql), "v\none\nSELECT 1\nid | v\n2 | two\nSELECT 1\n");
    other.run("ALTER TABLE t ADD COLUMN w int");
    assert_eq!(client.run(sql), "v\none\nSELECT 1\nid | v | w\n2 | two | NULL\nSELECT 1\n");
    other.run("DROP TABLE t");
    assert!(client.run(sql).starts_with("ERROR 42P01"));
}
