//! Single transfers of many sessions, booked together: what waits while a batch is on its way goes into the next one.
//!
//! A statement that is one transfer and a transaction of its own hands it over here and waits for its outcome. A batch is one transaction, so its cost is
//! shared; it says nothing that a transaction of each would not have said. If it fails as a whole, each session books its own.

use crate::backend::NodeBackend;
use crate::session::INTERNAL_SESSIONS;
use crate::slot::Slot;
use base::{Error, Result, SessionId, SqlState};
use ledger::{Outcome, Transfer};
use sql::backend::Backend;
use sql::ledger::Booker;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

/// Batches on their way at once: the next one is made while the majority writes the last.
pub(crate) const BOOKERS: [SessionId; 2] = [SessionId(INTERNAL_SESSIONS + 4), SessionId(INTERNAL_SESSIONS + 5)];
/// Transfers of one batch.
const BATCH_MAX: usize = 512;

struct Booking {
    session: SessionId,
    transfer: Transfer,
    /// `None`: the batch failed.
    outcome: Slot<Option<Outcome>>,
}

/// Transfers that wait: at most one for each session.
#[derive(Default)]
pub(crate) struct Bookings {
    queue: VecDeque<Booking>,
}

impl NodeBackend {
    /// The outcome of a transfer that was booked with others; `None` if the session must do it itself.
    pub(crate) async fn book_with_others(&self, transfer: Transfer) -> Result<Option<Outcome>> {
        let outcome = Slot::new();
        {
            let mut core = self.core.borrow_mut();
            let booking = Booking { session: self.state.id, transfer, outcome: outcome.clone() };
            core.bookings.queue.push_back(booking);
            for booker in BOOKERS {
                core.wake(booker);
            }
        }
        poll_fn(|_| {
            if let Some(outcome) = outcome.take() {
                return Poll::Ready(Ok(outcome));
            }
            match self.state.interrupted() {
                Some(error) if self.take_back() => Poll::Ready(Err(error)),
                Some(error) => Poll::Ready(Err(
                    error.with_detail("The transfer is on its way and may still be booked: sent again with its id, it tells.")
                )),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// True if the session's transfer still waited; it is not booked then.
    fn take_back(&self) -> bool {
        let queue = &mut self.core.borrow_mut().bookings.queue;
        let before = queue.len();
        queue.retain(|booking| booking.session != self.state.id);
        queue.len() < before
    }

    fn next_bookings(&self) -> Vec<Booking> {
        let queue = &mut self.core.borrow_mut().bookings.queue;
        let count = queue.len().min(BATCH_MAX);
        // A session that is gone took its slot with it.
        queue.drain(..count).filter(|booking| !booking.outcome.is_abandoned()).collect()
    }
}

/// Somebody else holds a row: happens as often as it likes.
fn is_of_the_day(error: &Error) -> bool {
    [SqlState::LOCK_NOT_AVAILABLE, SqlState::SERIALIZATION_FAILURE, SqlState::DEADLOCK_DETECTED].contains(&error.state())
}

/// Never ends.
pub(crate) async fn book(backend: NodeBackend) {
    let backend = Rc::new(backend);
    let shared: Rc<dyn Backend> = Rc::<NodeBackend>::clone(&backend);
    let mut booker = Booker::new(shared);
    loop {
        let bookings = poll_fn(|_| match backend.next_bookings() {
            bookings if bookings.is_empty() => Poll::Pending,
            bookings => Poll::Ready(bookings),
        })
        .await;
        let (waiting, transfers): (Vec<_>, Vec<_>) =
            bookings.into_iter().map(|Booking { session, transfer, outcome }| ((session, outcome), transfer)).unzip();
        let outcomes = booker.book(transfers).await;
        let mut core = backend.core.borrow_mut();
        if let Err(error) = &outcomes
            && !is_of_the_day(error)
        {
            core.info(format!("{} transfers are booked one by one: {error}", waiting.len()));
        }
        for (at, (session, slot)) in waiting.into_iter().enumerate() {
            slot.fill(outcomes.as_ref().ok().and_then(|outcomes| outcomes.get(at).copied()));
            core.wake(session);
        }
    }
}
