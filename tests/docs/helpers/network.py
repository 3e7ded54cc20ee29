"""What stands between a program and a simulator in a company: TLS with a root of its own, and a proxy."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import trio
import trustme

__all__ = ["open_connect_proxy", "open_tls_front"]


@asynccontextmanager
async def open_tls_front(url: str, root: Path) -> AsyncIterator[str]:
    """Put TLS before a simulator; its authority goes into the file `root`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(root))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    target = urlsplit(url)
    async with trio.open_nursery() as nursery:
        serve = partial(_serve_tls, context=context, port=target.port)
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield f"wss://127.0.0.1:{listener.socket.getsockname()[1]}{target.path}"
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_connect_proxy() -> AsyncIterator[tuple[int, list[str]]]:
    """Serve `CONNECT`; give the port, and a list of what was asked for."""
    asked: list[str] = []

    async def serve(client: trio.SocketStream) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await client.receive_some(1)
        authority = head.split()[1].decode()
        asked.append(authority)
        host, _, port = authority.rpartition(":")
        server = await trio.open_tcp_stream(host, int(port))
        await client.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _join(client, server)

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield listener.socket.getsockname()[1], asked
        nursery.cancel_scope.cancel()


async def _serve_tls(client: trio.SocketStream, *, context: ssl.SSLContext, port: int | None) -> None:
    assert port is not None
    server = await trio.open_tcp_stream("127.0.0.1", port)
    with suppress(trio.BrokenResourceError):  # a client that does not trust us leaves
        await _join(trio.SSLStream(client, context, server_side=True, https_compatible=True), server)


async def _join(left: trio.abc.Stream, right: trio.abc.Stream) -> None:
    """Pass bytes on, both ways, until both sides have ended."""
    async with left, right, trio.open_nursery() as nursery:
        nursery.start_soon(_pass_on, left, right)
        nursery.start_soon(_pass_on, right, left)


async def _pass_on(source: trio.abc.Stream, target: trio.abc.Stream) -> None:
    try:
        while data := await source.receive_some(65_536):
            await target.send_all(data)
        if isinstance(target, trio.SocketStream):
            await target.send_eof()
        else:
            await target.aclose()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # the other side has left
