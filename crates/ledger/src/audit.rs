//! Recomputes balances from transfers and compares.

use crate::model::{Account, PendingState, Transfer};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {}

#[derive(Clone, Debug, Default)]
pub struct Audit {}

impl Audit {
    pub fn new() -> Audit {
        Audit::default()
    }

    pub fn transfer(&mut self, _transfer: &Transfer, _state: Option<PendingState>) {}

    pub fn account(&mut self, _account: &Account) {}

    pub fn finish(self) -> Vec<Finding> {
        Vec::new()
    }
}
