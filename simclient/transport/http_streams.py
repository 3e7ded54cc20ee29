"""HTTP over streams that somebody else opens: what httpx2 needs in place of its own TCP.

httpx2 has no public door for this; its transport holds a connection pool of httpcore2, which has one.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Iterable
from typing import Any, final

import httpcore2
import httpx2
import trio

from .streams import StreamOpener

__all__ = ["StreamTransport"]

_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


@final
class StreamTransport(httpx2.AsyncHTTPTransport):
    """A transport of httpx2 whose connections are streams from `open_stream`."""

    def __init__(self, open_stream: StreamOpener, verify: ssl.SSLContext) -> None:
        """Take the opener, and whom to trust.

        A connection is not kept for a next request: on a stream of unknown kind nobody can see whether the peer has left meanwhile.
        """
        super().__init__(verify=verify, trust_env=False)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=verify,
            max_keepalive_connections=0,
            network_backend=_Backend(open_stream),
        )


class _Backend(httpcore2.AsyncNetworkBackend):
    def __init__(self, open_stream: StreamOpener) -> None:
        self._open_stream = open_stream

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            with trio.fail_after(_seconds(timeout)):
                return _Stream(await self._open_stream(host, port))
        except trio.TooSlowError as error:
            raise httpcore2.ConnectTimeout(f"no connection within {timeout:g} s") from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class _Stream(httpcore2.AsyncNetworkStream):
    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            with trio.fail_after(_seconds(timeout)):
                return bytes(await self._stream.receive_some(max_bytes))
        except trio.TooSlowError as error:
            raise httpcore2.ReadTimeout(f"nothing came for {timeout:g} s") from error
        except _GONE as error:
            raise httpcore2.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            with trio.fail_after(_seconds(timeout)):
                await self._stream.send_all(buffer)
        except trio.TooSlowError as error:
            raise httpcore2.WriteTimeout(f"nothing was taken for {timeout:g} s") from error
        except _GONE as error:
            raise httpcore2.WriteError(str(error)) from error

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        stream = trio.SSLStream(self._stream, ssl_context, server_hostname=server_hostname, https_compatible=True)
        try:
            with trio.fail_after(_seconds(timeout)):
                await stream.do_handshake()
        except (trio.TooSlowError, trio.BrokenResourceError) as error:
            await trio.aclose_forcefully(stream)
            raise httpcore2.ConnectError(f"no TLS agreement ({error.__cause__ or error})") from error
        return _Stream(stream)


def _seconds(timeout: float | None) -> float:
    return math.inf if timeout is None else timeout
