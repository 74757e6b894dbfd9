//! The Python client's own tests, against a real node. Where there is no Python with psycopg and pytest it says that it was skipped.

use crate::node::{Node, Scratch};
use std::path::Path;
use std::process::Command;

#[test]
fn the_python_clients_tests_pass_against_a_node() {
    let python = std::env::var("FLORIN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_modules = Command::new(&python).args(["-c", "import psycopg, pytest"]).output().is_ok_and(|output| output.status.success());
    if !has_modules {
        println!("skipped: {python} has no psycopg and pytest; FLORIN_PYTHON names one that has them");
        return;
    }
    let scratch = Scratch::new("ledger-python");
    let node = Node::start(&scratch.path("data"), &[]);
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/python");
    let url = format!("postgresql://florin@{}:{}/florin", node.sql.ip(), node.sql.port());
    let mut command = Command::new(&python);
    command.args(["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"]).current_dir(package).env("FLORIN_URL", url);
    let output = command.output().expect("it was started a moment ago");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("skipped"), "{said}");
}
