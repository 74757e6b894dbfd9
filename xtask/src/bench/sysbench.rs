//! sysbench's tests, the same for both sides. Each side's tables are made once.

use super::pgbench::number_after;
use super::{Figure, Options, Side, process};
use std::process::Command;

const TABLES: &str = "4";
const ROWS: &str = "100000";
const THREADS: &str = "16";
const PREPARE_SECONDS_MAX: u64 = 300;
const LATE_SECONDS_MAX: u64 = 60;

fn command(test: &str, side: &Side, seconds_max: u64) -> Command {
    let mut command = process::bounded("sysbench", seconds_max);
    command.args([test, "--db-driver=pgsql", "--pgsql-host=127.0.0.1"]);
    command.args([format!("--pgsql-port={}", side.port), format!("--pgsql-user={}", side.user), format!("--pgsql-db={}", side.user)]);
    command.args([format!("--tables={TABLES}"), format!("--table-size={ROWS}")]);
    command
}

pub fn prepare(side: &Side) -> Result<(), String> {
    process::run(command("oltp_read_write", side, PREPARE_SECONDS_MAX).arg("prepare")).map(drop)
}

pub fn run(test: &str, options: &Options, side: &Side) -> Result<Figure, String> {
    let mut command = command(test, side, options.seconds + LATE_SECONDS_MAX);
    command.args([format!("--threads={THREADS}"), format!("--time={}", options.seconds)]);
    let before = (side.cpu)();
    let said = process::run(command.arg("run"))?;
    let after = (side.cpu)();
    let transactions = number_after(&said, "transactions:")?;
    let tps = transactions / number_after(&said, "total time:")?;
    Ok(Figure::new(tps, number_after(&said, "avg:")?, transactions, &before, &after))
}
