//! The peer: PostgreSQL 15, alone or a primary and two standbys, one of which must confirm each commit.

use super::{pgbench, process};
use std::path::{Path, PathBuf};
use std::process::Command;

const BINARIES: &str = "/usr/lib/postgresql/15/bin";
const PORT: u16 = 15_533;
const SETTINGS: &str = "listen_addresses = '127.0.0.1'\nshared_buffers = 512MB\nmax_connections = 200\nwal_level = replica\nmax_wal_senders = 10\n\
max_wal_size = 2GB\nhot_standby = on\nsynchronous_commit = on\nfsync = on\nfull_page_writes = on\nlog_min_messages = warning\n";

const STANDBYS: [(&str, u16); 2] = [("s1", PORT + 1), ("s2", PORT + 2)];

pub struct Postgres {
    directory: PathBuf,
    /// The primary first.
    servers: Vec<&'static str>,
}

impl Postgres {
    /// A primary, with its standbys once one of them confirms.
    ///
    /// `settings`: more of `postgresql.conf`.
    pub fn start(directory: &Path, standbys: bool, settings: &str) -> Result<Postgres, String> {
        std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        process::run(Command::new("chown").arg("-R").arg("postgres:").arg(directory))?;
        process::run(Command::new("chmod").arg("a+x").arg(directory.parent().unwrap_or(directory)))?;
        let mut peer = Postgres { directory: directory.to_owned(), servers: vec!["primary"] };
        let primary = peer.data("primary");
        peer.program("initdb", &["-D", &primary, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-U", "postgres"])?;
        peer.configure("primary", PORT, settings)?;
        append(&format!("{primary}/pg_hba.conf"), "host replication all 127.0.0.1/32 trust\n")?;
        peer.control("primary", "start")?;
        if !standbys {
            return Ok(peer);
        }
        for (name, port) in STANDBYS {
            peer.add_standby(name, port)?;
        }
        pgbench::sql(PORT, "postgres", "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (s1, s2)'")?;
        pgbench::sql(PORT, "postgres", "SELECT pg_reload_conf()")?;
        // Returns once a standby has confirmed it.
        pgbench::sql(PORT, "postgres", "CREATE TABLE confirmed (yes int)")?;
        Ok(peer)
    }

    fn add_standby(&mut self, name: &'static str, port: u16) -> Result<(), String> {
        let (data, primary) = (self.data(name), PORT.to_string());
        let source = ["-h", "127.0.0.1", "-p", &primary, "-U", "postgres", "-D", &data];
        self.program("pg_basebackup", &[&source[..], &["-R", "-X", "stream", "-C", "-S", name, "-c", "fast"]].concat())?;
        append(&format!("{data}/postgresql.conf"), &format!("port = {port}\n"))?;
        append(
            &format!("{data}/postgresql.auto.conf"),
            &format!("primary_conninfo = 'host=127.0.0.1 port={PORT} user=postgres application_name={name}'\n"),
        )?;
        self.control(name, "start")?;
        self.servers.push(name);
        Ok(())
    }

    pub fn port(&self) -> u16 {
        PORT
    }

    /// Of each server, its backends included (a server counts those that ended).
    pub fn cpu_seconds(&self) -> Vec<f64> {
        let of = |name: &str| {
            let file = std::fs::read_to_string(format!("{}/postmaster.pid", self.data(name))).unwrap_or_default();
            let pid = file.lines().next().and_then(|line| line.parse().ok());
            pid.map_or(0.0, |pid| process::cpu_seconds(pid) + process::children(pid).into_iter().map(process::cpu_seconds).sum::<f64>())
        };
        self.servers.iter().copied().map(of).collect()
    }

    fn data(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    fn configure(&self, name: &str, port: u16, more: &str) -> Result<(), String> {
        let settings =
            format!("{SETTINGS}{more}port = {port}\nunix_socket_directories = '{}'\ncluster_name = '{name}'\n", self.directory.display());
        append(&format!("{}/postgresql.conf", self.data(name)), &settings)
    }

    fn control(&self, name: &str, what: &str) -> Result<(), String> {
        let log = self.directory.join(format!("{name}.log")).display().to_string();
        self.program("pg_ctl", &["-D", &self.data(name), "-w", "-m", "immediate", "-l", &log, what])
    }

    /// PostgreSQL refuses to run as the superuser: everything runs as its own user.
    fn program(&self, name: &str, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(format!("{BINARIES}/{name}")).args(arguments).current_dir(&self.directory);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let status = command
            .stdin(std::process::Stdio::null())
            .status()
            .map_err(|error| format!("{command:?}: {error} (Debian package postgresql-15)"))?;
        if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}")) }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        for name in self.servers.iter().rev() {
            if let Err(error) = self.control(name, "stop") {
                eprintln!("{error}");
            }
        }
    }
}

fn append(path: &str, text: &str) -> Result<(), String> {
    use std::io::Write as _;
    let mut file = std::fs::File::options().append(true).open(path).map_err(|error| format!("{path}: {error}"))?;
    file.write_all(text.as_bytes()).map_err(|error| format!("{path}: {error}"))
}
