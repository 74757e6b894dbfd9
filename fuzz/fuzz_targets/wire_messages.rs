//! `cargo +nightly fuzz run wire_messages`; the target is in crates/fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("wire_messages", input));
