//! The vectorised engine (DataFusion) over snapshot scans, behind the seam of `sql::engine`.
//!
//! [`Engine`] takes commands and answers with events, both from any thread. It owns a small runtime, made at the first
//! query, and a pool of memory that all queries share. It never touches storage, sockets or clocks: rows come from the
//! session in chunks, and so do the session's settings and times.
//!
//! The way of a query: `rewrite` brings PostgreSQL's syntax into the planner's dialect, `plan` resolves names and makes a
//! typed plan (`operators`, `cast`, `functions`, `aggregates` give it PostgreSQL's meaning), `run` executes it, `source`
//! asks for the rows, `convert` turns them into columns and the results back into values. `system` has the tables of
//! `pg_catalog` and `information_schema`.
// DataFusion's interfaces want its hash maps; nothing here depends on their order.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod aggregates;
mod arithmetic;
mod cast;
mod context;
mod convert;
mod dependencies;
mod engine;
mod error;
mod explain;
mod functions;
mod literals;
mod names;
mod native;
mod operators;
mod outer;
mod plan;
mod port;
mod range;
mod rewrite;
mod run;
mod source;
mod system;
mod types;
mod unions;

pub use engine::{Engine, EngineOptions};
