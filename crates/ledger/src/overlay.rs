//! A layer of changes above some books that can be dropped: how a chain takes effect whole or not at all.

use crate::books::{Books, Kind};
use crate::memory::MemoryBooks;
use crate::model::{Account, Entry, Ledger, PendingState, Transfer};

/// Changes above some books, kept apart until they are accepted.
pub struct Overlay<'a, B: Books> {
    below: &'a mut B,
    changes: &'a mut MemoryBooks,
}

impl<'a, B: Books> Overlay<'a, B> {
    /// `changes` is where they are kept; it is emptied first, and can be given to the next overlay, which spares its memory.
    pub fn new(below: &'a mut B, changes: &'a mut MemoryBooks) -> Overlay<'a, B> {
        changes.clear();
        for kind in [Kind::Account, Kind::Transfer] {
            changes.put_last_timestamp(kind, below.last_timestamp(kind));
        }
        Overlay { below, changes }
    }

    /// Writes the changes down. Dropping the overlay instead forgets them.
    pub fn accept(self) {
        self.changes.write_to(self.below);
    }
}

impl<B: Books> Books for Overlay<'_, B> {
    fn account(&self, id: u128) -> Option<&Account> {
        self.changes.account(id).or_else(|| self.below.account(id))
    }

    fn transfer(&self, id: u128) -> Option<&Transfer> {
        self.changes.transfer(id).or_else(|| self.below.transfer(id))
    }

    fn pending_state(&self, transfer: u128) -> Option<PendingState> {
        self.changes.pending_state(transfer).or_else(|| self.below.pending_state(transfer))
    }

    fn has_failed(&self, transfer: u128) -> bool {
        self.changes.has_failed(transfer) || self.below.has_failed(transfer)
    }

    fn reversed(&self, transfer: u128) -> u128 {
        let changed = self.changes.known(transfer).and_then(|recorded| recorded.reversed);
        changed.unwrap_or_else(|| self.below.reversed(transfer))
    }

    fn ledger(&self, id: u32) -> Option<&Ledger> {
        self.below.ledger(id)
    }

    fn last_timestamp(&self, kind: Kind) -> u64 {
        self.changes.last_timestamp(kind)
    }

    fn account_mut(&mut self, id: u128) -> Option<&mut Account> {
        if self.changes.account(id).is_none() {
            self.changes.put_account(self.below.account(id)?.clone());
        }
        self.changes.account_mut(id)
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

    fn put_reversed(&mut self, transfer: u128, amount: u128) {
        self.changes.put_reversed(transfer, amount);
    }

    fn put_entry(&mut self, entry: Entry) {
        self.changes.put_entry(entry);
    }

    fn put_last_timestamp(&mut self, kind: Kind, timestamp: u64) {
        self.changes.put_last_timestamp(kind, timestamp);
    }
}
