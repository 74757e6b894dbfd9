//! Checks and chores of the repository: `cargo xtask tidy`, `bench`, `profile`, `instructions`.
//!
//! A library beside the command, so that the tests can run the checks too.

// A tool of the shell: it reads files, runs programs and measures time.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod bench;
pub mod instructions;
mod marks;
pub mod profile;
mod release;
pub mod tidy;
