//! Schema changes amid traffic: columns and indexes come, a side table is emptied, and writers go on.

use super::{Findings, Pace, Workload};
use crate::check::Fate;
use crate::client::{Client, Task};
use crate::queue::{Micros, SECOND};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Columns added at most: a table has a limited number of them.
const COLUMNS_MAX: u64 = 40;

#[derive(Clone, Copy, Debug)]
struct Span {
    called: Micros,
    ended: Micros,
    fate: Fate,
}

#[derive(Default)]
struct Record {
    inserted: BTreeMap<u64, Span>,
    truncated: Vec<Span>,
    last: BTreeSet<u64>,
    changes: u64,
    columns: u64,
}

pub struct SchemaChanges {
    pace: Pace,
    record: RefCell<Record>,
}

impl SchemaChanges {
    pub fn new(pace: Pace) -> SchemaChanges {
        SchemaChanges { pace, record: RefCell::default() }
    }

    async fn change(&self, client: &Client) {
        let called = client.now();
        let kind = client.below(4);
        let number = {
            let mut record = self.record.borrow_mut();
            record.changes += 1;
            record.changes
        };
        let sql = match kind {
            0 if self.record.borrow().columns < COLUMNS_MAX => {
                self.record.borrow_mut().columns += 1;
                format!("ALTER TABLE side ADD COLUMN extra{number} bigint DEFAULT {number}")
            }
            0 | 1 => format!("CREATE INDEX side_index{number} ON side (a)"),
            2 => format!("DROP INDEX IF EXISTS side_index{}", number.saturating_sub(client.between(1, 6))),
            _ => "TRUNCATE side".to_string(),
        };
        let result = client.run(&sql).await;
        let (fate, _) = client.fate(&result);
        if kind == 3 {
            self.record.borrow_mut().truncated.push(Span { called, ended: client.now(), fate });
        }
    }

    async fn insert(&self, client: &Client, id: u64) {
        let called = client.now();
        let result = client.run(&format!("INSERT INTO side (id, a) VALUES ({id}, {})", id % 3)).await;
        let (fate, _) = client.fate(&result);
        self.record.borrow_mut().inserted.insert(id, Span { called, ended: client.now(), fate });
    }
}

impl Workload for SchemaChanges {
    fn name(&self) -> &'static str {
        "schema"
    }

    fn setup(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            client.insist("CREATE TABLE side (id bigint PRIMARY KEY, a bigint)").await;
        })
    }

    fn load(self: Rc<Self>, client: Client) -> Task {
        Box::pin(async move {
            let mut number = 0;
            let mut next_change = client.now() + client.below(4 * SECOND);
            while self.pace.next(&client).await {
                number += 1;
                if client.now() >= next_change {
                    self.change(&client).await;
                    next_change = client.now() + client.between(SECOND, 8 * SECOND);
                } else {
                    self.insert(&client, u64::from(client.id) * 1_000_000 + number).await;
                }
            }
        })
    }

    fn finish(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            let rows = client.insist("SELECT id, a FROM side").await;
            self.record.borrow_mut().last = super::bank::pairs(&rows).map(|(id, _)| id).collect();
        })
    }

    fn check(&self, findings: &mut Findings) {
        let record = self.record.borrow();
        for (id, insert) in &record.inserted {
            let there = record.last.contains(id);
            let emptied_after = record.truncated.iter().any(|t| t.fate != Fate::Refused && t.ended >= insert.called);
            let emptied_surely = record.truncated.iter().any(|t| t.fate == Fate::Done && t.called > insert.ended);
            if insert.fate == Fate::Done && !there && !emptied_after && !unknown_truncate(&record.truncated) {
                findings.accuse("lost write", format!("side: acknowledged row {id} is gone, though the table was not emptied since"));
            }
            if there && (insert.fate == Fate::Refused || (insert.fate == Fate::Done && emptied_surely)) {
                findings.accuse("phantom write", format!("side: row {id} ({insert:?}) is there, refused or removed by a later TRUNCATE"));
            }
        }
        findings.counts.push(("schema changes", record.changes));
    }
}

/// One whose answer was lost may have taken effect at any later time.
fn unknown_truncate(truncated: &[Span]) -> bool {
    truncated.iter().any(|t| t.fate == Fate::Unknown)
}
