"""Which matching batches lie ahead of a session, as far as the bundle was looked through."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import final

from .advance import Position

__all__ = ["Discoveries"]


@final
class Discoveries:
    """What was announced and not yet reached.

    Args:
        position: Where the session begins.
        has_filters: Without any there is nothing to look for.
    """

    def __init__(self, position: Position, *, has_filters: bool) -> None:
        self.has_filters = has_filters
        self.known_to: int | None = position.slot if has_filters else None
        """Everything up to this slot was looked through; None: the whole range."""
        self._ahead: deque[tuple[int, int]] = deque()

    def add(self, found: Iterable[tuple[int, int]], known_to: int | None) -> None:
        """Add what was found up to a slot: slots and batches, ascending."""
        self._ahead += found
        self.known_to = known_to

    def reach(self, position: Position) -> None:
        """Forget what is no longer ahead; a batch that the session has stopped before is not ahead of it."""
        while self._ahead and self._ahead[0] <= (position.within or (position.slot, 2**32)):
            self._ahead.popleft()

    def are_enough(self, next_slot: int | None) -> bool:
        """Tell whether the session may go on to a slot: that one is known, and so is the next match, if there is one."""
        if self.known_to is None or next_slot is None:
            return True

        return bool(self._ahead) and self.known_to >= next_slot

    @property
    def have_none_ahead(self) -> bool:
        """Whether there were filters, and nothing matches any more."""
        return self.has_filters and self.known_to is None and not self._ahead
