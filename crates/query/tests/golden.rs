//! Results as PostgreSQL 15 gives them: testdata/golden, made by testdata/expect.py.

mod common;

use common::Harness;
use query::EngineOptions;
use std::path::Path;

/// Runs each test of a file and lists what differs.
fn check(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden").join(file);
    let tests = std::fs::read_to_string(&path).expect("the golden file is there");
    let harness = Harness::new(EngineOptions::default());
    let mut failures = Vec::new();
    let mut passed = 0;
    for block in tests.split("\n\n").filter(|block| !block.trim().is_empty()) {
        let (head, expected) = block.split_once("\n----").expect("a query and its result");
        let sql: String = head.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
        let expected: Vec<&str> = expected.trim_matches('\n').lines().collect();
        let parsed = std::panic::catch_unwind(|| common::parse(sql.trim()));
        let found = match parsed {
            Err(_) => vec![String::from("ERROR 42601")],
            Ok(_) => match harness.run(sql.trim()) {
                Ok(answer) => answer.text(),
                Err(error) => vec![format!("ERROR {}", error.state()), format!("  {error:?}")],
            },
        };
        let same = if found.first().is_some_and(|line| line.starts_with("ERROR ")) {
            found.first().map(String::as_str) == expected.first().copied()
        } else {
            found == expected
        };
        if same {
            passed += 1;
        } else {
            failures.push(format!("{sql}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    assert!(failures.is_empty(), "{passed} passed, {} failed in {file}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn selects_give_what_postgresql_gives() {
    check("select.test");
}

#[test]
fn keys_determine_no_more_than_they_do() {
    check("keys.test");
}

#[test]
fn types_behave_as_in_postgresql() {
    check("types.test");
}

#[test]
fn errors_have_postgresqls_states() {
    check("errors.test");
}
