//! Double entry under faults: single transfers, packed batches, postings of many legs, rows beside them in one transaction, pending
//! amounts that expire, periods that close. What becomes unknown is sent again, and so is some that was answered.
//!
//! Clients note what they were told; the checkers `told` and `books` judge it in the end.

mod choose;
mod follow;
mod looks;
mod proofs;
mod text;

use super::{Findings, Pace, Workload};
use crate::check::Fate;
use crate::check::books::{self, Account, Tables, Transfer, does};
use crate::check::told::{Answer, Attempt, Batch, CHAIN_FAILED, Closing, EXISTS, Group, History, OK};
use crate::client::{Client, Failure, Reply, Task};
use crate::clock::EPOCH_MICROS;
use crate::queue::{Micros, SECOND};
use base::SqlState;
use choose::{HOT, Known, LEDGER, OTHER_LEDGER};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

const LEVELS: [&str; 4] = ["BEGIN", "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL SERIALIZABLE"];
const BATCH_EVENTS: [u64; 2] = [2, 14];
/// Least time between two closings of periods.
const CLOSING_PAUSE: Micros = 6 * SECOND;
const MICRO_NS: u64 = 1_000;
/// What the ledger may answer to what is sent here; anything else (such as `books_contradict`) is a fault.
const ANSWERS: [u16; 32] =
    [0, 1, 3, 4, 13, 20, 22, 23, 24, 25, 30, 31, 36, 38, 39, 40, 53, 54, 60, 61, 62, 63, 68, 69, 70, 71, 75, 76, 77, 85, 88, 99];
/// What a plain transfer between accounts without limits may be answered.
const HARMLESS_ANSWERS: [u16; 4] = [0, 1, 3, 99];

#[derive(Default)]
struct Record {
    history: History,
    known: Known,
    /// Accounts that somebody wanted, with the timestamp of their opening if it was told.
    accounts: BTreeMap<u128, (Account, Option<u64>)>,
    /// What was wrong at once.
    wrong: Vec<(&'static str, String)>,
    rows_beside: i64,
    last_closing: Micros,
    looks: u64,
    answers: BTreeMap<u16, u64>,
    last: Tables,
    last_beside: BTreeSet<i64>,
    audit: Vec<String>,
    follower: follow::Follower,
}

pub struct Ledger {
    pace: Pace,
    record: RefCell<Record>,
}

/// The code of a refusal by the ledger's rules: its state is `L` and four digits.
fn code_of(state: SqlState) -> Option<u16> {
    let text = state.to_string();
    text.strip_prefix('L').and_then(|digits| digits.parse().ok())
}

/// What an attempt that is a transaction of its own came to.
fn answer_of(result: &Result<Reply, Failure>) -> Answer {
    match result {
        Ok(reply) => Answer::Booked(reply.number(0, 0).map(|timestamp| timestamp as u64)),
        Err(Failure::Refused(state, _)) => match code_of(*state) {
            // INSERT does not take again what is there, but says so.
            Some(EXISTS) => Answer::Booked(None),
            Some(code) => Answer::Refused { code, remembered: false },
            None => Answer::Undone,
        },
        Err(Failure::Lost | Failure::Unknown(..)) => Answer::Unknown,
    }
}

impl Ledger {
    pub fn new(pace: Pace) -> Ledger {
        Ledger { pace, record: RefCell::default() }
    }

    fn note(&self, client: &Client, invoked: Micros, wanted: &Transfer, answer: Answer) {
        let mut record = self.record.borrow_mut();
        let code = match answer {
            Answer::Booked(_) => Some(OK),
            Answer::Refused { code, .. } => Some(code),
            Answer::Undone | Answer::Unknown => None,
        };
        if let Some(code) = code {
            *record.answers.entry(code).or_default() += 1;
            let is_free = |account: u128| HOT.contains(&account);
            let is_harmless = wanted.flags & !does::LINKED == 0 && wanted.effective == 0 && is_free(wanted.debit) && is_free(wanted.credit);
            let is_new = !record.history.was_sent(wanted.id) && !record.history.hopeless.contains(&wanted.id);
            if !ANSWERS.contains(&code) || (is_harmless && is_new && !HARMLESS_ANSWERS.contains(&code)) {
                record.wrong.push(("ledger answers", format!("{code} is no answer to {wanted:x?}")));
            }
        }
        if let Answer::Booked(_) = answer {
            record.known.booked(wanted);
        }
        let attempt = Attempt { client: client.id, invoked, returned: client.now(), wanted: wanted.clone(), answer };
        record.history.record(attempt);
    }

    fn fresh_row(&self) -> i64 {
        let mut record = self.record.borrow_mut();
        record.rows_beside += 1;
        record.rows_beside
    }

    /// One transfer that is a transaction of its own, by one of three ways.
    async fn single(&self, client: &Client, id: u128) {
        let (wanted, sql) = {
            let record = &mut *self.record.borrow_mut();
            match client.below(12) {
                0 => {
                    record.history.hopeless.insert(id);
                    let wanted = choose::hopeless(id, &record.known, client);
                    let sql = text::call(&wanted);
                    (wanted, sql)
                }
                1 | 2 => {
                    let wanted = choose::posting(id, &record.known, client);
                    let sql = text::document(&wanted);
                    (wanted, sql)
                }
                way => {
                    let wanted = choose::any(id, &record.known, client, false);
                    let sql = [text::call, text::document, |wanted: &Transfer| text::insert(std::slice::from_ref(wanted))];
                    let sql = sql[(way as usize).saturating_sub(9)](&wanted);
                    (wanted, sql)
                }
            }
        };
        let answer = self.send(client, &wanted, &sql).await;
        if let Answer::Booked(Some(timestamp)) = answer {
            self.after(client, &wanted, timestamp).await;
        }
    }

    /// Until the outcome is known, or the client is tired of asking.
    async fn send(&self, client: &Client, wanted: &Transfer, sql: &str) -> Answer {
        loop {
            let invoked = client.now();
            let result = client.run(sql).await;
            client.fate(&result);
            let answer = answer_of(&result);
            self.note(client, invoked, wanted, answer);
            let again = match answer {
                Answer::Unknown => !client.one_in(8),
                Answer::Undone => client.one_in(2),
                Answer::Booked(_) | Answer::Refused { .. } => client.one_in(16),
            };
            if !again || client.stopping() || !client.connect().await {
                return answer;
            }
        }
    }

    /// What was acknowledged is there at once, and its id is taken.
    async fn after(&self, client: &Client, wanted: &Transfer, timestamp: u64) {
        if client.one_in(8) {
            let sql = format!("SELECT timestamp FROM ledger.transfers WHERE id = '{}'", text::uuid(wanted.id));
            if let Ok(reply) = client.run(&sql).await
                && reply.number(0, 0) != Some(timestamp as i64)
            {
                let text = format!("{wanted:x?} was acknowledged at {timestamp}; then {:?} was read", reply.rows);
                self.record.borrow_mut().wrong.push(("lost write", text));
            }
        } else if client.one_in(12) && wanted.flags & !(does::PENDING | does::POST) == 0 && wanted.legs.is_empty() {
            let other = Transfer { amount: wanted.amount + 1, ..wanted.clone() };
            self.send(client, &other, &text::call(&other)).await;
        }
    }

    /// Transfers and a row beside them in one transaction, some of it rolled back.
    async fn beside(&self, client: &Client, first: u128) {
        let row = self.fresh_row();
        let count = u128::from(client.between(1, 3));
        let wanted: Vec<Transfer> = {
            let known = &self.record.borrow().known;
            (first..first + count).map(|id| choose::any(id, known, client, false)).collect()
        };
        let ids = wanted.iter().map(|wanted| wanted.id).collect();
        self.record.borrow_mut().history.groups.push(Group { what: "transaction", ids, beside: Some(row) });
        let begin = LEVELS[client.below(LEVELS.len() as u64) as usize];
        loop {
            let invoked = client.now();
            let told = RefCell::new(Vec::new());
            let (fate, _) = client
                .transaction(begin, async |c: &Client| {
                    if c.one_in(4) {
                        self.roll_back(c, &wanted, first + count).await?;
                    }
                    for wanted in &wanted {
                        let reply = c.run(&text::call(wanted)).await?;
                        told.borrow_mut().push(reply.number(0, 0).map(|timestamp| timestamp as u64));
                    }
                    c.run(&format!("INSERT INTO beside (id, transfers) VALUES ({row}, {count}) ON CONFLICT (id) DO NOTHING")).await?;
                    if c.one_in(10) { Err(Failure::Lost) } else { Ok(()) }
                })
                .await;
            for (n, wanted) in wanted.iter().enumerate() {
                let answer = match fate {
                    Fate::Done => Answer::Booked(told.borrow().get(n).copied().flatten()),
                    Fate::Refused => Answer::Undone,
                    Fate::Unknown => Answer::Unknown,
                };
                self.note(client, invoked, wanted, answer);
            }
            self.row_was(row, fate);
            let again = fate == Fate::Unknown || (fate == Fate::Refused && client.one_in(3));
            if !again || client.stopping() || !client.connect().await {
                return;
            }
        }
    }

    /// A later answer replaces an earlier one, but for what was acknowledged, and for what may still be on its way.
    fn row_was(&self, row: i64, fate: Fate) {
        let rows = &mut self.record.borrow_mut().history.beside;
        let before = rows.get(&row).copied().unwrap_or(Fate::Refused);
        if before == Fate::Refused || (before == Fate::Unknown && fate == Fate::Done) {
            rows.insert(row, fate);
        }
    }

    /// What is rolled back to a savepoint leaves no trace: neither another transfer nor one that is then made anew.
    async fn roll_back(&self, client: &Client, wanted: &[Transfer], spare: u128) -> Result<(), Failure> {
        let undone = match client.below(2) {
            0 => wanted[0].clone(),
            _ => choose::any(spare, &self.record.borrow().known, client, false),
        };
        client.run("SAVEPOINT before").await?;
        let invoked = client.now();
        let result = client.run(&text::call(&undone)).await;
        if undone.id == spare {
            self.note(client, invoked, &undone, Answer::Undone);
        }
        if let Err(Failure::Lost | Failure::Unknown(..)) = result {
            return Err(Failure::Lost);
        }
        client.run("ROLLBACK TO SAVEPOINT before").await.map(|_| ())
    }

    /// Several rows of one INSERT are a chain.
    async fn insert(&self, client: &Client, first: u128) {
        let count = u128::from(client.between(2, 4));
        let wanted: Vec<Transfer> = {
            let known = &self.record.borrow().known;
            (first..first + count).map(|id| choose::any(id, known, client, false)).collect()
        };
        let ids = wanted.iter().map(|wanted| wanted.id).collect();
        self.record.borrow_mut().history.groups.push(Group { what: "INSERT", ids, beside: None });
        let sql = text::insert(&wanted);
        loop {
            let invoked = client.now();
            let result = client.run(&sql).await;
            client.fate(&result);
            let answer = answer_of(&result);
            for (n, wanted) in wanted.iter().enumerate() {
                let answer = match (&result, answer) {
                    (Ok(reply), _) => Answer::Booked(reply.number(n, 0).map(|timestamp| timestamp as u64)),
                    // The refusal is that of one of them.
                    (_, Answer::Refused { .. }) => Answer::Undone,
                    (_, answer) => answer,
                };
                self.note(client, invoked, wanted, answer);
            }
            if answer != Answer::Unknown || client.stopping() || !client.connect().await {
                return;
            }
        }
    }

    /// A packed batch of single events and chains; some stand in a transaction with a row beside them.
    async fn batch(&self, client: &Client, first: u128) {
        let (events, chains) = self.compose(client, first);
        let sql = text::packed(&events);
        if client.one_in(4) {
            return self.batch_beside(client, &events, &sql).await;
        }
        self.join(&events, &chains);
        loop {
            let invoked = client.now();
            let result = client.run(&sql).await;
            client.fate(&result);
            let answers = match &result {
                Ok(reply) => answers(&text::outcomes(reply), &chains, true),
                Err(_) => vec![answer_of(&result); events.len()],
            };
            for (wanted, answer) in events.iter().zip(&answers) {
                self.note(client, invoked, wanted, *answer);
            }
            if answers.len() != events.len() {
                let text = format!("{} outcomes for {} events", answers.len(), events.len());
                self.record.borrow_mut().wrong.push(("ledger answers", text));
            }
            let again = match result {
                Ok(_) => client.one_in(16),
                Err(Failure::Refused(..)) => client.one_in(2),
                Err(_) => true,
            };
            if !again || client.stopping() || !client.connect().await {
                return;
            }
        }
    }

    /// Events, and for each to which chain it belongs.
    fn compose(&self, client: &Client, first: u128) -> (Vec<Transfer>, Vec<usize>) {
        let record = &mut *self.record.borrow_mut();
        let count = client.between(BATCH_EVENTS[0], BATCH_EVENTS[1]) as usize;
        let (mut events, mut chains) = (Vec::new(), Vec::new());
        let mut chain = 0;
        for n in 0..count {
            let id = first + n as u128;
            let mut wanted = if client.one_in(24) {
                record.history.hopeless.insert(id);
                choose::hopeless(id, &record.known, client)
            } else {
                choose::any(id, &record.known, client, true)
            };
            chains.push(chain);
            if n + 1 < count && client.one_in(3) {
                wanted.flags |= does::LINKED;
            } else {
                chain += 1;
            }
            events.push(wanted);
        }
        (events, chains)
    }

    /// Notes what belongs together.
    fn join(&self, events: &[Transfer], chains: &[usize]) {
        let history = &mut self.record.borrow_mut().history;
        let mut by_chain: BTreeMap<usize, Vec<u128>> = BTreeMap::new();
        for (event, chain) in events.iter().zip(chains) {
            by_chain.entry(*chain).or_default().push(event.id);
        }
        history.groups.extend(by_chain.into_values().map(|ids| Group { what: "chain", ids, beside: None }));
        history.batches.push(Batch { ids: events.iter().map(|event| event.id).collect(), chains: chains.to_vec() });
    }

    /// What the batch answers inside a transaction holds if that commits. It is not sent again: its row tells what became of it.
    async fn batch_beside(&self, client: &Client, events: &[Transfer], sql: &str) {
        let row = self.fresh_row();
        let invoked = client.now();
        let told = Cell::new(Vec::new());
        let begin = LEVELS[client.below(LEVELS.len() as u64) as usize];
        let (fate, _) = client
            .transaction(begin, async |c: &Client| {
                told.set(text::outcomes(&c.run(sql).await?));
                c.run(&format!("INSERT INTO beside (id, transfers) VALUES ({row}, 0)")).await?;
                if c.one_in(8) { Err(Failure::Lost) } else { Ok(()) }
            })
            .await;
        let told = told.take();
        let accepted = events.iter().zip(&told).filter(|(_, (_, code))| *code == OK).map(|(event, _)| event.id);
        let group = Group { what: "transaction with a batch", ids: accepted.collect(), beside: Some(row) };
        for (n, wanted) in events.iter().enumerate() {
            let answer = match (fate, told.get(n)) {
                (Fate::Done, Some((timestamp, OK))) => Answer::Booked(Some(*timestamp)),
                (Fate::Done, Some((_, code))) => Answer::Refused { code: *code, remembered: true },
                (Fate::Unknown, Some((_, OK))) => Answer::Unknown,
                _ => Answer::Undone,
            };
            self.note(client, invoked, wanted, answer);
        }
        self.record.borrow_mut().history.groups.push(group);
        self.row_was(row, fate);
    }

    async fn open(&self, client: &Client, id: u128) {
        let flags = [0, books::keeps::HISTORY, books::keeps::DEBITS_WITHIN_CREDITS][client.below(3) as usize];
        let minimum = client.one_in(4).then_some(-20);
        let plain = Account { id, ledger: LEDGER, code: 20, flags, ..Account::default() };
        let refined = Account { minimum, parent: HOT[1], ..plain.clone() };
        let (wanted, sql) = match client.below(3) {
            0 => (plain.clone(), text::packed_account(&plain)),
            1 => (refined.clone(), text::insert_account(&refined)),
            _ => (refined.clone(), text::open(&refined)),
        };
        self.record.borrow_mut().accounts.insert(id, (wanted.clone(), None));
        let result = client.run(&sql).await;
        if let (_, Some(reply)) = client.fate(&result) {
            let told = match text::outcomes(reply).first() {
                Some((timestamp, OK)) => *timestamp,
                Some(_) => 0,
                None => reply.number(0, 0).map_or(0, |timestamp| timestamp as u64),
            };
            let record = &mut *self.record.borrow_mut();
            record.accounts.insert(id, (wanted, Some(told)));
            record.known.opened.push(id);
        }
    }

    /// Closes a period that is over, and looks what is in it.
    async fn close(&self, client: &Client) {
        let now = client.now();
        if now < self.record.borrow().last_closing + CLOSING_PAUSE {
            return;
        }
        self.record.borrow_mut().last_closing = now;
        let through = (EPOCH_MICROS + now.saturating_sub(client.between(2 * SECOND, 10 * SECOND))) * MICRO_NS;
        // A node whose clock is behind takes the period for one that lasts; another may have closed more.
        client.expected.set(Some(SqlState::INVALID_PARAMETER_VALUE));
        let result = client.run(&format!("SELECT ledger.close_period({LEDGER}, '{}')", text::time(through))).await;
        client.expected.set(None);
        let (fate, _) = client.fate(&result);
        let returned = client.now();
        let mut seen = None;
        if fate == Fate::Done
            && let Ok(reply) = client.run(text::TRANSFERS).await
        {
            let made = reply.rows.iter().map(|row| text::transfer(row));
            seen = Some(made.filter(|made| crate::check::told::in_period(made, LEDGER, through)).map(|made| made.id).collect());
        }
        self.record.borrow_mut().history.closings.push(Closing { ledger: LEDGER, through, fate, returned, seen });
    }

    fn check_accounts(&self, findings: &mut Findings) {
        let record = self.record.borrow();
        for (id, (wanted, told)) in &record.accounts {
            let Some(there) = record.last.accounts.get(id) else {
                if told.is_some() {
                    findings.accuse("lost write", format!("account {id:x} was opened and is gone"));
                }
                continue;
            };
            let kept = there.flags & !books::keeps::CLOSED;
            let (changed, sums, timestamp) = (there.changed, there.sums, told.unwrap_or(there.timestamp));
            let expected = Account { changed, sums, timestamp, ..wanted.clone() };
            if (Account { flags: kept, ..there.clone() }) != expected {
                findings.accuse("wrong row", format!("account {there:?} should be {expected:?}"));
            }
        }
        for id in record.last.accounts.keys().filter(|id| !record.accounts.contains_key(id)) {
            findings.accuse("phantom write", format!("nobody opened account {id:x}"));
        }
    }
}

/// What each event of a batch that was answered came to. A chain of which one event exists was booked before.
fn answers(outcomes: &[(u64, u16)], chains: &[usize], remembered: bool) -> Vec<Answer> {
    let exists: BTreeSet<usize> = outcomes.iter().zip(chains).filter(|((_, code), _)| *code == EXISTS).map(|(_, chain)| *chain).collect();
    let answer = |((timestamp, code), chain): (&(u64, u16), &usize)| match *code {
        OK | EXISTS => Answer::Booked(Some(*timestamp)),
        CHAIN_FAILED if exists.contains(chain) => Answer::Booked(None),
        code => Answer::Refused { code, remembered },
    };
    outcomes.iter().zip(chains).map(answer).collect()
}

impl Workload for Ledger {
    fn name(&self) -> &'static str {
        "ledger"
    }

    fn setup(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            for id in [LEDGER, OTHER_LEDGER] {
                client.insist(&format!(r#"SELECT ledger.define('{{"id": {id}, "name": "ledger {id}", "scale": 2}}')"#)).await;
            }
            for account in choose::accounts() {
                let reply = client.insist(&text::open(&account)).await;
                let told = reply.number(0, 0).map(|timestamp| timestamp as u64);
                self.record.borrow_mut().accounts.insert(account.id, (account, told));
            }
            client.insist("CREATE TABLE beside (id bigint PRIMARY KEY, transfers bigint NOT NULL) WITH (shard_key = 'id')").await;
        })
    }

    fn load(self: Rc<Self>, client: Client) -> Task {
        Box::pin(async move {
            let mut id = u128::from(client.id) << 64;
            while self.pace.next(&client).await {
                id += 0x100;
                match client.below(32) {
                    0..=11 => self.single(&client, id).await,
                    12..=16 => self.beside(&client, id).await,
                    17..=21 => self.batch(&client, id).await,
                    22..=24 => self.insert(&client, id).await,
                    25 => self.open(&client, id).await,
                    26 => self.close(&client).await,
                    _ => self.look(&client).await,
                }
            }
        })
    }

    fn finish(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(self.read_all(client))
    }

    fn check(&self, findings: &mut Findings) {
        self.check_accounts(findings);
        let record = self.record.borrow();
        let replayed = books::replay(&record.last);
        for text in replayed.wrong {
            findings.accuse("books", text);
        }
        record.history.check(&record.last, &replayed.rooms, &record.last_beside, &mut findings.violations);
        record.follower.check(&record.last, findings);
        for (checker, text) in &record.wrong {
            findings.accuse(checker, text.clone());
        }
        for text in &record.audit {
            findings.accuse("audit", text.clone());
        }
        let expired = record.last.states.values().filter(|state| state.fate == Some(books::Fate::Expired)).count();
        let refused: u64 = record.answers.iter().filter(|(code, _)| **code != OK).map(|(_, count)| count).sum();
        findings.counts.push(("transfers of the ledger", record.last.transfers.len() as u64));
        findings.counts.push(("transfers of the ledger that expired", expired as u64));
        findings.counts.push(("refusals of the ledger", refused));
        findings.counts.push(("looks at the ledger", record.looks));
        findings
            .counts
            .push(("periods closed", record.history.closings.iter().filter(|closing| closing.fate == Fate::Done).count() as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_that_exists_was_booked_before() {
        let outcomes = [(5, EXISTS), (9, CHAIN_FAILED), (9, CHAIN_FAILED), (10, 62)];
        let refused = |code| Answer::Refused { code, remembered: true };
        let expected = [Answer::Booked(Some(5)), Answer::Booked(None), refused(CHAIN_FAILED), refused(62)];
        assert_eq!(answers(&outcomes, &[0, 0, 1, 1], true), expected);
    }
}
