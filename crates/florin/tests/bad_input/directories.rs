//! What a data directory may be: somebody else's, newer, damaged, in use.

use crate::node::{Node, Scratch, florin, refused, refused_start};

#[test]
fn a_second_process_on_a_directory_is_refused_and_the_first_goes_on() {
    let scratch = Scratch::new("second");
    let data = scratch.path("data");
    let mut node = Node::start(&data, &[]);
    node.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    let said = refused_start(&data, &[]);
    assert!(said.contains("another process uses the data directory") && said.contains("--data"), "{said}");
    let said = refused(florin(&["cluster", "init", "--data"]).arg(&data));
    assert!(said.contains("another process uses the data directory"), "{said}");
    node.check();
    assert_eq!(node.one("SELECT count(*) FROM t"), "1");
    node.kill();
    let said = refused(florin(&["cluster", "init", "--data"]).arg(&data));
    assert!(said.contains("holds the data of a node already") && said.contains("empty directory"), "{said}");
    assert_eq!(Node::start(&data, &[]).one("SELECT count(*) FROM t"), "1", "nothing was touched");
}

#[test]
fn a_port_that_is_taken_is_told() {
    let scratch = Scratch::new("port");
    let node = Node::start(&scratch.path("data"), &[]);
    let taken = node.sql.to_string();
    let mut command = florin(&["start", "--listen", "127.0.0.1:0", "--sql-listen", &taken, "--data"]);
    let said = refused(command.arg(scratch.path("other")));
    assert!(said.contains("cannot listen on") && said.contains("--sql-listen"), "{said}");
    let said = refused(florin(&["start", "--listen", "nonsense", "--data"]).arg(scratch.path("other")));
    assert!(said.contains("host:port"), "{said}");
    let said = refused(florin(&["start", "--listen", "0.0.0.0:0", "--sql-listen", "127.0.0.1:0", "--data"]).arg(scratch.path("other")));
    assert!(said.contains("--advertise"), "{said}");
    let said = refused_start(&scratch.path("other"), &["--http", "localhost"]);
    assert!(said.contains("no address for HTTP"), "{said}");
}

#[test]
fn a_directory_of_something_else_or_of_a_newer_florin_is_left_alone() {
    let scratch = Scratch::new("foreign");
    let data = scratch.path("data");
    std::fs::create_dir(&data).expect("writable");
    std::fs::write(data.join("thesis.tex"), "x").expect("writable");
    let said = refused_start(&data, &[]);
    assert!(said.contains("no data directory of Florin") && said.contains("--data"), "{said}");
    std::fs::remove_file(data.join("thesis.tex")).expect("it is there");
    Node::start(&data, &[]).kill();
    let identity = data.join("florin.json");
    let text = std::fs::read_to_string(&identity).expect("made at the first start");
    let newer = text.replacen("\"format\": 1", "\"format\": 2", 1);
    assert_ne!(newer, text);
    std::fs::write(&identity, newer).expect("writable");
    let said = refused_start(&data, &[]);
    assert!(said.contains("format 2") && said.contains("newer version of Florin"), "{said}");
    std::fs::write(&identity, &text[..text.len() / 2]).expect("writable");
    let said = refused_start(&data, &[]);
    assert!(said.contains("damaged") && said.contains("hint"), "{said}");
    std::fs::write(&identity, text).expect("writable");
    Node::start(&data, &[]).check();
}

#[test]
fn a_node_of_another_cluster_does_not_join_and_keeps_its_data() {
    let scratch = Scratch::new("other-cluster");
    let (data, other) = (scratch.path("data"), scratch.path("other"));
    let token = |path: &std::path::Path| {
        let mut init = florin(&["cluster", "init", "--json", "--mode", "single", "--data"]);
        let output = init.arg(path).output().expect("the program was built");
        let made: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        made["token"].as_str().expect("a token").to_owned()
    };
    let (own, foreign) = (token(&data), token(&other));
    let node = Node::start(&data, &[]);
    node.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    let second = Node::start(&other, &[]);
    node.kill();
    let join = second.nodes.to_string();
    let said = refused_start(&data, &["--join", &join, "--token", &foreign]);
    assert!(said.contains("the token is for another one") && said.contains("empty directory"), "{said}");
    // With its own token it is a restart, wherever --join points.
    let node = Node::start(&data, &["--join", &join, "--token", &own]);
    assert_eq!(node.one("SELECT count(*) FROM t"), "1");
}
