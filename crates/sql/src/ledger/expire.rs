//! Pending transfers whose time has come: their amounts are released.

use super::books::info;
use super::tables::Ledger as Table;
use crate::exec::Run;
use crate::exec::fetch::Scanner;
use crate::key;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::types::Type;
use crate::value::Value;
use ledger::Needs;
use storage::access::KeyRange;

/// Transfers that one call releases at most: its transaction stays small.
pub const EXPIRED_MAX: usize = 1_000;

impl Session {
    /// Releases what is due, oldest first, at most [`EXPIRED_MAX`]; how many were.
    pub(super) async fn expire_due(&mut self, run: &mut Run) -> Exec<i64> {
        let table = info(Table::Expiries);
        let mut range = key::prefix_range(&table.table.storage.0.to_be_bytes());
        let mut end = table.table.storage.0.to_be_bytes().to_vec();
        let now = self.backend.now().wall.0 * 1_000;
        key::encode(&Value::Int8(i64::try_from(now).unwrap_or(i64::MAX)), Type::Int8, &mut end)?;
        range = KeyRange { start: range.start, end: key::prefix_end(&end) };
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
        let mut loaded = self.load_needs(needs, run).await?;
        let first = self.backend.ledger_time(loaded.floor(), due.len() as u32);
        let mut released = 0;
        for (index, id) in due.iter().enumerate() {
            released += i64::from(ledger::expire(&mut loaded, *id, first + index as u64));
        }
        self.keep(loaded, first).await?;
        Ok(released)
    }
}
