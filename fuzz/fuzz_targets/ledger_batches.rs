//! `cargo +nightly fuzz run ledger_batches`; the target is in crates/fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("ledger_batches", input));
