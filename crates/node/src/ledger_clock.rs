//! Timestamps of the ledger: nanoseconds since 1970, each given once in the whole cluster, without asking anyone.
//!
//! Time is cut into spans; a node gives timestamps only from those whose number is its own, so no two nodes give the same.
//! A node's timestamps strictly increase, and the caller's floor (the last one of each account that it moves) keeps them in the order in
//! which transfers followed each other on an account.

use base::NodeId;

/// Nanoseconds of a span: as many timestamps as the largest batch has events, and some more.
const SPAN: u64 = 8_192;
/// Nodes that have spans of their own. A timestamp is at most a round of spans (2.1 ms) behind the clock.
const NODES: u64 = 256;

const _: () = assert!(SPAN >= ledger::packed::BATCH_EVENTS_MAX as u64, "a batch fits into one span");

#[derive(Debug, Default)]
pub struct LedgerClock {
    /// The next timestamp that may be given.
    next: u64,
}

impl LedgerClock {
    /// The first of `count` timestamps in a row, all above `floor`. `now`: of the node's clock.
    ///
    /// # Panics
    /// If more are asked for than a span has.
    pub fn take(&mut self, node: NodeId, now: u64, floor: u64, count: u32) -> u64 {
        assert!(u64::from(count) <= SPAN, "{count} timestamps are more than a span");
        let own = u64::from(node.0) % NODES;
        let span_at = |time: u64| {
            // The newest own span that has begun at `time`.
            let span = time / SPAN;
            span - (span + NODES - own) % NODES
        };
        let mut first = (span_at(now.max(NODES * SPAN)) * SPAN).max(self.next);
        if first <= floor {
            first = first.max(floor + 1);
            let span = first / SPAN;
            let missing = (own + NODES - span % NODES) % NODES;
            if missing > 0 {
                first = (span + missing) * SPAN;
            }
        }
        if first / SPAN != (first + u64::from(count).max(1) - 1) / SPAN {
            first = (first / SPAN + NODES) * SPAN;
        }
        assert_eq!(first / SPAN % NODES, own, "timestamps are the node's own");
        self.next = first + u64::from(count);
        if self.next / SPAN != first / SPAN {
            // The span is used up.
            self.next = (first / SPAN + NODES) * SPAN;
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
        let mut clocks: Vec<(NodeId, LedgerClock, u64)> = (1..=5).map(|id| (NodeId(id), LedgerClock::default(), 0)).collect();
        let mut given = BTreeSet::new();
        let mut now = 1_700_000_000_000_000_000;
        for _ in 0..2_000 {
            // Clocks go back at times.
            now = now + prng.next_u64() % 5_000_000 - 1_000_000;
            let node = prng.next_u64() as usize % clocks.len();
            let others = clocks[prng.next_u64() as usize % 5].2;
            let (id, clock, last) = &mut clocks[node];
            let count = 1 + (prng.next_u64() % 300) as u32;
            let floor = if prng.next_u64().is_multiple_of(2) { others } else { 0 };
            let first = clock.take(*id, now, floor, count);
            assert!(first > *last && first > floor);
            *last = first + u64::from(count) - 1;
            assert!((first..=*last).all(|timestamp| given.insert(timestamp)), "given before");
        }
    }

    #[test]
    fn a_full_batch_takes_one_span_and_is_not_far_from_the_clock() {
        let (mut clock, now) = (LedgerClock::default(), 1_700_000_000_000_000_000);
        let first = clock.take(NodeId(3), now, 0, SPAN as u32);
        assert!(first <= now && now - first < NODES * SPAN);
        assert_eq!(clock.take(NodeId(3), now, 0, 1), first + NODES * SPAN);
    }

    /// Found by the simulator: `florin sim --plan ledger`, 60 seconds.
    #[test]
    fn a_node_that_starts_again_gives_no_timestamp_twice() {
        let now = 1_700_000_000_000_000_000;
        // Other nodes' clocks are ahead, and so are the accounts that they moved: timestamps above these lie in the future.
        let (one_account, another) = (now + 500_000_000, now + 500_000_001);
        let before = LedgerClock::default().take(NodeId(2), now, one_account, 1);
        let after = LedgerClock::default().take(NodeId(2), now + 1_000_000, another, 1);
        assert_ne!(before, after, "the second life gave what the first one had given");
    }
}
