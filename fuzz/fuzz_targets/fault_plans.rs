//! `cargo +nightly fuzz run fault_plans`; the target is in crates/fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("fault_plans", input));
