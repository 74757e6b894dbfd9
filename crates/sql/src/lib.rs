//! SQL: types, row and key encoding, catalog, parser glue, plan cache, native planner and executor, sessions.
//!
//! A [`session::run`] is one client's conversation: requests in, responses out ([`client`]), rows reached through
//! [`backend::Backend`], whole statements handed to the vectorised engine through [`engine`]. Pure: no clock, socket,
//! file, thread or ambient randomness; it is `async` over the backend only.

pub mod aggregate;
pub mod backend;
pub mod catalog;
pub mod client;
pub mod copy;
pub mod ddl;
pub mod engine;
pub mod exec;
pub mod expr;
pub mod functions;
pub mod key;
pub mod ledger;
pub mod parse;
pub mod plan;
pub mod row;
pub mod scram;
pub mod session;
pub mod system;
pub mod types;
pub mod value;
