//! Transfers as JSON documents that people and other programs write: the form that `ledger.post` takes.

use crate::error::{Error, Result};
use crate::id::{Id, Timestamp};
use crate::model::{ALL, Transfer};
use jiff::civil::{Date, date};
use ledger::{Leg, Side, TransferFlags};
use serde_json::{Map, Value};

/// The members of a document, taken out one by one; what is left over at the end is an error.
struct Members {
    what: &'static str,
    members: Map<String, Value>,
}

impl Members {
    fn of(what: &'static str, value: Value) -> Result<Members> {
        match value {
            Value::Object(members) => Ok(Members { what, members }),
            _ => Err(Error::invalid(format!("{what} is a JSON object"))),
        }
    }

    fn wrong(&self, name: &str, expected: &str) -> Error {
        Error::invalid(format!("\"{name}\" of {} must be {expected}", self.what))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str, expected: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.wrong(name, expected)),
        }
    }

    /// 0 if it is left out.
    fn parsed<T: Default>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        let Some(text) = self.text(name, expected)? else { return Ok(T::default()) };
        parse(text.trim()).ok_or_else(|| self.wrong(name, expected))
    }

    fn id(&mut self, name: &str) -> Result<u128> {
        self.parsed(name, "a uuid", |text| text.parse().ok().map(|id: Id| id.0))
    }

    fn number<T: Default + std::str::FromStr>(&mut self, name: &str) -> Result<T> {
        self.parsed(name, "a whole number in range", |text| text.parse().ok())
    }

    fn amount(&mut self, name: &str) -> Result<u128> {
        let all = |text: &str| (text == "all").then_some(ALL);
        self.parsed(name, "a whole number of the ledger's smallest unit, or \"all\"", |text| all(text).or_else(|| text.parse().ok()))
    }

    fn time(&mut self, name: &str) -> Result<u64> {
        self.parsed(name, "a time, as 2026-11-22T10:00:00Z", |text| text.parse().ok().map(|time: Timestamp| time.0))
    }

    fn flags(&mut self) -> Result<TransferFlags> {
        let Some(value) = self.take("flags") else { return Ok(TransferFlags::default()) };
        let known = || TransferFlags::NAMES.iter().filter(|(flag, _)| *flag != TransferFlags::LINKED);
        let expected = || {
            let names: Vec<String> = known().map(|(_, name)| name.to_lowercase()).collect();
            format!("a list of names out of {}", names.join(", "))
        };
        let Value::Array(names) = value else { return Err(self.wrong("flags", &expected())) };
        names.iter().try_fold(TransferFlags::default(), |flags, name| {
            let found = name.as_str().and_then(|name| known().find(|(_, known)| known.to_lowercase() == name));
            found.map(|(flag, _)| flags.with(*flag)).ok_or_else(|| self.wrong("flags", &expected()))
        })
    }

    fn legs(&mut self, name: &str, side: Side, legs: &mut Vec<Leg>) -> Result<()> {
        let Some(value) = self.take(name) else { return Ok(()) };
        let Value::Array(list) = value else { return Err(self.wrong(name, "a list of legs")) };
        for value in list {
            let mut leg = Members::of("a leg", value)?;
            legs.push(Leg { account: leg.id("account")?, side, amount: leg.amount("amount")? });
            leg.end()?;
        }
        Ok(())
    }

    fn end(self) -> Result<()> {
        self.members.keys().next().map_or(Ok(()), |name| Err(Error::invalid(format!("{} has no \"{name}\"", self.what))))
    }
}

/// Days since 1970 of a date as `2026-11-22`.
pub fn days(text: &str) -> Option<i32> {
    let day: Date = text.parse().ok()?;
    date(1970, 1, 1).until(day).ok().map(|span| span.get_days())
}

impl Transfer {
    /// A transfer from the document that `ledger.post` takes. An id is made if there is none.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is no such document.
    pub fn from_json(text: &str) -> Result<Transfer> {
        let value = serde_json::from_str(text).map_err(|error| Error::invalid(format!("a transfer is no JSON: {error}")))?;
        let mut members = Members::of("a transfer", value)?;
        let user_data_64 = members.parsed("user_data_64", "a whole number of 64 bits", |text| {
            text.parse().ok().or_else(|| text.parse().ok().map(|signed: i64| signed as u64))
        })?;
        let mut transfer = ledger::Transfer {
            id: members.id("id")?,
            debit_account: members.id("debit_account")?,
            credit_account: members.id("credit_account")?,
            amount: members.amount("amount")?,
            pending: members.id("refers_to")?,
            ledger: members.number("ledger")?,
            code: members.number("code")?,
            flags: members.flags()?,
            timeout: members.number("timeout")?,
            timestamp: members.time("timestamp")?,
            effective: members.time("effective")? / 1_000 * 1_000,
            value_date: members.parsed("value_date", "a date, as 2026-11-22", days)?,
            user_data_128: members.id("user_data_128")?,
            user_data_64,
            user_data_32: members.number("user_data_32")?,
            metadata: members.take("metadata").map_or_else(Vec::new, |value| value.to_string().into_bytes()),
            legs: Vec::new(),
        };
        members.legs("debits", Side::Debit, &mut transfer.legs)?;
        members.legs("credits", Side::Credit, &mut transfer.legs)?;
        members.end()?;
        if transfer.id == 0 {
            transfer.id = Id::new().0;
        }
        if transfer.pending == 0 {
            // As the other ways to make one do.
            transfer.ledger = transfer.ledger.max(1);
            transfer.code = transfer.code.max(1);
        }
        Ok(Transfer(transfer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Leg as NewLeg;
    use crate::wire;

    #[test]
    fn what_is_written_as_a_document_is_read_back_the_same() {
        let posting =
            Transfer::posting(&[NewLeg::debit(Id(1), 5), NewLeg::credit(Id(2), 5)]).code(7).value_date(20_779).metadata(r#"{"a":1}"#);
        let transfers = [
            posting.effective(Timestamp(1_795_341_600_123_456_000)).user_data(1, u64::MAX, 3),
            Transfer::between(Id(1), Id(2), 10u128.pow(38) - 1).ledger(4).pending(Some(std::time::Duration::from_secs(9))),
            Transfer::reverse(Id(8), ALL),
            Transfer::void(Id(8)),
            Transfer::between(Id(1), Id(2), 3).imported(Timestamp(1_000)),
        ];
        for transfer in transfers {
            let document = wire::transfer_document(&transfer.0).expect("a document");
            assert_eq!(Transfer::from_json(&document).expect("the same").0, transfer.0, "{document}");
        }
    }

    #[test]
    fn an_id_is_made_where_there_is_none() {
        let document = r#"{"debit_account": "00000000-0000-0000-0000-000000000001", "credit_account": "00000000-0000-0000-0000-000000000002", "amount": 5}"#;
        let (one, two) = (Transfer::from_json(document).expect("a transfer"), Transfer::from_json(document).expect("a transfer"));
        assert_ne!(one.id(), two.id());
        assert_eq!((one.0.amount, one.0.ledger, one.0.code), (5, 1, 1));
    }

    #[test]
    fn what_is_wrong_is_told_by_name() {
        for (document, told) in [
            ("", "no JSON"),
            ("[]", "a transfer is a JSON object"),
            (r#"{"amount": 1.5}"#, "\"amount\" of a transfer must be a whole number"),
            (r#"{"amount": -5}"#, "\"amount\""),
            (r#"{"id": "7"}"#, "\"id\" of a transfer must be a uuid"),
            (r#"{"flags": ["linked"]}"#, "out of pending, post"),
            (r#"{"flags": "post"}"#, "\"flags\""),
            (r#"{"code": 70000}"#, "\"code\" of a transfer must be a whole number in range"),
            (r#"{"debits": [{"account": "x"}]}"#, "\"account\" of a leg must be a uuid"),
            (r#"{"debits": {}}"#, "a list of legs"),
            (r#"{"value_date": "tomorrow"}"#, "a date"),
            (r#"{"amounts": 5}"#, "a transfer has no \"amounts\""),
        ] {
            let error = Transfer::from_json(document).expect_err(document).to_string();
            assert!(error.contains(told), "{document}: {error}");
        }
    }
}
