//! The replicated transactional state machine: one log and the data it owns.
//!
//! `Shard::step(now, event, &mut effects)`: consensus through the raft library, row versions, locks, commit, snapshots. After each
//! event the invariants are asserted, in release builds too. Pure: no clock, socket, file, thread or ambient randomness.

// The consensus library's messages have private fields: they are made by assignment.
#![allow(clippy::field_reassign_with_default)]

mod allowance;
mod beat;
mod below;
mod cache;
mod codec;
mod consensus;
mod entry;
pub mod event;
mod evidence;
mod existing;
mod fetch;
mod flush;
mod foreign;
mod handover;
mod held_back;
mod inspect;
mod keys;
mod lease;
mod locks;
mod members;
mod membership;
mod memlog;
mod meta;
mod moving;
mod outcomes;
pub mod planted;
mod read;
mod requests;
mod scrub;
mod sequence;
mod serializable;
mod settling;
mod shard;
mod snapshot;
mod staged;
mod state;
pub mod system;
mod table;
mod txn;
mod undecided;
mod vouch;
mod wire;

pub use consensus::{ELECTION_TICKS, HEARTBEAT_TICKS, PRIORITY_TOP, TICK_MICROS};
pub use evidence::EvidenceStatus;
pub use foreign::{foreign_samples, read_foreign};
pub use inspect::{Hashing, Status};
pub use lease::LEASE;
pub use members::MemberList;
pub use scrub::ScrubStatus;
pub use sequence::{read_sequence_row, sequence_row};
pub use shard::{Bootstrap, Shard, ShardConfig};
pub use state::BOUND;

#[cfg(test)]
mod tests;
