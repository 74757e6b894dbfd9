//! How much of what a client sent is not answered yet: beyond a bound its socket is not read.
//!
//! Answers are matched to requests only as far as is needed for the bound: exactly at each `ReadyForQuery`, by count in between.

use bytes::Bytes;
use sql::client::{ClientRequest, ClientResponse};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Most requests of one client that wait for an answer.
pub const REQUESTS_MAX: usize = 2048;
/// Most bytes in them. One request may be longer.
pub const REQUEST_BYTES_MAX: usize = 8 << 20;
/// Most bytes of COPY data that the session has not taken yet.
pub const COPY_BYTES_MAX: usize = 4 << 20;

#[derive(Default)]
pub struct Window {
    /// Bytes of each request that is not answered, and whether it ends in `ReadyForQuery`.
    waiting: VecDeque<(usize, bool)>,
    bytes: usize,
    /// After an error the session throws away what comes before the next `Sync`, unanswered.
    skipping: bool,
    copying: bool,
    copy: Arc<CopyCredit>,
}

/// Returned as COPY data is dropped, wherever that happens.
#[derive(Default)]
pub struct CopyCredit {
    bytes: AtomicUsize,
    pub returned: Notify,
}

struct Counted {
    data: Bytes,
    credit: Arc<CopyCredit>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let before = self.credit.bytes.fetch_sub(self.data.len(), Ordering::AcqRel);
        if before > COPY_BYTES_MAX && before - self.data.len() <= COPY_BYTES_MAX {
            self.credit.returned.notify_one();
        }
    }
}

impl Window {
    /// Counts a request of `bytes` on the wire; COPY data is wrapped so that its use is seen.
    pub fn sent(&mut self, request: ClientRequest, bytes: usize) -> ClientRequest {
        match request {
            ClientRequest::CopyData(data) => {
                self.copy.bytes.fetch_add(data.len(), Ordering::AcqRel);
                return ClientRequest::CopyData(Bytes::from_owner(Counted { data, credit: Arc::clone(&self.copy) }));
            }
            ClientRequest::CopyDone | ClientRequest::CopyFail(_) | ClientRequest::Flush => {}
            ClientRequest::Query { .. } | ClientRequest::Sync | ClientRequest::Open { .. } => self.wait(bytes, true),
            _ => self.wait(bytes, false),
        }
        request
    }

    fn wait(&mut self, bytes: usize, ends: bool) {
        self.bytes += bytes;
        self.waiting.push_back((bytes, ends));
    }

    /// Takes note of an answer.
    pub fn answered(&mut self, response: &ClientResponse) {
        match response {
            ClientResponse::ParseComplete
            | ClientResponse::BindComplete
            | ClientResponse::CloseComplete
            | ClientResponse::NoData
            | ClientResponse::RowDescription(_)
            | ClientResponse::PortalSuspended
            | ClientResponse::EmptyQuery
            | ClientResponse::Complete(_) => {
                self.copying = false;
                if self.waiting.front().is_some_and(|(_, ends)| !ends) {
                    self.pop();
                }
            }
            ClientResponse::CopyIn { .. } => self.copying = true,
            ClientResponse::Error(..) => {
                self.copying = false;
                self.skipping = self.waiting.front().is_none_or(|(_, ends)| !ends);
            }
            ClientResponse::Ready(_) => {
                self.skipping = false;
                self.copying = false;
                while self.pop().is_some_and(|ends| !ends) {}
            }
            _ => {}
        }
    }

    fn pop(&mut self) -> Option<bool> {
        let (bytes, ends) = self.waiting.pop_front()?;
        self.bytes -= bytes;
        Some(ends)
    }

    pub fn is_open(&self) -> bool {
        let requests = self.skipping || (self.waiting.len() < REQUESTS_MAX && self.bytes < REQUEST_BYTES_MAX);
        requests && self.copy.bytes.load(Ordering::Acquire) <= COPY_BYTES_MAX
    }

    /// True if nothing that the client sent is still worked on, or only data that will never come is awaited.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() || self.copying
    }

    pub fn copy_credit(&self) -> Arc<CopyCredit> {
        Arc::clone(&self.copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Error;
    use sql::client::{Severity, Target, TxnStatus};

    fn describe() -> ClientRequest {
        ClientRequest::Describe { target: Target::Portal, name: String::new() }
    }

    #[test]
    fn a_flood_of_unanswered_requests_closes_the_window_and_ready_opens_it() {
        let mut window = Window::default();
        for _ in 0..REQUESTS_MAX {
            assert!(window.is_open());
            window.sent(describe(), 8);
        }
        assert!(!window.is_open());
        window.sent(ClientRequest::Sync, 5);
        window.answered(&ClientResponse::Ready(TxnStatus::Idle));
        assert!(window.is_open() && window.is_idle());
    }

    #[test]
    fn answers_open_the_window_before_the_sync() {
        let mut window = Window::default();
        (0..REQUESTS_MAX).for_each(|_| drop(window.sent(describe(), 8)));
        window.answered(&ClientResponse::NoData);
        assert!(window.is_open());
    }

    #[test]
    fn after_an_error_everything_up_to_the_sync_is_read() {
        let mut window = Window::default();
        (0..REQUESTS_MAX).for_each(|_| drop(window.sent(describe(), 8)));
        window.answered(&ClientResponse::Error(Severity::Error, Error::internal("x")));
        assert!(window.is_open());
        window.sent(ClientRequest::Sync, 5);
        window.answered(&ClientResponse::Ready(TxnStatus::Idle));
        assert!(window.is_idle());
    }

    #[test]
    fn copy_data_counts_until_it_is_dropped() {
        let mut window = Window::default();
        let data = Bytes::from(vec![0; COPY_BYTES_MAX + 1]);
        let sent = window.sent(ClientRequest::CopyData(data), 0);
        assert!(!window.is_open());
        drop(sent);
        assert!(window.is_open());
    }
}
