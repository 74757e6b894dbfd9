//! Rows of the ledger's tables as JSON: the names are those of the columns and of the documents that people write; what is NULL is left out.

use crate::http::problem::Problem;
use crate::http::time;
use crate::internal::Row;
use ledger::{AccountFlags, TransferFlags};
use serde_json::{Map, Value};

/// Bytes of one leg in a transfer's row: account, side, amount.
const LEG_BYTES: usize = 33;

/// How a column is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A string: an id, a name, a number of 64 bits or more.
    Text,
    /// A JSON number of at most 32 bits.
    Number,
    /// A string out of nanoseconds.
    Time,
    FlagsOfAccount,
    FlagsOfTransfer,
    Json,
    /// Two lists, `debits` and `credits`.
    Legs,
}

use Shown::*;

/// A member of the answer: its name, the expression that it is in SQL, how it is shown.
pub type Column = (&'static str, &'static str, Shown);

pub const LEDGER: &[Column] = &[
    ("id", "id", Number),
    ("name", "name", Text),
    ("asset", "asset", Text),
    ("currency", "currency", Text),
    ("scale", "scale", Number),
    ("closed_through", "closed_through", Time),
    ("metadata", "metadata", Json),
];

pub const ACCOUNT: &[Column] = &[
    ("id", "id", Text),
    ("ledger", "ledger", Number),
    ("code", "code", Number),
    ("flags", "flags", FlagsOfAccount),
    ("timestamp", "timestamp", Time),
    ("debits_pending", "debits_pending", Text),
    ("debits_posted", "debits_posted", Text),
    ("credits_pending", "credits_pending", Text),
    ("credits_posted", "credits_posted", Text),
    ("posted", "credits_posted - debits_posted", Text),
    ("available", "credits_posted - debits_posted - debits_pending", Text),
    ("parent", "parent", Text),
    ("minimum", "minimum", Text),
    ("maximum", "maximum", Text),
    ("bounded", "bounded", Text),
    ("user_data_128", "user_data_128", Text),
    ("user_data_64", "user_data_64", Text),
    ("user_data_32", "user_data_32", Number),
    ("metadata", "metadata", Json),
];

pub const TRANSFER: &[Column] = &[
    ("id", "id", Text),
    ("ledger", "ledger", Number),
    ("code", "code", Number),
    ("flags", "flags", FlagsOfTransfer),
    ("timestamp", "timestamp", Time),
    ("debit_account", "debit_account", Text),
    ("credit_account", "credit_account", Text),
    ("amount", "amount", Text),
    ("refers_to", "refers_to", Text),
    ("timeout", "timeout", Number),
    ("effective", "effective", Time),
    ("value_date", "value_date", Text),
    ("legs", "legs", Legs),
    ("user_data_128", "user_data_128", Text),
    ("user_data_64", "user_data_64", Text),
    ("user_data_32", "user_data_32", Number),
    ("metadata", "metadata", Json),
];

/// What became of a transfer; members of the transfer too.
pub const STATE: &[Column] = &[("state", "state", Text), ("expires", "expires", Time), ("reversed", "reversed", Text)];

pub const ENTRY: &[Column] = &[
    ("account", "account", Text),
    ("timestamp", "timestamp", Time),
    ("number", "number", Number),
    ("transfer", "transfer", Text),
    ("kind", "kind", Text),
    ("debit", "debit", Text),
    ("credit", "credit", Text),
    ("debits_pending", "debits_pending", Text),
    ("debits_posted", "debits_posted", Text),
    ("credits_pending", "credits_pending", Text),
    ("credits_posted", "credits_posted", Text),
];

pub const BALANCE: &[Column] = &[
    ("account", "id", Text),
    ("ledger", "ledger", Number),
    ("code", "code", Number),
    ("debits_pending", "debits_pending", Text),
    ("debits_posted", "debits_posted", Text),
    ("credits_pending", "credits_pending", Text),
    ("credits_posted", "credits_posted", Text),
    ("posted", "credits_posted - debits_posted", Text),
    ("available", "credits_posted - debits_posted - debits_pending", Text),
];

/// The transfer is shown whole instead of its id.
pub const CHANGE: &[Column] =
    &[("place", "place", Text), ("event", "event", Text), ("timestamp", "timestamp", Time), ("transfer", "transfer", Text)];

pub const FINDING: &[Column] = &[("finding", "finding", Text), ("account", "account", Text), ("detail", "detail", Text)];

/// The list of expressions of a SELECT.
pub fn expressions(columns: &[Column]) -> String {
    let expressions: Vec<&str> = columns.iter().map(|(_, expression, _)| *expression).collect();
    expressions.join(", ")
}

/// # Errors
/// 500 if a value is not what its column promises.
pub fn object(columns: &[Column], row: &Row) -> Result<Map<String, Value>, Problem> {
    let mut object = Map::new();
    for ((name, _, shown), text) in columns.iter().zip(row) {
        if let Some(text) = text {
            show(name, *shown, text, &mut object).ok_or_else(|| broken(name))?;
        }
    }
    Ok(object)
}

pub fn broken(name: &str) -> Problem {
    tracing::error!(name, "a value of the ledger's tables cannot be shown");
    Problem::new(500, "internal", format!("{name} of a row cannot be read"))
}

fn show(name: &str, shown: Shown, text: &str, object: &mut Map<String, Value>) -> Option<()> {
    let value = match shown {
        Text => Value::from(text),
        Number => Value::from(text.parse::<u32>().ok()?),
        Time => Value::from(time::format(text.parse().ok()?)),
        Json => serde_json::from_str(text).ok()?,
        FlagsOfAccount => names(text.parse().ok()?, AccountFlags::NAMES.iter().map(|(flag, name)| (flag.0, *name))),
        FlagsOfTransfer => names(text.parse().ok()?, TransferFlags::NAMES.iter().map(|(flag, name)| (flag.0, *name))),
        Legs => return legs(text, object),
    };
    object.insert(name.to_owned(), value);
    Some(())
}

/// Flags by the names that documents have for them.
fn names(flags: u16, known: impl Iterator<Item = (u16, &'static str)>) -> Value {
    known.filter(|(flag, _)| flags & flag != 0).map(|(_, name)| Value::from(name.to_ascii_lowercase())).collect()
}

/// Legs as `bytea` in hexadecimal, each account, side and amount.
fn legs(text: &str, object: &mut Map<String, Value>) -> Option<()> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let bytes: Option<Vec<u8>> =
        digits.chunks(2).map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect();
    let bytes = bytes.filter(|bytes| bytes.len() % LEG_BYTES == 0)?;
    let (mut debits, mut credits) = (Vec::new(), Vec::new());
    for leg in bytes.chunks(LEG_BYTES) {
        let number = |from: usize| Some(u128::from_be_bytes(leg.get(from..from + 16)?.try_into().ok()?));
        let account = super::query::canonical_id(&format!("{:032x}", number(0)?))?;
        let shown = serde_json::json!({ "account": account, "amount": number(17)?.to_string() });
        match leg[16] {
            0 => debits.push(shown),
            1 => credits.push(shown),
            _ => return None,
        }
    }
    object.insert("debits".to_owned(), debits.into());
    object.insert("credits".to_owned(), credits.into());
    Some(())
}
