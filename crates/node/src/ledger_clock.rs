//! Timestamps of the ledger: nanoseconds since 1970, each given once in the whole cluster, without asking anyone.
//!
//! A timestamp's remainder tells who gave it: a node, in one of its lives. So no two nodes give the same. A node that was started again has forgotten
//! how far it was, which may be ahead of every clock, as timestamps follow those of the accounts: its next lives have remainders of their own too.
//! A node's timestamps strictly increase, and the caller's floor (the last one of each account that it moves) keeps them in the order in
//! which transfers followed each other on an account.

use base::NodeId;
use ledger::TIMESTAMP_STRIDE;

/// Lives of a node that follow each other and have remainders of their own. What an earlier one gave lies in the past by then.
const LIVES: u64 = 8;
/// Nodes that have remainders of their own.
const NODES: u64 = TIMESTAMP_STRIDE / LIVES;

#[derive(Debug)]
pub struct LedgerClock {
    /// The remainder of all that it gives.
    own: u64,
    /// The next timestamp that may be given.
    next: u64,
}

impl LedgerClock {
    /// `boot` grows with each start of the node.
    pub fn new(node: NodeId, boot: u32) -> LedgerClock {
        LedgerClock { own: u64::from(node.0) % NODES * LIVES + u64::from(boot) % LIVES, next: 0 }
    }

    /// The first of `count` timestamps, [`TIMESTAMP_STRIDE`] apart, all above `floor`: the newest that is not ahead of `now`, the node's clock, if
    /// that is above all that was given before.
    pub fn take(&mut self, now: u64, floor: u64, count: u32) -> u64 {
        let newest = now.saturating_sub(TIMESTAMP_STRIDE - 1);
        let least = newest.max(floor.saturating_add(1)).max(self.next);
        let first = least + (self.own + TIMESTAMP_STRIDE - least % TIMESTAMP_STRIDE) % TIMESTAMP_STRIDE;
        assert_eq!(first % TIMESTAMP_STRIDE, self.own, "timestamps are the node's own");
        self.next = first + u64::from(count) * TIMESTAMP_STRIDE;
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
            *last = first + u64::from(count - 1) * TIMESTAMP_STRIDE;
            assert!((first..=*last).step_by(TIMESTAMP_STRIDE as usize).all(|timestamp| given.insert(timestamp)), "given before");
        }
    }

    #[test]
    fn timestamps_stay_near_the_clock() {
        let mut now = 1_700_000_000_000_000_000;
        let mut clock = LedgerClock::new(NodeId(3), 1);
        let first = clock.take(now, 0, 1);
        assert!(first <= now && now - first < TIMESTAMP_STRIDE);
        // Two nodes that take turns on one account, ten thousand times a second.
        let (mut other, mut last) = (LedgerClock::new(NodeId(200), 5), first);
        for _ in 0..1_000 {
            now += 100_000;
            last = clock.take(now, last, 1);
            last = other.take(now, last, 1);
            assert!(last < now + 2 * TIMESTAMP_STRIDE);
        }
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
