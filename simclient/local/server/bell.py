"""A bell: wakes everyone who waits for something to have changed."""

from __future__ import annotations

from typing import final

import trio

__all__ = ["Bell"]


@final
class Bell:
    """Something changed; look again.

    Nothing is lost as long as nobody awaits anything between looking and `wait`: the loop is `while not what_i_need(): await bell.wait()`.

    Args:
        louder: A bell that rings whenever this one does.
    """

    def __init__(self, louder: Bell | None = None) -> None:
        self._rung = trio.Event()
        self._louder = louder

    def ring(self) -> None:
        """Wake everyone who waits now."""
        rung, self._rung = self._rung, trio.Event()
        rung.set()
        if self._louder is not None:
            self._louder.ring()

    def be_heard_by(self, louder: Bell) -> None:
        """Ring that bell, and no other, from now on."""
        self._louder = louder

    async def wait(self) -> None:
        """Wait for the next ring."""
        await self._rung.wait()
