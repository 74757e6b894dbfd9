//! A batch: events in order, chains whole or not at all, one outcome for each.

use crate::books::{Books, Kind};
use crate::code::Code;
use crate::memory::MemoryBooks;
use crate::model::{Account, AccountFlags, Transfer, TransferFlags};
use crate::needs::{Needs, needs_of_event};
use crate::overlay::Overlay;
use crate::rules;
use serde::{Deserialize, Serialize};

/// The answer for one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub code: Code,
    /// Nanoseconds: what the event was booked at; for [`Code::Exists`] what the one that is there was; else when it was refused.
    pub timestamp: u64,
}

/// What a batch may consist of.
pub trait Event {
    const KIND: Kind;
    fn is_linked(&self) -> bool;
    fn is_imported(&self) -> bool;
    /// Every check, then the change. A refusal changes nothing. `timestamp` is the time at which it is booked, unless it is imported.
    fn apply<B: Books>(&self, books: &mut B, timestamp: u64) -> Outcome;
    /// The id to remember if it was refused for a passing reason.
    fn failing_id(&self) -> Option<u128>;
    /// Adds what the event will read, as far as the event alone tells; for the rest see [`crate::needs_of_referred`].
    fn needs(&self, needs: &mut Needs);
}

impl Event for Account {
    const KIND: Kind = Kind::Account;

    fn is_linked(&self) -> bool {
        self.flags.has(AccountFlags::LINKED)
    }

    fn is_imported(&self) -> bool {
        self.flags.has(AccountFlags::IMPORTED)
    }

    fn apply<B: Books>(&self, books: &mut B, timestamp: u64) -> Outcome {
        match rules::open_account(books, self, timestamp) {
            Ok(timestamp) => Outcome { code: Code::Ok, timestamp },
            Err(Code::Exists) => {
                let there = books.account(self.id).map_or(timestamp, |there| there.timestamp);
                Outcome { code: Code::Exists, timestamp: there }
            }
            Err(code) => Outcome { code, timestamp },
        }
    }

    fn failing_id(&self) -> Option<u128> {
        None
    }

    fn needs(&self, needs: &mut Needs) {
        needs.account(self.id);
        needs.account(self.parent);
        needs.ledger(self.ledger);
    }
}

impl Event for Transfer {
    const KIND: Kind = Kind::Transfer;

    fn is_linked(&self) -> bool {
        self.flags.has(TransferFlags::LINKED)
    }

    fn is_imported(&self) -> bool {
        self.flags.has(TransferFlags::IMPORTED)
    }

    fn apply<B: Books>(&self, books: &mut B, timestamp: u64) -> Outcome {
        match rules::transfer(books, self, timestamp) {
            Ok(timestamp) => Outcome { code: Code::Ok, timestamp },
            Err(Code::Exists) => {
                let there = books.transfer(self.id).map_or(timestamp, |there| there.timestamp);
                Outcome { code: Code::Exists, timestamp: there }
            }
            Err(code) => Outcome { code, timestamp },
        }
    }

    fn failing_id(&self) -> Option<u128> {
        Some(self.id)
    }

    fn needs(&self, needs: &mut Needs) {
        needs_of_event(self, needs);
    }
}

/// Nanoseconds between the timestamps that one node of a cluster gives, so that others can give those between: see [`Batch::run_spaced`].
pub const TIMESTAMP_STRIDE: u64 = 1_024;

/// Runs batches against books.
pub struct Batch<'a, B: Books> {
    books: &'a mut B,
    /// What the chain at hand has changed.
    changes: MemoryBooks,
}

impl<'a, B: Books> Batch<'a, B> {
    pub fn new(books: &'a mut B) -> Batch<'a, B> {
        Batch { books, changes: MemoryBooks::default() }
    }

    /// Applies all events; event number `n` gets timestamp `first_timestamp + n`, in nanoseconds, or later if the books are
    /// already further. Imported ones keep their own, which lie before that. One outcome for each, in order.
    pub fn run<E: Event>(&mut self, events: &[E], first_timestamp: u64) -> Vec<Outcome> {
        self.run_spaced(events, first_timestamp, 1)
    }

    /// As [`Batch::run`], but timestamps are `stride` apart: those between them are others'.
    pub fn run_spaced<E: Event>(&mut self, events: &[E], first_timestamp: u64, stride: u64) -> Vec<Outcome> {
        let first_timestamp = first_timestamp.max(self.books.last_timestamp(E::KIND).saturating_add(1));
        let imports = events.first().is_some_and(E::is_imported);
        let mut outcomes = Vec::with_capacity(events.len());
        let mut start = 0;
        while start < events.len() {
            let timestamp = first_timestamp.saturating_add(start as u64 * stride);
            if !events[start].is_linked() {
                // All checks of an event come before its first change, so it needs no layer that can be dropped.
                let outcome = apply(self.books, &events[start], imports, timestamp);
                self.remember(&events[start], outcome.code);
                outcomes.push(outcome);
                start += 1;
                continue;
            }
            let linked = events[start..].iter().take_while(|event| event.is_linked()).count();
            let end = (start + linked + 1).min(events.len());
            self.chain(&events[start..end], imports, (timestamp, stride), &mut outcomes);
            start = end;
        }
        assert_eq!(outcomes.len(), events.len(), "each event gets one outcome");
        outcomes
    }

    fn chain<E: Event>(&mut self, events: &[E], imports: bool, (first, stride): (u64, u64), outcomes: &mut Vec<Outcome>) {
        let last = events.len() - 1;
        let at = |index: usize| first.saturating_add(index as u64 * stride);
        let start = outcomes.len();
        let mut failed = None;
        if events[last].is_linked() {
            // The batch ended inside the chain: its last event is to blame.
            failed = Some((last, Outcome { code: Code::LinkedChainOpen, timestamp: at(last) }));
        } else {
            let mut overlay = Overlay::new(self.books, &mut self.changes);
            for (index, event) in events.iter().enumerate() {
                let outcome = apply(&mut overlay, event, imports, at(index));
                if outcome.code != Code::Ok {
                    failed = Some((index, outcome));
                    break;
                }
                outcomes.push(outcome);
            }
            if failed.is_none() {
                overlay.accept();
            }
        }
        if let Some((culprit, outcome)) = failed {
            outcomes.truncate(start);
            outcomes.extend((0..=last).map(|index| Outcome { code: Code::LinkedEventFailed, timestamp: at(index) }));
            outcomes[start + culprit] = outcome;
            self.remember(&events[culprit], outcome.code);
        }
    }

    fn remember<E: Event>(&mut self, event: &E, code: Code) {
        if let (true, Some(id)) = (code.is_passing(), event.failing_id()) {
            self.books.put_failed(id);
        }
    }
}

fn apply<B: Books, E: Event>(books: &mut B, event: &E, imports: bool, timestamp: u64) -> Outcome {
    match (imports, event.is_imported()) {
        (true, false) => Outcome { code: Code::ImportedExpected, timestamp },
        (false, true) => Outcome { code: Code::ImportedNotExpected, timestamp },
        _ => event.apply(books, timestamp),
    }
}
