//! Workers for the slow work of shards: flushes, snapshots, scrubs.

use super::priority::lower_this_thread;
use base::{Error, Result, ShardId, SqlState};
use shard::event::{Job, JobDone};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Most jobs that wait. A shard has only a few under way, so this is never reached by a sound node.
pub const JOBS_WAITING_MAX: usize = 1024;

/// Beside the node's thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    Low,
    Normal,
}

/// Ends when dropped, after the jobs under way; those that wait are dropped.
pub struct JobPool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(ShardId, Job)>,
    ended: bool,
}

impl JobPool {
    /// `done` is called on a worker's thread.
    ///
    /// # Errors
    /// `58030` if a thread cannot be started.
    pub fn start(priority: Priority, workers: usize, done: impl Fn(ShardId, JobDone) + Send + Sync + 'static) -> Result<JobPool> {
        assert!(workers > 0, "a pool without workers does nothing");
        let shared = Arc::new(Shared { state: Mutex::default(), arrived: Condvar::new() });
        let done = Arc::new(done);
        let mut pool = JobPool { shared, workers: Vec::new() };
        for number in 0..workers {
            let (shared, done) = (Arc::clone(&pool.shared), Arc::clone(&done));
            let body = move || {
                if priority == Priority::Low {
                    lower_this_thread();
                }
                while let Some((shard, job)) = shared.next() {
                    done(shard, run(job));
                }
            };
            let name = if priority == Priority::Low { "job" } else { "urgent" };
            let worker = Builder::new().name(format!("{name}-{number}")).spawn(body);
            pool.workers.push(worker.map_err(|error| Error::new(SqlState::IO_ERROR, format!("cannot start a worker: {error}")))?);
        }
        Ok(pool)
    }

    /// # Errors
    /// Gives the job back if [`JOBS_WAITING_MAX`] wait already.
    pub fn submit(&self, shard: ShardId, job: Job) -> std::result::Result<(), Job> {
        let mut state = self.shared.lock();
        if state.waiting.len() >= JOBS_WAITING_MAX {
            return Err(job);
        }
        state.waiting.push_back((shard, job));
        drop(state);
        self.shared.arrived.notify_one();
        Ok(())
    }
}

impl Drop for JobPool {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        state.waiting.clear();
        drop(state);
        self.shared.arrived.notify_all();
        for worker in self.workers.drain(..) {
            // A worker does not panic: jobs that do are caught.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<(ShardId, Job)> {
        let mut state = self.lock();
        loop {
            if state.ended {
                return None;
            }
            if let Some(next) = state.waiting.pop_front() {
                return Some(next);
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn run(job: Job) -> JobDone {
    let Job { id, name, run, .. } = job;
    let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let why = panic.downcast_ref::<&str>().map(|why| (*why).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Error::internal(format!("the job \"{name}\" broke an assumption: {}", why.unwrap_or_default())))
    });
    JobDone { id, result }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn job(id: u64, run: impl FnOnce() -> u64 + Send + 'static) -> Job {
        Job { id, name: "test", urgent: false, run: Box::new(move || Ok(Box::new(run()))) }
    }

    #[test]
    fn each_job_is_reported_with_its_result_also_after_a_panic() {
        let (report, reports) = channel();
        let pool = JobPool::start(Priority::Low, 2, move |shard, done| report.send((shard, done)).unwrap()).unwrap();
        for id in 0..20 {
            let work = move || if id == 7 { panic!("seven") } else { id * 2 };
            assert!(pool.submit(ShardId(1), job(id, work)).is_ok());
        }
        let mut seen = Vec::new();
        for _ in 0..20 {
            let (shard, done) = reports.recv().unwrap();
            assert_eq!(shard, ShardId(1));
            match done.result {
                Ok(value) => assert_eq!(*value.downcast::<u64>().unwrap(), done.id * 2),
                Err(error) => assert!(done.id == 7 && error.message().contains("seven")),
            }
            seen.push(done.id);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn a_full_pool_gives_the_job_back() {
        let (release, released) = channel::<()>();
        let pool = JobPool::start(Priority::Normal, 1, |_, _| {}).unwrap();
        let block = move || released.recv().map_or(0, |()| 1);
        assert!(pool.submit(ShardId(1), job(0, block)).is_ok());
        let refused = (1..=JOBS_WAITING_MAX as u64 + 1).find(|id| pool.submit(ShardId(1), job(*id, || 0)).is_err());
        assert!(refused.is_some());
        release.send(()).unwrap();
    }
}
