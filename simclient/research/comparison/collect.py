"""Counting differences, and keeping the first of each kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import final

from .values import Difference, Kind

__all__ = ["Collector", "Tally"]

_BY_SIZE = frozenset({Kind.BALANCES, Kind.COMPUTE_UNITS, Kind.FEE})
_SLACK = 1_024
"""So many more than the limit are kept before they are sorted and cut."""


@final
class Tally:
    """The differences of one kind: their number, and the foremost of them."""

    def __init__(self, kind: Kind, limit: int | None) -> None:
        self.count = 0
        self._is_by_size = kind in _BY_SIZE
        self._limit = limit
        self._kept: list[Difference] = []
        self._bound: float | None = None
        """The size or slot of the last of those that are kept, once there are enough."""

    def wants(self, slot: int, size: float = 0.0) -> bool:
        """Count a difference, and tell whether it may be among the foremost: then it must be added."""
        self.count += 1
        if self._bound is None:
            return True

        return size >= self._bound if self._is_by_size else slot <= self._bound

    def add(self, difference: Difference) -> None:
        """Keep one that was counted."""
        self._kept.append(difference)
        if self._limit is not None and len(self._kept) >= 2 * self._limit + _SLACK:
            self._kept = self.foremost()
            last = self._kept[-1]
            self._bound = last.size if self._is_by_size else last.slot

    def merge(self, other: Tally) -> None:
        """Take what another has counted and kept."""
        self.count += other.count
        for difference in other._kept:
            self.add(difference)

    def foremost(self) -> list[Difference]:
        """Return the foremost, in order."""
        return sorted(self._kept, key=_by_size if self._is_by_size else _by_place)[: self._limit]


@final
class Collector:
    """Counts all differences and keeps the foremost of each kind: memory is bounded by the limit."""

    def __init__(self, limit: int | None) -> None:
        self._tallies = {kind: Tally(kind, limit) for kind in Kind}
        self.identical = 0

    def __getitem__(self, kind: Kind) -> Tally:
        """Return the differences of one kind."""
        return self._tallies[kind]

    @classmethod
    def merged(cls, collectors: Iterable[Collector], limit: int | None) -> Collector:
        """Return all that several have collected."""
        whole = cls(limit)
        for one in collectors:
            whole.merge(one)
        return whole

    def merge(self, other: Collector) -> None:
        """Take what another has collected."""
        self.identical += other.identical
        for kind, tally in self._tallies.items():
            tally.merge(other[kind])

    def counts(self) -> Mapping[Kind, int]:
        """Return how many there were of each kind."""
        return {kind: tally.count for kind, tally in self._tallies.items()}

    def kept(self) -> Mapping[Kind, tuple[Difference, ...]]:
        """Return the foremost of each kind, in order."""
        return {kind: tuple(tally.foremost()) for kind, tally in self._tallies.items()}


def _by_place(difference: Difference) -> tuple[int, str]:
    return difference.slot, difference.signature


def _by_size(difference: Difference) -> tuple[float, int, str]:
    return -difference.size, difference.slot, difference.signature
