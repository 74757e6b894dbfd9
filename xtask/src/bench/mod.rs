//! Florin beside PostgreSQL on the same machine: alternating runs, medians, ratios.
//!
//! Florin runs as three nodes in one city, PostgreSQL 15 as a primary with two synchronous standbys of which one must confirm, if a row
//! does not say otherwise; fsync is on everywhere. Absolute figures of a shared machine mean little: the ratio of medians of one run is what counts. A row that cannot be
//! measured says why, and the others go on.

mod failover;
pub(crate) mod florin;
mod idle;
mod kilobytes;
pub mod ledger;
mod overload;
mod pgbench;
mod postgres;
pub(crate) mod process;
mod report;
mod stalls;
mod stored;
mod sysbench;
mod tpcc;
pub(crate) mod workloads;

use report::Report;
use std::path::{Path, PathBuf};
use workloads::{Servers, Tool, Workload};

/// Rows that compare nothing: what Florin alone does.
const OWN_ROWS: &[&str] = &["ledger", "idle", "start", "failover", "overload", "stalls", "stored"];

#[derive(Clone)]
pub struct Options {
    pub seconds: u64,
    pub rounds: usize,
    pub scale: u32,
    pub cuts: usize,
    /// Of TPC-C.
    pub warehouses: u32,
    /// Transfers, in millions, that `stored` books.
    pub millions: u32,
    /// A program that is built already; else it is built first.
    program: Option<PathBuf>,
    /// The tables go to docs/benchmarks.md.
    write: bool,
    rows: Vec<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options { seconds: 5, rounds: 5, scale: 10, cuts: 20, warehouses: 10, millions: 20, program: None, write: false, rows: Vec::new() }
    }
}

impl Options {
    /// The same, but for how long a load runs.
    pub(crate) fn lasting(&self, seconds: u64) -> Options {
        Options { seconds, ..self.clone() }
    }
}

/// One of the two that are compared.
pub struct Side<'a> {
    pub port: u16,
    /// Also the database's name.
    pub user: &'static str,
    /// Seconds of processor time of each server so far.
    pub cpu: &'a dyn Fn() -> Vec<f64>,
}

/// What one run gave.
#[derive(Clone, Debug)]
pub struct Figure {
    pub tps: f64,
    /// Mean.
    pub latency_ms: f64,
    /// The 99th percentile, if the load's generator told each transaction's time.
    pub p99_ms: Option<f64>,
    /// Of each server, for one transaction.
    pub cpu_ms: Vec<f64>,
}

impl Figure {
    pub fn new(tps: f64, latency_ms: f64, transactions: f64, before: &[f64], after: &[f64]) -> Figure {
        let cpu_ms = before.iter().zip(after).map(|(before, after)| (after - before) * 1000.0 / transactions.max(1.0)).collect();
        Figure { tps, latency_ms, p99_ms: None, cpu_ms }
    }
}

/// # Errors
/// What could not be started or run, with the program's own words.
pub fn run(root: &Path, arguments: &[String]) -> Result<String, String> {
    let options = parse(arguments)?;
    let directory = std::env::temp_dir().join(format!("florin-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let result = run_in(root, &directory, &options);
    if let Err(error) = std::fs::remove_dir_all(&directory) {
        eprintln!("cannot remove {}: {error}", directory.display());
    }
    let report = result?;
    // The tables were printed as they grew.
    if !options.write {
        return report.verdict().map(|()| String::new());
    }
    report.write_into(&root.join("docs/benchmarks.md"))?;
    report.verdict()?;
    Ok("\nwritten to docs/benchmarks.md".to_owned())
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number =
            || rest.next().and_then(|text| text.parse::<u32>().ok()).filter(|n| *n > 0).ok_or(format!("{argument} needs a number above 0"));
        match argument.as_str() {
            "--seconds" => options.seconds = u64::from(number()?),
            "--rounds" => options.rounds = number()? as usize,
            "--scale" => options.scale = number()?,
            "--cuts" => options.cuts = number()? as usize,
            "--warehouses" => options.warehouses = number()?,
            "--millions" => options.millions = number()?,
            "--write" => options.write = true,
            "--program" => options.program = Some(rest.next().map(PathBuf::from).ok_or("--program needs a path")?),
            name if names().any(|row| row == name) => options.rows.push(name.to_owned()),
            other => return Err(format!("{other:?} is no row: {}", names().collect::<Vec<_>>().join(", "))),
        }
    }
    Ok(options)
}

fn names() -> impl Iterator<Item = &'static str> {
    workloads::TABLES.iter().flat_map(|(_, rows)| *rows).map(|row| row.name).chain(OWN_ROWS.iter().copied())
}

impl Options {
    fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|name| name == row)
    }
}

fn run_in(root: &Path, directory: &Path, options: &Options) -> Result<Report, String> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => crate::release::program(root)?,
    };
    let mut report = Report::new(options);
    for (servers, rows) in workloads::TABLES {
        let rows: Vec<&Workload> = rows.iter().filter(|row| options.wants(row.name)).collect();
        let Some(first) = rows.first() else { continue };
        let directory = directory.join(first.name);
        if let Err(error) = compare_all(servers, &rows, &program, &directory, options, &mut report) {
            report.trouble("side by side", &error);
        }
        // The tables of the next servers need the space.
        std::fs::remove_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    if options.wants("ledger") {
        report.section("ledger", ledger::measure(options, &program, &directory.join("ledger")));
    }
    if options.wants("idle") {
        report.section("idle", idle::measure(&program, &directory.join("idle")));
    }
    if options.wants("start") {
        report.section("start", idle::start_with_data(&program, &directory.join("start")));
    }
    if options.wants("overload") {
        report.section("overload", overload::measure(&program, &directory.join("overload"), options));
    }
    if options.wants("stalls") {
        report.section("stalls", stalls::measure(&program, &directory.join("stalls"), options));
    }
    if options.wants("stored") {
        report.section("stored", stored::measure(options, &program, &directory.join("stored")));
    }
    if options.wants("failover") {
        report.section("failover", failover::measure(&program, &directory.join("failover"), options.cuts));
    }
    Ok(report)
}

fn compare_all(
    servers: &Servers,
    rows: &[&Workload],
    program: &Path,
    directory: &Path,
    options: &Options,
    report: &mut Report,
) -> Result<(), String> {
    let peer = postgres::Postgres::start(&directory.join("postgres"), servers.standbys, servers.settings)?;
    let ours = florin::Cluster::start_at(program, &directory.join("florin"), servers.nodes, florin::FIRST_PORT, servers.options)?;
    let (our_cpu, peer_cpu) = (|| ours.cpu_seconds(), || peer.cpu_seconds());
    let sides = [Side { port: ours.port(), user: "florin", cpu: &our_cpu }, Side { port: peer.port(), user: "postgres", cpu: &peer_cpu }];
    if rows.iter().any(|row| matches!(row.tool, Tool::Pgbench(..))) {
        let scale = options.scale * servers.scale;
        let load = |side: &Side| pgbench::load(side.port, side.user, scale);
        report.loads(&[load(&sides[0])?, load(&sides[1])?], scale, ours.memory_peak());
    }
    if rows.iter().any(|row| matches!(row.tool, Tool::Sysbench(_))) {
        for side in &sides {
            if let Err(error) = sysbench::prepare(side) {
                report.trouble("sysbench prepare", &error);
            }
        }
    }
    report.head();
    let mut notes = Vec::new();
    for row in rows {
        let outcome = match row.tool {
            Tool::Tpcc => tpcc::compare(options, &sides).map(|outcome| {
                notes.push((outcome.note, outcome.broken));
                outcome.figures
            }),
            Tool::Pgbench(..) | Tool::Sysbench(_) | Tool::Ledger(_) => {
                alternate(options, &sides, |side, round| drive(row, options, side, round))
            }
        };
        report.row(row, outcome);
    }
    for (note, broken) in notes {
        report.section("tpcc", Ok(note));
        report.broken("tpcc", broken);
    }
    report.memory(ours.memory_peak());
    Ok(())
}

/// Makes the tables of one row on one side.
pub(crate) fn prepare(row: &Workload, options: &Options, side: &Side) -> Result<(), String> {
    match row.tool {
        Tool::Pgbench(..) => pgbench::load(side.port, side.user, options.scale).map(drop),
        Tool::Sysbench(_) => sysbench::prepare(side),
        Tool::Tpcc => tpcc::prepare(side, options.warehouses),
        Tool::Ledger(_) => ledger::prepare(side.port),
    }
}

/// Runs the load of one row on one side for `options.seconds`. `round` chooses what is drawn, where that is drawn from a seed.
pub(crate) fn drive(row: &Workload, options: &Options, side: &Side, round: usize) -> Result<Figure, String> {
    match row.tool {
        Tool::Pgbench(arguments, script) => pgbench::run(row, arguments, script, options, side),
        Tool::Sysbench(test) => sysbench::run(test, options, side),
        Tool::Tpcc => tpcc::drive(side, options, round),
        Tool::Ledger(load) => ledger::drive(load, options, side),
    }
}

/// What a run gives on each side, round by round: whoever went first goes second in the next round.
fn alternate<T>(
    options: &Options,
    sides: &[Side; 2],
    mut run: impl FnMut(&Side, usize) -> Result<T, String>,
) -> Result<[Vec<T>; 2], String> {
    let mut given = [Vec::new(), Vec::new()];
    for round in 0..options.rounds {
        for side in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            given[side].push(run(&sides[side], round).map_err(|error| format!("{}: {error}", sides[side].user))?);
        }
    }
    Ok(given)
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[length / 2],
        length => f64::midpoint(values[length / 2 - 1], values[length / 2]),
    }
}

/// The value that this share of all is not above, at most; of values in ascending order.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let at = ((values.len() as f64 * share) as usize).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
        assert!((median(vec![9.0, 1.0, 3.0]) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn the_highest_value_is_a_percentile_too() {
        assert!((percentile(&[1.0, 2.0, 3.0, 4.0], 0.5) - 3.0).abs() < 1e-9);
        assert!((percentile(&[1.0, 2.0, 3.0, 4.0], 1.0) - 4.0).abs() < 1e-9);
        assert!(percentile(&[], 0.99).is_nan());
    }

    #[test]
    fn rows_and_options_are_told_apart() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let options = parse(&words("tpcb --rounds 2 idle --write")).expect("all known");
        assert!(options.wants("tpcb") && options.wants("idle") && !options.wants("select") && options.write);
        assert_eq!(options.rounds, 2);
        assert!(parse(&words("tpcx")).is_err());
        assert!(parse(&words("--rounds none")).is_err());
    }
}
