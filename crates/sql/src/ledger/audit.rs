//! `ledger.audit()`: all balances from all transfers anew, and from all entries, compared with what the accounts say, at one snapshot.

use super::rows;
use crate::exec::Run;
use crate::exec::source::Source;
use crate::expr::Parameters;
use crate::parse::parse;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::value::Value;
use base::{Error, Result};
use ledger::{Account, Audit, Balances, Finding};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Rows that are judged at a time.
const CHUNK_ROWS: usize = 1_000;

/// The columns of transfers and, behind them, what became of each.
const TRANSFERS: &str = "SELECT t.*, s.id, s.state, s.expires, s.reversed FROM ledger.transfers t LEFT JOIN ledger.transfer_states s ON s.id = t.id \
     ORDER BY t.timestamp, t.id";
const REVERSED: &str = "SELECT t.*, s.id, s.state, s.expires, s.reversed FROM ledger.transfers t JOIN ledger.transfer_states s ON s.id = t.id \
     WHERE s.reversed IS NOT NULL";
const ENTRIES: &str = "SELECT account, kind, debit, credit FROM ledger.entries";
const ACCOUNTS: &str = "SELECT * FROM ledger.accounts";
/// Columns of `ledger.transfers`.
const TRANSFER_COLUMNS: usize = 17;

type Findings = Vec<(&'static str, Option<u128>, String)>;

impl Session {
    /// One row for each finding: its name, the account (if it is about one), and what is wrong.
    pub(super) async fn audit(&mut self, run: &mut Run) -> Exec<Source> {
        self.fix_snapshot(&mut run.sight).await?;
        let mut audit = Audit::new();
        self.each_row(TRANSFERS, run, &mut |row| {
            let (transfer, state) = transfer_and_state(row)?;
            audit.transfer(&transfer, state.pending);
            Ok(())
        })
        .await?;
        // Those of which something was reversed, in any order.
        let mut reversed = audit.reversed_originals();
        self.each_row(REVERSED, run, &mut |row| {
            let (transfer, state) = transfer_and_state(row)?;
            audit.reversed(&transfer, state.reversed);
            if let Ok(at) = reversed.binary_search(&transfer.id) {
                reversed.remove(at);
            }
            Ok(())
        })
        .await?;
        let mut sums: FxHashMap<u128, Balances> = FxHashMap::default();
        self.each_row(ENTRIES, run, &mut |row| add_entry(&mut sums, row)).await?;
        let mut others: Findings =
            reversed.into_iter().map(|id| ("reversal_differs", None, format!("transfer {} was reversed, which is not recorded", uuid(id)))).collect();
        self.each_row(ACCOUNTS, run, &mut |row| {
            let account = rows::account(row)?.account;
            audit.account(&account);
            others.extend(compare_entries(&account, sums.remove(&account.id).unwrap_or_default()));
            Ok(())
        })
        .await?;
        let orphans: BTreeMap<u128, Balances> = sums.into_iter().collect();
        others.extend(orphans.into_keys().map(|id| ("account_missing", Some(id), format!("account {} has entries but is not there", uuid(id)))));
        let found = audit.finish().into_iter().map(|finding| (finding.name(), account_of(&finding), finding.to_string()));
        let row = |(name, account, detail): (&str, Option<u128>, String)| {
            vec![Value::text(name), account.map_or(Value::Null, Value::Uuid), Value::text(&detail)]
        };
        Ok(Source::of(found.chain(others).map(row).collect()))
    }

    /// Gives each row of a query to `judge`, in its order.
    async fn each_row(&mut self, text: &str, run: &mut Run, judge: &mut dyn FnMut(&[Value]) -> Result<()>) -> Exec<()> {
        let statement = parse(text)?.pop().ok_or_else(|| Error::internal("a query of the audit is empty"))?;
        let planned = self.plan(&statement, Parameters::default()).await?;
        self.pinned.clear();
        self.pinned.extend(planned.tables().cloned());
        let mut source = self.start_query_of(&planned, run).await?;
        while let Some(chunk) = self.next_answer(&mut source, &planned, run, CHUNK_ROWS).await? {
            self.check_interrupt()?;
            for row in chunk {
                judge(&row)?;
            }
        }
        Ok(())
    }
}

fn transfer_and_state(row: &[Value]) -> Result<(ledger::Transfer, rows::State)> {
    let (transfer, state) = row.split_at_checked(TRANSFER_COLUMNS).ok_or_else(|| Error::internal("a row of the audit is too short"))?;
    Ok((rows::transfer(transfer)?, rows::state(state)?))
}

fn add_entry(sums: &mut FxHashMap<u128, Balances>, row: &[Value]) -> Result<()> {
    let [Value::Uuid(account), kind, debit, credit] = row else { return Err(Error::internal("an entry of the audit is no entry")) };
    let sums = sums.entry(*account).or_default();
    let (debit, credit) = (super::document::amount(debit)?, super::document::amount(credit)?);
    match kind.as_str() {
        Some("posted") => {
            sums.debits_posted = sums.debits_posted.saturating_add(debit);
            sums.credits_posted = sums.credits_posted.saturating_add(credit);
        }
        Some("pending") => {
            sums.debits_pending = sums.debits_pending.wrapping_add(debit);
            sums.credits_pending = sums.credits_pending.wrapping_add(credit);
        }
        _ => {
            // Wraps where more was released than was pending, which no recorded sum then is.
            sums.debits_pending = sums.debits_pending.wrapping_sub(debit);
            sums.credits_pending = sums.credits_pending.wrapping_sub(credit);
        }
    }
    Ok(())
}

fn compare_entries(account: &Account, sums: Balances) -> Option<(&'static str, Option<u128>, String)> {
    let detail = || format!("account {} records {:?}; its entries give {sums:?}", uuid(account.id), account.balances());
    (account.balances() != sums).then(|| ("entries_differ", Some(account.id), detail()))
}

fn uuid(id: u128) -> String {
    crate::types::text::to_string(&Value::Uuid(id), crate::types::Type::Uuid, &crate::types::Settings::default())
}

fn account_of(finding: &Finding) -> Option<u128> {
    match finding {
        Finding::BalanceDiffers { account, .. }
        | Finding::LimitViolated { account, .. }
        | Finding::AccountMissing { account }
        | Finding::AccountTwice { account }
        | Finding::ParentMissing { account, .. }
        | Finding::LedgerDiffers { account, .. } => Some(*account),
        _ => None,
    }
}
