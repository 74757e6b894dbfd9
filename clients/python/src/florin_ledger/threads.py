"""The client for threads. It starts none: of the threads that wait for a batch one carries it for all, and hands over to the next when it is back."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar
from uuid import UUID

import psycopg

from . import operations as op
from . import wire
from ._shared import (
    BATCHES_IN_FLIGHT,
    CONNECTIONS,
    CREATE_ACCOUNTS,
    CREATE_TRANSFERS,
    GIVE_UP_AFTER_S,
    QUEUED_EVENTS_MAX,
    Settings,
    Tries,
    packed,
)
from .batcher import Batch, Batcher, Group
from .errors import DatabaseError, LedgerError, OutcomeUnknown
from .model import (
    BATCH_EVENTS_MAX,
    Account,
    AccountBalance,
    Balances,
    Booked,
    Cursor,
    Defined,
    Definition,
    Finding,
    NewAccount,
    Outcome,
    Page,
    Recorded,
    Transfer,
    TransferState,
)
from .retry import Verdict

T = TypeVar("T")


class _Pool:
    """Connections that are made when they are needed."""

    def __init__(self, settings: Settings, size: int) -> None:
        self._settings = settings
        self._permits = threading.BoundedSemaphore(size)
        self._idle: list[psycopg.Connection[Any]] = []
        self._closed = False

    def run(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[list[wire.Row]]:
        """Runs statements, several of them as one transaction, again while that can help."""
        tries = Tries(self._settings.give_up_after_s)
        while True:
            done: list[list[wire.Row]] = []
            connection: psycopg.Connection[Any] | None = None
            with self._permits:
                try:
                    connection = self._lend()
                    _execute(connection, statements, done)
                    self._give_back(connection)
                    return done
                except psycopg.Error as error:
                    lost = connection is None or connection.closed
                    try:
                        pause, verdict = tries.failed(error, connection is not None, lost, random.random())
                    except DatabaseError as final:
                        self._settle(connection, keep=len(statements) == 1)
                        raise op.StatementFailed(final, min(len(done), len(statements) - 1)) from error
                    except BaseException:
                        self._settle(connection, keep=False)
                        raise
                    self._settle(connection, keep=verdict is Verdict.AGAIN and len(statements) == 1)
                except BaseException:
                    self._settle(connection, keep=False)
                    raise
            time.sleep(pause)

    def _lend(self) -> psycopg.Connection[Any]:
        if self._closed:
            raise ValueError("this ledger was closed")
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if not connection.closed:
                return connection
        return psycopg.connect(**self._settings.connect_arguments())

    def _give_back(self, connection: psycopg.Connection[Any]) -> None:
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)

    def _settle(self, connection: psycopg.Connection[Any] | None, keep: bool) -> None:
        """After a failure: a connection whose state is not known is closed."""
        if connection is None:
            return
        if keep and not connection.closed:
            self._give_back(connection)
        else:
            connection.close()

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()


def _execute(
    connection: psycopg.Connection[Any], statements: Sequence[tuple[str, Sequence[Any]]], done: list[list[wire.Row]]
) -> None:
    if len(statements) == 1:
        done.append(connection.execute(*statements[0], binary=True).fetchall())
        return
    with connection.transaction():
        for statement in statements:
            done.append(connection.execute(*statement, binary=True).fetchall())


class _Reply:
    """What one thread waits for: its outcomes, or that it is to carry a batch."""

    def __init__(self, records: list[bytes]) -> None:
        self.records = records
        self.wake = threading.Event()
        self.leads = False
        self.outcomes: list[Outcome] | None = None
        self.error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        return self.outcomes is not None or self.error is not None


class _Room:
    """Bounds the events that wait."""

    def __init__(self, events: int) -> None:
        self._free = events
        self._condition = threading.Condition()

    @contextmanager
    def taken(self, events: int) -> Iterator[None]:
        with self._condition:
            self._condition.wait_for(lambda: self._free >= events)
            self._free -= events
        try:
            yield
        finally:
            with self._condition:
                self._free += events
                self._condition.notify_all()


class _Sender:
    def __init__(self, pool: _Pool, sql: str, in_flight_max: int) -> None:
        self._pool = pool
        self._sql = sql
        self._lock = threading.Lock()
        self._batcher: Batcher[_Reply] = Batcher(BATCH_EVENTS_MAX, in_flight_max)
        self._room = _Room(QUEUED_EVENTS_MAX)

    def send(self, step: op.Send) -> list[Outcome]:
        reply = _Reply(packed(step.events, step.linked))
        group = Group(step.events, step.imported, reply)
        with self._room.taken(len(step.events)):
            try:
                with self._lock:
                    self._batcher.offer(group)
                    reply.leads = self._batcher.reserve() is not None
                while not reply.is_done:
                    if reply.leads:
                        self._carry(reply)
                    else:
                        reply.wake.wait()
                        reply.wake.clear()
            finally:
                self._leave(group)
        if reply.error is not None:
            # Each waiting thread gets an error of its own: they add their own places to it.
            raise _copy(reply.error) from reply.error
        assert reply.outcomes is not None
        return reply.outcomes

    def _leave(self, group: Group[_Reply]) -> None:
        """A thread that was interrupted takes its events back if they were not sent, and passes on what it was to carry."""
        with self._lock:
            if group.reply.is_done and not group.reply.leads:
                return
            self._batcher.withdraw(group)
            if group.reply.leads:
                group.reply.leads = False
                self._batcher.done(False)
            self._hand_over()

    def _hand_over(self) -> None:
        first = self._batcher.reserve()
        if first is None:
            return
        if first.reply.leads:
            # It was told before and has not begun: it will take what there is.
            self._batcher.done(False)
            return
        first.reply.leads = True
        first.reply.wake.set()

    def _carry(self, reply: _Reply) -> None:
        with self._lock:
            batch = self._batcher.take()
            reply.leads = False
        if batch is None:
            return
        try:
            outcomes = iter(self._deliver(batch))
            for group in batch.groups:
                group.reply.outcomes = [next(outcomes) for _ in group.events]
        except BaseException as error:
            told = error if isinstance(error, LedgerError) else OutcomeUnknown(f"the thread that carried the batch was ended: {error!r}")
            for group in batch.groups:
                group.reply.error = told
            if not isinstance(error, LedgerError):
                raise
        finally:
            with self._lock:
                self._batcher.done(batch.imported)
                self._hand_over()
            for group in batch.groups:
                group.reply.wake.set()

    def _deliver(self, batch: Batch[_Reply]) -> list[Outcome]:
        data = b"".join(record for group in batch.groups for record in group.reply.records)
        ids = [event.id for group in batch.groups for event in group.events]
        try:
            answers = self._pool.run([(self._sql, (data,))])
        except op.StatementFailed as failed:
            raise failed.error from None
        return wire.unpack_outcomes(answers[0][0][0], ids)


def _copy(error: BaseException) -> BaseException:
    if isinstance(error, LedgerError):
        return type(error)(str(error), error.sqlstate)
    return error


class Ledger:
    """A client of one cluster's ledger, for any number of threads. Connects when it is used first; lost connections heal by themselves.

    `conninfo`: any address that libpq takes. Several hosts are tried in order, so one node's end does not end the client.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        batches_in_flight: int = BATCHES_IN_FLIGHT,
        connections: int = CONNECTIONS,
        give_up_after: float = GIVE_UP_AFTER_S,
    ) -> None:
        settings = Settings(conninfo, batches_in_flight, connections, give_up_after)
        self._pool = _Pool(settings, connections)
        self._batches = _Pool(settings, batches_in_flight)
        self._accounts = _Sender(self._batches, CREATE_ACCOUNTS, batches_in_flight)
        self._transfers = _Sender(self._batches, CREATE_TRANSFERS, batches_in_flight)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections that are not in use; the others when they are back."""
        self._pool.close()
        self._batches.close()

    def _run(self, steps: op.Steps[T]) -> T:
        answer: Any = None
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._step(step)
                except op.StatementFailed as failed:
                    step = steps.throw(failed)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _step(self, step: op.Ask | op.Send) -> Any:
        if isinstance(step, op.Ask):
            return self._pool.run(step.statements)
        return (self._transfers if isinstance(step.events[0], Transfer) else self._accounts).send(step)

    def define(self, definition: Definition) -> None:
        """Defines a ledger, or changes the name and metadata of one."""
        self._run(op.define(definition))

    def close_period(self, ledger: int, through: datetime | int) -> None:
        """From then on nothing takes effect in the ledger at `through` or before, which must be over."""
        self._run(op.close_period(ledger, through))

    def expire(self) -> int:
        """Releases what is pending and whose time has come, a thousand at most; how many were."""
        return self._run(op.expire())

    def open_account(self, account: NewAccount) -> Booked:
        """Raises `Refused` if the rules say no."""
        return self._run(op.open_account(account))

    def open_accounts(self, accounts: Iterable[NewAccount]) -> list[Outcome]:
        """Opens many accounts, each for itself: one outcome for each, in order."""
        return self._run(op.open_accounts(accounts))

    def transfer(self, transfer: Transfer) -> Booked:
        """Books one transfer. Raises `Refused` if the rules say no, `OutcomeUnknown` if it was sent and no answer came in time."""
        return self._run(op.transfer(transfer))

    def transfers(self, transfers: Iterable[Transfer]) -> list[Outcome]:
        """Books many transfers, each for itself and in this order: one outcome for each."""
        return self._run(op.transfers(transfers))

    def chain(self, transfers: Iterable[Transfer]) -> list[Booked]:
        """Books all of the transfers or none, in this order. Raises `Refused` with the one that the rules do not allow."""
        return self._run(op.chain(transfers))

    def accounts(self, ids: Sequence[UUID]) -> list[Account | None]:
        """`None` for each account that is not open."""
        return self._run(op.accounts(ids))

    def account(self, id: UUID) -> Account | None:
        """`None` if it is not open."""
        return self._run(op.account(id))

    def recorded(self, ids: Sequence[UUID]) -> list[Recorded | None]:
        """Transfers as they are recorded; `None` for each that is not booked."""
        return self._run(op.recorded(ids))

    def states(self, ids: Sequence[UUID]) -> list[TransferState | None]:
        """What became of transfers that were pending or were reversed; `None` for others."""
        return self._run(op.states(ids))

    def entries(
        self,
        account: UUID,
        *,
        start: datetime | int | None = None,
        before: datetime | int | None = None,
        newest_first: bool = False,
        limit: int = 100,
        after: Cursor | None = None,
    ) -> Page:
        """One page of an account's entries, from `start` on and before `before`, behind the cursor `after`."""
        return self._run(op.entries(account, start, before, newest_first, limit, after))

    def balances(self, id: UUID) -> Balances | None:
        """An account's sums now; `None` if it is not open."""
        return self._run(op.balances(id))

    def balances_as_of(self, id: UUID, at: datetime | int) -> Balances | None:
        """An account's sums after everything that was booked at `at` or before; `None` if it was not open then."""
        return self._run(op.balances_as_of(id, at))

    def all_balances(self, as_of: datetime | int | None = None, *, after: UUID | None = None, limit: int = 1_000) -> list[AccountBalance]:
        """Balances of all accounts in the order of their ids, `limit` of them behind `after`: now, or as they were."""
        return self._run(op.all_balances(as_of, after, limit))

    def ledgers(self) -> list[Defined]:
        """All ledgers, in the order of their numbers."""
        return self._run(op.ledgers())

    def audit(self) -> list[Finding]:
        """Computes all balances anew from all transfers and entries, and tells what contradicts. Empty: the books are sound."""
        return self._run(op.audit())
