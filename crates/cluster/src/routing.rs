//! Where a request goes: slot to shard, shard to leader, and when to try again.

use base::ids::SLOT_COUNT;
use base::{NodeId, ShardId, SlotId};
use std::collections::BTreeMap;
use std::time::Duration;
use storage::access::{Refusal, Response};

/// A request that found no leader is tried again after this long, or as soon as a leader is known.
pub const RETRY_DELAY: Duration = Duration::from_millis(20);
/// A request to another node that was not answered is sent again after this long.
pub const RESEND_DELAY: Duration = Duration::from_millis(400);
/// A session's request is given up with `57P03` when no leader was found for this long.
pub const LEADERLESS_MAX: Duration = Duration::from_secs(30);
/// Redirections that are followed at once; then `RETRY_DELAY` comes between them.
pub const REDIRECTS_MAX: u32 = 3;

/// What to do with a shard's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the answer.
    Answer,
    /// Send again at once, to the node that leads now.
    Redirect,
    /// Send again after `RETRY_DELAY`.
    Later,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hint {
    leader: Option<NodeId>,
    term: u64,
}

/// A node's view of the shards and their leaders. May be behind: a wrong hint costs a redirection, nothing else.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    slots: Vec<ShardId>,
    hints: BTreeMap<ShardId, Hint>,
}

impl Routing {
    /// Slots are dealt out in turn, so slot 0 is always in shard 0.
    pub fn set_shards(&mut self, shards: u32) {
        self.slots = match shards {
            0 => Vec::new(),
            n => (0..SLOT_COUNT).map(|slot| ShardId(u32::from(slot) % n)).collect(),
        };
        for shard in 0..shards {
            self.hints.entry(ShardId(shard)).or_insert(Hint { leader: None, term: 0 });
        }
    }

    pub fn shard_of(&self, slot: SlotId) -> ShardId {
        self.slots.get(usize::from(slot.0)).copied().unwrap_or(ShardId(0))
    }

    pub fn shards(&self) -> Vec<ShardId> {
        self.hints.keys().copied().collect()
    }

    pub fn leader(&self, shard: ShardId) -> Option<NodeId> {
        self.hints.get(&shard).and_then(|h| h.leader)
    }

    pub fn term(&self, shard: ShardId) -> u64 {
        self.hints.get(&shard).map_or(0, |h| h.term)
    }

    /// Someone said who leads. True if that is news.
    pub fn observe(&mut self, shard: ShardId, term: u64, leader: Option<NodeId>) -> bool {
        let Some(hint) = self.hints.get_mut(&shard) else { return false };
        let newer = term > hint.term || (term == hint.term && hint.leader.is_none());
        if !newer || (term == hint.term && leader.is_none()) {
            return false;
        }
        let changed = hint.leader != leader;
        *hint = Hint { leader, term };
        changed
    }

    /// The node asked says that it does not lead; it may know who does.
    pub fn refused(&mut self, shard: ShardId, asked: NodeId, instead: Option<NodeId>) {
        let Some(hint) = self.hints.get_mut(&shard) else { return };
        if hint.leader == Some(asked) || hint.leader.is_none() {
            hint.leader = instead.filter(|&n| n != asked);
        }
    }

    /// This node does not lead this shard after all.
    pub fn lost_if(&mut self, shard: ShardId, node: NodeId) {
        if let Some(hint) = self.hints.get_mut(&shard).filter(|h| h.leader == Some(node)) {
            hint.leader = None;
        }
    }

    /// A node is not heard any more: what it led has no known leader.
    pub fn lost(&mut self, node: NodeId) {
        for hint in self.hints.values_mut().filter(|h| h.leader == Some(node)) {
            hint.leader = None;
        }
    }

    /// `redirects`: how often this request was sent again at once already.
    pub fn judge(&mut self, shard: ShardId, asked: NodeId, redirects: u32, response: &Response) -> Verdict {
        match response {
            Response::Refused(Refusal::NotLeader(instead) | Refusal::Lost(instead)) => {
                self.refused(shard, asked, *instead);
                if instead.is_some() && redirects < REDIRECTS_MAX { Verdict::Redirect } else { Verdict::Later }
            }
            Response::Refused(Refusal::Busy) => Verdict::Later,
            _ => Verdict::Answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routing() -> Routing {
        let mut routing = Routing::default();
        routing.set_shards(2);
        routing
    }

    #[test]
    fn every_slot_has_a_shard_and_slot_zero_the_first() {
        let routing = routing();
        assert_eq!(routing.shard_of(SlotId(0)), ShardId(0));
        assert_eq!(routing.shard_of(SlotId(SLOT_COUNT - 1)), ShardId(1));
    }

    #[test]
    fn a_hint_of_an_earlier_term_changes_nothing() {
        let mut routing = routing();
        assert!(routing.observe(ShardId(0), 5, Some(NodeId(2))));
        assert!(!routing.observe(ShardId(0), 4, Some(NodeId(1))));
        assert!(!routing.observe(ShardId(0), 5, None));
        assert_eq!(routing.leader(ShardId(0)), Some(NodeId(2)));
        assert!(routing.observe(ShardId(0), 6, Some(NodeId(3))));
    }

    #[test]
    fn a_refusal_redirects_a_bounded_number_of_times() {
        let mut routing = routing();
        routing.observe(ShardId(0), 5, Some(NodeId(2)));
        let refusal = Response::Refused(Refusal::NotLeader(Some(NodeId(3))));
        assert_eq!(routing.judge(ShardId(0), NodeId(2), 0, &refusal), Verdict::Redirect);
        assert_eq!(routing.leader(ShardId(0)), Some(NodeId(3)));
        assert_eq!(routing.judge(ShardId(0), NodeId(2), REDIRECTS_MAX, &refusal), Verdict::Later);
        assert_eq!(routing.leader(ShardId(0)), Some(NodeId(3)), "a late refusal of another node does not undo the hint");
    }
}
