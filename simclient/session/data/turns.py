"""The order in which dropped subscriptions come back when many of them share a narrow link.

A subscription that has failed a few times in a row stops competing: from then on it waits for its turn, and one turn is one attempt, until
the server has answered every key or the attempt has failed. Those that stream go on; waiting does not use up the reconnect budget.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

__all__ = ["ReconnectTurns", "Turn"]

FREE_ATTEMPTS = 5
"""Failures in a row before a subscription waits for its turn. Source: the managed client of simulator-client 0.28.0."""


class Turn:
    """The permission for one attempt; given back once, when the attempt has succeeded or failed."""

    def __init__(self, lock: trio.StrictFIFOLock | None) -> None:
        self._lock = lock

    def give_back(self) -> None:
        """Let the next one try; calling it again changes nothing."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()


class ReconnectTurns:
    """Shared by the subscriptions of one block."""

    def __init__(self) -> None:
        self._lock = trio.StrictFIFOLock()

    @asynccontextmanager
    async def turn(self, failures: int) -> AsyncGenerator[Turn]:
        """Wait for a turn if `failures` in a row are too many for a free attempt; the block is the attempt."""
        if failures <= FREE_ATTEMPTS:
            yield Turn(None)
            return

        await self._lock.acquire()
        turn = Turn(self._lock)
        try:
            yield turn
        finally:
            turn.give_back()
