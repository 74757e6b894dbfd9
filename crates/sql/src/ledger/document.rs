//! Accounts, transfers and ledgers as JSON documents and SQL values that people write.

use crate::types::settings::{EPOCH_DAYS, EPOCH_MICROS};
use crate::types::{NO_MODIFIER, Settings, Type, text};
use crate::value::{Numeric, Value};
use base::{Error, Result, SqlState};
use ledger::{Account, AccountFlags, Balance, Bounds, Ledger, Leg, Side, Transfer, TransferFlags};
use serde_json::{Map, Value as Json};

/// The most events of a list of documents, as of a packed batch.
const LIST_MAX: usize = ledger::packed::BATCH_EVENTS_MAX;

const TRANSFER_FLAGS: [(&str, TransferFlags); 9] = [
    ("pending", TransferFlags::PENDING),
    ("post", TransferFlags::POST),
    ("void", TransferFlags::VOID),
    ("balancing_debit", TransferFlags::BALANCING_DEBIT),
    ("balancing_credit", TransferFlags::BALANCING_CREDIT),
    ("closing_debit", TransferFlags::CLOSING_DEBIT),
    ("closing_credit", TransferFlags::CLOSING_CREDIT),
    ("imported", TransferFlags::IMPORTED),
    ("reverse", TransferFlags::REVERSE),
];

const ACCOUNT_FLAGS: [(&str, AccountFlags); 4] = [
    ("debits_within_credits", AccountFlags::DEBITS_WITHIN_CREDITS),
    ("credits_within_debits", AccountFlags::CREDITS_WITHIN_DEBITS),
    ("history", AccountFlags::HISTORY),
    ("imported", AccountFlags::IMPORTED),
];

fn invalid(message: String) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// 0 for NULL.
pub fn id(value: &Value) -> u128 {
    match value {
        Value::Uuid(id) => *id,
        _ => 0,
    }
}

/// 0 for NULL.
///
/// # Errors
/// `22023` for what is negative or has digits behind the point.
pub fn amount(value: &Value) -> Result<u128> {
    let Value::Numeric(amount) = value else { return Ok(0) };
    let amount = amount.normalized();
    match u128::try_from(amount.digits) {
        Ok(digits) if amount.scale == 0 => Ok(digits),
        _ => Err(invalid(format!("amount {amount} is not a whole number of the ledger's smallest unit"))
            .with_hint("Amounts are positive and whole: 12.34 of a ledger with scale 2 is 1234.")),
    }
}

/// 0 for NULL.
///
/// # Errors
/// `22023` for what does not fit.
pub fn small<T: TryFrom<i64> + Default>(value: &Value, name: &str) -> Result<T> {
    match value.as_i64() {
        None => Ok(T::default()),
        Some(number) => T::try_from(number).map_err(|_| invalid(format!("{name} {number} is out of range"))),
    }
}

/// Nanoseconds since 1970 of a `timestamptz`; 0 for NULL.
///
/// # Errors
/// `22023` before 1970 and for infinity.
pub fn nanoseconds(value: &Value) -> Result<u64> {
    let Value::TimestampTz(micros) = value else { return Ok(0) };
    let since_1970 = micros.checked_add(EPOCH_MICROS).and_then(|micros| u64::try_from(micros).ok()?.checked_mul(1_000));
    since_1970
        .filter(|nanoseconds| i64::try_from(*nanoseconds).is_ok())
        .ok_or_else(|| invalid("a time of the ledger is from 1970 to 2262".into()))
}

/// Days since 1970 of a `date`; 0 for NULL.
pub fn days(value: &Value) -> i32 {
    match value {
        Value::Date(days) => days.saturating_add(EPOCH_DAYS),
        _ => 0,
    }
}

/// The members of a document, taken out one by one; what is left over at the end is an error.
struct Members {
    what: &'static str,
    members: Map<String, Json>,
}

impl Members {
    fn of(what: &'static str, json: Json) -> Result<Members> {
        match json {
            Json::Object(members) => Ok(Members { what, members }),
            _ => Err(invalid(format!("{what} is a JSON object"))),
        }
    }

    fn parse(what: &'static str, text: &str) -> Result<Members> {
        let json = serde_json::from_str(text).map_err(|error| invalid(format!("{what} is no JSON: {error}")))?;
        Members::of(what, json)
    }

    fn wrong(&self, name: &str, expected: &str) -> Error {
        invalid(format!("\"{name}\" of {} must be {expected}", self.what))
    }

    fn take(&mut self, name: &str) -> Option<Json> {
        self.members.remove(name).filter(|json| !json.is_null())
    }

    /// Through the text form of an SQL type.
    fn typed(&mut self, name: &str, ty: Type, expected: &str) -> Result<Value> {
        let text = match self.take(name) {
            None => return Ok(Value::Null),
            Some(Json::String(text)) => text,
            Some(Json::Number(number)) => number.to_string(),
            Some(_) => return Err(self.wrong(name, expected)),
        };
        text::parse(&text, ty, NO_MODIFIER, &Settings::default()).map_err(|_| self.wrong(name, expected))
    }

    fn id(&mut self, name: &str) -> Result<u128> {
        Ok(id(&self.typed(name, Type::Uuid, "a uuid")?))
    }

    /// All of something has no number that SQL could say.
    fn amount(&mut self, name: &str) -> Result<u128> {
        if self.members.get(name).is_some_and(|json| json.as_str() == Some("all")) {
            self.members.remove(name);
            return Ok(u128::MAX);
        }
        amount(&self.typed(name, Type::Numeric, "a number")?)
    }

    fn bound(&mut self, name: &str) -> Result<Option<i128>> {
        match self.typed(name, Type::Numeric, "a number")? {
            Value::Numeric(bound) => match bound.normalized() {
                Numeric { digits, scale: 0 } => Ok(Some(digits)),
                _ => Err(self.wrong(name, "a whole number of the ledger's smallest unit")),
            },
            _ => Ok(None),
        }
    }

    fn small<T: TryFrom<i64> + Default>(&mut self, name: &str) -> Result<T> {
        small(&self.typed(name, Type::Int8, "a whole number")?, name)
    }

    /// A whole number of 64 bits without a sign.
    fn wide(&mut self, name: &str) -> Result<u64> {
        let number = self.typed(name, Type::Numeric, "a whole number")?;
        let digits = amount(&number).ok().and_then(|digits| u64::try_from(digits).ok());
        digits.ok_or_else(|| self.wrong(name, "a whole number from 0 to 18446744073709551615"))
    }

    fn text(&mut self, name: &str) -> Result<String> {
        match self.take(name) {
            None => Ok(String::new()),
            Some(Json::String(text)) => Ok(text),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    /// SQL's times end at microseconds; the ledger's have three digits more.
    fn time(&mut self, name: &str) -> Result<u64> {
        let expected = "a time, as 2026-11-22T10:00:00Z";
        let mut below_micros = 0;
        if let Some(Json::String(text)) = self.members.get_mut(name)
            && let Some(point) = text.find('.')
        {
            let digits = text[point + 1..].bytes().take_while(u8::is_ascii_digit).count();
            if (7..=9).contains(&digits) {
                let rest: String = text.drain(point + 7..point + 1 + digits).collect();
                below_micros = format!("{rest:0<3}").parse().map_err(|_| self.wrong(name, expected))?;
            }
        }
        Ok(nanoseconds(&self.typed(name, Type::TimestampTz, expected)?)? + below_micros)
    }

    fn metadata(&mut self) -> Result<Vec<u8>> {
        let Some(json) = self.take("metadata") else { return Ok(Vec::new()) };
        // As jsonb stores it.
        let value = text::parse(&json.to_string(), Type::Jsonb, NO_MODIFIER, &Settings::default())?;
        Ok(value.as_str().unwrap_or_default().as_bytes().to_vec())
    }

    /// Names in a list.
    fn flags(&mut self, known: &[(&str, u16)]) -> Result<u16> {
        let Some(json) = self.take("flags") else { return Ok(0) };
        let Json::Array(names) = json else { return Err(self.wrong("flags", "a list of names")) };
        let mut flags = 0;
        for name in names {
            let found = name.as_str().and_then(|name| known.iter().find(|(known, _)| *known == name));
            let Some((_, flag)) = found else {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                return Err(self.wrong("flags", &format!("a list of names out of {}, not {name}", names.join(", "))));
            };
            flags |= flag;
        }
        Ok(flags)
    }

    fn legs(&mut self, name: &str, side: Side, legs: &mut Vec<Leg>) -> Result<()> {
        let Some(json) = self.take(name) else { return Ok(()) };
        let Json::Array(list) = json else { return Err(self.wrong(name, "a list of legs")) };
        for json in list {
            let mut leg = Members::of("a leg", json)?;
            legs.push(Leg { account: leg.id("account")?, side, amount: leg.amount("amount")? });
            leg.end()?;
        }
        Ok(())
    }

    fn end(self) -> Result<()> {
        match self.members.keys().next() {
            None => Ok(()),
            Some(name) => Err(invalid(format!("{} has no \"{name}\"", self.what))),
        }
    }
}

/// A transfer between two accounts (`debit_account`, `credit_account`, `amount`) or a posting of many legs (`debits`, `credits`).
///
/// # Errors
/// `22023` for what is no such document.
pub fn transfer(text: &str) -> Result<Transfer> {
    transfer_of(Members::parse("a transfer", text)?, false)
}

/// A list of transfers. In a list also `linked` is a flag: a chain with the next one.
///
/// # Errors
/// `22023` for what is no such list.
pub fn transfers(text: &str) -> Result<Vec<Transfer>> {
    list("a transfer", "transfers", text)?.map(|members| transfer_of(members?, true)).collect()
}

/// The documents of a list.
fn list(what: &'static str, plural: &str, text: &str) -> Result<impl Iterator<Item = Result<Members>>> {
    let json = serde_json::from_str(text).map_err(|error| invalid(format!("a list of {plural} is no JSON: {error}")))?;
    let Json::Array(items) = json else { return Err(invalid(format!("a list of {plural} is a JSON array"))) };
    if items.len() > LIST_MAX {
        let message = format!("a list of {} {plural} is too long", items.len());
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message).with_hint(format!("Send at most {LIST_MAX} in one list.")));
    }
    Ok(items.into_iter().map(move |json| Members::of(what, json)))
}

fn known_flags<F: Copy>(flags: &[(&'static str, F)], number: fn(F) -> u16, linked: Option<F>) -> Vec<(&'static str, u16)> {
    let linked = linked.map(|flag| ("linked", flag));
    flags.iter().copied().chain(linked).map(|(name, flag)| (name, number(flag))).collect()
}

fn transfer_of(mut members: Members, in_list: bool) -> Result<Transfer> {
    let flags = known_flags(&TRANSFER_FLAGS, |flags| flags.0, in_list.then_some(TransferFlags::LINKED));
    let mut transfer = Transfer {
        id: members.id("id")?,
        debit_account: members.id("debit_account")?,
        credit_account: members.id("credit_account")?,
        amount: members.amount("amount")?,
        pending: members.id("refers_to")?,
        ledger: members.small("ledger")?,
        code: members.small("code")?,
        flags: TransferFlags(members.flags(&flags)?),
        timeout: members.small("timeout")?,
        timestamp: members.time("timestamp")?,
        effective: members.time("effective")?,
        value_date: days(&members.typed("value_date", Type::Date, "a date, as 2026-11-22")?),
        user_data_128: members.id("user_data_128")?,
        user_data_64: members.wide("user_data_64")?,
        user_data_32: members.small("user_data_32")?,
        metadata: members.metadata()?,
        legs: Vec::new(),
    };
    members.legs("debits", Side::Debit, &mut transfer.legs)?;
    members.legs("credits", Side::Credit, &mut transfer.legs)?;
    members.end()?;
    Ok(transfer)
}

/// # Errors
/// `22023` for what is no such document.
pub fn account(text: &str) -> Result<Account> {
    account_of(Members::parse("an account", text)?, false)
}

/// A list of accounts. In a list also `linked` is a flag.
///
/// # Errors
/// `22023` for what is no such list.
pub fn accounts(text: &str) -> Result<Vec<Account>> {
    list("an account", "accounts", text)?.map(|members| account_of(members?, true)).collect()
}

fn account_of(mut members: Members, in_list: bool) -> Result<Account> {
    let flags = known_flags(&ACCOUNT_FLAGS, |flags| flags.0, in_list.then_some(AccountFlags::LINKED));
    let bounds = Bounds {
        minimum: members.bound("minimum")?,
        maximum: members.bound("maximum")?,
        on: match members.text("bounded")?.as_str() {
            "posted" => Balance::Posted,
            "" | "available" => Balance::Available,
            _ => return Err(members.wrong("bounded", "\"posted\" or \"available\"")),
        },
    };
    let account = Account {
        id: members.id("id")?,
        ledger: members.small("ledger")?,
        code: members.small("code")?,
        flags: AccountFlags(members.flags(&flags)?),
        timestamp: members.time("timestamp")?,
        parent: members.id("parent")?,
        bounds,
        user_data_128: members.id("user_data_128")?,
        user_data_64: members.wide("user_data_64")?,
        user_data_32: members.small("user_data_32")?,
        metadata: members.metadata()?,
        ..Account::default()
    };
    members.end()?;
    Ok(account)
}

/// # Errors
/// `22023` for what is no such document.
pub fn ledger(text: &str) -> Result<Ledger> {
    let mut members = Members::parse("a ledger", text)?;
    let ledger = Ledger {
        id: members.small("id")?,
        name: members.text("name")?,
        asset: members.text("asset")?,
        currency: members.text("currency")?,
        scale: members.small("scale")?,
        closed_through: 0,
        metadata: members.metadata()?,
    };
    if ledger.id == 0 || ledger.name.is_empty() {
        return Err(invalid("a ledger has an \"id\" above 0 and a \"name\"".into()));
    }
    members.end()?;
    Ok(ledger)
}
