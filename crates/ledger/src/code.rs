//! What is answered for each event of a batch. Numbers and names are stable: clients keep them.
//! docs/ledger-codes.md is this list as a table.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($name:ident = $number:literal $text:literal $advice:literal,)+) => {
        /// The answer for one account or transfer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = $advice] $name = $number,)+
        }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$name),+];

            /// The name that SQL shows.
            pub fn name(self) -> &'static str {
                match self {
                    $(Code::$name => $text,)+
                }
            }

            /// What it means, and what to do.
            pub fn advice(self) -> &'static str {
                match self {
                    $(Code::$name => $advice,)+
                }
            }

            /// The code with this number.
            pub fn from_number(number: u16) -> Option<Code> {
                match number {
                    $($number => Some(Code::$name),)+
                    _ => None,
                }
            }
        }
    };
}

codes! {
    Ok = 0 "ok"
        "It is booked.",
    LinkedEventFailed = 1 "linked_event_failed"
        "Another event of its chain failed; send the chain again when that one is right.",
    LinkedChainOpen = 2 "linked_chain_open"
        "The batch ended inside a chain; the last event of a chain has no `LINKED`.",
    Exists = 3 "exists"
        "The same id with the same content is there already: as good as done.",
    IdAlreadyFailed = 4 "id_already_failed"
        "The id was refused before for a passing reason and stays refused; try again with a new id.",
    ImportedExpected = 5 "imported_expected"
        "The batch began with an imported event; send others in a batch of their own.",
    ImportedNotExpected = 6 "imported_not_expected"
        "The batch began with an event that is not imported; send imported ones in a batch of their own.",
    IdMustNotBeZero = 10 "id_must_not_be_zero"
        "Give an id between 1 and 2^128 - 2.",
    IdMustNotBeMax = 11 "id_must_not_be_max"
        "Give an id between 1 and 2^128 - 2.",
    FlagsAreUnknown = 12 "flags_are_unknown"
        "A flag is set that this version does not know; leave it out.",
    FlagsExcludeEachOther = 13 "flags_exclude_each_other"
        "Two of the flags contradict each other; keep one.",
    LedgerMustNotBeZero = 14 "ledger_must_not_be_zero"
        "Name the ledger.",
    CodeMustNotBeZero = 15 "code_must_not_be_zero"
        "Give a code, the client's own kind of account or transfer.",
    BalancesMustBeZero = 16 "balances_must_be_zero"
        "An account opens with 0; leave the balances out and book a transfer.",
    TimestampMustBeZero = 17 "timestamp_must_be_zero"
        "The ledger gives the timestamp; leave it out or set `IMPORTED`.",
    ImportedTimestampMustNotBeZero = 18 "imported_timestamp_must_not_be_zero"
        "An imported event needs its timestamp.",
    ImportedTimestampMustBePast = 19 "imported_timestamp_must_be_past"
        "An imported event's timestamp lies before the present; correct it.",
    AccountsMustDiffer = 20 "accounts_must_differ"
        "Debit and credit account are the same; name two.",
    DebitAccountNotFound = 21 "debit_account_not_found"
        "Open the debit account first; then use a new transfer id.",
    CreditAccountNotFound = 22 "credit_account_not_found"
        "Open the credit account first; then use a new transfer id.",
    AccountsHaveDifferentLedgers = 23 "accounts_have_different_ledgers"
        "Accounts of two ledgers never transact directly; use one transfer in each, linked.",
    TransferHasAnotherLedger = 24 "transfer_has_another_ledger"
        "The transfer must name its accounts' ledger.",
    TimeoutIsForPendingOnly = 25 "timeout_is_for_pending_only"
        "Only a pending transfer expires; leave the timeout out.",
    PendingIdMustBeZero = 26 "pending_id_must_be_zero"
        "Only a post, void or reversal refers to another transfer; leave it out.",
    PendingIdMustNotBeZero = 27 "pending_id_must_not_be_zero"
        "Name the transfer that is posted, voided or reversed.",
    PendingIdIsItsOwn = 28 "pending_id_is_its_own"
        "A transfer cannot refer to itself; name the other one.",
    ClosingIsForPendingOnly = 29 "closing_is_for_pending_only"
        "A transfer that closes an account must be pending, so that its void can open the account again.",
    PendingNotFound = 30 "pending_not_found"
        "There is no transfer with the id to post or void; make it first, then use a new id for this one.",
    PendingIsNotPending = 31 "pending_is_not_pending"
        "The transfer to post or void was not made as a pending one.",
    PendingHasOtherDebitAccount = 32 "pending_has_other_debit_account"
        "Leave the debit account 0, or name the pending transfer's.",
    PendingHasOtherCreditAccount = 33 "pending_has_other_credit_account"
        "Leave the credit account 0, or name the pending transfer's.",
    PendingHasOtherLedger = 34 "pending_has_other_ledger"
        "Leave the ledger 0, or name the pending transfer's.",
    PendingHasOtherCode = 35 "pending_has_other_code"
        "Leave the code 0, or give the pending transfer's.",
    AmountExceedsPending = 36 "amount_exceeds_pending"
        "At most what is pending can be posted.",
    VoidMustBeWhole = 37 "void_must_be_whole"
        "A void releases all that is pending; leave the amount 0.",
    PendingAlreadyPosted = 38 "pending_already_posted"
        "It was posted before, and is resolved only once.",
    PendingAlreadyVoided = 39 "pending_already_voided"
        "It was voided before, and is resolved only once.",
    PendingExpired = 40 "pending_expired"
        "Its timeout has passed; reserve again.",
    PostingMustBeWhole = 41 "posting_must_be_whole"
        "A posting of many legs is posted or reversed whole; give its amount or 2^128 - 1.",
    ImportedTimestampMustNotRegress = 43 "imported_timestamp_must_not_regress"
        "Imported timestamps must increase and lie after all that the ledger has; import in order of time.",
    ImportedBeforeAccount = 44 "imported_before_account"
        "An imported transfer must lie after the opening of its accounts.",
    ImportedTakesNoTimeout = 45 "imported_takes_no_timeout"
        "An imported transfer does not expire; leave the timeout out, and void it in its own time.",
    ExistsWithOtherFlags = 50 "exists_with_other_flags"
        "The id is taken by an event with other flags; use a new id.",
    ExistsWithOtherDebitAccount = 51 "exists_with_other_debit_account"
        "The id is taken by a transfer with another debit account; use a new id.",
    ExistsWithOtherCreditAccount = 52 "exists_with_other_credit_account"
        "The id is taken by a transfer with another credit account; use a new id.",
    ExistsWithOtherAmount = 53 "exists_with_other_amount"
        "The id is taken by a transfer with another amount; use a new id.",
    ExistsWithOtherPending = 54 "exists_with_other_pending"
        "The id is taken by a transfer that refers to another one; use a new id.",
    ExistsWithOtherUserData128 = 55 "exists_with_other_user_data_128"
        "The id is taken by an event with another `user_data_128`; use a new id.",
    ExistsWithOtherTimeout = 56 "exists_with_other_timeout"
        "The id is taken by a transfer with another timeout; use a new id.",
    ExistsWithOtherLedger = 57 "exists_with_other_ledger"
        "The id is taken by an event in another ledger; use a new id.",
    ExistsWithOtherCode = 58 "exists_with_other_code"
        "The id is taken by an event with another code; use a new id.",
    ExistsWithOtherUserData64 = 59 "exists_with_other_user_data_64"
        "The id is taken by an event with another `user_data_64`; use a new id.",
    DebitAccountClosed = 60 "debit_account_closed"
        "The debit account is closed; void what closed it, then use a new id.",
    CreditAccountClosed = 61 "credit_account_closed"
        "The credit account is closed; void what closed it, then use a new id.",
    ExceedsCredits = 62 "exceeds_credits"
        "An account's debits would exceed its credits: it has not enough; try later with a new id.",
    ExceedsDebits = 63 "exceeds_debits"
        "An account's credits would exceed its debits; try later with a new id.",
    OverflowsDebits = 64 "overflows_debits"
        "An account's debits would exceed 10^38 - 1; use another account.",
    OverflowsCredits = 65 "overflows_credits"
        "An account's credits would exceed 10^38 - 1; use another account.",
    OverflowsTimeout = 66 "overflows_timeout"
        "It would expire after the end of time, the year 2554; shorten the timeout.",
    OverflowsAmount = 67 "overflows_amount"
        "An amount is at most 10^38 - 1.",
    BelowMinimum = 68 "below_minimum"
        "A balance would be lowered to less than its account's minimum; try later with a new id.",
    AboveMaximum = 69 "above_maximum"
        "A balance would be raised to more than its account's maximum; try later with a new id.",
    OriginalNotFound = 70 "original_not_found"
        "There is no transfer with the id to reverse; name one that is booked, and use a new id.",
    OriginalIsNotPosted = 71 "original_is_not_posted"
        "Only what is posted can be reversed: name the transfer that posted it, or void what is pending.",
    OriginalHasOtherDebitAccount = 72 "original_has_other_debit_account"
        "Leave both accounts 0: a reversal debits what the original credited.",
    OriginalHasOtherCreditAccount = 73 "original_has_other_credit_account"
        "Leave both accounts 0: a reversal credits what the original debited.",
    OriginalHasOtherLedger = 74 "original_has_other_ledger"
        "Leave the ledger 0, or name the original's.",
    OriginalAlreadyReversed = 75 "original_already_reversed"
        "All of it was reversed before.",
    AmountExceedsOriginal = 76 "amount_exceeds_original"
        "At most what was not yet reversed can be reversed.",
    ReversalMustNotBeZero = 77 "reversal_must_not_be_zero"
        "Give the amount to reverse, or 2^128 - 1 for all that is left.",
    LegsExcludeAccounts = 80 "legs_exclude_accounts"
        "With legs the two account fields are 0.",
    LegsExcludeFlags = 81 "legs_exclude_flags"
        "A posting of many legs neither balances nor closes accounts.",
    TooManyLegs = 82 "too_many_legs"
        "A posting has at most 1,000 legs; make a chain of several.",
    LegAmountMustNotBeZero = 83 "leg_amount_must_not_be_zero"
        "Leave out legs that move nothing.",
    LegsDoNotBalance = 84 "legs_do_not_balance"
        "The debits and the credits of a posting must have the same sum.",
    AmountDiffersFromLegs = 85 "amount_differs_from_legs"
        "With legs the amount is 0 or the sum of one side.",
    LegAccountNotFound = 86 "leg_account_not_found"
        "Open the account of each leg first; then use a new transfer id.",
    LegAccountHasAnotherLedger = 87 "leg_account_has_another_ledger"
        "All legs are in the transfer's ledger; use one posting in each ledger, linked.",
    LegAccountClosed = 88 "leg_account_closed"
        "The account of a leg is closed; void what closed it, then use a new id.",
    ReferringTakesNoLegs = 89 "referring_takes_no_legs"
        "A post, void or reversal takes the legs from the transfer that it names; leave them out.",
    ExistsWithOtherUserData32 = 90 "exists_with_other_user_data_32"
        "The id is taken by an event with another `user_data_32`; use a new id.",
    ExistsWithOtherTimestamp = 91 "exists_with_other_timestamp"
        "The id is taken by an imported event with another timestamp; use a new id.",
    ExistsWithOtherEffective = 92 "exists_with_other_effective"
        "The id is taken by a transfer with another effective time; use a new id.",
    ExistsWithOtherValueDate = 93 "exists_with_other_value_date"
        "The id is taken by a transfer with another value date; use a new id.",
    ExistsWithOtherLegs = 94 "exists_with_other_legs"
        "The id is taken by a transfer with other legs; use a new id.",
    ExistsWithOtherMetadata = 95 "exists_with_other_metadata"
        "The id is taken by an event with other metadata; use a new id.",
    ExistsWithOtherParent = 96 "exists_with_other_parent"
        "The id is taken by an account with another parent; use a new id.",
    ExistsWithOtherBounds = 97 "exists_with_other_bounds"
        "The id is taken by an account with other bounds; use a new id.",
    LedgerNotFound = 98 "ledger_not_found"
        "Create the ledger first; for a transfer then use a new id.",
    PeriodClosed = 99 "period_closed"
        "The ledger is closed through its effective time; give a later effective time and a new id.",
    ParentNotFound = 100 "parent_not_found"
        "Open the parent account first.",
    ParentHasAnotherLedger = 101 "parent_has_another_ledger"
        "A parent account is in its children's ledger.",
    ParentIsItsOwn = 102 "parent_is_its_own"
        "An account cannot be its own parent.",
    BoundsExcludeEachOther = 103 "bounds_exclude_each_other"
        "The minimum is above the maximum; exchange them.",
    BoundsOutOfRange = 104 "bounds_out_of_range"
        "A bound lies between -(10^38 - 1) and 10^38 - 1.",
    AccountMustNotBeZero = 105 "account_must_not_be_zero"
        "Name an account on each side and in each leg.",
    MetadataTooLong = 106 "metadata_too_long"
        "Metadata has at most 16,384 bytes.",
    BooksContradict = 107 "books_contradict"
        "The stored books contradict themselves; nothing was changed. Run the audit and restore what it names.",
}

impl Code {
    /// True if the id is there already, with the same contents or with others: a transfer is immutable, so that stays so.
    pub fn is_about_existing(self) -> bool {
        self == Code::Exists || matches!(self.number(), 50..=59 | 90..=97)
    }

    /// True for reasons that may pass without the event being changed. Such an id is remembered as failed, so that a retry never surprises.
    pub fn is_passing(self) -> bool {
        use Code::*;
        let absent = matches!(
            self,
            DebitAccountNotFound | CreditAccountNotFound | LegAccountNotFound | PendingNotFound | OriginalNotFound | LedgerNotFound
        );
        let closed = matches!(self, DebitAccountClosed | CreditAccountClosed | LegAccountClosed | PeriodClosed);
        let limited = matches!(self, ExceedsCredits | ExceedsDebits | OverflowsDebits | OverflowsCredits | BelowMinimum | AboveMaximum);
        absent || closed || limited
    }

    /// The number that clients keep.
    pub fn number(self) -> u16 {
        self as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_and_each_name_means_one_thing() {
        let mut numbers: Vec<u16> = Code::ALL.iter().map(|code| code.number()).collect();
        assert!(numbers.is_sorted(), "the list is in order of numbers");
        numbers.dedup();
        assert_eq!(numbers.len(), Code::ALL.len());
        let names: std::collections::BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| Code::from_number(code.number()) == Some(*code)));
    }

    #[test]
    fn names_are_the_codes_in_snake_case() {
        for code in Code::ALL {
            let plain: String = code.name().chars().filter(|letter| *letter != '_').collect();
            assert_eq!(plain, format!("{code:?}").to_lowercase());
        }
    }

    #[test]
    fn a_code_is_about_what_exists_if_its_name_says_so() {
        for code in Code::ALL {
            assert_eq!(code.is_about_existing(), code.name().starts_with("exists"), "{}", code.name());
        }
    }

    #[test]
    fn the_documented_table_is_this_list() {
        let table: Vec<&str> =
            include_str!("../../../docs/ledger-codes.md").lines().filter(|line| line.starts_with("| ")).skip(2).collect();
        let row = |code: &Code| {
            let retry = if code.is_passing() { "new id" } else { "" };
            format!("| {} | `{}` | {retry} | {} |", code.number(), code.name(), code.advice()).replace("|  |", "| |")
        };
        let expected: Vec<String> = Code::ALL.iter().map(row).collect();
        assert_eq!(table, expected, "docs/ledger-codes.md");
    }
}
