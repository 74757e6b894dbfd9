//! What is read back from the books. Amounts are in the ledger's smallest unit.

use crate::error::{Error, Result};
use crate::id::{Id, Timestamp};
use crate::model::Leg;
use crate::wire::Whole;
use ledger::{AccountFlags, Balance, Balances, Bounds, EntryKind, PendingState, Side, TransferFlags};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

/// Bytes of one leg in a transfer's row: account, side, amount.
const LEG_BYTES: usize = 33;

#[derive(Clone, Debug)]
pub struct Account {
    pub id: Id,
    pub ledger: u32,
    pub code: u16,
    pub flags: AccountFlags,
    /// When it was opened.
    pub timestamp: Timestamp,
    pub balances: Balances,
    pub parent: Option<Id>,
    pub bounds: Bounds,
    pub user_data_128: u128,
    pub user_data_64: u64,
    pub user_data_32: u32,
    /// JSON.
    pub metadata: Option<String>,
}

/// A transfer as it is recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub id: Id,
    pub ledger: u32,
    pub code: u16,
    pub flags: TransferFlags,
    /// When it was booked.
    pub timestamp: Timestamp,
    /// `None` if it has legs.
    pub debit_account: Option<Id>,
    /// `None` if it has legs.
    pub credit_account: Option<Id>,
    pub amount: u128,
    /// What it posts, voids or reverses.
    pub refers_to: Option<Id>,
    /// Seconds after which it expires if it is pending; 0: never.
    pub timeout: u32,
    /// When it takes effect, if not when it was booked.
    pub effective: Option<Timestamp>,
    /// From which day interest counts, in days since 1970-01-01, if not the day on which it takes effect.
    pub value_date: Option<i32>,
    pub legs: Vec<Leg>,
    pub user_data_128: u128,
    pub user_data_64: u64,
    pub user_data_32: u32,
    /// JSON.
    pub metadata: Option<String>,
}

/// What became of a transfer that was pending or was reversed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferState {
    pub id: Id,
    /// `None` if it was never pending.
    pub pending: Option<PendingState>,
    pub expires: Option<Timestamp>,
    /// How much of it was moved back.
    pub reversed: u128,
}

/// One line of an account's statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub account: Id,
    pub timestamp: Timestamp,
    /// Of this entry among those of its account at this timestamp.
    pub number: i32,
    pub transfer: Id,
    pub kind: EntryKind,
    pub side: Side,
    pub amount: u128,
    /// The account's sums after it, if the account has [`AccountFlags::HISTORY`].
    pub balances: Option<Balances>,
}

/// A place in an account's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub timestamp: Timestamp,
    pub number: i32,
}

/// Which entries of an account to read.
#[derive(Clone, Copy, Debug)]
pub struct EntryQuery {
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub before: Option<Timestamp>,
    pub newest_first: bool,
    /// Most entries of the page, at least 1.
    pub limit: u32,
    /// Behind this entry in the order of reading: [`Page::next`] of the page before.
    pub after: Option<Cursor>,
}

impl Default for EntryQuery {
    /// The first hundred.
    fn default() -> EntryQuery {
        EntryQuery { from: None, before: None, newest_first: false, limit: 100, after: None }
    }
}

#[derive(Clone, Debug)]
pub struct Page {
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<Cursor>,
}

/// An account's sums, now or at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountBalance {
    pub account: Id,
    pub ledger: u32,
    pub code: u16,
    pub balances: Balances,
}

/// A ledger as it is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defined {
    pub id: u32,
    pub name: String,
    pub asset: Option<String>,
    pub currency: Option<String>,
    /// Digits behind the point.
    pub scale: u8,
    /// Nothing may take effect at or before this time.
    pub closed_through: Option<Timestamp>,
    /// JSON.
    pub metadata: Option<String>,
}

/// Something in the books that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub name: String,
    pub account: Option<Id>,
    pub detail: String,
}

/// A row's values by their columns' names.
pub struct Fields<'a>(pub &'a Row);

impl<'a> Fields<'a> {
    /// # Errors
    /// If there is no such column, or of another type.
    pub fn get<T: FromSql<'a>>(&self, name: &str) -> Result<T> {
        self.0.try_get(name).map_err(|error| Error::answer(&format!("column {name}: {error}")))
    }

    /// A whole number that fits; NULL is 0.
    pub fn int8<T: TryFrom<i64>>(&self, name: &str) -> Result<T> {
        fitting(self.get::<Option<i64>>(name)?.unwrap_or(0), name)
    }

    pub fn int4<T: TryFrom<i64>>(&self, name: &str) -> Result<T> {
        fitting(i64::from(self.get::<Option<i32>>(name)?.unwrap_or(0)), name)
    }

    pub fn time(&self, name: &str) -> Result<Option<Timestamp>> {
        self.get::<Option<i64>>(name)?.map(|time| fitting(time, name).map(Timestamp)).transpose()
    }

    /// NULL is 0.
    pub fn amount(&self, name: &str) -> Result<u128> {
        let amount: Option<Whole> = self.get(name)?;
        u128::try_from(amount.map_or(0, |amount| amount.0)).map_err(|_| out_of_range(name))
    }

    pub fn balances(&self) -> Result<Balances> {
        Ok(Balances {
            debits_pending: self.amount("debits_pending")?,
            debits_posted: self.amount("debits_posted")?,
            credits_pending: self.amount("credits_pending")?,
            credits_posted: self.amount("credits_posted")?,
        })
    }

    fn user_data_64(&self) -> Result<u64> {
        u64::try_from(self.amount("user_data_64")?).map_err(|_| out_of_range("user_data_64"))
    }

    fn wide(&self, name: &str) -> Result<u128> {
        Ok(self.get::<Option<Id>>(name)?.unwrap_or(Id::NONE).0)
    }
}

fn fitting<T: TryFrom<i64>>(value: i64, name: &str) -> Result<T> {
    T::try_from(value).map_err(|_| out_of_range(name))
}

fn out_of_range(name: &str) -> Error {
    Error::answer(&format!("column {name} is out of range"))
}

pub const ACCOUNT: &str = "id, ledger, code, flags, timestamp, debits_pending, debits_posted, credits_pending, credits_posted, parent, minimum, maximum, bounded, \
    user_data_128, user_data_64, user_data_32, metadata::text AS metadata";

/// # Errors
/// If the row is not of [`ACCOUNT`].
pub fn account(row: &Row) -> Result<Account> {
    let fields = Fields(row);
    let bound = |name| Ok::<_, Error>(fields.get::<Option<Whole>>(name)?.map(|whole| whole.0));
    let bounded: Option<&str> = fields.get("bounded")?;
    let on = if bounded == Some("posted") { Balance::Posted } else { Balance::Available };
    Ok(Account {
        id: fields.get("id")?,
        ledger: fields.int8("ledger")?,
        code: fields.int4("code")?,
        flags: AccountFlags(fields.int4("flags")?),
        timestamp: fields.time("timestamp")?.unwrap_or_default(),
        balances: fields.balances()?,
        parent: fields.get("parent")?,
        bounds: Bounds { minimum: bound("minimum")?, maximum: bound("maximum")?, on },
        user_data_128: fields.wide("user_data_128")?,
        user_data_64: fields.user_data_64()?,
        user_data_32: fields.int8("user_data_32")?,
        metadata: fields.get("metadata")?,
    })
}

pub const TRANSFER: &str = "id, ledger, code, flags, timestamp, debit_account, credit_account, amount, refers_to, timeout, effective, \
    value_date - date '1970-01-01' AS value_date, legs, user_data_128, user_data_64, user_data_32, metadata::text AS metadata";

/// # Errors
/// If the row is not of [`TRANSFER`].
pub fn transfer(row: &Row) -> Result<Recorded> {
    let fields = Fields(row);
    Ok(Recorded {
        id: fields.get("id")?,
        ledger: fields.int8("ledger")?,
        code: fields.int4("code")?,
        flags: TransferFlags(fields.int4("flags")?),
        timestamp: fields.time("timestamp")?.unwrap_or_default(),
        debit_account: fields.get("debit_account")?,
        credit_account: fields.get("credit_account")?,
        amount: fields.amount("amount")?,
        refers_to: fields.get("refers_to")?,
        timeout: fields.int8("timeout")?,
        effective: fields.time("effective")?,
        value_date: fields.get("value_date")?,
        legs: legs(fields.get::<Option<&[u8]>>("legs")?.unwrap_or_default())?,
        user_data_128: fields.wide("user_data_128")?,
        user_data_64: fields.user_data_64()?,
        user_data_32: fields.int8("user_data_32")?,
        metadata: fields.get("metadata")?,
    })
}

fn legs(bytes: &[u8]) -> Result<Vec<Leg>> {
    let (legs, rest) = bytes.as_chunks::<LEG_BYTES>();
    if !rest.is_empty() {
        return Err(Error::answer("legs of another form"));
    }
    let wide = |bytes: &[u8]| bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    let leg = |bytes: &[u8; LEG_BYTES]| Leg {
        account: Id(wide(&bytes[..16])),
        side: if bytes[16] == 0 { Side::Debit } else { Side::Credit },
        amount: wide(&bytes[17..]),
    };
    Ok(legs.iter().map(leg).collect())
}

/// # Errors
/// If the row is not of `ledger.transfer_states`.
pub fn state(row: &Row) -> Result<TransferState> {
    let fields = Fields(row);
    let pending = match fields.get::<Option<&str>>("state")? {
        None => None,
        Some("pending") => Some(PendingState::Pending),
        Some("posted") => Some(PendingState::Posted),
        Some("voided") => Some(PendingState::Voided),
        Some("expired") => Some(PendingState::Expired),
        Some(other) => return Err(Error::answer(&format!("state {other:?}"))),
    };
    Ok(TransferState { id: fields.get("id")?, pending, expires: fields.time("expires")?, reversed: fields.amount("reversed")? })
}

/// # Errors
/// If the row is not of `ledger.entries`.
pub fn entry(row: &Row) -> Result<Entry> {
    let fields = Fields(row);
    let is_debit = fields.get::<Option<Whole>>("debit")?.is_some();
    let has_balances = fields.get::<Option<Whole>>("debits_posted")?.is_some();
    Ok(Entry {
        account: fields.get("account")?,
        timestamp: fields.time("timestamp")?.unwrap_or_default(),
        number: fields.get("number")?,
        transfer: fields.get("transfer")?,
        kind: entry_kind(fields.get("kind")?)?,
        side: if is_debit { Side::Debit } else { Side::Credit },
        amount: fields.amount(if is_debit { "debit" } else { "credit" })?,
        balances: has_balances.then(|| fields.balances()).transpose()?,
    })
}

/// # Errors
/// If a newer version has one more.
pub fn entry_kind(name: &str) -> Result<EntryKind> {
    match name {
        "posted" => Ok(EntryKind::Posted),
        "pending" => Ok(EntryKind::Pending),
        "released" => Ok(EntryKind::Released),
        other => Err(Error::answer(&format!("an entry of kind {other:?}"))),
    }
}

/// # Errors
/// If the row is not of `ledger.ledgers` with `metadata` as text.
pub fn defined(row: &Row) -> Result<Defined> {
    let fields = Fields(row);
    let scale: i16 = fields.get("scale")?;
    Ok(Defined {
        id: fields.int8("id")?,
        name: fields.get("name")?,
        asset: fields.get("asset")?,
        currency: fields.get("currency")?,
        scale: u8::try_from(scale).map_err(|_| out_of_range("scale"))?,
        closed_through: fields.time("closed_through")?,
        metadata: fields.get("metadata")?,
    })
}
