//! Transactions that append to lists and read them, at each isolation level on a table of its own.

use super::{Findings, Pace, Workload};
use crate::check::Fate;
use crate::check::lists::{self, Level, Step, Txn};
use crate::client::{Client, Failure, Task};
use crate::queue::SECOND;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Lists in use at one time: few, so that transactions meet.
const LISTS: u64 = 4;
/// After this time the next lists are used, so that they stay short.
const ERA: u64 = 10 * SECOND;
const TABLES: [&str; 3] = ["lists_rc", "lists_rr", "lists_ser"];

#[derive(Default)]
struct Record {
    txns: [Vec<Txn>; 3],
    last: [BTreeMap<u64, Vec<u64>>; 3],
    appended: u64,
}

pub struct Lists {
    pace: Pace,
    record: RefCell<Record>,
}

impl Lists {
    pub fn new(pace: Pace) -> Lists {
        Lists { pace, record: RefCell::default() }
    }

    async fn transact(&self, client: &Client) {
        let level = client.below(3) as usize;
        let begin = format!("BEGIN ISOLATION LEVEL {}", Level::ALL[level].sql());
        let begun = client.now();
        let steps = RefCell::new(Vec::new());
        let count = client.between(1, 4);
        let (fate, _) = client
            .transaction(&begin, async |c: &Client| {
                for _ in 0..count {
                    let list = begun / ERA * LISTS + c.below(LISTS);
                    if c.one_in(2) {
                        self.append(c, level, list, &steps).await?;
                    } else {
                        let at = c.now();
                        let values = read(c, level, list).await?;
                        steps.borrow_mut().push(Step::Read { list, values, at });
                    }
                }
                Ok(())
            })
            .await;
        let txn = Txn { client: client.id, begun, ended: client.now(), fate, steps: steps.into_inner() };
        self.record.borrow_mut().txns[level].push(txn);
    }

    async fn append(&self, client: &Client, level: usize, list: u64, steps: &RefCell<Vec<Step>>) -> Result<(), Failure> {
        let value = {
            let mut record = self.record.borrow_mut();
            record.appended += 1;
            record.appended
        };
        steps.borrow_mut().push(Step::Append { list, value });
        let table = TABLES[level];
        let sql = format!(
            "INSERT INTO {table} (id, entries) VALUES ({list}, ',{value}') ON CONFLICT (id) DO UPDATE SET entries = {table}.entries || ',{value}'"
        );
        client.run(&sql).await.map(|_| ())
    }
}

async fn read(client: &Client, level: usize, list: u64) -> Result<Vec<u64>, Failure> {
    let reply = client.run(&format!("SELECT entries FROM {} WHERE id = {list}", TABLES[level])).await?;
    Ok(reply.rows.first().and_then(|row| row[0].as_deref()).map(parse).unwrap_or_default())
}

fn parse(text: &str) -> Vec<u64> {
    text.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

impl Workload for Lists {
    fn name(&self) -> &'static str {
        "lists"
    }

    fn setup(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            for table in TABLES {
                client
                    .insist(&format!("CREATE TABLE {table} (id bigint PRIMARY KEY, entries text NOT NULL) WITH (shard_key = 'id')"))
                    .await;
            }
        })
    }

    fn load(self: Rc<Self>, client: Client) -> Task {
        Box::pin(async move {
            while self.pace.next(&client).await {
                self.transact(&client).await;
            }
        })
    }

    fn finish(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            for (level, table) in TABLES.iter().enumerate() {
                let reply = client.insist(&format!("SELECT id, entries FROM {table}")).await;
                let mut record = self.record.borrow_mut();
                let txns = &record.txns[level];
                let steps = txns.iter().flat_map(|txn| &txn.steps);
                // A list that nobody finds any more is an empty one.
                let mut last: BTreeMap<u64, Vec<u64>> = steps
                    .map(|step| match step {
                        Step::Append { list, .. } | Step::Read { list, .. } => (*list, Vec::new()),
                    })
                    .collect();
                for row in &reply.rows {
                    if let [Some(id), Some(entries)] = row.as_slice() {
                        last.insert(id.parse().unwrap_or(u64::MAX), parse(entries));
                    }
                }
                record.last[level] = last;
            }
        })
    }

    fn check(&self, findings: &mut Findings) {
        let record = self.record.borrow();
        for (number, level) in Level::ALL.into_iter().enumerate() {
            lists::check(level, &record.txns[number], &record.last[number], &mut findings.violations);
            let done = record.txns[number].iter().filter(|txn| txn.fate == Fate::Done).count();
            findings.counts.push(("transactions on lists", done as u64));
        }
    }
}
