//! Ed25519 keys that sign notes: the log's own (signed-note, type `01`) and those of witnesses (tlog-cosignature, type `04`).

use crate::checkpoint::Origin;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::note::{NoteSignature, check_name};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fmt;

const WHAT: &str = "a verifier key";
const SIGNATURE_BYTES: usize = 64;

/// What a key's signature means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum KeyKind {
    /// The log states its tree: Ed25519 (RFC 8032) over the note's text.
    Log = 0x01,
    /// A witness states that it saw the tree only grow: 8 bytes of time (seconds since 1970, big-endian) and Ed25519 over
    /// `cosignature/v1\ntime SECONDS\n` and the note's text.
    Witness = 0x04,
}

/// A key to verify with. As text, a *vkey*: `NAME+ID+BASE64`, the id being 8 hexadecimal digits, the rest the kind's byte and the 32
/// bytes of the public key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    public: [u8; 32],
}

impl VerifierKey {
    /// # Errors
    /// `Malformed` for a name with a space, a plus or a control character.
    pub fn new(name: &str, kind: KeyKind, public: [u8; 32]) -> Result<VerifierKey> {
        check_name(name)?;
        Ok(VerifierKey { name: name.to_owned(), kind, public })
    }

    /// # Errors
    /// `Malformed` if the text is not a vkey, is of another kind than [`KeyKind`] has, or its id is not that of its key.
    pub fn parse(text: &str) -> Result<VerifierKey> {
        let wrong = |detail: &str| Error::malformed(WHAT, format!("{text:?}: {detail}"));
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("it is not NAME+ID+KEY"));
        };
        let bytes = STANDARD.decode(key).map_err(|error| wrong(&error.to_string()))?;
        let (kind, public) = bytes.split_first().ok_or_else(|| wrong("the key is empty"))?;
        let kind = match kind {
            0x01 => KeyKind::Log,
            0x04 => KeyKind::Witness,
            _ => return Err(wrong("it is neither an Ed25519 key (01) nor a witness's (04)")),
        };
        let public = public.try_into().map_err(|_| wrong("an Ed25519 key has 32 bytes"))?;
        let key = VerifierKey::new(name, kind, public)?;
        if id != hex(key.id()) {
            return Err(wrong(&format!("its id should be {}", hex(key.id()))));
        }
        Ok(key)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The first four bytes of `SHA-256(name || 0a || kind || public key)`.
    pub fn id(&self) -> [u8; 4] {
        let Hash([a, b, c, d, ..]) = Hash::of(&[self.name.as_bytes(), b"\n", &[self.kind as u8], &self.public]);
        [a, b, c, d]
    }

    /// True if the line says to be by this key.
    pub fn is_named_by(&self, signature: &NoteSignature) -> bool {
        signature.name == self.name && signature.key_id == self.id()
    }

    /// Checks a signature that names this key. Answers with the time of a witness, in seconds since 1970, and 0 for a log.
    ///
    /// # Errors
    /// `Signature` if it is not by this key or not over this text.
    pub fn verify(&self, text: &str, signature: &NoteSignature) -> Result<u64> {
        let wrong = || Error::Signature { key: self.name.clone() };
        if !self.is_named_by(signature) {
            return Err(wrong());
        }
        let (time, message, bytes) = match self.kind {
            KeyKind::Log => (0, text.to_owned(), &signature.signature[..]),
            KeyKind::Witness => {
                let (time, bytes) = signature.signature.split_first_chunk().ok_or_else(wrong)?;
                let time = u64::from_be_bytes(*time);
                (time, cosigned(text, time), bytes)
            }
        };
        if bytes.len() != SIGNATURE_BYTES {
            return Err(wrong());
        }
        UnparsedPublicKey::new(&ED25519, &self.public).verify(message.as_bytes(), bytes).map_err(|_| wrong())?;
        Ok(time)
    }
}

fn cosigned(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

fn hex(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[self.kind as u8], &self.public[..]].concat();
        write!(f, "{}+{}+{}", self.name, hex(self.id()), STANDARD.encode(bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key to sign with. Its text form for debugging is that of its verifier key: the secret is never printed.
pub struct SigningKey {
    verifier: VerifierKey,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// From the 32 secret bytes of RFC 8032, section 5.1.5, which the caller draws from the machine's randomness and keeps.
    ///
    /// # Errors
    /// `Malformed` for a name that a key cannot have.
    pub fn from_seed(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<SigningKey> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Error::malformed("a signing key", "the library refuses the seed"))?;
        let public =
            pair.public_key().as_ref().try_into().map_err(|_| Error::malformed("a signing key", "its public key has not 32 bytes"))?;
        Ok(SigningKey { verifier: VerifierKey::new(name, kind, public)?, pair })
    }

    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a note's text. `time` is that of a witness, in seconds since 1970; a log's signature has none.
    pub fn sign(&self, text: &str, time: u64) -> NoteSignature {
        let signature = match self.verifier.kind {
            KeyKind::Log => self.pair.sign(text.as_bytes()).as_ref().to_vec(),
            KeyKind::Witness => [&time.to_be_bytes(), self.pair.sign(cosigned(text, time).as_bytes()).as_ref()].concat(),
        };
        NoteSignature { name: self.verifier.name.clone(), key_id: self.verifier.id(), signature }
    }
}

/// The secret from which a node's keys for its logs are made, each named after its log. It is never printed.
#[derive(Clone)]
pub struct SigningSeed(pub [u8; 32]);

impl SigningSeed {
    /// The key for a log.
    ///
    /// # Errors
    /// As [`SigningKey::from_seed`].
    pub fn key(&self, origin: &Origin) -> Result<SigningKey> {
        SigningKey::from_seed(&origin.to_string(), KeyKind::Log, &self.0)
    }
}

impl fmt::Debug for SigningSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSeed")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifier)
    }
}
