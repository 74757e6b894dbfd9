//! Our side: a cluster of node processes in one city, as a user starts them.

use super::{pgbench, process};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const READY_SECONDS_MAX: u64 = 60;
pub const FIRST_PORT: u16 = 15_600;
/// Of a cluster beside another one.
pub const SECOND_PORT: u16 = 15_640;

pub struct Cluster {
    nodes: Vec<process::Running>,
    sql_ports: Vec<u16>,
}

impl Cluster {
    pub fn start(program: &Path, directory: &Path, nodes: u16) -> Result<Cluster, String> {
        Cluster::start_at(program, directory, nodes, FIRST_PORT, &[])
    }

    /// `options`: more of `florin start`.
    pub fn start_at(program: &Path, directory: &Path, nodes: u16, first_port: u16, options: &[&str]) -> Result<Cluster, String> {
        std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let mode = if nodes == 1 { "single" } else { "3dc" };
        let data = |node: u16| directory.join(format!("node{node}"));
        let made = process::run(Command::new(program).args(["cluster", "init", "--json", "--mode", mode, "--data"]).arg(data(0)))?;
        let made: serde_json::Value = serde_json::from_str(&made).map_err(|error| format!("florin cluster init: {error}"))?;
        let token = made["token"].as_str().ok_or("florin cluster init printed no token")?.to_owned();
        let mut cluster = Cluster { nodes: Vec::new(), sql_ports: Vec::new() };
        let join = format!("127.0.0.1:{first_port}");
        for node in 0..nodes {
            let (listen, sql) = (first_port + 2 * node, first_port + 2 * node + 1);
            let mut command = Command::new(program);
            command.args(["start", "--city", "amber", "--zone", &format!("a{}", node + 1), "--data"]).arg(data(node));
            command.args(["--listen", &format!("127.0.0.1:{listen}"), "--sql-listen", &format!("127.0.0.1:{sql}"), "--control", "stdin"]);
            command.args(options);
            if node > 0 {
                command.args(["--join", &join, "--token", &token, "--join-retry"]);
            }
            let log = directory.join(format!("node{node}.log"));
            cluster.nodes.push(process::Running::start(command.stdin(Stdio::piped()), &log)?);
            cluster.sql_ports.push(sql);
        }
        cluster.wait_until_ready(usize::from(nodes))?;
        Ok(cluster)
    }

    fn wait_until_ready(&self, voters: usize) -> Result<(), String> {
        let start = Instant::now();
        let question = "SELECT count(*) FROM florin.shards WHERE leader IS NOT NULL AND voters = ".to_owned() + &voters.to_string();
        let mut last = String::new();
        while start.elapsed() < Duration::from_secs(READY_SECONDS_MAX) {
            match pgbench::sql(self.port(), "florin", &question) {
                Ok(said) if said.trim().parse::<u32>().is_ok_and(|shards| shards > 0) => return Ok(()),
                Ok(said) | Err(said) => last = said,
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(format!("the cluster is not ready after {READY_SECONDS_MAX} s: {last}"))
    }

    /// SQL port of the first node, which leads by preference.
    pub fn port(&self) -> u16 {
        self.sql_ports[0]
    }

    pub fn sql_ports(&self) -> &[u16] {
        &self.sql_ports
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
