//! Bad input against the real program: each gets a clear error that says what to do, the node goes on, and nothing is lost.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests of real processes have files, threads and time")]

mod connections;
mod directories;
mod membership;
mod node;
mod statements;
#[path = "../../../server/tests/postgres/wire.rs"]
#[allow(dead_code, reason = "shared with the protocol's own tests, which need more of it")]
mod wire;
