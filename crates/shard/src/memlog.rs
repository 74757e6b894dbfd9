//! The consensus library's view of the log: entries in memory from the last truncation on.
//!
//! Entries stand here as soon as they are handed to the node's log; which of them are durable is told to the library apart.

use crate::codec;
use crate::members::{Members, node_of};
use crate::wire::Writer;
use base::Result;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};
use std::collections::VecDeque;

/// What a replica that is too far behind starts from.
#[derive(Clone, Debug, Default)]
pub struct Base {
    pub index: u64,
    pub term: u64,
}

/// The state of the rows that can be sent to others.
#[derive(Clone, Debug, Default)]
pub struct Sendable {
    pub index: u64,
    pub term: u64,
    pub members: Members,
}

#[derive(Debug)]
pub struct MemLog {
    entries: VecDeque<Entry>,
    /// The entry before the first.
    base: Base,
    bytes: usize,
    hard: HardState,
    conf: ConfState,
    /// `None`: this replica has no rows to send.
    pub sendable: Option<Sendable>,
}

fn size(entry: &Entry) -> usize {
    entry.data.len() + entry.context.len() + size_of::<Entry>()
}

impl MemLog {
    pub fn new(base: Base, entries: Vec<Entry>, hard: HardState, conf: ConfState) -> MemLog {
        let bytes = entries.iter().map(size).sum();
        MemLog { entries: entries.into(), base, bytes, hard, conf, sendable: None }
    }

    pub fn from_record(entry: &storage::log::Entry) -> Result<Entry> {
        let mut into = Entry::default();
        into.set_entry_type(codec::entry_type(entry.kind)?);
        into.index = entry.index;
        into.term = entry.term;
        into.context = entry.context.clone();
        into.data = entry.data.clone();
        Ok(into)
    }

    pub fn to_record(entry: &Entry) -> storage::log::Entry {
        storage::log::Entry {
            index: entry.index,
            term: entry.term,
            kind: codec::kind_code(entry.entry_type),
            context: entry.context.clone(),
            data: entry.data.clone(),
        }
    }

    pub fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        assert!(first.index > self.base.index, "an entry at {} is replaced below the truncation at {}", first.index, self.base.index);
        assert!(first.index <= self.last() + 1, "a gap before entry {}", first.index);
        while self.last() >= first.index {
            let dropped = self.entries.pop_back().expect("the last index is above the base");
            self.bytes -= size(&dropped);
        }
        self.bytes += entries.iter().map(size).sum::<usize>();
        self.entries.extend(entries.iter().cloned());
    }

    /// Forgets entries up to this index.
    pub fn truncate(&mut self, index: u64) {
        while let Some(entry) = self.entries.front() {
            if entry.index > index {
                break;
            }
            self.base = Base { index: entry.index, term: entry.term };
            self.bytes -= size(entry);
            self.entries.pop_front();
        }
    }

    /// Everything is replaced by a state that ends at this entry.
    pub fn restart(&mut self, base: Base, conf: ConfState) {
        self.entries.clear();
        self.bytes = 0;
        self.base = base;
        self.conf = conf;
    }

    pub fn base(&self) -> &Base {
        &self.base
    }

    pub fn last(&self) -> u64 {
        self.base.index + self.entries.len() as u64
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn get(&self, index: u64) -> Option<&Entry> {
        let offset = index.checked_sub(self.base.index + 1)?;
        self.entries.get(offset as usize)
    }

    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.base.index { Some(self.base.term) } else { self.get(index).map(|entry| entry.term) }
    }
}

impl Storage for MemLog {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard.clone(), self.conf.clone()))
    }

    fn entries(&self, low: u64, high: u64, max_size: impl Into<Option<u64>>, _context: GetEntriesContext) -> raft::Result<Vec<Entry>> {
        if low <= self.base.index {
            return Err(StorageError::Compacted.into());
        }
        if high > self.last() + 1 {
            return Err(StorageError::Unavailable.into());
        }
        let limit = max_size.into().unwrap_or(u64::MAX);
        let mut taken = Vec::with_capacity((high - low).min(1024) as usize);
        let mut bytes = 0;
        for entry in self.entries.range((low - self.base.index - 1) as usize..(high - self.base.index - 1) as usize) {
            bytes += size(entry) as u64;
            if bytes > limit && !taken.is_empty() {
                break;
            }
            taken.push(entry.clone());
        }
        Ok(taken)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index < self.base.index {
            return Err(StorageError::Compacted.into());
        }
        self.term_at(index).ok_or_else(|| StorageError::Unavailable.into())
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.base.index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, request_index: u64, to: u64) -> raft::Result<Snapshot> {
        match &self.sendable {
            // The library ignores a state whose membership does not know its receiver.
            Some(sendable) if sendable.index >= request_index.max(self.base.index) && sendable.members.contains(node_of(to)) => {
                let mut snapshot = Snapshot::default();
                let metadata = snapshot.mut_metadata();
                metadata.index = sendable.index;
                metadata.term = sendable.term;
                metadata.set_conf_state(sendable.members.state.clone());
                let mut members = Writer::default();
                sendable.members.write(&mut members);
                snapshot.data = members.finish();
                Ok(snapshot)
            }
            _ => Err(StorageError::SnapshotTemporarilyUnavailable.into()),
        }
    }
}
