//! The changes, made when every check has passed: balances, entries, states.

use crate::books::Books;
use crate::model::{AccountFlags, Entry, EntryKind, Leg, PendingState, Side, Transfer, TransferFlags};

const CHECKED: &str = "the checks have read this account";

/// Books a new movement.
pub fn make<B: Books>(books: &mut B, made: Transfer) {
    let is_pending = made.flags.has(TransferFlags::PENDING);
    let kind = if is_pending { EntryKind::Pending } else { EntryKind::Posted };
    for (index, leg) in made.each_leg().enumerate() {
        enter(books, made.id, made.timestamp, index, leg, kind);
    }
    for account in closed_by(&made) {
        let account = books.account_mut(account).expect(CHECKED);
        account.flags = account.flags.with(AccountFlags::CLOSED);
    }
    if is_pending {
        books.put_pending_state(made.id, PendingState::Pending);
    }
    books.put_transfer(made);
}

/// Takes back what a pending transfer reserved, and posts what `made` posts instead, if there is one.
/// `by` and `timestamp` stand in the entries.
pub fn release<B: Books>(books: &mut B, pending: &Transfer, state: PendingState, made: Option<&Transfer>, by: u128, timestamp: u64) {
    for (index, leg) in pending.each_leg().enumerate() {
        enter(books, by, timestamp, index, leg, EntryKind::Released);
        if let Some(posted) = made.and_then(|made| made.leg(index)) {
            enter(books, by, timestamp, index, posted, EntryKind::Posted);
        }
    }
    for account in closed_by(pending) {
        let account = books.account_mut(account).expect(CHECKED);
        account.flags = account.flags.without(AccountFlags::CLOSED);
    }
    books.put_pending_state(pending.id, state);
}

/// The accounts that a transfer closes while it is pending.
fn closed_by(transfer: &Transfer) -> impl Iterator<Item = u128> {
    let debit = transfer.flags.has(TransferFlags::CLOSING_DEBIT).then_some(transfer.debit_account);
    let credit = transfer.flags.has(TransferFlags::CLOSING_CREDIT).then_some(transfer.credit_account);
    debit.into_iter().chain(credit)
}

/// Changes one sum of one account, and writes the line of its statement.
fn enter<B: Books>(books: &mut B, transfer: u128, timestamp: u64, index: usize, leg: Leg, kind: EntryKind) {
    let account = books.account_mut(leg.account).expect(CHECKED);
    let sum = match (leg.side, kind) {
        (Side::Debit, EntryKind::Posted) => &mut account.debits_posted,
        (Side::Credit, EntryKind::Posted) => &mut account.credits_posted,
        (Side::Debit, EntryKind::Pending | EntryKind::Released) => &mut account.debits_pending,
        (Side::Credit, EntryKind::Pending | EntryKind::Released) => &mut account.credits_pending,
    };
    let changed = match kind {
        EntryKind::Released => sum.checked_sub(leg.amount),
        EntryKind::Posted | EntryKind::Pending => sum.checked_add(leg.amount),
    };
    *sum = changed.expect("the checks have computed this sum");
    let balances = account.flags.has(AccountFlags::HISTORY).then(|| account.balances());
    let leg_number = u16::try_from(index).expect("a posting has at most 1,000 legs");
    let Leg { account, side, amount } = leg;
    books.put_entry(Entry { account, timestamp, transfer, leg: leg_number, side, kind, amount, balances });
}
