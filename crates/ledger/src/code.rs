//! What is answered for each event of a batch. Numbers are stable: clients keep them.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal),+ $(,)?) => {
        /// The answer for one account or transfer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u16)]
        pub enum Code {
            $($(#[$doc])* $name = $number,)+
        }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$name),+];
        }
    };
}

codes! {
    Ok = 0,
    /// Another event of its chain failed.
    LinkedEventFailed = 1,
    /// The batch ended inside a chain.
    LinkedChainOpen = 2,
    /// The same id with the same content is there already: as good as done.
    Exists = 3,
    /// The id was refused before for a passing reason; it stays refused, so that a retry is safe.
    IdAlreadyFailed = 4,
    IdMustNotBeZero = 10,
    IdMustNotBeMax = 11,
    FlagsAreUnknown = 12,
    FlagsExcludeEachOther = 13,
    LedgerMustNotBeZero = 14,
    CodeMustNotBeZero = 15,
    BalancesMustBeZero = 16,
    TimestampMustBeZero = 17,
    AccountsMustDiffer = 20,
    DebitAccountNotFound = 21,
    CreditAccountNotFound = 22,
    AccountsHaveDifferentLedgers = 23,
    TransferHasAnotherLedger = 24,
    TimeoutIsForPendingOnly = 25,
    PendingIdMustBeZero = 26,
    PendingIdMustNotBeZero = 27,
    PendingIdIsItsOwn = 28,
    ClosingIsForPendingOnly = 29,
    PendingNotFound = 30,
    PendingIsNotPending = 31,
    PendingHasOtherDebitAccount = 32,
    PendingHasOtherCreditAccount = 33,
    PendingHasOtherLedger = 34,
    PendingHasOtherCode = 35,
    AmountExceedsPending = 36,
    VoidMustBeWhole = 37,
    PendingAlreadyPosted = 38,
    PendingAlreadyVoided = 39,
    PendingExpired = 40,
    ExistsWithOtherFlags = 50,
    ExistsWithOtherDebitAccount = 51,
    ExistsWithOtherCreditAccount = 52,
    ExistsWithOtherAmount = 53,
    ExistsWithOtherPending = 54,
    ExistsWithOtherUserData = 55,
    ExistsWithOtherTimeout = 56,
    ExistsWithOtherLedger = 57,
    ExistsWithOtherCode = 58,
    DebitAccountClosed = 60,
    CreditAccountClosed = 61,
    ExceedsCredits = 62,
    ExceedsDebits = 63,
    OverflowsDebits = 64,
    OverflowsCredits = 65,
    OverflowsTimeout = 66,
}

impl Code {
    /// True for reasons that may pass by themselves. Such an id is remembered as failed, so that a retry never surprises.
    pub fn is_passing(self) -> bool {
        use Code::{
            CreditAccountClosed, CreditAccountNotFound, DebitAccountClosed, DebitAccountNotFound, ExceedsCredits, ExceedsDebits,
            PendingNotFound,
        };
        matches!(
            self,
            DebitAccountNotFound
                | CreditAccountNotFound
                | PendingNotFound
                | DebitAccountClosed
                | CreditAccountClosed
                | ExceedsCredits
                | ExceedsDebits
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_means_one_thing() {
        let mut numbers: Vec<u16> = Code::ALL.iter().map(|code| *code as u16).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), Code::ALL.len());
    }
}
