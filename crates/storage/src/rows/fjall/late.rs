//! Writes that whoever asks for them does not wait for.
//!
//! Every write takes the engine's locks, and the engine holds them while it syncs files: on a busy disk for half a second, in which the node's thread
//! would answer nobody and lose its leases. So one thread writes what it may write later, in the order given; what must see it waits for it.

use super::known::Known;
use super::{SqlState, engine_batch};
use crate::rows::{Batch, KeyBound, is_empty_range};
use base::{Error, Result};
use bytes::Bytes;
use fjall::{Database, Keyspace};
use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Once so many bytes wait, whoever wants to add more waits, too.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Once so many bytes wait, the store says that it is behind.
const WAITING_BYTES_MANY: usize = 8 * 1024 * 1024;
/// While the engine works on what was written it is asked this often whether it still does.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub struct LateWrites {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A keyspace and what is known of it.
#[derive(Clone)]
pub struct Watched {
    pub keyspace: Keyspace,
    pub known: Arc<Known>,
}

struct Shared {
    database: Database,
    memtable_bytes: u64,
    state: Mutex<State>,
    /// Something waits to be written, or it is the end.
    arrived: Condvar,
    /// Something was written.
    written: Condvar,
}

struct Late {
    to: Watched,
    batch: Batch,
    bytes: usize,
    /// The lowest and the highest key, whatever their space.
    keys: (Bytes, Bytes),
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Late>,
    /// The lowest and the highest key of what is written just now.
    writing: Option<(Bytes, Bytes)>,
    waiting_bytes: usize,
    /// Counted from the start.
    taken: u64,
    done: u64,
    /// The one that was written to last.
    last: Option<Arc<Known>>,
    /// Those that the engine works on.
    watched: Vec<Watched>,
    failed: Option<Error>,
    ended: bool,
}

impl LateWrites {
    /// # Errors
    /// `58030` if the thread cannot be started.
    pub fn start(database: Database, memtable_bytes: u64) -> Result<LateWrites> {
        let shared =
            Arc::new(Shared { database, memtable_bytes, state: Mutex::default(), arrived: Condvar::new(), written: Condvar::new() });
        let body = {
            let shared = Arc::clone(&shared);
            move || shared.run()
        };
        let thread = Builder::new().name("rows-writer".into()).spawn(body);
        let thread = thread.map_err(|error| Error::new(SqlState::IO_ERROR, format!("cannot start the row store's writer: {error}")))?;
        Ok(LateWrites { shared, thread: Some(thread) })
    }

    /// # Errors
    /// What an earlier write failed with.
    pub fn push(&self, to: Watched, batch: Batch, bytes: usize) -> Result<()> {
        let full = |state: &mut State| state.waiting_bytes >= WAITING_BYTES_MAX && state.failed.is_none();
        let (Some(low), Some(high)) =
            (batch.changes.iter().map(|(_, key, _)| key).min(), batch.changes.iter().map(|(_, key, _)| key).max())
        else {
            return Ok(());
        };
        let keys = (low.clone(), high.clone());
        let mut state = self.shared.written.wait_while(self.shared.lock(), full).expect("no code panics while it holds this lock");
        state.sound()?;
        state.waiting.push_back(Late { to, batch, bytes, keys });
        state.waiting_bytes += bytes;
        state.taken += 1;
        drop(state);
        self.shared.arrived.notify_one();
        Ok(())
    }

    /// Waits until what was pushed before is written.
    ///
    /// # Errors
    /// What a write failed with.
    pub fn finish(&self) -> Result<()> {
        let state = self.shared.lock();
        let upto = state.taken;
        self.finish_upto(state, upto)
    }

    /// The same for what has keys in a range: others go on writing all the time.
    ///
    /// # Errors
    /// What a write failed with.
    pub fn finish_in(&self, range: (KeyBound, KeyBound)) -> Result<()> {
        let state = self.shared.lock();
        let upto = state.last_in(range);
        self.finish_upto(state, upto)
    }

    fn finish_upto(&self, state: MutexGuard<State>, upto: u64) -> Result<()> {
        let unfinished = |state: &mut State| state.done < upto && state.failed.is_none();
        self.shared.written.wait_while(state, unfinished).expect("no code panics while it holds this lock").sound()
    }

    pub fn is_behind(&self) -> bool {
        let state = self.shared.lock();
        state.last.as_ref().is_some_and(|last| last.is_behind()) || state.waiting_bytes >= WAITING_BYTES_MANY
    }

    /// True if nothing waits to be written.
    pub fn is_idle(&self) -> bool {
        let state = self.shared.lock();
        state.done == state.taken
    }

    /// After a change: keeps what is known of it true for as long as the engine works on it. May wait.
    pub fn watch(&self, changed: &Watched) {
        if changed.known.look(&changed.keyspace, self.shared.memtable_bytes) {
            self.shared.watch(changed);
            self.shared.arrived.notify_one();
        }
    }
}

impl Drop for LateWrites {
    /// What waits is not written: the log has it.
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.arrived.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does not panic.
            let _ = thread.join();
        }
    }
}

impl State {
    /// The number of the last write that is not done and has keys in the range; 0 if there is none.
    fn last_in(&self, (start, end): (KeyBound, KeyBound)) -> u64 {
        let overlaps =
            |(low, high): &(Bytes, Bytes)| !is_empty_range((Bound::Included(low), end)) && !is_empty_range((start, Bound::Included(high)));
        let undone = self.writing.iter().chain(self.waiting.iter().map(|late| &late.keys));
        undone.zip(self.done + 1..).filter(|(keys, _)| overlaps(keys)).map(|(_, number)| number).last().unwrap_or(0)
    }

    fn sound(&self) -> Result<()> {
        self.failed.clone().map_or(Ok(()), Err)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }

    fn run(&self) {
        loop {
            let mut state = self.lock();
            if state.ended || state.failed.is_some() {
                return;
            }
            if let Some(Late { to, batch, bytes, keys }) = state.waiting.pop_front() {
                state.writing = Some(keys);
                drop(state);
                self.write(&to, batch, bytes);
            } else if !state.watched.is_empty() {
                let (mut state, _) = self.arrived.wait_timeout(state, LOOK_AGAIN).expect("no code panics while it holds this lock");
                let watched = std::mem::take(&mut state.watched);
                drop(state);
                for watched in watched.into_iter().filter(|watched| watched.known.look(&watched.keyspace, self.memtable_bytes)) {
                    self.watch(&watched);
                }
            } else {
                drop(self.arrived.wait(state).expect("no code panics while it holds this lock"));
            }
        }
    }

    fn write(&self, to: &Watched, batch: Batch, bytes: usize) {
        let outcome = engine_batch(&self.database, &to.keyspace, batch).commit();
        let mut state = self.lock();
        state.waiting_bytes -= bytes;
        state.done += 1;
        state.writing = None;
        if let Err(error) = outcome {
            state.failed = Some(Error::new(SqlState::IO_ERROR, format!("the row store failed: {error}")));
        }
        state.last = Some(to.known.clone());
        drop(state);
        self.written.notify_all();
        if to.known.look(&to.keyspace, self.memtable_bytes) {
            self.watch(to);
        }
    }

    fn watch(&self, changed: &Watched) {
        let mut state = self.lock();
        if !state.watched.iter().any(|watched| Arc::ptr_eq(&watched.known, &changed.known)) {
            state.watched.push(changed.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rows::{Batch, FjallOptions, FjallRows, RowStores, Space};
    use base::ShardId;
    use bytes::Bytes;
    use std::ops::{Bound, ControlFlow};

    fn batch(space: Space, value: Option<u32>) -> Batch {
        Batch { changes: vec![(space, Bytes::from_static(b"key"), value.map(|value| Bytes::from(value.to_be_bytes().to_vec())))] }
    }

    #[test]
    fn whoever_asks_later_sees_all_of_them_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let rows = FjallRows::open(directory.path(), FjallOptions::default()).unwrap();
        let store = rows.open(ShardId(0)).unwrap();
        for value in 0..1_000 {
            store.write_later(batch(Space::Staged, Some(value))).unwrap();
        }
        assert_eq!(store.get(Space::Staged, b"key").unwrap().as_deref(), Some(&999u32.to_be_bytes()[..]));
        store.write_later(batch(Space::Staged, None)).unwrap();
        store.write(batch(Space::Staged, Some(7))).unwrap();
        assert_eq!(store.snapshot().unwrap().get(Space::Staged, b"key").unwrap().as_deref(), Some(&7u32.to_be_bytes()[..]));
    }

    #[test]
    fn whoever_reads_a_range_sees_what_was_written_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let rows = FjallRows::open(directory.path(), FjallOptions::default()).unwrap();
        let store = rows.open(ShardId(0)).unwrap();
        let key = |n: u32| Bytes::from(n.to_be_bytes().to_vec());
        for round in 0..300u32 {
            for part in 0..4 {
                let first = part * 1_000 + round * 3;
                let changes = (first..first + 3).map(|n| (Space::Packed, key(n), Some(key(round)))).collect();
                store.write_later(Batch { changes }).unwrap();
            }
            let asked = round % 4 * 1_000 + round * 3;
            assert_eq!(store.get(Space::Packed, &key(asked + 1)).unwrap(), Some(key(round)));
            let mut seen = 0;
            let (start, end) = (key(asked), key(asked + 2));
            for end in [Bound::Included(&end[..]), Bound::Excluded(&end[..])] {
                store
                    .scan(Space::Packed, Bound::Excluded(&start), end, round % 2 == 0, &mut |_, _| {
                        seen += 1;
                        ControlFlow::Continue(())
                    })
                    .unwrap();
            }
            assert_eq!(seen, 3);
        }
    }

    #[test]
    fn a_sync_makes_them_durable() {
        let directory = tempfile::tempdir().unwrap();
        {
            let rows = FjallRows::open(directory.path(), FjallOptions::default()).unwrap();
            let store = rows.open(ShardId(0)).unwrap();
            store.write_later(batch(Space::Packed, Some(1))).unwrap();
            store.sync().unwrap();
        }
        let rows = FjallRows::open(directory.path(), FjallOptions::default()).unwrap();
        assert_eq!(rows.open(ShardId(0)).unwrap().get(Space::Packed, b"key").unwrap().as_deref(), Some(&1u32.to_be_bytes()[..]));
    }
}
