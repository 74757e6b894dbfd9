//! What an operator does to a cluster's members, with the commands of the program.

use crate::node::{ANSWER_MAX, Node, Scratch, florin, refused, refused_start};
use std::time::Instant;

fn told(arguments: &[&str]) -> String {
    let output = florin(arguments).output().expect("the program was built");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until the first shards' voters are so many, as this node knows it.
fn wait_for_voters(node: &Node, voters: &str) {
    let begun = Instant::now();
    loop {
        let counts = node.ask("SELECT voters FROM florin.shards").unwrap_or_default();
        if counts.len() == 2 && counts.iter().all(|row| row[0] == voters) {
            return;
        }
        assert!(begun.elapsed() < ANSWER_MAX, "there are never {voters} voters: {counts:?}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn a_node_joins_leads_is_removed_and_is_refused_from_then_on() {
    let scratch = Scratch::new("membership");
    let (data, other) = (scratch.path("data"), scratch.path("other"));
    let path = data.to_str().expect("a path of letters");
    let made: serde_json::Value =
        serde_json::from_str(&told(&["cluster", "init", "--json", "--mode", "3dc", "--data", path])).expect("JSON");
    let token = made["token"].as_str().expect("a token");
    let mut node = Node::start(&data, &["--city", "amber", "--zone", "a1"]);
    node.run("CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (1)");
    let join = node.nodes.to_string();
    let mut second = Node::start(&other, &["--city", "amber", "--zone", "a2", "--join", &join, "--token", token]);
    let third = Node::start(&scratch.path("third"), &["--city", "amber", "--zone", "a3", "--join", &join, "--token", token]);
    wait_for_voters(&node, "3");
    let sql = node.sql.to_string();
    let status = told(&["status", "--sql", &second.sql.to_string()]);
    assert!(status.contains("a1") && status.contains("a2") && status.contains("shards"), "{status}");

    // The connection is verified against the cluster's authority, and not against another one.
    let ca = data.join("tls/ca.pem");
    assert_eq!(told(&["status", "--sql", &sql, "--ca", ca.to_str().expect("letters")]).lines().next(), Some("nodes"));
    let foreign = scratch.path("foreign");
    told(&["cluster", "init", "--data", foreign.to_str().expect("letters")]);
    let said = refused(florin(&["status", "--sql", &sql, "--ca"]).arg(foreign.join("tls/ca.pem")));
    assert!(said.contains("certificate"), "{said}");
    let said = refused(florin(&["status", "--sql", &sql, "--ca"]).arg(other.join("florin.json")));
    assert!(said.contains("no certificate authority") && said.contains("tls/ca.pem"), "{said}");

    let drained = told(&["drain", "--sql", &sql, "1"]);
    assert!(drained.contains("leads nothing") && drained.contains("--undo"), "{drained}");
    assert_eq!(third.one("SELECT sum(leads) FROM florin.nodes WHERE node > 1"), "2");
    assert!(told(&["drain", "--sql", &sql, "1", "--undo"]).contains("may lead again"));
    for wrong in [&["drain", "9"][..], &["node", "remove", "9"], &["node", "replace", "1", "9"], &["node", "replace", "2", "2"]] {
        let said = refused(florin(wrong).args(["--sql", &sql]));
        assert!(said.contains("there is no node 9") || said.contains("cannot take its own place"), "{said}");
    }

    assert!(told(&["node", "remove", "--sql", &sql, "2"]).contains("being removed"));
    wait_for_voters(&node, "2");
    assert!(second.ended(), "it stops, and says why");
    let said = refused_start(&other, &["--city", "amber", "--zone", "a2"]);
    assert!(said.contains("was removed from its cluster") && said.contains("--join"), "{said}");
    assert_eq!(node.one("SELECT count(*) FROM kept"), "1");
    node.run("INSERT INTO kept VALUES (2)");
    node.check();
}
