//! More than the cluster can carry: twice the work that it does at its best, from ten times the clients, and from more than may connect.
//!
//! The work is pgbench's TPC-B-like transaction, prepared. At the peak each client asks again as soon as it is answered. Above it transactions arrive at
//! twice the peak's rate whatever the server does, and go to the first client that is free; who finds none waits in a queue of the bench, which drops what is
//! too late. So all clients always have work, and times count from the moment a client sends its first statement.

use super::{Options, florin, median, percentile, pgbench, process};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio_postgres::{NoTls, Statement};

/// Clients at the peak.
const CLIENTS: usize = 16;
const CLIENTS_OVER: usize = 10 * CLIENTS;
/// Above the thousand that a node takes, if it is not told otherwise.
const CLIENTS_FLOOD: usize = 1_100;
/// The load above the peak.
const TIMES_PEAK: f64 = 2.0;
/// Arrivals that wait for a free client, in seconds of their rate; more are dropped.
const WAITING_SECONDS: f64 = 1.0;
const ARRIVAL_TICK: Duration = Duration::from_millis(5);
/// As pgbench's jobs.
const THREADS: usize = 2;
/// Connections that are made at the same time.
const CONNECTING: usize = 32;
const CONNECT_SECONDS_MAX: u64 = 60;
/// A client without an answer for so long after the end is an error.
const LATE_SECONDS_MAX: u64 = 60;
const TELLERS: u64 = 10;
const ACCOUNTS: u64 = 100_000;

const STATEMENTS: [&str; 5] = [
    "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2",
    "SELECT abalance FROM pgbench_accounts WHERE aid = $1",
    "UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2",
    "UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2",
    "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)",
];

/// One phase of one round.
pub struct Outcome {
    pub tps: f64,
    /// In milliseconds.
    pub latencies: Vec<f64>,
    /// Arrivals that no client was free for in time.
    dropped: u64,
    /// Of all nodes, for one transaction.
    cpu_ms: f64,
    resident_mib: Vec<f64>,
    pub errors: BTreeMap<String, u64>,
}

#[derive(Default)]
struct Tally {
    latencies: Vec<f64>,
    errors: BTreeMap<String, u64>,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.latencies.extend(other.latencies);
        for (state, count) in other.errors {
            *self.errors.entry(state).or_default() += count;
        }
    }

    fn failed(&mut self, error: &tokio_postgres::Error) {
        let state = error.code().map_or("no answer", |state| state.code());
        *self.errors.entry(state.to_owned()).or_default() += 1;
    }
}

/// # Errors
/// What could not be started or run.
pub fn measure(program: &Path, directory: &Path, options: &Options) -> Result<String, String> {
    let cluster = florin::Cluster::start(program, directory, 3)?;
    pgbench::load(cluster.port(), "florin", options.scale)?;
    // The peak of each round is what the others of the round are compared with.
    let mut phases = [(CLIENTS, Vec::new()), (CLIENTS_OVER, Vec::new()), (CLIENTS_FLOOD, Vec::new())];
    let mut rates = Vec::new();
    for _ in 0..options.rounds {
        let mut rate = None;
        for (clients, outcomes) in &mut phases {
            let outcome = run(&cluster, *clients, rate, options)?;
            rate = rate.or(Some(outcome.tps * TIMES_PEAK));
            outcomes.push(outcome);
        }
        rates.extend(rate);
    }
    let mut text =
        "| overload | arriving/s | tps | of the peak (rounds) | latency ms: p50 / p99 / max | CPU ms each | resident MiB | errors |\n"
            .to_owned();
    text.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    let peaks: Vec<f64> = phases[0].1.iter().map(|outcome| outcome.tps).collect();
    for (clients, outcomes) in &phases {
        let arriving = if *clients == CLIENTS { "as answered".to_owned() } else { format!("{:.0}", median(rates.clone())) };
        text.push_str(&format!("| {clients} clients | {arriving} | {} |\n", line(outcomes, &peaks)));
    }
    let peak_memory: Vec<String> = cluster.memory_peak().iter().map(|mib| format!("{mib:.0}")).collect();
    text.push_str(&format!("\nPeak memory of the nodes, the load of the tables included: {} MiB.\n", peak_memory.join(", ")));
    Ok(text)
}

/// The cells of one phase, from its rounds.
fn line(outcomes: &[Outcome], peaks: &[f64]) -> String {
    let tps = median(outcomes.iter().map(|outcome| outcome.tps).collect());
    let shares: Vec<f64> = outcomes.iter().zip(peaks).map(|(outcome, peak)| outcome.tps / peak.max(1.0)).collect();
    let (low, high) = shares.iter().fold((f64::MAX, 0.0f64), |(low, high), share| (low.min(*share), high.max(*share)));
    let mut latencies: Vec<f64> = outcomes.iter().flat_map(|outcome| outcome.latencies.iter().copied()).collect();
    latencies.sort_by(f64::total_cmp);
    let ms = |share| percentile(&latencies, share);
    let last = outcomes.last().map(|outcome| outcome.resident_mib.as_slice()).unwrap_or_default();
    let resident: Vec<String> = last.iter().map(|mib| format!("{mib:.0}")).collect();
    let mut errors = BTreeMap::new();
    for (state, count) in outcomes.iter().flat_map(|outcome| &outcome.errors) {
        *errors.entry(state.as_str()).or_insert(0) += count;
    }
    let mut told: Vec<String> = errors.iter().map(|(state, count)| format!("{count} × {state}")).collect();
    let dropped: u64 = outcomes.iter().map(|outcome| outcome.dropped).sum();
    if dropped > 0 {
        told.push(format!("{dropped} never sent"));
    }
    let told = if told.is_empty() { "none".to_owned() } else { told.join(", ") };
    format!(
        "{tps:.0} | {:.2} ({low:.2}–{high:.2}) | {:.0} / {:.0} / {:.0} | {:.3} | {} | {told}",
        median(shares),
        ms(0.5),
        ms(0.99),
        ms(1.0),
        median(outcomes.iter().map(|outcome| outcome.cpu_ms).collect()),
        resident.join(", ")
    )
}

/// Arrivals that wait for a client; without them each client goes on as soon as it is answered.
struct Arrivals {
    rate: f64,
    waiting: Semaphore,
    dropped: AtomicU64,
}

impl Arrivals {
    async fn come(&self, end: Instant) {
        let start = Instant::now();
        let mut come = 0;
        while Instant::now() < end {
            tokio::time::sleep(ARRIVAL_TICK).await;
            let due = (start.elapsed().as_secs_f64() * self.rate) as usize;
            let room = ((self.rate * WAITING_SECONDS) as usize).saturating_sub(self.waiting.available_permits());
            let arrived = due - come;
            self.waiting.add_permits(arrived.min(room));
            self.dropped.fetch_add(arrived.saturating_sub(room) as u64, Ordering::Relaxed);
            come = due;
        }
    }

    /// False: the end came first.
    async fn next(&self, end: Instant) -> bool {
        match tokio::time::timeout_at(end.into(), self.waiting.acquire()).await {
            Ok(Ok(permit)) => {
                permit.forget();
                true
            }
            _ => false,
        }
    }
}

/// The transaction from so many clients for `options.seconds`: as soon as each is answered, or with `rate` arrivals a second.
///
/// # Errors
/// What keeps the load from running; transactions that fail are told in the outcome.
pub fn run(cluster: &florin::Cluster, clients: usize, rate: Option<f64>, options: &Options) -> Result<Outcome, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    let (port, scale, seconds) = (cluster.port(), u64::from(options.scale), options.seconds);
    runtime.map_err(|error| format!("runtime: {error}"))?.block_on(async {
        let (connected, mut tally) = connect_all(port, clients).await?;
        let cpu = || cluster.cpu_seconds().iter().sum::<f64>();
        let (end, before) = (Instant::now() + Duration::from_secs(seconds), cpu());
        let arrivals = rate.map(|rate| Arc::new(Arrivals { rate, waiting: Semaphore::new(0), dropped: AtomicU64::new(0) }));
        let coming = arrivals.clone().map(|arrivals| tokio::spawn(async move { arrivals.come(end).await }));
        let start = |(at, client)| tokio::spawn(work(client, at as u64, scale, arrivals.clone(), end));
        let working: Vec<_> = connected.into_iter().enumerate().map(start).collect();
        tokio::time::sleep_until(end.into()).await;
        let spent = cpu() - before;
        let resident_mib = cluster.pids().into_iter().map(process::resident_mib).collect();
        let bound = tokio::time::Instant::now() + Duration::from_secs(LATE_SECONDS_MAX);
        for client in working {
            let ended = tokio::time::timeout_at(bound, client).await.map_err(|_| format!("no answer for {LATE_SECONDS_MAX} s"))?;
            tally.add(ended.map_err(|error| format!("a client panicked: {error}"))?);
        }
        if let Some(coming) = coming {
            coming.await.map_err(|error| format!("the arrivals panicked: {error}"))?;
        }
        let dropped = arrivals.map_or(0, |arrivals| arrivals.dropped.load(Ordering::Relaxed));
        let done = tally.latencies.len() as f64;
        let (tps, cpu_ms) = (done / seconds as f64, spent * 1000.0 / done.max(1.0));
        Ok(Outcome { tps, latencies: tally.latencies, dropped, cpu_ms, resident_mib, errors: tally.errors })
    })
}

struct Client {
    connection: tokio_postgres::Client,
    statements: Vec<Statement>,
}

/// All that may connect, and why others may not.
async fn connect_all(port: u16, clients: usize) -> Result<(Vec<Client>, Tally), String> {
    let turns = Arc::new(Semaphore::new(CONNECTING));
    let connecting: Vec<_> = (0..clients)
        .map(|_| {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move {
                let _turn = turns.acquire().await;
                connect(port).await
            })
        })
        .collect();
    let (mut connected, mut tally) = (Vec::new(), Tally::default());
    let bound = tokio::time::Instant::now() + Duration::from_secs(CONNECT_SECONDS_MAX);
    for client in connecting {
        let client = tokio::time::timeout_at(bound, client).await.map_err(|_| format!("not connected after {CONNECT_SECONDS_MAX} s"))?;
        match client.map_err(|error| format!("a client panicked: {error}"))? {
            Ok(client) => connected.push(client),
            Err(error) => tally.failed(&error),
        }
    }
    Ok((connected, tally))
}

async fn connect(port: u16) -> Result<Client, tokio_postgres::Error> {
    let parameters = format!("host=127.0.0.1 port={port} user=florin dbname=florin sslmode=disable");
    let (connection, driver) = tokio_postgres::connect(&parameters, NoTls).await?;
    tokio::spawn(driver);
    let mut statements = Vec::new();
    for sql in STATEMENTS {
        statements.push(connection.prepare(sql).await?);
    }
    Ok(Client { connection, statements })
}

async fn work(client: Client, number: u64, scale: u64, arrivals: Option<Arc<Arrivals>>, end: Instant) -> Tally {
    let mut tally = Tally::default();
    let mut seed = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    while Instant::now() < end {
        if let Some(arrivals) = &arrivals
            && !arrivals.next(end).await
        {
            break;
        }
        let begin = Instant::now();
        match client.transfer(&mut seed, scale).await {
            // What ends late is not counted.
            Ok(()) if Instant::now() < end => tally.latencies.push(begin.elapsed().as_secs_f64() * 1000.0),
            Ok(()) => {}
            Err(error) => {
                tally.failed(&error);
                if client.connection.batch_execute("ROLLBACK").await.is_err() {
                    break;
                }
            }
        }
    }
    tally
}

impl Client {
    async fn transfer(&self, seed: &mut u64, scale: u64) -> Result<(), tokio_postgres::Error> {
        let [account, balance, teller, branch, history] = [0, 1, 2, 3, 4].map(|at| &self.statements[at]);
        let aid = below(seed, ACCOUNTS * scale) + 1;
        let (tid, bid) = (below(seed, TELLERS * scale) + 1, below(seed, scale) + 1);
        let delta = below(seed, 10_000) - 5_000;
        self.connection.batch_execute("BEGIN").await?;
        self.connection.execute(account, &[&delta, &aid]).await?;
        self.connection.query(balance, &[&aid]).await?;
        self.connection.execute(teller, &[&delta, &tid]).await?;
        self.connection.execute(branch, &[&delta, &bid]).await?;
        self.connection.execute(history, &[&tid, &bid, &aid, &delta]).await?;
        self.connection.batch_execute("COMMIT").await
    }
}

/// Marsaglia's xorshift.
fn below(seed: &mut u64, bound: u64) -> i32 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    i32::try_from(*seed % bound).expect("tables have fewer rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(tps: f64, errors: &[(&str, u64)]) -> Outcome {
        let errors = errors.iter().map(|(state, count)| ((*state).to_owned(), *count)).collect();
        Outcome { tps, latencies: vec![2.0; 3], dropped: 7, cpu_ms: 0.5, resident_mib: vec![10.0, 5.0], errors }
    }

    #[test]
    fn a_phase_is_told_beside_its_peak() {
        let told = line(&[outcome(90.0, &[("53300", 2)]), outcome(110.0, &[("53300", 1), ("40001", 1)])], &[100.0, 100.0]);
        assert_eq!(told, "100 | 1.00 (0.90–1.10) | 2 / 2 / 2 | 0.500 | 10, 5 | 1 × 40001, 3 × 53300, 14 never sent");
    }

    #[tokio::test]
    async fn arrivals_beyond_what_may_wait_are_dropped() {
        let arrivals = Arrivals { rate: 1_000.0, waiting: Semaphore::new(1_000), dropped: AtomicU64::new(0) };
        arrivals.come(Instant::now() + Duration::from_millis(20)).await;
        assert_eq!(arrivals.waiting.available_permits(), 1_000);
        assert!(arrivals.dropped.load(Ordering::Relaxed) >= 20);
        assert!(arrivals.next(Instant::now() + Duration::from_secs(1)).await);
    }
}
