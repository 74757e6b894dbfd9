//! `florin start`: one node, until it is told to stop.

use base::{Locality, Result};
use server::options::{Control, Join, Options};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {
    /// Directory of the node's data; made if it does not exist
    #[arg(long, default_value = "./florin-data", value_name = "DIR")]
    data: PathBuf,
    /// Address for other nodes
    #[arg(long, default_value = "127.0.0.1:5434", value_name = "ADDRESS")]
    listen: String,
    /// Address at which other nodes reach this one, if it is not the one it listens on
    #[arg(long, value_name = "ADDRESS")]
    advertise: Option<String>,
    /// Address for PostgreSQL clients
    #[arg(long, default_value = "127.0.0.1:5433", value_name = "ADDRESS")]
    sql_listen: String,
    /// Address at which clients reach this node, if it is not the one it listens on
    #[arg(long, value_name = "ADDRESS")]
    sql_advertise: Option<String>,
    /// IP address and port for the ledger over HTTP (/v1), /health, /metrics and /status, or `none`
    #[arg(long, default_value = "none", value_name = "ADDRESS")]
    http: String,
    /// City in which this node stands
    #[arg(long, default_value = "local")]
    city: String,
    /// Zone (data centre) in which this node stands; a zone fails as a whole
    #[arg(long, default_value = "a")]
    zone: String,
    /// Join an existing cluster through this node
    #[arg(long, value_name = "ADDRESS", requires = "token")]
    join: Option<String>,
    /// The cluster's join token, printed by `florin cluster init`
    #[arg(long, env = "FLORIN_TOKEN")]
    token: Option<String>,
    /// Keep trying while the node to join through cannot be reached
    #[arg(long, requires = "join")]
    join_retry: bool,
    /// Most PostgreSQL connections at once
    #[arg(long, default_value_t = 1000, value_name = "COUNT")]
    connections_max: u32,
    /// Certificate chain for PostgreSQL clients, in PEM; the node's own if not given
    #[arg(long, requires = "tls_key", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key for --tls-cert, in PEM
    #[arg(long, requires = "tls_cert", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Memory for caches and tables in memory, in MiB; a quarter of the machine's if not given
    #[arg(long, value_name = "MIB")]
    memory_mib: Option<u64>,
    /// Take commands as JSON lines: link emulation, status, drain. For the demo and tests
    #[arg(long, value_name = "WHERE", value_parser = ["stdin"])]
    control: Option<String>,
}

/// # Errors
/// Why the node could not start, or had to stop.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("FLORIN_LOG").unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    server::run(options(arguments)?)?;
    Ok(ExitCode::SUCCESS)
}

fn options(arguments: Arguments) -> Result<Options> {
    let join = match (arguments.join, arguments.token) {
        (Some(address), Some(token)) => Some(Join { address, token, retry: arguments.join_retry }),
        _ => None,
    };
    Ok(Options {
        data: arguments.data,
        listen: arguments.listen,
        advertise: arguments.advertise,
        sql_listen: arguments.sql_listen,
        sql_advertise: arguments.sql_advertise,
        http_listen: (arguments.http != "none").then_some(arguments.http),
        locality: Locality { city: arguments.city, zone: arguments.zone },
        join,
        connections_max: arguments.connections_max,
        tls_files: arguments.tls_cert.zip(arguments.tls_key),
        memory_bytes: arguments.memory_mib.map(|mib| mib << 20),
        control: if arguments.control.is_some() { Control::Stdin } else { Control::None },
    })
}
