//! The ledger's operations over HTTP: each is one or a few SQL statements of its role's session, and their rows as JSON.
//!
//! The rules, the tables and the documents are those of SQL (docs/ledger.md); nothing is decided here. Ids, amounts and numbers of 64 bits and more are
//! strings in answers, for many readers of JSON keep only 53 bits of a number.

mod balances;
mod changes;
mod query;
mod read;
mod render;
mod select;
#[cfg(test)]
mod tests;
mod write;

use super::problem::Problem;
use super::routes::Operation;
use crate::role_session::{Answer, Parameter, RoleSession};
use base::{Retry, SqlState};
use query::Query;
use serde_json::Value;
use std::time::Duration;

/// Tries of a statement that met another transaction; nothing was done then, and what writes is idempotent by its ids.
const TRIES_MAX: u32 = 5;
const TRY_PAUSE: Duration = Duration::from_millis(10);

/// The API's description, OpenAPI 3.1.
pub fn openapi() -> &'static str {
    include_str!("../openapi.json")
}

/// A request on its way.
pub struct Context<'a> {
    session: &'a mut RoleSession,
    id: Option<String>,
    query: Query,
    body: Vec<u8>,
}

impl<'a> Context<'a> {
    /// # Errors
    /// 400 for a query that is malformed or says what the operation does not know.
    pub fn new(
        session: &'a mut RoleSession,
        operation: Operation,
        id: Option<String>,
        query: &str,
        body: Vec<u8>,
    ) -> Result<Context<'a>, Problem> {
        Ok(Context { session, id, query: Query::parse(query, operation.query())?, body })
    }

    async fn ask(&mut self, sql: &str, parameters: Vec<Parameter>) -> Result<Answer, Problem> {
        let mut tries = 1;
        loop {
            match self.session.ask(sql, parameters.clone()).await {
                Err(error) if is_conflict(error.state()) && error.retry() != Retry::Unknown && tries < TRIES_MAX => {
                    tokio::time::sleep(TRY_PAUSE * tries).await;
                    tries += 1;
                }
                answer => return Ok(answer?),
            }
        }
    }

    /// The id in the path.
    fn id(&self) -> Result<&str, Problem> {
        self.id.as_deref().ok_or_else(|| Problem::new(500, "internal", "this operation has no id in its path"))
    }
}

fn is_conflict(state: SqlState) -> bool {
    state == SqlState::SERIALIZATION_FAILURE || state == SqlState::DEADLOCK_DETECTED
}

/// # Errors
/// What went wrong, as the client is to hear it.
pub async fn run(operation: Operation, context: &mut Context<'_>) -> Result<Value, Problem> {
    match operation {
        Operation::Document => Err(Problem::new(500, "internal", "the document needs no session")),
        Operation::ListLedgers => read::list_ledgers(context).await,
        Operation::GetLedger => read::get_ledger(context).await,
        Operation::ListAccounts => read::list_accounts(context).await,
        Operation::LookUpAccounts => read::look_up_accounts(context).await,
        Operation::GetAccount => read::get_account(context).await,
        Operation::GetAccountBalance => balances::get_account_balance(context).await,
        Operation::ListEntries => read::list_entries(context).await,
        Operation::ListTransfers => read::list_transfers(context).await,
        Operation::LookUpTransfers => read::look_up_transfers(context).await,
        Operation::GetTransfer => read::get_transfer(context).await,
        Operation::ListBalances => balances::list_balances(context).await,
        Operation::ListChanges => changes::list_changes(context).await,
        Operation::Audit => read::audit(context).await,
        Operation::DefineLedger => write::define_ledger(context).await,
        Operation::ClosePeriod => write::close_period(context).await,
        Operation::OpenAccounts => write::open_accounts(context).await,
        Operation::PostTransfers => write::post_transfers(context).await,
    }
}
