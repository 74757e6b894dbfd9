//! What the rules need of whatever holds the books.

use crate::model::{Account, Entry, Ledger, PendingState, Transfer};

/// What timestamps are counted for: those of accounts and those of transfers each strictly increase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Account,
    Transfer,
}

/// What the rules need of whatever holds the books. Reads see all earlier writes.
pub trait Books {
    fn account(&self, id: u128) -> Option<&Account>;
    fn transfer(&self, id: u128) -> Option<&Transfer>;
    fn pending_state(&self, transfer: u128) -> Option<PendingState>;
    /// True if the id was refused for a passing reason before.
    fn has_failed(&self, transfer: u128) -> bool;
    /// How much of a posted transfer was reversed up to now.
    fn reversed(&self, transfer: u128) -> u128;
    fn ledger(&self, id: u32) -> Option<&Ledger>;
    /// The last timestamp that was given to such an event, in nanoseconds; 0 if none was.
    fn last_timestamp(&self, kind: Kind) -> u64;

    /// An account whose balances or flags are about to change.
    fn account_mut(&mut self, id: u128) -> Option<&mut Account>;
    fn put_account(&mut self, account: Account);
    fn put_transfer(&mut self, transfer: Transfer);
    fn put_pending_state(&mut self, transfer: u128, state: PendingState);
    fn put_failed(&mut self, transfer: u128);
    /// `amount` is all that was reversed up to now.
    fn put_reversed(&mut self, transfer: u128, amount: u128);
    fn put_entry(&mut self, entry: Entry);
    fn put_last_timestamp(&mut self, kind: Kind, timestamp: u64);
}
