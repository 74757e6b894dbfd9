//! One event against the books: every check, then the change. A refusal changes nothing.

use crate::books::Books;
use crate::code::Code;
use crate::model::{Account, AccountFlags, PendingState, Transfer, TransferFlags};

type Verdict = Result<(), Code>;

fn ensure(condition: bool, otherwise: Code) -> Verdict {
    if condition { Ok(()) } else { Err(otherwise) }
}

fn check_id(id: u128) -> Verdict {
    ensure(id != 0, Code::IdMustNotBeZero)?;
    ensure(id != u128::MAX, Code::IdMustNotBeMax)
}

/// Opens an account.
pub fn open_account<B: Books>(books: &mut B, wanted: &Account, timestamp: u64) -> Verdict {
    check_id(wanted.id)?;
    ensure(!wanted.flags.has_unknown(), Code::FlagsAreUnknown)?;
    let both = AccountFlags::DEBITS_WITHIN_CREDITS.with(AccountFlags::CREDITS_WITHIN_DEBITS);
    ensure(!wanted.flags.has(both) && !wanted.flags.has(AccountFlags::CLOSED), Code::FlagsExcludeEachOther)?;
    ensure(wanted.timestamp == 0, Code::TimestampMustBeZero)?;
    if let Some(there) = books.account(wanted.id) {
        return Err(compare_accounts(wanted, &there));
    }
    ensure(wanted.ledger != 0, Code::LedgerMustNotBeZero)?;
    ensure(wanted.code != 0, Code::CodeMustNotBeZero)?;
    let balances = wanted.debits_pending | wanted.debits_posted | wanted.credits_pending | wanted.credits_posted;
    ensure(balances == 0, Code::BalancesMustBeZero)?;
    books.put_account(Account { timestamp, flags: wanted.flags.without(AccountFlags::LINKED), ..wanted.clone() });
    Ok(())
}

fn compare_accounts(wanted: &Account, there: &Account) -> Code {
    let settings = AccountFlags::LINKED.with(AccountFlags::CLOSED);
    match () {
        () if wanted.flags.without(settings) != there.flags.without(settings) => Code::ExistsWithOtherFlags,
        () if wanted.user_data != there.user_data => Code::ExistsWithOtherUserData,
        () if wanted.ledger != there.ledger => Code::ExistsWithOtherLedger,
        () if wanted.code != there.code => Code::ExistsWithOtherCode,
        () => Code::Exists,
    }
}

/// Makes a transfer, or resolves a pending one.
pub fn transfer<B: Books>(books: &mut B, wanted: &Transfer, timestamp: u64) -> Verdict {
    check_id(wanted.id)?;
    check_flags(wanted.flags)?;
    ensure(wanted.timestamp == 0, Code::TimestampMustBeZero)?;
    if wanted.flags.has(TransferFlags::POST) || wanted.flags.has(TransferFlags::VOID) {
        resolve(books, wanted, timestamp)
    } else {
        move_money(books, wanted, timestamp)
    }
}

fn check_flags(flags: TransferFlags) -> Verdict {
    use TransferFlags as F;
    ensure(!flags.has_unknown(), Code::FlagsAreUnknown)?;
    let kinds = [F::PENDING, F::POST, F::VOID].into_iter().filter(|kind| flags.has(*kind)).count();
    ensure(kinds <= 1, Code::FlagsExcludeEachOther)?;
    let resolves = flags.has(F::POST) || flags.has(F::VOID);
    let balances = flags.has(F::BALANCING_DEBIT) || flags.has(F::BALANCING_CREDIT);
    let closes = flags.has(F::CLOSING_DEBIT) || flags.has(F::CLOSING_CREDIT);
    ensure(!(resolves && (balances || closes)), Code::FlagsExcludeEachOther)?;
    ensure(!closes || flags.has(F::PENDING), Code::ClosingIsForPendingOnly)
}

fn move_money<B: Books>(books: &mut B, wanted: &Transfer, timestamp: u64) -> Verdict {
    ensure(wanted.pending == 0, Code::PendingIdMustBeZero)?;
    ensure(wanted.timeout == 0 || wanted.flags.has(TransferFlags::PENDING), Code::TimeoutIsForPendingOnly)?;
    ensure(wanted.debit_account != wanted.credit_account, Code::AccountsMustDiffer)?;
    ensure(wanted.ledger != 0, Code::LedgerMustNotBeZero)?;
    ensure(wanted.code != 0, Code::CodeMustNotBeZero)?;
    if let Some(there) = books.transfer(wanted.id) {
        return Err(compare_transfers(wanted, &there));
    }
    ensure(!books.has_failed(wanted.id), Code::IdAlreadyFailed)?;
    let mut debit = books.account(wanted.debit_account).ok_or(Code::DebitAccountNotFound)?;
    let mut credit = books.account(wanted.credit_account).ok_or(Code::CreditAccountNotFound)?;
    ensure(debit.ledger == credit.ledger, Code::AccountsHaveDifferentLedgers)?;
    ensure(debit.ledger == wanted.ledger, Code::TransferHasAnotherLedger)?;
    ensure(!debit.flags.has(AccountFlags::CLOSED), Code::DebitAccountClosed)?;
    ensure(!credit.flags.has(AccountFlags::CLOSED), Code::CreditAccountClosed)?;
    let amount = balanced_amount(wanted, &debit, &credit)?;
    ensure(amount <= debit.debit_room(), Code::ExceedsCredits)?;
    ensure(amount <= credit.credit_room(), Code::ExceedsDebits)?;
    check_sums(&debit, &credit, amount)?;
    let made = Transfer { amount, timestamp, flags: wanted.flags.without(TransferFlags::LINKED), ..wanted.clone() };
    let lasts = u64::from(made.timeout).checked_mul(1_000_000_000).and_then(|span| timestamp.checked_add(span));
    ensure(lasts.is_some(), Code::OverflowsTimeout)?;
    if made.flags.has(TransferFlags::PENDING) {
        debit.debits_pending += amount;
        credit.credits_pending += amount;
        books.put_pending_state(made.id, PendingState::Pending);
    } else {
        debit.debits_posted += amount;
        credit.credits_posted += amount;
    }
    if made.flags.has(TransferFlags::CLOSING_DEBIT) {
        debit.flags = debit.flags.with(AccountFlags::CLOSED);
    }
    if made.flags.has(TransferFlags::CLOSING_CREDIT) {
        credit.flags = credit.flags.with(AccountFlags::CLOSED);
    }
    books.put_account(debit);
    books.put_account(credit);
    books.put_transfer(made);
    Ok(())
}

/// Balancing transfers move at most what both limits allow; nothing to move is a refusal.
fn balanced_amount(wanted: &Transfer, debit: &Account, credit: &Account) -> Result<u128, Code> {
    let mut amount = wanted.amount;
    if wanted.flags.has(TransferFlags::BALANCING_DEBIT) {
        let room = debit.credits_posted.saturating_sub(debit.debits_posted.saturating_add(debit.debits_pending));
        amount = amount.min(room);
        ensure(amount > 0, Code::ExceedsCredits)?;
    }
    if wanted.flags.has(TransferFlags::BALANCING_CREDIT) {
        let room = credit.debits_posted.saturating_sub(credit.credits_posted.saturating_add(credit.credits_pending));
        amount = amount.min(room);
        ensure(amount > 0, Code::ExceedsDebits)?;
    }
    Ok(amount)
}

/// Posted and pending together must fit, so that a later post cannot overflow.
fn check_sums(debit: &Account, credit: &Account, amount: u128) -> Verdict {
    let debits = debit.debits_posted.checked_add(debit.debits_pending).and_then(|sum| sum.checked_add(amount));
    let credits = credit.credits_posted.checked_add(credit.credits_pending).and_then(|sum| sum.checked_add(amount));
    ensure(debits.is_some(), Code::OverflowsDebits)?;
    ensure(credits.is_some(), Code::OverflowsCredits)
}

fn compare_transfers(wanted: &Transfer, there: &Transfer) -> Code {
    let balancing = wanted.flags.has(TransferFlags::BALANCING_DEBIT) || wanted.flags.has(TransferFlags::BALANCING_CREDIT);
    let same_amount = if balancing { there.amount <= wanted.amount } else { there.amount == wanted.amount };
    match () {
        () if wanted.flags.without(TransferFlags::LINKED) != there.flags => Code::ExistsWithOtherFlags,
        () if wanted.debit_account != there.debit_account => Code::ExistsWithOtherDebitAccount,
        () if wanted.credit_account != there.credit_account => Code::ExistsWithOtherCreditAccount,
        () if !same_amount => Code::ExistsWithOtherAmount,
        () if wanted.pending != there.pending => Code::ExistsWithOtherPending,
        () if wanted.user_data != there.user_data => Code::ExistsWithOtherUserData,
        () if wanted.timeout != there.timeout => Code::ExistsWithOtherTimeout,
        () if wanted.ledger != there.ledger => Code::ExistsWithOtherLedger,
        () if wanted.code != there.code => Code::ExistsWithOtherCode,
        () => Code::Exists,
    }
}

/// Posts or voids. Fields left 0 are taken from the pending transfer; others must agree with it.
fn resolve<B: Books>(books: &mut B, wanted: &Transfer, timestamp: u64) -> Verdict {
    ensure(wanted.pending != 0, Code::PendingIdMustNotBeZero)?;
    ensure(wanted.pending != wanted.id, Code::PendingIdIsItsOwn)?;
    ensure(wanted.timeout == 0, Code::TimeoutIsForPendingOnly)?;
    let pending = books.transfer(wanted.pending);
    if let Some(there) = books.transfer(wanted.id) {
        let complete = pending.as_ref().map(|pending| completed(wanted, pending));
        return Err(complete.map_or(Code::ExistsWithOtherPending, |complete| compare_transfers(&complete, &there)));
    }
    ensure(!books.has_failed(wanted.id), Code::IdAlreadyFailed)?;
    let pending = pending.ok_or(Code::PendingNotFound)?;
    ensure(pending.flags.has(TransferFlags::PENDING), Code::PendingIsNotPending)?;
    let agrees = |given: u128, recorded: u128| given == 0 || given == recorded;
    ensure(agrees(wanted.debit_account, pending.debit_account), Code::PendingHasOtherDebitAccount)?;
    ensure(agrees(wanted.credit_account, pending.credit_account), Code::PendingHasOtherCreditAccount)?;
    ensure(agrees(u128::from(wanted.ledger), u128::from(pending.ledger)), Code::PendingHasOtherLedger)?;
    ensure(agrees(u128::from(wanted.code), u128::from(pending.code)), Code::PendingHasOtherCode)?;
    let made = Transfer { timestamp, ..completed(wanted, &pending) };
    ensure(made.amount <= pending.amount, Code::AmountExceedsPending)?;
    let voids = made.flags.has(TransferFlags::VOID);
    ensure(!voids || made.amount == pending.amount, Code::VoidMustBeWhole)?;
    match books.pending_state(pending.id).expect("a pending transfer has a state") {
        PendingState::Pending => (),
        PendingState::Posted => return Err(Code::PendingAlreadyPosted),
        PendingState::Voided => return Err(Code::PendingAlreadyVoided),
        PendingState::Expired => return Err(Code::PendingExpired),
    }
    ensure(pending.expires().is_none_or(|at| at > timestamp), Code::PendingExpired)?;
    let mut debit = books.account(pending.debit_account).expect("a pending transfer's accounts are there");
    let mut credit = books.account(pending.credit_account).expect("a pending transfer's accounts are there");
    // A closed account takes nothing but the void that opens it again.
    let opens = |flag| voids && pending.flags.has(flag);
    ensure(!debit.flags.has(AccountFlags::CLOSED) || opens(TransferFlags::CLOSING_DEBIT), Code::DebitAccountClosed)?;
    ensure(!credit.flags.has(AccountFlags::CLOSED) || opens(TransferFlags::CLOSING_CREDIT), Code::CreditAccountClosed)?;
    release(&mut debit, &mut credit, &pending);
    if !voids {
        debit.debits_posted += made.amount;
        credit.credits_posted += made.amount;
    }
    books.put_pending_state(pending.id, if voids { PendingState::Voided } else { PendingState::Posted });
    books.put_account(debit);
    books.put_account(credit);
    books.put_transfer(made);
    Ok(())
}

/// A post or void with what it leaves out taken from its pending transfer.
fn completed(wanted: &Transfer, pending: &Transfer) -> Transfer {
    let amount = match (wanted.flags.has(TransferFlags::POST), wanted.amount) {
        (true, u128::MAX) | (false, 0 | u128::MAX) => pending.amount,
        (_, amount) => amount,
    };
    Transfer {
        amount,
        debit_account: pending.debit_account,
        credit_account: pending.credit_account,
        ledger: pending.ledger,
        code: if wanted.code == 0 { pending.code } else { wanted.code },
        user_data: if wanted.user_data == 0 { pending.user_data } else { wanted.user_data },
        flags: wanted.flags.without(TransferFlags::LINKED),
        ..wanted.clone()
    }
}

fn release(debit: &mut Account, credit: &mut Account, pending: &Transfer) {
    debit.debits_pending = debit.debits_pending.checked_sub(pending.amount).expect("what is pending was added once");
    credit.credits_pending = credit.credits_pending.checked_sub(pending.amount).expect("what is pending was added once");
    if pending.flags.has(TransferFlags::CLOSING_DEBIT) {
        debit.flags = debit.flags.without(AccountFlags::CLOSED);
    }
    if pending.flags.has(TransferFlags::CLOSING_CREDIT) {
        credit.flags = credit.flags.without(AccountFlags::CLOSED);
    }
}

/// Releases a pending transfer whose time has come. True if it was pending until now.
pub fn expire<B: Books>(books: &mut B, id: u128, now: u64) -> bool {
    let Some(pending) = books.transfer(id) else { return false };
    let due = pending.expires().is_some_and(|at| at <= now);
    if !due || books.pending_state(id) != Some(PendingState::Pending) {
        return false;
    }
    let mut debit = books.account(pending.debit_account).expect("a pending transfer's accounts are there");
    let mut credit = books.account(pending.credit_account).expect("a pending transfer's accounts are there");
    release(&mut debit, &mut credit, &pending);
    books.put_pending_state(id, PendingState::Expired);
    books.put_account(debit);
    books.put_account(credit);
    true
}
