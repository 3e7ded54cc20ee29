"""One accepted connection of a scripted server: WebSocket by wsproto, over a stream that can be treated rudely.

A pump reads all the time: it answers pings, keeps whole messages for the script, and notices how the client leaves. Reading stops while
more messages wait for the script than `_UNREAD_MESSAGES`, and for good once the connection is frozen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

import attrs
import h11
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.utilities import RemoteProtocolError

from ..transport.endings import cut_stream, reset_stream

__all__ = ["ClientGone", "Connection", "HttpAnswer", "HttpRequest", "ScriptFailure", "read_http_request"]

_READ_BYTES = 64 * 1024
_UNREAD_MESSAGES = 1024
"""Far more than a script leaves unread on purpose."""
_ABNORMAL = 1006
"""The close code of a connection that ended without a close frame (RFC 6455, 7.1.5)."""


class ScriptFailure(AssertionError):
    """The client did not do what the script says."""


class ClientGone(ScriptFailure):
    """The client left while the script still wanted something of it.

    Attributes:
        code: Its close code, 1006 where it sent none.
    """

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code


@attrs.frozen(kw_only=True)
class HttpRequest:
    """One HTTP request, also the one that asks for a WebSocket."""

    method: str
    path: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    """By lower-case name; not shown, since one of them may be a key."""
    body: bytes = b""

    @property
    def is_upgrade(self) -> bool:
        """Whether it asks for a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"


@attrs.frozen(kw_only=True)
class HttpAnswer:
    """One HTTP answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def encode(self) -> bytes:
        """Return its bytes; the connection ends with it."""
        lines = [f"HTTP/1.1 {self.status} ", f"Content-Length: {len(self.body)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


async def read_http_request(stream: trio.abc.Stream) -> HttpRequest | None:
    """Read the first request on a connection; None if the client left before it was whole."""
    http = h11.Connection(h11.SERVER)
    head: h11.Request | None = None
    body = bytearray()
    while True:
        match http.next_event():
            case h11.NEED_DATA:
                data = await _receive(stream)
                if not data:
                    return None
                http.receive_data(data)
            case h11.Request() as head:
                pass
            case h11.Data(data=data):
                body += data
            case _:
                break

    assert head is not None
    return HttpRequest(
        method=head.method.decode("ascii"),
        path=head.target.decode("ascii"),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers},
        body=bytes(body),
    )


@final
class Connection:
    """A connection whose client has asked for a WebSocket; the answer to that is up to the script."""

    def __init__(
        self, stream: trio.abc.Stream, request: HttpRequest, *, label: str, on_message: Callable[[str | bytes], None]
    ) -> None:
        self.label = label
        self.request = request
        self.close_code: int | None = None
        """How the client closed: the code of its close frame, 1006 where it sent none, None while it has not."""
        self.is_frozen = False
        self._stream = stream
        self._on_message = on_message
        self._websocket = WSConnection(ConnectionType.SERVER)
        self._websocket.initiate_upgrade_connection(
            [(name.encode(), value.encode("latin-1")) for name, value in request.headers.items()], request.path
        )
        self._send_lock = trio.StrictFIFOLock()
        self._put, self._get = trio.open_memory_channel[str | bytes](_UNREAD_MESSAGES)
        self._parts = bytearray()
        self._has_left = trio.Event()
        self._is_gone = trio.Event()
        self._pump_scope = trio.CancelScope()
        self._answers_pings = True
        self._has_ponged = trio.Event()

    @property
    def is_accepted(self) -> bool:
        """Whether the upgrade was answered."""
        return self._websocket.connection is not None

    async def accept(self) -> None:
        """Answer the upgrade, if that was not done yet."""
        if not self.is_accepted:
            await self.send_bytes(self._websocket.send(AcceptConnection()))

    async def send(self, message: str | bytes) -> None:
        """Send one message: text as a text frame, bytes as a binary one.

        Raises:
            ClientGone: The client has left.
        """
        await self.accept()
        if self.close_code is not None:
            raise self._gone("it could be sent something")

        event = TextMessage(data=message) if isinstance(message, str) else BytesMessage(data=message)
        await self.send_bytes(self._websocket.send(event))

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are, below WebSocket.

        Raises:
            ClientGone: The client has left.
        """
        async with self._send_lock:
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise self._gone("it could be sent something") from error

    async def receive(self) -> str | bytes:
        """Return the client's next message.

        Raises:
            ClientGone: There will be none.
        """
        await self.accept()
        try:
            return await self._get.receive()
        except trio.EndOfChannel:
            raise self._gone("it said what was expected of it") from None

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame; the TCP connection stays open until the script ends."""
        await self.accept()
        self._answers_pings = False  # nothing follows a close frame
        await self.send_bytes(self._websocket.send(CloseConnection(code=code, reason=reason)))

    async def ping(self) -> None:
        """Send a ping and wait for a pong.

        Raises:
            ClientGone: The client has left.
        """
        await self.accept()
        self._has_ponged = trio.Event()
        await self.send_bytes(self._websocket.send(Ping()))
        await self._has_ponged.wait()

    def cut(self) -> None:
        """End the connection with FIN, without a close frame."""
        self._pump_scope.cancel(reason="the script cuts the connection")
        cut_stream(self._stream)

    def reset(self) -> None:
        """End the connection with RST."""
        self._pump_scope.cancel(reason="the script resets the connection")
        reset_stream(self._stream)

    def stop_answering_pings(self) -> None:
        """Let pings go unanswered from now on; messages are still read."""
        self._answers_pings = False

    def freeze(self) -> None:
        """Read nothing more, like a peer that is gone without a word."""
        self.is_frozen = True
        self._pump_scope.cancel(reason="the script freezes the connection")

    async def wait_left(self) -> int:
        """Wait until the client has sent its close frame, or is gone; return the close code."""
        await self.accept()
        await self._has_left.wait()
        return self._close_code_now()

    async def wait_gone(self) -> int:
        """Wait until the client has closed its TCP connection; return the close code."""
        await self._is_gone.wait()
        return self._close_code_now()

    async def pump(self) -> None:
        """Read until the client is gone, or the connection is cut or frozen."""
        try:
            with self._pump_scope, self._put:
                while data := await _receive(self._stream):
                    await self._take(data)
        finally:
            if not self.is_frozen:
                self._leave(_ABNORMAL)
                self._is_gone.set()

    async def _take(self, data: bytes) -> None:
        try:
            self._websocket.receive_data(data)
        except RemoteProtocolError as error:
            raise ScriptFailure(f"{self.label}: the client broke the WebSocket protocol: {error}") from error

        for event in self._websocket.events():
            match event:
                case TextMessage() | BytesMessage():
                    await self._take_message(event)
                case Ping() if self._answers_pings:
                    await self._send_if_possible(event.response())
                case Pong():
                    self._has_ponged.set()
                case CloseConnection(code=code):
                    self._leave(int(code))
                case _:
                    pass  # the request itself, and unanswered pings

    async def _take_message(self, event: TextMessage | BytesMessage) -> None:
        part = event.data.encode() if isinstance(event, TextMessage) else bytes(event.data)
        self._parts += part
        if not event.message_finished:
            return

        message = self._parts.decode() if isinstance(event, TextMessage) else bytes(self._parts)
        self._parts.clear()
        self._on_message(message)
        await self._put.send(message)

    async def _send_if_possible(self, pong: Pong) -> None:
        try:
            await self.send_bytes(self._websocket.send(pong))
        except ClientGone:
            return  # the pump is about to notice

    def _leave(self, code: int) -> None:
        if self.close_code is None:
            self.close_code = code
            self._has_left.set()
            self._put.close()

    def _close_code_now(self) -> int:
        assert self.close_code is not None
        return self.close_code

    def _gone(self, before: str) -> ClientGone:
        code = self.close_code or _ABNORMAL
        return ClientGone(f"{self.label}: the client left ({code}) before {before}", code=code)


async def _receive(stream: trio.abc.Stream) -> bytes:
    """Return what arrives; nothing at the end, however the client made it."""
    try:
        return bytes(await stream.receive_some(_READ_BYTES))
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return b""
