//! Clients that insert rows while things break, and remember what they were told.

use super::cluster::Cluster;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

const CLIENTS: usize = 6;
const ANSWER_MAX: Duration = Duration::from_millis(900);
const CONNECT_MAX: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Default)]
struct Notes {
    /// (client, number) of rows whose commit was acknowledged, with the moment.
    acknowledged: BTreeMap<(usize, u64), Instant>,
    /// Rows that were tried; the answer may have been lost.
    tried: BTreeMap<(usize, u64), u32>,
    unexpected: Vec<String>,
    /// Every attempt that failed, for whatever reason.
    failed: Vec<(Instant, String)>,
}

pub struct Traffic {
    notes: Arc<Mutex<Notes>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// What the clients were told.
pub struct Told {
    notes: Notes,
}

impl Traffic {
    pub fn start(cluster: &Cluster) -> Traffic {
        cluster.sql("DROP TABLE IF EXISTS marks, totals").expect("the cluster serves");
        cluster.sql("CREATE TABLE marks (client int, number bigint, PRIMARY KEY (client, number))").expect("the cluster serves");
        cluster.sql("CREATE TABLE totals (client int PRIMARY KEY, count bigint NOT NULL)").expect("the cluster serves");
        for client in 0..CLIENTS {
            cluster.sql(&format!("INSERT INTO totals VALUES ({client}, 0)")).expect("the cluster serves");
        }
        let (notes, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let addresses = cluster.sql_parameters();
        let threads = (0..CLIENTS).map(|client| {
            let (notes, stop, addresses) = (Arc::clone(&notes), Arc::clone(&stop), addresses.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
                runtime.block_on(insert_all(client, &addresses, &notes, &stop));
            })
        });
        let threads = threads.collect();
        Traffic { notes, stop, threads }
    }

    pub fn now(&self) -> Instant {
        Instant::now()
    }

    pub fn stop(mut self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        std::mem::take(&mut self.threads).into_iter().for_each(|thread| thread.join().expect("a client does not panic"));
        Told { notes: std::mem::take(&mut self.notes.lock().expect("no holder panics")) }
    }
}

/// A scenario that fails leaves no traffic to the next one.
impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

async fn connect(parameters: &str) -> Option<Client> {
    let (client, driver) = timeout(CONNECT_MAX, tokio_postgres::connect(parameters, NoTls)).await.ok()?.ok()?;
    tokio::spawn(driver);
    Some(client)
}

/// Inserts (client, 0), (client, 1), … each with an update of the client's own counter in one transaction; a row whose answer was lost
/// is tried again until it is there, and then counts as acknowledged.
async fn insert_all(client: usize, addresses: &[String], notes: &Mutex<Notes>, stop: &AtomicBool) {
    let mut at = client;
    let mut connection: Option<Client> = None;
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let Some(open) = &connection else {
            connection = connect(&addresses[at % addresses.len()]).await;
            if connection.is_none() {
                at += 1;
                tokio::time::sleep(PAUSE).await;
            }
            continue;
        };
        *notes.lock().expect("no holder panics").tried.entry((client, number)).or_default() += 1;
        let sql = format!(
            "BEGIN; INSERT INTO marks VALUES ({client}, {number}); UPDATE totals SET count = count + 1 WHERE client = {client}; COMMIT"
        );
        let answer = timeout(ANSWER_MAX, open.batch_execute(&sql)).await;
        let state = match &answer {
            Ok(Err(error)) => error.code().map(|code| code.code().to_owned()),
            _ => None,
        };
        if !matches!(answer, Ok(Ok(()))) {
            notes.lock().expect("no holder panics").failed.push((Instant::now(), format!("client {client}: {answer:?}")));
        }
        match (answer, state.as_deref()) {
            (Ok(Ok(())), _) | (_, Some("23505")) => {
                notes.lock().expect("no holder panics").acknowledged.insert((client, number), Instant::now());
                number += 1;
                if state.is_some() && open.batch_execute("ROLLBACK").await.is_err() {
                    connection = None;
                }
            }
            (_, Some(code)) => {
                let allowed = ["40001", "40P01", "57P01", "57P03", "53100", "57014", "25P02", "08006"].contains(&code);
                if !allowed {
                    notes.lock().expect("no holder panics").unexpected.push(code.to_owned());
                }
                if timeout(ANSWER_MAX, open.batch_execute("ROLLBACK")).await.map_or(true, |answer| answer.is_err()) {
                    connection = None;
                }
                at += 1;
                tokio::time::sleep(PAUSE).await;
            }
            _ => {
                connection = None;
                at += 1;
            }
        }
    }
}

impl Told {
    pub fn acknowledged(&self) -> usize {
        self.notes.acknowledged.len()
    }

    pub fn failures_between(&self, from: Instant, until: Instant) -> Vec<&str> {
        self.notes.failed.iter().filter(|(at, _)| (from..=until).contains(at)).map(|(_, what)| what.as_str()).collect()
    }

    pub fn longest_gap(&self, from: Instant, until: Instant) -> Duration {
        let mut moments: Vec<Instant> = self.notes.acknowledged.values().copied().collect();
        moments.sort();
        let first = moments.partition_point(|at| *at < from).saturating_sub(1);
        let last = moments.partition_point(|at| *at < until);
        let mut inside: Vec<Instant> = moments[first..(last + 1).min(moments.len())].to_vec();
        if last == moments.len() {
            inside.push(until);
        }
        inside.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(until - from)
    }

    /// Every acknowledged row is there; every row that is there was tried; counters count what is there, once.
    pub fn check_rows(&self, cluster: &Cluster) {
        assert!(self.notes.unexpected.is_empty(), "errors that no client should see: {:?}", self.notes.unexpected);
        let rows = cluster.rows("SELECT client, number FROM marks");
        let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
        let mut found = std::collections::BTreeSet::new();
        for row in rows {
            let key = (row[0].parse().expect("a number"), row[1].parse().expect("a number"));
            assert!(self.notes.tried.contains_key(&key), "{key:?} is there and nobody inserted it");
            assert!(found.insert(key), "{key:?} is there twice");
            *counts.entry(key.0).or_default() += 1;
        }
        let lost: Vec<_> = self.notes.acknowledged.keys().filter(|key| !found.contains(key)).collect();
        assert!(lost.is_empty(), "{} acknowledged rows are lost, the first: {:?}", lost.len(), &lost[..lost.len().min(5)]);
        for row in cluster.rows("SELECT client, count FROM totals") {
            let client: usize = row[0].parse().expect("a number");
            assert_eq!(
                row[1].parse::<u64>().expect("a number"),
                counts.get(&client).copied().unwrap_or(0),
                "client {client}: its counter and its rows differ"
            );
        }
        assert!(self.acknowledged() > 0, "the traffic never got anything done");
    }
}
