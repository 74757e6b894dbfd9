//! Payment files, join tokens, PEM files, fault plans.

use crate::seeds;
use server::identity::{ClusterKeys, Token, parse_pem};
use sim::Plan;

/// A file is read, or refused with the place of each fault.
pub fn nacha(input: &[u8]) {
    match clearing::nacha::read(input) {
        Ok(file) => {
            let amounts = file.batches.iter().flat_map(|batch| &batch.entries).map(|entry| entry.amount.0);
            assert_eq!(
                amounts.sum::<i128>(),
                file.control.debits.0 + file.control.credits.0,
                "entries add up to the file's control record"
            );
        }
        Err(broken) => {
            assert!(!broken.problems.is_empty(), "a refusal has a reason");
            assert!(!broken.to_string().is_empty(), "which can be told");
        }
    }
}

pub fn nacha_seeds() -> Vec<Vec<u8>> {
    seeds::folder("testdata/nacha", ".ach")
}

/// What an operator, a file or a test's control channel gives.
pub fn tokens_and_keys(input: &[u8]) {
    // Refusals are as good as tokens and keys; neither may panic.
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = Token::parse(text);
        let _ = server::control::is_command(text);
    }
    let _ = parse_pem(input, input);
}

pub fn token_seeds() -> Vec<Vec<u8>> {
    let made = ClusterKeys::make().and_then(|cluster| Ok((cluster.token()?, cluster.issue(base::NodeId(7), &["db.example".to_owned()])?)));
    let (token, node) = made.expect("the machine gives random bytes");
    let commands = r#"{"links": {"round_trips": [["amber", "birch", 8.0]], "cut_zones": ["a1"], "cut_one_way": [["a1", "b1"]]}}"#;
    vec![token.into_bytes(), (node.certificate + &node.key).into_bytes(), commands.as_bytes().to_vec()]
}

pub fn fault_plans(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        // A refusal is as good as a plan.
        let _ = Plan::parse(text);
    }
}

pub fn plan_seeds() -> Vec<Vec<u8>> {
    seeds::folder("crates/sim/plans", ".json")
}
