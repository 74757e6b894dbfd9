//! The node's side of the log: which shard waits for which position, one write at a time, pauses while the disk is full.

use crate::core::Core;
use crate::event::DiskError;
use crate::limits::DISK_FULL_PAUSE;
use base::{Mono, ShardId};
use shard::event::ShardEvent;
use std::collections::{BTreeMap, VecDeque};
use storage::log::{Log, LogWrite, Lsn, Record};

pub(crate) struct NodeLog {
    log: Log,
    tickets: VecDeque<(Lsn, ShardId, u64)>,
    full_until: Option<Mono>,
}

/// What could not be written for want of space when it was last tried.
#[derive(Debug, Default)]
pub(crate) struct Full {
    log: bool,
    stores: bool,
}

impl NodeLog {
    pub fn new(log: Log) -> NodeLog {
        NodeLog { log, tickets: VecDeque::new(), full_until: None }
    }

    pub fn append(&mut self, shard: ShardId, ticket: u64, records: Vec<Record>) {
        let mut lsn = self.log.appended();
        for record in records {
            lsn = self.log.append(shard, record);
        }
        self.tickets.push_back((lsn, shard, ticket));
    }

    /// An append without anything to write may be durable already.
    pub fn has_durable(&self) -> bool {
        self.tickets.front().is_some_and(|(lsn, ..)| *lsn <= self.log.durable())
    }

    /// A record that no shard waits for.
    pub fn append_unwatched(&mut self, shard: ShardId, record: Record) {
        self.log.append(shard, record);
    }

    pub fn next_write(&mut self) -> Option<LogWrite> {
        if self.full_until.is_some() {
            return None;
        }
        self.log.next_write()
    }

    pub fn tick(&mut self, now: Mono) {
        if self.full_until.is_some_and(|until| until <= now) {
            self.full_until = None;
        }
    }

    /// Each shard with its newest ticket that is durable now.
    fn durable(&mut self) -> BTreeMap<ShardId, u64> {
        let mut newest = BTreeMap::new();
        while let Some(&(lsn, shard, ticket)) = self.tickets.front() {
            if lsn > self.log.durable() {
                break;
            }
            newest.insert(shard, ticket);
            self.tickets.pop_front();
        }
        newest
    }

    pub fn pending_bytes(&self) -> usize {
        self.log.pending_bytes()
    }

    /// Segments in use and live bytes.
    pub fn usage(&self) -> (usize, u64) {
        self.log.usage()
    }
}

impl Core {
    pub fn log_written(&mut self, sequence: u64, result: Result<(), DiskError>) {
        match result {
            Ok(()) => {
                self.log.log.written(sequence);
                self.log_full(false);
                self.tell_durable();
            }
            Err(DiskError::Full) => {
                self.log.log.write_failed_full(sequence);
                self.log.full_until = Some(self.now.mono.after(DISK_FULL_PAUSE));
                self.log_full(true);
            }
        }
    }

    pub fn tell_durable(&mut self) {
        for (shard, ticket) in self.log.durable() {
            self.step_shard(shard, ShardEvent::Appended { ticket });
        }
    }

    fn log_full(&mut self, full: bool) {
        if std::mem::replace(&mut self.full.log, full) == full {
            return;
        }
        if full {
            self.info("the disk is full: the log cannot be written, and leaders go elsewhere");
        }
        let shards: Vec<ShardId> = self.replicas.keys().copied().collect();
        for shard in shards {
            self.step_shard(shard, ShardEvent::DiskFull { full });
        }
        self.update_disk_full();
    }

    /// With each tick. While the log has files that were made ahead, leaders serve on until others have taken their place.
    pub fn watch_stores(&mut self) {
        let full = self.replicas.values().any(|replica| replica.shard.is_starved());
        if std::mem::replace(&mut self.full.stores, full) != full && full {
            self.info("the disk is full: rows cannot be written, and leaders go elsewhere");
        }
        self.update_disk_full();
    }

    fn update_disk_full(&mut self) {
        let full = self.full.log || self.full.stores;
        if std::mem::replace(&mut self.disk_full, full) == full {
            return;
        }
        // Whoever has space leads from now on.
        self.rounds.placement = self.now.mono;
        self.rounds.heartbeat = self.now.mono;
        if !full {
            self.info("the disk has space again");
        }
    }
}
