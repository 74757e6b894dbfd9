//! `florin demo`.

use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {}

/// # Errors
/// Always, until the command exists.
pub fn run(_arguments: Arguments) -> base::Result<ExitCode> {
    Err(base::Error::unsupported("the command `demo`"))
}
