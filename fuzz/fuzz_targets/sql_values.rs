//! `cargo +nightly fuzz run sql_values`; the target is in crates/fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("sql_values", input));
