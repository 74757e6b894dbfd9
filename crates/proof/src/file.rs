//! The file that an auditor gets: a proof with all that is needed to check it, but for the keys. JSON, format `florin-ledger-proof`,
//! version 1 (docs/formats.md).

use crate::checkpoint::Origin;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::merkle::{PATH_LEN_MAX, verify_consistency, verify_inclusion};
use crate::policy::{Policy, VerifiedCheckpoint};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub const FORMAT: &str = "florin-ledger-proof";
pub const VERSION: u64 = 1;
/// A longer file is refused before it is looked at.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

const WHAT: &str = "a proof file";

/// A proof as it is handed over. Nothing in it is believed before [`verify`] says so.
#[derive(Clone, Debug, PartialEq)]
pub enum ProofFile {
    /// A record is in the tree of a checkpoint.
    Inclusion {
        record: Vec<u8>,
        /// What the record says, for people to read: see [`ProofFile::check_description`].
        description: Value,
        leaf_index: u64,
        /// From the leaf's sibling to the root's child.
        path: Vec<Hash>,
        /// A signed note.
        checkpoint: String,
    },
    /// The tree of one checkpoint continues that of another.
    Consistency { older: String, newer: String, path: Vec<Hash> },
}

/// What a proof shows to whoever trusts the policy's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// At the checkpoint's time the log had this record, bit by bit, at this place.
    Included { origin: Origin, leaf_index: u64, record: Vec<u8>, checkpoint: VerifiedCheckpoint },
    /// Between the two checkpoints records were only added: none was changed, moved or taken out.
    Consistent { origin: Origin, older: VerifiedCheckpoint, newer: VerifiedCheckpoint },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    format: String,
    version: u64,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<RawRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf_index: Option<u64>,
    path: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    older: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newer: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Inclusion,
    Consistency,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRecord {
    bytes: String,
    description: Value,
}

/// Read first, so that a later version is told as such and not as a list of unknown fields.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u64,
}

impl ProofFile {
    /// # Errors
    /// `Malformed` with what is wrong; `Version` for a file of a later build.
    pub fn parse(text: &[u8]) -> Result<ProofFile> {
        let wrong = |detail: String| Error::malformed(WHAT, detail);
        if text.len() > FILE_BYTES_MAX {
            return Err(wrong(format!("it has {} bytes, more than {FILE_BYTES_MAX}", text.len())));
        }
        let header: Header = serde_json::from_slice(text).map_err(|error| wrong(error.to_string()))?;
        if header.format != FORMAT {
            return Err(wrong(format!("its format is {:?}, not {FORMAT:?}", header.format)));
        }
        if header.version != VERSION {
            return Err(Error::Version { what: WHAT, version: header.version });
        }
        let raw: Raw = serde_json::from_slice(text).map_err(|error| wrong(error.to_string()))?;
        if raw.path.len() > PATH_LEN_MAX {
            return Err(wrong(format!("its path has {} hashes, more than {PATH_LEN_MAX}", raw.path.len())));
        }
        let path = raw.path.iter().map(|hash| Hash::parse(hash)).collect::<Result<Vec<Hash>>>()?;
        match (raw.kind, raw.record, raw.leaf_index, raw.checkpoint, raw.older, raw.newer) {
            (Kind::Inclusion, Some(record), Some(leaf_index), Some(checkpoint), None, None) => {
                let bytes = STANDARD.decode(&record.bytes).map_err(|error| wrong(format!("the record's bytes: {error}")))?;
                Ok(ProofFile::Inclusion { record: bytes, description: record.description, leaf_index, path, checkpoint })
            }
            (Kind::Consistency, None, None, None, Some(older), Some(newer)) => Ok(ProofFile::Consistency { older, newer, path }),
            (Kind::Inclusion, ..) => Err(wrong("inclusion takes record, leaf_index, path and checkpoint, and nothing else".to_owned())),
            (Kind::Consistency, ..) => Err(wrong("consistency takes older, newer and path, and nothing else".to_owned())),
        }
    }

    /// The file's text: the same proof always gives the same bytes.
    pub fn print(&self) -> String {
        let texts = |path: &[Hash]| path.iter().map(Hash::to_string).collect();
        let (format, version) = (FORMAT.to_owned(), VERSION);
        let raw = match self {
            ProofFile::Inclusion { record, description, leaf_index, path, checkpoint } => Raw {
                format,
                version,
                kind: Kind::Inclusion,
                record: Some(RawRecord { bytes: STANDARD.encode(record), description: description.clone() }),
                leaf_index: Some(*leaf_index),
                path: texts(path),
                checkpoint: Some(checkpoint.clone()),
                older: None,
                newer: None,
            },
            ProofFile::Consistency { older, newer, path } => Raw {
                format,
                version,
                kind: Kind::Consistency,
                record: None,
                leaf_index: None,
                path: texts(path),
                checkpoint: None,
                older: Some(older.clone()),
                newer: Some(newer.clone()),
            },
        };
        let mut text = serde_json::to_string_pretty(&raw).expect("strings, numbers and values with strings for keys are JSON");
        text.push('\n');
        text
    }

    /// Checks that the description is what the record's bytes say. `describe` is the canonical reading of a record, of the crate that
    /// owns its format, and runs on the auditor's machine. Until this has passed, the description is the server's claim.
    ///
    /// # Errors
    /// `Disproved` if it says anything else, or the bytes cannot be read.
    pub fn check_description(&self, describe: impl Fn(&[u8]) -> Result<Value, String>) -> Result<()> {
        let ProofFile::Inclusion { record, description, .. } = self else { return Ok(()) };
        let read = describe(record).map_err(|error| Error::Disproved(format!("the record cannot be read: {error}")))?;
        if read != *description {
            return Err(Error::Disproved("the description is not what the record says".to_owned()));
        }
        Ok(())
    }
}

/// Checks a proof with nothing but the policy's keys. The result has the record's bytes, never the file's description of them.
///
/// # Errors
/// `Malformed`, `Signature` or `Policy` for a checkpoint that is not to be believed, `Disproved` for a proof that does not lead to it.
pub fn verify(file: &ProofFile, policy: &Policy) -> Result<Verified> {
    match file {
        ProofFile::Inclusion { record, leaf_index, path, checkpoint, .. } => {
            let verified = policy.verify(checkpoint)?;
            let tree = &verified.checkpoint;
            verify_inclusion(Hash::of_leaf(record), *leaf_index, tree.size, path, tree.root)?;
            Ok(Verified::Included { origin: tree.origin.clone(), leaf_index: *leaf_index, record: record.clone(), checkpoint: verified })
        }
        ProofFile::Consistency { older, newer, path } => {
            let (older, newer) = (policy.verify(older)?, policy.verify(newer)?);
            let (before, after) = (&older.checkpoint, &newer.checkpoint);
            if before.origin != after.origin {
                return Err(Error::Disproved(format!("the checkpoints are of {} and {}", before.origin, after.origin)));
            }
            verify_consistency(before.size, before.root, after.size, after.root, path)?;
            if before.timestamp > after.timestamp || before.size == after.size && before.chain != after.chain {
                return Err(Error::Disproved("the trees fit, but the times or the chains of batches do not".to_owned()));
            }
            Ok(Verified::Consistent { origin: before.origin.clone(), older, newer })
        }
    }
}
