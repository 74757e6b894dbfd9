//! Follows the ledger's changes beside the load, as a consumer does that keeps its place: each event comes once, in order, and none is left out.

use super::{Ledger, text};
use crate::check::books::{Fate, Tables};
use crate::client::{Client, Failure, Reply};
use crate::work::Findings;
use std::collections::BTreeMap;

const AT_ONCE_MAX: u64 = 40;

/// An event: what, and of which transfer.
type Event = (String, u128);

#[derive(Clone, Default)]
pub struct Follower {
    place: String,
    heard: Vec<(String, Event)>,
}

impl Follower {
    fn question(&self, count: u64) -> String {
        format!("SELECT * FROM ledger.changes('{}', {count})", self.place)
    }

    fn hear(&mut self, reply: &Reply) {
        for row in &reply.rows {
            let mut fields = text::Fields::of(row);
            let (place, event) = (fields.text().unwrap_or_default(), fields.text().unwrap_or_default());
            fields.text();
            self.heard.push((place.to_owned(), (event.to_owned(), fields.id())));
            place.clone_into(&mut self.place);
        }
    }

    /// All that is left, at the transaction's snapshot.
    pub async fn catch_up(&mut self, client: &Client) -> Result<(), Failure> {
        loop {
            let reply = client.run(&self.question(AT_ONCE_MAX)).await?;
            if reply.rows.is_empty() {
                return Ok(());
            }
            self.hear(&reply);
        }
    }

    pub fn check(&self, last: &Tables, findings: &mut Findings) {
        for pair in self.heard.windows(2).filter(|pair| pair[0].0 >= pair[1].0) {
            findings.accuse("changes", format!("{:x?} came before {:x?}", pair[0], pair[1]));
        }
        let mut heard: BTreeMap<&Event, u64> = BTreeMap::new();
        for (_, event) in &self.heard {
            *heard.entry(event).or_default() += 1;
        }
        let booked = last.transfers.keys().map(|id| ("booked".to_owned(), *id));
        let expired = last.states.iter().filter(|(_, state)| state.fate == Some(Fate::Expired)).map(|(id, _)| ("expired".to_owned(), *id));
        for event in booked.chain(expired) {
            match heard.remove(&event) {
                Some(1) => {}
                Some(times) => findings.accuse("changes", format!("{event:x?} came {times} times")),
                None => findings.accuse("changes", format!("{event:x?} never came")),
            }
        }
        for event in heard.keys() {
            findings.accuse("changes", format!("{event:x?} came and did not happen"));
        }
    }
}

impl Ledger {
    pub(super) async fn follow(&self, client: &Client) {
        let before = self.record.borrow().follower.place.clone();
        let question = self.record.borrow().follower.question(client.between(1, AT_ONCE_MAX));
        let result = client.run(&question).await;
        let (_, Some(reply)) = client.fate(&result) else { return };
        let follower = &mut self.record.borrow_mut().follower;
        // Another client may have gone on in the meantime: then this answer is dropped, as a consumer does that was replaced.
        if follower.place == before {
            follower.hear(reply);
        }
    }
}
