"""What the two clients share: settings, packing, and what a failed try means."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from . import wire
from .errors import DatabaseError, LedgerError, OutcomeUnknown, Unreachable
from .model import BATCH_EVENTS_MAX, NewAccount, Transfer, TransferFlags
from .retry import Pauses, Verdict, verdict

BATCHES_IN_FLIGHT = 4
"""Batches on their way at once, each over a connection of its own."""

CONNECTIONS = 4
"""Connections for everything else: postings, documents, queries."""

QUEUED_EVENTS_MAX = 16 * BATCH_EVENTS_MAX
"""Most events that wait or are on their way, for each of accounts and transfers: who comes later waits for room."""

GIVE_UP_AFTER_S = 60.0
"""How long a request is tried again. A failover takes two seconds at most; a node that cannot learn an outcome says so after 30."""

CREATE_TRANSFERS = "SELECT ledger.create_transfers(%b)"
CREATE_ACCOUNTS = "SELECT ledger.create_accounts(%b)"

# Bytes that nobody acknowledges for so long end the connection.
_SILENCE_MAX_MS = 10_000
_CONNECT_MAX_S = 5
# Where a packed transfer has its flags, the low byte first.
_FLAGS_AT = 118


@dataclass(frozen=True)
class Settings:
    conninfo: str
    batches_in_flight: int = BATCHES_IN_FLIGHT
    connections: int = CONNECTIONS
    give_up_after_s: float = GIVE_UP_AFTER_S

    def __post_init__(self) -> None:
        if self.batches_in_flight < 1 or self.connections < 1:
            raise ValueError("at least one batch in flight and one connection are needed")
        # What is wrong with it is told before anything is sent.
        psycopg.conninfo.conninfo_to_dict(self.conninfo)

    def connect_arguments(self) -> dict[str, Any]:
        given = psycopg.conninfo.conninfo_to_dict(self.conninfo)
        defaults: dict[str, Any] = {
            "application_name": "florin-ledger (Python)",
            "connect_timeout": _CONNECT_MAX_S,
            "tcp_user_timeout": _SILENCE_MAX_MS,
        }
        return {"conninfo": self.conninfo, "autocommit": True, **{k: v for k, v in defaults.items() if k not in given}}


def packed(events: Sequence[Transfer | NewAccount], linked: bool) -> list[bytes]:
    """One record for each event; in a chain all but the last are linked."""
    records = []
    last = len(events) - 1
    for index, event in enumerate(events):
        if isinstance(event, NewAccount):
            records.append(wire.pack_account(event))
        else:
            record = bytearray(wire.pack_transfer(event))
            if linked and index < last:
                record[_FLAGS_AT] |= TransferFlags.LINKED
            records.append(bytes(record))
    return records


class Tries:
    """The tries of one request: what to do after each failure, until the time is up."""

    def __init__(self, give_up_after_s: float) -> None:
        self._begun = time.monotonic()
        self._give_up_after_s = give_up_after_s
        self._pauses = Pauses()
        self._may_be_done = False

    def failed(self, error: psycopg.Error, sent: bool, lost: bool, random: float) -> tuple[float, Verdict]:
        """Seconds to wait before the next try, and what the failure means. Raises if there is no next try."""
        told = verdict(error.sqlstate, sent, lost)
        if told is Verdict.FINAL:
            raise DatabaseError(_message(error), error.sqlstate) from error
        self._may_be_done |= told is Verdict.UNKNOWN
        elapsed = time.monotonic() - self._begun
        pause = self._pauses.next(elapsed, self._give_up_after_s, random)
        if pause is None:
            kind: type[LedgerError] = OutcomeUnknown if self._may_be_done else DatabaseError if told is Verdict.AGAIN else Unreachable
            raise kind(f"given up after {self._pauses.tries} tries in {elapsed:.1f} s: {_message(error)}", error.sqlstate) from error
        return pause, told


def _message(error: psycopg.Error) -> str:
    said = [error.diag.message_primary or str(error).strip() or type(error).__name__]
    said += [text for text in (error.diag.message_detail, error.diag.message_hint) if text]
    return ". ".join(text.rstrip(".") for text in said)
