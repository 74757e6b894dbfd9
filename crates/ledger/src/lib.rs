//! The rules of double entry: accounts, transfers, pending amounts, limits. Pure functions.
//!
//! [`Batch::run`] applies events in order to [`Books`], which are whatever holds accounts and transfers: a shard's rows, or
//! a map in a test. Every event gets one [`Code`]; a refused one changes nothing, and a chain of linked events takes effect whole or not at all.
//! After every batch the sum of debits equals the sum of credits, posted and pending, for each ledger: a transfer adds the same
//! amount to both sides or to none.
//!
//! Never here: a clock (timestamps are passed in), storage, messages.

mod batch;
mod books;
mod code;
mod model;
mod rules;

pub use batch::{Batch, Event};
pub use books::{Books, MemoryBooks, Overlay};
pub use code::Code;
pub use model::{Account, AccountFlags, PendingState, Transfer, TransferFlags};
pub use rules::expire;
