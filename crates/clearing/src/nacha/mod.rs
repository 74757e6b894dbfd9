//! ACH files in the NACHA format: lines of 94 characters, batches of entries, control records that say what must be in them.
//!
//! Source of layouts and checks: Nacha Operating Rules, Appendix Three "ACH Record Format Specifications". Positions in
//! messages are the rules' own: columns counted from 1.
//!
//! [`read`] takes a whole file and gives its entries, or all that is wrong with it (up to [`PROBLEMS_MAX`]). It accepts nothing that its
//! control records do not confirm: counts, entry hash and both totals, for each batch and for the file.

mod fields;
mod reader;

pub use reader::read;

use base::Money;
use std::fmt;

/// Characters of a record.
pub const RECORD_CHARS: usize = 94;
/// Records of a block; a file is padded to whole blocks with records of nines.
pub const BLOCK_RECORDS: usize = 10;
/// A reader stops after this many problems: a file this broken is read by a person.
pub const PROBLEMS_MAX: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Takes money from the receiver's account.
    Debit,
    /// Gives money to the receiver's account.
    Credit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File<'a> {
    pub destination: &'a str,
    pub origin: &'a str,
    /// `YYMMDD`.
    pub created: &'a str,
    pub modifier: &'a str,
    pub batches: Vec<Batch<'a>>,
    pub control: Control,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch<'a> {
    pub line: usize,
    pub number: u32,
    pub service_class: u16,
    pub company: &'a str,
    pub company_id: &'a str,
    /// Standard entry class: `PPD`, `CCD`, `WEB`, `IAT`, `ADV`, …
    pub class: &'a str,
    pub description: &'a str,
    /// `YYMMDD`, as written.
    pub effective: &'a str,
    /// First eight digits of the originating bank's routing number.
    pub originating_bank: &'a str,
    pub entries: Vec<Entry<'a>>,
    pub control: Control,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    pub line: usize,
    pub transaction_code: u8,
    pub direction: Direction,
    /// Routing number of the receiving bank, nine digits with its check digit.
    pub receiving_bank: &'a str,
    pub account: &'a str,
    /// Cents. Zero for prenotifications and notifications of change.
    pub amount: Money,
    pub receiver: &'a str,
    /// Unique within its batch. Entries of class ADV have none: their operator, day and sequence stand here.
    pub trace: &'a str,
    pub addenda: u32,
}

/// What a control record states, or what was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Entries and addenda together.
    pub records: u64,
    /// Sum of the receiving banks' first eight digits, its last ten digits.
    pub entry_hash: u64,
    pub debits: Money,
    pub credits: Money,
}

/// One thing that is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, from 1.
    pub line: usize,
    /// First and last column, from 1, where the problem lies in one field.
    pub columns: Option<(usize, usize)>,
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.columns {
            Some((first, last)) => write!(f, "line {}, columns {first}-{last}: {}", self.line, self.what),
            None => write!(f, "line {}: {}", self.line, self.what),
        }
    }
}

/// Everything wrong with a file, in the order of its lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub problems: Vec<Problem>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the ACH file is broken in {} place(s); nothing of it may be posted. Ask its sender for a corrected file.",
            self.problems.len()
        )?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Broken {}
