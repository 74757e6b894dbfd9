//! Scripts with their answers: `testdata/sql/*.sql`. A line `-- @name` changes the session, `-- @wait` lets time pass; an answer stands behind
//! its statement in lines that start with `--> `. With `UPDATE_GOLDEN=1` the answers are written anew: read the difference before committing.
#![allow(clippy::disallowed_methods)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use support::World;
use support::client::Client;

fn play(script: &str) -> String {
    let world = World::new();
    let mut clients: BTreeMap<String, Client<'_>> = BTreeMap::new();
    let mut session = "main".to_owned();
    let mut out = String::new();
    let mut statement = String::new();
    for line in script.lines().filter(|line| !line.starts_with("--> ") && *line != "-->") {
        out.push_str(line);
        out.push('\n');
        if let Some(name) = line.strip_prefix("-- @") {
            if let Some(seconds) = name.strip_prefix("wait ") {
                world.pass(std::time::Duration::from_secs(seconds.parse().expect("seconds")));
            } else {
                session = name.to_owned();
            }
            let client = clients.entry(session.clone()).or_insert_with(|| world.open("florin"));
            answer(&support::client::show(&client.heard()), &mut out);
            continue;
        }
        if statement.is_empty() && (line.is_empty() || line.starts_with("--")) {
            continue;
        }
        statement.push_str(line);
        statement.push('\n');
        if line.trim_end().ends_with(';') {
            let client = clients.entry(session.clone()).or_insert_with(|| world.open("florin"));
            answer(&client.run(statement.trim_end()), &mut out);
            statement.clear();
        }
    }
    assert!(statement.is_empty(), "unfinished: {statement}");
    out
}

fn answer(text: &str, out: &mut String) {
    for line in text.lines() {
        out.push_str("--> ");
        out.push_str(line);
        out.push('\n');
    }
}

#[test]
fn scripts_answer_as_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sql");
    let mut wrong = Vec::new();
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("the folder is there").map(|entry| entry.expect("can be read").path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let script = std::fs::read_to_string(&file).expect("can be read");
        let played = play(&script);
        if played == script {
            continue;
        }
        if std::env::var("UPDATE_GOLDEN").is_ok() {
            std::fs::write(&file, &played).expect("can be written");
            continue;
        }
        let differs = script.lines().zip(played.lines()).position(|(a, b)| a != b).unwrap_or(0);
        let at = |text: &str| text.lines().nth(differs).unwrap_or_default().to_owned();
        wrong.push(format!("{}:{}\n  says {}\n  is   {}", file.display(), differs + 1, at(&script), at(&played)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
