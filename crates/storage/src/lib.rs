//! Durable state behind traits: the node's log, the row store, and the requests by which rows are reached.
//!
//! `log` is a pure core: it turns records into writes and reads them back through [`log::LogFiles`]; who writes
//! (a disk thread, a simulated disk) is the shell's business. `rows` is the ordered store below a shard, with
//! an implementation on fjall and its twin in memory. `access` holds the requests to a shard and their answers, `packed` the form of rows in bulk.
//!
//! Never here: a clock, a socket, a decision about consensus or visibility.

pub mod access;
pub mod log;
pub mod packed;
pub mod rows;

pub use rows::{Batch, FjallOptions, FjallRows, MemoryRows, RowSnapshot, RowStore, RowStores, Space};
