//! Reads by jobs, while rows move between memory, layers and store.

use super::cluster::*;
use super::local::commit_staged;
use crate::event::{Control, ShardEvent};
use base::{NodeId, Prng, RequestId, Version};
use std::collections::BTreeMap;
use storage::access::*;

/// Every version of every row.
type Model = BTreeMap<String, BTreeMap<Version, Option<String>>>;

fn as_of(model: &Model, name: &str, at: Version) -> Option<(Version, String)> {
    let (version, row) = model.get(name)?.range(..=at).next_back()?;
    Some((*version, row.clone()?))
}

enum Asked {
    Rows(Vec<String>),
    Range(KeyRange, bool),
}

fn name_of(key: &[u8]) -> String {
    String::from_utf8(key[4..].to_vec()).unwrap()
}

fn check(model: &Model, asked: &Asked, response: Response, latest: Version, what: &str) {
    match (asked, response) {
        (Asked::Rows(names), Response::Rows { rows, snapshot, .. }) => {
            assert!(snapshot >= latest, "{what}: {snapshot}");
            for (name, row) in names.iter().zip(rows) {
                let row = row.map(|found| (found.version, String::from_utf8(found.row.to_vec()).unwrap()));
                assert_eq!(row, as_of(model, name, snapshot), "{what}: {name} at {snapshot}");
            }
        }
        (Asked::Range(range, reverse), Response::Scanned { mut rows, resume, snapshot }) => {
            assert!(snapshot >= latest, "{what}: {snapshot}");
            let (mut start, mut end) = (range.start.clone(), range.end.clone());
            match resume {
                Some(next) if *reverse => start = next,
                Some(next) => end = next,
                None => {}
            }
            if *reverse {
                rows.reverse();
            }
            let inside = |name: &str| key(name) >= start && key(name) < end;
            let expected: Vec<(String, (Version, String))> = model
                .keys()
                .filter(|name| inside(name))
                .filter_map(|name| as_of(model, name, snapshot).map(|row| (name.clone(), row)))
                .collect();
            let text = |found: Found| (found.version, String::from_utf8(found.row.to_vec()).unwrap());
            let rows: Vec<_> = rows.into_iter().map(|(key, found)| (name_of(&key), text(found))).collect();
            assert_eq!(rows, expected, "{what}: {start:?} to {end:?} at {snapshot}, reverse {reverse}");
        }
        (_, other) => panic!("{what}: {other:?}"),
    }
}

struct Reader {
    cluster: Cluster,
    node: NodeId,
    prng: Prng,
    model: Model,
    versions: Vec<Version>,
    /// With the newest version when it was asked.
    asked: BTreeMap<RequestId, (Asked, Version)>,
}

impl Reader {
    fn name(&mut self) -> String {
        format!("k{:02}", self.prng.below(40))
    }

    fn wrote(&mut self, name: String, version: Version, row: Option<String>) {
        self.model.entry(name).or_default().insert(version, row);
        self.versions.push(version);
    }

    fn ask(&mut self) {
        let mut context = self.cluster.txn();
        let newest = *self.versions.last().unwrap();
        let at = self.prng.one_in(2).then(|| *self.prng.pick(&self.versions));
        context.snapshot = at.map_or(Snapshot::Latest, Snapshot::At);
        let (request, asked) = if self.prng.one_in(2) {
            let names: Vec<String> = (0..1 + self.prng.below(6)).map(|_| self.name()).collect();
            let reads = names.iter().map(|name| KeyRead { key: key(name), lock: None }).collect();
            (Request::Read { context, reads, wait: LockWait::NoWait }, Asked::Rows(names))
        } else {
            let (a, b) = (self.name(), self.name());
            let range = KeyRange { start: key(a.as_str().min(&b)), end: key(a.as_str().max(&b)) };
            let reverse = self.prng.one_in(2);
            let rows_max = 1 + self.prng.below(30) as u32;
            (Request::Scan { context, range: range.clone(), reverse, rows_max }, Asked::Range(range, reverse))
        };
        let id = self.cluster.ask(self.node, request);
        self.asked.insert(id, (asked, at.unwrap_or(newest)));
    }

    fn write(&mut self, round: u64) {
        let name = self.name();
        let before = as_of(&self.model, &name, Version::MAX).map_or(Version::ZERO, |(version, _)| version);
        let row = (!self.prng.one_in(3)).then(|| format!("r{round}"));
        let wrong = self.prng.one_in(6);
        let base = if wrong { Version(before.0 + 1) } else { before };
        let written = self.cluster.commit(self.node, vec![Write { key: key(&name), row: row.clone().map(Row::from), base }]);
        match written {
            Response::Committed { version } if !wrong => self.wrote(name, version, row),
            Response::Refused(_) if wrong => {}
            // Too much waits for a flush.
            Response::Refused(Refusal::Busy) => {}
            other => panic!("wrong base: {wrong}, {other:?}"),
        }
    }

    fn heard(&mut self, what: &str) {
        for (id, (asked, latest)) in std::mem::take(&mut self.asked) {
            match self.cluster.answers.get(&id) {
                Some(response) => check(&self.model, &asked, response.clone(), latest, what),
                None => {
                    self.asked.insert(id, (asked, latest));
                }
            }
        }
    }
}

fn life(seed: u64, rounds: u64) {
    let mut cluster = Cluster::new(1);
    (cluster.waits, cluster.jobs_late) = (12, true);
    cluster.seed(seed);
    cluster.active_bytes_max = [1 << 30, 2 * 1024][(seed % 2) as usize];
    cluster.cache_bytes_max = [64 << 20, 4 * 1024][(seed / 2 % 2) as usize];
    let node = n(1);
    cluster.crash(node);
    cluster.start(node);
    cluster.leader();
    let mut reader =
        Reader { cluster, node, prng: Prng::new(seed), model: Model::new(), versions: vec![Version::ZERO], asked: BTreeMap::new() };
    for round in 0..rounds {
        match reader.prng.below(16) {
            0..=3 => reader.write(round),
            4 => {
                let changes: BTreeMap<String, Option<String>> =
                    (0..12).map(|_| (reader.name(), (!reader.prng.one_in(3)).then(|| format!("l{round}")))).collect();
                let version = commit_staged(&mut reader.cluster, node, &changes);
                changes.into_iter().for_each(|(name, row)| reader.wrote(name, version, row));
            }
            5 => reader.cluster.shard(node).flush_now(),
            6 => reader.cluster.jobs_held = reader.prng.one_in(2),
            7 if reader.prng.one_in(20) => {
                let horizon = reader.versions[reader.versions.len() / 2];
                // Readers tell of their snapshots before: none is older.
                while !reader.asked.is_empty() {
                    reader.cluster.step();
                    reader.heard(&format!("seed {seed} round {round}"));
                }
                reader.versions.retain(|version| *version >= horizon);
                reader.cluster.event(node, ShardEvent::Horizon(horizon));
            }
            8..=9 => reader.cluster.step(),
            10 => reader.cluster.run(reader.prng.below(200)),
            _ => reader.ask(),
        }
        reader.heard(&format!("seed {seed} round {round}"));
    }
    reader.cluster.run(1_000);
    reader.heard(&format!("seed {seed} end"));
    assert!(reader.asked.is_empty(), "each request is answered");
}

#[test]
fn what_jobs_read_is_what_each_snapshot_sees_whatever_moves_meanwhile() {
    for seed in 0..40 {
        life(seed, 600);
    }
}

/// A leader of three with a row that is in its store alone.
fn stored() -> (Cluster, NodeId) {
    let mut cluster = Cluster::new(3);
    cluster.waits = 0;
    let leader = cluster.leader();
    for name in ["a", "b"] {
        cluster.put(leader, name, "1");
    }
    cluster.run(200);
    for node in [1, 2, 3] {
        cluster.shard(n(node)).flush_now();
    }
    cluster.run(300);
    assert!(cluster.shard(leader).state.draining.is_empty());
    cluster.shard(leader).state.cache.clear();
    cluster.waits = 16;
    (cluster, leader)
}

#[test]
fn the_thread_goes_on_while_a_job_reads() {
    let (mut cluster, leader) = stored();
    let context = cluster.txn();
    let waiting = cluster.ask(leader, read_request(&context, "a", None));
    assert!(!cluster.answers.contains_key(&waiting));
    // What is in memory is answered meanwhile.
    cluster.put(leader, "c", "1");
    assert_eq!(cluster.row(leader, "c").as_deref(), Some("1"));
    let Response::Rows { rows, .. } = cluster.answer(waiting) else { panic!("rows") };
    assert_eq!(&rows[0].as_ref().unwrap().row[..], b"1");
}

#[test]
fn who_rolls_back_while_a_job_reads_leaves_no_lock() {
    let (mut cluster, leader) = stored();
    let context = cluster.txn();
    let waiting = cluster.ask(leader, read_request(&context, "a", Some(LockMode::Update)));
    assert_eq!(cluster.call(leader, Request::Rollback { txn: context.txn }), Response::Done);
    assert_eq!(refused_with(&cluster.answer(waiting)), "57014");
    cluster.run(100);
    let other = cluster.txn();
    let reads = vec![KeyRead { key: key("a"), lock: Some(LockMode::Update) }];
    let locked = cluster.call(leader, Request::Read { context: other, reads, wait: LockWait::NoWait });
    assert!(matches!(locked, Response::Rows { .. }), "{locked:?}");
}

#[test]
fn who_waits_for_a_job_at_a_leader_that_hands_over_is_answered() {
    let (mut cluster, leader) = stored();
    let other = n(if leader == n(1) { 2 } else { 1 });
    cluster.urgent_held = true;
    let context = cluster.txn();
    let reading = cluster.ask(leader, read_request(&context, "a", None));
    let writer = cluster.txn();
    let base = Version::ZERO;
    let writing = cluster.ask(leader, commit_request(&writer, vec![put("b", "2", base)]));
    cluster.control(leader, Control::Transfer { to: other });
    cluster.run(1_000);
    cluster.urgent_held = false;
    cluster.run(100);
    for id in [reading, writing] {
        let answer = cluster.answers.get(&id).expect("it is answered");
        assert!(matches!(answer, Response::Refused(Refusal::NotLeader(_))), "{answer:?}");
    }
}

#[test]
fn a_follower_reads_by_a_job_what_it_closed() {
    let (mut cluster, leader) = stored();
    let follower = n(if leader == n(1) { 2 } else { 1 });
    cluster.shard(follower).state.cache.clear();
    cluster.run(200);
    let mut context = cluster.txn();
    context.follower = true;
    let waiting = cluster.ask(follower, read_request(&context, "a", None));
    assert!(!cluster.answers.contains_key(&waiting));
    let Response::Rows { rows, .. } = cluster.answer(waiting) else { panic!("rows") };
    assert_eq!(&rows[0].as_ref().unwrap().row[..], b"1");
}

#[test]
fn nobody_waits_for_a_disk_for_ever() {
    let (mut cluster, leader) = stored();
    cluster.urgent_held = true;
    let context = cluster.txn();
    let waiting = cluster.ask(leader, read_request(&context, "a", None));
    cluster.run(11_000);
    assert_eq!(cluster.answers.get(&waiting), Some(&Response::Refused(Refusal::Busy)));
}

#[test]
fn a_row_read_before_its_layer_was_moved_is_not_cached_after_that() {
    let (mut cluster, leader) = stored();
    cluster.waits = 0;
    commit_staged(&mut cluster, leader, &BTreeMap::from([("a".into(), Some("2".into()))]));
    // What is flushed is newer than the layer.
    cluster.put(leader, "c", "1");
    for node in [1, 2, 3] {
        cluster.shard(n(node)).flush_now();
    }
    cluster.run(1_000);
    (cluster.jobs_held, cluster.urgent_held) = (true, true);
    cluster.run(6_000);
    assert_eq!(cluster.shard(leader).state.layers.len(), 1, "the job that moves it is held");
    cluster.waits = 16;
    let context = cluster.txn();
    let asked: Vec<_> = (0..16).map(|_| cluster.ask(leader, read_request(&context, "a", None))).collect();
    cluster.jobs_held = false;
    cluster.run(10);
    assert!(cluster.shard(leader).state.layers.is_empty());
    cluster.urgent_held = false;
    for id in asked {
        let Response::Rows { rows, .. } = cluster.answer(id) else { panic!("rows") };
        assert_eq!(&rows[0].as_ref().unwrap().row[..], b"2");
    }
    assert_eq!(cluster.row(leader, "a").as_deref(), Some("2"));
}
