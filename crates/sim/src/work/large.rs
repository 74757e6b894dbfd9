//! Transactions too large for one log entry: all of their rows are visible, or none.

use super::{Findings, Pace, Workload};
use crate::check::Fate;
use crate::client::{Client, Task};
use crate::nodes::COMMIT_BYTES_MAX;
use crate::queue::SECOND;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Rows of one transaction, and the bytes of each: together they pass the bound of one commit entry.
const ROWS: u64 = 24;
const ROW_BYTES: usize = COMMIT_BYTES_MAX / 20;
const STATEMENT_ROWS: u64 = 4;

#[derive(Default)]
struct Record {
    batches: BTreeMap<u64, Fate>,
    /// What each look at the table found: rows by batch.
    seen: Vec<BTreeMap<u64, u64>>,
    last: BTreeMap<u64, u64>,
}

pub struct Large {
    pace: Pace,
    record: RefCell<Record>,
}

impl Large {
    pub fn new(pace: Pace) -> Large {
        Large { pace, record: RefCell::default() }
    }

    async fn load_batch(&self, client: &Client, batch: u64) {
        let pad = "x".repeat(ROW_BYTES);
        let (fate, _) = client
            .transaction("BEGIN", async |c: &Client| {
                for first in (0..ROWS).step_by(STATEMENT_ROWS as usize) {
                    let rows: Vec<String> =
                        (first..first + STATEMENT_ROWS).map(|row| format!("({}, {batch}, '{pad}')", batch * 100 + row)).collect();
                    c.run(&format!("INSERT INTO big (id, batch, pad) VALUES {}", rows.join(", "))).await?;
                }
                Ok(())
            })
            .await;
        self.record.borrow_mut().batches.insert(batch, fate);
        if fate == Fate::Done {
            // Room is limited: what is old goes.
            let old = batch.saturating_sub(3);
            let result = client.run(&format!("DELETE FROM big WHERE id >= {} AND id < {}", batch / 1000 * 100_000, old * 100)).await;
            client.fate(&result);
        }
    }

    async fn look(&self, client: &Client) {
        if let Ok(reply) = client.run("SELECT id, batch FROM big").await {
            self.record.borrow_mut().seen.push(count(&reply));
        } else {
            client.recover().await;
        }
    }
}

fn count(reply: &crate::client::Reply) -> BTreeMap<u64, u64> {
    let mut rows = BTreeMap::new();
    super::bank::pairs(reply).for_each(|(_, batch)| *rows.entry(batch as u64).or_default() += 1);
    rows
}

impl Workload for Large {
    fn name(&self) -> &'static str {
        "large"
    }

    fn setup(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            client.insist("CREATE TABLE big (id bigint PRIMARY KEY, batch bigint NOT NULL, pad text NOT NULL)").await;
        })
    }

    fn load(self: Rc<Self>, client: Client) -> Task {
        Box::pin(async move {
            let mut number = 0;
            let mut next = client.now() + client.below(10 * SECOND);
            while self.pace.next(&client).await {
                if client.now() < next {
                    client.sleep(SECOND / 4).await;
                    continue;
                }
                number += 1;
                self.load_batch(&client, u64::from(client.id) * 1000 + number).await;
                if client.connect().await {
                    self.look(&client).await;
                }
                next = client.now() + client.between(10 * SECOND, 30 * SECOND);
            }
        })
    }

    fn finish(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            let reply = client.insist("SELECT id, batch FROM big").await;
            self.record.borrow_mut().last = count(&reply);
        })
    }

    fn check(&self, findings: &mut Findings) {
        let record = self.record.borrow();
        for seen in record.seen.iter().chain([&record.last]) {
            for (batch, rows) in seen {
                if *rows != ROWS {
                    findings.accuse("atomicity", format!("{rows} of {ROWS} rows of large transaction {batch} were seen"));
                }
                if record.batches.get(batch) == Some(&Fate::Refused) {
                    findings.accuse("phantom write", format!("rows of refused large transaction {batch} were seen"));
                }
            }
        }
        let newest = record.batches.iter().rev().find(|(_, fate)| **fate == Fate::Done);
        if let Some((batch, _)) = newest
            && !record.last.contains_key(batch)
        {
            findings.accuse("lost write", format!("acknowledged large transaction {batch} is gone"));
        }
        findings.counts.push(("large transactions", record.batches.values().filter(|f| **f == Fate::Done).count() as u64));
    }
}
