//! `florin ledger`.

use crate::node::{Node, Scratch, florin};
use serde_json::Value;
use std::io::Write;
use std::process::{Output, Stdio};

const CASH: &str = "00000000-0000-0000-0000-0000000000a1";
const ADA: &str = "00000000-0000-0000-0000-0000000000b2";

pub struct Teller<'a>(pub &'a Node);

impl Teller<'_> {
    fn run(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        let sql = self.0.sql.to_string();
        let mut command = florin(&["ledger"]);
        command.args(&arguments[..1]).args(["--sql", &sql]).args(&arguments[1..]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program was built");
        // A command that does not read has closed it.
        drop(child.stdin.take().expect("piped").write_all(input.as_bytes()));
        let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (status.code().expect("it ends by itself"), text(stdout), text(stderr))
    }

    pub fn done(&self, arguments: &[&str]) -> String {
        let (code, said, error) = self.run(arguments, "");
        assert_eq!(code, 0, "{arguments:?}: {error}");
        said
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat())).expect("JSON")
    }

    /// The exit code and what it says on standard error.
    pub fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let (code, _, error) = self.run(arguments, "");
        (code, error)
    }
}

#[test]
fn money_is_moved_and_shown_by_commands() {
    let scratch = Scratch::new("ledger-commands");
    let node = Node::start(&scratch.path("data"), &[]);
    let teller = Teller(&node);
    teller.done(&["define", "1", "euro", "--currency", "EUR"]);
    teller.done(&["open", "1", "10", "--id", CASH, "--history"]);
    teller.done(&["open", "1", "20", "--id", ADA, "--history", "--debits-within-credits", "--metadata", r#"{"owner": "Ada"}"#]);
    let paid = teller.json(&["transfer", CASH, ADA, "1000"]);
    let held = teller.json(&["transfer", ADA, CASH, "400", "--pending", "--timeout", "600"]);
    let (held, paid) = (held["id"].as_str().expect("an id"), paid["id"].as_str().expect("an id"));
    assert_eq!(teller.json(&["account", ADA])["available"], "600");
    teller.done(&["transfer", "--post", held, "--part", "150"]);
    teller.done(&["transfer", "--reverse", paid, "--part", "50"]);
    let account = teller.json(&["account", ADA]);
    assert_eq!((&account["balance"], &account["metadata"]["owner"]), (&Value::from("800"), &Value::from("Ada")));
    assert_eq!(teller.json(&["history", ADA, "--limit", "2"])["entries"].as_array().map(Vec::len), Some(2));
    assert!(teller.done(&["history", ADA]).contains("released"));
    assert!(teller.done(&["balances"]).contains("-800"));
    assert!(teller.done(&["balances", "--as-of", "2100-01-01T00:00:00Z"]).contains("-800"));
    assert!(teller.done(&["ledgers"]).contains("EUR"));
    assert!(teller.done(&["audit"]).contains("sound"));
    assert!(teller.done(&["expire"]).starts_with('0'));

    let (code, error) = teller.refused(&["transfer", ADA, CASH, "801"]);
    assert!(code == 1 && error.contains("exceeds_credits") && error.contains("hint"), "{code} {error}");
    let (code, error) = teller.refused(&["account", "00000000-0000-0000-0000-0000000000ff"]);
    assert!(code == 1 && error.contains("is not open"), "{code} {error}");
    for wrong in [
        &["transfer", ADA, CASH][..],
        &["transfer", ADA, CASH, "1.5"],
        &["transfer", "--post", held, "--void", held],
        &["transfer", ADA, CASH, "1", "--timeout", "5"],
        &["account", "ada"],
        &["history", ADA, "--before", "yesterday"],
        &["open", "1", "0"],
        &["post", "-", "--sql", "nowhere"],
    ] {
        assert_eq!(teller.refused(wrong).0, 2, "{wrong:?}");
    }
}

#[test]
fn a_file_is_posted_once_however_often_it_is_sent() {
    let scratch = Scratch::new("ledger-post");
    let node = Node::start(&scratch.path("data"), &[]);
    let teller = Teller(&node);
    teller.done(&["define", "1", "euro"]);
    teller.done(&["open", "1", "10", "--id", CASH]);
    teller.done(&["open", "1", "20", "--id", ADA, "--debits-within-credits"]);
    let line = |number: u32, rest: &str| format!("{{\"id\": \"00000000-0000-0000-0001-{number:012}\", {rest}}}\n");
    let pay = format!("\"debit_account\": \"{CASH}\", \"credit_account\": \"{ADA}\", \"amount\": 5");
    let mut lines: Vec<String> = (0..10_000).map(|number| line(number, &pay)).collect();
    let legs =
        format!("\"debits\": [{{\"account\": \"{ADA}\", \"amount\": \"7\"}}], \"credits\": [{{\"account\": \"{CASH}\", \"amount\": 7}}]");
    lines.push(line(10_000, &legs));
    lines.push("\n".into());
    lines.push(line(10_001, &format!("\"debit_account\": \"{ADA}\", \"credit_account\": \"{CASH}\", \"amount\": 60000")));
    let text = lines.concat();
    let summary = |text: &str| {
        let (code, said, _) = teller.run(&["post", "-", "--json"], text);
        (code, serde_json::from_str::<Value>(&said).expect("JSON"))
    };
    let (code, first) = summary(&text);
    assert_eq!((code, &first["transfers"], &first["refused"]), (1, &10_002.into(), &1.into()));
    assert_eq!((&first["first_refused"][0]["line"], &first["first_refused"][0]["name"]), (&10_003.into(), &"exceeds_credits".into()));
    let (code, second) = summary(&text);
    assert_eq!((code, &second["codes"]["exists"], &second["codes"]["id_already_failed"]), (1, &10_000.into(), &1.into()));
    assert_eq!(teller.json(&["account", ADA])["balance"], "49993");

    let file = scratch.path("lines");
    std::fs::write(&file, format!("{}{}", line(20_000, &pay), "{\"amounts\": 5}\n")).expect("writable");
    let (code, said, error) = teller.run(&["post", file.to_str().expect("UTF-8")], "");
    assert!(
        code == 2 && said.starts_with("1 transfers") && error.contains("line 2: a transfer has no \"amounts\""),
        "{code} {said} {error}"
    );
    let (code, error) = teller.refused(&["post", "/does/not/exist"]);
    assert!(code == 1 && error.contains("could not be read"), "{code} {error}");
}
