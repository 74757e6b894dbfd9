//! The ledger as a client sees it.

use crate::error::{Error, Refusal, Result};
use crate::id::{Id, Timestamp};
use crate::model::{ALL, Booked, Definition, NewAccount, Outcome, Transfer};
use crate::options::Options;
use crate::pool::{Failed, Parameter, Pool, Statement};
use crate::records::Recorded;
use crate::sender::Sender;
use crate::wire::{self, Jsonb};
use ledger::packed::BATCH_EVENTS_MAX;
use ledger::{AccountFlags, Code, TransferFlags};
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

const POST: &str = "SELECT ledger.post($1)";
const OPEN_ACCOUNT: &str = "SELECT ledger.open_account($1)";

/// A client of one cluster's ledger. Cheap to clone; all clones share connections and batches. It belongs to the tokio runtime in which it is used.
#[derive(Clone)]
pub struct Ledger {
    pub(crate) pool: Arc<Pool>,
    transfers: Arc<Sender<ledger::Transfer>>,
    accounts: Arc<Sender<ledger::Account>>,
}

impl Ledger {
    /// Connects, so that what is wrong with the options is told at once. Later losses of the connection heal by themselves.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if no node answers within [`crate::GIVE_UP_AFTER`], [`Error::Database`] if one refuses.
    pub async fn connect(options: Options) -> Result<Ledger> {
        let ledger = Ledger::lazy(options);
        ledger.pool.ask("SELECT 1", &[]).await?;
        Ok(ledger)
    }

    /// Connects when it is used first.
    pub fn lazy(options: Options) -> Ledger {
        let transfers = Arc::new(Sender::new(&options));
        let accounts = Arc::new(Sender::new(&options));
        let connections = options.connections;
        Ledger { pool: Arc::new(Pool::new(options, connections)), transfers, accounts }
    }

    /// Defines a ledger, or changes the name and metadata of one.
    ///
    /// # Errors
    /// [`Error::Database`] if it is defined with another asset, currency or scale.
    pub async fn define(&self, definition: &Definition) -> Result<()> {
        let document = Jsonb(wire::definition_document(definition)?);
        self.pool.ask("SELECT ledger.define($1)", &[(&document, Type::JSONB)]).await?;
        Ok(())
    }

    /// From then on nothing takes effect in the ledger at `through` or before, which must be over. To the microsecond.
    ///
    /// # Errors
    /// [`Error::Database`] if that is not over, or the ledger is closed through a later time.
    pub async fn close_period(&self, ledger: u32, through: Timestamp) -> Result<()> {
        let (ledger, through) = (i64::from(ledger), through.system_time());
        self.pool.ask("SELECT ledger.close_period($1, $2)", &[(&ledger, Type::INT8), (&through, Type::TIMESTAMPTZ)]).await?;
        Ok(())
    }

    /// Releases what is pending and whose time has come, a thousand at most; how many were. Nodes do so by themselves if told to.
    ///
    /// # Errors
    /// If the cluster cannot be reached.
    pub async fn expire(&self) -> Result<u64> {
        let rows = self.pool.ask("SELECT ledger.expire()", &[]).await?;
        u64::try_from(number(&rows)?).map_err(|_| Error::answer("a negative count"))
    }

    /// # Errors
    /// [`Error::Refused`] if the rules say no; else as the cluster's state is.
    pub async fn open_account(&self, account: NewAccount) -> Result<Booked> {
        one(self.open_accounts(vec![account]).await?)?.booked()
    }

    /// Opens many accounts, each for itself: one outcome for each, in order.
    ///
    /// # Errors
    /// If the cluster cannot be reached or refuses as a whole; a refusal by the rules is an outcome.
    pub async fn open_accounts(&self, accounts: Vec<NewAccount>) -> Result<Vec<Outcome>> {
        let accounts: Vec<ledger::Account> = accounts.into_iter().map(|account| account.0).collect();
        if accounts.iter().any(|account| account.flags.has(AccountFlags::LINKED)) {
            return Err(Error::invalid("accounts of this client are never linked: open them one after the other"));
        }
        let mut outcomes = Vec::with_capacity(accounts.len());
        for part in parts(accounts, wire::is_packable_account, |account| account.flags.has(AccountFlags::IMPORTED)) {
            match part {
                Part::Packed { events, imported } => outcomes.extend(self.accounts.send(events, imported).await?),
                Part::Single(account) => {
                    outcomes.push(self.single(OPEN_ACCOUNT, wire::account_document(&account)?, account.id).await?);
                }
            }
        }
        Ok(outcomes)
    }

    /// Books one transfer.
    ///
    /// # Errors
    /// [`Error::Refused`] if the rules say no; [`Error::OutcomeUnknown`] if it was sent and no answer came in time; else as the cluster's state is.
    pub async fn transfer(&self, transfer: Transfer) -> Result<Booked> {
        one(self.transfers(vec![transfer]).await?)?.booked()
    }

    /// Books many transfers, each for itself and in this order: one outcome for each.
    ///
    /// # Errors
    /// As [`Ledger::open_accounts`]. What came before the part that failed is booked.
    pub async fn transfers(&self, transfers: Vec<Transfer>) -> Result<Vec<Outcome>> {
        let transfers = plain(transfers)?;
        let mut outcomes = Vec::with_capacity(transfers.len());
        for part in parts(transfers, wire::is_packable, |transfer| transfer.flags.has(TransferFlags::IMPORTED)) {
            match part {
                Part::Packed { events, imported } => outcomes.extend(self.transfers.send(events, imported).await?),
                Part::Single(transfer) => outcomes.push(self.single(POST, wire::transfer_document(&transfer)?, transfer.id).await?),
            }
        }
        Ok(outcomes)
    }

    /// Books all of the transfers or none, in this order.
    ///
    /// # Errors
    /// [`Error::Refused`] with the one that the rules do not allow; none is booked then.
    pub async fn chain(&self, transfers: Vec<Transfer>) -> Result<Vec<Booked>> {
        let mut transfers = plain(transfers)?;
        if transfers.is_empty() {
            return Ok(Vec::new());
        }
        if !transfers.iter().all(wire::is_packable) {
            return self.chain_of_documents(&transfers).await;
        }
        let imported = transfers[0].flags.has(TransferFlags::IMPORTED);
        let last = transfers.len() - 1;
        transfers[..last].iter_mut().for_each(|transfer| transfer.flags = transfer.flags.with(TransferFlags::LINKED));
        let outcomes = self.transfers.send(transfers.clone(), imported).await?;
        let refused = outcomes.iter().find(|outcome| !matches!(outcome.code, Code::Ok | Code::LinkedEventFailed));
        match refused {
            None => outcomes.into_iter().map(Outcome::booked).collect(),
            // The rules see a chain that begins with what exists as refused. If all of it exists it was booked by an earlier try.
            Some(outcome) if outcome.code == Code::Exists => self.chain_that_exists(&transfers).await,
            Some(outcome) => Err(Error::Refused(Refusal { id: outcome.id, code: outcome.code, timestamp: outcome.timestamp })),
        }
    }

    async fn chain_that_exists(&self, transfers: &[ledger::Transfer]) -> Result<Vec<Booked>> {
        let ids: Vec<Id> = transfers.iter().map(|transfer| Id(transfer.id)).collect();
        let there = self.recorded(&ids).await?;
        let booked = transfers.iter().zip(there).map(|(wanted, there)| {
            let id = Id(wanted.id);
            let same = there.filter(|there| is_same(wanted, there));
            // Part of it was booked by another call: the chain as such was not, and is not.
            let refusal = Error::Refused(Refusal { id, code: Code::LinkedEventFailed, timestamp: Timestamp::default() });
            same.map(|there| Booked { id, timestamp: there.timestamp, existed: true }).ok_or(refusal)
        });
        booked.collect()
    }

    async fn chain_of_documents(&self, transfers: &[ledger::Transfer]) -> Result<Vec<Booked>> {
        let documents = transfers.iter().map(|transfer| wire::transfer_document(transfer).map(Jsonb)).collect::<Result<Vec<_>>>()?;
        let parameters: Vec<[Parameter<'_>; 1]> = documents.iter().map(|document| [(document as _, Type::JSONB)]).collect();
        let statements: Vec<Statement<'_>> = parameters.iter().map(|parameters| Statement { sql: POST, parameters }).collect();
        let answers = self.pool.run(&statements).await.map_err(|Failed { error, statement }| match refused(&error) {
            Some(code) => {
                let id = Id(transfers.get(statement).map_or(0, |transfer| transfer.id));
                Error::Refused(Refusal { id, code, timestamp: Timestamp::default() })
            }
            None => error,
        })?;
        let booked = transfers
            .iter()
            .zip(&answers)
            .map(|(transfer, rows)| Ok(Booked { id: Id(transfer.id), timestamp: timestamp(rows)?, existed: false }));
        booked.collect()
    }

    /// A call that does one thing: its refusal is an error, which is an outcome again.
    async fn single(&self, sql: &str, document: String, id: u128) -> Result<Outcome> {
        let id = Id(id);
        match self.pool.ask(sql, &[(&Jsonb(document), Type::JSONB)]).await {
            Ok(rows) => Ok(Outcome { id, code: Code::Ok, timestamp: timestamp(&rows)? }),
            Err(error) => match refused(&error) {
                Some(code) => Ok(Outcome { id, code, timestamp: Timestamp::default() }),
                None => Err(error),
            },
        }
    }
}

enum Part<E> {
    Packed { events: Vec<E>, imported: bool },
    Single(E),
}

/// Cuts events into parts that travel together, in order.
fn parts<E>(events: Vec<E>, is_packable: fn(&E) -> bool, is_imported: fn(&E) -> bool) -> Vec<Part<E>> {
    let mut parts: Vec<Part<E>> = Vec::new();
    for event in events {
        let is = is_imported(&event);
        match parts.last_mut() {
            _ if !is_packable(&event) => parts.push(Part::Single(event)),
            Some(Part::Packed { events, imported }) if *imported == is && events.len() < BATCH_EVENTS_MAX => events.push(event),
            _ => parts.push(Part::Packed { events: vec![event], imported: is }),
        }
    }
    parts
}

fn plain(transfers: Vec<Transfer>) -> Result<Vec<ledger::Transfer>> {
    let transfers: Vec<ledger::Transfer> = transfers.into_iter().map(|transfer| transfer.0).collect();
    match transfers.iter().find(|transfer| transfer.flags.has(TransferFlags::LINKED)) {
        Some(linked) => Err(Error::invalid(format!("transfer {} has the flag LINKED: use Ledger::chain", Id(linked.id)))),
        None => Ok(transfers),
    }
}

/// What a caller left out was taken from what the transfer refers to.
fn is_same(wanted: &ledger::Transfer, there: &Recorded) -> bool {
    let left_out = |given: u128, recorded: Option<Id>| given == 0 || recorded == Some(Id(given));
    let balancing = TransferFlags::BALANCING_DEBIT.with(TransferFlags::BALANCING_CREDIT);
    let amount = wanted.amount == there.amount
        || wanted.amount == ALL
        || wanted.flags.has(TransferFlags::VOID)
        || (wanted.flags.has_any(balancing) && there.amount <= wanted.amount);
    amount
        && wanted.flags.without(TransferFlags::LINKED) == there.flags
        && there.refers_to.unwrap_or(Id::NONE) == Id(wanted.pending)
        && left_out(wanted.debit_account, there.debit_account)
        && left_out(wanted.credit_account, there.credit_account)
        && (wanted.ledger == 0 || wanted.ledger == there.ledger)
        && (wanted.code == 0 || wanted.code == there.code)
}

fn refused(error: &Error) -> Option<Code> {
    match error {
        Error::Database(told) => wire::refusal(told.state().as_str()),
        _ => None,
    }
}

fn number(rows: &[Row]) -> Result<i64> {
    let row = rows.first().ok_or_else(|| Error::answer("no row"))?;
    row.try_get(0).map_err(|error| Error::answer(&error.to_string()))
}

fn timestamp(rows: &[Row]) -> Result<Timestamp> {
    u64::try_from(number(rows)?).map(Timestamp).map_err(|_| Error::answer("a time before 1970"))
}

fn one<T>(mut outcomes: Vec<T>) -> Result<T> {
    outcomes.pop().ok_or_else(|| Error::answer("no outcome"))
}
