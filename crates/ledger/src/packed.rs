//! Accounts, transfers and outcomes as fixed records of little-endian bytes, so that a batch travels as one value.
//!
//! A record has no place for legs, parents, bounds, effective times, value dates and metadata: events that have them go another way, and
//! encoding leaves them out. docs/formats.md has the layout.

use crate::batch::Outcome;
use crate::model::{Account, AccountFlags, Transfer, TransferFlags};
use base::{Error, SqlState};

/// The most events of one packed batch.
pub const BATCH_EVENTS_MAX: usize = 8_190;

/// Bytes of a packed account and of a packed transfer.
pub const EVENT_BYTES: usize = 128;

/// Bytes of a packed outcome.
pub const OUTCOME_BYTES: usize = 16;

/// Takes fields from the front of a record.
struct Reader<'a>(&'a [u8]);

macro_rules! integers {
    ($($name:ident: $type:ty),+) => {
        impl Reader<'_> {
            $(fn $name(&mut self) -> $type {
                let (field, rest) = self.0.split_first_chunk().expect("a record has 128 bytes, and its fields no more");
                self.0 = rest;
                <$type>::from_le_bytes(*field)
            })+
        }
    };
}

integers!(u128: u128, u64: u64, u32: u32, u16: u16);

/// Cuts bytes into records.
fn records<'a>(bytes: &'a [u8], what: &str) -> Result<impl Iterator<Item = Reader<'a>>, Error> {
    let (records, rest) = bytes.as_chunks::<EVENT_BYTES>();
    if !rest.is_empty() {
        let message = format!("packed {what} end inside a record: {} bytes are not a multiple of {EVENT_BYTES}", bytes.len());
        let detail = format!("The record that begins at byte {} has only {} bytes.", bytes.len() - rest.len(), rest.len());
        let hint = format!("Send {EVENT_BYTES} bytes for each event.");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).with_detail(detail).with_hint(hint));
    }
    if records.len() > BATCH_EVENTS_MAX {
        let message = format!("a packed batch of {} {what} is too long", records.len());
        let hint = format!("Send at most {BATCH_EVENTS_MAX} events in one batch.");
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).with_hint(hint));
    }
    Ok(records.iter().map(|record| Reader(record)))
}

/// Accounts from their packed form. Whether their fields make sense is for the batch to say.
///
/// # Errors
/// 22023 if the length is not one of whole records, if there are more than [`BATCH_EVENTS_MAX`], or if reserved bytes are not 0.
pub fn decode_accounts(bytes: &[u8]) -> Result<Vec<Account>, Error> {
    let mut accounts = Vec::with_capacity(bytes.len() / EVENT_BYTES);
    for (index, mut reader) in records(bytes, "accounts")?.enumerate() {
        let (account, reserved) = account(&mut reader);
        if reserved != 0 {
            let message = format!("packed account {index} has {reserved} in its reserved field");
            let detail = format!("It is at byte {} of the batch.", index * EVENT_BYTES + 108);
            let hint = "Set the reserved field of each account to 0.";
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).with_detail(detail).with_hint(hint));
        }
        accounts.push(account);
    }
    Ok(accounts)
}

/// Fields are read in the order in which they are written here; the reserved one comes second.
fn account(reader: &mut Reader<'_>) -> (Account, u32) {
    let mut account = Account {
        id: reader.u128(),
        debits_pending: reader.u128(),
        debits_posted: reader.u128(),
        credits_pending: reader.u128(),
        credits_posted: reader.u128(),
        user_data_128: reader.u128(),
        user_data_64: reader.u64(),
        user_data_32: reader.u32(),
        ..Account::default()
    };
    let reserved = reader.u32();
    account.ledger = reader.u32();
    account.code = reader.u16();
    account.flags = AccountFlags(reader.u16());
    account.timestamp = reader.u64();
    (account, reserved)
}

/// Transfers from their packed form. Whether their fields make sense is for the batch to say.
///
/// # Errors
/// 22023 if the length is not one of whole records, or if there are more than [`BATCH_EVENTS_MAX`].
pub fn decode_transfers(bytes: &[u8]) -> Result<Vec<Transfer>, Error> {
    Ok(records(bytes, "transfers")?.map(|mut reader| transfer(&mut reader)).collect())
}

/// Fields are read in the order in which they are written here.
fn transfer(reader: &mut Reader<'_>) -> Transfer {
    Transfer {
        id: reader.u128(),
        debit_account: reader.u128(),
        credit_account: reader.u128(),
        amount: reader.u128(),
        pending: reader.u128(),
        user_data_128: reader.u128(),
        user_data_64: reader.u64(),
        user_data_32: reader.u32(),
        timeout: reader.u32(),
        ledger: reader.u32(),
        code: reader.u16(),
        flags: TransferFlags(reader.u16()),
        timestamp: reader.u64(),
        ..Transfer::default()
    }
}

/// The packed form of accounts, [`EVENT_BYTES`] each.
pub fn encode_accounts<'a>(accounts: impl IntoIterator<Item = &'a Account>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for account in accounts {
        let balances = [account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted];
        bytes.extend_from_slice(&account.id.to_le_bytes());
        balances.iter().for_each(|sum| bytes.extend_from_slice(&sum.to_le_bytes()));
        bytes.extend_from_slice(&account.user_data_128.to_le_bytes());
        bytes.extend_from_slice(&account.user_data_64.to_le_bytes());
        bytes.extend_from_slice(&account.user_data_32.to_le_bytes());
        bytes.extend_from_slice(&0u32.to_le_bytes());
        bytes.extend_from_slice(&account.ledger.to_le_bytes());
        bytes.extend_from_slice(&account.code.to_le_bytes());
        bytes.extend_from_slice(&account.flags.0.to_le_bytes());
        bytes.extend_from_slice(&account.timestamp.to_le_bytes());
    }
    bytes
}

/// The packed form of transfers, [`EVENT_BYTES`] each.
pub fn encode_transfers<'a>(transfers: impl IntoIterator<Item = &'a Transfer>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for transfer in transfers {
        let ids = [transfer.id, transfer.debit_account, transfer.credit_account, transfer.amount, transfer.pending, transfer.user_data_128];
        ids.iter().for_each(|id| bytes.extend_from_slice(&id.to_le_bytes()));
        bytes.extend_from_slice(&transfer.user_data_64.to_le_bytes());
        bytes.extend_from_slice(&transfer.user_data_32.to_le_bytes());
        bytes.extend_from_slice(&transfer.timeout.to_le_bytes());
        bytes.extend_from_slice(&transfer.ledger.to_le_bytes());
        bytes.extend_from_slice(&transfer.code.to_le_bytes());
        bytes.extend_from_slice(&transfer.flags.0.to_le_bytes());
        bytes.extend_from_slice(&transfer.timestamp.to_le_bytes());
    }
    bytes
}

/// The packed form of outcomes, [`OUTCOME_BYTES`] each: timestamp, number of the code, 4 bytes that are 0.
pub fn encode_outcomes(outcomes: &[Outcome]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(outcomes.len() * OUTCOME_BYTES);
    for outcome in outcomes {
        bytes.extend_from_slice(&outcome.timestamp.to_le_bytes());
        bytes.extend_from_slice(&u32::from(outcome.code.number()).to_le_bytes());
        bytes.extend_from_slice(&0u32.to_le_bytes());
    }
    bytes
}
