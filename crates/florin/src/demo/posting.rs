//! The clients: they take payments in turn, post a few in one transaction, and try again elsewhere when a node does not answer.
//!
//! Idempotent by trace number: the payment's row has (file, batch, trace) as its primary key, so a payment that was posted by an
//! attempt whose answer was lost is refused with 23505 the second time, and counts as posted.

use super::board::Board;
use super::payments::{FILE_NAME, Payment, Payments};
use super::targets::{Target, Targets};
use std::sync::Arc;
use std::sync::atomic::Ordering;
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
/// When the leader is elsewhere, one client after the other follows it, this far apart, so that they do not all connect at once.
const FOLLOW_MILLIS: u64 = 4;

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

/// Connects to one node, or says soon why not.
pub async fn connect(target: &Target) -> Result<Client, String> {
    connect_within(target, Duration::from_millis(CONNECT_MILLIS_MAX)).await
}

pub async fn connect_within(target: &Target, bound: Duration) -> Result<Client, String> {
    let parameters = format!("host=127.0.0.1 port={} user=florin dbname=florin application_name=demo", target.port);
    let attempt = timeout(bound, tokio_postgres::connect(&parameters, NoTls));
    let (client, connection) = match attempt.await {
        Ok(Ok(pair)) => pair,
        Ok(Err(error)) => return Err(explain("connecting", &error)),
        Err(_) => return Err(format!("connecting: no answer within {} ms", bound.as_millis())),
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
    let mut client = Poster { number, attempt: 0, connection: None, follows: None, board: &board, targets: &targets };
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
    /// Counts attempts to reach a node since the last that went well.
    attempt: usize,
    /// To which node, and the connection.
    connection: Option<(usize, Client)>,
    /// The leader is elsewhere: since when this is known.
    follows: Option<Instant>,
    board: &'a Board,
    targets: &'a Targets,
}

impl Poster<'_> {
    /// Tries until it is posted. False if the demo ends first.
    async fn post(&mut self, sql: &str) -> bool {
        while !self.board.stopped.load(Ordering::Relaxed) {
            self.follow().await;
            let Some((at, client)) = &self.connection else {
                tokio::time::sleep(Duration::from_millis(RETRY_MILLIS)).await;
                continue;
            };
            let at = *at;
            let attempt = tokio::select! {
                attempt = attempt(client, sql) => attempt,
                () = self.targets[at].taken_out() => Attempt::Lost("the node does not answer its health checks".to_owned()),
            };
            match attempt {
                Attempt::Posted => {
                    self.targets[at].note_answer();
                    self.attempt = 0;
                    return true;
                }
                Attempt::Again(reason) => self.failed(at, &reason),
                Attempt::Lost(reason) => {
                    self.failed(at, &reason);
                    self.connection = None;
                    self.attempt += 1;
                }
            }
            tokio::time::sleep(Duration::from_millis(RETRY_MILLIS)).await;
        }
        false
    }

    /// Sees to it that there is a connection, to the best node: from one that is still good only in turn, and once the new one is there.
    async fn follow(&mut self) {
        // The node said that it ends, while nothing was under way.
        self.connection.take_if(|(_, client)| client.is_closed());
        let Some(best) = self.targets.best(self.attempt) else { return };
        if let Some((at, _)) = &self.connection
            && self.targets[*at].usable()
        {
            if *at == best || self.attempt > 0 {
                self.follows = None;
                return;
            }
            let since = *self.follows.get_or_insert_with(Instant::now);
            if since.elapsed() < Duration::from_millis(FOLLOW_MILLIS * self.number as u64) {
                return;
            }
        }
        match connect(&self.targets[best]).await {
            Ok(client) => {
                self.connection = Some((best, client));
                self.follows = None;
            }
            Err(reason) => {
                self.failed(best, &reason);
                self.attempt += 1;
            }
        }
    }

    fn failed(&self, at: usize, reason: &str) {
        self.board.failed(format!("{}: {reason}", self.targets[at].name));
    }
}

/// Waits for the clients to end the file, a bounded time longer than planned.
pub async fn finish(board: &Board, posters: &mut JoinSet<()>, seconds: u64) {
    let until = board.start + Duration::from_secs(seconds + OVERTIME_SECONDS);
    while tokio::time::timeout_at(until.into(), posters.join_next()).await.is_ok_and(|ended| ended.is_some()) {}
    board.stopped.store(true, Ordering::Relaxed);
    posters.shutdown().await;
}
