//! Statements that are a transaction of their own are run again unseen when a shard's leader was lost, as long as the client heard nothing.

use super::Session;
use super::output::Said;
use base::{Error, Retry, SqlState};
use std::time::Duration;

/// How often one statement is run again.
const RETRIES_MAX: u32 = 30;
const FIRST_WAIT: Duration = Duration::from_millis(1);
const WAIT_MAX: Duration = Duration::from_millis(100);

impl Session {
    /// True if the statement should be run again: its transaction was rolled back and its answers taken back.
    pub(crate) async fn may_run_again(&mut self, error: &Error, attempt: u32, said: Said) -> bool {
        let lost = error.retry() == Retry::Request || error.state() == SqlState::SERIALIZATION_FAILURE;
        if !lost || attempt >= RETRIES_MAX || !self.unsay(said) || self.backend.interrupted().is_some() {
            return false;
        }
        self.rollback_txn();
        let wait = (FIRST_WAIT * 2u32.saturating_pow(attempt.min(10))).min(WAIT_MAX);
        let jitter = self.backend.random() % (wait.as_micros() as u64 + 1);
        self.backend.sleep(wait / 2 + Duration::from_micros(jitter / 2)).await;
        true
    }
}
