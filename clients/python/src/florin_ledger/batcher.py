"""What waits to be sent, and what may leave: a state machine without clock, thread or socket.

While nothing is on its way, whatever waits leaves at once. While something is, what arrives waits and leaves together when it is back, or as soon as a
batch is full. So an idle ledger adds no delay, and a loaded one gets few, full batches without anybody having set a time to wait.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from .model import NewAccount, Transfer

R = TypeVar("R")


@dataclass(slots=True)
class Group(Generic[R]):
    """Events that travel in one batch and stay in order, and who waits for their outcomes."""

    events: list[Transfer] | list[NewAccount]
    imported: bool
    reply: R


@dataclass(slots=True)
class Batch(Generic[R]):
    groups: list[Group[R]]
    imported: bool


class Batcher(Generic[R]):
    """`events_max`: of a batch. `in_flight_max`: batches on their way; while `partial_max` are, only full ones leave."""

    def __init__(self, events_max: int, in_flight_max: int, partial_max: int = 1) -> None:
        if not (events_max > 0 and 0 < partial_max <= in_flight_max):
            raise ValueError("these limits let nothing leave")
        self._events_max = events_max
        self._in_flight_max = in_flight_max
        self._partial_max = partial_max
        self._waiting: deque[Group[R]] = deque()
        self._waiting_events = 0
        self._in_flight = 0
        self._imports = False

    def offer(self, group: Group[R]) -> None:
        if not 0 < len(group.events) <= self._events_max:
            raise ValueError(f"a group has 1 to {self._events_max} events")
        self._waiting_events += len(group.events)
        self._waiting.append(group)

    def reserve(self) -> Group[R] | None:
        """The first group that waits, if a batch may leave now: it counts as on its way from here on, and `take` is due."""
        if not self._waiting:
            return None
        first = self._waiting[0]
        full = self._waiting_events >= self._events_max
        allowed = self._in_flight_max if full else self._partial_max
        if self._in_flight >= allowed or (first.imported and self._imports):
            return None
        self._in_flight += 1
        return first

    def take(self) -> Batch[R] | None:
        """What leaves for a reservation. `None` gives the reservation back: what waited has left meanwhile."""
        if not self._waiting or (self._waiting[0].imported and self._imports):
            self._in_flight -= 1
            return None
        imported = self._waiting[0].imported
        groups: list[Group[R]] = []
        events = 0
        while self._waiting:
            group = self._waiting[0]
            if group.imported != imported or events + len(group.events) > self._events_max:
                break
            events += len(group.events)
            groups.append(self._waiting.popleft())
        self._waiting_events -= events
        self._imports |= imported
        return Batch(groups, imported)

    def done(self, imported: bool) -> None:
        """A batch is back, or was given up."""
        self._in_flight -= 1
        if imported:
            self._imports = False

    def withdraw(self, group: Group[R]) -> None:
        """Takes a group back if it still waits."""
        for index, waiting in enumerate(self._waiting):
            if waiting is group:
                del self._waiting[index]
                self._waiting_events -= len(group.events)
                return
