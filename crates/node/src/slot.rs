//! Where one answer is put for the session that waits for it.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::task::Poll;

/// Filled once; whoever fills it wakes the session.
#[derive(Debug)]
pub(crate) struct Slot<T>(Rc<RefCell<Option<T>>>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Slot<T> {
        Slot(Rc::clone(&self.0))
    }
}

impl<T> Slot<T> {
    pub fn new() -> Slot<T> {
        Slot(Rc::new(RefCell::new(None)))
    }

    pub fn fill(&self, value: T) {
        *self.0.borrow_mut() = Some(value);
    }

    pub fn take(&self) -> Option<T> {
        self.0.borrow_mut().take()
    }

    /// True if the session gave up waiting.
    pub fn is_abandoned(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }

    pub fn wait(self) -> impl Future<Output = T> {
        std::future::poll_fn(move |_| match self.take() {
            Some(value) => Poll::Ready(value),
            None => Poll::Pending,
        })
    }
}
