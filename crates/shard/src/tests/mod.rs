//! A few replicas in one thread, with messages, log writes and jobs under the test's control.

mod chaos;
mod cluster;
mod failover;
mod fuzz;
mod local;
#[cfg(feature = "planted")]
mod planted;
mod speed;
mod transfer;
