"""Notifications as Arrow record batches, a column per field: for Parquet, and for whoever computes over columns.

Each batch of a session becomes one record batch per kind of notification; everything else passes through in its place. Account data is
decoded to bytes. pyarrow comes with the extra `arrow`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast, final

from ..errors import InputError, RemoteProtocolError
from ..session.inbox import Event
from ..wire.notifications import AccountDiff, AccountState, ExecutedTransaction, TransactionLogs

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ArrowBatches", "arrow_batches", "to_record_batch"]

Columnar = AccountDiff | ExecutedTransaction | TransactionLogs
"""What has columns."""


def arrow_batches(batches: AsyncIterator[Sequence[Event]]) -> ArrowBatches:
    """Turn the batches of a session into Arrow record batches.

    Example:
        async for item in arrow_batches(session.batches()):
            match item:
                case ReadyForContinue(): await session.advance(10)
                case pyarrow.RecordBatch(): rows.append(item)

    Args:
        batches: What `session.batches()` returns.

    Raises:
        InputError: pyarrow is not installed.
    """
    _arrow()
    return ArrowBatches(batches)


@final
class ArrowBatches(AsyncIterator["pyarrow.RecordBatch | Event"]):
    """Record batches for account diffs, transactions and logs, and every other event as it is; made by `arrow_batches`."""

    def __init__(self, batches: AsyncIterator[Sequence[Event]]) -> None:
        self._batches = batches
        self._waiting: deque[pyarrow.RecordBatch | Event] = deque()

    async def __anext__(self) -> pyarrow.RecordBatch | Event:
        """Return the next record batch or event, waiting for one.

        Where account data or a transaction cannot be decoded, the notifications of the batch come as they are.

        Raises:
            StopAsyncIteration, SimClientError: As the session's own iterator.

        Cancellation: nothing is lost; iterate again.
        """
        while not self._waiting:
            for kind, events in groupby(await anext(self._batches), type):
                self._waiting.extend(_converted(kind, list(events)))
        return self._waiting.popleft()


def _converted(kind: type, events: list[Event]) -> Sequence[pyarrow.RecordBatch | Event]:
    if kind not in _COLUMNS:
        return events

    try:
        return [to_record_batch(cast("list[Columnar]", events))]
    except RemoteProtocolError:
        return events


def to_record_batch(notifications: Iterable[Columnar]) -> pyarrow.RecordBatch:
    """Return one record batch for notifications of one kind, at least one.

    The schema's metadata says the kind: `{"kind": "AccountDiff"}`. Slots and lamports are unsigned 64-bit integers, times are
    seconds since 1970, states have the prefixes `pre_` and `post_`. A field that the server left out is null.

    Raises:
        InputError: There are none, or they are of several kinds; or pyarrow is not installed.
        RemoteProtocolError: Account data or a transaction cannot be decoded.
    """
    rows = list(notifications)
    kinds = set(map(type, rows))
    if len(kinds) != 1 or not kinds <= _COLUMNS.keys():
        names = sorted(kind.__name__ for kind in kinds)
        raise InputError(f"a record batch needs notifications of one kind: {', '.join(names) or 'there are none'}")

    arrow, kind = _arrow(), kinds.pop()
    columns = _COLUMNS[kind](rows)
    fields = [
        arrow.field(name, getattr(arrow, of)() if of != "texts" else arrow.list_(arrow.string()))
        for name, of, _ in columns
    ]
    schema = arrow.schema(fields, metadata={"kind": kind.__name__})
    batch: pyarrow.RecordBatch = arrow.record_batch([values for _, _, values in columns], schema=schema)
    return batch


_Column = tuple[str, str, list[Any]]
"""Its name, the name of its Arrow type, its values."""


def _account_diff_columns(diffs: list[AccountDiff]) -> list[_Column]:
    results = [diff.params.result for diff in diffs]
    return [
        ("slot", "uint64", [result.context.slot for result in results]),
        ("tx_index", "uint64", [result.tx_index for result in results]),
        ("block_time", "int64", [result.block_time for result in results]),
        ("label", "string", [diff.label for diff in diffs]),
        ("account", "string", [result.account for result in results]),
        ("signature", "string", [result.signature for result in results]),
        *_state_columns("pre", [result.pre or _NO_STATE for result in results]),
        *_state_columns("post", [result.post or _NO_STATE for result in results]),
    ]


_NO_STATE = AccountState()


def _state_columns(prefix: str, states: list[AccountState]) -> list[_Column]:
    return [
        (f"{prefix}_lamports", "uint64", [state.lamports for state in states]),
        (f"{prefix}_owner", "string", [state.owner for state in states]),
        (f"{prefix}_executable", "bool_", [state.executable for state in states]),
        (f"{prefix}_rent_epoch", "uint64", [state.rent_epoch for state in states]),
        (f"{prefix}_data", "binary", [state.data for state in states]),
    ]


def _transaction_columns(transactions: list[ExecutedTransaction]) -> list[_Column]:
    return [
        ("slot", "uint64", [one.slot for one in transactions]),
        ("tx_index", "uint64", [one.tx_index for one in transactions]),
        ("block_time", "int64", [one.block_time for one in transactions]),
        ("label", "string", [one.label for one in transactions]),
        ("signature", "string", [one.signature for one in transactions]),
        ("error", "string", [one.error for one in transactions]),
        ("fee", "uint64", [one.fee for one in transactions]),
        ("compute_units", "uint64", [one.compute_units for one in transactions]),
        ("account_keys", "texts", [one.account_keys for one in transactions]),
        ("logs", "texts", [one.logs for one in transactions]),
        ("json", "string", [one.result_bytes for one in transactions]),
    ]


def _log_columns(several: list[TransactionLogs]) -> list[_Column]:
    return [
        ("slot", "uint64", [logs.slot for logs in several]),
        ("label", "string", [logs.label for logs in several]),
        ("signature", "string", [logs.signature for logs in several]),
        ("error", "string", [logs.error for logs in several]),
        ("logs", "texts", [logs.logs for logs in several]),
    ]


_COLUMNS: dict[type, Callable[[list[Any]], list[_Column]]] = {
    AccountDiff: _account_diff_columns,
    ExecutedTransaction: _transaction_columns,
    TransactionLogs: _log_columns,
}


def _arrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise InputError(
            'record batches need pyarrow, which is not installed: pip install "simclient[arrow]"'
        ) from error

    return pyarrow
