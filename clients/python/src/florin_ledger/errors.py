"""What can go wrong, by what the caller may do about it."""

from __future__ import annotations

from uuid import UUID

from .codes import Code


class LedgerError(Exception):
    """All errors of this package but wrong use, which is a ValueError. `sqlstate`: the database's code, if it gave one."""

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class Refused(LedgerError):
    """The ledger's rules say no: nothing was booked. Tried again later, a transfer needs a new id where `code.is_passing`."""

    def __init__(self, id: UUID, code: Code, timestamp: int = 0) -> None:
        super().__init__(f"the ledger refused {id}: {code.name.lower()}. {code.advice}", f"L{code.value:04}")
        self.id = id
        self.code = code
        self.timestamp = timestamp


class DatabaseError(LedgerError):
    """The database says no: nothing was booked."""


class Unreachable(LedgerError):
    """No node could be reached in time: nothing was sent."""


class OutcomeUnknown(LedgerError):
    """It was sent, and no answer came in time. It may have been booked or may yet be: send it again with the same id, and hear which."""
