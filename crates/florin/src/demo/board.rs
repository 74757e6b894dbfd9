//! What the clients were told, and when.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Share of the planned time over which payments are spread; the rest is for what faults held up.
const FLOW_SHARE: f64 = 0.95;
/// Shorter pauses between two commits are not told.
const PAUSE_MICROS_MIN: u64 = 40_000;
/// Most failed attempts that are remembered.
const FAILURES_MAX: usize = 5_000;

/// A time without commits, in microseconds from the first payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    pub from: u64,
    pub to: u64,
}

impl Pause {
    pub fn length(self) -> Duration {
        Duration::from_micros(self.to - self.from)
    }
}

/// Where clients write down what happened.
pub struct Board {
    pub start: Instant,
    /// Payments flow evenly over this time, so that every fault meets some.
    seconds: u64,
    pub next: AtomicUsize,
    pub acknowledged: AtomicUsize,
    /// Microseconds from the start, one for each commit, in the order of the acknowledgements.
    commits: Mutex<Vec<u64>>,
    /// By payment: acknowledged or not.
    done: Vec<AtomicBool>,
    /// Attempts that failed and were made again, with the moment (microseconds) and the reason.
    failures: Mutex<Vec<(u64, String)>>,
    pub retries: AtomicU64,
    pub stopped: AtomicBool,
}

impl Board {
    pub fn new(payments: usize, seconds: u64, start: Instant) -> Board {
        Board {
            start,
            seconds,
            next: AtomicUsize::new(0),
            acknowledged: AtomicUsize::new(0),
            commits: Mutex::new(Vec::with_capacity(payments)),
            done: (0..payments).map(|_| AtomicBool::new(false)).collect(),
            failures: Mutex::new(Vec::new()),
            retries: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    pub fn micros(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    pub fn acknowledge(&self, chunk: Range<usize>) {
        let mut commits = self.commits.lock().expect("no holder panics");
        let now = self.micros();
        for payment in chunk {
            self.done[payment].store(true, Ordering::Relaxed);
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
            commits.push(now);
        }
    }

    /// When a chunk is due.
    pub fn due(&self, chunk: usize, chunks: usize) -> Instant {
        let share = chunk as f64 / chunks.max(1) as f64;
        self.start + Duration::from_secs_f64(share * self.seconds as f64 * FLOW_SHARE)
    }

    pub fn failed(&self, reason: String) {
        self.retries.fetch_add(1, Ordering::Relaxed);
        let mut failures = self.failures.lock().expect("no holder panics");
        if failures.len() < FAILURES_MAX {
            failures.push((self.micros(), reason));
        }
    }

    pub fn is_acknowledged(&self, payment: usize) -> bool {
        self.done[payment].load(Ordering::Relaxed)
    }

    /// The longest time without a commit between two moments (microseconds from the start). One that had begun before `from` counts whole,
    /// one that goes on after `to` counts up to there: the rest is the next fault's, which counts all of it.
    pub fn longest_pause(&self, from: u64, to: u64) -> Pause {
        let commits = self.commits.lock().expect("no holder panics");
        let first = commits.partition_point(|at| *at < from).saturating_sub(1);
        let mut moments = commits[first.min(commits.len())..].to_vec();
        moments.retain(|at| *at <= to);
        moments.push(to);
        let pauses = moments.windows(2).map(|pair| Pause { from: pair[0], to: pair[1] });
        pauses.max_by_key(|pause| pause.length()).unwrap_or(Pause { from, to })
    }

    /// Microseconds from the start of the newest acknowledgement.
    pub fn last_commit(&self) -> u64 {
        self.commits.lock().expect("no holder panics").last().copied().unwrap_or(0)
    }

    pub fn failures_between(&self, from: u64, to: u64) -> Vec<String> {
        let failures = self.failures.lock().expect("no holder panics");
        failures.iter().filter(|(at, _)| (from..=to).contains(at)).map(|(_, reason)| reason.clone()).collect()
    }

    /// Each failed attempt and each longer pause, a line each, in seconds from the first payment.
    pub fn story(&self) -> String {
        let failures = self.failures.lock().expect("no holder panics");
        let mut lines: Vec<(u64, String)> = failures.iter().map(|(at, reason)| (*at, format!("failed: {reason}"))).collect();
        let commits = self.commits.lock().expect("no holder panics");
        let pauses = commits.windows(2).filter(|pair| pair[1] - pair[0] >= PAUSE_MICROS_MIN);
        lines.extend(pauses.map(|pair| (pair[0], format!("no commit for {} ms", (pair[1] - pair[0]) / 1_000))));
        lines.sort();
        lines.iter().map(|(at, what)| format!("{:.6} {what}\n", *at as f64 / 1e6)).collect()
    }

    /// Commits in the last whole seconds, oldest first.
    pub fn rates(&self, seconds: usize) -> Vec<usize> {
        let commits = self.commits.lock().expect("no holder panics");
        let now = self.micros();
        let mut rates = vec![0; seconds];
        for at in commits.iter().rev() {
            let age = (now - at) / 1_000_000;
            if age >= seconds as u64 {
                break;
            }
            rates[seconds - 1 - age as usize] += 1;
        }
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_counts_the_commit_before_and_after_a_fault() {
        let board = Board::new(4, 1, Instant::now());
        *board.commits.lock().expect("no holder panics") = vec![1_000, 2_000, 900_000, 901_000];
        assert_eq!(board.longest_pause(2_500, 950_000), Pause { from: 2_000, to: 900_000 });
        assert_eq!(board.longest_pause(900_500, 901_000), Pause { from: 900_000, to: 901_000 });
    }

    #[test]
    fn a_gap_into_the_next_fault_is_counted_whole_there() {
        let board = Board::new(4, 1, Instant::now());
        *board.commits.lock().expect("no holder panics") = vec![1_000, 2_000, 900_000];
        assert_eq!(board.longest_pause(1_500, 10_000), Pause { from: 2_000, to: 10_000 });
        assert_eq!(board.longest_pause(10_000, 950_000), Pause { from: 2_000, to: 900_000 });
    }

    #[test]
    fn no_commit_after_a_fault_is_a_gap_to_the_end() {
        let board = Board::new(1, 1, Instant::now());
        *board.commits.lock().expect("no holder panics") = vec![1_000];
        assert_eq!(board.longest_pause(2_000, 5_000_000), Pause { from: 1_000, to: 5_000_000 });
    }
}
