//! `florin demo`.

use crate::demo::{DemoOptions, run as run_demo};
use std::process::ExitCode;

pub type Arguments = DemoOptions;

/// # Errors
/// Never: what went wrong is printed, and told by the exit code.
pub fn run(arguments: Arguments) -> base::Result<ExitCode> {
    Ok(run_demo(&arguments))
}
