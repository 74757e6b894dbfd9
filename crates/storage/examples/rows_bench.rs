//! Measures the row store on disk with the access pattern of a shard: flushes of 10,000 rows in key order, each synced; point reads; scans of 100.
//!
//! `cargo run --release -p storage --example rows_bench -- <directory> [keys] [cache MiB]`. The directory is made and removed.
#![allow(clippy::disallowed_methods, reason = "a program of its own: it reads the clock and files")]

use base::{Prng, ShardId};
use bytes::Bytes;
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::time::{Duration, Instant};
use storage::{Batch, FjallOptions, FjallRows, RowStore, RowStores, Space};

const BATCH_ROWS: usize = 10_000;
const VALUE_BYTES: usize = 100;
const READS: usize = 200_000;
const SCANS: usize = 5_000;
const SCAN_ROWS: usize = 100;

fn main() -> base::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize, default: u64| arguments.get(at).map_or(default, |text| text.parse().expect("a number"));
    let directory = Path::new(arguments.get(1).expect("a directory to work in"));
    let (keys, cache_mib) = (number(2, 1_000_000), number(3, 256));
    let options = FjallOptions { cache_bytes: cache_mib << 20, ..FjallOptions::default() };
    println!("{keys} keys of 20 + {VALUE_BYTES} bytes, cache {cache_mib} MiB");
    {
        let rows = FjallRows::open(directory, options)?;
        let store = rows.open(ShardId(1))?;
        load(&*store, keys)?;
        update(&*store, keys)?;
        read(&*store, keys, "just loaded")?;
    }
    let opening = Instant::now();
    let rows = FjallRows::open(directory, options)?;
    let store = rows.open(ShardId(1))?;
    store.get(Space::Current, &key(1))?;
    println!(
        "opened again, first row read after {:?}; {} MiB on disk, {} MiB resident",
        opening.elapsed(),
        store.size() >> 20,
        resident_mib()
    );
    read(&*store, keys, "opened again")?;
    let clearing = Instant::now();
    store.clear()?;
    println!("cleared in {:?}", clearing.elapsed());
    drop((store, rows));
    std::fs::remove_dir_all(directory).expect("the directory can be removed");
    Ok(())
}

/// Spread over the key space as hashed account numbers are.
fn key(number: u64) -> Bytes {
    let mut key = Vec::with_capacity(20);
    key.extend_from_slice(&7u32.to_be_bytes());
    key.extend_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    key.extend_from_slice(&number.to_be_bytes());
    Bytes::from(key)
}

fn value(prng: &mut Prng) -> Bytes {
    // Half of it compresses.
    let mut value = vec![b'0'; VALUE_BYTES];
    value[..VALUE_BYTES / 2].fill_with(|| prng.next_u64() as u8);
    Bytes::from(value)
}

fn flush(store: &dyn RowStore, mut keys: Vec<Bytes>, prng: &mut Prng) -> base::Result<Duration> {
    keys.sort_unstable();
    let changes = keys.into_iter().map(|key| (Space::Current, key, Some(value(prng)))).collect();
    let started = Instant::now();
    store.write(Batch { changes })?;
    store.sync()?;
    Ok(started.elapsed())
}

fn load(store: &dyn RowStore, keys: u64) -> base::Result<()> {
    let mut prng = Prng::new(1);
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let mut longest = Duration::ZERO;
    for start in (0..keys).step_by(BATCH_ROWS) {
        let end = keys.min(start + BATCH_ROWS as u64);
        longest = longest.max(flush(store, (start..end).map(key).collect(), &mut prng)?);
    }
    report("load, synced flushes of 10,000", keys, started.elapsed(), cpu_seconds() - cpu);
    println!("    longest flush {longest:?}");
    Ok(())
}

fn update(store: &dyn RowStore, keys: u64) -> base::Result<()> {
    let mut prng = Prng::new(2);
    let count = (keys / 5).max(BATCH_ROWS as u64);
    let (started, cpu) = (Instant::now(), cpu_seconds());
    for _ in (0..count).step_by(BATCH_ROWS) {
        let chosen = (0..BATCH_ROWS).map(|_| key(prng.below(keys))).collect();
        flush(store, chosen, &mut prng)?;
    }
    report("update, synced flushes of 10,000", count, started.elapsed(), cpu_seconds() - cpu);
    Ok(())
}

fn read(store: &dyn RowStore, keys: u64, when: &str) -> base::Result<()> {
    let mut prng = Prng::new(3);
    let (started, cpu) = (Instant::now(), cpu_seconds());
    for _ in 0..READS {
        let found = store.get(Space::Current, &key(prng.below(keys)))?;
        assert!(found.is_some(), "every key was loaded");
    }
    report(&format!("point reads, {when}"), READS as u64, started.elapsed(), cpu_seconds() - cpu);
    let (started, cpu) = (Instant::now(), cpu_seconds());
    for _ in 0..READS {
        let found = store.get(Space::Current, &key(keys + prng.below(keys)))?;
        assert!(found.is_none(), "these were not loaded");
    }
    report(&format!("absent keys, {when}"), READS as u64, started.elapsed(), cpu_seconds() - cpu);
    let (started, cpu) = (Instant::now(), cpu_seconds());
    for _ in 0..SCANS {
        let start = key(prng.below(keys));
        let mut left = SCAN_ROWS;
        let mut visit = |_: &[u8], _: &[u8]| {
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        store.scan(Space::Current, Bound::Included(&start), Bound::Unbounded, false, &mut visit)?;
    }
    report(&format!("scans of 100, {when}"), SCANS as u64, started.elapsed(), cpu_seconds() - cpu);
    println!("    {} MiB resident", resident_mib());
    Ok(())
}

fn report(what: &str, count: u64, elapsed: Duration, cpu: f64) {
    let each = elapsed.as_secs_f64() * 1e6 / count as f64;
    println!("{what}: {count} in {:.2} s, {each:.2} µs each, {:.2} µs of CPU each", elapsed.as_secs_f64(), cpu * 1e6 / count as f64);
}

/// Of all threads, background merges included.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("procfs");
    let after_name = text.rsplit(')').next().expect("a process has a name");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("a number of ticks")).sum();
    ticks as f64 / 100.0
}

fn resident_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = text.lines().find(|line| line.starts_with("VmRSS")).expect("a process has memory");
    line.split_whitespace().nth(1).expect("a size").parse::<u64>().expect("a number") / 1024
}
