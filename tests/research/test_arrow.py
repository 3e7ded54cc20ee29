"""Notifications as Arrow record batches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence

import pyarrow
import pyarrow.parquet
import pytest

from simclient import Event, InputError, ReadyForContinue, arrow_batches, to_record_batch
from simclient.wire.jsonrpc import write_notification
from simclient.wire.notifications import AccountDiff, ExecutedTransaction, TransactionLogs, decode_data_message


def notification(method: str, **result: object) -> AccountDiff | ExecutedTransaction | TransactionLogs:
    message = decode_data_message(write_notification(f"{method}Notification", 1, json.dumps(result).encode()), "mine")
    assert isinstance(message, AccountDiff | ExecutedTransaction | TransactionLogs)
    return message


def diff(slot: int = 7, data: object = ("AQI=", "base64")) -> AccountDiff:
    post = {"lamports": 2**64 - 1, "data": data, "owner": "o", "executable": False, "rentEpoch": 0, "space": 2}
    message = notification("accountDiff", context={"slot": slot}, account="a", signature="s", tx_index=3, post=post)
    assert isinstance(message, AccountDiff)
    return message


LOGS = notification("logs", context={"slot": 8}, value={"signature": "s", "err": {"x": 1}, "logs": ["one", "two"]})
TRANSACTION = notification(
    "transaction",
    slot=9,
    blockTime=1_780_000_000,
    transaction={"signatures": ["first", "second"], "message": {"accountKeys": ["k"]}},
    meta={"err": None, "fee": 5000, "computeUnitsConsumed": 150, "logMessages": ["line"]},
)


def test_account_diffs_have_a_column_per_field() -> None:
    """Exact integers, bytes decoded, null where the server left a field out."""
    batch = to_record_batch([diff(7), diff(8)])
    assert batch.num_rows == 2
    assert batch.schema.metadata == {b"kind": b"AccountDiff"}
    assert batch.to_pylist()[1] == {
        "slot": 8,
        "tx_index": 3,
        "block_time": None,
        "label": "mine",
        "account": "a",
        "signature": "s",
        "pre_lamports": None,
        "pre_owner": None,
        "pre_executable": None,
        "pre_rent_epoch": None,
        "pre_data": None,
        "post_lamports": 2**64 - 1,
        "post_owner": "o",
        "post_executable": False,
        "post_rent_epoch": 0,
        "post_data": b"\x01\x02",
    }


def test_logs_and_transactions_have_theirs() -> None:
    """Lists stay lists, and a transaction keeps its JSON."""
    assert to_record_batch([LOGS]).to_pylist() == [
        {"slot": 8, "label": "mine", "signature": "s", "error": '{"x": 1}', "logs": ["one", "two"]}
    ]
    [row] = to_record_batch([TRANSACTION]).to_pylist()
    assert json.loads(row.pop("json"))["slot"] == 9
    assert row == {
        "slot": 9,
        "tx_index": None,
        "block_time": 1_780_000_000,
        "label": "mine",
        "signature": "first",
        "error": None,
        "fee": 5000,
        "compute_units": 150,
        "account_keys": ["k"],
        "logs": ["line"],
    }


def test_a_record_batch_is_of_one_kind() -> None:
    """Mixed rows, and none, are refused by name."""
    with pytest.raises(InputError, match="AccountDiff, TransactionLogs"):
        to_record_batch([diff(), LOGS])
    with pytest.raises(InputError, match="there are none"):
        to_record_batch([])


class Batches(AsyncIterator[Sequence[Event]]):
    def __init__(self, *batches: Sequence[Event]) -> None:
        self._batches = iter(batches)

    async def __anext__(self) -> Sequence[Event]:
        for batch in self._batches:
            return batch
        raise StopAsyncIteration


async def test_batches_become_record_batches_and_events_keep_their_place() -> None:
    """One per kind; control events pass through; so do notifications whose data cannot be decoded."""
    broken = diff(9, data=["!", "base64"])
    session = Batches([ReadyForContinue()], [diff(), diff()], [LOGS, TRANSACTION], [broken])
    seen = [item async for item in arrow_batches(session)]
    assert seen[0] == ReadyForContinue()
    sizes = [(item.schema.metadata, item.num_rows) for item in seen if isinstance(item, pyarrow.RecordBatch)]
    assert sizes == [
        ({b"kind": b"AccountDiff"}, 2),
        ({b"kind": b"TransactionLogs"}, 1),
        ({b"kind": b"ExecutedTransaction"}, 1),
    ]
    assert seen[-1] is broken


def test_they_are_written_to_parquet_and_come_back() -> None:
    """What the columns are for."""
    table = pyarrow.Table.from_batches([to_record_batch([diff(1)]), to_record_batch([diff(2), diff(3)])])
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    assert pyarrow.parquet.read_table(pyarrow.BufferReader(sink.getvalue())).equals(table)


def test_a_missing_extra_is_named() -> None:
    """Without pyarrow the error says what to install."""
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from simclient import InputError, arrow_batches\n"
        "try:\n    arrow_batches(None)\nexcept InputError as error:\n    print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "simclient[arrow]" in result.stdout
