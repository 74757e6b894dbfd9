"""The client for asyncio."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
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
from .errors import DatabaseError, OutcomeUnknown
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

# Longest wait for one answer: longer than a node itself waits for an outcome before it says that it is unknown.
_ANSWER_MAX_S = 35.0


class _Pool:
    """Connections that are made when they are needed."""

    def __init__(self, settings: Settings, size: int) -> None:
        self._settings = settings
        self._permits = asyncio.Semaphore(size)
        self._idle: list[psycopg.AsyncConnection[Any]] = []
        self._closed = False

    async def run(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[list[wire.Row]]:
        """Runs statements, several of them as one transaction, again while that can help."""
        tries = Tries(self._settings.give_up_after_s)
        while True:
            done: list[list[wire.Row]] = []
            connection: psycopg.AsyncConnection[Any] | None = None
            async with self._permits:
                try:
                    connection = await self._lend()
                    await _execute(connection, statements, done)
                    await self._settle(connection, keep=True)
                    return done
                except psycopg.Error as error:
                    lost = connection is None or connection.closed
                    try:
                        pause, verdict = tries.failed(error, connection is not None, lost, random.random())
                    except DatabaseError as final:
                        await self._settle(connection, keep=len(statements) == 1)
                        raise op.StatementFailed(final, min(len(done), len(statements) - 1)) from error
                    except BaseException:
                        await self._settle(connection, keep=False)
                        raise
                    await self._settle(connection, keep=verdict is Verdict.AGAIN and len(statements) == 1)
                except BaseException:
                    await self._settle(connection, keep=False)
                    raise
            await asyncio.sleep(pause)

    async def _lend(self) -> psycopg.AsyncConnection[Any]:
        if self._closed:
            raise ValueError("this ledger was closed")
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        return await psycopg.AsyncConnection.connect(**self._settings.connect_arguments())

    async def _settle(self, connection: psycopg.AsyncConnection[Any] | None, keep: bool) -> None:
        """Back into the pool, or closed where its state is not known."""
        if connection is None:
            return
        if keep and not connection.closed and not self._closed:
            self._idle.append(connection)
        else:
            await connection.close()

    async def close(self) -> None:
        self._closed = True
        while self._idle:
            await self._idle.pop().close()


async def _execute(
    connection: psycopg.AsyncConnection[Any], statements: Sequence[tuple[str, Sequence[Any]]], done: list[list[wire.Row]]
) -> None:
    try:
        await asyncio.wait_for(_all(connection, statements, done), _ANSWER_MAX_S)
    except asyncio.TimeoutError:
        await connection.close()
        raise psycopg.OperationalError(f"no answer for {_ANSWER_MAX_S:.0f} s") from None


async def _all(
    connection: psycopg.AsyncConnection[Any], statements: Sequence[tuple[str, Sequence[Any]]], done: list[list[wire.Row]]
) -> None:
    if len(statements) == 1:
        done.append(await (await connection.execute(*statements[0], binary=True)).fetchall())
        return
    async with connection.transaction():
        for statement in statements:
            done.append(await (await connection.execute(*statement, binary=True)).fetchall())


class _Reply:
    def __init__(self, records: list[bytes]) -> None:
        self.records = records
        self.outcomes: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()


class _Room:
    """Bounds the events that wait."""

    def __init__(self, events: int) -> None:
        self._free = events
        self._condition = asyncio.Condition()

    async def take(self, events: int) -> None:
        async with self._condition:
            await self._condition.wait_for(lambda: self._free >= events)
            self._free -= events

    async def give_back(self, events: int) -> None:
        async with self._condition:
            self._free += events
            self._condition.notify_all()


class _Sender:
    def __init__(self, pool: _Pool, sql: str, in_flight_max: int) -> None:
        self._pool = pool
        self._sql = sql
        self._batcher: Batcher[_Reply] = Batcher(BATCH_EVENTS_MAX, in_flight_max)
        self._room = _Room(QUEUED_EVENTS_MAX)
        # The loop itself keeps only weak references to tasks.
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, step: op.Send) -> list[Outcome]:
        records = packed(step.events, step.linked)
        await self._room.take(len(step.events))
        reply = _Reply(records)
        self._batcher.offer(Group(step.events, step.imported, reply))
        self._pump()
        return await reply.outcomes

    def _pump(self) -> None:
        """Starts what may leave. The batch is taken when its task runs, so that whoever is ready at the same time comes along."""
        while self._batcher.reserve() is not None:
            task = asyncio.get_running_loop().create_task(self._carry())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self) -> None:
        batch = self._batcher.take()
        if batch is None:
            return
        replies = [group.reply.outcomes for group in batch.groups]
        try:
            outcomes = iter(await self._deliver(batch))
            for group, reply in zip(batch.groups, replies):
                told = [next(outcomes) for _ in group.events]
                # Who does not wait any more need not hear it.
                if not reply.done():
                    reply.set_result(told)
        except BaseException as error:
            ended = not isinstance(error, Exception)
            told_error = OutcomeUnknown("the task that carried the batch was ended") if ended else error
            for reply in replies:
                if not reply.done():
                    reply.set_exception(told_error)
            if ended:
                raise
        finally:
            self._batcher.done(batch.imported)
            self._pump()
            await self._room.give_back(sum(len(group.events) for group in batch.groups))

    async def _deliver(self, batch: Batch[_Reply]) -> list[Outcome]:
        data = b"".join(record for group in batch.groups for record in group.reply.records)
        ids = [event.id for group in batch.groups for event in group.events]
        try:
            answers = await self._pool.run([(self._sql, (data,))])
        except op.StatementFailed as failed:
            raise failed.error from None
        return wire.unpack_outcomes(answers[0][0][0], ids)


class AsyncLedger:
    """A client of one cluster's ledger, for any number of tasks of one event loop. Connects when it is used first; lost connections heal by themselves.

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

    async def __aenter__(self) -> AsyncLedger:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections that are not in use; the others when they are back."""
        await self._pool.close()
        await self._batches.close()

    async def _run(self, steps: op.Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    answer = await self._step(step)
                except op.StatementFailed as failed:
                    step = steps.throw(failed)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _step(self, step: op.Ask | op.Send) -> Any:
        if isinstance(step, op.Ask):
            return await self._pool.run(step.statements)
        return await (self._transfers if isinstance(step.events[0], Transfer) else self._accounts).send(step)

    async def define(self, definition: Definition) -> None:
        """Defines a ledger, or changes the name and metadata of one."""
        await self._run(op.define(definition))

    async def close_period(self, ledger: int, through: datetime | int) -> None:
        """From then on nothing takes effect in the ledger at `through` or before, which must be over."""
        await self._run(op.close_period(ledger, through))

    async def expire(self) -> int:
        """Releases what is pending and whose time has come, a thousand at most; how many were."""
        return await self._run(op.expire())

    async def open_account(self, account: NewAccount) -> Booked:
        """Raises `Refused` if the rules say no."""
        return await self._run(op.open_account(account))

    async def open_accounts(self, accounts: Iterable[NewAccount]) -> list[Outcome]:
        """Opens many accounts, each for itself: one outcome for each, in order."""
        return await self._run(op.open_accounts(accounts))

    async def transfer(self, transfer: Transfer) -> Booked:
        """Books one transfer. Raises `Refused` if the rules say no, `OutcomeUnknown` if it was sent and no answer came in time."""
        return await self._run(op.transfer(transfer))

    async def transfers(self, transfers: Iterable[Transfer]) -> list[Outcome]:
        """Books many transfers, each for itself and in this order: one outcome for each."""
        return await self._run(op.transfers(transfers))

    async def chain(self, transfers: Iterable[Transfer]) -> list[Booked]:
        """Books all of the transfers or none, in this order. Raises `Refused` with the one that the rules do not allow."""
        return await self._run(op.chain(transfers))

    async def accounts(self, ids: Sequence[UUID]) -> list[Account | None]:
        """`None` for each account that is not open."""
        return await self._run(op.accounts(ids))

    async def account(self, id: UUID) -> Account | None:
        """`None` if it is not open."""
        return await self._run(op.account(id))

    async def recorded(self, ids: Sequence[UUID]) -> list[Recorded | None]:
        """Transfers as they are recorded; `None` for each that is not booked."""
        return await self._run(op.recorded(ids))

    async def states(self, ids: Sequence[UUID]) -> list[TransferState | None]:
        """What became of transfers that were pending or were reversed; `None` for others."""
        return await self._run(op.states(ids))

    async def entries(
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
        return await self._run(op.entries(account, start, before, newest_first, limit, after))

    async def balances(self, id: UUID) -> Balances | None:
        """An account's sums now; `None` if it is not open."""
        return await self._run(op.balances(id))

    async def balances_as_of(self, id: UUID, at: datetime | int) -> Balances | None:
        """An account's sums after everything that was booked at `at` or before; `None` if it was not open then."""
        return await self._run(op.balances_as_of(id, at))

    async def all_balances(
        self,
        as_of: datetime | int | None = None,
        *,
        after: UUID | None = None,
        limit: int = 1_000,
    ) -> list[AccountBalance]:
        """Balances of all accounts in the order of their ids, `limit` of them behind `after`: now, or as they were."""
        return await self._run(op.all_balances(as_of, after, limit))

    async def ledgers(self) -> list[Defined]:
        """All ledgers, in the order of their numbers."""
        return await self._run(op.ledgers())

    async def audit(self) -> list[Finding]:
        """Computes all balances anew from all transfers and entries, and tells what contradicts. Empty: the books are sound."""
        return await self._run(op.audit())
