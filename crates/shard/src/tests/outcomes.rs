//! What is remembered of transactions, and for how long; what a transaction relies on when its locks are lost.

use super::cluster::*;
use base::{NodeId, TxnId, Version};
use storage::access::*;

const MAX: usize = 4;

/// A shard that remembers few outcomes.
fn forgetful() -> (Cluster, NodeId) {
    let mut cluster = Cluster::new(1);
    cluster.outcomes_max = MAX;
    cluster.crash(n(1));
    cluster.start(n(1));
    let node = cluster.leader();
    (cluster, node)
}

fn prepare(context: &Context, name: &str) -> Request {
    Request::Prepare {
        context: context.clone(),
        writes: vec![put(name, "1", Version::ZERO)].into(),
        reads: ReadSet::default(),
        parts: 0,
        participants: vec![SHARD, base::ShardId(1)],
    }
}

fn inquire(cluster: &mut Cluster, node: NodeId, txn: TxnId, recovery: bool) -> Outcome {
    match cluster.call(node, Request::Inquire { txn, refuse: true, recovery }) {
        Response::Outcome(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

/// Enough transactions to have everything forgotten that may be.
fn push_out(cluster: &mut Cluster, node: NodeId, prefix: &str) {
    for i in 0..2 * MAX {
        cluster.put(node, &format!("{prefix}{i}"), "1");
        let context = cluster.txn();
        cluster.call(node, prepare(&context, &format!("{prefix}-{i}")));
        cluster.call(node, Request::Decide { txn: context.txn, version: None });
    }
}

#[test]
fn a_committed_outcome_is_kept_until_every_participant_has_it() {
    let (mut cluster, node) = forgetful();
    let context = cluster.txn();
    let Response::Prepared { version } = cluster.call(node, prepare(&context, "a")) else { panic!() };
    cluster.call(node, Request::Decide { txn: context.txn, version: Some(version) });
    push_out(&mut cluster, node, "b");
    cluster.shard(node).flush_now();
    cluster.run(200);
    cluster.crash(node);
    cluster.start(node);
    cluster.leader();
    assert_eq!(inquire(&mut cluster, node, context.txn, true), Outcome::Committed(version));
    // The participants are asked for what nobody settles.
    cluster.reports.clear();
    cluster.run(25_000);
    assert!(cluster.reports.iter().any(|report| report.contains("undecided")));
    cluster.ask(node, Request::Settled { txn: context.txn });
    cluster.run(1_200);
    push_out(&mut cluster, node, "c");
    assert_eq!(inquire(&mut cluster, node, context.txn, false), Outcome::Unknown);
    cluster.reports.clear();
    cluster.run(25_000);
    assert!(!cluster.reports.iter().any(|report| report.contains("undecided")));
}

#[test]
fn a_prepared_transaction_ends_although_the_others_have_forgotten_it() {
    let (mut cluster, node) = forgetful();
    // This shard refused it, and has forgotten that: a participant that prepared it elsewhere asks.
    let context = cluster.txn();
    assert_eq!(inquire(&mut cluster, node, context.txn, true), Outcome::Aborted);
    push_out(&mut cluster, node, "b");
    assert_eq!(inquire(&mut cluster, node, context.txn, false), Outcome::Unknown);
    assert_eq!(inquire(&mut cluster, node, context.txn, true), Outcome::Aborted);
    // A prepare that comes now is refused, so the answer stays true; a decision changes nothing.
    assert_eq!(refused_with(&cluster.call(node, prepare(&context, "late"))), "40001");
    assert_eq!(cluster.call(node, Request::Decide { txn: context.txn, version: None }), Response::Done);
    assert_eq!(refused_with(&cluster.call(node, commit_request(&context, vec![put("late", "1", Version::ZERO)]))), "40001");
}

#[test]
fn an_old_transaction_with_its_locks_commits() {
    let (mut cluster, node) = forgetful();
    let mut context = cluster.txn();
    cluster.call(node, read_request(&context, "a", Some(LockMode::Update)));
    context.holds_locks = true;
    push_out(&mut cluster, node, "b");
    let done = cluster.call(node, commit_request(&context, vec![put("a", "1", Version::ZERO)]));
    assert!(matches!(done, Response::Committed { .. }), "{done:?}");
}

#[test]
fn a_leader_that_loses_its_place_takes_back_that_it_forgot() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    let context = cluster.txn();
    let Response::Prepared { version } = cluster.call(old, prepare(&context, "a")) else { panic!() };
    cluster.call(old, Request::Decide { txn: context.txn, version: Some(version) });
    cluster.run(100);
    cluster.isolate(old);
    cluster.ask(old, Request::Settled { txn: context.txn });
    cluster.run(2_000);
    cluster.heal();
    cluster.run(1_000);
    cluster.control(old, crate::event::Control::Campaign);
    cluster.run(1_000);
    for node in [n(1), n(2), n(3)] {
        assert!(cluster.shard(node).remembers_pinned(context.txn), "{node}");
    }
}

/// A transaction that has locked a row for share and writes another: `change` is what happens to the locked row at the next leader.
fn after_a_crash(isolation: Isolation, change: impl Fn(&mut Cluster, NodeId)) -> Response {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    let seen = cluster.put(old, "shared", "1");
    let mut context = Context { isolation, ..cluster.txn() };
    if isolation != Isolation::ReadCommitted {
        context.snapshot = Snapshot::At(seen);
    }
    for (name, mode) in [("shared", LockMode::Share), ("written", LockMode::Update)] {
        let locked = cluster.call(old, read_request(&context, name, Some(mode)));
        assert!(matches!(locked, Response::Rows { .. }), "{locked:?}");
        context.holds_locks = true;
    }
    cluster.crash(old);
    let new = cluster.leader();
    change(&mut cluster, new);
    let reads = ReadSet { locked: vec![(key("shared"), seen)], ..ReadSet::default() };
    cluster.call(new, Request::Commit { context, writes: vec![put("written", "1", Version::ZERO)].into(), reads, parts: 0 })
}

#[test]
fn a_row_locked_for_share_that_a_next_leader_let_change_stops_the_transaction() {
    for isolation in [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable] {
        let kept = after_a_crash(isolation, |_, _| {});
        assert!(matches!(kept, Response::Committed { .. }), "{isolation:?}: {kept:?}");
        let changed = after_a_crash(isolation, |cluster, node| {
            cluster.put(node, "shared", "2");
        });
        assert_eq!(refused_with(&changed), "40001", "{isolation:?}");
        let locked = after_a_crash(isolation, |cluster, node| {
            let writer = cluster.txn();
            cluster.call(node, read_request(&writer, "shared", Some(LockMode::Update)));
        });
        assert_eq!(refused_with(&locked), "40001", "{isolation:?}");
    }
}

#[test]
fn a_transaction_that_only_locked_hears_that_its_locks_were_lost() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    let seen = cluster.put(old, "shared", "1");
    let mut context = cluster.txn();
    cluster.call(old, read_request(&context, "shared", Some(LockMode::Share)));
    context.holds_locks = true;
    cluster.crash(old);
    let new = cluster.leader();
    cluster.put(new, "shared", "2");
    let reads = ReadSet { locked: vec![(key("shared"), seen)], ..ReadSet::default() };
    let refused = cluster.call(new, Request::Commit { context, writes: Default::default(), reads, parts: 0 });
    assert_eq!(refused_with(&refused), "40001");
}
