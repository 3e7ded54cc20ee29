"""Reading single lines of a file by their place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import final

from ..records import RunFileError

__all__ = ["LineReader"]

_AHEAD_BYTES = 1 << 20
"""So much is read at once of lines that follow each other."""


@final
class LineReader:
    """Reads single lines of a file; use it in a `with` block.

    A line that follows the last one is expected to be followed by more: then they are read many at a time.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb", buffering=0)
        self._block = memoryview(b"")
        self._begin = 0
        self._next = -1
        """Where the line after the last one begins."""

    def __enter__(self) -> LineReader:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, offset: int, length: int) -> memoryview:
        """Return the line at a place.

        Raises:
            RunFileError: The file is not what it was.
        """
        at = offset - self._begin
        if at < 0 or at + length > len(self._block):
            self._load(offset, max(length, _AHEAD_BYTES) if offset == self._next else length)
            at = 0
        self._next = offset + length + 1
        line = self._block[at : at + length]
        if len(line) != length:
            raise RunFileError(f"{self.path} became shorter while it was read")
        return line

    def _load(self, offset: int, length: int) -> None:
        self._block = memoryview(os.pread(self._file.fileno(), length, offset))
        self._begin = offset
