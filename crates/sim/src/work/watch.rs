//! Counters that few raise and others only watch, each client through the node of its own zone.
//!
//! Who writes through a leader that was cut off waits there until the commit is certain, and notices nothing else. So the roles are
//! parted here: in each zone one client raises that zone's counters, one looks at them under locks, and one reads those of other
//! zones. Whatever they are told must be the newest that anybody was told, and must never be taken back.

use super::counters::Counters;
use super::{Findings, Pace, Workload};
use crate::check::counter::Fact;
use crate::client::{Client, Failure, Reply, Task};
use crate::plan::NODES_MAX;
use crate::queue::Micros;
use base::NodeId;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Counters of each zone: who waits for one should not stand in the way of those that look at others.
const COUNTERS: u64 = 3;
/// One read in so many shows all counters.
const ALL_ONE_IN: u64 = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Raises,
    Locks,
    Reads,
}

const ROLES: [Role; 3] = [Role::Raises, Role::Locks, Role::Reads];

pub struct Watch {
    pace: Pace,
    counters: Counters,
    /// Clients that have begun, by the node that they stay near.
    begun: RefCell<BTreeMap<NodeId, usize>>,
}

fn counter_of(node: NodeId, number: u64) -> u64 {
    u64::from(node.0) * COUNTERS + number
}

impl Watch {
    pub fn new(pace: Pace) -> Watch {
        Watch { pace, counters: Counters::of("watched"), begun: RefCell::default() }
    }

    fn take_role(&self, home: NodeId) -> Role {
        let mut begun = self.begun.borrow_mut();
        let begun = begun.entry(home).or_default();
        *begun += 1;
        ROLES[(*begun - 1) % ROLES.len()]
    }

    /// What is seen under a lock inside a transaction is told before the transaction ends. Some change their mind then.
    /// Rows of other zones are written anew as they were: what was lost with a leader cannot simply be done again then.
    async fn lock(&self, client: &Client, home: NodeId) {
        let node = if client.one_in(2) { home } else { self.other(client, home) };
        let counter = counter_of(node, client.below(COUNTERS));
        let sql = match client.below(4) {
            0 => format!("SELECT id, value FROM watched WHERE id = {counter} FOR SHARE"),
            1 => format!("SELECT id, value FROM watched WHERE id = {counter} FOR UPDATE"),
            // The row is locked and seen in one step, which may be before it is committed.
            _ => format!("UPDATE watched SET value = value WHERE id = {counter} RETURNING id, value"),
        };
        let body = async |c: &Client| {
            self.look(c, &sql).await?;
            if c.one_in(2) { Err(Failure::Lost) } else { Ok(()) }
        };
        client.transaction("BEGIN", body).await;
    }

    async fn look(&self, client: &Client, sql: &str) -> Result<(), Failure> {
        let invoked = client.now();
        let reply = client.run(sql).await?;
        self.note_all(client, invoked, &reply);
        Ok(())
    }

    async fn read(&self, client: &Client, home: NodeId) {
        let invoked = client.now();
        let result = client.run(&self.choose_read(client, home)).await;
        if let (_, Some(reply)) = client.fate(&result) {
            self.note_all(client, invoked, reply);
        }
    }

    /// Mostly one counter of another zone.
    fn choose_read(&self, client: &Client, home: NodeId) -> String {
        if client.one_in(ALL_ONE_IN) {
            return "SELECT id, value FROM watched".to_string();
        }
        let counter = counter_of(self.other(client, home), client.below(COUNTERS));
        format!("SELECT id, value FROM watched WHERE id = {counter}")
    }

    fn other(&self, client: &Client, home: NodeId) -> NodeId {
        let others: Vec<NodeId> = self.begun.borrow().keys().copied().filter(|node| *node != home).collect();
        if others.is_empty() { home } else { others[client.below(others.len() as u64) as usize] }
    }

    fn note_all(&self, client: &Client, invoked: Micros, reply: &Reply) {
        for (counter, value) in super::bank::pairs(reply) {
            self.counters.note(client, counter, invoked, Fact::Value(value));
        }
    }
}

impl Workload for Watch {
    fn name(&self) -> &'static str {
        "watch"
    }

    fn setup(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            client.insist("CREATE TABLE watched (id bigint PRIMARY KEY, value bigint NOT NULL) WITH (shard_key = 'id')").await;
            let rows: Vec<String> = (0..counter_of(NodeId(NODES_MAX as u32 + 1), 0)).map(|id| format!("({id}, 0)")).collect();
            client.insist(&format!("INSERT INTO watched (id, value) VALUES {} ON CONFLICT (id) DO NOTHING", rows.join(", "))).await;
        })
    }

    fn load(self: Rc<Self>, client: Client) -> Task {
        Box::pin(async move {
            let home = client.near().expect("clients of a workload have a node near them");
            let role = self.take_role(home);
            client.stay_near();
            while self.pace.next(&client).await {
                match role {
                    Role::Raises => self.counters.raise(&client, counter_of(home, client.below(COUNTERS))).await,
                    Role::Locks => self.lock(&client, home).await,
                    Role::Reads => self.read(&client, home).await,
                }
            }
        })
    }

    fn finish(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            self.counters.finish(&client.insist("SELECT id, value FROM watched").await);
        })
    }

    fn check(&self, findings: &mut Findings) {
        let told = self.counters.check(findings);
        findings.counts.push(("values of watched rows", told));
    }
}
