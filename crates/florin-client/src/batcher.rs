//! What waits to be sent, and what may leave: a state machine without clock, task or socket.
//!
//! While nothing is on its way, whatever waits leaves at once. While something is, what arrives waits and leaves together when it is back, or as soon as
//! a batch is full. So an idle ledger adds no delay, and a loaded one gets few, full batches without anybody having set a time to wait.

use std::collections::VecDeque;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most events of a batch.
    pub events: usize,
    /// Most batches on their way.
    pub in_flight: usize,
    /// While so many are on their way only full ones leave.
    pub partial_in_flight: usize,
}

/// Events that travel in one batch and stay in order, and who waits for their outcomes.
#[derive(Debug)]
pub struct Group<E, R> {
    /// At least one, at most [`Limits::events`].
    pub events: Vec<E>,
    /// Imported events are not mixed with others, and their batches follow one another.
    pub imported: bool,
    pub reply: R,
}

#[derive(Debug)]
pub struct Batch<E, R> {
    pub groups: Vec<Group<E, R>>,
    pub imported: bool,
}

#[derive(Debug)]
pub struct Batcher<E, R> {
    limits: Limits,
    waiting: VecDeque<Group<E, R>>,
    waiting_events: usize,
    in_flight: usize,
    imports: bool,
}

impl<E, R> Batcher<E, R> {
    pub fn new(limits: Limits) -> Batcher<E, R> {
        assert!(
            limits.events > 0 && limits.partial_in_flight > 0 && limits.partial_in_flight <= limits.in_flight,
            "{limits:?} let nothing leave"
        );
        Batcher { limits, waiting: VecDeque::new(), waiting_events: 0, in_flight: 0, imports: false }
    }

    pub fn offer(&mut self, group: Group<E, R>) {
        assert!(!group.events.is_empty() && group.events.len() <= self.limits.events, "a group fits into a batch");
        self.waiting_events += group.events.len();
        self.waiting.push_back(group);
    }

    /// True if a batch may leave now: it counts as on its way from here on, and [`Batcher::take`] is due.
    pub fn reserve(&mut self) -> bool {
        let Some(first) = self.waiting.front() else { return false };
        let full = self.waiting_events >= self.limits.events;
        let allowed = if full { self.limits.in_flight } else { self.limits.partial_in_flight };
        let may_leave = self.in_flight < allowed && !(first.imported && self.imports);
        self.in_flight += usize::from(may_leave);
        may_leave
    }

    /// What leaves for a reservation. `None` gives the reservation back: what waited has left meanwhile.
    pub fn take(&mut self) -> Option<Batch<E, R>> {
        let imported = self.waiting.front().is_some_and(|group| group.imported);
        if self.waiting.is_empty() || (imported && self.imports) {
            self.in_flight -= 1;
            return None;
        }
        let mut events = 0;
        let fits = |group: &Group<E, R>| {
            events += group.events.len();
            events <= self.limits.events && group.imported == imported
        };
        let count = self.waiting.iter().map(fits).take_while(|fits| *fits).count();
        let groups: Vec<Group<E, R>> = self.waiting.drain(..count).collect();
        self.waiting_events -= groups.iter().map(|group| group.events.len()).sum::<usize>();
        self.imports |= imported;
        Some(Batch { groups, imported })
    }

    /// A batch is back, or was given up.
    pub fn done(&mut self, imported: bool) {
        self.in_flight -= 1;
        self.imports &= !imported;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::prng::Prng;

    const LIMITS: Limits = Limits { events: 10, in_flight: 3, partial_in_flight: 1 };

    fn group(events: usize, reply: u64) -> Group<u64, u64> {
        Group { events: vec![reply; events], imported: false, reply }
    }

    fn replies(batch: Option<Batch<u64, u64>>) -> Vec<u64> {
        batch.expect("something waits").groups.iter().map(|group| group.reply).collect()
    }

    #[test]
    fn the_first_leaves_at_once_and_those_that_wait_leave_together() {
        let mut batcher = Batcher::new(LIMITS);
        batcher.offer(group(1, 1));
        assert!(batcher.reserve());
        assert_eq!(replies(batcher.take()), [1]);
        (2..=4).for_each(|reply| batcher.offer(group(2, reply)));
        assert!(!batcher.reserve(), "they wait for the one on its way");
        batcher.done(false);
        assert!(batcher.reserve());
        assert_eq!(replies(batcher.take()), [2, 3, 4]);
        assert!(!batcher.reserve());
    }

    #[test]
    fn a_full_batch_waits_for_nobody_and_a_group_is_never_torn() {
        let mut batcher = Batcher::new(LIMITS);
        batcher.offer(group(1, 1));
        assert!(batcher.reserve());
        assert_eq!(replies(batcher.take()), [1]);
        (2..=4).for_each(|reply| batcher.offer(group(4, reply)));
        assert!(batcher.reserve(), "12 events are more than a batch");
        assert_eq!(replies(batcher.take()), [2, 3], "the third would not fit");
        assert!(!batcher.reserve());
    }

    #[test]
    fn what_arrives_before_the_sender_has_started_goes_with_the_first() {
        let mut batcher = Batcher::new(LIMITS);
        batcher.offer(group(1, 1));
        assert!(batcher.reserve());
        batcher.offer(group(1, 2));
        assert_eq!(replies(batcher.take()), [1, 2]);
    }

    #[test]
    fn imported_ones_follow_one_another_apart_from_others() {
        let mut batcher = Batcher::new(Limits { partial_in_flight: 3, ..LIMITS });
        let imported = |reply| Group { imported: true, ..group(6, reply) };
        [group(1, 1), imported(2), imported(3), group(1, 4)].into_iter().for_each(|group| batcher.offer(group));
        assert!(batcher.reserve());
        assert_eq!(replies(batcher.take()), [1]);
        assert!(batcher.reserve());
        assert_eq!(replies(batcher.take()), [2]);
        assert!(!batcher.reserve(), "an imported batch is on its way");
        batcher.done(true);
        assert!(batcher.reserve());
        assert_eq!(replies(batcher.take()), [3]);
        assert!(batcher.reserve());
        assert_eq!(replies(batcher.take()), [4]);
    }

    /// Offers, reservations, takes and returns in any order: each event leaves once and in order, bounds hold, and what waits leaves.
    #[test]
    fn nothing_is_lost_doubled_or_overtaken_whatever_the_order() {
        for seed in 0..300 {
            let mut random = Prng::new(seed);
            let in_flight = random.between(1, 5) as usize;
            let partial_in_flight = random.between(1, in_flight as u64) as usize;
            let limits = Limits { events: random.between(1, 40) as usize, in_flight, partial_in_flight };
            let mut batcher = Batcher::new(limits);
            let (mut offered, mut left, mut reserved, mut on_the_way) = (0u64, 0u64, 0usize, Vec::new());
            for step in 0..2_000 {
                let drains = step > 1_500;
                match random.below(4) {
                    0 if !drains => {
                        let events = random.between(1, limits.events as u64) as usize;
                        batcher.offer(Group { events: vec![(); events], imported: random.one_in(5), reply: offered });
                        offered += 1;
                    }
                    1 => reserved += usize::from(batcher.reserve()),
                    2 if reserved > 0 => {
                        reserved -= 1;
                        if let Some(batch) = batcher.take() {
                            assert!(batch.groups.iter().map(|group| group.events.len()).sum::<usize>() <= limits.events);
                            for group in &batch.groups {
                                assert_eq!((group.reply, group.imported), (left, batch.imported), "seed {seed}");
                                left += 1;
                            }
                            on_the_way.push(batch.imported);
                        }
                    }
                    3 if !on_the_way.is_empty() => {
                        let which = random.below(on_the_way.len() as u64) as usize;
                        batcher.done(on_the_way.swap_remove(which));
                    }
                    _ => {}
                }
                assert!(reserved + on_the_way.len() <= limits.in_flight, "seed {seed}");
                assert!(on_the_way.iter().filter(|imported| **imported).count() <= 1, "seed {seed}");
            }
            // Whoever returns asks once more: nothing may stay behind.
            while left < offered {
                on_the_way.drain(..).for_each(|imported| batcher.done(imported));
                if reserved == 0 {
                    assert!(batcher.reserve(), "seed {seed}: {} wait and nothing is on its way", offered - left);
                    reserved = 1;
                }
                reserved -= 1;
                if let Some(batch) = batcher.take() {
                    left += batch.groups.len() as u64;
                    on_the_way.push(batch.imported);
                }
            }
        }
    }
}
