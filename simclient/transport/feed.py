"""The notification socket: batches of messages from large reads, and backpressure.

Nothing is read while nobody asks for a batch, so a slow consumer is felt by the server through TCP. One task writes; pings of the server
are answered as they are read. What had arrived before the connection broke is returned before the exception that says so.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import final

import trio

from ..errors import ConnectionLost
from .companion import running_beside
from .endpoint import WEBSOCKET_SCHEMES, Endpoint, read_endpoint
from .frames import Frame, FrameReader, FrameViolation, encode_close, encode_frames, encode_ping, encode_pong
from .limits import DEFAULT_LIMITS, TransportLimits
from .streams import StreamOpener, connecting, open_endpoint_stream
from .upgrade import upgrade
from .writer import FrameWriter

__all__ = ["Feed", "Frame", "open_feed"]

_READ_BYTES = 256 * 2**10
"""One read: large enough that what is done per read does not count, small enough to stay in the processor's cache."""
_ABNORMAL_CLOSURE = 1006
_NORMAL_CLOSURE = 1000


@asynccontextmanager
async def open_feed(
    url: str,
    *,
    limits: TransportLimits = DEFAULT_LIMITS,
    ssl_context: ssl.SSLContext | None = None,
    open_stream: StreamOpener | None = None,
) -> AsyncGenerator[Feed]:
    """Open a notification socket for the block; leaving the block closes it within `limits.close_seconds`.

    Args:
        url: `ws://` or `wss://`.
        limits: How long to wait, how much to keep.
        ssl_context: For `wss://`; None is the default context.
        open_stream: Replaces TCP.

    Raises:
        InputError: The URL cannot be used; nothing was sent.
        ConnectError: There is no connection; `__cause__` is an HttpError where the server answered with a status.
    """
    endpoint = read_endpoint(url, schemes=WEBSOCKET_SCHEMES)
    stream: trio.abc.Stream | None = None
    try:
        with connecting(endpoint, limits.connect_seconds):
            stream = await open_endpoint_stream(endpoint, ssl_context=ssl_context, open_stream=open_stream)
            first = await upgrade(stream, endpoint)
        feed = Feed(stream, endpoint, limits, first)
        async with running_beside(feed.write, name=f"feed writer {endpoint.label}"):
            try:
                yield feed
            finally:
                with trio.move_on_after(limits.close_seconds, shield=True):
                    await feed.aclose()
    finally:
        if stream is not None:
            await trio.aclose_forcefully(stream)


@final
class Feed:
    """An open notification socket; made by `open_feed`."""

    def __init__(self, stream: trio.abc.Stream, endpoint: Endpoint, limits: TransportLimits, first: bytes) -> None:
        self._stream = stream
        self._endpoint = endpoint
        self._reader = FrameReader(limits.max_message_bytes)
        self._unread = first
        self._writer = FrameWriter(self._lost)
        self._ending: ConnectionLost | None = None
        self._is_closing = False
        self.bytes_received = len(first)
        """All bytes read from the stream."""
        self.last_inbound = trio.current_time()
        """When the last bytes of any kind arrived, pongs too, by `trio.current_time()`."""
        self.waiting = False
        """Whether our reader waits for the socket now."""

    def __repr__(self) -> str:
        return f"<Feed {self._endpoint.label} {'open' if self._ending is None else 'ended'}>"

    async def write(self) -> None:
        """Write what is queued until the connection ends; the task that runs beside the block."""
        await self._writer.run()

    async def send(self, text: str) -> None:
        """Send a text message; return when it is written.

        Raises:
            ConnectionLost: It was not written.

        Cancellation: the frame is written whole, or not at all.
        """
        frame = encode_frames([(False, text.encode())], is_client=True)
        await self._writer.write(partial(self._stream.send_all, frame))

    async def ping(self) -> None:
        """Queue a ping; the answer shows in `last_inbound`.

        Raises:
            ConnectionLost: The connection has ended.
        """
        await trio.lowlevel.checkpoint()
        self._writer.offer(partial(self._stream.send_all, encode_ping()))

    async def receive_batch(self) -> list[Frame]:
        """Return the messages that one read gave, at least one; wait for them.

        Raises:
            ConnectionLost: The connection has ended, and everything received was returned.

        Cancellation: nothing is lost; call it again.
        """
        while True:
            data, self._unread = self._unread, b""
            if not data:
                data = await self._read()
            frames = self._parse(data)
            if frames:
                return frames

    async def aclose(self) -> None:
        """Say goodbye; the socket itself is closed by leaving the block. Bound the time from outside."""
        if self._is_closing or self._ending is not None:
            return

        self._is_closing = True
        try:
            await self._writer.write(partial(self._stream.send_all, encode_close(_NORMAL_CLOSURE)))
        except ConnectionLost:
            return  # there is nobody left to say it to

    async def _read(self) -> bytes:
        if self._ending is not None:
            raise self._ending

        self.waiting = True
        try:
            data = bytes(await self._stream.receive_some(_READ_BYTES))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._end("the connection broke") from error
        finally:
            self.waiting = False
        if not data:
            raise self._end("the server ended the connection without a close frame")

        self.bytes_received += len(data)
        self.last_inbound = trio.current_time()
        return data

    def _parse(self, data: bytes) -> list[Frame]:
        try:
            frames = self._reader.feed(data)
        except FrameViolation as violation:
            raise self._end(f"the server broke the WebSocket protocol, {violation}", code=violation.code) from violation

        self._answer_pings()
        close = self._reader.close
        if close is not None and self._ending is None:
            ending = self._end(f"the server closed the connection with {close.code}", close.code, close.reason)
            if not frames:
                raise ending
        return frames

    def _answer_pings(self) -> None:
        """Queue the pongs; where the queue is full or has ended the server learns from that."""
        if not self._reader.pings:
            return

        pongs = b"".join(map(encode_pong, self._reader.pings))
        self._reader.pings.clear()
        try:
            self._writer.offer(partial(self._stream.send_all, pongs))
        except ConnectionLost:
            return  # the next read says why

    def _end(self, why: str, code: int = _ABNORMAL_CLOSURE, reason: str = "") -> ConnectionLost:
        self._ending = ConnectionLost(f"data connection to {self._endpoint.label}: {why}", code=code, reason=reason)
        return self._ending

    def _lost(self) -> Exception:
        return self._ending or ConnectionLost(
            f"data connection to {self._endpoint.label}: writing failed", code=_ABNORMAL_CLOSURE
        )
