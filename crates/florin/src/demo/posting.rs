//! The clients: they take payments in turn, post a few in one transaction, and try again elsewhere when a node does not answer.
//!
//! Idempotent by trace number: the payment's row has (file, batch, trace) as its primary key, so a payment that was posted by an
//! attempt whose answer was lost is refused with 23505 the second time, and counts as posted.

use super::payments::{FILE_NAME, Payment, Payments};
use std::ops::Range;
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
/// Share of the planned time over which payments are spread; the rest is for what faults held up.
const FLOW_SHARE: f64 = 0.95;
/// Most errors kept for the verdict.
const ERRORS_KEPT: usize = 50;

/// A node's SQL address and whether clients should use it.
pub struct Target {
    pub name: String,
    pub city: &'static str,
    pub zone: String,
    pub port: u16,
    /// Cleared while the node is drained, as a load balancer does on a failing health check.
    pub open: AtomicBool,
}

/// The nodes, and which of them clients go to first: the one that leads, as a load balancer finds it by its health checks.
pub struct Targets {
    list: Vec<Target>,
    pub preferred: AtomicUsize,
}

impl Targets {
    pub fn new(list: Vec<Target>) -> Targets {
        Targets { list, preferred: AtomicUsize::new(0) }
    }
}

impl std::ops::Deref for Targets {
    type Target = [Target];

    fn deref(&self) -> &[Target] {
        &self.list
    }
}

/// Where clients write down what happened.
pub struct Board {
    pub start: Instant,
    /// Payments flow evenly over this time, so that every fault meets some.
    seconds: u64,
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
    pub fn new(payments: usize, seconds: u64, start: Instant) -> Board {
        Board {
            start,
            seconds,
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

    fn acknowledge(&self, chunk: Range<usize>) {
        let mut commits = self.commits.lock().expect("no holder panics");
        let now = self.micros();
        for payment in chunk {
            self.done[payment].store(true, Ordering::Relaxed);
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
            commits.push(now);
        }
    }

    /// When a chunk is due.
    fn due(&self, chunk: usize, chunks: usize) -> Instant {
        let share = chunk as f64 / chunks.max(1) as f64;
        self.start + Duration::from_secs_f64(share * self.seconds as f64 * FLOW_SHARE)
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

/// One transaction for consecutive payments between the same two accounts.
fn statement(chunk: &[Payment]) -> String {
    let (debit, credit) = (quoted(&chunk[0].debit), quoted(&chunk[0].credit));
    let (sum, count) = (chunk.iter().map(|payment| payment.amount).sum::<i64>(), chunk.len());
    let row = |payment: &Payment| {
        format!("('{FILE_NAME}', {}, {}, {debit}, {credit}, {})", payment.batch, quoted(&payment.trace), payment.amount)
    };
    let rows: Vec<String> = chunk.iter().map(row).collect();
    format!(
        "BEGIN; INSERT INTO payments VALUES {}; \
         UPDATE accounts SET balance = balance - {sum}, postings = postings + {count} WHERE name = {debit}; \
         UPDATE accounts SET balance = balance + {sum}, postings = postings + {count} WHERE name = {credit}; COMMIT",
        rows.join(", ")
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
    let mut client = Poster { number, at: 0, preferred: usize::MAX, connection: None, board: &board, targets: &targets };
    loop {
        let next = board.next.fetch_add(1, Ordering::Relaxed);
        let Some(chunk) = payments.chunks.get(next) else { return };
        tokio::time::sleep_until(board.due(next, payments.chunks.len()).into()).await;
        let sql = statement(&payments.list[chunk.clone()]);
        if !client.post(&sql).await {
            return;
        }
        board.acknowledge(chunk.clone());
    }
}

struct Poster<'a> {
    number: usize,
    at: usize,
    /// Where clients were last sent to; `at` moves away from it when it does not answer.
    preferred: usize,
    connection: Option<Client>,
    board: &'a Board,
    targets: &'a Targets,
}

impl Poster<'_> {
    /// Tries until it is posted. False if the demo ends first.
    async fn post(&mut self, sql: &str) -> bool {
        while !self.board.stopped.load(Ordering::Relaxed) {
            self.follow();
            let Some(client) = &self.connection else {
                self.connect().await;
                continue;
            };
            match attempt(client, sql).await {
                Attempt::Posted => return true,
                Attempt::Again(reason) => self.failed(reason),
                Attempt::Lost(reason) => {
                    self.failed(reason);
                    self.move_on();
                }
            }
            tokio::time::sleep(Duration::from_millis(RETRY_MILLIS)).await;
        }
        false
    }

    /// Goes where clients are sent now, and away from a node that is being drained.
    fn follow(&mut self) {
        let preferred = self.targets.preferred.load(Ordering::Relaxed);
        if preferred != self.preferred {
            self.preferred = preferred;
            self.connection = None;
            self.at = preferred;
        }
        let is_open = |at: usize| self.targets[at].open.load(Ordering::Relaxed);
        if !is_open(self.at) {
            let city = self.targets[self.at].city;
            let near = (0..self.targets.len()).find(|at| is_open(*at) && self.targets[*at].city == city);
            self.connection = None;
            self.at = near.unwrap_or((self.at + 1) % self.targets.len());
        }
    }

    fn move_on(&mut self) {
        self.connection = None;
        self.at = (self.at + 1 + self.number % 2) % self.targets.len();
    }

    async fn connect(&mut self) {
        match connect(&self.targets[self.at]).await {
            Ok(client) => self.connection = Some(client),
            Err(reason) => {
                self.failed(reason);
                self.move_on();
                tokio::time::sleep(Duration::from_millis(RETRY_MILLIS)).await;
            }
        }
    }

    fn failed(&self, reason: String) {
        self.board.failed(format!("{}: {reason}", self.targets[self.at].name));
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
        let board = Board::new(4, 1, Instant::now());
        *board.commits.lock().expect("no holder panics") = vec![1_000, 2_000, 900_000, 901_000];
        assert_eq!(board.longest_gap(2_500, 10_000), Duration::from_micros(898_000));
        assert_eq!(board.longest_gap(900_500, 900_600), Duration::from_micros(1_000));
    }

    #[test]
    fn no_commit_after_a_fault_is_a_gap_to_the_end() {
        let board = Board::new(1, 1, Instant::now());
        *board.commits.lock().expect("no holder panics") = vec![1_000];
        assert_eq!(board.longest_gap(2_000, 5_000_000), Duration::from_micros(4_998_000));
    }
}
