//! What a client asks for, and what it hears. Amounts are in the ledger's smallest unit.

use crate::error::{Error, Refusal, Result};
use crate::id::{Id, Timestamp};
use ledger::{AccountFlags, Balance, Bounds, Code, Side, TransferFlags};
use std::time::Duration;

/// As an amount: all that is pending, all that was not yet reversed, or as much as an account's limits allow.
pub const ALL: u128 = u128::MAX;

/// A ledger: what the amounts of its accounts count. Defining it again changes its name and metadata only.
#[derive(Clone, Debug, Default)]
pub struct Definition {
    /// From 1 on.
    pub id: u32,
    pub name: String,
    /// What is held: money, points, shares.
    pub asset: String,
    /// The currency's code (ISO 4217) if the asset is money.
    pub currency: String,
    /// Digits behind the point: 2 if the smallest unit is a cent.
    pub scale: u8,
    /// JSON; empty: none.
    pub metadata: String,
}

/// An account to open.
#[derive(Clone, Debug)]
pub struct NewAccount(pub(crate) ledger::Account);

impl NewAccount {
    /// `code` is the client's own kind of account, not 0.
    pub fn new(id: Id, ledger: u32, code: u16) -> NewAccount {
        NewAccount(ledger::Account { id: id.0, ledger, code, ..ledger::Account::default() })
    }

    pub fn id(&self) -> Id {
        Id(self.0.id)
    }

    /// Adds flags: [`AccountFlags::HISTORY`], [`AccountFlags::DEBITS_WITHIN_CREDITS`] and so on.
    pub fn flags(mut self, flags: AccountFlags) -> NewAccount {
        self.0.flags = self.0.flags.with(flags);
        self
    }

    /// The account of the same ledger that this one is part of.
    pub fn parent(mut self, parent: Id) -> NewAccount {
        self.0.parent = parent.0;
        self
    }

    /// No transfer may lower the balance below this.
    pub fn minimum(mut self, minimum: i128, on: Balance) -> NewAccount {
        self.0.bounds = Bounds { minimum: Some(minimum), on, ..self.0.bounds };
        self
    }

    /// No transfer may raise the balance above this.
    pub fn maximum(mut self, maximum: i128, on: Balance) -> NewAccount {
        self.0.bounds = Bounds { maximum: Some(maximum), on, ..self.0.bounds };
        self
    }

    /// The client's own, in three widths.
    pub fn user_data(mut self, wide: u128, middle: u64, narrow: u32) -> NewAccount {
        (self.0.user_data_128, self.0.user_data_64, self.0.user_data_32) = (wide, middle, narrow);
        self
    }

    /// JSON, the client's own.
    pub fn metadata(mut self, json: impl Into<String>) -> NewAccount {
        self.0.metadata = json.into().into_bytes();
        self
    }

    /// An account that was opened elsewhere at this time in the past.
    pub fn imported(mut self, opened: Timestamp) -> NewAccount {
        self.0.timestamp = opened.0;
        self.flags(AccountFlags::IMPORTED)
    }
}

/// One account's part of a posting of many legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    pub account: Id,
    pub side: Side,
    pub amount: u128,
}

impl Leg {
    pub fn debit(account: Id, amount: u128) -> Leg {
        Leg { account, side: Side::Debit, amount }
    }

    pub fn credit(account: Id, amount: u128) -> Leg {
        Leg { account, side: Side::Credit, amount }
    }
}

/// A movement to book. Its id is made with it, or given with [`Transfer::id`].
#[derive(Clone, Debug)]
pub struct Transfer(pub(crate) ledger::Transfer);

impl Transfer {
    fn of(transfer: ledger::Transfer) -> Transfer {
        Transfer(ledger::Transfer { id: Id::new().0, ..transfer })
    }

    /// Moves `amount` from the debited to the credited account, in ledger 1 and with code 1 unless told otherwise.
    pub fn between(debit: Id, credit: Id, amount: u128) -> Transfer {
        let (debit_account, credit_account) = (debit.0, credit.0);
        Transfer::of(ledger::Transfer { debit_account, credit_account, amount, ledger: 1, code: 1, ..ledger::Transfer::default() })
    }

    /// Many legs at once, at most [`ledger::LEGS_MAX`]; the debits' sum is the credits'.
    pub fn posting(legs: &[Leg]) -> Transfer {
        let leg = |leg: &Leg| ledger::Leg { account: leg.account.0, side: leg.side, amount: leg.amount };
        let legs = legs.iter().map(leg).collect();
        Transfer::of(ledger::Transfer { legs, ledger: 1, code: 1, ..ledger::Transfer::default() })
    }

    fn referring(other: Id, amount: u128, flag: TransferFlags) -> Transfer {
        Transfer::of(ledger::Transfer { pending: other.0, amount, flags: flag, ..ledger::Transfer::default() })
    }

    /// Posts `amount` of a pending transfer, at most what is pending, [`ALL`] for that; the rest is released.
    pub fn post(pending: Id, amount: u128) -> Transfer {
        Transfer::referring(pending, amount, TransferFlags::POST)
    }

    /// Releases a pending transfer.
    pub fn void(pending: Id) -> Transfer {
        Transfer::referring(pending, 0, TransferFlags::VOID)
    }

    /// Moves `amount` of a posted transfer back, at most what was not yet reversed, [`ALL`] for that.
    pub fn reverse(original: Id, amount: u128) -> Transfer {
        Transfer::referring(original, amount, TransferFlags::REVERSE)
    }

    pub fn id(&self) -> Id {
        Id(self.0.id)
    }

    /// Instead of the id that was made: one that the caller keeps, so that even its own crash moves nothing twice.
    pub fn with_id(mut self, id: Id) -> Transfer {
        self.0.id = id.0;
        self
    }

    pub fn ledger(mut self, ledger: u32) -> Transfer {
        self.0.ledger = ledger;
        self
    }

    /// The client's own kind of transfer, not 0.
    pub fn code(mut self, code: u16) -> Transfer {
        self.0.code = code;
        self
    }

    /// Adds flags, as [`TransferFlags::BALANCING_DEBIT`]. `LINKED` is not for callers: see [`crate::Ledger::chain`].
    pub fn flags(mut self, flags: TransferFlags) -> Transfer {
        self.0.flags = self.0.flags.with(flags);
        self
    }

    /// Only reserves the amount. It expires after `timeout`, in whole seconds rounded up; `None`: never.
    pub fn pending(mut self, timeout: Option<Duration>) -> Transfer {
        let seconds = timeout.map_or(0, |timeout| timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0));
        self.0.timeout = u32::try_from(seconds).unwrap_or(u32::MAX);
        self.flags(TransferFlags::PENDING)
    }

    /// When it takes effect in the books' periods, to the microsecond; else when it is booked.
    pub fn effective(mut self, at: Timestamp) -> Transfer {
        self.0.effective = at.0 / 1_000 * 1_000;
        self
    }

    /// From which day interest counts, in days since 1970-01-01; else the day on which it takes effect.
    pub fn value_date(mut self, days: i32) -> Transfer {
        self.0.value_date = days;
        self
    }

    /// The client's own, in three widths.
    pub fn user_data(mut self, wide: u128, middle: u64, narrow: u32) -> Transfer {
        (self.0.user_data_128, self.0.user_data_64, self.0.user_data_32) = (wide, middle, narrow);
        self
    }

    /// JSON, the client's own.
    pub fn metadata(mut self, json: impl Into<String>) -> Transfer {
        self.0.metadata = json.into().into_bytes();
        self
    }

    /// A transfer that was made elsewhere at this time in the past. Imported ones are sent in the order of their times.
    pub fn imported(mut self, made: Timestamp) -> Transfer {
        self.0.timestamp = made.0;
        self.flags(TransferFlags::IMPORTED)
    }
}

/// What is in the books: now, or since an earlier try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booked {
    pub id: Id,
    pub timestamp: Timestamp,
    /// The ledger said that it was there already, with the same content.
    pub existed: bool,
}

/// The answer for one of many.
#[must_use = "an outcome may be a refusal"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub id: Id,
    pub code: Code,
    /// When it was booked, or refused.
    pub timestamp: Timestamp,
}

impl Outcome {
    pub fn is_booked(&self) -> bool {
        matches!(self.code, Code::Ok | Code::Exists)
    }

    /// # Errors
    /// [`Error::Refused`] if it was.
    pub fn booked(self) -> Result<Booked> {
        let Outcome { id, code, timestamp } = self;
        match code {
            Code::Ok | Code::Exists => Ok(Booked { id, timestamp, existed: code == Code::Exists }),
            _ => Err(Error::Refused(Refusal { id, code, timestamp })),
        }
    }
}
