//! What happens when: events in the order of simulated time, and in the order they were planned where times are equal.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Microseconds since the world began.
pub type Micros = u64;

pub const MILLI: Micros = 1_000;
pub const SECOND: Micros = 1_000_000;

struct Item<T> {
    at: Micros,
    number: u64,
    event: T,
}

impl<T> PartialEq for Item<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Item<T> {}

impl<T> PartialOrd for Item<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Item<T> {
    /// Reversed, because the heap gives its largest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

pub struct Queue<T> {
    heap: BinaryHeap<Item<T>>,
    planned: u64,
    now: Micros,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue { heap: BinaryHeap::new(), planned: 0, now: 0 }
    }
}

impl<T> Queue<T> {
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Plans an event; one in the past happens now.
    pub fn push(&mut self, at: Micros, event: T) {
        self.planned += 1;
        self.heap.push(Item { at: at.max(self.now), number: self.planned, event });
    }

    /// The next event; time moves to it.
    pub fn pop(&mut self) -> Option<T> {
        let item = self.heap.pop()?;
        assert!(item.at >= self.now, "time does not go back");
        self.now = item.at;
        Some(item.event)
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
