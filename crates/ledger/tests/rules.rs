//! The rules as stories, and as invariants over millions of random events.

use base::Prng;
use ledger::{Account, AccountFlags, Batch, Code, MemoryBooks, PendingState, Transfer, TransferFlags, expire};

const SECOND: u64 = 1_000_000_000;

fn account(id: u128, flags: AccountFlags) -> Account {
    Account { id, ledger: 1, code: 1, flags, ..Account::default() }
}

fn books(flags: &[AccountFlags]) -> MemoryBooks {
    let mut books = MemoryBooks::default();
    let accounts: Vec<Account> = flags.iter().enumerate().map(|(index, flags)| account(index as u128 + 1, *flags)).collect();
    let codes = Batch::new(&mut books).run(&accounts, 1);
    assert!(codes.iter().all(|code| *code == Code::Ok));
    books
}

fn pay(id: u128, debit: u128, credit: u128, amount: u128) -> Transfer {
    Transfer { id, debit_account: debit, credit_account: credit, amount, ledger: 1, code: 1, ..Transfer::default() }
}

fn flagged(transfer: Transfer, flags: TransferFlags) -> Transfer {
    Transfer { flags, ..transfer }
}

fn run(books: &mut MemoryBooks, transfers: &[Transfer], at: u64) -> Vec<Code> {
    Batch::new(books).run(transfers, at)
}

#[test]
fn a_transfer_moves_the_amount_once() {
    let mut books = books(&[AccountFlags::default(); 2]);
    assert_eq!(run(&mut books, &[pay(7, 1, 2, 50)], 100), [Code::Ok]);
    assert_eq!(run(&mut books, &[pay(7, 1, 2, 50)], 200), [Code::Exists]);
    assert_eq!(run(&mut books, &[pay(7, 1, 2, 51)], 300), [Code::ExistsWithOtherAmount]);
    assert_eq!((books.accounts[&1].debits_posted, books.accounts[&2].credits_posted), (50, 50));
}

#[test]
fn a_limit_holds_and_the_refused_id_stays_refused() {
    let mut books = books(&[AccountFlags::default(), AccountFlags::DEBITS_WITHIN_CREDITS]);
    assert_eq!(run(&mut books, &[pay(1, 1, 2, 100), pay(2, 2, 1, 101)], 100), [Code::Ok, Code::ExceedsCredits]);
    assert_eq!(run(&mut books, &[pay(3, 1, 2, 100), pay(2, 2, 1, 101)], 200), [Code::Ok, Code::IdAlreadyFailed]);
}

#[test]
fn a_pending_transfer_is_posted_in_part_and_the_rest_released() {
    let mut books = books(&[AccountFlags::default(); 2]);
    let reserve = flagged(pay(1, 1, 2, 100), TransferFlags::PENDING);
    let post = Transfer { id: 2, pending: 1, amount: 30, flags: TransferFlags::POST, ..Transfer::default() };
    let again = Transfer { id: 3, ..post.clone() };
    assert_eq!(run(&mut books, &[reserve, post, again], 100), [Code::Ok, Code::Ok, Code::PendingAlreadyPosted]);
    let debit = &books.accounts[&1];
    assert_eq!((debit.debits_posted, debit.debits_pending), (30, 0));
    assert_eq!(books.pending[&1], PendingState::Posted);
}

#[test]
fn an_expired_transfer_cannot_be_posted() {
    let mut books = books(&[AccountFlags::default(); 2]);
    let reserve = Transfer { timeout: 5, ..flagged(pay(1, 1, 2, 100), TransferFlags::PENDING) };
    assert_eq!(run(&mut books, &[reserve], SECOND), [Code::Ok]);
    let post = Transfer { id: 2, pending: 1, amount: u128::MAX, flags: TransferFlags::POST, ..Transfer::default() };
    assert_eq!(run(&mut books, std::slice::from_ref(&post), 6 * SECOND), [Code::PendingExpired]);
    assert!(expire(&mut books, 1, 6 * SECOND) && !expire(&mut books, 1, 7 * SECOND));
    assert_eq!(books.accounts[&1].debits_pending, 0);
    assert_eq!(run(&mut books, &[post], 8 * SECOND), [Code::PendingExpired]);
}

#[test]
fn a_chain_takes_effect_whole_or_not_at_all() {
    let mut books = books(&[AccountFlags::default(); 3]);
    let before = books.clone();
    let chain = [flagged(pay(1, 1, 2, 5), TransferFlags::LINKED), flagged(pay(2, 2, 9, 5), TransferFlags::LINKED), pay(3, 2, 3, 5)];
    assert_eq!(run(&mut books, &chain, 100), [Code::LinkedEventFailed, Code::CreditAccountNotFound, Code::LinkedEventFailed]);
    assert_eq!((books.accounts, books.transfers), (before.accounts, before.transfers));
}

#[test]
fn a_chain_that_is_open_at_the_end_of_a_batch_fails() {
    let mut books = books(&[AccountFlags::default(); 2]);
    let open = [pay(1, 1, 2, 5), flagged(pay(2, 1, 2, 5), TransferFlags::LINKED)];
    assert_eq!(run(&mut books, &open, 100), [Code::Ok, Code::LinkedChainOpen]);
}

#[test]
fn a_closed_account_takes_only_the_void_that_opens_it() {
    let mut books = books(&[AccountFlags::default(); 2]);
    let close = flagged(pay(1, 1, 2, 0), TransferFlags::PENDING.with(TransferFlags::CLOSING_DEBIT));
    assert_eq!(run(&mut books, &[close, pay(2, 1, 2, 5)], 100), [Code::Ok, Code::DebitAccountClosed]);
    let void = Transfer { id: 3, pending: 1, flags: TransferFlags::VOID, ..Transfer::default() };
    assert_eq!(run(&mut books, &[void, pay(4, 1, 2, 5)], 200), [Code::Ok, Code::Ok]);
}

#[test]
fn a_balancing_transfer_moves_what_there_is() {
    let mut books = books(&[AccountFlags::default(), AccountFlags::DEBITS_WITHIN_CREDITS]);
    let sweep = flagged(pay(2, 2, 1, 1_000), TransferFlags::BALANCING_DEBIT);
    assert_eq!(run(&mut books, &[pay(1, 1, 2, 70), sweep.clone()], 100), [Code::Ok, Code::Ok]);
    assert_eq!(books.transfers[&2].amount, 70);
    assert_eq!(run(&mut books, &[sweep], 200), [Code::Exists]);
}

#[test]
fn balances_that_would_overflow_are_refused() {
    let mut books = books(&[AccountFlags::default(); 2]);
    assert_eq!(run(&mut books, &[pay(1, 1, 2, u128::MAX), pay(2, 1, 2, 1)], 100), [Code::Ok, Code::OverflowsDebits]);
}

fn random_transfer(prng: &mut Prng) -> Transfer {
    let flags = if prng.one_in(10) {
        [66, 130, 5, 6, 256, 32, 16][prng.below(7) as usize]
    } else {
        [0, 0, 0, 1, 2, 2, 4, 8][prng.below(8) as usize]
    };
    Transfer {
        id: u128::from(prng.below(5_000)),
        debit_account: u128::from(1 + prng.below(186) / 31),
        credit_account: u128::from(1 + prng.below(186) / 31),
        amount: if prng.one_in(200) { u128::MAX } else { u128::from(prng.below(100)) },
        pending: if flags & 12 != 0 { u128::from(prng.below(5_000)) } else { 0 },
        timeout: if flags & 2 != 0 { prng.below(3) as u32 } else { 0 },
        ledger: 1,
        code: 1,
        flags: TransferFlags(flags),
        ..Transfer::default()
    }
}

/// Recomputes all balances from the transfers alone, and compares.
fn audit(books: &MemoryBooks) {
    let mut sums = std::collections::BTreeMap::<u128, [u128; 4]>::new();
    for transfer in books.transfers.values() {
        let voids = transfer.flags.has(TransferFlags::VOID);
        let column = match books.pending.get(&transfer.id) {
            Some(PendingState::Pending) => Some(0),
            Some(_) => None,
            None => (!voids).then_some(1),
        };
        if let Some(column) = column {
            sums.entry(transfer.debit_account).or_default()[column] += transfer.amount;
            sums.entry(transfer.credit_account).or_default()[column + 2] += transfer.amount;
        }
    }
    for account in books.accounts.values() {
        let found = [account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted];
        assert_eq!(found, sums.get(&account.id).copied().unwrap_or_default(), "account {}", account.id);
        if account.flags.has(AccountFlags::DEBITS_WITHIN_CREDITS) {
            assert!(account.debits_posted + account.debits_pending <= account.credits_posted, "account {}", account.id);
        }
    }
}

#[test]
fn books_stay_right_under_random_batches() {
    let mut done = 0;
    for seed in 0..150 {
        let mut prng = Prng::new(seed);
        let plain = AccountFlags::default();
        let mut books = books(&[plain, plain, AccountFlags::DEBITS_WITHIN_CREDITS, AccountFlags::CREDITS_WITHIN_DEBITS, plain, plain]);
        let mut now = SECOND;
        for _ in 0..60 {
            let batch: Vec<Transfer> = (0..prng.between(1, 20)).map(|_| random_transfer(&mut prng)).collect();
            done += run(&mut books, &batch, now).iter().filter(|code| **code == Code::Ok).count();
            now += prng.below(SECOND);
            let pending: Vec<u128> = books.pending.keys().copied().collect();
            for id in pending {
                expire(&mut books, id, now);
            }
            audit(&books);
        }
    }
    assert!(done > 10_000, "only {done} transfers went through: the test tests little");
}
