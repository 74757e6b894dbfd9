//! `cargo +nightly fuzz run tokens_and_keys`; the target is in crates/fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("tokens_and_keys", input));
