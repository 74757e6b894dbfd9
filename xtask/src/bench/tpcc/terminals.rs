//! A run: terminals that each ask for one transaction after the other, without keying or thinking, for a given time.

use super::inputs::{Deck, Home, Input, KINDS, Kind};
use super::load::DISTRICTS;
use super::random::Random;
use super::session::{Session, Trouble};
use super::transactions::{self, Done};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TERMINALS: i32 = 16;
/// As pgbench's jobs.
const THREADS: usize = 2;
/// A transaction that fails more often will not succeed.
const TRIES_MAX: u32 = 100;
const PREPARE_SECONDS_MAX: u64 = 60;
/// Beyond the time that a run is given.
const LATE_SECONDS_MAX: u64 = 60;

/// What terminals did.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Of the transactions that ended in time, by kind, from the first try to the last answer.
    pub latencies: [Vec<Duration>; KINDS.len()],
    /// All transactions that were done, those that ended late too, by kind.
    pub done: [u64; KINDS.len()],
    /// New-Order transactions that rolled back as intended; they count as done.
    pub rolled_back: u64,
    /// Orders delivered, and districts where none waited.
    pub delivered: u64,
    pub skipped: u64,
    /// Failures after which the same was tried again.
    pub retried: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        for kind in 0..KINDS.len() {
            self.latencies[kind].extend(&other.latencies[kind]);
            self.done[kind] += other.done[kind];
        }
        self.rolled_back += other.rolled_back;
        self.delivered += other.delivered;
        self.skipped += other.skipped;
        self.retried += other.retried;
    }

    pub fn of(&self, kind: Kind) -> &[Duration] {
        &self.latencies[kind as usize]
    }

    fn record(&mut self, kind: Kind, done: Done, took: Duration, in_time: bool) {
        self.done[kind as usize] += 1;
        if in_time {
            self.latencies[kind as usize].push(took);
        }
        match done {
            Done::Committed => {}
            Done::RolledBack => self.rolled_back += 1,
            Done::Delivered(orders) => {
                self.delivered += orders;
                self.skipped += DISTRICTS as u64 - orders;
            }
        }
    }
}

struct Terminal {
    session: Session,
    home: Home,
    random: Random,
    deck: Arc<Mutex<Deck>>,
    /// Set by the first that fails.
    stop: Arc<AtomicBool>,
}

/// Runs all terminals against one server. `round` chooses what they draw.
pub fn run(port: u16, user: &'static str, warehouses: i32, seconds: u64, round: u64) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    runtime.map_err(|error| format!("runtime: {error}"))?.block_on(async {
        let open = open(port, user, warehouses, round);
        let terminals = tokio::time::timeout(Duration::from_secs(PREPARE_SECONDS_MAX), open);
        let terminals = terminals.await.map_err(|_| format!("not connected after {PREPARE_SECONDS_MAX} s"))??;
        let end = Instant::now() + Duration::from_secs(seconds);
        let running: Vec<_> = terminals.into_iter().map(|terminal| tokio::spawn(terminal.work(end))).collect();
        let all = async {
            let mut sum = Tally::default();
            for terminal in running {
                sum.add(&terminal.await.map_err(|error| format!("a terminal panicked: {error}"))??);
            }
            Ok(sum)
        };
        let bound = Duration::from_secs(seconds + LATE_SECONDS_MAX);
        tokio::time::timeout(bound, all).await.unwrap_or_else(|_| Err(format!("no answer for {LATE_SECONDS_MAX} s")))
    })
}

async fn open(port: u16, user: &str, warehouses: i32, round: u64) -> Result<Vec<Terminal>, String> {
    let (deck, stop) = (Arc::new(Mutex::new(Deck::new(round))), Arc::new(AtomicBool::new(false)));
    let mut terminals = Vec::new();
    for number in 0..TERMINALS {
        let session = Session::open(port, user, transactions::statements()).await?;
        // A place of its own for each, as long as there are enough (clause 2.8.1.1).
        let home = Home { warehouse: number % warehouses + 1, district: number / warehouses % DISTRICTS + 1, warehouses };
        let random = Random::of(&[11, round, number as u64]);
        terminals.push(Terminal { session, home, random, deck: Arc::clone(&deck), stop: Arc::clone(&stop) });
    }
    Ok(terminals)
}

impl Terminal {
    async fn work(mut self, end: Instant) -> Result<Tally, String> {
        let mut tally = Tally::default();
        while Instant::now() < end && !self.stop.load(Ordering::Relaxed) {
            let kind = self.deck.lock().expect("no holder panics").draw();
            let input = Input::draw(kind, self.home, &mut self.random);
            let begin = Instant::now();
            match self.run(&input, &mut tally.retried).await {
                Ok(done) => tally.record(kind, done, begin.elapsed(), Instant::now() < end),
                Err(said) => {
                    self.stop.store(true, Ordering::Relaxed);
                    return Err(format!("{}: {said}", kind.name()));
                }
            }
        }
        Ok(tally)
    }

    async fn run(&mut self, input: &Input, retried: &mut u64) -> Result<Done, String> {
        let mut last = String::new();
        for _ in 0..TRIES_MAX {
            let outcome = match self.session.begin().await {
                Ok(work) => transactions::run(work, self.home, input).await,
                Err(trouble) => Err(trouble),
            };
            match outcome {
                Ok(done) => return Ok(done),
                Err(Trouble::Broken(said)) => return Err(said),
                Err(Trouble::Again(said)) => last = said,
            }
            *retried += 1;
        }
        Err(format!("failed {TRIES_MAX} times, at last with: {last}"))
    }
}
