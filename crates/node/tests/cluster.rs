//! Facts about nodes together, through SQL.

mod world;

use base::NodeId;
use base::locality::LocalityMode;
use node::Event;
use std::time::Duration;
use world::{Rows, World};

const N1: NodeId = NodeId(1);

fn rows(rows: &[&[&str]]) -> Rows {
    rows.iter().map(|r| r.iter().map(|c| Some((*c).to_owned())).collect()).collect()
}

fn with_table(mode: LocalityMode, nodes: u32) -> World {
    let mut world = World::grown(mode, nodes);
    world.query(N1, "CREATE TABLE t (id int PRIMARY KEY, n int)").ok();
    world
}

/// Two rows of this table are in different shards for some pair of small keys.
fn with_sharded_table(mode: LocalityMode, nodes: u32) -> World {
    let mut world = World::grown(mode, nodes);
    world.query(N1, "CREATE TABLE s (id int PRIMARY KEY, n int) WITH (shard_key = 'id')").ok();
    for id in 1..=16 {
        world.query(N1, &format!("INSERT INTO s VALUES ({id}, 0)")).ok();
    }
    world
}

#[test]
fn a_new_node_runs_sql() {
    let mut world = with_table(LocalityMode::Single, 1);
    world.query(N1, "INSERT INTO t VALUES (1, 10), (2, 20)").ok();
    world.query(N1, "UPDATE t SET n = n + 1 WHERE id = 2").ok();
    assert_eq!(world.query(N1, "SELECT n FROM t WHERE id = 2").ok(), rows(&[&["21"]]));
    assert_eq!(world.query(N1, "INSERT INTO t VALUES (1, 1)").state(), "23505");
    assert!(world.faults.is_empty(), "{:?}", world.faults);
}

#[test]
fn a_killed_node_finds_its_rows_in_the_log() {
    let mut world = with_table(LocalityMode::Single, 1);
    world.query(N1, "INSERT INTO t VALUES (1, 10)").ok();
    world.kill(N1);
    world.restart(N1);
    assert_eq!(world.query(N1, "SELECT n FROM t WHERE id = 1").ok(), rows(&[&["10"]]));
}

#[test]
fn three_nodes_become_three_voters_and_each_takes_statements() {
    let mut world = with_table(LocalityMode::ThreeZones, 3);
    for n in 1..=3 {
        world.query(NodeId(n), &format!("INSERT INTO t VALUES ({n}, {n})")).ok();
    }
    for n in 1..=3 {
        assert_eq!(world.query(NodeId(n), "SELECT n FROM t WHERE id = 3").ok(), rows(&[&["3"]]));
    }
    assert!(world.faults.is_empty(), "{:?}", world.faults);
}

#[test]
fn the_death_of_the_leader_loses_nothing_and_service_goes_on() {
    let mut world = with_table(LocalityMode::ThreeCities, 5);
    for id in 0..20 {
        world.query(NodeId(id % 5 + 1), &format!("INSERT INTO t VALUES ({id}, {id})")).ok();
    }
    let leader = world.leader(0).expect("there is one");
    world.kill(leader);
    let other = world.nodes()[0];
    let before = world.now.mono;
    world.query(other, "INSERT INTO t VALUES (100, 100)").ok();
    let gap = world.now.mono.since(before);
    assert!(gap.as_millis() < 2_000, "{gap:?}");
    for id in 0..20 {
        let found = world.query(other, &format!("SELECT n FROM t WHERE id = {id}")).ok();
        assert_eq!(found, rows(&[&[&id.to_string()]]));
    }
    world.restart(leader);
    assert_eq!(world.query(leader, "SELECT n FROM t WHERE id = 100").ok(), rows(&[&["100"]]));
}

#[test]
fn a_cluster_that_was_stopped_as_a_whole_comes_back() {
    let mut world = with_table(LocalityMode::ThreeZones, 3);
    world.query(N1, "INSERT INTO t VALUES (1, 10)").ok();
    let all = world.nodes();
    all.iter().for_each(|&n| world.kill(n));
    all.iter().for_each(|&n| world.restart(n));
    assert_eq!(world.query(NodeId(2), "SELECT n FROM t WHERE id = 1").ok(), rows(&[&["10"]]));
}

#[test]
fn a_transaction_over_shards_is_all_or_nothing() {
    let mut world = with_sharded_table(LocalityMode::ThreeZones, 3);
    let client = world.connect(NodeId(2));
    for sql in ["BEGIN", "UPDATE s SET n = n + 1 WHERE id = 1", "UPDATE s SET n = n + 1 WHERE id = 2"] {
        world.ask(client, sql).ok();
    }
    for id in 3..=16 {
        world.ask(client, &format!("UPDATE s SET n = n + 1 WHERE id = {id}")).ok();
    }
    assert_eq!(world.query(N1, "SELECT n FROM s WHERE id = 1").ok(), rows(&[&["0"]]));
    world.ask(client, "COMMIT").ok();
    for id in 1..=16 {
        assert_eq!(world.query(NodeId(3), &format!("SELECT n FROM s WHERE id = {id}")).ok(), rows(&[&["1"]]));
    }
    for sql in ["BEGIN", "UPDATE s SET n = 99 WHERE id = 1", "UPDATE s SET n = 99 WHERE id = 2", "ROLLBACK"] {
        world.ask(client, sql).ok();
    }
    assert_eq!(world.query(N1, "SELECT n FROM s WHERE id = 2").ok(), rows(&[&["1"]]));
    assert!(world.faults.is_empty(), "{:?}", world.faults);
}

#[test]
fn a_deadlock_over_shards_is_broken() {
    let mut world = with_sharded_table(LocalityMode::ThreeZones, 3);
    let mut broken = 0;
    // Among these pairs some have their rows in different shards.
    for (a, b) in [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)] {
        let (first, second) = (world.connect(NodeId(2)), world.connect(NodeId(3)));
        world.ask(first, "BEGIN").ok();
        world.ask(second, "BEGIN").ok();
        world.ask(first, &format!("UPDATE s SET n = 1 WHERE id = {a}")).ok();
        world.ask(second, &format!("UPDATE s SET n = 2 WHERE id = {b}")).ok();
        world.send(first, &format!("UPDATE s SET n = 1 WHERE id = {b}"));
        world.send(second, &format!("UPDATE s SET n = 2 WHERE id = {a}"));
        let before = world.now.mono;
        // Who loses rolls back, then the other goes on.
        let (mut one, mut two) = (None, None);
        while one.is_none() || two.is_none() {
            world.tick();
            for (client, answer) in [(first, &mut one), (second, &mut two)] {
                if answer.is_none()
                    && let Some(heard) = world.heard(client)
                {
                    if !heard.errors.is_empty() {
                        world.ask(client, "ROLLBACK").ok();
                    }
                    *answer = Some(heard.state());
                }
            }
            assert!(world.now.mono.since(before).as_secs() < 10, "the deadlock of {a} and {b} was not broken");
        }
        let states = [one.expect("heard"), two.expect("heard")];
        assert_eq!(states.iter().filter(|s| *s == "40P01").count(), 1, "{states:?}");
        broken += 1;
        for client in [first, second] {
            world.ask(client, "ROLLBACK");
            world.event(client.node, Event::ClientGone { session: client.session });
        }
    }
    assert_eq!(broken, 5);
}

#[test]
fn a_drained_node_hands_over_and_no_statement_fails() {
    let mut world = with_table(LocalityMode::ThreeZones, 3);
    let leader = world.leader(0).expect("there is one");
    let other = world.nodes().into_iter().find(|n| *n != leader).expect("three nodes");
    let client = world.connect(other);
    world.event(leader, Event::Drain);
    let mut id = 0;
    while !world.is_stopped(leader) {
        id += 1;
        world.ask(client, &format!("INSERT INTO t VALUES ({id}, {id})")).ok();
        world.tick();
        assert!(id < 5_000, "the drain does not end");
    }
    assert_ne!(world.leader(0), Some(leader));
    assert_ne!(world.leader(1), Some(leader));
}

#[test]
fn a_leader_whose_disk_is_full_hands_over_and_writes_go_on() {
    let mut world = with_table(LocalityMode::ThreeZones, 3);
    let leader = world.leader(0).expect("there is one");
    let other = world.nodes().into_iter().find(|n| *n != leader).expect("three nodes");
    world.full.insert(leader);
    let begun = world.now.mono;
    let mut id = 0;
    while world.leader(0) == Some(leader) || world.leader(1) == Some(leader) {
        id += 1;
        let answer = world.query(other, &format!("INSERT INTO t VALUES ({id}, {id})"));
        assert!(["", "53100"].contains(&answer.state().as_str()), "{answer:?}");
        world.tick();
        assert!(world.now.mono.since(begun) < Duration::from_secs(2), "leadership stays where nothing can be written");
    }
    world.query(leader, "INSERT INTO t VALUES (1000, 1000)").ok();
    let states = |w: &World| -> Vec<String> {
        let table = w.node(other).system_table("florin.nodes").expect("it is one");
        table.iter().map(|row| format!("{:?}", row[5])).filter(|state| state.contains("disk full")).collect()
    };
    assert_eq!(states(&world).len(), 1, "an operator can see it");
    world.full.clear();
    world.until("the disk counts as free again", |w| states(w).is_empty());
    world.query(other, "INSERT INTO t VALUES (1001, 1001)").ok();
}

#[test]
fn a_full_disk_of_a_node_that_is_alone_is_told_and_writes_go_on_when_it_has_space() {
    let mut world = with_table(LocalityMode::Single, 1);
    world.full.insert(N1);
    let client = world.connect(N1);
    world.send(client, "INSERT INTO t VALUES (1, 1)");
    world.ticks(10);
    assert_eq!(world.query(N1, "INSERT INTO t VALUES (2, 2)").state(), "53100");
    world.full.clear();
    assert!(world.wait(client).errors.is_empty(), "it waited for its turn on the disk");
    world.query(N1, "INSERT INTO t VALUES (2, 2)").ok();
}

#[test]
fn a_drain_by_command_ends_when_leadership_is_elsewhere_and_costs_no_statement_a_tick_of_waiting() {
    let mut world = with_table(LocalityMode::ThreeZones, 3);
    let leader = world.leader(0).expect("there is one");
    let other = world.nodes().into_iter().find(|n| *n != leader).expect("three nodes");
    let (near, far, operator) = (world.connect(leader), world.connect(other), world.connect(other));
    world.send(operator, &format!("SELECT florin.drain({})", leader.0));
    let mut longest = 0;
    for id in 0..200 {
        for (client, key) in [(near, 2 * id), (far, 2 * id + 1)] {
            let before = world.now.mono;
            world.ask(client, &format!("INSERT INTO t VALUES ({key}, {key})")).ok();
            longest = longest.max(world.now.mono.since(before).as_millis());
        }
        world.tick();
    }
    world.wait(operator).ok();
    assert_ne!(world.leader(0), Some(leader));
    assert_ne!(world.leader(1), Some(leader));
    // Frames and disks take no time here: at most the tick in which leadership moves.
    assert!(longest <= 10, "{longest} ms");
    world.query(other, &format!("SELECT florin.undrain({})", leader.0)).ok();
    world.until("the preferred zone leads again", |w| w.leader(0) == Some(leader));
}

#[test]
fn a_drained_node_is_not_handed_back_what_it_led_whatever_the_moment() {
    let mut world = with_table(LocalityMode::ThreeZones, 3);
    let operator = world.connect(NodeId(3));
    for phase in 0..24 {
        world.until("the preferred zone leads", |w| w.leader(0) == Some(N1) && w.leader(1) == Some(N1));
        world.ticks(160 + phase);
        world.ask(operator, "SELECT florin.drain(1)").ok();
        for tick in 0..40 {
            assert!(world.leader(0) != Some(N1) && world.leader(1) != Some(N1), "phase {phase}: it leads again after {tick} ticks");
            world.tick();
        }
        world.ask(operator, "SELECT florin.undrain(1)").ok();
    }
}

#[test]
fn a_drain_that_has_nowhere_to_go_says_so() {
    let mut world = with_table(LocalityMode::Single, 1);
    assert_eq!(world.query(N1, "SELECT florin.drain(1)").state(), "55000");
    world.query(N1, "INSERT INTO t VALUES (1, 1)").ok();
}

#[test]
fn a_removed_node_is_replaced_by_a_spare_one() {
    let mut world = with_table(LocalityMode::ThreeZones, 4);
    world.query(N1, "INSERT INTO t VALUES (1, 10)").ok();
    let members = |w: &World| w.node(N1).with_shard(base::ShardId(0), |s| s.members().voters).expect("a replica");
    let removed = *members(&world).iter().find(|n| **n != N1).expect("three voters");
    world.query(N1, &format!("SELECT florin.remove_node({})", removed.0)).ok();
    world.until("the spare node votes", |w| {
        let voters = members(w);
        voters.len() == 3 && !voters.contains(&removed)
    });
    assert_eq!(world.query(NodeId(4), "SELECT n FROM t WHERE id = 1").ok(), rows(&[&["10"]]));
    world.until("every node's shell refuses it, its own too", |w| {
        w.nodes().iter().all(|n| w.removed.get(n).is_some_and(|told| *told == [removed]))
    });
}

#[test]
fn a_cancelled_wait_ends_and_the_row_stays_free() {
    let mut world = with_table(LocalityMode::ThreeZones, 3);
    world.query(N1, "INSERT INTO t VALUES (1, 10)").ok();
    let (holder, waiter) = (world.connect(N1), world.connect(NodeId(2)));
    world.ask(holder, "BEGIN").ok();
    world.ask(holder, "UPDATE t SET n = 1 WHERE id = 1").ok();
    world.send(waiter, "UPDATE t SET n = 2 WHERE id = 1");
    world.ticks(20);
    assert!(world.heard(waiter).is_none());
    world.event(waiter.node, Event::Cancel { session: waiter.session });
    assert_eq!(world.wait(waiter).state(), "57014");
    world.ask(holder, "COMMIT").ok();
    assert_eq!(world.query(N1, "SELECT n FROM t WHERE id = 1").ok(), rows(&[&["1"]]));
}

#[test]
fn the_locks_of_a_client_that_vanished_are_given_up() {
    let mut world = with_table(LocalityMode::ThreeZones, 3);
    world.query(N1, "INSERT INTO t VALUES (1, 10)").ok();
    let holder = world.connect(NodeId(3));
    world.ask(holder, "BEGIN").ok();
    world.ask(holder, "UPDATE t SET n = 1 WHERE id = 1").ok();
    world.event(holder.node, Event::ClientGone { session: holder.session });
    world.query(N1, "UPDATE t SET n = 2 WHERE id = 1").ok();
    assert_eq!(world.query(N1, "SELECT n FROM t WHERE id = 1").ok(), rows(&[&["2"]]));
}

#[test]
fn the_locks_of_a_gateway_that_died_are_given_up() {
    let mut world = with_table(LocalityMode::ThreeZones, 3);
    world.query(N1, "INSERT INTO t VALUES (1, 10)").ok();
    let holder = world.connect(NodeId(3));
    world.ask(holder, "BEGIN").ok();
    world.ask(holder, "UPDATE t SET n = 1 WHERE id = 1").ok();
    world.kill(NodeId(3));
    world.query(N1, "UPDATE t SET n = 2 WHERE id = 1").ok();
    assert_eq!(world.query(N1, "SELECT n FROM t WHERE id = 1").ok(), rows(&[&["2"]]));
}

#[test]
fn system_tables_tell_nodes_and_shards() {
    let world = with_table(LocalityMode::ThreeZones, 3);
    let node = world.node(NodeId(2));
    let column = |name: &str, at: usize| -> Vec<String> {
        node.system_table(name).expect("it is one").iter().map(|row| format!("{:?}", row[at])).collect()
    };
    assert_eq!(column("florin.nodes", 0), ["Int4(1)", "Int4(2)", "Int4(3)"]);
    assert_eq!(column("florin.shards", 3), ["Int4(3)", "Int4(3)"]);
    for table in sql::system::ALL {
        let rows = node.system_table(table.name).expect("the node answers it");
        assert!(rows.iter().all(|row| row.len() == table.columns.len()), "{}", table.name);
    }
}

/// A transaction on `client` that has written a row of its own.
fn open_transaction(world: &mut World, node: NodeId, id: u32) -> world::Client {
    let client = world.connect(node);
    world.ask(client, "BEGIN").ok();
    world.ask(client, &format!("INSERT INTO t VALUES ({id}, 1)")).ok();
    client
}

fn all_but(world: &mut World, node: NodeId) -> Vec<NodeId> {
    world.nodes().into_iter().filter(|n| *n != node).collect()
}

#[test]
fn a_commit_that_no_leader_takes_fails_for_certain_within_a_bound() {
    let mut world = with_table(LocalityMode::ThreeZones, 3);
    let here = world.leader(0).expect("there is one");
    let client = open_transaction(&mut world, here, 1);
    let others = all_but(&mut world, here);
    others.iter().for_each(|&n| world.kill(n));
    // Until this node knows that it does not lead any more.
    world.until("it has no leader", |w| w.leader(0).is_none());
    let before = world.now.mono;
    let answer = world.ask(client, "COMMIT");
    assert_eq!(answer.state(), "57P03", "{answer:?}");
    assert!(world.now.mono.since(before).as_secs() < 32);
    others.iter().for_each(|&n| world.restart(n));
    assert_eq!(world.query(here, "SELECT n FROM t WHERE id = 1").ok(), rows(&[]));
    world.query(here, "INSERT INTO t VALUES (1, 2)").ok();
}

#[test]
fn a_canceled_commit_that_may_have_happened_is_unknown_and_leaves_no_lock() {
    let mut world = with_table(LocalityMode::ThreeZones, 3);
    let here = world.leader(0).expect("there is one");
    let client = open_transaction(&mut world, here, 1);
    let others = all_but(&mut world, here);
    others.iter().for_each(|&n| world.kill(n));
    world.send(client, "COMMIT");
    let before = world.now.mono;
    world.event(here, Event::Cancel { session: client.session });
    let answer = world.wait(client);
    assert_eq!(answer.state(), "08007", "{answer:?}");
    let waited = world.now.mono.since(before).as_millis();
    assert!((2_900..4_000).contains(&waited), "{waited}");
    others.iter().for_each(|&n| world.restart(n));
    let n = world.query(here, "SELECT n FROM t WHERE id = 1").ok();
    world.ticks(200);
    assert_eq!(world.query(others[0], "SELECT n FROM t WHERE id = 1").ok(), n, "it does not change any more");
    world.query(others[0], "DELETE FROM t WHERE id = 1").ok();
    world.query(others[1], "INSERT INTO t VALUES (1, 3)").ok();
}

fn members(world: &World, node: NodeId) -> Vec<(usize, usize, usize)> {
    let of = |s: &shard::Shard| (s.members().voters.len(), s.members().witnesses.len(), s.members().learners.len());
    (0..2).filter_map(|shard| world.node(node).with_shard(base::ShardId(shard), of)).collect()
}

#[test]
fn a_zone_of_two_goes_on_alone_when_told_to_and_takes_the_other_back() {
    let mut world = with_table(LocalityMode::DualActive, 3);
    let (peer, witness) = (NodeId(2), NodeId(3));
    world.until("the witness votes", |w| members(w, N1) == [(2, 1, 0), (2, 1, 0)]);
    world.query(N1, "INSERT INTO t VALUES (1, 1)").ok();
    assert_eq!(world.query(N1, "SELECT florin.downgrade('sh', 'a')").state(), "55000", "both zones are up");
    world.kill(peer);
    world.ticks(200);
    world.query(N1, "INSERT INTO t VALUES (2, 2)").ok();
    assert_eq!(world.query(N1, "SELECT florin.downgrade('sh', 'b')").state(), "55000", "that one is gone");
    world.query(N1, "SELECT florin.downgrade('sh', 'a')").ok();
    world.until("one votes alone", |w| members(w, N1) == [(1, 0, 1), (1, 0, 1)]);
    assert_eq!(world.query(N1, "SELECT florin.downgrade()").ok(), rows(&[&["sh/a"]]));
    world.kill(witness);
    world.query(N1, "INSERT INTO t VALUES (3, 3)").ok();
    world.restart(witness);
    world.ticks(500);
    assert_eq!(members(&world, N1), [(1, 0, 1), (1, 0, 1)], "it does not end before the peer is there");
    world.restart(peer);
    world.until("both zones and the witness vote", |w| members(w, N1) == [(2, 1, 0), (2, 1, 0)]);
    assert_eq!(world.node(N1).registry().downgraded, None);
    world.kill(N1);
    assert_eq!(world.query(peer, "SELECT n FROM t WHERE id = 3").ok(), rows(&[&["3"]]));
    world.query(peer, "INSERT INTO t VALUES (4, 4)").ok();
}

#[test]
fn a_transaction_is_known_to_its_gateway_until_it_ends_in_whichever_way() {
    let mut world = with_table(LocalityMode::ThreeZones, 3);
    let node = NodeId(2);
    let transactions = |world: &World| world.node(node).counts().transactions;
    for (id, end) in [(1, "COMMIT"), (2, "ROLLBACK")] {
        let client = world.connect(node);
        world.ask(client, "BEGIN").ok();
        world.ask(client, &format!("INSERT INTO t VALUES ({id}, {id})")).ok();
        assert_eq!(transactions(&world), 1);
        world.ask(client, end).ok();
        assert_eq!(transactions(&world), 0, "{end}");
    }
    let client = open_transaction(&mut world, node, 3);
    assert_eq!(transactions(&world), 1);
    world.event(node, Event::ClientGone { session: client.session });
    assert_eq!(transactions(&world), 0);
    world.query(node, "UPDATE t SET n = 5 WHERE id = 1").ok();
    assert_eq!(transactions(&world), 0);
}

#[test]
fn a_holder_that_is_waited_for_long_keeps_its_locks_while_its_session_runs() {
    let mut world = with_table(LocalityMode::ThreeZones, 3);
    world.query(N1, "INSERT INTO t VALUES (1, 10)").ok();
    let (holder, waiters) = (world.connect(NodeId(2)), [1, 2, 3].map(|n| world.connect(NodeId(n))));
    world.ask(holder, "BEGIN").ok();
    world.ask(holder, "UPDATE t SET n = n + 1 WHERE id = 1").ok();
    for waiter in waiters {
        world.send(waiter, "UPDATE t SET n = n * 2 WHERE id = 1");
    }
    world.ticks(500);
    assert!(waiters.iter().all(|waiter| world.heard(*waiter).is_none()), "the row is locked");
    world.ask(holder, "COMMIT").ok();
    for waiter in waiters {
        world.wait(waiter).ok();
    }
    assert_eq!(world.query(N1, "SELECT n FROM t WHERE id = 1").ok(), rows(&[&["88"]]));
}
