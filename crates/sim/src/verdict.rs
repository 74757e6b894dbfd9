//! What a run says in the end, and how it is said.

use crate::check::{Violation, seconds};
use crate::queue::Micros;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::{self, Write};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Pass,
    /// A node panicked or could not start.
    Crash(String),
    /// Nothing went on.
    Stall(String),
    /// A promise was broken.
    Wrong(Vec<Violation>),
}

impl Outcome {
    /// The exit code of `florin sim`.
    pub fn exit_code(&self) -> u8 {
        match self {
            Outcome::Pass => 0,
            Outcome::Crash(_) => 10,
            Outcome::Stall(_) => 11,
            Outcome::Wrong(_) => 12,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Crash(_) => "crash",
            Outcome::Stall(_) => "stall",
            Outcome::Wrong(_) => "wrong answer",
        }
    }

    fn lines(&self) -> Vec<String> {
        match self {
            Outcome::Pass => Vec::new(),
            Outcome::Crash(text) | Outcome::Stall(text) => vec![text.clone()],
            Outcome::Wrong(violations) => violations.iter().map(Violation::to_string).collect(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub seed: u64,
    pub plan: String,
    pub load_seconds: u64,
    pub skip: BTreeSet<usize>,
    pub outcome: Outcome,
    /// Histories too wide to decide.
    pub undecided: u32,
    pub counts: Vec<(&'static str, u64)>,
    /// Code, count, example.
    pub errors: Vec<(String, u64, String)>,
    pub reports: Vec<(String, u64)>,
    pub statements: u64,
    pub committed: u64,
    pub events: u64,
    pub simulated: Micros,
    pub faults: u64,
    /// Of everything that happened: equal for equal runs.
    pub hash: u64,
    pub trace: Vec<String>,
}

impl Verdict {
    pub fn passed(&self) -> bool {
        self.outcome == Outcome::Pass
    }

    /// The command that plays this run again.
    pub fn replay(&self) -> String {
        let mut text = format!("florin sim --seed {} --plan {} --seconds {}", self.seed, self.plan, self.load_seconds);
        if !self.skip.is_empty() {
            let skipped: Vec<String> = self.skip.iter().map(usize::to_string).collect();
            let _ = write!(text, " --skip {}", skipped.join(","));
        }
        text
    }

    pub fn json(&self) -> Value {
        json!({
            "seed": self.seed,
            "plan": self.plan,
            "outcome": self.outcome.name(),
            "violations": self.outcome.lines(),
            "undecided": self.undecided,
            "faults": self.faults,
            "simulated_seconds": self.simulated / 1_000_000,
            "statements": self.statements,
            "committed": self.committed,
            "events": self.events,
            "counts": self.counts.iter().map(|(name, count)| (name.to_string(), json!(count))).collect::<serde_json::Map<_, _>>(),
            "errors": self.errors.iter().map(|(state, count, _)| (state.clone(), json!(count))).collect::<serde_json::Map<_, _>>(),
            "hash": format!("{:016x}", self.hash),
            "replay": self.replay(),
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.outcome.name();
        write!(f, "seed {} plan {}: {name}; {} simulated, {} faults, ", self.seed, self.plan, seconds(self.simulated), self.faults)?;
        write!(f, "{} statements, {} commits, {} events", self.statements, self.committed, self.events)?;
        if self.undecided > 0 {
            write!(f, ", {} histories undecided", self.undecided)?;
        }
        for (name, count) in &self.counts {
            write!(f, "\n    {count} {name}")?;
        }
        for (state, count, example) in &self.errors {
            write!(f, "\n    {count} × {state}: {example:.160}")?;
        }
        if self.passed() {
            return Ok(());
        }
        for (text, count) in &self.reports {
            write!(f, "\n    reported {count} ×: {text:.200}")?;
        }
        for line in &self.trace {
            write!(f, "\n    {line}")?;
        }
        for line in self.outcome.lines().iter().take(20) {
            write!(f, "\n  {line:.3000}")?;
        }
        write!(f, "\n  again: {}", self.replay())
    }
}
