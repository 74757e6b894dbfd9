//! The ledger's books as an outsider reads them, and double entry written a second time: all that is recorded, replayed in the order of
//! its timestamps, must lead to every balance, entry and state that the tables show, and must never pass a limit on the way.
//!
//! Nothing of the crate `ledger` is used here.

use std::collections::{BTreeMap, BTreeSet};

/// Bits of a transfer's flags.
pub mod does {
    pub const LINKED: u16 = 1;
    pub const PENDING: u16 = 2;
    pub const POST: u16 = 4;
    pub const VOID: u16 = 8;
    pub const BALANCING_DEBIT: u16 = 16;
    pub const BALANCING_CREDIT: u16 = 32;
    pub const CLOSING_DEBIT: u16 = 64;
    pub const CLOSING_CREDIT: u16 = 128;
    pub const REVERSE: u16 = 512;
    pub const REFERS: u16 = POST | VOID | REVERSE;
}

/// Bits of an account's flags.
pub mod keeps {
    pub const DEBITS_WITHIN_CREDITS: u16 = 2;
    pub const CREDITS_WITHIN_DEBITS: u16 = 4;
    pub const HISTORY: u16 = 8;
    pub const CLOSED: u16 = 32;
}

const SECOND_NS: u64 = 1_000_000_000;

/// Debits pending and posted, credits pending and posted.
pub type Sums = [i128; 4];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    pub account: u128,
    pub is_credit: bool,
    pub amount: i128,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    pub id: u128,
    pub ledger: u32,
    pub code: u16,
    pub flags: u16,
    pub timestamp: u64,
    pub debit: u128,
    pub credit: u128,
    pub amount: i128,
    pub refers_to: u128,
    pub timeout: u32,
    pub effective: u64,
    pub legs: Vec<Leg>,
}

impl Transfer {
    pub fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub fn each_leg(&self) -> Vec<Leg> {
        if !self.legs.is_empty() {
            return self.legs.clone();
        }
        let leg = |account, is_credit| Leg { account, is_credit, amount: self.amount };
        vec![leg(self.debit, false), leg(self.credit, true)]
    }

    pub fn effective_at(&self) -> u64 {
        if self.effective == 0 { self.timestamp } else { self.effective }
    }

    fn expires(&self) -> Option<u64> {
        (self.timeout > 0).then(|| self.timestamp + u64::from(self.timeout) * SECOND_NS)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub id: u128,
    pub ledger: u32,
    pub code: u16,
    pub flags: u16,
    pub timestamp: u64,
    /// Timestamp of the last entry.
    pub changed: u64,
    pub sums: Sums,
    pub parent: u128,
    pub minimum: Option<i128>,
    pub maximum: Option<i128>,
    /// The bounds are on the available balance, not on the posted one.
    pub on_available: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Posted,
    Pending,
    Released,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub account: u128,
    pub timestamp: u64,
    pub number: u32,
    pub transfer: u128,
    pub kind: Kind,
    pub is_credit: bool,
    pub amount: i128,
    pub balances: Option<Sums>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Pending,
    Posted,
    Voided,
    Expired,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub fate: Option<Fate>,
    pub expires: Option<u64>,
    pub reversed: i128,
}

/// All tables of the ledger at one snapshot.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Each with the time through which it is closed.
    pub ledgers: BTreeMap<u32, u64>,
    pub accounts: BTreeMap<u128, Account>,
    pub transfers: BTreeMap<u128, Transfer>,
    pub entries: Vec<Entry>,
    pub states: BTreeMap<u128, State>,
    pub expiries: BTreeSet<(u64, u128)>,
    /// Each with the timestamp of its refusal.
    pub refused: BTreeMap<u128, u64>,
    /// Rows whose key was there already.
    pub twice: Vec<String>,
}

/// What a replay found.
#[derive(Debug, Default)]
pub struct Replayed {
    pub wrong: Vec<String>,
    /// What each balancing transfer could have moved at most.
    pub rooms: BTreeMap<u128, i128>,
}

enum Fact<'t> {
    Opened(&'t Account),
    Made(&'t Transfer),
    Expired(&'t Transfer),
}

#[derive(Default)]
struct Replay<'t> {
    open: BTreeMap<u128, &'t Account>,
    sums: BTreeMap<u128, Sums>,
    changed: BTreeMap<u128, u64>,
    closed: BTreeSet<u128>,
    pending: BTreeMap<u128, (&'t Transfer, Fate)>,
    made: BTreeMap<u128, &'t Transfer>,
    reversed: BTreeMap<u128, i128>,
    entries: Vec<Entry>,
    found: Replayed,
}

/// Replays everything that the tables record.
pub fn replay(tables: &Tables) -> Replayed {
    let mut facts: Vec<(u64, Fact)> = tables.accounts.values().map(|account| (account.timestamp, Fact::Opened(account))).collect();
    facts.extend(tables.transfers.values().map(|transfer| (transfer.timestamp, Fact::Made(transfer))));
    let mut expired = BTreeSet::new();
    for entry in tables.entries.iter().filter(|entry| entry.kind == Kind::Released) {
        let itself = tables.transfers.get(&entry.transfer).filter(|transfer| transfer.is(does::PENDING));
        if let Some(transfer) = itself.filter(|_| expired.insert((entry.transfer, entry.timestamp))) {
            facts.push((entry.timestamp, Fact::Expired(transfer)));
        }
    }
    facts.sort_by_key(|(timestamp, _)| *timestamp);
    let mut replay = Replay::default();
    replay.found.wrong.extend(tables.twice.iter().cloned());
    for pair in facts.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        replay.wrong(format!("timestamp {} was given twice", pair[0].0));
    }
    for (timestamp, fact) in facts {
        match fact {
            Fact::Opened(account) => replay.open(account),
            Fact::Made(transfer) => replay.make(transfer),
            Fact::Expired(transfer) => replay.expire(transfer, timestamp),
        }
    }
    replay.compare(tables);
    replay.found
}

impl<'t> Replay<'t> {
    fn wrong(&mut self, text: String) {
        self.found.wrong.push(text);
    }

    fn open(&mut self, account: &'t Account) {
        let parent = self.open.get(&account.parent).map(|parent| parent.ledger);
        if account.parent != 0 && parent != Some(account.ledger) {
            self.wrong(format!("account {:x} was opened under {:x}, which was not there", account.id, account.parent));
        }
        self.open.insert(account.id, account);
        self.changed.insert(account.id, account.timestamp);
    }

    fn make(&mut self, transfer: &'t Transfer) {
        let told = match transfer.flags & does::REFERS {
            0 => self.move_new(transfer),
            does::POST | does::VOID => self.resolve(transfer),
            does::REVERSE => self.reverse(transfer),
            _ => Err("has flags that exclude each other".to_string()),
        };
        self.made.insert(transfer.id, transfer);
        if let Err(text) = told {
            self.wrong(format!("transfer {:x} at {} {text}", transfer.id, transfer.timestamp));
        }
    }

    fn move_new(&mut self, transfer: &'t Transfer) -> Result<(), String> {
        self.check_accounts(transfer)?;
        let balancing = [(does::BALANCING_DEBIT, transfer.debit, false), (does::BALANCING_CREDIT, transfer.credit, true)];
        let rooms = balancing.iter().filter(|(flag, ..)| transfer.is(*flag)).map(|(_, account, is_credit)| self.room(*account, *is_credit));
        if let Some(room) = rooms.min() {
            self.found.rooms.insert(transfer.id, room);
        }
        let kind = if transfer.is(does::PENDING) { Kind::Pending } else { Kind::Posted };
        let changes: Vec<(Leg, Kind)> = transfer.each_leg().into_iter().map(|leg| (leg, kind)).collect();
        let limits = self.check_limits(&changes);
        self.book(transfer.id, transfer.timestamp, &changes);
        if kind == Kind::Pending {
            self.pending.insert(transfer.id, (transfer, Fate::Pending));
            self.closed.extend(closes(transfer));
        }
        limits
    }

    /// Both sides are equal, all accounts are open and of the transfer's ledger.
    fn check_accounts(&self, transfer: &Transfer) -> Result<(), String> {
        let legs = transfer.each_leg();
        let side = |is_credit: bool| legs.iter().filter(|leg| leg.is_credit == is_credit).map(|leg| leg.amount).sum::<i128>();
        if side(false) != side(true) || side(true) != transfer.amount || transfer.amount < 0 {
            return Err(format!("debits {}, credits {} and says {}", side(false), side(true), transfer.amount));
        }
        for leg in &legs {
            match self.open.get(&leg.account) {
                None => return Err(format!("moves account {:x}, which was not open", leg.account)),
                Some(account) if account.ledger != transfer.ledger => {
                    return Err(format!("moves account {:x} of another ledger", leg.account));
                }
                Some(_) if self.closed.contains(&leg.account) => return Err(format!("moves account {:x}, which was closed", leg.account)),
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn resolve(&mut self, transfer: &'t Transfer) -> Result<(), String> {
        let Some((pending, fate)) = self.pending.get(&transfer.refers_to).copied() else {
            return Err(format!("resolves {:x}, which was not pending", transfer.refers_to));
        };
        let id = pending.id;
        if fate != Fate::Pending {
            return Err(format!("resolves {id:x}, which was {fate:?} before"));
        }
        if pending.expires().is_some_and(|expires| expires <= transfer.timestamp) {
            return Err(format!("resolves {id:x} after it had expired"));
        }
        let same = (transfer.debit, transfer.credit, transfer.ledger, transfer.code, &transfer.legs)
            == (pending.debit, pending.credit, pending.ledger, pending.code, &pending.legs);
        let posts = transfer.is(does::POST);
        let in_part = posts && pending.legs.is_empty();
        if !same || transfer.amount > pending.amount || (!in_part && transfer.amount != pending.amount) {
            return Err(format!("is not what it resolves: {transfer:?} {pending:?}"));
        }
        let mut changes = Vec::new();
        for (reserved, posted) in pending.each_leg().into_iter().zip(transfer.each_leg()) {
            changes.push((reserved, Kind::Released));
            changes.extend(posts.then_some((posted, Kind::Posted)));
        }
        let mut told = if posts { self.check_accounts(transfer) } else { Ok(()) };
        if posts && told.is_ok() {
            told = self.check_limits(&changes);
        }
        self.book(transfer.id, transfer.timestamp, &changes);
        self.settle(pending, if posts { Fate::Posted } else { Fate::Voided });
        told
    }

    fn settle(&mut self, pending: &'t Transfer, fate: Fate) {
        self.pending.insert(pending.id, (pending, fate));
        for account in closes(pending) {
            self.closed.remove(&account);
        }
    }

    fn reverse(&mut self, transfer: &'t Transfer) -> Result<(), String> {
        let original = self.made.get(&transfer.refers_to).copied();
        let Some(original) = original.filter(|original| !original.is(does::PENDING | does::VOID)) else {
            return Err(format!("reverses {:x}, which was not posted", transfer.refers_to));
        };
        let turned: Vec<Leg> = original.legs.iter().map(|leg| Leg { is_credit: !leg.is_credit, ..*leg }).collect();
        if (transfer.debit, transfer.credit, transfer.ledger, &transfer.legs) != (original.credit, original.debit, original.ledger, &turned)
        {
            return Err(format!("is not its original turned: {transfer:?} {original:?}"));
        }
        let reversed = self.reversed.entry(original.id).or_default();
        *reversed += transfer.amount;
        if *reversed > original.amount {
            return Err(format!("makes {} reversed of {:x}, which moved {}", *reversed, original.id, original.amount));
        }
        self.move_new(transfer)
    }

    fn expire(&mut self, pending: &'t Transfer, timestamp: u64) {
        let fate = self.pending.get(&pending.id).map(|(_, fate)| *fate);
        if fate != Some(Fate::Pending) {
            self.wrong(format!("transfer {:x} was released at {timestamp} as expired, but was {fate:?}", pending.id));
        }
        if pending.expires().is_none_or(|expires| expires > timestamp) {
            self.wrong(format!("transfer {:x} expired at {timestamp}, before its time: {pending:?}", pending.id));
        }
        let changes: Vec<(Leg, Kind)> = pending.each_leg().into_iter().map(|leg| (leg, Kind::Released)).collect();
        self.book(pending.id, timestamp, &changes);
        self.settle(pending, Fate::Expired);
    }

    fn sums_of(&self, account: u128) -> Sums {
        self.sums.get(&account).copied().unwrap_or_default()
    }

    /// What a balancing transfer may move: up to the nearest limit, or to 0 where no bound is.
    fn room(&self, account: u128, is_credit: bool) -> i128 {
        let Some(limits) = self.open.get(&account) else { return 0 };
        let sums = self.sums_of(account);
        let (flag, bound) = match is_credit {
            false => (keeps::DEBITS_WITHIN_CREDITS, limits.minimum),
            true => (keeps::CREDITS_WITHIN_DEBITS, limits.maximum),
        };
        let left = |on_available: bool, bound: i128| match is_credit {
            false => low(&sums, on_available) - bound,
            true => bound - high(&sums, on_available),
        };
        let bounded = bound.map(|bound| left(limits.on_available, bound));
        let to_zero = (bound.is_none() || limits.flags & flag != 0).then(|| left(true, 0));
        bounded.into_iter().chain(to_zero).min().unwrap_or(0).max(0)
    }

    /// No account is brought beyond a limit, or further beyond one.
    fn check_limits(&self, changes: &[(Leg, Kind)]) -> Result<(), String> {
        let accounts: BTreeSet<u128> = changes.iter().map(|(leg, _)| leg.account).collect();
        for id in accounts {
            let before = self.sums_of(id);
            let mut after = before;
            changes.iter().filter(|(leg, _)| leg.account == id).for_each(|(leg, kind)| change(&mut after, leg, *kind));
            let Some(account) = self.open.get(&id) else { continue };
            let mut lower = vec![(account.on_available, account.minimum)];
            lower.push((true, (account.flags & keeps::DEBITS_WITHIN_CREDITS != 0).then_some(0)));
            let mut upper = vec![(account.on_available, account.maximum)];
            upper.push((true, (account.flags & keeps::CREDITS_WITHIN_DEBITS != 0).then_some(0)));
            let sinks =
                |(on, limit): (bool, Option<i128>)| limit.is_some_and(|m| low(&after, on) < m && low(&after, on) < low(&before, on));
            let rises =
                |(on, limit): (bool, Option<i128>)| limit.is_some_and(|m| high(&after, on) > m && high(&after, on) > high(&before, on));
            if lower.into_iter().any(sinks) || upper.into_iter().any(rises) {
                return Err(format!("brings {account:?} from {before:?} to {after:?}"));
            }
        }
        Ok(())
    }

    fn book(&mut self, transfer: u128, timestamp: u64, changes: &[(Leg, Kind)]) {
        let mut numbers: BTreeMap<u128, u32> = BTreeMap::new();
        for (leg, kind) in changes {
            let sums = self.sums.entry(leg.account).or_default();
            change(sums, leg, *kind);
            let has_history = self.open.get(&leg.account).is_some_and(|account| account.flags & keeps::HISTORY != 0);
            let balances = has_history.then_some(*sums);
            let number = numbers.entry(leg.account).or_default();
            self.entries.push(Entry {
                account: leg.account,
                timestamp,
                number: *number,
                transfer,
                kind: *kind,
                is_credit: leg.is_credit,
                amount: leg.amount,
                balances,
            });
            *number += 1;
            self.changed.insert(leg.account, timestamp);
        }
    }

    fn compare(&mut self, tables: &Tables) {
        let mut entries = tables.entries.clone();
        entries.sort();
        self.entries.sort();
        if entries != self.entries {
            let recorded: BTreeSet<&Entry> = entries.iter().collect();
            let expected: BTreeSet<&Entry> = self.entries.iter().collect();
            let unexplained: Vec<_> = recorded.difference(&expected).take(3).collect();
            let missing: Vec<_> = expected.difference(&recorded).take(3).collect();
            let text = format!("entries that no transfer explains: {unexplained:?}; entries that are missing: {missing:?}");
            self.wrong(text);
        }
        for (id, account) in &tables.accounts {
            let expected = (self.sums_of(*id), self.changed[id], self.closed.contains(id));
            let recorded = (account.sums, account.changed, account.flags & keeps::CLOSED != 0);
            if expected != recorded {
                self.wrong(format!("account {id:x} says (sums, changed, closed) {recorded:?}, its transfers lead to {expected:?}"));
            }
        }
        self.compare_states(tables);
        for ledger in tables.ledgers.keys() {
            let mut all = Sums::default();
            let sums = tables.accounts.values().filter(|account| account.ledger == *ledger).map(|account| account.sums);
            sums.for_each(|sums| (0..4).for_each(|at| all[at] += sums[at]));
            if all[0] != all[2] || all[1] != all[3] {
                self.wrong(format!("ledger {ledger} has the sums {all:?}: debits are not credits"));
            }
        }
    }

    fn compare_states(&mut self, tables: &Tables) {
        let mut expected: BTreeMap<u128, State> = BTreeMap::new();
        for (id, (pending, fate)) in &self.pending {
            expected.insert(*id, State { fate: Some(*fate), expires: pending.expires(), reversed: 0 });
        }
        for (id, reversed) in &self.reversed {
            let state = expected.entry(*id).or_default();
            state.reversed = *reversed;
        }
        let ids: BTreeSet<u128> = expected.keys().chain(tables.states.keys()).copied().collect();
        for id in ids {
            let (recorded, expected) = (tables.states.get(&id), expected.get(&id));
            if recorded != expected {
                self.wrong(format!("the state of transfer {id:x} is {recorded:?}, and should be {expected:?}"));
            }
        }
        let waiting = self.pending.values().filter(|(_, fate)| *fate == Fate::Pending);
        let expiries: BTreeSet<(u64, u128)> = waiting.filter_map(|(pending, _)| Some((pending.expires()?, pending.id))).collect();
        if expiries != tables.expiries {
            self.wrong(format!("the list of what expires is {:x?}, and should be {expiries:x?}", tables.expiries));
        }
    }
}

fn change(sums: &mut Sums, leg: &Leg, kind: Kind) {
    let column = usize::from(kind == Kind::Posted) + 2 * usize::from(leg.is_credit);
    sums[column] += if kind == Kind::Released { -leg.amount } else { leg.amount };
}

fn low(sums: &Sums, on_available: bool) -> i128 {
    sums[3] - sums[1] - if on_available { sums[0] } else { 0 }
}

fn high(sums: &Sums, on_available: bool) -> i128 {
    sums[3] - sums[1] + if on_available { sums[2] } else { 0 }
}

fn closes(transfer: &Transfer) -> impl Iterator<Item = u128> + use<> {
    let debit = transfer.is(does::CLOSING_DEBIT).then_some(transfer.debit);
    debit.into_iter().chain(transfer.is(does::CLOSING_CREDIT).then_some(transfer.credit))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PENDING_AT: u64 = 20;

    /// Account 1 pays 10 to account 2, which reserves 4 of it for account 1 and posts 3.
    fn good() -> Tables {
        let mut tables = Tables { ledgers: BTreeMap::from([(1, 0)]), ..Tables::default() };
        let history = keeps::HISTORY | keeps::DEBITS_WITHIN_CREDITS;
        for (id, flags, changed, sums) in [(1, 0, 30, [0, 10, 0, 3]), (2, history, 30, [0, 3, 0, 10])] {
            let account = Account { id, ledger: 1, code: 1, flags, timestamp: id as u64, changed, sums, ..Account::default() };
            tables.accounts.insert(id, account);
        }
        let plain = Transfer { id: 10, ledger: 1, code: 1, debit: 1, credit: 2, amount: 10, timestamp: 10, ..Transfer::default() };
        let pending =
            Transfer { id: 11, debit: 2, credit: 1, amount: 4, flags: does::PENDING, timestamp: PENDING_AT, timeout: 1, ..plain.clone() };
        let post = Transfer { id: 12, flags: does::POST, amount: 3, refers_to: 11, timestamp: 30, timeout: 0, ..pending.clone() };
        let expires = Some(PENDING_AT + SECOND_NS);
        tables.states.insert(11, State { fate: Some(Fate::Posted), expires, reversed: 0 });
        for transfer in [plain, pending, post] {
            tables.transfers.insert(transfer.id, transfer);
        }
        let entry = |account, timestamp, number, transfer, kind, is_credit, amount, balances| Entry {
            account,
            timestamp,
            number,
            transfer,
            kind,
            is_credit,
            amount,
            balances,
        };
        tables.entries = vec![
            entry(1, 10, 0, 10, Kind::Posted, false, 10, None),
            entry(2, 10, 0, 10, Kind::Posted, true, 10, Some([0, 0, 0, 10])),
            entry(2, 20, 0, 11, Kind::Pending, false, 4, Some([4, 0, 0, 10])),
            entry(1, 20, 0, 11, Kind::Pending, true, 4, None),
            entry(2, 30, 0, 12, Kind::Released, false, 4, Some([0, 0, 0, 10])),
            entry(2, 30, 1, 12, Kind::Posted, false, 3, Some([0, 3, 0, 10])),
            entry(1, 30, 0, 12, Kind::Released, true, 4, None),
            entry(1, 30, 1, 12, Kind::Posted, true, 3, None),
        ];
        tables
    }

    fn wrong(change: impl FnOnce(&mut Tables)) -> String {
        let mut tables = good();
        change(&mut tables);
        replay(&tables).wrong.join("\n")
    }

    #[test]
    fn books_that_are_right_replay() {
        assert_eq!(wrong(|_| {}), "");
    }

    #[test]
    fn whatever_contradicts_the_transfers_is_found() {
        type Fault = dyn Fn(&mut Tables);
        let faults: [(&str, &Fault); 12] = [
            ("its transfers lead to", &|t| t.accounts.get_mut(&1).unwrap().sums[1] = 11),
            ("debits are not credits", &|t| t.accounts.get_mut(&1).unwrap().sums[1] = 11),
            ("entries that are missing", &|t| t.entries.truncate(7)),
            ("entries that no transfer explains", &|t| t.entries[1].balances = Some([0, 0, 0, 9])),
            ("the state of transfer b", &|t| t.states.get_mut(&11).unwrap().fate = Some(Fate::Voided)),
            ("the list of what expires", &|t| t.expiries.extend([(5, 11)])),
            ("was given twice", &|t| t.transfers.get_mut(&12).unwrap().timestamp = 20),
            ("after it had expired", &|t| t.transfers.get_mut(&12).unwrap().timestamp = PENDING_AT + SECOND_NS),
            ("brings Account", &|t| t.transfers.get_mut(&11).unwrap().amount = 11),
            ("which was not pending", &|t| t.transfers.get_mut(&12).unwrap().refers_to = 10),
            ("which was not open", &|t| t.transfers.get_mut(&10).unwrap().debit = 7),
            ("makes 11 reversed", &|t| {
                let reversal =
                    Transfer { id: 13, flags: does::REVERSE, debit: 2, credit: 1, amount: 11, refers_to: 10, ..t.transfers[&10].clone() };
                t.transfers.insert(13, Transfer { timestamp: 40, ..reversal });
            }),
        ];
        for (expected, fault) in faults {
            let found = wrong(fault);
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }

    #[test]
    fn an_amount_that_is_released_twice_is_found() {
        let found = wrong(|tables| {
            let entry = Entry { transfer: 11, timestamp: PENDING_AT + SECOND_NS, ..tables.entries[4].clone() };
            tables.entries.push(entry);
        });
        assert!(found.contains("released at 1000000020 as expired, but was Some(Posted)"), "{found}");
    }
}
