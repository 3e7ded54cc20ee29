"""Numbers that look random and are the same everywhere: a stream of SHA-256, independent of Python's version and platform."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar, final

__all__ = ["Draws"]

_T = TypeVar("_T")


@final
class Draws:
    """A named stream of numbers."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0

    def below(self, bound: int) -> int:
        """Return a whole number from 0 to `bound` - 1; the bias of the remainder is below 2⁻¹⁹²."""
        self._count += 1
        return int.from_bytes(sha256(f"{self._name} {self._count}".encode()).digest(), "big") % bound

    def between(self, lowest: int, highest: int) -> int:
        """Return a whole number from `lowest` to `highest`, both inclusive."""
        return lowest + self.below(highest - lowest + 1)

    def one_of(self, choices: Sequence[_T]) -> _T:
        """Return one of `choices`."""
        return choices[self.below(len(choices))]

    def chance(self, percent: int) -> bool:
        """Return True in so many of a hundred cases."""
        return self.below(100) < percent
