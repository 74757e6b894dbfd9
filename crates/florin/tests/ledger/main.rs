//! The ledger's client and commands against a real node: each amount moves once whatever happens to the connections.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests of real processes have sockets, tasks and time")]

mod cable;
mod client;
mod commands;
mod http;
#[path = "../bad_input/node.rs"]
#[allow(dead_code, reason = "shared with the tests of bad input, which need more of it")]
mod node;
mod proofs;
mod python;
