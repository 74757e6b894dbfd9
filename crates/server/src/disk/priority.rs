//! Which threads go first where all cores are busy: the log's, then those that serve, then those that tidy up.

/// What slow work gets beside a thread that serves: a tenth of its share. All of it where cores are idle.
const SLOW_WORK_NICE: i32 = 10;

/// For the log's thread: it uses little processor time, and every commit waits for it. Where all cores are busy, Linux lets a thread that was
/// woken wait for the next scheduler tick (4 ms are usual), unless it is of a real-time class. Not permitted to most users; then nothing changes.
///
/// True if the calling thread has real-time priority (the lowest) from now on.
pub fn raise_this_thread() -> bool {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: 0 names the calling thread, and the kernel only reads the parameters during the call.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameters) == 0 }
}

/// For flushes, merges and the like: nobody waits for them, and all replicas of a shard begin theirs at the same entry of the log. Threads that the
/// calling one starts from now on begin as it does.
pub fn lower_this_thread() {
    // SAFETY: 0 names the calling thread (of the process as a whole elsewhere than on Linux), and nothing is read or written.
    let outcome = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, SLOW_WORK_NICE) };
    // Everyone may lower a thread's priority. Where it fails, slow work is as important as any other.
    if outcome != 0 {
        tracing::debug!("slow work runs at usual priority: {}", std::io::Error::last_os_error());
    }
}
