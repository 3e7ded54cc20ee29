"""What the server holds of all clients together: messages and bodies until they are answered, large answers until they are sent."""

from __future__ import annotations

from typing import final

__all__ = ["Purse", "PurseIsEmpty"]


class PurseIsEmpty(Exception):
    """All clients together want more than is held at once."""


@final
class Purse:
    """So many bytes for all."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    def take(self, size: int) -> None:
        """Count bytes that are held.

        Raises:
            PurseIsEmpty: There are too many; nothing was counted.
        """
        if size > self._left:
            raise PurseIsEmpty

        self._left -= size

    def give_back(self, size: int) -> None:
        """What was taken is no longer held."""
        self._left += size
