//! A batch: events in order, chains whole or not at all, one code for each.

use crate::books::{Books, Overlay};
use crate::code::Code;
use crate::model::{Account, AccountFlags, Transfer, TransferFlags};
use crate::rules;

/// What a batch may consist of.
pub trait Event {
    fn is_linked(&self) -> bool;
    /// # Errors
    /// The code that says why it was refused.
    fn apply<B: Books>(&self, books: &mut B, timestamp: u64) -> Result<(), Code>;
    /// The id to remember if it was refused for a passing reason.
    fn failing_id(&self) -> Option<u128>;
}

impl Event for Account {
    fn is_linked(&self) -> bool {
        self.flags.has(AccountFlags::LINKED)
    }

    fn apply<B: Books>(&self, books: &mut B, timestamp: u64) -> Result<(), Code> {
        rules::open_account(books, self, timestamp)
    }

    fn failing_id(&self) -> Option<u128> {
        None
    }
}

impl Event for Transfer {
    fn is_linked(&self) -> bool {
        self.flags.has(TransferFlags::LINKED)
    }

    fn apply<B: Books>(&self, books: &mut B, timestamp: u64) -> Result<(), Code> {
        rules::transfer(books, self, timestamp)
    }

    fn failing_id(&self) -> Option<u128> {
        Some(self.id)
    }
}

/// Runs batches against books.
pub struct Batch<'a, B: Books> {
    books: &'a mut B,
}

impl<'a, B: Books> Batch<'a, B> {
    pub fn new(books: &'a mut B) -> Batch<'a, B> {
        Batch { books }
    }

    /// Applies all events; event number `n` gets timestamp `first_timestamp + n`. One code for each, in order.
    pub fn run<E: Event>(&mut self, events: &[E], first_timestamp: u64) -> Vec<Code> {
        let mut codes = Vec::with_capacity(events.len());
        let mut start = 0;
        while start < events.len() {
            let linked = events[start..].iter().take_while(|event| event.is_linked()).count();
            let end = start + linked + 1;
            if end > events.len() {
                // The batch ended inside the chain: its last event is to blame.
                codes.extend((start..events.len() - 1).map(|_| Code::LinkedEventFailed));
                codes.push(Code::LinkedChainOpen);
                break;
            }
            codes.extend(self.chain(&events[start..end], first_timestamp + start as u64));
            start = end;
        }
        assert_eq!(codes.len(), events.len(), "each event gets one code");
        codes
    }

    /// A single event is a chain of one.
    fn chain<E: Event>(&mut self, events: &[E], first_timestamp: u64) -> Vec<Code> {
        let mut overlay = Overlay::new(self.books);
        let mut failure = None;
        for (index, event) in events.iter().enumerate() {
            if let Err(code) = event.apply(&mut overlay, first_timestamp + index as u64) {
                failure = Some((index, code));
                break;
            }
        }
        let Some((failed, code)) = failure else {
            overlay.accept();
            return vec![Code::Ok; events.len()];
        };
        drop(overlay);
        if let (true, Some(id)) = (code.is_passing(), events[failed].failing_id()) {
            self.books.put_failed(id);
        }
        (0..events.len()).map(|index| if index == failed { code } else { Code::LinkedEventFailed }).collect()
    }
}
