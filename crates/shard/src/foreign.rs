//! What comes from other nodes or from the log, read as each kind it could be: for fuzzing, where no bytes may cause a panic.

use crate::codec::{Item, Wire};
use crate::entry::{Change, LogEntry};
use crate::members::{self, Members};
use crate::wire::{Reader, Writer};
use crate::{keys, outcomes};
use base::{NodeId, TxnId, Version};
use bytes::Bytes;

/// Reads the bytes as each kind of message, entry and stored value. What is taken must also be read back when it is written again.
///
/// # Panics
/// If the codecs do not agree with themselves.
pub fn read_foreign(bytes: &Bytes) {
    if let Ok(message) = Wire::decode(bytes.clone()) {
        assert!(Wire::decode(message.encode()).is_ok(), "what is written can be read");
    }
    if let Ok(entry) = LogEntry::decode(bytes.clone()) {
        assert_eq!(LogEntry::decode(entry.encode()).as_ref(), Ok(&entry), "what is written reads the same");
    }
    if let Ok(change) = members::Change::decode(bytes.clone()) {
        assert_eq!(members::Change::decode(change.encode()).as_ref(), Ok(&change), "what is written reads the same");
    }
    // Refusals are as good as values; neither may panic.
    let _ = Members::read(&mut Reader::new(bytes.clone()));
    let _ = outcomes::Outcomes::read(&mut Reader::new(bytes.clone()), outcomes::OUTCOMES_MAX);
    let _ = keys::read_history_key(bytes);
    let _ = keys::read_history_value(bytes);
    let _ = keys::read_staged_value(bytes);
    let _ = storage::packed::Packed::read(bytes.clone());
    let _ = storage::packed::Run(bytes.clone()).changes();
    let _ = crate::read_sequence_row(bytes);
}

/// A good one of most kinds.
pub fn foreign_samples() -> Vec<Bytes> {
    let txn = TxnId { started: 1_000, node: NodeId(3), boot: 2, sequence: 9 };
    let change = |key: &'static [u8], row: Option<&'static [u8]>| Change { key: Bytes::from_static(key), row: row.map(Bytes::from_static) };
    let changes = vec![change(b"key", Some(b"row")), change(b"gone", None)];
    let mut packer = storage::packed::Packer::default();
    packer.push(b"gone", None);
    packer.push(b"key", Some(b"row"));
    let entries = [
        LogEntry::Commit { txn, version: Version(77), parts: 2, changes: changes.clone() },
        LogEntry::Decide { txn, version: Some(Version(78)) },
        LogEntry::Refuse { txn },
        LogEntry::Stage { txn, part: 1, changes: packer.finish() },
        LogEntry::Put { version: Version(79), change: changes[0].clone() },
        LogEntry::ClockBound { version: Version(80) },
        LogEntry::Handover { to: NodeId(2), locks: Vec::new() },
    ];
    let items: Vec<Item> = Vec::new();
    let raft =
        raft::eraftpb::Message { msg_type: raft::eraftpb::MessageType::MsgAppend, from: 1, to: 2, term: 5, index: 7, ..Default::default() };
    let messages = [
        Wire::Raft(raft),
        Wire::RowsWanted { transfer: 1, number: 2, lost: true, at_least: 7 },
        Wire::Rows { transfer: 1, number: 2, items, end: None },
        Wire::RowsRefused { transfer: 5 },
        Wire::VouchAsked { nonce: 6 },
        Wire::Vouched { nonce: 6, term: 5, votes: true },
    ];
    let mut members = Writer::with_capacity(32);
    Members::default().write(&mut members);
    let entries = entries.iter().map(LogEntry::encode);
    entries.chain(messages.iter().map(Wire::encode)).chain([members.finish()]).collect()
}
