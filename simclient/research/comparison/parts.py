"""Joining and comparing two files part by part, each part in a process of its own, and bringing together what the parts have found.

Both files are cut at the same slots (`spans`). Where a transaction is in one part of the baseline and in another part of the experiment,
each part has one line of it too many, and they are matched here.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from .collect import Collector
from .joined import Joined, Places
from .spans import Span, cut_alike
from .step import SpansJoined, UnusualError, join_in_step, number_of
from .values import Filters
from .workers import core_count, do_all

__all__ = ["compare_in_parts"]

_LARGEST_BYTES = 8 << 30
"""Of a file. To know that no signature is there twice takes some 70 bytes per transaction."""
_START_BYTES = 100 << 20
"""Of each file: so much is joined in the time in which a process starts, so the first part, which is not sent to one, is larger by it."""


def compare_in_parts(
    baseline: Path, experiment: Path, filters: Filters, limit: int | None
) -> tuple[Joined, Collector] | None:
    """Join two files and compare what differs; None: they are not such as can be joined in this way.

    Raises:
        RunFileError: A line is damaged.
        SimClientError: A process ended without an answer.
        OSError: A file cannot be read.
    """
    if max(path.stat().st_size for path in (baseline, experiment)) > _LARGEST_BYTES:
        return None

    spans = cut_alike(baseline, experiment, _shares(baseline.stat().st_size))
    answers = do_all([partial(_join_part, *both, filters, limit) for both in spans])
    found = [answer for answer in answers if answer is not None]
    joined = _together(found) if len(found) == len(answers) else None
    return None if joined is None else (joined, Collector.merged((one.collector for one in found), limit))


def _shares(size: int) -> list[float]:
    """Return where to cut a file, as shares of its size: nowhere if another process would not be worth its start."""
    parts = min(core_count(), 1 + size // (2 * _START_BYTES))
    each = (size - _START_BYTES) / parts
    return [(_START_BYTES + number * each) / size for number in range(1, parts)]


def _join_part(baseline: Span, experiment: Span, filters: Filters, limit: int | None) -> SpansJoined | None:
    """Join one part of both files, and compare what differs; None: they are not such as can be joined in this way.

    Raises:
        RunFileError: A line is damaged.
        OSError: A file cannot be read.
    """
    try:
        return join_in_step(baseline, experiment, filters, limit)
    except UnusualError:
        return None


def _together(parts: Sequence[SpansJoined]) -> Joined | None:
    """Return what the parts have found; None: a signature is twice in a file."""
    missing, extra = _united([part.missing for part in parts]), _united([part.extra for part in parts])
    if missing is None or extra is None:
        return None

    keys = array("q")
    for part in parts:
        keys.extend(part.keys)
    known = set(keys)
    if len(known) < len(keys) or any(number_of(key) in known for key in chain(missing, extra)):
        return None

    across = [(missing.pop(key), extra.pop(key)) for key in missing.keys() & extra.keys()]
    return Joined(
        common=len(keys) + len(across),
        identical=sum(part.identical for part in parts),
        baseline=_places(chain(*(part.baseline for part in parts), [line for line, _ in across])),
        experiment=_places(chain(*(part.experiment for part in parts), [line for _, line in across])),
        missing=_places(missing.values()),
        extra=_places(extra.values()),
    )


def _united(parts: Sequence[dict[bytes, tuple[int, int]]]) -> dict[bytes, tuple[int, int]] | None:
    """Return the lines of all parts; None: two of them have the same signature."""
    whole: dict[bytes, tuple[int, int]] = {}
    for part in parts:
        whole |= part
    return whole if len(whole) == sum(map(len, parts)) else None


def _places(places: Iterable[tuple[int, int]]) -> Places:
    whole = Places()
    for offset, length in places:
        whole.add(offset, length)
    return whole
