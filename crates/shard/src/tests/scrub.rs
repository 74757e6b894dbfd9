//! Damaged rows are found by comparing replicas, and come anew.

use super::cluster::*;
use base::NodeId;
use storage::rows::{Batch, RowStores, Space};

/// Three replicas with flushed rows.
fn three() -> (Cluster, NodeId) {
    let mut cluster = Cluster::new(3);
    let leader = cluster.leader();
    for i in 0..40 {
        cluster.put(leader, &format!("k{i:02}"), "row");
    }
    cluster.run(200);
    for node in [n(1), n(2), n(3)] {
        cluster.shard(node).flush_now();
    }
    cluster.run(500);
    (cluster, leader)
}

/// One bit of a row in a replica's store changes.
fn flip(cluster: &mut Cluster, node: NodeId) {
    let store = cluster.members[&node].rows.open(SHARD).unwrap();
    let row = store.get(Space::Current, &key("k07")).unwrap().unwrap();
    let mut damaged = row.to_vec();
    *damaged.last_mut().unwrap() ^= 4;
    store.write(Batch { changes: vec![(Space::Current, key("k07"), Some(damaged.into()))] }).unwrap();
    store.sync().unwrap();
}

fn scrub(cluster: &mut Cluster) {
    let leader = cluster.leader();
    cluster.shard(leader).scrub_now();
}

#[test]
fn replicas_that_agree_are_left_alone() {
    let (mut cluster, leader) = three();
    scrub(&mut cluster);
    cluster.run(1_500);
    cluster.put(leader, "k07", "changed");
    let status = cluster.shard(leader).scrub_status();
    assert!(status.passes >= 1 && status.rows >= 40, "{status:?}");
    assert_eq!((status.differences, status.finding), (0, None));
}

#[test]
fn a_replica_with_a_flipped_bit_gets_its_rows_anew() {
    let (mut cluster, leader) = three();
    let damaged = [n(1), n(2), n(3)].into_iter().find(|node| *node != leader).unwrap();
    flip(&mut cluster, damaged);
    let mut at = 0;
    scrub(&mut cluster);
    // Writes go on meanwhile.
    cluster.run_until(20_000, |cluster| {
        at += 1;
        if at % 20 == 0 {
            cluster.put(leader, &format!("w{at}"), "row");
        }
        cluster.shard(damaged).scrub_status().dropped == 1 && cluster.shard(damaged).status().rows
    });
    cluster.run(1_000);
    cluster.assert_equal();
    assert!(cluster.reports.iter().any(|report| report.contains("damaged rows on node")));
    assert_eq!(cluster.shard(leader).scrub_status().differences, 1);
    cluster.crash(damaged);
    cluster.start(damaged);
    cluster.run(2_000);
    cluster.assert_equal();
}

#[test]
fn a_leader_with_a_flipped_bit_hands_over_and_gets_its_rows_anew() {
    let (mut cluster, leader) = three();
    // What the leader has in memory would hide it.
    cluster.crash(leader);
    flip(&mut cluster, leader);
    cluster.start(leader);
    cluster.run(2_000);
    for _ in 0..3 {
        cluster.control(leader, crate::event::Control::Campaign);
        let now = cluster.leader();
        if now != leader {
            cluster.control(now, crate::event::Control::Transfer { to: leader });
            cluster.run(1_000);
        }
    }
    assert_eq!(cluster.leader(), leader, "the damaged replica leads");
    scrub(&mut cluster);
    cluster.run_until(60_000, |cluster| cluster.shard(leader).scrub_status().dropped == 1 && cluster.shard(leader).status().rows);
    cluster.run(1_000);
    cluster.assert_equal();
}
