//! Writes that whoever asks for them does not wait for.
//!
//! Every write takes the engine's locks, and the engine holds them while it syncs files: on a busy disk for half a second, in which the node's thread
//! would answer nobody and lose its leases. So one thread writes what it may write later, in the order given; what must see it waits for it.

use super::{SqlState, engine_batch};
use crate::rows::Batch;
use base::{Error, Result};
use fjall::{AbstractTree, Database, Keyspace};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Once so many bytes wait, whoever wants to add more waits, too.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Once so many bytes wait, the store says that it is behind.
const WAITING_BYTES_MANY: usize = 8 * 1024 * 1024;
/// From here on the engine is behind. It holds writes up at 4 memtables and at 20 runs.
const SEALED_MEMTABLES_MANY: usize = 2;
const FIRST_LEVEL_RUNS_MANY: usize = 12;
/// While the engine is behind it is asked this often whether it still is.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub struct LateWrites {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    database: Database,
    state: Mutex<State>,
    /// Something waits to be written, or it is the end.
    arrived: Condvar,
    /// Something was written.
    written: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Keyspace, Batch, usize)>,
    waiting_bytes: usize,
    /// Counted from the start.
    taken: u64,
    done: u64,
    /// The keyspace whose engine was behind when it was last written to.
    behind: Option<Keyspace>,
    failed: Option<Error>,
    ended: bool,
}

impl LateWrites {
    /// # Errors
    /// `58030` if the thread cannot be started.
    pub fn start(database: Database) -> Result<LateWrites> {
        let shared = Arc::new(Shared { database, state: Mutex::default(), arrived: Condvar::new(), written: Condvar::new() });
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
    pub fn push(&self, keyspace: Keyspace, batch: Batch, bytes: usize) -> Result<()> {
        let full = |state: &mut State| state.waiting_bytes >= WAITING_BYTES_MAX && state.failed.is_none();
        let mut state = self.shared.written.wait_while(self.shared.lock(), full).expect("no code panics while it holds this lock");
        state.sound()?;
        state.waiting.push_back((keyspace, batch, bytes));
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
        let unfinished = |state: &mut State| state.done < upto && state.failed.is_none();
        self.shared.written.wait_while(state, unfinished).expect("no code panics while it holds this lock").sound()
    }

    pub fn is_behind(&self) -> bool {
        let state = self.shared.lock();
        state.behind.is_some() || state.waiting_bytes >= WAITING_BYTES_MANY
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
            if let Some((keyspace, batch, bytes)) = state.waiting.pop_front() {
                drop(state);
                self.write(&keyspace, batch, bytes);
            } else if let Some(keyspace) = state.behind.clone() {
                let (state, _) = self.arrived.wait_timeout(state, LOOK_AGAIN).expect("no code panics while it holds this lock");
                drop(state);
                self.look(&keyspace);
            } else {
                drop(self.arrived.wait(state).expect("no code panics while it holds this lock"));
            }
        }
    }

    fn write(&self, keyspace: &Keyspace, batch: Batch, bytes: usize) {
        let outcome = engine_batch(&self.database, keyspace, batch).commit();
        let mut state = self.lock();
        state.waiting_bytes -= bytes;
        state.done += 1;
        if let Err(error) = outcome {
            state.failed = Some(Error::new(SqlState::IO_ERROR, format!("the row store failed: {error}")));
        }
        drop(state);
        self.written.notify_all();
        self.look(keyspace);
    }

    fn look(&self, keyspace: &Keyspace) {
        let behind =
            keyspace.tree.sealed_memtable_count() >= SEALED_MEMTABLES_MANY || keyspace.tree.l0_run_count() >= FIRST_LEVEL_RUNS_MANY;
        self.lock().behind = behind.then(|| keyspace.clone());
    }
}

#[cfg(test)]
mod tests {
    use crate::rows::{Batch, FjallOptions, FjallRows, RowStores, Space};
    use base::ShardId;
    use bytes::Bytes;

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
