"""Joining two files by reading them side by side, which costs little more than reading them.

Two runs of the same slots have mostly the same lines in the same order. So both files are read line by line: lines that are the same are
done with at once, and where the files part, lines wait, by their signature, until the other file has theirs. What waits is bounded, and a
file that is larger, has another shape, or has a signature twice is left to `scan`, which can do all that and takes longer.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, final

from .joined import Joined, Places
from .values import Filters

__all__ = ["join_in_step"]

_LARGEST_BYTES = 8 << 30
"""Of a file. To know that no signature is there twice takes some 70 bytes per transaction."""
_MOST_WAITING = 200_000
_BUFFER_BYTES = 1 << 20
_HEAD = re.compile(
    rb'\{"type":"tx","data":\{"slot":(\d+),(?:"timestamp":-?\d+,)?"signature":"([1-9A-HJ-NP-Za-km-z]{1,90})","success":'
)
_TRANSACTION = b'{"type":"tx","data":{"slot":'
_OTHERS = (
    b'{"type":"diff"',
    b'{"type":"logs"',
    b'{"type":"session_started"',
    b'{"type":"metadata"',
    b'{"type":"summary"',
)
_SESSION = b',"session_id":"'
_END_BYTES = 160
"""Longer than the key of a session at the end of a line."""


def join_in_step(baseline: Path, experiment: Path, filters: Filters) -> Joined | None:
    """Bring the transactions of two files together; None: they are not such as can be joined in this way.

    Raises:
        OSError: A file cannot be read.
    """
    if max(path.stat().st_size for path in (baseline, experiment)) > _LARGEST_BYTES:
        return None

    with (
        baseline.open("rb", buffering=_BUFFER_BYTES) as first,
        experiment.open("rb", buffering=_BUFFER_BYTES) as second,
    ):
        try:
            return _Join().run(_lines(first, filters), _lines(second, filters))
        except _UnusualError:
            return None


class _UnusualError(Exception):
    """A file is not such as we and today's tool write it."""


_Line = tuple[int, bytes]
"""Where a line stands, and the line with its newline."""


def _lines(file: BinaryIO, filters: Filters) -> Iterator[_Line]:
    """Yield the lines of transactions that are to be compared; a last line that is cut is left out.

    Raises:
        _UnusualError: A line has another shape.
    """
    keeps = _chooser(filters)
    offset = 0
    for line in file:
        if not line.endswith(b"\n"):
            return
        if line.startswith(_TRANSACTION):
            if keeps is None or keeps(line):
                yield offset, line
        elif not line.startswith(_OTHERS) and line.strip():
            raise _UnusualError
        offset += len(line)


def _chooser(filters: Filters) -> Callable[[bytes], bool] | None:
    """Return what tells whether a line is to be compared; None: every line is."""
    if filters.start_slot is None and filters.end_slot is None and not filters.mentions:
        return None

    first = 0 if filters.start_slot is None else filters.start_slot
    last = float("inf") if filters.end_slot is None else filters.end_slot
    mentions = [address.encode() for address in filters.mentions]

    def keeps(line: bytes) -> bool:
        head = _HEAD.match(line)
        if head is None:
            raise _UnusualError
        return first <= int(head[1]) <= last and (not mentions or any(address in line for address in mentions))

    return keeps


def _key(line: bytes) -> bytes:
    """Return the signature."""
    head = _HEAD.match(line)
    if head is None:
        raise _UnusualError
    return head[2]


@final
class _Waiting:
    """Lines of one file of which the other has had none yet, by signature; a line's content is known by its hash."""

    def __init__(self) -> None:
        self._lines: dict[bytes, tuple[int, int, int]] = {}

    def add(self, key: bytes, line: _Line) -> None:
        """Take a line.

        Raises:
            _UnusualError: Its signature is there already, or there are too many.
        """
        if key in self._lines or len(self._lines) >= _MOST_WAITING:
            raise _UnusualError

        offset, content = line
        self._lines[key] = offset, len(content) - 1, hash(_without_session(content))

    def pop(self, key: bytes) -> tuple[int, int, int] | None:
        """Return offset, length and hash of a line that waits no longer; None: there is none."""
        return self._lines.pop(key, None)

    def places(self) -> Places:
        """Return where the lines stand that wait still."""
        places = Places()
        for offset, length, _ in self._lines.values():
            places.add(offset, length)
        return places

    def __iter__(self) -> Iterator[bytes]:
        """Yield the signatures."""
        return iter(self._lines)


@final
class _Join:
    """The state of the join."""

    def __init__(self) -> None:
        self._identical = 0
        self._baseline, self._experiment = Places(), Places()
        self._keys = array("q")
        """Hashes of the signatures that are in both files."""
        self._missing, self._extra = _Waiting(), _Waiting()

    def run(self, first: Iterator[_Line], second: Iterator[_Line]) -> Joined:
        """Read both to their ends.

        Raises:
            _UnusualError: A line has another shape, a signature is there twice, or too many lines wait.
        """
        a, b = next(first, None), next(second, None)
        while a is not None and b is not None:
            if a[1] == b[1] or _without_session(a[1]) == _without_session(b[1]):
                self._keys.append(hash(_key(a[1])))
                self._identical += 1
                a, b = next(first, None), next(second, None)
                continue

            key, other_key = _key(a[1]), _key(b[1])
            if key == other_key:
                self._differ(key, a[0], len(a[1]) - 1, b[0], len(b[1]) - 1)
                a, b = next(first, None), next(second, None)
            elif self._is_found(key, a, self._extra):  # the second file was ahead: the first one catches up
                a = next(first, None)
            elif self._is_found(other_key, b, self._missing):
                b = next(second, None)
            else:
                self._missing.add(key, a)
                self._extra.add(other_key, b)
                a, b = next(first, None), next(second, None)
        self._finish(a, first, self._extra, self._missing)
        self._finish(b, second, self._missing, self._extra)
        return self._result()

    def _finish(self, line: _Line | None, lines: Iterator[_Line], others: _Waiting, own: _Waiting) -> None:
        """Take the rest of one file when the other has ended."""
        while line is not None:
            key = _key(line[1])
            if not self._is_found(key, line, others):
                own.add(key, line)
            line = next(lines, None)

    def _is_found(self, key: bytes, line: _Line, others: _Waiting) -> bool:
        """Take a line of whose transaction the other file had its line before; return whether it had."""
        found = others.pop(key)
        if found is None:
            return False

        offset, length, content = found
        if content == hash(_without_session(line[1])):
            self._keys.append(hash(key))
            self._identical += 1
        elif others is self._extra:
            self._differ(key, line[0], len(line[1]) - 1, offset, length)
        else:
            self._differ(key, offset, length, line[0], len(line[1]) - 1)
        return True

    def _differ(self, key: bytes, offset: int, length: int, other_offset: int, other_length: int) -> None:
        self._keys.append(hash(key))
        self._baseline.add(offset, length)
        self._experiment.add(other_offset, other_length)

    def _result(self) -> Joined:
        keys = set(self._keys)
        is_twice = any(hash(key) in keys for waiting in (self._missing, self._extra) for key in waiting)
        if is_twice or len(keys) != len(self._keys):
            raise _UnusualError

        return Joined(
            identical=self._identical,
            baseline=self._baseline,
            experiment=self._experiment,
            missing=self._missing.places(),
            extra=self._extra.places(),
        )


def _without_session(line: bytes) -> bytes:
    """Return a line without which session said it, which is its last key."""
    end = line.rfind(_SESSION, -_END_BYTES)
    return line if end < 0 else line[:end]
