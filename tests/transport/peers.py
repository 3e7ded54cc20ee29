"""The other end of a connection, in memory: a server that says exactly what a test tells it to."""

from __future__ import annotations

from contextlib import suppress

import trio
import trio.testing
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, Ping, Request, TextMessage

from simclient.transport.streams import StreamOpener


class Peer:
    """A WebSocket server on one end of a memory stream.

    Attributes:
        request: The head of the opening request, as bytes.
        chats: How many messages of `chatter` were written.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.request = b""
        self.chats = 0
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._events: list[Event] = []

    async def read_request(self) -> None:
        """Read the opening request without answering it."""
        while b"\r\n\r\n" not in self.request:
            self.request += await self.stream.receive_some()
        self._protocol.receive_data(self.request)
        assert isinstance(next(self._protocol.events()), Request)

    async def accept(self, *events: Event) -> None:
        """Open the WebSocket; `events` go out in the same write."""
        await self.read_request()
        await self.send(AcceptConnection(), *events)

    async def send(self, *events: Event) -> None:
        await self.stream.send_all(self.encode(*events))

    def encode(self, *events: Event) -> bytes:
        return b"".join(self._protocol.send(event) for event in events)

    async def say(self, *texts: str) -> None:
        await self.send(*(TextMessage(data=text) for text in texts))

    async def chatter(self) -> None:
        """Open the WebSocket, and say one message after another until the client has gone."""
        await self.accept()
        with suppress(trio.BrokenResourceError):
            while True:
                await self.say("x")
                self.chats += 1

    async def receive(self) -> Event:
        """Return the next event of the client; EOF raises trio.EndOfChannel."""
        while not self._events:
            data = await self.stream.receive_some()
            if not data:
                raise trio.EndOfChannel
            self._protocol.receive_data(bytes(data))
            self._events.extend(self._protocol.events())
        return self._events.pop(0)

    async def receive_close(self) -> CloseConnection:
        """Skip to the client's close frame and answer it."""
        while True:
            event = await self.receive()
            if isinstance(event, CloseConnection):
                await self.send(event.response())
                return event
            assert isinstance(event, Ping | TextMessage)


def opener_of(stream: trio.abc.Stream) -> StreamOpener:
    """Return an opener that gives out `stream`."""

    async def open_stream(host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return stream

    return open_stream


def memory_peer() -> tuple[Peer, StreamOpener]:
    """Return a peer with endless buffers, and what opens the client's end."""
    ours, theirs = trio.testing.memory_stream_pair()
    return Peer(theirs), opener_of(ours)


def lockstep_peer() -> tuple[Peer, StreamOpener]:
    """Return a peer without buffers: what is written waits until it is read."""
    ours, theirs = trio.testing.lockstep_stream_pair()
    return Peer(theirs), opener_of(ours)


def halting_peer(limit: int, *, then_break: bool = False) -> tuple[Peer, Halting]:
    """Return a peer with endless buffers, and the client's end, which passes `limit` bytes of writing."""
    ours, theirs = trio.testing.memory_stream_pair()
    return Peer(theirs), Halting(ours, limit, then_break=then_break)


class Halting(trio.abc.Stream):
    """A stream that passes `limit` bytes of writing and then stalls or breaks."""

    def __init__(self, inner: trio.abc.Stream, limit: int, *, then_break: bool = False) -> None:
        self._inner = inner
        self._left = limit
        self._then_break = then_break
        self.is_closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        data = bytes(data)
        await self._inner.send_all(data[: self._left])
        self._left -= min(self._left, len(data))
        if self._left == 0 and self._then_break:
            raise trio.BrokenResourceError
        if self._left == 0:
            await trio.sleep_forever()

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        self.is_closed = True
        await self._inner.aclose()
