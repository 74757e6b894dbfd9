//! A short-lived SQL connection to a node, for the commands that ask or tell a running cluster something.

use base::{Error, Result, SqlState};
use florin_client::Options;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

#[derive(clap::Args)]
pub struct Connection {
    /// SQL address of any node of the cluster
    #[arg(long, default_value = "127.0.0.1:5433")]
    pub sql: String,
    /// Role to connect as
    #[arg(long, default_value = "florin")]
    pub user: String,
    /// File with the role's password
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<std::path::PathBuf>,
    /// The cluster's certificate authority (tls/ca.pem of any data directory): the node must prove that it belongs to it
    #[arg(long, value_name = "FILE")]
    pub ca: Option<std::path::PathBuf>,
}

/// Runs one statement and answers its rows, values as text.
///
/// # Errors
/// The node's own, or `08006` if it cannot be reached.
pub fn query(connection: &Connection, sql: &str) -> Result<Vec<SimpleQueryRow>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::internal(format!("the runtime could not be started: {error}")))?;
    runtime.block_on(ask(connection, sql))
}

/// The same where a runtime is there.
///
/// # Errors
/// As [`query`].
pub async fn ask(connection: &Connection, sql: &str) -> Result<Vec<SimpleQueryRow>> {
    let options = connection.options()?;
    let client = options.connect().await.map_err(with_password_hint)?;
    let answer = client.simple_query(sql).await.map_err(|error| florin_client::told(&error))?;
    let rows = answer.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    Ok(rows.collect())
}

impl Connection {
    /// # Errors
    /// If the address is none, or the password's file cannot be read.
    pub fn options(&self) -> Result<Options> {
        let mut options = Options::of_address(&self.sql, &self.user).map_err(|error| error.told())?.application_name("florin");
        if let Some(file) = &self.password_file {
            let password = std::fs::read_to_string(file)
                .map_err(|error| Error::new(SqlState::IO_ERROR, format!("{} could not be read: {error}", file.display())))?;
            options = options.password(password.trim_end_matches(['\r', '\n']));
        }
        if let Some(ca) = &self.ca {
            options = options.ca(ca);
        }
        Ok(options)
    }
}

/// How a command is told a password.
pub fn with_password_hint(error: Error) -> Error {
    if error.state() == SqlState::INVALID_PASSWORD && error.hint().is_none() {
        return error.with_hint("put it into a file that only you can read, and name the file with --password-file");
    }
    error
}
