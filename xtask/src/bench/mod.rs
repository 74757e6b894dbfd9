//! Florin beside PostgreSQL on the same machine: alternating runs, medians, ratios.
//!
//! Florin runs as three nodes in one city, PostgreSQL 15 as a primary with two synchronous standbys of which one must confirm; fsync
//! is on everywhere. Absolute figures of a shared machine mean little: the ratio of medians of one run is what counts.

mod failover;
mod florin;
mod idle;
mod pgbench;
mod postgres;
mod process;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

pub struct Options {
    pub seconds: u64,
    pub rounds: usize,
    pub scale: u32,
    /// A program that is built already; else it is built first.
    program: Option<PathBuf>,
    rows: Vec<String>,
}

/// One workload for both sides.
pub struct Row {
    pub name: &'static str,
    pub arguments: &'static [&'static str],
    /// A script instead of pgbench's own.
    pub script: Option<&'static str>,
    /// The floor that the ratio should reach.
    pub aim: f64,
}

const ROWS: &[Row] = &[
    Row { name: "tpcb", arguments: &["-c", "16", "-j", "2", "-M", "prepared"], script: None, aim: 1.0 },
    Row { name: "tpcb-simple", arguments: &["-c", "16", "-j", "2", "-M", "simple"], script: None, aim: 1.0 },
    Row { name: "tpcb-one", arguments: &["-c", "1", "-j", "1", "-M", "prepared"], script: None, aim: 1.0 },
    Row { name: "select", arguments: &["-c", "16", "-j", "2", "-M", "prepared", "-S"], script: None, aim: 0.8 },
    Row {
        name: "hot-row",
        arguments: &["-c", "16", "-j", "2", "-M", "prepared"],
        script: Some("UPDATE pgbench_branches SET bbalance = bbalance + 1 WHERE bid = 1;\n"),
        aim: 1.0,
    },
];

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
    result
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { seconds: 10, rounds: 5, scale: 10, program: None, rows: Vec::new() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--program" {
            options.program = Some(rest.next().map(PathBuf::from).ok_or("--program needs a path")?);
            continue;
        }
        let mut number =
            || rest.next().and_then(|text| text.parse::<u64>().ok()).filter(|n| *n > 0).ok_or(format!("{argument} needs a number above 0"));
        match argument.as_str() {
            "--seconds" => options.seconds = number()?,
            "--rounds" => options.rounds = number()? as usize,
            "--scale" => options.scale = number()? as u32,
            name if ROWS.iter().any(|row| row.name == name) || ["failover", "idle"].contains(&name) => options.rows.push(name.to_owned()),
            other => {
                return Err(format!(
                    "{other:?} is no row: {}, failover, idle",
                    ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
                ));
            }
        }
    }
    Ok(options)
}

impl Options {
    fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|name| name == row)
    }
}

fn run_in(root: &Path, directory: &Path, options: &Options) -> Result<String, String> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => florin::build(root)?,
    };
    let mut report = String::new();
    let rows: Vec<&Row> = ROWS.iter().filter(|row| options.wants(row.name)).collect();
    if !rows.is_empty() {
        let peer = postgres::Postgres::start(&directory.join("postgres"), options.scale)?;
        let ours = florin::Cluster::start(&program, &directory.join("florin"), 3)?;
        pgbench::load(ours.port(), "florin", options.scale)?;
        let _ = writeln!(
            report,
            "| work | Florin tps | PostgreSQL tps | ratio (min–max of rounds) | aim | latency ms | CPU ms/txn |\n| --- | --- | --- | --- | --- | --- | --- |"
        );
        for row in rows {
            let line = compare(row, options, &ours, &peer)?;
            println!("{line}");
            let _ = writeln!(report, "{line}");
        }
    }
    if options.wants("idle") {
        let _ = writeln!(report, "{}", idle::measure(&program, &directory.join("idle"))?);
    }
    if options.wants("failover") {
        let _ = writeln!(report, "{}", failover::measure(&program, &directory.join("failover"))?);
    }
    Ok(report)
}

fn compare(row: &Row, options: &Options, ours: &florin::Cluster, peer: &postgres::Postgres) -> Result<String, String> {
    let mut figures: [Vec<pgbench::Figure>; 2] = [Vec::new(), Vec::new()];
    for round in 0..options.rounds {
        // Whoever went first goes second in the next round.
        for side in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let figure = match side {
                0 => pgbench::run(row, options, ours.port(), "florin", || ours.cpu_seconds())?,
                _ => pgbench::run(row, options, peer.port(), "postgres", || peer.cpu_seconds())?,
            };
            figures[side].push(figure);
        }
    }
    let [ours, peer] = figures;
    let median = |side: &[pgbench::Figure], value: fn(&pgbench::Figure) -> f64| median(side.iter().map(value).collect());
    let ratios: Vec<f64> = ours.iter().zip(&peer).map(|(a, b)| a.tps / b.tps).collect();
    let (low, high) = ratios.iter().fold((f64::MAX, 0.0f64), |(low, high), ratio| (low.min(*ratio), high.max(*ratio)));
    let (a, b) = (median(&ours, |figure| figure.tps), median(&peer, |figure| figure.tps));
    Ok(format!(
        "| {} | {a:.0} | {b:.0} | {:.2} ({low:.2}–{high:.2}) | {:.1} | {:.2} / {:.2} | {:.3} / {:.3} |",
        row.name,
        a / b,
        row.aim,
        median(&ours, |figure| figure.latency_ms),
        median(&peer, |figure| figure.latency_ms),
        median(&ours, |figure| figure.cpu_ms),
        median(&peer, |figure| figure.cpu_ms),
    ))
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[length / 2],
        length => f64::midpoint(values[length / 2 - 1], values[length / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
        assert!((median(vec![9.0, 1.0, 3.0]) - 3.0).abs() < 1e-9);
    }
}
