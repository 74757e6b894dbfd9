"""A client of Florin's double-entry ledger: `Ledger` for threads, `AsyncLedger` for asyncio.

Both batch by themselves: nothing waits while the ledger is idle, and what arrives while a batch is on its way travels together in the next one. Ids are
made before the first try, so whatever is sent again is booked once.
"""

from .codes import Code
from .errors import DatabaseError, LedgerError, OutcomeUnknown, Refused, Unreachable
from .ids import as_datetime, as_timestamp, new_id
from .model import (
    ALL,
    AMOUNT_MAX,
    BATCH_EVENTS_MAX,
    LEGS_MAX,
    Account,
    AccountBalance,
    AccountFlags,
    Balances,
    Booked,
    Cursor,
    Defined,
    Definition,
    Entry,
    EntryKind,
    Finding,
    Leg,
    NewAccount,
    Outcome,
    Page,
    PendingState,
    Recorded,
    Side,
    Transfer,
    TransferFlags,
    TransferState,
)
from .tasks import AsyncLedger
from .threads import Ledger

__all__ = [
    "ALL",
    "AMOUNT_MAX",
    "BATCH_EVENTS_MAX",
    "LEGS_MAX",
    "Account",
    "AccountBalance",
    "AccountFlags",
    "AsyncLedger",
    "Balances",
    "Booked",
    "Code",
    "Cursor",
    "DatabaseError",
    "Defined",
    "Definition",
    "Entry",
    "EntryKind",
    "Finding",
    "Ledger",
    "LedgerError",
    "Leg",
    "NewAccount",
    "Outcome",
    "OutcomeUnknown",
    "Page",
    "PendingState",
    "Recorded",
    "Refused",
    "Side",
    "Transfer",
    "TransferFlags",
    "TransferState",
    "Unreachable",
    "as_datetime",
    "as_timestamp",
    "new_id",
]
