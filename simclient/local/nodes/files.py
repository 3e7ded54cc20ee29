"""JSON values from files: one to a line or one to a file, plain, gzipped or as zstd, each with its place for messages.

A file whose first line is a whole JSON value is read line by line; any other is one value. Every size is bounded before it is read, so a
file cannot unpack to more than memory holds.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import attrs
import msgspec
import zstandard

from ...errors import InputError

__all__ = ["Place", "read_values"]

_MOST_VALUE_BYTES = 256 * 2**20
"""Of one JSON value: a full block of mainnet has some 10 MB in base64."""
_NUMBER = re.compile(r"(\d+)")


@attrs.frozen(kw_only=True)
class Place:
    """Where a value stands."""

    path: Path
    line: int
    """Counted from 1; 0 where the file is one value."""

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}" if self.line else str(self.path)

    @property
    def stem(self) -> str:
        """The file's name without anything from its first dot on."""
        return self.path.name.partition(".")[0]


def read_values(paths: Sequence[Path]) -> Iterator[tuple[Place, object]]:
    """Read every JSON value of the files, in order; a folder stands for its files, in the order of the numbers in their names.

    Raises:
        InputError: A file cannot be read, or holds something else than JSON; the message names it and the line.
    """
    for path in paths:
        files = sorted(path.iterdir(), key=_by_numbers) if path.is_dir() else [path]
        for file in files:
            if not file.name.startswith("."):
                yield from _values_of(file)


def _by_numbers(path: Path) -> list[str | int]:
    """Sort `9.json` before `10.json`."""
    return [int(part) if part.isdigit() else part for part in _NUMBER.split(path.name)]


def _values_of(path: Path) -> Iterator[tuple[Place, object]]:
    with _reading(path), _open(path) as file:
        first = _line(path, 1, file)
        value = _decoded(first)
        if value is _CUT:
            whole = first + file.read(_MOST_VALUE_BYTES - len(first) + 1)
            yield Place(path=path, line=0), _checked(Place(path=path, line=0), whole)
            return

        number = 1
        line = first
        while line:
            if line.strip():
                place = Place(path=path, line=number)
                yield place, _checked(place, line)
            number += 1
            line = _line(path, number, file)


class _Cut:
    """What is no whole JSON value."""


_CUT = _Cut()


def _decoded(text: bytes) -> object:
    try:
        return cast("object", msgspec.json.decode(text)) if text.strip() else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _CUT


def _checked(place: Place, text: bytes) -> object:
    if len(text) > _MOST_VALUE_BYTES:
        raise InputError(f"cannot read {place}: a value of more than {_MOST_VALUE_BYTES:,} bytes")

    try:
        return cast("object", msgspec.json.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"cannot read {place}: not JSON: {error}") from error


def _line(path: Path, number: int, file: IO[bytes]) -> bytes:
    line = file.readline(_MOST_VALUE_BYTES + 1)
    if len(line) > _MOST_VALUE_BYTES:
        raise InputError(f"cannot read {path}, line {number}: longer than {_MOST_VALUE_BYTES:,} bytes")

    return line


def _open(path: Path) -> IO[bytes]:
    match path.suffix:
        case ".gz":
            return cast("IO[bytes]", gzip.open(path))
        case ".zst":
            reader = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(
                path.open("rb"), read_across_frames=True, closefd=True
            )
            return io.BufferedReader(cast("io.RawIOBase", reader))
        case _:
            return path.open("rb")


@contextmanager
def _reading(path: Path) -> Generator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"cannot read {path}: {reason}") from error
