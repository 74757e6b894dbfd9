//! A row store that met a full disk in the middle of its own work cannot go on, but nothing is lost: what it had accepted is in the log.
//! The process then starts itself anew, and opens its files when there is space again.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Set for a process that started itself anew because of a full disk.
const WAITS: &str = "FLORIN_WAITS_FOR_SPACE";
/// Bytes that must be free before files are opened again: room for what the row store was in the middle of.
const WANTED_BYTES: u64 = 16 << 20;
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The wait is told of again after so many looks.
const TELL_EVERY: u32 = 40;

fn free_bytes(directory: &Path) -> std::io::Result<u64> {
    let status = rustix::fs::statvfs(directory)?;
    Ok(status.f_bavail.saturating_mul(status.f_frsize))
}

/// True if a failure of the row store is one of space.
pub fn is_full(directory: &Path) -> bool {
    free_bytes(directory).is_ok_and(|free| free < WANTED_BYTES)
}

/// Replaces the process by a new one with the same arguments. Comes back only with the reason why it could not.
pub fn start_anew() -> std::io::Error {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    // Also if the program's file was replaced meanwhile.
    Command::new("/proc/self/exe").arg0(name).args(arguments).env(WAITS, "1").exec()
}

/// For a process that started itself anew: waits until its files can be opened.
pub fn wait_for_space(directory: &Path) {
    if std::env::var_os(WAITS).as_deref() != Some(OsStr::new("1")) {
        return;
    }
    for looks in 0u32.. {
        if !is_full(directory) {
            return;
        }
        if looks % TELL_EVERY == 0 {
            tracing::warn!("the disk of {} is full; this node goes on when {WANTED_BYTES} bytes are free", directory.display());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
