//! Our side: a cluster of node processes in one city, as a user starts them.

use super::{pgbench, process};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const READY_SECONDS_MAX: u64 = 60;
pub const FIRST_PORT: u16 = 15_600;
/// Of a cluster beside another one.
pub const SECOND_PORT: u16 = 15_640;

pub struct Cluster {
    program: PathBuf,
    directory: PathBuf,
    first_port: u16,
    /// More of `florin start`.
    options: Vec<String>,
    token: String,
    nodes: Vec<process::Running>,
}

impl Cluster {
    pub fn start(program: &Path, directory: &Path, nodes: u16) -> Result<Cluster, String> {
        Cluster::start_at(program, directory, nodes, FIRST_PORT, &[])
    }

    /// `options`: more of `florin start`.
    pub fn start_at(program: &Path, directory: &Path, nodes: u16, first_port: u16, options: &[&str]) -> Result<Cluster, String> {
        std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let (program, directory) = (program.to_owned(), directory.to_owned());
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut cluster = Cluster { program, directory, first_port, options, token: String::new(), nodes: Vec::new() };
        let mode = if nodes == 1 { "single" } else { "3dc" };
        let mut init = Command::new(&cluster.program);
        let made = process::run(init.args(["cluster", "init", "--json", "--mode", mode, "--data"]).arg(cluster.data(0)))?;
        let made: serde_json::Value = serde_json::from_str(&made).map_err(|error| format!("florin cluster init: {error}"))?;
        made["token"].as_str().ok_or("florin cluster init printed no token")?.clone_into(&mut cluster.token);
        for node in 0..usize::from(nodes) {
            let running = cluster.spawn(node)?;
            cluster.nodes.push(running);
        }
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    fn data(&self, node: usize) -> PathBuf {
        self.directory.join(format!("node{node}"))
    }

    /// For other nodes; the next is for clients.
    fn listen_port(&self, node: usize) -> u16 {
        self.first_port + 2 * u16::try_from(node).expect("few nodes")
    }

    fn spawn(&self, node: usize) -> Result<process::Running, String> {
        let listen = self.listen_port(node);
        let mut command = Command::new(&self.program);
        command.args(["start", "--city", "amber", "--zone", &format!("a{}", node + 1), "--data"]).arg(self.data(node));
        command.args([
            "--listen",
            &format!("127.0.0.1:{listen}"),
            "--sql-listen",
            &format!("127.0.0.1:{}", listen + 1),
            "--control",
            "stdin",
        ]);
        command.args(&self.options);
        if node > 0 {
            command.args(["--join", &format!("127.0.0.1:{}", self.first_port), "--token", &self.token, "--join-retry"]);
        }
        process::Running::start(command.stdin(Stdio::piped()), &self.directory.join(format!("node{node}.log")))
    }

    fn wait_until_ready(&self) -> Result<(), String> {
        let start = Instant::now();
        let mut last = String::new();
        while start.elapsed() < Duration::from_secs(READY_SECONDS_MAX) {
            match self.is_ready() {
                Ok(true) => return Ok(()),
                Ok(false) => "not every shard has all its voters".clone_into(&mut last),
                Err(error) => last = error,
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(format!("the cluster is not ready after {READY_SECONDS_MAX} s: {last}"))
    }

    /// Every shard has a leader, and a voter on each node.
    pub fn is_ready(&self) -> Result<bool, String> {
        let question = format!("SELECT count(*) > 0 AND bool_and(leader IS NOT NULL AND voters = {}) FROM florin.shards", self.nodes.len());
        pgbench::sql(self.port(), "florin", &question).map(|said| said.trim() == "t")
    }

    /// Kills a node that is not the first, takes its data away, and lets a new one with an empty directory join in its place.
    pub fn replace(&mut self, node: usize) -> Result<(), String> {
        let question = format!("SELECT node FROM florin.nodes WHERE zone = 'a{}' AND state <> 'removed'", node + 1);
        let number = pgbench::sql(self.port(), "florin", &question)?;
        self.kill(node);
        std::fs::remove_dir_all(self.data(node)).map_err(|error| format!("{}: {error}", self.data(node).display()))?;
        pgbench::sql(self.port(), "florin", &format!("SELECT florin.remove_node({})", number.trim()))?;
        self.start_again(node)
    }

    pub fn kill(&mut self, node: usize) {
        self.nodes[node].end();
    }

    /// With what its directory holds.
    pub fn start_again(&mut self, node: usize) -> Result<(), String> {
        self.nodes[node] = self.spawn(node)?;
        Ok(())
    }

    /// SQL port of the first node, which leads by preference.
    pub fn port(&self) -> u16 {
        self.listen_port(0) + 1
    }

    pub fn sql_ports(&self) -> Vec<u16> {
        (0..self.nodes.len()).map(|node| self.listen_port(node) + 1).collect()
    }

    /// Tells every node the state of all cables, over its control channel.
    pub fn cut(&mut self, zones: &[&str]) -> Result<(), String> {
        use std::io::Write as _;
        let line = format!("{}\n", serde_json::json!({ "links": { "round_trips": [["amber", "amber", 0.0]], "cut_zones": zones } }));
        for node in &mut self.nodes {
            let control = node.child.stdin.as_mut().ok_or("a node has no control channel")?;
            control
                .write_all(line.as_bytes())
                .and_then(|()| control.flush())
                .map_err(|error| format!("a node's control channel: {error}"))?;
        }
        Ok(())
    }

    pub fn pids(&self) -> Vec<u32> {
        self.nodes.iter().map(|node| node.child.id()).collect()
    }

    /// Of each node.
    pub fn cpu_seconds(&self) -> Vec<f64> {
        self.pids().into_iter().map(process::cpu_seconds).collect()
    }

    /// Of each node, in MiB.
    pub fn memory_peak(&self) -> Vec<f64> {
        self.pids().into_iter().map(process::peak_mib).collect()
    }
}
