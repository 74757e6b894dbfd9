//! A few replicas in one thread, with messages, log writes and jobs under the test's control.

mod chaos;
mod cluster;
mod evidence;
mod failover;
mod fetch;
mod fuzz;
mod local;
mod outcomes;
#[cfg(feature = "planted")]
mod planted;
mod scrub;
mod speed;
mod transfer;
