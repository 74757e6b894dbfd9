//! Accounts, transfers and outcomes as fixed records of little-endian bytes.

use crate::batch::Outcome;
use crate::model::{Account, Transfer};

/// The most events of one packed batch.
pub const BATCH_EVENTS_MAX: usize = 8_190;

pub fn decode_accounts(_bytes: &[u8]) -> Result<Vec<Account>, base::Error> {
    Ok(Vec::new())
}

pub fn decode_transfers(_bytes: &[u8]) -> Result<Vec<Transfer>, base::Error> {
    Ok(Vec::new())
}

pub fn encode_accounts(_accounts: &[Account]) -> Vec<u8> {
    Vec::new()
}

pub fn encode_transfers(_transfers: &[Transfer]) -> Vec<u8> {
    Vec::new()
}

pub fn encode_outcomes(_outcomes: &[Outcome]) -> Vec<u8> {
    Vec::new()
}
