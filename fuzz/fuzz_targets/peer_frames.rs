//! `cargo +nightly fuzz run peer_frames`; the target is in crates/fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("peer_frames", input));
