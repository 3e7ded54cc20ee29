"""The control socket: trio-websocket behind guards.

What the guards keep, each a measured fault of trio-websocket 0.12.2 on its own:
- Everything is bounded: connecting, the opening handshake whatever the peer does in it, and leaving the block.
- One task writes. A send that is cancelled is withdrawn or written whole, never torn.
- One task always reads, into a bounded channel, so that pings are answered and a close is seen while the user is busy.
- However the block is left, the peer gets a close frame if it can take one, and the socket is closed.
- What had arrived before the connection broke is delivered before the exception that says so.
- One exception comes out: ConnectError, ConnectionLost, or the user's own, untouched.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import cast, final

import h11
import trio
import trio_websocket
import wsproto.utilities

from ..errors import ConnectionLost, InputError
from .companion import running_beside
from .endpoint import WEBSOCKET_SCHEMES, Endpoint, Headers, check_headers, encode_headers, read_endpoint
from .frames import encode_ping
from .guarded import GuardedStream
from .handshake import explain_refusal
from .limits import DEFAULT_LIMITS, TransportLimits
from .streams import StreamOpener, connecting, open_endpoint_stream
from .writer import FrameWriter

__all__ = ["WebSocket", "open_websocket"]

_ABNORMAL_CLOSURE = 1006
"""RFC 6455, 7.1.5: the code where the peer sent no close frame."""
_FAILURES = (
    trio_websocket.ConnectionClosed,
    trio_websocket.HandshakeError,
    wsproto.utilities.ProtocolError,
    h11.ProtocolError,
    UnicodeError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)
"""What the libraries raise when the peer goes away or talks nonsense."""


@asynccontextmanager
async def open_websocket(
    url: str,
    *,
    headers: Headers = (),
    limits: TransportLimits = DEFAULT_LIMITS,
    ssl_context: ssl.SSLContext | None = None,
    open_stream: StreamOpener | None = None,
) -> AsyncGenerator[WebSocket]:
    """Open a WebSocket for the block; leaving the block closes it within `limits.close_seconds`.

    Args:
        url: `ws://` or `wss://`.
        headers: Sent with the opening request, such as the API key.
        limits: How long to wait, how much to keep.
        ssl_context: For `wss://`; None is the default context.
        open_stream: Replaces TCP.

    Raises:
        InputError: The URL or a header cannot be used; nothing was sent.
        ConnectError: There is no connection; `__cause__` is an HttpError where the server answered with a status.
    """
    endpoint = read_endpoint(url, schemes=WEBSOCKET_SCHEMES)
    check_headers(headers)
    deadline = trio.current_time() + limits.connect_seconds
    with connecting(endpoint, limits.connect_seconds):
        stream = await open_endpoint_stream(endpoint, ssl_context=ssl_context, open_stream=open_stream)

    socket = WebSocket(stream, endpoint, limits)
    try:
        async with running_beside(partial(socket.run, headers), name=f"WebSocket {endpoint.label}"):
            await socket.wait_until_open(deadline)
            try:
                yield socket
            finally:
                with trio.CancelScope(shield=True):
                    await socket.aclose()
    finally:
        await trio.aclose_forcefully(stream)


@final
class WebSocket:
    """An open WebSocket; made by `open_websocket`."""

    def __init__(self, stream: trio.abc.Stream, endpoint: Endpoint, limits: TransportLimits) -> None:
        self._endpoint = endpoint
        self._limits = limits
        self._opening = trio.CancelScope()
        self._opened = trio.Event()
        self._has_closed = trio.Event()
        self._goodbye = trio.CancelScope()
        self._stream = GuardedStream(stream, on_end=self._stop_waiting_for_the_peer)
        self._connection: trio_websocket.WebSocketConnection | None = None
        self._writer = FrameWriter(self._lost)
        self._inbound, self._messages = trio.open_memory_channel[str | bytes](limits.unread_messages)
        self._is_closing = False
        self._ending: tuple[str, int, str] | None = None

    def __repr__(self) -> str:
        state = "open" if self._ending is None else f"ended: {self._ending[0]}"
        return f"<WebSocket {self._endpoint.label} {state}>"

    @property
    def last_inbound(self) -> float:
        """When the last bytes of any kind arrived, pongs too, by `trio.current_time()`."""
        return self._stream.last_inbound

    async def send(self, text: str) -> None:
        """Send a text message; return when it is written.

        Raises:
            InputError: The text has lone surrogates, which UTF-8 cannot say.
            ConnectionLost: It was not written, or not wholly.
        Cancellation: the message is sent whole, or not at all.
        """
        _require_utf8(text)
        self._require_open()
        await self._writer.write(partial(self._write_text, text))

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            ConnectionLost: The connection has ended, and everything received before was returned.
        Cancellation: nothing is lost.
        """
        try:
            return await self._messages.receive()
        except trio.EndOfChannel:
            raise self._lost() from None

    async def ping(self) -> None:
        """Queue a ping; its pong shows as `last_inbound`.

        Raises:
            ConnectionLost: The connection has ended.
        """
        self._require_open()
        self._writer.offer(self._write_ping)
        await trio.lowlevel.checkpoint()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and close, within `limits.close_seconds`; messages already received can still be taken.

        Args:
            code: The close code for the peer.
            reason: For the peer; cut after 123 bytes.
        Cancellation: the socket is closed at once, without the goodbye.
        """
        if self._is_closing:
            return

        self._is_closing = True
        self._end("it was closed by this side", code, reason)
        try:
            with trio.move_on_after(self._limits.close_seconds):
                await self._say_goodbye(code, reason)
        finally:
            self._has_closed.set()
            await trio.aclose_forcefully(self._stream)

    async def _say_goodbye(self, code: int, reason: str) -> None:
        try:
            await self._writer.flush()
        except ConnectionLost:
            return

        if self._connection is not None:
            with self._goodbye:
                await self._connection.aclose(code, reason)

    def _stop_waiting_for_the_peer(self) -> None:
        """The stream has ended: the answer to our handshake or to our close frame will not come."""
        self._opening.cancel()
        self._goodbye.cancel()

    async def wait_until_open(self, deadline: float) -> None:
        """Wait for the end of the opening handshake; `open_websocket` calls it.

        Args:
            deadline: By `trio.current_time()`.

        Raises:
            ConnectError: The peer did not open the WebSocket, or not in time.
        """
        with trio.move_on_at(deadline) as waiting:
            await self._opened.wait()
        if self._connection is None:
            raise explain_refusal(self._endpoint, bytes(self._stream.answer), is_over=not waiting.cancelled_caught)

    async def run(self, headers: Headers) -> None:
        """Carry messages until the connection ends; how it ended is recorded, not raised.

        The nursery holds trio-websocket's reader and our writer: what the library raises in it is caught here and
        does not reach the block.
        """
        with self._inbound:
            try:
                async with trio.open_nursery() as nursery:
                    await self._shake_hands(nursery, headers)
                    if self._connection is not None:
                        nursery.start_soon(self._writer.run, name="WebSocket writer")
                        await self._read(self._connection)
                        if self._is_closing:
                            await (
                                self._has_closed.wait()
                            )  # the library's reader still has to see the peer's close frame
                    nursery.cancel_scope.cancel()
            except* _FAILURES as failures:
                self._end(f"it broke ({failures.exceptions[0]})", _ABNORMAL_CLOSURE, "")
            finally:
                self._opened.set()

    async def _shake_hands(self, nursery: trio.Nursery, headers: Headers) -> None:
        """Open the WebSocket, or return without one when the stream ends."""
        with self._opening:
            self._connection = await trio_websocket.wrap_client_stream(
                nursery,
                cast(trio.SocketStream, self._stream),  # any Stream will do, only the annotation is narrow
                self._endpoint.authority,
                self._endpoint.target,
                extra_headers=encode_headers(headers),
                message_queue_size=0,  # ours is the queue: the library throws its own away when it closes
                max_message_size=self._limits.max_message_bytes,
                receive_buffer_size=None,
            )
        self._stream.finish_opening()
        self._opened.set()

    async def _read(self, connection: trio_websocket.WebSocketConnection) -> None:
        try:
            while True:
                await self._put(await connection.get_message())
        except trio_websocket.ConnectionClosed as closed:
            if closed.reason is None:
                self._end("the peer broke the WebSocket protocol", _ABNORMAL_CLOSURE, "")
            else:
                self._end("it was closed", closed.reason.code, closed.reason.reason or "")

    async def _put(self, message: str | bytes) -> None:
        """Queue a message; at once if there is room, since each turn of the scheduler that it waits delays those behind it."""
        try:
            self._inbound.send_nowait(message)
        except trio.WouldBlock:
            await self._inbound.send(message)

    async def _write_text(self, text: str) -> None:
        assert self._connection is not None
        try:
            await self._connection.send_message(text)
        except (trio_websocket.ConnectionClosed, wsproto.utilities.LocalProtocolError) as exc:
            raise trio.BrokenResourceError("the WebSocket is closing") from exc
        self._stream.require_writable()

    async def _write_ping(self) -> None:
        await self._stream.send_all(encode_ping())
        self._stream.require_writable()

    def _require_open(self) -> None:
        if self._is_closing or self._ending is not None:
            raise self._lost()

    def _end(self, how: str, code: int, reason: str) -> None:
        """Record how the connection ended; the first account is the true one."""
        if self._ending is None:
            self._ending = (how, code, reason)

    def _lost(self) -> ConnectionLost:
        how, code, reason = self._ending or ("writing to it failed", _ABNORMAL_CLOSURE, "")
        said = f" {reason!r}" if reason else ""
        return ConnectionLost(
            f"the WebSocket to {self._endpoint.label}: {how}, code {code}{said}", code=code, reason=reason
        )


def _require_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InputError(
            f"a message cannot be sent: the character at {exc.start} is a lone surrogate; send valid Unicode"
        ) from exc
