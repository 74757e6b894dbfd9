//! A node's data directory: whose it is, and that one process has it.
//!
//! `LOCK` is locked for the life of the process. `florin.json` names the format, the cluster and the node, and counts starts.
//! Beside them lie `tls/` (see `identity`), `log/` and `rows/`. Every file here is written beside and renamed.

use crate::identity::{ClusterKeys, Token, sha256};
use crate::transport::join::PeerRecord;
use base::locality::LocalityMode;
use base::{Error, NodeId, Result, SqlState};
use node::config::{SHARDS_DEFAULT, Start};
use node::event::Peer;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Version of what is in a data directory as a whole.
pub const FORMAT: u32 = 1;
const LOCK_FILE: &str = "LOCK";
const IDENTITY_FILE: &str = "florin.json";
/// The number of a cluster's first node.
const FIRST_NODE: NodeId = NodeId(1);
/// What may lie in a directory that is not used yet.
const HARMLESS: [&str; 3] = [LOCK_FILE, "lost+found", "tls"];

#[derive(Serialize, Deserialize)]
struct Identity {
    format: u32,
    cluster: String,
    node: NodeId,
    /// Starts so far.
    boot: u32,
    origin: Origin,
    /// The node was opened once: what it then made is never made again.
    opened: bool,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Origin {
    /// The first node of a cluster.
    Founded { mode: String, shards: u32 },
    /// Admitted by a cluster; these were its members.
    Joined { peers: Vec<PeerRecord> },
}

/// What a node starts with.
pub struct Place {
    pub node: NodeId,
    pub boot: u32,
    pub shards: u32,
    pub start: Start,
}

#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Held for its lock.
    _lock: File,
}

impl Directory {
    /// Takes the directory for this process; makes it if need be.
    ///
    /// # Errors
    /// `55006` if another process has it, `58030` if it cannot be written.
    pub fn lock(path: &Path) -> Result<Directory> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| failed(path, &error))?;
        let file = path.join(LOCK_FILE);
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&file).map_err(|error| failed(&file, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Directory { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                Err(Error::new(SqlState::OBJECT_IN_USE, format!("another process uses the data directory {}", path.display()))
                    .with_hint("stop that process, or give this one a directory of its own with --data"))
            }
            Err(TryLockError::Error(error)) => Err(failed(&file, &error)),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True if no node has lived here.
    ///
    /// # Errors
    /// `55000` if there are files of something else.
    pub fn is_new(&self) -> Result<bool> {
        if self.path.join(IDENTITY_FILE).exists() {
            return Ok(false);
        }
        let entries = std::fs::read_dir(&self.path).map_err(|error| failed(&self.path, &error))?;
        for entry in entries {
            let name = entry.map_err(|error| failed(&self.path, &error))?.file_name();
            if !HARMLESS.iter().any(|harmless| name == *harmless) {
                return Err(Error::new(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    format!("{} has {} in it but is no data directory of Florin", self.path.display(), name.display()),
                )
                .with_hint("give an empty directory with --data"));
            }
        }
        Ok(true)
    }

    /// # Errors
    /// If it cannot be written.
    pub fn make_first(&self, cluster: &str, mode: LocalityMode, shards: Option<u32>) -> Result<()> {
        let origin = Origin::Founded { mode: mode.to_string(), shards: shards.unwrap_or(SHARDS_DEFAULT) };
        self.save(&Identity { format: FORMAT, cluster: cluster.to_owned(), node: FIRST_NODE, boot: 0, origin, opened: false })
    }

    /// # Errors
    /// If it cannot be written.
    pub fn make_member(&self, cluster: &str, node: NodeId, peers: Vec<PeerRecord>) -> Result<()> {
        self.save(&Identity { format: FORMAT, cluster: cluster.to_owned(), node, boot: 0, origin: Origin::Joined { peers }, opened: false })
    }

    /// Counts a start.
    ///
    /// # Errors
    /// `XX001` if the identity is damaged, `0A000` if it is of a newer version of Florin.
    pub fn start(&self) -> Result<Place> {
        let mut identity = self.load()?;
        identity.boot = identity.boot.checked_add(1).ok_or_else(|| Error::internal("a node cannot start more than 2^32 times"))?;
        self.save(&identity)?;
        let damaged = |message: String| Error::new(SqlState::DATA_CORRUPTED, message);
        let (shards, start) = match identity.origin {
            Origin::Founded { shards, .. } if identity.opened => (shards, Start::Restart),
            Origin::Founded { mode, shards } => (shards, Start::New { mode: mode.parse().map_err(damaged)? }),
            // Also later: the addresses may help a node that was down while all others moved.
            Origin::Joined { peers } => (SHARDS_DEFAULT, Start::Join { peers: peers.into_iter().map(Peer::from).collect() }),
        };
        Ok(Place { node: identity.node, boot: identity.boot, shards, start })
    }

    /// Notes that the node has been opened.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn opened(&self) -> Result<()> {
        let mut identity = self.load()?;
        if identity.opened {
            return Ok(());
        }
        identity.opened = true;
        self.save(&identity)
    }

    /// # Errors
    /// `22023` if the token is of another cluster than what is here.
    pub fn must_belong_to(&self, token: &str, keys: &ClusterKeys) -> Result<()> {
        if Token::parse(token)?.ca_fingerprint == sha256(&keys.ca_der()?) {
            return Ok(());
        }
        let message = format!("{} holds data of cluster {}, and the token is for another one", self.path.display(), keys.cluster);
        Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
            .with_hint("start without --join to restart what is there, or give an empty directory with --data"))
    }

    fn load(&self) -> Result<Identity> {
        let path = self.path.join(IDENTITY_FILE);
        let bytes = std::fs::read(&path).map_err(|error| failed(&path, &error))?;
        let damaged = |error: serde_json::Error| {
            Error::new(SqlState::DATA_CORRUPTED, format!("{} is damaged: {error}", path.display())).with_hint(
            "restore the file; or, if other nodes have the data, give the machine an empty directory, join it anew, and remove its old number",
        )
        };
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(damaged)?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format > u64::from(FORMAT) => Err(Error::unsupported(format!(
                "a data directory of format {format} (this program knows formats up to {FORMAT}): {}",
                self.path.display()
            ))
            .with_hint("start it with the newer version of Florin that made it")),
            _ => serde_json::from_value(value).map_err(damaged),
        }
    }

    fn save(&self, identity: &Identity) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(identity).map_err(|error| Error::internal(error.to_string()))?;
        write(&self.path, IDENTITY_FILE, &bytes, 0o600)
    }
}

impl From<PeerRecord> for Peer {
    fn from(record: PeerRecord) -> Peer {
        Peer { node: record.node, address: record.address, sql_address: record.sql_address, locality: record.locality }
    }
}

/// Writes a file so that there is never half of it, and it survives a crash once this returns.
///
/// # Errors
/// `58030` if it cannot be written, `53100` if the disk is full.
pub fn write(folder: &Path, name: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let (target, beside) = (folder.join(name), folder.join(format!("{name}.new")));
    let written = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, &target)?;
        File::open(folder)?.sync_all()
    };
    written().map_err(|error| failed(&target, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    let state = if error.kind() == std::io::ErrorKind::StorageFull { SqlState::DISK_FULL } else { SqlState::IO_ERROR };
    Error::new(state, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that is removed with the test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path = std::env::temp_dir().join(format!("florin-directory-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).expect("a temporary directory");
            Scratch(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).expect("it was made");
        }
    }

    #[test]
    fn a_second_owner_is_refused() {
        let scratch = Scratch::new("second");
        let first = Directory::lock(&scratch.0).expect("free");
        assert_eq!(Directory::lock(&scratch.0).expect_err("taken").state(), SqlState::OBJECT_IN_USE);
        drop(first);
        Directory::lock(&scratch.0).expect("free again");
    }

    #[test]
    fn starts_are_counted_and_a_cluster_is_founded_once() {
        let scratch = Scratch::new("starts");
        let directory = Directory::lock(&scratch.0).expect("free");
        assert!(directory.is_new().expect("empty"));
        directory.make_first("c", LocalityMode::ThreeZones, Some(3)).expect("writable");
        let place = directory.start().expect("sound");
        assert!(matches!(place, Place { node: NodeId(1), boot: 1, shards: 3, start: Start::New { mode: LocalityMode::ThreeZones } }));
        directory.opened().expect("writable");
        assert!(matches!(directory.start().expect("sound"), Place { boot: 2, start: Start::Restart, .. }));
    }

    #[test]
    fn foreign_files_and_newer_formats_are_refused() {
        let scratch = Scratch::new("foreign");
        let directory = Directory::lock(&scratch.0).expect("free");
        std::fs::write(scratch.0.join("thesis.tex"), "x").expect("writable");
        assert_eq!(directory.is_new().expect_err("in use").state(), SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
        std::fs::write(scratch.0.join(IDENTITY_FILE), r#"{"format": 999}"#).expect("writable");
        assert!(!directory.is_new().expect("a data directory"));
        assert_eq!(directory.start().err().map(|error| error.state()), Some(SqlState::FEATURE_NOT_SUPPORTED));
        std::fs::write(scratch.0.join(IDENTITY_FILE), "{").expect("writable");
        assert_eq!(directory.start().err().map(|error| error.state()), Some(SqlState::DATA_CORRUPTED));
    }
}
