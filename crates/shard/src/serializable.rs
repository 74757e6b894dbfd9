//! Validation of what a serializable transaction read: nothing of it may be newer than its snapshot when it commits, and what a
//! prepared one read stays as it is until its decision.

use crate::shard::Shard;
use base::{Error, SqlState, TxnId};
use storage::access::{Context, KeyRange, ReadSet, Refusal, Snapshot, Write};

fn conflict() -> Refusal {
    Refusal::Error(
        Error::new(SqlState::SERIALIZATION_FAILURE, "could not serialize access due to read/write dependencies among transactions")
            .with_hint("The transaction might succeed if retried."),
    )
}

fn contains(range: &KeyRange, key: &[u8]) -> bool {
    range.start.as_ref() <= key && (range.end.is_empty() || key < range.end.as_ref())
}

impl Shard {
    pub(crate) fn validate_reads(&mut self, context: &Context, reads: &ReadSet) -> Result<(), Refusal> {
        let Snapshot::At(snapshot) = context.snapshot else {
            return if reads.keys.is_empty() && reads.ranges.is_empty() {
                Ok(())
            } else {
                Err(Refusal::Error(Error::internal("a serializable transaction has a snapshot")))
            };
        };
        if let Some(error) = self.state.snapshot_too_old(snapshot) {
            return Err(Refusal::Error(error));
        }
        for key in &reads.keys {
            let newer = self.state.newest(key).map_err(Refusal::Error)?.version > snapshot;
            let undecided = self.state.prepared_keys.get(key).is_some_and(|(txn, _)| txn != context.txn);
            if newer || undecided {
                return Err(conflict());
            }
        }
        for range in &reads.ranges {
            let (start, end) = (std::ops::Bound::Included(range.start.as_ref()), crate::read::bound_end(&range.end));
            let undecided = self.state.prepared_keys.find(start, end, |txn, _| txn != context.txn);
            if undecided.is_some() || self.state.changed_since(range, snapshot).map_err(Refusal::Error)? {
                return Err(conflict());
            }
        }
        Ok(())
    }

    /// Nobody writes what a prepared serializable transaction has read.
    pub(crate) fn validate_against_prepared(&self, txn: TxnId, writes: &[Write]) -> Result<(), Refusal> {
        for prepare in self.state.prepared.values() {
            if prepare.txn == txn || (prepare.reads.keys.is_empty() && prepare.reads.ranges.is_empty()) {
                continue;
            }
            let read = |write: &Write| {
                prepare.reads.keys.contains(&write.key) || prepare.reads.ranges.iter().any(|range| contains(range, &write.key))
            };
            if writes.iter().any(read) {
                return Err(conflict());
            }
        }
        Ok(())
    }
}
