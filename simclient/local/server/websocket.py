"""The server's side of one WebSocket: wsproto reads, one task writes.

- `receive` answers pings on its way, and reads nothing while nobody calls it: a client that asks too much waits in TCP.
- Everything written goes through one task in order, so that a frame is never torn; `send` waits while that task is behind.
- However it ends, `receive` and `send` raise `ConnectionLost`: for a server the end of a WebSocket is no failure.
- No permessage-deflate: the protocol has its own compression.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NoReturn, TypeVar, final

import attrs
import trio
import wsproto
from wsproto import events
from wsproto.connection import ConnectionState
from wsproto.utilities import RemoteProtocolError as ProtocolBroken

from ...errors import ConnectionLost
from ...transport.frames import encode_frames
from .http import HttpAnswer, HttpConnection, HttpRefused, HttpRequest, refusal
from .limits import SimulatorLimits
from .purse import Purse, PurseIsEmpty

__all__ = ["Farewell", "ServerSocket", "accept_websocket", "converse"]

_READ_BYTES: Final = 64 * 2**10
"""One read of a socket: nearly every message fits."""

_PART_BYTES: Final = 64
"""What a part of a message costs beside its bytes: a client may send one by one."""

_QUEUED_WRITES: Final = 1
"""One batch is prepared while another is written; more would only hide a slow reader."""

_Part = TypeVar("_Part", str, bytes)

_TOO_BIG: Final = 1009
_TRY_AGAIN_LATER: Final = 1013
_LOST: Final = 1006


@attrs.frozen(kw_only=True)
class Farewell:
    """Why the server ends a WebSocket."""

    code: int
    reason: str


@final
class ServerSocket:
    """An open WebSocket. `converse` runs it."""

    def __init__(
        self, stream: trio.abc.Stream, protocol: wsproto.connection.Connection, limits: SimulatorLimits, purse: Purse
    ) -> None:
        self._stream = stream
        self._protocol = protocol
        self._limits = limits
        self._purse = purse
        self._taken_bytes = 0
        """Of the purse, for the message that is being received or served."""
        self._incoming = protocol.events()
        self._text: list[str] = []
        self._binary: list[bytes] = []
        """The parts of a message that is not whole yet; an `io.StringIO` takes four bytes for a character."""
        self._size = 0
        """Of those parts together."""
        self._queue, self._queued = trio.open_memory_channel[tuple[bytes, int]](_QUEUED_WRITES)
        """Frames, and what they take of the purse until they are written."""
        self._answer_bytes = 0
        """Of the purse, for answers that are not written yet."""
        self._has_written_all = trio.Event()

    async def receive(self) -> str | bytes:
        """Return the client's next message.

        Raises:
            ConnectionLost: The client has closed or gone, or broke the protocol, or its message is too long.
        """
        self._release_message()  # it was served
        while True:
            for event in self._incoming:
                message = await self._take(event)
                if message is not None:
                    return message
            await self._read_more()

    async def send(self, frames: bytes) -> None:
        """Queue whole encoded frames; return once the writer has no more than one batch to write.

        Raises:
            ConnectionLost: The socket has ended.
        """
        await self._put(frames, 0)

    async def send_text(self, text: str | bytes) -> None:
        """Queue one text message; as `send`."""
        await self.send(encode_frames([(False, text.encode() if isinstance(text, str) else text)]))

    async def send_large(self, text: str | bytes) -> None:
        """As `send_text`, for what may be large: it is charged to the purse until it is written.

        Raises:
            ConnectionLost: The socket has ended; or was ended, since too much is being sent at once.
        """
        data = text.encode() if isinstance(text, str) else text
        try:
            self._purse.take(len(data))
        except PurseIsEmpty:
            await self._close_and_fail(_TRY_AGAIN_LATER, "too much is being sent at once")
        self._answer_bytes += len(data)
        await self._put(encode_frames([(False, data)]), len(data))

    async def close(self, farewell: Farewell) -> None:
        """Queue the close frame, after which nothing is sent; as `send`."""
        if self._protocol.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            await self.send(self._protocol.send(events.CloseConnection(code=farewell.code, reason=farewell.reason)))
            self._queue.close()

    async def finish(self) -> None:
        """Take nothing more and wait until what is queued is written."""
        self._queue.close()
        await self._has_written_all.wait()

    async def write_queued(self) -> None:
        """Write until there is no more or the client has gone: the one task that writes."""
        try:
            with self._queued:
                async for frames, charged in self._queued:
                    await self._stream.send_all(frames)
                    self._purse.give_back(charged)
                    self._answer_bytes -= charged
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # The reader may not notice by itself that nobody is there any more.
            await trio.aclose_forcefully(self._stream)
        finally:
            self._has_written_all.set()

    async def _put(self, frames: bytes, charged: int) -> None:
        try:
            await self._queue.send((frames, charged))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ConnectionLost("the WebSocket has ended", code=_LOST) from None

    async def _read_more(self) -> None:
        try:
            data = await self._stream.receive_some(_READ_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ConnectionLost("the client has gone", code=_LOST) from None

        try:
            self._protocol.receive_data(bytes(data) or None)
        except ProtocolBroken as error:
            raise ConnectionLost(f"the client broke the WebSocket protocol: {error}", code=_LOST) from error
        self._incoming = self._protocol.events()

    async def _take(self, event: events.Event) -> str | bytes | None:
        match event:
            case events.TextMessage(data=data, message_finished=is_whole):
                await self._grow(len(data))
                self._text.append(data)
                return "".join(self._end_message(self._text)) if is_whole else None
            case events.BytesMessage(data=data, message_finished=is_whole):
                await self._grow(len(data))
                self._binary.append(bytes(data))
                return b"".join(self._end_message(self._binary)) if is_whole else None
            case events.Ping() if self._protocol.state is ConnectionState.OPEN:
                await self.send(self._protocol.send(event.response()))
                return None
            case events.CloseConnection(code=code, reason=reason):
                await self.close(Farewell(code=int(code), reason=reason or ""))
                raise ConnectionLost("the client has closed the WebSocket", code=int(code), reason=reason or "")
            case _:
                return None

    async def _grow(self, size: int) -> None:
        """Take in a part of a message."""
        try:
            self._purse.take(size + _PART_BYTES)
        except PurseIsEmpty:
            await self._close_and_fail(_TRY_AGAIN_LATER, "too much is being received at once")
        self._taken_bytes += size + _PART_BYTES
        self._size += size
        if self._size > self._limits.max_message_bytes:
            await self._close_and_fail(_TOO_BIG, f"a message is longer than {self._limits.max_message_bytes} bytes")

    async def _close_and_fail(self, code: int, reason: str) -> NoReturn:
        with trio.move_on_after(self._limits.close_seconds):
            await self.close(Farewell(code=code, reason=reason))
        raise ConnectionLost(reason, code=code)

    def _end_message(self, parts: list[_Part]) -> list[_Part]:
        """Return the parts of the message that is whole now; the next one begins."""
        whole = parts.copy()
        parts.clear()
        self._size = 0
        return whole

    def release(self) -> None:
        """Give back everything to the purse: the socket has ended."""
        self._release_message()
        self._purse.give_back(self._answer_bytes)
        self._answer_bytes = 0

    def _release_message(self) -> None:
        """Give back what the message takes of the purse that was received last, whole or not."""
        self._purse.give_back(self._taken_bytes)
        self._taken_bytes = 0


async def accept_websocket(
    stream: trio.abc.Stream, connection: HttpConnection, request: HttpRequest, limits: SimulatorLimits, purse: Purse
) -> ServerSocket:
    """Answer a request for an upgrade with 101.

    Raises:
        HttpRefused: It is not a handshake of RFC 6455.
        ConnectionLost: The client has gone.
    """
    protocol = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
    try:
        protocol.initiate_upgrade_connection(list(request.headers), request.target)
    except ProtocolBroken as error:
        raise HttpRefused(_handshake_refusal(error)) from error

    try:
        await stream.send_all(protocol.send(events.AcceptConnection()))
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        raise ConnectionLost("the client has gone", code=_LOST) from None

    assert protocol.connection is not None
    protocol.connection.receive_data(connection.leftover())
    return ServerSocket(stream, protocol.connection, limits, purse)


async def converse(
    socket: ServerSocket,
    *,
    listen: Callable[[], Awaitable[None]],
    speak: Callable[[], Awaitable[Farewell]],
    close_seconds: float,
) -> None:
    """Run both directions of a WebSocket until either side ends it.

    Args:
        socket: The WebSocket.
        listen: Serves the client's messages; ended by `ConnectionLost`.
        speak: Sends what the server has to say, and returns when the server wants to leave.
        close_seconds: How long the goodbye may take.
    """

    async def speak_and_leave() -> None:
        with suppress(ConnectionLost):
            await socket.close(await speak())
            await trio.sleep(close_seconds)
            nursery.cancel_scope.cancel(reason="the client did not answer the close frame")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(socket.write_queued, name="WebSocket writer")
        nursery.start_soon(speak_and_leave, name="WebSocket speaker")
        with suppress(ConnectionLost):
            await listen()
        with trio.move_on_after(close_seconds):
            await socket.finish()
        nursery.cancel_scope.cancel(reason="the WebSocket has ended")


def _handshake_refusal(error: ProtocolBroken) -> HttpAnswer:
    hint = error.event_hint
    status = hint.status_code if isinstance(hint, events.RejectConnection) else 400
    version = (("sec-websocket-version", "13"),) if status == 426 else ()
    return refusal(status, f"not a WebSocket handshake: {error}", headers=version)
