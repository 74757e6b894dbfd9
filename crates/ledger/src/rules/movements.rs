//! New movements: between two accounts, or postings of many legs; pending or posted.

use super::checks::{Verdict, check_limits, check_order, check_sums, ensure, room_to_credit, room_to_debit};
use super::{BALANCING, CLOSING, booking, compare::compare};
use crate::books::{Books, Kind};
use crate::code::Code;
use crate::model::{AMOUNT_MAX, Account, AccountFlags, Balances, LEGS_MAX, Leg, Side, Transfer, TransferFlags};
use rustc_hash::FxHashMap;

const SECOND_NS: u64 = 1_000_000_000;

/// Up to so many legs accounts are found faster by looking at each than by a hash.
const LEGS_SHORT: usize = 8;

/// A transfer that refers to no other one.
pub fn make<B: Books>(books: &mut B, wanted: &Transfer, timestamp: u64) -> Verdict {
    ensure(wanted.pending == 0, Code::PendingIdMustBeZero)?;
    if wanted.legs.is_empty() {
        ensure(wanted.debit_account != 0 && wanted.credit_account != 0, Code::AccountMustNotBeZero)?;
        ensure(wanted.debit_account != wanted.credit_account, Code::AccountsMustDiffer)?;
    }
    ensure(wanted.ledger != 0, Code::LedgerMustNotBeZero)?;
    ensure(wanted.code != 0, Code::CodeMustNotBeZero)?;
    let amount = if wanted.legs.is_empty() { wanted.amount } else { amount_of_legs(wanted)? };
    if let Some(there) = books.transfer(wanted.id) {
        let is_complete = amount == wanted.amount;
        return Err(if is_complete { compare(wanted, there) } else { compare(&Transfer { amount, ..wanted.clone() }, there) });
    }
    ensure(!books.has_failed(wanted.id), Code::IdAlreadyFailed)?;
    let mut made = Transfer { amount, timestamp, flags: wanted.flags.without(TransferFlags::LINKED), ..wanted.clone() };
    admit(books, &mut made)?;
    booking::make(books, made);
    Ok(())
}

/// What legs alone tell; returns the sum of one side.
fn amount_of_legs(wanted: &Transfer) -> Result<u128, Code> {
    ensure(wanted.debit_account == 0 && wanted.credit_account == 0, Code::LegsExcludeAccounts)?;
    ensure(!wanted.flags.has_any(BALANCING.with(CLOSING)), Code::LegsExcludeFlags)?;
    ensure(wanted.legs.len() <= LEGS_MAX, Code::TooManyLegs)?;
    let (mut debits, mut credits) = (0u128, 0u128);
    for leg in &wanted.legs {
        ensure(leg.account != 0, Code::AccountMustNotBeZero)?;
        ensure(leg.amount != 0, Code::LegAmountMustNotBeZero)?;
        let sum = if leg.side == Side::Debit { &mut debits } else { &mut credits };
        *sum = sum.checked_add(leg.amount).filter(|sum| *sum <= AMOUNT_MAX).ok_or(Code::OverflowsAmount)?;
    }
    ensure(debits == credits, Code::LegsDoNotBalance)?;
    ensure(wanted.amount == 0 || wanted.amount == debits, Code::AmountDiffersFromLegs)?;
    Ok(debits)
}

/// What the books tell of a complete transfer that is to be booked. Lowers the amount of a balancing one.
pub fn admit<B: Books>(books: &B, made: &mut Transfer) -> Verdict {
    if made.legs.is_empty() {
        admit_two(books, made)?
    } else {
        admit_legs(books, made)?
    }
    admit_time(books, made)?;
    let lasts = u64::from(made.timeout).checked_mul(SECOND_NS).and_then(|span| made.timestamp.checked_add(span));
    ensure(lasts.is_some(), Code::OverflowsTimeout)
}

/// Nothing is booked into a closed period, and timestamps increase.
pub fn admit_time<B: Books>(books: &B, made: &Transfer) -> Verdict {
    let ledger = books.ledger(made.ledger).ok_or(Code::LedgerNotFound)?;
    ensure(made.effective_at() > ledger.closed_through, Code::PeriodClosed)?;
    check_order(books, Kind::Transfer, made.timestamp)
}

fn admit_two<B: Books>(books: &B, made: &mut Transfer) -> Verdict {
    let debit = books.account(made.debit_account).ok_or(Code::DebitAccountNotFound)?;
    let credit = books.account(made.credit_account).ok_or(Code::CreditAccountNotFound)?;
    ensure(debit.ledger == credit.ledger, Code::AccountsHaveDifferentLedgers)?;
    ensure(debit.ledger == made.ledger, Code::TransferHasAnotherLedger)?;
    check_opened(debit, made)?;
    check_opened(credit, made)?;
    ensure(!debit.flags.has(AccountFlags::CLOSED), Code::DebitAccountClosed)?;
    ensure(!credit.flags.has(AccountFlags::CLOSED), Code::CreditAccountClosed)?;
    if made.flags.has(TransferFlags::BALANCING_DEBIT) {
        made.amount = made.amount.min(room_to_debit(debit));
    }
    if made.flags.has(TransferFlags::BALANCING_CREDIT) {
        made.amount = made.amount.min(room_to_credit(credit));
    }
    ensure(made.amount <= AMOUNT_MAX, Code::OverflowsAmount)?;
    let is_pending = made.flags.has(TransferFlags::PENDING);
    for (account, side) in [(debit, Side::Debit), (credit, Side::Credit)] {
        let mut after = account.balances();
        add(&mut after, side, made.amount, is_pending);
        check_sums(&after)?;
        check_limits(account, &after)?;
    }
    Ok(())
}

fn admit_legs<B: Books>(books: &B, made: &Transfer) -> Verdict {
    let is_pending = made.flags.has(TransferFlags::PENDING);
    for leg in &made.legs {
        let account = books.account(leg.account).ok_or(Code::LegAccountNotFound)?;
        ensure(account.ledger == made.ledger, Code::LegAccountHasAnotherLedger)?;
        check_opened(account, made)?;
        ensure(!account.flags.has(AccountFlags::CLOSED), Code::LegAccountClosed)?;
    }
    for (account, after) in balances_after(books, made, |after, leg| {
        add(after, leg.side, leg.amount, is_pending);
        Some(())
    })? {
        check_sums(&after)?;
        check_limits(account, &after)?;
    }
    Ok(())
}

/// What is imported lies after the opening of its accounts.
fn check_opened(account: &Account, made: &Transfer) -> Verdict {
    let is_imported = made.flags.has(TransferFlags::IMPORTED);
    ensure(!is_imported || made.timestamp > account.timestamp, Code::ImportedBeforeAccount)
}

/// Both amounts are at most [`AMOUNT_MAX`], or damaged, so that the sum stays at the end of the range and is refused.
fn add(balances: &mut Balances, side: Side, amount: u128, is_pending: bool) {
    let sum = match (side, is_pending) {
        (Side::Debit, true) => &mut balances.debits_pending,
        (Side::Debit, false) => &mut balances.debits_posted,
        (Side::Credit, true) => &mut balances.credits_pending,
        (Side::Credit, false) => &mut balances.credits_posted,
    };
    *sum = sum.saturating_add(amount);
}

/// Each account of a transfer once, in the order of its first leg, with its balances after `change` was made for each of its legs.
///
/// # Errors
/// [`Code::BooksContradict`] if an account is not there or `change` returns `None`.
pub fn balances_after<'a, B: Books>(
    books: &'a B,
    transfer: &Transfer,
    mut change: impl FnMut(&mut Balances, Leg) -> Option<()>,
) -> Result<Vec<(&'a Account, Balances)>, Code> {
    let is_short = transfer.legs.len() <= LEGS_SHORT;
    let mut positions = FxHashMap::default();
    let mut all: Vec<(&Account, Balances)> = Vec::with_capacity(transfer.legs.len().max(2));
    for leg in transfer.each_leg() {
        let found = match is_short {
            true => all.iter().position(|(account, _)| account.id == leg.account),
            false => positions.get(&leg.account).copied(),
        };
        let position = match found {
            Some(position) => position,
            None => {
                let account = books.account(leg.account).ok_or(Code::BooksContradict)?;
                if !is_short {
                    positions.insert(leg.account, all.len());
                }
                all.push((account, account.balances()));
                all.len() - 1
            }
        };
        change(&mut all[position].1, leg).ok_or(Code::BooksContradict)?;
    }
    Ok(all)
}
