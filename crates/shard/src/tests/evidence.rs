//! The ledger's evidence: what was committed is proved, what was changed behind the shard's back is found.

use super::cluster::*;
use base::{NodeId, ShardId, Version};
use bytes::Bytes;
use proof::merkle::{verify_consistency, verify_inclusion};
use proof::note::SignedNote;
use proof::{Checkpoint, Hash, KeyKind, Policy, VerifierKey};
use std::sync::Arc;
use storage::access::*;
use storage::packed::Packer;
use storage::rows::{Batch, RowStores, Space};

fn one() -> (Cluster, NodeId) {
    let mut cluster = Cluster::new(1);
    let leader = cluster.leader();
    (cluster, leader)
}

fn ask(cluster: &mut Cluster, node: NodeId, wanted: EvidenceRequest) -> Response {
    cluster.call(node, Request::Evidence(wanted))
}

fn evidence(response: Response) -> Evidence {
    match response {
        Response::Evidence(evidence) => evidence,
        other => panic!("{other:?}"),
    }
}

fn path(evidence: &Evidence) -> Vec<Hash> {
    evidence.path.iter().copied().map(Hash).collect()
}

/// The checkpoint, if its signature is that of the key that was given with it.
fn checkpoint(evidence: &Evidence) -> Checkpoint {
    let key = VerifierKey::parse(&evidence.key).unwrap();
    assert_eq!(key.kind(), KeyKind::Log);
    let policy = Policy::new(vec![key], Vec::new(), 0).unwrap();
    policy.verify(evidence.checkpoint.as_ref().unwrap()).unwrap().checkpoint
}

fn prove(cluster: &mut Cluster, node: NodeId, name: &str) -> Response {
    ask(cluster, node, EvidenceRequest::Inclusion { key: key(name), size: None })
}

/// The row is proved to be as it was committed.
fn assert_proved(cluster: &mut Cluster, node: NodeId, name: &str, row: &str) {
    let evidence = evidence(prove(cluster, node, name));
    let (record, index) = evidence.record.clone().unwrap();
    assert_eq!(proof::record::read_row(&record), Ok((&key(name)[..], row.as_bytes())));
    let tree = checkpoint(&evidence);
    assert_eq!(verify_inclusion(Hash::of_leaf(&record), index, tree.size, &path(&evidence), tree.root), Ok(()), "{name}");
}

fn size(cluster: &mut Cluster, node: NodeId) -> u64 {
    cluster.run(100);
    let evidence = cluster.shard(node).evidence().unwrap();
    assert!(evidence.idle);
    evidence.size
}

fn flush(cluster: &mut Cluster, node: NodeId) {
    cluster.shard(node).flush_now();
    cluster.run(500);
}

/// Changes one bit of a row in a store.
fn flip(cluster: &mut Cluster, node: NodeId, name: &str) {
    let store = cluster.members[&node].rows.open(SHARD).unwrap();
    let mut row = store.get(Space::Current, &key(name)).unwrap().unwrap().to_vec();
    *row.last_mut().unwrap() ^= 1;
    store.write(Batch { changes: vec![(Space::Current, key(name), Some(row.into()))] }).unwrap();
    store.sync().unwrap();
}

#[test]
fn a_record_is_proved_at_once_after_a_flush_and_after_a_crash() {
    let (mut cluster, node) = one();
    for i in 0..700 {
        cluster.put(node, &format!("k{i:03}"), &format!("row {i}"));
    }
    assert_proved(&mut cluster, node, "k699", "row 699");
    assert_proved(&mut cluster, node, "k000", "row 0");
    flush(&mut cluster, node);
    cluster.put(node, "later", "unflushed");
    for _ in 0..2 {
        for (name, row) in [("k000", "row 0"), ("k255", "row 255"), ("k699", "row 699"), ("later", "unflushed")] {
            assert_proved(&mut cluster, node, name, row);
        }
        assert_eq!(size(&mut cluster, node), 701);
        cluster.crash(node);
        cluster.start(node);
        cluster.leader();
    }
    assert_eq!(refused_with(&prove(&mut cluster, node, "never")), "42704");
}

#[test]
fn a_checkpoint_that_somebody_kept_is_the_beginning_of_every_later_one() {
    let (mut cluster, node) = one();
    let mut kept = Vec::new();
    for i in 0..40 {
        cluster.put(node, &format!("k{i}"), "row");
        if i % 7 == 0 {
            flush(&mut cluster, node);
        }
        let evidence = evidence(ask(&mut cluster, node, EvidenceRequest::Checkpoint));
        kept.push(checkpoint(&evidence));
    }
    cluster.crash(node);
    cluster.start(node);
    cluster.leader();
    for older in &kept {
        let request = EvidenceRequest::Consistency { older: older.size, newer: None };
        let evidence = evidence(ask(&mut cluster, node, request));
        let newer = checkpoint(&evidence);
        assert_eq!(verify_consistency(older.size, older.root, newer.size, newer.root, &path(&evidence)), Ok(()));
        let request = EvidenceRequest::Inclusion { key: key("k0"), size: Some(older.size) };
        let evidence = self::evidence(ask(&mut cluster, node, request));
        let (record, index) = evidence.record.clone().unwrap();
        assert_eq!(verify_inclusion(Hash::of_leaf(&record), index, older.size, &path(&evidence), older.root), Ok(()));
    }
    let beyond = EvidenceRequest::Consistency { older: 1, newer: Some(41) };
    assert_eq!(refused_with(&ask(&mut cluster, node, beyond)), "XX001");
}

fn packed(changes: &[(String, Option<String>)]) -> Bytes {
    let mut packer = Packer::default();
    for (name, row) in changes {
        packer.push(&key(name), row.as_ref().map(String::as_bytes));
    }
    packer.finish().bytes().clone()
}

#[test]
fn a_large_transaction_is_recorded_once_as_it_was_committed() {
    let (mut cluster, node) = one();
    cluster.put(node, "a", "before");
    let mut context = cluster.txn();
    let lock = Request::LockTables { context: context.clone(), tables: vec![TABLE], exclusive: true, wait: LockWait::Wait(None) };
    assert_eq!(cluster.call(node, lock), Response::Done);
    context.holds_locks = true;
    let row = |name: String| (name.clone(), Some(name));
    let parts: Vec<Vec<(String, Option<String>)>> = vec![
        (0..300).map(|i| row(format!("s{i:03}"))).collect(),
        // Some are written again, one is deleted again.
        vec![("s000".to_owned(), Some("anew".to_owned())), ("s001".to_owned(), None), row("t".to_owned())],
    ];
    for (part, changes) in parts.iter().enumerate() {
        let staged = Request::Stage { context: context.clone(), part: part as u32, changes: packed(changes) };
        assert_eq!(cluster.call(node, staged), Response::Done);
    }
    let writes = Arc::new(vec![put("s002", "with the commit", Version::ZERO), put("u", "u", Version::ZERO)]);
    let commit = Request::Commit { context, writes, reads: ReadSet::default(), parts: 2 };
    assert!(matches!(cluster.call(node, commit), Response::Committed { .. }));
    // 300 less one, t and u, and the one before.
    for _ in 0..2 {
        assert_eq!(size(&mut cluster, node), 302);
        for (name, row) in [("s000", "anew"), ("s002", "with the commit"), ("s003", "s003"), ("t", "t"), ("u", "u"), ("a", "before")] {
            assert_proved(&mut cluster, node, name, row);
        }
        flush(&mut cluster, node);
        cluster.run(7_000);
        cluster.crash(node);
        cluster.start(node);
        cluster.leader();
    }
}

fn prepare(cluster: &mut Cluster, node: NodeId, name: &str) -> (Context, Version) {
    let context = cluster.txn();
    let writes = Arc::new(vec![put(name, "prepared", Version::ZERO)]);
    let participants = vec![SHARD, ShardId(1)];
    let request = Request::Prepare { context: context.clone(), writes, reads: ReadSet::default(), parts: 0, participants };
    match cluster.call(node, request) {
        Response::Prepared { version } => (context, version),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_transaction_over_several_shards_is_recorded_with_its_decision() {
    let (mut cluster, node) = one();
    let (late, version) = prepare(&mut cluster, node, "late");
    let (never, _) = prepare(&mut cluster, node, "never");
    for i in 0..20 {
        cluster.put(node, &format!("k{i}"), "between");
    }
    assert_eq!(size(&mut cluster, node), 20);
    flush(&mut cluster, node);
    cluster.crash(node);
    cluster.start(node);
    cluster.leader();
    for (context, version) in [(&late, Some(version)), (&never, None)] {
        let decide = Request::Decide { txn: context.txn, version };
        assert_eq!(cluster.call(node, decide.clone()), Response::Done);
        assert_eq!(cluster.call(node, decide), Response::Done);
    }
    assert_eq!(size(&mut cluster, node), 21);
    assert_proved(&mut cluster, node, "late", "prepared");
    assert_proved(&mut cluster, node, "k19", "between");
    flush(&mut cluster, node);
    assert_proved(&mut cluster, node, "late", "prepared");
}

#[test]
fn what_was_lost_with_a_leader_is_in_no_tree() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    cluster.put(leader, "kept", "row");
    cluster.isolate(leader);
    let context = cluster.txn();
    cluster.ask(leader, commit_request(&context, vec![put("lost", "row", Version::ZERO)]));
    cluster.run_until(10_000, |cluster| cluster.leaders().iter().any(|other| *other != leader));
    cluster.heal();
    cluster.run(2_000);
    let now = cluster.leader();
    cluster.put(now, "after", "row");
    for node in [n(1), n(2), n(3)] {
        assert_eq!(size(&mut cluster, node), 2, "{node}");
    }
    cluster.assert_equal();
    assert_proved(&mut cluster, now, "after", "row");
}

#[test]
fn a_rebuilt_replica_has_the_tree_of_the_others_and_proves_with_it() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    for i in 0..600 {
        cluster.put(leader, &format!("k{i}"), "row");
    }
    flush(&mut cluster, leader);
    cluster.put(leader, "more", "row");
    let newcomer = [n(1), n(2), n(3)].into_iter().find(|node| *node != leader).unwrap();
    cluster.destroy(newcomer);
    cluster.start(newcomer);
    cluster.run_until(20_000, |cluster| cluster.shard(newcomer).status().rows);
    cluster.run(1_000);
    assert_eq!(size(&mut cluster, newcomer), 601);
    cluster.assert_equal();
    let leader = cluster.leader();
    cluster.control(leader, crate::event::Control::Transfer { to: newcomer });
    cluster.run_until(5_000, |cluster| cluster.leaders() == [newcomer]);
    assert_proved(&mut cluster, newcomer, "k7", "row");
    assert_proved(&mut cluster, newcomer, "more", "row");
}

#[test]
fn a_bit_that_changed_in_a_stored_row_is_found_by_who_wants_a_proof_and_by_the_scrub() {
    let (mut cluster, node) = one();
    for i in 0..40 {
        cluster.put(node, &format!("k{i:02}"), "row");
    }
    flush(&mut cluster, node);
    cluster.crash(node);
    flip(&mut cluster, node, "k07");
    cluster.start(node);
    cluster.leader();
    assert_eq!(refused_with(&prove(&mut cluster, node, "k07")), "XX001");
    assert_proved(&mut cluster, node, "k08", "row");
    cluster.shard(node).scrub_now();
    cluster.run(1_000);
    let status = cluster.shard(node).scrub_status();
    assert_eq!((status.recorded, status.unrecorded), (40, 1), "{status:?}");
    assert!(
        cluster.reports.iter().any(|report| report.contains("1 rows of the ledger are not what was committed")),
        "{:?}",
        cluster.reports
    );
}

/// The bookkeeping as a program without evidence would have written it.
fn forget_evidence(cluster: &mut Cluster, node: NodeId) {
    let store = cluster.members[&node].rows.open(SHARD).unwrap();
    let value = store.get(Space::Meta, b"state").unwrap().unwrap();
    let evidence = cluster.shard(node).evidence().unwrap();
    let length = 4 + 16 + 53 + 32 * evidence.size.count_ones() as usize;
    let mut older = value[..value.len() - length].to_vec();
    older[0] = 3;
    store.write(Batch { changes: vec![(Space::Meta, Bytes::from_static(b"state"), Some(older.into()))] }).unwrap();
    store.sync().unwrap();
}

#[test]
fn a_shard_that_is_older_than_evidence_starts_it_at_one_entry_on_all_replicas() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    cluster.put(leader, "old", "row");
    cluster.run(200);
    for node in [n(1), n(2), n(3)] {
        cluster.shard(node).flush_now();
    }
    cluster.run(500);
    for node in [n(1), n(2), n(3)] {
        forget_evidence(&mut cluster, node);
        cluster.crash(node);
    }
    for node in [n(1), n(2), n(3)] {
        cluster.start(node);
    }
    let leader = cluster.leader();
    cluster.run(200);
    cluster.put(leader, "new", "row");
    for node in [n(1), n(2), n(3)] {
        assert_eq!(size(&mut cluster, node), 1, "{node}");
    }
    cluster.assert_equal();
    assert_proved(&mut cluster, leader, "new", "row");
    assert_eq!(refused_with(&prove(&mut cluster, leader, "old")), "55000");
    assert!(cluster.reports.iter().any(|report| report.contains("older than the ledger's evidence")));
    cluster.crash(leader);
    cluster.start(leader);
    let leader = cluster.leader();
    assert_proved(&mut cluster, leader, "new", "row");
}

#[test]
fn a_checkpoint_is_a_note_with_the_log_s_name() {
    let (mut cluster, node) = one();
    cluster.put(node, "k", "row");
    let evidence = evidence(ask(&mut cluster, node, EvidenceRequest::Checkpoint));
    let note = SignedNote::parse(evidence.checkpoint.as_ref().unwrap()).unwrap();
    assert!(note.text().starts_with("florin/unnamed/0\n1\n"), "{}", note.text());
}

#[cfg(feature = "planted")]
#[test]
fn a_follower_that_leaves_a_batch_out_is_found_by_the_scrub() {
    use crate::planted::{Bug, plant};
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    plant(Some(Bug::ForgetRecord));
    for i in 0..10 {
        cluster.put(leader, &format!("k{i}"), "row");
    }
    cluster.run(100);
    plant(None);
    cluster.shard(leader).scrub_now();
    cluster.run_until(20_000, |cluster| {
        cluster.reports.iter().any(|report| report.contains("damaged rows") || report.contains("replicas differ"))
    });
}
