//! Single rows as registers: read, write, compare and set, each a statement of its own.

use super::{Findings, Pace, Workload};
use crate::check::Fate;
use crate::check::linear::{self, Answer, Call, Operation};
use crate::client::{Client, Task};
use crate::queue::SECOND;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Registers in use at one time.
const REGISTERS: u64 = 4;
/// After this time the next registers are used, so that histories stay short.
const ERA: u64 = 8 * SECOND;

#[derive(Default)]
struct Record {
    histories: BTreeMap<u64, Vec<Operation>>,
    written: i64,
}

pub struct Registers {
    pace: Pace,
    record: RefCell<Record>,
}

impl Registers {
    pub fn new(pace: Pace) -> Registers {
        Registers { pace, record: RefCell::default() }
    }

    fn fresh_value(&self) -> i64 {
        let mut record = self.record.borrow_mut();
        record.written += 1;
        record.written
    }

    async fn operate(&self, client: &Client, last: &mut i64) {
        let invoked = client.now();
        let register = invoked / ERA * REGISTERS + client.below(REGISTERS);
        let (call, answer) = match client.below(4) {
            0 | 1 => self.read(client, register, last).await,
            2 => self.write(client, register).await,
            _ => self.swap(client, register, *last).await,
        };
        if let Some(answer) = answer {
            let operation = Operation { client: client.id, invoked, returned: client.now(), call, answer };
            self.record.borrow_mut().histories.entry(register).or_default().push(operation);
        }
    }

    async fn read(&self, client: &Client, register: u64, last: &mut i64) -> (Call, Option<Answer>) {
        let result = client.run(&format!("SELECT value FROM registers WHERE id = {register}")).await;
        let (_, reply) = client.fate(&result);
        // A row that is not there is a register that was never written.
        let value = reply.map(|reply| reply.number(0, 0).unwrap_or(0));
        *last = value.unwrap_or(0);
        (Call::Read, value.map(Answer::Value))
    }

    async fn write(&self, client: &Client, register: u64) -> (Call, Option<Answer>) {
        let value = self.fresh_value();
        let sql =
            format!("INSERT INTO registers (id, value) VALUES ({register}, {value}) ON CONFLICT (id) DO UPDATE SET value = excluded.value");
        let answer = match client.fate(&client.run(&sql).await).0 {
            Fate::Done => Some(Answer::Written),
            Fate::Refused => None,
            Fate::Unknown => Some(Answer::Lost),
        };
        (Call::Write(value), answer)
    }

    async fn swap(&self, client: &Client, register: u64, expected: i64) -> (Call, Option<Answer>) {
        let new = self.fresh_value();
        // 0 stands for a row that is not there, which no UPDATE finds.
        let expected = if expected == 0 { -1 } else { expected };
        let result = client.run(&format!("UPDATE registers SET value = {new} WHERE id = {register} AND value = {expected}")).await;
        let answer = match client.fate(&result) {
            (Fate::Done, Some(reply)) => Some(Answer::Swapped(reply.changed() == 1)),
            (Fate::Unknown, _) => Some(Answer::Lost),
            _ => None,
        };
        (Call::Swap { expected, new }, answer)
    }
}

impl Workload for Registers {
    fn name(&self) -> &'static str {
        "registers"
    }

    fn setup(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            let sql = "CREATE TABLE registers (id bigint PRIMARY KEY, value bigint NOT NULL) WITH (shard_key = 'id')";
            client.insist(sql).await;
        })
    }

    fn load(self: Rc<Self>, client: Client) -> Task {
        Box::pin(async move {
            let mut last = 0;
            while self.pace.next(&client).await {
                self.operate(&client, &mut last).await;
            }
        })
    }

    /// Reads each register of the last eras once more: an acknowledged write must still be there.
    fn finish(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            let registers: Vec<u64> = self.record.borrow().histories.keys().copied().collect();
            let invoked = client.now();
            let rows = client.insist("SELECT id, value FROM registers").await;
            let values: BTreeMap<u64, i64> = super::bank::pairs(&rows).collect();
            for register in registers {
                let answer = Answer::Value(values.get(&register).copied().unwrap_or(0));
                let read = Operation { client: client.id, invoked, returned: client.now(), call: Call::Read, answer };
                self.record.borrow_mut().histories.entry(register).or_default().push(read);
            }
        })
    }

    fn check(&self, findings: &mut Findings) {
        let record = self.record.borrow();
        findings.undecided += linear::check(0, &record.histories, &mut findings.violations);
        findings.counts.push(("operations on registers", record.histories.values().map(|h| h.len() as u64).sum()));
    }
}
