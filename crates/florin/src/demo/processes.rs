//! The cluster's processes: starting, cutting their cables, killing, draining, starting again.

use super::observe;
use super::posting;
use super::targets::{Target, Targets};
use base::locality::LocalityMode;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

/// Longest wait for a process to end by itself.
const STOP_SECONDS_MAX: u64 = 10;
/// Longest wait for a process that was started again to serve, and between two looks.
const START_SECONDS_MAX: u64 = 10;
const START_PAUSE: Duration = Duration::from_millis(50);
/// Longest run of a command such as `cluster init`.
const COMMAND_SECONDS_MAX: u64 = 15;

/// Round trips in milliseconds: within a city, between neighbouring cities, to the far city.
const ROUND_TRIP_CITY: f64 = 1.0;
const ROUND_TRIP_NEAR: f64 = 8.0;
const ROUND_TRIP_FAR: f64 = 30.0;

/// Where one node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub name: String,
    pub city: &'static str,
    pub zone: &'static str,
}

struct Process {
    place: Place,
    listen: u16,
    sql: u16,
    data: PathBuf,
    child: Option<Child>,
    control: Option<ChildStdin>,
    /// It was started before: its data directory knows the cluster.
    joined: bool,
}

pub struct Cluster {
    directory: PathBuf,
    keep: bool,
    token: String,
    processes: Vec<Process>,
    cut_zones: BTreeSet<&'static str>,
    targets: Arc<Targets>,
}

fn places(mode: LocalityMode) -> &'static [(&'static str, &'static str)] {
    match mode {
        LocalityMode::Single => &[("amber", "a1")],
        LocalityMode::ThreeZones | LocalityMode::DualActive => &[("amber", "a1"), ("amber", "a2"), ("amber", "a3")],
        LocalityMode::TwoCities => &[("amber", "a1"), ("amber", "a2"), ("birch", "b1")],
        LocalityMode::ThreeCities => &[("amber", "a1"), ("amber", "a2"), ("birch", "b1"), ("birch", "b2"), ("cedar", "c1")],
    }
}

fn free_ports(count: usize) -> Result<Vec<u16>, String> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>().map_err(|error| format!("no free port: {error}"))?;
    listeners
        .iter()
        .map(|listener| listener.local_addr().map(|address| address.port()).map_err(|error| format!("no free port: {error}")))
        .collect()
}

impl Cluster {
    /// Starts the processes and waits until each has said that it listens.
    pub async fn start(mode: LocalityMode, keep: bool) -> Result<Cluster, String> {
        let directory = std::env::temp_dir().join(format!("florin-demo-{}", std::process::id()));
        std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let places = places(mode);
        let ports = free_ports(places.len() * 2)?;
        let mut processes = Vec::new();
        for (index, (city, zone)) in places.iter().enumerate() {
            let place = Place { name: format!("node {}", index + 1), city, zone };
            let data = directory.join(zone);
            processes.push(Process {
                place,
                listen: ports[2 * index],
                sql: ports[2 * index + 1],
                data,
                child: None,
                control: None,
                joined: false,
            });
        }
        let target =
            |process: &Process| Target::new(process.place.name.clone(), process.place.city, process.place.zone.to_owned(), process.sql);
        let targets = Arc::new(Targets::new(processes.iter().map(target).collect()));
        let mut cluster = Cluster { directory, keep, token: String::new(), processes, cut_zones: BTreeSet::new(), targets };
        match cluster.bring_up(mode).await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                cluster.keep_logs();
                cluster.stop().await;
                Err(error)
            }
        }
    }

    async fn bring_up(&mut self, mode: LocalityMode) -> Result<(), String> {
        let data = self.processes[0].data.display().to_string();
        let output = run(&["cluster", "init", "--json", "--mode", &mode.to_string(), "--data", &data]).await?;
        let made: serde_json::Value = serde_json::from_str(&output).map_err(|error| format!("`florin cluster init --json`: {error}"))?;
        self.token = made["token"].as_str().ok_or("`florin cluster init --json` printed no token")?.to_owned();
        for index in 0..self.processes.len() {
            self.spawn(index).await?;
        }
        Ok(())
    }

    async fn spawn(&mut self, index: usize) -> Result<(), String> {
        let first = format!("127.0.0.1:{}", self.processes[0].listen);
        let log_path = self.directory.join(format!("{}.log", self.processes[index].place.zone));
        let log = File::options().create(true).append(true).open(&log_path).map_err(|error| format!("{}: {error}", log_path.display()))?;
        let process = &mut self.processes[index];
        let (listen, sql) = (format!("127.0.0.1:{}", process.listen), format!("127.0.0.1:{}", process.sql));
        let mut command = Command::new(own_path()?);
        command.args(["start", "--listen", &listen, "--advertise", &listen, "--sql-listen", &sql, "--city", process.place.city]);
        command.args(["--zone", process.place.zone, "--control", "stdin", "--data"]).arg(&process.data);
        if index > 0 && !process.joined {
            command.args(["--join", &first, "--token", &self.token, "--join-retry"]);
        }
        process.joined = true;
        command.stdin(Stdio::piped()).stdout(log.try_clone().map_err(|error| error.to_string())?).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("cannot start a node: {error}"))?;
        process.control = child.stdin.take();
        process.child = Some(child);
        self.send_links(index).await
    }

    pub fn targets(&self) -> Arc<Targets> {
        Arc::clone(&self.targets)
    }

    pub fn places(&self) -> Vec<Place> {
        self.processes.iter().map(|process| process.place.clone()).collect()
    }

    /// Cuts exactly these zones off: from each other, from everyone else, and from clients.
    pub async fn cut(&mut self, zones: &[&'static str]) -> Result<(), String> {
        self.cut_zones = zones.iter().copied().collect();
        for index in 0..self.processes.len() {
            self.send_links(index).await?;
        }
        Ok(())
    }

    /// Tells one process the state of all cables.
    async fn send_links(&mut self, index: usize) -> Result<(), String> {
        let cities: BTreeSet<&str> = self.processes.iter().map(|process| process.place.city).collect();
        let mut round_trips = Vec::new();
        for from in &cities {
            for to in cities.iter().filter(|to| *to >= from) {
                let millis = match (*from, *to) {
                    (from, to) if from == to => ROUND_TRIP_CITY,
                    (_, "cedar") => ROUND_TRIP_FAR,
                    _ => ROUND_TRIP_NEAR,
                };
                round_trips.push(json!([from, to, millis]));
            }
        }
        let line = format!("{}\n", json!({ "links": { "round_trips": round_trips, "cut_zones": self.cut_zones } }));
        let Some(control) = &mut self.processes[index].control else { return Ok(()) };
        control.write_all(line.as_bytes()).await.map_err(|error| format!("a node's control channel is closed: {error}"))?;
        control.flush().await.map_err(|error| format!("a node's control channel is closed: {error}"))
    }

    pub async fn kill(&mut self, index: usize) -> Result<(), String> {
        let process = &mut self.processes[index];
        process.control = None;
        match process.child.take() {
            Some(mut child) => child.kill().await.map_err(|error| format!("cannot kill {}: {error}", process.place.name)),
            None => Err(format!("{} does not run", process.place.name)),
        }
    }

    pub async fn restart(&mut self, index: usize) -> Result<(), String> {
        self.spawn(index).await?;
        self.targets[index].open.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Sends clients elsewhere and moves leadership away.
    pub async fn drain(&mut self, index: usize) -> Result<(), String> {
        self.targets[index].open.store(false, Ordering::Relaxed);
        let sql = format!("127.0.0.1:{}", self.processes[index].sql);
        let client = posting::connect(&self.targets[index]).await?;
        let number = observe::number_of(&client, self.processes[index].place.zone).await?;
        run(&["drain", "--sql", &sql, &number]).await?;
        Ok(())
    }

    /// The node is back from its upgrade: it may lead again.
    pub async fn undrain(&mut self, index: usize) -> Result<(), String> {
        let start = Instant::now();
        loop {
            match self.try_undrain(index).await {
                Err(_) if start.elapsed() < Duration::from_secs(START_SECONDS_MAX) => tokio::time::sleep(START_PAUSE).await,
                result => return result,
            }
        }
    }

    async fn try_undrain(&self, index: usize) -> Result<(), String> {
        let client = posting::connect(&self.targets[index]).await?;
        let number = observe::number_of(&client, self.processes[index].place.zone).await?;
        observe::rows(&client, &format!("SELECT florin.undrain({number})")).await.map(|_| ())
    }

    /// Ends a drained process in the ordinary way.
    pub async fn stop_one(&mut self, index: usize) -> Result<(), String> {
        let process = &mut self.processes[index];
        process.control = None;
        let Some(mut child) = process.child.take() else { return Err(format!("{} does not run", process.place.name)) };
        terminate(&child);
        match timeout(Duration::from_secs(STOP_SECONDS_MAX), child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("{} ended with {status}", process.place.name)),
            Ok(Err(error)) => Err(format!("{}: {error}", process.place.name)),
            Err(_) => Err(format!("{} did not stop within {STOP_SECONDS_MAX} s of SIGTERM", process.place.name)),
        }
    }

    /// Beside the nodes' logs, if they are kept.
    pub fn write_down(&self, name: &str, text: &str) {
        if self.keep
            && let Err(error) = std::fs::write(self.directory.join(name), text)
        {
            eprintln!("florin demo: cannot write {name}: {error}");
        }
    }

    pub fn keep_logs(&mut self) {
        self.keep = true;
    }

    pub async fn stop(mut self) {
        for process in &mut self.processes {
            if let Some(mut child) = process.child.take() {
                // A demo's nodes have nothing to save: their verdict has been spoken.
                let _ = child.kill().await;
            }
        }
        if self.keep {
            eprintln!("florin demo: the nodes' data and logs are in {}", self.directory.display());
        } else if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            eprintln!("florin demo: cannot remove {}: {error}", self.directory.display());
        }
    }
}

fn own_path() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("cannot find the program's own file: {error}"))
}

/// Asks a process to end, as an operator does.
#[allow(unsafe_code, reason = "sending a signal has no safe interface in the standard library")]
fn terminate(child: &Child) {
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // SAFETY: kill takes no pointers; the child was not waited for, so its id is still its own.
        unsafe { libc::kill(id, libc::SIGTERM) };
    }
}

/// Runs a `florin` command to its end and gives what it printed.
async fn run(arguments: &[&str]) -> Result<String, String> {
    let name = format!("florin {}", arguments.join(" "));
    let future = Command::new(own_path()?).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = match timeout(Duration::from_secs(COMMAND_SECONDS_MAX), future).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("{name}: {error}")),
        Err(_) => return Err(format!("{name}: no end within {COMMAND_SECONDS_MAX} s")),
    };
    if !output.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
