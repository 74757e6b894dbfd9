//! The replicated transactional state machine: one log and the data it owns.
//!
//! `Shard::step(now, event, &mut effects)`: consensus through the raft library, row versions, locks, commit, snapshots. After each
//! event the invariants are asserted, in release builds too. Pure: no clock, socket, file, thread or ambient randomness.

pub mod event;
