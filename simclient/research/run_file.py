"""Reading the file of a run: ours or today's tool's, plain or `.zst`, finished or cut off in the middle of a line.

A last line without its newline, which is what a killed process or a full disk leaves, is no error: it is left out, and `is_cut` says so.
Any other line that cannot be read is one, with its number; lines of unknown type are skipped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import BinaryIO, TypeVar, cast, final

import msgspec
import zstandard

from .records import (
    AccountDiffRecord,
    Event,
    LogsRecord,
    RunFileError,
    RunMetadata,
    RunSummary,
    SessionStarted,
    TransactionRecord,
    decode_event,
    type_of,
)
from .tables import (
    DIFF_COLUMNS,
    EVENT_COLUMNS,
    LOGS_COLUMNS,
    TRANSACTION_COLUMNS,
    Table,
    record_rows,
    record_values,
)

__all__ = ["RunFile", "is_compressed", "open_lines", "read_run"]

_BUFFER_BYTES = 1 << 20
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def read_run(path: Path | str) -> RunFile:
    """Open the file of a run; its events are read when they are asked for, each time anew.

    Raises:
        RunFileError: There is no such file, or it does not begin as a run's file does.
    """
    path = Path(path)
    for event in _events(path):
        if isinstance(event, RunMetadata):
            return RunFile(path, event)
        break

    raise RunFileError(
        f"{path} is not the file of a run: its first line is no metadata; name what `simclient run --output` wrote"
    )


@final
class RunFile:
    """The file of a run, made by `read_run`.

    Attributes:
        path: Where it is.
        metadata: What was asked for.
    """

    def __init__(self, path: Path, metadata: RunMetadata) -> None:
        self.path = path
        self.metadata = metadata

    def __repr__(self) -> str:
        return f"RunFile({str(self.path)!r}, slots {self.metadata.start_slot} to {self.metadata.end_slot})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from .report.cells import run_file_cell

        return run_file_cell(self)

    def events(self) -> Iterator[Event]:
        """Yield every event in the order of the file; at most one line is in memory.

        Raises:
            RunFileError: A line is damaged; every event before it was yielded.
        """
        return _events(self.path)

    def transactions(self) -> Iterator[TransactionRecord]:
        """Yield the transactions."""
        return _of_type(self.path, "tx", TransactionRecord)

    def diffs(self) -> Iterator[AccountDiffRecord]:
        """Yield the account diffs."""
        return _of_type(self.path, "diff", AccountDiffRecord)

    def logs(self) -> Iterator[LogsRecord]:
        """Yield the lines of subscriptions to logs."""
        return _of_type(self.path, "logs", LogsRecord)

    def sessions(self) -> tuple[SessionStarted, ...]:
        """Return the sessions that the run had, in the order they were opened, each as it is said last."""
        return tuple({one.session_id: one for one in _of_type(self.path, "session_started", SessionStarted)}.values())

    def summary(self) -> RunSummary | None:
        """Return the last summary; None: the run was ended before it could write one."""
        return next(iter(deque(_of_type(self.path, "summary", RunSummary), maxlen=1)), None)

    @property
    def is_cut(self) -> bool:
        """Whether the last line is not whole."""
        return any(not line.endswith(b"\n") for line in deque(open_lines(self.path), maxlen=1))

    @property
    def transaction_table(self) -> Table:
        """The transactions as a table."""
        return Table("transactions", TRANSACTION_COLUMNS, lambda: record_rows(self.transactions(), TRANSACTION_COLUMNS))

    @property
    def diff_table(self) -> Table:
        """The account diffs as a table."""
        return Table("diffs", DIFF_COLUMNS, lambda: record_rows(self.diffs(), DIFF_COLUMNS))

    @property
    def logs_table(self) -> Table:
        """The logs as a table."""
        return Table("logs", LOGS_COLUMNS, lambda: record_rows(self.logs(), LOGS_COLUMNS))

    @property
    def event_table(self) -> Table:
        """Transactions, account diffs and logs in the order of the file, in one table; a column `type` tells them apart."""
        return Table("events", EVENT_COLUMNS, self._event_rows)

    def _event_rows(self) -> Iterator[tuple[object, ...]]:
        columns = {kind: [name for name in EVENT_COLUMNS if name in fields] for kind, fields in _FIELDS.items()}
        empty = dict.fromkeys(EVENT_COLUMNS)
        for event in self.events():
            kind = _KINDS.get(type(event))
            if kind is not None:
                yield tuple((empty | {"type": kind, **record_values(event, columns[kind])}).values())


_KINDS: dict[type[object], str] = {TransactionRecord: "tx", AccountDiffRecord: "diff", LogsRecord: "logs"}
_FIELDS = {"tx": TRANSACTION_COLUMNS, "diff": DIFF_COLUMNS, "logs": LOGS_COLUMNS}


def open_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, newlines included; the last one may be without.

    Raises:
        RunFileError: It cannot be read, or is damaged as a zstd stream.
    """
    try:
        with path.open("rb", buffering=_BUFFER_BYTES) as file:
            if not _begins_compressed(file):
                yield from file
                return

            with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream:
                yield from BufferedReader(cast("RawIOBase", stream), _BUFFER_BYTES)  # it reads like one
    except OSError as error:
        raise RunFileError(f"cannot read {path}: {error.strerror or error}") from error
    except zstandard.ZstdError as error:
        raise RunFileError(f"cannot read {path}: it is damaged: {error}") from error


def is_compressed(path: Path) -> bool:
    """Tell whether a file is a zstd stream.

    Raises:
        RunFileError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return _begins_compressed(file)
    except OSError as error:
        raise RunFileError(f"cannot read {path}: {error.strerror or error}") from error


def _begins_compressed(file: BinaryIO) -> bool:
    """Tell whether a file is a zstd stream, and go back to its beginning; a pipe that cannot is taken as it is."""
    if not file.seekable():
        return False

    begins = file.read(len(_ZSTD_MAGIC)) == _ZSTD_MAGIC
    file.seek(0)
    return begins


def _events(path: Path) -> Iterator[Event]:
    """Yield the events of a file."""
    for number, line in enumerate(open_lines(path), start=1):
        event = _decoded(path, number, line)
        if event is not None:
            yield event


_Record = TypeVar("_Record", bound=Event)


def _of_type(path: Path, kind: str, record: type[_Record]) -> Iterator[_Record]:
    """Yield the events of one type; lines of the others are not decoded."""
    for number, line in enumerate(open_lines(path), start=1):
        if _type_of(path, number, line) == kind:
            event = _decoded(path, number, line)
            if isinstance(event, record):
                yield event


def _type_of(path: Path, number: int, line: bytes) -> str | None:
    try:
        return type_of(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _check_is_end(path, number, line, error)
        return None


def _decoded(path: Path, number: int, line: bytes) -> Event | None:
    try:
        return decode_event(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _check_is_end(path, number, line, error)
        return None


def _check_is_end(path: Path, number: int, line: bytes, error: Exception) -> None:
    """Let a line pass that cannot be read because it is blank or the cut last one.

    Raises:
        RunFileError: It is another one; the message names it.
    """
    if number > 1 and (not line.endswith(b"\n") or not line.strip()):
        return

    what = "is not the file of a run" if number == 1 else "is damaged"
    raise RunFileError(f"{path} {what}: line {number}: {error}") from error
