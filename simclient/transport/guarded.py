"""The stream that trio-websocket gets in place of the real one.

It passes bytes on and does what trio-websocket 0.12.2 leaves out:
- The end of the stream is noticed in the opening handshake, and the answer to it is kept and bounded: an EOF or an
  endless error page there is otherwise waited for until a timeout.
- A write that failed is remembered instead of raised: trio-websocket would stop reading, and with that lose what has
  already arrived. After a failed or interrupted write nothing is written any more.
- Whole frames of ours can be written between those of the library: it has no ping that does not wait for its pong.
- The time of the last inbound byte is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import trio

from .handshake import MAX_ANSWER_BYTES

__all__ = ["GuardedStream"]

_ACCEPTED = b"HTTP/1.1 101"


@final
class GuardedStream(trio.abc.Stream):
    """A stream that is watched.

    Attributes:
        answer: What arrived in the opening handshake.
        last_inbound: When the last bytes arrived, by `trio.current_time()`.
    """

    def __init__(self, stream: trio.abc.Stream, *, on_end: Callable[[], object]) -> None:
        self._stream = stream
        self._on_end = on_end
        self._write_lock = trio.StrictFIFOLock()
        self._is_opening = True
        self._is_torn = False
        self.answer = bytearray()
        self.last_inbound = trio.current_time()

    def finish_opening(self) -> None:
        """The handshake is over: stop keeping what arrives."""
        self._is_opening = False

    def require_writable(self) -> None:
        """Tell whether all that was written so far has gone.

        Raises:
            trio.BrokenResourceError: It has not.
        """
        if self._is_torn:
            raise trio.BrokenResourceError("a write has failed")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write, and remember a failure; see `require_writable`."""
        async with self._write_lock:
            if self._is_torn:
                return

            self._is_torn = True
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            self._is_torn = False

    async def wait_send_all_might_not_block(self) -> None:
        """See `trio.abc.SendStream`."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Read, and report the end of the stream to whom it may concern."""
        if self._is_answer_too_long():
            self._on_end()
            return b""

        try:
            data = await self._stream.receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._on_end()
            raise
        if not data:
            self._on_end()

        self.last_inbound = trio.current_time()
        if self._is_opening:
            self.answer += data
        return data

    async def aclose(self) -> None:
        """Close the stream; the library does so when it cannot go on."""
        self._on_end()
        await self._stream.aclose()

    def _is_answer_too_long(self) -> bool:
        """An accepted upgrade is bounded by h11, and frames may follow it at once, so it does not count."""
        return self._is_opening and len(self.answer) > MAX_ANSWER_BYTES and not self.answer.startswith(_ACCEPTED)
