//! Planted faults are found by the test of everything at once.

use super::chaos::life;
use crate::planted::{Bug, plant};
use std::panic::catch_unwind;

fn is_found(bug: Bug) -> bool {
    plant(Some(bug));
    let found = (0..40).any(|seed| catch_unwind(|| life(seed, 3_000, 3, false)).is_err());
    plant(None);
    found
}

#[test]
fn an_early_answer_a_forgotten_lock_and_a_doubled_commit_are_found() {
    for bug in [Bug::AnswerEarly, Bug::ForgetLock, Bug::DoubleApply] {
        assert!(is_found(bug), "{bug:?}");
    }
}
