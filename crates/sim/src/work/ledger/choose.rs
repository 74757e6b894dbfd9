//! Which accounts there are, and which transfers clients come up with.

use crate::check::books::{Account, Leg, Transfer, does, keeps};
use crate::check::told::ALL;
use crate::client::Client;
use crate::clock::EPOCH_MICROS;
use crate::queue::SECOND;
use std::collections::VecDeque;

pub const LEDGER: u32 = 1;
pub const OTHER_LEDGER: u32 = 2;
/// Ids of accounts begin here.
const BASE: u128 = 0xacc0 << 64;
/// Without limits, and never closed.
pub const HOT: [u128; 4] = [BASE, BASE + 1, BASE + 2, BASE + 3];
const LIMITED: std::ops::Range<u128> = BASE + 4..BASE + 12;
/// Two accounts that deal with each other only: what one has the other owes.
pub const PAIR: [u128; 2] = [BASE + 12, BASE + 13];
const MANY: std::ops::Range<u128> = BASE + 16..BASE + 40;
const OTHERS: std::ops::Range<u128> = BASE + 64..BASE + 68;
const NOBODY: u128 = BASE + 0xffff;

/// How many of the newest transfers are referred to.
const REMEMBERED: usize = 40;
/// Effective times lie at most so far back.
const BACK: u64 = 20 * SECOND;
const MICRO_NS: u64 = 1_000;

/// The accounts that are there from the start.
pub fn accounts() -> Vec<Account> {
    let plain = |id: u128, ledger| Account { id, ledger, code: 10, ..Account::default() };
    let mut all: Vec<Account> = HOT.iter().map(|id| plain(*id, LEDGER)).collect();
    all[1].flags = keeps::HISTORY;
    for (n, id) in LIMITED.enumerate() {
        let mut account = plain(id, LEDGER);
        match n {
            0..=3 => account.flags = keeps::DEBITS_WITHIN_CREDITS | [keeps::HISTORY, 0][n % 2],
            4 => account.flags = keeps::CREDITS_WITHIN_DEBITS | keeps::HISTORY,
            5 => account.flags = keeps::CREDITS_WITHIN_DEBITS,
            6 => (account.minimum, account.maximum) = (Some(-50), Some(500)),
            _ => (account.minimum, account.maximum, account.on_available, account.flags) = (Some(0), Some(300), true, keeps::HISTORY),
        }
        all.push(account);
    }
    all.extend(PAIR.iter().map(|id| Account { flags: keeps::HISTORY, ..plain(*id, LEDGER) }));
    all.extend(MANY.map(|id| Account { parent: HOT[0], ..plain(id, LEDGER) }));
    all.extend(OTHERS.map(|id| plain(id, OTHER_LEDGER)));
    all
}

/// What clients know to be there.
#[derive(Default)]
pub struct Known {
    /// Opened during the run.
    pub opened: Vec<u128>,
    pending: VecDeque<Transfer>,
    posted: VecDeque<Transfer>,
}

impl Known {
    /// Remembers what was booked, as something to be posted, voided or reversed.
    pub fn booked(&mut self, wanted: &Transfer) {
        if wanted.is(does::REFERS | does::BALANCING_DEBIT | does::BALANCING_CREDIT) {
            return;
        }
        let list = if wanted.is(does::PENDING) { &mut self.pending } else { &mut self.posted };
        list.push_back(wanted.clone());
        if list.len() > REMEMBERED {
            list.pop_front();
        }
    }
}

fn one<'l>(list: &'l VecDeque<Transfer>, client: &Client) -> Option<&'l Transfer> {
    list.get(client.below(list.len().max(1) as u64) as usize)
}

fn of(range: std::ops::Range<u128>, client: &Client) -> u128 {
    range.start + u128::from(client.below((range.end - range.start) as u64))
}

fn account(known: &Known, client: &Client) -> u128 {
    match client.below(8) {
        0..=2 => HOT[client.below(HOT.len() as u64) as usize],
        3 | 4 => of(LIMITED, client),
        5 if !known.opened.is_empty() => known.opened[client.below(known.opened.len() as u64) as usize],
        _ => of(MANY, client),
    }
}

/// A movement of no special kind; only the rules say whether it may be.
fn plain(id: u128, known: &Known, client: &Client) -> Transfer {
    let (debit, credit, ledger) = match client.below(12) {
        0 => (PAIR[0], PAIR[1], LEDGER),
        1 => (PAIR[1], PAIR[0], LEDGER),
        2 => (of(OTHERS, client), of(OTHERS, client), OTHER_LEDGER),
        _ => (account(known, client), account(known, client), LEDGER),
    };
    let credit = match credit {
        same if same == debit && ledger == OTHER_LEDGER => OTHERS.start + u128::from(debit == OTHERS.start),
        same if same == debit => HOT[usize::from(debit == HOT[0])],
        other => other,
    };
    let code = client.between(1, 9) as u16;
    Transfer { id, ledger, code, debit, credit, amount: i128::from(client.between(1, 60)), ..Transfer::default() }
}

/// A transfer of any kind between two accounts. `packed`: in a batch, where amounts may mean all that there is.
pub fn any(id: u128, known: &Known, client: &Client, packed: bool) -> Transfer {
    let made = plain(id, known, client);
    match client.below(20) {
        0..=2 => Transfer { flags: does::PENDING, timeout: client.below(5) as u32, ..made },
        3 | 4 => one(&known.pending, client).map_or(made, |pending| post(id, pending, client, packed)),
        5 => match one(&known.pending, client) {
            Some(pending) => Transfer { id, flags: does::VOID, refers_to: pending.id, ..Transfer::default() },
            None => made,
        },
        6 => one(&known.posted, client).map_or(made, |original| reverse(id, original, client, packed)),
        7 => Transfer { flags: does::BALANCING_DEBIT, ..made },
        8 => Transfer { flags: does::BALANCING_CREDIT | (does::PENDING * client.below(2) as u16), ..made },
        // A packed record has no place for it.
        9 if !packed => Transfer { effective: back(client) * MICRO_NS, ..made },
        10 if client.one_in(3) => closing(made, client),
        _ => made,
    }
}

fn post(id: u128, pending: &Transfer, client: &Client, packed: bool) -> Transfer {
    let amount = match client.below(4) {
        0 if packed => ALL,
        1 if pending.legs.is_empty() && pending.amount > 0 => i128::from(client.between(1, pending.amount as u64)),
        _ => pending.amount,
    };
    Transfer { id, flags: does::POST, refers_to: pending.id, amount, ..Transfer::default() }
}

fn reverse(id: u128, original: &Transfer, client: &Client, packed: bool) -> Transfer {
    let amount = match client.below(4) {
        0 if packed => ALL,
        1 if original.legs.is_empty() && original.amount > 0 => i128::from(client.between(1, original.amount as u64)),
        _ => original.amount,
    };
    Transfer { id, flags: does::REVERSE, refers_to: original.id, amount, ..Transfer::default() }
}

/// Closes one of the many accounts until it is voided or expires; a post of it is refused.
fn closing(made: Transfer, client: &Client) -> Transfer {
    let flags = does::PENDING | does::CLOSING_DEBIT;
    Transfer { flags, timeout: client.between(1, 2) as u32, debit: of(MANY, client), credit: HOT[0], ledger: LEDGER, ..made }
}

/// A time of the last seconds, in microseconds since 1970.
pub fn back(client: &Client) -> u64 {
    EPOCH_MICROS + client.now().saturating_sub(client.below(BACK))
}

/// What the rules refuse whatever the books say.
pub fn hopeless(id: u128, known: &Known, client: &Client) -> Transfer {
    let made = plain(id, known, client);
    match client.below(5) {
        0 => Transfer { credit: made.debit, ..made },
        1 => Transfer { credit: NOBODY, ..made },
        2 => Transfer { credit: OTHERS.start, debit: HOT[0], ledger: LEDGER, ..made },
        3 => Transfer { flags: does::PENDING | does::VOID, ..made },
        _ => Transfer { timeout: 5, ..made },
    }
}

/// A posting of many legs; some pending.
pub fn posting(id: u128, known: &Known, client: &Client) -> Transfer {
    let count = client.between(1, 5);
    let mut legs: Vec<Leg> =
        (0..count).map(|_| Leg { account: account(known, client), is_credit: false, amount: i128::from(client.between(1, 30)) }).collect();
    let amount: i128 = legs.iter().map(|leg| leg.amount).sum();
    let first = i128::from(client.between(1, amount as u64));
    let parts = [first, amount - first];
    legs.extend(parts.iter().filter(|part| **part > 0).map(|part| Leg { account: account(known, client), is_credit: true, amount: *part }));
    let (flags, timeout) = if client.one_in(4) { (does::PENDING, client.below(4) as u32) } else { (0, 0) };
    let amount = if client.one_in(40) { amount + 1 } else { amount };
    Transfer { id, ledger: LEDGER, code: 3, amount, flags, timeout, legs, ..Transfer::default() }
}
