"""Joining two files of any shape and size: one pass over each gives what tells its transactions apart, without reading them.

Per transaction: a hash of the signature, the slot, a hash of all that its line says except which session said it, and where the
line stands. That is some 40 bytes for each; the lines themselves do not stay in memory. Two lines with the same two hashes are the
same; lines whose hashes of the content differ are read and compared by what they say, signature included.

Lines as we and today's tool write them begin with slot and signature; lines of another shape are decoded one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..records import RunFileError, TransactionRecord, decode_event
from ..tables import import_extra
from .files import is_cut
from .joined import Joined, Places
from .reading import LineReader
from .shape import OTHER_EVENTS, SESSION, TRANSACTION
from .values import Filters

if TYPE_CHECKING:
    import polars as pl

__all__ = ["join_by_hash"]

_TIMESTAMP = '"timestamp":'
_SIGNATURE = '"signature":"'
_AFTER_SIGNATURE = '","success":'
_BEGINNING_CHARACTERS = 256
"""Longer than a beginning with its numbers and a signature."""
_LONGEST_NUMBER = 20
"""Digits of a u64."""
_LONGEST_SIGNATURE = 90
"""64 bytes are 88 characters of base58 at most."""
_END_CHARACTERS = 160
"""Longer than the key of a session at the end of a line."""
_LONGEST_TYPE = max(map(len, OTHER_EVENTS))
_ROWS_AT_A_TIME = 100_000
"""As numbers of Python they take four times the room."""


def join_by_hash(baseline: Path, experiment: Path, filters: Filters) -> Joined:
    """Bring the transactions of two files together.

    Raises:
        RunFileError: A file cannot be read, or a line of it is damaged.
        InputError: Polars is not installed (the extra `compare`).
    """
    a, b = _transactions(baseline, filters), _transactions(experiment, filters)
    both = a.join(b, on="key", how="inner", suffix="_b")
    differing = both.filter(both["content"] != both["content_b"]).sort("offset")
    return Joined(
        common=both.height,
        identical=both.height - differing.height,
        baseline=_places(differing, "offset", "length"),
        experiment=_places(differing, "offset_b", "length_b"),
        missing=_places(a.join(b, on="key", how="anti"), "offset", "length"),
        extra=_places(b.join(a, on="key", how="anti"), "offset", "length"),
    )


def _places(frame: pl.DataFrame, offset: str, length: str) -> Places:
    places = Places()
    for some in frame.select(offset, length).iter_slices(_ROWS_AT_A_TIME):
        places.offsets.extend(some[offset].to_list())
        places.lengths.extend(some[length].to_list())
    return places


def _transactions(path: Path, filters: Filters) -> pl.DataFrame:
    """Read a file once; return its transactions, each key once.

    Columns: `key`, `slot`, `content` (hashes), `offset` and `length` (bytes, without the newline).

    Raises:
        RunFileError: It cannot be read, or a line of it is damaged.
    """
    import_extra("polars", "compare", "comparing such runs")
    import polars as pl

    try:
        frame = _scan(path, filters).collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise RunFileError(f"cannot read {path}: {error}") from error

    frame = frame.with_columns(
        offset=pl.col("length").cast(pl.UInt64).cum_sum() + pl.int_range(pl.len(), dtype=pl.UInt64)
    )
    frame = frame.with_columns(offset=pl.col("offset") - pl.col("length"))
    if is_cut(path):
        frame = frame.head(-1)
    frame = _decode_other_shapes(path, frame)
    return _each_once(_filtered(frame, filters).drop("is_kept", "unknown"))


def _scan(path: Path, filters: Filters) -> pl.LazyFrame:
    """Return the query of the pass. A regular expression would say the same in one line, and take longer than all the rest."""
    import polars as pl

    line = pl.col("line")
    beginning = line.str.head(_BEGINNING_CHARACTERS)
    number = beginning.str.slice(len(TRANSACTION), _LONGEST_NUMBER + 1)
    slot = number.str.slice(0, number.str.find(",", literal=True))
    between = len(TRANSACTION) + slot.str.len_bytes() + 1
    at = beginning.str.find(_SIGNATURE, literal=True)
    is_next = (at == between) | (
        beginning.str.slice(between, len(_TIMESTAMP)).eq(_TIMESTAMP)
        & (at - between <= len(_TIMESTAMP) + _LONGEST_NUMBER + 1)
    )
    rest = beginning.str.slice(at + len(_SIGNATURE), _LONGEST_SIGNATURE + len(_AFTER_SIGNATURE))
    signature = rest.str.slice(0, rest.str.find(_AFTER_SIGNATURE, literal=True))
    fits = (beginning.str.starts_with(TRANSACTION) & is_next & signature.is_not_null()).fill_null(False)
    end = line.str.tail(_END_CHARACTERS)
    without_session = line.str.len_bytes() - (end.str.len_bytes() - end.str.find(SESSION, literal=True)).fill_null(0)
    return pl.scan_lines(path).select(
        key=pl.when(fits).then(signature.hash()),
        slot=slot.cast(pl.UInt64, strict=False),
        content=line.cast(pl.Binary).bin.slice(0, without_session).hash(),
        length=line.str.len_bytes(),
        is_kept=line.str.contains_any(list(filters.mentions)) if filters.mentions else pl.lit(True),
        unknown=pl.when(~fits).then(beginning.str.head(_LONGEST_TYPE)),
    )


def _decode_other_shapes(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """Give the lines that do not begin as usual their slot and key.

    Raises:
        RunFileError: One of them is damaged.
    """
    import polars as pl

    is_other = pl.any_horizontal(pl.col("unknown").str.starts_with(kind) for kind in OTHER_EVENTS)
    unread = frame.with_row_index("line").filter(pl.col("unknown").is_not_null() & (pl.col("length") > 0))
    places = unread.filter(~is_other).select("line", "offset", "length")
    if places.is_empty():
        return frame

    slots: list[int | None] = []
    signatures: list[str | None] = []
    with LineReader(path) as reader:
        for number, offset, length in places.iter_rows():
            transaction = _transaction(path, number + 1, bytes(reader.read(offset, length)))
            slots.append(None if transaction is None else transaction.slot)
            signatures.append(None if transaction is None else transaction.signature)
    decoded = pl.DataFrame(
        {"line": places["line"], "slot": slots, "key": pl.Series(signatures, dtype=pl.String)},
        schema_overrides={"slot": pl.UInt64},
    ).with_columns(key=pl.when(pl.col("key").is_not_null()).then(pl.col("key").hash()))
    return frame.with_row_index("line").update(decoded, on="line").drop("line")


def _transaction(path: Path, number: int, line: bytes) -> TransactionRecord | None:
    """Return the transaction of a line, None if it is another event."""
    try:
        event = decode_event(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunFileError(f"{path} is damaged: line {number}: {error}") from error

    return event if isinstance(event, TransactionRecord) else None


def _filtered(frame: pl.DataFrame, filters: Filters) -> pl.DataFrame:
    """Return the transactions that are to be compared."""
    import polars as pl

    kept = pl.col("key").is_not_null() & pl.col("is_kept")
    if filters.start_slot is not None:
        kept &= pl.col("slot") >= filters.start_slot
    if filters.end_slot is not None:
        kept &= pl.col("slot") <= filters.end_slot
    return frame.filter(kept)


def _each_once(frame: pl.DataFrame) -> pl.DataFrame:
    """Return each transaction once: the one of the highest slot, the later line where slots are the same."""
    if frame["key"].n_unique() == frame.height:
        return frame

    return frame.sort("slot", maintain_order=True).unique("key", keep="last").sort("offset")
