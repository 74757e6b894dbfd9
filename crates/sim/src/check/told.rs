//! What clients of the ledger were told, against what its tables record in the end.
//!
//! A client sends an id once or again and again, with the same contents or others. It is booked once, with contents that somebody sent and
//! at the timestamp that everybody was told; what belongs together is there as a whole or not at all.

use super::books::{Tables, Transfer, does};
use super::{Fate, Violation};
use crate::queue::Micros;
use std::collections::{BTreeMap, BTreeSet};

/// Nanoseconds between the timestamps of one batch, as documented.
const STRIDE: u64 = 1_024;

/// A post or reversal of all that there is.
pub const ALL: i128 = i128::MAX;

/// Numbers of answers, from docs/ledger-codes.md.
pub const OK: u16 = 0;
pub const CHAIN_FAILED: u16 = 1;
pub const EXISTS: u16 = 3;
pub const FAILED_BEFORE: u16 = 4;
pub const PERIOD_CLOSED: u16 = 99;

/// The id is taken by a transfer with other contents.
pub fn is_taken(code: u16) -> bool {
    (50..60).contains(&code) || (90..98).contains(&code)
}

/// Refused for a passing reason: the id stays refused if the transaction of its batch commits.
pub fn is_passing(code: u16) -> bool {
    matches!(code, 21 | 22 | 30 | 60..=65 | 68..=70 | 86 | 88 | 98 | PERIOD_CLOSED)
}

/// What somebody heard of one transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Acknowledged, with the timestamp if the answer had one.
    Booked(Option<u64>),
    /// Refused by the rules. `remembered`: by a batch that committed.
    Refused {
        code: u16,
        remembered: bool,
    },
    /// Not booked by this attempt: rolled back, or an error.
    Undone,
    Unknown,
}

#[derive(Clone, Debug)]
pub struct Attempt {
    pub client: u32,
    pub invoked: Micros,
    pub returned: Micros,
    pub wanted: Transfer,
    pub answer: Answer,
}

/// Transfers, each sent only so, that are there as a whole or not at all, with a row beside them.
#[derive(Clone, Debug)]
pub struct Group {
    pub what: &'static str,
    pub ids: Vec<u128>,
    pub beside: Option<i64>,
}

/// Events of a packed batch in their order, each sent only so. `chains[n]`: which chain event `n` belongs to.
#[derive(Clone, Debug)]
pub struct Batch {
    pub ids: Vec<u128>,
    pub chains: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct Closing {
    pub ledger: u32,
    pub through: u64,
    pub fate: Fate,
    pub returned: Micros,
    /// What was in the period when somebody looked after the closing was acknowledged.
    pub seen: Option<BTreeSet<u128>>,
}

#[derive(Default)]
pub struct History {
    attempts: BTreeMap<u128, Vec<Attempt>>,
    pub groups: Vec<Group>,
    pub batches: Vec<Batch>,
    pub closings: Vec<Closing>,
    /// Ids of events that the rules refuse whatever the books say.
    pub hopeless: BTreeSet<u128>,
    /// Rows beside transfers, with what became of their transactions.
    pub beside: BTreeMap<i64, Fate>,
}

/// What is in a closed period: releases may come later.
pub fn in_period(transfer: &Transfer, ledger: u32, through: u64) -> bool {
    transfer.ledger == ledger && !transfer.is(does::VOID) && transfer.effective_at() <= through
}

impl History {
    pub fn record(&mut self, attempt: Attempt) {
        self.attempts.entry(attempt.wanted.id).or_default().push(attempt);
    }

    pub fn was_sent(&self, id: u128) -> bool {
        self.attempts.contains_key(&id)
    }

    pub fn len(&self) -> usize {
        self.attempts.values().map(Vec::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }

    /// `rooms`: what balancing transfers could move; `beside`: the rows beside them.
    pub fn check(&self, tables: &Tables, rooms: &BTreeMap<u128, i128>, beside: &BTreeSet<i64>, violations: &mut Vec<Violation>) {
        for (id, attempts) in &self.attempts {
            match tables.transfers.get(id) {
                Some(there) => check_there(there, attempts, tables, rooms, violations),
                None => check_absent(*id, attempts, violations),
            }
            check_refusals(*id, attempts, tables, violations);
        }
        for id in tables.transfers.keys().filter(|id| !self.attempts.contains_key(id)) {
            accuse(violations, "phantom write", format!("nobody sent transfer {id:x}"));
        }
        for id in tables.refused.keys() {
            if tables.transfers.contains_key(id) {
                accuse(violations, "ledger answers", format!("transfer {id:x} is booked, and refused for good"));
            }
            if !self.attempts.contains_key(id) {
                accuse(violations, "phantom write", format!("nobody sent transfer {id:x}, which is refused"));
            }
        }
        self.check_groups(tables, beside, violations);
        self.batches.iter().for_each(|batch| self.check_batch(batch, tables, violations));
        self.check_closings(tables, violations);
        self.check_order(tables, violations);
    }

    fn check_groups(&self, tables: &Tables, beside: &BTreeSet<i64>, violations: &mut Vec<Violation>) {
        for group in &self.groups {
            let ids = group.ids.iter().map(|id| tables.transfers.contains_key(id));
            let there: BTreeSet<bool> = ids.chain(group.beside.map(|row| beside.contains(&row))).collect();
            if there.len() > 1 {
                accuse(violations, "atomicity", format!("a {} is there in part: {group:x?}", group.what));
            }
        }
        for (row, fate) in &self.beside {
            match fate {
                Fate::Done if !beside.contains(row) => accuse(violations, "lost write", format!("row {row} beside transfers is gone")),
                Fate::Refused if beside.contains(row) => {
                    accuse(violations, "phantom write", format!("refused row {row} beside transfers is there"));
                }
                _ => {}
            }
        }
    }

    /// All events of a batch were judged at once: event number `n` is booked `n` strides after the first, and none is left out without a reason.
    fn check_batch(&self, batch: &Batch, tables: &Tables, violations: &mut Vec<Violation>) {
        let booked = |id: &u128| tables.transfers.get(id);
        let firsts = batch.ids.iter().enumerate().filter_map(|(n, id)| Some(booked(id)?.timestamp.wrapping_sub(n as u64 * STRIDE)));
        let firsts: BTreeSet<u64> = firsts.collect();
        if firsts.len() > 1 {
            accuse(violations, "atomicity", format!("events of one batch were booked at different times {firsts:?}: {batch:x?}"));
        }
        if firsts.is_empty() {
            return;
        }
        let has_reason = |id: &u128| {
            let refers = self.attempts.get(id).is_some_and(|attempts| attempts[0].wanted.refers_to != 0);
            booked(id).is_none() && (tables.refused.contains_key(id) || self.hopeless.contains(id) || refers)
        };
        for (n, id) in batch.ids.iter().enumerate().filter(|(_, id)| booked(id).is_none()) {
            let mut chain = batch.ids.iter().zip(&batch.chains).filter(|(_, chain)| **chain == batch.chains[n]).map(|(id, _)| id);
            if !chain.any(has_reason) {
                accuse(violations, "atomicity", format!("event {n}, {id:x}, of a batch is not booked without a reason: {batch:x?}"));
            }
        }
    }

    fn check_closings(&self, tables: &Tables, violations: &mut Vec<Violation>) {
        for closing in self.closings.iter().filter(|closing| closing.fate == Fate::Done) {
            let (ledger, through) = (closing.ledger, closing.through);
            let inside: BTreeSet<u128> =
                tables.transfers.values().filter(|made| in_period(made, ledger, through)).map(|made| made.id).collect();
            if tables.ledgers.get(&ledger).is_none_or(|last| *last < through) {
                accuse(violations, "period", format!("ledger {ledger} was closed through {through}, and is so no more"));
            }
            if let Some(seen) = closing.seen.as_ref().filter(|seen| **seen != inside) {
                let difference: Vec<_> = seen.symmetric_difference(&inside).take(5).collect();
                accuse(violations, "period", format!("the closed period of ledger {ledger} through {through} changed by {difference:x?}"));
            }
            for id in &inside {
                let first = self.attempts.get(id).and_then(|attempts| attempts.iter().map(|attempt| attempt.invoked).min());
                if first.is_some_and(|first| first > closing.returned) {
                    accuse(
                        violations,
                        "period",
                        format!("{id:x} was sent after ledger {ledger} was closed through {through}, and is in it"),
                    );
                }
            }
        }
        for (ledger, last) in tables.ledgers.iter().filter(|(_, last)| **last != 0) {
            let closing = self.closings.iter().find(|closing| closing.ledger == *ledger && closing.through == *last);
            if closing.is_none_or(|closing| closing.fate == Fate::Refused) {
                accuse(violations, "phantom write", format!("nobody closed ledger {ledger} through {last}"));
            }
        }
    }

    /// On one account, what was acknowledged before something else was sent has the lower timestamp.
    fn check_order(&self, tables: &Tables, violations: &mut Vec<Violation>) {
        let mut by_account: BTreeMap<u128, Vec<&Transfer>> = BTreeMap::new();
        for made in tables.transfers.values() {
            let accounts: BTreeSet<u128> = made.each_leg().iter().map(|leg| leg.account).collect();
            accounts.into_iter().for_each(|account| by_account.entry(account).or_default().push(made));
        }
        for (account, mut all) in by_account {
            all.sort_by_key(|made| std::cmp::Reverse(made.timestamp));
            let mut earliest: Option<(Micros, u128)> = None;
            for made in all {
                let Some(attempts) = self.attempts.get(&made.id) else { continue };
                let invoked = attempts.iter().map(|attempt| attempt.invoked).min().unwrap_or(0);
                if let Some((returned, later)) = earliest.filter(|(returned, _)| *returned < invoked) {
                    let text = format!(
                        "account {account:x}: {later:x} was acknowledged at {}, before {:x} was sent at {}, but has the higher timestamp",
                        super::seconds(returned),
                        made.id,
                        super::seconds(invoked)
                    );
                    accuse(violations, "ledger order", text);
                }
                let acknowledged = attempts.iter().filter(|attempt| matches!(attempt.answer, Answer::Booked(_))).map(|a| a.returned).min();
                earliest = earliest.into_iter().chain(acknowledged.map(|at| (at, made.id))).min();
            }
        }
    }
}

fn check_there(there: &Transfer, attempts: &[Attempt], tables: &Tables, rooms: &BTreeMap<u128, i128>, violations: &mut Vec<Violation>) {
    let id = there.id;
    let is_it = |attempt: &&Attempt| is_what_was_wanted(&attempt.wanted, there, tables, rooms);
    let may_have = |attempt: &&Attempt| matches!(attempt.answer, Answer::Booked(_) | Answer::Unknown);
    if !attempts.iter().any(|attempt| may_have(&attempt)) {
        accuse(violations, "phantom write", format!("transfer {id:x} is there, and nobody was told so: {attempts:x?}"));
    } else if !attempts.iter().filter(may_have).any(|attempt| is_it(&attempt)) {
        accuse(violations, "wrong row", format!("transfer {there:x?} is not what was sent: {attempts:x?}"));
    }
    for attempt in attempts {
        match attempt.answer {
            Answer::Booked(Some(told)) if told != there.timestamp => {
                accuse(violations, "wrong row", format!("transfer {id:x} is booked at {}, told was {told}: {attempt:x?}", there.timestamp));
            }
            Answer::Booked(_) if !is_it(&attempt) => {
                accuse(violations, "wrong row", format!("{attempt:x?} was acknowledged, but the id is that of {there:x?}"));
            }
            _ => {}
        }
    }
    let booked = attempts.iter().filter(|attempt| matches!(attempt.answer, Answer::Booked(_)));
    let Some(known) = booked.map(|attempt| attempt.returned).min() else { return };
    for attempt in attempts.iter().filter(|attempt| attempt.invoked > known) {
        let Answer::Refused { code, .. } = attempt.answer else { continue };
        if code != CHAIN_FAILED && (is_it(&attempt) || !is_taken(code)) {
            accuse(violations, "ledger answers", format!("transfer {id:x} was booked, and then answered {code}: {attempt:x?}"));
        }
    }
}

fn check_absent(id: u128, attempts: &[Attempt], violations: &mut Vec<Violation>) {
    if let Some(told) = attempts.iter().find(|attempt| matches!(attempt.answer, Answer::Booked(_))) {
        accuse(violations, "lost write", format!("transfer {id:x} was acknowledged and is gone: {told:x?}"));
    }
}

/// What was refused for a passing reason by a batch that committed stays refused.
fn check_refusals(id: u128, attempts: &[Attempt], tables: &Tables, violations: &mut Vec<Violation>) {
    let is_refused = tables.refused.contains_key(&id);
    for attempt in attempts {
        let Answer::Refused { code, remembered } = attempt.answer else { continue };
        if !is_refused && (code == FAILED_BEFORE || (remembered && is_passing(code))) {
            accuse(violations, "ledger answers", format!("transfer {id:x} was refused for good and is not so: {attempt:x?}"));
        }
    }
}

/// Contents agree, where the ledger completes them too.
fn is_what_was_wanted(wanted: &Transfer, there: &Transfer, tables: &Tables, rooms: &BTreeMap<u128, i128>) -> bool {
    let (flags, refers_to, timeout, effective) = (wanted.flags & !does::LINKED, wanted.refers_to, wanted.timeout, wanted.effective);
    if (flags, refers_to, timeout, effective) != (there.flags, there.refers_to, there.timeout, there.effective) {
        return false;
    }
    let given = |wanted: u128, recorded: u128| wanted == recorded || (refers_to != 0 && wanted == 0);
    let named = given(wanted.debit, there.debit) && given(wanted.credit, there.credit) && given(wanted.code.into(), there.code.into());
    let legs = if refers_to == 0 { wanted.legs == there.legs } else { wanted.legs.is_empty() };
    let original = tables.transfers.get(&refers_to).map_or(0, |original| original.amount);
    let amount = match wanted.amount {
        ALL if wanted.is(does::REVERSE) => there.amount <= original,
        ALL => there.amount == original,
        0 if wanted.is(does::VOID) => there.amount == original,
        0 if !wanted.legs.is_empty() => true,
        most if wanted.is(does::BALANCING_DEBIT | does::BALANCING_CREDIT) => {
            rooms.get(&there.id).is_some_and(|room| there.amount == most.min(*room))
        }
        amount => there.amount == amount,
    };
    named && legs && amount && given(wanted.ledger.into(), there.ledger.into())
}

fn accuse(violations: &mut Vec<Violation>, checker: &'static str, message: String) {
    violations.push(Violation::new(checker, message));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(id: u128) -> Transfer {
        Transfer { id, ledger: 1, code: 1, debit: 1, credit: 2, amount: 5, ..Transfer::default() }
    }

    fn sent(id: u128, invoked: Micros, answer: Answer) -> Attempt {
        Attempt { client: 1, invoked, returned: invoked + 5, wanted: wanted(id), answer }
    }

    fn found(attempts: Vec<Attempt>, booked: &[(u128, u64)], refine: impl FnOnce(&mut History, &mut Tables)) -> Vec<&'static str> {
        let mut history = History::default();
        attempts.into_iter().for_each(|attempt| history.record(attempt));
        let transfers = booked.iter().map(|(id, timestamp)| (*id, Transfer { timestamp: *timestamp, ..wanted(*id) })).collect();
        let mut tables = Tables { transfers, ledgers: BTreeMap::from([(1, 0)]), ..Tables::default() };
        refine(&mut history, &mut tables);
        let mut violations = Vec::new();
        history.check(&tables, &BTreeMap::new(), &BTreeSet::new(), &mut violations);
        violations.into_iter().map(|violation| violation.checker).collect()
    }

    fn plain(attempts: Vec<Attempt>, booked: &[(u128, u64)]) -> Vec<&'static str> {
        found(attempts, booked, |_, _| {})
    }

    #[test]
    fn what_was_told_is_there_and_nothing_else() {
        let (done, unknown) = (Answer::Booked(Some(10)), Answer::Unknown);
        let refused = Answer::Refused { code: 62, remembered: false };
        assert!(plain(vec![sent(1, 0, unknown), sent(1, 10, done), sent(1, 20, done)], &[(1, 10)]).is_empty());
        assert!(plain(vec![sent(1, 0, unknown)], &[(1, 10)]).is_empty());
        assert!(plain(vec![sent(1, 0, unknown), sent(2, 0, refused)], &[]).is_empty());
        assert_eq!(plain(vec![sent(1, 0, done)], &[]), ["lost write"]);
        assert_eq!(plain(vec![sent(1, 0, Answer::Undone), sent(1, 10, refused)], &[(1, 10)]), ["phantom write"]);
        assert_eq!(plain(vec![], &[(1, 10)]), ["phantom write"]);
        assert_eq!(plain(vec![sent(1, 0, done)], &[(1, 11)]), ["wrong row"]);
        let other = Attempt { wanted: Transfer { amount: 6, ..wanted(1) }, ..sent(1, 0, done) };
        assert_eq!(plain(vec![other], &[(1, 10)]), ["wrong row", "wrong row"]);
    }

    #[test]
    fn an_id_is_answered_as_it_was_before() {
        let done = sent(1, 0, Answer::Booked(Some(10)));
        let again = |code| Attempt { answer: Answer::Refused { code, remembered: false }, ..sent(1, 10, Answer::Unknown) };
        let other = |code| Attempt { wanted: Transfer { amount: 6, ..wanted(1) }, ..again(code) };
        assert!(plain(vec![done.clone(), other(53)], &[(1, 10)]).is_empty());
        assert_eq!(plain(vec![done.clone(), again(62)], &[(1, 10)]), ["ledger answers"]);
        assert_eq!(plain(vec![done.clone(), again(53)], &[(1, 10)]), ["ledger answers"]);
        let for_good = Attempt { answer: Answer::Refused { code: 62, remembered: true }, ..sent(2, 0, Answer::Unknown) };
        assert_eq!(plain(vec![for_good.clone()], &[]), ["ledger answers"]);
        assert!(found(vec![for_good], &[], |_, tables| tables.refused.extend([(2, 9)])).is_empty());
        assert_eq!(found(vec![done], &[(1, 10)], |_, tables| tables.refused.extend([(1, 9)])), ["ledger answers"]);
    }

    #[test]
    fn what_belongs_together_is_there_as_a_whole() {
        let attempts = || vec![sent(1, 0, Answer::Unknown), sent(2, 0, Answer::Unknown)];
        let group = Group { what: "chain", ids: vec![1, 2], beside: None };
        assert_eq!(found(attempts(), &[(1, 10)], |history, _| history.groups.push(group)), ["atomicity"]);
        let batch = Batch { ids: vec![1, 2], chains: vec![0, 1] };
        let with = |booked: &[(u128, u64)]| found(attempts(), booked, |history, _| history.batches.push(batch.clone()));
        assert!(with(&[(1, 10), (2, 10 + STRIDE)]).is_empty() && with(&[]).is_empty());
        assert_eq!(with(&[(1, 10), (2, 12)]), ["atomicity"]);
        assert_eq!(with(&[(2, 10 + STRIDE)]), ["atomicity"]);
        let beside = Group { what: "transaction", ids: vec![1], beside: Some(7) };
        assert_eq!(found(attempts(), &[(1, 10)], |history, _| history.groups.push(beside)), ["atomicity"]);
    }

    #[test]
    fn timestamps_of_an_account_follow_real_time() {
        let told = |at| Answer::Booked(Some(at));
        assert!(plain(vec![sent(1, 0, told(10)), sent(2, 10, told(11))], &[(1, 10), (2, 11)]).is_empty());
        assert!(plain(vec![sent(1, 0, told(10)), sent(2, 4, told(9))], &[(1, 10), (2, 9)]).is_empty());
        assert_eq!(plain(vec![sent(1, 0, told(10)), sent(2, 10, told(9))], &[(1, 10), (2, 9)]), ["ledger order"; 2]);
    }

    #[test]
    fn a_closed_period_stays_as_it_was() {
        let closing =
            |seen: &[u128]| Closing { ledger: 1, through: 10, fate: Fate::Done, returned: 7, seen: Some(seen.iter().copied().collect()) };
        let with = |invoked, seen: &[u128]| {
            found(vec![sent(1, invoked, Answer::Booked(Some(10)))], &[(1, 10)], |history, tables| {
                history.closings.push(closing(seen));
                tables.ledgers.insert(1, 10);
            })
        };
        assert!(with(0, &[1]).is_empty());
        assert_eq!(with(0, &[]), ["period"]);
        assert_eq!(with(8, &[]), ["period", "period"]);
    }
}
