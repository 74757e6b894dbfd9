//! The ledger's tamper evidence. Each committed record is a leaf of its shard's Merkle tree; signed checkpoints state the tree's root;
//! proofs show an auditor, who trusts neither the server nor its disks, that a record is in the tree and that nothing recorded was ever
//! changed or taken out.
//!
//! - [`merkle`]: the tree (RFC 9162), its tiles (C2SP tlog-tiles), inclusion and consistency proofs and their verifiers.
//! - [`chain`]: one hash over all batches, with where each began and when. [`EvidenceLog`] keeps tree and chain together: what a shard
//!   holds.
//! - [`record`]: the bytes of a leaf.
//! - [`note`], [`key`], [`checkpoint`], [`policy`]: signed checkpoints and whom to believe (C2SP signed-note, tlog-checkpoint,
//!   tlog-cosignature).
//! - [`mod@file`]: the proof file that is handed to an auditor, and [`verify`].
//! - [`sealed`]: personal fields that can be erased by destroying a key, without breaking a proof.
//!
//! Bytes come from the caller and go back to it. Never here: clocks, files, sockets, threads, randomness. Everything that is parsed may
//! come from an adversary: it is refused with an [`Error`], never with a panic.

pub mod chain;
pub mod checkpoint;
mod error;
pub mod file;
mod hash;
pub mod key;
pub mod merkle;
pub mod note;
pub mod policy;
pub mod record;
pub mod sealed;

pub use chain::{BatchLink, EvidenceLog};
pub use checkpoint::{Checkpoint, Origin};
pub use error::{Error, Result};
pub use file::{ProofFile, Verified, verify};
pub use hash::Hash;
pub use key::{KeyKind, SigningKey, SigningSeed, VerifierKey};
pub use policy::{Policy, VerifiedCheckpoint};
