//! The ports of a node.

use crate::options::Options;
use crate::transport::join::PeerRecord;
use base::{Error, NodeId, Result, SqlState};
use std::io;
use std::net::ToSocketAddrs;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that the system holds until they are accepted.
const BACKLOG: u32 = 4096;

/// The addresses of a node: where it listens, and where others reach it.
pub struct Addresses {
    pub nodes: TcpListener,
    pub clients: TcpListener,
    pub advertise: String,
    pub sql_advertise: String,
}

impl Addresses {
    /// # Errors
    /// If an address is none, is taken, or says nothing to other machines.
    pub fn bind(options: &Options) -> Result<Addresses> {
        let nodes = bind(&options.listen)?;
        let clients = bind(&options.sql_listen)?;
        let reached = |listener: &TcpListener, told: &Option<String>, option: &str| {
            let bound = listener.local_addr().map_err(|error| Error::new(SqlState::IO_ERROR, error.to_string()))?;
            match told {
                Some(address) => Ok(address.clone()),
                None if bound.ip().is_unspecified() => {
                    Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("other machines cannot reach this node at {bound}"))
                        .with_hint(format!("tell their way to it with {option} HOST:PORT")))
                }
                None => Ok(bound.to_string()),
            }
        };
        let advertise = reached(&nodes, &options.advertise, "--advertise")?;
        let sql_advertise = reached(&clients, &options.sql_advertise, "--sql-advertise")?;
        Ok(Addresses { nodes, clients, advertise, sql_advertise })
    }

    /// The node as others know it.
    pub fn record(&self, node: NodeId, options: &Options) -> PeerRecord {
        let (address, sql_address) = (self.advertise.clone(), self.sql_advertise.clone());
        PeerRecord { node, address, sql_address, locality: options.locality.clone() }
    }

    /// Names by which clients may verify the node.
    pub fn hosts(&self) -> Vec<String> {
        let host = |address: &str| address.rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']).to_owned());
        [&self.advertise, &self.sql_advertise].into_iter().filter_map(|address| host(address)).collect()
    }
}

fn bind(address: &str) -> Result<TcpListener> {
    let resolved =
        address.to_socket_addrs().ok().and_then(|mut all| all.next()).ok_or_else(|| {
            Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("{address:?} is no address to listen on: write host:port"))
        })?;
    let listen = || {
        let socket = if resolved.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(resolved)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| failed(address, &error))
}

/// Says why an address cannot be listened on.
pub fn failed(address: &str, error: &io::Error) -> Error {
    let told = Error::new(SqlState::IO_ERROR, format!("cannot listen on {address}: {error}"));
    match error.kind() {
        io::ErrorKind::AddrInUse => told.with_hint("another process uses this port; choose another with --listen, --sql-listen or --http"),
        _ => told,
    }
}
