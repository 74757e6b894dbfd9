//! A client of Florin's ledger: typed accounts and transfers over any number of tasks, on few connections.
//!
//! Many tasks may call [`Ledger::transfer`] at once. Nothing waits while the ledger is idle; what arrives while a batch is on its way travels together
//! in the next one, and each caller gets its own outcome. Queues, batches in flight, tries and waits are bounded: a caller waits
//! when a queue is full.
//!
//! An [`Id`] is made before the first try, and whatever is sent again carries the same id. So a lost connection, a failover or an answer that never
//! came moves no money twice: the ledger says that the transfer exists, and that is success.
//!
//! ```no_run
//! use florin_client::{Id, Ledger, NewAccount, Options, Transfer};
//!
//! # async fn example() -> Result<(), florin_client::Error> {
//! let ledger = Ledger::connect(Options::parse("postgresql://florin@127.0.0.1:5433/florin")?).await?;
//! let (cash, ada) = (Id::new(), Id::new());
//! ledger.open_account(NewAccount::new(cash, 1, 10)).await?;
//! ledger.open_account(NewAccount::new(ada, 1, 20)).await?;
//! let booked = ledger.transfer(Transfer::between(cash, ada, 1_234).ledger(1)).await?;
//! println!("{} at {}", ledger.balances(ada).await?.expect("it is open").posted(), booked.timestamp);
//! # Ok(())
//! # }
//! ```
//!
//! `batcher`, `retry` and `wire` are pure; sockets, clocks and tasks are in `pool` and `sender`.

// A client has sockets, clocks and tasks; the bans hold for the pure crates.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod batcher;
mod document;
mod error;
mod facade;
mod id;
mod model;
mod options;
mod pool;
mod reads;
mod records;
mod retry;
mod sender;
mod tls;
mod wire;

pub use document::days;
pub use error::{Error, Refusal, Result, told};
pub use facade::Ledger;
pub use id::{Id, Timestamp};
pub use ledger::packed::BATCH_EVENTS_MAX;
pub use ledger::{AMOUNT_MAX, Balance, Balances, Bounds, Code, EntryKind, LEGS_MAX, METADATA_BYTES_MAX, PendingState, Side};
pub use ledger::{AccountFlags, TransferFlags};
pub use model::{ALL, Booked, Definition, Leg, NewAccount, Outcome, Transfer};
pub use options::{BATCHES_IN_FLIGHT, CONNECTIONS, GIVE_UP_AFTER, Options};
pub use records::{Account, AccountBalance, Cursor, Defined, Entry, EntryQuery, Finding, Page, Recorded, TransferState};
pub use retry::{PAUSE_MAX, PAUSE_MIN};
pub use sender::QUEUED_EVENTS_MAX;
