//! `florin ledger prove`, `verify` and `cosign`: an auditor and a witness against a real node, also one whose disk somebody wrote to.

use crate::commands::Teller;
use crate::node::{ANSWER_MAX, Node, Scratch, florin};
use bytes::Bytes;
use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};
use storage::access::RECORDED_STORAGES;
use storage::rows::{Batch, FjallOptions, FjallRows, RowStores, Space};

const CASH: &str = "00000000-0000-0000-0000-0000000000a1";
const ADA: &str = "00000000-0000-0000-0000-0000000000b2";
const PAID: &str = "00000000-0000-0000-0000-000000000001";

fn books(node: &Node) {
    let teller = Teller(node);
    teller.done(&["define", "1", "euro", "--currency", "EUR"]);
    teller.done(&["open", "1", "10", "--id", CASH]);
    teller.done(&["open", "1", "20", "--id", ADA]);
    node.run(&format!("SELECT ledger.transfer('{PAID}', '{CASH}', '{ADA}', 1234)"));
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// Checks a file without a server: the exit code, and all that is said.
fn verify(file: &Path, policy: &Path) -> (i32, String) {
    let Output { status, stdout, stderr } =
        florin(&["ledger", "verify", text(file), "--keys", text(policy)]).output().expect("the program was built");
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    assert!(!said.contains("panicked"), "{said}");
    (status.code().expect("it ends by itself"), said)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(directory).expect("it is there").map(|entry| entry.expect("readable").path());
    all.filter(|path| path.extension().is_some_and(|extension| extension == "checkpoint")).collect()
}

#[test]
fn an_auditor_checks_a_record_and_the_past_without_the_server() {
    let scratch = Scratch::new("ledger-proofs");
    let node = Node::start(&scratch.path("data"), &[]);
    books(&node);
    let teller = Teller(&node);
    let [policy, proof, kept, consistency] = ["policy", "proof", "kept", "consistency"].map(|name| scratch.path(name));
    std::fs::write(&policy, teller.done(&["keys"])).expect("writable");
    teller.done(&["prove", PAID, "--out", text(&proof)]);
    let keep = ["checkpoints", "--keep", text(&kept)];
    teller.done(&keep);
    assert_eq!(teller.done(&keep).lines().count(), files(&kept).len());
    // As if the log had stated something else when it was kept.
    let first = files(&kept).remove(0);
    let honest = std::fs::read_to_string(&first).expect("UTF-8");
    let root = honest.lines().nth(2).expect("origin, size, root");
    std::fs::write(&first, honest.replace(root, &root.chars().rev().collect::<String>())).expect("writable");
    let (code, said) = teller.refused(&keep);
    assert!(code != 0 && said.contains("another tree of the same size"), "{said}");
    std::fs::write(&first, honest).expect("writable");
    node.run(&format!("SELECT ledger.transfer('00000000-0000-0000-0000-000000000002', '{CASH}', '{ADA}', 1)"));
    let timestamp = node.one("SELECT timestamp FROM ledger.entries LIMIT 1");
    let entry = scratch.path("entry");
    teller.done(&["prove", CASH, "--entry-at", &timestamp, "--out", text(&entry)]);
    for older in files(&kept) {
        teller.done(&["consistency", text(&older), "--out", text(&consistency)]);
        let (code, said) = verify(&consistency, &policy);
        assert!(code == 0 && said.contains("nothing was changed or taken out"), "{said}");
        assert_eq!(verify(&older, &policy).0, 0);
    }
    assert_eq!(teller.refused(&["prove", ADA]).0, 1, "there is no such transfer");
    // Nobody is asked any more.
    node.kill();
    let (code, said) = verify(&proof, &policy);
    assert!(code == 0 && said.contains("\"amount\": \"1234\""), "{said}");
    let (code, said) = verify(&entry, &policy);
    assert!(code == 0 && said.contains("ledger.entries"), "{said}");

    let honest = std::fs::read_to_string(&proof).expect("UTF-8");
    let at = honest.find("\"bytes\": \"").expect("the record's bytes") + 10;
    let flipped: String = honest.char_indices().map(|(i, c)| if i == at + 40 { if c == 'A' { 'B' } else { 'A' } } else { c }).collect();
    let forgeries =
        [flipped, honest.replace("\"1234\"", "\"1235\""), honest.replace("\"leaf_index\": ", "\"leaf_index\": 1"), String::new()];
    for forged in forgeries {
        assert_ne!(forged, honest);
        let path = scratch.path("forged");
        std::fs::write(&path, forged).expect("writable");
        let (code, said) = verify(&path, &policy);
        assert!(code == 1 && said.contains("NOT PROVED"), "{said}");
    }
}

#[test]
fn a_witness_signs_what_continues_what_it_signed_and_a_policy_can_ask_for_it() {
    let scratch = Scratch::new("ledger-witness");
    let mut node = Node::start(&scratch.path("data"), &[]);
    books(&node);
    let [policy, strict, proof, witness] = ["policy", "strict", "proof", "witness"].map(|name| scratch.path(name));
    let keys = Teller(&node).done(&["keys"]);
    std::fs::write(&policy, &keys).expect("writable");
    let cosign = ["cosign", "--keys", text(&policy), "--name", "witness.example", "--dir", text(&witness)];
    let said = Teller(&node).done(&cosign);
    let line = said.lines().next().expect("its key").trim_start_matches("# ").replacen("witness.example", "auditor", 1);
    std::fs::write(&strict, keys.replace("quorum none", &format!("{line}\nquorum auditor"))).expect("writable");
    let signed = files(&witness);
    let of_record = |teller: &Teller| {
        let in_it = |file: &&PathBuf| teller.refused(&["prove", PAID, "--checkpoint", text(file), "--out", text(&proof)]).0 == 0;
        signed.iter().find(in_it).cloned()
    };
    let checkpoint = of_record(&Teller(&node)).expect("one of the logs has it");
    let (code, said) = verify(&proof, &strict);
    assert!(code == 0 && said.contains("by its log and witness.example"), "{said}");
    // A proof that no witness saw.
    Teller(&node).done(&["prove", PAID, "--out", text(&proof)]);
    assert_eq!((verify(&proof, &policy).0, verify(&proof, &strict).0), (0, 1));

    // It goes on with a node that was started again.
    node.run(&format!("SELECT ledger.transfer('00000000-0000-0000-0000-000000000002', '{CASH}', '{ADA}', 1)"));
    node.kill();
    node = Node::start(&scratch.path("data"), &[]);
    Teller(&node).done(&cosign);
    // Of a log that is another one it signs nothing, whatever that one shows.
    drop(node);
    let other = Node::start(&scratch.path("other"), &[]);
    let (code, error) = Teller(&other).refused(&cosign);
    assert!(code != 0 && error.contains("is not signed with a key of the policy"), "{code} {error}");
    assert!(verify(&checkpoint, &strict).0 == 0, "what was signed stays");
}

/// The first stored transfer's last bit is turned over.
fn tamper(data: &Path) -> String {
    let rows = FjallRows::open(&data.join("rows"), FjallOptions::default()).expect("the node has ended");
    for shard in [base::ShardId(0), base::ShardId(1)] {
        let store = rows.open(shard).expect("it is there");
        let (start, end) = (RECORDED_STORAGES[0].0.to_be_bytes(), RECORDED_STORAGES[1].0.to_be_bytes());
        let mut found = None;
        store
            .scan(Space::Current, Bound::Included(&start), Bound::Excluded(&end), false, &mut |key, value| {
                found = Some((Bytes::copy_from_slice(key), value.to_vec()));
                ControlFlow::Break(())
            })
            .expect("readable");
        if let Some((key, mut value)) = found {
            *value.last_mut().expect("a row has bytes") ^= 1;
            // Behind the storage and the type's mark stands the id.
            let digits: String = key[5..].iter().map(|byte| format!("{byte:02x}")).collect();
            store.write(Batch { changes: vec![(Space::Current, key, Some(value.into()))] }).expect("written");
            store.sync().expect("durable");
            return format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..32]);
        }
    }
    panic!("no transfer was flushed");
}

#[test]
fn a_row_that_was_changed_on_the_disk_is_not_proved_and_the_scrub_tells_of_it() {
    let scratch = Scratch::new("ledger-tampered");
    let data = scratch.path("data");
    let node = Node::start(&data, &[]);
    books(&node);
    let id = |batch: u64, at: u64| format!("00000000-0000-0000-0000-{:012x}", 1_000_000 * batch + at);
    // So many that rows are flushed.
    for batch in 1..16 {
        let rows: Vec<String> = (0..2_000).map(|at| format!("('{}', '{CASH}', '{ADA}', {}, 1, 1)", id(batch, at), at + 1)).collect();
        node.run(&format!(
            "INSERT INTO ledger.transfers (id, debit_account, credit_account, amount, ledger, code) VALUES {}",
            rows.join(", ")
        ));
    }
    node.kill();
    let changed = tamper(&data);
    let node = Node::start(&data, &[]);
    let (code, error) = Teller(&node).refused(&["prove", &changed]);
    assert!(code == 1 && error.contains("is not what was committed"), "{changed}: {error}");
    Teller(&node).done(&["prove", &id(15, 100)]);
    let begun = Instant::now();
    while !node.ask("SELECT finding FROM florin.scrub").expect("a table").iter().any(|row| row[0].contains("are not what was committed")) {
        assert!(begun.elapsed() < ANSWER_MAX, "the scrub does not find it");
        std::thread::sleep(Duration::from_millis(100));
    }
}
