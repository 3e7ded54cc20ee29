"""What only the control socket does: headers, and a reader that goes on while the user is busy.

What it shares with the notification socket is in `test_sockets.py` and `test_handshakes.py`.
"""

from __future__ import annotations

import pytest
import trio
import trio.testing
from wsproto.events import Ping, Pong, TextMessage

from simclient.errors import InputError
from simclient.transport.websocket import open_websocket

from .peers import lockstep_peer, memory_peer
from .sockets import LIMITS, URL, opened


async def test_headers_are_sent_with_the_request(autojump_clock: trio.testing.MockClock) -> None:
    """The opening request names the path, the host and the headers given."""
    peer, open_stream = memory_peer()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.accept)
        async with open_websocket(f"{URL}?a=b", headers=[("X-API-Key", "k")], limits=LIMITS, open_stream=open_stream):
            nursery.start_soon(peer.receive_close)

    assert peer.request.startswith(b"GET /backtest?a=b HTTP/1.1\r\nHost: simulator.test\r\n")
    assert b"\r\nX-API-Key: k\r\n" in peer.request


async def test_a_bad_header_is_refused_without_showing_it(autojump_clock: trio.testing.MockClock) -> None:
    """A key with a line break in it is named by its header only."""
    with pytest.raises(InputError, match="X-API-Key") as caught:
        async with open_websocket(URL, headers=[("X-API-Key", "secret\n")]):
            pytest.fail("the header is wrong")
    assert "secret" not in str(caught.value)


async def test_unread_messages_are_bounded(autojump_clock: trio.testing.MockClock) -> None:
    """When nobody takes messages, the socket is read until the channel is full and no further."""
    peer, open_stream = lockstep_peer()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.chatter)
        async with open_websocket(URL, limits=LIMITS, open_stream=open_stream):
            await trio.testing.wait_all_tasks_blocked()
            assert LIMITS.unread_messages <= peer.chats <= LIMITS.unread_messages + 3
        nursery.cancel_scope.cancel()


async def test_pings_are_answered_while_messages_wait(autojump_clock: trio.testing.MockClock) -> None:
    """Fault 4: messages that nobody reads do not keep the peer's pings from their pongs."""
    async with opened(open_websocket) as (_, peer):
        await peer.send(TextMessage(data="unread"), TextMessage(data="unread"), Ping(payload=b"there?"))

        with trio.fail_after(1):
            assert await peer.receive() == Pong(payload=b"there?")
