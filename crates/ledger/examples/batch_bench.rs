//! How long the pure rules take: batches of 8,000 transfers over 10,000 accounts, best and median of many.
//!
//! `cargo run --release -p ledger --example batch_bench`, and only one kind with its name as argument.
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use base::Prng;
use ledger::{Account, AccountFlags, Batch, Books, Code, Kind, Ledger, MemoryBooks, Needs, Transfer, TransferFlags};
use ledger::{Event, Leg, Side, packed};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// As in the program: with the system's allocator a quarter of the time is page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ACCOUNTS: u64 = 10_000;
const EVENTS: usize = 8_000;
const ROUNDS: u64 = 101;

fn books(flags: AccountFlags) -> MemoryBooks {
    let mut books = MemoryBooks::default();
    books.load_ledger(1, Some(Ledger { id: 1, ..Ledger::default() }));
    let accounts: Vec<Account> =
        (1..=ACCOUNTS).map(|id| Account { id: id.into(), ledger: 1, code: 1, flags, ..Account::default() }).collect();
    let outcomes = Batch::new(&mut books).run(&accounts, 1);
    assert!(outcomes.iter().all(|outcome| outcome.code == Code::Ok));
    books.forget_changes();
    books
}

fn two_accounts(prng: &mut Prng) -> (u128, u128) {
    let (debit, other) = (prng.below(ACCOUNTS), prng.below(ACCOUNTS - 1));
    let credit = if other >= debit { other + 1 } else { other };
    (u128::from(debit) + 1, u128::from(credit) + 1)
}

fn batch(prng: &mut Prng, flags: impl Fn(usize) -> TransferFlags) -> Vec<Transfer> {
    let transfer = |index| {
        let (debit_account, credit_account) = two_accounts(prng);
        let id = u128::from(prng.next_u64()) << 64 | u128::from(prng.next_u64());
        Transfer { id, debit_account, credit_account, amount: 10, ledger: 1, code: 1, flags: flags(index), ..Transfer::default() }
    };
    (0..EVENTS).map(transfer).collect()
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let (best, median) = (times[0], times[times.len() / 2]);
    let each = median.as_nanos() as f64 / EVENTS as f64;
    println!("{name:<44} best {best:>9.2?}  median {median:>9.2?}  {each:>5.0} ns each");
}

/// Books hold what the batch needs and no more, as a database would load them.
fn part(whole: &MemoryBooks, batch: &[Transfer]) -> MemoryBooks {
    let mut needs = Needs::default();
    batch.iter().for_each(|transfer| transfer.needs(&mut needs));
    let mut part = MemoryBooks::partial();
    part.reserve(needs.accounts.len(), needs.transfers.len());
    needs.accounts.iter().for_each(|id| part.load_account(id, whole.account(id).cloned()));
    needs.transfers.iter().for_each(|id| part.load_transfer(id, Default::default()));
    needs.ledgers.iter().for_each(|id| part.load_ledger(id, whole.ledger(id).cloned()));
    part
}

fn measure(name: &str, flags: AccountFlags, make: impl Fn(&mut Prng) -> Vec<Transfer>) {
    if std::env::args().nth(1).is_some_and(|only| only != name) {
        return;
    }
    let mut prng = Prng::new(7);
    let whole = books(flags);
    let (mut run, mut all) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let batch = make(&mut prng);
        let begin = Instant::now();
        let mut books = part(&whole, &batch);
        let loaded = Instant::now();
        let outcomes = Batch::new(&mut books).run(&batch, 1_000_000 * (round + 1));
        run.push(loaded.elapsed());
        black_box(books.changes());
        all.push(begin.elapsed());
        assert!(outcomes.iter().all(|outcome| outcome.code == Code::Ok), "{name}");
        assert!(books.missed().is_empty() && books.last_timestamp(Kind::Transfer) > 0);
    }
    report(name, run);
    report("  with loading from a map and the changes", all);
}

fn main() {
    measure("plain", AccountFlags(0), |prng| batch(prng, |_| TransferFlags(0)));
    measure("plain, accounts with history", AccountFlags::HISTORY, |prng| batch(prng, |_| TransferFlags(0)));
    measure("pending", AccountFlags(0), |prng| batch(prng, |_| TransferFlags::PENDING));
    measure("chains of two", AccountFlags(0), |prng| batch(prng, |index| TransferFlags(1 - index as u16 % 2)));
    measure("postings of four legs", AccountFlags(0), |prng| {
        let mut batch = batch(prng, |_| TransferFlags(0));
        for transfer in &mut batch {
            let (debit, credit) = (std::mem::take(&mut transfer.debit_account), std::mem::take(&mut transfer.credit_account));
            let leg = |account, side, amount| Leg { account, side, amount };
            let (third, fourth) = two_accounts(prng);
            transfer.legs =
                vec![leg(debit, Side::Debit, 6), leg(third, Side::Debit, 4), leg(credit, Side::Credit, 5), leg(fourth, Side::Credit, 5)];
        }
        batch
    });
    let bytes = packed::encode_transfers(&batch(&mut Prng::new(1), |_| TransferFlags(0)));
    let decode = |_| {
        let begin = Instant::now();
        black_box(packed::decode_transfers(black_box(&bytes))).expect("they were encoded");
        begin.elapsed()
    };
    report("decoding the packed form", (0..ROUNDS).map(decode).collect());
}
