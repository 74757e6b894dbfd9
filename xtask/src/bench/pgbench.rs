//! PostgreSQL's own client programs, the same for both sides: psql and its load generator.

use super::process;
use super::workloads::Workload;
use super::{Figure, Options, percentile};
use std::io::Write as _;
use std::process::Command;

const SQL_SECONDS_MAX: u64 = 60;
const LOAD_SECONDS_MAX: u64 = 900;
/// Among the arguments: the time of each transaction is logged, for its 99th percentile.
pub const LOG: &str = "--log";
/// Beyond the time that a run is given.
const LATE_SECONDS_MAX: u64 = 60;

/// What `pgbench -i` says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub copy_seconds: f64,
    pub keys_seconds: f64,
}

pub fn client(program: &str, port: u16, user: &str, seconds_max: u64) -> Command {
    let mut command = process::bounded(program, seconds_max);
    command.args(["-h", "127.0.0.1", "-U", user, "-p", &port.to_string()]);
    command
}

pub fn sql(port: u16, user: &str, statement: &str) -> Result<String, String> {
    sql_for(SQL_SECONDS_MAX, port, user, statement)
}

/// A statement that may take longer than others.
pub fn sql_for(seconds_max: u64, port: u16, user: &str, statement: &str) -> Result<String, String> {
    process::run(client("psql", port, user, seconds_max).args(["-XAtqc", statement, user]))
}

pub fn load(port: u16, user: &str, scale: u32) -> Result<Load, String> {
    let mut command = client("pgbench", port, user, LOAD_SECONDS_MAX);
    let said = process::run_heard(command.args(["-i", "-q", "-s", &scale.to_string(), user]))?.1;
    Ok(Load { copy_seconds: number_after(&said, "client-side generate ")?, keys_seconds: number_after(&said, "primary keys ")? })
}

pub fn run(workload: &Workload, arguments: &[&str], script: Option<&str>, options: &Options, side: &super::Side) -> Result<Figure, String> {
    let mut command = client("pgbench", side.port, side.user, options.seconds + LATE_SECONDS_MAX);
    command.args(["-n", "-T", &options.seconds.to_string()]).args(arguments);
    if let Some(text) = script {
        command.arg("-f").arg(script_file(workload.name, text)?);
    }
    let logs = arguments.contains(&LOG).then(|| LogDirectory::new(workload.name)).transpose()?;
    if let Some(logs) = &logs {
        command.current_dir(&logs.0);
    }
    let before = (side.cpu)();
    let said = process::run(command.arg(side.user))?;
    let after = (side.cpu)();
    let transactions = number_after(&said, "number of transactions actually processed: ")?;
    let failed = number_after(&said, "number of failed transactions: ")?;
    if failed > 0.0 {
        return Err(format!("pgbench: {failed} transactions failed:\n{said}"));
    }
    let (tps, latency_ms) = (number_after(&said, "tps = ")?, number_after(&said, "latency average = ")?);
    let p99_ms = logs.map(|logs| logs.p99_ms()).transpose()?;
    Ok(Figure { p99_ms, ..Figure::new(tps, latency_ms, transactions, &before, &after) })
}

/// Where pgbench writes the time of each transaction; removed when this is dropped.
struct LogDirectory(std::path::PathBuf);

impl LogDirectory {
    fn new(name: &str) -> Result<LogDirectory, String> {
        let path = std::env::temp_dir().join(format!("florin-bench-{}-{name}.log", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(LogDirectory(path))
    }

    fn p99_ms(&self) -> Result<f64, String> {
        let failed = |error| format!("{}: {error}", self.0.display());
        let mut latencies = Vec::new();
        for file in std::fs::read_dir(&self.0).map_err(failed)? {
            latencies.extend(latencies_ms(&std::fs::read_to_string(file.map_err(failed)?.path()).map_err(failed)?)?);
        }
        latencies.sort_by(f64::total_cmp);
        Ok(percentile(&latencies, 0.99))
    }
}

impl Drop for LogDirectory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// Of pgbench's log: a line for each transaction, whose third field is its time in microseconds (pgbench(1), "Per-Transaction Logging").
fn latencies_ms(log: &str) -> Result<Vec<f64>, String> {
    let time = |line: &str| line.split(' ').nth(2).and_then(|field| field.parse::<f64>().ok()).map(|micros| micros / 1000.0);
    log.lines().map(|line| time(line).ok_or_else(|| format!("pgbench logged no time: {line:?}"))).collect()
}

fn script_file(name: &str, text: &str) -> Result<std::path::PathBuf, String> {
    let path = std::env::temp_dir().join(format!("florin-bench-{}-{name}.sql", std::process::id()));
    let mut file = std::fs::File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    file.write_all(text.as_bytes()).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// The first number after a label in what a program printed.
pub fn number_after(text: &str, label: &str) -> Result<f64, String> {
    let rest = text.split_once(label).map(|(_, rest)| rest.trim_start()).ok_or_else(|| format!("nothing printed {label:?}:\n{text}"))?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest[..end].parse().map_err(|_| format!("no number was printed after {label:?}:\n{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_what_pgbench_prints() {
        let said = "number of transactions actually processed: 1234\nnumber of failed transactions: 0 (0.000%)\nlatency average = 1.234 ms\ntps = 567.8 (without)";
        assert!((number_after(said, "tps = ").expect("there") - 567.8).abs() < 1e-9);
        assert!(number_after(said, "nothing").is_err());
        assert_eq!(latencies_ms("0 1 2500 0 1790000000 1\n1 1 500 0 1790000000 2\n"), Ok(vec![2.5, 0.5]));
        assert!(latencies_ms("0 1 failed 0 1 2\n").is_err());
        let load =
            "done in 2.50 s (drop tables 0.01 s, create tables 0.02 s, client-side generate 1.50 s, vacuum 0.3 s, primary keys 0.75 s).";
        assert!((number_after(load, "primary keys ").expect("there") - 0.75).abs() < 1e-9);
    }
}
