//! Each parser of Florin, and the wire protocol, as a function of arbitrary bytes that must neither panic nor hang, whatever they are.
//!
//! Two drivers share these targets. `tests/targets.rs` feeds each of them for a few seconds with mutations of good inputs from a seeded
//! generator: on a stable compiler, with every `cargo test`. `fuzz/` at the root does it guided by coverage, with cargo-fuzz and a
//! nightly compiler. Where a target can tell a wrong answer from a right one (what was written reads back the same) it also asserts that.

#![allow(clippy::disallowed_methods, reason = "seeds are read from files, and the driver measures time")]

pub mod driver;
pub mod mutate;

mod copy;
mod ledger_batches;
mod log_recovery;
mod peers;
mod seeds;
mod small;
mod statements;
mod values;
mod wire;

/// One parser, or several that read the same thing.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    /// Good inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

pub const TARGETS: &[Target] = &[
    Target { name: "wire_startup", run: wire::startup, seeds: wire::startup_seeds },
    Target { name: "wire_messages", run: wire::messages, seeds: wire::message_seeds },
    Target { name: "wire_sasl", run: wire::sasl, seeds: wire::sasl_seeds },
    Target { name: "sql_text", run: statements::text, seeds: statements::text_seeds },
    Target { name: "sql_session", run: statements::session, seeds: statements::session_seeds },
    Target { name: "sql_values", run: values::values, seeds: values::value_seeds },
    Target { name: "sql_stored", run: values::stored, seeds: values::stored_seeds },
    Target { name: "copy", run: copy::copy, seeds: copy::seeds },
    Target { name: "nacha", run: small::nacha, seeds: small::nacha_seeds },
    Target { name: "ledger_batches", run: ledger_batches::book, seeds: ledger_batches::seeds },
    Target { name: "peer_frames", run: peers::frames, seeds: peers::seeds },
    Target { name: "log_recovery", run: log_recovery::recover, seeds: log_recovery::seeds },
    Target { name: "tokens_and_keys", run: small::tokens_and_keys, seeds: small::token_seeds },
    Target { name: "fault_plans", run: small::fault_plans, seeds: small::plan_seeds },
];

/// Runs a target of this name on one input.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("the name of a target");
    (target.run)(input);
}
