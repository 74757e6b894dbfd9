//! What happened, as a hash of everything and as the last lines.

use crate::check::seconds;
use crate::queue::Micros;
use std::collections::VecDeque;

/// Lines kept for the tail.
const LINES_MAX: usize = 400;

pub struct Trace {
    hash: u64,
    lines: VecDeque<String>,
    verbose: bool,
}

impl Trace {
    pub fn new(verbose: bool) -> Trace {
        Trace { hash: 0, lines: VecDeque::new(), verbose }
    }

    /// Every event goes through here, so two runs are equal if their hashes are.
    pub fn mix(&mut self, value: u64) {
        self.hash = (self.hash.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Notes what an operator would want to know; cheap enough to be always on.
    pub fn note(&mut self, now: Micros, text: impl FnOnce() -> String) {
        let line = format!("{:>14} {}", seconds(now), text());
        if self.verbose {
            self.lines.push_back(line);
        } else {
            if self.lines.len() == LINES_MAX {
                self.lines.pop_front();
            }
            self.lines.push_back(line);
        }
    }

    /// Only kept if asked for.
    pub fn detail(&mut self, now: Micros, text: impl FnOnce() -> String) {
        if self.verbose {
            self.note(now, text);
        }
    }

    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    pub fn tail(&self, lines: usize) -> Vec<String> {
        self.lines.iter().skip(self.lines.len().saturating_sub(lines)).cloned().collect()
    }
}
