//! The seam to the vectorised engine (joins, windows, grouping over many rows, catalog queries).
//!
//! The engine never touches storage: it asks the session for chunks of rows, and the session reads them at its snapshot,
//! with its transaction's own writes merged in. Everything is a message, so the engine runs on other threads.

use crate::catalog::Catalog;
use crate::client::Field;
use crate::value::Value;
use base::{Error, Wall};
use bytes::Bytes;
use std::sync::Arc;
use storage::access::KeyRange;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);

/// A scan within one query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScanId(pub u32);

/// What functions like `current_user` and `now()` answer.
#[derive(Clone, Debug)]
pub struct QuerySettings {
    pub user: String,
    pub database: String,
    pub search_path: Vec<String>,
    pub time_zone: String,
    pub transaction_start: Wall,
    pub statement_start: Wall,
    pub backend_pid: i32,
}

/// A query to run or describe: `SELECT`, `VALUES`, `WITH`, set operations. Parameters are typed values.
#[derive(Clone, Debug)]
pub struct QueryJob {
    pub id: QueryId,
    pub query: Arc<sqlparser::ast::Query>,
    pub parameters: Vec<Value>,
    /// PostgreSQL type oids of the parameters, 0 where unknown (describe only).
    pub parameter_types: Vec<u32>,
    pub catalog: Arc<Catalog>,
    pub settings: QuerySettings,
    /// Also answer the plan as text (`EXPLAIN`); with `analyze` run it too.
    pub explain: Option<Explain>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explain {
    pub analyze: bool,
}

/// Session to engine.
#[derive(Clone, Debug)]
pub enum EngineCommand {
    /// Plan and answer `Described`, nothing else.
    Describe(QueryJob),
    /// Plan, answer `Described`, then scan and stream rows.
    Run(QueryJob),
    /// Rows for a scan, as stored (see `row` for the encoding). `last`: the scan is finished.
    Rows { query: QueryId, scan: ScanId, rows: Vec<Bytes>, last: bool },
    /// Values for a scan of a system table, whole.
    SystemRows { query: QueryId, scan: ScanId, rows: Vec<Vec<Value>> },
    /// The client took the last chunk: the next may be sent.
    More { query: QueryId },
    /// Stop and forget; also how a failed scan ends the query.
    Cancel { query: QueryId },
}

/// Engine to session.
#[derive(Clone, Debug)]
pub enum EngineEvent {
    /// `parameter_types`: as inferred; 0 where it could not be.
    Described {
        fields: Vec<Field>,
        parameter_types: Vec<u32>,
    },
    /// Wants the next chunk of a table's rows. `range`: primary-key bounds found from the filters, whole table if `None`.
    /// `table_oid` names it in the job's catalog. The first request of a scan starts it; each further one continues.
    Scan {
        scan: ScanId,
        table_oid: u32,
        range: Option<KeyRange>,
    },
    SystemScan {
        scan: ScanId,
        name: String,
    },
    /// At most `CHUNK_ROWS` rows; the engine then waits for `More`.
    Rows(Vec<Vec<Value>>),
    /// Rows returned in all, and the plan's text if it was asked for.
    Done {
        explain: Option<String>,
    },
    Failed(Error),
}

/// Most rows in one chunk to or from the engine.
pub const CHUNK_ROWS: usize = 4096;
