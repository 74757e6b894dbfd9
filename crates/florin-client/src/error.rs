//! What can go wrong, by what the caller may do about it.

use crate::id::{Id, Timestamp};
use base::{Error as Told, SqlState};
use ledger::Code;
use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The ledger's no to one account or transfer. Nothing of it was booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub id: Id,
    pub code: Code,
    /// When it was refused; 0 where the ledger did not tell.
    pub timestamp: Timestamp,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the ledger refused {}: {}", self.id, self.code.name())
    }
}

#[derive(Clone, Debug)]
pub enum Error {
    /// The ledger's rules say no. A transfer that is tried again later needs a new id where [`Code::is_passing`] is true.
    Refused(Refusal),
    /// The database says no: nothing was booked. The SQLSTATE tells why.
    Database(Told),
    /// No node could be reached within the time that [`crate::Options`] give: nothing was sent.
    Unreachable(Told),
    /// It was sent, and no answer came within that time. It may have been booked or may yet be: send it again with the same id, and hear which.
    OutcomeUnknown(Told),
    /// What was asked for makes no sense; nothing was sent.
    Invalid(Told),
}

impl Error {
    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::Invalid(Told::new(SqlState::INVALID_PARAMETER_VALUE, message))
    }

    /// The answer is not what this client understands.
    pub(crate) fn answer(what: &str) -> Error {
        Error::Database(Told::new(SqlState::PROTOCOL_VIOLATION, format!("the node's answer is not understood: {what}")))
    }

    /// The same as the error that all of Florin uses, for those who only print it.
    pub fn told(&self) -> Told {
        match self {
            Error::Refused(refusal) => {
                let number = format!("L{:04}", refusal.code.number());
                let state = number.as_bytes().try_into().map_or(SqlState::INTERNAL_ERROR, SqlState);
                Told::new(state, refusal.to_string()).with_hint(refusal.code.advice())
            }
            Error::Database(told) | Error::Unreachable(told) | Error::OutcomeUnknown(told) | Error::Invalid(told) => told.clone(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused(refusal) => refusal.fmt(f),
            Error::Database(told) | Error::Unreachable(told) | Error::OutcomeUnknown(told) | Error::Invalid(told) => told.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

/// What a node or the driver told, as the one error type.
pub fn told(error: &tokio_postgres::Error) -> Told {
    let Some(said) = error.as_db_error() else {
        let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
        // The driver says so only in the error's cause.
        if cause.contains("password missing") {
            return Told::new(SqlState::INVALID_PASSWORD, "the node asks for a password");
        }
        return Told::new(SqlState::CONNECTION_FAILURE, format!("{error}{cause}"));
    };
    let state = said.code().code().as_bytes().try_into().map_or(SqlState::INTERNAL_ERROR, SqlState);
    let mut told = Told::new(state, said.message());
    if let Some(detail) = said.detail() {
        told = told.with_detail(detail);
    }
    if let Some(hint) = said.hint() {
        told = told.with_hint(hint);
    }
    told
}
