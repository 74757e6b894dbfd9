//! What does the node's slow work: the disk thread of the log, workers for jobs, the vectorised engine.

use crate::directory::Directory;
use crate::disk::{DiskOptions, DiskReport, DiskThread, FileLogFiles, JobPool, Priority, lower_this_thread};
use crate::inbox::Inbox;
use crate::metrics::Metrics;
use crate::starting_anew;
use base::{Error, Result, ShardId};
use node::event::{DiskError, Event};
use query::{Engine, EngineOptions};
use shard::event::{Job, JobDone};
use sql::engine::EngineCommand;
use std::path::Path;
use std::sync::Arc;
use storage::RowStores;
use storage::log::LogWrite;
use storage::rows::fjall::{FjallOptions, FjallRows};

const JOB_THREADS: usize = 2;
/// For jobs that a client waits for.
const URGENT_THREADS: usize = 2;
const ENGINE_THREADS_MAX: usize = 16;
/// Parts of the node's memory: the row store's cache of blocks (rows that are asked for again are cached by their shard, and files by the system), and what
/// queries may hold.
const CACHE_PART: u64 = 64;
const QUERY_PART: u64 = 4;
/// Exit status when a write failed and it is not known what is on the disk.
const EXIT_DISK: i32 = 74;

/// What does the node's slow work. Each call only hands over; answers come through the inbox.
pub trait Devices: Send {
    fn write_log(&mut self, write: LogWrite);
    fn run_job(&mut self, shard: ShardId, job: Job);
    fn engine(&mut self, command: EngineCommand);
}

pub struct LocalDevices {
    disk: DiskThread,
    jobs: JobPool,
    urgent: JobPool,
    engine: Engine,
    inbox: Arc<Inbox>,
}

impl LocalDevices {
    /// Opens the files of a data directory and starts the threads.
    ///
    /// # Errors
    /// If files cannot be opened or threads not be started.
    pub fn open(
        directory: &Directory,
        memory_bytes: u64,
        inbox: Arc<Inbox>,
        metrics: Arc<Metrics>,
    ) -> Result<(LocalDevices, FileLogFiles, Arc<dyn RowStores>)> {
        let files = FileLogFiles::open(&directory.path().join("log"))?;
        let options = FjallOptions { cache_bytes: memory_bytes / CACHE_PART, ..FjallOptions::default() };
        let rows = Arc::new(open_rows(&directory.path().join("rows"), options)?);
        let disk = {
            let inbox = Arc::clone(&inbox);
            DiskThread::start(files.clone(), DiskOptions::default(), move |report| inbox.event(log_event(report, &metrics)))?
        };
        let pool = |priority, workers| {
            let (inbox, rows, path) = (Arc::clone(&inbox), Arc::clone(&rows), directory.path().to_owned());
            JobPool::start(priority, workers, move |shard, done| {
                if rows.failed() {
                    row_store_failed(&path, rows.met_full_disk());
                }
                inbox.event(Event::JobDone { shard, done });
            })
        };
        let (jobs, urgent) = (pool(Priority::Low, JOB_THREADS)?, pool(Priority::Normal, URGENT_THREADS)?);
        let engine = {
            let inbox = Arc::clone(&inbox);
            Engine::new(engine_options(directory, memory_bytes), Box::new(move |query, event| inbox.event(Event::Engine { query, event })))
        };
        Ok((LocalDevices { disk, jobs, urgent, engine, inbox }, files, rows))
    }
}

/// The engine's own threads are as important as the one that opens it.
fn open_rows(path: &Path, options: FjallOptions) -> Result<FjallRows> {
    let open = || {
        lower_this_thread();
        FjallRows::open(path, options)
    };
    std::thread::scope(|scope| scope.spawn(open).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

fn engine_options(directory: &Directory, memory_bytes: u64) -> EngineOptions {
    EngineOptions {
        threads: std::thread::available_parallelism().map_or(1, usize::from).min(ENGINE_THREADS_MAX),
        memory_bytes: usize::try_from(memory_bytes / QUERY_PART).unwrap_or(usize::MAX),
        spill_directory: Some(directory.path().join("spill")),
        ..EngineOptions::default()
    }
}

fn log_event(report: DiskReport, metrics: &Metrics) -> Event {
    match report {
        DiskReport::Written { sequence } => Event::LogWritten { sequence, result: Ok(()) },
        DiskReport::Full { sequence } => {
            metrics.log_full.add(1);
            Event::LogWritten { sequence, result: Err(DiskError::Full) }
        }
        DiskReport::Failed(error) => stop_at_once(&error.to_string()),
    }
}

/// What it had accepted is in the log, so a row store that only ran out of space is opened again when there is some.
fn row_store_failed(directory: &Path, met_full_disk: bool) -> ! {
    let why = "the row store cannot write any more";
    if met_full_disk || starting_anew::is_full(directory) {
        tracing::warn!("{why}, because the disk was full: the node starts anew and goes on when there is space");
        let error = starting_anew::start_anew();
        tracing::error!(%error, "the process could not start anew");
    }
    stop_at_once(why)
}

/// A failed write is never tried again: what the disk then has is not known. The next start reads what is there.
fn stop_at_once(why: &str) -> ! {
    tracing::error!("{why}: the process stops, and nothing that was not durable was acknowledged; check the disk, then start it again");
    std::process::exit(EXIT_DISK)
}

impl Devices for LocalDevices {
    fn write_log(&mut self, write: LogWrite) {
        self.disk.write(write);
    }

    fn run_job(&mut self, shard: ShardId, job: Job) {
        let pool = if job.urgent { &self.urgent } else { &self.jobs };
        if let Err(job) = pool.submit(shard, job) {
            let result = Err(Error::internal("too many jobs wait"));
            self.inbox.event(Event::JobDone { shard, done: JobDone { id: job.id, result } });
        }
    }

    fn engine(&mut self, command: EngineCommand) {
        self.engine.command(command);
    }
}
