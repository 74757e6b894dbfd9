"""What each method does, as generators: they yield what is to be asked or sent, are sent the answer, and return the result. So threads and tasks share
one writing of everything but the waiting."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from . import wire
from .codes import Code
from .errors import DatabaseError, Refused
from .ids import as_datetime, as_timestamp
from .model import (
    ALL,
    BATCH_EVENTS_MAX,
    Account,
    AccountBalance,
    AccountFlags,
    Balances,
    Booked,
    Cursor,
    Defined,
    Definition,
    Entry,
    Finding,
    NewAccount,
    Outcome,
    Page,
    Recorded,
    Transfer,
    TransferFlags,
    TransferState,
)

T = TypeVar("T")

_IDS_MAX = 256
"""Most ids of one look-up statement; more are asked for in several."""

_LAST = 2**63 - 1
"""The last time that SQL's bigint holds."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Statements, several of them as one transaction. The answer: the rows of each."""

    statements: tuple[tuple[str, tuple[Any, ...]], ...]


@dataclass(frozen=True, slots=True)
class Send:
    """Events of one batch. The answer: their outcomes."""

    events: list[Transfer] | list[NewAccount]
    imported: bool
    linked: bool = False


class StatementFailed(Exception):
    """How a statement's error comes back into a generator."""

    def __init__(self, error: DatabaseError, statement: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.statement = statement


Steps = Generator[Ask | Send, Any, T]
Rows = list[wire.Row]

POST = "SELECT ledger.post(%s::jsonb)"
OPEN_ACCOUNT = "SELECT ledger.open_account(%s::jsonb)"


def _ask(sql: str, *parameters: Any) -> Steps[Rows]:
    try:
        answers = yield Ask(((sql, parameters),))
    except StatementFailed as failed:
        raise failed.error from None
    rows: Rows = answers[0]
    return rows


def define(definition: Definition) -> Steps[None]:
    yield from _ask("SELECT ledger.define(%s::jsonb)", wire.definition_document(definition))


def close_period(ledger: int, through: datetime | int) -> Steps[None]:
    at = as_datetime(as_timestamp(through))
    yield from _ask("SELECT ledger.close_period(%s::int8, %s::timestamptz)", ledger, at)


def expire() -> Steps[int]:
    rows = yield from _ask("SELECT ledger.expire()")
    return int(rows[0][0])


def _single(sql: str, document: str, id: UUID) -> Steps[Outcome]:
    """A call that does one thing: its refusal is an error, which is an outcome again."""
    try:
        answers = yield Ask(((sql, (document,)),))
    except StatementFailed as failed:
        code = wire.refusal(failed.error.sqlstate)
        if code is None:
            raise failed.error from None
        return Outcome(id, code, 0)
    return Outcome(id, Code.OK, answers[0][0][0])


def open_accounts(accounts: Iterable[NewAccount]) -> Steps[list[Outcome]]:
    accounts = list(accounts)
    for account in accounts:
        wire.check(account)
    return (yield from _parts(accounts))


def transfers(transfers: Iterable[Transfer]) -> Steps[list[Outcome]]:
    return (yield from _parts(_checked(transfers)))


def _parts(events: Sequence[Any]) -> Steps[list[Outcome]]:
    """Cuts events into parts that travel together, in order."""
    outcomes: list[Outcome] = []
    part: list[Any] = []

    def flush() -> Steps[None]:
        if part:
            outcomes.extend((yield Send(list(part), bool(part[0].imported))))
            part.clear()

    for event in events:
        if not event.is_packable:
            yield from flush()
            is_transfer = isinstance(event, Transfer)
            document = wire.transfer_document(event) if is_transfer else wire.account_document(event)
            outcomes.append((yield from _single(POST if is_transfer else OPEN_ACCOUNT, document, event.id)))
            continue
        if part and (bool(part[0].imported) != bool(event.imported) or len(part) == BATCH_EVENTS_MAX):
            yield from flush()
        part.append(event)
    yield from flush()
    return outcomes


def _checked(transfers: Iterable[Transfer]) -> list[Transfer]:
    checked = list(transfers)
    for transfer in checked:
        if transfer.flags & TransferFlags.LINKED:
            raise ValueError(f"transfer {transfer.id} has the flag LINKED: use chain")
        wire.check(transfer)
    return checked


def open_account(account: NewAccount) -> Steps[Booked]:
    return (yield from open_accounts([account]))[0].booked()


def transfer(transfer: Transfer) -> Steps[Booked]:
    return (yield from transfers([transfer]))[0].booked()


def chain(transfers: Iterable[Transfer]) -> Steps[list[Booked]]:
    wanted = _checked(transfers)
    if not wanted:
        return []
    if len(wanted) > BATCH_EVENTS_MAX:
        raise ValueError(f"a chain has at most {BATCH_EVENTS_MAX} transfers")
    if not all(transfer.is_packable for transfer in wanted):
        return (yield from _chain_of_documents(wanted))
    outcomes: list[Outcome] = yield Send(wanted, bool(wanted[0].imported), linked=True)
    culprit = next((outcome for outcome in outcomes if outcome.code not in (Code.OK, Code.LINKED_EVENT_FAILED)), None)
    if culprit is None:
        return [outcome.booked() for outcome in outcomes]
    if culprit.code != Code.EXISTS:
        raise Refused(culprit.id, culprit.code, culprit.timestamp)
    # The rules see a chain that begins with what exists as refused. If all of it exists it was booked by an earlier try.
    there = yield from recorded([transfer.id for transfer in wanted])
    booked = []
    for transfer, found in zip(wanted, there):
        if found is None or not _is_same(transfer, found):
            # Part of it was booked by another call: the chain as such was not, and is not.
            raise Refused(transfer.id, Code.LINKED_EVENT_FAILED)
        booked.append(Booked(transfer.id, found.timestamp, True))
    return booked


def _chain_of_documents(wanted: list[Transfer]) -> Steps[list[Booked]]:
    try:
        answers = yield Ask(tuple((POST, (wire.transfer_document(transfer),)) for transfer in wanted))
    except StatementFailed as failed:
        code = wire.refusal(failed.error.sqlstate)
        if code is None:
            raise failed.error from None
        raise Refused(wanted[failed.statement].id, code) from None
    return [Booked(transfer.id, rows[0][0]) for transfer, rows in zip(wanted, answers)]


def _is_same(wanted: Transfer, there: Recorded) -> bool:
    """What a caller left out was taken from what the transfer refers to."""
    balancing = TransferFlags.BALANCING_DEBIT | TransferFlags.BALANCING_CREDIT
    same_amount = (
        wanted.amount in (there.amount, ALL)
        or bool(wanted.flags & TransferFlags.VOID)
        or (bool(wanted.flags & balancing) and there.amount <= wanted.amount)
    )
    return (
        same_amount
        and wanted.flags == there.flags
        and wanted.refers_to == there.refers_to
        and wanted.debit_account in (None, there.debit_account)
        and wanted.credit_account in (None, there.credit_account)
        and wanted.ledger in (0, there.ledger)
        and wanted.code in (0, there.code)
    )


def _by_ids(columns: str, table: str, ids: Sequence[UUID]) -> Steps[Rows]:
    found: Rows = []
    for start in range(0, len(ids), _IDS_MAX):
        some = ids[start : start + _IDS_MAX]
        places = ", ".join(["%s::uuid"] * len(some))
        found += yield from _ask(f"SELECT {columns} FROM {table} WHERE id IN ({places})", *some)
    return found


def accounts(ids: Sequence[UUID]) -> Steps[list[Account | None]]:
    rows = yield from _by_ids(wire.ACCOUNT, "ledger.accounts", ids)
    found = {account.id: account for account in map(wire.account, rows)}
    return [found.get(id) for id in ids]


def account(id: UUID) -> Steps[Account | None]:
    return (yield from accounts([id]))[0]


def recorded(ids: Sequence[UUID]) -> Steps[list[Recorded | None]]:
    rows = yield from _by_ids(wire.TRANSFER, "ledger.transfers", ids)
    found = {transfer.id: transfer for transfer in map(wire.recorded, rows)}
    return [found.get(id) for id in ids]


def states(ids: Sequence[UUID]) -> Steps[list[TransferState | None]]:
    rows = yield from _by_ids(wire.STATE, "ledger.transfer_states", ids)
    found = {state.id: state for state in map(wire.state, rows)}
    return [found.get(id) for id in ids]


def entries(
    account: UUID,
    start: datetime | int | None,
    before: datetime | int | None,
    newest_first: bool,
    limit: int,
    after: Cursor | None,
) -> Steps[Page]:
    if limit < 1:
        raise ValueError("a page has at least one entry")
    low = 0 if start is None else as_timestamp(start)
    high = _LAST if before is None else as_timestamp(before)
    # The bounds of time are the key's, so nothing is read that the cursor has passed.
    if after is not None and newest_first:
        high = min(high, after.timestamp + 1)
    elif after is not None:
        low = max(low, after.timestamp)
    beyond, order = ("<", "DESC") if newest_first else (">", "ASC")
    at, number = (-1, 0) if after is None else (after.timestamp, after.number)
    sql = (
        f"SELECT {wire.ENTRY} FROM ledger.entries WHERE account = %s::uuid AND timestamp >= %s::int8 AND timestamp < %s::int8 "
        f"AND (timestamp <> %s::int8 OR number {beyond} %s::int4) ORDER BY timestamp {order}, number {order} LIMIT {limit + 1}"
    )
    rows = yield from _ask(sql, account, low, high, at, number)
    found: list[Entry] = [wire.entry(row) for row in rows]
    page = found[:limit]
    more = len(found) > limit
    return Page(page, Cursor(page[-1].timestamp, page[-1].number) if more else None)


def balances(id: UUID) -> Steps[Balances | None]:
    found = yield from account(id)
    return None if found is None else found.balances


def balances_as_of(id: UUID, at: datetime | int) -> Steps[Balances | None]:
    time = as_timestamp(at)
    found = yield from account(id)
    if found is None or found.timestamp > time:
        return None
    where = "FROM ledger.entries WHERE account = %s::uuid AND timestamp <= %s::int8"
    if found.flags & AccountFlags.HISTORY:
        rows = yield from _ask(f"SELECT {wire.ENTRY} {where} ORDER BY timestamp DESC, number DESC LIMIT 1", id, time)
        return (wire.entry(rows[0]).balances if rows else None) or Balances()
    rows = yield from _ask(f"SELECT account, kind, sum(debit), sum(credit) {where} GROUP BY account, kind", id, time)
    return wire.summed(rows).get(id, Balances())


def all_balances(as_of: datetime | int | None, after: UUID | None, limit: int) -> Steps[list[AccountBalance]]:
    time = _LAST if as_of is None else as_timestamp(as_of)
    first = after or UUID(int=0)
    sql = f"SELECT {wire.ACCOUNT} FROM ledger.accounts WHERE id > %s::uuid AND timestamp <= %s::int8 ORDER BY id LIMIT {int(limit)}"
    found = [wire.account(row) for row in (yield from _ask(sql, first, time))]
    sums: dict[UUID, Balances] | None = None
    if as_of is not None and found:
        sql = (
            "SELECT account, kind, sum(debit), sum(credit) FROM ledger.entries "
            "WHERE account > %s::uuid AND account <= %s::uuid AND timestamp <= %s::int8 GROUP BY account, kind"
        )
        sums = wire.summed((yield from _ask(sql, first, found[-1].id, time)))
    return [
        AccountBalance(one.id, one.ledger, one.code, one.balances if sums is None else sums.get(one.id, Balances())) for one in found
    ]


def ledgers() -> Steps[list[Defined]]:
    rows = yield from _ask(f"SELECT {wire.LEDGER} FROM ledger.ledgers ORDER BY id")
    return [wire.defined(row) for row in rows]


def audit() -> Steps[list[Finding]]:
    rows = yield from _ask("SELECT ledger.audit()")
    return [Finding(*row) for row in rows]
