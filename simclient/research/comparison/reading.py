"""Reading single lines of a file by their place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import final

from ..records import RunFileError

__all__ = ["LineReader"]


@final
class LineReader:
    """Reads single lines of a file; use it in a `with` block.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb", buffering=0)

    def __enter__(self) -> LineReader:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, offset: int, length: int) -> bytes:
        """Return the line at a place.

        Raises:
            RunFileError: The file is not what it was.
        """
        line = os.pread(self._file.fileno(), length, offset)
        if len(line) != length:
            raise RunFileError(f"{self.path} became shorter while it was read")
        return line
