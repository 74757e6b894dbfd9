//! The engine's conduct: descriptions, parameters, scans, bounds, cancelling, memory, errors, plans.

mod common;

use common::{Harness, SCAN_ROWS};
use query::EngineOptions;
use sql::engine::*;
use sql::value::Value;
use std::sync::Arc;

fn harness() -> Harness {
    Harness::new(EngineOptions::default())
}

fn text(value: &str) -> Value {
    Value::Text(Arc::from(value))
}

#[test]
fn a_description_names_columns_and_types_before_anything_is_read() {
    let harness = harness();
    let answer = harness
        .describe("select id, name as n, count(*), sum(id), balance, 1, 'x', current_user from customers group by 1, 2, balance", vec![])
        .expect("a description");
    assert_eq!(answer.names, ["id", "n", "count", "sum", "balance", "?column?", "?column?", "current_user"]);
    assert_eq!(answer.types, [20, 25, 20, 1700, 1700, 23, 25, 19]);
    assert_eq!(answer.modifiers[4], ((18 << 16) | 2) + 4);
    assert_eq!(harness.engine.running(), 0);
}

#[test]
fn parameters_learn_their_types_from_what_stands_beside_them() {
    let harness = harness();
    let sql = "select name from customers where id = $1 and created > $2 and name like $3 and balance in ($4, $5) and $6::int = 1 limit $7";
    let answer = harness.describe(sql, vec![]).expect("a description");
    assert_eq!(answer.parameter_types, [20, 1184, 25, 1700, 1700, 23, 20]);
}

#[test]
fn parameters_are_values_in_the_plan() {
    let harness = harness();
    let sql = "select id from orders where customer_id = $1 and note = $2 order by id";
    let answer = harness.run_with(sql, vec![Value::Int8(1), text("first")], vec![20, 25]).expect("rows");
    assert_eq!(answer.text(), ["1"]);
    let answer = harness.run_with("select $1 + 1, $2 || 'x'", vec![Value::Int4(4), text("y")], vec![23, 25]).expect("rows");
    assert_eq!(answer.text(), ["5|yx"]);
    let answer = harness
        .run_with(
            "select id from orders where customer_id = any($1) order by 1",
            vec![Value::Array(Arc::from([Value::Int8(2), Value::Int8(9)]))],
            vec![1016],
        )
        .expect("rows");
    assert_eq!(answer.text(), ["3", "7", "8"]);
    let missing = harness.run_with("select $2::int", vec![Value::Int4(1)], vec![23]).expect_err("no second parameter");
    assert_eq!(missing.state().as_str(), "42P02");
}

#[test]
fn a_filter_on_the_primary_key_reads_only_its_range() {
    let harness = harness();
    let rows = |sql: &str| {
        let answer = harness.run(sql).unwrap_or_else(|error| panic!("{error:?}"));
        (answer.rows.len(), answer.scanned_rows)
    };
    assert_eq!(rows("select * from orders where id = 4"), (1, 1));
    assert_eq!(rows("select * from orders where id > 7 and id <= 9"), (2, 2));
    assert_eq!(rows("select * from orders where id between 2 and 3 and note is null"), (1, 2));
    assert_eq!(rows("select * from orders where id > 3 and id < 3"), (0, 0));
    assert_eq!(rows("select * from orders where amount > 1000"), (0, 10));
    assert_eq!(rows("select * from orders where id = $1::bigint - 1".replace("$1", "5").as_str()), (1, 1));
}

#[test]
fn a_limit_stops_the_scan() {
    let harness = harness();
    let answer = harness.run("select id from orders limit 2").expect("rows");
    assert_eq!((answer.rows.len(), answer.scanned_rows), (2, SCAN_ROWS));
}

#[test]
fn rows_wait_for_the_client_to_take_the_last_chunk() {
    let harness = harness();
    let job = harness.job("select x from generate_series(1, 10000) as x", vec![], vec![]);
    let query = job.id;
    harness.engine.command(EngineCommand::Run(job));
    assert!(matches!(harness.next_event().1, EngineEvent::Described { .. }));
    for expected in [CHUNK_ROWS, CHUNK_ROWS, 10_000 - 2 * CHUNK_ROWS] {
        let EngineEvent::Rows(rows) = harness.next_event().1 else { panic!("rows") };
        assert_eq!(rows.len(), expected);
        harness.engine.command(EngineCommand::More { query });
    }
    assert!(matches!(harness.next_event().1, EngineEvent::Done { .. }));
}

#[test]
fn a_cancelled_query_is_forgotten_and_says_nothing_more() {
    let harness = harness();
    let job = harness.job("select count(*) from orders", vec![], vec![]);
    let query = job.id;
    harness.engine.command(EngineCommand::Run(job));
    assert!(matches!(harness.next_event().1, EngineEvent::Described { .. }));
    let EngineEvent::Scan { scan, .. } = harness.next_event().1 else { panic!("a scan") };
    harness.engine.command(EngineCommand::Cancel { query });
    assert_eq!(harness.engine.running(), 0);
    harness.engine.command(EngineCommand::Rows { query, scan, rows: vec![], last: true });
    // The next query's events come next.
    assert_eq!(harness.text("select 1"), ["1"]);
}

#[test]
fn a_query_over_the_memory_limit_ends_with_53200() {
    let harness = Harness::new(EngineOptions { memory_bytes: 1 << 20, ..EngineOptions::default() });
    let state = harness.state("select x, count(*) from generate_series(1, 2000000) as x group by x order by 2, 1");
    assert_eq!(state, "53200");
    assert_eq!(harness.text("select 1"), ["1"]);
}

#[test]
fn a_sort_over_the_memory_limit_spills_where_it_may() {
    let directory = std::env::temp_dir().join(format!("query-spill-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let harness =
        Harness::new(EngineOptions { memory_bytes: 12 << 20, spill_directory: Some(directory.clone()), ..EngineOptions::default() });
    let answer = harness
        .run("select a.x, b.x, repeat('x', 100) from generate_series(1, 1000) a(x), generate_series(1, 200) b(x) order by b.x desc, a.x")
        .expect("sorted");
    assert_eq!(answer.rows.len(), 200_000);
    assert_eq!(answer.rows[0][..2], [Value::Int4(1), Value::Int4(200)]);
    drop(harness);
    let _removed = std::fs::remove_dir_all(directory);
}

#[test]
fn bad_rows_end_the_query_with_an_error() {
    let harness = harness();
    let job = harness.job("select * from orders", vec![], vec![]);
    let query = job.id;
    harness.engine.command(EngineCommand::Run(job));
    assert!(matches!(harness.next_event().1, EngineEvent::Described { .. }));
    let EngineEvent::Scan { scan, .. } = harness.next_event().1 else { panic!("a scan") };
    harness.engine.command(EngineCommand::Rows { query, scan, rows: vec![bytes::Bytes::from_static(b"\xff\xff\xff")], last: true });
    let (_, EngineEvent::Failed(error)) = harness.next_event() else { panic!("an error") };
    assert_eq!(error.state().as_str(), "XX001");
}

#[test]
fn plans_are_shown_in_postgresqls_shape() {
    let harness = harness();
    let mut job = harness.job(
        "select c.name, count(*) from customers c join orders o on o.customer_id = c.id where c.id > 1 group by c.name order by 1",
        vec![],
        vec![],
    );
    job.explain = Some(Explain { analyze: false });
    let answer = harness.answer(EngineCommand::Run(job)).expect("a plan");
    let plan = answer.explain.expect("a text");
    assert!(answer.rows.is_empty() && answer.scanned_rows == 0);
    assert!(plan.starts_with("Sort\n  Sort Key:"), "{plan}");
    assert!(
        plan.contains("->  HashAggregate")
            && plan.contains("Join")
            && plan.contains("Primary Key Range Scan on customers")
            && plan.contains("Seq Scan on orders"),
        "{plan}"
    );
    let mut job = harness.job("select count(*) from orders", vec![], vec![]);
    job.explain = Some(Explain { analyze: true });
    let answer = harness.answer(EngineCommand::Run(job)).expect("a plan");
    assert_eq!(answer.scanned_rows, 10);
    assert!(answer.explain.expect("a text").contains("rows=1"));
}

#[test]
fn errors_never_speak_of_the_library() {
    let harness = harness();
    for sql in [
        "select nothing from customers",
        "select 1 + 'a'",
        "select * from nothing",
        "select sum(name) from customers",
        "select id from customers group by name",
        "select lower(1,2,3)",
    ] {
        let error = harness.run(sql).expect_err("a mistake");
        assert_ne!(error.state().as_str(), "XX000", "{error:?}");
        let text = format!("{error:?}");
        assert!(!text.contains("DataFusion") && !text.contains("Arrow") && !text.contains("Utf8") && !text.contains("Int64"), "{text}");
    }
}

#[test]
fn settings_answer_for_the_session() {
    let harness = harness();
    assert_eq!(
        harness.text("select current_user, session_user, current_database(), current_schema(), current_schemas(false), pg_backend_pid()"),
        ["postgres|postgres|florin|public|{public}|42"]
    );
}

#[test]
fn the_time_zone_is_the_sessions() {
    let mut harness = harness();
    harness.time_zone = String::from("Europe/Berlin");
    assert_eq!(harness.text("select created::text from customers where id = 1"), ["2024-01-01 01:00:00+01"]);
    assert_eq!(harness.text("select id from customers where created = '2024-01-01 01:00:00'"), ["1"]);
}
