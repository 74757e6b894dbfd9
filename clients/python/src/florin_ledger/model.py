"""What a client asks for, what it hears, and what it reads back. Amounts are whole numbers of the ledger's smallest unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum, IntFlag
from typing import Any
from uuid import UUID

from .codes import Code
from .errors import Refused
from .ids import as_timestamp, new_id

ALL = 2**128 - 1
"""As an amount: all that is pending, all that was not yet reversed, or as much as an account's limits allow."""

AMOUNT_MAX = 10**38 - 1
LEGS_MAX = 1_000
BATCH_EVENTS_MAX = 8_190


class AccountFlags(IntFlag):
    LINKED = 1 << 0
    DEBITS_WITHIN_CREDITS = 1 << 1
    CREDITS_WITHIN_DEBITS = 1 << 2
    HISTORY = 1 << 3
    IMPORTED = 1 << 4
    CLOSED = 1 << 5


class TransferFlags(IntFlag):
    LINKED = 1 << 0
    PENDING = 1 << 1
    POST = 1 << 2
    VOID = 1 << 3
    BALANCING_DEBIT = 1 << 4
    BALANCING_CREDIT = 1 << 5
    CLOSING_DEBIT = 1 << 6
    CLOSING_CREDIT = 1 << 7
    IMPORTED = 1 << 8
    REVERSE = 1 << 9


class Side(str, Enum):
    DEBIT = "debit"
    CREDIT = "credit"


class EntryKind(str, Enum):
    """What an entry did: added to the posted sum, added to the pending one, or taken from that."""

    POSTED = "posted"
    PENDING = "pending"
    RELEASED = "released"


class PendingState(str, Enum):
    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Definition:
    """A ledger: what the amounts of its accounts count. `scale`: digits behind the point, 2 if the smallest unit is a cent."""

    id: int
    name: str
    asset: str = ""
    currency: str = ""
    scale: int = 2
    metadata: Any = None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to open. `code` is the client's own kind, not 0. `minimum` and `maximum` bound its balance, credits less debits; with
    `bounded="available"` what is pending counts against them. `imported`: when it was opened elsewhere, in nanoseconds."""

    id: UUID
    ledger: int
    code: int
    history: bool = False
    debits_within_credits: bool = False
    credits_within_debits: bool = False
    minimum: int | None = None
    maximum: int | None = None
    bounded: str = "available"
    parent: UUID | None = None
    user_data_128: int = 0
    user_data_64: int = 0
    user_data_32: int = 0
    metadata: Any = None
    imported: int = 0

    @property
    def flags(self) -> AccountFlags:
        flags = AccountFlags(0)
        for given, flag in (
            (self.history, AccountFlags.HISTORY),
            (self.debits_within_credits, AccountFlags.DEBITS_WITHIN_CREDITS),
            (self.credits_within_debits, AccountFlags.CREDITS_WITHIN_DEBITS),
            (self.imported, AccountFlags.IMPORTED),
        ):
            if given:
                flags |= flag
        return flags

    @property
    def is_packable(self) -> bool:
        """True if a packed record can hold it. The rest travels as a document, in a call of its own."""
        return self.parent is None and self.metadata is None and self.minimum is None and self.maximum is None


@dataclass(frozen=True, slots=True)
class Leg:
    """One account's part of a posting."""

    account: UUID
    side: Side
    amount: int

    @classmethod
    def debit(cls, account: UUID, amount: int) -> Leg:
        return cls(account, Side.DEBIT, amount)

    @classmethod
    def credit(cls, account: UUID, amount: int) -> Leg:
        return cls(account, Side.CREDIT, amount)


@dataclass(frozen=True, slots=True)
class Transfer:
    """A movement to book. Made by `between`, `posting`, `post`, `void` or `reverse`, which take the other fields by their names. The id is made with it
    unless it is given. `timeout` is in seconds, `effective` in nanoseconds and kept to the microsecond."""

    id: UUID = field(default_factory=new_id)
    debit_account: UUID | None = None
    credit_account: UUID | None = None
    amount: int = 0
    refers_to: UUID | None = None
    ledger: int = 0
    code: int = 0
    flags: TransferFlags = TransferFlags(0)
    timeout: int = 0
    effective: int = 0
    value_date: date | None = None
    legs: tuple[Leg, ...] = ()
    user_data_128: int = 0
    user_data_64: int = 0
    user_data_32: int = 0
    metadata: Any = None
    imported: int = 0

    @classmethod
    def between(cls, debit: UUID, credit: UUID, amount: int, *, pending: bool = False, **more: Any) -> Transfer:
        """Moves `amount` from the debited to the credited account; `pending` only reserves it."""
        return cls._new(more, pending, debit_account=debit, credit_account=credit, amount=amount)

    @classmethod
    def posting(cls, legs: Sequence[Leg], *, pending: bool = False, **more: Any) -> Transfer:
        """Many legs at once, at most 1,000; the debits' sum is the credits'."""
        return cls._new(more, pending, legs=tuple(legs))

    @classmethod
    def post(cls, pending: UUID, amount: int = ALL, **more: Any) -> Transfer:
        """Posts `amount` of a pending transfer, at most what is pending; the rest is released."""
        return cls._referring(pending, amount, TransferFlags.POST, more)

    @classmethod
    def void(cls, pending: UUID, **more: Any) -> Transfer:
        """Releases a pending transfer."""
        return cls._referring(pending, 0, TransferFlags.VOID, more)

    @classmethod
    def reverse(cls, original: UUID, amount: int = ALL, **more: Any) -> Transfer:
        """Moves `amount` of a posted transfer back, at most what was not yet reversed."""
        return cls._referring(original, amount, TransferFlags.REVERSE, more)

    @classmethod
    def _new(cls, more: dict[str, Any], pending: bool, **fields: Any) -> Transfer:
        fields = {"ledger": 1, "code": 1, **fields, **more}
        if pending:
            fields["flags"] = fields.get("flags", TransferFlags(0)) | TransferFlags.PENDING
        return cls(**_times(fields))

    @classmethod
    def _referring(cls, other: UUID, amount: int, flag: TransferFlags, more: dict[str, Any]) -> Transfer:
        flags = flag | more.pop("flags", TransferFlags(0))
        return cls(refers_to=other, amount=amount, flags=flags, **_times(more))

    @property
    def is_packable(self) -> bool:
        """True if a packed record can hold it. The rest travels as a document, in a call of its own."""
        return not self.legs and self.metadata is None and self.effective == 0 and self.value_date is None


def _times(fields: dict[str, Any]) -> dict[str, Any]:
    """A datetime is as good as nanoseconds. What is imported says so in its flags."""
    for name in ("effective", "imported"):
        if isinstance(fields.get(name), datetime):
            fields[name] = as_timestamp(fields[name])
    if fields.get("effective"):
        fields["effective"] -= fields["effective"] % 1_000
    if fields.get("imported"):
        fields["flags"] = fields.get("flags", TransferFlags(0)) | TransferFlags.IMPORTED
    return fields


@dataclass(frozen=True, slots=True)
class Booked:
    """What is in the books, at `timestamp` nanoseconds. `existed`: the ledger said that it was there already, with the same content."""

    id: UUID
    timestamp: int
    existed: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer for one of many. `timestamp`: when it was booked or refused, in nanoseconds; 0 where the ledger did not tell."""

    id: UUID
    code: Code
    timestamp: int

    @property
    def is_booked(self) -> bool:
        return self.code.is_booked

    def booked(self) -> Booked:
        """Raises `Refused` if it was."""
        if not self.code.is_booked:
            raise Refused(self.id, self.code, self.timestamp)
        return Booked(self.id, self.timestamp, self.code == Code.EXISTS)


@dataclass(frozen=True, slots=True)
class Balances:
    """An account's four sums."""

    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0

    @property
    def posted(self) -> int:
        """Posted credits less posted debits."""
        return self.credits_posted - self.debits_posted

    @property
    def available(self) -> int:
        """What is left if all pending debits are posted and no pending credit is."""
        return self.posted - self.debits_pending


@dataclass(frozen=True, slots=True)
class Account:
    id: UUID
    ledger: int
    code: int
    flags: AccountFlags
    timestamp: int
    balances: Balances
    parent: UUID | None
    minimum: int | None
    maximum: int | None
    bounded: str | None
    user_data_128: int
    user_data_64: int
    user_data_32: int
    metadata: Any


@dataclass(frozen=True, slots=True)
class Recorded:
    """A transfer as it is recorded."""

    id: UUID
    ledger: int
    code: int
    flags: TransferFlags
    timestamp: int
    debit_account: UUID | None
    credit_account: UUID | None
    amount: int
    refers_to: UUID | None
    timeout: int
    effective: int | None
    value_date: date | None
    legs: tuple[Leg, ...]
    user_data_128: int
    user_data_64: int
    user_data_32: int
    metadata: Any


@dataclass(frozen=True, slots=True)
class TransferState:
    """What became of a transfer that was pending or was reversed. `pending` is `None` if it never was."""

    id: UUID
    pending: PendingState | None
    expires: int | None
    reversed: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an account's statement. `balances`: the account's sums after it, if the account keeps a history."""

    account: UUID
    timestamp: int
    number: int
    transfer: UUID
    kind: EntryKind
    side: Side
    amount: int
    balances: Balances | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in an account's entries."""

    timestamp: int
    number: int


@dataclass(frozen=True, slots=True)
class Page:
    """`next`: where the next page begins; `None` if this is the last one."""

    entries: list[Entry]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class AccountBalance:
    account: UUID
    ledger: int
    code: int
    balances: Balances


@dataclass(frozen=True, slots=True)
class Defined:
    """A ledger as it is defined. Nothing may take effect in it at `closed_through` nanoseconds or before."""

    id: int
    name: str
    asset: str | None
    currency: str | None
    scale: int
    closed_through: int | None
    metadata: Any


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the books that contradicts itself."""

    name: str
    account: UUID | None
    detail: str
