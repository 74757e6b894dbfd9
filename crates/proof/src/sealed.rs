//! Personal fields that can be forgotten. A record holds the field encrypted under its person's key; the leaf covers the ciphertext.
//! Destroying the key makes the field unreadable in the store, in every replica, backup and proof at once, and no proof breaks, for no
//! byte of a record changes.
//!
//! AES-256-GCM alone would let whoever knows two keys make one ciphertext that opens under both to different texts. An auditor could then
//! be told another name later. Therefore each field has a key of its own, derived from the person's with HKDF (RFC 5869), and the field
//! commits to it: Bellare and Hoang, "Efficient Schemes for Committing Authenticated Encryption" (2022). The nonce of 24 bytes goes into
//! the derivation, so random ones never meet.
//!
//! The nonce comes from the caller: sealing happens once, before a batch is proposed, with the machine's randomness; replicas only ever
//! see the sealed bytes. The key's memory is not wiped here: whoever keeps keys must see to theirs.

use crate::error::{Error, Result};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;

pub const KEY_ID_BYTES: usize = 16;
pub const NONCE_BYTES: usize = 24;
/// Longer fields are refused: a personal field is a name, an address or a reference, not a document.
pub const PLAINTEXT_BYTES_MAX: usize = 64 * 1024;

const VERSION: u8 = 1;
const COMMITMENT_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES + COMMITMENT_BYTES;
/// A field is filled up to a multiple of this, so that what remains of an erased name does not tell its length.
const PADDED_TO_BYTES: usize = 32;
const SALT: &[u8] = b"florin-sealed-field/1";

/// The secret of one person: 32 bytes of the machine's randomness. Erasing the person is destroying all copies of it.
pub struct PersonKey([u8; 32]);

impl PersonKey {
    pub fn new(secret: [u8; 32]) -> PersonKey {
        PersonKey(secret)
    }
}

impl std::fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonKey(not shown)")
    }
}

/// A sealed field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedField {
    /// Which person's key; says nothing about the person by itself.
    pub key_id: [u8; KEY_ID_BYTES],
    pub nonce: [u8; NONCE_BYTES],
    commitment: [u8; COMMITMENT_BYTES],
    /// The ciphertext with its tag: a multiple of 32 bytes, and 16.
    ciphertext: Vec<u8>,
}

impl SealedField {
    /// Encrypts a field. `context` names its place (the record's id and the field's name): sealed bytes that are moved elsewhere do not
    /// open. The nonce must be new and random for each call.
    ///
    /// # Errors
    /// `Range` for a plaintext above [`PLAINTEXT_BYTES_MAX`].
    pub fn seal(
        key: &PersonKey,
        key_id: [u8; KEY_ID_BYTES],
        nonce: [u8; NONCE_BYTES],
        context: &[u8],
        plaintext: &[u8],
    ) -> Result<SealedField> {
        if plaintext.len() > PLAINTEXT_BYTES_MAX {
            return Err(Error::Range(format!("a sealed field has at most {PLAINTEXT_BYTES_MAX} bytes, not {}", plaintext.len())));
        }
        let (field_key, commitment) = derive(key, &key_id, &nonce)?;
        let mut field = SealedField { key_id, nonce, commitment, ciphertext: pad(plaintext) };
        let aad = Aad::from([&field.header()[..], context].concat());
        field_key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key([0; 12]), aad, &mut field.ciphertext)
            .map_err(|_| Error::Sealed("the library cannot encrypt it"))?;
        Ok(field)
    }

    /// # Errors
    /// `Sealed` if key, context or a single bit are not those of [`SealedField::seal`].
    pub fn open(&self, key: &PersonKey, context: &[u8]) -> Result<Vec<u8>> {
        let (field_key, commitment) = derive(key, &self.key_id, &self.nonce)?;
        // Not secret: it stands in the record. So no care is needed about the time that comparing takes.
        if commitment != self.commitment {
            return Err(Error::Sealed("it was sealed with another key"));
        }
        let aad = Aad::from([&self.header()[..], context].concat());
        let mut bytes = self.ciphertext.clone();
        let padded = field_key
            .open_in_place(Nonce::assume_unique_for_key([0; 12]), aad, &mut bytes)
            .map_err(|_| Error::Sealed("it was changed, or belongs to another place"))?;
        unpad(padded).map(<[u8]>::to_vec)
    }

    /// Version 1: version (1 byte), key id (16), nonce (24), commitment (32), ciphertext with its tag (48 at least).
    pub fn encode(&self) -> Vec<u8> {
        [&self.header()[..], &self.ciphertext].concat()
    }

    /// # Errors
    /// `Version` for that of a later build, `Malformed` for a length that no field has.
    pub fn decode(bytes: &[u8]) -> Result<SealedField> {
        let wrong = || Error::malformed("a sealed field", format!("no field has {} bytes", bytes.len()));
        let (version, rest) = bytes.split_first().ok_or_else(wrong)?;
        if *version != VERSION {
            return Err(Error::Version { what: "a sealed field", version: u64::from(*version) });
        }
        let (key_id, rest) = rest.split_first_chunk().ok_or_else(wrong)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or_else(wrong)?;
        let (commitment, ciphertext) = rest.split_first_chunk().ok_or_else(wrong)?;
        let padded = ciphertext.len().checked_sub(TAG_BYTES).ok_or_else(wrong)?;
        if padded == 0 || padded % PADDED_TO_BYTES != 0 || padded > PLAINTEXT_BYTES_MAX + PADDED_TO_BYTES {
            return Err(wrong());
        }
        Ok(SealedField { key_id: *key_id, nonce: *nonce, commitment: *commitment, ciphertext: ciphertext.to_vec() })
    }

    fn header(&self) -> [u8; HEADER_BYTES] {
        let mut header = [VERSION; HEADER_BYTES];
        let (key_id, rest) = header[1..].split_at_mut(KEY_ID_BYTES);
        let (nonce, commitment) = rest.split_at_mut(NONCE_BYTES);
        key_id.copy_from_slice(&self.key_id);
        nonce.copy_from_slice(&self.nonce);
        commitment.copy_from_slice(&self.commitment);
        header
    }
}

struct OutputBytes(usize);

impl hkdf::KeyType for OutputBytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// The field's own key and the commitment to it: HKDF-SHA-256 with the person's key as input, [`SALT`] as salt and key id and nonce as
/// info; 32 bytes each.
fn derive(key: &PersonKey, key_id: &[u8], nonce: &[u8]) -> Result<(LessSafeKey, [u8; COMMITMENT_BYTES])> {
    let failed = |_| Error::Sealed("the library cannot derive its key");
    let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(&key.0);
    let mut bytes = [0; 32 + COMMITMENT_BYTES];
    pseudorandom.expand(&[key_id, nonce], OutputBytes(bytes.len())).and_then(|output| output.fill(&mut bytes)).map_err(failed)?;
    let (field_key, commitment) = bytes.split_at(32);
    let field_key = UnboundKey::new(&AES_256_GCM, field_key).map_err(failed)?;
    Ok((LessSafeKey::new(field_key), commitment.try_into().expect("the second half has 32 bytes")))
}

/// ISO/IEC 7816-4: `80`, then zeros.
fn pad(plaintext: &[u8]) -> Vec<u8> {
    let mut padded = Vec::with_capacity(plaintext.len() + PADDED_TO_BYTES + TAG_BYTES);
    padded.extend(plaintext);
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(PADDED_TO_BYTES), 0);
    padded
}

fn unpad(padded: &[u8]) -> Result<&[u8]> {
    let end = padded.iter().rposition(|byte| *byte != 0).filter(|end| padded[*end] == 0x80);
    end.map(|end| &padded[..end]).ok_or(Error::Sealed("its padding is wrong"))
}
