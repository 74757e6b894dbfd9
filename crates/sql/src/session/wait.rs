//! Waiting for the client, with the session's timeouts.

use super::Session;
use crate::backend::Backend;
use crate::client::{ClientRequest, ClientResponse, Severity};
use base::{Error, SqlState};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// `None` if the time ran out first.
pub async fn timeout<T>(backend: &dyn Backend, limit: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
    let Some(limit) = limit else { return Some(future.await) };
    let mut future = pin!(future);
    let mut sleep = pin!(backend.sleep(limit));
    poll_fn(|context| {
        if let Poll::Ready(value) = future.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        sleep.as_mut().poll(context).map(|()| None)
    })
    .await
}

impl Session {
    /// The next request; `None` when the client is gone or has kept us waiting too long.
    pub(crate) async fn next_request(&mut self) -> Option<ClientRequest> {
        if let Some(request) = self.peeked.take() {
            return Some(request);
        }
        if self.backend.has_request() {
            return self.backend.receive().await;
        }
        self.flush();
        let parsed = self.settings.parsed();
        let (limit, state, message) = if self.txn.is_some() {
            let message = "terminating connection due to idle-in-transaction timeout";
            (parsed.idle_in_transaction_timeout, SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT, message)
        } else {
            (parsed.idle_timeout, SqlState(*b"57P05"), "terminating connection due to idle-session timeout")
        };
        match timeout(&*self.backend, limit, self.backend.receive()).await {
            Some(request) => request,
            None => {
                self.rollback_txn();
                self.say(ClientResponse::Error(Severity::Fatal, Error::new(state, message)));
                self.flush();
                None
            }
        }
    }

    /// True if the client has already said Sync: what runs now is a statement of its own.
    pub(crate) async fn sync_follows(&mut self) -> bool {
        if self.peeked.is_none() && self.backend.has_request() {
            self.peeked = self.backend.receive().await;
        }
        matches!(self.peeked, Some(ClientRequest::Sync))
    }
}
