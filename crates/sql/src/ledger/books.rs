//! What a batch will touch, read under locks; and what it changed, put into the transaction's buffer.
//!
//! Locks are taken in one order, states of transfers first, then ledgers, then accounts, each in the order of keys: batches of their own
//! transactions never wait for each other in a circle.

use super::planted::{self, Bug};
use super::rows::{self, State, StoredAccount};
use super::tables::Ledger as Table;
use super::writes::Writes;
use crate::exec::fetch::Scanner;
use crate::exec::write::encode;
use crate::exec::{Run, Stored};
use crate::key;
use crate::plan::table::{TableInfo, key_of};
use crate::session::Session;
use crate::session::txn::Exec;
use crate::types::Type;
use crate::value::Value;
use base::{Result, ShardId, Version};
use bytes::BytesMut;
use ledger::{Account, Books, Entry, Event, Kind, Ledger, Needs, PendingState, Transfer};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use storage::access::{BASE_GUARDED, Isolation, Key, KeyRange, LockMode};

/// From so many entries on a batch lets others have their turn.
const LARGE_ENTRIES: usize = 1_000;
/// Of the bytes that a commit is meant to have, so often as much is not staged yet: a full batch fits, so that two transactions with one each do
/// not wait for each other's tables.
const STAGED_ABOVE_COMMITS: usize = 2;
/// Fewer ids are looked up one by one.
const SCANNED_IDS_MIN: usize = 32;
/// Ids that lie closer together were made one after the other: of time-ordered ones within about a minute.
const SCANNED_SPAN_MAX: u128 = 1 << 96;
/// About as many as the key of a row has whose key is an id.
const ID_KEY_BYTES: usize = 24;
/// A scan that finds as many rows looks among ids that are not new.
const SCANNED_ROWS_MAX: u32 = 64;

/// What a batch is of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All of it: nothing was written before, and the commit follows. It fits into one commit, so that no table is ever locked for it, for which
    /// two batches could wait for each other.
    Whole,
    /// Something may be written before it or after it.
    Part,
}

/// What is done about ids of transfers that may be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// Whoever makes the same id first wins, and the other's commit finds that it is there. Only for a batch that is a whole transaction: a scan for
    /// ids does not see what the running statement wrote, and staged rows are not looked at again by the commit.
    Free,
    /// Whoever makes the same id is waited for.
    Locked,
}

/// The ledger's tables as plans need them: they are the same in every cluster.
static TABLES: LazyLock<Vec<TableInfo>> = LazyLock::new(|| {
    let info = |table: Table| TableInfo::new(Arc::new(table.table())).expect("a built-in descriptor is sound");
    Table::ALL.into_iter().map(info).collect()
});

pub fn info(table: Table) -> &'static TableInfo {
    &TABLES[table as usize]
}

/// Something read, or made by the batch.
struct Held<T> {
    /// `None`: there was none.
    value: Option<T>,
    /// The version that was read, as the commit wants to find it.
    base: Version,
    changed: bool,
    /// See [`Rows::rank`].
    rank: u32,
}

/// Rows of one table by id, with the ids of those that changed in the order in which they did.
struct Rows<T> {
    held: FxHashMap<u128, Held<T>>,
    changed: Vec<u128>,
}

impl<T> Default for Rows<T> {
    fn default() -> Rows<T> {
        Rows { held: FxHashMap::default(), changed: Vec::new() }
    }
}

impl<T> Rows<T> {
    /// So many are about to come.
    fn reserve(&mut self, rows: usize) {
        self.held.reserve(rows);
        self.changed.reserve(rows);
    }

    fn read(&mut self, id: u128, stored: Option<&Stored>, decode: impl FnOnce(&[Value]) -> Result<T>, table: Table) -> Result<()> {
        let Some(stored) = stored else { return Ok(()) };
        let value = Some(decode(&info(table).layout.decode(&stored.row)?)?);
        self.held.insert(id, Held { value, base: stored.version, changed: false, rank: 0 });
        Ok(())
    }

    fn get(&self, id: u128) -> Option<&T> {
        self.held.get(&id)?.value.as_ref()
    }

    /// What is about to change.
    fn get_mut(&mut self, id: u128) -> Option<&mut T> {
        let held = self.held.get_mut(&id)?;
        let value = held.value.as_mut()?;
        if !std::mem::replace(&mut held.changed, true) {
            self.changed.push(id);
        }
        Some(value)
    }

    fn put(&mut self, id: u128, value: T) {
        let held = self.held.entry(id).or_insert(Held { value: None, base: Version::ZERO, changed: false, rank: 0 });
        held.value = Some(value);
        if !std::mem::replace(&mut held.changed, true) {
            self.changed.push(id);
        }
    }

    /// As if nothing had been found: for a planted fault.
    fn forget(&mut self, id: u128) {
        if let Some(held) = self.held.get_mut(&id) {
            held.value = None;
        }
    }

    /// Tells each changed row its place in the order of the ids; how many there are.
    fn rank(&mut self) -> usize {
        self.changed.sort_unstable();
        for (rank, id) in (0..).zip(&self.changed) {
            self.held.get_mut(id).expect("what changed is held").rank = rank;
        }
        self.changed.len()
    }

    /// In the order of the ids, which is that of the keys.
    fn changes(&mut self) -> impl Iterator<Item = (u128, &T, Version)> {
        self.changed.sort_unstable();
        self.changed.iter().filter_map(|id| {
            let held = &self.held[id];
            Some((*id, held.value.as_ref()?, held.base))
        })
    }
}

/// The part of the books that a batch works on.
#[derive(Default)]
pub struct Loaded {
    accounts: Rows<StoredAccount>,
    transfers: Rows<Transfer>,
    states: Rows<State>,
    refused: Rows<()>,
    ledgers: FxHashMap<u32, Ledger>,
    entries: Vec<Entry>,
    /// The newest timestamp of the accounts, and of what the batch booked: those to come are above it.
    last: u64,
    /// Ids that are refused for a passing reason now are not remembered.
    forgets_refusals: bool,
}

impl Loaded {
    pub fn floor(&self) -> u64 {
        self.last
    }

    pub fn forget_refusals(&mut self) {
        self.forgets_refusals = true;
    }

    pub fn stored_ledger(&self, id: u32) -> Option<&Ledger> {
        self.ledgers.get(&id)
    }

    /// The ledger of the first account that the transfer names; 0 if there is none.
    pub fn ledger_of(&self, transfer: &Transfer) -> u32 {
        let accounts = transfer.each_leg().map(|leg| leg.account);
        accounts.filter_map(|id| self.accounts.get(id)).map(|stored| stored.account.ledger).next().unwrap_or(0)
    }

    /// The batch's entries, each account's together in the order of the accounts, and of an account in the order in which they were made. Its row
    /// remembers the last one's timestamp.
    fn take_entries(&mut self) -> Vec<Entry> {
        let entries = std::mem::take(&mut self.entries);
        let accounts = self.accounts.rank();
        let mut rank_of = |entry: &Entry| {
            let held = self.accounts.held.get_mut(&entry.account).expect("an entry changes its account");
            if let Some(stored) = &mut held.value {
                stored.changed = stored.changed.max(entry.timestamp);
            }
            held.rank
        };
        let ranks: Vec<u32> = entries.iter().map(&mut rank_of).collect();
        in_order_of(entries, &ranks, accounts)
    }

    fn state(&self, transfer: u128) -> State {
        self.states.get(transfer).copied().unwrap_or_default()
    }
}

impl Books for Loaded {
    fn account(&self, id: u128) -> Option<&Account> {
        self.accounts.get(id).map(|stored| &stored.account)
    }

    fn transfer(&self, id: u128) -> Option<&Transfer> {
        self.transfers.get(id)
    }

    fn pending_state(&self, transfer: u128) -> Option<PendingState> {
        self.state(transfer).pending
    }

    fn has_failed(&self, transfer: u128) -> bool {
        self.refused.get(transfer).is_some()
    }

    fn reversed(&self, transfer: u128) -> u128 {
        self.state(transfer).reversed
    }

    fn ledger(&self, id: u32) -> Option<&Ledger> {
        self.ledgers.get(&id)
    }

    fn last_timestamp(&self, _: Kind) -> u64 {
        self.last
    }

    fn account_mut(&mut self, id: u128) -> Option<&mut Account> {
        self.accounts.get_mut(id).map(|stored| &mut stored.account)
    }

    fn put_account(&mut self, account: Account) {
        let changed = self.accounts.get(account.id).map_or(account.timestamp, |stored| stored.changed);
        self.accounts.put(account.id, StoredAccount { account, changed });
    }

    fn put_transfer(&mut self, transfer: Transfer) {
        self.transfers.put(transfer.id, transfer);
    }

    fn put_pending_state(&mut self, transfer: u128, pending: PendingState) {
        let state = self.state(transfer);
        self.states.put(transfer, State { pending: Some(pending), ..state });
    }

    fn put_failed(&mut self, transfer: u128) {
        if !self.forgets_refusals {
            self.refused.put(transfer, ());
        }
    }

    fn put_reversed(&mut self, transfer: u128, reversed: u128) {
        let state = self.state(transfer);
        self.states.put(transfer, State { reversed, ..state });
    }

    fn put_entry(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    fn put_last_timestamp(&mut self, _: Kind, timestamp: u64) {
        self.last = self.last.max(timestamp);
    }
}

fn id_key(table: Table, id: u128) -> Result<Key> {
    let mut key = Vec::with_capacity(ID_KEY_BYTES);
    put_id_key(table, id, &mut key)?;
    Ok(Key::from(key))
}

fn put_id_key(table: Table, id: u128, key: &mut Vec<u8>) -> Result<()> {
    key.extend_from_slice(&info(table).table.storage.0.to_be_bytes());
    key::encode(&Value::Uuid(id), Type::Uuid, key)
}

impl Session {
    /// Where the rows of a table with these ids for their keys live. The keys share an allocation: there may be thousands.
    fn places_of_ids(&self, table: Table, ids: &BTreeSet<u128>) -> Result<Vec<(ShardId, Key)>> {
        let mut shared = BytesMut::with_capacity(ids.len() * ID_KEY_BYTES);
        let mut scratch = Vec::with_capacity(ID_KEY_BYTES);
        let mut places = Vec::with_capacity(ids.len());
        for id in ids {
            scratch.clear();
            put_id_key(table, *id, &mut scratch)?;
            shared.extend_from_slice(&scratch);
            places.push((self.shard_of_id(*id)?, shared.split().freeze()));
        }
        Ok(places)
    }

    fn shard_of_id(&self, id: u128) -> Result<ShardId> {
        Ok(self.backend.shard_of(key::slot_of([(&Value::Uuid(id), Type::Uuid)])?))
    }

    pub(super) async fn fetch_ids(
        &mut self,
        table: Table,
        ids: &BTreeSet<u128>,
        lock: Option<LockMode>,
        run: &mut Run,
    ) -> Exec<Vec<Option<Stored>>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys = self.places_of_ids(table, ids)?;
        let wait = self.lock_wait();
        self.fetch(&keys, lock, wait, run).await
    }

    /// What there is of ids of which most are new. Those that were made one after the other are looked for with one scan instead of one by one.
    async fn fetch_new_ids(&mut self, table: Table, ids: &BTreeSet<u128>, lock: Ids, run: &mut Run) -> Exec<Vec<Option<Stored>>> {
        // An old snapshot would not show what came since.
        if lock == Ids::Locked || self.txn().isolation != Isolation::ReadCommitted {
            return self.fetch_ids(table, ids, Some(LockMode::Update), run).await;
        }
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(Vec::new()) };
        if ids.len() < SCANNED_IDS_MIN || last - first >= SCANNED_SPAN_MAX {
            return self.fetch_ids(table, ids, None, run).await;
        }
        let range = KeyRange { start: id_key(table, *first)?, end: key::prefix_end(&id_key(table, *last)?) };
        let mut found = BTreeMap::new();
        for shard in self.backend.shards() {
            let mut scanner = Scanner::new(vec![(shard, range.clone())], false);
            while let Some(chunk) = self.next_chunk(&mut scanner, SCANNED_ROWS_MAX, run).await? {
                if found.len() + chunk.len() >= SCANNED_ROWS_MAX as usize {
                    return self.fetch_ids(table, ids, None, run).await;
                }
                found.extend(chunk.into_iter().map(|stored| (stored.key.clone(), stored)));
            }
        }
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            let row = if found.is_empty() { None } else { found.remove(&id_key(table, *id)?) };
            rows.push(row);
        }
        Ok(rows)
    }

    /// Reads and locks all that the events may look at or change.
    pub(super) async fn load_books<E: Event>(&mut self, events: &[E], ids: Ids, run: &mut Run) -> Exec<Loaded> {
        let mut needs = Needs::default();
        for event in events {
            event.needs(&mut needs);
        }
        self.load_needs(needs, ids, run).await
    }

    pub(super) async fn load_needs(&mut self, mut needs: Needs, ids: Ids, run: &mut Run) -> Exec<Loaded> {
        self.pinned = Table::ALL.into_iter().map(|table| info(table).table.clone()).collect();
        let mut loaded = Loaded::default();
        let transfers: BTreeSet<u128> = needs.transfers.iter().collect();
        let found = self.fetch_new_ids(Table::Transfers, &transfers, ids, run).await?;
        loaded.transfers.reserve(transfers.len());
        loaded.entries.reserve(2 * transfers.len());
        for (id, stored) in transfers.iter().zip(&found) {
            loaded.transfers.read(*id, stored.as_ref(), rows::transfer, Table::Transfers)?;
            if planted::active(Bug::BookAgain) {
                loaded.transfers.forget(*id);
            }
            if let Some(transfer) = loaded.transfers.get(*id) {
                ledger::needs_of_referred(transfer, &mut needs);
            }
        }
        let there: BTreeSet<u128> = transfers.iter().copied().filter(|id| loaded.transfers.get(*id).is_some()).collect();
        let found = self.fetch_ids(Table::TransferStates, &there, Some(LockMode::Update), run).await?;
        for (id, stored) in there.iter().zip(&found) {
            loaded.states.read(*id, stored.as_ref(), rows::state, Table::TransferStates)?;
        }
        let absent: BTreeSet<u128> = transfers.difference(&there).copied().collect();
        let found = self.fetch_new_ids(Table::Refused, &absent, ids, run).await?;
        for (id, stored) in absent.iter().zip(&found) {
            loaded.refused.read(*id, stored.as_ref(), |_| Ok(()), Table::Refused)?;
        }
        self.load_accounts(&needs, &mut loaded, run).await?;
        Ok(loaded)
    }

    async fn load_accounts(&mut self, needs: &Needs, loaded: &mut Loaded, run: &mut Run) -> Exec<()> {
        let ledgers: BTreeSet<u32> = needs.ledgers.iter().collect();
        self.load_ledgers(&ledgers, LockMode::Share, loaded, run).await?;
        let accounts: BTreeSet<u128> = needs.accounts.iter().collect();
        let found = self.fetch_ids(Table::Accounts, &accounts, Some(LockMode::Update), run).await?;
        loaded.accounts.reserve(accounts.len());
        for (id, stored) in accounts.iter().zip(&found) {
            loaded.accounts.read(*id, stored.as_ref(), rows::account, Table::Accounts)?;
            let changed = loaded.accounts.get(*id).map_or(0, |stored| stored.changed);
            loaded.last = if planted::active(Bug::ForgetOrder) { 0 } else { loaded.last.max(changed) };
        }
        Ok(())
    }

    /// Ledgers that are not defined have no row; the rules refuse what names them.
    pub(super) async fn load_ledgers(
        &mut self,
        ids: &BTreeSet<u32>,
        mode: LockMode,
        loaded: &mut Loaded,
        run: &mut Run,
    ) -> Exec<Vec<Version>> {
        let shard = self.backend.shard_of(base::SlotId(0));
        let keys = ids.iter().map(|id| Ok((shard, ledger_key(*id)?))).collect::<Result<Vec<_>>>()?;
        let wait = self.lock_wait();
        let found = self.fetch(&keys, Some(mode), wait, run).await?;
        for (id, stored) in ids.iter().zip(&found) {
            if let Some(stored) = stored {
                loaded.ledgers.insert(*id, rows::ledger(&info(Table::Ledgers).layout.decode(&stored.row)?)?);
            }
        }
        Ok(found.iter().map(|stored| stored.as_ref().map_or(Version::ZERO, |stored| stored.version)).collect())
    }

    pub(super) fn put_ledger(&mut self, ledger: &Ledger, base: Version) -> Result<()> {
        let shard = self.backend.shard_of(base::SlotId(0));
        self.put_ledger_row(Table::Ledgers, shard, ledger_key(ledger.id)?, &rows::of_ledger(ledger)?, base)
    }

    fn put_ledger_row(&mut self, table: Table, shard: ShardId, key: Key, values: &[Value], base: Version) -> Result<()> {
        let row = encode(info(table), values)?;
        self.txn().buffer.put(shard, key, Some(row), base);
        Ok(())
    }

    /// Puts all that the batch changed into the transaction's buffer. `timestamp`: of the batch, for what was refused.
    pub(super) async fn keep(&mut self, mut loaded: Loaded, timestamp: u64, share: Share) -> Exec<()> {
        let entries = loaded.take_entries();
        // Between the parts of a large batch, each of some milliseconds, others have their turn.
        let large = entries.len() >= LARGE_ENTRIES;
        let mut writes = Writes::default();
        if large {
            self.backend.breathe().await;
        }
        self.put_accounts(&mut loaded, &mut writes)?;
        if large {
            self.backend.breathe().await;
        }
        self.put_transfers(&mut loaded, timestamp, &mut writes)?;
        if large {
            self.backend.breathe().await;
        }
        self.put_movements(&entries, &mut writes)?;
        writes.finish(share, &mut self.txn().buffer);
        match share {
            Share::Whole => Ok(()),
            Share::Part => {
                let bytes_max = STAGED_ABOVE_COMMITS * self.backend.commit_bytes_max();
                self.stage_above(bytes_max).await
            }
        }
    }

    fn put_accounts(&self, loaded: &mut Loaded, writes: &mut Writes) -> Result<()> {
        for (id, stored, base) in loaded.accounts.changes() {
            writes.put(Table::Accounts, self.shard_of_id(id)?, |key| id_suffix(id, key), Some(&rows::of_account(stored)?), base)?;
        }
        Ok(())
    }

    fn put_transfers(&self, loaded: &mut Loaded, timestamp: u64, writes: &mut Writes) -> Result<()> {
        for (id, transfer, base) in loaded.transfers.changes() {
            writes.put(Table::Transfers, self.shard_of_id(id)?, |key| id_suffix(id, key), Some(&rows::of_transfer(transfer)?), base)?;
        }
        for (id, (), base) in loaded.refused.changes() {
            writes.put(Table::Refused, self.shard_of_id(id)?, |key| id_suffix(id, key), Some(&rows::of_refused(id, timestamp)?), base)?;
        }
        for (id, state, base) in loaded.states.changes() {
            let shard = self.shard_of_id(id)?;
            let expires = loaded.transfers.get(id).and_then(Transfer::expires);
            let row = rows::of_state(id, &State { expires, ..*state })?;
            writes.put(Table::TransferStates, shard, |key| id_suffix(id, key), Some(&row), base)?;
            if let Some(expires) = expires {
                let row = match state.pending {
                    Some(PendingState::Pending) => Some(rows::of_expiry(expires, id)?),
                    _ => None,
                };
                writes.put(Table::Expiries, shard, |key| expiry_suffix(expires, id, key), row.as_deref(), BASE_GUARDED)?;
            }
        }
        Ok(())
    }

    /// Numbers the entries of each account at each timestamp. They come in the order of their keys.
    fn put_movements(&self, entries: &[Entry], writes: &mut Writes) -> Result<()> {
        let mut number = 0;
        let mut shard = ShardId(0);
        for (at, entry) in entries.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| &entries[before]);
            let same_account = before.is_some_and(|before| before.account == entry.account);
            if !same_account {
                shard = self.shard_of_id(entry.account)?;
            }
            number = if same_account && before.is_some_and(|before| before.timestamp == entry.timestamp) { number + 1 } else { 0 };
            let row = rows::of_entry(entry, number)?;
            let key = |key: &mut Vec<u8>| entry_suffix(entry.account, entry.timestamp, number, key);
            writes.put(Table::Entries, shard, key, Some(&row), BASE_GUARDED)?;
        }
        Ok(())
    }
}

/// Sorts by rank, which is below `ranks_end`; what has the same stays in its order. By counting, as there are nearly as many ranks as elements.
fn in_order_of<T>(elements: Vec<T>, ranks: &[u32], ranks_end: usize) -> Vec<T> {
    let mut places = vec![0; ranks_end + 1];
    ranks.iter().for_each(|rank| places[*rank as usize + 1] += 1);
    for rank in 0..ranks_end {
        places[rank + 1] += places[rank];
    }
    let mut ordered: Vec<Option<T>> = Vec::new();
    ordered.resize_with(elements.len(), || None);
    for (element, rank) in elements.into_iter().zip(ranks) {
        let place: &mut usize = &mut places[*rank as usize];
        ordered[*place] = Some(element);
        *place += 1;
    }
    ordered.into_iter().flatten().collect()
}

fn ledger_key(id: u32) -> Result<Key> {
    let mut suffix = Vec::with_capacity(12);
    key::encode(&Value::Int8(i64::from(id)), Type::Int8, &mut suffix)?;
    key_of(info(Table::Ledgers).table.storage, &suffix)
}

fn id_suffix(id: u128, key: &mut Vec<u8>) -> Result<()> {
    key::encode(&Value::Uuid(id), Type::Uuid, key)
}

fn entry_suffix(account: u128, timestamp: u64, number: i32, key: &mut Vec<u8>) -> Result<()> {
    key::encode(&Value::Uuid(account), Type::Uuid, key)?;
    key::encode(&Value::Int8(timestamp as i64), Type::Int8, key)?;
    key::encode(&Value::Int4(number), Type::Int4, key)
}

fn expiry_suffix(expires: u64, id: u128, key: &mut Vec<u8>) -> Result<()> {
    key::encode(&Value::Int8(expires as i64), Type::Int8, key)?;
    key::encode(&Value::Uuid(id), Type::Uuid, key)
}
