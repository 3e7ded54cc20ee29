"""Both kinds of socket behind one face: the tests of what they do alike are run with each."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TypeAlias, TypeVar

import pytest
import trio
from wsproto.events import Event

from simclient.errors import ConnectionLost
from simclient.transport.feed import Feed, open_feed
from simclient.transport.limits import TransportLimits
from simclient.transport.streams import StreamOpener
from simclient.transport.websocket import WebSocket, open_websocket

from .peers import Peer, memory_peer

URL = "ws://simulator.test/backtest"
LIMITS = TransportLimits(connect_seconds=30, close_seconds=2, max_message_bytes=1000, unread_messages=4)
HANG_SECONDS = 30
"""Far more than anything here takes over loopback."""

Socket = WebSocket | Feed
Kind = TypeVar("Kind", WebSocket, Feed, Socket)
Opener: TypeAlias = Callable[..., AbstractAsyncContextManager[Kind]]

both_kinds = pytest.mark.parametrize("open_socket", [open_websocket, open_feed], ids=["control", "notifications"])


@asynccontextmanager
async def opened(
    open_socket: Opener[Kind], *first: Event, ends: tuple[Peer, StreamOpener] | None = None
) -> AsyncGenerator[tuple[Kind, Peer]]:
    """Open a socket to a peer that accepts it and says `first` in the same write."""
    peer, open_stream = ends or memory_peer()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.accept, *first)
        async with open_socket(URL, limits=LIMITS, open_stream=open_stream) as socket:
            yield socket, peer


async def receive(socket: Socket, count: int = 1) -> list[str | bytes]:
    """Return the next messages: `count`, or more where one read gives them together."""
    if isinstance(socket, WebSocket):
        return [await socket.receive() for _ in range(count)]

    messages: list[str | bytes] = []
    while len(messages) < count:
        for is_binary, payloads in await socket.receive_batch():
            messages += payloads if is_binary else [payload.decode() for payload in payloads]
    return messages


async def lost(socket: Socket) -> ConnectionLost:
    """Return what the next read raises."""
    with pytest.raises(ConnectionLost) as caught:
        await receive(socket)
    return caught.value


@asynccontextmanager
async def served(serve: Callable[[Peer, trio.SocketStream], Awaitable[None]]) -> AsyncGenerator[str]:
    """Serve connections on loopback with `serve`; give the URL."""

    async def handle(stream: trio.SocketStream) -> None:
        await serve(Peer(stream), stream)

    with trio.fail_after(HANG_SECONDS):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
            yield f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}/session"
            nursery.cancel_scope.cancel()
