//! No bytes, however arbitrary or cunningly changed, make a parser or a verifier panic.

use base::{Prng, ShardId};
use proof::merkle::{Tile, TileKey, verify_consistency, verify_inclusion};
use proof::note::{NoteSignature, SignedNote};
use proof::sealed::{PersonKey, SealedField};
use proof::{Checkpoint, EvidenceLog, Hash, KeyKind, Origin, Policy, ProofFile, SigningKey, VerifierKey, verify};
use serde_json::json;

const INPUTS: usize = 60_000;

fn key() -> SigningKey {
    SigningKey::from_seed("florin/c/1", KeyKind::Log, &[1; 32]).expect("a good name")
}

fn seeds() -> Vec<Vec<u8>> {
    let mut log = EvidenceLog::new(Origin::new("c", ShardId(1)).expect("a good name"));
    log.append_batch([b"one".as_slice(), b"two", b"three"], 5, &mut Vec::new()).expect("time goes on");
    let checkpoint = log.checkpoint();
    let note = checkpoint.sign(&key()).expect("a good checkpoint");
    let path = vec![Hash::of_leaf(b"two"), Hash::of_leaf(b"three")];
    let file = ProofFile::Inclusion {
        record: b"one".to_vec(),
        description: json!({ "a": [1, 2.5, null, "x"] }),
        leaf_index: 0,
        path: path.clone(),
        checkpoint: note.to_string(),
    };
    let both = ProofFile::Consistency { older: note.to_string(), newer: note.to_string(), path };
    let field = SealedField::seal(&PersonKey::new([1; 32]), [2; 16], [3; 24], b"", b"Ada").expect("short");
    vec![
        file.print().into_bytes(),
        both.print().into_bytes(),
        note.to_string().into_bytes(),
        checkpoint.text().into_bytes(),
        key().verifier().to_string().into_bytes(),
        format!("log {}\ngroup a any b\nquorum none\n", key().verifier()).into_bytes(),
        log.encode(),
        field.encode(),
        vec![7; 32 * 5],
    ]
}

fn mutated(prng: &mut Prng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = prng.pick(seeds).clone();
    for _ in 0..prng.between(1, 6) {
        let at = prng.below(bytes.len() as u64 + 1) as usize;
        let byte = prng.next_u64() as u8;
        match prng.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, byte),
            2 => drop(bytes.get(at).is_some().then(|| bytes.remove(at))),
            3 => bytes.splice(at..at, prng.pick(seeds).iter().copied()).for_each(drop),
            4 => bytes.insert(at, *prng.pick(b"\n\n +-0{}[]\"/=")),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|there| *there ^= byte),
        }
    }
    bytes
}

fn feed(bytes: &[u8], policy: &Policy) {
    if let Ok(file) = ProofFile::parse(bytes) {
        // What was read is written and reads back the same.
        assert_eq!(ProofFile::parse(file.print().as_bytes()).as_ref(), Ok(&file));
        let _ = verify(&file, policy);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(note) = SignedNote::parse(text) {
            assert_eq!(SignedNote::parse(&note.to_string()), Ok(note));
        }
        if let Ok(checkpoint) = Checkpoint::parse(text) {
            assert_eq!(checkpoint.text(), text, "a checkpoint has one form");
        }
        let _ = (
            policy.verify(text),
            Policy::parse(text),
            NoteSignature::parse(text),
            VerifierKey::parse(text),
            Origin::parse(text),
            Hash::parse(text),
        );
    }
    if let Ok(field) = SealedField::decode(bytes) {
        assert_eq!(field.encode(), bytes);
        let _ = field.open(&PersonKey::new([1; 32]), b"");
    }
    let tile = |key| Tile::decode(key, bytes).ok();
    let _ = EvidenceLog::decode(Origin::new("c", ShardId(1)).expect("a good name"), bytes, tile);
    let _ = (EvidenceLog::tiles_needed(bytes), Tile::decode(TileKey { level: 255, index: u64::MAX }, bytes));
}

#[test]
fn no_parser_panics() {
    let seeds = seeds();
    let policy = Policy::new(vec![key().verifier().clone()], Vec::new(), 0).expect("a good policy");
    let mut prng = Prng::new(20_261_122);
    seeds.iter().for_each(|seed| feed(seed, &policy));
    for _ in 0..INPUTS {
        feed(&mutated(&mut prng, &seeds), &policy);
        let random: Vec<u8> = (0..prng.below(200)).map(|_| prng.next_u64() as u8).collect();
        feed(&random, &policy);
    }
}

#[test]
fn no_verifier_panics_on_any_numbers() {
    let mut prng = Prng::new(7);
    let mut number = || match prng.below(3) {
        0 => prng.below(20),
        1 => u64::MAX - prng.below(20),
        _ => prng.next_u64() >> prng.below(64),
    };
    for _ in 0..200_000 {
        let (a, b, length) = (number(), number(), number() % 70);
        let path = vec![Hash::EMPTY_ROOT; length as usize];
        assert!(verify_inclusion(Hash::default(), a, b, &path, Hash::EMPTY_ROOT).is_err());
        let _ = verify_consistency(a, Hash::EMPTY_ROOT, b, Hash::default(), &path);
        let _ = (proof::merkle::Plan::inclusion(a, b), proof::merkle::Plan::consistency(a, b));
    }
}
