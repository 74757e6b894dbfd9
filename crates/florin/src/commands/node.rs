//! `florin node remove` and `florin node replace`.

use super::client::{Connection, query};
use base::Result;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Take a node out of the cluster for good: its replicas move to the others
    Remove {
        #[command(flatten)]
        connection: Connection,
        /// Number of the node, as `florin status` shows it
        node: u32,
    },
    /// Let a newly joined node take over the replicas of another, which is then removed
    Replace {
        #[command(flatten)]
        connection: Connection,
        /// Number of the node that goes
        old: u32,
        /// Number of the node that takes over
        new: u32,
    },
}

/// # Errors
/// If no node can be reached, or the cluster refuses.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Remove { connection, node } => {
            query(&connection, &format!("SELECT florin.remove_node({node})"))?;
            println!("node {node} is being removed: its replicas move to the others, then it stops. `florin status` shows how far it is.");
        }
        Command::Replace { connection, old, new } => {
            query(&connection, &format!("SELECT florin.replace_node({old}, {new})"))?;
            println!("node {new} takes the place of node {old}, which then stops. `florin status` shows how far it is.");
        }
    }
    Ok(ExitCode::SUCCESS)
}
