//! Workloads: what clients do, and what they note down for the checkers.
//!
//! Each keeps its own record of calls and answers, in shared memory of the one thread.

mod bank;
mod counters;
mod hot;
mod inserts;
mod jobs;
mod large;
mod ledger;
mod lists;
mod numbers;
mod registers;
mod schema;
mod watch;

use crate::check::Violation;
use crate::client::{Client, Task};
use crate::plan::WorkloadKind;
use crate::queue::{MILLI, Micros};
use std::rc::Rc;

#[derive(Debug, Default)]
pub struct Findings {
    pub violations: Vec<Violation>,
    /// Histories too wide to decide.
    pub undecided: u32,
    /// What was looked at, by name.
    pub counts: Vec<(&'static str, u64)>,
}

impl Findings {
    pub fn accuse(&mut self, checker: &'static str, message: impl Into<String>) {
        self.violations.push(Violation::new(checker, message));
    }
}

pub trait Workload {
    fn name(&self) -> &'static str;
    /// Makes tables and first rows.
    fn setup(self: Rc<Self>, client: Rc<Client>) -> Task;
    /// One client's loop, until the hub says stop.
    fn load(self: Rc<Self>, client: Client) -> Task;
    /// Reads what is there at the end.
    fn finish(self: Rc<Self>, client: Rc<Client>) -> Task;
    fn check(&self, findings: &mut Findings);
}

/// Pause between two transactions of a client.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub low: Micros,
    pub high: Micros,
    /// So many times as long while faults strike. Afterwards clients keep to the plan: they are to show that all goes on.
    pub factor: u64,
}

impl Pace {
    pub fn from_millis([low, high]: [u64; 2]) -> Pace {
        Pace { low: low * MILLI, high: high * MILLI, factor: 1 }
    }

    pub fn times(self, factor: u64) -> Pace {
        Pace { factor, ..self }
    }

    /// Pauses, connects if need be, and answers true; false when the load is over.
    async fn next(self, client: &Client) -> bool {
        loop {
            let pause = client.between(self.low, self.high);
            let factor = if client.is_calm() { 1 } else { self.factor };
            client.sleep(pause * factor).await;
            if client.stopping() {
                client.close();
                return false;
            }
            // Connections do not last for ever, so that every node gets its share.
            if client.one_in(200) {
                client.close();
            }
            if client.connect().await {
                return true;
            }
        }
    }
}

pub fn make(kind: WorkloadKind, pace: Pace) -> Rc<dyn Workload> {
    match kind {
        WorkloadKind::Bank => Rc::new(bank::Bank::new(pace)),
        WorkloadKind::Registers => Rc::new(registers::Registers::new(pace)),
        WorkloadKind::Lists => Rc::new(lists::Lists::new(pace)),
        WorkloadKind::Inserts => Rc::new(inserts::InsertRows::new(pace)),
        WorkloadKind::Numbers => Rc::new(numbers::Sequences::new(pace)),
        WorkloadKind::Jobs => Rc::new(jobs::Jobs::new(pace)),
        WorkloadKind::Schema => Rc::new(schema::SchemaChanges::new(pace)),
        WorkloadKind::Hot => Rc::new(hot::Hot::new(pace)),
        WorkloadKind::Watch => Rc::new(watch::Watch::new(pace)),
        WorkloadKind::Large => Rc::new(large::Large::new(pace)),
        WorkloadKind::Ledger => Rc::new(ledger::Ledger::new(pace)),
    }
}
