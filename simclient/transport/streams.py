"""Opening the byte stream under a connection: TCP, and TLS where the scheme asks for it.

What goes wrong is a `ConnectError` that says whether trying again can help: a port may open and a name may resolve
later, but a bad certificate or a TLS version that the peer does not speak will not mend by itself.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import trio

from ..errors import ConnectError
from .endpoint import Endpoint

__all__ = ["StreamOpener", "connecting", "default_ssl_context", "open_endpoint_stream"]

StreamOpener = Callable[[str, int], Awaitable[trio.abc.Stream]]
"""Takes host and port, returns the stream under TLS (a proxy, or memory in tests). It raises OSError when it cannot."""

_CUT_WHILE_SHAKING_HANDS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


@contextmanager
def connecting(endpoint: Endpoint, seconds: float) -> Generator[None]:
    """Bound everything that connecting awaits.

    Raises:
        ConnectError: The time is over.
    """
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError as exc:
        raise ConnectError(
            f"connecting to {endpoint.label}: no connection within {seconds:g} s; check the address and the network"
        ) from exc


async def open_endpoint_stream(
    endpoint: Endpoint, *, ssl_context: ssl.SSLContext | None = None, open_stream: StreamOpener | None = None
) -> trio.abc.Stream:
    """Open the stream to `endpoint`; the caller bounds the time with `connecting`.

    Args:
        endpoint: Where to.
        ssl_context: For TLS; None is the default context, which checks certificates and host names.
        open_stream: Replaces TCP; TLS still goes on top where the scheme asks for it.

    Raises:
        ConnectError: It cannot be opened.
    """
    stream = await _open_tcp(endpoint, open_stream or trio.open_tcp_stream)
    if not endpoint.is_tls:
        return stream

    return await _open_tls(endpoint, stream, ssl_context or default_ssl_context())


async def _open_tcp(endpoint: Endpoint, open_stream: StreamOpener) -> trio.abc.Stream:
    try:
        return await open_stream(endpoint.host, endpoint.port)
    except OSError as exc:
        raise ConnectError(
            f"connecting to {endpoint.label}: {exc}; check the address and that the server runs"
        ) from exc
    except UnicodeError as exc:
        raise ConnectError(
            f"connecting to {endpoint.label}: the host name cannot be looked up ({exc}); correct it", retryable=False
        ) from exc


async def _open_tls(endpoint: Endpoint, transport: trio.abc.Stream, context: ssl.SSLContext) -> trio.abc.Stream:
    # https_compatible: a peer that closes TCP without close_notify has ended the stream. WebSocket and HTTP say
    # themselves whether what they carried was whole.
    stream = trio.SSLStream(transport, context, server_hostname=endpoint.host, https_compatible=True)
    try:
        await stream.do_handshake()
    except trio.BrokenResourceError as exc:
        await trio.aclose_forcefully(stream)
        raise _tls_failure(endpoint, exc) from exc
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise

    return stream


def _tls_failure(endpoint: Endpoint, error: trio.BrokenResourceError) -> ConnectError:
    doing = f"connecting to {endpoint.label}"
    match error.__cause__:
        case ssl.SSLCertVerificationError(verify_message=why):
            advice = "check the host name, the clock, and which authorities are trusted"
            return ConnectError(f"{doing}: its TLS certificate is refused, {why}; {advice}", retryable=False)
        case ssl.SSLError(reason=why) as cause if not isinstance(cause, _CUT_WHILE_SHAKING_HANDS):
            advice = (
                "check that the port speaks TLS, in a version that is still allowed; a server without it, such as a simulator on this"
                " machine, is ws://"
            )
            return ConnectError(f"{doing}: no TLS agreement ({why}); {advice}", retryable=False)
        case _:
            return ConnectError(f"{doing}: the connection ended in the TLS handshake; try again")


@functools.cache
def default_ssl_context() -> ssl.SSLContext:
    """Return what is trusted where nobody says otherwise.

    It is made once: reading the system's certificates takes tens of milliseconds, which a reconnect need not pay again.
    """
    return ssl.create_default_context()
