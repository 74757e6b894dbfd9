//! From records to a verified proof file, and everything on the way that must be refused.

use base::{Prng, ShardId};
use proof::chain::{chain_start, verify_chain};
use proof::merkle::{Plan, Tile, TileSet};
use proof::note::SignedNote;
use proof::policy::Witnessed;
use proof::{
    BatchLink, Checkpoint, Error, EvidenceLog, Hash, KeyKind, Origin, Policy, ProofFile, SigningKey, Verified, VerifierKey, verify,
};
use serde_json::json;

const SHARD: ShardId = ShardId(3);

fn origin() -> Origin {
    Origin::new("pay.example", SHARD).expect("a good name")
}

fn log_key() -> SigningKey {
    SigningKey::from_seed(&origin().to_string(), KeyKind::Log, &[7; 32]).expect("a good name")
}

fn witness(number: u8) -> SigningKey {
    SigningKey::from_seed(&format!("witness.example/w{number}"), KeyKind::Witness, &[100 + number; 32]).expect("a good name")
}

fn policy(quorum: usize) -> Policy {
    let witnesses = (1..=3).map(|number| witness(number).verifier().clone()).collect();
    Policy::new(vec![log_key().verifier().clone()], witnesses, quorum).expect("a good policy")
}

fn record(index: u64) -> Vec<u8> {
    let mut prng = Prng::new(index);
    (0..16).flat_map(|_| prng.next_u64().to_le_bytes()).collect()
}

/// A shard with what it stored, and the batches it went through.
struct Shard {
    log: EvidenceLog,
    tiles: Vec<Tile>,
    links: Vec<BatchLink>,
    checkpoints: Vec<Checkpoint>,
}

impl Shard {
    fn with(batches: &[u64]) -> Shard {
        let mut shard = Shard { log: EvidenceLog::new(origin()), tiles: Vec::new(), links: Vec::new(), checkpoints: Vec::new() };
        for (number, count) in batches.iter().enumerate() {
            let first = shard.log.log().size();
            let records: Vec<Vec<u8>> = (first..first + count).map(record).collect();
            let timestamp = 1_795_380_000_000_000_000 + number as u64;
            let link = shard.log.append_batch(records.iter().map(Vec::as_slice), timestamp, &mut shard.tiles);
            shard.links.extend(link.expect("time goes on"));
            shard.checkpoints.push(shard.log.checkpoint());
        }
        shard
    }

    fn path(&self, plan: &Plan) -> Vec<Hash> {
        plan.build(&self.tiles.iter().chain(self.log.log().edge()).cloned().collect::<TileSet>()).expect("all is stored")
    }

    fn signed(&self, number: usize, witnesses: u8) -> SignedNote {
        let mut note = self.checkpoints[number].sign(&log_key()).expect("a good checkpoint");
        for number in 1..=witnesses {
            let signature = witness(number).sign(note.text(), 1_795_380_000);
            note.add(signature).expect("few signatures");
        }
        note
    }

    fn inclusion(&self, index: u64, witnesses: u8) -> ProofFile {
        let size = self.log.log().size();
        ProofFile::Inclusion {
            record: record(index),
            description: json!({ "kind": "transfer", "number": index }),
            leaf_index: index,
            path: self.path(&Plan::inclusion(index, size).expect("in the tree")),
            checkpoint: self.signed(self.checkpoints.len() - 1, witnesses).to_string(),
        }
    }

    fn consistency(&self, older: usize, newer: usize) -> ProofFile {
        let plan = Plan::consistency(self.checkpoints[older].size, self.checkpoints[newer].size).expect("in order");
        ProofFile::Consistency {
            older: self.signed(older, 2).to_string(),
            newer: self.signed(newer, 2).to_string(),
            path: self.path(&plan),
        }
    }
}

#[test]
fn a_proof_file_travels_and_convinces() {
    let shard = Shard::with(&[1, 300, 7, 900]);
    let file = shard.inclusion(250, 2);
    let travelled = ProofFile::parse(file.print().as_bytes()).expect("its own text");
    assert_eq!(travelled, file);
    let Ok(Verified::Included { origin: proven, leaf_index: 250, record: bytes, checkpoint }) = verify(&travelled, &policy(2)) else {
        panic!("a good proof is believed");
    };
    assert_eq!((proven, bytes, checkpoint.checkpoint.size), (origin(), record(250), 1_208));
    assert_eq!(checkpoint.witnesses.len(), 2);

    let file = shard.consistency(1, 3);
    let travelled = ProofFile::parse(file.print().as_bytes()).expect("its own text");
    assert!(matches!(verify(&travelled, &policy(2)), Ok(Verified::Consistent { .. })));
}

#[test]
fn what_is_forged_is_refused() {
    let shard = Shard::with(&[100, 200]);
    let good = shard.inclusion(42, 2);
    let ProofFile::Inclusion { record: bytes, description, leaf_index, path, checkpoint } = good.clone() else { unreachable!() };
    let with = |record: &[u8], leaf_index, checkpoint: &str| ProofFile::Inclusion {
        record: record.to_vec(),
        description: description.clone(),
        leaf_index,
        path: path.clone(),
        checkpoint: checkpoint.to_owned(),
    };
    assert!(verify(&good, &policy(2)).is_ok());
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(verify(&with(&changed, leaf_index, &checkpoint), &policy(2)), Err(Error::Disproved(_))), "bit {bit}");
    }
    assert!(matches!(verify(&with(&bytes, 43, &checkpoint), &policy(2)), Err(Error::Disproved(_))));
    assert!(matches!(verify(&with(&bytes, 300, &checkpoint), &policy(2)), Err(Error::Disproved(_))));
    let larger = checkpoint.replacen("\n300\n", "\n301\n", 1);
    assert_eq!(verify(&with(&bytes, 42, &larger), &policy(2)), Err(Error::Signature { key: origin().to_string() }));
    assert!(matches!(verify(&good, &policy(3)), Err(Error::Policy(_))), "two of three witnesses are not three");
    assert!(verify(&shard.inclusion(42, 0), &policy(0)).is_ok(), "a policy may ask for no witness");
}

#[test]
fn every_changed_character_of_a_signed_checkpoint_is_noticed() {
    let note = Shard::with(&[5]).signed(0, 3).to_string();
    let good = policy(3).verify(&note).expect("signed by all");
    for (at, character) in note.char_indices() {
        let end = at + character.len_utf8();
        for other in ['A', 'b', '0', '+', ' ', '\n', '\u{2014}'] {
            let changed = format!("{}{other}{}", &note[..at], &note[end..]);
            assert!(changed == note || policy(3).verify(&changed).is_err(), "{character:?} to {other:?} at {at}");
        }
        let shorter = format!("{}{}", &note[..at], &note[end..]);
        assert!(policy(3).verify(&shorter).is_err(), "without {character:?} at {at}");
    }
    assert_eq!(policy(3).verify(&note), Ok(good));
}

#[test]
fn keys_that_a_policy_does_not_name_convince_nobody() {
    let shard = Shard::with(&[5]);
    let stranger = |name: &str, kind| SigningKey::from_seed(name, kind, &[66; 32]).expect("a good name");
    let by_stranger = shard.checkpoints[0].sign(&stranger("florin/pay.example/3", KeyKind::Log)).expect("a good checkpoint");
    assert!(matches!(policy(0).verify(&by_stranger.to_string()), Err(Error::Policy(_))));
    let mut note = shard.signed(0, 1);
    let signature = stranger("witness.example/w2", KeyKind::Witness).sign(note.text(), 5);
    note.add(signature).expect("few signatures");
    assert!(matches!(policy(2).verify(&note.to_string()), Err(Error::Policy(_))), "a stranger's signature counts for nothing");
    assert!(policy(1).verify(&note.to_string()).is_ok(), "and harms nothing");
    // The same key twice is one witness.
    let signature = witness(1).sign(note.text(), 9);
    note.add(signature).expect("few signatures");
    assert!(matches!(policy(2).verify(&note.to_string()), Err(Error::Policy(_))));
    assert_eq!(policy(1).verify(&note.to_string()).expect("one is enough").witnesses["witness.example/w1"], 1_795_380_000);
    // A log's key for another shard.
    let elsewhere = Checkpoint { origin: Origin::new("pay.example", ShardId(4)).expect("a good name"), ..shard.checkpoints[0].clone() };
    assert!(matches!(elsewhere.sign(&log_key()), Err(Error::Policy(_))), "nor is it used by mistake");
    let text = elsewhere.text();
    let note = SignedNote::new(text.clone(), log_key().sign(&text, 0)).expect("a good note").to_string();
    assert!(matches!(policy(0).verify(&note), Err(Error::Policy(_))));
}

#[test]
fn a_policy_that_could_be_cheated_is_refused() {
    let log = log_key().verifier().clone();
    let one = witness(1).verifier().clone();
    let same_key = VerifierKey::new("witness.example/alias", KeyKind::Witness, *one.public()).expect("a good name");
    let logs_own = VerifierKey::new("witness.example/own", KeyKind::Witness, *log.public()).expect("a good name");
    let refused = |logs: &[&VerifierKey], witnesses: &[&VerifierKey], quorum| {
        let keys = |keys: &[&VerifierKey]| keys.iter().map(|key| (*key).clone()).collect::<Vec<_>>();
        assert!(matches!(Policy::new(keys(logs), keys(witnesses), quorum), Err(Error::Policy(_))));
    };
    refused(&[], &[&one], 1);
    refused(&[&one], &[], 0);
    refused(&[&log], &[&log], 0);
    refused(&[&log], &[&one], 2);
    refused(&[&log], &[&one, &same_key], 2);
    refused(&[&log], &[&one, &one], 2);
    refused(&[&log], &[&logs_own], 1);
}

#[test]
fn a_witness_signs_only_what_continues_what_it_signed() {
    let shard = Shard::with(&[10, 20, 30]);
    let log = log_key().verifier().clone();
    let cosign = |witnessed: Witnessed, shard: &Shard, number: usize| {
        let note = shard.signed(number, 0).to_string();
        let plan = Plan::consistency(witnessed.size, shard.checkpoints[number].size);
        let path = plan.map(|plan| shard.path(&plan)).unwrap_or_default();
        witnessed.cosign(&log, &note, &path, &witness(1), 77)
    };
    let (first, _) = cosign(Witnessed::default(), &shard, 0).expect("the first one");
    let (second, signature) = cosign(first, &shard, 2).expect("it continues");
    assert_eq!((second.size, second.root), (60, shard.checkpoints[2].root));
    assert_eq!(witness(1).verifier().verify(&shard.checkpoints[2].text(), &signature), Ok(77));
    assert!(matches!(cosign(second, &shard, 1), Err(Error::Disproved(_))), "never back");
    let mut forked = Shard::with(&[10]);
    let other = [b"another past".as_slice(); 50];
    forked.log.append_batch(other, u64::MAX, &mut forked.tiles).expect("time goes on");
    forked.checkpoints.push(forked.log.checkpoint());
    assert!(matches!(cosign(second, &forked, 1), Err(Error::Disproved(_))), "never another tree of the same size");
    assert!(cosign(first, &forked, 1).is_ok(), "which it cannot know before it has seen the first");
}

#[test]
fn checkpoints_of_two_pasts_are_not_consistent() {
    let (one, other) = (Shard::with(&[10, 20]), Shard::with(&[11, 20]));
    let ProofFile::Consistency { older, .. } = one.consistency(0, 1) else { unreachable!() };
    let ProofFile::Consistency { newer, path, .. } = other.consistency(0, 1) else { unreachable!() };
    assert!(matches!(verify(&ProofFile::Consistency { older, newer, path }, &policy(2)), Err(Error::Disproved(_))));
    // The same leaves in other batches: one tree, two chains.
    let (one, other) = (Shard::with(&[10, 20]), Shard::with(&[20, 10]));
    let (older, newer) = (one.signed(1, 2).to_string(), other.signed(1, 2).to_string());
    assert_eq!(one.log.log().root(), other.log.log().root());
    assert!(matches!(verify(&ProofFile::Consistency { older, newer, path: Vec::new() }, &policy(2)), Err(Error::Disproved(_))));
}

#[test]
fn a_chain_of_batches_leads_to_its_checkpoint_and_nowhere_else() {
    let shard = Shard::with(&[3, 0, 500, 1]);
    let checkpoint = shard.log.checkpoint();
    assert_eq!(shard.links.len(), 3, "a batch without records leaves no trace");
    assert_eq!(verify_chain(shard.links.iter().copied(), &checkpoint), Ok(()));
    assert_eq!(verify_chain([], &EvidenceLog::new(origin()).checkpoint()), Ok(()));
    let changes: [fn(&mut Vec<BatchLink>); 7] = [
        |links| links[1].timestamp += 1,
        |links| links[1].count -= 1,
        |links| links[0].root = Hash::default(),
        |links| links.swap(0, 1),
        |links| links.truncate(2),
        |links| links[2].shard = ShardId(9),
        |links| links[1].count = u64::MAX,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut links = shard.links.clone();
        change(&mut links);
        assert!(matches!(verify_chain(links, &checkpoint), Err(Error::Disproved(_))), "change {number}");
    }
}

#[test]
fn the_bytes_of_the_chain_stay_what_they_are() {
    let root = Hash([0xab; 32]);
    let link = BatchLink { shard: SHARD, first_index: 5, count: 2, root, timestamp: 0x0102_0304_0506_0708 };
    let previous = chain_start(&origin());
    assert_eq!(previous, Hash::of(&[b"florin-ledger-chain/1\nflorin/pay.example/3"]));
    let mut bytes = b"florin-ledger-batch/1\n".to_vec();
    bytes.extend(previous.0);
    bytes.extend([0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 2]);
    bytes.extend([0xab; 32]);
    bytes.extend([1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(bytes.len(), 114);
    assert_eq!(link.chain_after(previous), Hash::of(&[&bytes]));
}

#[test]
fn a_shard_that_restarts_has_the_same_evidence() {
    let shard = Shard::with(&[255, 1, 1, 70_000]);
    let bytes = shard.log.encode();
    let tiles: TileSet = shard.tiles.iter().chain(shard.log.log().edge()).cloned().collect();
    let needed = EvidenceLog::tiles_needed(&bytes).expect("its own bytes");
    assert!(needed.iter().all(|key| tiles.get(*key).is_some()));
    let opened = EvidenceLog::decode(origin(), &bytes, |key| tiles.get(key).cloned());
    assert_eq!(opened, Ok(shard.log.clone()));
    let elsewhere = Origin::new("pay.example", ShardId(4)).expect("a good name");
    assert!(matches!(EvidenceLog::decode(elsewhere, &bytes, |key| tiles.get(key).cloned()), Err(Error::Corrupt(_))));
    for end in 0..bytes.len() {
        assert!(EvidenceLog::decode(origin(), &bytes[..end], |key| tiles.get(key).cloned()).is_err(), "{end} bytes");
    }
    let mut later = bytes.clone();
    later[0] = 2;
    assert!(matches!(EvidenceLog::tiles_needed(&later), Err(Error::Version { version: 2, .. })));
    let mut log = shard.log.clone();
    assert!(matches!(log.append_batch([b"early".as_slice()], 5, &mut Vec::new()), Err(Error::Range(_))));
    assert_eq!(log, shard.log, "a refused batch changes nothing");
}

#[test]
fn a_description_is_checked_against_the_bytes() {
    let file = Shard::with(&[5]).inclusion(4, 0);
    assert_eq!(file.check_description(|_| Ok(json!({ "kind": "transfer", "number": 4 }))), Ok(()));
    assert!(matches!(file.check_description(|_| Ok(json!({ "kind": "transfer", "number": 5 }))), Err(Error::Disproved(_))));
    assert!(matches!(file.check_description(|_| Err("no such kind".to_owned())), Err(Error::Disproved(_))));
}

#[test]
fn files_that_are_not_of_the_format_are_told_apart() {
    let text = Shard::with(&[5]).inclusion(4, 0).print();
    let parse = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        ProofFile::parse(text.replacen(from, to, 1).as_bytes())
    };
    assert_eq!(parse("\"version\": 1", "\"version\": 2"), Err(Error::Version { what: "a proof file", version: 2 }));
    for (from, to) in [
        ("florin-ledger-proof", "florin"),
        ("\"inclusion\"", "\"exclusion\""),
        ("\"inclusion\"", "\"consistency\""),
        ("\"leaf_index\": 4", "\"leaf_index\": -4"),
        ("\"leaf_index\": 4", "\"leaf_index\": 4, \"leaf_index\": 4"),
        ("\"leaf_index\": 4", "\"leaf_index\": 4, \"more\": 4"),
        ("\"leaf_index\": 4,", ""),
        ("\"bytes\": \"", "\"bytes\": \"="),
        ("\"path\": [", "\"path\": [\"\","),
    ] {
        assert!(matches!(parse(from, to), Err(Error::Malformed { .. })), "{from} to {to}");
    }
}

/// The fixtures of version 1: what a later build must still read.
const INCLUSION: &str = include_str!("../testdata/inclusion-version-1.json");
const CONSISTENCY: &str = include_str!("../testdata/consistency-version-1.json");

#[test]
fn proof_files_of_version_1_are_written_and_read_as_they_were() {
    let shard = Shard::with(&[1, 300, 7, 900]);
    for (file, fixture) in [(shard.inclusion(250, 2), INCLUSION), (shard.consistency(1, 3), CONSISTENCY)] {
        assert_eq!(file.print(), fixture);
        let read = ProofFile::parse(fixture.as_bytes()).expect("version 1");
        assert_eq!(read, file);
        assert!(verify(&read, &policy(2)).is_ok());
    }
}

#[test]
fn the_bytes_of_the_state_stay_what_they_are() {
    let shard = Shard::with(&[3]);
    let hashes: Vec<Hash> = (0..3).map(|index| Hash::of_leaf(&record(index))).collect();
    let mut bytes = vec![1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3];
    bytes.extend(1_795_380_000_000_000_000u64.to_be_bytes());
    bytes.extend(shard.links[0].chain_after(chain_start(&origin())).0);
    bytes.extend(Hash::of_node(&hashes[0], &hashes[1]).0);
    bytes.extend(hashes[2].0);
    assert_eq!(shard.log.encode(), bytes);
    let tile: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
    assert_eq!(shard.log.log().edge().map(Tile::encode).collect::<Vec<_>>(), [tile]);
}

#[test]
fn a_policy_is_read_from_text() {
    let keys = [log_key(), witness(1), witness(2), witness(3)].map(|key| key.verifier().to_string());
    let [log, one, two, three] = &keys;
    let names =
        format!("# whom we believe\n\nlog {log} https://pay.example\n witness a {one}\nwitness\tb {two} https://w2\nwitness c {three}\n");
    let parse = |rest: &str| Policy::parse(&format!("{names}{rest}"));
    assert_eq!(parse("group g 2 a b c\nquorum g\n"), Ok(policy(2)));
    assert_eq!(parse("group g all a b c\nquorum g"), Ok(policy(3)));
    assert_eq!(parse("group g any a b c\nquorum g"), Ok(policy(1)));
    assert_eq!(parse("quorum none"), Policy::new(vec![log_key().verifier().clone()], Vec::new(), 0));
    assert_eq!(parse("quorum b"), Policy::new(vec![log_key().verifier().clone()], vec![witness(2).verifier().clone()], 1));
    for wrong in [
        "",
        "quorum d",
        "quorum a\nquorum b",
        "group g 0 a\nquorum g",
        "group g 2 a\nquorum g",
        "group g many a\nquorum g",
        "group g all\nquorum g",
        "group g all a b\ngroup h any g c\nquorum h",
        "group a any b\nquorum a",
        "witness none x",
        "quorum",
        "something else",
    ] {
        assert!(matches!(parse(wrong), Err(Error::Malformed { .. })), "{wrong}");
    }
    assert!(matches!(parse("group g 2 a a\nquorum g"), Err(Error::Policy(_))), "one witness counts once");
}
