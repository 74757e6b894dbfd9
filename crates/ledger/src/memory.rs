//! Books in memory: what a batch needs is loaded, the batch runs, and what it changed is told in the order of the changes.

use crate::books::{Books, Kind};
use crate::model::{Account, Entry, Ledger, PendingState, Transfer};
use crate::needs::Needs;
use rustc_hash::FxHashMap;
use std::cell::RefCell;

const NEW: u8 = 1;
const CHANGED: u8 = 2;
const STATE: u8 = 4;
const FAILED: u8 = 8;
const REVERSED: u8 = 16;

/// Rows by id, which remember what was changed in them, and in which order.
#[derive(Clone, Debug)]
struct Slots<T> {
    index: FxHashMap<u128, u32>,
    slots: Vec<Slot<T>>,
    changed: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    id: u128,
    value: T,
    changes: u8,
}

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots { index: FxHashMap::default(), slots: Vec::new(), changed: Vec::new() }
    }
}

impl<T: Default> Slots<T> {
    #[inline]
    fn get(&self, id: u128) -> Option<&T> {
        self.index.get(&id).map(|index| &self.slots[*index as usize].value)
    }

    /// The row, which is made if it is not there, and marked with what is about to change.
    #[inline]
    fn change(&mut self, id: u128, changes: u8) -> &mut T {
        let index = self.position(id);
        self.change_at(index, changes)
    }

    #[inline]
    fn position(&mut self, id: u128) -> u32 {
        let slots = &mut self.slots;
        *self.index.entry(id).or_insert_with(|| {
            slots.push(Slot { id, value: T::default(), changes: 0 });
            u32::try_from(slots.len() - 1).expect("memory ends before 2^32 rows")
        })
    }

    #[inline]
    fn change_at(&mut self, index: u32, changes: u8) -> &mut T {
        let slot = &mut self.slots[index as usize];
        if slot.changes == 0 {
            self.changed.push(index);
        }
        slot.changes |= changes;
        &mut slot.value
    }

    fn load(&mut self, id: u128, value: T) {
        let index = self.position(id);
        self.slots[index as usize].value = value;
    }

    fn changes(&self) -> impl Iterator<Item = &Slot<T>> {
        self.changed.iter().map(|index| &self.slots[*index as usize])
    }

    fn forget_changes(&mut self) {
        for index in self.changed.drain(..) {
            self.slots[index as usize].changes = 0;
        }
    }

    fn clear(&mut self) {
        self.index.clear();
        self.slots.clear();
        self.changed.clear();
    }

    fn reserve(&mut self, more: usize) {
        self.index.reserve(more);
        self.slots.reserve(more);
        self.changed.reserve(more);
    }
}

/// All that is recorded under a transfer's id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    pub transfer: Option<Transfer>,
    /// What became of it, if it was made as a pending one.
    pub state: Option<PendingState>,
    /// True if the id was refused for a passing reason.
    pub failed: bool,
    /// How much of it was reversed; `None` is 0.
    pub reversed: Option<u128>,
}

/// What batches changed, each in the order of its first change.
#[derive(Debug)]
pub struct Changes<'a> {
    /// Accounts that were not there before.
    pub accounts_opened: Vec<&'a Account>,
    /// Accounts whose balances or flags changed.
    pub accounts_changed: Vec<&'a Account>,
    pub transfers: Vec<&'a Transfer>,
    /// Transfers that became pending or ceased to be, with what they are now.
    pub pending_states: Vec<(u128, PendingState)>,
    /// Ids that were refused for a passing reason.
    pub failed: Vec<u128>,
    /// Transfers of which more was reversed, with all that was reversed up to now.
    pub reversed: Vec<(u128, u128)>,
    /// In the order in which they were booked.
    pub entries: &'a [Entry],
}

/// Books in memory. [`MemoryBooks::default`] holds everything: what is not there does not exist. [`MemoryBooks::partial`] holds what
/// was loaded, and tells if the rules asked for more.
#[derive(Clone, Debug, Default)]
pub struct MemoryBooks {
    accounts: Slots<Option<Account>>,
    transfers: Slots<Recorded>,
    ledgers: FxHashMap<u32, Option<Ledger>>,
    entries: Vec<Entry>,
    last_account: u64,
    last_transfer: u64,
    /// What was read and had not been loaded; only kept for books that hold a part.
    missed: Option<Box<RefCell<Needs>>>,
}

impl MemoryBooks {
    /// Books that hold a part: all that is read must have been loaded, be it as something that does not exist.
    pub fn partial() -> MemoryBooks {
        MemoryBooks { missed: Some(Box::default()), ..MemoryBooks::default() }
    }

    /// Makes room for what `needs` names, and for `events` new rows.
    pub fn reserve(&mut self, accounts: usize, transfers: usize) {
        self.accounts.reserve(accounts);
        self.transfers.reserve(transfers);
        self.entries.reserve(transfers.saturating_mul(2));
    }

    /// `None`: the account does not exist. This is no change.
    pub fn load_account(&mut self, id: u128, account: Option<Account>) {
        self.accounts.load(id, account);
    }

    /// This is no change.
    pub fn load_transfer(&mut self, id: u128, recorded: Recorded) {
        self.transfers.load(id, recorded);
    }

    /// `None`: the ledger does not exist.
    pub fn load_ledger(&mut self, id: u32, ledger: Option<Ledger>) {
        self.ledgers.insert(id, ledger);
    }

    /// This is no change: the last timestamps belong to whoever keeps the books.
    pub fn set_last_timestamp(&mut self, kind: Kind, timestamp: u64) {
        self.put_last_timestamp(kind, timestamp);
    }

    /// All accounts, in the order in which they were loaded or opened.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.slots.iter().filter_map(|slot| slot.value.as_ref())
    }

    /// All that is recorded of transfers with their ids, in the order in which they were loaded, referred to or made.
    pub fn transfers(&self) -> impl Iterator<Item = (u128, &Recorded)> {
        self.transfers.slots.iter().map(|slot| (slot.id, &slot.value))
    }

    /// What was changed since the books were made or [`MemoryBooks::forget_changes`].
    pub fn changes(&self) -> Changes<'_> {
        let mut changes = Changes {
            accounts_opened: Vec::new(),
            accounts_changed: Vec::with_capacity(self.accounts.changed.len()),
            transfers: Vec::with_capacity(self.transfers.changed.len()),
            pending_states: Vec::new(),
            failed: Vec::new(),
            reversed: Vec::new(),
            entries: &self.entries,
        };
        for slot in self.accounts.changes() {
            let Some(account) = &slot.value else { continue };
            let list = if slot.changes & NEW != 0 { &mut changes.accounts_opened } else { &mut changes.accounts_changed };
            list.push(account);
        }
        for Slot { id, value, changes: what } in self.transfers.changes() {
            changes.transfers.extend(value.transfer.as_ref().filter(|_| what & NEW != 0));
            changes.pending_states.extend(value.state.filter(|_| what & STATE != 0).map(|state| (*id, state)));
            changes.failed.extend((what & FAILED != 0).then_some(*id));
            changes.reversed.extend(value.reversed.filter(|_| what & REVERSED != 0).map(|amount| (*id, amount)));
        }
        changes
    }

    /// Keeps everything but the entries, and starts to tell changes anew.
    pub fn forget_changes(&mut self) {
        self.accounts.forget_changes();
        self.transfers.forget_changes();
        self.entries.clear();
    }

    /// What partial books were asked for without having it: if this is not empty, load it and run the batch again on the books
    /// as they were.
    pub fn missed(&self) -> Needs {
        self.missed.as_ref().map(|missed| missed.borrow().clone()).unwrap_or_default()
    }

    fn miss(&self, note: impl FnOnce(&mut Needs)) {
        if let Some(missed) = &self.missed {
            note(&mut missed.borrow_mut());
        }
    }

    #[inline]
    fn recorded(&self, transfer: u128) -> Option<&Recorded> {
        let recorded = self.transfers.get(transfer);
        if recorded.is_none() {
            self.miss(|needs| needs.transfer(transfer));
        }
        recorded
    }

    /// Empties the books, but keeps their memory for the next use.
    pub(crate) fn clear(&mut self) {
        self.accounts.clear();
        self.transfers.clear();
        self.entries.clear();
    }

    /// Moves all that changed to other books. What stays behind is of no use until it is cleared.
    pub(crate) fn write_to<B: Books>(&mut self, books: &mut B) {
        for account in self.accounts.slots.drain(..).filter_map(|slot| slot.value) {
            books.put_account(account);
        }
        for Slot { id, value, changes } in self.transfers.slots.drain(..) {
            if let Some(transfer) = value.transfer.filter(|_| changes & NEW != 0) {
                books.put_transfer(transfer);
            }
            if let Some(state) = value.state.filter(|_| changes & STATE != 0) {
                books.put_pending_state(id, state);
            }
            if changes & FAILED != 0 {
                books.put_failed(id);
            }
            if let Some(amount) = value.reversed.filter(|_| changes & REVERSED != 0) {
                books.put_reversed(id, amount);
            }
        }
        self.entries.drain(..).for_each(|entry| books.put_entry(entry));
        books.put_last_timestamp(Kind::Account, self.last_account);
        books.put_last_timestamp(Kind::Transfer, self.last_transfer);
    }

    /// What is recorded of a transfer, without noting that it is not there.
    pub(crate) fn known(&self, transfer: u128) -> Option<&Recorded> {
        self.transfers.get(transfer)
    }
}

impl Books for MemoryBooks {
    #[inline]
    fn account(&self, id: u128) -> Option<&Account> {
        match self.accounts.get(id) {
            Some(account) => account.as_ref(),
            None => {
                self.miss(|needs| needs.account(id));
                None
            }
        }
    }

    #[inline]
    fn transfer(&self, id: u128) -> Option<&Transfer> {
        self.recorded(id)?.transfer.as_ref()
    }

    #[inline]
    fn pending_state(&self, transfer: u128) -> Option<PendingState> {
        self.recorded(transfer)?.state
    }

    #[inline]
    fn has_failed(&self, transfer: u128) -> bool {
        self.recorded(transfer).is_some_and(|recorded| recorded.failed)
    }

    fn reversed(&self, transfer: u128) -> u128 {
        self.recorded(transfer).and_then(|recorded| recorded.reversed).unwrap_or(0)
    }

    #[inline]
    fn ledger(&self, id: u32) -> Option<&Ledger> {
        match self.ledgers.get(&id) {
            Some(ledger) => ledger.as_ref(),
            None => {
                self.miss(|needs| needs.ledger(id));
                None
            }
        }
    }

    #[inline]
    fn last_timestamp(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Account => self.last_account,
            Kind::Transfer => self.last_transfer,
        }
    }

    #[inline]
    fn account_mut(&mut self, id: u128) -> Option<&mut Account> {
        let index = *self.accounts.index.get(&id)?;
        self.accounts.slots[index as usize].value.as_ref()?;
        self.accounts.change_at(index, CHANGED).as_mut()
    }

    fn put_account(&mut self, account: Account) {
        let id = account.id;
        let is_new = self.accounts.get(id).is_none_or(Option::is_none);
        *self.accounts.change(id, if is_new { NEW } else { CHANGED }) = Some(account);
    }

    #[inline]
    fn put_transfer(&mut self, transfer: Transfer) {
        let id = transfer.id;
        self.transfers.change(id, NEW).transfer = Some(transfer);
    }

    fn put_pending_state(&mut self, transfer: u128, state: PendingState) {
        self.transfers.change(transfer, STATE).state = Some(state);
    }

    fn put_failed(&mut self, transfer: u128) {
        self.transfers.change(transfer, FAILED).failed = true;
    }

    fn put_reversed(&mut self, transfer: u128, amount: u128) {
        self.transfers.change(transfer, REVERSED).reversed = Some(amount);
    }

    #[inline]
    fn put_entry(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    #[inline]
    fn put_last_timestamp(&mut self, kind: Kind, timestamp: u64) {
        match kind {
            Kind::Account => self.last_account = timestamp,
            Kind::Transfer => self.last_transfer = timestamp,
        }
    }
}
