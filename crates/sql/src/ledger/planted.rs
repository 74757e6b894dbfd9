//! Faults of the ledger that the simulator's checkers must find. Compiled in only with the feature `planted`; one is active at a time.

/// A planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// Transfers that the node books together are answered as booked though their commit failed.
    AnswerAnyway = 1,
    /// Who is released because its time has come stays pending.
    ReleaseAgain,
    /// A transfer that is there is not found when its id comes again.
    BookAgain,
    /// Timestamps do not look at those that accounts have already.
    ForgetOrder,
    /// The stream of changes follows timestamps, as if they told the order of commits.
    FollowTimestamps,
}

#[cfg(feature = "planted")]
mod chosen {
    use super::Bug;
    use std::cell::Cell;

    std::thread_local! {
        static ACTIVE: Cell<u8> = const { Cell::new(0) };
    }

    /// Chooses the fault of this thread's sessions.
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
