//! One error type with what the caller must know: the SQLSTATE, and whether trying again can help.

use serde::{Deserialize, Serialize};
use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A five-character code of PostgreSQL's appendix A, "PostgreSQL Error Codes".
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SqlState(pub [u8; 5]);

macro_rules! states {
    ($($name:ident = $code:literal),+ $(,)?) => {
        impl SqlState {
            $(pub const $name: SqlState = SqlState(*$code);)+
        }
    };
}

states! {
    SUCCESSFUL = b"00000",
    WARNING = b"01000",
    PROTOCOL_VIOLATION = b"08P01",
    CONNECTION_FAILURE = b"08006",
    TRANSACTION_RESOLUTION_UNKNOWN = b"08007",
    FEATURE_NOT_SUPPORTED = b"0A000",
    CARDINALITY_VIOLATION = b"21000",
    STRING_DATA_RIGHT_TRUNCATION = b"22001",
    NUMERIC_VALUE_OUT_OF_RANGE = b"22003",
    NULL_VALUE_NOT_ALLOWED = b"22004",
    INVALID_DATETIME_FORMAT = b"22007",
    DATETIME_FIELD_OVERFLOW = b"22008",
    SUBSTRING_ERROR = b"22011",
    DIVISION_BY_ZERO = b"22012",
    INTERVAL_FIELD_OVERFLOW = b"22015",
    CHARACTER_NOT_IN_REPERTOIRE = b"22021",
    INVALID_PARAMETER_VALUE = b"22023",
    INVALID_REGULAR_EXPRESSION = b"2201B",
    INVALID_ESCAPE_SEQUENCE = b"22025",
    INVALID_ROW_COUNT_IN_LIMIT = b"2201W",
    INVALID_ROW_COUNT_IN_OFFSET = b"2201X",
    INVALID_TEXT_REPRESENTATION = b"22P02",
    INVALID_BINARY_REPRESENTATION = b"22P03",
    BAD_COPY_FILE_FORMAT = b"22P04",
    UNTRANSLATABLE_CHARACTER = b"22P05",
    SEQUENCE_LIMIT_EXCEEDED = b"2200H",
    NOT_NULL_VIOLATION = b"23502",
    FOREIGN_KEY_VIOLATION = b"23503",
    UNIQUE_VIOLATION = b"23505",
    CHECK_VIOLATION = b"23514",
    ACTIVE_SQL_TRANSACTION = b"25001",
    READ_ONLY_SQL_TRANSACTION = b"25006",
    NO_ACTIVE_SQL_TRANSACTION = b"25P01",
    IN_FAILED_SQL_TRANSACTION = b"25P02",
    IDLE_IN_TRANSACTION_SESSION_TIMEOUT = b"25P03",
    INVALID_SQL_STATEMENT_NAME = b"26000",
    INVALID_PASSWORD = b"28P01",
    INVALID_AUTHORIZATION = b"28000",
    DEPENDENT_OBJECTS_STILL_EXIST = b"2BP01",
    INVALID_CURSOR_NAME = b"34000",
    INVALID_SAVEPOINT = b"3B001",
    INVALID_CATALOG_NAME = b"3D000",
    INVALID_SCHEMA_NAME = b"3F000",
    SERIALIZATION_FAILURE = b"40001",
    DEADLOCK_DETECTED = b"40P01",
    SYNTAX_ERROR = b"42601",
    INSUFFICIENT_PRIVILEGE = b"42501",
    CANNOT_COERCE = b"42846",
    GROUPING_ERROR = b"42803",
    WINDOWING_ERROR = b"42P20",
    INVALID_FOREIGN_KEY = b"42830",
    INVALID_NAME = b"42602",
    NAME_TOO_LONG = b"42622",
    DATATYPE_MISMATCH = b"42804",
    INDETERMINATE_DATATYPE = b"42P18",
    WRONG_OBJECT_TYPE = b"42809",
    UNDEFINED_COLUMN = b"42703",
    UNDEFINED_FUNCTION = b"42883",
    UNDEFINED_TABLE = b"42P01",
    UNDEFINED_PARAMETER = b"42P02",
    UNDEFINED_OBJECT = b"42704",
    DUPLICATE_COLUMN = b"42701",
    DUPLICATE_CURSOR = b"42P03",
    DUPLICATE_DATABASE = b"42P04",
    DUPLICATE_PREPARED_STATEMENT = b"42P05",
    DUPLICATE_SCHEMA = b"42P06",
    DUPLICATE_TABLE = b"42P07",
    DUPLICATE_ALIAS = b"42712",
    DUPLICATE_OBJECT = b"42710",
    AMBIGUOUS_COLUMN = b"42702",
    AMBIGUOUS_FUNCTION = b"42725",
    INVALID_COLUMN_REFERENCE = b"42P10",
    INVALID_COLUMN_DEFINITION = b"42611",
    INVALID_TABLE_DEFINITION = b"42P16",
    INVALID_OBJECT_DEFINITION = b"42P17",
    INSUFFICIENT_RESOURCES = b"53000",
    DISK_FULL = b"53100",
    OUT_OF_MEMORY = b"53200",
    TOO_MANY_CONNECTIONS = b"53300",
    CONFIGURATION_LIMIT_EXCEEDED = b"53400",
    PROGRAM_LIMIT_EXCEEDED = b"54000",
    STATEMENT_TOO_COMPLEX = b"54001",
    TOO_MANY_COLUMNS = b"54011",
    OBJECT_NOT_IN_PREREQUISITE_STATE = b"55000",
    OBJECT_IN_USE = b"55006",
    LOCK_NOT_AVAILABLE = b"55P03",
    QUERY_CANCELED = b"57014",
    ADMIN_SHUTDOWN = b"57P01",
    CANNOT_CONNECT_NOW = b"57P03",
    IO_ERROR = b"58030",
    DUPLICATE_FILE = b"58P02",
    SNAPSHOT_TOO_OLD = b"72000",
    INTERNAL_ERROR = b"XX000",
    DATA_CORRUPTED = b"XX001",
}

impl SqlState {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("codes are ASCII")
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the caller may do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Retry {
    /// The same request fails again.
    Never,
    /// The transaction must be run again from its start.
    Transaction,
    /// Nothing was done: the same request may be sent again, also to another node.
    Request,
    /// It is not known whether it was done. Only told apart by asking for the transaction's outcome.
    Unknown,
}

/// An error as the client will see it.
///
/// Boxed inside, so that a `Result` of a hot path stays one word.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error(Box<Fields>);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Fields {
    state: SqlState,
    retry: Retry,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    /// One-based, in characters of the statement's text.
    position: Option<u32>,
    schema: Option<String>,
    table: Option<String>,
    column: Option<String>,
    constraint: Option<String>,
}

impl Error {
    /// The retry class follows from the state; change it with `with_retry` where it does not.
    pub fn new(state: SqlState, message: impl Into<String>) -> Error {
        let retry = match state {
            SqlState::SERIALIZATION_FAILURE | SqlState::DEADLOCK_DETECTED => Retry::Transaction,
            SqlState::TRANSACTION_RESOLUTION_UNKNOWN => Retry::Unknown,
            SqlState::CANNOT_CONNECT_NOW => Retry::Request,
            _ => Retry::Never,
        };
        Error(Box::new(Fields {
            state,
            retry,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            schema: None,
            table: None,
            column: None,
            constraint: None,
        }))
    }

    /// A fault of Florin itself: an assumption that does not hold, without which nothing was changed.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(SqlState::INTERNAL_ERROR, message)
    }

    /// Names what is not there yet.
    pub fn unsupported(what: impl fmt::Display) -> Error {
        Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{what} is not supported"))
    }

    pub fn with_detail(mut self, detail: impl Into<String>) -> Error {
        self.0.detail = Some(detail.into());
        self
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.0.hint = Some(hint.into());
        self
    }

    pub fn with_position(mut self, position: u32) -> Error {
        self.0.position = Some(position);
        self
    }

    pub fn with_retry(mut self, retry: Retry) -> Error {
        self.0.retry = retry;
        self
    }

    pub fn with_table(mut self, schema: impl Into<String>, table: impl Into<String>) -> Error {
        self.0.schema = Some(schema.into());
        self.0.table = Some(table.into());
        self
    }

    pub fn with_column(mut self, column: impl Into<String>) -> Error {
        self.0.column = Some(column.into());
        self
    }

    pub fn with_constraint(mut self, constraint: impl Into<String>) -> Error {
        self.0.constraint = Some(constraint.into());
        self
    }

    pub fn state(&self) -> SqlState {
        self.0.state
    }

    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    pub fn position(&self) -> Option<u32> {
        self.0.position
    }

    pub fn schema(&self) -> Option<&str> {
        self.0.schema.as_deref()
    }

    pub fn table(&self) -> Option<&str> {
        self.0.table.as_deref()
    }

    pub fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    pub fn constraint(&self) -> Option<&str> {
        self.0.constraint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.0.message, self.0.state)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        if let Some(detail) = &self.0.detail {
            write!(f, " detail: {detail}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
