//! The ledger beside a database that keeps accounts in SQL: packed batches, hot accounts and single transfers against PostgreSQL's TPC-B-like load.
//!
//! Florin runs as one node and as three nodes in one city; each round measures every work once, so ratios are of one run.

use super::workloads::{Tool, Workload};
use super::{Figure, Options, Side, florin, median, pgbench, postgres};
use ledger::packed::{encode_accounts, encode_transfers};
use ledger::{Account, Transfer};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

const ACCOUNTS: u128 = 10_000;
const BATCH: usize = 8_000;
/// Of each node: the resident memory is to stay below 1 GiB.
pub const MEMORY: &[&str] = &["--memory-mib", "512"];
/// Batches that a client has on their way: one is made and sent while the other runs.
const CLIENTS: usize = 2;
const AUDIT_SECONDS_MAX: u64 = 900;
const PEER: Workload = Workload {
    name: "tpcb",
    what: "TPC-B-like, prepared, 16 clients",
    tool: Tool::Pgbench(&["-c", "16", "-j", "2", "-M", "prepared"], None),
    aim: 1.0,
};
const SINGLE: Workload =
    Workload { name: "ledger-single", what: "one transfer a call, 64 connections", tool: Tool::Ledger(Load::Singles), aim: 10.0 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Packed batches over all accounts.
    Uniform,
    /// Packed batches on one pair of accounts.
    Hot,
    /// One transfer a call.
    Singles,
}

/// What `cargo xtask profile` knows of the ledger.
pub const ROWS: &[Workload] = &[
    Workload { name: "ledger", what: "packed batches of 8,000, 10,000 accounts", tool: Tool::Ledger(Load::Uniform), aim: 200.0 },
    Workload { name: "ledger-hot", what: "packed batches of 8,000 on one hot pair", tool: Tool::Ledger(Load::Hot), aim: 200.0 },
    SINGLE,
];
const SINGLES: &[&str] = &["-c", "64", "-j", "2", "-M", "prepared", pgbench::LOG];
const SINGLE_SCRIPT: &str = "\\set a random(1, 10000)\n\\set b 1 + (:a + random(0, 9998)) % 10000\n\
SELECT ledger.transfer(gen_random_uuid(), lpad(to_hex(:a::int), 32, '0')::uuid, lpad(to_hex(:b::int), 32, '0')::uuid, 1);\n";

/// The movement as an application does it that has no ledger, a message for each statement.
const STATEMENTS: Workload = Workload {
    name: "ledger-statements",
    what: "a movement as five statements on one hot pair, 16 clients, three nodes",
    tool: Tool::Pgbench(&["-c", "16", "-j", "2", "-M", "prepared"], Some(STATEMENTS_SCRIPT)),
    aim: 5.0,
};
const STATEMENTS_SCRIPT: &str = "BEGIN;\nUPDATE pgbench_accounts SET abalance = abalance - 1 WHERE aid = 1;\n\
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = 2;\n\
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, 2, 1, CURRENT_TIMESTAMP);\nCOMMIT;\n";

/// What is measured in each round, with its aim: how many times the peer's transactions a second.
const WORKS: [(&str, usize, Load, f64); 6] = [
    ("packed batches of 8,000, 10,000 accounts, one node", 0, Load::Uniform, 200.0),
    ("the same on one hot pair, one node", 0, Load::Hot, 200.0),
    ("single transfers, 64 connections, one node", 0, Load::Singles, 10.0),
    ("packed batches of 8,000, 10,000 accounts, three nodes", 1, Load::Uniform, 120.0),
    ("the same on one hot pair, three nodes", 1, Load::Hot, 120.0),
    ("single transfers, 64 connections, three nodes", 1, Load::Singles, 10.0),
];

/// # Errors
/// What could not be started or run.
pub fn measure(options: &Options, program: &Path, directory: &Path) -> Result<String, String> {
    let peer = postgres::Postgres::start(&directory.join("postgres"), true, "")?;
    let peer_cpu = || peer.cpu_seconds();
    let theirs = Side { port: peer.port(), user: "postgres", cpu: &peer_cpu };
    pgbench::load(theirs.port, theirs.user, options.scale)?;
    let one = florin::Cluster::start_at(program, &directory.join("one"), 1, florin::SECOND_PORT, MEMORY)?;
    let three = florin::Cluster::start_at(program, &directory.join("three"), 3, florin::FIRST_PORT, MEMORY)?;
    let clusters = [&one, &three];
    for cluster in clusters {
        prepare(cluster.port())?;
    }
    pgbench::load(three.port(), "florin", options.scale)?;
    let mut statements = [Vec::new(), Vec::new()];
    let mut tps = vec![Vec::new(); WORKS.len() + 1];
    let mut latency = vec![Vec::new(); WORKS.len() + 1];
    let mut p99 = vec![Vec::new(); WORKS.len() + 1];
    for _ in 0..options.rounds {
        let figure = pgbench::run(&PEER, &["-c", "16", "-j", "2", "-M", "prepared"], None, options, &theirs)?;
        tps[0].push(figure.tps);
        latency[0].push(figure.latency_ms);
        for (at, (what, cluster, load, _)) in WORKS.iter().enumerate() {
            let cluster = clusters[*cluster];
            let cpu = || cluster.cpu_seconds();
            let figure = drive(*load, options, &Side { port: cluster.port(), user: "florin", cpu: &cpu })?;
            println!("{:.0} a second: {what}", figure.tps);
            tps[at + 1].push(figure.tps);
            latency[at + 1].push(figure.latency_ms);
            p99[at + 1].extend(figure.p99_ms);
        }
        let cpu = || three.cpu_seconds();
        for (at, side) in [Side { port: three.port(), user: "florin", cpu: &cpu }, Side { ..theirs }].iter().enumerate() {
            statements[at].push(super::drive(&STATEMENTS, options, side, 0)?.tps);
        }
    }
    let mut said =
        "| ledger | transfers/s | latency ms, mean (p99) | × PostgreSQL's TPC-B-like tps (rounds) | aim |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    said.push_str(&format!(
        "| PostgreSQL, TPC-B-like, 16 clients | {:.0} | {:.2} | 1 | |\n",
        median(tps[0].clone()),
        median(latency[0].clone())
    ));
    for (at, (what, _, _, aim)) in WORKS.iter().enumerate() {
        let ratios: Vec<f64> = tps[at + 1].iter().zip(&tps[0]).map(|(ours, theirs)| ours / theirs).collect();
        let (low, high) = ratios.iter().fold((f64::MAX, 0.0f64), |(low, high), ratio| (low.min(*ratio), high.max(*ratio)));
        let rate = median(tps[at + 1].clone());
        let p99 = if p99[at + 1].is_empty() { String::new() } else { format!(" ({:.1})", median(p99[at + 1].clone())) };
        said.push_str(&format!(
            "| {what} | {rate:.0} | {:.2}{p99} | {:.1} ({low:.1}–{high:.1}) | {aim} |\n",
            median(latency[at + 1].clone()),
            rate / median(tps[0].clone()),
        ));
    }
    let [ours, others] = statements.map(median);
    said.push_str(&format!(
        "| {}: {ours:.0} against {others:.0} | {ours:.0} | | {:.1} times the same there | {} |\n",
        STATEMENTS.what,
        ours / others,
        STATEMENTS.aim
    ));
    for (name, cluster) in [("one node", &one), ("three nodes", &three)] {
        let peaks: Vec<String> = cluster.memory_peak().iter().map(|mib| format!("{mib:.0}")).collect();
        said.push_str(&format!("\nPeak memory, {name}: {} MiB.\n", peaks.join(", ")));
        let audit = audit(cluster);
        said.push_str(&format!("`ledger.audit()`, {name}: {audit}.\n"));
    }
    Ok(said)
}

/// What the database says of its own books, and how long it took.
pub fn audit(cluster: &florin::Cluster) -> String {
    let start = Instant::now();
    match pgbench::sql_for(AUDIT_SECONDS_MAX, cluster.port(), "florin", "SELECT ledger.audit()") {
        Ok(findings) if findings.trim().is_empty() => format!("no findings in {:.1} s", start.elapsed().as_secs_f64()),
        Ok(findings) => findings.trim().to_owned(),
        Err(error) => format!("did not end: {error}"),
    }
}

/// Opens the accounts.
pub fn prepare(port: u16) -> Result<(), String> {
    wait(open_books(port))
}

/// Runs a load for `options.seconds`; a transaction is a transfer here.
pub fn drive(load: Load, options: &Options, side: &Side) -> Result<Figure, String> {
    if load == Load::Singles {
        return pgbench::run(&SINGLE, SINGLES, Some(SINGLE_SCRIPT), options, side);
    }
    let before = (side.cpu)();
    let start = Instant::now();
    let (done, latency_ms) = book(side.port, options.seconds, load == Load::Hot)?;
    let tps = done / start.elapsed().as_secs_f64();
    Ok(Figure::new(tps, latency_ms, done, &before, &(side.cpu)()))
}

fn wait<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| format!("runtime: {error}"))?;
    runtime.block_on(work)
}

async fn connect(port: u16) -> Result<Client, String> {
    let parameters = format!("host=127.0.0.1 port={port} user=florin dbname=florin");
    let (client, connection) = tokio_postgres::connect(&parameters, NoTls).await.map_err(|error| format!("connect: {error}"))?;
    // It ends with the client, and what goes wrong in it is told to whoever waits for an answer.
    tokio::spawn(connection);
    Ok(client)
}

fn told(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |said| format!("{} ({})", said.message(), said.code().code()))
}

async fn open_books(port: u16) -> Result<(), String> {
    let client = connect(port).await?;
    client.batch_execute("SELECT ledger.define('{\"id\": 1, \"name\": \"bench\"}')").await.map_err(|error| told(&error))?;
    let statement = client.prepare("SELECT ledger.create_accounts($1)").await.map_err(|error| told(&error))?;
    let accounts: Vec<Account> = (1..=ACCOUNTS).map(|id| Account { id, ledger: 1, code: 1, ..Account::default() }).collect();
    for accounts in accounts.chunks(BATCH) {
        send(&client, &statement, &encode_accounts(accounts)).await?;
    }
    Ok(())
}

/// Sends a batch.
///
/// # Errors
/// If any event was refused.
async fn send(client: &Client, statement: &tokio_postgres::Statement, packed: &[u8]) -> Result<(), String> {
    let parameters: [&(dyn ToSql + Sync); 1] = [&packed];
    let row = client.query_one(statement, &parameters).await.map_err(|error| told(&error))?;
    let outcomes: Vec<u8> = row.try_get(0).map_err(|error| error.to_string())?;
    let (records, _) = outcomes.as_chunks::<16>();
    match records.iter().find(|record| record[8..12] != [0; 4]) {
        None if records.len() == packed.len() / 128 => Ok(()),
        None => Err(format!("{} outcomes for {} events", records.len(), packed.len() / 128)),
        Some(record) => {
            Err(format!("an event was refused with code {}", u32::from_le_bytes([record[8], record[9], record[10], record[11]])))
        }
    }
}

/// Books batches for so long: the transfers that were booked, and the mean latency of a batch in milliseconds.
pub fn book(port: u16, seconds: u64, hot: bool) -> Result<(f64, f64), String> {
    wait(batches(port, seconds, hot))
}

async fn batches(port: u16, seconds: u64, hot: bool) -> Result<(f64, f64), String> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut tasks = Vec::new();
    for number in 0..CLIENTS {
        let client = connect(port).await?;
        let statement = client.prepare("SELECT ledger.create_transfers($1)").await.map_err(|error| told(&error))?;
        tasks.push(tokio::spawn(async move {
            let mut random = Random::new(number);
            let (mut done, mut spent) = (0usize, 0.0f64);
            while Instant::now() < end {
                let packed = encode_transfers(&random.transfers(hot));
                let sent = Instant::now();
                send(&client, &statement, &packed).await?;
                spent += sent.elapsed().as_secs_f64() * 1000.0;
                done += 1;
            }
            Ok::<_, String>((done, spent))
        }));
    }
    let (mut done, mut spent) = (0, 0.0);
    for task in tasks {
        let (batches, ms) = task.await.map_err(|error| error.to_string())??;
        done += batches;
        spent += ms;
    }
    Ok(((done * BATCH) as f64, spent / done as f64))
}

/// Time-ordered ids, as clients make them, and accounts drawn uniformly.
struct Random {
    state: u64,
    next_id: u128,
}

impl Random {
    fn new(client: usize) -> Random {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let micros = since_1970.as_micros();
        Random { state: micros as u64 ^ (client as u64) << 60 | 1, next_id: micros << 72 | (client as u128) << 64 }
    }

    /// xorshift64*, Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).
    fn below(&mut self, bound: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) % bound
    }

    fn transfers(&mut self, hot: bool) -> Vec<Transfer> {
        let transfer = |random: &mut Random| {
            random.next_id += 1;
            let (debit, credit) = if hot {
                (1, 2)
            } else {
                let debit = random.below(ACCOUNTS as u64);
                let credit = random.below(ACCOUNTS as u64 - 1);
                (debit, if credit < debit { credit } else { credit + 1 })
            };
            Transfer {
                id: random.next_id,
                debit_account: u128::from(debit) + 1 - u128::from(hot),
                credit_account: u128::from(credit) + 1 - u128::from(hot),
                amount: 1,
                ledger: 1,
                code: 1,
                ..Transfer::default()
            }
        };
        (0..BATCH).map(|_| transfer(self)).collect()
    }
}
