//! The rules of double entry: accounts, transfers, postings of many legs, pending amounts, limits, reversals, closed periods.
//! Pure functions.
//!
//! [`Batch::run`] applies events in order to [`Books`], which are whatever holds accounts and transfers: a shard's rows, or
//! a map in a test. Every event gets one [`Code`]; a refused one changes nothing, and a chain of linked events takes effect
//! whole or not at all.
//! After every batch the sum of debits equals the sum of credits, posted and pending, for each ledger: a transfer adds the same
//! amount to both sides or to none.
//!
//! Never here: a clock (timestamps are passed in), storage, messages.

pub mod audit;
mod batch;
mod books;
mod code;
mod memory;
mod model;
mod needs;
mod overlay;
pub mod packed;
mod rules;

pub use audit::{Audit, Finding};
pub use batch::{Batch, Event, Outcome, TIMESTAMP_STRIDE};
pub use books::{Books, Kind};
pub use code::Code;
pub use memory::{Changes, MemoryBooks, Recorded};
pub use model::{
    AMOUNT_MAX, Account, AccountFlags, Balance, Balances, Bounds, Entry, EntryKind, LEGS_MAX, Ledger, Leg, METADATA_BYTES_MAX,
    PendingState, Side, Transfer, TransferFlags,
};
pub use needs::{Needs, OrderedSet, needs_of_referred};
pub use overlay::Overlay;
pub use rules::expire;
