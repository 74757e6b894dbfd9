"""What needs no server."""

from __future__ import annotations

import json
import random
import re
import struct
import threading
import time
from datetime import date, datetime, timezone
from typing import Any
from uuid import UUID

import pytest
from generate_codes import LIST, OUTPUT, REPOSITORY, generate

from florin_ledger import ALL, AMOUNT_MAX, BATCH_EVENTS_MAX, LEGS_MAX, AccountFlags, Balances, Code, DatabaseError, Leg, NewAccount, Outcome
from florin_ledger import Refused, Transfer, TransferFlags, as_datetime, as_timestamp, ids, new_id, operations, threads, wire
from florin_ledger.batcher import Batcher, Group
from florin_ledger.retry import PAUSE_MAX_S, Pauses, Verdict, verdict

ONE, TWO = UUID(int=1), UUID(int=2)
RUST = REPOSITORY / "crates" / "ledger" / "src"


def test_codes_are_those_of_the_rust_list() -> None:
    assert OUTPUT.read_text() == generate(LIST.read_text()), "run clients/python/tools/generate_codes.py"
    assert int(Code.EXCEEDS_CREDITS) == 62 and Code.EXCEEDS_CREDITS.is_passing and not Code.OK.is_passing
    assert all(code.advice for code in Code)


@pytest.mark.parametrize("flags, name", [(AccountFlags, "AccountFlags"), (TransferFlags, "TransferFlags")])
def test_flags_are_those_of_the_rust_list(flags: Any, name: str) -> None:
    text = (RUST / "model.rs").read_text()
    body = re.search(rf"\n    {name} {{(.*?)\n    }}", text, re.DOTALL)
    assert body is not None
    found = {flag: 1 << int(bit) for flag, bit in re.findall(r"^\s+([A-Z_]+) = (\d+),$", body.group(1), re.MULTILINE)}
    assert found == {flag.name: flag.value for flag in flags}


def test_limits_are_those_of_the_rust_crate() -> None:
    assert f"BATCH_EVENTS_MAX: usize = {BATCH_EVENTS_MAX:_}" in (RUST / "packed.rs").read_text()
    assert f"LEGS_MAX: usize = {LEGS_MAX:_}" in (RUST / "model.rs").read_text()
    assert AMOUNT_MAX == 10**38 - 1


def test_ids_are_uuids_of_version_7_and_grow() -> None:
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert all(id.version == 7 and id.variant == "specified in RFC 4122" for id in made)
    full = (9, (1 << 74) - 1)
    later = ids._next(full, 5)
    assert later[0] == 10 and ids._next(later, 10) == (10, later[1] + 1)


def test_ids_of_many_threads_differ() -> None:
    made: list[list[UUID]] = [[] for _ in range(8)]

    def make(into: list[UUID]) -> None:
        into.extend(new_id() for _ in range(2_000))

    threads = [threading.Thread(target=make, args=(into,)) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id for some in made for id in some}) == 16_000


def test_times_survive() -> None:
    time = 1_795_341_600_123_456_000
    assert as_datetime(time) == datetime(2026, 11, 22, 10, 0, 0, 123_456, tzinfo=timezone.utc)
    assert as_timestamp(as_datetime(time)) == time and as_timestamp(7) == 7
    with pytest.raises(ValueError):
        as_timestamp(datetime(2026, 11, 22))


def test_a_packed_transfer_has_its_fields_in_their_places() -> None:
    transfer = Transfer.between(ONE, TWO, 2**100, ledger=3, code=4, pending=True, timeout=5, user_data_128=6, user_data_64=7, user_data_32=8)
    record = wire.pack_transfer(transfer)
    wide = [int.from_bytes(record[at : at + 16], "little") for at in range(0, 96, 16)]
    assert wide == [transfer.id.int, 1, 2, 2**100, 0, 6]
    assert struct.unpack("<QIIIHHQ", record[96:]) == (7, 8, 5, 3, 4, TransferFlags.PENDING, 0)
    assert int.from_bytes(wire.pack_transfer(Transfer.post(ONE))[48:64], "little") == ALL


def test_a_packed_account_has_its_fields_in_their_places() -> None:
    record = wire.pack_account(NewAccount(ONE, 3, 4, history=True, user_data_128=6, user_data_64=7, user_data_32=8, imported=9))
    wide = [int.from_bytes(record[at : at + 16], "little") for at in range(0, 96, 16)]
    assert wide == [1, 0, 0, 0, 0, 6]
    assert struct.unpack("<QIIIHHQ", record[96:]) == (7, 8, 0, 3, 4, AccountFlags.HISTORY | AccountFlags.IMPORTED, 9)


def test_what_does_not_fit_is_told_before_it_is_sent() -> None:
    for event in (
        Transfer.between(ONE, TWO, 2**128),
        Transfer.between(ONE, TWO, -1),
        Transfer.between(ONE, TWO, 1, code=70_000),
        Transfer.between(ONE, TWO, AMOUNT_MAX + 1, metadata={}),
        NewAccount(ONE, 1, 1, user_data_64=2**64),
    ):
        with pytest.raises(ValueError):
            wire.check(event)


def test_a_posting_travels_with_everything_that_was_said() -> None:
    posting = Transfer.posting(
        [Leg.debit(ONE, 5), Leg.credit(TWO, 5)],
        id=UUID(int=9),
        code=7,
        ledger=3,
        pending=True,
        timeout=2,
        effective=datetime(2026, 11, 22, 10, tzinfo=timezone.utc),
        value_date=date(2026, 11, 22),
        user_data_64=2**64 - 1,
        metadata={"a": 1},
    )
    assert not posting.is_packable
    assert json.loads(wire.transfer_document(posting)) == {
        "id": str(UUID(int=9)),
        "ledger": 3,
        "code": 7,
        "flags": ["pending"],
        "timeout": 2,
        "effective": "2026-11-22T10:00:00+00:00",
        "value_date": "2026-11-22",
        "user_data_64": -1,
        "metadata": {"a": 1},
        "debits": [{"account": str(ONE), "amount": "5"}],
        "credits": [{"account": str(TWO), "amount": "5"}],
    }
    assert json.loads(wire.transfer_document(Transfer.reverse(ONE, metadata=1)))["amount"] == "all"


def test_an_account_with_bounds_travels_as_a_document() -> None:
    account = NewAccount(ONE, 2, 3, history=True, minimum=-50, parent=TWO)
    assert not account.is_packable and NewAccount(ONE, 2, 3).is_packable
    assert json.loads(wire.account_document(account)) == {
        "id": str(ONE),
        "ledger": 2,
        "code": 3,
        "flags": ["history"],
        "parent": str(TWO),
        "minimum": "-50",
        "bounded": "available",
    }


def test_outcomes_are_read_and_anything_else_is_told() -> None:
    answer = struct.pack("<QIIQII", 7, 0, 0, 8, 62, 0)
    assert wire.unpack_outcomes(answer, [ONE, TWO])[1] == Outcome(TWO, Code.EXCEEDS_CREDITS, 8)
    with pytest.raises(Refused) as refused:
        Outcome(TWO, Code.EXCEEDS_CREDITS, 8).booked()
    assert refused.value.sqlstate == "L0062" and refused.value.code.is_passing
    for wrong in (answer[1:], answer[:16], struct.pack("<QIIQII", 7, 9_999, 0, 8, 0, 0)):
        with pytest.raises(DatabaseError):
            wire.unpack_outcomes(wrong, [ONE, TWO])
    assert [wire.refusal(state) for state in ("L0062", "40001", "L9999", None)] == [Code.EXCEEDS_CREDITS, None, None, None]


def test_sums_of_entries_are_balances() -> None:
    rows = [(ONE, "pending", 20, None), (ONE, "released", 20, None), (ONE, "posted", 15, 3), (TWO, "pending", None, 4)]
    assert wire.summed(rows) == {ONE: Balances(0, 15, 0, 3), TWO: Balances(0, 0, 4, 0)}


@pytest.mark.parametrize(
    "sqlstate, sent, lost, expected",
    [
        ("40001", True, False, Verdict.AGAIN),
        ("40P01", True, False, Verdict.AGAIN),
        (None, True, True, Verdict.UNKNOWN),
        (None, False, True, Verdict.RECONNECT),
        ("08006", True, True, Verdict.UNKNOWN),
        ("08007", True, False, Verdict.UNKNOWN),
        ("57P01", True, True, Verdict.UNKNOWN),
        ("57P03", True, True, Verdict.RECONNECT),
        ("53300", False, True, Verdict.RECONNECT),
        ("57014", True, False, Verdict.FINAL),
        ("08P01", True, True, Verdict.FINAL),
        ("53100", True, False, Verdict.FINAL),
        (None, True, False, Verdict.FINAL),
    ],
)
def test_each_class_of_states_has_its_verdict(sqlstate: str | None, sent: bool, lost: bool, expected: Verdict) -> None:
    assert verdict(sqlstate, sent, lost) is expected


def test_pauses_double_up_to_the_longest_and_end_in_time() -> None:
    pauses = Pauses()
    taken = [pauses.next(0, 10, 1.0) for _ in range(9)]
    assert all(pause is not None and pause <= PAUSE_MAX_S for pause in taken)
    assert taken == sorted(taken, key=lambda pause: pause or 0) and taken[-1] == PAUSE_MAX_S
    assert pauses.next(10, 10, 0.0) is None


def _group(events: int, reply: int, imported: bool = False) -> Group[int]:
    return Group([Transfer.void(ONE)] * events, imported, reply)


def _replies(batcher: Batcher[int]) -> list[int]:
    batch = batcher.take()
    assert batch is not None
    return [group.reply for group in batch.groups]


def test_the_first_leaves_at_once_and_those_that_wait_leave_together() -> None:
    batcher: Batcher[int] = Batcher(10, 3)
    batcher.offer(_group(1, 1))
    assert batcher.reserve() and _replies(batcher) == [1]
    for reply in (2, 3, 4):
        batcher.offer(_group(2, reply))
    assert not batcher.reserve()
    batcher.done(False)
    assert batcher.reserve() and _replies(batcher) == [2, 3, 4]


def test_a_full_batch_waits_for_nobody_and_a_group_is_never_torn() -> None:
    batcher: Batcher[int] = Batcher(10, 3)
    batcher.offer(_group(1, 1))
    assert batcher.reserve() and _replies(batcher) == [1]
    for reply in (2, 3, 4):
        batcher.offer(_group(4, reply))
    assert batcher.reserve() and _replies(batcher) == [2, 3]
    assert not batcher.reserve()


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_lost_doubled_or_overtaken_whatever_the_order(seed: int) -> None:
    rng = random.Random(seed)
    in_flight_max = rng.randint(1, 5)
    events_max = rng.randint(1, 40)
    batcher: Batcher[int] = Batcher(events_max, in_flight_max, rng.randint(1, in_flight_max))
    offered = left = reserved = 0
    on_the_way: list[bool] = []
    gone: set[int] = set()
    waiting: list[Group[int]] = []

    def take() -> None:
        nonlocal left, reserved
        reserved -= 1
        batch = batcher.take()
        if batch is None:
            return
        assert sum(len(group.events) for group in batch.groups) <= events_max
        for group in batch.groups:
            while left in gone:
                left += 1
            assert (group.reply, group.imported) == (left, batch.imported)
            waiting.remove(group)
            left += 1
        on_the_way.append(batch.imported)

    for _ in range(1_000):
        choice = rng.randrange(5)
        if choice == 0:
            waiting.append(_group(rng.randint(1, events_max), offered, rng.random() < 0.2))
            batcher.offer(waiting[-1])
            offered += 1
        elif choice == 1 and batcher.reserve():
            reserved += 1
        elif choice == 2 and reserved:
            take()
        elif choice == 3 and on_the_way:
            batcher.done(on_the_way.pop(rng.randrange(len(on_the_way))))
        elif choice == 4 and waiting and rng.random() < 0.1:
            group = waiting.pop(rng.randrange(len(waiting)))
            batcher.withdraw(group)
            gone.add(group.reply)
        assert reserved + len(on_the_way) <= in_flight_max and sum(on_the_way) <= 1
    while waiting:
        while on_the_way:
            batcher.done(on_the_way.pop())
        if not reserved:
            assert batcher.reserve(), f"{len(waiting)} wait and nothing is on its way"
            reserved += 1
        take()


def test_a_table_of_another_form_is_noticed() -> None:
    with pytest.raises(ValueError):
        generate(LIST.read_text().replace("| 3 | `exists`", "| 3 | exists"))


class _SlowPool:
    """Answers every event with ok after a while, and counts what is on its way at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.batches: list[int] = []
        self.now = self.most = 0

    def run(self, statements: Any) -> list[list[tuple[bytes]]]:
        count = len(statements[0][1][0]) // 128
        with self._lock:
            self.batches.append(count)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.002)
        with self._lock:
            self.now -= 1
        return [[(struct.pack("<QII", 1, 0, 0) * count,)]]


def test_threads_carry_batches_for_one_another_and_none_stays_behind() -> None:
    pool = _SlowPool()
    sender = threads._Sender(pool, "", 3)  # type: ignore[arg-type]
    sender._batcher = Batcher(8, 3)
    seen: list[UUID] = []

    def work() -> None:
        for _ in range(40):
            events = [Transfer.between(ONE, TWO, 1) for _ in range(random.randint(1, 3))]
            outcomes = sender.send(operations.Send(events, random.random() < 0.1))
            assert [outcome.id for outcome in outcomes] == [event.id for event in events]
            seen.extend(outcome.id for outcome in outcomes)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(24)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert not worker.is_alive(), "a thread waits for what nobody carries"
    assert len(seen) == len(set(seen)) == sum(pool.batches)
    assert max(pool.batches) <= 8 and pool.most <= 3 and len(pool.batches) < 24 * 40
    assert sender._batcher._in_flight == 0


def test_an_interrupted_thread_passes_on_what_it_carries() -> None:
    class Interrupting(_SlowPool):
        def run(self, statements: Any) -> list[list[tuple[bytes]]]:
            if not self.batches:
                self.batches.append(0)
                time.sleep(0.05)
                raise KeyboardInterrupt
            return super().run(statements)

    sender = threads._Sender(Interrupting(), "", 3)  # type: ignore[arg-type]
    told: list[object] = []

    def work(delay: float) -> None:
        time.sleep(delay)
        try:
            told.append(sender.send(operations.Send([Transfer.void(ONE)], False)))
        except BaseException as error:
            told.append(type(error))

    workers = [threading.Thread(target=work, args=(delay,), daemon=True) for delay in (0, 0.02, 0.02)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(10)
        assert not worker.is_alive()
    assert told[0] is KeyboardInterrupt and all(isinstance(answer, list) for answer in told[1:])
    assert sender._batcher._in_flight == 0
