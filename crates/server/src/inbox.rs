//! What waits for the node's thread: events in order of arrival, and frames that emulated links hold back.
//!
//! Producers that can wait (connections, peers) are held when it is full; what answers the node itself (disk, jobs, engine) is
//! bounded by what the node asked for, and is always taken.

use crate::postgres::Outbox;
use base::SessionId;
use node::event::Event;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use tokio::sync::Notify;

/// Most inputs that wait before connections and peers are held.
pub const WAITING_MAX: usize = 8192;
/// Most frames held back by link emulation; more are lost, as on a link whose buffer is full.
pub const DELAYED_MAX: usize = 65_536;

pub enum Input {
    Event(Event),
    /// A session's answers go here from now on. Comes before the session's first event.
    Connect {
        session: SessionId,
        outbox: Outbox,
    },
}

#[derive(Default)]
pub struct Inbox {
    state: Mutex<State>,
    /// Wakes the node's thread, if it waits in `take`.
    arrived: Condvar,
    /// Wakes who waits in `release_delayed`.
    delayed: Condvar,
    /// Wakes producers that wait for room.
    room: Notify,
}

#[derive(Default)]
struct State {
    ready: Vec<Input>,
    delayed: BinaryHeap<Reverse<Delayed>>,
    /// Numbers delayed inputs, so that those of one instant keep their order.
    sequence: u64,
    sleeping: bool,
    /// Wakes the node's thread, if it waits as a task.
    waker: Option<Waker>,
    /// Someone gives out delayed inputs at their time.
    releasing: bool,
    /// The node's thread has ended: nothing is taken any more.
    closed: bool,
}

struct Delayed {
    at: Instant,
    sequence: u64,
    input: Input,
}

impl Inbox {
    /// Takes it even if there is no room: for what the node itself asked for.
    pub fn push(&self, input: Input) {
        let mut state = self.lock();
        if !state.closed {
            state.ready.push(input);
            self.wake(state);
        }
    }

    pub fn event(&self, event: Event) {
        self.push(Input::Event(event));
    }

    /// True if something could be taken at once.
    pub fn has_ready(&self) -> bool {
        !self.lock().ready.is_empty()
    }

    /// Waits for room, then takes all of them in order.
    pub async fn push_when_room(&self, inputs: impl IntoIterator<Item = Input>) {
        let mut inputs = Some(inputs);
        loop {
            let notified = self.room.notified();
            {
                let mut state = self.lock();
                if state.closed {
                    return;
                }
                if state.ready.len() < WAITING_MAX {
                    state.ready.extend(inputs.take().into_iter().flatten());
                    self.wake(state);
                    return;
                }
            }
            notified.await;
        }
    }

    /// Takes it now and gives it out at `at`. False if too many are held back: it is lost.
    pub fn push_at(&self, at: Instant, input: Input) -> bool {
        let mut state = self.lock();
        if state.closed || state.delayed.len() >= DELAYED_MAX {
            return false;
        }
        let sequence = state.sequence;
        state.sequence += 1;
        let first = state.delayed.peek().is_none_or(|Reverse(earliest)| at < earliest.at);
        state.delayed.push(Reverse(Delayed { at, sequence, input }));
        if first && state.releasing {
            drop(state);
            self.delayed.notify_one();
        } else if first {
            self.wake(state);
        }
        true
    }

    /// Gives out delayed inputs at their time until the inbox is closed: for a taker that waits as a task, whose runtime's timers are too coarse.
    pub fn release_delayed(&self) {
        let mut state = self.lock();
        state.releasing = true;
        while !state.closed {
            let now = Instant::now();
            if state.release(now) {
                self.wake(state);
                state = self.lock();
                continue;
            }
            let wait = state.delayed.peek().map(|Reverse(earliest)| earliest.at.saturating_duration_since(now));
            state = match wait {
                Some(wait) => self.delayed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => self.delayed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// As `take`, for a task. Ready as soon as there is something, or the inbox is closed.
    pub fn poll_take(&self, context: &mut Context<'_>, out: &mut Vec<Input>) -> Poll<()> {
        let mut state = self.lock();
        if state.ready.is_empty() && !state.closed {
            match &mut state.waker {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        self.give(state, out);
        Poll::Ready(())
    }

    /// Waits for inputs until `until` at most and moves them to `out`, which must be empty.
    pub fn take(&self, until: Instant, out: &mut Vec<Input>) {
        debug_assert!(out.is_empty(), "what was taken before is dealt with");
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            state.release(now);
            if !state.ready.is_empty() || now >= until || state.closed {
                break;
            }
            let wake_at = state.delayed.peek().map_or(until, |Reverse(earliest)| earliest.at.min(until));
            state.sleeping = true;
            state = self.arrived.wait_timeout(state, wake_at.saturating_duration_since(now)).unwrap_or_else(PoisonError::into_inner).0;
            state.sleeping = false;
        }
        self.give(state, out);
    }

    fn give(&self, mut state: MutexGuard<'_, State>, out: &mut Vec<Input>) {
        let was_full = state.ready.len() >= WAITING_MAX;
        std::mem::swap(&mut state.ready, out);
        drop(state);
        if was_full {
            self.room.notify_waiters();
        }
    }

    /// The node's thread has ended: producers are let go.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.ready.clear();
        state.delayed.clear();
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        self.delayed.notify_all();
        self.room.notify_waiters();
    }

    /// Inputs that wait now.
    pub fn waiting(&self) -> usize {
        self.lock().ready.len()
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let (sleeping, waker) = (state.sleeping, state.waker.take());
        drop(state);
        if sleeping {
            self.arrived.notify_one();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under this lock can leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// True if there was something to release.
    fn release(&mut self, now: Instant) -> bool {
        let before = self.ready.len();
        while self.delayed.peek().is_some_and(|Reverse(earliest)| earliest.at <= now) {
            if let Some(Reverse(delayed)) = self.delayed.pop() {
                self.ready.push(delayed.input);
            }
        }
        self.ready.len() > before
    }
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Delayed) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Delayed {}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Delayed) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Delayed {
    fn cmp(&self, other: &Delayed) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn gone(session: u64) -> Input {
        Input::Event(Event::ClientGone { session: SessionId(session) })
    }

    fn sessions(inputs: &[Input]) -> Vec<u64> {
        let session = |input: &Input| match input {
            Input::Event(Event::ClientGone { session }) => session.0,
            _ => panic!("only these were put in"),
        };
        inputs.iter().map(session).collect()
    }

    #[test]
    fn delayed_inputs_come_at_their_time_and_in_order() {
        let inbox = Inbox::default();
        let start = Instant::now();
        let later = start + Duration::from_millis(5);
        assert!(inbox.push_at(later, gone(1)));
        assert!(inbox.push_at(later, gone(2)));
        inbox.push(gone(3));
        let mut out = Vec::new();
        inbox.take(start + Duration::from_secs(5), &mut out);
        assert_eq!(sessions(&out), [3]);
        out.clear();
        inbox.take(start + Duration::from_secs(5), &mut out);
        assert!(Instant::now() >= later);
        assert_eq!(sessions(&out), [1, 2]);
    }

    #[tokio::test]
    async fn a_task_is_given_what_arrives_and_what_was_delayed() {
        let inbox = std::sync::Arc::new(Inbox::default());
        let releasing = std::sync::Arc::clone(&inbox);
        let releaser = tokio::task::spawn_blocking(move || releasing.release_delayed());
        let mut out = Vec::new();
        assert!(std::future::poll_fn(|context| Poll::Ready(inbox.poll_take(context, &mut out))).await.is_pending());
        let start = Instant::now();
        assert!(inbox.push_at(start + Duration::from_millis(3), gone(1)));
        std::future::poll_fn(|context| inbox.poll_take(context, &mut out)).await;
        assert!(start.elapsed() >= Duration::from_millis(3));
        assert_eq!(sessions(&out), [1]);
        out.clear();
        inbox.push(gone(2));
        std::future::poll_fn(|context| inbox.poll_take(context, &mut out)).await;
        assert_eq!(sessions(&out), [2]);
        inbox.close();
        releaser.await.expect("it ends when the inbox is closed");
    }

    #[test]
    fn taking_ends_at_the_given_time() {
        let inbox = Inbox::default();
        let mut out = Vec::new();
        inbox.take(Instant::now(), &mut out);
        assert!(out.is_empty());
    }

    #[tokio::test]
    async fn producers_wait_while_the_inbox_is_full() {
        let inbox = Inbox::default();
        (0..WAITING_MAX as u64).for_each(|session| inbox.push(gone(session)));
        let waits = inbox.push_when_room([gone(7)]);
        tokio::pin!(waits);
        assert!(futures::poll!(&mut waits).is_pending());
        let mut out = Vec::new();
        inbox.take(Instant::now(), &mut out);
        assert_eq!(out.len(), WAITING_MAX);
        waits.await;
        assert_eq!(inbox.waiting(), 1);
    }
}
