"""What has come already over TLS is read at once, whatever records it came in, and nothing of it is lost."""

from __future__ import annotations

import socket
import ssl
import struct

import pytest
import trio
import trustme
from wsproto.events import CloseConnection, TextMessage

from simclient.errors import ConnectionLost
from simclient.transport.feed import Feed, open_feed

from .peers import Peer
from .sockets import LIMITS, served

AUTHORITY = trustme.CA()
TEXTS = [f"{number} {'x' * 700}" for number in range(60)]
"""Less than what the buffers of the sockets hold."""


def theirs() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("localhost").configure_cert(context)
    return context


def ours(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.maximum_version = version
    AUTHORITY.configure_trust(context)
    return context


async def rest_of(feed: Feed, count: int) -> list[list[str]]:
    """Return so many messages, as the reads of a subscription give them."""
    reads: list[list[str]] = []
    while sum(map(len, reads)) < count:
        runs = feed.receive_at_hand() if feed.has_more else await feed.receive_batch()
        reads.append([payload.decode() for _, payloads in runs for payload in payloads])
    return reads


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_many_small_records_come_whole_and_in_order(version: ssl.TLSVersion) -> None:
    """A server that writes each message on its own; with TLS 1.3 a read gives many of them."""
    was_sent = trio.Event()

    async def serve(_: Peer, stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, theirs(), server_side=True, https_compatible=True)
        peer = Peer(tls)
        await peer.accept()
        for text in TEXTS:
            await peer.say(text)
        was_sent.set()
        await peer.receive_close()

    async with served(serve) as url:
        secure = url.replace("ws://127.0.0.1", "wss://localhost")
        async with open_feed(secure, limits=LIMITS, ssl_context=ours(version)) as feed:
            await was_sent.wait()
            reads = await rest_of(feed, len(TEXTS))

    assert [text for read in reads for text in read] == TEXTS
    assert version is ssl.TLSVersion.TLSv1_2 or len(reads) < len(TEXTS) / 5


@pytest.mark.parametrize("garbage", [b"\x17\x03\x03\x00\x20" + bytes(32), b""], ids=["a broken record", "an end"])
async def test_what_came_before_the_end_is_given_first(garbage: bytes) -> None:
    """A record that does not decrypt, or a connection that is cut, is told when all before it was received."""

    async def serve(_: Peer, stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, theirs(), server_side=True, https_compatible=True)
        peer = Peer(tls)
        await peer.accept()
        await peer.say(*TEXTS)
        await stream.send_all(garbage)

    async with served(serve) as url:
        secure = url.replace("ws://127.0.0.1", "wss://localhost")
        async with open_feed(secure, limits=LIMITS, ssl_context=ours()) as feed:
            assert [text for read in await rest_of(feed, len(TEXTS)) for text in read] == TEXTS
            with pytest.raises(ConnectionLost):
                await feed.receive_batch()


async def test_a_close_frame_in_front_of_a_reset_is_what_counts() -> None:
    """The reason that the server gives is not lost in the break that follows at once."""
    was_reset = trio.Event()

    async def serve(_: Peer, stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, theirs(), server_side=True, https_compatible=True)
        peer = Peer(tls)
        await peer.accept()
        await peer.send(TextMessage(data="last"), CloseConnection(code=4001, reason="go away"))
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await stream.aclose()
        was_reset.set()

    async with served(serve) as url:
        secure = url.replace("ws://127.0.0.1", "wss://localhost")
        async with open_feed(secure, limits=LIMITS, ssl_context=ours()) as feed:
            await was_reset.wait()
            assert await feed.receive_batch() == [(False, [b"last"])]
            with pytest.raises(ConnectionLost, match="go away") as caught:
                await feed.receive_batch()
    assert caught.value.code == 4001
