//! The log's files: names, making them, reading them at start.
//!
//! A segment file is filled with zeros before it gets its name, so that writing the log later changes no metadata of the file
//! system and needs no space. `salt` beside the segments is drawn once; without it no write of the log is recognised.

use base::{Error, Result, SqlState};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use storage::log::LogFiles;

const SALT_FILE: &str = "salt";
const SUFFIX: &str = "segment";
const SUFFIX_NEW: &str = "new";
/// Zeros written at once when a segment is made.
const ZEROS_BYTES: usize = 1024 * 1024;

/// The directory of the log's segments.
#[derive(Clone, Debug)]
pub struct FileLogFiles {
    directory: PathBuf,
    salt: u64,
    /// Held while a segment is made.
    making: Arc<Mutex<()>>,
}

impl FileLogFiles {
    /// Opens the log's directory, or makes it. What an interrupted making of a segment left is removed.
    ///
    /// # Errors
    /// `XX001` if there are segments without their salt, else `58030` or `53100`.
    pub fn open(directory: &Path) -> Result<FileLogFiles> {
        fs::create_dir_all(directory).map_err(|error| failed("make", directory, &error))?;
        let mut files = FileLogFiles { directory: directory.to_path_buf(), salt: 0, making: Arc::default() };
        files.remove_unfinished()?;
        let numbers = files.segments()?;
        files.salt = match read_salt(directory)? {
            Some(salt) => salt,
            None if numbers.is_empty() => make_salt(directory)?,
            None => return Err(without_salt(directory)),
        };
        Ok(files)
    }

    pub(super) fn path(&self, segment: u64) -> PathBuf {
        self.directory.join(format!("{segment:012}.{SUFFIX}"))
    }

    /// Makes a segment file if it is not there yet: full of zeros, durable.
    pub(super) fn make(&self, segment: u64, bytes: usize) -> std::io::Result<()> {
        let _making = self.making.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = self.path(segment);
        if path.try_exists()? {
            return Ok(());
        }
        let unfinished = path.with_extension(SUFFIX_NEW);
        let made = fill(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, &path));
        if made.is_err() {
            // What it holds of a full disk is given back; it would be replaced at the next try anyway.
            let _ = fs::remove_file(&unfinished);
        }
        made?;
        File::open(&self.directory)?.sync_all()
    }

    pub(super) fn remove(&self, segment: u64) -> std::io::Result<()> {
        match fs::remove_file(self.path(segment)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// The files whose name is a number and this suffix.
    fn numbered(&self, suffix: &str) -> Result<Vec<u64>> {
        let read = |error| failed("read", &self.directory, &error);
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(read)? {
            let path = entry.map_err(read)?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
            if path.extension().is_some_and(|extension| extension == suffix) {
                numbers.extend(number);
            }
        }
        Ok(numbers)
    }

    fn remove_unfinished(&self) -> Result<()> {
        for number in self.numbered(SUFFIX_NEW)? {
            let path = self.path(number).with_extension(SUFFIX_NEW);
            fs::remove_file(&path).map_err(|error| failed("remove", &path, &error))?;
        }
        Ok(())
    }
}

impl LogFiles for FileLogFiles {
    fn segments(&self) -> Result<Vec<u64>> {
        self.numbered(SUFFIX)
    }

    /// What is read is synced first: it may be in the page cache only, if an earlier life ended in the middle of a write.
    fn read(&self, segment: u64) -> Result<Vec<u8>> {
        let path = self.path(segment);
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
            file.sync_data()?;
            let mut content = Vec::with_capacity(file.metadata()?.len() as usize);
            file.read_to_end(&mut content)?;
            Ok(content)
        };
        read().map_err(|error| failed("read", &path, &error))
    }

    fn salt(&self) -> u64 {
        self.salt
    }
}

fn fill(path: &Path, bytes: usize) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    reserve(&file, bytes)?;
    let zeros = vec![0; ZEROS_BYTES.min(bytes)];
    let mut left = bytes;
    while left > 0 {
        let here = left.min(zeros.len());
        file.write_all(&zeros[..here])?;
        left -= here;
    }
    file.sync_all()
}

/// Takes the space before anything is written, so that a full disk is noticed at once and each time it is tried again.
fn reserve(file: &File, bytes: usize) -> std::io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes as u64) {
        // Not every file system can: then writing finds out.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
        other => other.map_err(std::io::Error::from),
    }
}

fn read_salt(directory: &Path) -> Result<Option<u64>> {
    let path = directory.join(SALT_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", &path, &error)),
    };
    let salt = u64::from_str_radix(text.trim(), 16);
    salt.map(Some).map_err(|_| Error::new(SqlState::DATA_CORRUPTED, format!("{} is damaged", path.display())).with_hint(REBUILD))
}

fn make_salt(directory: &Path) -> Result<u64> {
    let mut bytes = [0; 8];
    let source = Path::new("/dev/urandom");
    let read = File::open(source).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|error| failed("read", source, &error))?;
    let salt = u64::from_le_bytes(bytes);
    replace_file(directory, SALT_FILE, format!("{salt:016x}\n").as_bytes())?;
    Ok(salt)
}

const REBUILD: &str = "Restore the file, or rebuild the node: remove its directory and let it join again.";

fn without_salt(directory: &Path) -> Error {
    let message = format!("{} has segments of the log, but no file {SALT_FILE}, without which they cannot be read", directory.display());
    Error::new(SqlState::DATA_CORRUPTED, message).with_hint(REBUILD)
}

/// Replaces a file as a whole, durably.
fn replace_file(directory: &Path, name: &str, content: &[u8]) -> Result<()> {
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

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    let state = if error.kind() == ErrorKind::StorageFull { SqlState::DISK_FULL } else { SqlState::IO_ERROR };
    Error::new(state, format!("cannot {what} {}: {error}", path.display()))
}
