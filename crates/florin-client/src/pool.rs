//! Connections, and requests that are sent again until they have an answer or the time is up.

use crate::error::{Error, Result, told};
use crate::options::Options;
use crate::retry::{Pauses, Verdict, verdict};
use base::{Error as Told, SqlState};
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

/// Longest wait for one answer: longer than a node itself waits for an outcome before it says that it is unknown.
const ANSWER_MAX: Duration = Duration::from_secs(35);

pub type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// One statement with its parameters.
pub struct Statement<'a> {
    pub sql: &'a str,
    pub parameters: &'a [Parameter<'a>],
}

/// What came of statements, and after how many tries.
pub struct Failed {
    pub error: Error,
    /// Which statement was answered with the error.
    pub statement: usize,
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Error {
        failed.error
    }
}

pub struct Pool {
    options: Options,
    idle: Mutex<Vec<Client>>,
    permits: Arc<Semaphore>,
}

/// A connection that is in use. Dropped without [`Lent::give_back`] it is closed: its state is not known.
struct Lent {
    client: Client,
    _permit: OwnedSemaphorePermit,
}

/// Why a try failed.
struct Trouble {
    told: Told,
    verdict: Verdict,
    statement: usize,
}

impl Pool {
    pub fn new(options: Options, connections: usize) -> Pool {
        Pool { options, idle: Mutex::new(Vec::new()), permits: Arc::new(Semaphore::new(connections)) }
    }

    /// Runs one statement, by itself a transaction; it is sent again while that can help.
    ///
    /// # Errors
    /// [`Error::Database`] if the node says no, [`Error::Unreachable`] or [`Error::OutcomeUnknown`] if the time is up.
    pub async fn ask(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>> {
        let statement = Statement { sql, parameters };
        let mut answers = self.run(std::slice::from_ref(&statement)).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Runs statements, several of them as one transaction; they are sent again while that can help.
    ///
    /// # Errors
    /// As [`Pool::ask`].
    pub async fn run(&self, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>, Failed> {
        let begun = Instant::now();
        let mut pauses = Pauses::default();
        let mut may_be_done = false;
        loop {
            let trouble = match self.once(statements).await {
                Ok(answers) => return Ok(answers),
                Err(trouble) => trouble,
            };
            let Trouble { told, verdict, statement } = trouble;
            if verdict == Verdict::Final {
                return Err(Failed { error: Error::Database(told), statement });
            }
            may_be_done |= verdict == Verdict::Unknown;
            let Some(pause) = pauses.next(begun.elapsed(), self.options.give_up_after, random()) else {
                return Err(Failed { error: given_up(told, verdict, may_be_done, pauses.tries(), begun.elapsed()), statement });
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn once(&self, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>, Trouble> {
        let mut lent = self.lend().await.map_err(|told| Trouble { verdict: verdict(told.state(), false), told, statement: 0 })?;
        let answer = tokio::time::timeout(ANSWER_MAX, send(&mut lent.client, statements)).await;
        match answer {
            Ok(Ok(answers)) => {
                self.give_back(lent);
                Ok(answers)
            }
            Ok(Err((error, statement))) => {
                let told = told(&error);
                let verdict = verdict(told.state(), true);
                // A statement by itself leaves nothing open; a transaction that failed is rolled back by closing its connection.
                if matches!(verdict, Verdict::Again | Verdict::Final) && statements.len() == 1 {
                    self.give_back(lent);
                }
                Err(Trouble { told, verdict, statement })
            }
            Err(_) => {
                let message = format!("no answer from {} for {} s", self.options.shown(), ANSWER_MAX.as_secs());
                Err(Trouble { told: Told::new(SqlState::CONNECTION_FAILURE, message), verdict: Verdict::Unknown, statement: 0 })
            }
        }
    }

    async fn lend(&self) -> Result<Lent, Told> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("nobody closes it");
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(client) = idle() {
            if !client.is_closed() {
                return Ok(Lent { client, _permit: permit });
            }
        }
        Ok(Lent { client: self.options.connect().await?, _permit: permit })
    }

    fn give_back(&self, lent: Lent) {
        if !lent.client.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(lent.client);
        }
    }
}

/// # Errors
/// The driver's, with the number of the statement.
async fn send(client: &mut Client, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>, (tokio_postgres::Error, usize)> {
    if let [only] = statements {
        return Ok(vec![client.query_typed(only.sql, only.parameters).await.map_err(|error| (error, 0))?]);
    }
    let transaction = client.transaction().await.map_err(|error| (error, 0))?;
    let mut answers = Vec::with_capacity(statements.len());
    for (index, statement) in statements.iter().enumerate() {
        answers.push(transaction.query_typed(statement.sql, statement.parameters).await.map_err(|error| (error, index))?);
    }
    transaction.commit().await.map_err(|error| (error, statements.len().saturating_sub(1)))?;
    Ok(answers)
}

fn given_up(told: Told, last: Verdict, may_be_done: bool, tries: u32, elapsed: Duration) -> Error {
    let told = Told::new(told.state(), format!("given up after {tries} tries in {:.1} s: {}", elapsed.as_secs_f64(), told.message()));
    match (may_be_done, last) {
        (true, _) => Error::OutcomeUnknown(told.with_hint("send it again with the same id: it is booked once at most")),
        (false, Verdict::Again) => Error::Database(told),
        (false, _) => {
            Error::Unreachable(told.with_hint("is the node running, and is this its SQL address? See `florin start --sql-listen`"))
        }
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("the operating system gives random bytes");
    u64::from_le_bytes(bytes)
}
