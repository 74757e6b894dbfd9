//! A ledger that has many transfers already: does booking slow down, how much memory and disk does it take, how fast is a node back that was killed, and an account's newest entries.

use super::workloads::{Tool, Workload};
use super::{Options, Side, florin, ledger, median, pgbench, process};
use std::path::Path;
use std::time::{Duration, Instant};

/// Speed is told in windows of so long.
const WINDOW_SECONDS: u64 = 10;
/// Entries of the account whose newest are asked for.
const HISTORY: f64 = 1_000_000.0;
const QUESTIONS_SECONDS: u64 = 2;
const NEWEST: Workload = Workload {
    name: "stored-newest",
    what: "an account's newest 100 entries",
    tool: Tool::Pgbench(&["-c", "1", "-j", "1", "-M", "prepared"], Some(NEWEST_SCRIPT)),
    aim: 5.0,
};
const NEWEST_SCRIPT: &str =
    "SELECT * FROM ledger.entries WHERE account = '00000000-0000-0000-0000-000000000001' ORDER BY timestamp DESC, number DESC LIMIT 100;\n";
const SETTLE_SECONDS: u64 = 10;
const MILLION: f64 = 1_000_000.0;
/// A node does not take longer to start, or something is wrong.
const START_SECONDS_MAX: u64 = 120;

/// # Errors
/// What could not be started or run, a batch that was refused, or books that are wrong in the end.
pub fn measure(options: &Options, program: &Path, directory: &Path) -> Result<String, String> {
    let mut cluster = florin::Cluster::start_at(program, directory, 1, florin::FIRST_PORT, ledger::MEMORY)?;
    ledger::prepare(cluster.port())?;
    let mut booked = 0.0;
    while booked < HISTORY {
        booked += ledger::book(cluster.port(), 1, true)?.0;
    }
    let history = newest(&cluster, options)?;
    let wanted = f64::from(options.millions) * MILLION;
    let mut rates: Vec<(f64, f64)> = Vec::new();
    while booked < wanted {
        let start = Instant::now();
        let done = ledger::book(cluster.port(), WINDOW_SECONDS, false)?.0;
        booked += done;
        rates.push((booked / MILLION, done / start.elapsed().as_secs_f64()));
        println!("{:.1} million: {:.0} transfers/s", booked / MILLION, done / start.elapsed().as_secs_f64());
    }
    let peaks = cluster.memory_peak();
    std::thread::sleep(Duration::from_secs(SETTLE_SECONDS));
    let disk = process::run(std::process::Command::new("du").arg("-sm").arg(directory))?;
    let settled: Vec<f64> = cluster.pids().into_iter().map(process::resident_mib).collect();
    let later = newest(&cluster, options)?;
    // Killed while it books, so that it has something to make good.
    let killed = std::thread::scope(|scope| {
        let port = cluster.port();
        let load = scope.spawn(move || ledger::book(port, WINDOW_SECONDS, false));
        std::thread::sleep(Duration::from_secs(WINDOW_SECONDS / 2));
        cluster.kill(0);
        // It ends with the connection.
        drop(load.join());
        cluster.start_again(0)?;
        until_answered(&cluster)
    })?;
    let start = Instant::now();
    let again = ledger::book(cluster.port(), WINDOW_SECONDS, false)?.0 / start.elapsed().as_secs_f64();
    let audit = ledger::audit(&cluster);
    let quarter = (rates.len() / 4).max(1);
    let speed = |part: &[(f64, f64)]| median(part.iter().map(|(_, rate)| *rate).collect());
    let (first, last) = (speed(&rates[..quarter]), speed(&rates[rates.len() - quarter..]));
    let slowest = rates.iter().map(|(_, rate)| *rate).fold(f64::MAX, f64::min);
    Ok(format!(
        "{booked:.0} transfers stored in one node with {}: {first:.0} a second in the first quarter of windows of {WINDOW_SECONDS} s, {last:.0} in the last ({:.2}), {slowest:.0} in the slowest.\n\
Peak memory {:.0} MiB, {:.0} MiB {SETTLE_SECONDS} s after the load; {} MB on disk. Killed while it booked, the node answered after {} ms, and booked {again:.0} a second then.\n\
The newest 100 of an account's entries (a million and more): {history:.2} ms right after they were booked, {later:.2} ms in the end (means, one connection).\n\
`ledger.audit()` after the crash: {audit}.",
        ledger::MEMORY.join(" "),
        last / first,
        peaks[0],
        settled[0],
        disk.split_whitespace().next().unwrap_or("?"),
        killed.as_millis(),
    ))
}

/// The mean time of the question for an account's newest entries, in milliseconds.
fn newest(cluster: &florin::Cluster, options: &Options) -> Result<f64, String> {
    let cpu = || cluster.cpu_seconds();
    let side = Side { port: cluster.port(), user: "florin", cpu: &cpu };
    super::drive(&NEWEST, &options.lasting(QUESTIONS_SECONDS), &side, 0).map(|figure| figure.latency_ms)
}

/// Waits for a node that was just started.
fn until_answered(cluster: &florin::Cluster) -> Result<Duration, String> {
    let start = Instant::now();
    loop {
        match pgbench::sql(cluster.port(), "florin", "SELECT count(*) FROM ledger.ledgers") {
            Ok(_) => return Ok(start.elapsed()),
            Err(error) if start.elapsed() > Duration::from_secs(START_SECONDS_MAX) => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}
