//! New, lagging and damaged replicas get their rows; members come and go.

use super::cluster::*;
use crate::event::Control;
use std::time::Duration;
use storage::access::*;

fn fill(cluster: &mut Cluster, leader: base::NodeId, rows: u32) {
    for i in 0..rows {
        let name = format!("k{i:05}");
        cluster.put(leader, &name, &"x".repeat(1000));
    }
}

#[test]
fn a_replica_that_missed_the_truncated_log_gets_the_rows() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let behind = if leader == n(1) { n(2) } else { n(1) };
    cluster.put(leader, "a", "1");
    cluster.run(200);
    cluster.crash(behind);
    fill(&mut cluster, leader, 1_000);
    cluster.run(1_000);
    cluster.shard(leader).flush_now();
    cluster.run(1_000);
    let status = cluster.shard(leader).status();
    assert!(status.flushed > 900, "{status:?}");
    cluster.put(leader, "later", "1");
    cluster.start(behind);
    let last = cluster.shard(leader).status().applied;
    cluster.run_until(5_000, |cluster| cluster.shard(behind).status().applied >= last);
    cluster.run(300);
    cluster.assert_equal();
    cluster.crash(leader);
    let new = cluster.leader();
    assert_eq!(cluster.row(new, "k00999").map(|row| row.len()), Some(1000));
}

#[test]
fn a_damaged_replica_that_had_flushed_more_than_its_leader_gets_rows_that_join_its_log() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let ahead = if leader == n(1) { n(2) } else { n(1) };
    fill(&mut cluster, leader, 50);
    cluster.run(300);
    cluster.shard(ahead).flush_now();
    cluster.run_until(2_000, |cluster| cluster.shard(ahead).status().flushed > 40);
    assert!(cluster.shard(leader).status().flushed < cluster.shard(ahead).status().flushed);
    cluster.crash(ahead);
    cluster.damage_log(ahead);
    cluster.put(leader, "later", "1");
    cluster.start(ahead);
    let last = cluster.shard(leader).status().applied;
    cluster.run_until(10_000, |cluster| {
        let status = cluster.shard(ahead).status();
        status.rows && status.applied >= last
    });
    cluster.put(leader, "last", "1");
    cluster.run(1_000);
    cluster.assert_equal();
}

/// The rows that it got are older than the change that made the others voters.
#[test]
fn a_rebuilt_replica_writes_down_the_members_of_today_and_does_not_lead_alone() {
    let mut cluster = Cluster::new(1);
    cluster.leader();
    cluster.put(n(1), "a", "1");
    for node in [2, 3] {
        cluster.add(n(node), None);
    }
    let members = |cluster: &mut Cluster, node: u32| cluster.shard(n(node)).members().voters.len();
    let voters: Vec<_> = [1, 2, 3].map(n).to_vec();
    while members(&mut cluster, 3) < 3 {
        let leader = cluster.leader();
        cluster.control(leader, Control::Membership { voters: voters.clone(), witnesses: Vec::new(), learners: Vec::new() });
        cluster.run(100);
    }
    cluster.crash(n(1));
    cluster.damage_log(n(1));
    cluster.start(n(1));
    let leader = cluster.leader();
    cluster.put(leader, "b", "1");
    cluster.run_until(10_000, |cluster| cluster.shard(n(1)).status().rows);
    cluster.run(1_000);
    cluster.shard(n(1)).flush_now();
    cluster.run(1_000);
    assert_eq!(members(&mut cluster, 1), 3);
    for node in 1..=3 {
        cluster.crash(n(node));
    }
    cluster.start(n(1));
    cluster.run(3_000);
    assert_eq!(cluster.leaders(), []);
    assert_eq!(members(&mut cluster, 1), 3);
}

#[test]
fn a_crash_in_the_middle_of_a_transfer_starts_it_again() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let behind = if leader == n(1) { n(2) } else { n(1) };
    cluster.run(200);
    cluster.crash(behind);
    fill(&mut cluster, leader, 1_500);
    cluster.run(1_000);
    cluster.shard(leader).flush_now();
    cluster.run(500);
    cluster.start(behind);
    cluster.run_until(5_000, |cluster| !cluster.shard(behind).status().rows);
    cluster.run(5);
    cluster.crash(behind);
    cluster.start(behind);
    assert!(!cluster.shard(behind).status().rows);
    cluster.run_until(10_000, |cluster| cluster.shard(behind).status().rows);
    cluster.run(1_000);
    cluster.assert_equal();
}

/// Its log begins behind rows that it does not have, and nothing tells who its members are. The leader has the log's continuation, so that more is
/// committed there than the rows that come.
#[test]
fn a_log_without_the_rows_before_it_is_given_up() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let behind = if leader == n(1) { n(2) } else { n(1) };
    fill(&mut cluster, leader, 50);
    cluster.run(300);
    for node in [behind, leader] {
        cluster.shard(node).flush_now();
        cluster.run_until(2_000, |cluster| cluster.shard(node).status().flushed > 40);
    }
    cluster.put(leader, "later", "1");
    cluster.run(300);
    cluster.lose_rows(behind);
    cluster.put(leader, "meanwhile", "1");
    cluster.start(behind);
    cluster.run_until(10_000, |cluster| cluster.shard(behind).status().rows);
    cluster.put(leader, "last", "1");
    cluster.run(1_000);
    cluster.shard(behind).flush_now();
    cluster.run(1_000);
    cluster.assert_equal();
    assert_eq!(cluster.shard(behind).members().voters.len(), 3);
}

#[test]
fn members_join_get_the_rows_and_leave() {
    let mut cluster = Cluster::new(1);
    let first = cluster.leader();
    fill(&mut cluster, first, 300);
    cluster.shard(first).flush_now();
    cluster.run(300);
    cluster.put(first, "later", "1");
    for node in 2..=4 {
        cluster.add(n(node), None);
    }
    let change = |voters: &[u32], witnesses: &[u32]| Control::Membership {
        voters: voters.iter().copied().map(n).collect(),
        witnesses: witnesses.iter().copied().map(n).collect(),
        learners: Vec::new(),
    };
    cluster.control(first, change(&[1, 2, 3], &[4]));
    cluster.run_until(10_000, |cluster| {
        let members = cluster.shard(first).members();
        members.voters == [n(1), n(2), n(3)] && members.witnesses == [n(4)] && !members.changing
    });
    cluster.put(first, "more", "1");
    cluster.run(1_000);
    cluster.assert_equal();
    assert!(cluster.shard(n(2)).status().rows && !cluster.shard(n(4)).status().rows);
    // The first leaves: leadership goes first.
    cluster.control(first, change(&[2, 3], &[4]));
    cluster.run_until(10_000, |cluster| {
        let leaders = cluster.leaders();
        leaders.len() == 1 && leaders[0] != first
    });
    let leader = cluster.leader();
    cluster.control(leader, change(&[2, 3], &[4]));
    cluster.run_until(10_000, |cluster| cluster.shard(leader).members().voters == [n(2), n(3)]);
    cluster.run(500);
    assert_eq!(cluster.row(leader, "more").as_deref(), Some("1"));
    cluster.crash(leader);
    let left = cluster.leader();
    assert_eq!(cluster.row(left, "later").as_deref(), Some("1"));
    cluster.start(leader);
    cluster.run(1_000);
    cluster.crash(first);
    cluster.assert_equal();
}

#[test]
fn replicas_agree_after_flushes_at_different_times_and_restarts_of_all() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    fill(&mut cluster, leader, 50);
    cluster.shard(n(1)).flush_now();
    cluster.run(200);
    fill(&mut cluster, leader, 80);
    cluster.shard(n(2)).flush_now();
    cluster.run(200);
    for node in 1..=3 {
        cluster.crash(n(node));
    }
    for node in 1..=3 {
        cluster.start(n(node));
    }
    let leader = cluster.leader();
    cluster.put(leader, "end", "1");
    cluster.run(500);
    cluster.assert_equal();
    let rows = cluster.scan(leader, Snapshot::Latest, false, 100);
    assert_eq!(rows.len(), 81);
}

#[test]
fn a_replica_that_lost_its_disk_is_rebuilt_under_its_name() {
    for damaged in [false, true] {
        let mut cluster = Cluster::new(3);
        let leader = cluster.leader();
        let lost = if leader == n(1) { n(2) } else { n(1) };
        fill(&mut cluster, leader, 200);
        cluster.run(300);
        if damaged {
            cluster.crash(lost);
            cluster.damage_log(lost);
        } else {
            cluster.destroy(lost);
        }
        cluster.start(lost);
        cluster.run_until(10_000, |cluster| {
            let status = cluster.shard(lost).status();
            status.rows && status.applied > 200
        });
        cluster.put(leader, "later", "1");
        cluster.run(500);
        cluster.assert_equal();
        cluster.crash(leader);
        let new = cluster.leader();
        assert_eq!(cluster.row(new, "later").as_deref(), Some("1"));
    }
}

#[test]
fn a_replica_that_lost_its_disk_does_not_help_to_elect_who_lacks_what_was_acknowledged() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    let others: Vec<_> = (1..=3).map(n).filter(|node| *node != leader).collect();
    cluster.run(200);
    cluster.isolate(others[0]);
    cluster.put(leader, "a", "1");
    cluster.crash(leader);
    cluster.destroy(others[1]);
    cluster.start(others[1]);
    cluster.heal();
    cluster.run(3_000);
    assert_eq!(cluster.leaders(), []);
    cluster.start(leader);
    let back = cluster.leader();
    assert_eq!(cluster.row(back, "a").as_deref(), Some("1"));
}

/// The rows that it gets are older than what it had acknowledged: until the log has brought that too, it must not vote, however often it starts.
#[test]
fn a_rebuilt_replica_does_not_help_to_elect_who_lacks_what_it_had_acknowledged() {
    for (destroyed, restarted_before, restarted_after) in
        [(false, false, false), (false, true, false), (false, false, true), (true, false, false), (true, false, true)]
    {
        let mut cluster = Cluster::new(3);
        let leader = cluster.leader();
        let others: Vec<_> = (1..=3).map(n).filter(|node| *node != leader).collect();
        let (lagging, damaged) = (others[0], others[1]);
        fill(&mut cluster, leader, 20);
        for node in [leader, damaged] {
            cluster.shard(node).flush_now();
        }
        cluster.run(1_000);
        cluster.starved = Some(lagging);
        cluster.put(leader, "a", "1");
        if destroyed {
            cluster.destroy(damaged);
        } else {
            cluster.crash(damaged);
            cluster.damage_log(damaged);
        }
        cluster.start(damaged);
        if restarted_before {
            cluster.run(100);
            cluster.crash(leader);
            cluster.crash(damaged);
            cluster.start(damaged);
        } else {
            cluster.delay = 40_000;
            cluster.run_until(10_000, |cluster| cluster.shard(damaged).status().rows);
            cluster.crash(leader);
        }
        if restarted_after {
            cluster.crash(damaged);
            cluster.start(damaged);
        }
        cluster.starved = None;
        cluster.run(5_000);
        assert_eq!(cluster.leaders(), [], "destroyed {destroyed}, restarted {restarted_before} {restarted_after}");
        cluster.start(leader);
        let back = cluster.leader();
        assert_eq!(cluster.row(back, "a").as_deref(), Some("1"));
        cluster.run(5_000);
        cluster.crash(leader);
        let next = cluster.leader();
        assert_eq!(cluster.row(next, "a").as_deref(), Some("1"));
        for node in [lagging, damaged] {
            cluster.crash(node);
        }
        for node in [lagging, damaged] {
            cluster.start(node);
        }
        cluster.leader();
    }
}

/// A replica that forgot its vote is reached by the leader of old alone, who does not know yet that it was replaced with that vote.
#[test]
fn a_replica_that_forgot_its_vote_acknowledges_nothing_to_the_leader_that_was_replaced_with_it() {
    let mut met = 0;
    for seed in 0..30 {
        for destroyed in [false, true] {
            let mut cluster = Cluster::new(3);
            cluster.seed(seed);
            let old = cluster.leader();
            let others: Vec<_> = (1..=3).map(n).filter(|node| *node != old).collect();
            let base = cluster.put(old, "a", "1");
            cluster.run(300 + 25 * seed);
            cluster.isolate(old);
            let context = cluster.txn();
            let pending = cluster.ask(old, commit_request(&context, vec![put("a", "old", base)]));
            cluster.run_until(5_000, |cluster| cluster.leaders().iter().any(|leader| *leader != old));
            let new = *cluster.leaders().iter().find(|leader| **leader != old).unwrap();
            cluster.put(new, "a", "new");
            let forgetful = if new == others[0] { others[1] } else { others[0] };
            cluster.isolate(new);
            if destroyed {
                cluster.destroy(forgetful);
            } else {
                cluster.crash(forgetful);
                cluster.damage_log(forgetful);
            }
            cluster.cut.remove(&(old, forgetful));
            cluster.cut.remove(&(forgetful, old));
            cluster.start(forgetful);
            met += usize::from(cluster.shard(old).is_leader());
            cluster.run(3_000);
            assert!(!matches!(cluster.answers.get(&pending), Some(Response::Committed { .. })), "seed {seed}: a write is lost");
            cluster.heal();
            let leader = cluster.leader();
            assert_eq!(cluster.row(leader, "a").as_deref(), Some("new"), "seed {seed}");
            cluster.run(3_000);
            cluster.assert_equal();
        }
    }
    assert!(met > 0, "the leader of old had always stepped down already");
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_space_and_loses_nothing() {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    fill(&mut cluster, leader, 50);
    cluster.fill_disk(leader, true);
    let refused = cluster.commit(leader, vec![put("a", "1", base::Version::ZERO)]);
    assert_eq!(refused_with(&refused), "53100");
    assert!(cluster.get(leader, "k00001").is_some());
    cluster.shard(leader).flush_now();
    cluster.run(1_500);
    cluster.fill_disk(leader, false);
    cluster.put(leader, "a", "1");
    cluster.run(3_000);
    assert!(cluster.shard(leader).status().flushed > 40);
    cluster.assert_equal();
}

#[test]
fn writes_wait_while_more_is_written_than_goes_to_the_disk() {
    writes_wait(Duration::ZERO);
}

#[test]
fn writes_wait_for_a_flush_that_another_job_keeps_from_beginning() {
    // History is collected every ten seconds.
    writes_wait(Duration::from_secs(11));
}

/// Jobs stand still for so long before the writes begin.
fn writes_wait(before: Duration) {
    let mut cluster = Cluster::new(1);
    cluster.active_bytes_max = 10_000;
    cluster.crash(n(1));
    cluster.start(n(1));
    let leader = cluster.leader();
    cluster.jobs_held = true;
    cluster.run(before.as_millis() as u64);
    let write = |cluster: &mut Cluster, i: u32| {
        cluster.run(50);
        cluster.commit(leader, vec![put(&format!("k{i:05}"), &"x".repeat(1000), base::Version::ZERO)])
    };
    let busy = Response::Refused(Refusal::Busy);
    let refused = (0..100).find(|i| write(&mut cluster, *i) == busy).expect("memory has a bound");
    assert!(cluster.shard(leader).status().memory_bytes < 50_000);
    cluster.jobs_held = false;
    cluster.run(1_000);
    assert!(matches!(write(&mut cluster, refused), Response::Committed { .. }));
}

#[test]
fn flushed_rows_leave_faster_than_new_ones_come() {
    let mut cluster = Cluster::new(1);
    (cluster.active_bytes_max, cluster.cache_bytes_max) = (1_000_000, 500_000);
    cluster.crash(n(1));
    cluster.start(n(1));
    let leader = cluster.leader();
    for commit in 0..30 {
        let rows = (0..20_000).map(|i| put(&format!("k{:07}", commit * 20_000 + i), "row", base::Version::ZERO)).collect();
        assert!(matches!(cluster.commit(leader, rows), Response::Committed { .. }));
        cluster.run(50);
        let held = cluster.shard(leader).status().memory_bytes;
        assert!(held < 8_000_000, "{held} bytes after {commit} commits");
    }
}

#[test]
fn writes_do_not_wait_for_space_on_a_full_disk() {
    let mut cluster = Cluster::new(1);
    cluster.active_bytes_max = 10_000;
    cluster.crash(n(1));
    cluster.start(n(1));
    let leader = cluster.leader();
    cluster.fill_stores(leader, true);
    let write = |cluster: &mut Cluster, i: u32| {
        cluster.run(50);
        cluster.commit(leader, vec![put(&format!("k{i:05}"), &"x".repeat(1000), base::Version::ZERO)])
    };
    let is_refused =
        |response: &Response| matches!(response, Response::Refused(Refusal::Error(e)) if e.state() == base::SqlState::DISK_FULL);
    let refused = (0..100).find(|i| match write(&mut cluster, *i) {
        Response::Committed { .. } => false,
        response => is_refused(&response) || panic!("{response:?}"),
    });
    assert!(cluster.shard(leader).is_starved());
    cluster.fill_stores(leader, false);
    cluster.run(3_000);
    assert!(!cluster.shard(leader).is_starved());
    assert!(matches!(write(&mut cluster, refused.expect("memory has a bound")), Response::Committed { .. }));
}
