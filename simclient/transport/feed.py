"""The notification socket: batches of messages from large reads, and backpressure.

Rules:
- Whoever calls `receive_batch` reads. Nothing is read while nobody asks, so a slow consumer is felt by the server through TCP.
- While there is more at hand, `receive_at_hand` reads it without waiting, which saves turns of the event loop.
- Pings and the close frame of the server are answered as they are read.
- What had arrived before the connection broke is returned before the exception that says so.
- One task writes; a send that is cancelled is withdrawn or written whole.
- Leaving the block sends a close frame and reads until that of the server, within `limits.close_seconds`.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import final

import trio

from ..errors import ConnectionLost, InputError
from .at_hand import AtHand, WatchedContext, at_hand_of
from .companion import running_beside
from .endpoint import WEBSOCKET_SCHEMES, Endpoint, read_endpoint
from .frames import Ending, FrameReader, Run, encode_close, encode_frames, encode_ping, encode_pong
from .limits import DEFAULT_LIMITS, TransportLimits
from .streams import StreamOpener, connecting, default_ssl_context, open_endpoint_stream
from .upgrade import upgrade
from .writer import FrameWriter

__all__ = ["Feed", "Run", "open_feed"]

_MESSAGES_PER_READ = 640
"""What is done per read should not count, yet what one read gives be dealt with in a millisecond: control events wait for it."""
_LEAST_READ_BYTES, _MOST_READ_BYTES = 32 * 2**10, 2**20
_NORMAL_CLOSURE = 1000
_ABNORMAL_CLOSURE = 1006
"""RFC 6455, 7.1.5: the code where the peer sent no close frame."""


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
    deadline = trio.current_time() + limits.connect_seconds
    watched = WatchedContext(ssl_context or default_ssl_context()) if endpoint.is_tls else None
    with connecting(endpoint, limits.connect_seconds):
        stream = await open_endpoint_stream(
            endpoint, ssl_context=watched and watched.as_context(), open_stream=open_stream
        )

    try:
        first = await upgrade(stream, endpoint, deadline)
        feed = Feed(stream, endpoint, limits, first, at_hand_of(stream, watched))
        async with running_beside(feed.write, name=f"feed writer {endpoint.label}"):
            try:
                yield feed
            finally:
                with trio.CancelScope(shield=True):
                    await feed.aclose()
    finally:
        await trio.aclose_forcefully(stream)


@final
class Feed:
    """An open notification socket; made by `open_feed`.

    Attributes:
        bytes_received: All bytes read from the stream after the opening handshake.
        has_more: Whether the last read gave all that was asked for, so that there is likely more to be had by `receive_at_hand`.
        last_inbound: When the last bytes of any kind arrived, pongs too, by `trio.current_time()`.
        waiting: Whether our reader waits for the socket now.
    """

    def __init__(
        self, stream: trio.abc.Stream, endpoint: Endpoint, limits: TransportLimits, first: bytes, at_hand: AtHand | None
    ) -> None:
        self._stream = stream
        self._at_hand = at_hand
        self._endpoint = endpoint
        self._limits = limits
        self._reader = FrameReader(limits.max_message_bytes)
        self._unread = first
        self._writer = FrameWriter(self._lost)
        self._ending: tuple[str, int, str] | None = None
        self._is_closing = False
        self._read_bytes = _LEAST_READ_BYTES
        self.bytes_received = len(first)
        self.has_more = False
        self.last_inbound = trio.current_time()
        self.waiting = False

    def __repr__(self) -> str:
        state = "open" if self._ending is None else f"ended: {self._ending[0]}"
        return f"<Feed {self._endpoint.label} {state}>"

    async def write(self) -> None:
        """Write what is queued until the connection ends; the task that runs beside the block."""
        await self._writer.run()

    async def send(self, text: str) -> None:
        """Send a text message; return when it is written.

        Raises:
            InputError: The text has lone surrogates, which UTF-8 cannot say.
            ConnectionLost: It was not written, or not wholly.
        Cancellation: the message is sent whole, or not at all.
        """
        try:
            payload = text.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"a message cannot be sent: the character at {error.start} is a lone surrogate; send valid Unicode"
            ) from error

        self._require_open()
        await self._writer.write(partial(self._stream.send_all, encode_frames([(False, payload)], is_client=True)))

    async def ping(self) -> None:
        """Queue a ping; its pong shows as `last_inbound`, once somebody reads.

        Raises:
            ConnectionLost: The connection has ended.
        """
        self._require_open()
        self._writer.offer(partial(self._stream.send_all, encode_ping()))
        await trio.lowlevel.checkpoint()

    async def receive_batch(self) -> list[Run]:
        """Return the messages that one read gave, at least one, in order, in runs of one kind; wait for them.

        Raises:
            ConnectionLost: The connection has ended, and everything received was returned.
        Cancellation: nothing is lost; call it again.
        """
        runs: list[Run] = []
        while not runs:
            if self._ending is not None:
                raise self._lost()

            runs = self._take(await self._read())
        return runs

    def receive_at_hand(self) -> list[Run]:
        """Return the messages that one read gives at once; none where there are none, or where the stream cannot tell.

        It is no checkpoint. How the connection ended is for `receive_batch` to say.
        """
        self.has_more = False
        if self._at_hand is None or self._unread or self._ending is not None:
            return []

        try:
            data = self._read_at_hand(self._at_hand, self._read_bytes)
        except OSError as error:
            self._end(f"it broke ({error})", _ABNORMAL_CLOSURE)
            return []

        return self._take(data) if data else []

    async def aclose(self) -> None:
        """Say goodbye and close, within `limits.close_seconds`; what was not received before is discarded.

        Cancellation: the socket is closed at once, without the goodbye.
        """
        if self._is_closing:
            return

        self._is_closing = True
        try:
            with trio.move_on_after(self._limits.close_seconds), suppress(ConnectionLost):
                await self._say_goodbye()
        finally:
            self._end("it was closed by this side", _NORMAL_CLOSURE)
            await trio.aclose_forcefully(self._stream)

    async def _say_goodbye(self) -> None:
        """Send a close frame and read until the server's: closing over unread bytes would have TCP take ours back.

        Where another task is reading nothing stays unread, and where the server has ended only our answer is to be written.
        """
        if self._ending is not None:
            await self._writer.flush()
            return

        await self._writer.write(partial(self._stream.send_all, encode_close(_NORMAL_CLOSURE)))
        while self._ending is None and not self.waiting:
            self._take(await self._read())

    async def _read(self) -> bytes:
        """Read once; b"" at the end of the stream, with the reason recorded where it is not a clean one."""
        if self._unread:
            await trio.lowlevel.checkpoint()
            data, self._unread = self._unread, b""
            return data

        self.waiting = True
        try:
            data = bytes(await self._stream.receive_some(self._read_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._end(f"it broke ({error})", _ABNORMAL_CLOSURE)
            return b""
        finally:
            self.waiting = False

        self.bytes_received += len(data)
        self.last_inbound = trio.current_time()
        missing = self._read_bytes - len(data)
        if missing and data and self._at_hand is not None and self._at_hand.is_needed_after_waiting:
            with suppress(
                OSError
            ):  # what was read is taken first: it may have the server's close frame; the next read says what broke
                data += self._read_at_hand(self._at_hand, missing)
            return data

        self.has_more = self._at_hand is not None and not missing
        return data

    def _read_at_hand(self, at_hand: AtHand, max_bytes: int) -> bytes:
        """Read what has come.

        Raises:
            OSError: The connection is broken.
        """
        self.has_more = False
        data = at_hand.read(max_bytes)
        self.has_more = at_hand.has_more
        if data:
            self.bytes_received += len(data)
            self.last_inbound = trio.current_time()
        return data

    def _take(self, data: bytes) -> list[Run]:
        """Return the messages in what was read, answer what wants an answer, record an end."""
        if not data:
            self._end("the server ended it without a close frame", _ABNORMAL_CLOSURE)
            return []

        runs = self._reader.feed(data)
        if runs:
            self._choose_read_bytes(len(data) // sum(len(payloads) for _, payloads in runs))
        ping = self._reader.take_ping()
        if ping is not None:
            self._answer(encode_pong(ping))
        if self._reader.ending is not None:
            self._take_ending(self._reader.ending)
        return runs

    def _choose_read_bytes(self, message_bytes: int) -> None:
        """Suit the next read to the size of the messages."""
        self._read_bytes = min(max(message_bytes * _MESSAGES_PER_READ, _LEAST_READ_BYTES), _MOST_READ_BYTES)

    def _take_ending(self, ending: Ending) -> None:
        if ending.is_violation:
            self._end(f"the server broke the WebSocket protocol: {ending.reason}", ending.code)
            self._answer(encode_close(ending.code, ending.reason))
        else:
            self._end("the server closed it", ending.code, ending.reason)
            self._answer(encode_close(ending.code))

    def _answer(self, frame: bytes) -> None:
        """Queue an answer; after our close frame there is none (RFC 6455, 5.5.1)."""
        if self._is_closing:
            return

        with suppress(ConnectionLost):  # writing has failed: the next read says why
            self._writer.offer(partial(self._stream.send_all, frame))

    def _require_open(self) -> None:
        if self._is_closing or self._ending is not None:
            raise self._lost()

    def _end(self, how: str, code: int, reason: str = "") -> None:
        """Record how the connection ended; the first account is the true one."""
        if self._ending is None:
            self._ending = (how, code, reason)

    def _lost(self) -> ConnectionLost:
        """Make a new exception each time: one raised twice would collect tracebacks."""
        how, code, reason = self._ending or ("writing to it failed", _ABNORMAL_CLOSURE, "")
        said = f" {reason!r}" if reason else ""
        return ConnectionLost(
            f"the data connection to {self._endpoint.label}: {how}, code {code}{said}", code=code, reason=reason
        )
