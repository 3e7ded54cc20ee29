"""Cutting two files at the same slots, so that several processes can each join a part of both.

Nothing depends on where they are cut: what one part has and the other part's file, `step` brings together. Only the time does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import attrs

from .shape import TRANSACTION

__all__ = ["Span", "cut_alike"]

_LOOK_BYTES = 8 << 20
"""So far is looked for a transaction, and for one of another slot than its predecessor: more than a full block's lines take."""
_NEAR_BYTES = 1 << 18
"""Bisecting goes on until a slot is known to begin within so many bytes: less is read in the time of one more step."""
_SLOT = re.compile(re.escape(TRANSACTION.encode()) + rb"(\d{1,20}),")


@attrs.frozen
class Span:
    """A run of whole lines of a file.

    Attributes:
        path: The file.
        begin: Its first byte.
        end: The byte after its last.
    """

    path: Path
    begin: int
    end: int


def cut_alike(baseline: Path, experiment: Path, shares: list[float]) -> list[tuple[Span, Span]]:
    """Cut both files at the same slots, the baseline near these shares of its size; in fewer parts where that cannot be done.

    Raises:
        OSError: A file cannot be read.
    """
    sizes = [path.stat().st_size for path in (baseline, experiment)]
    with baseline.open("rb") as first, experiment.open("rb") as second:
        found = (_cut(first, second, round(share * sizes[0])) for share in shares)
        cuts = [(0, 0), *(cut for cut in found if cut is not None), (sizes[0], sizes[1])]
    if any(a > b for before, after in pairwise(cuts) for a, b in zip(before, after, strict=True)):
        cuts = [cuts[0], cuts[-1]]  # their slots are in no order
    return [
        (Span(baseline, before[0], after[0]), Span(experiment, before[1], after[1])) for before, after in pairwise(cuts)
    ]


def _cut(baseline: BinaryIO, experiment: BinaryIO, near: int) -> tuple[int, int] | None:
    """Return where a slot begins in both files."""
    own = _slot_begin(baseline, near)
    if own is None:
        return None

    offset, slot = own
    other = _offset_of(experiment, slot)
    return None if other is None else (offset, other)


def _slot_begin(file: BinaryIO, near: int) -> tuple[int, int] | None:
    """Return the first transaction behind an offset that is of another slot than the one before it, and its slot."""
    before: int | None = None
    for offset, slot in _slots(file, near):
        if before is not None and slot != before:
            return offset, slot
        before = slot
    return None


def _offset_of(file: BinaryIO, slot: int) -> int | None:
    """Return where the first transaction stands that is of this slot or a later one, by bisecting."""
    low, high = 0, file.seek(0, 2)
    while high - low > _NEAR_BYTES:
        middle = (low + high) // 2
        found = next(_slots(file, middle), None)
        if found is None or found[1] >= slot:
            high = middle
        else:
            low = found[0]
    return next((offset for offset, found in _slots(file, low) if found >= slot), None)


def _slots(file: BinaryIO, near: int) -> Iterator[tuple[int, int]]:
    """Yield offset and slot of the transactions of the next bytes."""
    offset = max(near - 1, 0)
    file.seek(offset)
    if near:
        offset += len(file.readline())
    end = offset + _LOOK_BYTES
    while offset < end and (line := file.readline()):
        head = _SLOT.match(line)
        if head is not None:
            yield offset, int(head[1])
        offset += len(line)
