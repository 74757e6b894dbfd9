//! Rows that clients raise by one, and what each client heard of them.

use super::Findings;
use crate::check::counter::{self, Event, Fact};
use crate::client::{Client, Reply};
use crate::queue::Micros;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The rows of one table with the columns `id` and `value`.
pub struct Counters {
    table: &'static str,
    events: RefCell<BTreeMap<u64, Vec<Event>>>,
    last: RefCell<BTreeMap<u64, i64>>,
}

impl Counters {
    pub fn of(table: &'static str) -> Counters {
        Counters { table, events: RefCell::default(), last: RefCell::default() }
    }

    pub fn note(&self, client: &Client, counter: u64, invoked: Micros, fact: Fact) {
        let event = Event { client: client.id, invoked, returned: client.now(), fact };
        self.events.borrow_mut().entry(counter).or_default().push(event);
    }

    /// One statement that raises and tells.
    pub async fn raise(&self, client: &Client, counter: u64) {
        let invoked = client.now();
        let result = client.run(&format!("UPDATE {} SET value = value + 1 WHERE id = {counter} RETURNING value", self.table)).await;
        let (fate, reply) = client.fate(&result);
        if let Some(fact) = counter::of_fate(fate, reply.and_then(|reply| reply.number(0, 0))) {
            self.note(client, counter, invoked, fact);
        }
    }

    /// The highest of the last values that clients have heard of.
    pub fn known(&self, counter: u64) -> i64 {
        let events = self.events.borrow();
        let events = events.get(&counter).map(Vec::as_slice).unwrap_or_default();
        let values = events.iter().rev().take(20).filter_map(|event| match event.fact {
            Fact::Value(value) | Fact::Raised(value) => Some(value),
            _ => None,
        });
        values.max().unwrap_or(0)
    }

    /// What the table holds at the end.
    pub fn finish(&self, rows: &Reply) {
        *self.last.borrow_mut() = super::bank::pairs(rows).collect();
    }

    /// Accuses whatever no order of the raises explains. Returns how many facts were looked at.
    pub fn check(&self, findings: &mut Findings) -> u64 {
        let last = self.last.borrow();
        let mut facts = 0;
        for (counter, events) in self.events.borrow().iter() {
            let last = last.get(counter).copied().unwrap_or(i64::MIN);
            counter::check(&format!("{} row {counter}", self.table), events, last, &mut findings.violations);
            facts += events.len() as u64;
        }
        facts
    }
}
