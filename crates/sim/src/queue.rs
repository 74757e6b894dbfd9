//! What happens when: events in the order of simulated time, and in the order they were planned where times are equal.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Microseconds since the world began.
pub type Micros = u64;

pub const MILLI: Micros = 1_000;
pub const SECOND: Micros = 1_000_000;

/// Time, number and place: the order of events. `Reverse`, because the heap gives its largest first.
type Item = Reverse<(Micros, u64, u32)>;

/// The heap moves its items often, so it has only their order; the events lie still beside it.
pub struct Queue<T> {
    heap: BinaryHeap<Item>,
    events: Vec<Option<T>>,
    free: Vec<u32>,
    planned: u64,
    now: Micros,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue { heap: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), planned: 0, now: 0 }
    }
}

impl<T> Queue<T> {
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Plans an event; one in the past happens now.
    pub fn push(&mut self, at: Micros, event: T) {
        self.planned += 1;
        let place = self.place(event);
        self.heap.push(Reverse((at.max(self.now), self.planned, place)));
    }

    /// The next event; time moves to it.
    pub fn pop(&mut self) -> Option<T> {
        let Reverse((at, _, place)) = self.heap.pop()?;
        assert!(at >= self.now, "time does not go back");
        self.now = at;
        self.free.push(place);
        Some(self.events[place as usize].take().expect("what is planned has its event"))
    }

    fn place(&mut self, event: T) -> u32 {
        let Some(place) = self.free.pop() else {
            self.events.push(Some(event));
            return u32::try_from(self.events.len() - 1).expect("fewer events are planned at a time");
        };
        self.events[place as usize] = Some(event);
        place
    }

    pub fn len(&self) -> usize {
        self.heap.len()
    }

    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_in_the_order_planned() {
        let mut queue = Queue::default();
        for (at, name) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b')] {
            queue.push(at, name);
        }
        let order: String = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, "abcd");
        assert_eq!(queue.now(), 5);
    }
}
