//! Hot rows: many clients raise the same counters, and read them under locks; what they conclude is written elsewhere.
//!
//! A row under such load is handed from one transaction to the next before it is committed. Nobody may hear of a value that is
//! lost in the end, no step may be lost, and no commit in another shard may rest on what never was.

use super::counters::Counters;
use super::{Findings, Pace, Workload};
use crate::check::Fate;
use crate::check::counter::{self, Fact};
use crate::check::facts::Inserts;
use crate::client::{Client, Failure, Reply, Task};
use crate::queue::Micros;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

const COUNTERS: u64 = 3;
/// Two further rows of the table between which one is moved to and fro: their sum stays.
const PAIR: [u64; 2] = [10, 11];
const LEVELS: [&str; 4] = ["BEGIN", "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL SERIALIZABLE"];

#[derive(Default)]
struct Record {
    notes: Inserts,
    last_notes: Vec<(u64, i64)>,
    sums: Vec<(u32, Micros, i64)>,
    written: u64,
}

pub struct Hot {
    pace: Pace,
    counters: Counters,
    record: RefCell<Record>,
}

impl Hot {
    pub fn new(pace: Pace) -> Hot {
        Hot { pace, counters: Counters::of("hot"), record: RefCell::default() }
    }

    /// Reads under a lock, raises, and writes down what it made of it in another table; some change their mind.
    async fn read_and_raise(&self, client: &Client, counter: u64) {
        let invoked = client.now();
        let begin = LEVELS[client.below(LEVELS.len() as u64) as usize];
        let (note, raised) = (self.fresh(), Cell::new(None));
        let (fate, _) = client
            .transaction(begin, async |c: &Client| {
                let value = self.look(c, counter, "FOR UPDATE").await?;
                let next = value + 1;
                raised.set(Some(next));
                c.run(&format!("UPDATE hot SET value = {next} WHERE id = {counter}")).await?;
                if c.one_in(8) {
                    return Err(Failure::Lost);
                }
                self.write_note(c, note, next).await
            })
            .await;
        if let Some(fact) = counter::of_fate(fate, raised.get()) {
            self.counters.note(client, counter, invoked, fact);
        }
        if let Some(value) = raised.get() {
            self.record.borrow_mut().notes.record(note, value, fate);
        }
    }

    /// A value that a client is told, in whatever transaction, must be there for good.
    async fn look(&self, client: &Client, counter: u64, lock: &str) -> Result<i64, Failure> {
        let invoked = client.now();
        let reply = client.run(&format!("SELECT value FROM hot WHERE id = {counter} {lock}")).await?;
        let value = reply.number(0, 0).unwrap_or(i64::MIN);
        self.counters.note(client, counter, invoked, Fact::Value(value));
        Ok(value)
    }

    /// What is written elsewhere rests on a row that is locked, but not changed.
    async fn share(&self, client: &Client, counter: u64) {
        let note = self.fresh();
        let (seen, ready) = (Cell::new(None), Cell::new(0));
        let (fate, _) = client
            .transaction("BEGIN", async |c: &Client| {
                let value = self.look(c, counter, "FOR SHARE").await?;
                seen.set(Some(value));
                self.write_note(c, note, value).await?;
                ready.set(c.now());
                Ok(())
            })
            .await;
        let Some(value) = seen.get() else { return };
        self.record.borrow_mut().notes.record(note, value, fate);
        if fate == Fate::Done {
            // Nobody could change the row until the commit.
            self.counters.note(client, counter, ready.get(), Fact::Value(value));
        }
    }

    /// How many rows a change found is told before the row is committed: what follows from it holds when the transaction commits.
    async fn conclude(&self, client: &Client, counter: u64) {
        let invoked = client.now();
        let bound = self.counters.known(counter) + client.below(3) as i64;
        let (note, raised) = (self.fresh(), Cell::new(false));
        let (fate, _) = client
            .transaction("BEGIN", async |c: &Client| {
                let reply = c.run(&format!("UPDATE hot SET value = value + 1 WHERE id = {counter} AND value < {bound}")).await?;
                raised.set(reply.changed() == 1);
                self.write_note(c, note, bound).await
            })
            .await;
        self.record.borrow_mut().notes.record(note, bound, fate);
        match (fate, raised.get()) {
            (Fate::Done, true) => {
                self.counters.note(client, counter, invoked, Fact::Below(bound));
                self.counters.note(client, counter, invoked, Fact::Tried);
            }
            (Fate::Unknown, true) => self.counters.note(client, counter, invoked, Fact::Tried),
            (Fate::Done, false) => self.counters.note(client, counter, invoked, Fact::AtLeast(bound)),
            (Fate::Unknown, false) | (Fate::Refused, _) => {}
        }
    }

    async fn move_one(&self, client: &Client) {
        let (from, to) = if client.one_in(2) { (PAIR[0], PAIR[1]) } else { (PAIR[1], PAIR[0]) };
        client
            .transaction("BEGIN", async |c: &Client| {
                c.run(&format!("UPDATE hot SET value = value - 1 WHERE id = {from}")).await?;
                c.run(&format!("UPDATE hot SET value = value + 1 WHERE id = {to}")).await?;
                if c.one_in(8) { Err(Failure::Lost) } else { Ok(()) }
            })
            .await;
    }

    async fn look_at_both(&self, client: &Client) {
        let lock = ["", "FOR SHARE", "FOR UPDATE"][client.below(3) as usize];
        let result = client.run(&format!("SELECT id, value FROM hot WHERE id >= {} {lock}", PAIR[0])).await;
        if let (_, Some(reply)) = client.fate(&result) {
            let sum = sum_of_pair(reply);
            self.record.borrow_mut().sums.push((client.id, client.now(), sum));
        }
    }

    fn fresh(&self) -> u64 {
        let mut record = self.record.borrow_mut();
        record.written += 1;
        record.written
    }

    async fn write_note(&self, client: &Client, note: u64, value: i64) -> Result<(), Failure> {
        client.run(&format!("INSERT INTO hot_notes (id, value) VALUES ({note}, {value})")).await.map(|_| ())
    }
}

/// A row that is missing makes the sum wrong too.
fn sum_of_pair(reply: &Reply) -> i64 {
    let values: Vec<i64> = super::bank::pairs(reply).filter(|(id, _)| PAIR.contains(id)).map(|(_, value)| value).collect();
    if values.len() == PAIR.len() { values.iter().sum() } else { i64::MIN }
}

impl Workload for Hot {
    fn name(&self) -> &'static str {
        "hot"
    }

    fn setup(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            client.insist("CREATE TABLE hot (id bigint PRIMARY KEY, value bigint NOT NULL) WITH (shard_key = 'id')").await;
            client.insist("CREATE TABLE hot_notes (id bigint PRIMARY KEY, value bigint NOT NULL) WITH (shard_key = 'id')").await;
            let rows: Vec<String> = (0..COUNTERS).chain(PAIR).map(|id| format!("({id}, 0)")).collect();
            client.insist(&format!("INSERT INTO hot (id, value) VALUES {} ON CONFLICT (id) DO NOTHING", rows.join(", "))).await;
        })
    }

    fn load(self: Rc<Self>, client: Client) -> Task {
        Box::pin(async move {
            while self.pace.next(&client).await {
                let counter = client.below(COUNTERS);
                match client.below(8) {
                    0 | 1 => self.counters.raise(&client, counter).await,
                    2 => self.read_and_raise(&client, counter).await,
                    3 => self.share(&client, counter).await,
                    4 => self.conclude(&client, counter).await,
                    5 => self.move_one(&client).await,
                    6 => self.look_at_both(&client).await,
                    _ => drop(self.look(&client, counter, "").await),
                }
            }
        })
    }

    fn finish(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            let rows = client.insist("SELECT id, value FROM hot").await;
            let notes = client.insist("SELECT id, value FROM hot_notes").await;
            self.counters.finish(&rows);
            let mut record = self.record.borrow_mut();
            record.sums.push((client.id, client.now(), sum_of_pair(&rows)));
            record.last_notes = super::bank::pairs(&notes).collect();
        })
    }

    fn check(&self, findings: &mut Findings) {
        let calls = self.counters.check(findings);
        findings.counts.push(("calls on hot rows", calls));
        let record = self.record.borrow();
        record.notes.check("hot_notes", &record.last_notes, &mut findings.violations);
        for (client, at, sum) in record.sums.iter().filter(|(_, _, sum)| *sum != 0) {
            let at = crate::check::seconds(*at);
            findings.accuse("money", format!("client {client} at {at}: the pair of hot rows has the sum {sum}, which is always 0"));
        }
        findings.counts.push(("looks at a pair of hot rows", record.sums.len() as u64));
    }
}
