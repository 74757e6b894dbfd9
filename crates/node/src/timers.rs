//! What shall happen at a time. Looked at with every tick, so no finer than a tick; ties in the order they were set.

use crate::slot::Slot;
use base::{Mono, SessionId};
use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) enum Timer {
    Sleep {
        session: SessionId,
        slot: Slot<()>,
    },
    /// Look whether the session's statement has run too long.
    Deadline {
        session: SessionId,
    },
    /// A session that still waits for the catalog is refused.
    Open {
        session: SessionId,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeMap<(Mono, u64), Timer>,
    sequence: u64,
}

impl Timers {
    pub fn set(&mut self, at: Mono, timer: Timer) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), timer);
    }

    pub fn due(&mut self, now: Mono) -> Option<Timer> {
        let first = self.queue.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        Some(first.remove())
    }

    pub fn next(&self) -> Option<Mono> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    pub fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadline(n: u64) -> Timer {
        Timer::Deadline { session: SessionId(n) }
    }

    fn due(timers: &mut Timers, now: u64) -> Option<u64> {
        match timers.due(Mono(now))? {
            Timer::Deadline { session } => Some(session.0),
            _ => None,
        }
    }

    #[test]
    fn timers_fire_in_order_and_not_early() {
        let mut timers = Timers::default();
        timers.set(Mono(20), deadline(2));
        timers.set(Mono(10), deadline(1));
        timers.set(Mono(20), deadline(3));
        assert_eq!(due(&mut timers, 9), None);
        assert_eq!(
            [due(&mut timers, 20), due(&mut timers, 20), due(&mut timers, 20), due(&mut timers, 20)],
            [Some(1), Some(2), Some(3), None]
        );
        assert_eq!(timers.len(), 0);
    }
}
