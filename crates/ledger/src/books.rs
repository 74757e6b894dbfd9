//! What holds accounts and transfers, and a layer of changes above it that can be dropped.

use crate::model::{Account, PendingState, Transfer};
use std::collections::{BTreeMap, BTreeSet};

/// What the rules need of whatever holds the books. Reads see all earlier writes.
pub trait Books {
    fn account(&self, id: u128) -> Option<Account>;
    fn transfer(&self, id: u128) -> Option<Transfer>;
    fn pending_state(&self, transfer: u128) -> Option<PendingState>;
    /// True if the id was refused for a passing reason before.
    fn has_failed(&self, transfer: u128) -> bool;
    fn put_account(&mut self, account: Account);
    fn put_transfer(&mut self, transfer: Transfer);
    fn put_pending_state(&mut self, transfer: u128, state: PendingState);
    fn put_failed(&mut self, transfer: u128);
}

/// Books in memory: for tests, and as the independent model that the simulator compares with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryBooks {
    pub accounts: BTreeMap<u128, Account>,
    pub transfers: BTreeMap<u128, Transfer>,
    pub pending: BTreeMap<u128, PendingState>,
    pub failed: BTreeSet<u128>,
}

impl Books for MemoryBooks {
    fn account(&self, id: u128) -> Option<Account> {
        self.accounts.get(&id).cloned()
    }

    fn transfer(&self, id: u128) -> Option<Transfer> {
        self.transfers.get(&id).cloned()
    }

    fn pending_state(&self, transfer: u128) -> Option<PendingState> {
        self.pending.get(&transfer).copied()
    }

    fn has_failed(&self, transfer: u128) -> bool {
        self.failed.contains(&transfer)
    }

    fn put_account(&mut self, account: Account) {
        self.accounts.insert(account.id, account);
    }

    fn put_transfer(&mut self, transfer: Transfer) {
        self.transfers.insert(transfer.id, transfer);
    }

    fn put_pending_state(&mut self, transfer: u128, state: PendingState) {
        self.pending.insert(transfer, state);
    }

    fn put_failed(&mut self, transfer: u128) {
        self.failed.insert(transfer);
    }
}

/// Changes above some books, kept apart until they are accepted: how a chain takes effect whole or not at all.
pub struct Overlay<'a, B: Books> {
    below: &'a mut B,
    changes: MemoryBooks,
}

impl<'a, B: Books> Overlay<'a, B> {
    pub fn new(below: &'a mut B) -> Overlay<'a, B> {
        Overlay { below, changes: MemoryBooks::default() }
    }

    /// Writes the changes down. Dropping the overlay instead forgets them.
    pub fn accept(self) {
        let MemoryBooks { accounts, transfers, pending, failed } = self.changes;
        accounts.into_values().for_each(|account| self.below.put_account(account));
        transfers.into_values().for_each(|transfer| self.below.put_transfer(transfer));
        pending.into_iter().for_each(|(transfer, state)| self.below.put_pending_state(transfer, state));
        failed.into_iter().for_each(|transfer| self.below.put_failed(transfer));
    }
}

impl<B: Books> Books for Overlay<'_, B> {
    fn account(&self, id: u128) -> Option<Account> {
        self.changes.account(id).or_else(|| self.below.account(id))
    }

    fn transfer(&self, id: u128) -> Option<Transfer> {
        self.changes.transfer(id).or_else(|| self.below.transfer(id))
    }

    fn pending_state(&self, transfer: u128) -> Option<PendingState> {
        self.changes.pending_state(transfer).or_else(|| self.below.pending_state(transfer))
    }

    fn has_failed(&self, transfer: u128) -> bool {
        self.changes.has_failed(transfer) || self.below.has_failed(transfer)
    }

    fn put_account(&mut self, account: Account) {
        self.changes.put_account(account);
    }

    fn put_transfer(&mut self, transfer: Transfer) {
        self.changes.put_transfer(transfer);
    }

    fn put_pending_state(&mut self, transfer: u128, state: PendingState) {
        self.changes.put_pending_state(transfer, state);
    }

    fn put_failed(&mut self, transfer: u128) {
        self.changes.put_failed(transfer);
    }
}
