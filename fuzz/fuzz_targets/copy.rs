//! `cargo +nightly fuzz run copy`; the target is in crates/fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("copy", input));
