//! Plays seeds without building the whole program: `cargo run --release -p sim --example seed -- PLAN FIRST COUNT SECONDS [SKIP,…] [trace|minimise]`.

use sim::{Options, Plan};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, otherwise: u64| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (first, count, seconds) = (number(1, 1), number(2, 1), number(3, 60));
    let skip = arguments.get(4).map(|text| text.split(',').filter_map(|n| n.parse().ok()).collect()).unwrap_or_default();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let mut failed = 0;
    for seed in first..first + count {
        let plan = match arguments.first().map(String::as_str) {
            None | Some("any") => sim::plan_of(seed),
            Some(name) => Plan::built_in(name),
        };
        let plan = match plan {
            Ok(plan) => plan,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        };
        let options = Options { skip: std::collections::BTreeSet::clone(&skip), trace: has("trace"), ..Options::new(seed, seconds) };
        let mut verdict = sim::run(&plan, &options);
        if !verdict.passed() && has("minimise") {
            verdict = sim::minimise::minimise(&plan, &verdict, sim::run);
        }
        if verdict.passed() && count > 1 {
            println!("seed {seed} {} pass, {} commits", verdict.plan, verdict.committed);
        } else {
            println!("{verdict}");
        }
        failed += u64::from(!verdict.passed());
    }
    println!("{failed} of {count} failed");
    ExitCode::from(u8::from(failed > 0))
}
