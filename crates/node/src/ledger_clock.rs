//! Timestamps of the ledger: nanoseconds since 1970, each given once in the whole cluster, without asking anyone.
//!
//! Time is cut into spans; a node gives timestamps only from those whose number is its own, so no two nodes give the same. A node that was started
//! again has forgotten how far it was, which may be ahead of every clock, as timestamps follow those of the accounts: so its next lives have
//! spans of their own too. A node's timestamps strictly increase, and the caller's floor (the last one of each account that it moves) keeps
//! them in the order in which transfers followed each other on an account.

use base::NodeId;

/// Nanoseconds of a span: as many timestamps as the largest batch has events, and some more.
const SPAN: u64 = 8_192;
/// Nodes that have spans of their own.
const NODES: u64 = 128;
/// Lives of a node that follow each other and have spans of their own. What an earlier one gave lies in the past by then.
const LIVES: u64 = 8;
/// Spans of a round. A timestamp is at most a round (8.4 ms) behind the clock.
const OWNERS: u64 = NODES * LIVES;

const _: () = assert!(SPAN >= ledger::packed::BATCH_EVENTS_MAX as u64, "a batch fits into one span");

#[derive(Debug)]
pub struct LedgerClock {
    /// Which spans of a round are its own.
    own: u64,
    /// The next timestamp that may be given.
    next: u64,
}

impl LedgerClock {
    /// `boot` grows with each start of the node.
    pub fn new(node: NodeId, boot: u32) -> LedgerClock {
        LedgerClock { own: u64::from(node.0) % NODES * LIVES + u64::from(boot) % LIVES, next: 0 }
    }

    /// The first of `count` timestamps in a row, all above `floor`. `now`: of the node's clock.
    ///
    /// # Panics
    /// If more are asked for than a span has.
    pub fn take(&mut self, now: u64, floor: u64, count: u32) -> u64 {
        assert!(u64::from(count) <= SPAN, "{count} timestamps are more than a span");
        // The newest own span that has begun.
        let span = now.max(OWNERS * SPAN) / SPAN;
        let mut first = ((span - (span + OWNERS - self.own) % OWNERS) * SPAN).max(self.next);
        if first <= floor {
            first = first.max(floor + 1);
            let missing = (self.own + OWNERS - first / SPAN % OWNERS) % OWNERS;
            if missing > 0 {
                first = (first / SPAN + missing) * SPAN;
            }
        }
        if first / SPAN != (first + u64::from(count).max(1) - 1) / SPAN {
            first = (first / SPAN + OWNERS) * SPAN;
        }
        assert_eq!(first / SPAN % OWNERS, self.own, "timestamps are the node's own");
        self.next = first + u64::from(count);
        if self.next / SPAN != first / SPAN {
            // The span is used up.
            self.next = (first / SPAN + OWNERS) * SPAN;
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Prng;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_nodes_give_the_same_and_each_goes_forward() {
        let mut prng = Prng::new(7);
        let mut clocks: Vec<(LedgerClock, u64)> = (1..=5).map(|id| (LedgerClock::new(NodeId(id), 1), 0)).collect();
        let mut given = BTreeSet::new();
        let mut now = 1_700_000_000_000_000_000;
        for _ in 0..2_000 {
            // Clocks go back at times.
            now = now + prng.next_u64() % 5_000_000 - 1_000_000;
            let node = prng.next_u64() as usize % clocks.len();
            let others = clocks[prng.next_u64() as usize % 5].1;
            let (clock, last) = &mut clocks[node];
            let count = 1 + (prng.next_u64() % 300) as u32;
            let floor = if prng.next_u64().is_multiple_of(2) { others } else { 0 };
            let first = clock.take(now, floor, count);
            assert!(first > *last && first > floor);
            *last = first + u64::from(count) - 1;
            assert!((first..=*last).all(|timestamp| given.insert(timestamp)), "given before");
        }
    }

    #[test]
    fn a_full_batch_takes_one_span_and_is_not_far_from_the_clock() {
        let (mut clock, now) = (LedgerClock::new(NodeId(3), 1), 1_700_000_000_000_000_000);
        let first = clock.take(now, 0, SPAN as u32);
        assert!(first <= now && now - first < OWNERS * SPAN);
        assert_eq!(clock.take(now, 0, 1), first + OWNERS * SPAN);
    }

    /// Found by the simulator: `florin sim --plan ledger`, 60 seconds.
    #[test]
    fn a_node_that_starts_again_gives_no_timestamp_twice() {
        let now = 1_700_000_000_000_000_000;
        // Other nodes' clocks are ahead, and so are the accounts that they moved: timestamps above these lie in the future.
        let (one_account, another) = (now + 500_000_000, now + 500_000_001);
        let before = LedgerClock::new(NodeId(2), 1).take(now, one_account, 1);
        let after = LedgerClock::new(NodeId(2), 2).take(now + 1_000_000, another, 1);
        assert_ne!(before, after, "the second life gave what the first one had given");
    }
}
