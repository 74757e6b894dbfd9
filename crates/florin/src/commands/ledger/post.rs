//! `florin ledger post`: the transfers of a file, a JSON document on each line, in batches.

use super::super::table;
use super::{Common, Ended, FINDING, Failed, WRONG_USE};
use base::{Error, Result, SqlState};
use florin_client::{BATCH_EVENTS_MAX, Code, Ledger, Outcome, Transfer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::process::ExitCode;

/// Longest line, in bytes: a posting of a thousand legs with the longest metadata is a fifth of it.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// Refused lines that are told one by one.
const TOLD_MAX: usize = 20;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// File of JSON documents as `ledger.post` takes them, one on each line; `-` for standard input. With ids of its own a file can be sent again: what was booked is booked once
    file: String,
}

/// What became of the lines so far.
#[derive(Default)]
struct Summary {
    lines: u64,
    codes: BTreeMap<Code, u64>,
    refused: Vec<(u64, Outcome)>,
}

/// A batch that was read: each transfer with its line. Then what stopped the reading, if it was not the end.
struct Chunk {
    lines: Vec<u64>,
    transfers: Vec<Transfer>,
    stopped: Option<(u64, String)>,
    ended: bool,
}

impl Arguments {
    pub async fn run(self) -> Ended {
        let mut reader = Reader { input: open(&self.file)?, line: 0 };
        let ledger = self.common.ledger().await?;
        let mut summary = Summary::default();
        let stopped = loop {
            let chunk = reader.chunk()?;
            if let Err(failed) = summary.book(&ledger, chunk.lines, chunk.transfers).await {
                summary.print(&self.common);
                return Err(failed);
            }
            if chunk.stopped.is_some() || chunk.ended {
                break chunk.stopped;
            }
        };
        summary.print(&self.common);
        if let Some((line, why)) = stopped {
            eprintln!("florin: line {line}: {why}");
            eprintln!("  the lines before it were sent, it and those behind it were not");
            return Ok(ExitCode::from(WRONG_USE));
        }
        Ok(if summary.refused() == 0 { ExitCode::SUCCESS } else { ExitCode::from(FINDING) })
    }
}

fn open(file: &str) -> Result<Box<dyn BufRead>> {
    if file == "-" {
        return Ok(Box::new(BufReader::new(stdin())));
    }
    let opened = File::open(file).map_err(|error| Error::new(SqlState::IO_ERROR, format!("{file} could not be read: {error}")))?;
    Ok(Box::new(BufReader::new(opened)))
}

struct Reader {
    input: Box<dyn BufRead>,
    line: u64,
}

impl Reader {
    /// # Errors
    /// If the input cannot be read.
    fn chunk(&mut self) -> Result<Chunk> {
        let mut chunk = Chunk { lines: Vec::new(), transfers: Vec::new(), stopped: None, ended: false };
        let mut text = Vec::new();
        while chunk.transfers.len() < BATCH_EVENTS_MAX {
            text.clear();
            let read = std::io::Read::take(&mut self.input, LINE_BYTES_MAX + 1).read_until(b'\n', &mut text);
            let read =
                read.map_err(|error| Error::new(SqlState::IO_ERROR, format!("line {} could not be read: {error}", self.line + 1)))?;
            if read == 0 {
                chunk.ended = true;
                break;
            }
            self.line += 1;
            match parse(&text) {
                Ok(None) => {}
                Ok(Some(transfer)) => {
                    chunk.lines.push(self.line);
                    chunk.transfers.push(transfer);
                }
                Err(why) => {
                    chunk.stopped = Some((self.line, why));
                    break;
                }
            }
        }
        Ok(chunk)
    }
}

/// `None` for an empty line.
fn parse(line: &[u8]) -> std::result::Result<Option<Transfer>, String> {
    if line.len() as u64 > LINE_BYTES_MAX {
        return Err(format!("it is longer than {LINE_BYTES_MAX} bytes"));
    }
    let text = std::str::from_utf8(line).map_err(|_| "it is no UTF-8".to_owned())?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    Transfer::from_json(text).map(Some).map_err(|error| error.told().message().to_owned())
}

impl Summary {
    async fn book(&mut self, ledger: &Ledger, lines: Vec<u64>, transfers: Vec<Transfer>) -> std::result::Result<(), Failed> {
        let outcomes = ledger.transfers(transfers).await?;
        for (line, outcome) in lines.into_iter().zip(outcomes) {
            self.lines += 1;
            *self.codes.entry(outcome.code).or_default() += 1;
            if !outcome.is_booked() && self.refused.len() < TOLD_MAX {
                self.refused.push((line, outcome));
            }
        }
        Ok(())
    }

    fn refused(&self) -> u64 {
        self.codes.iter().filter(|(code, _)| !matches!(code, Code::Ok | Code::Exists)).map(|(_, count)| count).sum()
    }

    fn print(&self, common: &Common) {
        let refused: Vec<Value> = self
            .refused
            .iter()
            .map(|(line, outcome)| json!({ "line": line, "id": outcome.id.to_string(), "code": outcome.code.number(), "name": outcome.code.name() }))
            .collect();
        let codes: serde_json::Map<String, Value> = self.codes.iter().map(|(code, count)| (code.name().to_owned(), json!(count))).collect();
        common.print(&json!({ "transfers": self.lines, "codes": codes, "refused": self.refused(), "first_refused": refused }), || {
            let mut lines = vec![["count", "code", ""].map(str::to_owned).to_vec()];
            lines.extend(self.codes.iter().map(|(code, count)| vec![count.to_string(), code.number().to_string(), code.name().to_owned()]));
            format!("{} transfers\n{}", self.lines, table(&lines))
        });
        if common.json {
            return;
        }
        for (line, outcome) in &self.refused {
            eprintln!("line {line}: {} is refused: {}. {}", outcome.id, outcome.code.name(), outcome.code.advice());
        }
        let untold = self.refused().saturating_sub(self.refused.len() as u64);
        if untold > 0 {
            eprintln!("and {untold} more");
        }
    }
}
