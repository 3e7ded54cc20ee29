"""One pass over a file: what tells its transactions apart, without reading them.

Per transaction: a hash of the signature, the slot, a hash of all that its line says except which session said it, and where the
line stands. That is some 40 bytes for each; the lines themselves do not stay in memory. Two lines with the same two hashes are the
same; lines whose hashes of the content differ are read and compared by what they say, signature included.

Lines as we and today's tool write them begin with slot and signature; lines of another shape are decoded one by one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import SEEK_END
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import msgspec

from ..records import RunFileError, RunMetadata, RunSummary, TransactionRecord, decode_event
from ..run_file import is_compressed, open_lines, read_run
from ..tables import import_extra
from .reading import LineReader
from .values import Filters

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ScannedFile", "scan_file", "uncompressed"]

_BEGINNING = '{"type":"tx","data":{"slot":'
_TIMESTAMP = '"timestamp":'
_SIGNATURE = '"signature":"'
_AFTER_SIGNATURE = '","success":'
_SESSION = ',"session_id":"'
_BEGINNING_CHARACTERS = 256
"""Longer than a beginning with its numbers and a signature."""
_LONGEST_NUMBER = 20
"""Digits of a u64."""
_LONGEST_SIGNATURE = 90
"""64 bytes are 88 characters of base58 at most."""
_END_CHARACTERS = 160
"""Longer than the key of a session at the end of a line."""
_OTHER_TYPES = (
    '{"type":"diff"',
    '{"type":"logs"',
    '{"type":"session_started"',
    '{"type":"metadata"',
    '{"type":"summary"',
)
_LONGEST_TYPE = max(map(len, _OTHER_TYPES))
_TAIL_BYTES = 1 << 20
"""From the end of the file, for the summary."""


@attrs.frozen(kw_only=True)
class ScannedFile:
    """What one pass gave."""

    metadata: RunMetadata
    summary: RunSummary | None
    is_cut: bool
    transactions: pl.DataFrame
    """Columns `key`, `slot`, `content` (hashes), `offset` and `length` (bytes, without the newline); each key once."""


@contextmanager
def uncompressed(path: Path) -> Iterator[Path]:
    """Lend a file that can be read at any place: a compressed one is unpacked into a temporary file.

    Raises:
        RunFileError: It cannot be read, or there is no room to unpack it.
    """
    if not is_compressed(path):
        yield path
        return

    with tempfile.NamedTemporaryFile(prefix="simclient-", suffix=".ndjson") as file:
        try:
            file.writelines(open_lines(path))
            file.flush()
        except OSError as error:
            room = shutil.disk_usage(tempfile.gettempdir()).free
            raise RunFileError(
                f"cannot unpack {path} into {tempfile.gettempdir()} ({room:,} bytes free): {error.strerror or error};"
                " set TMPDIR to a larger disk"
            ) from error
        yield Path(file.name)


def scan_file(path: Path, filters: Filters) -> ScannedFile:
    """Read a file once.

    Raises:
        RunFileError: It cannot be read, or a line of it is damaged.
    """
    import_extra("polars", "compare", "comparing runs")
    import polars as pl

    run = read_run(path)
    summary, is_cut = _end_of(path)
    try:
        frame = _scan(path, filters).collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise RunFileError(f"cannot read {path}: {error}") from error

    frame = frame.with_columns(
        offset=pl.col("length").cast(pl.UInt64).cum_sum() + pl.int_range(pl.len(), dtype=pl.UInt64)
    )
    frame = frame.with_columns(offset=pl.col("offset") - pl.col("length"))
    if is_cut:
        frame = frame.head(-1)
    frame = _decode_other_shapes(path, frame)
    return ScannedFile(
        metadata=run.metadata,
        summary=summary,
        is_cut=is_cut,
        transactions=_each_once(_filtered(frame, filters).drop("is_kept", "unknown")),
    )


def _scan(path: Path, filters: Filters) -> pl.LazyFrame:
    """Return the query of the pass. A regular expression would say the same in one line, and take longer than all the rest."""
    import polars as pl

    line = pl.col("line")
    beginning = line.str.head(_BEGINNING_CHARACTERS)
    number = beginning.str.slice(len(_BEGINNING), _LONGEST_NUMBER + 1)
    slot = number.str.slice(0, number.str.find(",", literal=True))
    between = len(_BEGINNING) + slot.str.len_bytes() + 1
    at = beginning.str.find(_SIGNATURE, literal=True)
    is_next = (at == between) | (
        beginning.str.slice(between, len(_TIMESTAMP)).eq(_TIMESTAMP)
        & (at - between <= len(_TIMESTAMP) + _LONGEST_NUMBER + 1)
    )
    rest = beginning.str.slice(at + len(_SIGNATURE), _LONGEST_SIGNATURE + len(_AFTER_SIGNATURE))
    signature = rest.str.slice(0, rest.str.find(_AFTER_SIGNATURE, literal=True))
    fits = (beginning.str.starts_with(_BEGINNING) & is_next & signature.is_not_null()).fill_null(False)
    end = line.str.tail(_END_CHARACTERS)
    without_session = line.str.len_bytes() - (end.str.len_bytes() - end.str.find(_SESSION, literal=True)).fill_null(0)
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

    is_other = pl.any_horizontal(pl.col("unknown").str.starts_with(kind) for kind in _OTHER_TYPES)
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


def _end_of(path: Path) -> tuple[RunSummary | None, bool]:
    """Return the summary in the last whole line, if it is one, and whether there is a cut line after it."""
    with path.open("rb") as file:
        size = file.seek(0, SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()

    is_cut = not tail.endswith(b"\n")
    lines = tail.split(b"\n")[:-1]
    if not lines or not lines[-1].startswith(b'{"type":"summary"'):
        return None, is_cut

    event = decode_event(lines[-1])
    return (event if isinstance(event, RunSummary) else None), is_cut
