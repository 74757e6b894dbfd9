//! `ledger.post_all` and `ledger.open_accounts`: a batch as a JSON list of documents, with everything that can be said of an event.
//!
//! As with a packed batch each event has an outcome of its own, and what is refused for a passing reason is remembered. Only here a chain that is
//! sent again after it was booked is told to exist as a whole: who speaks JSON shall not have to look the rest of it up.

use super::books::{Ids, Loaded, Share};
use super::document;
use super::run::is_final;
use crate::exec::Run;
use crate::exec::source::Source;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::value::Value;
use ledger::packed::BATCH_EVENTS_MAX;
use ledger::{Account, Books, Code, Event, LEGS_MAX, Outcome, Transfer};

/// Entries of a batch that fits into one commit, as those of a full packed batch do.
const COMMIT_LINES_MAX: usize = 2 * BATCH_EVENTS_MAX;
/// Bytes of metadata that fit beside them.
const COMMIT_METADATA_BYTES_MAX: usize = 512 << 10;

/// An event of a batch of documents.
trait Document: Event {
    fn id(&self) -> u128;
    /// How many entries it makes at most: a post has a released and a posted one for each leg of what it posts.
    fn lines(&self) -> usize;
    fn metadata(&self) -> &[u8];
    fn is_there(&self, loaded: &Loaded) -> bool;
}

impl Document for Transfer {
    fn id(&self) -> u128 {
        self.id
    }

    fn lines(&self) -> usize {
        match (self.pending, self.legs.len()) {
            // How many legs it takes from the other one is not known yet.
            (1.., _) => 2 * LEGS_MAX,
            (0, 0) => 2,
            (0, legs) => legs,
        }
    }

    fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    fn is_there(&self, loaded: &Loaded) -> bool {
        loaded.transfer(self.id).is_some()
    }
}

impl Document for Account {
    fn id(&self) -> u128 {
        self.id
    }

    fn lines(&self) -> usize {
        1
    }

    fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    fn is_there(&self, loaded: &Loaded) -> bool {
        loaded.account(self.id).is_some()
    }
}

impl Session {
    pub(super) async fn post_all(&mut self, text: &str, run: &mut Run) -> Exec<Source> {
        let mut transfers = document::transfers(text)?;
        if transfers.is_empty() {
            return Ok(Source::of(Vec::new()));
        }
        let share = self.share_of(&transfers);
        let mut ids = self.first_ids(share);
        loop {
            let mut loaded = self.load_books(&transfers, ids, run).await?;
            self.complete(&mut transfers, &mut loaded, run).await?;
            match self.judge_documents(&transfers, loaded, ids) {
                Some((loaded, outcomes, first)) => {
                    self.keep(loaded, first, share).await?;
                    return Ok(answer(&transfers, &outcomes));
                }
                None => ids = Ids::Locked,
            }
        }
    }

    pub(super) async fn open_accounts(&mut self, text: &str, run: &mut Run) -> Exec<Source> {
        let accounts = document::accounts(text)?;
        if accounts.is_empty() {
            return Ok(Source::of(Vec::new()));
        }
        let share = self.share_of(&accounts);
        let mut ids = self.first_ids(share);
        loop {
            let loaded = self.load_books(&accounts, ids, run).await?;
            match self.judge_documents(&accounts, loaded, ids) {
                Some((loaded, outcomes, first)) => {
                    self.keep(loaded, first, share).await?;
                    return Ok(answer(&accounts, &outcomes));
                }
                None => ids = Ids::Locked,
            }
        }
    }

    fn share_of<E: Document>(&mut self, events: &[E]) -> Share {
        let lines: usize = events.iter().map(Document::lines).sum();
        let bytes: usize = events.iter().map(|event| event.metadata().len()).sum();
        if lines <= COMMIT_LINES_MAX && bytes <= COMMIT_METADATA_BYTES_MAX { self.share() } else { Share::Part }
    }

    /// `None` if the ids must be locked before such an answer may be given.
    fn judge_documents<E: Document>(&self, events: &[E], loaded: Loaded, ids: Ids) -> Option<(Loaded, Vec<Outcome>, u64)> {
        let (mut loaded, mut outcomes, first) = self.judge(events, loaded);
        let mut start = 0;
        while start < events.len() {
            let linked = events[start..].iter().take_while(|event| event.is_linked()).count();
            let end = (start + linked + 1).min(events.len());
            existing_chain(&events[start..end], &mut outcomes[start..end], &mut loaded);
            start = end;
        }
        (ids == Ids::Locked || is_final(&outcomes)).then_some((loaded, outcomes, first))
    }
}

/// A chain of which each event is there with the same content was booked before: each is told so, with its timestamp.
fn existing_chain<E: Document>(events: &[E], outcomes: &mut [Outcome], loaded: &mut Loaded) {
    let refused_as_chain = outcomes.len() > 1 && outcomes[0].code == Code::Exists && outcomes[1].code == Code::LinkedEventFailed;
    if !refused_as_chain || !events.iter().all(|event| event.is_there(loaded)) {
        return;
    }
    // Of an event whose id is there the rules only say how it compares: they change nothing.
    let alone: Vec<Outcome> = events.iter().map(|event| event.apply(loaded, 0)).collect();
    if alone.iter().all(|outcome| outcome.code == Code::Exists) {
        outcomes.copy_from_slice(&alone);
    }
}

/// One row for each event, in order.
fn answer<E: Document>(events: &[E], outcomes: &[Outcome]) -> Source {
    let row = |(event, outcome): (&E, &Outcome)| {
        let timestamp = i64::try_from(outcome.timestamp).map_or(Value::Null, Value::Int8);
        vec![Value::Uuid(event.id()), Value::Int4(i32::from(outcome.code.number())), Value::text(outcome.code.name()), timestamp]
    };
    Source::of(events.iter().zip(outcomes).map(row).collect())
}
