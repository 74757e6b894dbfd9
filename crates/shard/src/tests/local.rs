//! A shard of one voter: reads, scans, locks, commits, sequences, flushes and restarts.

use super::cluster::*;
use crate::event::ShardEvent;
use crate::system;
use base::{NodeId, Prng, SchemaVersion, Version};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use storage::access::*;
use storage::packed::Packer;

fn one() -> (Cluster, NodeId) {
    let mut cluster = Cluster::new(1);
    let leader = cluster.leader();
    (cluster, leader)
}

#[test]
fn a_sole_voter_serves_at_once() {
    let mut cluster = Cluster::new(1);
    let waited = cluster.run_until(1_000, |cluster| !cluster.leaders().is_empty());
    assert!(waited <= 100, "{waited} ms");
}

#[test]
fn what_is_committed_is_read_and_survives_a_crash() {
    let (mut cluster, node) = one();
    assert_eq!(cluster.row(node, "a"), None);
    let first = cluster.put(node, "a", "1");
    let second = cluster.put(node, "a", "2");
    assert!(second > first);
    cluster.crash(node);
    cluster.start(node);
    cluster.leader();
    assert_eq!(cluster.row(node, "a").as_deref(), Some("2"));
}

#[test]
fn a_snapshot_keeps_seeing_what_it_saw() {
    let (mut cluster, node) = one();
    let first = cluster.put(node, "a", "1");
    cluster.put(node, "a", "2");
    let mut context = cluster.txn();
    context.snapshot = Snapshot::At(first);
    let Response::Rows { rows, snapshot, .. } = cluster.call(node, read_request(&context, "a", None)) else { panic!() };
    assert_eq!((rows[0].as_ref().unwrap().row.as_ref(), snapshot), (&b"1"[..], first));
    context.isolation = Isolation::RepeatableRead;
    let locked = cluster.call(node, read_request(&context, "a", Some(LockMode::Update)));
    assert_eq!(refused_with(&locked), "40001");
}

#[test]
fn a_commit_sent_again_has_the_same_outcome() {
    let (mut cluster, node) = one();
    let context = cluster.txn();
    let request = commit_request(&context, vec![put("a", "1", Version::ZERO)]);
    let first = cluster.call(node, request.clone());
    assert_eq!(cluster.call(node, request), first);
    let Response::Committed { version } = first else { panic!() };
    let asked = cluster.call(node, Request::Inquire { txn: context.txn, refuse: true, recovery: false });
    assert_eq!(asked, Response::Outcome(Outcome::Committed(version)));
}

#[test]
fn a_commit_on_a_changed_row_without_its_lock_is_refused() {
    let (mut cluster, node) = one();
    cluster.put(node, "a", "1");
    let refused = cluster.commit(node, vec![put("a", "2", Version::ZERO)]);
    assert_eq!(refused_with(&refused), "40001");
}

#[test]
fn a_refused_transaction_never_commits() {
    let (mut cluster, node) = one();
    let context = cluster.txn();
    let asked = cluster.call(node, Request::Inquire { txn: context.txn, refuse: true, recovery: false });
    assert_eq!(asked, Response::Outcome(Outcome::Aborted));
    let late = cluster.call(node, commit_request(&context, vec![put("a", "1", Version::ZERO)]));
    assert_eq!(refused_with(&late), "40001");
}

#[test]
fn a_second_writer_waits_for_the_first_and_sees_its_row() {
    let (mut cluster, node) = one();
    let base = cluster.put(node, "a", "1");
    let (mut first, second) = (cluster.txn(), cluster.txn());
    cluster.call(node, read_request(&first, "a", Some(LockMode::Update)));
    first.holds_locks = true;
    let waiting = cluster.ask(node, read_request(&second, "a", Some(LockMode::Update)));
    cluster.run(300);
    assert!(!cluster.answers.contains_key(&waiting));
    assert!(cluster.reports.iter().any(|report| report.contains("waits for")));
    let committed = cluster.call(node, commit_request(&first, vec![put("a", "2", base)]));
    let Response::Committed { version } = committed else { panic!("{committed:?}") };
    let Response::Rows { rows, .. } = cluster.answer(waiting) else { panic!() };
    assert_eq!(rows[0].as_ref().unwrap().version, version);
}

#[test]
fn nowait_skip_locked_and_time_limits_end_a_wait() {
    let (mut cluster, node) = one();
    let (first, second) = (cluster.txn(), cluster.txn());
    cluster.call(node, read_request(&first, "a", Some(LockMode::Update)));
    let mut ask = |wait| {
        let reads = vec![KeyRead { key: key("a"), lock: Some(LockMode::Share) }];
        cluster.call(node, Request::Read { context: second.clone(), reads, wait })
    };
    assert_eq!(refused_with(&ask(LockWait::NoWait)), "55P03");
    assert_eq!(refused_with(&ask(LockWait::Wait(Some(Duration::from_millis(50))))), "55P03");
    let Response::Rows { skipped, .. } = ask(LockWait::SkipLocked) else { panic!() };
    assert_eq!(skipped, [0]);
}

#[test]
fn who_waits_while_its_gateway_counts_as_gone_hears_that_its_locks_are_lost() {
    let (mut cluster, node) = one();
    let (holder, mut waiter) = (cluster.txn(), cluster.txn());
    waiter.txn.node = NodeId(10);
    cluster.call(node, read_request(&holder, "a", Some(LockMode::Update)));
    let waiting = cluster.ask(node, read_request(&waiter, "a", Some(LockMode::Update)));
    cluster.event(node, ShardEvent::GatewayGone { node: NodeId(10), before_boot: 2 });
    assert_eq!(refused_with(&cluster.answer(waiting)), "40001");
}

#[test]
fn a_wait_can_be_canceled_and_a_rollback_lets_others_go_on() {
    let (mut cluster, node) = one();
    let (first, second, third) = (cluster.txn(), cluster.txn(), cluster.txn());
    cluster.call(node, read_request(&first, "a", Some(LockMode::Update)));
    let canceled = cluster.ask(node, read_request(&second, "a", Some(LockMode::Update)));
    let goes_on = cluster.ask(node, read_request(&third, "a", Some(LockMode::Update)));
    cluster.ask(node, Request::CancelWait { txn: second.txn });
    assert_eq!(refused_with(&cluster.answer(canceled)), "57014");
    cluster.call(node, Request::Rollback { txn: first.txn });
    assert!(matches!(cluster.answer(goes_on), Response::Rows { .. }));
}

#[test]
fn the_youngest_of_a_deadlock_is_refused() {
    let (mut cluster, node) = one();
    let (old, young) = (cluster.txn(), cluster.txn());
    cluster.call(node, read_request(&old, "a", Some(LockMode::Update)));
    cluster.call(node, read_request(&young, "b", Some(LockMode::Update)));
    let young_waits = cluster.ask(node, read_request(&young, "a", Some(LockMode::Update)));
    let old_waits = cluster.ask(node, read_request(&old, "b", Some(LockMode::Update)));
    assert_eq!(refused_with(&cluster.answer(young_waits)), "40P01");
    cluster.call(node, Request::Rollback { txn: young.txn });
    assert!(matches!(cluster.answer(old_waits), Response::Rows { .. }));
}

#[test]
fn a_table_lock_keeps_writers_out_and_waits_for_them() {
    let (mut cluster, node) = one();
    let (writer, schema, late) = (cluster.txn(), cluster.txn(), cluster.txn());
    cluster.call(node, read_request(&writer, "a", Some(LockMode::Update)));
    let lock = Request::LockTables { context: schema.clone(), tables: vec![TABLE], exclusive: true, wait: LockWait::Wait(None) };
    let locking = cluster.ask(node, lock);
    let waiting = cluster.ask(node, read_request(&late, "b", Some(LockMode::Update)));
    cluster.run(20);
    assert!(!cluster.answers.contains_key(&locking) && !cluster.answers.contains_key(&waiting));
    cluster.call(node, Request::Rollback { txn: writer.txn });
    assert_eq!(cluster.answer(locking), Response::Done);
    assert_eq!(cluster.row(node, "b"), None);
    cluster.call(node, Request::Rollback { txn: schema.txn });
    assert!(matches!(cluster.answer(waiting), Response::Rows { .. }));
}

#[test]
fn sequences_give_each_number_once() {
    let (mut cluster, node) = one();
    let mut take = |count| {
        let request = Request::Sequence { key: key("s"), start: 5, increment: 2, min: 1, max: 20, cycle: false, count };
        cluster.call(node, request)
    };
    assert_eq!(take(3), Response::Sequence { first: 5, count: 3 });
    assert_eq!(take(10), Response::Sequence { first: 11, count: 5 });
    assert_eq!(refused_with(&take(1)), "2200H");
    assert_eq!(cluster.call(node, Request::SetSequence { key: key("s"), value: 3, called: false }), Response::Done);
    let again = Request::Sequence { key: key("s"), start: 5, increment: 2, min: 1, max: 20, cycle: false, count: 1 };
    assert_eq!(cluster.call(node, again), Response::Sequence { first: 3, count: 1 });
}

#[test]
fn a_newer_schema_refuses_old_plans_and_an_older_one_waits() {
    let (mut cluster, node) = one();
    let change = cluster.txn();
    let ahead = Context { schema: SchemaVersion(1), ..cluster.txn() };
    let waiting = cluster.ask(node, read_request(&ahead, "a", None));
    let write = system::schema_write(SchemaVersion(1), Version::ZERO);
    assert!(matches!(cluster.call(node, commit_request(&change, vec![write])), Response::Committed { .. }));
    assert!(matches!(cluster.answer(waiting), Response::Rows { .. }));
    let behind = cluster.txn();
    let refused = cluster.call(node, read_request(&behind, "a", None));
    assert_eq!(refused, Response::Refused(Refusal::StaleSchema(SchemaVersion(1))));
    let far = Context { schema: SchemaVersion(2), ..cluster.txn() };
    assert_eq!(cluster.call(node, read_request(&far, "a", None)), Response::Refused(Refusal::Busy));
}

#[test]
fn serializable_transactions_do_not_both_commit_on_what_the_other_changed() {
    let (mut cluster, node) = one();
    cluster.put(node, "a", "1");
    let snapshot = cluster.put(node, "b", "1");
    let mut commit = |read: &str, write: &str| {
        let mut context = cluster.txn();
        (context.isolation, context.snapshot) = (Isolation::Serializable, Snapshot::At(snapshot));
        let base = cluster.get(node, write).unwrap().version;
        let reads = ReadSet { keys: vec![key(read)], ..ReadSet::default() };
        let writes = vec![put(write, "0", base)];
        cluster.call(node, Request::Commit { context, writes: writes.into(), reads, parts: 0 })
    };
    assert!(matches!(commit("a", "b"), Response::Committed { .. }));
    assert_eq!(refused_with(&commit("b", "a")), "40001");
}

#[test]
fn a_range_that_got_a_row_refuses_its_serializable_reader() {
    let (mut cluster, node) = one();
    let snapshot = cluster.put(node, "a", "1");
    for flush in [false, true] {
        let mut context = cluster.txn();
        (context.isolation, context.snapshot) = (Isolation::Serializable, Snapshot::At(snapshot));
        cluster.put(node, if flush { "m" } else { "k" }, "new");
        if flush {
            cluster.shard(node).flush_now();
            cluster.run(100);
        }
        let ranges = vec![KeyRange { start: key("j"), end: key("z") }];
        let reads = ReadSet { ranges, ..ReadSet::default() };
        let writes = vec![put(if flush { "q" } else { "r" }, "0", Version::ZERO)];
        let refused = cluster.call(node, Request::Commit { context, writes: writes.into(), reads, parts: 0 });
        assert_eq!(refused_with(&refused), "40001");
    }
}

#[test]
fn a_prepared_row_makes_its_readers_wait_for_the_decision() {
    let (mut cluster, node) = one();
    cluster.put(node, "a", "1");
    let base = cluster.get(node, "a").unwrap().version;
    let context = cluster.txn();
    let prepare = Request::Prepare {
        context: context.clone(),
        writes: vec![put("a", "2", base)].into(),
        reads: ReadSet::default(),
        parts: 0,
        participants: vec![SHARD, base::ShardId(1)],
    };
    let prepared = cluster.call(node, prepare.clone());
    let Response::Prepared { version } = prepared else { panic!("{prepared:?}") };
    assert_eq!(cluster.call(node, prepare), prepared);
    let reader = cluster.txn();
    let waiting = cluster.ask(node, read_request(&reader, "a", None));
    cluster.run(1_200);
    assert!(!cluster.answers.contains_key(&waiting));
    assert!(cluster.reports.iter().any(|report| report.contains("undecided")));
    cluster.crash(node);
    cluster.answers.remove(&waiting);
    cluster.start(node);
    cluster.leader();
    let waiting = cluster.ask(node, read_request(&reader, "a", None));
    let scanner = cluster.txn();
    let range = KeyRange { start: key(""), end: key("z") };
    let scanning = cluster.ask(node, Request::Scan { context: scanner, range, reverse: true, rows_max: 9 });
    cluster.run(20);
    assert!(!cluster.answers.contains_key(&waiting) && !cluster.answers.contains_key(&scanning));
    let writer = cluster.txn();
    let locking = cluster.ask(node, read_request(&writer, "a", Some(LockMode::Update)));
    let decided = Version(version.0 + 10);
    assert_eq!(cluster.call(node, Request::Decide { txn: context.txn, version: Some(decided) }), Response::Done);
    assert_eq!(cluster.call(node, Request::Decide { txn: context.txn, version: Some(decided) }), Response::Done);
    for id in [waiting, locking] {
        let Response::Rows { rows, .. } = cluster.answer(id) else { panic!() };
        assert_eq!(rows[0].as_ref().unwrap().version, decided);
    }
    assert!(matches!(cluster.answer(scanning), Response::Scanned { rows, .. } if rows.len() == 1));
}

#[test]
fn an_aborted_prepare_leaves_nothing() {
    let (mut cluster, node) = one();
    let context = cluster.txn();
    let prepare = Request::Prepare {
        context: context.clone(),
        writes: vec![put("a", "2", Version::ZERO)].into(),
        reads: ReadSet::default(),
        parts: 0,
        participants: vec![SHARD],
    };
    cluster.call(node, prepare.clone());
    cluster.call(node, Request::Decide { txn: context.txn, version: None });
    assert_eq!(cluster.row(node, "a"), None);
    assert_eq!(refused_with(&cluster.call(node, prepare)), "40001");
    assert_eq!(cluster.shard(node).status().locks, 0);
}

#[test]
fn staged_parts_appear_together_with_their_commit() {
    let (mut cluster, node) = one();
    cluster.put(node, "k5", "old");
    let old = cluster.get(node, "k5").unwrap().version;
    let mut context = cluster.txn();
    let lock = Request::LockTables { context: context.clone(), tables: vec![TABLE], exclusive: true, wait: LockWait::Wait(None) };
    cluster.call(node, lock);
    context.holds_locks = true;
    for part in 0..4u32 {
        let writes: Vec<Write> = (0..5).map(|i| put(&format!("k{}", part * 5 + i), "new", Version::ZERO)).collect();
        let staged = Request::Stage { context: context.clone(), part, changes: packed(&writes) };
        assert_eq!(cluster.call(node, staged), Response::Done);
    }
    assert_eq!(cluster.row(node, "k5").as_deref(), Some("old"));
    cluster.jobs_held = true;
    let commit = Request::Commit { context: context.clone(), writes: Default::default(), reads: ReadSet::default(), parts: 4 };
    assert!(matches!(cluster.call(node, commit), Response::Committed { .. }));
    for moved in [false, true] {
        if moved {
            cluster.jobs_held = false;
            cluster.run(500);
        }
        assert_eq!(cluster.scan(node, Snapshot::Latest, false, 7).len(), 20);
        assert_eq!(cluster.row(node, "k5").as_deref(), Some("new"));
        assert_eq!(cluster.scan(node, Snapshot::At(old), true, 7), [("k5".to_string(), "old".to_string())]);
    }
}

/// A part's changes, as they are sent.
fn packed(writes: &[Write]) -> Bytes {
    let sorted: BTreeMap<&Key, &Write> = writes.iter().map(|write| (&write.key, write)).collect();
    let mut packer = Packer::default();
    sorted.values().for_each(|write| packer.push(&write.key, write.row.as_deref()));
    packer.finish().bytes().clone()
}

#[test]
fn a_part_that_came_too_early_waits_for_its_predecessor() {
    let (mut cluster, node) = one();
    let mut context = cluster.txn();
    let lock = Request::LockTables { context: context.clone(), tables: vec![TABLE], exclusive: true, wait: LockWait::Wait(None) };
    cluster.call(node, lock);
    context.holds_locks = true;
    let stage = |part, name: &str| {
        let changes = packed(&[put(name, &format!("part {part}"), BASE_GUARDED)]);
        Request::Stage { context: context.clone(), part, changes }
    };
    assert_eq!(cluster.call(node, stage(1, "a")), Response::Refused(Refusal::Busy));
    assert_eq!(cluster.call(node, stage(0, "b")), Response::Done);
    assert_eq!(cluster.call(node, stage(1, "a")), Response::Done);
    assert_eq!(cluster.call(node, stage(2, "b")), Response::Done);
    assert_eq!(cluster.call(node, stage(2, "b")), Response::Done, "it is there already");
    let commit = Request::Commit { context: context.clone(), writes: Default::default(), reads: ReadSet::default(), parts: 3 };
    assert!(matches!(cluster.call(node, commit), Response::Committed { .. }));
    for _ in 0..20 {
        let rows = [("a".to_string(), "part 1".to_string()), ("b".to_string(), "part 2".to_string())];
        assert_eq!(cluster.scan(node, Snapshot::Latest, false, 7), rows);
        assert_eq!(cluster.row(node, "b").as_deref(), Some("part 2"));
        cluster.run(10);
    }
}

#[test]
fn changes_that_are_not_packed_as_they_should_be_are_refused() {
    let (mut cluster, node) = one();
    let context = cluster.txn();
    let changes = Bytes::from_static(b"\x02\0\0\0no changes");
    assert_eq!(refused_with(&cluster.call(node, Request::Stage { context, part: 0, changes })), "XX001");
}

/// A transaction that stages `a`, `b` and `c`, writes `b` again and deletes `c` with its commit.
fn staged_and_written_again(cluster: &mut Cluster, node: NodeId) -> Context {
    let mut context = cluster.txn();
    let lock = Request::LockTables { context: context.clone(), tables: vec![TABLE], exclusive: true, wait: LockWait::Wait(None) };
    cluster.call(node, lock);
    (context.holds_locks, context.sees_staged) = (true, true);
    let writes: Vec<Write> = ["a", "b", "c"].iter().map(|key| put(key, "staged", BASE_GUARDED)).collect();
    assert_eq!(cluster.call(node, Request::Stage { context: context.clone(), part: 0, changes: packed(&writes) }), Response::Done);
    context
}

#[test]
fn a_transaction_reads_what_it_has_staged_and_nobody_else_does() {
    let (mut cluster, node) = one();
    cluster.put(node, "b", "old");
    let context = staged_and_written_again(&mut cluster, node);
    let writes = vec![Write { key: key("b"), row: None, base: BASE_GUARDED }];
    cluster.call(node, Request::Stage { context: context.clone(), part: 1, changes: packed(&writes) });
    let read = |context: &Context, lock| Request::Read {
        context: context.clone(),
        reads: ["a", "b", "x"].iter().map(|k| KeyRead { key: key(k), lock }).collect(),
        wait: LockWait::Wait(None),
    };
    for lock in [None, Some(LockMode::Update)] {
        let Response::Rows { rows, .. } = cluster.call(node, read(&context, lock)) else { panic!("rows") };
        assert_eq!(rows[0].as_ref().map(|found| (found.version, &found.row[..])), Some((Version::ZERO, &b"staged"[..])));
        assert_eq!((&rows[1], &rows[2]), (&None, &None));
    }
    let range = KeyRange { start: key("a"), end: key("z") };
    for reverse in [false, true] {
        let scan = Request::Scan { context: context.clone(), range: range.clone(), reverse, rows_max: 10 };
        let Response::Scanned { rows, .. } = cluster.call(node, scan) else { panic!("rows") };
        assert_eq!(rows.iter().map(|(key, _)| key.clone()).collect::<BTreeSet<_>>(), [key("a"), key("c")].into());
    }
    assert_eq!(cluster.row(node, "a"), None);
    assert_eq!(cluster.row(node, "b").as_deref(), Some("old"));
}

#[test]
fn what_is_written_after_staging_stands_above_it() {
    let (mut cluster, node) = one();
    let context = staged_and_written_again(&mut cluster, node);
    let writes = vec![put("b", "last", BASE_GUARDED), Write { key: key("c"), row: None, base: BASE_GUARDED }];
    let commit = Request::Commit { context, writes: writes.into(), reads: ReadSet::default(), parts: 1 };
    let Response::Committed { version } = cluster.call(node, commit) else { panic!("committed") };
    // Rows of the layer change before it is moved, and while memory still has the change, and after that is flushed.
    let deletion = Write { key: key("a"), row: None, base: version };
    cluster.commit(node, vec![deletion]);
    let base = cluster.get(node, "b").expect("is there").version;
    cluster.commit(node, vec![put("b", "newer", base)]);
    for _ in 0..50 {
        assert_eq!(cluster.row(node, "a"), None);
        assert_eq!(cluster.row(node, "b").as_deref(), Some("newer"));
        assert_eq!(cluster.row(node, "c"), None);
        assert_eq!(cluster.scan(node, Snapshot::Latest, false, 7), [("b".to_string(), "newer".to_string())]);
        assert_eq!(
            cluster.scan(node, Snapshot::At(version), false, 7),
            [("a".to_string(), "staged".to_string()), ("b".to_string(), "last".to_string())]
        );
        cluster.run(10);
    }
}

#[test]
fn a_dropped_storage_loses_its_rows_in_the_background() {
    let (mut cluster, node) = one();
    cluster.put(node, "a", "1");
    cluster.shard(node).flush_now();
    cluster.run(100);
    cluster.commit(node, vec![system::drop_write(TABLE)]);
    cluster.run(500);
    assert_eq!(cluster.row(node, "a"), None);
}

/// A large transaction: its rows are staged in two parts and committed.
pub fn commit_staged(cluster: &mut Cluster, node: base::NodeId, changes: &BTreeMap<String, Option<String>>) -> Version {
    let mut context = cluster.txn();
    let lock = Request::LockTables { context: context.clone(), tables: vec![TABLE], exclusive: true, wait: LockWait::Wait(None) };
    assert_eq!(cluster.call(node, lock), Response::Done);
    context.holds_locks = true;
    let write = |(name, row): (&String, &Option<String>)| Write { key: key(name), row: row.clone().map(Row::from), base: Version::ZERO };
    let writes: Vec<Write> = changes.iter().map(write).collect();
    let (first, second) = writes.split_at(writes.len() / 2);
    for (part, writes) in [(0, first), (1, second)] {
        let staged = Request::Stage { context: context.clone(), part, changes: packed(writes) };
        assert_eq!(cluster.call(node, staged), Response::Done);
    }
    let commit = Request::Commit { context, writes: Default::default(), reads: ReadSet::default(), parts: 2 };
    match cluster.call(node, commit) {
        Response::Committed { version } => version,
        other => panic!("{other:?}"),
    }
}

/// Rows written over those of a large transaction were flushed before its own had been moved to their place.
#[test]
fn a_row_written_over_a_large_transactions_is_read_whatever_was_flushed() {
    for deleted in [false, true] {
        let (mut cluster, node) = one();
        cluster.jobs_held = true;
        commit_staged(&mut cluster, node, &BTreeMap::from([("x".into(), Some("1".into())), ("y".into(), Some("1".into()))]));
        commit_staged(&mut cluster, node, &BTreeMap::from([("a".into(), Some("1".into())), ("b".into(), Some("1".into()))]));
        let base = cluster.get(node, "a").unwrap().version;
        let row = (!deleted).then(|| Row::from_static(b"2"));
        let Response::Committed { .. } = cluster.commit(node, vec![Write { key: key("a"), row, base }]) else { panic!() };
        // One job after the other: flushes and moves.
        for _ in 0..6 {
            let expected = (!deleted).then_some("2");
            assert_eq!(cluster.row(node, "a").as_deref(), expected);
            let rows: Vec<_> = cluster.scan(node, Snapshot::Latest, false, 9).into_iter().filter(|(name, _)| name == "a").collect();
            assert_eq!(rows.first().map(|(_, row)| row.as_str()), expected);
            cluster.run_one_job();
            cluster.run(50);
        }
    }
}

/// Rows that are read ahead come into the cache, but not over what was written since they were flushed.
#[test]
fn a_row_read_ahead_is_not_older_than_what_was_written() {
    let (mut cluster, node) = one();
    for name in ["a", "b", "c"] {
        cluster.put(node, name, "1");
    }
    cluster.shard(node).flush_now();
    cluster.run(100);
    cluster.crash(node);
    cluster.start(node);
    cluster.leader();
    cluster.put(node, "b", "2");
    cluster.shard(node).state.cache.clear();
    assert_eq!(cluster.row(node, "a").as_deref(), Some("1"));
    assert!(cluster.shard(node).state.cache.get(&key("c")).is_some());
    cluster.shard(node).flush_now();
    cluster.run(100);
    assert_eq!(cluster.row(node, "b").as_deref(), Some("2"));
}

/// Random commits, flushes, crashes and reads at all snapshots, against a model that keeps everything.
#[test]
fn every_snapshot_reads_as_the_model_says_across_flushes_and_crashes() {
    for seed in 0..6 {
        let mut prng = Prng::new(seed);
        let (mut cluster, node) = one();
        let mut model: BTreeMap<(String, Version), Option<String>> = BTreeMap::new();
        let mut versions = vec![Version::ZERO];
        for round in 0..120 {
            let name = format!("k{}", prng.below(12));
            let base = cluster.get(node, &name).map_or(Version::ZERO, |found| found.version);
            let row = (!prng.one_in(3)).then(|| format!("r{round}"));
            let write = Write { key: key(&name), row: row.clone().map(Row::from), base };
            let Response::Committed { version } = cluster.commit(node, vec![write]) else { panic!() };
            model.insert((name, version), row);
            versions.push(version);
            if prng.one_in(8) {
                let changes: BTreeMap<String, Option<String>> =
                    (0..6).map(|_| (format!("k{}", prng.below(12)), (!prng.one_in(3)).then(|| format!("l{round}")))).collect();
                let version = commit_staged(&mut cluster, node, &changes);
                model.extend(changes.into_iter().map(|(name, row)| ((name, version), row)));
                versions.push(version);
            }
            match prng.below(12) {
                0 => {
                    cluster.jobs_held = prng.one_in(2);
                    cluster.shard(node).flush_now();
                    cluster.run(30);
                }
                1 => {
                    cluster.jobs_held = false;
                    cluster.crash(node);
                    cluster.start(node);
                    cluster.leader();
                }
                2 if prng.one_in(3) => {
                    let horizon = versions[versions.len() / 2];
                    versions.retain(|version| *version >= horizon);
                    cluster.event(node, ShardEvent::Horizon(horizon));
                    cluster.run(11_000);
                }
                _ => {}
            }
            let at = *prng.pick(&versions);
            let mut expected: BTreeMap<String, String> = BTreeMap::new();
            for ((name, version), row) in &model {
                if *version <= at {
                    match row {
                        Some(row) => expected.insert(name.clone(), row.clone()),
                        None => expected.remove(name),
                    };
                }
            }
            let mut scanned = cluster.scan(node, Snapshot::At(at), prng.one_in(2), 1 + prng.below(5) as u32);
            scanned.sort();
            assert_eq!(scanned, expected.into_iter().collect::<Vec<_>>(), "seed {seed} round {round} at {at}");
        }
    }
}
