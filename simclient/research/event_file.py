"""The file that a run writes its lines to: never truncated early, never left with a cut line.

- An existing file is replaced when the first lines are there to be written, not before.
- Lines are collected and written many at a time, in a worker thread: a slow disk or a reader that is busy holds back whoever calls
  `flush`, not the event loop.
- Only whole lines are written. When a write fails half-way (a full disk), a regular file is cut back to its last whole line.
- `-` is the standard output; a name that ends with `.zst` makes a compressed file, a frame per write.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import final

import trio

from ..errors import InputError, SimClientError
from .frames import COMPRESSED_SUFFIX, compressed_frame

__all__ = ["STANDARD_OUTPUT", "EventFile", "OutputError", "check_output"]

STANDARD_OUTPUT = Path("-")
_FULL_BYTES = 1 << 20
"""So much waits in memory before whoever adds lines should wait for a flush."""


class OutputError(SimClientError):
    """An output file cannot be written; the message names it and says why.

    What to do: Make room or name another place, then complete the file with `simclient run --resume FILE`.
    """


def check_output(path: Path) -> None:
    """Check that `path` can be written, without touching it.

    Raises:
        InputError: It is a directory, its directory does not exist, or writing is not allowed.
    """
    if path == STANDARD_OUTPUT:
        return
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a directory; name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no directory {path.parent}; make it first")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"cannot write {path}: permission denied; choose another file")


@final
class EventFile:
    """Collects lines and writes them; see the module for what it promises."""

    def __init__(self, path: Path, *, keep_bytes: int | None = None) -> None:
        """Remember the path; nothing is opened yet.

        Args:
            path: The file, or `-`.
            keep_bytes: Keep so much of the file that is there, and go on after it; None: replace it.
        """
        self._path = path
        self._keep_bytes = keep_bytes
        self._is_compressed = path.suffix == COMPRESSED_SUFFIX
        self._descriptor: int | None = None
        self._lines: list[bytes] = []
        self._waiting_bytes = 0
        self._one_writer = trio.Lock()
        self._is_broken = False

    def add(self, line: bytes) -> None:
        """Take one line, its newline included; it is written by the next `flush`."""
        self._lines.append(line)
        self._waiting_bytes += len(line)

    @property
    def is_full(self) -> bool:
        """Whether so much is waiting that a flush is due."""
        return self._waiting_bytes >= _FULL_BYTES

    async def flush(self, *, abandon_on_cancel: bool = False) -> None:
        """Write every line that was added.

        Args:
            abandon_on_cancel: Leave a write that hangs to its thread when cancelled; only for the last flush, since what was
                written is unknown then.

        Raises:
            OutputError: The file cannot be written. From then on nothing more is.
        Cancellation: nothing or everything that was waiting is written.
        """
        async with self._one_writer:
            if not self._lines or self._is_broken:
                return

            count, data = len(self._lines), b"".join(self._lines)
            try:
                await trio.to_thread.run_sync(self._write, data, abandon_on_cancel=abandon_on_cancel)
            except OSError as error:
                self._is_broken = True
                raise OutputError(_explain(self._path, error)) from error

            del self._lines[:count]
            self._waiting_bytes -= len(data)

    def close(self) -> None:
        """Close the file; lines that were not flushed are not written."""
        if self._descriptor is not None and self._path != STANDARD_OUTPUT:
            os.close(self._descriptor)
        self._descriptor = None

    def _write(self, data: bytes) -> None:
        """Write whole lines, in a worker thread."""
        if self._descriptor is None:
            self._descriptor = _open(self._path, self._keep_bytes)
        if self._is_compressed:
            data = compressed_frame(data)

        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:] if written else data)
        except OSError:
            whole = 0 if self._is_compressed else data.rfind(b"\n", 0, written) + 1
            _cut_back(self._descriptor, written - whole)
            raise


def _open(path: Path, keep_bytes: int | None) -> int:
    """Open the output, cutting a file that is there back to what is kept of it."""
    if path == STANDARD_OUTPUT:
        return sys.stdout.fileno()
    if keep_bytes is None:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)

    descriptor = os.open(path, os.O_WRONLY)
    os.ftruncate(descriptor, keep_bytes)
    os.lseek(descriptor, 0, os.SEEK_END)
    return descriptor


def _cut_back(descriptor: int, surplus_bytes: int) -> None:
    """Take the beginning of a line, or of a frame, off the end of a regular file."""
    status = os.fstat(descriptor)
    if surplus_bytes and stat.S_ISREG(status.st_mode):
        os.ftruncate(descriptor, status.st_size - surplus_bytes)


def _explain(path: Path, error: OSError) -> str:
    """Return the message for a write that failed."""
    if path == STANDARD_OUTPUT and isinstance(error, BrokenPipeError):
        return "cannot write the standard output: its reader has gone"

    name = "the standard output" if path == STANDARD_OUTPUT else str(path)
    return f"cannot write {name}: {error.strerror or error}; what was written before is kept"
