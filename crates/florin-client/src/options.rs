//! How to reach a cluster, and how much of it one client takes.

use crate::error::{Error, Result, told};
use crate::tls::Tls;
use base::{Error as Told, SqlState};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::Client;
use tokio_postgres::config::{Host, SslMode};

/// Batches on their way at once, each over a connection of its own.
pub const BATCHES_IN_FLIGHT: usize = 4;
/// Connections for everything else: postings, documents, queries.
pub const CONNECTIONS: usize = 4;
/// How long a request is tried again. A failover takes two seconds at most; a node that cannot learn an outcome says so after 30.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(60);
/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Bytes that nobody acknowledges for so long end the connection.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Where the cluster is and as whom to connect. Several hosts are tried in order, so one node's end does not end the client.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) batches_in_flight: usize,
    pub(crate) connections: usize,
    pub(crate) give_up_after: Duration,
}

impl Options {
    /// Any address that libpq takes: `postgresql://florin@10.0.0.1:5433,10.0.0.2:5433/florin` or `host=… port=… user=…`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is none.
    pub fn parse(url: &str) -> Result<Options> {
        let config: tokio_postgres::Config =
            url.parse().map_err(|error| Error::Invalid(told(&error).with_hint("write it as postgresql://florin@127.0.0.1:5433/florin")))?;
        Ok(Options::of(config))
    }

    /// `address` as `host:port`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is none.
    pub fn of_address(address: &str, user: &str) -> Result<Options> {
        let split = address.rsplit_once(':').and_then(|(host, port)| Some((host.trim_matches(['[', ']']), port.parse::<u16>().ok()?)));
        let (host, port) = split.ok_or_else(|| Error::invalid(format!("{address:?} is no address: write host:port")))?;
        let mut config = tokio_postgres::Config::new();
        config.host(host).port(port).user(user).dbname("florin");
        Ok(Options::of(config))
    }

    fn of(mut config: tokio_postgres::Config) -> Options {
        if config.get_application_name().is_none() {
            config.application_name("florin-client");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_MAX);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE_MAX);
        }
        Options { config, ca: None, batches_in_flight: BATCHES_IN_FLIGHT, connections: CONNECTIONS, give_up_after: GIVE_UP_AFTER }
    }

    pub fn password(mut self, password: &str) -> Options {
        self.config.password(password);
        self
    }

    pub fn application_name(mut self, name: &str) -> Options {
        self.config.application_name(name);
        self
    }

    /// File of the cluster's certificate authority (`tls/ca.pem` of any data directory), in PEM: the node must prove that it belongs to the cluster.
    /// Without, a connection to another machine is encrypted and its other end taken on trust.
    pub fn ca(mut self, file: impl Into<PathBuf>) -> Options {
        self.ca = Some(file.into());
        self
    }

    /// Instead of [`BATCHES_IN_FLIGHT`]; at least 1.
    pub fn batches_in_flight(mut self, count: usize) -> Options {
        self.batches_in_flight = count.max(1);
        self
    }

    /// Instead of [`CONNECTIONS`]; at least 1.
    pub fn connections(mut self, count: usize) -> Options {
        self.connections = count.max(1);
        self
    }

    /// Instead of [`GIVE_UP_AFTER`].
    pub fn give_up_after(mut self, duration: Duration) -> Options {
        self.give_up_after = duration;
        self
    }

    /// For messages: where it connects to.
    pub fn shown(&self) -> String {
        let ports = self.config.get_ports();
        let port = |index: usize| ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        let name = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        };
        let hosts: Vec<String> =
            self.config.get_hosts().iter().enumerate().map(|(index, host)| format!("{}:{}", name(host), port(index))).collect();
        hosts.join(",")
    }

    /// What stays on the machine need not be encrypted.
    fn is_local(&self) -> bool {
        let local = |host: &Host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
            #[cfg(unix)]
            Host::Unix(_) => true,
        };
        self.config.get_hosts().iter().all(local)
    }

    /// One plain connection, for statements that are not the ledger's. Its driver runs until the client is dropped.
    ///
    /// # Errors
    /// The node's own, `08006` if it cannot be reached, or what is wrong with the certificate authority's file.
    pub async fn connect(&self) -> Result<Client, Told> {
        let mut config = self.config.clone();
        if config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(if self.is_local() && self.ca.is_none() { SslMode::Disable } else { SslMode::Require });
        }
        let tls = Tls::new(self.ca.as_deref())?;
        let (client, driver) = config.connect(tls).await.map_err(|error| {
            let told = told(&error);
            match told.state() {
                SqlState::CONNECTION_FAILURE => {
                    Told::new(SqlState::CONNECTION_FAILURE, format!("no answer from {}: {}", self.shown(), told.message()))
                        .with_hint("is the node running, and is this its SQL address? See `florin start --sql-listen`")
                }
                _ => told,
            }
        })?;
        // The connection's own end says nothing that its answers do not.
        tokio::spawn(async move { drop(driver.await) });
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_understood_and_shown() {
        for (text, shown, local) in [
            ("postgresql://florin@127.0.0.1:5433,[::1]:5434/florin", "127.0.0.1:5433,::1:5434", true),
            ("host=a,b port=5433 user=florin", "a:5433,b:5433", false),
        ] {
            let options = Options::parse(text).expect("an address");
            assert_eq!((options.shown().as_str(), options.is_local()), (shown, local));
        }
        assert!(Options::parse("postgresql://[").is_err());
        assert_eq!(Options::of_address("[::1]:5433", "florin").expect("an address").shown(), "::1:5433");
        assert!(Options::of_address("nowhere", "florin").is_err() && Options::of_address("a:b", "florin").is_err());
    }
}
