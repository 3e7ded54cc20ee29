"""The one task that writes to a socket.

Whoever wants to write hands a frame to this task and waits. So a caller who is cancelled never tears a frame: one
that is still in the queue is withdrawn, one that is being written is finished. After a write has failed nothing is
written any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import final

import attrs
import trio

__all__ = ["FrameWriter"]

_QUEUED_FRAMES = 64
"""Waiting behind the one being written. Control messages are few: a longer queue would only hide a stalled peer."""

Write = Callable[[], Awaitable[None]]
"""Writes one whole frame; raises trio's BrokenResourceError or ClosedResourceError if it cannot."""


@attrs.define(eq=False)
class _Entry:
    write: Write
    is_withdrawn: bool = False
    is_written: bool = False
    done: trio.Event = attrs.field(factory=trio.Event)


@final
class FrameWriter:
    """A bounded queue of frames and the task that writes them.

    Args:
        lost: Makes the exception for a frame that was not written; called once per caller.
    """

    def __init__(self, lost: Callable[[], Exception]) -> None:
        self._lost = lost
        self._queue, self._entries = trio.open_memory_channel[_Entry](_QUEUED_FRAMES)

    async def run(self) -> None:
        """Write frames until a write fails or the task is cancelled; then every waiting caller gets the exception."""
        entry: _Entry | None = None
        try:
            async for entry in self._entries:
                if not entry.is_withdrawn:
                    await entry.write()
                    entry.is_written = True
                entry.done.set()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # The callers are told below; why the connection broke is what its reader finds out.
            return
        finally:
            self._release(entry)

    async def write(self, write: Write) -> None:
        """Write a frame; return when it is written.

        Raises:
            Exception: What `lost` makes, if the frame was not or not wholly written.
        Cancellation: the frame is written whole, or not at all.
        """
        entry = _Entry(write)
        try:
            await self._queue.send(entry)
        except trio.BrokenResourceError:
            raise self._lost() from None

        try:
            await entry.done.wait()
        finally:
            entry.is_withdrawn = not entry.done.is_set()
        if not entry.is_written:
            raise self._lost()

    def offer(self, write: Write) -> None:
        """Queue a frame that may be left out: where the queue is full nobody reads, and a ping more is no help.

        Raises:
            Exception: What `lost` makes, if the writer has ended.
        """
        try:
            self._queue.send_nowait(_Entry(write))
        except trio.WouldBlock:
            return
        except trio.BrokenResourceError:
            raise self._lost() from None

    async def flush(self) -> None:
        """Wait until all that was queued is written."""
        await self.write(trio.lowlevel.checkpoint)

    def _release(self, current: _Entry | None) -> None:
        """Wake every caller whose frame will not be written."""
        if current is not None:
            current.done.set()
        while self._entries.statistics().current_buffer_used:
            self._entries.receive_nowait().done.set()
        self._entries.close()
