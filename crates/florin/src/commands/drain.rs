//! `florin drain`: moves leadership off a node before it is stopped or upgraded.

use super::client::{Connection, query};
use base::{Error, Result, SqlState};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long leaders may take to go.
const DRAINED_MAX: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Number of the node to drain, as `florin status` shows it
    node: u32,
    /// The node may lead again, after it was upgraded and started
    #[arg(long)]
    undo: bool,
}

/// # Errors
/// If the node cannot be reached, does not exist, or its leaders have nowhere to go.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { connection, node, undo } = arguments;
    if undo {
        query(&connection, &format!("SELECT florin.undrain({node})"))?;
        println!("node {node} may lead again");
        return Ok(ExitCode::SUCCESS);
    }
    query(&connection, &format!("SELECT florin.drain({node})"))?;
    let begun = Instant::now();
    while leads(&connection, node)? > 0 {
        if begun.elapsed() > DRAINED_MAX {
            let message = format!("node {node} still leads after {} s: no other node can take over", DRAINED_MAX.as_secs());
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                .with_hint(format!("see `florin status`; `florin drain {node} --undo` gives up")));
        }
        std::thread::sleep(PAUSE);
    }
    println!("node {node} leads nothing any more. Stop it with SIGTERM: it ends its sessions when they are idle.");
    println!("After the upgrade start it as before, then: florin drain {node} --undo");
    Ok(ExitCode::SUCCESS)
}

/// How many shards the node leads, as the node that is asked knows it.
fn leads(connection: &Connection, node: u32) -> Result<u64> {
    let rows = query(connection, &format!("SELECT leads FROM florin.nodes WHERE node = {node}"))?;
    let count = rows.first().and_then(|row| row.get(0)).and_then(|text| text.parse().ok());
    count.ok_or_else(|| Error::internal(format!("florin.nodes does not tell what node {node} leads")))
}
