//! How long nobody can commit when the leading data centre's cable is cut, seen from outside: the longest gap between two commits.

use super::{florin, median, pgbench};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_postgres::NoTls;

const CLIENTS: usize = 6;
/// A client gives up on a silent node after this and goes to the next.
const ANSWER_MILLIS_MAX: u64 = 700;
/// How long a cut lasts, and how long after it the cluster may settle.
const CUT_MILLIS: u64 = 3_500;
const SETTLE_MILLIS: u64 = 4_000;

pub fn measure(program: &Path, directory: &Path, cuts: usize) -> Result<String, String> {
    let mut cluster = florin::Cluster::start(program, directory, 3)?;
    pgbench::sql(cluster.port(), "florin", "CREATE TABLE beat (client int PRIMARY KEY, n bigint NOT NULL)")?;
    for client in 0..CLIENTS {
        pgbench::sql(cluster.port(), "florin", &format!("INSERT INTO beat VALUES ({client}, 0)"))?;
    }
    let commits = Arc::new(Mutex::new(Vec::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let ports = cluster.sql_ports();
    let beating = {
        let (commits, stop) = (Arc::clone(&commits), Arc::clone(&stop));
        std::thread::spawn(move || beat(&ports, &commits, &stop))
    };
    std::thread::sleep(Duration::from_millis(SETTLE_MILLIS));
    let mut gaps = Vec::new();
    for _ in 0..cuts {
        let zone = leading_zone(&cluster)?;
        let from = Instant::now();
        cluster.cut(&[&zone])?;
        std::thread::sleep(Duration::from_millis(CUT_MILLIS));
        gaps.push(longest_gap(&commits.lock().expect("no holder panics"), from, Instant::now()).as_secs_f64() * 1000.0);
        cluster.cut(&[])?;
        std::thread::sleep(Duration::from_millis(SETTLE_MILLIS));
    }
    stop.store(true, Ordering::Relaxed);
    beating.join().map_err(|_| "the clients of the failover bench panicked")??;
    let worst = gaps.iter().copied().fold(0.0, f64::max);
    let list: Vec<String> = gaps.iter().map(|gap| format!("{gap:.0}")).collect();
    Ok(format!("failover by zone cut, {cuts} times: median {:.0} ms, worst {worst:.0} ms ({})", median(gaps), list.join(", ")))
}

fn leading_zone(cluster: &florin::Cluster) -> Result<String, String> {
    let question = "SELECT zone FROM florin.nodes JOIN florin.shards ON florin.nodes.node = florin.shards.leader WHERE shard = 0";
    let mut last = String::new();
    for port in cluster.sql_ports() {
        match pgbench::sql(port, "florin", question) {
            Ok(zone) if !zone.trim().is_empty() => return Ok(zone.trim().to_owned()),
            Ok(said) | Err(said) => last = said,
        }
    }
    Err(format!("nobody says who leads: {last}"))
}

fn longest_gap(commits: &[Instant], from: Instant, to: Instant) -> Duration {
    let first = commits.partition_point(|at| *at < from).saturating_sub(1);
    let inside = commits[first.min(commits.len())..].iter().copied().chain([to]);
    let mut before = None;
    let mut longest = Duration::ZERO;
    for at in inside {
        if let Some(before) = before.replace(at) {
            longest = longest.max(at.saturating_duration_since(before));
        }
    }
    longest
}

fn beat(ports: &[u16], commits: &Mutex<Vec<Instant>>, stop: &AtomicBool) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| format!("runtime: {error}"))?;
    runtime.block_on(async {
        let clients = (0..CLIENTS).map(|client| beat_one(client, ports, commits, stop));
        let mut all: Vec<std::pin::Pin<Box<dyn Future<Output = ()>>>> = clients.map(|future| Box::pin(future) as _).collect();
        std::future::poll_fn(|context| {
            all.retain_mut(|future| future.as_mut().poll(context).is_pending());
            if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    });
    Ok(())
}

async fn beat_one(client: usize, ports: &[u16], commits: &Mutex<Vec<Instant>>, stop: &AtomicBool) {
    let sql = format!("UPDATE beat SET n = n + 1 WHERE client = {client}");
    let mut at = client;
    while !stop.load(Ordering::Relaxed) {
        at += 1;
        let parameters = format!("host=127.0.0.1 port={} user=florin dbname=florin", ports[at % ports.len()]);
        let bound = Duration::from_millis(ANSWER_MILLIS_MAX);
        let Ok(Ok((connection, driver))) = tokio::time::timeout(bound, tokio_postgres::connect(&parameters, NoTls)).await else { continue };
        let driver = tokio::spawn(driver);
        while !stop.load(Ordering::Relaxed) {
            match tokio::time::timeout(bound, connection.batch_execute(&sql)).await {
                Ok(Ok(())) => commits.lock().expect("no holder panics").push(Instant::now()),
                // Refused: the same node may do it in a moment.
                Ok(Err(error)) if error.code().is_some() => tokio::time::sleep(Duration::from_millis(10)).await,
                _ => break,
            }
        }
        driver.abort();
    }
}
