//! The node's disk: the log's files and the thread that writes them, and the workers for slow jobs.
//!
//! It carries out what the pure cores ask for and reports how it went. A failed write other than for want of space is never
//! tried again: the report says that the process must stop. Never here: what the bytes mean.

mod files;
mod jobs;
mod log_thread;
#[allow(unsafe_code, reason = "calls of the system for which there is no safe wrapper here")]
mod priority;
#[allow(unsafe_code, reason = "the ring takes raw pointers to buffers; the module's comment says why they stay valid")]
mod ring;
mod writer;

pub use files::FileLogFiles;
pub use jobs::{JOBS_WAITING_MAX, JobPool, Priority};
pub use log_thread::{DiskOptions, DiskReport, DiskThread};
pub use priority::lower_this_thread;
pub use writer::WriteMode;
