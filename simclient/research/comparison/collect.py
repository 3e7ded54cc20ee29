"""Counting differences, and keeping the first of each kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import final

from .values import Difference, Kind

__all__ = ["Collector"]

_BY_SIZE = frozenset({Kind.BALANCES, Kind.COMPUTE_UNITS, Kind.FEE})
_SLACK = 1_024
"""So many more than the limit are kept before they are sorted and cut."""


@final
class Collector:
    """Counts all differences and keeps the foremost of each kind: memory is bounded by the limit."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._counts = dict.fromkeys(Kind, 0)
        self._kept: dict[Kind, list[Difference]] = {kind: [] for kind in Kind}
        self.identical = 0

    def add(self, difference: Difference) -> None:
        """Take one difference."""
        self._counts[difference.kind] += 1
        kept = self._kept[difference.kind]
        kept.append(difference)
        if self._limit is not None and len(kept) >= 2 * self._limit + _SLACK:
            kept[:] = self._foremost(difference.kind, kept)

    def merge(self, other: Collector) -> None:
        """Take what another has collected."""
        self.identical += other.identical
        for kind in Kind:
            self._counts[kind] += other._counts[kind]
            self._kept[kind] = self._foremost(kind, [*self._kept[kind], *other._kept[kind]])

    def counts(self) -> Mapping[Kind, int]:
        """Return how many there were of each kind."""
        return dict(self._counts)

    def kept(self) -> Mapping[Kind, tuple[Difference, ...]]:
        """Return the foremost of each kind, in order."""
        return {kind: tuple(self._foremost(kind, kept)) for kind, kept in self._kept.items()}

    def _foremost(self, kind: Kind, differences: Iterable[Difference]) -> list[Difference]:
        return sorted(differences, key=_by_size if kind in _BY_SIZE else _by_place)[: self._limit]


def _by_place(difference: Difference) -> tuple[int, str]:
    return difference.slot, difference.signature


def _by_size(difference: Difference) -> tuple[float, int, str]:
    return -difference.size, difference.slot, difference.signature
