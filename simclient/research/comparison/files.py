"""The files of a comparison as a whole: what they are, how they end, and compressed ones unpacked."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import SEEK_END
from pathlib import Path

from ..records import RunFileError, RunSummary, decode_event
from ..run_file import is_compressed, open_lines

__all__ = ["is_cut", "last_summary", "uncompressed"]

_TAIL_BYTES = 1 << 20
"""From the end of the file, for the summary."""


@contextmanager
def uncompressed(path: Path) -> Iterator[Path]:
    """Lend a file that can be read at any place: a compressed one is unpacked into a temporary file.

    Raises:
        RunFileError: It cannot be read, is a pipe, or there is no room to unpack it.
    """
    if path.is_fifo():
        raise RunFileError(f"cannot compare {path}: it is a pipe, and files are read several times; write it to a file")
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


def is_cut(path: Path) -> bool:
    """Tell whether the last line is not whole."""
    return not _tail(path).endswith(b"\n")


def last_summary(path: Path) -> RunSummary | None:
    """Return the summary in the last whole line, if it is one."""
    lines = _tail(path).split(b"\n")[:-1]
    if not lines or not lines[-1].startswith(b'{"type":"summary"'):
        return None

    event = decode_event(lines[-1])
    return event if isinstance(event, RunSummary) else None


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        return file.read()
