//! `florin sim`: plays seeds of the deterministic simulator, and says how to play a failed one again.

use base::{Error, Result, SqlState};
use sim::{Options, Plan, Verdict};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

/// Longest load of one seed, in seconds.
const LOAD_SECONDS_MAX: u64 = 24 * 3600;

#[derive(clap::Args)]
pub struct Arguments {
    /// First seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after the other
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Simulated minutes of load and faults for each seed
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// The same in seconds; wins over --minutes
    #[arg(long)]
    seconds: Option<u64>,
    /// A fault plan: the name of one that comes with the program, or a file; by default the seed chooses
    #[arg(long)]
    plan: Option<String>,
    /// Numbers of faults to leave out
    #[arg(long, value_delimiter = ',')]
    skip: Vec<usize>,
    /// Print one JSON object for each seed
    #[arg(long)]
    json: bool,
    /// Print everything that happened
    #[arg(long)]
    trace: bool,
    /// After a failure look for fewer faults that still make it fail
    #[arg(long)]
    minimise: bool,
    /// Go on after a failed seed
    #[arg(long)]
    keep_going: bool,
}

/// The exit code is 0 if all seeds passed, else that of the first failure: 10 a crash, 11 a stall, 12 a wrong answer.
///
/// # Errors
/// If the plan cannot be read.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    end_with_reader();
    let load_seconds = arguments.seconds.unwrap_or(arguments.minutes.saturating_mul(60)).clamp(1, LOAD_SECONDS_MAX);
    let named = arguments.plan.as_deref().map(read_plan).transpose()?;
    let mut code = 0;
    let mut totals = Totals::default();
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.seeds) {
        let plan = match &named {
            Some(plan) => plan.clone(),
            None => sim::plan_of(seed)?,
        };
        let skip: BTreeSet<usize> = arguments.skip.iter().copied().collect();
        let options = Options { skip, trace: arguments.trace, ..Options::new(seed, load_seconds) };
        let begun = Instant::now();
        let mut verdict = sim::run(&plan, &options);
        if !verdict.passed() && arguments.minimise {
            verdict = sim::minimise::minimise(&plan, &verdict, sim::run);
        }
        if let Some(file) = arguments.plan.as_ref().filter(|name| Path::new(name).exists()) {
            // So that the command that plays it again finds it.
            verdict.plan.clone_from(file);
        }
        print(&arguments, &verdict, begun.elapsed().as_secs_f64());
        totals.add(&verdict);
        if !verdict.passed() {
            code = if code == 0 { verdict.outcome.exit_code() } else { code };
            if !arguments.keep_going {
                break;
            }
        }
    }
    if arguments.seeds > 1 && !arguments.json {
        println!("{totals}");
    }
    Ok(ExitCode::from(code))
}

/// Whoever pipes the verdicts into `head` has seen enough: without this, printing on would panic.
#[allow(unsafe_code, reason = "setting what a signal does has no safe interface in the standard library")]
fn end_with_reader() {
    // SAFETY: this sets the system's default before any thread is started, and no code of ours is run by it.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// What was played in all.
#[derive(Default)]
struct Totals {
    seeds: u64,
    micros: u64,
    faults: u64,
    statements: u64,
    committed: u64,
    failed: Vec<String>,
}

impl Totals {
    fn add(&mut self, verdict: &Verdict) {
        self.seeds += 1;
        self.micros += verdict.simulated;
        self.faults += verdict.faults;
        self.statements += verdict.statements;
        self.committed += verdict.committed;
        if !verdict.passed() {
            self.failed.push(verdict.replay());
        }
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Totals { seeds, faults, statements, committed, .. } = self;
        let minutes = self.micros as f64 / 60e6;
        write!(f, "{seeds} seeds, {minutes:.1} simulated minutes, {faults} faults, {statements} statements, {committed} commits, ")?;
        write!(f, "{} failed", self.failed.len())?;
        self.failed.iter().try_for_each(|replay| write!(f, "\n  again: {replay}"))
    }
}

fn print(arguments: &Arguments, verdict: &Verdict, wall_seconds: f64) {
    if arguments.json {
        println!("{}", verdict.json());
    } else {
        println!("{verdict}");
        println!("    {:.0} simulated seconds a second", verdict.simulated as f64 / 1e6 / wall_seconds.max(1e-9));
    }
    if arguments.trace {
        verdict.trace.iter().for_each(|line| println!("{line}"));
    }
}

fn read_plan(name: &str) -> Result<Plan> {
    if !Path::new(name).exists() {
        return Plan::built_in(name);
    }
    let text = std::fs::read_to_string(name)
        .map_err(|e| Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("the fault plan {name} cannot be read: {e}")))?;
    Plan::parse(&text)
}
