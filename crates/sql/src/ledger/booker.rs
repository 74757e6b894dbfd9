//! Batches of single transfers that sessions hand over to their node: each batch is a transaction of its own.

use super::books::Share;
use super::planted::{self, Bug};
use crate::backend::{Backend, CallError};
use crate::catalog::store::FIRST_ROLE;
use crate::session::Session;
use crate::session::txn::{Block, Exec};
use base::Result;
use ledger::{Outcome, Transfer};
use std::rc::Rc;

/// Who waits for a row longer holds up others who do not want it: then each transfer is left to its own session.
const LOCK_TIMEOUT: &str = "50ms";

pub struct Booker {
    session: Session,
}

impl Booker {
    pub fn new(backend: Rc<dyn Backend>) -> Booker {
        let mut session = Session::new(backend, FIRST_ROLE, FIRST_ROLE);
        session.set_for_itself("lock_timeout", LOCK_TIMEOUT);
        Booker { session }
    }

    /// One outcome for each transfer, once all are durable.
    ///
    /// # Errors
    /// Nothing was booked, unless the error says that this is not known (`08007`). Booking all again is safe in any case.
    pub async fn book(&mut self, transfers: Vec<Transfer>) -> Result<Vec<Outcome>> {
        self.session.ensure_txn(Block::Implicit);
        match self.in_transaction(transfers).await {
            Ok(outcomes) => {
                let committed = self.session.commit_txn().await;
                if !planted::active(Bug::AnswerAnyway) {
                    committed?;
                }
                Ok(outcomes)
            }
            Err(error) => {
                self.session.rollback_txn();
                match error {
                    CallError::Error(error) => Err(error),
                    CallError::StaleSchema(version) => {
                        self.session.backend.refresh_catalog(version).await?;
                        Err(crate::session::statement::schema_lock_lost())
                    }
                }
            }
        }
    }

    async fn in_transaction(&mut self, transfers: Vec<Transfer>) -> Exec<Vec<Outcome>> {
        let mut run = self.session.new_run(Vec::new(), Vec::new());
        self.session.begin_own_statement();
        self.session.book_singly(transfers, Share::Whole, &mut run).await
    }
}
