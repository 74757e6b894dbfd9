//! `ledger.changes(after, count)`: all that was committed behind a place, in the order of commits. Who asks again from the last place that it was given hears of
//! each event once and misses none, whatever restarts and whoever leads in between.
//!
//! An event's place is the version of its commit, then its timestamp, then its transfer. Timestamps alone are no such order: one is given before its
//! transaction commits, so an earlier one can become visible after a later one. Versions are: nothing is ever committed at or below a snapshot that was
//! read, so what a snapshot shows behind a place is all that there will ever be up to that snapshot.
//!
//! There is no index by version. On one account timestamps follow the order of commits, because whoever books on it holds it locked. So an account's
//! entries behind a place are its newest ones, and only accounts whose own row is newer than the place have any: all accounts are looked at, and
//! of the entries those that are asked for.

use super::books::info;
use super::planted::{self, Bug};
use super::tables::Ledger as Table;
use crate::exec::Run;
use crate::exec::fetch::Scanner;
use crate::exec::source::Source;
use crate::key;
use crate::plan::table::key_of;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::types::Type;
use crate::value::Value;
use base::{Error, Result, SqlState, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use storage::access::SCAN_ROWS_MAX;

/// The most events of one answer.
pub const CHANGES_MAX: i64 = 10_000;
/// Entries of an account are read in growing chunks, the newest first: most accounts have few new ones.
const FIRST_ENTRIES: u32 = 8;

/// Where an event stands in the order of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    version: Version,
    /// Nanoseconds.
    timestamp: i64,
    transfer: u128,
}

const BEGINNING: Place = Place { version: Version::ZERO, timestamp: 0, transfer: 0 };

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}-{:032x}", self.version.0, self.timestamp, self.transfer)
    }
}

impl Place {
    /// # Errors
    /// `22023` for what no answer gave.
    fn parse(text: &str) -> Result<Place> {
        let wrong = || {
            Error::new(SqlState::INVALID_PARAMETER_VALUE, "this is no place among the ledger's changes")
                .with_hint("Give the place of the last change that you have, or '' for the beginning.")
        };
        if text.is_empty() {
            return Ok(BEGINNING);
        }
        let lengths_fit = text.len() == 66 && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        let parts: Vec<&str> = text.split('-').collect();
        let [version, timestamp, transfer] = parts[..] else { return Err(wrong()) };
        let number = |digits: &str, length: usize| (digits.len() == length).then(|| u128::from_str_radix(digits, 16).ok())?;
        let version = number(version, 16).and_then(|number| u64::try_from(number).ok());
        let timestamp = number(timestamp, 16).and_then(|number| i64::try_from(number).ok());
        match (lengths_fit, version, timestamp, number(transfer, 32)) {
            (true, Some(version), Some(timestamp), Some(transfer)) => Ok(Place { version: Version(version), timestamp, transfer }),
            _ => Err(wrong()),
        }
    }
}

/// The first events behind a place, as many as are wanted.
struct Found {
    after: Place,
    count: usize,
    places: BTreeSet<Place>,
}

impl Found {
    fn add(&mut self, place: Place) {
        if place > self.after && self.places.insert(place) && self.places.len() > self.count {
            self.places.pop_last();
        }
    }
}

impl Session {
    /// One row for each event: its place, what it was, when, which transfer.
    pub(super) async fn changes(&mut self, values: &[Value], run: &mut Run) -> Exec<Source> {
        let after = Place::parse(values.first().and_then(Value::as_str).unwrap_or_default())?;
        let count = values.get(1).and_then(Value::as_i64).unwrap_or(CHANGES_MAX);
        if !(1..=CHANGES_MAX).contains(&count) {
            let message = format!("the number of changes is from 1 to {CHANGES_MAX}");
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).into());
        }
        if !self.txn().buffer.is_empty() {
            let message = "changes are read before a transaction writes, or outside of one";
            return Err(Error::new(SqlState::ACTIVE_SQL_TRANSACTION, message).into());
        }
        self.fix_snapshot(&mut run.sight).await?;
        let mut found = Found { after, count: count as usize, places: BTreeSet::new() };
        for account in self.changed_accounts(after.version, run).await? {
            self.newest_entries(account, &mut found, run).await?;
        }
        self.told(found.places, run).await
    }

    /// Accounts whose row was committed at the version or later.
    async fn changed_accounts(&mut self, since: Version, run: &mut Run) -> Exec<Vec<u128>> {
        let table = info(Table::Accounts);
        let range = key::prefix_range(&table.table.storage.0.to_be_bytes());
        self.pinned = vec![table.table.clone(), info(Table::Entries).table.clone(), info(Table::Transfers).table.clone()];
        let parts = self.backend.shards().into_iter().map(|shard| (shard, range.clone())).collect();
        let mut scanner = Scanner::new(parts, false);
        let mut changed = Vec::new();
        while let Some(chunk) = self.next_chunk(&mut scanner, SCAN_ROWS_MAX, run).await? {
            for stored in chunk.iter().filter(|stored| stored.version >= since) {
                if let Some(Value::Uuid(id)) = table.layout.decode(&stored.row)?.first() {
                    changed.push(*id);
                }
            }
        }
        Ok(changed)
    }

    /// From the newest one back to the first that is older than what is wanted.
    async fn newest_entries(&mut self, account: u128, found: &mut Found, run: &mut Run) -> Exec<()> {
        let table = info(Table::Entries);
        let id = Value::Uuid(account);
        let shard = self.backend.shard_of(key::slot_of([(&id, Type::Uuid)])?);
        let mut suffix = Vec::new();
        key::encode(&id, Type::Uuid, &mut suffix)?;
        let range = key::prefix_range(&key_of(table.table.storage, &suffix)?);
        let mut scanner = Scanner::new(vec![(shard, range)], true);
        let mut rows = FIRST_ENTRIES;
        while let Some(chunk) = self.next_chunk(&mut scanner, rows, run).await? {
            for stored in chunk {
                let values = table.layout.decode(&stored.row)?;
                let [_, Value::Int8(timestamp), _, Value::Uuid(transfer), ..] = values[..] else {
                    return Err(Error::new(SqlState::DATA_CORRUPTED, "an entry of the ledger is damaged").into());
                };
                let is_old = if planted::active(Bug::FollowTimestamps) {
                    timestamp <= found.after.timestamp
                } else {
                    stored.version < found.after.version
                };
                if is_old {
                    return Ok(());
                }
                found.add(Place { version: stored.version, timestamp, transfer });
            }
            rows = (rows * 4).min(SCAN_ROWS_MAX);
        }
        Ok(())
    }

    /// What happened: a transfer's own entries have its timestamp, those of its expiry a later one.
    async fn told(&mut self, places: BTreeSet<Place>, run: &mut Run) -> Exec<Source> {
        let ids: BTreeSet<u128> = places.iter().map(|place| place.transfer).collect();
        let table = info(Table::Transfers);
        let mut booked: BTreeMap<u128, i64> = BTreeMap::new();
        for (id, stored) in ids.iter().zip(self.fetch_ids(Table::Transfers, &ids, None, run).await?) {
            let values = stored.map(|stored| table.layout.decode(&stored.row)).transpose()?;
            if let Some(Value::Int8(timestamp)) = values.as_ref().and_then(|values| values.get(4)) {
                booked.insert(*id, *timestamp);
            }
        }
        let row = |place: &Place| {
            let event = if booked.get(&place.transfer) == Some(&place.timestamp) { "booked" } else { "expired" };
            vec![Value::text(&place.to_string()), Value::text(event), Value::Int8(place.timestamp), Value::Uuid(place.transfer)]
        };
        Ok(Source::of(places.iter().map(row).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_and_read_and_sort_as_texts() {
        let place = |version, timestamp, transfer| Place { version: Version(version), timestamp, transfer };
        let places = [BEGINNING, place(1, 7, u128::MAX), place(1, 8, 0), place(u64::MAX, i64::MAX, 5)];
        let texts: Vec<String> = places.iter().map(Place::to_string).collect();
        assert!(texts.is_sorted());
        for (place, text) in places.iter().zip(&texts) {
            assert_eq!(Place::parse(text).expect("well-formed"), *place);
        }
        assert_eq!(Place::parse("").expect("the beginning"), BEGINNING);
        let long = "0".repeat(200);
        for wrong in
            ["x", "1-2-3", "--", &long, &texts[1].replace('7', "+"), &texts[3].replace("-7fff", "-ffff"), &format!("{}-", texts[1])]
        {
            assert_eq!(Place::parse(wrong).err().map(|error| error.state()), Some(SqlState::INVALID_PARAMETER_VALUE), "{wrong}");
        }
    }
}
