//! One event against the books: every check, then the change. A refusal changes nothing.
//!
//! Order of the checks: what the event alone tells; whether the id is there or failed before; what the books tell.

mod accounts;
mod booking;
mod checks;
mod compare;
mod movements;
mod referring;

use crate::books::{Books, Kind};
use crate::code::Code;
use crate::model::{METADATA_BYTES_MAX, Transfer, TransferFlags};
use checks::{Verdict, check_id, check_timestamp, ensure};

pub use accounts::open_account;
pub use referring::expire;

/// Makes a transfer, or posts, voids or reverses another one. Returns the timestamp at which it is booked, in nanoseconds.
///
/// # Errors
/// The code that says why it was refused.
pub fn transfer<B: Books>(books: &mut B, wanted: &Transfer, now: u64) -> Result<u64, Code> {
    check_id(wanted.id)?;
    check_flags(wanted.flags)?;
    let is_imported = wanted.flags.has(TransferFlags::IMPORTED);
    check_timestamp(is_imported, wanted.timestamp, now)?;
    check_timeout(wanted)?;
    ensure(wanted.metadata.len() <= METADATA_BYTES_MAX, Code::MetadataTooLong)?;
    let timestamp = if is_imported { wanted.timestamp } else { now };
    if wanted.flags.has_any(TransferFlags::POST.with(TransferFlags::VOID)) {
        referring::resolve(books, wanted, timestamp)?;
    } else if wanted.flags.has(TransferFlags::REVERSE) {
        referring::reverse(books, wanted, timestamp)?;
    } else {
        movements::make(books, wanted, timestamp)?;
    }
    books.put_last_timestamp(Kind::Transfer, timestamp);
    Ok(timestamp)
}

const BALANCING: TransferFlags = TransferFlags::BALANCING_DEBIT.with(TransferFlags::BALANCING_CREDIT);
const CLOSING: TransferFlags = TransferFlags::CLOSING_DEBIT.with(TransferFlags::CLOSING_CREDIT);
const REFERRING: TransferFlags = TransferFlags::POST.with(TransferFlags::VOID).with(TransferFlags::REVERSE);
const KINDS: TransferFlags = REFERRING.with(TransferFlags::PENDING);

fn check_flags(flags: TransferFlags) -> Verdict {
    ensure(!flags.has_unknown(), Code::FlagsAreUnknown)?;
    ensure((flags.0 & KINDS.0).count_ones() <= 1, Code::FlagsExcludeEachOther)?;
    ensure(!(flags.has_any(REFERRING) && flags.has_any(BALANCING.with(CLOSING))), Code::FlagsExcludeEachOther)?;
    ensure(!flags.has_any(CLOSING) || flags.has(TransferFlags::PENDING), Code::ClosingIsForPendingOnly)
}

fn check_timeout(wanted: &Transfer) -> Verdict {
    ensure(wanted.timeout == 0 || wanted.flags.has(TransferFlags::PENDING), Code::TimeoutIsForPendingOnly)?;
    ensure(wanted.timeout == 0 || !wanted.flags.has(TransferFlags::IMPORTED), Code::ImportedTakesNoTimeout)
}
