//! What a client says and hears, one to one with the messages of PostgreSQL's protocol 3.0 (documentation, chapter 55).
//!
//! The shell turns bytes into these and back; authentication and TLS happen there, before `Open`.

use base::Error;
use bytes::Bytes;

/// PostgreSQL's format code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Text,
    Binary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Statement,
    Portal,
}

#[derive(Clone, Debug)]
pub enum ClientRequest {
    /// First, once, after authentication. `parameters`: the startup packet's other settings.
    Open {
        user: String,
        database: String,
        parameters: Vec<(String, String)>,
    },
    /// Simple protocol: one string, any number of statements. Answered up to `Ready`.
    Query {
        sql: String,
    },
    Parse {
        name: String,
        sql: String,
        parameter_types: Vec<u32>,
    },
    Bind {
        portal: String,
        statement: String,
        parameter_formats: Vec<Format>,
        parameters: Vec<Option<Bytes>>,
        result_formats: Vec<Format>,
    },
    Describe {
        target: Target,
        name: String,
    },
    Execute {
        portal: String,
        rows_max: u32,
    },
    Close {
        target: Target,
        name: String,
    },
    Flush,
    Sync,
    CopyData(Bytes),
    CopyDone,
    CopyFail(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    /// 0 where the column is not a table's.
    pub table_oid: u32,
    pub column: i16,
    pub type_oid: u32,
    pub type_size: i16,
    pub type_modifier: i32,
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxnStatus {
    Idle,
    InTransaction,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    /// The session ends.
    Fatal,
    Warning,
    Notice,
}

#[derive(Clone, Debug)]
pub enum ClientResponse {
    /// `ParameterStatus`.
    Parameter {
        name: String,
        value: String,
    },
    ParseComplete,
    BindComplete,
    CloseComplete,
    ParameterDescription(Vec<u32>),
    RowDescription(Vec<Field>),
    NoData,
    /// Whole `DataRow` messages back to back, each with its type byte and length, ready for the socket.
    Rows(Bytes),
    PortalSuspended,
    EmptyQuery,
    /// The command tag, such as `INSERT 0 1`.
    Complete(String),
    CopyIn {
        binary: bool,
        columns: u16,
    },
    CopyOut {
        binary: bool,
        columns: u16,
    },
    CopyData(Bytes),
    CopyDone,
    Notice(Severity, Error),
    /// After `Severity::Fatal` the shell closes the connection.
    Error(Severity, Error),
    Ready(TxnStatus),
}
