//! How a new node becomes a member: it shows the join secret over a connection pinned to the cluster's authority, and gets
//! its number, the authority and its peers. It then makes its own certificate.

use super::incoming::Admission;
use super::{frame, tls};
use crate::identity::{ANY_NODE, ClusterKeys, Token};
use crate::internal::Internal;
use crate::options::Join;
use base::{Error, Locality, NodeId, Result, SqlState};
use bytes::Bytes;
use node::event::Peer;
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const FORMAT: u32 = 1;
const ANSWER_MAX: Duration = Duration::from_secs(40);
const RETRY_PAUSE: Duration = Duration::from_millis(300);
/// Longest answer: keys and the list of peers.
const ANSWER_BYTES_MAX: usize = 4 << 20;

#[derive(Serialize, Deserialize)]
struct Request {
    format: u32,
    secret: String,
    address: String,
    sql_address: String,
    city: String,
    zone: String,
}

#[derive(Serialize, Deserialize)]
enum Answer {
    Welcome { node: NodeId, keys: ClusterKeys, peers: Vec<PeerRecord> },
    Refused { state: String, message: String, hint: Option<String> },
}

#[derive(Clone, Serialize, Deserialize)]
pub struct PeerRecord {
    pub node: NodeId,
    pub address: String,
    pub sql_address: String,
    pub locality: Locality,
}

/// What a new member starts with.
pub struct Membership {
    pub node: NodeId,
    pub keys: ClusterKeys,
    pub peers: Vec<PeerRecord>,
}

/// What a new node says of itself.
pub struct Newcomer {
    pub address: String,
    pub sql_address: String,
    pub locality: Locality,
}

/// Joins a cluster.
///
/// # Errors
/// If the token is wrong, the cluster refuses, or nobody answers and `join.retry` is not set.
pub async fn join(join: &Join, newcomer: &Newcomer) -> Result<Membership> {
    let token = Token::parse(&join.token)?;
    let connector = TlsConnector::from(Arc::new(tls::joiner(token.ca_fingerprint)?));
    let mut reported = false;
    loop {
        let attempt = tokio::time::timeout(ANSWER_MAX, ask(&connector, &join.address, &token, newcomer)).await;
        let error = match attempt.unwrap_or_else(|_| Err(unreachable(&join.address, "no answer in time"))) {
            Ok(membership) => return Ok(membership),
            Err(error) => error,
        };
        let may_help = matches!(error.state(), SqlState::CONNECTION_FAILURE | SqlState::CANNOT_CONNECT_NOW);
        if !(join.retry && may_help) {
            return Err(error);
        }
        if !reported {
            tracing::info!(address = join.address, %error, "cannot join yet; trying on");
            reported = true;
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

fn unreachable(address: &str, why: impl std::fmt::Display) -> Error {
    Error::new(SqlState::CONNECTION_FAILURE, format!("the cluster could not be reached at {address}: {why}"))
        .with_hint("--join takes the --listen address of a running node; --join-retry keeps trying")
}

async fn ask(connector: &TlsConnector, address: &str, token: &Token, newcomer: &Newcomer) -> Result<Membership> {
    let socket = TcpStream::connect(address).await.map_err(|error| unreachable(address, error))?;
    let name = ServerName::try_from(ANY_NODE).expect("a valid name");
    let mut stream =
        connector.connect(name, socket).await.map_err(|error| match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(rustls::Error::InvalidCertificate(_)) => {
                Error::new(SqlState::INVALID_AUTHORIZATION, format!("the node at {address} belongs to another cluster than the token"))
                    .with_hint("use the token that `florin cluster init` printed for this cluster")
            }
            _ => unreachable(address, error),
        })?;
    let request = Request {
        format: FORMAT,
        secret: token.join_secret.clone(),
        address: newcomer.address.clone(),
        sql_address: newcomer.sql_address.clone(),
        city: newcomer.locality.city.clone(),
        zone: newcomer.locality.zone.clone(),
    };
    let request = serde_json::to_vec(&request).map_err(|error| Error::internal(error.to_string()))?;
    frame::write(&mut stream, &request).await.map_err(|error| unreachable(address, error))?;
    let answer = frame::read(&mut stream, ANSWER_BYTES_MAX).await.map_err(|error| unreachable(address, error))?;
    match serde_json::from_slice(&answer) {
        Ok(Answer::Welcome { node, keys, peers }) => Ok(Membership { node, keys, peers }),
        Ok(Answer::Refused { state, message, hint }) => {
            let state = state.as_bytes().try_into().map_or(SqlState::INTERNAL_ERROR, SqlState);
            let error = Error::new(state, message);
            Err(match hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            })
        }
        Err(error) => {
            Err(Error::new(SqlState::PROTOCOL_VIOLATION, format!("the node at {address} answers what is not understood: {error}"))
                .with_hint("are both nodes of the same version of Florin?"))
        }
    }
}

/// The member's side.
pub struct Doorkeeper {
    pub keys: ClusterKeys,
    pub internal: Internal,
    /// This node and its peers, as last known.
    pub members: Arc<Mutex<Vec<Peer>>>,
    pub own: PeerRecord,
}

impl Admission for Doorkeeper {
    fn admit(&self, request: Bytes) -> Pin<Box<dyn Future<Output = Bytes> + Send + '_>> {
        Box::pin(async move {
            let answer = match self.decide(&request).await {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!(%error, "a node could not join");
                    let hint = error.hint().map(str::to_owned);
                    Answer::Refused { state: error.state().to_string(), message: error.message().to_owned(), hint }
                }
            };
            serde_json::to_vec(&answer).map_or_else(|_| Bytes::new(), Bytes::from)
        })
    }
}

impl Doorkeeper {
    async fn decide(&self, request: &[u8]) -> Result<Answer> {
        let request: Request = serde_json::from_slice(request)
            .map_err(|error| Error::new(SqlState::PROTOCOL_VIOLATION, format!("malformed request to join: {error}")))?;
        if request.format != FORMAT {
            return Err(Error::unsupported(format!("joining from another version of Florin (format {})", request.format)));
        }
        if !self.keys.is_secret(&request.secret) {
            return Err(Error::new(SqlState::INVALID_AUTHORIZATION, "the join token's secret is wrong")
                .with_hint("use the token that `florin cluster init` printed for this cluster"));
        }
        let arguments = [&request.address, &request.sql_address, &request.city, &request.zone].map(|text| literal(text)).join(", ");
        let rows = self.internal.query(&format!("SELECT florin.add_node({arguments})")).await?;
        let node = rows
            .first()
            .and_then(|row| row.first())
            .and_then(|value| value.as_deref())
            .and_then(|text| text.parse().ok())
            .map(NodeId)
            .ok_or_else(|| Error::internal("florin.add_node answered no node"))?;
        tracing::info!(%node, address = request.address, city = request.city, zone = request.zone, "a node joins");
        Ok(Answer::Welcome { node, keys: self.keys.clone(), peers: self.peers() })
    }

    fn peers(&self) -> Vec<PeerRecord> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let others = members.iter().filter(|peer| peer.node != self.own.node).cloned().map(|peer| PeerRecord {
            node: peer.node,
            address: peer.address,
            sql_address: peer.sql_address,
            locality: peer.locality,
        });
        std::iter::once(self.own.clone()).chain(others).collect()
    }
}

/// An SQL string literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
