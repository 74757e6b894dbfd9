//! The clients: they take payments in turn, post each in one transaction, and try again elsewhere when a node does not answer.
//!
//! Idempotent by trace number: the payment's row has (file, batch, trace) as its primary key, so a payment that was posted by an
//! attempt whose answer was lost is refused with 23505 the second time, and counts as posted.

use super::payments::{FILE_NAME, Payment, Payments};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls, error::SqlState};

/// A client gives up on a node that has not answered for so long, and goes to the next.
const ANSWER_MILLIS_MAX: u64 = 1_200;
const CONNECT_MILLIS_MAX: u64 = 400;
/// Between two attempts, so that a cluster without a leader is not flooded.
const RETRY_MILLIS: u64 = 15;
/// How long after the planned time the rest of the file may take before the demo stops waiting.
const OVERTIME_SECONDS: u64 = 45;
/// Most errors kept for the verdict.
const ERRORS_KEPT: usize = 50;

/// A node's SQL address and whether clients should use it.
pub struct Target {
    pub name: String,
    pub zone: String,
    pub port: u16,
    /// Cleared while the node is drained, as a load balancer does on a failing health check.
    pub open: AtomicBool,
}

pub type Targets = Vec<Target>;

/// Where clients write down what happened.
pub struct Board {
    pub start: Instant,
    next: AtomicUsize,
    pub acknowledged: AtomicUsize,
    /// Microseconds from the start, one for each commit, in the order of the acknowledgements.
    commits: Mutex<Vec<u64>>,
    /// By payment: acknowledged or not.
    done: Vec<AtomicBool>,
    /// Attempts that failed and were made again, with the moment (microseconds) and the reason.
    failures: Mutex<Vec<(u64, String)>>,
    pub retries: AtomicU64,
    stopped: AtomicBool,
}

impl Board {
    pub fn new(payments: usize, start: Instant) -> Board {
        Board {
            start,
            next: AtomicUsize::new(0),
            acknowledged: AtomicUsize::new(0),
            commits: Mutex::new(Vec::with_capacity(payments)),
            done: (0..payments).map(|_| AtomicBool::new(false)).collect(),
            failures: Mutex::new(Vec::new()),
            retries: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    pub fn micros(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    fn acknowledge(&self, payment: usize) {
        self.done[payment].store(true, Ordering::Relaxed);
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        let mut commits = self.commits.lock().expect("no holder panics");
        commits.push(self.micros());
    }

    fn failed(&self, reason: String) {
        self.retries.fetch_add(1, Ordering::Relaxed);
        let mut failures = self.failures.lock().expect("no holder panics");
        if failures.len() < ERRORS_KEPT * 100 {
            failures.push((self.micros(), reason));
        }
    }

    pub fn is_acknowledged(&self, payment: usize) -> bool {
        self.done[payment].load(Ordering::Relaxed)
    }

    /// The longest time without a commit between two moments (microseconds from the start), counting the one that ends it.
    pub fn longest_gap(&self, from: u64, to: u64) -> Duration {
        let commits = self.commits.lock().expect("no holder panics");
        let first = commits.partition_point(|at| *at < from).saturating_sub(1);
        let mut longest = 0;
        for pair in commits[first.min(commits.len())..].windows(2) {
            if pair[0] > to {
                break;
            }
            longest = longest.max(pair[1] - pair[0]);
        }
        let last = commits.last().copied().unwrap_or(0);
        if last < to {
            longest = longest.max(to - last.max(from));
        }
        Duration::from_micros(longest)
    }

    /// Microseconds from the start of the newest acknowledgement.
    pub fn last_commit(&self) -> u64 {
        self.commits.lock().expect("no holder panics").last().copied().unwrap_or(0)
    }

    pub fn failures_between(&self, from: u64, to: u64) -> Vec<String> {
        let failures = self.failures.lock().expect("no holder panics");
        failures.iter().filter(|(at, _)| (from..=to).contains(at)).map(|(_, reason)| reason.clone()).collect()
    }

    /// Commits in the last whole seconds, oldest first.
    pub fn rates(&self, seconds: usize) -> Vec<usize> {
        let commits = self.commits.lock().expect("no holder panics");
        let now = self.micros();
        let mut rates = vec![0; seconds];
        for at in commits.iter().rev() {
            let age = (now - at) / 1_000_000;
            if age >= seconds as u64 {
                break;
            }
            rates[seconds - 1 - age as usize] += 1;
        }
        rates
    }
}

/// Makes the tables and the accounts.
pub async fn prepare(targets: &Targets, payments: &Payments) -> Result<(), String> {
    let client = connect(&targets[0]).await?;
    let schema = "CREATE TABLE accounts (name text PRIMARY KEY, balance bigint NOT NULL, postings bigint NOT NULL);
         CREATE TABLE payments (file text, batch int, trace text, debit text NOT NULL, credit text NOT NULL,
             amount bigint NOT NULL CHECK (amount >= 0), PRIMARY KEY (file, batch, trace));";
    client.batch_execute(schema).await.map_err(|error| explain("making the tables", &error))?;
    for account in &payments.accounts {
        let insert = format!("INSERT INTO accounts VALUES ({}, 0, 0)", quoted(account));
        client.batch_execute(&insert).await.map_err(|error| explain("making the accounts", &error))?;
    }
    Ok(())
}

pub fn explain(doing: &str, error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(answer) => format!("{doing}: {} (SQLSTATE {})", answer.message(), answer.code().code()),
        None => format!("{doing}: {error}"),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Connects to one node, or says within the bound why not.
pub async fn connect(target: &Target) -> Result<Client, String> {
    let parameters = format!("host=127.0.0.1 port={} user=florin dbname=florin application_name=demo", target.port);
    let attempt = timeout(Duration::from_millis(CONNECT_MILLIS_MAX), tokio_postgres::connect(&parameters, NoTls));
    let (client, connection) = match attempt.await {
        Ok(Ok(pair)) => pair,
        Ok(Err(error)) => return Err(explain("connecting", &error)),
        Err(_) => return Err(format!("connecting: no answer within {CONNECT_MILLIS_MAX} ms")),
    };
    tokio::spawn(async move {
        // Its error reaches the client's own call; there is nothing to do here with the same one.
        let _ = connection.await;
    });
    Ok(client)
}

fn statement(payment: &Payment) -> String {
    let Payment { batch, trace, debit, credit, amount } = payment;
    let (debit, credit, trace) = (quoted(debit), quoted(credit), quoted(trace));
    format!(
        "BEGIN; INSERT INTO payments VALUES ('{FILE_NAME}', {batch}, {trace}, {debit}, {credit}, {amount}); \
         UPDATE accounts SET balance = balance - {amount}, postings = postings + 1 WHERE name = {debit}; \
         UPDATE accounts SET balance = balance + {amount}, postings = postings + 1 WHERE name = {credit}; COMMIT"
    )
}

enum Attempt {
    Posted,
    /// Nothing is known; the connection is of no more use.
    Lost(String),
    /// Refused without effect; the connection is good.
    Again(String),
}

async fn attempt(client: &Client, sql: &str) -> Attempt {
    match timeout(Duration::from_millis(ANSWER_MILLIS_MAX), client.batch_execute(sql)).await {
        Ok(Ok(())) => Attempt::Posted,
        Err(_) => Attempt::Lost(format!("no answer within {ANSWER_MILLIS_MAX} ms")),
        Ok(Err(error)) => match error.code() {
            Some(&SqlState::UNIQUE_VIOLATION) => match client.batch_execute("ROLLBACK").await {
                Ok(()) => Attempt::Posted,
                Err(error) => Attempt::Lost(explain("rolling back", &error)),
            },
            Some(_) => match client.batch_execute("ROLLBACK").await {
                Ok(()) => Attempt::Again(explain("posting", &error)),
                Err(_) => Attempt::Lost(explain("posting", &error)),
            },
            None => Attempt::Lost(explain("posting", &error)),
        },
    }
}

/// One client: posts payments until there are none left.
pub async fn post_all(number: usize, payments: Arc<Payments>, board: Arc<Board>, targets: Arc<Targets>) {
    let mut at = number % targets.len();
    let mut connection: Option<Client> = None;
    loop {
        let index = board.next.fetch_add(1, Ordering::Relaxed);
        let Some(payment) = payments.list.get(index) else { return };
        let sql = statement(payment);
        loop {
            if board.stopped.load(Ordering::Relaxed) {
                return;
            }
            if !targets[at].open.load(Ordering::Relaxed) {
                connection = None;
                at = (at + 1) % targets.len();
                continue;
            }
            let client = match &connection {
                Some(client) => client,
                None => match connect(&targets[at]).await {
                    Ok(client) => connection.insert(client),
                    Err(reason) => {
                        board.failed(format!("{}: {reason}", targets[at].name));
                        at = (at + 1) % targets.len();
                        tokio::time::sleep(Duration::from_millis(RETRY_MILLIS)).await;
                        continue;
                    }
                },
            };
            match attempt(client, &sql).await {
                Attempt::Posted => {
                    board.acknowledge(index);
                    break;
                }
                Attempt::Again(reason) => board.failed(format!("{}: {reason}", targets[at].name)),
                Attempt::Lost(reason) => {
                    board.failed(format!("{}: {reason}", targets[at].name));
                    connection = None;
                    at = (at + 1) % targets.len();
                }
            }
            tokio::time::sleep(Duration::from_millis(RETRY_MILLIS)).await;
        }
    }
}

/// Waits for the clients to end the file, a bounded time longer than planned.
pub async fn finish(board: &Board, posters: &mut JoinSet<()>, seconds: u64) {
    let until = board.start + Duration::from_secs(seconds + OVERTIME_SECONDS);
    while tokio::time::timeout_at(until.into(), posters.join_next()).await.is_ok_and(|ended| ended.is_some()) {}
    board.stopped.store(true, Ordering::Relaxed);
    posters.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_counts_the_commit_before_and_after_a_fault() {
        let board = Board::new(4, Instant::now());
        *board.commits.lock().expect("no holder panics") = vec![1_000, 2_000, 900_000, 901_000];
        assert_eq!(board.longest_gap(2_500, 10_000), Duration::from_micros(898_000));
        assert_eq!(board.longest_gap(900_500, 900_600), Duration::from_micros(1_000));
    }

    #[test]
    fn no_commit_after_a_fault_is_a_gap_to_the_end() {
        let board = Board::new(1, Instant::now());
        *board.commits.lock().expect("no holder panics") = vec![1_000];
        assert_eq!(board.longest_gap(2_000, 5_000_000), Duration::from_micros(4_998_000));
    }
}
