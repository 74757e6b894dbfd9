//! How long the shard's own work takes, without log, network or SQL. Run by name: figures, not facts.
#![allow(clippy::disallowed_methods)]

use crate::event::{ShardEffect, ShardEvent};
use crate::{Bootstrap, Shard, ShardConfig};
use base::{Mono, NodeId, Now, RequestId, SchemaVersion, ShardId, TxnId, Version, Wall};
use std::time::Instant;
use storage::access::*;
use storage::rows::RowStores;
use storage::rows::memory::MemoryRows;

struct Bench {
    shard: Shard,
    now: u64,
    next: u64,
    effects: Vec<ShardEffect>,
}

impl Bench {
    fn event(&mut self, event: ShardEvent) -> Option<Response> {
        self.now += 10;
        let now = Now { mono: Mono(self.now), wall: Wall(1_700_000_000_000_000 + self.now) };
        self.shard.step(now, event, &mut self.effects);
        let mut answer = None;
        while let Some(effect) = self.effects.pop() {
            match effect {
                ShardEffect::Append { ticket, .. } => {
                    let mut more = Vec::new();
                    self.shard.step(now, ShardEvent::Appended { ticket }, &mut more);
                    self.effects.append(&mut more);
                }
                ShardEffect::Reply { response, .. } => answer = Some(response),
                _ => {}
            }
        }
        answer
    }

    fn ask(&mut self, request: Request) -> Response {
        self.next += 1;
        let id = RequestId(self.next);
        self.event(ShardEvent::Request { from: NodeId(1), id, request }).expect("answered at once")
    }

    fn context(&mut self) -> Context {
        self.next += 1;
        Context {
            txn: TxnId { started: self.next, node: NodeId(1), boot: 1, sequence: self.next },
            isolation: Isolation::ReadCommitted,
            snapshot: Snapshot::Latest,
            schema: SchemaVersion(0),
            holds_locks: false,
            seen: None,
            follower: false,
            sees_staged: false,
        }
    }
}

#[test]
#[ignore = "a measurement"]
fn time_of_one_read_lock_and_commit() {
    let node = NodeId(1);
    let mut config = ShardConfig::new(ShardId(0), node, 1, 1);
    config.bootstrap = Some(Bootstrap { voters: vec![node], ..Bootstrap::default() });
    let store = MemoryRows::new().open(ShardId(0)).unwrap();
    let now = Now { mono: Mono(0), wall: Wall(1_700_000_000_000_000) };
    let mut bench = Bench { shard: Shard::open(config, now, None, store).unwrap(), now: 0, next: 0, effects: Vec::new() };
    for _ in 0..10 {
        bench.now += 25_000;
        bench.event(ShardEvent::Tick);
    }
    const ROWS: u64 = 100_000;
    const ROUNDS: u64 = 200_000;
    let key = |n: u64| {
        let mut key = 7u32.to_be_bytes().to_vec();
        key.extend_from_slice(&n.to_be_bytes());
        Key::from(key)
    };
    let row = Row::from(vec![7; 100]);
    let mut versions = vec![Version::ZERO; ROWS as usize];
    let start = Instant::now();
    for n in 0..ROWS {
        let context = bench.context();
        let writes = vec![Write { key: key(n), row: Some(row.clone()), base: Version::ZERO }];
        let Response::Committed { version } =
            bench.ask(Request::Commit { context, writes: writes.into(), reads: ReadSet::default(), parts: 0 })
        else {
            panic!()
        };
        versions[n as usize] = version;
    }
    eprintln!("commit of one new row: {:.2} µs", start.elapsed().as_secs_f64() * 1e6 / ROWS as f64);
    let start = Instant::now();
    for round in 0..ROUNDS {
        let n = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % ROWS;
        let context = bench.context();
        let reads = vec![KeyRead { key: key(n), lock: None }];
        bench.ask(Request::Read { context, reads, wait: LockWait::Wait(None) });
    }
    eprintln!("read of one row: {:.2} µs", start.elapsed().as_secs_f64() * 1e6 / ROUNDS as f64);
    let start = Instant::now();
    for round in 0..ROUNDS {
        let n = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % ROWS;
        let mut context = bench.context();
        let reads = vec![KeyRead { key: key(n), lock: Some(LockMode::NoKeyUpdate) }];
        bench.ask(Request::Read { context: context.clone(), reads, wait: LockWait::Wait(None) });
        context.holds_locks = true;
        let writes = vec![Write { key: key(n), row: Some(row.clone()), base: versions[n as usize] }];
        let Response::Committed { version } =
            bench.ask(Request::Commit { context, writes: writes.into(), reads: ReadSet::default(), parts: 0 })
        else {
            panic!()
        };
        versions[n as usize] = version;
    }
    eprintln!("lock, read and commit of one row: {:.2} µs", start.elapsed().as_secs_f64() * 1e6 / ROUNDS as f64);
}
