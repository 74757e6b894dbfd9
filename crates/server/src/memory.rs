//! What the system's allocator keeps of memory that was freed is given back once the node has little to do.
//!
//! glibc gives each thread an arena of its own and keeps what is freed there; after a load that was most of the process. Other
//! systems' allocators are left as they are.

use crate::metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;

/// Up to so many cores, threads share this many arenas; with more cores there is one for each.
#[cfg(target_env = "gnu")]
const ARENAS_MIN: usize = 2;
/// Between two looks at what is kept.
#[cfg(target_env = "gnu")]
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Less than this is kept.
#[cfg(target_env = "gnu")]
const KEPT_BYTES: usize = 16 * 1024 * 1024;
/// The node's thread was busy for at most this part of the time: nobody waits while memory is given back.
#[cfg(target_env = "gnu")]
const BUSY_PART: u32 = 10;

/// Bounds what the allocator keeps. Before the first thread is started.
#[cfg(target_env = "gnu")]
pub fn bound() {
    let arenas = std::thread::available_parallelism().map_or(1, usize::from).max(ARENAS_MIN);
    // SAFETY: only sets a number of the allocator. A refusal leaves it as it was.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, i32::try_from(arenas).unwrap_or(i32::MAX));
    }
}

/// From now on gives back what is free whenever the node has little to do.
///
/// # Errors
/// If no thread can be started.
#[cfg(target_env = "gnu")]
pub fn give_back(metrics: Arc<Metrics>) -> std::io::Result<()> {
    let body = move || {
        let mut busy_before = metrics.node_busy_micros.get();
        loop {
            std::thread::sleep(LOOK_EVERY);
            let busy = metrics.node_busy_micros.get();
            let idle = Duration::from_micros(busy - busy_before) <= LOOK_EVERY / BUSY_PART;
            busy_before = busy;
            // SAFETY: reads numbers of the allocator, under its own locks.
            let free = unsafe { libc::mallinfo2() }.fordblks;
            if idle && free > KEPT_BYTES {
                // SAFETY: gives free pages to the kernel, under the allocator's own locks.
                unsafe { libc::malloc_trim(0) };
            }
        }
    };
    std::thread::Builder::new().name("memory".into()).spawn(body).map(drop)
}

#[cfg(not(target_env = "gnu"))]
pub fn bound() {}

#[cfg(not(target_env = "gnu"))]
pub fn give_back(_metrics: Arc<Metrics>) -> std::io::Result<()> {
    Ok(())
}
