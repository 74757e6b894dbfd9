//! Sequences: no number is given twice, whatever happens to the transactions that asked.

use super::{Findings, Pace, Workload};
use crate::check::facts::Numbers;
use crate::client::{Client, Failure, Task};
use std::cell::RefCell;
use std::rc::Rc;

pub struct Sequences {
    pace: Pace,
    numbers: RefCell<Numbers>,
}

impl Sequences {
    pub fn new(pace: Pace) -> Sequences {
        Sequences { pace, numbers: RefCell::default() }
    }

    async fn take(&self, client: &Client) -> Result<(), Failure> {
        let result = client.run("SELECT nextval('tickets')").await;
        client.fate(&result);
        let reply = result?;
        if let Some(number) = reply.number(0, 0) {
            self.numbers.borrow_mut().record(number, client.id, client.now());
        }
        Ok(())
    }
}

impl Workload for Sequences {
    fn name(&self) -> &'static str {
        "numbers"
    }

    fn setup(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            client.insist("CREATE SEQUENCE tickets").await;
        })
    }

    fn load(self: Rc<Self>, client: Client) -> Task {
        Box::pin(async move {
            while self.pace.next(&client).await {
                if client.one_in(3) {
                    // A rollback gives no number back.
                    client
                        .transaction("BEGIN", async |c: &Client| {
                            self.take(c).await?;
                            Err::<(), _>(Failure::Lost)
                        })
                        .await;
                } else if self.take(&client).await.is_err() {
                    client.recover().await;
                }
            }
        })
    }

    fn finish(self: Rc<Self>, client: Rc<Client>) -> Task {
        Box::pin(async move {
            if client.connect().await && self.take(&client).await.is_err() {
                client.close();
            }
        })
    }

    fn check(&self, findings: &mut Findings) {
        let numbers = self.numbers.borrow();
        numbers.check(&mut findings.violations);
        findings.counts.push(("numbers of a sequence", numbers.len() as u64));
    }
}
