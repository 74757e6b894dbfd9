//! `florin cluster init`: the data directory of a new cluster's first node, with its certificate authority. `florin cluster downgrade`: one zone of two goes on alone.

use super::client::{Connection, query};
use base::locality::LocalityMode;
use base::{Error, Result, SqlState};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a cluster's first data directory and certificate authority, and print the token with which nodes join
    Init {
        /// Where voters stand: single, 3dc, 2c3dc, 3c5dc or dual-active
        #[arg(long, default_value = "3dc")]
        mode: String,
        /// Directory of the first node's data; must not hold any yet
        #[arg(long, default_value = "./florin-data", value_name = "DIR")]
        data: PathBuf,
        /// Shards of the cluster; 2 if not given
        #[arg(long, value_name = "COUNT")]
        shards: Option<u32>,
        /// Answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Dual-active mode, the other zone is gone: let this one serve alone, so that it outlives the witness too. Ends by itself when
    /// the other zone has caught up; until then what is acknowledged stands in one zone only
    Downgrade {
        #[command(flatten)]
        connection: Connection,
        /// City of the zone that goes on
        #[arg(long)]
        city: String,
        /// The zone that goes on
        #[arg(long)]
        zone: String,
    },
}

/// # Errors
/// If the mode is unknown, or the directory is in use or cannot be written.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let (mode, data, shards, json) = match arguments.command {
        Command::Init { mode, data, shards, json } => (mode, data, shards, json),
        Command::Downgrade { connection, city, zone } => return downgrade(&connection, &city, &zone),
    };
    let mode: LocalityMode = mode.parse().map_err(|message: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, message))?;
    let made = server::init_cluster(&data, mode, shards)?;
    if json {
        println!("{}", serde_json::json!({ "mode": mode.to_string(), "data": data, "token": made.token }));
    } else {
        println!("A cluster of mode {mode} has been made in {}.", data.display());
        println!("Start its first node:  florin start --data {}", data.display());
        println!("Join further nodes:    florin start --data DIR --join ADDRESS --city C --zone Z --token {}", made.token);
        println!("Whoever has the token can join: keep it secret.");
    }
    Ok(ExitCode::SUCCESS)
}

fn downgrade(connection: &Connection, city: &str, zone: &str) -> Result<ExitCode> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    query(connection, &format!("SELECT florin.downgrade({}, {})", quoted(city), quoted(zone)))?;
    println!("{city}/{zone} serves alone until the other zone has caught up");
    Ok(ExitCode::SUCCESS)
}
