//! Durable writes into segment files, by the best means that the kernel and the file system offer.

use super::files::FileLogFiles;
use super::ring::Ring;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use storage::log::{BLOCK_BYTES, LogWrite};

/// Segment files kept open.
const OPEN_FILES_MAX: usize = 4;

/// How a write becomes durable, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WriteMode {
    /// Direct and synchronous through io_uring.
    Ring,
    /// Direct and synchronous (`O_DIRECT | O_DSYNC`).
    Direct,
    /// Through the page cache, synchronous (`O_DSYNC`): where the file system has no direct writes, as tmpfs.
    Cached,
}

pub struct Writer {
    files: FileLogFiles,
    mode: WriteMode,
    ring: Option<Ring>,
    /// Most recently used last.
    open: VecDeque<(u64, File)>,
    buffer: AlignedBuffer,
}

impl Writer {
    /// With the best mode that is possible here, or the one asked for if it is worse.
    pub fn new(files: FileLogFiles, best: WriteMode) -> Writer {
        let ring = if best == WriteMode::Ring { Ring::new().ok() } else { None };
        let mode = if ring.is_none() { best.max(WriteMode::Direct) } else { best };
        Writer { files, mode, ring, open: VecDeque::new(), buffer: AlignedBuffer::default() }
    }

    pub fn mode(&self) -> WriteMode {
        self.mode
    }

    /// The write is durable when this returns.
    ///
    /// # Errors
    /// Those of the operating system. Nothing is known about the content of the blocks concerned then.
    pub fn write(&mut self, write: &LogWrite) -> Result<()> {
        loop {
            let result = self.try_write(write);
            match result {
                // Direct writes are refused by the file system, or need a coarser alignment than ours.
                Err(error) if error.kind() == ErrorKind::InvalidInput && self.mode != WriteMode::Cached => {
                    self.mode = WriteMode::Cached;
                    self.ring = None;
                    self.open.clear();
                }
                result => return result,
            }
        }
    }

    /// Forgets a file that is going to be removed.
    pub fn close(&mut self, segment: u64) {
        self.open.retain(|(number, _)| *number != segment);
    }

    fn try_write(&mut self, write: &LogWrite) -> Result<()> {
        let file = self.file(write.segment)?;
        let Writer { ring, buffer, .. } = self;
        let bytes = buffer.fill(&write.bytes);
        let mut done = 0;
        while done < bytes.len() {
            let (rest, offset) = (&bytes[done..], write.offset + done as u64);
            let count = match ring {
                Some(ring) => ring.write(&file, rest, offset),
                None => file.write_at(rest, offset),
            };
            match count {
                Ok(0) => return Err(Error::from(ErrorKind::WriteZero)),
                Ok(count) => done += count,
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
        self.open.push_back((write.segment, file));
        if self.open.len() > OPEN_FILES_MAX {
            self.open.pop_front();
        }
        Ok(())
    }

    fn file(&mut self, segment: u64) -> Result<File> {
        if let Some(at) = self.open.iter().position(|(number, _)| *number == segment)
            && let Some((_, file)) = self.open.remove(at)
        {
            return Ok(file);
        }
        let direct = if self.mode == WriteMode::Cached { 0 } else { libc::O_DIRECT };
        OpenOptions::new().write(true).custom_flags(direct | libc::O_DSYNC).open(self.files.path(segment))
    }
}

/// Memory whose start is aligned as direct writes demand.
#[derive(Default)]
struct AlignedBuffer {
    memory: Vec<u8>,
}

impl AlignedBuffer {
    fn fill(&mut self, bytes: &[u8]) -> &[u8] {
        if self.memory.len() < bytes.len() + BLOCK_BYTES {
            self.memory = vec![0; bytes.len().next_power_of_two() + BLOCK_BYTES];
        }
        let start = self.memory.as_ptr().align_offset(BLOCK_BYTES);
        let aligned = &mut self.memory[start..start + bytes.len()];
        aligned.copy_from_slice(bytes);
        aligned
    }
}
