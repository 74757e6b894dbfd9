//! TLS settings for connections between nodes: 1.3 only, both sides verified against the cluster's authority.

use crate::identity::{ANY_NODE, ClusterKeys, NodeKeys, sha256};
use base::{Error, Result, SqlState};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use std::sync::Arc;

/// Application protocols (ALPN) on the port for nodes.
pub const PEER: &[u8] = b"florin-peer/1";
pub const JOIN: &[u8] = b"florin-join/1";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn faulty(error: impl std::fmt::Display) -> Error {
    Error::new(SqlState::DATA_CORRUPTED, format!("TLS cannot be set up: {error}"))
}

fn roots(cluster: &ClusterKeys) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(cluster.ca_der()?).map_err(faulty)?;
    Ok(roots)
}

/// For the side that connects to a member.
///
/// # Errors
/// If keys are damaged.
pub fn connector(cluster: &ClusterKeys, node: &NodeKeys) -> Result<ClientConfig> {
    let (chain, key) = node.parse()?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(faulty)?
        .with_root_certificates(roots(cluster)?)
        .with_client_auth_cert(chain, key)
        .map_err(faulty)?;
    config.alpn_protocols = vec![PEER.to_vec()];
    Ok(config)
}

/// For the side that listens. A client without a certificate may only ask to join.
///
/// # Errors
/// If keys are damaged.
pub fn acceptor(cluster: &ClusterKeys, node: &NodeKeys) -> Result<ServerConfig> {
    let (chain, key) = node.parse()?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(cluster)?), provider())
        .allow_unauthenticated()
        .build()
        .map_err(faulty)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(faulty)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(faulty)?;
    config.alpn_protocols = vec![PEER.to_vec(), JOIN.to_vec()];
    Ok(config)
}

/// For a node that is no member yet and knows only the authority's fingerprint.
///
/// # Errors
/// None in practice: the settings are fixed.
pub fn joiner(ca_fingerprint: [u8; 32]) -> Result<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(faulty)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { authority: ca_fingerprint, provider: provider() }))
        .with_no_client_auth();
    config.alpn_protocols = vec![JOIN.to_vec()];
    Ok(config)
}

/// Application protocol (ALPN) of PostgreSQL's clients and of HTTP's.
pub const POSTGRESQL: &[u8] = b"postgresql";
pub const HTTP: &[u8] = b"http/1.1";

/// For clients of one of these protocols: TLS 1.2 as well, no client certificates.
///
/// # Errors
/// If the key does not fit the certificate.
pub fn for_clients(
    chain: Vec<CertificateDer<'static>>,
    key: rustls::pki_types::PrivateKeyDer<'static>,
    protocol: &[u8],
) -> Result<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(faulty)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(faulty)?;
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

/// For a side that holds no authority's certificate: takes for proof, beside the handshake's signature, one of exactly the authority whose fingerprint the
/// join token carries.
#[derive(Debug)]
struct Verifier {
    authority: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let unknown = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let authority = intermediates.iter().find(|certificate| sha256(certificate) == self.authority).ok_or_else(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider)).build().map_err(|_| unknown())?;
        let name = ServerName::try_from(ANY_NODE).expect("a valid name");
        verifier.verify_server_cert(end_entity, intermediates, &name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
