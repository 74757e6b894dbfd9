//! The rules as stories.

mod support;

use ledger::{
    AMOUNT_MAX, Account, AccountFlags, Balance, Books, Bounds, Code, EntryKind, LEGS_MAX, Needs, PendingState, Recorded, Side, Transfer,
    TransferFlags, expire, needs_of_referred,
};
use ledger::{Batch, Event, MemoryBooks};
use support::*;

#[test]
fn a_transfer_moves_the_amount_once() {
    let mut books = books(&[PLAIN; 2]);
    assert_eq!(run(&mut books, &[pay(7, 1, 2, 50)], 100), [Code::Ok]);
    let again = outcomes(&mut books, &[pay(7, 1, 2, 50)], 200)[0];
    assert_eq!((again.code, again.timestamp), (Code::Exists, 100));
    assert_eq!(run(&mut books, &[pay(7, 1, 2, 51)], 300), [Code::ExistsWithOtherAmount]);
    assert_eq!((sums(&books, 1), sums(&books, 2)), ([0, 50, 0, 0], [0, 0, 0, 50]));
}

#[test]
fn a_limit_holds_and_the_refused_id_stays_refused() {
    let mut books = books(&[PLAIN, AccountFlags::DEBITS_WITHIN_CREDITS]);
    assert_eq!(run(&mut books, &[pay(1, 1, 2, 100), pay(2, 2, 1, 101)], 100), [Code::Ok, Code::ExceedsCredits]);
    assert_eq!(run(&mut books, &[pay(3, 1, 2, 100), pay(2, 2, 1, 101)], 200), [Code::Ok, Code::IdAlreadyFailed]);
}

#[test]
fn a_pending_transfer_is_posted_in_part_and_the_rest_released() {
    let mut books = books(&[PLAIN; 2]);
    let reserve = flagged(pay(1, 1, 2, 100), TransferFlags::PENDING);
    let post = refer(2, TransferFlags::POST, 1, 30);
    let again = refer(3, TransferFlags::POST, 1, 30);
    assert_eq!(run(&mut books, &[reserve, post, again], 100), [Code::Ok, Code::Ok, Code::PendingAlreadyPosted]);
    assert_eq!(sums(&books, 1), [0, 30, 0, 0]);
    assert_eq!(books.pending_state(1), Some(PendingState::Posted));
    let made = books.transfer(2).expect("it was booked");
    assert_eq!((made.debit_account, made.credit_account, made.ledger, made.code), (1, 2, 1, 1));
    let kinds: Vec<(u128, EntryKind, u128)> =
        books.changes().entries.iter().map(|entry| (entry.account, entry.kind, entry.amount)).collect();
    use EntryKind::{Pending, Posted, Released};
    let expected = [(1, Pending, 100), (2, Pending, 100), (1, Released, 100), (1, Posted, 30), (2, Released, 100), (2, Posted, 30)];
    assert_eq!(kinds, expected);
}

#[test]
fn an_expired_transfer_cannot_be_posted() {
    let mut books = books(&[PLAIN; 2]);
    let reserve = Transfer { timeout: 5, ..flagged(pay(1, 1, 2, 100), TransferFlags::PENDING) };
    assert_eq!(run(&mut books, &[reserve], SECOND), [Code::Ok]);
    let post = refer(2, TransferFlags::POST, 1, u128::MAX);
    assert_eq!(run(&mut books, std::slice::from_ref(&post), 6 * SECOND), [Code::PendingExpired]);
    assert!(!expire(&mut books, 1, 6 * SECOND - 1));
    assert!(expire(&mut books, 1, 6 * SECOND) && !expire(&mut books, 1, 7 * SECOND));
    assert_eq!(sums(&books, 1), [0; 4]);
    assert_eq!(run(&mut books, &[post], 8 * SECOND), [Code::PendingExpired]);
}

#[test]
fn a_chain_takes_effect_whole_or_not_at_all() {
    let mut books = books(&[PLAIN; 3]);
    let linked = TransferFlags::LINKED;
    let chain = [flagged(pay(1, 1, 2, 5), linked), flagged(pay(2, 2, 9, 5), linked), pay(3, 2, 3, 5)];
    assert_eq!(run(&mut books, &chain, 100), [Code::LinkedEventFailed, Code::CreditAccountNotFound, Code::LinkedEventFailed]);
    assert!(books.transfer(1).is_none() && books.has_failed(2) && !books.has_failed(1));
    assert!((1..=3).all(|id| sums(&books, id) == [0; 4]));
    let chain = [flagged(pay(1, 1, 2, 5), linked), pay(4, 2, 3, 5)];
    assert_eq!(run(&mut books, &chain, 200), [Code::Ok, Code::Ok]);
    assert_eq!((sums(&books, 2), books.last_timestamp(ledger::Kind::Transfer)), ([0, 5, 0, 5], 201));
}

#[test]
fn a_chain_that_is_open_at_the_end_of_a_batch_fails() {
    let mut books = books(&[PLAIN; 2]);
    let open = [pay(1, 1, 2, 5), flagged(pay(2, 1, 2, 5), TransferFlags::LINKED)];
    assert_eq!(run(&mut books, &open, 100), [Code::Ok, Code::LinkedChainOpen]);
}

#[test]
fn a_chain_may_post_and_reverse_what_it_made() {
    let mut books = books(&[PLAIN; 2]);
    let linked = TransferFlags::LINKED;
    let chain = [
        flagged(pay(1, 1, 2, 9), linked.with(TransferFlags::PENDING)),
        refer(2, linked.with(TransferFlags::POST), 1, 7),
        refer(3, linked.with(TransferFlags::REVERSE), 2, 4),
        refer(4, TransferFlags::REVERSE, 2, u128::MAX),
    ];
    assert_eq!(run(&mut books, &chain, 100), [Code::Ok; 4]);
    assert_eq!((sums(&books, 1), books.reversed(2)), ([0, 7, 0, 7], 7));
}

#[test]
fn a_closed_account_takes_only_voids() {
    let mut books = books(&[PLAIN; 2]);
    let earlier = flagged(pay(9, 1, 2, 3), TransferFlags::PENDING);
    let close = flagged(pay(1, 1, 2, 0), TransferFlags::PENDING.with(TransferFlags::CLOSING_DEBIT));
    let post = refer(8, TransferFlags::POST, 9, u128::MAX);
    let closed = [Code::Ok, Code::Ok, Code::DebitAccountClosed, Code::DebitAccountClosed];
    assert_eq!(run(&mut books, &[earlier, close, pay(2, 1, 2, 5), post], 100), closed);
    assert_eq!(run(&mut books, &[refer(7, TransferFlags::VOID, 9, 0), pay(5, 2, 1, 5)], 200), [Code::Ok, Code::CreditAccountClosed]);
    assert_eq!(run(&mut books, &[refer(3, TransferFlags::VOID, 1, 0), pay(4, 1, 2, 5)], 300), [Code::Ok, Code::Ok]);
}

#[test]
fn the_expiry_of_a_closing_transfer_opens_the_account() {
    let mut books = books(&[PLAIN; 2]);
    let flags = TransferFlags::PENDING.with(TransferFlags::CLOSING_CREDIT);
    let close = Transfer { timeout: 1, ..flagged(pay(1, 1, 2, 0), flags) };
    assert_eq!(run(&mut books, &[close, pay(2, 1, 2, 5)], 100), [Code::Ok, Code::CreditAccountClosed]);
    assert!(expire(&mut books, 1, 2 * SECOND));
    assert_eq!(run(&mut books, &[pay(3, 1, 2, 5)], 3 * SECOND), [Code::Ok]);
}

#[test]
fn a_balancing_transfer_moves_what_there_is() {
    let mut books = books(&[PLAIN, AccountFlags::DEBITS_WITHIN_CREDITS]);
    let sweep = flagged(pay(2, 2, 1, u128::MAX), TransferFlags::BALANCING_DEBIT);
    let nothing = Transfer { id: 3, ..sweep.clone() };
    assert_eq!(run(&mut books, &[pay(1, 1, 2, 70), sweep.clone(), nothing], 100), [Code::Ok; 3]);
    assert_eq!((books.transfer(2).unwrap().amount, books.transfer(3).unwrap().amount), (70, 0));
    assert_eq!(run(&mut books, std::slice::from_ref(&sweep), 200), [Code::Exists]);
    assert_eq!(run(&mut books, &[Transfer { amount: 69, ..sweep }], 300), [Code::ExistsWithOtherAmount]);
}

#[test]
fn a_balancing_transfer_respects_bounds() {
    let mut overdraft = account(2, PLAIN);
    overdraft.bounds = Bounds { minimum: Some(-100), maximum: Some(40), on: Balance::Available };
    let mut books = books_with(&[account(1, PLAIN), overdraft]);
    let out = flagged(pay(1, 2, 1, 500), TransferFlags::BALANCING_DEBIT);
    let back = flagged(pay(2, 1, 2, u128::MAX), TransferFlags::BALANCING_CREDIT);
    assert_eq!(run(&mut books, &[out, back], 100), [Code::Ok; 2]);
    assert_eq!((books.transfer(1).unwrap().amount, books.transfer(2).unwrap().amount), (100, 140));
}

#[test]
fn amounts_and_sums_end_at_what_numeric_38_holds() {
    let mut books = books(&[PLAIN; 3]);
    let all = [pay(1, 1, 2, AMOUNT_MAX), pay(2, 1, 3, 1), pay(3, 3, 2, 1), pay(4, 3, 1, AMOUNT_MAX + 1), pay(5, 2, 3, u128::MAX)];
    let codes = [Code::Ok, Code::OverflowsDebits, Code::OverflowsCredits, Code::OverflowsAmount, Code::OverflowsAmount];
    assert_eq!(run(&mut books, &all, 100), codes);
    let pending = flagged(pay(6, 1, 3, 1), TransferFlags::PENDING);
    assert_eq!(run(&mut books, &[pending], 200), [Code::OverflowsDebits]);
}

#[test]
fn a_bound_on_the_available_balance_holds_when_amounts_are_reserved() {
    let mut bounded = account(1, PLAIN);
    bounded.bounds = Bounds { minimum: Some(-50), maximum: Some(50), on: Balance::Available };
    let mut books = books_with(&[bounded, account(2, PLAIN)]);
    let hold = |id, debit, credit, amount| flagged(pay(id, debit, credit, amount), TransferFlags::PENDING);
    let batch = [hold(1, 1, 2, 50), hold(2, 1, 2, 1), hold(3, 2, 1, 50), hold(4, 2, 1, 1)];
    assert_eq!(run(&mut books, &batch, 100), [Code::Ok, Code::BelowMinimum, Code::Ok, Code::AboveMaximum]);
    let post = |id, pending| refer(id, TransferFlags::POST, pending, u128::MAX);
    assert_eq!(run(&mut books, &[post(5, 1), post(6, 3)], 200), [Code::Ok; 2]);
}

#[test]
fn a_bound_on_the_posted_balance_holds_when_amounts_are_posted() {
    let mut bounded = account(1, PLAIN);
    bounded.bounds = Bounds { minimum: Some(-50), maximum: None, on: Balance::Posted };
    let mut books = books_with(&[bounded, account(2, PLAIN)]);
    let hold = |id| flagged(pay(id, 1, 2, 30), TransferFlags::PENDING);
    let post = |id, pending| refer(id, TransferFlags::POST, pending, u128::MAX);
    let codes = run(&mut books, &[hold(1), hold(2), post(3, 1), post(4, 2), refer(5, TransferFlags::POST, 2, 20)], 100);
    assert_eq!(codes, [Code::Ok, Code::Ok, Code::Ok, Code::BelowMinimum, Code::Ok]);
}

#[test]
fn a_minimum_above_zero_takes_credits_first() {
    let mut bounded = account(1, PLAIN);
    bounded.bounds = Bounds { minimum: Some(10), ..Bounds::default() };
    let mut books = books_with(&[bounded, account(2, PLAIN)]);
    let batch = [pay(1, 1, 2, 1), pay(2, 2, 1, 5), pay(3, 2, 1, 6), pay(4, 1, 2, 1), pay(5, 1, 2, 1)];
    assert_eq!(run(&mut books, &batch, 100), [Code::BelowMinimum, Code::Ok, Code::Ok, Code::Ok, Code::BelowMinimum]);
}

#[test]
fn senseless_bounds_are_refused() {
    let mut books = empty_books();
    let bounded = |id, minimum, maximum| Account { bounds: Bounds { minimum, maximum, ..Bounds::default() }, ..account(id, PLAIN) };
    let batch = [bounded(1, Some(1), Some(0)), bounded(2, Some(i128::MIN), None), bounded(3, None, Some(10i128.pow(38)))];
    assert_eq!(open(&mut books, &batch, 1), [Code::BoundsExcludeEachOther, Code::BoundsOutOfRange, Code::BoundsOutOfRange]);
}

#[test]
fn a_posting_moves_all_its_legs() {
    let mut books = books(&[PLAIN; 3]);
    let legs = [debit(1, 100), credit(2, 70), credit(3, 20), credit(1, 10)];
    let outcome = outcomes(&mut books, &[posting(1, &legs)], 100)[0];
    assert_eq!(outcome.code, Code::Ok);
    assert_eq!((sums(&books, 1), posted(&books, 2), posted(&books, 3)), ([0, 100, 0, 10], 70, 20));
    assert_eq!(books.transfer(1).unwrap().amount, 100);
    assert_eq!(books.changes().entries.iter().map(|entry| entry.leg).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let same = Transfer { amount: 100, ..posting(1, &legs) };
    assert_eq!(
        run(&mut books, &[posting(1, &legs), same, posting(1, &legs[..1])], 200),
        [Code::Exists, Code::Exists, Code::LegsDoNotBalance]
    );
    assert_eq!(run(&mut books, &[posting(1, &[debit(1, 100), credit(2, 100)])], 300), [Code::ExistsWithOtherLegs]);
}

#[test]
fn a_posting_that_makes_no_sense_is_refused() {
    let mut books = books(&[PLAIN; 2]);
    let both = [debit(1, 5), credit(2, 5)];
    let named = Transfer { debit_account: 1, ..posting(1, &both) };
    let closing = flagged(posting(1, &both), TransferFlags::PENDING.with(TransferFlags::CLOSING_DEBIT));
    let long: Vec<_> = (0..=LEGS_MAX).map(|_| debit(1, 1)).collect();
    let too_much = [debit(1, AMOUNT_MAX), debit(1, 1), credit(2, AMOUNT_MAX), credit(2, 1)];
    let cases = [
        (named, Code::LegsExcludeAccounts),
        (closing, Code::LegsExcludeFlags),
        (posting(1, &long), Code::TooManyLegs),
        (posting(1, &[debit(0, 5), credit(2, 5)]), Code::AccountMustNotBeZero),
        (posting(1, &[debit(1, 0), credit(2, 0)]), Code::LegAmountMustNotBeZero),
        (posting(1, &too_much), Code::OverflowsAmount),
        (posting(1, &[debit(1, u128::MAX), credit(2, u128::MAX)]), Code::OverflowsAmount),
        (posting(1, &[debit(1, 5), credit(2, 4)]), Code::LegsDoNotBalance),
        (Transfer { amount: 4, ..posting(1, &both) }, Code::AmountDiffersFromLegs),
        (Transfer { ledger: 2, ..posting(1, &both) }, Code::LegAccountHasAnotherLedger),
        (posting(1, &[debit(1, 5), credit(9, 5)]), Code::LegAccountNotFound),
        (posting(1, &both), Code::IdAlreadyFailed),
        (Transfer { legs: both.to_vec(), ..refer(2, TransferFlags::POST, 1, 5) }, Code::ReferringTakesNoLegs),
    ];
    for (transfer, code) in cases {
        assert_eq!(run(&mut books, &[transfer], 100), [code]);
    }
}

#[test]
fn a_posting_may_pass_through_a_limit_that_it_keeps_in_the_end() {
    let mut books = books(&[PLAIN, AccountFlags::DEBITS_WITHIN_CREDITS, PLAIN]);
    let through = posting(1, &[debit(2, 60), credit(3, 60), debit(1, 60), credit(2, 60)]);
    let too_far = posting(2, &[debit(2, 61), credit(3, 61), debit(1, 60), credit(2, 60), debit(1, 1), credit(3, 1)]);
    assert_eq!(run(&mut books, &[through, too_far], 100), [Code::Ok, Code::ExceedsCredits]);
    assert_eq!(sums(&books, 2), [0, 60, 0, 60]);
}

#[test]
fn a_long_posting_adds_up_the_legs_of_each_account() {
    let mut books = books(&[PLAIN, AccountFlags::DEBITS_WITHIN_CREDITS, PLAIN]);
    let through = |last| {
        let legs = (0..LEGS_MAX as u128 / 4).flat_map(|_| [debit(1, 3), credit(2, 3), debit(2, 2), credit(3, 2)]);
        let mut legs: Vec<_> = legs.collect();
        let end = legs.len() - 2;
        (legs[end].amount, legs[end + 1].amount) = (last, last);
        legs
    };
    assert_eq!(run(&mut books, &[posting(1, &through(253))], 100), [Code::ExceedsCredits]);
    assert_eq!(run(&mut books, &[flagged(posting(2, &through(2)), TransferFlags::PENDING)], 200), [Code::ExceedsCredits]);
    assert_eq!(run(&mut books, &[posting(3, &through(252))], 300), [Code::Ok]);
    assert_eq!((sums(&books, 1), sums(&books, 2), posted(&books, 3)), ([0, 750, 0, 0], [0, 750, 0, 750], 750));
}

#[test]
fn a_pending_posting_is_posted_or_voided_whole() {
    let mut books = books(&[PLAIN; 3]);
    let legs = [debit(1, 9), credit(2, 4), credit(3, 5)];
    let hold = |id| flagged(posting(id, &legs), TransferFlags::PENDING);
    assert_eq!(run(&mut books, &[hold(1), hold(2)], 100), [Code::Ok; 2]);
    assert_eq!(sums(&books, 1), [18, 0, 0, 0]);
    let batch = [refer(3, TransferFlags::POST, 1, 4), refer(4, TransferFlags::POST, 1, 9), refer(5, TransferFlags::VOID, 2, 0)];
    assert_eq!(run(&mut books, &batch, 200), [Code::PostingMustBeWhole, Code::Ok, Code::Ok]);
    assert_eq!((sums(&books, 1), sums(&books, 3)), ([0, 9, 0, 0], [0, 0, 0, 5]));
    assert_eq!(books.transfer(4).unwrap().legs, legs);
    assert_eq!(run(&mut books, &[refer(4, TransferFlags::POST, 1, u128::MAX)], 300), [Code::Exists]);
}

#[test]
fn a_reversal_takes_back_at_most_the_whole() {
    let mut books = books(&[PLAIN; 2]);
    let back = |id, amount| refer(id, TransferFlags::REVERSE, 1, amount);
    let batch = [pay(1, 1, 2, 100), back(2, 30), back(3, 71), back(4, u128::MAX), back(5, 1), back(6, 0)];
    let codes = [Code::Ok, Code::Ok, Code::AmountExceedsOriginal, Code::Ok, Code::OriginalAlreadyReversed, Code::ReversalMustNotBeZero];
    assert_eq!(run(&mut books, &batch, 100), codes);
    let last = books.transfer(4).unwrap();
    assert_eq!((last.debit_account, last.credit_account, last.amount, last.pending), (2, 1, 70, 1));
    assert_eq!((posted(&books, 1), books.reversed(1)), (0, 100));
    assert_eq!(
        run(&mut books, &[back(4, u128::MAX), back(4, 70), back(4, 69)], 200),
        [Code::Exists, Code::Exists, Code::ExistsWithOtherAmount]
    );
}

#[test]
fn only_what_is_posted_is_reversed() {
    let mut books = books(&[AccountFlags::DEBITS_WITHIN_CREDITS, PLAIN, PLAIN]);
    let hold = flagged(pay(1, 2, 1, 10), TransferFlags::PENDING);
    let back = |id, original| refer(id, TransferFlags::REVERSE, original, u128::MAX);
    let batch = [hold, refer(2, TransferFlags::POST, 1, 6), back(3, 1), back(4, 99), pay(5, 1, 3, 1), back(6, 2), back(7, 5), back(8, 2)];
    let codes = run(&mut books, &batch, 100);
    let expected =
        [Code::Ok, Code::Ok, Code::OriginalIsNotPosted, Code::OriginalNotFound, Code::Ok, Code::ExceedsCredits, Code::Ok, Code::Ok];
    assert_eq!(codes, expected);
    let wrong = Transfer { debit_account: 1, ..back(9, 5) };
    assert_eq!(run(&mut books, &[wrong], 200), [Code::OriginalHasOtherDebitAccount]);
}

#[test]
fn a_posting_is_reversed_whole_with_sides_exchanged() {
    let mut books = books(&[PLAIN; 3]);
    let legs = [debit(1, 9), credit(2, 4), credit(3, 5)];
    let batch = [posting(1, &legs), refer(2, TransferFlags::REVERSE, 1, 4), refer(3, TransferFlags::REVERSE, 1, u128::MAX)];
    assert_eq!(run(&mut books, &batch, 100), [Code::Ok, Code::PostingMustBeWhole, Code::Ok]);
    assert_eq!(books.transfer(3).unwrap().legs, [credit(1, 9), debit(2, 4), debit(3, 5)]);
    assert!((1..=3).all(|id| posted(&books, id) == 0));
}

#[test]
fn nothing_takes_effect_in_a_closed_period_but_releases() {
    let mut books = books(&[PLAIN; 2]);
    let hold = |id| flagged(pay(id, 1, 2, 5), TransferFlags::PENDING);
    assert_eq!(run(&mut books, &[hold(1), hold(2), Transfer { timeout: 1, ..hold(3) }], 100), [Code::Ok; 3]);
    books.load_ledger(1, Some(ledger(1, 10 * SECOND)));
    let backdated = Transfer { effective: 10 * SECOND, ..pay(4, 1, 2, 5) };
    let forward = Transfer { effective: 10 * SECOND + 1, ..pay(5, 1, 2, 5) };
    let batch = [backdated, forward, pay(6, 1, 2, 5), refer(7, TransferFlags::POST, 1, 5), refer(8, TransferFlags::VOID, 2, 0)];
    let codes = [Code::PeriodClosed, Code::Ok, Code::PeriodClosed, Code::PeriodClosed, Code::Ok];
    assert_eq!(run(&mut books, &batch, 5 * SECOND), codes);
    assert!(expire(&mut books, 3, 6 * SECOND));
    let later = Transfer { effective: 10 * SECOND, ..pay(9, 1, 2, 5) };
    assert_eq!(run(&mut books, &[later, pay(10, 1, 2, 5)], 11 * SECOND), [Code::PeriodClosed, Code::Ok]);
}

#[test]
fn the_value_date_is_the_day_of_effect_unless_given() {
    let day = 86_400 * SECOND;
    let booked = Transfer { timestamp: 3 * day + 1, ..pay(1, 1, 2, 5) };
    assert_eq!((booked.effective_at(), booked.value_day()), (3 * day + 1, 3));
    let backdated = Transfer { effective: 2 * day, ..booked.clone() };
    assert_eq!((backdated.effective_at(), backdated.value_day()), (2 * day, 2));
    assert_eq!(Transfer { value_date: -5, ..backdated }.value_day(), -5);
    assert_eq!(Transfer { effective: u64::MAX, ..booked }.value_day(), 213_503);
}

#[test]
fn history_keeps_the_balances_after_each_entry() {
    let mut books = books(&[AccountFlags::HISTORY, PLAIN]);
    let hold = flagged(pay(1, 1, 2, 9), TransferFlags::PENDING);
    assert_eq!(run(&mut books, &[hold, refer(2, TransferFlags::POST, 1, 4)], 100), [Code::Ok; 2]);
    let changes = books.changes();
    let balances = |account| changes.entries.iter().filter(move |entry| entry.account == account).map(|entry| entry.balances);
    let kept: Vec<(u128, u128)> =
        balances(1).map(|kept| kept.expect("it has history")).map(|b| (b.debits_pending, b.debits_posted)).collect();
    assert_eq!(kept, [(9, 0), (0, 0), (0, 4)]);
    assert!(balances(2).all(|kept| kept.is_none()));
    assert!(changes.entries.iter().filter(|entry| entry.account == 1).all(|entry| entry.side == Side::Debit));
}

#[test]
fn imported_events_keep_their_own_timestamps() {
    let mut books = empty_books();
    let old = |id, timestamp| Account { timestamp, ..account(id, AccountFlags::IMPORTED) };
    let batch = [old(1, 10), old(2, 20), old(3, 20), old(4, 1_000), old(5, 0), account(6, PLAIN)];
    let codes = open(&mut books, &batch, 100);
    let expected = [
        Code::Ok,
        Code::Ok,
        Code::ImportedTimestampMustNotRegress,
        Code::ImportedTimestampMustBePast,
        Code::ImportedTimestampMustNotBeZero,
        Code::ImportedExpected,
    ];
    assert_eq!(codes, expected);
    let moved = |id, timestamp| Transfer { timestamp, ..flagged(pay(id, 1, 2, 5), TransferFlags::IMPORTED) };
    let timed = Transfer { timeout: 1, ..flagged(moved(4, 60), TransferFlags::IMPORTED.with(TransferFlags::PENDING)) };
    let batch = [moved(1, 20), moved(2, 50), moved(3, 50), timed, pay(5, 1, 2, 5)];
    let codes = run(&mut books, &batch, 100);
    let expected = [
        Code::ImportedBeforeAccount,
        Code::Ok,
        Code::ImportedTimestampMustNotRegress,
        Code::ImportedTakesNoTimeout,
        Code::ImportedExpected,
    ];
    assert_eq!(codes, expected);
    assert_eq!(run(&mut books, &[pay(5, 1, 2, 5), moved(6, 60)], 100), [Code::Ok, Code::ImportedNotExpected]);
    let again = outcomes(&mut books, &[moved(2, 50), moved(2, 51), moved(7, 70)], 200);
    let codes: Vec<Code> = again.iter().map(|outcome| outcome.code).collect();
    assert_eq!(codes, [Code::Exists, Code::ExistsWithOtherTimestamp, Code::ImportedTimestampMustNotRegress]);
    assert_eq!(again[0].timestamp, 50);
}

#[test]
fn timestamps_increase_even_if_the_clock_does_not() {
    let mut books = books(&[PLAIN; 2]);
    let first = outcomes(&mut books, &[pay(1, 1, 2, 5), pay(2, 1, 2, 5)], 100);
    let second = outcomes(&mut books, &[pay(3, 1, 2, 5)], 50);
    assert_eq!([first[0].timestamp, first[1].timestamp, second[0].timestamp], [100, 101, 102]);
    assert_eq!(run(&mut books, &[pay(4, 1, 2, 5), pay(5, 1, 2, 5)], u64::MAX), [Code::Ok, Code::ImportedTimestampMustNotRegress]);
}

#[test]
fn the_same_account_exists_and_another_one_with_its_id_says_what_differs() {
    let mut books = books(&[PLAIN, PLAIN]);
    let there = account(1, PLAIN);
    let cases = [
        (there.clone(), Code::Exists),
        (Account { bounds: Bounds { on: Balance::Posted, ..Bounds::default() }, ..there.clone() }, Code::Exists),
        (Account { flags: AccountFlags::HISTORY, ..there.clone() }, Code::ExistsWithOtherFlags),
        (Account { user_data_128: 1, ..there.clone() }, Code::ExistsWithOtherUserData128),
        (Account { user_data_64: 1, ..there.clone() }, Code::ExistsWithOtherUserData64),
        (Account { user_data_32: 1, ..there.clone() }, Code::ExistsWithOtherUserData32),
        (Account { ledger: 2, ..there.clone() }, Code::ExistsWithOtherLedger),
        (Account { code: 2, ..there.clone() }, Code::ExistsWithOtherCode),
        (Account { parent: 2, ..there.clone() }, Code::ExistsWithOtherParent),
        (Account { bounds: Bounds { minimum: Some(0), ..Bounds::default() }, ..there.clone() }, Code::ExistsWithOtherBounds),
        (Account { metadata: vec![1], ..there.clone() }, Code::ExistsWithOtherMetadata),
        (Account { metadata: vec![1; 16_385], ..there.clone() }, Code::MetadataTooLong),
        (Account { debits_posted: 1, ..there }, Code::BalancesMustBeZero),
    ];
    for (account, code) in cases {
        assert_eq!(open(&mut books, &[account], 100), [code]);
    }
}

#[test]
fn the_same_transfer_exists_and_another_one_with_its_id_says_what_differs() {
    let mut books = books(&[PLAIN; 3]);
    let there = pay(1, 1, 2, 50);
    assert_eq!(run(&mut books, &[there.clone(), flagged(pay(9, 1, 2, 3), TransferFlags::PENDING)], 100), [Code::Ok; 2]);
    let cases = [
        (flagged(there.clone(), TransferFlags::PENDING), Code::ExistsWithOtherFlags),
        (refer(1, TransferFlags::POST, 9, 3), Code::ExistsWithOtherFlags),
        (refer(1, TransferFlags::POST, 8, 3), Code::ExistsWithOtherFlags),
        (Transfer { debit_account: 3, ..there.clone() }, Code::ExistsWithOtherDebitAccount),
        (Transfer { credit_account: 3, ..there.clone() }, Code::ExistsWithOtherCreditAccount),
        (Transfer { user_data_128: 1, ..there.clone() }, Code::ExistsWithOtherUserData128),
        (Transfer { user_data_64: 1, ..there.clone() }, Code::ExistsWithOtherUserData64),
        (Transfer { user_data_32: 1, ..there.clone() }, Code::ExistsWithOtherUserData32),
        (Transfer { ledger: 2, ..there.clone() }, Code::ExistsWithOtherLedger),
        (Transfer { code: 2, ..there.clone() }, Code::ExistsWithOtherCode),
        (Transfer { effective: 2, ..there.clone() }, Code::ExistsWithOtherEffective),
        (Transfer { value_date: 2, ..there.clone() }, Code::ExistsWithOtherValueDate),
        (Transfer { metadata: vec![2], ..there.clone() }, Code::ExistsWithOtherMetadata),
        (posting(1, &[debit(1, 50), credit(2, 50)]), Code::ExistsWithOtherLegs),
        (there, Code::Exists),
    ];
    for (transfer, code) in cases {
        assert_eq!(run(&mut books, &[transfer], 200), [code]);
    }
    assert_eq!(run(&mut books, &[refer(2, TransferFlags::POST, 9, 3)], 300), [Code::Ok]);
    let post = |pending, amount| refer(2, TransferFlags::POST, pending, amount);
    let named = Transfer { debit_account: 3, ..post(9, 3) };
    let codes = run(&mut books, &[post(9, 3), post(9, u128::MAX), post(9, 2), post(1, 3), post(8, 3), named], 400);
    let expected = [
        Code::Exists,
        Code::Exists,
        Code::ExistsWithOtherAmount,
        Code::ExistsWithOtherPending,
        Code::ExistsWithOtherPending,
        Code::ExistsWithOtherDebitAccount,
    ];
    assert_eq!(codes, expected);
}

#[test]
fn parents_are_there_before_their_children() {
    let mut books = empty_books();
    let child = |id, parent, ledger| Account { parent, ledger, ..account(id, PLAIN) };
    let batch = [child(1, 1, 1), child(2, 3, 1), child(3, 0, 1), child(2, 3, 1), child(4, 3, 2), child(5, 0, 9)];
    let codes = open(&mut books, &batch, 1);
    let expected = [Code::ParentIsItsOwn, Code::ParentNotFound, Code::Ok, Code::Ok, Code::ParentHasAnotherLedger, Code::LedgerNotFound];
    assert_eq!(codes, expected);
}

#[test]
fn senseless_transfers_are_refused() {
    let mut books = books(&[PLAIN; 2]);
    let other = Account { ledger: 2, ..account(3, PLAIN) };
    assert_eq!(open(&mut books, &[other], 10), [Code::Ok]);
    use TransferFlags as F;
    let cases = [
        (pay(0, 1, 2, 5), Code::IdMustNotBeZero),
        (pay(u128::MAX, 1, 2, 5), Code::IdMustNotBeMax),
        (flagged(pay(1, 1, 2, 5), F(1 << 10)), Code::FlagsAreUnknown),
        (flagged(pay(1, 1, 2, 5), F::POST.with(F::VOID)), Code::FlagsExcludeEachOther),
        (flagged(pay(1, 1, 2, 5), F::PENDING.with(F::REVERSE)), Code::FlagsExcludeEachOther),
        (flagged(pay(1, 1, 2, 5), F::REVERSE.with(F::BALANCING_DEBIT)), Code::FlagsExcludeEachOther),
        (flagged(pay(1, 1, 2, 5), F::CLOSING_DEBIT), Code::ClosingIsForPendingOnly),
        (Transfer { timestamp: 5, ..pay(1, 1, 2, 5) }, Code::TimestampMustBeZero),
        (Transfer { timeout: 5, ..pay(1, 1, 2, 5) }, Code::TimeoutIsForPendingOnly),
        (Transfer { timeout: 5, ..refer(1, F::POST, 2, 5) }, Code::TimeoutIsForPendingOnly),
        (Transfer { pending: 5, ..pay(1, 1, 2, 5) }, Code::PendingIdMustBeZero),
        (Transfer { metadata: vec![0; 20_000], ..pay(1, 1, 2, 5) }, Code::MetadataTooLong),
        (refer(1, F::VOID, 0, 0), Code::PendingIdMustNotBeZero),
        (refer(1, F::REVERSE, 1, 0), Code::PendingIdIsItsOwn),
        (pay(1, 0, 2, 5), Code::AccountMustNotBeZero),
        (pay(1, 2, 2, 5), Code::AccountsMustDiffer),
        (Transfer { ledger: 0, ..pay(1, 1, 2, 5) }, Code::LedgerMustNotBeZero),
        (Transfer { code: 0, ..pay(1, 1, 2, 5) }, Code::CodeMustNotBeZero),
        (pay(1, 1, 3, 5), Code::AccountsHaveDifferentLedgers),
        (Transfer { ledger: 2, ..pay(1, 1, 2, 5) }, Code::TransferHasAnotherLedger),
        (Transfer { timeout: u32::MAX, ..flagged(pay(1, 1, 2, 5), F::PENDING) }, Code::OverflowsTimeout),
    ];
    for (transfer, code) in cases {
        assert_eq!(run(&mut books, std::slice::from_ref(&transfer), u64::MAX - 10), [code], "{transfer:?}");
    }
}

#[test]
fn partial_books_tell_what_was_not_loaded_and_what_changed() {
    let mut whole = books(&[PLAIN; 3]);
    assert_eq!(run(&mut whole, &[flagged(pay(1, 1, 2, 9), TransferFlags::PENDING)], 100), [Code::Ok]);
    let batch = [refer(2, TransferFlags::POST, 1, 4), pay(3, 3, 8, 1)];
    let mut needs = Needs::default();
    batch.iter().for_each(|transfer| transfer.needs(&mut needs));
    assert_eq!((needs.accounts.as_slice(), needs.transfers.as_slice(), needs.ledgers.as_slice()), (&[3, 8][..], &[2, 1, 3][..], &[1][..]));
    let mut part = MemoryBooks::partial();
    Batch::new(&mut part).run(&batch, 200);
    assert_eq!(part.missed().transfers.as_slice(), [2, 1, 3]);

    needs_of_referred(whole.transfer(1).unwrap(), &mut needs);
    assert_eq!(needs.accounts.as_slice(), [3, 8, 1, 2]);
    let mut part = MemoryBooks::partial();
    for id in &needs.accounts {
        part.load_account(id, whole.account(id).cloned());
    }
    let recorded: Vec<(u128, Recorded)> = whole.transfers().map(|(id, recorded)| (id, recorded.clone())).collect();
    for id in &needs.transfers {
        let known = recorded.iter().find(|(known, _)| *known == id).map(|(_, recorded)| recorded.clone());
        part.load_transfer(id, known.unwrap_or_default());
    }
    part.load_ledger(1, Some(ledger(1, 0)));
    assert_eq!(run(&mut part, &batch, 200), [Code::Ok, Code::CreditAccountNotFound]);
    assert!(part.missed().is_empty());
    let changes = part.changes();
    assert_eq!(changes.accounts_changed.iter().map(|account| account.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(changes.transfers.iter().map(|transfer| transfer.id).collect::<Vec<_>>(), [2]);
    assert_eq!((changes.pending_states, changes.failed), (vec![(1, PendingState::Posted)], vec![3]));
    assert!(changes.accounts_opened.is_empty() && changes.reversed.is_empty() && changes.entries.len() == 4);
    part.forget_changes();
    assert!(part.changes().transfers.is_empty() && part.changes().entries.is_empty());
}

#[test]
fn damaged_books_are_refused_and_left_alone() {
    let mut books = books(&[PLAIN; 2]);
    let hold = flagged(pay(1, 1, 2, 9), TransferFlags::PENDING);
    books.load_transfer(
        1,
        Recorded { transfer: Some(Transfer { timeout: 1, ..hold }), state: Some(PendingState::Pending), ..Recorded::default() },
    );
    assert_eq!(run(&mut books, &[refer(2, TransferFlags::VOID, 1, 0)], 100), [Code::BooksContradict]);
    assert!(!expire(&mut books, 1, 9 * SECOND));
    let mut full = account(3, PLAIN);
    full.debits_posted = u128::MAX;
    books.load_account(3, Some(full));
    assert_eq!(run(&mut books, &[pay(3, 3, 1, 1)], 200), [Code::OverflowsDebits]);
}
