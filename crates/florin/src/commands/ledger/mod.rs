//! `florin ledger`: opens accounts, moves money, reads and checks the books.

mod post;
mod proofs;
mod read;
mod witness;
mod write;

use super::client::{Connection, with_password_hint};
use base::{Error, Result, SqlState};
use florin_client::{Error as Refused, Id, Ledger, Timestamp};
use serde_json::{Value, json};
use std::process::ExitCode;

/// A refusal by the rules, or something that the audit found.
const FINDING: u8 = 1;
/// As clap ends where arguments are wrong.
const WRONG_USE: u8 = 2;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// How each of the commands is told where to ask and how to answer.
#[derive(clap::Args)]
struct Common {
    #[command(flatten)]
    connection: Connection,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Define a ledger, what its accounts count; or change the name of one
    Define(write::Define),
    /// Open an account
    Open(write::Open),
    /// Move money, reserve it, post or void what is reserved, or reverse what was posted
    Transfer(Box<write::Move>),
    /// Book the transfers of a file, a JSON document on each line
    Post(post::Arguments),
    /// Close a ledger's books: nothing takes effect in them at a time or before any more
    Close(write::Close),
    /// Show one account
    Account(read::OneAccount),
    /// Show what moved on an account, newest first
    History(read::History),
    /// Show the balances of all accounts, now or as they were
    Balances(read::Balances),
    /// Show all ledgers
    Ledgers(read::Ledgers),
    /// Compute all balances anew and tell what contradicts
    Audit(read::Audit),
    /// Release what is pending and whose time has come
    Expire(write::Expire),
    /// Print or keep what each shard's log signs now: a statement about all that was ever recorded
    Checkpoints(proofs::Checkpoints),
    /// Print the keys of the logs as a policy for `verify`
    Keys(proofs::ShowKeys),
    /// Print the proof that a transfer or an entry is recorded as it stands
    Prove(proofs::Prove),
    /// Print the proof that nothing was changed or taken out since a checkpoint that was kept
    Consistency(proofs::Consistency),
    /// Check a proof or a checkpoint; asks no server
    Verify(proofs::Verify),
    /// As a witness: sign the newest checkpoints if they continue those that were signed before
    Cosign(witness::Cosign),
}

/// # Errors
/// If the cluster cannot be reached or refuses, or the ledger's rules do.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::internal(format!("the runtime could not be started: {error}")))?;
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Define(arguments) => arguments.run().await,
            Command::Open(arguments) => arguments.run().await,
            Command::Transfer(arguments) => arguments.run().await,
            Command::Post(arguments) => arguments.run().await,
            Command::Close(arguments) => arguments.run().await,
            Command::Account(arguments) => arguments.run().await,
            Command::History(arguments) => arguments.run().await,
            Command::Balances(arguments) => arguments.run().await,
            Command::Ledgers(arguments) => arguments.run().await,
            Command::Audit(arguments) => arguments.run().await,
            Command::Expire(arguments) => arguments.run().await,
            Command::Checkpoints(arguments) => arguments.run().await,
            Command::Keys(arguments) => arguments.run().await,
            Command::Prove(arguments) => arguments.run().await,
            Command::Consistency(arguments) => arguments.run().await,
            Command::Verify(arguments) => arguments.run(),
            Command::Cosign(arguments) => arguments.run().await,
        }
    });
    match outcome {
        Err(Failed::Ledger(error @ Refused::Invalid(_))) => {
            super::print_error(&error.told());
            Ok(ExitCode::from(WRONG_USE))
        }
        Err(Failed::Ledger(error)) => Err(with_password_hint(error.told())),
        // Where the cluster did not say so, it is what was typed.
        Err(Failed::Other(error)) if error.state() == SqlState::INVALID_PARAMETER_VALUE => {
            super::print_error(&error);
            Ok(ExitCode::from(WRONG_USE))
        }
        Err(Failed::Other(error)) => Err(error),
        Ok(code) => Ok(code),
    }
}

/// Why a command ended early.
enum Failed {
    Ledger(Refused),
    Other(Error),
}

type Ended = std::result::Result<ExitCode, Failed>;

impl From<Refused> for Failed {
    fn from(error: Refused) -> Failed {
        Failed::Ledger(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Other(error)
    }
}

impl Common {
    /// A command hears at once that no node is there: only what loses its connection on the way tries again.
    async fn ledger(&self) -> std::result::Result<Ledger, Failed> {
        let options = self.connection.options()?;
        drop(options.connect().await.map_err(with_password_hint)?);
        Ok(Ledger::lazy(options))
    }

    /// One JSON document, or lines for people.
    fn print(&self, json: &Value, text: impl FnOnce() -> String) {
        println!("{}", if self.json { json.to_string() } else { text() });
    }
}

fn not_open(id: Id) -> Failed {
    Failed::Other(
        Error::new(SqlState::UNDEFINED_OBJECT, format!("account {id} is not open")).with_hint("open it with `florin ledger open`"),
    )
}

/// Amounts have more digits than JSON's readers keep.
fn number(value: impl ToString) -> Value {
    Value::String(value.to_string())
}

fn time(value: Timestamp) -> Value {
    json!(value.to_string())
}

fn flag_names<F: Copy>(known: &[(F, &str)], has: impl Fn(F) -> bool) -> Vec<String> {
    known.iter().filter(|(flag, _)| has(*flag)).map(|(_, name)| name.to_lowercase()).collect()
}

fn metadata(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}

/// JSON that a person typed.
///
/// # Errors
/// What is wrong with it.
fn json_argument(text: &str) -> std::result::Result<String, String> {
    serde_json::from_str::<Value>(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// # Errors
/// If it is no whole number.
fn amount_argument(text: &str) -> std::result::Result<u128, String> {
    let wrong = || "write a whole number of the ledger's smallest unit: 12.34 with two digits behind the point is 1234".to_owned();
    text.parse().map_err(|_| wrong())
}

fn id_argument(text: &str) -> std::result::Result<Id, String> {
    text.parse().map_err(|error: Refused| error.told().message().to_owned())
}

fn time_argument(text: &str) -> std::result::Result<Timestamp, String> {
    text.parse().map_err(|error: Refused| error.told().message().to_owned())
}
