"""Ids and times."""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime, timedelta, timezone
from uuid import UUID

_RANDOM_BITS = 74
# The highest random bit stays free, so that there is always room to count.
_DRAWN_BITS = _RANDOM_BITS - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_lock = threading.Lock()
_last = (0, 0)


def _next(last: tuple[int, int], millis: int) -> tuple[int, int]:
    """Milliseconds and what stands below them. The clock may stand still or go back: then the id counts on."""
    if millis <= last[0] and (last[1] + 1) >> _RANDOM_BITS == 0:
        return last[0], last[1] + 1
    drawn = int.from_bytes(os.urandom(16), "big") & ((1 << _DRAWN_BITS) - 1)
    return max(millis, last[0] + 1), drawn


def new_id() -> UUID:
    """A new id, greater than all that this process made before: a UUID of version 7 (RFC 9562, section 6.2, method 2)."""
    global _last
    with _lock:
        _last = _next(_last, time.time_ns() // 1_000_000)
        millis, below = _last
    number = (millis & ((1 << 48) - 1)) << 80 | 7 << 76 | below >> 62 << 64 | 0b10 << 62 | below & ((1 << 62) - 1)
    return UUID(int=number)


def _draw_anew() -> None:
    """A forked process must not count on from where its parent does."""
    global _last, _lock
    _lock = threading.Lock()
    _last = (0, 0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_draw_anew)


def as_datetime(timestamp: int) -> datetime:
    """A time of the ledger, in nanoseconds since 1970, to the microsecond."""
    return _EPOCH + timedelta(microseconds=timestamp // 1_000)


def as_timestamp(at: datetime | int) -> int:
    """Nanoseconds since 1970. A datetime must know its zone."""
    if isinstance(at, int):
        return at
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return (at - _EPOCH) // timedelta(microseconds=1) * 1_000
