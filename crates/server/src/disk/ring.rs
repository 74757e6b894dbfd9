//! One write at a time through io_uring.
//!
//! The ring is given raw pointers. They are valid because [`Ring::write`] does not return before the kernel has reported the
//! completion of the one entry it submitted; the file and the buffer are borrowed for all that time.

use io_uring::{IoUring, opcode, types};
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;

/// One write is under way at a time; the kernel wants a power of two.
const ENTRIES: u32 = 2;

pub struct Ring {
    ring: IoUring,
}

impl Ring {
    /// # Errors
    /// If the kernel has no io_uring, or this process may not use it.
    pub fn new() -> Result<Ring> {
        // The newer flags spare wake-ups of this thread; an older kernel refuses them.
        let modern = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(ENTRIES);
        let ring = modern.or_else(|_| IoUring::new(ENTRIES))?;
        Ok(Ring { ring })
    }

    /// As `pwrite`: answers how many bytes were written.
    pub fn write(&mut self, file: &File, bytes: &[u8], offset: u64) -> Result<usize> {
        let length = u32::try_from(bytes.len()).map_err(|_| Error::from(ErrorKind::InvalidInput))?;
        let entry = opcode::Write::new(types::Fd(file.as_raw_fd()), bytes.as_ptr(), length).offset(offset).build();
        // SAFETY: `file` and `bytes` outlive the operation, as this function waits for its completion below.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.expect("the ring is empty between writes");
        loop {
            match self.ring.submit_and_wait(1) {
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ResourceBusy | ErrorKind::WouldBlock) => {}
                // The entry may or may not be under way, so the buffer must not be given back, not even by unwinding.
                Err(error) => {
                    tracing::error!(%error, "io_uring cannot be waited for: the process stops at once");
                    std::process::abort();
                }
            }
            if let Some(completion) = self.ring.completion().next() {
                let result = completion.result();
                return if result < 0 { Err(Error::from_raw_os_error(-result)) } else { Ok(result as usize) };
            }
        }
    }
}
