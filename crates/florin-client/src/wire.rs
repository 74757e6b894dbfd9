//! How ids, amounts, documents and outcomes travel: the forms of SQL's types on the wire, and the ledger's own.

use crate::error::{Error, Result};
use crate::id::{Id, Timestamp};
use crate::model::{ALL, Definition, Outcome};
use bytes::{BufMut, BytesMut};
use jiff::civil::{Date, date};
use ledger::{AMOUNT_MAX, Account, AccountFlags, Balance, Code, Leg, Side, Transfer, TransferFlags};
use serde_json::{Map, Value, json};
use std::error::Error as StdError;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

type Wrong = Box<dyn StdError + Sync + Send>;

/// Bytes of one outcome: timestamp, code, reserved.
pub const OUTCOME_BYTES: usize = 16;
/// A binary numeric: groups of four digits after a header of four numbers of 16 bits.
const NUMERIC_HEADER_BYTES: usize = 8;
const NUMERIC_POSITIVE: u16 = 0;
const NUMERIC_NEGATIVE: u16 = 0x4000;
const NUMERIC_BASE: i128 = 10_000;
const EPOCH: Date = date(1970, 1, 1);

/// True if a packed record can hold it. The rest travels as a document, in a call of its own.
pub fn is_packable(transfer: &Transfer) -> bool {
    transfer.legs.is_empty() && transfer.metadata.is_empty() && transfer.effective == 0 && transfer.value_date == 0
}

pub fn is_packable_account(account: &Account) -> bool {
    account.parent == 0 && account.metadata.is_empty() && account.bounds.minimum.is_none() && account.bounds.maximum.is_none()
}

/// # Errors
/// If the answer is not one outcome for each of `ids`.
pub fn outcomes(bytes: &[u8], ids: impl ExactSizeIterator<Item = u128>) -> Result<Vec<Outcome>> {
    let (records, rest) = bytes.as_chunks::<OUTCOME_BYTES>();
    if !rest.is_empty() || records.len() != ids.len() {
        return Err(Error::answer(&format!("{} bytes of outcomes for {} events", bytes.len(), ids.len())));
    }
    records.iter().zip(ids).map(|(record, id)| outcome(record, id)).collect()
}

fn outcome(record: &[u8; OUTCOME_BYTES], id: u128) -> Result<Outcome> {
    let number = |range: std::ops::Range<usize>| record[range].iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let code = u16::try_from(number(8..12)).ok().and_then(Code::from_number);
    let code = code.ok_or_else(|| Error::answer(&format!("code {} is of a newer version", number(8..12))))?;
    Ok(Outcome { id: Id(id), code, timestamp: Timestamp(number(0..8)) })
}

/// The code of a refusal by a call that does one thing: SQLSTATE `L` and four digits.
pub fn refusal(state: &str) -> Option<Code> {
    state.strip_prefix('L')?.parse().ok().and_then(Code::from_number)
}

/// Members of a document that are not what is left out means.
struct Document(Map<String, Value>);

impl Document {
    fn put(&mut self, name: &str, value: impl Into<Value>, given: bool) {
        if given {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    fn id(&mut self, name: &str, id: u128) {
        self.put(name, Id(id).to_string(), id != 0);
    }

    /// # Errors
    /// If the metadata is no JSON.
    fn metadata(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|error| Error::invalid(format!("metadata is no JSON: {error}")))?;
        self.put("metadata", value, true);
        Ok(())
    }

    fn user_data(&mut self, wide: u128, middle: u64, narrow: u32) {
        self.id("user_data_128", wide);
        // A document holds the same 64 bits as a signed number.
        self.put("user_data_64", middle as i64, middle != 0);
        self.put("user_data_32", narrow, narrow != 0);
    }

    fn time(&mut self, name: &str, nanoseconds: u64) {
        // SQL's times are in microseconds.
        self.put(name, Timestamp(nanoseconds / 1_000 * 1_000).to_string(), nanoseconds != 0);
    }
}

/// As a document shows it: more digits than JSON's numbers keep everywhere.
fn amount(amount: u128) -> Result<String> {
    match amount {
        ALL => Ok("all".to_owned()),
        0..=AMOUNT_MAX => Ok(amount.to_string()),
        _ => Err(Error::invalid(format!("amount {amount} is more than 10^38 - 1"))),
    }
}

fn flag_names<F: Copy>(known: &[(F, &str)], has: impl Fn(F) -> bool) -> Vec<String> {
    known.iter().filter(|(flag, _)| has(*flag)).map(|(_, name)| name.to_lowercase()).collect()
}

/// What `ledger.post` takes.
///
/// # Errors
/// If something cannot be said in a document.
pub fn transfer_document(transfer: &Transfer) -> Result<String> {
    let mut document = Document(Map::new());
    document.id("id", transfer.id);
    document.id("debit_account", transfer.debit_account);
    document.id("credit_account", transfer.credit_account);
    document.put("amount", amount(transfer.amount)?, transfer.amount != 0);
    document.id("refers_to", transfer.pending);
    document.put("ledger", transfer.ledger, transfer.ledger != 0);
    document.put("code", transfer.code, transfer.code != 0);
    let flags = transfer.flags.without(TransferFlags::LINKED);
    document.put("flags", flag_names(TransferFlags::NAMES, |flag| flags.has(flag)), flags.0 != 0);
    document.put("timeout", transfer.timeout, transfer.timeout != 0);
    document.time("timestamp", transfer.timestamp);
    document.time("effective", transfer.effective);
    document.put("value_date", value_date(transfer.value_date)?, transfer.value_date != 0);
    document.user_data(transfer.user_data_128, transfer.user_data_64, transfer.user_data_32);
    document.metadata(&transfer.metadata)?;
    for (name, side) in [("debits", Side::Debit), ("credits", Side::Credit)] {
        let legs: Vec<&Leg> = transfer.legs.iter().filter(|leg| leg.side == side).collect();
        let legs: Result<Vec<Value>> =
            legs.iter().map(|leg| Ok(json!({ "account": Id(leg.account).to_string(), "amount": amount(leg.amount)? }))).collect();
        document.put(name, legs?, !transfer.legs.is_empty());
    }
    Ok(Value::Object(document.0).to_string())
}

fn value_date(days: i32) -> Result<String> {
    let day = EPOCH.checked_add(jiff::Span::new().try_days(days).unwrap_or_default());
    day.map(|day| day.to_string()).map_err(|_| Error::invalid(format!("value date {days} days from 1970 is out of range")))
}

/// What `ledger.open_account` takes.
///
/// # Errors
/// As [`transfer_document`].
pub fn account_document(account: &Account) -> Result<String> {
    let mut document = Document(Map::new());
    document.id("id", account.id);
    document.put("ledger", account.ledger, account.ledger != 0);
    document.put("code", account.code, account.code != 0);
    let flags = account.flags.without(AccountFlags::LINKED);
    document.put("flags", flag_names(AccountFlags::NAMES, |flag| flags.has(flag)), flags.0 != 0);
    document.time("timestamp", account.timestamp);
    document.id("parent", account.parent);
    let bounds = &account.bounds;
    document.put("minimum", bounds.minimum.unwrap_or_default().to_string(), bounds.minimum.is_some());
    document.put("maximum", bounds.maximum.unwrap_or_default().to_string(), bounds.maximum.is_some());
    let bounded = if bounds.on == Balance::Posted { "posted" } else { "available" };
    document.put("bounded", bounded, bounds.minimum.is_some() || bounds.maximum.is_some());
    document.user_data(account.user_data_128, account.user_data_64, account.user_data_32);
    document.metadata(&account.metadata)?;
    Ok(Value::Object(document.0).to_string())
}

/// What `ledger.define` takes.
///
/// # Errors
/// If the metadata is no JSON.
pub fn definition_document(definition: &Definition) -> Result<String> {
    let mut document = Document(Map::new());
    document.put("id", definition.id, true);
    document.put("name", definition.name.as_str(), true);
    document.put("asset", definition.asset.as_str(), !definition.asset.is_empty());
    document.put("currency", definition.currency.as_str(), !definition.currency.is_empty());
    document.put("scale", definition.scale, true);
    document.metadata(definition.metadata.as_bytes())?;
    Ok(Value::Object(document.0).to_string())
}

/// A parameter of type jsonb.
#[derive(Debug)]
pub struct Jsonb(pub String);

impl ToSql for Jsonb {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Wrong> {
        // The version of jsonb's binary form.
        out.put_u8(1);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }

    to_sql_checked!();
}

impl ToSql for Id {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Wrong> {
        out.put_u128(self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Id {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Id, Wrong> {
        Ok(Id(u128::from_be_bytes(bytes.try_into()?)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

/// A whole numeric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole(pub i128);

impl<'a> FromSql<'a> for Whole {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Whole, Wrong> {
        whole(bytes).map(Whole).ok_or_else(|| "a numeric that is no whole number of at most 38 digits".into())
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::NUMERIC
    }
}

/// Header: count of groups, the first one's weight (a power of 10,000), sign, digits behind the point.
fn whole(bytes: &[u8]) -> Option<i128> {
    let (header, groups) = bytes.split_at_checked(NUMERIC_HEADER_BYTES)?;
    let (header, groups) = (header.as_chunks::<2>().0, groups.as_chunks::<2>().0);
    let count = u16::from_be_bytes(header[0]);
    let (weight, sign) = (i16::from_be_bytes(header[1]), u16::from_be_bytes(header[2]));
    if groups.len() != usize::from(count) || !matches!(sign, NUMERIC_POSITIVE | NUMERIC_NEGATIVE) {
        return None;
    }
    let mut digits: i128 = 0;
    for power in (0..=weight).rev() {
        let group = groups.get(usize::try_from(weight - power).ok()?).map_or(0, |group| u16::from_be_bytes(*group));
        digits = digits.checked_mul(NUMERIC_BASE)?.checked_add(i128::from(group))?;
    }
    let behind_the_point = groups.iter().skip(usize::try_from(weight + 1).unwrap_or(0)).any(|group| *group != [0, 0]);
    (!behind_the_point).then_some(if sign == NUMERIC_NEGATIVE { -digits } else { digits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Leg, NewAccount, Transfer};
    use std::time::Duration;

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn a_posting_travels_with_everything_that_was_said() {
        let posting = Transfer::posting(&[Leg::debit(Id(1), 5), Leg::credit(Id(2), 2), Leg::credit(Id(3), 3)]);
        let posting = posting.with_id(Id(9)).code(7).ledger(3).pending(Some(Duration::from_millis(1_500)));
        let posting =
            posting.effective(Timestamp(1_795_341_600_123_456_789)).value_date(20_779).user_data(0, u64::MAX, 4).metadata(r#"{"a": 1}"#);
        assert!(!is_packable(&posting.0));
        let expected = json!({
            "id": "00000000-0000-0000-0000-000000000009", "ledger": 3, "code": 7, "flags": ["pending"], "timeout": 2,
            "effective": "2026-11-22T10:00:00.123456000Z", "value_date": "2026-11-22", "user_data_64": -1, "user_data_32": 4, "metadata": {"a": 1},
            "debits": [{"account": "00000000-0000-0000-0000-000000000001", "amount": "5"}],
            "credits": [
                {"account": "00000000-0000-0000-0000-000000000002", "amount": "2"}, {"account": "00000000-0000-0000-0000-000000000003", "amount": "3"}
            ],
        });
        assert_eq!(parsed(&transfer_document(&posting.0).expect("a document")), expected);
    }

    #[test]
    fn what_cannot_be_said_is_refused_before_it_is_sent() {
        let transfer = Transfer::between(Id(1), Id(2), AMOUNT_MAX + 1).metadata("{}");
        assert!(matches!(transfer_document(&transfer.0), Err(Error::Invalid(_))));
        assert!(matches!(transfer_document(&Transfer::void(Id(1)).metadata("{").0), Err(Error::Invalid(_))));
        assert_eq!(parsed(&transfer_document(&Transfer::reverse(Id(1), ALL).0).expect("a document"))["amount"], "all");
    }

    #[test]
    fn an_account_with_bounds_travels_as_a_document() {
        let account = NewAccount::new(Id(1), 2, 3).flags(AccountFlags::HISTORY).minimum(-50, Balance::Available).parent(Id(4));
        assert!(!is_packable_account(&account.0) && is_packable_account(&NewAccount::new(Id(1), 2, 3).0));
        let expected = json!({
            "id": "00000000-0000-0000-0000-000000000001", "ledger": 2, "code": 3, "flags": ["history"],
            "parent": "00000000-0000-0000-0000-000000000004", "minimum": "-50", "bounded": "available",
        });
        assert_eq!(parsed(&account_document(&account.0).expect("a document")), expected);
    }

    #[test]
    fn outcomes_are_read_and_anything_else_is_told() {
        let mut bytes = Vec::new();
        for (timestamp, code) in [(7u64, Code::Ok), (8, Code::ExceedsCredits)] {
            bytes.extend_from_slice(&timestamp.to_le_bytes());
            bytes.extend_from_slice(&u32::from(code.number()).to_le_bytes());
            bytes.extend_from_slice(&[0; 4]);
        }
        let read = outcomes(&bytes, [1u128, 2].into_iter()).expect("two");
        assert_eq!(read[1], Outcome { id: Id(2), code: Code::ExceedsCredits, timestamp: Timestamp(8) });
        assert!(read[0].is_booked() && !read[1].is_booked());
        assert!(outcomes(&bytes, [1u128].into_iter()).is_err() && outcomes(&bytes[1..], [1u128, 2].into_iter()).is_err());
        bytes[8] = 255;
        assert!(outcomes(&bytes, [1u128, 2].into_iter()).is_err());
        assert_eq!((refusal("L0062"), refusal("40001"), refusal("L9999")), (Some(Code::ExceedsCredits), None, None));
    }

    #[test]
    fn numerics_are_read_from_groups_of_four_digits() {
        let binary = |weight: i16, sign: u16, groups: &[u16]| {
            let header = [groups.len() as u16, weight as u16, sign, 0];
            header.iter().chain(groups).flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>()
        };
        let cases: [(i16, u16, &[u16], Option<i128>); 8] = [
            (0, 0, &[], Some(0)),
            (0, 0, &[7], Some(7)),
            (1, 0x4000, &[1, 2345], Some(-12_345)),
            (2, 0, &[5], Some(500_000_000)),
            (0, 0, &[1, 5_000], None),
            (0, 0, &[1, 0], Some(1)),
            (-1, 0, &[1], None),
            (9, 0, &[99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999], Some(10i128.pow(38) - 1)),
        ];
        for (weight, sign, groups, expected) in cases {
            assert_eq!(whole(&binary(weight, sign, groups)), expected, "{groups:?} of weight {weight}");
        }
        assert_eq!(whole(&binary(0, 0xc000, &[])), None, "not a number");
        assert_eq!(whole(&binary(i16::MAX, 0, &[1])), None, "too large");
        assert_eq!(whole(&[0; 7]), None);
        assert_eq!(whole(&binary(0, 0, &[1])[..9]), None);
    }
}
