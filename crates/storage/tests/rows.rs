//! What a row store must do, proved on both implementations by the same tests.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use base::{Prng, ShardId, SqlState};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use storage::{Batch, FjallOptions, FjallRows, MemoryRows, RowSnapshot, RowStore, RowStores, Space};

type Model = BTreeMap<(Space, Vec<u8>), Vec<u8>>;
type Rows = Vec<(Vec<u8>, Vec<u8>)>;
type Range<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

const ALL: Range = (Bound::Unbounded, Bound::Unbounded);

/// Runs a test on both.
fn on_both(test: impl Fn(&dyn RowStores)) {
    test(&MemoryRows::new());
    let directory = tempfile::tempdir().unwrap();
    test(&small_fjall(&directory));
}

fn small_fjall(directory: &tempfile::TempDir) -> FjallRows {
    // A small memtable, so that flushes and merges happen too.
    let options = FjallOptions { cache_bytes: 1 << 20, memtable_bytes: 64 << 10, reserve_bytes: 0 };
    FjallRows::open(&directory.path().join("rows"), options).unwrap()
}

fn batch(changes: &[(Space, &str, Option<&str>)]) -> Batch {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    Batch { changes: changes.iter().map(|(space, key, value)| (*space, bytes(key), value.map(bytes))).collect() }
}

fn scan(snapshot: &dyn RowSnapshot, space: Space, (start, end): Range, reverse: bool) -> Rows {
    let mut rows = Rows::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        rows.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    };
    snapshot.scan(space, start, end, reverse, &mut visit).unwrap();
    rows
}

fn expected(model: &Model, space: Space, range: Range, reverse: bool) -> Rows {
    let inside = |key: &[u8]| std::ops::RangeBounds::<[u8]>::contains(&range, key);
    let mut rows: Rows =
        model.iter().filter(|((at, key), _)| *at == space && inside(key)).map(|((_, key), value)| (key.clone(), value.clone())).collect();
    if reverse {
        rows.reverse();
    }
    rows
}

fn random_key(prng: &mut Prng) -> Vec<u8> {
    let length = prng.below(4);
    (0..length).map(|_| *prng.pick(&[0, 1, 127, 254, 255])).collect()
}

fn random_bound(prng: &mut Prng) -> Bound<Vec<u8>> {
    let key = random_key(prng);
    [Bound::Unbounded, Bound::Included(key.clone()), Bound::Excluded(key)][prng.below(3) as usize].clone()
}

fn random_batch(prng: &mut Prng, model: &mut Model) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..prng.below(12) {
        let (space, key) = (*prng.pick(&Space::ALL), random_key(prng));
        let value = prng.below(3).checked_sub(1).map(|_| vec![prng.next_u64() as u8; prng.below(300) as usize]);
        match &value {
            Some(value) => model.insert((space, key.clone()), value.clone()),
            None => model.remove(&(space, key.clone())),
        };
        batch.changes.push((space, Bytes::from(key), value.map(Bytes::from)));
    }
    batch
}

fn check(snapshot: &dyn RowSnapshot, model: &Model, prng: &mut Prng) {
    for space in Space::ALL {
        assert_eq!(scan(snapshot, space, ALL, false), expected(model, space, ALL, false));
        let (start, end) = (random_bound(prng), random_bound(prng));
        let range = (start.as_ref().map(|key| &key[..]), end.as_ref().map(|key| &key[..]));
        for reverse in [false, true] {
            assert_eq!(scan(snapshot, space, range, reverse), expected(model, space, range, reverse), "{range:?}");
        }
        let key = random_key(prng);
        assert_eq!(snapshot.get(space, &key).unwrap().as_deref(), model.get(&(space, key)).map(|value| &value[..]));
    }
}

#[test]
fn any_batches_read_as_an_ordered_map() {
    on_both(|stores| {
        let mut prng = Prng::new(1);
        let store = stores.open(ShardId(1)).unwrap();
        let mut model = Model::new();
        let mut snapshots: Vec<(Box<dyn RowSnapshot>, Model)> = Vec::new();
        for round in 0..600 {
            store.write(random_batch(&mut prng, &mut model)).unwrap();
            if prng.one_in(20) {
                store.sync().unwrap();
            }
            if prng.one_in(15) {
                snapshots.push((store.snapshot().unwrap(), model.clone()));
            }
            if prng.one_in(20) && !snapshots.is_empty() {
                let (snapshot, then) = snapshots.remove(prng.below(snapshots.len() as u64) as usize);
                check(&*snapshot, &then, &mut prng);
            }
            if round % 150 == 149 {
                store.clear().unwrap();
                model.clear();
            }
            check(&*store.snapshot().unwrap(), &model, &mut prng);
            let key = random_key(&mut prng);
            assert_eq!(store.get(Space::Meta, &key).unwrap().as_deref(), model.get(&(Space::Meta, key)).map(|value| &value[..]));
        }
    });
}

#[test]
fn a_scan_ends_where_the_visitor_says() {
    on_both(|stores| {
        let store = stores.open(ShardId(1)).unwrap();
        let changes = (0..3000u32).map(|n| (Space::Current, Bytes::copy_from_slice(&n.to_be_bytes()), Some(Bytes::from_static(b"row"))));
        store.write(Batch { changes: changes.collect() }).unwrap();
        for limit in [1, 16, 17, 2000, 3000] {
            let mut seen = Vec::new();
            let mut visit = |key: &[u8], _: &[u8]| {
                seen.push(u32::from_be_bytes(key.try_into().unwrap()));
                // The visitor may use the store.
                assert!(store.get(Space::Current, key).unwrap().is_some());
                if seen.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            store.scan(Space::Current, Bound::Unbounded, Bound::Unbounded, true, &mut visit).unwrap();
            assert_eq!(seen, (0..3000).rev().take(limit).collect::<Vec<_>>());
        }
    });
}

#[test]
fn the_last_change_of_a_key_in_a_batch_counts() {
    on_both(|stores| {
        let store = stores.open(ShardId(1)).unwrap();
        store.write(batch(&[(Space::Current, "a", Some("1")), (Space::Current, "a", None), (Space::Current, "b", None)])).unwrap();
        store.write(batch(&[(Space::Current, "b", None), (Space::Current, "b", Some("2"))])).unwrap();
        assert_eq!(scan(&*store.snapshot().unwrap(), Space::Current, ALL, false), [(b"b".to_vec(), b"2".to_vec())]);
    });
}

fn row(number: u32) -> (Bytes, Bytes) {
    (Bytes::copy_from_slice(&number.to_be_bytes()), Bytes::from(vec![number as u8; 100]))
}

/// Adds rows at once.
fn ingest(store: &dyn RowStore, space: Space, numbers: std::ops::Range<u32>) {
    let mut rows = numbers.map(row).map(|(key, value)| (space, key, Some(value)));
    store.ingest(&mut || Ok(rows.next())).unwrap();
}

#[test]
fn rows_added_at_once_stand_between_what_was_written_before_and_after() {
    on_both(|stores| {
        let store = stores.open(ShardId(1)).unwrap();
        let write = |space, number: u32, value: Option<&'static [u8]>| {
            let changes = vec![(space, row(number).0, value.map(Bytes::from_static))];
            store.write(Batch { changes }).unwrap();
        };
        write(Space::Current, 5, Some(b"before"));
        write(Space::Meta, 100, Some(b"another space"));
        let snapshot = store.snapshot().unwrap();
        ingest(&*store, Space::Current, 100..5_000);
        ingest(&*store, Space::Packed, 0..10);
        write(Space::Current, 200, Some(b"after"));
        write(Space::Current, 300, None);
        let mut model = Model::new();
        model.extend((100..5_000).map(|number| ((Space::Current, row(number).0.to_vec()), row(number).1.to_vec())));
        model.extend((0..10).map(|number| ((Space::Packed, row(number).0.to_vec()), row(number).1.to_vec())));
        model.insert((Space::Current, row(5).0.to_vec()), b"before".to_vec());
        model.insert((Space::Meta, row(100).0.to_vec()), b"another space".to_vec());
        model.insert((Space::Current, row(200).0.to_vec()), b"after".to_vec());
        model.remove(&(Space::Current, row(300).0.to_vec()));
        let now = store.snapshot().unwrap();
        for space in Space::ALL {
            assert_eq!(scan(&*now, space, ALL, false), expected(&model, space, ALL, false));
        }
        assert_eq!(scan(&*snapshot, Space::Current, ALL, false).len(), 1, "a snapshot does not see what came later");
    });
}

#[test]
fn discarding_a_range_leaves_everything_else() {
    on_both(|stores| {
        let store = stores.open(ShardId(1)).unwrap();
        ingest(&*store, Space::Current, 0..100);
        ingest(&*store, Space::Current, 100..5_000);
        ingest(&*store, Space::Current, 5_000..5_100);
        ingest(&*store, Space::History, 100..200);
        store.write(Batch { changes: vec![(Space::Current, row(4_000).0, Some(Bytes::from_static(b"newer")))] }).unwrap();
        store.discard(Space::Current, &row(100).0, &row(5_000).0).unwrap();
        let now = store.snapshot().unwrap();
        let left = scan(&*now, Space::Current, ALL, false);
        assert_eq!(left[..100], (0..100).map(row).map(|(key, value)| (key.to_vec(), value.to_vec())).collect::<Vec<_>>());
        assert_eq!(
            left[left.len() - 100..],
            (5_000..5_100).map(row).map(|(key, value)| (key.to_vec(), value.to_vec())).collect::<Vec<_>>()
        );
        assert_eq!(scan(&*now, Space::History, ALL, false).len(), 100);
    });
}

#[test]
fn rows_added_at_once_are_there_after_a_new_start() {
    let directory = tempfile::tempdir().unwrap();
    {
        let stores = small_fjall(&directory);
        let store = stores.open(ShardId(1)).unwrap();
        store.write(Batch { changes: vec![(Space::Meta, row(1).0, Some(Bytes::from_static(b"earlier")))] }).unwrap();
        ingest(&*store, Space::Current, 0..5_000);
        store.write(Batch { changes: vec![(Space::Current, row(7).0, Some(Bytes::from_static(b"later")))] }).unwrap();
        store.sync().unwrap();
        store.discard(Space::Current, &row(6_000).0, &row(7_000).0).unwrap();
    }
    let stores = small_fjall(&directory);
    let store = stores.open(ShardId(1)).unwrap();
    assert_eq!(scan(&*store.snapshot().unwrap(), Space::Current, ALL, false).len(), 5_000);
    assert_eq!(store.get(Space::Current, &row(7).0).unwrap().as_deref(), Some(&b"later"[..]));
    assert_eq!(store.get(Space::Current, &row(8).0).unwrap(), Some(row(8).1));
    assert_eq!(store.get(Space::Meta, &row(1).0).unwrap().as_deref(), Some(&b"earlier"[..]));
}

#[test]
fn shards_do_not_see_each_other() {
    on_both(|stores| {
        let (one, two) = (stores.open(ShardId(1)).unwrap(), stores.open(ShardId(2)).unwrap());
        one.write(batch(&[(Space::Current, "key", Some("one"))])).unwrap();
        two.write(batch(&[(Space::Current, "key", Some("two"))])).unwrap();
        one.clear().unwrap();
        assert_eq!(one.get(Space::Current, b"key").unwrap(), None);
        assert_eq!(two.get(Space::Current, b"key").unwrap().as_deref(), Some(&b"two"[..]));
        assert!(Arc::ptr_eq(&two, &stores.open(ShardId(2)).unwrap()), "one store for each shard");
    });
}

#[test]
fn a_destroyed_store_is_empty_when_opened_again() {
    on_both(|stores| {
        let store = stores.open(ShardId(1)).unwrap();
        store.write(batch(&[(Space::Meta, "key", Some("value"))])).unwrap();
        let snapshot = store.snapshot().unwrap();
        stores.destroy(ShardId(1)).unwrap();
        stores.destroy(ShardId(9)).unwrap();
        assert_eq!(snapshot.get(Space::Meta, b"key").unwrap().as_deref(), Some(&b"value"[..]));
        assert_eq!(stores.open(ShardId(1)).unwrap().get(Space::Meta, b"key").unwrap(), None);
    });
}

#[test]
fn a_snapshot_outlives_a_clearing() {
    on_both(|stores| {
        let store = stores.open(ShardId(1)).unwrap();
        store.write(batch(&[(Space::Current, "key", Some("old"))])).unwrap();
        let snapshot = store.snapshot().unwrap();
        store.clear().unwrap();
        store.write(batch(&[(Space::Current, "key", Some("new"))])).unwrap();
        assert_eq!(snapshot.get(Space::Current, b"key").unwrap().as_deref(), Some(&b"old"[..]));
        assert_eq!(store.get(Space::Current, b"key").unwrap().as_deref(), Some(&b"new"[..]));
    });
}

#[test]
fn the_disk_store_finds_its_rows_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut prng = Prng::new(3);
    let mut model = Model::new();
    for _ in 0..5 {
        let rows = small_fjall(&directory);
        let store = rows.open(ShardId(1)).unwrap();
        check(&*store.snapshot().unwrap(), &model, &mut prng);
        if prng.one_in(3) {
            store.clear().unwrap();
            model.clear();
        }
        for _ in 0..300 {
            store.write(random_batch(&mut prng, &mut model)).unwrap();
        }
        store.sync().unwrap();
        assert!(!rows.failed());
    }
}

#[test]
fn a_second_opening_of_the_disk_store_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _rows = small_fjall(&directory);
    let second = FjallRows::open(&directory.path().join("rows"), FjallOptions::default());
    assert_eq!(second.err().unwrap().state(), SqlState::OBJECT_IN_USE);
}

#[test]
fn a_nearly_full_disk_refuses_rows_and_takes_removals() {
    let directory = tempfile::tempdir().unwrap();
    drop(small_fjall(&directory).open(ShardId(1)).unwrap());
    let options = FjallOptions { reserve_bytes: u64::MAX, ..FjallOptions::default() };
    let rows = FjallRows::open(&directory.path().join("rows"), options).unwrap();
    let store = rows.open(ShardId(1)).unwrap();
    let refused = store.write(batch(&[(Space::Current, "key", Some("value"))])).unwrap_err();
    assert_eq!(refused.state(), SqlState::DISK_FULL);
    store.write(batch(&[(Space::Current, "key", None)])).unwrap();
    assert_eq!(store.get(Space::Current, b"key").unwrap(), None);
    assert!(!rows.failed());
}

#[test]
fn a_crash_of_the_memory_store_keeps_a_prefix_of_the_batches() {
    for seed in 0..40 {
        let mut prng = Prng::new(seed);
        let mut rows = MemoryRows::new();
        let mut model = Model::new();
        for _ in 0..4 {
            let store = rows.open(ShardId(1)).unwrap();
            let mut states = vec![model.clone()];
            let snapshot = store.snapshot().unwrap();
            for _ in 0..prng.below(30) {
                store.write(random_batch(&mut prng, &mut model)).unwrap();
                states.push(model.clone());
                if prng.one_in(8) {
                    store.sync().unwrap();
                    states = vec![model.clone()];
                }
            }
            assert_eq!(rows.unsynced(ShardId(1)), states.len() as u64 - 1);
            let kept = prng.below(states.len() as u64);
            let next = rows.crash(|_, unsynced| {
                assert_eq!(unsynced, states.len() as u64 - 1);
                kept
            });
            assert!(store.get(Space::Meta, b"").is_err() && snapshot.get(Space::Meta, b"").is_err(), "the old life is over");
            rows = next;
            model = states.swap_remove(kept as usize);
            check(&*rows.open(ShardId(1)).unwrap().snapshot().unwrap(), &model, &mut prng);
        }
    }
}

#[test]
fn a_full_memory_store_refuses_rows_until_there_is_room() {
    let rows = MemoryRows::new();
    let store = rows.open(ShardId(1)).unwrap();
    rows.set_full(true);
    let refused = store.write(batch(&[(Space::Current, "key", Some("value"))])).unwrap_err();
    assert_eq!(refused.state(), SqlState::DISK_FULL);
    rows.set_full(false);
    store.write(batch(&[(Space::Current, "key", Some("value"))])).unwrap();
}

/// Every file of the store's tables, below a directory.
fn table_files(directory: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            table_files(&path, files);
        } else if path.parent().and_then(|p| p.file_name()).is_some_and(|name| name == "tables") {
            files.push(path);
        }
    }
}

/// The tables with rows: the engine's own, which it reads when it opens, are small.
fn row_files(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    table_files(directory, &mut files);
    // One that is merged away meanwhile counts as none.
    files.retain(|file| std::fs::metadata(file).is_ok_and(|metadata| metadata.len() > 32 * 1024));
    files
}

#[test]
fn a_flipped_bit_on_disk_is_found_when_it_is_read_and_cleared_away() {
    let directory = tempfile::tempdir().unwrap();
    let shard = ShardId(1);
    {
        let rows = small_fjall(&directory);
        let store = rows.open(shard).unwrap();
        // More than a memtable holds, of bytes that do not compress; then on until the engine's worker, which has its own pace, has written some out.
        let mut prng = Prng::new(1);
        for block in (0..20_000u64).take_while(|block| *block < 200 || row_files(directory.path()).is_empty()) {
            let value = |prng: &mut Prng| Bytes::from((0..128).flat_map(|_| prng.next_u64().to_le_bytes()).collect::<Vec<u8>>());
            let changes = (0..4u64).map(|i| (Space::Current, Bytes::from((block * 4 + i).to_be_bytes().to_vec()), Some(value(&mut prng))));
            store.write(Batch { changes: changes.collect() }).unwrap();
        }
        store.sync().unwrap();
    }
    let files = row_files(directory.path());
    assert!(!files.is_empty(), "rows were written out to tables");
    for file in &files {
        #[allow(clippy::disallowed_methods, reason = "the test damages a file behind the store's back")]
        let mut bytes = std::fs::read(file).unwrap();
        let at = bytes.len() / 4;
        bytes[at] ^= 16;
        #[allow(clippy::disallowed_methods, reason = "as above")]
        std::fs::write(file, bytes).unwrap();
    }
    let rows = small_fjall(&directory);
    let store = rows.open(shard).unwrap();
    let error = store.scan(Space::Current, Bound::Unbounded, Bound::Unbounded, false, &mut |_, _| ControlFlow::Continue(())).unwrap_err();
    assert_eq!(error.state(), SqlState::DATA_CORRUPTED, "{error}");
    assert!(!rows.failed(), "the process goes on");
    store.clear().unwrap();
    store.write(batch(&[(Space::Current, "new", Some("row"))])).unwrap();
    assert_eq!(scan(&*store.snapshot().unwrap(), Space::Current, ALL, false).len(), 1);
}

#[test]
fn history_that_nobody_needs_goes_when_files_are_merged() {
    let directory = tempfile::tempdir().unwrap();
    let until = |number: u32, until: u64| (Space::History, row(number).0, Some(Bytes::copy_from_slice(&until.to_be_bytes())));
    {
        let stores = small_fjall(&directory);
        let (store, other) = (stores.open(ShardId(1)).unwrap(), stores.open(ShardId(2)).unwrap());
        store.give_up_history(5);
        // Each ingestion makes a file; there are enough of them for a merge.
        for number in 0..40 {
            for store in [&store, &other] {
                let mut changes = (0..10).map(|version| until(number * 10 + version, u64::from(version) + 1));
                store.ingest(&mut || Ok(changes.next())).unwrap();
                let value = Some(Bytes::copy_from_slice(&1u64.to_be_bytes()));
                store.write(Batch { changes: vec![(Space::Current, row(number).0, value)] }).unwrap();
            }
        }
        let left = || scan(&*store.snapshot().unwrap(), Space::History, ALL, false).len();
        soon("history is given up", || left() < 300);
        assert!(left() >= 200, "what may be needed is there");
        assert_eq!(scan(&*store.snapshot().unwrap(), Space::Current, ALL, false).len(), 40);
        assert_eq!(scan(&*other.snapshot().unwrap(), Space::History, ALL, false).len(), 400, "each shard has its own");
        store.sync().unwrap();
    }
    let stores = small_fjall(&directory);
    let store = stores.open(ShardId(1)).unwrap();
    let left = scan(&*store.snapshot().unwrap(), Space::History, ALL, false);
    assert_eq!(left.iter().filter(|(_, value)| value[7] > 5).count(), 200, "and after a new start");
}

#[test]
fn many_ingestions_do_not_let_the_journal_grow() {
    let directory = tempfile::tempdir().unwrap();
    let stores = FjallRows::open(directory.path(), FjallOptions { reserve_bytes: 0, ..FjallOptions::default() }).unwrap();
    let store = stores.open(ShardId(1)).unwrap();
    // Nothing that could be compressed.
    let mut prng = Prng::new(1);
    let value: Bytes = (0..1 << 17).flat_map(|_| prng.next_u64().to_be_bytes()).collect();
    let journals = || -> u64 {
        let files = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap());
        files.filter(|file| file.path().extension().is_some_and(|kind| kind == "jnl")).map(|file| file.metadata().unwrap().len()).sum()
    };
    for round in 0..300 {
        // Less than a memtable, so that only the ingestion writes it out.
        store.write(Batch { changes: vec![(Space::Current, row(round % 7).0, Some(value.clone()))] }).unwrap();
        ingest(&*store, Space::Packed, round * 10..round * 10 + 10);
    }
    soon("journals are cut off", || journals() < 200 << 20);
}

/// What the engine's own thread does.
#[expect(clippy::disallowed_methods, reason = "the engine does not say when it has done it")]
fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed().as_secs() < 60, "not within a minute: {what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
