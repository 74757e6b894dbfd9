//! What is recorded. Amounts are in the ledger's smallest unit; ids are the client's; timestamps are nanoseconds, given by the ledger.

use serde::{Deserialize, Serialize};

macro_rules! flags {
    ($(#[$doc:meta])* $name:ident { $($(#[$flag_doc:meta])* $flag:ident = $bit:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub u16);

        impl $name {
            $($(#[$flag_doc])* pub const $flag: $name = $name(1 << $bit);)+
            const ALL: u16 = 0 $(| (1 << $bit))+;

            pub fn has(self, flag: $name) -> bool {
                self.0 & flag.0 == flag.0
            }

            pub fn with(self, flag: $name) -> $name {
                $name(self.0 | flag.0)
            }

            pub fn without(self, flag: $name) -> $name {
                $name(self.0 & !flag.0)
            }

            /// True if a bit is set that means nothing.
            pub fn has_unknown(self) -> bool {
                self.0 & !Self::ALL != 0
            }
        }
    };
}

flags!(
    /// How an account behaves.
    AccountFlags {
        /// Stands or falls with the next account of the batch.
        LINKED = 0,
        /// Posted and pending debits never exceed posted credits.
        DEBITS_WITHIN_CREDITS = 1,
        /// Posted and pending credits never exceed posted debits.
        CREDITS_WITHIN_DEBITS = 2,
        /// Balances are kept as they were after each transfer.
        HISTORY = 3,
        /// Takes no transfers but the void that opens it again.
        CLOSED = 4,
    }
);

flags!(
    /// What a transfer does.
    TransferFlags {
        /// Stands or falls with the next transfer of the batch.
        LINKED = 0,
        /// Reserves the amount; a later transfer posts or voids it.
        PENDING = 1,
        /// Posts a pending transfer, in whole or in part; the rest is released.
        POST = 2,
        /// Releases a pending transfer.
        VOID = 3,
        /// Moves at most what the debit account's limit allows.
        BALANCING_DEBIT = 4,
        /// Moves at most what the credit account's limit allows.
        BALANCING_CREDIT = 5,
        /// Closes the debit account while it is pending.
        CLOSING_DEBIT = 6,
        /// Closes the credit account while it is pending.
        CLOSING_CREDIT = 7,
    }
);

/// An account. A client gives id, ledger, code, flags and user data; balances and timestamp are the ledger's.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    pub id: u128,
    pub debits_pending: u128,
    pub debits_posted: u128,
    pub credits_pending: u128,
    pub credits_posted: u128,
    pub user_data: u128,
    /// Accounts of different ledgers (currencies, assets) never transact directly.
    pub ledger: u32,
    pub code: u16,
    pub flags: AccountFlags,
    pub timestamp: u64,
}

impl Account {
    /// How much more may be debited.
    pub fn debit_room(&self) -> u128 {
        match self.flags.has(AccountFlags::DEBITS_WITHIN_CREDITS) {
            true => self.credits_posted.saturating_sub(self.debits_posted.saturating_add(self.debits_pending)),
            false => u128::MAX,
        }
    }

    /// How much more may be credited.
    pub fn credit_room(&self) -> u128 {
        match self.flags.has(AccountFlags::CREDITS_WITHIN_DEBITS) {
            true => self.debits_posted.saturating_sub(self.credits_posted.saturating_add(self.credits_pending)),
            false => u128::MAX,
        }
    }
}

/// A movement between two accounts. Immutable once recorded.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Transfer {
    pub id: u128,
    pub debit_account: u128,
    pub credit_account: u128,
    /// What is moved or reserved. In a post `u128::MAX` means all that is pending.
    pub amount: u128,
    /// The pending transfer that a post or void resolves; else 0.
    pub pending: u128,
    pub user_data: u128,
    /// Seconds after which a pending transfer expires; 0: never.
    pub timeout: u32,
    pub ledger: u32,
    pub code: u16,
    pub flags: TransferFlags,
    pub timestamp: u64,
}

impl Transfer {
    /// When a pending transfer expires, in nanoseconds.
    pub fn expires(&self) -> Option<u64> {
        (self.timeout > 0).then(|| self.timestamp.saturating_add(u64::from(self.timeout) * 1_000_000_000))
    }
}

/// What became of a pending transfer. It is resolved once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PendingState {
    Pending,
    Posted,
    Voided,
    Expired,
}
