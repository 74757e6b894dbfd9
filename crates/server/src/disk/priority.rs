//! Asks that the log's thread runs as soon as its write has ended.
//!
//! It uses little processor time, and every commit waits for it. Where all cores are busy, Linux lets a thread that was woken wait for the
//! next scheduler tick (4 ms are usual), unless it is of a real-time class. Not permitted to most users; then nothing changes.

/// True if the calling thread has real-time priority (the lowest) from now on.
pub fn raise_this_thread() -> bool {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: 0 names the calling thread, and the kernel only reads the parameters during the call.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameters) == 0 }
}
