//! What a client has asked for and not heard the end of: a goodbye waits for it.

use sql::client::{ClientRequest, ClientResponse};

#[derive(Default)]
pub struct Pending {
    /// Requests that end in `ReadyForQuery`.
    answers: usize,
    /// The session waits for COPY data.
    copying: bool,
}

impl Pending {
    pub fn sent(&mut self, request: &ClientRequest) {
        if matches!(request, ClientRequest::Query { .. } | ClientRequest::Sync | ClientRequest::Open { .. }) {
            self.answers += 1;
        }
    }

    pub fn answered(&mut self, response: &ClientResponse) {
        match response {
            ClientResponse::Ready(_) => {
                self.answers = self.answers.saturating_sub(1);
                self.copying = false;
            }
            ClientResponse::CopyIn { .. } => self.copying = true,
            ClientResponse::Complete(_) | ClientResponse::Error(..) => self.copying = false,
            _ => {}
        }
    }

    /// True if nothing is worked on, or only data is awaited that will not come after a goodbye.
    pub fn is_idle(&self) -> bool {
        self.answers == 0 || self.copying
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sql::client::TxnStatus;

    #[test]
    fn a_query_is_pending_until_it_is_answered_or_wants_data() {
        let mut pending = Pending::default();
        assert!(pending.is_idle());
        pending.sent(&ClientRequest::Query { sql: String::new() });
        assert!(!pending.is_idle());
        pending.answered(&ClientResponse::CopyIn { binary: false, columns: 1 });
        assert!(pending.is_idle());
        pending.answered(&ClientResponse::Complete("COPY 0".into()));
        assert!(!pending.is_idle());
        pending.answered(&ClientResponse::Ready(TxnStatus::Idle));
        assert!(pending.is_idle());
    }
}
