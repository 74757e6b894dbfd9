//! Load on a ledger: many tasks, each waiting for its transfer before it makes the next.
//!
//! `cargo run --release -p florin-client --example load -- postgresql://florin@127.0.0.1:5433/florin TASKS SECONDS [LIST]`: with LIST each task sends so
//! many transfers at once.

#![allow(clippy::disallowed_methods, reason = "an example reads its arguments and the clock")]

use florin_client::{Definition, Error, Id, Ledger, NewAccount, Options, Transfer};
use std::time::{Duration, Instant};

const ACCOUNTS: usize = 10_000;
const LEDGER: u32 = 1;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize, default: u64| arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(default);
    let url = arguments.first().map_or("postgresql://florin@127.0.0.1:5433/florin", String::as_str);
    let (tasks, seconds, list) = (argument(1, 64), argument(2, 5), argument(3, 1));
    let ledger = Ledger::connect(Options::parse(url)?).await?;
    if !ledger.ledgers().await?.iter().any(|defined| defined.id == LEDGER) {
        ledger.define(&Definition { id: LEDGER, name: "load".into(), scale: 2, ..Definition::default() }).await?;
    }
    let ids: Vec<Id> = (0..ACCOUNTS).map(|_| Id::new()).collect();
    for outcome in ledger.open_accounts(ids.iter().map(|id| NewAccount::new(*id, LEDGER, 1)).collect()).await? {
        outcome.booked()?;
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let work = (0..tasks).map(|seed| tokio::spawn(work(ledger.clone(), ids.clone(), seed, list as usize, end)));
    let mut waits = Vec::new();
    for task in work.collect::<Vec<_>>() {
        waits.extend(task.await.expect("the task did not panic")?);
    }
    waits.sort_unstable();
    let at = |permille: usize| waits.get(waits.len() * permille / 1_000).copied().unwrap_or_default().as_secs_f64() * 1e3;
    let per_second = waits.len() as u64 * list / seconds;
    println!("{tasks} tasks of {list}: {per_second} transfers/s, p50 {:.2} ms, p99 {:.2} ms", at(500), at(990));
    Ok(())
}

async fn work(ledger: Ledger, ids: Vec<Id>, seed: u64, list: usize, end: Instant) -> Result<Vec<Duration>, Error> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    let mut waits = Vec::new();
    while Instant::now() < end {
        let mut transfer = || {
            let debit = random(ids.len());
            let credit = (debit + 1 + random(ids.len() - 1)) % ids.len();
            Transfer::between(ids[debit], ids[credit], 1).ledger(LEDGER)
        };
        let transfers: Vec<Transfer> = (0..list).map(|_| transfer()).collect();
        let begun = Instant::now();
        for outcome in ledger.transfers(transfers).await? {
            outcome.booked()?;
        }
        waits.push(begun.elapsed());
    }
    Ok(waits)
}
