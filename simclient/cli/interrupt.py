"""Ctrl-C and SIGTERM: the first asks to stop, the second leaves at once.

While a command runs, the first signal cancels the innermost block opened by `cancelling`, which then cleans up within its own bound. The
second ends the process with exit code 130, whatever it is doing.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import final

import trio

from ..session.tasks import open_tasks

__all__ = ["CANCELLED_EXIT_CODE", "Interrupt", "watch_interrupts"]

CANCELLED_EXIT_CODE = 130
"""128 + SIGINT, as shells say it."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR = "\x1b[?25h"
"""A live display hides the cursor; leaving at once must not leave it hidden."""


@final
class Interrupt:
    """Whether the user asked to stop, and what is cancelled then."""

    def __init__(self) -> None:
        self._scopes: list[trio.CancelScope] = []
        self._raised = trio.Event()

    @contextmanager
    def cancelling(self) -> Iterator[None]:
        """Open a block that the first signal cancels; left quietly if it does."""
        with trio.CancelScope() as scope:
            self._scopes.append(scope)
            if self.was_raised:
                scope.cancel(reason="interrupted")
            try:
                yield
            finally:
                self._scopes.remove(scope)

    @property
    def was_raised(self) -> bool:
        """Whether a signal has come."""
        return self._raised.is_set()

    async def wait(self) -> None:
        """Wait for a signal."""
        await self._raised.wait()

    def raise_(self) -> None:
        """Ask to stop."""
        self._raised.set()
        if self._scopes:
            self._scopes[-1].cancel(reason="interrupted")


@asynccontextmanager
async def watch_interrupts() -> AsyncIterator[Interrupt]:
    """Take the signals over while the block runs."""
    interrupt = Interrupt()
    with trio.open_signal_receiver(*_SIGNALS) as signals:
        async with open_tasks() as tasks:
            tasks.start_soon(_watch, signals, interrupt, name="signals")
            yield interrupt


async def _watch(signals: AsyncIterator[int], interrupt: Interrupt) -> None:
    """Act on the first signal; leave the next ones to a handler that needs no event loop."""
    async for _ in signals:
        for number in _SIGNALS:
            signal.signal(number, _leave_at_once)
        interrupt.raise_()
        return


def _leave_at_once(number: int, frame: FrameType | None) -> None:
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
    os._exit(CANCELLED_EXIT_CODE)
