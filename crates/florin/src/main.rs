//! The command line of Florin: parses arguments, calls the crate that does the work, prints what went wrong.
//!
//! One module per command under `commands`. Nothing else lives here: a command that grows belongs into a crate.

// The shell may use files, threads, sockets and clocks; the bans hold for the pure crates.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod commands;
mod demo;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Statements are many small allocations: a fifteenth of the processor time of each is saved by this one.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[derive(Parser)]
#[command(name = "florin", version, about = "A replicated, PostgreSQL-compatible database for payments", propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a node: without arguments a cluster of one, with data in ./florin-data and PostgreSQL on 127.0.0.1:5433
    Start(Box<commands::start::Arguments>),
    /// Make a new cluster
    Cluster(commands::cluster::Arguments),
    /// Show nodes, shards and who leads
    Status(commands::status::Arguments),
    /// Move all leaders off a node before it is stopped, failing no request
    Drain(commands::drain::Arguments),
    /// Remove or replace a node
    Node(commands::node::Arguments),
    /// Open accounts, move money, read and check the books
    Ledger(commands::ledger::Arguments),
    /// Run the deterministic simulator
    Sim(commands::sim::Arguments),
    /// Post a real payments file on five nodes while data centres fail
    Demo(commands::demo::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Start(arguments) => commands::start::run(*arguments),
        Command::Cluster(arguments) => commands::cluster::run(arguments),
        Command::Status(arguments) => commands::status::run(arguments),
        Command::Drain(arguments) => commands::drain::run(arguments),
        Command::Node(arguments) => commands::node::run(arguments),
        Command::Ledger(arguments) => commands::ledger::run(arguments),
        Command::Sim(arguments) => commands::sim::run(arguments),
        Command::Demo(arguments) => commands::demo::run(arguments),
    };
    outcome.unwrap_or_else(|error| {
        commands::print_error(&error);
        ExitCode::FAILURE
    })
}
