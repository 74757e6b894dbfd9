//! What a node costs when nobody asks anything, and how fast it starts.

use super::kilobytes::Loader;
use super::{florin, pgbench, process};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const IDLE_SECONDS: u64 = 20;
/// Rows of about a kilobyte, loaded in parts: 1 GB in all.
const PARTS: u32 = 10;
const PART_ROWS: u32 = 100_000;
const START_SECONDS_MAX: u64 = 120;
const SETTLE_SECONDS: u64 = 10;

pub fn measure(program: &Path, directory: &Path) -> Result<String, String> {
    let cluster = florin::Cluster::start(program, directory, 3)?;
    std::thread::sleep(Duration::from_secs(2));
    let before: Vec<f64> = cluster.pids().into_iter().map(process::cpu_seconds).collect();
    std::thread::sleep(Duration::from_secs(IDLE_SECONDS));
    let mut report = String::from("| idle node | resident MiB | share of a core |\n| --- | --- | --- |\n");
    for (index, pid) in cluster.pids().into_iter().enumerate() {
        let share = (process::cpu_seconds(pid) - before[index]) / IDLE_SECONDS as f64 * 100.0;
        report.push_str(&format!("| {} | {:.0} | {share:.2} % |\n", index + 1, process::resident_mib(pid)));
    }
    Ok(report)
}

/// Loads about 1 GB, stops the node as an operator does, and times its next start up to the first answer.
pub fn start_with_data(program: &Path, directory: &Path) -> Result<String, String> {
    std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let (log, port) = (directory.join("log"), 15_701);
    let start = || {
        let mut command = Command::new(program);
        command
            .args(["start", "--listen", "127.0.0.1:15700", "--sql-listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(directory.join("data"));
        process::Running::start(&mut command, &log)
    };
    let node = start()?;
    first_answer(port)?;
    let begin = Instant::now();
    let mut loader = Loader::new(port)?;
    for _ in 0..PARTS {
        loader.copy(PART_ROWS)?;
    }
    let load_seconds = begin.elapsed().as_secs_f64();
    // What the load left to do in the background is part of a running node, not of its start.
    std::thread::sleep(Duration::from_secs(SETTLE_SECONDS));
    let disk = process::run(Command::new("du").arg("-sm").arg(directory.join("data")))?;
    process::run(Command::new("kill").arg(node.child.id().to_string()))?;
    let mut node = node;
    node.child.wait().map_err(|error| format!("the node did not end: {error}"))?;
    let begin = Instant::now();
    let node = start()?;
    first_answer(port)?;
    let took = begin.elapsed();
    let resident = process::resident_mib(node.child.id());
    let megabytes = disk.split_whitespace().next().unwrap_or("?");
    let rate = f64::from(PARTS * PART_ROWS) / load_seconds;
    Ok(format!(
        "start with {megabytes} MB on disk to the first query: {} ms, {resident:.0} MiB resident then (COPY of {} rows of 1 kB into one node: {rate:.0} rows/s)",
        took.as_millis(),
        PARTS * PART_ROWS,
    ))
}

fn first_answer(port: u16) -> Result<(), String> {
    let start = Instant::now();
    let mut last = String::new();
    while start.elapsed() < Duration::from_secs(START_SECONDS_MAX) {
        match pgbench::sql(port, "florin", "SELECT 1") {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(format!("no answer within {START_SECONDS_MAX} s: {last}"))
}
