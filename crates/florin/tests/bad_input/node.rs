//! One real node on ports of its own, and a client of it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// Longest start and longest wait for an answer, on a machine that other tests keep busy.
pub const ANSWER_MAX: Duration = Duration::from_secs(60);

/// A directory that is removed with the test.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("florin-bad-input-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary directory is writable");
        Scratch(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A test that failed half-way may have removed it.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

pub struct Node {
    child: Child,
    pub sql: SocketAddr,
    pub nodes: SocketAddr,
    /// If it was started with `--http`.
    pub http: Option<SocketAddr>,
}

/// `florin` with these arguments.
pub fn florin(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_florin"));
    command.args(arguments).env_remove("FLORIN_TOKEN");
    command
}

fn start_command(data: &Path, more: &[&str]) -> Command {
    let mut command = florin(&["start", "--listen", "127.0.0.1:0", "--sql-listen", "127.0.0.1:0", "--memory-mib", "64", "--data"]);
    command.arg(data).args(more);
    command
}

/// A start that is refused: what it says. It must end by itself.
pub fn refused_start(data: &Path, more: &[&str]) -> String {
    refused(&mut start_command(data, more))
}

/// A command that fails: what it says on standard error.
pub fn refused(command: &mut Command) -> String {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program was built");
    let begun = Instant::now();
    while child.try_wait().expect("it is our child").is_none() {
        if begun.elapsed() > ANSWER_MAX {
            drop(child.kill());
            panic!("{command:?} neither refuses nor ends");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let Output { status, stderr, .. } = child.wait_with_output().expect("it has ended");
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!status.success(), "{command:?} was to fail, and said {said}");
    assert!(!said.contains("panicked"), "{command:?} panicked: {said}");
    said
}

impl Node {
    pub fn start(data: &Path, more: &[&str]) -> Node {
        let log = std::fs::File::options().create(true).append(true).open(data.with_extension("log")).expect("writable");
        let mut command = start_command(data, &["--control", "stdin"]);
        let mut child = command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().expect("the program was built");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("it speaks");
        let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("the node did not start: {}", std::fs::read_to_string(data.with_extension("log")).unwrap_or_default())
        });
        let address = |name: &str| said["ready"][name].as_str().and_then(|text| text.parse().ok()).expect("an address");
        let http = said["ready"]["http_address"].as_str().and_then(|text| text.parse().ok());
        Node { http, sql: address("sql_address"), nodes: address("address"), child }
    }

    /// One statement in a session of its own: rows as text, or the SQLSTATE and message of its error.
    pub fn ask(&self, sql: &str) -> Result<Vec<Vec<String>>, (String, String)> {
        runtime().block_on(async {
            let client = connect(self, None).await.map_err(|error| (code(&error), error.to_string()))?;
            let answer = tokio::time::timeout(ANSWER_MAX, client.simple_query(sql)).await.expect("an answer in time");
            let messages = answer.map_err(|error| (code(&error), error.to_string()))?;
            let row = |message| match message {
                SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect()),
                _ => None,
            };
            Ok(messages.into_iter().filter_map(row).collect())
        })
    }

    pub fn run(&self, sql: &str) {
        self.ask(sql).unwrap_or_else(|(state, message)| panic!("{sql}: {state} {message}"));
    }

    pub fn one(&self, sql: &str) -> String {
        self.ask(sql).unwrap_or_else(|(state, message)| panic!("{sql}: {state} {message}"))[0][0].clone()
    }

    /// It is alive and answers.
    pub fn check(&mut self) {
        assert!(self.child.try_wait().expect("it is our child").is_none(), "the node has ended");
        assert_eq!(self.one("SELECT 'alive'"), "alive");
    }

    /// Waits until it stops by itself; true if it says that it failed.
    pub fn ended(&mut self) -> bool {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return !status.success();
            }
            assert!(begun.elapsed() < ANSWER_MAX, "the node does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// As the power supply would.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was killed");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have been killed already.
        drop(self.child.kill());
        drop(self.child.wait());
        let mut rest = String::new();
        if let Some(out) = self.child.stdout.as_mut() {
            drop(out.read_to_string(&mut rest));
        }
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

pub async fn connect(node: &Node, password: Option<(&str, &str)>) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(node.sql.port()).user("florin").dbname("florin");
    if let Some((user, password)) = password {
        config.user(user).password(password);
    }
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

pub fn code(error: &tokio_postgres::Error) -> String {
    error.code().map(|code| code.code().to_owned()).unwrap_or_default()
}
