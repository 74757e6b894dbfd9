//! The shell around a node: sockets, TLS, disk threads, timers, the PostgreSQL protocol, HTTP, metrics.
//!
//! It turns what happens outside into `node::Event`s and carries out `node::Effect`s. It decides nothing about data,
//! transactions or consensus.

// The shell may use files, threads, sockets and clocks; the bans hold for the pure crates.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod control;
pub mod devices;
pub mod directory;
pub mod disk;
pub mod http;
pub mod identity;
pub mod inbox;
pub mod internal;
pub mod listening;
#[allow(unsafe_code, reason = "calls of the system's allocator, which take and give numbers")]
pub mod metrics;
pub mod node_thread;
pub mod options;
pub mod postgres;
pub mod role_session;
pub mod run;
pub mod shared;
mod starting_anew;
pub mod transport;

use base::locality::LocalityMode;
use base::{Error, Result, SqlState};
use directory::Directory;
use identity::ClusterKeys;
pub use run::run;
use std::path::Path;

/// What `florin cluster init` made.
pub struct NewCluster {
    /// Secret with which further nodes join.
    pub token: String,
}

/// Makes the data directory of a new cluster's first node.
///
/// # Errors
/// If the directory is in use or cannot be written.
pub fn init_cluster(data: &Path, mode: LocalityMode, shards: Option<u32>) -> Result<NewCluster> {
    let directory = Directory::lock(data)?;
    if !directory.is_new()? {
        let message = format!("{} holds the data of a node already", data.display());
        return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message).with_hint("give an empty directory with --data"));
    }
    make_cluster(&directory, mode, shards)
}

fn make_cluster(directory: &Directory, mode: LocalityMode, shards: Option<u32>) -> Result<NewCluster> {
    let keys = ClusterKeys::make()?;
    keys.save(directory.path())?;
    // Last: a directory that has it is complete.
    directory.make_first(&keys.cluster, mode, shards)?;
    Ok(NewCluster { token: keys.token()? })
}
