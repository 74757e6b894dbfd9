//! What a client notices of work behind the scenes: the 99th percentile of the TPC-B-like transaction's time while rows are flushed and merged, while a load runs, and
//! while a replica that lost everything gets its shards' snapshots, beside the same with nothing of that kind going on.

use super::kilobytes::Loader;
use super::{Options, florin, median, overload, percentile, pgbench};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const CLIENTS: usize = 16;
/// Of a kilobyte each.
const ROWS: u32 = 200_000;
/// A COPY of so many rows after the other, while it is measured.
const PART_ROWS: u32 = 20_000;
const TRANSFER_SECONDS_MAX: u64 = 300;
/// What the percentile may grow to, in times of the quiet one.
const AIM: f64 = 2.0;
/// Loses everything and comes back empty; the first node is the one that clients ask.
const LOST: usize = 2;

struct Phase {
    what: &'static str,
    /// Of each round.
    p99_ms: Vec<f64>,
    max_ms: Vec<f64>,
    tps: Vec<f64>,
}

impl Phase {
    fn new(what: &'static str) -> Phase {
        Phase { what, p99_ms: Vec::new(), max_ms: Vec::new(), tps: Vec::new() }
    }

    fn run(&mut self, cluster: &florin::Cluster, options: &Options) -> Result<(), String> {
        let mut outcome = overload::run(cluster, CLIENTS, None, options)?;
        if !outcome.errors.is_empty() {
            return Err(format!("{}: transactions failed: {:?}", self.what, outcome.errors));
        }
        outcome.latencies.sort_by(f64::total_cmp);
        self.p99_ms.push(percentile(&outcome.latencies, 0.99));
        self.max_ms.push(percentile(&outcome.latencies, 1.0));
        self.tps.push(outcome.tps);
        Ok(())
    }
}

/// # Errors
/// What could not be started or run, or a transaction that failed.
pub fn measure(program: &Path, directory: &Path, options: &Options) -> Result<String, String> {
    let mut cluster = florin::Cluster::start(program, directory, 3)?;
    pgbench::load(cluster.port(), "florin", options.scale)?;
    let mut loader = Loader::new(cluster.port())?;
    let mut quiet = Phase::new("nothing else");
    let mut after = Phase::new("flushes and merges of 200 MB that were just loaded");
    let mut beside = Phase::new("a COPY of rows of 1 kB");
    let mut snapshot = Phase::new("a replica gets all shards anew");
    let mut seconds = Vec::new();
    for _ in 0..options.rounds {
        quiet.run(&cluster, options)?;
        loader.copy(ROWS)?;
        after.run(&cluster, options)?;
        let measured = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                while !measured.load(Ordering::Relaxed) {
                    loader.copy(PART_ROWS)?;
                }
                Ok::<_, String>(())
            });
            let outcome = beside.run(&cluster, options);
            measured.store(true, Ordering::Relaxed);
            load.join().map_err(|_| "the load panicked".to_owned())??;
            outcome
        })?;
        cluster.replace(LOST)?;
        let start = Instant::now();
        while !cluster.is_ready()? {
            snapshot.run(&cluster, options)?;
            if start.elapsed() > Duration::from_secs(TRANSFER_SECONDS_MAX) {
                return Err(format!("the replaced node has no replicas after {TRANSFER_SECONDS_MAX} s"));
            }
        }
        seconds.push(start.elapsed().as_secs_f64());
    }
    let mut said = table(&[quiet, after, beside, snapshot]);
    said.push_str(&format!(
        "\nA replaced node voted for all shards again after {:.0} s (median; measured in steps of {} s).\n",
        median(seconds),
        options.seconds
    ));
    Ok(said)
}

fn table(phases: &[Phase]) -> String {
    let mut said =
        "| stalls: TPC-B-like, 16 clients, beside | tps | p99, ms | max, ms | p99 against nothing else (each) | aim |\n".to_owned();
    said.push_str("| --- | --- | --- | --- | --- | --- |\n");
    let quiet = phases.first().map_or(f64::NAN, |phase| median(phase.p99_ms.clone()));
    for phase in phases {
        let each: Vec<String> = phase.p99_ms.iter().map(|p99| format!("{:.2}", p99 / quiet)).collect();
        let p99 = median(phase.p99_ms.clone());
        let max = phase.max_ms.iter().copied().fold(0.0, f64::max);
        said.push_str(&format!(
            "| {} | {:.0} | {p99:.1} | {max:.0} | {:.2} ({}) | {AIM} |\n",
            phase.what,
            median(phase.tps.clone()),
            p99 / quiet,
            each.join(", ")
        ));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_told_in_times_of_the_quiet_one() {
        let phase = |what, p99_ms: &[f64]| Phase { what, p99_ms: p99_ms.to_vec(), max_ms: vec![50.0], tps: vec![100.0] };
        let said = table(&[phase("nothing else", &[10.0, 12.0, 8.0]), phase("a load", &[15.0, 25.0, 30.0])]);
        assert!(said.ends_with("| a load | 100 | 25.0 | 50 | 2.50 (1.50, 2.50, 3.00) | 2 |\n"), "{said}");
    }
}
