//! A short-lived SQL connection to a node, for the commands that ask or tell a running cluster something.

use super::tls::Tls;
use base::{Error, Result, SqlState};
use tokio_postgres::config::SslMode;
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
    runtime.block_on(run(connection, sql))
}

async fn run(connection: &Connection, sql: &str) -> Result<Vec<SimpleQueryRow>> {
    let (host, port) = connection
        .sql
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host.trim_matches(['[', ']']), port.parse::<u16>().ok()?)))
        .ok_or_else(|| Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("{:?} is no address: write host:port", connection.sql)))?;
    let mut config = tokio_postgres::Config::new();
    config.host(host).port(port).user(&connection.user).dbname("florin").application_name("florin");
    if let Some(file) = &connection.password_file {
        let password = std::fs::read_to_string(file)
            .map_err(|error| Error::new(SqlState::IO_ERROR, format!("{} could not be read: {error}", file.display())))?;
        config.password(password.trim_end_matches(['\r', '\n']));
    }
    // What stays on the machine need not be encrypted.
    let local = host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    config.ssl_mode(if local && connection.ca.is_none() { SslMode::Disable } else { SslMode::Require });
    let (client, driver) =
        config.connect(Tls::new(connection.ca.as_deref())?).await.map_err(|error| from_client(&error, &connection.sql))?;
    let driver = tokio::spawn(driver);
    let answer = client.simple_query(sql).await.map_err(|error| from_client(&error, &connection.sql));
    drop(client);
    // The connection's own end says nothing that the answer did not.
    driver.abort();
    let rows = answer?.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    Ok(rows.collect())
}

fn from_client(error: &tokio_postgres::Error, address: &str) -> Error {
    match error.as_db_error() {
        Some(told) => {
            let state = told.code().code().as_bytes().try_into().map_or(SqlState::INTERNAL_ERROR, SqlState);
            let mut converted = Error::new(state, told.message());
            if let Some(detail) = told.detail() {
                converted = converted.with_detail(detail);
            }
            if let Some(hint) = told.hint() {
                converted = converted.with_hint(hint);
            }
            converted
        }
        // The driver says so only in the error's cause.
        None if std::error::Error::source(error).is_some_and(|cause| cause.to_string().contains("password missing")) => {
            Error::new(SqlState::INVALID_PASSWORD, format!("the node at {address} asks for a password"))
                .with_hint("put it into a file that only you can read, and name the file with --password-file")
        }
        None => {
            let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
            Error::new(SqlState::CONNECTION_FAILURE, format!("no answer from {address}: {error}{cause}"))
                .with_hint("is the node running, and is this its SQL address? See `florin start --sql-listen`")
        }
    }
}
