"""Against a server, if FLORIN_URL names one."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from datetime import date, datetime, timedelta, timezone
from uuid import UUID

import pytest
from conftest import Cable

from florin_ledger import (
    AsyncLedger,
    Balances,
    Code,
    Cursor,
    DatabaseError,
    Definition,
    EntryKind,
    Ledger,
    Leg,
    NewAccount,
    PendingState,
    Refused,
    Side,
    Transfer,
    TransferFlags,
    Unreachable,
    as_datetime,
    new_id,
)


def _open(ledger: Ledger, number: int, count: int) -> list[UUID]:
    ids = [new_id() for _ in range(count)]
    outcomes = ledger.open_accounts(NewAccount(id, number, 10) for id in ids)
    assert all(outcome.is_booked for outcome in outcomes)
    return ids


def test_a_life_of_a_customer(url: str, number: int) -> None:
    with Ledger(url) as ledger:
        cash, ada = new_id(), new_id()
        ledger.open_account(NewAccount(cash, number, 10, history=True))
        assert ledger.open_account(NewAccount(cash, number, 10, history=True)).existed
        opened = ledger.open_account(NewAccount(ada, number, 20, history=True, debits_within_credits=True, metadata={"owner": "Ada"}))
        assert ledger.open_account(NewAccount(ada, number, 20, history=True, debits_within_credits=True, metadata={"owner": "Ada"})).id == ada
        paid = ledger.transfer(Transfer.between(cash, ada, 1_000, ledger=number, code=7, user_data_64=2**64 - 1))
        assert not paid.existed and paid.timestamp > opened.timestamp
        with pytest.raises(Refused) as refused:
            ledger.transfer(Transfer.between(ada, cash, 1_001, ledger=number))
        assert refused.value.code == Code.EXCEEDS_CREDITS

        held = Transfer.between(ada, cash, 400, ledger=number, pending=True, timeout=600)
        ledger.transfer(held)
        found = ledger.account(ada)
        assert found is not None and found.metadata == {"owner": "Ada"}
        assert (found.balances.posted, found.balances.available) == (1_000, 600)
        ledger.transfer(Transfer.post(held.id, 150))
        with pytest.raises(Refused) as refused:
            ledger.transfer(Transfer.void(held.id))
        assert refused.value.code == Code.PENDING_ALREADY_POSTED
        ledger.transfer(Transfer.reverse(paid.id, 50))
        states = ledger.states([held.id, paid.id, new_id()])
        assert states[0] is not None and states[0].pending is PendingState.POSTED
        assert states[1] is not None and states[1].reversed == 50
        assert states[2] is None
        assert ledger.balances(ada) == Balances(0, 200, 0, 1_000)
        assert ledger.balances_as_of(ada, paid.timestamp) == Balances(0, 0, 0, 1_000)
        assert ledger.balances_as_of(ada, opened.timestamp - 1) is None
        recorded = ledger.recorded([paid.id])[0]
        assert recorded is not None and (recorded.amount, recorded.code, recorded.user_data_64) == (1_000, 7, 2**64 - 1)

        page = ledger.entries(ada, limit=2)
        assert [entry.kind for entry in page.entries] == [EntryKind.POSTED, EntryKind.PENDING] and page.next is not None
        rest = ledger.entries(ada, after=page.next)
        assert [entry.kind for entry in rest.entries] == [EntryKind.RELEASED, EntryKind.POSTED, EntryKind.POSTED] and rest.next is None
        last = ledger.entries(ada, newest_first=True, limit=1).entries[0]
        assert (last.side, last.amount, last.balances) == (Side.DEBIT, 50, Balances(0, 200, 0, 1_000))
        assert ledger.entries(ada, start=last.timestamp).entries == [last]
        assert last not in ledger.entries(ada, before=last.timestamp).entries


def test_pages_of_entries_meet_without_gap_or_overlap(url: str, number: int) -> None:
    with Ledger(url) as ledger:
        one, two = _open(ledger, number, 2)
        # A leg for each entry: many of one timestamp.
        legs = [Leg.debit(one, 1) for _ in range(5)] + [Leg.credit(two, 5)]
        for _ in range(4):
            ledger.transfer(Transfer.posting(legs, ledger=number))
        for newest_first in (False, True):
            seen: list[Cursor] = []
            after = None
            while True:
                page = ledger.entries(one, newest_first=newest_first, limit=3, after=after)
                seen += [Cursor(entry.timestamp, entry.number) for entry in page.entries]
                after = page.next
                if after is None:
                    break
            keys = [(cursor.timestamp, cursor.number) for cursor in seen]
            assert len(keys) == 20 and keys == sorted(set(keys), reverse=newest_first)


def test_postings_documents_and_chains(url: str, number: int) -> None:
    with Ledger(url) as ledger:
        one, two, three = _open(ledger, number, 3)
        bounded = new_id()
        ledger.open_account(NewAccount(bounded, number, 20, minimum=-50, parent=one))
        posting = Transfer.posting(
            [Leg.debit(one, 10), Leg.credit(two, 4), Leg.credit(three, 6)],
            ledger=number,
            effective=datetime.now(timezone.utc) - timedelta(days=1),
            value_date=date(2026, 11, 1),
            metadata={"invoice": 7},
        )
        ledger.transfer(posting)
        assert ledger.transfer(posting).id == posting.id
        recorded = ledger.recorded([posting.id])[0]
        assert recorded is not None and recorded.legs == posting.legs
        assert (recorded.effective, recorded.value_date, recorded.metadata) == (posting.effective, date(2026, 11, 1), {"invoice": 7})
        with pytest.raises(Refused) as refused:
            ledger.transfer(Transfer.between(bounded, two, 51, ledger=number))
        assert refused.value.code == Code.BELOW_MINIMUM

        chain = [Transfer.between(one, two, 5, ledger=number), Transfer.between(two, three, 5, ledger=number)]
        first = ledger.chain(chain)
        again = ledger.chain(chain)
        assert [booked.timestamp for booked in again] == [booked.timestamp for booked in first] and all(booked.existed for booked in again)
        for broken in (
            [Transfer.between(one, two, 7, ledger=number), Transfer.between(bounded, two, 51, ledger=number)],
            [Transfer.between(one, two, 7, ledger=number, metadata=1), Transfer.between(bounded, two, 51, ledger=number)],
        ):
            with pytest.raises(Refused) as refused:
                ledger.chain(broken)
            assert (refused.value.id, refused.value.code) == (broken[1].id, Code.BELOW_MINIMUM)
        documents = [Transfer.between(one, two, 7, ledger=number, metadata=1), Transfer.between(two, one, 7, ledger=number)]
        assert [booked.id for booked in ledger.chain(documents)] == [transfer.id for transfer in documents]
        outcomes = ledger.transfers([Transfer.between(one, two, 1, ledger=number), Transfer.between(one, new_id(), 1, ledger=number)])
        assert [outcome.code for outcome in outcomes] == [Code.OK, Code.CREDIT_ACCOUNT_NOT_FOUND]


def test_a_list_longer_than_a_batch_is_booked_in_order(url: str, number: int) -> None:
    with Ledger(url) as ledger:
        one, two = _open(ledger, number, 2)
        outcomes = ledger.transfers([Transfer.between(one, two, 1, ledger=number) for _ in range(9_000)])
        assert len(outcomes) == 9_000 and all(outcome.is_booked for outcome in outcomes)
        times = [outcome.timestamp for outcome in outcomes]
        assert times == sorted(set(times))
        assert ledger.balances(two) == Balances(credits_posted=9_000)


def test_imported_ones_keep_their_times(url: str) -> None:
    number = random.randrange(1_000, 2**31)
    with Ledger(url) as ledger:
        ledger.define(Definition(number, "imported"))
        one, two = new_id(), new_id()
        start = time.time_ns() - 10**9
        ledger.open_account(NewAccount(one, number, 1, imported=start))
        ledger.open_account(NewAccount(two, number, 1, imported=start + 1))
        moved = [Transfer.between(one, two, 1, ledger=number, imported=start + 10 + step) for step in range(3)]
        assert all(transfer.flags & TransferFlags.IMPORTED for transfer in moved)
        # What is not imported leaves in a batch of its own.
        outcomes = ledger.transfers([*moved, Transfer.between(one, two, 1, ledger=number)])
        assert [outcome.code for outcome in outcomes] == [Code.OK] * 4
        assert [outcome.timestamp for outcome in outcomes[:3]] == [transfer.imported for transfer in moved]


def test_the_rest_of_what_is_asked(url: str, number: int) -> None:
    with Ledger(url) as ledger:
        ids = _open(ledger, number, 3)
        moved = ledger.transfer(Transfer.between(ids[0], ids[1], 5, ledger=number))
        later = ledger.transfer(Transfer.between(ids[0], ids[1], 6, ledger=number))
        assert ledger.accounts([ids[2], new_id()])[1] is None
        assert ledger.balances_as_of(ids[1], moved.timestamp) == Balances(credits_posted=5)
        assert ledger.balances_as_of(ids[1], as_datetime(later.timestamp + 1_000)) == Balances(credits_posted=11)
        before = UUID(int=ids[0].int - 1)
        then = {line.account: line.balances for line in ledger.all_balances(moved.timestamp, after=before)}
        assert (then[ids[0]].posted, then[ids[1]].posted) == (-5, 5)
        now = {line.account: line.balances for line in ledger.all_balances(after=before)}
        assert (now[ids[0]].posted, now[ids[2]].posted) == (-11, 0)
        assert [line.account for line in ledger.all_balances(after=before, limit=2)] == sorted(ids)[:2]
        assert number in [defined.id for defined in ledger.ledgers()]
        assert ledger.expire() == 0
        with pytest.raises(DatabaseError) as error:
            ledger.define(Definition(number, "other", currency="USD", scale=3))
        assert error.value.sqlstate == "42710"
        with pytest.raises(DatabaseError):
            ledger.close_period(number, datetime.now(timezone.utc) + timedelta(days=1))
        assert ledger.audit() == []


def test_many_threads_with_a_cut_cable_move_each_amount_once(number: int, url: str, cable: tuple[Cable, str]) -> None:
    cut, through = cable
    with Ledger(through) as ledger:
        ids = _open(ledger, number, 10)
        expected = {id: 0 for id in ids}
        lock = threading.Lock()
        stop = time.monotonic() + 4
        failures: list[BaseException] = []
        count = 0

        def work(seed: int) -> None:
            nonlocal count
            rng = random.Random(seed)
            try:
                while time.monotonic() < stop:
                    debit, credit = rng.sample(ids, 2)
                    amount = rng.randint(1, 100)
                    ledger.transfer(Transfer.between(debit, credit, amount, ledger=number))
                    with lock:
                        count += 1
                        expected[debit] -= amount
                        expected[credit] += amount
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(32)]
        for thread in threads:
            thread.start()
        while time.monotonic() < stop:
            time.sleep(0.4)
            cut.cut()
        for thread in threads:
            thread.join()
        assert failures == []
    assert cut.cuts >= 5
    with Ledger(url) as ledger:
        found = {id: account.balances.posted for id, account in zip(ids, ledger.accounts(ids)) if account is not None}
        assert found == expected
        assert ledger.audit() == []
    print(f"{count} transfers, {cut.cuts} cuts")


def test_many_tasks_with_a_cut_cable_move_each_amount_once(number: int, cable: tuple[Cable, str]) -> None:
    cut, through = cable

    async def main() -> int:
        async with AsyncLedger(through) as ledger:
            ids = [new_id() for _ in range(10)]
            assert all(outcome.is_booked for outcome in await ledger.open_accounts(NewAccount(id, number, 10) for id in ids))
            expected = {id: 0 for id in ids}
            stop = time.monotonic() + 4
            count = 0

            async def work(seed: int) -> None:
                nonlocal count
                rng = random.Random(seed)
                while time.monotonic() < stop:
                    debit, credit = rng.sample(ids, 2)
                    amount = rng.randint(1, 100)
                    metadata = {"seed": seed} if rng.random() < 0.02 else None
                    await ledger.transfer(Transfer.between(debit, credit, amount, ledger=number, metadata=metadata))
                    count += 1
                    expected[debit] -= amount
                    expected[credit] += amount

            async def saw() -> None:
                while time.monotonic() < stop:
                    await asyncio.sleep(0.4)
                    cut.cut()

            await asyncio.gather(saw(), *(work(seed) for seed in range(64)))
            found = {id: account.balances.posted for id, account in zip(ids, await ledger.accounts(ids)) if account is not None}
            assert found == expected
            return count

    count = asyncio.run(main())
    assert cut.cuts >= 5
    print(f"{count} transfers, {cut.cuts} cuts")


def test_a_task_that_is_given_up_leaves_the_others_alone(url: str, number: int) -> None:
    async def main() -> None:
        async with AsyncLedger(url) as ledger:
            one, two = new_id(), new_id()
            await ledger.open_accounts([NewAccount(one, number, 10), NewAccount(two, number, 10)])
            tasks = [asyncio.create_task(ledger.transfer(Transfer.between(one, two, 1, ledger=number))) for _ in range(200)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(not isinstance(answer, BaseException) for answer in answers[1::2])
            assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
            balances = await ledger.balances(two)
            assert balances is not None and 100 <= balances.posted <= 200
            await ledger.transfer(Transfer.between(one, two, 1, ledger=number))

    asyncio.run(main())


def test_a_server_that_is_not_there_is_told_in_time() -> None:
    begun = time.monotonic()
    with Ledger("host=127.0.0.1 port=1 user=florin", give_up_after=0.5) as ledger:
        with pytest.raises(Unreachable):
            ledger.transfer(Transfer.between(new_id(), new_id(), 1))
        with pytest.raises(Unreachable):
            ledger.audit()

    async def main() -> None:
        async with AsyncLedger("host=127.0.0.1 port=1 user=florin", give_up_after=0.5) as ledger:
            with pytest.raises(Unreachable):
                await ledger.transfer(Transfer.between(new_id(), new_id(), 1))

    asyncio.run(main())
    assert time.monotonic() - begun < 10
