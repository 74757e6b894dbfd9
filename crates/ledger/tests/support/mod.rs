//! What the tests share: books with some accounts, short ways to write transfers.
#![allow(dead_code)]

use ledger::{Account, AccountFlags, Batch, Books, Code, Ledger, Leg, MemoryBooks, Outcome, Side, Transfer, TransferFlags};

pub const SECOND: u64 = 1_000_000_000;
pub const PLAIN: AccountFlags = AccountFlags(0);

pub fn ledger(id: u32, closed_through: u64) -> Ledger {
    Ledger {
        id,
        name: format!("ledger {id}"),
        asset: "money".into(),
        currency: "EUR".into(),
        scale: 2,
        closed_through,
        ..Ledger::default()
    }
}

pub fn account(id: u128, flags: AccountFlags) -> Account {
    Account { id, ledger: 1, code: 1, flags, ..Account::default() }
}

pub fn empty_books() -> MemoryBooks {
    let mut books = MemoryBooks::default();
    books.load_ledger(1, Some(ledger(1, 0)));
    books.load_ledger(2, Some(ledger(2, 0)));
    books
}

/// Accounts 1, 2, … of ledger 1 with these flags.
pub fn books(flags: &[AccountFlags]) -> MemoryBooks {
    let accounts: Vec<Account> = flags.iter().enumerate().map(|(index, flags)| account(index as u128 + 1, *flags)).collect();
    books_with(&accounts)
}

pub fn books_with(accounts: &[Account]) -> MemoryBooks {
    let mut books = empty_books();
    let outcomes = Batch::new(&mut books).run(accounts, 1);
    assert!(outcomes.iter().all(|outcome| outcome.code == Code::Ok), "{outcomes:?}");
    books
}

pub fn pay(id: u128, debit: u128, credit: u128, amount: u128) -> Transfer {
    Transfer { id, debit_account: debit, credit_account: credit, amount, ledger: 1, code: 1, ..Transfer::default() }
}

pub fn flagged(transfer: Transfer, flags: TransferFlags) -> Transfer {
    Transfer { flags, ..transfer }
}

/// A post, void or reversal.
pub fn refer(id: u128, flags: TransferFlags, pending: u128, amount: u128) -> Transfer {
    Transfer { id, flags, pending, amount, ..Transfer::default() }
}

pub fn debit(account: u128, amount: u128) -> Leg {
    Leg { account, side: Side::Debit, amount }
}

pub fn credit(account: u128, amount: u128) -> Leg {
    Leg { account, side: Side::Credit, amount }
}

pub fn posting(id: u128, legs: &[Leg]) -> Transfer {
    Transfer { id, ledger: 1, code: 1, legs: legs.to_vec(), ..Transfer::default() }
}

pub fn run(books: &mut MemoryBooks, transfers: &[Transfer], at: u64) -> Vec<Code> {
    outcomes(books, transfers, at).into_iter().map(|outcome| outcome.code).collect()
}

pub fn outcomes(books: &mut MemoryBooks, transfers: &[Transfer], at: u64) -> Vec<Outcome> {
    Batch::new(books).run(transfers, at)
}

pub fn open(books: &mut MemoryBooks, accounts: &[Account], at: u64) -> Vec<Code> {
    Batch::new(books).run(accounts, at).into_iter().map(|outcome| outcome.code).collect()
}

/// Debits pending and posted, credits pending and posted.
pub fn sums(books: &MemoryBooks, id: u128) -> [u128; 4] {
    let account = books.account(id).expect("the test opened it");
    [account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted]
}

pub fn posted(books: &MemoryBooks, id: u128) -> i128 {
    books.account(id).expect("the test opened it").balances().posted()
}
