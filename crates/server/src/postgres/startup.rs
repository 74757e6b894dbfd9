//! The beginning of a connection: encryption, protocol version, cancel requests, authentication.

use super::credentials::{Exchange, MECHANISM, Method};
use super::decode::{self, First, Message};
use super::stream::Stream;
use super::{SqlServer, encode};
use base::{Error, Result, SqlState};
use bytes::{Bytes, BytesMut};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// Newest minor version of protocol 3 that is spoken.
const MINOR_MAX: u16 = 2;
/// Encryption requests before the startup message: one for GSS, one for TLS.
const NEGOTIATIONS_MAX: usize = 3;
/// Type of a TLS record that begins a handshake: a client that starts TLS without asking (PostgreSQL 17's direct negotiation).
const TLS_HANDSHAKE: u8 = 0x16;

/// An authenticated client.
pub struct Client {
    pub stream: Stream,
    /// What it sent after its startup messages.
    pub buffer: BytesMut,
    pub user: String,
    pub database: String,
    pub parameters: Vec<(String, String)>,
    /// Minor protocol version agreed on.
    pub minor: u16,
}

pub enum Outcome {
    Client(Client),
    Cancel {
        process: i32,
        secret: Bytes,
    },
    /// The client is to be told and sent away.
    Refused(Stream, Error),
    /// The socket failed or was closed.
    Gone,
}

/// A connection whose client is not known yet.
struct Beginning {
    stream: Stream,
    buffer: BytesMut,
}

pub async fn begin(server: &SqlServer, socket: TcpStream, from: SocketAddr) -> Outcome {
    let mut first_byte = [0];
    match socket.peek(&mut first_byte).await {
        Ok(1) => {}
        _ => return Outcome::Gone,
    }
    let mut beginning = Beginning { stream: Stream::Plain(socket), buffer: BytesMut::new() };
    if first_byte[0] == TLS_HANDSHAKE {
        let Some(tls) = server.tls.clone() else { return Outcome::Gone };
        beginning = match beginning.encrypt(&tls).await {
            Some(encrypted) => encrypted,
            None => return Outcome::Gone,
        };
    }
    for _ in 0..=NEGOTIATIONS_MAX {
        match beginning.first().await {
            Ok(Some(First::Startup { minor, parameters })) => return beginning.authenticate(server, from, minor, parameters).await,
            Ok(Some(First::Cancel { process, secret })) => return Outcome::Cancel { process, secret },
            Ok(Some(First::Gss)) => {
                if beginning.write(b"N").await.is_none() {
                    return Outcome::Gone;
                }
            }
            Ok(Some(First::Tls)) => match beginning.negotiate_tls(server).await {
                Ok(Some(next)) => beginning = next,
                Ok(None) => return Outcome::Gone,
                Err(refused) => return *refused,
            },
            Ok(None) => return Outcome::Gone,
            Err(error) => return Outcome::Refused(beginning.stream, error),
        }
    }
    Outcome::Refused(beginning.stream, Error::new(SqlState::PROTOCOL_VIOLATION, "too many requests for encryption"))
}

impl Beginning {
    async fn negotiate_tls(mut self, server: &SqlServer) -> std::result::Result<Option<Beginning>, Box<Outcome>> {
        // Bytes sent before the handshake could have been put there by someone in between: they must not count as encrypted.
        if !self.buffer.is_empty() {
            let error = Error::new(SqlState::PROTOCOL_VIOLATION, "received unencrypted data after SSL request");
            return Err(Box::new(Outcome::Refused(self.stream, error)));
        }
        let Some(tls) = server.tls.clone().filter(|_| matches!(self.stream, Stream::Plain(_))) else {
            return Ok(self.write(b"N").await.map(|()| self));
        };
        match self.write(b"S").await {
            Some(()) => Ok(self.encrypt(&tls).await),
            None => Ok(None),
        }
    }

    async fn encrypt(self, tls: &TlsAcceptor) -> Option<Beginning> {
        let Stream::Plain(socket) = self.stream else { return None };
        let stream = tls.accept(socket).await.ok()?;
        Some(Beginning { stream: Stream::Tls(Box::new(stream)), buffer: self.buffer })
    }

    async fn write(&mut self, bytes: &[u8]) -> Option<()> {
        self.stream.write_all(bytes).await.ok()?;
        self.stream.flush().await.ok()
    }

    async fn first(&mut self) -> Result<Option<First>> {
        loop {
            if let Some(first) = decode::first(&mut self.buffer)? {
                return Ok(Some(first));
            }
            if !self.read().await {
                return Ok(None);
            }
        }
    }

    async fn password(&mut self) -> Result<Option<Bytes>> {
        loop {
            match decode::message(&mut self.buffer, decode::STARTUP_BYTES_MAX)? {
                Some(Message::Password(body)) => return Ok(Some(body)),
                Some(Message::Terminate) => return Ok(None),
                Some(Message::Request(_)) => {
                    return Err(Error::new(SqlState::PROTOCOL_VIOLATION, "expected a SASL response"));
                }
                None if !self.read().await => return Ok(None),
                None => {}
            }
        }
    }

    async fn read(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(bytes) if bytes > 0)
    }

    async fn authenticate(mut self, server: &SqlServer, from: SocketAddr, minor: u16, parameters: Vec<(String, String)>) -> Outcome {
        if minor > MINOR_MAX || parameters.iter().any(|(name, _)| name.starts_with("_pq_.")) {
            let unknown: Vec<&str> = parameters.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("_pq_.")).collect();
            let mut out = BytesMut::new();
            encode::negotiate_protocol_version(&mut out, minor.min(MINOR_MAX), &unknown);
            if self.write(&out).await.is_none() {
                return Outcome::Gone;
            }
        }
        match self.identify(server, from, &parameters).await {
            Ok(Some((user, database))) => {
                let parameters =
                    parameters.into_iter().filter(|(name, _)| name != "user" && name != "database" && !name.starts_with("_pq_.")).collect();
                Outcome::Client(Client {
                    stream: self.stream,
                    buffer: self.buffer,
                    user,
                    database,
                    parameters,
                    minor: minor.min(MINOR_MAX),
                })
            }
            Ok(None) => Outcome::Gone,
            Err(error) => Outcome::Refused(self.stream, error),
        }
    }

    /// The user and database, once the client has shown who it is; `None` if it went away.
    async fn identify(
        &mut self,
        server: &SqlServer,
        from: SocketAddr,
        parameters: &[(String, String)],
    ) -> Result<Option<(String, String)>> {
        let parameter = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        let user = parameter("user")
            .filter(|user| !user.is_empty())
            .ok_or_else(|| Error::new(SqlState::INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet"))?;
        if parameter("replication").is_some_and(|value| !matches!(value.as_str(), "false" | "off" | "no" | "0")) {
            return Err(Error::unsupported("the replication protocol"));
        }
        server.admit()?;
        let database = parameter("database").filter(|database| !database.is_empty()).unwrap_or_else(|| user.clone());
        match server.credentials.method(&user, from.ip()).await? {
            Method::Trust => Ok(Some((user, database))),
            Method::Scram(secret) => {
                let mut out = BytesMut::new();
                encode::authentication_sasl(&mut out, &[MECHANISM]);
                if self.write(&out).await.is_none() {
                    return Ok(None);
                }
                let Some(body) = self.password().await? else { return Ok(None) };
                let (exchange, answer) = Exchange::begin(&body, secret)?;
                out.clear();
                encode::authentication_sasl_continue(&mut out, answer.as_bytes());
                if self.write(&out).await.is_none() {
                    return Ok(None);
                }
                let Some(body) = self.password().await? else { return Ok(None) };
                let answer = exchange.finish(&body, &user)?;
                out.clear();
                encode::authentication_sasl_final(&mut out, answer.as_bytes());
                Ok(self.write(&out).await.map(|()| (user, database)))
            }
        }
    }
}
