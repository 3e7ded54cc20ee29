"""A proxy on loopback that does to connections what a fault plan says: for clients of any kind, also other programs.

A client of ours that runs in the same process needs no proxy: `faulty_opener` gives its streams the same faults. A server that names its
data plane by an absolute address is met there without the proxy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import final
from urllib.parse import urlsplit, urlunsplit

import trio

from ..errors import InputError
from ..transport.endings import cut_stream, reset_stream
from ..transport.faults import FaultPlan
from ..transport.faulty import FaultyStream, OnFault
from ..transport.streams import StreamOpener

__all__ = ["FaultProxy", "open_fault_proxy"]

_READ_BYTES = 64 * 2**10
_DEFAULT_PORTS = {"ws": 80, "http": 80}


@asynccontextmanager
async def open_fault_proxy(
    target_url: str,
    plan: FaultPlan,
    *,
    open_stream: StreamOpener = trio.open_tcp_stream,
    on_fault: OnFault = lambda fault: None,
) -> AsyncIterator[FaultProxy]:
    """Listen on a free port of 127.0.0.1 and pass every connection on, with faults, while the block is open.

    Args:
        target_url: The server, `ws://` or `http://`; TLS would end at the proxy.
        plan: What befalls the connections, in the order in which they are opened.
        open_stream: Connects to the server.
        on_fault: Told of each fault that has a place, when it strikes.

    Raises:
        InputError: The URL cannot be used.
    """
    parts = urlsplit(target_url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise InputError(f"a fault proxy needs a ws:// or http:// URL, not one with the scheme {parts.scheme!r}")

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = int(listener.socket.getsockname()[1])
    url = urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))
    target = (parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme])
    proxy = FaultProxy(url, target, plan, open_stream, on_fault)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, proxy._serve, [listener])
        try:
            yield proxy
        finally:
            nursery.cancel_scope.cancel(reason="the block has ended")


@final
class FaultProxy:
    """A proxy that is listening; made by `open_fault_proxy`.

    Attributes:
        url: What clients use in place of the server's URL.
        connections: How many were opened so far.
    """

    def __init__(
        self, url: str, target: tuple[str, int], plan: FaultPlan, open_stream: StreamOpener, on_fault: OnFault
    ) -> None:
        """Take what `open_fault_proxy` made."""
        self.url = url
        self.connections = 0
        self._target = target
        self._plan = plan
        self._open_stream = open_stream
        self._on_fault = on_fault

    def __repr__(self) -> str:
        return f"<FaultProxy {self.url} to {self._target[0]}:{self._target[1]}>"

    async def _serve(self, client: trio.SocketStream) -> None:
        faults = self._plan(self.connections)
        self.connections += 1
        if faults.is_refused:
            reset_stream(client)
            return

        near = FaultyStream(client, faults, is_server=True, on_fault=self._on_fault)
        async with near:
            try:
                far = await self._open_stream(*self._target)
            except OSError:
                reset_stream(near)
                return

            async with far, trio.open_nursery() as nursery:
                nursery.start_soon(_pump_upstream, near, far)
                await _pump(far, near)
                nursery.cancel_scope.cancel(reason="one side has ended the connection")


async def _pump_upstream(near: FaultyStream, far: trio.abc.Stream) -> None:
    await _pump(near, far)
    cut_stream(far)


async def _pump(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
    """Pass bytes on until one side ends; where it broke, break the other."""
    try:
        while data := await source.receive_some(_READ_BYTES):
            await sink.send_all(data)
    except trio.ClosedResourceError:
        return  # the other pump has ended the connection
    except trio.BrokenResourceError:
        reset_stream(source)
        reset_stream(sink)
