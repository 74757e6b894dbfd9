//! Runs the ledger's functions in the session's transaction.

use super::books::{Ids, Loaded, Share};
use super::call::{CallPlan, Function};
use super::document;
use crate::exec::Run;
use crate::exec::source::Source;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::value::Value;
use base::{Error, Result, SqlState};
use ledger::{Account, Batch, Code, Event, Outcome, TIMESTAMP_STRIDE, Transfer, packed};
use std::collections::BTreeSet;
use storage::access::LockMode;

/// Code of a transfer whose caller gave none.
const CODE_DEFAULT: u16 = 1;

impl Session {
    pub(crate) async fn run_ledger_call(&mut self, plan: &CallPlan, run: &mut Run) -> Exec<Source> {
        let env = run.env();
        let values = plan.arguments.iter().map(|argument| argument.as_ref().map_or(Ok(Value::Null), |expr| expr.eval(&(), &env)));
        let values = values.collect::<Result<Vec<_>>>()?;
        let answer = match plan.function {
            Function::CreateAccounts => {
                let accounts = packed::decode_accounts(batch_bytes(&values)?)?;
                self.packed_batch(accounts, run).await?
            }
            Function::CreateTransfers => {
                let transfers = packed::decode_transfers(batch_bytes(&values)?)?;
                self.packed_batch(transfers, run).await?
            }
            Function::Transfer => {
                let transfer = transfer_of_arguments(&values)?;
                self.one_transfer(transfer, run).await?
            }
            Function::PostAll => return self.post_all(text(&values)?, run).await,
            Function::OpenAccounts => return self.open_accounts(text(&values)?, run).await,
            Function::Post => self.one_transfer(document::transfer(text(&values)?)?, run).await?,
            Function::OpenAccount => {
                let outcomes = self.book(&[document::account(text(&values)?)?], Share::Part, run).await?;
                done(&outcomes)?
            }
            Function::DefineLedger => self.define_ledger(document::ledger(text(&values)?)?, run).await?,
            Function::ClosePeriod => self.close_period(&values, run).await?,
            Function::Expire => Value::Int8(self.expire_due(run).await?),
            Function::Audit => return self.audit(run).await,
            Function::Changes => return self.changes(&values, run).await,
            Function::Checkpoints => return self.checkpoints().await,
            Function::Prove => self.prove_transfer(&values).await?,
            Function::ProveEntry => self.prove_entry(&values).await?,
            Function::ProveConsistency => self.prove_consistency(&values).await?,
        };
        Ok(Source::of(vec![vec![answer]]))
    }

    /// Runs a batch; its changes are in the transaction's buffer then.
    pub(super) async fn book<E: Event>(&mut self, events: &[E], share: Share, run: &mut Run) -> Exec<Vec<Outcome>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut ids = self.first_ids(share);
        loop {
            let loaded = self.load_books(events, ids, run).await?;
            let (loaded, outcomes, first) = self.judge(events, loaded);
            if ids == Ids::Locked || is_final(&outcomes) {
                self.keep(loaded, first, share).await?;
                return Ok(outcomes);
            }
            ids = Ids::Locked;
        }
    }

    /// A second try waits for whoever was in the way of the first.
    pub(super) fn first_ids(&self, share: Share) -> Ids {
        if share == Share::Whole && self.attempt == 0 { Ids::Free } else { Ids::Locked }
    }

    /// What the rules say, with the first timestamp that they gave.
    pub(super) fn judge<E: Event>(&self, events: &[E], mut loaded: Loaded) -> (Loaded, Vec<Outcome>, u64) {
        let first = self.backend.ledger_time(loaded.floor(), events.len() as u32);
        let outcomes = Batch::new(&mut loaded).run_spaced(events, first, TIMESTAMP_STRIDE);
        (loaded, outcomes, first)
    }

    /// What a batch that is about to be booked is of its transaction, if it fits into one commit.
    pub(super) fn share(&mut self) -> Share {
        let whole = self.is_alone() && self.txn().buffer.is_empty() && self.txn().staged.is_empty();
        if whole { Share::Whole } else { Share::Part }
    }

    async fn packed_batch<E: Event>(&mut self, events: Vec<E>, run: &mut Run) -> Exec<Value> {
        let share = self.share();
        let outcomes = self.book(&events, share, run).await?;
        Ok(Value::Bytea(packed::encode_outcomes(&outcomes).into()))
    }

    /// A refusal is an error here: what the caller wanted did not happen.
    async fn one_transfer(&mut self, transfer: Transfer, run: &mut Run) -> Exec<Value> {
        if self.is_alone()
            && let Some(outcome) = self.backend.book(transfer.clone()).await?
        {
            return Ok(done(&[outcome])?);
        }
        let outcomes = self.book_singly(vec![transfer], Share::Part, run).await?;
        Ok(done(&outcomes)?)
    }

    /// Transfers whose refusals are errors of their callers: none is remembered. Ledger and code may be left out.
    pub(super) async fn book_singly(&mut self, mut transfers: Vec<Transfer>, share: Share, run: &mut Run) -> Exec<Vec<Outcome>> {
        let mut ids = self.first_ids(share);
        loop {
            let mut loaded = self.load_books(&transfers, ids, run).await?;
            loaded.forget_refusals();
            self.complete(&mut transfers, &mut loaded, run).await?;
            let (loaded, outcomes, first) = self.judge(&transfers, loaded);
            if ids == Ids::Locked || is_final(&outcomes) {
                self.keep(loaded, first, share).await?;
                return Ok(outcomes);
            }
            ids = Ids::Locked;
        }
    }

    pub(super) async fn complete(&mut self, transfers: &mut [Transfer], loaded: &mut Loaded, run: &mut Run) -> Exec<()> {
        for transfer in transfers.iter_mut().filter(|transfer| transfer.pending == 0) {
            if transfer.ledger == 0 {
                transfer.ledger = loaded.ledger_of(transfer);
            }
            if transfer.ledger != 0 && loaded.stored_ledger(transfer.ledger).is_none() {
                self.load_ledgers(&BTreeSet::from([transfer.ledger]), LockMode::Share, loaded, run).await?;
            }
            if transfer.code == 0 {
                transfer.code = CODE_DEFAULT;
            }
        }
        Ok(())
    }

    async fn define_ledger(&mut self, ledger: ledger::Ledger, run: &mut Run) -> Exec<Value> {
        let mut loaded = Loaded::default();
        let ids = BTreeSet::from([ledger.id]);
        let bases = self.load_ledgers(&ids, LockMode::Update, &mut loaded, run).await?;
        let defined = match loaded.stored_ledger(ledger.id) {
            None => ledger,
            Some(there) if (there.scale, &there.asset, &there.currency) == (ledger.scale, &ledger.asset, &ledger.currency) => {
                ledger::Ledger { closed_through: there.closed_through, ..ledger }
            }
            Some(there) => {
                let message = format!("ledger {} is defined with another asset, currency or scale", there.id);
                return Err(Error::new(SqlState::DUPLICATE_OBJECT, message)
                    .with_hint("Only the name and the metadata of a ledger can be changed.")
                    .into());
            }
        };
        self.put_ledger(&defined, bases[0])?;
        Ok(Value::text(&defined.name))
    }

    async fn close_period(&mut self, values: &[Value], run: &mut Run) -> Exec<Value> {
        let [ledger, through] = values else { return Err(Error::internal("close_period takes two arguments").into()) };
        let id = ledger.as_i64().and_then(|id| u32::try_from(id).ok()).filter(|id| *id > 0);
        let id = id.ok_or_else(|| Error::new(SqlState::INVALID_PARAMETER_VALUE, "a ledger's number is from 1 to 4294967295"))?;
        let through = document::nanoseconds(through)?;
        if through >= self.backend.now().wall.0 * 1_000 {
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "a period can be closed only when it is over").into());
        }
        let mut loaded = Loaded::default();
        let bases = self.load_ledgers(&BTreeSet::from([id]), LockMode::Update, &mut loaded, run).await?;
        let Some(there) = loaded.stored_ledger(id) else {
            return Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("ledger {id} is not defined"))
                .with_hint("Define it with ledger.define.")
                .into());
        };
        if there.closed_through > through {
            let message = format!("ledger {id} is closed through a later time already");
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).into());
        }
        let closed = ledger::Ledger { closed_through: through, ..there.clone() };
        self.put_ledger(&closed, bases[0])?;
        Ok(Value::text(&closed.name))
    }
}

/// An id that is there stays there, and whether a new one still is new the commit finds out. Any other answer might tell of a transfer that a
/// transaction is booking right now that it is not: it holds only if the ids were locked.
pub(super) fn is_final(outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|outcome| outcome.code == Code::Ok || outcome.code.is_about_existing())
}

fn batch_bytes(values: &[Value]) -> Result<&[u8]> {
    match values {
        [Value::Bytea(bytes)] => Ok(bytes),
        _ => Err(Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "a batch must not be NULL")),
    }
}

fn text(values: &[Value]) -> Result<&str> {
    let missing = || Error::new(SqlState::NULL_VALUE_NOT_ALLOWED, "a document must not be NULL");
    values.first().and_then(Value::as_str).ok_or_else(missing)
}

fn transfer_of_arguments(values: &[Value]) -> Result<Transfer> {
    let [id, debit, credit, amount, ledger, code, flags, refers_to, timeout, effective, value_date, metadata] = values else {
        return Err(Error::internal("ledger.transfer takes twelve arguments"));
    };
    Ok(Transfer {
        id: document::id(id),
        debit_account: document::id(debit),
        credit_account: document::id(credit),
        amount: document::amount(amount)?,
        ledger: document::small(ledger, "ledger")?,
        code: document::small(code, "code")?,
        flags: ledger::TransferFlags(document::small(flags, "flags")?),
        pending: document::id(refers_to),
        timeout: document::small(timeout, "timeout")?,
        effective: document::nanoseconds(effective)?,
        value_date: document::days(value_date),
        metadata: metadata.as_str().unwrap_or_default().as_bytes().to_vec(),
        ..Transfer::default()
    })
}

/// The timestamp of the only event.
///
/// # Errors
/// `L` and four digits: the code that refused it.
fn done(outcomes: &[Outcome]) -> Result<Value> {
    match outcomes {
        [Outcome { code: Code::Ok | Code::Exists, timestamp }] => Ok(Value::Int8(*timestamp as i64)),
        [Outcome { code, .. }] => Err(refusal(*code)),
        _ => Err(Error::internal("one event has one outcome")),
    }
}

/// A refusal as an error: its SQLSTATE is `L` and the code's number.
pub(super) fn refusal(code: Code) -> Error {
    let number = format!("L{:04}", code as u16);
    let state = number.as_bytes().try_into().map_or(SqlState::INTERNAL_ERROR, SqlState);
    Error::new(state, format!("the ledger refused: {}", code.name()))
}

/// Rows of INSERT stand or fall together.
pub(super) fn link_accounts(accounts: &mut [Account]) {
    let last = accounts.len().saturating_sub(1);
    accounts[..last].iter_mut().for_each(|account| account.flags = account.flags.with(ledger::AccountFlags::LINKED));
}

pub(super) fn link_transfers(transfers: &mut [Transfer]) {
    let last = transfers.len().saturating_sub(1);
    transfers[..last].iter_mut().for_each(|transfer| transfer.flags = transfer.flags.with(ledger::TransferFlags::LINKED));
}
