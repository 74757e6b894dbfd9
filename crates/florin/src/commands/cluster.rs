//! `florin cluster init`: the data directory of a new cluster's first node, with its certificate authority.

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
}

/// # Errors
/// If the mode is unknown, or the directory is in use or cannot be written.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let Command::Init { mode, data, shards, json } = arguments.command;
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
