//! Faults that the simulator's checkers must find. Compiled in only with the feature `planted`; one is active at a time.

/// A planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// A commit is answered before a majority has it.
    AnswerEarly = 1,
    /// A lock is granted although another transaction holds it.
    ForgetLock,
    /// A commit that is sent again is made again.
    DoubleApply,
    /// What a serializable transaction read is not validated.
    SkipValidation,
    /// A leader without a lease serves.
    ServeWithoutLease,
    /// Outcomes are not remembered.
    LoseOutcomes,
    /// What was read before it was committed is told at once.
    TellEarly,
    /// A commit that rests on what was lost with a leader goes through.
    ForgetSeen,
    /// A follower leaves a batch of the ledger out of its evidence.
    ForgetRecord,
}

#[cfg(feature = "planted")]
mod chosen {
    use super::Bug;
    use std::cell::Cell;

    std::thread_local! {
        static ACTIVE: Cell<u8> = const { Cell::new(0) };
    }

    /// Chooses the fault of this thread's shards.
    pub fn plant(bug: Option<Bug>) {
        ACTIVE.set(bug.map_or(0, |bug| bug as u8));
    }

    pub fn active(bug: Bug) -> bool {
        ACTIVE.get() == bug as u8
    }
}

#[cfg(feature = "planted")]
pub use chosen::{active, plant};

/// Never, in a build without the feature.
#[cfg(not(feature = "planted"))]
#[inline(always)]
pub fn active(_bug: Bug) -> bool {
    false
}
