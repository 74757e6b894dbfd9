//! `florin drain`: moves leadership off a node before it is stopped or upgraded.

use super::client::{Connection, query};
use base::Result;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Number of the node to drain, as `florin status` shows it
    node: u32,
}

/// # Errors
/// If the node cannot be reached, does not exist, or its leaders have nowhere to go.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    query(&arguments.connection, &format!("SELECT florin.drain({})", arguments.node))?;
    println!("node {} is drained", arguments.node);
    Ok(ExitCode::SUCCESS)
}
