"""Both kinds of socket over TLS, on loopback: what is trusted, what is refused, and whether trying again can help."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
import trio
import trustme
from wsproto.events import CloseConnection, Event, TextMessage

from simclient.errors import ConnectError

from .peers import Peer
from .sockets import LIMITS, Opener, Socket, both_kinds, receive, served

pytestmark = both_kinds

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def showing(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


async def connect_error(
    open_socket: Opener[Socket], serve: Callable[[Peer, trio.SocketStream], Awaitable[None]], trust: ssl.SSLContext
) -> ConnectError:
    """Connect over TLS to what `serve` serves; return what the client raises."""
    async with served(serve) as url:
        with pytest.raises(ConnectError) as caught:
            async with open_socket(secure(url), limits=LIMITS, ssl_context=trust):
                pytest.fail("there is no connection")
    return caught.value


def secure(url: str) -> str:
    return url.replace("ws://127.0.0.1", "wss://localhost")


async def test_messages_go_both_ways_over_tls(open_socket: Opener[Socket]) -> None:
    """`wss://` goes through TLS with the context given, and is closed as any other."""
    authority = trustme.CA()
    context = showing(authority.issue_cert("localhost"))
    seen: list[Event] = []

    async def serve(_: Peer, stream: trio.SocketStream) -> None:
        peer = Peer(trio.SSLStream(stream, context, server_side=True, https_compatible=True))
        await peer.accept(TextMessage(data="hello"))
        seen.extend([await peer.receive(), await peer.receive_close()])

    async with served(serve) as url:
        async with open_socket(secure(url), limits=LIMITS, ssl_context=trusting(authority)) as socket:
            assert await receive(socket) == ["hello"]
            await socket.send("secret")

    assert seen[0] == TextMessage(data="secret")
    assert isinstance(seen[1], CloseConnection)


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        (lambda authority: authority.issue_cert("localhost", not_before=LONG_AGO, not_after=LONG_AGO), "expired"),
        (lambda authority: authority.issue_cert("elsewhere.example"), "mismatch"),
        (lambda _: trustme.CA().issue_cert("localhost"), "issuer"),
    ],
    ids=["expired", "of another host", "of an unknown authority"],
)
async def test_a_certificate_that_is_refused_is_refused_for_good(
    open_socket: Opener[Socket], certificate: Callable[[trustme.CA], trustme.LeafCert], reason: str
) -> None:
    """The reason is told; nothing was sent but the handshake, and trying again is no help."""
    authority = trustme.CA()
    context = showing(certificate(authority))

    async def serve(_: Peer, stream: trio.SocketStream) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await trio.SSLStream(stream, context, server_side=True).receive_some()

    error = await connect_error(open_socket, serve, trusting(authority))

    assert "its TLS certificate is refused" in str(error)
    assert reason in str(error)
    assert not error.retryable


async def test_a_port_that_does_not_speak_tls_is_told(open_socket: Opener[Socket]) -> None:
    """An answer that is no TLS will not become one."""

    async def serve(_: Peer, stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    error = await connect_error(open_socket, serve, trusting(trustme.CA()))

    assert "no TLS agreement" in str(error)
    assert not error.retryable


async def test_a_cut_in_the_tls_handshake_may_be_tried_again(open_socket: Opener[Socket]) -> None:
    """The connection ended; that says nothing of the next one."""

    async def serve(_: Peer, stream: trio.SocketStream) -> None:
        await stream.receive_some()

    error = await connect_error(open_socket, serve, trusting(trustme.CA()))

    assert "ended in the TLS handshake" in str(error)
    assert error.retryable
