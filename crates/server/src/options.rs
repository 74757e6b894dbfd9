//! What a node is told when it starts.

use base::Locality;
use std::path::PathBuf;

/// Where run-time commands come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    None,
    /// JSON lines on standard input, answers on standard output.
    Stdin,
}

/// How a new node becomes part of an existing cluster.
#[derive(Clone, Debug)]
pub struct Join {
    pub address: String,
    pub token: String,
    /// Keep trying while nobody answers; a refusal is final either way.
    pub retry: bool,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub data: PathBuf,
    pub listen: String,
    /// `None`: the address listened on.
    pub advertise: Option<String>,
    pub sql_listen: String,
    pub sql_advertise: Option<String>,
    pub http_listen: Option<String>,
    pub locality: Locality,
    /// `None`: restart what is in `data`, or make a new cluster of one node there.
    pub join: Option<Join>,
    pub connections_max: u32,
    /// Certificate chain and key in PEM for clients; `None`: the node's own certificate.
    pub tls_files: Option<(PathBuf, PathBuf)>,
    /// `None`: a quarter of the machine's memory.
    pub memory_bytes: Option<u64>,
    pub control: Control,
}
