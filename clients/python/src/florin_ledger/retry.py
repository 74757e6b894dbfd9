"""What an error means for whoever sent the request, and how long to wait before sending it again. Told the time, never asking for it."""

from __future__ import annotations

from enum import Enum

PAUSE_MIN_S = 0.01
# About as long as a failover takes.
PAUSE_MAX_S = 0.5


class Verdict(Enum):
    AGAIN = "nothing was done: send it again over the same connection"
    RECONNECT = "nothing was done: send it again over a new connection"
    UNKNOWN = "it may have been done: send it again over a new connection, the ids make it safe"
    FINAL = "it fails again however often it is sent"


def verdict(sqlstate: str | None, sent: bool, lost: bool) -> Verdict:
    """`sent`: the node may have got the request. `lost`: the connection is gone, which has no code of its own."""
    if sqlstate in ("40001", "40P01"):
        return Verdict.AGAIN
    if sqlstate in ("57P03", "53300"):
        return Verdict.RECONNECT
    if sqlstate == "08P01":
        return Verdict.FINAL
    if (sqlstate is None and lost) or (sqlstate is not None and sqlstate.startswith(("08", "57P0"))):
        return Verdict.UNKNOWN if sent else Verdict.RECONNECT
    return Verdict.FINAL


class Pauses:
    """Pauses that double, each drawn at random from its upper half, so that many clients do not come back at once."""

    def __init__(self) -> None:
        self.tries = 0

    def next(self, elapsed_s: float, give_up_after_s: float, random: float) -> float | None:
        """Seconds before the next try; `None` if that would be too late. `random` is from 0 to 1."""
        longest = min(PAUSE_MIN_S * 2 ** min(self.tries, 16), PAUSE_MAX_S)
        self.tries += 1
        pause = longest / 2 * (1 + random)
        return pause if elapsed_s + pause < give_up_after_s else None
