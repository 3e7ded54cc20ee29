"""Joining two files by reading them side by side, which costs little more than reading them.

Two runs of the same slots have mostly the same lines in the same order. So both files are read line by line: lines that are the same are
done with at once, and where the files part, lines wait, by their signature, until the other file has theirs. What waits is bounded, and
files of another shape, or with a signature twice, are left to `scan`, which can do all that and takes longer.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, final

import attrs

from ..records import RunFileError
from .collect import Collector
from .joined import Places
from .pairs import PairComparison, decode_line
from .shape import OTHER_EVENTS, SESSION, TRANSACTION
from .spans import Span
from .values import Filters

__all__ = ["SpansJoined", "UnusualError", "join_in_step", "number_of"]

_MOST_WAITING = 200_000
_BUFFER_BYTES = 1 << 20
_TRANSACTION = TRANSACTION.encode()
_OTHERS = tuple(beginning.encode() for beginning in OTHER_EVENTS)
_SESSION = SESSION.encode()
_HEAD = re.compile(
    re.escape(_TRANSACTION) + rb'(\d+),(?:"timestamp":-?\d+,)?"signature":"([1-9A-HJ-NP-Za-km-z]{1,90})","success":'
)
_END_BYTES = 160
"""Longer than the key of a session at the end of a line."""

_Waiting = dict[bytes, tuple[int, int, int]]
"""Lines of one file of which the other has had none yet, by signature: offset, length without the newline, and a hash of the content."""


class UnusualError(Exception):
    """A file is not such as we and today's tool write it."""


@attrs.frozen(kw_only=True)
class SpansJoined:
    """Lines of two files, transaction by transaction."""

    identical: int
    """So many are in both, and the files say the same of them."""
    keys: array[int]
    """Of each signature that is in both, a number: `number_of`."""
    collector: Collector
    """What was compared of the others while their lines were at hand."""
    baseline: Places
    experiment: Places
    """Lines, in pairs, of those that are to be compared yet: the files have them at different places."""
    missing: dict[bytes, tuple[int, int]]
    """Of the lines of the baseline of which the experiment has none, by signature: offset and length."""
    extra: dict[bytes, tuple[int, int]]
    """And of those of the experiment of which the baseline has none."""


def join_in_step(baseline: Span, experiment: Span, filters: Filters, limit: int | None) -> SpansJoined:
    """Bring the transactions of two files together.

    Raises:
        UnusualError: They are not such as can be joined in this way.
        RunFileError: A line is damaged.
        OSError: A file cannot be read.
    """
    with (
        baseline.path.open("rb", buffering=_BUFFER_BYTES) as first,
        experiment.path.open("rb", buffering=_BUFFER_BYTES) as second,
    ):
        join = _Join((baseline.path, experiment.path), filters, limit)
        return join.run(_lines(first, baseline, filters), _lines(second, experiment, filters))


def number_of(signature: bytes) -> int:
    """Return a number that stands for a signature, the same one in every process (as `hash` of the bytes would not)."""
    return hash(int.from_bytes(signature, "little"))


_Line = tuple[int, bytes]
"""Where a line stands, and the line with its newline."""


def _lines(file: BinaryIO, span: Span, filters: Filters) -> Iterator[_Line]:
    """Yield the lines of transactions that are to be compared; a last line that is cut is left out.

    Raises:
        UnusualError: A line has another shape.
        RunFileError: The file ends before the span does.
    """
    keeps = _chooser(filters)
    offset = file.seek(span.begin)
    end = span.end
    for line in file:
        if offset >= end:
            return
        if not line.endswith(b"\n"):
            offset += len(line)
            break
        if line.startswith(_TRANSACTION):
            if keeps is None or keeps(line):
                yield offset, line
        elif not line.startswith(_OTHERS) and line.strip():
            raise UnusualError
        offset += len(line)
    if offset < end:
        raise RunFileError(f"{span.path} became shorter while it was read")


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
            raise UnusualError
        return first <= int(head[1]) <= last and (not mentions or any(address in line for address in mentions))

    return keeps


def _key(line: bytes) -> bytes:
    """Return the signature."""
    head = _HEAD.match(line)
    if head is None:
        raise UnusualError
    return head[2]


@final
class _Join:
    """The state of the join."""

    def __init__(self, paths: tuple[Path, Path], filters: Filters, limit: int | None) -> None:
        self._paths = paths
        self._collector = Collector(limit)
        self._comparison = PairComparison(self._collector, filters)
        self._identical = 0
        self._baseline, self._experiment = Places(), Places()
        self._keys = array("q")
        self._missing: _Waiting = {}
        self._extra: _Waiting = {}

    def run(self, first: Iterator[_Line], second: Iterator[_Line]) -> SpansJoined:
        """Read both to their ends.

        Raises:
            UnusualError: A line has another shape, a signature waits twice, or too many lines wait.
            RunFileError: A line is damaged.
        """
        a, b = next(first, None), next(second, None)
        while a is not None and b is not None:
            if a[1] == b[1] or _without_session(a[1]) == _without_session(b[1]):
                self._keys.append(number_of(_key(a[1])))
                self._identical += 1
                a, b = next(first, None), next(second, None)
                continue

            key, other_key = _key(a[1]), _key(b[1])
            if key == other_key:
                self._compare(key, a, b)
                a, b = next(first, None), next(second, None)
            elif self._is_found(key, a, self._extra):  # the second file was ahead: the first one catches up
                a = next(first, None)
            elif self._is_found(other_key, b, self._missing):
                b = next(second, None)
            else:
                _wait(self._missing, key, a)
                _wait(self._extra, other_key, b)
                a, b = next(first, None), next(second, None)
        self._finish(a, first, self._extra, self._missing)
        self._finish(b, second, self._missing, self._extra)
        return SpansJoined(
            identical=self._identical,
            keys=self._keys,
            collector=self._collector,
            baseline=self._baseline,
            experiment=self._experiment,
            missing=_places(self._missing),
            extra=_places(self._extra),
        )

    def _finish(self, line: _Line | None, lines: Iterator[_Line], others: _Waiting, own: _Waiting) -> None:
        """Take the rest of one file when the other has ended."""
        while line is not None:
            key = _key(line[1])
            if not self._is_found(key, line, others):
                _wait(own, key, line)
            line = next(lines, None)

    def _is_found(self, key: bytes, line: _Line, others: _Waiting) -> bool:
        """Take a line of whose transaction the other file had its line before; return whether it had."""
        found = others.pop(key, None)
        if found is None:
            return False

        offset, length, content = found
        if content == hash(_without_session(line[1])):
            self._keys.append(number_of(key))
            self._identical += 1
        elif others is self._extra:
            self._compare_later(key, (line[0], len(line[1]) - 1), (offset, length))
        else:
            self._compare_later(key, (offset, length), (line[0], len(line[1]) - 1))
        return True

    def _compare(self, key: bytes, a: _Line, b: _Line) -> None:
        """Compare two lines of one transaction, which are not the same."""
        self._keys.append(number_of(key))
        (path, other_path), (offset, line), (other_offset, other_line) = self._paths, a, b
        self._comparison.compare(decode_line(line, path, offset), decode_line(other_line, other_path, other_offset))

    def _compare_later(self, key: bytes, place: tuple[int, int], other_place: tuple[int, int]) -> None:
        """Take where two lines of one transaction stand, of which one is no longer at hand."""
        self._keys.append(number_of(key))
        self._baseline.add(*place)
        self._experiment.add(*other_place)


def _wait(waiting: _Waiting, key: bytes, line: _Line) -> None:
    """Let a line wait.

    Raises:
        UnusualError: Its signature is there already, or there are too many.
    """
    if key in waiting or len(waiting) >= _MOST_WAITING:
        raise UnusualError

    offset, content = line
    waiting[key] = offset, len(content) - 1, hash(_without_session(content))


def _places(waiting: _Waiting) -> dict[bytes, tuple[int, int]]:
    return {key: (offset, length) for key, (offset, length, _) in waiting.items()}


def _without_session(line: bytes) -> bytes:
    """Return a line without which session said it, which is its last key."""
    end = line.rfind(_SESSION, -_END_BYTES)
    return line if end < 0 else line[:end]
