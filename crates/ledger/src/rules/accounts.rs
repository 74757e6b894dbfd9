//! Opening accounts.

use super::checks::{Verdict, check_id, check_order, check_timestamp, ensure};
use crate::books::{Books, Kind};
use crate::code::Code;
use crate::model::{AMOUNT_MAX, Account, AccountFlags, Bounds, METADATA_BYTES_MAX};

/// Opens an account. Returns the timestamp at which it is opened, in nanoseconds.
///
/// # Errors
/// The code that says why it was refused.
pub fn open_account<B: Books>(books: &mut B, wanted: &Account, now: u64) -> Result<u64, Code> {
    check_wanted(wanted, now)?;
    if let Some(there) = books.account(wanted.id) {
        return Err(compare(wanted, there));
    }
    ensure(books.ledger(wanted.ledger).is_some(), Code::LedgerNotFound)?;
    if wanted.parent != 0 {
        // A parent was there before its children, so that no account is its own ancestor.
        let parent = books.account(wanted.parent).ok_or(Code::ParentNotFound)?;
        ensure(parent.ledger == wanted.ledger, Code::ParentHasAnotherLedger)?;
    }
    let timestamp = if wanted.flags.has(AccountFlags::IMPORTED) { wanted.timestamp } else { now };
    check_order(books, Kind::Account, timestamp)?;
    books.put_account(Account { timestamp, flags: wanted.flags.without(AccountFlags::LINKED), ..wanted.clone() });
    books.put_last_timestamp(Kind::Account, timestamp);
    Ok(timestamp)
}

/// What the event alone tells.
fn check_wanted(wanted: &Account, now: u64) -> Verdict {
    check_id(wanted.id)?;
    ensure(!wanted.flags.has_unknown(), Code::FlagsAreUnknown)?;
    let both = AccountFlags::DEBITS_WITHIN_CREDITS.with(AccountFlags::CREDITS_WITHIN_DEBITS);
    ensure(!wanted.flags.has(both), Code::FlagsExcludeEachOther)?;
    check_timestamp(wanted.flags.has(AccountFlags::IMPORTED), wanted.timestamp, now)?;
    ensure(wanted.ledger != 0, Code::LedgerMustNotBeZero)?;
    ensure(wanted.code != 0, Code::CodeMustNotBeZero)?;
    let balances = wanted.debits_pending | wanted.debits_posted | wanted.credits_pending | wanted.credits_posted;
    ensure(balances == 0, Code::BalancesMustBeZero)?;
    ensure(wanted.parent != wanted.id, Code::ParentIsItsOwn)?;
    check_bounds(&wanted.bounds)?;
    ensure(wanted.metadata.len() <= METADATA_BYTES_MAX, Code::MetadataTooLong)
}

fn check_bounds(bounds: &Bounds) -> Verdict {
    let in_range = |bound: Option<i128>| bound.is_none_or(|bound| bound.unsigned_abs() <= AMOUNT_MAX);
    ensure(in_range(bounds.minimum) && in_range(bounds.maximum), Code::BoundsOutOfRange)?;
    match (bounds.minimum, bounds.maximum) {
        (Some(minimum), Some(maximum)) => ensure(minimum <= maximum, Code::BoundsExcludeEachOther),
        _ => Ok(()),
    }
}

/// An account that was closed or opened again since is the same account.
fn compare(wanted: &Account, there: &Account) -> Code {
    let passing = AccountFlags::LINKED.with(AccountFlags::CLOSED);
    let is_imported = wanted.flags.has(AccountFlags::IMPORTED);
    match () {
        () if wanted.flags.without(passing) != there.flags.without(passing) => Code::ExistsWithOtherFlags,
        () if wanted.user_data_128 != there.user_data_128 => Code::ExistsWithOtherUserData128,
        () if wanted.user_data_64 != there.user_data_64 => Code::ExistsWithOtherUserData64,
        () if wanted.user_data_32 != there.user_data_32 => Code::ExistsWithOtherUserData32,
        () if wanted.ledger != there.ledger => Code::ExistsWithOtherLedger,
        () if wanted.code != there.code => Code::ExistsWithOtherCode,
        () if wanted.parent != there.parent => Code::ExistsWithOtherParent,
        () if wanted.bounds.meaning() != there.bounds.meaning() => Code::ExistsWithOtherBounds,
        () if wanted.metadata != there.metadata => Code::ExistsWithOtherMetadata,
        () if is_imported && wanted.timestamp != there.timestamp => Code::ExistsWithOtherTimestamp,
        () => Code::Exists,
    }
}
