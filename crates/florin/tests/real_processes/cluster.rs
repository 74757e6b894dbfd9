//! The five processes: starting, killing, restarting, replacing, asking.

use super::network::Network;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio_postgres::{NoTls, SimpleQueryMessage};

const NODES: usize = 5;
const PLACES: [(&str, &str); NODES] = [("amber", "a1"), ("amber", "a2"), ("birch", "b1"), ("birch", "b2"), ("cedar", "c1")];
const READY_MAX: Duration = Duration::from_secs(40);
/// Each node's data lies on a file system of its own, so that one can fill up.
const DISK_MIB: u32 = 512;
const PASSWORD: &str = "a test's password";

pub struct Cluster {
    directory: PathBuf,
    network: Network,
    token: String,
    children: Vec<Option<Child>>,
}

impl Cluster {
    /// `None`, after saying why, where namespaces cannot be made.
    pub fn start(name: &str) -> Option<Cluster> {
        let network = match Network::make(NODES) {
            Ok(network) => network,
            Err(reason) => {
                println!("skipped: {reason}");
                return None;
            }
        };
        let directory = std::env::temp_dir().join(format!("florin-{name}-{}", std::process::id()));
        let mut cluster = Cluster { directory, network, token: String::new(), children: (0..NODES).map(|_| None).collect() };
        for node in 0..NODES {
            std::fs::create_dir_all(cluster.data(node)).expect("the temporary directory is writable");
            let size = format!("size={DISK_MIB}m");
            run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(cluster.data(node)));
        }
        let made = run(Command::new(program()).args(["cluster", "init", "--json", "--mode", "3c5dc", "--data"]).arg(cluster.data(0)));
        let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
        cluster.token = made["token"].as_str().expect("a token").to_owned();
        cluster.spawn(0, false);
        cluster.set_password();
        (1..NODES).for_each(|node| cluster.spawn(node, true));
        cluster.wait_until_whole();
        Some(cluster)
    }

    pub fn len(&self) -> usize {
        NODES
    }

    pub fn data(&self, node: usize) -> PathBuf {
        self.directory.join(format!("node{node}"))
    }

    fn log(&self, node: usize) -> PathBuf {
        self.directory.join(format!("node{node}.log"))
    }

    fn spawn(&mut self, node: usize, join: bool) {
        let address = self.network.address(node + 1);
        let (city, zone) = PLACES[node];
        let mut command = self.network.command(node + 1, program());
        command.args([
            "start",
            "--control",
            "stdin",
            "--city",
            city,
            "--zone",
            zone,
            "--listen",
            &format!("{address}:5434"),
            "--sql-listen",
            "0.0.0.0:5433",
        ]);
        command
            .args([
                "--advertise",
                &format!("{address}:5434"),
                "--sql-advertise",
                &format!("{address}:5433"),
                "--memory-mib",
                "64",
                "--data",
            ])
            .arg(self.data(node));
        if join {
            let other = if node == 0 { 2 } else { 1 };
            command.args(["--join", &format!("{}:5434", self.network.address(other)), "--token", &self.token, "--join-retry"]);
        }
        let log = File::options().create(true).append(true).open(self.log(node)).expect("writable");
        command.stdin(Stdio::piped()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        self.children[node] = Some(command.spawn().expect("the program was built"));
    }

    /// From the node's own loopback no password is asked as long as there is none.
    fn set_password(&self) {
        let start = Instant::now();
        loop {
            let mut command = self.network.command(1, "psql");
            let statement = format!("ALTER ROLE florin PASSWORD '{}'", PASSWORD.replace('\'', "''"));
            command.args(["-h", "127.0.0.1", "-p", "5433", "-U", "florin", "-XAtqc", &statement, "florin"]);
            let output = command.output().expect("psql is installed");
            if output.status.success() {
                return;
            }
            assert!(
                start.elapsed() < READY_MAX,
                "the first node does not answer: {}\n{}",
                String::from_utf8_lossy(&output.stderr),
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub fn kill(&mut self, node: usize) {
        let mut child = self.children[node].take().expect("it runs");
        child.kill().expect("it runs");
        child.wait().expect("it was killed");
    }

    pub fn restart(&mut self, node: usize) {
        self.spawn(node, false);
    }

    /// A new process with an empty directory takes the place of one that lost its data.
    pub fn replace(&mut self, node: usize) {
        let number = self.number(node);
        self.sql(&format!("SELECT florin.remove_node({number})")).expect("a majority is there");
        self.spawn(node, true);
    }

    /// Writes until the node whose disk is full cannot go on: either it has used up the log files that it made ahead of
    /// time, or its row store met the full disk before that, and it waits for space to start anew. Which comes first is
    /// a race, and either is told in its log.
    pub fn exhaust_log(&self, node: usize) {
        const LINES: [&str; 2] = ["the disk is full: the log cannot be written", "is full; this node goes on when"];
        let said = || {
            let log = std::fs::read_to_string(self.log(node)).unwrap_or_default();
            LINES.iter().map(|line| log.matches(line).count()).sum::<usize>()
        };
        let (before, start) = (said(), Instant::now());
        self.sql("CREATE TABLE IF NOT EXISTS bulk (id bigserial PRIMARY KEY, bytes text)").expect("the cluster serves");
        while said() == before {
            assert!(start.elapsed() < READY_MAX, "node {node} never notices that its disk is full\n{}", self.logs());
            // Refused, or moved to another node, once it has.
            drop(self.sql("INSERT INTO bulk (bytes) VALUES (repeat('x', 500000))"));
        }
    }

    #[allow(unsafe_code, reason = "sending a signal has no safe interface in the standard library")]
    pub fn signal(&self, node: usize, signal: i32) {
        let id = self.children[node].as_ref().expect("it runs").id();
        // SAFETY: kill takes no pointers; the child was not waited for, so its id is still its own.
        assert_eq!(unsafe { libc::kill(i32::try_from(id).expect("a process id"), signal) }, 0);
    }

    pub fn clock_offset(&mut self, node: usize, millis: i64) {
        let line = format!("{}\n", serde_json::json!({ "clock_offset_ms": millis }));
        let control = self.children[node].as_mut().and_then(|child| child.stdin.as_mut()).expect("it runs with a control channel");
        control.write_all(line.as_bytes()).and_then(|()| control.flush()).expect("it listens");
    }

    pub fn link(&self, node: usize, up: bool) {
        self.network.link(node + 1, up);
    }

    pub fn all_links_up(&self) {
        (0..NODES).for_each(|node| self.link(node, true));
    }

    /// What this node sends to the others vanishes.
    pub fn lose_from(&self, node: usize) {
        (0..NODES).filter(|other| *other != node).for_each(|other| self.network.lose(node + 1, other + 1));
    }

    /// What the others send to this node vanishes.
    pub fn lose_towards(&self, node: usize) {
        (0..NODES).filter(|other| *other != node).for_each(|other| self.network.lose(other + 1, node + 1));
    }

    pub fn lose_nothing(&self) {
        self.network.lose_nothing();
    }

    /// The node that leads shard 0.
    pub fn leader(&self) -> usize {
        let start = Instant::now();
        while start.elapsed() < READY_MAX {
            let leader =
                self.query("SELECT leader FROM florin.shards WHERE shard = 0").ok().and_then(|rows| rows.first()?.first().cloned());
            let zones = leader.and_then(|leader| self.query(&format!("SELECT zone FROM florin.nodes WHERE node = {leader}")).ok());
            let zone = zones.and_then(|rows| rows.first()?.first().cloned());
            if let Some(node) = PLACES.iter().position(|place| Some(place.1) == zone.as_deref()) {
                return node;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("nobody says who leads\n{}", self.logs());
    }

    /// The number by which the cluster knows the node in this place.
    pub fn number(&self, node: usize) -> String {
        self.rows(&format!("SELECT node FROM florin.nodes WHERE zone = '{}' AND state <> 'removed'", PLACES[node].1))[0][0].clone()
    }

    pub fn wait_until_led_by(&self, node: usize) {
        let start = Instant::now();
        while self.leader() != node {
            assert!(start.elapsed() < READY_MAX, "leadership does not come back\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn follower(&self) -> usize {
        (self.leader() + 1) % NODES
    }

    pub fn sql_parameters(&self) -> Vec<String> {
        let parameters = |node| {
            format!("host={} port=5433 user=florin dbname=florin password='{}'", self.network.address(node), PASSWORD.replace('\'', "\\'"))
        };
        (1..=NODES).map(parameters).collect()
    }

    /// Asks one node after the other until one answers.
    pub fn query(&self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        let mut last = String::new();
        for parameters in self.sql_parameters() {
            match runtime.block_on(async { tokio::time::timeout(Duration::from_secs(3), ask(&parameters, sql)).await }) {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(error)) => last = error,
                Err(_) => last = "no answer within 3 s".to_owned(),
            }
        }
        Err(last)
    }

    pub fn sql(&self, sql: &str) -> Result<(), String> {
        self.query(sql).map(|_| ())
    }

    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        self.query(sql).unwrap_or_else(|error| panic!("{sql}: {error}\n{}", self.logs()))
    }

    /// Waits until every node answers, each shard has a leader, and all voters are there.
    pub fn wait_until_whole(&self) {
        let start = Instant::now();
        loop {
            let missing = self.missing();
            let Some(missing) = missing else { return };
            assert!(start.elapsed() < READY_MAX, "the cluster is not whole after {} s: {missing}\n{}", READY_MAX.as_secs(), self.logs());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn missing(&self) -> Option<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        for (node, parameters) in self.sql_parameters().iter().enumerate() {
            let question = ask(parameters, "SELECT leader, voters FROM florin.shards");
            match runtime.block_on(async { tokio::time::timeout(Duration::from_secs(2), question).await }) {
                Ok(Ok(rows)) if rows.is_empty() => return Some(format!("node {node} knows no shard")),
                Ok(Ok(rows)) if rows.iter().any(|row| row[0].is_empty() || row[1] != NODES.to_string()) => {
                    return Some(format!("node {node}: {rows:?}"));
                }
                Ok(Ok(_)) => (),
                Ok(Err(error)) => return Some(format!("node {node}: {error}")),
                Err(_) => return Some(format!("node {node}: no answer")),
            }
        }
        None
    }

    /// All replicas hold the same rows, once all have applied the same.
    pub fn check_replicas_agree(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        let start = Instant::now();
        loop {
            let question = |parameters: &String| {
                runtime.block_on(ask(parameters, "SELECT shard, applied, state_hash FROM florin.replicas ORDER BY shard"))
            };
            let states: Vec<_> = self.sql_parameters().iter().map(question).collect();
            if states.iter().all(|state| state.is_ok() && *state == states[0]) {
                return;
            }
            assert!(start.elapsed() < READY_MAX, "replicas differ: {states:#?}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// The last lines of each node's log, for a failure's text.
    pub fn logs(&self) -> String {
        let tail = |node: usize| {
            let text = std::fs::read_to_string(self.log(node)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            format!("--- node {node}\n{}\n", lines[lines.len().saturating_sub(12)..].join("\n"))
        };
        (0..NODES).map(tail).collect()
    }
}

async fn ask(parameters: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
    let (client, driver) = tokio_postgres::connect(parameters, NoTls).await.map_err(|error| explain(&error))?;
    let driver = tokio::spawn(driver);
    let messages = client.simple_query(sql).await.map_err(|error| explain(&error));
    driver.abort();
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect()),
        _ => None,
    };
    Ok(messages?.into_iter().filter_map(row).collect())
}

fn explain(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |answer| format!("{} ({})", answer.message(), answer.code().code()))
}

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_florin")
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn unmount(path: &Path) {
    // A directory that is not mounted need not be unmounted.
    drop(Command::new("umount").arg(path).stderr(Stdio::null()).status());
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        for child in self.children.iter_mut().flatten() {
            drop(child.kill());
            drop(child.wait());
        }
        (0..NODES).for_each(|node| unmount(&self.data(node)));
        drop(std::fs::remove_dir_all(&self.directory));
    }
}
