//! Notes, keys and signatures that other implementations made.

use proof::note::{NoteSignature, SIGNATURES_MAX, SignedNote};
use proof::{Error, KeyKind, SigningKey, VerifierKey};

/// golang.org/x/mod/sumdb/note, the package's example.
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
/// The private key of the same example, without its type's byte.
const GO_SEED: &str = "810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173";

/// A checkpoint of a public log with the signatures of its log and of a witness (tests of the Python package tlog-scales).
const PUBLIC_NOTE: &str = "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n\u{2014} arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n\u{2014} arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n\u{2014} remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n";
const PUBLIC_LOG: &str = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
const PUBLIC_WITNESS: &str = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";

fn key(text: &str) -> VerifierKey {
    VerifierKey::parse(text).expect("a good key")
}

/// The results of all signatures of the note that name the key.
fn verified(note: &str, key: &VerifierKey) -> Vec<Result<u64, Error>> {
    let note = SignedNote::parse(note).expect("a good note");
    let named = note.signatures().iter().filter(|signature| key.is_named_by(signature));
    named.map(|signature| key.verify(note.text(), signature)).collect()
}

#[test]
fn a_note_of_another_implementation_verifies_and_is_signed_byte_for_byte() {
    assert_eq!(verified(GO_NOTE, &key(GO_KEY)), [Ok(0)]);
    assert_eq!(key(GO_KEY).to_string(), GO_KEY);
    let seed = std::array::from_fn(|at| u8::from_str_radix(&GO_SEED[2 * at..2 * at + 2], 16).expect("hexadecimal"));
    let signer = SigningKey::from_seed("PeterNeumann", KeyKind::Log, &seed).expect("a good name");
    assert_eq!(signer.verifier(), &key(GO_KEY));
    let text = SignedNote::parse(GO_NOTE).expect("a good note").text().to_owned();
    let note = SignedNote::new(text.clone(), signer.sign(&text, 0)).expect("a good note");
    assert_eq!(note.to_string(), GO_NOTE);
    assert!(!format!("{signer:?}").contains(GO_SEED), "secrets are not printed");
}

#[test]
fn a_public_logs_checkpoint_and_its_witness_verify() {
    assert_eq!(verified(PUBLIC_NOTE, &key(PUBLIC_LOG)), [Ok(0)]);
    assert_eq!(verified(PUBLIC_NOTE, &key(PUBLIC_WITNESS)), [Ok(0x6a12_2120)]);
    let changed = PUBLIC_NOTE.replace("1432088532", "1432088533");
    assert!(matches!(verified(&changed, &key(PUBLIC_LOG))[..], [Err(Error::Signature { .. })]));
    assert!(matches!(verified(&changed, &key(PUBLIC_WITNESS))[..], [Err(Error::Signature { .. })]));
    assert_eq!(SignedNote::parse(PUBLIC_NOTE).expect("a good note").to_string(), PUBLIC_NOTE);
}

#[test]
fn a_key_is_refused_whatever_is_changed_or_missing() {
    for good in [GO_KEY, PUBLIC_WITNESS] {
        for start in 0..good.len() {
            for end in start + 1..=good.len() {
                assert_eq!(VerifierKey::parse(&good[start..end]).is_ok(), start == 0 && end == good.len(), "{}", &good[start..end]);
            }
        }
        for at in 0..good.len() {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] += 1;
            assert!(VerifierKey::parse(std::str::from_utf8(&bytes).expect("ASCII")).is_err(), "character {at}");
        }
    }
    assert!(VerifierKey::new("two words", KeyKind::Log, [0; 32]).is_err());
    assert!(VerifierKey::new("", KeyKind::Log, [0; 32]).is_err());
}

#[test]
fn notes_with_a_wrong_form_are_refused() {
    let text = |note: &str| matches!(SignedNote::parse(note), Err(Error::Malformed { .. }));
    let line = &GO_NOTE[GO_NOTE.find('\u{2014}').expect("a signature")..];
    assert!(text(""));
    assert!(text("text\n"));
    assert!(text("text\n\n"));
    assert!(text(&format!("text\n{line}")), "no empty line");
    assert!(text(&format!("text\n\n{}", line.trim_end())), "no newline at the end");
    assert!(text(&format!("te\txt\n\n{line}")), "a control character");
    assert!(text(&format!("text\n\n{line}\n")), "an empty line behind");
    assert!(text(&format!("text\n\n- {}", &line['\u{2014}'.len_utf8() + 1..])), "a minus instead of a dash");
    assert!(text("text\n\n\u{2014} name AAAA\n"), "no bytes");
    assert!(text("text\n\n\u{2014} name AAAAAA==\n"), "only the key's id");
    assert!(text("text\n\n\u{2014} na+me AAAAAAAA\n"), "a plus");
    assert!(text(&format!("text\n\n{}", line.repeat(SIGNATURES_MAX + 1))), "too many");
    assert!(SignedNote::parse(&format!("text\n\nmore\n\n{line}")).is_ok_and(|note| note.text() == "text\n\nmore\n"));
    assert!(NoteSignature::parse(line.trim_end()).is_ok_and(|signature| format!("{signature}\n") == line));
}
