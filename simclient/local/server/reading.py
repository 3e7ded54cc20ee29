"""Reads what clients write, so that no message holds up the others or costs more memory than it may.

What takes more than a moment is read in a thread: Python lets the server go on every few milliseconds, and at no time are more than
a few messages being read. Those that are large wait for each other, and those that are small do not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar, final

import trio

from ...wire.allowance import Allowance
from .limits import SimulatorLimits

__all__ = ["Reading"]

_T = TypeVar("_T")

_SHORT: Final = 2**10
"""Read where it is: a thread takes 0.1 ms. So short a text, decompressed, can be some 20 MB, which is a few milliseconds."""
_LONG: Final = 64 * 2**10
_LONG_AT_ONCE: Final = 1
_OTHERS_AT_ONCE: Final = 2


@final
class Reading:
    """The reading of all clients of one simulator."""

    def __init__(self, limits: SimulatorLimits) -> None:
        self._limits = limits
        self._long = trio.CapacityLimiter(_LONG_AT_ONCE)
        self._others = trio.CapacityLimiter(_OTHERS_AT_ONCE)

    async def read(self, text: str | bytes, read: Callable[[str | bytes], _T]) -> _T:
        """Return what `read` makes of a message.

        Raises:
            RemoteProtocolError: It costs more than a message may; or whatever `read` raises.
        """
        return await self.work(len(text), partial(self._read, text, read))

    async def work(self, size: int, function: Callable[[], _T]) -> _T:
        """Return what `function` makes of something of so many bytes: checked or decoded values."""
        if size <= _SHORT:
            return function()

        limiter = self._others if size <= _LONG else self._long
        return await trio.to_thread.run_sync(function, limiter=limiter)

    def _read(self, text: str | bytes, read: Callable[[str | bytes], _T]) -> _T:
        limits = self._limits
        with Allowance(most_values=limits.max_message_values, most_blob_bytes=limits.max_blob_bytes).applied():
            return read(text)
