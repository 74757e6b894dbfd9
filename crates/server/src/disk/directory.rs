//! The data directory: one process at a time, and a file that says whose it is.
//!
//! `florin.lock` is locked (flock) while a process runs. `identity.json` names the cluster, the node, the format and how often the
//! node was started; it is replaced as a whole (written beside, synced, renamed).

use base::{Error, NodeId, Result, SqlState};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Of everything in the directory. Raised when a file's format changes in a way that an older program would misread.
pub const FORMAT_VERSION: u32 = 1;
const LOCK_FILE: &str = "florin.lock";
const IDENTITY_FILE: &str = "identity.json";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub format: u32,
    /// Names the cluster; never changes.
    pub cluster: String,
    pub node: NodeId,
    /// Grows with each start; 0 before the first.
    pub boot: u32,
}

/// A data directory that this process holds.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    /// Unlocked when it is closed, also by the end of the process.
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory if need be, and locks it.
    ///
    /// # Errors
    /// `55006` if another process holds it, `58030` if it cannot be used.
    pub fn open(path: &Path) -> Result<DataDirectory> {
        fs::create_dir_all(path).map_err(|error| failed("make the data directory", path, &error))?;
        let lock_path = path.join(LOCK_FILE);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let mut lock = lock.map_err(|error| failed("open", &lock_path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path, &lock_path)),
            Err(TryLockError::Error(error)) => return Err(failed("lock", &lock_path, &error)),
        }
        // For people who wonder who holds it; nothing relies on it.
        let note = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        note.map_err(|error| failed("write", &lock_path, &error))?;
        Ok(DataDirectory { path: path.to_path_buf(), _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the log's segments are.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Where the row store is.
    pub fn rows(&self) -> PathBuf {
        self.path.join("rows")
    }

    /// Whose directory it is; `None` if nobody's yet.
    ///
    /// # Errors
    /// `0A000` if a newer program wrote it, `XX001` if the file is damaged, `58030` if it cannot be read.
    pub fn identity(&self) -> Result<Option<Identity>> {
        let path = self.path.join(IDENTITY_FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path, &error)),
        };
        let format = serde_json::from_slice::<FormatOnly>(&text).map_err(|error| damaged(&path, &error))?.format;
        if format != FORMAT_VERSION {
            let message =
                format!("the data directory {} has format version {format}; this program knows {FORMAT_VERSION}", self.path.display());
            let hint =
                if format > FORMAT_VERSION { "Start the newer program that wrote it." } else { "Start a program that still reads it." };
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_hint(hint));
        }
        serde_json::from_slice(&text).map(Some).map_err(|error| damaged(&path, &error))
    }

    /// Gives a fresh directory to a node. Its boot counter is 0 until [`DataDirectory::start`].
    ///
    /// # Errors
    /// `55000` if the directory belongs to a node already, `58030` or `53100` if the file cannot be written.
    pub fn claim(&self, cluster: &str, node: NodeId) -> Result<Identity> {
        if let Some(old) = self.identity()? {
            let message = format!("the data directory {} belongs to node {} of cluster {}", self.path.display(), old.node.0, old.cluster);
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message).with_hint("Use another directory."));
        }
        let identity = Identity { format: FORMAT_VERSION, cluster: cluster.to_owned(), node, boot: 0 };
        self.write(&identity)?;
        Ok(identity)
    }

    /// Counts a start of the node. With `cluster` the directory must belong to it.
    ///
    /// # Errors
    /// `55000` if the directory is of another cluster or nobody's, else as [`DataDirectory::identity`] and [`DataDirectory::claim`].
    pub fn start(&self, cluster: Option<&str>) -> Result<Identity> {
        let place = self.path.display();
        let Some(mut identity) = self.identity()? else {
            let message = format!("the data directory {place} does not belong to a node yet");
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        };
        if let Some(cluster) = cluster
            && cluster != identity.cluster
        {
            let message = format!("the data directory {place} is of cluster {}, not of {cluster}", identity.cluster);
            let hint = "Use the directory of this cluster, or an empty one to join as a new node.";
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message).with_hint(hint));
        }
        identity.boot += 1;
        self.write(&identity)?;
        Ok(identity)
    }

    fn write(&self, identity: &Identity) -> Result<()> {
        let text = serde_json::to_vec_pretty(identity).map_err(|error| Error::internal(format!("an identity is not JSON: {error}")))?;
        replace_file(&self.path, IDENTITY_FILE, &text)
    }
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// Replaces a file as a whole, durably.
pub(super) fn replace_file(directory: &Path, name: &str, content: &[u8]) -> Result<()> {
    let (path, beside) = (directory.join(name), directory.join(format!("{name}.new")));
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(|error| failed("write", &path, &error))
}

pub(super) fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    let state = if error.kind() == ErrorKind::StorageFull { SqlState::DISK_FULL } else { SqlState::IO_ERROR };
    Error::new(state, format!("cannot {what} {}: {error}", path.display()))
}

fn held(path: &Path, lock_path: &Path) -> Error {
    let owner = fs::read_to_string(lock_path).unwrap_or_default();
    let message = format!("the data directory {} is used by another process", path.display());
    let error = Error::new(SqlState::OBJECT_IN_USE, message).with_hint("Stop that process, or use another directory.");
    if owner.trim().is_empty() { error } else { error.with_detail(format!("Its process id is {}.", owner.trim())) }
}

fn damaged(path: &Path, error: &serde_json::Error) -> Error {
    Error::new(SqlState::DATA_CORRUPTED, format!("{} is damaged: {error}", path.display()))
        .with_hint("Restore the file, or rebuild the node: remove its directory and let it join again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_on_the_directory_is_refused_with_the_first_ones_id() {
        let directory = tempfile::tempdir().unwrap();
        let first = DataDirectory::open(directory.path()).unwrap();
        let refused = DataDirectory::open(directory.path()).unwrap_err();
        assert_eq!(refused.state(), SqlState::OBJECT_IN_USE);
        assert!(refused.detail().unwrap().contains(&std::process::id().to_string()));
        drop(first);
        DataDirectory::open(directory.path()).unwrap();
    }

    #[test]
    fn each_start_has_a_larger_boot_number() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(directory.path()).unwrap();
        assert_eq!(data.identity().unwrap(), None);
        assert_eq!(data.start(None).unwrap_err().state(), SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
        data.claim("c1", NodeId(3)).unwrap();
        for boot in 1..4 {
            let expected = Identity { format: FORMAT_VERSION, cluster: "c1".into(), node: NodeId(3), boot };
            assert_eq!(data.start(Some("c1")).unwrap(), expected);
            assert_eq!(data.identity().unwrap(), Some(expected));
        }
    }

    #[test]
    fn another_clusters_directory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(directory.path()).unwrap();
        data.claim("c1", NodeId(3)).unwrap();
        assert_eq!(data.start(Some("c2")).unwrap_err().state(), SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
        assert_eq!(data.claim("c2", NodeId(1)).unwrap_err().state(), SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
        assert_eq!(data.identity().unwrap().unwrap().boot, 0, "a refused start is not counted");
    }

    #[test]
    fn a_newer_format_and_a_damaged_file_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(directory.path()).unwrap();
        let path = directory.path().join(IDENTITY_FILE);
        fs::write(&path, r#"{"format": 2, "of": "the future"}"#).unwrap();
        assert_eq!(data.identity().unwrap_err().state(), SqlState::FEATURE_NOT_SUPPORTED);
        fs::write(&path, r#"{"format": 1, "clus"#).unwrap();
        assert_eq!(data.identity().unwrap_err().state(), SqlState::DATA_CORRUPTED);
    }
}
