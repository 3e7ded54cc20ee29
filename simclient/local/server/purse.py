"""What all clients together have sent and not yet finished: whole messages and bodies only count while they are being received."""

from __future__ import annotations

from typing import final

__all__ = ["Purse", "PurseIsEmpty"]


class PurseIsEmpty(Exception):
    """All clients together have begun more than is let in at once."""


@final
class Purse:
    """So many bytes for all."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    def take(self, size: int) -> None:
        """Count bytes that were received.

        Raises:
            PurseIsEmpty: There are too many; nothing was counted.
        """
        if size > self._left:
            raise PurseIsEmpty

        self._left -= size

    def give_back(self, size: int) -> None:
        """What was taken is no longer held."""
        self._left += size
