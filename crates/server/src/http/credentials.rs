//! Who asks: HTTP Basic (RFC 7617) with the database's roles, checked as the PostgreSQL port checks them.
//!
//! A password is what travels, so it is taken encrypted, or from the machine itself. As there, a cluster in which no role has a password trusts
//! clients of the machine itself and nobody else.

use super::problem::Problem;
use super::wire::Head;
use crate::postgres::credentials::{Credentials, Method, Verifier};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The role of who gives no name where no name need be proved: the one that a new cluster has.
const TRUSTED_ROLE: &str = "florin";
/// Passwords that are checked at once: each costs thousands of hashes.
const CHECKS_MAX: usize = 2;
const NAME_BYTES_MAX: usize = 1 << 10;

pub struct Gate {
    credentials: Arc<Credentials>,
    checks: Arc<Semaphore>,
}

/// What a connection has proved. It holds as long as the role keeps that password.
pub struct Proved {
    authorization: String,
    verifier: Verifier,
}

impl Gate {
    pub fn new(credentials: Arc<Credentials>) -> Gate {
        Gate { credentials, checks: Arc::new(Semaphore::new(CHECKS_MAX)) }
    }

    /// The role that asks.
    ///
    /// # Errors
    /// 401 without sound credentials, 403 if they may not travel that way, 503 if the node does not know its roles yet.
    pub async fn role(&self, head: &Head, from: SocketAddr, encrypted: bool, proved: &mut Option<Proved>) -> Result<String, Problem> {
        let is_near = from.ip().to_canonical().is_loopback();
        if !encrypted && !is_near {
            return Err(Problem::new(403, "unencrypted", "from another machine this is answered over TLS only").with_hint("Use https."));
        }
        let given = head.authorization.as_deref().map(basic).transpose()?;
        let role = given.as_ref().map_or(TRUSTED_ROLE, |(role, _)| role.as_str());
        let verifier = match self.credentials.method(role, from.ip()).await? {
            Method::Trust => return trusted(head, role),
            Method::Scram(secret) => Verifier::of(secret)?,
        };
        let Some((role, password)) = given else { return Err(Problem::new(401, "unauthorized", "this needs a role and its password")) };
        let authorization = head.authorization.clone().unwrap_or_default();
        if proved.as_ref().is_some_and(|proved| proved.authorization == authorization && proved.verifier == verifier) {
            return Ok(role);
        }
        *proved = None;
        if !self.check(password, verifier.clone()).await? {
            return Err(Problem::new(401, "unauthorized", format!("password authentication failed for role \"{role}\"")));
        }
        *proved = Some(Proved { authorization, verifier });
        Ok(role)
    }

    async fn check(&self, password: String, verifier: Verifier) -> Result<bool, Problem> {
        let stopping = || Problem::new(503, "stopping", "the node is stopping");
        let permit = Arc::clone(&self.checks).acquire_owned().await.map_err(|_| stopping())?;
        let work = tokio::task::spawn_blocking(move || {
            let fits = verifier.fits(&password);
            drop(permit);
            fits
        });
        work.await.map_err(|_| stopping())
    }
}

/// A page of another site may have its name resolved to this machine and so speak to who trusts the machine. Its requests name that site.
fn trusted(head: &Head, role: &str) -> Result<String, Problem> {
    let host = head.host.as_deref().unwrap_or("localhost");
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let is_here = name.eq_ignore_ascii_case("localhost") || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    if is_here { Ok(role.to_owned()) } else { Err(Problem::new(403, "foreign_host", format!("{host} is not the name of this machine"))) }
}

/// Role and password.
fn basic(value: &str) -> Result<(String, String), Problem> {
    let malformed = || Problem::new(401, "unauthorized", "the credentials are no HTTP Basic ones");
    let (scheme, encoded) = value.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(malformed)?;
    let (role, password) = decoded.split_once(':').ok_or_else(malformed)?;
    if role.is_empty() || role.len() > NAME_BYTES_MAX || decoded.contains('\0') {
        return Err(malformed());
    }
    Ok((role.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::wire::parse_head;

    #[test]
    fn basic_credentials_are_read() {
        assert_eq!(basic("Basic YWRhOmE6Yg==").ok(), Some(("ada".to_owned(), "a:b".to_owned())));
        for wrong in ["", "Basic", "Basic !", "Bearer YWRhOmE=", "Basic YWRh", "Basic OmE=", "Basic /w=="] {
            assert_eq!(basic(wrong).err().map(|problem| problem.status), Some(401), "{wrong}");
        }
    }

    #[test]
    fn the_machine_trusts_only_requests_that_mean_it() {
        for (host, good) in [("localhost:8080", true), ("127.0.0.1", true), ("[::1]:80", true), ("evil.example:8080", false), ("", false)] {
            let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let (head, _) = parse_head(text.as_bytes()).expect("sound").expect("whole");
            assert_eq!(trusted(&head, "ada").is_ok(), good, "{host}");
        }
    }
}
