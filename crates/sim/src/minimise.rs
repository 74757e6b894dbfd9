//! Looks for fewer faults that still make a run fail, by leaving them out.

use crate::plan::Plan;
use crate::run::Options;
use crate::verdict::Verdict;
use std::collections::BTreeSet;

/// Runs at most: a run may take seconds.
pub const RUNS_MAX: u32 = 48;

/// Leaves out halves, quarters, … single faults as long as the outcome stays of the same kind. Answers the smallest run
/// found.
pub fn minimise(plan: &Plan, failed: &Verdict, run: impl Fn(&Plan, &Options) -> Verdict) -> Verdict {
    let total = failed.faults as usize + failed.skip.len();
    let mut best = failed.clone();
    let mut runs = 0;
    let mut chunk = total.div_ceil(2);
    while chunk > 0 && runs < RUNS_MAX {
        let left: Vec<usize> = (0..total).filter(|fault| !best.skip.contains(fault)).collect();
        for part in left.chunks(chunk) {
            let skip: BTreeSet<usize> = best.skip.iter().chain(part).copied().collect();
            let options = Options { skip, ..Options::new(failed.seed, failed.load_seconds) };
            let verdict = run(plan, &options);
            runs += 1;
            if verdict.outcome.exit_code() == failed.outcome.exit_code() {
                best = verdict;
            }
            if runs >= RUNS_MAX {
                break;
            }
        }
        chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Outcome;

    fn verdict(options: &Options, total: usize, outcome: Outcome) -> Verdict {
        Verdict {
            seed: options.seed,
            plan: "x".into(),
            load_seconds: options.load_seconds,
            skip: options.skip.clone(),
            outcome,
            undecided: 0,
            counts: Vec::new(),
            errors: Vec::new(),
            reports: Vec::new(),
            statements: 0,
            committed: 0,
            events: 0,
            simulated: 0,
            faults: (total - options.skip.len()) as u64,
            hash: 0,
            trace: Vec::new(),
        }
    }

    #[test]
    fn only_the_faults_that_matter_are_left() {
        let plan = Plan::built_in("calm").expect("it comes with the program");
        let needed = [3, 11];
        let run = |_: &Plan, options: &Options| {
            let fails = needed.iter().all(|fault| !options.skip.contains(fault));
            verdict(options, 16, if fails { Outcome::Stall("stuck".into()) } else { Outcome::Pass })
        };
        let failed = run(&plan, &Options::new(1, 1));
        let small = minimise(&plan, &failed, run);
        let left: Vec<usize> = (0..16).filter(|fault| !small.skip.contains(fault)).collect();
        assert_eq!(left, needed);
    }
}
