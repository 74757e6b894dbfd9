//! How many leaves a second one core appends: `cargo run --release -p proof --example append`.
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use base::{Prng, ShardId};
use proof::merkle::{Plan, Tile, TileSet, verify_inclusion};
use proof::{EvidenceLog, Hash, Origin};
use std::time::Instant;

const RECORDS: usize = 2_000_000;
/// A transfer as it travels packed.
const RECORD_BYTES: usize = 128;
const RUNS: usize = 7;

fn main() {
    let mut prng = Prng::new(1);
    let mut bytes = vec![0; RECORDS * RECORD_BYTES];
    bytes.as_chunks_mut::<8>().0.iter_mut().for_each(|chunk| *chunk = prng.next_u64().to_le_bytes());
    println!("{RECORDS} records of {RECORD_BYTES} bytes, median of {RUNS} runs");
    for batch in [1, 16, 256, 8_190] {
        let mut rates: Vec<f64> = (0..RUNS).map(|_| RECORDS as f64 / append(&bytes, batch).2).collect();
        rates.sort_by(f64::total_cmp);
        println!("batches of {batch:>5}: {:>9.0} leaves/s ({:.0} to {:.0})", rates[RUNS / 2], rates[0], rates[RUNS - 1]);
    }
    let (log, tiles, _) = append(&bytes, 8_190);
    println!("{} full tiles, {} bytes of state, {} edge tiles", tiles.len(), log.encode().len(), log.log().edge().count());
    proofs(&log, tiles, &bytes, &mut prng);
}

fn append(bytes: &[u8], batch: usize) -> (EvidenceLog, Vec<Tile>, f64) {
    let mut log = EvidenceLog::new(Origin::new("bench", ShardId(1)).expect("a good name"));
    let mut tiles = Vec::new();
    let start = Instant::now();
    for (number, records) in bytes.chunks(batch * RECORD_BYTES).enumerate() {
        log.append_batch(records.chunks(RECORD_BYTES), number as u64, &mut tiles).expect("time goes on");
    }
    (log, tiles, start.elapsed().as_secs_f64())
}

fn proofs(log: &EvidenceLog, tiles: Vec<Tile>, bytes: &[u8], prng: &mut Prng) {
    const PROOFS: u32 = 20_000;
    let size = log.log().size();
    let tiles: TileSet = tiles.into_iter().chain(log.log().edge().cloned()).collect();
    let indexes: Vec<u64> = (0..PROOFS).map(|_| prng.below(size)).collect();
    let start = Instant::now();
    let paths: Vec<Vec<Hash>> = indexes
        .iter()
        .map(|index| Plan::inclusion(*index, size).and_then(|plan| plan.build(&tiles)).expect("all tiles are here"))
        .collect();
    println!("inclusion proof built in {:?}, the tiles being in memory", start.elapsed() / PROOFS);
    let root = log.log().root();
    let start = Instant::now();
    for (index, path) in indexes.iter().zip(&paths) {
        let record = &bytes[*index as usize * RECORD_BYTES..][..RECORD_BYTES];
        verify_inclusion(Hash::of_leaf(record), *index, size, path, root).expect("a good proof");
    }
    println!("and verified in {:?}", start.elapsed() / PROOFS);
}
