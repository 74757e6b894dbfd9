//! PostgreSQL's own load generator, the same for both sides.

use super::{Options, Row, process};
use std::io::Write as _;
use std::process::Command;

#[derive(Clone, Copy, Debug)]
pub struct Figure {
    pub tps: f64,
    pub latency_ms: f64,
    /// Of all servers, for one transaction.
    pub cpu_ms: f64,
}

fn client(program: &str, port: u16, user: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["-h", "127.0.0.1", "-U", user, "-p", &port.to_string()]);
    command
}

pub fn sql(port: u16, user: &str, statement: &str) -> Result<String, String> {
    process::run(client("psql", port, user).args(["-XAtqc", statement, user]))
}

pub fn load(port: u16, user: &str, scale: u32) -> Result<(), String> {
    process::run(client("pgbench", port, user).args(["-i", "-q", "-s", &scale.to_string(), user])).map(|_| ())
}

pub fn run(row: &Row, options: &Options, port: u16, user: &str, cpu: impl Fn() -> f64) -> Result<Figure, String> {
    let mut command = client("pgbench", port, user);
    command.args(["-n", "-T", &options.seconds.to_string()]).args(row.arguments);
    let script = match row.script {
        Some(text) => Some(script_file(row.name, text)?),
        None => None,
    };
    if let Some(path) = &script {
        command.arg("-f").arg(path);
    }
    let before = cpu();
    let said = process::run(command.arg(user))?;
    let spent = cpu() - before;
    let tps = number_after(&said, "tps = ")?;
    let transactions = number_after(&said, "number of transactions actually processed: ")?;
    let failed = number_after(&said, "number of failed transactions: ")?;
    if failed > 0.0 {
        return Err(format!("pgbench: {failed} transactions failed:\n{said}"));
    }
    Ok(Figure { tps, latency_ms: number_after(&said, "latency average = ")?, cpu_ms: spent * 1000.0 / transactions.max(1.0) })
}

fn script_file(name: &str, text: &str) -> Result<std::path::PathBuf, String> {
    let path = std::env::temp_dir().join(format!("florin-bench-{}-{name}.sql", std::process::id()));
    let mut file = std::fs::File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    file.write_all(text.as_bytes()).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

fn number_after(text: &str, label: &str) -> Result<f64, String> {
    let rest = text.split_once(label).map(|(_, rest)| rest).ok_or_else(|| format!("pgbench did not print {label:?}:\n{text}"))?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest[..end].parse().map_err(|_| format!("pgbench printed no number after {label:?}:\n{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_what_pgbench_prints() {
        let said = "number of transactions actually processed: 1234\nnumber of failed transactions: 0 (0.000%)\nlatency average = 1.234 ms\ntps = 567.8 (without)";
        assert!((number_after(said, "tps = ").expect("there") - 567.8).abs() < 1e-9);
        assert!(number_after(said, "nothing").is_err());
    }
}
