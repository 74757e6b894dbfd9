//! Transfers that refer to another one: posts and voids of pending ones, reversals of posted ones, and expiry.

use super::checks::{Verdict, check_limits, check_order, ensure};
use super::movements::{admit, admit_time, balances_after};
use super::{booking, compare::compare};
use crate::books::{Books, Kind};
use crate::code::Code;
use crate::model::{Account, AccountFlags, Balances, Leg, PendingState, Side, Transfer, TransferFlags};

/// What the event alone tells.
fn check_reference(wanted: &Transfer) -> Verdict {
    ensure(wanted.pending != 0, Code::PendingIdMustNotBeZero)?;
    ensure(wanted.pending != wanted.id, Code::PendingIdIsItsOwn)?;
    ensure(wanted.legs.is_empty(), Code::ReferringTakesNoLegs)
}

/// True if a field was left out or says what is recorded.
fn agrees<T: PartialEq + Default>(given: T, recorded: T) -> bool {
    given == T::default() || given == recorded
}

fn given_or<T: PartialEq + Default>(given: T, recorded: T) -> T {
    if given == T::default() { recorded } else { given }
}

/// What is answered if the id is taken. `complete` is the wanted one with what it leaves out, if that could be found.
fn refuse_known<B: Books>(books: &B, wanted: &Transfer, complete: impl FnOnce(&Transfer) -> Transfer) -> Verdict {
    if let Some(there) = books.transfer(wanted.id) {
        let refers = books.transfer(wanted.pending);
        return Err(match refers {
            Some(other) => compare(&complete(other), there),
            None if wanted.flags.without(TransferFlags::LINKED) != there.flags => Code::ExistsWithOtherFlags,
            None => Code::ExistsWithOtherPending,
        });
    }
    ensure(!books.has_failed(wanted.id), Code::IdAlreadyFailed)
}

/// Posts or voids. Fields left 0 are taken from the pending transfer; others must agree with it.
pub fn resolve<B: Books>(books: &mut B, wanted: &Transfer, timestamp: u64) -> Verdict {
    check_reference(wanted)?;
    refuse_known(books, wanted, |pending| completed(wanted, pending))?;
    let pending = books.transfer(wanted.pending).ok_or(Code::PendingNotFound)?;
    ensure(pending.flags.has(TransferFlags::PENDING), Code::PendingIsNotPending)?;
    ensure(agrees(wanted.debit_account, pending.debit_account), Code::PendingHasOtherDebitAccount)?;
    ensure(agrees(wanted.credit_account, pending.credit_account), Code::PendingHasOtherCreditAccount)?;
    ensure(agrees(wanted.ledger, pending.ledger), Code::PendingHasOtherLedger)?;
    ensure(agrees(wanted.code, pending.code), Code::PendingHasOtherCode)?;
    let made = Transfer { timestamp, ..completed(wanted, pending) };
    let voids = made.flags.has(TransferFlags::VOID);
    ensure(made.amount <= pending.amount, Code::AmountExceedsPending)?;
    ensure(!voids || made.amount == pending.amount, Code::VoidMustBeWhole)?;
    ensure(pending.legs.is_empty() || made.amount == pending.amount, Code::PostingMustBeWhole)?;
    check_pending(books, pending, timestamp)?;
    if voids {
        check_order(books, Kind::Transfer, timestamp)?;
        balances_after(books, pending, released)?;
    } else {
        admit_post(books, pending, &made)?;
    }
    let pending = pending.clone();
    let state = if voids { PendingState::Voided } else { PendingState::Posted };
    booking::release(books, &pending, state, (!voids).then_some(&made), made.id, timestamp);
    books.put_transfer(made);
    Ok(())
}

fn check_pending<B: Books>(books: &B, pending: &Transfer, timestamp: u64) -> Verdict {
    match books.pending_state(pending.id).ok_or(Code::BooksContradict)? {
        PendingState::Pending => ensure(pending.expires().is_none_or(|at| at > timestamp), Code::PendingExpired),
        PendingState::Posted => Err(Code::PendingAlreadyPosted),
        PendingState::Voided => Err(Code::PendingAlreadyVoided),
        PendingState::Expired => Err(Code::PendingExpired),
    }
}

/// A closed account takes no post, and bounds of the posted balance hold only now.
fn admit_post<B: Books>(books: &B, pending: &Transfer, made: &Transfer) -> Verdict {
    let mut index = 0;
    let after = balances_after(books, pending, |balances, leg| {
        let posted = made.leg(index)?;
        index += 1;
        released(balances, leg)?;
        let sum = if leg.side == Side::Debit { &mut balances.debits_posted } else { &mut balances.credits_posted };
        *sum = sum.checked_add(posted.amount)?;
        Some(())
    })?;
    for (account, _) in &after {
        ensure(!account.flags.has(AccountFlags::CLOSED), closed_code(account, pending))?;
    }
    for (account, balances) in &after {
        check_limits(account, balances)?;
    }
    admit_time(books, made)
}

fn closed_code(account: &Account, transfer: &Transfer) -> Code {
    match account.id {
        _ if !transfer.legs.is_empty() => Code::LegAccountClosed,
        id if id == transfer.debit_account => Code::DebitAccountClosed,
        _ => Code::CreditAccountClosed,
    }
}

/// Takes a pending leg back; `None` if less than that is pending.
fn released(balances: &mut Balances, leg: Leg) -> Option<()> {
    let sum = if leg.side == Side::Debit { &mut balances.debits_pending } else { &mut balances.credits_pending };
    *sum = sum.checked_sub(leg.amount)?;
    Some(())
}

/// A post or void with what it leaves out taken from its pending transfer.
fn completed(wanted: &Transfer, pending: &Transfer) -> Transfer {
    let amount = match (wanted.flags.has(TransferFlags::POST), wanted.amount) {
        (true, u128::MAX) | (false, 0 | u128::MAX) => pending.amount,
        (_, amount) => amount,
    };
    Transfer {
        amount,
        debit_account: given_or(wanted.debit_account, pending.debit_account),
        credit_account: given_or(wanted.credit_account, pending.credit_account),
        legs: pending.legs.clone(),
        ..inherited(wanted, pending)
    }
}

/// What every transfer that refers to another one takes from it unless it says it itself.
fn inherited(wanted: &Transfer, other: &Transfer) -> Transfer {
    Transfer {
        ledger: given_or(wanted.ledger, other.ledger),
        code: given_or(wanted.code, other.code),
        user_data_128: given_or(wanted.user_data_128, other.user_data_128),
        user_data_64: given_or(wanted.user_data_64, other.user_data_64),
        user_data_32: given_or(wanted.user_data_32, other.user_data_32),
        flags: wanted.flags.without(TransferFlags::LINKED),
        ..wanted.clone()
    }
}

/// Moves back what a posted transfer moved: in part, several times, up to its whole amount.
pub fn reverse<B: Books>(books: &mut B, wanted: &Transfer, timestamp: u64) -> Verdict {
    check_reference(wanted)?;
    refuse_known(books, wanted, |original| turned(wanted, original))?;
    let original = books.transfer(wanted.pending).ok_or(Code::OriginalNotFound)?;
    ensure(original.is_posted(), Code::OriginalIsNotPosted)?;
    ensure(agrees(wanted.debit_account, original.credit_account), Code::OriginalHasOtherDebitAccount)?;
    ensure(agrees(wanted.credit_account, original.debit_account), Code::OriginalHasOtherCreditAccount)?;
    ensure(agrees(wanted.ledger, original.ledger), Code::OriginalHasOtherLedger)?;
    ensure(wanted.amount != 0, Code::ReversalMustNotBeZero)?;
    let reversed = books.reversed(original.id);
    let left = original.amount.checked_sub(reversed).ok_or(Code::BooksContradict)?;
    ensure(left > 0, Code::OriginalAlreadyReversed)?;
    let amount = if wanted.amount == u128::MAX { left } else { wanted.amount };
    ensure(amount <= left, Code::AmountExceedsOriginal)?;
    ensure(original.legs.is_empty() || amount == original.amount, Code::PostingMustBeWhole)?;
    let mut made = Transfer { amount, timestamp, ..turned(wanted, original) };
    let original = original.id;
    admit(books, &mut made)?;
    booking::make(books, made);
    books.put_reversed(original, reversed + amount);
    Ok(())
}

/// A reversal with what it leaves out taken from its original, sides exchanged. The amount stays as wanted.
fn turned(wanted: &Transfer, original: &Transfer) -> Transfer {
    Transfer {
        debit_account: given_or(wanted.debit_account, original.credit_account),
        credit_account: given_or(wanted.credit_account, original.debit_account),
        legs: original.legs.iter().map(|leg| Leg { side: leg.side.opposite(), ..*leg }).collect(),
        ..inherited(wanted, original)
    }
}

/// Releases a pending transfer whose time has come. True if it was pending until now. `now` is in nanoseconds; entries get the next later
/// timestamp if the books are already further.
pub fn expire<B: Books>(books: &mut B, id: u128, now: u64) -> bool {
    let Some(pending) = books.transfer(id) else { return false };
    let is_due = pending.expires().is_some_and(|at| at <= now);
    if !is_due || books.pending_state(id) != Some(PendingState::Pending) || balances_after(books, pending, released).is_err() {
        return false;
    }
    let pending = pending.clone();
    let timestamp = now.max(books.last_timestamp(Kind::Transfer).saturating_add(1));
    booking::release(books, &pending, PendingState::Expired, None, id, timestamp);
    books.put_last_timestamp(Kind::Transfer, timestamp);
    true
}
