//! One event against the books: every check, then the change. A refusal changes nothing.

use crate::books::Books;
use crate::code::Code;
use crate::model::{Account, Transfer};

pub fn open_account<B: Books>(_books: &mut B, _wanted: &Account, _timestamp: u64) -> Result<u64, Code> {
    Err(Code::BooksContradict)
}

pub fn transfer<B: Books>(_books: &mut B, _wanted: &Transfer, _timestamp: u64) -> Result<u64, Code> {
    Err(Code::BooksContradict)
}

/// Releases a pending transfer whose time has come. True if it was pending until now.
pub fn expire<B: Books>(_books: &mut B, _id: u128, _now: u64) -> bool {
    false
}
