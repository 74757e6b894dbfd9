//! PostgreSQL's own client programs, the same for both sides: psql and its load generator.

use super::process;
use super::workloads::Workload;
use super::{Figure, Options};
use std::io::Write as _;
use std::process::Command;

const SQL_SECONDS_MAX: u64 = 60;
const LOAD_SECONDS_MAX: u64 = 900;
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
    process::run(client("psql", port, user, SQL_SECONDS_MAX).args(["-XAtqc", statement, user]))
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
    let before = (side.cpu)();
    let said = process::run(command.arg(side.user))?;
    let after = (side.cpu)();
    let transactions = number_after(&said, "number of transactions actually processed: ")?;
    let failed = number_after(&said, "number of failed transactions: ")?;
    if failed > 0.0 {
        return Err(format!("pgbench: {failed} transactions failed:\n{said}"));
    }
    let (tps, latency_ms) = (number_after(&said, "tps = ")?, number_after(&said, "latency average = ")?);
    Ok(Figure::new(tps, latency_ms, transactions, &before, &after))
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
        let load =
            "done in 2.50 s (drop tables 0.01 s, create tables 0.02 s, client-side generate 1.50 s, vacuum 0.3 s, primary keys 0.75 s).";
        assert!((number_after(load, "primary keys ").expect("there") - 0.75).abs() < 1e-9);
    }
}
