//! A work queue in a table: workers take jobs with FOR UPDATE SKIP LOCKED; each job is done once.

use super::{Findings, Pace, Workload};
use crate::check::facts::check_jobs;
use crate::client::{Client, Failure, Task};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

#[derive(Default)]
struct Record {
    done: Vec<u64>,
    marked: BTreeMap<u64, bool>,
}

pub struct Jobs {
    pace: Pace,
    record: RefCell<Record>,
}

impl Jobs {
    pub fn new(pace: Pace) -> Jobs {
        Jobs { pace, record: RefCell::default() }
    }

    async fn add(client: &Client, number: u64) {
        let id = number * 1000 + u64::from(client.id);
        let result = client.run(&format!("INSERT INTO jobs (id, state) VALUES ({id}, 0)")).await;
        client.fate(&result);
    }

    async fn take(client: &Client, number: u64) {
        client
            .transaction("BEGIN", async |c: &Client| {
                let reply = c.run("SELECT id FROM jobs WHERE state = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED").await?;
                let Some(job) = reply.number(0, 0) else { return Ok(()) };
                let id = u64::from(c.id) * 1_000_000 + number;
                c.run(&format!("INSERT INTO work (id, job) VALUES ({id}, {job})")).await?;
                if c.one_in(10) {
                    return Err(Failure::Lost);
                }
                c.run(&format!("UPDATE jobs SET state = 1 WHERE id = {job}")).await.map(|_| ())
            })
            .await;
    }
}

impl Workload for Jobs {
    fn name(&self) -> &'static str {
        "jobs"
    }

    fn setup(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            client.insist("CREATE TABLE jobs (id bigint PRIMARY KEY, state int NOT NULL)").await;
            client.insist("CREATE INDEX jobs_state ON jobs (state)").await;
            client.insist("CREATE TABLE work (id bigint PRIMARY KEY, job bigint NOT NULL) WITH (shard_key = 'id')").await;
        })
    }

    fn load(self: Rc<Self>, client: Client) -> Task {
        Box::pin(async move {
            let mut number = 0;
            while self.pace.next(&client).await {
                number += 1;
                if client.one_in(2) { Jobs::add(&client, number).await } else { Jobs::take(&client, number).await }
            }
        })
    }

    fn finish(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            let jobs = client.insist("SELECT id, state FROM jobs").await;
            let work = client.insist("SELECT id, job FROM work").await;
            let mut record = self.record.borrow_mut();
            record.marked = super::bank::pairs(&jobs).map(|(id, state)| (id, state == 1)).collect();
            record.done = super::bank::pairs(&work).map(|(_, job)| job as u64).collect();
        })
    }

    fn check(&self, findings: &mut Findings) {
        let record = self.record.borrow();
        check_jobs(&record.done, &record.marked, &mut findings.violations);
        findings.counts.push(("jobs done", record.done.len() as u64));
    }
}
