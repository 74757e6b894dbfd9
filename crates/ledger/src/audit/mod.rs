//! Recomputes each account's balances from the transfers alone, and compares.
//!
//! The caller streams all transfers in the order of their timestamps, then all accounts. What is kept meanwhile is one row of sums
//! for each account, and a few words for each pending transfer and each reversed one. When a transfer expired is not recorded with
//! it: an expired one counts as never reserved, so that a limit that held is never reported, while one that only expired amounts
//! violated is not found.

mod finding;

use crate::code::Code;
use crate::model::{Account, AccountFlags, Balances, Leg, PendingState, Side, Transfer, TransferFlags};
use rustc_hash::{FxHashMap, FxHashSet};

pub use finding::Finding;

/// The most findings that are listed; of the others only their number is told.
pub const FINDINGS_MAX: usize = 10_000;

/// What the transfers tell about one account.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    ledger: u32,
    sums: Balances,
    marks: Marks,
}

/// How far balances went: the least to which a transfer lowered one, and the most to which one raised it.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    posted_low: Option<i128>,
    available_low: Option<i128>,
    posted_high: Option<i128>,
    available_high: Option<i128>,
}

impl Marks {
    fn note(&mut self, before: &Balances, after: &Balances) {
        let lower = |mark: &mut Option<i128>, before: i128, after: i128| {
            if after < before {
                *mark = Some(mark.map_or(after, |mark| mark.min(after)));
            }
        };
        lower(&mut self.posted_low, before.posted(), after.posted());
        lower(&mut self.available_low, before.available_low(), after.available_low());
        let higher = |mark: &mut Option<i128>, before: i128, after: i128| {
            if after > before {
                *mark = Some(mark.map_or(after, |mark| mark.max(after)));
            }
        };
        higher(&mut self.posted_high, before.posted(), after.posted());
        higher(&mut self.available_high, before.available_high(), after.available_high());
    }
}

/// A pending transfer, until the end: it might be resolved twice.
#[derive(Clone, Debug)]
struct Pending {
    amount: u128,
    legs: Vec<Leg>,
    state: PendingState,
    resolved: Option<PendingState>,
}

/// Recomputes balances; see the module.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    accounts: FxHashMap<u128, Seen>,
    pending: FxHashMap<u128, Pending>,
    reversed: FxHashMap<u128, u128>,
    given: FxHashMap<u128, u32>,
    parents: Vec<(u128, u128, u32)>,
    /// Debits less credits of each ledger's accounts, posted and pending, modulo 2^128.
    ledgers: FxHashMap<u32, (u128, u128)>,
    last_timestamp: u64,
    findings: Vec<Finding>,
    more: u64,
}

impl Audit {
    pub fn new() -> Audit {
        Audit::default()
    }

    fn report(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }

    /// The next transfer in the order of timestamps, with what became of it if it was made as a pending one.
    pub fn transfer(&mut self, transfer: &Transfer, state: Option<PendingState>) {
        let (id, timestamp) = (transfer.id, transfer.timestamp);
        if timestamp <= self.last_timestamp {
            self.report(Finding::TimestampNotIncreasing { transfer: id, timestamp });
        }
        self.last_timestamp = self.last_timestamp.max(timestamp);
        let is_pending = transfer.flags.has(TransferFlags::PENDING);
        if is_pending != state.is_some() {
            self.report(Finding::StateMismatch { transfer: id, state });
        }
        let sum = |side: Side| transfer.each_leg().filter(|leg| leg.side == side).fold(0u128, |sum, leg| sum.wrapping_add(leg.amount));
        if sum(Side::Debit) != sum(Side::Credit) {
            self.report(Finding::TransferUnbalanced { transfer: id });
        }
        if transfer.flags.has_any(TransferFlags::POST.with(TransferFlags::VOID)) {
            self.resolve(transfer);
        } else if is_pending {
            self.reserve(transfer, state.unwrap_or(PendingState::Pending));
        } else {
            let reversed = transfer.flags.has(TransferFlags::REVERSE).then(|| self.reversed.entry(transfer.pending).or_default());
            if let Some(reversed) = reversed {
                *reversed = reversed.saturating_add(transfer.amount);
            }
            self.book(transfer, &[], &transfer.each_leg().collect::<Vec<_>>(), &[]);
        }
    }

    fn reserve(&mut self, transfer: &Transfer, state: PendingState) {
        let legs: Vec<Leg> = transfer.each_leg().collect();
        if state != PendingState::Expired {
            self.book(transfer, &[], &[], &legs);
        }
        let resolved = (state == PendingState::Expired).then_some(PendingState::Expired);
        // Legs are kept only while they can still be released.
        let legs = if resolved.is_some() { Vec::new() } else { legs };
        self.pending.insert(transfer.id, Pending { amount: transfer.amount, legs, state, resolved });
    }

    fn resolve(&mut self, transfer: &Transfer) {
        let (by, id) = (transfer.id, transfer.pending);
        let posts = transfer.flags.has(TransferFlags::POST);
        let became = if posts { PendingState::Posted } else { PendingState::Voided };
        let posted: Vec<Leg> = if posts { transfer.each_leg().collect() } else { Vec::new() };
        let mut released = Vec::new();
        match self.pending.get_mut(&id) {
            None => self.report(Finding::ReferenceMissing { transfer: by, pending: id }),
            Some(pending) if pending.resolved.is_some() => self.report(Finding::ResolvedTwice { pending: id, by }),
            Some(pending) => {
                pending.resolved = Some(became);
                released = std::mem::take(&mut pending.legs);
                let exceeds = posts && transfer.amount > pending.amount;
                if exceeds {
                    self.report(Finding::PostExceedsPending { pending: id, by });
                }
            }
        }
        self.book(transfer, &released, &posted, &[]);
    }

    /// Changes the sums of each account at once, for limits hold after a whole transfer.
    fn book(&mut self, transfer: &Transfer, released: &[Leg], posted: &[Leg], pending: &[Leg]) {
        let mut before: Vec<(u128, Balances)> = Vec::with_capacity(2);
        let mut noted = FxHashSet::default();
        let all = released.iter().map(|leg| (leg, 0)).chain(posted.iter().map(|leg| (leg, 1))).chain(pending.iter().map(|leg| (leg, 2)));
        let mut differing = Vec::new();
        for (leg, what) in all {
            let seen = self.accounts.entry(leg.account).or_insert_with(|| Seen { ledger: transfer.ledger, ..Seen::default() });
            if noted.insert(leg.account) {
                before.push((leg.account, seen.sums));
                differing.extend((seen.ledger != transfer.ledger).then_some(leg.account));
            }
            let sum = match (leg.side, what) {
                (Side::Debit, 1) => &mut seen.sums.debits_posted,
                (Side::Credit, 1) => &mut seen.sums.credits_posted,
                (Side::Debit, _) => &mut seen.sums.debits_pending,
                (Side::Credit, _) => &mut seen.sums.credits_pending,
            };
            *sum = if what == 0 { sum.saturating_sub(leg.amount) } else { sum.saturating_add(leg.amount) };
        }
        for (account, before) in before {
            if let Some(seen) = self.accounts.get_mut(&account) {
                let after = seen.sums;
                seen.marks.note(&before, &after);
            }
        }
        for account in differing {
            self.report(Finding::LedgerDiffers { account, transfer: transfer.id });
        }
    }

    /// Ids of which something was reversed, in order: give each with its amount to [`Audit::reversed`].
    pub fn reversed_originals(&self) -> Vec<u128> {
        let mut ids: Vec<u128> = self.reversed.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Compares what was reversed of a transfer, after all transfers: `recorded` is what the books say.
    pub fn reversed(&mut self, original: &Transfer, recorded: u128) {
        let computed = self.reversed.get(&original.id).copied().unwrap_or(0);
        if computed != recorded || computed > original.amount || (computed > 0 && !original.is_posted()) {
            self.report(Finding::ReversalDiffers { original: original.id, amount: original.amount, recorded, computed });
        }
    }

    /// An account, in any order, after all transfers.
    pub fn account(&mut self, account: &Account) {
        if self.given.insert(account.id, account.ledger).is_some() {
            self.report(Finding::AccountTwice { account: account.id });
        }
        let seen = self.accounts.get(&account.id).copied().unwrap_or(Seen { ledger: account.ledger, ..Seen::default() });
        let recorded = account.balances();
        if recorded != seen.sums {
            self.report(Finding::BalanceDiffers { account: account.id, recorded, computed: seen.sums });
        }
        if seen.ledger != account.ledger {
            self.report(Finding::LedgerDiffers { account: account.id, transfer: 0 });
        }
        for code in violated(account, &seen.marks) {
            self.report(Finding::LimitViolated { account: account.id, code });
        }
        let (posted, pending) = self.ledgers.entry(account.ledger).or_default();
        *posted = posted.wrapping_add(recorded.debits_posted).wrapping_sub(recorded.credits_posted);
        *pending = pending.wrapping_add(recorded.debits_pending).wrapping_sub(recorded.credits_pending);
        if account.parent != 0 {
            self.parents.push((account.id, account.parent, account.ledger));
        }
    }

    /// All findings: first those of the transfers and accounts as they came, then those of the whole.
    pub fn finish(mut self) -> Vec<Finding> {
        let mut missing: Vec<u128> = self.accounts.keys().filter(|id| !self.given.contains_key(id)).copied().collect();
        missing.sort_unstable();
        missing.into_iter().for_each(|account| self.report(Finding::AccountMissing { account }));
        for (account, parent, ledger) in std::mem::take(&mut self.parents) {
            if self.given.get(&parent) != Some(&ledger) {
                self.report(Finding::ParentMissing { account, parent });
            }
        }
        let is_wrong = |pending: &Pending| pending.resolved.unwrap_or(PendingState::Pending) != pending.state;
        let wrong = self.pending.iter().filter(|(_, pending)| is_wrong(pending));
        let mut wrong: Vec<(u128, PendingState)> = wrong.map(|(id, pending)| (*id, pending.state)).collect();
        wrong.sort_unstable_by_key(|(id, _)| *id);
        wrong.into_iter().for_each(|(pending, state)| self.report(Finding::ResolutionDiffers { pending, state }));
        let mut ledgers: Vec<(u32, (u128, u128))> = self.ledgers.drain().filter(|(_, sums)| *sums != (0, 0)).collect();
        ledgers.sort_unstable_by_key(|(ledger, _)| *ledger);
        for (ledger, (posted, pending)) in ledgers {
            self.report(Finding::LedgerUnbalanced { ledger, posted: posted.cast_signed(), pending: pending.cast_signed() });
        }
        if self.more > 0 {
            self.findings.push(Finding::More { count: self.more });
        }
        self.findings
    }
}

/// The codes that should have refused a transfer of this account.
fn violated(account: &Account, marks: &Marks) -> Vec<Code> {
    let is_below = |mark: Option<i128>, minimum: i128| mark.is_some_and(|mark| mark < minimum);
    let is_above = |mark: Option<i128>, maximum: i128| mark.is_some_and(|mark| mark > maximum);
    let on_posted = account.bounds.on == crate::model::Balance::Posted;
    let low = if on_posted { marks.posted_low } else { marks.available_low };
    let high = if on_posted { marks.posted_high } else { marks.available_high };
    let mut codes = Vec::new();
    if account.flags.has(AccountFlags::DEBITS_WITHIN_CREDITS) && is_below(marks.available_low, 0) {
        codes.push(Code::ExceedsCredits);
    }
    if account.flags.has(AccountFlags::CREDITS_WITHIN_DEBITS) && is_above(marks.available_high, 0) {
        codes.push(Code::ExceedsDebits);
    }
    if account.bounds.minimum.is_some_and(|minimum| is_below(low, minimum)) {
        codes.push(Code::BelowMinimum);
    }
    if account.bounds.maximum.is_some_and(|maximum| is_above(high, maximum)) {
        codes.push(Code::AboveMaximum);
    }
    codes
}
