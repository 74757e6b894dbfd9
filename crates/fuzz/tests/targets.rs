//! Each target for a few seconds. `FLORIN_FUZZ_SECONDS=600 FLORIN_FUZZ_SEED=7 cargo test --release -p fuzz -- sql_text` runs one for longer.
#![allow(clippy::disallowed_methods, reason = "the environment says how long")]

use fuzz::TARGETS;
use fuzz::driver::{Bounds, drive};
use std::path::Path;
use std::time::Duration;

const SECONDS: u64 = 2;
/// A fast target stops here, well before its time.
const INPUTS_MAX: u64 = 200_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn check(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("the name of a target");
    let seconds = number("FLORIN_FUZZ_SECONDS");
    let inputs_max = if seconds.is_some() { u64::MAX } else { INPUTS_MAX };
    let seed = number("FLORIN_FUZZ_SEED").unwrap_or(20_261_122);
    let inputs = drive(target, seed, Bounds { time: Duration::from_secs(seconds.unwrap_or(SECONDS)), inputs_max });
    println!("{name}: {inputs} inputs");
    assert!(inputs > 0, "not even one input in {SECONDS} s");
}

macro_rules! targets {
    ($($name:ident),+ $(,)?) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })+

        #[test]
        fn every_target_is_run_here_and_by_cargo_fuzz() {
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), [$(stringify!($name)),+]);
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
            let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("readable");
            for target in TARGETS {
                assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "fuzz/Cargo.toml lacks {}", target.name);
                assert!(folder.join(format!("fuzz_targets/{}.rs", target.name)).exists(), "fuzz/fuzz_targets lacks {}", target.name);
            }
        }
    };
}

targets!(
    wire_startup,
    wire_messages,
    wire_sasl,
    sql_text,
    sql_session,
    sql_values,
    sql_stored,
    copy,
    nacha,
    ledger_batches,
    peer_frames,
    log_recovery,
    tokens_and_keys,
    fault_plans,
);
