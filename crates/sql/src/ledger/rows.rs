//! Accounts, transfers and what belongs to them as rows of the ledger's tables and back.
//!
//! What is zero or empty in the rules is NULL in a row, and takes no room there.

use crate::row::corrupted;
use crate::types::settings::EPOCH_DAYS;
use crate::value::{Numeric, Value};
use base::{Error, Result, SqlState};
use ledger::{
    Account, AccountFlags, Balance, Balances, Bounds, Entry, EntryKind, Ledger, Leg, PendingState, Side, Transfer, TransferFlags,
};
use std::sync::Arc;

/// Bytes of one leg in a transfer's row: account, side, amount.
const LEG_BYTES: usize = 33;

/// A row of accounts, with what the rules do not know: the timestamp of its last entry.
pub struct StoredAccount {
    pub account: Account,
    pub changed: u64,
}

/// What a row of transfer_states tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub pending: Option<PendingState>,
    pub expires: Option<u64>,
    pub reversed: u128,
}

fn some_id(id: u128) -> Value {
    if id == 0 { Value::Null } else { Value::Uuid(id) }
}

/// # Errors
/// `22003` above 38 digits.
pub fn amount(amount: u128) -> Result<Value> {
    let digits = i128::try_from(amount).map_err(|_| crate::types::numeric::overflow())?;
    Ok(Value::Numeric(Numeric::new(digits, 0)?))
}

fn some_amount(value: u128) -> Result<Value> {
    if value == 0 { Ok(Value::Null) } else { amount(value) }
}

fn bound(bound: Option<i128>) -> Result<Value> {
    bound.map_or(Ok(Value::Null), |bound| Ok(Value::Numeric(Numeric::new(bound, 0)?)))
}

fn some_int8(value: u64) -> Result<Value> {
    if value == 0 { Ok(Value::Null) } else { int8(value) }
}

/// Nanoseconds fit until the year 2262.
fn int8(value: u64) -> Result<Value> {
    i64::try_from(value)
        .map(Value::Int8)
        .map_err(|_| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "a timestamp of the ledger is out of range"))
}

/// Opaque to the rules, jsonb here.
pub fn metadata(bytes: &[u8]) -> Result<Value> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    std::str::from_utf8(bytes).map(|text| Value::Jsonb(Arc::from(text))).map_err(|_| corrupted("metadata"))
}

fn kind_name(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Posted => "posted",
        EntryKind::Pending => "pending",
        EntryKind::Released => "released",
    }
}

fn state_name(state: PendingState) -> &'static str {
    match state {
        PendingState::Pending => "pending",
        PendingState::Posted => "posted",
        PendingState::Voided => "voided",
        PendingState::Expired => "expired",
    }
}

fn balance_name(balance: Balance) -> &'static str {
    match balance {
        Balance::Posted => "posted",
        Balance::Available => "available",
    }
}

/// # Errors
/// `22003` if something does not fit into its column.
pub fn of_account(stored: &StoredAccount) -> Result<Vec<Value>> {
    let StoredAccount { account, changed } = stored;
    let bounds = &account.bounds;
    let is_bounded = bounds.minimum.is_some() || bounds.maximum.is_some();
    Ok(vec![
        Value::Uuid(account.id),
        Value::Int8(i64::from(account.ledger)),
        Value::Int4(i32::from(account.code)),
        Value::Int4(i32::from(account.flags.0)),
        int8(account.timestamp)?,
        int8(*changed)?,
        amount(account.debits_pending)?,
        amount(account.debits_posted)?,
        amount(account.credits_pending)?,
        amount(account.credits_posted)?,
        some_id(account.parent),
        bound(bounds.minimum)?,
        bound(bounds.maximum)?,
        if is_bounded { Value::text(balance_name(bounds.on)) } else { Value::Null },
        some_id(account.user_data_128),
        some_amount(u128::from(account.user_data_64))?,
        some_int8(u64::from(account.user_data_32))?,
        metadata(&account.metadata)?,
    ])
}

/// # Errors
/// As [`of_account`].
pub fn of_transfer(transfer: &Transfer) -> Result<Vec<Value>> {
    Ok(vec![
        Value::Uuid(transfer.id),
        Value::Int8(i64::from(transfer.ledger)),
        Value::Int4(i32::from(transfer.code)),
        Value::Int4(i32::from(transfer.flags.0)),
        int8(transfer.timestamp)?,
        some_id(transfer.debit_account),
        some_id(transfer.credit_account),
        amount(transfer.amount)?,
        some_id(transfer.pending),
        some_int8(u64::from(transfer.timeout))?,
        some_int8(transfer.effective)?,
        if transfer.value_date == 0 { Value::Null } else { Value::Date(transfer.value_date.saturating_sub(EPOCH_DAYS)) },
        of_legs(&transfer.legs),
        some_id(transfer.user_data_128),
        some_amount(u128::from(transfer.user_data_64))?,
        some_int8(u64::from(transfer.user_data_32))?,
        metadata(&transfer.metadata)?,
    ])
}

fn of_legs(legs: &[Leg]) -> Value {
    if legs.is_empty() {
        return Value::Null;
    }
    let mut bytes = Vec::with_capacity(legs.len() * LEG_BYTES);
    for leg in legs {
        bytes.extend_from_slice(&leg.account.to_be_bytes());
        bytes.push(u8::from(leg.side == Side::Credit));
        bytes.extend_from_slice(&leg.amount.to_be_bytes());
    }
    Value::Bytea(bytes.into())
}

/// `number`: of this entry among those of its account at this timestamp.
///
/// # Errors
/// As [`of_account`].
pub fn of_entry(entry: &Entry, number: i32) -> Result<Vec<Value>> {
    let moved = amount(entry.amount)?;
    let (debit, credit) = match entry.side {
        Side::Debit => (moved, Value::Null),
        Side::Credit => (Value::Null, moved),
    };
    let balances = |part: fn(&Balances) -> u128| entry.balances.as_ref().map_or(Ok(Value::Null), |balances| amount(part(balances)));
    Ok(vec![
        Value::Uuid(entry.account),
        int8(entry.timestamp)?,
        Value::Int4(number),
        Value::Uuid(entry.transfer),
        Value::text(kind_name(entry.kind)),
        debit,
        credit,
        balances(|b| b.debits_pending)?,
        balances(|b| b.debits_posted)?,
        balances(|b| b.credits_pending)?,
        balances(|b| b.credits_posted)?,
    ])
}

/// # Errors
/// As [`of_account`].
pub fn of_state(id: u128, state: &State) -> Result<Vec<Value>> {
    Ok(vec![
        Value::Uuid(id),
        state.pending.map_or(Value::Null, |state| Value::text(state_name(state))),
        state.expires.map_or(Ok(Value::Null), int8)?,
        some_amount(state.reversed)?,
    ])
}

pub fn of_expiry(expires: u64, id: u128) -> Result<Vec<Value>> {
    Ok(vec![int8(expires)?, Value::Uuid(id)])
}

pub fn of_refused(id: u128, timestamp: u64) -> Result<Vec<Value>> {
    Ok(vec![Value::Uuid(id), int8(timestamp)?])
}

/// # Errors
/// As [`of_account`].
pub fn of_ledger(ledger: &Ledger) -> Result<Vec<Value>> {
    let text = |text: &str| if text.is_empty() { Value::Null } else { Value::text(text) };
    Ok(vec![
        Value::Int8(i64::from(ledger.id)),
        Value::text(&ledger.name),
        text(&ledger.asset),
        text(&ledger.currency),
        Value::Int2(i16::from(ledger.scale)),
        some_int8(ledger.closed_through)?,
        metadata(&ledger.metadata)?,
    ])
}

/// Goes through a row's values in the order of the columns.
struct Fields<'a> {
    values: std::slice::Iter<'a, Value>,
}

impl<'a> Fields<'a> {
    fn new(values: &'a [Value]) -> Fields<'a> {
        Fields { values: values.iter() }
    }

    fn next(&mut self) -> Result<&'a Value> {
        self.values.next().ok_or_else(damaged)
    }

    /// 0 for NULL.
    fn id(&mut self) -> Result<u128> {
        match self.next()? {
            Value::Null => Ok(0),
            Value::Uuid(id) => Ok(*id),
            _ => Err(damaged()),
        }
    }

    /// A whole number, 0 for NULL.
    fn signed(&mut self) -> Result<Option<i128>> {
        match self.next()? {
            Value::Null => Ok(None),
            Value::Numeric(value) if value.scale == 0 => Ok(Some(value.digits)),
            Value::Date(days) => Ok(Some(i128::from(*days))),
            other => other.as_i64().map(|value| Some(i128::from(value))).ok_or_else(damaged),
        }
    }

    /// A number that is not negative, 0 for NULL.
    fn number<T: TryFrom<i128>>(&mut self) -> Result<T> {
        T::try_from(self.signed()?.unwrap_or(0)).map_err(|_| damaged())
    }

    fn text(&mut self) -> Result<Option<&'a str>> {
        match self.next()? {
            Value::Null => Ok(None),
            other => other.as_str().map(Some).ok_or_else(damaged),
        }
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        Ok(self.text()?.unwrap_or_default().as_bytes().to_vec())
    }
}

fn damaged() -> Error {
    corrupted("row of the ledger")
}

/// # Errors
/// `XX001` if the row is no account.
pub fn account(values: &[Value]) -> Result<StoredAccount> {
    let mut fields = Fields::new(values);
    let mut account = Account {
        id: fields.id()?,
        ledger: fields.number()?,
        code: fields.number()?,
        flags: AccountFlags(fields.number()?),
        timestamp: fields.number()?,
        ..Account::default()
    };
    let changed = fields.number()?;
    account.debits_pending = fields.number()?;
    account.debits_posted = fields.number()?;
    account.credits_pending = fields.number()?;
    account.credits_posted = fields.number()?;
    account.parent = fields.id()?;
    account.bounds = Bounds {
        minimum: fields.signed()?,
        maximum: fields.signed()?,
        on: match fields.text()? {
            Some("posted") => Balance::Posted,
            _ => Balance::Available,
        },
    };
    account.user_data_128 = fields.id()?;
    account.user_data_64 = fields.number()?;
    account.user_data_32 = fields.number()?;
    account.metadata = fields.bytes()?;
    Ok(StoredAccount { account, changed })
}

/// # Errors
/// `XX001` if the row is no transfer.
pub fn transfer(values: &[Value]) -> Result<Transfer> {
    let mut fields = Fields::new(values);
    Ok(Transfer {
        id: fields.id()?,
        ledger: fields.number()?,
        code: fields.number()?,
        flags: TransferFlags(fields.number()?),
        timestamp: fields.number()?,
        debit_account: fields.id()?,
        credit_account: fields.id()?,
        amount: fields.number()?,
        pending: fields.id()?,
        timeout: fields.number()?,
        effective: fields.number()?,
        value_date: match fields.signed()? {
            None => 0,
            Some(days) => i32::try_from(days).map_err(|_| damaged())?.saturating_add(EPOCH_DAYS),
        },
        legs: legs(fields.next()?)?,
        user_data_128: fields.id()?,
        user_data_64: fields.number()?,
        user_data_32: fields.number()?,
        metadata: fields.bytes()?,
    })
}

fn legs(value: &Value) -> Result<Vec<Leg>> {
    let bytes = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Bytea(bytes) => bytes,
        _ => return Err(damaged()),
    };
    let (legs, rest) = bytes.as_chunks::<LEG_BYTES>();
    if !rest.is_empty() {
        return Err(damaged());
    }
    let wide = |bytes: &[u8]| bytes.try_into().map(u128::from_be_bytes).map_err(|_| damaged());
    let leg = |bytes: &[u8; LEG_BYTES]| {
        let side = if bytes[16] == 0 { Side::Debit } else { Side::Credit };
        Ok(Leg { account: wide(&bytes[..16])?, side, amount: wide(&bytes[17..])? })
    };
    legs.iter().map(leg).collect()
}

/// # Errors
/// `XX001` if the row is no state.
pub fn state(values: &[Value]) -> Result<State> {
    let mut fields = Fields::new(values);
    fields.id()?;
    let pending = match fields.text()? {
        None => None,
        Some("pending") => Some(PendingState::Pending),
        Some("posted") => Some(PendingState::Posted),
        Some("voided") => Some(PendingState::Voided),
        Some("expired") => Some(PendingState::Expired),
        Some(_) => return Err(damaged()),
    };
    let expires = fields.signed()?.map(u64::try_from).transpose().map_err(|_| damaged())?;
    Ok(State { pending, expires, reversed: fields.number()? })
}

/// # Errors
/// `XX001` if the row is no ledger.
pub fn ledger(values: &[Value]) -> Result<Ledger> {
    let mut fields = Fields::new(values);
    Ok(Ledger {
        id: fields.number()?,
        name: fields.text()?.unwrap_or_default().to_owned(),
        asset: fields.text()?.unwrap_or_default().to_owned(),
        currency: fields.text()?.unwrap_or_default().to_owned(),
        scale: fields.number()?,
        closed_through: fields.number()?,
        metadata: fields.bytes()?,
    })
}
