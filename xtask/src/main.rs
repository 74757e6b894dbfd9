//! `cargo xtask …`: see [`xtask`].

#![allow(clippy::disallowed_methods)]

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy                      check the repository's rules
       cargo xtask bench [ROW …] [--seconds N] [--rounds N] [--scale N] [--cuts N] [--warehouses N] [--program PATH] [--write]
                                              compare with PostgreSQL and print ratios of medians; --write: into docs/benchmarks.md
       cargo xtask profile ROW [--seconds N] [--scale N] [--warehouses N] [--frequency HZ] [--all] [--program PATH] [--out FILE]
                                              record where a row of the bench spends its time: costs by layer and a flame graph
       cargo xtask instructions [PATH …] [--write]
                                              count the instructions of hot paths and compare with docs/instructions.md; --write: keep them there";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository");
    let outcome = match arguments.first().map(String::as_str) {
        Some("tidy") => xtask::tidy::check(root),
        Some("profile") => xtask::profile::run(root, &arguments[1..]),
        Some("instructions") => xtask::instructions::run(root, &arguments[1..]),
        Some("bench") => xtask::bench::run(root, &arguments[1..]),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
