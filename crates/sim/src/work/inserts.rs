//! Rows inserted once under a key, tried again after a lost answer; a secondary index that must agree with its table.

use super::{Findings, Pace, Workload};
use crate::check::Fate;
use crate::check::facts::Inserts;
use crate::client::{Client, Task};
use crate::queue::{Micros, SECOND};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Few values, so that the index has many entries of each.
const TAGS: u64 = 5;

/// Least time between two comparisons of index and table.
const COMPARISON_PAUSE: Micros = SECOND;
/// A comparison reads all rows: so many of a second at most, or a table that grows fast would leave time for nothing else.
const COMPARED_ROWS_MAX: u64 = 3000;

#[derive(Default)]
struct Record {
    inserts: Inserts,
    last: Vec<(u64, i64)>,
    disagreements: Vec<String>,
    comparisons: u64,
    last_comparison: Micros,
}

pub struct InsertRows {
    pace: Pace,
    record: RefCell<Record>,
}

impl InsertRows {
    pub fn new(pace: Pace) -> InsertRows {
        InsertRows { pace, record: RefCell::default() }
    }

    async fn insert(&self, client: &Client, key: u64) {
        let tag = key % TAGS;
        let content = (key * 7 + 1) as i64;
        let sql = format!("INSERT INTO facts (id, content, tag) VALUES ({key}, {content}, 'tag{tag}') ON CONFLICT (id) DO NOTHING");
        let mut fate = client.fate(&client.run(&sql).await).0;
        while fate == Fate::Unknown && !client.stopping() {
            // The same insert again: done now or done before, it is there once.
            if client.connect().await && client.fate(&client.run(&sql).await).0 == Fate::Done {
                fate = Fate::Done;
            }
        }
        self.record.borrow_mut().inserts.record(key, content, fate);
    }

    /// The more clients insert, and the more rows there are, the fewer of them compare.
    fn comparison_is_due(&self, client: &Client) -> bool {
        let mut record = self.record.borrow_mut();
        let seconds = (record.inserts.tried.len() as u64 / COMPARED_ROWS_MAX).max(1);
        let due = client.now() >= record.last_comparison + seconds * COMPARISON_PAUSE;
        if due {
            record.last_comparison = client.now();
        }
        due
    }

    /// Both ways to the same rows, in one snapshot.
    async fn compare(&self, client: &Client) {
        let tag = client.below(TAGS);
        let (_, found) = client
            .transaction("BEGIN ISOLATION LEVEL REPEATABLE READ", async |c: &Client| {
                let by_index = c.run(&format!("SELECT id FROM facts WHERE tag = 'tag{tag}'")).await?;
                let by_table = c.run("SELECT id, content FROM facts").await?;
                Ok((by_index, by_table))
            })
            .await;
        let Some((by_index, by_table)) = found else { return };
        let ids = |reply: &crate::client::Reply| -> BTreeSet<i64> { (0..reply.rows.len()).filter_map(|r| reply.number(r, 0)).collect() };
        let expected: BTreeSet<i64> = ids(&by_table).into_iter().filter(|id| *id as u64 % TAGS == tag).collect();
        let mut record = self.record.borrow_mut();
        record.comparisons += 1;
        if ids(&by_index) != expected || by_index.rows.len() != expected.len() {
            let difference: Vec<i64> = ids(&by_index).symmetric_difference(&expected).take(10).copied().collect();
            let at = crate::check::seconds(client.now());
            record.disagreements.push(format!("client {} at {at}: index and table differ for tag{tag} in {difference:?}", client.id));
        }
    }
}

impl Workload for InsertRows {
    fn name(&self) -> &'static str {
        "inserts"
    }

    fn setup(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            client.insist("CREATE TABLE facts (id bigint PRIMARY KEY, content bigint NOT NULL, tag text NOT NULL)").await;
            client.insist("CREATE INDEX facts_tag ON facts (tag)").await;
        })
    }

    fn load(self: Rc<Self>, client: Client) -> Task {
        Box::pin(async move {
            let mut number = 0;
            while self.pace.next(&client).await {
                number += 1;
                if client.one_in(20) && self.comparison_is_due(&client) {
                    self.compare(&client).await;
                } else {
                    self.insert(&client, u64::from(client.id) * 1_000_000 + number).await;
                }
            }
        })
    }

    fn finish(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            let rows = client.insist("SELECT id, content FROM facts").await;
            self.record.borrow_mut().last = super::bank::pairs(&rows).collect();
            if client.connect().await {
                self.compare(&client).await;
            }
        })
    }

    fn check(&self, findings: &mut Findings) {
        let record = self.record.borrow();
        record.inserts.check("facts", &record.last, &mut findings.violations);
        for text in &record.disagreements {
            findings.accuse("index", text.clone());
        }
        findings.counts.push(("rows inserted", record.last.len() as u64));
        findings.counts.push(("comparisons of index and table", record.comparisons));
    }
}
