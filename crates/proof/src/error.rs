//! What can be wrong with evidence, so that a caller can tell a forgery from a typing error.

use base::SqlState;
use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused. The text says what, where and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes or the text are not of the format.
    Malformed { what: &'static str, detail: String },
    /// The format's version is not one that this build knows.
    Version { what: &'static str, version: u64 },
    /// What was asked for makes no sense: an index outside the tree, an older size above the newer one.
    Range(String),
    /// A node or tile that a proof needs was not given or is too short.
    NodeMissing { height: u8, index: u64 },
    /// The proof does not lead to the checkpoint's root: the record, the path or the tree is not what was signed.
    Disproved(String),
    /// A signature by a known key is wrong.
    Signature { key: String },
    /// The policy is not met: the log did not sign, or too few witnesses did. Or it is one that could be cheated.
    Policy(String),
    /// Stored state contradicts itself: the disk or the program is at fault.
    Corrupt(String),
    /// A sealed field does not open: another key, another place, or other bytes than were sealed.
    Sealed(&'static str),
}

impl Error {
    pub(crate) fn malformed(what: &'static str, detail: impl Into<String>) -> Error {
        Error::Malformed { what, detail: detail.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Malformed { what, detail } => write!(f, "{what} is malformed: {detail}"),
            Error::Version { what, version } => write!(f, "{what} has version {version}, which this build does not know"),
            Error::Range(detail) | Error::Policy(detail) => f.write_str(detail),
            Error::NodeMissing { height, index } => write!(f, "the tree's node at height {height}, index {index} is not there"),
            Error::Disproved(detail) => write!(f, "the proof does not hold: {detail}"),
            Error::Signature { key } => write!(f, "the signature of {key} is wrong"),
            Error::Corrupt(detail) => write!(f, "the stored evidence contradicts itself: {detail}"),
            Error::Sealed(detail) => write!(f, "the sealed field does not open: {detail}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for base::Error {
    fn from(error: Error) -> base::Error {
        let state = match error {
            Error::Malformed { .. } => SqlState::INVALID_TEXT_REPRESENTATION,
            Error::Version { .. } => SqlState::FEATURE_NOT_SUPPORTED,
            Error::Range(_) => SqlState::INVALID_PARAMETER_VALUE,
            Error::NodeMissing { .. } | Error::Disproved(_) | Error::Signature { .. } | Error::Corrupt(_) => SqlState::DATA_CORRUPTED,
            Error::Policy(_) | Error::Sealed(_) => SqlState::INSUFFICIENT_PRIVILEGE,
        };
        base::Error::new(state, error.to_string())
    }
}
