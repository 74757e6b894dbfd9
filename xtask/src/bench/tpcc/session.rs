//! A terminal's connection: statements prepared once, transactions, and which failures may be tried again.

use std::collections::BTreeMap;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement, Transaction};

pub type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Why a transaction did not come to its end.
#[derive(Debug)]
pub enum Trouble {
    /// Nothing was done, and the same again may succeed: a serialization failure or a deadlock.
    Again(String),
    Broken(String),
}

/// SQLSTATE of a transaction of which nobody knows whether it was committed: it must not be done again.
const OUTCOME_UNKNOWN: &str = "40003";

/// Whether this SQLSTATE says that nothing was done and that the same again may succeed.
pub fn is_again(code: &str) -> bool {
    code.starts_with("40") && code != OUTCOME_UNKNOWN
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Trouble {
        let code = error.code().map_or("", tokio_postgres::error::SqlState::code);
        let said = error.as_db_error().map_or_else(|| error.to_string(), |said| format!("{} ({code})", said.message()));
        if is_again(code) { Trouble::Again(said) } else { Trouble::Broken(said) }
    }
}

pub struct Session {
    client: Client,
    statements: BTreeMap<&'static str, Statement>,
}

impl Session {
    /// Connects and prepares these statements.
    pub async fn open(port: u16, user: &str, statements: impl Iterator<Item = &'static str>) -> Result<Session, String> {
        let parameters = format!("host=127.0.0.1 port={port} user={user} dbname={user}");
        let (client, connection) = tokio_postgres::connect(&parameters, NoTls).await.map_err(|error| format!("connect: {error}"))?;
        // It ends with the client, and what goes wrong in it is told to whoever waits for an answer.
        tokio::spawn(connection);
        let mut session = Session { client, statements: BTreeMap::new() };
        for sql in statements {
            match session.client.prepare(sql).await {
                Ok(statement) => drop(session.statements.insert(sql, statement)),
                Err(error) => return Err(format!("{sql}: {:?}", Trouble::from(error))),
            }
        }
        Ok(session)
    }

    pub async fn begin(&mut self) -> Result<Work<'_>, Trouble> {
        Ok(Work { transaction: self.client.transaction().await?, statements: &self.statements })
    }
}

/// A transaction that is open.
pub struct Work<'a> {
    transaction: Transaction<'a>,
    statements: &'a BTreeMap<&'static str, Statement>,
}

impl Work<'_> {
    fn statement(&self, sql: &str) -> Result<&Statement, Trouble> {
        self.statements.get(sql).ok_or_else(|| Trouble::Broken(format!("not prepared: {sql}")))
    }

    pub async fn rows(&self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Trouble> {
        let outcome = self.transaction.query(self.statement(sql)?, parameters).await;
        outcome.map_err(|error| within(sql, error.into()))
    }

    /// The first row, of which there must be one.
    pub async fn row(&self, sql: &str, parameters: Parameters<'_>) -> Result<Row, Trouble> {
        let rows = self.rows(sql, parameters).await?;
        rows.into_iter().next().ok_or_else(|| Trouble::Broken(format!("no row: {sql} {parameters:?}")))
    }

    /// Changes rows, as many as are expected.
    pub async fn change(&self, sql: &str, parameters: Parameters<'_>, expected: u64) -> Result<(), Trouble> {
        let outcome = self.transaction.execute(self.statement(sql)?, parameters).await;
        let rows = outcome.map_err(|error| within(sql, error.into()))?;
        if rows == expected { Ok(()) } else { Err(Trouble::Broken(format!("{rows} rows instead of {expected}: {sql} {parameters:?}"))) }
    }

    pub async fn commit(self) -> Result<(), Trouble> {
        self.transaction.commit().await.map_err(|error| within("COMMIT", error.into()))
    }

    pub async fn rollback(self) -> Result<(), Trouble> {
        self.transaction.rollback().await.map_err(|error| within("ROLLBACK", error.into()))
    }
}

fn within(sql: &str, trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Broken(said) => Trouble::Broken(format!("{said}: {sql}")),
        again @ Trouble::Again(_) => again,
    }
}
