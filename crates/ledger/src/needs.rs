//! What a batch will read, told before it runs, so that a database can fetch it at once.

use crate::model::{Transfer, TransferFlags};
use rustc_hash::FxHashSet;
use std::hash::Hash;

/// A set that keeps the order in which its elements came, so that nothing depends on hashes.
#[derive(Clone, Debug)]
pub struct OrderedSet<T> {
    seen: FxHashSet<T>,
    order: Vec<T>,
}

impl<T> Default for OrderedSet<T> {
    fn default() -> OrderedSet<T> {
        OrderedSet { seen: FxHashSet::default(), order: Vec::new() }
    }
}

impl<T: Copy + Eq + Hash> OrderedSet<T> {
    /// True if it was not there before.
    pub fn insert(&mut self, element: T) -> bool {
        let is_new = self.seen.insert(element);
        if is_new {
            self.order.push(element);
        }
        is_new
    }

    pub fn contains(&self, element: &T) -> bool {
        self.seen.contains(element)
    }

    /// In the order in which they came.
    pub fn iter(&self) -> std::iter::Copied<std::slice::Iter<'_, T>> {
        self.order.iter().copied()
    }

    pub fn as_slice(&self) -> &[T] {
        &self.order
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl<'a, T: Copy + Eq + Hash> IntoIterator for &'a OrderedSet<T> {
    type Item = T;
    type IntoIter = std::iter::Copied<std::slice::Iter<'a, T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What must be known to decide about some events.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    pub accounts: OrderedSet<u128>,
    /// Each with its pending state, whether the id failed before, and how much of it was reversed.
    pub transfers: OrderedSet<u128>,
    pub ledgers: OrderedSet<u32>,
}

impl Needs {
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.transfers.is_empty() && self.ledgers.is_empty()
    }

    /// Adds an account; 0 is none.
    pub(crate) fn account(&mut self, id: u128) {
        if id != 0 {
            self.accounts.insert(id);
        }
    }

    pub(crate) fn transfer(&mut self, id: u128) {
        if id != 0 {
            self.transfers.insert(id);
        }
    }

    pub(crate) fn ledger(&mut self, id: u32) {
        if id != 0 {
            self.ledgers.insert(id);
        }
    }
}

/// What a transfer touches that is posted, voided or reversed by an event, or expires: the second round, once it is read.
pub fn needs_of_referred(transfer: &Transfer, needs: &mut Needs) {
    if transfer.legs.is_empty() {
        needs.account(transfer.debit_account);
        needs.account(transfer.credit_account);
    }
    transfer.legs.iter().for_each(|leg| needs.account(leg.account));
    needs.ledger(transfer.ledger);
}

/// What the event itself names: the first round.
pub(crate) fn needs_of_event(transfer: &Transfer, needs: &mut Needs) {
    needs.transfer(transfer.id);
    if transfer.flags.has_any(TransferFlags::POST.with(TransferFlags::VOID).with(TransferFlags::REVERSE)) {
        needs.transfer(transfer.pending);
    }
    needs_of_referred(transfer, needs);
}
