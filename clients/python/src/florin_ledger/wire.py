"""How batches, documents and rows travel."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import timezone
from typing import Any
from uuid import UUID

from .codes import Code
from .errors import DatabaseError
from .ids import as_datetime
from .model import (
    ALL,
    AMOUNT_MAX,
    Account,
    AccountFlags,
    Balances,
    Defined,
    Definition,
    Entry,
    EntryKind,
    Leg,
    NewAccount,
    Outcome,
    PendingState,
    Recorded,
    Side,
    Transfer,
    TransferFlags,
    TransferState,
)

_LOW = (1 << 64) - 1
# Numbers of 128 bits travel as two of 64, the low one first.
_ACCOUNT = struct.Struct("<12Q QIIIHHQ")
_TRANSFER = struct.Struct("<12Q QIIIHHQ")
_OUTCOME = struct.Struct("<QII")
_LEG_BYTES = 33

assert _ACCOUNT.size == _TRANSFER.size == 128 and _OUTCOME.size == 16


def _wide(numbers: Sequence[int]) -> list[int]:
    return [half for number in numbers for half in (number & _LOW, number >> 64)]


def _id(id: UUID | None) -> int:
    return 0 if id is None else id.int


def pack_account(account: NewAccount) -> bytes:
    """128 bytes; what a record has no place for is left out."""
    wide = _wide((account.id.int, 0, 0, 0, 0, account.user_data_128))
    narrow = (account.user_data_64, account.user_data_32, 0, account.ledger, account.code, account.flags, account.imported)
    return _packed(_ACCOUNT, wide, narrow, account.id)


def pack_transfer(transfer: Transfer) -> bytes:
    """128 bytes; what a record has no place for is left out."""
    accounts = (_id(transfer.debit_account), _id(transfer.credit_account))
    wide = _wide((transfer.id.int, *accounts, transfer.amount, _id(transfer.refers_to), transfer.user_data_128))
    narrow = (transfer.user_data_64, transfer.user_data_32, transfer.timeout, transfer.ledger, transfer.code, transfer.flags, transfer.imported)
    return _packed(_TRANSFER, wide, narrow, transfer.id)


def _packed(record: struct.Struct, wide: list[int], narrow: tuple[int, ...], id: UUID) -> bytes:
    try:
        return record.pack(*wide, *narrow)
    except struct.error as error:
        raise ValueError(f"{id}: a field is out of range ({error})") from None


def check(event: Transfer | NewAccount) -> None:
    """Raises ValueError for what could not be sent, before it joins a batch of others."""
    if isinstance(event, NewAccount):
        account_document(event)
        pack_account(event)
    elif event.is_packable:
        pack_transfer(event)
    else:
        transfer_document(event)


def unpack_outcomes(answer: bytes, ids: Sequence[UUID]) -> list[Outcome]:
    if len(answer) != _OUTCOME.size * len(ids):
        raise DatabaseError(f"the node's answer is not understood: {len(answer)} bytes of outcomes for {len(ids)} events")
    try:
        return [Outcome(id, Code(code), timestamp) for id, (timestamp, code, _) in zip(ids, _OUTCOME.iter_unpack(answer))]
    except ValueError as error:
        raise DatabaseError(f"the node's answer is not understood: {error}") from None


def refusal(sqlstate: str | None) -> Code | None:
    """The code of a refusal by a call that does one thing: `L` and four digits."""
    if sqlstate is None or not sqlstate.startswith("L") or not sqlstate[1:].isdecimal():
        return None
    number = int(sqlstate[1:])
    return Code(number) if number in Code._value2member_map_ else None


def _given(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _amount(amount: int) -> str:
    """As text: more digits than JSON's numbers keep everywhere."""
    if amount == ALL:
        return "all"
    if not 0 <= amount <= AMOUNT_MAX:
        raise ValueError(f"amount {amount} is not from 0 to 10^38 - 1")
    return str(amount)


def _time(timestamp: int) -> str | None:
    """To the microsecond, as SQL's times are."""
    return as_datetime(timestamp).astimezone(timezone.utc).isoformat() if timestamp else None


def _signed(number: int) -> int | None:
    """A document holds the same 64 bits as a signed number."""
    if not 0 <= number <= _LOW:
        raise ValueError(f"user_data_64 {number} is out of range")
    return (number - (1 << 64) if number >> 63 else number) or None


def _flag_names(flags: AccountFlags | TransferFlags) -> list[str] | None:
    return [flag.name.lower() for flag in type(flags) if flag & flags and flag.name] or None


def _own(event: Transfer | NewAccount) -> dict[str, Any]:
    return {
        "user_data_128": str(UUID(int=event.user_data_128)) if event.user_data_128 else None,
        "user_data_64": _signed(event.user_data_64),
        "user_data_32": event.user_data_32 or None,
        "metadata": event.metadata,
    }


def transfer_document(transfer: Transfer) -> str:
    """What `ledger.post` takes."""

    def legs(side: Side) -> list[dict[str, str]] | None:
        found = [{"account": str(leg.account), "amount": _amount(leg.amount)} for leg in transfer.legs if leg.side == side]
        return found if transfer.legs else None

    members = {
        "id": str(transfer.id),
        "debit_account": transfer.debit_account and str(transfer.debit_account),
        "credit_account": transfer.credit_account and str(transfer.credit_account),
        "amount": _amount(transfer.amount) if transfer.amount else None,
        "refers_to": transfer.refers_to and str(transfer.refers_to),
        "ledger": transfer.ledger or None,
        "code": transfer.code or None,
        "flags": _flag_names(transfer.flags),
        "timeout": transfer.timeout or None,
        "timestamp": _time(transfer.imported),
        "effective": _time(transfer.effective),
        "value_date": transfer.value_date and transfer.value_date.isoformat(),
        "debits": legs(Side.DEBIT),
        "credits": legs(Side.CREDIT),
    }
    return json.dumps(_given(members | _own(transfer)))


def account_document(account: NewAccount) -> str:
    """What `ledger.open_account` takes."""
    is_bounded = account.minimum is not None or account.maximum is not None
    members = {
        "id": str(account.id),
        "ledger": account.ledger or None,
        "code": account.code or None,
        "flags": _flag_names(account.flags),
        "timestamp": _time(account.imported),
        "parent": account.parent and str(account.parent),
        "minimum": None if account.minimum is None else str(account.minimum),
        "maximum": None if account.maximum is None else str(account.maximum),
        "bounded": account.bounded if is_bounded else None,
    }
    return json.dumps(_given(members | _own(account)))


def definition_document(definition: Definition) -> str:
    """What `ledger.define` takes."""
    members = {
        "id": definition.id,
        "name": definition.name,
        "asset": definition.asset or None,
        "currency": definition.currency or None,
        "scale": definition.scale,
        "metadata": definition.metadata,
    }
    return json.dumps(_given(members))


Row = tuple[Any, ...]

ACCOUNT = (
    "id, ledger, code, flags, timestamp, debits_pending, debits_posted, credits_pending, credits_posted, "
    "parent, minimum, maximum, bounded, user_data_128, user_data_64, user_data_32, metadata"
)


def account(row: Row) -> Account:
    id, ledger, code, flags, timestamp, *sums, parent, minimum, maximum, bounded, wide, middle, narrow, metadata = row
    return Account(
        id=id,
        ledger=ledger,
        code=code,
        flags=AccountFlags(flags),
        timestamp=timestamp,
        balances=Balances(*map(int, sums)),
        parent=parent,
        minimum=_whole(minimum),
        maximum=_whole(maximum),
        bounded=bounded,
        user_data_128=_id(wide),
        user_data_64=int(middle or 0),
        user_data_32=narrow or 0,
        metadata=metadata,
    )


TRANSFER = (
    "id, ledger, code, flags, timestamp, debit_account, credit_account, amount, refers_to, timeout, effective, "
    "value_date, legs, user_data_128, user_data_64, user_data_32, metadata"
)


def recorded(row: Row) -> Recorded:
    id, ledger, code, flags, timestamp, debit, credit, amount, refers, timeout, effective, value_date, legs, wide, middle, narrow, metadata = row
    return Recorded(
        id=id,
        ledger=ledger,
        code=code,
        flags=TransferFlags(flags),
        timestamp=timestamp,
        debit_account=debit,
        credit_account=credit,
        amount=int(amount),
        refers_to=refers,
        timeout=timeout or 0,
        effective=effective,
        value_date=value_date,
        legs=tuple(_legs(bytes(legs or b""))),
        user_data_128=_id(wide),
        user_data_64=int(middle or 0),
        user_data_32=narrow or 0,
        metadata=metadata,
    )


def _legs(data: bytes) -> Iterable[Leg]:
    """Of each leg: the account, a byte for its side, the amount; the high byte first."""
    for start in range(0, len(data), _LEG_BYTES):
        leg = data[start : start + _LEG_BYTES]
        side = Side.CREDIT if leg[16] else Side.DEBIT
        yield Leg(UUID(bytes=leg[:16]), side, int.from_bytes(leg[17:], "big"))


STATE = "id, state, expires, reversed"


def state(row: Row) -> TransferState:
    id, pending, expires, reversed = row
    return TransferState(id, None if pending is None else PendingState(pending), expires, int(reversed or 0))


ENTRY = "account, timestamp, number, transfer, kind, debit, credit, debits_pending, debits_posted, credits_pending, credits_posted"


def entry(row: Row) -> Entry:
    account, timestamp, number, transfer, kind, debit, credit, *sums = row
    side, amount = (Side.CREDIT, credit) if debit is None else (Side.DEBIT, debit)
    balances = None if sums[0] is None else Balances(*map(int, sums))
    return Entry(account, timestamp, number, transfer, EntryKind(kind), side, int(amount), balances)


LEDGER = "id, name, asset, currency, scale, closed_through, metadata"


def defined(row: Row) -> Defined:
    return Defined(*row)


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def summed(rows: Iterable[Row]) -> dict[UUID, Balances]:
    """Sums of entries by account and kind as balances. What was released was pending before."""
    sums: dict[UUID, dict[str, int]] = {}
    for account, kind, debit, credit in rows:
        of_account = sums.setdefault(account, {})
        name, sign = ("posted", 1) if kind == EntryKind.POSTED.value else ("pending", -1 if kind == EntryKind.RELEASED.value else 1)
        for side, moved in (("debits", debit), ("credits", credit)):
            key = f"{side}_{name}"
            of_account[key] = of_account.get(key, 0) + sign * int(moved or 0)
    return {account: Balances(**of_account) for account, of_account in sums.items()}
