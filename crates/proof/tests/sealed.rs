//! Personal fields: readable with their key, at their place, and never again once the key is gone.

use proof::Error;
use proof::sealed::{PLAINTEXT_BYTES_MAX, PersonKey, SealedField};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;

const KEY_ID: [u8; 16] = *b"person 000000007";
const CONTEXT: &[u8] = b"transfer 42, creditor name";

fn seal(plaintext: &[u8]) -> SealedField {
    SealedField::seal(&PersonKey::new([9; 32]), KEY_ID, [3; 24], CONTEXT, plaintext).expect("short enough")
}

#[test]
fn a_field_opens_with_its_key_at_its_place() {
    for length in [0, 1, 31, 32, 33, 1_000, PLAINTEXT_BYTES_MAX] {
        let plaintext = vec![0x80; length];
        let field = SealedField::decode(&seal(&plaintext).encode()).expect("its own bytes");
        assert_eq!(field, seal(&plaintext), "the same nonce gives the same bytes");
        assert_eq!(field.open(&PersonKey::new([9; 32]), CONTEXT), Ok(plaintext));
    }
}

#[test]
fn without_the_key_or_elsewhere_it_stays_closed() {
    let field = seal("Ada Lovelace".as_bytes());
    assert!(matches!(field.open(&PersonKey::new([8; 32]), CONTEXT), Err(Error::Sealed(_))));
    assert!(matches!(field.open(&PersonKey::new([9; 32]), b"transfer 43, creditor name"), Err(Error::Sealed(_))));
    let bytes = field.encode();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let opened = SealedField::decode(&changed).and_then(|field| field.open(&PersonKey::new([9; 32]), CONTEXT));
        assert!(opened.is_err(), "bit {bit}");
    }
    for end in 0..bytes.len() {
        let opened = SealedField::decode(&bytes[..end]).and_then(|field| field.open(&PersonKey::new([9; 32]), CONTEXT));
        assert!(opened.is_err(), "{end} bytes");
    }
}

struct Bytes;

impl hkdf::KeyType for Bytes {
    fn len(&self) -> usize {
        64
    }
}

#[test]
fn a_ciphertext_made_for_two_keys_opens_with_the_committed_one_only() {
    let own = seal(b"Ada Lovelace");
    let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, b"florin-sealed-field/1").extract(&[8; 32]);
    let mut derived = [0; 64];
    pseudorandom.expand(&[&KEY_ID, &[3; 24]], Bytes).and_then(|output| output.fill(&mut derived)).expect("64 bytes");
    // What the cipher itself accepts under the other key, below the header that commits to the first.
    let header = &own.encode()[..73];
    let mut forged = b"Charles Babbage\x80".to_vec();
    forged.resize(32, 0);
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &derived[..32]).expect("32 bytes"));
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    cipher.seal_in_place_append_tag(nonce, Aad::from([header, CONTEXT].concat()), &mut forged).expect("short");
    let field = SealedField::decode(&[header, &forged].concat()).expect("a good form");
    assert_eq!(field.open(&PersonKey::new([8; 32]), CONTEXT), Err(Error::Sealed("it was sealed with another key")));
}

#[test]
fn short_names_have_one_length_when_sealed() {
    let lengths: Vec<usize> =
        ["", "Bo", "Ada Lovelace", "thirty-one bytes of one person."].iter().map(|name| seal(name.as_bytes()).encode().len()).collect();
    assert_eq!(lengths, [121; 4]);
    assert!(!seal(b"Ada Lovelace").encode().windows(3).any(|bytes| bytes == b"Ada"));
}

#[test]
fn what_is_no_personal_field_is_refused() {
    let sealed = SealedField::seal(&PersonKey::new([9; 32]), KEY_ID, [3; 24], CONTEXT, &vec![0; PLAINTEXT_BYTES_MAX + 1]);
    assert!(matches!(sealed, Err(Error::Range(_))));
    assert!(matches!(SealedField::decode(&[2; 121]), Err(Error::Version { version: 2, .. })));
    assert!(!format!("{:?}", PersonKey::new([9; 32])).contains('9'), "secrets are not printed");
}

/// Made with Python's hmac and cryptography, from the module's description alone.
const VERSION_1: &str = concat!(
    "01706572736f6e20303030303030303037030303030303030303030303030303030303030303030303",
    "f57b5a12e3009c80acd45932d88d8e7e198ae61b9f216de075a3eb3dc5329219ec170d1d13aa7dfd",
    "ebd6591ee3c91c6f3716c5ee5ce701525e79ab86d049f86cbcff6b3a5b8aaba27c6a2f4663a6f6de",
);

#[test]
fn the_bytes_of_a_sealed_field_stay_what_they_are() {
    let hex: String = seal(b"Ada Lovelace").encode().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, VERSION_1);
}
