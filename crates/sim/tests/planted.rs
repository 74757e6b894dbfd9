//! Each checker catches the fault that was planted for it: `cargo test --release -p sim --features planted`.

#![cfg(feature = "planted")]

use shard::planted::{Bug, plant};
use sim::{Options, Outcome, Plan, Verdict};
use sql::ledger::planted as ledger;

/// Seeds tried for one planted fault.
const SEEDS_MAX: u64 = 48;

/// Plays seeds until one fails as expected; any other failure is an error of its own.
fn caught(plan: &str, seconds: u64, lying_disks: bool, expected: &[&str]) -> Verdict {
    let plan = Plan::built_in(plan).expect("it comes with the program");
    for seed in 1..=SEEDS_MAX {
        let verdict = sim::run(&plan, &Options { lying_disks, ..Options::new(seed, seconds) });
        let found: Vec<&str> = match &verdict.outcome {
            Outcome::Pass => continue,
            Outcome::Wrong(violations) => violations.iter().map(|violation| violation.checker).collect(),
            // Assertions of the code itself may be quicker than the checkers.
            Outcome::Crash(_) => vec!["crash"],
            Outcome::Stall(_) => vec!["stall"],
        };
        println!("seed {seed}: {found:?}");
        if found.iter().any(|checker| expected.contains(checker)) {
            return verdict;
        }
    }
    panic!("nothing of {expected:?} was found in {SEEDS_MAX} seeds");
}

fn with(bug: Bug, plan: &str, seconds: u64, expected: &[&str]) {
    plant(Some(bug));
    let verdict = caught(plan, seconds, false, expected);
    plant(None);
    println!("{verdict}");
}

#[test]
fn an_answer_before_the_majority_has_it_is_caught() {
    with(Bug::AnswerEarly, "partitions", 60, &["lost write", "linearizability", "isolation", "money", "work queue"]);
}

#[test]
fn a_forgotten_lock_is_caught() {
    with(Bug::ForgetLock, "calm", 30, &["isolation", "money", "linearizability", "work queue"]);
}

#[test]
fn a_commit_applied_twice_is_caught() {
    with(Bug::DoubleApply, "mixed", 60, &["isolation", "money", "linearizability", "wrong row"]);
}

#[test]
fn reads_that_are_not_validated_are_caught() {
    with(Bug::SkipValidation, "calm", 30, &["isolation"]);
}

#[test]
fn a_leader_without_a_lease_is_caught() {
    with(Bug::ServeWithoutLease, "watched", 30, &["went back"]);
}

#[test]
fn forgotten_outcomes_are_caught() {
    with(Bug::LoseOutcomes, "mixed", 60, &["isolation", "money", "linearizability", "phantom write", "lost write"]);
}

#[test]
fn a_value_that_is_told_before_it_is_committed_is_caught() {
    with(Bug::TellEarly, "watched", 30, &["went back"]);
}

#[test]
fn a_commit_that_rests_on_what_was_lost_is_caught() {
    with(Bug::ForgetSeen, "watched", 30, &["went back", "lost update"]);
}

#[test]
fn a_disk_that_acknowledges_too_early_is_caught() {
    plant(None);
    let expected = ["lost write", "linearizability", "isolation", "money", "work queue", "replicas", "sequence", "crash"];
    let verdict = caught("crashes", 60, true, &expected);
    println!("{verdict}");
}

fn with_ledger(bug: ledger::Bug, expected: &[&str]) {
    plant(None);
    ledger::plant(Some(bug));
    let verdict = caught("ledger", 40, false, expected);
    ledger::plant(None);
    println!("{verdict}");
}

#[test]
fn a_booking_that_is_answered_though_its_commit_failed_is_caught() {
    with_ledger(ledger::Bug::AnswerAnyway, &["lost write"]);
}

#[test]
fn an_amount_that_is_released_again_is_caught() {
    with_ledger(ledger::Bug::ReleaseAgain, &["books"]);
}

#[test]
fn a_transfer_that_is_booked_again_is_caught() {
    with_ledger(ledger::Bug::BookAgain, &["books"]);
}

#[test]
fn timestamps_against_the_order_of_an_account_are_caught() {
    with_ledger(ledger::Bug::ForgetOrder, &["ledger order", "books"]);
}

#[test]
fn a_stream_of_changes_that_follows_timestamps_is_caught() {
    with_ledger(ledger::Bug::FollowTimestamps, &["changes"]);
}

#[test]
fn a_follower_that_leaves_a_batch_out_of_its_evidence_is_caught() {
    plant(Some(Bug::ForgetRecord));
    let verdict = caught("ledger", 40, false, &["replicas", "evidence", "errors"]);
    plant(None);
    println!("{verdict}");
}
