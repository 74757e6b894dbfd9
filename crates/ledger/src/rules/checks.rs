//! Checks that several kinds of events share.

use crate::books::{Books, Kind};
use crate::code::Code;
use crate::model::{AMOUNT_MAX, Account, AccountFlags, Balances};

pub type Verdict = Result<(), Code>;

#[inline]
pub fn ensure(condition: bool, otherwise: Code) -> Verdict {
    if condition { Ok(()) } else { Err(otherwise) }
}

pub fn check_id(id: u128) -> Verdict {
    ensure(id != 0, Code::IdMustNotBeZero)?;
    ensure(id != u128::MAX, Code::IdMustNotBeMax)
}

/// Only imported events bring a timestamp, and theirs lies in the past.
pub fn check_timestamp(is_imported: bool, given: u64, now: u64) -> Verdict {
    if is_imported {
        ensure(given != 0, Code::ImportedTimestampMustNotBeZero)?;
        ensure(given < now, Code::ImportedTimestampMustBePast)
    } else {
        ensure(given == 0, Code::TimestampMustBeZero)
    }
}

/// Timestamps of a kind strictly increase. Others than imported ones are above the last by how they are given.
pub fn check_order<B: Books>(books: &B, kind: Kind, timestamp: u64) -> Verdict {
    ensure(timestamp > books.last_timestamp(kind), Code::ImportedTimestampMustNotRegress)
}

/// Posted and pending together must fit, so that a later post cannot overflow.
#[inline]
pub fn check_sums(after: &Balances) -> Verdict {
    let fits = |posted: u128, pending: u128| posted.checked_add(pending).is_some_and(|sum| sum <= AMOUNT_MAX);
    ensure(fits(after.debits_posted, after.debits_pending), Code::OverflowsDebits)?;
    ensure(fits(after.credits_posted, after.credits_pending), Code::OverflowsCredits)
}

/// No event may bring a balance beyond a limit, or further beyond one that it is beyond from the start.
#[inline]
pub fn check_limits(account: &Account, after: &Balances) -> Verdict {
    let is_plain = account.bounds.minimum.is_none() && account.bounds.maximum.is_none();
    let limits = AccountFlags::DEBITS_WITHIN_CREDITS.with(AccountFlags::CREDITS_WITHIN_DEBITS);
    if is_plain && !account.flags.has_any(limits) {
        return Ok(());
    }
    let before = account.balances();
    let sinks = |low: i128, before: i128, minimum: i128| low < minimum && low < before;
    let rises = |high: i128, before: i128, maximum: i128| high > maximum && high > before;
    if account.flags.has(AccountFlags::DEBITS_WITHIN_CREDITS) {
        ensure(!sinks(after.available_low(), before.available_low(), 0), Code::ExceedsCredits)?;
    }
    if account.flags.has(AccountFlags::CREDITS_WITHIN_DEBITS) {
        ensure(!rises(after.available_high(), before.available_high(), 0), Code::ExceedsDebits)?;
    }
    let on = account.bounds.on;
    if let Some(minimum) = account.bounds.minimum {
        ensure(!sinks(after.low(on), before.low(on), minimum), Code::BelowMinimum)?;
    }
    if let Some(maximum) = account.bounds.maximum {
        ensure(!rises(after.high(on), before.high(on), maximum), Code::AboveMaximum)?;
    }
    Ok(())
}

/// How much a balancing transfer may debit. An account without a limit is brought to 0 at most.
pub fn room_to_debit(account: &Account) -> u128 {
    let balances = account.balances();
    let bounded = account.bounds.minimum.map(|minimum| balances.low(account.bounds.on).saturating_sub(minimum));
    let to_zero = bounded.is_none() || account.flags.has(AccountFlags::DEBITS_WITHIN_CREDITS);
    at_least_zero(bounded, to_zero.then(|| balances.available_low()))
}

/// How much a balancing transfer may credit. An account without a limit is brought to 0 at most.
pub fn room_to_credit(account: &Account) -> u128 {
    let balances = account.balances();
    let bounded = account.bounds.maximum.map(|maximum| maximum.saturating_sub(balances.high(account.bounds.on)));
    let to_zero = bounded.is_none() || account.flags.has(AccountFlags::CREDITS_WITHIN_DEBITS);
    at_least_zero(bounded, to_zero.then(|| balances.available_high().saturating_neg()))
}

/// The smaller of the rooms that there are, and no less than 0.
fn at_least_zero(one: Option<i128>, other: Option<i128>) -> u128 {
    let room = one.unwrap_or(i128::MAX).min(other.unwrap_or(i128::MAX));
    u128::try_from(room).unwrap_or(0)
}
