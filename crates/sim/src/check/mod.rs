//! Checkers: they see what clients saw, and nothing of the code they judge.

pub mod books;
pub mod counter;
pub mod facts;
pub mod graph;
pub mod linear;
pub mod lists;
pub mod told;

use crate::queue::Micros;
use std::fmt;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise, in a word or two; tests of planted faults look at it.
    pub checker: &'static str,
    pub message: String,
}

impl Violation {
    pub fn new(checker: &'static str, message: impl Into<String>) -> Violation {
        Violation { checker, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.checker, self.message)
    }
}

/// What a client knows of what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Acknowledged.
    Done,
    /// Refused: it must have left no trace.
    Refused,
    /// The answer was lost.
    Unknown,
}

/// Prints a time of the world in seconds.
pub fn seconds(micros: Micros) -> String {
    format!("{}.{:06}s", micros / 1_000_000, micros % 1_000_000)
}
