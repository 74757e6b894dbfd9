//! The ledger's SQL face: its tables, which are ordinary rows that only the ledger's rules write, and the functions that run batches
//! inside the session's transaction.
//!
//! A batch takes locks on what it will touch, loads that into [`books::Loaded`], lets the crate `ledger` decide, and puts what changed into the
//! transaction's write buffer. So movements commit and abort with ordinary rows, across shards too, and everything that holds for rows
//! (replication, snapshots, scrub, backup) holds for the books.

mod audit;
mod booker;
mod books;
pub mod call;
mod changes;
mod document;
mod documents;
mod evidence;
mod expire;
mod insert;
pub mod planted;
mod rows;
mod run;
pub mod tables;
pub mod views;
mod writes;

pub use booker::Booker;
pub use evidence::describe;
pub use expire::{EXPIRED_MAX, expire};
pub use insert::only_by_functions;
pub use tables::SCHEMA;
