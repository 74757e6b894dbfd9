//! `ledger.audit()`: all balances from all transfers anew, and from all entries, compared with what the accounts say, at one snapshot.

use super::books::info;
use super::rows::{self, State};
use super::tables::Ledger as Table;
use crate::exec::source::Source;
use crate::exec::{Run, Stored};
use crate::expr::Parameters;
use crate::parse::parse;
use crate::plan::Planned;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::value::Value;
use base::{Error, Result};
use ledger::{Account, Audit, Balances, Finding, Transfer};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// Rows that are judged at a time.
const CHUNK_ROWS: usize = 1_000;

const TRANSFERS: &str = "SELECT * FROM ledger.transfers ORDER BY timestamp, id";
const ENTRIES: &str = "SELECT account, kind, debit, credit FROM ledger.entries";
const ACCOUNTS: &str = "SELECT * FROM ledger.accounts";

type Findings = Vec<(&'static str, Option<u128>, String)>;

impl Session {
    /// One row for each finding: its name, the account (if it is about one), and what is wrong.
    pub(super) async fn audit(&mut self, run: &mut Run) -> Exec<Source> {
        self.fix_snapshot(&mut run.sight).await?;
        let mut audit = Audit::new();
        self.audit_transfers(&mut audit, run).await?;
        let mut sums: FxHashMap<u128, Balances> = FxHashMap::default();
        self.each_row(ENTRIES, run, &mut |row| add_entry(&mut sums, row)).await?;
        let mut others = Findings::new();
        self.each_row(ACCOUNTS, run, &mut |row| {
            let account = rows::account(row)?.account;
            audit.account(&account);
            others.extend(compare_entries(&account, sums.remove(&account.id).unwrap_or_default()));
            Ok(())
        })
        .await?;
        let orphans: BTreeMap<u128, Balances> = sums.into_iter().collect();
        others.extend(
            orphans.into_keys().map(|id| ("account_missing", Some(id), format!("account {} has entries but is not there", uuid(id)))),
        );
        let found = audit.finish().into_iter().map(|finding| (finding.name(), account_of(&finding), finding.to_string()));
        let row = |(name, account, detail): (&str, Option<u128>, String)| {
            vec![Value::text(name), account.map_or(Value::Null, Value::Uuid), Value::text(&detail)]
        };
        Ok(Source::of(found.chain(others).map(row).collect()))
    }

    /// All transfers in the order of their timestamps, each with what became of it.
    async fn audit_transfers(&mut self, audit: &mut Audit, run: &mut Run) -> Exec<()> {
        let mut originals: BTreeMap<u128, (Transfer, u128)> = BTreeMap::new();
        let planned = self.plan_of(TRANSFERS).await?;
        let mut source = self.start_query_of(&planned, run).await?;
        while let Some(chunk) = self.next_answer(&mut source, &planned, run, CHUNK_ROWS).await? {
            self.check_interrupt()?;
            let transfers = chunk.iter().map(|row| rows::transfer(row)).collect::<Result<Vec<_>>>()?;
            let ids: BTreeSet<u128> = transfers.iter().map(|transfer| transfer.id).collect();
            let states = self.states_of(&ids, run).await?;
            for transfer in transfers {
                let state = states.get(&transfer.id).copied().unwrap_or_default();
                audit.transfer(&transfer, state.pending);
                if state.reversed > 0 {
                    originals.insert(transfer.id, (transfer, state.reversed));
                }
            }
        }
        let unrecorded: BTreeSet<u128> = audit.reversed_originals().into_iter().filter(|id| !originals.contains_key(id)).collect();
        let found = self.fetch_ids(Table::Transfers, &unrecorded, None, run).await?;
        for stored in found.iter().flatten() {
            let transfer = rows::transfer(&info(Table::Transfers).layout.decode(&stored.row)?)?;
            originals.insert(transfer.id, (transfer, 0));
        }
        for (transfer, reversed) in originals.values() {
            audit.reversed(transfer, *reversed);
        }
        Ok(())
    }

    async fn states_of(&mut self, ids: &BTreeSet<u128>, run: &mut Run) -> Exec<FxHashMap<u128, State>> {
        let found = self.fetch_ids(Table::TransferStates, ids, None, run).await?;
        let state = |(id, stored): (&u128, &Option<Stored>)| {
            let stored = stored.as_ref()?;
            let values = info(Table::TransferStates).layout.decode(&stored.row);
            Some(values.and_then(|values| Ok((*id, rows::state(&values)?))))
        };
        Ok(ids.iter().zip(&found).filter_map(state).collect::<Result<_>>()?)
    }

    async fn plan_of(&mut self, text: &str) -> Result<Planned> {
        let statement = parse(text)?.pop().ok_or_else(|| Error::internal("a query of the audit is empty"))?;
        let planned = self.plan(&statement, Parameters::default()).await?;
        self.pinned = Table::ALL.into_iter().map(|table| info(table).table.clone()).collect();
        Ok(planned)
    }

    /// Gives each row of a query to `judge`, in its order.
    async fn each_row(&mut self, text: &str, run: &mut Run, judge: &mut dyn FnMut(&[Value]) -> Result<()>) -> Exec<()> {
        let planned = self.plan_of(text).await?;
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
