//! What a node costs when nobody asks anything, and how fast it starts.

use super::{florin, pgbench, process};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const IDLE_SECONDS: u64 = 20;
/// pgbench's scale 70 is about 1 GB in PostgreSQL.
const LARGE_SCALE: u32 = 70;
const START_SECONDS_MAX: u64 = 120;

pub fn measure(program: &Path, directory: &Path) -> Result<String, String> {
    let cluster = florin::Cluster::start(program, &directory.join("three"), 3)?;
    std::thread::sleep(Duration::from_secs(2));
    let before: Vec<f64> = cluster.pids().into_iter().map(process::cpu_seconds).collect();
    std::thread::sleep(Duration::from_secs(IDLE_SECONDS));
    let mut report = String::from("| idle node | resident MiB | share of a core |\n| --- | --- | --- |\n");
    for (index, pid) in cluster.pids().into_iter().enumerate() {
        let share = (process::cpu_seconds(pid) - before[index]) / IDLE_SECONDS as f64 * 100.0;
        report.push_str(&format!("| {} | {:.0} | {share:.2} % |\n", index + 1, process::resident_mib(pid)));
    }
    drop(cluster);
    report.push_str(&start_with_data(program, &directory.join("one"))?);
    Ok(report)
}

/// Loads about 1 GB, stops the node as an operator does, and times its next start up to the first answer.
fn start_with_data(program: &Path, directory: &Path) -> Result<String, String> {
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
    pgbench::load(port, "florin", LARGE_SCALE)?;
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
    Ok(format!("\nstart with {megabytes} MB of data to the first query: {} ms, {resident:.0} MiB resident then\n", took.as_millis()))
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
