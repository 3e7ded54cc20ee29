"""Deterministic draws: the same seed gives the same numbers on every machine and every version of Python.

The `random` module promises that for `random()` alone, and floats have no place in amounts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar, final

__all__ = ["Draws"]

T = TypeVar("T")


@final
class Draws:
    """A stream of draws from a seed: SHA-256 of the seed and a counter."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._count = 0

    def between(self, low: int, high: int) -> int:
        """Draw an integer, both ends included."""
        self._count += 1
        digest = hashlib.sha256(f"{self._seed}/{self._count}".encode()).digest()
        return low + int.from_bytes(digest, "big") % (high - low + 1)

    def one_in(self, count: int) -> bool:
        """Draw whether something happens that does so once in `count` times."""
        return self.between(1, count) == 1

    def one_of(self, choices: Sequence[T]) -> T:
        """Draw one of `choices`."""
        return choices[self.between(0, len(choices) - 1)]
