//! One record's fields, cut out by column and checked as they are read.

use super::{Control, Direction, Problem};
use base::Money;

/// A record of 94 ASCII characters and the line it stands on.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    pub line: usize,
    pub text: &'a str,
}

impl<'a> Record<'a> {
    /// Columns as the rules count them: from 1, both ends included.
    pub fn text(&self, first: usize, last: usize) -> &'a str {
        &self.text[first - 1..last]
    }

    pub fn trimmed(&self, first: usize, last: usize) -> &'a str {
        self.text(first, last).trim()
    }

    pub fn problem(&self, first: usize, last: usize, what: String) -> Problem {
        Problem { line: self.line, columns: Some((first, last)), what }
    }

    pub fn number(&self, first: usize, last: usize, name: &str) -> Result<u64, Problem> {
        let text = self.text(first, last);
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<u64>() {
            Ok(number) if digits => Ok(number),
            _ => Err(self.problem(first, last, format!("the {name} is {text:?}; it must be digits only"))),
        }
    }

    pub fn money(&self, first: usize, last: usize, name: &str) -> Result<Money, Problem> {
        let text = self.text(first, last);
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<i128>() {
            Ok(cents) if digits => Ok(Money(cents)),
            _ => Err(self.problem(first, last, format!("the {name} is {text:?}; it must be digits only, in cents"))),
        }
    }

    /// A batch control (`8`) or file control (`9`) record's figures; advice files (ADV) have wider totals.
    pub fn control(&self, advice: bool) -> Result<Control, Problem> {
        let file = self.text.starts_with('9');
        let (count, hash, totals) = if file { (14, 22, 32) } else { (5, 11, 21) };
        let width = if advice { 20 } else { 12 };
        Ok(Control {
            records: self.number(count, hash - 1, "entry and addenda count")?,
            entry_hash: self.number(hash, totals - 1, "entry hash")?,
            debits: self.money(totals, totals + width - 1, "total of debits")?,
            credits: self.money(totals + width, totals + 2 * width - 1, "total of credits")?,
        })
    }
}

/// The direction of a transaction code: units 0–4 credit and 5–9 debit the receiver; advice codes alternate.
pub fn direction(code: u8) -> Option<Direction> {
    match (code / 10, code % 10) {
        (2..=5, 0..=4) => Some(Direction::Credit),
        (2..=5, _) => Some(Direction::Debit),
        (8, 1 | 3 | 5 | 7) => Some(Direction::Credit),
        (8, 2 | 4 | 6 | 8) => Some(Direction::Debit),
        _ => None,
    }
}

/// The ninth digit of a routing number (American Bankers Association: weights 3, 7, 1).
pub fn check_digit(eight: &str) -> Option<u32> {
    let weights = [3, 7, 1, 3, 7, 1, 3, 7];
    let mut sum = 0;
    for (digit, weight) in eight.chars().zip(weights) {
        sum += digit.to_digit(10)? * weight;
    }
    Some((10 - sum % 10) % 10)
}
