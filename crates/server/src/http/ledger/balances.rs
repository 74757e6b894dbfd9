//! Sums of accounts: as they are, or as they were after everything that was booked at a time or before.

use super::read::{Object, Page, account, cell, first_cell, page, page_of, path_id};
use super::render::{ACCOUNT, BALANCE, broken, object};
use super::select::{Select, int8, uuid};
use super::{Context, Problem};
use crate::internal::Row;
use ledger::AccountFlags;
use serde_json::Value;
use std::collections::BTreeMap;

const NO_ID: &str = "00000000-0000-0000-0000-000000000000";

/// Sums of pending and posted debits and credits, as the columns of a balance have them.
#[derive(Clone, Copy, Default)]
struct Sums {
    debits_pending: i128,
    debits_posted: i128,
    credits_pending: i128,
    credits_posted: i128,
}

impl Sums {
    fn add(&mut self, kind: &str, debit: i128, credit: i128) {
        match kind {
            "posted" => (self.debits_posted, self.credits_posted) = (self.debits_posted + debit, self.credits_posted + credit),
            "pending" => (self.debits_pending, self.credits_pending) = (self.debits_pending + debit, self.credits_pending + credit),
            // What was released was pending before.
            _ => (self.debits_pending, self.credits_pending) = (self.debits_pending - debit, self.credits_pending - credit),
        }
    }

    fn write(&self, balance: &mut Object) {
        let posted = self.credits_posted - self.debits_posted;
        for (name, sum) in [
            ("debits_pending", self.debits_pending),
            ("debits_posted", self.debits_posted),
            ("credits_pending", self.credits_pending),
            ("credits_posted", self.credits_posted),
            ("posted", posted),
            ("available", posted - self.debits_pending),
        ] {
            balance.insert(name.to_owned(), sum.to_string().into());
        }
    }
}

/// Rows of account, kind, sum of debits, sum of credits.
fn sums(rows: &[Row]) -> Result<BTreeMap<String, Sums>, Problem> {
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for row in rows {
        let [Some(account), Some(kind), debit, credit] = row.as_slice() else { return Err(broken("entry")) };
        let number = |text: &Option<String>| text.as_deref().unwrap_or("0").parse().map_err(|_| broken("sum"));
        sums.entry(account.clone()).or_default().add(kind, number(debit)?, number(credit)?);
    }
    Ok(sums)
}

pub async fn get_account_balance(context: &mut Context<'_>) -> Result<Value, Problem> {
    let id = path_id(context)?;
    let at = context.query.time("as_of")?;
    let row = account(context, &id).await?;
    let of = |name: &str| cell(ACCOUNT, &row, name).map(str::to_owned);
    let picked: Row = BALANCE.iter().map(|(name, ..)| if *name == "account" { of("id") } else { of(name) }).collect();
    let mut balance = object(BALANCE, &picked)?;
    let Some(at) = at else { return Ok(Value::Object(balance)) };
    let opened: i64 = of("timestamp").and_then(|text| text.parse().ok()).ok_or_else(|| broken("timestamp"))?;
    if opened > at {
        return Err(Problem::not_found(format!("account {id} was not open then")));
    }
    let flags: u16 = of("flags").and_then(|text| text.parse().ok()).ok_or_else(|| broken("flags"))?;
    let then = if flags & AccountFlags::HISTORY.0 != 0 { last_sums(context, &id, at).await? } else { summed(context, &id, at).await? };
    then.write(&mut balance);
    Ok(Value::Object(balance))
}

/// Of an account that keeps its sums with each entry.
async fn last_sums(context: &mut Context<'_>, account: &str, at: i64) -> Result<Sums, Problem> {
    let sql = "SELECT debits_pending, debits_posted, credits_pending, credits_posted FROM ledger.entries \
               WHERE account = $1 AND timestamp <= $2 ORDER BY timestamp DESC, number DESC LIMIT 1";
    let rows = context.ask(sql, vec![uuid(account), int8(at)]).await?.rows;
    let Some(row) = rows.first() else { return Ok(Sums::default()) };
    let number = |at: usize| row.get(at).and_then(|text| text.as_deref()?.parse().ok()).ok_or_else(|| broken("sum"));
    Ok(Sums { debits_pending: number(0)?, debits_posted: number(1)?, credits_pending: number(2)?, credits_posted: number(3)? })
}

async fn summed(context: &mut Context<'_>, account: &str, at: i64) -> Result<Sums, Problem> {
    let sql =
        "SELECT account, kind, sum(debit), sum(credit) FROM ledger.entries WHERE account = $1 AND timestamp <= $2 GROUP BY account, kind";
    let rows = context.ask(sql, vec![uuid(account), int8(at)]).await?.rows;
    Ok(sums(&rows)?.remove(account).unwrap_or_default())
}

pub async fn list_balances(context: &mut Context<'_>) -> Result<Value, Problem> {
    let at = context.query.time("as_of")?;
    let after = context.query.id("after")?;
    let mut select = Select::default();
    select.and_attributes(&context.query)?;
    if let Some(after) = &after {
        select.and("id > ?", [uuid(after)]);
    }
    if let Some(at) = at {
        select.and("timestamp <= ?", [int8(at)]);
    }
    let Page { rows, more } = page(context, select, BALANCE, "ledger.accounts", "id").await?;
    let mut balances = rows.iter().map(|row| object(BALANCE, row)).collect::<Result<Vec<_>, _>>()?;
    let last = rows.last().and_then(first_cell);
    if let (Some(at), Some(last)) = (at, &last) {
        let sql = "SELECT account, kind, sum(debit), sum(credit) FROM ledger.entries \
                   WHERE account > $1 AND account <= $2 AND timestamp <= $3 GROUP BY account, kind";
        let first = after.unwrap_or_else(|| NO_ID.to_owned());
        let then = sums(&context.ask(sql, vec![uuid(first), uuid(last), int8(at)]).await?.rows)?;
        for (balance, row) in balances.iter_mut().zip(&rows) {
            let account = first_cell(row).ok_or_else(|| broken("account"))?;
            then.get(&account).copied().unwrap_or_default().write(balance);
        }
    }
    Ok(page_of("balances", balances, last.filter(|_| more)))
}
