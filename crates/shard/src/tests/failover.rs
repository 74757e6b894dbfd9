//! Several voters: elections, lost leaders, what was and was not committed, leases, planned handover.

use super::cluster::*;
use crate::event::Control;
use crate::system;
use base::{NodeId, Prng, RequestId, Version};
use std::collections::BTreeMap;
use storage::access::*;

#[test]
fn three_voters_elect_one_leader_and_commit() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    cluster.put(leader, "a", "1");
    cluster.run(200);
    cluster.assert_equal();
    let follower = if leader == n(1) { n(2) } else { n(1) };
    let context = cluster.txn();
    let refused = cluster.call(follower, read_request(&context, "a", None));
    assert_eq!(refused, Response::Refused(Refusal::NotLeader(Some(leader))));
}

#[test]
fn a_cut_off_leader_is_replaced_within_a_second_and_knows_its_outcomes() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    let context = cluster.txn();
    let request = commit_request(&context, vec![put("a", "1", Version::ZERO)]);
    let first = cluster.call(old, request.clone());
    cluster.isolate(old);
    let gap = cluster.run_until(2_000, |cluster| cluster.leaders().iter().any(|node| *node != old));
    assert!(gap < 1_000, "{gap} ms");
    let new = cluster.leaders().into_iter().find(|node| *node != old).unwrap();
    assert_eq!(cluster.call(new, request), first);
    assert!(!cluster.shard(old).serves());
    cluster.heal();
    cluster.run(500);
    cluster.put(new, "a", "2");
    cluster.run(200);
    cluster.assert_equal();
}

#[test]
fn what_a_lost_leader_only_proposed_is_taken_back_and_answered_not_leader() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    cluster.put(old, "a", "1");
    cluster.run(100);
    let base = cluster.get(old, "a").unwrap().version;
    cluster.isolate(old);
    let context = cluster.txn();
    let pending = cluster.ask(old, commit_request(&context, vec![put("a", "lost", base)]));
    let reader = cluster.txn();
    let reading = cluster.ask(old, read_request(&reader, "a", None));
    cluster.run(1_500);
    for id in [pending, reading] {
        assert!(matches!(cluster.answers[&id], Response::Refused(Refusal::Lost(_))), "{:?}", cluster.answers[&id]);
    }
    let new = cluster.leader();
    assert_eq!(cluster.row(new, "a").as_deref(), Some("1"));
    cluster.put(new, "a", "2");
    cluster.heal();
    cluster.run(500);
    cluster.assert_equal();
    let outcome = cluster.call(new, Request::Inquire { txn: context.txn, refuse: true, recovery: false });
    assert_eq!(outcome, Response::Outcome(Outcome::Aborted));
}

/// A storage that was given up by a proposal nobody else has keeps its rows: the proposal is taken back.
#[test]
fn a_drop_that_only_a_lost_leader_proposed_removes_nothing() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    cluster.put(old, "a", "1");
    for node in [1, 2, 3] {
        cluster.shard(n(node)).flush_now();
    }
    cluster.run(500);
    cluster.isolate(old);
    let context = cluster.txn();
    cluster.ask(old, commit_request(&context, vec![system::drop_write(TABLE)]));
    cluster.run(1_500);
    cluster.heal();
    cluster.run(500);
    let new = cluster.leader();
    assert_eq!(cluster.row(new, "a").as_deref(), Some("1"));
    cluster.assert_equal();
}

#[test]
fn no_answer_leaves_before_a_majority_has_what_it_saw() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    cluster.put(leader, "c", "1");
    cluster.run(200);
    cluster.isolate(leader);
    let context = cluster.txn();
    let commit = cluster.ask(leader, commit_request(&context, vec![put("a", "1", Version::ZERO)]));
    let reader = cluster.txn();
    let read = cluster.ask(leader, read_request(&reader, "a", None));
    let settled = cluster.txn();
    let untouched = cluster.ask(leader, read_request(&settled, "b", None));
    cluster.run(100);
    assert!(!cluster.answers.contains_key(&commit) && !cluster.answers.contains_key(&read));
    assert!(cluster.answers.contains_key(&untouched));
    cluster.heal();
    assert!(matches!(cluster.answer(commit), Response::Committed { .. }));
    assert!(matches!(cluster.answer(read), Response::Rows { .. }));
}

/// A transaction locks "a" while what an earlier one wrote there has no majority.
fn lock_what_is_not_committed(cluster: &mut Cluster, leader: NodeId) -> (RequestId, Context) {
    let writer = cluster.txn();
    let commit = cluster.ask(leader, commit_request(&writer, vec![put("a", "1", Version::ZERO)]));
    let mut reader = cluster.txn();
    let read = cluster.ask(leader, read_request(&reader, "a", Some(LockMode::Update)));
    cluster.run(50);
    assert!(!cluster.answers.contains_key(&commit), "no majority has it");
    let Some(Response::Rows { rows, seen, .. }) = cluster.answers.get(&read) else { panic!("{:?}", cluster.answers.get(&read)) };
    assert_eq!(rows[0].as_ref().map(|found| &found.row[..]), Some(&b"1"[..]));
    reader.holds_locks = true;
    reader.seen = *seen;
    assert!(reader.seen.is_some());
    (commit, reader)
}

#[test]
fn a_locked_row_is_answered_at_once_and_settles_with_the_majority() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    cluster.run(200);
    cluster.isolate(leader);
    let (commit, reader) = lock_what_is_not_committed(&mut cluster, leader);
    let settle = cluster.ask(leader, Request::Settle { seen: reader.seen.unwrap() });
    cluster.run(50);
    assert!(!cluster.answers.contains_key(&settle));
    cluster.heal();
    assert_eq!(cluster.answer(settle), Response::Done);
    assert!(cluster.answers.contains_key(&commit));
    let again = cluster.call(leader, read_request(&reader, "a", Some(LockMode::Update)));
    assert!(matches!(again, Response::Rows { seen: None, .. }), "{again:?}");
}

#[test]
fn what_was_read_early_and_lost_with_its_leader_can_neither_settle_nor_commit() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    cluster.run(200);
    cluster.isolate(old);
    let (_, reader) = lock_what_is_not_committed(&mut cluster, old);
    cluster.run_until(3_000, |cluster| cluster.leaders().iter().any(|node| *node != old));
    let new = cluster.leader();
    let settled = cluster.call(new, Request::Settle { seen: reader.seen.unwrap() });
    assert_eq!(refused_with(&settled), "40001");
    // The row it writes is free: only what it read elsewhere is not there.
    let refused = cluster.call(new, commit_request(&reader, vec![put("b", "1", Version::ZERO)]));
    assert_eq!(refused_with(&refused), "40001");
    let nothing_seen = Context { seen: None, ..reader };
    let done = cluster.call(new, commit_request(&nothing_seen, vec![put("b", "1", Version::ZERO)]));
    assert!(matches!(done, Response::Committed { .. }), "{done:?}");
}

#[test]
fn what_was_read_early_and_survived_its_leader_settles_at_the_next() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    cluster.run(200);
    cluster.disk_delay = 90_000;
    let (_, reader) = lock_what_is_not_committed(&mut cluster, old);
    cluster.disk_delay = 0;
    cluster.run(200);
    cluster.crash(old);
    let new = cluster.leader();
    assert_eq!(cluster.call(new, Request::Settle { seen: reader.seen.unwrap() }), Response::Done);
}

#[test]
fn a_commit_without_the_lost_locks_goes_through_if_nothing_changed() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    let base = cluster.put(old, "a", "1");
    let mut contexts = [cluster.txn(), cluster.txn()];
    cluster.call(old, read_request(&contexts[0], "a", Some(LockMode::Update)));
    contexts.iter_mut().for_each(|context| context.holds_locks = true);
    cluster.crash(old);
    let new = cluster.leader();
    let lost = cluster.call(new, read_request(&contexts[0], "a", Some(LockMode::Update)));
    assert_eq!(refused_with(&lost), "40001");
    let done = cluster.call(new, commit_request(&contexts[0], vec![put("a", "2", base)]));
    assert!(matches!(done, Response::Committed { .. }), "{done:?}");
    let refused = cluster.call(new, commit_request(&contexts[1], vec![put("a", "3", base)]));
    assert_eq!(refused_with(&refused), "40001");
}

#[test]
fn a_planned_handover_keeps_locks_and_is_short() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    let to = if old == n(1) { n(2) } else { n(1) };
    let base = cluster.put(old, "a", "1");
    let mut holder = cluster.txn();
    cluster.call(old, read_request(&holder, "a", Some(LockMode::Update)));
    holder.holds_locks = true;
    let waiter = cluster.txn();
    let turned_away = cluster.ask(old, read_request(&waiter, "a", Some(LockMode::Update)));
    cluster.control(old, Control::Transfer { to });
    let gap = cluster.run_until(1_000, |cluster| cluster.leaders() == [to]);
    assert!(gap <= 100, "{gap} ms");
    assert!(matches!(cluster.answer(turned_away), Response::Refused(Refusal::NotLeader(_))), "who waited is sent on, not put off");
    let waiting = cluster.ask(to, read_request(&waiter, "a", Some(LockMode::Update)));
    cluster.run(50);
    assert!(!cluster.answers.contains_key(&waiting));
    let done = cluster.call(to, commit_request(&holder, vec![put("a", "2", base)]));
    assert!(matches!(done, Response::Committed { .. }), "{done:?}");
    assert!(matches!(cluster.answer(waiting), Response::Rows { .. }));
}

#[test]
fn a_handover_goes_from_event_to_event_and_keeps_what_comes_meanwhile() {
    let mut cluster = Cluster::new(3);
    (cluster.delay, cluster.disk_delay) = (4_000, 1_000);
    let old = cluster.leader();
    let to = if old == n(1) { n(2) } else { n(1) };
    cluster.put(old, "a", "1");
    cluster.run(200);
    cluster.control(old, Control::Transfer { to });
    let start = cluster.now;
    let (first, second) = (cluster.txn(), cluster.txn());
    let at_old = cluster.ask(old, read_request(&first, "a", None));
    // No replica hears a tick: nothing may wait for one.
    cluster.run_without_ticks(100, |cluster| cluster.shard(to).consensus.is_leader());
    assert!(!cluster.shard(to).serves(), "its first entry is not committed yet");
    let at_new = cluster.ask(to, read_request(&second, "a", None));
    cluster.run_without_ticks(100, |cluster| cluster.shard(to).serves());
    // Three rounds, of the handed over locks, of votes and of the first entry, of 9 ms each, and the word to take over of 5 ms.
    assert!(cluster.now - start <= 35_000, "{} us", cluster.now - start);
    cluster.run_without_ticks(100, |cluster| cluster.answers.contains_key(&at_new) && cluster.answers.contains_key(&at_old));
    assert!(matches!(cluster.answers[&at_new], Response::Rows { .. }), "{:?}", cluster.answers[&at_new]);
    assert!(matches!(cluster.answers[&at_old], Response::Refused(Refusal::NotLeader(_))), "{:?}", cluster.answers[&at_old]);
}

#[test]
fn a_request_that_is_held_back_can_be_canceled() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    let to = if old == n(1) { n(2) } else { n(1) };
    cluster.run(200);
    cluster.control(old, Control::Transfer { to });
    let context = cluster.txn();
    let locking = cluster.ask(old, read_request(&context, "a", Some(LockMode::Update)));
    assert!(!cluster.answers.contains_key(&locking));
    cluster.ask(old, Request::CancelWait { txn: context.txn });
    assert_eq!(refused_with(&cluster.answers[&locking]), "57014");
}

#[test]
fn a_lost_leader_is_replaced_soon_after_its_lease_whatever_the_phases_of_the_clocks() {
    for seed in 0..30 {
        let mut cluster = Cluster::new(5);
        cluster.seed(seed);
        cluster.delay = 4_000;
        let old = cluster.leader();
        let mut priority = 5;
        for node in (1..=5).map(n).filter(|node| *node != old) {
            priority -= 1;
            cluster.control(node, Control::Priority(priority));
        }
        cluster.run(300 + 7 * seed);
        cluster.isolate(old);
        let gap = cluster.run_until(2_000, |cluster| cluster.leaders().iter().any(|node| *node != old));
        assert!(gap <= 650, "seed {seed}: {gap} ms");
    }
}

#[test]
fn a_handover_to_a_lost_target_is_given_up_and_the_leader_goes_on() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    let to = if old == n(1) { n(2) } else { n(1) };
    cluster.run(100);
    cluster.crash(to);
    cluster.control(old, Control::Transfer { to });
    cluster.run(700);
    let leader = cluster.leader();
    assert_eq!(leader, old);
    cluster.put(leader, "a", "1");
}

#[test]
fn two_phase_commits_survive_the_leader_between_the_phases() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    let context = cluster.txn();
    let prepare = Request::Prepare {
        context: context.clone(),
        writes: vec![put("a", "1", Version::ZERO)].into(),
        reads: ReadSet::default(),
        parts: 0,
        participants: vec![SHARD, base::ShardId(1)],
    };
    let Response::Prepared { version } = cluster.call(old, prepare) else { panic!() };
    cluster.crash(old);
    let new = cluster.leader();
    let writer = cluster.txn();
    let waiting = cluster.ask(new, read_request(&writer, "a", Some(LockMode::Update)));
    let outcome = cluster.call(new, Request::Inquire { txn: context.txn, refuse: true, recovery: false });
    assert_eq!(outcome, Response::Outcome(Outcome::Prepared(version)));
    assert!(!cluster.answers.contains_key(&waiting));
    cluster.call(new, Request::Decide { txn: context.txn, version: Some(version) });
    let Response::Rows { rows, .. } = cluster.answer(waiting) else { panic!() };
    assert_eq!(rows[0].as_ref().unwrap().version, version);
    cluster.start(old);
    cluster.run(1_000);
    cluster.assert_equal();
}

#[test]
fn a_new_leader_commits_above_every_snapshot_that_was_served() {
    let mut cluster = Cluster::new(3);
    let old = cluster.leader();
    cluster.put(old, "a", "1");
    cluster.run(5_000);
    let reader = cluster.txn();
    let Response::Rows { snapshot, .. } = cluster.call(old, read_request(&reader, "a", None)) else { panic!() };
    cluster.crash(old);
    let new = cluster.leader();
    assert!(cluster.put(new, "a", "2") > snapshot);
}

#[test]
fn a_snapshot_above_what_a_majority_allows_is_told_to_nobody() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    cluster.put(leader, "a", "1");
    cluster.run(5_000);
    cluster.isolate(leader);
    let asked = [cluster.txn(), cluster.txn()].map(|reader| cluster.ask(leader, read_request(&reader, "a", None)));
    cluster.run(100);
    assert!(asked.iter().all(|id| !cluster.answers.contains_key(id)), "the bound that both rest on has no majority");
    cluster.heal();
    for id in asked {
        assert!(matches!(cluster.answer(id), Response::Rows { .. }));
    }
}

#[test]
fn a_follower_reads_what_the_leader_has_closed() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let version = cluster.put(leader, "a", "1");
    cluster.run(300);
    let follower = if leader == n(1) { n(2) } else { n(1) };
    let context = Context { follower: true, snapshot: Snapshot::At(version), ..cluster.txn() };
    let Response::Rows { rows, .. } = cluster.call(follower, read_request(&context, "a", None)) else { panic!() };
    assert_eq!(rows[0].as_ref().unwrap().version, version);
}

#[test]
fn the_preferred_replica_campaigns_first() {
    for _ in 0..3 {
        let mut cluster = Cluster::new(3);
        for (node, priority) in [(1, 0), (2, 4), (3, 0)] {
            cluster.control(n(node), Control::Priority(priority));
        }
        assert_eq!(cluster.leader(), n(2));
    }
}

#[test]
fn a_witness_hands_the_log_on_and_never_serves() {
    let bootstrap = crate::Bootstrap { voters: vec![n(1), n(2)], witnesses: vec![n(3)], ..Default::default() };
    let mut cluster = Cluster::with(bootstrap);
    let leader = cluster.leader();
    assert_ne!(leader, n(3));
    let other = if leader == n(1) { n(2) } else { n(1) };
    cluster.run(200);
    cluster.isolate(other);
    cluster.put(leader, "a", "1");
    cluster.crash(leader);
    cluster.heal();
    let new = cluster.leader();
    assert_eq!(new, other);
    assert_eq!(cluster.row(new, "a").as_deref(), Some("1"));
    assert!(!cluster.shard(n(3)).status().rows);
}

/// What a client of the random test waits for.
struct Asked {
    context: Context,
    request: Request,
    at: u64,
}

type Open = BTreeMap<RequestId, Asked>;

/// Acknowledged commits of counters are never lost and never doubled, whoever fails and whenever.
#[test]
fn acknowledged_increments_survive_random_faults() {
    for seed in 0..12 {
        let mut prng = Prng::new(seed);
        let mut cluster = Cluster::new(3);
        cluster.active_bytes_max = 4096;
        cluster.disk_delay = prng.below(4) * 1_000;
        let mut acknowledged: u64 = 0;
        let mut open = Open::new();
        let mut down: Option<NodeId> = None;
        for _ in 0..3_000 {
            cluster.step();
            match prng.below(200) {
                0 => cluster.isolate(n(1 + prng.below(3) as u32)),
                1..=3 => cluster.heal(),
                4 if down.is_none() => {
                    let node = n(1 + prng.below(3) as u32);
                    cluster.crash(node);
                    down = Some(node);
                }
                5..=8 => {
                    if let Some(node) = down.take() {
                        cluster.start(node);
                    }
                }
                9 => {
                    if let Some(leader) = cluster.leaders().first().copied() {
                        cluster.control(leader, Control::Transfer { to: n(1 + prng.below(3) as u32) });
                    }
                }
                _ => {}
            }
            if let Some(leader) = cluster.leaders().last().copied()
                && open.len() < 4
            {
                let context = cluster.txn();
                let request = read_request(&context, "counter", Some(LockMode::Update));
                ask(&mut cluster, leader, &mut open, context, request);
            }
            settle_open(&mut cluster, &mut open, &mut acknowledged);
        }
        cluster.heal();
        if let Some(node) = down {
            cluster.start(node);
        }
        cluster.run(3_000);
        settle_open(&mut cluster, &mut open, &mut acknowledged);
        for asked in open.values() {
            let leader = cluster.leader();
            let outcome = cluster.call(leader, Request::Inquire { txn: asked.context.txn, refuse: true, recovery: false });
            acknowledged += u64::from(matches!(outcome, Response::Outcome(Outcome::Committed(_))));
        }
        let leader = cluster.leader();
        let total: u64 = cluster.row(leader, "counter").map_or(0, |row| row.parse().unwrap());
        assert_eq!(total, acknowledged, "seed {seed}");
        assert!(total > 20, "seed {seed}: only {total}");
        cluster.run(1_000);
        cluster.assert_equal();
    }
}

fn ask(cluster: &mut Cluster, leader: NodeId, open: &mut Open, context: Context, request: Request) {
    let id = cluster.ask(leader, request.clone());
    open.insert(id, Asked { context, request, at: cluster.now });
}

/// Goes on with what was answered, and asks again for commits whose answer does not come.
fn settle_open(cluster: &mut Cluster, open: &mut Open, acknowledged: &mut u64) {
    let Some(leader) = cluster.leaders().last().copied() else { return };
    let now = cluster.now;
    let late = |asked: &Asked| now > asked.at + 400_000;
    let turn: Vec<RequestId> =
        open.iter().filter(|(id, asked)| cluster.answers.contains_key(id) || late(asked)).map(|(id, _)| *id).collect();
    for id in turn {
        let Asked { mut context, request, .. } = open.remove(&id).unwrap();
        match (cluster.answers.get(&id).cloned(), request) {
            (Some(Response::Rows { rows, .. }), _) => {
                let (count, base) = rows[0]
                    .as_ref()
                    .map_or((0, Version::ZERO), |found| (std::str::from_utf8(&found.row).unwrap().parse::<u64>().unwrap(), found.version));
                context.holds_locks = true;
                let request = commit_request(&context, vec![put("counter", &(count + 1).to_string(), base)]);
                ask(cluster, leader, open, context, request);
            }
            (Some(Response::Committed { .. }), _) => *acknowledged += 1,
            (
                Some(Response::Refused(Refusal::Busy | Refusal::NotLeader(_) | Refusal::Lost(_))) | None,
                request @ Request::Commit { .. },
            ) => {
                ask(cluster, leader, open, context, request);
            }
            _ => {
                cluster.ask(leader, Request::Rollback { txn: context.txn });
            }
        }
    }
}
