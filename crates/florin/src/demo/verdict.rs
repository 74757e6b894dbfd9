//! What was promised, and what was found. The database is asked anew, over ordinary connections.

use super::board::{Board, Pause};
use super::faults::Happened;
use super::observe;
use super::payments::{FILE_NAME, Payments};
use super::plan::Fault;
use super::posting;
use super::targets::Targets;
use super::{DemoOptions, SETTLE_SECONDS_MAX};
use base::Money;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

/// Longest gap between two commits at a fault that the promises allow (RTO at p99).
const GAP_MILLIS_MAX: u128 = 2_000;
/// Longest gap at a planned switch.
const SWITCH_GAP_MILLIS_MAX: u128 = 100;

/// Longest wait for one answer of the count, and for replicas to be at one version: payments flow no more, so nothing hurries.
const SETTLE: Duration = Duration::from_secs(SETTLE_SECONDS_MAX);

#[derive(Debug)]
pub struct Verdict {
    mode: String,
    seed: u64,
    payments: usize,
    acknowledged: usize,
    found: usize,
    lost: usize,
    duplicated: usize,
    rate: f64,
    retries: u64,
    debited: Money,
    credited: Money,
    books_agree: bool,
    whole_file: bool,
    file_agrees: bool,
    replicas: Vec<String>,
    replicas_identical: bool,
    gaps: Vec<Gap>,
}

#[derive(Debug)]
struct Gap {
    fault: Fault,
    place: String,
    longest: Pause,
    /// Its beginning, in seconds after the fault.
    after: f64,
    /// Requests that failed at a planned switch.
    failed: Vec<String>,
}

impl Gap {
    fn is_kept(&self) -> bool {
        match self.fault {
            Fault::DrainLeader => self.longest.length().as_millis() <= SWITCH_GAP_MILLIS_MAX && self.failed.is_empty(),
            _ => self.longest.length().as_millis() <= GAP_MILLIS_MAX,
        }
    }
}

pub async fn judge(
    options: &DemoOptions,
    payments: &Payments,
    board: &Board,
    targets: &Targets,
    faults: Vec<Happened>,
) -> Result<Verdict, String> {
    let elapsed = Duration::from_micros(board.last_commit());
    let client = posting::connect_within(&targets[0], SETTLE).await?;
    // One snapshot for all questions: a payment whose client gave up may be committed this very moment.
    let begin = client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await;
    begin.map_err(|error| posting::explain("beginning the count", &error))?;
    let mut found = BTreeSet::new();
    let mut duplicated = 0;
    let (mut debited, mut credited) = (Money::ZERO, Money::ZERO);
    for row in posted(&client).await? {
        let amount = Money(i128::from(row.amount));
        credited = add(credited, amount)?;
        debited = add(debited, amount)?;
        if !found.insert((row.batch, row.trace)) {
            duplicated += 1;
        }
    }
    let is_posted = |index: &usize| found.contains(&(payments.list[*index].batch, payments.list[*index].trace.clone()));
    let lost = (0..payments.len()).filter(|index| board.is_acknowledged(*index) && !is_posted(index)).count();
    let books = Books::read(&client).await?;
    let posted_twice = books.postings != 2 * found.len() as i128;
    if posted_twice {
        duplicated += (books.postings - 2 * found.len() as i128).unsigned_abs() as usize;
    }
    let whole_file = found.len() == payments.len();
    let stated = add(payments.stated_debits, payments.stated_credits)?;
    let replicas = replica_states(targets).await?;
    let gaps = faults.iter().map(|happened| gap(happened, board)).collect();
    Ok(Verdict {
        mode: options.mode.to_string(),
        seed: options.seed,
        payments: payments.len(),
        acknowledged: board.acknowledged.load(std::sync::atomic::Ordering::Relaxed),
        found: found.len(),
        lost,
        duplicated,
        rate: found.len() as f64 / elapsed.as_secs_f64().max(0.001),
        retries: board.retries.load(std::sync::atomic::Ordering::Relaxed),
        debited: books.debited,
        credited: books.credited,
        books_agree: books.balance == Money::ZERO && books.credited == credited && books.debited == debited,
        whole_file,
        file_agrees: whole_file && credited == stated,
        replicas_identical: replicas.windows(2).all(|pair| pair[0] == pair[1]) && replicas.len() == targets.len(),
        replicas,
        gaps,
    })
}

fn add(sum: Money, amount: Money) -> Result<Money, String> {
    sum.checked_add(amount).ok_or_else(|| "the sum of amounts does not fit 128 bits".to_owned())
}

fn gap(happened: &Happened, board: &Board) -> Gap {
    let until = happened.until.min(board.last_commit());
    let failed = match happened.fault {
        // Leadership comes back after the healing, which must not be noticed either.
        Fault::DrainLeader => board.failures_between(happened.from, happened.until),
        _ => Vec::new(),
    };
    let longest = board.longest_pause(happened.from, until);
    let after = (longest.from as f64 - happened.from as f64) / 1e6;
    Gap { fault: happened.fault, place: happened.place.clone(), longest, after, failed }
}

struct Posted {
    batch: u32,
    trace: String,
    amount: i64,
}

async fn posted(client: &tokio_postgres::Client) -> Result<Vec<Posted>, String> {
    let sql = format!("SELECT batch, trace, amount FROM payments WHERE file = '{FILE_NAME}'");
    let messages = client.simple_query(&sql).await.map_err(|error| posting::explain("counting the payments", &error))?;
    let mut posted = Vec::new();
    for message in messages {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
            let text = |column: usize| row.get(column).ok_or_else(|| "a payment's column is NULL".to_owned());
            let number = |column: usize| text(column)?.parse::<i64>().map_err(|error| format!("a payment's number: {error}"));
            posted.push(Posted { batch: number(0)? as u32, trace: text(1)?.to_owned(), amount: number(2)? });
        }
    }
    Ok(posted)
}

/// What the accounts say.
struct Books {
    balance: Money,
    debited: Money,
    credited: Money,
    postings: i128,
}

impl Books {
    async fn read(client: &tokio_postgres::Client) -> Result<Books, String> {
        let mut books = Books { balance: Money::ZERO, debited: Money::ZERO, credited: Money::ZERO, postings: 0 };
        for row in observe::rows_within(client, "SELECT balance, postings FROM accounts", SETTLE).await? {
            let number = |column: usize| {
                row[column].as_deref().unwrap_or("").parse::<i128>().map_err(|error| format!("an account's number: {error}"))
            };
            let balance = number(0)?;
            books.balance = add(books.balance, Money(balance))?;
            let side = if balance < 0 { &mut books.debited } else { &mut books.credited };
            *side = add(*side, Money(balance.abs()))?;
            books.postings += number(1)?;
        }
        Ok(books)
    }
}

/// Each node's own word on what its replicas hold, at one version, once all have applied it.
async fn replica_states(targets: &Targets) -> Result<Vec<String>, String> {
    let start = Instant::now();
    loop {
        let states = states(targets).await;
        let equal = states.as_ref().is_ok_and(|states| states.windows(2).all(|pair| pair[0] == pair[1]));
        if equal || start.elapsed() > SETTLE {
            return states;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn states(targets: &Targets) -> Result<Vec<String>, String> {
    let mut states = Vec::new();
    for target in targets.iter() {
        let client = posting::connect_within(target, SETTLE).await?;
        let question = "SELECT shard, applied, state_hash FROM florin.replicas ORDER BY shard";
        let rows = observe::rows_within(&client, question, SETTLE).await?;
        let text: Vec<String> =
            rows.iter().map(|row| row.iter().map(|cell| cell.as_deref().unwrap_or("-")).collect::<Vec<_>>().join(":")).collect();
        states.push(text.join(" "));
    }
    Ok(states)
}

impl Verdict {
    pub fn holds(&self) -> bool {
        self.lost == 0
            && self.duplicated == 0
            && self.books_agree
            && self.file_agrees
            && self.replicas_identical
            && self.gaps.iter().all(Gap::is_kept)
    }

    pub fn json(&self) -> Value {
        let gaps: Vec<Value> = self.gaps.iter().map(|gap| {
            json!({ "fault": gap.fault.to_string(), "place": gap.place, "longest_gap_ms": gap.longest.length().as_millis() as u64, "gap_began_after_s": gap.after, "failed_requests": gap.failed.len(), "kept": gap.is_kept() })
        }).collect();
        json!({
            "holds": self.holds(), "mode": self.mode, "seed": self.seed, "payments": self.payments, "acknowledged": self.acknowledged,
            "found": self.found, "lost": self.lost, "duplicated": self.duplicated, "payments_per_second": self.rate.round(), "retries": self.retries,
            "debited": self.debited.display(2).to_string(), "credited": self.credited.display(2).to_string(), "books_agree": self.books_agree,
            "whole_file_posted": self.whole_file, "totals_equal_control_record": self.file_agrees,
            "replicas_identical": self.replicas_identical, "faults": gaps,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |good: bool| if good { "yes" } else { "NO" };
        writeln!(f, "\nVerdict ({}, seed {})", self.mode, self.seed)?;
        writeln!(f, "  payments in the file        {:>12}", self.payments)?;
        writeln!(f, "  acknowledged                {:>12}", self.acknowledged)?;
        writeln!(f, "  found                       {:>12}", self.found)?;
        writeln!(f, "  lost                        {:>12}   must be 0", self.lost)?;
        writeln!(f, "  duplicated                  {:>12}   must be 0", self.duplicated)?;
        writeln!(f, "  payments per second         {:>12.0}   faults included", self.rate)?;
        writeln!(f, "  attempts made again         {:>12}", self.retries)?;
        writeln!(
            f,
            "  debits = credits            {:>12}   {} = {}",
            mark(self.books_agree),
            self.debited.display(2),
            self.credited.display(2)
        )?;
        writeln!(f, "  totals = control record     {:>12}", mark(self.file_agrees))?;
        writeln!(f, "  replicas identical          {:>12}", mark(self.replicas_identical))?;
        for gap in &self.gaps {
            writeln!(
                f,
                "  {:<44} {:<16} longest gap {:>5} ms, {:.1} s after{}",
                gap.fault.to_string(),
                gap.place,
                gap.longest.length().as_millis(),
                gap.after.max(0.0),
                if gap.is_kept() { "" } else { "   BROKEN" }
            )?;
            for reason in gap.failed.iter().take(3) {
                writeln!(f, "      failed request: {reason}")?;
            }
        }
        if !self.replicas_identical {
            self.replicas.iter().try_for_each(|state| writeln!(f, "  replica: {state}"))?;
        }
        write!(f, "{}", if self.holds() { "Every promise was kept." } else { "A promise was broken." })
    }
}
