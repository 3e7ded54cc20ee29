"""A network in memory: streams that behave like TCP, without sockets, so that time can be virtual.

    network = MemoryNetwork()
    async with open_scripted_server(control=[control], network=network) as server:
        async with open_backtest_session(server.url, …, open_stream=network.open_stream) as session:
            ...

Buffers are bounded, so that a reader who does not read is felt by the writer; a stream can end with FIN or with RST.
"""

from __future__ import annotations

import operator
from collections.abc import Generator
from contextlib import contextmanager
from typing import final

import trio

__all__ = ["AnyListener", "MemoryListener", "MemoryNetwork", "MemoryStream", "listen", "memory_streams"]

_BUFFER_BYTES = 64 * 2**10
"""Of one direction, about what a kernel starts with."""
_BACKLOG = 128
"""Connections that were opened and not yet accepted; further ones are refused."""


@final
class MemoryNetwork:
    """Hosts of all names, with ports that listeners have taken."""

    def __init__(self, *, buffer_bytes: int = _BUFFER_BYTES) -> None:
        """Start with nobody listening; `buffer_bytes` may wait in each direction of a connection."""
        self._buffer_bytes = buffer_bytes
        self._clients: list[MemoryStream] = []
        self._listeners: dict[int, MemoryListener] = {}

    @property
    def open_streams(self) -> int:
        """How many client ends have not been closed."""
        self._clients = [stream for stream in self._clients if not stream.is_closed]
        return len(self._clients)

    def listen(self) -> MemoryListener:
        """Take the next free port."""
        port = len(self._listeners) + 1
        self._listeners[port] = MemoryListener(port)
        return self._listeners[port]

    async def open_stream(self, host: str, port: int) -> MemoryStream:
        """Connect; what `open_backtest_session(open_stream=…)` takes. Every host is this network.

        Raises:
            ConnectionRefusedError: Nobody listens on `port`.
        """
        await trio.lowlevel.checkpoint()
        ours, theirs = memory_streams(self._buffer_bytes)
        listener = self._listeners.get(port)
        if listener is None or not listener._offer(theirs):
            raise ConnectionRefusedError(f"nobody listens on port {port} of the memory network")

        self._clients.append(ours)
        return ours


@final
class MemoryListener(trio.abc.Listener["MemoryStream"]):
    """Accepts connections of a memory network; made by `MemoryNetwork.listen`, served by `trio.serve_listeners`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._put, self._get = trio.open_memory_channel[MemoryStream](_BACKLOG)

    async def accept(self) -> MemoryStream:
        """See `trio.abc.Listener`."""
        return await self._get.receive()

    async def aclose(self) -> None:
        """See `trio.abc.AsyncResource`; from now on connections are refused."""
        self._get.close()
        await trio.lowlevel.checkpoint()

    def _offer(self, stream: MemoryStream) -> bool:
        try:
            self._put.send_nowait(stream)
        except (trio.WouldBlock, trio.BrokenResourceError):
            return False

        return True


AnyListener = trio.SocketListener | MemoryListener


async def listen(network: MemoryNetwork | None) -> tuple[AnyListener, int]:
    """Listen on a free port of `network`, or of 127.0.0.1 without one; return the listener and its port."""
    if network is not None:
        listener = network.listen()
        return listener, listener.port

    (tcp,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    return tcp, int(tcp.socket.getsockname()[1])


def memory_streams(buffer_bytes: int = _BUFFER_BYTES) -> tuple[MemoryStream, MemoryStream]:
    """Return the two ends of a connection."""
    one, other = _Pipe(buffer_bytes), _Pipe(buffer_bytes)
    return MemoryStream(one, other), MemoryStream(other, one)


@final
class MemoryStream(trio.abc.Stream):
    """One end of a connection in memory.

    Attributes:
        is_closed: Whether this end was closed.
    """

    def __init__(self, outbound: _Pipe, inbound: _Pipe) -> None:
        self._outbound = outbound
        self._inbound = inbound
        self._is_sending = False
        self._is_receiving = False
        self.is_closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """See `trio.abc.SendStream`; waits while the buffer is full."""
        left = memoryview(bytes(data))
        with self._one_sender():
            await trio.lowlevel.checkpoint()
            self._require_writable()
            while left:
                left = left[self._outbound.put(left) :]
                if left:
                    await self._outbound.changed.park()
                    self._require_writable()

    async def wait_send_all_might_not_block(self) -> None:
        """See `trio.abc.SendStream`."""
        with self._one_sender():
            await trio.lowlevel.checkpoint()
            while not (self.is_closed or self._outbound.is_useless) and self._outbound.is_full:
                await self._outbound.changed.park()
            if self.is_closed:
                raise trio.ClosedResourceError("the stream was closed")

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """See `trio.abc.ReceiveStream`."""
        _check(max_bytes)
        if self._is_receiving:
            raise trio.BusyResourceError("another task is receiving")

        self._is_receiving = True
        try:
            await trio.lowlevel.checkpoint()
            while not (self.is_closed or self._inbound.has_news):
                await self._inbound.changed.park()
        finally:
            self._is_receiving = False
        if self.is_closed:
            raise trio.ClosedResourceError("the stream was closed")

        return self._inbound.get(max_bytes)

    def cut(self) -> None:
        """End with FIN: the peer reads what was written, and then the end."""
        self._end(is_reset=False)

    def reset(self) -> None:
        """End with RST: the peer reads what was written, and then has a broken stream."""
        self._end(is_reset=True)

    async def aclose(self) -> None:
        """See `trio.abc.AsyncResource`."""
        self.cut()
        await trio.lowlevel.checkpoint()

    def _end(self, *, is_reset: bool) -> None:
        if self.is_closed:
            return

        self.is_closed = True
        self._outbound.finish(is_reset=is_reset)
        self._inbound.finish(is_reset=is_reset, by_reader=True)

    def _require_writable(self) -> None:
        if self.is_closed:
            raise trio.ClosedResourceError("the stream was closed")
        if self._outbound.is_useless:
            raise trio.BrokenResourceError("the peer has left")

    @contextmanager
    def _one_sender(self) -> Generator[None]:
        if self._is_sending:
            raise trio.BusyResourceError("another task is sending")

        self._is_sending = True
        try:
            yield
        finally:
            self._is_sending = False


class _Pipe:
    """One direction: what was written and not yet read, and how it ended."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._data = bytearray()
        self._has_ended = False
        self._is_reset = False
        self._reader_has_left = False
        self.changed = trio.lowlevel.ParkingLot()

    @property
    def is_full(self) -> bool:
        """Whether a writer has to wait."""
        return len(self._data) >= self._most_bytes

    @property
    def is_useless(self) -> bool:
        """Whether what is written will not be read."""
        return self._is_reset or self._reader_has_left

    @property
    def has_news(self) -> bool:
        """Whether a reader need not wait."""
        return bool(self._data) or self._has_ended

    def put(self, data: memoryview) -> int:
        """Take as much as there is room for; return how much."""
        taken = data[: max(0, self._most_bytes - len(self._data))]
        self._data += taken
        self.changed.unpark_all()
        return len(taken)

    def get(self, max_bytes: int | None) -> bytes:
        """Give what is there; nothing at the end."""
        if not self._data and self._is_reset:
            raise trio.BrokenResourceError("the peer has reset the connection")

        data = bytes(self._data[:max_bytes])
        del self._data[: len(data)]
        self.changed.unpark_all()
        return data

    def finish(self, *, is_reset: bool, by_reader: bool = False) -> None:
        """Nothing more is written, or read."""
        self._has_ended = True
        self._is_reset |= is_reset
        self._reader_has_left |= by_reader
        self.changed.unpark_all()


def _check(max_bytes: int | None) -> None:
    if max_bytes is not None and operator.index(max_bytes) < 1:
        raise ValueError(f"max_bytes must be 1 or more, not {max_bytes}")
