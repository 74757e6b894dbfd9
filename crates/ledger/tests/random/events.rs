//! Random events that meet each other: few ids, few accounts, small amounts, all flags.

use crate::model::Model;
use base::Prng;
use ledger::{AMOUNT_MAX, Account, AccountFlags as A, Balance, Bounds, Leg, Side, Transfer, TransferFlags as F};

const SECOND: u64 = 1_000_000_000;
const ACCOUNTS: u64 = 10;

/// What was sent, and what ids were used.
pub struct Events {
    accounts: Vec<Account>,
    sent: Vec<Transfer>,
    next_id: u128,
    last_batch: String,
    /// What the last post, void or reversal referred to.
    last_pending: u128,
    wild: bool,
}

impl Events {
    pub fn new(prng: &mut Prng) -> Events {
        let accounts = (1..=ACCOUNTS).map(|id| planned(prng, u128::from(id))).collect();
        Events { accounts, sent: Vec::new(), next_id: 1, last_batch: String::new(), last_pending: 1, wild: prng.one_in(3) }
    }

    pub fn last_batch(&self) -> &str {
        &self.last_batch
    }

    /// An id that was used, or nearly.
    pub fn known_id(&self, prng: &mut Prng) -> u128 {
        let back = u128::from(prng.below(12)).min(prng.next_u64().into());
        (self.next_id + 1).saturating_sub(back).max(1)
    }

    pub fn accounts(&mut self, prng: &mut Prng, now: u64, model: &Model) -> Vec<Account> {
        let is_first = model.facts.is_empty();
        let imports = !is_first && prng.one_in(4);
        let count = if is_first { ACCOUNTS } else { prng.between(1, 5) };
        let last = model.accounts().map(|account| account.timestamp).max().unwrap_or(0);
        let mut batch = Vec::new();
        for index in 0..count {
            let mut account = match is_first {
                true => self.accounts[index as usize].clone(),
                false => self.other_account(prng),
            };
            if !is_first {
                account.flags = account.flags.with(A(u16::from(prng.one_in(5))));
            }
            if imports && !prng.one_in(8) {
                account.flags = account.flags.with(A::IMPORTED);
                account.timestamp = past(prng, last + index, now);
            }
            batch.push(account);
        }
        self.last_batch = format!("{batch:?}");
        batch
    }

    /// An account that is there already, or a new one, or nonsense.
    fn other_account(&mut self, prng: &mut Prng) -> Account {
        let mut account = prng.pick(&self.accounts).clone();
        match prng.below(16) {
            0 => account.flags = A(prng.below(64) as u16),
            1 => account.ledger = prng.below(4) as u32,
            2 => account.code = prng.below(3) as u16,
            3 => account.parent = u128::from(prng.below(ACCOUNTS + 4)),
            4 => account.bounds = bounds(prng),
            5 => account.user_data_64 = 7,
            6 => account.timestamp = 5,
            7..=13 => {
                let id = u128::from(prng.between(1, ACCOUNTS + 20));
                account = planned(prng, id);
                account.ledger = if prng.one_in(12) { prng.below(4) as u32 } else { account.ledger };
                account.parent = if prng.one_in(2) { u128::from(prng.below(ACCOUNTS + 20)) } else { 0 };
            }
            _ => (),
        }
        account
    }

    pub fn transfers(&mut self, prng: &mut Prng, now: u64, model: &Model) -> Vec<Transfer> {
        let imports = prng.one_in(12);
        let mut last = model.last_made();
        let mut batch = Vec::new();
        let is_chain = prng.one_in(6);
        let repeats = is_chain && prng.one_in(3);
        let count = prng.between(1, 6);
        for index in 1..=count {
            let again = prng.one_in(9) && !repeats && !self.sent.is_empty();
            let mut transfer = if again { self.again(prng) } else { self.fresh(prng, now) };
            if repeats && index > 1 && !prng.one_in(6) {
                // Part after part of the same original.
                let amount = 1 + u128::from(prng.below(4));
                transfer = Transfer { id: transfer.id, flags: F::REVERSE, pending: self.last_pending, amount, ..Transfer::default() };
            }
            if !again && prng.one_in(25) {
                transfer.effective = *prng.pick(&model.ledgers.values().copied().collect::<Vec<u64>>()) + prng.below(2);
            }
            let is_linked = if is_chain { index < count } else { prng.one_in(12) };
            transfer.flags = transfer.flags.without(F::LINKED).with(F(u16::from(is_linked)));
            if imports && !prng.one_in(8) {
                transfer.flags = transfer.flags.with(F::IMPORTED);
                transfer.timeout = if prng.one_in(20) { transfer.timeout } else { 0 };
                let is_kept = again && transfer.timestamp > 0;
                transfer.timestamp = if is_kept { transfer.timestamp + prng.below(2) } else { past(prng, last, now) };
                last = last.max(transfer.timestamp);
            }
            self.sent.push(transfer.clone());
            batch.push(transfer);
        }
        self.last_batch = format!("{batch:?}");
        batch
    }

    /// Something that was sent before, sometimes with one field changed.
    fn again(&mut self, prng: &mut Prng) -> Transfer {
        let recent = self.sent.len().saturating_sub(20);
        let mut transfer = self.sent[recent + prng.below((self.sent.len() - recent) as u64) as usize].clone();
        match prng.below(22) {
            0 => transfer.amount = amount(prng),
            1 => transfer.debit_account = account(prng),
            2 => transfer.credit_account = account(prng),
            3 => transfer.pending = self.known_id(prng),
            4 => transfer.timeout = prng.below(3) as u32,
            5 => transfer.ledger = prng.below(3) as u32,
            6 => transfer.code = prng.below(3) as u16,
            7 => transfer.flags = F(prng.below(1024) as u16),
            8 => transfer.effective = prng.below(3) * SECOND,
            9 => transfer.value_date = 3,
            10 => transfer.user_data_64 = 3,
            11 => transfer.legs = legs(prng),
            12 => transfer.timestamp = prng.below(9),
            13 => transfer.id = self.known_id(prng),
            _ => (),
        }
        transfer
    }

    fn fresh(&mut self, prng: &mut Prng, now: u64) -> Transfer {
        let id = if prng.one_in(15) { self.known_id(prng) } else { self.next_id };
        self.next_id = self.next_id.max(id + 1);
        let closing = *prng.pick(&[F::CLOSING_DEBIT, F::CLOSING_CREDIT]);
        let any = F(prng.below(1024) as u16);
        let mut transfer = match prng.below(100) {
            0..35 => pair(prng, F(0)),
            35..50 => pair(prng, F::PENDING),
            50..63 => self.referring(prng, F::POST),
            63..70 => self.referring(prng, F::VOID),
            70..80 => self.referring(prng, F::REVERSE),
            80..87 => posting(prng, F(0)),
            87..91 => posting(prng, F::PENDING),
            91..96 => balancing(prng),
            96..98 => pair(prng, F::PENDING.with(closing)),
            _ => pair(prng, any),
        };
        transfer.id = id;
        if transfer.flags.has(F::PENDING) || prng.one_in(60) {
            transfer.timeout = prng.below(4) as u32;
        }
        if prng.one_in(10) {
            transfer.effective = now.saturating_sub(prng.below(3 * SECOND)) + prng.below(2 * SECOND);
        }
        match prng.below(80) {
            0 => transfer.timestamp = 1,
            1 => transfer.pending = self.known_id(prng),
            2 => transfer.ledger = prng.below(4) as u32,
            3 => transfer.code = 0,
            4 => transfer.value_date = -1,
            _ => (),
        }
        if self.wild && transfer.legs.is_empty() && prng.one_in(12) {
            transfer.amount = *prng.pick(&[AMOUNT_MAX, AMOUNT_MAX / 2, AMOUNT_MAX + 1, u128::MAX]);
        }
        transfer
    }

    fn referring(&mut self, prng: &mut Prng, flags: F) -> Transfer {
        // Something that can be referred to, most of the time.
        let is_fit = |sent: &Transfer| sent.flags.has(F::PENDING) != flags.has(F::REVERSE);
        let fitting: Vec<&Transfer> = self.sent.iter().rev().take(40).filter(|sent| is_fit(sent)).collect();
        let pending = match prng.below(8) {
            0 => self.known_id(prng),
            1 | 2 => self.last_pending,
            _ if fitting.is_empty() => self.known_id(prng),
            _ => prng.pick(&fitting).id,
        };
        self.last_pending = if flags.has(F::REVERSE) { pending } else { self.last_pending };
        let mut transfer = Transfer { flags, pending, ..Transfer::default() };
        transfer.amount = match prng.below(4) {
            0 => amount(prng),
            1 => 0,
            _ => u128::MAX,
        };
        match prng.below(24) {
            0 => transfer.debit_account = account(prng),
            1 => transfer.credit_account = account(prng),
            2 => transfer.ledger = prng.below(3) as u32,
            3 => transfer.code = 1 + prng.below(2) as u16,
            4 => transfer.legs = legs(prng),
            5 => transfer.pending = 0,
            6 => transfer.pending = self.next_id - 1,
            _ => (),
        }
        transfer
    }
}

fn planned(prng: &mut Prng, id: u128) -> Account {
    let flags = [A(0), A(0), A::HISTORY, A::DEBITS_WITHIN_CREDITS, A::CREDITS_WITHIN_DEBITS, A::DEBITS_WITHIN_CREDITS.with(A::HISTORY)];
    let ledger = if id.is_multiple_of(5) { 2 } else { 1 };
    let bounds = if prng.one_in(2) { bounds(prng) } else { Bounds::default() };
    let closed = if id > 8 && prng.one_in(6) { A::CLOSED } else { A(0) };
    Account { id, ledger, code: 1, flags: prng.pick(&flags).with(closed), bounds, ..Account::default() }
}

fn bounds(prng: &mut Prng) -> Bounds {
    let mut bound = || prng.one_in(2).then(|| i128::from(prng.below(240)) - 120);
    let (minimum, maximum) = (bound().map(|bound| bound - 40), bound().map(|bound| bound + 40));
    Bounds { minimum, maximum, on: *prng.pick(&[Balance::Posted, Balance::Available]) }
}

fn account(prng: &mut Prng) -> u128 {
    let wide = prng.one_in(30);
    u128::from(if wide { prng.below(40) } else { *prng.pick(&[1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10]) })
}

fn amount(prng: &mut Prng) -> u128 {
    u128::from(if prng.one_in(8) { prng.below(300) } else { prng.below(40) })
}

/// A time between the last one and the present, mostly.
fn past(prng: &mut Prng, last: u64, now: u64) -> u64 {
    match prng.below(12) {
        0 => prng.below(now + 10),
        1 => last,
        2 => now + prng.below(10),
        _ => last + 1 + prng.below(1_000),
    }
}

fn pair(prng: &mut Prng, flags: F) -> Transfer {
    let (debit_account, mut credit_account) = (account(prng), account(prng));
    // Of the same ledger, most of the time.
    for _ in 0..3 {
        if credit_account == debit_account || (credit_account % 5 == 0) != (debit_account % 5 == 0) {
            credit_account = account(prng);
        }
    }
    let ledger = if debit_account % 5 == 0 { 2 } else { 1 };
    Transfer { debit_account, credit_account, amount: amount(prng), ledger, code: 1, flags, ..Transfer::default() }
}

fn balancing(prng: &mut Prng) -> Transfer {
    let which = *prng.pick(&[F::BALANCING_DEBIT, F::BALANCING_CREDIT, F::BALANCING_DEBIT.with(F::BALANCING_CREDIT)]);
    let pending = if prng.one_in(3) { F::PENDING } else { F(0) };
    let most = if prng.one_in(2) { u128::MAX } else { amount(prng) };
    Transfer { amount: most, ..pair(prng, which.with(pending)) }
}

/// Two to thirteen legs of ledger 1 that balance, most of the time.
fn legs(prng: &mut Prng) -> Vec<Leg> {
    let mut legs = Vec::new();
    let mut sum = 0u128;
    let debits = if prng.one_in(8) { prng.between(7, 12) } else { prng.between(1, 3) };
    for _ in 0..debits {
        let amount = amount(prng) + u128::from(!prng.one_in(40));
        sum += amount;
        legs.push(Leg { account: account(prng), side: Side::Debit, amount });
    }
    while sum > 0 {
        let amount = if legs.len() > 5 { sum } else { 1 + u128::from(prng.below(sum as u64)) };
        sum -= amount;
        legs.push(Leg { account: account(prng), side: Side::Credit, amount });
    }
    for leg in &mut legs {
        let is_other_ledger = leg.account % 5 == 0 && !prng.one_in(20);
        leg.account = if is_other_ledger { leg.account % 4 + 1 } else { leg.account };
    }
    if prng.one_in(20) {
        legs[0].amount += 1;
    }
    prng.shuffle(&mut legs);
    legs
}

fn posting(prng: &mut Prng, flags: F) -> Transfer {
    let mut transfer = Transfer { legs: legs(prng), ledger: 1, code: 1, flags, ..Transfer::default() };
    match prng.below(40) {
        0 => transfer.debit_account = 1,
        1 => transfer.flags = flags.with(F::BALANCING_DEBIT),
        2 => transfer.amount = 3,
        _ => (),
    }
    transfer
}
