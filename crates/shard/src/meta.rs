//! The shard's bookkeeping in the row store: one value that says what the rows beside it are.
//!
//! It is written last in a flush and in a transfer of rows: where it is missing, the rows are not complete and count as none.
//!
//! Byte format (integers little-endian): u16 format, u64 index, u64 term, bool rows, membership; then, if there are rows: u64 allowance,
//! u64 newest version, u64 newest assigned version, u64 newest flushed version, u64 schema version; staged transactions (count; txn,
//! u32 parts, outlines); layers (count; txn, u64 version, u64 index, bool alone, outlines); garbage (count, txn);
//! dropped storages (count, u32); prepared transactions (count, as in the log); outcomes (twice: u64 forgotten, count, txn, u64 version, u64 index);
//! pinned outcomes (count; txn, u64 version, u64 index, count and u32 participants). Format 4 has the state of the ledger's evidence behind it (as a string: see
//! `evidence`); format 3 is without. A second, empty value beside it (`silent`) says that this replica may lack
//! what it acknowledged once. Outlines: count; u32 storage id, highest key, bool some rows are packed, bool some stand by themselves.

use crate::allowance::Allowance;
use crate::entry::{read_prepare, write_prepare};
use crate::evidence::Captured;
use crate::members::Members;
use crate::outcomes::Outcomes;
use crate::staged::{Staged, read_outlines, write_outlines};
use crate::state::{Layer, State};
use crate::wire::{Read, Reader, Writer};
use base::{Error, Result, SchemaVersion, SqlState, StorageId};
use bytes::Bytes;
use std::sync::Arc;
use storage::rows::{Batch, RowStore, Space};

/// The bookkeeping's key in `Meta`.
pub const STATE_KEY: &[u8] = b"state";
/// Stands beside it, empty, while this replica may lack what it acknowledged once: see [`Part::Silent`](crate::consensus::Part::Silent).
const SILENT_KEY: &[u8] = b"silent";
/// Without evidence of the ledger.
const FORMAT_BEFORE: u16 = 3;
const FORMAT: u16 = 4;

/// Which entry the rows in the store stand at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    pub index: u64,
    pub term: u64,
    /// False: a witness, or a replica whose rows are yet to come.
    pub rows: bool,
    pub members: Members,
}

impl Standing {
    pub fn is_known(&self) -> bool {
        self.index > 0
    }

    /// The whole value; `state` is what [`write_state`] gave for this index.
    pub fn encode(&self, state: &[u8], evidence: Option<&Captured>) -> Bytes {
        let mut w = Writer::with_capacity(256 + state.len());
        w.u16(if evidence.is_some() { FORMAT } else { FORMAT_BEFORE });
        w.u64(self.index);
        w.u64(self.term);
        w.bool(self.rows);
        self.members.write(&mut w);
        w.bytes.extend_from_slice(state);
        if let Some(evidence) = evidence {
            w.bytes(evidence.state());
        }
        w.finish()
    }

    pub fn batch(&self, state: &[u8], evidence: Option<&Captured>) -> Batch {
        Batch { changes: vec![(Space::Meta, Bytes::from_static(STATE_KEY), Some(self.encode(state, evidence)))] }
    }
}

/// What says, or no longer says, that this replica may lack what it acknowledged once.
pub fn silence(silent: bool) -> (Space, Bytes, Option<Bytes>) {
    (Space::Meta, Bytes::from_static(SILENT_KEY), silent.then(Bytes::new))
}

/// Durably.
///
/// # Errors
/// If the store cannot be written.
pub fn set_silent(store: &dyn RowStore, silent: bool) -> Result<()> {
    store.write(Batch { changes: vec![silence(silent)] })?;
    store.sync()
}

/// # Errors
/// If the store cannot be read.
pub fn is_silent(store: &dyn RowStore) -> Result<bool> {
    Ok(store.get(Space::Meta, SILENT_KEY)?.is_some())
}

/// Reads the bookkeeping and fills the state with it. `None`: there is none.
pub fn load(store: &dyn RowStore, state: &mut State) -> Result<Option<Standing>> {
    let Some(value) = store.get(Space::Meta, STATE_KEY)? else { return Ok(None) };
    let mut r = Reader::new(value);
    let format = r.u16()?;
    if format != FORMAT && format != FORMAT_BEFORE {
        return Err(Error::new(SqlState::DATA_CORRUPTED, format!("the shard's data has format {format}, this program knows {FORMAT}"))
            .with_hint("Start a version of the program that is as new as the one that wrote the data."));
    }
    let standing = Standing { index: r.u64()?, term: r.u64()?, rows: r.bool()?, members: Members::read(&mut r)? };
    if standing.rows {
        read_state(&mut r, state)?;
    }
    if format == FORMAT {
        state.ledger.restore(standing.index, &r.bytes()?, store)?;
    }
    r.end()?;
    state.applied = standing.index;
    Ok(Some(standing))
}

/// The state as of now, to be written once the rows as of now are flushed.
pub fn write_state(state: &State, newest: base::Version) -> Vec<u8> {
    let mut w = Writer::with_capacity(1024 + 48 * state.outcomes.len());
    let (last_version, last_assigned) = state.versions();
    for version in [state.allowance.newest(), last_version, last_assigned, newest] {
        w.version(version);
    }
    w.u64(state.schema.0);
    w.count(state.staged.len());
    for (txn, staged) in &state.staged {
        w.txn(*txn);
        w.u32(staged.parts);
        write_outlines(&mut w, &staged.storages);
    }
    w.count(state.layers.len());
    for layer in &state.layers {
        w.txn(layer.txn);
        w.version(layer.version);
        w.u64(layer.index);
        w.bool(layer.alone);
        write_outlines(&mut w, &layer.storages);
    }
    w.count(state.garbage.len());
    for (txn, _) in &state.garbage {
        w.txn(*txn);
    }
    w.count(state.dropped.len());
    for (storage, _) in &state.dropped {
        w.u32(storage.0);
    }
    w.count(state.prepared.len());
    for prepare in state.prepared.values() {
        write_prepare(&mut w, prepare);
    }
    state.outcomes.write(&mut w);
    w.bytes
}

fn read_state(r: &mut Reader, state: &mut State) -> Read<()> {
    state.allowance = Allowance::new(r.version()?);
    let (last_version, last_assigned) = (r.version()?, r.version()?);
    state.set_versions(last_version, last_assigned);
    state.flushed = r.version()?;
    state.schema = SchemaVersion(r.u64()?);
    for _ in 0..r.count(32)? {
        let (txn, parts) = (r.txn()?, r.u32()?);
        state.staged.insert(txn, Staged { parts, storages: read_outlines(r)? });
    }
    for _ in 0..r.count(44)? {
        let (txn, version, index, alone) = (r.txn()?, r.version()?, r.u64()?, r.bool()?);
        state.layers.push(Layer { txn, version, index, alone, storages: read_outlines(r)? });
    }
    for _ in 0..r.count(24)? {
        // Only what is committed is ever flushed.
        state.garbage.push((r.txn()?, 0));
    }
    for _ in 0..r.count(4)? {
        state.dropped.push((StorageId(r.u32()?), 0));
    }
    for _ in 0..r.count(40)? {
        state.restore_prepared(Arc::new(read_prepare(r)?));
    }
    state.outcomes = Outcomes::read(r, state.outcomes_max)?;
    state.store_has_rows = true;
    Ok(())
}
