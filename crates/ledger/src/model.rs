//! What is recorded. Amounts are in the ledger's smallest unit; ids are the client's; timestamps are nanoseconds since 1970,
//! given by the ledger.

use serde::{Deserialize, Serialize};

/// The largest amount and the largest sum of an account's debits or credits: what SQL's `numeric(38)` holds.
pub const AMOUNT_MAX: u128 = 10u128.pow(38) - 1;

/// The most legs of one posting.
pub const LEGS_MAX: usize = 1_000;

/// The longest metadata of an account or transfer, in bytes.
pub const METADATA_BYTES_MAX: usize = 16_384;

const SECOND_NS: u64 = 1_000_000_000;
const DAY_NS: u64 = 86_400 * SECOND_NS;

macro_rules! flags {
    ($(#[$doc:meta])* $name:ident { $($(#[$flag_doc:meta])* $flag:ident = $bit:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub u16);

        impl $name {
            $($(#[$flag_doc])* pub const $flag: $name = $name(1 << $bit);)+
            const ALL: u16 = 0 $(| (1 << $bit))+;
            /// Each flag with its name as SQL shows it.
            pub const NAMES: &[($name, &str)] = &[$(($name::$flag, stringify!($flag))),+];

            /// True if all bits of `flag` are set.
            #[inline]
            pub fn has(self, flag: $name) -> bool {
                self.0 & flag.0 == flag.0
            }

            /// True if at least one bit of `flags` is set.
            #[inline]
            pub fn has_any(self, flags: $name) -> bool {
                self.0 & flags.0 != 0
            }

            #[inline]
            pub const fn with(self, flag: $name) -> $name {
                $name(self.0 | flag.0)
            }

            #[inline]
            pub const fn without(self, flag: $name) -> $name {
                $name(self.0 & !flag.0)
            }

            /// True if a bit is set that means nothing.
            #[inline]
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
        /// Each entry keeps the balances as they were after it.
        HISTORY = 3,
        /// The client gives the timestamp: an account that was opened in the past, elsewhere.
        IMPORTED = 4,
        /// Takes no transfers; pending ones may still be voided and may expire.
        CLOSED = 5,
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
        /// Moves at most what the debit account's limits allow, which may be nothing.
        BALANCING_DEBIT = 4,
        /// Moves at most what the credit account's limits allow, which may be nothing.
        BALANCING_CREDIT = 5,
        /// Closes the debit account while it is pending.
        CLOSING_DEBIT = 6,
        /// Closes the credit account while it is pending.
        CLOSING_CREDIT = 7,
        /// The client gives the timestamp: a transfer that was made in the past, elsewhere.
        IMPORTED = 8,
        /// Moves back what a posted transfer moved, in whole or in part.
        REVERSE = 9,
    }
);

/// An account. A client gives id, ledger, code, flags, user data, parent, bounds and metadata; balances and timestamp are the ledger's.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    pub id: u128,
    pub debits_pending: u128,
    pub debits_posted: u128,
    pub credits_pending: u128,
    pub credits_posted: u128,
    pub user_data_128: u128,
    pub user_data_64: u64,
    pub user_data_32: u32,
    /// Accounts of different ledgers (currencies, assets) never transact directly.
    pub ledger: u32,
    pub code: u16,
    pub flags: AccountFlags,
    /// When it was opened, in nanoseconds.
    pub timestamp: u64,
    /// The account of the same ledger whose rolled-up balance includes this one's; 0: none.
    pub parent: u128,
    pub bounds: Bounds,
    /// The client's own; at most [`METADATA_BYTES_MAX`] bytes.
    pub metadata: Vec<u8>,
}

/// An account's four sums, each at most [`AMOUNT_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balances {
    pub debits_pending: u128,
    pub debits_posted: u128,
    pub credits_pending: u128,
    pub credits_posted: u128,
}

/// A sum as a signed number. Sums are at most [`AMOUNT_MAX`]; what is larger was damaged, and stays at the end of the range.
#[inline]
fn signed(sum: u128) -> i128 {
    i128::try_from(sum).unwrap_or(i128::MAX)
}

impl Balances {
    /// Posted credits less posted debits.
    #[inline]
    pub fn posted(&self) -> i128 {
        signed(self.credits_posted).saturating_sub(signed(self.debits_posted))
    }

    /// The posted balance if all pending debits were posted and no pending credit was: what a minimum is compared with.
    #[inline]
    pub fn available_low(&self) -> i128 {
        self.posted().saturating_sub(signed(self.debits_pending))
    }

    /// The posted balance if all pending credits were posted and no pending debit was: what a maximum is compared with.
    #[inline]
    pub fn available_high(&self) -> i128 {
        self.posted().saturating_add(signed(self.credits_pending))
    }

    /// What a minimum on `balance` is compared with.
    #[inline]
    pub fn low(&self, balance: Balance) -> i128 {
        if balance == Balance::Posted { self.posted() } else { self.available_low() }
    }

    /// What a maximum on `balance` is compared with.
    #[inline]
    pub fn high(&self, balance: Balance) -> i128 {
        if balance == Balance::Posted { self.posted() } else { self.available_high() }
    }
}

impl Account {
    #[inline]
    pub fn balances(&self) -> Balances {
        Balances {
            debits_pending: self.debits_pending,
            debits_posted: self.debits_posted,
            credits_pending: self.credits_pending,
            credits_posted: self.credits_posted,
        }
    }

    pub fn set_balances(&mut self, balances: Balances) {
        self.debits_pending = balances.debits_pending;
        self.debits_posted = balances.debits_posted;
        self.credits_pending = balances.credits_pending;
        self.credits_posted = balances.credits_posted;
    }
}

/// Which of an account's balances is bounded. A balance is credits less debits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Balance {
    /// Only what is posted: a pending transfer may be refused when it is posted.
    Posted,
    /// What is posted and what is pending against the bound: what could be reserved can be posted.
    #[default]
    Available,
}

/// Bounds of a balance. No transfer may lower it to less than the minimum, or raise it to more than the maximum. An account opens with
/// 0: with a minimum above 0 it takes credits from the start, and debits as soon as the minimum stays untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Bounds {
    pub minimum: Option<i128>,
    pub maximum: Option<i128>,
    pub on: Balance,
}

impl Bounds {
    /// What they say: with neither minimum nor maximum, on which balance they are says nothing.
    pub fn meaning(self) -> Bounds {
        if self.minimum.is_none() && self.maximum.is_none() { Bounds::default() } else { self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Side {
    Debit,
    Credit,
}

impl Side {
    pub fn opposite(self) -> Side {
        match self {
            Side::Debit => Side::Credit,
            Side::Credit => Side::Debit,
        }
    }
}

/// One account's part of a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Leg {
    pub account: u128,
    pub side: Side,
    pub amount: u128,
}

/// A movement between two accounts, or, with legs, between many. Immutable once recorded, and recorded complete: the transfer that
/// posts, voids or reverses another one names that one's accounts and legs itself.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Transfer {
    pub id: u128,
    /// 0 if there are legs.
    pub debit_account: u128,
    /// 0 if there are legs.
    pub credit_account: u128,
    /// What is moved or reserved: with legs the sum of one side (or 0, and the sum is recorded). In a post and a reversal
    /// `u128::MAX` means all, in a balancing transfer as much as possible.
    pub amount: u128,
    /// The pending transfer that a post or void resolves, or the posted one that a reversal reverses; else 0.
    pub pending: u128,
    pub user_data_128: u128,
    pub user_data_64: u64,
    pub user_data_32: u32,
    /// Seconds after which a pending transfer expires; 0: never.
    pub timeout: u32,
    pub ledger: u32,
    pub code: u16,
    pub flags: TransferFlags,
    /// When it was booked, in nanoseconds.
    pub timestamp: u64,
    /// When it takes effect in the books' periods, in nanoseconds; 0: when it was booked.
    pub effective: u64,
    /// From which day interest counts, in days since 1970-01-01; 0: the day of `effective`.
    pub value_date: i32,
    /// Empty for the two accounts above; else at most [`LEGS_MAX`], and debits and credits have the same sum.
    pub legs: Vec<Leg>,
    /// The client's own; at most [`METADATA_BYTES_MAX`] bytes.
    pub metadata: Vec<u8>,
}

impl Transfer {
    /// When a pending transfer expires, in nanoseconds.
    #[inline]
    pub fn expires(&self) -> Option<u64> {
        (self.timeout > 0).then(|| self.timestamp.saturating_add(u64::from(self.timeout) * SECOND_NS))
    }

    /// When it takes effect, in nanoseconds.
    #[inline]
    pub fn effective_at(&self) -> u64 {
        if self.effective == 0 { self.timestamp } else { self.effective }
    }

    /// The day from which interest counts, in days since 1970-01-01.
    pub fn value_day(&self) -> i32 {
        match self.value_date {
            0 => i32::try_from(self.effective_at() / DAY_NS).expect("2^64 nanoseconds are 213,503 days"),
            day => day,
        }
    }

    /// Number `index` of the legs; a transfer between two accounts has two, the debit first.
    #[inline]
    pub fn leg(&self, index: usize) -> Option<Leg> {
        if !self.legs.is_empty() {
            return self.legs.get(index).copied();
        }
        match index {
            0 => Some(Leg { account: self.debit_account, side: Side::Debit, amount: self.amount }),
            1 => Some(Leg { account: self.credit_account, side: Side::Credit, amount: self.amount }),
            _ => None,
        }
    }

    /// All legs; a transfer between two accounts has two, the debit first.
    pub fn each_leg(&self) -> impl Iterator<Item = Leg> {
        (0..).map_while(|index| self.leg(index))
    }

    /// True if it moved posted amounts: neither pending nor a void.
    pub fn is_posted(&self) -> bool {
        !self.flags.has_any(TransferFlags::PENDING.with(TransferFlags::VOID))
    }
}

/// What became of a pending transfer. It is resolved once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PendingState {
    Pending,
    Posted,
    Voided,
    Expired,
}

/// What the amounts of some accounts count.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    pub id: u32,
    pub name: String,
    /// What is held: money, points, shares.
    pub asset: String,
    /// The currency's code (ISO 4217) if the asset is money.
    pub currency: String,
    /// Digits behind the point: 2 if the smallest unit is a cent.
    pub scale: u8,
    /// Nothing may take effect at or before this time, in nanoseconds; pending amounts may still be released. 0: no period is closed.
    pub closed_through: u64,
    pub metadata: Vec<u8>,
}

/// What an entry did to its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EntryKind {
    /// Added to the posted sum.
    Posted,
    /// Added to the pending sum.
    Pending,
    /// Taken from the pending sum.
    Released,
}

/// One line of an account's statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub account: u128,
    /// When it was booked, in nanoseconds: the transfer's timestamp, or the time of expiry.
    pub timestamp: u64,
    /// What caused it; at expiry the pending transfer itself.
    pub transfer: u128,
    /// Number of the leg in the transfer; in one between two accounts 0 is the debit and 1 the credit.
    pub leg: u16,
    pub side: Side,
    pub kind: EntryKind,
    pub amount: u128,
    /// The account's sums after this entry, if the account has `HISTORY`.
    pub balances: Option<Balances>,
}
