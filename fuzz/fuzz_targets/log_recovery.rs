//! `cargo +nightly fuzz run log_recovery`; the target is in crates/fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("log_recovery", input));
