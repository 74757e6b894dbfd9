//! Queries of the books. They run at the cluster's newest snapshot and see every answer that anybody was given before.

use crate::error::{Error, Result};
use crate::facade::Ledger;
use crate::id::{Id, Timestamp};
use crate::pool::Parameter;
use crate::records::{self, Account, AccountBalance, Cursor, Defined, Entry, EntryQuery, Fields, Finding, Page, Recorded, TransferState};
use ledger::{Balances, EntryKind};
use std::collections::BTreeMap;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

/// Most ids of one look-up statement; more are asked for in several.
const IDS_MAX: usize = 256;

const ENTRY: &str =
    "account, timestamp, number, transfer, kind, debit, credit, debits_pending, debits_posted, credits_pending, credits_posted";

impl Ledger {
    /// `None` for each account that is not open, in the order of `ids`.
    ///
    /// # Errors
    /// If the cluster cannot be reached or refuses, as for all queries.
    pub async fn accounts(&self, ids: &[Id]) -> Result<Vec<Option<Account>>> {
        let found = self.by_ids(records::ACCOUNT, "ledger.accounts", ids, records::account).await?;
        let found: BTreeMap<Id, Account> = found.into_iter().map(|account| (account.id, account)).collect();
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    /// # Errors
    /// As [`Ledger::accounts`].
    pub async fn account(&self, id: Id) -> Result<Option<Account>> {
        Ok(self.accounts(&[id]).await?.pop().flatten())
    }

    /// `None` for each transfer that is not booked, in the order of `ids`.
    ///
    /// # Errors
    /// As [`Ledger::accounts`].
    pub async fn recorded(&self, ids: &[Id]) -> Result<Vec<Option<Recorded>>> {
        let found = self.by_ids(records::TRANSFER, "ledger.transfers", ids, records::transfer).await?;
        let found: BTreeMap<Id, Recorded> = found.into_iter().map(|transfer| (transfer.id, transfer)).collect();
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    /// What became of transfers that were pending or were reversed; `None` for others.
    ///
    /// # Errors
    /// As [`Ledger::accounts`].
    pub async fn states(&self, ids: &[Id]) -> Result<Vec<Option<TransferState>>> {
        let found = self.by_ids("id, state, expires, reversed", "ledger.transfer_states", ids, records::state).await?;
        let found: BTreeMap<Id, TransferState> = found.into_iter().map(|state| (state.id, state)).collect();
        Ok(ids.iter().map(|id| found.get(id).copied()).collect())
    }

    async fn by_ids<T>(&self, columns: &str, table: &str, ids: &[Id], read: fn(&Row) -> Result<T>) -> Result<Vec<T>> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(IDS_MAX) {
            let places: Vec<String> = (1..=ids.len()).map(|place| format!("${place}")).collect();
            let sql = format!("SELECT {columns} FROM {table} WHERE id IN ({})", places.join(", "));
            let parameters: Vec<Parameter<'_>> = ids.iter().map(|id| (id as _, Type::UUID)).collect();
            for row in self.pool.ask(&sql, &parameters).await? {
                found.push(read(&row)?);
            }
        }
        Ok(found)
    }

    /// One page of an account's entries, in order of time.
    ///
    /// # Errors
    /// As [`Ledger::accounts`].
    pub async fn entries(&self, account: Id, query: EntryQuery) -> Result<Page> {
        let EntryQuery { from, before, newest_first, limit, after } = query;
        let limit = limit.max(1);
        let (mut from, mut before) = (from.unwrap_or_default(), before.map_or(i64::MAX, Timestamp::bigint));
        let cursor = after.unwrap_or(Cursor { timestamp: Timestamp::default(), number: if newest_first { i32::MAX } else { -1 } });
        // The bounds of time are the key's, so nothing is read that the cursor has passed.
        match (after, newest_first) {
            (Some(cursor), false) => from = from.max(cursor.timestamp),
            (Some(cursor), true) => before = before.min(cursor.timestamp.bigint().saturating_add(1)),
            (None, _) => {}
        }
        let (beyond, order) = if newest_first { ("<", "DESC") } else { (">", "ASC") };
        let sql = format!(
            "SELECT {ENTRY} FROM ledger.entries WHERE account = $1 AND timestamp >= $2 AND timestamp < $3 AND (timestamp <> $4 OR number {beyond} $5) \
             ORDER BY timestamp {order}, number {order} LIMIT {}",
            u64::from(limit) + 1
        );
        let (from, at) = (from.bigint(), after.map_or(-1, |cursor| cursor.timestamp.bigint()));
        let parameters: [Parameter<'_>; 5] =
            [(&account, Type::UUID), (&from, Type::INT8), (&before, Type::INT8), (&at, Type::INT8), (&cursor.number, Type::INT4)];
        let rows = self.pool.ask(&sql, &parameters).await?;
        let mut entries = rows.iter().map(records::entry).collect::<Result<Vec<Entry>>>()?;
        let more = entries.len() > limit as usize;
        entries.truncate(limit as usize);
        let next = entries.last().filter(|_| more).map(|last| Cursor { timestamp: last.timestamp, number: last.number });
        Ok(Page { entries, next })
    }

    /// An account's sums now; `None` if it is not open.
    ///
    /// # Errors
    /// As [`Ledger::accounts`].
    pub async fn balances(&self, account: Id) -> Result<Option<Balances>> {
        Ok(self.account(account).await?.map(|account| account.balances))
    }

    /// An account's sums after everything that was booked at `at` or before; `None` if it was not open then.
    ///
    /// # Errors
    /// As [`Ledger::accounts`].
    pub async fn balances_as_of(&self, account: Id, at: Timestamp) -> Result<Option<Balances>> {
        let Some(open) = self.account(account).await?.filter(|account| account.timestamp <= at) else { return Ok(None) };
        let at = at.bigint();
        if open.flags.has(ledger::AccountFlags::HISTORY) {
            let sql = format!(
                "SELECT {ENTRY} FROM ledger.entries WHERE account = $1 AND timestamp <= $2 ORDER BY timestamp DESC, number DESC LIMIT 1"
            );
            let rows = self.pool.ask(&sql, &[(&account, Type::UUID), (&at, Type::INT8)]).await?;
            let last = rows.first().map(records::entry).transpose()?;
            return Ok(Some(last.and_then(|entry| entry.balances).unwrap_or_default()));
        }
        let sql = "SELECT account, kind, sum(debit) AS debit, sum(credit) AS credit FROM ledger.entries WHERE account = $1 AND timestamp <= $2 \
                   GROUP BY account, kind";
        let rows = self.pool.ask(sql, &[(&account, Type::UUID), (&at, Type::INT8)]).await?;
        Ok(Some(summed(&rows)?.remove(&account).unwrap_or_default()))
    }

    /// Balances of all accounts in the order of their ids, `limit` of them behind `after`: now, or after everything that was booked at `as_of` or
    /// before.
    ///
    /// # Errors
    /// As [`Ledger::accounts`].
    pub async fn all_balances(&self, as_of: Option<Timestamp>, after: Option<Id>, limit: u32) -> Result<Vec<AccountBalance>> {
        let (after, opened) = (after.unwrap_or(Id::NONE), as_of.map_or(i64::MAX, Timestamp::bigint));
        let sql = format!("SELECT {} FROM ledger.accounts WHERE id > $1 AND timestamp <= $2 ORDER BY id LIMIT {limit}", records::ACCOUNT);
        let rows = self.pool.ask(&sql, &[(&after, Type::UUID), (&opened, Type::INT8)]).await?;
        let accounts = rows.iter().map(records::account).collect::<Result<Vec<Account>>>()?;
        let line =
            |account: &Account, balances| AccountBalance { account: account.id, ledger: account.ledger, code: account.code, balances };
        let (Some(_), Some(last)) = (as_of, accounts.last()) else {
            return Ok(accounts.iter().map(|account| line(account, account.balances)).collect());
        };
        let sql = "SELECT account, kind, sum(debit) AS debit, sum(credit) AS credit FROM ledger.entries \
                   WHERE account > $1 AND account <= $2 AND timestamp <= $3 GROUP BY account, kind";
        let rows = self.pool.ask(sql, &[(&after, Type::UUID), (&last.id, Type::UUID), (&opened, Type::INT8)]).await?;
        let sums = summed(&rows)?;
        Ok(accounts.iter().map(|account| line(account, sums.get(&account.id).copied().unwrap_or_default())).collect())
    }

    /// All ledgers, in the order of their numbers.
    ///
    /// # Errors
    /// As [`Ledger::accounts`].
    pub async fn ledgers(&self) -> Result<Vec<Defined>> {
        let sql = "SELECT id, name, asset, currency, scale, closed_through, metadata::text AS metadata FROM ledger.ledgers ORDER BY id";
        self.pool.ask(sql, &[]).await?.iter().map(records::defined).collect()
    }

    /// Computes all balances anew from all transfers and entries, and tells what contradicts. Empty: the books are sound.
    ///
    /// # Errors
    /// As [`Ledger::accounts`].
    pub async fn audit(&self) -> Result<Vec<Finding>> {
        let rows = self.pool.ask("SELECT ledger.audit()", &[]).await?;
        let finding = |row: &Row| {
            let fields = Fields(row);
            Ok(Finding { name: fields.get("finding")?, account: fields.get("account")?, detail: fields.get("detail")? })
        };
        rows.iter().map(finding).collect()
    }
}

/// Sums of entries by account and kind as balances. What was released was pending before.
fn summed(rows: &[Row]) -> Result<BTreeMap<Id, Balances>> {
    let mut all: BTreeMap<Id, [i128; 4]> = BTreeMap::new();
    for row in rows {
        let fields = Fields(row);
        let (kind, sign) = match records::entry_kind(fields.get("kind")?)? {
            EntryKind::Posted => (2, 1),
            EntryKind::Pending => (0, 1),
            EntryKind::Released => (0, -1),
        };
        let sums = all.entry(fields.get("account")?).or_default();
        for (index, side) in ["debit", "credit"].into_iter().enumerate() {
            let moved = i128::try_from(fields.amount(side)?).map_err(|_| Error::answer("a sum out of range"))?;
            sums[kind + index] += sign * moved;
        }
    }
    let balances = |[debits_pending, credits_pending, debits_posted, credits_posted]: [u128; 4]| Balances {
        debits_pending,
        debits_posted,
        credits_pending,
        credits_posted,
    };
    let whole = |sums: [i128; 4]| sums.map(|sum| u128::try_from(sum).ok());
    all.into_iter()
        .map(|(id, sums)| match whole(sums) {
            [Some(a), Some(b), Some(c), Some(d)] => Ok((id, balances([a, b, c, d]))),
            _ => Err(Error::answer("more was released than was pending: run the audit")),
        })
        .collect()
}
