//! Who may connect: roles and their SCRAM verifiers, as the node's catalog has them.
//!
//! As long as no role has a password the node is in development mode: it trusts clients of the machine itself and refuses all
//! others. With the first password every client must prove one.

use base::{Error, Result, SqlState};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgwire::api::auth::sasl::scram::{ScramSecret, ScramServerAuth, ScramServerAuthWaitingForClientFinal};
use pgwire::error::PgWireError;
use sql::catalog::Catalog;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub const MECHANISM: &str = "SCRAM-SHA-256";
/// Iterations told to clients whose role does not exist: the usual number, so that they learn nothing.
const MOCK_ITERATIONS: usize = 4096;
const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// How long a client waits for a node that has just started to know its roles.
const ROLES_MAX: Duration = Duration::from_secs(8);

/// The catalog as the node's thread last published it.
pub struct Credentials {
    catalog: watch::Sender<Option<Arc<Catalog>>>,
    /// Makes the salt of a role that does not exist the same each time.
    mock_key: [u8; KEY_BYTES],
    patience: Duration,
}

pub enum Method {
    Trust,
    Scram(ScramSecret),
}

impl Default for Credentials {
    fn default() -> Credentials {
        Credentials::new()
    }
}

impl Credentials {
    pub fn new() -> Credentials {
        Credentials { catalog: watch::Sender::new(None), mock_key: random(), patience: ROLES_MAX }
    }

    pub fn publish(&self, catalog: Arc<Catalog>) {
        self.catalog.send_replace(Some(catalog));
    }

    /// True once the node knows its roles, which it reads from its cluster.
    pub fn is_known(&self) -> bool {
        self.catalog.borrow().is_some()
    }

    /// How this client must show who it is.
    ///
    /// # Errors
    /// `57P03` if the node does not get to know its roles, `28000` for a client of another machine in development mode.
    pub async fn method(&self, user: &str, from: IpAddr) -> Result<Method> {
        let mut catalogs = self.catalog.subscribe();
        let known = tokio::time::timeout(self.patience, catalogs.wait_for(Option::is_some)).await;
        let catalog = known.ok().and_then(std::result::Result::ok).and_then(|catalog| catalog.clone()).ok_or_else(|| {
            Error::new(
                SqlState::CANNOT_CONNECT_NOW,
                "the node does not serve yet: it has not reached a majority of its cluster since it started",
            )
        })?;
        if catalog.roles.values().all(|role| role.scram.is_none()) {
            if from.to_canonical().is_loopback() {
                return Ok(Method::Trust);
            }
            return Err(Error::new(
                SqlState::INVALID_AUTHORIZATION,
                "connections from other machines need a password, and no role has one",
            )
            .with_hint("on the machine itself run: ALTER ROLE florin PASSWORD '...'"));
        }
        // A role that may not log in is none here, whatever password it has.
        let role = catalog.roles.get(user).filter(|role| role.login);
        let verifier = role.and_then(|role| role.scram.as_deref()).and_then(parse_verifier);
        Ok(Method::Scram(verifier.unwrap_or_else(|| self.mock(user))))
    }

    /// A verifier that no password fits, so that a client cannot tell a missing role, or one that may not log in, from a wrong password.
    fn mock(&self, user: &str) -> ScramSecret {
        let mut seed = self.mock_key.to_vec();
        seed.extend_from_slice(user.as_bytes());
        let salt = sha256(&seed)[..SALT_BYTES].to_vec();
        ScramSecret::Verifier {
            salt,
            iterations: MOCK_ITERATIONS,
            stored_key: random::<KEY_BYTES>().to_vec(),
            server_key: random::<KEY_BYTES>().to_vec(),
        }
    }
}

/// RFC 5803 as PostgreSQL writes it: `SCRAM-SHA-256$iterations:salt$stored:server`.
fn parse_verifier(text: &str) -> Option<ScramSecret> {
    let (iterations, rest) = text.strip_prefix("SCRAM-SHA-256$")?.split_once(':')?;
    let (salt, keys) = rest.split_once('$')?;
    let (stored, server) = keys.split_once(':')?;
    let (salt, stored_key, server_key) = (STANDARD.decode(salt).ok()?, STANDARD.decode(stored).ok()?, STANDARD.decode(server).ok()?);
    if stored_key.len() != KEY_BYTES || server_key.len() != KEY_BYTES {
        return None;
    }
    Some(ScramSecret::Verifier { salt, iterations: iterations.parse().ok()?, stored_key, server_key })
}

/// What is stored of a password, for those who hand over the password itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    salt: Vec<u8>,
    iterations: NonZeroU32,
    stored_key: Vec<u8>,
}

impl Verifier {
    /// # Errors
    /// If it is damaged.
    pub fn of(secret: ScramSecret) -> Result<Verifier> {
        let damaged = || Error::internal("a role's verifier is damaged");
        let ScramSecret::Verifier { salt, iterations, stored_key, .. } = secret else { return Err(damaged()) };
        let iterations = u32::try_from(iterations).ok().and_then(NonZeroU32::new).ok_or_else(damaged)?;
        Ok(Verifier { salt, iterations, stored_key })
    }

    /// True if it is this password's (RFC 5802, section 3). Costs thousands of hashes.
    pub fn fits(&self, password: &str) -> bool {
        let mut salted = [0; KEY_BYTES];
        ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA256, self.iterations, &self.salt, password.as_bytes(), &mut salted);
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &salted);
        let client_key = ring::hmac::sign(&key, b"Client Key");
        let stored = sha256(client_key.as_ref());
        // All bytes are compared, so that the time taken tells nothing about where they differ.
        stored.len() == self.stored_key.len() && stored.iter().zip(&self.stored_key).fold(0, |all, (a, b)| all | (a ^ b)) == 0
    }
}

/// One client's exchange (RFC 5802), between its first message and its proof.
pub struct Exchange(ScramServerAuthWaitingForClientFinal);

impl Exchange {
    /// Takes a `SASLInitialResponse`'s body; answers the data for `SASLContinue`.
    ///
    /// # Errors
    /// `08P01` if it is malformed or chooses another mechanism.
    pub fn begin(body: &[u8], secret: ScramSecret) -> Result<(Exchange, String)> {
        let end = body.iter().position(|byte| *byte == 0).ok_or_else(|| malformed("no mechanism"))?;
        if &body[..end] != MECHANISM.as_bytes() {
            return Err(malformed("the client chose a mechanism that was not offered"));
        }
        let rest = &body[end + 1..];
        let (length, data) = rest.split_first_chunk::<4>().ok_or_else(|| malformed("no data"))?;
        if u32::from_be_bytes(*length) as usize != data.len() {
            return Err(malformed("wrong length of data"));
        }
        let (answer, waiting) =
            ScramServerAuth::new().on_client_first_message_with_secret(data, secret).map_err(|error| malformed(&error))?;
        Ok((Exchange(waiting), answer))
    }

    /// Takes a `SASLResponse`'s body; answers the data for `SASLFinal`.
    ///
    /// # Errors
    /// `28P01` if the proof is wrong.
    pub fn finish(self, body: &[u8], user: &str) -> Result<String> {
        self.0.on_client_final_message(body).map_err(|error| match error {
            PgWireError::InvalidPassword(_) => {
                Error::new(SqlState::INVALID_PASSWORD, format!("password authentication failed for user \"{user}\""))
            }
            other => malformed(&other),
        })
    }
}

fn malformed(what: impl std::fmt::Display) -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, format!("malformed SASL message: {what}"))
}

/// Random bytes for secrets.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    crate::identity::sha256(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sql::catalog::Role;

    fn catalog(password: Option<&str>) -> Arc<Catalog> {
        let role = Role {
            oid: 10,
            name: "florin".into(),
            superuser: true,
            login: true,
            create_database: true,
            create_role: true,
            scram: password.map(str::to_owned),
        };
        let mut catalog = Catalog::default();
        catalog.roles.insert("florin".into(), Arc::new(role));
        Arc::new(catalog)
    }

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[tokio::test]
    async fn nobody_is_let_in_before_the_roles_are_known() {
        let credentials = Credentials { patience: Duration::ZERO, ..Credentials::new() };
        assert_eq!(credentials.method("florin", LOOPBACK).await.err().map(|error| error.state()), Some(SqlState::CANNOT_CONNECT_NOW));
    }

    #[tokio::test]
    async fn without_passwords_only_the_machine_itself_is_trusted() {
        let credentials = Credentials::new();
        credentials.publish(catalog(None));
        assert!(matches!(credentials.method("florin", LOOPBACK).await, Ok(Method::Trust)));
        assert_eq!(credentials.method("florin", ELSEWHERE).await.err().map(|error| error.state()), Some(SqlState::INVALID_AUTHORIZATION));
    }

    #[tokio::test]
    async fn with_one_password_everybody_needs_one() {
        let verifier = format!("SCRAM-SHA-256$4096:{}${}:{}", STANDARD.encode([1; 16]), STANDARD.encode([2; 32]), STANDARD.encode([3; 32]));
        let credentials = Credentials::new();
        credentials.publish(catalog(Some(&verifier)));
        assert!(matches!(credentials.method("florin", LOOPBACK).await, Ok(Method::Scram(_))));
        assert!(matches!(credentials.method("nobody", LOOPBACK).await, Ok(Method::Scram(_))));
    }

    #[tokio::test]
    async fn a_role_that_may_not_log_in_has_no_password_that_fits() {
        let mut catalog = Catalog::clone(&catalog(Some(&sql::scram::verifier("pencil", b"0123456789abcdef"))));
        let florin = Role::clone(&catalog.roles["florin"]);
        catalog.roles.insert("clerk".into(), Arc::new(Role { name: "clerk".into(), login: false, ..florin }));
        let credentials = Credentials::new();
        credentials.publish(Arc::new(catalog));
        for (role, fits) in [("florin", true), ("clerk", false), ("nobody", false)] {
            let Ok(Method::Scram(secret)) = credentials.method(role, LOOPBACK).await else { panic!("{role} must prove a password") };
            assert_eq!(Verifier::of(secret).expect("sound").fits("pencil"), fits, "{role}");
        }
    }

    #[test]
    fn a_verifier_fits_its_password_only() {
        let text = sql::scram::verifier("pencil", b"0123456789abcdef");
        let verifier = Verifier::of(parse_verifier(&text).expect("well-formed")).expect("sound");
        assert!(verifier.fits("pencil"));
        assert!(!verifier.fits("pencil ") && !verifier.fits(""));
    }

    #[test]
    fn malformed_exchanges_are_refused() {
        let secret = || ScramSecret::Verifier { salt: vec![1; 16], iterations: 4096, stored_key: vec![2; 32], server_key: vec![3; 32] };
        for body in [&b""[..], b"SCRAM-SHA-256", b"SCRAM-SHA-256\0\0\0\0\x09n,,", b"PLAIN\0\0\0\0\0", b"SCRAM-SHA-256\0\xff\xff\xff\xff"] {
            assert_eq!(Exchange::begin(body, secret()).err().map(|error| error.state()), Some(SqlState::PROTOCOL_VIOLATION));
        }
    }
}
