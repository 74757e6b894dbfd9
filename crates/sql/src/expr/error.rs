//! Why an expression could not be bound.

use base::Error;
use std::fmt;

#[derive(Clone, PartialEq, Eq)]
pub enum BindError {
    /// It is wrong: tell the client.
    Error(Error),
    /// It may be right, but has no native form: let the vectorised engine plan the whole statement. Says what it was.
    NeedsEngine(&'static str),
}

impl From<Error> for BindError {
    fn from(error: Error) -> BindError {
        BindError::Error(error)
    }
}

/// Where there is no engine to turn to.
impl From<BindError> for Error {
    fn from(error: BindError) -> Error {
        match error {
            BindError::Error(error) => error,
            BindError::NeedsEngine(what) => Error::unsupported(format!("{what} here")),
        }
    }
}

impl fmt::Debug for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::Error(error) => fmt::Debug::fmt(error, f),
            BindError::NeedsEngine(what) => write!(f, "{what} needs the engine"),
        }
    }
}
