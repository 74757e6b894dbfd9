//! Pending transfers whose time has come: their amounts are released.

use super::books::{Ids, Share, info};
use super::planted::{self, Bug};
use super::tables::Ledger as Table;
use crate::backend::{Backend, CallError};
use crate::catalog::store::FIRST_ROLE;
use crate::exec::Run;
use crate::exec::fetch::Scanner;
use crate::key;
use crate::session::Session;
use crate::session::txn::{Block, Exec};
use crate::types::Type;
use crate::value::Value;
use base::Result;
use ledger::{Books, Needs, PendingState, TIMESTAMP_STRIDE};
use std::rc::Rc;
use storage::access::KeyRange;

/// Who holds a row longer makes the node look again later.
const LOCK_TIMEOUT: &str = "1s";
/// Transfers that one call releases at most: its transaction stays small.
pub const EXPIRED_MAX: usize = 1_000;

/// Releases what is due, in a transaction of its own; how many transfers were. For the node itself.
///
/// # Errors
/// As any statement; nothing was done then, and the next call does it.
pub async fn expire(backend: Rc<dyn Backend>) -> Result<i64> {
    let mut session = Session::new(backend, FIRST_ROLE, FIRST_ROLE);
    session.set_for_itself("lock_timeout", LOCK_TIMEOUT);
    if !session.catalog().tables.contains_key(&Table::Expiries.oid()) {
        return Ok(0);
    }
    session.ensure_txn(Block::Implicit);
    let mut run = session.new_run(Vec::new(), Vec::new());
    session.begin_own_statement();
    let released = match session.expire_due(&mut run).await {
        Ok(released) => released,
        Err(error) => {
            session.rollback_txn();
            return match error {
                CallError::Error(error) => Err(error),
                CallError::StaleSchema(version) => session.backend.refresh_catalog(version).await.map(|_| 0),
            };
        }
    };
    session.commit_txn().await?;
    Ok(released)
}

impl Session {
    /// Releases what is due, oldest first, at most [`EXPIRED_MAX`]; how many were.
    pub(super) async fn expire_due(&mut self, run: &mut Run) -> Exec<i64> {
        let table = info(Table::Expiries);
        let start = key::prefix_range(&table.table.storage.0.to_be_bytes()).start;
        let mut end = table.table.storage.0.to_be_bytes().to_vec();
        let now = self.backend.now().wall.0 * 1_000;
        key::encode(&Value::Int8(i64::try_from(now).unwrap_or(i64::MAX)), Type::Int8, &mut end)?;
        let range = KeyRange { start, end: key::prefix_end(&end) };
        let parts = self.backend.shards().into_iter().map(|shard| (shard, range.clone())).collect();
        self.pinned = vec![table.table.clone()];
        let mut scanner = Scanner::new(parts, false);
        let mut due = Vec::new();
        while due.len() < EXPIRED_MAX
            && let Some(chunk) = self.next_chunk(&mut scanner, EXPIRED_MAX as u32, run).await?
        {
            for stored in chunk {
                if let [_, Value::Uuid(id)] = table.layout.decode(&stored.row)?[..] {
                    due.push(id);
                }
            }
        }
        due.truncate(EXPIRED_MAX);
        if due.is_empty() {
            return Ok(0);
        }
        let mut needs = Needs::default();
        for id in &due {
            needs.transfers.insert(*id);
        }
        let mut loaded = self.load_needs(needs, Ids::Locked, run).await?;
        let first = self.backend.ledger_time(loaded.floor(), due.len() as u32);
        let mut released = 0;
        for (index, id) in due.iter().enumerate() {
            let is_released = ledger::expire(&mut loaded, *id, first + index as u64 * TIMESTAMP_STRIDE);
            if is_released && planted::active(Bug::ReleaseAgain) {
                loaded.put_pending_state(*id, PendingState::Pending);
            }
            released += i64::from(is_released);
        }
        self.keep(loaded, first, Share::Part).await?;
        Ok(released)
    }
}
