"""What only the notification socket does, mostly against a peer in memory and in virtual time, and a few times over loopback.

What it shares with the control socket is in `test_sockets.py` and `test_handshakes.py`.
"""

from __future__ import annotations

import socket
import struct

import pytest
import trio
import trio.testing
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from simclient.errors import ConnectError, ConnectionLost, HttpError
from simclient.transport.feed import open_feed

from .peers import Peer, lockstep_peer, memory_peer
from .sockets import LIMITS, URL, lost, opened, served


class TestMessages:
    async def test_a_read_is_a_batch_in_order(self, autojump_clock: trio.testing.MockClock) -> None:
        """All messages of one read come at once, in order, text and binary told apart."""
        async with opened(open_feed) as (feed, peer):
            await peer.send(TextMessage(data="one"), BytesMessage(data=b"two"), TextMessage(data="three"))
            assert await feed.receive_batch() == [(False, [b"one"]), (True, [b"two"]), (False, [b"three"])]

            await peer.say("four")
            assert await feed.receive_batch() == [(False, [b"four"])]

    async def test_messages_behind_the_handshake_are_the_first_batch(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        """What the server sends in the same write as its acceptance is not lost, and counted."""
        async with opened(open_feed, TextMessage(data="early")) as (feed, _):
            assert await feed.receive_batch() == [(False, [b"early"])]
            assert feed.bytes_received == len("early") + 2

    async def test_a_ping_is_answered_as_it_is_read(self, autojump_clock: trio.testing.MockClock) -> None:
        """A pong goes out before the batch that came with the ping is used."""
        async with opened(open_feed) as (feed, peer):
            await peer.send(TextMessage(data="x"), Ping(payload=b"there?"))
            await feed.receive_batch()

            assert await peer.receive() == Pong(payload=b"there?")

    async def test_waiting_shows_a_reader_at_the_socket(self, autojump_clock: trio.testing.MockClock) -> None:
        """`waiting` is true exactly while `receive_batch` waits for bytes."""
        async with opened(open_feed) as (feed, peer):
            before = feed.waiting
            async with trio.open_nursery() as nursery:
                nursery.start_soon(feed.receive_batch)
                await trio.testing.wait_all_tasks_blocked()
                meanwhile = feed.waiting
                await peer.say("x")

            assert (before, meanwhile, feed.waiting) == (False, True, False)

    async def test_nothing_is_read_while_nobody_asks(self, autojump_clock: trio.testing.MockClock) -> None:
        """A server that writes to a consumer who does not read is held back, message by message."""
        peer, open_stream = lockstep_peer()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.chatter)
            async with open_feed(URL, limits=LIMITS, open_stream=open_stream) as feed:
                await trio.testing.wait_all_tasks_blocked()
                before = peer.chats
                await feed.receive_batch()
                await trio.testing.wait_all_tasks_blocked()
                assert (before, peer.chats) == (0, 1)
                nursery.cancel_scope.cancel()


class TestEnding:
    async def test_messages_before_a_violation_are_delivered(self, autojump_clock: trio.testing.MockClock) -> None:
        """A broken rule of the framing is told after the batch before it, and to the server by its close code."""
        async with opened(open_feed) as (feed, peer):
            await peer.stream.send_all(peer.encode(TextMessage(data="good")) + b"\x83\x00")

            assert await feed.receive_batch() == [(False, [b"good"])]
            assert (await lost(feed)).code == 1002

        answer = await peer.receive()
        assert isinstance(answer, CloseConnection)
        assert answer.code == 1002

    async def test_too_long_a_message_is_refused_by_its_header(self, autojump_clock: trio.testing.MockClock) -> None:
        """A message beyond the limit ends the feed before its payload has come."""
        async with opened(open_feed) as (feed, peer):
            await peer.stream.send_all(b"\x82\x7e" + (LIMITS.max_message_bytes + 1).to_bytes(2, "big"))
            assert (await lost(feed)).code == 1009


class TestLeaving:
    async def test_unread_messages_are_discarded_until_the_servers_close(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        """Leaving reads on after its close frame, so that the server's answer ends it and nothing stays unread."""
        peer, open_stream = lockstep_peer()
        closes: list[CloseConnection] = []

        async def serve() -> None:
            await peer.accept()
            unread = peer.encode(TextMessage(data="unread"))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(peer.stream.send_all, unread)
                event = await peer.receive()
            assert isinstance(event, CloseConnection)
            closes.append(event)
            await peer.send(event.response())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            async with open_feed(URL, limits=LIMITS, open_stream=open_stream):
                start = trio.current_time()

        assert [close.code for close in closes] == [1000]
        assert trio.current_time() == start


class TestHandshake:
    async def test_no_key_is_sent(self, autojump_clock: trio.testing.MockClock) -> None:
        """The opening request names the path and the host, and what a WebSocket needs, no more."""
        async with opened(open_feed) as (_, peer):
            pass

        head, *fields = peer.request.decode().strip().split("\r\n")
        assert head == "GET /backtest HTTP/1.1"
        assert [field.split(":")[0] for field in fields] == [
            "Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
        ]  # fmt: skip

    async def test_news_before_the_acceptance_are_skipped(self, autojump_clock: trio.testing.MockClock) -> None:
        """A 103 in front of the 101, in the same read, does not hide it."""
        peer, open_stream = memory_peer()

        async def serve() -> None:
            await peer.stream.send_all(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await peer.accept(TextMessage(data="x"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            async with open_feed(URL, limits=LIMITS, open_stream=open_stream) as feed:
                assert feed.receive_at_hand() == []
                assert await feed.receive_batch() == [(False, [b"x"])]


async def reset(stream: trio.SocketStream) -> None:
    """Close with a TCP reset."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


class TestOverLoopback:
    async def test_a_server_sees_the_close_frame_behind_unread_data(self) -> None:
        """Much unread data does not have TCP reset the connection before the server has read our close frame."""
        seen: list[Event] = []

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.accept()
            await peer.say(*("x" * 900 for _ in range(50)))
            seen.append(await peer.receive_close())

        async with served(serve) as url:
            async with open_feed(url, limits=LIMITS):
                pass

        assert [type(event) for event in seen] == [CloseConnection]

    async def test_more_that_has_come_is_read_without_waiting(self) -> None:
        """After a read that gave all it was asked for the rest is had at once, in order; then nothing, and how it ended."""
        texts = [f"{number} {'x' * 900}" for number in range(300)]
        may_end = trio.Event()

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.accept()
            await peer.say(*texts)
            await may_end.wait()
            await reset(stream)

        async with served(serve) as url, open_feed(url, limits=LIMITS) as feed:
            received: list[bytes] = []
            while len(received) < len(texts):
                runs = feed.receive_at_hand() if feed.has_more else await feed.receive_batch()
                received += [payload for _, payloads in runs for payload in payloads]
            assert received == [text.encode() for text in texts]
            assert feed.receive_at_hand() == []
            may_end.set()
            with pytest.raises(ConnectionLost):
                await feed.receive_batch()
            assert feed.receive_at_hand() == []

    async def test_a_break_at_hand_is_for_the_next_wait_to_say(self) -> None:
        """Reading what is at hand never raises: the next `receive_batch` says how the connection ended."""
        was_reset = trio.Event()

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.accept()
            await reset(stream)
            was_reset.set()

        async with served(serve) as url, open_feed(url, limits=LIMITS) as feed:
            await was_reset.wait()
            assert feed.receive_at_hand() == []
            with pytest.raises(ConnectionLost, match="it broke"):
                await feed.receive_batch()

    async def test_a_cut_is_told_after_the_last_message(self) -> None:
        """A server that goes away without a close frame leaves a lost connection with code 1006."""

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.accept(TextMessage(data="last"))

        async with served(serve) as url, open_feed(url, limits=LIMITS) as feed:
            assert await feed.receive_batch() == [(False, [b"last"])]
            assert (await lost(feed)).code == 1006

    async def test_a_reset_is_a_lost_connection(self) -> None:
        """A TCP reset says so in the message."""
        is_open = trio.Event()

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.accept()
            await is_open.wait()
            await reset(stream)

        async with served(serve) as url, open_feed(url, limits=LIMITS) as feed:
            is_open.set()
            error = await lost(feed)
            assert error.code == 1006
            assert "reset" in str(error)

    async def test_a_refusal_that_ends_in_a_reset_keeps_its_status(self) -> None:
        """A server that refuses and resets is told by its status, not by the reset."""

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.read_request()
            await stream.send_all(b"HTTP/1.1 503 No\r\nRetry-After: 3\r\nContent-Length: 1000\r\n\r\nbusy")
            await trio.testing.wait_all_tasks_blocked(
                0.05
            )  # the client has read it: a reset takes back what it has not
            await reset(stream)

        async with served(serve) as url:
            with pytest.raises(ConnectError) as caught:
                async with open_feed(url, limits=LIMITS):
                    pytest.fail("the handshake was refused")

        assert isinstance(caught.value.__cause__, HttpError)
        assert (caught.value.__cause__.status, caught.value.__cause__.retry_after_seconds) == (503, 3)

    async def test_a_restart_of_the_server_is_told_by_its_code(self) -> None:
        """Close 1012 is answered, and its code and reason reach the caller."""
        answers: list[Event] = []

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.accept(Ping(payload=b"p"))
            answers.append(await peer.receive())
            await peer.send(CloseConnection(code=1012, reason="handoff"))
            answers.append(await peer.receive())

        async with served(serve) as url:
            async with open_feed(url, limits=LIMITS) as feed:
                error = await lost(feed)
            await trio.testing.wait_all_tasks_blocked(0.05)

        assert (error.code, error.reason) == (1012, "handoff")
        assert answers == [Pong(payload=b"p"), CloseConnection(code=1012, reason="")]

    async def test_a_slow_consumer_holds_the_server_back(self) -> None:
        """While nobody asks, TCP's buffers fill and the server's write waits; then all arrives."""
        messages, size = 20_000, 900
        is_done = trio.Event()

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.accept()
            await stream.send_all(peer.encode(TextMessage(data="x" * size)) * messages)
            is_done.set()
            await peer.receive_close()

        async with served(serve) as url, open_feed(url, limits=LIMITS) as feed:
            await trio.testing.wait_all_tasks_blocked(0.05)
            was_done_early = is_done.is_set()
            count = 0
            while count < messages:
                count += sum(len(payloads) for _, payloads in await feed.receive_batch())

        assert (was_done_early, count) == (False, messages)
