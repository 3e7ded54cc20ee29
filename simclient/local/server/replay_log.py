"""The replay log: what a session has said, kept in order and within a byte limit, read by cursor.

- Every item has a position, counted from 0; positions never change, also when the oldest items are dropped.
- There is no queue per reader: a reader is a position. A slow one costs nothing until the log is full.
- A full log drops its oldest items, but none that an open reader has yet to read: then `has_room` is false and the writer waits. So a
  slow reader holds up its own session, and nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, final

import attrs

__all__ = ["Reader", "ReplayLog"]

_T = TypeVar("_T")


@final
@attrs.define(eq=False)
class Reader:
    """Where somebody is in a log."""

    position: int
    """Of the next item to read."""


@final
class ReplayLog(Generic[_T]):
    """A bounded log of items.

    Args:
        max_bytes: How much is kept for replay; the newest item is always kept.
        size_of: How many bytes an item takes.
    """

    def __init__(self, max_bytes: int, size_of: Callable[[_T], int]) -> None:
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._items: dict[int, _T] = {}
        self._bytes = 0
        self._readers: set[Reader] = set()
        self.oldest = 0
        """The position of the oldest item that is kept."""
        self.end = 0
        """The position that the next item will have."""

    def __getitem__(self, position: int) -> _T:
        return self._items[position]

    def has_room(self) -> bool:
        """Tell whether another item may be added; if not, a reader has to move on first."""
        self._trim()
        return self._bytes <= self._max_bytes or self._first_needed() == self.end

    def append(self, item: _T) -> None:
        """Add an item, and drop the oldest that are too many and read."""
        self._items[self.end] = item
        self.end += 1
        self._bytes += self._size_of(item)
        self._trim()

    def add_reader(self, position: int) -> Reader:
        """Keep what lies at `position` and after it until the reader has moved on, or is removed."""
        assert self.oldest <= position <= self.end, "a reader outside the log"
        reader = Reader(position)
        self._readers.add(reader)
        return reader

    def remove_reader(self, reader: Reader) -> None:
        """Forget a reader."""
        self._readers.discard(reader)

    def _trim(self) -> None:
        needed = self._first_needed()
        while self._bytes > self._max_bytes and self.oldest < min(needed, self.end - 1):
            self._bytes -= self._size_of(self._items.pop(self.oldest))
            self.oldest += 1

    def _first_needed(self) -> int:
        return min((reader.position for reader in self._readers), default=self.end)
