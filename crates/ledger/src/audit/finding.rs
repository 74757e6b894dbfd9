//! What an audit found.

use crate::code::Code;
use crate::model::{Balances, PendingState};
use std::fmt;

/// Something that the rules of double entry do not allow, yet stands in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// An account's sums are not those of its transfers.
    BalanceDiffers { account: u128, recorded: Balances, computed: Balances },
    /// A balance was lowered or raised beyond a limit; the code is the one that should have refused that.
    LimitViolated { account: u128, code: Code },
    /// A ledger's debits and credits are not the same; each is debits less credits, modulo 2^128.
    LedgerUnbalanced { ledger: u32, posted: i128, pending: i128 },
    /// A transfer moves money of an account that is not there.
    AccountMissing { account: u128 },
    /// An account came twice.
    AccountTwice { account: u128 },
    /// A parent is not there, or is in another ledger.
    ParentMissing { account: u128, parent: u128 },
    /// A transfer is in another ledger than its account.
    LedgerDiffers { account: u128, transfer: u128 },
    /// A transfer's debits and credits are not the same.
    TransferUnbalanced { transfer: u128 },
    /// A timestamp is not above the one before, in nanoseconds.
    TimestampNotIncreasing { transfer: u128, timestamp: u64 },
    /// A pending transfer has no state, or one that is not pending has one.
    StateMismatch { transfer: u128, state: Option<PendingState> },
    /// A post or void names a transfer that is not a pending one before it.
    ReferenceMissing { transfer: u128, pending: u128 },
    /// A pending transfer was posted or voided more than once.
    ResolvedTwice { pending: u128, by: u128 },
    /// What became of a pending transfer is not what its state says.
    ResolutionDiffers { pending: u128, state: PendingState },
    /// More was posted than was pending.
    PostExceedsPending { pending: u128, by: u128 },
    /// More was reversed than was posted, or other than is recorded.
    ReversalDiffers { original: u128, amount: u128, recorded: u128, computed: u128 },
    /// This many further findings are not listed.
    More { count: u64 },
}

impl Finding {
    /// A stable name for SQL.
    pub fn name(&self) -> &'static str {
        match self {
            Finding::BalanceDiffers { .. } => "balance_differs",
            Finding::LimitViolated { .. } => "limit_violated",
            Finding::LedgerUnbalanced { .. } => "ledger_unbalanced",
            Finding::AccountMissing { .. } => "account_missing",
            Finding::AccountTwice { .. } => "account_twice",
            Finding::ParentMissing { .. } => "parent_missing",
            Finding::LedgerDiffers { .. } => "ledger_differs",
            Finding::TransferUnbalanced { .. } => "transfer_unbalanced",
            Finding::TimestampNotIncreasing { .. } => "timestamp_not_increasing",
            Finding::StateMismatch { .. } => "state_mismatch",
            Finding::ReferenceMissing { .. } => "reference_missing",
            Finding::ResolvedTwice { .. } => "resolved_twice",
            Finding::ResolutionDiffers { .. } => "resolution_differs",
            Finding::PostExceedsPending { .. } => "post_exceeds_pending",
            Finding::ReversalDiffers { .. } => "reversal_differs",
            Finding::More { .. } => "more",
        }
    }
}

struct Sums<'a>(&'a Balances);

impl fmt::Display for Sums<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Balances { debits_pending, debits_posted, credits_pending, credits_posted } = self.0;
        write!(
            f,
            "debits {debits_posted} posted and {debits_pending} pending, credits {credits_posted} posted and {credits_pending} pending"
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::BalanceDiffers { account, recorded, computed } => {
                write!(f, "account {account} records {}; its transfers give {}", Sums(recorded), Sums(computed))
            }
            Finding::LimitViolated { account, code } => write!(f, "account {account} went beyond a limit: {}", code.name()),
            Finding::LedgerUnbalanced { ledger, posted, pending } => {
                write!(f, "ledger {ledger} does not balance: debits less credits are {posted} posted and {pending} pending")
            }
            Finding::AccountMissing { account } => write!(f, "account {account} has transfers but is not there"),
            Finding::AccountTwice { account } => write!(f, "account {account} is there twice"),
            Finding::ParentMissing { account, parent } => {
                write!(f, "parent {parent} of account {account} is not there, or in another ledger")
            }
            Finding::LedgerDiffers { account, transfer } => {
                write!(f, "transfer {transfer} is in another ledger than its account {account}")
            }
            Finding::TransferUnbalanced { transfer } => write!(f, "debits and credits of transfer {transfer} differ"),
            Finding::TimestampNotIncreasing { transfer, timestamp } => {
                write!(f, "timestamp {timestamp} of transfer {transfer} is not above the one before")
            }
            Finding::StateMismatch { transfer, state } => write!(f, "transfer {transfer} cannot have the pending state {state:?}"),
            Finding::ReferenceMissing { transfer, pending } => {
                write!(f, "transfer {transfer} resolves {pending}, which is no pending transfer before it")
            }
            Finding::ResolvedTwice { pending, by } => write!(f, "pending transfer {pending} is resolved again by {by}"),
            Finding::ResolutionDiffers { pending, state } => {
                write!(f, "pending transfer {pending} has the state {state:?}, which is not what became of it")
            }
            Finding::PostExceedsPending { pending, by } => write!(f, "transfer {by} posts more than {pending} reserved"),
            Finding::ReversalDiffers { original, amount, recorded, computed } => {
                write!(f, "of transfer {original} over {amount}, {computed} was reversed and {recorded} is recorded as reversed")
            }
            Finding::More { count } => write!(f, "{count} further findings are not listed"),
        }
    }
}
