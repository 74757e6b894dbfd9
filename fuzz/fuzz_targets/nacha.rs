//! `cargo +nightly fuzz run nacha`; the target is in crates/fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("nacha", input));
