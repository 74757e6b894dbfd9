//! INSERT INTO ledger.accounts and ledger.transfers: rows that the rules judge, all of them or none.

use super::books::Share;
use super::rows::{self, StoredAccount};
use super::run::{link_accounts, link_transfers, refusal};
use super::tables::Ledger as Table;
use crate::exec::Run;
use crate::plan::dml::InsertPlan;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::value::Value;
use base::{Error, Result, SqlState};
use ledger::packed::BATCH_EVENTS_MAX;
use ledger::{Code, Outcome};

/// Columns that an INSERT may leave out although a row always has them; by position, what they are then.
const ACCOUNT_DEFAULTS: [usize; 7] = [3, 4, 5, 6, 7, 8, 9];
const TRANSFER_DEFAULTS: [usize; 3] = [3, 4, 7];

impl Session {
    /// Books complete rows of a table of the ledger; answers them as they were recorded.
    ///
    /// # Errors
    /// `L` and four digits if the rules refuse one; `42501` for tables that only the ledger writes.
    pub(crate) async fn insert_into_ledger(&mut self, plan: &InsertPlan, batch: Vec<Vec<Value>>, run: &mut Run) -> Exec<Vec<Vec<Value>>> {
        if batch.len() > BATCH_EVENTS_MAX {
            let message = format!("{} rows for the ledger in one INSERT, at most {BATCH_EVENTS_MAX}", batch.len());
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message).into());
        }
        let oid = plan.table.table.oid;
        if oid == Table::Accounts.oid() {
            let mut accounts = Vec::with_capacity(batch.len());
            for mut values in batch {
                fill(&mut values, &ACCOUNT_DEFAULTS);
                accounts.push(rows::account(&values).map_err(unfit)?.account);
            }
            link_accounts(&mut accounts);
            let outcomes = self.book(&accounts, Share::Part, run).await?;
            check(&outcomes)?;
            let recorded = accounts.into_iter().zip(&outcomes).map(|(mut account, outcome)| {
                account.flags = account.flags.without(ledger::AccountFlags::LINKED);
                account.timestamp = outcome.timestamp;
                rows::of_account(&StoredAccount { account, changed: outcome.timestamp })
            });
            return Ok(recorded.collect::<Result<_>>()?);
        }
        if oid == Table::Transfers.oid() {
            let mut transfers = Vec::with_capacity(batch.len());
            for mut values in batch {
                fill(&mut values, &TRANSFER_DEFAULTS);
                transfers.push(rows::transfer(&values).map_err(unfit)?);
            }
            link_transfers(&mut transfers);
            let outcomes = self.book(&transfers, Share::Part, run).await?;
            check(&outcomes)?;
            let recorded = transfers.into_iter().zip(&outcomes).map(|(mut transfer, outcome)| {
                transfer.flags = transfer.flags.without(ledger::TransferFlags::LINKED);
                transfer.timestamp = outcome.timestamp;
                rows::of_transfer(&transfer)
            });
            return Ok(recorded.collect::<Result<_>>()?);
        }
        Err(only_by_functions(&plan.table.table.name).into())
    }
}

fn fill(values: &mut [Value], defaults: &[usize]) {
    for at in defaults {
        if values[*at].is_null() {
            values[*at] = Value::Int8(0);
        }
    }
}

/// What a stored row could not hold, a client may well send.
fn unfit(_: Error) -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "a value is out of range for the ledger")
        .with_hint("Numbers are whole and not negative; ledger and user_data_32 have 32 bits, code and flags 16.")
}

fn check(outcomes: &[Outcome]) -> Result<()> {
    let refused = outcomes.iter().map(|outcome| outcome.code).filter(|code| *code != Code::Ok);
    // Of a chain that failed all but the culprit say so.
    match refused.min_by_key(|code| *code == Code::LinkedEventFailed) {
        None => Ok(()),
        Some(code) => Err(refusal(code)),
    }
}

pub fn only_by_functions(table: &str) -> Error {
    Error::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("rows of ledger.{table} are written by the ledger only"))
        .with_hint("Use ledger.create_accounts, ledger.create_transfers, ledger.transfer or ledger.post, or INSERT into ledger.accounts and ledger.transfers.")
}
