//! Who is who among nodes: the cluster's certificate authority, each node's certificate, the join token.
//!
//! Every member holds the authority's key, so that any of them can admit a node: a member can read and change all data anyway.
//! Certificates do not expire; a node is shut out by removing it from the cluster.
//!
//! Files in `tls/` of the data directory: `cluster.json` (authority and token), readable by its owner only, and `ca.pem` for clients
//! that verify. A node makes itself a new certificate each time it starts.

use base::{Error, NodeId, Result, SqlState};
use node::config::EvidenceIdentity;
use proof::SigningSeed;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const FOLDER: &str = "tls";
const CLUSTER_FILE: &str = "cluster.json";
const CA_FILE: &str = "ca.pem";
const SECRET_BYTES: usize = 16;
const TOKEN_PREFIX: &str = "florin1";
/// Names of nodes in certificates end in this; nothing resolves them.
const DOMAIN: &str = "florin.internal";
/// A name in every node's certificate: a joining node does not know yet whom it talks to.
pub const ANY_NODE: &str = "any.florin.internal";

/// The cluster's authority and join secret, as each member keeps them.
#[derive(Clone, Serialize, Deserialize)]
pub struct ClusterKeys {
    /// Names the cluster: 32 hexadecimal digits.
    pub cluster: String,
    pub ca: String,
    pub ca_key: String,
    /// In hexadecimal.
    pub join_secret: String,
}

/// One node's certificate chain and private key, in PEM.
#[derive(Clone)]
pub struct NodeKeys {
    pub node: NodeId,
    pub certificate: String,
    pub key: String,
}

/// What a joining node is given by an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub join_secret: String,
    pub ca_fingerprint: [u8; 32],
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// Keeps the key that signs the ledger's evidence apart from every other use of the authority's.
const EVIDENCE_TAG: &[u8] = b"florin-ledger-signing/1\n";

impl ClusterKeys {
    /// What the ledger's evidence is signed with: made from the authority's key, so that every member has it, whoever leads, and an auditor
    /// pins one key for each log. A member can change all data anyway; what it signed once it cannot take back.
    pub fn evidence(&self) -> EvidenceIdentity {
        let seed = SigningSeed(sha256(&[EVIDENCE_TAG, self.ca_key.as_bytes()].concat()));
        EvidenceIdentity { cluster: self.cluster.clone(), seed }
    }

    /// Makes a new cluster's authority.
    ///
    /// # Errors
    /// If the machine gives no randomness.
    pub fn make() -> Result<ClusterKeys> {
        let cluster = hex(&crate::postgres::credentials::random::<16>());
        let key = KeyPair::generate().map_err(faulty)?;
        let certificate = authority(&cluster).self_signed(&key).map_err(faulty)?;
        let join_secret = hex(&crate::postgres::credentials::random::<SECRET_BYTES>());
        Ok(ClusterKeys { cluster, ca: certificate.pem(), ca_key: key.serialize_pem(), join_secret })
    }

    /// Makes a node's certificate, also good for clients that reach the node by one of `hosts`.
    ///
    /// # Errors
    /// If the authority's key is damaged.
    pub fn issue(&self, node: NodeId, hosts: &[String]) -> Result<NodeKeys> {
        let issuer = Issuer::new(authority(&self.cluster), KeyPair::from_pem(&self.ca_key).map_err(faulty)?);
        let mut names = vec![node_name(node), ANY_NODE.to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        names.extend(hosts.iter().filter(|host| !names.contains(host)).cloned().collect::<Vec<_>>());
        let mut params = CertificateParams::new(names).map_err(faulty)?;
        params.distinguished_name = name(&format!("node {} of {}", node.0, self.cluster));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(faulty)?;
        let certificate = params.signed_by(&key, &issuer).map_err(faulty)?;
        Ok(NodeKeys { node, certificate: certificate.pem() + &self.ca, key: key.serialize_pem() })
    }

    /// # Errors
    /// If the authority's certificate is damaged.
    pub fn ca_der(&self) -> Result<CertificateDer<'static>> {
        CertificateDer::from_pem_slice(self.ca.as_bytes()).map_err(faulty)
    }

    /// # Errors
    /// If the authority's certificate is damaged.
    pub fn token(&self) -> Result<String> {
        Ok(format!("{TOKEN_PREFIX}-{}-{}", self.join_secret, hex(&sha256(&self.ca_der()?))))
    }

    pub fn is_secret(&self, offered: &str) -> bool {
        // All bytes are compared, so that the time taken tells nothing about where they differ.
        offered.len() == self.join_secret.len() && offered.bytes().zip(self.join_secret.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
    }

    /// # Errors
    /// If there is a file already, or it cannot be written.
    pub fn save(&self, data: &Path) -> Result<()> {
        save(data, CLUSTER_FILE, &serde_json::to_vec_pretty(self).map_err(faulty)?, 0o600)?;
        save(data, CA_FILE, self.ca.as_bytes(), 0o644)
    }

    /// # Errors
    /// If the file is missing or damaged.
    pub fn load(data: &Path) -> Result<ClusterKeys> {
        load(data, CLUSTER_FILE)
    }

    pub fn exist(data: &Path) -> bool {
        path(data, CLUSTER_FILE).exists()
    }
}

impl NodeKeys {
    /// # Errors
    /// If they are damaged.
    pub fn parse(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        parse_pem(self.certificate.as_bytes(), self.key.as_bytes())
    }
}

/// # Errors
/// If either is no PEM or has nothing of its kind in it.
pub fn parse_pem(certificates: &[u8], key: &[u8]) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain = CertificateDer::pem_slice_iter(certificates).collect::<std::result::Result<Vec<_>, _>>().map_err(faulty)?;
    if chain.is_empty() {
        return Err(faulty("no certificate found"));
    }
    Ok((chain, PrivateKeyDer::from_pem_slice(key).map_err(faulty)?))
}

impl Token {
    /// # Errors
    /// `22023` if it is no token.
    pub fn parse(text: &str) -> Result<Token> {
        let wrong = || {
            Error::new(SqlState::INVALID_PARAMETER_VALUE, "this is no join token")
                .with_hint("a token looks like florin1-…-…; `florin cluster init` prints it")
        };
        let mut parts = text.trim().split('-');
        let (Some(TOKEN_PREFIX), Some(secret), Some(fingerprint), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let fingerprint = unhex(fingerprint).and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)?;
        if unhex(secret).is_none_or(|bytes| bytes.len() != SECRET_BYTES) {
            return Err(wrong());
        }
        Ok(Token { join_secret: secret.to_owned(), ca_fingerprint: fingerprint })
    }
}

/// The name of a node in its certificate.
pub fn node_name(node: NodeId) -> String {
    format!("node-{}.{DOMAIN}", node.0)
}

/// The node that a verified certificate belongs to.
pub fn node_of(certificate: &CertificateDer) -> Option<NodeId> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    certificate.valid_dns_names().find_map(|name| {
        let number = name.strip_prefix("node-")?.strip_suffix(DOMAIN)?.strip_suffix('.')?;
        number.parse().ok().map(NodeId)
    })
}

fn authority(cluster: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(&format!("Florin cluster {cluster}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

fn path(data: &Path, file: &str) -> PathBuf {
    data.join(FOLDER).join(file)
}

fn save(data: &Path, file: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let folder = data.join(FOLDER);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| Error::new(SqlState::IO_ERROR, format!("{}: {error}", folder.display())))?;
    crate::directory::write(&folder, file, bytes, mode)
}

fn load<T: for<'a> Deserialize<'a>>(data: &Path, file: &str) -> Result<T> {
    let path = path(data, file);
    let bytes =
        std::fs::read(&path).map_err(|error| Error::new(SqlState::IO_ERROR, format!("{} could not be read: {error}", path.display())))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::new(SqlState::DATA_CORRUPTED, format!("{} is damaged: {error}", path.display())))
}

fn faulty(error: impl std::fmt::Display) -> Error {
    Error::new(SqlState::DATA_CORRUPTED, format!("a certificate or its key cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_known_by_its_certificate() {
        let cluster = ClusterKeys::make().expect("keys");
        let (chain, _) = cluster.issue(NodeId(7), &["db.example".to_owned()]).expect("a certificate").parse().expect("sound");
        assert_eq!(node_of(&chain[0]), Some(NodeId(7)));
        assert_eq!(node_of(&chain[1]), None, "the authority is no node");
    }

    #[test]
    fn a_token_comes_back_as_it_was_made() {
        let cluster = ClusterKeys::make().expect("keys");
        let token = Token::parse(&cluster.token().expect("a token")).expect("well-formed");
        assert!(cluster.is_secret(&token.join_secret));
        assert_eq!(token.ca_fingerprint, sha256(&cluster.ca_der().expect("sound")));
        assert!(!cluster.is_secret("00"));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", "florin1", "florin1-00-00", "florin2-a-b", "florin1-zz-ä", "florin1-00112233445566778899aabbccddeeff-ä"] {
            assert_eq!(Token::parse(text).expect_err("no token").state(), SqlState::INVALID_PARAMETER_VALUE);
        }
    }
}
