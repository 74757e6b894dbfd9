//! Evidence: checkpoints and proofs from the cluster, and checking them without it.

use super::{Ended, FINDING, Failed, id_argument};
use crate::commands::client::{Connection, ask};
use base::{Error, Result, SqlState};
use florin_client::Id;
use proof::note::SignedNote;
use proof::{Checkpoint, Policy, ProofFile, Verified, VerifiedCheckpoint};
use serde_json::Value;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A longer file is no checkpoint, proof or policy.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

pub fn read(path: &Path) -> Result<String> {
    let failed = |detail: String| Error::new(SqlState::IO_ERROR, format!("{} could not be read: {detail}", path.display()));
    let length = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if length > FILE_BYTES_MAX {
        return Err(failed(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))
}

/// Whom to believe.
#[derive(clap::Args)]
pub struct Keys {
    /// Policy: the log's keys and those of its witnesses (`florin ledger keys` prints one to begin with)
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
}

impl Keys {
    pub fn policy(&self) -> Result<Policy> {
        Ok(Policy::parse(&read(&self.keys)?)?)
    }
}

/// To a file, or to the terminal.
#[derive(clap::Args)]
struct Output {
    /// Write to this file
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Output {
    fn put(&self, text: &str) -> Ended {
        match &self.out {
            Some(path) => {
                let failed = |error| Error::new(SqlState::IO_ERROR, format!("{} could not be written: {error}", path.display()));
                std::fs::write(path, text).map_err(failed)?;
            }
            None => print!("{text}"),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A text as SQL has it.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The text that a query of one value answers.
async fn one(connection: &Connection, sql: &str) -> Result<String> {
    let rows = ask(connection, sql).await?;
    let text = rows.first().and_then(|row| row.get(0));
    text.map(str::to_owned).ok_or_else(|| Error::internal("the cluster answered without a value"))
}

/// A shard's newest checkpoint.
pub struct Told {
    pub note: String,
    pub key: String,
    pub checkpoint: Checkpoint,
}

/// What each shard signs now.
pub async fn checkpoints(connection: &Connection) -> Result<Vec<Told>> {
    let rows = ask(connection, "SELECT * FROM ledger.checkpoints()").await?;
    let told = |row: &tokio_postgres::SimpleQueryRow| {
        let value = |at| row.get(at).map(str::to_owned).ok_or_else(|| Error::internal("the cluster answered without a checkpoint"));
        let (note, key): (String, String) = (value(2)?, value(3)?);
        let checkpoint = Checkpoint::parse(SignedNote::parse(&note)?.text())?;
        Ok(Told { note, key, checkpoint })
    };
    rows.iter().map(told).collect()
}

pub async fn consistency(connection: &Connection, older: &str, newer: Option<&str>) -> Result<String> {
    let newer = newer.map_or_else(|| "NULL".to_owned(), literal);
    one(connection, &format!("SELECT ledger.prove_consistency({}, {newer})", literal(older))).await
}

#[derive(clap::Args)]
pub struct Checkpoints {
    #[command(flatten)]
    connection: Connection,
    /// Keep each in a file of this directory, named after its log and its size
    #[arg(long, value_name = "DIRECTORY")]
    keep: Option<PathBuf>,
}

impl Checkpoints {
    pub async fn run(self) -> Ended {
        for Told { note, checkpoint, .. } in checkpoints(&self.connection).await? {
            let Some(directory) = &self.keep else {
                println!("{note}");
                continue;
            };
            let path = directory.join(format!("{}-{}.checkpoint", checkpoint.origin.to_string().replace('/', "-"), checkpoint.size));
            let failed = |error| Error::new(SqlState::IO_ERROR, format!("{} could not be written: {error}", path.display()));
            std::fs::create_dir_all(directory).map_err(failed)?;
            match std::fs::read_to_string(&path) {
                // What was kept first counts.
                Ok(kept) if stated(&kept) != stated(&note) => {
                    let message = format!("the log states another tree of the same size than in {}: it was changed", path.display());
                    return Err(Error::new(SqlState::DATA_CORRUPTED, message).with_detail(note).into());
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => std::fs::write(&path, note).map_err(failed)?,
                Err(error) => return Err(failed(error).into()),
            }
            println!("{}", path.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Origin, size and root, before all signatures.
fn stated(note: &str) -> Vec<&str> {
    note.lines().take(3).collect()
}

#[derive(clap::Args)]
pub struct ShowKeys {
    #[command(flatten)]
    connection: Connection,
}

impl ShowKeys {
    pub async fn run(self) -> Ended {
        println!("# Whom an auditor believes. Compare the keys with those that you got another way; add witnesses and a quorum.");
        for told in checkpoints(&self.connection).await? {
            println!("log {}", told.key);
        }
        println!("quorum none");
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(clap::Args)]
pub struct Prove {
    #[command(flatten)]
    connection: Connection,
    /// The transfer; with --entry-at the account
    #[arg(value_parser = id_argument)]
    id: Id,
    /// Prove the account's entry with this timestamp (nanoseconds, as ledger.entries has it) instead of a transfer
    #[arg(long, value_name = "TIMESTAMP")]
    entry_at: Option<i64>,
    /// Of several entries of the account at that timestamp
    #[arg(long, default_value_t = 0, requires = "entry_at")]
    number: i32,
    /// Prove it to be in this checkpoint, one that witnesses signed for example, instead of one that is signed now
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl Prove {
    pub async fn run(self) -> Ended {
        let checkpoint = self.checkpoint.as_deref().map(read).transpose()?;
        let checkpoint = checkpoint.map_or_else(|| "NULL".to_owned(), |note| literal(&note));
        let sql = match self.entry_at {
            None => format!("SELECT ledger.prove('{}', {checkpoint})", self.id),
            Some(timestamp) => format!("SELECT ledger.prove_entry('{}', {timestamp}, {}, {checkpoint})", self.id, self.number),
        };
        self.output.put(&one(&self.connection, &sql).await?)
    }
}

#[derive(clap::Args)]
pub struct Consistency {
    #[command(flatten)]
    connection: Connection,
    /// A checkpoint that was kept
    older: PathBuf,
    /// A later one; without it, one that is signed now
    newer: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl Consistency {
    pub async fn run(self) -> Ended {
        let (older, newer) = (read(&self.older)?, self.newer.as_deref().map(read).transpose()?);
        self.output.put(&consistency(&self.connection, &older, newer.as_deref()).await?)
    }
}

#[derive(clap::Args)]
pub struct Verify {
    /// A proof, or a checkpoint
    file: PathBuf,
    #[command(flatten)]
    keys: Keys,
}

impl Verify {
    /// Asks nobody.
    pub fn run(self) -> Ended {
        let (text, policy) = (read(&self.file)?, self.keys.policy()?);
        match check(&text, &policy) {
            Ok(said) => {
                println!("{said}");
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                eprintln!("NOT PROVED: {error}");
                Ok(ExitCode::from(FINDING))
            }
        }
    }
}

/// What a proof or a checkpoint shows, in words.
fn check(text: &str, policy: &Policy) -> proof::Result<String> {
    if !text.trim_start().starts_with('{') {
        let verified = policy.verify(text)?;
        return Ok(format!("the checkpoint holds: {}", state(&verified)));
    }
    let file = ProofFile::parse(text.as_bytes())?;
    let verified = proof::verify(&file, policy)?;
    // Read here, from the bytes that are proved; the file's own words must say the same.
    file.check_description(sql::ledger::describe)?;
    Ok(match verified {
        Verified::Included { leaf_index, record, checkpoint, .. } => {
            let said = sql::ledger::describe(&record).unwrap_or(Value::Null);
            format!("proved: the record is leaf {leaf_index} of {}\n{said:#}", state(&checkpoint))
        }
        Verified::Consistent { older, newer, .. } => {
            format!("proved: nothing was changed or taken out\nfrom {}\nto   {}", state(&older), state(&newer))
        }
    })
}

fn state(verified: &VerifiedCheckpoint) -> String {
    let VerifiedCheckpoint { checkpoint, witnesses } = verified;
    let signed = if witnesses.is_empty() { "no witness".to_owned() } else { witnesses.keys().cloned().collect::<Vec<_>>().join(", ") };
    let time = jiff::Timestamp::from_nanosecond(i128::from(checkpoint.timestamp))
        .map_or_else(|_| checkpoint.timestamp.to_string(), |time| time.to_string());
    format!("{} records in {}, the last of {time}; signed by its log and {signed}", checkpoint.size, checkpoint.origin)
}

impl From<proof::Error> for Failed {
    fn from(error: proof::Error) -> Failed {
        Failed::Other(error.into())
    }
}
